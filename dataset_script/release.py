"""A release: the folder of Parquet, folds, reports and card that `load_dataset` reads.

    DIR/
    ├─ README.md                    card; its YAML names the configs below, and only these
    ├─ data/<corpus>/train-00000-of-00005-<digest>.parquet …    rows with their audio inside
    ├─ folds/<corpus>.csv, folds/<corpus>.<protocol>.csv    which rows are held out (`protocols.py`)
    ├─ scripts/<corpus>.csv         which dialogues play the same script (session, dialogue, script)
    ├─ bio/<corpus>.parquet         bio-signals by segment, where they were asked for
    ├─ reports/<corpus>.json        counts and every problem of the build
    └─ synthetic.json               only of generated corpora: what their generator says of them

A build happens in a fresh folder beside DIR and takes its place by a rename at the very end: a
build that fails or is interrupted leaves the old release as it was, and no row of an older build
survives. What DIR holds besides the corpus that is built, another corpus for one, moves along. A
process that is killed outright leaves its folder `.DIR.building-…` behind, to be deleted by hand;
should DIR be missing then, the old release is `old` inside it.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
from datasets.exceptions import DatasetGenerationError

from .archive import open_files
from .builder import Kemdy
from .card import write_card
from .clusters import ScriptClusters, write_script_groups
from .discovery import find_annotation_files, read_synthetic_marker
from .files import CorpusFiles
from .folds import DEFAULT_FOLDS, assign_folds, validate_folds
from .layout import ROLES, SYNTHETIC_MARKER
from .protocols import PROTOCOL_FILES, Utterance, write_protocols
from .records import check_role
from .replacement import replace_folder
from .report import BuildReport, CorpusError
from .signals import read_signals, write_signals

SHARD_SIZE = "500MB"
HASH_BLOCK = 1 << 20  # bytes


def build_release(
    corpus_dir: str | Path,
    output: str | Path,
    *,
    config: str,
    translations: str | Path | None = None,
    require_translations: bool = False,
    n_folds: int | None = None,
    keep_markers: bool = False,
    role: str = ROLES[0],
    script_groups: str | Path | None = None,
    bio: bool = False,
) -> dict[str, Any]:
    """Build one corpus into a release folder.

    Args:
        corpus_dir: the unpacked corpus, or the zip as it was delivered.
        output: the release; made if missing, its `config` replaced if it is there.
        config: which corpus it is, such as `kemdy20`.
        translations: JSON Lines of `{"id", "text_en"}`.
        require_translations: refuse to build where a row with Korean text has no English, even
            if it would be dropped for its recording.
        n_folds: number of folds over the sessions; by default that which a synthetic corpus was
            spoken for, else `DEFAULT_FOLDS`.
        keep_markers: leave transcribers' marks in `text_ko`.
        role: whose emotion the labels describe: `speaker`, or for `kemdy19` `listener`.
        script_groups: CSV that says which script each dialogue plays (`clusters.py`); None finds it
            in the transcripts.
        bio: write the bio-signals too.

    Returns:
        The report, as in `reports/<config>.json`.

    Raises:
        CorpusError: if the corpus or the translations cannot be used, translations are missing and
            required, `output` holds something that is no release, a synthetic corpus would share a
            release with a real one, or was spoken for another number of folds.
        ValueError: if `n_folds` does not suit the number of sessions.
    """
    target = Path(output).expanduser().resolve()
    check_role(config, role)
    reports = read_reports(target)
    _check_output(target, reports)
    others = {name: report for name, report in reports.items() if name != config}
    if script_groups is None:
        _check_script_groups(target, reports.get(config))
    files = open_files(corpus_dir)
    n_folds = _choose_folds(files, n_folds)
    _check_corpus(files, others, config=config, n_folds=n_folds)
    with replace_folder(target) as fresh:
        builder = _write_rows(
            fresh,
            config_name=config,
            data_dir=str(corpus_dir),
            translations=None if translations is None else str(translations),
            require_translations=require_translations,
            keep_markers=keep_markers,
            role=role,
            script_groups=None if script_groups is None else str(script_groups),
        )
        report = builder.report
        if bio:
            _write_bio(report, fresh, open_files(corpus_dir))
        _write_folds(report, builder.scripts, fresh, n_folds=n_folds)
        summary = report.to_dict()
        _write_json(fresh / "reports" / f"{config}.json", summary)
        _carry_over(target, fresh, config=config)
        _write_overview(fresh, {**others, config: summary})
    return summary


def read_reports(release: str | Path) -> dict[str, dict[str, Any]]:
    """Read the reports of all configs in a release.

    Args:
        release: the folder.

    Returns:
        The reports by config; none if the folder does not exist or is no release.
    """
    reports = {}
    for file in sorted(Path(release).glob("reports/*.json")):
        if any(Path(release, "data", file.stem).glob("train-*.parquet")):
            reports[file.stem] = json.loads(file.read_text(encoding="utf-8"))
    return reports


def _check_output(target: Path, reports: dict[str, Any]) -> None:
    if target.exists() and not target.is_dir():
        raise CorpusError(f"`output` {str(target)!r} is a file; give a folder.")
    if target.is_dir() and any(target.iterdir()) and not reports:
        raise CorpusError(
            f"`output` {str(target)!r} is not empty and is no release of this program; "
            "give a new or empty folder."
        )


def _check_script_groups(target: Path, report: dict[str, Any] | None) -> None:
    """Refuse to write over scripts that a person has corrected."""
    scripts = None if report is None else report.get("scripts")
    if scripts is None:
        return
    file = target / "scripts" / f"{report['config']}.csv"
    if not file.is_file():
        return
    is_edited = hashlib.sha256(file.read_bytes()).hexdigest() != scripts["sha256"]
    if is_edited or scripts["verdict"] == "given":
        raise CorpusError(
            f"{str(file)!r} was corrected by hand and would be lost; give it with "
            "`--script-groups`, or delete it to have the scripts found anew."
        )


def _choose_folds(folder: CorpusFiles, n_folds: int | None) -> int:
    """Return the number of folds; a synthetic corpus has its voices dealt for one number only."""
    marker = read_synthetic_marker(folder) or {}
    spoken_for = marker.get("folds")
    if n_folds is not None and spoken_for is not None and n_folds != spoken_for:
        raise CorpusError(
            f"`n_folds` is {n_folds} and the voices of {str(folder.root)!r} were dealt for "
            f"{spoken_for} folds: a voice would be on both sides of a fold; leave `--folds` out, "
            f"or speak the corpus with `sample --folds {n_folds}`."
        )
    return n_folds or spoken_for or DEFAULT_FOLDS


def _check_corpus(
    folder: CorpusFiles, others: dict[str, dict[str, Any]], *, config: str, n_folds: int
) -> None:
    """Find out before the long part whether the corpus suits the folds and the release."""
    assign_folds(find_annotation_files(folder, config), n_folds=n_folds)
    is_synthetic = read_synthetic_marker(folder) is not None
    for name, report in others.items():
        if (report["synthetic"] is not None) != is_synthetic:
            kinds = ("a real", "a synthetic") if is_synthetic else ("a synthetic", "a real")
            raise CorpusError(
                f"`output` holds {kinds[0]} {name} and {str(folder.root)!r} is {kinds[1]} corpus; "
                "keep the two in separate folders."
            )


def _write_rows(fresh: Path, **builder_options: Any) -> Kemdy:
    """Run the builder into `data/<config>` as Parquet."""
    cache = fresh / ".cache"
    builder = Kemdy(cache_dir=str(cache), **builder_options)
    config = builder.config.name
    raw = fresh / ".rows"
    try:
        builder.download_and_prepare(str(raw), file_format="parquet", max_shard_size=SHARD_SIZE)
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, (CorpusError, OSError)):
            raise error.__cause__ from None
        raise
    data = fresh / "data" / config
    data.mkdir(parents=True)
    shards = sorted(raw.glob("*.parquet"))
    digest = builder.report.rows_digest = _hash_files(shards)
    for number, shard in enumerate(shards):
        shard.rename(data / f"train-{number:05d}-of-{len(shards):05d}-{digest}.parquet")
    (fresh / "scripts").mkdir()
    write_script_groups(builder.scripts, fresh / "scripts" / f"{config}.csv")
    for leftover in (cache, raw):
        shutil.rmtree(leftover)
    for lock in fresh.glob(".rows*"):
        lock.unlink()
    for name in ("translations", "script_groups"):
        given = builder_options[name]
        builder.report.options[name] = given and Path(given).name
    return builder


def _hash_files(paths: list[Path]) -> str:
    """16 hexadecimal digits that stand for the bytes of all files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:16]


