"""Rules, and what they find: a `Rule` is one object beside the code that raises it, a `Diagnostic` one finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from meterspec.source import Place

__all__ = ["Diagnostic", "Diagnostics", "Edit", "Failure", "Rule", "Severity", "did_you_mean"]


class Severity(StrEnum):
    """How much a finding matters: an error stops the compiler, a warning and a hint do not."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing the compiler can say. `explain CODE`, its documentation page and two tests are made from it."""

    code: str
    """`MS` and three digits, never reused. The first digit is the phase: 0 command, 1 shape, 2 names and meters,
    3 expressions, 4 money, 5 compliance, 6 what a target can express, 7 events."""
    slug: str
    """The same in words; reads well after "allow"."""
    title: str
    message: str
    """States the fact with the user's own names, which stand in braces."""
    why: str
    bad: str = ""
    """The shortest spec that has exactly this finding."""
    good: str = ""
    """The same spec without it."""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Edit:
    """A repair: replace what stands at a place by a text."""

    at: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding at one place; `hint` says what to type."""

    rule: Rule
    message: str
    severity: Severity
    at: Place | None = None
    hint: str | None = None
    related: tuple[tuple[Place, str], ...] = ()
    """Other places that explain the finding, each with a few words."""
    edits: tuple[Edit, ...] = ()

    @property
    def code(self) -> str:
        return self.rule.code


class Failure(Exception):  # noqa: N818 - not an error of the program: the command could not do its job
    """The command cannot do its job; the one diagnostic it carries says why. It ends the process with exit code 2."""

    def __init__(self, rule: Rule, at: Place | None = None, hint: str | None = None, **facts: object) -> None:
        self.diagnostic = Diagnostic(
            rule=rule, message=rule.message.format(**facts), severity=Severity.ERROR, at=at, hint=hint
        )
        super().__init__(self.diagnostic.message)


@dataclass(slots=True)
class Diagnostics:
    """Collects findings; every phase reports into one and carries on."""

    found: list[Diagnostic] = field(default_factory=list)

    def report(
        self,
        rule: Rule,
        *,
        at: Place | None,
        hint: str | None = None,
        related: Iterable[tuple[Place, str]] = (),
        edits: Iterable[Edit] = (),
        **facts: object,
    ) -> None:
        """Adds one finding; `facts` fill the names in the rule's message."""
        self.found.append(
            Diagnostic(
                rule=rule,
                message=rule.message.format(**facts),
                severity=rule.severity,
                at=at,
                hint=hint,
                related=tuple(related),
                edits=tuple(edits),
            )
        )

    def extend(self, others: Iterable[Diagnostic]) -> None:
        self.found.extend(others)

    @property
    def has_errors(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self.found)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint naming the known name nearest to a misspelt one; None where nothing is near."""
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - 7 ms, only once something is wrong

    by_fold = {k.lower(): k for k in known}
    typed = name.lower()
    near = get_close_matches(typed, by_fold, n=3, cutoff=0.6)
    if not near:
        return None
    # Of names equally near, the one with the same letters: two of them were typed the wrong way round.
    best = max(near, key=lambda k: (SequenceMatcher(None, k, typed).ratio(), sorted(k) == sorted(typed)))
    return f"did you mean `{by_fold[best]}`?"
