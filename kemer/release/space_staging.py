"""The demo's Space put together: its page, and of this project's code what the page needs.

Beside `staging`. A Space installs what its requirements name and has nothing else of this project;
so the modules that the page imports go along, and `test_space_staging` runs it from what is there.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import RepoCard

from kemer.release.staging import copy_files

ROOT = Path(__file__).resolve().parents[2]
SPACE_FILES = ("README.md", "requirements.txt", "packages.txt", "*.py", "examples/*")
CODE_FILES = (
    "*_kemer.py",
    "kemer/__init__.py",
    "kemer/attention_weights.py",
    "kemer/fast/*.py",
    "kemer/trained.py",
    "kemer/predict/__init__.py",
    "kemer/predict/answering.py",
    "kemer/predict/cutting.py",
    "kemer/predict/reading.py",
    "kemer/predict/settings.py",
)


def stage_space(source: Path, target: Path, *, model_id: str) -> None:
    """Put the demo's Space together.

    Args:
        source: the folder `space`.
        target: an empty folder.
        model_id: the model that the demo loads, written into the head of its card.

    Raises:
        ValueError: if `source` is no such folder.
    """
    missing = [name for name in ("README.md", "app.py") if not (source / name).is_file()]
    if missing:
        raise ValueError(f"`SOURCE` {source} lacks {', '.join(missing)}; name `space`.")
    copy_files(source, target, SPACE_FILES)
    copy_files(ROOT, target, CODE_FILES)
    card = RepoCard.load(target / "README.md", ignore_metadata_errors=True)
    card.data["models"] = [model_id]
    card.save(target / "README.md")
