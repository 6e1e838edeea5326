import re

import pytest

from dataset_script.translation.options import ContextOptions, ReportOptions, TranslationOptions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContextOptions(before=-1), "`context_before` is -1; it must be 0 or more"),
        (lambda: ContextOptions(after=-2), "`context_after` is -2; it must be 0 or more"),
        (lambda: ContextOptions(targets=0), "`targets` is 0; it must be 1 or more"),
        (lambda: ContextOptions(after=0), "`targets` is 10 with `context_after` 0: the first of"),
        (lambda: ReportOptions(audit=-1), "`audit` is -1; it must be 0 or more"),
        (lambda: ReportOptions(lines=-5), "`report_lines` is -5; it must be 0 or more"),
        (lambda: TranslationOptions(model=" "), "`model` is empty"),
        (lambda: TranslationOptions(variants=-1), "`variants` is -1"),
        (lambda: TranslationOptions(concurrency=0), "`concurrency` is 0; it must be 1 or more"),
        (lambda: TranslationOptions(attempts=-1), "`attempts` is -1"),
        (lambda: TranslationOptions(temperature=2.5), "`temperature` is 2.5; it must be from 0"),
        (lambda: TranslationOptions(timeout=0), "`timeout` is 0"),
        (lambda: TranslationOptions(timeout=float("nan")), "`timeout` is nan"),
        (lambda: TranslationOptions(max_cost=0), "`max_cost` is 0; it must be more than 0"),
        (lambda: TranslationOptions(response_format="xml"), "`response_format` is 'xml'"),
        (
            lambda: TranslationOptions(draft_languages=("a", "b")),
            "`draft_languages` is given and `draft` is 'none'",
        ),
    ],
)
def test_what_is_out_of_range_is_refused_before_anything_is_paid(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("draft", "variants", "steps", "drafts_here"),
    [
        ("none", 0, ("translate",), False),
        ("llm", 0, ("draft", "refine"), False),
        ("Helsinki-NLP/opus-mt-ko-en", 2, ("refine", "vary"), True),
        ("none", 1, ("translate", "vary"), False),
    ],
)
def test_steps_follow_from_the_draft_and_the_variants(draft, variants, steps, drafts_here):
    options = TranslationOptions(draft=draft, variants=variants)
    assert (options.steps, options.drafts_here) == (steps, drafts_here)


def test_the_causal_form_has_one_target():
    assert ContextOptions(after=0, targets=1).after == 0
