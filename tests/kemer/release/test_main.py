"""From a run to a repository and back to a stranger, over HTTP with the real clients."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests.hub.server import LoopbackHub
from tests.kemer.release.conftest import Run, changed_run

REPO = "someone/kemer-tiny"

LOAD = """
import json, sys
import numpy as np
from transformers import AutoModel, AutoProcessor

options = {"trust_remote_code": True, "revision": sys.argv[2]}
model = AutoModel.from_pretrained(sys.argv[1], **options).eval()
processor = AutoProcessor.from_pretrained(sys.argv[1], **options)
audio = np.sin(np.arange(3000, dtype=np.float32) / 9) / 2
inputs = processor(audio=audio, text="well done", sampling_rate=16_000)
print(json.dumps(model(**inputs).logits.tolist()))
"""


def release(client: Run, *words: str, fails: bool = False, **environment: str) -> str:
    """Run the command; return what it printed, or its one line of error."""
    done = client("-m", "kemer.release", *words, **environment)
    assert done.returncode == (2 if fails else 0), done.stderr
    return done.stderr.strip().splitlines()[-1] if fails else done.stdout.strip()


def logits(run: Path) -> list[list[float]]:
    model = KemerModel.from_pretrained(run / "model").eval()
    processor = KemerProcessor.from_pretrained(run / "model")
    audio = np.sin(np.arange(3000, dtype=np.float32) / 9) / 2
    with torch.no_grad():
        inputs = processor(audio=audio, text="well done", sampling_rate=16_000)
        return model(**inputs).logits.tolist()


def test_a_model_goes_out_with_its_card_and_nothing_else(
    client: Run, hub: LoopbackHub, run_folder: Path
) -> None:
    told = release(client, "model", str(run_folder), "--repo-id", REPO, "--tag", "v1")
    assert told.startswith("released") and told.endswith(", v1")
    repository = hub.repository("model", REPO)
    assert repository.private and len(repository.commits) == 2
    files = repository.head.files
    assert {"config.json", "model.safetensors", "pipeline_kemer.py", "README.md"} <= set(files)
    assert not [path for path in files if path.endswith((".bin", ".pt", ".pkl", ".parquet"))]
    card = files["README.md"].content.decode()
    metrics = json.loads((run_folder / "metrics.json").read_text())
    assert f"| constant answer | {metrics['test']['constant_exact_match']:.3f} |" in card
    assert "model-index:" in card and "Trained on synthetic speech" in card


def test_a_tag_loads_the_release_that_it_names(
    client: Run, hub: LoopbackHub, run_folder: Path, tmp_path: Path
) -> None:
    other = changed_run(run_folder, tmp_path / "other")
    for run, tag in ((run_folder, "v1"), (other, "v2")):
        release(client, "model", str(run), "--repo-id", REPO, "--tag", tag)
    (tmp_path / "load.py").write_text(LOAD)
    found = {}
    for tag in ("v1", "v2", "main"):
        done = client("load.py", REPO, tag, cache="strangers")
        assert done.returncode == 0, done.stderr
        found[tag] = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found["v1"], logits(run_folder), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["v2"], logits(other), rtol=1e-4, atol=1e-5)
    assert found["main"] == found["v2"] != found["v1"]


def test_the_same_again_makes_no_commit_and_a_change_one(
    client: Run, hub: LoopbackHub, run_folder: Path, tmp_path: Path
) -> None:
    words = ["model", str(run_folder), "--repo-id", REPO]
    release(client, *words, "--tag", "v1")
    assert release(client, *words, "--tag", "v1").startswith("nothing has changed:")
    repository = hub.repository("model", REPO)
    assert len(repository.commits) == 2
    repository.add(
        "somebody's", {**repository.head.files, "old.json": repository.head.files["config.json"]}
    )
    assert "`--tag` v1 is at" in release(client, *words, "--tag", "v1", fails=True)
    assert "old.json" not in repository.head.files  # what a release has not, goes
    assert release(client, *words, "--tag", "v2").endswith("v2")
    assert repository.tags["v2"] == repository.head.oid != repository.tags["v1"]


def test_a_repository_that_others_see_is_not_taken_for_a_private_one(
    client: Run, hub: LoopbackHub, run_folder: Path
) -> None:
    words = ["model", str(run_folder), "--repo-id", REPO]
    release(client, *words, "--public")
    assert not hub.repository("model", REPO).private
    error = release(client, *words, fails=True)
    assert f"`{REPO}` is there and public, but was to be private" in error


def test_a_data_set_of_the_corpora_never_becomes_public(
    client: Run, hub: LoopbackHub, bench: Path
) -> None:
    source, repo = str(bench / "release"), "someone/corpus"
    error = release(client, "dataset", source, "--repo-id", repo, "--public", fails=True)
    assert "audio and transcripts of KEMDy, whose licence forbids" in error
    assert not hub.store.repositories
    words = ["dataset", source, "--repo-id", repo, "--public", "--text-free", "--tag", "v1"]
    release(client, *words)
    files = hub.repository("dataset", repo).head.files
    assert {"README.md", "ids.csv", "checksums.json", "folds/kemdy20.csv"} <= set(files)
    assert all(path.startswith(("README", "ids", "checksums", "folds/")) for path in files)
    ids = files["ids.csv"].content.decode().split()
    assert len(ids) == 21 and ids[1].startswith("kemdy20,kemdy20/Sess01_")
    everything = b" ".join(blob.content for blob in files.values())
    assert b"well done" not in everything and b"RIFF" not in everything


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model", "."], "is no finished run"),
        (["dataset", "."], "holds no data set"),
        (["metric", "."], "lacks README.md"),
        (["space", ".", "--model", "a/b"], "lacks README.md, app.py"),
        (["space", "."], "`--model` is None, and this is a space"),
        (["model", ".", "--text-free"], "`--text-free` is of a data set, and this is a model"),
        (["model", ".", "--dataset", "."], "`--dataset` is '.', and `model` is to be released"),
        (["all", "."], "`--dataset` is None, and `all` is to be released"),
        (["all", ".", "--dataset", ".", "--model", "a/b"], "`--model` is of `space`"),
    ],
)
def test_what_is_no_source_is_refused(client: Run, words: list[str], message: str) -> None:
    assert message in release(client, *words, "--repo-id", REPO, fails=True)
