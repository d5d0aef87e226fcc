"""What people have to do to ship changes: one step for each thing that has to follow, in the order to take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from meterspec.diff import Area, Change, Kind, Verdict, renamed
from meterspec.ir import (
    Aggregate,
    Credits,
    Entitlement,
    Family,
    Field,
    Hooks,
    Meter,
    MeterKind,
    Price,
    Program,
    Rate,
    Tier,
)

__all__ = ["Action", "Step", "steps"]


class Action(StrEnum):
    """What kind of thing has to be done, in the order in which it is."""

    PRODUCERS = "producers"
    RAW_TABLE = "raw-table"
    VIEWS = "views"
    STORE = "store"
    READERS = "readers"
    CYCLE = "cycle"
    NEW_PRICE = "new-price"
    NEW_METER = "new-meter"
    PRODUCT = "product"
    RETIRE_PRICE = "retire-price"
    APPLICATION = "application"
    RESTATE = "restate"
    OBLIGATIONS = "obligations"
    DECIDE = "decide"


_WORDS = {
    Action.PRODUCERS: "have every producer of `{subject}` follow before the spec asks for it: {what}",
    Action.RAW_TABLE: "change the raw table of `{subject}` before the views: {what}",
    Action.VIEWS: "replace the views of `{subject}`, and rebuild every table that is kept of them, rollups too",
    Action.STORE: "seal the event files of `{subject}` into a new store: one that is sealed keeps the old reading",
    Action.READERS: "have whoever reads `{subject}` follow: {what}",
    Action.CYCLE: "switch at the start of a cycle: invoices of `{subject}` that are still open change with it",
    Action.NEW_PRICE: "create the new price of `{subject}` at Stripe with `transfer_lookup_key`, move subscriptions to "
    "it when their period ends, and archive the old price",
    Action.NEW_METER: "create a new billing meter for `{subject}` at Stripe, and a price on it: a billing meter keeps "
    "its event name and formula",
    Action.PRODUCT: "update the product of `{subject}` at Stripe",
    Action.RETIRE_PRICE: "end the subscriptions to `{subject}` at Stripe with their period, and archive its price",
    Action.APPLICATION: "have the application follow for `{subject}`: {what}",
    Action.RESTATE: "restate what was reported of `{subject}`, or say from which period on it counts anew{what}",
    Action.OBLIGATIONS: "have whoever answers for `{subject}` follow: {what}",
    Action.DECIDE: "decide what to do about `{subject}`: {what}",
}
_HAVE_NO_WHAT = {action for action, words in _WORDS.items() if "{what}" not in words}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and the changes that ask for it."""

    action: Action
    subject: str
    """The family or meter, as it is called after, or was before where it is gone."""
    words: str
    because: tuple[str, ...]
    """The codes of the changes, in their order."""


_READING: dict[type, set[str]] = {
    Family: {"event_id", "event_time", "customer", "ingest_time", "fields"},
    Field: {"name", "type", "required", "minimum", "maximum", "values", "precision", "scale"},
}
"""What decides which events are accepted and what they hold."""
_COUNTED = {"source", "filter", "aggregate", "window", "group_by", "precision", "rounding"}
"""What of a meter decides its quantity."""
_PRICED = (Price, Tier, Rate, Credits)


def steps(before: Program, after: Program, verdicts: Iterable[Verdict]) -> tuple[Step, ...]:
    """What is to be done for changes, in the order in which to do it; descriptions and tests ask for nothing."""
    found: dict[tuple[Action, str], tuple[dict[str, None], dict[str, None]]] = {}
    verdicts = list(verdicts)
    readers = cache(lambda: _readers(before, after, renamed(verdicts)))
    for verdict in verdicts:
        for action, subject, what in _asked(readers, verdict):
            whats, codes = found.setdefault((action, subject), ({}, {}))
            codes[verdict.code] = None
            if what and action not in _HAVE_NO_WHAT:
                whats[what] = None
    order = list(Action)
    return tuple(
        Step(action, subject, _WORDS[action].format(subject=subject, what="; ".join(whats)), tuple(codes))
        for (action, subject), (whats, codes) in sorted(found.items(), key=lambda item: order.index(item[0][0]))
    )


_Asked = Iterator[tuple[Action, str, str]]
_Readers = Callable[[], Mapping[str, Sequence[Meter]]]
"""The meters that are there before and after, by the families whose events they count, as these are called after."""


def _readers(before: Program, after: Program, names: Mapping[str, str]) -> Mapping[str, Sequence[Meter]]:
    was = {names.get(meter.name, meter.name) for meter in before.meters}
    found: dict[str, list[Meter]] = {}
    for meter in after.meters:
        if meter.name in was:
            for family in after.families_of(meter):
                found.setdefault(family.name, []).append(meter)
    return found


def _asked(readers: _Readers, verdict: Verdict) -> _Asked:
    change = verdict.change
    found: list[tuple[Action, str, str]] = []
    match change.route[0].field:
        case "families":
            found += _of_family(readers, verdict)
        case "meters":
            found += _of_meter(verdict)
    yield from found
    if not found and verdict.affects is Area.OBLIGATIONS:
        yield Action.OBLIGATIONS, change.subject, verdict.message
    if verdict.code == "MD000":
        yield Action.DECIDE, change.subject, verdict.message


