"""What there is to say about two specs: their changes, who approved them, what they cost, and how to ship them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from meterspec.approvals import Approval
from meterspec.diff import Impact, Kind, Verdict
from meterspec.migration import Step
from meterspec.source import Place

if TYPE_CHECKING:
    from meterspec.money import Customer, Invoice, Money, Number, Total

__all__ = ["Comparison", "Movement", "Reported", "counts", "moved_first", "movements", "percent"]


@dataclass(frozen=True, slots=True)
class Reported:
    """A change as it is reported: what it means, and the approval that it is made by."""

    verdict: Verdict
    approval: Approval | None = None

    @property
    def impact(self) -> Impact:
        return self.verdict.impact

    @property
    def place(self) -> Place | None:
        """Where it stands now, or the nearest thing around it; for what is gone with all around it, where it was."""
        gone = self.verdict.change.kind is Kind.REMOVED and self.verdict.path == ""
        return self.verdict.before_place if gone else self.verdict.after_place or self.verdict.before_place


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two specs compared."""

    base: str
    """What the spec before is called."""
    changes: tuple[Reported, ...]
    """Breaking ones first."""
    steps: tuple[Step, ...] = ()
    """How to ship them, in this order."""
    money: Money | None = None
    """None where no events were given."""

    def open(self) -> list[Reported]:
        """The changes that nobody approved."""
        return [change for change in self.changes if change.approval is None]


@dataclass(frozen=True, slots=True)
class Movement:
    """One currency: its totals, and the customers whose invoices differ, by how much."""

    total: Total
    movers: tuple[Customer, ...]


def movements(invoices: Sequence[Invoice]) -> list[Movement]:
    """What happens in each currency, in alphabetical order."""
    from meterspec.money import customers, totals  # noqa: PLC0415 - the engine, where there is money alone

    each = customers(invoices)
    return [
        Movement(total, tuple(one for one in each if one.currency == total.currency and one.before != one.after))
        for total in totals(each)
    ]


def moved_first(numbers: Sequence[Number]) -> list[Number]:
    """Numbers that differ, those by most first; what has no difference, since it is new or gone, comes last."""
    known = [number for number in numbers if number.difference is not None]
    known.sort(key=lambda one: (one.difference or _ZERO).copy_abs(), reverse=True)
    return known + [number for number in numbers if number.difference is None]


def counts(changes: Sequence[Reported]) -> Iterator[tuple[str, int]]:
    """How many changes there are of each impact, approved ones apart."""
    for impact in Impact:
        yield impact.value, sum(change.impact is impact and change.approval is None for change in changes)
    yield "approved", sum(change.approval is not None for change in changes)


_ZERO, _TENTH = Decimal(0), Decimal("0.1")
_WIDE = Context(prec=100, rounding=ROUND_HALF_UP)


def percent(before: Decimal | None, after: Decimal | None) -> str:
    """The difference in percent, rounded to a tenth; nothing where it is none or has no percentage."""
    if before is None or after is None or not before:
        return ""
    part = _WIDE.multiply(_WIDE.divide(_WIDE.subtract(after, before), abs(before)), Decimal(100))
    return f"{part.quantize(_TENTH, context=_WIDE):+f}%"
