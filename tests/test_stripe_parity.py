"""The same events, billed four times: by the pricing engine, in SQL, and by Stripe for either way of sending usage.

Nothing stands in for anything here but Stripe itself: the spec is compiled, DuckDB computes the views, the SDK sends
the configuration and each row of the usage export, and the server bills what it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterspec.backends.stripe import Usage
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Price, Program
from meterspec.pipeline import compile_program
from meterspec.pricing import price_usage
from tests.corpus import check_text
from tests.stripe_server import StripeServer
from tests.stripe_server.account import Account
from tests.stripe_server.client import connect, post
from tests.stripe_server.invoices import minor_digits
from tests.test_stripe_bodies import create, documents

START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
AFTER = END + timedelta(days=2)
"""When usage is sent: the first event of the period is still one that Stripe takes."""
CUSTOMERS = ("a", "b", "idle")


class Job(NamedTuple):
    """An event: whose, when in the period, and what was measured."""

    customer: str
    second: int
    ms: int
    load: Decimal


SPEC = """
[[families]]
name = "job"
schema.ms = {{ type = "integer", required = true, min = -1_000_000, max = 1_000_000_000 }}
schema.load = {{ type = "decimal", required = true, precision = 9, scale = 3, min = 0, max = 1000 }}

[[meters]]
name = "work"
kind = "billing"
precision = {precision}
source = {{ kind = "family", family = "job" }}
aggregate = {{ {aggregate}, window = "billing_cycle", group_by = ["customer_id"] }}
billing = {{ currency = "{currency}", {price} }}
"""

PRICES = {
    "by the unit": 'model = "usage", unit_amount = {unit}',
    "with a base fee": 'model = "combined", base_fee = 20, included_units = {first}, unit_amount = {unit}',
    "graduated": 'model = "combined", base_fee = 3, included_units = {first}, tiers = [{{ up_to = {second}, '
    'unit_amount = {unit} }}, {{ up_to = "infinity", unit_amount = 0.003, flat_amount = 5 }}]',
    "volume": 'model = "usage", tier_mode = "volume", tiers = [{{ up_to = {second}, unit_amount = {unit}, '
    'flat_amount = 2 }}, {{ up_to = "infinity", unit_amount = 0.003 }}]',
    "packages": 'model = "usage", unit_amount = {unit}, package_size = {second}',
    "full packages": 'model = "usage", unit_amount = {unit}, package_size = {second}, package_rounding = "down"',
}
AGGREGATES = [
    'fn = "COUNT"',
    'fn = "SUM", value = "ms / 1000.0"',
    'fn = "SUM", value = "ms / 3600000.0"',
    'fn = "MAX", value = "load"',
    'fn = "LAST", value = "load"',
    'fn = "AVG", value = "load"',
    'fn = "UNIQUE", value = "ms"',
]


PRICE_OF_ONE = 'model = "usage", unit_amount = 1'


@st.composite
def specs(draw: st.DrawFn, aggregates: Sequence[str] = AGGREGATES, precisions: Sequence[int] = (0, 2, 6)) -> str:
    first, second = draw(st.integers(0, 4)), draw(st.integers(5, 9))
    unit = draw(st.sampled_from(["0.5", "0.045", "0.0000001", "12.345"]))
    return SPEC.format(
        precision=draw(st.sampled_from(precisions)),
        aggregate=draw(st.sampled_from(aggregates)),
        currency=draw(st.sampled_from(["EUR", "JPY"])),
        price=draw(st.sampled_from(list(PRICES.values()))).format(unit=unit, first=first, second=second),
    )


JOBS = st.lists(
    st.builds(
        Job,
        st.sampled_from(["a", "b"]),
        st.integers(0, 28 * 86400 - 1) | st.sampled_from([0, 28 * 86400 - 1]),
        st.integers(-1000, 20_000) | st.integers(-1_000_000, 1_000_000_000),
        st.decimals(0, 12, places=3),
    ),
    min_size=1,
    max_size=8,
)


@contextmanager
def warehouse(program: Program, usage: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the compiled views of a program, without any events."""
    out = Diagnostics()
    artifacts = compile_program(program, [], out, stripe_usage=usage)
    assert not out.has_errors, [each.message for each in out]
    scripts = {str(each.path): each.text for each in artifacts}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for script in ("inputs", "families", "meters", "invoices"):
            connection.execute(scripts[f"sql/duckdb/{script}.sql"])
        connection.execute(scripts["stripe/usage_export/duckdb.sql"])
        yield connection


