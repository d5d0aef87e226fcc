"""Meters as views: the exact quantity of a scan's total, or of two totals, rounded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import WIDE, Dialect, Division, TooLargeError
from meterspec.backends.sql.scans import Scan, greatest_total
from meterspec.ir import CalendarUnit, Function, Meter, Program, RatioSource, Rounding, variables

__all__ = ["PER", "Quantity", "meter_view", "quantity_of", "whole_quantity"]

PER = {
    CalendarUnit.MINUTE: 60_000_000,
    CalendarUnit.HOUR: 3_600_000_000,
    CalendarUnit.DAY: 86_400_000_000,
    CalendarUnit.WEEK: 604_800_000_000,
}
"""The unit of time of a TIME_WEIGHTED quantity, in microseconds."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """The columns of a meter's rows, as nodes over the columns of its scan."""

    quantity: exp.Expr
    events: exp.Expr
    exists: exp.Expr | None
    """Whether a row of the scan is one of the meter; None where every row is."""


@dataclass(frozen=True, slots=True)
class _Number:
    """An exact number, `ratio * total / by`, whose total and divisor are whole numbers of the wide type."""

    ratio: Fraction
    total: exp.Expr
    most: int
    """The greatest magnitude of the total."""
    by: exp.Expr | None
    most_by: int
    may_be_negative: bool


def meter_view(program: Program, meter: Meter, scans: Iterable[Scan], dialect: Dialect, *, fill: bool = False) -> View:
    """The view of a meter, on those of its scans: a row for each window and group that has an event.

    With `fill` the scans have rows of windows without an event, which stay.
    """
    by_meter = {one.name: scan for scan in scans for one in scan.meters}
    words = meter.description or f"Meter `{meter.name}`."
    if isinstance(meter.source, RatioSource):
        return View(meter.sql_name, _ratio(program, meter, meter.source, by_meter, dialect, fill), words)
    scan = by_meter[meter.name]
    found = quantity_of(program, meter, scan, dialect, fill=fill)
    select = _rows(meter.group_by, found).from_(b.table(scan.name))
    if found.exists is not None:
        select = select.where(found.exists, copy=False)
    return View(meter.sql_name, select, words)


def _rows(group_by: Iterable[str], found: Quantity) -> exp.Select:
    return exp.select(
        *(b.column(name) for name in ("window_start", "window_end", *group_by)),
        b.named(found.quantity, "quantity"),
        b.named(found.events, "events"),
    )


def quantity_of(program: Program, meter: Meter, scan: Scan, dialect: Dialect, *, fill: bool = False) -> Quantity:
    """What a row of a scan says about one of its meters; with `fill` rows may be of windows without an event."""
    events = b.column(scan.events(meter))
    number = _number(program, meter, scan, dialect)
    if fill:
        number = replace(number, total=_or_zero(number.total, meter, dialect))
    every_row = fill or scan.is_time_weighted
    exists = None if every_row else b.binary(exp.GT, events.copy(), b.number(0))
    return Quantity(_rounded(number, meter, dialect), events, exists)


def _number(
    program: Program, meter: Meter, scan: Scan, dialect: Dialect, total: str | None = None, events: str | None = None
) -> _Number:
    """The exact quantity of a meter, out of the columns of its scan or those that take their place."""
    assert meter.aggregate is not None
    function = meter.aggregate.function
    counted = b.column(events or scan.events(meter))
    families = program.families_of(meter)
    most = greatest_total(meter, families, scan.window)
    if function is Function.COUNT:
        return _Number(Fraction(1), dialect.wide(counted), most, None, 1, may_be_negative=False)
    column = dialect.wide(b.column(total or scan.total(meter)))
    if function is Function.UNIQUE:
        return _Number(Fraction(1), column, most, None, 1, may_be_negative=False)
    assert meter.aggregate.value is not None
    value = exact.scaled(meter.aggregate.value, variables(families))
    ratio = value.ratio
    if meter.aggregate.per is not None:
        ratio /= PER[meter.aggregate.per]
    negative = value.whole.bounds.low < 0
    if function is Function.AVG:
        return _Number(ratio, column, most, dialect.wide(counted), max(one.max_events for one in families), negative)
    return _Number(ratio, column, most, None, 1, negative)


