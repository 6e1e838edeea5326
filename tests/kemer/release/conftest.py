"""A Hub on loopback, a finished run and a data set; all clients run in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from kemer.command_line import parse_arguments
from tests.hub.endpoints import TOKEN
from tests.hub.server import LoopbackHub
from tests.kemer.bench import run_flags, run_train

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


class Run:
    """Runs Python with a Hub as its only one and a cache of its own, empty at first.

    Args:
        hub: the Hub.
        folder: where it runs; caches lie in it.
    """

    def __init__(self, hub: LoopbackHub, folder: Path) -> None:
        self.hub, self.folder = hub, folder

    def __call__(
        self, *words: str, cache: str = "cache", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**self._settings(cache), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start Python and go on."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self._settings("cache"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _settings(self, cache: str) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        return inherited | {
            "HF_ENDPOINT": self.hub.endpoint,
            "HF_HOME": str(self.folder / cache),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Run:
    return Run(hub, tmp_path)


@pytest.fixture(scope="session")
def run_folder(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run on the tiny release, called synthetic as it is."""
    folder = tmp_path_factory.mktemp("released") / "run"
    run_train(parse_arguments(run_flags(bench, folder, num_train_epochs=1)))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["run"]["synthetic"] = True
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def changed_run(run: Path, target: Path) -> Path:
    """Copy a run, with other weights."""
    shutil.copytree(run, target)
    weights = load_file(target / "model/model.safetensors")
    weights = {name: value * 1.1 for name, value in weights.items()}
    save_file(weights, target / "model/model.safetensors", metadata={"format": "pt"})
    return target
