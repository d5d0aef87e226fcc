"""`compliance/manifest.json`: what was judged, on which values, and how every number comes about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from meterspec import __version__
from meterspec.assessment import Ask, Assessment, Control, Period, Status
from meterspec.backends.base import Artifact
from meterspec.backends.manifest import SOURCES, lineage
from meterspec.diagnostics import Rule
from meterspec.ir import Family, Field, Meter, Program, Statement, stated
from meterspec.regimes import AS_OF, Override, Regime, digests
from meterspec.units import BadUnit, parse

__all__ = ["SCHEMA", "Build", "Input", "document"]

SCHEMA = "meterspec/compliance-manifest@1"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Input:
    """A file that was compiled: the name people see, its bytes, and what it is for."""

    name: str
    data: bytes
    role: str = "spec"
    """`spec`, or `registry` for what an organisation adds to it."""


@dataclass(frozen=True, slots=True)
class Build:
    """What the compiler was asked for."""

    targets: tuple[str, ...]
    dialects: tuple[str, ...]
    rollup: str | None = None
    stripe_usage: str = "event"
    as_of: date | None = None
    """The day that was given as an argument; None where the files say it."""


def document(
    program: Program, judged: Assessment, inputs: Sequence[Input], build: Build, artifacts: Sequence[Artifact]
) -> Document:
    """The whole manifest. Numbers are texts, so that no reader makes another number of them."""
    made = [_artefact(artifact) for artifact in sorted(artifacts, key=lambda artifact: artifact.path)]
    known = {one["path"]: one["sha256"] for one in made}
    return {
        "schema": SCHEMA,
        "compiler": {
            "name": "meterspec",
            "version": __version__,
            "rules_sha256": _rules_digest(judged.rules),
            "registry": {"as_of": AS_OF.isoformat(), "files": digests(list(judged.regimes))},
        },
        "as_of": {"day": judged.as_of.isoformat(), "source": judged.as_of_source},
        "build": {
            "targets": list(build.targets),
            "dialects": list(build.dialects),
            "rollup": build.rollup,
            "stripe_usage": build.stripe_usage,
            "as_of": build.as_of.isoformat() if build.as_of else None,
        },
        "inputs": [
            {
                "path": PurePath(one.name).name,
                "kept_in": str(SOURCES),
                "role": one.role,
                "bytes": len(one.data),
                "sha256": sha256(one.data).hexdigest(),
            }
            for one in inputs
        ],
        "artefacts": made,
        "families": [_family(family, judged) for family in program.families],
        "meters": [_meter(program, meter, judged) for meter in program.meters],
        "numbers": [_number(program, meter, judged, artifacts, known) for meter in program.meters],
        "retention_schedule": [_period(period, judged.as_of) for period in judged.periods],
        "residency": [
            {
                "subject": one.subject,
                "kind": one.kind,
                "name": one.name,
                "country": one.country,
                "zones": list(one.zones),
                "permitted": one.permitted,
                "transfer": one.transfer,
            }
            for one in judged.residences
        ],
        "regimes": [_regime(judged.regimes[name], judged.as_of) for name in sorted(judged.regimes)],
        "controls": _controls(judged),
        "overrides": [_override(one) for one, _ in judged.registry.overrides],
        "determinism": {
            "statement": "The same inputs, options and compiler give these artefacts byte for byte. Quantities are "
            "exact decimals that are rounded once; a float field is read once as a whole number of 10^-scale.",
            "clock": "No instant in any artefact comes from a clock; `as_of` does from the inputs.",
            "numbers": "Decimals and fractions are texts.",
            "canonical_form": "JSON in UTF-8, keys sorted, two spaces, a line feed at the end.",
        },
        "replay": {
            "verify": "meterspec verify BUILD",
            "recompile": _command(build),
            "numbers": "meterspec run --events FILES --evidence DIR, then meterspec verify DIR",
        },
        "limitations": list(_LIMITATIONS),
    }


_LIMITATIONS = (
    "Structure is compared, not truth: whether a statement of the spec is so, nobody looked at.",
    "The values of events, the meters they come from and the quality of factors are not checked.",
    "That every event was recorded is not checked; what came of the rows that were read is in the evidence of a run.",
    "Where data is stored and sent is compared as stated; no system was asked.",
    "The registry is engineering data with sources, no legal advice; what is marked unverified was not read in a law.",
    "Rules that did not apply are listed as such; laws that the spec does not name were not looked at.",
)


def _rules_digest(rules: Iterable[Rule]) -> str:
    text = "\n".join(
        f"{rule.code} {rule.slug} {rule.severity} {rule.title} {rule.message} {rule.why}" for rule in rules
    )
    return sha256(text.encode()).hexdigest()


_KINDS = {"inputs.sql": "tables to supply", "families.sql": "views", "meters.sql": "views", "invoices.sql": "views"}


def _artefact(artifact: Artifact) -> Document:
    data, parts = artifact.text.encode(), artifact.path.parts
    return {
        "path": str(artifact.path),
        "sha256": sha256(data).hexdigest(),
        "bytes": len(data),
        "kind": _KINDS.get(artifact.path.name, "request bodies" if parts[0] == "stripe" else "text"),
        "target": parts[0],
        "dialect": parts[1] if parts[0] == "sql" else None,
    }


def _statements(statements: Sequence[Statement]) -> Document:
    return {statement.name: str(statement.value) for statement in statements}


def _family(family: Family, judged: Assessment) -> Document:
    own = family.compliance
    period = next((one for one in judged.periods if one.subject == family.name and one.evidence == "events"), None)
    return {
        "name": family.name,
        "description": family.description,
        "raw_table": ".".join(family.raw),
        "event_id": family.event_id,
        "event_time": family.event_time,
        "customer": family.customer,
        "jurisdiction": list(own.jurisdiction),
        "storage": list(own.storage),
        "risk_class": own.risk_class,
        "retention": None
        if period is None
        else {"months": period.won.months, "clock": period.won.clock, "won_by": period.won.source},
        "personal_fields": [each.name for each in family.fields if each.personal],
        "unclassified_fields": [each.name for each in family.fields if each.personal is None],
        "regimes": list(own.regulatory_regimes),
        "states": _statements(own.statements),
    }


def _meter(program: Program, meter: Meter, judged: Assessment) -> Document:
    families = program.families_of(meter)
    tables = [*(family.compliance for family in families), meter.compliance]
    names = [name for table in tables for name in table.regulatory_regimes]
    periods = [one for one in judged.periods if one.subject == meter.name]
    return {
        "name": meter.name,
        "description": meter.description,
        "kind": meter.kind.value,
        "unit": meter.unit,
        "families": [family.name for family in families],
        "regimes": [
            {"id": name, "legal_reference": judged.regimes[name].legal_reference}
            for name in dict.fromkeys(names)
            if name in judged.regimes
        ],
        "retention": [
            {
                "evidence": one.evidence,
                "months": one.won.months,
                "clock": one.won.clock,
                "won_by": one.won.source,
                "sources": _sources(one),
            }
            for one in periods
        ],
        "states": _statements(meter.compliance.statements),
    }


def _number(
    program: Program, meter: Meter, judged: Assessment, artifacts: Sequence[Artifact], known: Mapping[str, str]
) -> Document:
    """One number, from the fields it is made of to the datapoint it is reported as; `known` are digests by file."""
    facts = lineage(program, meter, artifacts)
    fields: Any = facts["fields"]
    views: Any = facts["views"]
    return {
        "id": meter.name,
        "inputs": [{**one, **_evidence(program.family(one["family"]).field(one["name"]))} for one in fields],
        "ratio": facts.get("ratio"),
        "filter": facts.get("filter"),
        "expression": facts.get("value"),
        "aggregate": facts.get("aggregate"),
        "per": meter.aggregate.per.value if meter.aggregate and meter.aggregate.per else None,
        "window": facts["window"],
        "group_by": facts["group_by"],
        "unit": meter.unit,
        "rounded": f"{meter.rounding.value} to {meter.precision} decimals, once",
        "views": [{**one, "sha256": known[one["file"]]} for one in views],
        "disclosure": _disclosure(meter, judged),
    }


def _evidence(one: Field) -> Document:
    factor = {key: stated(one.statements, f"factor.{key}") for key in ("source", "version", "method", "gwp")}
    return {"personal": one.personal, "factor": factor if factor["source"] is not None else None}


def _disclosure(meter: Meter, judged: Assessment) -> Document | None:
    concept = meter.compliance.stated("disclosure")
    found = judged.registry.datapoints().get(concept) if isinstance(concept, str) else None
    if found is None or meter.unit is None:
        return None
    regime, point = found
    try:
        factor = parse(meter.unit).factor / parse(point.unit).factor
    except BadUnit:
        return None
    return {
        "concept": point.concept,
        "regime": regime.id,
        "standard": regime.standard_version,
        "datapoint": point.datapoint,
        "unit": point.unit,
        "times": str(factor),
    }


def _sources(period: Period) -> list[Document]:
    return [{"source": one.source, "months": one.months, "clock": one.clock} for one in period.asked]


def _period(period: Period, as_of: date) -> Document:
    won, clocks = period.won, {one.clock: None for one in period.asked}
    return {
        "subject": period.subject,
        "evidence": period.evidence,
        "months": won.months,
        "clock": won.clock,
        "won_by": won.source,
        "reference": won.reference,
        "verified": won.verified,
        "sources": _sources(period),
        "event_of": as_of.isoformat(),
        "delete_not_before": None if period.legal_hold else earliest(period, as_of).isoformat(),
        "depends_on": "; ".join(_DEPENDS[clock] for clock in clocks if clock in _DEPENDS) or None,
        "legal_hold": period.legal_hold,
        "ceiling_months": period.ceiling_months,
    }


_DEPENDS = {
    "publication": "the day of publication, if later than the event",
    "placed_on_market": "the day the system was placed on the market, if later than the event",
    "audit_conclusion": "the day the audit was concluded, if later than the event",
    "last_effective": "the last day it was in effect, if later than the event",
    "period_end": "the end of the reporting period, if later than that of the calendar year",
}
"""What a date depends on that no spec says; the date given is the earliest it can be."""


def earliest(period: Period, event: date) -> date:
    """The first day on which the evidence of an event may be deleted, as far as its clocks can be told from the day:
    each source has its own, and the last of them counts."""
    return max(_ends(one, event) for one in period.asked)


def _ends(ask: Ask, event: date) -> date:
    start = date(event.year + 1, 1, 1) if ask.clock in {"calendar_year_end", "period_end"} else event
    months = start.month - 1 + ask.months
    year, month = start.year + months // 12, months % 12 + 1
    for day in range(start.day, 27, -1):
        try:
            return date(year, month, day)
        except ValueError:
            continue
    return date(year, month, start.day)


def _regime(regime: Regime, as_of: date) -> Document:
    return {
        "id": regime.id,
        "title": regime.title,
        "legal_reference": regime.legal_reference,
        "status": regime.status,
        "in_force": regime.in_force,
        "applies_from": regime.applies_from.isoformat() if regime.applies_from else None,
        "applies_on_as_of": regime.applies_from is None or regime.applies_from <= as_of,
        "verified": regime.verified,
        "verified_note": regime.verified_note,
        "source": regime.source,
        "retention": [
            {
                "evidence": one.evidence,
                "months": one.min_months,
                "clock": one.clock,
                "reference": one.reference,
                "verified": one.verified,
            }
            for one in regime.retention
        ],
    }


def _controls(judged: Assessment) -> list[Document]:
    """Every rule, with each subject it was judged for; one that applied to nothing has one entry that says so."""
    found: dict[str, list[Control]] = {rule.code: [] for rule in judged.rules}
    for control in judged.controls:
        found[control.rule.code].append(control)
    return [
        entry
        for rule in judged.rules
        for entry in (
            [_control(one) for one in found[rule.code]]
            or [_control(Control(rule=rule, subject="project", status=Status.NOT_APPLICABLE))]
        )
    ]


def _control(control: Control) -> Document:
    return {
        "rule": control.rule.code,
        "name": control.rule.slug,
        "title": control.rule.title,
        "level": control.rule.severity.value,
        "subject": control.subject,
        "status": control.status.value,
        "regimes": list(control.regimes),
        "compared": dict(control.compared),
        "message": control.message,
        "binding": control.firm,
        "override": _override(control.waiver) if control.waiver else None,
    }


def _override(one: Override) -> Document:
    return {
        "rule": one.rule,
        "subject": one.subject,
        "regime": one.regime,
        "min_months": one.min_months,
        "approver": one.approver,
        "legal_basis": one.legal_basis,
        "approved_on": one.approved_on.isoformat(),
        "expires_on": one.expires_on.isoformat(),
    }


def _command(build: Build) -> str:
    """The command that makes this build of its inputs."""
    words = ["meterspec compile SPEC --out BUILD", f"--target {','.join(build.targets)}"]
    words.append(f"--dialect {','.join(build.dialects)}")
    if build.rollup:
        words.append(f"--rollup {build.rollup}")
    if build.stripe_usage != "event":
        words.append(f"--stripe-usage {build.stripe_usage}")
    if build.as_of:
        words.append(f"--as-of {build.as_of}")
    return " ".join(words)
