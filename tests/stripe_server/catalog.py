"""Products, their prices, and the features that entitle to something: what sells, and what of it can never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tests.stripe_server.account import Account, Object, Params, endpoint, metadata, newest_first
from tests.stripe_server.errors import (
    lookup_key_taken,
    missing,
    only_one,
    product_has_prices,
    refused,
    required,
    tier_without_amount,
)
from tests.stripe_server.lists import created, page, search

LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""The most intervals between two bills: three years, https://docs.stripe.com/api/prices/create."""

MOST_LOOKUP_KEYS = 10


# Products


@endpoint("POST", "/v1/products")
def create_product(account: Account, _: dict[str, str], params: Params) -> Object:
    if "default_price_data" in params:
        raise refused("This server makes no default prices.", "default_price_data")
    return _add_product(account, params)


def _add_product(account: Account, params: Params) -> Object:
    if (id := params.get("id")) in account.all("product"):
        raise refused("Product already exists.", "id", "resource_already_exists")
    return account.add(
        "product",
        "prod",
        {
            "active": params.get("active", True),
            "created": account.now,
            "default_price": None,
            "description": params.get("description"),
            "images": params.get("images", []),
            "marketing_features": params.get("marketing_features", []),
            "metadata": metadata({}, params.get("metadata")),
            "name": params["name"],
            "package_dimensions": params.get("package_dimensions"),
            "shippable": params.get("shippable"),
            "statement_descriptor": params.get("statement_descriptor"),
            "tax_code": params.get("tax_code"),
            "type": params.get("type", "service"),
            "unit_label": params.get("unit_label"),
            "updated": account.now,
            "url": params.get("url"),
        },
        id=id,
    )


@endpoint("POST", "/v1/products/{id}")
def update_product(account: Account, ids: dict[str, str], params: Params) -> Object:
    product = account.get("product", ids["id"])
    changed = {key: value for key, value in params.items() if key != "expand"}
    if "default_price" in changed:
        price = account.get("price", changed["default_price"], "default_price")
        if price["product"] != product["id"] or not price["active"]:
            raise refused("The default price must be an active price of the product.", "default_price")
    changed["metadata"] = metadata(product["metadata"], params.get("metadata"))
    product.update({key: None if value == "" else value for key, value in changed.items()}, updated=account.now)
    return product


@endpoint("DELETE", "/v1/products/{id}")
def delete_product(account: Account, ids: dict[str, str], _: Params) -> Object:
    product = account.get("product", ids["id"])
    if any(price["product"] == product["id"] for price in account.all("price").values()):
        raise product_has_prices()
    del account.all("product")[product["id"]]
    return {"id": product["id"], "object": "product", "deleted": True}


