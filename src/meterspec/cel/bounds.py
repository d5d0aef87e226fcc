"""What is known of an expression before any event: what a condition implies, and between which bounds a number is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from math import ceil, floor, inf, trunc
from typing import Any

from meterspec.cel.evaluate import DIVISION_SCALE, constant, quotient, round_half_up
from meterspec.cel.lexer import MAX_INT, MIN_INT
from meterspec.cel.tree import Call, Expr, FieldRef, Literal
from meterspec.cel.types import Environment, Type
from meterspec.records import record

__all__ = ["NO_FACTS", "Facts", "Interval", "Memo", "bounds", "facts", "outcome", "present", "unwidened"]

Facts = frozenset[tuple[Expr, bool]]
"""Conditions that are known to be true, or false."""
NO_FACTS: Facts = frozenset()
Memo = dict[tuple[int, bool], tuple[Expr, Facts | None]]
"""What has been worked out, by identity; the expression is kept as well, so that no other takes its place."""

Number = int | Fraction
NUMBERS = frozenset((Type.INT, Type.DECIMAL, Type.TIMESTAMP, Type.DURATION))
SUFFIX = {Type.INT: "int64", Type.DECIMAL: "decimal", Type.DURATION: "duration_duration"}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
RELATIONS = {"equals": "==", "not_equals": "!="}
for _name, _symbol in (("less", "<"), ("less_equals", "<="), ("greater", ">"), ("greater_equals", ">=")):
    for _type in ("int64", "decimal", "timestamp", "duration"):
        RELATIONS[f"{_name}_{_type}"] = _symbol
GETTER_BOUNDS = {
    "year": (1, 9999),
    "month": (0, 11),
    "day_of_month_1_based": (1, 31),
    "day_of_month": (0, 30),
    "day_of_week": (0, 6),
    "day_of_year": (0, 365),
    "hours": (0, 23),
    "minutes": (0, 59),
    "seconds": (0, 59),
    "milliseconds": (0, 999),
}
LENGTHS = {"duration_to_hours": 3_600_000_000, "duration_to_minutes": 60_000_000, "duration_to_seconds": 1_000_000}


@record(frozen=True, slots=True)
class Interval:
    """The numbers from `low` to `high`, both included; None means no bound. Times are in microseconds."""

    low: Number | None = None
    high: Number | None = None
    nonzero: bool = False
    """Zero is left out, even where it lies between."""

    @property
    def excludes_zero(self) -> bool:
        return self.nonzero or (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)

    def meet(self, other: Interval) -> Interval:
        """The numbers in both."""
        low = other.low if self.low is None else self.low if other.low is None else max(self.low, other.low)
        high = other.high if self.high is None else self.high if other.high is None else min(self.high, other.high)
        return Interval(low, high, self.nonzero or other.nonzero)

    def join(self, other: Interval) -> Interval:
        """The least interval that holds both."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Interval(low, high, self.excludes_zero and other.excludes_zero)


ANYTHING = Interval()


def facts(expr: Expr, truth: bool = True, memo: Memo | None = None) -> Facts:
    """What is known wherever a condition is true, or false: its parts that then must be, taken out of `&& || ! ?:`.

    Calls that share a `memo` share their work, as the conditions of a long chain do.
    """
    return implied(expr, truth, {} if memo is None else memo) or NO_FACTS


def implied(expr: Expr, truth: bool, memo: Memo) -> Facts | None:
    """None where the condition cannot be so at all."""
    key = id(expr), truth
    if key in memo:
        return memo[key][1]
    found: Facts | None = None
    match expr:
        case Literal(bool(value)):
            found = NO_FACTS if value is truth else None
        case Call("logical_not", (inner,)):
            found = implied(inner, not truth, memo)
        case Call("logical_and", (left, right)) if truth:
            found = both(implied(left, True, memo), implied(right, True, memo))
        case Call("logical_or", (left, right)) if not truth:
            found = both(implied(left, False, memo), implied(right, False, memo))
        case Call("logical_and" | "logical_or", (left, right)):
            ahead = implied(left, not truth, memo)
            found = either(implied(left, truth, memo), both(ahead, implied(right, truth, memo)))
        case Call("conditional", (condition, then, otherwise)):
            first = both(implied(condition, True, memo), implied(then, truth, memo))
            found = either(first, both(implied(condition, False, memo), implied(otherwise, truth, memo)))
        case _:
            found = frozenset(((expr, truth),))
    memo[key] = expr, found
    return found


def both(left: Facts | None, right: Facts | None) -> Facts | None:
    return None if left is None or right is None else left | right


