"""Typed expressions as SQL. Each overload is one entry, so CEL's `7 / 2` is 3 on every engine.

A CEL error is SQL null. The checker has proved that no valid event makes one, so null only ever stands where another
part of the expression makes the result certain: `has(x) && x > 3` is false, not null, where x is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.calendar import Calendar
from meterspec.backends.sql.dialects import NARROW, Dialect
from meterspec.cel.functions import WHITESPACE
from meterspec.cel.pattern import portable
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Environment, Type
from meterspec.zones import zone

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


class Lowering:
    """Turns typed expressions over the fields of some families into nodes of one dialect."""

    def __init__(self, environment: Environment, dialect: Dialect) -> None:
        self._environment = environment
        self._dialect = dialect
        self._calendar = Calendar(dialect)
        self.clocks: dict[exp.Expr, str] = {}
        """What the clocks of zones show, as columns that the expressions read beside the fields."""

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
        magnitude = widest(whole) * factor.numerator
        node = self._whole(whole, magnitude)
        return node if factor == 1 else b.multiply(node, self._constant(factor.numerator, magnitude))

    def micros(self, expr: Expr) -> exp.Expr:
        """A timestamp or a duration as microseconds."""
        match expr:
            case Literal(value=int(value)):
                return self._dialect.integer(b.number(value), NARROW)
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
                return self._dialect.matches(self.text(args[0]), portable(pattern.value, self._dialect.end_of_text))
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
        if kind is Type.BOOL:
            return self.condition(left), self.condition(right)
        by_code_point = self._dialect.by_code_point
        return by_code_point(self.text(left)), by_code_point(self.text(right))

    def _equals(self, left: Expr, right: Expr, *, negated: bool) -> exp.Expr:
        """`==` and `!=`: two missing values are equal, and a missing one equals nothing else."""
        if right.type is Type.NULL or left.type is Type.NULL:
            other = left if right.type is Type.NULL else right
            if not isinstance(other, FieldRef):
                return exp.Boolean(this=(other.type is Type.NULL) is not negated)
            return b.not_null(b.column(other.name)) if negated else b.is_null(b.column(other.name))
        sides = self._sides(left, right)
        if self._may_miss(left) or self._may_miss(right):
            return self._dialect.same(*sides, negated=negated)
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

        def term(factor: int, of: exact.Whole) -> exp.Expr:
            return lower(of) if factor == 1 else b.multiply(lower(of), self._constant(factor, magnitude))

        match whole:
            case exact.Constant(value):
                # A bare literal would take the narrowest type, and two of them would overflow it.
                return dialect.integer(dialect.constant(value), magnitude)
            case exact.Column(name, scale):
                return self._column(name, scale, magnitude)
            case exact.Sum(terms):
                first, *others = terms
                node = term(*first)
                for factor, one in others:
                    times = factor * one.value if isinstance(one, exact.Constant) else factor
                    is_constant = isinstance(one, exact.Constant)
                    part = self._constant(abs(times), magnitude) if is_constant else term(abs(times), one)
                    node = b.binary(exp.Add if times > 0 else exp.Sub, node, part)
                return node
            case exact.Product(left, right):
                return b.multiply(lower(left), lower(right))
            case exact.Quotient(dividend, divisor):
                return self._divide(dividend, divisor, lower, magnitude)
            case exact.Remainder(dividend, divisor):
                size = self._size(dividend, lower(dividend), magnitude)
                by = self._not_zero(divisor, lower(divisor), magnitude)
                rest = dialect.remainder(size, by, magnitude)
                negative = b.binary(exp.LT, lower(dividend), b.number(0)) if dividend.bounds.low < 0 else None
                return self._signed(negative, rest)
            case exact.RoundDivision():
                return self._round_division(whole, lower, magnitude)
            case exact.Absolute(operand):
                return dialect.absolute(lower(operand), magnitude)
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
        return ceil(max(abs(Fraction(variable.low)), abs(Fraction(variable.high))) * unit)

    def _divide(
        self,
        dividend: exact.Whole,
        divisor: exact.Whole,
        lower: Callable[[exact.Whole], exp.Expr],
        magnitude: int,
    ) -> exp.Expr:
        """A division by magnitude that truncates, with its sign put back."""
        by = self._not_zero(divisor, lower(divisor), magnitude)
        size = self._dialect.quotient(self._size(dividend, lower(dividend), magnitude), by, magnitude)
        return self._signed(self._opposite(dividend, divisor, lower), size)

    def _opposite(
        self, dividend: exact.Whole, divisor: exact.Whole, lower: Callable[[exact.Whole], exp.Expr]
    ) -> exp.Expr | None:
        """Whether a quotient is negative; None where it never is."""
        signs = [b.binary(exp.LT, lower(w), b.number(0)) for w in (dividend, divisor) if w.bounds.low < 0]
        if len(signs) == 2:
            return b.binary(exp.NEQ, *signs)
        return signs[0] if signs else None

    def _round_division(
        self, division: exact.RoundDivision, lower: Callable[[exact.Whole], exp.Expr], magnitude: int
    ) -> exp.Expr:
        dividend, divisor, dialect = division.dividend, division.divisor, self._dialect
        size = self._size(dividend, lower(dividend), magnitude)
        by = self._not_zero(divisor, lower(divisor), magnitude)
        negative = self._opposite(dividend, divisor, lower)
        truncated = dialect.quotient(size, by, magnitude)
        match division.mode:
            case "half_up":
                # The least remainder that rounds up: half of the divisor, rounded up.
                enough = dialect.quotient(b.add(by.copy(), b.number(1)), self._constant(2, magnitude), magnitude)
                half = b.binary(exp.GTE, dialect.remainder(size.copy(), by.copy(), magnitude), enough)
                rounded = b.add(truncated, b.case([(half, b.number(1))], b.number(0)))
                return self._signed(negative, rounded)
            case "down":
                return self._signed(negative, truncated)
            case "floor" | "ceil":
                uneven = b.binary(exp.GT, dialect.remainder(size.copy(), by.copy(), magnitude), b.number(0))
                away = b.add(truncated.copy(), b.case([(uneven, b.number(1))], b.number(0)))
                up, down = (away, truncated) if division.mode == "ceil" else (truncated, away)
                return up if negative is None else b.case([(negative, dialect.negate(down))], up)
            case mode:
                raise ValueError(mode)

    def _constant(self, value: int, magnitude: int) -> exp.Expr:
        """A constant among numbers of that magnitude: where they are narrow, a bare literal will do."""
        return b.number(value) if magnitude <= NARROW else self._dialect.wide_constant(value)

    def _signed(self, negative: exp.Expr | None, size: exp.Expr) -> exp.Expr:
        """A number of that magnitude, below zero where a condition holds."""
        return size if negative is None else b.case([(negative, self._dialect.negate(size))], size.copy())

    def _size(self, whole: exact.Whole, node: exp.Expr, magnitude: int) -> exp.Expr:
        """The magnitude of a number."""
        return self._dialect.absolute(node, magnitude) if whole.bounds.low < 0 else node

    def _not_zero(self, whole: exact.Whole, node: exp.Expr, magnitude: int) -> exp.Expr:
        """The magnitude of a divisor, null where it is zero."""
        size = self._size(whole, node, magnitude)
        return exp.Nullif(this=size, expression=b.number(0)) if whole.bounds.low <= 0 <= whole.bounds.high else size

    def _foreign(self, call: Call) -> exp.Expr:
        """A whole number out of a text, an instant or a duration."""
        operand, *others = call.args
        if call.overload == "size_string":
            return self._dialect.size(self.text(operand))
        of, _, what = call.overload.removesuffix("_with_tz").partition("_to_")
        micros = self.micros(operand)
        if of == "duration":
            return self._part_of_duration(micros, what)
        if others:
            (name,) = others
            assert isinstance(name, Literal)
            micros = self._clock(micros, str(name.value))
        if what in _MICROS:
            larger = {"hours": 24, "minutes": 60, "seconds": 60, "milliseconds": 1000}[what]
            since_midnight = self._calendar.time_of_day(micros)
            return self._calendar.mod(self._calendar.div(since_midnight, _MICROS[what]), larger)
        return self._calendar.part(what, self._calendar.day(micros))

    def _clock(self, micros: exp.Expr, name: str) -> exp.Expr:
        """What the clock of a zone shows at an instant; a column, since a getter reads it dozens of times."""
        shown = b.add(micros, self._calendar.offset(micros.copy(), zone(name)))
        return b.column(self.clocks.setdefault(shown, f"meterspec_clock_{len(self.clocks) + 1}"))

    def _part_of_duration(self, micros: exp.Expr, what: str) -> exp.Expr:
        size = self._dialect.absolute(micros, NARROW)
        rest = self._calendar.mod(size, 1_000_000) if what == "milliseconds" else size
        negative = b.binary(exp.LT, micros.copy(), b.number(0))
        return self._signed(negative, self._calendar.div(rest, _MICROS[what]))


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
