"""What is to be done to an account so that it holds what a program compiles to: read, compared, put in order.

An object belongs to a meter of the spec where its metadata says so; a billing meter, which has no metadata, by its
event name, and an alert by its title. What belongs to nobody of the spec is never touched. Amounts and tiers cannot be
changed at Stripe: another price takes over the lookup key, and the old one is archived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from meterspec.backends.stripe import (
    DIGEST,
    FEATURE_ID,
    METER_ID,
    OWNER,
    ROLE,
    Body,
    Usage,
    content_hash,
    document,
    subjects,
)
from meterspec.ir import Meter, Program
from meterspec.stripe_account.client import Account, Object

__all__ = ["Action", "Change", "Plan", "Step", "Write", "plan", "resolved"]


class Action(StrEnum):
    """What becomes of an object."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    """Another object takes its place, and it is archived or switched off."""
    RESTORE = "restore"
    """One that was archived or switched off takes its place again."""
    ARCHIVE = "archive"
    KEEP = "keep"
    CONFLICT = "conflict"
    """It cannot become what the spec says; nothing is applied before a person has decided."""
    ORPHAN = "orphan"
    """It was made from a spec that has it no longer; it stays as it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A property that differs: what the account has, and what the spec says; None for nothing."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A request: its path and body, in which `${meter.id}` stands for an id that is not known yet."""

    path: str
    body: Body
    creates: str | None = None
    """The placeholder that the id of a new object takes the place of; an empty text where nothing names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object: what it is, what becomes of it, and the requests that it takes."""

    kind: str
    name: str
    meter: str
    action: Action
    id: str | None = None
    drifted: bool = False
    """Whether it differs because somebody changed the account, and not the spec."""
    changes: tuple[Change, ...] = ()
    writes: tuple[Write, ...] = ()
    reason: str | None = None
    """Why there is a conflict."""
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order."""

    content: str
    """The hash of all that the program compiles to for Stripe."""
    steps: tuple[Step, ...]
    foreign: tuple[tuple[str, str], ...]
    """The kind and the id of objects that are no business of the spec."""

    @property
    def writes(self) -> int:
        return sum(len(step.writes) for step in self.steps)

    @property
    def conflicts(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action is Action.CONFLICT)


def plan(program: Program, account: Account, usage: Usage = Usage.EVENT) -> Plan:
    """Reads the account and compares it with what the program compiles to; raises `Failure` where it cannot be read.

    The program is one that the Stripe backend can express.
    """
    meters = subjects(program)
    documents = [document(meter, usage) for meter in meters]
    found = _Found(account, documents)
    steps = [
        step
        for meter, made in zip(meters, documents, strict=True)
        for step in _Planner(meter, made, found, usage).steps()
    ]
    names = {meter.name for meter in meters}
    foreign = []
    for product in found.products.values():
        owner = product["metadata"].get(OWNER)
        if owner is None:
            foreign.append(("product", product["id"]))
        elif owner not in names and product["active"]:
            steps.append(Step(kind="product", name=product["id"], meter=owner, action=Action.ORPHAN, id=product["id"]))
    foreign += [("meter", meter["id"]) for name, meter in found.meters.items() if name not in names]
    return Plan(content_hash(documents), tuple(steps), tuple(sorted(foreign)))


@dataclass
class _Found:
    """What the account holds, read once, as far as it may concern the program."""

    account: Account
    documents: Sequence[Body]
    meters: dict[str, Object] = field(init=False)
    """By event name."""
    products: dict[str, Object] = field(init=False)
    features: dict[str, Object] = field(init=False)
    """By lookup key; those that are not archived."""
    holders: dict[str, Object] = field(init=False)
    """The prices with the lookup keys of the program, by key."""

    def __post_init__(self) -> None:
        account = self.account
        self.meters = {each["event_name"]: each for each in account.all("/v1/billing/meters")}
        self.products = {each["id"]: each for each in account.all("/v1/products")}
        self.features = {
            each["lookup_key"]: each for each in account.all("/v1/entitlements/features") if each["active"]
        }
        keys = [str(price["lookup_key"]) for made in self.documents for price in _prices(made)]
        self.holders = {}
        for some in _tens(keys):
            for price in self._prices(lookup_keys=some):
                self.holders[price["lookup_key"]] = price

    def prices(self, product: str) -> list[Object]:
        """All prices of a product, those that are sold first, and of these the newest."""
        return list(self._prices(product=product)) if product in self.products else []

    def _prices(self, **of: object) -> Iterator[Object]:
        """Prices, archived ones included: a list that is not asked for either has the active ones alone."""
        for active in (True, False):
            yield from self.account.all("/v1/prices", active=active, expand=["data.tiers"], **of)

    def attached(self, product: str) -> set[str]:
        """The ids of the features of a product."""
        if product not in self.products:
            return set()
        attachments = self.account.all(f"/v1/products/{product}/features")
        return {each["entitlement_feature"]["id"] for each in attachments}

    def alerts(self, meter: str, title: str) -> list[Object]:
        """The alerts of a title at a meter."""
        return [each for each in self.account.all("/v1/billing/alerts", meter=meter) if each["title"] == title]


def _prices(made: Body) -> list[Body]:
    prices = made["prices"]
    assert isinstance(prices, list)
    return prices


def _tens(keys: Sequence[str]) -> Iterator[list[str]]:
    """Ten at a time: so many lookup keys can be asked for at once."""
    for start in range(0, len(keys), 10):
        yield list(keys[start : start + 10])


class _Planner:
    """The steps of one meter of the spec."""

    def __init__(self, meter: Meter, made: Body, found: _Found, usage: Usage) -> None:
        self.meter = meter
        self.usage = usage
        self.made: dict[str, Any] = made
        self.found = found
        self.ids: dict[str, str] = {}
        """What placeholders stand for, as far as that is known."""
        self.roles = {body["lookup_key"]: _role(body) for body in _prices(made)}
        """By lookup key."""

    def steps(self) -> Iterator[Step]:
        if self.made["meter"] is not None:
            yield self._meter(self.made["meter"])
        yield self._product(self.made["product"])
        prices = self.found.prices(self.made["product"]["id"])
        own = [price for price in prices if price["metadata"].get(OWNER) == self.meter.name]
        for body in self.made["prices"]:
            yield from self._price(body, own)
        roles, first = set(self.roles.values()), str(self.made["prices"][0]["lookup_key"])
        for price in own:
            if price["active"] and self._role(price) not in roles:
                yield self._archived(price, first)
        yield from self._feature()
        yield from self._alert()

    def _step(self, kind: str, name: str, action: Action, **more: Any) -> Step:
        return Step(kind=kind, name=name, meter=self.meter.name, action=action, **more)

    # Meters and products ----------------------------------------------------------------------------------------

    def _meter(self, body: Body) -> Step:
        name = str(body["event_name"])
        there = self.found.meters.get(name)
        if there is None:
            write = Write("/v1/billing/meters", body, METER_ID)
            return self._step("meter", name, Action.CREATE, writes=(write,))
        self.ids[METER_ID] = there["id"]
        path = f"/v1/billing/meters/{there['id']}"
        fixed = _differences(_meter_shape(there), _meter_shape(body))
        if any(change.path == "formula" for change in fixed):  # of which the key of the value is a consequence
            fixed = tuple(change for change in fixed if change.path != "value key")
        if fixed:
            hint = "give the meter another name in the spec: a billing meter keeps its name for ever"
            other = Usage.DAY if self.usage is Usage.EVENT else Usage.EVENT
            otherwise: dict[str, Any] = document(self.meter, other)
            if _meter_shape(there) == _meter_shape(otherwise["meter"]):
                hint = f"add `--stripe-usage {other.value}`, which it was made for, or {hint}"
            shown = ", ".join(f"{change.path} is {change.before or 'not set'}" for change in fixed)
            return self._step(
                "meter",
                name,
                Action.CONFLICT,
                id=there["id"],
                changes=fixed,
                reason=f"the account has a billing meter of this name whose {shown}, and one cannot be changed",
                hint=hint,
            )
        changes = _differences({"display_name": there["display_name"]}, {"display_name": body["display_name"]})
        writes = [Write(path, {"display_name": body["display_name"]})] if changes else []
        if there["status"] != "active":
            changes = (*changes, Change("status", str(there["status"]), "active"))
            writes.insert(0, Write(f"{path}/reactivate", {}))
        action = Action.CHANGE if changes else Action.KEEP
        return self._step(
            "meter", name, action, id=there["id"], drifted=bool(changes), changes=changes, writes=tuple(writes)
        )

    def _product(self, body: Body) -> Step:
        name = str(body["id"])
        there = self.found.products.get(name)
        if there is None:
            return self._step("product", name, Action.CREATE, writes=(Write("/v1/products", body, ""),))
        if there["metadata"].get(OWNER) != self.meter.name:
            reason = "the account has a product of this id that was not made from this meter"
            hint = "give the meter another name in the spec, or the product another id"
            return self._step("product", name, Action.CONFLICT, id=name, reason=reason, hint=hint)
        keys = ("name", "description", "unit_label")
        changes = _differences(
            {**{key: there.get(key) for key in keys}, "active": there["active"]},
            {**{key: body.get(key) for key in keys}, "active": True},
        )
        # An empty text is how a text is taken away.
        given: Body = {change.path: body.get(change.path, "") for change in changes if change.path in keys}
        if not there["active"]:
            given["active"] = True
        return self._changed("product", name, there, body, changes, Write(f"/v1/products/{name}", given))

    def _changed(
        self, kind: str, name: str, there: Object, body: Body, changes: tuple[Change, ...], write: Write
    ) -> Step:
        """The step of an object that can be changed, together with its metadata."""
        metadata = _differences(_owned(there), _owned(body))
        if not changes and not metadata:
            return self._step(kind, name, Action.KEEP, id=there["id"])
        full = Write(write.path, {**write.body, "metadata": body["metadata"]})
        shown = tuple(each for each in (*changes, *metadata) if each.path != f"metadata.{DIGEST}") or metadata
        return self._step(
            kind,
            name,
            Action.CHANGE,
            id=there["id"],
            drifted=there["metadata"].get(DIGEST) == _digest(body),
            changes=shown,
            writes=(full,),
        )

    # Prices -----------------------------------------------------------------------------------------------------

    def _price(self, template: Body, own: Sequence[Object]) -> Iterator[Step]:
        """The price that holds a lookup key, and those that held it before."""
        body = self._resolved(template)
        key = str(body["lookup_key"])
        holder = self.found.holders.get(key)
        if holder is not None and holder["metadata"].get(OWNER) != self.meter.name:
            reason = f"the price {holder['id']} has this lookup key, and was not made from this meter"
            hint = "take the lookup key from that price, in the dashboard"
            yield self._step("price", key, Action.CONFLICT, id=holder["id"], reason=reason, hint=hint)
            return
        shape = _price_shape(body)
        alike = [price for price in own if self._role(price) == _role(body)]
        same = [price for price in alike if _price_shape(price) == shape]
        others = [price for price in alike if price["active"] and price not in same]
        if holder is not None and _price_shape(holder) == shape:
            changes = _differences({"active": holder["active"]}, {"active": True})
            write = Write(f"/v1/prices/{holder['id']}", {"active": True})
            yield self._changed("price", key, holder, body, changes, write)
            same.remove(holder)
            self.ids[_price_id(key)] = holder["id"]
        else:
            changes = _differences(_price_shape(holder), shape) if holder is not None else ()
            if same:
                self.ids[_price_id(key)] = same[0]["id"]
                yield self._restored(key, same.pop(0), body, holder, changes)
            else:
                given = {**body, "transfer_lookup_key": True}
                if holder is not None:
                    given |= _inherited(holder, body)
                write = Write("/v1/prices", given, _price_id(key))
                action = Action.CREATE if holder is None else Action.REPLACE
                of = holder["id"] if holder is not None else None
                yield self._step("price", key, action, id=of, changes=changes, writes=(write,))
        yield from (self._archived(price, key) for price in [*others, *same] if price["active"])

    def _role(self, price: Object) -> object:
        """Which of the meter's prices it is: by its lookup key, and else by its metadata, which anyone may change."""
        return self.roles.get(price["lookup_key"], _role(price))

    def _restored(
        self, key: str, price: Object, body: Body, holder: Object | None, changes: tuple[Change, ...]
    ) -> Step:
        """A price of the same amounts that is there already takes over the lookup key."""
        given: Body = {"active": True, "lookup_key": key, "transfer_lookup_key": True, "metadata": body["metadata"]}
        if holder is not None:
            given |= _inherited(holder, body)
            if price["tax_behavior"] != "unspecified":  # which can be set once
                given.pop("tax_behavior", None)
        write = Write(f"/v1/prices/{price['id']}", given)
        if holder is None:
            changes += (Change("lookup_key", price["lookup_key"], key),)
        drifted = holder is None and price["metadata"].get(DIGEST) == _digest(body)
        return self._step(
            "price", key, Action.RESTORE, id=price["id"], drifted=drifted, changes=changes, writes=(write,)
        )

    def _archived(self, price: Object, after: str) -> Step:
        """The end of a price; `after` is the lookup key of the one that is sold from now on.

        Stripe archives no price that is the default of its product ("This price cannot be archived because it is the
        default price of its product.", https://github.com/stripe/stripe-python/issues/658), so that passes on first.
        """
        archive = Write(f"/v1/prices/{price['id']}", {"active": False})
        product = self.found.products[price["product"]]
        if product["default_price"] != price["id"]:
            return self._step("price", price["id"], Action.ARCHIVE, id=price["id"], writes=(archive,))
        changes = (Change("default price of the product", price["id"], after),)
        move = Write(f"/v1/products/{product['id']}", self._resolved({"default_price": _price_id(after)}))
        return self._step("price", price["id"], Action.ARCHIVE, id=price["id"], changes=changes, writes=(move, archive))

    # Features and alerts ----------------------------------------------------------------------------------------

    def _feature(self) -> Iterator[Step]:
        body: Body | None = self.made.get("feature")
        if body is None:
            for key, feature in self.found.features.items():
                if feature["metadata"].get(OWNER) == self.meter.name:
                    yield self._step("feature", key, Action.ORPHAN, id=feature["id"])
            return
        key = str(body["lookup_key"])
        there = self.found.features.get(key)
        if there is None:
            write = Write("/v1/entitlements/features", body, FEATURE_ID)
            yield self._step("feature", key, Action.CREATE, writes=(write,))
        elif there["metadata"].get(OWNER) != self.meter.name:
            reason = "the account has a feature of this lookup key that was not made from this meter"
            hint = "archive that feature, or give the meter another name in the spec"
            yield self._step("feature", key, Action.CONFLICT, id=there["id"], reason=reason, hint=hint)
            return
        else:
            self.ids[FEATURE_ID] = there["id"]
            changes = _differences({"name": there["name"]}, {"name": body["name"]})
            write = Write(f"/v1/entitlements/features/{there['id']}", {"name": body["name"]})
            yield self._changed("feature", key, there, body, changes, write)
        product = str(self.made["product"]["id"])
        attached = there is not None and there["id"] in self.found.attached(product)
        attachment = self._resolved(self.made["product_feature"])
        write = Write(f"/v1/products/{product}/features", attachment, "")
        action = Action.KEEP if attached else Action.CREATE
        yield self._step("product feature", key, action, writes=() if attached else (write,))

    def _alert(self) -> Iterator[Step]:
        body: dict[str, Any] | None = self.made.get("alert")
        meter = self.ids.get(METER_ID)
        title = f"meterspec:{self.meter.name}:brim"
        there = self.found.alerts(meter, title) if meter is not None else []
        wanted = None if body is None else body["usage_threshold"]["gte"]
        same = [alert for alert in there if alert["usage_threshold"]["gte"] == wanted]
        on = next((alert for alert in same if alert["status"] == "active"), None)
        if on is not None:
            yield self._step("alert", title, Action.KEEP, id=on["id"])
        elif body is not None and same:
            alert = same[0]
            write = Write(f"/v1/billing/alerts/{alert['id']}/activate", {})
            off = (Change("status", str(alert["status"]), "active"),)
            drifted = not any(each["status"] == "active" for each in there)
            yield self._step(
                "alert", title, Action.RESTORE, id=alert["id"], drifted=drifted, changes=off, writes=(write,)
            )
        elif body is not None:
            write = Write("/v1/billing/alerts", self._resolved(body), "")
            before = [alert for alert in there if alert["status"] == "active"]
            changes = tuple(Change("gte", str(alert["usage_threshold"]["gte"]), str(wanted)) for alert in before)
            action = Action.REPLACE if before else Action.CREATE
            yield self._step("alert", title, action, changes=changes, writes=(write,))
        for alert in there:
            if alert["status"] == "active" and alert is not on:
                write = Write(f"/v1/billing/alerts/{alert['id']}/deactivate", {})
                yield self._step("alert", title, Action.ARCHIVE, id=alert["id"], writes=(write,))

    def _resolved(self, body: Body) -> Body:
        """A body in which the ids that are known stand in the place of their placeholders."""
        return resolved(body, self.ids)


