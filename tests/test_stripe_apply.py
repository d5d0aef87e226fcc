"""Any way from one spec to the next, by way of failures and of changes by hand, ends at what the spec says.

An account goes through several versions of a spec. Between them somebody works in the dashboard, and while one is
applied a request fails. The command is run again until it is through.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import stripe as sdk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterspec.diagnostics import Failure
from meterspec.ir import Program
from meterspec.pricing import price_usage
from meterspec.stripe_account import apply, connect, plan
from tests.corpus import check_text
from tests.stripe_server import Drop, StripeServer, bill
from tests.stripe_server.account import Account as Held
from tests.stripe_server.client import post
from tests.test_stripe_bodies import documents

SPEC = """
[[families]]
name = "job"
schema.ms = {{ type = "integer", required = true, min = 0, max = 1000 }}

[[meters]]
name = "work"
kind = "billing"
description = "{description}"
source = {{ kind = "family", family = "job" }}
aggregate = {{ fn = "SUM", value = "ms", window = "billing_cycle", group_by = ["customer_id"] }}
[meters.billing]
currency = "EUR"
{price}
"""
PRICES = [
    'model = "usage"\nunit_amount = 0.01',
    'model = "usage"\nunit_amount = 0.02\nlimit = 1000\nbrim_at = 800',
    'model = "usage"\nunit_amount = 0.02\nlimit = 1500\nbrim_at = 900',
    'model = "combined"\nbase_fee = 20\nincluded_units = 10\nunit_amount = 0.01',
    'model = "usage"\ninterval = "year"\ntiers = [{ up_to = 10, unit_amount = 0.5, flat_amount = 3 }, '
    '{ up_to = "infinity", unit_amount = 0.1 }]',
    'model = "usage"\nunit_amount = 1\npackage_size = 12',
]
VERSIONS = st.builds(
    lambda price, text: SPEC.format(price=price, description=text), st.sampled_from(PRICES), st.sampled_from("ab")
)

By = Callable[[StripeServer, sdk.StripeClient], object]


def by_hand(kind: str, path: str, **params: Any) -> By:
    """Somebody changes the newest object of a kind, where Stripe lets them; `{id}` stands for its id."""

    def change(server: StripeServer, client: sdk.StripeClient) -> None:
        there = list(server.account.all(kind).values())
        if there:
            with suppress(sdk.InvalidRequestError):  # such as that of archiving a default price
                post(client, path.format(id=there[-1]["id"]), params)

    return change


def wait(seconds: int) -> By:
    def change(server: StripeServer, client: sdk.StripeClient) -> None:
        server.account.now += seconds

    return change


def deactivate_meter(server: StripeServer, client: sdk.StripeClient) -> None:
    for meter in server.account.all("billing.meter").values():
        if meter["status"] == "active":
            post(client, f"/v1/billing/meters/{meter['id']}/deactivate", {})


def switch_alerts_off(server: StripeServer, client: sdk.StripeClient) -> None:
    for alert in server.account.all("billing.alert").values():
        if alert["status"] == "active":
            post(client, f"/v1/billing/alerts/{alert['id']}/deactivate", {})


def make_default(server: StripeServer, client: sdk.StripeClient) -> None:
    """The newest price that is sold is what a customer of the product gets by default."""
    for price in reversed(server.account.all("price").values()):
        if price["active"]:
            post(client, f"/v1/products/{price['product']}", {"default_price": price["id"]})
            return


HANDS: dict[str, By] = {
    "makes the newest price the default": make_default,
    "archives the newest price": by_hand("price", "/v1/prices/{id}", active=False),
    "takes the lookup key off": by_hand("price", "/v1/prices/{id}", lookup_key="mine", transfer_lookup_key=True),
    "renames the product": by_hand("product", "/v1/products/{id}", name="Other"),
    "archives the product": by_hand("product", "/v1/products/{id}", active=False),
    "archives the newest feature": by_hand("entitlements.feature", "/v1/entitlements/features/{id}", active=False),
    "renames the meter": by_hand("billing.meter", "/v1/billing/meters/{id}", display_name="Other"),
    "switches the meter off": deactivate_meter,
    "switches the alerts off": switch_alerts_off,
    "does nothing": lambda server, client: None,
    "waits an hour": wait(3600),
    "waits a day and more": wait(90_000),
}
FAULTS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([429, 500, 503, Drop.BEFORE, Drop.AFTER])), max_size=3)


def through(program: Program, server: StripeServer) -> int:
    """Applies a program, again where it fails; how often that took."""
    for run in range(1, 8):
        account = connect(live=False, retries=0)
        try:
            made = plan(program, account)
            assert not made.conflicts, made.conflicts
            list(apply(made, account))
        except Failure:
            assert run < 7
            continue
        return run
    raise AssertionError("it never came to an end")


def check(program: Program, server: StripeServer) -> None:
    """The account holds what the program compiles to, and bills what the program bills."""
    [document] = documents(program)
    [meter] = program.meters
    account = server.account
    [held] = account.all("billing.meter").values()
    assert held["status"] == "active" and held["display_name"] == "work"
    product = account.get("product", document["product"]["id"])
    assert product["active"] and product["name"] == "work"
    assert product["description"] == document["product"]["description"]
    sold = {price["lookup_key"]: price for price in account.all("price").values() if price["active"]}
    assert sorted(sold) == sorted(price["lookup_key"] for price in document["prices"])
    assert meter.price is not None
    for quantity in (0, 10, 11, 250):
        used = {True: Fraction(quantity), False: Fraction(1)}
        theirs = [
            line.amount for price in sold.values() for line in bill(price, used[bool(price["recurring"]["meter"])])
        ]
        assert Fraction(sum(theirs), 100) == Fraction(price_usage(meter.price, Decimal(quantity)).amount)
    if "feature" in document:
        features = [each for each in account.all("entitlements.feature").values() if each["active"]]
        assert [each["metadata"]["meterspec_limit"] for each in features] == [
            document["feature"]["metadata"]["meterspec_limit"]
        ]
    alerts = [each for each in account.all("billing.alert").values() if each["status"] == "active"]
    wanted = [document["alert"]["usage_threshold"]["gte"]] if "alert" in document else []
    assert [each["usage_threshold"]["gte"] for each in alerts] == wanted


@pytest.fixture(autouse=True)
def environment(stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", stripe_server.secret)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_server.url)


def test_a_lookup_key_is_not_taken_from_a_price_of_somebody_else(
    stripe_server: StripeServer, stripe_client: sdk.StripeClient
) -> None:
    """Not even where it is archived, and so not in a list of prices that says nothing of them."""
    post(stripe_client, "/v1/products", {"id": "theirs", "name": "Theirs"})
    theirs: dict[str, Any] = {
        "product": "theirs",
        "currency": "eur",
        "unit_amount": 1,
        "lookup_key": "meterspec:work:usage",
    }
    price = post(stripe_client, "/v1/prices", theirs)["id"]
    post(stripe_client, f"/v1/prices/{price}", {"active": False})
    program, _ = check_text(SPEC.format(price=PRICES[0], description="a"))
    assert program is not None
    [conflict] = plan(program, connect(live=False, retries=0)).conflicts
    assert conflict.id == price


def test_a_dry_run_needs_a_key_that_can_only_read(stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = check_text(SPEC.format(price=PRICES[1], description="a"))
    assert program is not None
    monkeypatch.setenv("STRIPE_API_KEY", stripe_server.read_only)
    made = plan(program, connect(live=False, retries=0))
    assert made.writes and stripe_server.writes == []
    with pytest.raises(Failure, match="does not have the required permissions"):
        list(apply(made, connect(live=False, retries=0)))
    assert not any(stripe_server.account.objects.values())


def test_every_way_ends_at_what_the_spec_says(stripe_server: StripeServer, stripe_client: sdk.StripeClient) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(VERSIONS, FAULTS, st.lists(st.sampled_from(sorted(HANDS)), max_size=2)), min_size=1, max_size=4
        )
    )
    def arrives(history: list[tuple[str, list[tuple[int, int | Drop]], list[str]]]) -> None:
        stripe_server.account = Held(stripe_server.now)
        stripe_server.forget()
        wanted = set()
        for text, faults, hands in history:
            program, found = check_text(text)
            assert program is not None, [each.message for each in found]
            for fault in faults:
                stripe_server.fail(*fault)
            through(program, stripe_server)
            stripe_server.faults.clear()
            check(program, stripe_server)
            wanted |= {json.dumps(price) for document in documents(program) for price in document["prices"]}
            assert len(stripe_server.account.all("price")) == len(wanted), "no price is made twice"
            assert plan(program, connect(live=False, retries=0)).writes == 0
            assert all(request.method != "DELETE" for request in stripe_server.requests)
            for hand in hands:
                HANDS[hand](stripe_server, stripe_client)

    arrives()
