"""AI systems and logs: classes that are forbidden, documentation that goes too early, logs that can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule
from meterspec.ir import Family
from meterspec.regimes import Regime

__all__ = ["check_oversight"]

PROHIBITED = Rule(
    code="MS561",
    slug="prohibited-practice",
    title="An AI system of the class that is prohibited",
    message="family `{family}` is of a system of unacceptable risk, which {regimes} prohibits",
    why="Reg. (EU) 2024/1689 Art. 5: such a system is not placed on the market, put into service or used. Metering "
    "does not make it one that may be.",
    bad="""
        compliance.as_of = 2028-01-01
        [[families]]
        name = "model.run"
        compliance = { risk_class = "unacceptable", ai_role = "deployer", ai_system = "s1", event_log = "immutable" }
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act"]
    """,
    good="""
        compliance.as_of = 2028-01-01
        [[families]]
        name = "model.run"
        compliance = { risk_class = "minimal", ai_role = "deployer", ai_system = "s1", event_log = "immutable" }
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act"]
    """,
)
DOCUMENTATION = Rule(
    code="MS562",
    slug="documentation-kept-too-short",
    title="Technical documentation of a provider that is kept for less time than its events' law asks for",
    message="the provider of family `{family}` keeps its documentation for {months} months, and `{regime}` asks for "
    "{wanted}: {reference}",
    why="The AI Act has two clocks: logs are kept for six months or more (Art. 19), documentation for ten years after "
    "the system was placed on the market (Art. 18). One number of years cannot be both.",
    bad="""
        compliance.as_of = 2028-01-01
        [[families]]
        name = "model.run"
        [families.compliance]
        risk_class = "high"
        ai_role = "provider"
        ai_system = "s1"
        event_log = "immutable"
        documentation_retention_years = 5
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act"]
    """,
    good="""
        compliance.as_of = 2028-01-01
        [[families]]
        name = "model.run"
        [families.compliance]
        risk_class = "high"
        ai_role = "provider"
        ai_system = "s1"
        event_log = "immutable"
        documentation_retention_years = 10
        [[meters]]
        name = "runs"
        source = { kind = "family", family = "model.run" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["ai_act"]
    """,
)
CHANGEABLE = Rule(
    code="MS572",
    slug="changeable-log",
    title="Evidence in a log that can be changed",
    message="the log of family `{family}` is {state}, and {regimes} asks for one that is not",
    why="Compaction deletes what an auditor would replay, and a row that can be edited proves nothing: AO 146(4), Code "
    "de commerce L123-22, Del. Reg. (EU) 2024/1774 Art. 12(2)(d).",
    bad="""
        [[families]]
        name = "api.call"
        compliance = { member_state = "FR", event_log = "compacted" }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance = { member_state = "FR", event_log = "immutable" }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
OVERWRITTEN = Rule(
    code="MS573",
    slug="overwritten-log",
    title="A log that is immutable, and corrected in place",
    message="the log of family `{family}` is stated to be immutable, and its corrections overwrite events",
    why="A correction is one more event that takes back or adds, so that what was reported can still be shown.",
    bad="""
        [[families]]
        name = "api.call"
        compliance = { event_log = "immutable", corrections = "overwrite" }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance = { event_log = "immutable", corrections = "append" }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)


def check_oversight(judge: Judge) -> None:
    """Reports MS561, MS562, MS572 and MS573."""
    for family, meters in judge.families:
        regimes = judge.regimes_of_family(family, meters)
        _check_class(judge, family, [regime for regime in regimes if "risk_class" in regime.requires])
        _check_documentation(judge, family, regimes)
        _check_log(judge, family, [regime for regime in regimes if "event_log" in regime.requires])


def _check_class(judge: Judge, family: Family, regimes: Sequence[Regime]) -> None:
    risk = family.compliance.risk_class
    if not regimes or risk is None:
        return
    if risk != "unacceptable":
        judge.passes(PROHIBITED, family.name, regimes, risk_class=risk)
        return
    at = family.compliance.origin
    judge.fails(
        PROHIBITED,
        family.name,
        at=at and at / "risk_class",
        regimes=regimes,
        compared={"risk_class": risk},
        family=family.name,
    )


def _check_documentation(judge: Judge, family: Family, regimes: Sequence[Regime]) -> None:
    years, own = family.compliance.stated("documentation_retention_years"), family.compliance
    is_asked = own.stated("ai_role") == "provider" and own.risk_class == "high"
    for regime in regimes:
        for period in regime.retention:
            if period.covers != "documentation" or not isinstance(years, int):
                continue
            compared: dict[str, Any] = {
                "kept": f"{years * 12} months",
                "asked": f"{period.min_months} months from {period.clock}",
            }
            if years * 12 >= period.min_months or not is_asked:
                judge.passes(DOCUMENTATION, family.name, [regime], **compared)
                continue
            judge.fails(
                DOCUMENTATION,
                family.name,
                at=own.origin and own.origin / "documentation_retention_years",
                hint=f"write `documentation_retention_years = {-(-period.min_months // 12)}`",
                regimes=[regime],
                unverified=None if period.verified else "the period was derived, not read in a law",
                compared=compared,
                family=family.name,
                months=years * 12,
                regime=regime.id,
                wanted=period.min_months,
                reference=period.reference,
            )


def _check_log(judge: Judge, family: Family, regimes: Sequence[Regime]) -> None:
    own = family.compliance
    log, corrections = own.stated("event_log"), own.stated("corrections")
    if regimes and log is not None:
        if log == "immutable":
            judge.passes(CHANGEABLE, family.name, regimes, event_log=log)
        else:
            judge.fails(
                CHANGEABLE,
                family.name,
                at=own.origin and own.origin / "event_log",
                regimes=regimes,
                compared={"event_log": log},
                family=family.name,
                state=log,
            )
    if log is None or corrections is None:
        return
    compared: dict[str, Any] = {"event_log": log, "corrections": corrections}
    if log == "immutable" and corrections == "overwrite":
        at = own.origin and own.origin / "corrections"
        hint = 'write `corrections = "append"`, where that is so'
        judge.fails(OVERWRITTEN, family.name, at=at, hint=hint, compared=compared, family=family.name)
    else:
        judge.passes(OVERWRITTEN, family.name, **compared)
