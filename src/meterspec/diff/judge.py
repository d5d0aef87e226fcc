"""From two programs to verdicts: each change with its rule, said in the user's own names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from meterspec.diff.changes import Change, Step, find
from meterspec.diff.rules import Area, ChangeRule, Impact, rule_of
from meterspec.diff.words import field_type, reads_the_same, text, with_types
from meterspec.ir import (
    Example,
    ExpectedRow,
    Family,
    Field,
    Meter,
    MeterKind,
    Price,
    Program,
    Rate,
    Statement,
    Term,
    Tier,
)
from meterspec.source import Place

__all__ = ["Verdict", "as_json", "diff", "facts", "renamed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A change and what it means."""

    rule: ChangeRule
    change: Change
    affects: Area
    message: str
    before: str | None
    """The value in words; None where there was none."""
    after: str | None

    @property
    def code(self) -> str:
        return self.rule.code

    @property
    def name(self) -> str:
        return self.rule.slug

    @property
    def impact(self) -> Impact:
        return self.rule.impact

    @property
    def subject(self) -> str:
        return self.change.subject

    @property
    def path(self) -> str:
        return self.change.path

    @property
    def before_place(self) -> Place | None:
        return self.change.before_place

    @property
    def after_place(self) -> Place | None:
        return self.change.after_place


def diff(before: Program, after: Program) -> list[Verdict]:
    """What changes between two programs, breaking changes first, then in the order of the program after."""
    order = _subjects(before) | _subjects(after)  # what is gone comes where it was
    position = {subject: number for number, subject in enumerate(_subjects(after) | order)}
    impacts = list(Impact)

    def place(verdict: Verdict) -> tuple[int, int, list[tuple[bool, str | int]]]:
        subject = (verdict.change.route[0].field, verdict.subject)
        keys = [(isinstance(key, str), key) for key in verdict.change.keys]
        return impacts.index(verdict.impact), position.get(subject, len(position)), keys

    return sorted((_judge(change) for change in find(before, after)), key=place)


def as_json(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The document of `diff --format json`."""
    verdicts = list(verdicts)
    return {
        "changes": [
            {
                "code": verdict.code,
                "name": verdict.name,
                "impact": verdict.impact.value,
                "affects": verdict.affects.value,
                "subject": verdict.subject,
                "path": verdict.path,
                "before": verdict.before,
                "after": verdict.after,
                "message": verdict.message,
            }
            for verdict in verdicts
        ],
        "summary": {impact.value: sum(verdict.impact is impact for verdict in verdicts) for impact in Impact},
        "money": [],
    }


def renamed(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The new names of families and meters by their old ones."""
    names = [
        verdict.change for verdict in verdicts if verdict.change.field == "name" and len(verdict.change.route) == 2
    ]
    return {str(change.before): str(change.after) for change in names}


def facts(change: Change, before: str, after: str) -> dict[str, str]:
    """What the message of a rule may name."""
    price = change.new(Price) or change.old(Price)
    keys = [key for key in change.keys if isinstance(key, str)]
    return {
        "where": _where(change),
        "subject": change.subject,
        "key": keys[-1] if keys else change.field,
        "before": before,
        "after": after,
        "per": "package" if price is not None and price.package_size is not None else "unit",
        "currency": price.currency if price is not None else "",
        "interval": price.interval.value if price is not None else "",
        "bound": _bound_by(change),
        "more": ", ".join(_more(change.before, change.after)),
        "fewer": ", ".join(_more(change.after, change.before)),
    }


def _more(few: object, many: object) -> list[str]:
    """What one of two lists of names has that the other has not."""
    if not isinstance(few, tuple) or not isinstance(many, tuple):
        return []
    return [f"`{name}`" for name in many if isinstance(name, str) and name not in few]


def _judge(change: Change) -> Verdict:
    rule = rule_of(change)
    before, after = _shown(change)
    named = facts(change, rule.absent if before is None else before, rule.absent if after is None else after)
    return Verdict(
        rule=rule,
        change=change,
        affects=rule.affects or _area(change),
        message=rule.message.format(**named),
        before=before,
        after=after,
    )


def _shown(change: Change) -> tuple[str | None, str | None]:
    """Both values in words, so that they differ wherever the values do."""
    if (change.owner, change.field) == (Tier, "up_to"):
        return _bound(change.before), _bound(change.after)
    if (change.owner, change.field) == (Field, "type"):
        old, new = change.old(Field), change.new(Field)
        assert old is not None
        assert new is not None
        return field_type(old), field_type(new)
    if reads_the_same(change.before, change.after):
        return with_types(change.before), with_types(change.after)
    if (change.owner, change.field) == (Family, "table"):
        return _table(change.before), _table(change.after)
    return _text(change.before), _text(change.after)


def _text(value: object) -> str | None:
    return None if value is None else text(value)


def _table(parts: object) -> str | None:
    return ".".join(parts) if isinstance(parts, tuple) else None


def _bound(up_to: object) -> str:
    return "infinity" if up_to is None else text(up_to)


def _area(change: Change) -> Area:
    """Where the change of a meter shows; that of a family shows in its events."""
    meters = (change.new(Meter), change.old(Meter), change.after, change.before)
    kinds = [meter.kind for meter in meters if isinstance(meter, Meter)]
    if not kinds:
        return Area.EVENTS
    return Area.INVOICES if MeterKind.BILLING in kinds else Area.REPORTS


_KINDS = {"families": "family ", "meters": "meter ", "regimes": "regime ", "zones": "zone ", "leaves": "the leave of "}


def _bound_by(change: Change) -> str:
    """The families and meters that name the regime or zone of a change: "`calls` and `traffic`"."""
    if change.route[0].field not in {"regimes", "zones"}:
        return ""
    program, name = change.new(Program), change.subject
    assert program is not None
    bound = [(family.name, family.compliance) for family in program.families]
    bound += [(meter.name, meter.compliance) for meter in program.meters]
    said = [one for one, own in bound if name in (*own.regulatory_regimes, *own.jurisdiction)]
    shown = [f"`{one}`" for one in said[:_MOST]] + ([f"{len(said) - _MOST} more"] if len(said) > _MOST else [])
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""


_MOST = 5
"""Families and meters that are named where a regime binds many."""


def _where(change: Change) -> str:
    """What changed, from the inside out: "tier 1 of `agent-hours-billing`"."""
    steps = [step for step in change.route[1:] if step.item is not None and not isinstance(step.item, Statement)]
    things = [_thing(step) for step in steps]
    if things:
        return " of ".join([*reversed(things), f"`{change.subject}`"])
    kind = _KINDS.get(change.route[0].field, "")
    return f"{kind}`{change.subject}`"


def _thing(step: Step) -> str:
    number = (step.at[0] if step.at[1] is None else step.at[1]) or 0
    match step.item:
        case Field(name=name):
            return f"field `{name}`"
        case Example(name=name):
            return f"test `{name}`"
        case Rate(match=match):
            return f"the rate for {text(match)}"
        case Tier():
            return f"tier {number + 1}"
        case ExpectedRow():
            return f"row {number + 1}"
        case Term(name=name):
            return f"evidence `{name}`"
        case _:
            return f"{step.field} {number + 1}"


def _subjects(program: Program) -> dict[tuple[str, str], None]:
    names = [("families", family.name) for family in program.families]
    return dict.fromkeys([*names, *(("meters", meter.name) for meter in program.meters)])
