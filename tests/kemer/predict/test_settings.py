import importlib.util
import subprocess
import sys

import pytest

from kemer.predict.settings import CutSettings


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, message in (
        ({"by": "words"}, "`--cut` is 'words'; allowed is one of silence, voice"),
        ({"silence_seconds": 0.0}, "`--silence-seconds` is 0.0"),
        ({"longest": 0.5}, "`--longest` 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            CutSettings(**wrong)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="needs the package silero-vad"):
        CutSettings(by="voice")


def test_help_and_mistakes_do_not_wait_for_the_libraries() -> None:
    script = (
        "import sys; from kemer.predict.__main__ import make_parser; make_parser().format_help();"
        "assert not {'torch', 'transformers'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