def _of_family(readers: _Readers, verdict: Verdict) -> _Asked:
    change, name = verdict.change, verdict.subject
    views, message = (Action.VIEWS, name, ""), verdict.message
    match change.owner, change.field, change.kind:
        case (_, "families", Kind.ADDED):
            yield Action.RAW_TABLE, name, "create it, as `inputs.sql` has it"
            yield views
        case (_, "families", Kind.REMOVED):
            yield Action.READERS, name, "its views are gone"
        case owner, "name" | "sql_name", _ if owner is Family:
            yield views
            yield Action.READERS, name, message
            yield Action.STORE, name, ""
        case owner, "table", _ if owner is Family:
            yield views
        case owner, "fields", kind if owner is Family and kind is not Kind.CHANGED:
            field = change.after if kind is Kind.ADDED else change.before
            assert isinstance(field, Field)
            words = f"add `{field.name}`" if kind is Kind.ADDED else f"`{field.name}` is no longer read"
            yield Action.RAW_TABLE, name, words
            if kind is Kind.ADDED and field.required:
                yield Action.PRODUCERS, name, f"`{field.name}`"
            yield views
            yield Action.STORE, name, ""
            yield from _readers_of(readers, name)
        case owner, field, _ if field in _READING.get(owner, ()):
            if _is_column(change):
                yield Action.RAW_TABLE, name, message
            if verdict.impact == "breaking":
                yield Action.PRODUCERS, name, message
            yield views
            yield Action.STORE, name, ""
            if owner is Family or field == "name":  # columns have another name
                yield Action.READERS, name, message
                for meter in readers().get(name, ()):
                    if change.after in meter.group_by:
                        yield Action.READERS, meter.name, message
            yield from _readers_of(readers, name)
        case owner, "unit", Kind.CHANGED if owner is Field:
            yield Action.PRODUCERS, name, message
            yield from _readers_of(readers, name)


def _is_column(change: Change) -> bool:
    """Whether the raw table has another column: one has another name or type, or a role goes to a field that is new."""
    if change.owner is Field:
        return change.field in {"name", "type", "precision", "scale"}
    family = change.old(Family)
    return family is not None and isinstance(change.after, str) and change.after not in [f.name for f in family.fields]


def _readers_of(readers: _Readers, family: str) -> _Asked:
    """What numbers on a family ask for, once it accepts other events, or reads them otherwise."""
    for meter in readers().get(family, ()):
        yield from _recounted(meter)


def _recounted(meter: Meter) -> _Asked:
    """What another quantity asks for."""
    if meter.kind is MeterKind.BILLING:
        yield Action.CYCLE, meter.name, ""
    else:
        regimes = ", ".join(meter.compliance.regulatory_regimes)
        yield Action.RESTATE, meter.name, f": it is reported under {regimes}" if regimes else ""


def _of_meter(verdict: Verdict) -> _Asked:
    change, name, message = verdict.change, verdict.subject, verdict.message
    meter = change.new(Meter) or (change.after if isinstance(change.after, Meter) else None)
    old = change.old(Meter) or (change.before if isinstance(change.before, Meter) else None)
    shown = meter or old
    assert shown is not None
    billed = shown.price is not None
    match change.owner, change.field, change.kind:
        case (_, "meters", Kind.ADDED):
            yield Action.VIEWS, name, ""
            if billed:
                yield Action.NEW_METER, name, ""
        case (_, "meters", Kind.REMOVED):
            yield Action.READERS, name, "its view is gone"
            if billed:
                yield Action.VIEWS, name, ""
                yield Action.RETIRE_PRICE, name, ""
        case owner, "name" | "sql_name", _ if owner is Meter:
            yield Action.VIEWS, name, ""
            yield Action.READERS, name, message
            if billed:
                yield Action.NEW_METER, name, ""
        case owner, field, _ if owner is Aggregate or (owner is Meter and field in _COUNTED):
            yield Action.VIEWS, name, ""
            if field == "group_by":
                yield Action.READERS, name, message
            yield from _recounted(shown)
            if billed and field == "function":
                yield Action.NEW_METER, name, ""
        case owner, "price", Kind.REMOVED if owner is Meter:
            yield Action.VIEWS, name, ""  # those of the invoices
            yield Action.RETIRE_PRICE, name, ""
        case owner, "price", _ if owner is Meter:
            yield Action.VIEWS, name, ""
            yield Action.NEW_METER, name, ""
        case owner, _, _ if owner in _PRICED:
            yield Action.VIEWS, name, ""
            yield Action.NEW_PRICE, name, ""
            yield Action.CYCLE, name, ""
        case owner, "unit" | "description", _ if owner is Meter and billed:
            yield Action.PRODUCT, name, ""
        case owner, "unit", _ if owner is Meter:
            yield from _recounted(shown)
        case owner, _, _ if owner in (Entitlement, Hooks):
            yield Action.APPLICATION, name, message
        case owner, "kind", _ if owner is Meter:
            yield Action.READERS, name, message
