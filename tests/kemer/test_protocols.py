import doctest

import pytest

from dataset_script import protocols as built
from kemer import protocols
from kemer.protocols import DEFAULT_PROTOCOL, LEAKS, PROTOCOL_FILES, name_protocol


def test_the_builder_writes_what_training_reads() -> None:
    written = {
        name: f"folds/{form.format(corpus='corpus')}" for name, form in built.PROTOCOL_FILES.items()
    }
    assert {name: form.format(config="corpus") for name, form in PROTOCOL_FILES.items()} == written
    assert DEFAULT_PROTOCOL in PROTOCOL_FILES and LEAKS == {"random": built.LEAK}


def test_a_leak_says_so_in_its_name_and_in_its_files_name() -> None:
    for name, path in PROTOCOL_FILES.items():
        assert ("leak" in name_protocol(name)) == ("leak" in path) == (name in LEAKS)


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="`protocol` is 'script'; allowed are session, .*: choose"):
        name_protocol("script")


def test_the_examples_are_true() -> None:
    assert doctest.testmod(protocols).failed == 0
