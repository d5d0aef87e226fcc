"""Event files: Parquet, JSON lines and CSV read into the checked rows of a family, every value exactly as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DuckDB
from meterspec.backends.sql.families import Reading, checked, float_reading, missing, not_a
from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.ir import Family, Field, FieldType, Program

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["EventFiles", "Ignored", "find", "load"]

NO_FILE = Rule(
    code="MS700",
    slug="no-event-file",
    title="A path of events that names no file",
    message="there is no event file `{path}`",
    why="A mistyped path must not read as a period without usage.",
)
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
WHICH_FAMILY = Rule(
    code="MS703",
    slug="which-family",
    title="Events without a family, where the spec declares several",
    message="`{path}` could be events of any of {families}",
    why="With one family a path says enough; with several each file has to name the one its rows are of.",
)
NO_SUCH_FAMILY = Rule(
    code="MS704",
    slug="no-such-family",
    title="Events of a family that the spec does not declare",
    message="the spec declares no family `{family}`",
    why="Events are read by the schema of their family.",
)
COLUMN_TYPE = Rule(
    code="MS705",
    slug="column-type",
    title="A column whose type cannot hold its field",
    message="column `{field}` of `{path}` is {found}; the field is {wanted}",
    why="A column of another type would have to be converted, and a conversion can change numbers.",
)
UNKNOWN_FORMAT = Rule(
    code="MS706",
    slug="unknown-event-format",
    title="An event file whose name does not say what it is",
    message="`{path}` is not a known kind of event file",
    why="The ending of the name says how the file is read; guessing from its content would sometimes be wrong.",
)

_FORMATS = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv"}
_PACKED = {".gz", ".zst"}


@dataclass(frozen=True, slots=True)
class EventFiles:
    """Files with the events of one family."""

    family: Family
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """The keys of event files that their family does not declare."""

    family: str
    keys: tuple[str, ...]


def find(program: Program, arguments: Sequence[str]) -> list[EventFiles]:
    """The files that `--events` arguments name: `PATH` or `FAMILY=PATH`, where a path may be a pattern.

    Raises `Failure` with MS700, MS703, MS704 or MS706.
    """
    found: dict[str, list[Path]] = {}
    names = [family.name for family in program.families]
    for argument in arguments:
        name, _, path = argument.partition("=")
        if not path or (name not in names and Path(argument).exists()):
            name, path = "", argument
        elif name not in names:
            raise Failure(NO_SUCH_FAMILY, hint=did_you_mean(name, names) or _listed(names), family=name)
        if not name and len(names) != 1:
            raise Failure(WHICH_FAMILY, hint=f"write `{names[0]}={path}`", path=path, families=_listed(names))
        found.setdefault(name or names[0], []).extend(_expand(path))
    return [EventFiles(program.family(name), tuple(dict.fromkeys(paths))) for name, paths in found.items()]


def load(connection: DuckDBPyConnection, events: EventFiles) -> Ignored:
    """Fills the table of the family's checked rows from its files; raises `Failure` with MS701, MS702 or MS705.

    The table has the columns of the family's `_checked` view, so the compiled views stand on it unchanged, and
    `meterspec_row`, the row as it was read.
    """
    selects: list[exp.Query] = []
    ignored: dict[str, None] = {}
    for number, path in enumerate(events.paths):
        try:
            if _format(path) == "json":
                select, keys = _json_rows(
                    connection, events.family, path, f"meterspec_lines_{events.family.sql_name}_{number}"
                )
            else:
                select, keys = _column_rows(connection, events.family, path)
            connection.execute(f"EXPLAIN {_sql(select)}")
        except _engine_errors() as error:
            raise Failure(UNREADABLE, path=path, reason=_reason(error)) from error
        selects.append(select)
        ignored.update(dict.fromkeys(keys))
    union: exp.Query = selects[0]
    for other in selects[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    create = exp.Create(this=b.table(events.family.checked), kind="TABLE", expression=union)
    try:
        connection.execute(_sql(create))
    except _engine_errors() as error:
        names = ", ".join(str(path) for path in events.paths)
        raise Failure(UNREADABLE, path=names, reason=_reason(error)) from error
    return Ignored(events.family.name, tuple(sorted(ignored)))


def _engine_errors() -> type[Exception]:
    from duckdb import Error  # noqa: PLC0415 - loaded by now, and not before it is needed

    return Error


def _sql(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")


def _reason(error: Exception) -> str:
    """The first line of what the engine says, without its own prefix."""
    first = str(error).strip().splitlines()[0]
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first).rstrip(".")


def _expand(path: str) -> list[Path]:
    """The files a path or pattern names, sorted."""
    found = [Path(path)] if Path(path).is_file() else sorted(Path(p) for p in glob(path, recursive=True))  # noqa: PTH207 - a pattern may be absolute
    files = [p for p in found if p.is_file()]
    if not files:
        hint = "it is a folder: write a pattern such as `events/*.parquet`" if Path(path).is_dir() else None
        raise Failure(NO_FILE, path=path, hint=hint)
    for file in files:
        _format(file)
    return files


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    kind = _FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        endings = ", ".join(_FORMATS)
        raise Failure(UNKNOWN_FORMAT, path=path, hint=f"name it with one of {endings}; .gz and .zst may follow")
    return kind


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# JSON lines -----------------------------------------------------------------------------------------------------

_LONG_NUMBER = r"[0-9.]{17}|[:,\[]\s*-?[0-9.]+[eE]|[:,\[]\s*-?0\.00000"
"""Lines that may hold a number a double does not give back as written: the engine's JSON reader goes through one."""


