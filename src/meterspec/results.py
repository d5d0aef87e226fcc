"""Results as tables for other programs: CSV, and Parquet with a type for every column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from meterspec.diagnostics import Failure, Rule
from meterspec.events import engine
from meterspec.ir import Field, FieldType, Meter, Program, Scalar
from meterspec.render import instant, plain, short
from meterspec.run import Result

__all__ = ["as_csv", "as_parquet"]

TOO_LARGE = Rule(
    code="MS712",
    slug="too-large-for-a-column",
    title="A quantity with more digits than a column of Parquet has",
    message="{quantity} of meter `{meter}` does not fit the column `quantity`, which has {scale} decimals",
    why="A column has one type for all meters: 38 digits, as many of them decimals as the finest meter has.",
)

_BEFORE, _AFTER = ("meter", "window_start", "window_end"), ("quantity", "unit", "events")


def as_csv(program: Program, results: Sequence[Result]) -> str:
    """Results as CSV: a missing value is nothing between two commas, an empty text is a pair of quotes."""
    meters = _meters(program, results)
    header = [*_BEFORE, *_dimensions(program, meters).values(), *_AFTER]
    rows: Iterator[Sequence[Scalar]] = chain([header], _rows(_dimensions(program, meters), results))
    return "".join(",".join(_cell(value) for value in row) + "\n" for row in rows)


def as_parquet(program: Program, results: Sequence[Result]) -> bytes:
    """Results as a Parquet file; raises `Failure` with MS712 for a quantity that no column for all of them holds.

    `quantity` is a decimal with as many places as the finest meter has, a window's bounds are instants, and a dimension
    has the type of its field, or is text where meters disagree.
    """
    meters = _meters(program, results)
    scale = max((meter.precision for meter in meters), default=0)
    for result in results:
        if result.quantity is not None and result.quantity.adjusted() >= 38 - scale and result.quantity:
            hint = "compute it alone with `--meter`, or write `--format csv`"
            raise Failure(TOO_LARGE, hint=hint, meter=result.meter, quantity=plain(result.quantity), scale=scale)
    dimensions = _dimensions(program, meters)
    types = {name: "TIMESTAMPTZ" if name.startswith("window") else "VARCHAR" for name in _BEFORE}
    types |= {column: _type(program, meters, name) for name, column in dimensions.items()}
    types |= {"quantity": f"DECIMAL(38, {scale})", "unit": "VARCHAR", "events": "BIGINT"}
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    with TemporaryDirectory(prefix="meterspec-") as folder, engine(threads=1) as connection:
        text, file = Path(folder) / "results.csv", Path(folder) / "results.parquet"
        text.write_text(as_csv(program, results), encoding="utf-8")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(
            f"COPY (FROM read_csv($1, columns = {{{columns}}}, header = true, auto_detect = false, delim = ',', "
            "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, max_line_size = 100000000)) "
            "TO $2 (FORMAT parquet, COMPRESSION zstd)",
            [str(text), str(file)],
        )
        return file.read_bytes()


def _meters(program: Program, results: Sequence[Result]) -> list[Meter]:
    """The meters with results, in their order."""
    return [program.meter(name) for name in dict.fromkeys(result.meter for result in results)]


def _dimensions(program: Program, meters: Sequence[Meter]) -> dict[str, str]:
    """The dimensions of meters, in order, and the columns they are in: those with a name that is taken get a prefix."""
    names = dict.fromkeys(name for meter in meters for name in meter.group_by)
    return {name: f"group_{name}" if name in {*_BEFORE, *_AFTER} else name for name in names}


def _type(program: Program, meters: Sequence[Meter], name: str) -> str:
    """The type of a dimension's column."""
    kinds = {
        _type_of(field)
        for meter in meters
        if name in meter.group_by
        for family in program.families_of(meter)
        for field in family.fields
        if field.name == name
    }
    return kinds.pop() if len(kinds) == 1 else "VARCHAR"


def _type_of(field: Field) -> str:
    match field.type:
        case FieldType.INTEGER:
            return "BIGINT"
        case FieldType.BOOLEAN:
            return "BOOLEAN"
        case FieldType.DECIMAL:
            return f"DECIMAL({field.precision}, {field.scale})"
        case FieldType.FLOAT:
            return f"DECIMAL(18, {field.scale})"
        case _:
            return "VARCHAR"


def _rows(dimensions: dict[str, str], results: Sequence[Result]) -> Iterator[list[Scalar]]:
    for result in results:
        group = dict(result.group)
        values = (group.get(name) for name in dimensions)
        yield [
            *(result.meter, result.window_start, result.window_end),
            *values,
            *(None if result.quantity is None else short(result.quantity), result.unit, result.events),
        ]


def _cell(value: Scalar) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case datetime():
            return instant(value)
        case str() if value == "" or any(mark in value for mark in ',"\r\n') or value != value.strip():
            return '"' + value.replace('"', '""') + '"'
        case _:
            return str(value)
