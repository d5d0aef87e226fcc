"""How a field is read: from text, from JSON, from a typed column; its value, or the reason that its row is rejected.

Reading takes two steps, so that nothing is looked at twice: `value` is what a text holds if it is well written, a
column of its own; a `Reading` then judges that column, and asks the text again only where it holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DuckDB
from meterspec.backends.sql.families import Reading, float_reading, missing, not_a
from meterspec.diagnostics import Failure, Rule
from meterspec.ir import Field, FieldType

__all__ = ["FIRST_INSTANT", "LAST_INSTANT", "of_column", "of_json", "of_text", "value"]

COLUMN_TYPE = Rule(
    code="MS705",
    slug="column-type",
    title="A column whose type cannot hold its field",
    message="column `{field}` of `{path}` is {found}; the field is {wanted}",
    why="A column of another type would have to be converted, and a conversion can change numbers.",
)

Fault = tuple[exp.Expr, str]

_DUCKDB = DuckDB()
_BIGINT, _DOUBLE = b.data_type("BIGINT"), b.data_type("DOUBLE")

# Text -----------------------------------------------------------------------------------------------------------

_PLAIN = r"-?[0-9]+(\.[0-9]+)?"
_WHOLE = r"-?[0-9]+(\.0+)?"
_CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
"""A date and a time of day, as RFC 3339 and ISO 8601 write them."""
_OFFSET = r"[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?"
FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in UTC, in microseconds since 1970: what instants of the expression language reach."""


def value(field: Field, text: exp.Expr) -> exp.Expr:
    """What a text holds as a value of the field; null where it is not well written, or holds too much.

    Instants may still be of any year, and floats are whole numbers of 10^-scale.
    """
    match field.type:
        case FieldType.STRING:
            return text
        case FieldType.BOOLEAN:
            words = [(b.binary(exp.EQ, text.copy(), b.text(word)), word == "true") for word in ("true", "false")]
            return b.case((condition, exp.Boolean(this=holds)) for condition, holds in words)
        case FieldType.INTEGER:
            without_zeros = b.call("REGEXP_REPLACE", text.copy(), b.text(r"\.0+$"), b.text(""))
            return b.case(
                [
                    (_matches(text, "-?[0-9]{1,18}"), exp.TryCast(this=text.copy(), to=_BIGINT)),
                    (_matches(text, _WHOLE), exp.TryCast(this=without_zeros, to=_BIGINT)),
                ]
            )
        case FieldType.DECIMAL:
            return _decimal(field, text)
        case FieldType.FLOAT:
            read, _ = _DUCKDB.reads_double(exp.TryCast(this=text.copy(), to=_DOUBLE), field.scale)
            return b.case([(_matches(text, _PLAIN), read)])
        case FieldType.TIMESTAMP:
            upper = b.call("UPPER", text.copy())
            clock = exp.TryCast(this=upper, to=b.data_type("TIMESTAMP"))
            utc = exp.AtTimeZone(this=clock, zone=b.text("UTC"))
            instant = exp.TryCast(this=upper.copy(), to=b.data_type("TIMESTAMPTZ"))
            return b.case([(_matches(text, f"{_CLOCK}[Zz]?"), utc), (_matches(text, _CLOCK + _OFFSET), instant)])
        case _:
            assert_never(field.type)


def _decimal(field: Field, text: exp.Expr) -> exp.Expr:
    """A decimal, digit by digit: the engine alone would round what has too many."""
    kind = b.data_type(f"DECIMAL({field.precision}, {field.scale})")
    before = rf"[0-9]{{1,{field.precision - field.scale}}}" if field.precision > field.scale else "0"
    after = rf"(\.[0-9]{{1,{field.scale}}})?" if field.scale else ""
    kept = rf"^-?[0-9]+{after}"
    cut = exp.TryCast(this=b.call("REGEXP_EXTRACT", text.copy(), b.text(kept)), to=kind)
    exact = b.all_of([_matches(text, _PLAIN), b.not_(_matches(text, _finer(field)))])
    return b.case([(_matches(text, f"-?{before}{after}"), exp.TryCast(this=text.copy(), to=kind)), (exact, cut)])


def _finer(field: Field) -> str:
    """Texts with a digit that the scale of the field does not hold; zeros are none."""
    return rf".*\.[0-9]{{{field.scale}}}[0-9]*[1-9]0*"


