"""Whether two filters can let one event pass: decided cases, and an oracle that tries every event of a small world."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec import cel
from meterspec.cel import Environment, Expr, Type, Variable
from meterspec.check.compliance.overlap import Overlap, overlap
from meterspec.diagnostics import Diagnostics
from meterspec.source import Place, Source

ENVIRONMENT: Environment = {
    "kind": Variable("kind", Type.STRING, values=("web", "batch", "train")),
    "host": Variable("host", Type.STRING),
    "plan": Variable("plan", Type.STRING, nullable=True, values=("free", "paid")),
    "size": Variable("size", Type.INT, low=Decimal(0), high=Decimal(4)),
    "cost": Variable("cost", Type.DECIMAL, low=Decimal(0), high=Decimal(1), scale=1),
    "dry": Variable("dry", Type.BOOL),
}

SHARED, DISJOINT, UNDECIDED = Overlap.SHARED, Overlap.DISJOINT, Overlap.UNDECIDED
CASES = [
    ("kind == 'web'", "kind == 'batch'", DISJOINT),
    ("kind == 'web'", "kind != 'web'", DISJOINT),
    ("kind == 'web'", "kind in ['web', 'batch']", SHARED),
    ("kind in ['web', 'batch']", "!(kind in ['web', 'batch'])", DISJOINT),
    ("kind != 'web' && kind != 'batch'", "kind != 'train'", DISJOINT),
    ("size < 2", "size >= 2", DISJOINT),
    ("size < 2", "size > 1", DISJOINT),
    ("size <= 2", "size >= 2", SHARED),
    ("size > 3", "size < 4", DISJOINT),
    ("cost > 0.3", "cost < 0.4", DISJOINT),
    ("cost > 0.3", "cost < 0.5", SHARED),
    ("dry", "!dry", DISJOINT),
    ("dry", "size == 1", SHARED),
    ("plan == 'free'", "plan != 'free'", DISJOINT),
    ("plan != 'free'", "plan != 'paid'", SHARED),
    ("has(plan)", "!has(plan)", DISJOINT),
    ("plan != 'free' && has(plan)", "plan != 'paid'", DISJOINT),
    ("size < 2 || kind == 'web'", "size > 2 && kind == 'batch'", DISJOINT),
    ("size < 2 ? dry : kind == 'web'", "!dry && kind != 'web'", DISJOINT),
    ("host.startsWith('a')", "host.startsWith('b')", UNDECIDED),
    ("host.startsWith('a')", "!host.startsWith('a')", DISJOINT),
    ("host.startsWith('a') && dry", "host.endsWith('z') && !dry", DISJOINT),
    ("host == 'a'", "host != 'a'", DISJOINT),
    ("host != 'a'", "host != 'b'", SHARED),
    ("size + 1 > 2", "size < 1", UNDECIDED),
]


def typed(text: str) -> Expr:
    out = Diagnostics()
    checked = cel.check(text, ENVIRONMENT, Place(Source("t", text)), out, want=(Type.BOOL,))
    assert checked is not None and not out.has_errors, list(out)
    return checked.expr


@pytest.mark.parametrize(("first", "second", "wanted"), CASES)
def test_two_filters(first: str, second: str, wanted: Overlap) -> None:
    one, two = typed(first), typed(second)
    assert overlap(one, two, ENVIRONMENT)[0] is wanted
    assert overlap(two, one, ENVIRONMENT)[0] is wanted


def test_what_is_undecided_names_the_condition() -> None:
    _, why = overlap(typed("host.matches('^a')"), typed("host == 'b'"), ENVIRONMENT)
    assert why == "`host.matches('^a')`"


def test_no_filter_lets_everything_pass() -> None:
    assert overlap(None, None, ENVIRONMENT)[0] is SHARED
    assert overlap(None, typed("kind == 'web'"), ENVIRONMENT)[0] is SHARED
    assert overlap(typed("size < 0"), None, ENVIRONMENT)[0] is DISJOINT


def test_a_great_many_alternatives_are_not_looked_at() -> None:
    many = " && ".join(["(kind == 'web' || size < 3)"] * 9)
    assert overlap(typed(many), typed("dry"), ENVIRONMENT)[0] is UNDECIDED


ATOMS = (
    "kind == 'web'",
    "kind != 'batch'",
    "kind in ['web', 'train']",
    "size < 2",
    "size >= 3",
    "size == 1",
    "2 <= size",
    "cost <= 0.5",
    "cost > 0.9",
    "cost == 0.3",
    "dry",
    "plan == 'free'",
    "plan != 'paid'",
    "has(plan)",
    "plan in ['paid']",
)
FILTERS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        inner.map(lambda text: f"!({text})"),
        st.tuples(inner, st.sampled_from(("&&", "||")), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"),
    ),
    max_leaves=6,
)
WORLD = [
    {"kind": kind, "host": "h", "plan": plan, "size": size, "cost": Decimal(cost).scaleb(-1), "dry": dry}
    for kind, plan, size, cost, dry in product(
        ("web", "batch", "train"), (None, "free", "paid"), range(5), range(11), (True, False)
    )
]
"""Every event there can be, as far as the atoms look."""


@given(FILTERS, FILTERS)
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_trying_every_event(first: str, second: str) -> None:
    one, two = typed(first), typed(second)
    found, _ = overlap(one, two, ENVIRONMENT)
    both = any(cel.evaluate(one, event) and cel.evaluate(two, event) for event in WORLD)
    assert found is not DISJOINT or not both
    assert found is not SHARED or both
