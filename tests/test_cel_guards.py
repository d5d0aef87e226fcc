"""What conditions prove: which fields are present, which divisors are not zero, and the bounds of a number."""

from __future__ import annotations

from fractions import Fraction

import pytest

from meterspec.cel import Interval, Type, bounds
from meterspec.cel.bounds import facts
from tests.cel_cases import FIELDS, checked, tree

PROVED = [
    "has(latency) && latency > 3",
    "latency != null && latency > 3",
    "null != latency && latency > 3",
    "latency == 3 && latency + 1 > 3",
    "latency in [1, 2] && latency + 1 > 3",
    "latency == status && latency > 3",
    "!has(latency) || latency > 3",
    "latency == null || latency > 3",
    "latency != 3 || latency + 1 > 3",
    "!(has(latency) && latency > 3)",
    "has(latency) ? latency > 3 : false",
    "!has(latency) ? false : latency > 3",
    "(has(latency) ? cached : false) && latency > 3",
    "(has(latency) && cached || has(latency) && !cached) && latency > 3",
    "cached && (has(latency) && status > 1) && latency > 3",
    "has(plan) && has(latency) && latency > plan.size()",
    "has(discount) && (discount > 0.5 ? discount : 1) > 0",
    "latency == 3",
    "latency != 3",
    "plan in ['free', 'pro']",
    "latency == 3.5",
    "latency in [0.5]",
    "paused == started",
    "discount == latency",
]
UNPROVED = [
    "latency > 3 && has(latency)",
    "has(latency) || latency > 3",
    "!has(latency) && latency > 3",
    "has(plan) && latency > 3",
    "latency != 3 && latency > 3",
    "latency == discount && latency > 3",
    "latency in [discount] && latency > 3",
    "(has(latency) || cached) && latency > 3",
    "has(latency) ? cached : latency > 3",
    "(latency == null) == false && latency > 3",
    "has(latency) && cached || latency > 3",
]


@pytest.mark.parametrize("text", PROVED)
def test_a_field_that_a_condition_proves_present_may_be_used(text: str) -> None:
    accepted, found = checked(text, want=(Type.BOOL,))
    assert accepted is not None, found


@pytest.mark.parametrize("text", UNPROVED)
def test_a_field_that_no_condition_proves_present_is_an_error(text: str) -> None:
    accepted, found = checked(text)
    assert accepted is None
    assert [diagnostic.code for diagnostic in found] == ["MS317"]


@pytest.mark.parametrize(
    ("condition", "present"),
    [
        ("has(latency)", {"latency"}),
        ("has(latency) && plan == 'pro'", {"latency", "plan"}),
        ("has(latency) || has(plan)", set()),
        ("has(latency) && cached || has(latency) && has(plan)", {"latency"}),
        ("plan != 'free'", set()),
        ("!(plan != 'free')", {"plan"}),
        ("!has(latency)", set()),
        ("cached", set()),
        ("trial == true", {"trial"}),
    ],
)
def test_a_filter_tells_which_fields_the_kept_events_have(condition: str, present: set[str]) -> None:
    accepted, _ = checked(condition)
    assert accepted is not None
    assert accepted.present == present


def test_a_value_may_use_what_its_filter_proves() -> None:
    kept, _ = checked("has(latency) && tokens > 0")
    assert kept is not None
    assert checked("latency / 1000.0")[0] is None
    assert checked("latency / 1000.0", present=kept.present)[0] is not None
    assert checked("latency / 1000.0", given=kept.expr)[0] is not None
    assert checked("cost / tokens", present=kept.present)[0] is None
    assert checked("cost / tokens", given=kept.expr)[0] is not None


def test_a_whole_value_may_be_missing_where_that_is_fine() -> None:
    assert checked("plan", optional=True)[0] is not None
    assert checked("plan")[0] is None
    assert checked("plan.size()", optional=True)[0] is None


