"""From a number back to its events: they are the right ones, and what they add up to is the number."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from meterspec.cel.evaluate import evaluate
from meterspec.diagnostics import Diagnostics, Failure
from meterspec.ir import Function, Program, Rounding
from meterspec.pricing import Unpriceable
from meterspec.render import Palette, as_json
from meterspec.run import run
from meterspec.statements import trace_json, trace_text
from meterspec.store import find
from meterspec.tracing import Trace, trace
from tests.random_specs import event, spec
from tests.test_invoicing import FAMILY, Event, program_of, used

ONE_VALUE = {Function.LAST, Function.FIRST, Function.MIN, Function.MAX}


def logged(events: list[Event], folder: Path) -> str:
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), encoding="utf-8")
    return str(file)


def rounded(number: Fraction, rounding: Rounding, precision: int) -> Decimal:
    """A number rounded by magnitude, or half to even."""
    size = abs(number) * 10**precision
    floor, rest = size.numerator // size.denominator, size - size.numerator // size.denominator
    up = {
        Rounding.UP: rest > 0,
        Rounding.DOWN: False,
        Rounding.HALF_UP: rest >= Fraction(1, 2),
        Rounding.HALF_EVEN: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
    }[rounding]
    return Decimal((1 if number >= 0 else -1) * (floor + up)).scaleb(-precision)


@pytest.mark.parametrize("seed", range(8))
def test_what_events_add_is_the_number(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    made = spec(draw, 6)
    file = logged([event(draw) for _ in range(150)], tmp_path)
    out = Diagnostics()
    meters = [m for m in made.program.meters if m.aggregate is not None and "customer_id" in m.group_by]
    as_of = datetime(2026, 3, 20, tzinfo=UTC)
    done = run(made.program, find(made.program, [file]), out, as_of=as_of)
    for meter in meters:
        own = [one for one in done.results if one.meter == meter.name and dict(one.group)["customer_id"] is not None]
        for result in draw.sample(own, min(3, len(own))):
            period = (result.window_start, result.window_end)
            if sum(1 for one in own if one.group == result.group and (one.window_start, one.window_end) == period) > 1:
                continue
            found = trace(
                made.program,
                meter,
                find(made.program, [file]),
                out,
                customer=str(dict(result.group)["customer_id"]),
                period=period,
                limit=1000,
                as_of=as_of,
            )
            assert found is not None
            assert (found.start, found.end) == period
            check(found)
    assert not out.found


def check(found: Trace) -> None:
    """Holds the events of a trace to the quantities that it shows."""
    assert found.meter.aggregate is not None
    function = found.meter.aggregate.function
    assert len(found.events) == found.kept or function is Function.TIME_WEIGHTED
    for group in found.groups:
        events = [event for event in found.events if event.group == group.dimensions]
        values = [event.adds for event in events if event.adds is not None]
        if function in ONE_VALUE:
            exact: Fraction | None = values[0]
        elif function is Function.AVG:
            exact = sum(values, Fraction(0)) / len(values)
        else:
            exact = sum(values, Fraction(0)) if events else None
        assert exact == group.exact
        if exact is not None:
            assert rounded(exact, found.meter.rounding, found.meter.precision) == group.quantity
    if function is Function.SUM:
        value = found.meter.aggregate.value
        assert value is not None
        for event in found.events:
            held = dict(event.fields) | dict(event.group) | {"customer_id": found.customer}
            if not any(isinstance(one, datetime) for one in held.values()):
                assert event.adds == evaluate(value, held)  # type: ignore[arg-type]


SPEC = (
    FAMILY
    + """\
