import pytest

from dataset_script.translation.failures import Answer, Usage
from dataset_script.translation.ledger import Ledger
from dataset_script.translation.prices import Budget, Price
from dataset_script.translation.store import BatchEvent, Store

from .invented import answer_to, make_dialogue
from .test_jobs import OPTIONS, _request

REQUEST = _request(make_dialogue(), 0, 1)
BODY = REQUEST.to_body(OPTIONS)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "t.store") as store:
        yield store


def _make_ledger(store, settled):
    budget = Budget(OPTIONS, Price(2.0, 0.5, 8.0), spent=0.0)
    count = lambda good, bad: settled.append((good, bad))  # noqa: E731
    return Ledger(OPTIONS, store, budget=budget, run="r1", on_settled=count)


def test_an_answer_costs_what_the_server_counted(store):
    ledger = _make_ledger(store, [])
    paid = ledger.price(REQUEST, BODY, Answer("", None, Usage(1000, 400, 100)))
    assert paid.cost == pytest.approx((600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6)
    assert (paid.request, paid.prompt_tokens, paid.cached_tokens) == (REQUEST.key, 1000, 400)
    assert ledger.price(REQUEST, BODY, Answer("", "rejected: too long", None)) is None
    assert ledger.price(REQUEST, BODY, Answer("", "length: cut", None)).prompt_tokens > 500


def test_what_stands_is_kept_with_its_cost_and_counted(store):
    settled = []
    ledger = _make_ledger(store, settled)
    answer = Answer(answer_to(BODY), None, Usage(10, 0, 5))
    read = ledger.read(REQUEST, answer)
    assert [one.fault for one in read] == [None, None]
    ledger.keep(read, ledger.price(REQUEST, BODY, answer))
    refused = ledger.read(REQUEST, Answer("", "refusal: no", None))
    ledger.keep(refused[:1], None)
    assert settled == [(2, 0), (0, 1)]
    assert [result.is_good for result in store.results()] == [True, True, False]
    assert len(list(store.answers())) == 1


def test_a_batch_is_kept_whole_or_not_at_all(store):
    ledger = _make_ledger(store, [])
    read = ledger.read(REQUEST, Answer(answer_to(BODY), None, None))
    paid = [ledger.price_usage("k", Usage(10, 0, 5))] * 2
    with pytest.raises(Exception, match="NOT NULL"):
        ledger.keep_batch(read, paid, BatchEvent("n", "b", None, "r1", "t"))
    assert list(store.results()) == [] and store.total_cost() == 0
    ledger.keep_batch(read, paid, BatchEvent("n", "b", "collected", "r1", "t"))
    assert len(list(store.results())) == 2 and len(list(store.answers())) == 2
