"""A tiny checkpoint, recordings, and the page served to a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, sync_playwright

from tests import tiny
from tests.kemer.predict.recordings import make_sound

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
SECONDS_TO_START = 120


@pytest.fixture(scope="session")
def space_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tmp_path_factory.mktemp("space_checkpoint"))


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of one utterance, three of them, silence, and a file without sound."""
    folder = tmp_path_factory.mktemp("recordings")
    soundfile.write(folder / "short.wav", make_sound(0.7), RATE)
    soundfile.write(folder / "long.wav", make_sound(0.5, 0.7, 0.4), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(2 * RATE), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF and nothing that follows")
    return folder


@contextmanager
def served(app: Path, log: Path, **environment: str) -> Iterator[str]:
    """Serve a page from its own process; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment |= {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(log.parent / "gradio"),
        "OMP_NUM_THREADS": "1",
    }
    address = f"http://127.0.0.1:{port}/"
    with log.open("w") as told:
        running = subprocess.Popen(
            [sys.executable, str(app)],
            cwd=log.parent,
            env=os.environ | environment,
            stdout=told,
            stderr=told,
        )
        try:
            _wait_for(address, running, log)
            yield address
        finally:
            running.terminate()
            running.wait()


def _wait_for(address: str, running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until:
        assert running.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"the page did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def page_address(space_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("space") / "log"
    with served(ROOT / "space/app.py", log, KEMER_MODEL=str(space_checkpoint)) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium: the system's, or the one that the set-up had Playwright bring."""
    system = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        yield chromium
        chromium.close()
