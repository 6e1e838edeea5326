import hashlib
import io
import itertools
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import soundfile
from datasets import load_dataset

from dataset_script.folds import read_folds
from kemer.data import Split, load_split, read_fold, read_random_fold
from kemer.data_arguments import DataArguments
from kemer.texts import CONTEXT_COLUMN

HEADER = "fold,session,dialogue,role\n"
WHOLE = {1: "test", 2: "validation", 3: "train", 4: "train", 5: "train"}


def write_folds(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "folds.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def session_lines(roles: dict[int, str], *, fold: int = 0) -> list[str]:
    return [f"{fold},{session},,{role}" for session, role in roles.items()]


def split_with(bench: Path, *, folds_file: Path | None = None, **settings: Any) -> Split:
    reads_text = settings.pop("reads_text", True)
    if folds_file is not None:
        settings["folds_file"] = str(folds_file)
    dataset = settings.pop("dataset", bench / "release")
    return load_split(DataArguments(dataset=str(dataset), **settings), reads_text=reads_text)


def change_table(bench: Path, tmp_path: Path, change: Callable[[Any], Any]) -> Path:
    """Copy the release and change its table of rows."""
    release = Path(shutil.copytree(bench / "release", tmp_path / "release"))
    shard = rename_shard(release)
    table = pyarrow.parquet.read_table(shard)
    pyarrow.parquet.write_table(change(table), shard)
    return release


def rename_shard(release: Path) -> Path:
    """Give the file of rows a name of its own: the library's cache knows a file by its name."""
    (shard,) = release.glob("data/*/*.parquet")
    old, new = shard.stem.split("-")[-1], uuid.uuid4().hex
    card = release / "README.md"
    card.write_text(card.read_text().replace(old, new))
    return shard.rename(shard.with_name(shard.name.replace(old, new)))


def test_every_row_of_a_session_gets_the_sessions_role(bench: Path) -> None:
    split = split_with(bench)
    assert split.sessions == {"train": [3, 4, 5], "validation": [2], "test": [1]}
    rows = load_dataset(str(bench / "release"), "kemdy20", split="train")
    for role, sessions in split.sessions.items():
        expected = [
            row_id
            for row_id, session in zip(rows["id"], rows["session"], strict=True)
            if session in sessions
        ]
        assert list(split.rows[role]["id"]) == expected
        assert len(expected) == 4 * len(sessions)


def test_each_fold_tests_other_sessions(bench: Path) -> None:
    tested = [split_with(bench, fold=fold).sessions["test"] for fold in range(5)]
    assert sorted(sum(tested, [])) == [1, 2, 3, 4, 5]


def test_folds_are_known_by_their_checksum(bench: Path) -> None:
    content = (bench / "release/folds/kemdy20.csv").read_bytes()
    assert split_with(bench).folds_sha256 == hashlib.sha256(content).hexdigest()


def test_audio_stays_as_it_was_in_the_corpus(bench: Path) -> None:
    row = split_with(bench).rows["train"][0]
    name = row["id"].split("/")[1]
    (wav,) = (bench / "corpus").rglob(f"{name}.wav")
    found = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
    expected = soundfile.read(wav)
    assert (found[0] == expected[0]).all() and found[1] == expected[1]


def test_a_synthetic_dataset_is_known_as_such(bench: Path, tmp_path: Path) -> None:
    assert split_with(bench).synthetic is False
    release = Path(shutil.copytree(bench / "release", tmp_path / "release"))
    (release / "synthetic.json").write_text(json.dumps({"kemdy20": {}}))
    assert split_with(bench, dataset=release).synthetic is True


def test_a_dialogues_role_goes_before_its_sessions(bench: Path, tmp_path: Path) -> None:
    path = write_folds(tmp_path, *session_lines(WHOLE), "0,4,Sess04_script02,dropped")
    split = split_with(bench, folds_file=path)
    train = split.rows["train"]
    assert len(train) == 10
    assert "Sess04_script02" not in list(train["dialogue"])
    assert "Sess04_script01" in list(train["dialogue"])
    assert split.sessions["train"] == [3, 4, 5]


def test_dropped_sessions_are_in_no_role(bench: Path, tmp_path: Path) -> None:
    path = write_folds(tmp_path, *session_lines({**WHOLE, 5: "dropped"}))
    split = split_with(bench, folds_file=path)
    assert split.sessions == {"train": [3, 4], "validation": [2], "test": [1]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0,1,,test", "0,1,,train"], "lists session 1  twice in fold 0; keep one"),
        (["0,1,a,test", "0,1,b,train"], "gives session 1 the roles test, train in fold 0"),
        (["0,1,,test", "0,1,b,train"], "gives session 1 the roles test, train in fold 0"),
        (["0,1,,val"], "has the role 'val'; allowed are train, validation, test and dropped"),
        (["1,1,,test", "3,1,,test"], r"`fold` is 0; `\S+` has folds \[1, 3\]"),
        (["0,one,,test"], "cannot be read .*'one'"),
    ],
)
def test_a_mistake_in_the_folds_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write_folds(tmp_path, *lines)
    with pytest.raises(ValueError, match=message) as caught:
        read_fold(path, 0)
    assert f"`{path}`" in str(caught.value)


