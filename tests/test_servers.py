"""`run --engine`: a server gives what the embedded engine gives; where there is none, there is one clear error."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from meterspec import ir
from meterspec.backends import sql
from meterspec.diagnostics import Diagnostics, Failure
from meterspec.events import find
from meterspec.run import run
from meterspec.servers import SERVERS, Server, connect, run_on
from tests.corpus import check_text
from tests.engines import Engine, Row, Value
from tests.random_specs import FAMILY, event
from tests.test_cli import meterspec

SPEC = f"""{FAMILY}
[[meters]]
name = "hours"
source = {{ kind = "family", family = "test.event" }}
filter = "s == 'ok' && n > 0"
aggregate = {{ fn = "SUM", value = "n / 3600000.0", window = "billing_cycle", group_by = ["customer_id"] }}

[[meters]]
name = "events"
source = {{ kind = "family", family = "test.event" }}
aggregate = {{ fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }}

[[meters]]
name = "hours-an-event"
source = {{ kind = "ratio", numerator = "hours", denominator = "events" }}

[[meters]]
name = "level"
source = {{ kind = "family", family = "test.event" }}
aggregate = {{ fn = "LAST", value = "d", window = {{ kind = "rolling", duration = "30d" }}, group_by = ["t"] }}
"""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SERVERS])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Server]]:
    """An engine, and the connection that users would have to it."""
    engine: Engine = request.getfixturevalue("start_engine")(request.param)
    server = connect(request.param, engine.dsn)
    if request.param == "clickhouse":
        server.query("USE meterspec")
    yield engine, server
    if request.param != "spark":  # its session is that of the tests, in the same process
        server.close()


def program() -> ir.Program:
    found, _ = check_text(SPEC)
    assert found is not None
    return found


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


def load(engine: Engine, made: ir.Program, rows: list[Row]) -> None:
    (family,) = made.families
    dialect = sql.DIALECTS[engine.name]
    instant, text = dialect.types[ir.FieldType.TIMESTAMP], dialect.types[ir.FieldType.STRING]
    engine.load(".".join(family.raw), {f.name: dialect.column_type(f) for f in family.fields}, rows)
    engine.load(sql.CYCLES, {"customer_id": text, "cycle_start": instant, "cycle_end": instant}, [])


WAYS: list[dict[str, object]] = [
    {},
    {"fill": True},
    {"between": (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC))},
    {"begins": (datetime(2026, 2, 1, tzinfo=UTC), None)},
    {"cycles": [("c1", datetime(2026, 1, 7, tzinfo=UTC), datetime(2026, 2, 7, tzinfo=UTC))]},
    {"as_of": datetime(2026, 2, 10, tzinfo=UTC), "meters": ["level"]},
]


def test_a_server_gives_what_the_embedded_engine_gives(served: tuple[Engine, Server], tmp_path: Path) -> None:
    engine, server = served
    made, draw = program(), random.Random(5)
    (family,) = made.families
    held = list(raw_rows(family, [event(draw) for _ in range(200)]))
    load(engine, made, [row for _, row in held])
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one, _ in held), encoding="utf-8")
    for way in WAYS:
        out = Diagnostics()
        wanted = run(made, find(made, [str(path)]), out, **way)  # type: ignore[arg-type]
        found = run_on(engine.name, server, made, out, **way)  # type: ignore[arg-type]
        assert not list(out)
        assert found.results == wanted.results, way
        assert found.quality == wanted.quality
        assert found.as_of == wanted.as_of


def test_files_take_the_place_of_a_raw_table_where_the_engine_reads_them(
    served: tuple[Engine, Server], tmp_path: Path
) -> None:
    engine, server = served
    made, draw = program(), random.Random(6)
    (family,) = made.families
    files = {family.name: [str(tmp_path / "rows.parquet")]}
    if engine.name != "spark":
        with pytest.raises(Failure) as failure:
            run_on(engine.name, server, made, Diagnostics(), files=files)
        assert (failure.value.diagnostic.code, "leave `--events` out" in str(failure.value.diagnostic.hint)) == (
            "MS018",
            True,
        )
        return
    load(engine, made, [row for _, row in raw_rows(family, [event(draw) for _ in range(50)])])
    engine.execute(f"INSERT OVERWRITE DIRECTORY '{files[family.name][0]}' USING parquet SELECT * FROM raw_test_event")
    from_table = run_on(engine.name, server, made, Diagnostics())
    from_files = run_on(engine.name, server, made, Diagnostics(), files=files)
    assert from_files == from_table and from_files.results
    with pytest.raises(Failure) as failure:
        run_on(engine.name, server, made, Diagnostics(), files={family.name: [str(tmp_path / "absent")]})
    assert failure.value.diagnostic.code == "MS701"


def test_no_events_is_no_result(served: tuple[Engine, Server]) -> None:
    engine, server = served
    made = program()
    load(engine, made, [])
    done = run_on(engine.name, server, made, Diagnostics())
    assert (done.results, done.as_of, [one.read for one in done.quality]) == ([], None, [0])


def test_a_raw_table_that_is_not_there_is_named(served: tuple[Engine, Server]) -> None:
    engine, server = served
    with pytest.raises(Failure) as failure:
        run_on(engine.name, server, program(), Diagnostics())
    said = failure.value.diagnostic
    assert (said.code, "raw_test_event" in f"{said.message} {said.hint}") == ("MS017", True)


@pytest.mark.parametrize(
    ("engine", "dsn"), [("postgres", "host=127.0.0.1 port=1"), ("clickhouse", "clickhouse://127.0.0.1:1")]
)
def test_an_engine_that_is_down_is_one_clear_error(engine: str, dsn: str, tmp_path: Path) -> None:
    (tmp_path / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    done = meterspec("run", "--engine", engine, "--dsn", dsn, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    first, hint = done.stderr.rstrip().splitlines()
    assert first.startswith(f"error[MS016]: {engine} cannot be reached: ") and "refused" in first
    assert hint.startswith("  = help: say where it is with `--dsn`")


def test_a_long_spec_is_refused_by_name_before_the_server_is_asked() -> None:
    class Silent:
        def query(self, sql: str) -> list[tuple[object, ...]]:
            raise AssertionError(sql)

        def errors(self) -> tuple[type[Exception], ...]:
            return ()

        def read(self, table: str, paths: Sequence[str]) -> None:
            raise AssertionError(table)

        def close(self) -> None: ...

    made = program()
    long = replace(made.meters[0], name="x" * 70, sql_name="x" * 70)
    out = Diagnostics()
    done = run_on("postgres", Silent(), replace(made, meters=(long,)), out)
    assert [one.code for one in out] == ["MS601"] and done.results == []
