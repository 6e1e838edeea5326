"""A table's page, `table.md`: what the rows score on each corpus under each protocol, and why.

After `sections`, whose tables it puts together. The numbers for programs are in `table.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kemer.estimates import Estimate
from kemer.intervals import TooFewSessions
from kemer.markdown import markdown_table
from kemer.protocols import LEAKS, name_protocol
from kemer.report import SYNTHETIC_NOTE
from kemer.table.answers import DECODINGS, OWN_DECODING
from kemer.table.scores import RowScores
from kemer.table.sections import (
    DECODING_TITLES,
    HEADINGS,
    ProtocolReport,
    calibration_table,
    comparison_table,
    decoding_table,
    format_estimate,
    main_table,
    session_table,
    slice_table,
    two_way_table,
)


def write_page(
    reports: Sequence[ProtocolReport],
    *,
    synthetic: bool,
    published: Mapping[str, tuple[float, float]],
    figures: Mapping[tuple[str, str], str],
    pooled: str,
) -> str:
    """Return the page.

    Args:
        reports: of each corpus and protocol.
        synthetic: whether the speech is synthetic.
        published: by row, exact match in percent and Distance as the paper prints them.
        figures: by corpus and protocol, the file of the figure.
        pooled: the section of all corpora together, "" with one.
    """
    title = "# Table 1" + (" (synthetic speech)" if synthetic else "")
    sections = [title, *([SYNTHETIC_NOTE] if synthetic else []), _reading_section(reports[0])]
    for report in reports:
        figure = figures[report.corpus, report.protocol]
        sections += _protocol_sections(report, published=published, figure=figure)
    if len({report.protocol for report in reports}) > 1:
        sections.append(_side_by_side(reports))
    return "\n\n".join([*sections, *([pooled] if pooled else [])]) + "\n"


def pooled_section(
    pooled: Mapping[tuple[str, str], Mapping[str, Estimate]], titles: Mapping[str, str]
) -> str:
    """Return the section of all corpora together.

    Args:
        pooled: by row and decoding, the scores.
        titles: by row name.
    """
    rows = [
        [titles[row], DECODING_TITLES[decoding], *(format_estimate(e) for e in found.values())]
        for (row, decoding), found in pooled.items()
    ]
    header = ["row", "decoding", *(HEADINGS[metric] for metric in next(iter(pooled.values())))]
    return (
        "## All corpora together\n\n"
        f"{markdown_table(header, rows)}\n\n"
        "Means of the corpora's own scores, weighted by their utterances; read them beside the "
        "tables of each corpus, never in their place."
    )


def _reading_section(report: ProtocolReport) -> str:
    return (
        "Every model row is trained on the same folds and seeds "
        f"({', '.join(map(str, report.seeds))}), and each utterance is answered once, in the fold "
        "that holds it out. In brackets: 95 % intervals with the session as the unit (t interval "
        "for means, session bootstrap for macro-F1 and CCC). They hold for these trained models; "
        "the folds share training data. Distance is the mean squared error of valence and arousal "
        "on the scale 1 to 5; lower is better."
    )


def _protocol_sections(
    report: ProtocolReport, *, published: Mapping[str, tuple[float, float]], figure: str
) -> list[str]:
    leak = LEAKS.get(report.protocol)
    any_row = next(iter(report.scores.values()))
    sessions = len(any_row.sums["exact_match"].sizes)
    head = (
        f"## {report.corpus}, protocol {name_protocol(report.protocol)}\n\n"
        + (f"**This is {leak}.** Read it beside `session` only.\n\n" if leak else "")
        + f"{any_row.utterances:,} utterances of {sessions} sessions, {report.folds} folds (file "
        f"of folds `{report.folds_sha256[:12]}`)."
    )
    if isinstance(any_row.estimates["exact_match"], TooFewSessions):
        head += (
            " Too few sessions for an interval: exact match of each session stands below the table."
        )
    sections = [
        head,
        main_table(report, published=published),
        f"![Exact match and Distance]({figure})",
    ]
    if isinstance(any_row.estimates["exact_match"], TooFewSessions):
        sections.append(session_table(report))
    return [
        *sections,
        comparison_table(report),
        decoding_table(report),
        *([two_way_table(report)] if any(one.two_way for one in report.scores.values()) else []),
        calibration_table(report),
        slice_table(report),
    ]


def _side_by_side(reports: Sequence[ProtocolReport]) -> str:
    """Return exact match under each protocol, and the leak where it can be told."""
    sections = ["## Protocols side by side"]
    for corpus in dict.fromkeys(report.corpus for report in reports):
        by_protocol = {one.protocol: one for one in reports if one.corpus == corpus}
        rows = []
        for row, title in next(iter(by_protocol.values())).titles.items():
            for decoding in (*DECODINGS, OWN_DECODING):
                found = {name: one.scores.get((row, decoding)) for name, one in by_protocol.items()}
                if None not in found.values():
                    matches = [one.estimates["exact_match"] for one in found.values()]
                    cells = [format_estimate(match) for match in matches]
                    rows.append([title, DECODING_TITLES[decoding], *cells, _leak(found)])
        header = ["row", "decoding", *map(name_protocol, by_protocol), "leak through scripts"]
        sections.append(f"### {corpus}, exact match\n\n{markdown_table(header, rows)}")
    sections.append(
        "The leak through scripts is `session-matched` less `session+script`: both train on as "
        "much speech, and in the former every test script was heard in other sessions."
    )
    return "\n\n".join(sections)


def _leak(found: Mapping[str, RowScores]) -> str:
    matched, crossed = found.get("session-matched"), found.get("session+script")
    if matched is None or crossed is None:
        return ""
    difference = matched.estimates["exact_match"].value - crossed.estimates["exact_match"].value
    return f"{difference:+.3f}"
