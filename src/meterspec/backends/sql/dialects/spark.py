"""Spark 4 and later, and Databricks: DECIMAL(38, 0) keeps 38 digits, but not every operator on it does.

`-x` and `ABS(x)` round to 34 digits, `DIV` wraps around at 64 bits, and `/` has room for 32 digits before the point.
None of them is used on numbers that can be so large. In ANSI mode, the default, overflow is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, STANDARD_FUNCTIONS, WIDE, is_long_step
from meterspec.backends.sql.dialects.decimals import DecimalDialect
from meterspec.cel.pattern import Characters, Choice, Pattern, Repeat, parse_pattern
from meterspec.cel.pattern import Sequence as InOrder
from meterspec.cel.tree import Call, Literal
from meterspec.ir import FieldType

__all__ = ["Spark"]

_SHORT = 12
"""The most nodes of an operand that is rather written out again than given a name."""
_REPEATS = 16
"""How often a pattern may repeat a group: Java searches by recursion, so a long text would exhaust its stack."""


class Spark(DecimalDialect):
    name = "spark"
    printer = "spark"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARRAY", "BTRIM", "CONCAT", "CONTAINS", "ELEMENT_AT", "ENDSWITH", "EXPLODE", "INLINE", "ISNAN"),
            *("MAX_BY", "MIN_BY", "REGEXP_LIKE", "SEQUENCE", "SHA2", "STARTSWITH", "STRUCT", "TIMESTAMP_MICROS"),
            *("TRANSFORM", "UNIX_MICROS"),
        }
    )
    quotient_digits = 32  # and 6 decimals
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

    def computed_once(self, query: exp.Query) -> exp.Query:
        # What comes out of a generator stays a column: no condition on it is moved to before it. A select may have one.
        long = [node for node in query.selects if isinstance(node, exp.Alias) and is_long_step(node)]
        if long and isinstance(query, exp.Select):
            record = b.call("ARRAY", b.call("STRUCT", *(node.this for node in long)))
            names = [b.identifier(node.alias) for node in long]
            rest = [node for node in query.selects if node not in long]
            query.set("expressions", [*rest, exp.Aliases(this=b.call("INLINE", record), expressions=names)])
        return query

    # Whole numbers ----------------------------------------------------------------------------------------------

    def narrow_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        return b.binary(exp.IntDiv, dividend, divisor)

    def named_once(self, function: Callable[..., exp.Expr], *operands: exp.Expr) -> exp.Expr:
        if all(len(list(node.walk())) <= _SHORT for node in operands):
            return function(*operands)
        # Spark has no LET, but it has functions of one record: an array of one is transformed.
        names = [f"operand_{number}" for number in range(1, len(operands) + 1)]
        record = b.call("STRUCT", *map(b.named, operands, names))
        body = function(*(b.column(name, "operands") for name in names))
        transformed = b.call(
            "TRANSFORM", b.call("ARRAY", record), exp.Lambda(this=body, expressions=[b.identifier("operands")])
        )
        return b.call("ELEMENT_AT", transformed, b.number(1))

    def negate(self, node: exp.Expr) -> exp.Expr:
        return b.binary(exp.Sub, b.number(0), node)

    def absolute(self, node: exp.Expr, magnitude: int = WIDE) -> exp.Expr:
        return b.call("ABS", node) if magnitude <= NARROW else self.greatest([node, self.negate(node.copy())])

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        if precision + scale < 38:
            return super().decimal(whole, scale, precision)
        # A product of so many digits would be rounded; a text is read exactly.
        digits = b.cast(self.wide(whole), "STRING")
        return b.cast(b.call("CONCAT", digits, b.text(f"E-{scale}")), self.decimal_type(precision, scale))

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

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("SHA2", node, b.number(256))


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
