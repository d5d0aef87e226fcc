"""Running a program on event files: the compiled views on the embedded engine, and what came of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import (
    AS_OF,
    DIALECTS,
    Between,
    Scan,
    check,
    meter_view,
    needs_as_of,
    parts,
    parts_of,
    periods_view,
    scan_view,
    scans,
)
from meterspec.backends.sql import build as b
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.events import (
    Anchor,
    Cycle,
    EventFiles,
    Ignored,
    Quality,
    Reject,
    define_cycles,
    engine,
    load,
    outside_cycles,
    settle,
    step,
)
from meterspec.events import rejects as rejected_rows
from meterspec.ir import BillingCycle, CalendarUnit, Family, Meter, Program, Scalar
from meterspec.store import Counts, SealedEvents, define, held

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Quality", "Reject", "Result", "Run", "engine", "run"]

TOO_LATE = Rule(
    code="MS707",
    slug="after-the-year-9999",
    title="An event so late that its window ends after the year 9999",
    message="an event is dated so late that its window ends after the year 9999",
    why="No calendar that others read goes further, so the end of the window could not be written down.",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One quantity of a meter."""

    meter: str
    window_start: datetime | None
    """None is "ever"."""
    window_end: datetime
    group: tuple[tuple[str, Scalar], ...]
    quantity: Decimal | None
    unit: str | None
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What running a program gave."""

    as_of: datetime | None
    """The instant that rolling and lifetime windows end at; None without an event."""
    uses_as_of: bool = False
    """Whether a computed meter depends on it."""
    results: list[Result] = field(default_factory=list)
    quality: list[Quality] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Meters that were not computed because no events of their family were given."""
    outside: list[tuple[str, int]] = field(default_factory=list)
    """Customers who have billing cycles, and events in none of them: how many each."""
    due: dict[str, list[tuple[str, datetime, datetime]]] = field(default_factory=dict)
    """Of billing meters that were asked for, by name: each customer with the periods that are owed for."""


def run(
    program: Program,
    events: Sequence[EventFiles | SealedEvents],
    out: Diagnostics,
    *,
    meters: Sequence[str] = (),
    as_of: datetime | Sequence[datetime] | None = None,
    begins: tuple[datetime | None, datetime | None] = (None, None),
    between: tuple[datetime, datetime] | None = None,
    cycles: Sequence[Cycle] | Anchor = (),
    fill: bool = False,
    threads: int | None = None,
    rejects: Callable[[Reject], object] | None = None,
    invoices: bool = False,
    look: Callable[[DuckDBPyConnection, Run], object] | None = None,
    until: datetime | None = None,
) -> Run:
    """Computes meters, all or those named, on the events.

    With several `as_of` instants, windows that end there are computed for each. `begins` selects the windows that begin
    in [from, to); `between` is one window that takes the place of every meter's own; `cycles` are billing cycles of
    customers, or what they are counted from; `fill` adds the windows in which a group has no event. `threads` limits
    the engine, and changes no result. `rejects` is given every rejected row. With `invoices`, what meters are billed by
    where their groups do not add is computed as well, and the periods that are due. `look` is given the connection
    while the events are there. Events from `until` on count nowhere. Reports MS600 for a meter that the embedded engine
    cannot compute, and then gives no results; raises `Failure` with MS7xx for files that cannot be read.
    """
    chosen = [meter for meter in program.meters if not meters or meter.name in meters]
    given = {files.family.name for files in events}
    computed = [m for m in chosen if all(family.name in given for family in program.families_of(m))]
    check(program, computed, "duckdb", out)
    if out.has_errors:
        return Run(as_of=None)
    with held(events), engine(threads=threads) as connection:
        ignored, quality = [], []
        for files in events:
            if isinstance(files, SealedEvents):
                held_counts, keys = define(connection, files)
                quality.append(_quality(files.family, held_counts))
                ignored.append(Ignored(files.family.name, keys))
            else:
                ignored.append(load(connection, files))
                quality.append(settle(connection, files.family))
        if until is not None:
            for files in events:
                _end(connection, files.family, until)
        if as_of is None:
            as_of = _just_after_newest(connection, [files.family for files in events]) or ()
        ends = [as_of] if isinstance(as_of, datetime) else as_of
        _define_as_of(connection, ends)
        with step(connection, "computing"):
            in_cycles = _Cycles(connection, program, cycles, max(ends, default=None))
            billed = [meter for meter in computed if meter.price is not None] if invoices else []
            rated = [part.meter for meter in billed for part in parts(program, meter)]
            results = _computed(connection, program, [*computed, *rated], begins, between, fill, in_cycles)
            due = {meter.name: in_cycles.due(meter) for meter in billed}
        for files, counts in zip(events, quality, strict=True):
            if rejects is not None and counts.rejected:
                for reject in rejected_rows(connection, files.family):
                    rejects(reject)
        done = Run(
            as_of=max(ends, default=None),
            uses_as_of=invoices or any(needs_as_of(meter) for meter in computed),
            results=results,
            quality=quality,
            ignored=[entry for entry in ignored if entry.keys],
            skipped=[meter.name for meter in chosen if meter not in computed],
            outside=in_cycles.outside(parts_of(program, computed)) if between is None else [],
            due=due,
        )
        if look is not None:
            look(connection, done)
        return done