def either(left: Facts | None, right: Facts | None) -> Facts | None:
    return right if left is None else left if right is None else left & right


def present(known: Facts, env: Environment) -> frozenset[str]:
    """The optional fields that an event must have where these facts hold."""
    found = set()
    for expr, truth in known:
        match expr:
            case Call("has", (FieldRef(name),)) if truth:
                found.add(name)
            case FieldRef(name):
                found.add(name)
            case Call("equals" | "not_equals" as relation, (left, right)) if truth is (relation == "equals"):
                for one, other in ((left, right), (right, left)):
                    field = field_of(one)
                    if field and not may_lack(other, env):
                        found.add(field)
            case Call("in_list", (item, items)) if truth:
                field = field_of(item)
                if field and not any(may_lack(one, env) for one in getattr(items, "items", ())):
                    found.add(field)
    return frozenset(name for name in found if name in env and env[name].nullable)


def field_of(expr: Expr) -> str | None:
    match expr:
        case FieldRef(name) | Call("int64_to_decimal", (FieldRef(name),)):
            return name
        case _:
            return None


def may_lack(expr: Expr, env: Environment) -> bool:
    name = field_of(expr)
    return name is not None and env[name].nullable


def outcome(relation: Call, env: Environment) -> bool | None:
    """What a comparison always gives by the declared bounds of its sides; None where both outcomes can be."""
    symbol = RELATIONS.get(relation.overload)
    if symbol is None or relation.args[0].type not in NUMBERS:
        return None
    left, right = relation.args
    if type(left) is Literal:
        symbol, left, right = FLIPPED[symbol], right, left
    first = bounds(left, env)
    if first.low is None and first.high is None:
        return None
    return decided(symbol, first, bounds(right, env))


def decided(symbol: str, left: Interval, right: Interval) -> bool | None:
    """Whether a relation holds between all numbers of two intervals, or between none; None for some."""
    if symbol in (">", ">="):
        symbol, left, right = FLIPPED[symbol], right, left
    below = left.high is not None and right.low is not None and left.high < right.low
    touching = left.high is not None and right.low is not None and left.high <= right.low
    above = left.low is not None and right.high is not None and left.low > right.high
    meeting = left.low is not None and right.high is not None and left.low >= right.high
    if symbol == "<":
        return True if below else False if meeting else None
    if symbol == "<=":
        return True if touching else False if above else None
    return (symbol == "!=") if below or above else None


def bounds(expr: Expr, env: Environment, known: Facts = NO_FACTS) -> Interval:
    """Between which numbers a numeric expression lies, for every event that keeps its schema and these facts.

    An integer field without bounds has 64 bits. A division by anything but a constant is rounded to 18 decimals, and
    so are its bounds.
    """
    return measure(expr, env, known, ranges(known, env) if known else {})


def measure(expr: Expr, env: Environment, known: Facts, guards: dict[Expr, Interval]) -> Interval:
    if isinstance(expr, FieldRef):
        found = declared(expr, env)
    elif isinstance(expr, Literal):
        return point(expr)
    elif isinstance(expr, Call):
        overload, args = expr.overload, expr.args
        if overload == "conditional":
            found = branches(args, env, known, guards)
        elif overload == "size_string":
            found = size(args[0], env)
        elif overload.startswith("timestamp_to_"):
            found = Interval(*GETTER_BOUNDS[overload.removeprefix("timestamp_to_").removesuffix("_with_tz")])
        elif expr.type in NUMBERS:
            found = computed(overload, [measure(arg, env, known, guards) for arg in args])
            if overload == "divide_decimal" and not constant(args[1]):
                found = at_scale(found)
        else:
            return ANYTHING
    else:
        return ANYTHING
    guard = guards.get(unwidened(expr)) if guards else None
    return found.meet(guard) if guard else found


def point(literal: Literal) -> Interval:
    value = literal.value
    if isinstance(value, Decimal):
        exact = exactly(value)
        return Interval(exact, exact, value != 0)
    if isinstance(value, int) and literal.type is not Type.BOOL:
        return Interval(value, value, value != 0)
    return ANYTHING


def branches(args: tuple[Expr, ...], env: Environment, known: Facts, guards: dict[Expr, Interval]) -> Interval:
    """The bounds of a conditional: each branch under what its condition then implies."""
    condition, *both_branches = args
    found: list[Interval] = []
    for truth, branch in zip((True, False), both_branches, strict=True):
        more = implied(condition, truth, {})
        if more is not None:
            wider = known | more
            found.append(measure(branch, env, wider, guards if wider == known else ranges(wider, env)))
    return reduce(Interval.join, found) if found else ANYTHING


