"""What regimes ask a spec to state, and whether it does: one finding a subject, with all that is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from meterspec.check.compliance.judging import Judge, listed
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import Family, Meter, RatioSource, stated
from meterspec.regimes import Regime
from meterspec.units import CO2E

__all__ = ["check_declared"]

RETENTION_UNSTATED = Rule(
    code="MS511",
    slug="retention-unstated",
    title="A regime that leaves the period to whoever keeps the log, and nobody states it",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="DORA sets no number: by Del. Reg. (EU) 2024/1774 Art. 12(2)(a) the entity sets how long logs are kept. Then "
    "it has to be written down.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "card.payment"
        compliance.event_log = "immutable"
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss", "asc606"]
    """,
    good="""
        [[families]]
        name = "card.payment"
        compliance.event_log = "immutable"
        compliance.hot_months = 3
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss", "asc606"]
    """,
)
STATE_UNSTATED = Rule(
    code="MS512",
    slug="member-state-unstated",
    title="A directive, and no word about the country whose law fills it in",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="Dir. 2006/112/EC Art. 247(1) lets each member state set the period: without the country there is none to "
    "compare with.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.event_log = "immutable"
        compliance.member_state = "FR"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
PROCESSING = Rule(
    code="MS536",
    slug="processing-undescribed",
    title="Personal data, and no word about why it is there and how it goes",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="GDPR Art. 5(1)(b), 6, 15, 17 and 30: a purpose, a basis, whose data it is, and how one person's data is "
    "erased from a log that is not edited.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["gdpr"]
    """,
    good="""
        [[families]]
        name = "api.call"
        [families.compliance]
        subject_field = "customer_id"
        lawful_basis = "contract"
        purpose = "billing of calls"
        erasure = "pseudonym_map"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["gdpr"]
    """,
)
UNLABELLED = Rule(
    code="MS540",
    slug="emissions-unlabelled",
    title="An amount of emissions or energy that does not say which",
    message="meter `{meter}` is under {regimes}, and does not state {keys}",
    why="A number without its scope has no box in the report: GHG Protocol ch. 9, ESRS E1-6. Scope 2 has two methods "
    "that are shown side by side (Scope 2 Guidance, 2015); one of scope 3 has a category; CO2 equivalent depends on a "
    "set of warming potentials; and an estimate is allowed only as one.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance.regulatory_regimes = ["vsme"]
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
NO_FACTOR = Rule(
    code="MS541",
    slug="factor-without-source",
    title="Emissions made with a factor that nobody can look up",
    message="meter `{meter}` is under {regimes}, and the source of {keys} is not stated",
    why="Which factor, of whom, of which year, is the first question of every assurance team; a version that is named "
    "also keeps last year's number what it was.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e" }
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
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        unit = "gCO2e"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1 }
    """,
)
AI_SYSTEM = Rule(
    code="MS560",
    slug="ai-system-undescribed",
    title="Events of an AI system that do not say which, and in which class",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="Reg. (EU) 2024/1689: duties follow from the risk class (Art. 6) and the role (Art. 16, 26); logs are kept by "
    "system (Art. 12, 19), and the energy of a general-purpose model by model and phase (Annex XI, section 1, 2(e)).",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "model.run"
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act_gpai"]
    """,
    good="""
        [[families]]
        name = "model.run"
        compliance = { ai_model = "m1", ai_phase = "inference" }
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act_gpai"]
    """,
)
LOG = Rule(
    code="MS570",
    slug="log-undescribed",
    title="Evidence in a log of which nobody says whether it can be changed",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="Evidence that can be edited is none: AO 146(4), Code de commerce L123-22, Del. Reg. (EU) 2024/1774 "
    "Art. 12(2)(d). DORA also asks for one reference time of all clocks.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        compliance.member_state = "FR"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
INCIDENT = Rule(
    code="MS571",
    slug="incident-clocks",
    title="Incidents without the instants that deadlines are counted from",
    message="family `{family}` is under {regimes}, and does not state {keys}",
    why="Del. Reg. (EU) 2025/301 Art. 5: the initial report is due 4 hours after an incident is classified as major "
    "and 24 after it was known, the intermediate one 72 hours after the initial one, the final one a month later. An "
    "hour that is not in the log cannot be subtracted.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "ict.incident"
        schema.known = { type = "timestamp" }
        [families.compliance]
        event_log = "immutable"
        clock_source = "PTB NTP"
        audit_retention_years = 5
        incident = { aware_at = "known" }
        [[meters]]
        name = "incidents"
        source = { kind = "family", family = "ict.incident" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["dora"]
    """,
    good="""
        [[families]]
        name = "ict.incident"
        schema.known = { type = "timestamp" }
        schema.classified = { type = "timestamp" }
        [families.compliance]
        event_log = "immutable"
        clock_source = "PTB NTP"
        audit_retention_years = 5
        incident = { detected_at = "event_time", aware_at = "known", classified_at = "classified" }
        [[meters]]
        name = "incidents"
        source = { kind = "family", family = "ict.incident" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["dora"]
    """,
)


class _Asked(NamedTuple):
    """How a requirement of the registry is met by a family or a meter."""

    rule: Rule
    example: str
    """What to write, for the hint."""


_OF_FAMILY = {
    "audit_retention_years": _Asked(RETENTION_UNSTATED, "audit_retention_years = 7"),
    "hot_months": _Asked(RETENTION_UNSTATED, "hot_months = 3"),
    "member_state": _Asked(STATE_UNSTATED, 'member_state = "DE"'),
    "subject_field": _Asked(PROCESSING, 'subject_field = "customer_id"'),
    "lawful_basis": _Asked(PROCESSING, 'lawful_basis = "contract"'),
    "purpose": _Asked(PROCESSING, 'purpose = "billing"'),
    "erasure": _Asked(PROCESSING, 'erasure = "pseudonym_map"'),
    "risk_class": _Asked(AI_SYSTEM, 'risk_class = "limited"'),
    "ai_role": _Asked(AI_SYSTEM, 'ai_role = "deployer"'),
    "ai_system": _Asked(AI_SYSTEM, 'ai_system = "agents-1"'),
    "ai_model": _Asked(AI_SYSTEM, 'ai_model = "m1"'),
    "ai_phase": _Asked(AI_SYSTEM, 'ai_phase = "inference"'),
    "event_log": _Asked(LOG, 'event_log = "immutable"'),
    "corrections": _Asked(LOG, 'corrections = "append"'),
    "clock_source": _Asked(LOG, 'clock_source = "NTP of the data centre"'),
}
_OF_METER = {
    "ghg_scope": _Asked(UNLABELLED, "ghg_scope = 3"),
    "ghg_category": _Asked(UNLABELLED, "ghg_category = 1"),
    "ghg_method": _Asked(UNLABELLED, 'ghg_method = "location"'),
    "gwp": _Asked(UNLABELLED, 'gwp = "AR6"'),
    "consolidation": _Asked(UNLABELLED, 'consolidation = "operational_control"'),
    "measurement": _Asked(UNLABELLED, 'measurement = "measured"'),
    "functional_unit": _Asked(UNLABELLED, 'functional_unit = "request"'),
}
_CARBON_ONLY = {"ghg_scope", "ghg_category", "ghg_method", "gwp", "consolidation"}


def check_declared(judge: Judge) -> None:
    """Reports MS511, MS512, MS536, MS540, MS541, MS560, MS570 and MS571."""
    for family, meters in judge.families:
        regimes = judge.regimes_of_family(family, meters)
        _check(judge, family, _OF_FAMILY, regimes, partial(_said_by_family, family))
        _check_incident(judge, family, regimes)
    for meter in judge.program.meters:
        _check_meter(judge, meter)


def _said_by_family(family: Family, key: str) -> object:
    match key:
        case "audit_retention_years":
            return family.compliance.audit_retention_years
        case "risk_class":
            return family.compliance.risk_class
        case _:
            return family.compliance.stated(key)


def _check(
    judge: Judge,
    owner: Family | Meter,
    table: dict[str, _Asked],
    regimes: Sequence[Regime],
    said: Callable[[str], object],
) -> None:
    """Compares what regimes ask for with what is stated, a rule at a time."""
    asked: dict[str, list[Regime]] = {}
    for regime in regimes:
        for key in _wanted(regime, said):
            if key in table:
                asked.setdefault(key, []).append(regime)
    for rule in dict.fromkeys(table[key].rule for key in asked):
        keys = [key for key in table if key in asked and table[key].rule is rule]
        lacking = [key for key in keys if said(key) is None]
        compared: dict[str, Any] = {key: said(key) for key in keys}
        who = _distinct(asked, lacking or keys)
        if not lacking:
            judge.passes(rule, owner.name, who, **compared)
            continue
        at = owner.compliance.origin or owner.origin
        examples = ", ".join(f"`{table[key].example}`" for key in lacking)
        judge.fails(
            rule,
            owner.name,
            at=at,
            hint=f"state what is so, as in {examples}",
            regimes=who,
            compared=compared,
            family=owner.name,
            meter=owner.name,
            keys=listed(lacking),
        )


def _wanted(regime: Regime, said: Callable[[str], object]) -> list[str]:
    """The keys a regime asks for, with those that follow from what is stated."""
    keys = [str(key) for key in regime.requires]
    if "ghg_scope" in keys and said("ghg_scope") == 3:
        keys.append("ghg_category")
    if "ghg_method" in keys and said("ghg_scope") != 2:
        keys.remove("ghg_method")
    return keys


def _distinct(asked: dict[str, list[Regime]], keys: Sequence[str]) -> list[Regime]:
    return list({regime.id: regime for key in keys for regime in asked[key]}.values())


def _check_meter(judge: Judge, meter: Meter) -> None:
    regimes = judge.regimes_of(meter)
    measures = judge.measures(meter) if regimes else None
    if measures is None:
        return
    is_ratio = isinstance(meter.source, RatioSource)

    def said(key: str) -> object:
        if is_ratio and key != "functional_unit":
            return "stated by its two meters"
        if measures == "energy" and key in _CARBON_ONLY:
            return "-"
        if measures != "intensity" and key == "functional_unit":
            return "-"
        return meter.compliance.stated(key)

    _check(judge, meter, _OF_METER, regimes, said)
    asking = [regime for regime in regimes if "factor" in regime.requires]
    if measures != "carbon" or is_ratio or not asking:
        return
    family = judge.program.families_of(meter)[0]
    factors = [name for name, unit in judge.fields_of(meter) if unit and dict(unit.dimension).get(CO2E) == 1]
    sources = {name: stated(family.field(name).statements, "factor.source") for name in factors}
    versions = {name: stated(family.field(name).statements, "factor.version") for name in factors}
    lacking = [name for name, source in sources.items() if source is None]
    compared: dict[str, Any] = {
        name: f"{sources[name]} {versions[name]}" if sources[name] else None for name in factors
    }
    if not lacking:
        judge.passes(NO_FACTOR, meter.name, asking, **compared)
        return
    judge.fails(
        NO_FACTOR,
        meter.name,
        at=family.field(lacking[0]).origin or family.origin,
        hint=f'add `factor = {{ source = "...", version = "..." }}` to `[families.schema.{lacking[0]}]`',
        related=[(meter.origin, "the meter that uses it")] if meter.origin else [],
        regimes=asking,
        compared=compared,
        meter=meter.name,
        keys=listed(lacking),
    )


def _check_incident(judge: Judge, family: Family, regimes: Sequence[Regime]) -> None:
    asking = [regime for regime in regimes if "incident" in regime.requires]
    is_about = "incident" in family.name.replace("-", ".").replace("_", ".").split(".")
    stated_some = any(statement.name.startswith("incident.") for statement in family.compliance.statements)
    if not asking or not (is_about or stated_some):
        return
    keys = list(dict.fromkeys(f"incident.{key}" for regime in asking for key in regime.incident_fields))
    lacking = [key for key in keys if family.compliance.stated(key) is None]
    compared: dict[str, Any] = {key: family.compliance.stated(key) for key in keys}
    if not lacking:
        judge.passes(INCIDENT, family.name, asking, **compared)
        return
    names = ", ".join(key.removeprefix("incident.") + ' = "..."' for key in lacking)
    judge.fails(
        INCIDENT,
        family.name,
        at=family.compliance.origin or family.origin,
        hint=f"name the fields that hold them: `incident = {{ {names} }}`",
        regimes=asking,
        compared=compared,
        family=family.name,
        keys=listed(lacking),
    )
