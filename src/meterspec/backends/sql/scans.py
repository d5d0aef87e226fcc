"""Scans: one pass over the events that counts every meter with the same families, window and dimensions.

A scan is a wide view. Its rows are windows and groups; each meter has two columns in it, the total of its whole
numbers and how many events it kept, and meters that count the same share them. Engines leave out the columns that
nobody asks for, so a meter's own thin view costs what it would cost alone, and all meters together cost one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.calendar import Calendar, Fixed, Grid, grid_of
from meterspec.backends.sql.dialects import NARROW, Dialect, TooLargeError
from meterspec.backends.sql.expressions import Lowering
from meterspec.cel.tree import Expr
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarUnit,
    CalendarWindow,
    Family,
    FamilySource,
    Function,
    Lifetime,
    Meter,
    Program,
    RatioSource,
    Rolling,
    Tumbling,
    Window,
    variables,
)
from meterspec.zones import zone

__all__ = [
    "AS_OF",
    "CYCLES",
    "Between",
    "Scan",
    "Scanner",
    "Stages",
    "greatest_total",
    "needs_as_of",
    "needs_cycles",
    "parts_of",
    "periods_view",
    "rollup_view",
    "scan_view",
    "scans",
]

CYCLES = "billing_cycles"
"""The relation of billing cycles that a user may fill."""
AS_OF = "meterspec_as_of"
"""The relation whose one row is the as-of instant; its column has the name `as_of`."""

# No field can have a name that begins so, which keeps these apart from the fields beside them.
_TIME, _ID, _RANK, _NEXT = "meterspec_time", "meterspec_id", "meterspec_family", "meterspec_next"
_WINDOW, _START, _END = "meterspec_window", "meterspec_start", "meterspec_end"
_CUSTOMER, _OF_CUSTOMER = "meterspec_customer", "meterspec_of_customer"
_CYCLE_START, _CYCLE_END = "meterspec_cycle_start", "meterspec_cycle_end"
_FIRST, _LOW, _HIGH, _REACH = "meterspec_first", "meterspec_low", "meterspec_high", "meterspec_reach"
_LAST, _UNTIL = "meterspec_last", "meterspec_until"
_BEGINS, _NEXT_BEGINS = "meterspec_begins", "meterspec_next_begins"
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Between:
    """One window that takes the place of every meter's own: half-open, in microseconds since 1970 UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scan:
    """Meters that are counted in one pass."""

    name: str
    meters: tuple[Meter, ...]
    window: Window | Between
    grain: CalendarUnit | None
    """The unit that the events are added up to first, in a rollup; None where the scan reads the events."""
    columns: Mapping[str, tuple[str, str]]
    """Of each meter by name the columns of its total and of how many events it kept; one column may be of several."""

    @property
    def group_by(self) -> tuple[str, ...]:
        return self.meters[0].group_by

    @property
    def is_time_weighted(self) -> bool:
        return _function(self.meters[0]) is Function.TIME_WEIGHTED

    @property
    def rollup(self) -> str:
        """The name of the rollup's view, where there is one."""
        assert self.grain is not None
        return f"{self.name}_by_{self.grain.value}"

    def total(self, meter: Meter) -> str:
        """The column of a meter's total; a COUNT has none, its events are its total."""
        return self.columns[meter.name][0]

    def events(self, meter: Meter) -> str:
        """The column of how many events a meter kept."""
        return self.columns[meter.name][1]


def scans(
    program: Program,
    meters: Iterable[Meter],
    between: Between | None = None,
    grain: CalendarUnit | None = None,
) -> list[Scan]:
    """The scans that count meters over events, ratios left out, in the order of their first meter.

    Meters that can be added up from an hour or a day do so where `grain` is one; others read the events.
    """
    together: dict[tuple[object, bool], list[Meter]] = {}
    for meter in meters:
        if meter.aggregate is None:
            continue
        families = tuple(family.sql_name for family in program.families_of(meter))
        cycle = _cycle(meter) if isinstance(meter.window, BillingCycle) else None
        alone = meter.name if meter.aggregate.function is Function.TIME_WEIGHTED else None
        key = (families, between or meter.window, cycle, meter.group_by, alone)
        together.setdefault((key, _rolls_up(meter, grain)), []).append(meter)
    return [
        Scan(
            f"meterspec_scan_{_digest((key, grain) if rolled else key)}",
            tuple(members),
            between or members[0].window,
            grain if rolled else None,
            _columns_of(members),
        )
        for (key, rolled), members in together.items()
    ]


def _columns_of(meters: Sequence[Meter]) -> dict[str, tuple[str, str]]:
    """The columns of meters in their scan: those of the same filter count the same events, and a total is made once."""
    counted: dict[Expr | None, int] = {}
    added: dict[tuple[Expr | None, Function, Expr | None], int] = {}
    columns = {}
    for meter in meters:
        assert meter.aggregate is not None
        function = Function.SUM if meter.aggregate.function is Function.AVG else meter.aggregate.function
        total = added.setdefault((meter.filter, function, meter.aggregate.value), len(added) + 1)
        columns[meter.name] = (f"total_{total}", f"events_{counted.setdefault(meter.filter, len(counted) + 1)}")
    return columns