def size(text: Expr, env: Environment) -> Interval:
    values = env[text.name].values if type(text) is FieldRef and text.name in env else None
    return Interval(min(map(len, values)), max(map(len, values))) if values else Interval(0)


def declared(field: FieldRef, env: Environment) -> Interval:
    variable = env.get(field.name)
    if variable is None:
        return ANYTHING
    low = None if variable.low is None else exactly(variable.low)
    high = None if variable.high is None else exactly(variable.high)
    if variable.type is Type.INT:
        low = MIN_INT if low is None else ceil(low)
        high = MAX_INT if high is None else floor(high)
    return Interval(low, high)


def exactly(value: Decimal) -> Number:
    return int(value) if value == value.to_integral_value() else Fraction(value)


def computed(overload: str, args: list[Interval]) -> Interval:
    """The bounds of a call from those of its arguments."""
    first, last = args[0], args[-1]
    match overload.partition("_")[0]:
        case "add":
            return Interval(plus(first.low, last.low), plus(first.high, last.high))
        case "subtract":
            return Interval(plus(first.low, minus(last.high)), plus(first.high, minus(last.low)))
        case "negate":
            return Interval(minus(first.high), minus(first.low), first.nonzero)
        case "multiply":
            return product(first, last)
        case "modulo":
            return modulo(first, last)
    match overload:
        case "int64_to_decimal":
            return first
        case "divide_int64":
            exact = divided(first, last, smallest=1)
            return Interval(mapped(trunc, exact.low), mapped(trunc, exact.high))
        case "divide_decimal":
            return divided(first, last, smallest=0)
        case "decimal_to_int64":
            return Interval(mapped(trunc, first.low), mapped(trunc, first.high))
        case "math_ceil_decimal":
            return Interval(mapped(ceil, first.low), mapped(ceil, first.high))
        case "math_floor_decimal":
            return Interval(mapped(floor, first.low), mapped(floor, first.high))
        case "math_round_decimal":
            return Interval(mapped(rounded, first.low), mapped(rounded, first.high))
        case "math_abs_int64" | "math_abs_decimal":
            return absolute(first)
        case "math_least_int64" | "math_least_decimal":
            return least(args)
        case "math_greatest_int64" | "math_greatest_decimal":
            negated = [Interval(minus(arg.high), minus(arg.low), arg.nonzero) for arg in args]
            lowest = least(negated)
            return Interval(minus(lowest.high), minus(lowest.low), lowest.nonzero)
        case "duration_to_milliseconds":
            return Interval(-999, 999)
        case _ if overload in LENGTHS:
            unit = LENGTHS[overload]
            return Interval(
                mapped(lambda end: quotient(end, unit), first.low), mapped(lambda end: quotient(end, unit), first.high)
            )
    return ANYTHING


def at_scale(exact: Interval) -> Interval:
    """The bounds of a quotient that is rounded for each event."""
    unit = 10**DIVISION_SCALE
    low = None if exact.low is None else Fraction(floor(exact.low * unit), unit)
    high = None if exact.high is None else Fraction(ceil(exact.high * unit), unit)
    return Interval(low, high)


def plus(left: Number | None, right: Number | None) -> Number | None:
    return None if left is None or right is None else left + right


def minus(value: Number | None) -> Number | None:
    return None if value is None else -value


def rounded(value: Number) -> int:
    return int(round_half_up(Fraction(value), 0))


def mapped(function: Callable[[Any], int], value: Number | None) -> int | None:
    return None if value is None else function(value)


def least(args: list[Interval]) -> Interval:
    """The bounds of the least of several: it is above all lows, and below the lowest high."""
    lows = [arg.low for arg in args]
    highs = [arg.high for arg in args if arg.high is not None]
    low = None if any(end is None for end in lows) else min(end for end in lows if end is not None)
    return Interval(low, min(highs) if highs else None, all(arg.excludes_zero for arg in args))


def absolute(arg: Interval) -> Interval:
    if arg.low is not None and arg.low >= 0:
        return arg
    if arg.high is not None and arg.high <= 0:
        return Interval(minus(arg.high), minus(arg.low), arg.nonzero)
    high = None if arg.low is None or arg.high is None else max(-arg.low, arg.high)
    return Interval(0, high, arg.nonzero)


def ends(arg: Interval) -> tuple[Number | float, Number | float]:
    return -inf if arg.low is None else arg.low, inf if arg.high is None else arg.high


def finite(value: Number | float) -> Number | None:
    return None if isinstance(value, float) else value


