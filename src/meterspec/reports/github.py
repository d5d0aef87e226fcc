"""A comparison in a job of GitHub Actions: its text in the log, and each change on the line where it stands."""

from __future__ import annotations

from pathlib import PurePath

from meterspec.diff import Impact
from meterspec.formats import ANNOTATIONS, annotation, fenced
from meterspec.render import Palette, printable
from meterspec.reports.comparison import Comparison, Reported
from meterspec.reports.text import as_text
from meterspec.source import Place

__all__ = ["as_github"]

_COMMANDS = {Impact.BREAKING: "error", Impact.REVIEW: "warning", Impact.SAFE: "notice"}


def as_github(comparison: Comparison, root: PurePath) -> str:
    """The log and its workflow commands; what was approved is a notice."""
    if not comparison.changes:
        return as_text(comparison, Palette())
    lines = fenced(as_text(comparison, Palette()))
    commands: dict[str, list[Reported]] = {command: [] for command in _COMMANDS.values()}
    for change in comparison.changes:
        commands["notice" if change.approval is not None else _COMMANDS[change.impact]].append(change)
    for command, changes in commands.items():
        for change in changes[:ANNOTATIONS]:
            words = printable(change.verdict.message)
            title = f"{change.verdict.code} {change.verdict.name}"
            if change.approval is not None:
                words = f"approved until {change.approval.until}: {printable(change.approval.reason)}: {words}"
            lines.append(annotation(command, _in_head(change), title, words, root))
        if len(changes) > ANNOTATIONS:
            more = len(changes) - ANNOTATIONS
            lines.append(f"{more} more {command}{'s' if more > 1 else ''} above: a step has {ANNOTATIONS} annotations")
    return "\n".join(lines) + "\n"


def _in_head(change: Reported) -> Place | None:
    """A line of the spec after; what is gone with all around it has none."""
    return change.verdict.after_place
