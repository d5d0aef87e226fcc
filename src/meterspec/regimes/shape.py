"""What the files of the registry may say: the regimes and zones of the package, and what an organisation adds."""

from __future__ import annotations

from dataclasses import field
from datetime import date
from typing import Annotated, Literal

from meterspec.records import record
from meterspec.spec.shape import Clock, Country, Length, Matching, Range, Text

__all__ = ["Datapoint", "Organisation", "Override", "OwnRegime", "Regime", "Retention", "Zone", "Zones"]

Identifier = Annotated[str, Matching(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", "lower-case letters, digits and `_`")]
Months = Annotated[int, Range(1, 1200)]
Kind = Literal["billing", "reporting"]
Requirement = Literal[
    "audit_retention_years",
    "hot_months",
    "member_state",
    "event_log",
    "corrections",
    "clock_source",
    "incident",
    "subject_field",
    "lawful_basis",
    "purpose",
    "erasure",
    "risk_class",
    "ai_role",
    "ai_system",
    "ai_model",
    "ai_phase",
    "ghg_scope",
    "ghg_method",
    "factor",
    "gwp",
    "consolidation",
    "measurement",
    "functional_unit",
]
"""The keys of a spec that a regime can ask for."""


@record(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long one class of evidence has to be kept."""

    evidence: Text
    """The class of evidence: `event_log`, `voucher_invoice`."""
    covers: Literal["events", "documentation", "report", "letters"]
    """What it is about: only the events are what a spec declares the years of."""
    min_months: Months
    """The least number of months."""
    clock: Clock
    """What they are counted from."""
    reference: Text
    """Where that stands."""
    verified: bool = True
    """Whether the number was read in the law; False for a default that is derived from another one."""
    kinds: list[Kind] = field(default_factory=lambda: ["billing", "reporting"])
    """The meters whose events it is about."""


@record(frozen=True, slots=True, kw_only=True)
class Datapoint:
    """A number that a regime asks for, by the name it has in a taxonomy."""

    concept: Text
    """Its element, with its prefix."""
    unit: Text
    """The unit it is disclosed in."""
    datapoint: Text | None = None
    """The disclosure requirement of the standard."""
    scope: Literal[1, 2, 3] | None = None
    """The scope of emissions it holds."""
    method: Literal["location", "market"] | None = None
    """The method it holds."""


@record(frozen=True, slots=True, kw_only=True)
class Regime:
    """A law, a standard or a policy that numbers are reported under."""

    id: Identifier
    """Its name in a spec."""
    title: Text
    """Its name for people."""
    legal_reference: Text
    """Where it stands."""
    status: Text = "in force"
    """Whether it applies, in words."""
    in_force: bool = True
    """False where it is stayed or repealed."""
    applies_from: date | None = None
    """The first day it applies."""
    applies_to: list[Kind] = field(default_factory=lambda: ["billing", "reporting"])
    """The meters it can be about."""
    verified: bool = True
    """Whether what is enforced of it was read in its text, or in a faithful quotation."""
    verified_note: Text | None = None
    """What was, and what was not."""
    source: Text = "the organisation's own file"
    """Where it was read."""
    requires: list[Requirement] = field(default_factory=list)
    """What a spec has to state."""
    incident_fields: list[Literal["detected_at", "aware_at", "classified_at"]] = field(default_factory=list)
    """The instants that its deadlines are counted from."""
    annual: bool = False
    """Whether its numbers are totals of a year."""
    accounting: bool = False
    """Whether it is a law of accounting or tax."""
    member_state: Country | None = None
    """The one country whose law it is."""
    units: list[Text] = field(default_factory=list)
    """The units that its numbers are disclosed in."""
    expected_aggregations: list[Text] = field(default_factory=list)
    """How its numbers are made, in words."""
    residency: Text | None = None
    """Where it wants evidence to be, in words."""
    may_loosen: Text | None = None
    """Who may ask for less, in words."""
    retention_basis: Literal[
        "statutory", "derived", "entity_defined", "member_state", "purpose_bound", "none", "policy"
    ] = "policy"
    """Where its periods come from."""
    retention_max: Text | None = None
    """What limits them, in words."""
    retention_note: Text | None = None
    """What to know about them."""
    hot_months: Months | None = None
    """How many of the newest months have to be readable at once."""
    standard_version: Text | None = None
    """The edition that the names of its datapoints are from."""
    retention: list[Retention] = field(default_factory=list)
    """How long evidence has to be kept, a class at a time."""
    disclosures: list[Datapoint] = field(default_factory=list)
    """The numbers it asks for."""


@record(frozen=True, slots=True, kw_only=True)
class OwnRegime:
    """A regime of the organisation, or what it tightens of one that there is."""

    id: Identifier
    """The regime."""
    title: Text | None = None
    """Its name for people, for one of its own."""
    legal_reference: Text | None = None
    """Where it stands, for one of its own."""
    applies_to: list[Kind] | None = None
    """The meters it can be about, for one of its own."""
    requires: list[Requirement] = field(default_factory=list)
    """What a spec has to state as well."""
    annual: bool = False
    """Whether its numbers are totals of a year."""
    hot_months: Months | None = None
    """How many of the newest months have to be readable at once."""
    retention: list[Retention] = field(default_factory=list)
    """Periods that are added, or longer than those there are."""


@record(frozen=True, slots=True, kw_only=True)
class Zone:
    """A set of countries, by a name that a jurisdiction can use."""

    id: Identifier
    """Its name in a spec."""
    title: Text | None = None
    """Its name for people."""
    members: Annotated[list[Country], Length(1)]
    """Its countries."""
    restricted: bool = False
    """Whether nothing may leave it, whatever another zone of the same list permits."""
    verified: bool = True
    """Whether the members were read in a source."""
    source: Text = "the organisation's own file"
    """Where they were read."""
    note: Text | None = None
    """What to know about it."""


@record(frozen=True, slots=True, kw_only=True)
class Zones:
    """The zones of the package."""

    zones: list[Zone]
    """Each of them."""


@record(frozen=True, slots=True, kw_only=True)
class Override:
    """Leave to break one rule for one subject, for a time."""

    rule: Text
    """The code of the rule, or its name."""
    subject: Text
    """The family, meter or sink it is for."""
    approver: Text
    """Who answers for it: a name and an office."""
    legal_basis: Text
    """What allows it."""
    approved_on: date
    """The first day it counts."""
    expires_on: date
    """The first day it no longer does."""
    regime: Identifier | None = None
    """The regime it is about; every one where absent."""
    min_months: Months | None = None
    """The period that counts instead, for a rule about retention."""


@record(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The file `meterspec.regimes.toml`."""

    regimes: list[OwnRegime] = field(default_factory=list)
    """Regimes that are added or tightened."""
    zones: list[Zone] = field(default_factory=list)
    """Zones that are added or narrowed."""
    overrides: list[Override] = field(default_factory=list)
    """Leave to break a rule."""
