import json

import pytest

from dataset_script.translation.options import TranslationOptions
from dataset_script.translation.prices import (
    Budget,
    Price,
    estimate_tokens,
    estimate_usage,
    largest_usage,
    load_price,
    price_date,
)

PRICE = Price(input=2.0, cached_input=0.5, output=8.0)
BODY = {
    "messages": [{"role": "user", "content": "바다 sea"}],
    "max_completion_tokens": 100,
}


def test_the_price_of_a_model_is_found_with_and_without_its_date():
    assert load_price("gpt-4.1") == PRICE == load_price("gpt-4.1-2025-04-14")
    assert load_price("gpt-4.1", batch=True) == Price(1.0, 0.25, 4.0)
    assert load_price("a-model-of-ones-own") is None
    assert len(price_date().split("-")) == 3


def test_prices_can_be_ones_own(tmp_path):
    path = tmp_path / "p.json"
    table = {"input": 1, "cached_input": 1, "output": 0}
    path.write_text(json.dumps({"batch_discount": 0.1, "models": {"mine": table}}))
    assert load_price("mine", path=path) == Price(1.0, 1.0, 0.0)
    assert load_price("mine", path=path, batch=True).input == pytest.approx(0.1)
    assert price_date(path) == ""


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"batch_discount": 1, "models": {"a": {"input": 1}}}', '{"models": 1}'],
)
def test_a_file_in_another_form_is_refused(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ValueError, match=r"`prices` 'p.json' is not in the form of prices.json"):
        load_price("a", path=tmp_path / "p.json")
    with pytest.raises(FileNotFoundError, match="`prices` .*none.json' is not a file"):
        load_price("a", path=tmp_path / "none.json")


def test_cost_is_computed_by_hand():
    assert PRICE.cost(1_000_000, 0) == 2.0 and PRICE.cost(0, 1_000_000) == 8.0
    assert PRICE.cost(1000, 100, cached=400) == pytest.approx((600 * 2 + 400 * 0.5 + 800) / 1e6)


def test_estimates_are_rather_too_high():
    assert (
        estimate_tokens("바다") == 2 and estimate_tokens("abcd") == 2 and estimate_tokens("") == 0
    )
    assert estimate_usage(BODY, letters=12, targets=1) == (2 + 2 + 8, 10 + 27)
    assert estimate_usage(BODY, letters=12_000, targets=1)[1] == 100  # never beyond the limit
    assert largest_usage(BODY) == (6 + 4 + 8 + 2, 100)


def test_a_promise_is_kept_back_until_the_answer_says_what_it_was():
    most = PRICE.cost(*largest_usage(BODY))
    budget = Budget(TranslationOptions(max_cost=2.5 * most), PRICE, spent=0.0)
    first, second = budget.promise(BODY), budget.promise(BODY)
    assert first == second == most and budget.promise(BODY) is None
    budget.settle(first, 0.25 * most)
    assert budget.spent == 0.25 * most and budget.promised == pytest.approx(most)
    assert budget.promise(BODY) == most and budget.promise(BODY) is None


def test_what_earlier_runs_paid_counts():
    most = PRICE.cost(*largest_usage(BODY))
    assert Budget(TranslationOptions(max_cost=most), PRICE, spent=0.0).promise(BODY) == most
    assert Budget(TranslationOptions(max_cost=most), PRICE, spent=1e-9).promise(BODY) is None


def test_without_a_limit_nothing_is_refused_and_without_a_price_no_limit_is_taken():
    budget = Budget(TranslationOptions(), PRICE, spent=1e9)
    assert budget.promise(BODY) > 0
    assert Budget(TranslationOptions(), None, spent=0.0).promise(BODY) == 0.0
    with pytest.raises(ValueError, match="`max_cost` is 1.0 and the price of 'gpt-4.1' is not kno"):
        Budget(TranslationOptions(max_cost=1.0), None, spent=0.0)
