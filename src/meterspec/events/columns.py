"""Files with columns: Parquet stays where it is and is read as it is asked for, CSV is parsed once into a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DuckDB
from meterspec.backends.sql.families import REJECT_REASON, Reading, checked
from meterspec.diagnostics import Failure
from meterspec.events.engine import engine_errors, quoted, reason_of
from meterspec.events.files import EventFiles
from meterspec.events.sources import (
    PLACE,
    ROW,
    UNREADABLE,
    Source,
    add_broken,
    create_rows,
    of_table,
    place,
    same_family,
    texts,
    undeclared,
)
from meterspec.events.values import of_column, of_text, value
from meterspec.ir import Family

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["header_of", "read_csv", "read_parquet"]

_FILE = "the file"
"""A column that tells the files apart; no field can have a name with a space."""


# Parquet --------------------------------------------------------------------------------------------------------


def read_parquet(
    connection: DuckDBPyConnection, events: EventFiles, paths: Sequence[Path], number: int
) -> Iterator[Source]:
    """The rows of Parquet files of a family, those with the same columns together; `number` is that of the first.

    Nothing is read yet but the columns. Raises `Failure` with MS701, MS702 or MS705.
    """
    for alike in _alike(connection, paths):
        columns = _columns(connection, alike[0])
        for path in alike:
            same_family(events.family, list(columns), path)
        yield _parquet(events.family, alike, columns, number)
        number += len(alike)


def _alike(connection: DuckDBPyConnection, paths: Sequence[Path]) -> list[list[Path]]:
    """The files with the same columns, in the order of the first of each sort."""
    files = ", ".join(quoted(str(path)) for path in paths)
    query = f"""
        SELECT file_name, string_agg(concat_ws('|', name, type, converted_type, logical_type, precision, scale), chr(10)
            ORDER BY column_id) FROM parquet_schema([{files}]) WHERE num_children IS NULL GROUP BY file_name"""
    try:
        schemas = dict(connection.execute(query).fetchall())
    except engine_errors() as error:
        name = next((str(path) for path in paths if str(path) in str(error)), ", ".join(map(str, paths)))
        raise Failure(UNREADABLE, path=name, reason=reason_of(error)) from error
    alike: dict[str, list[Path]] = {}
    for path in paths:
        alike.setdefault(str(schemas.get(str(path))), []).append(path)
    return list(alike.values())


def _columns(connection: DuckDBPyConnection, path: Path) -> dict[str, str]:
    """The columns of a file, each with the engine's type."""
    try:
        described = connection.execute(
            f"DESCRIBE SELECT * FROM {_parquet_files([path]).sql(dialect='duckdb')}"
        ).fetchall()
    except engine_errors() as error:
        raise Failure(UNREADABLE, path=path, reason=reason_of(error)) from error
    return {str(row[0]): str(row[1]) for row in described}


def _parquet_files(paths: Sequence[Path]) -> exp.Expr:
    files = exp.Array(expressions=[b.text(str(path)) for path in paths])
    # What a path says, as in `day=2026-01-05/`, is nothing that a row says.
    return b.call("READ_PARQUET", files, exp.EQ(this=exp.Var(this="hive_partitioning"), expression=exp.false()))


def _parquet(family: Family, paths: Sequence[Path], columns: dict[str, str], number: int) -> Source:
    readings, values = [], []
    for field in family.fields:
        kind = columns.get(field.name)
        if kind == "VARCHAR":
            text = b.column(field.name)
            values.append(b.named(value(field, text), f"{field.name} value"))
            readings.append(of_text(field, text, b.column(f"{field.name} value")))
        else:
            readings.append(of_column(field, kind, paths[0]))
    where = place(number, exp.column("file_index"), exp.column("file_row_number"))
    whole = b.cast(b.call("TO_JSON", b.column("rows")), "VARCHAR")
    files = exp.Table(this=_parquet_files(paths), alias=exp.TableAlias(this=b.identifier("rows")))
    rows = exp.select(exp.Star(), *values, b.named(where, PLACE), b.named(whole, ROW)).from_(files)
    return Source(_kept(readings, rows, ROW, PLACE), undeclared(family, columns))


