"""What several test files of training share: one tiny release with its encoders."""

from pathlib import Path

import pytest

from tests.kemer.release import make_encoders, make_release


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `release`, `speech` and `text`; tests only read it."""
    folder = tmp_path_factory.mktemp("bench")
    make_release(folder)
    make_encoders(folder)
    return folder
