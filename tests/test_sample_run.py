"""The sample, computed by the compiled SQL, is what the reference evaluator says, however the rows arrive."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from meterspec.diagnostics import Diagnostics
from meterspec.events import find
from meterspec.ir import Program
from meterspec.run import Run, run
from tests.conftest import FIXTURES, ROOT
from tests.corpus import check_file
from tests.reference import json_rows, quality, quantities, read

SAMPLE = ROOT / "examples" / "agent-runs"
FAMILY = "acme.platform.agent-run"
AS_OF = datetime(2026, 4, 1, tzinfo=UTC)
Row = tuple[str, datetime | None, datetime, tuple[object, ...], Decimal | None, int]


@pytest.fixture(scope="module")
def program() -> Program:
    compiled, _ = check_file(FIXTURES / "valid" / "published_long.toml")
    assert compiled is not None
    return compiled


@pytest.fixture(scope="module")
def expected(program: Program) -> list[Row]:
    """Every quantity of the sample by the reference evaluator, in fractions."""
    events = read(program.family(FAMILY), json_rows(lines())).events
    return [
        (meter.name, row.window_start, row.window_end, row.group, row.quantity, row.events)
        for meter in program.meters
        for row in quantities(program, meter, {FAMILY: events}, as_of=AS_OF)
    ]


def lines() -> list[str]:
    return (SAMPLE / "events.jsonl").read_text(encoding="utf-8").splitlines()


def compute(program: Program, *events: Path, threads: int | None = None) -> Run:
    out = Diagnostics()
    done = run(program, find(program, [str(path) for path in events]), out, as_of=AS_OF, threads=threads)
    assert not list(out)
    return done


def rows(done: Run) -> list[Row]:
    return [
        (r.meter, r.window_start, r.window_end, tuple(value for _, value in r.group), r.quantity, r.events)
        for r in done.results
    ]


@pytest.mark.parametrize("file", ["events.jsonl", "events.parquet"])
def test_every_number_is_that_of_the_reference(program: Program, expected: list[Row], file: str) -> None:
    assert len(expected) == 34
    assert rows(compute(program, SAMPLE / file)) == expected


def test_the_quality_counts_are_those_of_the_reference(program: Program) -> None:
    done = compute(program, SAMPLE / "events.jsonl")
    (counted,) = quality([read(program.family(FAMILY), json_rows(lines()))])
    (found,) = done.quality
    assert {name: getattr(found, name) for name in counted} == counted
    assert found.read == found.accepted + found.duplicates + found.rejected
    assert [entry.keys for entry in done.ignored] == [("trace_id",)]


@pytest.mark.parametrize("seed", range(3))
def test_neither_order_nor_files_nor_threads_change_a_number(
    program: Program, expected: list[Row], tmp_path: Path, seed: int
) -> None:
    shuffled = lines()
    random.Random(seed).shuffle(shuffled)
    parts = [tmp_path / f"part-{number}.jsonl" for number in range(seed + 2)]
    for number, part in enumerate(parts):
        part.write_text("\n".join(shuffled[number :: len(parts)]) + "\n", encoding="utf-8")
    assert rows(compute(program, *parts, threads=seed + 1)) == expected


def test_files_of_different_kinds_are_one_log(program: Program, expected: list[Row], tmp_path: Path) -> None:
    """Half as JSON lines, half as CSV made by another program, a quarter of it twice."""
    half = lines()[::2]
    json_half, csv_half, again = tmp_path / "a.jsonl", tmp_path / "b.csv", tmp_path / "c.ndjson"
    json_half.write_text("\n".join(half), encoding="utf-8")
    again.write_text("\n".join(half[::2]), encoding="utf-8")
    names = [field.name for field in program.family(FAMILY).fields]
    with csv_half.open("w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for line in lines()[1::2]:
            event = json.loads(line, parse_float=str)
            file.write(",".join("" if event.get(name) is None else str(event[name]) for name in names) + "\n")
    assert rows(compute(program, json_half, csv_half, again)) == expected


def test_the_compiled_views_alone_give_the_same_numbers(program: Program, expected: list[Row]) -> None:
    """What a user does on a warehouse: create the inputs, fill them, run the SQL files that were compiled."""
    from meterspec.backends import sql  # noqa: PLC0415

    artifacts = {artifact.path.name: artifact.text for artifact in sql.backend("duckdb").emit(program)}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        for name in ("inputs.sql", "families.sql", "meters.sql"):
            connection.execute(artifacts[name])
        fields = ", ".join(f'"{field.name}"' for field in program.family(FAMILY).fields)
        raw = "raw_acme_platform_agent_run"
        connection.execute(f"INSERT INTO {raw} SELECT {fields} FROM '{SAMPLE / 'events.parquet'}'")
        connection.execute("INSERT INTO meterspec_as_of VALUES (TIMESTAMPTZ '2026-04-01 00:00:00+00')")
        found: list[Row] = []
        for meter in program.meters:
            groups = ", ".join(f'"{name}"' for name in meter.group_by)
            query = (
                "SELECT epoch_us(window_start), epoch_us(window_end), quantity, events, "
                f'{groups} FROM "{meter.sql_name}" ORDER BY 1, 2, {groups}'
            )
            for start, end, quantity, events, *group in connection.execute(query).fetchall():
                instants = (datetime.fromtimestamp(micros / 1_000_000, UTC) for micros in (start, end))
                found.append((meter.name, *instants, tuple(group), quantity, events))
    assert found == expected
