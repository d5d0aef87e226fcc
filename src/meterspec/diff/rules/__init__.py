"""What a change means: a table of rules, each one fact about one field of the IR.

`rule` says what a rule is, `conditions` and `cost` what can hold of a change, and the table itself is a module per
subject: `events`, `meters`, `prices`, `caps`, `compliance`, `registry`. The first rule that fits a change judges it.
What none fits is MD000 and waits for a person: nothing is safe by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from meterspec.diff.changes import Change
from meterspec.diff.rules import caps, compliance, events, meters, prices, registry
from meterspec.diff.rules.rule import Area, ChangeRule, Impact, Shown, Test

__all__ = ["RULES", "UNKNOWN", "Area", "ChangeRule", "Impact", "Shown", "rule_of"]

UNKNOWN = ChangeRule(
    "MD000",
    "unknown-change",
    Impact.REVIEW,
    None,
    title="A change that no rule knows",
    message="{where}: `{key}` is {after}, was {before}",
    why="Nothing is taken for safe because nobody thought of it; a person decides.",
    applies=(),
)


def _complete() -> Iterator[ChangeRule]:
    """Every rule; one without an example shows that of its mirror, read backwards."""
    table = (*events.RULES, *meters.RULES, *prices.RULES, *caps.RULES, *compliance.RULES, *registry.RULES)
    shown = {rule.code: rule.example for rule in table}
    for rule in table:
        example = next((shown[code] for code in rule.mirror if shown[code]), None)
        if rule.example is None and example is not None:
            yield replace(rule, example=Shown(example.table, example.after, example.before))
        else:
            yield rule


RULES = tuple(_complete())
"""Every rule but `UNKNOWN`; where two fit a change, the one that comes first judges it."""

_BY_FIELD: dict[tuple[type, str], list[tuple[tuple[Test, ...], ChangeRule]]] = {}
for _rule in RULES:
    for _on in _rule.applies:
        _BY_FIELD.setdefault((_on.owner, _on.field), []).append((_on.tests, _rule))


def rule_of(change: Change) -> ChangeRule:
    """The rule that judges a change; `UNKNOWN` where none fits."""
    for tests, rule in _BY_FIELD.get((change.owner, change.field), ()):
        if all(test(change) for test in tests):
            return rule
    return UNKNOWN
