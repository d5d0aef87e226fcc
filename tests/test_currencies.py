"""Currencies: our table against independent ones, and Stripe's exceptions against its own examples."""

from __future__ import annotations

from decimal import Decimal

import iso4217
import pytest

from meterspec import currencies
from tests.conftest import ROOT


def test_the_codes_and_digits_are_those_of_the_standard() -> None:
    active = {each.code: each.exponent for each in iso4217.Currency}
    assert {code for code, digits in active.items() if digits is None} == currencies.WITHOUT_MINOR_UNIT
    assert {code: digits for code, digits in active.items() if digits is not None} == currencies.DIGITS


@pytest.mark.parametrize(
    ("digits", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_every_currency_without_two_decimals_is_named(digits: int, codes: str) -> None:
    assert {code for code, count in currencies.DIGITS.items() if count == digits} == set(codes.split())


def test_the_table_is_whole() -> None:
    # List one of 1 January 2026 has 178 codes, 13 of them without a minor unit.
    assert len(currencies.DIGITS) == 165
    assert len(currencies.WITHOUT_MINOR_UNIT) == 13
    for code in [*currencies.DIGITS, *currencies.WITHOUT_MINOR_UNIT]:
        assert len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def test_a_withdrawn_code_leads_to_one_that_exists() -> None:
    for old, new in currencies.REPLACED.items():
        assert old not in currencies.DIGITS
        assert new in currencies.DIGITS


@pytest.mark.parametrize(
    ("code", "major", "sent"),
    [
        ("USD", "10", 1000),
        ("EUR", "0.45", 45),
        ("JPY", "500", 500),
        ("MGA", "500", 500),
        ("ISK", "5", 500),
        ("UGX", "5", 500),
        ("KWD", "5.12", 5120),
        ("HUF", "10", 1000),
        ("TWD", "800.45", 80045),
    ],
)
def test_what_stripe_is_sent(code: str, major: str, sent: int) -> None:
    digits = currencies.stripe_digits(code)
    assert digits is not None
    assert Decimal(major).scaleb(digits) == sent
    step = currencies.stripe_step(code)
    assert step is None or Decimal(major) % step == 0


@pytest.mark.parametrize("code", ["CLF", "UYW", "UYI", "IQD", "LYD", "CUP", "GHS", "MXV"])
def test_where_stripe_is_not_known_to_have_a_currency_nothing_is_guessed(code: str) -> None:
    assert currencies.stripe_digits(code) is None


def test_the_page_names_every_currency_that_is_refused() -> None:
    page = (ROOT / "docs" / "stripe.md").read_text(encoding="utf-8")
    listed = page.partition("Not known to be taken, or in which unit: ")[2].partition(".")[0].split()
    assert listed == sorted(code for code in currencies.DIGITS if currencies.stripe_digits(code) is None)
