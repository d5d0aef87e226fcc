"""What an event holds, exactly: values, instants in whole microseconds, months of the calendar, rounding."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from meterspec import ir

__all__ = [
    "EPOCH",
    "MICROSECOND",
    "SECOND",
    "Event",
    "Value",
    "add_months",
    "as_decimal",
    "micros",
    "moment",
    "rounded",
]

Value = None | bool | int | Fraction | str
"""None is a missing value; a timestamp is microseconds since 1970-01-01 UTC, a duration is microseconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
"""A second in microseconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted event: its roles, and the value of every field of its family."""

    family: str
    id: str
    time: int
    customer: str | None
    values: Mapping[str, Value]


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; an instant without an offset is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND


def moment(at: int) -> datetime:
    """The instant, as a datetime in UTC."""
    return EPOCH + at * MICROSECOND


def add_months(at: datetime, months: int) -> datetime:
    """The same day and time, months later, or the month's last day where it has no such day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


def rounded(exact: Fraction | int, decimals: int, mode: ir.Rounding) -> Fraction:
    """The number with so many decimals; all modes but half_even go by magnitude."""
    whole, rest = divmod(abs(exact) * 10**decimals, 1)
    match mode:
        case ir.Rounding.HALF_UP:
            away = rest >= Fraction(1, 2)
        case ir.Rounding.HALF_EVEN:
            away = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
        case ir.Rounding.UP:
            away = rest > 0
        case ir.Rounding.DOWN:
            away = False
    magnitude = Fraction(whole + away, 10**decimals)
    return -magnitude if exact < 0 else magnitude


def as_decimal(number: Fraction | int, decimals: int) -> Decimal:
    """A number that has no more than so many decimals, written with all of them."""
    scaled = Fraction(number) * 10**decimals
    assert scaled.denominator == 1, f"{number} has more than {decimals} decimals"
    return Decimal(f"{scaled.numerator}E-{decimals}")
