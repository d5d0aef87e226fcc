"""Dialects that no test executes: their texts are SQL of that dialect, and by documented rules they compute exactly.

An engine's documentation says how many digits and decimals the result of an operator on decimals has; where a number
needs more digits it is an error, and further decimals are rounded. A small evaluator of these rules stands for the
engine, and every number that the contract of a dialect allows has to come out of it exactly.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlglot import exp, parse

from meterspec.backends.base import unsupported
from meterspec.backends.sql import backend
from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DIALECTS, NARROW, WIDE
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Meter
from tests.random_prices import priced
from tests.random_specs import spec

EMITTED_ONLY = [name for name, dialect in DIALECTS.items() if not dialect.executed]


def is_refused(name: str, meter: Meter) -> bool:
    out = Diagnostics()
    unsupported(backend(name), (meter,), out)
    return bool(list(out))


@pytest.mark.parametrize("name", EMITTED_ONLY)
def test_every_statement_is_one_of_the_dialect(name: str) -> None:
    made = spec(random.Random(1), 8)
    kept = tuple(meter for meter in made.program.meters if meter.aggregate and not is_refused(name, meter))
    assert len(kept) > 3
    for artifact in backend(name).emit(replace(made.program, meters=kept)):
        statements = parse(artifact.text, read=DIALECTS[name].printer)
        assert [type(statement) for statement in statements] == [exp.Create] * artifact.text.count("\nCREATE ")


@pytest.mark.parametrize("name", EMITTED_ONLY)
def test_every_statement_of_invoices_is_one_of_the_dialect(name: str) -> None:
    texts = {artifact.path.name: artifact.text for artifact in backend(name).emit(priced(random.Random(1), 8).program)}
    statements = parse(texts["invoices.sql"], read=DIALECTS[name].printer)
    assert [type(statement) for statement in statements] == [exp.Create] * texts["invoices.sql"].count("\nCREATE ")


# Documented arithmetic ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number of an engine: its type has so many digits, `scale` of them after the point."""

    value: Fraction
    digits: int
    scale: int


Kind = tuple[int, int]


