"""Typed expressions as SQL. Each overload is one entry, so CEL's `7 / 2` is 3 on every engine.

A CEL error is SQL null. The checker has proved that no valid event makes one, so null only ever stands where another
part of the expression makes the result certain: `has(x) && x > 3` is false, not null, where x is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import Dialect
from meterspec.cel.functions import WHITESPACE
from meterspec.cel.pattern import portable
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Environment, Type

__all__ = ["Lowering"]

_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_NUMBERS = {Type.INT, Type.DECIMAL}
_MOMENTS = {Type.TIMESTAMP, Type.DURATION}
_COMPARISONS: dict[str, type[exp.Binary]] = {
    "less": exp.LT,
    "less_equals": exp.LTE,
    "greater": exp.GT,
    "greater_equals": exp.GTE,
}
_MICROS = {"hours": 3_600_000_000, "minutes": 60_000_000, "seconds": 1_000_000, "milliseconds": 1000}
_DAY = 86_400_000_000


class Lowering:
    """Turns typed expressions over the fields of some families into nodes of one dialect."""

    def __init__(self, environment: Environment, dialect: Dialect) -> None:
        self._environment = environment
        self._dialect = dialect

    def condition(self, expr: Expr) -> exp.Expr:
        """A bool expression."""
        match expr:
            case Literal(value=bool(value)):
                return exp.Boolean(this=value)
            case FieldRef(name):
                return b.column(name)
            case Call():
                return self._condition(expr)
            case Literal() | ListOf():
                raise TypeError(expr)
            case _:
                assert_never(expr)

    def text(self, expr: Expr) -> exp.Expr:
        """A string expression."""
        match expr:
            case Literal(value=str(value)):
                return b.text(value)
            case FieldRef(name):
                return b.column(name)
            case Call(overload, args):
                if overload == "conditional":
                    return self._choice(args, self.text)
                return self._text_functions[overload](*args)
            case Literal() | ListOf():
                raise TypeError(expr)
            case _:
                assert_never(expr)

    def value(self, expr: Expr) -> exp.Expr:
        """An expression of any type but decimal, as the engine's own value; for grouping and counting distinct."""
        if expr.type is Type.INT:
            number = exact.scaled(expr, self._environment)
            return self.whole(number.whole, number.ratio)
        if expr.type is Type.STRING:
            return self.text(expr)
        return self.condition(expr)

    def whole(self, whole: exact.Whole, factor: Fraction = Fraction(1)) -> exp.Expr:
        """A whole number, times a whole constant, in arithmetic wide enough for every step."""
        assert factor.denominator == 1
        node = self._whole(whole, widest(whole) * factor.numerator)
        return node if factor == 1 else b.multiply(node, b.number(factor.numerator))

    def micros(self, expr: Expr) -> exp.Expr:
        """A timestamp or a duration as microseconds."""
        match expr:
            case Literal(value=int(value)):
                return b.number(value)
            case FieldRef(name):
                return self._dialect.micros(b.column(name))
            case Call(overload, args):
                if overload == "conditional":
                    return self._choice(args, self.micros)
                kind = exp.Add if overload.startswith("add_") else exp.Sub
                return b.binary(kind, *(self.micros(arg) for arg in args))
            case Literal() | ListOf():
                raise TypeError(expr)
            case _:
                assert_never(expr)

    def _condition(self, expr: Call) -> exp.Expr:
        name, args = expr.overload, expr.args
        match name:
            case "logical_and":
                return b.all_of(self.condition(arg) for arg in args)
            case "logical_or":
                return b.any_of(self.condition(arg) for arg in args)
            case "logical_not":
                return b.not_(self.condition(args[0]))
            case "conditional":
                return self._choice(args, self.condition)
            case "has":
                assert isinstance(args[0], FieldRef)
                return b.not_null(b.column(args[0].name))
            case "equals" | "not_equals":
                return self._equals(*args, negated=name == "not_equals")
            case "in_list":
                return self._in(*args)
            case "contains_string":
                return self._dialect.contains(*map(self.text, args))
            case "starts_with_string":
                return self._dialect.starts_with(*map(self.text, args))
            case "ends_with_string":
                return self._dialect.ends_with(*map(self.text, args))
            case "matches_string":
                pattern = args[1]
                assert isinstance(pattern, Literal) and isinstance(pattern.value, str)
                return self._dialect.matches(self.text(args[0]), portable(pattern.value))
        comparison, _, _ = name.rpartition("_")
        return self._compare(_COMPARISONS[comparison], *args)

    def _choice(self, args: tuple[Expr, ...], lower: Callable[[Expr], exp.Expr]) -> exp.Expr:
        condition, then, otherwise = args
        return b.case([(self.condition(condition), lower(then))], lower(otherwise))

    def _compare(self, kind: type[exp.Binary], left: Expr, right: Expr) -> exp.Expr:
        return b.binary(kind, *self._sides(left, right))

    def _sides(self, left: Expr, right: Expr) -> tuple[exp.Expr, exp.Expr]:
        """Both sides of a comparison as nodes of one kind: numbers as whole numbers of one ratio."""
        kind = right.type if left.type is Type.NULL else left.type
        if kind in _NUMBERS:
            one, two = (exact.scaled(side, self._environment) for side in (left, right))
            _, first, second = exact.common(one, two)
            return self.whole(first), self.whole(second)
        if kind in _MOMENTS:
            return self.micros(left), self.micros(right)
        lower = self.condition if kind is Type.BOOL else self.text
        return lower(left), lower(right)

    def _equals(self, left: Expr, right: Expr, *, negated: bool) -> exp.Expr:
        """`==` and `!=`: two missing values are equal, and a missing one equals nothing else."""
        if right.type is Type.NULL or left.type is Type.NULL:
            other = left if right.type is Type.NULL else right
            if not isinstance(other, FieldRef):
                return exp.Boolean(this=(other.type is Type.NULL) is not negated)
            return b.not_null(b.column(other.name)) if negated else b.is_null(b.column(other.name))
        sides = self._sides(left, right)
        if self._may_miss(left) or self._may_miss(right):
            return b.binary(exp.NullSafeNEQ if negated else exp.NullSafeEQ, *sides)
        return b.binary(exp.NEQ if negated else exp.EQ, *sides)

    def _in(self, item: Expr, items: Expr) -> exp.Expr:
        """`in` with a list literal: null-safe equality with one of its items."""
        assert isinstance(items, ListOf)
        if not items.items:
            return exp.Boolean(this=False)
        texts = [i.value for i in items.items if isinstance(i, Literal) and isinstance(i.value, str)]
        if isinstance(item, FieldRef) and len(texts) == len(items.items):
            among = exp.In(this=b.column(item.name), expressions=[b.text(t) for t in texts])
            return b.all_of([b.not_null(b.column(item.name)), among]) if self._may_miss(item) else among
        return b.any_of(self._equals(item, one, negated=False) for one in items.items)

    def _may_miss(self, expr: Expr) -> bool:
        return isinstance(expr, FieldRef) and self._environment[expr.name].nullable

    @property
    def _text_functions(self) -> dict[str, Callable[..., exp.Expr]]:
        dialect = self._dialect
        return {
            "add_string": lambda one, two: b.binary(exp.DPipe, self.text(one), self.text(two)),
            "lower_ascii": lambda node: dialect.translate(self.text(node), _UPPER, _LOWER),
            "upper_ascii": lambda node: dialect.translate(self.text(node), _LOWER, _UPPER),
            "trim": lambda node: dialect.trim(self.text(node), WHITESPACE),
            "int64_to_string": lambda node: dialect.to_text(self.value(node)),
            "bool_to_string": lambda node: b.case(
                [
                    (self.condition(node), b.text("true")),
                    (b.not_(self.condition(node)), b.text("false")),
                ]
            ),
        }

    def _whole(self, whole: exact.Whole, magnitude: int) -> exp.Expr:
        """A whole number whose leaves are wide enough for numbers of that magnitude."""
        dialect = self._dialect

        def lower(node: exact.Whole) -> exp.Expr:
            return self._whole(node, magnitude)

        match whole:
            case exact.Constant(value):
                # A bare literal would take the narrowest type, and two of them would overflow it.
                return dialect.integer(b.number(value), magnitude)
            case exact.Column(name, scale):
                return self._column(name, scale, magnitude)
            case exact.Sum(terms):
                first, *others = terms
                node = _term(first[0], lower(first[1]))
                for factor, term in others:
                    constant = term.value if isinstance(term, exact.Constant) else 1
                    size = abs(factor * constant)
                    part = b.number(size) if isinstance(term, exact.Constant) else _term(size, lower(term))
                    node = b.binary(exp.Add if factor * constant > 0 else exp.Sub, node, part)
                return node
            case exact.Product(left, right):
                return b.multiply(lower(left), lower(right))
            case exact.Quotient(dividend, divisor):
                return self._divide(dividend, divisor, lower, self._dialect.quotient)
            case exact.Remainder(dividend, divisor):
                rest = dialect.remainder(_magnitude(dividend, lower(dividend)), _not_zero(divisor, lower(divisor)))
                return _signed(dividend.bounds.low < 0, b.binary(exp.LT, lower(dividend), b.number(0)), rest)
            case exact.RoundDivision():
                return self._round_division(whole, lower)
            case exact.Absolute(operand):
                return b.call("ABS", lower(operand))
            case exact.Extreme(greatest, operands):
                nodes = [lower(operand) for operand in operands]
                return dialect.greatest(nodes) if greatest else dialect.least(nodes)
            case exact.Choose(condition, then, otherwise):
                return b.case([(self.condition(condition), lower(then))], lower(otherwise))
            case exact.Foreign(call):
                return dialect.integer(self._foreign(call), magnitude)
            case _:
                assert_never(whole)

    def _column(self, name: str, scale: int, magnitude: int) -> exp.Expr:
        variable = self._environment[name]
        node = b.column(name)
        if variable.type is Type.INT:
            return node if magnitude <= 2**63 - 1 else self._dialect.integer(node, magnitude)
        precision = len(str(self._reach(name)))
        unscaled = self._dialect.unscaled(node, precision, scale)
        return unscaled if precision > 18 or magnitude <= 2**63 - 1 else self._dialect.integer(unscaled, magnitude)

    def _reach(self, name: str) -> int:
        """The greatest magnitude of a decimal variable, as a whole number of its scale."""
        variable = self._environment[name]
        assert variable.low is not None and variable.high is not None
        unit = Fraction(10**variable.scale)
        return int(max(abs(Fraction(variable.low)), abs(Fraction(variable.high))) * unit) + 1

    def _divide(
        self,
        dividend: exact.Whole,
        divisor: exact.Whole,
        lower: Callable[[exact.Whole], exp.Expr],
        divide: Callable[[exp.Expr, exp.Expr], exp.Expr],
    ) -> exp.Expr:
        """A division by magnitude that truncates, with its sign put back."""
        size = divide(_magnitude(dividend, lower(dividend)), _not_zero(divisor, lower(divisor)))
        negative = self._opposite(dividend, divisor, lower)
        return size if negative is None else _signed(True, negative, size)

    def _opposite(
        self, dividend: exact.Whole, divisor: exact.Whole, lower: Callable[[exact.Whole], exp.Expr]
    ) -> exp.Expr | None:
        """Whether a quotient is negative; None where it never is."""
        signs = [b.binary(exp.LT, lower(w), b.number(0)) for w in (dividend, divisor) if w.bounds.low < 0]
        if len(signs) == 2:
            return b.binary(exp.NEQ, *signs)
        return signs[0] if signs else None

    def _round_division(self, division: exact.RoundDivision, lower: Callable[[exact.Whole], exp.Expr]) -> exp.Expr:
        dividend, divisor, dialect = division.dividend, division.divisor, self._dialect
        size = _magnitude(dividend, lower(dividend))
        by = _not_zero(divisor, lower(divisor))
        negative = self._opposite(dividend, divisor, lower)
        truncated = dialect.quotient(size, by)
        match division.mode:
            case "half_up":
                half = b.binary(exp.GTE, dialect.remainder(size.copy(), by.copy()), _half(dialect, by.copy()))
                rounded = b.add(truncated, b.case([(half, b.number(1))], b.number(0)))
                return rounded if negative is None else _signed(True, negative, rounded)
            case "down":
                return truncated if negative is None else _signed(True, negative, truncated)
            case "floor" | "ceil":
                uneven = b.binary(exp.GT, dialect.remainder(size.copy(), by.copy()), b.number(0))
                away = b.add(truncated.copy(), b.case([(uneven, b.number(1))], b.number(0)))
                up, down = (away, truncated) if division.mode == "ceil" else (truncated, away)
                return up if negative is None else b.case([(negative, b.negate(down))], up)
            case mode:
                raise ValueError(mode)

    def _foreign(self, call: Call) -> exp.Expr:
        """A whole number out of a text, an instant or a duration."""
        dialect, (operand, *_) = self._dialect, call.args
        name = call.overload
        if name == "size_string":
            return dialect.size(self.text(operand))
        of, _, what = name.partition("_to_")
        micros = self.micros(operand)
        if of == "duration":
            if what == "milliseconds":
                rest = dialect.remainder(b.call("ABS", micros), b.number(1_000_000))
                size = dialect.quotient(rest, b.number(1000))
            else:
                size = dialect.quotient(b.call("ABS", micros), b.number(_MICROS[what]))
            return _signed(True, b.binary(exp.LT, micros.copy(), b.number(0)), size)
        if what in _MICROS:
            larger = {"hours": _DAY, "minutes": 3_600_000_000, "seconds": 60_000_000, "milliseconds": 1_000_000}
            rest = dialect.floor_remainder(micros, larger[what])
            return dialect.quotient(rest, b.number(_MICROS[what]))
        clock = dialect.as_clock(micros)
        part, less = _CALENDAR_PARTS[what]
        node = dialect.part(part, clock)
        return b.binary(exp.Sub, node, b.number(less)) if less else node


