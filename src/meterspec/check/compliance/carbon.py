"""Numbers of emissions and energy: one method, one source, a unit, a window that adds up to a year, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from meterspec.cel import Call, Environment, show, walk
from meterspec.check.compliance.judging import Judge, listed, unit_of_field
from meterspec.check.compliance.overlap import Overlap, overlap
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

_DAY = 86_400
_ADDED = {Function.SUM, Function.COUNT, Function.TIME_WEIGHTED}


def check_carbon(judge: Judge) -> None:
    """Reports MS542 to MS550."""
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
    for alike in _added(judge):
        for (first, box), (second, _) in combinations(alike, 2):
            _check_pair(judge, first, second, box)


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
    units = {field.name: unit_of_field(family, field.name) for field in family.fields}
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


# Twice ----------------------------------------------------------------------------------------------------------


def _added(judge: Judge) -> list[list[tuple[Meter, tuple[str, ...]]]]:
    """Meters whose results are added, and what they are added up as: one box, one window, the same groups."""
    together: dict[tuple[object, ...], list[tuple[Meter, tuple[str, ...]]]] = {}
    for meter in judge.program.meters:
        box = _box(judge, meter) if judge.regimes_of(meter) else None
        if box is not None:
            together.setdefault((box, meter.window, meter.group_by), []).append((meter, box))
    return list(together.values())


def _check_pair(judge: Judge, first: Meter, second: Meter, box: tuple[str, ...]) -> None:
    """Compares the filters of two meters whose results are added."""
    shared = [family for family in judge.program.families_of(first) if family in judge.program.families_of(second)]
    regimes = [regime for regime in judge.regimes_of(first) if regime in judge.regimes_of(second)]
    if not shared or not regimes:
        return
    environment: Environment = variables((shared[0],))
    found, why_not = overlap(first.filter, second.filter, environment)
    subject = second.name
    facts: dict[str, Any] = {"first": first.name, "second": second.name, "what": box[-1], "family": shared[0].name}
    compared: dict[str, Any] = {"with": first.name, "filters": found.value}
    at = second.origin and second.origin / "filter" if second.filter is not None else second.origin
    related = [(first.origin, "the other meter")] if first.origin else []
    if found is Overlap.DISJOINT:
        judge.passes(TWICE, subject, regimes, **compared)
    elif found is Overlap.SHARED:
        hint = "count each event in one of them; a `filter` on a closed set is compared exactly"
        judge.fails(TWICE, subject, at=at, hint=hint, related=related, regimes=regimes, compared=compared, **facts)
    else:
        hint = "write the second filter as the negation of the first, or compare a field that has `values`"
        judge.fails(
            PERHAPS_TWICE,
            subject,
            at=at,
            hint=hint,
            related=related,
            regimes=regimes,
            compared=compared,
            why_not=why_not,
            **facts,
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
