"""Examples in a spec: they pass exactly when the compiled meters give what they say, and a failure shows both."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from time import perf_counter
from typing import Any

import pytest

from meterspec.diagnostics import Diagnostics
from meterspec.examples import Outcome, check_examples
from meterspec.ir import Example, Meter, Program
from tests.corpus import check_file, check_text
from tests.reference import json_rows, moment, quantities, read
from tests.test_cli import meterspec
from tests.test_corpus import VALID, name_of


def outcomes(program: Program | None) -> list[Outcome]:
    assert program is not None
    out = Diagnostics()
    found = check_examples(program, out)
    assert not list(out)
    return found


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_the_examples_of_a_valid_fixture_pass(path: Path) -> None:
    program, _ = check_file(path)
    for outcome in outcomes(program):
        assert outcome.passed, outcome
        assert not outcome.notes


CALLS = """
    [[families]]
    name = "api.call"
    schema.ms = {{ type = "integer", min = 0, max = 1000, required = true }}
    schema.region = {{ type = "string" }}

    [[meters]]
    name = "calls"
    source = {{ kind = "family", family = "api.call" }}
    filter = "ms > 0"
    precision = 2
    aggregate = {{ fn = "{fn}", {value} window = "month", group_by = ["customer_id", "region"] }}

    [[meters.tests]]
    name = "an example"
    events = [
      {{ event_id = "e1", event_time = 2026-01-05T10:00:00Z, customer_id = "c1", region = "eu", ms = 1 }},
      {{ event_id = "e2", event_time = 2026-01-06T10:00:00Z, customer_id = "c1", region = "eu", ms = 2 }},
      {{ event_id = "e3", event_time = 2026-01-06T10:00:00Z, customer_id = "c1", region = "us", ms = 1 }},
      {{ event_id = "e4", event_time = 2026-02-05T10:00:00Z, customer_id = "c2", ms = 4 }},
      {{ event_id = "e5", event_time = 2026-02-05T10:00:00Z, customer_id = "c3", ms = 0 }},
    ]
    expect = [{expect}]
