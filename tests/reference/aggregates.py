"""From events to quantities: what a meter keeps, groups by and makes of each window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from meterspec import ir

from .expressions import evaluate
from .values import SECOND, Event, Value, as_decimal, micros, moment, rounded
from .windows import EVER, Inputs, Span, overlapping

__all__ = ["Quantity", "quantities"]

Group = tuple[Value, ...]
Cell = tuple[Span, Group]
"""What has one quantity: a window and a group."""


class Quantity(NamedTuple):
    """One row of a meter."""

    window_start: datetime | None
    """None is "ever"."""
    window_end: datetime
    group: tuple[bool | int | Decimal | str | None, ...]
    quantity: Decimal | None
    events: int


class _Result(NamedTuple):
    exact: Fraction | None
    events: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything a quantity depends on besides its meter."""

    program: ir.Program
    events: Mapping[str, Sequence[Event]]
    inputs: Inputs
    fill: bool


def quantities(
    program: ir.Program,
    meter: ir.Meter,
    events: Mapping[str, Sequence[Event]],
    *,
    as_of: datetime,
    cycles: Iterable[tuple[str, datetime, datetime]] | None = None,
    cycle_anchor: date | None = None,
    range: tuple[datetime, datetime] | None = None,
    fill: bool = False,
) -> list[Quantity]:
    """The rows of a meter over the events of each family, by window and group, missing group values last.

    `cycles` are (customer, start, end), `cycle_anchor` the day that billing cycles are counted from without them;
    `range` is one window in place of the meter's own; `fill` adds the windows in which a group has no event.
    """
    inputs = Inputs(
        as_of=micros(as_of),
        cycles=_checked(cycles or ()),
        anchor=_first_instant(cycle_anchor) if cycle_anchor else None,
        range=Span(micros(range[0]), micros(range[1])) if range else None,
    )
    results = _measure(_Run(program, events, inputs, fill), meter)
    cut = inputs.as_of if _is_time_weighted(program, meter) else None
    return [
        Quantity(
            window_start=None if span.start == EVER else moment(span.start),
            window_end=moment(span.end if cut is None else min(span.end, cut)),
            group=tuple(map(_shown, group)),
            quantity=None
            if exact is None
            else as_decimal(rounded(exact, meter.precision, meter.rounding), meter.precision),
            events=count,
        )
        for (span, group), (exact, count) in sorted(results.items(), key=lambda item: _order(item[0]))
    ]


def _window(meter: ir.Meter, inputs: Inputs) -> ir.Window:
    """The window of a meter; without cycles, a price by the quarter or the year makes a billing cycle that long."""
    if isinstance(meter.window, ir.BillingCycle) and meter.price and not inputs.cycles and inputs.anchor is None:
        return ir.CalendarWindow(meter.price.interval)
    return meter.window


def _checked(cycles: Iterable[tuple[str, datetime, datetime]]) -> tuple[tuple[str, Span], ...]:
    """The cycles, of which a customer's never overlap: an event is in one at most."""
    ordered = sorted((customer, Span(micros(start), micros(end))) for customer, start, end in cycles)
    for customer, span in ordered:
        if span.start >= span.end:
            raise ValueError(f"a cycle of {customer} is empty")
    for (customer, span), (next_customer, following) in pairwise(ordered):
        if customer == next_customer and following.start < span.end:
            raise ValueError(f"two cycles of {customer} overlap")
    return tuple(ordered)


def _first_instant(day: date) -> datetime:
    if isinstance(day, datetime):
        return moment(micros(day))
    return datetime.combine(day, time(), UTC)


def _order(cell: Cell) -> tuple[Span, list[tuple[bool, Value]]]:
    span, group = cell
    return span, [(value is None, 0 if value is None else value) for value in group]


def _shown(value: Value) -> bool | int | Decimal | str | None:
    """A group value as a row shows it; a decimal with as many decimals as it has."""
    if not isinstance(value, Fraction):
        return value
    decimals = 0
    while (value * 10**decimals).denominator != 1:
        decimals += 1
    return as_decimal(value, decimals)


