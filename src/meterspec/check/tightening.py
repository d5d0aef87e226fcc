"""What a `compliance` table states, and that a meter only tightens what its family is bound to."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime

from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Compliance, Family, Scalar, Statement
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["compliance", "scalar", "statements", "tightens"]

LOOSENED_RETENTION = Rule(
    code="MS500",
    slug="loosened-retention",
    title="A meter that keeps its evidence for less time than its family",
    message="meter `{meter}` keeps its events for {years} years, and its family `{family}` for {required}",
    why="Retention lives on the family, because all its meters are computed from the same events; a meter may ask for "
    "more, never for less.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 7
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.audit_retention_years = 5
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 7
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.audit_retention_years = 10
    """,
)

LOOSENED_JURISDICTION = Rule(
    code="MS501",
    slug="loosened-jurisdiction",
    title="A meter that permits a zone its family does not",
    message="meter `{meter}` permits `{zone}`, which its family `{family}` does not",
    why="Where events may be kept is settled on their family, for all its meters; a meter may leave zones out, and add "
    "none.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu"]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.jurisdiction = ["eu", "us"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.jurisdiction = ["eu", "us"]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.jurisdiction = ["eu"]
    """,
)
LOOSENED_RISK = Rule(
    code="MS502",
    slug="loosened-risk-class",
    title="A meter of a lower risk class than its family",
    message="meter `{meter}` is of risk class `{own}`, below `{required}` of its family `{family}`",
    why="The events come from one system, whose class is the same whatever is computed from them.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.risk_class = "high"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.risk_class = "limited"
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.risk_class = "limited"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.risk_class = "high"
    """,
)

_RISKS = ("minimal", "limited", "high", "unacceptable")
"""The risk classes of the AI Act (Regulation (EU) 2024/1689), lowest first."""


_OWN_FIELDS = {"jurisdiction", "audit_retention_years", "risk_class", "regulatory_regimes", "storage"}
"""Keys that the IR has fields for; every other one is a statement."""


def compliance(written: shape.Compliance | shape.Reporting | None, at: Place) -> Compliance:
    """The meaning of a `compliance` table."""
    if written is None:
        return Compliance()
    return Compliance(
        jurisdiction=tuple(written.jurisdiction or ()),
        audit_retention_years=written.audit_retention_years,
        risk_class=written.risk_class,
        regulatory_regimes=tuple(written.regulatory_regimes or ()),
        storage=tuple(written.storage or ()) if isinstance(written, shape.Compliance) else (),
        statements=statements(written, at),
        origin=at,
    )


def statements(written: object, at: Place, under: str = "", without: Set[str] = _OWN_FIELDS) -> tuple[Statement, ...]:
    """What a table states beyond the fields of the IR, in the order of the language; tables in it by dotted names."""
    found: list[Statement] = []
    assert is_dataclass(written)
    for key in fields(written):
        value = getattr(written, key.name)
        if key.name in without or value is None or value is False:
            continue
        if is_dataclass(value):
            found += statements(value, at / key.name, f"{key.name}.", frozenset())
        else:
            plain = "true" if value is True else value.isoformat() if isinstance(value, date) else value
            found.append(Statement(name=under + key.name, value=plain, origin=at / key.name))
    return tuple(found)


def scalar(value: shape.Scalar) -> Scalar:
    """A value as the IR has it: instants in UTC, a date is its first instant."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def tightens(meter: str, own: Compliance, families: tuple[Family, ...], out: Diagnostics) -> None:
    """Reports MS500 to MS502 where a meter loosens what one of its families requires."""
    at = own.origin
    for family in families:
        theirs = family.compliance
        where = theirs.origin
        if None not in {theirs.audit_retention_years, own.audit_retention_years}:
            _report_retention(meter, own, family, out)
        for number, zone in enumerate(own.jurisdiction):
            if theirs.jurisdiction and zone not in theirs.jurisdiction:
                out.report(
                    LOOSENED_JURISDICTION,
                    at=at and at / "jurisdiction" / number,
                    hint=f"leave it out, or add it to the family: it permits {', '.join(theirs.jurisdiction)}",
                    related=[(where / "jurisdiction", "what the family permits")] if where else [],
                    meter=meter,
                    zone=zone,
                    family=family.name,
                )
        if own.risk_class and theirs.risk_class and _RISKS.index(own.risk_class) < _RISKS.index(theirs.risk_class):
            out.report(
                LOOSENED_RISK,
                at=at and at / "risk_class",
                hint=f'write "{theirs.risk_class}", or leave it out',
                related=[(where / "risk_class", "what the family is")] if where else [],
                meter=meter,
                own=own.risk_class,
                required=theirs.risk_class,
                family=family.name,
            )


def _report_retention(meter: str, own: Compliance, family: Family, out: Diagnostics) -> None:
    required, years = family.compliance.audit_retention_years, own.audit_retention_years
    assert required is not None and years is not None
    if years >= required:
        return
    where = family.compliance.origin
    out.report(
        LOOSENED_RETENTION,
        at=own.origin and own.origin / "audit_retention_years",
        hint=f"write {required} or more, or leave it out",
        related=[(where / "audit_retention_years", "what the family requires")] if where else [],
        meter=meter,
        years=years,
        family=family.name,
        required=required,
    )
