"""From a run to a repository and back to a stranger, over HTTP with the real clients."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_kemer import KemerModel
from processing_kemer import KemerProcessor
from tests.hub.server import LoopbackHub
from tests.kemer.release.conftest import ROOT, Run

REPO = "someone/kemer-tiny"

# What a stranger does who knows the name of the repository, and nothing else.
STRANGER = """
import json, sys
import numpy as np
from transformers import AutoConfig, AutoModel, AutoProcessor, pipeline

repo, revision = sys.argv[1], sys.argv[2]
options = {"trust_remote_code": True, "revision": revision}
model = AutoModel.from_pretrained(repo, **options).eval()
processor = AutoProcessor.from_pretrained(repo, **options)
audio = np.sin(np.arange(3000, dtype=np.float32) / 9) / 2
inputs = processor(audio=audio, text="well done", sampling_rate=16_000)
listen = pipeline(model=repo, **options)
print(json.dumps({
    "logits": model(**inputs).logits.tolist(),
    "type": AutoConfig.from_pretrained(repo, **options).model_type,
    "pipeline": listen({"array": audio, "sampling_rate": 16_000, "text": "well done"}),
}))
"""


def release(client: Run, *words: str, fails: bool = False, **environment: str) -> str:
    """Run the command; return what it printed, or its one line of error."""
    done = client("-m", "kemer.release", *words, **environment)
    assert done.returncode == (2 if fails else 0), done.stderr
    return done.stderr.strip().splitlines()[-1] if fails else done.stdout.strip()


def expected(run_folder: Path) -> list[list[float]]:
    model = KemerModel.from_pretrained(run_folder / "model").eval()
    processor = KemerProcessor.from_pretrained(run_folder / "model")
    audio = np.sin(np.arange(3000, dtype=np.float32) / 9) / 2
    with torch.no_grad():
        inputs = processor(audio=audio, text="well done", sampling_rate=16_000)
        return model(**inputs).logits.tolist()


def test_a_model_goes_out_and_a_stranger_uses_it(
    client: Run, hub: LoopbackHub, run_folder: Path, tmp_path: Path
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

    (tmp_path / "use.py").write_text(STRANGER)
    done = client("use.py", REPO, "v1", cache="strangers")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["type"] == "kemer"
    np.testing.assert_allclose(found["logits"], expected(run_folder), rtol=1e-4, atol=1e-5)
    chances = 1 / (1 + np.exp(-np.array(found["logits"][0])))
    np.testing.assert_allclose(
        list(found["pipeline"]["probabilities"].values()), chances, rtol=1e-4
    )
    # What was loaded once is there without the Hub.
    seen = len(hub.requests)
    offline = client("use.py", REPO, "v1", cache="strangers", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout.splitlines()[-1]) == found and len(hub.requests) == seen


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


@pytest.mark.parametrize("status", [500, 429])
def test_a_hub_that_falters_is_asked_again(
    client: Run, hub: LoopbackHub, run_folder: Path, status: int
) -> None:
    hub.fail("PUT", "/put/", status=status, times=1, headers=(("Retry-After", "1"),))
    words = ["model", str(run_folder), "--repo-id", REPO]
    done = client("-m", "kemer.release", *words)
    if done.returncode:  # the client gave up: nothing is half there, and the next try ends it
        assert set(hub.repository("model", REPO).head.files) == set()
        release(client, *words)
    assert hub.faults.struck == 1
    weights = (run_folder / "model/model.safetensors").read_bytes()
    assert hub.repository("model", REPO).head.files["model.safetensors"].content == weights


def test_a_push_that_dies_leaves_nothing_half(
    client: Run, hub: LoopbackHub, run_folder: Path
) -> None:
    hub.fail("POST", "/commit/", status=0, times=9)
    words = ["model", str(run_folder), "--repo-id", REPO]
    client("-m", "kemer.release", *words)
    assert set(hub.repository("model", REPO).head.files) <= {"model.safetensors"} or (
        "config.json" in hub.repository("model", REPO).head.files
    )
    hub.faults._faults.clear()
    release(client, *words)
    assert "config.json" in hub.repository("model", REPO).head.files


def test_a_repository_that_others_see_is_not_taken_for_a_private_one(
    client: Run, hub: LoopbackHub, run_folder: Path
) -> None:
    words = ["model", str(run_folder), "--repo-id", REPO]
    release(client, *words, "--public")
    assert not hub.repository("model", REPO).private
    error = release(client, *words, fails=True)
    assert f"`--repo-id` {REPO} is there and public, but `--private` was asked for" in error


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
    assert {"ids.csv", "checksums.json", "folds/kemdy20.csv"} <= set(files)
    assert all(path.startswith(("ids", "checksums", "folds/")) for path in files)
    ids = files["ids.csv"].content.decode().split()
    assert len(ids) == 21 and ids[1].startswith("kemdy20,kemdy20/Sess01_")
    everything = b" ".join(blob.content for blob in files.values())
    assert b"well done" not in everything and b"RIFF" not in everything


def test_a_private_data_set_is_loaded_with_its_rows(
    client: Run, hub: LoopbackHub, bench: Path
) -> None:
    repo = "someone/corpus"
    release(client, "dataset", str(bench / "release"), "--repo-id", repo)
    assert hub.repository("dataset", repo).private
    script = (
        "import sys, json; from datasets import load_dataset;"
        f"rows = load_dataset('{repo}', 'kemdy20', split='train').remove_columns('audio');"
        f"flow = load_dataset('{repo}', 'kemdy20', split='train', streaming=True);"
        "print(json.dumps([len(rows), rows[3]['id'], next(iter(flow))['id'], rows[0]['id']]))"
    )
    done = client("-c", script, cache="strangers")
    assert done.returncode == 0, done.stderr
    length, row_id, first, same = json.loads(done.stdout.splitlines()[-1])
    assert length == 20 and row_id.startswith("kemdy20/Sess01") and first == same


def test_the_metric_is_loaded_from_its_space(client: Run, hub: LoopbackHub) -> None:
    repo = "someone/kemer-metric"
    release(client, "metric", str(ROOT / "evaluate_metric"), "--repo-id", repo, "--public")
    assert hub.repository("space", repo).sdk == "gradio"
    script = (
        f"import evaluate; metric = evaluate.load('{repo}', module_type='metric');"
        "print(metric.compute(predictions=[[0, 1, 0, 0, 0, 0, 0]],"
        "references=[[0, 1, 0, 0, 0, 0, 0]])['exact_match'])"
    )
    done = client("-c", script, cache="strangers")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "1.0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model", "."], "is no finished run"),
        (["dataset", "."], "holds no data set"),
        (["metric", "."], "lacks README.md"),
        (["model", ".", "--text-free"], "`--text-free` is of a data set, and this is a model"),
    ],
)
def test_what_is_no_source_is_refused(client: Run, words: list[str], message: str) -> None:
    assert message in release(client, *words, "--repo-id", REPO, fails=True)
