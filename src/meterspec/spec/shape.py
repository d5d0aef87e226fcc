"""What a person may write: the shape of a spec and the words for every key. No meaning lives here.

Plain dataclasses, so that reading a spec loads no validator: `reader` fills them, and `meterspec schema` hands the
same classes to pydantic for the JSON Schema that editors use.
"""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from meterspec.records import record

__all__ = [
    "Aggregate",
    "Assessment",
    "Billing",
    "Compliance",
    "Credits",
    "Document",
    "Example",
    "Factor",
    "Family",
    "FamilyField",
    "Incident",
    "Length",
    "Level",
    "Matching",
    "Meter",
    "Range",
    "Rate",
    "Reporting",
    "ShortMeter",
    "Sink",
    "Source",
    "Tier",
    "WindowTable",
]


@record(frozen=True, slots=True)
class Range:
    """Bounds of a whole number, both included."""

    low: int
    high: int


@record(frozen=True, slots=True)
class Length:
    """The least number of items of a list, or of characters of a text."""

    least: int


@record(frozen=True, slots=True)
class Matching:
    """A regular expression that a whole name has to match, and what it asks for in words."""

    pattern: str
    words: str
    longest: int = 100


Name = Annotated[
    str,
    Matching(
        r"[a-z][a-z0-9]*([._-][a-z0-9]+)*",
        "lower-case letters and digits in parts joined by `.`, `_` or `-`, starting with a letter",
    ),
]
FieldName = Annotated[str, Matching(r"[A-Za-z_][A-Za-z0-9_]*", "letters, digits and `_`, not starting with a digit")]
Text = Annotated[str, Length(1)]
Number = Decimal
"""A number of TOML, whole or with decimals, exactly as written."""
Scalar = str | int | bool | Decimal | datetime | date
"""A single value, as an event or a match writes it."""
Unit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]
Level = Literal["error", "warning", "hint", "off"]
"""How much a finding matters; one that is off is not reported."""
Function = Literal["COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST", "LAST", "UNIQUE", "TIME_WEIGHTED"]


Country = Annotated[str, Matching(r"[A-Z]{2}", "the two capital letters of a country, as in ISO 3166-1: `DE`")]
Clock = Literal[
    "event_time",
    "period_end",
    "calendar_year_end",
    "publication",
    "placed_on_market",
    "audit_conclusion",
    "last_effective",
]
"""What a retention period is counted from."""
Transfer = Literal["adequacy", "standard_clauses", "binding_rules", "derogation"]
"""What a transfer out of the permitted zones rests on: GDPR Art. 45, 46(2)(c), 47 or 49."""


@record(frozen=True, slots=True, kw_only=True)
class Factor:
    """Where an emission factor, or an amount of CO2 equivalent that was computed before, comes from."""

    source: Text
    """Who publishes it."""
    version: Text
    """Which edition or year of it, so that a later one changes no number of the past."""
    method: Literal["location", "market"] | None = None
    """The average of the grid, or what was bought by contract."""
    gwp: Text | None = None
    """The set of global warming potentials it is made with: "AR5", "AR6"."""


@record(frozen=True, slots=True, kw_only=True)
class FamilyField:
    """A field of the event."""

    type: Literal["string", "integer", "decimal", "float", "boolean", "timestamp"]
    """What the field holds. `float` is a number that arrives as an IEEE double and is read once into decimals."""
    required: bool = False
    """An event without it is rejected."""
    unit: Text | None = None
    """Its unit in UCUM-style text: `ms`, `J`, `g/kWh`."""
    min: Number | None = None
    """The least value, included; an event below it is rejected."""
    max: Number | None = None
    """The greatest value, included; an event above it is rejected."""
    values: Annotated[list[str], Length(1)] | None = None
    """The closed set of texts a string field may hold."""
    personal: bool | None = None
    """Whether it is personal data."""
    erase_after_months: Annotated[int, Range(1, 1200)] | None = None
    """The longest that personal data in it may be kept for its purpose."""
    factor: Factor | None = None
    """The source of an emission factor."""
    precision: Annotated[int, Range(1, 38)] | None = None
    """Digits of a decimal in all; 18 where absent."""
    scale: Annotated[int, Range(0, 18)] | None = None
    """Decimals; 9 for a decimal and 6 for a float where absent."""
    description: str | None = None
    """For people."""


