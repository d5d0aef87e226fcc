"""Spark 4 and later, and Databricks: DECIMAL(38, 0) keeps 38 digits, but not every operator on it does.

`-x` and `ABS(x)` round to 34 digits, `DIV` wraps around at 64 bits, and `/` has room for 32 digits before the point.
None of them is used on numbers that can be so large. In ANSI mode, the default, overflow is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, WIDE, Dialect
from meterspec.cel.pattern import Characters, Choice, Pattern, Repeat, parse_pattern
from meterspec.cel.pattern import Sequence as InOrder
from meterspec.cel.tree import Call, Literal
from meterspec.ir import FieldType

__all__ = ["Spark"]

_QUOTIENT = 32
"""The most digits of a quotient that `/` of two DECIMAL(38, 0) holds; it has 6 decimals."""
_LIMB = 10**19
_REPEATS = 16
"""How often a pattern may repeat a group: Java searches by recursion, so a long text would exhaust its stack."""


class Spark(Dialect):
    name = "spark"
    printer = "spark"
    broad = "DECIMAL(38, 0)"
    types: ClassVar = {
        FieldType.STRING: "STRING",
        FieldType.INTEGER: "BIGINT",
        FieldType.DECIMAL: "DECIMAL",
        FieldType.FLOAT: "DOUBLE",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMP",
    }
    longest_name = 255
    end_of_text = "\\z"

    def lacks(self, call: Call) -> str | None:
        if call.overload == "matches_string":
            pattern = call.args[1]
            assert isinstance(pattern, Literal) and isinstance(pattern.value, str)
            if _repeats_groups(parse_pattern(pattern.value)):
                return f"a pattern that repeats a group more than {_REPEATS} times"
        return None

    # Whole numbers ----------------------------------------------------------------------------------------------

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude <= NARROW:
            return b.binary(exp.IntDiv, dividend, divisor)
        least = _constant(divisor)
        if magnitude // (least or 1) < 10**_QUOTIENT:
            return self._direct(dividend, divisor)
        # The quotient may have more digits than `/` holds: it is made of two, by long division.
        limb = self.wide(self.constant(_LIMB))
        high = self._direct(dividend, limb)
        rest = b.add(
            b.multiply(self.remainder(high.copy(), divisor, magnitude), limb), self.remainder(dividend, limb, magnitude)
        )
        long = b.add(b.multiply(self._direct(high, divisor), limb), self._direct(rest, divisor))
        if least is not None:
            return long
        small = b.binary(exp.LT, divisor, self.wide(self.constant(WIDE // 10**_QUOTIENT + 1)))
        return b.case([(small, long)], self._direct(dividend, divisor))

    def _direct(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """A quotient of at most 32 digits: of the dividend without the rest, so that it has no decimals to round."""
        even = b.binary(exp.Sub, dividend, b.binary(exp.Mod, dividend.copy(), divisor.copy()))
        return self.wide(exp.Div(this=b.wrapped(even), expression=b.wrapped(divisor), typed=True))

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=node if magnitude <= NARROW else self.wide(node))

    def negate(self, node: exp.Expr) -> exp.Expr:
        return b.binary(exp.Sub, b.number(0), node)

    def absolute(self, node: exp.Expr, magnitude: int = WIDE) -> exp.Expr:
        return b.call("ABS", node) if magnitude <= NARROW else self.greatest([node, self.negate(node.copy())])

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        kind = f"DECIMAL({precision}, {scale})"
        if scale == 0:
            return b.cast(whole, kind)
        if precision + scale < 38:
            step = b.cast(b.text(f"0.{'1'.rjust(scale, '0')}"), f"DECIMAL({scale}, {scale})")
            return b.cast(b.multiply(b.cast(whole, f"DECIMAL({precision}, 0)"), step), kind)
        # A product of so many digits would be rounded; a text is read exactly.
        digits = b.cast(self.wide(whole), "STRING")
        return b.cast(b.call("CONCAT", digits, b.text(f"E-{scale}")), kind)

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        kind = self.narrow if precision <= 18 else self.broad
        if scale == 0:
            return b.cast(node, kind)
        step = b.cast(b.text(str(10**scale)), f"DECIMAL({scale + 1}, 0)")
        digits = max(precision, scale)
        if digits + scale + 2 <= 38:
            return b.cast(b.multiply(b.cast(node, f"DECIMAL({digits}, {scale})"), step), kind)
        rest = b.binary(exp.Mod, node, b.cast(b.number(1), "DECIMAL(1, 0)"))
        whole = self.wide(b.binary(exp.Sub, node.copy(), rest))
        part = b.multiply(b.cast(rest.copy(), f"DECIMAL({scale}, {scale})"), step.copy())
        return b.add(b.multiply(whole, self.wide(step)), self.wide(part))

    def is_number(self, node: exp.Expr) -> exp.Expr:
        finite = b.binary(exp.LT, b.call("ABS", node), self.double("Infinity"))
        return b.all_of([b.not_(b.call("ISNAN", node.copy())), finite])

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.call("UNIX_MICROS", node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return b.call("TIMESTAMP_MICROS", micros)

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _by("MAX_BY", value, keys)

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _by("MIN_BY", value, keys)

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        numbers = b.call("EXPLODE", b.call("SEQUENCE", low, high))
        return rows.select(b.named(numbers, name), append=True, copy=False)

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("CONTAINS", node, part)

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTSWITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDSWITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        # A set of every character is a loop in Java, a choice of two is a recursion.
        return b.call("REGEXP_LIKE", node, b.text(pattern.replace("(?:[^\\n]|\\n)", "[\\s\\S]")))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("BTRIM", node, b.text(characters))


def _constant(node: exp.Expr) -> int | None:
    """The value of a whole constant; None for any other node."""
    inner = node.this if isinstance(node, exp.Cast) else node
    return int(inner.this) if isinstance(inner, exp.Literal) else None


def _by(function: str, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
    """The value of one row of those that have a value."""
    chosen = b.call(function, value, b.call("STRUCT", *keys))
    return exp.Filter(this=chosen, expression=exp.Where(this=b.not_null(value.copy())))


def _repeats_groups(pattern: Pattern) -> bool:
    match pattern:
        case InOrder(items) | Choice(items):
            return any(map(_repeats_groups, items))
        case Repeat(Characters()):
            return False
        case Repeat(item, _, high):
            return high is None or high > _REPEATS or _repeats_groups(item)
        case _:
            return False
