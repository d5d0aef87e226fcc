"""Names that the registry has to know: regimes, zones, countries, and the fields that statements point at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule, Severity, corrections, did_you_mean
from meterspec.ir import Compliance, Family
from meterspec.source import Place

__all__ = ["check_names"]

_CALLS = """
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
"""

UNKNOWN_REGIME = Rule(
    code="MS503",
    slug="unknown-regime",
    title="A regime that the registry does not have",
    message="there is no regime `{regime}`",
    why="A misspelt regime would be one that asks for nothing. An organisation adds its own in "
    "`meterspec.regimes.toml`.",
    bad=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["eu_taxonmy"]
    """,
    good=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["eu_taxonomy"]
    """,
)
UNKNOWN_ZONE = Rule(
    code="MS504",
    slug="unknown-zone",
    title="A jurisdiction that is no zone",
    message="there is no zone `{zone}`",
    why="A zone is a set of countries; of a word that is none, nobody could say what it permits. A country is a zone "
    "of its own, in small letters: `de`.",
    bad=f"""
        families = [{{ name = "api.call", compliance.jurisdiction = ["eu_strict"] }}]
        {_CALLS.strip()}
    """,
    good=f"""
        families = [{{ name = "api.call", compliance.jurisdiction = ["eu_restricted"] }}]
        {_CALLS.strip()}
    """,
)
NOT_IN_FORCE = Rule(
    code="MS505",
    slug="regime-not-in-force",
    title="A regime that does not apply",
    message="`{regime}` is not in force: {status}",
    why="What it asks for is still compared, and nothing of it is an error.",
    severity=Severity.WARNING,
    bad=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["sec_climate"]
    """,
    good=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["eu_taxonomy"]
    """,
)
NOT_YET = Rule(
    code="MS506",
    slug="regime-not-yet-applicable",
    title="A regime that applies later than the day it is judged by",
    message="`{regime}` applies from {start}, and this is judged by {as_of}",
    why="Until then what it asks for is a warning. The day is stated in `[compliance] as_of`, or with `--as-of`.",
    severity=Severity.HINT,
    bad="""
        compliance.as_of = 2025-01-01
        [[families]]
        name = "model.run"
        compliance.ai_model = "m1"
        compliance.ai_phase = "inference"
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act_gpai"]
    """,
    good="""
        compliance.as_of = 2026-01-01
        [[families]]
        name = "model.run"
        compliance.ai_model = "m1"
        compliance.ai_phase = "inference"
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act_gpai"]
    """,
)
OTHER_KIND = Rule(
    code="MS507",
    slug="regime-of-another-kind",
    title="A regime on a kind of meter that it is not about",
    message="{kind} meter `{meter}` is under `{regime}`, which is about {wanted} meters",
    why="An invoice is no sustainability report. The same events can be counted by a meter of the other kind as well.",
    bad=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["pci_dss"]
    """,
    good=f"""
        families = [{{ name = "api.call" }}]
        {_CALLS.strip()}
        compliance.regulatory_regimes = ["eu_taxonomy"]
    """,
)
UNKNOWN_COUNTRY = Rule(
    code="MS508",
    slug="unknown-country",
    title="Two letters that are no country",
    message="`{country}` is no country of ISO 3166-1",
    why="Where something is kept is compared with the members of zones, which are countries by these codes.",
    bad=f"""
        families = [{{ name = "api.call", compliance.storage = ["UK"] }}]
        {_CALLS.strip()}
    """,
    good=f"""
        families = [{{ name = "api.call", compliance.storage = ["GB"] }}]
        {_CALLS.strip()}
    """,
)
NO_SUCH_NAME = Rule(
    code="MS509",
    slug="statement-about-nothing",
    title="A statement about a field or a meter that there is not",
    message="`{key}` names `{name}`, {fault}",
    why="Evidence that points at nothing is found by the auditor, at the worst time.",
    bad=f"""
        families = [{{ name = "api.call", compliance.subject_field = "user" }}]
        {_CALLS.strip()}
    """,
    good=f"""
        families = [{{ name = "api.call", compliance.subject_field = "customer_id" }}]
        {_CALLS.strip()}
    """,
)

_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
_COUNTRIES = frozenset(_CODES.split())
"""The officially assigned codes of ISO 3166-1."""
_MEANT = {"UK": "GB", "EL": "GR"}


