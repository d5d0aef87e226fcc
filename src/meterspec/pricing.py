"""The pricing engine: what a quantity costs, line by line, in exact decimals.

`price_usage` prices one quantity; `price_groups` and `price_rates` price what one customer used in a period under
several rates; `as_json` writes a bill down. The rules stand in words in `docs/pricing.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from enum import StrEnum

from meterspec.currencies import digits
from meterspec.diagnostics import Rule
from meterspec.ir import ADDITIVE, Function, Price, PriceModel, Rounding, Scalar, Tier, TierMode

__all__ = [
    "Bill",
    "Line",
    "LineKind",
    "Unpriceable",
    "as_json",
    "line_json",
    "price_groups",
    "price_rates",
    "price_usage",
    "rate_of",
]

NEGATIVE_QUANTITY = Rule(
    code="MS440",
    slug="negative-quantity",
    title="A negative quantity that is to be priced",
    message="a quantity of {quantity} has no price: it is negative",
    why="A price says what is owed for usage. What a customer gets back is a credit note, which has rules of its own.",
)
BAD_QUANTITY = Rule(
    code="MS441",
    slug="bad-quantity",
    title="A number that no meter gives as its quantity",
    message="{quantity} is not a quantity: it {fault}",
    why="A quantity has at most 38 digits, 12 of them decimals; that is what every engine keeps exactly.",
)
UNMATCHED_USAGE = Rule(
    code="MS442",
    slug="unmatched-usage",
    title="Usage that no rate matches",
    message="no rate is for usage with {dimensions}, and the price has no default",
    why="Usage without a price would be free by accident.",
)
NOT_ADDITIVE = Rule(
    code="MS443",
    slug="not-additive",
    title="Groups whose quantities cannot be added",
    message="the {function} of several groups is not the sum of theirs",
    why="A distinct count or an average of all groups comes from the events; adding results would count things twice.",
)

_ZERO = Decimal(0)
_NO_DIMENSIONS: Mapping[str, Scalar] = {}

_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation, Overflow])
"""Raises rather than lose a digit; a quantity times an amount needs about a hundred."""
_HALF_UP = Context(prec=1000, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])
"""Ties go away from zero."""


class Unpriceable(Exception):  # noqa: N818 - what it carries is a finding about the usage
    """The usage has no price; a rule, MS440 to MS443, and its facts say why."""

    def __init__(self, rule: Rule, hint: str | None = None, **facts: object) -> None:
        super().__init__(rule.message.format(**facts))
        self.rule = rule
        self.hint = hint
        self.facts = facts


class LineKind(StrEnum):
    """What a line is for."""

    USAGE = "usage"
    """The units of a tier, included units, or units drawn from prepaid ones."""
    FLAT_FEE = "flat_fee"
    """The fee for entering a tier."""
    BASE_FEE = "base_fee"
    """The fee of the period."""
    MINIMUM = "minimum"
    """What the usage costs less than the minimum."""
    MAXIMUM = "maximum"
    """What the usage costs more than the maximum, negative."""
    CREDIT = "credit"
    """Packs of prepaid units that are bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a bill: `amount` is `quantity` times `unit_amount`, rounded once, to the currency's minor unit."""

    kind: LineKind
    start: Decimal | None = None
    """Where the units of the line begin, or the packages where the price has a package size."""
    end: Decimal | None = None
    """Where they end, included. None for the open tier, and with `start` for a line without a tier."""
    quantity: Decimal
    """Units, packages or packs; 1 for a fee."""
    unit_amount: Decimal
    """In major units of the currency, exact."""
    amount: Decimal
    """In major units, with the decimals of the currency."""
    match: tuple[tuple[str, Scalar], ...] = ()
    """The dimensions of the rate that the line is priced at; empty for the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one customer owes for one meter and period."""

    currency: str
    quantity: Decimal
    """All units, at whatever rate."""
    lines: tuple[Line, ...]
    amount: Decimal
    """The sum of the lines."""
    balance: Decimal | None = None
    """Prepaid units that are left for the next period; None where the price is not prepaid."""


def price_usage(
    price: Price, quantity: Decimal, match: Mapping[str, Scalar] = _NO_DIMENSIONS, *, balance: Decimal = _ZERO
) -> Bill:
    """The bill for one quantity.

    `quantity` is the meter's, already rounded; nothing used (a null quantity) is priced as 0. `match` holds the
    dimensions of the usage, which choose its rate. `balance` is the prepaid units that the customer still has. Raises
    `Unpriceable`: MS440 for a negative quantity, MS441 for one beyond 38 digits, MS442 for usage without a rate.
    """
    return price_rates(price, {rate_of(price, match): quantity}, balance=balance)


