"""Running a program where the events already are: the compiled views as queries on a server or a cluster.

Nothing is created there. Every relation that a view stands on becomes a named subquery of one statement, so reading the
raw tables is all that is needed; what `--as-of` and `--cycles` say takes the place of the relations of those names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlglot import exp

from meterspec.backends.sql import (
    AS_OF,
    CYCLES,
    DIALECTS,
    Between,
    Dialect,
    View,
    check,
    family_views,
    meter_view,
    needs_as_of,
    needs_cycles,
    parts_of,
    scan_view,
    scans,
)
from meterspec.backends.sql import build as b
from meterspec.backends.sql.families import REJECT_REASON
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.events import UNREADABLE
from meterspec.ir import Family, Meter, Program, RatioSource
from meterspec.run import Quality, Result, Run, instant_of, micros_of

__all__ = ["SERVERS", "Server", "connect", "run_on"]

NO_DRIVER = Rule(
    code="MS015",
    slug="no-driver",
    title="A client of an engine that is not installed",
    message="the Python client of {engine}, {package}, is not installed",
    why="Only `run --engine` needs a client, so none is part of the plain installation.",
)
UNREACHABLE = Rule(
    code="MS016",
    slug="engine-unreachable",
    title="An engine that does not answer",
    message="{engine} cannot be reached: {reason}",
    why="Without an answer there is no result, and none must read as no usage.",
)
ENGINE_REFUSED = Rule(
    code="MS017",
    slug="engine-refused",
    title="A statement that an engine did not execute",
    message="{engine} did not compute {what}: {reason}",
    why="The raw tables have to be there, under the names and with the types that `inputs.sql` declares.",
)

NO_FILES = Rule(
    code="MS018",
    slug="engine-reads-no-files",
    title="Event files for an engine that counts what is in its tables",
    message="`{path}` cannot be read by {engine}, which counts what is in its own tables",
    why="The events of a server are in its raw tables, and a run loads nothing there.",
)

Value = object
Row = tuple[Value, ...]


class Server(Protocol):
    """A connection to an engine."""

    def query(self, sql: str) -> list[Row]:
        """The rows of a query: whole numbers as int, decimals as Decimal, texts as str. Raises what `errors` names."""

    def errors(self) -> tuple[type[Exception], ...]:
        """What the client raises when a statement fails."""

    def read(self, table: str, paths: Sequence[str]) -> None:
        """Makes files of rows a table of this connection; raises `Failure` where the engine cannot read them."""

    def close(self) -> None: ...


class _Postgres:
    def __init__(self, dsn: str) -> None:
        import psycopg  # noqa: PLC0415

        self._psycopg = psycopg
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute("SET TimeZone = 'UTC'; SET default_transaction_read_only = on")

    def query(self, sql: str) -> list[Row]:
        return list(self._connection.execute(sql.encode()).fetchall())

    def errors(self) -> tuple[type[Exception], ...]:
        return (self._psycopg.Error,)

    def read(self, table: str, paths: Sequence[str]) -> None:
        raise _no_files("postgres", table, paths)

    def close(self) -> None:
        self._connection.close()


class _ClickHouse:
    def __init__(self, dsn: str) -> None:
        import logging  # noqa: PLC0415

        import clickhouse_connect  # noqa: PLC0415
        from clickhouse_connect.driver.exceptions import Error  # noqa: PLC0415

        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
        self._error = Error
        self._client = clickhouse_connect.get_client(dsn=dsn or None)

    def query(self, sql: str) -> list[Row]:
        return [tuple(row) for row in self._client.query(sql).result_rows]

    def errors(self) -> tuple[type[Exception], ...]:
        return (self._error,)

    def read(self, table: str, paths: Sequence[str]) -> None:
        raise _no_files("clickhouse", table, paths)

    def close(self) -> None:
        self._client.close()


class _Spark:
    def __init__(self, master: str) -> None:
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415

        self._error = PySparkException
        builder = SparkSession.builder.appName("meterspec")
        if master:
            builder = builder.master(master)
        self._session = (
            builder.config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false").getOrCreate()
        )
        self._session.conf.set("spark.sql.ansi.enabled", "true")

    def read(self, table: str, paths: Sequence[str]) -> None:
        try:
            self._session.read.parquet(*paths).createOrReplaceTempView(table)
        except self._error as error:
            hint = "name Parquet files or folders that every worker can read"
            raise Failure(UNREADABLE, path=", ".join(paths), reason=_first_line(error), hint=hint) from error

    def query(self, sql: str) -> list[Row]:
        return [tuple(row) for row in self._session.sql(sql).collect()]

    def errors(self) -> tuple[type[Exception], ...]:
        return (self._error,)

    def close(self) -> None:
        self._session.stop()


def _no_files(engine: str, table: str, paths: Sequence[str]) -> Failure:
    hint = f"load the file into the table `{table}` there, and leave `--events` out"
    return Failure(NO_FILES, engine=engine, path=paths[0], hint=hint)


@dataclass(frozen=True, slots=True)
class _Client:
    package: str
    connect: Callable[[str], Server]
    example: str


SERVERS: Mapping[str, _Client] = {
    "postgres": _Client("psycopg", _Postgres, "postgresql://user@host/database"),
    "clickhouse": _Client("clickhouse-connect", _ClickHouse, "clickhouse://user@host:8123/database"),
    "spark": _Client("pyspark", _Spark, "local[*]"),
}
"""The engines that `run --engine` can ask, each with the package of its client."""


def connect(engine: str, dsn: str | None) -> Server:
    """A connection to an engine; without a `dsn` the one that the environment variable METERSPEC_DSN holds.

    Raises `Failure` with MS015 where the client is not installed, or MS016 where the engine does not answer.
    """
    client = SERVERS[engine]
    try:
        return client.connect(dsn if dsn is not None else os.environ.get("METERSPEC_DSN", ""))
    except ImportError as error:
        raise Failure(
            NO_DRIVER, engine=engine, package=client.package, hint=f"install it: `pip install 'meterspec[{engine}]'`"
        ) from error
    except Exception as error:
        hint = f"say where it is with `--dsn`, such as `{client.example}`; METERSPEC_DSN keeps a password out of sight"
        raise Failure(UNREACHABLE, engine=engine, reason=_root(error), hint=hint) from error


def _root(error: BaseException) -> str:
    """What the system says of a connection that failed, where it says something; else what the client says."""
    link: BaseException | None = error
    found = _first_line(error)
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            found = link.strerror
        link = link.__cause__ or link.__context__
    return found


def run_on(
    engine: str,
    server: Server,
    program: Program,
    out: Diagnostics,
    *,
    meters: Sequence[str] = (),
    as_of: datetime | None = None,
    begins: tuple[datetime | None, datetime | None] = (None, None),
    between: tuple[datetime, datetime] | None = None,
    cycles: Sequence[tuple[str, datetime, datetime]] | None = None,
    fill: bool = False,
    files: Mapping[str, Sequence[str]] | None = None,
) -> Run:
    """Computes meters, all or those named, on the raw tables of a server; the options are those of `run`.

    `files` are Parquet files and folders by family, which take the place of its raw table where the engine reads files.

    Without `cycles` the relation of billing cycles is the server's own, where a meter needs it. Reports MS600 or MS601
    for what the engine cannot express, and then gives no results; raises `Failure` with MS017 for a statement that
    failed.
    """
    chosen = [meter for meter in program.meters if not meters or meter.name in meters]
    check(program, parts_of(program, chosen), engine, out)
    if out.has_errors:
        return Run(as_of=None)
    program = _on_files(program, server, files or {})
    chosen = [program.meter(meter.name) for meter in chosen]
    asked = _Questions(engine, server, program)
    families = list({family.name: family for meter in chosen for family in program.families_of(meter)}.values())
    quality = [asked.quality(family) for family in families]
    end = as_of if as_of is not None else asked.just_after_newest(families)
    inputs = {AS_OF: asked.as_of(end)} if end is not None else {}
    if cycles is not None:
        inputs[CYCLES] = asked.cycles(cycles)
    window = Between(micros_of(between[0]), micros_of(between[1])) if between else None
    passes = scans(program, parts_of(program, chosen), window)
    views = {scan.name: scan_view(program, scan, asked.dialect, fill=fill) for scan in passes}
    results = []
    for meter in chosen if end is not None else []:
        view = meter_view(program, meter, passes, asked.dialect, fill=fill)
        of_meter = [views[scan.name] for scan in passes if {one.name for one in scan.meters} & _part_names(meter)]
        results += asked.results(meter, view, of_meter, inputs, begins)
    return Run(as_of=end, uses_as_of=any(map(needs_as_of, parts_of(program, chosen))), results=results, quality=quality)


def _on_files(program: Program, server: Server, files: Mapping[str, Sequence[str]]) -> Program:
    """The program with its raw tables made of files, where there are some of a family."""
    families = []
    for family in program.families:
        if family.name in files:
            table = f"meterspec_files_{family.sql_name}"
            server.read(table, files[family.name])
            families.append(replace(family, table=(table,)))
        else:
            families.append(family)
    return replace(program, families=tuple(families))


def _part_names(meter: Meter) -> set[str]:
    if isinstance(meter.source, RatioSource):
        return {meter.source.numerator, meter.source.denominator}
    return {meter.name}


class _Questions:
    """What is asked of an engine: each question one statement, with the views it stands on inside."""

    def __init__(self, engine: str, server: Server, program: Program) -> None:
        self.engine = engine
        self.server = server
        self.program = program
        self.dialect: Dialect = DIALECTS[engine]
        self._views = {family.name: list(family_views(family, self.dialect)) for family in program.families}

    def _ask(self, select: exp.Select, views: Sequence[View], what: str) -> list[Row]:
        for view in views:
            select = select.with_(b.identifier(view.name), as_=view.select, copy=False)
        try:
            return self.server.query(b.printed(self.dialect.adapted(select), self.dialect.printer))
        except self.server.errors() as error:
            tables = ", ".join(f"`{'.'.join(family.raw)}`" for family in self.program.families)
            hint = f"it reads {tables}; `meterspec compile --dialect {self.engine}` writes their DDL to inputs.sql"
            raise Failure(
                ENGINE_REFUSED, engine=self.engine, what=what, reason=_first_line(error), hint=hint
            ) from error

    def just_after_newest(self, families: Sequence[Family]) -> datetime | None:
        """A microsecond after the newest event of all families."""
        newest = []
        for family in families:
            time = exp.Max(this=self.dialect.micros(b.column(family.event_time)))
            select = exp.select(time).from_(b.table(family.sql_name))
            ((found,),) = self._ask(select, self._views[family.name], f"the newest event of `{family.name}`")
            if found is not None:
                newest.append(_int(found))
        return instant_of(max(newest) + 1) if newest else None

    def quality(self, family: Family) -> Quality:
        """What came of the rows of a family."""
        views, what = self._views[family.name], f"the rows of `{family.name}`"
        reason, number = b.column(REJECT_REASON), b.named(b.count_all(), "number_of_rows")
        counts = exp.select(reason, number).from_(b.table(family.checked)).group_by(reason.copy())
        by_reason = {row[0]: _int(row[1]) for row in self._ask(counts, views, what)}
        valid = by_reason.pop(None, 0)
        ((accepted,),) = self._ask(exp.select(b.count_all()).from_(b.table(family.sql_name)), views, what)
        ((conflicts,),) = self._ask(_conflicts(family), views, what)
        return Quality(
            family=family.name,
            read=valid + sum(by_reason.values()),
            accepted=_int(accepted),
            duplicates=valid - _int(accepted),
            conflicts=_int(conflicts),
            rejected=sum(by_reason.values()),
            reasons={str(words): count for words, count in sorted(by_reason.items(), key=lambda item: str(item[0]))},
        )

    def as_of(self, end: datetime) -> View:
        instant = self.dialect.instant(b.cast(b.number(micros_of(end)), self.dialect.narrow))
        return View(AS_OF, exp.select(b.named(instant, "as_of")), "")

    def cycles(self, cycles: Sequence[tuple[str, datetime, datetime]]) -> View:
        """Billing cycles as a relation."""

        rows = [self._cycle(*cycle) for cycle in cycles]
        if not rows:
            epoch = instant_of(0)
            rows = [self._cycle("", epoch, epoch).where(exp.false())]
        union: exp.Query = rows[0]
        for other in rows[1:]:
            union = exp.Union(this=union, expression=other, distinct=False)
        return View(CYCLES, union, "")

    def _cycle(self, customer: str, start: datetime, end: datetime) -> exp.Select:
        starts, ends = (
            self.dialect.instant(b.cast(b.number(micros_of(at)), self.dialect.narrow)) for at in (start, end)
        )
        return exp.select(
            b.named(b.text(customer), "customer_id"), b.named(starts, "cycle_start"), b.named(ends, "cycle_end")
        )

    def results(
        self,
        meter: Meter,
        view: View,
        scans: Sequence[View],
        inputs: Mapping[str, View],
        begins: tuple[datetime | None, datetime | None],
    ) -> list[Result]:
        """The rows of a meter, by window and then by group, nulls last."""
        families = [one for family in self.program.families_of(meter) for one in self._views[family.name]]
        given = [one for name, one in inputs.items() if name == AS_OF or needs_cycles(meter)]
        start, end = (self.dialect.micros(b.column(name)) for name in ("window_start", "window_end"))
        columns = [b.named(start, "start_micros"), b.named(end, "end_micros"), b.column("quantity"), b.column("events")]
        select = exp.select(*columns, *map(b.column, meter.group_by)).from_(b.table(view.name))
        rows = self._ask(select, [*families, *given, *scans, view], f"meter `{meter.name}`")
        found = [_result(meter, row) for row in rows]
        first, last = begins
        kept = [
            one
            for one in found
            if (first is None or (one.window_start is not None and one.window_start >= first))
            and (last is None or (one.window_start is not None and one.window_start < last))
        ]
        return sorted(kept, key=_order)


def _result(meter: Meter, row: Row) -> Result:
    start, end, quantity, events, *group = row
    return Result(
        meter=meter.name,
        window_start=None if start is None else instant_of(_int(start)),
        window_end=instant_of(_int(end)),
        group=tuple((name, _scalar(value)) for name, value in zip(meter.group_by, group, strict=True)),
        quantity=None if quantity is None else Decimal(str(quantity)),
        unit=meter.unit,
        events=_int(events),
    )


def _order(result: Result) -> tuple[object, ...]:
    groups = [(value is None, 0 if value is None else value) for _, value in result.group]
    return (result.window_start is None, result.window_start or 0, result.window_end, groups)


def _int(value: Value) -> int:
    assert isinstance(value, int | Decimal)
    return int(value)


def _scalar(value: Value) -> str | int | Decimal | bool | None:
    assert value is None or isinstance(value, str | int | Decimal | bool)
    return value


def _conflicts(family: Family) -> exp.Select:
    """How many ids have accepted rows that differ in more than the time they arrived."""
    content = [field.name for field in family.fields if field.name != family.ingest_time]
    kinds = exp.select(*map(b.column, content)).distinct().from_(b.table(family.checked))
    kinds = kinds.where(b.is_null(b.column(REJECT_REASON)))
    several = (
        exp.select(b.column(family.event_id))
        .from_(kinds.subquery(b.identifier("kinds")))
        .group_by(b.column(family.event_id))
        .having(b.binary(exp.GT, b.count_all(), b.number(1)))
    )
    return exp.select(b.count_all()).from_(several.subquery(b.identifier("several")))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
