"""How a command ends where its user made a mistake: with one sentence, and without a traceback.

Around the body of every command; Python's development mode (`PYTHONDEVMODE=1`) shows the traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_in_a_sentence(program: str, *others: type[Exception]) -> Iterator[None]:
    """End the process with status 2 and the error's message in one line.

    Args:
        program: what the line begins with.
        *others: what is a mistake of the user beside ValueError and OSError.

    Raises:
        SystemExit: 2, for such an error.
    """
    try:
        yield
    except (ValueError, OSError, *others) as error:
        if sys.flags.dev_mode:
            raise
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