def _write_bio(report: BuildReport, fresh: Path, folder: CorpusFiles) -> None:
    """Write the bio-signals of the rows that were just written."""
    config = report.config
    rows = pyarrow.parquet.read_table(fresh / "data" / config, columns=["id"])
    known = {row_id.split("/", 1)[1] for row_id in rows["id"].to_pylist()}
    path = fresh / "bio" / f"{config}.parquet"
    path.parent.mkdir()
    signals = read_signals(config, folder, report, known=known)
    report.options["bio"] = write_signals(signals, path, config=config)
    if not any(report.options["bio"].values()):
        message = "no file has a value of a bio-signal; the table is empty"
        report.add_problem("no_signals", path.name, message=message)


def _write_folds(
    report: BuildReport, scripts: ScriptClusters, fresh: Path, *, n_folds: int
) -> None:
    """Write the folds of every protocol for the rows that were just written."""
    try:
        rows = assign_folds(report.sessions, n_folds=n_folds)
    except ValueError as error:
        lost = next((found for found in report.problems if found.kind == "annotation_file"), None)
        if lost is None:
            raise
        raise CorpusError(f"{lost.place}: {lost.message}. Without its session, {error}") from error
    validate_folds(rows, sessions=report.sessions)
    folder = fresh / "folds"
    folder.mkdir()
    report.options["n_folds"] = n_folds
    report.protocols = write_protocols(
        folder,
        _read_utterances(fresh / "data" / report.config),
        corpus=report.config,
        session_folds=rows,
        scripts=scripts,
    )
    report.options["folds_sha256"] = report.protocols["session"]["sha256"]
    missing = sorted(set(range(1, max(report.sessions) + 1)) - report.sessions)
    if missing:
        report.add_problem(
            "missing_session",
            f"folds/{report.config}.csv",
            message=f"sessions {missing} have no rows; the others were ranked without them, so the "
            "folds are not those of the whole corpus",
        )


