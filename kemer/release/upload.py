"""Brings a folder to a repository of the Hub in one commit: all of it is there, or nothing is new.

Last step of `python -m kemer.release`. The client puts large files first and makes one commit of
all at the end; so a push that is killed leaves `main` as it was, and the next one puts what is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id


@dataclass(frozen=True)
class Target:
    """Where a release goes.

    Attributes:
        repo_id: owner and name.
        kind: `model`, `dataset` or `space`.
        public: whether everybody may see it.
        tag: of this release, None for none.
        token: of who pushes, None for that of the environment or of `hf auth login`.

    Raises:
        ValueError: if `repo_id` is not an owner and a name.
    """

    repo_id: str
    kind: str
    public: bool = False
    tag: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            validate_repo_id(self.repo_id)
        except HFValidationError as error:
            raise ValueError(f"`--repo-id`: {error}") from error
        if self.repo_id.count("/") != 1:
            raise ValueError(f"`--repo-id` is {self.repo_id!r}; allowed is OWNER/NAME.")


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        commit: name of the commit that `main` is at.
        is_new: whether this push made it.
        url: of the repository.
    """

    commit: str
    is_new: bool
    url: str


def push_folder(folder: Path, target: Target, *, message: str) -> Pushed:
    """Make a repository's `main` what a folder is.

    Args:
        folder: all files of the release.
        target: the repository, made if it is not there.
        message: of the commit.

    Returns:
        the commit; the one that was there where nothing differs.

    Raises:
        ValueError: if the repository is public and was to be private, or the other way round, or
            if the tag names another commit.
        OSError: if the Hub refuses, or cannot be reached.
    """
    api = HfApi(token=target.token)
    with _refusals(f"release of `{target.repo_id}`"):
        url = open_repository(target)
        before = api.repo_info(target.repo_id, repo_type=target.kind).sha
        api.upload_folder(
            folder_path=folder,
            repo_id=target.repo_id,
            repo_type=target.kind,
            commit_message=message,
            # What an earlier release had, and this one has not, goes.
            delete_patterns="*",
        )
        after = api.repo_info(target.repo_id, repo_type=target.kind).sha
        if target.tag is not None:
            _tag(api, target, commit=after)
    return Pushed(commit=after, is_new=after != before, url=url)


def open_repository(target: Target) -> str:
    """Make the repository, or check that the one that is there may be seen by whom it should.

    Returns:
        its address.

    Raises:
        ValueError: if it is public and was to be private, or the other way round.
        OSError: if the Hub refuses, or cannot be reached.
    """
    api = HfApi(token=target.token)
    with _refusals(f"repository `{target.repo_id}`"):
        try:
            found = api.repo_info(target.repo_id, repo_type=target.kind)
        except RepositoryNotFoundError:
            sdk = {"space_sdk": "gradio"} if target.kind == "space" else {}
            return str(
                api.create_repo(
                    target.repo_id, repo_type=target.kind, private=not target.public, **sdk
                )
            )
    if bool(found.private) == target.public:
        there, asked = ("private", "public") if found.private else ("public", "private")
        raise ValueError(
            f"`{target.repo_id}` is there and {there}, but was to be {asked} (`--private` is the "
            "default); change it on the Hub, or name another."
        )
    prefix = "" if target.kind == "model" else f"{target.kind}s/"
    return f"{api.endpoint}/{prefix}{target.repo_id}"


def find_owner(token: str | None) -> str:
    """Return the name of a token's owner.

    Raises:
        OSError: if there is no token, or the Hub refuses it or cannot be reached.
    """
    with _refusals("token"):
        return HfApi(token=token).whoami()["name"]


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn what the client raises for the Hub into one OSError that says what to do."""
    try:
        yield
    # The client says RuntimeError for a file that it could not put, whatever the cause was.
    except (httpx2.HTTPError, RuntimeError) as error:
        cause = error.__cause__ or error
        raise OSError(
            f"the Hub did not take the {what} ({' '.join(f'{error} {cause}'.split())}); nothing "
            "of it is in `main` that is not whole: run the same command again."
        ) from error


def _tag(api: HfApi, target: Target, *, commit: str) -> None:
    """Tag a commit, once."""
    refs = api.list_repo_refs(target.repo_id, repo_type=target.kind)
    there = {tag.name: tag.target_commit for tag in refs.tags}
    if target.tag not in there:
        api.create_tag(target.repo_id, tag=target.tag, revision=commit, repo_type=target.kind)
    elif there[target.tag] != commit:
        raise ValueError(
            f"`--tag` {target.tag} is at {there[target.tag][:12]} in {target.repo_id}, and this "
            f"release at {commit[:12]}; give it a tag of its own."
        )