@pytest.mark.parametrize("header", ["fold,session,role\n", "session,fold,dialogue,role\n", ""])
def test_folds_need_their_columns(tmp_path: Path, header: str) -> None:
    path = write_folds(tmp_path, "0,1,test" if header.count(",") == 2 else "0,1,,a", header=header)
    with pytest.raises(ValueError, match="needs fold, session, dialogue, role|cannot be read"):
        read_fold(path, 0)


def test_a_fold_is_read_by_session_and_dialogue(tmp_path: Path) -> None:
    path = write_folds(tmp_path, "0,1,,test", "0,2,a,train", "1,1,,train")
    assert read_fold(path, 0) == {(1, ""): "test", (2, "a"): "train"}
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as some spreadsheets save it
    assert read_fold(path, 1) == {(1, ""): "train"}


def test_sessions_without_a_role_are_named(bench: Path, tmp_path: Path) -> None:
    roles = {session: role for session, role in WHOLE.items() if session not in (3, 5)}
    path = write_folds(tmp_path, *session_lines(roles))
    with pytest.raises(ValueError, match=r"gives sessions \[3, 5\] no role"):
        split_with(bench, folds_file=path)


@pytest.mark.parametrize("role", ["train", "validation", "test"])
def test_a_role_without_rows_is_named(bench: Path, tmp_path: Path, role: str) -> None:
    kept = {session: "dropped" if role == other else other for session, other in WHOLE.items()}
    path = write_folds(tmp_path, *session_lines(kept))
    with pytest.raises(ValueError, match=f"has no rows for {role}; build the dataset from more"):
        split_with(bench, folds_file=path)


def test_a_speaker_in_two_roles_is_refused(bench: Path, tmp_path: Path) -> None:
    def share_a_speaker(table: Any) -> Any:
        speakers = table["speaker"].to_pylist()
        sessions = table["session"].to_pylist()
        shared = [
            "kemdy20/both" if session in (1, 4) else speaker
            for session, speaker in zip(sessions, speakers, strict=True)
        ]
        place = table.schema.get_field_index("speaker")
        return table.set_column(place, table.schema.field(place), [shared])

    release = change_table(bench, tmp_path, share_a_speaker)
    message = "puts speaker 'kemdy20/both' into test and train; a voice"
    with pytest.raises(ValueError, match=message):
        split_with(bench, dataset=release)
    # Who is not used is in no role.
    path = write_folds(tmp_path, *session_lines({**WHOLE, 4: "dropped"}))
    assert split_with(bench, dataset=release, folds_file=path).sessions["train"] == [3, 5]


def test_missing_columns_are_named(bench: Path, tmp_path: Path) -> None:
    release = change_table(bench, tmp_path, lambda table: table.drop_columns(["arousal", "audio"]))
    with pytest.raises(ValueError, match="lacks the columns audio, arousal; build it with"):
        split_with(bench, dataset=release)


def test_texts_that_are_all_empty_are_refused(bench: Path, tmp_path: Path) -> None:
    def without_english(table: Any) -> Any:
        place = table.schema.get_field_index("text_en")
        return table.set_column(place, table.schema.field(place), [[" "] * len(table)])

    release = change_table(bench, tmp_path, without_english)
    with pytest.raises(ValueError, match="`text_column` 'text_en' is empty in every training row"):
        split_with(bench, dataset=release)
    assert len(split_with(bench, dataset=release, text_column="text_ko").rows["train"]) == 12
    assert len(split_with(bench, dataset=release, reads_text=False).rows["train"]) == 12


@pytest.mark.parametrize("reads_text", [True, False])
def test_variants_that_are_not_there_are_refused(
    bench: Path, tmp_path: Path, reads_text: bool
) -> None:
    message = "`text_variants` is true, but `text_en_variants` is empty in every training row of '"
    with pytest.raises(ValueError, match=message):
        split_with(bench, text_variants=True, reads_text=reads_text)
    assert len(split_with(bench).rows["train"]) == 12
    older = change_table(bench, tmp_path, lambda table: table.drop_columns(["text_en_variants"]))
    with pytest.raises(ValueError, match="but `text_en_variants` is no column of '.*; build the d"):
        split_with(bench, dataset=older, text_variants=True)
    assert len(split_with(bench, dataset=older).rows["train"]) == 12


