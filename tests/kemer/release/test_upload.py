"""Single pushes of a folder; whole releases are in `test_main.py`."""

import json
from pathlib import Path

from tests.hub.server import LoopbackHub
from tests.kemer.release.conftest import Run

PUSH = """
import json, sys
from pathlib import Path
from kemer.release.upload import Target, push_folder
target = Target("someone/thing", sys.argv[2], public=sys.argv[3] == "public")
pushed = push_folder(Path(sys.argv[1]), target, message="a message")
print(json.dumps([pushed.commit, pushed.is_new, pushed.url]))
"""


def push(client: Run, folder: Path, kind: str = "dataset", seen: str = "private") -> list:
    done = client("-c", PUSH, str(folder), kind, seen)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_one_commit_holds_all_and_what_is_gone_goes(
    client: Run, hub: LoopbackHub, tmp_path: Path
) -> None:
    folder = tmp_path / "thing"
    (folder / "data").mkdir(parents=True)
    (folder / "data/a.parquet").write_bytes(b"large")
    (folder / "README.md").write_text("---\nlicense: mit\n---\nwords")
    commit, is_new, url = push(client, folder)
    repository = hub.repository("dataset", "someone/thing")
    assert is_new and commit == repository.head.oid and url.endswith("datasets/someone/thing")
    assert set(repository.head.files) == {"README.md", "data/a.parquet"}
    assert repository.head.files["data/a.parquet"].is_lfs and repository.private
    assert repository.head.title == "a message" and len(repository.commits) == 2
    assert push(client, folder) == [commit, False, url]

    (folder / "data/a.parquet").rename(folder / "data/b.parquet")
    again, is_new, _ = push(client, folder)
    assert is_new and again == repository.head.oid
    assert set(repository.head.files) == {"README.md", "data/b.parquet"}
    assert len(repository.commits) == 3


def test_a_refusal_is_told_in_one_sentence(client: Run, hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing/a.txt").write_text("words")
    hub.fail("POST", "/commit/", status=403, times=9)
    done = client("-c", PUSH, str(tmp_path / "thing"), "model", "public")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "OSError: the Hub did not take the release of `someone/thing`" in last
    assert hub.repository("model", "someone/thing").head.files == {}


def test_a_card_that_the_hub_refuses_is_told(client: Run, hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing/README.md").write_text("---\nsdk: gradio\nlicense: unheard of\n---\n")
    done = client("-c", PUSH, str(tmp_path / "thing"), "space", "private")
    assert done.returncode == 1 and "license 'unheard of'" in done.stderr
    assert hub.repository("space", "someone/thing").head.files == {}
