"""What Stripe would bill: the lines of one price for a quantity, in whole minor units.

Written from the documentation alone, in fractions, so that it shares nothing with the product's own pricing engine:

- https://docs.stripe.com/products-prices/pricing-models: graduated, volume, flat amounts, packages
- https://docs.stripe.com/billing/subscriptions/tiers: zero usage bills the flat amount of the first tier
- https://docs.stripe.com/currencies: currencies without decimals, and the special cases
- https://docs.stripe.com/products-prices/manage-prices: rounding is per line item, before they are summed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.stripe_server.account import Account
from tests.stripe_server.credits import left, usable
from tests.stripe_server.meters import usage

_WITHOUT_DECIMALS = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE_DECIMALS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def minor_digits(currency: str) -> int:
    """How many decimals the unit has that Stripe counts a currency in; ISK and UGX keep the two that they once had."""
    code = currency.lower()
    return 0 if code in _WITHOUT_DECIMALS else 3 if code in _THREE_DECIMALS else 2


@dataclass(frozen=True)
class Line:
    """A line of an invoice: the price it comes from, how many units, and its amount in whole minor units."""

    price: str
    quantity: Fraction
    amount: int


def bill(price: dict[str, Any], quantity: Fraction) -> list[Line]:
    """The lines that a price gives for a quantity; usage that corrections brought below zero bills as none."""
    used = max(quantity, Fraction(0))
    if price["billing_scheme"] == "per_unit":
        exact = [(_packages(price["transform_quantity"], used), Fraction(price["unit_amount_decimal"]))]
    elif price["tiers_mode"] == "graduated":
        exact = list(_graduated(price["tiers"], used))
    else:
        exact = list(_volume(price["tiers"], used))
    return [Line(price["id"], units, _round(units * each)) for units, each in exact]


def _packages(transform: dict[str, Any] | None, quantity: Fraction) -> Fraction:
    if transform is None:
        return quantity
    full, rest = divmod(quantity, transform["divide_by"])
    return Fraction(full + (1 if rest and transform["round"] == "up" else 0))


def _graduated(tiers: Sequence[dict[str, Any]], quantity: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """The units of each tier at its own amount, and a line for the flat amount of each tier that is reached."""
    start = Fraction(0)
    for position, tier in enumerate(tiers):
        if position and quantity <= start:
            return
        end = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        yield from _tier(tier, end - start)
        start = end if tier["up_to"] is None else Fraction(tier["up_to"])


def _volume(tiers: Sequence[dict[str, Any]], quantity: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """All units at the amount of the tier that the quantity falls in, and its flat amount."""
    tier = next(t for t in tiers if t["up_to"] is None or quantity <= t["up_to"])
    yield from _tier(tier, quantity)


def _tier(tier: dict[str, Any], units: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    if tier["unit_amount_decimal"] is not None:
        yield units, Fraction(tier["unit_amount_decimal"])
    if tier["flat_amount_decimal"] is not None:
        yield Fraction(1), Fraction(tier["flat_amount_decimal"])


def _round(exact: Fraction) -> int:
    """Whole minor units, halves away from zero."""
    size = (abs(exact) * 2 + 1) // 2
    return int(size if exact >= 0 else -size)


def preview(account: Account, customer: str, prices: Sequence[str], start: int, end: int) -> list[Line]:
    """The lines of a customer's invoice for the period [start, end), on a subscription to the given prices.

    A metered price bills what its meter took of the customer, a licensed one its unit once.
    """
    lines = []
    for id in prices:
        price = account.get("price", id)
        meter = price["recurring"]["meter"]
        used = usage(account, account.get("billing.meter", meter), customer, start, end) if meter else Fraction(1)
        lines += bill(price, used)
    return lines


@dataclass(frozen=True)
class Invoice:
    """A final invoice: its lines, and what of them credit grants have paid, by the grant's id, in whole minor units."""

    lines: list[Line]
    credits: dict[str, int]

    @property
    def due(self) -> int:
        return sum(line.amount for line in self.lines) - sum(self.credits.values())


def finalize(account: Account, customer: str, prices: Sequence[str], start: int, end: int) -> Invoice:
    """An invoice that becomes final now: credits are drawn at this instant and not before, line by line."""
    lines = preview(account, customer, prices, start, end)
    paid: dict[str, int] = {}
    for line in lines:
        rest = line.amount
        for grant in usable(account, customer, account.get("price", line.price)):
            taken = min(rest, left(account, grant))
            if taken > 0:
                account.spent[grant["id"]] = account.spent.get(grant["id"], 0) + taken
                paid[grant["id"]] = paid.get(grant["id"], 0) + taken
                rest -= taken
    return Invoice(lines, paid)
