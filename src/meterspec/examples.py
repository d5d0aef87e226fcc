"""The examples inside a spec, run as tests: their events through the compiled views, and what came of them.

The events of many examples are one log, so that a thousand examples cost little more than one. There an event carries
the number of its example, by which every meter groups, and its id is an id within that example.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from meterspec.backends.sql import needs_as_of
from meterspec.diagnostics import Diagnostics
from meterspec.events import EventFiles
from meterspec.ir import (
    Example,
    ExpectedRow,
    Family,
    Field,
    FieldType,
    Function,
    Lifetime,
    Meter,
    Program,
    Rolling,
    Scalar,
)
from meterspec.run import Reject, Result, run

__all__ = ["Line", "Outcome", "check_examples"]


@dataclass(frozen=True, slots=True)
class Line:
    """A row that was expected beside the row that came; None where there is no row."""

    expected: ExpectedRow | None
    actual: Result | None
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one example."""

    meter: Meter
    example: Example
    rows: tuple[Result, ...]
    """The rows that came, by window and group."""
    lines: tuple[Line, ...]
    """The rows expected, in the order written, then those that nobody expected."""
    faults: tuple[str, ...]
    """Which events were rejected, and why; an example shows what valid events give."""
    notes: tuple[str, ...]
    """What changes no result and may be a slip."""

    @property
    def passed(self) -> bool:
        return not self.faults and all(line.same for line in self.lines)


def check_examples(program: Program, out: Diagnostics) -> list[Outcome]:
    """The outcome of every example, in the order of the program.

    Windows that end at an as-of instant end at the example's, or just after its newest event. Reports MS600 for a
    meter that the embedded engine cannot compute, and then gives none.
    """
    examples = [(meter, example) for meter in program.meters for example in meter.examples]
    cases = [_case(program, number, meter, example) for number, (meter, example) in enumerate(examples)]
    numbered = _numbered(program)
    for batch in _batches([case for case in cases if case.events]):
        _run(numbered, batch, out)
    return [] if out.has_errors else [_outcome(case) for case in cases]


# The log --------------------------------------------------------------------------------------------------------

# No field can have a name that begins so.
_NUMBER, _ID, _EVENT = "meterspec_example", "meterspec_id", "meterspec_event"


@dataclass(slots=True)
class _Case:
    """An example, its events by family, and what the engine makes of them."""

    number: int
    meter: Meter
    example: Example
    families: tuple[Family, ...]
    events: list[tuple[int, Family, dict[str, Scalar]]] = field(default_factory=list)
    """Each with its position in the example, counted from 1."""
    end: datetime | None = None
    """The as-of instant, where it is known before a run."""
    rows: list[Result] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _case(program: Program, number: int, meter: Meter, example: Example) -> _Case:
    case = _Case(number, meter, example, program.families_of(meter))
    for position, event in enumerate(example.events, start=1):
        values = dict(event)
        family = _family(case.families, values)
        if isinstance(family, str):
            case.faults.append((position, family))
            continue
        case.events.append((position, family, values))
        declared = {field.name for field in family.fields}
        case.notes += [
            f"event {position} has `{key}`, which family `{family.name}` does not declare"
            for key in values
            if key not in declared
        ]
    case.end = _end(case)
    return case


def _family(families: tuple[Family, ...], values: dict[str, Scalar]) -> Family | str:
    """The family of an event, or why it has none; where a meter reads several, the event names its own by a key."""
    if len(families) == 1:
        return families[0]
    taken = any(field.name == "family" for family in families for field in family.fields)
    key = "meterspec_family" if taken else "family"
    name = values.pop(key, None)
    names = " or ".join(f'`{key} = "{family.name}"`' for family in families)
    return next((family for family in families if family.name == name), f"does not say its family: add {names}")


def _batches(cases: Sequence[_Case]) -> Iterator[list[_Case]]:
    """The examples that one run computes: all that need no as-of instant, few of those that end at theirs."""
    whole, together = [], []
    for case in cases:
        if not needs_as_of(case.meter):
            whole.append(case)
        elif case.end is not None and _ends_at_as_of(case.meter):
            together.append(case)
        else:
            yield [case]
    yield whole
    # A run computes every example at the instant of every other.
    yield from (together[n : n + 128] for n in range(0, len(together), 128))


def _ends_at_as_of(meter: Meter) -> bool:
    """Whether every window of a meter ends at the as-of instant, and events before no window matter."""
    if meter.aggregate is None or meter.aggregate.function is Function.TIME_WEIGHTED:
        return False
    return isinstance(meter.window, Lifetime) or (isinstance(meter.window, Rolling) and meter.window.every is None)


def _end(case: _Case) -> datetime | None:
    """The as-of instant of an example; None where it takes a run to find it."""
    if case.example.as_of is not None:
        return case.example.as_of
    times: dict[object, datetime] = {}
    for _, family, values in case.events:
        time = _instant(values.get(family.event_time))
        if time is None or times.setdefault((family.name, values.get(family.event_id)), time) != time:
            return None
    newest = max(times.values(), default=_LAST)
    return None if newest == _LAST else newest + timedelta(microseconds=1)


_LAST = datetime.max.replace(tzinfo=UTC)