_ADDED_UP = {Function.COUNT, Function.SUM, Function.AVG, Function.MIN, Function.MAX}


def _rolls_up(meter: Meter, grain: CalendarUnit | None) -> bool:
    """Whether every window of a meter is made of whole units, and its total of theirs.

    Billing cycles may begin at any instant, and rolling windows end at any, so neither is.
    """
    if grain is None or meter.aggregate is None or meter.aggregate.function not in _ADDED_UP:
        return False
    match meter.window:
        case CalendarWindow(unit, "UTC"):
            finer = {CalendarUnit.MINUTE, CalendarUnit.HOUR} if grain is CalendarUnit.DAY else {CalendarUnit.MINUTE}
            return unit not in finer
        case Tumbling(seconds):
            return seconds % (86_400 if grain is CalendarUnit.DAY else 3600) == 0
        case _:
            return False


def _cycle(meter: Meter) -> CalendarUnit:
    """How long a billing cycle is where none is supplied."""
    return meter.price.interval if meter.price is not None else CalendarUnit.MONTH


def parts_of(program: Program, meters: Sequence[Meter]) -> list[Meter]:
    """The meters, and those that their ratios are made of."""
    found: dict[str, Meter] = {}
    for meter in meters:
        if isinstance(meter.source, RatioSource):
            for name in (meter.source.numerator, meter.source.denominator):
                found[name] = program.meter(name)
        else:
            found[meter.name] = meter
    return list(found.values())


def _digest(key: object) -> str:
    """A name that stays while other meters come and go."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:10]


def needs_cycles(meter: Meter) -> bool:
    """Whether a meter's view reads the relation of billing cycles."""
    return isinstance(meter.window, BillingCycle)


def needs_as_of(meter: Meter) -> bool:
    """Whether a meter's view depends on the as-of instant."""
    return isinstance(meter.window, Rolling | Lifetime) or (
        meter.aggregate is not None and meter.aggregate.function is Function.TIME_WEIGHTED
    )


def _function(meter: Meter) -> Function:
    assert meter.aggregate is not None
    return meter.aggregate.function


_LONGEST = {
    CalendarUnit.MINUTE: 7200,
    CalendarUnit.HOUR: 7200,
    CalendarUnit.DAY: 2 * 86_400,
    CalendarUnit.WEEK: 8 * 86_400,
    CalendarUnit.MONTH: 32 * 86_400,
    CalendarUnit.QUARTER: 93 * 86_400,
    CalendarUnit.YEAR: 367 * 86_400,
}
"""Seconds that no window of a unit is longer than, in any zone."""
_YEARS_1_TO_9999 = 9999 * 366 * 86_400


def _longest(window: Window | Between) -> int:
    """Microseconds that no window of the kind is longer than."""
    match window:
        case Between(start, end):
            return end - start
        case CalendarWindow(unit):
            return _LONGEST[unit] * _SECOND
        case Tumbling(seconds):
            return seconds * _SECOND
        case Rolling(seconds=int(seconds)):
            return seconds * _SECOND
        case Rolling(months=int(months)):
            return (31 * months + 3) * 86_400 * _SECOND
        case _:
            return _YEARS_1_TO_9999 * _SECOND


def greatest_total(meter: Meter, families: Sequence[Family], window: Window | Between) -> int:
    """The greatest magnitude of a meter's total in any such window, as the whole number that its scan adds up."""
    assert meter.aggregate is not None
    events = max(family.max_events for family in families)
    function = meter.aggregate.function
    if function in {Function.COUNT, Function.UNIQUE}:
        return events
    assert meter.aggregate.value is not None
    each = exact.scaled(meter.aggregate.value, variables(tuple(families))).whole.bounds.magnitude
    match function:
        case Function.SUM | Function.AVG:
            return each * events
        case Function.TIME_WEIGHTED:
            return each * _longest(window)
        case _:
            return each


def scan_view(program: Program, scan: Scan, dialect: Dialect, *, fill: bool = False) -> View:
    """The wide view of a scan. With `fill`, windows in which a group has no event have a row as well."""
    words = ", ".join(f"`{meter.name}`" for meter in scan.meters)
    return View(scan.name, Scanner(program, scan, dialect, fill).select(), f"Totals of {words}.")


def rollup_view(program: Program, scan: Scan, dialect: Dialect) -> View:
    """The totals of a scan by its grain: what a table that is kept up to date may take the place of."""
    assert scan.grain is not None
    words = ", ".join(f"`{meter.name}`" for meter in scan.meters)
    return View(
        scan.rollup, Scanner(program, scan, dialect, fill=False).rollup(scan.grain), f"{words} by {scan.grain}."
    )


