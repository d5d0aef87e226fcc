"""PostgreSQL 14 and later: NUMERIC keeps every digit, `div` divides it, and names have at most 63 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, STANDARD_FUNCTIONS, Dialect
from meterspec.ir import FieldType

__all__ = ["Postgres"]


class Postgres(Dialect):
    name = "postgres"
    printer = "postgres"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARRAY_AGG", "BTRIM", "CONVERT_TO", "DIV", "ENCODE", "EXTRACT", "GENERATE_SERIES", "RIGHT", "SHA256"),
            *("STARTS_WITH", "STRPOS"),
        }
    )
    broad = "NUMERIC"
    types: ClassVar = {
        FieldType.STRING: "TEXT",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: "NUMERIC",
        FieldType.FLOAT: "DOUBLE PRECISION",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMPTZ",
    }
    overflow_fails = True
    longest_name = 63

    def decimal_type(self, precision: int, scale: int) -> str:
        return f"NUMERIC({precision}, {scale})"

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude > NARROW:
            return b.call("DIV", dividend, divisor)
        # Of two integers `/` truncates; `typed` has it printed as it is.
        return exp.Div(this=b.wrapped(dividend), expression=b.wrapped(divisor), typed=True)

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        if scale:
            whole = b.multiply(whole, exp.Literal.number(f"0.{'1'.rjust(scale, '0')}"))
        return b.cast(whole, self.decimal_type(precision, scale))

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        whole = b.multiply_by(node, 10**scale)
        return b.cast(whole, self.narrow if precision <= 18 else self.decimal_type(38, 0))

    def computed_once(self, query: exp.Query) -> exp.Query:
        # A subquery with an offset is not merged into the query around it.
        return query.offset(0, copy=False)

    def is_number(self, node: exp.Expr) -> exp.Expr:
        # NaN is equal to itself, and greater than everything else.
        return b.binary(exp.LT, self.absolute(node), self.double("Infinity"))

    def micros(self, node: exp.Expr) -> exp.Expr:
        seconds = exp.Extract(this=exp.Var(this="EPOCH"), expression=node)
        return b.cast(b.multiply(seconds, b.number(1_000_000)), self.narrow)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        # An interval is multiplied as a double, which cannot tell microseconds apart after the year 2255.
        million = b.number(1_000_000)
        seconds = exp.Div(this=b.wrapped(micros), expression=million, typed=True)
        rest = b.binary(exp.Mod, micros.copy(), million.copy())
        epoch = b.cast(b.text("1970-01-01 00:00:00+00"), "TIMESTAMPTZ")
        after = b.multiply(b.wrapped(seconds), b.cast(b.text("1 second"), "INTERVAL"))
        return b.add(b.add(epoch, after), b.multiply(b.wrapped(rest), b.cast(b.text("1 microsecond"), "INTERVAL")))

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._leading(value, keys, descending=True)

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._leading(value, keys, descending=False)

    def _leading(self, value: exp.Expr, keys: Sequence[exp.Expr], *, descending: bool) -> exp.Expr:
        order = [exp.Ordered(this=key, desc=descending, nulls_first=descending) for key in keys]
        values = b.call("ARRAY_AGG", exp.Order(this=value, expressions=order))
        kept = exp.Filter(this=values, expression=exp.Where(this=b.not_null(value.copy())))
        return exp.Bracket(this=exp.Paren(this=kept), expressions=[b.number(1)], offset=1)

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        return rows.select(b.named(b.call("GENERATE_SERIES", low, high), name), append=True, copy=False)

    def by_code_point(self, node: exp.Expr) -> exp.Expr:
        # The bytes of UTF-8 are in the order of the code points.
        return exp.Collate(this=b.wrapped(node), expression=b.identifier("C"))

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.GT, b.call("STRPOS", node, part), b.number(0))

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTS_WITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.EQ, b.call("RIGHT", node, b.call("LENGTH", part)), part.copy())

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        # Neither its texts nor its statements can hold U+0000 as it is.
        return b.binary(exp.RegexpLike, node, b.text(pattern.replace("\0", "\\u0000")))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("BTRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("ENCODE", b.call("SHA256", b.call("CONVERT_TO", node, b.text("UTF8"))), b.text("hex"))
