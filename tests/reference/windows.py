"""Windows: the half-open stretches of time that have a quantity each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterspec import ir

from .values import MICROSECOND, SECOND, add_months, micros, moment

__all__ = ["EVER", "Inputs", "Span", "named_zone", "overlapping"]


EVER = micros(datetime(1, 1, 1, tzinfo=UTC))
"""The first instant there is; where a lifetime begins."""
UTC_ZONE = ZoneInfo("UTC")


class Span(NamedTuple):
    """From `start`, included, to `end`, not included, in microseconds."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What windows depend on besides the spec."""

    as_of: int
    cycles: tuple[tuple[str, Span], ...] = ()
    """Customers and their billing cycles. What lies outside a customer's cycles counts in its calendar period; a value
    that is held does so only for customers without any cycle."""
    anchor: datetime | None = None
    """Billing cycles are months counted from here."""
    range: Span | None = None
    """The one window that takes the place of every meter's own."""


def overlapping(
    window: ir.Window, first: int, last: int, customer: str | None, inputs: Inputs, *, outside: bool = False
) -> Iterator[Span]:
    """Every window that begins by `last` and ends after `first`, in order: with `last` = `first`, those it lies in.

    `outside` says that what lies in none of the customer's own cycles counts in its calendar period.
    """
    if inputs.range is not None:
        return _among([inputs.range], first, last)
    match window:
        case ir.BillingCycle() if _cycles_of(customer, inputs):
            own = list(_among(_cycles_of(customer, inputs), first, last))
            if own or not outside:
                return iter(own)
            return _partition(lambda at: _calendar(at, ir.CalendarUnit.MONTH, UTC_ZONE), first, last)
        case ir.BillingCycle() if inputs.anchor is not None:
            anchor = inputs.anchor
            return _partition(lambda at: _anchored_month(at, anchor), first, last)
        case ir.BillingCycle():
            return _partition(lambda at: _calendar(at, ir.CalendarUnit.MONTH, UTC_ZONE), first, last)
        case ir.CalendarWindow(unit, timezone):
            zone = named_zone(timezone)
            return _partition(lambda at: _calendar(at, unit, zone), first, last)
        case ir.Tumbling(seconds):
            return _partition(lambda at: _fixed(at, seconds * SECOND), first, last)
        case ir.Rolling():
            if window.every is None:
                return _among([_trailing(window, inputs.as_of)], first, last)
            return _series(window, window.every, first, last, inputs.as_of)
        case ir.Lifetime():
            return _among([Span(EVER, inputs.as_of)], first, last)