def _inherited(holder: Object, body: Body) -> Body:
    """What others have set at a price, which the one that takes its place keeps: the spec says nothing of it."""
    kept: Body = {"metadata": {**_foreign(holder), **_metadata(body)}}
    if holder["nickname"] is not None:
        kept["nickname"] = holder["nickname"]
    if holder["tax_behavior"] != "unspecified":
        kept["tax_behavior"] = holder["tax_behavior"]
    return kept


def _price_id(key: str) -> str:
    """What stands for the id of the price that holds a lookup key in the end."""
    return f"${{{key}}}"


def resolved(body: Body, ids: Mapping[str, str]) -> Body:
    """A body with ids in the place of their placeholders."""

    def each(value: object) -> object:
        if isinstance(value, dict):
            return {key: each(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [each(inner) for inner in value]
        return ids.get(value, value) if isinstance(value, str) else value

    return {key: each(value) for key, value in body.items()}


# Shapes ---------------------------------------------------------------------------------------------------------


def _meter_shape(meter: Mapping[str, Any]) -> dict[str, object]:
    """What of a billing meter can never change, of a body as of an object; one that counts looks at no value."""
    shape = {
        "formula": meter["default_aggregation"]["formula"],
        "event_time_window": meter.get("event_time_window"),
        "customer key": meter["customer_mapping"]["event_payload_key"],
    }
    return (
        shape if shape["formula"] == "count" else {**shape, "value key": meter["value_settings"]["event_payload_key"]}
    )


def _price_shape(price: Mapping[str, Any]) -> dict[str, object]:
    """What of a price can never change, of a body as of an object; amounts are compared as numbers."""
    recurring = price.get("recurring") or {}
    package = price.get("transform_quantity") or {}
    shape: dict[str, object] = {
        "product": price["product"],
        "currency": price["currency"],
        "billing_scheme": price.get("billing_scheme", "per_unit"),
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "usage_type": recurring.get("usage_type"),
        "meter": recurring.get("meter"),
        "tiers_mode": price.get("tiers_mode"),
        "divide_by": package.get("divide_by"),
        "round": package.get("round"),
        "unit_amount": _amount(price, "unit_amount"),
    }
    for number, tier in enumerate(price.get("tiers") or ()):
        shape[f"tiers[{number}].up_to"] = "inf" if tier.get("up_to") is None else tier["up_to"]
        shape[f"tiers[{number}].unit_amount"] = _amount(tier, "unit_amount") or Decimal(0)
        shape[f"tiers[{number}].flat_amount"] = _amount(tier, "flat_amount") or Decimal(0)
    return shape


def _amount(given: Mapping[str, Any], name: str) -> Decimal | None:
    """An amount in minor units, which is read back as a whole number, as a text, or as both."""
    for key in (f"{name}_decimal", name):
        if given.get(key) is not None:
            return Decimal(str(given[key]))
    return None


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    return tuple(
        Change(key, _shown(before.get(key)), _shown(after.get(key)))
        for key in dict.fromkeys([*after, *before])
        if before.get(key) != after.get(key)
    )


def _shown(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def _owned(made: Mapping[str, Any]) -> dict[str, object]:
    """The metadata that is ours."""
    return {f"metadata.{key}": value for key, value in made["metadata"].items() if key.startswith("meterspec_")}


def _foreign(made: Mapping[str, Any]) -> dict[str, object]:
    """The metadata that is of others."""
    return {key: value for key, value in made["metadata"].items() if not key.startswith("meterspec_")}


def _metadata(body: Body) -> dict[str, object]:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def _digest(body: Body) -> object:
    return _metadata(body)[DIGEST]


def _role(made: Mapping[str, Any]) -> object:
    return made["metadata"].get(ROLE)
