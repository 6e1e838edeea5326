"""The dataset card of a release: `README.md`, whose metadata tells `load_dataset` the configs.

The card is made from the reports of the configs that the release holds, so it can always be made
again, and it lists no config that is not there.
"""

from typing import Any

import yaml

from .layout import EMOTIONS, PAGES
from .protocols import LEAK

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

NAMES_LISTED = 5  # models, reasons and flags; the report has them all

SYNTHETIC_NOTICE = (
    "**Everything here is synthetic**: generated speech, generated lines, simulated raters. It has "
    "the form of the corpora and says nothing about people."
)

LICENCE_NOTICE = (
    "**Not to be redistributed.** These rows are derived from corpora that ETRI hands out on "
    "application, under a signed agreement. Keep this folder where the agreement allows: audio, "
    "transcripts, labels and features made from them are covered by it."
)

COLUMNS = {
    "id": "`<corpus>/<Segment ID>`, unique",
    "corpus, session, dialogue": "where the turn was recorded; session numbers repeat by corpus",
    "turn": "rank of the turn in its dialogue, from 0; a row that was dropped leaves a gap",
    "speaker, gender": "who speaks: name unique over sessions and corpora; `F` or `M`",
    "audio, duration": "16 kHz mono, the bytes of the corpus; seconds",
    "text_ko, text_ko_raw": "transcript without and with transcribers' marks; empty if missing",
    "text_en": "English rendering; empty if missing",
    "text_en_variants": "other English renderings of the same utterance; empty if there are none",
    "emotions": f"the corpus's total, what most raters said: of {', '.join(EMOTIONS)}",
    "emotion_votes": "share of the raters for each emotion, in this order; sums to 1",
    "valence, arousal": "the corpus's total, the mean of the raters, 1 to 5",
    "valence_std, arousal_std": "population standard deviation over the raters",
    "is_silent": "whether every sample of the audio is zero",
    "style": "`script` or `impro` for KEMDy19, `free` for KEMDy20",
    "script, is_scripted": "which script the dialogue plays, as the transcripts tell, and whether "
    "another dialogue plays it too; empty where that is not sure",
    "role": "whose emotion the labels describe: the `speaker`'s or the `listener`'s",
}


def write_card(reports: dict[str, dict[str, Any]]) -> str:
    """Write the card of a release.

    Args:
        reports: by config, what `BuildReport.to_dict` returns; at least one.

    Returns:
        The text of `README.md`.
    """
    synthetic = all(report["synthetic"] is not None for report in reports.values())
    parts = [
        f"---\n{_write_metadata(reports, synthetic=synthetic)}---\n",
        f"{SYNTHETIC_NOTICE if synthetic else LICENCE_NOTICE}\n",
        f"# {' and '.join(name.upper().replace('KEMDY', 'KEMDy') for name in reports)}"
        f"{' (synthetic sample)' if synthetic else ''}\n",
        _describe_use(sorted(reports)),
        _tabulate(reports),
        "## Columns\n",
        _tabulate_columns(),
        "One split, `train`, holds every row. `folds/<corpus>.csv` (fold, session, dialogue, role) "
        "says which sessions a fold trains, validates and tests on; an empty dialogue means the "
        "whole session. No session and no speaker has two roles in a fold. "
        f"{_describe_protocols(reports)} `scripts/<corpus>.csv` has the script of every dialogue; "
        "the report names its SHA-256. What was found wrong in the corpus, and what was done about "
        "it, is listed in `reports/<corpus>.json`.\n",
        *_describe_bio(reports),
        "## Translation\n",
        *(f"{_describe_translation(name, report)}\n" for name, report in sorted(reports.items())),
    ]
    return "\n".join(parts)


