"""From a number back to its events: which events of a customer a quantity is made of, and what each of them adds.

What an event adds is exact, a fraction where no decimal is; the sum of them, rounded once, is the quantity. Only as
many events as are asked for are held, whatever there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import DIALECTS, PER, Lowering, check_prices
from meterspec.backends.sql import build as b
from meterspec.cel.tree import FieldRef, walk
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.events import Anchor, Cycle, EventFiles
from meterspec.invoicing import Charge, charges_of
from meterspec.ir import Family, Function, Meter, Program, RatioSource, Scalar, variables
from meterspec.pricing import Unpriceable
from meterspec.render import day
from meterspec.run import Result, Run, instant_of, micros_of, run
from meterspec.store import SealedEvents

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Trace", "TracedEvent", "TracedGroup", "trace"]

NO_SUCH_PERIOD = Rule(
    code="MS031",
    slug="no-such-period",
    title="A period that a meter has no number for",
    message="meter `{meter}` has no number of `{customer}` for {period}",
    why="A number is explained by the events of its window, so the window has to be one that the meter has.",
)
NOT_TRACEABLE = Rule(
    code="MS032",
    slug="not-of-a-customer",
    title="A meter whose numbers are not made of one customer's events",
    message="meter `{meter}` {fault}",
    why="The events behind a number are found by the customer and the window that it is for.",
)

_KEPT, _WHOLE, _TIME, _ID, _UNTIL = (f"meterspec_{name}" for name in ("kept", "whole", "time", "id", "until"))
_ADDS, _FAMILY, _SINCE = "meterspec_adds", "meterspec_family", "meterspec_since"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    """An event behind a number."""

    family: str
    id: str
    time: datetime
    group: tuple[tuple[str, Scalar], ...]
    fields: tuple[tuple[str, Scalar], ...]
    """The fields that the filter and the value of the meter are made of."""
    adds: Fraction | None
    """What it adds to the total of its group; for a function that takes one value, its value."""
    seconds: Fraction | None = None
    """How long its value holds in the period, where the function is TIME_WEIGHTED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedGroup:
    """The total of one group, before and after it is rounded."""

    dimensions: tuple[tuple[str, Scalar], ...]
    """Without the customer."""
    events: int
    exact: Fraction | None
    quantity: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How one customer's number of a meter came about."""

    meter: Meter
    customer: str
    start: datetime | None
    """None is "ever"."""
    end: datetime
    events: list[TracedEvent] = field(default_factory=list)
    """As many as were asked for, in the order of time, or the one that decides first."""
    kept: int = 0
    """How many events are behind the number."""
    filtered: int = 0
    """How many events of the customer in the period the filter leaves out."""
    groups: list[TracedGroup] = field(default_factory=list)
    charge: Charge | Unpriceable | None = None
    """What it costs, where the meter has a price."""
    run: Run


def trace(
    program: Program,
    meter: Meter,
    events: Sequence[EventFiles | SealedEvents],
    out: Diagnostics,
    *,
    customer: str,
    period: tuple[datetime | None, datetime | None],
    limit: int = 50,
    as_of: datetime | None = None,
    cycles: Sequence[Cycle] | Anchor = (),
    threads: int | None = None,
) -> Trace | None:
    """The events behind a meter's number of a customer.

    `period` is when the window begins, or an instant in it, and when it ends if that is known; without a beginning it
    is the last one. At most `limit` events are listed. Gives None where something was reported; raises `Failure` with
    MS031, MS032, and as `run` does.
    """
    if isinstance(meter.source, RatioSource):
        parts = f"`{meter.source.numerator}` and `{meter.source.denominator}`"
        raise Failure(NOT_TRACEABLE, hint=f"explain {parts}", meter=meter.name, fault="is a ratio of two meters")
    families = program.families_of(meter)
    who = next((name for name in meter.group_by if name in {family.customer for family in families}), None)
    if who is None:
        hint = "explain a meter that groups by the customer"
        raise Failure(NOT_TRACEABLE, hint=hint, meter=meter.name, fault="does not group by a customer")
    if meter.price is not None:
        check_prices(program, [meter], out)
    found: list[Trace] = []

    def look(connection: DuckDBPyConnection, done: Run) -> None:
        window = _window(meter, who, customer, period, done)
        found.append(_Tracer(program, meter, connection, done, who, customer, window).trace(limit))

    run(
        program,
        events,
        out,
        meters=[meter.name],
        as_of=as_of,
        cycles=cycles,
        threads=threads,
        invoices=meter.price is not None and not out.has_errors,
        look=look,
    )
    return found[0] if found and not out.has_errors else None


