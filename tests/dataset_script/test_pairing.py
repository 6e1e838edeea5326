from dataset_script.pairing import choose_names, have_same_times, pair_rows

from .corpus_files import make_segments19


def _rows(gender):
    segments = make_segments19(1)
    return [(line, segment.cells(line, gender)) for line, segment in enumerate(segments, 1)]


def _places(pairs):
    return [tuple(row and row[0] for row in pair) for pair in pairs]


def test_rows_stand_at_the_same_place():
    assert _places(pair_rows(_rows("F"), _rows("M"))) == [(n, n) for n in range(1, 9)]


def test_what_has_no_partner_stands_alone_and_the_order_is_that_of_the_m_file():
    rows_f, rows_m = _rows("F"), _rows("M")
    pairs = pair_rows(rows_f[1:], [*rows_m[:3], *rows_m[4:]])
    assert _places(pairs) == [
        *((None, 1), (2, 2), (3, 3), (5, 5), (6, 6), (7, 7), (8, 8)),
        (4, None),
    ]


def test_numbers_that_occur_twice_are_no_numbers():
    rows_f, rows_m = _rows("F"), _rows("M")
    for _, cells in rows_f:
        cells[0] = "1"
    assert _places(pair_rows(rows_f, rows_m)) == [(n, n) for n in range(1, 9)]


def test_a_name_is_taken_from_the_f_file_only_under_the_same_times():
    rows_f, rows_m = _rows("F"), _rows("M")
    right = [cells[9] for _, cells in rows_m]
    rows_m[2][1][9] = right[0]
    pairs = pair_rows(rows_f, rows_m)
    assert choose_names(1, pairs) == right
    rows_f[2][1][2] = "99.0"
    assert choose_names(1, pairs)[2] == right[0]
    rows_f[2][1][2] = rows_m[2][1][2]
    rows_m[2][1][9] = "nothing"
    assert choose_names(1, pairs) == right
    rows_f[5][1][9] = right[2]  # no longer its own alone
    assert choose_names(1, pairs)[2] is None


def test_times_are_the_same_to_a_millisecond():
    (_, cells), other = _rows("F")[0], list(_rows("F")[0][1])
    for written, same in (("2.5", True), ("2.501", True), ("2.503", False), ("soon", False)):
        other[2] = written
        assert have_same_times((1, cells), (1, other)) == same