# Ratios ---------------------------------------------------------------------------------------------------------

_ABOVE, _ABOVE_EVENTS, _BELOW, _BELOW_EVENTS = "above", "above_events", "below", "below_events"


def _ratio(
    program: Program, meter: Meter, source: RatioSource, by_meter: Mapping[str, Scan], dialect: Dialect, fill: bool
) -> exp.Select:
    """The exact ratio of two meters, from the totals of both: a side without events counts as an empty window."""
    above, below = program.meter(source.numerator), program.meter(source.denominator)
    keys = ["window_start", "window_end", *meter.group_by]
    sides = exp.Union(
        this=_side(above, by_meter[above.name], keys, (_ABOVE, _ABOVE_EVENTS), (_BELOW, _BELOW_EVENTS), dialect, fill),
        expression=_side(
            below, by_meter[below.name], keys, (_BELOW, _BELOW_EVENTS), (_ABOVE, _ABOVE_EVENTS), dialect, fill
        ),
        distinct=False,
    )
    together = exp.select(
        *(b.column(name) for name in keys),
        *(b.named(exp.Max(this=b.column(name)), name) for name in (_ABOVE, _ABOVE_EVENTS, _BELOW, _BELOW_EVENTS)),
    )
    together = together.from_(b.table("sides")).group_by(*(b.column(name) for name in keys))
    one = _number(program, above, by_meter[above.name], dialect, _ABOVE, _ABOVE_EVENTS)
    two = _number(program, below, by_meter[below.name], dialect, _BELOW, _BELOW_EVENTS)
    quantity = _rounded(_divided(one, two, above, below, dialect), meter, dialect)
    counts = [b.call("COALESCE", b.column(name), b.number(0)) for name in (_ABOVE_EVENTS, _BELOW_EVENTS)]
    select = _rows(meter.group_by, Quantity(quantity, b.add(*counts), None)).from_(b.table("together"))
    return select.with_(b.identifier("sides"), as_=sides).with_(b.identifier("together"), as_=together)


def _side(
    meter: Meter,
    scan: Scan,
    keys: list[str],
    own: tuple[str, str],
    other: tuple[str, str],
    dialect: Dialect,
    fill: bool,
) -> exp.Select:
    """One meter's rows of its scan; the columns of the other are null."""
    events = b.column(scan.events(meter))
    counts = meter.aggregate is not None and meter.aggregate.function is Function.COUNT
    total = dialect.wide(events.copy() if counts else b.column(scan.total(meter)))
    nothing = (dialect.wide(exp.Null()), b.cast(exp.Null(), dialect.narrow))
    values = dict(zip((*own, *other), (total, b.cast(events.copy(), dialect.narrow), *nothing), strict=True))
    names = (_ABOVE, _ABOVE_EVENTS, _BELOW, _BELOW_EVENTS)
    select = exp.select(*(b.column(name) for name in keys), *(b.named(values[name], name) for name in names))
    select = select.from_(b.table(scan.name))
    return select if fill or scan.is_time_weighted else select.where(b.binary(exp.GT, events, b.number(0)), copy=False)


def _divided(one: _Number, two: _Number, above: Meter, below: Meter, dialect: Dialect) -> _Number:
    """The quotient of two numbers: the sign goes to the dividend, and a divisor of zero is null."""
    most, most_by = one.most * two.most_by, two.most * one.most_by
    if max(most, most_by) > dialect.widest:
        raise TooLargeError("a ratio of totals of more than 64 bits")
    total = _or_zero(one.total, above, dialect)
    if two.by is not None:
        total = b.multiply(total, two.by)
    divisor: exp.Expr = _or_zero(two.total, below, dialect)
    if two.may_be_negative:
        negative = b.binary(exp.LT, divisor.copy(), dialect.constant(0))
        total = b.case([(negative, dialect.negate(total))], total.copy())
        divisor = dialect.absolute(divisor)
    by: exp.Expr = exp.Nullif(this=divisor, expression=b.number(0))
    if one.by is not None:
        by = b.multiply(by, one.by)
    may_be_negative = one.may_be_negative or two.may_be_negative
    return _Number(one.ratio / two.ratio, total, most, by, most_by, may_be_negative)