_Window = tuple[datetime | None, datetime]


def _window(
    meter: Meter, who: str, customer: str, period: tuple[datetime | None, datetime | None], done: Run
) -> _Window:
    """The window that is asked for, of those that the meter has for a customer; raises `Failure` with MS031."""
    own = [one for one in done.results if one.meter == meter.name and dict(one.group)[who] == customer]
    known: set[_Window] = {(one.window_start, one.window_end) for one in own}
    known |= {(start, end) for name, start, end in done.due.get(meter.name, []) if name == customer}
    windows = sorted(known, key=lambda one: (one[0] is not None, one[0] or one[1], one[1]))
    start, end = period
    chosen = [one for one in windows if end is None or one[1] == end]
    if start is not None:
        begun = [one for one in chosen if one[0] == start]
        chosen = begun or [
            one for one in chosen if end is None and (one[0] is None or one[0] <= start) and start < one[1]
        ]
    if chosen:
        return chosen[-1]
    asked = "any period" if start is None else day(start) if end is None else f"{day(start)}/{day(end)}"
    near = ", ".join(f"{day(one[0])}/{day(one[1])}" for one in windows[-5:])
    customers = {str(dict(one.group)[who]) for one in done.results if one.meter == meter.name}
    hint = f"it has {'' if len(windows) <= 5 else 'among others '}{near}" if windows else "it knows no such customer"
    if not windows and customers:
        from meterspec.diagnostics import did_you_mean  # noqa: PLC0415

        hint = did_you_mean(customer, customers) or hint
    raise Failure(NO_SUCH_PERIOD, hint=hint, meter=meter.name, customer=customer, period=asked)