def periods_view(program: Program, meter: Meter, dialect: Dialect) -> View:
    """Every customer of a billing meter with the periods that are owed for, with usage or without.

    A customer is whoever has a billing cycle, from the first to the last of them, or else an event in a family of the
    meter, from the first of these on. Periods are due once they have begun at the as-of instant; without one it is just
    after the newest event. The columns are `customer_id`, `period_start` and `period_end`.
    """
    families = program.families_of(meter)
    names = tuple(family.name for family in families)
    cycle = _cycle(meter) if isinstance(meter.window, BillingCycle) else None
    name = f"meterspec_periods_{_digest((names, meter.window, cycle, meter.group_by[0]))}"
    # Whatever the meter does with the events, here they are only seen.
    seen = replace(meter, source=FamilySource(names), filter=None, aggregate=Aggregate(function=Function.COUNT))
    select = Scanner(program, Scan(name, (seen,), meter.window, None, {}), dialect, fill=False).periods()
    words = ", ".join(f"`{name}`" for name in names)
    return View(name, select, f"The periods of customers who have billing cycles, or events of {words}.")


class Stages:
    """Puts a view together, stage by stage; each stage is a named subquery of the view."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.calendar = Calendar(dialect)
        self.stages: dict[str, exp.Query] = {}

    def _stage(self, name: str, query: exp.Query) -> str:
        """A named subquery; gives the name, with a number where it is taken."""
        names = (name if number == 1 else f"{name}_{number}" for number in count(1))
        unique = next(one for one in names if one not in self.stages)
        self.stages[unique] = self.dialect.computed_once(query)
        return unique

    def _more(self, name: str, source: str, *columns: exp.Expr) -> str:
        """A stage with all columns of another, and further ones."""
        return self._stage(name, exp.select(exp.Star(), *columns).from_(b.table(source), copy=False))

    def _only(self, name: str, source: str, *conditions: exp.Expr) -> str:
        """A stage of the rows of another for which all conditions hold."""
        select = exp.select(exp.Star()).from_(b.table(source), copy=False)
        return self._stage(name, select.where(b.all_of(conditions), copy=False))

    def _before_as_of(self, source: str, *, newest: bool = False, at: str = _TIME) -> str:
        """A stage with the as-of instant in microseconds as a further column, and only the rows before it.

        Of several instants each gives windows of its own; with `newest` the last one stands for all.
        """
        instant = self.dialect.micros(b.column("as_of"))
        as_of = exp.select(b.named(exp.Max(this=instant) if newest else instant, _LAST)).from_(b.table(AS_OF))
        select = exp.select(exp.Star()).from_(b.table(source))
        select = select.join(as_of.subquery(b.identifier("as_of")), join_type="cross", copy=False)
        return self._stage("before", select.where(b.binary(exp.LT, b.column(at), b.column(_LAST)), copy=False))

    def _finished(self, select: exp.Select) -> exp.Select:
        for name, query in self.stages.items():
            first = self.dialect.materializes(query) or None
            select = select.with_(b.identifier(name), as_=query, materialized=first, copy=False)
        return select


class Scanner(Stages):
    """The view of one scan. With `ordered` its events have what orders them, whatever is computed of them."""

    def __init__(self, program: Program, scan: Scan, dialect: Dialect, fill: bool, *, ordered: bool = False) -> None:
        super().__init__(dialect)
        self.scan = scan
        self.fill = fill
        self.families = program.families_of(scan.meters[0])
        self.environment = variables(self.families)
        self.lowering = Lowering(self.environment, dialect)
        self.groups = list(scan.group_by)
        self.ordered = ordered or any(
            _function(meter) in {Function.FIRST, Function.LAST, Function.TIME_WEIGHTED} for meter in scan.meters
        )

    # The view ---------------------------------------------------------------------------------------------------

    def select(self) -> exp.Select:
        located = self._all_located() if self.scan.grain is None else self._more("located", self.scan.rollup)
        if self.scan.is_time_weighted:
            return self._held(located)
        placed, keys = self._placed(located)
        if self.fill:
            placed = self._with_empty_windows(placed, located)
            keys = [_START, _END]
        grouped = [*keys, *self.groups]
        aggregates = self._aggregates(merge=self.scan.grain is not None)
        select = exp.select(*map(b.column, grouped), *aggregates).from_(b.table(placed), copy=False)
        totals = self._stage("totals", select.group_by(*map(b.column, grouped)))
        if keys == [_WINDOW]:
            totals = self._bounds_of(totals, self._grid())
        return self._finish(totals, self._columns())

    def rollup(self, grain: CalendarUnit) -> exp.Select:
        """A row for every unit and group that has an event: when it begins, in microseconds, and the totals."""
        located = self._all_located()
        grid = grid_of(self.dialect, grain, zone("UTC"))
        numbered = self._numbered(located, grid)
        grouped = [_WINDOW, *self.groups]
        select = exp.select(*map(b.column, grouped), *self._aggregates(merge=False)).from_(b.table(numbered))
        totals = self._stage("totals", select.group_by(*map(b.column, grouped)))
        begun = self._more("begun", totals, b.named(grid.begins(b.column(_WINDOW)), _TIME))
        return self._finished(exp.select(*map(b.column, [_TIME, *self.groups, *self._columns()])).from_(b.table(begun)))

    def _columns(self) -> list[str]:
        """The columns of every meter, each once."""
        return list(dict.fromkeys(name for meter in self.scan.meters for name in self._columns_of(meter)))

    def _columns_of(self, meter: Meter) -> list[str]:
        own = [] if _function(meter) is Function.COUNT else [self.scan.total(meter)]
        return [*own, self.scan.events(meter)]

    def _finish(self, source: str, columns: Sequence[str]) -> exp.Select:
        """The rows of the view: bounds as instants, groups, and the columns of the meters."""
        select = exp.select(
            b.named(self.dialect.instant(b.column(_START)), "window_start"),
            b.named(self.dialect.instant(b.column(_END)), "window_end"),
            *map(b.column, [*self.groups, *columns]),
        ).from_(b.table(source))
        return self._finished(select)

    # Events -----------------------------------------------------------------------------------------------------

    def _all_located(self) -> str:
        """A stage of the events of all families."""
        located = [self._located(family, rank) for rank, family in enumerate(self.families)]
        return self._stage("located", _union(located))

    def _located(self, family: Family, rank: int) -> exp.Select:
        """The events of a family: when they were, what groups them, and each meter's value where it keeps them."""
        columns = [b.named(self.dialect.micros(b.column(family.event_time)), _TIME), *map(b.column, self.groups)]
        if self._has_customer:
            assert family.customer is not None
            columns.append(b.named(b.column(family.customer), _CUSTOMER))
        if self.ordered:
            columns.append(b.named(self.dialect.by_code_point(b.column(family.event_id)), _ID))
            if len(self.families) > 1:
                columns.append(b.named(b.number(rank), _RANK))
        filters = {meter.filter for meter in self.scan.meters}
        shared = next(iter(filters)) if len(filters) == 1 and not self.fill else None
        values: dict[str, exp.Expr] = {}
        for meter in self.scan.meters:
            values |= self._value_columns(meter, None if shared is not None else meter.filter, values)
        select = exp.select(*columns, *(b.named(node, name) for name, node in values.items()))
        if shared is not None:
            select = select.where(self.lowering.condition(shared), copy=False)
        events: exp.Table | exp.Subquery = b.table(family.sql_name)
        if self.lowering.clocks:
            clocks = (b.named(node, name) for node, name in self.lowering.clocks.items())
            events = exp.select(exp.Star(), *clocks).from_(events).subquery(b.identifier("clocks"))
        return select.from_(events, copy=False)

    def _value_columns(self, meter: Meter, condition: Expr | None, known: Container[str]) -> dict[str, exp.Expr]:
        """A meter's value and a 1, both null for events that it does not keep; only the columns not yet known."""
        assert meter.aggregate is not None
        found: dict[str, exp.Expr] = {}
        total, events = self.scan.total(meter), self.scan.events(meter)
        if meter.aggregate.function is not Function.COUNT and total not in known:
            found[total] = self._kept(condition, self._value(meter.aggregate))
        if events not in known:
            found[events] = self._kept(condition, b.number(1))
        return found

    def _kept(self, condition: Expr | None, value: exp.Expr) -> exp.Expr:
        return value if condition is None else b.case([(self.lowering.condition(condition), value)])

    def _value(self, aggregate: Aggregate) -> exp.Expr:
        assert aggregate.value is not None
        if aggregate.function is Function.UNIQUE:
            return self.lowering.value(aggregate.value)
        return self.lowering.whole(exact.scaled(aggregate.value, self.environment).whole)

    def _aggregates(self, *, merge: bool) -> list[exp.Expr]:
        """The aggregates of every meter over its columns; with `merge` these hold totals already."""
        found: dict[str, exp.Expr] = {}
        for meter in self.scan.meters:
            total, events = self.scan.total(meter), self.scan.events(meter)
            if _function(meter) is not Function.COUNT and total not in found:
                found[total] = self._total(meter, merge)
            if events not in found:
                counted = self.dialect.total(b.column(events), NARROW) if merge else exp.Count(this=b.column(events))
                found[events] = counted
        return [b.named(node, name) for name, node in found.items()]

    def _total(self, meter: Meter, merge: bool) -> exp.Expr:
        function, value = _function(meter), b.column(self.scan.total(meter))
        match function:
            case Function.SUM | Function.AVG:
                add_up = self.dialect.merged if merge else self.dialect.total
                return add_up(value, greatest_total(meter, self.families, self.scan.window))
            case Function.MIN:
                return exp.Min(this=value)
            case Function.MAX:
                return exp.Max(this=value)
            case Function.LAST:
                return self.dialect.last(value, self._order())
            case Function.FIRST:
                return self.dialect.first(value, self._order())
            case Function.UNIQUE:
                return self.dialect.distinct(value)
            case Function.COUNT | Function.TIME_WEIGHTED:
                raise ValueError(function)
            case _:
                assert_never(function)

    def _order(self) -> list[exp.Expr]:
        return [b.column(name) for name in self._order_columns]

    @property
    def _order_columns(self) -> list[str]:
        """What the events of a group are ordered by: their time, their id, and the family that is named first."""
        return [_TIME, _ID, *([_RANK] if len(self.families) > 1 else [])]

    @property
    def _has_customer(self) -> bool:
        return isinstance(self.scan.window, BillingCycle)

    # Windows ----------------------------------------------------------------------------------------------------

    def _placed(self, source: str) -> tuple[str, list[str]]:
        """A stage in which every event has the keys of its window, and those keys."""
        window = self.scan.window
        match window:
            case CalendarWindow() | Tumbling():
                return self._numbered(source, self._grid()), [_WINDOW]
            case BillingCycle():
                return self._in_cycles(self._numbered(source, self._grid())), [_START, _END]
            case Between(start, end):
                after = b.binary(exp.GTE, b.column(_TIME), b.number(start))
                inside = self._only("inside", source, after, b.binary(exp.LT, b.column(_TIME), b.number(end)))
                return self._between(inside, window), [_START, _END]
            case Rolling(every=None) | Lifetime():
                begun = self._window_before(self._before_as_of(source), window, _LAST)
                placed = self._more("placed", begun, b.named(b.column(_LAST), _END))
                if isinstance(window, Rolling):
                    placed = self._only("trailing", placed, b.binary(exp.GTE, b.column(_TIME), b.column(_START)))
                return placed, [_START, _END]
            case Rolling():
                after = b.named(self.calendar.plus(b.column(_TIME), 1), _UNTIL)
                points = self._more("points", self._before_as_of(source, newest=True), after)
                return self._series(points, window), [_START, _END]
            case _:
                assert_never(window)

    def _grid(self) -> Grid:
        """The windows of the scan, where they follow one another; those of customers without a billing cycle."""
        match self.scan.window:
            case CalendarWindow(unit, timezone):
                return grid_of(self.dialect, unit, zone(timezone))
            case Tumbling(seconds):
                return Fixed(self.dialect, seconds * _SECOND)
            case BillingCycle():
                return grid_of(self.dialect, _cycle(self.scan.meters[0]), zone("UTC"))
            case window:
                raise TypeError(window)

    def _numbered(self, source: str, grid: Grid, at: str = _TIME, name: str = _WINDOW) -> str:
        """A stage with the number of the window that an instant is in, as a further column."""
        place = f"{name}_place"
        stage = self._more("on_grid", source, b.named(grid.coordinate(b.column(at)), place))
        *steps, (_, number) = grid.number(place)
        for step, node in steps:
            stage = self._more("on_grid", stage, b.named(node, f"{place}_{step}"))
        return self._more("numbered", stage, b.named(number, name))

    def _bounds_of(self, source: str, grid: Grid) -> str:
        """A stage with the start and end of the window of a number, as microseconds."""
        following = self.calendar.plus(b.column(_WINDOW), 1)
        begun = self._more(
            "begun",
            source,
            b.named(grid.begins(b.column(_WINDOW)), _BEGINS),
            b.named(grid.begins(following), _NEXT_BEGINS),
        )
        bounds = (b.named(grid.instant(b.column(_BEGINS)), _START), b.named(grid.instant(b.column(_NEXT_BEGINS)), _END))
        return self._more("bounded", begun, *bounds)

    def _between(self, source: str, window: Between) -> str:
        bounds = (b.named(b.number(window.start), _START), b.named(b.number(window.end), _END))
        return self._more("ranged", source, *bounds)

    def _in_cycles(self, source: str) -> str:
        """A stage with the bounds of the customer's cycle that an event is in, or else of the calendar's window."""
        bounded = self._bounds_of(source, self._grid())
        columns = [_TIME, *self.groups, *(self._order_columns[1:] if self.ordered else []), *self._columns()]
        starts = b.call("COALESCE", b.column(_CYCLE_START, CYCLES), b.column(_START, bounded))
        ends = b.call("COALESCE", b.column(_CYCLE_END, CYCLES), b.column(_END, bounded))
        on = [
            b.binary(exp.EQ, b.column(_CUSTOMER, bounded), b.column(_OF_CUSTOMER, CYCLES)),
            b.binary(exp.GTE, b.column(_TIME, bounded), b.column(_CYCLE_START, CYCLES)),
            b.binary(exp.LT, b.column(_TIME, bounded), b.column(_CYCLE_END, CYCLES)),
        ]
        select = exp.select(
            *(b.column(name, bounded) for name in columns),
            b.named(starts, _START),
            b.named(ends, _END),
        ).from_(b.table(bounded))
        return self._stage("placed", select.join(self._cycles(b.all_of(on), side="LEFT"), copy=False))

    def _cycles(self, on: exp.Expr, side: str | None = None) -> exp.Join:
        cycles = exp.select(
            b.named(b.column("customer_id"), _OF_CUSTOMER),
            b.named(self.dialect.micros(b.column("cycle_start")), _CYCLE_START),
            b.named(self.dialect.micros(b.column("cycle_end")), _CYCLE_END),
        ).from_(b.table(CYCLES))
        return exp.Join(this=cycles.subquery(b.identifier(CYCLES)), side=side, on=on)

    def _window_before(self, source: str, window: Rolling | Lifetime, end: str) -> str:
        """A stage with the start of the window that ends at an instant; null for a lifetime."""
        if isinstance(window, Lifetime):
            return self._more("begun", source, b.named(b.cast(exp.Null(), self.dialect.narrow), _START))
        if window.seconds is not None:
            return self._more(
                "begun", source, b.named(self.calendar.plus(b.column(end), -window.seconds * _SECOND), _START)
            )
        assert window.months is not None
        clock = zone(window.timezone)
        shown, earlier = "meterspec_clock", "meterspec_earlier"
        local = self._more(
            "local", source, b.named(b.add(b.column(end), self.calendar.offset(b.column(end), clock)), shown)
        )
        moved = self._more(
            "earlier", local, b.named(self.calendar.months_before(b.column(shown), window.months), earlier)
        )
        return self._more("begun", moved, b.named(self.calendar.from_local(b.column(earlier), clock), _START))

    def _series(self, source: str, window: Rolling) -> str:
        """A stage of each stretch of time once for every window of a series that it overlaps.

        The windows end where a unit of the calendar does, up to the as-of instant.
        """
        assert window.every is not None
        grid = grid_of(self.dialect, window.every, zone(window.timezone))
        days = 31 * window.months + 3 if window.months is not None else 0
        reach = (window.seconds or days * 86_400) * _SECOND
        reaching = self._more("reaching", source, b.named(self.calendar.plus(b.column(_UNTIL), reach - 1), _REACH))
        numbered = self._numbered(self._numbered(reaching, grid, _TIME, _FIRST), grid, _REACH, _HIGH)
        # A window ends where the unit of its number begins: the first to end after an instant is that of the next unit.
        low = self._more("reached", numbered, b.named(self.calendar.plus(b.column(_FIRST), 1), _LOW))
        begun = self._more("begun", self._repeated(low), b.named(grid.begins(b.column(_WINDOW)), _BEGINS))
        ended = self._more("ended", begun, b.named(grid.instant(b.column(_BEGINS)), _END))
        begins_in_time = b.binary(exp.LT, b.column(_START), b.column(_UNTIL))
        ends_in_time = b.binary(exp.LTE, b.column(_END), b.column(_LAST))
        later = b.binary(exp.GT, b.column(_END), b.column(_TIME))
        return self._only("placed", self._window_before(ended, window, _END), begins_in_time, ends_in_time, later)

    def _repeated(self, source: str) -> str:
        """A stage of each row once for every window from the lowest to the highest number."""
        some = self._only("some", source, b.binary(exp.LTE, b.column(_LOW), b.column(_HIGH)))
        rows = exp.select(exp.Star()).from_(b.table(some))
        return self._stage("repeated", self.dialect.repeated(rows, b.column(_LOW), b.column(_HIGH), _WINDOW))

    # Time-weighted values ---------------------------------------------------------------------------------------

    def _held(self, located: str) -> exp.Select:
        """Each value times how long it holds inside each window, in microseconds, and the events in the window."""
        (meter,) = self.scan.meters
        total, events = self.scan.total(meter), self.scan.events(meter)
        most = greatest_total(meter, self.families, self.scan.window)
        if most > self.dialect.widest:
            raise TooLargeError("a value times the microseconds that it holds for, of more than 64 bits")
        before = self._before_as_of(located, newest=True)
        kept = self._only("kept", before, b.not_null(b.column(events)))
        valued = self._only("valued", kept, b.not_null(b.column(total)))
        following = self.dialect.following(b.column(_TIME), [b.column(name) for name in self.groups], self._order())
        steps = self._more("steps", valued, b.named(following, _NEXT))
        until = b.named(b.call("COALESCE", b.column(_NEXT), b.column(_LAST)), _UNTIL)
        lasting = self._more("lasting", steps, until)
        held = self._only("held", lasting, b.binary(exp.LT, b.column(_TIME), b.column(_UNTIL)))
        points = self._more("points", kept, b.named(self.calendar.plus(b.column(_TIME), 1), _UNTIL))
        both = [self._stretches(held, b.column(total), b.number(0)), self._stretches(points, b.number(0), b.number(1))]
        stretches = self._stage("stretches", _union(both))
        parts = [self._part(name, self._value_held(), b.column(events)) for name in self._overlapping(stretches)]
        if self.fill:
            parts += [self._part(name, b.number(0), b.number(0)) for name in self._empty_windows(located)]
        union = self._stage("parts", _union(parts))
        grouped = [_START, _END, *self.groups]
        sums = [
            b.named(self.dialect.total(b.column(total), most), total),
            b.named(self.dialect.total(b.column(events), NARROW), events),
        ]
        select = exp.select(*map(b.column, grouped), *sums).from_(b.table(union))
        totals = self._stage("totals", select.group_by(*map(b.column, grouped)))
        return self._finish(totals, [total, events])

    def _stretches(self, source: str, total: exp.Expr, events: exp.Expr) -> exp.Select:
        """Stretches of time with a value that holds, and how many events they stand for."""
        (meter,) = self.scan.meters
        own = [_TIME, _UNTIL, _LAST, *self.groups, *([_CUSTOMER] if self._has_customer else [])]
        return exp.select(
            *map(b.column, own),
            b.named(self.dialect.wide(total), self.scan.total(meter)),
            b.named(self.dialect.integer(events, NARROW), self.scan.events(meter)),
        ).from_(b.table(source))

    def _value_held(self) -> exp.Expr:
        """A value times the microseconds for which it holds inside its window."""
        total = self.scan.total(self.scan.meters[0])
        ends = self.dialect.least([b.column(_UNTIL), b.column(_END)])
        begins: exp.Expr = b.column(_TIME)
        if not isinstance(self.scan.window, Lifetime):
            begins = self.dialect.greatest([begins, b.column(_START)])
        length = self.dialect.wide(b.binary(exp.Sub, ends, begins))
        return b.multiply(self.dialect.wide(b.column(total)), length)

    def _part(self, source: str, total: exp.Expr, events: exp.Expr) -> exp.Select:
        """The rows of a stage as parts of their windows, which end at the as-of instant at the latest."""
        (meter,) = self.scan.meters
        end = self.dialect.least([b.column(_END), b.column(_LAST)])
        return exp.select(
            b.column(_START),
            b.named(end, _END),
            *map(b.column, self.groups),
            b.named(self.dialect.wide(total), self.scan.total(meter)),
            b.named(self.dialect.integer(events, NARROW), self.scan.events(meter)),
        ).from_(b.table(source))

    def _overlapping(self, source: str) -> list[str]:
        """Stages of each stretch of time once for every window that it overlaps, with the window's bounds."""
        window = self.scan.window
        match window:
            case CalendarWindow() | Tumbling():
                return [self._over_grid(source)]
            case BillingCycle():
                overlaps = [
                    b.binary(exp.EQ, b.column(_CUSTOMER), b.column(_OF_CUSTOMER)),
                    b.binary(exp.LT, b.column(_CYCLE_START), b.column(_UNTIL)),
                    b.binary(exp.GT, b.column(_CYCLE_END), b.column(_TIME)),
                ]
                bounds = (b.named(b.column(_CYCLE_START), _START), b.named(b.column(_CYCLE_END), _END))
                select = exp.select(exp.Star(), *bounds).from_(b.table(source))
                own = self._stage("in_cycles", select.join(self._cycles(b.all_of(overlaps)), copy=False))
                return [own, self._over_grid(self._without_cycles(source))]
            case Between():
                return [self._overlaps(self._between(source, window))]
            case Rolling(every=None) | Lifetime():
                begun = self._window_before(source, window, _LAST)
                ended = self._more("ended", begun, b.named(b.column(_LAST), _END))
                return [ended if isinstance(window, Lifetime) else self._overlaps(ended)]
            case Rolling():
                return [self._series(source, window)]
            case _:
                assert_never(window)

    def _overlaps(self, source: str) -> str:
        begins_in_time = b.binary(exp.LT, b.column(_START), b.column(_UNTIL))
        return self._only("overlapping", source, begins_in_time, b.binary(exp.GT, b.column(_END), b.column(_TIME)))

    def _over_grid(self, source: str) -> str:
        """A stage of each row once for every window of the grid from its time until before its end."""
        grid = self._grid()
        last = b.named(self.calendar.plus(b.column(_UNTIL), -1), _REACH)
        reaching = self._more("reaching", source, last)
        numbered = self._numbered(self._numbered(reaching, grid, _TIME, _LOW), grid, _REACH, _HIGH)
        bounded = self._bounds_of(self._repeated(numbered), grid)
        # A day that a zone skipped begins where it ends.
        return self._only("over_grid", bounded, b.binary(exp.LT, b.column(_START), b.column(_END)))

    def _without_cycles(self, source: str) -> str:
        """A stage of the rows whose customer has no billing cycle at all."""
        having = exp.select(b.named(b.column("customer_id"), _OF_CUSTOMER)).from_(b.table(CYCLES)).distinct()
        same = b.binary(exp.EQ, b.column(_CUSTOMER), b.column(_OF_CUSTOMER))
        join = exp.Join(this=having.subquery(b.identifier("having_cycles")), side="LEFT", on=same)
        select = exp.select(exp.Column(this=exp.Star(), table=b.identifier(source))).from_(b.table(source))
        select = select.join(join, copy=False).where(b.is_null(b.column(_OF_CUSTOMER)), copy=False)
        return self._stage("without_cycles", select)

    # Empty windows ----------------------------------------------------------------------------------------------

    def _with_empty_windows(self, placed: str, located: str) -> str:
        """A stage with a row without values for every window that a group could have an event in."""
        if isinstance(self.scan.window, CalendarWindow | Tumbling):
            placed = self._bounds_of(placed, self._grid())
        columns = [_START, _END, *self.groups]
        values = [*(self._order_columns if self.ordered else []), *self._columns()]
        parts = [exp.select(*map(b.column, [*columns, *values])).from_(b.table(placed))]
        for source in self._empty_windows(located):
            nothing = [b.named(exp.Null(), name) for name in values]
            parts.append(exp.select(*map(b.column, columns), *nothing).from_(b.table(source)))
        return self._stage("filled", _union(parts))

    def _empty_windows(self, located: str) -> list[str]:
        """Stages of every group with every window from the first event to the last, or to the as-of instant."""
        window = self.scan.window
        each = isinstance(window, Lifetime) or (isinstance(window, Rolling) and window.every is None)
        to_as_of = self.scan.is_time_weighted or isinstance(window, Rolling | Lifetime)
        source = self._before_as_of(located, newest=self.scan.is_time_weighted or not each) if to_as_of else located
        members = [*self.groups, *([_CUSTOMER] if self._has_customer else []), *([_LAST] if to_as_of else [])]
        found = exp.select(*map(b.column, members)) if members else exp.select(b.named(b.number(1), "meterspec_all"))
        groups = self._stage("groups", found.distinct().from_(b.table(source)))
        first = b.named(exp.Min(this=b.column(_TIME)), "meterspec_first_time")
        newest = b.column(_LAST) if to_as_of else self.calendar.plus(b.column(_TIME), 1)
        extent = exp.select(first, b.named(exp.Max(this=newest), _UNTIL)).from_(b.table(source))
        crossed = exp.select(exp.Star(), b.named(b.column("meterspec_first_time"), _TIME)).from_(b.table(groups))
        crossed = crossed.join(b.table(self._stage("extent", extent)), join_type="cross", copy=False)
        return self._overlapping(self._stage("cells", crossed))

    # Periods of customers ---------------------------------------------------------------------------------------

    def periods(self) -> exp.Select:
        customer = self.groups[0]
        moment = self.dialect.micros
        seen = [
            exp.select(
                b.named(b.column(customer), _CUSTOMER), b.named(moment(b.column(family.event_time)), _TIME)
            ).from_(b.table(family.sql_name))
            for family in self.families
        ]
        first = exp.select(
            b.column(_CUSTOMER),
            b.named(exp.Min(this=b.column(_TIME)), _FIRST),
            b.named(exp.Max(this=b.column(_TIME)), _LAST),
        ).from_(b.table(self._stage("seen", _union(seen))))
        users = self._stage("users", first.group_by(b.column(_CUSTOMER)))
        nothing = b.cast(exp.Null(), self.dialect.narrow)
        of_events = exp.select(
            b.column(_CUSTOMER),
            b.column(_FIRST),
            b.named(nothing, _CYCLE_START),
            b.named(nothing.copy(), _CYCLE_END),
        ).from_(b.table(users))
        of_cycles = exp.select(
            b.named(b.column("customer_id"), _CUSTOMER),
            b.named(nothing.copy(), _FIRST),
            b.named(moment(b.column("cycle_start")), _CYCLE_START),
            b.named(moment(b.column("cycle_end")), _CYCLE_END),
        ).from_(b.table(CYCLES))
        known = self._stage("known", _union([of_events, of_cycles]))
        bounds = (
            exp.Min(this=b.column(_FIRST)),
            exp.Min(this=b.column(_CYCLE_START)),
            exp.Max(this=b.column(_CYCLE_END)),
        )
        customers = exp.select(
            b.column(_CUSTOMER),
            *(b.named(node, name) for node, name in zip(bounds, (_FIRST, _LOW, _HIGH), strict=True)),
        ).from_(b.table(known))
        grouped = self._stage("customers", customers.group_by(b.column(_CUSTOMER)))
        crossed = exp.select(exp.Star()).from_(b.table(grouped))
        crossed = crossed.join(b.table(self._now(users)), join_type="cross", copy=False)
        ends = b.call("COALESCE", b.column(_HIGH), b.column(_LAST))
        begun = self._more(
            "begun",
            self._stage("crossed", crossed),
            b.named(b.call("COALESCE", b.column(_LOW), b.column(_FIRST)), _TIME),
            b.named(self.dialect.least([b.column(_LAST), ends]), _UNTIL),
        )
        lasting = self._only("lasting", begun, b.binary(exp.LT, b.column(_TIME), b.column(_UNTIL)))
        columns = [
            b.named(b.column(_CUSTOMER), "customer_id"),
            b.named(self.dialect.instant(b.column(_START)), "period_start"),
            b.named(self.dialect.instant(b.column(_END)), "period_end"),
        ]
        member = exp.select(b.column(_CUSTOMER), b.column(_TIME), b.column(_UNTIL)).from_(b.table(lasting))
        parts = [
            exp.select(*(node.copy() for node in columns)).from_(b.table(name))
            for name in self._overlapping(self._stage("members", member))
        ]
        periods = self._stage("periods", _union(parts))
        select = exp.select(*map(b.column, ("customer_id", "period_start", "period_end"))).from_(b.table(periods))
        return self._finished(select)

    def _now(self, users: str) -> str:
        """A stage of one row: the as-of instant, or where there is none, the one just after the newest event."""
        as_of = exp.select(b.named(exp.Max(this=self.dialect.micros(b.column("as_of"))), _REACH)).from_(b.table(AS_OF))
        newest = exp.select(b.named(exp.Max(this=b.column(_LAST)), _NEXT)).from_(b.table(users))
        crossed = exp.select(exp.Star()).from_(b.table(self._stage("as_of", as_of)))
        crossed = crossed.join(b.table(self._stage("newest", newest)), join_type="cross", copy=False)
        both = self._stage("bounds", crossed)
        now = b.call("COALESCE", b.column(_REACH), self.calendar.plus(b.column(_NEXT), 1))
        return self._stage("now", exp.select(b.named(now, _LAST)).from_(b.table(both)))


def _union(selects: Sequence[exp.Select]) -> exp.Query:
    union: exp.Query = selects[0]
    for other in selects[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    return union
