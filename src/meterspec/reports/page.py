"""A comparison as one HTML page with charts: nothing is loaded from elsewhere, and every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from meterspec.render import printable
from meterspec.reports.comparison import Comparison, Movement, Reported, movements
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
from meterspec.templates import render

if TYPE_CHECKING:
    from meterspec.money import Customer, Numbers

__all__ = ["as_page"]

_ROWS = 500
"""The most rows of a table."""
_BARS = 12
"""The most customers in the chart of those who move most."""
_WIDE = Context(prec=60)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar of a chart, in thousandths of its width: where it begins, how long it is, and what it says."""

    label: str
    value: str
    start: int
    length: int
    kind: str
    """`more`, `less` or `same`."""


def as_page(comparison: Comparison) -> str:
    """The page."""
    moved = movements(comparison.money.invoices) if comparison.money is not None else []
    numbers = [one for one in comparison.money.numbers if one.moved] if comparison.money is not None else []
    still = [one.meter for one in comparison.money.numbers if not one.moved] if comparison.money is not None else []
    return render(
        "reports/diff.html.j2",
        title=summary(comparison.changes),
        base=printable(comparison.base),
        changes=[_change(change) for change in comparison.changes],
        steps=[{"words": _pieces(step.words), "because": ", ".join(step.because)} for step in comparison.steps],
        currencies=[_currency(movement) for movement in moved],
        numbers=[_numbers(one) for one in numbers],
        still=still,
        rows=[printable(line) for line in remarks(comparison)],
        priced=comparison.money is not None,
    )


def _change(change: Reported) -> dict[str, object]:
    verdict, approval = change.verdict, change.approval
    place = change.place.span() if change.place is not None else None
    return {
        "impact": "approved" if approval is not None else verdict.impact.value,
        "code": verdict.code,
        "affects": verdict.affects.value,
        "message": _pieces(verdict.message),
        "why": verdict.rule.why,
        "where": printable(f"{place.source.name}:{place.begin.line}") if place is not None else "",
        "approval": printable(f"until {approval.until}: {approval.reason}") if approval is not None else "",
    }


def _pieces(text: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is code: what stands between backticks."""
    return [(piece, number % 2 == 1) for number, piece in enumerate(printable(text).split("`"))]


def _currency(movement: Movement) -> dict[str, object]:
    total = movement.total
    rows = [[printable(cell) for cell in customer_row(one)] for one in movement.movers[:_ROWS]]
    return {
        "name": total.currency,
        "before": amount(total.before),
        "after": amount(total.after),
        "difference": signed(total.difference),
        "words": total_words(total),
        "sums": _from_zero([("before", total.before, "same"), ("after", total.after, _kind(total.difference))]),
        "spread": _spread(movement.movers),
        "movers": _diverging([(one.name, one.difference) for one in movement.movers[:_BARS]]),
        "shares": _from_zero(
            [
                (words, Decimal(count), kind)
                for words, count, kind in (
                    ("pay more", total.more, "more"),
                    ("pay less", total.less, "less"),
                    ("pay the same", total.same, "same"),
                    ("pay for the first time", total.new, "more"),
                    ("pay nothing any more", total.gone, "less"),
                )
                if count
            ]
        ),
        "rows": rows,
        "more": len(movement.movers) - len(rows),
    }


def _numbers(numbers: Numbers) -> dict[str, object]:
    header, rows = number_table(numbers, _ROWS)
    return {
        "meter": numbers.meter,
        "unit": printable(numbers.unit or ""),
        "words": numbers_words(numbers),
        "header": header,
        "first": len(header) - 4,
        "rows": [[printable(cell) for cell in row] for row in rows],
        "more": len(numbers.moved) - len(rows),
    }


def _kind(difference: Decimal) -> str:
    return "more" if difference > 0 else "less" if difference < 0 else "same"


def _from_zero(values: Sequence[tuple[str, Decimal, str]]) -> list[_Bar]:
    """Bars from the left edge; a negative one has no length."""
    most = max((value for _, value, _ in values), default=Decimal(0))
    return [_Bar(label, amount(value), 0, _part(max(value, Decimal(0)), most), kind) for label, value, kind in values]


def _diverging(values: Sequence[tuple[str, Decimal]]) -> list[_Bar]:
    """Bars to the right for those who pay more, to the left for those who pay less, from a line between them."""
    up = max((value for _, value in values), default=Decimal(0)).max(Decimal(0))
    down = min((value for _, value in values), default=Decimal(0)).min(Decimal(0)).copy_abs()
    whole = _WIDE.add(up, down)
    zero = _part(down, whole)
    bars = []
    for label, value in values:
        length = _part(value.copy_abs(), whole)
        start = zero if value > 0 else max(0, zero - length)
        bars.append(_Bar(printable(label), signed(value), start, length, _kind(value)))
    return bars


_STEPS = (-50, -20, -10, -5, 0, 5, 10, 20, 50)


def _spread(movers: Sequence[Customer]) -> list[_Bar]:
    """How many customers pay more or less by which part; those without an invoice on one side have none."""
    counts = [0] * (len(_STEPS) + 1)
    for one in movers:
        if one.before is not None and one.after is not None and one.before > 0:
            change = _WIDE.divide(_WIDE.multiply(one.difference, Decimal(100)), one.before)
            counts[sum(change >= step if change > 0 else change > step for step in _STEPS)] += 1
    names = [f"{-_STEPS[0]}% less and below"]
    for low, high in pairwise(_STEPS):
        names.append(f"{-high} to {-low}% less" if high <= 0 else f"{low} to {high}% more")
    names.append(f"{_STEPS[-1]}% more and above")
    most = Decimal(max(counts))
    kinds = ["less" if number < len(counts) // 2 else "more" for number in range(len(counts))]
    return [
        _Bar(name, str(count), 0, _part(Decimal(count), most), kind)
        for name, count, kind in zip(names, counts, kinds, strict=True)
        if count
    ]


def _part(value: Decimal, most: Decimal) -> int:
    """A value in thousandths of the greatest; at least one where it is not zero."""
    if not most or not value:
        return 0
    return max(1, int(_WIDE.divide(_WIDE.multiply(value, Decimal(1000)), most)))
