"""What the formats have in common: rows typed and judged, each with a place; files that are none of a family."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.families import REJECT_REASON
from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.events.engine import engine_errors, is_full, on_disk, quoted, reason_of, step
from meterspec.events.files import listed
from meterspec.ir import Family

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "OTHER_FAMILY",
    "PLACE",
    "ROW",
    "UNREADABLE",
    "Source",
    "add_broken",
    "create_rows",
    "of_table",
    "place",
    "same_family",
    "texts",
    "undeclared",
]

UNREADABLE = Rule(
    code="MS701",
    slug="unreadable-event-file",
    title="An event file that cannot be read",
    message="`{path}` cannot be read: {reason}",
    why="A file that is damaged, or not what its name says, has no events that can be trusted.",
)
OTHER_FAMILY = Rule(
    code="MS702",
    slug="events-of-another-family",
    title="An event file that lacks a field every event of the family has",
    message="`{path}` holds no events of family `{family}`: it has no `{field}`",
    why="Where a required field is in no row at all, the file is of another family, or a column was renamed; rejecting "
    "every row one by one would hide that.",
)

ROW = "meterspec_row"
"""The column that holds a rejected row as it was read; null for the others."""
PLACE = "meterspec_place"
"""The column that tells a row from all others of its family."""
_ROWS_OF_A_FILE = 2**40
"""More rows than a file has."""
_LONGEST = 16 * 2**20
"""The most bytes of a line."""
_LARGE = 32 * 2**20
"""Bytes of text from which on its rows are kept on disk."""


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of some files of a family."""

    rows: exp.Select
    """The fields of the family, why a row is rejected, `ROW` and `PLACE`."""
    ignored: tuple[str, ...]
    """The keys in them that the family does not declare."""


def place(number: int, file: exp.Expr, row: exp.Expr) -> exp.Expr:
    """The place of a row: by the number of the first file, which of the files it is in, and which of its rows it is."""
    return b.add(b.multiply(b.add(b.number(number), file), b.number(_ROWS_OF_A_FILE)), row)


def of_table(table: exp.Table, family: Family, number: int, file: str) -> exp.Select:
    """The rows of a table that `create_rows` made, each with its place; `file` is the column of which file it is in."""
    where = place(number, b.column(file), exp.column("rowid"))
    columns = [*(field.name for field in family.fields), REJECT_REASON, ROW]
    return exp.select(*map(b.column, columns), b.named(where, PLACE)).from_(table)


def same_family(family: Family, keys: Collection[str], path: Path) -> None:
    """Raises MS702 where a field that every event has is in no row; a file without rows is no evidence."""
    for field in family.fields if keys else ():
        if field.required and field.name not in keys:
            near = did_you_mean(field.name, undeclared(family, keys))
            hint = near or f"its keys are {listed(sorted(keys)[:12])}"
            raise Failure(OTHER_FAMILY, path=path, family=family.name, field=field.name, hint=hint)


def undeclared(family: Family, keys: Iterable[str]) -> tuple[str, ...]:
    declared = {field.name for field in family.fields}
    return tuple(sorted({key for key in keys if key not in declared}))


# Text files -----------------------------------------------------------------------------------------------------


def texts(paths: Sequence[Path], columns: Iterable[str], name: str | None, **options: str) -> str:
    """The rows of text files in SQL, every column as text.

    Lines that cannot be split are kept for `add_broken` by that name; without one they are errors of the engine.
    """
    given = {
        "columns": "{" + ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in columns) + "}",
        "auto_detect": "false",
        "header": "false",
        "max_line_size": str(_LONGEST),
        **options,
    }
    if name is not None:
        given |= {"store_rejects": "true", "rejects_table": quoted(_broken(name))}
        given["rejects_scan"] = quoted(f"{_broken(name)}_files")
    files = ", ".join(quoted(str(path)) for path in paths)
    return f"read_csv([{files}], {', '.join(f'{option} = {text}' for option, text in given.items())})"


def create_rows(connection: DuckDBPyConnection, paths: Sequence[Path], name: str, rows: exp.Select) -> exp.Table:
    """A table of rows, read from text files now; on disk where they are large. Raises `Failure` with MS701."""
    packed = {".gz", ".zst"}
    size = sum(path.stat().st_size * (8 if path.suffix.lower() in packed else 1) for path in paths)
    disk = on_disk(connection) if size > _LARGE else None
    table = b.table((disk, "main", f"meterspec_rows_{name}") if disk else f"meterspec_rows_{name}")
    create = exp.Create(this=table, kind="TABLE", expression=rows).sql(dialect="duckdb")
    words = f"reading {len(paths)} files" if len(paths) > 1 else f"reading {paths[0].name}"
    try:
        with step(connection, words):
            connection.execute(create)
    except engine_errors() as error:
        if is_full(error):
            raise
        raise Failure(UNREADABLE, path=", ".join(map(str, paths)), reason=reason_of(error)) from error
    return table.copy()


_BROKEN = {
    "INVALID ENCODING": "not UTF-8",
    "LINE SIZE OVER MAXIMUM": "longer than 16 MiB",
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
}
"""Why a line that cannot be split is rejected, by the engine's name for it."""


def add_broken(connection: DuckDBPyConnection, table: exp.Table, name: str, paths: Sequence[Path], file: str) -> None:
    """Adds the lines that could not be split to the rows as rejected ones.

    Raises `Failure` with MS701 for what would hide the lines after it, such as a quote that nothing closes.
    """
    errors = _broken(name)
    if not connection.execute("FROM duckdb_tables() WHERE table_name = ?", [errors]).fetchone():
        return
    kinds = "MAP {" + ", ".join(f"{quoted(kind)}: {quoted(words)}" for kind, words in _BROKEN.items()) + "}"
    files = "[" + ", ".join(quoted(str(path)) for path in paths) + "]"
    lines = f"""
        SELECT DISTINCT ON (file_path, byte_position) {kinds}[CAST(error_type AS VARCHAR)] AS reason,
            csv_line, list_position({files}, file_path) - 1 AS file, line, error_message
        FROM {errors} JOIN {errors}_files USING (scan_id, file_id)
        ORDER BY file_path, byte_position, reason NULLS FIRST"""
    fatal = connection.execute(
        f"SELECT file, line, error_message FROM ({lines}) WHERE reason IS NULL LIMIT 1"
    ).fetchone()
    if fatal is not None:
        reason = f"line {fatal[1]}: {str(fatal[2]).splitlines()[0].rstrip('.')}"
        raise Failure(UNREADABLE, path=paths[fatal[0]], reason=reason)
    connection.execute(
        f'INSERT INTO {table.sql(dialect="duckdb")} ("{file}", {REJECT_REASON}, {ROW})'
        f" SELECT file, reason, csv_line FROM ({lines})"
    )


def _broken(name: str) -> str:
    return f"meterspec_broken_{name}"
