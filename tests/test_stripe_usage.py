"""The usage export: what Stripe makes of its rows is what meterspec bills, and every row is one that Stripe takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import pairwise
from random import Random

import duckdb
import pytest
import sqlglot
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.backends.sql import DIALECTS
from meterspec.backends.stripe import Usage, document
from meterspec.diagnostics import Diagnostics
from meterspec.ir import FieldType
from meterspec.pipeline import compile_program
from meterspec.pricing import price_usage
from meterspec.stripe_account import apply, connect, plan
from meterspec.stripe_account.client import BASE_VARIABLE, KEY_VARIABLE
from tests.conftest import ROOT
from tests.corpus import check_text
from tests.engines import ENGINES, Engine, Row
from tests.engines.duckdb import DuckDB
from tests.stripe_server import StripeServer
from tests.stripe_server.client import post

SPEC = """
[[families]]
name = "job"
schema.ms = { type = "integer", required = true, min = -1_000_000, max = 1_000_000_000 }
schema.load = { type = "decimal", required = true, precision = 9, scale = 3, min = 0, max = 1000 }
schema.region = { type = "string", required = true, values = ["eu", "us"] }
schema.model = { type = "string" }
"""

METER = """
[[meters]]
name = "{name}"
kind = "billing"
precision = {precision}
rounding = "{rounding}"
{filter}
source = {{ kind = "family", family = "job" }}
aggregate = {{ fn = "{function}"{value}, window = "{window}", group_by = ["customer_id"{groups}] }}
billing = {{ model = "usage", currency = "EUR", unit_amount = 0.01 }}
"""


def meter(
    name: str,
    function: str,
    value: str = "",
    *,
    precision: int = 6,
    rounding: str = "half_up",
    filter: str = "",
    window: str = "billing_cycle",
    groups: str = "",
) -> str:
    return METER.format(
        name=name,
        function=function,
        value=f", {value}" if value else "",
        precision=precision,
        rounding=rounding,
        filter=f'filter = "{filter}"' if filter else "",
        window=window,
        groups=groups,
    )


REGION = ', "region"'
METERS = {
    "jobs": meter("jobs", "COUNT", filter="region == 'eu'"),
    "jobs-by-region": meter("jobs-by-region", "COUNT", groups=REGION, window="month"),
    "seconds": meter("seconds", "SUM", 'value = "ms / 1000.0"'),
    "hours": meter("hours", "SUM", 'value = "ms / 3600000.0"', precision=2),
    "hours-even": meter("hours-even", "SUM", 'value = "ms / 3600000.0"', precision=3, rounding="half_even"),
    "hours-up": meter("hours-up", "SUM", 'value = "ms / 3600000.0"', precision=0, rounding="up", groups=REGION),
    "peak": meter("peak", "MAX", 'value = "load"'),
    "least": meter("least", "MIN", 'value = "load"'),
    "mean": meter("mean", "AVG", 'value = "load"', precision=12),
    "models": meter("models", "UNIQUE", 'value = "model"'),
    "newest": meter("newest", "LAST", 'value = "load"', filter="region == 'us'"),
    "oldest": meter("oldest", "FIRST", 'value = "load"'),
    "held": meter("held", "TIME_WEIGHTED", 'value = "load", per = "hour"', groups=REGION),
}


@cache
def compiled(text: str, usage: str = "event", dialect: str = "duckdb") -> dict[str, str]:
    """The scripts of a spec by name."""
    program, found = check_text(text)
    assert program is not None, found
    out = Diagnostics()
    artifacts = compile_program(program, [], out, dialects=(dialect,), stripe_usage=usage)
    assert not out.has_errors, [each.message for each in out]
    return {str(artifact.path): artifact.text for artifact in artifacts if artifact.path.suffix == ".sql"}


@dataclass(frozen=True)
class Job:
    id: str
    time: datetime
    customer: str
    ms: int = 0
    load: Decimal = Decimal(0)
    region: str = "eu"
    model: str | None = None


NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@contextmanager
def loaded(
    text: str,
    jobs: Sequence[Job],
    usage: str = "event",
    as_of: datetime = NOW,
    cycles: Sequence[tuple[str, datetime, datetime]] = (),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine that has the views of a spec, events, and customers whose ids at Stripe begin with `cus_`."""
    scripts = compiled(text, usage)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in ("sql/duckdb/inputs.sql", "sql/duckdb/families.sql", "sql/duckdb/meters.sql"):
            connection.execute(scripts[name])
        connection.execute(scripts["stripe/usage_export/duckdb.sql"])
        connection.execute("INSERT INTO meterspec_as_of VALUES (?)", [as_of])
        for cycle in cycles:
            connection.execute("INSERT INTO billing_cycles VALUES (?, ?, ?)", list(cycle))
        for job in jobs:
            row = [job.id, job.time, job.customer, job.ms, job.load, job.region, job.model]
            names = "event_id, event_time, customer_id, ms, load, region, model"
            connection.execute(f"INSERT INTO raw_job ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for customer in sorted({job.customer for job in jobs}):
            connection.execute("INSERT INTO stripe_customers VALUES (?, ?)", [customer, f"cus_{customer}"])
        yield connection


Sent = tuple[str, str, int, str | None, str, str, str | None]


def sent(connection: duckdb.DuckDBPyConnection, name: str) -> list[Sent]:
    """The rows of a meter's export, in the order of time."""
    view = f"meterspec_stripe_{name.replace('-', '_')}"
    columns = "identifier, event_name, timestamp, stripe_customer_id, value, customer_id, reject_reason"
    rows: list[Sent] = connection.execute(f"SELECT {columns} FROM {view} ORDER BY timestamp, identifier").fetchall()
    return rows


def billed(connection: duckdb.DuckDBPyConnection, name: str) -> dict[tuple[str, datetime], Decimal]:
    """What meterspec bills, by customer and period."""
    view = name.replace("-", "_")
    rows = connection.execute(
        f"SELECT customer_id, epoch_us(window_start) // 1000000, sum(quantity) FROM {view}, meterspec_as_of "
        "WHERE window_start < as_of GROUP BY ALL"
    ).fetchall()
    return {(who, datetime.fromtimestamp(start, UTC)): quantity or Decimal(0) for who, start, quantity in rows}


def period(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def at_stripe(rows: Sequence[Sent], name: str, usage: str) -> dict[tuple[str, datetime], Decimal]:
    """What Stripe makes of meter events: the sum of them, or the last; of a day's, the newest alone counts."""
    events: dict[tuple[str, datetime], list[tuple[int, Decimal]]] = {}
    for _, _, timestamp, stripe_customer, value, _, reason in rows:
        assert reason is None
        assert stripe_customer is not None
        at = datetime.fromtimestamp(timestamp, UTC)
        events.setdefault((stripe_customer.removeprefix("cus_"), period(at)), []).append((timestamp, Decimal(value)))
    if name not in {"jobs", "jobs-by-region", "seconds", "hours", "hours-even", "hours-up"}:
        return {key: max(values)[1] for key, values in events.items()}
    if usage == "day":
        for values in events.values():
            assert len({timestamp // 86_400 for timestamp, _ in values}) == len(values), "one a day"
    return {key: sum((value for _, value in values), Decimal(0)) for key, values in events.items()}


@st.composite
def jobs(draw: st.DrawFn) -> list[Job]:
    """Events of two customers around the turn of a month, some at one instant, up to the as-of instant."""
    count = draw(st.integers(1, 12))
    instants = st.integers(0, 20 * 86_400 * 4).map(lambda quarter: NOW - timedelta(milliseconds=250 * quarter + 1))
    return [
        Job(
            id=f"j{number}",
            time=draw(instants),
            customer=draw(st.sampled_from(["a", "b"])),
            ms=draw(st.integers(-3_000, 4_000) | st.integers(0, 1_000_000_000)),
            load=draw(st.decimals(0, 1000, places=3)),
            region=draw(st.sampled_from(["eu", "us"])),
            model=draw(st.none() | st.sampled_from(["s", "m"])),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("usage", ["event", "day"])
@settings(max_examples=8, deadline=None)
@given(events=jobs())
def test_what_stripe_makes_of_the_rows_is_what_is_billed(usage: str, events: list[Job]) -> None:
    with loaded(SPEC + "".join(METERS.values()), events, usage) as connection:
        for name in METERS:
            rows = sent(connection, name)
            made = at_stripe(rows, name, usage)
            assert made == billed(connection, name), name
            identifiers = [row[0] for row in rows]
            assert len(set(identifiers)) == len(identifiers)
            assert all(re.fullmatch("[0-9a-f]{64}", identifier) for identifier in identifiers)
            assert all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", row[4]) for row in rows)
            assert sent(connection, name) == rows


def test_an_event_is_told_from_others_by_its_id_and_its_meter() -> None:
    job = Job("j1", NOW - timedelta(days=1), "a", ms=90)
    with loaded(SPEC + METERS["seconds"], [job]) as connection:
        ((identifier, event, timestamp, customer, value, who, reason),) = sent(connection, "seconds")
    assert identifier == sha256(b"meterspec:seconds:event:0:j1").hexdigest()
    assert (event, timestamp) == ("seconds", int(job.time.timestamp()))
    assert (customer, value, who, reason) == ("cus_a", "0.09", "a", None)


def test_a_total_that_a_later_one_replaces_has_an_identifier_of_its_own() -> None:
    """An identifier that comes again is dropped, so that a total which was sent before could never come back."""
    day = datetime(2026, 3, 9, tzinfo=UTC)
    job, late = Job("j1", day, "a", ms=90), Job("j2", day, "a", ms=10)
    seen = set()
    for known, as_of in (([job], NOW), ([job, late], NOW), ([job], NOW + timedelta(hours=1))):
        with loaded(SPEC + METERS["seconds"], known, "day", as_of) as connection:
            seen.add(sent(connection, "seconds")[0][0])
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("job", "usage", "expected"),
    [
        (Job("j1", NOW - timedelta(days=35), "a", ms=1), "event", "older than 35 days"),
        (Job("j1", NOW - timedelta(days=35) + timedelta(microseconds=1), "a", ms=1), "event", None),
        (Job("j1", NOW - timedelta(days=1), "nobody", ms=1), "event", "customer not in stripe_customers"),
        (Job("j1", NOW - timedelta(days=1), "twice", ms=1), "event", "customer twice in stripe_customers"),
        (Job("j1", NOW - timedelta(days=1), "empty", ms=1), "event", "customer not in stripe_customers"),
        (Job("j1", NOW - timedelta(days=1), "one", ms=1), "event", "id of another customer too in stripe_customers"),
        (Job("j1", NOW - timedelta(days=1), "one", ms=1), "day", "id of another customer too in stripe_customers"),
        (Job("j1", NOW - timedelta(days=1), "odd", ms=1), "event", "period not at a full second"),
        (Job("j1", NOW - timedelta(days=1), "odd", ms=1), "day", "period not at midnight UTC"),
        (Job("j1", NOW - timedelta(days=1), "noon", ms=1), "day", "period not at midnight UTC"),
        (Job("j1", NOW - timedelta(days=1), "noon", ms=1), "event", None),
    ],
)
def test_a_row_that_stripe_would_not_take_says_why(job: Job, usage: str, expected: str | None) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    cycles = [
        ("noon", start, start + timedelta(days=30)),
        ("odd", start + timedelta(milliseconds=1), start + timedelta(days=30)),
    ]
    with loaded(SPEC + METERS["seconds"], [job], usage, cycles=cycles) as connection:
        connection.execute("DELETE FROM stripe_customers WHERE customer_id = 'nobody'")
        connection.execute("UPDATE stripe_customers SET stripe_customer_id = '' WHERE customer_id = 'empty'")
        connection.execute("INSERT INTO stripe_customers VALUES ('twice', 'cus_other'), ('twice', NULL)")
        connection.execute("INSERT INTO stripe_customers VALUES ('two', 'cus_one')")
        (row,) = sent(connection, "seconds")
    assert row[6] == expected


@pytest.mark.parametrize(
    ("value", "shown", "expected"),
    [
        ("123456789012.345", "123456789012.345", None),
        ("123456789012.3456", "123456789012.3456", "more than 15 digits"),
        ("1000000000000000", "1000000000000000", "more than 15 digits"),
        ("100000000000000", "100000000000000", None),
        ("0.000001", "0.000001", None),
    ],
)
def test_a_value_of_more_than_fifteen_digits_is_not_sent(value: str, shown: str, expected: str | None) -> None:
    text = """
        [[families]]
        name = "job"
        schema.ms = { type = "integer" }
        schema.load = { type = "decimal", required = true, precision = 24, scale = 6, min = 0, max = 1e16 }
        schema.region = { type = "string" }
        schema.model = { type = "string" }
    """
    job = Job("j1", NOW - timedelta(days=1), "a", load=Decimal(value))
    for function in ("SUM", "MAX"):
        with loaded(text + meter("used", function, 'value = "load"'), [job]) as connection:
            (row,) = sent(connection, "used")
        assert (row[4], row[6]) == (shown, expected)


SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.mark.parametrize("length", [SECOND, 90 * SECOND, HOUR, 36 * HOUR, 365 * 24 * HOUR], ids=str)
def test_the_timestamp_of_a_running_value_rises_with_the_as_of_instant(length: timedelta) -> None:
    """Within the period, and never twice the same where the instants are far enough apart: what is greatest counts."""
    end = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
    start, slow = end - length, max(end - length, end - HOUR)
    steps = [timedelta(microseconds=1), SECOND, 72 * SECOND, 73 * SECOND, HOUR, 24 * HOUR, 71 * HOUR, 73 * HOUR]
    instants = sorted(({base + step for base in (start, slow, end) for step in steps} | {slow, end}) - {start})
    told: dict[datetime, int] = {}
    with loaded(SPEC + METERS["peak"], [Job("j1", start, "a")], cycles=[("a", start, end)]) as connection:
        for as_of in instants:
            connection.execute("UPDATE meterspec_as_of SET as_of = ?", [as_of])
            ((_, _, told[as_of], *_),) = sent(connection, "peak")
    assert all(start.timestamp() <= at < end.timestamp() and at <= as_of.timestamp() for as_of, at in told.items())
    assert list(told.values()) == sorted(told.values())
    room = slow + 73 * (end - slow)
    for one, two in pairwise(instants):
        apart = two - one >= (SECOND if two <= slow else 73 * SECOND)
        assert not apart or two > room or told[one] < told[two], (one, two)


def test_an_event_after_the_as_of_instant_waits_for_the_next_export() -> None:
    with loaded(SPEC + METERS["seconds"] + METERS["jobs"], [Job("j1", NOW, "a", ms=90)]) as connection:
        assert sent(connection, "seconds") == [] == sent(connection, "jobs")


def test_a_late_event_is_told_by_the_day_that_it_changes() -> None:
    """The total of its day is sent anew and replaces the old one, at any time within the 35 days."""
    day = datetime(2026, 3, 9, 10, tzinfo=UTC)
    first, late = Job("j1", day, "a", ms=1_800_000), Job("j0", day - timedelta(days=1), "a", ms=5_400_000)
    with loaded(SPEC + METERS["hours"], [first], "day") as connection:
        assert [row[4] for row in sent(connection, "hours")] == ["0.5"]
    with loaded(SPEC + METERS["hours"], [first, late], "day") as connection:
        assert [row[4] for row in sent(connection, "hours")] == ["1.5", "0.5"]


@pytest.mark.parametrize("usage", ["event", "day"])
@pytest.mark.parametrize("dialect", [name for name, dialect in DIALECTS.items() if dialect.has_decimals])
def test_every_dialect_has_an_export(dialect: str, usage: str) -> None:
    """What is printed can be read again, and the hash is there under the dialect's own name."""
    text = compiled(SPEC + "".join(METERS.values()), usage, dialect)[f"stripe/usage_export/{dialect}.sql"]
    printer = DIALECTS[dialect].printer
    statements = [one for one in sqlglot.parse(text, dialect=printer) if one is not None]
    assert len(statements) == 3 + len(METERS)


EVERYWHERE = ("jobs", "seconds", "hours", "hours-even", "hours-up", "peak", "mean", "models", "newest")
COLUMNS = ("identifier", "event_name", "timestamp", "stripe_customer_id", "value", "customer_id", "reject_reason")


WITH_AN_EXPORT = [name for name in ENGINES if DIALECTS[name].has_decimals]


@pytest.mark.parametrize("usage", ["event", "day"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in WITH_AN_EXPORT])
def test_every_engine_exports_the_same_rows(name: str, usage: str, start_engine: Callable[[str], Engine]) -> None:
    """Identifiers, values and reasons are texts, so that they are the same to the last character."""
    engine = start_engine(name)
    text = SPEC + "".join(METERS[name] for name in EVERYWHERE)
    random, day = Random(11), timedelta(days=1)
    jobs = [
        Job(
            id=f"j-{number}-\u00e9",
            time=NOW - timedelta(microseconds=random.randrange(40 * 86_400_000_000) + 1),
            customer=random.choice(["a", "b", "\u00fc's", "nobody"]),
            ms=random.choice([0, 1, -1, 999_999_999, random.randrange(-1_000_000, 1_000_000_000)]),
            load=Decimal(random.randrange(1_000_001)).scaleb(-3),
            region=random.choice(["eu", "us"]),
            model=random.choice(["s", "m", None]),
        )
        for number in range(60)
    ]
    known = [("a", "cus_a"), ("b", "cus_b"), ("b", "cus_other"), ("\u00fc's", "cus_u")]
    cycles = [("a", NOW - 30 * day, NOW + day), ("b", NOW - 12 * day - timedelta(hours=12), NOW + timedelta(hours=12))]
    columns = ["event_id", "event_time", "customer_id", "ms", "load", "region", "model"]
    rows: dict[str, list[list[Row]]] = {}
    for one in (engine, DuckDB()):
        dialect = DIALECTS[one.name]
        if one is not engine:
            one.start()
        scripts = compiled(text, usage, one.name)
        string, instant = dialect.types[FieldType.STRING], dialect.types[FieldType.TIMESTAMP]
        for name in (f"sql/{one.name}/inputs.sql", f"sql/{one.name}/families.sql", f"sql/{one.name}/meters.sql"):
            one.script(scripts[name])
        one.script(scripts[f"stripe/usage_export/{one.name}.sql"])
        kinds = dict(zip(columns, [string, instant, string, dialect.narrow, "", string, string], strict=True))
        kinds["load"] = dialect.decimal_type(9, 3)
        one.insert("raw_job", kinds, [(j.id, j.time, j.customer, j.ms, j.load, j.region, j.model) for j in jobs])
        one.insert("stripe_customers", {"customer_id": string, "stripe_customer_id": string}, known)
        one.insert("meterspec_as_of", {"as_of": instant}, [(NOW,)])
        one.insert("billing_cycles", {"customer_id": string, "cycle_start": instant, "cycle_end": instant}, [*cycles])
        selected = ", ".join(map(one.quoted, COLUMNS))
        views = [one.quoted(f"meterspec_stripe_{name.replace('-', '_')}") for name in EVERYWHERE]
        found = [sorted(one.query(f"SELECT {selected} FROM {view}"), key=str) for view in views]
        rows["engine" if one is engine else "duckdb"] = found
        if one is not engine:
            one.stop()
    assert all(rows["duckdb"])
    assert rows["engine"] == rows["duckdb"]


# From the spec to the invoice at Stripe

TIERED = 'tiers = [{ up_to = 10, unit_amount = 0.45 }, { up_to = "infinity", unit_amount = 0.3, flat_amount = 5 }]'
BILLED = SPEC + "".join(METERS.values()).replace("unit_amount = 0.01", TIERED)
MONTH = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def send(
    client: stripe.StripeClient, connection: duckdb.DuckDBPyConnection, customers: dict[str, str], known: list[str]
) -> None:
    """What an exporter does: every row without a reject_reason is a meter event, and what was sent is written down."""
    for identifier in known:
        connection.execute("INSERT INTO stripe_sent VALUES (?)", [identifier])
    for customer, stripe_id in customers.items():
        connection.execute(
            "UPDATE stripe_customers SET stripe_customer_id = ? WHERE customer_id = ?", [stripe_id, customer]
        )
    for name in METERS:
        for identifier, event, timestamp, stripe_customer, value, _, reason in sent(connection, name):
            if reason is not None:
                assert reason == "sent before" and identifier in known
                continue
            client.v1.billing.meter_events.create(
                {
                    "event_name": event,
                    "identifier": identifier,
                    "timestamp": timestamp,
                    "payload": {"stripe_customer_id": str(stripe_customer), "value": value},
                }
            )
            known.append(identifier)


@pytest.mark.parametrize("usage", ["event", "day"])
def test_stripe_invoices_what_meterspec_bills(
    usage: str,
    stripe_server: StripeServer,
    stripe_client: stripe.StripeClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A spec is applied, its usage exported and sent twice, the second time with late events: the invoices agree."""
    monkeypatch.setenv(KEY_VARIABLE, stripe_server.secret)
    monkeypatch.setenv(BASE_VARIABLE, stripe_server.url)
    program, _ = check_text(BILLED)
    assert program is not None
    account = connect(live=False, retries=0)
    list(apply(plan(program, account, Usage(usage)), account))
    customers = {name: stripe_server.add_customer(name) for name in ("a", "b")}
    start, end = MONTH
    random = Random(7)
    jobs = [
        Job(
            id=f"j{number}",
            time=start + timedelta(seconds=random.randrange(31 * 86_400), microseconds=random.randrange(1_000_000)),
            customer=random.choice("ab"),
            ms=random.randrange(20_000_000),
            load=Decimal(random.randrange(1_000_000)).scaleb(-3),
            region=random.choice(["eu", "us"]),
            model=random.choice(["s", "m", "l", None]),
        )
        for number in range(40)
    ]
    # Sent event by event, what was sent stays: only a day's total, or a running value, makes up for a late event where
    # values are rounded.
    early = sorted(jobs, key=lambda job: job.time)[:25] if usage == "event" else jobs[:25]
    sent_before: list[str] = []
    for known, as_of in ((early, end - timedelta(days=3)), (jobs, end)):
        stripe_server.account.now = int(as_of.timestamp()) + 3600
        with loaded(BILLED, known, usage, as_of) as connection:
            send(stripe_client, connection, customers, sent_before)
            quantities = {name: billed(connection, name) for name in METERS}
    prices = {price["lookup_key"]: price["id"] for price in stripe_server.account.all("price").values()}
    for name in METERS:
        price = program.meter(name).price
        assert price is not None
        for customer, id in customers.items():
            lines = stripe_server.preview(
                id, [prices[f"meterspec:{name}:usage"]], int(start.timestamp()), int(end.timestamp())
            )
            ours = price_usage(price, quantities[name].get((customer, start), Decimal(0)))
            assert sum(line.amount for line in lines) == int(ours.amount * 100), (name, customer)


def test_the_script_on_the_page_sends_each_row_once(
    stripe_server: StripeServer, stripe_client: stripe.StripeClient
) -> None:
    page = (ROOT / "docs" / "stripe.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n([^`]*)```", page)
    (name,) = re.findall(r"meterspec_stripe_(\w+)", script)
    text = SPEC + meter(name, "SUM", 'value = "ms / 1000.0"')
    program, _ = check_text(text)
    assert program is not None
    (body,) = (document(one) for one in program.meters)
    post(stripe_client, "/v1/billing/meters", body["meter"])  # type: ignore[arg-type]
    at = datetime.fromtimestamp(stripe_server.now, UTC) - timedelta(days=1)
    jobs = [Job("j1", at, "a", ms=90), Job("j2", at, "a", ms=10), Job("j3", at, "nobody", ms=10)]
    with loaded(text, jobs, as_of=at + timedelta(hours=1)) as connection:
        connection.execute("DELETE FROM stripe_customers WHERE customer_id = 'nobody'")
        id = stripe_server.add_customer("a")
        connection.execute("UPDATE stripe_customers SET stripe_customer_id = ?", [id])
        for _ in range(2):
            exec(script, {"connection": connection, "client": stripe_client})
    assert sorted(event.value for event in stripe_server.account.events) == [Fraction(1, 100), Fraction(9, 100)]
