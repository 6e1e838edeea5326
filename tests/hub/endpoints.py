"""What the tests' Hub answers, a method for each question; `server` finds it and sends the answer.

Read off the requests of the real clients.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from tests.hub.cards import card_errors
from tests.hub.store import Blob, Commit, HubStore, Repository

OWNER, TOKEN = "someone", "hf_of_the_tests"
LARGE_ENDINGS = (".safetensors", ".parquet", ".bin", ".wav", ".png", ".model", ".arrow")
LARGE_BYTES = 10 * 2**20
KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
PREFIXES = {"datasets/": "dataset", "spaces/": "space"}
NAME = r"(?P<name>[\w.-]+/[\w.-]+)"


class Answer(Exception):  # noqa: N818 (it is what ends a request, and no error of ours)
    """What a request is answered with.

    Args:
        status: of HTTP.
        content: bytes, or what becomes JSON.
        headers: further ones.
    """

    def __init__(self, status: int, content: Any = b"", **headers: str) -> None:
        super().__init__(status)
        self.status = status
        is_bytes = isinstance(content, bytes)
        self.content = content if is_bytes else json.dumps(content).encode()
        self.headers = {
            "Content-Type": "application/octet-stream" if is_bytes else "application/json"
        }
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}


def refuse(status: int, code: str, message: str) -> Answer:
    """Return an answer that the clients turn into their errors."""
    return Answer(status, {"error": message}, X_Error_Code=code, X_Error_Message=message)


class HubEndpoints:
    """The questions; a handler of requests brings the attributes.

    Attributes:
        store: what the Hub holds.
        endpoint: its address.
        port: of its address.
        path: of the request, with its query.
        headers: of the request.
        body: of the request.
    """

    store: HubStore
    endpoint: str
    port: int
    path: str
    headers: Any
    body: bytes

    def _json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    def _may_write(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise refuse(401, "", "Invalid username or password.")

    def _find(self, kind: str, name: str) -> Repository:
        found = self.store.get(kind, name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or (found.private and not allowed):
            status = 404 if allowed else 401
            raise refuse(status, "RepoNotFound", "Repository not found")
        return found

    def _commit(self, repository: Repository, revision: str) -> Commit:
        commit = repository.find(unquote(revision))
        if commit is None:
            raise refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def whoami(self) -> None:
        """Who the token belongs to."""
        self._may_write()
        token = {"displayName": "tests", "role": "write"}
        raise Answer(
            200,
            {"name": OWNER, "type": "user", "orgs": [], "auth": {"accessToken": token}},
        )

    def create(self) -> None:
        """Make a repository."""
        self._may_write()
        told = self._json()
        kind, name = told.get("type") or "model", told["name"]
        name = name if "/" in name else f"{told.get('organization') or OWNER}/{name}"
        prefix = next((p for p, k in PREFIXES.items() if k == kind), "")
        url = {"url": f"{self.endpoint}/{prefix}{name}", "name": name}
        if self.store.get(kind, name) is not None:
            raise Answer(409, {**url, "error": "You already created this repo"})
        private = told.get("visibility") == "private" or bool(told.get("private"))
        made = Repository(kind, name, private=private)
        made.sdk = told.get("sdk")
        self.store.repositories[kind, name] = made
        raise Answer(200, url)

    def validate(self) -> None:
        """Check a card's metadata."""
        told = self._json()
        errors = [{"message": one} for one in card_errors(told["repoType"], told["content"])]
        raise Answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def settings(self, kinds: str, name: str) -> None:
        """Make a repository private or public."""
        self._may_write()
        told = self._json()
        repository = self._find(KINDS[kinds], name)
        repository.private = told.get("visibility", "private") == "private"
        if "private" in told:
            repository.private = bool(told["private"])
        raise Answer(200, {})

    def preupload(self, kinds: str, name: str, revision: str) -> None:
        """Say how each file is to be put, and what of it is there."""
        self._may_write()
        files = self._find(KINDS[kinds], name).head.files
        answers = []
        for file in self._json()["files"]:
            large = file["size"] > LARGE_BYTES or file["path"].endswith(LARGE_ENDINGS)
            there = files.get(file["path"])
            answers.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": False,
                    "oid": None if there is None else there.etag,
                }
            )
        raise Answer(200, {"files": answers})

    def batch(self, name: str, prefix: str = "") -> None:
        """Say where large files are to be put, those that are not there yet."""
        self._may_write()
        answers = []
        for wanted in self._json()["objects"]:
            found = {"oid": wanted["oid"], "size": wanted["size"], "authenticated": True}
            if wanted["oid"] not in self.store.large:
                href = f"http://localhost:{self.port}/put/{wanted['oid']}"
                found["actions"] = {"upload": {"href": href, "header": {}}}
            answers.append(found)
        raise Answer(200, {"transfer": "basic", "objects": answers})

    def put(self, oid: str) -> None:
        """Take a large file."""
        blob = Blob(self.body, is_lfs=True)
        if blob.sha256 != oid:
            raise refuse(400, "", "the content has another checksum")
        self.store.large[oid] = self.body
        raise Answer(200)

    def commit(self, kinds: str, name: str, revision: str) -> None:
        """Make a commit of what its lines say."""
        self._may_write()
        repository = self._find(KINDS[kinds], name)
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        parent = header.get("parentCommit")
        if parent and parent != repository.branches.get(revision):
            raise refuse(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(self._commit(repository, revision).files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), is_lfs=False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.store.large:
                    raise refuse(400, "", f"{value['path']} was never put")
                files[value["path"]] = Blob(self.store.large[value["oid"]], is_lfs=True)
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            elif line["key"] == "deletedFolder":
                folder = value["path"].rstrip("/") + "/"
                files = {path: blob for path, blob in files.items() if not path.startswith(folder)}
        made = repository.add(header.get("summary", ""), files, branch=revision)
        url = f"{self.endpoint}/{name}/commit/{made.oid}"
        raise Answer(200, {"success": True, "commitOid": made.oid, "commitUrl": url})

    def info(self, kinds: str, name: str, revision: str = "main") -> None:
        """Tell of a repository at a revision."""
        repository = self._find(KINDS[kinds], name)
        commit = self._commit(repository, revision)
        raise Answer(
            200,
            {
                "_id": "0" * 24,
                "id": name,
                "modelId": name,
                "author": name.split("/")[0],
                "sha": commit.oid,
                "private": repository.private,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "lastModified": commit.date,
                "siblings": [
                    {"rfilename": path, "size": len(blob.content), "blobId": blob.oid}
                    for path, blob in sorted(commit.files.items())
                ],
                **({"sdk": repository.sdk} if repository.sdk else {}),
            },
        )

    def tree(self, kinds: str, name: str, revision: str, folder: str = "") -> None:
        """List the files of a folder, all of them if they are asked for with its folders'."""
        commit = self._commit(self._find(KINDS[kinds], name), revision)
        inside = folder.strip("/") + "/" if folder.strip("/") else ""
        below = {p: b for p, b in commit.files.items() if p.startswith(inside)}
        if inside and not below:
            raise refuse(404, "EntryNotFound", f"{folder} does not exist")
        recursive = "recursive=true" in self.path.lower() or "recursive=1" in self.path
        folders = {p[len(inside) :].split("/")[0] for p in below if "/" in p[len(inside) :]}
        entries = [
            _entry(path, blob)
            for path, blob in sorted(below.items())
            if recursive or "/" not in path[len(inside) :]
        ]
        entries += [
            {"type": "directory", "path": inside + one, "oid": "0" * 40, "size": 0}
            for one in sorted(folders)
        ]
        raise Answer(200, entries)

    def paths_info(self, kinds: str, name: str, revision: str) -> None:
        """Tell of some paths."""
        files = self._commit(self._find(KINDS[kinds], name), revision).files
        try:
            paths = self._json()["paths"]
        except json.JSONDecodeError:
            pairs = (pair.partition("=") for pair in self.body.decode().split("&"))
            paths = [unquote(value.replace("+", " ")) for key, _, value in pairs if key == "paths"]
        raise Answer(200, [_entry(path, files[path]) for path in paths if path in files])

    def refs(self, kinds: str, name: str) -> None:
        """List branches and tags."""
        repository = self._find(KINDS[kinds], name)
        lists = {
            kind: [
                {"name": one, "ref": f"refs/{place}/{one}", "targetCommit": oid}
                for one, oid in pairs.items()
            ]
            for kind, place, pairs in (
                ("branches", "heads", repository.branches),
                ("tags", "tags", repository.tags),
            )
        }
        raise Answer(200, {**lists, "converts": []})

    def commits(self, kinds: str, name: str, revision: str) -> None:
        """List the commits up to a revision."""
        history = self._find(KINDS[kinds], name).history(revision)
        raise Answer(
            200,
            [
                {"id": c.oid, "title": c.title, "message": "", "date": c.date, "authors": []}
                for c in history
            ],
        )

    def tag(self, kinds: str, name: str, revision: str) -> None:
        """Tag a revision."""
        self._may_write()
        repository, wanted = self._find(KINDS[kinds], name), self._json()["tag"]
        if wanted in repository.tags:
            raise Answer(409, {"error": "Tag reference exists already."})
        repository.tags[wanted] = self._commit(repository, revision).oid
        raise Answer(200, {})

    def untag(self, kinds: str, name: str, revision: str) -> None:
        """Remove a tag."""
        self._may_write()
        if self._find(KINDS[kinds], name).tags.pop(revision, None) is None:
            raise refuse(404, "RevisionNotFound", "no such tag")
        raise Answer(200, {})

    def resolve(self, name: str, revision: str, file: str, prefix: str = "") -> None:
        """Give a file, or say where a large one lies."""
        repository = self._find(PREFIXES.get(prefix, "model"), name)
        commit = self._commit(repository, revision)
        blob = commit.files.get(file)
        if blob is None:
            raise refuse(404, "EntryNotFound", "Entry not found")
        headers = {"X_Repo_Commit": commit.oid, "Accept_Ranges": "bytes"}
        if blob.is_lfs:
            headers |= {"X_Linked_Etag": f'"{blob.etag}"', "ETag": f'"{blob.etag}"'}
            headers |= {"X_Linked_Size": str(len(blob.content))}
            where = f"http://localhost:{self.port}/large/{blob.sha256}"
            raise Answer(302, b"", Location=where, **headers)
        self._give(blob, ETag=f'"{blob.etag}"', **headers)

    def large(self, oid: str) -> None:
        """Give a large file."""
        self._give(Blob(self.store.large[oid], is_lfs=True), Accept_Ranges="bytes")

    def _give(self, blob: Blob, **headers: str) -> None:
        """Answer with a file, or with the part of it that is asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        size = len(blob.content)
        if not asked:
            raise Answer(200, blob.content, **headers)
        start, end = int(asked[1]), int(asked[2] or size - 1)
        if start >= size:
            raise Answer(416, b"", Content_Range=f"bytes */{size}")
        part = blob.content[start : end + 1]
        span = f"bytes {start}-{start + len(part) - 1}/{size}"
        raise Answer(206, part, Content_Range=span, **headers)


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "oid": blob.oid, "size": len(blob.content)}
    if blob.is_lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}
    return entry


API = rf"/api/(?P<kinds>models|datasets|spaces)/{NAME}"
ROUTES = (
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/repos/create", "create"),
    ("POST", "/api/validate-yaml", "validate"),
    ("PUT", rf"{API}/settings", "settings"),
    ("POST", rf"{API}/preupload/(?P<revision>[^/]+)", "preupload"),
    ("POST", rf"{API}/commit/(?P<revision>[^/]+)", "commit"),
    ("POST", rf"{API}/paths-info/(?P<revision>[^/]+)", "paths_info"),
    ("POST", rf"{API}/tag/(?P<revision>[^/]+)", "tag"),
    ("DELETE", rf"{API}/tag/(?P<revision>[^/]+)", "untag"),
    ("GET", rf"{API}(/revision/(?P<revision>[^/]+))?", "info"),
    ("GET", rf"{API}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", "tree"),
    ("GET", rf"{API}/refs", "refs"),
    ("GET", rf"{API}/commits/(?P<revision>[^/]+)", "commits"),
    ("POST", rf"/(?P<prefix>datasets/|spaces/)?{NAME}\.git/info/lfs/objects/batch", "batch"),
    ("PUT", r"/put/(?P<oid>\w+)", "put"),
    (
        "GET HEAD",
        rf"/(?P<prefix>datasets/|spaces/)?{NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)",
        "resolve",
    ),
    ("GET HEAD", r"/large/(?P<oid>\w+)", "large"),
)
"""Methods, pattern of the path, and the name of what answers."""
