"""DataFusion 50 and later; the tests run 55. DECIMAL(76, 0) keeps 38 digits wherever DECIMAL(38, 0) would wrap around.

Whole numbers of 64 bits and sums of them wrap around too, so a number is only narrow where it is proved to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, STANDARD_FUNCTIONS, Dialect, is_long_step
from meterspec.ir import FieldType

__all__ = ["DataFusion"]


class DataFusion(Dialect):
    name = "datafusion"
    printer = "postgres"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARROW_CAST", "BTRIM", "CONTAINS", "ENCODE", "ENDS_WITH", "FIRST_VALUE", "GENERATE_SERIES", "ISNAN"),
            *("LEFT", "MAKE_ARRAY", "REGEXP_LIKE", "SHA256", "UNNEST"),
        }
    )
    broad = "DECIMAL(76, 0)"
    types: ClassVar = {
        FieldType.STRING: "VARCHAR",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: "DECIMAL",
        FieldType.FLOAT: "DOUBLE",
        FieldType.BOOLEAN: "BOOLEAN",
        # Without the digits these are nanoseconds, which end in the year 2262.
        FieldType.TIMESTAMP: "TIMESTAMP(6) WITH TIME ZONE",
    }
    longest_name = 1000

    def computed_once(self, query: exp.Query) -> exp.Query:
        # What comes out of an array stays a column: no condition on it is moved to before it.
        for node in query.selects if isinstance(query, exp.Select) else []:
            if isinstance(node, exp.Alias) and is_long_step(node):
                node.set("this", b.call("UNNEST", b.call("MAKE_ARRAY", node.this)))
        return query

    # Whole numbers ----------------------------------------------------------------------------------------------

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude <= NARROW:
            # Of two integers `/` truncates; `typed` has it printed as it is.
            return exp.Div(this=b.wrapped(dividend), expression=b.wrapped(divisor), typed=True)
        # Without the rest the quotient has no decimals to cut.
        even = b.binary(exp.Sub, dividend, b.binary(exp.Mod, dividend.copy(), divisor.copy()))
        return self.wide(exp.Div(this=b.wrapped(even), expression=b.wrapped(divisor), typed=True))

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=node if magnitude <= NARROW else self.wide(node))

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        kind = self.decimal_type(precision, scale)
        if scale == 0:
            return b.cast(whole, kind)
        step = b.cast(b.text(f"0.{'1'.rjust(scale, '0')}"), self.decimal_type(scale, scale))
        return b.cast(b.multiply(b.cast(whole, self.decimal_type(38, 0)), step), kind)

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        step = b.cast(b.text(str(10**scale)), self.decimal_type(scale + 1, 0))
        whole = b.multiply(b.cast(node, self.decimal_type(76, scale)), step)
        return b.cast(whole, self.narrow if precision <= 18 else self.broad)

    def is_number(self, node: exp.Expr) -> exp.Expr:
        finite = b.binary(exp.LT, b.call("ABS", node), self.double("Infinity"))
        return b.all_of([b.not_(b.call("ISNAN", node.copy())), finite])

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.cast(node, self.narrow)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return b.call("ARROW_CAST", micros, b.text('Timestamp(Microsecond, Some("+00:00"))'))

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._leading(value, keys, descending=True)

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._leading(value, keys, descending=False)

    def _leading(self, value: exp.Expr, keys: Sequence[exp.Expr], *, descending: bool) -> exp.Expr:
        """The value of the first row in that order, of those that have a value."""
        order = [exp.Ordered(this=key, desc=descending, nulls_first=descending) for key in keys]
        chosen = b.call("FIRST_VALUE", exp.Order(this=value, expressions=order))
        return exp.Filter(this=chosen, expression=exp.Where(this=b.not_null(value.copy())))

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        numbers = b.call("UNNEST", b.call("GENERATE_SERIES", low, high))
        return rows.select(b.named(numbers, name), append=True, copy=False)

    # Values -----------------------------------------------------------------------------------------------------

    def same(self, left: exp.Expr, right: exp.Expr, *, negated: bool = False) -> exp.Expr:
        # Its parser takes all that follows for the right side.
        return exp.Paren(this=super().same(left, right, negated=negated))

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("CONTAINS", node, part)

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        # Versions up to 53 make LIKE of STARTS_WITH, and `_` in it stands for any character.
        return b.binary(exp.EQ, b.call("LEFT", node, b.call("LENGTH", part)), part.copy())

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDS_WITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        # `\<` and `\>` would be the ends of a word. The flag changes nothing, but keeps the optimizer off the pattern:
        # it makes LIKE of a constant text, and loses a backslash in it.
        return b.call("REGEXP_LIKE", node, b.text(pattern.replace("\\<", "<").replace("\\>", ">")), b.text("s"))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("BTRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("ENCODE", b.call("SHA256", node), b.text("hex"))