"""
"""Rows of COUNT: c1 eu 2, c1 us 1, c2 1. c3 is filtered out."""
REST = '{ customer_id = "c1", region = "us", quantity = 1 }, { customer_id = "c2", quantity = 1 }'

EXPECTATIONS = [
    # fn, what is expected, the verdict row by row
    ("COUNT", '{ customer_id = "c1", region = "eu", quantity = 2 }, ' + REST, "same same same"),
    ("COUNT", '{ region = "eu", quantity = 2 }, ' + REST, "same same same"),
    ("COUNT", '{ quantity = 1 }, { customer_id = "c1", quantity = 2 }, { region = "us" }', "same same same"),
    ("COUNT", "{ quantity = 1 }, { quantity = 1 }, { quantity = 2.00 }", "same same same"),
    ("COUNT", "{ events = 2 }, { events = 1 }, { events = 1, quantity = 1 }", "same same same"),
    ("COUNT", "{}, {}, {}", "same same same"),
    ("COUNT", '{ region = "eu", quantity = 3 }, ' + REST, "differs same same"),
    ("COUNT", '{ region = "eu", quantity = 2, events = 3 }, ' + REST, "differs same same"),
    ("COUNT", '{ region = "eu", quantity = 2.000001 }, ' + REST, "differs same same"),
    ("COUNT", '{ region = "eu", window_start = 2026-02-01, quantity = 2 }, ' + REST, "missing same same unexpected"),
    ("COUNT", '{ region = "eu", quantity = 2 }', "same unexpected unexpected"),
    ("COUNT", '{ region = "eu", quantity = 2 }, { region = "eu", quantity = 2 }, ' + REST, "same missing same same"),
    ("COUNT", "{}, {}, {}, {}", "same same same missing"),
    # what nobody used is 0, and needs no row; an average of nothing is not 0
    ("COUNT", '{ customer_id = "c3", quantity = 0 }, { region = "eu" }, ' + REST, "same same same same"),
    ("COUNT", '{ customer_id = "c3", quantity = 0, events = 0 }, {}, {}, {}', "same same same same"),
    ("COUNT", '{ customer_id = "c3", quantity = 0, events = 1 }, {}, {}, {}', "missing same same same"),
    ("COUNT", '{ customer_id = "c3", quantity = 1 }, {}, {}, {}', "missing same same same"),
    ("COUNT", '{ customer_id = "c3" }, {}, {}, {}', "missing same same same"),
    ("COUNT", '{ customer_id = "c2", quantity = 0 }, { customer_id = "c1" }, { region = "us" }', "differs same same"),
    ("SUM", '{ customer_id = "c3", quantity = 0 }, {}, {}, {}', "same same same same"),
    ("UNIQUE", '{ customer_id = "c3", quantity = 0 }, {}, {}, {}', "same same same same"),
    ("AVG", '{ customer_id = "c3", quantity = 0 }, {}, {}, {}', "missing same same same"),
    ("MAX", '{ customer_id = "c3", quantity = 0 }, {}, {}, {}', "missing same same same"),
    # exact, after the meter's rounding
    ("AVG", "{ quantity = 1.5 }, { quantity = 1 }, { quantity = 4.0 }", "same same same"),
    ("AVG", "{ quantity = 1.50000001 }, { quantity = 1 }, { quantity = 4.0 }", "missing same same unexpected"),
]


def verdicts(outcome: Outcome) -> str:
    words = []
    for line in outcome.lines:
        other = "missing" if line.actual is None else "unexpected" if line.expected is None else "differs"
        words.append("same" if line.same else other)
    return " ".join(words)


@pytest.mark.parametrize(("fn", "expect", "wanted"), EXPECTATIONS)
def test_a_row_is_what_was_expected_or_it_is_not(fn: str, expect: str, wanted: str) -> None:
    value = "" if fn == "COUNT" else 'value = "ms",'
    program, found = check_text(dedent(CALLS).format(fn=fn, value=value, expect=expect))
    (outcome,) = outcomes(program)
    if wanted.startswith("missing") and "1.50000001" in expect:
        wanted = "differs same same"  # the row that is left is the nearest answer
    assert verdicts(outcome) == wanted, found
    assert outcome.passed == (set(wanted.split()) == {"same"})


ROLLING = """
    families = [{ name = "api.call" }]
    [[meters]]
    name = "calls"
    source = { kind = "family", family = "api.call" }
    aggregate = { fn = "COUNT", window = { kind = "rolling", duration = "1d" } }
    [[meters.tests]]
    name = "an example"
