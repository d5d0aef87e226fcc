"""Running a program on event files: the compiled views on the embedded engine, and what came of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import (
    AS_OF,
    CYCLES,
    DIALECTS,
    Between,
    check,
    events_views,
    meter_view,
    needs_as_of,
    parts_of,
    scan_view,
    scans,
)
from meterspec.backends.sql import build as b
from meterspec.backends.sql.families import REJECT_REASON
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.events import ROW, EventFiles, Ignored, load
from meterspec.ir import Family, Meter, Program, RatioSource, Scalar
from meterspec.store import Counts, SealedEvents, define, held

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Quality", "Reject", "Result", "Run", "engine", "run"]

NO_ENGINE = Rule(
    code="MS012",
    slug="no-engine",
    title="An engine that is not installed",
    message="the embedded engine, DuckDB, is not installed",
    why="Checking and compiling need no engine, so it is left out of the plain installation.",
)

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
class Quality:
    """What came of the rows of a family: `read` is accepted, duplicates and rejected together."""

    family: str
    read: int
    accepted: int
    """Events."""
    duplicates: int
    """Rows beyond the first of their id."""
    conflicts: int
    """Ids with rows of different content."""
    rejected: int
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that breaks its schema."""

    family: str
    reason: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What running a program gave."""

    as_of: datetime | None
    """The instant that rolling and lifetime windows end at; None without an event."""
    uses_as_of: bool = False
    """Whether a computed meter depends on it."""
    results: list[Result] = field(default_factory=list)
    quality: list[Quality] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Meters that were not computed because no events of their family were given."""


def run(
    program: Program,
    events: Sequence[EventFiles | SealedEvents],
    out: Diagnostics,
    *,
    meters: Sequence[str] = (),
    as_of: datetime | Sequence[datetime] | None = None,
    begins: tuple[datetime | None, datetime | None] = (None, None),
    between: tuple[datetime, datetime] | None = None,
    cycles: Sequence[tuple[str, datetime, datetime]] = (),
    fill: bool = False,
    threads: int | None = None,
) -> Run:
    """Computes meters, all or those named, on the events.

    With several `as_of` instants, windows that end there are computed for each. `begins` selects the windows that begin
    in [from, to); `between` is one window that takes the place of every meter's own; `cycles` are billing cycles, each
    of a customer; `fill` adds the windows in which a group has no event. `threads` limits the engine, and changes no
    result. Reports MS600 for a meter the embedded engine
    cannot compute, and then gives no results; raises `Failure` with MS7xx for files that cannot be read.
    """
    duckdb = engine()
    chosen = [meter for meter in program.meters if not meters or meter.name in meters]
    given = {files.family.name for files in events}
    computed = [m for m in chosen if all(family.name in given for family in program.families_of(m))]
    check(program, computed, "duckdb", out)
    if out.has_errors:
        return Run(as_of=None)
    with held(events), duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        if threads is not None:
            connection.execute(f"SET threads = {threads:d}")
        ignored = []
        sealed: dict[str, Counts] = {}
        for files in events:
            if isinstance(files, SealedEvents):
                sealed[files.family.name], keys = define(connection, files)
                ignored.append(Ignored(files.family.name, keys))
                continue
            ignored.append(load(connection, files))
            for view in events_views(files.family, DIALECTS["duckdb"]):
                _define(connection, view.name, view.select, "TABLE" if view.name == files.family.sql_name else "VIEW")
        if as_of is None:
            as_of = _just_after_newest(connection, [files.family for files in events]) or ()
        ends = [as_of] if isinstance(as_of, datetime) else as_of
        _define_inputs(connection, ends, cycles)
        results = _computed(connection, program, computed, begins, between, fill)
        return Run(
            as_of=max(ends, default=None),
            uses_as_of=any(needs_as_of(meter) for meter in computed),
            results=results,
            quality=[_quality(connection, files.family, sealed.get(files.family.name)) for files in events],
            rejects=[reject for files in events for reject in _rejects(connection, files.family)],
            ignored=[entry for entry in ignored if entry.keys],
            skipped=[meter.name for meter in chosen if meter not in computed],
        )


