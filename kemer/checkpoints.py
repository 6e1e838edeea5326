"""Where a run starts: anew in a fresh folder, or from the last whole checkpoint of its own.

First step of `train.py`. A process that is killed, or a machine that loses its power, leaves a
checkpoint half-written; the library would resume from it without what is missing, silently and
wrongly.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.utils import SAFE_WEIGHTS_NAME

from kemer.arguments import RunPaths
from kemer.training_arguments import KemerTrainingArguments

STATE_FILE = "trainer_state.json"
PICKLES = ("optimizer.pt", "scheduler.pt")


def find_checkpoint(arguments: KemerTrainingArguments, paths: RunPaths) -> str | None:
    """Return the checkpoint to resume from, or None to start anew in a fresh folder.

    Args:
        arguments: `resume_from_checkpoint` is a folder, or `true` for the run's last whole one.
        paths: where the run writes.

    Returns:
        the checkpoint's folder, or None.

    Raises:
        ValueError: if there is none to resume from, or if a run that starts anew would write among
            the results of an earlier one.
    """
    asked = arguments.resume_from_checkpoint
    if asked is None or str(asked).lower() == "false":
        _refuse_used_folder(paths)
        return None
    processes = arguments.world_size
    if str(asked).lower() != "true":
        checkpoint = Path(asked)
        if (missing := missing_parts(checkpoint, processes=processes)) != []:
            raise ValueError(
                f"`resume_from_checkpoint` is `{checkpoint}`, which lacks {', '.join(missing)}, or "
                "not all of it is there; name a whole checkpoint of as many processes "
                f"({processes}), or `true` for the run's last one."
            )
    else:
        found = paths.checkpoints.glob("checkpoint-*")
        whole = [path for path in found if not missing_parts(path, processes=processes)]
        if not whole:
            raise ValueError(
                f"`resume_from_checkpoint` is true, but `{paths.checkpoints}` holds no whole "
                f"checkpoint of {processes} process(es); leave it out to start anew."
            )
        checkpoint = max(whole, key=lambda path: int(path.name.split("-")[-1]))
    _refuse_lost_best(checkpoint)
    return str(checkpoint)


def has_whole_checkpoint(paths: RunPaths) -> bool:
    """Return whether a run, of however many processes, left a whole checkpoint behind."""
    for checkpoint in paths.checkpoints.glob("checkpoint-*"):
        states = len(list(checkpoint.glob("rng_state*.pth")))
        if states > 0 and not missing_parts(checkpoint, processes=states):
            return True
    return False


def missing_parts(checkpoint: Path, *, processes: int) -> list[str]:
    """Return the files that a checkpoint lacks to be resumed from, or that were not written whole.

    Args:
        checkpoint: its folder.
        processes: how many will go on; each has a random state of its own.

    Returns:
        the names, none if the checkpoint is whole.
    """
    states = ["rng_state.pth"]
    if processes > 1:
        states = [f"rng_state_{process}.pth" for process in range(processes)]
    whole = {
        SAFE_WEIGHTS_NAME: _is_whole_safetensors,
        **dict.fromkeys((*PICKLES, *states), zipfile.is_zipfile),  # its directory stands at the end
        STATE_FILE: _is_whole_json,
    }
    return [name for name, is_whole in whole.items() if not is_whole(checkpoint / name)]


def _is_whole_safetensors(path: Path) -> bool:
    """Return whether a file is as long as its header says."""
    try:
        with safe_open(path, framework="pt"):
            return True
    except (SafetensorError, OSError):
        return False


def _is_whole_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, OSError):
        return False
    return True


def _refuse_used_folder(paths: RunPaths) -> None:
    written = [paths.metrics, paths.predictions, paths.model, paths.report]
    written += sorted(paths.checkpoints.glob("checkpoint-*"))
    found = [path for path in written if path.exists()]
    if found:
        raise ValueError(
            f"`output_dir` is `{paths.root}`, which holds `{found[0].relative_to(paths.root)}` of "
            "an earlier run; go on with `resume_from_checkpoint: true`, name another folder, or "
            "remove it."
        )


def _refuse_lost_best(checkpoint: Path) -> None:
    """Refuse a checkpoint whose best epoch is lost: the library would keep the last instead."""
    state = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    best = state["best_model_checkpoint"]
    if best is not None and not _is_whole_safetensors(Path(best) / SAFE_WEIGHTS_NAME):
        raise ValueError(
            f"`{checkpoint}` says that the best epoch so far is in `{best}`, which does not exist "
            "or has lost its weights; resume in the folder in which the run began, or mend the "
            f"path in `{checkpoint / STATE_FILE}`."
        )
