"""Whether numbers fit 38 digits: the quick look never says yes where following the numbers says no."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meterspec.cel import Call, Environment, Expr, FieldRef, Literal, Type, Variable
from meterspec.check import overflow
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Aggregate, FamilySource, Function, Lifetime, Meter
from meterspec.source import Place, Source

NAMES = ("a", "b", "c")
WHOLE = st.sampled_from([0, *(10**power for power in range(19))])
CONSTANTS = st.builds(
    lambda whole, places: Decimal(whole).scaleb(-places), st.integers(-(10**12), 10**12), st.integers(0, 12)
)


@st.composite
def fields(draw: st.DrawFn) -> Environment:
    return {
        name: Variable(
            name, Type.DECIMAL, low=Decimal(-draw(WHOLE)), high=Decimal(draw(WHOLE)), scale=draw(st.integers(0, 18))
        )
        for name in NAMES
    }


def combined(parts: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    names = st.sampled_from(["add_decimal", "subtract_decimal", "multiply_decimal"])
    pairs = st.builds(lambda name, one, two: Call(name, (one, two), Type.DECIMAL), names, parts, parts)
    divisors = CONSTANTS.filter(bool).map(lambda value: Literal(value, Type.DECIMAL))
    return pairs | st.builds(lambda one, two: Call("divide_decimal", (one, two), Type.DECIMAL), parts, divisors)


VALUES: st.SearchStrategy[Expr] = st.recursive(
    st.sampled_from(NAMES).map(lambda name: FieldRef(name, Type.DECIMAL))
    | CONSTANTS.map(lambda value: Literal(value, Type.DECIMAL)),
    combined,
    max_leaves=8,
)


@settings(max_examples=1000)
@given(
    VALUES,
    fields(),
    st.sampled_from([Function.SUM, Function.AVG]),
    st.integers(0, 12),
    st.sampled_from([10**9, 10**12, 10**15]),
)
def test_what_surely_fits_does_fit(
    value: Expr, environment: Environment, function: Function, precision: int, events: int
) -> None:
    if overflow._surely_fits(function, value, environment, precision, events):
        steps = overflow._steps(Aggregate(function=function, value=value), environment, precision, events)
        assert all(most <= overflow.LIMIT for _, most in steps)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Meter, Environment, int]:
    """A meter over one whole-number field, what its value can name, and the most events of a result."""
    environment = {"a": Variable("a", Type.INT, low=Decimal(0), high=Decimal(draw(WHOLE)))}
    functions = [Function.COUNT, Function.SUM, Function.AVG, Function.MAX]
    aggregate = Aggregate(function=draw(st.sampled_from(functions)), value=FieldRef("a", Type.INT))
    source, window = FamilySource(("f",)), Lifetime()
    meter = Meter(name="m", sql_name="m", source=source, aggregate=aggregate, window=window, precision=0)
    return meter, environment, draw(st.sampled_from([1, 1000, 10**9, 10**12]))


@settings(max_examples=500)
@given(sides(), sides(), st.integers(0, 12), st.data())
def test_a_ratio_that_passes_meets_no_number_beyond_38_digits(
    one: tuple[Meter, Environment, int], two: tuple[Meter, Environment, int], precision: int, data: st.DataObject
) -> None:
    out = Diagnostics()
    overflow.check_ratio("share", precision, [one, two], Place(Source("", "")), out)
    assume(not out.found)

    def part(side: tuple[Meter, Environment, int]) -> tuple[int, int]:
        """A total that the side can have, and what it is divided by."""
        meter, environment, most = side
        assert meter.aggregate is not None
        value = data.draw(st.integers(0, int(environment["a"].high or 0)) | st.just(int(environment["a"].high or 0)))
        events = data.draw(st.integers(1, most) | st.just(most))
        match meter.aggregate.function:
            case Function.COUNT:
                return events, 1
            case Function.SUM:
                return value * events, 1
            case Function.AVG:
                return value * events, events
            case _:
                return value, 1

    (above, count), (below, other_count) = part(one), part(two)
    assume(below > 0)
    size, by, factor = above * other_count, below * count, 10**precision
    whole, rest = size // by * factor, size % by * factor
    assert max(size, by, whole, rest * 2 + by, by * 2, whole + (rest * 2 + by) // (by * 2)) <= overflow.LIMIT


@pytest.mark.parametrize(
    ("high", "events", "precision", "message"),
    [
        (10**15, 10**12, 10, None),
        (10**15, 10**12, 12, "the quantity with 12 decimals can need 40 digits, and engines keep 38"),
        (10**18, 10**15, 5, "the quantity with 5 decimals can need 39 digits, and engines keep 38"),
        (10**18, 10**15, 4, None),
    ],
)
def test_the_decimals_of_a_quantity_count(high: int, events: int, precision: int, message: str | None) -> None:
    environment = {"a": Variable("a", Type.INT, low=Decimal(0), high=Decimal(high))}
    out = Diagnostics()
    total = Aggregate(function=Function.SUM, value=FieldRef("a", Type.INT))
    overflow.check(total, environment, precision, events, Place(Source("", "")), out)
    assert [finding.message for finding in out] == ([message] if message else [])
