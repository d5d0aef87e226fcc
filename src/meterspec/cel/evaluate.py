"""What a checked expression gives for one event, exactly: the meaning that every engine has to meet.

The compiler folds constants with it, the examples of the function table run on it, and tests hold engines to it.
Numbers are `int` and `Fraction`; instants and lengths of time are microseconds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import ceil, floor, trunc
from typing import Any

from meterspec.cel.functions import GETTERS, WHITESPACE
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Type

__all__ = ["DIVISION_SCALE", "Value", "as_decimal", "constant", "evaluate", "fold", "round_half_up"]

Value = bool | int | Fraction | str | None
"""A value of an expression; None is a missing field."""

DIVISION_SCALE = 18
"""Decimals of a division by anything but a constant."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def evaluate(expr: Expr, event: Mapping[str, Value | Decimal]) -> Value:
    """The value of a checked expression for an event that keeps its schema; an absent field is missing."""
    match expr:
        case Literal(value):
            return Fraction(value) if isinstance(value, Decimal) else value
        case FieldRef(name):
            held = event.get(name)
            return Fraction(held) if isinstance(held, Decimal) else held
        case ListOf():
            raise TypeError("a list has no value of its own")
        case Call("logical_and", (left, right)):
            return bool(evaluate(left, event) and evaluate(right, event))
        case Call("logical_or", (left, right)):
            return bool(evaluate(left, event) or evaluate(right, event))
        case Call("conditional", (condition, then, otherwise)):
            return evaluate(then if evaluate(condition, event) else otherwise, event)
        case Call("has", (field,)):
            return evaluate(field, event) is not None
        case Call("in_list", (item, ListOf(items))):
            wanted = evaluate(item, event)
            return any(wanted == evaluate(candidate, event) for candidate in items)
        case Call("divide_decimal", (left, right)):
            quotient: Fraction = Fraction(evaluate(left, event)) / evaluate(right, event)  # type: ignore[operator, arg-type]
            return quotient if constant(right) else round_half_up(quotient, DIVISION_SCALE)
        case Call(overload, args):
            found: Value = _MEANING[overload](*(evaluate(arg, event) for arg in args))
            return found


def fold(overload: str, args: tuple[Literal, ...], result: Type) -> Literal | None:
    """The constant that a call of constants gives; None where there is no exact one, as for `1 / 3.0`.

    Raises ZeroDivisionError, and OverflowError for an instant or a number outside what a constant can hold.
    """
    if overload == "matches_string":  # a hostile pattern could take its time
        return None
    value = evaluate(Call(overload, args, result), {})
    if isinstance(value, Fraction):
        exact = as_decimal(value)
        return None if exact is None else Literal(exact, result)
    return Literal(value, result)


def constant(expr: Expr) -> bool:
    """Whether no field stands in an expression."""
    return not any(isinstance(node, FieldRef) for node in walk(expr))


def as_decimal(value: Fraction) -> Decimal | None:
    """The same number as a decimal; None where its decimals never end."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        return None
    return Decimal(f"{value.numerator * 10**places // value.denominator}E-{places}")


def round_half_up(value: Fraction, scale: int) -> Fraction:
    """The nearest multiple of 10^-scale; halves go away from zero."""
    unit = 10**scale
    rounded = floor(abs(value) * unit + Fraction(1, 2))
    return Fraction(rounded if value >= 0 else -rounded, unit)


def quotient(left: int, right: int) -> int:
    """Whole-number division, cut toward zero."""
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def remainder(left: int, right: int) -> int:
    return left - right * quotient(left, right)


@cache
def zone(text: str) -> tzinfo:
    """The zone of a checked name or offset."""
    if text[-3:-2] == ":":
        sign = -1 if text.startswith("-") else 1
        hours, minutes = text.lstrip("+-").split(":")
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    from importlib.resources import files  # noqa: PLC0415 - only where a zone is named
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    with files("tzdata").joinpath("zoneinfo", *text.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, text)


PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month - 1,
    "day_of_month_1_based": lambda at: at.day,
    "day_of_month": lambda at: at.day - 1,
    "day_of_week": lambda at: at.isoweekday() % 7,
    "day_of_year": lambda at: at.timetuple().tm_yday - 1,
    "hours": lambda at: at.hour,
    "minutes": lambda at: at.minute,
    "seconds": lambda at: at.second,
    "milliseconds": lambda at: at.microsecond // 1000,
}


def getter(part: Callable[[datetime], int]) -> Callable[..., int]:
    def get(microseconds: int, name: str | None = None) -> int:
        instant = EPOCH + microseconds * MICROSECOND
        return part(instant if name is None else instant.astimezone(zone(name)))

    return get


def ascii_case(low: str, high: str, offset: int) -> Callable[[str], str]:
    table = {code: code + offset for code in range(ord(low), ord(high) + 1)}
    return lambda text: text.translate(table)


def matches(text: str, pattern: str) -> bool:
    from meterspec.cel.pattern import matcher  # noqa: PLC0415 - loads `re` machinery that no constant needs

    return matcher(pattern).search(text) is not None


_MEANING: dict[str, Callable[..., Any]] = {
    "divide_int64": quotient,
    "modulo_int64": remainder,
    "equals": operator.eq,
    "not_equals": operator.ne,
    "logical_not": operator.not_,
    "size_string": len,
    "starts_with_string": str.startswith,
    "ends_with_string": str.endswith,
    "contains_string": operator.contains,
    "matches_string": matches,
    "lower_ascii": ascii_case("A", "Z", 32),
    "upper_ascii": ascii_case("a", "z", -32),
    "trim": lambda text: text.strip(WHITESPACE),
    "add_string": operator.add,
    "int64_to_decimal": Fraction,
    "decimal_to_int64": trunc,
    "int64_to_string": str,
    "bool_to_string": lambda value: "true" if value else "false",
    "math_ceil_decimal": lambda value: Fraction(ceil(value)),
    "math_floor_decimal": lambda value: Fraction(floor(value)),
    "math_round_decimal": lambda value: round_half_up(value, 0),
    "duration_to_hours": lambda length: quotient(length, 3_600_000_000),
    "duration_to_minutes": lambda length: quotient(length, 60_000_000),
    "duration_to_seconds": lambda length: quotient(length, 1_000_000),
    "duration_to_milliseconds": lambda length: quotient(remainder(length, 1_000_000), 1000),
}
for _suffix in ("int64", "decimal"):
    _MEANING |= {
        f"add_{_suffix}": operator.add,
        f"subtract_{_suffix}": operator.sub,
        f"multiply_{_suffix}": operator.mul,
        f"negate_{_suffix}": operator.neg,
        f"math_least_{_suffix}": min,
        f"math_greatest_{_suffix}": max,
        f"math_abs_{_suffix}": abs,
    }
for _suffix in ("int64", "decimal", "string", "bool", "timestamp", "duration"):
    _MEANING |= {
        f"less_{_suffix}": operator.lt,
        f"less_equals_{_suffix}": operator.le,
        f"greater_{_suffix}": operator.gt,
        f"greater_equals_{_suffix}": operator.ge,
    }
for _left, _right in (("timestamp", "duration"), ("duration", "timestamp"), ("duration", "duration")):
    _MEANING[f"add_{_left}_{_right}"] = operator.add
for _left, _right in (("timestamp", "timestamp"), ("timestamp", "duration"), ("duration", "duration")):
    _MEANING[f"subtract_{_left}_{_right}"] = operator.sub
for _, _part, *_rest in GETTERS:
    _MEANING[f"timestamp_to_{_part}"] = _MEANING[f"timestamp_to_{_part}_with_tz"] = getter(PARTS[_part])
