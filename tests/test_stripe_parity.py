"""The same events, billed three times: by the pricing engine, and by Stripe for either way of sending usage.

Nothing stands in for anything here but Stripe itself: the spec is compiled, DuckDB computes the views, the SDK sends
the configuration and each row of the usage export, and the server bills what it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from meterspec.pipeline import compile_program
from meterspec.pricing import price_usage
from tests.corpus import check_text
from tests.stripe_server import StripeServer
from tests.stripe_server.account import Account
from tests.stripe_server.client import connect, post
from tests.stripe_server.invoices import minor_digits
from tests.test_stripe_bodies import create

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


@st.composite
def specs(draw: st.DrawFn) -> str:
    first, second = draw(st.integers(0, 4)), draw(st.integers(5, 9))
    unit = draw(st.sampled_from(["0", "0.5", "0.045", "0.0000001", "12.345"]))
    return SPEC.format(
        precision=draw(st.sampled_from([0, 2, 6])),
        aggregate=draw(st.sampled_from(AGGREGATES)),
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
    max_size=8,
)


@contextmanager
def warehouse(program: Program, jobs: Sequence[Job], usage: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the compiled views of a program on events, at the instant at which usage is sent."""
    out = Diagnostics()
    artifacts = compile_program(program, [], out, stripe_usage=usage)
    assert not out.has_errors, [each.message for each in out]
    scripts = {str(each.path): each.text for each in artifacts}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for script in ("sql/duckdb/inputs", "sql/duckdb/families", "sql/duckdb/meters", "stripe/usage_export/duckdb"):
            connection.execute(scripts[f"{script}.sql"])
        connection.execute("INSERT INTO meterspec_as_of VALUES (?)", [AFTER])
        insert = "INSERT INTO raw_job (event_id, event_time, customer_id, ms, load) VALUES (?, ?, ?, ?, ?)"
        for i, job in enumerate(jobs):
            row = [f"j{i}", START + timedelta(seconds=job.second), job.customer, job.ms, job.load]
            connection.execute(insert, row)
        yield connection


def send(server: StripeServer, connection: duckdb.DuckDBPyConnection) -> None:
    """Sends the rows of the export, as its page says to: those without a reason against it."""
    client = connect(server)
    columns = "identifier, event_name, timestamp, stripe_customer_id, value, reject_reason"
    rows = connection.execute(
        f'SELECT {columns} FROM "meterspec_stripe_work" ORDER BY timestamp, identifier'
    ).fetchall()
    for identifier, event_name, timestamp, customer, value, fault in rows:
        assert fault is None, fault
        payload = {"stripe_customer_id": customer, "value": value}
        event = {"identifier": identifier, "event_name": event_name, "timestamp": timestamp, "payload": payload}
        post(client, "/v1/billing/meter_events", event)


@pytest.mark.parametrize("usage", ["event", "day"])
def test_the_same_usage_costs_the_same_everywhere(stripe_server: StripeServer, usage: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(specs(), JOBS)
    def agree(spec: str, jobs: list[Job]) -> None:
        program, found = check_text(spec)
        assert program is not None, [each.message for each in found]
        price = program.meters[0].price
        assert price is not None
        stripe_server.account = Account(int(AFTER.timestamp()))
        with warehouse(program, jobs, usage) as connection:
            out = Diagnostics()
            [document] = [
                json.loads(each.text)
                for each in compile_program(program, [], out, targets=["stripe"], stripe_usage=usage)
                if str(each.path) == "stripe/work.json"
            ]
            sold = [each["id"] for each in create(connect(stripe_server), document)]
            ids = {name: stripe_server.add_customer(name) for name in CUSTOMERS}
            for pair in ids.items():
                connection.execute("INSERT INTO stripe_customers VALUES (?, ?)", list(pair))
            send(stripe_server, connection)
            quantities = dict(connection.execute('SELECT customer_id, quantity FROM "work"').fetchall())
        for name, id in ids.items():
            lines = stripe_server.preview(id, sold, int(START.timestamp()), int(END.timestamp()))
            theirs = Fraction(sum(line.amount for line in lines), 10 ** minor_digits(price.currency))
            used = max(quantities.get(name, Decimal(0)), Decimal(0))
            assert theirs == Fraction(price_usage(price, used).amount), (name, used)

    agree()
