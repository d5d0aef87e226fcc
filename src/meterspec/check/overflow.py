"""Overflow: whether every number on the way to a quantity fits the 38 digits that all engines can keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from meterspec import exact
from meterspec.cel.lexer import MAX_INT
from meterspec.cel.printer import show
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Environment, Type
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Aggregate, CalendarUnit, Function, Meter
from meterspec.records import record
from meterspec.source import Place

__all__ = ["LIMIT", "PER", "check", "check_comparisons", "check_ratio"]

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

_LONGEST_WINDOW = 9999 * 366 * 86_400 * 10**6
"""Microseconds of the longest window, a lifetime: every instant is in the years 1 to 9999."""

PER = {
    CalendarUnit.MINUTE: 60 * 10**6,
    CalendarUnit.HOUR: 3600 * 10**6,
    CalendarUnit.DAY: 86_400 * 10**6,
    CalendarUnit.WEEK: 7 * 86_400 * 10**6,
}
"""Microseconds of what a TIME_WEIGHTED quantity can be per: the units that have one length."""


def check(
    aggregate: Aggregate, environment: Environment, precision: int, events: int, at: Place, out: Diagnostics
) -> None:
    """Reports MS350 once, for the first number on the way to a quantity that may not fit.

    `events` is the most that one result is made of.
    """
    function, value = aggregate.function, aggregate.value
    if value is None or value.type not in _NUMBERS:
        return
    if function in {Function.SUM, Function.AVG} and _surely_fits(function, value, environment, precision, events):
        return
    for what, most in _steps(aggregate, environment, precision, events):
        if most > LIMIT:
            out.report(OVERFLOW, at=at, hint=_hint(value, environment), what=what, digits=len(str(most)))
            return


def check_ratio(
    meter: str, precision: int, sides: Sequence[tuple[Meter, Environment, int]], at: Place, out: Diagnostics
) -> None:
    """Reports MS350 once about a ratio, unless one of its two meters may not fit by itself.

    Each comes with what its value can name, and the most events that one result is made of.
    """
    totals, values = [], []
    for side, environment, events in sides:
        if side.aggregate is None:
            return  # it was reported
        if any(most > LIMIT for _, most in _steps(side.aggregate, environment, side.precision, events)):
            return
        total = _total(side.aggregate, environment, events)
        totals.append(total)
        if side.aggregate.value is not None and not _counts(side.aggregate):
            values.append((total.most, side.aggregate.value, environment))
    above, below = totals
    quotient = _Total(
        what="the numerator",
        ratio=above.ratio / below.ratio,
        each=above.each * below.by,
        most=above.most * below.by,
        by=below.most * above.by,
    )
    steps = [(quotient.what, quotient.most), ("the denominator", quotient.by), *_division(quotient, precision)]
    for what, most in steps:
        if most > LIMIT:
            hint = None
            if values:
                _, value, environment = max(values, key=lambda each: each[0])
                hint = _hint(value, environment)
            out.report(OVERFLOW, at=at, hint=hint, what=f"{what} of ratio `{meter}`", digits=len(str(most)))
            return


def check_comparisons(expr: Expr, environment: Environment, at: Place, out: Diagnostics) -> None:
    """Reports MS350 once, for the first comparison of numbers in an expression whose sides may not fit."""
    for node in walk(expr):
        if not isinstance(node, Call) or node.overload not in _COMPARISONS:
            continue
        left, right = node.args
        if left.type not in _NUMBERS or (_is_whole(left) and _is_whole(right)):
            continue
        for other in right.items if isinstance(right, ListOf) else (right,):
            if other.type not in _NUMBERS or _surely_comparable(left, other, environment):
                continue
            one, two = (exact.scaled(side, environment) for side in (left, other))
            _, *sides = exact.common(one, two)
            most = max(_magnitude(part) for side in sides for part in _nodes(side))
            if most > LIMIT:
                what = f"a side of `{show(node)}`"
                at_node = at.within(*node.at)
                out.report(OVERFLOW, at=at_node, hint=_hint(node, environment), what=what, digits=len(str(most)))
                return


def _is_whole(side: Expr) -> bool:
    """Whether it is a number of 64 bits."""
    return side.type is Type.INT and isinstance(side, FieldRef | Literal)


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


@record(frozen=True, slots=True)
class _Total:
    """What a quantity is rounded from: `ratio * total / by`."""

    what: str
    ratio: Fraction
    each: int
    """The greatest magnitude of `total / by`."""
    most: int
    """The greatest magnitude of the total, a whole number."""
    by: int = 1
    """The greatest number that the total is divided by."""


def _counts(aggregate: Aggregate) -> bool:
    return aggregate.function in {Function.COUNT, Function.UNIQUE}


def _total(aggregate: Aggregate, environment: Environment, events: int) -> _Total:
    if _counts(aggregate):
        return _Total("the number of events", Fraction(1), events, events)
    assert aggregate.value is not None
    value = exact.scaled(aggregate.value, environment)
    most = value.whole.bounds.magnitude
    match aggregate.function:
        case Function.SUM:
            return _Total(f"the sum over {events:,} events", value.ratio, most * events, most * events)
        case Function.AVG:
            return _Total(f"the sum over {events:,} events", value.ratio, most, most * events, events)
        case Function.TIME_WEIGHTED:
            per = PER.get(aggregate.per or CalendarUnit.HOUR, 1)  # without a unit of one length, it was reported
            held = most * _LONGEST_WINDOW
            return _Total("the value held over the longest window", value.ratio / per, held, held)
        case _:
            return _Total("the value", value.ratio, most, most)


def _steps(aggregate: Aggregate, environment: Environment, precision: int, events: int) -> Iterator[tuple[str, int]]:
    """The greatest magnitude of every number between the fields and the quantity."""
    if aggregate.value is not None and aggregate.value.type in _NUMBERS:
        for node in _nodes(exact.scaled(aggregate.value, environment).whole):
            yield "the value of an event", _magnitude(node)
    if _counts(aggregate):
        return
    total = _total(aggregate, environment, events)
    yield total.what, total.most
    yield from _division(total, precision)


def _division(total: _Total, precision: int) -> Iterator[tuple[str, int]]:
    """The greatest numbers of the one division that ends in a quantity of so many decimals.

    What is multiplied is what a division of the total leaves: less than the divisor, and no more than the total.
    """
    factor, divisor = exact.rounding(total.ratio, precision)
    by = total.by * divisor
    yield "the division at the end", max(2 * min(total.most, by) * factor + by, 2 * by)
    yield f"the quantity with {precision} decimals", total.each * factor // divisor + 1


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