@endpoint("GET", "/v1/products/{id}")
def retrieve_product(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("product", ids["id"])


@endpoint("GET", "/v1/products")
def list_products(account: Account, _: dict[str, str], params: Params) -> Object:
    same = _equal(params, "active", "shippable", "type", "url")
    within = created(params)
    ids = params.get("ids")
    if ids is not None and {"starting_after", "ending_before"} & set(params):
        raise refused("ids cannot be used with starting_after or ending_before.", "ids")
    found = (p for p in newest_first(account.all("product")) if same(p) and within(p) and (not ids or p["id"] in ids))
    return page(found, params, "/v1/products")


@endpoint("GET", "/v1/products/search")
def search_products(account: Account, _: dict[str, str], params: Params) -> Object:
    return search(account, newest_first(account.all("product")), params, "/v1/products/search")


def _equal(params: Params, *names: str) -> Callable[[Object], bool]:
    wanted = {name: params[name] for name in names if name in params}
    return lambda each: all(each[name] == value for name, value in wanted.items())


# Prices


@endpoint("POST", "/v1/prices")
def create_price(account: Account, _: dict[str, str], params: Params) -> Object:
    if "product" in params and "product_data" in params:
        raise only_one(["product", "product_data"])
    if "product" in params:
        account.get("product", params["product"], "product")
    elif "product_data" not in params:
        raise required("product")
    for unsold in ("custom_unit_amount", "currency_options"):
        if unsold in params:
            raise refused(f"This server knows no {unsold}.", unsold)
    recurring = _recurring(account, params.get("recurring"))
    amounts = _tiered(params) if params.get("billing_scheme") == "tiered" else _per_unit(params)
    details = metadata({}, params.get("metadata"))
    holder = _holder(account, params.get("lookup_key"), params.get("transfer_lookup_key", False))
    product = params["product"] if "product" in params else _add_product(account, params["product_data"])["id"]
    if holder is not None:
        holder["lookup_key"] = None
    return account.add(
        "price",
        "price",
        {
            "active": params.get("active", True),
            "created": account.now,
            "currency": params["currency"],
            "currency_options": None,
            "custom_unit_amount": None,
            "lookup_key": params.get("lookup_key"),
            "metadata": details,
            "nickname": params.get("nickname"),
            "product": product,
            "recurring": recurring,
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "type": "one_time" if recurring is None else "recurring",
            **amounts,
        },
    )


def _recurring(account: Account, given: Params | None) -> Object | None:
    """How a price recurs: a metered one has a meter that takes usage, and no other has one."""
    if given is None:
        return None
    count, interval = given.get("interval_count", 1), given["interval"]
    if not 1 <= count <= LONGEST[interval]:
        raise refused(
            f"Invalid interval_count: must be between 1 and {LONGEST[interval]} for the interval {interval}.",
            "recurring[interval_count]",
        )
    metered = given.get("usage_type", "licensed") == "metered"
    if metered and "meter" not in given:
        raise refused("Prices with usage_type metered must be backed by a meter.", "recurring[meter]")
    if "meter" in given and not metered:
        raise refused("Only prices with usage_type metered can have a meter.", "recurring[usage_type]")
    if metered:
        meter = account.get("billing.meter", given["meter"], "recurring[meter]")
        if meter["status"] != "active":
            raise refused(f"The meter '{meter['id']}' is inactive.", "recurring[meter]", "archived_meter")
        if "trial_period_days" in given:
            raise refused("A metered price has no trial period.", "recurring[trial_period_days]")
    return {
        "interval": interval,
        "interval_count": count,
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type", "licensed"),
    }


def _per_unit(params: Params) -> Object:
    """The amounts of a price per unit, or per package of units."""
    for foreign in ("tiers", "tiers_mode"):
        if foreign in params and "transform_quantity" in params:
            raise only_one(["tiers", "transform_quantity"], "tiers")
        if foreign in params:
            raise refused(f"{foreign} needs billing_scheme=tiered.", foreign)
    amount = _amount(params, "unit_amount", "")
    if amount is None:
        raise required("unit_amount")
    package = params.get("transform_quantity")
    if package is not None and package["divide_by"] < 1:
        raise refused("divide_by must be at least 1.", "transform_quantity[divide_by]")
    return {
        "billing_scheme": "per_unit",
        "tiers": None,
        "tiers_mode": None,
        "transform_quantity": package,
        **_both("unit_amount", amount),
    }


def _tiered(params: Params) -> Object:
    """The amounts of a price in tiers: bounds rise, the last has none, each tier has an amount."""
    if "transform_quantity" in params:
        raise only_one(["tiers", "transform_quantity"])
    for foreign in ("unit_amount", "unit_amount_decimal"):
        if foreign in params:
            raise only_one(["tiers", foreign])
    for needed in ("tiers", "tiers_mode"):
        if not params.get(needed):
            raise required(needed)
    tiers, below = [], 0
    for i, tier in enumerate(params["tiers"]):
        at, bound = f"tiers[{i}]", tier["up_to"]
        last = i == len(params["tiers"]) - 1
        if last != (bound == "inf"):
            raise refused("The last tier, and no other, must have an `up_to` of `inf`.", f"{at}[up_to]")
        if not last and bound <= below:
            raise refused(f"The `up_to` of a tier must be above {below}, that of the tier before.", f"{at}[up_to]")
        below = below if last else bound
        unit, flat = _amount(tier, "unit_amount", at), _amount(tier, "flat_amount", at)
        if unit is None and flat is None:
            raise tier_without_amount()
        if flat is not None and flat.denominator != 1:
            raise refused("A flat amount is a whole number of minor units.", f"{at}[flat_amount_decimal]")
        tiers.append(
            {**_both("flat_amount", flat), **_both("unit_amount", unit), "up_to": None if last else bound},
        )
    return {
        "billing_scheme": "tiered",
        "tiers": tiers,
        "tiers_mode": params["tiers_mode"],
        "transform_quantity": None,
        **_both("unit_amount", None),
    }


def _amount(given: Mapping[str, Any], name: str, at: str) -> Fraction | None:
    """An amount in minor units that was given as a whole number or as a decimal, and not as both."""
    exact = f"{name}_decimal"
    param = f"{at}[{name}]" if at else name
    if name in given and exact in given:
        raise only_one([name, exact], param)
    if name not in given and exact not in given:
        return None
    amount = Fraction(given.get(name, given.get(exact)))
    if amount < 0:
        raise refused("Invalid non-negative integer", param)
    return amount


def _both(name: str, amount: Fraction | None) -> Object:
    """An amount as it is read back: the decimal always, the whole number only where it is one."""
    if amount is None:
        return {name: None, f"{name}_decimal": None}
    whole = amount.numerator if amount.denominator == 1 else None
    return {name: whole, f"{name}_decimal": plain(amount)}


def plain(amount: Fraction) -> str:
    """A decimal of at most 12 places without an exponent, and without trailing zeros."""
    units, part = divmod(amount * 10**12, 10**12)
    assert part.denominator == 1
    return f"{units}.{part.numerator:012d}".rstrip("0").rstrip(".")


def _holder(account: Account, key: str | None, transfer: bool) -> Object | None:
    """The price that has to give its lookup key away, archived or not."""
    if key is None:
        if transfer:
            raise required("lookup_key")
        return None
    holder = next((price for price in account.all("price").values() if price["lookup_key"] == key), None)
    if holder is not None and not transfer:
        raise lookup_key_taken(holder["id"])
    return holder


@endpoint("POST", "/v1/prices/{price}")
def update_price(account: Account, ids: dict[str, str], params: Params) -> Object:
    price = account.get("price", ids["price"], "id")
    if "currency_options" in params:
        raise refused("This server knows no currency_options.", "currency_options")
    if params.get("active") is False and account.get("product", price["product"])["default_price"] == price["id"]:
        raise refused("This price cannot be archived because it is the default price of its product.", "active")
    if (
        price["tax_behavior"] != "unspecified"
        and params.get("tax_behavior", price["tax_behavior"]) != price["tax_behavior"]
    ):
        raise refused("The tax behavior of a price cannot be changed once it is set.", "tax_behavior")
    details = metadata(price["metadata"], params.get("metadata"))
    holder = None
    if "lookup_key" in params and params["lookup_key"] != price["lookup_key"]:
        holder = _holder(account, params["lookup_key"], params.get("transfer_lookup_key", False))
    if holder is not None:
        holder["lookup_key"] = None
    changeable: tuple[str, ...] = ("active", "lookup_key", "nickname", "tax_behavior")
    kept = {key: params[key] for key in changeable if key in params}
    price.update(kept, metadata=details)
    return price


@endpoint("GET", "/v1/prices/{price}")
def retrieve_price(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("price", ids["price"], "id")


@endpoint("GET", "/v1/prices")
def list_prices(account: Account, _: dict[str, str], params: Params) -> Object:
    if len(keys := params.get("lookup_keys", ())) > MOST_LOOKUP_KEYS:
        raise refused(f"You can give up to {MOST_LOOKUP_KEYS} lookup keys.", "lookup_keys")
    # "Returns a list of your active prices. For the list of inactive prices, set active to false."
    wanted = {"active": True, **params}
    same, within = _equal(wanted, "active", "currency", "product", "type"), created(params)
    recurring = params.get("recurring")

    def matches(price: Object) -> bool:
        if "lookup_keys" in params and price["lookup_key"] not in keys:
            return False
        if recurring is not None and (
            price["recurring"] is None or not _equal(recurring, *recurring)(price["recurring"])
        ):
            return False
        return same(price) and within(price)

    return page(filter(matches, newest_first(account.all("price"))), params, "/v1/prices")


@endpoint("GET", "/v1/prices/search")
def search_prices(account: Account, _: dict[str, str], params: Params) -> Object:
    return search(account, newest_first(account.all("price")), params, "/v1/prices/search")


# Features


@endpoint("POST", "/v1/entitlements/features")
def create_feature(account: Account, _: dict[str, str], params: Params) -> Object:
    # The key of an archived feature is free again.
    for feature in account.all("entitlements.feature").values():
        if feature["lookup_key"] == params["lookup_key"] and feature["active"]:
            raise refused(f"The feature '{feature['id']}' already uses that lookup key.", "lookup_key")
    return account.add(
        "entitlements.feature",
        "feat",
        {
            "active": True,
            "lookup_key": params["lookup_key"],
            "metadata": metadata({}, params.get("metadata")),
            "name": params["name"],
        },
    )


@endpoint("POST", "/v1/entitlements/features/{id}")
def update_feature(account: Account, ids: dict[str, str], params: Params) -> Object:
    feature = account.get("entitlements.feature", ids["id"])
    if params.get("active") and not feature["active"]:
        raise refused("An archived feature cannot become active again.", "active")
    details = metadata(feature["metadata"], params.get("metadata"))
    feature.update({key: params[key] for key in ("active", "name") if key in params}, metadata=details)
    return feature


@endpoint("GET", "/v1/entitlements/features/{id}")
def retrieve_feature(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("entitlements.feature", ids["id"])


@endpoint("GET", "/v1/entitlements/features")
def list_features(account: Account, _: dict[str, str], params: Params) -> Object:
    wanted = {**params, "active": not params["archived"]} if "archived" in params else params
    found = filter(_equal(wanted, "lookup_key", "active"), newest_first(account.all("entitlements.feature")))
    return page(found, params, "/v1/entitlements/features")


@endpoint("POST", "/v1/products/{product}/features")
def attach_feature(account: Account, ids: dict[str, str], params: Params) -> Object:
    product = account.get("product", ids["product"])
    feature = account.get("entitlements.feature", params["entitlement_feature"], "entitlement_feature")
    if not feature["active"]:
        raise refused(f"The feature '{feature['id']}' is archived.", "entitlement_feature")
    if any(each["entitlement_feature"] is feature for each in _attached(account, product)):
        raise refused(f"The feature '{feature['id']}' is already attached to the product.", "entitlement_feature")
    there = account.all("product_feature")
    made = account.add("product_feature", "prodft", {"entitlement_feature": feature})
    account.all("product_feature_of")[made["id"]] = product
    assert there[made["id"]] is made
    return made


def _attached(account: Account, product: Object) -> list[Object]:
    owners = account.all("product_feature_of")
    return [each for each in account.all("product_feature").values() if owners[each["id"]] is product]


def _attachment(account: Account, ids: dict[str, str]) -> Object:
    product = account.get("product", ids["product"])
    for each in _attached(account, product):
        if each["id"] == ids["id"]:
            return each
    raise missing("product_feature", ids["id"])


@endpoint("GET", "/v1/products/{product}/features/{id}")
def retrieve_attached(account: Account, ids: dict[str, str], _: Params) -> Object:
    return _attachment(account, ids)


@endpoint("GET", "/v1/products/{product}/features")
def list_attached(account: Account, ids: dict[str, str], params: Params) -> Object:
    product = account.get("product", ids["product"])
    return page(reversed(_attached(account, product)), params, f"/v1/products/{product['id']}/features")


@endpoint("DELETE", "/v1/products/{product}/features/{id}")
def detach_feature(account: Account, ids: dict[str, str], _: Params) -> Object:
    gone = _attachment(account, ids)
    del account.all("product_feature")[gone["id"]]
    return {"id": gone["id"], "object": "product_feature", "deleted": True}