def _json_rows(connection: DuckDBPyConnection, family: Family, path: Path, lines: str) -> tuple[exp.Select, list[str]]:
    """The rows of a JSON lines file, and the keys in it that the family does not declare."""
    options = {
        "columns": exp.Struct(
            expressions=[exp.PropertyEQ(this=exp.to_identifier("line"), expression=b.text("VARCHAR"))]
        ),
        "delim": b.text("\x01"),
        "quote": b.text(""),
        "escape": b.text(""),
        "header": exp.false(),
        "auto_detect": exp.false(),
        "max_line_size": b.number(16 * 1024 * 1024),
    }
    source = exp.select(b.column("line")).from_(_read("read_csv", path, options))
    source = source.where(b.not_null(b.column("line")))
    connection.execute(_sql(exp.Create(this=b.table(lines), kind="TEMPORARY TABLE", expression=source)))
    _spell_out_numbers(connection, family, lines)
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    counted = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(line)) FROM {lines} WHERE {is_object}"  # noqa: S608 - our own name
    ).fetchall()
    keys = sorted(key for (key,) in counted)
    _same_family(family, keys, path)
    paths = exp.Array(expressions=[b.text(f'$."{field.name}"') for field in family.fields])
    line = b.column("line")
    whole = b.case(
        [(b.call("JSON_VALID", line), b.binary(exp.EQ, b.call("JSON_TYPE", line.copy()), b.text("OBJECT")))],
        exp.false(),
    )
    values = b.case([(whole, b.call("JSON_EXTRACT", line.copy(), paths))])
    rows = exp.select(
        b.named(line.copy(), ROW), b.named(whole.copy(), "meterspec_object"), b.named(values, "meterspec_values")
    )
    rows = rows.from_(b.table(lines))
    readings = [_json_reading(field, number) for number, field in enumerate(family.fields, start=1)]
    broken = [(b.not_(b.column("meterspec_object")), "not a JSON object")]
    select = checked(readings, exp.select().from_(rows.subquery(b.identifier("rows"))), DuckDB(), (ROW,), broken)
    return select, _undeclared(family, keys)


ROW = "meterspec_row"
"""The column that holds a row as it was read."""


def _json_reading(field: Field, number: int) -> Reading:
    """Reads a field from its JSON value, the one of that number in the list of values."""
    value = b.call("LIST_EXTRACT", b.column("meterspec_values"), b.number(number))
    kind = b.call("JSON_TYPE", value)
    text = b.call("JSON_EXTRACT_STRING", value.copy(), b.text("$"))
    kinds = {FieldType.STRING: ["VARCHAR"], FieldType.TIMESTAMP: ["VARCHAR"], FieldType.BOOLEAN: ["BOOLEAN"]}
    allowed = [*kinds.get(field.type, ["VARCHAR", *_JSON_NUMBERS]), "NULL"]
    other = b.not_(exp.In(this=kind, expressions=[b.text(name) for name in allowed]))
    is_number = exp.In(this=kind.copy(), expressions=[b.text(name) for name in _JSON_NUMBERS])
    return _text_reading(field, text, [(other, not_a(field))], is_number)