class Export:
    """A program, its events so far, and the account at Stripe that its usage is sent to."""

    def __init__(
        self, server: StripeServer, connection: duckdb.DuckDBPyConnection, program: Program, usage: str
    ) -> None:
        self.server, self.connection = server, connection
        self.sent = set[str]()
        server.account = Account(int(START.timestamp()))
        self.client = connect(server)
        [document] = documents(program, Usage(usage))
        self.prices = [each["id"] for each in create(self.client, document)]
        self.ids = {name: server.add_customer(name) for name in CUSTOMERS}
        for pair in self.ids.items():
            connection.execute("INSERT INTO stripe_customers VALUES (?, ?)", list(pair))
            connection.execute("INSERT INTO billing_cycles VALUES (?, ?, ?)", [pair[0], START, END])

    def add(self, jobs: Mapping[int, Job]) -> None:
        insert = "INSERT INTO raw_job (event_id, event_time, customer_id, ms, load) VALUES (?, ?, ?, ?, ?)"
        for i, job in jobs.items():
            row = [f"j{i}", START + timedelta(seconds=job.second), job.customer, job.ms, job.load]
            self.connection.execute(insert, row)

    def send(self, at: datetime) -> None:
        """Sends the rows without a reason against it: each of an event once, the totals of days every time."""
        self.server.account.now = int(at.timestamp())
        self.connection.execute("DELETE FROM meterspec_as_of")
        self.connection.execute("INSERT INTO meterspec_as_of VALUES (?)", [at])
        columns = "identifier, event_name, timestamp, stripe_customer_id, value, reject_reason"
        select = f'SELECT {columns} FROM "meterspec_stripe_work" ORDER BY timestamp, identifier'
        for identifier, event_name, timestamp, customer, value, fault in self.connection.execute(select).fetchall():
            assert fault is None, fault
            if identifier not in self.sent:
                payload = {"stripe_customer_id": customer, "value": value}
                event = {"identifier": identifier, "event_name": event_name, "timestamp": timestamp, "payload": payload}
                post(self.client, "/v1/billing/meter_events", event)
                self.sent.add(identifier)

    def billed(self, customer: str, currency: str) -> Fraction:
        """What Stripe bills for the period, in major units."""
        period = int(START.timestamp()), int(END.timestamp())
        lines = self.server.preview(self.ids[customer], self.prices, *period)
        return Fraction(sum(line.amount for line in lines), 10 ** minor_digits(currency))

    def invoiced(self, customer: str) -> Decimal | None:
        """What the view of invoices says, 0 where there is none, and nothing where the usage has no price."""
        select = "SELECT count(*), any_value(amount) FROM meterspec_invoices WHERE customer_id = ?"
        [(count, amount)] = self.connection.execute(select, [customer]).fetchall()
        return amount if count else Decimal(0)

    def is_negative(self, customer: str) -> bool:
        """Whether corrections brought the usage below zero: Stripe bills that as none, and meterspec refuses it."""
        select = 'SELECT coalesce(sum(quantity), 0) < 0 FROM "work" WHERE customer_id = ?'
        [(found,)] = self.connection.execute(select, [customer]).fetchall()
        return bool(found)

    def quantity(self, customer: str) -> Decimal:
        """What the meter's view says, and 0 where it has no row."""
        select = 'SELECT sum(quantity) FROM "work" WHERE customer_id = ?'
        [(found,)] = self.connection.execute(select, [customer]).fetchall()
        return Decimal(0) if found is None else max(Decimal(found), Decimal(0))


def checked(spec: str) -> tuple[Program, Price]:
    program, found = check_text(spec)
    assert program is not None, [each.message for each in found]
    price = program.meters[0].price
    assert price is not None
    return program, price


