"""The catalogue of rules, collected from the modules that raise them, and the pages `explain` prints."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from textwrap import dedent, fill

import meterspec
from meterspec.diagnostics import Rule
from meterspec.ir import Meter, Program

__all__ = ["by_code", "meter_page", "page", "rules"]


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of the compiler, by code."""
    found: dict[str, Rule] = {}
    for module in walk_packages(meterspec.__path__, "meterspec."):
        if module.name == "meterspec.__main__":
            continue
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Rule):
                found[value.code] = value
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


def meter_page(program: Program, meter: Meter) -> str:
    """How one number is computed, from the fields of an event to the view that holds it."""
    from meterspec.backends.manifest import lineage  # noqa: PLC0415

    facts = lineage(program, meter)
    lines = [f"{meter.name}: {meter.description or meter.kind.value + ' meter'}", ""]
    for key in ("families", "ratio", "fields", "filter", "aggregate", "value", "window", "group_by"):
        if key in facts:
            lines += _fact(key, facts[key])
    lines += _fact("rounded", f"{meter.rounding.value} to {meter.precision} decimals, once")
    lines += _fact("unit", meter.unit or "-")
    lines += _fact("view", f"{meter.sql_name}.quantity in sql/<dialect>/meters.sql")
    return "\n".join(lines) + "\n"


def _fact(key: str, value: object) -> list[str]:
    if key == "fields" and isinstance(value, list):
        words = [f"{field['name']} ({field['type']}{', ' + field['unit'] if field['unit'] else ''})" for field in value]
        return [f"  {key:<10} {', '.join(words)}"]
    if isinstance(value, list):
        return [f"  {key:<10} {', '.join(map(str, value)) or '-'}"]
    if isinstance(value, dict):
        return [f"  {key:<10} {', '.join(f'{k} {json.dumps(v)}' for k, v in value.items())}"]
    return [f"  {key:<10} {'-' if value is None else value}"]
