"""What each command does: one pipeline call, words out, an exit code. `cli` reads the arguments."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from meterspec import lint
from meterspec.diagnostics import Diagnostic, Diagnostics, Failure, Rule, Severity, did_you_mean
from meterspec.pipeline import TARGETS, compile_program, load
from meterspec.project import STDIN, SpecFile, collect
from meterspec.render import (
    Palette,
    as_json,
    concise,
    full,
    instant,
    order,
    plain,
    printable,
    short,
    summary,
    table,
)

if TYPE_CHECKING:
    from typer.core import TyperGroup

    from meterspec.events import Anchor, Cycle, Reject
    from meterspec.examples import Line, Outcome
    from meterspec.ir import Meter, Price, Program, Scalar
    from meterspec.pricing import Bill
    from meterspec.revision import Revision
    from meterspec.run import Result, Run
    from meterspec.store import Counts, Sealed

__all__ = [
    "compile_",
    "completions",
    "diff",
    "explain",
    "fmt",
    "guarded",
    "init",
    "invoice",
    "price",
    "run",
    "schema",
    "seal",
    "test",
    "validate",
]

BAD_ARGUMENT = Rule(
    code="MS005",
    slug="bad-argument",
    title="An argument of a command that cannot be used",
    message="{argument} cannot be `{value}`{reason}",
    why="The command cannot guess what was meant.",
)
NO_SUCH_METER = Rule(
    code="MS006",
    slug="no-such-meter",
    title="A meter that the spec does not declare",
    message="the spec declares no meter `{meter}`",
    why="A command works on one program, and this meter is not in it.",
)
NO_PRICE = Rule(
    code="MS007",
    slug="no-price",
    title="A meter without a price where one is needed",
    message="meter `{meter}` has no price",
    why="Only a billing meter has a price.",
)
NOTHING_TO_INVOICE = Rule(
    code="MS008",
    slug="nothing-to-invoice",
    title="A spec without a billing meter where invoices are asked for",
    message="no meter of the spec has a price",
    why="An invoice is made of the prices of billing meters.",
)

TOO_MANY_REJECTS = Rule(
    code="MS709",
    slug="too-many-rejects",
    title="More rejected rows than a run may have",
    message="{rejected} of {read} rows of family `{family}` are rejected, and `--max-rejects` is {limit}",
    why="Usage in a row that is rejected is billed to nobody, so a run can be told how much of that is too much.",
)

NO_SUCH_RULE = Rule(
    code="MS009",
    slug="no-such-rule",
    title="A code that no rule has",
    message="there is no rule `{code}`",
    why="Codes are never reused, so one that is gone is of another version.",
)

_CLEAN, _FINDINGS, _FAILED = 0, 1, 2
_FORMAT = "METERSPEC_OUTPUT_FORMAT"
"""The environment variable that says how `validate` prints what it found."""
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The one in which GitHub names the file for what a step has to say on the page of the run."""


