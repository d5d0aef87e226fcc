"""Bills and invoices as people and programs read them: tables for a terminal, JSON, and pages of HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from meterspec.ir import ADDITIVE, Meter, Scalar
from meterspec.pricing import Bill, Line, LineKind, line_json
from meterspec.render import Palette, day, instant, plain, printable, short, table
from meterspec.templates import render

if TYPE_CHECKING:
    from meterspec.invoicing import Charge, Invoice

__all__ = ["bill_text", "invoice_page", "invoices_json", "invoices_text", "page_name"]


def bill_text(bill: Bill, palette: Palette) -> str:
    """A bill as a table, a row for each line."""
    rows = [*map(_cells, bill.lines), ["total", "", "", "", plain(bill.amount)]]
    headers = ["line", "units", "quantity", "unit price", bill.currency]
    return table(headers, rows, frozenset({2, 3, 4}), palette)


def invoices_text(invoices: Sequence[Invoice], palette: Palette) -> str:
    """Each invoice as a table under a heading, the lines of a meter together."""
    parts = []
    for one in invoices:
        head = f"{printable(one.customer)}, {day(one.start)} to {day(one.end)}"
        rows = []
        for charge in one.charges:
            for number, line in enumerate(charge.bill.lines):
                rows.append([charge.meter.name if number == 0 else "", *_cells(line)])
        rows.append(["total", "", "", "", "", plain(one.amount)])
        headers = ["meter", "line", "units", "quantity", "unit price", one.currency]
        parts.append(f"{palette.paint(head, 'bold')}\n{table(headers, rows, frozenset({3, 4, 5}), palette)}")
    return "\n".join(parts) or "no invoices\n"


def invoices_json(invoices: Sequence[Invoice]) -> dict[str, object]:
    """Invoices as the document that `invoice --format json` prints."""
    return {"invoices": [_invoice_json(one) for one in invoices]}


def _invoice_json(invoice: Invoice) -> dict[str, object]:
    return {
        "customer_id": invoice.customer,
        "period_start": instant(invoice.start),
        "period_end": instant(invoice.end),
        "currency": invoice.currency,
        "lines": [
            {"meter": charge.meter.name, **line_json(line)} for charge in invoice.charges for line in charge.bill.lines
        ],
        "usage": [
            {
                "meter": charge.meter.name,
                "group": {name: plain(v) if isinstance(v, Decimal) else v for name, v in group.dimensions},
                "quantity": None if group.quantity is None else short(group.quantity),
                "unit": charge.meter.unit,
                "events": group.events,
            }
            for charge in invoice.charges
            for group in charge.groups
        ],
        "amount": plain(invoice.amount),
    }


def _cells(line: Line) -> list[str]:
    """A line as people read it: what it is for, of which units, how many, the price of one, the amount."""
    reach = ""
    if line.start is not None:
        reach = f"above {short(line.start)}" if line.end is None else f"{short(line.start)} to {short(line.end)}"
    is_counted = line.kind in {LineKind.USAGE, LineKind.CREDIT}
    counted = [short(line.quantity), short(line.unit_amount)] if is_counted else ["", ""]
    return [_what(line), reach, *counted, plain(line.amount)]


def _what(line: Line) -> str:
    """What a line is for, with the dimensions of its rate."""
    rate = ", ".join(f"{name} {_shown(value)}" for name, value in line.match)
    words = line.kind.value.replace("_", " ")
    return f"{words} ({rate})" if rate else words


def _shown(value: Scalar) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return plain(value) if isinstance(value, Decimal) else str(value)


# Pages ----------------------------------------------------------------------------------------------------------


def page_name(invoice: Invoice) -> str:
    """A file name for an invoice: its period, what of the customer's id can stand in a name, and a digest of it."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", invoice.customer).strip("-")[:40]
    key = f"{invoice.customer}\0{instant(invoice.start)}\0{instant(invoice.end)}\0{invoice.currency}"
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:8]
    parts = [f"{invoice.start:%Y-%m-%d}", readable, invoice.currency, digest]
    return "_".join(part for part in parts if part) + ".html"


def invoice_page(invoice: Invoice) -> str:
    """An invoice as one page of HTML that needs nothing else: the lines of each meter, and the usage behind them."""
    return render(
        "invoice/page.html.j2",
        customer=printable(invoice.customer),
        start=day(invoice.start),
        end=day(invoice.end),
        currency=invoice.currency,
        amount=plain(invoice.amount),
        charges=[_charge(charge) for charge in invoice.charges],
    )


def _charge(charge: Charge) -> dict[str, object]:
    meter, bill = charge.meter, charge.bill
    dimensions = meter.group_by[1:]
    return {
        "name": meter.name,
        "description": printable(meter.description or ""),
        "unit": printable(meter.unit or ""),
        "quantity": short(bill.quantity),
        "amount": plain(bill.amount),
        "balance": None if bill.balance is None else short(bill.balance),
        "lines": [[printable(cell) for cell in _cells(line)] for line in bill.lines],
        "dimensions": dimensions,
        "groups": [
            {
                "values": [printable(_shown(value)) for _, value in group.dimensions],
                "quantity": "-" if group.quantity is None else short(group.quantity),
                "events": group.events,
            }
            for group in charge.groups
        ],
        "rules": list(_rules(meter)),
    }


def _rules(meter: Meter) -> Iterator[str]:
    """How the lines of a meter came about, in words."""
    price = meter.price
    assert price is not None
    decimals = "a whole number" if meter.precision == 0 else f"{meter.precision} decimals"
    yield f"Quantities are exact, and rounded once, {meter.rounding.value.replace('_', ' ')} to {decimals}."
    if len(meter.group_by) > 1 and (meter.aggregate is None or meter.aggregate.function not in ADDITIVE):
        yield "What is billed is computed from the events of all groups at a rate: quantities of groups do not add."
    if price.included_units:
        yield f"{short(price.included_units)} units are included in the period."
    if price.package_size is not None:
        part = "a started one counts" if price.package_rounding.value == "up" else "only full ones count"
        yield f"Units are sold in packages of {short(price.package_size)}; {part}, and the lines count packages."
    if price.tiers[1:] or any(rate.tiers[1:] for rate in price.rates):
        graduated = price.tier_mode.value == "graduated"
        each = "Each unit has the price of its own tier." if graduated else "All units have the price of one tier."
        yield each
    yield "Each line is rounded once to what the currency is paid in; the amount is the sum of the lines."
