"""Obligations: a family states them, a meter may only tighten them."""

from __future__ import annotations

from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Compliance, Family
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["compliance", "tightens"]

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


def compliance(written: shape.Compliance | None, at: Place) -> Compliance:
    """The meaning of a `compliance` table."""
    if written is None:
        return Compliance()
    return Compliance(
        jurisdiction=tuple(written.jurisdiction or ()),
        audit_retention_years=written.audit_retention_years,
        risk_class=written.risk_class,
        regulatory_regimes=tuple(written.regulatory_regimes or ()),
        origin=at,
    )


def tightens(meter: str, own: Compliance, families: tuple[Family, ...], out: Diagnostics) -> None:
    """Reports MS500 where a meter loosens what one of its families requires."""
    for family in families:
        required = family.compliance.audit_retention_years
        years = own.audit_retention_years
        if required is None or years is None or years >= required:
            continue
        at = own.origin and own.origin / "audit_retention_years"
        where = family.compliance.origin
        out.report(
            LOOSENED_RETENTION,
            at=at,
            hint=f"write {required} or more, or leave it out",
            related=[(where / "audit_retention_years", "what the family requires")] if where else [],
            meter=meter,
            years=years,
            family=family.name,
            required=required,
        )