def _define(connection: DuckDBPyConnection, name: str, query: exp.Query, kind: str) -> None:
    connection.execute(_sql(exp.Create(this=b.table(name), kind=kind, expression=query)))


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


def _end(connection: DuckDBPyConnection, family: Family, until: datetime) -> None:
    """Leaves the events of a family before an instant."""
    name, everything = b.identifier(family.sql_name).sql("duckdb"), f"meterspec_all_{family.sql_name}"
    connection.execute(f"ALTER VIEW {name} RENAME TO {b.identifier(everything).sql('duckdb')}")
    before = b.binary(exp.LT, b.call("EPOCH_US", b.column(family.event_time)), b.number(micros_of(until)))
    _define(connection, family.sql_name, exp.select(exp.Star()).from_(b.table(everything)).where(before), "VIEW")


def _computed(
    connection: DuckDBPyConnection,
    program: Program,
    meters: Sequence[Meter],
    begins: tuple[datetime | None, datetime | None],
    between: tuple[datetime, datetime] | None,
    fill: bool,
    cycles: _Cycles,
) -> list[Result]:
    """The rows of meters, each scan of the events made once."""
    dialect = DIALECTS["duckdb"]
    window = Between(micros_of(between[0]), micros_of(between[1])) if between else None
    passes = scans(program, parts_of(program, meters), window)
    for scan in passes:
        cycles.define(scan)
        view = scan_view(program, scan, dialect, fill=fill)
        _define(connection, view.name, view.select, "TABLE")
    results = []
    for meter in meters:
        view = meter_view(program, meter, passes, dialect, fill=fill)
        _define(connection, view.name, view.select, "VIEW")
        results += _results(connection, meter, begins)
    return results


def _define_as_of(connection: DuckDBPyConnection, ends: Sequence[datetime]) -> None:
    connection.execute(f"CREATE TABLE {AS_OF} (as_of TIMESTAMPTZ)")
    for end in ends:
        connection.execute(f"INSERT INTO {AS_OF} VALUES (make_timestamp(?) AT TIME ZONE 'UTC')", [micros_of(end)])  # noqa: S608


