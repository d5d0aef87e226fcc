"""Bodies of the requests that create what a billing meter needs at Stripe (API 2025-03-31 and later)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from typing import NamedTuple

from meterspec.currencies import digits, stripe_digits
from meterspec.ir import CalendarUnit, Function, Meter, Price, PriceModel, Rounding, Tier, TierMode

__all__ = [
    "CUSTOMER_KEY",
    "DESCRIPTION",
    "DIGEST",
    "FEATURE_ID",
    "FEATURE_TEXT",
    "LARGEST",
    "METER_ID",
    "OWNER",
    "ROLE",
    "UNIT_LABEL",
    "VALUE_KEY",
    "Body",
    "Usage",
    "alert_at",
    "billed",
    "content_hash",
    "document",
    "feature_key",
    "formula",
    "minor_units",
    "pack_unit_amount",
    "steps",
    "unit_tiers",
]

METER_ID = "${meter.id}"
"""Stands for the id that Stripe gives to the meter. Stripe refuses it, so a body that lacks the real one fails."""
FEATURE_ID = "${feature.id}"
"""Stands for the id that Stripe gives to the feature."""
PRICE_ID = "${price.id}"
"""Stands for the id of the usage price, in the template of a credit grant."""
CUSTOMER_ID = "${customer.id}"
"""Stands for the id of the customer who bought a pack, in the template of a credit grant."""

CUSTOMER_KEY = "stripe_customer_id"
"""The key of the payload of a meter event that holds the customer's id at Stripe."""
VALUE_KEY = "value"
"""The key of the payload that holds the value."""
OWNER = "meterspec_meter"
"""The key of the metadata that says which meter of a spec an object is for."""
ROLE = "meterspec_price"
"""The key of the metadata that says which of the prices of a meter a price is."""
DIGEST = "meterspec_digest"
"""The key of the metadata that tells what the object was created from, so that a later change of it is seen."""


class Usage(StrEnum):
    """How usage is sent: that of each event, or what each customer used in each day, which a later total replaces."""

    EVENT = "event"
    DAY = "day"


_USAGE, _BASE_FEE, _PACK = "usage", "base-fee", "pack"
_INTERVALS = {CalendarUnit.MONTH: ("month", 1), CalendarUnit.QUARTER: ("month", 3), CalendarUnit.YEAR: ("year", 1)}
UNIT_LABEL = 12
"""The most characters of a unit's label."""
DESCRIPTION = 40_000
"""The most characters of a product's description."""
FEATURE_TEXT = 80
"""The most characters of a feature's name, and of its key."""

Body = dict[str, object]

LARGEST = 2**53 - 1
"""The greatest whole number that is sure to be kept."""
_ZERO = Decimal(0)
_WIDE = Context(prec=100)


class Step(NamedTuple):
    """A tier as Stripe has it: no included units beside it."""

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal


def document(meter: Meter, usage: Usage = Usage.EVENT) -> Body:
    """The bodies of the requests for a billing meter, by what they create.

    A flat price has no meter, since it does not look at usage. `feature`, `product_feature`, `alert` and `credit_grant`
    are there where the price has a limit, a soft cap or credits.
    """
    price = meter.price
    assert price is not None
    product = _product(meter)
    prices = [] if price.model is PriceModel.FLAT else [_usage_price(meter, price, product)]
    if price.base_fee or price.model is PriceModel.FLAT:
        prices.append(_base_fee_price(meter, price, product))
    if price.credits is not None:
        prices.append(_pack_price(meter, price, product))
    made: Body = {
        "meter": None if price.model is PriceModel.FLAT else _meter(meter, usage),
        "product": product,
        "prices": prices,
    }
    if meter.entitlement.limit is not None:
        made["feature"] = _feature(meter, meter.entitlement.limit)
        made["product_feature"] = {"entitlement_feature": FEATURE_ID}
    if (level := alert_at(meter)) is not None:
        made["alert"] = _alert(meter, level)
    if price.credits is not None:
        made["credit_grant"] = _credit_grant(meter, price)
    return made


