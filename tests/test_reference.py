"""The oracle can be trusted: small tables that a person can check on paper, one for each rule of the language."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from meterspec import ir
from meterspec.cel.functions import OVERLOADS
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Type
from meterspec.ir import CalendarUnit, CalendarWindow, FieldType, Function, Rolling, Rounding
from tests import reference
from tests.conftest import ROOT
from tests.reference import EvaluationError, UnknownOverloadError, evaluate, json_rows, quality, quantities, read
from tests.reference.expressions import LAZY, STRICT
from tests.reference.values import as_decimal, micros, moment, rounded

Row = dict[str, object]

# -- what the tables are made of


def at(text: str) -> datetime:
    """`2026-01-05` or `2026-01-05 10:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def us(text: str) -> int:
    return micros(at(text))


def family(*fields: ir.Field, name: str = "run", ingest: str | None = None) -> ir.Family:
    roles = [
        ir.Field(name="id", type=FieldType.STRING, required=True),
        ir.Field(name="at", type=FieldType.TIMESTAMP, required=True),
        *([ir.Field(name=ingest, type=FieldType.TIMESTAMP)] if ingest else []),
        ir.Field(name="who", type=FieldType.STRING),
    ]
    return ir.Family(
        name=name, sql_name=name, event_id="id", event_time="at", customer="who", ingest_time=ingest,
        fields=(*roles, *fields),
    )  # fmt: skip


N = ir.Field(name="n", type=FieldType.INTEGER)
KIND = ir.Field(name="kind", type=FieldType.STRING)
RUN = family(N, KIND)
n = FieldRef("n", Type.INT)
kind = FieldRef("kind", Type.STRING)


def whole(value: int) -> Literal:
    return Literal(value, Type.INT)


def number(text: str) -> Literal:
    return Literal(Decimal(text), Type.DECIMAL)


def text(value: str) -> Literal:
    return Literal(value, Type.STRING)


def call(overload: str, *args: Expr, type: Type = Type.BOOL) -> Call:
    return Call(overload, args, type)


def wide(expr: Expr) -> Call:
    """An int where a decimal is asked for."""
    return call("int64_to_decimal", expr, type=Type.DECIMAL)


HAS_N = call("has", n)


def meter(function: Function | None = Function.SUM, value: Expr | None = n, **more: Any) -> ir.Meter:
    if function is Function.COUNT:
        value = None
    per = CalendarUnit.HOUR if function is Function.TIME_WEIGHTED else None
    settings: dict[str, Any] = {
        "name": "m", "sql_name": "m", "source": ir.FamilySource(("run",)), "precision": 0,
        "aggregate": function and ir.Aggregate(function=function, value=value, per=per),
        "window": CalendarWindow(CalendarUnit.MONTH), "group_by": ("who",),
    }  # fmt: skip
    return ir.Meter(**(settings | more))


def rows(*lines: str) -> list[Row]:
    """Lines of `time who n kind`, a dash for a missing value; the ids are e1, e2, ... in order."""
    table: list[Row] = []
    for count, line in enumerate(lines, start=1):
        day, time, *rest = line.split()
        who, amount, sort = [None if cell == "-" else cell for cell in (*rest, "-", "-", "-")[:3]]
        table.append({"id": f"e{count}", "at": f"{day}T{time}Z", "who": who, "n": amount, "kind": sort})
    return table


def stamp(instant: datetime | None) -> str:
    if instant is None:
        return "ever"
    assert instant.tzinfo is UTC
    return f"{instant:%Y-%m-%d}" if instant.timetuple()[3:6] == (0, 0, 0) else f"{instant:%Y-%m-%d %H:%M}"


Shown = tuple[object, ...]


def measured(
    measure: ir.Meter, table: Iterable[Row], as_of: str = "2027-01-01", others: Iterable[ir.Meter] = (), **inputs: Any
) -> list[Shown]:
    """The rows as (start, end, group values..., quantity, events); every row of the log must be accepted."""
    accepted = read(RUN, table)
    assert not accepted.rejects
    program = ir.Program(families=(RUN,), meters=(measure, *others))
    result = quantities(program, measure, {"run": accepted.events}, as_of=at(as_of), **inputs)
    return [
        (
            stamp(row.window_start),
            stamp(row.window_end),
            *row.group,
            None if row.quantity is None else str(row.quantity),
            row.events,
        )
        for row in result
    ]


def quantity(measure: ir.Meter, table: Iterable[Row], **inputs: Any) -> object:
    """The quantity of the only row there is."""
    [row] = measured(measure, table, **inputs)
    return row[-2]


# -- reading a value

INTEGER = ir.Field(name="x", type=FieldType.INTEGER)
BOUNDED = ir.Field(name="x", type=FieldType.INTEGER, minimum=Decimal(0), maximum=Decimal("86400000"))
MONEY = ir.Field(name="x", type=FieldType.DECIMAL, precision=6, scale=2)
FLOAT = ir.Field(name="x", type=FieldType.FLOAT, scale=6)
CENTS = ir.Field(name="x", type=FieldType.FLOAT, scale=2)
UNITS = ir.Field(name="x", type=FieldType.FLOAT, scale=0)
STRING = ir.Field(name="x", type=FieldType.STRING)
STATUS = ir.Field(name="x", type=FieldType.STRING, values=("ok", "failed"))
BOOLEAN = ir.Field(name="x", type=FieldType.BOOLEAN)
INSTANT = ir.Field(name="x", type=FieldType.TIMESTAMP)


def read_one(field: ir.Field, raw: object) -> object:
    """The value that the field reads, or the reason that rejects its row."""
    result = read(family(field), [{"id": "e1", "at": "2026-01-01T00:00:00Z", "x": raw}])
    return result.events[0].values["x"] if result.events else result.rejects[0].reason


@pytest.mark.parametrize(
    ("field", "raw", "expected"),
    [
        (INTEGER, 5, 5),
        (INTEGER, "5", 5),
        (INTEGER, "-5", -5),
        (INTEGER, Decimal("5.0"), 5),
        (INTEGER, Decimal("1e3"), 1000),
        (INTEGER, 2**63 - 1, 2**63 - 1),
        (INTEGER, 2**63, "x out of range"),
        (INTEGER, -(2**63), -(2**63)),
        (INTEGER, "9" * 30, "x out of range"),
        (INTEGER, Decimal("1e999999"), "x out of range"),
        (INTEGER, Decimal("5.5"), "x is not an integer"),
        (INTEGER, Decimal("1e-999999"), "x is not an integer"),
        (INTEGER, True, "x is not an integer"),
        (INTEGER, "n/a", "x is not an integer"),
        (INTEGER, "", "x is not an integer"),
        (INTEGER, " 5", "x is not an integer"),
        (INTEGER, "1e3", "x is not an integer"),  # a number may have an exponent, plain text may not
        (INTEGER, "٣", "x is not an integer"),  # a digit, but not one of 0 to 9
        (INTEGER, [5], "x is not an integer"),
        (INTEGER, None, None),
        (BOUNDED, 0, 0),
        (BOUNDED, -1, "x below 0"),
        (BOUNDED, 86_400_000, 86_400_000),
        (BOUNDED, 86_400_001, "x above 86400000"),
        (BOUNDED, 2**63, "x out of range"),  # what cannot be read has no bounds to break
        (MONEY, "1234.56", Fraction(123456, 100)),
        (MONEY, Decimal("0.1"), Fraction(1, 10)),
        (MONEY, Decimal("1.500"), Fraction(3, 2)),  # zeros at the end are no decimals
        (MONEY, Decimal("1.505"), "x has more than 2 decimals"),
        (MONEY, 9999, Fraction(9999)),
        (MONEY, 10000, "x out of range"),  # six digits, two of them decimals, leave four
        (MONEY, Decimal("12345.678"), "x out of range"),
        (MONEY, Decimal("NaN"), "x is not a decimal"),
        (MONEY, "Infinity", "x is not a decimal"),
        (MONEY, 0.1, Fraction(1, 10)),  # a double of a Parquet file stands for its shortest text
        (STRING, "", ""),
        (STRING, "5", "5"),
        (STRING, 5, "x is not a string"),
        (STRING, "\ud800", "x is not a string"),
        (STATUS, "ok", "ok"),
        (STATUS, "OK", "x not one of its values"),
        (BOOLEAN, True, True),
        (BOOLEAN, False, False),
        (BOOLEAN, "true", "x is not a boolean"),
        (BOOLEAN, 1, "x is not a boolean"),
    ],
)
def test_a_value_is_read_or_its_row_rejected(field: ir.Field, raw: object, expected: object) -> None:
    value = read_one(field, raw)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("field", "raw", "expected"),
    [
        (FLOAT, 0.1, "0.1"),
        (FLOAT, Decimal("0.1"), "0.1"),
        (FLOAT, "0.1", "0.1"),
        (FLOAT, 3, "3"),
        (FLOAT, 0.1 + 0.2, "0.3"),  # 0.30000000000000004 x 10^6 = 300000.00000000006, + 0.5, cut: 300000
        # 1.005 is a little less in binary, and so is 1.005 x 10^2 = 100.49999999999999; + 0.5, cut: 100.
        (CENTS, Decimal("1.005"), "1"),
        # 1.115 is a little less too, but 1.115 x 10^2 is rounded to 111.5 itself; + 0.5, cut: 112.
        (CENTS, Decimal("1.115"), "1.12"),
        (UNITS, 2.5, "3"),  # 3.0, cut: 3
        (UNITS, -2.5, "-2"),  # -2.0, cut: -2, for half goes up here and not away from zero
        (UNITS, -0.4, "0"),
        # From 2^52 on a double has no half: 2^53 - 1 + 0.5 becomes the even neighbour, 2^53. So the language says.
        (UNITS, 2**53 - 1, str(2**53)),
        (UNITS, 2**53, "x out of range"),
        (FLOAT, Decimal("9007199254.740993"), "x out of range"),
        (FLOAT, Decimal("18446744073.709553"), "x out of range"),
        (FLOAT, "1" * 400, "x out of range"),
        (FLOAT, Decimal("1e400"), "x out of range"),
        (FLOAT, math.inf, "x is not a float"),
        (FLOAT, math.nan, "x is not a float"),
        (FLOAT, "NaN", "x is not a float"),
        (FLOAT, "1e-05", "x is not a float"),
    ],
)
def test_a_float_is_read_once_in_double_arithmetic(field: ir.Field, raw: object, expected: str) -> None:
    value = read_one(field, raw)
    assert value == (expected if expected.startswith("x") else Fraction(expected))


NOON = us("2026-01-05 12:00")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-01-05T12:00:00Z", NOON),
        ("2026-01-05t12:00:00z", NOON),
        ("2026-01-05 12:00:00", NOON),
        ("2026-01-05T12:00:00+00", NOON),
        ("2026-01-05T13:00:00+01:00", NOON),
        ("2026-01-05T07:00:00-0500", NOON),
        ("2026-01-05T12:00:00.5Z", NOON + 500_000),
        ("2026-01-05T12:00:00.0000019Z", NOON + 1),  # cut, not rounded
        ("1969-12-31T23:59:59.9999999Z", -1),
        (datetime(2026, 1, 5, 12, tzinfo=UTC), NOON),
        (datetime(2026, 1, 5, 12), NOON),  # noqa: DTZ001 - what Parquet gives for a column without a zone
        (datetime(2026, 1, 5, 13, tzinfo=timezone(timedelta(hours=1))), NOON),
        ("2026-02-30T12:00:00Z", None),
        ("2026-01-05", None),
        ("2026-01-05T12:00Z", None),
        ("2026-01-05T24:00:00Z", None),
        ("2026-01-05T12:00:60Z", None),
        ("2026-01-05T12:00:00+24:00", None),
        ("2026-01-05T12:00:00 Z", None),
        ("0000-01-05T12:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("01.03.2026 14:05", None),
        (1767614400, None),
    ],
)
def test_an_instant_is_read_to_the_microsecond(raw: object, expected: int | None) -> None:
    assert read_one(INSTANT, raw) == (expected if expected is not None else "x is not a timestamp")


def test_the_first_field_that_fails_decides() -> None:
    strict = family(ir.Field(name="a", type=FieldType.INTEGER, required=True), INTEGER)
    table: list[Row] = [
        {},
        {"id": "1"},
        {"id": "1", "at": "soon"},
        {"id": "1", "at": "2026-01-01T00:00:00Z", "x": "?"},
        {"id": "1", "at": "2026-01-01T00:00:00Z", "a": None},
        {"id": "1", "at": "2026-01-01T00:00:00Z", "a": 1, "x": "?"},
        {"id": 7, "at": "2026-01-01T00:00:00Z", "a": 1},
        {"id": "1", "at": "2026-01-01T00:00:00Z", "a": 1, "who": 5},
    ]
    assert [reject.reason for reject in read(strict, table).rejects] == [
        "missing id",
        "missing at",
        "at is not a timestamp",
        "missing a",
        "missing a",
        "x is not an integer",
        "id is not a string",
        "who is not a string",
    ]


def test_json_numbers_stay_exact() -> None:
    assert json_rows(['{"a": 0.1000000000000000055, "b": 12345678901234567890, "c": 1e2}', ""]) == [
        {"a": Decimal("0.1000000000000000055"), "b": 12345678901234567890, "c": Decimal("1e2")}
    ]


# -- duplicates


def winner(ingest: str | None, *table: Row, fields: tuple[ir.Field, ...] = (N, KIND)) -> tuple[object, ...]:
    """The values of `n` and `kind` that count for the one id in the table."""
    result = read(family(*fields, ingest=ingest), [{"id": "e1", "at": "2026-01-05T12:00:00Z"} | row for row in table])
    [event] = result.events
    return event.values["n"], event.values["kind"]


@pytest.mark.parametrize(
    ("ingest", "table", "expected"),
    [
        # The earlier event time, wherever it stands.
        (None, [{"at": "2026-01-05T12:00:01Z", "n": 1}, {"n": 2}], (2, None)),
        # The same time: the customer comes first in the row, then n, then kind.
        (None, [{"n": 3, "kind": "a"}, {"n": 2, "kind": "b"}], (2, "b")),
        (None, [{"who": "c2", "n": 1}, {"who": "c1", "n": 2}], (2, None)),
        # A missing value comes last; numbers by size, not as text.
        (None, [{"n": None}, {"n": 9}], (9, None)),
        (None, [{"n": 10}, {"n": 9}], (9, None)),
        # Texts by code point: Z before a, and U+FFFD before the emoji, which is less in UTF-16 units.
        (None, [{"n": 1, "kind": "a"}, {"n": 1, "kind": "Z"}], (1, "Z")),
        (None, [{"n": 1, "kind": "😀"}, {"n": 1, "kind": "\ufffd"}], (1, "\ufffd")),
        # The earliest arrival wins over an earlier event time.
        (
            "got",
            [
                {"n": 1, "got": "2026-02-02T00:00:00Z", "at": "2026-01-01T00:00:00Z"},
                {"n": 2, "got": "2026-02-01T00:00:00Z"},
            ],
            (2, None),
        ),
        # A row that does not say when it arrived comes after those that do.
        ("got", [{"n": 1}, {"n": 2, "got": "2026-02-01T00:00:00Z"}], (2, None)),
        # Neither says: event time again.
        ("got", [{"n": 1}, {"n": 2, "at": "2026-01-05T11:00:00Z"}], (2, None)),
    ],
)
def test_of_several_contents_one_wins(ingest: str | None, table: list[Row], expected: tuple[object, ...]) -> None:
    assert winner(ingest, *table) == winner(ingest, *reversed(table)) == expected


def test_rows_are_rejected_first_then_deduplicated() -> None:
    result = read(
        family(N, ingest="got"),
        [
            {"id": "a", "at": "2026-01-01T00:00:00Z", "n": 1},
            {"id": "a", "at": "2026-01-01T01:00:00+01:00", "n": "1", "trace": 5},  # the same once read
            {"id": "a", "at": "2026-01-01T00:00:00Z", "n": 1, "got": "2026-01-02T00:00:00Z"},  # it only came again
            {"id": "a", "at": "2026-01-01T00:00:00Z", "n": "?"},  # never part of any meter, so no conflict
            {"id": "b", "at": "2026-01-01T00:00:00Z", "n": 2},
            {"id": "b", "at": "2026-01-01T00:00:00Z", "n": 3},
            {"id": "b", "at": "2026-01-01T00:00:00Z", "n": 4},
            {"id": "c", "at": "2026-01-01T00:00:00Z"},
            {"id": "d"},
        ],
    )
    assert [(event.id, event.values["n"]) for event in result.events] == [("a", 1), ("b", 2), ("c", None)]
    assert result.conflicts == ("b",)
    assert quality([result]) == [
        {
            "family": "run",
            "read": 9,  # 3 + 4 + 2
            "accepted": 3,
            "duplicates": 4,  # two of a, two of b
            "conflicts": 1,
            "rejected": 2,
            "reasons": {"missing at": 1, "n is not an integer": 1},
        }
    ]


# -- expressions


ROW: dict[str, Any] = {
    "n": 7, "minus": -7, "zero": 0, "d": Fraction("2.5"), "none": None, "missing": None,
    "s": "héllo😀", "t": us("2026-03-29 00:30") + 5_123_456, "yes": True,
}  # fmt: skip
TYPES = {"d": Type.DECIMAL, "s": Type.STRING, "t": Type.TIMESTAMP, "yes": Type.BOOL}


def ref(name: str) -> FieldRef:
    return FieldRef(name, TYPES.get(name, Type.INT))


def ints(*items: int) -> ListOf:
    return ListOf(tuple(map(whole, items)), Type.LIST_INT)


MISSING_IS_LARGE = call("greater_int64", ref("none"), whole(3))
TRUE, FALSE, NULL = Literal(True, Type.BOOL), Literal(False, Type.BOOL), Literal(None, Type.NULL)


@pytest.mark.parametrize(
    ("overload", "args", "expected"),
    [
        ("add_int64", [ref("n"), whole(1)], 8),
        ("multiply_decimal", [ref("d"), number("0.1")], Fraction(1, 4)),
        ("subtract_decimal", [ref("d"), number("0.45")], Fraction("2.05")),
        ("negate_int64", [ref("n")], -7),
        # Integer division goes toward zero, and the remainder has the sign of the dividend: -7 = 2 x -3 - 1.
        ("divide_int64", [ref("n"), whole(2)], 3),
        ("divide_int64", [ref("minus"), whole(2)], -3),
        ("divide_int64", [ref("n"), whole(-2)], -3),
        ("modulo_int64", [ref("n"), whole(2)], 1),
        ("modulo_int64", [ref("minus"), whole(2)], -1),
        ("modulo_int64", [ref("n"), whole(-2)], 1),
        # By a constant, also one that is calculated: exact.
        ("divide_decimal", [ref("d"), number("3")], Fraction(5, 6)),
        ("divide_decimal", [ref("d"), call("add_decimal", number("1"), number("2"))], Fraction(5, 6)),
        # By a field: 2.5 / 7 = 0.357142857142857142|857..., and 2.5 / -7 the same with a minus.
        ("divide_decimal", [ref("d"), wide(ref("n"))], Fraction("0.357142857142857143")),
        ("divide_decimal", [ref("d"), wide(ref("minus"))], Fraction("-0.357142857142857143")),
        ("divide_decimal", [number("1"), ref("d")], Fraction("0.4")),
        ("int64_to_decimal", [ref("n")], Fraction(7)),
        ("decimal_to_int64", [number("1.9")], 1),
        ("decimal_to_int64", [number("-1.9")], -1),
        ("math_ceil_decimal", [number("-2.5")], Fraction(-2)),
        ("math_floor_decimal", [number("-2.5")], Fraction(-3)),
        ("math_round_decimal", [number("-2.5")], Fraction(-3)),
        ("math_round_decimal", [number("2.4")], Fraction(2)),
        ("math_abs_int64", [ref("minus")], 7),
        ("math_least_int64", [ref("n"), whole(3), ref("minus")], -7),
        ("math_greatest_decimal", [ref("d"), number("2.49")], Fraction(5, 2)),
        ("less_int64", [ref("minus"), ref("n")], True),
        ("greater_equals_decimal", [ref("d"), number("2.50")], True),
        ("less_string", [text("Z"), text("a")], True),
        ("less_string", [text("\ufffd"), text("😀")], True),  # by code point, not by UTF-16 unit
        ("less_bool", [FALSE, TRUE], True),
        # A missing value equals nothing but another one.
        ("equals", [ref("none"), whole(7)], False),
        ("equals", [ref("none"), ref("missing")], True),
        ("not_equals", [ref("none"), whole(7)], True),
        ("equals", [ref("none"), NULL], True),
        ("in_list", [ref("n"), ints(1, 7)], True),
        ("in_list", [ref("none"), ints(1, 7)], False),
        ("in_list", [ref("n"), ListOf((), Type.LIST_NULL)], False),
        ("has", [ref("n")], True),
        ("has", [ref("zero")], True),
        ("has", [ref("none")], False),
        ("conditional", [call("has", ref("none")), ref("none"), whole(0)], 0),
        ("conditional", [TRUE, ref("n"), call("divide_int64", whole(1), ref("zero"))], 7),
        ("logical_not", [ref("yes")], False),
        ("logical_and", [call("has", ref("none")), MISSING_IS_LARGE], False),
        ("logical_and", [MISSING_IS_LARGE, FALSE], False),
        ("logical_or", [MISSING_IS_LARGE, ref("yes")], True),
        ("logical_or", [FALSE, FALSE, TRUE], True),
        ("size_string", [ref("s")], 6),
        ("starts_with_string", [ref("s"), text("hé")], True),
        ("ends_with_string", [ref("s"), text("")], True),
        ("contains_string", [ref("s"), text("%")], False),
        ("lower_ascii", [text("ABCÉ")], "abcÉ"),
        ("upper_ascii", [text("abcéß")], "ABCéß"),
        ("trim", [text("\u3000\t a b\u2028\n")], "a b"),
        ("trim", [text("\x1fa\u200b")], "\x1fa\u200b"),  # neither is white space in Unicode
        ("matches_string", [text("baa"), text("a+")], True),
        ("matches_string", [text("a\nb"), text("a.b")], False),
        ("matches_string", [text("é"), text(r"^\w$")], False),
        ("matches_string", [text("a\n"), text("a$")], False),
        ("int64_to_string", [ref("minus")], "-7"),
        ("bool_to_string", [ref("yes")], "true"),
        # Sunday 29 March 2026, 00:30:05.123456 UTC, the 88th day of the year (31 + 28 + 29).
        ("timestamp_to_year", [ref("t")], 2026),
        ("timestamp_to_month", [ref("t")], 2),
        ("timestamp_to_day_of_year", [ref("t")], 87),
        ("timestamp_to_day_of_month", [ref("t")], 28),
        ("timestamp_to_day_of_month_1_based", [ref("t")], 29),
        ("timestamp_to_day_of_week", [ref("t")], 0),
        ("timestamp_to_hours", [ref("t")], 0),
        ("timestamp_to_minutes", [ref("t")], 30),
        ("timestamp_to_seconds", [ref("t")], 5),
        ("timestamp_to_milliseconds", [ref("t")], 123),
        # Half an hour before the clocks go forward in Berlin, and the evening before in New York.
        ("timestamp_to_hours_with_tz", [ref("t"), text("Europe/Berlin")], 1),
        ("timestamp_to_hours_with_tz", [ref("t"), text("America/New_York")], 20),
        ("timestamp_to_day_of_month_1_based_with_tz", [ref("t"), text("-05:00")], 28),
        ("subtract_timestamp_timestamp", [ref("t"), ref("t")], 0),
        ("add_timestamp_duration", [Literal(5, Type.TIMESTAMP), Literal(-6, Type.DURATION)], -1),
        # 1 h 1 min 1.5 s and its negative, each part cut toward zero.
        ("duration_to_hours", [Literal(3_661_500_000, Type.DURATION)], 1),
        ("duration_to_minutes", [Literal(3_661_500_000, Type.DURATION)], 61),
        ("duration_to_seconds", [Literal(-3_661_500_000, Type.DURATION)], -3661),
        ("duration_to_milliseconds", [Literal(-3_661_500_000, Type.DURATION)], -500),
    ],
)
def test_an_overload_has_its_meaning(overload: str, args: list[Expr], expected: object) -> None:
    value = evaluate(call(overload, *args), ROW)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    "unsound",
    [
        MISSING_IS_LARGE,
        call("add_int64", ref("none"), whole(1)),
        call("divide_int64", whole(1), ref("zero")),
        call("modulo_int64", whole(1), ref("zero")),
        call("divide_decimal", ref("d"), wide(ref("zero"))),
        call("logical_and", MISSING_IS_LARGE, TRUE),
        call("logical_or", FALSE, MISSING_IS_LARGE),
        call("conditional", MISSING_IS_LARGE, whole(1), whole(2)),
        call("equals", MISSING_IS_LARGE, TRUE),
        ints(1),
    ],
)
def test_what_the_checker_should_have_refused_is_loud(unsound: Expr) -> None:
    with pytest.raises(EvaluationError):
        evaluate(unsound, ROW)


def test_an_overload_without_a_meaning_is_loud() -> None:
    with pytest.raises(UnknownOverloadError, match="add_list"):
        evaluate(call("add_list", ref("n")), ROW)


def test_the_oracle_knows_every_overload_that_the_checker_can_choose() -> None:
    assert {overload.id for overload in OVERLOADS} <= LAZY | STRICT.keys()


# -- rounding


@pytest.mark.parametrize(
    ("exact", "half_up", "half_even", "up", "down"),
    [
        ("2.5", "3", "2", "3", "2"),
        ("-2.5", "-3", "-2", "-3", "-2"),
        ("3.5", "4", "4", "4", "3"),
        ("2.4", "2", "2", "3", "2"),
        ("2.51", "3", "3", "3", "2"),
        ("-2.1", "-2", "-2", "-3", "-2"),
        ("-0.4", "0", "0", "-1", "0"),
        ("2", "2", "2", "2", "2"),
    ],
)
def test_rounding_goes_by_magnitude(exact: str, half_up: str, half_even: str, up: str, down: str) -> None:
    modes = {
        Rounding.HALF_UP: half_up,
        Rounding.HALF_EVEN: half_even,
        Rounding.UP: up,
        Rounding.DOWN: down,
    }
    assert {mode: str(as_decimal(rounded(Fraction(exact), 0, mode), 0)) for mode in Rounding} == modes


def test_a_sum_is_rounded_once_at_the_end() -> None:
    # Each third rounds to 0.33; the exact sum of three is 1.
    third = call("divide_decimal", wide(n), number("3.0"))
    table = rows("2026-01-05 10:00:00 c1 1", "2026-01-05 10:00:00 c1 1", "2026-01-05 10:00:00 c1 1")
    assert quantity(meter(value=third, precision=2), table) == "1.00"
    # By a field: 1/3 three times to 18 decimals is 0.999999999999999999, short of 1 by 10^-18.
    by_field = call("divide_decimal", number("1.0"), call("add_decimal", wide(n), number("2")))
    assert quantity(meter(value=by_field, precision=12, rounding=Rounding.DOWN), table) == "0.999999999999"


def test_a_quantity_has_all_its_decimals_however_long() -> None:
    table = rows("2026-01-05 10:00:00 c1 9223372036854775807", "2026-01-05 10:00:00 c1 9223372036854775807")
    assert quantity(meter(precision=12), table) == "18446744073709551614.000000000000"


# -- aggregates

TABLE = rows(
    "2026-01-05 10:00:00 c1 10",
    "2026-01-05 12:00:00 c1 2",
    "2026-01-05 11:00:00 c1 2",
    "2026-01-06 00:00:00 c1 -",
    "2026-01-05 10:00:00 c2 -",
)


@pytest.mark.parametrize(
    ("function", "c1", "c2"),
    [
        (Function.COUNT, "4.00", "1.00"),
        (Function.SUM, "14.00", "0.00"),  # 10 + 2 + 2; missing values add nothing
        (Function.AVG, "4.67", None),  # 14 / 3 = 4.666...
        (Function.MIN, "2.00", None),
        (Function.MAX, "10.00", None),
        (Function.FIRST, "10.00", None),
        (Function.LAST, "2.00", None),  # at 12:00: the event of the 6th has no value
        (Function.UNIQUE, "2.00", "0.00"),  # 10 and 2
    ],
)
def test_each_aggregate_of_a_month(function: Function, c1: str, c2: str | None) -> None:
    assert measured(meter(function, precision=2), TABLE) == [
        ("2026-01-01", "2026-02-01", "c1", c1, 4),
        ("2026-01-01", "2026-02-01", "c2", c2, 1),
    ]


def test_a_filter_keeps_events_and_guards_the_value() -> None:
    guarded = meter(Function.AVG, filter=HAS_N, precision=2)
    assert measured(guarded, TABLE) == [("2026-01-01", "2026-02-01", "c1", "4.67", 3)]
    default = call("conditional", HAS_N, n, whole(0), type=Type.INT)
    assert measured(meter(Function.AVG, default, precision=2), TABLE) == [
        ("2026-01-01", "2026-02-01", "c1", "3.50", 4),  # 14 / 4
        ("2026-01-01", "2026-02-01", "c2", "0.00", 1),
    ]


def test_last_and_first_of_one_instant_go_by_event_id() -> None:
    table = rows(*[f"2026-01-05 10:00:00 c1 {value}" for value in (5, 1, 3)])
    for row, id_ in zip(table, ["b", "c", "a"], strict=True):
        row["id"] = id_
    assert quantity(meter(Function.LAST), table) == "1"  # c
    assert quantity(meter(Function.FIRST), table) == "3"  # a


def test_unique_counts_texts_and_booleans() -> None:
    table = rows("2026-01-05 10:00:00 c1 1 a", "2026-01-05 10:00:00 c1 2 A", "2026-01-05 10:00:00 c1 3 a",
                 "2026-01-05 10:00:00 c1 4 -")  # fmt: skip
    assert quantity(meter(Function.UNIQUE, kind), table) == "2"  # a and A; the missing one is none
    assert quantity(meter(Function.UNIQUE, call("less_int64", n, whole(9))), table) == "1"  # true


def test_groups_with_a_missing_value_stay_and_come_last() -> None:
    table = rows("2026-01-05 10:00:00 - 1", "2026-01-05 10:00:00 c1 2 b", "2026-01-05 10:00:00 c1 4",
                 "2026-01-05 10:00:00 - 8")  # fmt: skip
    assert measured(meter(group_by=("who", "kind")), table) == [
        ("2026-01-01", "2026-02-01", "c1", "b", "2", 1),
        ("2026-01-01", "2026-02-01", "c1", None, "4", 1),
        ("2026-01-01", "2026-02-01", None, None, "9", 2),
    ]
    assert measured(meter(group_by=()), table) == [("2026-01-01", "2026-02-01", "15", 4)]


def test_a_decimal_dimension_keeps_its_value() -> None:
    rate = family(ir.Field(name="rate", type=FieldType.DECIMAL, precision=18, scale=9))
    log = [{"id": str(key), "at": "2026-01-05T10:00:00Z", "rate": raw} for key, raw in enumerate(["0.50", "0.5", 100])]
    measure = meter(Function.COUNT, group_by=("rate",))
    result = quantities(ir.Program(), measure, {"run": read(rate, log).events}, as_of=at("2027-01-01"))
    assert [(str(row.group[0]), row.events) for row in result] == [("0.5", 2), ("100", 1)]


def test_events_of_several_families_are_one_log() -> None:
    chats, calls = family(N, name="chat"), family(N, name="call")
    both = meter(Function.LAST, source=ir.FamilySource(("chat", "call")))
    log = {"at": "2026-01-05T10:00:00Z", "id": "e1", "who": "c1"}
    events = {"chat": read(chats, [log | {"n": 1}]).events, "call": read(calls, [log | {"n": 2}]).events}
    # One id in two families is two events; of the same instant and id, the family named last is the last.
    [row] = quantities(ir.Program(), both, events, as_of=at("2027-01-01"))
    assert (row.quantity, row.events) == (Decimal(2), 2)


# -- windows


def counted(window: ir.Window, *instants: str, as_of: str = "2027-01-01", **inputs: Any) -> list[Shown]:
    """The windows of these instants of customer c1, and the events in each."""
    table = rows(*[f"{instant} c1 1" for instant in instants])
    return [(row[0], row[1], row[-1]) for row in measured(meter(Function.COUNT, window=window), table, as_of, **inputs)]


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        (CalendarUnit.MINUTE, "2026-05-14 13:37", "2026-05-14 13:38"),
        (CalendarUnit.HOUR, "2026-05-14 13:00", "2026-05-14 14:00"),
        (CalendarUnit.DAY, "2026-05-14", "2026-05-15"),
        (CalendarUnit.WEEK, "2026-05-11", "2026-05-18"),  # 14 May 2026 is a Thursday
        (CalendarUnit.MONTH, "2026-05-01", "2026-06-01"),
        (CalendarUnit.QUARTER, "2026-04-01", "2026-07-01"),
        (CalendarUnit.YEAR, "2026-01-01", "2027-01-01"),
    ],
)
def test_a_calendar_window_contains_its_start_and_not_its_end(unit: CalendarUnit, start: str, end: str) -> None:
    first, last = at(start), at(end) - timedelta(microseconds=1)
    instants = [f"{instant:%Y-%m-%d %H:%M:%S.%f}" for instant in (first, last, first - timedelta(microseconds=1))]
    before, inside = counted(CalendarWindow(unit), *instants, "2026-05-14 13:37:30")
    assert inside == (start, end, 3)
    assert before[1:] == (start, 1)


def test_calendar_windows_before_1970() -> None:
    assert counted(CalendarWindow(CalendarUnit.WEEK), "1969-12-31 23:59:59") == [("1969-12-29", "1970-01-05", 1)]
    assert counted(ir.Tumbling(7200), "1969-12-31 23:59:59") == [("1969-12-31 22:00", "1970-01-01", 1)]


@pytest.mark.parametrize(
    ("zone", "unit", "inside", "start", "end", "hours"),
    [
        # Berlin, 29 March 2026: clocks go from 02:00 to 03:00. The day begins at 00:00 +01:00, ends at 24:00 +02:00.
        ("Europe/Berlin", "day", "2026-03-29 10:00:00", "2026-03-28 23:00", "2026-03-29 22:00", 23),
        # 25 October 2026: from 03:00 back to 02:00.
        ("Europe/Berlin", "day", "2026-10-25 10:00:00", "2026-10-24 22:00", "2026-10-25 23:00", 25),
        ("Europe/Berlin", "month", "2026-03-31 22:30:00", "2026-03-31 22:00", "2026-04-30 22:00", 720),
        ("Europe/Berlin", "week", "2026-03-29 10:00:00", "2026-03-22 23:00", "2026-03-29 22:00", 167),
        # The hour that Berlin has twice is two windows, and the one it skips is none.
        ("Europe/Berlin", "hour", "2026-10-25 00:30:00", "2026-10-25", "2026-10-25 01:00", 1),
        ("Europe/Berlin", "hour", "2026-10-25 01:30:00", "2026-10-25 01:00", "2026-10-25 02:00", 1),
        ("Europe/Berlin", "hour", "2026-03-29 00:59:59", "2026-03-29", "2026-03-29 01:00", 1),
        # Havana, 8 March 2026: 00:00 -05:00 does not exist; the day begins as 01:00 -04:00, at 05:00 UTC.
        ("America/Havana", "day", "2026-03-08 05:00:00", "2026-03-08 05:00", "2026-03-09 04:00", 23),
        ("America/Havana", "day", "2026-03-08 04:59:59", "2026-03-07 05:00", "2026-03-08 05:00", 24),
        # 1 November 2020: 01:00 -04:00 goes back to 00:00 -05:00. The first midnight, 04:00 UTC, begins day and month.
        ("America/Havana", "day", "2020-11-01 04:00:00", "2020-11-01 04:00", "2020-11-02 05:00", 25),
        ("America/Havana", "month", "2020-11-01 04:00:00", "2020-11-01 04:00", "2020-12-01 05:00", 721),
        ("America/Havana", "month", "2020-11-01 03:59:59", "2020-10-01 04:00", "2020-11-01 04:00", 744),
        # St. John's, 7 November 2010: 00:01 -02:30 goes back to 23:01 of the day before, which has ended all the same.
        ("America/St_Johns", "day", "2010-11-07 02:29:59", "2010-11-06 02:30", "2010-11-07 02:30", 24),
        ("America/St_Johns", "day", "2010-11-07 03:00:00", "2010-11-07 02:30", "2010-11-08 03:30", 25),
        # Samoa had no 30 December 2011: -10:00 went to +14:00 at midnight.
        ("Pacific/Apia", "day", "2011-12-30 09:59:59", "2011-12-29 10:00", "2011-12-30 10:00", 24),
        ("Pacific/Apia", "day", "2011-12-30 10:00:00", "2011-12-30 10:00", "2011-12-31 10:00", 24),
        # Lord Howe Island sets its clocks by half an hour: 02:00 +11:00 back to 01:30 +10:30.
        ("Australia/Lord_Howe", "hour", "2026-04-04 14:45:00", "2026-04-04 14:00", "2026-04-04 15:00", 1),
        ("Australia/Lord_Howe", "hour", "2026-04-04 15:15:00", "2026-04-04 15:00", "2026-04-04 15:30", 0.5),
        ("Asia/Kolkata", "hour", "2026-01-05 10:15:00", "2026-01-05 09:30", "2026-01-05 10:30", 1),
    ],
)  # fmt: skip
def test_a_local_window_begins_when_the_local_clock_says(
    zone: str, unit: str, inside: str, start: str, end: str, hours: float
) -> None:
    assert counted(CalendarWindow(CalendarUnit(unit), zone), inside) == [(start, end, 1)]
    assert at(end) - at(start) == timedelta(hours=hours)


def test_tumbling_windows_are_aligned_to_the_epoch() -> None:
    # 1 January 1970 was a Thursday, so windows of a week begin on Thursdays.
    assert counted(ir.Tumbling(604_800), "2026-05-14 00:00:00", "2026-05-13 23:59:59") == [
        ("2026-05-07", "2026-05-14", 1),
        ("2026-05-14", "2026-05-21", 1),
    ]
    assert counted(ir.Tumbling(900), "2026-05-14 13:44:59.999999") == [("2026-05-14 13:30", "2026-05-14 13:45", 1)]


def test_a_rolling_window_ends_at_as_of() -> None:
    instants = ["2026-01-30 12:00:00", "2026-01-30 11:59:59", "2026-03-01 11:59:59", "2026-03-01 12:00:00"]
    # 30 days before 1 March 12:00 is 30 January 12:00 (28 + 2 days).
    assert counted(Rolling(seconds=30 * 86_400), *instants, as_of="2026-03-01 12:00") == [
        ("2026-01-30 12:00", "2026-03-01 12:00", 2)
    ]
    assert counted(Rolling(seconds=60), *instants, as_of="2026-05-01") == []


@pytest.mark.parametrize(
    ("months", "as_of", "start"),
    [
        (1, "2026-03-31", "2026-02-28"),
        (1, "2028-03-31", "2028-02-29"),
        (2, "2026-03-31 06:00", "2026-01-31 06:00"),
        (12, "2028-02-29", "2027-02-28"),
        (3, "2026-01-15", "2025-10-15"),
    ],
)
def test_a_rolling_month_is_clamped_to_the_months_end(months: int, as_of: str, start: str) -> None:
    before = (at(start) - timedelta(microseconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert counted(Rolling(months=months), f"{at(start):%Y-%m-%d %H:%M:%S}", before, as_of=as_of) == [(start, as_of, 1)]


def test_a_series_has_a_window_that_ends_at_each_boundary_up_to_as_of() -> None:
    two_days = Rolling(seconds=2 * 86_400, every=CalendarUnit.DAY)
    # The event of the 5th at 00:00 ends no window (half-open) and is in those that end on the 6th and the 7th.
    assert counted(two_days, "2026-01-05 00:00:00", "2026-01-06 10:00:00", as_of="2026-01-08 12:00") == [
        ("2026-01-04", "2026-01-06", 1),
        ("2026-01-05", "2026-01-07", 2),
        ("2026-01-06", "2026-01-08", 1),
    ]
    # One hour before each midnight: most events are in none.
    assert counted(
        Rolling(seconds=3600, every=CalendarUnit.DAY), "2026-01-05 22:59:59", "2026-01-05 23:00:00", as_of="2026-01-06"
    ) == [("2026-01-05 23:00", "2026-01-06", 1)]
    # One month, ending on days that the month before does not have.
    assert counted(Rolling(months=1, every=CalendarUnit.DAY), "2026-02-28 00:00:00", as_of="2026-03-31")[-4:] == [
        ("2026-02-28", "2026-03-28", 1),
        ("2026-02-28", "2026-03-29", 1),
        ("2026-02-28", "2026-03-30", 1),
        ("2026-02-28", "2026-03-31", 1),
    ]


def test_a_lifetime_holds_every_event_before_as_of() -> None:
    assert counted(ir.Lifetime(), "1995-01-01 00:00:00", "2026-01-04 23:59:59", "2026-01-05 00:00:00",
                   as_of="2026-01-05") == [("ever", "2026-01-05", 2)]  # fmt: skip


@pytest.mark.parametrize("window", [CalendarWindow(CalendarUnit.MONTH), ir.Tumbling(86_400), ir.BillingCycle()])
def test_no_other_window_depends_on_as_of(window: ir.Window) -> None:
    instants = ["2026-01-05 00:00:00", "2026-01-07 00:00:00", "2026-03-01 00:00:00"]
    assert counted(window, *instants, as_of="2026-01-06") == counted(window, *instants, as_of="2099-01-01")


# -- billing cycles

CYCLE = ir.BillingCycle()


def test_billing_cycles_are_calendar_months_without_any_supplied() -> None:
    expected = [("2026-01-01", "2026-02-01", 1), ("2026-02-01", "2026-03-01", 1)]
    assert counted(CYCLE, "2026-01-31 23:59:59", "2026-02-01 00:00:00") == expected
    assert counted(CYCLE, "2026-01-31 23:59:59", "2026-02-01 00:00:00", cycles=[]) == expected


def test_supplied_cycles_are_the_customers_own() -> None:
    table = rows("2026-01-09 23:59:59 c1 1", "2026-01-10 00:00:00 c1 2", "2026-02-09 23:59:59 c1 4",
                 "2026-01-10 00:00:00 c2 8", "2026-01-20 00:00:00 c3 16", "2026-01-20 00:00:00 - 32")  # fmt: skip
    cycles = [
        ("c1", at("2026-01-10"), at("2026-02-10")),
        ("c2", at("2025-12-15 08:00"), at("2026-01-15 08:00")),
    ]
    # The first event is before every cycle of c1; c3 and the event of nobody have no cycle: they count by the calendar.
    assert measured(meter(window=CYCLE), table, cycles=cycles) == [
        ("2025-12-15 08:00", "2026-01-15 08:00", "c2", "8", 1),
        ("2026-01-01", "2026-02-01", "c1", "1", 1),
        ("2026-01-01", "2026-02-01", "c3", "16", 1),
        ("2026-01-01", "2026-02-01", None, "32", 1),
        ("2026-01-10", "2026-02-10", "c1", "6", 2),
    ]
    assert measured(meter(window=CYCLE, group_by=()), table, cycles=cycles) == [
        ("2025-12-15 08:00", "2026-01-15 08:00", "8", 1),
        ("2026-01-01", "2026-02-01", "49", 3),
        ("2026-01-10", "2026-02-10", "6", 2),
    ]


def test_cycles_that_overlap_or_are_empty_are_refused() -> None:
    january, mid = (at("2026-01-01"), at("2026-02-01")), (at("2026-01-15"), at("2026-02-15"))
    with pytest.raises(ValueError, match="overlap"):
        counted(CYCLE, cycles=[("c1", *january), ("c1", *mid)])
    with pytest.raises(ValueError, match="empty"):
        counted(CYCLE, cycles=[("c1", january[1], january[0])])
    assert counted(CYCLE, cycles=[("c1", *january), ("c2", *mid)]) == []


def test_an_anchor_is_clamped_to_the_months_end_and_never_forgotten() -> None:
    instants = ["2025-12-31 00:00:00", "2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-30 23:59:59",
                "2026-03-31 00:00:00", "2026-04-30 00:00:00"]  # fmt: skip
    assert counted(CYCLE, *instants, cycle_anchor=date(2026, 1, 31)) == [
        ("2025-12-31", "2026-01-31", 1),
        ("2026-01-31", "2026-02-28", 1),
        ("2026-02-28", "2026-03-31", 2),
        ("2026-03-31", "2026-04-30", 1),
        ("2026-04-30", "2026-05-31", 1),
    ]
    assert counted(CYCLE, "2026-05-15 07:59:59", cycle_anchor=at("2020-02-15 08:00")) == [
        ("2026-04-15 08:00", "2026-05-15 08:00", 1)
    ]


# -- time-weighted

DAY = CalendarWindow(CalendarUnit.DAY)


def held(*lines: str, as_of: str, window: ir.Window = DAY, **more: Any) -> list[Shown]:
    """Rows of a level `n`, in n x hours."""
    inputs = {key: more.pop(key) for key in ("range", "fill", "cycles") if key in more}
    return measured(meter(Function.TIME_WEIGHTED, window=window, **more), rows(*lines), as_of, **inputs)


def test_a_level_holds_until_the_next_and_is_carried_into_later_windows() -> None:
    assert held("2026-01-05 18:00:00 c1 10", "2026-01-06 06:00:00 c1 4", as_of="2026-01-08 12:00") == [
        ("2026-01-05", "2026-01-06", "c1", "60", 1),  # 6 h x 10
        ("2026-01-06", "2026-01-07", "c1", "132", 1),  # 6 h x 10 + 18 h x 4
        ("2026-01-07", "2026-01-08", "c1", "96", 0),  # 24 h x 4
        ("2026-01-08", "2026-01-08 12:00", "c1", "48", 0),  # as-of ends it: 12 h x 4
    ]


def test_events_from_as_of_on_do_not_count() -> None:
    log = ("2026-01-05 18:00:00 c1 10", "2026-01-05 20:00:00 c1 99")
    assert held(*log, as_of="2026-01-05 20:00") == [("2026-01-05", "2026-01-05 20:00", "c1", "20", 1)]  # 2 h x 10
    assert held(*log, as_of="2026-01-05 18:00") == []


def test_each_group_has_its_own_level() -> None:
    log = ("2026-01-05 00:00:00 c1 1", "2026-01-05 12:00:00 c2 5", "2026-01-05 18:00:00 c1 0")
    assert held(*log, as_of="2026-01-06") == [
        ("2026-01-05", "2026-01-06", "c1", "18", 2),  # 18 h x 1 + 6 h x 0
        ("2026-01-05", "2026-01-06", "c2", "60", 1),  # 12 h x 5
    ]
    # Without groups the latest event says the level: 12 h x 1 + 6 h x 5 + 6 h x 0.
    assert held(*log, as_of="2026-01-06", group_by=()) == [("2026-01-05", "2026-01-06", "42", 3)]


def test_of_one_instant_the_greatest_id_says_the_level_and_a_missing_value_changes_nothing() -> None:
    log = ("2026-01-05 12:00:00 c1 7", "2026-01-05 12:00:00 c1 2", "2026-01-05 18:00:00 c1 -")
    assert held(*log, as_of="2026-01-06") == [("2026-01-05", "2026-01-06", "c1", "24", 3)]  # 12 h x 2


def test_levels_in_rolling_and_lifetime_windows_and_in_a_range() -> None:
    log = ("2026-01-05 18:00:00 c1 10", "2026-01-06 06:00:00 c1 4")
    day = 86_400
    assert held(*log, as_of="2026-01-06 12:00", window=Rolling(seconds=day)) == [
        ("2026-01-05 12:00", "2026-01-06 12:00", "c1", "144", 2)  # 12 h x 10 + 6 h x 4
    ]
    assert held(*log, as_of="2026-01-09", window=Rolling(seconds=day)) == [
        ("2026-01-08", "2026-01-09", "c1", "96", 0)  # 24 h x 4, carried in
    ]
    assert held(*log, as_of="2026-01-06 12:00", window=ir.Lifetime()) == [("ever", "2026-01-06 12:00", "c1", "144", 2)]
    assert held(*log, as_of="2026-01-08", window=Rolling(seconds=day, every=CalendarUnit.DAY)) == [
        ("2026-01-05", "2026-01-06", "c1", "60", 1),
        ("2026-01-06", "2026-01-07", "c1", "132", 1),
        ("2026-01-07", "2026-01-08", "c1", "96", 0),
    ]
    assert held(*log, as_of="2026-02-01", range=(at("2026-01-06 05:00"), at("2026-01-06 08:00"))) == [
        ("2026-01-06 05:00", "2026-01-06 08:00", "c1", "18", 1)  # 1 h x 10 + 2 h x 4
    ]


def test_the_unit_of_time_is_the_meters_own() -> None:
    # A level of 3 for 12 h is 1.5 days.
    per_day = ir.Aggregate(function=Function.TIME_WEIGHTED, value=n, per=CalendarUnit.DAY)
    level = meter(aggregate=per_day, window=DAY, precision=3)
    assert quantity(level, rows("2026-01-05 12:00:00 c1 3"), as_of="2026-01-06") == "1.500"
    no_length = meter(aggregate=ir.Aggregate(function=Function.TIME_WEIGHTED, value=n, per=CalendarUnit.MONTH))
    with pytest.raises(ValueError, match="month"):
        quantity(no_length, rows("2026-01-05 12:00:00 c1 3"))


def test_one_level_of_customers_with_different_cycles_is_refused() -> None:
    cycles = [("c1", at("2026-01-01"), at("2026-02-01")), ("c2", at("2026-01-15"), at("2026-02-15"))]
    log = ("2026-01-31 12:00:00 c1 3", "2026-01-31 18:00:00 c2 1")
    with pytest.raises(ValueError, match="several customers"):
        held(*log, as_of="2026-03-01", window=CYCLE, group_by=(), cycles=cycles)
    assert held(*log, as_of="2026-02-02", window=CYCLE, cycles=cycles) == [
        ("2026-01-01", "2026-02-01", "c1", "36", 1),  # 12 h x 3
        ("2026-01-15", "2026-02-02", "c2", "30", 1),  # 6 h + 24 h
    ]


# -- a range, and windows without events


def test_a_range_takes_the_place_of_every_window() -> None:
    table = rows("2026-01-05 00:00:00 c1 1", "2026-02-10 00:00:00 c1 2", "2026-03-01 00:00:00 c1 4")
    one = (at("2026-01-05"), at("2026-03-01"))
    for window in (CalendarWindow(CalendarUnit.MONTH), ir.Tumbling(60), Rolling(seconds=60), ir.Lifetime(), CYCLE):
        result = measured(meter(window=window), table, as_of="2026-02-01", range=one)
        assert result == [("2026-01-05", "2026-03-01", "c1", "3", 2)]


def test_fill_lists_each_group_in_each_window_between_the_first_event_and_the_last() -> None:
    table = rows("2026-01-05 00:00:00 c1 1", "2026-03-05 00:00:00 c1 2", "2026-02-05 00:00:00 c2 4")
    assert measured(meter(Function.SUM), table, fill=True) == [
        ("2026-01-01", "2026-02-01", "c1", "1", 1),
        ("2026-01-01", "2026-02-01", "c2", "0", 0),
        ("2026-02-01", "2026-03-01", "c1", "0", 0),
        ("2026-02-01", "2026-03-01", "c2", "4", 1),
        ("2026-03-01", "2026-04-01", "c1", "2", 1),
        ("2026-03-01", "2026-04-01", "c2", "0", 0),
    ]


@pytest.mark.parametrize(
    ("function", "empty"),
    [
        (Function.COUNT, "0"), (Function.SUM, "0"), (Function.AVG, None), (Function.MIN, None), (Function.MAX, None),
        (Function.LAST, None), (Function.FIRST, None), (Function.UNIQUE, "0"), (Function.TIME_WEIGHTED, "0"),
    ],
)  # fmt: skip
def test_an_event_that_the_filter_drops_leaves_its_group_an_empty_window(function: Function, empty: str | None) -> None:
    # The failed run that is free: its customer is listed, with nothing.
    table = rows("2026-01-05 00:00:00 c1 1")
    none = meter(function, filter=call("greater_int64", n, whole(1)))
    assert measured(none, table, as_of="2026-02-01") == []
    assert measured(none, table, as_of="2026-02-01", fill=True) == [("2026-01-01", "2026-02-01", "c1", empty, 0)]


def test_fill_goes_up_to_as_of_where_that_ends_the_window() -> None:
    table = rows("2026-01-05 06:00:00 c1 1", "2026-01-08 06:00:00 c2 1")
    rolling = meter(window=Rolling(seconds=3600))
    assert measured(rolling, table, as_of="2026-01-07", fill=True) == [("2026-01-06 23:00", "2026-01-07", "c1", "0", 0)]
    series = meter(window=Rolling(seconds=86_400, every=CalendarUnit.DAY))
    assert measured(series, table, as_of="2026-01-07", fill=True) == [
        ("2026-01-05", "2026-01-06", "c1", "1", 1),
        ("2026-01-06", "2026-01-07", "c1", "0", 0),
    ]


def test_fill_with_supplied_cycles_and_with_a_range() -> None:
    table = rows("2026-01-05 00:00:00 c1 1", "2026-02-20 00:00:00 c2 1")
    cycles = [("c1", at(start), at(end)) for start, end in (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"))]
    assert measured(meter(window=CYCLE), table, cycles=cycles, fill=True) == [
        ("2026-01-01", "2026-02-01", "c1", "1", 1),
        ("2026-01-01", "2026-02-01", "c2", "0", 0),
        ("2026-02-01", "2026-03-01", "c1", "0", 0),
        ("2026-02-01", "2026-03-01", "c2", "1", 1),
    ]
    assert measured(meter(), table, range=(at("2026-01-05"), at("2026-01-06")), fill=True) == [
        ("2026-01-05", "2026-01-06", "c1", "1", 1),
        ("2026-01-05", "2026-01-06", "c2", "0", 0),
    ]


# -- ratios

BAD = meter(Function.COUNT, name="bad", filter=call("equals", kind, text("bad")))
ALL = meter(Function.COUNT, name="all")
SUM = meter(Function.SUM, name="sum")
AVG = meter(Function.AVG, name="avg", filter=call("equals", kind, text("bad")))


def ratio(numerator: str, denominator: str) -> ir.Meter:
    return meter(None, source=ir.RatioSource(numerator, denominator), precision=3)


RATIO_TABLE = rows(
    "2026-01-05 00:00:00 c1 2 bad", "2026-01-06 00:00:00 c1 -2 ok", "2026-01-07 00:00:00 c1 3 bad",
    "2026-01-05 00:00:00 c2 5 ok",
)  # fmt: skip


@pytest.mark.parametrize(
    ("numerator", "denominator", "c1", "c2"),
    [
        ("bad", "all", "0.667", "0.000"),  # 2/3; c2 has no bad event, which is 0/1
        ("all", "bad", "1.500", None),  # c2: 1/0
        ("avg", "sum", "0.833", None),  # 2.5/3, of the exact average and not of a rounded 3; c2: null/5
        ("sum", "avg", "1.200", None),  # 3/2.5; c2: 5/null
    ],
)
def test_a_ratio_is_exact_and_null_over_zero(numerator: str, denominator: str, c1: str, c2: str | None) -> None:
    result = measured(ratio(numerator, denominator), RATIO_TABLE, others=(BAD, ALL, SUM, AVG))
    assert [row[:-1] for row in result] == [
        ("2026-01-01", "2026-02-01", "c1", c1),
        ("2026-01-01", "2026-02-01", "c2", c2),
    ]


def test_the_events_of_a_ratio_are_those_of_both_sides() -> None:
    result = measured(ratio("bad", "all"), RATIO_TABLE, others=(BAD, ALL))
    assert [row[-1] for row in result] == [5, 1]  # 2 + 3, 0 + 1


def test_a_ratio_of_zero_over_zero_is_null() -> None:
    table = rows("2026-01-05 00:00:00 c1 1", "2026-01-05 00:00:00 c1 -1")
    assert measured(ratio("sum", "sum"), table, others=(SUM,)) == [("2026-01-01", "2026-02-01", "c1", None, 4)]


def test_a_ratio_to_a_level_meets_its_whole_window() -> None:
    level = meter(Function.TIME_WEIGHTED, name="level", window=DAY)
    total = meter(Function.SUM, name="total", window=DAY)
    per_hour = meter(None, source=ir.RatioSource("level", "total"), window=DAY)
    assert measured(per_hour, rows("2026-01-05 00:00:00 c1 5"), "2026-01-05 12:00", others=(level, total)) == [
        ("2026-01-05", "2026-01-05 12:00", "c1", "12", 2)  # 12 h x 5 / 5
    ]


# -- a log of three months whose numbers its README states

SAMPLE = ROOT / "examples" / "agent-runs"


def stated(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the README, without its head."""
    section = (SAMPLE / "README.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def sample() -> reference.Read:
    doubles = ("energy_joules", "grid_intensity_g_per_kwh", "carbon_g")
    fields = [
        ir.Field(name="agent_run_id", type=FieldType.STRING, required=True),
        ir.Field(name="completed_at", type=FieldType.TIMESTAMP, required=True),
        ir.Field(name="customer_id", type=FieldType.STRING, required=True),
        ir.Field(name="duration_ms", type=FieldType.INTEGER, required=True),
        *(ir.Field(name=name, type=FieldType.FLOAT, scale=6, required=True) for name in doubles),
        ir.Field(name="region", type=FieldType.STRING),
    ]
    runs = ir.Family(
        name="run", sql_name="run", event_id="agent_run_id", event_time="completed_at", customer="customer_id",
        fields=tuple(fields),
    )  # fmt: skip
    with (SAMPLE / "events.jsonl").open(encoding="utf-8") as lines:
        return read(runs, json_rows(lines))


def test_the_sample_log_is_read_as_its_readme_says(sample: reference.Read) -> None:
    [counts] = quality([sample])
    names = {"ids in conflict": "conflicts"}
    assert {name: counts[names.get(name, name)] for name, _ in stated("What is read")} == {
        name: int(count) for name, count in stated("What is read")
    }
    blamed = Counter(field.strip("`") for field, _, _, count in stated("What is rejected") for _ in range(int(count)))
    found = Counter(re.sub("^missing | is not .*$| out of range$", "", reject.reason) for reject in sample.rejects)
    assert found == blamed