def times(left: Number | float, right: Number | float) -> Number | float:
    """A product in which no bound times zero is zero; `inf` never meets a number in arithmetic."""
    if not left or not right:
        return 0
    if isinstance(left, float) or isinstance(right, float):
        return inf if (left > 0) == (right > 0) else -inf
    return left * right


def product(left: Interval, right: Interval) -> Interval:
    corners = [times(a, b) for a in ends(left) for b in ends(right)]
    return Interval(finite(min(corners)), finite(max(corners)), left.excludes_zero and right.excludes_zero)


def divided(dividend: Interval, divisor: Interval, smallest: int) -> Interval:
    """The bounds of an exact quotient; `smallest` is the least size of a divisor that is not zero, if there is one."""
    low, high = divisor.low, divisor.high
    if low is not None and low >= 0:
        least = max(low, smallest)
        reciprocal = Interval(0 if high is None else reverse(high), reverse(least))
    elif high is not None and high <= 0:
        least = max(-high, smallest)
        reciprocal = Interval(minus(reverse(least)), 0 if low is None else reverse(low))
    else:
        reciprocal = Interval(minus(reverse(smallest)), reverse(smallest))
    exact = product(dividend, reciprocal)
    return Interval(exact.low, exact.high, dividend.excludes_zero)


def reverse(value: Number) -> Number | None:
    return 1 / Fraction(value) if value else None


def modulo(dividend: Interval, divisor: Interval) -> Interval:
    """A remainder has the sign of the dividend, and is smaller than the divisor and no larger than the dividend."""
    size = absolute(divisor).high
    limit = None if size is None else size - 1
    low, high = dividend.low, dividend.high
    lowest = (
        0
        if low is not None and low >= 0
        else minus(limit)
        if low is None
        else low
        if limit is None
        else max(low, -limit)
    )
    highest = (
        0 if high is not None and high <= 0 else limit if high is None else high if limit is None else min(high, limit)
    )
    return Interval(lowest, highest)


def unwidened(expr: Expr) -> Expr:
    match expr:
        case Call("int64_to_decimal", (inner,)):
            return inner
        case _:
            return expr


def ranges(known: Facts, env: Environment) -> dict[Expr, Interval]:
    """What facts say about numbers: `b > 0` about `b`, and `b > a` about `b - a`."""
    found: dict[Expr, Interval] = {}
    for fact, truth in known:
        if not isinstance(fact, Call):
            continue
        symbol = RELATIONS.get(fact.overload)
        if symbol is None or fact.args[0].type not in NUMBERS:
            continue
        if not truth:
            symbol = OPPOSITE[symbol]
        left, right = fact.args
        for subject, relation, other in ((left, symbol, right), (right, FLIPPED[symbol], left)):
            if isinstance(subject, Literal):
                continue
            if isinstance(other, Literal):
                note(found, unwidened(subject), limit(subject, relation, other, env))
            elif subject.type in SUFFIX or subject.type is Type.TIMESTAMP:
                suffix = SUFFIX.get(subject.type, "timestamp_timestamp")
                kind = Type.DURATION if subject.type is Type.TIMESTAMP else subject.type
                zero = Literal(0, kind)
                difference = Call(f"subtract_{suffix}", (subject, other), kind)
                note(found, difference, limit(difference, relation, zero, env))
    return found


def note(found: dict[Expr, Interval], expr: Expr, interval: Interval) -> None:
    earlier = found.get(expr)
    found[expr] = interval if earlier is None else earlier.meet(interval)


def limit(subject: Expr, relation: str, constant: Literal, env: Environment) -> Interval:
    """The numbers that keep a relation to a constant."""
    value = constant.value
    if not isinstance(value, int | Decimal):
        return ANYTHING
    edge: Number = exactly(value) if isinstance(value, Decimal) else value
    unit = step(unwidened(subject), env)
    match relation:
        case "==":
            return Interval(edge, edge, edge != 0)
        case "!=":
            return Interval(nonzero=edge == 0)
        case ">=":
            return Interval(edge if unit is None else ceil(edge / unit) * unit)
        case "<=":
            return Interval(None, edge if unit is None else floor(edge / unit) * unit)
        case ">":
            return Interval(edge, None, edge == 0) if unit is None else Interval((floor(edge / unit) + 1) * unit)
        case _:
            return Interval(None, edge, edge == 0) if unit is None else Interval(None, (ceil(edge / unit) - 1) * unit)


def step(subject: Expr, env: Environment) -> Fraction | None:
    """What a number is a whole multiple of; None where nothing is known."""
    if subject.type is not Type.DECIMAL:
        return Fraction(1)
    match subject:
        case FieldRef(name) if name in env:
            return Fraction(1, 10 ** env[name].scale)
        case _:
            return None