_CALENDAR_PARTS = {
    "year": ("year", 0),
    "month": ("month", 1),
    "day_of_year": ("doy", 1),
    "day_of_month": ("day", 1),
    "day_of_month_1_based": ("day", 0),
    "day_of_week": ("dow", 0),
}
"""Each getter of a timestamp: the part of a date, and what it counts from."""


def widest(whole: exact.Whole) -> int:
    """The greatest magnitude an engine meets while it computes a whole number, conditions apart."""
    match whole:
        case exact.Constant() | exact.Column() | exact.Foreign():
            return whole.bounds.magnitude
        case exact.Sum(terms):
            together = sum(abs(factor) * term.bounds.magnitude for factor, term in terms)
            return max(together, *(widest(term) for _, term in terms))
        case exact.Product(left, right):
            return max(whole.bounds.magnitude, widest(left), widest(right))
        case exact.Quotient(one, two) | exact.Remainder(one, two):
            return max(widest(one), widest(two))
        case exact.RoundDivision(one, two):
            return max(widest(one), 2 * widest(two))
        case exact.Absolute(operand):
            return widest(operand)
        case exact.Extreme(_, operands):
            return max(widest(operand) for operand in operands)
        case exact.Choose(_, then, otherwise):
            return max(widest(then), widest(otherwise))
        case _:
            assert_never(whole)


def _term(factor: int, node: exp.Expr) -> exp.Expr:
    if factor == 1:
        return node
    return b.multiply(node, b.number(factor))


def _magnitude(whole: exact.Whole, node: exp.Expr) -> exp.Expr:
    return b.call("ABS", node) if whole.bounds.low < 0 else node


def _not_zero(whole: exact.Whole, node: exp.Expr) -> exp.Expr:
    """The magnitude of a divisor, null where it is zero."""
    size = _magnitude(whole, node)
    return exp.Nullif(this=size, expression=b.number(0)) if whole.bounds.low <= 0 <= whole.bounds.high else size


def _signed(may_be: bool, negative: exp.Expr, size: exp.Expr) -> exp.Expr:
    return b.case([(negative, b.negate(size))], size.copy()) if may_be else size


def _half(dialect: Dialect, divisor: exp.Expr) -> exp.Expr:
    """The least remainder that rounds up: half of the divisor, rounded up."""
    return dialect.quotient(b.add(divisor, b.number(1)), b.number(2))