"""
"""COUNT of the day before the as-of instant."""


def event(number: int, time: str) -> str:
    return f'{{ event_id = "e{number}", event_time = {time} }}'


@pytest.mark.parametrize(
    ("as_of", "events", "end", "quantity"),
    [
        ("", [event(1, "2026-01-05T10:00:00Z")], "2026-01-05T10:00:00.000001+00:00", 1),
        ("", [event(1, '"2026-01-05T12:00:00+02:00"')], "2026-01-05T10:00:00.000001+00:00", 1),
        ("", [event(1, "2026-01-05T10:00:00Z"), event(2, "2026-01-04T10:00:00.000001Z")], None, 2),
        ("", [event(1, "2026-01-05T10:00:00Z"), event(2, "2026-01-04T10:00:00Z")], None, 1),
        # of the two with one id the earlier counts, and is the newest
        (
            "",
            [event(1, "2026-01-05T10:00:00Z"), event(1, "2026-01-07T10:00:00Z")],
            "2026-01-05T10:00:00.000001+00:00",
            1,
        ),
        (
            "as_of = 2026-01-06",
            [event(1, "2026-01-05T10:00:00Z"), event(2, "2026-01-07")],
            "2026-01-06T00:00:00+00:00",
            1,
        ),
        ("as_of = 2026-01-06T12:00:00+02:00", [event(1, "2026-01-05T10:00:00Z")], "2026-01-06T10:00:00+00:00", 1),
    ],
)
def test_a_window_ends_where_the_example_says_or_after_its_newest_event(
    as_of: str, events: list[str], end: str | None, quantity: int
) -> None:
    program, _ = check_text(f"{dedent(ROLLING)}{as_of}\nevents = [{', '.join(events)}]\nexpect = []\n")
    (outcome,) = outcomes(program)
    (row,) = outcome.rows
    assert row.quantity == quantity
    assert end is None or row.window_end.isoformat() == end


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("ms = 1.5", "event 2 was rejected: ms is not an integer"),
        ('ms = "many"', "event 2 was rejected: ms is not an integer"),
        ("ms = true", "event 2 was rejected: ms is not an integer"),
        ("ms = 1001", "event 2 was rejected: ms above 1000"),
        ("region = 'eu'", "event 2 was rejected: missing ms"),
        ("ms = 1, region = 5", "event 2 was rejected: region is not a string"),
        ("ms = 1, region = 0.12345678901234567890123456789", "event 2 was rejected: region is not a string"),
        ("ms = 1, region = 2026-01-05", "event 2 was rejected: region is not a string"),
        ("ms = 1_000_000_000_000_000_000", "event 2 was rejected: ms above 1000"),
    ],
)
def test_an_event_that_breaks_its_schema_fails_the_example_and_says_why(fields: str, fault: str) -> None:
    text = dedent(CALLS).format(fn="COUNT", value="", expect="").replace('region = "eu", ms = 2', fields)
    program, _ = check_text(text)
    (outcome,) = outcomes(program)
    assert outcome.faults == (fault,)
    assert not outcome.passed


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_an_instant_that_utc_does_not_have_is_reported_or_rejected(time: str) -> None:
    text = dedent(CALLS).format(fn="COUNT", value="", expect="")
    _, found = check_text(
        text.replace('2026-01-06T10:00:00Z, customer_id = "c1", region = "us"', f'{time}, customer_id = "c1"')
    )
    assert [(d.code, d.at.span().text if d.at else "") for d in found] == [("MS124", time)]
    program, _ = check_text(text.replace('2026-01-06T10:00:00Z, customer_id = "c1", region = "us"', f'"{time}"'))
    (outcome,) = outcomes(program)
    assert outcome.faults == ("event 3 was rejected: event_time is not a timestamp",)


def test_numbers_of_events_are_exact() -> None:
    program, _ = check_text("""
        families = [{ name = "sale", schema = { euros = { type = "decimal", precision = 27, scale = 18 } } }]
        [[meters]]
        name = "euros"
        source = { kind = "family", family = "sale" }
        filter = "has(euros)"
        precision = 12
        aggregate = { fn = "SUM", value = "euros" }
        [[meters.tests]]
        name = "eighteen decimals"
        events = [
          { event_id = "e1", event_time = 2026-01-05T10:00:00Z, euros = 999_999_999.000_000_000_000_499_999 },
          { event_id = "e2", event_time = 2026-01-05T10:00:00Z, euros = 0.000_000_000_000_000_001 },
        ]
        expect = [{ quantity = 999_999_999.000_000_000_001 }]
    """)
    (outcome,) = outcomes(program)
    assert outcome.passed


TWO_FAMILIES = """
    [[families]]
    name = "chat"
    {field}
    [[families]]
    name = "mail"
    [[meters]]
    name = "sent"
    source = {{ kind = "families", families = ["chat", "mail"] }}
    aggregate = {{ fn = "COUNT" }}
    [[meters.tests]]
    name = "an example"
    events = [{{ {key} event_id = "e1", event_time = 2026-01-05T10:00:00Z }}]
    expect = [{{ quantity = 1 }}]
