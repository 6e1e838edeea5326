"""What the tests' Hub asks of a card's head, after the Hub's own documentation of each kind.

https://huggingface.co/docs/hub/model-cards, .../datasets-cards and .../spaces-config-reference.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

HEAD = re.compile(r"^---\n(.*?)\n---", re.DOTALL)
LICENCES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "other"}
TASKS = {"audio-classification", "text-classification", "automatic-speech-recognition"}
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SDKS = {"gradio", "docker", "static"}
LONGEST_DESCRIPTION = 60


def card_errors(kind: str, content: str) -> list[str]:
    """Return what is wrong with a card.

    Args:
        kind: `model`, `dataset` or `space`.
        content: of its README.md.
    """
    found = HEAD.match(content)
    if found is None:
        return ["empty or missing yaml metadata in repo card"]
    try:
        head = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        return [f"the metadata is no YAML: {error}"]
    wrong = {"model": _wrong_in_model, "dataset": _wrong_in_dataset, "space": _wrong_in_space}
    errors = [] if head.get("license") in LICENCES else [f"license {head.get('license')!r}"]
    if head.get("license") == "other" and kind == "model" and not head.get("license_name"):
        errors.append("a license of its own needs `license_name`")
    return errors + wrong[kind](head)


def _wrong_in_model(head: dict[str, Any]) -> list[str]:
    errors = [f"language {code!r}" for code in _list(head, "language") if not _is_code(code)]
    if head.get("pipeline_tag") not in TASKS:
        errors.append(f"pipeline_tag {head.get('pipeline_tag')!r}")
    for model in head.get("model-index", []):
        for result in model["results"]:
            complete = result["task"].get("type") and result["dataset"].get("type")
            if not model.get("name") or not complete or not result["dataset"].get("name"):
                errors.append("model-index lacks a name, a task or a dataset")
            for metric in result["metrics"]:
                if not metric.get("type") or not isinstance(metric.get("value"), float | int):
                    errors.append(f"metric {metric!r}")
    return errors


def _wrong_in_dataset(head: dict[str, Any]) -> list[str]:
    errors = [f"language {code!r}" for code in _list(head, "language") if not _is_code(code)]
    for name, allowed in (("task_categories", TASKS), ("size_categories", SIZES)):
        errors += [f"{name} {one!r}" for one in _list(head, name) if one not in allowed]
    for config in head.get("configs", []):
        if not config.get("config_name") or not config.get("data_files"):
            errors.append(f"config {config!r}")
    return errors


def _wrong_in_space(head: dict[str, Any]) -> list[str]:
    errors = [
        f"{name} {head.get(name)!r}"
        for name, allowed in (("sdk", SDKS), ("colorFrom", COLOURS), ("colorTo", COLOURS))
        if head.get(name) not in allowed
    ]
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(head.get("sdk_version"))):
        errors.append(f"sdk_version {head.get('sdk_version')!r}")
    if not head.get("title") or not head.get("app_file"):
        errors.append("a Space needs `title` and `app_file`")
    if len(head.get("short_description", "")) > LONGEST_DESCRIPTION:
        errors.append("short_description is too long")
    return errors


def _list(head: dict[str, Any], name: str) -> list[Any]:
    value = head.get(name, [])
    return value if isinstance(value, list) else [value]


def _is_code(code: Any) -> bool:
    return isinstance(code, str) and re.fullmatch("[a-z]{2,3}", code) is not None
