"""Random specs on random nasty rows: each engine gives in every view what the reference evaluator gives, row by row."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from meterspec import ir
from meterspec.backends import sql
from meterspec.diagnostics import Diagnostics
from tests.engines import Engine, Row, Value
from tests.random_specs import Spec, cycles, event, spec
from tests.reference import json_rows, moment, quantities, read

SPECS = {"duckdb": 4, "postgres": 4, "clickhouse": 4, "spark": 1, "datafusion": 4, "bigquery": 1}
"""How many specs of eight meters each case computes: one that takes seconds for a view computes few."""


def typed(field: ir.Field, value: object) -> Value:
    """The value of a column of a raw table; raises ValueError for one that a column of its type cannot hold."""
    match field.type, value:
        case _, None:
            return None
        case ir.FieldType.STRING, str() | bool():
            if isinstance(value, str):
                return value
        case ir.FieldType.BOOLEAN, bool():
            return value
        case ir.FieldType.INTEGER, int() if not isinstance(value, bool):
            return value
        case ir.FieldType.DECIMAL, str() if value.replace(".", "").replace("-", "").isdigit():
            return Decimal(value)
        case ir.FieldType.FLOAT, int() | float() if not isinstance(value, bool):
            return float(value)
        case ir.FieldType.TIMESTAMP, str() if value[:1].isdigit():
            return datetime.fromisoformat(value)
    raise ValueError(value)


def raw_rows(family: ir.Family, events: list[dict[str, object]]) -> Iterator[tuple[dict[str, object], Row]]:
    """The events that a table of typed columns can hold, and their rows."""
    for one in events:
        try:
            yield one, tuple(typed(field, one.get(field.name)) for field in family.fields)
        except ValueError:
            continue


def expressible(made: Spec, dialect: str) -> list[ir.Meter]:
    """The meters that a dialect does not refuse."""
    found = []
    for meter in made.program.meters:
        parts = [meter]
        if isinstance(meter.source, ir.RatioSource):
            parts = [made.program.meter(name) for name in (meter.source.numerator, meter.source.denominator)]
        out = Diagnostics()
        sql.check(made.program, parts, dialect, out)
        if not list(out):
            found.append(meter)
    return found


def artifacts(program: ir.Program, dialect: str) -> dict[str, str]:
    return {one.path.name: one.text for one in sql.backend(dialect).emit(program)}


@pytest.mark.parametrize("case", range(6))
def test_every_row_is_that_of_the_reference(case: int, engine: Engine) -> None:
    for number in range(SPECS[engine.name]):
        engine.reset()
        agree(engine, 100 * case + number)


def agree(engine: Engine, seed: int) -> None:
    draw = random.Random(seed)
    made = spec(draw, 8)
    (family,) = made.program.families
    events = [event(draw) for _ in range(120)]
    held = list(raw_rows(family, events + draw.sample(events, 15)))
    expected = read(family, json_rows([json.dumps(one) for one, _ in held]))
    meters = expressible(made, engine.name)
    dialect = sql.DIALECTS[engine.name]
    own_cycles = cycles(draw)
    as_of = moment(max(one.time for one in expected.events) + 1)
    instant, text = dialect.types[ir.FieldType.TIMESTAMP], dialect.types[ir.FieldType.STRING]
    engine.load(".".join(family.raw), {f.name: dialect.column_type(f) for f in family.fields}, [row for _, row in held])
    engine.load(sql.CYCLES, {"customer_id": text, "cycle_start": instant, "cycle_end": instant}, own_cycles)
    engine.load(sql.AS_OF, {"as_of": instant}, [(as_of,)])
    texts = artifacts(ir.Program(families=made.program.families, meters=tuple(meters)), engine.name)
    engine.script(texts["families.sql"])
    engine.script(texts["meters.sql"])
    for one in meters:
        wanted = quantities(made.program, one, {family.name: expected.events}, as_of=as_of, cycles=own_cycles)
        columns = ", ".join(map(engine.quoted, ("window_start", "window_end", *one.group_by, "quantity", "events")))
        rows = engine.query(f"SELECT {columns} FROM {engine.quoted(one.sql_name)}")
        found = sorted(((r[0], r[1], r[2:-2], r[-2], r[-1]) for r in rows), key=order)
        assert found == [tuple(row) for row in wanted], f"seed {seed} on {engine.name}, {one.name}\n{made.text}"


def order(row: tuple[Value, Value, Row, Value, Value]) -> tuple[object, ...]:
    """By window, then by group, what is missing last; a window of a lifetime begins with nothing."""
    start, end, group = row[:3]
    return (start is not None, start, end, [(value is None, 0 if value is None else value) for value in group])