@record(frozen=True, slots=True, kw_only=True)
class Incident:
    """The fields that the clocks of incident reports are counted from."""

    detected_at: FieldName | None = None
    """When the incident was noticed."""
    aware_at: FieldName | None = None
    """When it was known to be one."""
    classified_at: FieldName | None = None
    """When it was classified as major."""


@record(frozen=True, slots=True, kw_only=True)
class Compliance:
    """What the events of a family are bound to, and how they are kept."""

    jurisdiction: list[Text] | None = None
    """The zones the events may be kept in."""
    audit_retention_years: Annotated[int, Range(1, 100)] | None = None
    """How long the events must be kept. A meter may tighten it, never loosen it."""
    retention_from: Clock | None = None
    """What the years are counted from; the time of the event where absent."""
    deleted_after_years: Annotated[int, Range(1, 100)] | None = None
    """When the storage deletes events, where it does."""
    hot_months: Annotated[int, Range(1, 1200)] | None = None
    """How many of the newest months can be read at once."""
    legal_hold: bool = False
    """Whether nothing may be deleted, whatever the dates say."""
    storage: list[Country] | None = None
    """The countries the events are kept in."""
    transfer: Transfer | None = None
    """What keeping them outside of the permitted zones rests on."""
    member_state: Country | None = None
    """The country whose law sets what a directive leaves open."""
    risk_class: Literal["minimal", "limited", "high", "unacceptable"] | None = None
    """The risk class of the AI system under the AI Act."""
    regulatory_regimes: list[Text] | None = None
    """The regimes that all numbers made of the events are reported under."""
    event_log: Literal["immutable", "compacted", "mutable"] | None = None
    """Whether an event can change once it is written."""
    corrections: Literal["append", "overwrite"] | None = None
    """How a mistake is put right: by one more event, or in place."""
    clock_source: Text | None = None
    """The reference time that the clocks of the writers follow."""
    incident: Incident | None = None
    """The fields of an incident that deadlines are counted from."""
    subject_field: FieldName | None = None
    """The field that names the person whose data an event is."""
    lawful_basis: (
        Literal["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"]
        | None
    ) = None
    """Why personal data may be processed: GDPR Art. 6(1)."""
    purpose: Text | None = None
    """What personal data is processed for."""
    erasure: Literal["crypto_shred", "pseudonym_map", "tombstone", "external_store"] | None = None
    """How the data of one person is erased from the log."""
    ai_role: Literal["provider", "deployer", "importer", "distributor"] | None = None
    """What the operator of the AI system is to it."""
    ai_system: Text | None = None
    """The identifier of the AI system."""
    ai_model: Text | None = None
    """The identifier of the general-purpose model."""
    ai_phase: Literal["training", "fine_tuning", "inference"] | None = None
    """What the model is doing when the events happen."""
    documentation_retention_years: Annotated[int, Range(1, 100)] | None = None
    """How long the technical documentation of the AI system is kept."""