_JSON_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")


def _spell_out_numbers(connection: DuckDBPyConnection, family: Family, lines: str) -> None:
    """Rewrites long numbers of number fields as plain text in their lines, digit by digit."""
    numeric = {f.name for f in family.fields if f.type in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.FLOAT}}
    rows = connection.execute(
        f"SELECT rowid, line FROM {lines} WHERE regexp_matches(line, ?)",  # noqa: S608 - our own name
        [_LONG_NUMBER],
    ).fetchall()
    changed = [(rowid, new) for rowid, line in rows if (new := _spelled_out(line, numeric)) is not None]
    if changed:
        connection.executemany(f"UPDATE {lines} SET line = $2 WHERE rowid = $1", changed)  # noqa: S608


def _spelled_out(line: str, numeric: set[str]) -> str | None:
    """The line with the number fields as plain decimal text; None where it is no JSON object."""

    def first_wins(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(reversed(pairs))

    try:
        event = json.loads(line, parse_float=_Spelled, parse_int=_Spelled, object_pairs_hook=first_wins)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    for key, value in event.items():
        if isinstance(value, _Spelled) and key in numeric:
            event[key] = value.plain()
    return json.dumps(event, default=_Spelled.as_number, ensure_ascii=False)


class _Spelled:
    """A JSON number as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def plain(self) -> str:
        """Its digits without an exponent; a number beyond 60 digits either way stands for any such."""
        number = Decimal(self.text)
        sign = "-" if number.is_signed() else ""
        if number and number.adjusted() > 60:
            return f"{sign}1{'0' * 60}"
        if number and number.adjusted() < -60:
            return f"{sign}0.{'0' * 60}1"
        return f"{number:f}"

    @staticmethod
    def as_number(value: object) -> object:
        """Some number, for a field that is none: only its type matters there."""
        assert isinstance(value, _Spelled)
        return 0


# Columns --------------------------------------------------------------------------------------------------------


def _column_rows(connection: DuckDBPyConnection, family: Family, path: Path) -> tuple[exp.Select, list[str]]:
    """The rows of a file with columns, and the columns that the family does not declare."""
    if _format(path) == "parquet":
        source = _read("read_parquet", path, {})
    else:
        source = _read("read_csv", path, {"all_varchar": exp.true(), "header": exp.true(), "nullstr": b.text("")})
    described = connection.execute(f"DESCRIBE SELECT * FROM {_sql(source)}").fetchall()  # noqa: S608 - quoted
    columns = {str(row[0]): str(row[1]) for row in described}
    _same_family(family, list(columns), path)
    readings = [_column_reading(field, columns.get(field.name), path) for field in family.fields]
    whole = b.call("TO_JSON", b.column("rows"))
    named = exp.Table(this=source, alias=exp.TableAlias(this=b.identifier("rows")))
    rows = exp.select(exp.Star(), b.named(b.cast(whole, "VARCHAR"), ROW)).from_(named)
    select = checked(readings, exp.select().from_(rows.subquery(b.identifier("rows"))), DuckDB(), (ROW,))
    return select, _undeclared(family, columns)


def _column_reading(field: Field, kind: str | None, path: Path) -> Reading:
    """Reads a field from a column of the engine's type `kind`; None is a column that is not there."""
    if kind is None:
        return Reading(field, _nothing(field), ())
    column = b.column(field.name)
    if kind == "VARCHAR":
        return _text_reading(field, column)
    family_of_type = _kind_of(kind)
    faults = missing(field, column)
    unread = [b.not_null(column.copy())]
    match field.type, family_of_type:
        case FieldType.STRING, "name":
            return Reading(field, b.cast(column, "VARCHAR"), tuple(faults))
        case FieldType.BOOLEAN, "boolean":
            return Reading(field, column, tuple(faults))
        case FieldType.TIMESTAMP, "instant":
            return Reading(field, column, tuple(faults))
        case FieldType.TIMESTAMP, "clock":
            clock = exp.AtTimeZone(this=b.cast(column, "TIMESTAMP"), zone=b.text("UTC"))
            return Reading(field, clock, tuple(faults))
        case FieldType.INTEGER, "integer":
            value: exp.Expr = exp.TryCast(this=column, to=b.data_type("BIGINT"))
            beyond = b.all_of([*unread, b.is_null(value.copy())])
            return Reading(field, value, (*faults, (beyond, f"{field.name} out of range")))
        case FieldType.DECIMAL, "integer" | "decimal":
            value = exp.TryCast(this=column, to=b.data_type(f"DECIMAL({field.precision}, {field.scale})"))
            beyond = b.all_of([*unread, b.is_null(value.copy())])
            finer = b.binary(exp.NEQ, column.copy(), value.copy())
            reasons = ((beyond, f"{field.name} out of range"), (finer, _too_fine(field)))
            return Reading(field, value, (*faults, *reasons))
        case FieldType.FLOAT, "integer" | "decimal" | "double":
            value, float_faults = float_reading(field, b.cast(column, "DOUBLE"), DuckDB())
            return Reading(field, value, (*faults, *float_faults))
    hint = None
    if field.type is FieldType.DECIMAL and family_of_type == "double":
        hint = 'doubles are not exact: declare it with `type = "float"`, or write decimals into the file'
    wanted = f"{not_a(field).removeprefix(f'{field.name} is not ')}"
    raise Failure(COLUMN_TYPE, field=field.name, path=path, found=kind, wanted=wanted, hint=hint)


def _kind_of(kind: str) -> str:
    """What sort of values an engine's type holds."""
    name = kind.partition("(")[0]
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", name):
        return "integer"
    groups = {
        "UUID": "name",
        "ENUM": "name",
        "BOOLEAN": "boolean",
        "DECIMAL": "decimal",
        "FLOAT": "double",
        "DOUBLE": "double",
        "TIMESTAMP WITH TIME ZONE": "instant",
        "TIMESTAMP": "clock",
        "TIMESTAMP_S": "clock",
        "TIMESTAMP_MS": "clock",
        "TIMESTAMP_NS": "clock",
    }
    return groups.get(name, name)


# Text -----------------------------------------------------------------------------------------------------------

_INSTANT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
)
"""A date, a time of day and perhaps an offset, as RFC 3339 and ISO 8601 write them."""
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in UTC, in microseconds since 1970: what instants of the expression language reach."""

Fault = tuple[exp.Expr, str]


def _text_reading(
    field: Field, text: exp.Expr, faults: Sequence[Fault] = (), is_number: exp.Expr | None = None
) -> Reading:
    """Reads a field from text.

    `faults` come after a missing value and before what the text itself breaks; `is_number` holds where the text is
    that of a number rather than a text that reads like one: only a number may have an exponent.
    """
    before = (*missing(field, text.copy()), *faults)
    match field.type:
        case FieldType.STRING:
            return Reading(field, text, before)
        case FieldType.BOOLEAN:
            words = exp.In(this=text.copy(), expressions=[b.text("true"), b.text("false")])
            value: exp.Expr = b.case([(words, b.binary(exp.EQ, text.copy(), b.text("true")))])
            return Reading(field, value, (*before, (b.not_(words.copy()), not_a(field))))
        case FieldType.INTEGER:
            plain = _matches(text, r"-?[0-9]+(\.0+)?")
            whole = exp.TryCast(this=b.call("REGEXP_REPLACE", text.copy(), b.text(r"\.0+$"), b.text("")), to=_BIGINT)
            value = b.case([(plain, whole)])
            return Reading(field, value, (*before, (b.not_(plain.copy()), not_a(field)), _beyond(field, plain, value)))
        case FieldType.DECIMAL:
            plain = _matches(text, _PLAIN)
            kept = rf"^-?[0-9]+(\.[0-9]{{1,{field.scale}}})?" if field.scale else r"^-?[0-9]+"
            kind = b.data_type(f"DECIMAL({field.precision}, {field.scale})")
            cut = exp.TryCast(this=b.call("REGEXP_EXTRACT", text.copy(), b.text(kept)), to=kind)
            value = b.case([(plain, cut)])
            finer = (_matches(text, rf".*\.[0-9]{{{field.scale}}}[0-9]*[1-9]0*"), _too_fine(field))
            faults_of_text: tuple[Fault, ...] = (
                (b.not_(plain.copy()), not_a(field)),
                _beyond(field, plain, value),
                finer,
            )
            return Reading(field, value, (*before, *faults_of_text))
        case FieldType.FLOAT:
            plain = _matches(text, _PLAIN)
            known = plain if is_number is None else b.any_of([is_number, plain])
            double = b.case([(known, exp.TryCast(this=text.copy(), to=b.data_type("DOUBLE")))])
            value, beyond = DuckDB().reads_double(double, field.scale)
            faults_of_text = ((b.not_(known.copy()), not_a(field)), (beyond, f"{field.name} out of range"))
            return Reading(field, value, (*before, *faults_of_text))
        case FieldType.TIMESTAMP:
            return _instant_reading(field, text, before)
        case _:
            assert_never(field.type)


_PLAIN = r"-?[0-9]+(\.[0-9]+)?"
_BIGINT = b.data_type("BIGINT")


def _instant_reading(field: Field, text: exp.Expr, before: tuple[Fault, ...]) -> Reading:
    """Reads an instant to the microsecond: the clock as UTC, less its offset."""

    def part(pattern: str) -> exp.Expr:
        return b.call("REGEXP_EXTRACT", text.copy(), b.text(pattern), b.number(1))

    clock = exp.TryCast(
        this=b.call("REPLACE", b.call("UPPER", part(r"^(.{19}(\.[0-9]{1,6})?)")), b.text("T"), b.text(" ")),
        to=b.data_type("TIMESTAMP"),
    )
    sign = b.case(
        [(b.binary(exp.EQ, part(r"^.{19}.*([+-])[0-9]{2}:?([0-9]{2})?$"), b.text("-")), b.number(-1))], b.number(1)
    )
    hours, minutes = (
        b.call("COALESCE", exp.TryCast(this=part(pattern), to=_BIGINT), b.number(0))
        for pattern in (r"^.{19}.*[+-]([0-9]{2}):?(?:[0-9]{2})?$", r"^.{19}.*[+-][0-9]{2}:?([0-9]{2})$")
    )
    ahead = b.multiply(
        sign, b.add(b.multiply(hours, b.number(3_600_000_000)), b.multiply(minutes, b.number(60_000_000)))
    )
    micros = b.binary(exp.Sub, b.call("EPOCH_US", clock), ahead)
    held = b.all_of(
        [
            _matches(text, _INSTANT),
            b.binary(exp.GTE, micros, b.number(_FIRST_INSTANT)),
            b.binary(exp.LTE, micros.copy(), b.number(_LAST_INSTANT)),
        ]
    )
    value = b.case([(held, DuckDB().instant(micros.copy()))])
    unread = b.all_of([b.not_null(text.copy()), b.is_null(value.copy())])
    return Reading(field, value, (*before, (unread, not_a(field))))


def _beyond(field: Field, known: exp.Expr, value: exp.Expr) -> Fault:
    """The fault of a number that its type cannot hold."""
    return b.all_of([known.copy(), b.is_null(value.copy())]), f"{field.name} out of range"


def _matches(text: exp.Expr, pattern: str) -> exp.Expr:
    return b.call("REGEXP_FULL_MATCH", text.copy(), b.text(pattern))


def _too_fine(field: Field) -> str:
    return f"{field.name} has more than {field.scale} decimals"


def _nothing(field: Field) -> exp.Expr:
    """Null of the type that a reading of the field has."""
    if field.type is FieldType.FLOAT:
        return b.cast(exp.Null(), "BIGINT")
    return b.cast(exp.Null(), DuckDB().column_type(field))


def _read(function: str, path: Path, options: dict[str, exp.Expr]) -> exp.Expr:
    arguments = [
        b.text(str(path)),
        *(exp.EQ(this=exp.Var(this=name), expression=value) for name, value in options.items()),
    ]
    return b.call(function, *arguments)


def _same_family(family: Family, keys: list[str], path: Path) -> None:
    """Raises MS702 where a field that every event has is in no row; a file without rows is no evidence."""
    for field in family.fields if keys else ():
        if field.required and field.name not in keys:
            near = did_you_mean(field.name, [key for key in keys if key not in {f.name for f in family.fields}])
            hint = near or f"its keys are {_listed(sorted(keys)[:12])}"
            raise Failure(OTHER_FAMILY, path=path, family=family.name, field=field.name, hint=hint)


def _undeclared(family: Family, keys: Iterable[str]) -> list[str]:
    declared = {field.name for field in family.fields}
    return [key for key in keys if key not in declared]