def _write_metadata(reports: dict[str, dict[str, Any]], *, synthetic: bool) -> str:
    rows = sum(report["rows_out"] for report in reports.values())
    metadata = {
        "pretty_name": "KEMDy",
        "language": ["ko", "en"],
        "license": "apache-2.0" if synthetic else "other",
        "task_categories": ["audio-classification", "text-classification"],
        "tags": ["emotion-recognition", "multimodal", "valence-arousal"]
        + ["synthetic"] * synthetic,
        "size_categories": [next((name for limit, name in SIZES if rows < limit), "n>1M")],
        "configs": [
            {
                "config_name": name,
                # `load_dataset` caches a local folder by this text alone: were it the same after
                # another build, the rows of the old one would come back.
                "data_files": [
                    {
                        "split": "train",
                        "path": f"data/{name}/train-*-{report['rows_digest']}.parquet",
                    }
                ],
            }
            for name, report in sorted(reports.items())
        ],
    }
    return yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)


def _describe_use(names: list[str]) -> str:
    loads = "\n".join(f'{name} = load_dataset(FOLDER, "{name}", split="train")' for name in names)
    return f"```python\nfrom datasets import load_dataset\n\n{loads}\n```\n"


def _describe_protocols(reports: dict[str, dict[str, Any]]) -> str:
    """Say which other folds there are, and which of them leak."""
    crossed = [
        f"`folds/{name}.session-script.csv` holds out scripts as well, and "
        f"`folds/{name}.session-matched.csv` trains on as few dialogues without holding any out."
        for name, report in sorted(reports.items())
        if "file" in (report.get("protocols") or {}).get("session+script", {})
    ]
    leak = (
        f"`folds/<corpus>.random-leak.csv` (fold, id, role) deals utterances, which is {LEAK}; "
        "it is there for comparison only."
    )
    return " ".join([*crossed, leak])


def _describe_bio(reports: dict[str, dict[str, Any]]) -> list[str]:
    """Say what tables of bio-signals there are; nothing if none was asked for."""
    names = [name for name, report in sorted(reports.items()) if "bio" in report["options"]]
    files = " and ".join(f"`bio/{name}.parquet`" for name in names)
    return [
        f"{files}: bio-signals, one row a segment (`id`), person (`wearer`) and `signal`, with "
        "`values` and `times` (the wearer's clock). Many segments have none.\n"
    ] * bool(names)


def _describe_translation(name: str, report: dict[str, Any]) -> str:
    """Say what the English of a config comes from, and what it knew of the dialogue."""
    if report["options"]["translations"] is None:
        return f"**{name}**: none; `text_en` is empty in every row."
    facts = report.get("translation")
    if facts is None:
        return f"**{name}**: not recorded; build it again with this version."
    sentences = [f"**{name}**: {_describe_origin(facts)}"]
    if facts["models"]:
        sentences.append(_describe_window(facts))
    return " ".join([*sentences, *_describe_counts(facts, missing=report["missing_translations"])])


def _describe_origin(facts: dict[str, Any]) -> str:
    """Say by what and when the English was made, and of how much of it nobody says so."""
    if not facts["models"]:
        return (
            "made by hand, or by something that left no record: neither model nor prompt, context "
            "or date is known."
        )
    parts = [
        f"{title} {_list(facts[key])}"
        for title, key in (("by", "models"), ("prompt", "prompt_versions"))
        if facts[key]
    ]
    drafts = [f"`{name}`" for name in facts["draft_models"] if name != "none"]
    if facts["draft_models"]:
        parts.append(f"from a draft by {', '.join(drafts)}" if drafts else "without a draft")
    if facts["dates"]:
        parts.append(" to ".join(dict.fromkeys(facts["dates"])))
    unknown = facts["unknown_origin"]
    others = f" Of {unknown:,} renderings nothing says what made them." if unknown else ""
    return f"{', '.join(parts)}.{others}"