def test_variants_of_held_out_rows_alone_are_refused(bench: Path, tmp_path: Path) -> None:
    def vary(session: int) -> Callable[[Any], Any]:
        def change(table: Any) -> Any:
            place = table.schema.get_field_index("text_en_variants")
            values = [["other"] * (row == session) for row in table["session"].to_pylist()]
            return table.set_column(place, table.schema.field(place), [values])

        return change

    for name, session in (("held out", 1), ("trained on", 3)):
        release = change_table(bench, tmp_path / name, vary(session))
        if name == "held out":
            with pytest.raises(ValueError, match="is empty in every training row"):
                split_with(bench, dataset=release, text_variants=True)
        else:
            assert len(split_with(bench, dataset=release, text_variants=True).rows["train"]) == 12


@pytest.mark.parametrize("column", ["text_fr", "duration", "emotions"])
def test_a_text_column_holds_text(bench: Path, column: str) -> None:
    message = f"`text_column` is '{column}'; the dataset's columns of text are .*text_en"
    with pytest.raises(ValueError, match=message):
        split_with(bench, text_column=column)


def test_a_dataset_that_cannot_be_loaded_is_named(bench: Path, tmp_path: Path) -> None:
    message = "`dataset` '.*' with `dataset_config` '.*' cannot be loaded .*dataset_script build"
    (tmp_path / "empty").mkdir()
    for dataset in (tmp_path / "nowhere", tmp_path / "empty", "nobody/nothing"):
        with pytest.raises(ValueError, match=message) as caught:
            split_with(bench, dataset=dataset)
        assert str(dataset) in str(caught.value)
    with pytest.raises(ValueError, match="with `dataset_config` 'kemdy99' cannot be loaded"):
        split_with(bench, dataset_config="kemdy99")


@pytest.mark.parametrize("damage", ["cut off", "scrambled"])
def test_a_broken_table_is_one_sentence(bench: Path, tmp_path: Path, damage: str) -> None:
    release = Path(shutil.copytree(bench / "release", tmp_path / "release"))
    shard = rename_shard(release)
    content = shard.read_bytes()
    middle = content[:1000] + b"\xff" * 20_000 + content[21_000:]
    shard.write_bytes(content[:1000] if damage == "cut off" else middle)
    with pytest.raises(ValueError, match="cannot be loaded"):
        split_with(bench, dataset=release)


def test_missing_folds_are_named(bench: Path, tmp_path: Path) -> None:
    release = Path(shutil.copytree(bench / "release", tmp_path / "release"))
    shutil.rmtree(release / "folds")
    with pytest.raises(ValueError, match="folds/kemdy20.csv` does not exist; name the folds with"):
        split_with(bench, dataset=release)
    with pytest.raises(ValueError, match="nowhere.csv` does not exist"):
        split_with(bench, folds_file=tmp_path / "nowhere.csv")
    message = "folds/kemdy20.session-script.csv` does not exist.*tells why a protocol has none"
    with pytest.raises(ValueError, match=message):
        split_with(bench, protocol="session+script")


# What the first dialogue of each session plays; the second plays nothing.
PLAYS = {1: "a", 2: "b", 3: "c", 4: "c", 5: "a"}


def play_scripts(bench: Path, tmp_path: Path, *lines: str) -> Path:
    """Copy the release with known scripts and folds that claim to hold them out."""

    def name_scripts(table: Any) -> Any:
        dialogues = zip(table["session"].to_pylist(), table["dialogue"].to_pylist(), strict=True)
        scripts = [PLAYS[s] if d.endswith("script01") else d for s, d in dialogues]
        place = table.schema.get_field_index("script")
        return table.set_column(place, table.schema.field(place), [scripts])

    release = change_table(bench, tmp_path, name_scripts)
    path = release / "folds" / "kemdy20.session-script.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in [*session_lines(WHOLE), *lines]))
    return release


def test_scripts_are_held_out_with_their_sessions(bench: Path, tmp_path: Path) -> None:
    release = play_scripts(bench, tmp_path, "0,5,Sess05_script01,dropped")
    split = split_with(bench, dataset=release, protocol="session+script")
    assert [len(split.rows[role]) for role in ("train", "validation", "test")] == [10, 4, 4]
    content = (release / "folds/kemdy20.session-script.csv").read_bytes()
    assert split.folds_sha256 == hashlib.sha256(content).hexdigest()


def test_a_planted_script_leak_is_refused(bench: Path, tmp_path: Path) -> None:
    release = play_scripts(bench, tmp_path)
    message = "puts script 'a' into test and train; lines that are trained on must not be tested"
    with pytest.raises(ValueError, match=message):
        split_with(bench, dataset=release, protocol="session+script")
    assert len(split_with(bench, dataset=release).rows["train"]) == 12  # not claimed there


