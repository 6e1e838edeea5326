import doctest
import re

import page_texts
from configuration_kemer import EMOTIONS
from page_texts import TEXTS, preferred_language


def test_both_languages_say_the_same_things() -> None:
    korean, english = TEXTS["ko"], TEXTS["en"]
    assert list(korean) == list(english)
    for name in english:
        blanks = [re.findall(r"{\w+}", texts[name]) for texts in (korean, english)]
        assert sorted(blanks[0]) == sorted(blanks[1]), name
        assert re.search("[가-힣]", korean[name]), name
        assert not re.search("[가-힣]", english[name]), name
    assert set(EMOTIONS) <= set(english)


def test_a_visitor_without_a_language_reads_english() -> None:
    assert preferred_language(None) == preferred_language("") == "English"


def test_examples_run() -> None:
    assert doctest.testmod(page_texts).failed == 0
