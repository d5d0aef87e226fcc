"""Two ways to write one expression have one form, and what has one form means the same on every event."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.cel import Expr
from meterspec.cel.evaluate import Value, evaluate
from meterspec.cel.tree import FieldRef, walk
from meterspec.diff.forms import form
from tests.corpus import check_text

FIELDS = """
schema.a = { type = "integer", required = true, min = 0, max = 9 }
schema.b = { type = "integer", required = true, min = 0, max = 9 }
schema.n = { type = "integer" }
schema.s = { type = "string", values = ["x", "y", "z"] }
schema.t = { type = "string", required = true }
schema.f = { type = "boolean", required = true }
"""


def of(filter: str = "true", value: str = "a") -> tuple[Expr | None, Expr | None]:
    """The typed filter and value of a meter that says these."""
    spec = f"""
[[families]]
name = "call"
{FIELDS}
[[meters]]
name = "m"
filter = "{filter}"
source = {{ kind = "family", family = "call" }}
aggregate = {{ fn = "SUM", value = "{value}" }}
"""
    program, found = check_text(spec)
    assert program is not None, [diagnostic.message for diagnostic in found]
    [meter] = program.meters
    assert meter.aggregate is not None
    return meter.filter, meter.aggregate.value


SAME = [
    ("a < 3 && t == 'x'", "t == 'x' && a < 3"),
    ("a < 3 && t == 'x' && f", "f && (t == 'x' && a < 3)"),
    ("a < 3 && a < 3", "3 > a"),
    ("!(!f)", "f"),
    ("!(a < 3 && f)", "!f || a >= 3"),
    ("!(a < 3 || t != 'x')", "a >= 3 && t == 'x'"),
    ("!(a <= 3)", "a > 3"),
    ("s in ['x', 'y']", "s == 'y' || s == 'x'"),
    ("s in ['x', 'x']", "s == 'x'"),
    ("!(s in ['x', 'y'])", "s != 'x' && s != 'y'"),
    ("s in ['x', 'y'] || s == 'z'", "s in ['z', 'y', 'x']"),
    ("a < 1 + 2", "a < 3"),
    ("a < 60 * 60 * 1000", "a < 3600000"),
    ("a + b < 3", "3 > b + a"),
    ("a + (b + 1) < 9", "(1 + a) + b < 9"),
    ("a * b * 2 < 9", "2 * (b * a) < 9"),
    ("f && true", "f"),
    ("has(n) && n > 3 && f", "f && (has(n) && 3 < n)"),
]
OTHER = [
    ("a < 3 && f", "a < 3 || f"),
    ("!(a < 3)", "a > 3"),
    ("a < 3", "a <= 3"),
    ("a < b", "b < a"),
    ("a - b < 3", "b - a < 3"),
    ("a + a < 3", "a < 3"),
    ("a * a * b < 9", "a * b * b < 9"),
    ("s in ['x', 'y']", "s in ['x', 'z']"),
    ("!(s in ['x', 'y'])", "s != 'x' || s != 'y'"),
    ("f", "!f"),
    ("t.startsWith('x')", "!t.startsWith('x')"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_meaning_written_two_ways_is_one_form(one: str, other: str) -> None:
    assert form(of(one)[0]) == form(of(other)[0])


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_meaning_is_another_form(one: str, other: str) -> None:
    assert form(of(one)[0]) != form(of(other)[0])


def test_a_value_has_a_form_too() -> None:
    assert form(of(value="a * 2 + b")[1]) == form(of(value="b + 2 * a")[1])
    assert form(of(value="a + a")[1]) != form(of(value="a")[1])


ATOMS = ["f", "a < 3", "a >= 3", "3 > b", "a == b", "s == 'x'", "s != 'y'", "s in ['x', 'y']", "has(n)", "a + b < 9"]


def conditions(atoms: list[str], leaves: int) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(atoms),
        lambda inner: st.one_of(
            inner.map(lambda text: f"!({text})"),
            st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        ),
        max_leaves=leaves,
    )


EVENTS: list[dict[str, Value]] = [
    {"a": a, "b": b, "n": n, "s": s, "t": "x", "f": f}
    for a, b, n, s, f in product((2, 3, 4), (2, 3, 6), (None, 1), (None, "x", "y", "z"), (False, True))
]


@given(conditions(ATOMS, 6))
@settings(max_examples=60, deadline=None)
def test_the_opposite_of_the_opposite_is_the_same(text: str) -> None:
    expr, twice, reordered = of(text)[0], of(f"!(!({text}))")[0], of(f"({text}) || ({text})")[0]
    assert form(expr) == form(twice) == form(reordered)


@given(conditions(ATOMS[1:5], 3), conditions(ATOMS[1:5], 3))
@settings(max_examples=150, deadline=None)
def test_what_has_one_form_holds_for_the_same_events(one: str, other: str) -> None:
    """The evaluator, which knows nothing of forms, is asked for every event of a small world."""
    left, right = of(one)[0], of(other)[0]
    assert left is not None
    assert right is not None
    held = [[evaluate(expr, event) for event in EVENTS] for expr in (left, right)]
    if form(left) == form(right):
        assert held[0] == held[1]


def test_the_world_has_every_field_of_the_conditions() -> None:
    for atom in ATOMS:
        expr = of(atom)[0]
        assert expr is not None
        assert {node.name for node in walk(expr) if isinstance(node, FieldRef)} <= EVENTS[0].keys()