def price_groups(
    price: Price,
    groups: Iterable[tuple[Mapping[str, Scalar], Decimal]],
    function: Function,
    *,
    balance: Decimal = _ZERO,
) -> Bill:
    """The bill for the groups of one customer and period, each its dimensions and its rounded quantity.

    The quantities of the groups at one rate are added and then priced: tiers and packages count all usage at the
    rate, and what is billed is the sum of what is shown. Results of AVG, MIN, MAX, FIRST, LAST and UNIQUE do not add:
    two groups at one rate raise `Unpriceable` with MS443, and the caller computes the quantity of each rate from the
    events, for `price_rates`. Otherwise raises as `price_usage` does.
    """
    quantities: dict[int | None, Decimal] = {}
    with localcontext(_EXACT):
        for dimensions, quantity in groups:
            rate = rate_of(price, dimensions)
            if rate in quantities and function not in ADDITIVE:
                hint = "compute the quantity of each rate from its events"
                raise Unpriceable(NOT_ADDITIVE, hint, function=function.value)
            quantities[rate] = quantities.get(rate, _ZERO) + _bounded(quantity)
    return price_rates(price, quantities, balance=balance)


def price_rates(price: Price, quantities: Mapping[int | None, Decimal], *, balance: Decimal = _ZERO) -> Bill:
    """The bill for what one customer used in a period, by the number of the rate; None is the default.

    Each rate has its own tiers and packages, which count the usage at that rate alone, and costs nothing in a period
    without usage at it; with no usage at all, the default is priced at 0. Included units are shared: the rates take
    them in their order, the default last. Minimum, maximum and base fee are for all rates together. Raises as
    `price_usage` does.
    """
    with localcontext(_EXACT):
        bounded = {number: _bounded(quantity) for number, quantity in quantities.items()}
        for quantity in bounded.values():
            if quantity < 0:
                raise Unpriceable(NEGATIVE_QUANTITY, quantity=_plain(quantity))
        return _bill(price, bounded, balance)


def rate_of(price: Price, dimensions: Mapping[str, Scalar]) -> int | None:
    """The number of the first rate that matches, None for the default; raises `Unpriceable` with MS442."""
    for number, rate in enumerate(price.rates):
        if all(name in dimensions and _same(dimensions[name], value) for name, value in rate.match):
            return number
    if price.tiers or not price.rates:
        return None
    named = sorted({name for rate in price.rates for name, _ in rate.match})
    shown = " and ".join(f"`{name}` {_shown(dimensions.get(name))}" for name in named)
    hint = "add a rate for it, or `unit_amount` beside `model` as the price of all other usage"
    raise Unpriceable(UNMATCHED_USAGE, hint, dimensions=shown)


def as_json(meter: str, price: Price, bill: Bill) -> dict[str, object]:
    """A bill as the document that `price --format json` prints; `balance` only where units are prepaid."""
    lines = [line_json(line) for line in bill.lines]
    left = {} if bill.balance is None else {"balance": _plain(bill.balance)}
    return left | {
        "meter": meter,
        "currency": bill.currency,
        "quantity": _plain(bill.quantity),
        "base_fee": _plain(price.base_fee),
        "lines": lines,
        "amount": f"{bill.amount:f}",
    }


def line_json(line: Line) -> dict[str, object]:
    """A line as `price --format json` and `invoice --format json` print it; `match` only where a rate was."""
    document: dict[str, object] = {
        "kind": line.kind.value,
        "from": None if line.start is None else _plain(line.start),
        "to": None if line.end is None else _plain(line.end),
        "quantity": _plain(line.quantity),
        "unit_amount": _plain(line.unit_amount),
        "amount": f"{line.amount:f}",
    }
    if not line.match:
        return document
    return document | {"match": {name: _plain(v) if isinstance(v, Decimal) else v for name, v in line.match}}


def _bill(price: Price, quantities: Mapping[int | None, Decimal], balance: Decimal) -> Bill:
    decimals = digits(price.currency)
    total = sum(quantities.values(), _ZERO)
    lines: list[Line] = []
    left: Decimal | None = None
    match price.model:
        case PriceModel.FLAT:
            pass
        case PriceModel.PREPAID:
            prepaid, left = _prepaid(price, total, balance, decimals)
            lines += prepaid
        case PriceModel.USAGE | PriceModel.COMBINED:
            lines += _usage(price, quantities, decimals)
            lines += _clamp(price, sum((line.amount for line in lines), _ZERO), decimals)
    if price.base_fee or price.model is PriceModel.FLAT:
        lines.append(_fee(LineKind.BASE_FEE, price.base_fee, decimals))
    amount = sum((line.amount for line in lines), _rounded(_ZERO, decimals))
    return Bill(currency=price.currency, quantity=total, lines=tuple(lines), amount=amount, balance=left)


def _usage(price: Price, quantities: Mapping[int | None, Decimal], decimals: int) -> Iterator[Line]:
    """The lines of every rate that has usage, rate by rate."""
    included = price.included_units
    for number in sorted(quantities, key=lambda number: (number is None, number)) or [None]:
        quantity = quantities.get(number, _ZERO)
        rate = None if number is None else price.rates[number]
        tiers, match = (price.tiers, ()) if rate is None else (rate.tiers, rate.match)
        free = min(included, quantity)
        if free:
            yield _line(LineKind.USAGE, free, _ZERO, decimals, _ZERO, included, match)
        included -= free
        if price.package_size is None:
            yield from _tiers(tiers, price.tier_mode, quantity, free, decimals, match)
        else:
            packages = _packages(quantity - free, price.package_size, price.package_rounding)
            yield from _tiers(tiers, price.tier_mode, packages, _ZERO, decimals, match)


