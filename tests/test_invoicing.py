"""Who is invoiced, for which periods, and for what: by rule in tables, at random against the compiled SQL."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from meterspec.backends.sql import AS_OF, CYCLES, DIALECTS, INVOICE_LINES, INVOICES, backend
from meterspec.diagnostics import Diagnostics
from meterspec.events import Anchor, Cycle
from meterspec.invoicing import Invoicing, invoice
from meterspec.ir import FieldType, Program
from meterspec.render import Palette
from meterspec.statements import invoices_json, invoices_text
from meterspec.store import find
from tests.corpus import check_text
from tests.engines import Engine, Row
from tests.random_prices import billing

SEATS = """\
[[families]]
name = "app.login"
schema.user = { type = "string" }

[[meters]]
name = "seats"
kind = "billing"
filter = "has(user)"
source = { kind = "family", family = "app.login" }
aggregate = { fn = "UNIQUE", value = "user", window = "WINDOW", group_by = ["customer_id"] }
[meters.billing]
model = "combined"
currency = "EUR"
base_fee = 10
unit_amount = 2
"""

Event = dict[str, object]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def program_of(text: str) -> Program:
    program, found = check_text(text)
    assert program is not None, found
    return program


def made(
    program: Program, events: list[Event], folder: Path, out: Diagnostics | None = None, **options: object
) -> Invoicing:
    """Invoices of events of the one family."""
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    found = Diagnostics() if out is None else out
    done = invoice(program, find(program, [str(file)]), found, **options)  # type: ignore[arg-type]
    assert out is not None or not found.found, found.found
    return done


def seats(*logins: str) -> list[Event]:
    """Logins as `customer user day`."""
    words = [login.split() for login in logins]
    return [
        {
            "event_id": str(n),
            "event_time": f"{day}T12:00:00Z",
            "customer_id": who,
            "user": None if user == "-" else user,
        }
        for n, (who, user, day) in enumerate(words)
    ]


def shown(done: Invoicing) -> list[str]:
    return [f"{one.customer} {one.start:%m-%d} {one.end:%m-%d} {one.amount}" for one in done.invoices]


@pytest.mark.parametrize(
    ("logins", "cycles", "as_of", "expected"),
    [
        pytest.param(
            ["a u1 2026-01-05", "b u2 2026-03-05"],
            [],
            None,
            ["a 01-01 02-01 12.00", "a 02-01 03-01 10.00", "a 03-01 04-01 10.00", "b 03-01 04-01 12.00"],
            id="from the month of the first event to that of the newest event of anybody, used or not",
        ),
        pytest.param(
            ["a u1 2026-01-05"],
            [],
            "2026-03-01",
            ["a 01-01 02-01 12.00", "a 02-01 03-01 10.00"],
            id="a period is due once it has begun before the as-of instant",
        ),
        pytest.param(
            ["a - 2026-01-05"],
            [],
            None,
            ["a 01-01 02-01 10.00"],
            id="an event that the filter leaves out makes a customer",
        ),
        pytest.param(
            ["a u1 2026-01-05"],
            [("b", "2026-01-10", "2026-02-10"), ("b", "2026-02-10", "2026-03-10")],
            "2026-02-01",
            ["a 01-01 02-01 12.00", "b 01-10 02-10 10.00"],
            id="a customer with cycles needs no event, and a cycle that has not begun is not due",
        ),
        pytest.param(
            ["a u1 2026-01-05", "b u1 2026-04-05"],
            [("a", "2025-12-20", "2026-01-20"), ("a", "2026-01-20", "2026-02-20")],
            None,
            ["a 12-20 01-20 12.00", "a 01-20 02-20 10.00", "b 04-01 05-01 12.00"],
            id="the cycles of a customer say when being one begins and ends",
        ),
        pytest.param(
            ["a u1 2026-01-05", "a u1 2026-03-05"],
            [("a", "2026-01-01", "2026-02-01")],
            None,
            ["a 01-01 02-01 12.00", "a 03-01 04-01 12.00"],
            id="usage outside the cycles is billed by the calendar",
        ),
        pytest.param(
            ["a u1 2026-01-05", "a u2 2026-03-05"],
            [],
            "2026-02-01",
            ["a 01-01 02-01 12.00", "a 03-01 04-01 12.00"],
            id="usage after the as-of instant is not lost",
        ),
    ],
)
def test_every_customer_of_a_period_is_invoiced(
    logins: list[str], cycles: list[tuple[str, str, str]], as_of: str | None, expected: list[str], tmp_path: Path
) -> None:
    listed = [(who, at(start), at(end)) for who, start, end in cycles]
    program = program_of(SEATS.replace("WINDOW", "billing_cycle"))
    moment = at(as_of) if as_of else None
    assert shown(made(program, seats(*logins), tmp_path, cycles=listed, as_of=moment)) == expected


def test_an_anchor_gives_each_customer_cycles_from_the_first_event(tmp_path: Path) -> None:
    program = program_of(SEATS.replace("WINDOW", "billing_cycle"))
    logins = seats("a u1 2026-01-05", "b u1 2026-02-20")
    assert shown(made(program, logins, tmp_path, cycles=Anchor(at("2026-01-15")))) == [
        "a 12-15 01-15 12.00",
        "a 01-15 02-15 10.00",
        "a 02-15 03-15 10.00",
        "b 02-15 03-15 12.00",
    ]


def test_calendar_months_are_due_while_the_cycles_of_a_customer_last(tmp_path: Path) -> None:
    program = program_of(SEATS.replace("WINDOW", "month"))
    listed = [("a", at("2026-01-20"), at("2026-02-20"))]
    logins = seats("a u1 2026-02-05", "b u1 2026-05-05")
    assert shown(made(program, logins, tmp_path, cycles=listed)) == [
        "a 01-01 02-01 10.00",
        "a 02-01 03-01 12.00",
        "b 05-01 06-01 12.00",
    ]


def test_the_periods_that_are_selected_change_no_balance(tmp_path: Path) -> None:
    prepaid = 'model = "prepaid"\ncurrency = "EUR"\ncredits = { pack = 3, price = 5 }'
    text = SEATS.replace("WINDOW", "billing_cycle").partition("[meters.billing]")[0] + "[meters.billing]\n" + prepaid
    logins = seats("a u1 2026-01-05", "a u2 2026-01-06", "a u1 2026-02-05", "a u2 2026-03-05")
    every = made(program_of(text), logins, tmp_path)
    assert shown(every) == ["a 01-01 02-01 5.00", "a 02-01 03-01 0.00", "a 03-01 04-01 5.00"]
    document: Any = invoices_json(every.invoices)
    left = [[(each["meter"], each["balance"]) for each in one["balances"]] for one in document["invoices"]]
    assert left == [[("seats", "1")], [("seats", "0")], [("seats", "2")]]
    said = re.findall(r"units of (\S+) left for the next period: (\d)", invoices_text(every.invoices, Palette()))
    assert said == [pair for one in left for pair in one]
    later = made(program_of(text), logins, tmp_path, begins=(at("2026-02-01"), None))
    assert later.invoices == every.invoices[1:]


def test_usage_without_a_price_leaves_out_that_invoice_and_says_so(tmp_path: Path) -> None:
    text = """\
