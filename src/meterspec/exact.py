"""Numbers as engines can keep them: every value is a whole number times one constant ratio.

An engine adds and multiplies whole numbers the same everywhere; decimals and divisions differ. So a typed
expression becomes `ratio * whole`, where `whole` is built of whole-number operations on fields scaled to whole
numbers, and `ratio` is an exact constant: `duration_ms / 3600000.0` is 1/3600000 of `duration_ms`. The ratio is
applied once, after the aggregate. Each node knows its bounds, which decides the width an engine needs.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from math import gcd

from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Environment
from meterspec.records import record

__all__ = [
    "DIVISION_SCALE",
    "Absolute",
    "Choose",
    "Column",
    "Constant",
    "Extreme",
    "Foreign",
    "Interval",
    "Product",
    "Quotient",
    "Remainder",
    "RoundDivision",
    "Scaled",
    "Sum",
    "Whole",
    "common",
    "rounding",
    "scaled",
]

DIVISION_SCALE = 18
"""Decimals of a division by anything but a constant; it is rounded per event, half up by magnitude."""


@record(frozen=True, slots=True)
class Interval:
    """Bounds of a whole number, both included."""

    low: int
    high: int

    @property
    def magnitude(self) -> int:
        return max(abs(self.low), abs(self.high))


@record(frozen=True, slots=True)
class Constant:
    value: int

    @property
    def bounds(self) -> Interval:
        return Interval(self.value, self.value)


@record(frozen=True, slots=True)
class Column:
    """A number field times 10^scale."""

    name: str
    scale: int
    bounds: Interval


@record(frozen=True, slots=True)
class Sum:
    """The sum of terms, each times a constant."""

    terms: tuple[tuple[int, Whole], ...]
    bounds: Interval


@record(frozen=True, slots=True)
class Product:
    left: Whole
    right: Whole
    bounds: Interval


@record(frozen=True, slots=True)
class Quotient:
    """CEL's whole-number division: truncates toward zero; null where the divisor is zero."""

    dividend: Whole
    divisor: Whole
    bounds: Interval


@record(frozen=True, slots=True)
class Remainder:
    """CEL's `%`: takes the sign of the dividend; null where the divisor is zero."""

    dividend: Whole
    divisor: Whole
    bounds: Interval


@record(frozen=True, slots=True)
class RoundDivision:
    """A division rounded to a whole number; null where the divisor is zero.

    `mode` is `half_up` (ties away from zero), `down` (toward zero), `floor` or `ceil`.
    """

    dividend: Whole
    divisor: Whole
    mode: str
    bounds: Interval


@record(frozen=True, slots=True)
class Absolute:
    operand: Whole
    bounds: Interval


@record(frozen=True, slots=True)
class Extreme:
    """The least, or the greatest, of several."""

    greatest: bool
    operands: tuple[Whole, ...]
    bounds: Interval


@record(frozen=True, slots=True)
class Choose:
    """One of two by a condition; null where the condition is."""

    condition: Expr
    then: Whole
    otherwise: Whole
    bounds: Interval


@record(frozen=True, slots=True)
class Foreign:
    """A whole number that comes from something else than numbers, such as the size of a text."""

    call: Call
    bounds: Interval


Whole = Constant | Column | Sum | Product | Quotient | Remainder | RoundDivision | Absolute | Extreme | Choose | Foreign


@record(frozen=True, slots=True)
class Scaled:
    """A number: `ratio * whole`; the ratio is positive."""

    ratio: Fraction
    whole: Whole

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """Bounds of the number, both included."""
        return self.ratio * self.whole.bounds.low, self.ratio * self.whole.bounds.high


def scaled(expr: Expr, environment: Environment) -> Scaled:
    """The exact form of a number expression that the checker accepted."""
    match expr:
        case Literal(value=int() | Decimal() as value):
            return _constant(Fraction(value))
        case FieldRef(name):
            return _column(name, environment)
        case Call():
            return _call(expr, environment)
        case Literal() | ListOf():
            raise TypeError(expr)