def _read_utterances(data: Path) -> list[Utterance]:
    """Read what protocols know of the rows that were just written."""
    columns = ("id", "session", "dialogue", "emotions")
    table = pyarrow.parquet.read_table(data, columns=list(columns))
    cells = (table[name].to_pylist() for name in columns)
    return [
        Utterance(row_id, session, dialogue, tuple(emotions))
        for row_id, session, dialogue, emotions in zip(*cells, strict=True)
    ]


def _carry_over(target: Path, fresh: Path, *, config: str) -> None:
    """Copy what the old release holds beyond what is built anew."""
    if not target.exists():
        return
    replaced = {
        target / name
        for name in (
            "README.md",
            SYNTHETIC_MARKER,
            f"data/{config}",
            *(f"folds/{name.format(corpus=config)}" for name in PROTOCOL_FILES.values()),
            f"scripts/{config}.csv",
            f"bio/{config}.parquet",
            f"reports/{config}.json",
        )
    }
    shutil.copytree(
        target,
        fresh,
        symlinks=True,
        dirs_exist_ok=True,
        ignore=lambda folder, names: {name for name in names if Path(folder, name) in replaced},
    )


def _write_overview(fresh: Path, reports: dict[str, dict[str, Any]]) -> None:
    """Write what speaks of all configs: the card and the mark of generated corpora."""
    (fresh / "README.md").write_text(write_card(reports), encoding="utf-8")
    synthetic = {name: report["synthetic"] for name, report in sorted(reports.items())}
    if all(marker is not None for marker in synthetic.values()):
        _write_json(fresh / SYNTHETIC_MARKER, synthetic)


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    # A name on disk may hold bytes that are no letters of any encoding.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
