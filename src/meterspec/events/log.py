"""The log of a family: the rows of all its files, the events among them, each once, and what came of every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.families import REJECT_REASON
from meterspec.diagnostics import Failure
from meterspec.events.columns import read_csv, read_parquet
from meterspec.events.engine import engine_errors, is_full, reason_of, step
from meterspec.events.files import EventFiles, Format, format_of
from meterspec.events.lines import read_lines
from meterspec.events.sources import PLACE, ROW, UNREADABLE, Source
from meterspec.ir import Family

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Ignored", "Quality", "Reject", "load", "rejects", "settle"]


@dataclass(frozen=True, slots=True)
class Ignored:
    """The keys of event files that their family does not declare."""

    family: str
    keys: tuple[str, ...]


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


def load(connection: DuckDBPyConnection, events: EventFiles) -> Ignored:
    """Defines the checked rows of a family over its files; raises `Failure` with MS701, MS702 or MS705.

    The view has the name and the columns of the compiled `_checked` view, and two more: `ROW` is a rejected row as it
    was read, `PLACE` tells a row from all others. Text is parsed here, once; Parquet is read whenever the view is.
    """
    sources: list[Source] = []
    by_format: dict[Format, list[Path]] = {}
    for path in events.paths:
        by_format.setdefault(format_of(path), []).append(path)
    number = 0
    for kind, paths in by_format.items():
        match kind:
            case Format.PARQUET:
                sources += read_parquet(connection, events, paths, number)
            case Format.JSON:
                sources.append(read_lines(connection, events, paths, number))
            case Format.CSV:
                sources += read_csv(connection, events, paths, number)
        number += len(paths)
    rows = exp.union(*(source.rows for source in sources), distinct=False) if len(sources) > 1 else sources[0].rows
    _create(connection, events.family.checked, "VIEW", rows)
    keys = {key for source in sources for key in source.ignored}
    return Ignored(events.family.name, tuple(sorted(keys)))


def settle(connection: DuckDBPyConnection, family: Family) -> Quality:
    """Defines the events of a family on its checked rows, and the rows rejected, and says what came of all of them.

    One pass finds the rejected rows and the ids that may be repeated, by their hashes. Only where there are any, a
    second one looks at those rows alone, by their full ids, and notes the places of those that do not count: the events
    are all rows but these, and nothing else is kept of them. Raises `Failure` with MS701.
    """
    reason, found = b.column(REJECT_REASON), f"meterspec_found_{family.sql_name}"
    try:
        with step(connection, f"checking {family.name}"):
            _create(connection, found, "TEMPORARY TABLE", _found(family))
        counts = connection.execute(f"SELECT reason, rows FROM {found} WHERE hash IS NULL").fetchall()
        reasons = {str(words): int(rows) for words, rows in counts if words is not None}
        read = sum(int(rows) for _, rows in counts)
        rejected = sum(reasons.values())
        repeated = connection.execute(f"SELECT 1 FROM {found} WHERE hash IS NOT NULL LIMIT 1").fetchone()
        without, conflicts = 0, 0
        if repeated or rejected:
            with step(connection, f"finding repeats of {family.name}"):
                without, conflicts = _note_places(connection, family, found)
        connection.execute(f"DROP TABLE {found}")
    except engine_errors() as error:
        if is_full(error):
            raise
        raise Failure(UNREADABLE, path=f"events of {family.name}", reason=reason_of(error)) from error
    columns = [b.column(field.name) for field in family.fields]
    events = exp.select(*columns).from_(b.table(family.checked))
    if without:
        places = exp.select(b.column(PLACE)).from_(b.table(_without(family)))
        events = events.where(b.not_(exp.In(this=b.column(PLACE), query=places.subquery())))
    _create(connection, family.sql_name, "VIEW", events)
    rejects = exp.select(exp.Star()).from_(b.table(family.checked)).where(b.not_null(reason))
    _create(connection, family.rejects, "VIEW", rejects)
    return Quality(
        family=family.name,
        read=read,
        accepted=read - without,
        duplicates=without - rejected,
        conflicts=conflicts,
        rejected=rejected,
        reasons=dict(sorted(reasons.items())),
    )


def rejects(connection: DuckDBPyConnection, family: Family) -> Iterator[Reject]:
    """The rejected rows of a family that is settled, by reason and then by what was read."""
    reason, row = b.column(REJECT_REASON), b.column(ROW)
    query = exp.select(reason, row).from_(b.table(family.rejects)).order_by(reason.copy(), row.copy())
    rows = connection.execute(_sql(query))
    while batch := rows.fetchmany(10_000):
        for words, text in batch:
            yield Reject(family=family.name, reason=words, row=text)


def _found(family: Family) -> exp.Select:
    """How many rows there are for every reason, and the hashes that several accepted rows have."""
    id_hash = b.call("HASH", b.column(family.event_id))
    reason = b.column(REJECT_REASON)
    hashed = exp.select(
        b.named(b.case([(b.is_null(reason), id_hash)]), "hash"), b.named(reason.copy(), "reason")
    ).from_(b.table(family.checked))
    sets = exp.GroupingSets(
        expressions=[exp.Tuple(expressions=[b.column("hash")]), exp.Tuple(expressions=[b.column("reason")])]
    )
    counted = exp.select(b.column("hash"), b.column("reason"), b.named(b.count_all(), "rows"))
    by_reason = b.binary(exp.EQ, b.call("GROUPING", b.column("reason")), b.number(0))
    repeated = b.all_of([b.not_null(b.column("hash")), b.binary(exp.GT, b.count_all(), b.number(1))])
    grouped = counted.from_(hashed.subquery(b.identifier("rows")))
    grouped.set("group", exp.Group(grouping_sets=[sets]))
    return grouped.having(b.any_of([by_reason, repeated]))


def _note_places(connection: DuckDBPyConnection, family: Family, found: str) -> tuple[int, int]:
    """Keeps the places of rows that are no event of their own; gives how many, and the ids with different content."""
    name = f"meterspec_doubtful_{family.sql_name}"
    hashes = exp.select(b.column("hash")).from_(b.table(found)).where(b.not_null(b.column("hash")))
    id_hash = b.call("HASH", b.column(family.event_id))
    repeated = exp.In(this=id_hash, query=hashes.subquery())
    fields = [b.column(field.name) for field in family.fields]
    reason, where = b.column(REJECT_REASON), b.column(PLACE)
    doubtful = exp.select(*fields, reason, where).from_(b.table(family.checked))
    _create(connection, name, "TEMPORARY TABLE", doubtful.where(b.any_of([b.not_null(reason.copy()), repeated])))
    accepted = exp.select().from_(b.table(name)).where(b.is_null(reason.copy()))
    rank = exp.Window(
        this=exp.RowNumber(),
        partition_by=[b.column(family.event_id)],
        order=exp.Order(expressions=[exp.Ordered(this=b.column(key), nulls_first=False) for key in _order(family)]),
    )
    ranked = accepted.select(where.copy(), b.named(rank, "rank")).subquery(b.identifier("ranked"))
    later = exp.select(where.copy()).from_(ranked).where(b.binary(exp.GT, b.column("rank"), b.number(1)))
    rejected = exp.select(where.copy()).from_(b.table(name)).where(b.not_null(reason.copy()))
    _create(connection, _without(family), "TABLE", exp.union(later, rejected, distinct=False))
    content = [b.column(key) for key in _order(family) if key != family.ingest_time]
    kinds = exp.Count(this=exp.Distinct(expressions=[b.call("ROW", *content)]))
    several = (
        accepted.select(b.named(b.number(1), "one"))
        .group_by(b.column(family.event_id))
        .having(b.binary(exp.GT, kinds, b.number(1)))
    )
    without = _count(connection, exp.select(b.count_all()).from_(b.table(_without(family))))
    conflicts = _count(connection, exp.select(b.count_all()).from_(several.subquery(b.identifier("several"))))
    connection.execute(f"DROP TABLE {name}")
    return without, conflicts


def _order(family: Family) -> list[str]:
    """What rows of one id are ranked by: when they arrived, when they happened, then the declared fields."""
    first = [family.ingest_time, family.event_time] if family.ingest_time else [family.event_time]
    return [*first, *(field.name for field in family.fields if field.name not in {*first, family.event_id})]


def _without(family: Family) -> str:
    """The table of the places that hold no event: rejected rows, and repeats."""
    return f"meterspec_without_{family.sql_name}"


def _count(connection: DuckDBPyConnection, query: exp.Query) -> int:
    row = connection.execute(_sql(query)).fetchone()
    assert row is not None
    return int(row[0])


def _create(connection: DuckDBPyConnection, name: str, kind: str, query: exp.Query) -> None:
    connection.execute(_sql(exp.Create(this=b.table(name), kind=kind, expression=query)))


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")
