"""What the Stripe backend writes gets past the Stripe server, and bills there what the pricing engine says.

The server was written apart from the backend. It knows the account: a body is sent as a client would send it, with the
ids that Stripe gave to what it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import stripe as sdk
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from meterspec.backends import stripe
from meterspec.catalogue import rules
from meterspec.diagnostics import Diagnostics
from meterspec.ir import CalendarUnit, Function, Price, PriceModel, Program, Rounding, Tier, TierMode
from meterspec.pricing import price_usage
from tests.conftest import FIXTURES, ROOT
from tests.corpus import check_file, check_text
from tests.stripe_server import StripeServer, bill
from tests.stripe_server.account import Account
from tests.stripe_server.client import connect, post
from tests.stripe_server.invoices import minor_digits
from tests.test_stripe import meter

Body = dict[str, Any]

URLS = {
    "meter": "/v1/billing/meters",
    "product": "/v1/products",
    "price": "/v1/prices",
    "feature": "/v1/entitlements/features",
    "product_feature": "/v1/products/{product}/features",
    "alert": "/v1/billing/alerts",
    "credit_grant": "/v1/billing/credit_grants",
}
"""Where the bodies of a document are sent to, in an order in which all that they name is there already."""


VARIETY = """
[[families]]
name = "job"
schema.ms = { type = "integer", required = true, min = 0, max = 1000 }

