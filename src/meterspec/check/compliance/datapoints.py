"""The datapoints that numbers are reported as: names that a taxonomy has, in the unit it takes, under its labels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import Meter
from meterspec.regimes import Datapoint, Regime
from meterspec.units import BadUnit, parse

__all__ = ["check_datapoints"]

_HEAD = """
        [[families]]
        name = "server.hour"
        schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
        [[meters]]
        name = "carbon"
        source = { kind = "family", family = "server.hour" }
        aggregate = { fn = "SUM", value = "carbon", window = "year" }
"""


def _spec(lines: str) -> str:
    return f"        {_HEAD.strip()}\n        {lines}\n"


UNKNOWN_DATAPOINT = Rule(
    code="MS580",
    slug="unknown-datapoint",
    title="A datapoint that no taxonomy of the registry has",
    message="there is no datapoint `{concept}`",
    why="Invented element names are common, and a filing with one is refused. Only names that were read in a published "
    "taxonomy are known: the ESRS taxonomy of 2023-12-22 by EFRAG, and that of the VSME of 2026-05-01.",
    bad=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "vsme:GrossScope1Emissions" }'
    ),
    good=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "vsme:GrossScope1GreenhouseGasEmissions" }'
    ),
)
DATAPOINT_UNIT = Rule(
    code="MS581",
    slug="datapoint-unit",
    title="A number that cannot be brought to the unit of its datapoint",
    message="meter `{meter}` is {found}, and `{concept}` is disclosed in `{unit}`",
    why="A unit is reached by an exact factor or not at all: 1 tCO2e is 1000 kgCO2e, and no number of kWh is any. "
    "kgCO2e itself is no unit of the XBRL Units Registry.",
    bad=_spec(
        'compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, disclosure = "vsme:TotalEnergyConsumption" }\n'
        '        unit = "gCO2e"'
    ),
    good=_spec(
        'compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "vsme:GrossScope1GreenhouseGasEmissions" }\n        unit = "gCO2e"'
    ),
)
DATAPOINT_LABEL = Rule(
    code="MS582",
    slug="datapoint-label",
    title="A number whose labels are not those of its datapoint",
    message="meter `{meter}` has {found}, and `{concept}` holds {wanted}",
    why="The name of the element says its scope and method; a number of another one would be in the wrong box.",
    bad=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "vsme:GrossScope3GreenhouseGasEmissions" }'
    ),
    good=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 3, ghg_category = 1, '
        'disclosure = "vsme:GrossScope3GreenhouseGasEmissions" }'
    ),
)
OTHER_TAXONOMY = Rule(
    code="MS583",
    slug="datapoint-of-another-regime",
    title="A datapoint of a regime that the meter is not reported under",
    message="`{concept}` is a datapoint of `{regime}`, and meter `{meter}` is not under it",
    why="What the regime asks for is compared only where it is named.",
    severity=Severity.WARNING,
    bad=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "esrs:GrossScope1GreenhouseGasEmissions" }'
    ),
    good=_spec(
        'unit = "gCO2e"\n        compliance = { regulatory_regimes = ["vsme"], ghg_scope = 1, '
        'disclosure = "vsme:GrossScope1GreenhouseGasEmissions" }'
    ),
)


def check_datapoints(judge: Judge) -> None:
    """Reports MS580 to MS583."""
    for meter in judge.program.meters:
        concept = meter.compliance.stated("disclosure")
        if not isinstance(concept, str):
            continue
        known = judge.registry.datapoints()
        at = meter.compliance.origin and meter.compliance.origin / "disclosure"
        if concept not in known:
            hint = _nearest(concept, known) or "docs/reporting.md lists those there are"
            judge.out.report(UNKNOWN_DATAPOINT, at=at, hint=hint, concept=concept)
            continue
        regime, point = known[concept]
        judge.passes(UNKNOWN_DATAPOINT, meter.name, [regime], concept=concept, standard=regime.standard_version)
        _check_unit(judge, meter, regime, point)
        _check_labels(judge, meter, regime, point)
        if regime.id in {each.id for each in judge.regimes_of(meter)}:
            judge.passes(OTHER_TAXONOMY, meter.name, [regime], concept=concept)
            continue
        judge.fails(
            OTHER_TAXONOMY,
            meter.name,
            at=at,
            hint=f'add "{regime.id}" to `regulatory_regimes`',
            compared={"concept": concept, "regime": regime.id},
            concept=concept,
            regime=regime.id,
            meter=meter.name,
        )


def _nearest(concept: str, known: Iterable[str]) -> str | None:
    """A hint naming the element made of the same words, in whatever order: by letters, scope 2 is near to scope 3."""
    typed = _words_of(concept)

    def likeness(name: str) -> float:
        words = _words_of(name)
        return len(typed & words) / len(typed | words)

    best = max(known, key=lambda name: (name.partition(":")[0] == concept.partition(":")[0], likeness(name)))
    scopes = {word for word in typed ^ _words_of(best) if word.startswith("scope")}
    return f"did you mean `{best}`?" if likeness(best) >= 0.6 and not scopes else None


def _words_of(concept: str) -> frozenset[str]:
    """The words of an element, with the abbreviations that people use written out."""
    name = concept.partition(":")[2] or concept
    name = name.replace("GHG", "GreenhouseGas").replace("CO2", "GreenhouseGas")
    return frozenset(word.lower() for word in re.findall("[A-Z][a-z]*[0-9]*", name))


def _check_unit(judge: Judge, meter: Meter, regime: Regime, point: Datapoint) -> None:
    compared: dict[str, Any] = {"unit": meter.unit, "disclosed in": point.unit}
    try:
        own = parse(meter.unit) if meter.unit is not None else None
    except BadUnit:
        return
    wanted = parse(point.unit)
    if own is not None and own.dimension == wanted.dimension:
        judge.passes(DATAPOINT_UNIT, meter.name, [regime], **compared, factor=own.factor / wanted.factor)
        return
    at = meter.origin
    judge.fails(
        DATAPOINT_UNIT,
        meter.name,
        at=at and (at / "unit" if meter.unit is not None else at / "compliance" / "disclosure"),
        hint=f'write `unit = "{point.unit}"`' if own is None else "report another meter as it, or this one as another",
        compared=compared,
        meter=meter.name,
        found=f"in `{meter.unit}`" if own is not None else "in no unit",
        concept=point.concept,
        unit=point.unit,
    )


def _check_labels(judge: Judge, meter: Meter, regime: Regime, point: Datapoint) -> None:
    wanted = {key: value for key, value in (("ghg_scope", point.scope), ("ghg_method", point.method)) if value}
    found = {key: meter.compliance.stated(key) for key in wanted}
    wrong = [key for key, value in found.items() if value is not None and value != wanted[key]]
    compared: dict[str, Any] = {key: f"{value}, datapoint {wanted[key]}" for key, value in found.items()}
    if not wrong:
        judge.passes(DATAPOINT_LABEL, meter.name, [regime], **compared)
        return
    at = meter.compliance.origin
    judge.fails(
        DATAPOINT_LABEL,
        meter.name,
        at=at and at / wrong[0],
        compared=compared,
        meter=meter.name,
        found=_words(wrong[0], found[wrong[0]]),
        concept=point.concept,
        wanted=_words(wrong[0], wanted[wrong[0]]),
    )


def _words(key: str, value: object) -> str:
    return f"scope {value}" if key == "ghg_scope" else f"the {value}-based method"
