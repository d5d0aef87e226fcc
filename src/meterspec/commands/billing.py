"""The commands that price what was used: `price` and `invoice`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.counting import cycles_argument, say_losses, say_notes
from meterspec.commands.shared import (
    BAD_ARGUMENT,
    MISSING_ARGUMENT,
    counted,
    instant_argument,
    meter_of,
    number,
    one_of,
    palette_of,
    program_of,
    stop_on_errors,
    window_argument,
)
from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.ir import FieldType
from meterspec.project import collect
from meterspec.render import Palette, as_json, printable

if TYPE_CHECKING:
    from meterspec.invoicing import Invoice
    from meterspec.ir import Meter, Program, Scalar

__all__ = ["invoice", "price", "trace"]

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


NOT_ONE_PAGE = Rule(
    code="MS030",
    slug="not-one-page",
    title="A page for an invoice where there is not exactly one",
    message="a page is for one invoice, and there are {number}",
    why="Each customer gets a page without anything about another.",
)


def invoice(
    paths: Sequence[str],
    events: Sequence[str],
    customer: str | None,
    begins: tuple[str | None, str | None],
    as_of: str | None,
    cycles: tuple[str | None, str | None],
    format: str | None,
    output: str | None,
    threads: int | None,
) -> None:
    """Prices what customers used, by period; `cycles` are `--cycles` and `--cycle-anchor`."""
    from meterspec.invoicing import invoice as make  # noqa: PLC0415
    from meterspec.store import find  # noqa: PLC0415

    format = _format_of(format, output)
    program, out = program_of(collect(paths))
    if all(meter.price is None for meter in program.meters):
        raise Failure(NOTHING_TO_INVOICE)
    moment = instant_argument("--as-of", as_of)
    start, end = window_argument(("--from", "--to"), begins)
    done = make(
        program,
        find(program, events),
        out,
        customer=customer,
        as_of=moment,
        begins=(start, end),
        cycles=cycles_argument(cycles),
        threads=threads,
    )
    say_notes(done.run, moment)
    say_losses(done.run)
    if customer is not None and not done.invoices and not out.has_errors:
        known = {period[0] for due in done.run.due.values() for period in due}
        near = None if customer in known else did_you_mean(customer, sorted(known))
        sys.stderr.write(f"customer {printable(customer)} owes nothing here{f': {printable(near)}' if near else ''}\n")
    _write_invoices(done.invoices, format, output)
    stop_on_errors(out)


def _format_of(format: str | None, output: str | None) -> str:
    """How invoices are written: as asked for, or as the name of the file says."""
    ending = Path(output).suffix.lower().removeprefix(".") if output is not None else ""
    if format is None and output is not None and ending in {"csv", "parquet"}:
        hint = "name it .json, .html or .txt, or take the rows of `invoices.sql`"
        raise Failure(BAD_ARGUMENT, argument="--out", value=output, reason=f": invoices are no {ending}", hint=hint)
    return format or {"json": "json", "html": "html", "htm": "html"}.get(ending, "table")


def _write_invoices(invoices: Sequence[Invoice], format: str, output: str | None) -> None:
    """Writes invoices to standard output, a file or, as pages, a folder."""
    from meterspec.artifacts import write_file  # noqa: PLC0415
    from meterspec.statements import invoice_page, invoices_json, invoices_text, page_name  # noqa: PLC0415

    if format == "html":
        is_file = output is None or Path(output).suffix.lower() in {".html", ".htm"}
        if is_file and len(invoices) != 1:
            hint = "name a folder with `--out`, or choose one invoice with `--customer`, `--from` and `--to`"
            raise Failure(NOT_ONE_PAGE, number=len(invoices), hint=hint)
        if output is None:
            sys.stdout.write(invoice_page(invoices[0]))
            return
        pages = {page_name(one): invoice_page(one) for one in invoices}
        files = [(Path(output), next(iter(pages.values())))] if is_file else []
        for path, text in files or [(Path(output) / name, text) for name, text in pages.items()]:
            write_file(path, text.encode())
    else:
        palette = palette_of(sys.stdout) if output is None else Palette()
        text = as_json(invoices_json(invoices)) if format == "json" else invoices_text(invoices, palette)
        if output is None:
            sys.stdout.write(text)
            return
        write_file(Path(output), text.encode())
    sys.stderr.write(f"{counted(len(invoices), 'invoice')} in {printable(output)}\n")


def price(arguments: Sequence[str], match: Sequence[str], format: str) -> None:
    """Prices a quantity of one meter, line by line."""
    from meterspec.pricing import Unpriceable, price_usage  # noqa: PLC0415
    from meterspec.pricing import as_json as bill_json  # noqa: PLC0415

    *paths, name, amount = arguments
    program, out = program_of(collect(paths))
    meter = meter_of(program, name)
    if meter.price is None:
        raise Failure(NO_PRICE, meter=name, hint="meters with one are of kind `billing`")
    quantity = number(amount)
    if quantity is None:
        hint = "write digits, and a point before decimals: 1000, 12.5"
        raise Failure(BAD_ARGUMENT, argument="QUANTITY", value=amount, reason=": it is not a plain number", hint=hint)
    try:
        bill = price_usage(meter.price, quantity, _match(program, meter, match))
    except Unpriceable as refusal:
        out.report(refusal.rule, at=meter.price.origin, hint=refusal.hint, **refusal.facts)  # type: ignore[arg-type]
        stop_on_errors(out)
        raise
    if format == "json":
        sys.stdout.write(as_json(bill_json(name, meter.price, bill)))
    else:
        from meterspec.statements import bill_text  # noqa: PLC0415

        sys.stdout.write(bill_text(bill, palette_of(sys.stdout)))


def trace(
    subject: str,
    paths: Sequence[str],
    events: Sequence[str],
    customer: str | None,
    period: str | None,
    limit: int,
    as_of: str | None,
    cycles: tuple[str | None, str | None],
    format: str,
) -> None:
    """Prints the events behind a customer's number of a meter, and what it costs."""
    from meterspec.statements import trace_json, trace_text  # noqa: PLC0415
    from meterspec.store import find  # noqa: PLC0415
    from meterspec.tracing import trace as find_events  # noqa: PLC0415

    if not customer:
        hint = "say whose number it is: `--customer ID`"
        raise Failure(MISSING_ARGUMENT, argument="--customer", reason="a number is of one customer", hint=hint)
    if not events:
        hint = "name the event files with `--events`"
        raise Failure(MISSING_ARGUMENT, argument="--events", reason="nothing is to be read", hint=hint)
    program, out = program_of(collect(paths))
    meter = meter_of(program, subject)
    start, _, end = (period or "").partition("/")
    moment = instant_argument("--as-of", as_of)
    found = find_events(
        program,
        meter,
        find(program, events),
        out,
        customer=customer,
        period=window_argument(("--period", "--period"), (start or None, end or None)),
        limit=limit,
        as_of=moment,
        cycles=cycles_argument(cycles),
    )
    stop_on_errors(out)
    assert found is not None
    say_notes(found.run, moment)
    say_losses(found.run)
    sys.stdout.write(as_json(trace_json(found)) if format == "json" else trace_text(found, palette_of(sys.stdout)))