# -- a meter's exact results


def _measure(run: _Run, meter: ir.Meter) -> dict[Cell, _Result]:
    match meter.source:
        case ir.FamilySource():
            return _measure_events(run, meter)
        case ir.RatioSource(numerator, denominator):
            return _measure_ratio(run, run.program.meter(numerator), run.program.meter(denominator))


def _measure_events(run: _Run, meter: ir.Meter) -> dict[Cell, _Result]:
    assert meter.aggregate is not None
    events = _known(run, meter)
    kept = [event for event in events if meter.filter is None or evaluate(meter.filter, event.values) is True]
    cells: dict[Cell, list[Event]] = {}
    if meter.aggregate.function is ir.Function.TIME_WEIGHTED:
        for group, holding in _by_group(meter, kept).items():
            for span in _held_windows(run, meter, holding):
                cells[span, group] = holding
    else:
        for event in kept:
            own = _window(meter, run.inputs)
            for span in overlapping(own, event.time, event.time, event.customer, run.inputs, outside=True):
                cells.setdefault((span, _group(meter, event)), []).append(event)
    if run.fill:
        for cell in _all_cells(run, meter, events):
            cells.setdefault(cell, [])
    return {(span, group): _aggregate(run, meter.aggregate, span, members) for (span, group), members in cells.items()}


def _known(run: _Run, meter: ir.Meter) -> list[Event]:
    """The events of the meter's families by (event time, event id), then by the family that is named first; where
    as-of ends the window, those before it."""
    assert isinstance(meter.source, ir.FamilySource)
    events = [event for family in meter.source.families for event in run.events[family]]
    events.sort(key=lambda event: (event.time, event.id))
    return [event for event in events if event.time < run.inputs.as_of] if _ends_at_as_of(run, meter) else events


def _ends_at_as_of(run: _Run, meter: ir.Meter) -> bool:
    assert meter.aggregate is not None
    if meter.aggregate.function is ir.Function.TIME_WEIGHTED:
        return True
    return run.inputs.range is None and isinstance(meter.window, ir.Rolling | ir.Lifetime)


def _is_time_weighted(program: ir.Program, meter: ir.Meter) -> bool:
    match meter.source:
        case ir.FamilySource():
            return meter.aggregate is not None and meter.aggregate.function is ir.Function.TIME_WEIGHTED
        case ir.RatioSource(numerator, denominator):
            return any(_is_time_weighted(program, program.meter(name)) for name in (numerator, denominator))


def _group(meter: ir.Meter, event: Event) -> Group:
    return tuple(event.values[name] for name in meter.group_by)


def _by_group(meter: ir.Meter, events: Iterable[Event]) -> dict[Group, list[Event]]:
    groups: dict[Group, list[Event]] = {}
    for event in events:
        groups.setdefault(_group(meter, event), []).append(event)
    return groups


def _held_windows(run: _Run, meter: ir.Meter, holding: Sequence[Event]) -> Iterator[Span]:
    """Every window from a group's first event up to as-of: a value holds in those without an event too."""
    customers = {event.customer for event in holding}
    if len(customers) > 1 and isinstance(meter.window, ir.BillingCycle) and run.inputs.cycles:
        raise ValueError(f"{meter.name} holds one value for several customers, whose cycles differ")
    return overlapping(
        _window(meter, run.inputs), holding[0].time, run.inputs.as_of - 1, holding[0].customer, run.inputs
    )


def _all_cells(run: _Run, meter: ir.Meter, events: Sequence[Event]) -> Iterator[Cell]:
    """Each group of the families' events, kept or not, with each window from the first of these events to the last,
    or to as-of where that ends the window."""
    if not events:
        return
    first, last = events[0].time, events[-1].time
    if run.inputs.range is not None:
        first = last = run.inputs.range.start
    elif _ends_at_as_of(run, meter):
        last = run.inputs.as_of - 1
    for group, customer in dict.fromkeys((_group(meter, event), event.customer) for event in events):
        for span in overlapping(_window(meter, run.inputs), first, last, customer, run.inputs):
            yield span, group


