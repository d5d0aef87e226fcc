"""The commands that read events: `run` and `seal`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.shared import (
    BAD_ARGUMENT,
    MISSING_ARGUMENT,
    counted,
    day,
    instant_argument,
    meter_of,
    number,
    palette_of,
    program_of,
    scalar_json,
    scalar_text,
    stop_on_errors,
    window_argument,
)
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.project import SpecFile, collect
from meterspec.render import Palette, as_json, instant, plain, printable, short, table

if TYPE_CHECKING:
    from meterspec.events import Anchor, Cycle, Reject
    from meterspec.ir import Program
    from meterspec.run import Result, Run
    from meterspec.store import Counts, Sealed

__all__ = ["computed", "cycles_argument", "run", "run_on", "say_losses", "say_notes", "seal"]

TOO_MANY_REJECTS = Rule(
    code="MS709",
    slug="too-many-rejects",
    title="More rejected rows than a run may have",
    message="{rejected} of {read} rows of family `{family}` are rejected, and `--max-rejects` is {limit}",
    why="Usage in a row that is rejected is billed to nobody, so a run can be told how much of that is too much.",
)


def run(
    paths: Sequence[str],
    dsn: str | None,
    events: Sequence[str],
    meters: Sequence[str],
    as_of: str | None,
    begins: tuple[str | None, str | None],
    between: str | None,
    fill: bool,
    format: str | None,
    cycles: tuple[str | None, str | None],
    output: str | None,
    rejects: str | None,
    max_rejects: str | None,
    threads: int | None,
    evidence: str | None = None,
    sign: str | None = None,
) -> None:
    """Computes every meter on event files; `cycles` are `--cycles` and `--cycle-anchor`."""
    signer = _signer(sign, evidence)
    if dsn is not None:
        hint = "name the engine that is there: postgres, clickhouse or spark"
        raise Failure(BAD_ARGUMENT, argument="--engine", value="duckdb", reason=" beside `--dsn`", hint=hint)
    format = _format_of(format, output)
    limit = _limit_argument(max_rejects)
    files = collect(paths)
    program, out = program_of(files)
    for name in meters:
        meter_of(program, name)
    if not events:
        hint = "name the event files with `--events`, or the engine that has the events with `--engine`"
        raise Failure(MISSING_ARGUMENT, argument="--events", reason="nothing is to be read", hint=hint)
    with _rejects_to(rejects) as keep:
        done = computed(
            program,
            out,
            events,
            meters,
            as_of,
            begins,
            _range_argument(between),
            cycles,
            fill=fill,
            threads=threads,
            rejects=keep,
        )
    within = _check_rejects(done, limit, out)
    if within and evidence is not None:
        options = (as_of, begins, between, fill, cycles)
        _write_evidence(program, files, events, meters, options, done, Path(evidence), signer)
    if within or output is None:
        _write_results(program, done, format, output)
    stop_on_errors(out)


def _signer(key: str | None, evidence: str | None) -> Callable[[bytes], str] | None:
    """What signs the evidence with the key of a file."""
    if key is None:
        return None
    if evidence is None:
        hint = "name its folder with `--evidence`"
        raise Failure(BAD_ARGUMENT, argument="--sign", value=key, reason=": only evidence is signed", hint=hint)
    from meterspec.attestation import signer  # noqa: PLC0415

    return signer(Path(key))


def _write_evidence(
    program: Program,
    files: Sequence[SpecFile],
    events: Sequence[str],
    meters: Sequence[str],
    options: tuple[str | None, tuple[str | None, str | None], str | None, bool, tuple[str | None, str | None]],
    done: Run,
    folder: Path,
    sign: Callable[[bytes], str] | None,
) -> None:
    """Writes what was computed from what into a folder, complete or not at all."""
    from meterspec.artifacts import write  # noqa: PLC0415
    from meterspec.evidence import Options, collected  # noqa: PLC0415
    from meterspec.store import find  # noqa: PLC0415

    moment, (start, end), between, fill, (cycles, anchor) = options
    asked = Options(tuple(meters), moment, start, end, between, fill, cycles, anchor)
    artifacts = collected(program, files, find(program, events), asked, done, folder, sign)
    write(artifacts, folder)
    sys.stderr.write(f"evidence of {counted(len(done.results), 'number')} in {printable(str(folder))}\n")


def run_on(
    paths: Sequence[str],
    engine: str,
    dsn: str | None,
    events: Sequence[str],
    meters: Sequence[str],
    as_of: str | None,
    begins: tuple[str | None, str | None],
    between: str | None,
    fill: bool,
    format: str | None,
    cycles: tuple[str | None, str | None],
    output: str | None,
    rejects: str | None,
    max_rejects: str | None,
    threads: int | None,
    evidence: str | None = None,
    sign: str | None = None,
) -> None:
    """Computes every meter where the events are: on a server or a cluster."""
    from meterspec.events import read_cycles  # noqa: PLC0415
    from meterspec.servers import connect  # noqa: PLC0415
    from meterspec.servers import run_on as compute  # noqa: PLC0415

    for argument, value in (
        ("--rejects", rejects),
        ("--cycle-anchor", cycles[1]),
        ("--threads", threads),
        ("--evidence", evidence),
        ("--sign", sign),
    ):
        if value is not None:
            raise Failure(BAD_ARGUMENT, argument=argument, value=value, reason=f" with `--engine {engine}`")
    format = _format_of(format, output)
    limit = _limit_argument(max_rejects)
    supplied = None if cycles[0] is None else read_cycles(Path(cycles[0]))
    program, out = program_of(collect(paths))
    for name in meters:
        meter_of(program, name)
    start, end = window_argument(("--from", "--to"), begins)
    moment = instant_argument("--as-of", as_of)
    window = _range_argument(between)
    server = connect(engine, dsn)
    try:
        done = compute(
            engine,
            server,
            program,
            out,
            meters=meters,
            as_of=moment,
            begins=(start, end),
            between=window,
            fill=fill,
            cycles=supplied,
            files=_files_of(program, events),
        )
    finally:
        server.close()
    stop_on_errors(out)
    _say_as_of(done, moment)
    if _check_rejects(done, limit, out) or output is None:
        _write_results(program, done, format, output)
    stop_on_errors(out)


def computed(
    program: Program,
    out: Diagnostics,
    events: Sequence[str],
    meters: Sequence[str],
    as_of: str | None,
    begins: tuple[str | None, str | None],
    between: tuple[datetime, datetime] | None = None,
    cycles: tuple[str | None, str | None] = (None, None),
    *,
    fill: bool = False,
    threads: int | None = None,
    rejects: Callable[[Reject], object] | None = None,
) -> Run:
    from meterspec.run import run as compute  # noqa: PLC0415
    from meterspec.store import find  # noqa: PLC0415

    start, end = window_argument(("--from", "--to"), begins)
    moment = instant_argument("--as-of", as_of)
    done = compute(
        program,
        find(program, events),
        out,
        meters=meters,
        as_of=moment,
        begins=(start, end),
        between=between,
        cycles=cycles_argument(cycles),
        fill=fill,
        threads=threads,
        rejects=rejects,
    )
    stop_on_errors(out)
    say_notes(done, moment)
    return done


def say_notes(done: Run, moment: datetime | None) -> None:
    """Says on standard error what a run has chosen, ignored or left out."""
    _say_as_of(done, moment)
    for entry in done.ignored:
        keys = ", ".join(f"`{printable(key)}`" for key in entry.keys)
        sys.stderr.write(f"family {entry.family} does not declare {keys}: ignored\n")
    for name in done.skipped:
        sys.stderr.write(f"meter {name} is not computed: no events of its family were given\n")
    if done.outside:
        named = ", ".join(f"{printable(who)} ({count})" for who, count in _most(dict(done.outside)))
        more = f" and {len(done.outside) - 3} more" if len(done.outside) > 3 else ""
        events_words = counted(sum(count for _, count in done.outside), "event")
        sys.stderr.write(f"{events_words} in no cycle of their customer count by the calendar: {named}{more}\n")


def say_losses(done: Run) -> None:
    """Says on standard error which rows count nowhere, and which had to be chosen between, where no table does."""
    for quality in done.quality:
        if quality.rejected:
            reasons = ", ".join(f"{printable(reason)} ({count})" for reason, count in _most(quality.reasons))
            reasons += " and others" if len(quality.reasons) > 3 else ""
            rows = f"{quality.rejected} of {counted(quality.read, 'row')}"
            words = f"family {quality.family}: {rows} rejected, in no number: {reasons}"
            sys.stderr.write(f"{words}; `meterspec run --rejects FILE` keeps them\n")
        if quality.conflicts:
            ids = counted(quality.conflicts, "event id")
            sys.stderr.write(f"family {quality.family}: {ids} with rows of different content, of which one counts\n")


def _say_as_of(done: Run, moment: datetime | None) -> None:
    """Says at which instant windows end, where nobody named one and some do."""
    if moment is None and done.as_of is not None and done.uses_as_of:
        sys.stderr.write(f"as of {instant(done.as_of)}, just after the newest event\n")


def _files_of(program: Program, events: Sequence[str]) -> dict[str, list[str]]:
    """What `--events FAMILY=PATH` names for an engine, as it is: where it lies is for the engine to know."""
    from meterspec.events import WHICH_FAMILY  # noqa: PLC0415

    names = [family.name for family in program.families]
    files: dict[str, list[str]] = {}
    for argument in events:
        name, _, path = argument.partition("=")
        if name not in names or not path:
            name, path = names[0], argument
            if len(names) > 1:
                families = ", ".join(f"`{one}`" for one in names)
                raise Failure(WHICH_FAMILY, hint=f"write `{name}={path}`", path=path, families=families)
        files.setdefault(name, []).append(path)
    return files


def _format_of(format: str | None, output: str | None) -> str:
    """How results are written: as asked for, or as the name of the file says."""
    ending = Path(output).suffix.lower().removeprefix(".") if output is not None else ""
    format = format or (ending if ending in {"json", "csv", "parquet"} else "table")
    if format == "parquet" and output is None:
        raise Failure(
            BAD_ARGUMENT, argument="--format", value=format, reason=" without a file", hint="add `--out FILE`"
        )
    return format


def _write_results(program: Program, done: Run, format: str, output: str | None) -> None:
    """Writes results to a file, complete or not at all, or to standard output."""
    data: bytes | str
    match format:
        case "json":
            data = as_json(_run_json(done))
        case "csv":
            from meterspec.results import as_csv  # noqa: PLC0415

            data = as_csv(program, done.results)
        case "parquet":
            from meterspec.results import as_parquet  # noqa: PLC0415

            data = as_parquet(program, done.results)
        case _:
            data = _run_text(program, done, palette_of(sys.stdout) if output is None else Palette())
    if output is not None:
        from meterspec.artifacts import write_file  # noqa: PLC0415

        write_file(Path(output), data if isinstance(data, bytes) else data.encode())
        sys.stderr.write(f"{counted(len(done.results), 'result')} in {printable(output)}\n")
    else:
        assert isinstance(data, str)
        sys.stdout.write(data)
    if format in {"csv", "parquet"}:  # which have no place for it
        say_losses(done)


def _limit_argument(text: str | None) -> int | Decimal | None:
    """How many rejected rows of a family `--max-rejects` allows: a number of rows, or as a Decimal a part of all."""
    if text is None:
        return None
    limit = number(text.removesuffix("%"))
    if limit is not None and limit >= 0:
        if text.endswith("%"):
            return limit / 100
        if limit == limit.to_integral_value():
            return int(limit)
    hint = "write how many rows, or a percentage of all: 100, 0.5%"
    raise Failure(BAD_ARGUMENT, argument="--max-rejects", value=text, reason="", hint=hint)


def _check_rejects(done: Run, limit: int | Decimal | None, out: Diagnostics) -> bool:
    """Reports MS709 for every family with more rejected rows than may be; gives whether there is none."""
    if limit is None:
        return True
    beyond = [q for q in done.quality if q.rejected > (limit * q.read if isinstance(limit, Decimal) else limit)]
    for quality in beyond:
        words = f"{plain((limit * 100).normalize())}%" if isinstance(limit, Decimal) else str(limit)
        reasons = ", ".join(f"{reason} ({count})" for reason, count in _most(quality.reasons))
        out.report(
            TOO_MANY_REJECTS,
            at=None,
            hint=f"most often: {reasons}",
            family=quality.family,
            rejected=quality.rejected,
            read=quality.read,
            limit=words,
        )
    return not beyond


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]


@contextmanager
def _rejects_to(path: str | None) -> Iterator[Callable[[Reject], object] | None]:
    """What writes each rejected row to a file as JSON lines; the file is there once all are written."""
    if path is None:
        yield None
        return
    import json  # noqa: PLC0415

    from meterspec.artifacts import writing  # noqa: PLC0415

    with writing(Path(path)) as file:

        def keep(reject: Reject) -> None:
            row = {"family": reject.family, "reason": reject.reason, "row": reject.row}
            file.write(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n")

        yield keep


def cycles_argument(cycles: tuple[str | None, str | None]) -> Sequence[Cycle] | Anchor:
    """The billing cycles that `--cycles FILE` or `--cycle-anchor DATE` give; none where both are absent."""
    from meterspec.events import Anchor, read_cycles  # noqa: PLC0415

    path, anchor = cycles
    if path is not None and anchor is not None:
        hint = "a customer's cycles are listed in the file, or counted from the anchor"
        raise Failure(BAD_ARGUMENT, argument="--cycle-anchor", value=anchor, reason=" beside `--cycles`", hint=hint)
    if path is not None:
        return read_cycles(Path(path))
    at = instant_argument("--cycle-anchor", anchor)
    return () if at is None else Anchor(at)


def _range_argument(text: str | None) -> tuple[datetime, datetime] | None:
    """The one window of `--range FROM/TO`."""
    if text is None:
        return None
    start, separator, end = text.partition("/")
    bounds = instant_argument("--range", start), instant_argument("--range", end) if separator else None
    if bounds[0] is None or bounds[1] is None or bounds[0] >= bounds[1]:
        hint = "write two instants, the earlier one first: 2026-01-01/2026-02-01"
        raise Failure(BAD_ARGUMENT, argument="--range", value=text, reason="", hint=hint)
    return bounds[0], bounds[1]


def _run_json(done: Run) -> dict[str, object]:
    return {
        "as_of": instant(done.as_of) if done.as_of else None,
        "results": [
            {
                "meter": result.meter,
                "window_start": instant(result.window_start) if result.window_start else None,
                "window_end": instant(result.window_end),
                "group": {name: scalar_json(value) for name, value in result.group},
                "quantity": None if result.quantity is None else short(result.quantity),
                "unit": result.unit,
                "events": result.events,
            }
            for result in done.results
        ],
        "quality": [
            {
                "family": quality.family,
                "read": quality.read,
                "accepted": quality.accepted,
                "duplicates": quality.duplicates,
                "conflicts": quality.conflicts,
                "rejected": quality.rejected,
                "reasons": quality.reasons,
            }
            for quality in done.quality
        ],
    }


def _run_text(program: Program, done: Run, palette: Palette) -> str:
    parts = []
    by_meter: dict[str, list[Result]] = {}
    for result in done.results:
        by_meter.setdefault(result.meter, []).append(result)
    for name, results in by_meter.items():
        meter = program.meter(name)
        unit = f" ({meter.unit})" if meter.unit else ""
        parts.append(f"{palette.paint(name, 'bold')}{printable(unit)}\n")
        headers = ["from", "to", *meter.group_by, "quantity", "events"]
        decimals = max((len(short(r.quantity).partition(".")[2]) for r in results if r.quantity is not None), default=0)
        rows = [
            [
                day(result.window_start),
                day(result.window_end),
                *(scalar_text(value) for _, value in result.group),
                "-" if result.quantity is None else f"{result.quantity:.{decimals}f}",
                str(result.events),
            ]
            for result in results
        ]
        parts.append(table(headers, rows, frozenset({len(headers) - 2, len(headers) - 1}), palette) + "\n")
    headers = ["family", "read", "accepted", "duplicates", "conflicts", "rejected"]
    counts = [
        [q.family, *(str(n) for n in (q.read, q.accepted, q.duplicates, q.conflicts, q.rejected))] for q in done.quality
    ]
    parts.append(f"{palette.paint('events', 'bold')}\n")
    parts.append(table(headers, counts, frozenset(range(1, 6)), palette))
    reasons = [[reason, str(count)] for quality in done.quality for reason, count in quality.reasons.items()]
    if reasons:
        parts.append("\n" + table(["rejected because", "rows"], reasons, frozenset({1}), palette))
    return "".join(parts)


def seal(events: Sequence[str], folder: str, paths: Sequence[str], format: str, threads: int | None) -> None:
    """Appends event files to a deduplicated store, and says what came of their rows."""
    from meterspec.events import find, installed  # noqa: PLC0415
    from meterspec.store import seal as append  # noqa: PLC0415

    program, _ = program_of(collect(paths))
    installed()
    done = append(find(program, events), Path(folder), threads=threads)
    for entry in done:
        for name in entry.known:
            sys.stderr.write(f"{printable(name)} was sealed before: nothing of it changes\n")
        if entry.superseded:
            words = "is" if entry.superseded == 1 else "are"
            lost = counted(entry.superseded, "sealed row")
            sys.stderr.write(f"{entry.family}: {lost} {words} superseded by a row that came first\n")
    if format == "json":
        sys.stdout.write(as_json({"store": folder, "families": [_sealed_json(entry) for entry in done]}))
    else:
        rows = [
            [entry.family, words, *(str(getattr(counts, name)) for name in _COUNTS)]
            for entry in done
            for words, counts in (("batch", entry.batch), ("store", entry.after))
        ]
        sys.stdout.write(table(["family", "", *_COUNTS], rows, frozenset(range(2, 7)), palette_of(sys.stdout)))


_COUNTS = ("read", "accepted", "duplicates", "conflicts", "rejected")


def _sealed_json(entry: Sealed) -> dict[str, object]:
    return {
        "family": entry.family,
        "sealed": list(entry.new),
        "sealed_before": list(entry.known),
        "superseded": entry.superseded,
        "batch": _counts_json(entry.batch),
        "store": _counts_json(entry.after),
    }


def _counts_json(counts: Counts) -> dict[str, object]:
    return {name: getattr(counts, name) for name in _COUNTS} | {"reasons": counts.reasons}
