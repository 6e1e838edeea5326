"""Which protocols a run can be tested by: the file of each, and which of them leaks.

`python -m dataset_script build` writes the files; `data` reads them, `results` names what was used.
"""

from __future__ import annotations

DEFAULT_PROTOCOL = "session"
CROSSED_PROTOCOL = "session+script"
RANDOM_PROTOCOL = "random"

PROTOCOL_FILES = {
    DEFAULT_PROTOCOL: "folds/{config}.csv",
    CROSSED_PROTOCOL: "folds/{config}.session-script.csv",
    "session-matched": "folds/{config}.session-matched.csv",
    RANDOM_PROTOCOL: "folds/{config}.random-leak.csv",
}
"""The folds of each protocol inside a dataset; `config` is the corpus."""

LEAKS = {
    RANDOM_PROTOCOL: "a leak: voices, dialogues and scripts of the test utterances are trained on"
}
"""What is wrong with a protocol that is there for comparison only."""


def name_protocol(protocol: str) -> str:
    """Return what a protocol is called wherever a score of it is shown.

    Args:
        protocol: one of `PROTOCOL_FILES`.

    Returns:
        its name, with the word leak where it is one.

    Raises:
        ValueError: for another name.

    Example:
        >>> name_protocol("session+script"), name_protocol("random")
        ('session+script', 'random (leak)')
    """
    refuse_unknown_protocol(protocol)
    return f"{protocol} (leak)" if protocol in LEAKS else protocol


def refuse_unknown_protocol(protocol: str) -> None:
    """Raise ValueError unless the name is one of `PROTOCOL_FILES`."""
    if protocol not in PROTOCOL_FILES:
        raise ValueError(
            f"`protocol` is {protocol!r}; allowed are {', '.join(PROTOCOL_FILES)}: choose one."
        )
