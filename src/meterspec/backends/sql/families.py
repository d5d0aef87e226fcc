"""Families as views: rows checked against the schema, rows rejected with the reason, events without repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import Dialect
from meterspec.ir import Family, Field, FieldType

__all__ = [
    "REJECT_REASON",
    "Reading",
    "checked",
    "events_views",
    "family_views",
    "float_reading",
    "missing",
    "not_a",
]

REJECT_REASON = "meterspec_reject_reason"
"""The column of a checked row that says why it is rejected, null where it is not."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one field is read from a source of rows.

    `value` is the typed value, or null where there is none; floats are still whole numbers of 10^-scale. Each fault
    is a condition and the reason that a row is rejected for where it holds; the first that holds counts.
    """

    field: Field
    value: exp.Expr
    faults: tuple[tuple[exp.Expr, str], ...]


def family_views(family: Family, dialect: Dialect) -> Iterator[View]:
    """The views of a family: rows checked, rows rejected, events."""
    readings = [_typed_reading(field, dialect) for field in family.fields]
    rows = exp.select().from_(b.table(family.raw))
    yield View(family.checked, checked(readings, rows, dialect), f"Every row of `{family.name}`, typed.")
    yield from events_views(family, dialect)


def events_views(family: Family, dialect: Dialect) -> Iterator[View]:
    """The views on a family's checked rows: those rejected, and the events."""
    source = b.table(family.checked)
    rejected = exp.select(exp.Star()).from_(source).where(b.not_null(b.column(REJECT_REASON)))
    yield View(family.rejects, rejected, f"The rows of `{family.name}` that break its schema, each with the reason.")
    yield View(family.sql_name, _events(family, dialect), f"The events of `{family.name}`, each id once.")


def checked(
    readings: Sequence[Reading],
    rows: exp.Select,
    dialect: Dialect,
    extra: tuple[str, ...] = (),
    row_faults: Sequence[tuple[exp.Expr, str]] = (),
) -> exp.Select:
    """Rows as typed fields and the reason they are rejected for, if any.

    `extra` columns are passed on; `row_faults` are those of a row as a whole, and come before those of its fields.
    """
    columns = [b.named(_reason(row_faults), _fault("row"))] if row_faults else []
    reasons = [b.column(_fault("row"))] if row_faults else []
    for reading in readings:
        name = reading.field.name
        columns.append(b.named(reading.value, name))
        if reading.faults:
            columns.append(b.named(_reason(reading.faults), _fault(name)))
            reasons.append(b.column(_fault(name)))
        bounds = _bound_faults(reading.field, dialect)
        if bounds:
            reasons.append(_reason(bounds))
    kept = [b.column(name) for name in extra]
    inner = rows.select(*columns, *kept, copy=False)
    typed = [b.named(_shown(reading.field, dialect), reading.field.name) for reading in readings]
    verdict = b.call("COALESCE", *reasons) if len(reasons) > 1 else reasons[0]
    outer = exp.select(*typed, b.named(verdict, REJECT_REASON), *(node.copy() for node in kept))
    return outer.from_(inner.subquery("readings"))


def _fault(name: str) -> str:
    """The column of a reading's fault: no field can have a name with a space."""
    return f"{name} fault"


def _reason(faults: Sequence[tuple[exp.Expr, str]]) -> exp.Expr:
    """The reason of the first fault that holds, null where none does."""
    return b.case((condition, b.text(words)) for condition, words in faults)


def missing(field: Field, node: exp.Expr) -> list[tuple[exp.Expr, str]]:
    """The fault of a required field that has no value."""
    return [(b.is_null(node), f"missing {field.name}")] if field.required else []


_ARTICLES = {FieldType.INTEGER: "an integer"}


def not_a(field: Field) -> str:
    """The reason for a value that is not of its field's type."""
    return f"{field.name} is not {_ARTICLES.get(field.type, f'a {field.type.value}')}"


