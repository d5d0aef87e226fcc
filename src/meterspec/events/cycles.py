"""Billing cycles: read from a file and checked, or counted from an anchor; the relation that meters look them up in."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import CYCLES
from meterspec.backends.sql import build as b
from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.events.columns import header_of
from meterspec.events.engine import engine, engine_errors, quoted, reason_of
from meterspec.events.files import Format, format_of, listed
from meterspec.events.sources import UNREADABLE, texts
from meterspec.events.values import FIRST_INSTANT, LAST_INSTANT, value
from meterspec.ir import CalendarUnit, Family, Field, FieldType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Anchor", "Cycle", "define_cycles", "outside_cycles", "read_cycles"]

NO_CYCLE_FILE = Rule(
    code="MS710",
    slug="no-cycle-file",
    title="A path of billing cycles that names no file",
    message="there is no file of billing cycles `{path}`",
    why="Without the file every customer would be billed by the calendar.",
)
BAD_CYCLE = Rule(
    code="MS711",
    slug="bad-billing-cycle",
    title="A file of billing cycles with one that cannot be used",
    message="`{path}` cannot be used: {reason}",
    why="An event is in one cycle of its customer, or in none. A cycle that is empty, unreadable or in the way of "
    "another would bill usage twice or not at all.",
)

Cycle = tuple[str, datetime, datetime]
"""A customer, and the half-open stretch of time that is billed at once."""

_COLUMNS = ("customer_id", "cycle_start", "cycle_end")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {CalendarUnit.MONTH: 1, CalendarUnit.QUARTER: 3, CalendarUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the cycles of all customers are counted from."""

    at: datetime

    def boundary(self, months: int) -> int:
        """Microseconds since 1970 of the instant so many months from the anchor, clamped to the month's end.

        Every one is counted from the anchor: a month after 31 January is 28 February, two months after is 31 March.
        """
        year, month = divmod(self.at.year * 12 + self.at.month - 1 + months, 12)
        # The calendar repeats after 400 years, so that a boundary may lie beyond the years that a date has.
        eras, within = divmod(year - 1, 400)
        day = min(self.at.day, monthrange(within + 1, month + 1)[1])
        days = (date(within + 1, month + 1, day) - _EPOCH.date()).days + eras * 146_097
        return days * 86_400_000_000 + _micros(self.at) % 86_400_000_000


def read_cycles(path: Path) -> list[Cycle]:
    """The billing cycles in a file, by customer and start; raises `Failure` with MS701, MS706, MS710 or MS711."""
    if not path.is_file():
        raise Failure(NO_CYCLE_FILE, path=path)
    kind = format_of(path)
    with engine() as connection:
        try:
            rows = connection.execute(_checked(_rows(connection, path, kind))).fetchall()
        except engine_errors() as error:
            raise Failure(UNREADABLE, path=path, reason=reason_of(error)) from error
    if not rows:
        raise Failure(BAD_CYCLE, path=path, reason="it has no billing cycle")
    for row in rows:
        if row[3] is not None:
            raise Failure(BAD_CYCLE, path=path, reason=row[3])
    return [(customer, _instant(start), _instant(end)) for customer, start, end, _ in rows]


def define_cycles(
    connection: DuckDBPyConnection,
    cycles: Sequence[Cycle] | Anchor,
    families: Iterable[Family],
    unit: CalendarUnit,
    until: datetime | None,
) -> None:
    """Defines the relation of billing cycles, in place of one that is there.

    Those of an anchor are of `unit`, and there for every customer of the families from the first event to the last, or
    to `until` where that is later.
    """
    if isinstance(cycles, Anchor):
        query = _anchored(connection, cycles, list(families), unit, until)
    else:
        customers, starts, ends = zip(*cycles, strict=True) if cycles else ((), (), ())
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE meterspec_cycles AS "
            "SELECT unnest($1::VARCHAR[]) AS customer_id, unnest($2::BIGINT[]) AS starts, unnest($3::BIGINT[]) AS ends",
            [list(customers), [_micros(start) for start in starts], [_micros(end) for end in ends]],
        )
        query = "SELECT customer_id, starts, ends FROM meterspec_cycles"
    bounds = ", ".join(
        f"make_timestamp({column}) AT TIME ZONE 'UTC' AS cycle_{column.removesuffix('s')}"
        for column in ("starts", "ends")
    )
    connection.execute(f"CREATE OR REPLACE TABLE {CYCLES} AS SELECT customer_id, {bounds} FROM ({query})")


def outside_cycles(connection: DuckDBPyConnection, families: Iterable[Family]) -> list[tuple[str, int]]:
    """How many events of a customer who has cycles lie in none of them, by customer."""
    found: dict[str, int] = {}
    for family in families:
        if family.customer is None:
            continue
        customer, time = _name(family.customer), _name(family.event_time)
        rows = connection.execute(
            f"""SELECT {customer}, count(*) FROM {_name(family.sql_name)} AS events
                WHERE {customer} IN (SELECT customer_id FROM {CYCLES}) AND NOT EXISTS (
                    SELECT 1 FROM {CYCLES} WHERE customer_id = events.{customer}
                    AND cycle_start <= events.{time} AND events.{time} < cycle_end)
                GROUP BY ALL"""
        ).fetchall()
        for who, events in rows:
            found[who] = found.get(who, 0) + int(events)
    return sorted(found.items())


# From a file ----------------------------------------------------------------------------------------------------


