"""The value of a typed expression for one event, by the meaning of each overload."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import re2

from meterspec import ir
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk

from .values import SECOND, Value, moment, rounded

__all__ = ["LAZY", "STRICT", "EvaluationError", "UnknownOverloadError", "evaluate"]

LAZY = {
    "logical_and", "logical_or", "conditional", "equals", "not_equals", "in_list", "has", "divide_decimal",
}  # fmt: skip
"""The overloads that do not simply take the values of all their operands; STRICT has the others."""


class EvaluationError(Exception):
    """What a checked expression can never meet on an accepted event: a missing operand, a division by zero."""


class UnknownOverloadError(Exception):
    """An overload that has no meaning here yet."""


def evaluate(expr: Expr, event: Mapping[str, Value]) -> Value:
    """The exact value; EvaluationError where the checker let pass what it should have refused."""
    match expr:
        case Literal(value):
            return value if value is None or isinstance(value, bool | int | str) else Fraction(value)
        case FieldRef(name):
            return event[name]
        case ListOf():
            raise EvaluationError("a list stands only to the right of `in`")
        case Call(overload, args):
            return _call(overload, args, event)


def _call(overload: str, args: tuple[Expr, ...], event: Mapping[str, Value]) -> Value:
    """The meaning of an operator or function: the lazy ones are here, the others in STRICT."""
    match overload, args:
        case "logical_and", _:
            return _logical(args, event, decisive=False)
        case "logical_or", _:
            return _logical(args, event, decisive=True)
        case "conditional", (condition, then, otherwise):
            return evaluate(then if _truth(condition, event) else otherwise, event)
        case "equals", (left, right):
            return evaluate(left, event) == evaluate(right, event)
        case "not_equals", (left, right):
            return evaluate(left, event) != evaluate(right, event)
        case "in_list", (needle, ListOf(items)):
            wanted = evaluate(needle, event)
            return any(wanted == evaluate(item, event) for item in items)
        case "has", (FieldRef(name),):
            return event[name] is not None
        case "divide_decimal", (dividend, divisor):
            return _divide(dividend, divisor, event)
    if overload not in STRICT:
        raise UnknownOverloadError(overload)
    return STRICT[overload](*_operands(overload, args, event))


def _operands(overload: str, args: tuple[Expr, ...], event: Mapping[str, Value]) -> Iterator[Any]:
    for arg in args:
        value = evaluate(arg, event)
        if value is None:
            raise EvaluationError(f"{overload} of a missing value")
        yield value


def _truth(expr: Expr, event: Mapping[str, Value]) -> bool:
    value = evaluate(expr, event)
    if not isinstance(value, bool):
        raise EvaluationError(f"{value!r} is neither true nor false")
    return value


def _logical(args: tuple[Expr, ...], event: Mapping[str, Value], *, decisive: bool) -> bool:
    """`&&` and `||` in either order: an operand that decides makes up for one that cannot be evaluated."""
    failure: EvaluationError | None = None
    for arg in args:
        try:
            if _truth(arg, event) is decisive:
                return decisive
        except EvaluationError as error:
            failure = error
    if failure is not None:
        raise failure
    return not decisive


def _divide(dividend: Expr, divisor: Expr, event: Mapping[str, Value]) -> Fraction:
    """Exact by a constant; by anything else, to 18 decimals."""
    a, b = _operands("divide_decimal", (dividend, divisor), event)
    if b == 0:
        raise EvaluationError("a division by zero")
    exact = Fraction(a) / b
    return exact if _is_constant(divisor) else rounded(exact, 18, ir.Rounding.HALF_UP)


def _is_constant(expr: Expr) -> bool:
    return not any(isinstance(node, FieldRef) for node in walk(expr))


# -- numbers


def _divide_whole(a: int, b: int) -> int:
    """Toward zero."""
    if b == 0:
        raise EvaluationError("a division by zero")
    return math.trunc(Fraction(a, b))


def _remainder(a: int, b: int) -> int:
    """With the sign of the dividend."""
    return a - b * _divide_whole(a, b)


def _nearest(exact: Fraction) -> Fraction:
    """To a whole number, ties away from zero."""
    return rounded(exact, 0, ir.Rounding.HALF_UP)


# -- texts

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""The characters with the Unicode property White_Space."""


