"""From the command line to `RunArguments`: a YAML file, and flags that override it.

First step of `train.py`. Keys and flags carry the fields' names; one that no field has is an error.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

import yaml
from transformers import HfArgumentParser

from kemer.arguments import RunArguments, RunPaths
from kemer.data_arguments import DataArguments
from kemer.model_arguments import ModelArguments
from kemer.training_arguments import KemerTrainingArguments


def parse_arguments(argv: Sequence[str]) -> RunArguments:
    """Read `--config FILE.yaml` and the flags that override it.

    Args:
        argv: the command line without the program's name.

    Returns:
        validated arguments; the Trainer's own output folder is `checkpoints/` of the run's.

    Raises:
        ValueError: for a file that is not YAML, an unknown key or a value outside its range.
    """
    classes = (ModelArguments, DataArguments, KemerTrainingArguments)
    known = {item.name for cls in classes for item in fields(cls)}
    config_file, flags = _split_config(argv)
    _refuse_unknown_flags(flags, known)
    parser = _Parser(
        classes,
        prog="train.py",
        usage="accelerate launch train.py --config FILE.yaml [--field value ...]",
        description="Every field can stand in the YAML file, too; a flag overrides it.",
        allow_abbrev=False,
    )
    from_file: list[str] = []
    if config_file is not None:
        from_file, nulls = _read_config(config_file, classes)
        parser.set_defaults(**dict.fromkeys(nulls))
        try:
            parser.parse_known_args(from_file)
        except ValueError as error:
            raise ValueError(f"`{config_file}`: {error}") from error
    words = [*from_file, *flags]  # of two equal flags, the last counts
    _, stray = parser.parse_known_args(words)
    if stray:
        raise ValueError(f"{' '.join(stray)!r} belongs to no flag; write `--field value`.")
    model, data, training = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    paths = RunPaths(Path(training.output_dir))
    training.output_dir = str(paths.checkpoints)
    return RunArguments(model, data, training, paths)


class _Parser(HfArgumentParser):
    """Raises what argparse would end the process with, below the usage of some 150 flags."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see `python train.py --help`.")


def _split_config(argv: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Take `--config FILE` out of the command line."""
    words = [part for word in argv for part in _split_assignment(word)]
    if "--config" not in words:
        return None, words
    place = words.index("--config")
    if place + 1 == len(words):
        raise ValueError("`--config` names no file; give one, such as `configs/demo.yaml`.")
    rest = words[:place] + words[place + 2 :]
    if "--config" in rest:
        raise ValueError("`--config` is given twice; give one file, and flags to override it.")
    return Path(words[place + 1]), rest


def _split_assignment(flag: str) -> list[str]:
    return flag.split("=", 1) if flag.startswith("--") and "=" in flag else [flag]


def _refuse_unknown_flags(flags: list[str], known: set[str]) -> None:
    for flag in flags:
        name = flag[2:].replace("-", "_")
        if flag.startswith("--") and name not in {*known, "help", *_negated(known)}:
            raise ValueError(f"`{flag}` is not an argument{_suggest(name, known)}")


def _negated(known: set[str]) -> set[str]:
    # HfArgumentParser adds `--no_x` for every field whose default is true.
    return {f"no_{name}" for name in known}


def _suggest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "see `python train.py --help`."
    return f"; {hint}"


def _read_config(path: Path, classes: Sequence[type]) -> tuple[list[str], list[str]]:
    """Turn a YAML file into flags, so that the parser converts and checks its values.

    Args:
        path: the file.
        classes: the data classes whose fields may be keys.

    Returns:
        the flags with their values, and the fields that are null, which no flag can say.
    """
    types = {name: kind for cls in classes for name, kind in get_type_hints(cls).items()}
    known = {item.name for cls in classes for item in fields(cls)}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"`--config` names `{path}`, which does not exist.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"`{path}` is not YAML ({error}); mend it.") from error
    if not isinstance(values, dict):
        raise ValueError(f"`{path}` holds {values!r}; it must hold `field: value` lines.")
    flags, nulls = [], []
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"`{path}` has the unknown key `{key}`{_suggest(str(key), known)}")
        allowed = {types[key], *get_args(types[key])}
        if value is None:
            if type(None) not in allowed:
                raise ValueError(
                    f"`{path}` has `{key}: null`, but `{key}` needs a value; leave the line out "
                    "for the default."
                )
            nulls.append(key)
        elif value is False and key.endswith("_strategy"):
            flags += [f"--{key}", "no"]  # what YAML reads as false
        else:
            flags += [f"--{key}", *as_words(value)]
    return flags, nulls


def as_words(value: Any) -> list[str]:
    """Return a value of YAML as the words that follow a flag."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return [json.dumps(value) if isinstance(value, dict) else str(value)]
