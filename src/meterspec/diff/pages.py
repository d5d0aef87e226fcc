"""The page of a change rule: what it says, why, and an example before and after; and the table of all rules.

`python -m meterspec.diff.pages` prints the table, as it stands in docs/diff.md.
"""

from __future__ import annotations

import sys
from itertools import groupby
from textwrap import fill, indent

from meterspec.diff.rules import RULES, UNKNOWN, ChangeRule

__all__ = ["by_code", "page", "rules_table"]

_SUBJECTS = {
    "1": "Families and events",
    "2": "Meters and quantities",
    "3": "Prices",
    "4": "Caps and hooks",
    "5": "Compliance",
}
"""What the first digit of a code stands for."""


def by_code(code: str) -> ChangeRule | None:
    """The rule with a code, or with a name such as `tier-price-raised`."""
    return next((rule for rule in (*RULES, UNKNOWN) if code.lower() in {rule.code.lower(), rule.slug}), None)


def page(rule: ChangeRule) -> str:
    """What the change means and what it shows in; a rule without an example shows that of its mirror, reversed."""
    affects = rule.affects.value if rule.affects else "invoices of a billing meter, reports of any other"
    parts = [
        f"{rule.code} {rule.slug} ({rule.impact.value})\n\n{rule.title}.\n\n{fill(rule.why, 100)}\n",
        f"Shows in: {affects}.\n",
    ]
    before_after = _example(rule)
    for words, lines in zip(("Before", "After"), before_after, strict=False):
        parts.append(f"{words}:\n\n{indent(lines.strip(), '    ')}\n")
    if rule.mirror:
        parts.append(f"The opposite change: {', '.join(rule.mirror)}.\n")
    return "\n".join(parts)


def rules_table() -> str:
    """Every rule in Markdown: a table a subject, a row a code."""
    parts = []
    for digit, group in groupby(sorted(RULES, key=lambda rule: rule.code), lambda rule: rule.code[2]):
        rows = [
            f"| {rule.code} | `{rule.slug}` | {rule.impact.value} | {_area(rule)} | {rule.title} |" for rule in group
        ]
        head = ["| code | name | impact | shows in | change |", "| --- | --- | --- | --- | --- |"]
        parts.append("\n".join([f"### MD{digit}xx: {_SUBJECTS[digit]}\n", *head, *rows]) + "\n")
    return "\n".join(parts)


def _area(rule: ChangeRule) -> str:
    return rule.affects.value if rule.affects else "invoices or reports"


def _example(rule: ChangeRule) -> tuple[str, ...]:
    if rule.example is not None:
        return rule.example.before, rule.example.after
    mirrors = [by_code(name) for name in rule.mirror]
    shown = next((m.example for m in mirrors if m is not None and m.example is not None), None)
    return (shown.after, shown.before) if shown is not None else ()


if __name__ == "__main__":
    sys.stdout.write(rules_table())
