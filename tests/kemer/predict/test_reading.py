from pathlib import Path

import numpy as np
import pytest
import soundfile

from kemer.predict.reading import (
    CutSettings,
    Recording,
    cut_utterances,
    find_files,
    read_recording,
)
from tests.kemer.predict.recordings import FORMATS, make_sound, write_recording

RATE = 16_000


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_every_format_and_rate_is_read(tmp_path: Path, ending: str, rate: int) -> None:
    sound = make_sound(0.6, 0.9, rate=rate)
    path = write_recording(tmp_path / f"a.{ending}", np.stack([sound, sound], 1), rate=rate)
    settings = CutSettings()
    recording = read_recording(path, rate=RATE, settings=settings)
    assert len(recording.samples) == pytest.approx(2.3 * RATE, abs=0.15 * RATE)
    assert recording.samples.dtype == np.float32 and np.abs(recording.samples).max() < 0.7
    first, second = cut_utterances(recording, rate=RATE, settings=settings)
    assert first[0] == 0 and first[1] == pytest.approx(0.7, abs=0.12)
    assert second[0] == pytest.approx(1.3, abs=0.12) and second[1] == pytest.approx(2.3, abs=0.15)


def test_samples_are_those_of_the_file(tmp_path: Path) -> None:
    sound = make_sound(0.5)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    found = read_recording(tmp_path / "a.wav", rate=RATE, settings=CutSettings())
    np.testing.assert_allclose(found.samples, sound, atol=1e-6)
    assert found.silences == ()


def cut(seconds: float, *silences: tuple[float, float], **settings: float):
    recording = Recording(np.zeros(int(seconds * 100)), silences)
    return cut_utterances(recording, rate=100, settings=CutSettings(**settings))


def test_cuts_by_hand() -> None:
    assert cut(3.0) == [(0.0, 3.0)]
    assert cut(5.0, (1.0, 2.0), (4.0, 5.0)) == [(0.0, 1.1), (1.9, 4.1)]
    assert cut(3.0, (0.0, 3.0)) == []  # nobody speaks
    assert cut(4.0, (0.0, 1.0), (1.1, 2.0)) == [(1.9, 4.0)]  # a click is no utterance
    assert cut(5.0, longest=2.5, margin=0.0) == [(0.0, 2.5), (2.5, 5.0)]
    assert len(cut(5.0, longest=2.0)) == 3


def test_folders_give_their_files_and_what_is_missing_is_kept(tmp_path: Path) -> None:
    for name in ("b.wav", "a.wav", "deep/c.mp3", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    missing = tmp_path / "nowhere.wav"
    names = [path.name for path in find_files([missing, tmp_path])]
    assert names == ["nowhere.wav", "a.wav", "b.wav", "c.mp3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"no sound", "ffmpeg finds no sound"), (b"", "no sound")],
)
def test_what_is_no_recording_is_said(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_recording(path, rate=RATE, settings=CutSettings())


def test_without_ffmpeg_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="ffmpeg was not found; install it"):
        read_recording(tmp_path / "a.wav", rate=RATE, settings=CutSettings())
