"""Random specs on random nasty rows: the compiled artefacts, executed on each engine, give what the reference gives."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterspec.backends.sql import AS_OF, CYCLES, DIALECTS, backend, needs_as_of, needs_cycles
from meterspec.ir import FieldType, Program
from tests.engines import Engine, Row, Value
from tests.random_specs import cycles, sound, spec
from tests.reference import quality, quantities, read

FAULTS: dict[str, list[Value]] = {
    "id": [None],
    "at": [None],
    "n": [None, 1_000_001, -(2**63), 2**63 - 1],
    "m": [None, 0, 5001],
    "d": [None],
    "f": [None, math.nan, math.inf, -math.inf, 1e300, -1e308, 1000.1],
    "o": [10, -10],
    "s": [None, "", "OK", "Ünïcode \N{SNOWMAN} "],
    "b": [None],
    "w": [None],
}
"""Values of a typed column that a row is rejected for."""


KINDS: dict[FieldType, type] = {
    FieldType.STRING: str,
    FieldType.INTEGER: int,
    FieldType.DECIMAL: Decimal,
    FieldType.FLOAT: Decimal,
    FieldType.BOOLEAN: bool,
    FieldType.TIMESTAMP: datetime,
}


def typed(draw: random.Random) -> dict[str, Value]:
    """A random event as a typed table holds it."""
    row: dict[str, Value] = {}
    for name, value in sound(draw).items():
        match name:
            case "at" | "w":
                row[name] = datetime.fromisoformat(str(value))
            case "d":
                row[name] = Decimal(str(value))
            case "f":
                row[name] = float(str(value))
            case _:
                assert value is None or isinstance(value, str | int | bool)
                row[name] = value
    if draw.random() < 0.08:
        name = draw.choice(list(FAULTS))
        row[name] = draw.choice(FAULTS[name])
    return row


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows by their columns, from the left, nulls last; two that are equal in value are next to each other."""
    return sorted(rows, key=lambda row: [(value is None, value if value is not None else 0) for value in row])


def set_up(engine: Engine, program: Program) -> None:
    """The relations that a user supplies, then the views, from the artefacts as they are written."""
    texts = {artifact.path.name: artifact.text for artifact in backend(engine.name).emit(program)}
    for name in ("inputs.sql", "families.sql", "meters.sql"):
        engine.script(texts[name])


SPECS = {"duckdb": 8, "sqlite": 8, "postgres": 8, "clickhouse": 6, "datafusion": 6, "bigquery": 2, "spark": 2}
"""How many specs of eight meters each engine computes: Spark takes seconds for what others do in milliseconds."""


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.xdist_group(name))
        for name, specs in SPECS.items()
        for seed in range(specs)
    ],
)
def test_every_row_is_that_of_the_reference(name: str, seed: int, start_engine: Callable[[str], Engine]) -> None:
    draw, engine = random.Random(seed), start_engine(name)
    made = spec(draw, 8, refused_by=engine.name)
    dialect, (family,) = DIALECTS[engine.name], made.program.families
    raw = [{name: engine.held(value) for name, value in typed(draw).items()} for _ in range(120)]
    raw += draw.sample(raw, 15)
    own_cycles, as_of = cycles(draw), datetime(2026, 4, 2, 3, 4, 5, 678_901, UTC) - timedelta(days=draw.randint(0, 60))
    set_up(engine, made.program)
    columns = {field.name: dialect.column_type(field) for field in family.fields}
    rows: list[Row] = [tuple(row[name] for name in columns) for row in raw]
    engine.insert(".".join(family.raw), columns, rows)
    instant = dialect.types[FieldType.TIMESTAMP]
    if any(needs_as_of(meter) for meter in made.program.meters):
        engine.insert(AS_OF, {"as_of": instant}, [(as_of,)])
    if own_cycles and any(needs_cycles(meter) for meter in made.program.meters):
        names = {"customer_id": dialect.types[FieldType.STRING], "cycle_start": instant, "cycle_end": instant}
        engine.insert(CYCLES, names, list(own_cycles))

    expected = read(family, [dict(row) for row in raw])
    (counted,) = quality([expected])
    assert engine.query(f"SELECT COUNT(*) FROM {engine.quoted(family.sql_name)}") == [(counted["accepted"],)]
    rejects = engine.query(f"SELECT meterspec_reject_reason FROM {engine.quoted(family.rejects)}")
    assert Counter(reason for (reason,) in rejects) == counted["reasons"]
    for meter in made.program.meters:
        wanted = quantities(made.program, meter, {family.name: expected.events}, as_of=as_of, cycles=own_cycles)
        selected = ", ".join(map(engine.quoted, ("window_start", "window_end", *meter.group_by, "quantity", "events")))
        kinds = [datetime, datetime, *(KINDS[family.field(name).type] for name in meter.group_by), Decimal, int]
        rows = engine.query(f"SELECT {selected} FROM {engine.quoted(meter.sql_name)}")
        found = [tuple(engine.read(kind, one) for kind, one in zip(kinds, row, strict=True)) for row in rows]
        flat: list[Row] = [(start, end, *group, quantity, events) for start, end, group, quantity, events in wanted]
        assert in_order(found) == in_order(flat), f"seed {seed}, {meter.name}\n{made.text}"
