"""Random typed expressions on nasty events: each engine gives the value that the exact evaluator gives.

Each expression is a column of a select over the events view of a family, many of them in one statement, so that slow
engines can afford them. A number comes as the whole number that the compiler scales it to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain

import pytest
from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import DIALECTS, backend
from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import WIDE, Dialect, TooLargeError
from meterspec.backends.sql.expressions import Lowering, widest
from meterspec.cel import Environment, Expr, Type, check, walk
from meterspec.cel.tree import Call, FieldRef
from meterspec.check.overflow import check_comparisons
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Family, variables
from meterspec.source import Place, Source
from tests.cel_random import Expressions
from tests.corpus import check_text
from tests.engines import Engine, Row, Value
from tests.reference import EvaluationError, Event, evaluate, read

FAMILY = """\
[[families]]
name = "test.event"
schema.n = { type = "integer", required = true, min = -1000000, max = 1000000 }
schema.big = { type = "integer", required = true }
schema.m = { type = "integer", required = true, min = 1, max = 5000 }
schema.o = { type = "integer", min = -9, max = 9 }
schema.d = { type = "decimal", required = true, precision = 18, scale = 6 }
schema.e = { type = "decimal", precision = 9, scale = 2 }
schema.p = { type = "decimal", required = true, precision = 9, scale = 3, min = 0.5 }
schema.f = { type = "float", required = true, scale = 4, min = -1000, max = 1000 }
schema.s = { type = "string", required = true }
schema.r = { type = "string", required = true, values = ["eu", "us-east", "a"] }
schema.t = { type = "string" }
schema.b = { type = "boolean", required = true }
schema.c = { type = "boolean" }
schema.w = { type = "timestamp", required = true }
schema.x = { type = "timestamp" }
"""
TEXTS = [
    *(
        "",
        "a",
        "b",
        "eu",
        "é",
        "e\u0301",
        "E\u0301U",
        "😀",
        "\uffff",
        "gpt-4o",
        " x ",
        "\u2003x\n",
        "ab",
        "A",
        "Z",
        "%",
    ),
    *("_", "\\", "'", '"', "a\nb", "\\d", "ß", "ſK", "xXx", "0", "-5", "true"),
]
INSTANTS = [
    *("2026-01-01T00:00:00Z", "2024-02-29T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z"),
    *("2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T00:30:00.000001Z"),
    *("1900-03-01T00:00:00Z", "2000-02-29T12:00:00Z", "2100-02-28T23:00:00Z", "2199-12-31T23:59:59.5Z"),
]
ZONES = ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland", "-05:30", "+14:00", "UTC"]
GETTERS = [
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfYear", "getDayOfWeek"),
    *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
]


REMEMBERED = [
    # A literal by itself takes the narrowest type: their sum overflowed, or was of another type than the other branch.
    "(b ? duration('20m') : duration('25m')) + (b ? duration('30m') : duration('7m')) > duration('54m')",
    "(b ? w - w : (n > 0 ? duration('20m') : duration('25m')) + duration('30m')) > duration('0s')",
]
"""What an engine once gave another value for."""


class Draws(Expressions):
    """Random expressions, with every getter, in zones as well."""

    def ints(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        pick = self.random.choice
        return [
            *super().ints(some),
            lambda: f"({some(Type.TIMESTAMP)}).{pick(GETTERS)}()",
            lambda: f"({some(Type.TIMESTAMP)}).{pick(GETTERS)}('{pick(ZONES)}')",
            lambda: f"({some(Type.DURATION)}).{pick(('getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'))}()",
            lambda: f"{some(Type.INT)} {pick('/%')} m",
        ]

    def decimals(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        divisor = self.random.choice(("m", "p", "3.0", "7.0", "0.25", "-1000.0", "3600000.0"))
        return [*super().decimals(some), *[lambda: f"{some(Type.DECIMAL)} / {divisor}"] * 2]


@dataclass(frozen=True)
class Drawn:
    """An expression that the checker takes, and how its value is asked for."""

    text: str
    expr: Expr


def events(draw: random.Random, family: Family, count: int) -> list[dict[str, Value]]:
    """Rows of the raw table, all of them sound."""
    rows: list[dict[str, Value]] = []
    for number in range(count):

        def of(*values: Value, missing: bool = False) -> Value:
            return None if missing and draw.random() < 0.4 else draw.choice(values)

        top = Decimal("999999999999.999999")
        rows.append(
            {
                "event_id": str(number),
                "event_time": instant(draw),
                "customer_id": of("c1", "é", missing=True),
                "n": of(0, 1, -1, 1_000_000, -1_000_000, draw.randint(-1000, 1000)),
                "big": of(0, 7, -7, 2**63 - 1, -(2**63) + 1, draw.randint(-(10**18), 10**18)),
                "m": of(1, 2, 3, 7, 5000),
                "o": of(-9, 0, 3, 9, missing=True),
                "d": of(
                    Decimal(0), top, -top, Decimal("0.000001"), Decimal("-2.5"), Decimal(draw.randint(-99, 99)) / 8
                ),
                "e": of(Decimal("0.00"), Decimal("9999999.99"), Decimal("-0.01"), Decimal("-1.50"), missing=True),
                "p": of(Decimal("0.5"), Decimal(1), Decimal("999999.999"), Decimal("3.141")),
                "f": of(0.0, -0.00005, 0.00005, 2.67495, -1000.0, 1000.0, draw.uniform(-10, 10)),
                "s": of(*TEXTS),
                "r": of("eu", "us-east", "a"),
                "t": of(*TEXTS, missing=True),
                "b": of(True, False),
                "c": of(True, False, missing=True),
                "w": instant(draw),
                "x": None if draw.random() < 0.4 else instant(draw),
            }
        )
    return [{field.name: row[field.name] for field in family.fields} for row in rows]


def instant(draw: random.Random) -> datetime:
    at = datetime.fromisoformat(draw.choice(INSTANTS))
    return at + timedelta(microseconds=draw.choice([0, 0, -1, 1, draw.randint(-(10**12), 10**12)]))


def drawn(draw: random.Random, environment: Environment) -> Iterator[Drawn]:
    """Expressions that the checker takes and that need an event: those remembered, then random ones without end."""
    expressions = Draws(draw, environment, slips=0)
    for text in chain(REMEMBERED, iter(lambda: expressions.draw(depth=draw.randint(1, 4)), None)):
        out = Diagnostics()
        place = Place(Source("expression", text))
        result = check(text, environment, place, out)
        if result is None or not any(isinstance(node, FieldRef) for node in walk(result.expr)):
            continue
        check_comparisons(result.expr, environment, place, out)
        if not out.has_errors and all(fits(node, environment) for node in walk(result.expr)):
            yield Drawn(text, result.expr)


def fits(expr: Expr, environment: Environment) -> bool:
    """Whether a number needs no more than the digits that every engine keeps."""
    if not isinstance(expr, Call) or expr.type not in {Type.INT, Type.DECIMAL}:
        return True
    number = exact.scaled(expr, environment)
    return widest(number.whole) * (number.ratio.numerator if expr.type is Type.INT else 1) <= WIDE


def lowered(expr: Expr, lowering: Lowering, environment: Environment) -> exp.Expr:
    """An expression as a column: a decimal as the whole number that it is a constant part of."""
    match expr.type:
        case Type.DECIMAL:
            return lowering.whole(exact.scaled(expr, environment).whole)
        case Type.TIMESTAMP | Type.DURATION:
            return lowering.micros(expr)
        case _:
            return lowering.value(expr)


def expected(expr: Expr, event: Event, environment: Environment) -> tuple[bool, Value]:
    """Whether there is a value to compare, and the value as the column has it."""
    try:
        value = evaluate(expr, event.values)
    except EvaluationError:
        return True, None
    except OverflowError:
        return False, None  # an instant beyond the calendar
    if expr.type is Type.DECIMAL and value is not None:
        assert isinstance(value, Fraction | int) and not isinstance(value, bool)
        value = value / exact.scaled(expr, environment).ratio
    if isinstance(value, Fraction):
        assert value.denominator == 1, (expr, value)
        value = int(value)
    return True, value


def is_lacking(expr: Expr, dialect: Dialect) -> bool:
    return any(dialect.lacks(node) for node in walk(expr) if isinstance(node, Call))


DRAWS = {
    "duckdb": (5, 200),
    "sqlite": (5, 200),
    "postgres": (3, 200),
    "clickhouse": (2, 200),
    "datafusion": (2, 200),
    "bigquery": (2, 60),
    "spark": (2, 30),
}
"""Of each engine how many statements there are, and of how many expressions."""


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.xdist_group(name))
        for name, (seeds, _) in DRAWS.items()
        for seed in range(seeds)
    ],
)
def test_every_value_is_that_of_the_reference(name: str, seed: int, start_engine: Callable[[str], Engine]) -> None:
    draw, engine, dialect = random.Random(seed), start_engine(name), DIALECTS[name]
    program, _ = check_text(FAMILY)
    assert program is not None
    (family,) = program.families
    environment = variables((family,))
    rows = events(draw, family, 60)
    known = {event.id: event for event in read(family, [dict(row) for row in rows]).events}
    assert len(known) == len(rows)
    texts = {artifact.path.name: artifact.text for artifact in backend(name).emit(program)}
    for file in ("inputs.sql", "families.sql"):
        engine.script(texts[file])
    columns = {field.name: dialect.column_type(field) for field in family.fields}
    typed: list[Row] = [tuple(row.values()) for row in rows]
    engine.insert(".".join(family.raw), columns, typed)

    lowering = Lowering(environment, dialect)
    chosen: list[tuple[Drawn, exp.Expr]] = []
    for one in drawn(draw, environment):
        if is_lacking(one.expr, dialect):
            continue
        try:
            chosen.append((one, lowered(one.expr, lowering, environment)))
        except TooLargeError:
            continue
        if len(chosen) == DRAWS[name][1]:
            break
    found = engine.query(b.printed(select(family, dialect, lowering, chosen), dialect.printer))
    assert len(found) == len(rows)
    compared = 0
    for event_id, *values in found:
        event = known[str(event_id)]
        for (one, node), value in zip(chosen, values, strict=True):
            comparable, wanted = expected(one.expr, event, environment)
            compared += comparable
            # Some engines say 1 for what is true.
            assert value == wanted or not comparable, (
                f"seed {seed} on {name}: {one.text}\n= {wanted!r}, but {value!r}, for {dict(event.values)}\n"
                + b.printed(node, dialect.printer)
            )
    assert {*REMEMBERED} <= {one.text for one, _ in chosen}
    assert compared > 0.9 * len(rows) * len(chosen)


def select(family: Family, dialect: Dialect, lowering: Lowering, chosen: list[tuple[Drawn, exp.Expr]]) -> exp.Query:
    """Every expression of every event."""
    columns = [b.named(node, f"value_{at}") for at, (_, node) in enumerate(chosen)]
    source: exp.Table | exp.Subquery = b.table(family.sql_name)
    if lowering.clocks:
        clocks = (b.named(node, column) for node, column in lowering.clocks.items())
        source = exp.select(exp.Star(), *clocks).from_(source).subquery(b.identifier("clocks"))
    return dialect.adapted(exp.select(b.column(family.event_id), *columns).from_(source))