def content_hash(documents: Sequence[Body]) -> str:
    """Tells the Stripe configuration of one program from that of any other: 64 hexadecimal digits."""
    return sha256(_canonical(list(documents)).encode()).hexdigest()


def formula(meter: Meter, usage: Usage) -> str:
    """How Stripe makes a quantity of the events it is sent.

    Counts and sums are added up there; whatever Stripe has no formula for is computed here, and the last value sent
    counts. Of a day, a count is a number to add up.
    """
    function = meter.aggregate.function if meter.aggregate is not None else None
    if function is Function.COUNT:
        return "count" if usage is Usage.EVENT else "sum"
    return "sum" if function is Function.SUM else "last"


def alert_at(meter: Meter) -> int | None:
    """The usage that Stripe can alert at for `brim_at`; None where it cannot, or there is none."""
    level = meter.entitlement.brim_at
    if level is None or meter.price is None or meter.price.model is PriceModel.FLAT:
        return None
    return int(level) if level > 0 and level == level.to_integral_value() and level <= LARGEST else None


def feature_key(meter: Meter) -> str:
    """The lookup key of the feature that a limit becomes."""
    return f"meterspec:{meter.name}"


def pack_unit_amount(price: Price) -> Decimal | None:
    """What one unit of a pack costs, in major units; None where that is no decimal of at most 100 digits."""
    assert price.credits is not None
    amount = Fraction(price.credits.price) / Fraction(price.credits.pack)
    try:
        return Context(prec=100, traps=[Inexact]).divide(Decimal(amount.numerator), Decimal(amount.denominator))
    except Inexact:
        return None


def unit_tiers(price: Price) -> tuple[Tier, ...]:
    """The tiers that usage is priced at; prepaid usage costs what the units of a pack cost, and is paid by credits."""
    if price.model is not PriceModel.PREPAID:
        return price.tiers
    return (Tier(up_to=None, unit_amount=pack_unit_amount(price)),)


def steps(price: Price) -> Iterator[Step]:
    """The tiers, with the included units as steps that cost nothing; a flat fee stays where its tier begins."""
    included, lower = price.included_units, _ZERO
    for tier in unit_tiers(price):
        amount, flat = tier.unit_amount or _ZERO, tier.flat_amount or _ZERO
        if lower < included and (tier.up_to is None or included < tier.up_to):
            yield Step(included, _ZERO, flat)
            flat = _ZERO
        elif lower < included:
            amount = _ZERO
        yield Step(tier.up_to, amount, flat)
        lower = lower if tier.up_to is None else tier.up_to


def billed(fee: Decimal, currency: str) -> Decimal:
    """A fee as its line on the invoice has it: in whole minor units of the currency."""
    return fee.quantize(Decimal(1).scaleb(-digits(currency)), ROUND_HALF_UP, _WIDE)


def minor_units(amount: Decimal, currency: str) -> str:
    """An amount in the unit that Stripe takes, in fixed-point notation."""
    decimals = stripe_digits(currency)
    assert decimals is not None
    text = f"{amount.scaleb(decimals, _WIDE):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _meter(meter: Meter, usage: Usage) -> Body:
    chosen = formula(meter, usage)
    body: Body = {
        "customer_mapping": {"event_payload_key": CUSTOMER_KEY, "type": "by_id"},
        "default_aggregation": {"formula": chosen},
        "display_name": meter.name,
        "event_name": meter.name,
    }
    if usage is Usage.DAY and chosen == "sum":
        body["event_time_window"] = "day"
    if chosen != "count":
        body["value_settings"] = {"event_payload_key": VALUE_KEY}
    return body


def _product(meter: Meter) -> Body:
    body: Body = {"id": f"meterspec_{meter.sql_name}", "name": meter.name}
    if meter.description and len(meter.description) <= DESCRIPTION:
        body["description"] = meter.description
    if meter.unit and len(meter.unit) <= UNIT_LABEL:
        body["unit_label"] = meter.unit
    return _owned(meter, body)


