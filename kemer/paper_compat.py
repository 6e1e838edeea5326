"""What the published script's slips are worth: a joint model, scored with each of them alone.

    python -m kemer.paper_compat DATASET --config configs/paper_compat.yaml --output DIR

The script of Koh, Joo and Jung scored in ways that raise or lower exact match and Distance. Each is
a switch here. The model is trained as the script did, once for each way to step, and answered once
for each way to answer; the page gives both scores with no switch, with each alone and with all.
Nothing else in KEMER scores like this. Further words are fields of `train.py`: `--fold 1`.

`--run FOLDER` trains nothing and scores what a finished run of `train.py` answers, under the
switches that are not about training.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import yaml
from transformers import set_seed

from kemer.arguments import RunArguments
from kemer.batches import UtteranceCollator, UtteranceDataset
from kemer.command_line import parse_arguments
from kemer.data import Split, load_split
from kemer.data_arguments import DataArguments
from kemer.features import build_features
from kemer.initialisation import build_model, build_processor
from kemer.markdown import markdown_table
from kemer.mistakes import told_in_a_sentence
from kemer.paper_compat_passes import (
    OF_ANSWERING,
    BatchAnswers,
    SwitchedScores,
    answer_batches,
    answer_switched,
    score_batches,
    score_exact_match,
)
from kemer.paper_compat_run import FinishedRun
from kemer.paper_compat_training import KeptEpoch, Weights, keep_best, train_epochs
from kemer.training import UtteranceSampler, inverse_frequency_weights

SWITCHES = {
    "plain_threshold": "answers no emotion where no probability is above one half",
    "additive_mask": "adds the padding mask to the attention's scores and excludes nothing",
    "irregular_steps": "steps while `(i + 1) & 16` is 0, in place of every sixteenth utterance",
    "short_denominator": "divides exact match by (batches - 1) x 32",
    "last_batch_distance": "tells the Distance of the last batch alone",
    "epoch_on_test": "chooses the epoch on the test utterances (by its threshold where that is on)",
    "dropout_on": "leaves the meta-attention's dropout on while it scores",
    "label_hits": "counts each emotion's decision for itself (its inference script)",
}
"""What the published script does, by the name of the switch."""

OF_TRAINING = ("irregular_steps", "epoch_on_test")
"""Switches under which another model is trained or kept."""

OF_INFERENCE = "label_hits"
"""The switch of another script than the one that printed exact match."""

TRAINED = (
    "Each model was trained as the script did: one utterance at a time drawn by inverse frequency, "
    "steps of 16 with AdamW at a constant rate in float32, and the epoch of the best exact match "
    "kept. Encoders, data, learning rate, epochs and seed are the training file's; its batch size, "
    "sampler, schedule, precision and choice of epoch are not used."
)

PAGE, NUMBERS, FEATURES = "paper_compat.md", "paper_compat.json", "feature_cache"


def read_switches(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Read the YAML file of the comparison.

    Args:
        path: it holds `training`, a YAML file of `train.py` relative to this one, and `switches`,
            each with true or false.

    Returns:
        the file of the training, and the switches that are on.

    Raises:
        ValueError: if the file or what it holds is wrong.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"`--config` {path} cannot be read as YAML ({error}).") from error
    if not isinstance(values, dict) or set(values) != {"training", "switches"}:
        raise ValueError(f"`{path}` must hold `training` and `switches`, and nothing else.")
    switches = values["switches"]
    if not isinstance(switches, dict) or not all(isinstance(on, bool) for on in switches.values()):
        raise ValueError(f"`{path}`: `switches` is {switches!r}; give each switch true or false.")
    unknown = [name for name in switches if name not in SWITCHES]
    if unknown:
        raise ValueError(
            f"`{path}` has the unknown switch `{unknown[0]}`; allowed are {', '.join(SWITCHES)}."
        )
    return path.parent / str(values["training"]), tuple(n for n in SWITCHES if switches.get(n))


class SwitchedModel:
    """A model trained as the script did, and its scores under switches.

    Args:
        arguments: of the training; encoders that are frozen run once.
        split: the rows of one fold.
    """

    def __init__(self, arguments: RunArguments, split: Split) -> None:
        self.arguments, self.split = arguments, split
        set_seed(arguments.training.seed)
        self.model = build_model(arguments.model)
        if self.model.meta_attention is None:
            raise ValueError(
                "the model has no meta-attention, which the switches are about; name "
                "`speech_encoder` and `text_encoder`, and leave `fusion` as it is."
            )
        _refuse_unused(arguments.data)
        processor = build_processor(arguments.model)
        states = build_features(self.model, processor, split=split, arguments=arguments)
        self.model.to(arguments.training.device)
        self.collator = UtteranceCollator(processor, speech=True, text=True)
        self.utterances = {
            role: UtteranceDataset(
                rows,
                text_column=arguments.data.text_column,
                max_seconds=arguments.data.max_train_seconds if role == "train" else None,
                hidden_states=states.get(role),
            )
            for role, rows in split.rows.items()
        }
        # Encoded batch by batch: stored hidden states end where an utterance ends.
        self.padded = UtteranceDataset(split.rows["test"], text_column=arguments.data.text_column)
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.kept: dict[bool, dict[str, KeptEpoch]] = {}
        self.answers: dict[tuple[bool, str, tuple[str, ...]], list[BatchAnswers]] = {}

    def score(self, switches: Sequence[str]) -> SwitchedScores:
        """Return the scores of the test utterances under some switches."""
        irregular = "irregular_steps" in switches
        if irregular not in self.kept:
            self.kept[irregular] = self._train(irregular=irregular)
        choice = _choice(switches)
        answering = tuple(name for name in OF_ANSWERING if name in switches)
        key = (irregular, choice, answering)
        if key not in self.answers:
            self._load(self.kept[irregular][choice].weights)
            self.answers[key] = answer_switched(
                self.model,
                self.padded if "additive_mask" in answering else self.utterances["test"],
                collator=self.collator,
                switches=answering,
                seed=self.arguments.training.seed,
            )
        return score_batches(self.answers[key], switches)

    def _train(self, *, irregular: bool) -> dict[str, KeptEpoch]:
        """Train from the start; return the best epoch by validation, and by test utterances."""
        training = self.arguments.training
        self.model.load_state_dict(self.start)
        set_seed(training.seed)
        labels = self.utterances["train"].label_matrix()
        sampler = UtteranceSampler(
            seed=training.seed,
            size=len(labels),
            weights=inverse_frequency_weights(labels),
        )
        epochs = train_epochs(
            self.model,
            self.utterances["train"],
            self.collator,
            orders=self._orders(sampler),
            learning_rate=training.learning_rate,
            irregular=irregular,
        )
        return keep_best(epochs, self.model, self._score_epoch)

    def _orders(self, sampler: UtteranceSampler) -> Iterator[list[int]]:
        for epoch in range(math.ceil(self.arguments.training.num_train_epochs)):
            sampler.set_epoch(epoch)
            yield list(sampler)

    def _score_epoch(self) -> dict[str, float]:
        """Return exact match by what may choose the epoch, as `_choice` names it."""
        self.model.eval()
        batches = {
            role: answer_batches(self.model, self.utterances[role], self.collator)
            for role in ("validation", "test")
        }
        return {
            "validation": score_exact_match(batches["validation"], ()),
            "test": score_exact_match(batches["test"], ()),
            "test, plain threshold": score_exact_match(batches["test"], ("plain_threshold",)),
        }

    def _load(self, weights: Weights) -> None:
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                if name in weights:
                    weight.copy_(weights[name])


def _choice(switches: Sequence[str]) -> str:
    """Return what chooses the epoch: honest exact match, or what the script took for it."""
    if "epoch_on_test" not in switches:
        return "validation"
    # The script chose by the number that it printed, so that both have to decide alike.
    return "test, plain threshold" if "plain_threshold" in switches else "test"


def _refuse_unused(data: DataArguments) -> None:
    """Refuse what would change the training rows, which are read here as the script read them."""
    unused = list(data.redrawn.values()) + ["soft_labels"] * data.soft_labels
    if unused:
        raise ValueError(
            f"`{unused[0]}` is set, which the published script knew nothing of; leave it out here."
        )


def compare(model: SwitchedModel | FinishedRun, switches: Sequence[str]) -> list[SwitchedScores]:
    """Return the scores without a switch, with each alone, and with all of them.

    The last but one are what the script that trained would print: with all but `label_hits`, which
    is another script's and makes a share of decisions of exact match.
    """
    training_script = tuple(name for name in switches if name != OF_INFERENCE)
    sets = [(), *((name,) for name in switches), training_script, tuple(switches)]
    return [model.score(one) for one in dict.fromkeys(sets)]


def write_page(found: Sequence[SwitchedScores], *, about: str, split: Split) -> str:
    """Return the page.

    Args:
        found: the honest scores first, those with all switches last.
        about: which model was scored.
        split: what it was scored on.
    """
    utterances = len(split.rows["test"])
    honest = found[0]
    rows = [
        [
            _name(one, found[-1]),
            f"{one.exact_match:.3f}",
            f"{one.exact_match - honest.exact_match:+.3f}",
            f"{one.distance:.3f}",
            f"{one.distance - honest.distance:+.3f}",
        ]
        for one in found
    ]
    header = ["scored", "exact match", "minus honest", "distance", "minus honest"]
    told = "\n".join(f"- `{name}`: {SWITCHES[name]}." for name in found[-1].switches)
    kind = ", synthetic speech" if split.synthetic else ""
    return (
        f"# As the published script scored ({utterances} test utterances{kind})\n\n"
        f"{markdown_table(header, rows)}\n\nThe published script:\n\n{told}\n\n{about}\n\n"
        "Exact match under `label_hits` is no exact match but a share of decisions; under "
        "`short_denominator` it may exceed 1, and is nan where there is one batch.\n"
    )


def _name(scores: SwitchedScores, last: SwitchedScores) -> str:
    if not scores.switches:
        return "honestly"
    if len(scores.switches) == 1:
        return scores.switches[0]
    return "all of these" if scores is last else f"all but {OF_INFERENCE}"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; what it leaves goes to `train.py`'s."""
    parser = argparse.ArgumentParser(
        prog="python -m kemer.paper_compat",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="release folder or repository of the Hub")
    add("--config", type=Path, required=True, metavar="FILE.yaml", help="the switches")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of page and numbers")
    add("--run", type=Path, metavar="DIR", help="a finished run to score, in place of training")
    return parser


