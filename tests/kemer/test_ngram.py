from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from configuration_kemer import EMOTIONS
from dataset_script.folds import assign_folds
from dataset_script.protocols import assign_crossed_folds, assign_matched_folds
from kemer import ngram
from kemer.data import Split, load_split
from kemer.data_arguments import DataArguments
from kemer.ngram import answer_split, fit_ngrams
from kemer.scoring import PREDICTION_COLUMNS, score

HAPPY, NEUTRAL, SAD = (EMOTIONS.index(name) for name in ("happy", "neutral", "sad"))
FEATURES = Features(
    {
        "id": Value("string"),
        "corpus": Value("string"),
        "session": Value("int32"),
        "dialogue": Value("string"),
        "text_ko": Value("string"),
        "text_en": Value("string"),
        "emotions": Sequence(ClassLabel(names=list(EMOTIONS))),
        "valence": Value("float32"),
        "arousal": Value("float32"),
    }
)
# Text and labels of a corpus of five lines; one is made of words of two others, one is empty.
LINES = [
    ("잘했다 정말", [HAPPY]),
    ("그냥 그래", [NEUTRAL]),
    ("너무 슬퍼", [SAD]),
    ("슬퍼 잘했다", [SAD, HAPPY]),
    ("", [NEUTRAL]),
]


def make_rows(lines: list[tuple[str, list[int]]], *, session: int = 1) -> Dataset:
    rows = [
        {
            "id": f"k/{session}/{number}",
            "corpus": "k",
            "session": session,
            "dialogue": f"Sess{session:02d}",
            "text_ko": text,
            "text_en": "the same",
            "emotions": sorted(emotions),
            "valence": 3.0 + (HAPPY in emotions) - (SAD in emotions),
            "arousal": 3.0 + 0.5 * (emotions != [NEUTRAL]),
        }
        for number, (text, emotions) in enumerate(lines)
    ]
    return Dataset.from_list(rows, features=FEATURES)


def make_split(train: Dataset, validation: Dataset, test: Dataset) -> Split:
    rows = {"train": train, "validation": validation, "test": test}
    return Split(rows, {"train": [1], "validation": [2], "test": [3]}, "", synthetic=True)


@pytest.fixture(scope="module")
def split() -> Split:
    return make_split(*(make_rows(LINES * 8, session=session) for session in (1, 2, 3)))


def test_answers_are_the_columns_of_a_model_and_scored_alike(split: Split) -> None:
    answers = answer_split(split, text_column="text_ko")
    assert set(answers) == {"validation", "test"}
    for role, frame in answers.items():
        assert tuple(frame.columns) == PREDICTION_COLUMNS
        assert frame["id"].tolist() == list(split.rows[role]["id"])
    scores = score(answers["test"])
    assert scores["exact_match"] == 1.0
    assert scores["distance_valence"] < 0.1 and scores["ccc_valence"] > 0.9


def test_sets_of_emotions_are_answered_whole(split: Split) -> None:
    test = answer_split(split, text_column="text_ko")["test"]
    both = test["labels_predicted"].tolist()[3]
    assert [EMOTIONS[k] for k in np.flatnonzero(both)] == ["sad", "happy"]
    assert sum(both) == 2


def test_probabilities_are_sums_over_the_sets_that_hold_an_emotion(split: Split) -> None:
    model = fit_ngrams(split.rows["train"], split.rows["validation"], text_column="text_ko")
    frame = model.answer(split.rows["test"])
    assert len(model.label_sets) == 4
    of_sets = model.classifier.predict_proba(model.vectorizer.transform([LINES[3][0]]))[0]
    expected = np.zeros(7)
    for chance, labels in zip(of_sets, model.label_sets, strict=True):
        expected[labels == 1] += chance
    assert frame["probabilities"][3] == pytest.approx(expected)


def test_an_empty_text_is_answered_by_what_is_common() -> None:
    lines = [("잘했다 정말", [HAPPY])] * 3 + [("그냥 그래", [NEUTRAL])] * 9
    rows = make_rows(lines)
    test = make_rows([("", [HAPPY]), ("Ω", [HAPPY])])
    frame = answer_split(make_split(rows, rows, test), text_column="text_ko")["test"]
    assert len(frame) == 2
    for row in frame["labels_predicted"]:
        assert np.flatnonzero(row).tolist() == [NEUTRAL]