def engine() -> ModuleType:
    """The embedded engine; 100 ms that only a run pays. Raises `Failure` with MS012 where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415
    except ImportError as error:
        raise Failure(NO_ENGINE, hint="install it: `pip install 'meterspec[duckdb]'`") from error
    return duckdb


def _define(connection: DuckDBPyConnection, name: str, query: exp.Query, kind: str) -> None:
    connection.execute(_sql(exp.Create(this=b.table(name), kind=kind, expression=query)))


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


def _computed(
    connection: DuckDBPyConnection,
    program: Program,
    meters: Sequence[Meter],
    begins: tuple[datetime | None, datetime | None],
    between: tuple[datetime, datetime] | None,
    fill: bool,
) -> list[Result]:
    """The rows of meters, each scan of the events made once."""
    dialect = DIALECTS["duckdb"]
    window = Between(micros_of(between[0]), micros_of(between[1])) if between else None
    passes = scans(program, parts_of(program, meters), window)
    for scan in passes:
        view = scan_view(program, scan, dialect, fill=fill)
        _define(connection, view.name, view.select, "TABLE")
    results = []
    for meter in meters:
        view = meter_view(program, meter, passes, dialect, fill=fill)
        _define(connection, view.name, view.select, "VIEW")
        results += _results(connection, meter, begins)
    return results


def _define_inputs(
    connection: DuckDBPyConnection, ends: Sequence[datetime], cycles: Sequence[tuple[str, datetime, datetime]]
) -> None:
    connection.execute(
        f"CREATE TABLE {CYCLES} (customer_id VARCHAR, cycle_start TIMESTAMPTZ, cycle_end TIMESTAMPTZ);"
        f"CREATE TABLE {AS_OF} (as_of TIMESTAMPTZ)"
    )
    instant = "make_timestamp(?) AT TIME ZONE 'UTC'"
    for end in ends:
        connection.execute(f"INSERT INTO {AS_OF} VALUES ({instant})", [micros_of(end)])  # noqa: S608 - our own names
    if cycles:
        rows = [(customer, micros_of(start), micros_of(end)) for customer, start, end in cycles]
        connection.executemany(f"INSERT INTO {CYCLES} VALUES (?, {instant}, {instant})", rows)  # noqa: S608


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


def _quality(connection: DuckDBPyConnection, family: Family, sealed: Counts | None) -> Quality:
    if sealed is not None:
        return Quality(
            family=family.name,
            read=sealed.read,
            accepted=sealed.accepted,
            duplicates=sealed.duplicates,
            conflicts=sealed.conflicts,
            rejected=sealed.rejected,
            reasons=sealed.reasons,
        )
    reason = b.column(REJECT_REASON)
    counts = exp.select(reason, b.count_all()).from_(b.table(family.checked)).group_by(reason.copy())
    by_reason = {row[0]: int(row[1]) for row in connection.execute(_sql(counts)).fetchall()}
    valid = by_reason.pop(None, 0)
    accepted = _count(connection, exp.select(b.count_all()).from_(b.table(family.sql_name)))
    rejected = sum(by_reason.values())
    return Quality(
        family=family.name,
        read=valid + rejected,
        accepted=accepted,
        duplicates=valid - accepted,
        conflicts=_conflicts(connection, family),
        rejected=rejected,
        reasons=dict(sorted(by_reason.items())),
    )


def _conflicts(connection: DuckDBPyConnection, family: Family) -> int:
    """The ids whose accepted rows differ in more than the time they arrived."""
    content = [b.column(f.name) for f in family.fields if f.name not in {family.event_id, family.ingest_time}]
    kinds = exp.Count(this=exp.Distinct(expressions=[b.call("ROW", *content)]))
    several = (
        exp.select(b.named(b.number(1), "one"))
        .from_(b.table(family.checked))
        .where(b.is_null(b.column(REJECT_REASON)))
        .group_by(b.column(family.event_id))
        .having(b.all_of([b.binary(exp.GT, b.count_all(), b.number(1)), b.binary(exp.GT, kinds, b.number(1))]))
    )
    return _count(connection, exp.select(b.count_all()).from_(several.subquery(b.identifier("several"))))


def _count(connection: DuckDBPyConnection, query: exp.Query) -> int:
    row = connection.execute(_sql(query)).fetchone()
    assert row is not None
    return int(row[0])


def _rejects(connection: DuckDBPyConnection, family: Family) -> list[Reject]:
    reason, row = b.column(REJECT_REASON), b.column(ROW)
    query = exp.select(reason, row).from_(b.table(family.rejects)).order_by(reason.copy(), row.copy())
    return [Reject(family=family.name, reason=r[0], row=r[1]) for r in connection.execute(_sql(query)).fetchall()]