SAFE = [
    "cost / 3600.0",
    "cost / -0.001",
    "cost / seats",
    "cost / (seats + 1)",
    "cost / (tokens + 0.5)",
    "cost / (seats * 2 - 1)",
    "cost / math.greatest(tokens, 1)",
    "cost / (math.abs(change) + 1)",
    "cost / (cached ? 2 : 3)",
    "cost / (1 / 3.0)",
    "cost / size(region)",
    "cost / (started.getHours() + 1)",
    "tokens != 0 ? cost / tokens : 0.0",
    "tokens == 0 ? 0.0 : cost / tokens",
    "tokens > 0 ? cost / tokens : 0.0",
    "0 < tokens ? cost / tokens : 0.0",
    "tokens >= 1 ? cost / tokens : 0.0",
    "tokens > 0.5 ? cost / tokens : 0.0",
    "!(tokens <= 0) ? cost / tokens : 0.0",
    "status < 0 ? cost / status : 0.0",
    "status == 5 ? cost / status : 0.0",
    "change > 0 ? cost / change : 0.0",
    "change != 0.0 ? cost / change : 0.0",
    "tokens > 0 && cost / tokens > 1.5",
    "tokens == 0 || cost / tokens > 1.5",
    "cached && tokens > 3 ? cost / (tokens - 3) : 0.0",
    "size(model) > 0 ? cost / size(model) : 0.0",
    "(tokens - seats) != 0 ? cost / (tokens - seats) : 0.0",
    "tokens > seats ? cost / (tokens - seats) : 0.0",
    "seats < tokens ? cost / (tokens - seats) : 0.0",
    "tokens != seats ? cost / (tokens - seats) : 0.0",
    "(ended - started).getSeconds() > 0 ? cost / (ended - started).getSeconds() : 0.0",
    "ended - started >= duration('1s') ? cost / (ended - started).getSeconds() : 0.0",
    "tokens > 0 ? status % tokens : 0",
    "status % seats",
    "has(latency) && latency != 0 ? cost / latency : 0.0",
]
UNSAFE = [
    "cost / tokens",
    "cost / status",
    "cost / change",
    "cost / (seats - 1)",
    "cost / (seats - 250.5 + 0.5)",
    "cost / (cached ? tokens : 3)",
    "cost / size(model)",
    "cost / started.getHours()",
    "cost / math.floor(change + 0.5)",
    "cost / (seats / 1000.0 * 0)",
    "tokens >= 0 ? cost / tokens : 0.0",
    "tokens > -1 ? cost / tokens : 0.0",
    "tokens != 0 ? 0.0 : cost / status",
    "tokens > 0 || cost / tokens > 1",
    "tokens != 1 ? cost / tokens : 0.0",
    "seats != 0 ? cost / tokens : 0.0",
    "tokens > seats ? cost / (tokens - seats - 1) : 0.0",
    "ended > started ? cost / (ended - started).getSeconds() : 0.0",
    "status % (seats - 7)",
    "status < 5 ? cost / status : 0.0",
]


@pytest.mark.parametrize("text", SAFE)
def test_a_divisor_that_cannot_be_zero_is_accepted(text: str) -> None:
    accepted, found = checked(text)
    assert accepted is not None, [diagnostic.message for diagnostic in found]


@pytest.mark.parametrize("text", UNSAFE)
def test_a_divisor_that_can_be_zero_is_an_error(text: str) -> None:
    _, found = checked(text)
    assert [diagnostic.code for diagnostic in found if diagnostic.code != "MS321"] in (["MS318"], ["MS319"])


INT64 = Interval(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tokens", Interval(0, 2**63 - 1)),
        ("status", INT64),
        ("change", Interval()),
        ("cost", Interval(0)),
        ("seats", Interval(1, 500)),
        ("5", Interval(5, 5, True)),
        ("0.5", Interval(Fraction(1, 2), Fraction(1, 2), True)),
        ("-seats", Interval(-500, -1)),
        ("seats + seats", Interval(2, 1000)),
        ("seats - seats", Interval(-499, 499)),
        ("seats * -2", Interval(-1000, -2, True)),
        ("(seats - 250) * (seats - 250)", Interval(-249 * 250, 62500)),
        ("tokens * change", Interval()),
        ("cost * 2", Interval(0)),
        ("seats / 1000.0", Interval(Fraction(1, 1000), Fraction(1, 2), True)),
        ("seats / 3.0", Interval(Fraction(1, 3), Fraction(500, 3), True)),
        ("1 / double(seats)", Interval(Fraction(1, 500), Fraction(1))),
        ("(seats - 1) / 2", Interval(0, 249)),
        ("-seats / 300", Interval(-1, 0)),
        ("status % 7", Interval(-6, 6)),
        ("tokens % seats", Interval(0, 499)),
        ("math.least(seats, 10)", Interval(1, 10, True)),
        ("math.greatest(seats, 10, status)", Interval(10, 2**63 - 1, True)),
        ("math.least(change, 10)", Interval(None, 10)),
        ("math.abs(seats - 250)", Interval(0, 250)),
        ("math.abs(-seats)", Interval(1, 500)),
        ("math.ceil(seats / 1000.0)", Interval(1, 1)),
        ("math.floor(seats / 1000.0)", Interval(0, 0)),
        ("math.round(seats / 1000.0)", Interval(0, 1)),
        ("int(seats / 1000.0)", Interval(0, 0)),
        ("cached ? seats : 0", Interval(0, 500)),
        ("seats > 100 ? seats : 100", Interval(100, 500, True)),
        ("seats > 100.5 ? seats : 101", Interval(101, 500, True)),
        ("change > 1 ? change : 2", Interval(Fraction(101, 100), None, True)),
        ("size(model)", Interval(0)),
        ("size(region)", Interval(2, 7)),
        ("started.getMonth()", Interval(0, 11)),
        ("started.getFullYear('Europe/Berlin')", Interval(1, 9999)),
        ("(ended - started).getHours()", Interval()),
    ],
)
def test_bounds_are_exact(text: str, expected: Interval) -> None:
    found = bounds(tree(text), FIELDS)
    assert (found.low, found.high, found.excludes_zero) == (expected.low, expected.high, expected.excludes_zero)


def test_a_condition_narrows_bounds() -> None:
    condition = tree("seats < 10 && tokens > seats")
    assert bounds(tree("seats"), FIELDS, facts(condition)) == Interval(1, 9)
    assert bounds(tree("seats"), FIELDS, facts(condition, truth=False)) == Interval(1, 500)
    assert bounds(tree("tokens - seats"), FIELDS, facts(condition)).low == 1
