"""What was judged about obligations, and how it came out: the values that the compliance manifest is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from meterspec.diagnostics import Rule
from meterspec.records import record
from meterspec.regimes import CLOCKS, Override, Regime, Registry

__all__ = ["Ask", "Assessment", "Control", "Period", "Residence", "Status"]


class Status(StrEnum):
    """How a rule came out for a subject."""

    PASS = "pass"  # noqa: S105 - a word, no secret
    FAIL = "fail"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"


@record(frozen=True, slots=True, kw_only=True)
class Control:
    """One rule, judged for one family, meter or sink."""

    rule: Rule
    subject: str
    status: Status
    compared: tuple[tuple[str, str], ...] = ()
    """The values that were compared, by name."""
    regimes: tuple[str, ...] = ()
    """The regimes that ask for it; none where the rule asks by itself."""
    message: str | None = None
    """What is wrong, where something is."""
    firm: bool = True
    """False where it rests on what nobody has verified, or what is not in force yet."""
    waiver: Override | None = None


@record(frozen=True, slots=True, kw_only=True)
class Ask:
    """How long one source asks for evidence to be kept."""

    source: str
    """`family NAME`, `meter NAME`, `regime NAME` or `override`."""
    months: int
    clock: str
    reference: str | None = None
    verified: bool = True
    loose: str | None = None
    """Why nothing rests on it: nobody has verified it, or it is not in force yet."""

    @property
    def reach(self) -> int:
        """The months from an event until it may go, at least, for the first event of a year."""
        return self.months + (0 if self.clock == CLOCKS[0] else 12)


@record(frozen=True, slots=True, kw_only=True)
class Period:
    """How long one class of evidence of a family or meter has to be kept, and which source won."""

    subject: str
    evidence: str
    asked: tuple[Ask, ...]
    """Every source that asks for it, at least one."""
    ceiling_months: int | None = None
    """The longest that personal data in it may be kept."""
    legal_hold: bool = False

    @property
    def won(self) -> Ask:
        """The source that asks for the most."""
        return max(self.asked, key=lambda one: (one.reach, CLOCKS.index(one.clock)))


@record(frozen=True, slots=True, kw_only=True)
class Residence:
    """Where something is kept, and whether the zones of its family permit that."""

    subject: str
    kind: str
    """`storage` or `sink`."""
    name: str
    """The sink, or the family whose events are stored."""
    country: str
    zones: tuple[str, ...]
    permitted: bool
    transfer: str | None = None


@dataclass(slots=True)
class Assessment:
    """A program judged by a registry on a day."""

    registry: Registry
    as_of: date
    as_of_source: str
    """Where the day comes from: `argument`, `spec` or `registry`."""
    regimes: dict[str, Regime] = field(default_factory=dict)
    """The regimes that the program names, by name."""
    controls: list[Control] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    residences: list[Residence] = field(default_factory=list)
    rules: tuple[Rule, ...] = ()
    """Every rule there is to judge by, by code."""
