"""What several test files of training share: one tiny release with its encoders."""

from pathlib import Path

import pytest

from kemer.command_line import parse_arguments
from tests.kemer.bench import make_encoders, make_release, run_flags, run_train


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `release`, `speech` and `text`; tests only read it."""
    folder = tmp_path_factory.mktemp("bench")
    make_release(folder)
    make_encoders(folder)
    return folder


@pytest.fixture(scope="session")
def finished_run(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on fold 1 of `bench`; tests only read it."""
    output = tmp_path_factory.mktemp("runs") / "run"
    run_train(parse_arguments(run_flags(bench, output, fold=1)))
    return output