def _ascii_case(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(character) if character.isascii() else character for character in text)


def _matches(text: str, pattern: str) -> bool:
    return re2.search(pattern, text) is not None


# -- times

PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month - 1,
    "day_of_year": lambda at: at.timetuple().tm_yday - 1,
    "day_of_month": lambda at: at.day - 1,
    "day_of_month_1_based": lambda at: at.day,
    "day_of_week": lambda at: at.isoweekday() % 7,
    "hours": lambda at: at.hour,
    "minutes": lambda at: at.minute,
    "seconds": lambda at: at.second,
    "milliseconds": lambda at: at.microsecond // 1000,
}
"""What the getters give: months and days from 0, weekdays from Sunday, 0."""


def _zone(name: str) -> tzinfo:
    """An IANA zone, or an offset such as `-05:00`."""
    offset = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name)
    if offset is None:
        return ZoneInfo(name)
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return timezone(-ahead if offset[1] == "-" else ahead)


def _getter(part: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda at, zone="UTC": part(moment(at).astimezone(_zone(zone)))


def _duration_part(unit: int) -> Callable[[int], int]:
    return lambda length: math.trunc(Fraction(length, unit))


# -- the overloads that are strict: a missing operand has no meaning

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "less": operator.lt,
    "less_equals": operator.le,
    "greater": operator.gt,
    "greater_equals": operator.ge,
}
"""Texts are compared by code point; so are they in Python. False is less than true."""

STRICT: dict[str, Callable[..., Value]] = {
    **{
        f"{name}_{kind}": compare
        for name, compare in COMPARISONS.items()
        for kind in ("bool", "int64", "decimal", "string", "timestamp", "duration")
    },
    "logical_not": operator.not_,
    "add_int64": operator.add,
    "add_decimal": operator.add,
    "add_string": operator.add,
    "add_duration_duration": operator.add,
    "add_timestamp_duration": operator.add,
    "add_duration_timestamp": operator.add,
    "subtract_int64": operator.sub,
    "subtract_decimal": operator.sub,
    "subtract_duration_duration": operator.sub,
    "subtract_timestamp_duration": operator.sub,
    "subtract_timestamp_timestamp": operator.sub,
    "multiply_int64": operator.mul,
    "multiply_decimal": operator.mul,
    "divide_int64": _divide_whole,
    "modulo_int64": _remainder,
    "negate_int64": operator.neg,
    "negate_decimal": operator.neg,
    "int64_to_decimal": Fraction,
    "decimal_to_int64": math.trunc,
    "int64_to_string": str,
    "bool_to_string": lambda value: "true" if value else "false",
    "math_least_int64": min,
    "math_least_decimal": min,
    "math_greatest_int64": max,
    "math_greatest_decimal": max,
    "math_abs_int64": abs,
    "math_abs_decimal": abs,
    "math_ceil_decimal": lambda exact: Fraction(math.ceil(exact)),
    "math_floor_decimal": lambda exact: Fraction(math.floor(exact)),
    "math_round_decimal": _nearest,
    "size_string": len,
    "starts_with_string": str.startswith,
    "ends_with_string": str.endswith,
    "contains_string": operator.contains,
    "matches_string": _matches,
    "lower_ascii": lambda text: _ascii_case(text, str.lower),
    "upper_ascii": lambda text: _ascii_case(text, str.upper),
    "trim": lambda text: text.strip(WHITE_SPACE),
    **{f"timestamp_to_{name}": _getter(part) for name, part in PARTS.items()},
    **{f"timestamp_to_{name}_with_tz": _getter(part) for name, part in PARTS.items()},
    "duration_to_hours": _duration_part(3600 * SECOND),
    "duration_to_minutes": _duration_part(60 * SECOND),
    "duration_to_seconds": _duration_part(SECOND),
    "duration_to_milliseconds": lambda length: (
        math.trunc(Fraction(length, 1000)) - 1000 * math.trunc(Fraction(length, SECOND))
    ),
}