def _kept(readings: Sequence[Reading], rows: exp.Select, row: str, *others: str) -> exp.Select:
    """Rows that are judged: typed, why they are rejected, then as they were read, and other columns."""
    judged = checked(readings, exp.select().from_(rows.subquery(b.identifier("rows"))), DuckDB(), (row, *others))
    names = [*(reading.field.name for reading in readings), REJECT_REASON, *others]
    kept = b.case([(b.not_null(b.column(REJECT_REASON)), b.column(row))])
    return exp.select(*map(b.column, names), b.named(kept, ROW)).from_(judged.subquery(b.identifier("judged")))


# CSV ------------------------------------------------------------------------------------------------------------


def read_csv(
    connection: DuckDBPyConnection, events: EventFiles, paths: Sequence[Path], number: int
) -> Iterator[Source]:
    """The rows of CSV files of a family, those with the same header together; `number` is that of the first.

    Raises `Failure` with MS701 or MS702.
    """
    alike: dict[tuple[str, tuple[str, ...]], list[Path]] = {}
    for path in paths:
        header = header_of(connection, [field.name for field in events.family.fields], path)
        if header is not None:
            same_family(events.family, header[1], path)
            alike.setdefault(header, []).append(path)
    for (separator, names), files in alike.items():
        yield _csv(connection, events.family, files, number, separator, names)
        number += len(files)


def header_of(connection: DuckDBPyConnection, names: Iterable[str], path: Path) -> tuple[str, tuple[str, ...]] | None:
    """What separates the columns of a CSV file, and their names; None where it is empty.

    It is what gives most of the names that are looked for. Raises `Failure` with MS701.
    """
    options = {"quote": "''", "escape": "''", "strict_mode": "false"}  # lines may end in different ways
    line = texts([path], ["line"], None, delim=quoted("\x01\x02\x03\x04"), **options)
    try:
        first = connection.execute(f"SELECT line FROM {line} LIMIT 1").fetchone()
    except engine_errors() as error:
        raise Failure(UNREADABLE, path=path, reason=reason_of(error)) from error
    if first is None or first[0] is None:
        return None
    wanted = set(names)
    splits = [(separator, tuple(next(csv.reader([first[0]], delimiter=separator)))) for separator in ",;\t|"]
    separator, found = max(splits, key=lambda split: len(wanted.intersection(split[1])))
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise Failure(UNREADABLE, path=path, reason=f"its header has `{twice}` twice")
    return separator, found


def _csv(
    connection: DuckDBPyConnection,
    family: Family,
    paths: Sequence[Path],
    number: int,
    separator: str,
    names: Sequence[str],
) -> Source:
    columns = {name: f"column {position}" for position, name in enumerate(names)}
    name = f"{family.sql_name}_{number}"
    quote = quoted('"')
    source = texts(
        paths, columns.values(), name, header="true", delim=quoted(separator), quote=quote, escape=quote, nullstr="''"
    )
    pairs = ", ".join(f'{quoted(name)}, "{column}"' for name, column in columns.items())
    row = f'CAST(json_object({pairs}) AS VARCHAR) AS {ROW}, file_index AS "{_FILE}"'
    view = f"meterspec_texts_{name}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT *, {row} FROM {source}")
    readings, values = [], []
    for field in family.fields:
        if field.name in columns:
            text = b.column(columns[field.name])
            values.append(b.named(value(field, text), f"{field.name} value"))
            readings.append(of_text(field, text, b.column(f"{field.name} value")))
        else:
            readings.append(of_column(field, None, paths[0]))
    rows = exp.select(exp.Star(), *values).from_(b.table(view))
    table = create_rows(connection, paths, name, _kept(readings, rows, ROW, _FILE))
    add_broken(connection, table, name, paths, _FILE)
    return Source(of_table(table, family, number, _FILE), undeclared(family, names))
