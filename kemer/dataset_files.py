"""What lies in the folder of a data set, by name: what is released of it, and what marks it.

`python -m dataset_script build` writes it; `data` reads it, `release` brings it to the Hub.
"""

from __future__ import annotations

from pathlib import Path

SYNTHETIC_MARKER = "synthetic.json"
"""There if nobody spoke in the data set."""

FOLD_FILES = ("folds/*.csv",)

DATASET_FILES = ("README.md", SYNTHETIC_MARKER, "data/**/*.parquet", *FOLD_FILES)
DATASET_FILES += ("scripts/*.csv", "bio/*.parquet", "reports/*")


def is_synthetic(folder: Path) -> bool:
    """Return whether a data set says that nobody spoke in it."""
    return (folder / SYNTHETIC_MARKER).is_file()
