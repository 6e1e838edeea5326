import doctest

from kemer import markdown
from kemer.markdown import markdown_table


def test_numbers_stand_to_the_right() -> None:
    table = markdown_table(["score", "value"], [["exact match", "0.500"]])
    assert table == "| score | value |\n| --- | ---: |\n| exact match | 0.500 |"


def test_examples_run() -> None:
    assert doctest.testmod(markdown).attempted == 1
