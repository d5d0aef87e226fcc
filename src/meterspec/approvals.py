"""`meterspec.approvals.toml`: changes that are made on purpose, each by its rule, for a reason, until a date.

An approval names one change by what `diff` prints of it: the rule, the place, and both values. A price that is raised
once more is another change. Dates are judged against a day that the caller gives, never against a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeGuard

from meterspec.diagnostics import Diagnostics, Rule, Severity, did_you_mean
from meterspec.diff import RULES, UNKNOWN, Verdict
from meterspec.source import Place
from meterspec.spec import toml

__all__ = ["NAME", "Approval", "apply", "read", "written"]

NAME = "meterspec.approvals.toml"

BAD_APPROVAL = Rule(
    code="MS045",
    slug="bad-approval",
    title="An approval that names no change",
    message="{fault}",
    why="An approval lets a change pass that would be stopped, so it says exactly which one, why, and until when.",
)
UNUSED_APPROVAL = Rule(
    code="MS046",
    slug="unused-approval",
    title="An approval of a change that is not made",
    message="there is no change {change} by {code} for this approval",
    why="What is approved and not made waits for a change that nobody looked at.",
    severity=Severity.WARNING,
)
EXPIRED_APPROVAL = Rule(
    code="MS047",
    slug="expired-approval",
    title="An approval whose day is past",
    message="the approval of {change} ended on {until}, before {today}",
    why="A reason that held for some time has to be looked at again; the change counts as if nobody had approved it.",
    severity=Severity.WARNING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One change that may be made."""

    rule: str
    """The code of the rule that judges it."""
    change: str
    """Where it is: the subject and the path, `calls:billing.base_fee`; the subject alone for the subject itself."""
    before: str | None
    """The values, in the words of the diff; None where there is none."""
    after: str | None
    reason: str
    until: date
    """The last day on which it holds."""
    origin: Place

    def covers(self, verdict: Verdict) -> bool:
        own = (verdict.code, change_of(verdict), verdict.before, verdict.after)
        return own == (self.rule, self.change, self.before, self.after)


_TEXTS = ("rule", "change", "before", "after", "reason")
_NEEDED = ("rule", "change", "reason", "until")
_KEYS = (*_TEXTS, "until")


def change_of(verdict: Verdict) -> str:
    """What tells a change from others: its subject and path."""
    return f"{verdict.subject}:{verdict.path}".removesuffix(":")


def read(name: str, data: bytes, out: Diagnostics) -> list[Approval]:
    """The approvals of a file; reports MS045, and MS1xx for what is not TOML."""
    parsed = toml.read(name, data, out)
    if parsed is None:
        return []
    source, values = parsed
    top = Place(source)
    for key in values:
        if key != "approvals":
            out.report(
                BAD_APPROVAL,
                at=(top / key).key(),
                fault=f"`{key}` is nothing that an approvals file has",
                hint=did_you_mean(key, ["approvals"]) or "each approval is a table `[[approvals]]`",
            )
    listed = values.get("approvals", [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        hint = "write `[[approvals]]` above each"
        out.report(BAD_APPROVAL, at=top / "approvals", fault="`approvals` is no list of tables", hint=hint)
        return []
    found = [_approval(entry, top / "approvals" / number, out) for number, entry in enumerate(listed)]
    return [approval for approval in found if approval is not None]


def _approval(entry: dict[str, object], at: Place, out: Diagnostics) -> Approval | None:
    before = len(out)

    def fault(words: str, place: Place, hint: str | None = None) -> None:
        out.report(BAD_APPROVAL, at=place, fault=words, hint=hint)

    for key, value in entry.items():
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"its keys are {', '.join(f'`{known}`' for known in _KEYS)}"
            fault(f"an approval has no `{key}`", (at / key).key(), hint)
        elif key in _TEXTS and not isinstance(value, str):
            fault(f"`{key}` is no text", at / key, "write it in quotes, as `meterspec diff --format json` does")
    for key in _NEEDED:
        if key not in entry:
            fault(f"an approval needs `{key}`", at, f"its keys are {', '.join(f'`{known}`' for known in _KEYS)}")
    rule, reason, until = entry.get("rule"), entry.get("reason"), entry.get("until")
    codes = [known.code for known in (*RULES, UNKNOWN)]
    if isinstance(rule, str) and rule not in codes:
        fault(f"no rule of a change is `{rule}`", at / "rule", "`meterspec diff` prints the code of each change")
    if isinstance(reason, str) and not reason.strip():
        fault("`reason` is empty", at / "reason", "say why this change is meant")
    if until is not None and not _is_day(until):
        fault("`until` is no date", at / "until", "write the last day on which it holds: until = 2026-12-31")
    if len(out) > before:
        return None
    assert _is_day(until)
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    return Approval(
        rule=texts["rule"],
        change=texts["change"],
        before=texts.get("before"),
        after=texts.get("after"),
        reason=texts["reason"],
        until=until,
        origin=at,
    )


def _is_day(value: object) -> TypeGuard[date]:
    return isinstance(value, date) and not isinstance(value, datetime)


def apply(
    approvals: Sequence[Approval], verdicts: Sequence[Verdict], today: date, out: Diagnostics
) -> list[Approval | None]:
    """For each change its approval, where it has one on this day; reports MS046 and MS047 for the others."""
    approved: list[Approval | None] = [None] * len(verdicts)
    for approval in approvals:
        covered = [number for number, verdict in enumerate(verdicts) if approval.covers(verdict)]
        change = f"`{approval.change}`"
        if approval.until < today:
            hint = "take it out" if not covered else "take the change back, or give it a reason and a date again"
            out.report(
                EXPIRED_APPROVAL, at=approval.origin, hint=hint, change=change, until=approval.until, today=today
            )
            continue
        if not covered:
            near = next((verdict for verdict in verdicts if change_of(verdict) == approval.change), None)
            hint = "take it out, or mend what it says"
            if near is not None:
                hint = f"the change there is by {near.code}, from {_quoted(near.before)} to {_quoted(near.after)}"
            out.report(UNUSED_APPROVAL, at=approval.origin, hint=hint, change=change, code=approval.rule)
        for number in covered:
            approved[number] = approved[number] or approval
    return approved


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else f'"{value}"'


def written(verdict: Verdict) -> str:
    """The approval of a change as it is to be written; the reason and the day are left to a person."""
    import json  # noqa: PLC0415 - a text of JSON is one of TOML, but for DEL

    texts = {"rule": verdict.code, "change": change_of(verdict), "before": verdict.before, "after": verdict.after}
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in texts.items() if value is not None}
    lines = [f"{key} = {value}".replace("\x7f", "\\u007f") for key, value in quoted.items()]
    return "\n".join(["[[approvals]]", *lines, 'reason = ""', "until = # the last day on which it holds"]) + "\n"
