import sys
from types import SimpleNamespace

import pytest

from kemer.mistakes import told_in_a_sentence


@pytest.mark.parametrize("error", [ValueError, OSError, KeyError])
def test_a_mistake_ends_in_one_sentence(
    error: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, told_in_a_sentence("program", KeyError):
        raise error("this is\n   wrong")
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("program: ") and shown.err.count("\n") == 1 and not shown.out


def test_what_is_no_users_mistake_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), told_in_a_sentence("program"):
        raise ZeroDivisionError


def test_development_mode_shows_where_an_error_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "flags", SimpleNamespace(dev_mode=True))
    with pytest.raises(ValueError, match="wrong"), told_in_a_sentence("program"):
        raise ValueError("wrong")