class Exit(Exception):  # noqa: N818 - the end of a command, not an error of it
    """Ends a command with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def guarded(command: Callable[..., None], *arguments: object, **options: object) -> NoReturn:
    """Runs a command to its exit code; what keeps it from its job is one diagnostic and exit code 2."""
    # Half the time of a large project would go into collecting cycles that a short-lived process never has.
    import gc  # noqa: PLC0415

    gc.disable()
    if isinstance(sys.stdout, TextIOWrapper):  # documents are UTF-8 wherever they go, and a name of odd bytes is shown
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        command(*arguments, **options)
        sys.stdout.flush()
        code = _CLEAN
    except Exit as end:
        code = end.code
    except Failure as failure:
        sys.stderr.write(full(failure.diagnostic, _palette(sys.stderr)))
        code = _FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _CLEAN
    except OSError as error:  # a full disk below standard output
        from meterspec.artifacts import CANNOT_WRITE  # noqa: PLC0415

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        unwritten = Failure(CANNOT_WRITE, path="standard output", reason=error.strerror or error)
        sys.stderr.write(full(unwritten.diagnostic, _palette(sys.stderr)))
        code = _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was written\n")
        code = 130
    sys.stdout.flush()
    sys.exit(code)


def validate(
    paths: Sequence[str],
    format: str | None = None,
    strict: bool = False,
    quiet: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fix: bool = False,
    diff: bool = False,
) -> None:
    """Prints every diagnostic of a spec; `METERSPEC_OUTPUT_FORMAT` says how, where no format is given.

    With `fix` what can be repaired is, and the rest is printed; with `diff` the repairs are shown instead.
    """
    format = format or _format_of_environment()
    _rule_names("--select", select)
    _rule_names("--ignore", ignore)
    files = collect(paths)

    def chosen(found: Iterable[Diagnostic]) -> list[Diagnostic]:
        return lint.choose(order(found), strict=strict, select=select, ignore=ignore)

    if fix or diff:
        found = _fix(files, chosen, diff=diff, quiet=quiet)
    else:
        out = Diagnostics()
        load(files, out)
        found = chosen(out)
    is_text = fix and not diff and any(file.name == STDIN for file in files)
    stream = sys.stderr if is_text else sys.stdout
    if format in {"full", "concise"}:
        _write_diagnostics(found, stream, format)
    else:
        from meterspec.formats import DOCUMENTS  # noqa: PLC0415

        stream.write(DOCUMENTS[format](found, Path.cwd()))
        if format == "github" and (page := os.environ.get(_STEP_SUMMARY)):
            _add_step_summary(Path(page), found, len(files))
    if not quiet:
        sys.stderr.write(f"{len(files)} file{'s' if len(files) != 1 else ''}: {summary(found)}\n")
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        raise Exit(_FINDINGS)


def _add_step_summary(page: Path, found: Sequence[Diagnostic], files: int) -> None:
    """Adds the findings to the summary of the step that GitHub runs; Failure (MS011) where it cannot."""
    from meterspec.artifacts import CANNOT_WRITE  # noqa: PLC0415
    from meterspec.formats import step_summary  # noqa: PLC0415

    try:
        with page.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(step_summary(found, files, Path.cwd()))
    except OSError as error:
        raise Failure(CANNOT_WRITE, path=page, reason=error.strerror or error) from error


def _fix(
    files: Sequence[SpecFile], chosen: Callable[[Iterable[Diagnostic]], list[Diagnostic]], *, diff: bool, quiet: bool
) -> Sequence[Diagnostic]:
    """Repairs what can be, and gives what is found then; with `diff` shows how, and ends the command there."""
    from meterspec.fixing import fix  # noqa: PLC0415

    done = fix(files, chosen)
    if diff:
        _write_diffs(list(done.revisions.items()))
    else:
        for file in done.files:
            if file.name in done.revisions or file.name == STDIN:
                _write_spec(file.name, file.data)
    if not quiet:
        each = [f"{_count(count, 'finding')} in {printable(name)}" for name, count in sorted(done.counts.items())]
        words = "to repair" if diff else "repaired"
        sys.stderr.write(f"{words}: {', '.join(each)}\n" if each else "nothing can be repaired\n")
    if diff and done.counts:
        raise Exit(_FINDINGS)
    return done.found


def fmt(paths: Sequence[str], check: bool = False, diff: bool = False) -> None:
    """Gives files their canonical layout; with `check` or `diff` only says which have another, or shows it."""
    from meterspec.formatting import layout  # noqa: PLC0415

    files = collect(paths)
    out = Diagnostics()
    laid_out = [(file.name, layout(file.name, file.data, out)) for file in files]
    changed = [(name, revision) for name, revision in laid_out if revision and revision.after != revision.before]
    _write_diagnostics(order(out), sys.stderr)
    if diff:
        _write_diffs(changed)
    elif check:
        sys.stdout.write("".join(f"{printable(name)}\n" for name, _ in changed))
    else:
        for name, revision in laid_out:
            if revision and (name == STDIN or revision.after != revision.before):
                _write_spec(name, revision.after.encode())
                sys.stderr.write("" if name == STDIN else f"changed: {printable(name)}\n")
    if check or diff or any(file.name != STDIN for file in files):
        words = "would change" if check or diff else "changed"
        same = sum(revision is not None for _, revision in laid_out) - len(changed)
        sys.stderr.write(f"{_count(len(changed), 'file')} {words}, {same} as before\n")
    if out.has_errors or (changed and (check or diff)):
        raise Exit(_FINDINGS)


def compile_(
    paths: Sequence[str],
    folder: str,
    targets: Sequence[str],
    dialects: Sequence[str],
    check: bool,
    rollup: str | None = None,
) -> None:
    """Writes every artefact of a spec, or with `check` says how the folder differs from them."""
    from meterspec.artifacts import compare, write  # noqa: PLC0415
    from meterspec.backends.sql import DIALECTS  # noqa: PLC0415
    from meterspec.ir import CalendarUnit  # noqa: PLC0415

    for target in targets:
        _one_of("--target", target, TARGETS)
    for dialect in dialects:
        _one_of("--dialect", dialect, tuple(DIALECTS))
    grain = CalendarUnit(rollup) if rollup is not None else None
    files = collect(paths)
    program, out = _program(files)
    artifacts = compile_program(program, files, out, targets=targets, dialects=dialects, grain=grain)
    _stop_on_errors(out)
    _write_diagnostics(order(out), sys.stderr)
    if not check:
        write(artifacts, Path(folder))
        files_words = "1 file" if len(artifacts) == 1 else f"{len(artifacts)} files"
        sys.stderr.write(f"{files_words} in {printable(folder)}\n")
        return
    drift = compare(artifacts, Path(folder))
    for words, changed in (("stale", drift.stale), ("missing", drift.missing), ("orphan", drift.orphan)):
        for path in changed:
            sys.stdout.write(f"{words}: {printable(path)}\n")
    if drift:
        sys.stderr.write(f"{printable(folder)} is not what the spec compiles to: run `meterspec compile` again\n")
        raise Exit(_FINDINGS)
    sys.stderr.write(f"{printable(folder)} is up to date\n")


def run(
    paths: Sequence[str],
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
) -> None:
    """Computes every meter on event files; `cycles` are `--cycles` and `--cycle-anchor`."""
    format = _format_of(format, output)
    limit = _limit_argument(max_rejects)
    program, out = _program(collect(paths))
    for name in meters:
        _meter(program, name)
    if not events:
        hint = "name the event files with `--events`, or the engine that has the events with `--engine`"
        raise Failure(BAD_ARGUMENT, argument="--events", value="", reason=": nothing is to be read", hint=hint)
    with _rejects_to(rejects) as keep:
        done = _run(
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
    if within or output is None:
        _write_results(program, done, format, output)
    _stop_on_errors(out)


def run_on(
    paths: Sequence[str],
    engine: str,
    dsn: str | None,
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
) -> None:
    """Computes every meter where the events are: on a server or a cluster."""
    from meterspec.events import read_cycles  # noqa: PLC0415
    from meterspec.servers import connect  # noqa: PLC0415
    from meterspec.servers import run_on as compute  # noqa: PLC0415

    for argument, value in (("--rejects", rejects), ("--cycle-anchor", cycles[1]), ("--threads", threads)):
        if value is not None:
            raise Failure(BAD_ARGUMENT, argument=argument, value=value, reason=f" with `--engine {engine}`")
    format = _format_of(format, output)
    limit = _limit_argument(max_rejects)
    supplied = None if cycles[0] is None else read_cycles(Path(cycles[0]))
    program, out = _program(collect(paths))
    for name in meters:
        _meter(program, name)
    start, end = (_instant_argument(f"--{name}", text) for name, text in zip(("from", "to"), begins, strict=True))
    moment = _instant_argument("--as-of", as_of)
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
        )
    finally:
        server.close()
    _stop_on_errors(out)
    _say_as_of(done, moment)
    if _check_rejects(done, limit, out) or output is None:
        _write_results(program, done, format, output)
    _stop_on_errors(out)


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
            data = _run_text(program, done, _palette(sys.stdout) if output is None else Palette())
    if output is not None:
        from meterspec.artifacts import write_file  # noqa: PLC0415

        write_file(Path(output), data if isinstance(data, bytes) else data.encode())
        sys.stderr.write(f"{_count(len(done.results), 'result')} in {printable(output)}\n")
    else:
        assert isinstance(data, str)
        sys.stdout.write(data)


def _limit_argument(text: str | None) -> int | Decimal | None:
    """How many rejected rows of a family `--max-rejects` allows: a number of rows, or as a Decimal a part of all."""
    if text is None:
        return None
    number = text.removesuffix("%")
    try:
        limit = Decimal(number) if text != number else int(number)
        if number.isascii() and limit >= 0:
            return limit / 100 if isinstance(limit, Decimal) else limit
    except (ValueError, ArithmeticError):
        pass
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


def _cycles_argument(cycles: tuple[str | None, str | None]) -> Sequence[Cycle] | Anchor:
    """The billing cycles that `--cycles FILE` or `--cycle-anchor DATE` give; none where both are absent."""
    from meterspec.events import Anchor, read_cycles  # noqa: PLC0415

    path, anchor = cycles
    if path is not None and anchor is not None:
        hint = "a customer's cycles are listed in the file, or counted from the anchor"
        raise Failure(BAD_ARGUMENT, argument="--cycle-anchor", value=anchor, reason=" beside `--cycles`", hint=hint)
    if path is not None:
        return read_cycles(Path(path))
    at = _instant_argument("--cycle-anchor", anchor)
    return () if at is None else Anchor(at)


def _range_argument(text: str | None) -> tuple[datetime, datetime] | None:
    """The one window of `--range FROM/TO`."""
    if text is None:
        return None
    start, separator, end = text.partition("/")
    bounds = _instant_argument("--range", start), _instant_argument("--range", end) if separator else None
    if bounds[0] is None or bounds[1] is None or bounds[0] >= bounds[1]:
        hint = "write two instants, the earlier one first: 2026-01-01/2026-02-01"
        raise Failure(BAD_ARGUMENT, argument="--range", value=text, reason="", hint=hint)
    return bounds[0], bounds[1]


def invoice(
    paths: Sequence[str],
    events: Sequence[str],
    customer: str | None,
    begins: tuple[str | None, str | None],
    format: str,
) -> None:
    """Prices what customers used, by period."""
    program, out = _program(collect(paths))
    billed = [meter.name for meter in program.meters if meter.price is not None]
    if not billed:
        raise Failure(NOTHING_TO_INVOICE)
    done = _run(program, out, events, billed, None, begins)
    invoices = _invoices(program, done, customer, out)
    _stop_on_errors(out)
    if format == "json":
        sys.stdout.write(as_json({"invoices": [_invoice_json(entry) for entry in invoices]}))
    else:
        _write_invoices(invoices)


def seal(events: Sequence[str], folder: str, paths: Sequence[str], format: str, threads: int | None) -> None:
    """Appends event files to a deduplicated store, and says what came of their rows."""
    from meterspec.events import find, installed  # noqa: PLC0415
    from meterspec.store import seal as append  # noqa: PLC0415

    program, _ = _program(collect(paths))
    installed()
    done = append(find(program, events), Path(folder), threads=threads)
    for entry in done:
        for name in entry.known:
            sys.stderr.write(f"{printable(name)} was sealed before: nothing of it changes\n")
        if entry.superseded:
            words = "is" if entry.superseded == 1 else "are"
            lost = _count(entry.superseded, "sealed row")
            sys.stderr.write(f"{entry.family}: {lost} {words} superseded by a row that came first\n")
    if format == "json":
        sys.stdout.write(as_json({"store": folder, "families": [_sealed_json(entry) for entry in done]}))
    else:
        rows = [
            [entry.family, words, *(str(getattr(counts, name)) for name in _COUNTS)]
            for entry in done
            for words, counts in (("batch", entry.batch), ("store", entry.after))
        ]
        sys.stdout.write(table(["family", "", *_COUNTS], rows, frozenset(range(2, 7)), _palette(sys.stdout)))


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


def price(arguments: Sequence[str], match: Sequence[str], format: str) -> None:
    """Prices a quantity of one meter, line by line."""
    from meterspec.pricing import Unpriceable, price_usage  # noqa: PLC0415
    from meterspec.pricing import as_json as bill_json  # noqa: PLC0415

    *paths, name, amount = arguments
    program, out = _program(collect(paths))
    meter = _meter(program, name)
    if meter.price is None:
        raise Failure(NO_PRICE, meter=name, hint="meters with one are of kind `billing`")
    try:
        quantity = Decimal(amount)
    except InvalidOperation:
        quantity = Decimal("nan")
    if not quantity.is_finite():
        raise Failure(BAD_ARGUMENT, argument="QUANTITY", value=amount, reason=": it is not a number")
    try:
        bill = price_usage(meter.price, quantity, _match(program, meter, match))
    except Unpriceable as refusal:
        out.report(refusal.rule, at=meter.price.origin, hint=refusal.hint, **refusal.facts)  # type: ignore[arg-type]
        _stop_on_errors(out)
        raise
    if format == "json":
        sys.stdout.write(as_json(bill_json(name, meter.price, bill)))
    else:
        sys.stdout.write(_bill_table(meter.price, bill, _palette(sys.stdout)))


def diff(base: str, head: str, format: str, fail_on: str | None) -> None:
    """Says what changes between two specs mean."""
    from meterspec.diff import as_json as changes_json  # noqa: PLC0415
    from meterspec.diff import diff as find_changes  # noqa: PLC0415

    before, _ = _program(collect([base]))
    after, _ = _program(collect([head]))
    found = find_changes(before, after)
    if format == "json":
        sys.stdout.write(as_json(changes_json(found)))
    else:
        palette = _palette(sys.stdout)
        colours = {"breaking": "red", "review": "yellow", "safe": "green"}
        for change in found:
            impact = palette.paint(f"{change.impact.value}[{change.code}]", "bold", colours[change.impact.value])
            sys.stdout.write(f"{impact} {printable(change.message)}\n")
        counts = [(word, sum(change.impact.value == word for change in found)) for word in colours]
        words = ", ".join(f"{count} {word}" for word, count in counts if count)
        sys.stdout.write(f"{words or 'no change of meaning'}\n")
    ranks = ["safe", "review", "breaking"]
    if fail_on is not None and any(ranks.index(c.impact.value) >= ranks.index(fail_on) for c in found):
        raise Exit(_FINDINGS)


def explain(subject: str, paths: Sequence[str]) -> None:
    """Prints the page of a rule, or how a meter's number comes about."""
    from meterspec.catalogue import by_code, page  # noqa: PLC0415

    rule = by_code(subject)
    if rule is not None:
        sys.stdout.write(page(rule))
        return
    from meterspec.diff.pages import by_code as change_by_code  # noqa: PLC0415
    from meterspec.diff.pages import page as change_page  # noqa: PLC0415

    change = change_by_code(subject)
    if change is not None:
        sys.stdout.write(change_page(change))
        return
    if re.fullmatch(r"M[SD][0-9]+", subject, re.IGNORECASE):
        raise Failure(NO_SUCH_RULE, code=subject, hint="`meterspec validate` prints the codes of what it finds")
    from meterspec.catalogue import meter_page  # noqa: PLC0415

    program, _ = _program(collect(paths))
    sys.stdout.write(meter_page(program, _meter(program, subject)))


