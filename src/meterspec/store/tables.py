# ruff: noqa: S608 - every name is quoted, every value is a literal of ours
"""The tables of a store as SQL over its files, for whoever reads it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.backends.sql.families import REJECT_REASON
from meterspec.events import ROW
from meterspec.ir import Family, Field, FieldType
from meterspec.store.manifest import DataFile, Holding, Kind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "DEAD_FILE",
    "DEAD_ROW",
    "HASH",
    "define_superseded",
    "fields_of",
    "files_in",
    "id_hash",
    "live",
    "quoted",
    "rejects",
    "rows_at",
    "stored_fields",
    "superseded_name",
    "text",
]

HASH = "id hash"
"""The column of an event file that finds ids quickly; no field can have a name with a space."""
DEAD_FILE, DEAD_ROW = "stored file", "stored row"
"""Where a row stands: a file of the store, and the number of the row in it."""


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def id_hash(family: Family) -> str:
    """64 bits of the MD5 of the event id: the same in every version of the engine, unlike its own hash."""
    return f"(md5_number({quoted(family.event_id)}) & 18446744073709551615::UHUGEINT)::UBIGINT"


_TAKEN = {"filename", "file_row_number", "file_index"}
"""Names that the engine has for where a row stands; a field of such a name is stored under another."""


def _column(field: Field, there: set[str]) -> str:
    """A field as it is in the files that have these fields."""
    if field.name not in there:
        return f"{_null(field)} AS {quoted(field.name)}"
    return f"{quoted(_stored(field.name))} AS {quoted(field.name)}"


def _stored(name: str) -> str:
    """The column that a field is stored in."""
    return f"field {name}" if name.lower() in _TAKEN else name


def stored_fields(family: Family) -> str:
    """The fields of a family, as the columns of a file."""
    return ", ".join(f"{quoted(field.name)} AS {quoted(_stored(field.name))}" for field in family.fields)


def fields_of(family: Family) -> str:
    """The fields of a family, as columns."""
    return ", ".join(quoted(field.name) for field in family.fields)


def files_in(folder: Path, files: Sequence[DataFile], options: str = "") -> str:
    """Files of a store, as a relation."""
    paths = ", ".join(text(escape(str(folder / file.path))) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = false{options})"


def superseded_name(family: Family) -> str:
    """The table of the rows of event files that no longer count."""
    return f"{family.sql_name} superseded"


def define_superseded(connection: DuckDBPyConnection, family: Family, holding: Holding, folder: Path) -> None:
    """Makes that table from the store."""
    files = holding.of(Kind.SUPERSEDED)
    rows = f"FROM {files_in(folder, files)}" if files else "SELECT NULL::VARCHAR, NULL::BIGINT WHERE false"
    columns = f"{quoted(DEAD_FILE)}, {quoted(DEAD_ROW)}"
    connection.execute(
        f"CREATE TEMP TABLE {quoted(superseded_name(family))} AS SELECT * FROM ({rows}) AS dead ({columns})"
    )


def live(family: Family, holding: Holding, folder: Path, *, places: bool = False) -> str:
    """The events that a store has of a family; with `places` also the hash of the id, and where the row stands.

    Only files with rows that were superseded pay for leaving them out.
    """
    file, row = quoted(DEAD_FILE), quoted(DEAD_ROW)
    parts = []
    for number, schema in enumerate(holding.schemas):
        there = set(schema.names)
        columns = [_column(field, there) for field in family.fields]
        own = [one for one in holding.of(Kind.EVENTS) if one.schema == number]
        at = f"substr(filename, {len(str(folder / '_'))})"
        if places:
            columns += [quoted(HASH), f"{at} AS {file}", f"file_row_number AS {row}"]
        for files, lost in (([f for f in own if not f.superseded], False), ([f for f in own if f.superseded], True)):
            if not files:
                continue
            part = f"SELECT {', '.join(columns)} FROM {files_in(folder, files)}"
            if lost:
                dead = quoted(superseded_name(family))
                same = f"dead.{file} = {at} AND dead.{row} = file_row_number"
                part += f" WHERE NOT EXISTS (FROM {dead} AS dead WHERE {same})"
            parts.append(part)
    if not parts:
        columns = [f"{_null(field)} AS {quoted(field.name)}" for field in family.fields]
        if places:
            columns += [f"NULL::UBIGINT AS {quoted(HASH)}", f"NULL::VARCHAR AS {file}", f"NULL::BIGINT AS {row}"]
        parts.append(f"SELECT {', '.join(columns)} WHERE false")
    return " UNION ALL ".join(parts)


def rows_at(family: Family, holding: Holding, folder: Path, places: str, files: Collection[str]) -> str:
    """The rows of some event files that stand where a table of places says, in the form of `live` with places.

    Each file is read on its own: what the engine knows of its row numbers lets it pass over the rest of the file.
    """
    file, row = quoted(DEAD_FILE), quoted(DEAD_ROW)
    parts = []
    for one in holding.of(Kind.EVENTS):
        if one.path not in files:
            continue
        columns = [_column(field, set(holding.schemas[one.schema].names)) for field in family.fields]
        columns += [quoted(HASH), f"{text(one.path)} AS {file}", f"file_row_number AS {row}"]
        numbers = f"SELECT {row} FROM {places} WHERE {file} = {text(one.path)}"
        source = files_in(folder, [one], ", file_row_number = true")
        parts.append(f"SELECT {', '.join(columns)} FROM {source} WHERE file_row_number IN ({numbers})")
    return " UNION ALL ".join(parts) or live(family, replace(holding, files=()), folder, places=True)


def rejects(family: Family, holding: Holding, folder: Path) -> str:
    """The rejected rows that a store has of a family, each with the reason."""
    parts = []
    for number, schema in enumerate(holding.schemas):
        there = set(schema.names)
        columns = [_column(field, there) for field in family.fields]
        columns += [quoted(REJECT_REASON), quoted(ROW)]
        files = [one for one in holding.of(Kind.REJECTS) if one.schema == number]
        if files:
            parts.append(f"SELECT {', '.join(columns)} FROM {files_in(folder, files)}")
    if not parts:
        columns = [f"{_null(field)} AS {quoted(field.name)}" for field in family.fields]
        columns += [f"NULL::VARCHAR AS {quoted(REJECT_REASON)}", f"NULL::VARCHAR AS {quoted(ROW)}"]
        parts.append(f"SELECT {', '.join(columns)} WHERE false")
    return " UNION ALL ".join(parts)


def _null(field: Field) -> str:
    """Nothing, of the type that the field has once it is read."""
    kinds = {
        FieldType.STRING: "VARCHAR",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: f"DECIMAL({field.precision}, {field.scale})",
        FieldType.FLOAT: f"DECIMAL(18, {field.scale})",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMPTZ",
    }
    return f"NULL::{kinds[field.type]}"
