"""What is sent to Stripe: bodies that its schema takes, prices that bill there what they bill here, or a refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import ceil, floor
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meterspec.backends import stripe
from meterspec.backends.stripe import limits
from meterspec.diagnostics import Diagnostic, Diagnostics, Rule
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarUnit,
    Credits,
    Entitlement,
    FamilySource,
    Function,
    Meter,
    MeterKind,
    Price,
    PriceModel,
    Program,
    Rounding,
    Tier,
    TierMode,
)
from meterspec.pricing import price_usage
from tests.conftest import ROOT, SHARED
from tests.corpus import check_text

D = Decimal
Body = dict[str, Any]
SCHEMA = SHARED / "stripe" / "openapi-billing-subset.json"
needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason="the API schema of Stripe is not beside the checkout")
RULES = [rule for rule in vars(limits).values() if isinstance(rule, Rule) and rule.bad]


def meter(price: Price | None, function: Function = Function.SUM, **changes: Any) -> Meter:
    made = Meter(
        name="acme.api-calls",
        sql_name="acme_api_calls",
        kind=MeterKind.BILLING,
        source=FamilySource(("api.call",)),
        aggregate=Aggregate(function=function),
        window=BillingCycle(),
        group_by=("customer_id",),
        price=price,
    )
    return replace(made, **changes)


def emitted(*meters: Meter) -> dict[str, Body]:
    """The documents by path, of meters that Stripe can have."""
    program = Program(meters=meters)
    out = Diagnostics()
    stripe.check(program, out)
    assert not out.has_errors, [each.message for each in out]
    return {str(artifact.path): json.loads(artifact.text) for artifact in stripe.BACKEND.emit(program)}


def document(price: Price | Meter, function: Function = Function.SUM, **changes: Any) -> Body:
    billed = price if isinstance(price, Meter) else meter(price, function, **changes)
    (only,) = emitted(billed).values()
    return only


EXAMPLE = Price(
    model=PriceModel.COMBINED,
    currency="EUR",
    base_fee=D(20),
    included_units=D(100),
    tiers=(
        Tier(up_to=D(1000), unit_amount=D("0.45")),
        Tier(up_to=None, unit_amount=D("0.30"), flat_amount=D(5)),
    ),
)
BY_THE_UNIT = Price(model=PriceModel.USAGE, currency="EUR", tiers=(Tier(up_to=None, unit_amount=D("0.002")),))


# Bodies


def test_the_bodies_on_the_page() -> None:
    page = (ROOT / "docs" / "stripe.md").read_text(encoding="utf-8")
    text, expected = re.findall(r"```(?:toml|json)\n([^`]*)```", page)[:2]
    program, found = check_text(text)
    assert program is not None and not found
    (artifact,) = stripe.BACKEND.emit(program)
    assert str(artifact.path) == "stripe/transfer.json"
    assert artifact.text == expected


def test_only_meters_with_a_price_are_sent() -> None:
    billed = meter(BY_THE_UNIT)
    reported = replace(billed, name="seen", sql_name="seen", kind=MeterKind.REPORTING, price=None)
    averaged = replace(reported, aggregate=Aggregate(function=Function.AVG))
    assert list(emitted(reported, billed, averaged)) == ["stripe/acme_api_calls.json"]


@pytest.mark.parametrize(
    ("function", "formula", "has_value"),
    [
        (Function.COUNT, "count", False),
        (Function.SUM, "sum", True),
        (Function.LAST, "last", True),
        (Function.MAX, "last", True),
        (Function.AVG, "last", True),
    ],
)
def test_formulas(function: Function, formula: str, has_value: bool) -> None:
    body = document(BY_THE_UNIT, function)["meter"]
    assert body["default_aggregation"] == {"formula": formula}
    assert ("value_settings" in body) is has_value


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(CalendarUnit.MONTH, ("month", 1)), (CalendarUnit.QUARTER, ("month", 3)), (CalendarUnit.YEAR, ("year", 1))],
)
def test_intervals(interval: CalendarUnit, expected: tuple[str, int]) -> None:
    for price in document(replace(EXAMPLE, interval=interval))["prices"]:
        assert (price["recurring"]["interval"], price["recurring"]["interval_count"]) == expected


@pytest.mark.parametrize(
    ("currency", "amount", "sent"),
    [
        ("EUR", "0.45", "45"),
        ("EUR", "0.00000000000001", "0.000000000001"),
        ("EUR", "3E+2", "30000"),
        ("EUR", "0", "0"),
        ("EUR", "999999999999999.99", "99999999999999999"),
        ("JPY", "0.5", "0.5"),
        ("ISK", "5", "500"),
        ("UGX", "5", "500"),
        ("MGA", "5", "5"),
        ("KWD", "5.12", "5120"),
    ],
)
def test_amounts_are_fixed_point_texts_in_minor_units(currency: str, amount: str, sent: str) -> None:
    price = Price(model=PriceModel.USAGE, currency=currency, tiers=(Tier(up_to=None, unit_amount=D(amount)),))
    assert document(price, Function.COUNT)["prices"][0]["unit_amount_decimal"] == sent


def test_packages_are_divided_by_stripe() -> None:
    price = replace(BY_THE_UNIT, package_size=D(1000), package_rounding=Rounding.DOWN)
    assert document(price)["prices"][0]["transform_quantity"] == {"divide_by": 1000, "round": "down"}


def test_a_flat_price_has_no_meter_whatever_is_measured() -> None:
    flat = Price(model=PriceModel.FLAT, currency="EUR", base_fee=D(49))
    body = document(flat, Function.MAX)
    assert body["meter"] is None
    assert [price["recurring"]["usage_type"] for price in body["prices"]] == ["licensed"]


def test_caps_and_credits_become_a_feature_an_alert_and_the_template_of_a_grant() -> None:
    made = document(CAPPED)
    assert [(price["lookup_key"], price["unit_amount_decimal"]) for price in made["prices"]] == [
        ("meterspec:acme.prepaid:usage", "9"),
        ("meterspec:acme.prepaid:pack", "9000"),
    ]
    assert "recurring" not in made["prices"][1]
    assert made["feature"]["metadata"]["meterspec_limit"] == "5000"
    assert made["alert"]["usage_threshold"]["gte"] == 4000
    assert made["credit_grant"]["amount"]["monetary"] == {"currency": "eur", "value": 9000}


def test_usage_by_the_day_is_a_sum_that_a_later_one_replaces() -> None:
    formulas = {
        function: stripe.document(meter(BY_THE_UNIT, function), stripe.Usage.DAY)["meter"] for function in Function
    }
    for function, body in formulas.items():
        added = function in {Function.COUNT, Function.SUM}
        assert isinstance(body, dict)
        assert body["default_aggregation"] == {"formula": "sum" if added else "last"}
        assert body.get("event_time_window") == ("day" if added else None)


def test_included_units_over_several_tiers_keep_each_flat_fee_where_its_tier_begins() -> None:
    price = replace(
        EXAMPLE,
        included_units=D(1500),
        tiers=(
            Tier(up_to=D(1000), unit_amount=D(1), flat_amount=D(2)),
            Tier(up_to=D(2000), unit_amount=D(1), flat_amount=D(3)),
            Tier(up_to=None, unit_amount=D(1), flat_amount=D(4)),
        ),
    )
    assert document(price)["prices"][0]["tiers"] == [
        {"up_to": 1000, "unit_amount_decimal": "0", "flat_amount_decimal": "200"},
        {"up_to": 1500, "unit_amount_decimal": "0", "flat_amount_decimal": "300"},
        {"up_to": 2000, "unit_amount_decimal": "100"},
        {"up_to": "inf", "unit_amount_decimal": "100", "flat_amount_decimal": "400"},
    ]


# The schema of the API


@cache
def validator(path: str) -> jsonschema.Draft202012Validator:
    api = json.loads(SCHEMA.read_text(encoding="utf-8"))
    body = api["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return jsonschema.Draft202012Validator(body)


def refused(path: str, body: Body) -> list[str]:
    return [error.message for error in validator(path).iter_errors(body)]


def requests(documents: Body) -> list[tuple[str, Body]]:
    """The requests that a document stands for, in the order they are made."""
    further = {
        "feature": "/v1/entitlements/features",
        "product_feature": "/v1/products/{product}/features",
        "alert": "/v1/billing/alerts",
        "credit_grant": "/v1/billing/credit_grants",
    }
    return [
        *([("/v1/billing/meters", documents["meter"])] if documents["meter"] else []),
        ("/v1/products", documents["product"]),
        *(("/v1/prices", price) for price in documents["prices"]),
        *((path, documents[key]) for key, path in further.items() if key in documents),
    ]


CAPPED = Meter(
    name="acme.prepaid",
    sql_name="acme_prepaid",
    kind=MeterKind.BILLING,
    source=FamilySource(("api.call",)),
    aggregate=Aggregate(function=Function.COUNT),
    window=BillingCycle(),
    group_by=("customer_id",),
    price=Price(model=PriceModel.PREPAID, currency="EUR", credits=Credits(pack=D(1000), price=D(90))),
    entitlement=Entitlement(limit=D(5000), brim_at=D(4000)),
)
"""A meter with everything that a price may have beside its tiers."""
VARIETY = [
    EXAMPLE,
    BY_THE_UNIT,
    replace(BY_THE_UNIT, package_size=D(1000)),
    replace(EXAMPLE, included_units=D(0), tier_mode=TierMode.VOLUME, interval=CalendarUnit.QUARTER),
    Price(model=PriceModel.FLAT, currency="JPY", base_fee=D(4900), interval=CalendarUnit.YEAR),
]


@needs_schema
@pytest.mark.parametrize("price", VARIETY)
@pytest.mark.parametrize("function", [Function.COUNT, Function.SUM, Function.LAST])
def test_every_body_is_one_that_the_api_takes(price: Price, function: Function) -> None:
    made = document(price, function, unit="kW.h", description="Electricity, in whole kilowatt hours.")
    for path, body in requests(made):
        assert refused(path, body) == []


@needs_schema
def test_every_body_of_caps_and_credits_is_one_that_the_api_takes() -> None:
    for path, body in requests(document(CAPPED)):
        assert refused(path, body) == []


@needs_schema
@pytest.mark.parametrize(
    ("path", "number", "slip"),
    [
        ("/v1/billing/meters", 0, lambda body: body.pop("event_name")),
        ("/v1/billing/meters", 0, lambda body: body.update(event_name="x" * 101)),
        ("/v1/billing/meters", 0, lambda body: body.update(display_name="x" * 251)),
        ("/v1/billing/meters", 0, lambda body: body["default_aggregation"].update(formula="max")),
        ("/v1/billing/meters", 0, lambda body: body["customer_mapping"].update(type="by_email")),
        ("/v1/billing/meters", 0, lambda body: body.update(metadata={"meterspec_meter": "x"})),
        ("/v1/products", 0, lambda body: body.pop("name")),
        ("/v1/products", 0, lambda body: body.update(unit_label="x" * 13)),
        ("/v1/prices", 0, lambda body: body.pop("currency")),
        ("/v1/prices", 0, lambda body: body.update(lookup_key="x" * 201)),
        ("/v1/prices", 0, lambda body: body.update(tiers_mode="stairs")),
        ("/v1/prices", 0, lambda body: body["recurring"].pop("interval")),
        ("/v1/prices", 0, lambda body: body["recurring"].update(interval="quarter")),
        ("/v1/prices", 0, lambda body: body["recurring"].update(aggregate_usage="sum")),
        ("/v1/prices", 0, lambda body: body["tiers"][0].pop("up_to")),
        ("/v1/prices", 0, lambda body: body["tiers"][2].update(up_to="infinity")),
        ("/v1/prices", 0, lambda body: body["tiers"][2].update(up_to=None)),
        ("/v1/prices", 0, lambda body: body["tiers"][1].update(unit_amount_decimal=45)),
        ("/v1/prices", 0, lambda body: body["tiers"][1].update(unit_amount=0.45)),
        ("/v1/prices", 1, lambda body: body.update(unit_amount_decimal=20.0)),
        ("/v1/entitlements/features", 0, lambda body: body.update(name="x" * 81)),
        ("/v1/products/{product}/features", 0, lambda body: body.pop("entitlement_feature")),
        ("/v1/billing/alerts", 0, lambda body: body["usage_threshold"].update(recurrence="monthly")),
        ("/v1/billing/credit_grants", 0, lambda body: body["amount"].update(type="units")),
    ],
)
def test_the_schema_would_see_a_slip(path: str, number: int, slip: Callable[[Body], object]) -> None:
    made = document(CAPPED) if "prices" not in path and "meters" not in path else document(EXAMPLE)
    body = deepcopy([each for to, each in requests(made) if to == path][number])
    slip(body)
    assert refused(path, body)


# What Stripe would bill

UNIT_DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3, "ISK": 2, "UGX": 2, "MGA": 0}
"""The decimals of the unit that Stripe counts in, from its page on currencies."""


def away(amount: Fraction) -> int:
    """Rounded to a whole number, ties away from zero."""
    return floor(amount + Fraction(1, 2)) if amount >= 0 else -floor(-amount + Fraction(1, 2))


def stripe_lines(price: Body, used: Fraction) -> list[int]:
    """The lines of an invoice in minor units, as the reference of the API describes them."""
    quantity = used if price["recurring"]["usage_type"] == "metered" else Fraction(1)
    if price["billing_scheme"] == "per_unit":
        transform = price.get("transform_quantity")
        if transform:
            quantity /= transform["divide_by"]
            quantity = Fraction(ceil(quantity) if transform["round"] == "up" else floor(quantity))
        return [away(quantity * decimal(price["unit_amount_decimal"]))]
    lines, lower = [], Fraction(0)
    for tier in price["tiers"]:
        upper = None if tier["up_to"] == "inf" else Fraction(tier["up_to"])
        assert upper is None or upper > lower, "bounds have to rise"
        last = upper is None or quantity <= upper
        if price["tiers_mode"] == "graduated" or last:
            top = quantity if upper is None or last else upper
            units = top - lower if price["tiers_mode"] == "graduated" else quantity
            lines.append(away(units * decimal(tier["unit_amount_decimal"])))
            lines.append(away(decimal(tier.get("flat_amount_decimal", "0"))))
        if upper is None or last:
            return lines
        lower = upper
    raise AssertionError("Stripe wants the last tier to be inf")


def decimal(text: str) -> Fraction:
    """An amount as the API takes it."""
    assert re.fullmatch(r"\d+(\.\d{1,12})?", text), text
    return Fraction(text)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Prices of a few small bounds, nearly all of which Stripe can have."""
    currency = draw(st.sampled_from(sorted(UNIT_DIGITS)))
    decimals = {"EUR": 7, "JPY": 4, "KWD": 2}.get(currency, 0)
    unit = st.integers(0, 3 * 10**decimals).map(lambda count: D(count).scaleb(-decimals))
    fee = st.integers(0, 500).map(lambda count: D(count).scaleb(0 if decimals in {0, 4} else -2))
    shape = draw(st.sampled_from(["packages", "one tier", "several tiers"]))
    bounds = st.sets(st.integers(1, 30), min_size=1, max_size=4) if shape == "several tiers" else st.just(set[int]())
    ends: list[Decimal | None] = [*map(D, sorted(draw(bounds))), None]
    mode = draw(st.sampled_from(list(TierMode)))
    free = shape == "one tier" or (shape == "several tiers" and mode is TierMode.GRADUATED)
    flat = st.just(None) if shape == "packages" else st.none() | fee
    return Price(
        model=PriceModel.COMBINED,
        currency=currency,
        base_fee=draw(fee),
        included_units=D(draw(st.integers(0, 40))) if free else D(0),
        tier_mode=mode,
        tiers=tuple(Tier(up_to=end, unit_amount=draw(st.none() | unit), flat_amount=draw(flat)) for end in ends),
        package_size=D(draw(st.integers(1, 12))) if shape == "packages" else None,
        package_rounding=draw(st.sampled_from([Rounding.UP, Rounding.DOWN])),
    )


