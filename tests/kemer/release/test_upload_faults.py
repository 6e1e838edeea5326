"""Whatever breaks on the way: `main` has all of a release or nothing, and a second try ends it."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.hub.server import LoopbackHub
from tests.kemer.release.conftest import Run, changed_run

REPO = "someone/kemer-tiny"
LOAD = (
    "from transformers import AutoModel;"
    f"model = AutoModel.from_pretrained('{REPO}', trust_remote_code=True);"
    "print(sum(p.double().sum().item() for p in model.parameters()))"
)


@pytest.fixture
def words(run_folder: Path) -> list[str]:
    return ["-m", "kemer.release", "model", str(run_folder), "--repo-id", REPO]


def assert_whole(hub: LoopbackHub, run_folder: Path) -> None:
    """`main` has every file of the model as it is on disk, and one commit brought them."""
    repository = hub.repository("model", REPO)
    files = {name: blob.content for name, blob in repository.head.files.items()}
    assert "metrics" not in files and "README.md" in files and len(repository.commits) == 2
    for path in (run_folder / "model").iterdir():
        if path.name != "README.md":
            assert files[path.name] == path.read_bytes(), path.name


def test_a_fault_that_passes_is_not_even_noticed(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str]
) -> None:
    hub.fail("PUT", "/put/", status=500)
    hub.fail("PUT", "/put/", status=429, headers=(("Retry-After", "1"),))
    hub.fail("POST", "/preupload/", status=503)
    done = client(*words)
    assert done.returncode == 0, done.stderr
    assert hub.faults.struck == 3
    assert_whole(hub, run_folder)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/put/", 500),
        ("POST", "/commit/main", 0),
        ("POST", "/commit/main", 412),
    ],
)
def test_a_fault_that_stays_is_told_and_the_next_try_ends_it(
    client: Run,
    hub: LoopbackHub,
    run_folder: Path,
    words: list[str],
    method: str,
    path: str,
    status: int,
) -> None:
    hub.fail(method, path, status=status, times=99, is_done=False)
    done = client(*words)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert f"the Hub did not take the release of `{REPO}`" in last
    assert last.endswith("run the same command again.")
    assert hub.repository("model", REPO).head.files == {}
    hub.faults.clear()
    assert client(*words).returncode == 0
    assert_whole(hub, run_folder)


def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str]
) -> None:
    hub.fail("POST", "/commit/main", status=0)
    client(*words)
    again = client(*words)
    assert again.returncode == 0 and again.stdout.startswith("nothing has changed:")
    assert_whole(hub, run_folder)


@pytest.mark.parametrize("path", ["/put/", "/commit/main"])
def test_a_push_that_is_killed_leaves_nothing_half(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str], path: str
) -> None:
    answered = threading.Event()
    hub.fail("PUT" if path == "/put/" else "POST", path, status=0, held=answered, is_done=False)
    pushing = client.start(*words)
    until = time.monotonic() + 120
    while not hub.faults.struck:
        assert time.monotonic() < until and pushing.poll() is None
        time.sleep(0.05)
    os.kill(pushing.pid, signal.SIGKILL)
    pushing.wait()
    answered.set()
    assert hub.repository("model", REPO).head.files == {}
    stranger = client("-c", LOAD, cache="strangers")
    assert stranger.returncode == 1 and "config.json" in stranger.stderr
    assert client(*words).returncode == 0
    assert_whole(hub, run_folder)


def test_a_killed_second_release_leaves_the_first(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str], tmp_path: Path
) -> None:
    assert client(*words, "--tag", "v1").returncode == 0
    before = hub.repository("model", REPO).head
    first = client("-c", LOAD, cache="strangers")
    changed = changed_run(run_folder, tmp_path / "changed")
    held = threading.Event()
    hub.fail("POST", "/commit/main", status=0, held=held, is_done=False)
    pushing = client.start("-m", "kemer.release", "model", str(changed), "--repo-id", REPO)
    while not hub.faults.struck:
        assert pushing.poll() is None
        time.sleep(0.05)
    pushing.kill()
    pushing.wait()
    held.set()
    assert hub.repository("model", REPO).head == before
    again = client("-c", LOAD, cache="others")
    assert first.returncode == again.returncode == 0 and first.stdout == again.stdout


def test_a_download_that_breaks_off_goes_on_where_it_was(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str]
) -> None:
    assert client(*words).returncode == 0
    size = (run_folder / "model/model.safetensors").stat().st_size
    whole = client("-c", LOAD, cache="undisturbed")
    hub.fail("GET", "/large/", status=0, bytes_sent=size // 2)
    done = client("-c", LOAD, cache="strangers")
    assert done.returncode == 0, done.stderr
    assert hub.faults.struck == 1 and done.stdout == whole.stdout


def test_a_download_that_never_ends_is_an_error_and_no_half_model(
    client: Run, hub: LoopbackHub, run_folder: Path, words: list[str], tmp_path: Path
) -> None:
    assert client(*words).returncode == 0
    hub.fail("GET", "/large/", status=0, bytes_sent=1000, times=99)
    done = client("-c", LOAD, cache="strangers")
    assert done.returncode == 1, done.stdout
    assert not list((tmp_path / "strangers").rglob("snapshots/*/model.safetensors"))
    hub.faults.clear()
    assert client("-c", LOAD, cache="strangers").returncode == 0
