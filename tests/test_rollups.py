"""Rollups: added up from totals by the hour or the day, every number is that of the full scan."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from meterspec.backends.sql import DIALECTS, backend, scans
from meterspec.ir import CalendarUnit
from tests.corpus import check_text
from tests.engines.duckdb import DuckDB
from tests.random_specs import FAMILY, spec
from tests.test_compiled_sql import typed

GRAINS = [CalendarUnit.HOUR, CalendarUnit.DAY]


@pytest.fixture
def engine() -> Iterator[DuckDB]:
    duckdb = DuckDB()
    duckdb.start()
    duckdb.reset()
    yield duckdb
    duckdb.stop()


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("seed", range(3))
def test_a_rollup_gives_the_number_of_the_full_scan(engine: DuckDB, grain: CalendarUnit, seed: int) -> None:
    draw = random.Random(seed)
    program = spec(draw, 8).program
    (family,) = program.families
    texts = {one.path.name: one.text for one in backend("duckdb").emit(program)}
    rolled = {one.path.name: one.text for one in backend("duckdb", grain).emit(program)}
    engine.script(texts["inputs.sql"] + texts["families.sql"])
    columns = {field.name: DIALECTS["duckdb"].column_type(field) for field in family.fields}
    engine.insert(".".join(family.raw), columns, [tuple(typed(draw)[name] for name in columns) for _ in range(150)])
    found = []
    for scripts in (texts, rolled):
        engine.script(scripts.get("rollups.sql", "") + scripts["meters.sql"])
        rows = [engine.query(f"SELECT * FROM {engine.quoted(meter.sql_name)} ORDER BY ALL") for meter in program.meters]
        found.append(dict(zip((meter.name for meter in program.meters), rows, strict=True)))
    assert found[0] == found[1]


METER = """
[[meters]]
name = "m"
source = {{ kind = "family", family = "test.event" }}
aggregate = {{ fn = "{fn}", {value}window = {window} }}
"""


@pytest.mark.parametrize(
    ("fn", "window", "grains"),
    [
        ("COUNT", '"month"', {"hour", "day"}),
        ("SUM", '"hour"', {"hour"}),
        ("AVG", '"6h"', {"hour"}),
        ("MAX", '"2d"', {"hour", "day"}),
        ("MIN", '"15m"', set()),
        ("SUM", '{ kind = "calendar", unit = "day", timezone = "Europe/Berlin" }', set()),
        ("SUM", '{ kind = "rolling", duration = "30d" }', set()),
        ("SUM", '"billing_cycle"', set()),
        ("UNIQUE", '"month"', set()),
        ("LAST", '"month"', set()),
    ],
)
def test_only_what_is_made_of_whole_units_is_rolled_up(fn: str, window: str, grains: set[str]) -> None:
    value = "" if fn == "COUNT" else 'value = "n", '
    program, _ = check_text(FAMILY + METER.format(fn=fn, window=window, value=value))
    assert program is not None
    assert {grain.value for grain in GRAINS if scans(program, program.meters, grain=grain)[0].grain} == grains
