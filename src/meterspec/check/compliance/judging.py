"""Judging: a rule passes or fails for a subject, and both are written down; an override can waive what fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from meterspec.assessment import Assessment, Control, Period, Residence, Status
from meterspec.cel.tree import FieldRef, walk
from meterspec.diagnostics import Diagnostics, Rule, Severity
from meterspec.ir import Family, Meter, Program, RatioSource
from meterspec.regimes import Override, Regime, Registry, Zone
from meterspec.source import Place
from meterspec.units import CO2E, ENERGY, BadUnit, Unit, parse, suggested

__all__ = ["Judge", "listed"]


class Judge:
    """A program, what it is judged by, and what was found so far."""

    def __init__(
        self,
        program: Program,
        registry: Registry,
        as_of: date,
        as_of_source: str,
        out: Diagnostics,
        *,
        noted: bool = True,
    ) -> None:
        """With `noted` all that was compared is written down, else findings alone are reported, and a rule that is kept
        may say nothing."""
        self.program = program
        self.noted = noted
        self.registry = registry
        self.as_of = as_of
        self.out = out
        self.done = Assessment(registry=registry, as_of=as_of, as_of_source=as_of_source)
        self._regimes: dict[str, list[Regime]] = {}
        self._family_regimes: dict[str, list[Regime]] = {}
        self._units: dict[str, Unit | None] = {}
        self._field_units: dict[str, dict[str, Unit | None]] = {}
        self._zones: dict[str, Zone | None] = {}
        self.used: set[int] = set()
        """The overrides that waived something, by their number."""
        self.pairs: set[tuple[str, ...]] = set()
        """The pairs of meters that a rule was reported for."""
        self.told: set[str] = set()
        """The regimes of which it was said that they do not apply yet: once is enough."""

    # Facts ------------------------------------------------------------------------------------------------------

    @cached_property
    def families(self) -> list[tuple[Family, list[Meter]]]:
        """Every family with the meters made of its events; a ratio is made of those of its two meters."""
        own: dict[str, list[Meter]] = {family.name: [] for family in self.program.families}
        for meter in self.program.meters:
            for family in self.program.families_of(meter):
                own[family.name].append(meter)
        return [(family, own[family.name]) for family in self.program.families]

    def regimes_of(self, meter: Meter) -> list[Regime]:
        """The regimes a meter is reported under: its own, and those of its families. Unknown ones are left out."""
        known = self._regimes.get(meter.name)
        if known is None:
            known = self._regimes[meter.name] = self._find_regimes(meter)
        return known

    def regime(self, name: str) -> Regime | None:
        """The regime of a name, which the program has from now on; None where there is none."""
        known = self.done.regimes.get(name)
        if known is None:
            known = self.registry.regime(name)
            if known is not None:
                self.done.regimes[name] = known
        return known

    def zone(self, name: str) -> Zone | None:
        """The zone of a name; None where there is none."""
        if name not in self._zones:
            self._zones[name] = self.registry.zone(name)
        return self._zones[name]

    def _find_regimes(self, meter: Meter) -> list[Regime]:
        named = meter.compliance.regulatory_regimes
        for family in self.program.families_of(meter):
            named += family.compliance.regulatory_regimes
        if not named:
            return []
        found = [self.done.regimes.get(name) for name in dict.fromkeys(named)]
        return [regime for regime in found if regime is not None and meter.kind.value in regime.applies_to]

    def regimes_of_family(self, family: Family, meters: Sequence[Meter]) -> list[Regime]:
        """The regimes that anything made of a family's events is reported under."""
        known = self._family_regimes.get(family.name)
        if known is None:
            known = self._family_regimes[family.name] = self._find_family_regimes(family, meters)
        return known

    def _find_family_regimes(self, family: Family, meters: Sequence[Meter]) -> list[Regime]:
        named = [self.done.regimes.get(name) for name in family.compliance.regulatory_regimes]
        of_meters = [regime for meter in meters for regime in self.regimes_of(meter)]
        found = {regime.id: regime for regime in (*named, *of_meters) if regime is not None}
        return list(found.values())

    def loose(self, regime: Regime) -> str | None:
        """Why nothing that a regime asks for is more than a warning; None where it binds."""
        if not regime.verified:
            return f"`{regime.id}` is unverified in the registry"
        if not regime.in_force:
            return f"`{regime.id}` is not in force"
        if regime.applies_from is not None and regime.applies_from > self.as_of:
            return f"`{regime.id}` applies from {regime.applies_from}"
        return None

    def unit_of(self, meter: Meter) -> Unit | None:
        """The unit of a meter: as it is declared, or as the units and names of the fields of its value say."""
        if meter.name not in self._units:
            self._units[meter.name] = self._find_unit(meter)
        return self._units[meter.name]

    def _find_unit(self, meter: Meter) -> Unit | None:
        if meter.unit is not None:
            return _unit(meter.unit)
        if isinstance(meter.source, RatioSource):
            above = self.unit_of(self.program.meter(meter.source.numerator))
            below = self.unit_of(self.program.meter(meter.source.denominator))
            return above / below if above is not None and below is not None else None
        if not self._has_amounts(self.program.families_of(meter)[0]):
            return None
        units = [unit for _, unit in self.fields_of(meter) if unit is not None]
        carbon = [unit for unit in units if dict(unit.dimension).get(CO2E) == 1]
        energy = [unit for unit in units if unit.dimension == ((ENERGY, 1),)]
        if carbon:
            return Unit(carbon[0].factor, ((CO2E, 1),), carbon[0].powers)
        return energy[0] if energy else None

    def fields_of(self, meter: Meter) -> list[tuple[str, Unit | None]]:
        """The fields of a meter's value, each with its unit as it is declared, or as its name says."""
        value = meter.aggregate.value if meter.aggregate else None
        names = [node.name for node in walk(value) if isinstance(node, FieldRef)] if value is not None else []
        units = self.units_of(self.program.families_of(meter)[0])
        return [(name, units.get(name)) for name in dict.fromkeys(names)]

    def units_of(self, family: Family) -> dict[str, Unit | None]:
        """The units of a family's fields, each as it is declared, or else as its name says."""
        known = self._field_units.get(family.name)
        if known is None:
            known = {field.name: _unit(field.unit or suggested(field.name)) for field in family.fields}
            self._field_units[family.name] = known
        return known

    def _has_amounts(self, family: Family) -> bool:
        """Whether a value of its fields may be of emissions or energy."""
        units = self.units_of(family).values()
        return any(name in {CO2E, ENERGY} for unit in units if unit is not None for name, _ in unit.dimension)

    def measures(self, meter: Meter) -> str | None:
        """`carbon` for an amount of CO2 equivalent, `energy` for one of energy, `intensity` for a rate of either."""
        unit = self.unit_of(meter)
        if unit is None:
            return None
        dimension = dict(unit.dimension)
        if dimension in ({CO2E: 1}, {ENERGY: 1}):
            return "carbon" if CO2E in dimension else "energy"
        return "intensity" if dimension.get(CO2E) == 1 or dimension.get(ENERGY) == 1 else None

    # Outcomes ---------------------------------------------------------------------------------------------------

    def passes(self, rule: Rule, subject: str, regimes: Sequence[Regime] = (), **compared: object) -> None:
        """Writes down that a rule was checked and nothing is wrong."""
        self._note(rule, subject, Status.PASS, regimes, compared)

    def fails(
        self,
        rule: Rule,
        subject: str,
        *,
        at: Place | None,
        hint: str | None = None,
        related: Iterable[tuple[Place, str]] = (),
        regimes: Sequence[Regime] = (),
        unverified: str | None = None,
        waivable: bool = True,
        silent: bool = False,
        compared: Mapping[str, object] | None = None,
        **facts: Any,
    ) -> Override | None:
        """Reports a finding, unless an override waives it, which is given; both are written down.

        It is firm where one of the regimes binds, and `unverified` does not say what else nobody has checked. One that
        is `silent` is written down alone: it was reported elsewhere.
        """
        reasons = [reason for regime in regimes if (reason := self.loose(regime))]
        loose = unverified or (reasons[0] if len(reasons) == len(regimes) and reasons else None)
        facts["regimes"] = listed([regime.id for regime in regimes])
        message = rule.message.format(**facts)
        waiver = self.waiver(rule, subject, regimes) if waivable else None
        status = Status.WAIVED if waiver else Status.FAIL
        self._note(rule, subject, status, regimes, compared or {}, message, loose is None, waiver)
        if waiver is None and not silent:
            held = f"no more than a warning: {loose}" if loose and rule.severity is not Severity.HINT else None
            words = "; ".join(filter(None, [hint, held])) or None
            self.out.report(rule, at=at, hint=words, related=related, firm=loose is None, **facts)
        return waiver

    def waiver(self, rule: Rule, subject: str, regimes: Sequence[Regime]) -> Override | None:
        """The override in force for a rule and a subject."""
        names = {regime.id for regime in regimes}
        for number, (override, _) in enumerate(self.registry.overrides):
            fits = override.rule in {rule.code, rule.slug} and override.subject == subject
            about = override.regime is None or override.regime in names
            if fits and about:
                self.used.add(number)
                if override.approved_on <= self.as_of < override.expires_on:
                    return override
        return None

    def keeps(self, period: Period) -> None:
        self.done.periods.append(period)

    def resides(self, residence: Residence) -> None:
        self.done.residences.append(residence)

    def _note(
        self,
        rule: Rule,
        subject: str,
        status: Status,
        regimes: Sequence[Regime],
        compared: Mapping[str, object],
        message: str | None = None,
        firm: bool = True,
        waiver: Override | None = None,
    ) -> None:
        if not self.noted:
            return
        self.done.controls.append(
            Control(
                rule=rule,
                subject=subject,
                status=status,
                compared=tuple((key, "-" if value is None else str(value)) for key, value in compared.items()),
                regimes=tuple(regime.id for regime in regimes),
                message=message,
                firm=firm,
                waiver=waiver,
            )
        )


def _unit(text: str | None) -> Unit | None:
    try:
        return parse(text) if text is not None else None
    except BadUnit:
        return None


def listed(names: Sequence[str], word: str = "and") -> str:
    """Names in a sentence: `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} {word} {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)
