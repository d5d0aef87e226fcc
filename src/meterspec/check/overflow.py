"""Overflow: whether every number on the way to a quantity fits the 38 digits that all engines can keep."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from meterspec import exact
from meterspec.cel.lexer import MAX_INT
from meterspec.cel.printer import show
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Environment, Type
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Function
from meterspec.source import Place

__all__ = ["LIMIT", "check", "check_comparisons"]

OVERFLOW = Rule(
    code="MS350",
    slug="possible-overflow",
    title="A number that may not fit 38 digits",
    message="{what} can need {digits} digits, and engines keep 38",
    why="DECIMAL(38) is the widest number that every engine keeps exactly. What the bounds of the fields and the "
    "events of a result allow has to fit it; otherwise a large month would fail, or wrap around.",
    bad="""
        [[families]]
        name = "api.call"
        schema.size = { type = "integer", required = true }
        [[meters]]
        name = "sizes"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "SUM", value = "size * size" }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.size = { type = "integer", required = true, min = 0, max = 1_000_000_000 }
        [[meters]]
        name = "sizes"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "SUM", value = "size * size" }
    """,
)

LIMIT = 10**38 - 1
"""The greatest whole number of DECIMAL(38, 0)."""

_LONGEST_WINDOW = 200 * 366 * 86_400 * 10**6
"""Microseconds of the longest stretch a TIME_WEIGHTED quantity is taken over."""


_LONGEST_PER = 7 * 86_400 * 10**6
"""Microseconds of the longest unit that a TIME_WEIGHTED quantity is per."""


def check(
    function: Function,
    value: Expr,
    environment: Environment,
    precision: int,
    events: int,
    at: Place,
    out: Diagnostics,
) -> None:
    """Reports MS350 once, for the first number on the way that may not fit."""
    if value.type not in _NUMBERS:
        return
    if function in {Function.SUM, Function.AVG} and _surely_fits(function, value, environment, precision, events):
        return
    number = exact.scaled(value, environment)
    for what, most in _steps(function, number, precision, events):
        if most > LIMIT:
            out.report(OVERFLOW, at=at, hint=_hint(value, environment), what=what, digits=len(str(most)))
            return


def check_comparisons(expr: Expr, environment: Environment, at: Place, out: Diagnostics) -> None:
    """Reports MS350 once, for the first comparison of numbers in an expression whose sides may not fit."""
    for node in walk(expr):
        if not isinstance(node, Call) or node.overload not in _COMPARISONS:
            continue
        if all(isinstance(side, FieldRef | Literal) and side.type is Type.INT for side in node.args):
            continue  # two numbers of 64 bits
        items = node.args[1].items if isinstance(node.args[1], ListOf) else node.args[1:]
        for other in items:
            pair = (node.args[0], other)
            if not all(side.type in _NUMBERS for side in pair) or _surely_comparable(*pair, environment):
                continue
            one, two = (exact.scaled(side, environment) for side in pair)
            _, *sides = exact.common(one, two)
            most = max(_magnitude(part) for side in sides for part in _nodes(side))
            if most > LIMIT:
                what = f"a side of `{show(node)}`"
                at_node = at.within(*node.at)
                out.report(OVERFLOW, at=at_node, hint=_hint(node, environment), what=what, digits=len(str(most)))
                return


def _surely_comparable(left: Expr, right: Expr, environment: Environment) -> bool:
    """Whether a generous count of binary digits already shows that both sides fit, brought to one ratio."""
    one, two = _size(left, environment), _size(right, environment)
    return one is not None and two is not None and max(one[0] + two[2], two[0] + one[2]) <= _BITS


_NUMBERS = {Type.INT, Type.DECIMAL}
_COMPARISONS = {
    *("equals", "not_equals", "in_list"),
    *(
        f"{order}_{kind}"
        for order in ("less", "less_equals", "greater", "greater_equals")
        for kind in ("int64", "decimal")
    ),
}
_BITS = LIMIT.bit_length() - 1


def _surely_fits(function: Function, value: Expr, environment: Environment, precision: int, events: int) -> bool:
    """Whether a generous count of binary digits already shows that everything fits; most values are that small."""
    size = _size(value, environment)
    if size is None:
        return False
    above, ratio, below = size
    count = events.bit_length()
    decimals: int = (10**precision).bit_length()
    divisor = below + (count if function is Function.AVG else 0)
    return above + count + decimals <= _BITS and divisor + ratio + decimals + 1 <= _BITS


def _size(value: Expr, environment: Environment) -> tuple[int, int, int] | None:
    """Binary digits of what `exact.scaled` makes of a value, n / d * whole: of n * whole, of n, and of d, each at the
    most. None where more than sums, products and constant divisors would have to be followed."""
    match value:
        case Literal(value=int() | Decimal() as number):
            numerator, denominator = number.as_integer_ratio()
            bits = abs(numerator).bit_length() or 1
            return bits, bits, denominator.bit_length()
        case FieldRef(name):
            variable = environment[name]
            assert variable.low is not None and variable.high is not None
            most = max(abs(int(variable.low)), abs(int(variable.high))) + 1
            scale = (10**variable.scale).bit_length()
            return most.bit_length() + scale, 1, scale
        case Call("int64_to_decimal", (operand,)):
            return _size(operand, environment)
        case Call(overload, (left, right)) if overload in _LINEAR:
            one, two = _size(left, environment), _size(right, environment)
            if one is None or two is None:
                return None
            (above, ratio, below), (over, times, under) = one, two
            if overload in _MULTIPLY:
                return above + over, ratio + times, below + under
            if overload == "divide_decimal":
                return (above + under, ratio + under, below + over) if isinstance(right, Literal) else None
            return max(above + under, over + below) + 1, min(ratio + under, times + below), below + under
        case _:
            return None


_MULTIPLY = {"multiply_int64", "multiply_decimal"}
_LINEAR = {"add_int64", "add_decimal", "subtract_int64", "subtract_decimal", "divide_decimal", *_MULTIPLY}


def _steps(function: Function, number: exact.Scaled, precision: int, events: int) -> Iterator[tuple[str, int]]:
    """The greatest magnitude of every number between the fields and the quantity."""
    for node in _nodes(number.whole):
        yield "the value of an event", _magnitude(node)
    if function is Function.UNIQUE:
        return
    times = 1
    what = "the value"
    if function in {Function.SUM, Function.AVG}:
        times, what = events, f"the sum over {events:,} events"
    elif function is Function.TIME_WEIGHTED:
        times, what = _LONGEST_WINDOW, "the value held over the longest window"
    total = number.whole.bounds.magnitude * times
    yield what, total
    factor, divisor = exact.rounding(number.ratio, precision)
    if function is Function.AVG:
        divisor *= events
    elif function is Function.TIME_WEIGHTED:
        divisor *= _LONGEST_PER
    yield "the division at the end", divisor * (2 * factor + 1)
    yield f"the quantity with {precision} decimals", total * factor // divisor + 1


def _nodes(whole: exact.Whole) -> Iterator[exact.Whole]:
    todo = [whole]
    while todo:
        node = todo.pop()
        yield node
        match node:
            case exact.Sum(terms):
                todo.extend(term for _, term in terms)
            case exact.Product(left, right):
                todo += [left, right]
            case exact.Quotient(one, two) | exact.Remainder(one, two) | exact.RoundDivision(one, two):
                todo += [one, two]
            case exact.Absolute(operand):
                todo.append(operand)
            case exact.Extreme(_, operands):
                todo.extend(operands)
            case exact.Choose(_, then, otherwise):
                todo += [then, otherwise]
            case exact.Constant() | exact.Column() | exact.Foreign():
                pass


def _magnitude(node: exact.Whole) -> int:
    """The greatest number an engine meets while it computes a node."""
    match node:
        case exact.Sum(terms):
            return sum(abs(factor) * term.bounds.magnitude for factor, term in terms)
        case exact.RoundDivision(dividend, divisor):
            return max(dividend.bounds.magnitude, 2 * divisor.bounds.magnitude)
        case _:
            return node.bounds.magnitude


def _hint(value: Expr, environment: Environment) -> str | None:
    """Names the field whose bounds help most: the one that can be largest."""
    fields = {node.name for node in walk(value) if isinstance(node, FieldRef)}
    numbers = [environment[name] for name in sorted(fields) if environment[name].high is not None]
    if not numbers:
        return None
    _, name, high = max((Fraction(v.high or 0) * 10**v.scale, v.name, v.high) for v in numbers)
    advice = f"give `{name}` a `min` and `max`" if high == MAX_INT else f"narrow the `min` and `max` of `{name}`"
    return f"{advice}: it can now be as large as {high:f}"
