import pytest

from dataset_script.layout import (
    COLUMNS_KEMDY19,
    COLUMNS_KEMDY20,
    KEMDY19_HEADER,
    KEMDY20_HEADER,
)
from dataset_script.tables import BadRowError, cell_of, count_rows, read_table

from .corpus_files import join_rows, make_segments, make_segments19


def _rows(config):
    if config == "kemdy20":
        return [s.cells(line) for line, s in enumerate(make_segments(1), 1)]
    return [s.cells(line, "F") for line, s in enumerate(make_segments19(1), 1)]


LAYOUTS = {
    "kemdy19": (KEMDY19_HEADER, COLUMNS_KEMDY19),
    "kemdy20": (KEMDY20_HEADER, COLUMNS_KEMDY20),
}


@pytest.mark.parametrize("config", LAYOUTS)
@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_headers_line_ends_and_marks_of_any_copy_give_the_same_rows(config, blank, newline, prefix):
    header, columns = LAYOUTS[config]
    respelt = [[cell.strip() or blank for cell in row] for row in header]
    rows = _rows(config)
    content = prefix + join_rows([*respelt, *rows], newline=newline).encode()
    table = read_table(content, columns)
    assert table == list(enumerate(rows, 3))


def test_columns_are_known_by_position_and_not_by_title():
    header = [["?"] * 37, KEMDY20_HEADER[1]]
    header[0][3:5] = ["segment id", "TOTAL evaluation"]
    rows = _rows("kemdy20")
    assert len(read_table(join_rows([*header, *rows]).encode(), COLUMNS_KEMDY20)) == len(rows)


def test_a_file_of_the_other_corpus_is_refused():
    content = join_rows([*KEMDY19_HEADER, *_rows("kemdy19")]).encode()
    with pytest.raises(BadRowError, match="43 columns where 37 are expected"):
        read_table(content, COLUMNS_KEMDY20)


def test_rows_of_an_unreadable_file_are_counted_without_headers_and_blanks():
    assert count_rows(b"a\nb\n\n1\r\n2\n") == 2 and count_rows(b"") == 0


def test_a_short_row_has_empty_cells():
    assert cell_of(["a"], 0) == "a" and cell_of(["a"], 1) == ""
