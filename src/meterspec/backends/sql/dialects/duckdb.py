"""DuckDB 1.4 and later: HUGEINT keeps 38 digits, `//` divides whole numbers, TIMESTAMPTZ is an instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import STANDARD_FUNCTIONS, Dialect
from meterspec.ir import FieldType

__all__ = ["DuckDB"]


class DuckDB(Dialect):
    name = "duckdb"
    printer = "duckdb"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARG_MAX", "ARG_MIN", "CONTAINS", "ENDS_WITH", "EPOCH_US", "ISFINITE", "MAKE_TIMESTAMP", "MONTH"),
            *("RANGE", "REGEXP_MATCHES", "REPLACE", "ROW", "SHA256", "STARTS_WITH", "TRIM", "UNNEST", "YEAR"),
        }
    )
    broad = "HUGEINT"
    types: ClassVar = {
        FieldType.STRING: "VARCHAR",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: "DECIMAL",
        FieldType.FLOAT: "DOUBLE",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMPTZ",
    }
    longest_name = 1000

    def wide_constant(self, value: int) -> exp.Expr:
        return b.number(value)

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        return b.binary(exp.IntDiv, dividend, divisor)

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        if scale == 0:
            return b.cast(whole, f"DECIMAL({precision}, 0)")
        step = b.cast(b.text(f"0.{'1'.rjust(scale, '0')}"), f"DECIMAL({scale}, {scale})")
        product = b.multiply(b.cast(whole, f"DECIMAL({precision}, 0)"), step)
        return b.cast(product, f"DECIMAL({precision}, {scale})")

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        if scale == 0:
            return b.cast(node, "BIGINT" if precision <= 18 else "HUGEINT")
        if precision + scale <= 38:
            wide = b.multiply(b.cast(node, f"DECIMAL(38, {scale})"), b.number(10**scale))
            return b.cast(wide, "BIGINT" if precision <= 18 else "HUGEINT")
        # The product would need more than 38 digits; as text a decimal has all its digits and a point.
        digits = b.call("REPLACE", b.cast(node, "VARCHAR"), b.text("."), b.text(""))
        return b.cast(digits, "HUGEINT")

    def is_number(self, node: exp.Expr) -> exp.Expr:
        return b.call("ISFINITE", node)

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.call("EPOCH_US", node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return exp.AtTimeZone(this=b.call("MAKE_TIMESTAMP", micros), zone=b.text("UTC"))

    def month(self, micros: exp.Expr) -> exp.Expr | None:
        time = b.call("MAKE_TIMESTAMP", micros)
        year, month = b.call("YEAR", time), b.call("MONTH", time.copy())
        return b.binary(exp.Sub, b.add(b.multiply(b.number(12), year), month), b.number(1))

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("ARG_MAX", value, b.call("ROW", *keys))

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("ARG_MIN", value, b.call("ROW", *keys))

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        numbers = b.call("UNNEST", b.call("RANGE", low, b.add(high, b.number(1))))
        return rows.select(b.named(numbers, name), append=True, copy=False)

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("CONTAINS", node, part)

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTS_WITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDS_WITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        return b.call("REGEXP_MATCHES", node, b.text(pattern))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("TRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("SHA256", node)