class _Cycles:
    """The relation of billing cycles of a run: supplied once, or counted from an anchor in the unit of each scan."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        program: Program,
        cycles: Sequence[Cycle] | Anchor,
        until: datetime | None,
    ) -> None:
        self.connection = connection
        self.program = program
        self.cycles = cycles
        self.until = until
        if not isinstance(cycles, Anchor):
            define_cycles(connection, cycles, (), CalendarUnit.MONTH, until)

    def define(self, scan: Scan) -> None:
        """Makes the relation the one that a scan needs."""
        if isinstance(scan.window, BillingCycle):
            self._define(scan.meters[0])

    def _define(self, meter: Meter) -> None:
        if isinstance(self.cycles, Anchor):
            unit = meter.price.interval if meter.price is not None else CalendarUnit.MONTH
            define_cycles(self.connection, self.cycles, self._families([meter]), unit, self.until)

    def due(self, meter: Meter) -> list[tuple[str, datetime, datetime]]:
        """Each customer of a billing meter with the periods that are owed for, in order."""
        self._define(meter)
        start, end = (b.call("EPOCH_US", b.column(name)) for name in ("period_start", "period_end"))
        view = periods_view(self.program, meter, DIALECTS["duckdb"])
        query = exp.select(b.column("customer_id"), start, end).from_(view.select.subquery(b.identifier("periods")))
        rows = self.connection.execute(_sql(query)).fetchall()
        return sorted((customer, instant_of(start), instant_of(end)) for customer, start, end in rows)

    def outside(self, meters: Sequence[Meter]) -> list[tuple[str, int]]:
        """How many events of meters by the billing cycle are in no supplied cycle of their customer, by customer."""
        counted = [meter for meter in meters if isinstance(meter.window, BillingCycle)]
        if isinstance(self.cycles, Anchor) or not self.cycles or not counted:
            return []
        return outside_cycles(self.connection, self._families(counted))

    def _families(self, meters: Sequence[Meter]) -> list[Family]:
        return list({family.name: family for m in meters for family in self.program.families_of(m)}.values())


def _just_after_newest(connection: DuckDBPyConnection, families: Sequence[Family]) -> datetime | None:
    """A microsecond after the newest event of all families."""
    newest = []
    for family in families:
        time = b.call("EPOCH_US", b.call("MAX", b.column(family.event_time)))
        row = connection.execute(_sql(exp.select(time).from_(b.table(family.sql_name)))).fetchone()
        if row is not None and row[0] is not None:
            newest.append(int(row[0]))
    return instant_of(max(newest) + 1) if newest else None


def micros_of(instant: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant_of(micros: int) -> datetime:
    """An instant by its microseconds since 1970; raises `Failure` with MS707 for one after the year 9999."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        hint = "look for events dated in the far future; give their time field a real instant"
        raise Failure(TOO_LATE, hint=hint) from None


def _results(
    connection: DuckDBPyConnection, meter: Meter, begins: tuple[datetime | None, datetime | None]
) -> list[Result]:
    """The rows of a meter's view, by window and then by group, nulls last."""
    start, end = (b.call("EPOCH_US", b.column(name)) for name in ("window_start", "window_end"))
    groups = [b.column(name) for name in meter.group_by]
    query = exp.select(start, end, b.column("quantity"), b.column("events"), *groups).from_(b.table(meter.sql_name))
    for bound, kind in zip(begins, (exp.GTE, exp.LT), strict=True):
        if bound is not None:
            query = query.where(b.binary(kind, start.copy(), b.number(micros_of(bound))))
    order = [exp.Ordered(this=node.copy(), nulls_first=False) for node in (start, end, *groups)]
    query = query.order_by(*order)
    return [
        Result(
            meter=meter.name,
            window_start=None if row[0] is None else instant_of(row[0]),
            window_end=instant_of(row[1]),
            group=tuple(zip(meter.group_by, row[4:], strict=True)),
            quantity=row[2],
            unit=meter.unit,
            events=row[3],
        )
        for row in connection.execute(_sql(query)).fetchall()
    ]


def _quality(family: Family, counts: Counts) -> Quality:
    return Quality(
        family=family.name,
        read=counts.read,
        accepted=counts.accepted,
        duplicates=counts.duplicates,
        conflicts=counts.conflicts,
        rejected=counts.rejected,
        reasons=counts.reasons,
    )