class Trino:
    """https://trino.io/docs/current/functions/decimal.html"""

    def add(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        return max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2)

    def multiply(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        return p1 + p2, s1 + s2

    def divide(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        return p1 + s2 + max(0, s2 - s1), max(s1, s2)

    def remainder(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        return min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)


class Snowflake(Trino):
    """https://docs.snowflake.com/en/sql-reference/operators-arithmetic"""

    def multiply(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        scale = min(s1 + s2, max(s1, s2, 12))
        return p1 - s1 + p2 - s2 + scale, scale

    def divide(self, p1: int, s1: int, p2: int, s2: int) -> Kind:
        scale = max(s1, min(s1 + 6, 12))
        return p1 - s1 + s2 + scale, scale


RULES = {"trino": Trino(), "snowflake": Snowflake()}
INTEGERS = {"BIGINT": (19, 0)}


def kept(value: Fraction, kind: Kind) -> Number:
    """A number in a type: what has too many decimals is rounded, halves away from zero; too large is an error."""
    digits, scale = min(kind[0], 38), kind[1]
    steps = abs(value) * 10**scale
    whole = int(steps + Fraction(1, 2))
    if whole >= 10**digits:
        raise OverflowError(f"{value} in DECIMAL({digits}, {scale})")
    return Number(Fraction(whole if value >= 0 else -whole, 10**scale), digits, scale)


def evaluated(node: exp.Expr, name: str, row: Mapping[str, Number | None]) -> Number | None:
    """What a node gives by the rules of an engine."""
    rules = RULES[name]

    def of(one: exp.Expr) -> Number | None:
        return evaluated(one, name, row)

    match node:
        case exp.Paren():
            return of(node.this)
        case exp.Column():
            return row[node.name]
        case exp.Literal():
            return kept(Fraction(node.this), INTEGERS["BIGINT"] if name == "trino" else (len(node.this), 0))
        case exp.Cast(this=exp.Literal() as literal) if literal.is_string:
            return kept(Fraction(literal.this), kind_of(node))
        case exp.Cast():
            inner = of(node.this)
            return None if inner is None else kept(inner.value, kind_of(node))
        case exp.Anonymous(this="FLOOR", expressions=[operand]):
            inner = of(operand)
            return None if inner is None else Number(Fraction(inner.value // 1), inner.digits, 0)
        case exp.Case(args={"ifs": [branch], "default": otherwise}):
            left, right = of(branch.this.this), of(branch.this.expression)
            holds = left is not None and right is not None and left.value < right.value
            return of(branch.args["true"] if holds else otherwise)
    one, two = of(node.this), of(node.expression)
    if one is None or two is None:
        return None
    kinds = one.digits, one.scale, two.digits, two.scale
    match node:
        case exp.Add():
            return kept(one.value + two.value, rules.add(*kinds))
        case exp.Sub():
            return kept(one.value - two.value, rules.add(*kinds))
        case exp.Mul():
            return kept(one.value * two.value, rules.multiply(*kinds))
        case exp.Div() if name == "trino" and {one.digits, two.digits} <= {19}:
            return kept(Fraction(int(one.value / two.value)), (19, 0))  # of two integers
        case exp.Div():
            return kept(one.value / two.value, rules.divide(*kinds))
        case exp.Mod():
            rest = abs(one.value) % abs(two.value)
            return kept(rest if one.value >= 0 else -rest, rules.remainder(*kinds))
    raise TypeError(node)


def kind_of(cast: exp.Cast) -> Kind:
    text = cast.to.args["kind"]
    match = re.fullmatch(r"(?:DECIMAL|NUMBER)\((\d+), (\d+)\)", text)
    return (int(match[1]), int(match[2])) if match else INTEGERS[text]


NARROWS = [0, 1, 2, 6, 7, 59, 86_399, 999_999, 10**6, 10**6 + 1, 2**31, 86_399_999_999, 2**53 + 1, 10**18, NARROW]
WIDES = [*NARROWS, NARROW + 1, 2**64, 10**31 + 7, 10**32, 3 * 10**32 + 1, 10**37, 10**38 // 7, WIDE - 1, WIDE]
DIVISORS = [2, 3, 7, 153, 146_097, 10**6, 3_600_000, 10**6 + 3, 86_400_000_000, 2_592_000_000_000, 7 * 10**12 + 1]


def result(name: str, node: exp.Expr, **columns: Number | None) -> int | None:
    found = evaluated(node, name, columns)
    assert found is None or found.value.denominator == 1
    return None if found is None else int(found.value)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", EMITTED_ONLY)
def test_division_truncates(name: str, wide: bool) -> None:
    dialect = DIALECTS[name]
    numbers, magnitude = (WIDES, WIDE) if wide else (NARROWS, NARROW)
    digits, _ = kind_of(exp.Cast(this=exp.Null(), to=b.data_type(dialect.broad if wide else dialect.narrow)))
    x, y = b.column("x"), b.column("y")
    for one in numbers:
        dividend = Number(Fraction(one), digits, 0)
        for two in [two for two in numbers if two]:
            divisor = Number(Fraction(two), digits, 0)
            assert result(name, dialect.quotient(x, y, magnitude), x=dividend, y=divisor) == one // two
            assert result(name, dialect.remainder(x, y, magnitude), x=dividend, y=divisor) == one % two
        for two in DIVISORS:
            constant = dialect.wide(dialect.constant(two)) if wide else b.number(two)
            assert result(name, dialect.quotient(x, constant, magnitude), x=dividend) == one // two
        assert result(name, dialect.quotient(x, y, magnitude), x=dividend, y=None) is None


@pytest.mark.parametrize("scale", [0, 1, 6, 9, 12, 15, 18])
@pytest.mark.parametrize("precision", [1, 9, 18, 19, 30, 38])
@pytest.mark.parametrize("name", EMITTED_ONLY)
def test_decimals_and_whole_numbers_become_one_another(name: str, precision: int, scale: int) -> None:
    dialect = DIALECTS[name]
    largest = 10**precision - 1
    for whole in (0, 1, -1, 10**scale, 10**scale - 1, largest, -largest, largest // 3):
        if abs(whole) > largest:
            continue
        value = kept(Fraction(whole, 10**scale), (max(precision, scale), scale))
        assert result(name, dialect.unscaled(b.column("x"), precision, scale), x=value) == whole
        if precision in (18, 38) and scale:
            back = evaluated(
                dialect.decimal(b.column("x"), scale, precision), name, {"x": Number(Fraction(whole), 38, 0)}
            )
            assert back == replace(value, digits=precision)


def test_the_evaluator_rounds_as_documented() -> None:
    one, three = Number(Fraction(1), 38, 0), Number(Fraction(3), 38, 0)
    node = exp.Div(this=b.column("x"), expression=b.column("y"), typed=True)
    assert evaluated(node, "trino", {"x": one, "y": three}) == Number(Fraction(0), 38, 0)
    assert evaluated(node, "snowflake", {"x": one, "y": three}) == Number(Fraction(Decimal("0.333333")), 38, 6)
    with pytest.raises(OverflowError):
        evaluated(node, "snowflake", {"x": Number(Fraction(10**33), 38, 0), "y": three})
