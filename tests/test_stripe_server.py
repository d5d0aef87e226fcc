"""The Stripe server of the tests, proved through Stripe's own SDK: what it takes, what it refuses, and in which words.

What is proved here is the counterpart. That the compiler's output gets past it is the business of other tests.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import stripe

from tests.conftest import STRIPE_TIME
from tests.stripe_server import Drop, Line, StripeServer, bill
from tests.stripe_server.client import connect, post
from tests.stripe_server.forms import decode

DAY = 86400
Params = dict[str, Any]


def refusal(call: Callable[[], object]) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call()
    return caught.value


SUM: Params = {"default_aggregation": {"formula": "sum"}, "display_name": "Tokens", "event_name": "tokens"}


@pytest.fixture
def catalog(stripe_client: stripe.StripeClient) -> stripe.StripeClient:
    """An account with the meters mtr_000001 (tokens) and mtr_000002 (idle, inactive), prod_000001 and cus_000001."""
    post(stripe_client, "/v1/billing/meters", SUM)
    post(stripe_client, "/v1/billing/meters", {**SUM, "event_name": "idle"})
    post(stripe_client, "/v1/billing/meters/mtr_000002/deactivate", {})
    post(stripe_client, "/v1/products", {"name": "Tokens"})
    post(stripe_client, "/v1/customers", {"name": "Ada"})
    post(stripe_client, "/v1/prices", {**PER_UNIT, "lookup_key": "taken"})
    return stripe_client


METERED = {"interval": "month", "usage_type": "metered", "meter": "mtr_000001"}
PER_UNIT: Params = {"product": "prod_000001", "currency": "eur", "recurring": METERED, "unit_amount_decimal": "0.5"}
INF = {"up_to": "inf", "unit_amount": 1}


def tiered(*tiers: Params, **more: object) -> Params:
    return {
        "product": "prod_000001",
        "currency": "eur",
        "recurring": METERED,
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": list(tiers),
        **more,
    }


ACCEPTED: list[tuple[str, Params]] = [
    ("/v1/billing/meters", {**SUM, "event_name": "a" * 100, "event_time_window": "day"}),
    ("/v1/billing/meters", {**SUM, "event_name": "b", "default_aggregation": {"formula": "count"}}),
    ("/v1/billing/meters", {**SUM, "event_name": "c", "value_settings": {"event_payload_key": "qty"}}),
    ("/v1/products", {"name": "Tokens", "id": "tokens", "unit_label": "k tokens", "metadata": {"spec": "tokens"}}),
    ("/v1/prices", PER_UNIT),
    ("/v1/prices", {**PER_UNIT, "unit_amount_decimal": "0.000000000001"}),
    ("/v1/prices", {**PER_UNIT, "unit_amount_decimal": "0"}),
    ("/v1/prices", {**PER_UNIT, "transform_quantity": {"divide_by": 1000, "round": "up"}}),
    ("/v1/prices", {**PER_UNIT, "lookup_key": "taken", "transfer_lookup_key": True}),
    ("/v1/prices", {**PER_UNIT, "recurring": {"interval": "month"}}),
    ("/v1/prices", {"product": "prod_000001", "currency": "jpy", "unit_amount": 500}),
    ("/v1/prices", {"product_data": {"name": "Other"}, "currency": "eur", "unit_amount": 1}),
    ("/v1/prices", tiered(INF)),
    ("/v1/prices", tiered({"up_to": 1, "flat_amount": 5}, {"up_to": 2, "unit_amount_decimal": "0"}, INF)),
    ("/v1/prices", tiered({"up_to": 1, "flat_amount_decimal": "5.0", "unit_amount": 0}, INF, tiers_mode="volume")),
    ("/v1/entitlements/features", {"lookup_key": "l" * 80, "name": "n" * 80}),
    (
        "/v1/billing/alerts",
        {
            "alert_type": "usage_threshold",
            "title": "Half",
            "usage_threshold": {"gte": 50, "meter": "mtr_000001", "recurrence": "one_time"},
        },
    ),
    (
        "/v1/billing/credit_grants",
        {
            "amount": {"type": "monetary", "monetary": {"currency": "eur", "value": 9000}},
            "applicability_config": {"scope": {"prices": [{"id": "price_000001"}]}},
            "customer": "cus_000001",
            "category": "paid",
        },
    ),
]


@pytest.mark.parametrize(("path", "params"), ACCEPTED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_stripe_takes(catalog: stripe.StripeClient, path: str, params: Params) -> None:
    """The server also holds each of its answers against the schema, so that accepted means answered as Stripe does."""
    assert post(catalog, path, params)["id"]


REFUSED: list[tuple[str, Params, str, str | None]] = [
    # The schema: names, types, lengths.
    ("/v1/products", {}, "Missing required param: name.", "name"),
    ("/v1/products", {"name": "P", "colour": "red"}, "Received unknown parameter: colour", "colour"),
    ("/v1/products", {"name": "P", "a": "1", "b": "2"}, "Received unknown parameters: a, b", "a"),
    ("/v1/products", {"name": "P", "unit_label": "kilowatt hours"}, "must be at most 12 characters", "unit_label"),
    ("/v1/products", {"name": "P", "active": "yes"}, "Invalid boolean: yes", "active"),
    ("/v1/products", {"name": ""}, "You passed an empty string for 'name'", "name"),
    ("/v1/products", {"name": "P", "metadata": "spec"}, "Invalid object", "metadata"),
    ("/v1/products", {"name": "P", "images": "x"}, "Invalid array", "images"),
    ("/v1/products", {"name": "P", "metadata": {"k" * 41: "v"}}, "must be a string under 40 characters", "metadata"),
    ("/v1/products", {"name": "P", "metadata": {"k": "v" * 501}}, "must be a string under 500 characters", "metadata"),
    ("/v1/prices", {**PER_UNIT, "lookup_key": "k" * 201}, "must be at most 200 characters", "lookup_key"),
    ("/v1/prices", {**PER_UNIT, "currency": "EUR"}, "Invalid currency: EUR", "currency"),
    ("/v1/prices", {**PER_UNIT, "currency": "xyz"}, "Invalid currency: xyz", "currency"),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {**METERED, "interval": "quarter"}},
        "Invalid recurring[interval]: must be one of day, month, week, or year",
        "recurring[interval]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {**METERED, "aggregate_usage": "sum"}},
        "Received unknown parameter: recurring[aggregate_usage]",
        "recurring[aggregate_usage]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "unit_amount_decimal": "0.0000000000001"},
        "must contain at maximum 12 decimal places",
        "unit_amount_decimal",
    ),
    ("/v1/prices", {**PER_UNIT, "unit_amount_decimal": "1E-3"}, "Invalid decimal: 1E-3", "unit_amount_decimal"),
    ("/v1/prices", tiered({"unit_amount": 1}), "Missing required param: tiers[0][up_to].", "tiers[0][up_to]"),
    ("/v1/prices", tiered({"up_to": "1.5", "unit_amount": 1}, INF), "Invalid integer: 1.5", "tiers[0][up_to]"),
    ("/v1/prices", tiered({"up_to": "infinity", "unit_amount": 1}), "Invalid integer: infinity", "tiers[0][up_to]"),
    ("/v1/prices", tiered({"up_to": "inf", "unit_amount": "0.5"}), "Invalid integer: 0.5", "tiers[0][unit_amount]"),
    (
        "/v1/billing/meters",
        {**SUM, "event_name": "n", "default_aggregation": {"formula": "max"}},
        "must be one of count, last, or sum",
        "default_aggregation[formula]",
    ),
    ("/v1/billing/meters", {**SUM, "event_name": "n" * 101}, "must be at most 100 characters", "event_name"),
    ("/v1/billing/meters", {**SUM, "event_name": "n", "metadata": {"a": "b"}}, "Received unknown parameter", None),
    # Meters.
    ("/v1/billing/meters", SUM, "The event name 'tokens' belongs to the active meter 'mtr_000001'.", "event_name"),
    ("/v1/billing/meters", {**SUM, "event_name": "idle"}, "belongs to the inactive meter 'mtr_000002'", "event_name"),
    ("/v1/billing/meters/mtr_000001", {"event_name": "x"}, "Received unknown parameter: event_name", "event_name"),
    ("/v1/billing/meters/mtr_000002/deactivate", {}, "is already inactive", None),
    ("/v1/billing/meters/mtr_9/reactivate", {}, "No such meter: 'mtr_9'", "id"),
    # Products.
    ("/v1/products", {"name": "P", "id": "prod_000001"}, "Product already exists.", "id"),
    # Prices.
    ("/v1/prices", {**PER_UNIT, "product": "prod_9"}, "No such product: 'prod_9'", "product"),
    (
        "/v1/prices",
        {key: value for key, value in PER_UNIT.items() if key != "product"},
        "Missing required param: product.",
        "product",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "unit_amount": 1},
        "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
        "unit_amount",
    ),
    (
        "/v1/prices",
        tiered({"up_to": "inf", "unit_amount": 1, "unit_amount_decimal": "1"}),
        "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
        "tiers[0][unit_amount]",
    ),
    ("/v1/prices", {**PER_UNIT, "unit_amount_decimal": "-1"}, "Invalid non-negative integer", "unit_amount"),
    (
        "/v1/prices",
        tiered(INF, transform_quantity={"divide_by": 10, "round": "up"}),
        "You may only specify one of these parameters: tiers, transform_quantity.",
        "tiers",
    ),
    ("/v1/prices", {**PER_UNIT, "tiers": [INF]}, "tiers needs billing_scheme=tiered.", "tiers"),
    ("/v1/prices", {**tiered(), "tiers": {}}, "Missing required param: tiers.", "tiers"),
    ("/v1/prices", tiered({"up_to": 5, "unit_amount": 1}), "The last tier, and no other", "tiers[0][up_to]"),
    ("/v1/prices", tiered(INF, INF), "The last tier, and no other", "tiers[0][up_to]"),
    (
        "/v1/prices",
        tiered({"up_to": 5, "unit_amount": 1}, {"up_to": 5, "unit_amount": 1}, INF),
        "must be above 5",
        "tiers[1][up_to]",
    ),
    ("/v1/prices", tiered({"up_to": 0, "unit_amount": 1}, INF), "must be above 0", "tiers[0][up_to]"),
    ("/v1/prices", tiered({"up_to": "inf"}), "An entry in the tiers array is missing an amount.", "tiers"),
    (
        "/v1/prices",
        tiered({"up_to": "inf", "flat_amount_decimal": "0.5"}),
        "A flat amount is a whole number of minor units.",
        "tiers[0][flat_amount_decimal]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {"interval": "month", "usage_type": "metered"}},
        "must be backed by a meter",
        "recurring[meter]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {"interval": "month", "meter": "mtr_000001"}},
        "Only prices with usage_type metered can have a meter.",
        "recurring[usage_type]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {**METERED, "meter": "mtr_000002"}},
        "The meter 'mtr_000002' is inactive.",
        "recurring[meter]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {**METERED, "meter": "mtr_9"}},
        "No such meter: 'mtr_9'",
        "recurring[meter]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "recurring": {**METERED, "interval_count": 37}},
        "must be between 1 and 36",
        "recurring[interval_count]",
    ),
    (
        "/v1/prices",
        {**PER_UNIT, "lookup_key": "taken"},
        "A price (`price_000001`) already uses that lookup key.",
        "lookup_key",
    ),
    ("/v1/prices/price_000001", {"unit_amount": 1}, "Received unknown parameter: unit_amount", "unit_amount"),
    ("/v1/prices/price_9", {"active": False}, "No such price: 'price_9'", "id"),
    # Alerts and credit grants.
    (
        "/v1/billing/alerts",
        {"alert_type": "usage_threshold", "title": "T"},
        "Missing required param: usage_threshold.",
        "usage_threshold",
    ),
    (
        "/v1/billing/alerts",
        {
            "alert_type": "usage_threshold",
            "title": "T",
            "usage_threshold": {"gte": 0, "meter": "mtr_000001", "recurrence": "one_time"},
        },
        "must be above zero",
        "usage_threshold[gte]",
    ),
    (
        "/v1/billing/credit_grants",
        {
            "amount": {"type": "monetary", "monetary": {"currency": "eur", "value": 1}},
            "applicability_config": {"scope": {"price_type": "metered", "prices": [{"id": "price_000001"}]}},
            "customer": "cus_000001",
        },
        "You may only specify one of these parameters: price_type, prices.",
        "applicability_config[scope]",
    ),
    (
        "/v1/billing/credit_grants",
        {
            "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 1}},
            "applicability_config": {"scope": {"prices": [{"id": "price_000001"}]}},
            "customer": "cus_000001",
        },
        "The price 'price_000001' is not in usd.",
        "applicability_config[scope][prices][0][id]",
    ),
]


@pytest.mark.parametrize(("path", "params", "message", "param"), REFUSED, ids=[f"{r[0]} {r[2]}" for r in REFUSED])
def test_what_stripe_refuses(
    catalog: stripe.StripeClient, path: str, params: Params, message: str, param: str | None
) -> None:
    error = refusal(lambda: post(catalog, path, params))
    assert isinstance(error, stripe.InvalidRequestError)
    assert message in str(error)
    assert error.http_status == (404 if param == "id" and "No such" in message else 400)
    assert param in {None, error.param}


@pytest.mark.parametrize(("path", "params"), [(p, b) for p, b, *_ in REFUSED], ids=[f"{r[0]} {r[2]}" for r in REFUSED])
def test_a_refusal_changes_nothing(
    stripe_server: StripeServer, catalog: stripe.StripeClient, path: str, params: Params
) -> None:
    def state() -> str:
        return repr([{kind: each for kind, each in account.objects.items() if each}, account.events])

    account = stripe_server.account
    before = state()
    refusal(lambda: post(catalog, path, params))
    assert state() == before


# Prices and their keys.


def test_a_lookup_key_moves_to_the_new_price(catalog: stripe.StripeClient) -> None:
    made = post(catalog, "/v1/prices", {**PER_UNIT, "lookup_key": "taken", "transfer_lookup_key": True})
    found = catalog.v1.prices.list({"lookup_keys": ["taken", "never"]}).data
    assert [price.id for price in found] == [made["id"]]
    assert catalog.v1.prices.retrieve("price_000001").lookup_key is None


def test_an_archived_price_keeps_its_lookup_key(catalog: stripe.StripeClient) -> None:
    catalog.v1.prices.update("price_000001", {"active": False})
    error = refusal(lambda: post(catalog, "/v1/prices", {**PER_UNIT, "lookup_key": "taken"}))
    assert "already uses that lookup key" in str(error)
    assert catalog.v1.prices.list({"lookup_keys": ["taken"]}).data == []
    assert [price.active for price in catalog.v1.prices.list({"lookup_keys": ["taken"], "active": False}).data] == [
        False
    ]


@pytest.mark.parametrize(
    ("written", "unit_amount", "unit_amount_decimal"),
    [("0.5", None, "0.5"), ("45", 45, "45"), ("45.000", 45, "45"), ("0.000000000001", None, "0.000000000001")],
)
def test_an_amount_is_read_back_in_both_forms(
    catalog: stripe.StripeClient, written: str, unit_amount: int | None, unit_amount_decimal: str
) -> None:
    price = post(catalog, "/v1/prices", {**PER_UNIT, "unit_amount_decimal": written})
    assert (price["unit_amount"], price["unit_amount_decimal"]) == (unit_amount, unit_amount_decimal)


def test_tiers_come_only_when_asked_for(catalog: stripe.StripeClient) -> None:
    made = post(catalog, "/v1/prices", tiered({"up_to": 5, "unit_amount": 2}, INF))
    assert "tiers" not in made
    price = catalog.v1.prices.retrieve(made["id"], {"expand": ["tiers", "product"]})
    assert price.tiers is not None and [tier.up_to for tier in price.tiers] == [5, None]
    assert isinstance(price.product, stripe.Product) and price.product.name == "Tokens"
    error = refusal(lambda: catalog.v1.prices.retrieve(made["id"], {"expand": ["meter"]}))
    assert "This property cannot be expanded (meter)." in str(error)


def test_a_product_with_prices_cannot_be_deleted_and_a_price_never(
    stripe_server: StripeServer, catalog: stripe.StripeClient
) -> None:
    error = refusal(lambda: catalog.v1.products.delete("prod_000001"))
    assert "This product cannot be deleted because it has one or more user-created prices." in str(error)
    error = refusal(lambda: catalog.raw_request("delete", "/v1/prices/price_000001"))
    assert error.http_status == 404 and "Unrecognized request URL (DELETE: /v1/prices/price_000001)" in str(error)
    catalog.v1.products.delete(post(catalog, "/v1/products", {"name": "Unsold"})["id"])
    assert list(stripe_server.account.all("product")) == ["prod_000001"]


# Features.


def test_the_key_of_an_archived_feature_is_free_again(catalog: stripe.StripeClient) -> None:
    feature: Params = {"lookup_key": "gold", "name": "Gold"}
    old = post(catalog, "/v1/entitlements/features", feature)
    assert "already uses" in str(refusal(lambda: post(catalog, "/v1/entitlements/features", feature)))
    catalog.v1.entitlements.features.update(old["id"], {"active": False})
    new = post(catalog, "/v1/entitlements/features", feature)
    error = refusal(lambda: catalog.v1.entitlements.features.update(old["id"], {"active": True}))
    assert "cannot become active again" in str(error)
    assert [f.id for f in catalog.v1.entitlements.features.list({"lookup_key": "gold"}).data] == [new["id"], old["id"]]
    assert [f.id for f in catalog.v1.entitlements.features.list({"archived": False}).data] == [new["id"]]
    assert [f.id for f in catalog.v1.entitlements.features.list({"archived": True}).data] == [old["id"]]


def test_a_feature_is_attached_to_a_product_once(catalog: stripe.StripeClient) -> None:
    feature = post(catalog, "/v1/entitlements/features", {"lookup_key": "gold", "name": "Gold"})
    attach: Params = {"entitlement_feature": feature["id"]}
    post(catalog, "/v1/products/prod_000001/features", attach)
    assert "already attached" in str(refusal(lambda: post(catalog, "/v1/products/prod_000001/features", attach)))
    [attached] = catalog.v1.products.features.list("prod_000001").data
    assert attached.entitlement_feature.lookup_key == "gold"
    catalog.v1.products.features.delete("prod_000001", attached.id)
    assert catalog.v1.products.features.list("prod_000001").data == []


# Alerts.


def test_an_archived_alert_is_gone(catalog: stripe.StripeClient) -> None:
    threshold: Params = {"gte": 50, "meter": "mtr_000001", "recurrence": "one_time"}
    body: Params = {"alert_type": "usage_threshold", "title": "Half", "usage_threshold": threshold}
    kept, gone = (post(catalog, "/v1/billing/alerts", body)["id"] for _ in range(2))
    catalog.v1.billing.alerts.deactivate(kept)
    catalog.v1.billing.alerts.archive(gone)
    assert [(alert.id, alert.status) for alert in catalog.v1.billing.alerts.list().data] == [(kept, "inactive")]
    assert refusal(lambda: catalog.v1.billing.alerts.activate(gone)).http_status == 404
    assert catalog.v1.billing.alerts.activate(kept).status == "active"


# Lists.


def test_a_list_is_paged_newest_first(catalog: stripe.StripeClient) -> None:
    made = [post(catalog, "/v1/products", {"name": f"P{i}"})["id"] for i in range(24)]
    first = catalog.v1.products.list()
    assert first.has_more and [product.id for product in first.data] == made[:-11:-1]
    assert [product.id for product in first.auto_paging_iter()] == [*reversed(made), "prod_000001"]
    before = catalog.v1.products.list({"ending_before": made[0], "limit": 2})
    assert [product.id for product in before.data] == [made[2], made[1]]


@pytest.mark.parametrize(
    ("limit", "message"),
    [(0, "greater than or equal to 1"), (101, "less than or equal to 100 (it currently is '101')")],
)
def test_a_page_has_1_to_100_members(catalog: stripe.StripeClient, limit: int, message: str) -> None:
    assert message in str(refusal(lambda: catalog.v1.prices.list({"limit": limit})))


def test_at_most_ten_lookup_keys_a_call(catalog: stripe.StripeClient) -> None:
    error = refusal(lambda: catalog.v1.prices.list({"lookup_keys": [f"k{i}" for i in range(11)]}))
    assert "up to 10 lookup keys" in str(error)


def test_lists_are_filtered(catalog: stripe.StripeClient) -> None:
    post(catalog, "/v1/prices", {"product": "prod_000001", "currency": "usd", "unit_amount": 1})

    def ids(params: Params) -> list[str]:
        return [price["id"] for price in catalog.raw_request("get", "/v1/prices", **params).data["data"]]

    assert ids({"currency": "usd"}) == ["price_000002"]
    assert ids({"type": "recurring"}) == ["price_000001"]
    assert ids({"recurring": {"meter": "mtr_000001"}}) == ["price_000001"]
    assert ids({"active": False}) == []
    assert ids({"created": {"gt": STRIPE_TIME}}) == []
    assert [meter.event_name for meter in catalog.v1.billing.meters.list({"status": "inactive"}).data] == ["idle"]


def test_a_search_lags_behind(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    post(catalog, "/v1/products", {"name": "Tagged", "metadata": {"spec": "tokens"}})
    query: Any = {"query": "active:'true' AND metadata['spec']:'tokens'"}
    assert catalog.v1.products.search(query).data == []
    stripe_server.account.now += 60
    assert [product.name for product in catalog.v1.products.search(query).data] == ["Tagged"]


# Keys and repeated requests.


def test_a_wrong_key_is_refused_and_not_repeated_in_full(stripe_server: StripeServer) -> None:
    error = refusal(connect(stripe_server, "sk_test_wrong0secret9").v1.prices.list)
    assert isinstance(error, stripe.AuthenticationError)
    assert "Invalid API Key provided: sk_test_*********ret9" in str(error)


def test_a_request_without_a_key_is_refused(stripe_server: StripeServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{stripe_server.url}/v1/prices")


def test_a_restricted_key_reads_and_does_not_write(stripe_server: StripeServer) -> None:
    reader = connect(stripe_server, stripe_server.read_only)
    assert reader.v1.prices.list().data == []
    error = refusal(lambda: post(reader, "/v1/products", {"name": "P"}))
    assert isinstance(error, stripe.PermissionError) and error.http_status == 403


def test_the_same_key_and_body_answers_again_without_doing_it_again(
    stripe_server: StripeServer, stripe_client: stripe.StripeClient
) -> None:
    first, second = (post(stripe_client, "/v1/products", {"name": "P"}, key="k") for _ in range(2))
    assert first == second and len(stripe_server.account.all("product")) == 1
    assert [request.replayed for request in stripe_server.writes] == [False, True]


def test_a_key_is_for_one_body_and_one_url(stripe_client: stripe.StripeClient) -> None:
    post(stripe_client, "/v1/products", {"name": "P"}, key="k")
    error = refusal(lambda: post(stripe_client, "/v1/products", {"name": "Q"}, key="k"))
    assert isinstance(error, stripe.IdempotencyError)
    assert "can only be used with the same parameters they were first used with" in str(error)
    error = refusal(lambda: post(stripe_client, "/v1/customers", {"name": "P"}, key="k"))
    assert "for the same endpoint they were first used for ('/v1/customers' vs '/v1/products')" in str(error)
    assert "at most 255" in str(refusal(lambda: post(stripe_client, "/v1/products", {"name": "P"}, key="k" * 256)))


def test_a_key_is_forgotten_after_a_day(stripe_server: StripeServer, stripe_client: stripe.StripeClient) -> None:
    post(stripe_client, "/v1/products", {"name": "P"}, key="k")
    stripe_server.account.now += DAY
    post(stripe_client, "/v1/products", {"name": "Q"}, key="k")
    assert len(stripe_server.account.all("product")) == 2


def test_the_old_answer_comes_even_where_it_is_no_longer_true(catalog: stripe.StripeClient) -> None:
    """Price A, then B in its place, then A under the key of the first: nothing is made, and A stays archived."""
    a: Params = {**PER_UNIT, "lookup_key": "p", "transfer_lookup_key": True}
    first = post(catalog, "/v1/prices", a, key="A")
    post(catalog, "/v1/prices", {**a, "unit_amount_decimal": "7"}, key="B")
    catalog.v1.prices.update(first["id"], {"active": False})
    again = post(catalog, "/v1/prices", a, key="A")
    assert again["id"] == first["id"] and again["active"]
    assert not catalog.v1.prices.retrieve(first["id"]).active


# Failures.


def test_a_status_at_the_nth_write(stripe_server: StripeServer, stripe_client: stripe.StripeClient) -> None:
    stripe_server.fail(2, 503)
    post(stripe_client, "/v1/products", {"name": "1"})
    assert stripe_client.v1.products.list().data
    error = refusal(lambda: post(stripe_client, "/v1/products", {"name": "2"}))
    assert isinstance(error, stripe.APIError) and error.http_status == 503
    post(stripe_client, "/v1/products", {"name": "3"})
    assert [p["name"] for p in stripe_server.account.all("product").values()] == ["1", "3"]


@pytest.mark.parametrize(("status", "kept"), [(500, True), (503, True), (429, False)])
def test_a_failure_of_stripe_is_kept_for_the_key_and_a_full_queue_is_not(
    stripe_server: StripeServer, stripe_client: stripe.StripeClient, status: int, kept: bool
) -> None:
    stripe_server.fail(1, status)
    refusal(lambda: post(stripe_client, "/v1/products", {"name": "P"}, key="k"))
    if kept:
        assert refusal(lambda: post(stripe_client, "/v1/products", {"name": "P"}, key="k")).http_status == status
    else:
        post(stripe_client, "/v1/products", {"name": "P"}, key="k")
    assert len(stripe_server.account.all("product")) == (0 if kept else 1)


@pytest.mark.parametrize(("drop", "made"), [(Drop.BEFORE, 0), (Drop.AFTER, 1)])
def test_a_dropped_connection_says_nothing_of_what_was_done(
    stripe_server: StripeServer, stripe_client: stripe.StripeClient, drop: Drop, made: int
) -> None:
    stripe_server.fail(1, drop)
    assert isinstance(
        refusal(lambda: post(stripe_client, "/v1/products", {"name": "P"}, key="k")), stripe.APIConnectionError
    )
    assert len(stripe_server.account.all("product")) == made
    post(stripe_client, "/v1/products", {"name": "P"}, key="k")
    assert len(stripe_server.account.all("product")) == 1


# Usage.


def send(stripe_client: stripe.StripeClient, value: str, **more: Any) -> Any:
    event = {"event_name": "tokens", "payload": {"stripe_customer_id": "cus_000001", "value": value}, **more}
    return post(stripe_client, "/v1/billing/meter_events", event)


EVENTS: list[tuple[Params, str, str | None]] = [
    ({"event_name": "nothing"}, "No meter has the event name 'nothing'.", "no_meter_found"),
    ({"event_name": "idle"}, "The meter of the event name 'idle' is inactive.", "archived_meter"),
    ({"payload": {"value": "1"}}, "The payload has no 'stripe_customer_id'.", "meter_event_no_customer_defined"),
    (
        {"payload": {"stripe_customer_id": "cus_9", "value": "1"}},
        "No such customer: 'cus_9'",
        "meter_event_customer_not_found",
    ),
    ({"payload": {"stripe_customer_id": "cus_000001"}}, "The payload has no 'value'.", "meter_event_value_not_found"),
    (
        {"payload": {"stripe_customer_id": "cus_000001", "value": "1e3"}},
        "'1e3' is not a number.",
        "meter_event_invalid_value",
    ),
    (
        {"payload": {"stripe_customer_id": "cus_000001", "value": "1.234567890123456"}},
        "more than 15 significant digits",
        "meter_event_value_too_many_digits",
    ),
    (
        {"timestamp": STRIPE_TIME - 35 * DAY - 1},
        "The event timestamp cannot be more than 35 days in past. "
        f"Expected a timestamp greater than or equal to {STRIPE_TIME - 35 * DAY}.",
        "timestamp_too_far_in_past",
    ),
    ({"timestamp": STRIPE_TIME + 301}, "cannot be more than 5 minutes in the future", "timestamp_in_future"),
    ({"identifier": "i" * 101}, "must be at most 100 characters", None),
    ({"identifier": "seen"}, "An event already exists with identifier seen.", None),
]


@pytest.mark.parametrize(("params", "message", "code"), EVENTS, ids=[message for _, message, _ in EVENTS])
def test_events_that_are_refused(catalog: stripe.StripeClient, params: Params, message: str, code: str | None) -> None:
    send(catalog, "1", identifier="seen")
    error = refusal(lambda: send(catalog, "1", **params))
    assert message in str(error) and error.code == code and error.http_status == 400
    assert error.headers is not None and error.headers["Stripe-Should-Retry"] == "false"


@pytest.mark.parametrize("value", ["0", "-2.5", "123456789012345", "0.000000000012345", "12345678901234.5"])
def test_values_of_15_significant_digits_and_corrections_are_taken(
    stripe_server: StripeServer, catalog: stripe.StripeClient, value: str
) -> None:
    send(catalog, value, timestamp=STRIPE_TIME - 35 * DAY)
    send(catalog, value, timestamp=STRIPE_TIME + 300)
    assert stripe_server.usage("mtr_000001", "cus_000001", 0, 2**40) == 2 * Fraction(value)


def test_an_identifier_is_free_after_a_day(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    """So a repeat that comes later counts twice: what makes an export safe to repeat is not the identifier alone."""
    send(catalog, "1", identifier="a")
    stripe_server.account.now += DAY
    send(catalog, "1", identifier="a")
    assert stripe_server.usage("mtr_000001", "cus_000001", 0, 2**40) == 2


def test_an_event_can_be_cancelled_for_a_day(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    cancel: Params = {"event_name": "tokens", "type": "cancel", "cancel": {"identifier": "a"}}
    send(catalog, "1", identifier="a")
    post(catalog, "/v1/billing/meter_event_adjustments", cancel)
    assert stripe_server.usage("mtr_000001", "cus_000001", 0, 2**40) == 0
    send(catalog, "1", identifier="a")
    stripe_server.account.now += DAY
    error = refusal(lambda: post(catalog, "/v1/billing/meter_event_adjustments", cancel))
    assert "more than 24 hours ago" in str(error)


SENT = [("1.5", 0), ("4", 3 * 3600), ("2", 3600), ("8", DAY)]
"""Values in the order in which they are sent, and how many seconds after midnight."""


@pytest.mark.parametrize(
    ("formula", "window", "day", "both"),
    [
        ("sum", None, "7.5", "15.5"),
        ("count", None, "3", "4"),
        ("last", None, "4", "8"),
        # Of each UTC day only what was received last counts, whenever it was meant to have happened.
        ("sum", "day", "2", "10"),
        ("sum", "hour", "7.5", "15.5"),
    ],
)
def test_what_the_events_come_to(
    stripe_server: StripeServer, catalog: stripe.StripeClient, formula: str, window: str | None, day: str, both: str
) -> None:
    midnight = STRIPE_TIME - 2 * DAY
    meter: Params = {**SUM, "event_name": "m", "default_aggregation": {"formula": formula}}
    made = post(catalog, "/v1/billing/meters", meter if window is None else {**meter, "event_time_window": window})
    for value, after in SENT:
        send(catalog, value, event_name="m", timestamp=midnight + after)

    def listed(**more: Any) -> list[float]:
        params = {"customer": "cus_000001", "start_time": midnight, "end_time": midnight + 2 * DAY, **more}
        path = f"/v1/billing/meters/{made['id']}/event_summaries"
        return [each["aggregated_value"] for each in catalog.raw_request("get", path, **params).data["data"]]

    assert stripe_server.usage(made["id"], "cus_000001", midnight, midnight + DAY) == Fraction(day)
    assert listed() == [float(both)]
    assert listed(value_grouping_window="day")[-1] == float(day)


def test_summaries_are_aligned(catalog: stripe.StripeClient) -> None:
    params: Any = {"customer": "cus_000001", "start_time": STRIPE_TIME, "end_time": STRIPE_TIME + 61}
    assert "end_time must be aligned" in str(
        refusal(lambda: catalog.v1.billing.meters.event_summaries.list("mtr_000001", params))
    )


def test_events_of_the_second_version_of_the_api(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    catalog.v2.billing.meter_events.create(
        {
            "event_name": "tokens",
            "payload": {"stripe_customer_id": "cus_000001", "value": "2.5"},
            "identifier": "x",
        }
    )
    assert stripe_server.usage("mtr_000001", "cus_000001", 0, 2**40) == Fraction(5, 2)


# Invoices.


def price(*tiers: tuple[int | None, str | None, str | None], mode: str = "graduated") -> Params:
    """A tiered price as the server holds it, of (up_to, unit amount, flat amount)."""
    names = ("up_to", "unit_amount_decimal", "flat_amount_decimal")
    return {
        "id": "p",
        "billing_scheme": "tiered",
        "tiers_mode": mode,
        "tiers": [dict(zip(names, tier, strict=True)) for tier in tiers],
    }


GRADUATED = price((5, "700", None), (10, "650", None), (None, "600", None))
VOLUME = price((5, "700", None), (10, "650", None), (None, "600", None), mode="volume")
FLAT = price((5, "700", "1000"), (10, "650", "2000"), (None, "600", "3000"))
FLAT_VOLUME = {**FLAT, "tiers_mode": "volume"}


def packages(divide_by: int, round: str) -> Params:
    transform = {"divide_by": divide_by, "round": round}
    return {"id": "p", "billing_scheme": "per_unit", "unit_amount_decimal": "1000", "transform_quantity": transform}


@pytest.mark.parametrize(
    ("price", "quantity", "amounts"),
    [
        # The tables of https://docs.stripe.com/products-prices/pricing-models, in cents.
        (GRADUATED, "1", [700]),
        (GRADUATED, "5", [3500]),
        (GRADUATED, "6", [3500, 650]),
        (GRADUATED, "20", [3500, 3250, 6000]),
        (VOLUME, "1", [700]),
        (VOLUME, "5", [3500]),
        (VOLUME, "6", [3900]),
        (VOLUME, "20", [12000]),
        (FLAT, "6", [3500, 1000, 650, 2000]),
        (FLAT_VOLUME, "6", [3900, 2000]),
        # Nothing used: the flat amount of the first tier is due.
        (GRADUATED, "0", [0]),
        (FLAT, "0", [0, 1000]),
        (FLAT_VOLUME, "0", [0, 1000]),
        (GRADUATED, "-3", [0]),
        # A fraction above a bound is in the next tier.
        (GRADUATED, "5.001", [3500, 1]),
        (VOLUME, "5.001", [3251]),
        # Each line is rounded for itself, halves away from zero.
        (price((1, "0.5", None), (2, "0.5", None), (None, "0.5", None)), "3", [1, 1, 1]),
        (price((None, "0.499999999999", None)), "1", [0]),
        (packages(5, "up"), "6", [2000]),
        (packages(5, "down"), "6", [1000]),
        (packages(5, "up"), "5", [1000]),
        (packages(5, "up"), "5.01", [2000]),
        (packages(5, "up"), "0", [0]),
        (price((None, "0.000000000001", None)), "999999999999999", [1000]),
    ],
)
def test_what_a_quantity_is_billed_at(price: Params, quantity: str, amounts: list[int]) -> None:
    assert [line.amount for line in bill(price, Fraction(quantity))] == amounts


def test_an_invoice_bills_usage_and_the_base_fee(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    usage = post(catalog, "/v1/prices", tiered({"up_to": 10, "unit_amount": 2}, INF))["id"]
    base = post(
        catalog,
        "/v1/prices",
        {"product": "prod_000001", "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}},
    )["id"]
    send(catalog, "10.5")
    lines = stripe_server.preview("cus_000001", [base, usage], STRIPE_TIME, STRIPE_TIME + DAY)
    assert lines == [Line(base, Fraction(1), 900), Line(usage, Fraction(10), 20), Line(usage, Fraction(1, 2), 1)]


# Credit.


def grant(client: stripe.StripeClient, value: int, **more: Any) -> str:
    body: Params = {
        "amount": {"type": "monetary", "monetary": {"currency": "eur", "value": value}},
        "applicability_config": {"scope": {"price_type": "metered"}},
        "customer": "cus_000001",
        **more,
    }
    made: str = post(client, "/v1/billing/credit_grants", body)["id"]
    return made


def balance(client: stripe.StripeClient) -> int:
    params: Any = {"customer": "cus_000001", "filter": {"type": "applicability_scope"}}
    [found] = client.v1.billing.credit_balance_summary.retrieve(params).balances
    assert found.available_balance.monetary is not None
    return found.available_balance.monetary.value


def test_credit_is_drawn_when_an_invoice_becomes_final(
    stripe_server: StripeServer, catalog: stripe.StripeClient
) -> None:
    """Not with the usage: nothing stops at zero, and what the credit does not cover is due."""
    fee = {"product": "prod_000001", "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}}
    usage, base = "price_000001", post(catalog, "/v1/prices", fee)["id"]
    first = grant(catalog, 50)
    send(catalog, "60")
    assert balance(catalog) == 50
    invoice = stripe_server.finalize("cus_000001", [base, usage], STRIPE_TIME, STRIPE_TIME + DAY)
    assert (invoice.credits, invoice.due) == ({first: 30}, 900)
    assert balance(catalog) == 20
    stripe_server.account.now += DAY
    send(catalog, "60")
    invoice = stripe_server.finalize("cus_000001", [base, usage], STRIPE_TIME + DAY, STRIPE_TIME + 2 * DAY)
    assert (invoice.credits, invoice.due) == ({first: 20}, 910)
    assert "can only expire" in str(refusal(lambda: catalog.v1.billing.credit_grants.void_grant(first)))


def test_the_order_in_which_credit_is_drawn(stripe_server: StripeServer, catalog: stripe.StripeClient) -> None:
    soon, later = STRIPE_TIME + 5 * DAY, STRIPE_TIME + 9 * DAY
    never = grant(catalog, 10)
    paid = grant(catalog, 10, expires_at=later)
    gift = grant(catalog, 10, expires_at=later, category="promotional")
    first_to_go = grant(catalog, 10, expires_at=soon)
    first_of_all = grant(catalog, 10, priority=0)
    grant(catalog, 10, effective_at=later)
    send(catalog, "90")
    invoice = stripe_server.finalize("cus_000001", ["price_000001"], STRIPE_TIME, STRIPE_TIME + DAY)
    assert list(invoice.credits) == [first_of_all, first_to_go, gift, paid, never]
    assert (list(invoice.credits.values()), invoice.due) == ([10, 10, 10, 10, 5], 0)


# Forms.


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[b][c]=x%20y", {"a": {"b": {"c": "x y"}}}),
        ("t[0][u]=1&t[1][u]=inf", {"t": {"0": {"u": "1"}, "1": {"u": "inf"}}}),
        ("e[]=a&e[]=b", {"e": {"0": "a", "1": "b"}}),
    ],
)
def test_forms(text: str, tree: Params) -> None:
    assert decode(text) == tree