@cache
def named_zone(name: str) -> ZoneInfo:
    """A time zone of the package's tz database, whatever the machine has."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, name)


def _among(spans: Iterable[Span], first: int, last: int) -> Iterator[Span]:
    return (span for span in sorted(spans) if span.start <= last and span.end > first)


def _partition(containing: Callable[[int], Span], first: int, last: int) -> Iterator[Span]:
    """Windows that follow each other without a gap."""
    span = containing(first)
    while span.start <= last:
        yield span
        span = containing(span.end)


# -- billing cycles


def _cycles_of(customer: str | None, inputs: Inputs) -> list[Span]:
    return [span for owner, span in inputs.cycles if owner == customer]


def _anchored_month(at: int, anchor: datetime) -> Span:
    """The month that begins on the anchor's day: every boundary is counted from the anchor, so 31 January, 28 February,
    31 March."""
    here = moment(at)
    months = (here.year - anchor.year) * 12 + here.month - anchor.month
    if micros(add_months(anchor, months)) > at:
        months -= 1
    return Span(micros(add_months(anchor, months)), micros(add_months(anchor, months + 1)))


# -- fixed lengths


def _fixed(at: int, length: int) -> Span:
    start = at - at % length
    return Span(start, start + length)


def _trailing(window: ir.Rolling, end: int) -> Span:
    if window.months is not None:
        zone = named_zone(window.timezone)
        local = add_months(moment(end).astimezone(zone).replace(tzinfo=None), -window.months)
        if local.time() == time():
            return Span(_midnight(local.date(), zone), end)
        return Span(micros(local.replace(tzinfo=zone, fold=0)), end)
    assert window.seconds is not None
    return Span(end - window.seconds * SECOND, end)


def _series(window: ir.Rolling, every: ir.CalendarUnit, first: int, last: int, as_of: int) -> Iterator[Span]:
    """The windows that end at a boundary of the unit, up to as-of."""
    zone = named_zone(window.timezone)
    end = _calendar(first, every, zone).end
    while end <= as_of and (span := _trailing(window, end)).start <= last:
        yield span
        end = _calendar(end, every, zone).end


# -- the calendar of a zone


def _calendar(at: int, unit: ir.CalendarUnit, zone: ZoneInfo) -> Span:
    match unit:
        case ir.CalendarUnit.MINUTE:
            return _by_the_clock(at, 60 * SECOND, zone)
        case ir.CalendarUnit.HOUR:
            return _by_the_clock(at, 3600 * SECOND, zone)
        case _:
            return _by_the_date(at, unit, zone)


def _by_the_clock(at: int, length: int, zone: ZoneInfo) -> Span:
    """A full hour or minute of the local clock. Where the clock is changed a new one begins, so the hour that a
    clock set back shows twice is two windows."""
    offset = _offset(at, zone)
    start = (at + offset) // length * length - offset
    end = start + length
    if _offset(start, zone) != offset:
        start = _change(start, at, zone)
    if _offset(end - 1, zone) != offset:
        end = _change(at, end - 1, zone)
    return Span(start, end)


def _by_the_date(at: int, unit: ir.CalendarUnit, zone: ZoneInfo) -> Span:
    """From the midnight that begins the unit to the one that begins the next.

    Usually the one that the local date lies in; not always: where clocks go back over midnight, the day has begun
    and the local date is the one before again.
    """
    begins = _begins(moment(at).astimezone(zone).date(), unit)
    for candidate in (_begins(begins - timedelta(days=1), unit), begins, _next(begins, unit)):
        span = Span(_midnight(candidate, zone), _midnight(_next(candidate, unit), zone))
        if span.start <= at < span.end:
            return span
    raise AssertionError(f"no {unit} of {zone} contains {moment(at)}")


def _begins(day: date, unit: ir.CalendarUnit) -> date:
    """The first day of the unit that the day is in."""
    match unit:
        case ir.CalendarUnit.DAY:
            return day
        case ir.CalendarUnit.WEEK:
            return day - timedelta(days=day.weekday())
        case ir.CalendarUnit.MONTH:
            return day.replace(day=1)
        case ir.CalendarUnit.QUARTER:
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case ir.CalendarUnit.YEAR:
            return day.replace(month=1, day=1)
        case ir.CalendarUnit.HOUR | ir.CalendarUnit.MINUTE:
            raise AssertionError(f"{unit} goes by the clock")


def _next(begins: date, unit: ir.CalendarUnit) -> date:
    """The first day of the unit after: no unit is longer than 366 days, so the least step that leaves it is enough."""
    shortest = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}[unit.value]
    day = begins + timedelta(days=shortest)
    while _begins(day, unit) == begins:
        day += timedelta(days=1)
    return day


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant at which the local clock shows that midnight or later: of two midnights the first, and where
    the clock skips it, the end of the gap."""
    local = datetime.combine(day, time())
    at = micros(local.replace(tzinfo=zone, fold=0))
    if moment(at).astimezone(zone).replace(tzinfo=None) == local:
        return at
    # Inside a gap Python counts with the offset before it, which lands after the change; the offset there lands before.
    before = at + _offset_in_gap(local, zone, fold=0) - _offset_in_gap(local, zone, fold=1)
    return _change(before, at, zone)


def _offset_in_gap(local: datetime, zone: ZoneInfo, fold: int) -> int:
    offset = local.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return offset // MICROSECOND


def _offset(at: int, zone: ZoneInfo) -> int:
    """How far the local clock is ahead of UTC."""
    offset = moment(at).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // MICROSECOND


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The instant between the two at which the clock is changed."""
    old = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after