def of_text(field: Field, text: exp.Expr, read: exp.Expr, faults: Sequence[Fault] = ()) -> Reading:
    """Reads a field from a text and `read`, what `value` made of it.

    `faults` come after a missing value and before what the text itself breaks.
    """
    before = (*missing(field, text.copy()), *faults)
    unread = b.all_of([b.is_null(read.copy()), b.not_null(text.copy())])

    def where(condition: exp.Expr) -> exp.Expr:
        return b.all_of([unread.copy(), condition])

    not_plain = where(b.not_(_matches(text, _PLAIN))), not_a(field)
    beyond = unread, f"{field.name} out of range"
    match field.type:
        case FieldType.STRING:
            return Reading(field, read, before)
        case FieldType.BOOLEAN:
            return Reading(field, read, (*before, (unread, not_a(field))))
        case FieldType.INTEGER:
            other = where(b.not_(_matches(text, _WHOLE))), not_a(field)
            return Reading(field, read, (*before, other, beyond))
        case FieldType.DECIMAL:
            large = where(_matches(text, rf"-?0*[1-9][0-9]{{{field.precision - field.scale},}}(\.[0-9]+)?"))
            finer = unread, f"{field.name} has more than {field.scale} decimals"
            return Reading(field, read, (*before, not_plain, (large, beyond[1]), finer))
        case FieldType.FLOAT:
            return Reading(field, read, (*before, not_plain, beyond))
        case FieldType.TIMESTAMP:
            micros = b.call("EPOCH_US", read)
            held = exp.Between(this=micros, low=b.number(FIRST_INSTANT), high=b.number(LAST_INSTANT))
            outside = b.not_(b.call("COALESCE", held, exp.false()))
            known = b.all_of([b.not_null(text.copy()), outside])
            return Reading(field, b.case([(held.copy(), read.copy())]), (*before, (known, not_a(field))))
        case _:
            assert_never(field.type)


def _matches(text: exp.Expr, pattern: str) -> exp.Expr:
    return b.call("REGEXP_FULL_MATCH", text.copy(), b.text(pattern))


# JSON -----------------------------------------------------------------------------------------------------------

_JSON_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
"""What the engine calls the type of a JSON number."""


def of_json(field: Field, text: exp.Expr, kind: exp.Expr, read: exp.Expr) -> Reading:
    """Reads a field from a JSON value: its text, what the engine calls its type, and what `value` made of the text."""
    kinds = {FieldType.STRING: ["VARCHAR"], FieldType.TIMESTAMP: ["VARCHAR"], FieldType.BOOLEAN: ["BOOLEAN"]}
    allowed = [*kinds.get(field.type, ["VARCHAR", *_JSON_NUMBERS]), "NULL"]
    other = b.not_(exp.In(this=kind, expressions=[b.text(name) for name in allowed]))
    return of_text(field, text, read, [(other, not_a(field))])


# Typed columns --------------------------------------------------------------------------------------------------


def of_column(field: Field, kind: str | None, path: Path) -> Reading:
    """Reads a field from the column of its name, of the engine's type `kind`; None is a column that is not there.

    A column of texts is for `of_text`. Raises `Failure` with MS705 for a type that cannot hold the field.
    """
    if kind is None:
        return Reading(field, _nothing(field), ())
    column = b.column(field.name)
    faults = missing(field, column)
    unread = b.not_null(column.copy())
    match field.type, (sort := _sort_of(kind)):
        case FieldType.STRING, "name":
            return Reading(field, b.cast(column, "VARCHAR"), tuple(faults))
        case FieldType.BOOLEAN, "boolean":
            return Reading(field, column, tuple(faults))
        case FieldType.TIMESTAMP, "instant" | "clock":
            utc = exp.AtTimeZone(this=b.cast(column, "TIMESTAMP"), zone=b.text("UTC"))
            instant = column if sort == "instant" else utc
            micros = b.call("EPOCH_US", instant.copy())
            held = exp.Between(this=micros, low=b.number(FIRST_INSTANT), high=b.number(LAST_INSTANT))
            outside = b.all_of([unread, b.not_(held)])
            return Reading(field, instant, (*faults, (outside, not_a(field))))
        case FieldType.INTEGER, "integer":
            whole: exp.Expr = exp.TryCast(this=column, to=_BIGINT)
            beyond = b.all_of([unread, b.is_null(whole.copy())])
            return Reading(field, whole, (*faults, (beyond, f"{field.name} out of range")))
        case FieldType.DECIMAL, "integer" | "decimal":
            number = exp.TryCast(this=column, to=b.data_type(f"DECIMAL({field.precision}, {field.scale})"))
            beyond = b.all_of([unread, b.is_null(number.copy())])
            finer = b.binary(exp.NEQ, column.copy(), number.copy())
            too_fine = f"{field.name} has more than {field.scale} decimals"
            return Reading(field, number, (*faults, (beyond, f"{field.name} out of range"), (finer, too_fine)))
        case FieldType.FLOAT, "integer" | "decimal" | "double":
            double, float_faults = float_reading(field, b.cast(column, "DOUBLE"), _DUCKDB)
            return Reading(field, double, (*faults, *float_faults))
    hint = None
    if field.type is FieldType.DECIMAL and sort == "double":
        hint = 'doubles are not exact: declare it with `type = "float"`, or write decimals into the file'
    wanted = not_a(field).removeprefix(f"{field.name} is not ")
    raise Failure(COLUMN_TYPE, field=field.name, path=path, found=kind, wanted=wanted, hint=hint)


def _nothing(field: Field) -> exp.Expr:
    """Null of the type that a reading of the field has."""
    return b.cast(exp.Null(), "BIGINT" if field.type is FieldType.FLOAT else _DUCKDB.column_type(field))


_SORTS = {
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


def _sort_of(kind: str) -> str:
    """What sort of values an engine's type holds."""
    name = kind.partition("(")[0]
    return "integer" if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", name) else _SORTS.get(name, name)
