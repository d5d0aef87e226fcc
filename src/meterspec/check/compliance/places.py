"""Where events and numbers are kept, and whether the zones of their family permit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meterspec.assessment import Residence
from meterspec.check.compliance.judging import Judge, listed
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import Family, Meter, Sink
from meterspec.regimes import Zone
from meterspec.source import Place

__all__ = ["STRIPE", "check_places"]

SINK_OUTSIDE = Rule(
    code="MS520",
    slug="sink-outside-zones",
    title="A system that is sent numbers to a country their family does not permit",
    message="sink `{sink}` keeps numbers of meter `{meter}` in {country}, and {fault}",
    why="A copy outside of the zones is outside, whoever made it: GDPR Art. 44 to 46 for personal data, and what was "
    "promised to customers for the rest. Of several zones the strictest governs: one that is restricted lets nothing "
    "out, whatever another one permits.",
    bad="""
        sinks.stripe = { region = "US" }
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu_restricted", "us"]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        sinks.stripe = { region = "IE" }
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu_restricted"]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)
STORAGE_OUTSIDE = Rule(
    code="MS521",
    slug="storage-outside-zones",
    title="Events that are kept in a country their family does not permit",
    message="the events of family `{family}` are kept in {country}, and {fault}",
    why="`jurisdiction` is the promise, `storage` is what is so. Outside of a zone that is not restricted, something "
    "has to make it lawful: `transfer` names what.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu"]
        compliance.storage = ["DE", "US"]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu"]
        compliance.storage = ["DE", "US"]
        compliance.transfer = "standard_clauses"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
PLACE_UNSTATED = Rule(
    code="MS522",
    slug="place-unstated",
    title="A jurisdiction, and no word about where things are",
    message="family `{family}` permits {zones} only, and it is not stated where {what}",
    why="A zone is kept or not by what is true of the storage and of every system that is sent numbers. What is not "
    "stated cannot be compared.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu"]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        sinks.stripe = { region = "IE" }
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu"]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)

STRIPE = "stripe"
"""The sink that every billing meter with a price is compiled for."""


def check_places(judge: Judge) -> None:
    """Reports MS520 to MS522, and gathers where everything is."""
    sinks = [(sink, frozenset(sink.receives)) for sink in judge.program.sinks]
    for family, meters in judge.families:
        zones = _zones(judge, family.compliance.jurisdiction)
        for number, country in enumerate(family.compliance.storage):
            at = family.compliance.origin and family.compliance.origin / "storage" / number
            transfer = family.compliance.stated("transfer")
            fault = outside(country, zones, str(transfer) if transfer else None)
            _note(judge, family.name, "storage", family.name, country, zones, fault, transfer)
            if not zones:
                continue
            compared: dict[str, Any] = {
                "country": country,
                "zones": " ".join(zone.id for zone in zones),
                "transfer": transfer,
            }
            if fault is None:
                judge.passes(STORAGE_OUTSIDE, family.name, **compared)
                continue
            judge.fails(
                STORAGE_OUTSIDE,
                family.name,
                at=at,
                related=_related(family.compliance.origin),
                unverified=_unverified(zones),
                compared=compared,
                family=family.name,
                country=country,
                fault=fault,
            )
        _check_sinks(judge, family, meters, sinks)
        _check_stated(judge, family, meters, zones)


def outside(country: str, zones: Sequence[Zone], transfer: str | None) -> str | None:
    """Why zones do not permit a country, in words; None where they do."""
    forbid = [zone.id for zone in zones if zone.restricted and country not in zone.members]
    permit = [zone.id for zone in zones if country in zone.members]
    without = [zone.id for zone in zones if not zone.restricted] if not permit and transfer is None else []
    if forbid:
        though = f", though {listed(permit)} permits it" if permit else ""
        also = f", and it is not in {listed(without, 'or')}" if without else ""
        return f"{listed(forbid)} lets nothing out of it{though}{also}"
    if not without:
        return None
    return f"it is not in {listed(without, 'or')}, and no `transfer` says what that rests on"


def _zones(judge: Judge, names: Sequence[str]) -> list[Zone]:
    return [zone for name in names if (zone := judge.zone(name)) is not None]


def _unverified(zones: Sequence[Zone]) -> str | None:
    loose = [zone.id for zone in zones if not zone.verified]
    return f"the members of {listed(loose)} are unverified in the registry" if loose else None


def _related(origin: Place | None) -> list[tuple[Place, str]]:
    return [(origin / "jurisdiction", "what is permitted")] if origin else []


def _check_sinks(
    judge: Judge, family: Family, meters: Sequence[Meter], sinks: Sequence[tuple[Sink, frozenset[str]]]
) -> None:
    for sink, received in sinks:
        for meter in meters:
            if meter.name not in received and (sink.name != STRIPE or meter.price is None):
                continue
            zones = _zones(judge, meter.compliance.jurisdiction or family.compliance.jurisdiction)
            fault = outside(sink.region, zones, sink.transfer)
            if fault is None and not judge.noted:
                continue
            _note(judge, meter.name, "sink", sink.name, sink.region, zones, fault, sink.transfer)
            if not zones:
                continue
            names = " ".join(zone.id for zone in zones)
            compared: dict[str, Any] = {
                "meter": meter.name,
                "country": sink.region,
                "zones": names,
                "transfer": sink.transfer,
            }
            if fault is None:
                judge.passes(SINK_OUTSIDE, sink.name, **compared)
                continue
            own = meter.compliance if meter.compliance.jurisdiction else family.compliance
            judge.fails(
                SINK_OUTSIDE,
                sink.name,
                at=sink.origin and sink.origin / "region",
                related=_related(own.origin),
                unverified=_unverified(zones),
                compared=compared,
                sink=sink.name,
                meter=meter.name,
                country=sink.region,
                fault=fault,
            )


def _check_stated(judge: Judge, family: Family, meters: Sequence[Meter], zones: Sequence[Zone]) -> None:
    """Reports MS522: without a regime only about what the compiler itself writes for, Stripe."""
    if not zones:
        return
    names = {sink.name for sink in judge.program.sinks}
    lacking = []
    if judge.regimes_of_family(family, meters) and not family.compliance.storage:
        lacking.append(("its events are", 'compliance.storage = ["DE"]'))
    if any(meter.price is not None for meter in meters) and STRIPE not in names:
        lacking.append(("Stripe keeps what it is sent", 'sinks.stripe = { region = "IE" }'))
    compared: dict[str, Any] = {
        "zones": " ".join(zone.id for zone in zones),
        "storage": " ".join(family.compliance.storage) or None,
    }
    if not lacking:
        judge.passes(PLACE_UNSTATED, family.name, **compared)
        return
    at = family.compliance.origin
    judge.fails(
        PLACE_UNSTATED,
        family.name,
        at=at and at / "jurisdiction",
        hint=f"write {' and '.join(f'`{example}`' for _, example in lacking)}, with the country that it is",
        compared=compared,
        family=family.name,
        zones=listed([zone.id for zone in zones]),
        what=" and where ".join(words for words, _ in lacking),
    )


def _note(
    judge: Judge,
    subject: str,
    kind: str,
    name: str,
    country: str,
    zones: Sequence[Zone],
    fault: str | None,
    transfer: object,
) -> None:
    judge.resides(
        Residence(
            subject=subject,
            kind=kind,
            name=name,
            country=country,
            zones=tuple(zone.id for zone in zones),
            permitted=fault is None,
            transfer=str(transfer) if transfer else None,
        )
    )
