"""Trino 400 and later: DECIMAL(38, 0) keeps 38 digits, a quotient of two has no decimals, and overflow is an error.

Nothing is executed on it in the tests: it rests on Trino's documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import STANDARD_FUNCTIONS
from meterspec.backends.sql.dialects.decimals import DecimalDialect
from meterspec.ir import FieldType

__all__ = ["Trino"]

_SEQUENCE = 1000
"""How many numbers are made at a time: a SEQUENCE has at most 10000."""


class Trino(DecimalDialect):
    name = "trino"
    printer = "trino"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("AT_TIMEZONE", "DATE_DIFF", "FROM_UNIXTIME_NANOS", "IS_FINITE", "LOWER", "MAX_BY", "MIN_BY"),
            *("REGEXP_LIKE", "ROW", "SEQUENCE", "SHA256", "STARTS_WITH", "STRPOS", "TO_HEX", "TO_UTF8", "TRIM"),
            *("UNNEST",),
        }
    )
    types: ClassVar = {
        FieldType.STRING: "VARCHAR",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: "DECIMAL",
        FieldType.FLOAT: "DOUBLE",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMP(6) WITH TIME ZONE",
    }
    executed = False
    end_of_text = "\\z"

    def narrow_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        # Of two integers `/` truncates; `typed` has it printed as it is.
        return exp.Div(this=b.wrapped(dividend), expression=b.wrapped(divisor), typed=True)

    def is_number(self, node: exp.Expr) -> exp.Expr:
        return b.call("IS_FINITE", node)

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        # Whole milliseconds as a number, and the three digits after them out of `2026-01-31 23:59:59.999999 UTC`.
        epoch = b.cast(b.text("1970-01-01 00:00:00.000000 UTC"), self.types[FieldType.TIMESTAMP])
        millis = b.call("DATE_DIFF", b.text("millisecond"), epoch, node)
        shown = b.cast(b.call("AT_TIMEZONE", node.copy(), b.text("UTC")), self.types[FieldType.STRING])
        rest = b.cast(b.call("SUBSTR", shown, b.number(-7), b.number(3)), self.narrow)
        return b.add(b.multiply(millis, b.number(1000)), rest)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        # Nanoseconds of all years need more than 64 bits.
        nanos = b.multiply(self.wide(micros), b.number(1000))
        return b.cast(b.call("FROM_UNIXTIME_NANOS", nanos), self.types[FieldType.TIMESTAMP])

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _by("MAX_BY", value, keys)

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _by("MIN_BY", value, keys)

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        steps = b.call("SEQUENCE", low, high, b.number(_SEQUENCE))
        last = b.call("LEAST", b.add(b.column("meterspec_step"), b.number(_SEQUENCE - 1)), high.copy())
        numbers = b.call("SEQUENCE", b.column("meterspec_step"), last)
        rows = rows.join(_unnest(steps, "steps", "meterspec_step"), join_type="cross", copy=False)
        return rows.join(_unnest(numbers, "numbers", name), join_type="cross", copy=False)

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.GT, b.call("STRPOS", node, part), b.number(0))

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTS_WITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        # A start before the text, or at 0 where the part is empty, gives an empty text.
        ending = b.call("SUBSTR", node, b.negate(b.call("LENGTH", part)))
        return b.binary(exp.EQ, ending, part.copy())

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        return b.call("REGEXP_LIKE", node, b.text(pattern))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return exp.Trim(this=node, expression=b.text(characters), position="BOTH")

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("LOWER", b.call("TO_HEX", b.call("SHA256", b.call("TO_UTF8", node))))


def _by(function: str, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
    """The value of one row of those that have a value."""
    chosen = b.call(function, value, b.call("ROW", *keys))
    return exp.Filter(this=chosen, expression=exp.Where(this=b.not_null(value.copy())))


def _unnest(array: exp.Expr, relation: str, column: str) -> exp.Unnest:
    alias = exp.TableAlias(this=b.identifier(relation), columns=[b.identifier(column)])
    return exp.Unnest(expressions=[array], alias=alias)
