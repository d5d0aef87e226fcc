"""Random specs on random nasty rows: the compiled artefacts, executed on each engine, give what the reference gives."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterspec.backends.sql import AS_OF, CYCLES, DIALECTS, backend, needs_as_of, needs_cycles
from meterspec.ir import FieldType, Program
from tests.corpus import check_text
from tests.engines import Engine, Row, Value
from tests.random_specs import FAMILY, cycles, is_refused, sound, spec
from tests.reference import quality, quantities, read
from tests.shrinking import Case, shown, shrunk

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


def typed(draw: random.Random, ids: int = 60) -> dict[str, Value]:
    """A random event as a typed table holds it."""
    row: dict[str, Value] = {}
    for name, value in sound(draw, ids).items():
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


def set_up(engine: Engine, program: Program, case: Case) -> None:
    """The relations that a user supplies, with rows, and the views, from the artefacts as they are written."""
    texts = {artifact.path.name: artifact.text for artifact in backend(engine.name).emit(program)}
    for name in ("inputs.sql", "families.sql", "meters.sql"):
        engine.script(texts[name])
    dialect, (family,) = DIALECTS[engine.name], program.families
    columns = {field.name: dialect.column_type(field) for field in family.fields}
    rows = [tuple(row.get(name) for name in columns) for row in case.events]
    if rows:
        engine.insert(".".join(family.raw), columns, rows)  # type: ignore[arg-type]
    instant = dialect.types[FieldType.TIMESTAMP]
    if any(needs_as_of(meter) for meter in program.meters):
        engine.insert(AS_OF, {"as_of": instant}, [(case.as_of,)])
    if case.cycles and any(needs_cycles(meter) for meter in program.meters):
        names = {"customer_id": dialect.types[FieldType.STRING], "cycle_start": instant, "cycle_end": instant}
        engine.insert(CYCLES, names, list(case.cycles))


@dataclass
class Compared:
    """What came of a comparison."""

    rows: int = 0
    """How many rows were held against those of the reference."""
    differs_in: str | None = None
    """The relation that differs; an error that the engine raised is one of its type."""
    words: str = ""


class _DifferenceError(Exception):
    """A relation is not that of the reference."""


def compared(engine: Engine, case: Case) -> Compared:
    """Computes a case on an engine, and compares its relations with those of the reference up to the first difference.

    A case that does not compile has none.
    """
    program, _ = check_text(case.text)
    if program is None or is_refused(program, engine.name):
        return Compared()
    engine.reset()
    done = Compared()
    try:
        _compare(engine, program, case, done)
    except _DifferenceError as difference:
        done.words = str(difference)
    except Exception as error:
        done.differs_in, done.words = type(error).__name__, str(error)
    return done


def _compare(engine: Engine, program: Program, case: Case, done: Compared) -> None:
    set_up(engine, program, case)
    (family,) = program.families
    expected = read(family, [dict(row) for row in case.events])
    (counted,) = quality([expected])

    def same(relation: str, found: object, wanted: object) -> None:
        if found != wanted:
            done.differs_in = relation
            raise _DifferenceError(f"{relation}: {engine.name} has {found}\nthe reference {wanted}")

    same("events", engine.query(f"SELECT COUNT(*) FROM {engine.quoted(family.sql_name)}"), [(counted["accepted"],)])
    rejects = engine.query(f"SELECT meterspec_reject_reason FROM {engine.quoted(family.rejects)}")
    same("rejects", dict(Counter(reason for (reason,) in rejects)), dict(counted["reasons"]))  # type: ignore[call-overload]
    assert case.as_of is not None
    for meter in program.meters:
        events = {family.name: expected.events}
        wanted = quantities(program, meter, events, as_of=case.as_of, cycles=list(case.cycles))
        selected = ", ".join(map(engine.quoted, ("window_start", "window_end", *meter.group_by, "quantity", "events")))
        kinds = [datetime, datetime, *(KINDS[family.field(name).type] for name in meter.group_by), Decimal, int]
        rows = engine.query(f"SELECT {selected} FROM {engine.quoted(meter.sql_name)}")
        found = [tuple(engine.read(kind, one) for kind, one in zip(kinds, row, strict=True)) for row in rows]
        flat: list[Row] = [(start, end, *group, quantity, events) for start, end, group, quantity, events in wanted]
        same(meter.name, in_order(found), in_order(flat))
        done.rows += len(flat)


def drawn(seed: int, engine: Engine, rows: int = 120) -> Case:
    """A random spec of eight meters and a ratio, and so many random rows: half of the ids occur more than once."""
    draw = random.Random(seed)
    made = spec(draw, 8, refused_by=engine.name)
    raw = [{name: engine.held(value) for name, value in typed(draw, rows // 2).items()} for _ in range(rows)]
    raw += draw.sample(raw, rows // 8)
    own_cycles, as_of = cycles(draw), datetime(2026, 4, 2, 3, 4, 5, 678_901, UTC) - timedelta(days=draw.randint(0, 60))
    return Case(FAMILY, made.meters, tuple(dict(row) for row in raw), tuple(own_cycles), as_of)


def hold(engine: Engine, case: Case, seed: int, tries: int = 400) -> Compared:
    """Fails with a small spec and a small event file where an engine differs from the reference."""
    first = compared(engine, case)
    if first.differs_in is None:
        return first
    like = {meter.split('"')[1] for meter in case.meters}

    def differs(smaller: Case) -> bool:
        found = compared(engine, smaller).differs_in
        return found == first.differs_in or (found in like and first.differs_in in like)

    small = shrunk(case, differs, tries)
    pytest.fail(f"seed {seed} on {compared(engine, small).words}\n{shown(small)}", pytrace=False)


DRAWS = {
    "duckdb": (16, 400),
    "sqlite": (24, 400),
    "postgres": (8, 240),
    "clickhouse": (6, 240),
    "datafusion": (6, 240),
    "bigquery": (2, 120),
    "spark": (2, 120),
}
"""How many specs of eight meters each engine computes, and on how many rows: Spark takes seconds for what others do in
milliseconds. docs/testing.md says how many comparisons that makes."""


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.xdist_group(name))
        for name, (specs, _) in DRAWS.items()
        for seed in range(specs)
    ],
)
def test_every_row_is_that_of_the_reference(
    name: str, seed: int, start_engine: Callable[[str], Engine], record_property: Callable[[str, object], None]
) -> None:
    engine = start_engine(name)
    done = hold(engine, drawn(seed, engine, DRAWS[name][1]), seed)
    record_property("rows", done.rows)
    assert done.rows > 0
