"""The command `test`: the examples inside a spec, what was expected beside what came."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from meterspec.commands.shared import (
    FINDINGS,
    Exit,
    day,
    palette_of,
    program_of,
    scalar_json,
    scalar_text,
    stop_on_errors,
)
from meterspec.project import collect
from meterspec.render import Palette, as_json, instant, printable, short, table

if TYPE_CHECKING:
    from meterspec.examples import Line, Outcome
    from meterspec.ir import Scalar

__all__ = ["test"]


def test(paths: Sequence[str], format: str) -> None:
    """Runs the examples inside a spec and shows what was expected beside what came."""
    from meterspec.examples import check_examples  # noqa: PLC0415

    program, out = program_of(collect(paths))
    outcomes = check_examples(program, out)
    stop_on_errors(out)
    failed = sum(not outcome.passed for outcome in outcomes)
    if format == "json":
        counts = {"passed": len(outcomes) - failed, "failed": failed}
        sys.stdout.write(as_json({"tests": [_outcome_json(outcome) for outcome in outcomes], "summary": counts}))
    else:
        for outcome in outcomes:
            if not outcome.passed:
                sys.stdout.write(_outcome_text(outcome, palette_of(sys.stdout)) + "\n")
    for outcome in outcomes:
        for note in outcome.notes:
            sys.stderr.write(f"{outcome.meter.name}: {printable(outcome.example.name)}: {printable(note)}\n")
    words = f"{len(outcomes)} test{'s' if len(outcomes) != 1 else ''}: {len(outcomes) - failed} passed, {failed} failed"
    sys.stderr.write(f"{words if outcomes else 'no tests: a `[[meters.tests]]` table of a meter is one'}\n")
    if failed:
        raise Exit(FINDINGS)


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
    return instant(value) if isinstance(value, datetime) else scalar_json(value)


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
        return "" if key not in named else day(value) if isinstance(value, datetime) else scalar_text(value)

    if line.expected is None:
        expected = "no row"
    else:
        expected = "any" if line.expected.quantity is None else short(line.expected.quantity)
    if line.actual is None:
        groups = [wanted(key) for key in (*outcome.meter.group_by, "window_start", "window_end")]
        actual, events = "no row", ""
    else:
        row = line.actual
        groups = [*(scalar_text(value) for _, value in row.group), day(row.window_start), day(row.window_end)]
        actual, events = "-" if row.quantity is None else short(row.quantity), str(row.events)
    differs = "missing" if line.actual is None else "unexpected" if line.expected is None else "differs"
    cells = ["as expected" if line.same else differs, *groups, expected, actual]
    return [*cells, wanted("events"), events] if counts else cells
