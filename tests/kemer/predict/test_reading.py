from pathlib import Path

import numpy as np
import pytest
import soundfile

from kemer.predict.reading import find_files, read_ahead, read_recording
from tests.kemer.predict.recordings import FORMATS, make_sound, write_recording

RATE = 16_000
SILENCE = {"silence_db": -40.0, "silence_seconds": 0.5}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_every_format_and_rate_is_read(tmp_path: Path, ending: str, rate: int) -> None:
    sound = make_sound(0.6, 0.9, rate=rate)
    path = write_recording(tmp_path / f"a.{ending}", np.stack([sound, sound], 1), rate=rate)
    recording = read_recording(path, rate=RATE, **SILENCE)
    assert len(recording.samples) == pytest.approx(2.3 * RATE, abs=0.15 * RATE)
    assert recording.samples.dtype == np.float32 and np.abs(recording.samples).max() < 0.7
    ((start, end),) = recording.silences
    assert start == pytest.approx(0.6, abs=0.12) and end == pytest.approx(1.4, abs=0.12)


def test_samples_are_those_of_the_file(tmp_path: Path) -> None:
    sound = make_sound(0.5)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    found = read_recording(tmp_path / "a.wav", rate=RATE, **SILENCE)
    np.testing.assert_allclose(found.samples, sound, atol=1e-6)
    assert found.silences == ()


def test_folders_give_their_files_and_what_is_missing_is_kept(tmp_path: Path) -> None:
    for name in (
        "b.wav",
        "a.wav",
        "deep/c.mp3",
        "d",
        ".hidden",
        "a.txt",
        "x.json",
        "y.csv",
        "z.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    missing = tmp_path / "nowhere.wav"
    names = [path.name for path in find_files([missing, tmp_path])]
    assert names == ["nowhere.wav", "a.wav", "b.wav", "d", "c.mp3"]
    text = tmp_path / "a.txt"
    assert list(find_files([text])) == [text]  # who names it, means it


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"no sound", "ffmpeg finds no sound"), (b"", "no sound")],
)
def test_what_is_no_recording_is_said(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_recording(path, rate=RATE, **SILENCE)


def test_without_ffmpeg_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="ffmpeg was not found; install it"):
        read_recording(tmp_path / "a.wav", rate=RATE, **SILENCE)


def test_files_are_read_ahead_and_what_is_wrong_with_one_is_its_own() -> None:
    read: list[str] = []

    def note(path: Path) -> str:
        read.append(path.name)
        if path.name == "3":
            raise ValueError("broken")
        return path.name

    paths = [Path(str(number)) for number in range(9)]
    for number, (path, future) in enumerate(read_ahead(paths, note)):
        assert path.name == str(number) and len(read) <= number + 3
        if number == 3:
            with pytest.raises(ValueError, match="broken"):
                future.result()
        else:
            assert future.result() == path.name
    assert read == [path.name for path in paths]
