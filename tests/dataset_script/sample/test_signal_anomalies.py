import pytest

from dataset_script.sample.session import SampleOptions
from dataset_script.sample.signal_anomalies import JUNK, rename_wearers, spoil_signals
from dataset_script.sample.writer import write_sample_corpus

from .written import read_tree


@pytest.fixture(params=["kemdy20", "kemdy19"])
def spoilt(request, uncalibrated, tmp_path):
    """Layout, files before and after, and what was reported as planted, by kind."""
    options = SampleOptions(sessions=2, turns=6, layout=request.param, bio=True, recordings=False)
    write_sample_corpus(tmp_path, options)
    before, planted = read_tree(tmp_path), {}

    def add(kind, file, *, line=None, named=True):
        planted[kind] = (file.relative_to(tmp_path).as_posix(), line, named)

    spoil_signals(tmp_path, request.param, add)
    return request.param, before, read_tree(tmp_path), planted


def test_each_fault_is_in_a_file_of_its_own_and_nothing_else_changed(spoilt):
    layout, before, after, planted = spoilt
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {file for file, _, _ in planted.values()}
    assert len(changed) == len(planted) == (5 if layout == "kemdy20" else 4)
    named = {kind for kind, (_, _, is_named) in planted.items() if is_named}
    assert named == {"signal_prefix", "signal_lines", "missing_signal"}


def test_a_file_is_of_another_session(spoilt):
    _, before, after, planted = spoilt
    file, line, _ = planted["signal_prefix"]
    old, new = before[file].decode().splitlines(), after[file].decode().splitlines()
    assert [one.replace(",Sess01_", ",Sess42_") for one in old] == new
    assert [n for n, one in enumerate(new, 1) if ",Sess42_" in one][0] == line


def test_lines_are_added_that_are_no_values(spoilt):
    _, before, after, planted = spoilt
    file, line, _ = planted["signal_lines"]
    new = after[file].decode().splitlines()
    assert tuple(new[line - 1 : line + 2]) == JUNK
    assert new[: line - 1] + new[line + 2 :] == before[file].decode().splitlines()


def test_files_are_missing_empty_or_without_ids(spoilt):
    layout, before, after, planted = spoilt
    assert planted["missing_signal"][0] not in after
    file = planted["signal_outside"][0]
    assert b"Sess" in before[file] and b"Sess" not in after[file]
    assert before[file].count(b"\n") == after[file].count(b"\n")
    if layout == "kemdy20":
        file = planted["empty_signal_file"][0]
        assert file.startswith("IBI/") and after[file] == b""


def test_wearers_are_renamed_in_names_and_ids(uncalibrated, tmp_path):
    options = SampleOptions(sessions=2, turns=2, bio=True, recordings=False)
    write_sample_corpus(tmp_path, options)
    before = read_tree(tmp_path)
    users = sorted({name.split("_")[2][:8] for name in before if name.startswith("EDA/Session02")})
    rename_wearers(tmp_path, 2, dict(zip(users, ("User081F", "User082F"), strict=True)))
    after = read_tree(tmp_path)

    def rename(text):
        return text.replace(users[0], "User081F").replace(users[1], "User082F")

    for name, content in before.items():
        if name[:4] in ("EDA/", "IBI/", "TEMP") and "Session02" in name:
            assert after.pop(rename(name)) == rename(content.decode()).encode()
        else:
            assert after.pop(name) == content
    assert after == {}