def _match(program: Program, meter: Meter, match: Sequence[str]) -> dict[str, Scalar]:
    """The dimensions that `--match name=value` arguments give, each of its field's type."""
    dimensions: dict[str, Scalar] = {}
    fields = {field.name: field for family in program.families_of(meter) for field in family.fields}
    for argument in match:
        name, given, text = argument.partition("=")
        one_of("--match", name, meter.group_by)
        kind = fields[name].type
        if not given:
            raise _bad_match(argument, "it has no `=` and value")
        if name in dimensions:
            raise _bad_match(argument, f"`{name}` is given twice")
        if (value := _dimension(kind, text)) is None:
            raise _bad_match(argument, f"`{name}` is {kind.value}")
        dimensions[name] = value
    return dimensions


def _dimension(kind: FieldType, text: str) -> Scalar:
    """The value that a text is for a field of this type; None where it is none."""
    match kind:
        case FieldType.BOOLEAN:
            return {"true": True, "false": False}.get(text)
        case FieldType.INTEGER:
            whole = number(text)
            return int(whole) if whole is not None and whole == whole.to_integral_value() else None
        case FieldType.DECIMAL | FieldType.FLOAT:
            return number(text)
        case _:
            return text


def _bad_match(argument: str, reason: str) -> Failure:
    return Failure(BAD_ARGUMENT, argument="--match", value=argument, reason=f": {reason}")
