"""What holds for every expression: it reads the same after printing, it cannot fail, and no text takes long."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from meterspec.cel import Call, Checked, Type, bounds, show, walk
from meterspec.cel.evaluate import evaluate
from meterspec.cel.functions import FUNCTIONS
from meterspec.diagnostics import Severity
from tests.cel_cases import FIELDS, checked, tree
from tests.cel_random import Expressions, event

RANDOM = st.randoms(use_true_random=False)
CHARACTERS = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from(
        [
            *"()[]{}.,:?+-*/%!<>=&|'\"\\ \n\r\t0123456789aex_`",
            "&&",
            "||",
            "==",
            " in ",
            "'''",
            '"""',
            "r'",
            "b'",
            "\\u",
            "0x",
        ]
    ),
    st.sampled_from([name for name in FUNCTIONS if name[0].isalpha()]),
    st.sampled_from([*FIELDS, "has(", "timestamp('", "duration('", "null", "true", "if", "math."]),
)


def accepted(text: str, **options: object) -> Checked | None:
    result, found = checked(text, **options)  # type: ignore[arg-type]
    assert (result is None) is any(diagnostic.severity is Severity.ERROR for diagnostic in found), text
    return result


@given(st.lists(CHARACTERS, max_size=60).map("".join))
def test_no_text_makes_the_checker_fail(text: str) -> None:
    result, found = checked(text)
    for diagnostic in found:
        assert diagnostic.at is not None
        assert diagnostic.at.inside is not None
        start, end = diagnostic.at.inside
        assert 0 <= start <= end <= len(text)
        assert diagnostic.message.isprintable() or not text.isprintable()
    if result is not None:
        assert tree(show(result.expr)) == result.expr


@settings(max_examples=300)
@given(RANDOM)
def test_printing_and_reading_again_gives_the_same_tree(random: Random) -> None:
    text = Expressions(random, FIELDS).draw()
    result = accepted(text)
    if result is not None:
        for widenings in (False, True):
            printed = show(result.expr, widenings=widenings)
            again = accepted(printed, optional=True)
            assert again is not None, printed
            assert again.expr == result.expr, printed
        assert show(tree(show(result.expr))) == show(result.expr)


@settings(max_examples=300)
@given(RANDOM)
def test_a_slip_of_the_finger_is_found_or_harmless(random: Random) -> None:
    expressions = Expressions(random, FIELDS)
    accepted(expressions.slip(expressions.draw()))


def holds(value: object, kind: Type) -> bool:
    """Whether a value is of a type; decimals are rational numbers here."""
    match kind:
        case Type.BOOL:
            return isinstance(value, bool)
        case Type.STRING:
            return isinstance(value, str)
        case Type.DECIMAL:
            return hasattr(value, "numerator") and not isinstance(value, bool)
        case _:
            return isinstance(value, int) and not isinstance(value, bool)


@settings(max_examples=400)
@given(RANDOM)
def test_what_compiles_cannot_fail_on_a_valid_event(random: Random) -> None:
    result = accepted(Expressions(random, FIELDS, slips=0).draw())
    if result is None:
        return
    for _ in range(5):
        row = event(random, FIELDS)
        note(f"{show(result.expr)} on {row}")
        for node in [result.expr] if isinstance(result.expr, Call) else []:
            value = evaluate(node, row)
            assert holds(value, node.type)
            if node.type in (Type.INT, Type.DECIMAL, Type.DURATION):
                found = bounds(node, FIELDS)
                assert found.low is None or found.low <= value  # type: ignore[operator]
                assert found.high is None or value <= found.high  # type: ignore[operator]
                assert value or not found.excludes_zero
            if result.expr.type is Type.BOOL and value is True:
                assert result.present <= row.keys()


@settings(max_examples=300)
@given(RANDOM)
def test_a_condition_said_to_be_constant_is_constant(random: Random) -> None:
    text = Expressions(random, FIELDS, slips=0).draw(Type.BOOL, 2)
    result, found = checked(text)
    if result is None:
        return
    root = (0, len(text))
    said = [d.message.endswith("true") for d in found if d.code == "MS321" and d.at and d.at.inside == root]
    for value in said:
        for _ in range(5):
            assert evaluate(result.expr, event(random, FIELDS)) is value


HOSTILE = [
    "(" * 4096,
    "[" * 4096,
    "-" * 4096,
    "!" * 4096,
    "'" * 4096,
    "'''" * 1365,
    "'\\n" * 1365,
    "f(" * 2048,
    "a[" * 2048,
    "a." * 2048,
    "a?" * 2048,
    "{a:" * 1365,
    "status+" * 585 + "1",
    "cached&&" * 511 + "cached",
    "cached?1:" * 455 + "1",
    "latency==1&&" * 120 + "latency>1",
    "0.1*" * 120 + "cost",
    "9e37*" * 120 + "cost",
    "(" * 60 + "cost" + "<1?1:2)" * 60,
    "status in [" * 300,
    "1" * 4096,
    "1e" * 2048,
    "1e99999999999999999999",
    "0x" * 2048,
    "." * 4096,
    "`" * 4096,
    "//" * 2048,
    "é" * 4096,
    "\x00" * 4096,
    " " * 4096,
    " " * 4095 + "'",
    "model.matches('" + "(" * 4000 + "')",
    "model.matches('" + "a*" * 2000 + "')",
    "model.matches('" + "[a-z]{200}" * 400 + "')",
    "model.matches('" + "(a" * 45 + "{9})" * 45 + "')",
    "timestamp('" + "0" * 4000 + "')",
    "duration('" + "1h" * 2000 + "')",
    "int('" + "1" * 4000 + "')",
    "started.getHours('" + "A/" * 2000 + "')",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:12] for text in HOSTILE])
def test_hostile_text_costs_milliseconds(text: str) -> None:
    begin = time.process_time()
    checked(text)
    assert time.process_time() - begin < 0.5


DEEP = [
    "status" + "+status" * 120,
    "model" + ".trim()" * 120,
    "-" * 120 + "status",
    "!" * 120 + "cached",
    "cached?status:" * 120 + "status",
    "(" * 245 + "status" + ")" * 245,
    "math.abs(" * 120 + "status" + ")" * 120,
    "cost+(status+" * 60 + "cost" + ")" * 60,
    "cached" + "&&cached" * 120,
    "-" * 120 + "status == " + "-" * 120 + "tokens",
]


@pytest.mark.parametrize("text", DEEP, ids=[text[:12] for text in DEEP])
def test_the_deepest_trees_can_be_walked_from_a_deep_stack(text: str) -> None:
    def further(frames: int) -> None:
        if frames:
            return further(frames - 1)
        expr = tree(text)
        assert tree(show(expr)) == expr
        assert hash(expr) == hash(tree(text))
        bounds(expr, FIELDS)
        evaluate(expr, event(Random(1), FIELDS))
        assert len(list(walk(expr))) > 100 or text.startswith("(")
        return None

    used = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    further(max(0, 400 - used))


def test_decimals_stay_exact() -> None:
    assert evaluate(tree("0.1 + 0.2 == 0.3"), {}) is True
    assert evaluate(tree("status / 3.0 * 3"), {"status": 1}) == 1
    assert evaluate(tree("cost / double(seats)"), {"cost": Decimal(1), "seats": 3}) == Decimal("0.333333333333333333")
    assert evaluate(tree("change / seats"), {"change": Decimal(-2), "seats": 3}) == Decimal("-0.666666666666666667")
