"""Rules, and what they find: a `Rule` is one object beside the code that raises it, a `Diagnostic` one finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from meterspec.records import record
from meterspec.source import Place

__all__ = [
    "Diagnostic",
    "Diagnostics",
    "Edit",
    "Failure",
    "Rule",
    "Severity",
    "certainly",
    "corrections",
    "did_you_mean",
]


class Severity(StrEnum):
    """How much a finding matters: an error stops the compiler, a warning and a hint do not."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@record(frozen=True, slots=True, kw_only=True)
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


@record(frozen=True, slots=True)
class Edit:
    """A repair that is certain to be what its author meant: what stands at a place becomes a text.

    At a key the text is the name instead, inside a text it is characters of that text, elsewhere it is TOML.
    """

    at: Place
    text: str
    adds: bool = False
    """Whether the place is that of an entry which is absent; it gets the text, in TOML, as its value."""


@record(frozen=True, slots=True, kw_only=True)
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
    firm: bool = True
    """False where it rests on what nobody has verified, or what is not in force yet: never more than a warning, unless
    the project sets its level."""

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
        firm: bool = True,
        **facts: Any,
    ) -> None:
        """Adds one finding; `facts` fill the names in the rule's message. One that is not firm is no error."""
        is_held = not firm and rule.severity is Severity.ERROR
        self.found.append(
            Diagnostic(
                rule=rule,
                message=rule.message.format(**facts),
                severity=Severity.WARNING if is_held else rule.severity,
                at=at,
                hint=hint,
                related=tuple(related),
                edits=tuple(edits),
                firm=firm,
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
    by_fold = {k.lower(): k for k in known}
    if meant := certainly(name, by_fold.values()):
        return f"did you mean `{meant}`?"
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - 7 ms, only once something is wrong

    typed = name.lower()
    near = get_close_matches(typed, by_fold, n=3, cutoff=0.6)
    if not near:
        return None
    # Of names equally near, the one with the same letters: two of them were typed the wrong way round.
    best = max(near, key=lambda k: (SequenceMatcher(None, k, typed).ratio(), sorted(k) == sorted(typed)))
    return f"did you mean `{by_fold[best]}`?"


def certainly(name: str, known: Iterable[str]) -> str | None:
    """The one known name that a misspelt name can only mean; None where there is none, or there are two.

    They differ in their separators and capitals, or by one letter of a word that is long enough to tell: `duratin_ms`
    is `duration_ms`, but `carbon_t` may well not be `carbon_g`.
    """
    near = [each for each in dict.fromkeys(known) if _is_slip(name.lower(), each.lower())]
    return near[0] if len(near) == 1 else None


def corrections(at: Place, name: str, known: Iterable[str], *, quoted: bool = False) -> tuple[Edit, ...]:
    """The repair of a misspelt name, where it is certain; `quoted` where it is a value of TOML."""
    meant = certainly(name, known)
    if meant is None or (quoted and ('"' in meant or "\\" in meant or not meant.isprintable())):
        return ()
    return (Edit(at, f'"{meant}"' if quoted else meant),)


_SEPARATORS = re.compile(r"(?<![0-9])[\W_]+|[\W_]+(?![0-9])")
"""Between words; what separates two numbers, as in `v1_1`, tells it from `v11`."""


def _is_slip(typed: str, meant: str) -> bool:
    words, others = _SEPARATORS.split(typed), _SEPARATORS.split(meant)
    if "".join(words) == "".join(others):
        return True
    differ = [(one, other) for one, other in zip(words, others, strict=False) if one != other]
    if len(words) != len(others) or len(differ) != 1:
        return False
    one, other = differ[0]
    if max(len(one), len(other)) < _TELLING:
        return False
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    turned = len(one) == 2 and one == other[::-1]
    return (turned or max(len(one), len(other)) == 1) and (one + other).isalpha()


_TELLING = 4
"""Letters of a word that has no other word one letter away by chance."""