def test_the_regularisation_is_chosen_on_validation_rows(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With next to no weight on the text everything is neutral; with some it is learnt."""
    monkeypatch.setattr(ngram, "INVERSE_PENALTIES", (1e-6, 10.0))
    monkeypatch.setattr(ngram, "RIDGE_PENALTIES", (1.0, 1e6))
    rows = make_rows(LINES * 8)
    chosen = fit_ngrams(rows, split.rows["validation"], text_column="text_ko")
    assert (chosen.classifier.C, chosen.regressor.alpha) == (10.0, 1.0)
    neutral = make_rows([(text, [NEUTRAL]) for text, _ in LINES])
    other = fit_ngrams(rows, neutral, text_column="text_ko")
    assert other.classifier.C == 1e-6


def test_ratings_stay_on_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What two lines of the highest rating have in common would be rated higher still."""
    monkeypatch.setattr(ngram, "RIDGE_PENALTIES", (1e-3,))
    rows = make_rows([("가나다", [HAPPY]), ("라마바", [HAPPY]), ("사아자", [SAD])] * 4)
    rows = rows.map(lambda row: {"valence": 5.0 if row["emotions"] == [HAPPY] else 1.0})
    test = make_rows([("가나다 라마바", [HAPPY])])
    model = fit_ngrams(rows, rows, text_column="text_ko")
    assert model.regressor.predict(model.vectorizer.transform(test["text_ko"]))[0, 0] > 5.2
    assert model.answer(test)["valence_predicted"].tolist() == [5.0]


def test_the_column_that_is_asked_for_is_read(split: Split) -> None:
    frame = answer_split(split, text_column="text_en")["test"]  # the same everywhere
    assert len({tuple(row) for row in frame["labels_predicted"]}) == 1
    swapped = {
        name: rows.rename_columns({"text_ko": "text_en", "text_en": "text_ko"})
        for name, rows in split.rows.items()
    }
    frame = answer_split(make_split(*swapped.values()), text_column="text_en")["test"]
    assert score(frame)["exact_match"] == 1.0


def test_test_rows_teach_nothing(split: Split) -> None:
    first = answer_split(split, text_column="text_ko")["validation"]
    flipped = make_rows([(text, [SAD]) for text, _ in LINES])
    other = make_split(split.rows["train"], split.rows["validation"], flipped)
    again = answer_split(other, text_column="text_ko")["validation"]
    assert first["probabilities"].tolist() == again["probabilities"].tolist()


@pytest.mark.parametrize(
    ("lines", "column", "message"),
    [
        (LINES, "text_fr", "`text_column` is 'text_fr'; the columns are id, corpus"),
        ([(" ", labels) for _, labels in LINES], "text_ko", "is empty in every training row"),
        (LINES[:1], "text_ko", "`train` has one label set only"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    lines: list[tuple[str, list[int]]], column: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_ngrams(make_rows(lines), make_rows(LINES), text_column=column)


def test_a_release_is_answered(bench: Path) -> None:
    arguments = DataArguments(dataset=str(bench / "release"))
    split = load_split(arguments, reads_text=True)
    frame = answer_split(split, text_column=arguments.text_column)["test"]
    assert score(frame)["exact_match"] >= 0 and len(frame) == 4


def play(*, sessions: int, seed: int) -> tuple[dict[tuple[int, str], str], list[dict]]:
    """Six scripts in every session: a line has its label by what was written, by no word."""
    rng = np.random.default_rng(seed)
    letters = [chr(0xAC00 + 28 * number) for number in range(300)]
    written = [
        [("".join(rng.choice(letters, 12)), int(rng.integers(4))) for _ in range(6)]
        for _ in range(6)
    ]
    scripts, lines = {}, []
    for session in range(1, sessions + 1):
        for number, script in enumerate(rng.permutation(6)):
            scripts[session, f"d{number}"] = f"s{script}"
            lines += [
                {"session": session, "dialogue": f"d{number}", "text": text, "label": label}
                for text, label in written[script]
            ]
    return scripts, lines


def test_a_leak_of_scripts_shows_and_the_control_tells_it_from_a_lack_of_data() -> None:
    scripts, lines = play(sessions=9, seed=0)
    session_folds = assign_folds(range(1, 10), n_folds=3)
    groups = (("s0", "s1"), ("s2", "s3"), ("s4", "s5"))
    protocols = {
        "matched": assign_matched_folds(session_folds, scripts, groups=groups),
        "script": assign_crossed_folds(session_folds, scripts, groups=groups),
    }
    matches = {}
    for name, folds in protocols.items():
        roles = {(row.session, row.dialogue): row.role for row in folds if row.fold == 0}
        parts = {
            role: make_rows(
                [
                    (line["text"], [line["label"]])
                    for line in lines
                    if roles[line["session"], line["dialogue"]] == role
                ]
            )
            for role in ("train", "validation", "test")
        }
        frame = answer_split(make_split(*parts.values()), text_column="text_ko")["test"]
        matches[name] = score(frame)["exact_match"]
    assert matches["matched"] > 0.95  # every line was heard in another session
    assert matches["script"] < 0.6  # no line was: chance is a quarter
