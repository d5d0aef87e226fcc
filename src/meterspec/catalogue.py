"""The catalogue of rules, collected from the modules that raise them, and the pages made of it.

`python -m meterspec.catalogue` prints the page of all rules, docs/rules.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import groupby
from pkgutil import walk_packages
from textwrap import dedent, fill
from types import ModuleType
from typing import TYPE_CHECKING

import meterspec
from meterspec.diagnostics import Rule
from meterspec.ir import CalendarUnit, Meter, Program

if TYPE_CHECKING:
    from meterspec.backends.sql import Scan

__all__ = ["by_code", "loaded", "markdown", "meter_page", "page", "rules", "rules_page"]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of the compiler, by code."""
    names = [module.name for module in walk_packages(meterspec.__path__, "meterspec.")]
    return _rules_in(import_module(name) for name in names if name != "meterspec.__main__")


def loaded() -> tuple[Rule, ...]:
    """The rules of the modules that are in memory, by code: at no cost, those of whatever ran."""
    return _rules_in(module for name, module in list(sys.modules.items()) if name.startswith("meterspec."))


def _rules_in(modules: Iterable[ModuleType]) -> tuple[Rule, ...]:
    found = {value.code: value for module in modules for value in vars(module).values() if isinstance(value, Rule)}
    return tuple(found[code] for code in sorted(found))


def by_code(code: str) -> Rule | None:
    """The rule with a code, or with a name such as `unknown-field`."""
    return next((rule for rule in rules() if code in {rule.code, rule.code.lower(), rule.slug}), None)


def page(rule: Rule) -> str:
    """What a rule finds, why, and an example of each side."""
    parts = [f"{rule.code} {rule.slug} ({rule.severity.value})\n\n{rule.title}.\n\n{fill(rule.why, 100)}\n"]
    for words, example in (("Reported", rule.bad), ("Not reported", rule.good)):
        if example:
            body = "\n".join(f"    {line}".rstrip() for line in dedent(example).strip().splitlines())
            parts.append(f"{words}:\n\n{body}\n")
    return "\n".join(parts)


_PHASES = {
    "0": "What keeps a command from its job",
    "1": "What a spec may be written as",
    "2": "Names, families and meters",
    "3": "Expressions",
    "4": "Money",
    "5": "Compliance",
    "6": "What a target can express",
    "7": "Events",
}
"""What the first digit of a code stands for."""


_RULES_PAGE = """\
# Rules

Every code that meterspec reports; `meterspec explain CODE` prints one of them. [diagnostics.md](diagnostics.md) shows
how findings are printed, set to another level, and allowed where they stand.
"""


def rules_page() -> str:
    """The page of all rules, in Markdown."""
    parts = [_RULES_PAGE]
    for digit, group in groupby(rules(), lambda rule: rule.code[2]):
        parts.append(f"## MS{digit}xx: {_PHASES[digit]}\n")
        parts += [f"### {rule.code} {rule.slug}\n\n{markdown(rule)}" for rule in group]
    return "\n".join(parts)


def markdown(rule: Rule) -> str:
    """What a rule finds, why, and an example of each side, in Markdown."""
    parts = [f"**{rule.title}** ({rule.severity.value}). {rule.why}\n"]
    for words, example in (("Reported", rule.bad), ("Not reported", rule.good)):
        if example:
            parts.append(f"{words}:\n\n```toml\n{dedent(example).strip()}\n```\n")
    return "\n".join(parts)


def meter_page(program: Program, meter: Meter) -> str:
    """How one number is computed, from the fields of an event to the view that holds it."""
    from meterspec.backends.manifest import lineage  # noqa: PLC0415

    facts = lineage(program, meter)
    lines = [f"{meter.name}: {' '.join((meter.description or meter.kind.value + ' meter').split())}", ""]
    for key in ("families", "ratio", "fields", "filter", "aggregate", "value", "window", "group_by"):
        if key in facts:
            lines += _fact(key, facts[key])
    lines += _fact("rounded", f"{meter.rounding.value} to {meter.precision} decimals, once")
    lines += _fact("unit", meter.unit or "-")
    lines += _fact("view", f"{meter.sql_name}.quantity in sql/<dialect>/meters.sql")
    lines += _passes(program, meter)
    return "\n".join(lines) + "\n"


def _passes(program: Program, meter: Meter) -> list[str]:
    """The passes over the events that a meter is counted in, the meters it shares them with, and its rollups."""
    from meterspec.backends.sql import parts_of, scans  # noqa: PLC0415

    lines = []
    parts = {part.name for part in parts_of(program, [meter])}
    grains = (None, CalendarUnit.DAY, CalendarUnit.HOUR)
    plain, *rolled = (
        [s for s in scans(program, program.meters, grain=grain) if _members(s) & parts] for grain in grains
    )
    for scan in plain:
        others = sorted(_members(scan) - {meter.name})
        lines += _fact(
            "scan", f"{scan.name}, one pass over the events" + (f" with {', '.join(others)}" if others else "")
        )
    possible = [scan.grain.value for passes in rolled for scan in passes if scan.grain is not None]
    words = " or ".join(f"--rollup {grain}" for grain in dict.fromkeys(possible))
    return lines + _fact("rollup", f"by `compile {words}`" if words else "none: its windows need the events")


def _members(scan: Scan) -> set[str]:
    return {meter.name for meter in scan.meters}


def _fact(key: str, value: object) -> list[str]:
    if key == "fields" and isinstance(value, list):
        words = [f"{field['name']} ({field['type']}{', ' + field['unit'] if field['unit'] else ''})" for field in value]
        return [f"  {key:<10} {', '.join(words)}"]
    if isinstance(value, list):
        return [f"  {key:<10} {', '.join(map(str, value)) or '-'}"]
    if isinstance(value, dict):
        return [f"  {key:<10} {', '.join(f'{k} {json.dumps(v)}' for k, v in value.items())}"]
    return [f"  {key:<10} {'-' if value is None else value}"]


if __name__ == "__main__":
    sys.stdout.write(rules_page())