def _typed_reading(field: Field, dialect: Dialect) -> Reading:
    """Reads a field from a raw table whose columns have the types of `inputs.sql`."""
    node = b.column(field.name)
    faults = missing(field, node)
    wrong = dialect.wrong_type(field, node)
    if wrong is not None:
        faults.append((wrong, not_a(field)))
    if field.type is FieldType.DECIMAL and not dialect.has_decimals:
        value, not_plain, beyond, finer = dialect.reads_decimal(node, field.precision, field.scale)
        digits = [(not_plain, not_a(field)), (beyond, f"{field.name} out of range")]
        return Reading(field, value, (*faults, *digits, (finer, f"{field.name} has more than {field.scale} decimals")))
    if field.type is FieldType.FLOAT:
        value, float_faults = float_reading(field, node, dialect)
        return Reading(field, value, (*faults, *float_faults))
    return Reading(field, node, tuple(faults))


def float_reading(field: Field, node: exp.Expr, dialect: Dialect) -> tuple[exp.Expr, list[tuple[exp.Expr, str]]]:
    """The whole number of 10^-scale that a double is read as, and the faults of one that cannot be."""
    value, beyond = dialect.reads_double(node.copy(), field.scale)
    faults = [
        (b.not_(dialect.is_number(node.copy())), not_a(field)),
        (beyond, f"{field.name} out of range"),
    ]
    return value, faults


def _bound_faults(field: Field, dialect: Dialect) -> list[tuple[exp.Expr, str]]:
    """The faults of a value that is read, and breaks a bound of its field."""
    faults: list[tuple[exp.Expr, str]] = []
    node = b.column(field.name)
    for bound, kind, word, up in ((field.minimum, exp.LT, "below", True), (field.maximum, exp.GT, "above", False)):
        if bound is None:
            continue
        step = Fraction(bound) * 10**field.scale
        whole = ceil(step) if up else floor(step)
        limit = dialect.constant(whole)
        if field.type is FieldType.DECIMAL and dialect.has_decimals:
            decimal = dialect.decimal_type(field.precision, field.scale)
            limit = b.cast(b.text(f"{Decimal(f'{whole}E-{field.scale}'):f}"), decimal)
        faults.append((b.binary(kind, node.copy(), limit), f"{field.name} {word} {bound:f}"))
    if field.values is not None:
        among = exp.In(this=node.copy(), expressions=[b.text(value) for value in field.values])
        faults.append((b.not_(among), f"{field.name} not one of its values"))
    return faults


def _shown(field: Field, dialect: Dialect) -> exp.Expr:
    """A read value as people see it: a float is a decimal from here on, and decimals may be texts."""
    node = b.column(field.name)
    if field.type is FieldType.FLOAT:
        return dialect.decimal(node, field.scale, precision=18)
    if field.type is FieldType.DECIMAL and not dialect.has_decimals:
        return dialect.decimal(node, field.scale, precision=field.precision)
    return node


def _events(family: Family, dialect: Dialect) -> exp.Select:
    """The accepted rows, each id once: the winner of a conflict is the earliest, then the smallest."""
    content = [field.name for field in family.fields if field.name not in {family.event_id, family.ingest_time}]
    first = [family.ingest_time] if family.ingest_time else []
    first.append(family.event_time)
    order = [*first, *(name for name in content if name not in first)]
    rows = (
        exp.select(*(b.column(field.name) for field in family.fields))
        .from_(b.table(family.checked))
        .where(b.is_null(b.column(REJECT_REASON)))
    )
    keys = [_ordered(family.field(name), dialect) for name in order]
    return dialect.keep_first(rows, [field.name for field in family.fields], family.event_id, keys)


def _ordered(field: Field, dialect: Dialect) -> exp.Expr:
    node = b.column(field.name)
    if field.type in {FieldType.DECIMAL, FieldType.FLOAT} and not dialect.has_decimals:
        return dialect.unscaled(node, field.precision or 18, field.scale)
    return dialect.by_code_point(node) if field.type is FieldType.STRING else node
