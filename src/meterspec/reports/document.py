"""A comparison for other programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from meterspec.diff import as_json as changes_json
from meterspec.ir import Scalar
from meterspec.render import instant, plain, short
from meterspec.reports.comparison import Comparison, Reported, movements

if TYPE_CHECKING:
    from meterspec.events import Quality
    from meterspec.money import Invoice, Numbers

__all__ = ["as_document"]


def as_document(comparison: Comparison) -> dict[str, object]:
    """The document of `diff --format json`: what the contract of the command line says, and what belongs to it."""
    document = changes_json(change.verdict for change in comparison.changes)
    entries = zip(document["changes"], comparison.changes, strict=True)
    document["changes"] = [entry | _place(change) | {"approved": _approval(change)} for entry, change in entries]
    document["steps"] = [
        {"action": step.action.value, "subject": step.subject, "words": step.words, "because": list(step.because)}
        for step in comparison.steps
    ]
    document["base"] = comparison.base
    money = comparison.money
    document["as_of"] = instant(money.as_of) if money is not None and money.as_of is not None else None
    document["money"] = [_invoice(invoice) for invoice in money.invoices] if money is not None else []
    document["totals"] = [
        {
            "currency": total.currency,
            "before": plain(total.before),
            "after": plain(total.after),
            "difference": plain(total.difference),
            "customers": {key: getattr(total, key) for key in ("more", "less", "same", "new", "gone")},
        }
        for total in (movement.total for movement in (movements(money.invoices) if money is not None else []))
    ]
    document["numbers"] = [_numbers(numbers) for numbers in money.numbers] if money is not None else []
    document["events"] = [
        {"family": rows.family, "before": _quality(rows.before), "after": _quality(rows.after)}
        for rows in (money.rows if money is not None else ())
    ]
    document["skipped"] = list(money.skipped) if money is not None else []
    return document


def _place(change: Reported) -> dict[str, object]:
    if change.place is None:
        return {"file": None, "line": None}
    span = change.place.span()
    return {"file": span.source.name, "line": span.begin.line}


def _approval(change: Reported) -> dict[str, object] | None:
    if change.approval is None:
        return None
    return {"reason": change.approval.reason, "until": change.approval.until.isoformat()}


def _invoice(invoice: Invoice) -> dict[str, object]:
    return {
        "customer_id": invoice.customer,
        "period_start": instant(invoice.start),
        "period_end": instant(invoice.end),
        "currency": invoice.currency,
        "before": _amount(invoice.before),
        "after": _amount(invoice.after),
        "difference": plain(invoice.difference),
        "meters": [
            {"meter": one.meter, "before": _amount(one.before), "after": _amount(one.after)} for one in invoice.meters
        ],
    }


def _numbers(numbers: Numbers) -> dict[str, object]:
    return {
        "meter": numbers.meter,
        "unit": numbers.unit,
        "same": numbers.same,
        "moved": [
            {
                "window_start": _moment(number.window[0]),
                "window_end": _moment(number.window[1]),
                "group": {name: _scalar(value) for name, value in number.group},
                "before": _quantity(number.before),
                "after": _quantity(number.after),
                "difference": _quantity(number.difference),
            }
            for number in numbers.moved
        ],
    }


def _quality(quality: Quality | None) -> dict[str, object] | None:
    return None if quality is None else {key: value for key, value in asdict(quality).items() if key != "family"}


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _quantity(value: Decimal | None) -> str | None:
    return None if value is None else short(value)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _scalar(value: Scalar) -> object:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return instant(value)
        case _:
            return value
