"""What a spec means: frozen dataclasses without TOML, positions or I/O. Two programs that are equal mean the same."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from meterspec.cel.tree import Expr
from meterspec.cel.types import Environment, Type, Variable
from meterspec.records import record
from meterspec.source import Place

__all__ = [
    "ADDITIVE",
    "UNBOUND",
    "Aggregate",
    "BillingCycle",
    "CalendarUnit",
    "CalendarWindow",
    "Compliance",
    "Credits",
    "Entitlement",
    "Event",
    "Example",
    "ExpectedRow",
    "Family",
    "FamilySource",
    "Field",
    "FieldType",
    "Function",
    "Hooks",
    "Leave",
    "Lifetime",
    "Meter",
    "MeterKind",
    "Price",
    "PriceModel",
    "Program",
    "Rate",
    "RatioSource",
    "Regime",
    "Rolling",
    "Rounding",
    "Scalar",
    "Sink",
    "Source",
    "Statement",
    "Term",
    "Tier",
    "TierMode",
    "Tumbling",
    "Window",
    "Zone",
    "stated",
    "variables",
]

Scalar = str | int | Decimal | bool | datetime | None
"""A value as an event holds it."""


class FieldType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


@record(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that is declared about numbers or events and changes none of them: evidence, compared as written."""

    name: str
    """Its key in the spec; `incident.aware_at` for one in a table of its own."""
    value: str | int
    """As it is written; a date as `2026-06-30`, and what is only ever stated to be so as `true`."""
    origin: Place | None = field(default=None, compare=False, repr=False)


def stated(statements: tuple[Statement, ...], name: str) -> str | int | None:
    """The value stated under a name; None where nothing is."""
    return next((statement.value for statement in statements if statement.name == name), None)


