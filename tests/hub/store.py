"""What the tests' Hub holds: repositories of commits, each a list of all files."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone

NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Blob:
    """A file's content.

    Attributes:
        content: its bytes.
        is_lfs: whether it was put by the large-file route.
    """

    content: bytes
    is_lfs: bool

    @property
    def sha256(self) -> str:
        """Its checksum, the name of a large file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """Its name in git."""
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def etag(self) -> str:
        """What a client knows its version by."""
        return self.sha256 if self.is_lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """A state of a repository.

    Attributes:
        oid: its name.
        title: what its author said.
        files: by path, all files.
        parent: name of the state before, None for the first.
    """

    oid: str
    title: str
    files: dict[str, Blob]
    parent: str | None
    date: str = field(
        default_factory=lambda: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    )


class Repository:
    """A repository: its commits, branches and tags.

    Args:
        kind: `model`, `dataset` or `space`.
        name: owner and name.
        private: whether it needs a token.
    """

    def __init__(self, kind: str, name: str, *, private: bool) -> None:
        self.kind, self.name, self.private = kind, name, private
        self.commits: dict[str, Commit] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.sdk: str | None = None
        self.add("initial commit", {})

    def add(self, title: str, files: dict[str, Blob], *, branch: str = "main") -> Commit:
        """Make a commit of a whole list of files."""
        parent = self.branches.get(branch)
        text = repr(
            (len(self.commits), title, parent, sorted((p, b.oid) for p, b in files.items()))
        )
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), title, dict(files), parent)
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit

    def find(self, revision: str) -> Commit | None:
        """Return what a branch, a tag or a commit's name means."""
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(oid)

    @property
    def head(self) -> Commit:
        """The last commit of `main`."""
        return self.commits[self.branches["main"]]

    def history(self, revision: str) -> list[Commit]:
        """Return the commits up to a revision, the newest first."""
        found, commit = [], self.find(revision)
        while commit is not None:
            found.append(commit)
            commit = self.commits.get(commit.parent) if commit.parent else None
        return found


class HubStore:
    """All repositories, and the large files that were put.

    Attributes:
        repositories: by kind and name.
        large: by SHA-256, contents put before a commit names them.
        lock: held while something changes.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.lock = threading.RLock()

    def get(self, kind: str, name: str) -> Repository | None:
        """Return a repository, None if there is none."""
        return self.repositories.get((kind, name))