def _tiers(
    tiers: tuple[Tier, ...],
    mode: TierMode,
    quantity: Decimal,
    free: Decimal,
    decimals: int,
    match: tuple[tuple[str, Scalar], ...],
) -> Iterator[Line]:
    """A line for the units of each tier used, the first `free` of them left out, and one for each flat fee."""
    lower = _ZERO
    for tier in tiers:
        upper = tier.up_to
        reached = upper is None or quantity <= upper
        begin, units = lower, _ZERO
        if mode is TierMode.GRADUATED:
            begin = max(lower, free)
            units = (quantity if upper is None or reached else upper) - begin
        elif reached:
            units = quantity - free
        if units > 0:
            yield _line(LineKind.USAGE, units, tier.unit_amount or _ZERO, decimals, begin, upper, match)
        if tier.flat_amount and (mode is TierMode.GRADUATED or reached):
            yield _line(LineKind.FLAT_FEE, Decimal(1), tier.flat_amount, decimals, lower, upper, match)
        if upper is None or reached:
            return
        lower = upper
    assert not tiers, "the last tier has no bound"


def _clamp(price: Price, usage: Decimal, decimals: int) -> Iterator[Line]:
    """The line that lifts the usage amount to the minimum, or lowers it to the maximum."""
    line = None
    if price.minimum_amount is not None and usage < price.minimum_amount:
        line = _fee(LineKind.MINIMUM, price.minimum_amount - usage, decimals)
    elif price.maximum_amount is not None and usage > price.maximum_amount:
        line = _fee(LineKind.MAXIMUM, price.maximum_amount - usage, decimals)
    if line is not None and line.amount:
        yield line


def _prepaid(price: Price, quantity: Decimal, balance: Decimal, decimals: int) -> tuple[list[Line], Decimal]:
    """The units drawn, the packs bought so that the balance is never below `refill_below`, and the balance left."""
    assert price.credits is not None
    lines = []
    free = min(price.included_units, quantity)
    if free:
        lines.append(_line(LineKind.USAGE, free, _ZERO, decimals, _ZERO, price.included_units))
    drawn = quantity - free
    if drawn:
        lines.append(_line(LineKind.USAGE, drawn, _ZERO, decimals, price.included_units, None))
    missing = drawn + (price.credits.refill_below or _ZERO) - balance
    packs = _packages(max(missing, _ZERO), price.credits.pack, Rounding.UP)
    if packs:
        lines.append(_line(LineKind.CREDIT, packs, price.credits.price, decimals))
    return lines, balance + packs * price.credits.pack - drawn


def _packages(units: Decimal, size: Decimal, rounding: Rounding) -> Decimal:
    """How many packages: the started ones, or only the full ones where the rounding is down."""
    full = units // size
    return full + 1 if rounding is Rounding.UP and units % size else full


def _fee(kind: LineKind, amount: Decimal, decimals: int) -> Line:
    return _line(kind, Decimal(1), amount, decimals)


def _line(
    kind: LineKind,
    quantity: Decimal,
    unit_amount: Decimal,
    decimals: int,
    start: Decimal | None = None,
    end: Decimal | None = None,
    match: tuple[tuple[str, Scalar], ...] = (),
) -> Line:
    return Line(
        kind=kind,
        start=start,
        end=end,
        quantity=quantity,
        unit_amount=unit_amount,
        amount=_rounded(quantity * unit_amount, decimals),
        match=match,
    )


def _rounded(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), context=_HALF_UP)


def _bounded(quantity: Decimal) -> Decimal:
    """A quantity that fits 38 digits, 12 of them decimals; raises `Unpriceable` with MS441 for any other."""
    if not quantity.is_finite():
        raise Unpriceable(BAD_QUANTITY, quantity=quantity, fault="is not a finite number")
    if not quantity:
        return _ZERO
    if quantity.adjusted() >= 38:
        raise Unpriceable(BAD_QUANTITY, quantity=_short(quantity), fault="has more than 38 digits")
    _, coefficient, exponent = quantity.as_tuple()
    assert isinstance(exponent, int)
    if -exponent > 12 and any(coefficient[max(0, len(coefficient) + exponent + 12) :]):
        raise Unpriceable(BAD_QUANTITY, quantity=_short(quantity), fault="has more than 12 decimals")
    return quantity


def _short(number: Decimal) -> str:
    text = f"{number:f}" if abs(number.adjusted()) < 60 else str(number)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _same(one: Scalar, two: Scalar) -> bool:
    """Equal as a dimension's values are: numbers by value, and `true` is not 1."""
    return isinstance(one, bool) == isinstance(two, bool) and one == two


def _shown(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return "missing" if value is None else str(value)


def _plain(number: Decimal) -> str:
    """In fixed-point notation, without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
