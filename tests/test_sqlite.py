"""What SQLite has no types for: totals beyond 64 bits in two limbs, decimals as text, columns of any type."""

from __future__ import annotations

import random
import sqlite3
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlglot import exp

from meterspec.backends.sql import backend, check
from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import NARROW, Division, SQLite, TooLargeError
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Rounding
from tests.corpus import check_text
from tests.reference import Row, read
from tests.reference.values import as_decimal, rounded

DIALECT = SQLite()


def asked(connection: sqlite3.Connection, node: exp.Expr, source: str) -> list[object]:
    """What a node gives for each row of a table."""
    sql = b.printed(exp.select(node).from_(b.table(source)), DIALECT.printer)
    return [value for (value,) in connection.execute(sql)]


@pytest.mark.parametrize("seed", range(60))
def test_a_total_beyond_64_bits_is_rounded_exactly_or_refused(seed: int) -> None:
    """Random sums of up to 27 digits, random ratios, every rounding: the text is that of exact fractions."""
    draw = random.Random(seed)
    most_each = draw.choice([9, 10**9 - 1, 10**9, 10**12, NARROW])
    groups = [
        [draw.choice([most_each, -most_each, 0, 1, -1, draw.randint(-most_each, most_each)]) for _ in range(size)]
        for size in (1, 2, 3, 17, 40)
    ]
    groups += [[most_each, -most_each], [10**9, -1], [-(10**9), 1], [most_each] * 40, [-most_each] * 40]
    groups = [[min(max(value, -most_each), most_each) for value in group] for group in groups]
    events = draw.choice([40, 10**6, 10**9])
    factor, divisor = draw.choice([(1, 1), (1, 3), (5, 18), (10**6, 1), (10**6, 7), (1, 1000), (1, 10**9), (9, 2)])
    precision = draw.choice([0, 1, 2, 6, 8, 9, 10, 12])
    averaged = draw.random() < 0.5
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE v (g INTEGER, x INTEGER) STRICT")
    connection.executemany("INSERT INTO v VALUES (?, ?)", [(g, x) for g, xs in enumerate(groups) for x in xs])
    magnitude = most_each * events
    try:
        total = b.printed(DIALECT.total(b.column("x"), magnitude), DIALECT.printer)
        connection.execute(f"CREATE VIEW t AS SELECT g, {total} AS total, COUNT(x) AS n FROM v GROUP BY g")
        for rounding in Rounding:
            division = Division(
                total=b.column("total"),
                most=magnitude,
                by=b.column("n") if averaged else None,
                most_by=events if averaged else 1,
                factor=factor,
                divisor=divisor,
                may_be_negative=True,
            )
            found = asked(connection, DIALECT.rounded(division, precision, rounding), "t")
            ratio = Fraction(factor, divisor * 10**precision)
            exact = [ratio * sum(group) / (len(group) if averaged else 1) for group in groups]
            expected = [f"{as_decimal(rounded(one, precision, rounding), precision):f}" for one in exact]
            assert found == [text.lstrip("-") if Decimal(text) == 0 else text for text in expected]
    except TooLargeError:
        assert magnitude * factor > 10**18 or events * divisor * factor > 9 * 10**9


def test_totals_of_totals_are_exact() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE v (g INTEGER, x INTEGER) STRICT")
    rows = [(0, NARROW), (0, NARROW), (0, -1), (1, -NARROW), (1, 5), (2, -NARROW), (2, -NARROW), (3, None)]
    connection.executemany("INSERT INTO v VALUES (?, ?)", rows)
    total = b.printed(DIALECT.total(b.column("x"), NARROW * 100), DIALECT.printer)
    connection.execute(f"CREATE VIEW t AS SELECT g, {total} AS total FROM v GROUP BY g")
    merged = b.printed(DIALECT.merged(b.column("total"), NARROW * 100), DIALECT.printer)
    connection.execute(f"CREATE VIEW m AS SELECT {merged} AS total FROM t")
    division = Division(
        total=b.column("total"), most=NARROW * 100, by=None, most_by=1, factor=1, divisor=1, may_be_negative=True
    )
    node = DIALECT.rounded(division, 0, Rounding.HALF_UP)
    assert asked(connection, node, "m") == [str(-NARROW + 4)]
    assert asked(connection, node, "t") == [str(2 * NARROW - 1), str(-NARROW + 5), str(-2 * NARROW), None]


SPEC = """\
[[families]]
name = "a"
schema.d = { type = "decimal", precision = 9, scale = 3 }
schema.w = { type = "decimal", precision = 4, scale = 0 }
schema.n = { type = "integer" }
schema.f = { type = "float", scale = 2 }
schema.s = { type = "string" }
schema.b = { type = "boolean" }
"""
DECIMALS = [
    *("0", "-0", "1", "12.5", "-12.5", "000012.500000", "-0.001", "999999.999", "-999999.999", "0.0010", "1.", ".5"),
    *("1000000", "0.0001", "1e3", "", " 1", "1 ", "+1", "--1", "1-", "1.2.3", "abc", "NaN", "0x10", "१", "-", "1,5"),
    *("0001000000", "00000000000000000000000000000001", "0.00000000000000000000000000000000000", "-.5", "5-3"),
]


