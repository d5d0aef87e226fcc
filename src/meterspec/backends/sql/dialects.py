"""What differs between engines, one class an engine: types, exact division, instants, texts.

Every method takes and gives sqlglot nodes. Instants inside expressions are whole microseconds since 1970-01-01 UTC,
so that comparing and adding them is the same whole-number arithmetic everywhere.
"""

from __future__ import annotations

from sqlglot import exp

from meterspec.backends.base import Feature
from meterspec.backends.sql import build as b
from meterspec.ir import CalendarUnit, Field, FieldType

__all__ = ["DIALECTS", "Dialect", "DuckDB"]

NARROW = 2**63 - 1
"""The greatest whole number of a 64-bit integer."""


class DuckDB:
    """DuckDB 1.4 and later: HUGEINT keeps 38 digits, `//` divides whole numbers, TIMESTAMPTZ is an instant."""

    name = "duckdb"
    supports = frozenset(Feature) - {
        Feature.TIME_WEIGHTED,
        Feature.RATIO,
        Feature.TIME_ZONE,
        Feature.ROLLING_SERIES,
        Feature.LOCAL_TIME,
    }

    def column_type(self, field: Field) -> str:
        """The type of a field's column in the raw table."""
        if field.type is FieldType.DECIMAL:
            return f"DECIMAL({field.precision}, {field.scale})"
        return self.column_type_of(field.type)

    def column_type_of(self, kind: FieldType) -> str:
        """The type of a column of that kind; decimals have their own."""
        return {
            FieldType.STRING: "VARCHAR",
            FieldType.INTEGER: "BIGINT",
            FieldType.FLOAT: "DOUBLE",
            FieldType.BOOLEAN: "BOOLEAN",
            FieldType.TIMESTAMP: "TIMESTAMPTZ",
        }[kind]

    def integer(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        """A whole number in the narrowest type that holds numbers of that magnitude."""
        return b.cast(node, "BIGINT" if magnitude <= NARROW else "HUGEINT")

    def wide(self, node: exp.Expr) -> exp.Expr:
        """A whole number in the widest type: 38 digits."""
        return b.cast(node, "HUGEINT")

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """Whole-number division of numbers that are not negative; null where the divisor is zero."""
        return b.binary(exp.IntDiv, dividend, divisor)

    def remainder(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """What whole-number division leaves, for numbers that are not negative."""
        return b.binary(exp.Mod, dividend, divisor)

    def floor_remainder(self, node: exp.Expr, length: int) -> exp.Expr:
        """What flooring division by a positive constant leaves: never negative, also before 1970."""
        rest = b.binary(exp.Mod, node, b.number(length))
        return self.remainder(b.add(rest, b.number(length)), b.number(length))

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        """A whole number times 10^-scale, as a decimal of that many digits."""
        if scale == 0:
            return b.cast(whole, f"DECIMAL({precision}, 0)")
        step = b.cast(b.text(f"0.{'1'.rjust(scale, '0')}"), f"DECIMAL({scale}, {scale})")
        product = b.multiply(b.cast(whole, f"DECIMAL({precision}, 0)"), step)
        return b.cast(product, f"DECIMAL({precision}, {scale})")

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        """A decimal column times 10^scale, as a whole number: exact, also at 38 digits."""
        if scale == 0:
            return b.cast(node, "BIGINT" if precision <= 18 else "HUGEINT")
        if precision + scale <= 38:
            wide = b.multiply(b.cast(node, f"DECIMAL(38, {scale})"), b.number(10**scale))
            return b.cast(wide, "BIGINT" if precision <= 18 else "HUGEINT")
        whole = b.cast(b.call("TRUNC", node), "HUGEINT")
        rest = b.binary(exp.Sub, node.copy(), b.call("TRUNC", node.copy()))
        step = b.cast(b.multiply(b.cast(rest, f"DECIMAL({scale + 1}, {scale})"), b.number(10**scale)), "HUGEINT")
        return b.add(b.multiply(whole, b.number(10**scale)), step)

    def reads_double(self, node: exp.Expr, scale: int) -> tuple[exp.Expr, exp.Expr]:
        """floor(x * 10^scale + 0.5) in IEEE double arithmetic as a whole number, and whether it is out of range.

        A number is out of range from |x| * 10^scale = 2^53 on; the whole number is null there, as it is for NaN.
        """
        product = b.multiply(node, b.cast(b.text(f"1e{scale}"), "DOUBLE"))
        size, limit = b.call("ABS", product), b.number(2**53)
        rounded = b.call("FLOOR", b.add(product.copy(), b.cast(b.text("0.5"), "DOUBLE")))
        value = b.case([(b.binary(exp.LT, size, limit), b.cast(rounded, "BIGINT"))])
        return value, b.binary(exp.GTE, size.copy(), limit.copy())

    def is_number(self, node: exp.Expr) -> exp.Expr:
        """Whether a double is neither infinite nor NaN."""
        return b.call("ISFINITE", node)

    def micros(self, node: exp.Expr) -> exp.Expr:
        """An instant as microseconds since 1970-01-01 UTC."""
        return b.call("EPOCH_US", node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        """Microseconds since 1970-01-01 UTC as an instant."""
        return self.as_instant(b.call("MAKE_TIMESTAMP", micros))

    def as_instant(self, clock: exp.Expr) -> exp.Expr:
        """A date and time in UTC as an instant."""
        return exp.AtTimeZone(this=b.wrapped(clock), zone=b.text("UTC"))

    def as_clock(self, micros: exp.Expr) -> exp.Expr:
        """Microseconds since 1970-01-01 UTC as a date and time in UTC."""
        return b.call("MAKE_TIMESTAMP", micros)

    def truncate(self, unit: CalendarUnit, clock: exp.Expr) -> exp.Expr:
        """The start of the calendar unit that a date and time is in; weeks start on Monday."""
        return b.call("DATE_TRUNC", b.text(unit.value), clock)

    def later(self, clock: exp.Expr, unit: CalendarUnit, times: int = 1) -> exp.Expr:
        """A date and time some calendar units later, clamped to the month's end."""
        if unit is CalendarUnit.QUARTER:
            unit, times = CalendarUnit.MONTH, 3 * times
        interval = exp.Interval(this=b.text(str(times)), unit=exp.Var(this=unit.value.upper()))
        return b.add(clock, interval)

    def last(self, value: exp.Expr, keys: list[exp.Expr]) -> exp.Expr:
        """The value of the row whose keys are greatest."""
        return b.call("ARG_MAX", value, b.call("ROW", *keys))

    def first(self, value: exp.Expr, keys: list[exp.Expr]) -> exp.Expr:
        """The value of the row whose keys are least."""
        return b.call("ARG_MIN", value, b.call("ROW", *keys))

    def least(self, nodes: list[exp.Expr]) -> exp.Expr:
        return b.call("LEAST", *nodes)

    def greatest(self, nodes: list[exp.Expr]) -> exp.Expr:
        return b.call("GREATEST", *nodes)

    def size(self, node: exp.Expr) -> exp.Expr:
        """The number of code points of a text."""
        return b.call("LENGTH", node)

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("CONTAINS", node, part)

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTS_WITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDS_WITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        """Whether an RE2 pattern is found anywhere in a text."""
        return b.call("REGEXP_MATCHES", node, b.text(pattern))

    def translate(self, node: exp.Expr, old: str, new: str) -> exp.Expr:
        """Each character of `old` replaced by the one at its place in `new`."""
        return b.call("TRANSLATE", node, b.text(old), b.text(new))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("TRIM", node, b.text(characters))

    def to_text(self, node: exp.Expr) -> exp.Expr:
        """A whole number as text."""
        return b.cast(node, "VARCHAR")

    def part(self, name: str, clock: exp.Expr) -> exp.Expr:
        """A part of a date and time: year, month, day, doy (from 1) or dow (0 is Sunday)."""
        return b.call("DATE_PART", b.text(name), clock)

    def keep_first(self, select: exp.Select, partition: list[exp.Expr], order: list[exp.Expr]) -> exp.Select:
        """The rows that come first in their partition; nulls come last."""
        rank = exp.Window(
            this=exp.RowNumber(),
            partition_by=partition,
            order=exp.Order(expressions=[exp.Ordered(this=node, nulls_first=False) for node in order]),
        )
        return select.qualify(exp.EQ(this=rank, expression=b.number(1)))


Dialect = DuckDB
"""What the rest of the backend is written against; a second engine makes this a protocol of the two."""

DIALECTS: dict[str, Dialect] = {"duckdb": DuckDB()}