[[meters]]
name = "work"
kind = "billing"
unit = "1"
source = { kind = "family", family = "job" }
aggregate = { fn = "FUNCTION", value = "ms", window = "billing_cycle", group_by = ["customer_id"] }
[meters.billing]
currency = "EUR"
"""
CAPS = "limit = 1_000_000\nbrim_at = 800_000"
VARIANTS = {
    "caps": f'model = "usage"\nunit_amount = 0.01\n{CAPS}',
    "packs": f'model = "prepaid"\ncredits = {{ pack = 1000, price = 90, refill_below = 50 }}\n{CAPS}',
    "a fee and caps": 'model = "flat"\nbase_fee = 49\nlimit = 10',
}


def specs() -> Iterator[tuple[str, Program]]:
    """Every spec of the repository that compiles: fixtures, examples, what the rules call good, and a few more."""
    files = [
        *sorted((FIXTURES / "valid").rglob("*.toml")),
        *sorted((ROOT / "examples").rglob("meterspec.toml")),
        *sorted((ROOT / "docs").rglob("*.toml")),
    ]
    found = [(file.relative_to(ROOT).as_posix(), check_file(file)[0]) for file in files]
    found += [(f"{rule.code} good", check_text(rule.good)[0]) for rule in rules() if rule.good]
    for function in ("SUM", "MAX", "UNIQUE"):
        text = VARIETY.replace("FUNCTION", function)
        found += [(f"{function} {name}", check_text(text + price)[0]) for name, price in VARIANTS.items()]
    return ((name, program) for name, program in found if program is not None)


def documents(program: Program, usage: stripe.Usage = stripe.Usage.EVENT) -> list[Body]:
    """What is written of a program for Stripe; nothing where Stripe cannot have it."""
    out = Diagnostics()
    stripe.check(program, out)
    if out.has_errors:
        return []
    artifacts = [artifact for artifact in stripe.emit(program, usage) if artifact.path.suffix == ".json"]
    return [each for artifact in artifacts if "product" in (each := json.loads(artifact.text))]


def bodies(document: Body) -> Iterator[tuple[str, Body]]:
    """The bodies of a document with their kinds, in the order of `URLS`."""
    assert {"meter", "product", "prices"} <= set(document) <= {*URLS, "prices"} - {"price"}
    for kind in URLS:
        for body in document["prices"] if kind == "price" else [document.get(kind)]:
            if body is not None:
                yield kind, body


def create(client: sdk.StripeClient, document: Body) -> list[Body]:
    """Sends the bodies of a document, and gives the prices that came of them."""
    ids, made = {"customer": post(client, "/v1/customers", {})["id"]}, []
    for kind, body in bodies(document):
        text = json.dumps(body)
        for name, id in ids.items():
            text = text.replace(f"${{{name}.id}}", id)
        assert "${" not in text, "a body names what is not there yet"
        answer = post(client, URLS[kind].format(**ids), json.loads(text))
        if kind == "price":
            made.append(client.v1.prices.retrieve(answer["id"], {"expand": ["tiers"]}).to_dict())
        ids.setdefault(kind, answer["id"])
    return made


SOLD = [
    (f"{name} by {usage}", made)
    for name, program in specs()
    for usage in stripe.Usage
    if (made := documents(program, usage))
]


def test_the_specs_make_everything_that_there_is() -> None:
    assert {kind for _, made in SOLD for document in made for kind, _ in bodies(document)} == set(URLS)


@pytest.mark.parametrize(("name", "made"), SOLD, ids=[name for name, _ in SOLD])
def test_every_body_of_every_spec_is_taken(stripe_client: sdk.StripeClient, name: str, made: list[Body]) -> None:
    for each in made:
        assert len(create(stripe_client, each)) == len(each["prices"])


@pytest.mark.parametrize(("name", "made"), SOLD, ids=[name for name, _ in SOLD])
def test_every_body_of_every_spec_is_in_the_schema(stripe_server: StripeServer, name: str, made: list[Body]) -> None:
    for kind, body in (each for document in made for each in bodies(document)):
        schema = stripe_server.body_schema(URLS[kind])
        assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == []


# What the configuration would bill.

QUANTITIES = st.one_of(
    st.integers(0, 45).map(Decimal),
    st.decimals(0, 45, places=3),
    st.integers(0, 10**15).map(Decimal),
)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Prices of every shape, most of which Stripe can have: bounds are few and small, so that quantities meet them."""
    currency = draw(st.sampled_from(["EUR", "EUR", "USD", "JPY", "KWD", "ISK", "MGA"]))
    fee = st.integers(0, 9_999).map(lambda count: Decimal(count).scaleb(-2 if currency in {"EUR", "USD"} else 0))
    unit = st.one_of(st.integers(0, 3).map(Decimal), st.decimals(0, 3, places=14 if currency != "JPY" else 12))
    shape = draw(st.sampled_from(["packages", "graduated", "volume", "flat"]))
    if shape == "flat":
        return Price(model=PriceModel.FLAT, currency=currency, base_fee=draw(fee))
    bounds = draw(st.sets(st.integers(1, 30), max_size=4)) if shape in {"graduated", "volume"} else ()
    flat = st.none() if shape == "packages" else st.none() | fee
    return Price(
        model=PriceModel.COMBINED,
        currency=currency,
        base_fee=draw(fee),
        interval=draw(st.sampled_from([CalendarUnit.MONTH, CalendarUnit.QUARTER, CalendarUnit.YEAR])),
        included_units=Decimal(draw(st.just(0) | st.integers(0, 40))) if shape == "graduated" else Decimal(0),
        tier_mode=TierMode.VOLUME if shape == "volume" else TierMode.GRADUATED,
        tiers=tuple(
            Tier(up_to=None if end is None else Decimal(end), unit_amount=draw(unit), flat_amount=draw(flat))
            for end in [*sorted(bounds), None]
        ),
        package_size=Decimal(draw(st.integers(1, 12))) if shape == "packages" else None,
        package_rounding=draw(st.sampled_from([Rounding.UP, Rounding.DOWN])),
    )


def test_stripe_bills_what_the_pricing_engine_bills(stripe_server: StripeServer) -> None:
    """The lines agree to the last minor unit, for prices that the backend takes, at every quantity."""

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(prices(), st.sampled_from([Function.COUNT, Function.SUM, Function.LAST]), QUANTITIES)
    def agree(price: Price, function: Function, quantity: Decimal) -> None:
        whole = quantity == int(quantity)
        assume(whole or function is not Function.COUNT)
        made = documents(Program(meters=(meter(price, function, precision=0 if whole else 3),)))
        assume(made)
        stripe_server.account = Account(stripe_server.now)
        sold = [each for document in made for each in create(connect(stripe_server), document)]
        digits = minor_digits(price.currency)
        theirs = [
            Fraction(line.amount, 10**digits)
            for each in sold
            for line in bill(each, Fraction(quantity) if each["recurring"]["meter"] else Fraction(1))
        ]
        ours = price_usage(price, quantity)
        assert sorted(filter(None, theirs)) == sorted(Fraction(line.amount) for line in ours.lines if line.amount)
        assert sum(theirs) == Fraction(ours.amount)

    agree()