def rows_of(values: list[Row]) -> tuple[list[tuple[object, ...]], list[Row]]:
    """What the checked view makes of rows, and the rows as the reference is given them."""
    program, _ = check_text(SPEC)
    assert program is not None
    (family,) = program.families
    made = [
        {"event_id": str(n), "event_time": 1_000_000 * n, "customer_id": None, **row} for n, row in enumerate(values)
    ]
    texts = {artifact.path.name: artifact.text for artifact in backend("sqlite").emit(program)}
    connection = sqlite3.connect(":memory:")
    # A view or an older table may hold values of any type.
    columns = ", ".join(f'"{field.name}"' for field in family.fields)
    connection.execute(f"CREATE TABLE raw_a ({columns})")
    marks = ", ".join("?" * len(family.fields))
    connection.executemany(
        f"INSERT INTO raw_a VALUES ({marks})", [[row.get(field.name) for field in family.fields] for row in made]
    )
    connection.executescript(texts["families.sql"])
    return connection.execute("SELECT * FROM a_checked ORDER BY CAST(event_id AS INTEGER)").fetchall(), made


@pytest.mark.parametrize(("name", "scale"), [("d", 3), ("w", 0)])
def test_a_decimal_is_read_from_its_text(name: str, scale: int) -> None:
    program, _ = check_text(SPEC)
    assert program is not None
    found, made = rows_of([{name: text} for text in DECIMALS])
    at = [field.name for field in program.families[0].fields].index(name)
    for text, row, raw in zip(DECIMALS, found, made, strict=True):
        raw["event_time"] = "2026-01-01T00:00:00Z"
        result = read(program.families[0], [raw])
        if result.events:
            value = result.events[0].values[name]
            assert isinstance(value, Fraction)
            assert (row[at], row[-1]) == (f"{as_decimal(value, scale):f}", None), text
        else:
            assert row[-1] == result.rejects[0].reason, text


WRONG: list[tuple[str, object, str]] = [
    ("n", "5", "n is not an integer"),
    ("n", 5.5, "n is not an integer"),
    ("n", b"5", "n is not an integer"),
    ("f", "0.5", "f is not a float"),
    ("f", float("inf"), "f is not a float"),
    ("f", 1e15, "f out of range"),
    ("d", 12.5, "d is not a decimal"),
    ("d", 12, "d is not a decimal"),
    ("d", "1\0", "d is not a decimal"),
    ("s", 5, "s is not a string"),
    ("s", b"ab", "s is not a string"),
    ("s", "a\0b", "s is not a string"),
    ("b", 2, "b is not a boolean"),
    ("b", "true", "b is not a boolean"),
    ("event_time", "2026-01-01", "event_time is not a timestamp"),
    ("event_time", 1_767_225_600_000_000_000, "event_time is not a timestamp"),
    ("event_id", 5, "event_id is not a string"),
]


@pytest.mark.parametrize(("name", "value", "reason"), WRONG)
def test_a_value_of_another_type_is_rejected(name: str, value: object, reason: str) -> None:
    ((*_, found),), _ = rows_of([{name: value}])
    assert found == reason


REFUSED = [
    ("schema.x = { type = 'decimal', precision = 19, scale = 2 }", "COUNT", "", "a decimal of 19 digits"),
    (
        "schema.x = { type = 'integer', required = true, min = 0, max = 10_000_000_000 }",
        *("SUM", "x * x", "whole numbers of more than 64 bits"),
    ),
    (
        "schema.x = { type = 'integer', required = true }",
        *("TIME_WEIGHTED", "x", "a value times the microseconds that it holds for, of more than 64 bits"),
    ),
    (
        "schema.x = { type = 'integer', required = true }",
        *("AVG", "x / 3600000.0", "a total that is divided by more than nine digits"),
    ),
]


@pytest.mark.parametrize(("field", "function", "value", "words"), REFUSED)
def test_what_may_need_wider_numbers_is_refused_where_it_stands(
    field: str, function: str, value: str, words: str
) -> None:
    text = f"""\
[[families]]
name = "a"
{field}
[[meters]]
name = "m"
source = {{ kind = "family", family = "a" }}
aggregate.fn = "{function}"
{f"aggregate.value = '{value}'" if value else ""}
{"aggregate.per = 'hour'" if function == "TIME_WEIGHTED" else ""}
"""
    program, _ = check_text(text)
    assert program is not None
    out = Diagnostics()
    check(program, program.meters, "sqlite", out)
    (finding,) = out
    assert finding.code == "MS600" and words in finding.message and finding.at is not None
    assert finding.at.span().begin.line == (3 if "decimal" in field else 8)