def _describe_window(facts: dict[str, Any]) -> str:
    """Say which utterances a translation was made in view of, and whether those include later."""
    if not facts["contexts"]:
        return "What of the dialogue was in view is not recorded."
    windows = " or ".join(
        f"{before or 'none'} of the utterances before it and {after or 'none'} of those after it"
        for before, after in facts["contexts"]
    )
    together = max(facts["targets"], default=1)
    beside = f", beside up to {together - 1} others of its request," * (together > 1)
    seen = f"Each utterance was translated with {windows}{beside} in view"
    if any(after for _, after in facts["contexts"]):
        return f"{seen}: the English may know what is said later, so it is **not causal**."
    if together > 1:
        return (
            f"{seen}: the English may know what later ones of its request say, so it is **not "
            "causal**."
        )
    return f"{seen}: it is causal, nothing that is said later has a say."


def _describe_counts(facts: dict[str, Any], *, missing: int) -> list[str]:
    statuses = ", ".join(f"{status} {count:,}" for status, count in facts["statuses"].items())
    made = facts["statuses"].get("ok", 0)
    share = facts["flagged"] / made if made else 0.0
    sentences = [
        f"Lines by status: {statuses or 'none'}.",
        f"Failed: {_list(facts['reasons'])}." if facts["reasons"] else "",
        f"Rows with Korean text and no English: {missing:,}.",
        f"With other renderings: {facts['variants']:,}.",
        f"Flagged: {share:.1%}{' (' + _list(facts['flags']) + ')' if facts['flags'] else ''}.",
    ]
    return [sentence for sentence in sentences if sentence]


def _list(counts: dict[str, int]) -> str:
    """The commonest names, with their counts where there are several."""
    if len(counts) == 1:
        return f"`{next(iter(counts))}`"
    named = [f"`{name}` ({count:,})" for name, count in list(counts.items())[:NAMES_LISTED]]
    return ", ".join(named) + ", …" * (len(counts) > NAMES_LISTED)


def _tabulate_columns() -> str:
    lines = ["| column | meaning |", "|---|---|"]
    for names, meaning in COLUMNS.items():
        lines.append(f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {meaning} |")
    return "\n".join(lines) + "\n"


def _count_scripts(report: dict[str, Any]) -> str:
    scripts = report.get("scripts")  # a config that an older version built has none
    if scripts is None or scripts["verdict"] == "refused":
        return "not known"
    return f"{scripts['recurring']} ({scripts['scripted']})"


def _tabulate(reports: dict[str, dict[str, Any]]) -> str:
    """One column a config, one line a figure."""
    names = sorted(reports)
    figures = {
        "rows (of the corpus; dropped)": lambda r: (
            f"{r['rows_out']:,} ({r['rows_in']:,}; {r['rows_dropped']:,})"
        ),
        "sessions / dialogues / speakers": lambda r: (
            f"{len(r['sessions'])} / {r['dialogues']} / {r['speakers']}"
        ),
        "hours": lambda r: f"{r['hours']:.2f}",
        **{
            f"rows with {emotion}": lambda r, emotion=emotion: f"{r['emotions'].get(emotion, 0):,}"
            for emotion in EMOTIONS
        },
        "rows with several emotions": lambda r: f"{r['multi_label_rows']:,}",
        "silent wavs": lambda r: f"{r['silent_rows']:,}",
        "transcripts missing": lambda r: f"{r['missing_transcripts']:,}",
        "transcribers' marks in `text_ko`": lambda r: (
            "kept" if r["options"]["keep_markers"] else "stripped"
        ),
        "labels of the": lambda r: r["options"]["role"],
        "English from": lambda r: r["options"]["translations"] or "none",
        "scripts that recur (in dialogues)": _count_scripts,
        "source": lambda r: (
            "generated" if r["synthetic"] is not None else f"[ETRI]({PAGES[r['config']]})"
        ),
    }
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for title, figure in figures.items():
        lines.append(f"| {title} | {' | '.join(figure(reports[name]) for name in names)} |")
    return "\n".join(lines) + "\n"