def test(paths: Sequence[str], format: str) -> None:
    """Runs the examples inside a spec and shows what was expected beside what came."""
    from meterspec.examples import check_examples  # noqa: PLC0415

    program, out = _program(collect(paths))
    outcomes = check_examples(program, out)
    _stop_on_errors(out)
    failed = sum(not outcome.passed for outcome in outcomes)
    if format == "json":
        counts = {"passed": len(outcomes) - failed, "failed": failed}
        sys.stdout.write(as_json({"tests": [_outcome_json(outcome) for outcome in outcomes], "summary": counts}))
    else:
        for outcome in outcomes:
            if not outcome.passed:
                sys.stdout.write(_outcome_text(outcome, _palette(sys.stdout)) + "\n")
    for outcome in outcomes:
        for note in outcome.notes:
            sys.stderr.write(f"{outcome.meter.name}: {printable(outcome.example.name)}: {printable(note)}\n")
    words = f"{len(outcomes)} test{'s' if len(outcomes) != 1 else ''}: {len(outcomes) - failed} passed, {failed} failed"
    sys.stderr.write(f"{words if outcomes else 'no tests: a `[[meters.tests]]` table of a meter is one'}\n")
    if failed:
        raise Exit(_FINDINGS)


def init(folder: str) -> None:
    """Writes a new project: a commented spec, sample events, a CI job and a pre-commit entry."""
    from meterspec.starter import write_starter  # noqa: PLC0415

    written, entry = write_starter(Path(folder))
    for path in written:
        sys.stderr.write(f"wrote {printable(str(Path(folder) / path))}\n")
    if entry is not None:
        sys.stderr.write("there is a .pre-commit-config.yaml already; add this below its `repos:`\n")
        sys.stdout.write(entry)
    where = "" if Path(folder) == Path() else f"cd {printable(folder)} && "
    sys.stderr.write(f"next: {where}meterspec validate && meterspec test && meterspec run --events events.jsonl\n")


