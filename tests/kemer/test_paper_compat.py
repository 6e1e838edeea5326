import json
from pathlib import Path

import pytest
import torch
import yaml

from kemer.command_line import parse_arguments
from kemer.data import load_split
from kemer.paper_compat import SWITCHES, SwitchedModel, compare, main, read_switches
from tests.kemer.bench import run_flags

ROOT = Path(__file__).resolve().parents[2]
SHORT = {
    "num_train_epochs": 2,
    "learning_rate": 1e-2,
    "meta_attention_heads": 3,
    "freeze_speech_encoder": True,
    "freeze_text_encoder": True,
    "use_cpu": True,
    "disable_tqdm": True,
}


def write_config(folder: Path, bench: Path, **switches: bool) -> Path:
    encoders = {
        name: str(bench / name.split("_")[0]) for name in ("speech_encoder", "text_encoder")
    }
    (folder / "training.yaml").write_text(yaml.safe_dump({**SHORT, **encoders}))
    path = folder / "compat.yaml"
    path.write_text(yaml.safe_dump({"training": "training.yaml", "switches": switches}))
    return path


def test_each_switch_is_told_alone_and_all_of_them(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, bench, **dict.fromkeys(SWITCHES, True))
    output = tmp_path / "out"
    main([str(bench / "release"), "--config", str(config), "--output", str(output), "--seed", "3"])
    found = json.loads((output / "paper_compat.json").read_text())
    names = [one["switches"] for one in found]
    script = [name for name in SWITCHES if name != "label_hits"]
    assert names == [[], *([name] for name in SWITCHES), script, list(SWITCHES)]
    honest, *alone = found[:-2]
    by_name = {one["switches"][0]: one for one in alone}
    assert by_name["short_denominator"]["exact_match"] is None  # one batch: divided by 0
    assert by_name["label_hits"]["exact_match"] > honest["exact_match"]
    for name in ("plain_threshold", "epoch_on_test", "short_denominator"):
        one = by_name[name]
        assert name == "epoch_on_test" or one["distance"] == honest["distance"]
    for name in ("additive_mask", "dropout_on", "irregular_steps"):
        assert by_name[name]["distance"] != honest["distance"], name
    page = (output / "paper_compat.md").read_text()
    assert page.strip() in capsys.readouterr().out
    for name in (*SWITCHES, "honestly", "all but label_hits", "all of these"):
        assert f"| {name} |" in page
    assert "(4 test utterances)" in page


def test_the_epoch_of_the_test_is_at_least_as_good_there(bench: Path, tmp_path: Path) -> None:
    flags = run_flags(bench, tmp_path, **{**SHORT, "num_train_epochs": 6})
    arguments = parse_arguments(flags)
    model = SwitchedModel(arguments, load_split(arguments.data, reads_text=True))
    honest, switched, *_ = compare(model, ["epoch_on_test", "plain_threshold"])
    assert switched.exact_match >= honest.exact_match
    kept = model.kept[False]
    assert switched.exact_match == kept["test"].score
    assert list(model.kept) == [False]  # nothing was trained twice


def test_the_script_chooses_its_epoch_by_the_number_that_it_prints(
    bench: Path, tmp_path: Path
) -> None:
    arguments = parse_arguments(run_flags(bench, tmp_path, **{**SHORT, "num_train_epochs": 6}))
    model = SwitchedModel(arguments, load_split(arguments.data, reads_text=True))
    both = model.score(("plain_threshold", "epoch_on_test"))
    assert both.exact_match == model.kept[False]["test, plain threshold"].score
    model.score(("plain_threshold",))
    model.score(("epoch_on_test",))
    chosen_by = [choice for _, choice, _ in model.answers]
    assert chosen_by == ["test, plain threshold", "validation", "test"]

    with torch.no_grad():  # neutral is the likeliest of seven unlikely emotions
        model.model.emotion_head.weight.zero_()
        model.model.emotion_head.bias.fill_(-9).index_fill_(0, torch.tensor([3]), -1.0)
    scores = model._score_epoch()
    assert scores["test"] == 2 / 4 and scores["test, plain threshold"] == 0


def test_what_encoders_leave_at_padding_is_read_with_or_without_a_cache(
    bench: Path, tmp_path: Path
) -> None:
    """Stored hidden states hold no padding: zeros in its place would be another leak."""
    settings = {**SHORT, "num_train_epochs": 1, "learning_rate": 1e-9}
    stored = {"feature_cache": tmp_path / "cache", "feature_cache_precision": "fp32"}
    found = []
    for cache in ({}, stored):
        arguments = parse_arguments(run_flags(bench, tmp_path, **settings, **cache))
        model = SwitchedModel(arguments, load_split(arguments.data, reads_text=True))
        found.append([one.distance for one in compare(model, ["additive_mask"])])
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert abs(found[0][0] - found[0][1]) > 1e-3


@pytest.mark.parametrize(
    ("flags", "unused"),
    [(["--soft_labels", "true"], "soft_labels"), (["--augment_gain", "3"], "augment_gain")],
)
def test_what_the_script_knew_nothing_of_is_not_silently_left_out(
    bench: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    unused: str,
) -> None:
    config = write_config(tmp_path, bench, dropout_on=True)
    words = [str(bench / "release"), "--config", str(config), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main([*words, *flags, "--freeze_speech_encoder", "false"])
    assert f"`{unused}` is set, which the published script knew" in capsys.readouterr().err


def test_a_finished_run_is_scored_where_it_stands(
    bench: Path, finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, bench, **dict.fromkeys(SWITCHES, True))
    words = [str(bench / "release"), "--config", str(config), "--output", str(tmp_path / "out")]
    words += ["--run", str(finished_run)]
    main(words)
    found = json.loads((tmp_path / "out/paper_compat.json").read_text())
    told = [name for name in SWITCHES if name not in ("irregular_steps", "epoch_on_test")]
    assert [one["switches"] for one in found[:-2]] == [[], *([name] for name in told)]
    assert found[-1]["switches"] == told
    page = capsys.readouterr().out
    assert f"says exact match {found[0]['exact_match']:.3f}" in page
    assert "is left out (`irregular_steps`, `epoch_on_test`)" in page
    assert "\n- `epoch_on_test`" not in page
    with pytest.raises(SystemExit):
        main([*words, "--fold", "1"])
    assert "`--fold` was given with `--run`" in capsys.readouterr().err


def test_the_shipped_switches_are_all_there_and_on() -> None:
    training, switches = read_switches(ROOT / "configs/paper_compat.yaml")
    assert training.is_file() and switches == tuple(SWITCHES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: a.yaml", "must hold `training` and `switches`"),
        ("{training: a, switches: {dropout: true}}", "has the unknown switch `dropout`; allowed"),
        ("{training: a, switches: {dropout_on: 1}}", "give each switch true or false"),
        ("{", "cannot be read as YAML"),
    ],
)
def test_a_wrong_file_ends_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = tmp_path / "compat.yaml"
    path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["data", "--config", str(path), "--output", str(tmp_path / "out")])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


def test_a_model_of_one_modality_is_refused(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, bench, dropout_on=True)
    words = [str(bench / "release"), "--config", str(config), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main([*words, "--text_encoder", "none"])
    assert "no meta-attention" in capsys.readouterr().err
