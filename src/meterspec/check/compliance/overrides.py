"""Overrides: whether each names a rule that there is, counts on the day, and is needed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule, Severity, did_you_mean

__all__ = ["check_overrides"]

UNKNOWN_RULE = Rule(
    code="MS592",
    slug="override-of-unknown-rule",
    title="An override of a rule that does not exist, or is none of compliance",
    message="no rule of compliance is called `{broken}`",
    why="Leave to break a rule names the rule, so that whoever reads it later can look it up.",
)
OUT_OF_TIME = Rule(
    code="MS593",
    slug="override-out-of-time",
    title="An override that does not count on the day",
    message="the override of `{broken}` for `{subject}`, approved by {approver}, {fault}, and this is judged by "
    "{as_of}",
    why="Leave ends on its day. Until somebody renews it, the rule counts as it stands.",
)
NO_DAY = Rule(
    code="MS594",
    slug="override-without-a-day",
    title="An override, and no day to judge it by",
    message="there is an override of `{broken}` for `{subject}`, and no day is stated that it is judged by",
    why="The clock of a machine is no input: the same files would give another answer tomorrow.",
)
UNUSED = Rule(
    code="MS595",
    slug="unused-override",
    title="An override of what is not broken",
    message="nothing about `{subject}` breaks `{broken}`",
    why="What it was for is mended, or is called something else now. Left alone it would cover the next breach.",
    severity=Severity.WARNING,
)


def check_overrides(judge: Judge, broken: Collection[str]) -> None:
    """Reports MS592 to MS595; `broken` are the codes of rules that can be overridden, with their names."""
    for number, (override, at) in enumerate(judge.registry.overrides):
        facts: dict[str, Any] = {"broken": override.rule, "subject": override.subject}
        if override.rule not in broken:
            hint = did_you_mean(override.rule, broken) or "write a code such as `MS510`, or the name of its rule"
            judge.out.report(UNKNOWN_RULE, at=at / "rule", hint=hint, broken=override.rule)
            continue
        if judge.done.as_of_source == "registry":
            hint = "write `[compliance]` with `as_of`, a date; `validate` and `compile` take `--as-of` as well"
            judge.out.report(NO_DAY, at=at / "expires_on", hint=hint, **facts)
            continue
        more: dict[str, Any] = {"approver": override.approver, "as_of": judge.as_of}
        if override.expires_on <= judge.as_of:
            fault = f"expired on {override.expires_on}"
            judge.out.report(OUT_OF_TIME, at=at / "expires_on", fault=fault, **facts, **more)
        elif override.approved_on > judge.as_of:
            fault = f"counts from {override.approved_on}"
            judge.out.report(OUT_OF_TIME, at=at / "approved_on", fault=fault, **facts, **more)
        elif number not in judge.used:
            judge.out.report(UNUSED, at=at / "subject", hint="remove it", **facts)
