"""Billing meters and the usage they take: who owns an event name, what an event must be, what the events come to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction

from tests.stripe_server.account import Account, MeterEvent, Object, Params, endpoint, newest_first
from tests.stripe_server.errors import event_exists, event_name_taken, refused, required, too_new, too_old
from tests.stripe_server.lists import page

MINUTE, HOUR, DAY = 60, 3600, 86400
OLDEST = 35 * DAY
NEWEST = 5 * MINUTE
IDENTIFIER_WINDOW = DAY
MOST_DIGITS = 15

_VALUE = re.compile(r"[+-]?(\d+)(?:\.(\d+))?")


@endpoint("POST", "/v1/billing/meters")
def create(account: Account, _: dict[str, str], params: Params) -> Object:
    # A deactivated meter keeps its name: usage that arrives for it must not land elsewhere.
    for meter in account.all("billing.meter").values():
        if meter["event_name"] == params["event_name"]:
            raise event_name_taken(params["event_name"], meter["id"], meter["status"])
    customer = params.get("customer_mapping", {"event_payload_key": "stripe_customer_id", "type": "by_id"})
    value = params.get("value_settings", {"event_payload_key": "value"})
    if customer["event_payload_key"] == value["event_payload_key"]:
        raise refused("The customer and the value of an event need different payload keys.", "value_settings")
    return account.add(
        "billing.meter",
        "mtr",
        {
            "created": account.now,
            "customer_mapping": customer,
            "default_aggregation": params["default_aggregation"],
            "display_name": params["display_name"],
            "event_name": params["event_name"],
            "event_time_window": params.get("event_time_window"),
            "status": "active",
            "status_transitions": {"deactivated_at": None},
            "updated": account.now,
            "value_settings": value,
        },
    )


@endpoint("POST", "/v1/billing/meters/{id}")
def update(account: Account, ids: dict[str, str], params: Params) -> Object:
    meter = account.get("billing.meter", ids["id"])
    meter.update({key: value for key, value in params.items() if key != "expand"}, updated=account.now)
    return meter


@endpoint("POST", "/v1/billing/meters/{id}/deactivate")
def deactivate(account: Account, ids: dict[str, str], _: Params) -> Object:
    meter = account.get("billing.meter", ids["id"])
    if meter["status"] == "inactive":
        raise refused(f"The meter '{meter['id']}' is already inactive.", code="archived_meter")
    meter.update(status="inactive", updated=account.now, status_transitions={"deactivated_at": account.now})
    return meter


@endpoint("POST", "/v1/billing/meters/{id}/reactivate")
def reactivate(account: Account, ids: dict[str, str], _: Params) -> Object:
    meter = account.get("billing.meter", ids["id"])
    if meter["status"] == "active":
        raise refused(f"The meter '{meter['id']}' is already active.")
    meter.update(status="active", updated=account.now, status_transitions={"deactivated_at": None})
    return meter


@endpoint("GET", "/v1/billing/meters/{id}")
def retrieve(account: Account, ids: dict[str, str], _: Params) -> Object:
    return account.get("billing.meter", ids["id"])


@endpoint("GET", "/v1/billing/meters")
def listed(account: Account, _: dict[str, str], params: Params) -> Object:
    status = params.get("status")
    found = (m for m in newest_first(account.all("billing.meter")) if status is None or m["status"] == status)
    return page(found, params, "/v1/billing/meters")


@endpoint("POST", "/v1/billing/meter_events")
def record(account: Account, _: dict[str, str], params: Params) -> Object:
    event = _accept(account, params, params.get("timestamp", account.now))
    return {
        "object": "billing.meter_event",
        "created": account.now,
        "event_name": event.event_name,
        "identifier": event.identifier,
        "livemode": account.livemode,
        "payload": params["payload"],
        "timestamp": event.timestamp,
    }


@endpoint("POST", "/v2/billing/meter_events")
def record_v2(account: Account, _: dict[str, str], params: Params) -> Object:
    text = params.get("timestamp")
    at = account.now if text is None else int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
    event = _accept(account, params, at)
    return {
        "object": "v2.billing.meter_event",
        "created": _rfc3339(account.now),
        "event_name": event.event_name,
        "identifier": event.identifier,
        "livemode": account.livemode,
        "payload": params["payload"],
        "timestamp": _rfc3339(event.timestamp),
    }


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _accept(account: Account, params: Params, timestamp: int) -> MeterEvent:
    """Takes an event, or says which of the rules it breaks."""
    name, payload = params["event_name"], params["payload"]
    if timestamp < account.now - OLDEST:
        raise too_old(account.now - OLDEST)
    if timestamp > account.now + NEWEST:
        raise too_new(account.now + NEWEST)
    meter = next((m for m in account.all("billing.meter").values() if m["event_name"] == name), None)
    if meter is None:
        raise refused(f"No meter has the event name '{name}'.", "event_name", "no_meter_found")
    if meter["status"] != "active":
        raise refused(f"The meter of the event name '{name}' is inactive.", "event_name", "archived_meter")
    if len(payload) > 100:  # a bound of ours: no number is documented
        raise refused("The payload has more than 100 keys.", "payload")
    customer_key = meter["customer_mapping"]["event_payload_key"]
    if not payload.get(customer_key):
        raise refused(f"The payload has no '{customer_key}'.", "payload", "meter_event_no_customer_defined")
    customer = payload[customer_key]
    if customer not in account.all("customer"):
        raise refused(f"No such customer: '{customer}'", "payload", "meter_event_customer_not_found")
    value = Fraction(1)
    if meter["default_aggregation"]["formula"] != "count":
        value = _value(payload, meter["value_settings"]["event_payload_key"])
    identifier = params.get("identifier", f"evt_{len(account.events) + 1:06d}")
    if any(e.identifier == identifier and account.now - e.received < IDENTIFIER_WINDOW for e in account.events):
        raise event_exists(identifier)
    event = MeterEvent(name, customer, value, timestamp, identifier, account.now)
    account.events.append(event)
    return event


def _value(payload: dict[str, str], key: str) -> Fraction:
    """The value of an event: plain decimal text of at most 15 significant digits.

    A trailing zero counts, since nothing says that it does not.
    """
    if key not in payload:
        raise refused(f"The payload has no '{key}'.", "payload", "meter_event_value_not_found")
    found = _VALUE.fullmatch(payload[key])
    if found is None:
        raise refused(f"'{payload[key]}' is not a number.", "payload", "meter_event_invalid_value")
    if len((found[1] + (found[2] or "")).lstrip("0")) > MOST_DIGITS:
        raise refused(
            f"The value '{payload[key]}' has more than {MOST_DIGITS} significant digits.",
            "payload",
            "meter_event_value_too_many_digits",
        )
    return Fraction(payload[key])


@endpoint("POST", "/v1/billing/meter_event_adjustments")
def adjust(account: Account, _: dict[str, str], params: Params) -> Object:
    if "identifier" not in params.get("cancel", {}):
        raise required("cancel[identifier]")
    identifier = params["cancel"]["identifier"]
    for position, event in enumerate(account.events):
        if (event.identifier, event.event_name) == (identifier, params["event_name"]):
            if account.now - event.received >= DAY:
                raise refused(f"The event '{identifier}' was received more than 24 hours ago.", "cancel[identifier]")
            del account.events[position]
            break
    else:
        raise refused(f"No event has the identifier '{identifier}'.", "cancel[identifier]")
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": params["event_name"],
        "livemode": account.livemode,
        "status": "complete",
        "type": "cancel",
    }


@endpoint("GET", "/v1/billing/meters/{id}/event_summaries")
def summaries(account: Account, ids: dict[str, str], params: Params) -> Object:
    meter = account.get("billing.meter", ids["id"])
    account.get("customer", params["customer"], "customer")
    step = {None: MINUTE, "hour": HOUR, "day": DAY}[params.get("value_grouping_window")]
    start, end = params["start_time"], params["end_time"]
    for name, at in (("start_time", start), ("end_time", end)):
        if at % step:
            raise refused(f"{name} must be aligned with the boundaries of {step} seconds.", name)
    if start >= end:
        raise refused("start_time must be before end_time.", "start_time")
    windows = [(start, end)] if "value_grouping_window" not in params else _windows(start, end, step)
    found = [
        {
            "id": f"mtrusg_{meter['id']}_{since}_{until}",
            "object": "billing.meter_event_summary",
            "aggregated_value": float(usage(account, meter, params["customer"], since, until)),
            "start_time": since,
            "end_time": until,
            "livemode": account.livemode,
            "meter": meter["id"],
        }
        for since, until in windows
    ]
    return page(reversed(found), params, f"/v1/billing/meters/{meter['id']}/event_summaries")


def _windows(start: int, end: int, step: int) -> list[tuple[int, int]]:
    return [(at, at + step) for at in range(start, end, step)]


def usage(account: Account, meter: Object, customer: str, start: int, end: int) -> Fraction:
    """What the events of a customer in [start, end) come to by the formula of the meter, exactly.

    `last` takes the greatest timestamp; which of equal ones counts is written nowhere, so nothing may depend on it. On
    a meter with an `event_time_window` only the event of each UTC hour or day that was received last counts.
    """
    events = [
        e
        for e in account.events
        if e.event_name == meter["event_name"] and e.customer == customer and start <= e.timestamp < end
    ]
    if (window := meter["event_time_window"]) is not None:
        step = {"hour": HOUR, "day": DAY}[window]
        events = list({event.timestamp // step: event for event in events}.values())
    match meter["default_aggregation"]["formula"]:
        case "count":
            return Fraction(len(events))
        case "sum":
            return sum((e.value for e in events), Fraction(0))
        case "last":
            latest = max((e.timestamp for e in events), default=None)
            values = {e.value for e in events if e.timestamp == latest}
            assert len(values) <= 1, f"which of {values} Stripe takes, all of {latest}, is not known"
            return values.pop() if values else Fraction(0)
    raise AssertionError(meter)
