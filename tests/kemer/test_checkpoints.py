import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kemer.arguments import RunPaths
from kemer.checkpoints import find_checkpoint, has_whole_checkpoint, missing_parts
from kemer.training_arguments import KemerTrainingArguments

PARTS = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


def resuming(paths: RunPaths, asked: str | None) -> KemerTrainingArguments:
    return KemerTrainingArguments(
        output_dir=str(paths.checkpoints), resume_from_checkpoint=asked, use_cpu=True
    )


def write_checkpoint(paths: RunPaths, step: int, *, best: str | None = None) -> Path:
    """Write files of the real kinds."""
    folder = paths.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({"weight": torch.ones(300)}, folder / "model.safetensors")
    for name in PARTS[1:4]:
        torch.save({"state": torch.ones(300)}, folder / name)
    state = {"best_model_checkpoint": best, "log_history": list(range(300))}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder


def test_a_fresh_folder_starts_anew(paths: RunPaths) -> None:
    for asked in (None, "false", "False"):
        assert find_checkpoint(resuming(paths, asked), paths) is None
    paths.checkpoints.mkdir(parents=True)
    (paths.root / "dataset").mkdir()
    assert find_checkpoint(resuming(paths, None), paths) is None


@pytest.mark.parametrize("name", ["checkpoints/checkpoint-3", "model", "metrics.json", "report"])
def test_an_earlier_runs_folder_is_refused(paths: RunPaths, name: str) -> None:
    (paths.root / name).mkdir(parents=True)
    message = f"`output_dir` is `.*run`, which holds `{name}` of an earlier run; go on with"
    with pytest.raises(ValueError, match=message):
        find_checkpoint(resuming(paths, None), paths)


def test_the_last_whole_checkpoint_is_resumed(paths: RunPaths) -> None:
    for step in (9, 100, 20):
        write_checkpoint(paths, step)
    expected = str(paths.checkpoints / "checkpoint-100")
    assert find_checkpoint(resuming(paths, "true"), paths) == expected
    assert find_checkpoint(resuming(paths, "True"), paths) == expected


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [None, 0, 1, 100, -1], ids=str)
def test_a_half_written_checkpoint_is_never_resumed(
    paths: RunPaths, part: str, kept: int | None
) -> None:
    """The file is missing, empty, or lacks all or the last of its bytes."""
    whole = write_checkpoint(paths, 3)
    half = write_checkpoint(paths, 6)
    content = (half / part).read_bytes()
    (half / part).unlink()
    if kept is not None:
        (half / part).write_bytes(content[:kept])
    assert missing_parts(half, processes=1) == [part]
    assert find_checkpoint(resuming(paths, "true"), paths) == str(whole)
    with pytest.raises(ValueError, match=f"is `.*checkpoint-6`, which lacks {part}, or not all"):
        find_checkpoint(resuming(paths, str(half)), paths)
    assert has_whole_checkpoint(paths)
    shutil.rmtree(whole)
    assert not has_whole_checkpoint(paths)


def test_a_folder_that_is_not_there_lacks_everything(paths: RunPaths) -> None:
    with pytest.raises(ValueError, match="which lacks model.safetensors, optimizer.pt, scheduler"):
        find_checkpoint(resuming(paths, str(paths.root / "nowhere")), paths)


def test_each_process_needs_its_random_state(paths: RunPaths) -> None:
    folder = write_checkpoint(paths, 3)
    assert missing_parts(folder, processes=2) == ["rng_state_0.pth", "rng_state_1.pth"]
    (folder / "rng_state.pth").rename(folder / "rng_state_0.pth")
    assert missing_parts(folder, processes=2) == ["rng_state_1.pth"]
    assert missing_parts(folder, processes=1) == ["rng_state.pth"]
    with pytest.raises(ValueError, match=r"holds no whole checkpoint of 1 process\(es\)"):
        find_checkpoint(resuming(paths, "true"), paths)
    shutil.copy(folder / "rng_state_0.pth", folder / "rng_state_1.pth")
    assert missing_parts(folder, processes=2) == [] and has_whole_checkpoint(paths)


def test_nothing_to_resume_is_said(paths: RunPaths) -> None:
    with pytest.raises(ValueError, match="`resume_from_checkpoint` is true, but `.*` holds no wh"):
        find_checkpoint(resuming(paths, "true"), paths)


def test_a_lost_best_epoch_is_said(paths: RunPaths) -> None:
    best = write_checkpoint(paths, 3)
    last = write_checkpoint(paths, 6, best=str(best))
    assert find_checkpoint(resuming(paths, "true"), paths) == str(last)
    weights = (best / "model.safetensors").read_bytes()
    (best / "model.safetensors").write_bytes(weights[:-1])
    with pytest.raises(ValueError, match="or has lost its weights; resume in the folder"):
        find_checkpoint(resuming(paths, "true"), paths)
    best.rename(paths.root / "elsewhere")
    with pytest.raises(ValueError, match="says that the best epoch so far is in `.*checkpoint-3`"):
        find_checkpoint(resuming(paths, "true"), paths)
