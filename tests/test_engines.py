"""The harness itself: what is put into an engine comes out of it again, to the last digit and character."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from meterspec.backends.sql import DIALECTS
from tests.engines import Engine, Value

TYPES: dict[str, dict[type, str]] = {
    "duckdb": {
        str: "VARCHAR",
        int: "BIGINT",
        Decimal: "DECIMAL(38, 12)",
        float: "DOUBLE",
        bool: "BOOLEAN",
        datetime: "TIMESTAMPTZ",
    },
    "postgres": {
        str: "TEXT",
        int: "BIGINT",
        Decimal: "NUMERIC(38, 12)",
        float: "DOUBLE PRECISION",
        bool: "BOOLEAN",
        datetime: "TIMESTAMPTZ",
    },
    "clickhouse": {
        str: "Nullable(String)",
        int: "Nullable(Int64)",
        Decimal: "Nullable(Decimal(38, 12))",
        float: "Nullable(Float64)",
        bool: "Nullable(Bool)",
        datetime: "Nullable(DateTime64(6, 'UTC'))",
    },
    "spark": {
        str: "STRING",
        int: "BIGINT",
        Decimal: "DECIMAL(38, 12)",
        float: "DOUBLE",
        bool: "BOOLEAN",
        datetime: "TIMESTAMP",
    },
    "datafusion": {
        str: "VARCHAR",
        int: "BIGINT",
        Decimal: "DECIMAL(38, 12)",
        float: "DOUBLE",
        bool: "BOOLEAN",
        datetime: "TIMESTAMP(6) WITH TIME ZONE",
    },
    "sqlite": {str: "TEXT", int: "INTEGER", Decimal: "TEXT", float: "REAL", bool: "INTEGER", datetime: "INTEGER"},
    "bigquery": {
        str: "STRING",
        int: "INT64",
        Decimal: "BIGNUMERIC(38, 12)",
        float: "FLOAT64",
        bool: "BOOL",
        datetime: "TIMESTAMP",
    },
}
"""The type of a column for each kind of value."""

VALUES: list[Value] = [
    *("", " ", "a'b\"c`d", "\\", "\\n", "\n\r\t", "%_", "é 😀 ☃", "ß", "NULL", "null", "\\N", "-- ;", "x" * 5000),
    *(0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(
        Decimal(text)
        for text in ("0", "123456.789012345678", "-0.000000000001", "99999999999999999999999999.999999999999")
    ),
    Decimal("-99999999999999999999999999.999999999999"),
    *(0.0, 0.1, -1e300, 5e-324, 2.0**53, float("inf"), float("-inf")),
    *(True, False),
    *(datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC), datetime(1970, 1, 1, tzinfo=UTC)),
    *(datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), datetime(1900, 1, 1, 0, 0, 0, 1, UTC)),
    *(datetime(2299, 12, 31, 23, 59, 59, 999_999, UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
]

BEYOND = {"clickhouse": datetime(2300, 1, 1, tzinfo=UTC)}
"""The first instant that the type of an engine does not hold."""


def test_every_value_comes_back_as_it_went_in(engine: Engine) -> None:
    for kind, column in TYPES[engine.name].items():
        kept = [value for value in VALUES if type(value) is kind]
        if kind is datetime and engine.name in BEYOND:
            kept = [value for value in kept if isinstance(value, datetime) and value < BEYOND[engine.name]]
        engine.load(
            kind.__name__, {"n": TYPES[engine.name][int], "value": column}, [*enumerate(kept), (len(kept), None)]
        )
        rows = engine.query(f"SELECT * FROM {engine.quoted(kind.__name__)} ORDER BY 1")
        found = [engine.read(kind, value) for _, value in rows]
        assert found == [*kept, None]
        assert {type(value) for value in found[:-1]} == {kind}
        assert all(value.tzinfo is UTC for value in found if isinstance(value, datetime))


def test_not_a_number_is_kept_or_null(engine: Engine) -> None:
    engine.load("t", {"value": TYPES[engine.name][float]}, [(float("nan"),)])
    assert engine.held(float("nan")) is None or str(engine.held(float("nan"))) == "nan"
    ((found,),) = engine.query(f"SELECT * FROM {engine.quoted('t')}")
    assert str(found) == str(engine.held(float("nan")))


def test_the_null_character_is_kept_or_refused(engine: Engine) -> None:
    columns = {"value": TYPES[engine.name][str]}
    if engine.name == "postgres":
        with pytest.raises(Exception, match="NUL"):
            engine.load("t", columns, [("a\0b",)])
    else:
        engine.load("t", columns, [("a\0b",)])
        assert engine.query(f"SELECT * FROM {engine.quoted('t')}") == [("a\0b",)]


def test_a_script_defines_views_on_views_and_replaces_them(engine: Engine) -> None:
    engine.load("raw.t", {"x": TYPES[engine.name][int]}, [(2,), (1,)])
    number = TYPES[engine.name][int]
    raw, one, two, part = (engine.quoted(name) for name in ("raw.t", "one", "two", "part"))

    def create(view: str) -> str:
        if DIALECTS[engine.name].replaces_views:
            return f"CREATE OR REPLACE VIEW {view}"
        return f"DROP VIEW IF EXISTS {view};\nCREATE VIEW {view}"

    engine.script(
        f"-- A comment; with a semicolon.\n\n{create(one)} AS\n"
        f"SELECT CAST(0 AS {number}) AS x, '' AS y;\n\n"
        f"{create(one)} AS\nWITH {part} AS (SELECT x, ';' AS y FROM {raw}) SELECT * FROM {part};\n\n"
        f"-- The next.\n{create(two)} AS\nSELECT x + 1 AS x, y FROM {one};\n"
    )
    assert engine.query(f"SELECT * FROM {two} ORDER BY 1") == [(2, ";"), (3, ";")]


def test_a_table_may_be_declared_by_a_script(engine: Engine) -> None:
    columns = TYPES[engine.name]
    names = ", ".join(f"{engine.quoted(kind.__name__)} {column}" for kind, column in columns.items())
    engine.script(f"CREATE TABLE IF NOT EXISTS {engine.quoted('t')} ({names}){engine.table_options()};")
    row = ("a", 1, Decimal("1.5"), 0.5, True, datetime(2026, 1, 1, tzinfo=UTC))
    assert engine.query(f"SELECT * FROM {engine.quoted('t')}") == []
    engine.insert("t", {kind.__name__: column for kind, column in columns.items()}, [row])
    (found,) = engine.query(f"SELECT * FROM {engine.quoted('t')}")
    assert tuple(engine.read(type(value), one) for value, one in zip(row, found, strict=True)) == row


def test_a_reset_forgets_everything(engine: Engine) -> None:
    for name in ("t", "raw.t"):
        engine.load(name, {"x": TYPES[engine.name][int]}, [(1,)])
        engine.script(f"CREATE VIEW {engine.quoted('v')} AS SELECT * FROM {engine.quoted(name)};")
        engine.reset()
        for gone in ("v", name):
            with pytest.raises(Exception, match=r"(?i)not exist|not found|not_found|unknown|no such table"):
                engine.query(f"SELECT * FROM {engine.quoted(gone)}")


def test_an_error_is_raised_and_the_session_goes_on(engine: Engine) -> None:
    with pytest.raises(Exception, match="nothing_of_that_name"):
        engine.query("SELECT nothing_of_that_name")
    assert engine.query("SELECT 1 AS x") == [(1,)]
