"""Obligations: what a spec states about its events and numbers, compared with what its regimes ask for.

A whole program is judged by the registry: `vocabulary` resolves names, `retention`, `places`, `personal`, `carbon`,
`oversight` and `datapoints` compare values, `declared` finds what is not stated, and `overrides` looks at the leave
that was given. `judging` writes every outcome down, passed or failed; `overlap` decides whether two filters can let
one event pass.
"""

from __future__ import annotations

from datetime import date
from types import ModuleType

from meterspec.assessment import Assessment
from meterspec.check.compliance import (
    carbon,
    datapoints,
    declared,
    oversight,
    personal,
    places,
    retention,
    vocabulary,
)
from meterspec.check.compliance.judging import Judge
from meterspec.check.compliance.overrides import check_overrides
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import Program, stated
from meterspec.regimes import AS_OF, Registry

__all__ = ["assess", "rules"]

_MODULES = (vocabulary, retention, places, declared, personal, carbon, oversight, datapoints)


def assess(
    program: Program, registry: Registry, as_of: date | None, out: Diagnostics, *, noted: bool = True
) -> Assessment:
    """Judges a program by a registry on a day: the given one, else the one it states, else that of the registry.

    With `noted` the assessment has every comparison, else findings alone are reported.

    Reports MS503 to MS595.
    """
    said = stated(program.statements, "as_of")
    if as_of is not None:
        day, source = as_of, "argument"
    elif isinstance(said, str):
        day, source = date.fromisoformat(said), "spec"
    else:
        day, source = AS_OF, "registry"
    judge = Judge(program, registry, day, source, out, noted=noted)
    vocabulary.check_names(judge)
    if not out.has_errors:
        retention.check_retention(judge)
        places.check_places(judge)
        declared.check_declared(judge)
        personal.check_personal(judge)
        carbon.check_carbon(judge)
        oversight.check_oversight(judge)
        datapoints.check_datapoints(judge)
    judge.done.rules = rules()
    check_overrides(judge, [name for rule in judge.done.rules for name in (rule.code, rule.slug)])
    return judge.done


def rules() -> tuple[Rule, ...]:
    """Every rule that a program is judged by, by code; an override can waive each."""
    found = [rule for module in _MODULES for rule in _rules_of(module)]
    return tuple(sorted(found, key=lambda rule: rule.code))


def _rules_of(module: ModuleType) -> list[Rule]:
    return [value for value in vars(module).values() if isinstance(value, Rule)]
