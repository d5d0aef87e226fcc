"""What the registry has of the regimes and zones that a program names, and of the leave it has, as values of the IR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meterspec import ir
from meterspec.regimes import Registry
from meterspec.source import Place

__all__ = ["registered"]


def registered(program: ir.Program, registry: Registry) -> ir.Program:
    """The program with its `regimes`, `zones` and `leaves`; names that the registry lacks are left out."""
    bound = [*(family.compliance for family in program.families), *(meter.compliance for meter in program.meters)]
    regimes = {name for compliance in bound for name in compliance.regulatory_regimes}
    zones = {name for compliance in bound for name in compliance.jurisdiction}
    subjects = {family.name for family in program.families} | {meter.name for meter in program.meters}
    subjects |= {sink.name for sink in program.sinks}
    return replace(
        program,
        regimes=tuple(_regimes(registry, sorted(regimes))),
        zones=tuple(_zones(registry, sorted(zones))),
        leaves=tuple(_leaves(registry, subjects)),
    )


def _regimes(registry: Registry, names: list[str]) -> Iterator[ir.Regime]:
    own = registry.own.regimes if registry.own is not None else []
    for name in names:
        regime = registry.regime(name)
        if regime is None:
            continue
        number = next((number for number, one in enumerate(own) if one.id == name), None)
        at = _at(registry, "regimes", number)
        said = {} if number is None else {one.evidence: n for n, one in enumerate(own[number].retention)}
        yield ir.Regime(
            name=name,
            title=regime.title,
            legal_reference=regime.legal_reference,
            applies_to=tuple(regime.applies_to),
            requires=(*regime.requires, *(["annual"] if regime.annual else [])),
            hot_months=regime.hot_months,
            terms=tuple(
                ir.Term(
                    name=term.evidence,
                    months=term.min_months,
                    clock=term.clock,
                    covers=term.covers,
                    kinds=tuple(term.kinds),
                    verified=term.verified,
                    reference=term.reference,
                    origin=at / "retention" / said[term.evidence] if at and term.evidence in said else at,
                )
                for term in regime.retention
            ),
            origin=at,
        )


def _zones(registry: Registry, names: list[str]) -> Iterator[ir.Zone]:
    own = [zone.id for zone in registry.own.zones] if registry.own is not None else []
    for name in names:
        zone = registry.zone(name)
        if zone is not None:
            yield ir.Zone(
                name=name,
                members=tuple(sorted(zone.members)),
                restricted=zone.restricted,
                verified=zone.verified,
                source=zone.source,
                origin=_at(registry, "zones", own.index(name) if name in own else None),
            )


def _leaves(registry: Registry, subjects: set[str]) -> Iterator[ir.Leave]:
    for override, at in registry.overrides:
        if override.subject in subjects:
            yield ir.Leave(
                name=override.subject,
                rule=override.rule,
                regime=override.regime,
                approver=override.approver,
                legal_basis=override.legal_basis,
                approved_on=override.approved_on,
                expires_on=override.expires_on,
                months=override.min_months,
                origin=at,
            )


def _at(registry: Registry, kind: str, number: int | None) -> Place | None:
    return None if number is None or registry.source is None else Place(registry.source, (kind, number))
