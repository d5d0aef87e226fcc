"""The bodies for Stripe as resources of the Terraform provider `stripe/stripe`, in Terraform's JSON syntax."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from meterspec.backends.stripe.bodies import DIGEST, VALUE_KEY, Usage, document
from meterspec.ir import Meter

__all__ = ["PROVIDER", "REQUIRED", "configuration"]

PROVIDER = {"source": "stripe/stripe", "version": "~> 0.3.0"}
"""A provider before 1.0 may take other arguments from one minor version to the next."""
REQUIRED = ">= 1.11"
"""The first Terraform with arguments that are only written, as `transfer_lookup_key` is."""

Body = dict[str, Any]


def configuration(meters: Iterable[Meter], usage: Usage) -> Body:
    """A module that holds the resources of billing meters with a price; `usage` is how usage is sent."""
    found: dict[str, Body] = {}
    for meter in meters:
        for kind, name, body in _resources(meter, usage):
            found.setdefault(kind, {})[name] = body
    return {"resource": found, "terraform": {"required_providers": {"stripe": PROVIDER}, "required_version": REQUIRED}}


def _resources(meter: Meter, usage: Usage) -> Iterator[tuple[str, str, Body]]:
    """The resources of a meter, each with its type and its name, which is unique among those of its type."""
    name, made = meter.sql_name, _literal(document(meter, usage))
    if made["meter"] is not None:
        yield "stripe_billing_meter", name, _meter(made["meter"])
    product = {key: value for key, value in made["product"].items() if key != "id"}
    yield "stripe_product", name, _owned(product)
    for price in made["prices"]:
        role = price["lookup_key"].rpartition(":")[2].replace("-", "_")
        yield "stripe_price", f"{name}_{role}", _price(price, name)
    if "feature" in made:
        yield "stripe_entitlements_feature", name, _owned(made["feature"])
        both = {"entitlement_feature": _id("stripe_entitlements_feature", name), "product": _id("stripe_product", name)}
        yield "stripe_product_feature", name, both
    if "alert" in made:
        threshold = {**made["alert"]["usage_threshold"], "meter": _id("stripe_billing_meter", name)}
        yield "stripe_billing_alert", name, {**made["alert"], "usage_threshold": threshold}


def _meter(meter: Body) -> Body:
    """A meter that Terraform never replaces: the old one would keep the event name, and what it counted would be lost.

    The value's key is said for a count too. Stripe answers with one, and the provider takes an answer that says more
    than the configuration for a fault of its own.
    """
    value = {"event_payload_key": VALUE_KEY}
    return {"value_settings": value, **meter, "lifecycle": {"prevent_destroy": True}}


def _price(price: Body, name: str) -> Body:
    """A price that is made before the one it replaces goes, and takes over its lookup key."""
    body = {**price, "product": _id("stripe_product", name)}
    if "meter" in price.get("recurring", {}):
        body["recurring"] = {**price["recurring"], "meter": _id("stripe_billing_meter", name)}
    if "tiers" in price:
        body["tiers"] = [{**tier, "up_to": str(tier["up_to"])} for tier in price["tiers"]]
    return {**_owned(body), "lifecycle": {"create_before_destroy": True}, "transfer_lookup_key": True}


def _owned(body: Body) -> Body:
    """A body whose metadata says whose it is, and not what it was made from: Terraform sees a change by itself."""
    return {**body, "metadata": {key: value for key, value in body["metadata"].items() if key != DIGEST}}


def _id(kind: str, name: str) -> str:
    """A reference to the id that Stripe gives to a resource."""
    return f"${{{kind}.{name}.id}}"


def _literal(value: Any) -> Any:
    """A value whose texts mean themselves: `${` and `%{` would begin a template of Terraform's."""
    match value:
        case str():
            return value.replace("${", "$${").replace("%{", "%%{")
        case dict():
            return {key: _literal(each) for key, each in value.items()}
        case list():
            return [_literal(each) for each in value]
        case _:
            return value
