"""Meters as views: the events a meter keeps, their totals by window and group, and the quantity, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import Dialect
from meterspec.backends.sql.expressions import Lowering
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarUnit,
    CalendarWindow,
    Family,
    Function,
    Lifetime,
    Meter,
    Program,
    Rolling,
    Rounding,
    Tumbling,
    variables,
)

__all__ = ["AS_OF", "CYCLES", "meter_view"]

CYCLES = "billing_cycles"
"""The relation of billing cycles that a user may fill."""
AS_OF = "meterspec_as_of"
"""The relation whose one row is the as-of instant; its column has the name `as_of`."""

# No field can have a name that begins so, which keeps these apart from the fields beside them.
_START, _END = "meterspec_start", "meterspec_end"
_VALUE, _TOTAL = "meterspec_value", "meterspec_total"
_TIME, _ID = "meterspec_time", "meterspec_id"
_CUSTOMER, _CYCLE_START, _CYCLE_END = "meterspec_customer", "meterspec_cycle_start", "meterspec_cycle_end"


def meter_view(program: Program, meter: Meter, dialect: Dialect) -> View:
    """The view of a meter: a row for each window and group that has an event."""
    assert meter.aggregate is not None
    families = program.families_of(meter)
    kept = [_kept(meter, meter.aggregate, family, families, dialect) for family in families]
    union: exp.Query = kept[0]
    for other in kept[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    select = (
        exp.select(
            b.named(_instant(_START, dialect), "window_start"),
            b.named(_instant(_END, dialect), "window_end"),
            *(b.column(name) for name in meter.group_by),
            b.named(_quantity(meter, meter.aggregate, families, dialect), "quantity"),
            b.column("events"),
        )
        .with_(b.identifier("kept"), as_=union)
        .with_(b.identifier("totals"), as_=_totals(meter, meter.aggregate, dialect))
        .from_(b.table("totals"))
    )
    return View(meter.sql_name, select, meter.description or f"Meter `{meter.name}`.")


def _kept(
    meter: Meter, aggregate: Aggregate, family: Family, families: tuple[Family, ...], dialect: Dialect
) -> exp.Select:
    """The events of one family that a meter keeps, with their window, groups and value."""
    environment = variables(families)
    lowering = Lowering(environment, dialect)
    start, end = _window(meter, family, dialect)
    columns = [b.named(start, _START), b.named(end, _END), *(b.column(name) for name in meter.group_by)]
    if aggregate.value is not None:
        if aggregate.function is Function.UNIQUE:
            value = lowering.value(aggregate.value)
        else:
            value = lowering.whole(exact.scaled(aggregate.value, environment).whole)
        columns.append(b.named(value, _VALUE))
    if aggregate.function in {Function.FIRST, Function.LAST}:
        columns += [b.named(b.column(family.event_time), _TIME), b.named(b.column(family.event_id), _ID)]
    select = exp.select(*columns).from_(b.table(family.sql_name))
    match meter.window:
        case BillingCycle():
            select = select.join(_cycles(family), copy=False)
        case Rolling() | Lifetime():
            as_of = exp.select(b.named(b.column("as_of"), AS_OF)).from_(b.table(AS_OF))
            select = select.join(as_of.subquery(b.identifier(AS_OF)), join_type="cross", copy=False)
            select = select.where(_before_as_of(meter.window, family, dialect), copy=False)
        case CalendarWindow() | Tumbling():
            pass
        case _:
            assert_never(meter.window)
    return select.where(lowering.condition(meter.filter), copy=False) if meter.filter is not None else select


def _window(meter: Meter, family: Family, dialect: Dialect) -> tuple[exp.Expr, exp.Expr]:
    """The start and end of an event's window, as dates and times in UTC; the start of a lifetime is null."""
    micros = dialect.micros(b.column(family.event_time))
    match meter.window:
        case BillingCycle():
            unit = meter.price.interval if meter.price is not None else CalendarUnit.MONTH
            period = dialect.truncate(unit, dialect.as_clock(micros))
            start, end = (dialect.as_clock(dialect.micros(b.column(name))) for name in (_CYCLE_START, _CYCLE_END))
            following = dialect.later(period.copy(), unit)
            return b.call("COALESCE", start, period), b.call("COALESCE", end, following)
        case CalendarWindow(unit):
            begin = dialect.truncate(unit, dialect.as_clock(micros))
            return begin, dialect.later(begin.copy(), unit)
        case Tumbling(seconds):
            length = seconds * 1_000_000
            begin = b.binary(exp.Sub, micros, dialect.floor_remainder(micros.copy(), length))
            return dialect.as_clock(begin), dialect.as_clock(b.add(begin.copy(), b.number(length)))
        case Rolling():
            return _rolling_start(meter.window, dialect), _as_of(dialect)
        case Lifetime():
            return b.cast(exp.Null(), "TIMESTAMP"), _as_of(dialect)
        case _:
            assert_never(meter.window)


def _as_of(dialect: Dialect) -> exp.Expr:
    return dialect.as_clock(dialect.micros(b.column(AS_OF, AS_OF)))


def _rolling_start(window: Rolling, dialect: Dialect) -> exp.Expr:
    if window.months is not None:
        return dialect.later(_as_of(dialect), CalendarUnit.MONTH, -window.months)
    assert window.seconds is not None
    end = dialect.micros(b.column(AS_OF, AS_OF))
    return dialect.as_clock(b.binary(exp.Sub, end, b.number(window.seconds * 1_000_000)))


