"""The command as a user calls it, on files good and bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch

from kemer.predict.__main__ import main
from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests import tiny
from tests.kemer.predict.recordings import FORMATS, make_sound, write_recording

RATE = 16_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def answer(
    capsys: pytest.CaptureFixture[str], *words: object, code: int = 0
) -> tuple[list[dict], list[str]]:
    """Run the command here; return its lines of JSON, and those of standard error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    shown = capsys.readouterr()
    assert ended.value.code == code, shown.err
    errors = [line for line in shown.err.splitlines() if "Loading weights" not in line]
    return [json.loads(line) for line in shown.out.splitlines()], errors


def test_each_utterance_has_its_times_and_the_models_answer(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = make_sound(0.5, 0.7, 0.4)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    for size in (1, 8):
        found, _ = answer(capsys, tmp_path / "a.wav", "--model", checkpoint, "--batch-size", size)
        assert len(found) == 3 and {one["file"] for one in found} == {str(tmp_path / "a.wav")}
        assert [one["start"] for one in found] == pytest.approx([0, 1.2, 2.7], abs=0.02)
        model = KemerModel.from_pretrained(checkpoint).eval()
        processor = KemerProcessor.from_pretrained(checkpoint)
        for one in found:
            part = sound[int(one["start"] * RATE) : int(one["end"] * RATE)]
            with torch.no_grad():
                output = model(**processor(audio=part, sampling_rate=RATE))
            expected = processor.post_process(output)[0]
            for name, chance in expected["probabilities"].items():
                assert one["probabilities"][name] == pytest.approx(chance, abs=1e-3)


def test_with_a_text_the_recording_is_one_utterance(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", make_sound(0.5, 0.7), RATE)
    words = [tmp_path / "a.wav", "--model", checkpoint]
    (read,), _ = answer(capsys, *words, "--text", "well done")
    (other,), _ = answer(capsys, *words, "--text", "no")
    assert read["start"] == 0 and read["end"] == pytest.approx(2.0)
    assert read["probabilities"] != other["probabilities"]
    _, errors = answer(capsys, tmp_path / "a.wav", *words, "--text", "no", code=2)
    assert "`--text` is of one recording, and here are 2" in errors[-1]


def test_a_thousand_files_twenty_of_them_broken(checkpoint: Path, tmp_path: Path) -> None:
    """As many lines and named errors, and no more memory for the last than for the first."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    kinds = [
        write_recording(
            tmp_path / f"kind{place}.{ending}", make_sound(0.3 + 0.1 * place), rate=rate
        )
        for place, (ending, rate) in enumerate(
            zip(FORMATS, (8_000, 16_000, 22_050, 44_100, 48_000, 48_000), strict=True)
        )
    ]
    broken = set(range(0, 1000, 50))
    for number in range(1000):
        kind = kinds[number % len(kinds)]
        path = folder / f"{number:04}{kind.suffix}"
        if number in broken:
            path.write_bytes((b"", b"no sound", kind.read_bytes()[:20])[number % 3])
        else:
            path.hardlink_to(kind)
    command = [sys.executable, "-m", "kemer.predict", str(folder), "--model", str(checkpoint)]
    rows, held = [], {}
    with (
        (tmp_path / "errors").open("w+") as told,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as running,
    ):
        for line in running.stdout:
            rows.append(json.loads(line))
            held[len(rows)] = psutil.Process(running.pid).memory_info().rss / 2**20  # MiB
    assert running.returncode == 1
    assert len(rows) == 980 == len({row["file"] for row in rows})
    lines = (tmp_path / "errors").read_text().splitlines()
    errors = [line for line in lines if line.startswith(str(folder))]
    assert {int(Path(line.split(": ")[0]).stem) for line in errors} == broken
    assert len(errors) == 20
    early, late = (max(held[place] for place in range(*ends)) for ends in ((150, 250), (860, 960)))
    assert late < early + 10, (early, late)  # samples of 700 files, if kept, were 25 MiB


def test_mistakes_end_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, errors = answer(capsys, "a.wav", "--model", tmp_path / "nowhere", code=2)
    assert "`--model` is" in errors[-1]


def test_silence_and_a_model_that_only_reads_are_told(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * RATE), RATE)
    found, errors = answer(capsys, tmp_path / "silent.wav", "--model", checkpoint, code=1)
    assert not found and "silent.wav: nobody speaks in it" in errors[-1]
    reader = tmp_path / "reader"
    tiny.make_model(None).save_pretrained(reader)
    tiny.make_processor(tmp_path).save_pretrained(reader)
    soundfile.write(tmp_path / "a.wav", make_sound(0.5), RATE)
    _, errors = answer(capsys, tmp_path / "a.wav", "--model", reader, code=1)
    assert "the model reads only; give `--text`" in errors[-1]