def common(left: Scaled, right: Scaled) -> tuple[Fraction, Whole, Whole]:
    """Both numbers as whole numbers times one ratio."""
    one, two = left.ratio, right.ratio
    if one == two:
        return one, left.whole, right.whole
    first, second = one.numerator * two.denominator, two.numerator * one.denominator
    shared = gcd(first, second)
    ratio = Fraction(shared, one.denominator * two.denominator)
    return ratio, _times(left.whole, first // shared), _times(right.whole, second // shared)


def rounding(ratio: Fraction, precision: int) -> tuple[int, int]:
    """What a whole number is multiplied and divided by to give `ratio` of it as a whole number of 10^-precision."""
    step = ratio * 10**precision
    return step.numerator, step.denominator


def _constant(value: Fraction) -> Scaled:
    if value == 0:
        return Scaled(Fraction(1), Constant(0))
    return Scaled(abs(value), Constant(1 if value > 0 else -1))


def _column(name: str, environment: Environment) -> Scaled:
    variable = environment[name]
    assert variable.low is not None and variable.high is not None
    steps = 10**variable.scale
    (low, below), (high, above) = variable.low.as_integer_ratio(), variable.high.as_integer_ratio()
    bounds = Interval(-(-low * steps // below), high * steps // above)
    return Scaled(Fraction(1, steps), Column(name, variable.scale, bounds))


def _call(call: Call, environment: Environment) -> Scaled:
    name = call.overload
    if name in _UNARY | _BINARY.keys() | {"divide_decimal"} or name.startswith(("math_least", "math_greatest")):
        operands = [scaled(arg, environment) for arg in call.args]
        if name == "divide_decimal":
            return _divide(*operands, constant=not any(isinstance(node, FieldRef) for node in walk(call.args[1])))
        if name in _BINARY:
            return _BINARY[name](*operands)
        return _unary(name, operands) if name in _UNARY else _extreme(operands, greatest="greatest" in name)
    if name == "conditional":
        condition, then, otherwise = call.args
        ratio, one, two = common(scaled(then, environment), scaled(otherwise, environment))
        return Scaled(ratio, Choose(condition, one, two, _hull(one.bounds, two.bounds)))
    return Scaled(Fraction(1), Foreign(call, _FOREIGN.get(name, Interval(-(2**63), 2**63 - 1))))


_UNARY = {
    "int64_to_decimal",
    "negate_int64",
    "negate_decimal",
    "decimal_to_int64",
    "math_abs_int64",
    "math_abs_decimal",
    "math_ceil_decimal",
    "math_floor_decimal",
    "math_round_decimal",
}
_TO_WHOLE = {
    "decimal_to_int64": "down",
    "math_ceil_decimal": "ceil",
    "math_floor_decimal": "floor",
    "math_round_decimal": "half_up",
}


def _unary(name: str, operands: list[Scaled]) -> Scaled:
    (operand,) = operands
    if name in {"negate_int64", "negate_decimal"}:
        return Scaled(operand.ratio, _times(operand.whole, -1))
    if name in {"math_abs_int64", "math_abs_decimal"}:
        inside = operand.whole.bounds
        least = 0 if inside.low <= 0 <= inside.high else min(abs(inside.low), abs(inside.high))
        return Scaled(operand.ratio, Absolute(operand.whole, Interval(least, inside.magnitude)))
    if name in _TO_WHOLE and operand.ratio.denominator != 1:
        dividend = _times(operand.whole, operand.ratio.numerator)
        divisor = Constant(operand.ratio.denominator)
        low, high = operand.bounds
        mode = _TO_WHOLE[name]
        bounds = Interval(_rounded(low, mode), _rounded(high, mode))
        return Scaled(Fraction(1), RoundDivision(dividend, divisor, mode, bounds))
    return operand


def _add(left: Scaled, right: Scaled, sign: int = 1) -> Scaled:
    ratio, one, two = common(left, right)
    return Scaled(ratio, _sum(((1, one), (sign, two))))


def _subtract(left: Scaled, right: Scaled) -> Scaled:
    return _add(left, right, -1)


def _multiply(left: Scaled, right: Scaled) -> Scaled:
    ratio = left.ratio * right.ratio
    match left.whole, right.whole:
        case Constant(value), whole:
            return Scaled(ratio, _times(whole, value))
        case whole, Constant(value):
            return Scaled(ratio, _times(whole, value))
        case one, two:
            corners = [a * b for a in _ends(one) for b in _ends(two)]
            return Scaled(ratio, Product(one, two, Interval(min(corners), max(corners))))


def _divide(left: Scaled, right: Scaled, *, constant: bool) -> Scaled:
    """A division: by a constant, which names no field, it only changes the ratio; by anything else it is rounded."""
    if constant:
        assert isinstance(right.whole, Constant) and right.whole.value != 0
        return Scaled(left.ratio / right.ratio, _times(left.whole, right.whole.value))
    quotient = left.ratio / right.ratio * 10**DIVISION_SCALE
    dividend = _times(left.whole, quotient.numerator)
    divisor = _times(right.whole, quotient.denominator)
    most = dividend.bounds.magnitude // max(1, _least_magnitude(divisor)) + 1
    bounds = Interval(-most if _may_be_negative(dividend, divisor) else 0, most)
    return Scaled(Fraction(1, 10**DIVISION_SCALE), RoundDivision(dividend, divisor, "half_up", bounds))


def _divide_int(left: Scaled, right: Scaled) -> Scaled:
    one, two = _whole(left), _whole(right)
    most = one.bounds.magnitude // max(1, _least_magnitude(two))
    bounds = Interval(-most if _may_be_negative(one, two) else 0, most)
    return Scaled(Fraction(1), Quotient(one, two, bounds))


def _modulo_int(left: Scaled, right: Scaled) -> Scaled:
    one, two = _whole(left), _whole(right)
    most = min(one.bounds.magnitude, max(0, two.bounds.magnitude - 1))
    bounds = Interval(-most if one.bounds.low < 0 else 0, most if one.bounds.high > 0 else 0)
    return Scaled(Fraction(1), Remainder(one, two, bounds))


_BINARY: dict[str, Callable[[Scaled, Scaled], Scaled]] = {
    "add_int64": _add,
    "add_decimal": _add,
    "subtract_int64": _subtract,
    "subtract_decimal": _subtract,
    "multiply_int64": _multiply,
    "multiply_decimal": _multiply,
    "divide_int64": _divide_int,
    "modulo_int64": _modulo_int,
}

_PARTS = {
    "year": Interval(0, 10_000),  # a zone's clock may show the year before the first, or after the last
    "month": Interval(0, 11),
    "day_of_year": Interval(0, 365),
    "day_of_month": Interval(0, 30),
    "day_of_month_1_based": Interval(1, 31),
    "day_of_week": Interval(0, 6),
    "hours": Interval(0, 23),
    "minutes": Interval(0, 59),
    "seconds": Interval(0, 59),
    "milliseconds": Interval(0, 999),
}
_FOREIGN = {
    "size_string": Interval(0, 2**31 - 1),
    **{f"timestamp_to_{name}{end}": bounds for name, bounds in _PARTS.items() for end in ("", "_with_tz")},
    **{
        f"duration_to_{name}": Interval(-most, most)
        for name, most in (
            ("hours", 2**63 // (3600 * 10**6)),
            ("minutes", 2**63 // (60 * 10**6)),
            ("seconds", 2**63 // 10**6),
            ("milliseconds", 999),
        )
    },
}


def _extreme(operands: list[Scaled], *, greatest: bool) -> Scaled:
    ratio = reduce(_gcd, (operand.ratio for operand in operands))
    wholes = tuple(_times(operand.whole, (operand.ratio / ratio).numerator) for operand in operands)
    pick = max if greatest else min
    bounds = Interval(pick(w.bounds.low for w in wholes), pick(w.bounds.high for w in wholes))
    return Scaled(ratio, Extreme(greatest, wholes, bounds))


def _whole(number: Scaled) -> Whole:
    """The whole number of an int expression, its ratio multiplied in."""
    assert number.ratio.denominator == 1
    return _times(number.whole, number.ratio.numerator)


def _times(whole: Whole, factor: int) -> Whole:
    """A whole number times a whole constant."""
    if factor == 1:
        return whole
    return Constant(whole.value * factor) if isinstance(whole, Constant) else _sum(((factor, whole),))


def _sum(terms: tuple[tuple[int, Whole], ...]) -> Whole:
    """The sum of terms, nested sums made flat, constants and equal terms put together."""
    constant = 0
    factors: dict[Whole, int] = {}
    for factor, term in terms:
        inner = term.terms if isinstance(term, Sum) else ((1, term),)
        for own, whole in inner:
            if isinstance(whole, Constant):
                constant += factor * own * whole.value
            else:
                factors[whole] = factors.get(whole, 0) + factor * own
    flat: list[tuple[int, Whole]] = [(factor, whole) for whole, factor in factors.items() if factor]
    if not flat:
        return Constant(constant)
    if constant:
        flat.append((1, Constant(constant)))
    if len(flat) == 1 and flat[0][0] == 1:
        return flat[0][1]
    low = sum(min(f * w.bounds.low, f * w.bounds.high) for f, w in flat)
    high = sum(max(f * w.bounds.low, f * w.bounds.high) for f, w in flat)
    return Sum(tuple(flat), Interval(low, high))


def _gcd(one: Fraction, two: Fraction) -> Fraction:
    """The greatest ratio that both are whole multiples of."""
    common = gcd(one.numerator * two.denominator, two.numerator * one.denominator)
    return Fraction(common, one.denominator * two.denominator)


def _hull(one: Interval, two: Interval) -> Interval:
    return Interval(min(one.low, two.low), max(one.high, two.high))


def _ends(whole: Whole) -> tuple[int, int]:
    return whole.bounds.low, whole.bounds.high


def _least_magnitude(whole: Whole) -> int:
    bounds = whole.bounds
    return 0 if bounds.low <= 0 <= bounds.high else min(abs(bounds.low), abs(bounds.high))


def _may_be_negative(one: Whole, two: Whole) -> bool:
    return one.bounds.low < 0 or two.bounds.low < 0


def _rounded(value: Fraction, mode: str) -> int:
    match mode:
        case "floor":
            return _floor(value)
        case "ceil":
            return _ceil(value)
        case "down":
            return _floor(value) if value >= 0 else _ceil(value)
        case _:
            half = _floor(abs(value) + Fraction(1, 2))
            return half if value >= 0 else -half


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _ceil(value: Fraction) -> int:
    return -((-value.numerator) // value.denominator)