def _before_as_of(window: Rolling | Lifetime, family: Family, dialect: Dialect) -> exp.Expr:
    """Whether an event is in the window that ends at the as-of instant."""
    before = b.binary(exp.LT, b.column(family.event_time), b.column(AS_OF, AS_OF))
    if isinstance(window, Lifetime):
        return before
    start = dialect.as_instant(_rolling_start(window, dialect))
    return b.all_of([b.binary(exp.GTE, b.column(family.event_time), start), before])


def _cycles(family: Family) -> exp.Expr:
    """The join to the cycle of the customer that an event lies in, where there is one."""
    assert family.customer is not None
    cycles = exp.select(
        b.named(b.column("customer_id"), _CUSTOMER),
        b.named(b.column("cycle_start"), _CYCLE_START),
        b.named(b.column("cycle_end"), _CYCLE_END),
    ).from_(b.table(CYCLES))
    on = b.all_of(
        [
            b.binary(exp.EQ, b.column(_CUSTOMER), b.column(family.customer)),
            b.binary(exp.GTE, b.column(family.event_time), b.column(_CYCLE_START)),
            b.binary(exp.LT, b.column(family.event_time), b.column(_CYCLE_END)),
        ]
    )
    return exp.Join(this=cycles.subquery(b.identifier(CYCLES)), side="LEFT", on=on)


def _totals(meter: Meter, aggregate: Aggregate, dialect: Dialect) -> exp.Select:
    """A row for each window and group: its events, and the aggregate of their whole numbers."""
    keys = [b.column(name) for name in (_START, _END, *meter.group_by)]
    columns = [*keys, b.named(b.count_all(), "events")]
    if aggregate.function is not Function.COUNT:
        columns.append(b.named(_total(aggregate.function, dialect), _TOTAL))
    return exp.select(*columns).from_(b.table("kept")).group_by(*(key.copy() for key in keys))


def _total(function: Function, dialect: Dialect) -> exp.Expr:
    value, latest = b.column(_VALUE), [b.column(_TIME), b.column(_ID)]
    match function:
        case Function.SUM | Function.AVG:
            return exp.Sum(this=value)
        case Function.MIN:
            return exp.Min(this=value)
        case Function.MAX:
            return exp.Max(this=value)
        case Function.LAST:
            return dialect.last(value, latest)
        case Function.FIRST:
            return dialect.first(value, latest)
        case Function.UNIQUE:
            return exp.Count(this=exp.Distinct(expressions=[value]))
        case Function.COUNT | Function.TIME_WEIGHTED:
            raise ValueError(function)
        case _:
            assert_never(function)


def _quantity(meter: Meter, aggregate: Aggregate, families: tuple[Family, ...], dialect: Dialect) -> exp.Expr:
    """The exact quantity of a total, rounded once to the meter's precision."""
    if aggregate.function in {Function.COUNT, Function.UNIQUE}:
        counted = b.column("events" if aggregate.function is Function.COUNT else _TOTAL)
        return dialect.decimal(b.multiply_by(dialect.wide(counted), 10**meter.precision), meter.precision)
    assert aggregate.value is not None
    number = exact.scaled(aggregate.value, variables(families))
    factor, divisor = exact.rounding(number.ratio, meter.precision)
    total = dialect.wide(b.column(_TOTAL))
    events = b.column("events") if aggregate.function is Function.AVG else None
    if divisor == 1 and events is None:
        return dialect.decimal(b.multiply_by(total, factor), meter.precision)
    negative = number.whole.bounds.low < 0

    def by(times: int = 1) -> exp.Expr:
        """The divisor, times a constant."""
        return b.number(divisor * times) if events is None else b.multiply_by(dialect.wide(events), divisor * times)

    rounded = _rounded(b.call("ABS", total) if negative else total, by, factor, meter.rounding, dialect)
    if negative:
        below = b.binary(exp.LT, b.column(_TOTAL), b.number(0))
        rounded = b.multiply(b.case([(below, b.number(-1))], b.number(1)), rounded)
    return dialect.decimal(rounded, meter.precision)


def _rounded(
    size: exp.Expr, by: Callable[..., exp.Expr], factor: int, rounding: Rounding, dialect: Dialect
) -> exp.Expr:
    """`size * factor / by` as a whole number, without ever building `size * factor`."""
    whole = b.multiply_by(dialect.quotient(size, by()), factor)
    rest = b.multiply_by(dialect.remainder(size.copy(), by()), factor)
    match rounding:
        case Rounding.DOWN:
            return b.add(whole, dialect.quotient(rest, by()))
        case Rounding.UP:
            return b.add(whole, dialect.quotient(b.add(rest, b.binary(exp.Sub, by(), b.number(1))), by()))
        case Rounding.HALF_UP:
            return b.add(whole, dialect.quotient(b.add(b.multiply_by(rest, 2), by()), by(2)))
        case Rounding.HALF_EVEN:
            floor = b.add(whole, dialect.quotient(rest, by()))
            left = b.multiply_by(dialect.remainder(rest.copy(), by()), 2)
            odd = b.binary(exp.EQ, dialect.remainder(floor.copy(), b.number(2)), b.number(1))
            tie = b.all_of([b.binary(exp.EQ, left.copy(), by()), odd])
            away = b.any_of([b.binary(exp.GT, left, by()), tie])
            return b.add(floor, b.case([(away, b.number(1))], b.number(0)))
        case _:
            assert_never(rounding)


def _instant(name: str, dialect: Dialect) -> exp.Expr:
    return dialect.as_instant(b.column(name))