@pytest.mark.parametrize("usage", ["event", "day"])
def test_the_same_usage_costs_the_same_everywhere(stripe_server: StripeServer, usage: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(specs(), JOBS)
    def agree(spec: str, jobs: list[Job]) -> None:
        program, price = checked(spec)
        with warehouse(program, usage) as connection:
            export = Export(stripe_server, connection, program, usage)
            export.add(dict(enumerate(jobs)))
            export.send(AFTER)
            for customer in CUSTOMERS:
                bill = price_usage(price, export.quantity(customer))
                assert export.billed(customer, price.currency) == Fraction(bill.amount), customer
                owed = None if export.is_negative(customer) else bill.amount
                assert export.invoiced(customer) == owed, customer

    agree()


EXACT = [
    'fn = "COUNT"',
    'fn = "SUM", value = "ms / 1000.0"',
    'fn = "MAX", value = "load"',
    'fn = "UNIQUE", value = "ms"',
]
"""Functions whose rows, by event, do not depend on the events before them: at a precision of 6 nothing is rounded."""


@pytest.mark.parametrize("usage", ["event", "day"])
def test_usage_that_is_sent_bit_by_bit_costs_what_it_costs_at_once(stripe_server: StripeServer, usage: str) -> None:
    """Some events come late, so that a later export says more of days that were told before."""
    told = specs() if usage == "day" else specs(EXACT, precisions=[6])

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(told, JOBS, st.sets(st.integers(0, 7)), st.integers(1, 28 * 24))
    def agree(spec: str, jobs: list[Job], late: set[int], hour: int) -> None:
        program, price = checked(spec)
        first = START + timedelta(hours=hour)
        with warehouse(program, usage) as connection:
            export = Export(stripe_server, connection, program, usage)
            export.add({i: job for i, job in enumerate(jobs) if i not in late})
            export.send(first)
            export.send(first + timedelta(hours=1))
            export.add({i: job for i, job in enumerate(jobs) if i in late})
            export.send(AFTER)
            for customer in CUSTOMERS:
                bill = price_usage(price, export.quantity(customer))
                assert export.billed(customer, price.currency) == Fraction(bill.amount), customer

    agree()


def test_days_may_be_sent_twice(stripe_server: StripeServer) -> None:
    """Long after Stripe has forgotten the identifiers: the total of a day replaces the one before."""
    program, _ = checked(SPEC.format(precision=2, aggregate=AGGREGATES[2], currency="EUR", price=PRICE_OF_ONE))
    with warehouse(program, "day") as connection:
        export = Export(stripe_server, connection, program, "day")
        export.add({0: Job("a", 3 * 86400, 36_000_000, Decimal(0))})
        for day in (4, 6):
            export.sent.clear()
            export.send(START + timedelta(days=day))
        assert len(stripe_server.account.events) == 2
        assert export.billed("a", "EUR") == 10


def test_a_late_event_between_two_roundings_needs_the_day(stripe_server: StripeServer) -> None:
    """Two halves of a hundredth of an hour are one. By event each is told as one, since each once was the first."""
    program, _ = checked(SPEC.format(precision=2, aggregate=AGGREGATES[2], currency="EUR", price=PRICE_OF_ONE))
    billed = {}
    for usage in ("event", "day"):
        with warehouse(program, usage) as connection:
            export = Export(stripe_server, connection, program, usage)
            export.add({1: Job("a", 3 * 86400 + 10, 18_000, Decimal(0))})
            export.send(START + timedelta(days=4))
            export.add({0: Job("a", 3 * 86400 + 5, 18_000, Decimal(0))})
            export.send(START + timedelta(days=6))
            billed[usage] = export.quantity("a"), export.billed("a", "EUR")
    assert billed["day"] == (Decimal("0.01"), Fraction(1, 100))
    assert billed["event"] == (Decimal("0.01"), Fraction(2, 100))


ENDING = [
    START + timedelta(days=9),
    START + timedelta(days=9, seconds=1),
    END - timedelta(hours=1),
    END - timedelta(minutes=30),
    END,
    END + timedelta(seconds=73),
    END + timedelta(hours=1),
    END + timedelta(hours=71, minutes=58),
]
"""As-of instants of exports, some a second apart, and after the end of the period as long as an invoice may be open."""


@pytest.mark.parametrize("aggregate", ['fn = "LAST", value = "load"', 'fn = "MAX", value = "ms / 1.0"'])
def test_a_running_value_that_changes_is_told_for_a_later_second(stripe_server: StripeServer, aggregate: str) -> None:
    """Each export finds another quantity. The last one counts, and Stripe never chooses between two of one second."""
    program, price = checked(SPEC.format(precision=6, aggregate=aggregate, currency="EUR", price=PRICE_OF_ONE))
    with warehouse(program, "event") as connection:
        export = Export(stripe_server, connection, program, "event")
        for number, as_of in enumerate(ENDING, 1):
            export.add({number: Job("a", 3600 + number, number * 1000, Decimal(number))})
            export.send(as_of)
            assert export.billed("a", price.currency) == Fraction(export.quantity("a"))
        told = [event.timestamp for event in stripe_server.account.events]
        assert told == sorted(set(told)) and len(told) == len(ENDING)
        assert all(START.timestamp() <= at < END.timestamp() for at in told)


def test_of_one_instant_the_first_value_stands_until_a_later_one(stripe_server: StripeServer) -> None:
    """An export that is made again for its as-of instant sends no second value of it, but the next instant does."""
    program, price = checked(SPEC.format(precision=6, aggregate=AGGREGATES[4], currency="EUR", price=PRICE_OF_ONE))
    billed = []
    with warehouse(program, "event") as connection:
        export = Export(stripe_server, connection, program, "event")
        for number, as_of in enumerate([END, END, END + timedelta(seconds=2), END + timedelta(seconds=73)], 1):
            export.add({number: Job("a", number, 0, Decimal(number))})
            export.send(as_of)
            billed.append(export.billed("a", price.currency))
    assert billed == [1, 1, 1, 4]