@settings(max_examples=300)
@given(prices(), st.one_of(st.integers(0, 45).map(D), st.decimals(0, 45, places=3), st.integers(0, 10**15).map(D)))
def test_stripe_would_bill_the_same_lines(price: Price, quantity: Decimal) -> None:
    whole = quantity == int(quantity)
    billed = meter(price, precision=0 if whole else 3)
    out = Diagnostics()
    stripe.check(Program(meters=(billed,)), out)
    assume(not out.has_errors)
    lines = [
        Fraction(line, 10 ** UNIT_DIGITS[price.currency])
        for body in document(price, precision=billed.precision)["prices"]
        for line in stripe_lines(body, Fraction(quantity))
    ]
    ours = price_usage(price, quantity)
    assert sorted(line for line in lines if line) == sorted(Fraction(line.amount) for line in ours.lines if line.amount)
    assert sum(lines) == Fraction(ours.amount)


# What Stripe cannot have


def found_at_stripe(text: str) -> list[Diagnostic]:
    """What only Stripe finds wrong with a spec."""
    program, found = check_text(text)
    assert program is not None and not [each.message for each in found]
    out = Diagnostics()
    stripe.check(program, out)
    return list(out)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_bad_spec_of_a_rule_has_this_finding_alone(rule: Rule) -> None:
    assert [each.code for each in found_at_stripe(rule.bad)] == [rule.code]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_good_spec_of_a_rule_has_no_finding(rule: Rule) -> None:
    assert found_at_stripe(rule.good) == []


