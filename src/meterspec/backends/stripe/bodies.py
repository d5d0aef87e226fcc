"""Bodies of the requests that create a meter, its product and its prices at Stripe (API 2025-03-31 and later)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from meterspec.currencies import digits, stripe_digits
from meterspec.ir import CalendarUnit, Function, Meter, Price, PriceModel, Rounding, TierMode

__all__ = ["DESCRIPTION", "METER_ID", "UNIT_LABEL", "billed", "document", "minor_units", "steps"]

METER_ID = "${meter.id}"
"""Stands for the id that Stripe gives to the meter. Stripe refuses it, so a body that lacks the real one fails."""

_FORMULAS = {Function.COUNT: "count", Function.SUM: "sum", Function.LAST: "last"}
_INTERVALS = {CalendarUnit.MONTH: ("month", 1), CalendarUnit.QUARTER: ("month", 3), CalendarUnit.YEAR: ("year", 1)}
UNIT_LABEL = 12
"""The most characters of a unit's label."""
DESCRIPTION = 40_000
"""The most characters of a product's description."""

Body = dict[str, object]

_ZERO = Decimal(0)
_WIDE = Context(prec=100)


class Step(NamedTuple):
    """A tier as Stripe has it: no included units beside it."""

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal


def document(meter: Meter) -> Body:
    """What is created for a billing meter; a flat price has no meter, since it does not look at usage."""
    price = meter.price
    assert price is not None
    product = _product(meter)
    prices = [] if price.model is PriceModel.FLAT else [_usage_price(meter, price, product)]
    if price.base_fee or price.model is PriceModel.FLAT:
        prices.append(_base_fee_price(meter, price, product))
    return {"meter": None if price.model is PriceModel.FLAT else _meter(meter), "product": product, "prices": prices}


def steps(price: Price) -> Iterator[Step]:
    """The tiers, with the included units as steps that cost nothing; a flat fee stays where its tier begins."""
    included, lower = price.included_units, _ZERO
    for tier in price.tiers:
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


def _meter(meter: Meter) -> Body:
    assert meter.aggregate is not None
    formula = _FORMULAS[meter.aggregate.function]
    body: Body = {
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": formula},
        "display_name": meter.name,
        "event_name": meter.name,
    }
    if formula != "count":
        body["value_settings"] = {"event_payload_key": "value"}
    return body


def _product(meter: Meter) -> Body:
    body: Body = {"id": f"meterspec_{meter.sql_name}", "metadata": _metadata(meter), "name": meter.name}
    if meter.description and len(meter.description) <= DESCRIPTION:
        body["description"] = meter.description
    if meter.unit and len(meter.unit) <= UNIT_LABEL:
        body["unit_label"] = meter.unit
    return body


def _usage_price(meter: Meter, price: Price, product: Body) -> Body:
    body = _price(meter, price, product, "usage")
    body["recurring"] = {**_recurring(price), "meter": METER_ID, "usage_type": "metered"}
    tiers = list(steps(price))
    if len(tiers) == 1 and not tiers[0].flat_amount:
        body["billing_scheme"] = "per_unit"
        body["unit_amount_decimal"] = minor_units(tiers[0].unit_amount, price.currency)
        if price.package_size is not None:
            rounding = "up" if price.package_rounding is Rounding.UP else "down"
            body["transform_quantity"] = {"divide_by": int(price.package_size), "round": rounding}
        return body
    volume = price.tier_mode is TierMode.VOLUME and len(price.tiers) > 1
    body["billing_scheme"] = "tiered"
    body["tiers_mode"] = "volume" if volume else "graduated"
    body["tiers"] = [_tier(step, price.currency) for step in tiers]
    return body


def _tier(step: Step, currency: str) -> Body:
    body: Body = {
        "unit_amount_decimal": minor_units(step.unit_amount, currency),
        "up_to": "inf" if step.up_to is None else int(step.up_to),
    }
    if step.flat_amount:
        body["flat_amount_decimal"] = minor_units(billed(step.flat_amount, currency), currency)
    return body


def _base_fee_price(meter: Meter, price: Price, product: Body) -> Body:
    body = _price(meter, price, product, "base-fee")
    body["recurring"] = {**_recurring(price), "usage_type": "licensed"}
    body["billing_scheme"] = "per_unit"
    body["unit_amount_decimal"] = minor_units(billed(price.base_fee, price.currency), price.currency)
    return body


def _price(meter: Meter, price: Price, product: Body, role: str) -> Body:
    return {
        "currency": price.currency.lower(),
        "lookup_key": f"meterspec:{meter.name}:{role}",
        "metadata": _metadata(meter),
        "product": product["id"],
    }


def _recurring(price: Price) -> Body:
    interval, count = _INTERVALS[price.interval]
    return {"interval": interval, "interval_count": count}


def _metadata(meter: Meter) -> Body:
    return {"meterspec_meter": meter.name}