[[meters]]
name = "units"
kind = "billing"
filter = "n > 10"
source = { kind = "family", family = "test.use" }
aggregate = { fn = "SUM", value = "n / 3.0", window = "billing_cycle", group_by = ["customer_id", "region"] }
billing = { model = "usage", currency = "EUR", unit_amount = 0.1 }
"""
)


def events_of(*rows: tuple[str, str, int, str | None]) -> list[Event]:
    return [
        {"event_id": str(n), "event_time": f"{day}T00:00:00Z", "customer_id": who, "n": amount, "region": region}
        for n, (who, day, amount, region) in enumerate(rows)
    ]


ROWS = events_of(
    ("a", "2026-01-02", 20, "eu"),
    ("a", "2026-01-03", 40, "eu"),
    ("a", "2026-01-04", 5, "eu"),
    ("a", "2026-01-05", 30, None),
    ("a", "2026-02-05", 60, None),
    ("b", "2026-01-05", 100, None),
)


def traced(program: Program, folder: Path, period: tuple[datetime | None, datetime | None], limit: int = 50) -> Trace:
    file = logged(ROWS, folder)
    found = trace(
        program, program.meter("units"), find(program, [file]), Diagnostics(), customer="a", period=period, limit=limit
    )
    assert found is not None
    return found


def test_a_terminal_reads_it(tmp_path: Path) -> None:
    january = (datetime(2026, 1, 1, tzinfo=UTC), None)
    assert trace_text(traced(program_of(SPEC), tmp_path, january, limit=2), Palette()) == SHOWN


SHOWN = """\
units of a, 2026-01-01 to 2026-02-01
event  time                  region  n               adds
-----  --------------------  ------  --  ----------------
0      2026-01-02T00:00:00Z  eu      20   6.666666666666…
1      2026-01-03T00:00:00Z  eu      40  13.333333333333…
and 1 more: `--limit 3` lists them all
1 in this period is left out by the filter

region  events  exact SUM  rounded half up to 6 decimals
------  ------  ---------  -----------------------------
eu           2         20                             20
-            1         10                             10

line   units    quantity  unit price   EUR
-----  -------  --------  ----------  ----
usage  above 0        30         0.1  3.00
total                                 3.00
"""


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ((None, None), "2026-02-01"),
        ((datetime(2026, 1, 1, tzinfo=UTC), None), "2026-01-01"),
        ((datetime(2026, 1, 17, 5, tzinfo=UTC), None), "2026-01-01"),
        ((datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)), "2026-01-01"),
    ],
)
def test_a_period_is_named_by_its_beginning_an_instant_in_it_or_both_ends(
    period: tuple[datetime | None, datetime | None], expected: str, tmp_path: Path
) -> None:
    start = traced(program_of(SPEC), tmp_path, period).start
    assert start is not None and f"{start:%Y-%m-%d}" == expected


@pytest.mark.parametrize(
    ("customer", "period", "code", "words"),
    [
        ("a", (datetime(2025, 1, 1, tzinfo=UTC), None), "MS031", "2026-01-01/2026-02-01, 2026-02-01/2026-03-01"),
        ("nobody", (None, None), "MS031", "no such customer"),
    ],
)
def test_a_period_that_is_none_is_refused(
    customer: str, period: tuple[datetime | None, datetime | None], code: str, words: str, tmp_path: Path
) -> None:
    program, file = program_of(SPEC), logged(ROWS, tmp_path)
    with pytest.raises(Failure) as refused:
        trace(program, program.meter("units"), find(program, [file]), Diagnostics(), customer=customer, period=period)
    assert refused.value.diagnostic.code == code
    assert words in str(refused.value.diagnostic.hint)


def test_it_ends_in_the_bill_of_the_invoice(tmp_path: Path) -> None:
    found = traced(program_of(SPEC), tmp_path, (datetime(2026, 1, 1, tzinfo=UTC), None))
    assert found.charge is not None and not isinstance(found.charge, Unpriceable)
    assert (found.kept, found.filtered, found.charge.bill.amount) == (3, 1, Decimal("3.00"))
    document = json.loads(as_json(trace_json(found)))
    assert [one["adds"] for one in document["events"]] == ["20/3", "40/3", "10"]
    assert document["bill"]["amount"] == "3.00"


def test_a_meter_without_a_customer_is_refused(tmp_path: Path) -> None:
    program = program_of(SPEC)
    meter = replace(program.meter("units"), group_by=("region",), price=None)
    events = logged(used(random.Random(1)), tmp_path)
    with pytest.raises(Failure, match="does not group by a customer"):
        trace(program, meter, find(program, [events]), Diagnostics(), customer="a", period=(None, None))