def spec(
    *billing: str, aggregate: str = 'fn = "COUNT", window = "billing_cycle"', groups: str = "", top: str = ""
) -> str:
    size = '{ type = "integer", required = true, min = 0, max = 1000 }'
    region = '{ type = "string", required = true, values = ["eu", "us"] }'
    return "\n".join(
        [
            f'families = [{{ name = "api.call", schema.size = {size}, schema.region = {region} }}]',
            "[[meters]]",
            'name = "calls"',
            'kind = "billing"',
            top,
            'source = { kind = "family", family = "api.call" }',
            f'aggregate = {{ {aggregate}, group_by = ["customer_id"{groups}] }}',
            "[meters.billing]",
            *(billing or ('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1")),
        ]
    )


def usage(*lines: str, currency: str = "EUR", **more: str) -> str:
    return spec('model = "usage"', f'currency = "{currency}"', *lines, **more)


SUM = 'fn = "SUM", value = "size", window = "billing_cycle"'
TIERS = 'tiers = [{{ up_to = {}, unit_amount = 1 }}, {{ up_to = "infinity", unit_amount = 0.5 }}]'


@pytest.mark.parametrize(
    ("text", "code", "where", "message", "hint"),
    [
        *(
            (
                spec(aggregate=f'fn = "{function}", value = "size", window = "billing_cycle"'),
                "MS620",
                f'"{function}"',
                f"{function} has no formula at Stripe: meter `calls` is billed by the last value that is sent",
                "send its usage until the period has ended: `stripe/usage_export`",
            )
            for function in ("MAX", "MIN", "AVG", "FIRST", "UNIQUE")
        ),
        *(
            (
                spec(aggregate=f'fn = "{function}", value = "size", window = "billing_cycle"', groups=', "region"'),
                "MS600",
                '["customer_id", "region"]',
                f"stripe cannot express {function} by more than the customer, which meter `calls` uses",
                "group by the customer alone",
            )
            for function in ("LAST",)
        ),
        (
            spec(aggregate='fn = "COUNT", window = { kind = "calendar", unit = "month", timezone = "Europe/Berlin" }'),
            "MS600",
            '{ kind = "calendar", unit = "month", timezone = "Europe/Berlin" }',
            "stripe cannot express windows in a time zone, which meter `calls` uses",
            'write `window = "billing_cycle"`',
        ),
        (
            usage("unit_amount = 1", 'rates = [{ match = { region = "eu" }, unit_amount = 1 }]', groups=', "region"'),
            "MS610",
            '[{ match = { region = "eu" }, unit_amount = 1 }]',
            "the price of meter `calls` has rates by dimension, and Stripe does not",
            "write a meter for each rate, with a `filter` such as `region == 'eu'` and a price of its own",
        ),
        (
            spec('model = "prepaid"', 'currency = "EUR"', "credits = { pack = 1000, price = 90, refill_below = 50 }"),
            "MS624",
            "{ pack = 1000, price = 90, refill_below = 50 }",
            "the packs of meter `calls` are credits of money at Stripe: 90.00 EUR for each, 0.09 a unit",
            "sell packs and grant their credits from your application, by the body `credit_grant`",
        ),
        (
            spec('model = "prepaid"', 'currency = "EUR"', "credits = { pack = 7, price = 90 }"),
            "MS610",
            "90",
            "the price of meter `calls` has packs whose units have no exact price, and Stripe does not",
            "write a price that the units of a pack divide into at most 12 decimals of the minor unit",
        ),
        (
            spec('model = "prepaid"', 'currency = "EUR"', "credits = { pack = 7, price = 0 }"),
            "MS610",
            "0",
            "the price of meter `calls` has packs that cost nothing, and Stripe does not",
            "write `included_units`, which are free in every period",
        ),
        (
            usage("unit_amount = 1", "brim_at = 2.5"),
            "MS622",
            "2.5",
            f"`brim_at = 2.5` of meter `calls` has no alert at Stripe: it is not a whole number from 1 to {2**53 - 1}",
            "ask `meterspec status` in each period",
        ),
        (
            spec('model = "flat"', 'currency = "EUR"', "base_fee = 5", "brim_at = 10"),
            "MS622",
            "10",
            "`brim_at = 10` of meter `calls` has no alert at Stripe: a flat price has no billing meter",
            "ask `meterspec status` in each period",
        ),
        (
            usage("unit_amount = 1", "maximum_amount = 50"),
            "MS610",
            "50",
            "the price of meter `calls` has a maximum amount, and Stripe does not",
            "end the tiers with one of `unit_amount = 0`",
        ),
        (
            usage(TIERS.format("2.5")),
            "MS610",
            "2.5",
            "the price of meter `calls` has a fraction of a unit as a bound, and Stripe does not",
            "write a whole number, or count in a smaller unit",
        ),
        (
            usage("unit_amount = 1", "included_units = 0.5"),
            "MS610",
            "0.5",
            "the price of meter `calls` has a fraction of a unit as a bound, and Stripe does not",
            "write a whole number, or count in a smaller unit",
        ),
        (
            usage(TIERS.format("9007199254740992")),
            "MS610",
            "9007199254740992",
            "the price of meter `calls` has a bound of more than 9007199254740991 units, and Stripe does not",
            "write a smaller number, or count in a larger unit",
        ),
        (
            usage("unit_amount = 1", "package_size = 1e19"),
            "MS610",
            "1e19",
            "the price of meter `calls` has a package of more than 9007199254740991 units, and Stripe does not",
            "write a smaller number, or count in a larger unit",
        ),
        (
            usage("unit_amount = 1_000_000"),
            "MS617",
            "1_000_000",
            "`unit_amount` is 100000000 in the minor unit of EUR; a payment at Stripe has at most 8 digits",
            "have the invoice paid in several payments, or write a smaller amount",
        ),
        (
            usage(TIERS.format("2"), "package_size = 1000"),
            "MS610",
            "1000",
            "the price of meter `calls` has packages beside tiers, and Stripe does not",
            "write one `unit_amount`, or leave out `package_size`",
        ),
        (
            usage("unit_amount = 1", "package_size = 1000", "included_units = 7"),
            "MS610",
            "7",
            "the price of meter `calls` has packages beside included units, and Stripe does not",
            "leave out `included_units` or `package_size`",
        ),
        (
            usage("unit_amount = 1", "package_size = 0.5"),
            "MS610",
            "0.5",
            "the price of meter `calls` has a fraction of a unit as a package, and Stripe does not",
            "write a whole number, or count in a smaller unit",
        ),
        (
            usage(TIERS.format("2"), 'tier_mode = "volume"', "included_units = 1"),
            "MS610",
            "1",
            "the price of meter `calls` has included units beside volume tiers, and Stripe does not",
            'leave them out, or write `tier_mode = "graduated"`',
        ),
        (
            usage("unit_amount = 0.000000000000001"),
            "MS611",
            "0.000000000000001",
            "`unit_amount` is 0.0000000000001 in the minor unit of EUR: 13 decimals, and Stripe keeps 12",
            "price a package of units with `package_size`",
        ),
        (
            usage("unit_amount = 1.005", currency="KWD"),
            "MS614",
            "1.005",
            "`unit_amount` is 1.005, and Stripe takes KWD in multiples of 0.01",
            "write 1.00 or 1.01",
        ),
        (
            usage("unit_amount = 1", currency="UGX", aggregate=SUM),
            "MS614",
            "[[meters]]",
            "meter `calls` counts parts of a unit, and Stripe takes UGX in multiples of 1",
            "write `precision = 0`",
        ),
        (
            usage("unit_amount = 1.01", currency="KWD"),
            "MS669",
            '"KWD"',
            "amounts in KWD are sent to Stripe in thousandths, as its page of currencies had it until 2025",
            "look at the amount of one price in the dashboard before anybody is billed",
        ),
        (
            spec('model = "flat"', 'currency = "MGA"', "base_fee = 0.5"),
            "MS614",
            "0.5",
            "`base_fee` is 0.50, and Stripe takes MGA in multiples of 1",
            "write 1",
        ),
    ],
)
def test_a_finding_says_what_where_and_what_to_write(
    text: str, code: str, where: str, message: str, hint: str | None
) -> None:
    (found,) = (each for each in found_at_stripe(text) if code == "MS669" or each.code != "MS669")
    assert found.at is not None
    assert (found.code, found.at.span().text, found.message, found.hint) == (code, where, message, hint)


@pytest.mark.parametrize(
    "text",
    [
        usage("unit_amount = 1", currency="UGX", aggregate=SUM, top="precision = 0"),
        usage("unit_amount = 1", currency="UGX"),
        usage("unit_amount = 1", top="filter = \"event_time.getHours('Europe/Berlin') < 8\""),
        usage(TIERS.format("2"), groups=', "region"'),
        usage("tiers = [{ up_to = 'infinity', unit_amount = 1 }]", 'tier_mode = "volume"', "included_units = 7"),
    ],
)
def test_what_stripe_bills_alike_is_not_refused(text: str) -> None:
    text = text.replace("'infinity'", '"infinity"')
    assert found_at_stripe(text) == []


def test_more_than_a_hundred_tiers_are_doubtful() -> None:
    tiers = [Tier(up_to=D(end), unit_amount=D(1)) for end in range(1, 101)]
    price = replace(BY_THE_UNIT, tiers=(*tiers, Tier(up_to=None, unit_amount=D(1))))
    out = Diagnostics()
    stripe.check(Program(meters=(meter(price),)), out)
    assert [(each.code, each.message) for each in out] == [
        ("MS615", "the price of meter `acme.api-calls` has 101 tiers at Stripe, and up to 100 are known to work")
    ]