def schema(paths: Sequence[str], family: str | None) -> None:
    """Prints the JSON Schema of the language, or of the events of a family."""
    from meterspec.schema import document_schema, event_schema  # noqa: PLC0415

    if family is None:
        if paths:
            reason = ": the schema of the language depends on no spec"
            hint = "with `--family NAME`, it is the schema of that family's events"
            raise Failure(BAD_ARGUMENT, argument="PATH", value=paths[0], reason=reason, hint=hint)
        sys.stdout.write(as_json(document_schema()))
        return
    program, _ = _program(collect(paths))
    try:
        chosen = program.family(family)
    except KeyError:
        from meterspec.events import NO_SUCH_FAMILY  # noqa: PLC0415

        names = [known.name for known in program.families]
        hint = did_you_mean(family, names) or f"its families are {', '.join(names)}"
        raise Failure(NO_SUCH_FAMILY, family=family, hint=hint) from None
    sys.stdout.write(as_json(event_schema(chosen)))


def completions(shell: str, program: TyperGroup) -> None:
    """Prints the completion script of a shell."""
    from meterspec.completions import script  # noqa: PLC0415

    sys.stdout.write(script(shell, program))


# Shared steps ---------------------------------------------------------------------------------------------------


def _palette(stream: TextIO) -> Palette:
    """Colour on a terminal, unless `NO_COLOR` says no; anywhere, where `FORCE_COLOR` says so."""
    if os.environ.get("NO_COLOR"):
        return Palette()
    if os.environ.get("FORCE_COLOR"):
        return Palette(colour=True)
    return Palette(colour=stream.isatty() and os.environ.get("TERM") != "dumb")


