"""Invoices of event files: what every customer owes for every period, with the usage behind each line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from meterspec.backends.sql import check_prices, parts
from meterspec.diagnostics import Diagnostics
from meterspec.events import Anchor, Cycle, EventFiles
from meterspec.ir import Function, Meter, Price, Program, Scalar
from meterspec.pricing import Bill, Unpriceable, price_groups, price_rates, rate_of
from meterspec.render import day
from meterspec.run import Result, Run, run
from meterspec.store import SealedEvents

__all__ = ["Charge", "Group", "Invoice", "Invoicing", "charges_of", "invoice"]

_ZERO = Decimal(0)
Period = tuple[str, datetime, datetime]
"""A customer, and the half-open stretch of time that is billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A quantity behind a bill, as `run` shows it."""

    dimensions: tuple[tuple[str, Scalar], ...]
    """Without the customer, who has the invoice."""
    quantity: Decimal | None
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one meter adds to an invoice."""

    meter: Meter
    bill: Bill
    groups: tuple[Group, ...] = ()
    """The usage behind it; none where nothing was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What one customer owes for one period in one currency; it has at least one line."""

    customer: str
    start: datetime
    end: datetime
    currency: str
    charges: tuple[Charge, ...]
    """In the order of the meters."""

    @property
    def amount(self) -> Decimal:
        first, *others = (charge.bill.amount for charge in self.charges)
        return sum(others, first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoicing:
    """Invoices by customer and period, and the run that they are made of."""

    run: Run
    invoices: list[Invoice] = field(default_factory=list)


def invoice(
    program: Program,
    events: Sequence[EventFiles | SealedEvents],
    out: Diagnostics,
    *,
    customer: str | None = None,
    as_of: datetime | None = None,
    begins: tuple[datetime | None, datetime | None] = (None, None),
    cycles: Sequence[Cycle] | Anchor = (),
    threads: int | None = None,
) -> Invoicing:
    """The invoices of all customers, or of one, for the periods that begin in `begins` and are due at `as_of`.

    Reports MS440 or MS442 for every customer and period with usage that has no price; such an invoice is left out as a
    whole. Reports MS65x for a price that cannot be computed, and then gives none. Raises `Failure` as `run` does.
    """
    billed = [meter for meter in program.meters if meter.price is not None]
    check_prices(program, billed, out)
    if out.has_errors:
        return Invoicing(run=Run(as_of=None))
    # What a prepaid balance is depends on all periods before, so every period is priced.
    done = run(
        program,
        events,
        out,
        meters=[meter.name for meter in billed],
        as_of=as_of,
        cycles=cycles,
        threads=threads,
        invoices=True,
    )
    results: dict[str, list[Result]] = defaultdict(list)
    for result in done.results:
        if customer is None or result.group[0][1] == customer:
            results[result.meter].append(result)
    charges: dict[tuple[str, datetime, datetime, str], list[Charge]] = defaultdict(list)
    unpriced: set[tuple[str, datetime, datetime, str]] = set()
    for meter in billed:
        if meter.name in done.skipped:
            continue
        due = [period for period in done.due.get(meter.name, []) if customer is None or period[0] == customer]
        for period, priced in charges_of(program, meter, results, due).items():
            key = (*period, _price(meter).currency)
            if isinstance(priced, Unpriceable):
                unpriced.add(key)
                if _selected(period, begins):
                    _report(meter, period, priced, out)
            elif priced.bill.lines:
                charges[key].append(priced)
    invoices = [
        Invoice(customer=who, start=start, end=end, currency=currency, charges=tuple(charges[key]))
        for key in sorted(charges)
        for who, start, end, currency in [key]
        if key not in unpriced and _selected((who, start, end), begins)
    ]
    return Invoicing(run=done, invoices=invoices)


def _selected(period: Period, begins: tuple[datetime | None, datetime | None]) -> bool:
    first, last = begins
    return (first is None or period[1] >= first) and (last is None or period[1] < last)


def _report(meter: Meter, period: Period, refusal: Unpriceable, out: Diagnostics) -> None:
    who, start, end = period
    hint = f"`{who}` has no invoice from {day(start)} to {day(end)} because of this usage of `{meter.name}`"
    if refusal.hint:
        hint = f"{refusal.hint}; {hint}"
    out.report(refusal.rule, at=_price(meter).origin, hint=hint, **refusal.facts)  # type: ignore[arg-type]


def _price(meter: Meter) -> Price:
    assert meter.price is not None
    return meter.price


def charges_of(
    program: Program, meter: Meter, results: Mapping[str, Sequence[Result]], due: Iterable[Period]
) -> dict[Period, Charge | Unpriceable]:
    """The charge of every customer and period of a billing meter, or why it has no price.

    `results` are those of the meter and of its `parts`, by their names; `due` are the periods owed for.
    """
    groups: dict[Period, list[Result]] = defaultdict(list)
    for result in results.get(meter.name, ()):
        groups[_period(result)].append(result)
    rates: dict[Period, dict[int | None, Decimal]] = defaultdict(dict)
    by_rate = parts(program, meter)
    for part in by_rate:
        for result in results.get(part.meter.name, ()):
            rates[_period(result)][part.rate] = result.quantity or _ZERO
    found: dict[Period, Charge | Unpriceable] = {}
    balances: dict[str, Decimal | Unpriceable] = {}
    price = _price(meter)
    known: dict[Decimal, Bill] = {}
    for period in sorted({*groups, *due}):
        usage = groups.get(period, [])
        balance = balances.get(period[0], _ZERO)
        # Most customers have one group; where many used the same, they owe the same.
        alone = (usage[0].quantity or _ZERO) if len(usage) == 1 else _ZERO
        simple = price.credits is None and not price.rates and len(usage) <= 1
        try:
            if isinstance(balance, Unpriceable):
                raise balance
            bill = known.get(alone) if simple else None
            if bill is None:
                bill = _bill(meter, usage, rates.get(period, {}) if by_rate else None, balance)
            if simple:
                known[alone] = bill
        except Unpriceable as refusal:
            found[period] = refusal
            if price.credits is not None and not isinstance(balance, Unpriceable):
                hint = f"it was used from {day(period[1])} to {day(period[2])}, and no balance is known since"
                balances[period[0]] = Unpriceable(refusal.rule, hint, **refusal.facts)
            continue
        if bill.balance is not None:
            balances[period[0]] = bill.balance
        behind = [Group(dimensions=one.group[1:], quantity=one.quantity, events=one.events) for one in usage]
        found[period] = Charge(meter=meter, bill=bill, groups=tuple(behind))
    return found


def _period(result: Result) -> Period:
    assert result.window_start is not None
    return str(result.group[0][1]), result.window_start, result.window_end


def _bill(
    meter: Meter, usage: Sequence[Result], by_rate: Mapping[int | None, Decimal] | None, balance: Decimal
) -> Bill:
    """The bill of one customer and period; `by_rate` are the quantities to bill where those of groups do not add."""
    price = _price(meter)
    groups = [(dict(result.group), result.quantity or _ZERO) for result in usage]
    if by_rate is not None:
        for dimensions, _ in groups:
            rate_of(price, dimensions)  # usage that no rate matches has no price
        return price_rates(price, by_rate, balance=balance)
    # A ratio does not add up either.
    function = meter.aggregate.function if meter.aggregate is not None else Function.AVG
    return price_groups(price, groups, function, balance=balance)
