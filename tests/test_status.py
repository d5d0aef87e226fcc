"""`status`: what is used, what is left, and who is to be told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.commands import status as command
from meterspec.diagnostics import Diagnostics, Failure
from meterspec.events import EventFiles
from meterspec.status import Standing, standings
from tests.corpus import check_text

D = Decimal
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
Event = dict[str, Any]


def spec(
    billing: str,
    *,
    aggregate: str = 'fn = "SUM", value = "units"',
    groups: str = '["customer_id"]',
    window: str = '"billing_cycle"',
) -> str:
    return f"""
        [[families]]
        name = "use"
        schema.units = {{ type = "decimal", required = true, scale = 3, min = 0, max = 1_000_000 }}
        schema.region = {{ type = "string", required = true }}

        [[meters]]
        name = "used"
        kind = "billing"
        precision = 3
        source = {{ kind = "family", family = "use" }}
        aggregate = {{ {aggregate}, window = {window}, group_by = {groups} }}

        [meters.billing]
        currency = "EUR"
        {billing}
    """


def use(customer: str, at: datetime, units: str = "1", region: str = "eu") -> Event:
    return {"event_time": at.isoformat(), "customer_id": customer, "units": units, "region": region}


def write(folder: Path, events: Sequence[Event]) -> Path:
    path = folder / "events.jsonl"
    rows = [json.dumps({"event_id": str(number), **event}) for number, event in enumerate(events)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def standing(folder: Path, text: str, events: Sequence[Event], as_of: datetime | None = None) -> list[Standing]:
    program, found = check_text(text)
    assert program is not None, found
    out = Diagnostics()
    files = [EventFiles(program.families[0], (write(folder, events),))]
    stands, _ = standings(program, files, out, as_of=as_of)
    assert not out.has_errors, list(out)
    return stands


CAPPED = spec(
    'model = "usage"\nunit_amount = 1\nlimit = 10\nbrim_at = 5\non_brim = "mail"\non_dry = "stop"',
)


@pytest.mark.parametrize(
    ("used", "remaining", "level", "hooks"),
    [
        ("4.999", "5.001", "on_tap", ()),
        ("5", "5", "spill", ("mail",)),
        ("9.999", "0.001", "spill", ("mail",)),
        ("10", "0", "dry", ("mail", "stop")),
        ("12", "0", "dry", ("mail", "stop")),
    ],
)
def test_levels(tmp_path: Path, used: str, remaining: str, level: str, hooks: tuple[str, ...]) -> None:
    (found,) = standing(tmp_path, CAPPED, [use("a", FEBRUARY, used)])
    assert (found.used, found.remaining) == (D(used), D(remaining))
    assert (found.status.value, found.hooks) == (level, hooks)


def test_the_period_is_the_one_that_is_open(tmp_path: Path) -> None:
    """Of January nothing counts in February, and a customer of January alone has used nothing."""
    before = FEBRUARY - timedelta(microseconds=1)
    events = [use("a", before, "7"), use("b", before, "6"), use("a", FEBRUARY, "2")]
    found = standing(tmp_path, CAPPED, events)
    assert [(one.customer, one.used, one.period) for one in found] == [
        ("a", D(2), (FEBRUARY, datetime(2026, 3, 1, tzinfo=UTC))),
        ("b", D(0), None),
    ]


@pytest.mark.parametrize(
    ("as_of", "used"),
    [
        (FEBRUARY + timedelta(hours=2, microseconds=1), [("a", D(5))]),
        (FEBRUARY + timedelta(hours=2), [("a", D(2))]),
        (FEBRUARY, [("a", D(0))]),
        (FEBRUARY - timedelta(microseconds=1), [("a", D(7))]),
    ],
)
def test_what_comes_from_the_as_of_instant_on_counts_nowhere(
    tmp_path: Path, as_of: datetime, used: list[tuple[str, Decimal]]
) -> None:
    hour = timedelta(hours=1)
    events = [use("a", FEBRUARY - hour, "7"), use("a", FEBRUARY + hour, "2"), use("a", FEBRUARY + 2 * hour, "3")]
    events.append(use("later", FEBRUARY + 3 * hour, "9"))
    assert [(one.customer, one.used) for one in standing(tmp_path, CAPPED, events, as_of)] == used


@pytest.mark.parametrize(
    ("aggregate", "used"),
    [
        ('fn = "SUM", value = "units"', "6"),
        ('fn = "COUNT"', "3"),
        ('fn = "MAX", value = "units"', "3"),
        ('fn = "AVG", value = "units"', "2"),
        ('fn = "UNIQUE", value = "region"', "2"),
    ],
)
def test_a_customer_is_one_whatever_else_the_meter_groups_by(tmp_path: Path, aggregate: str, used: str) -> None:
    text = spec('model = "flat"\nbase_fee = 1\nlimit = 100', aggregate=aggregate, groups='["customer_id", "region"]')
    events = [use("a", FEBRUARY, "1", "eu"), use("a", FEBRUARY, "2", "us"), use("a", FEBRUARY, "3", "us")]
    (found,) = standing(tmp_path, text, events)
    assert found.used == D(used)


SHORT = """
    [meter.tokens]
    kind = "{kind}"
    {window}
    brim_at = 5