def _write_diagnostics(found: Sequence[Diagnostic], stream: TextIO, format: str = "full") -> None:
    palette = _palette(stream)
    for diagnostic in found:
        stream.write(concise(diagnostic) if format == "concise" else full(diagnostic, palette) + "\n")


def _write_diffs(changed: Sequence[tuple[str, Revision]]) -> None:
    palette = _palette(sys.stdout)
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for name, revision in changed:
        for line in revision.diff(printable(name)).split("\n")[:-1]:
            sys.stdout.write(palette.paint(line, colours[line[0]]) if line[:1] in colours else line)
            sys.stdout.write("\n")


def _write_spec(name: str, data: bytes) -> None:
    """Puts the new text of a spec where the old one came from."""
    if name == STDIN:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    from meterspec.artifacts import write_file  # noqa: PLC0415

    write_file(Path(name), data)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _program(files: Sequence[SpecFile]) -> tuple[Program, Diagnostics]:
    """The program of a spec; its errors end the command, its warnings are for `validate`."""
    out = Diagnostics()
    program = load(files, out)
    _stop_on_errors(out)
    assert program is not None
    return program, Diagnostics()


def _stop_on_errors(out: Diagnostics) -> None:
    errors = [diagnostic for diagnostic in order(out) if diagnostic.severity is Severity.ERROR]
    if errors:
        _write_diagnostics(errors, sys.stderr)
        sys.stderr.write(f"{summary(errors)}\n")
        raise Exit(_FINDINGS)


