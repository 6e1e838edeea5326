from kemer.table.report import pooled_section, write_page
from kemer.table.sections import ProtocolReport, format_estimate
from tests.kemer.table.reports import make_report


def page_of(*reports: ProtocolReport, synthetic: bool = False, pooled: str = "") -> str:
    figures = {(one.corpus, one.protocol): f"{one.protocol}.png" for one in reports}
    return write_page(reports, synthetic=synthetic, published={}, figures=figures, pooled=pooled)


def test_the_page_says_what_was_measured() -> None:
    page = page_of(make_report(), synthetic=True)
    assert page.startswith("# Table 1 (synthetic speech)") and "**Synthetic speech.**" in page
    assert "120 utterances of 12 sessions, 2 folds (file of folds `0123456789ab`)" in page
    assert "![Exact match and Distance](session.png)" in page
    for heading in ("Scores", "Both against each other row", "Decodings", "Calibration"):
        assert f"### {heading}" in page
    assert "side by side" not in page and "ynthetic" not in page_of(make_report())


def test_few_sessions_are_shown_one_by_one() -> None:
    page = page_of(make_report(folds=(0,)))
    assert "Too few sessions for an interval" in page and "### Exact match by session" in page
    assert "### Exact match by session" not in page_of(make_report())


def test_a_leak_is_named_beside_its_scores() -> None:
    page = page_of(make_report(), make_report(protocol="random"))
    assert "## kemdy20, protocol random (leak)\n\n**This is a leak: voices, dialogues" in page
    assert "| random (leak) |" in page.split("## Protocols side by side")[1]


def test_protocols_stand_side_by_side_with_the_leak_through_scripts() -> None:
    names = ("session", "session-matched", "session+script")
    reports = {name: make_report(protocol=name) for name in names}
    # What a model scores depends on nothing but what it answered: make one protocol harder.
    harder = make_report(protocol="session+script", folds=(0, 1))
    scores = dict(harder.scores)
    scores["joint", "argmax"] = harder.scores["voice", "argmax"]
    object.__setattr__(harder, "scores", scores)
    page = page_of(reports["session"], reports["session-matched"], harder)
    table = page.split("## Protocols side by side")[1]
    line = next(row for row in table.splitlines() if row.startswith("| Both | most probable"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    matched = reports["session-matched"].scores["joint", "argmax"].estimates["exact_match"]
    crossed = scores["joint", "argmax"].estimates["exact_match"]
    assert cells[3] == format_estimate(matched) and cells[4] == format_estimate(crossed)
    assert cells[5] == f"{matched.value - crossed.value:+.3f}" and matched.value > crossed.value


def test_the_pooled_section_follows_the_corpora() -> None:
    report = make_report()
    estimates = {"exact_match": report.scores["joint", "argmax"].estimates["exact_match"]}
    section = pooled_section({("joint", "argmax"): estimates}, report.titles)
    assert format_estimate(estimates["exact_match"]) in section
    page = page_of(report, pooled=section)
    assert page.index("## kemdy20") < page.index("## All corpora together")
