"""What a rule is: one fact about one field of the IR, with its impact and what it shows in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from meterspec.diff.changes import Change

__all__ = ["Area", "ChangeRule", "Impact", "On", "Shown", "Test", "on"]


class Impact(StrEnum):
    """What a change does to those who are there already, worst first."""

    BREAKING = "breaking"
    REVIEW = "review"
    SAFE = "safe"


class Area(StrEnum):
    """What a change shows in."""

    INVOICES = "invoices"
    REPORTS = "reports"
    OBLIGATIONS = "obligations"
    """What is owed: to a law, or to a customer who was promised a limit."""
    ARTEFACTS = "artefacts"
    """The files that are compiled, by the names and columns others use."""
    EVENTS = "events"
    """Which events are accepted, and which of them are one."""


Test = Callable[[Change], bool]
"""What has to hold of a change."""


@dataclass(frozen=True, slots=True)
class On:
    """A field of the IR, and what has to hold of a change of it."""

    owner: type
    field: str
    tests: tuple[Test, ...] = ()


def on(owner: type, field: str, *tests: Test) -> tuple[On, ...]:
    """The changes of a field that pass every test; `on(...) + on(...)` is either."""
    return (On(owner, field, tests),)


class Shown(NamedTuple):
    """A change as a person makes it: two versions of lines in a table of a spec."""

    table: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """One thing that a change can mean. `explain CODE` and its documentation page are made from it."""

    code: str
    """`MD` and three digits, never reused. The first digit is the subject: 1 families and events, 2 meters and
    quantities, 3 prices, 4 caps and hooks, 5 compliance."""
    slug: str
    impact: Impact
    affects: Area | None
    """None where the meter decides: the invoices of a billing meter, the reports of any other."""
    title: str
    message: str
    """States the fact; the names in braces are those of `judge.facts`."""
    why: str
    applies: tuple[On, ...]
    mirror: tuple[str, ...] = ()
    """What the opposite change is called; empty where it is called the same."""
    example: Shown | None = None
    absent: str = "none"
    """What a value that is not there is called in the message."""
