import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kemer.attention import main
from tests import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "utterance.wav"
    soundfile.write(path, np.sin(np.arange(6000) / 9) / 2, 22_050)
    return path


def test_figure_and_values_are_written(
    checkpoint: Path, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new/attention.png"
    main([str(checkpoint), str(wav), "well done", "--output", str(output)])
    assert output.read_bytes().startswith(b"\x89PNG")
    values = json.loads(output.with_suffix(".json").read_text())
    assert values["words"] == ["well", "done", "</s>"]
    assert sum(values["frame_weights"]) + sum(values["word_weights"]) == pytest.approx(1, abs=1e-4)
    assert 0.26 < values["seconds"][-1] < 6000 / 22_050
    shown = capsys.readouterr().out
    assert f"speech is given {values['speech_share']:.0%} of the attention" in shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wav": "nowhere.wav"}, "nowhere.wav"),
        ({"text": " "}, "`text` is ' '"),
        ({"output": "a.jpg"}, "`--output` is 'a.jpg'; name a file that ends in `.png`"),
        ({"checkpoint": "nowhere"}, "nowhere"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    checkpoint: Path,
    wav: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"checkpoint": str(checkpoint), "wav": str(wav), "text": "no", "output": "a.png"}
    given |= change
    words = [given[name] for name in ("checkpoint", "wav", "text")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--output", given["output"]])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob("a.*"))