class _Tracer:
    """Reads the events of one customer and window from a run's connection."""

    def __init__(
        self,
        program: Program,
        meter: Meter,
        connection: DuckDBPyConnection,
        done: Run,
        who: str,
        customer: str,
        window: _Window,
    ) -> None:
        self.program = program
        self.meter = meter
        self.connection = connection
        self.done = done
        self.who = who
        self.customer = customer
        self.window = window
        assert meter.aggregate is not None
        self.aggregate = meter.aggregate
        self.families = program.families_of(meter)
        self.environment = variables(self.families)
        self.dialect = DIALECTS["duckdb"]
        self.lowering = Lowering(self.environment, self.dialect)
        used = [meter.filter, self.aggregate.value]
        names = (node.name for one in used if one is not None for node in walk(one) if isinstance(node, FieldRef))
        self.fields = [name for name in dict.fromkeys(names) if name not in meter.group_by]
        self.ratio = Fraction(1)
        if self.aggregate.value is not None and self.aggregate.function is not Function.UNIQUE:
            self.ratio = exact.scaled(self.aggregate.value, self.environment).ratio
        if self.aggregate.per is not None:
            self.ratio /= PER[self.aggregate.per]

    @property
    def held(self) -> bool:
        return self.aggregate.function is Function.TIME_WEIGHTED

    def trace(self, limit: int) -> Trace:
        start, end = self.window
        self.connection.execute("CREATE OR REPLACE TEMP VIEW meterspec_traced AS " + self._rows())
        counts = self.connection.execute(
            f"SELECT count(*) FILTER ({_KEPT}), count(*) FILTER (NOT {_KEPT}) FROM meterspec_traced"
        ).fetchone()
        assert counts is not None
        return Trace(
            meter=self.meter,
            customer=self.customer,
            start=start,
            end=end,
            events=list(self._events(limit)),
            kept=int(counts[0]),
            filtered=int(counts[1]),
            groups=list(self._groups()),
            charge=self._charge(),
            run=self.done,
        )

    # Events -----------------------------------------------------------------------------------------------------

    def _rows(self) -> str:
        """The events of the customer in the window in SQL, with what each adds as a whole number."""
        union: exp.Query | None = None
        for rank, family in enumerate(self.families):
            select = self._of(family, rank)
            union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
        assert union is not None
        rows = union.sql(dialect="duckdb")
        groups = ", ".join(map(_quoted, self.meter.group_by))
        order = f"{_TIME}, {_ID}, {_FAMILY}"
        start, end = self.window
        last = (
            micros_of(end) if not self.held or self.done.as_of is None else min(map(micros_of, (end, self.done.as_of)))
        )
        if self.held:
            # A value holds from its event until the next one of its group.
            since = f"greatest({_TIME}, {micros_of(start)})" if start is not None else _TIME
            return f"""
                WITH rows AS ({rows}), steps AS (
                    SELECT *, coalesce(lead({_TIME}) OVER (PARTITION BY {groups} ORDER BY {order}), {last}) AS {_UNTIL}
                    FROM rows WHERE {_KEPT} AND {_WHOLE} IS NOT NULL AND {_TIME} < {last}),
                clipped AS (SELECT *, least({_UNTIL}, {last}) - {since} AS {_SINCE} FROM steps)
                SELECT *, {_WHOLE}::HUGEINT * {_SINCE} AS {_ADDS} FROM clipped WHERE {_SINCE} > 0
                UNION ALL BY NAME SELECT * FROM rows WHERE NOT {_KEPT} AND {_TIME} < {last}
                {f"AND {_TIME} >= {micros_of(start)}" if start is not None else ""}"""
        inside = f"{_TIME} < {last}" + (f" AND {_TIME} >= {micros_of(start)}" if start is not None else "")
        adds = _WHOLE
        if self.aggregate.function is Function.UNIQUE:
            seen = f"row_number() OVER (PARTITION BY {groups}, {_KEPT}, {_WHOLE} ORDER BY {order})"
            adds = f"CASE WHEN {_WHOLE} IS NOT NULL AND {seen} = 1 THEN 1 ELSE 0 END"
        return f"SELECT *, {adds} AS {_ADDS} FROM ({rows}) WHERE {inside}"

    def _of(self, family: Family, rank: int) -> exp.Select:
        value = self.aggregate.value
        if value is None:
            whole: exp.Expr = b.number(1)
        elif self.aggregate.function is Function.UNIQUE:
            whole = self.lowering.value(value)
        else:
            whole = self.lowering.whole(exact.scaled(value, self.environment).whole)
        kept = exp.Boolean(this=True) if self.meter.filter is None else self.lowering.condition(self.meter.filter)
        columns = [
            b.named(b.column(family.event_id), _ID),
            b.named(b.call("EPOCH_US", b.column(family.event_time)), _TIME),
            b.named(b.number(rank), _FAMILY),
            b.named(b.call("COALESCE", kept, exp.Boolean(this=False)), _KEPT),
            b.named(b.case([(kept.copy(), whole)]), _WHOLE),
            *map(b.column, [*self.meter.group_by, *self.fields]),
        ]
        source: exp.Table | exp.Subquery = b.table(family.sql_name)
        if self.lowering.clocks:
            clocks = (b.named(node, name) for node, name in self.lowering.clocks.items())
            source = exp.select(exp.Star(), *clocks).from_(source).subquery(b.identifier("clocks"))
        return exp.select(*columns).from_(source).where(b.binary(exp.EQ, b.column(self.who), b.text(self.customer)))

    def _events(self, limit: int) -> Iterator[TracedEvent]:
        order = [_TIME, _ID, _FAMILY]
        match self.aggregate.function:
            case Function.LAST:
                order = [f"{name} DESC" for name in order]
            case Function.MIN:
                order = [_WHOLE, *order]
            case Function.MAX:
                order = [f"{_WHOLE} DESC", *order]
        groups = [name for name in self.meter.group_by if name != self.who]
        fields = [*groups, *self.fields]
        shown = "".join(f", {self._shown(name)}" for name in fields)
        held = f"{_SINCE}" if self.held else "NULL"
        rows = self.connection.execute(
            f"SELECT {_FAMILY}, {_ID}, {_TIME}, {_ADDS}, {held}{shown} FROM meterspec_traced "
            f"WHERE {_KEPT} ORDER BY {', '.join(order)} LIMIT {limit:d}"
        )
        for rank, identity, time, adds, since, *values in rows.fetchall():
            named = list(zip(fields, map(self._scalar, fields, values), strict=True))
            yield TracedEvent(
                family=self.families[rank].name,
                id=identity,
                time=instant_of(time),
                group=tuple(named[: len(groups)]),
                fields=tuple(named[len(groups) :]),
                adds=None if adds is None else self._number(adds),
                seconds=None if since is None else Fraction(since, 1_000_000),
            )

    def _shown(self, name: str) -> str:
        """A field in SQL; instants as microseconds, since the engine's own need a further package."""
        return f"epoch_us({_quoted(name)})" if self._is_instant(name) else _quoted(name)

    def _is_instant(self, name: str) -> bool:
        return self.families[0].field(name).type.value == "timestamp"

    def _scalar(self, name: str, value: Scalar) -> Scalar:
        return instant_of(value) if self._is_instant(name) and isinstance(value, int) else value

    def _number(self, whole: int) -> Fraction:
        return Fraction(int(whole)) * (1 if self.aggregate.function is Function.UNIQUE else self.ratio)

    # The number -------------------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[TracedGroup]:
        """The exact total of each group, beside the quantity that the meter gives."""
        groups = [name for name in self.meter.group_by if name != self.who]
        names = "".join(f"{_quoted(name)}, " for name in groups)
        match self.aggregate.function:
            case Function.LAST:
                total = f"arg_max({_WHOLE}, ROW({_TIME}, {_ID}, {_FAMILY}))"
            case Function.FIRST:
                total = f"arg_min({_WHOLE}, ROW({_TIME}, {_ID}, {_FAMILY}))"
            case Function.MIN | Function.MAX as function:
                total = f"{function.value}({_WHOLE})"
            case _:
                total = f"sum({_ADDS}::HUGEINT)"
        rows = self.connection.execute(
            f"SELECT {names}count(*), {total} FROM meterspec_traced WHERE {_KEPT} GROUP BY ALL"
        ).fetchall()
        totals = {tuple(row[: len(groups)]): (int(row[-2]), row[-1]) for row in rows}
        for result in self._results():
            dimensions = tuple((name, value) for name, value in result.group if name != self.who)
            count, whole = totals.get(tuple(value for _, value in dimensions), (0, None))
            number = None if whole is None else self._number(whole)
            if number is not None and self.aggregate.function is Function.AVG:
                number /= count
            yield TracedGroup(dimensions=dimensions, events=result.events, exact=number, quantity=result.quantity)

    def _results(self) -> list[Result]:
        return [
            one
            for one in self.done.results
            if one.meter == self.meter.name
            and dict(one.group)[self.who] == self.customer
            and (one.window_start, one.window_end) == self.window
        ]

    def _charge(self) -> Charge | Unpriceable | None:
        start, end = self.window
        if self.meter.price is None or start is None or self.meter.name not in self.done.due:
            return None
        results: dict[str, list[Result]] = defaultdict(list)
        for one in self.done.results:
            if one.group[0][1] == self.customer:
                results[one.meter].append(one)
        due = [period for period in self.done.due[self.meter.name] if period[0] == self.customer]
        return charges_of(self.program, self.meter, results, due).get((self.customer, start, end))


def _quoted(name: str) -> str:
    return b.identifier(name).sql(dialect="duckdb")