"""


@pytest.mark.parametrize(
    ("kind", "window", "used"),
    [
        ("counter", 'window = "hour"', "2"),
        ("counter", 'window = { kind = "rolling", duration = "2h" }', "6"),
        ("counter", 'window = { kind = "rolling", duration = "2h", every = "hour" }', "6"),
        ("counter", 'window = { kind = "lifetime" }', "14"),
        ("gauge", 'window = "1m"', "2"),
    ],
)
def test_every_window_has_one_that_is_open(tmp_path: Path, kind: str, window: str, used: str) -> None:
    hours = [(8, 0), (4, 119), (2, 180)]
    events = [
        {"at": (FEBRUARY + timedelta(minutes=minutes)).isoformat(), "customer_id": "a", "qty": quantity}
        for quantity, minutes in hours
    ]
    (found,) = standing(tmp_path, SHORT.format(kind=kind, window=window), events)
    assert (found.used, found.remaining) == (D(used), None)


# Prepaid units


def bought_and_left(uses: Sequence[tuple[int, Decimal]], pack: int, refill: int) -> list[tuple[int, Decimal, Decimal]]:
    """The packs bought in each month for uses one after the other, as a till would do it, and what is left of them."""
    lots: list[tuple[int, list[Decimal]]] = []
    for month, units in uses:
        due = units
        while True:
            for _, left in lots:
                taken = min(left[0], due)
                left[0] -= taken
                due -= taken
            if due == 0 and sum((left[0] for _, left in lots), D(0)) >= refill:
                break
            lots.append((month, [D(pack)]))
    months = sorted({month for month, _ in lots})
    of = {month: [left[0] for bought, left in lots if bought == month] for month in months}
    return [(month, D(pack) * len(of[month]), sum(of[month], D(0))) for month in months]


@settings(max_examples=25, deadline=None)
@given(
    uses=st.lists(st.tuples(st.integers(0, 80), st.decimals(0, 250, places=3)), min_size=1, max_size=6),
    pack=st.sampled_from([10, 100]),
    refill=st.sampled_from([0, 7, 100]),
)
def test_the_oldest_pack_is_drawn_first(
    tmp_path_factory: pytest.TempPathFactory, uses: list[tuple[int, Decimal]], pack: int, refill: int
) -> None:
    text = spec(f'model = "prepaid"\ncredits = {{ pack = {pack}, price = 5, refill_below = {refill} }}')
    dated = [(FEBRUARY + timedelta(days=days), units) for days, units in sorted(uses)]
    events = [use("a", at, str(units)) for at, units in dated]
    (found,) = standing(tmp_path_factory.mktemp("status"), text, events)
    lots = bought_and_left([(at.month, units) for at, units in dated], pack, refill)
    assert found.grants is not None
    assert [(grant.period_start.month, grant.units, grant.left) for grant in found.grants] == lots
    assert found.credits == found.remaining == sum((left for _, _, left in lots), D(0))
    assert found.status.value == ("dry" if found.credits == 0 else "on_tap")


def test_grants_of_two_periods_and_the_hook_of_low_credits(tmp_path: Path) -> None:
    text = spec('model = "prepaid"\ncredits = { pack = 100, price = 5, refill_below = 10 }\non_low = "sell"')
    january = FEBRUARY - timedelta(days=20)
    first = standing(tmp_path, text, [use("a", january, "60")])
    assert [(grant.units, grant.left) for one in first for grant in one.grants or ()] == [(D(100), D(40))]
    assert first[0].hooks == ("sell",)
    second = standing(tmp_path, text, [use("a", january, "60"), use("a", FEBRUARY, "5")])
    assert second[0].hooks == ()
    (third,) = standing(tmp_path, text, [use("a", january, "60"), use("a", FEBRUARY, "35")])
    assert third.grants is not None
    assert [(grant.period_start.month, grant.units, grant.left) for grant in third.grants] == [
        (1, D(100), D(5)),
        (2, D(100), D(100)),
    ]
    assert third.hooks == ("sell",)


@pytest.mark.parametrize(
    ("aggregate", "left"),
    [
        ('fn = "SUM", value = "units"', "94"),
        ('fn = "UNIQUE", value = "region"', "98"),
        ('fn = "MAX", value = "units"', "97"),
    ],
)
def test_credits_are_drawn_by_all_groups_of_a_customer(tmp_path: Path, aggregate: str, left: str) -> None:
    credits_ = 'model = "prepaid"\ncredits = { pack = 100, price = 5 }'
    text = spec(credits_, aggregate=aggregate, groups='["customer_id", "region"]')
    events = [use("a", FEBRUARY, "1", "eu"), use("a", FEBRUARY, "2", "us"), use("a", FEBRUARY, "3", "us")]
    (found,) = standing(tmp_path, text, events)
    assert found.credits == D(left)


def test_usage_that_no_credits_can_pay_for_says_whose_it_is(tmp_path: Path) -> None:
    text = spec('model = "prepaid"\ncredits = { pack = 9, price = 5 }').replace("min = 0", "min = -9")
    program, _ = check_text(text)
    assert program is not None
    out = Diagnostics()
    files = [EventFiles(program.families[0], (write(tmp_path, [use("acme", FEBRUARY, "-5")]),))]
    standings(program, files, out)
    assert [(found.code, found.hint) for found in out] == [
        ("MS440", "`acme` used it in the period from 2026-02-01, and no balance is known since")
    ]


def test_a_limit_beside_credits_ends_where_the_first_of_them_does(tmp_path: Path) -> None:
    text = spec('model = "prepaid"\ncredits = { pack = 100, price = 5 }\nlimit = 70')
    (found,) = standing(tmp_path, text, [use("a", FEBRUARY, "60")])
    assert (found.credits, found.remaining, found.status.value) == (D(40), D(10), "on_tap")


def test_no_digit_is_lost(tmp_path: Path) -> None:
    billing = 'model = "prepaid"\ncredits = { pack = 99_999_999_999_999_999_999_999_999.5, price = 5 }'
    text = spec(billing, aggregate='fn = "MAX", value = "units"').replace("precision = 3", "precision = 12")
    (found,) = standing(tmp_path, text, [use("a", FEBRUARY, "0.001")])
    assert found.credits == found.remaining == D("99999999999999999999999999.499")


# The command


def test_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "meterspec.toml"
    path.write_text(CAPPED, encoding="utf-8")
    events = write(tmp_path, [use("a", FEBRUARY, "6.500"), use("b", FEBRUARY, "1")])
    command.status([str(path)], [str(events)], "a", None, (None, None), "json", None)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "as_of": "2026-02-01T00:00:00.000001Z",
        "status": [
            {
                "customer_id": "a",
                "meter": "used",
                "unit": None,
                "period_start": "2026-02-01T00:00:00Z",
                "period_end": "2026-03-01T00:00:00Z",
                "used": "6.5",
                "limit": "10",
                "brim_at": "5",
                "credits": None,
                "grants": None,
                "remaining": "3.5",
                "status": "spill",
                "hooks": ["mail"],
            }
        ],
    }
    assert printed.err == "as of 2026-02-01T00:00:00.000001Z, just after the newest event\n"


def test_a_spec_without_a_cap_says_so(tmp_path: Path) -> None:
    path = tmp_path / "meterspec.toml"
    path.write_text(spec('model = "usage"\nunit_amount = 1'), encoding="utf-8")
    with pytest.raises(Failure) as failure:
        command.status([str(path)], ["events.jsonl"], None, None, (None, None), "table", None)
    assert failure.value.diagnostic.code == "MS027"
