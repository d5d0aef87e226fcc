"""Currencies: the codes of ISO 4217 with the decimals of their minor unit, and where Stripe counts otherwise.

The codes are those of ISO 4217 list one as of 1 January 2026 (maintained by SIX Group), funds included, without the
codes that have no minor unit: metals, bond units, testing. Stripe's exceptions follow its page "Supported currencies"
(docs.stripe.com/currencies): currencies without decimals, the special cases ISK and UGX, and three-decimal currencies.
"""

from __future__ import annotations

from decimal import Decimal

__all__ = ["DIGITS", "REPLACED", "WITHOUT_MINOR_UNIT", "digits", "stripe_digits", "stripe_step"]

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
        CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
        IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
        MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
        SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
        YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

DIGITS = {code: count for count, codes in _CODES.items() for code in codes.split()}
"""The decimals of the minor unit of every currency that can be invoiced."""

WITHOUT_MINOR_UNIT = frozenset(
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"]
)
"""Codes of ISO 4217 that are no money in coins: nothing says what an amount of them is rounded to."""

REPLACED = {
    "ANG": "XCG",
    "BGN": "EUR",
    "BYR": "BYN",
    "CUC": "CUP",
    "EEK": "EUR",
    "HRK": "EUR",
    "LTL": "EUR",
    "LVL": "EUR",
    "MRO": "MRU",
    "SLL": "SLE",
    "STD": "STN",
    "VEF": "VES",
    "ZMK": "ZMW",
    "ZWL": "ZWG",
}
"""Codes that were withdrawn since 2011, and what is paid with instead."""

_STRIPE_WITHOUT_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_NOT_AT_STRIPE = frozenset(
    [
        *("BOV", "BTN", "CHE", "CHW", "COU", "CUP", "ERN", "GHS", "IRR", "KPW", "MRU", "MXV", "SDG", "SSP"),
        *("STN", "SYP", "TMT", "USN", "VED", "VES", "XAD", "ZWG"),
    ]
)
"""Those that no list of what Stripe charges in has (https://docs.stripe.com/currencies, the enums of its clients)."""
_STRIPE_STEPS = {
    # Sent with two decimals that have to be zero, as they were before the currencies lost their cents.
    "ISK": Decimal(1),
    "UGX": Decimal(1),
    # Has a minor unit, a fifth, that Stripe leaves out.
    "MGA": Decimal(1),
    # Sent in thousandths, the last digit zero.
    "BHD": Decimal("0.01"),
    "JOD": Decimal("0.01"),
    "KWD": Decimal("0.01"),
    "OMR": Decimal("0.01"),
    "TND": Decimal("0.01"),
}


def digits(code: str) -> int:
    """The decimals that an amount of the currency is rounded to; KeyError where there is no such currency."""
    return DIGITS[code]


def stripe_digits(code: str) -> int | None:
    """The decimals of the unit that Stripe takes amounts in: 2 for cents; None where Stripe's rule is not known."""
    if code in _STRIPE_WITHOUT_DECIMALS:
        return 0
    if code in _STRIPE_STEPS:
        return max(2, DIGITS[code])
    return 2 if DIGITS[code] == 2 and code not in _NOT_AT_STRIPE else None


def stripe_step(code: str) -> Decimal | None:
    """The major units that every amount at Stripe has to be a multiple of, where they are more than its unit."""
    return _STRIPE_STEPS.get(code)
