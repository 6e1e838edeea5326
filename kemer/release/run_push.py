"""A run's way to the Hub: `train.py --push_to_hub`, with the Trainer's own arguments.

The Trainer would push checkpoints with their pickles; so it only opens the repository, and what is
pushed when the run is finished is the release that `python -m kemer.release model` makes.
"""

from __future__ import annotations

from kemer.arguments import RunPaths
from kemer.release.releasing import Release, push_releases
from kemer.release.upload import Target, find_owner, open_repository
from kemer.training_arguments import KemerTrainingArguments


def open_run_target(training: KemerTrainingArguments, paths: RunPaths) -> Target | None:
    """Open the repository that a run will be pushed to, before it trains.

    Args:
        training: `push_to_hub`, `hub_model_id` (default: the name of the run's folder, of the
            token's owner), `hub_private_repo` and `hub_token`.
        paths: of the run.

    Returns:
        the repository, which is there; None if the run is not to be pushed.

    Raises:
        ValueError: if the repository is public and was to be private, or the other way round.
        OSError: if the Hub refuses, or cannot be reached.
    """
    if not training.push_to_hub:
        return None
    name = training.hub_model_id or paths.root.resolve().name
    if "/" not in name:
        name = f"{find_owner(training.hub_token)}/{name}"
    target = Target(
        name, "model", public=training.hub_private_repo is False, token=training.hub_token
    )
    open_repository(target)
    training.hub_model_id = name  # the Trainer opens it once more, by this name
    return target


def push_run(paths: RunPaths, target: Target) -> str:
    """Push a finished run's model; return what `train.py` prints of it.

    Raises:
        OSError: if the Hub refuses, or cannot be reached; the run is finished all the same.
    """
    try:
        (pushed,) = push_releases([Release("model", paths.root, target)])
    except OSError as error:
        raise OSError(
            f"the run is finished and lies in `{paths.root}`, but {error} (`python -m "
            f"kemer.release model {paths.root} --repo-id {target.repo_id}` pushes it)"
        ) from error
    return f"pushed: {pushed.url} at {pushed.commit[:12]}"
