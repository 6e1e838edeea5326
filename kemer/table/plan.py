"""What a table holds, read from its YAML file: rows, seeds, protocols, and controls on demand.

First step of `python -m kemer.table`. A row is a configuration of `train.py`; the joint row names
the rows whose encoders it starts from, as the paper's second stage does. Nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from kemer.protocols import DEFAULT_PROTOCOL, refuse_unknown_protocol

ENCODER_FIELDS = ("speech_encoder", "text_encoder")
ROW_KEYS = ("title", "config", "fields", *ENCODER_FIELDS)
BASELINES = ("constant", "ngram", "mean_probabilities")
"""Rows that are computed, not trained; no row of a plan may have their names."""


@dataclass(frozen=True)
class TableRow:
    """One model of the table.

    Attributes:
        name: its key in the plan, and the name of its folder.
        title: what readers see.
        config: YAML file of `train.py`.
        fields: what overrides the file, by field of `train.py`.
        stage_one: by `speech_encoder` and `text_encoder`, the row of the same fold and seed whose
            trained encoder this one starts from.
    """

    name: str
    title: str
    config: Path
    fields: Mapping[str, Any]
    stage_one: Mapping[str, str]


@dataclass(frozen=True)
class TablePlan:
    """A table.

    Attributes:
        rows: the models, each after those that it starts from.
        primary: name of the row that the others are compared with.
        seeds: of training.
        protocols: what is held out, side by side.
        controls: names of the controls, in the order of `CONTROLS`.
        ngram_text_column: what the n-gram baseline reads.
        published: exact match in percent and Distance by row, as published under a split that is
            not stated; shown apart.
    """

    rows: tuple[TableRow, ...]
    primary: str
    seeds: tuple[int, ...] = (0, 1, 2)
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL,)
    controls: tuple[str, ...] = ()
    ngram_text_column: str = "text_ko"
    published: Mapping[str, tuple[float, float]] | None = None

    def row(self, name: str) -> TableRow:
        """Return a row by its name."""
        return next(row for row in self.rows if row.name == name)

    def trained_rows(self) -> tuple[TableRow, ...]:
        """Return the rows and those of the controls that train."""
        return self.rows + tuple(
            control_row(self, name) for name in self.controls if name in TRAINED_CONTROLS
        )

    def mean_parts(self) -> tuple[str, ...]:
        """Return the rows whose probabilities the control `mean_probabilities` averages."""
        return tuple(self.row(self.primary).stage_one.values())


TRAINED_CONTROLS: dict[str, tuple[str, dict[str, Any]]] = {
    "text_permuted": ("texts permuted between utterances", {"permute_text": True}),
    "late_fusion": ("late fusion in place of meta-attention", {"fusion": "late"}),
    "modality_dropout": ("trained to do with one modality", {"modality_dropout": 0.3}),
    "no_stage_one": ("without stage 1", {}),
    "unfrozen": (
        "encoders trained in stage 2",
        {"freeze_speech_encoder": False, "freeze_text_encoder": False},
    ),
    "no_valence_arousal": (
        "without the valence/arousal loss",
        {"valence_arousal_loss_weight": 0.0},
    ),
    "uniform_sampler": ("rows drawn uniformly", {"sampler": "uniform"}),
    "balanced_sampler": ("emotions drawn equally often", {"sampler": "inverse_frequency"}),
}
"""By name, what is put in place of something in the primary row: its title and its fields."""

CONTROLS = (*TRAINED_CONTROLS, "mean_probabilities")


def control_row(plan: TablePlan, name: str) -> TableRow:
    """Return the row of a control: the primary one with one thing changed.

    Args:
        plan: the table.
        name: one of `TRAINED_CONTROLS`.
    """
    primary = plan.row(plan.primary)
    title, changed = TRAINED_CONTROLS[name]
    row = replace(
        primary,
        name=name,
        title=f"{primary.title}, {title}",
        fields={**primary.fields, **changed},
    )
    if name != "no_stage_one":
        return row
    pretrained = {
        field: _encoder_of(plan.row(source), field) for field, source in row.stage_one.items()
    }
    return replace(row, fields={**row.fields, **pretrained}, stage_one={})


def read_plan(path: Path) -> TablePlan:
    """Read a plan.

    Args:
        path: YAML file with the fields of `TablePlan`; `rows` maps a name to `title`, `config` (a
            YAML file of `train.py`, relative to this one), `fields` and, for a joint row,
            `speech_encoder` and `text_encoder`: the rows whose encoders it starts from.

    Returns:
        the plan, checked.

    Raises:
        ValueError: if the file, a key or a value is wrong.
    """
    values = _read_yaml(path)
    known = {item.name for item in fields(TablePlan)}
    _refuse_unknown_keys(path, values, known, place="the plan")
    if not isinstance(values.get("rows"), dict) or not values["rows"]:
        raise ValueError(f"`{path}` has no `rows`; name each with `title` and `config`.")
    rows = tuple(_read_row(path, name, row) for name, row in values["rows"].items())
    primary = values.get("primary")
    settings = {name: values[name] for name in known - {"rows", "primary"} if name in values}
    for name in ("seeds", "protocols", "controls"):
        if name in settings:
            settings[name] = _as_tuple(path, name, settings[name])
    plan = TablePlan(rows=rows, primary=primary, **settings)
    check_plan(plan, path)
    return plan


def check_plan(plan: TablePlan, path: Path) -> None:
    """Raise ValueError for a plan that cannot be carried out; `path` is named in the message."""
    names = [row.name for row in plan.rows]
    if plan.primary not in names:
        raise ValueError(
            f"`{path}`: `primary` is {plan.primary!r}; allowed are {', '.join(names)}."
        )
    for place, row in enumerate(plan.rows):
        if row.name in {*BASELINES, *CONTROLS}:
            raise ValueError(f"`{path}`: a row is named `{row.name}`, which is taken; rename it.")
        for field, source in row.stage_one.items():
            if source not in names[:place]:
                raise ValueError(
                    f"`{path}`: `{row.name}` has `{field}: {source}`; name a row that stands "
                    "before it."
                )
        if not row.config.is_file():
            raise ValueError(f"`{path}`: the `config` of `{row.name}`, `{row.config}`, is no file.")
    for protocol in plan.protocols:
        refuse_unknown_protocol(protocol)
    seeds = plan.seeds
    if not plan.protocols:
        raise ValueError(f"`{path}`: `protocols` is empty; name one or more.")
    if not seeds or not all(isinstance(s, int) and not isinstance(s, bool) for s in seeds):
        raise ValueError(f"`{path}`: `seeds` is {list(seeds)}; give one whole number or more.")
    unknown = [name for name in plan.controls if name not in CONTROLS]
    if unknown:
        raise ValueError(
            f"`{path}`: `controls` has {unknown[0]!r}; allowed are {', '.join(CONTROLS)}."
        )
    for name in ("controls", "protocols", "seeds"):
        given = getattr(plan, name)
        if len(set(given)) < len(given):
            raise ValueError(f"`{path}`: `{name}` is {list(given)}; name each once.")
    needs_parts = {"mean_probabilities", "no_stage_one"} & set(plan.controls)
    if needs_parts and len(plan.mean_parts()) < len(ENCODER_FIELDS):
        raise ValueError(
            f"`{path}`: the control `{sorted(needs_parts)[0]}` needs a primary row with "
            f"`{'` and `'.join(ENCODER_FIELDS)}`; `{plan.primary}` has not."
        )


def choose_rows(plan: TablePlan, names: Sequence[str]) -> TablePlan:
    """Return a plan with some of the rows, and those that they start from.

    Args:
        plan: the whole plan.
        names: rows to keep; the primary row must be among them.

    Raises:
        ValueError: if a name is unknown, or the primary row is left out.
    """
    known = [row.name for row in plan.rows]
    for name in names:
        if name not in known:
            raise ValueError(f"`--rows` has {name!r}; allowed are {', '.join(known)}.")
    if plan.primary not in names:
        raise ValueError(
            f"`--rows` leaves out `{plan.primary}`, which the others are compared with; add it."
        )
    needed = set(names)
    for row in reversed(plan.rows):  # sources stand before what starts from them
        if row.name in needed:
            needed |= set(row.stage_one.values())
    return replace(plan, rows=tuple(row for row in plan.rows if row.name in needed))


def _encoder_of(row: TableRow, field: str) -> str:
    """Return the checkpoint that a row starts from."""
    value = row.fields.get(field, _read_yaml(row.config).get(field))
    if not isinstance(value, str):
        raise ValueError(f"`{row.config}` names no `{field}`, which `no_stage_one` starts from.")
    return value


def _read_row(path: Path, name: str, values: Any) -> TableRow:
    if not isinstance(values, dict) or "config" not in values:
        raise ValueError(f"`{path}`: the row `{name}` has no `config`; name a file of `train.py`.")
    _refuse_unknown_keys(path, values, set(ROW_KEYS), place=f"the row `{name}`")
    overrides = values.get("fields") or {}
    if not isinstance(overrides, dict):
        raise ValueError(f"`{path}`: `fields` of `{name}` is {overrides!r}; give `field: value`.")
    return TableRow(
        name=str(name),
        title=str(values.get("title", name)),
        config=(path.parent / str(values["config"])).resolve(),
        fields=overrides,
        stage_one={field: str(values[field]) for field in ENCODER_FIELDS if field in values},
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"`{path}` does not exist; name a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"`{path}` is not YAML ({error}); mend it.") from error
    if not isinstance(values, dict):
        raise ValueError(f"`{path}` holds {values!r}; it must hold `field: value` lines.")
    return values


def _refuse_unknown_keys(
    path: Path, values: Mapping[str, Any], known: set[str], *, place: str
) -> None:
    unknown = [key for key in values if key not in known]
    if unknown:
        raise ValueError(
            f"`{path}`: {place} has the unknown key `{unknown[0]}`; allowed are "
            f"{', '.join(sorted(known))}."
        )


def _as_tuple(path: Path, name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"`{path}`: `{name}` is {value!r}; give a list.")
    return tuple(value)
