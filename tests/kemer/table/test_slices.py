import numpy as np
import pytest

from kemer.table.slices import part_masks, slice_row
from tests.kemer.table.invented import make_answers, make_facts


def test_parts_are_told_from_what_is_known() -> None:
    facts = make_facts(make_answers("model", skill=2.0))
    masks = part_masks(facts)
    votes = np.array([max(row) for row in facts["emotion_votes"]]).round(1)
    assert (masks["8 to 10 of 10 raters agree"] == (votes == 0.9)).all()
    assert (masks["5 to 7 of 10 raters agree"] == (votes == 0.6)).all()
    assert (masks["1 to 4 of 10 raters agree"] == (votes == 0.4)).all()
    assert masks["gender F"].sum() == masks["gender M"].sum() == 60
    assert masks["text seen in training"].sum() == 40
    assert masks["script a"].sum() == masks["script b"].sum() == 48
    assert masks["improvised"].sum() == 24 and masks["scripted"].sum() == 96


def test_parts_without_utterances_are_left_out() -> None:
    facts = make_facts(make_answers("model", skill=2.0))
    masks = part_masks(facts.assign(is_scripted=None, script=None, text_seen=True))
    assert not {"scripted", "improvised", "script a", "text not seen in training"} & set(masks)


def test_hits_are_found_where_they_belong() -> None:
    answers = make_answers("model", skill=2.0)
    facts = make_facts(answers)
    # In another order than the answers: rows belong together by id.
    shuffled = facts.sample(frac=1, random_state=0)
    table = slice_row(answers, "argmax", shuffled).set_index("part")
    women = set(facts["id"][facts["gender"] == "F"])
    hits = []
    for one in answers:
        frame = one.decoded("argmax")
        chosen = frame[frame["id"].isin(women)]
        pairs = zip(chosen["labels_predicted"], chosen["labels_reference"], strict=True)
        hits += [a == b for a, b in pairs]
    assert table.loc["gender F", "exact_match"] == pytest.approx(np.mean(hits))
    assert table.loc["gender F", "utterances"] == 60