def _rows(connection: DuckDBPyConnection, path: Path, kind: Format) -> str:
    """The rows of a file in SQL, every column as text; raises `Failure` with MS711 where one is missing."""
    file = quoted(str(path))
    match kind:
        case Format.PARQUET:
            source = f"read_parquet({file}, hive_partitioning = false)"
            names = [str(row[0]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        case Format.JSON:
            columns = ", ".join(f"{name}: 'VARCHAR'" for name in _COLUMNS)
            source = f"read_json({file}, format = 'newline_delimited', columns = {{{columns}}})"
            names = list(_COLUMNS)
        case Format.CSV:
            header = header_of(connection, _COLUMNS, path)
            separator, names = (header[0], list(header[1])) if header else (",", list(_COLUMNS))
            options = {"header": "true", "delim": quoted(separator), "quote": "'\"'", "escape": "'\"'", "nullstr": "''"}
            source = texts([path], names, None, **options)
    for name in _COLUMNS:
        if name not in names:
            hint = did_you_mean(name, names) or f"its columns are {listed(names)}"
            raise Failure(BAD_CYCLE, path=path, reason=f"it has no column `{name}`", hint=hint)
    chosen = ", ".join(f"CAST({_name(name)} AS VARCHAR) AS {name}" for name in _COLUMNS)
    return f"SELECT {chosen} FROM {source}"


def _checked(rows: str) -> str:
    """Rows of texts as customer, start and end in microseconds, and what is wrong with the cycle, in SQL."""
    instants = ", ".join(
        f"CASE WHEN regexp_full_match({name}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        f" THEN epoch_us(try_cast({name} AS TIMESTAMP)) ELSE epoch_us({_read(name)}) END AS {name}_us"
        for name in _COLUMNS[1:]
    )
    of_whom = "'the cycle of `' || customer_id || '` from `' || cycle_start || '` to `' || cycle_end || '` '"
    cases = [
        ("customer_id IS NULL", "'the cycle from `' || coalesce(cycle_start, '') || '` has no customer_id'"),
        *((f"{name} IS NULL", f"'a cycle of `' || customer_id || '` has no {name}'") for name in _COLUMNS[1:]),
        *(
            (
                f"NOT coalesce({name}_us BETWEEN {FIRST_INSTANT} AND {LAST_INSTANT}, false)",
                f"'a cycle of `' || customer_id || '` has the {name} `' || {name} || '`, which is no date'",
            )
            for name in _COLUMNS[1:]
        ),
        ("cycle_start_us = cycle_end_us", f"{of_whom} || 'is empty'"),
        ("cycle_start_us > cycle_end_us", f"{of_whom} || 'ends before it begins'"),
        ("ends_before > cycle_start_us", f"{of_whom} || 'overlaps the one that ends at `' || named_before || '`'"),
    ]
    wrong = " ".join(f"WHEN {condition} THEN {words}" for condition, words in cases)
    return f"""
        WITH instants AS (SELECT *, {instants} FROM ({rows})),
        neighbours AS (SELECT *, lag(cycle_end_us) OVER following AS ends_before,
            lag(cycle_end) OVER following AS named_before FROM instants
            WINDOW following AS (PARTITION BY customer_id ORDER BY cycle_start_us, cycle_end_us))
        SELECT customer_id, cycle_start_us, cycle_end_us, CASE {wrong} END AS wrong FROM neighbours
        ORDER BY wrong NULLS LAST, customer_id, cycle_start_us"""


def _read(name: str) -> str:
    """The instant that a column of texts holds, in SQL."""
    return value(Field(name=name, type=FieldType.TIMESTAMP), b.column(name)).sql(dialect="duckdb")


# From an anchor -------------------------------------------------------------------------------------------------


def _anchored(
    connection: DuckDBPyConnection,
    anchor: Anchor,
    families: Sequence[Family],
    unit: CalendarUnit,
    until: datetime | None,
) -> str:
    """The cycles of every customer in SQL: customer, start and end in microseconds."""
    seen = [
        exp.select(
            b.named(b.column(family.customer), "customer_id"),
            b.named(b.call("EPOCH_US", b.column(family.event_time)), "happened"),
        )
        .from_(b.table(family.sql_name))
        .sql(dialect="duckdb")
        for family in families
        if family.customer is not None
    ] or ["SELECT NULL::VARCHAR AS customer_id, NULL::BIGINT AS happened"]
    end = "max(happened)" if until is None else f"greatest(max(happened), {_micros(until)})"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE meterspec_customers AS
            SELECT customer_id, min(happened) AS first, {end} AS last FROM ({" UNION ALL ".join(seen)})
            WHERE customer_id IS NOT NULL GROUP BY customer_id"""
    )
    reach = connection.execute("SELECT min(first), max(last) FROM meterspec_customers").fetchone()
    boundaries = [] if reach is None or reach[0] is None else _boundaries(anchor, _MONTHS[unit], *reach)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE meterspec_cycles AS "
        "SELECT unnest($1::BIGINT[]) AS starts, unnest($2::BIGINT[]) AS ends",
        [boundaries[:-1], boundaries[1:]],
    )
    near = "starts <= last AND ends > first"
    return f"SELECT customer_id, starts, ends FROM meterspec_customers JOIN meterspec_cycles ON {near}"


def _boundaries(anchor: Anchor, months: int, first: int, last: int) -> list[int]:
    """The instants between cycles, from the last that is not after `first` to the first that is after `last`."""
    number = (first - _micros(anchor.at)) // (months * 31 * 86_400_000_000) - 1
    while anchor.boundary((number + 1) * months) <= first:
        number += 1
    while anchor.boundary(number * months) > first:
        number -= 1
    found = [anchor.boundary(number * months)]
    while found[-1] <= last:
        number += 1
        found.append(anchor.boundary(number * months))
    return found


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _name(name: str) -> str:
    return b.identifier(name).sql(dialect="duckdb")