# -- aggregates


def _aggregate(run: _Run, aggregate: ir.Aggregate, span: Span, events: Sequence[Event]) -> _Result:
    """The exact quantity of a window's events, which come in the order of LAST; a missing value counts for nothing."""
    if aggregate.function is ir.Function.COUNT:
        return _Result(Fraction(len(events)), len(events))
    assert aggregate.value is not None
    values = [(event.time, evaluate(aggregate.value, event.values)) for event in events]
    if aggregate.function is ir.Function.UNIQUE:
        return _Result(Fraction(len({value for _, value in values if value is not None})), len(events))
    steps = [(at, _number(value)) for at, value in values if value is not None]
    if aggregate.function is ir.Function.TIME_WEIGHTED:
        window = Span(span.start, min(span.end, run.inputs.as_of))
        inside = sum(window.start <= event.time < window.end for event in events)
        return _Result(_integral(steps, window) / _length(aggregate.per), inside)
    return _Result(_of_numbers(aggregate.function, [number for _, number in steps]), len(events))


def _number(value: Value) -> Fraction:
    assert isinstance(value, int | Fraction)
    assert not isinstance(value, bool)
    return Fraction(value)


def _of_numbers(function: ir.Function, numbers: Sequence[Fraction]) -> Fraction | None:
    if function is ir.Function.SUM:
        return sum(numbers, Fraction(0))
    if not numbers:
        return None
    match function:
        case ir.Function.AVG:
            return sum(numbers, Fraction(0)) / len(numbers)
        case ir.Function.MIN:
            return min(numbers)
        case ir.Function.MAX:
            return max(numbers)
        case ir.Function.FIRST:
            return numbers[0]
        case ir.Function.LAST:
            return numbers[-1]
        case _:
            raise AssertionError(f"{function} is not an aggregate of numbers")


def _integral(steps: Sequence[tuple[int, Fraction]], window: Span) -> Fraction:
    """Value times microseconds inside the window: each value holds until the next, the last to the window's end."""
    total = Fraction(0)
    for (since, value), (until, _) in pairwise([*steps, (window.end, Fraction(0))]):
        held = min(until, window.end) - max(since, window.start)
        total += value * max(held, 0)
    return total


def _length(per: ir.CalendarUnit | None) -> int:
    """The unit of time in microseconds; months and longer have no one length."""
    seconds = {
        ir.CalendarUnit.MINUTE: 60,
        ir.CalendarUnit.HOUR: 3600,
        ir.CalendarUnit.DAY: 86_400,
        ir.CalendarUnit.WEEK: 604_800,
    }
    if per not in seconds:
        raise ValueError(f"`per` is a minute, hour, day or week, not {per}")
    return seconds[per] * SECOND


# -- ratios


def _measure_ratio(run: _Run, numerator: ir.Meter, denominator: ir.Meter) -> dict[Cell, _Result]:
    """A row wherever either side has one; a side without one is an empty window."""
    above, below = _measure(run, numerator), _measure(run, denominator)
    nothing_above, nothing_below = _of_no_events(run, numerator), _of_no_events(run, denominator)
    return {
        cell: _ratio(above.get(cell, nothing_above), below.get(cell, nothing_below))
        for cell in above.keys() | below.keys()
    }


def _of_no_events(run: _Run, meter: ir.Meter) -> _Result:
    if meter.aggregate is None:
        return _Result(None, 0)
    return _aggregate(run, meter.aggregate, Span(0, 0), ())


def _ratio(above: _Result, below: _Result) -> _Result:
    if above.exact is None or not below.exact:
        return _Result(None, above.events + below.events)
    return _Result(above.exact / below.exact, above.events + below.events)
