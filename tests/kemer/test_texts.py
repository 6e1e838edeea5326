from typing import Any

from datasets import Dataset

from kemer.texts import CONTEXT_COLUMN, add_context, permute_texts

SPOKEN = {
    ("kemdy19", 1, "a"): ["one", "two", "", "four"],
    ("kemdy19", 2, "a"): ["other session"],
    ("kemdy19", 1, "b"): ["other dialogue", "its answer"],
    ("kemdy20", 1, "a"): ["other corpus"],
}


def make_rows() -> Dataset:
    """Return the turns, the last first."""
    rows = [
        {"corpus": corpus, "session": session, "dialogue": dialogue, "turn": turn, "text": text}
        for (corpus, session, dialogue), texts in SPOKEN.items()
        for turn, text in enumerate(texts, start=1)
    ]
    return Dataset.from_list(rows[::-1])


def by_text(rows: Dataset) -> dict[str, Any]:
    return dict(zip(rows["text"], rows[CONTEXT_COLUMN], strict=True))


def test_the_turns_before_are_those_of_the_same_dialogue_the_oldest_first() -> None:
    found = by_text(add_context(make_rows(), text_column="text", turns=2))
    assert found["one"] == [] and found["two"] == ["one"]
    assert found[""] == ["one", "two"]
    assert found["four"] == ["two"]  # an empty line is a turn, and says nothing
    assert found["its answer"] == ["other dialogue"]
    assert found["other session"] == found["other corpus"] == found["other dialogue"] == []


def test_more_turns_reach_to_the_beginning() -> None:
    found = by_text(add_context(make_rows(), text_column="text", turns=50))
    assert found["four"] == ["one", "two"]


def test_the_rows_and_their_order_stay() -> None:
    rows = make_rows()
    found = add_context(rows, text_column="text", turns=1)
    assert found.remove_columns(CONTEXT_COLUMN).to_list() == rows.to_list()


def test_texts_are_permuted_together_and_all_else_stays() -> None:
    numbers = list(range(50))
    rows = Dataset.from_dict(
        {"id": numbers, "text": [f"t{n}" for n in numbers], "more": [[f"m{n}"] for n in numbers]}
    )
    found = permute_texts(rows, columns=["text", "more"], seed=0)
    assert found["id"] == numbers and found.features == rows.features
    assert sorted(found["text"]) == sorted(rows["text"])
    assert [text[1:] for text in found["text"]] == [more[0][1:] for more in found["more"]]
    assert sum(a == b for a, b in zip(found["text"], rows["text"], strict=True)) <= 5
    assert found["text"] == permute_texts(rows, columns=["text", "more"], seed=0)["text"]
    assert found["text"] != permute_texts(rows, columns=["text", "more"], seed=1)["text"]
