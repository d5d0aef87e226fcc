"""A tree as text: one normal form, the fewest parentheses, and CEL for everybody else where asked for."""

from __future__ import annotations

import pytest

from meterspec.cel import show
from tests.cel_cases import tree


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((status)+(1))", "status + 1"),
        ("(status + 1) + 2", "status + 1 + 2"),
        ("status - (seats - 1)", "status - (seats - 1)"),
        ("status + (seats + 1)", "status + (seats + 1)"),
        ("(status + 1) * 2", "(status + 1) * 2"),
        ("status * (seats % 3)", "status * (seats % 3)"),
        ("(cached || status > 1) && cached", "(cached || status > 1) && cached"),
        ("(cached && status > 1) || cached", "cached && status > 1 || cached"),
        ("!(cached && status > 1)", "!(cached && status > 1)"),
        ("!(cached)", "!cached"),
        ("!(status == 1)", "!(status == 1)"),
        ("(status == 1) == cached", "(status == 1) == cached"),
        ("(cached ? 1 : 2) + 1", "(cached ? 1 : 2) + 1"),
        ("cached ? 1 : (status > 1 ? 2 : 3)", "cached ? 1 : status > 1 ? 2 : 3"),
        ("cached ? (status > 1 ? 2 : 3) : 1", "cached ? (status > 1 ? 2 : 3) : 1"),
        ("(cached ? cached : status > 1) ? 1 : 2", "(cached ? cached : status > 1) ? 1 : 2"),
        ("-(status + 1)", "-(status + 1)"),
        ("-(-status)", "--status"),
        ("status--1", "status - -1"),
        ("status - (-seats)", "status - -seats"),
        ("(ended - started).getSeconds()", "(ended - started).getSeconds()"),
        ("size(model + 'x')", "(model + 'x').size()"),
        ("matches(model, '^a')", "model.matches('^a')"),
        ("math.abs((status))", "math.abs(status)"),
        ("status in [(1), 2,]", "status in [1, 2]"),
        ("(status in [1]) == cached", "(status in [1]) == cached"),
        ("plan == null", "!has(plan)"),
        ('model == "it\'s"', r"model == 'it\'s'"),
        (r"model == 'a\n\\\t\u200b'", r"model == 'a\n\\\t\U0000200b'"),
        ("model == 'é😀'", "model == 'é😀'"),
        ("cost > 1e3", "cost > 1000.0"),
        ("cost > 1.50", "cost > 1.50"),
        ("cost > -0.0", "cost > 0.0"),
        ("status == 0x1f", "status == 31"),
        ("started > timestamp('2026-01-01T01:00:00.5+01:00')", "started > timestamp('2026-01-01T00:00:00.500000Z')"),
        ("ended - started > duration('1m0.5s')", "ended - started > duration('60.5s')"),
    ],
)
def test_the_normal_form(text: str, printed: str) -> None:
    assert show(tree(text)) == printed
    assert tree(printed) == tree(text)


@pytest.mark.parametrize(
    ("text", "short", "standard"),
    [
        ("tokens / 1000.0", "tokens / 1000.0", "double(tokens) / 1000.0"),
        ("double(tokens) / seats", "double(tokens) / seats", "double(tokens) / double(seats)"),
        ("double(tokens) / double(seats)", "double(tokens) / seats", "double(tokens) / double(seats)"),
        ("cost < 5", "cost < 5.0", "cost < 5.0"),
        ("latency == 0.5", "latency == 0.5", "double(latency) == 0.5"),
        ("status in [1, 2.5]", "status in [1.0, 2.5]", "double(status) in [1.0, 2.5]"),
        ("cached ? status : 0.5", "cached ? status : 0.5", "cached ? double(status) : 0.5"),
        ("math.greatest(status, 0.5)", "math.greatest(status, 0.5)", "math.greatest(double(status), 0.5)"),
        ("math.round(status)", "math.round(status)", "math.round(double(status))"),
        ("-double(status)", "-double(status)", "-double(status)"),
    ],
)
def test_a_widening_is_written_where_nothing_else_brings_it_about(text: str, short: str, standard: str) -> None:
    assert show(tree(text)) == short
    assert show(tree(text), widenings=True) == standard