"""


@pytest.mark.parametrize(
    ("field", "key", "fault"),
    [
        ("", 'family = "mail",', None),
        ("", "", 'event 1 does not say its family: add `family = "chat"` or `family = "mail"`'),
        ("", 'family = "post",', 'event 1 does not say its family: add `family = "chat"` or `family = "mail"`'),
        ('schema.family = { type = "string" }', 'family = "smith", meterspec_family = "chat",', None),
        ('schema.family = { type = "string" }', 'family = "mail",', 'add `meterspec_family = "chat"`'),
    ],
)
def test_where_a_meter_reads_several_families_an_event_names_its_own(field: str, key: str, fault: str | None) -> None:
    program, _ = check_text(TWO_FAMILIES.format(field=field, key=key))
    (outcome,) = outcomes(program)
    assert outcome.passed == (fault is None)
    assert fault is None or fault in outcome.faults[0]


def test_what_may_be_a_slip_is_said() -> None:
    text = dedent(CALLS).format(fn="AVG", value='value = "ms",', expect="{}, {}, { quantity = 0.333 }")
    program, _ = check_text(text.replace("ms = 4", "ms = 4, regoin = 'eu'"))
    (outcome,) = outcomes(program)
    assert outcome.notes == (
        "event 4 has `regoin`, which family `api.call` does not declare",
        "no quantity is 0.333: the meter rounds to 2 decimals",
    )


# Many examples at once


LOG = """
    [[families]]
    name = "job"
    schema.size = { type = "float", required = true, min = -100, max = 100 }
    schema.kind = { type = "string", values = ["a", "b"] }

    [[meters]]
    name = "total"
    source = { kind = "family", family = "job" }
    filter = "!has(kind) || kind != 'b' || size > 0.0"
    aggregate = { fn = "SUM", value = "size / 3.0", window = "day", group_by = ["kind"] }

    [[meters]]
    name = "last"
    source = { kind = "family", family = "job" }
    aggregate = { fn = "LAST", value = "size", window = { kind = "lifetime" }, group_by = ["customer_id"] }

    [[meters]]
    name = "ids"
    source = { kind = "family", family = "job" }
    aggregate = { fn = "UNIQUE", value = "event_id", window = { kind = "rolling", duration = "1d" } }
