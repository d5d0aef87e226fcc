"""Bills and invoices as people and programs read them: tables for a terminal, JSON, and pages of HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from meterspec.ir import ADDITIVE, Function, Meter, Scalar
from meterspec.pricing import Bill, Line, LineKind, Unpriceable, line_json
from meterspec.pricing import as_json as bill_json
from meterspec.render import Palette, day, instant, plain, printable, short, table
from meterspec.templates import render

if TYPE_CHECKING:
    from meterspec.invoicing import Charge, Invoice
    from meterspec.tracing import Trace

__all__ = ["bill_text", "invoice_page", "invoices_json", "invoices_text", "page_name", "trace_json", "trace_text"]

ONE_VALUE = frozenset({Function.LAST, Function.FIRST, Function.MIN, Function.MAX})
"""The functions whose quantity is the value of one event, which is listed first."""


def bill_text(bill: Bill, palette: Palette) -> str:
    """A bill as a table, a row for each line, and the prepaid units that are left."""
    rows = [*map(_cells, bill.lines), ["total", "", "", "", plain(bill.amount)]]
    headers = ["line", "units", "quantity", "unit price", bill.currency]
    left = "" if bill.balance is None else f"prepaid units left for the next period: {short(bill.balance)}\n"
    return table(headers, rows, frozenset({2, 3, 4}), palette) + left


def invoices_text(invoices: Sequence[Invoice], palette: Palette) -> str:
    """Each invoice as a table under a heading, the lines of a meter together, and the prepaid units that are left."""
    parts = []
    for one in invoices:
        head = f"{printable(one.customer)}, {day(one.start)} to {day(one.end)}"
        rows = []
        for charge in one.charges:
            for number, line in enumerate(charge.bill.lines):
                rows.append([charge.meter.name if number == 0 else "", *_cells(line)])
        rows.append(["total", "", "", "", "", plain(one.amount)])
        headers = ["meter", "line", "units", "quantity", "unit price", one.currency]
        text = f"{palette.paint(head, 'bold')}\n{table(headers, rows, frozenset({3, 4, 5}), palette)}"
        for meter, balance in _balances(one):
            text += f"prepaid units of {meter.name} left for the next period: {short(balance)}\n"
        parts.append(text)
    return "\n".join(parts) or "no invoices\n"


def invoices_json(invoices: Sequence[Invoice]) -> dict[str, object]:
    """Invoices as the document that `invoice --format json` prints."""
    return {"invoices": [_invoice_json(one) for one in invoices]}


def _balances(invoice: Invoice) -> Iterator[tuple[Meter, Decimal]]:
    """The prepaid units that are left after an invoice, by meter."""
    for charge in invoice.charges:
        if charge.bill.balance is not None:
            yield charge.meter, charge.bill.balance


def _invoice_json(invoice: Invoice) -> dict[str, object]:
    """An invoice as its document; `balances` only where units are prepaid."""
    left = [
        {"meter": meter.name, "balance": short(balance), "unit": meter.unit} for meter, balance in _balances(invoice)
    ]
    return ({"balances": left} if left else {}) | {
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
                "group": {name: _json(value) for name, value in group.dimensions},
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
    return str(_json(value))


# Events behind a number ----------------------------------------------------------------------------------------


def trace_text(trace: Trace, palette: Palette) -> str:
    """The events behind a number, what they come to, and what that costs, for a terminal."""
    meter = trace.meter
    assert meter.aggregate is not None
    function = meter.aggregate.function
    groups = [name for name, _ in trace.events[0].group] if trace.events else []
    fields = [name for name, _ in trace.events[0].fields] if trace.events else []
    adds = "value" if function in ONE_VALUE or function is Function.AVG else "adds"
    several = len({event.family for event in trace.events}) > 1
    held = ["held"] if any(event.seconds is not None for event in trace.events) else []
    headers = [*(["family"] if several else []), "event", "time", *groups, *fields, *held, adds]
    rows = [
        [
            *([event.family] if several else []),
            event.id,
            instant(event.time),
            *(_shown(value) for _, value in (*event.group, *event.fields)),
            *([_span(event.seconds)] if event.seconds is not None else []),
            "-" if event.adds is None else _about(event.adds),
        ]
        for event in trace.events
    ]
    head = f"{meter.name} of {printable(trace.customer)}, {day(trace.start)} to {day(trace.end)}"
    parts = [palette.paint(head, "bold") + "\n"]
    if rows:
        numbers = frozenset({len(headers) - 1, *([len(headers) - 2] if held else [])})
        parts.append(table(headers, rows, numbers, palette))
    left = trace.kept - len(trace.events)
    if left:
        parts.append(f"and {left} more: `--limit {trace.kept}` lists them all\n")
    if trace.filtered:
        parts.append(
            f"{trace.filtered} in this period {'is' if trace.filtered == 1 else 'are'} left out by the filter\n"
        )
    unit = f" {printable(meter.unit)}" if meter.unit else ""
    totals = [
        [
            *(_shown(value) for _, value in group.dimensions),
            str(group.events),
            "-" if group.exact is None else _about(group.exact),
            "-" if group.quantity is None else f"{short(group.quantity)}{unit}",
        ]
        for group in trace.groups
    ]
    places = f"rounded {meter.rounding.value.replace('_', ' ')} to {meter.precision} decimals"
    headers = [
        *(name for name in meter.group_by if name in _dimensions(trace)),
        "events",
        f"exact {function.value}",
        places,
    ]
    if totals:
        parts.append("\n" + table(headers, totals, frozenset(range(len(headers) - 3, len(headers))), palette))
    else:
        parts.append("no event in this period is behind a number\n")
    if isinstance(trace.charge, Unpriceable):
        parts.append(f"\nno price: {printable(str(trace.charge))}\n")
    elif trace.charge is not None:
        if len(trace.groups) > 1 and function not in ADDITIVE:
            parts.append("the quantities of groups do not add: what is billed comes from the events of all at a rate\n")
        parts.append("\n" + bill_text(trace.charge.bill, palette))
    return "".join(parts)


def _dimensions(trace: Trace) -> set[str]:
    return {name for group in trace.groups for name, _ in group.dimensions}


def trace_json(trace: Trace) -> dict[str, object]:
    """The document that `explain METER --customer ID --format json` prints; exact numbers are decimals or fractions."""
    charge = trace.charge if not isinstance(trace.charge, Unpriceable) else None
    return {
        "meter": trace.meter.name,
        "customer_id": trace.customer,
        "window_start": None if trace.start is None else instant(trace.start),
        "window_end": instant(trace.end),
        "events": [
            {
                "family": event.family,
                "id": event.id,
                "time": instant(event.time),
                "group": {name: _json(value) for name, value in event.group},
                "fields": {name: _json(value) for name, value in event.fields},
                "adds": None if event.adds is None else _exact(event.adds),
                "seconds": None if event.seconds is None else _exact(event.seconds),
            }
            for event in trace.events
        ],
        "kept": trace.kept,
        "filtered": trace.filtered,
        "groups": [
            {
                "group": {name: _json(value) for name, value in group.dimensions},
                "events": group.events,
                "exact": None if group.exact is None else _exact(group.exact),
                "quantity": None if group.quantity is None else short(group.quantity),
            }
            for group in trace.groups
        ],
        "rounding": trace.meter.rounding.value,
        "precision": trace.meter.precision,
        "unit": trace.meter.unit,
        "bill": None if charge is None else _bill_json(charge),
        "finding": {"code": trace.charge.rule.code, "message": str(trace.charge)}
        if isinstance(trace.charge, Unpriceable)
        else None,
    }


def _bill_json(charge: Charge) -> dict[str, object]:
    assert charge.meter.price is not None
    return bill_json(charge.meter.name, charge.meter.price, charge.bill)


def _json(value: Scalar) -> object:
    if isinstance(value, datetime):
        return instant(value)
    return plain(value) if isinstance(value, Decimal) else value


def _exact(number: Fraction) -> str:
    """A number as a decimal, or where it has no end as a fraction."""
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    places = max(twos, fives)
    return short(Decimal(f"{number.numerator * (10**places // number.denominator)}E-{places}"))


def _about(number: Fraction) -> str:
    """A number with at most 12 decimals; that there are more is said."""
    text = _exact(number)
    if "/" not in text and len(text.partition(".")[2]) <= _DECIMALS:
        return text
    cut = int(abs(number) * 10**_DECIMALS)
    sign = "-" if number < 0 else ""
    return f"{sign}{cut // 10**_DECIMALS}.{cut % 10**_DECIMALS:0{_DECIMALS}d}…"


_DECIMALS = 12


def _span(seconds: Fraction) -> str:
    """A stretch of time in hours, minutes and seconds."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}" + (f".{int(rest % 1 * 10**6):06d}" if rest % 1 else "")


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