@record(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What tightens the obligations of a meter's families, and what its number is reported as."""

    jurisdiction: list[Text] | None = None
    """The zones the number may be kept in: those of the family, or fewer."""
    audit_retention_years: Annotated[int, Range(1, 100)] | None = None
    """How long its evidence must be kept: as long as the family says, or longer."""
    risk_class: Literal["minimal", "limited", "high", "unacceptable"] | None = None
    """The risk class of the AI system under the AI Act: that of the family, or a higher one."""
    regulatory_regimes: list[Text] | None = None
    """The regimes the number is reported under."""
    disclosure: Text | None = None
    """The datapoint it is reported as: `esrs:GrossScope3GreenhouseGasEmissions`."""
    ghg_scope: Literal[1, 2, 3] | None = None
    """The scope of the emissions under the GHG Protocol."""
    ghg_category: Annotated[int, Range(1, 15)] | None = None
    """The category of scope 3."""
    ghg_method: Literal["location", "market"] | None = None
    """How scope 2 is counted: by the average of the grid, or by contracts."""
    gwp: Text | None = None
    """The set of global warming potentials: "AR5", "AR6"."""
    consolidation: Literal["operational_control", "financial_control", "equity_share"] | None = None
    """Whose emissions are counted."""
    measurement: Literal["measured", "estimated"] | None = None
    """Whether the fields were measured or estimated."""
    functional_unit: Text | None = None
    """What an intensity is per: the R of ISO/IEC 21031."""


@record(frozen=True, slots=True, kw_only=True)
class Sink:
    """A system outside of the log that is sent numbers or events."""

    region: Country
    """The country it keeps them in."""
    transfer: Transfer | None = None
    """What sending them out of the permitted zones rests on."""
    receives: Annotated[list[Name], Length(1)] | None = None
    """The meters it is sent; `stripe` is sent every billing meter."""


@record(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What compliance is judged by, for the whole project."""

    as_of: date | None = None
    """The day whose rules count."""


@record(frozen=True, slots=True, kw_only=True)
class Family:
    """A type of event: what happened."""

    name: Name
    """Its dotted name, unique in the project."""
    description: str | None = None
    """For people."""
    event_id_field: FieldName = "event_id"
    """The field that identifies an event; repeats count once."""
    event_time_field: FieldName = "event_time"
    """The field that says when it happened."""
    customer_field: FieldName | None = None
    """The field that names the customer; `customer_id` where absent."""
    ingest_time_field: FieldName | None = None
    """The field that says when the event arrived; the earliest wins a conflict."""
    table: Text | None = None
    """Where the raw rows live; derived from the name where absent."""
    max_events: Annotated[int, Range(1, 10**15)] = 1_000_000_000
    """The most events one result is made of; overflow is decided by it."""
    schema: dict[FieldName, FamilyField] = field(default_factory=dict)
    """The fields of the event beyond id, time and customer."""
    compliance: Compliance | None = None
    """Jurisdiction, retention and risk class of the events."""


@record(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a meter's events come from."""

    kind: Literal["family", "families", "ratio"]
    """One family, several, or the ratio of two meters."""
    family: Text | None = None
    """The family's name, for `family`."""
    families: Annotated[list[Text], Length(1)] | None = None
    """The families' names, for `families`."""
    numerator: Text | None = None
    """The meter above the line, for `ratio`."""
    denominator: Text | None = None
    """The meter below the line, for `ratio`."""


@record(frozen=True, slots=True, kw_only=True)
class WindowTable:
    """The stretch of time one quantity covers."""

    kind: Literal["billing_cycle", "calendar", "tumbling", "rolling", "lifetime"]
    """The customer's cycle, calendar units, fixed lengths, a trailing window, or everything."""
    unit: Unit | None = None
    """The calendar unit, for `calendar`."""
    timezone: Text | None = None
    """IANA name of the zone of the calendar; UTC where absent."""
    duration_seconds: Annotated[int, Range(1, 10**11)] | None = None
    """The length, for `tumbling` and `rolling`."""
    duration: Text | None = None
    """The length in words: "30d", "15m", "2 months", "1 year"."""
    every: Unit | None = None
    """For `rolling`: one window that ends at each boundary of this unit."""


@record(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What is done with the events of one group and window."""

    fn: Function
    """How the values become one quantity."""
    value: str | None = None
    """CEL: the number each event contributes."""
    window: Text | WindowTable | None = None
    """The window: "month", "billing_cycle", "15m" or a table; "month" where absent."""
    group_by: list[FieldName] | None = None
    """The fields whose values split the result."""
    per: Unit | None = None
    """The time unit of a TIME_WEIGHTED quantity."""


@record(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a price."""

    up_to: Number | Literal["infinity"]
    """The last unit of the step, included, counting the whole period; "infinity" for the last tier."""
    unit_amount: Number | None = None
    """What each unit in it costs, in major units (0.45 EUR)."""
    flat_amount: Number | None = None
    """What entering it costs, in major units."""


@record(frozen=True, slots=True, kw_only=True)
class Rate:
    """The price of usage whose dimensions have these values; the first match wins."""

    match: dict[FieldName, Scalar]
    """Dimension values this rate is for."""
    tiers: Annotated[list[Tier], Length(1)] | None = None
    """The tiers of this rate."""
    unit_amount: Number | None = None
    """Shorthand for one tier without an end."""


@record(frozen=True, slots=True, kw_only=True)
class Credits:
    """Prepaid usage."""

    pack: Number
    """Units a pack holds."""
    price: Number
    """What a pack costs, in major units."""
    refill_below: Number | None = None
    """The balance below which a pack is bought."""
    hard: bool = False
    """Whether usage is cut off at zero."""


@record(frozen=True, slots=True, kw_only=True)
class Billing:
    """What usage costs in a period."""

    model: Literal["usage", "flat", "combined", "prepaid"]
    """Usage alone, a fee alone, a fee and usage, or credits bought ahead."""
    currency: Text
    """ISO 4217 code."""
    interval: Literal["month", "quarter", "year"] = "month"
    """How often it is invoiced."""
    base_fee: Number | None = None
    """Due every period, in major units; for flat and combined."""
    included_units: Number | None = None
    """Units that are free in every period."""
    tier_mode: Literal["graduated", "volume"] = "graduated"
    """Each unit at its own tier's price, or all at the price of the tier reached."""
    tiers: Annotated[list[Tier], Length(1)] | None = None
    """The steps of the price."""
    unit_amount: Number | None = None
    """Shorthand for one tier without an end."""
    package_size: Number | None = None
    """Units are sold by the package of this size."""
    package_rounding: Literal["up", "down"] = "up"
    """Whether a started package is due, or only full ones."""
    minimum_amount: Number | None = None
    """The least the usage of a period costs."""
    maximum_amount: Number | None = None
    """The most the usage of a period costs."""
    rates: list[Rate] | None = None
    """Prices by dimension."""
    credits: Credits | None = None
    """The packs of a prepaid price."""
    limit: Number | None = None
    """The hard cap on usage in a period."""
    brim_at: Number | None = None
    """The soft cap: from here on the status is `spill`."""
    on_brim: Text | None = None
    """The hook to run at the soft cap."""
    on_low: Text | None = None
    """The hook to run when credits fall below `refill_below`."""
    on_dry: Text | None = None
    """The hook to run when nothing is left."""


@record(frozen=True, slots=True, kw_only=True)
class Example:
    """An example that is a test: these events give these quantities."""

    name: Text
    """What it shows."""
    events: list[dict[str, Scalar]]
    """The events, as their family writes them."""
    expect: list[dict[str, Scalar]]
    """The rows: group values, `quantity`, and the window if it matters."""
    as_of: datetime | date | None = None
    """The instant rolling and lifetime windows end at."""


@record(frozen=True, slots=True, kw_only=True)
class Meter:
    """How events become a quantity."""

    name: Name
    """Its name, unique in the project."""
    kind: Literal["billing", "reporting"] = "reporting"
    """Whether it is invoiced or reported."""
    description: str | None = None
    """For people."""
    unit: Text | None = None
    """The unit of the quantity; checked against the value's units."""
    precision: Annotated[int, Range(0, 12)] = 6
    """Decimals of the quantity."""
    rounding: Literal["half_up", "half_even", "up", "down"] = "half_up"
    """How the exact quantity is rounded, once, at the end."""
    filter: str | None = None
    """CEL: which events count."""
    source: Source
    """Where the events come from."""
    aggregate: Aggregate | None = None
    """What is done with them; absent for a ratio, which has the windows and groups of its two meters."""
    billing: Billing | None = None
    """What the quantity costs; for billing meters."""
    compliance: Reporting | None = None
    """What tightens the family's obligations, and what the number is reported as."""
    tests: list[Example] = field(default_factory=list)
    """Examples that are tests."""


@record(frozen=True, slots=True, kw_only=True)
class ShortMeter:
    """A meter that declares its own family."""

    kind: Literal["counter", "gauge"]
    """The SUM of `qty`, or its LAST value in each window."""
    unit: Text | None = None
    """The unit of `qty` and of the quantity."""
    description: str | None = None
    """For people."""
    dedupe_on: FieldName = "event_id"
    """The field that identifies an event."""
    precision: Annotated[int, Range(0, 12)] = 6
    """Decimals of the quantity."""
    window: Text | WindowTable | None = None
    """The window; "month" where absent."""
    limit: Number | None = None
    """The hard cap on usage in a window."""
    brim_at: Number | None = None
    """The soft cap: from here on the status is `spill`."""
    on_brim: Text | None = None
    """The hook to run at the soft cap."""
    on_low: Text | None = None
    """The hook to run when little is left."""
    on_dry: Text | None = None
    """The hook to run when nothing is left."""


@record(frozen=True, slots=True, kw_only=True)
class Document:
    """One file of a project."""

    meterspec: Literal[1] = 1
    """The version of the language."""
    families: list[Family] = field(default_factory=list)
    """The types of events."""
    meters: list[Meter] = field(default_factory=list)
    """What is counted, in the long form."""
    meter: dict[Name, ShortMeter] = field(default_factory=dict)
    """What is counted, in the short form."""
    sinks: dict[Name, Sink] = field(default_factory=dict)
    """Where numbers and events go."""
    compliance: Assessment | None = None
    """What compliance is judged by."""
    lint: dict[str, Level] = field(default_factory=dict)
    """How much warnings and hints matter in this project, by code, beginning of codes (`MS32`) or name."""
