"""What a difference is found on is made small, and still differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DuckDB
from tests.corpus import check_text
from tests.engines import Engine
from tests.random_specs import FAMILY, sound, spec
from tests.shrinking import Case, shown, shrunk
from tests.test_compiled_sql import compared, drawn, hold


def broken_remainder(self: DuckDB, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
    """What a slip in a dialect would be."""
    return b.call("GREATEST", b.binary(exp.Mod, dividend, divisor), b.number(1))


def test_a_broken_lowering_is_found_and_shown_on_few_lines(
    start_engine: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, seed = start_engine("duckdb"), 0
    case = drawn(seed, engine, rows=60)
    case = replace(case, meters=case.meters[5:8])
    assert compared(engine, case).differs_in is None
    monkeypatch.setattr(DuckDB, "remainder", broken_remainder)
    smallest: list[Case] = []

    def shrinking(case: Case, differs: Callable[[Case], bool], tries: int) -> Case:
        smallest.append(shrunk(case, differs, tries))
        return smallest[0]

    monkeypatch.setattr("tests.test_compiled_sql.shrunk", shrinking)
    with pytest.raises(pytest.fail.Exception) as failure:
        hold(engine, case, seed)
    (small,) = smallest
    assert len(small.meters) == 1 and len(small.events) <= 2
    assert "filter" not in small.meters[0] or "filter" in str(failure.value)
    assert f"seed {seed}" in str(failure.value)
    assert shown(small) in str(failure.value)
    assert len(shown(small).splitlines()) < 25
    program, found = check_text(small.text)
    assert program is not None, found
    assert compared(engine, small).differs_in is not None
    monkeypatch.undo()
    assert compared(engine, small).differs_in is None


def test_nothing_that_does_not_matter_is_left() -> None:
    """Without an engine: a remainder by `m`, and an event with a negative `n`, are all it takes."""
    draw = Random(3)
    meters = list(spec(draw, 4).meters)
    meters.insert(
        2,
        '[[meters]]\nname = "odd"\nprecision = 6\nsource = { kind = "family", family = "test.event" }\n'
        'aggregate.fn = "SUM"\naggregate.window = "day"\naggregate.group_by = ["customer_id", "t"]\n'
        "filter = '''b && size(s) > 1'''\n"
        "aggregate.value = '''0.5 * ((n % m) + 3)'''\n",
    )
    events = tuple({**sound(draw), "n": abs(int(str(sound(draw)["n"])))} for _ in range(60))
    events = (*events[:41], {**events[41], "n": -7}, *events[41:])
    case = Case(
        FAMILY, tuple(meters), events, (("c1", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),)
    )
    tries = []

    def differs(case: Case) -> bool:
        tries.append(case)
        program, _ = check_text(case.text)
        if program is None or not any(int(str(event.get("n") or 0)) < 0 for event in case.events):
            return False
        return any("n % m" in meter for meter in case.meters)

    assert differs(case)
    small = shrunk(case, differs, 500)
    assert len(tries) < 500
    assert [line for line in small.meters[0].splitlines() if line] == [
        "[[meters]]",
        'name = "odd"',
        'source = { kind = "family", family = "test.event" }',
        'aggregate.fn = "SUM"',
        "aggregate.group_by = []",
        "aggregate.value = '''n % m'''",
    ]
    (event,) = small.events
    assert {name: value for name, value in event.items() if value is not None} == {"n": -7}
    assert [line.split()[0] for line in small.family.splitlines() if line.startswith("schema")] == [
        "schema.n",
        "schema.m",
    ]
    assert small.cycles == ()


def test_the_number_of_tries_is_bounded() -> None:
    tried = []

    def differs(case: Case) -> bool:
        tried.append(case)
        return len(case.events) > 5

    small = shrunk(Case(FAMILY, ("x", "y"), tuple({"n": n} for n in range(1000))), differs, 12)
    assert len(tried) == 12
    assert 5 < len(small.events) < 1000
