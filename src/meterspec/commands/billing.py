"""The commands that price what was used: `price` and `invoice`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from meterspec.commands.counting import computed
from meterspec.commands.shared import BAD_ARGUMENT, day, meter_of, one_of, palette_of, program_of, stop_on_errors
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.project import collect
from meterspec.render import Palette, as_json, instant, plain, short, table

if TYPE_CHECKING:
    from meterspec.ir import Meter, Price, Program, Scalar
    from meterspec.pricing import Bill
    from meterspec.run import Run

__all__ = ["invoice", "price"]

NO_PRICE = Rule(
    code="MS007",
    slug="no-price",
    title="A meter without a price where one is needed",
    message="meter `{meter}` has no price",
    why="Only a billing meter has a price.",
)

NOTHING_TO_INVOICE = Rule(
    code="MS008",
    slug="nothing-to-invoice",
    title="A spec without a billing meter where invoices are asked for",
    message="no meter of the spec has a price",
    why="An invoice is made of the prices of billing meters.",
)


def invoice(
    paths: Sequence[str],
    events: Sequence[str],
    customer: str | None,
    begins: tuple[str | None, str | None],
    format: str,
) -> None:
    """Prices what customers used, by period."""
    program, out = program_of(collect(paths))
    billed = [meter.name for meter in program.meters if meter.price is not None]
    if not billed:
        raise Failure(NOTHING_TO_INVOICE)
    done = computed(program, out, events, billed, None, begins)
    invoices = _invoices(program, done, customer, out)
    stop_on_errors(out)
    if format == "json":
        sys.stdout.write(as_json({"invoices": [_invoice_json(entry) for entry in invoices]}))
    else:
        _write_invoices(invoices)


def price(arguments: Sequence[str], match: Sequence[str], format: str) -> None:
    """Prices a quantity of one meter, line by line."""
    from meterspec.pricing import Unpriceable, price_usage  # noqa: PLC0415
    from meterspec.pricing import as_json as bill_json  # noqa: PLC0415

    *paths, name, amount = arguments
    program, out = program_of(collect(paths))
    meter = meter_of(program, name)
    if meter.price is None:
        raise Failure(NO_PRICE, meter=name, hint="meters with one are of kind `billing`")
    try:
        quantity = Decimal(amount)
    except InvalidOperation:
        quantity = Decimal("nan")
    if not quantity.is_finite():
        raise Failure(BAD_ARGUMENT, argument="QUANTITY", value=amount, reason=": it is not a number")
    try:
        bill = price_usage(meter.price, quantity, _match(program, meter, match))
    except Unpriceable as refusal:
        out.report(refusal.rule, at=meter.price.origin, hint=refusal.hint, **refusal.facts)  # type: ignore[arg-type]
        stop_on_errors(out)
        raise
    if format == "json":
        sys.stdout.write(as_json(bill_json(name, meter.price, bill)))
    else:
        sys.stdout.write(_bill_table(meter.price, bill, palette_of(sys.stdout)))


def _invoices(program: Program, done: Run, customer: str | None, out: Diagnostics) -> list[_Invoice]:
    """One invoice a customer, period and currency, each with the bill of every meter that has usage in it."""
    from meterspec.pricing import Unpriceable, price_groups  # noqa: PLC0415

    usage: dict[tuple[str, datetime, datetime, str], list[tuple[dict[str, Scalar], Decimal]]] = {}
    for result in done.results:
        who = str(result.group[0][1])
        if result.quantity is None or result.window_start is None or (customer is not None and who != customer):
            continue
        key = (who, result.window_start, result.window_end, result.meter)
        usage.setdefault(key, []).append((dict(result.group), result.quantity))
    invoices: dict[tuple[str, datetime, datetime, str], _Invoice] = {}
    for (who, start, end, name), groups in sorted(usage.items()):
        meter = program.meter(name)
        assert meter.price is not None and meter.aggregate is not None
        try:
            bill = price_groups(meter.price, groups, meter.aggregate.function)
        except Unpriceable as refusal:
            out.report(refusal.rule, at=meter.price.origin, hint=refusal.hint, **refusal.facts)  # type: ignore[arg-type]
            continue
        key = (who, start, end, bill.currency)
        invoices.setdefault(key, _Invoice(who, start, end, bill.currency)).bills.append((meter, bill))
    return list(invoices.values())


class _Invoice:
    """What one customer owes for one period in one currency."""

    def __init__(self, customer: str, start: datetime, end: datetime, currency: str) -> None:
        self.customer = customer
        self.start = start
        self.end = end
        self.currency = currency
        self.bills: list[tuple[Meter, Bill]] = []

    @property
    def amount(self) -> Decimal:
        first, *others = (bill.amount for _, bill in self.bills)
        return sum(others, first)


def _invoice_json(invoice: _Invoice) -> dict[str, object]:
    return {
        "customer_id": invoice.customer,
        "period_start": instant(invoice.start),
        "period_end": instant(invoice.end),
        "currency": invoice.currency,
        "lines": [
            {
                "meter": meter.name,
                "quantity": short(line.quantity),
                "amount": plain(line.amount),
                "kind": line.kind.value,
            }
            for meter, bill in invoice.bills
            for line in bill.lines
        ],
        "amount": plain(invoice.amount),
    }


def _write_invoices(invoices: Sequence[_Invoice]) -> None:
    palette = palette_of(sys.stdout)
    headers = ["customer", "from", "to", "meter", "line", "quantity", "unit price", "amount", ""]
    rows = []
    for invoice in invoices:
        head = [invoice.customer, day(invoice.start), day(invoice.end)]
        for meter, bill in invoice.bills:
            for line in bill.lines:
                cells = [short(line.quantity), short(line.unit_amount), plain(line.amount), invoice.currency]
                rows.append([*head, meter.name, line.kind.value.replace("_", " "), *cells])
                head = ["", "", ""]
        rows.append(["", "", "", "", "total", "", "", plain(invoice.amount), invoice.currency])
    sys.stdout.write(table(headers, rows, frozenset({5, 6, 7}), palette))


def _bill_table(price: Price, bill: Bill, palette: Palette) -> str:
    rows = []
    for line in bill.lines:
        reach = ""
        if line.start is not None:
            reach = (
                f"{short(line.start)} to {short(line.end)}" if line.end is not None else f"above {short(line.start)}"
            )
        cells = [short(line.quantity), short(line.unit_amount), plain(line.amount)]
        rows.append([line.kind.value.replace("_", " "), reach, *cells])
    rows.append(["total", "", "", "", plain(bill.amount)])
    headers = ["line", "units", "quantity", "unit price", bill.currency]
    return table(headers, rows, frozenset({2, 3, 4}), palette)


def _match(program: Program, meter: Meter, match: Sequence[str]) -> dict[str, Scalar]:
    """The dimensions that `--match name=value` arguments give, each of its field's type."""
    dimensions: dict[str, Scalar] = {}
    fields = {field.name: field for family in program.families_of(meter) for field in family.fields}
    for argument in match:
        name, _, text = argument.partition("=")
        one_of("--match", name, meter.group_by)
        kind = fields[name].type.value
        try:
            value: Scalar = {"integer": int, "decimal": Decimal, "float": Decimal}.get(kind, str)(text)
        except (ValueError, InvalidOperation):
            raise Failure(BAD_ARGUMENT, argument="--match", value=argument, reason=f": `{name}` is {kind}") from None
        dimensions[name] = text == "true" if kind == "boolean" else value
    return dimensions