@record(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of an event."""

    name: str
    type: FieldType
    required: bool = False
    unit: str | None = None
    minimum: Decimal | None = None
    """Included; an event below it is rejected."""
    maximum: Decimal | None = None
    values: tuple[str, ...] | None = None
    """The closed set of a string field."""
    personal: bool | None = None
    """Personal data; None where the spec does not say."""
    statements: tuple[Statement, ...] = ()
    """What is stated about where its values come from, and how long they may be kept."""
    precision: int = 0
    """Digits of a decimal field in all."""
    scale: int = 0
    """Decimals of a decimal or float field; the value is a whole number of 10^-scale."""
    description: str | None = None
    origin: Place | None = field(default=None, compare=False, repr=False)

    @property
    def reach(self) -> Decimal | None:
        """The greatest magnitude a number of the type and scale can have; None where it is no number.

        A double keeps whole numbers up to 2^53 exactly, and a float field is read as a whole number of 10^-scale.
        """
        match self.type:
            case FieldType.INTEGER:
                return Decimal(2**63 - 1)
            case FieldType.FLOAT:
                return Decimal(f"{2**53}E-{self.scale}")
            case FieldType.DECIMAL:
                return Decimal(f"{10**self.precision - 1}E-{self.scale}")
            case FieldType.STRING | FieldType.BOOLEAN | FieldType.TIMESTAMP:
                return None

    @property
    def lowest(self) -> Decimal | None:
        """The least number an accepted event has here."""
        reach = self.reach
        return self.minimum if self.minimum is not None or reach is None else reach.copy_negate()

    @property
    def highest(self) -> Decimal | None:
        """The greatest number an accepted event has here."""
        return self.maximum if self.maximum is not None else self.reach


@record(frozen=True, slots=True, kw_only=True)
class Compliance:
    """What a family, or a meter that tightens it, is bound to."""

    jurisdiction: tuple[str, ...] = ()
    audit_retention_years: int | None = None
    risk_class: str | None = None
    regulatory_regimes: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    """The countries the events are kept in."""
    statements: tuple[Statement, ...] = ()
    """Everything else, in the order of the language."""
    origin: Place | None = field(default=None, compare=False, repr=False)

    def stated(self, name: str) -> str | int | None:
        """The value stated under a name; None where nothing is."""
        return stated(self.statements, name)


UNBOUND = Compliance()
"""What a family or meter that states nothing is bound to."""


@record(frozen=True, slots=True, kw_only=True)
class Sink:
    """A system outside of the log that is sent numbers."""

    name: str
    region: str
    """The country it keeps them in."""
    transfer: str | None = None
    """What sending them out of the permitted zones rests on."""
    receives: tuple[str, ...] = ()
    """The meters it is sent."""
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Family:
    """A type of event. `fields` holds every column of its log: the roles first, then the declared ones in order."""

    name: str
    sql_name: str
    description: str | None = None
    event_id: str
    event_time: str
    customer: str | None
    """The customer field, where the family has one: declared, named, or needed by a meter."""
    ingest_time: str | None = None
    table: tuple[str, ...] | None = None
    """The raw table where it is not the derived `raw_<sql_name>`: a name in up to three parts."""
    fields: tuple[Field, ...] = ()
    max_events: int = 1_000_000_000
    """The most events one result can be made of; the budget that overflow is decided by."""
    compliance: Compliance = Compliance()
    origin: Place | None = field(default=None, compare=False, repr=False)

    @property
    def raw(self) -> tuple[str, ...]:
        """The raw table, in up to three parts."""
        return self.table or (f"raw_{self.name.replace('.', '_').replace('-', '_')}",)

    @property
    def checked(self) -> str:
        """The SQL name of the view of every row with the reason it is rejected for, or null."""
        return f"{self.sql_name}_checked"

    @property
    def rejects(self) -> str:
        """The SQL name of the view of the rejected rows."""
        return f"{self.sql_name}_rejects"

    def field(self, name: str) -> Field:
        """The field of that name; KeyError where there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


class Function(StrEnum):
    COUNT = "COUNT"
    SUM = "SUM"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    LAST = "LAST"
    FIRST = "FIRST"
    UNIQUE = "UNIQUE"
    TIME_WEIGHTED = "TIME_WEIGHTED"


ADDITIVE = frozenset({Function.COUNT, Function.SUM, Function.TIME_WEIGHTED})
"""The functions whose quantity for several groups is the sum of theirs."""


class CalendarUnit(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@record(frozen=True, slots=True)
class BillingCycle:
    """The customer's own cycle; where none is supplied, the calendar unit in UTC that the price is for, or months."""


@record(frozen=True, slots=True)
class CalendarWindow:
    """A unit of the calendar in a time zone; weeks start on Monday."""

    unit: CalendarUnit
    timezone: str = "UTC"


@record(frozen=True, slots=True)
class Tumbling:
    """Windows of a fixed length, aligned to the Unix epoch."""

    seconds: int


@record(frozen=True, slots=True)
class Rolling:
    """The trailing window that ends at the as-of instant; exactly one of `seconds` and `months` is set."""

    seconds: int | None = None
    months: int | None = None
    every: CalendarUnit | None = None
    """A series: one window that ends at each boundary of this unit."""
    timezone: str = "UTC"
    """The zone that months are counted and boundaries lie in."""


@record(frozen=True, slots=True)
class Lifetime:
    """All events before the as-of instant."""


Window = BillingCycle | CalendarWindow | Tumbling | Rolling | Lifetime


@record(frozen=True, slots=True)
class FamilySource:
    """The events of one or several families."""

    families: tuple[str, ...]


@record(frozen=True, slots=True)
class RatioSource:
    """The exact ratio of two meters with the same window and groups."""

    numerator: str
    denominator: str


Source = FamilySource | RatioSource


class Rounding(StrEnum):
    """How the exact quantity becomes one of `precision` decimals; all but half_even go by magnitude."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


@record(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What a meter does with the events it keeps."""

    function: Function
    value: Expr | None = None
    per: CalendarUnit | None = None
    """The time unit of a TIME_WEIGHTED quantity."""
    origin: Place | None = field(default=None, compare=False, repr=False)


class TierMode(StrEnum):
    GRADUATED = "graduated"
    VOLUME = "volume"


@record(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a price in major units of its currency."""

    up_to: Decimal | None
    """Inclusive, counting the period's whole usage; None means no limit."""
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Rate:
    """The tiers for usage whose dimensions have these values."""

    match: tuple[tuple[str, Scalar], ...]
    tiers: tuple[Tier, ...]
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Credits:
    """Prepaid usage: packs that are drawn down, oldest first."""

    pack: Decimal
    """Units a pack holds."""
    price: Decimal
    """What a pack costs, in major units."""
    refill_below: Decimal | None = None
    hard: bool = False
    """Whether usage is cut off at zero."""
    origin: Place | None = field(default=None, compare=False, repr=False)


class PriceModel(StrEnum):
    USAGE = "usage"
    FLAT = "flat"
    COMBINED = "combined"
    PREPAID = "prepaid"


@record(frozen=True, slots=True, kw_only=True)
class Price:
    """What usage costs in a period; amounts are exact, in major units of the currency."""

    model: PriceModel
    currency: str
    interval: CalendarUnit = CalendarUnit.MONTH
    base_fee: Decimal = Decimal(0)
    included_units: Decimal = Decimal(0)
    tier_mode: TierMode = TierMode.GRADUATED
    tiers: tuple[Tier, ...] = ()
    package_size: Decimal | None = None
    package_rounding: Rounding = Rounding.UP
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    rates: tuple[Rate, ...] = ()
    credits: Credits | None = None
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Names of what the application runs when a level is reached."""

    on_brim: str | None = None
    on_low: str | None = None
    on_dry: str | None = None


@record(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """How far usage may go: `limit` is the hard cap, `brim_at` the soft one."""

    limit: Decimal | None = None
    brim_at: Decimal | None = None
    hooks: Hooks = Hooks()
    origin: Place | None = field(default=None, compare=False, repr=False)


Event = tuple[tuple[str, Scalar], ...]
"""An event of an in-spec test: its keys and values as written."""


@record(frozen=True, slots=True, kw_only=True)
class ExpectedRow:
    """One row a test expects: the groups it names and the quantity."""

    group: tuple[tuple[str, Scalar], ...]
    quantity: Decimal | None
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Example:
    """An example in the spec that is a test of it."""

    name: str
    events: tuple[Event, ...]
    expect: tuple[ExpectedRow, ...]
    as_of: datetime | None = None
    origin: Place | None = field(default=None, compare=False, repr=False)


class MeterKind(StrEnum):
    BILLING = "billing"
    REPORTING = "reporting"


@record(frozen=True, slots=True, kw_only=True)
class Meter:
    """How events become a quantity for each group and window."""

    name: str
    sql_name: str
    kind: MeterKind = MeterKind.REPORTING
    description: str | None = None
    source: Source
    filter: Expr | None = None
    aggregate: Aggregate | None
    """None for a ratio."""
    window: Window
    group_by: tuple[str, ...] = ()
    unit: str | None = None
    precision: int = 6
    rounding: Rounding = Rounding.HALF_UP
    price: Price | None = None
    entitlement: Entitlement = Entitlement()
    compliance: Compliance = Compliance()
    examples: tuple[Example, ...] = ()
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Term:
    """How long a regime asks for one class of evidence to be kept."""

    name: str
    """The class of evidence."""
    months: int
    clock: str
    """What the months are counted from."""
    covers: str
    kinds: tuple[str, ...]
    """The kinds of meters whose events it is about."""
    verified: bool
    reference: str
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Regime:
    """What the registry has of a law, a standard or a policy that a spec names."""

    name: str
    title: str
    legal_reference: str
    applies_to: tuple[str, ...]
    """The kinds of meters it can be about."""
    requires: tuple[str, ...] = ()
    """What it asks a spec to state, or its numbers to be."""
    hot_months: int | None = None
    terms: tuple[Term, ...] = ()
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Zone:
    """What the registry has of a set of countries that a jurisdiction names."""

    name: str
    members: tuple[str, ...]
    """Its countries, in alphabetical order."""
    restricted: bool = False
    verified: bool = True
    source: str = ""
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=True, kw_only=True)
class Leave:
    """Leave to break one rule for one family, meter or sink, which an organisation gives for a time."""

    name: str
    """The family, meter or sink."""
    rule: str
    regime: str | None
    approver: str
    legal_basis: str
    approved_on: date
    expires_on: date
    """The first day it no longer counts."""
    months: int | None
    """The period that counts instead."""
    origin: Place | None = field(default=None, compare=False, repr=False)


@record(frozen=True, slots=False, kw_only=True)
class Program:
    """A whole project: every file of it merged, every name resolved, every expression typed."""

    families: tuple[Family, ...] = ()
    meters: tuple[Meter, ...] = ()
    sinks: tuple[Sink, ...] = ()
    statements: tuple[Statement, ...] = ()
    """What is stated about the whole project."""
    regimes: tuple[Regime, ...] = ()
    """What the registry has of the regimes that are named; only where two programs with other registries are compared,
    as `zones` and `leaves`."""
    zones: tuple[Zone, ...] = ()
    leaves: tuple[Leave, ...] = ()

    def family(self, name: str) -> Family:
        """The family of that name; KeyError where there is none."""
        return self._families[name]

    def meter(self, name: str) -> Meter:
        """The meter of that name; KeyError where there is none."""
        return self._meters[name]

    @cached_property
    def _families(self) -> dict[str, Family]:
        return {family.name: family for family in self.families}

    @cached_property
    def _meters(self) -> dict[str, Meter]:
        return {meter.name: meter for meter in self.meters}

    def families_of(self, meter: Meter) -> tuple[Family, ...]:
        """The families whose events a meter counts; for a ratio, those of its numerator and denominator."""
        match meter.source:
            case FamilySource(names):
                return tuple([self._families[name] for name in names])
            case RatioSource(numerator, denominator):
                both = self.families_of(self.meter(numerator)) + self.families_of(self.meter(denominator))
                return tuple(dict.fromkeys(both))


_TYPES = {
    FieldType.STRING: Type.STRING,
    FieldType.INTEGER: Type.INT,
    FieldType.DECIMAL: Type.DECIMAL,
    FieldType.FLOAT: Type.DECIMAL,
    FieldType.BOOLEAN: Type.BOOL,
    FieldType.TIMESTAMP: Type.TIMESTAMP,
}


def variables(families: tuple[Family, ...]) -> Environment:
    """What an expression over these families may name: the fields that all of them have, with one type."""
    first, *others = families
    environment: Environment = {}
    for one in first.fields:
        same = [one] + [f for other in others for f in other.fields if f.name == one.name]
        if len(same) == len(families) and len({f.type for f in same}) == 1:
            environment[one.name] = _variable(same)
    return environment


def _variable(same: list[Field]) -> Variable:
    """One variable for a field of several families: as wide as the widest of them."""
    first = same[0]
    lows = [f.lowest for f in same if f.lowest is not None]
    highs = [f.highest for f in same if f.highest is not None]
    sets = [f.values for f in same]
    return Variable(
        name=first.name,
        type=_TYPES[first.type],
        nullable=not all(f.required for f in same),
        values=None if None in sets else tuple(dict.fromkeys(v for s in sets if s for v in s)),
        low=min(lows, default=None),
        high=max(highs, default=None),
        scale=max(f.scale for f in same),
    )