def _usage_price(meter: Meter, price: Price, product: Body) -> Body:
    body = _price(meter, price, product, _USAGE)
    body["recurring"] = {**_recurring(price), "meter": METER_ID, "usage_type": "metered"}
    tiers = list(steps(price))
    if len(tiers) == 1 and not tiers[0].flat_amount:
        body["billing_scheme"] = "per_unit"
        body["unit_amount_decimal"] = minor_units(tiers[0].unit_amount, price.currency)
        if price.package_size is not None:
            rounding = "up" if price.package_rounding is Rounding.UP else "down"
            body["transform_quantity"] = {"divide_by": int(price.package_size), "round": rounding}
        return _owned(meter, body, **{ROLE: _USAGE})
    volume = price.tier_mode is TierMode.VOLUME and len(price.tiers) > 1
    body["billing_scheme"] = "tiered"
    body["tiers_mode"] = "volume" if volume else "graduated"
    body["tiers"] = [_tier(step, price.currency) for step in tiers]
    return _owned(meter, body, **{ROLE: _USAGE})


def _tier(step: Step, currency: str) -> Body:
    body: Body = {
        "unit_amount_decimal": minor_units(step.unit_amount, currency),
        "up_to": "inf" if step.up_to is None else int(step.up_to),
    }
    if step.flat_amount:
        body["flat_amount_decimal"] = minor_units(billed(step.flat_amount, currency), currency)
    return body


def _base_fee_price(meter: Meter, price: Price, product: Body) -> Body:
    body = _price(meter, price, product, _BASE_FEE)
    body["recurring"] = {**_recurring(price), "usage_type": "licensed"}
    body["billing_scheme"] = "per_unit"
    body["unit_amount_decimal"] = minor_units(billed(price.base_fee, price.currency), price.currency)
    return _owned(meter, body, **{ROLE: _BASE_FEE})


def _pack_price(meter: Meter, price: Price, product: Body) -> Body:
    """What a pack is bought at: once, whenever the application sells one."""
    assert price.credits is not None
    body = _price(meter, price, product, _PACK)
    body["billing_scheme"] = "per_unit"
    body["unit_amount_decimal"] = minor_units(billed(price.credits.price, price.currency), price.currency)
    return _owned(meter, body, **{ROLE: _PACK})


def _price(meter: Meter, price: Price, product: Body, role: str) -> Body:
    return {
        "currency": price.currency.lower(),
        "lookup_key": f"meterspec:{meter.name}:{role}",
        "product": product["id"],
    }


def _recurring(price: Price) -> Body:
    interval, count = _INTERVALS[price.interval]
    return {"interval": interval, "interval_count": count}


def _feature(meter: Meter, limit: Decimal) -> Body:
    body: Body = {"lookup_key": feature_key(meter), "name": meter.name}
    return _owned(meter, body, meterspec_limit=f"{limit:f}")


def _alert(meter: Meter, level: int) -> Body:
    return {
        "alert_type": "usage_threshold",
        "title": f"meterspec:{meter.name}:brim",
        "usage_threshold": {"gte": level, "meter": METER_ID, "recurrence": "one_time"},
    }


def _credit_grant(meter: Meter, price: Price) -> Body:
    """What a customer who bought a pack is granted: a template, since it names the customer."""
    assert price.credits is not None
    value = int(minor_units(billed(price.credits.price, price.currency), price.currency))
    return {
        "amount": {"monetary": {"currency": price.currency.lower(), "value": value}, "type": "monetary"},
        "applicability_config": {"scope": {"prices": [{"id": PRICE_ID}]}},
        "category": "paid",
        "customer": CUSTOMER_ID,
        "metadata": {OWNER: meter.name},
        "name": meter.name,
    }


def _owned(meter: Meter, body: Body, **further: str) -> Body:
    """The body with the metadata that says whose it is, and what it was made from."""
    metadata = {OWNER: meter.name, **further}
    digest = sha256(_canonical({**body, "metadata": metadata}).encode()).hexdigest()[:16]
    return {**body, "metadata": {**metadata, DIGEST: digest}}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