def _or_zero(total: exp.Expr, meter: Meter, dialect: Dialect) -> exp.Expr:
    """A total, where there is none that of a window without events: some aggregates have one, of others it is null."""
    assert meter.aggregate is not None
    empty = {Function.COUNT, Function.SUM, Function.UNIQUE, Function.TIME_WEIGHTED}
    if meter.aggregate.function not in empty:
        return total
    return b.call("COALESCE", total, dialect.wide_constant(0))


# Rounding -------------------------------------------------------------------------------------------------------


def whole_quantity(meter: Meter, ratio: Fraction, total: exp.Expr, dialect: Dialect, *, signed: bool) -> exp.Expr:
    """`ratio` times a total of the wide type, rounded once as the meter says: a whole number of 10^-precision."""
    return _rounded_whole(_Number(ratio, total, WIDE, None, 1, signed), meter, dialect)


def _rounded(number: _Number, meter: Meter, dialect: Dialect) -> exp.Expr:
    """The number as a decimal of the meter's precision, rounded once."""
    factor, divisor = exact.rounding(number.ratio, meter.precision)
    division = Division(
        total=number.total,
        most=number.most,
        by=number.by,
        most_by=number.most_by,
        factor=factor,
        divisor=divisor,
        may_be_negative=number.may_be_negative,
    )
    if (own := dialect.rounded(division, meter.precision, meter.rounding)) is not None:
        return own
    return dialect.decimal(_rounded_whole(number, meter, dialect), meter.precision)


def _rounded_whole(number: _Number, meter: Meter, dialect: Dialect) -> exp.Expr:
    factor, divisor = exact.rounding(number.ratio, meter.precision)
    if divisor == 1 and number.by is None:
        return _times(number.total, factor, dialect)

    def by(times: int = 1) -> exp.Expr:
        """The divisor, times a constant."""
        if number.by is None:
            return dialect.wide_constant(divisor * times)
        return _times(number.by.copy(), divisor * times, dialect)

    size = dialect.absolute(number.total) if number.may_be_negative else number.total
    rounded = _Rounder(dialect, by, factor).rounded(size, meter.rounding)
    if number.may_be_negative:
        below = b.binary(exp.LT, number.total.copy(), b.number(0))
        sign = b.case([(below, dialect.wide_constant(-1))], dialect.wide_constant(1))
        rounded = b.multiply(sign, rounded)
    return rounded


def _times(node: exp.Expr, factor: int, dialect: Dialect) -> exp.Expr:
    return node if factor == 1 else b.multiply(node, dialect.wide_constant(factor))


class _Rounder:
    """Whole-number division of `size * factor` that never builds the product: 38 digits are enough for it."""

    def __init__(self, dialect: Dialect, by: Callable[..., exp.Expr], factor: int) -> None:
        self.dialect = dialect
        self.by = by
        self.factor = factor

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        return self.dialect.quotient(dividend, divisor, WIDE)

    def remainder(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        return self.dialect.remainder(dividend, divisor, WIDE)

    def rounded(self, size: exp.Expr, rounding: Rounding) -> exp.Expr:
        """`size * factor / by` as a whole number."""
        by, dialect = self.by, self.dialect
        whole = _times(self.quotient(size, by()), self.factor, dialect)
        rest = _times(self.remainder(size.copy(), by()), self.factor, dialect)
        one = dialect.wide_constant(1)
        match rounding:
            case Rounding.DOWN:
                return b.add(whole, self.quotient(rest, by()))
            case Rounding.UP:
                return b.add(whole, self.quotient(b.add(rest, b.binary(exp.Sub, by(), one)), by()))
            case Rounding.HALF_UP:
                return b.add(whole, self.quotient(b.add(_times(rest, 2, dialect), by()), by(2)))
            case Rounding.HALF_EVEN:
                floor = b.add(whole, self.quotient(rest, by()))
                left = _times(self.remainder(rest.copy(), by()), 2, dialect)
                two = dialect.wide_constant(2)
                odd = b.binary(exp.EQ, self.remainder(floor.copy(), two), one)
                tie = b.all_of([b.binary(exp.EQ, left.copy(), by()), odd])
                away = b.any_of([b.binary(exp.GT, left, by()), tie])
                return b.add(floor, b.case([(away, one.copy())], dialect.wide_constant(0)))
            case _:
                assert_never(rounding)