[[families]]
name = "app.use"
schema.n = { type = "integer", required = true, min = -100, max = 100 }
[[meters]]
name = "units"
kind = "billing"
source = { kind = "family", family = "app.use" }
aggregate = { fn = "SUM", value = "n", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "usage", currency = "EUR", unit_amount = 2 }
"""
    amounts = [("a", -5, "2026-01-05"), ("a", 5, "2026-02-05"), ("b", 1, "2026-01-05")]
    events: list[Event] = [
        {"event_id": str(n), "event_time": f"{day}T00:00:00Z", "customer_id": who, "n": amount}
        for n, (who, amount, day) in enumerate(amounts)
    ]
    out = Diagnostics()
    assert shown(made(program_of(text), events, tmp_path, out)) == ["a 02-01 03-01 10.00", "b 01-01 02-01 2.00"]
    assert [(found.code, found.message, found.hint) for found in out] == [
        (
            "MS440",
            "a quantity of -5 has no price: it is negative",
            "`a` has no invoice from 2026-01-01 to 2026-02-01 because of this usage of `units`",
        )
    ]
    packs = text.replace(
        '"usage", currency = "EUR", unit_amount = 2', '"prepaid", currency = "EUR", credits = { pack = 9, price = 5 }'
    )
    out = Diagnostics()
    assert shown(made(program_of(packs), events, tmp_path, out)) == ["b 01-01 02-01 5.00"]
    assert [found.hint for found in out] == [
        "`a` has no invoice from 2026-01-01 to 2026-02-01 because of this usage of `units`",
        "it was used from 2026-01-01 to 2026-02-01, and no balance is known since; "
        "`a` has no invoice from 2026-02-01 to 2026-03-01 because of this usage of `units`",
    ]


# Who owes, found another way ------------------------------------------------------------------------------------


def months_from(moment: datetime, step: int) -> list[datetime]:
    """Beginnings of months, quarters or years, from the one that an instant is in."""
    first = datetime(moment.year, moment.month - (moment.month - 1) % step, 1, tzinfo=UTC)
    return [
        first.replace(year=first.year + (first.month - 1 + step * n) // 12, month=(first.month - 1 + step * n) % 12 + 1)
        for n in range(30)
    ]


def owed(
    seen: dict[str, list[datetime]], cycles: list[Cycle], as_of: datetime | None, step: int, *, by_cycle: bool
) -> set[tuple[str, datetime, datetime]]:
    """The periods that customers owe for, by the sentences of the page on prices."""
    now = as_of or max(moment for moments in seen.values() for moment in moments) + timedelta(microseconds=1)
    own = {who: [(start, end) for one, start, end in cycles if one == who] for who, _, _ in cycles}
    found = set()
    for who in {*seen, *own}:
        if who in own and by_cycle:
            found |= {(who, start, end) for start, end in own[who] if start < now}
            continue
        first = min(start for start, _ in own[who]) if who in own else min(seen[who])
        last = min(now, max(end for _, end in own[who])) if who in own else now
        if first < last:
            found |= {(who, *pair) for pair in pairwise(months_from(first, step)) if pair[0] < last}
    return found


@pytest.mark.parametrize("seed", range(12))
def test_periods_are_owed_by_the_rules(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    interval, step = draw.choice([("month", 1), ("quarter", 3), ("year", 12)])
    by_cycle = draw.random() < 0.6
    text = SEATS.replace("WINDOW", "billing_cycle" if by_cycle else interval)
    program = program_of(text.replace('currency = "EUR"', f'currency = "EUR"\ninterval = "{interval}"'))
    customers = ["a", "b", "ü", "d"]
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 400 * 86_400)) for _ in range(12)]
    edges = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC) - timedelta(microseconds=1)]
    seen: dict[str, list[datetime]] = {}
    events: list[Event] = []
    for number, moment in enumerate([*moments, *edges]):
        who = draw.choice(customers)
        seen.setdefault(who, []).append(moment)
        events.append({"event_id": str(number), "event_time": moment.isoformat(), "customer_id": who, "user": None})
    listed: list[Cycle] = []
    for who in draw.sample([*customers, "idle"], draw.randint(0, 3)):
        days = sorted(draw.sample(range(450), draw.randint(2, 5)))
        bounds = [datetime(2025, 12, 1, tzinfo=UTC) + timedelta(days=day) for day in days]
        listed += [(who, *pair) for pair in pairwise(bounds) if draw.random() < 0.9]
    as_of = draw.choice([None, draw.choice(edges), datetime(2026, draw.randint(1, 12), 7, tzinfo=UTC)])
    done = made(program, events, tmp_path, cycles=listed, as_of=as_of)
    wanted = owed(seen, listed, as_of, step, by_cycle=by_cycle)
    assert [(one.customer, one.start, one.end) for one in done.invoices] == sorted(wanted)


# The compiled SQL -----------------------------------------------------------------------------------------------

FAMILY = """\
[[families]]
name = "test.use"
schema.n = { type = "integer", required = true, min = -20, max = 1000 }
schema.region = { type = "string", values = ["eu", "us", "é'"] }
schema.size = { type = "integer" }
schema.spot = { type = "boolean" }
"""
FUNCTIONS = ["SUM", "SUM", "COUNT", "UNIQUE", "MAX", "MIN", "LAST", "FIRST", "AVG", "TIME_WEIGHTED"]
SPECS = {"duckdb": 10, "postgres": 4, "clickhouse": 3, "datafusion": 3, "bigquery": 1, "spark": 1}
"""How many specs of four meters each engine computes."""


def spec(draw: random.Random) -> Program:
    """Random billing meters of all functions and windows."""
    accepted: list[str] = []
    while len(accepted) < 4:
        function, rated = draw.choice(FUNCTIONS), draw.random() < 0.6
        groups = '["customer_id", "region", "size", "spot"]' if rated else '["customer_id"]'
        value = "" if function == "COUNT" else ', value = "n"'
        value += ', per = "day"' if function == "TIME_WEIGHTED" else ""
        window = draw.choice(["billing_cycle", "billing_cycle", "month"])
        lines = [
            "[[meters]]",
            f'name = "m{len(accepted)}"',
            'kind = "billing"',
            f"precision = {draw.choice([0, 3])}",
            draw.choice(["", 'filter = "n > 10"']),
            'source = { kind = "family", family = "test.use" }',
            f'aggregate = {{ fn = "{function}"{value}, window = "{window}", group_by = {groups} }}',
            billing(draw, rated=rated),
            "",
        ]
        if check_text(FAMILY + "\n".join(lines))[0] is not None:
            accepted.append("\n".join(lines))
    return program_of(FAMILY + "\n".join(accepted))


def used(draw: random.Random) -> list[Event]:
    events: list[Event] = []
    for number in range(60):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 120 * 86_400))
        event: Event = {"event_id": f"e{number}", "event_time": moment.isoformat(), "n": draw.randint(-20, 1000)}
        event |= {"customer_id": draw.choice(["c1", "c2", "ü"]), "region": draw.choice(["eu", "us", "é'", None])}
        events.append(event | {"size": draw.choice([1, -3, None]), "spot": draw.choice([True, False, None])})
    return events


def key(row: tuple[object, ...]) -> list[str]:
    return [f"{value.normalize():f}" if isinstance(value, Decimal) else str(value) for value in row]


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.xdist_group(name))
        for name, specs in SPECS.items()
        for seed in range(specs)
    ],
)
def test_invoices_are_the_same_as_sql(
    name: str, seed: int, start_engine: Callable[[str], Engine], tmp_path: Path
) -> None:
    draw, engine = random.Random(seed), start_engine(name)
    program, events = spec(draw), used(draw)
    days = sorted(draw.sample(range(150), 3))
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in days]
    listed: list[Cycle] = [(who, *pair) for who in ("c1", "idle") for pair in pairwise(moments)]
    as_of = draw.choice([None, datetime(2026, draw.randint(1, 6), 3, tzinfo=UTC)])
    out = Diagnostics()
    done = made(program, events, tmp_path, out, cycles=listed, as_of=as_of)

    dialect, (family,) = DIALECTS[engine.name], program.families
    texts = {artifact.path.name: artifact.text for artifact in backend(engine.name).emit(program)}
    for script in ("inputs.sql", "families.sql", "meters.sql", "invoices.sql"):
        engine.script(texts[script])
    columns = {field.name: dialect.column_type(field) for field in family.fields}
    times = [datetime.fromisoformat(str(event["event_time"])) for event in events]
    raw: list[Row] = [
        tuple(time if one == "event_time" else event[one] for one in columns)  # type: ignore[misc]
        for event, time in zip(events, times, strict=True)
    ]
    engine.insert(".".join(family.raw), columns, raw)
    string, instant = dialect.types[FieldType.STRING], dialect.types[FieldType.TIMESTAMP]
    engine.insert(CYCLES, {"customer_id": string, "cycle_start": instant, "cycle_end": instant}, [*listed])
    needed = as_of or (max(times) + timedelta(microseconds=1) if draw.random() < 0.5 else None)
    if needed is not None:
        engine.insert(AS_OF, {"as_of": instant}, [(needed,)])
    elif any(m.aggregate is not None and m.aggregate.per is not None for m in program.meters):
        engine.insert(AS_OF, {"as_of": instant}, [(max(times) + timedelta(microseconds=1),)])

    head = ("customer_id", "period_start", "period_end", "currency")
    numbers = ("from", "to", "quantity", "unit_amount", "amount")
    selected = ", ".join(engine.quoted(one) for one in (*head, "meter", "line", "kind", *numbers, "finding"))
    rows = engine.query(f"SELECT {selected} FROM {engine.quoted(INVOICE_LINES)}")
    found = {tuple(map(str, row[:4])) for row in rows if row[-1] is not None}
    wanted = []
    for one in done.invoices:
        own = (one.customer, one.start, one.end, one.currency)
        for charge in one.charges:
            for line in charge.bill.lines:
                figures = (line.start, line.end, line.quantity, line.unit_amount, line.amount)
                wanted.append((*own, charge.meter.name, line.kind.value, *figures))
    lines = [(*row[:5], *row[6:-1]) for row in rows if tuple(map(str, row[:4])) not in found]
    assert sorted(map(key, lines)) == sorted(map(key, wanted))
    assert len(out.found) == sum(row[-1] is not None for row in rows)
    assert {found.code for found in out} == {row[-1] for row in rows if row[-1] is not None}
    selected = ", ".join(engine.quoted(one) for one in (*head, "amount"))
    sums = engine.query(f"SELECT {selected} FROM {engine.quoted(INVOICES)}")
    totals = [(one.customer, one.start, one.end, one.currency, one.amount) for one in done.invoices]
    assert sorted(key(row) for row in sums if row[-1] is not None) == sorted(map(key, totals))
    assert {tuple(map(str, row[:4])) for row in sums if row[-1] is None} == found
