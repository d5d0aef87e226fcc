"""A comparison on a terminal."""

from __future__ import annotations

from meterspec.diff import Impact
from meterspec.render import Palette, printable, table
from meterspec.reports.comparison import Comparison, Reported, movements
from meterspec.reports.words import (
    amount,
    customer_row,
    number_table,
    numbers_words,
    remarks,
    signed,
    summary,
    total_words,
)

__all__ = ["as_text"]

_COLOURS = {Impact.BREAKING: "red", Impact.REVIEW: "yellow", Impact.SAFE: "green"}
_MOST = 10
"""Rows of a table; the other forms have them all."""


def as_text(comparison: Comparison, palette: Palette) -> str:
    """The changes, worst first, and what they do to invoices and numbers."""
    parts = ["".join(_line(change, palette) for change in comparison.changes) + f"{summary(comparison.changes)}\n"]
    parts += _money(comparison, palette)
    return "\n".join(parts)


def _line(change: Reported, palette: Palette) -> str:
    verdict = change.verdict
    if change.approval is not None:
        head = palette.paint(f"approved[{verdict.code}]", "bold", "cyan")
        why = f" (until {change.approval.until}: {printable(change.approval.reason)})"
        return f"{head} {printable(verdict.message)}{why}\n"
    head = palette.paint(f"{verdict.impact.value}[{verdict.code}]", "bold", _COLOURS[verdict.impact])
    return f"{head} {printable(verdict.message)}\n"


def _money(comparison: Comparison, palette: Palette) -> list[str]:
    money = comparison.money
    if money is None:
        return []
    parts = []
    for movement in movements(money.invoices):
        total = movement.total
        head = palette.paint(f"invoices in {total.currency}", "bold")
        sums = f"{amount(total.before)} before, {amount(total.after)} after, {signed(total.difference)}"
        lines = f"{head}: {sums}; {total_words(total)}\n"
        if movement.movers:
            rows = [customer_row(one) for one in movement.movers[:_MOST]]
            headers = ["customer", "before", "after", "difference", "%"]
            lines += "\n" + table(headers, rows, frozenset({1, 2, 3, 4}), palette)
            lines += _more(len(movement.movers), "customer")
        parts.append(lines)
    for numbers in money.numbers:
        if numbers.moved:
            unit = f" ({numbers.unit})" if numbers.unit else ""
            headers, rows = number_table(numbers, _MOST)
            numeric = frozenset(range(len(headers) - 4, len(headers)))
            lines = f"{palette.paint(numbers.meter, 'bold')}{printable(unit)}: {numbers_words(numbers)}\n\n"
            parts.append(lines + table(headers, rows, numeric, palette) + _more(len(numbers.moved), "number"))
    still = [numbers.meter for numbers in money.numbers if not numbers.moved]
    if still:
        parts.append(f"every number is the same: {', '.join(still)}\n")
    parts += [f"{printable(line)}\n" for line in remarks(comparison)]
    return parts


def _more(count: int, noun: str) -> str:
    more = count - _MOST
    return f"and {more} more {noun}{'s' if more > 1 else ''}\n" if more > 0 else ""