"""


def random_events(seed: int) -> list[dict[str, Any]]:
    """Up to eight events, of few ids and few instants, so that there are repeats, conflicts and ties."""
    choose = random.Random(seed)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    return [
        {
            "event_id": f"e{choose.randrange(5)}",
            "event_time": start + timedelta(hours=12 * choose.randrange(4)),
            "customer_id": choose.choice(["c1", "c2"]),
            "size": Decimal(choose.choice(["0.1", "-7.25", "33", "0.000001"])),
            **({"kind": choose.choice("ab")} if choose.random() < 0.7 else {}),
        }
        for _ in range(choose.randrange(8))
    ]


def with_examples(meter: Meter, logs: list[list[dict[str, Any]]]) -> Meter:
    """The meter with an example for each log, which expects nothing."""
    examples = [
        Example(name=str(n), events=tuple(tuple(e.items()) for e in log), expect=()) for n, log in enumerate(logs)
    ]
    return replace(meter, examples=tuple(examples))


def test_examples_that_are_run_together_give_what_each_would_give_alone() -> None:
    """Many examples with the same ids: each as the reference evaluator computes it by itself."""
    program, _ = check_text(LOG)
    assert program is not None
    logs = {(meter.name, seed): random_events(seed) for meter in program.meters for seed in range(12)}
    meters = tuple(with_examples(meter, [logs[meter.name, seed] for seed in range(12)]) for meter in program.meters)
    found = outcomes(Program(families=program.families, meters=meters))
    assert len(found) == 36
    for outcome, events in zip(found, logs.values(), strict=True):
        lines = [json.dumps(event, default=str) for event in events]
        reading = read(program.families[0], json_rows(lines))
        assert not outcome.faults
        times = [event.time for event in reading.events]
        as_of = moment(max(times, default=0) + 1)
        expected = quantities(program, outcome.meter, {"job": reading.events}, as_of=as_of)
        assert [
            (r.window_start, r.window_end, tuple(v for _, v in r.group), r.quantity, r.events) for r in outcome.rows
        ] == [(q.window_start, q.window_end, q.group, q.quantity, q.events) for q in expected]


@pytest.mark.parametrize("meter", ["total", "ids"])
def test_a_thousand_examples_take_seconds(meter: str) -> None:
    """Also where every one of them ends at an instant of its own."""
    program, _ = check_text(LOG)
    assert program is not None
    start = datetime(2026, 1, 5, tzinfo=UTC)
    logs = [
        [{"event_id": "e1", "event_time": start + timedelta(minutes=n), "customer_id": "c1", "size": Decimal(n % 90)}]
        for n in range(1000)
    ]
    many = with_examples(program.meter(meter), logs)
    began = perf_counter()
    found = outcomes(Program(families=program.families, meters=(many,)))
    assert perf_counter() - began < 60
    assert [len(outcome.rows) for outcome in found] == [1] * 1000


# The command


def test_a_failure_shows_what_was_expected_beside_what_came(tmp_path: Path) -> None:
    missing = '{ customer_id = "c3", window_start = 2026-01-01, quantity = 7 }'
    expect = f'{{ customer_id = "c1", region = "eu", quantity = 3 }}, {missing}, {{ region = "us" }}'
    text = dedent(CALLS).format(fn="COUNT", value="", expect=expect)
    (tmp_path / "meterspec.toml").write_text(text.replace("ms = 4", "ms = 'four'"), encoding="utf-8")
    done = meterspec("test", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "1 test: 0 passed, 1 failed\n"
    assert done.stdout == dedent("""\
        failed: calls: an example
          --> meterspec.toml:14:1
                       customer_id  region  from        to          expected  actual
          -----------  -----------  ------  ----------  ----------  --------  ------
          differs      c1           eu      2026-01-01  2026-02-01         3       2
          missing      c3                   2026-01-01                     7  no row
          as expected  c1           us      2026-01-01  2026-02-01       any       1
          event 4 was rejected: ms is not an integer

    """)


def test_outcomes_as_json(tmp_path: Path) -> None:
    text = dedent(CALLS).format(fn="COUNT", value="", expect='{ region = "eu", quantity = 3.50 }')
    (tmp_path / "meterspec.toml").write_text(text, encoding="utf-8")
    done = meterspec("test", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    (entry,) = document["tests"]
    assert document["summary"] == {"passed": 0, "failed": 1}
    assert {key: entry[key] for key in ("meter", "name", "outcome", "file", "line", "faults")} == {
        "meter": "calls",
        "name": "an example",
        "outcome": "failed",
        "file": "meterspec.toml",
        "line": 14,
        "faults": [],
    }
    assert entry["expected"] == [{"region": "eu", "quantity": "3.5"}]
    assert entry["actual"][0] == {
        "customer_id": "c1",
        "region": "eu",
        "window_start": "2026-01-01T00:00:00Z",
        "window_end": "2026-02-01T00:00:00Z",
        "quantity": "2",
        "events": 2,
    }


def test_a_spec_without_examples_passes_and_says_so() -> None:
    done = meterspec("test", "-", text='families = [{ name = "api.call" }]\n')
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no tests")
    done = meterspec("test", "-", "--format", "json", text='families = [{ name = "api.call" }]\n')
    assert json.loads(done.stdout) == {"summary": {"failed": 0, "passed": 0}, "tests": []}


def test_a_spec_with_errors_is_not_tested() -> None:
    done = meterspec("test", "-", text='families = [{ name = "API call" }]\n')
    assert (done.returncode, done.stdout) == (1, "")
    assert "MS125" in done.stderr
