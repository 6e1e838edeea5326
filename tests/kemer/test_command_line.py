from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from kemer.arguments import RunArguments
from kemer.command_line import parse_arguments
from kemer.data_arguments import DataArguments
from kemer.model_arguments import ModelArguments
from kemer.training_arguments import KemerTrainingArguments

ROOT = Path(__file__).resolve().parents[2]
PLANS = ("table", "paper_compat")  # of commands of their own, with the settings that only they use
CONFIGS = [
    path for path in sorted((ROOT / "configs").glob("*.yaml")) if not path.name.startswith(PLANS)
]
MINIMUM = {"dataset": "data", "speech_encoder": "speech", "use_cpu": True}


def parse(tmp_path: Path, *flags: str, **settings: Any) -> RunArguments:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({**MINIMUM, **settings}))
    return parse_arguments(["--config", str(path), *flags])


def test_a_file_is_read_and_a_flag_goes_before_it(tmp_path: Path) -> None:
    arguments = parse(tmp_path, "--seed", "7", "--fold=2", seed=3, num_train_epochs=4)
    assert arguments.training.seed == 7
    assert arguments.data.fold == 2
    assert arguments.training.num_train_epochs == 4


def test_a_flag_goes_before_the_file_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({**MINIMUM, "seed": 3}))
    for argv in (
        ["--seed", "7", "--config", str(path)],
        ["--seed=7", f"--config={path}"],
        ["--config", str(path), "--seed", "1", "--seed", "7"],
    ):
        assert parse_arguments(argv).training.seed == 7


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("learning_rate: 1e-4", "learning_rate", 1e-4),  # YAML 1.1 reads it as a string
        ("learning_rate: 1.0e-4", "learning_rate", 1e-4),
        ("bf16: yes", "bf16", True),
        ("load_best_model_at_end: off", "load_best_model_at_end", False),
        ("group_by_length: false", "group_by_length", False),
        ("save_total_limit: null", "save_total_limit", None),
        ("save_total_limit:", "save_total_limit", None),
        ("resume_from_checkpoint: true", "resume_from_checkpoint", "True"),
        ("label_names: [labels, valence_arousal_labels]", "label_names", None),
        ("lr_scheduler_kwargs: {num_cycles: 2}", "lr_scheduler_kwargs", {"num_cycles": 2}),
    ],
)
def test_values_of_the_file_are_converted(
    tmp_path: Path, text: str, field: str, expected: object
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"{yaml.safe_dump(MINIMUM)}{text}\n")
    found = getattr(parse_arguments(["--config", str(path)]).training, field)
    if field == "label_names":
        expected = ["labels", "valence_arousal_labels"]
    assert found == expected and type(found) is type(expected)


def test_no_is_a_strategy_although_yaml_reads_false(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        yaml.safe_dump({**MINIMUM, "load_best_model_at_end": False}) + "save_strategy: no\n"
    )
    assert parse_arguments(["--config", str(path)]).training.save_strategy == "no"


def test_booleans_and_lists_as_flags(tmp_path: Path) -> None:
    flags = ["--freeze_speech_encoder", "--bf16", "false", "--no_group_by_length"]
    flags += ["--label_names", "labels", "valence_arousal_labels"]
    arguments = parse(tmp_path, *flags, bf16=True)
    assert arguments.model.freeze_speech_encoder is True
    assert arguments.training.bf16 is False
    assert arguments.training.group_by_length is False
    assert arguments.training.label_names == ["labels", "valence_arousal_labels"]


def test_a_flag_may_be_written_with_hyphens(tmp_path: Path) -> None:
    assert parse(tmp_path, "--decision-threshold", "0.25").training.decision_threshold == 0.25


def test_none_as_a_flag_takes_an_encoder_of_the_file_away(tmp_path: Path) -> None:
    arguments = parse(tmp_path, "--speech_encoder", "none", text_encoder="text")
    assert arguments.model.speech_encoder is None
    assert arguments.model.text_encoder == "text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sampelr: uniform", "unknown key `sampelr`; did you mean `sampler`?"),
        ("xyzzy: 1", "unknown key `xyzzy`; see `python train.py --help`"),
        ("1: 2", "unknown key `1`"),
        ("seed: null", "has `seed: null`, but `seed` needs a value; leave the line out"),
        ("seed: four", "invalid int value: 'four'"),
        ("sampler: fair", "invalid choice: 'fair'"),
        ("bf16: maybe", "maybe"),
        ("label_names: []", "expected at least one argument"),
    ],
)
def test_a_mistake_in_the_file_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"{yaml.safe_dump(MINIMUM)}{text}\n")
    with pytest.raises(ValueError) as caught:
        parse_arguments(["--config", str(path)])
    assert message in str(caught.value)
    assert f"`{path}`" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "is not YAML"),
        (b"a: \xff\xfe", "is not YAML"),
        (b"- a\n- b\n", "must hold `field: value` lines"),
        (b"", "must hold `field: value` lines"),
    ],
)
def test_a_file_that_is_no_config_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        parse_arguments(["--config", str(path)])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sede", "1"], r"`--sede` is not an argument; did you mean `seed`\?"),
        (["--xyzzy=1"], "`--xyzzy` is not an argument; see `python train.py --help`"),
        (["--seed", "four"], "invalid int value: 'four'"),
        (["--learning_rate", "fast"], "invalid float value: 'fast'"),
        (["--seed"], "expected one argument"),
        (["--seed", "1", "2"], "'2' belongs to no flag"),
        (["--config", "other.yaml"], "`--config` is given twice"),
    ],
)
def test_a_mistake_in_a_flag_is_one_sentence(
    tmp_path: Path, flags: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parse(tmp_path, *flags)


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"names `\S*nowhere.yaml`, which does not exist"):
        parse_arguments(["--config", str(tmp_path / "nowhere.yaml")])
    with pytest.raises(ValueError, match="`--config` names no file"):
        parse_arguments(["--config"])


def test_the_trainers_own_files_stay_in_a_folder_of_their_own(tmp_path: Path) -> None:
    arguments = parse(tmp_path, output_dir="somewhere/run")
    assert arguments.paths.root == Path("somewhere/run")
    assert arguments.training.output_dir == str(arguments.paths.checkpoints)


def test_help_lists_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--config FILE.yaml" in shown
    for cls in (ModelArguments, DataArguments, KemerTrainingArguments):
        for item in fields(cls):
            assert f"--{item.name}" in shown


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_shipped_configs_are_read(path: Path) -> None:
    flags = ["--config", str(path), "--dataset", "x", "--use_cpu", "true"]
    arguments = parse_arguments(flags)
    assert arguments.data.dataset == "x"
    written = yaml.safe_load(path.read_text())
    parts = {**vars(arguments.model), **vars(arguments.data), **vars(arguments.training)}
    for name in written.keys() - {"dataset", "output_dir", "use_cpu"}:
        assert parts[name] == written[name], name


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 5