def check_names(judge: Judge) -> None:
    """Reports MS503 to MS509, and gathers the regimes that the program names."""
    tables = [(family.compliance, family.name) for family in judge.program.families]
    known = judge.registry.zone_names()
    for table, owner in [*tables, *((meter.compliance, meter.name) for meter in judge.program.meters)]:
        _check_regimes(judge, table, owner)
        _check_zones(judge, table, owner, known)
    for meter in judge.program.meters:
        for number, name in enumerate(meter.compliance.regulatory_regimes):
            regime = judge.regime(name)
            fits = regime is None or meter.kind.value in regime.applies_to
            if regime is None or (fits and not judge.noted):
                continue
            kinds = " and ".join(regime.applies_to)
            if fits:
                judge.passes(OTHER_KIND, meter.name, [regime], kind=meter.kind.value, about=kinds)
                continue
            at = meter.compliance.origin
            judge.fails(
                OTHER_KIND,
                meter.name,
                at=at and at / "regulatory_regimes" / number,
                regimes=[regime],
                compared={"kind": meter.kind.value, "about": kinds},
                kind=meter.kind.value,
                meter=meter.name,
                regime=regime.id,
                wanted=kinds,
            )
    for family in judge.program.families:
        _check_family(judge, family)
    names = {meter.name: meter for meter in judge.program.meters}
    for sink in judge.program.sinks:
        _check_country(judge, sink.region, sink.name, sink.origin and sink.origin / "region")
        for number, name in enumerate(sink.receives):
            if name not in names and sink.origin is not None:
                place = sink.origin / "receives" / number
                hint = did_you_mean(name, names) or "name one of the meters"
                edits = corrections(place, name, names, quoted=True)
                fault = "which is no meter here"
                judge.out.report(NO_SUCH_NAME, at=place, hint=hint, edits=edits, key="receives", name=name, fault=fault)


def _check_regimes(judge: Judge, own: Compliance, subject: str) -> None:
    for number, name in enumerate(own.regulatory_regimes):
        regime = judge.regime(name)
        is_later = regime is not None and regime.applies_from is not None and regime.applies_from > judge.as_of
        if regime is not None and regime.in_force and not is_later and not judge.noted:
            continue
        at = own.origin and own.origin / "regulatory_regimes" / number
        if regime is None:
            known = judge.registry.names()
            hint = did_you_mean(name, known) or f"the registry has {', '.join(known)}"
            edits = corrections(at, name, known, quoted=True) if at else ()
            judge.out.report(UNKNOWN_REGIME, at=at, hint=hint, edits=edits, regime=name)
            continue
        if not regime.in_force:
            judge.fails(
                NOT_IN_FORCE,
                subject,
                at=at,
                regimes=[regime],
                compared={"status": regime.status},
                regime=name,
                status=regime.status,
            )
        else:
            judge.passes(NOT_IN_FORCE, subject, [regime], status=regime.status)
        if is_later:
            facts: dict[str, Any] = {"regime": name, "start": regime.applies_from, "as_of": judge.as_of}
            compared: dict[str, Any] = {"applies_from": regime.applies_from, "as_of": judge.as_of}
            told = name in judge.told
            judge.told.add(name)
            judge.fails(NOT_YET, subject, at=at, regimes=[regime], silent=told, compared=compared, **facts)
        elif regime.applies_from is not None:
            judge.passes(NOT_YET, subject, [regime], applies_from=regime.applies_from, as_of=judge.as_of)


def _check_zones(judge: Judge, own: Compliance, subject: str, known: Sequence[str]) -> None:
    for number, name in enumerate(own.jurisdiction):
        zone = judge.zone(name)
        is_country = len(name) == 2 and zone is not None and zone.id not in known
        if zone is None or (is_country and zone.members[0] not in _COUNTRIES):
            at = own.origin and own.origin / "jurisdiction" / number
            hint = did_you_mean(name, known) or f"the zones are {', '.join(known)}, and countries as in `de`"
            edits = corrections(at, name, known, quoted=True) if at else ()
            judge.out.report(UNKNOWN_ZONE, at=at, hint=hint, edits=edits, zone=name)
        else:
            judge.passes(UNKNOWN_ZONE, subject, zone=name, members=" ".join(zone.members))


def _check_country(judge: Judge, country: str, subject: str, at: Place | None) -> None:
    if country in _COUNTRIES:
        judge.passes(UNKNOWN_COUNTRY, subject, country=country)
        return
    meant = _MEANT.get(country)
    judge.out.report(UNKNOWN_COUNTRY, at=at, hint=f"did you mean `{meant}`?" if meant else None, country=country)


def _check_family(judge: Judge, family: Family) -> None:
    own = family.compliance
    for number, country in enumerate(own.storage):
        _check_country(judge, country, family.name, own.origin and own.origin / "storage" / number)
    state = own.stated("member_state")
    if isinstance(state, str):
        _check_country(judge, state, family.name, own.origin and own.origin / "member_state")
    fields = {field.name: field for field in family.fields}
    for statement in own.statements:
        is_instant = statement.name.startswith("incident.")
        if not is_instant and statement.name != "subject_field":
            continue
        name = str(statement.value)
        wanted = [each.name for each in family.fields if not is_instant or each.type.value == "timestamp"]
        if name in wanted:
            judge.passes(NO_SUCH_NAME, family.name, key=statement.name, field=name)
            continue
        fault = f"which family `{family.name}` does not have"
        if name in fields:
            fault = f"which is of type {fields[name].type.value}, and no instant"
        judge.out.report(
            NO_SUCH_NAME,
            at=statement.origin,
            hint=did_you_mean(name, wanted),
            edits=corrections(statement.origin, name, wanted, quoted=True) if statement.origin else (),
            key=statement.name,
            name=name,
            fault=fault,
        )
