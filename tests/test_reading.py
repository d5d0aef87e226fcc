"""Event files read by the engine give what the reference reads: each value, or the same reason for refusing it."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from meterspec import ir
from meterspec.backends.sql.families import REJECT_REASON
from meterspec.events import EventFiles, load
from meterspec.events.engine import reason_of
from meterspec.ir import Family, Field, FieldType
from tests.reference import json_rows, read

NUMBERS = [
    *("0", "-0", "1", "-1", "5.0", "5.5", "1e3", "1E-3", "0.1", "-2.5", "100.25", "1e400", "-1e400", "1e-400"),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e18", "1e19"),
    *("18446744073709551616", "123456789012345678901234567890", "0.1234567890123456789", "12345678901234567.891"),
    *("0.10000000000000000555", "99.96", "99.94", "0.0000001", "0.00000012", "1.500", "2.675", "0.0000005"),
    *("9007199254.740992", "9007199254.740991", "-9007199254.740992", "999999999.999999999", "1000000000"),
]
TEXTS = [
    *('""', '" "', '"5"', '"5.0"', '"-2.50"', '"+5"', '".5"', '"5."', '"1e3"', '"0x1F"', '"1_000"', '" 5"', '"NaN"'),
    *('"Infinity"', '"-inf"', '"true"', '"\\u0663"', '"n/a"', '"\\u00e9\\ud83d\\ude00"', '"\\u0000"', '"a\\nb"'),
]
OTHERS = ["true", "false", "[]", "[5]", "{}", '{"a": 5}', "null"]
INSTANTS = [
    *('"2026-01-05T10:00:00Z"', '"2026-01-05t10:00:00z"', '"2026-01-05 10:00:00"', '"2026-01-05T10:00:00.1234569Z"'),
    *('"2026-01-05T10:00:00+02:00"', '"2026-01-05T10:00:00-0530"', '"2026-01-05T10:00:00+02"', '"2026-01-05"'),
    *('"2026-02-30T10:00:00Z"', '"2026-01-05T24:00:00Z"', '"2026-01-05T10:00:60Z"', '"2026-01-05T10:00Z"'),
    *('"0001-01-01T00:00:00+01:00"', '"9999-12-31T23:59:59.999999Z"', '"9999-12-31T23:59:59-01:00"'),
    *('"0000-01-01T00:00:00Z"', '"1969-12-31T23:59:59.999999Z"', '"2026-01-05T10:00:00.Z"', '"05.01.2026 10:00:00"'),
    *('"2026-01-05T10:00:00+24:00"', '"2026-01-05T10:00:00+01:60"', '"2026-01-05T10:00:00 Z"', "1767607200"),
    *('"2026-01-05T10:00:00.9999999+23:59"', '"2000-02-29T00:00:00Z"', '"1900-02-29T00:00:00Z"'),
]
FIELDS = [
    Field(name="integer", type=FieldType.INTEGER),
    Field(name="small", type=FieldType.INTEGER, minimum=Decimal(-1), maximum=Decimal(100)),
    Field(name="decimal", type=FieldType.DECIMAL, precision=18, scale=9),
    Field(name="short", type=FieldType.DECIMAL, precision=3, scale=1, minimum=Decimal("-2.45")),
    Field(name="whole", type=FieldType.DECIMAL, precision=38, scale=0),
    Field(name="fine", type=FieldType.DECIMAL, precision=38, scale=18),
    Field(name="float", type=FieldType.FLOAT, scale=6),
    Field(name="coarse", type=FieldType.FLOAT, scale=0, maximum=Decimal("5.5")),
    Field(name="text", type=FieldType.STRING),
    Field(name="word", type=FieldType.STRING, values=("5", "true")),
    Field(name="flag", type=FieldType.BOOLEAN),
    Field(name="moment", type=FieldType.TIMESTAMP),
]


def family_of(field: Field) -> Family:
    return Family(
        name="test.read",
        sql_name="test_read",
        event_id="id",
        event_time="at",
        customer="customer",
        fields=(
            Field(name="id", type=FieldType.STRING, required=True),
            Field(name="at", type=FieldType.TIMESTAMP, required=True),
            Field(name="customer", type=FieldType.STRING),
            field,
        ),
    )


def exact(field: Field, value: object) -> object:
    """A value of the engine as the reference has it."""
    return Fraction(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_value_is_read_as_the_reference_reads_it(field: Field, tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    family = family_of(field)
    values = [*NUMBERS, *TEXTS, *OTHERS, *INSTANTS]
    lines = [
        f'{{"id": "{number:03}", "at": "2026-01-05T10:00:00Z", "{field.name}": {value}}}'
        for number, value in enumerate(values)
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    expected = read(family, json_rows(lines))
    by_id: dict[object, tuple[object, str | None]] = {e.id: (e.values[field.name], None) for e in expected.events}
    by_id |= {reject.row["id"]: (None, reject.reason) for reject in expected.rejects}
    shown = f"epoch_us({field.name})" if field.type is FieldType.TIMESTAMP else field.name
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        load(connection, EventFiles(family, (path,)))
        rows = connection.execute(f"SELECT id, {shown}, {REJECT_REASON} FROM test_read_checked").fetchall()
    found = {id_: (None if reason else exact(field, value), reason) for id_, value, reason in rows}
    wrong = {values[int(str(id_))]: (found[id_], by_id[id_]) for id_ in by_id if found[id_] != by_id[id_]}
    assert wrong == {}


def test_a_line_that_is_no_event_is_rejected_and_blank_lines_are_none(tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    path = tmp_path / "events.jsonl"
    good = json.dumps({"id": "1", "at": "2026-01-05T10:00:00Z"})
    path.write_text(f'{good}\n\n[1]\n{{"id": \n"text"\n{good}', encoding="utf-8")
    with duckdb.connect() as connection:
        load(connection, EventFiles(family_of(FIELDS[0]), (path,)))
        reasons = connection.execute(f"SELECT {REJECT_REASON} FROM test_read_checked ORDER BY 1").fetchall()
    assert reasons == [("not a JSON object",)] * 3 + [(None,)] * 2


TWICE = [
    ('{"id": "1", "at": "2026-01-05T10:00:00Z", "integer": 1, "integer": 2}', "a key stands in it twice"),
    ('{"id": "2", "at": "2026-01-05T10:00:00Z", "other": 1, "other": 1}', "a key stands in it twice"),
    ('{"id": "3", "at": "2026-01-05T10:00:00Z", "integer": 1, "Integer": 2}', None),
    ('{"id": "4", "at": "2026-01-05T10:00:00Z", "integer": 1, "other": {"integer": 2}}', None),
    (
        '{"specversion": "1.0", "type": "t", "id": "5", "time": "2026-01-05T10:00:00Z", "integer": 3,'
        ' "data": {"integer": 1}}',
        None,
    ),
    (
        '{"specversion": "1.0", "type": "t", "id": "6", "time": "2026-01-05T10:00:00Z",'
        ' "data": {"integer": 1, "integer": 2}}',
        "a key stands in it twice",
    ),
]


def test_a_line_with_two_values_of_one_key_is_rejected(tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{line}\n" for line, _ in TWICE), encoding="utf-8")
    with duckdb.connect() as connection:
        load(connection, EventFiles(family_of(FIELDS[0]), (path,)))
        reasons = connection.execute(f"SELECT {REJECT_REASON} FROM test_read_checked ORDER BY id").fetchall()
    assert reasons == [(reason,) for _, reason in TWICE]


CSV_TEXTS = [
    "plain",
    "a, b; c|d",
    'say "no"',
    "two\nlines",
    "two\r\nlines",
    "tab\tbed",
    "\u00e9\U0001f600",
    "\\",
    "'",
    "#",
]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_a_csv_file_is_read_as_it_was_written(separator: str, end: str, mark: str, tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    path = tmp_path / "events.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.writer(file, delimiter=separator, lineterminator=end)
        writer.writerow(["id", "at", "text"])
        writer.writerows([str(number), "2026-01-05T10:00:00Z", text] for number, text in enumerate(CSV_TEXTS))
    with duckdb.connect() as connection:
        load(connection, EventFiles(family_of(Field(name="text", type=FieldType.STRING)), (path,)))
        rows = connection.execute(f"SELECT text, {REJECT_REASON} FROM test_read_checked ORDER BY id").fetchall()
    assert rows == [(text, None) for text in CSV_TEXTS]


def test_the_family_of_the_tests_is_complete() -> None:
    assert {field.type for field in FIELDS} == set(ir.FieldType)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("IO Error: No space left on device.\nmore", "No space left on device"),
        (
            'IO Error: Async write failed: {"exception_type":"IO","exception_message":"Could not write \\"a\\": full"}',
            'Could not write "a": full',
        ),
    ],
)
def test_the_reason_of_the_engine_is_its_words(said: str, reason: str) -> None:
    assert reason_of(OSError(said)) == reason