def test_a_planted_session_leak_is_refused(bench: Path, tmp_path: Path) -> None:
    release = play_scripts(bench, tmp_path, "0,1,Sess01_script02,train")
    with pytest.raises(ValueError, match="gives session 1 the roles test, train in fold 0"):
        split_with(bench, dataset=release, protocol="session+script")


@pytest.mark.parametrize("has_column", [False, True])
def test_scripts_must_be_known_to_be_held_out(
    bench: Path, tmp_path: Path, has_column: bool
) -> None:
    def forget(table: Any) -> Any:
        place = table.schema.get_field_index("script")
        if not has_column:
            return table.remove_column(place)
        scripts = [*table["dialogue"].to_pylist()[1:], None]
        return table.set_column(place, table.schema.field(place), [scripts])

    release = change_table(bench, tmp_path, forget)
    write_folds(release / "folds", *session_lines(WHOLE)).rename(
        release / "folds" / "kemdy20.session-script.csv"
    )
    with pytest.raises(ValueError, match="the scripts of '.*' are not known; build it with"):
        split_with(bench, dataset=release, protocol="session+script")


def test_random_utterances_share_sessions_and_speakers(bench: Path) -> None:
    split = split_with(bench, protocol="random")
    assert [len(split.rows[role]) for role in ("train", "validation", "test")] == [13, 3, 4]
    assert set(split.sessions["train"]) & set(split.sessions["test"])
    ids = [
        list(split_with(bench, protocol="random", fold=fold).rows["test"]["id"])
        for fold in range(5)
    ]
    assert sorted(sum(ids, [])) == sorted(
        load_dataset(str(bench / "release"), "kemdy20", split="train")["id"]
    )


def test_random_folds_are_taken_for_nothing_else(bench: Path, tmp_path: Path) -> None:
    path = bench / "release/folds/kemdy20.random-leak.csv"
    with pytest.raises(ValueError, match="has the columns fold, id, role; it needs fold, session"):
        split_with(bench, folds_file=path)
    roles = read_random_fold(path, 0)
    assert len(roles) == 20 and set(roles.values()) == {"train", "validation", "test"}
    twice = tmp_path / "twice.csv"
    twice.write_text("fold,id,role\n0,a,test\n0,a,train\n")
    with pytest.raises(ValueError, match="lists 'a' twice in fold 0; keep one"):
        read_random_fold(twice, 0)


def test_an_utterance_without_a_role_is_named(bench: Path, tmp_path: Path) -> None:
    release = Path(shutil.copytree(bench / "release", tmp_path / "release"))
    path = release / "folds/kemdy20.random-leak.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    with pytest.raises(ValueError, match=r"gives sessions \[1\] no role, or not all of them"):
        split_with(bench, dataset=release, protocol="random")


def test_what_the_builder_allows_is_read_alike(tmp_path: Path) -> None:
    """`read_folds` of the builder and `read_fold` refuse the same entries of a session."""
    roles = ("train", "validation", "test", "dropped")
    for whole, part in itertools.product(("", *roles), roles):
        lines = [f"0,1,,{whole}"] * bool(whole) + [f"0,1,a,{part}", "0,1,b,train"]
        path = write_folds(tmp_path, *lines)
        refused = []
        for read in (read_folds, lambda path: read_fold(path, 0)):
            try:
                read(path)
                refused.append(False)
            except ValueError:
                refused.append(True)
        assert refused[0] == refused[1], lines


def test_context_is_what_was_said_before_in_the_dialogue(bench: Path) -> None:
    plain = split_with(bench)
    split = split_with(bench, context_turns=3)
    for role, rows in split.rows.items():
        assert CONTEXT_COLUMN not in plain.rows[role].column_names
        assert rows["id"] == plain.rows[role]["id"]
        said: dict[str, list[str]] = {}
        for row in sorted(rows, key=lambda row: (row["session"], row["dialogue"], row["turn"])):
            before = said.setdefault(row["dialogue"], [])
            assert row[CONTEXT_COLUMN] == [text for text in before if text]
            before.append(row["text_en"])
    assert any(split.rows["train"][CONTEXT_COLUMN])


def test_texts_are_permuted_within_their_role_and_nothing_else_is(bench: Path) -> None:
    plain, split = (
        split_with(bench, permute_text=value, context_turns=1) for value in (False, True)
    )
    texts = ["text_en", CONTEXT_COLUMN]
    for role, rows in split.rows.items():
        expected = plain.rows[role]
        assert rows.remove_columns(texts).to_list() == expected.remove_columns(texts).to_list()
        pairs = [
            sorted(zip(one["text_en"], one[CONTEXT_COLUMN], strict=True))
            for one in (rows, expected)
        ]
        assert pairs[0] == pairs[1]
    assert split.rows["train"]["text_en"] != plain.rows["train"]["text_en"]