def _format_of_environment() -> str:
    format = os.environ.get(_FORMAT) or "full"
    if format != "full":
        from meterspec.formats import NAMES  # noqa: PLC0415

        _one_of(_FORMAT, format, NAMES)
    return format


def _rule_names(argument: str, names: Sequence[str]) -> None:
    """Lets pass what names warnings or hints; an error can be chosen, and stays, but not be ignored."""
    for name in names:
        rules = lint.named(name)
        if not rules:
            reason = ": no rule is called that"
            raise Failure(BAD_ARGUMENT, argument=argument, value=name, reason=reason, hint=lint.nearest(name))
        if argument == "--ignore" and all(rule.severity is Severity.ERROR for rule in rules):
            reason = ": an error cannot be switched off"
            hint = "an error says that the spec has no meaning, or not the one it seems to have: mend what it reports"
            raise Failure(BAD_ARGUMENT, argument=argument, value=name, reason=reason, hint=hint)


def _one_of(argument: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        hint = did_you_mean(value, known) or f"write one of {', '.join(known)}"
        raise Failure(BAD_ARGUMENT, argument=argument, value=value, reason="", hint=hint)


def _meter(program: Program, name: str) -> Meter:
    try:
        return program.meter(name)
    except KeyError:
        names = [meter.name for meter in program.meters]
        hint = did_you_mean(name, names) or f"its meters are {', '.join(names)}"
        raise Failure(NO_SUCH_METER, meter=name, hint=hint) from None


def _instant_argument(argument: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        hint = "write a date, or a date and a time: 2026-02-01, 2026-02-01T00:00:00Z"
        raise Failure(BAD_ARGUMENT, argument=argument, value=text, reason="", hint=hint) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _run(
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

    start, end = (_instant_argument(f"--{name}", text) for name, text in zip(("from", "to"), begins, strict=True))
    moment = _instant_argument("--as-of", as_of)
    done = compute(
        program,
        find(program, events),
        out,
        meters=meters,
        as_of=moment,
        begins=(start, end),
        between=between,
        cycles=_cycles_argument(cycles),
        fill=fill,
        threads=threads,
        rejects=rejects,
    )
    _stop_on_errors(out)
    _say_as_of(done, moment)
    for entry in done.ignored:
        keys = ", ".join(f"`{printable(key)}`" for key in entry.keys)
        sys.stderr.write(f"family {entry.family} does not declare {keys}: ignored\n")
    for name in done.skipped:
        sys.stderr.write(f"meter {name} is not computed: no events of its family were given\n")
    if done.outside:
        named = ", ".join(f"{printable(who)} ({count})" for who, count in _most(dict(done.outside)))
        more = f" and {len(done.outside) - 3} more" if len(done.outside) > 3 else ""
        events_words = _count(sum(count for _, count in done.outside), "event")
        sys.stderr.write(f"{events_words} in no cycle of their customer count by the calendar: {named}{more}\n")
    return done


def _say_as_of(done: Run, moment: datetime | None) -> None:
    """Says at which instant windows end, where nobody named one and some do."""
    if moment is None and done.as_of is not None and done.uses_as_of:
        sys.stderr.write(f"as of {instant(done.as_of)}, just after the newest event\n")


def _run_json(done: Run) -> dict[str, object]:
    return {
        "as_of": instant(done.as_of) if done.as_of else None,
        "results": [
            {
                "meter": result.meter,
                "window_start": instant(result.window_start) if result.window_start else None,
                "window_end": instant(result.window_end),
                "group": {name: _scalar_json(value) for name, value in result.group},
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


def _scalar_json(value: Scalar) -> object:
    return plain(value) if isinstance(value, Decimal) else value


def _scalar_text(value: Scalar) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)


def _day(moment: datetime | None) -> str:
    """An instant as short as it can be said."""
    if moment is None:
        return "ever"
    text = instant(moment)
    return text.removesuffix("T00:00:00Z")


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
                _day(result.window_start),
                _day(result.window_end),
                *(_scalar_text(value) for _, value in result.group),
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


# Examples -------------------------------------------------------------------------------------------------------


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    at = outcome.example.origin.span() if outcome.example.origin else None
    return {
        "meter": outcome.meter.name,
        "name": outcome.example.name,
        "outcome": "passed" if outcome.passed else "failed",
        "file": at.source.name if at else None,
        "line": at.begin.line if at else None,
        "expected": [
            {key: _value_json(value) for key, value in row.group}
            | ({} if row.quantity is None else {"quantity": short(row.quantity)})
            for row in outcome.example.expect
        ],
        "actual": [
            {key: _value_json(value) for key, value in row.group}
            | {
                "window_start": _value_json(row.window_start),
                "window_end": _value_json(row.window_end),
                "quantity": None if row.quantity is None else short(row.quantity),
                "events": row.events,
            }
            for row in outcome.rows
        ],
        "faults": list(outcome.faults),
    }


def _value_json(value: Scalar) -> object:
    return instant(value) if isinstance(value, datetime) else _scalar_json(value)


def _outcome_text(outcome: Outcome, palette: Palette) -> str:
    """A failed example: where it stands, what was expected and what came row by row, and what was rejected."""
    head = f"{palette.paint('failed', 'bold', 'red')}: {outcome.meter.name}: {printable(outcome.example.name)}\n"
    if outcome.example.origin is not None:
        at = outcome.example.origin.span()
        head += f"  {palette.paint('-->', 'blue')} {printable(at.source.name)}:{at.begin.line}:{at.begin.column}\n"
    counts = any("events" in dict(row.group) for row in outcome.example.expect)
    headers = ["", *outcome.meter.group_by, "from", "to", "expected", "actual"]
    headers += ["events expected", "events"] if counts else []
    rows = [_line_cells(outcome, line, counts) for line in outcome.lines]
    first = len(outcome.meter.group_by) + 3
    body = table(headers, rows, frozenset(range(first, len(headers))), palette) if rows else ""
    faults = "".join(f"{printable(fault)}\n" for fault in outcome.faults)
    return head + "".join(f"  {line}\n" for line in (body + faults).splitlines())


def _line_cells(outcome: Outcome, line: Line, counts: bool) -> list[str]:
    named = dict(line.expected.group) if line.expected else {}

    def wanted(key: str) -> str:
        value = named.get(key)
        return "" if key not in named else _day(value) if isinstance(value, datetime) else _scalar_text(value)

    if line.expected is None:
        expected = "no row"
    else:
        expected = "any" if line.expected.quantity is None else short(line.expected.quantity)
    if line.actual is None:
        groups = [wanted(key) for key in (*outcome.meter.group_by, "window_start", "window_end")]
        actual, events = "no row", ""
    else:
        row = line.actual
        groups = [*(_scalar_text(value) for _, value in row.group), _day(row.window_start), _day(row.window_end)]
        actual, events = "-" if row.quantity is None else short(row.quantity), str(row.events)
    differs = "missing" if line.actual is None else "unexpected" if line.expected is None else "differs"
    cells = ["as expected" if line.same else differs, *groups, expected, actual]
    return [*cells, wanted("events"), events] if counts else cells


# Invoices -------------------------------------------------------------------------------------------------------


def _invoices(program: Program, done: Run, customer: str | None, out: Diagnostics) -> list[_Invoice]:
    """One invoice a customer, period and currency, each with the bill of every meter that has usage in it."""
    from meterspec.pricing import Unpriceable, price_groups  # noqa: PLC0415

    usage: dict[tuple[str, datetime, datetime, str], list[tuple[dict[str, Scalar], Decimal]]] = {}
    for result in done.results:
        who = str(result.group[0][1])
        if result.quantity is None or result.window_start is None or (customer is not None and who != customer):
            continue
        key = (who, result.window_start, result.window_end, result.meter)
        usage.setdefault(key, []).append((dict(result.group), result.quantity))
    invoices: dict[tuple[str, datetime, datetime, str], _Invoice] = {}
    for (who, start, end, name), groups in sorted(usage.items()):
        meter = program.meter(name)
        assert meter.price is not None and meter.aggregate is not None
        try:
            bill = price_groups(meter.price, groups, meter.aggregate.function)
        except Unpriceable as refusal:
            out.report(refusal.rule, at=meter.price.origin, hint=refusal.hint, **refusal.facts)  # type: ignore[arg-type]
            continue
        key = (who, start, end, bill.currency)
        invoices.setdefault(key, _Invoice(who, start, end, bill.currency)).bills.append((meter, bill))
    return list(invoices.values())


class _Invoice:
    """What one customer owes for one period in one currency."""

    def __init__(self, customer: str, start: datetime, end: datetime, currency: str) -> None:
        self.customer = customer
        self.start = start
        self.end = end
        self.currency = currency
        self.bills: list[tuple[Meter, Bill]] = []

    @property
    def amount(self) -> Decimal:
        first, *others = (bill.amount for _, bill in self.bills)
        return sum(others, first)


def _invoice_json(invoice: _Invoice) -> dict[str, object]:
    return {
        "customer_id": invoice.customer,
        "period_start": instant(invoice.start),
        "period_end": instant(invoice.end),
        "currency": invoice.currency,
        "lines": [
            {
                "meter": meter.name,
                "quantity": short(line.quantity),
                "amount": plain(line.amount),
                "kind": line.kind.value,
            }
            for meter, bill in invoice.bills
            for line in bill.lines
        ],
        "amount": plain(invoice.amount),
    }


def _write_invoices(invoices: Sequence[_Invoice]) -> None:
    palette = _palette(sys.stdout)
    headers = ["customer", "from", "to", "meter", "line", "quantity", "unit price", "amount", ""]
    rows = []
    for invoice in invoices:
        head = [invoice.customer, _day(invoice.start), _day(invoice.end)]
        for meter, bill in invoice.bills:
            for line in bill.lines:
                cells = [short(line.quantity), short(line.unit_amount), plain(line.amount), invoice.currency]
                rows.append([*head, meter.name, line.kind.value.replace("_", " "), *cells])
                head = ["", "", ""]
        rows.append(["", "", "", "", "total", "", "", plain(invoice.amount), invoice.currency])
    sys.stdout.write(table(headers, rows, frozenset({5, 6, 7}), palette))


def _bill_table(price: Price, bill: Bill, palette: Palette) -> str:
    rows = []
    for line in bill.lines:
        reach = ""
        if line.start is not None:
            reach = (
                f"{short(line.start)} to {short(line.end)}" if line.end is not None else f"above {short(line.start)}"
            )
        cells = [short(line.quantity), short(line.unit_amount), plain(line.amount)]
        rows.append([line.kind.value.replace("_", " "), reach, *cells])
    rows.append(["total", "", "", "", plain(bill.amount)])
    headers = ["line", "units", "quantity", "unit price", bill.currency]
    return table(headers, rows, frozenset({2, 3, 4}), palette)


def _match(program: Program, meter: Meter, match: Sequence[str]) -> dict[str, Scalar]:
    """The dimensions that `--match name=value` arguments give, each of its field's type."""
    dimensions: dict[str, Scalar] = {}
    fields = {field.name: field for family in program.families_of(meter) for field in family.fields}
    for argument in match:
        name, _, text = argument.partition("=")
        _one_of("--match", name, meter.group_by)
        kind = fields[name].type.value
        try:
            value: Scalar = {"integer": int, "decimal": Decimal, "float": Decimal}.get(kind, str)(text)
        except (ValueError, InvalidOperation):
            raise Failure(BAD_ARGUMENT, argument="--match", value=argument, reason=f": `{name}` is {kind}") from None
        dimensions[name] = text == "true" if kind == "boolean" else value
    return dimensions
