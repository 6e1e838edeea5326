"""From a release of the dataset to the rows of one fold: training, validation and test.

Second step of `train.py`. The protocol's file says what is held out; nothing is drawn at random.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Audio, Dataset, Value, load_dataset
from datasets.exceptions import DatasetsError
from huggingface_hub import file_exists, hf_hub_download

from kemer.data_arguments import DataArguments
from kemer.dataset_files import SYNTHETIC_MARKER
from kemer.protocols import CROSSED_PROTOCOL, LEAKS, PROTOCOL_FILES, RANDOM_PROTOCOL
from kemer.texts import CONTEXT_COLUMN, add_context, permute_texts

ROLES = ("train", "validation", "test")
DROPPED = "dropped"
FOLD_COLUMNS = {"fold": int, "session": int, "dialogue": str, "role": str}
RANDOM_COLUMNS = {"fold": int, "id": str, "role": str}
REQUIRED_COLUMNS = (
    "id",
    "corpus",
    "session",
    "dialogue",
    "speaker",
    "audio",
    "duration",
    "emotions",
    "valence",
    "arousal",
)
SCRIPT_COLUMN = "script"
VARIANTS_COLUMN = "text_en_variants"
SHARED = {
    "speaker": "a voice that is trained on must not be tested: give all its sessions one role",
    "script": "lines that are trained on must not be tested: build the dataset's folds again",
}
PERMUTATION_SEED = 0  # one control, whatever the seed of training


@dataclass(frozen=True)
class Split:
    """The rows of one fold.

    Attributes:
        rows: training, validation and test rows, by role; audio undecoded.
        sessions: the session numbers of each role.
        folds_sha256: checksum of the file that holds the fold.
        synthetic: whether the dataset says that it is synthetic.
    """

    rows: dict[str, Dataset]
    sessions: dict[str, list[int]]
    folds_sha256: str
    synthetic: bool


def load_split(arguments: DataArguments, *, reads_text: bool) -> Split:
    """Load a dataset and divide it by one fold.

    Args:
        arguments: dataset and fold.
        reads_text: whether the model reads `text_column`, which must then hold something.

    Returns:
        the split.

    Raises:
        ValueError: if the dataset, its folds, a column or a text is missing, if the fold is not in
            the file, gives a row no role or a role no rows, or if a speaker (but for `random`) or
            under `session+script` a script is in two roles.
    """
    rows = _load_rows(arguments)
    if arguments.context_turns > 0:
        rows = add_context(rows, text_column=arguments.text_column, turns=arguments.context_turns)
    folds_file = find_folds_file(arguments)
    fold = f"fold {arguments.fold} of `{folds_file}`"
    frame = rows.select_columns(["id", "session", "dialogue", "speaker"]).to_pandas()
    frame["role"] = _find_roles(frame, folds_file, arguments)
    _refuse_without_role(frame, fold)
    used = frame["role"] != DROPPED
    if arguments.protocol not in LEAKS:
        _refuse_shared("speaker", frame[used], fold)
    if arguments.protocol == CROSSED_PROTOCOL:
        _refuse_shared("script", frame.assign(script=_read_scripts(rows, arguments))[used], fold)
    chosen = {name: rows.select(np.flatnonzero(frame["role"] == name)) for name in ROLES}
    for name, selected in chosen.items():
        if len(selected) == 0:
            raise ValueError(
                f"{fold} has no rows for {name}; build the dataset from more sessions, or choose "
                "another fold."
            )
    if reads_text:
        _refuse_without_text(chosen["train"], arguments)
    if arguments.text_variants:
        _refuse_without_variants(chosen["train"], arguments)
    if arguments.permute_text:
        columns = [
            name
            for name in (arguments.text_column, VARIANTS_COLUMN, CONTEXT_COLUMN)
            if name in rows.column_names
        ]
        chosen = {
            name: permute_texts(selected, columns=columns, seed=PERMUTATION_SEED)
            for name, selected in chosen.items()
        }
    by_role = frame.groupby("role")["session"]
    return Split(
        rows=chosen,
        sessions={name: sorted(set(by_role.get_group(name).tolist())) for name in ROLES},
        folds_sha256=hashlib.sha256(folds_file.read_bytes()).hexdigest(),
        synthetic=_has_file(arguments.dataset, SYNTHETIC_MARKER),
    )


def read_fold(path: Path, fold: int) -> dict[tuple[int, str], str]:
    """Read the roles of one fold.

    Args:
        path: CSV with the columns fold, session, dialogue (empty: the whole session) and role.
        fold: its number.

    Returns:
        role by session and dialogue; a dialogue's own role goes before its session's.

    Raises:
        ValueError: if a column or the fold is missing, a role is unknown, or a session has two
            roles (`dropped` apart).
    """
    chosen = _read_fold_table(path, fold, columns=FOLD_COLUMNS)
    roles: dict[tuple[int, str], str] = {}
    for row in chosen.itertuples(index=False):
        if (row.session, row.dialogue) in roles:
            raise ValueError(
                f"`{path}` lists session {row.session} {row.dialogue} twice in fold {fold}; keep "
                "one of the two lines."
            )
        roles[row.session, row.dialogue] = row.role
    for session, group in chosen[chosen["role"] != DROPPED].groupby("session"):
        if group["role"].nunique() > 1:
            raise ValueError(
                f"`{path}` gives session {session} the roles {', '.join(sorted(set(group.role)))} "
                f"in fold {fold}; a session has one role, and {DROPPED} for some of its dialogues."
            )
    return roles


def read_random_fold(path: Path, fold: int) -> dict[str, str]:
    """Read the roles of one fold of the protocol `random`.

    Args:
        path: CSV with the columns fold, id and role.
        fold: its number.

    Returns:
        role by id of the utterance.

    Raises:
        ValueError: if a column or the fold is missing, a role is unknown or an id occurs twice.
    """
    chosen = _read_fold_table(path, fold, columns=RANDOM_COLUMNS)
    twice = chosen["id"][chosen["id"].duplicated()]
    if len(twice):
        raise ValueError(
            f"`{path}` lists {twice.iloc[0]!r} twice in fold {fold}; keep one of the two lines."
        )
    return dict(zip(chosen["id"], chosen["role"], strict=True))


def _read_fold_table(path: Path, fold: int, *, columns: dict[str, type]) -> pd.DataFrame:
    """Read the lines of one fold and check their columns and roles."""
    try:
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            encoding="utf-8-sig",
            dtype=columns,
        )
    except ValueError as error:
        raise ValueError(f"`{path}` cannot be read ({error}); build the dataset again.") from error
    if list(frame.columns) != list(columns):
        raise ValueError(
            f"`{path}` has the columns {', '.join(frame.columns)}; it needs {', '.join(columns)}, "
            f"in this order (only `protocol: {RANDOM_PROTOCOL}` has folds of single utterances)."
        )
    unknown = frame["role"][~frame["role"].isin([*ROLES, DROPPED])]
    if len(unknown):
        raise ValueError(
            f"`{path}` has the role {unknown.iloc[0]!r}; allowed are {', '.join(ROLES)} and "
            f"{DROPPED}."
        )
    chosen = frame[frame["fold"] == fold]
    if chosen.empty:
        raise ValueError(
            f"`fold` is {fold}; `{path}` has folds {sorted(set(frame['fold'].tolist()))}."
        )
    return chosen


def _find_roles(
    frame: pd.DataFrame, folds_file: Path, arguments: DataArguments
) -> list[str | None]:
    """Return the role of each row, None for one that the fold does not name.

    Args:
        frame: the columns `id`, `session` and `dialogue` of all rows.
        folds_file: the file of the protocol.
        arguments: protocol and fold.
    """
    if arguments.protocol == RANDOM_PROTOCOL:
        by_id = read_random_fold(folds_file, arguments.fold)
        return [by_id.get(row_id) for row_id in frame["id"]]
    roles = read_fold(folds_file, arguments.fold)
    places = zip(frame["session"].tolist(), frame["dialogue"], strict=True)
    return [roles.get(place, roles.get((place[0], ""))) for place in places]


def _refuse_without_role(frame: pd.DataFrame, fold: str) -> None:
    """Raise ValueError if a row has no role."""
    without = frame["session"][frame["role"].isna()]
    if len(without):
        raise ValueError(
            f"{fold} gives sessions {sorted(set(without.tolist()))} no role, or not all of them; "
            "use the folds that were built with this dataset."
        )


def _read_scripts(rows: Dataset, arguments: DataArguments) -> list[str]:
    """Return the script of each row."""
    scripts = rows[SCRIPT_COLUMN] if SCRIPT_COLUMN in rows.column_names else [None]
    if any(script is None for script in scripts):
        raise ValueError(
            f"`protocol` is {CROSSED_PROTOCOL!r} and the scripts of {arguments.dataset!r} are not "
            "known; build it with `--script-groups`, or choose another protocol."
        )
    return list(scripts)


def _refuse_shared(column: str, frame: pd.DataFrame, fold: str) -> None:
    """Raise ValueError if a speaker or a script is in two roles.

    Args:
        column: `speaker` or `script`.
        frame: this column and `role` of the rows that are used.
        fold: what the message calls the fold.
    """
    roles = frame.groupby(column)["role"].unique()
    shared = roles[roles.map(len) > 1]
    if len(shared):
        raise ValueError(
            f"{fold} puts {column} {shared.index[0]!r} into "
            f"{' and '.join(sorted(shared.iloc[0]))}; {SHARED[column]}."
        )


def _refuse_without_text(rows: Dataset, arguments: DataArguments) -> None:
    """Raise ValueError unless some training row has a text to read."""
    if not any(text.strip() for text in rows[arguments.text_column]):
        raise ValueError(
            f"`text_column` {arguments.text_column!r} is empty in every training row of "
            f"{arguments.dataset!r}; build the dataset with `--translations`, or train without "
            "text (`text_encoder: none`)."
        )


def _refuse_without_variants(rows: Dataset, arguments: DataArguments) -> None:
    """Raise ValueError unless some training row has a variant to draw."""
    has_column = VARIANTS_COLUMN in rows.column_names
    if not has_column or not any(rows[VARIANTS_COLUMN]):
        fault = "is empty in every training row" if has_column else "is no column"
        raise ValueError(
            f"`text_variants` is true, but `{VARIANTS_COLUMN}` {fault} of {arguments.dataset!r}; "
            "build the dataset from translations with variants, or leave `text_variants` out."
        )


def _load_rows(arguments: DataArguments) -> Dataset:
    """Load all rows and check that the columns are those of a release."""
    try:
        rows = load_dataset(arguments.dataset, arguments.dataset_config, split="train")
    except (OSError, ValueError, DatasetsError) as error:
        raise ValueError(
            f"`dataset` {arguments.dataset!r} with `dataset_config` {arguments.dataset_config!r} "
            f"cannot be loaded ({error}); build it with `python -m dataset_script build`."
        ) from error
    missing = [name for name in REQUIRED_COLUMNS if name not in rows.column_names]
    if missing:
        raise ValueError(
            f"`dataset` {arguments.dataset!r} lacks the columns {', '.join(missing)}; build it "
            "with `python -m dataset_script build`."
        )
    texts = [name for name, kind in rows.features.items() if kind == Value("string")]
    if arguments.text_column not in texts:
        raise ValueError(
            f"`text_column` is {arguments.text_column!r}; the dataset's columns of text are "
            f"{', '.join(texts)}."
        )
    # Bytes are decoded by soundfile, which is some 50 times quicker than the default decoder.
    return rows.cast_column("audio", Audio(decode=False))


def list_folds(arguments: DataArguments) -> list[int]:
    """Return the numbers of the folds that a protocol has.

    Args:
        arguments: dataset and protocol.

    Raises:
        ValueError: if the dataset has no folds for the protocol.
    """
    path = find_folds_file(arguments)
    return sorted(set(pd.read_csv(path, usecols=["fold"])["fold"].tolist()))


def find_folds_file(arguments: DataArguments) -> Path:
    """Return the file of a protocol's folds, fetched from the Hub where it is there.

    Args:
        arguments: dataset and protocol.

    Raises:
        ValueError: if there is none.
    """
    if arguments.folds_file is not None:
        path = Path(arguments.folds_file)
    else:
        name = PROTOCOL_FILES[arguments.protocol].format(config=arguments.dataset_config)
        path = _dataset_file(arguments.dataset, name)
    if not path.is_file():
        raise ValueError(
            f"`{path}` does not exist; name the folds with `folds_file`, or build the dataset "
            "again with `python -m dataset_script build`, which tells why a protocol has none."
        )
    return path


def _dataset_file(dataset: str, name: str) -> Path:
    """Return a file of a dataset that is a folder here or a repository of the Hub."""
    if Path(dataset).is_dir():
        return Path(dataset) / name
    return Path(hf_hub_download(dataset, name, repo_type="dataset"))


def _has_file(dataset: str, name: str) -> bool:
    if Path(dataset).is_dir():
        return (Path(dataset) / name).is_file()
    return file_exists(dataset, name, repo_type="dataset")
