"""ClickHouse 25.6 and later, the first with LEAD; the tests run 26.9. Int128 keeps 38 digits, `intDiv` divides them.

Whole numbers wrap around there, so sums are of Int128, whatever the bounds of a spec. Columns are Nullable, since
nothing else can be missing. Instants are DateTime64(6, 'UTC'), of 1900 to 2299 by ClickHouse's documentation; what it
makes of others where rows are inserted is its own affair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import STANDARD_FUNCTIONS, WIDE, Dialect
from meterspec.ir import Field, FieldType

__all__ = ["ClickHouse"]


class ClickHouse(Dialect):
    name = "clickhouse"
    printer = "clickhouse"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ACCURATECASTORNULL", "ARGMAX", "ARGMIN", "ARRAYJOIN", "ASSUMENOTNULL", "ENDSWITH"),
            *("FROMUNIXTIMESTAMP64MICRO", "HEX", "INTDIV", "ISFINITE", "LENGTHUTF8", "LOWER", "MATCH", "POSITION"),
            *("RANGE", "REPLACEREGEXPONE", "SHA256", "STARTSWITH", "TONULLABLE", "TOUNIXTIMESTAMP64MICRO", "TUPLE"),
            *("UNIQEXACT",),
        }
    )
    narrow = "Nullable(Int64)"
    broad = "Nullable(Int128)"
    types: ClassVar = {
        FieldType.STRING: "Nullable(String)",
        FieldType.INTEGER: "Nullable(Int64)",
        FieldType.DECIMAL: "Decimal",
        FieldType.FLOAT: "Nullable(Float64)",
        FieldType.BOOLEAN: "Nullable(Bool)",
        FieldType.TIMESTAMP: "Nullable(DateTime64(6, 'UTC'))",
    }
    table_options = "ENGINE = MergeTree\nORDER BY tuple()"
    longest_name = 200
    longest_statement = 262_144  # max_query_size, which may be set higher

    def column_type(self, field: Field) -> str:
        kind = super().column_type(field)
        return f"Nullable({kind})" if field.type is FieldType.DECIMAL else kind

    def decimal_type(self, precision: int, scale: int) -> str:
        return f"Decimal({precision}, {scale})"

    def adapted(self, query: exp.Query) -> exp.Query:
        """Columns with the name of their relation, and null where a LEFT JOIN finds no row.

        In `SELECT SUM(a) AS a, MAX(a) AS b FROM t` the second `a` is the sum, but `t.a` is always the column.
        """
        adapted = b.qualified(query)
        for join in adapted.find_all(exp.Join):
            if join.side == "LEFT":
                joined = join.this.this
                found = [b.named(b.call("toNullable", one.unalias()), one.alias_or_name) for one in joined.selects]
                joined.set("expressions", found)
        return adapted

    # Whole numbers ----------------------------------------------------------------------------------------------

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        return b.call("intDiv", dividend, divisor)

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=self.wide(node))

    def absolute(self, node: exp.Expr, magnitude: int = WIDE) -> exp.Expr:
        # The result of ABS has no sign, and no type holds both such a number and one with a sign.
        return self.integer(b.call("ABS", node), magnitude)

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        step = "1" if scale == 0 else f"0.{'1'.rjust(scale, '0')}"
        return b.multiply(whole, b.cast(b.text(step), self.decimal_type(precision, scale)))

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        room = 38 if precision + scale <= 38 else 76
        wide = b.cast(node, f"Nullable({self.decimal_type(room, scale)})")
        return b.cast(b.multiply_by(wide, 10**scale), self.narrow if precision <= 18 else self.broad)

    def narrowed(self, node: exp.Expr) -> exp.Expr:
        # A branch of CASE may be computed for rows that do not take it, and CAST of what has no whole number fails.
        return b.call("accurateCastOrNull", node, b.text("Int64"))

    def is_number(self, node: exp.Expr) -> exp.Expr:
        return b.call("isFinite", node)

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.call("toUnixTimestamp64Micro", node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return b.call("fromUnixTimestamp64Micro", micros, b.text("UTC"))

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("argMax", value, b.call("tuple", *keys))

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("argMin", value, b.call("tuple", *keys))

    def distinct(self, node: exp.Expr) -> exp.Expr:
        # What COUNT(DISTINCT) does is a setting of ClickHouse, and may be an estimate.
        return b.call("uniqExact", node)

    def following(self, node: exp.Expr, partition: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Expr:
        return super().following(b.call("toNullable", node), partition, order)

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        low, high = (b.call("assumeNotNull", node) for node in (low, high))
        numbers = b.call("arrayJoin", b.call("range", low, b.add(high, b.number(1))))
        return rows.select(b.named(numbers, name), append=True, copy=False)

    # Values -----------------------------------------------------------------------------------------------------

    def same(self, left: exp.Expr, right: exp.Expr, *, negated: bool = False) -> exp.Expr:
        # Outside of joins, IS NOT DISTINCT FROM came later.
        nulls = b.all_of([b.is_null(left.copy()), b.is_null(right.copy())])
        same = b.call("COALESCE", b.binary(exp.EQ, left, right), nulls)
        return b.not_(same) if negated else same

    # Texts ------------------------------------------------------------------------------------------------------

    def size(self, node: exp.Expr) -> exp.Expr:
        return b.call("lengthUTF8", node)

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.GT, b.call("position", node, part), b.number(0))

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("startsWith", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("endsWith", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        # ClickHouse first looks for a text that must occur, and there takes only the last byte of `é?` for what may be
        # missing. In a set, a character stays whole.
        return b.call("match", node, b.text(re.sub(r"([^\x00-\x7f])(?=[*?{])", r"[\1]", pattern)))

    def translate(self, node: exp.Expr, old: str, new: str) -> exp.Expr:
        return b.call("translate", node, b.text(old), b.text(new))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        # TRIM takes bytes for characters.
        some = "".join(f"\\x{{{ord(one):x}}}" for one in characters)
        for pattern in (f"^[{some}]+", f"[{some}]+$"):
            node = b.call("replaceRegexpOne", node, b.text(pattern), b.text(""))
        return node

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("lower", b.call("hex", b.call("SHA256", node)))
