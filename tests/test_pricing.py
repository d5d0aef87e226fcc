"""What usage costs: tables of bills that read as the rules, and an evaluator that walks another way and must agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterspec.currencies import DIGITS
from meterspec.ir import Credits, Function, Price, PriceModel, Rate, Rounding, Scalar, Tier, TierMode
from meterspec.pricing import Bill, LineKind, Unpriceable, as_json, price_groups, price_rates, price_usage
from tests.conftest import ROOT
from tests.corpus import check_text

D = Decimal


def tiers(*steps: tuple[str, str | None] | tuple[str, str | None, str]) -> tuple[Tier, ...]:
    """Tiers as (up to, amount of a unit, flat amount)."""
    return tuple(
        Tier(
            up_to=None if up_to == "inf" else D(up_to),
            unit_amount=None if unit is None else D(unit),
            flat_amount=D(flat[0]) if flat else None,
        )
        for up_to, unit, *flat in steps
    )


def usage(*steps: tuple[str, str | None] | tuple[str, str | None, str], currency: str = "EUR") -> Price:
    return Price(model=PriceModel.USAGE, currency=currency, tiers=tiers(*steps))


def shown(bill: Bill) -> list[str]:
    """A bill as a table: kind, from-to, quantity x amount of a unit = amount; the last line is the sum."""
    lines = []
    for line in bill.lines:
        bounds = "" if line.start is None else f" {line.start:f}-{'' if line.end is None else f'{line.end:f}'}"
        lines.append(f"{line.kind}{bounds}: {line.quantity:f} x {line.unit_amount:f} = {line.amount:f}")
    return [*lines, f"{bill.amount:f}"]


LANGUAGE = replace(
    usage(("1000", "0.45"), ("inf", "0.30", "5")),
    model=PriceModel.COMBINED,
    base_fee=D(20),
    included_units=D(100),
)
PUBLISHED = replace(LANGUAGE, base_fee=D(0), tiers=tiers(("1000", "0.45"), ("inf", "0.30")))
GRADUATED = usage(("10", "2", "7"), ("20", "1", "3"), ("inf", "0.50"))
VOLUME = replace(GRADUATED, tier_mode=TierMode.VOLUME)
PACKAGES = replace(usage(("2", "10"), ("inf", "4", "6")), package_size=D(1000), included_units=D(500))
CLAMPED = replace(
    usage(("inf", "0.10")),
    model=PriceModel.COMBINED,
    base_fee=D(20),
    minimum_amount=D(5),
    maximum_amount=D("7.50"),
)


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        pytest.param(
            PUBLISHED,
            "1500",
            [
                "usage 0-100: 100 x 0 = 0.00",
                "usage 100-1000: 900 x 0.45 = 405.00",
                "usage 1000-: 500 x 0.30 = 150.00",
                "555.00",
            ],
            id="each unit at the price of its tier, included ones free",
        ),
        pytest.param(
            LANGUAGE,
            "1500",
            [
                "usage 0-100: 100 x 0 = 0.00",
                "usage 100-1000: 900 x 0.45 = 405.00",
                "usage 1000-: 500 x 0.30 = 150.00",
                "flat_fee 1000-: 1 x 5 = 5.00",
                "base_fee: 1 x 20 = 20.00",
                "580.00",
            ],
            id="a flat fee for the tier that is entered, and the base fee",
        ),
        pytest.param(
            LANGUAGE,
            "1000",
            [
                "usage 0-100: 100 x 0 = 0.00",
                "usage 100-1000: 900 x 0.45 = 405.00",
                "base_fee: 1 x 20 = 20.00",
                "425.00",
            ],
            id="a bound belongs to the tier it ends",
        ),
        pytest.param(
            LANGUAGE,
            "1000.000001",
            [
                "usage 0-100: 100 x 0 = 0.00",
                "usage 100-1000: 900 x 0.45 = 405.00",
                "usage 1000-: 0.000001 x 0.30 = 0.00",
                "flat_fee 1000-: 1 x 5 = 5.00",
                "base_fee: 1 x 20 = 20.00",
                "430.00",
            ],
            id="a fraction over a bound enters the next tier",
        ),
        pytest.param(
            LANGUAGE,
            "40",
            ["usage 0-100: 40 x 0 = 0.00", "base_fee: 1 x 20 = 20.00", "20.00"],
            id="included units cost nothing",
        ),
        pytest.param(LANGUAGE, "0", ["base_fee: 1 x 20 = 20.00", "20.00"], id="no usage, no usage lines"),
        pytest.param(
            GRADUATED, "0", ["flat_fee 0-10: 1 x 7 = 7.00", "7.00"], id="the first flat fee is due without usage"
        ),
        pytest.param(
            GRADUATED,
            "25",
            [
                "usage 0-10: 10 x 2 = 20.00",
                "flat_fee 0-10: 1 x 7 = 7.00",
                "usage 10-20: 10 x 1 = 10.00",
                "flat_fee 10-20: 1 x 3 = 3.00",
                "usage 20-: 5 x 0.50 = 2.50",
                "42.50",
            ],
            id="graduated: the flat fee of every tier entered",
        ),
        pytest.param(
            replace(GRADUATED, included_units=D(15)),
            "25",
            [
                "usage 0-15: 15 x 0 = 0.00",
                "flat_fee 0-10: 1 x 7 = 7.00",
                "usage 15-20: 5 x 1 = 5.00",
                "flat_fee 10-20: 1 x 3 = 3.00",
                "usage 20-: 5 x 0.50 = 2.50",
                "17.50",
            ],
            id="included units fill the first tiers, whose flat fees are due",
        ),
        pytest.param(
            VOLUME,
            "20",
            ["usage 10-20: 20 x 1 = 20.00", "flat_fee 10-20: 1 x 3 = 3.00", "23.00"],
            id="volume: all units at the tier reached, and its flat fee alone",
        ),
        pytest.param(VOLUME, "20.5", ["usage 20-: 20.5 x 0.50 = 10.25", "10.25"], id="volume: a fraction over"),
        pytest.param(VOLUME, "0", ["flat_fee 0-10: 1 x 7 = 7.00", "7.00"], id="volume: nothing used"),
        pytest.param(
            replace(VOLUME, included_units=D(15)),
            "25",
            ["usage 0-15: 15 x 0 = 0.00", "usage 20-: 10 x 0.50 = 5.00", "5.00"],
            id="volume: all units but the included ones, at the tier of the whole quantity",
        ),
        pytest.param(
            usage(("10", None, "7"), ("inf", "1")),
            "12",
            [
                "usage 0-10: 10 x 0 = 0.00",
                "flat_fee 0-10: 1 x 7 = 7.00",
                "usage 10-: 2 x 1 = 2.00",
                "9.00",
            ],
            id="a tier with a flat fee alone",
        ),
        pytest.param(
            PACKAGES,
            "500",
            ["usage 0-500: 500 x 0 = 0.00", "0.00"],
            id="packages: included units are subtracted first",
        ),
        pytest.param(
            PACKAGES,
            "500.1",
            ["usage 0-500: 500 x 0 = 0.00", "usage 0-2: 1 x 10 = 10.00", "10.00"],
            id="packages: a started one is due",
        ),
        pytest.param(
            PACKAGES,
            "3500",
            [
                "usage 0-500: 500 x 0 = 0.00",
                "usage 0-2: 2 x 10 = 20.00",
                "usage 2-: 1 x 4 = 4.00",
                "flat_fee 2-: 1 x 6 = 6.00",
                "30.00",
            ],
            id="packages: tiers count them",
        ),
        pytest.param(
            replace(PACKAGES, package_rounding=Rounding.DOWN),
            "3499.999999",
            ["usage 0-500: 500 x 0 = 0.00", "usage 0-2: 2 x 10 = 20.00", "20.00"],
            id="packages: only full ones",
        ),
        pytest.param(
            replace(usage(("inf", "1")), package_size=D("0.1")),
            "0.3",
            ["usage 0-: 3 x 1 = 3.00", "3.00"],
            id="packages: of a tenth, without binary fractions",
        ),
        pytest.param(
            CLAMPED,
            "20",
            ["usage 0-: 20 x 0.10 = 2.00", "minimum: 1 x 3.00 = 3.00", "base_fee: 1 x 20 = 20.00", "25.00"],
            id="the minimum lifts the usage amount, not the base fee",
        ),
        pytest.param(
            CLAMPED, "0", ["minimum: 1 x 5 = 5.00", "base_fee: 1 x 20 = 20.00", "25.00"], id="the minimum without usage"
        ),
        pytest.param(
            CLAMPED, "50", ["usage 0-: 50 x 0.10 = 5.00", "base_fee: 1 x 20 = 20.00", "25.00"], id="at the minimum"
        ),
        pytest.param(
            CLAMPED, "75", ["usage 0-: 75 x 0.10 = 7.50", "base_fee: 1 x 20 = 20.00", "27.50"], id="at the maximum"
        ),
        pytest.param(
            CLAMPED,
            "100",
            ["usage 0-: 100 x 0.10 = 10.00", "maximum: 1 x -2.50 = -2.50", "base_fee: 1 x 20 = 20.00", "27.50"],
            id="the maximum lowers it",
        ),
        pytest.param(
            Price(model=PriceModel.FLAT, currency="EUR", base_fee=D(49)),
            "123456",
            ["base_fee: 1 x 49 = 49.00", "49.00"],
            id="a flat price does not look at usage",
        ),
        pytest.param(
            Price(model=PriceModel.FLAT, currency="EUR", base_fee=D(0)),
            "1",
            ["base_fee: 1 x 0 = 0.00", "0.00"],
            id="a free plan says so",
        ),
        pytest.param(usage(("inf", "0.5"), currency="JPY"), "3", ["usage 0-: 3 x 0.5 = 2", "2"], id="JPY: no decimals"),
        pytest.param(
            usage(("inf", "0.0005"), currency="KWD"), "3", ["usage 0-: 3 x 0.0005 = 0.002", "0.002"], id="KWD: three"
        ),
        pytest.param(usage(("inf", "0.005")), "1", ["usage 0-: 1 x 0.005 = 0.01", "0.01"], id="ties away from zero"),
        pytest.param(
            usage(("inf", "0.005")), "0.999999", ["usage 0-: 0.999999 x 0.005 = 0.00", "0.00"], id="just below a tie"
        ),
        pytest.param(
            usage(("1", "0.004"), ("2", "0.004"), ("inf", "0.004")),
            "3",
            [
                "usage 0-1: 1 x 0.004 = 0.00",
                "usage 1-2: 1 x 0.004 = 0.00",
                "usage 2-: 1 x 0.004 = 0.00",
                "0.00",
            ],
            id="each line is rounded, then added",
        ),
        pytest.param(
            usage(("1", "0.1"), ("inf", "0.000000000000001")),
            "99999999999999999999999999999999999999",
            [
                "usage 0-1: 1 x 0.1 = 0.10",
                "usage 1-: 99999999999999999999999999999999999998 x 0.000000000000001 = 100000000000000000000000.00",
                "100000000000000000000000.10",
            ],
            id="38 digits, exact to the cent",
        ),
    ],
)
def test_a_bill(price: Price, quantity: str, expected: list[str]) -> None:
    assert shown(price_usage(price, D(quantity))) == expected


# Rates by dimension

REGIONS = replace(
    usage(("inf", "0.50")),
    rates=(
        Rate(match=(("region", "eu"), ("size", 1)), tiers=tiers(("10", "3"), ("inf", "2"))),
        Rate(match=(("region", "eu"),), tiers=tiers(("inf", "1", "4"))),
    ),
)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"region": "eu", "size": 1}, ["usage 0-10: 10 x 3 = 30.00", "usage 10-: 2 x 2 = 4.00", "34.00"]),
        ({"region": "eu", "size": D("1.0")}, ["usage 0-10: 10 x 3 = 30.00", "usage 10-: 2 x 2 = 4.00", "34.00"]),
        ({"region": "eu", "size": True}, ["usage 0-: 12 x 1 = 12.00", "flat_fee 0-: 1 x 4 = 4.00", "16.00"]),
        ({"region": "eu", "size": None}, ["usage 0-: 12 x 1 = 12.00", "flat_fee 0-: 1 x 4 = 4.00", "16.00"]),
        ({"region": "us", "size": 1}, ["usage 0-: 12 x 0.50 = 6.00", "6.00"]),
        ({"region": None}, ["usage 0-: 12 x 0.50 = 6.00", "6.00"]),
        ({}, ["usage 0-: 12 x 0.50 = 6.00", "6.00"]),
    ],
)
def test_the_first_rate_that_matches_wins(match: Mapping[str, Scalar], expected: list[str]) -> None:
    assert shown(price_usage(REGIONS, D(12), match)) == expected


def test_unmatched_usage_without_a_default_is_refused() -> None:
    with pytest.raises(Unpriceable) as refused:
        price_usage(replace(REGIONS, tiers=()), D(1), {"region": "us"})
    assert refused.value.rule.code == "MS442"
    assert str(refused.value) == (
        'no rate is for usage with `region` "us" and `size` missing, and the price has no default'
    )


def test_the_tiers_of_a_rate_count_all_usage_at_it() -> None:
    bill = price_groups(
        REGIONS,
        [
            ({"customer_id": "c1", "region": "eu", "size": 1}, D(8)),
            ({"customer_id": "c1", "region": "us", "size": 1}, D(3)),
            ({"customer_id": "c1", "region": "eu", "size": D(1)}, D(4)),
            ({"customer_id": "c1", "region": "ch", "size": 2}, D("0.5")),
        ],
        Function.SUM,
    )
    assert shown(bill) == [
        "usage 0-10: 10 x 3 = 30.00",
        "usage 10-: 2 x 2 = 4.00",
        "usage 0-: 3.5 x 0.50 = 1.75",
        "35.75",
    ]
    assert [line.match for line in bill.lines] == [(("region", "eu"), ("size", 1)), (("region", "eu"), ("size", 1)), ()]
    assert bill.quantity == D("15.5")


def test_rates_share_the_included_units_in_their_order() -> None:
    shared = replace(REGIONS, included_units=D(10))
    assert shown(price_rates(shared, {None: D(6), 1: D(5), 0: D(7)})) == [
        "usage 0-10: 7 x 0 = 0.00",
        "usage 0-3: 3 x 0 = 0.00",
        "usage 3-: 2 x 1 = 2.00",
        "flat_fee 0-: 1 x 4 = 4.00",
        "usage 0-: 6 x 0.50 = 3.00",
        "9.00",
    ]


def test_the_minimum_is_for_all_rates_together() -> None:
    assert shown(price_rates(replace(REGIONS, minimum_amount=D(100)), {0: D(1), None: D(2)}))[-2:] == [
        "minimum: 1 x 96.00 = 96.00",
        "100.00",
    ]


def test_a_rate_without_usage_costs_nothing_and_the_default_stands_in_for_no_usage() -> None:
    fees = replace(REGIONS, tiers=tiers(("inf", "1", "9")))
    assert shown(price_rates(fees, {0: D(1)})) == ["usage 0-10: 1 x 3 = 3.00", "3.00"]
    assert shown(price_groups(fees, [], Function.COUNT)) == ["flat_fee 0-: 1 x 9 = 9.00", "9.00"]


@pytest.mark.parametrize("function", [Function.UNIQUE, Function.MAX, Function.AVG, Function.LAST])
def test_results_that_do_not_add_are_not_added(function: Function) -> None:
    one = ({"region": "us"}, D(3))
    assert price_groups(REGIONS, [one], function).amount == D("1.50")
    with pytest.raises(Unpriceable) as refused:
        price_groups(REGIONS, [one, ({"region": "ch"}, D(3))], function)
    assert refused.value.rule.code == "MS443"


# Prepaid

PACKS = Price(
    model=PriceModel.PREPAID,
    currency="EUR",
    credits=Credits(pack=D(1000), price=D(90), refill_below=D(50)),
)


@pytest.mark.parametrize(
    ("balance", "quantity", "expected", "left"),
    [
        ("0", "0", ["credit: 1 x 90 = 90.00", "90.00"], "1000"),
        ("1000", "950", ["usage 0-: 950 x 0 = 0.00", "0.00"], "50"),
        ("1000", "950.5", ["usage 0-: 950.5 x 0 = 0.00", "credit: 1 x 90 = 90.00", "90.00"], "1049.5"),
        ("1000", "3000", ["usage 0-: 3000 x 0 = 0.00", "credit: 3 x 90 = 270.00", "270.00"], "1000"),
        ("40", "0", ["credit: 1 x 90 = 90.00", "90.00"], "1040"),
    ],
)
def test_prepaid_usage_draws_the_balance_and_packs_refill_it(
    balance: str, quantity: str, expected: list[str], left: str
) -> None:
    bill = price_usage(PACKS, D(quantity), balance=D(balance))
    assert shown(bill) == expected
    assert bill.balance == D(left)
    assert as_json("m", PACKS, bill)["balance"] == left


def test_without_a_refill_packs_are_bought_when_the_balance_is_used_up() -> None:
    plain = replace(PACKS, credits=Credits(pack=D(1000), price=D(90)))
    assert [price_usage(plain, D(q)).amount for q in ("0", "1000", "1000.1")] == [D(0), D(90), D(180)]


def test_included_units_are_used_before_the_balance() -> None:
    free = replace(PACKS, included_units=D(100))
    assert shown(price_usage(free, D(150), balance=D(1000)))[:-1] == [
        "usage 0-100: 100 x 0 = 0.00",
        "usage 100-: 50 x 0 = 0.00",
    ]


@given(st.lists(st.decimals(0, 5000, places=2), max_size=8), st.sampled_from([None, D(0), D(50), D(2500)]))
def test_prepaid_periods_add_up_to_one_long_period(quantities: list[Decimal], refill: Decimal | None) -> None:
    price = replace(PACKS, credits=Credits(pack=D(1000), price=D(90), refill_below=refill))
    balance, paid = D(0), D(0)
    for quantity in quantities:
        bill = price_usage(price, quantity, balance=balance)
        assert bill.balance is not None and bill.balance >= (refill or 0)
        balance, paid = bill.balance, paid + bill.amount
    if quantities:
        assert paid == price_usage(price, sum(quantities, D(0))).amount


# What is refused


@pytest.mark.parametrize(
    ("quantity", "code", "message"),
    [
        ("-0.1", "MS440", "a quantity of -0.1 has no price: it is negative"),
        ("NaN", "MS441", "NaN is not a quantity: it is not a finite number"),
        ("Infinity", "MS441", "Infinity is not a quantity: it is not a finite number"),
        ("1E+38", "MS441", f"{10**38} is not a quantity: it has more than 38 digits"),
        ("1E+999999", "MS441", "1E+999999 is not a quantity: it has more than 38 digits"),
        ("1E-13", "MS441", "0.0000000000001 is not a quantity: it has more than 12 decimals"),
        ("1.0000000000001", "MS441", "1.0000000000001 is not a quantity: it has more than 12 decimals"),
        ("1E-999999", "MS441", "1E-999999 is not a quantity: it has more than 12 decimals"),
    ],
)
def test_a_quantity_that_no_meter_gives_is_refused(quantity: str, code: str, message: str) -> None:
    with pytest.raises(Unpriceable) as refused:
        price_usage(PUBLISHED, D(quantity))
    assert (refused.value.rule.code, str(refused.value)) == (code, message)


@pytest.mark.parametrize("zero", ["-0", "0E+999999", "0E-999999", "0.000"])
def test_every_zero_is_the_same_zero(zero: str) -> None:
    assert as_json("m", PUBLISHED, price_usage(PUBLISHED, D(zero)))["quantity"] == "0"


# The JSON contract


def test_the_json_of_the_command_line() -> None:
    assert as_json("agent-hours-billing", PUBLISHED, price_usage(PUBLISHED, D("1500.0"))) == {
        "meter": "agent-hours-billing",
        "currency": "EUR",
        "quantity": "1500",
        "base_fee": "0",
        "lines": [
            {"kind": "usage", "from": "0", "to": "100", "quantity": "100", "unit_amount": "0", "amount": "0.00"},
            {
                "kind": "usage",
                "from": "100",
                "to": "1000",
                "quantity": "900",
                "unit_amount": "0.45",
                "amount": "405.00",
            },
            {"kind": "usage", "from": "1000", "to": None, "quantity": "500", "unit_amount": "0.3", "amount": "150.00"},
        ],
        "amount": "555.00",
    }


def test_numbers_have_no_exponents() -> None:
    bill = price_usage(usage(("inf", "0.0000001")), D("2E+3"))
    assert as_json("m", PUBLISHED, bill)["lines"] == [
        {"kind": "usage", "from": "0", "to": None, "quantity": "2000", "unit_amount": "0.0000001", "amount": "0.00"}
    ]


# Another evaluator


def cents(amount: Fraction, digits: int) -> Fraction:
    """Rounded to the minor unit, ties away from zero."""
    whole = floor(abs(amount) * 10**digits + Fraction(1, 2))
    return Fraction(whole if amount >= 0 else -whole, 10**digits)


def naive(price: Price, quantity: Fraction) -> Fraction:
    """The amount by integrating what the next unit costs, from one point where that changes to the next one."""
    digits = DIGITS[price.currency]
    free = min(Fraction(price.included_units), quantity)
    if price.package_size is not None:
        count = (quantity - free) / Fraction(price.package_size)
        quantity, free = (
            Fraction(floor(count) if price.package_rounding is Rounding.DOWN else -floor(-count)),
            Fraction(),
        )
    ends = [None if tier.up_to is None else Fraction(tier.up_to) for tier in price.tiers]

    def tier_at(point: Fraction) -> int:
        return next(n for n, end in enumerate(ends) if end is None or point <= end)

    reached = tier_at(quantity)
    entered = range(reached + 1) if price.tier_mode is TierMode.GRADUATED else [reached]
    amount = sum((cents(Fraction(price.tiers[n].flat_amount or 0), digits) for n in entered), Fraction())
    points = sorted({Fraction(), free, quantity, *(end for end in ends if end is not None and end < quantity)})
    by_tier: dict[int, Fraction] = {}
    for low, high in pairwise(points):
        middle = (low + high) / 2
        number = tier_at(middle) if price.tier_mode is TierMode.GRADUATED else reached
        marginal = Fraction() if middle < free else Fraction(price.tiers[number].unit_amount or 0)
        by_tier[number] = by_tier.get(number, Fraction()) + (high - low) * marginal
    amount += sum((cents(part, digits) for part in by_tier.values()), Fraction())
    if price.minimum_amount is not None:
        amount = max(amount, Fraction(price.minimum_amount))
    if price.maximum_amount is not None:
        amount = min(amount, Fraction(price.maximum_amount))
    return amount + cents(Fraction(price.base_fee), digits)


CURRENCIES = {"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4}
BOUNDS = st.one_of(st.integers(1, 40).map(D), st.decimals("0.001", 40, places=3))


@st.composite
def price_lists(draw: st.DrawFn, *, volume: bool = True) -> Price:
    """Prices as a spec may have them: few small bounds, so that quantities often meet them."""
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    minor = st.integers(0, 3000).map(lambda count: D(count).scaleb(-CURRENCIES[currency]))
    ends: list[Decimal | None] = [*sorted(draw(st.sets(BOUNDS, max_size=4))), None]
    unit = st.one_of(st.none(), st.decimals(0, 3, places=5))
    steps = tuple(Tier(up_to=end, unit_amount=draw(unit), flat_amount=draw(st.none() | minor)) for end in ends)
    modes = list(TierMode) if volume else [TierMode.GRADUATED]
    minimum, maximum = sorted([draw(minor), draw(minor)])
    return Price(
        model=PriceModel.COMBINED,
        currency=currency,
        base_fee=draw(minor),
        included_units=draw(st.just(D(0)) | BOUNDS),
        tier_mode=draw(st.sampled_from(modes)),
        tiers=steps,
        package_size=draw(st.none() | st.sampled_from([D(1), D("0.1"), D("2.5"), D(7)])),
        package_rounding=draw(st.sampled_from([Rounding.UP, Rounding.DOWN])),
        minimum_amount=draw(st.none() | st.just(minimum)),
        maximum_amount=draw(st.none() | st.just(maximum)),
    )


QUANTITIES = st.one_of(st.integers(0, 60).map(D), st.decimals(0, 60, places=3), st.decimals(0, D("1E20"), places=6))


@given(price_lists(), QUANTITIES)
def test_the_engine_agrees_with_an_evaluator_that_integrates(price: Price, quantity: Decimal) -> None:
    assert Fraction(price_usage(price, quantity).amount) == naive(price, Fraction(quantity))


@given(price_lists(), st.data())
def test_the_engine_agrees_at_every_bound(price: Price, data: st.DataObject) -> None:
    ends = [tier.up_to for tier in price.tiers if tier.up_to is not None]
    if price.package_size is not None:
        ends = [end * price.package_size + price.included_units for end in ends]
    bound = data.draw(st.sampled_from([*ends, price.included_units]))
    for quantity in (bound, bound + D("0.001"), max(D(0), bound - D("0.001"))):
        assert Fraction(price_usage(price, quantity).amount) == naive(price, Fraction(quantity))


@given(price_lists(), QUANTITIES)
def test_a_bill_is_the_sum_of_its_lines(price: Price, quantity: Decimal) -> None:
    bill = price_usage(price, quantity)
    assert bill.amount == sum(line.amount for line in bill.lines)
    exponent = bill.amount.as_tuple().exponent
    assert exponent == -CURRENCIES[price.currency]
    used = sum(line.quantity for line in bill.lines if line.kind is LineKind.USAGE)
    if price.package_size is None:
        assert used == quantity


@given(price_lists(volume=False), QUANTITIES, QUANTITIES)
def test_more_usage_never_costs_less_where_tiers_are_graduated(price: Price, one: Decimal, two: Decimal) -> None:
    less, more = sorted([one, two])
    assert price_usage(price, less).amount <= price_usage(price, more).amount


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_price_by_the_unit_in_whole_cents_adds_up(amount: int, one: int, two: int) -> None:
    price = usage(("inf", str(D(amount) / 100)))
    together = price_usage(price, D(one + two)).amount
    assert together == price_usage(price, D(one)).amount + price_usage(price, D(two)).amount


@given(price_lists(), st.integers(0, 60))
def test_packages_of_one_are_units(price: Price, quantity: int) -> None:
    units = replace(price, included_units=D(0), package_size=None)
    packages = replace(units, package_size=D(1))
    assert shown(price_usage(units, D(quantity))) == shown(price_usage(packages, D(quantity)))


@given(price_lists(), st.lists(st.tuples(st.sampled_from(["eu", "us", "ch"]), QUANTITIES), min_size=1, max_size=6))
def test_groups_at_one_price_cost_what_their_sum_costs(price: Price, groups: list[tuple[str, Decimal]]) -> None:
    total = sum((quantity for _, quantity in groups), D(0))
    bill = price_groups(price, [({"region": region}, quantity) for region, quantity in groups], Function.SUM)
    assert bill == price_usage(price, total)


@given(price_lists(), st.dictionaries(st.sampled_from([0, 1, None]), QUANTITIES, min_size=1))
def test_the_order_of_the_groups_means_nothing(price: Price, quantities: dict[int | None, Decimal]) -> None:
    rates = tuple(Rate(match=(("region", name),), tiers=price.tiers) for name in ("eu", "us"))
    by_region = replace(price, rates=rates)
    backwards = dict(reversed(quantities.items()))
    assert price_rates(by_region, quantities) == price_rates(by_region, backwards)


# The page

PAGE = (ROOT / "docs" / "pricing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n([^`]*)```\n\n\| quantity [^\n]*\n\| ---[^\n]*\n((?:\|[^\n]*\n)+)", PAGE)
HEAD = """
families = [{ name = "api.call" }]
[[meters]]
name = "calls"
kind = "billing"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
[meters.billing]
"""


def test_the_page_has_its_tables() -> None:
    assert PAGE.count("```toml\nmodel = ") == PAGE.count("| quantity |") == len(EXAMPLES) == 6


@pytest.mark.parametrize(("billing", "table"), EXAMPLES)
def test_every_table_of_the_page(billing: str, table: str) -> None:
    program, found = check_text(HEAD + billing)
    assert program is not None and not found
    price = program.meter("calls").price
    assert price is not None
    for row in table.splitlines():
        quantity, lines, amount = (cell.strip() for cell in row.strip("|").split("|"))
        bill = price_usage(price, D(quantity))
        assert ", ".join(f"{line.kind} {line.amount:f}" for line in bill.lines) == lines
        assert f"{bill.amount:f}" == amount