def _instant(value: Scalar) -> datetime | None:
    """The instant that a value of an event says; None where it says none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, datetime):
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return None


def _numbered(program: Program) -> Program:
    """The program whose events carry the number of their example, and whose meters group by it."""
    added = (
        Field(name=_ID, type=FieldType.STRING, required=True),
        Field(name=_NUMBER, type=FieldType.INTEGER, required=True),
    )
    return replace(
        program,
        families=tuple(replace(family, event_id=_ID, fields=(*added, *family.fields)) for family in program.families),
        meters=tuple(replace(meter, group_by=(_NUMBER, *meter.group_by)) for meter in program.meters),
    )


def _run(numbered: Program, batch: Sequence[_Case], out: Diagnostics) -> None:
    """Gives each example of a batch the rows of its meter and the faults of its events."""
    lines: dict[str, list[str]] = {family.name: [] for case in batch for family in case.families}
    for case in batch:
        for position, family, values in case.events:
            lines[family.name].append(_line(case.number, position, family, values))
    if not batch:
        return
    by_number = {case.number: case for case in batch}
    ends = sorted({case.end for case in batch if case.end is not None}) if needs_as_of(batch[0].meter) else []
    with TemporaryDirectory(prefix="meterspec-") as folder:
        files = []
        for name, written in lines.items():
            path = Path(folder) / f"{name}.jsonl"
            path.write_text("".join(written), encoding="utf-8")
            files.append(EventFiles(numbered.family(name), (path,)))
        rejected: list[Reject] = []
        names = list({case.meter.name for case in batch})
        done = run(numbered, files, out, meters=names, as_of=ends or None, rejects=rejected.append)
    for row in done.results:
        case = by_number[int(str(row.group[0][1]))]
        if row.meter == case.meter.name and (len(ends) < 2 or row.window_end == case.end):
            case.rows.append(replace(row, group=row.group[1:]))
    for reject in rejected:
        event = json.loads(reject.row)
        by_number[int(event[_NUMBER])].faults.append((int(event[_EVENT]), f"was rejected: {reject.reason}"))


def _line(number: int, position: int, family: Family, values: dict[str, Scalar]) -> str:
    """An event as a line of the log: every field of its family is there, so that what it lacks is missing, not odd."""
    event: dict[str, Scalar] = {field.name: None for field in family.fields} | values
    event |= {_ID: f"{number} {values.get(family.event_id)}", _NUMBER: number, _EVENT: str(position)}
    instants = {field.name for field in family.fields if field.type is FieldType.TIMESTAMP}
    return (
        "{" + ", ".join(f"{json.dumps(key)}: {_json(value, key in instants)}" for key, value in event.items()) + "}\n"
    )


def _json(value: Scalar, instant: bool) -> str:
    """A value as JSON, digit by digit; an instant where the field holds none is nothing that the field accepts."""
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return json.dumps(value.isoformat()) if instant else "[]"
        case _:
            return json.dumps(value)


# What came, beside what was expected ----------------------------------------------------------------------------

_ZERO_WHERE_EMPTY = {Function.COUNT, Function.SUM, Function.UNIQUE, Function.TIME_WEIGHTED}


def _outcome(case: _Case) -> Outcome:
    case.notes += [
        f"no quantity is {row.quantity:f}: the meter rounds to {case.meter.precision} decimals"
        for row in case.example.expect
        if row.quantity is not None and _decimals(row.quantity) > case.meter.precision
    ]
    return Outcome(
        meter=case.meter,
        example=case.example,
        rows=tuple(case.rows),
        lines=tuple(_lines(case.meter, case.example.expect, case.rows)),
        faults=tuple(f"event {position} {words}" for position, words in sorted(case.faults)),
        notes=tuple(case.notes),
    )


def _decimals(number: Decimal) -> int:
    return len(f"{number:f}".partition(".")[2].rstrip("0"))


def _lines(meter: Meter, expected: Sequence[ExpectedRow], actual: Sequence[Result]) -> list[Line]:
    """Every expected row with the row that answers it, then the rows that answer none."""
    answers = _pairs(expected, actual)
    free = [n for n in range(len(actual)) if n not in answers.values()]
    lines = []
    for number, row in enumerate(expected):
        if number in answers:
            lines.append(Line(row, actual[answers[number]], same=True))
            continue
        near = next((n for n in free if _is_row(row, actual[n])), None)
        if near is not None:
            free.remove(near)
            lines.append(Line(row, actual[near], same=False))
        else:
            lines.append(Line(row, None, same=_is_empty(meter, row)))
    return lines + [Line(None, actual[n], same=False) for n in free]


def _pairs(expected: Sequence[ExpectedRow], actual: Sequence[Result]) -> dict[int, int]:
    """As many expected rows as possible, each with a row of its own that has all it names.

    A row that names few groups may be answered by several: it makes way for one that has no other answer.
    """
    taken: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        for n, row in enumerate(actual):
            if n not in tried and _is_row(expected[number], row) and _has_numbers(expected[number], row):
                tried.add(n)
                if n not in taken or place(taken[n], tried):
                    taken[n] = number
                    return True
        return False

    for number in range(len(expected)):
        place(number, set())
    return {number: n for n, number in taken.items()}


def _is_row(expected: ExpectedRow, actual: Result) -> bool:
    """Whether a row is of the window and groups that are named."""
    values = {"window_start": actual.window_start, "window_end": actual.window_end, **dict(actual.group)}
    return all(_equal(value, values[key]) for key, value in expected.group if key in values)


def _has_numbers(expected: ExpectedRow, actual: Result) -> bool:
    """Whether a row has the quantity and the number of events that are named, exactly."""
    events = dict(expected.group).get("events", actual.events)
    return _equal(events, actual.events) and (expected.quantity is None or expected.quantity == actual.quantity)


def _equal(one: Scalar, two: Scalar) -> bool:
    """Equality of values as an event holds them: true is not 1."""
    return one == two and isinstance(one, bool) == isinstance(two, bool)


def _is_empty(meter: Meter, expected: ExpectedRow) -> bool:
    """Whether no row at all is what is expected: the quantity of a window without events."""
    zero = meter.aggregate is not None and meter.aggregate.function in _ZERO_WHERE_EMPTY
    return zero and expected.quantity == 0 and _equal(dict(expected.group).get("events", 0), 0)