def test_the_sample_log_has_the_agent_hours_that_its_readme_says(sample: reference.Read) -> None:
    hours = call("divide_decimal", wide(FieldRef("duration_ms", Type.INT)), number("3600000.0"), type=Type.DECIMAL)
    billed = meter(value=hours, precision=6, window=CYCLE, group_by=("customer_id",))
    result = quantities(ir.Program(), billed, {"run": sample.events}, as_of=at("2026-04-01"))
    assert {(str(row.group[0]), f"{row.window_start:%m}"): str(row.quantity) for row in result} == {
        (customer, month): cell
        for customer, *months, _ in stated("Agent hours")
        for month, cell in zip(("01", "02", "03"), months, strict=True)
        if cell
    }


# -- independence


def test_the_oracle_reads_the_meaning_of_a_spec_and_nothing_that_evaluates_one() -> None:
    imported = {
        name
        for path in Path(reference.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom) and not node.level
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if name.startswith("meterspec")
    }
    assert imported
    assert all(name.startswith(("meterspec.ir", "meterspec.cel.tree", "meterspec.cel.types")) for name in imported)


def test_instants_survive_the_way_there_and_back() -> None:
    for instant in (at("1969-12-31 23:59"), at("2026-03-29 00:30"), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)):
        assert moment(micros(instant)) == instant
