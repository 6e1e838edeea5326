"""A Hub on loopback, a finished run and a data set; all clients run in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kemer.command_line import parse_arguments
from tests.hub.endpoints import TOKEN
from tests.hub.server import LoopbackHub
from tests.kemer.bench import run_flags, run_train

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Run:
    """Run Python with the Hub as its only one and a cache of its own, empty at first."""

    def run(*words: str, cache: str = "cache", **environment: str):
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        settings = {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / cache),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**inherited, **settings, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def run_folder(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run on the tiny release, called synthetic as it is."""
    folder = tmp_path_factory.mktemp("released") / "run"
    run_train(parse_arguments(run_flags(bench, folder, num_train_epochs=1)))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["run"]["synthetic"] = True
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder
