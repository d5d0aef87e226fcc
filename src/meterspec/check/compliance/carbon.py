"""Numbers of emissions and energy: one method, one source, a unit, a window that adds up to a year, nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from meterspec.cel import Call, Environment, show, walk
from meterspec.check.compliance.judging import Judge, listed
from meterspec.check.compliance.overlap import Overlap, constants, overlap
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import (
    BillingCycle,
    CalendarUnit,
    CalendarWindow,
    Family,
    FamilySource,
    Function,
    Lifetime,
    Meter,
    RatioSource,
    Rolling,
    Tumbling,
    stated,
    variables,
)
from meterspec.regimes import Regime
from meterspec.units import CO2E, ENERGY, parse

__all__ = ["check_carbon"]


MIXED_METHODS = Rule(
    code="MS542",
    slug="mixed-methods",
    title="One number made of two methods",
    message="meter `{meter}` {fault}",
    why="Location-based and market-based emissions are two answers to one question, shown side by side and never added "
    "(Scope 2 Guidance, 2015; ESRS E1-6 has a total of each).",
    bad="""
        [[families]]
        name = "server.hour"
        schema.grid = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "IEA", version = "2025", method = "location" } }
        schema.bought = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "AIB", version = "2025", method = "market" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "grid + bought", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 2 }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.grid = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "IEA", version = "2025", method = "location" } }
        schema.bought = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "AIB", version = "2025", method = "market" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "grid", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 2, ghg_method = "location" }
    """,
)
CATEGORY = Rule(
    code="MS543",
    slug="category-without-scope-3",
    title="A category of emissions that are not of scope 3",
    message="meter `{meter}` has `ghg_category = {category}`, and its scope is {scope}",
    why="The fifteen categories divide scope 3, and nothing else.",
    bad="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, ghg_category = 1 }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 3, ghg_category = 1 }
    """,
)
TWO_SOURCES = Rule(
    code="MS544",
    slug="two-sources-of-emissions",
    title="Events that hold an amount of emissions, and all it could be computed from",
    message="family `{family}` holds `{carbon}`, and also `{energy}` and `{intensity}`, whose product it should be",
    why="Two sources of one number differ one day, and nobody can say which is right. Count the one that was computed "
    "by somebody else, or compute it here, where every step is shown.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh" }
        schema.grid = { type = "float", required = true, unit = "gCO2e/kWh", factor = {
          source = "IEA", version = "2025" } }
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh", min = 0, max = 1_000 }
        schema.grid = { type = "float", required = true, unit = "gCO2e/kWh", min = 0, max = 2_000, factor = {
          source = "IEA", version = "2025" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy * grid", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
)
NOT_A_YEAR = Rule(
    code="MS545",
    slug="not-addable-to-a-year",
    title="A reported number whose windows do not add up to a year",
    message="meter `{meter}` is under {regimes}, whose numbers are of a year, and {fault}",
    why="Windows that overlap, or that cross the end of a year, cannot be added to the year of a report (ESRS E1-5, "
    "E1-6); nor can an average, a greatest value or a ratio of a month.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "MWh" }
        [[meters]]
        name = "energy"
        unit = "MWh"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy", window = { kind = "rolling", duration = "30d" } }
        compliance.regulatory_regimes = ["vsme"]
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "MWh" }
        [[meters]]
        name = "energy"
        unit = "MWh"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy", window = "month" }
        compliance.regulatory_regimes = ["vsme"]
    """,
)
NO_UNIT = Rule(
    code="MS546",
    slug="reported-without-unit",
    title="A reported number without a unit",
    message="meter `{meter}` is reported under {regimes} in {units}, and has no `unit`",
    why="A disclosure is in tCO2e or MWh. Whether a number can be brought there exactly is known once its unit is.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh" }
        [[meters]]
        name = "energy"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy", window = "month" }
        compliance.regulatory_regimes = ["vsme"]
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh" }
        [[meters]]
        name = "energy"
        unit = "kWh"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy", window = "month" }
        compliance.regulatory_regimes = ["vsme"]
    """,
)
TWICE = Rule(
    code="MS547",
    slug="counted-twice",
    title="Two meters of one box that count the same events",
    message="meters `{first}` and `{second}` both count {what} of family `{family}`, and some events pass both filters",
    why="What stands in one box is added up. Events that two meters of it count are in the report twice (GHG Protocol "
    "ch. 1: accuracy).",
    bad="""
        [[families]]
        name = "server.hour"
        schema.kind = { type = "string", required = true, values = ["web", "batch"] }
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "web-carbon"
        unit = "gCO2e"
        filter = "kind == 'web'"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.kind = { type = "string", required = true, values = ["web", "batch"] }
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "web-carbon"
        unit = "gCO2e"
        filter = "kind == 'web'"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
        [[meters]]
        name = "other-carbon"
        unit = "gCO2e"
        filter = "kind != 'web'"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
)
PERHAPS_TWICE = Rule(
    code="MS548",
    slug="perhaps-counted-twice",
    title="Two meters of one box of which it cannot be decided whether they count the same events",
    message="meters `{first}` and `{second}` both count {what} of family `{family}`, and whether an event can pass "
    "both filters is undecided: {why_not}",
    why="Conditions on closed sets, texts, numbers and truth values are compared exactly. Anything else, such as two "
    "patterns, is said to be undecided rather than passed over.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.host = { type = "string", required = true }
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "web-carbon"
        unit = "gCO2e"
        filter = "host.startsWith('web-')"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
        [[meters]]
        name = "batch-carbon"
        unit = "gCO2e"
        filter = "host.startsWith('batch-')"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.host = { type = "string", required = true }
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "web-carbon"
        unit = "gCO2e"
        filter = "host.startsWith('web-')"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
        [[meters]]
        name = "batch-carbon"
        unit = "gCO2e"
        filter = "!host.startsWith('web-')"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
)

ROUNDED_EARLY = Rule(
    code="MS549",
    slug="rounded-before-summing",
    title="A reported sum of numbers that are rounded one by one",
    message="meter `{meter}` is reported under {regimes} and rounds every event before it adds them up",
    why="Rounding once, at the end, is off by half a step; rounding every event is off by half a step each, and in the "
    "same direction for all that are alike. The quantity is rounded to `precision` anyway.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh" }
        [[meters]]
        name = "energy"
        unit = "kWh"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "math.round(energy)", window = "month" }
        compliance.regulatory_regimes = ["vsme"]
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.energy = { type = "float", required = true, unit = "kWh" }
        [[meters]]
        name = "energy"
        unit = "kWh"
        precision = 0
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "energy", window = "month" }
        compliance.regulatory_regimes = ["vsme"]
    """,
)
MARKET_SCI = Rule(
    code="MS550",
    slug="market-based-intensity",
    title="A software carbon intensity of what was bought by contract",
    message="meter `{meter}` is under `sci` and market-based",
    why="ISO/IEC 21031 leaves market-based measures out: an intensity that a certificate lowers says nothing about the "
    "software.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "AIB", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon" }
        compliance = { regulatory_regimes = ["sci"], ghg_method = "market" }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon" }
        compliance = { regulatory_regimes = ["sci"], ghg_method = "location" }
    """,
)

EMBODIED = Rule(
    code="MS575",
    slug="embodied-in-operation",
    title="What making the hardware took, in a number of its operation",
    message="meter `{meter}` is {what}, and `{field}` reads as what making the hardware took",
    why="Embodied emissions are those of who made it: category 2 of scope 3 where it was bought, category 1 where "
    "it is rented. Energy that others used to make it is none of ours (GHG Protocol, Scope 3 Standard; ESRS E1-5).",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.embodied_g = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "Boavizta", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "embodied_g", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 2, ghg_method = "location" }
    """,
    good="""
        [[families]]
        name = "server.hour"
        schema.embodied_g = { type = "float", required = true, unit = "gCO2e", factor = {
          source = "Boavizta", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "embodied_g", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 3, ghg_category = 2 }
    """,
)
NESTED = Rule(
    code="MS576",
    slug="counted-with-its-parts",
    title="Events and what reads as parts of them, added up in one box",
    message="{meters} both `{parent}` and `{child}` as {what}, and the name of one reads as a part of the other",
    why="The energy of a run is often that of its steps. Added to them, it is in the report twice (GHG Protocol ch. 1: "
    "accuracy). Names alone do not say whether it is, so this is for somebody who knows.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "agent.run"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[families]]
        name = "agent.run.step"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "families", families = ["agent.run", "agent.run.step"] }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
    good="""
        [[families]]
        name = "agent.run"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[families]]
        name = "agent.idle"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "families", families = ["agent.run", "agent.idle"] }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
)

_DAY = 86_400
_ADDED = {Function.SUM, Function.COUNT, Function.TIME_WEIGHTED}


def check_carbon(judge: Judge) -> None:
    """Reports MS542 to MS550, MS575 and MS576."""
    for family, meters in judge.families:
        _check_sources(judge, family, meters)
    for meter in judge.program.meters:
        if judge.regimes_of(meter) and judge.measures(meter) is not None:
            _check_methods(judge, meter)
            _check_category(judge, meter)
            _check_window(judge, meter)
            _check_unit(judge, meter)
            _check_rounding(judge, meter)
            _check_intensity(judge, meter)
            _check_embodied(judge, meter)
    _check_nested(judge)
    for (box, family), alike in _added(judge):
        _check_twice(judge, box[-1], family, alike)


def _check_methods(judge: Judge, meter: Meter) -> None:
    if isinstance(meter.source, RatioSource):
        return
    family = judge.program.families_of(meter)[0]
    named = {name: stated(family.field(name).statements, "factor.method") for name, _ in judge.fields_of(meter)}
    own = meter.compliance.stated("ghg_method")
    methods = {str(method) for method in named.values() if method is not None}
    compared: dict[str, Any] = {"ghg_method": own, **named}
    fault = None
    if len(methods) > 1:
        fault = "adds up " + " and ".join(f"`{name}`, {method}-based" for name, method in named.items() if method)
    elif methods and own is not None and own not in methods:
        name = next(name for name, method in named.items() if method)
        fault = f"is {own}-based, and `{name}` is {named[name]}-based"
    if fault is None:
        judge.passes(MIXED_METHODS, meter.name, **compared)
        return
    at = meter.origin and meter.origin / "aggregate" / "value"
    hint = "give each method a meter of its own"
    judge.fails(MIXED_METHODS, meter.name, at=at, hint=hint, compared=compared, meter=meter.name, fault=fault)


def _check_category(judge: Judge, meter: Meter) -> None:
    category, scope = meter.compliance.stated("ghg_category"), meter.compliance.stated("ghg_scope")
    if category is None:
        return
    if scope == 3:
        judge.passes(CATEGORY, meter.name, ghg_scope=scope, ghg_category=category)
        return
    judge.fails(
        CATEGORY,
        meter.name,
        at=meter.compliance.origin and meter.compliance.origin / "ghg_category",
        hint="write `ghg_scope = 3`, or leave the category out",
        compared={"ghg_scope": scope, "ghg_category": category},
        meter=meter.name,
        category=category,
        scope="not stated" if scope is None else scope,
    )


def _check_sources(judge: Judge, family: Family, meters: Sequence[Meter]) -> None:
    regimes = [regime for regime in judge.regimes_of_family(family, meters) if "ghg_scope" in regime.requires]
    if not regimes:
        return
    units = judge.units_of(family)
    found: dict[str, list[str]] = {"carbon": [], "energy": [], "intensity": []}
    for name, unit in units.items():
        dimension = dict(unit.dimension) if unit is not None else {}
        kinds = (("carbon", {CO2E: 1}), ("energy", {ENERGY: 1}), ("intensity", {CO2E: 1, ENERGY: -1}))
        for kind, wanted in kinds:
            if dimension == wanted:
                found[kind].append(name)
    compared: dict[str, Any] = {kind: " ".join(names) or None for kind, names in found.items()}
    if not all(found.values()):
        judge.passes(TWO_SOURCES, family.name, regimes, **compared)
        return
    judge.fails(
        TWO_SOURCES,
        family.name,
        at=family.field(found["carbon"][0]).origin,
        hint=f"compute it: `{found['energy'][0]} * {found['intensity'][0]}`, with the constant that the units need",
        regimes=regimes,
        compared=compared,
        family=family.name,
        carbon=found["carbon"][0],
        energy=found["energy"][0],
        intensity=found["intensity"][0],
    )


def not_addable(meter: Meter) -> str | None:
    """Why the windows of a meter cannot be added up to a year, in words; None where they can."""
    function = meter.aggregate.function if meter.aggregate else None
    match meter.window:
        case CalendarWindow(CalendarUnit.YEAR):
            return None
        case Rolling(every=None):
            return "its window is the time before one instant"
        case Rolling():
            return "its windows overlap"
        case CalendarWindow(CalendarUnit.WEEK):
            return "a week can lie in two years"
        case BillingCycle():
            return "the cycle of a customer can lie in two years"
        case Lifetime():
            return "its window never ends"
        case Tumbling(seconds) if _DAY % seconds:
            return "its windows do not begin with the year"
        case CalendarWindow() | Tumbling():
            pass
    if function is None:
        return "ratios of shorter windows cannot be added"
    return None if function in _ADDED else f"results of {function.value} of shorter windows cannot be added"


def _check_window(judge: Judge, meter: Meter) -> None:
    regimes = [regime for regime in judge.regimes_of(meter) if regime.annual]
    if not regimes:
        return
    fault = not_addable(meter)
    compared: dict[str, Any] = {"window": type(meter.window).__name__, "fault": fault}
    if fault is None:
        judge.passes(NOT_A_YEAR, meter.name, regimes, **compared)
        return
    at = meter.origin and meter.origin / "aggregate" / "window"
    hint = 'write `window = "year"`, or "month", which can be added up to any year of a company'
    if meter.aggregate is None or meter.aggregate.function not in _ADDED:
        hint = 'write `window = "year"`'
    if isinstance(meter.source, RatioSource):
        hint += " for both of its meters"
    judge.fails(
        NOT_A_YEAR, meter.name, at=at, hint=hint, regimes=regimes, compared=compared, meter=meter.name, fault=fault
    )


def _check_unit(judge: Judge, meter: Meter) -> None:
    found = judge.unit_of(meter)
    if found is None or isinstance(meter.source, RatioSource):
        return
    fitting = {
        regime.id: [unit for unit in regime.units if parse(unit).dimension == found.dimension]
        for regime in judge.regimes_of(meter)
    }
    regimes = [regime for regime in judge.regimes_of(meter) if fitting[regime.id]]
    if not regimes:
        return
    units = list(dict.fromkeys(unit for regime in regimes for unit in fitting[regime.id]))
    compared: dict[str, Any] = {"unit": meter.unit, "disclosed in": " ".join(units)}
    if meter.unit is not None:
        judge.passes(NO_UNIT, meter.name, regimes, **compared)
        return
    judge.fails(
        NO_UNIT,
        meter.name,
        at=meter.origin,
        hint='add `unit = "kgCO2e"`' if found.dimension == ((CO2E, 1),) else 'add `unit = "kWh"`',
        regimes=regimes,
        compared=compared,
        meter=meter.name,
        units=listed(units, "or"),
    )


_ROUNDS = {"math_round_decimal", "math_ceil_decimal", "math_floor_decimal", "decimal_to_int64"}


def _check_rounding(judge: Judge, meter: Meter) -> None:
    value = meter.aggregate.value if meter.aggregate is not None else None
    if value is None or meter.aggregate is None or meter.aggregate.function not in _ADDED:
        return
    regimes = judge.regimes_of(meter)
    rounding = [node.overload for node in walk(value) if isinstance(node, Call) and node.overload in _ROUNDS]
    compared: dict[str, Any] = {"value": show(value), "rounded": "yes" if rounding else "no"}
    if not rounding:
        judge.passes(ROUNDED_EARLY, meter.name, regimes, **compared)
        return
    at = meter.origin and meter.origin / "aggregate" / "value"
    hint = "take the rounding out; `precision` and `rounding` of the meter round the sum"
    judge.fails(ROUNDED_EARLY, meter.name, at=at, hint=hint, regimes=regimes, compared=compared, meter=meter.name)


def _check_intensity(judge: Judge, meter: Meter) -> None:
    regimes = [regime for regime in judge.regimes_of(meter) if regime.id == "sci"]
    method = meter.compliance.stated("ghg_method")
    if not regimes or method is None:
        return
    if method != "market":
        judge.passes(MARKET_SCI, meter.name, regimes, ghg_method=method)
        return
    at = meter.compliance.origin and meter.compliance.origin / "ghg_method"
    compared: dict[str, Any] = {"ghg_method": method}
    judge.fails(MARKET_SCI, meter.name, at=at, regimes=regimes, compared=compared, meter=meter.name)


def _check_embodied(judge: Judge, meter: Meter) -> None:
    scope = meter.compliance.stated("ghg_scope")
    what = "about energy" if judge.measures(meter) == "energy" else f"of scope {scope}" if scope in {1, 2} else None
    if what is None or isinstance(meter.source, RatioSource):
        return
    names = [name for name, _ in judge.fields_of(meter)]
    regimes = judge.regimes_of(meter)
    compared: dict[str, Any] = {"what": what, "fields": " ".join(names)}
    found = next((name for name in names if "embodied" in name.lower()), None)
    if found is None:
        judge.passes(EMBODIED, meter.name, regimes, **compared)
        return
    judge.fails(
        EMBODIED,
        meter.name,
        at=meter.origin and meter.origin / "aggregate" / "value",
        hint="give it a meter of its own, with `ghg_scope = 3` and its `ghg_category`",
        regimes=regimes,
        compared=compared,
        meter=meter.name,
        what=what,
        field=found,
    )


# Twice ----------------------------------------------------------------------------------------------------------


_MOST_COMPARED = 64
"""The most meters that one is compared with, so that thousands of one box take no longer than they have to."""


def _added(judge: Judge) -> list[tuple[tuple[tuple[str, ...], Family], list[Meter]]]:
    """Meters whose results are added, by what they are added up as and by family: one box, window, regime and the
    same groups."""
    together: dict[tuple[object, ...], list[Meter]] = {}
    keys: dict[tuple[object, ...], tuple[tuple[str, ...], Family]] = {}
    for meter in judge.program.meters:
        regimes = judge.regimes_of(meter)
        box = _box(judge, meter) if regimes else None
        if box is None:
            continue
        for family in judge.program.families_of(meter):
            for regime in regimes:
                key = (box, meter.window, meter.group_by, family.name, regime.id)
                keys[key] = box, family
                together.setdefault(key, []).append(meter)
    return [(keys[key], alike) for key, alike in together.items()]


def _check_nested(judge: Judge) -> None:
    """Reports MS576 for families that are added up with one whose name begins theirs."""
    together: dict[tuple[object, ...], dict[str, Meter]] = {}
    words: dict[tuple[object, ...], str] = {}
    for meter in judge.program.meters:
        regimes = judge.regimes_of(meter)
        box = _box(judge, meter) if regimes else None
        if box is None:
            continue
        for regime in regimes:
            key: tuple[object, ...] = (box, meter.window, meter.group_by, regime.id)
            words[key] = box[-1]
            for family in judge.program.families_of(meter):
                together.setdefault(key, {}).setdefault(family.name, meter)
    for key, counted in together.items():
        for child, meter in counted.items():
            above = [child[: dot.start()] for dot in re.finditer(r"\.", child)]
            parents = [name for name in above if name in counted]
            for parent in parents:
                _report_nested(judge, counted[parent], meter, parent, child, words[key])
            if not parents and len(counted) > 1:
                judge.passes(NESTED, meter.name, judge.regimes_of(meter), family=child, others=len(counted) - 1)


def _report_nested(judge: Judge, first: Meter, second: Meter, parent: str, child: str, what: str) -> None:
    pair = (NESTED.code, parent, child, second.name)
    if pair in judge.pairs:
        return
    judge.pairs.add(pair)
    same = first.name == second.name
    judge.fails(
        NESTED,
        second.name,
        at=second.origin and second.origin / "source",
        hint="count one of them, or allow this where the parent holds only what its parts do not",
        related=[(first.origin, "the other meter")] if first.origin and not same else [],
        regimes=_shared_regimes(judge, first, second),
        compared={"parent": parent, "child": child},
        meters=f"meter `{first.name}` counts" if same else f"meters `{first.name}` and `{second.name}` count",
        parent=parent,
        child=child,
        what=what,
    )


def _check_twice(judge: Judge, what: str, family: Family, alike: Sequence[Meter]) -> None:
    """Compares the filter of each meter with those before it, until one is found that passes the same events."""
    if len(alike) < 2:
        return
    environment: Environment = variables((family,))
    earlier = _Earlier(alike)
    for number, second in enumerate(alike):
        unclear: tuple[Meter, str] | None = None
        candidates = list(islice(earlier.that_may_share(number), _MOST_COMPARED + 1))
        for first in candidates[:_MOST_COMPARED]:
            found, why_not = overlap(first.filter, second.filter, environment)
            if found is Overlap.SHARED:
                _report_pair(judge, TWICE, what, family, first, second)
                break
            if found is Overlap.UNDECIDED and unclear is None:
                unclear = first, why_not
        else:
            if unclear is None and len(candidates) > _MOST_COMPARED:
                unclear = candidates[-1], f"more than {_MOST_COMPARED} filters would have to be compared with this one"
            if unclear is not None:
                _report_pair(judge, PERHAPS_TWICE, what, family, unclear[0], second, why_not=unclear[1])
            elif number:
                others = f"`{alike[0].name}`" if number == 1 else f"the {number} before it, from `{alike[0].name}` on"
                both = _shared_regimes(judge, alike[0], second)
                judge.passes(TWICE, second.name, both, **{"with": others, "filters": Overlap.DISJOINT.value})


class _Earlier:
    """Meters by what their filters leave of one field, so that those of other values need not be looked at."""

    def __init__(self, alike: Sequence[Meter]) -> None:
        self._alike = alike
        left: list[dict[str, frozenset[object]]] = [constants(meter.filter) for meter in alike]
        sizes: dict[str, dict[object, int]] = {}
        named: dict[str, int] = {}
        for each in left:
            for name, some in each.items():
                named[name] = named.get(name, 0) + 1
                for value in some:
                    sizes.setdefault(name, {})[value] = sizes.setdefault(name, {}).get(value, 0) + 1
        costs = {
            name: (len(alike) - named[name]) * len(alike) + sum(size * size for size in sizes.get(name, {}).values())
            for name in named
        }
        best = min(sorted(costs), key=lambda name: costs[name], default=None)
        self._values: list[frozenset[object] | None] = [None if best is None else each.get(best) for each in left]
        self._by_value: dict[object, list[int]] = {}
        self._free: list[int] = []
        for number, values in enumerate(self._values):
            if values is None:
                self._free.append(number)
            for value in values or frozenset():
                self._by_value.setdefault(value, []).append(number)

    def that_may_share(self, number: int) -> Iterator[Meter]:
        """The meters before one whose filters leave a value in common with its own, in no order but a fixed one."""
        values = self._values[number]
        if values is None:
            yield from (self._alike[earlier] for earlier in range(number))
            return
        seen: set[int] = set()
        for group in [self._free, *(self._by_value[value] for value in sorted(values, key=repr))]:
            for earlier in group:
                if earlier >= number:
                    break
                if earlier not in seen:
                    seen.add(earlier)
                    yield self._alike[earlier]


def _shared_regimes(judge: Judge, first: Meter, second: Meter) -> list[Regime]:
    return [regime for regime in judge.regimes_of(first) if regime in judge.regimes_of(second)]


def _report_pair(
    judge: Judge, rule: Rule, what: str, family: Family, first: Meter, second: Meter, why_not: str = ""
) -> None:
    """Reports that two meters count the same events, or may; once for a pair, whatever regimes they share."""
    pair = (rule.code, family.name, first.name, second.name)
    if pair in judge.pairs:
        return
    judge.pairs.add(pair)
    hint = "count each event in one of them; a `filter` on a closed set is compared exactly"
    if rule is PERHAPS_TWICE:
        hint = "write the second filter as the negation of the first, or compare a field that has `values`"
    judge.fails(
        rule,
        second.name,
        at=second.origin and second.origin / "filter" if second.filter is not None else second.origin,
        hint=hint,
        related=[(first.origin, "the other meter")] if first.origin else [],
        regimes=_shared_regimes(judge, first, second),
        compared={"with": first.name, "filters": ("shared" if rule is TWICE else "undecided")},
        first=first.name,
        second=second.name,
        what=what,
        family=family.name,
        why_not=why_not,
    )


def _box(judge: Judge, meter: Meter) -> tuple[str, ...] | None:
    """What a meter's results are added up as; the last item says it in words."""
    measures = judge.measures(meter)
    if measures not in {"carbon", "energy"} or not isinstance(meter.source, FamilySource):
        return None
    if meter.aggregate is None or meter.aggregate.function not in _ADDED:
        return None
    own = meter.compliance
    concept = own.stated("disclosure")
    if isinstance(concept, str):
        return (concept, f"`{concept}`")
    scope, category, method = (own.stated(key) for key in ("ghg_scope", "ghg_category", "ghg_method"))
    if measures == "energy" or scope is None:
        return None
    words = f"scope {scope}" + (f", category {category}" if category else "") + (f", {method}-based" if method else "")
    return ("carbon", words)