def _train(told: argparse.Namespace, fields: list[str], training: Path) -> SwitchedModel:
    """Return a model that is trained as the command line says."""
    flags = ["--config", str(training), "--dataset", told.dataset, *fields]
    flags += ["--output_dir", str(told.output)]
    arguments = parse_arguments(flags)
    if arguments.frozen and arguments.data.feature_cache is None:
        cache = str(told.output / FEATURES)
        arguments = parse_arguments([*flags, "--feature_cache", cache])
    return SwitchedModel(arguments, load_split(arguments.data, reads_text=True))


def _read_run(told: argparse.Namespace, fields: list[str]) -> tuple[FinishedRun, str]:
    """Return the finished run that the command line names, and what the page says of it."""
    if fields:
        raise ValueError(
            f"`{fields[0]}` was given with `--run`, which trains nothing and takes every setting "
            "from the run; leave it out."
        )
    run = FinishedRun(told.run, told.dataset)
    place = "/".join(told.run.resolve().parts[-2:])
    left_out = ", ".join(f"`{name}`" for name in OF_TRAINING)
    return run, (
        f"The model is that of a finished run, `{place}`, whose `metrics.json` says exact match "
        f"{run.exact_match:.3f}. What is about training is left out ({left_out})."
    )


def _write(folder: Path, page: str, found: Sequence[SwitchedScores]) -> None:
    numbers = [
        {
            "switches": one.switches,
            "exact_match": None if math.isnan(one.exact_match) else one.exact_match,
            "distance": one.distance,
        }
        for one in found
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NUMBERS).write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page, encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    """Compare, print the page and write it.

    Raises:
        SystemExit: 2 with one sentence for what is wrong with settings or data.
    """
    told, fields = make_parser().parse_known_args(argv)
    with told_in_a_sentence("kemer.paper_compat"):
        training, switches = read_switches(told.config)
        if told.run is None:
            model, about = _train(told, fields, training), TRAINED
        else:
            switches = tuple(name for name in switches if name not in OF_TRAINING)
            model, about = _read_run(told, fields)
        found = compare(model, switches)
        page = write_page(found, about=about, split=model.split)
        _write(told.output, page, found)
    print(page)


if __name__ == "__main__":
    main()
