"""Customers, the credit they were granted, and the alerts on what they use."""

from __future__ import annotations

from tests.stripe_server.account import Account, Object, Params, endpoint, metadata, newest_first
from tests.stripe_server.errors import missing, only_one, refused, required
from tests.stripe_server.lists import page

MOST_PRICES = 20
MOST_GRANTS = 100


# Customers


@endpoint("POST", "/v1/customers")
def create_customer(account: Account, _: dict[str, str], params: Params) -> Object:
    return account.add(
        "customer",
        "cus",
        {
            "created": account.now,
            "description": params.get("description"),
            "email": params.get("email"),
            "metadata": metadata({}, params.get("metadata") or None),
            "name": params.get("name"),
        },
    )


@endpoint("GET", "/v1/customers/{customer}")
def retrieve_customer(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("customer", ids["customer"])


# Credit grants


@endpoint("POST", "/v1/billing/credit_grants")
def create_grant(account: Account, _: dict[str, str], params: Params) -> Object:
    if "customer" not in params:
        raise required("customer")
    customer = account.get("customer", params["customer"], "customer")
    if "monetary" not in params["amount"]:
        raise required("amount[monetary]")
    amount = params["amount"]["monetary"]
    if amount["value"] < 1:
        raise refused("The amount of a credit grant must be above zero.", "amount[monetary][value]")
    scope = params["applicability_config"]["scope"]
    if "price_type" in scope and "prices" in scope:
        raise only_one(["price_type", "prices"], "applicability_config[scope]")
    if not scope:
        raise required("applicability_config[scope][price_type]")
    if len(scope.get("prices", ())) > MOST_PRICES:
        raise refused(f"A credit grant applies to at most {MOST_PRICES} prices.", "applicability_config[scope][prices]")
    for i, each in enumerate(scope.get("prices", ())):
        at = f"applicability_config[scope][prices][{i}][id]"
        price = account.get("price", each["id"], at)
        if price["recurring"] is None or price["recurring"]["meter"] is None:
            raise refused(f"The price '{price['id']}' has no meter.", at)
        if price["currency"] != amount["currency"]:
            raise refused(f"The price '{price['id']}' is not in {amount['currency']}.", at)
    priority = params.get("priority", 50)
    if not 0 <= priority <= 100:
        raise refused("The priority of a credit grant is between 0 and 100.", "priority")
    effective = params.get("effective_at", account.now)
    if "expires_at" in params and params["expires_at"] <= max(effective, account.now):
        raise refused("A credit grant must expire after it is effective, and not in the past.", "expires_at")
    if len([g for g in grants(account, customer["id"]) if not _over(account, g)]) >= MOST_GRANTS:
        raise refused(f"A customer has at most {MOST_GRANTS} unused credit grants.", "customer")
    return account.add(
        "billing.credit_grant",
        "credgr",
        {
            "amount": {"type": "monetary", "monetary": amount},
            "applicability_config": {"scope": scope},
            "category": params.get("category", "paid"),
            "created": account.now,
            "customer": customer["id"],
            "customer_account": None,
            "effective_at": effective,
            "expires_at": params.get("expires_at"),
            "metadata": metadata({}, params.get("metadata")),
            "name": params.get("name"),
            "priority": priority,
            "test_clock": None,
            "updated": account.now,
            "voided_at": None,
        },
    )


def grants(account: Account, customer: str) -> list[Object]:
    """The credit grants of a customer, oldest first."""
    return [g for g in account.all("billing.credit_grant").values() if g["customer"] == customer]


def _over(account: Account, grant: Object) -> bool:
    return grant["voided_at"] is not None or (grant["expires_at"] is not None and grant["expires_at"] <= account.now)


def left(account: Account, grant: Object) -> int:
    """What a grant still has, in minor units; nothing before it is effective, and once it is void or expired."""
    if _over(account, grant) or grant["effective_at"] > account.now:
        return 0
    amount: int = grant["amount"]["monetary"]["value"]
    return amount - account.spent.get(grant["id"], 0)


def usable(account: Account, customer: str, price: Object) -> list[Object]:
    """The grants that pay for a price, in the order in which they do.

    Only what a meter counts is paid by credit, in the currency of the grant: by priority, then what expires first, what
    was given for nothing before what was paid for, what is effective first, what was granted first.
    https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits
    """
    if price["recurring"] is None or price["recurring"]["meter"] is None:
        return []

    def pays(grant: Object) -> bool:
        prices = grant["applicability_config"]["scope"].get("prices")
        within = prices is None or price["id"] in [each["id"] for each in prices]
        return within and grant["amount"]["monetary"]["currency"] == price["currency"] and left(account, grant) > 0

    def turn(grant: Object) -> tuple[int, float, bool, int, int]:
        expiry = grant["expires_at"] if grant["expires_at"] is not None else float("inf")
        return grant["priority"], expiry, grant["category"] == "paid", grant["effective_at"], grant["created"]

    return sorted(filter(pays, grants(account, customer)), key=turn)


@endpoint("GET", "/v1/billing/credit_balance_summary")
def summarize(account: Account, _: dict[str, str], params: Params) -> Object:
    customer = account.get("customer", params.get("customer", ""), "customer")
    chosen = grants(account, customer["id"])
    if params["filter"]["type"] == "credit_grant":
        chosen = [account.get("billing.credit_grant", params["filter"].get("credit_grant", ""), "filter[credit_grant]")]
    sums: dict[str, int] = {}
    for grant in chosen:
        currency = grant["amount"]["monetary"]["currency"]
        sums[currency] = sums.get(currency, 0) + left(account, grant)
    balances = [{"type": "monetary", "monetary": {"currency": c, "value": value}} for c, value in sorted(sums.items())]
    return {
        "object": "billing.credit_balance_summary",
        "balances": [{"available_balance": each, "ledger_balance": each} for each in balances],
        "customer": customer["id"],
        "customer_account": None,
        "livemode": account.livemode,
    }


@endpoint("POST", "/v1/billing/credit_grants/{id}")
def update_grant(account: Account, ids: dict[str, str], params: Params) -> Object:
    grant = account.get("billing.credit_grant", ids["id"])
    if "expires_at" in params:
        grant["expires_at"] = params["expires_at"] or None
    grant.update(metadata=metadata(grant["metadata"], params.get("metadata")), updated=account.now)
    return grant


@endpoint("POST", "/v1/billing/credit_grants/{id}/expire")
def expire_grant(account: Account, ids: dict[str, str], _: Params) -> Object:
    grant = account.get("billing.credit_grant", ids["id"])
    if _over(account, grant):
        raise refused(f"The credit grant '{grant['id']}' is void or expired.")
    grant.update(expires_at=account.now, updated=account.now)
    return grant


@endpoint("POST", "/v1/billing/credit_grants/{id}/void")
def void_grant(account: Account, ids: dict[str, str], _: Params) -> Object:
    grant = account.get("billing.credit_grant", ids["id"])
    if _over(account, grant):
        raise refused(f"The credit grant '{grant['id']}' is void or expired.")
    if account.spent.get(grant["id"]):
        raise refused(f"The credit grant '{grant['id']}' has paid for an invoice, and can only expire.")
    grant.update(voided_at=account.now, updated=account.now)
    return grant


@endpoint("GET", "/v1/billing/credit_grants/{id}")
def retrieve_grant(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("billing.credit_grant", ids["id"])


@endpoint("GET", "/v1/billing/credit_grants")
def list_grants(account: Account, _: dict[str, str], params: Params) -> Object:
    customer = params.get("customer")
    all_ = newest_first(account.all("billing.credit_grant"))
    return page((g for g in all_ if customer in {None, g["customer"]}), params, "/v1/billing/credit_grants")


# Alerts


@endpoint("POST", "/v1/billing/alerts")
def create_alert(account: Account, _: dict[str, str], params: Params) -> Object:
    if "usage_threshold" not in params:
        raise required("usage_threshold")
    threshold = params["usage_threshold"]
    if threshold["gte"] < 1:
        raise refused("The threshold of an alert must be above zero.", "usage_threshold[gte]")
    meter = account.get("billing.meter", threshold["meter"], "usage_threshold[meter]")
    if meter["status"] != "active":
        raise refused(f"The meter '{meter['id']}' is inactive.", "usage_threshold[meter]", "archived_meter")
    filters = threshold.get("filters", [])
    if len(filters) > 1:
        raise refused("An alert has at most one filter.", "usage_threshold[filters]")
    for i, each in enumerate(filters):
        if "customer" not in each:
            raise required(f"usage_threshold[filters][{i}][customer]")
        account.get("customer", each["customer"], f"usage_threshold[filters][{i}][customer]")
    return account.add(
        "billing.alert",
        "alrt",
        {
            "alert_type": params["alert_type"],
            "status": "active",
            "title": params["title"],
            "usage_threshold": {**threshold, "filters": filters or None},
        },
    )


def _alert(account: Account, id: str) -> Object:
    """An alert that is not archived: archiving removes it "from the list view and APIs", for ever."""
    alert = account.get("billing.alert", id)
    if alert["status"] == "archived":
        raise missing("alert", id)
    return alert


def _become(status: str, *before: str) -> None:
    """Declares the endpoint that brings an alert to a status from some others."""
    verb = {"active": "activate", "inactive": "deactivate", "archived": "archive"}[status]

    @endpoint("POST", f"/v1/billing/alerts/{{id}}/{verb}")
    def change(account: Account, ids: dict[str, str], _: Params) -> Object:
        alert = _alert(account, ids["id"])
        if alert["status"] not in before:
            raise refused(f"The alert '{alert['id']}' is {alert['status']}.")
        alert["status"] = status
        return alert


_become("active", "inactive")
_become("inactive", "active")
_become("archived", "active", "inactive")


@endpoint("GET", "/v1/billing/alerts/{id}")
def retrieve_alert(account: Account, ids: dict[str, str], _: Params) -> Object:
    return _alert(account, ids["id"])


@endpoint("GET", "/v1/billing/alerts")
def list_alerts(account: Account, _: dict[str, str], params: Params) -> Object:
    meter = params.get("meter")
    found = (a for a in newest_first(account.all("billing.alert")) if a["status"] != "archived")
    wanted = (a for a in found if meter in {None, a["usage_threshold"]["meter"]})
    return page(wanted, params, "/v1/billing/alerts")
