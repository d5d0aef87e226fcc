"""Prices and entitlements: amounts, tiers, rates and caps that say one thing, and say it for all usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from math import prod

from meterspec import currencies
from meterspec.cel.types import Type, Variable
from meterspec.diagnostics import Diagnostics, Edit, Rule, Severity, corrections, did_you_mean
from meterspec.ir import (
    CalendarUnit,
    Credits,
    Entitlement,
    Hooks,
    Price,
    PriceModel,
    Rate,
    Rounding,
    Scalar,
    Tier,
    TierMode,
)
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["entitlement", "price"]


def _spec(*billing: str, regions: bool = False) -> str:
    """A billing meter with these lines in its price; by region too where the price needs a dimension."""
    schema = ', schema.region = { type = "string", required = true, values = ["eu", "us"] }' if regions else ""
    groups = '["customer_id", "region"]' if regions else '["customer_id"]'
    return "\n".join(
        [
            f'families = [{{ name = "api.call"{schema} }}]',
            "[[meters]]",
            'name = "calls"',
            'kind = "billing"',
            'source = { kind = "family", family = "api.call" }',
            f'aggregate = {{ fn = "COUNT", group_by = {groups} }}',
            "[meters.billing]",
            *billing,
        ]
    )


UNKNOWN_CURRENCY = Rule(
    code="MS400",
    slug="unknown-currency",
    title="A currency that ISO 4217 does not have",
    message="`{currency}` is not a currency",
    why="The currency says how amounts are rounded and what is paid; its code is the one of ISO 4217, in capitals.",
    bad=_spec('model = "usage"', 'currency = "EURO"', "unit_amount = 0.01"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.01"),
)
TIERS_FALL = Rule(
    code="MS401",
    slug="tiers-fall",
    title="A tier that ends where the one before it does, or below",
    message="tier {number} ends at {up_to}, not above {before}",
    why="`up_to` counts all usage of the period, so the bounds of the tiers rise. A tier that ends no higher than the "
    "one before it holds nothing.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "tiers = [",
        "  { up_to = 1000, unit_amount = 0.45 },",
        "  { up_to = 500, unit_amount = 0.40 },",
        '  { up_to = "infinity", unit_amount = 0.30 },',
        "]",
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "tiers = [",
        "  { up_to = 1000, unit_amount = 0.45 },",
        "  { up_to = 1500, unit_amount = 0.40 },",
        '  { up_to = "infinity", unit_amount = 0.30 },',
        "]",
    ),
)
TIER_AFTER_INFINITY = Rule(
    code="MS402",
    slug="tier-after-infinity",
    title="A tier after the one without an end",
    message="no usage reaches tier {number}: tier {open} has no end",
    why="All usage above the tier before belongs to the tier that ends at infinity, so it is the last one.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "tiers = [",
        '  { up_to = "infinity", unit_amount = 0.45 },',
        "  { up_to = 1000, unit_amount = 0.30 },",
        "]",
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "tiers = [",
        "  { up_to = 1000, unit_amount = 0.45 },",
        '  { up_to = "infinity", unit_amount = 0.30 },',
        "]",
    ),
)
LAST_TIER_BOUNDED = Rule(
    code="MS403",
    slug="last-tier-bounded",
    title="Tiers that leave usage without a price",
    message="the last tier ends at {up_to}, so usage above it has no price",
    why="Usage has no end, so the last tier has none either. A cap on usage is a `limit`; a cap on what it costs is a "
    "`maximum_amount`.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "tiers = [{ up_to = 1000, unit_amount = 0.45 }]"),
    good=_spec('model = "usage"', 'currency = "EUR"', 'tiers = [{ up_to = "infinity", unit_amount = 0.45 }]'),
)
TIER_WITHOUT_AMOUNT = Rule(
    code="MS404",
    slug="tier-without-amount",
    title="A tier that does not say what it costs",
    message="tier {number} has neither `unit_amount` nor `flat_amount`",
    why="A tier that is free says so with a zero; one that says nothing may be unfinished.",
    bad=_spec('model = "usage"', 'currency = "EUR"', 'tiers = [{ up_to = "infinity" }]'),
    good=_spec('model = "usage"', 'currency = "EUR"', 'tiers = [{ up_to = "infinity", unit_amount = 0 }]'),
)
NEGATIVE = Rule(
    code="MS405",
    slug="negative-amount",
    title="An amount or a number of units below zero",
    message="`{key}` is {value}; it cannot be negative",
    why="A price says what a customer owes. Discounts and credits are given on the invoice, not by prices below zero.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = -0.01"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.01"),
)
NOT_POSITIVE = Rule(
    code="MS406",
    slug="not-positive",
    title="A package or a pack that holds nothing",
    message="`{key}` is {value}; it has to be above zero",
    why="Usage is divided by the size of a package, so a package holds something.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 5", "package_size = 0"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 5", "package_size = 1000"),
)
TWO_PRICES = Rule(
    code="MS407",
    slug="two-prices",
    title="A price by tiers and by the unit at once",
    message="there are `tiers` and a `unit_amount` side by side",
    why="`unit_amount` is short for one tier without an end, so it takes the place of `tiers`.",
    bad=_spec(
        'model = "usage"', 'currency = "EUR"', "unit_amount = 0.01", 'tiers = [{ up_to = "infinity", unit_amount = 1 }]'
    ),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.01"),
)
NO_USAGE_PRICE = Rule(
    code="MS408",
    slug="no-usage-price",
    title="A price for usage that does not say what usage costs",
    message="{what} has neither `tiers` nor `unit_amount`",
    why="Usage without a price would be free by accident.",
    bad=_spec('model = "usage"', 'currency = "EUR"'),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.01"),
)
FOREIGN_KEY = Rule(
    code="MS409",
    slug="key-of-another-model",
    title="A key that the model of the price does not have",
    message="a price of model `{model}` takes no {keys}",
    why="`usage` is for usage alone, `flat` for a fee alone, `combined` for both, and `prepaid` for packs that are "
    "bought ahead. A key that has no effect would promise an amount that nobody is billed.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.01", "base_fee = 20"),
    good=_spec('model = "combined"', 'currency = "EUR"', "unit_amount = 0.01", "base_fee = 20"),
)
MISSING_KEY = Rule(
    code="MS410",
    slug="key-of-the-model",
    title="A price without the key that its model is about",
    message="a price of model `{model}` needs `{key}`",
    why="A flat price is its fee, and a prepaid price is its packs; no amount can be assumed for either.",
    bad=_spec('model = "flat"', 'currency = "EUR"'),
    good=_spec('model = "flat"', 'currency = "EUR"', "base_fee = 20"),
)
ROUNDING_WITHOUT_PACKAGE = Rule(
    code="MS411",
    slug="rounding-without-package",
    title="A rounding of packages where there are none",
    message="`package_rounding` says nothing without `package_size`",
    why="Only packages are rounded to whole ones; units are priced as they are, fractions included.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 5", 'package_rounding = "down"'),
    good=_spec(
        'model = "usage"', 'currency = "EUR"', "unit_amount = 5", "package_size = 1000", 'package_rounding = "down"'
    ),
)
MINIMUM_ABOVE_MAXIMUM = Rule(
    code="MS412",
    slug="minimum-above-maximum",
    title="A minimum above the maximum",
    message="`minimum_amount` is {minimum}, above `maximum_amount`, which is {maximum}",
    why="No amount is at least the one and at most the other.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 1", "minimum_amount = 50", "maximum_amount = 10"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 1", "minimum_amount = 10", "maximum_amount = 50"),
)
TOO_LONG = Rule(
    code="MS413",
    slug="amount-too-long",
    title="An amount or a number of units with more digits than can be kept",
    message="`{key}` has {fault}",
    why="Amounts have up to 15 digits before the point and 15 after it, units up to 26 and 12. Every engine keeps "
    "these exactly, and nothing that is billed needs more.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.0000000000000001"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.000000000000001"),
)
NOT_PAYABLE = Rule(
    code="MS414",
    slug="part-of-minor-unit",
    title="A fee with more decimals than its currency",
    message="`{key}` is {value}, but {currency} has {decimals}; it is billed as {billed}",
    why="A fee is a line of its own on the invoice, and a line is rounded to the currency's minor unit. Amounts by the "
    "unit may have more decimals: they are multiplied before they are rounded.",
    bad=_spec('model = "flat"', 'currency = "EUR"', "base_fee = 19.999"),
    good=_spec('model = "flat"', 'currency = "EUR"', "base_fee = 19.99"),
    severity=Severity.WARNING,
)
NO_BASE_FEE = Rule(
    code="MS415",
    slug="no-base-fee",
    title="A combined price without its fee",
    message="the price is `combined` but has no `base_fee`, so only usage is billed",
    why="A combined price is a fee and usage. Where the fee was forgotten, nobody is billed for it.",
    bad=_spec('model = "combined"', 'currency = "EUR"', "unit_amount = 0.01"),
    good=_spec('model = "combined"', 'currency = "EUR"', "unit_amount = 0.01", "base_fee = 20"),
    severity=Severity.WARNING,
)
RATE_DIMENSION = Rule(
    code="MS420",
    slug="rate-dimension",
    title="A rate for a dimension that the meter does not group by",
    message="meter `{meter}` does not group by `{name}`, so no rate can match it",
    why="Usage is known by the dimensions of `group_by`; all else is summed away before it is priced.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        'rates = [{ match = { zone = "eu" }, unit_amount = 0.01 }]',
        regions=True,
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        'rates = [{ match = { region = "eu" }, unit_amount = 0.01 }]',
        regions=True,
    ),
)
UNREACHABLE_RATE = Rule(
    code="MS421",
    slug="unreachable-rate",
    title="A rate that never applies",
    message="no usage reaches this rate: an earlier one matches all of it",
    why="The first rate that matches wins, so narrow rates stand before wide ones.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        "rates = [",
        '  { match = { region = "eu" }, unit_amount = 0.01 },',
        '  { match = { region = "eu", customer_id = "c1" }, unit_amount = 0.005 },',
        "]",
        regions=True,
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        "rates = [",
        '  { match = { region = "eu", customer_id = "c1" }, unit_amount = 0.005 },',
        '  { match = { region = "eu" }, unit_amount = 0.01 },',
        "]",
        regions=True,
    ),
)
IMPOSSIBLE_MATCH = Rule(
    code="MS422",
    slug="impossible-match",
    title="A rate for a value that its dimension cannot have",
    message="no event has {value} as its `{name}`: {reason}",
    why="A rate for a misspelt value would leave the usage it is meant for to another price.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        'rates = [{ match = { region = "ue" }, unit_amount = 0.01 }]',
        regions=True,
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        'rates = [{ match = { region = "eu" }, unit_amount = 0.01 }]',
        regions=True,
    ),
)
NO_DEFAULT = Rule(
    code="MS423",
    slug="no-default-rate",
    title="Rates that may leave usage without a price",
    message="usage of meter `{meter}` that no rate matches has no price",
    why="Such usage cannot be invoiced: pricing stops with an error rather than give it away. A price beside the rates "
    "takes all that they do not match.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        'rates = [{ match = { region = "eu" }, unit_amount = 0.01 }]',
        regions=True,
    ),
    good=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "rates = [",
        '  { match = { region = "eu" }, unit_amount = 0.01 },',
        '  { match = { region = "us" }, unit_amount = 0.02 },',
        "]",
        regions=True,
    ),
    severity=Severity.WARNING,
)
EMPTY_MATCH = Rule(
    code="MS424",
    slug="empty-match",
    title="A rate that is for nothing in particular",
    message="`match` is empty, so the rate would be for all usage",
    why="The price of all usage that no rate matches stands beside `model`; there is one place for it.",
    bad=_spec(
        'model = "usage"',
        'currency = "EUR"',
        "unit_amount = 0.02",
        "rates = [{ match = {}, unit_amount = 0.01 }]",
        regions=True,
    ),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.02", regions=True),
)
BRIM_ABOVE_LIMIT = Rule(
    code="MS430",
    slug="brim-above-limit",
    title="A soft cap above the hard one",
    message="`brim_at` is {brim_at}, above `limit`, which is {limit}",
    why="Usage stops at the limit, so a soft cap above it is never reached.",
    bad="""
        [meter.tokens]
        kind = "counter"
        brim_at = 2_000_000
        limit = 1_000_000
    """,
    good="""
        [meter.tokens]
        kind = "counter"
        brim_at = 1_000_000
        limit = 2_000_000
    """,
)
IDLE_HOOK = Rule(
    code="MS431",
    slug="idle-hook",
    title="A hook that never runs",
    message="`{hook}` never runs: there is no {needed}",
    why="`on_brim` runs at the soft cap `brim_at`, `on_dry` where the `limit` is reached or the credits are used up, "
    "`on_low` where credits fall below `refill_below`. Without that level there is nothing to run it.",
    bad="""
        [meter.tokens]
        kind = "counter"
        on_brim = "alert.team"
    """,
    good="""
        [meter.tokens]
        kind = "counter"
        brim_at = 1_000_000
        on_brim = "alert.team"
    """,
    severity=Severity.WARNING,
)

_USAGE_KEYS = (
    "included_units",
    "tiers",
    "unit_amount",
    "tier_mode",
    "rates",
    "package_size",
    "package_rounding",
    "minimum_amount",
    "maximum_amount",
)
_FOREIGN = {
    PriceModel.USAGE: ("base_fee", "credits"),
    PriceModel.FLAT: (*_USAGE_KEYS, "credits"),
    PriceModel.COMBINED: ("credits",),
    PriceModel.PREPAID: ("base_fee", *_USAGE_KEYS[1:]),
}
"""The keys that a model does not have, in the order they are blamed."""
_DEFAULTS: dict[str, object] = {"tier_mode": "graduated", "package_rounding": "up"}
"""Keys that are never absent from the shape: only another value shows that they were written."""

_AMOUNTS = (15, 15)
_UNITS = (26, 12)
"""The most digits before and after the point; with a quantity's 12 decimals, units fill the 38 that engines keep."""
_MOST_COMPARISONS = 100_000
"""That are spent on proving that rates cover all usage."""
_KINDS: dict[Type, tuple[type, ...]] = {
    Type.STRING: (str,),
    Type.INT: (int, Decimal),
    Type.DECIMAL: (int, Decimal),
    Type.BOOL: (bool,),
}
_NO_VARIABLES: Mapping[str, Variable] = {}


def price(
    billing: shape.Billing,
    at: Place,
    out: Diagnostics,
    *,
    meter: str,
    dimensions: tuple[str, ...],
    environment: Mapping[str, Variable] = _NO_VARIABLES,
) -> Price | None:
    """The meaning of a `billing` table; None where one of the errors MS400 to MS424 is reported.

    `dimensions` are the fields that the meter groups by. With `environment`, which says what they can hold, a rate for
    a value that none of them has is reported too, and rates that cover all values need no default.
    """
    checked = _Table(billing, at, dimensions, environment)
    meaning = checked.price(meter)
    out.extend(checked.out)
    return None if checked.out.has_errors else meaning


def entitlement(table: shape.Billing | shape.ShortMeter, at: Place, out: Diagnostics) -> Entitlement:
    """The caps and hooks of a `billing` table or of a short meter; reports MS405, MS413, MS430 and MS431."""
    units = _Numbers(out, None)
    limit = units.units("limit", table.limit, at)
    brim_at = units.units("brim_at", table.brim_at, at)
    if limit is not None and brim_at is not None and brim_at > limit:
        hint = f"write at most {limit:f}"
        out.report(BRIM_ABOVE_LIMIT, at=at / "brim_at", hint=hint, brim_at=f"{brim_at:f}", limit=f"{limit:f}")
    credits_ = table.credits if isinstance(table, shape.Billing) else None
    low = credits_ and credits_.refill_below
    levels = {
        "on_brim": (table.brim_at is not None, "`brim_at`", "add `brim_at`, the soft cap"),
        "on_low": (low is not None, "`refill_below`", "add `refill_below` to the credits, or use `on_brim`"),
        "on_dry": (table.limit is not None or credits_ is not None, "`limit`", "add `limit`, the hard cap"),
    }
    for hook, (reached, needed, hint) in levels.items():
        if getattr(table, hook) is not None and not reached:
            out.report(IDLE_HOOK, at=(at / hook).key(), hint=hint, hook=hook, needed=needed)
    hooks = Hooks(on_brim=table.on_brim, on_low=table.on_low, on_dry=table.on_dry)
    return Entitlement(limit=limit, brim_at=brim_at, hooks=hooks, origin=at)


class _Numbers:
    """Reads amounts and numbers of units, and reports those that cannot be one."""

    def __init__(self, out: Diagnostics, currency: str | None) -> None:
        self.out = out
        self.currency = currency

    def amount(self, key: str, value: Decimal | None, at: Place) -> Decimal | None:
        """An amount in major units; None where it is absent or wrong."""
        return None if value is None else self._read(key, value, at / key, _AMOUNTS)

    def units(self, key: str, value: Decimal | None, at: Place, *, positive: bool = False) -> Decimal | None:
        """A number of units; None where it is absent or wrong."""
        return None if value is None else self._read(key, value, at / key, _UNITS, positive=positive)

    def fee(self, key: str, value: Decimal | None, at: Place) -> Decimal | None:
        """An amount that is a line of its own."""
        amount = self.amount(key, value, at)
        digits = currencies.DIGITS.get(self.currency or "")
        if amount is not None and digits is not None:
            billed = amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
            if billed != amount:
                decimals = {0: "no decimals", 1: "1 decimal"}.get(digits, f"{digits} decimals")
                self.out.report(
                    NOT_PAYABLE,
                    at=at / key,
                    hint=f"write {billed:f}",
                    key=key,
                    value=f"{amount:f}",
                    currency=self.currency,
                    decimals=decimals,
                    billed=f"{billed:f}",
                )
        return amount

    def _read(
        self, key: str, value: Decimal, at: Place, digits: tuple[int, int], *, positive: bool = False
    ) -> Decimal | None:
        if not self.fits(key, value, at, digits):
            return None
        if value < 0 or (positive and value == 0):
            rule = NOT_POSITIVE if positive else NEGATIVE
            hint = "write how many units it holds" if positive else "write 0 or more"
            self.out.report(rule, at=at, hint=hint, key=key, value=f"{value:f}")
            return None
        return value or Decimal(0)  # a zero has no sign

    def fits(self, key: str, value: Decimal, at: Place, digits: tuple[int, int]) -> bool:
        """Whether a number has no more than these digits before and after its point."""
        whole, decimals = digits
        fault = hint = None
        if value and value.adjusted() >= whole:
            fault = f"{value.adjusted() + 1} digits before the point; there are at most {whole}"
        elif value and _decimals(value) > decimals:
            fault = f"{_decimals(value)} decimals; there are at most {decimals}"
            hint = "price a package of units with `package_size`" if key == "unit_amount" else None
        if fault is not None:
            self.out.report(TOO_LONG, at=at, hint=hint, key=key, fault=fault)
        return fault is None


class _Table:
    """Checks one `billing` table; what it finds stands in `out`."""

    def __init__(
        self, billing: shape.Billing, at: Place, dimensions: tuple[str, ...], environment: Mapping[str, Variable]
    ) -> None:
        self.billing = billing
        self.at = at
        self.dimensions = dimensions
        self.environment = environment
        self.out = Diagnostics()
        self.numbers = _Numbers(self.out, billing.currency)

    def price(self, meter: str) -> Price:
        billing, at, numbers = self.billing, self.at, self.numbers
        model = PriceModel(billing.model)
        self.currency()
        self.keys(model)
        base_fee = numbers.fee("base_fee", billing.base_fee, at)
        included = numbers.units("included_units", billing.included_units, at)
        tiers = self.tiers(billing.tiers, billing.unit_amount, at)
        package_size = numbers.units("package_size", billing.package_size, at, positive=True)
        minimum = numbers.fee("minimum_amount", billing.minimum_amount, at)
        maximum = numbers.fee("maximum_amount", billing.maximum_amount, at)
        if minimum is not None and maximum is not None and minimum > maximum:
            place, hint = at / "minimum_amount", f"write at most {maximum:f}"
            self.out.report(MINIMUM_ABOVE_MAXIMUM, at=place, hint=hint, minimum=f"{minimum:f}", maximum=f"{maximum:f}")
        rates = tuple(self.rate(rate, at / "rates" / n, meter) for n, rate in enumerate(billing.rates or ()))
        self.reachable(rates)
        if model in {PriceModel.USAGE, PriceModel.COMBINED}:
            self.complete(meter, rates)
        return Price(
            model=model,
            currency=billing.currency,
            interval=CalendarUnit(billing.interval),
            base_fee=base_fee or Decimal(0),
            included_units=included or Decimal(0),
            tier_mode=TierMode(billing.tier_mode),
            tiers=tiers,
            package_size=package_size,
            package_rounding=Rounding(billing.package_rounding),
            minimum_amount=minimum,
            maximum_amount=maximum,
            rates=rates,
            credits=self.credits(billing.credits, at / "credits") if billing.credits else None,
            origin=at,
        )

    def currency(self) -> None:
        code = self.billing.currency
        if code in currencies.DIGITS:
            return
        at, edits, capitals = self.at / "currency", [], code.upper()
        if capitals in currencies.DIGITS:
            hint: str | None = f'write "{capitals}"'
            edits = [Edit(at, f'"{capitals}"')]
        elif capitals in currencies.REPLACED:
            hint = f'it was withdrawn; write "{currencies.REPLACED[capitals]}"'
        elif capitals in currencies.WITHOUT_MINOR_UNIT:
            hint = "it has no minor unit that an amount could be rounded to"
        else:
            hint = did_you_mean(code, currencies.DIGITS) or 'write a code of ISO 4217, such as "EUR"'
        self.out.report(UNKNOWN_CURRENCY, at=at, hint=hint, edits=edits, currency=code)

    def keys(self, model: PriceModel) -> None:
        """Reports keys that do not go with the model, or with each other."""
        billing, at = self.billing, self.at
        written = {key for key in _FOREIGN[model] if getattr(billing, key) not in (None, _DEFAULTS.get(key))}
        foreign = [key for key in _FOREIGN[model] if key in written]
        if foreign:
            first, *others = foreign
            self.out.report(
                FOREIGN_KEY,
                at=(at / first).key(),
                hint=self.model_hint(model, foreign),
                related=[((at / key).key(), "nor this") for key in others],
                model=model.value,
                keys=_listed(foreign),
            )
        elif model is PriceModel.FLAT and billing.base_fee is None:
            self.out.report(MISSING_KEY, at=at, hint="add `base_fee = ...`", model="flat", key="base_fee")
        elif model is PriceModel.PREPAID and billing.credits is None:
            hint = "add `credits = { pack = 1000, price = 90 }`: the units of a pack and what it costs"
            self.out.report(MISSING_KEY, at=at, hint=hint, model="prepaid", key="credits")
        elif model is PriceModel.COMBINED and billing.base_fee is None:
            hint = 'add `base_fee = ...`, or write `model = "usage"`'
            self.out.report(NO_BASE_FEE, at=at / "model", hint=hint)
        if billing.package_rounding != "up" and billing.package_size is None and not foreign:
            hint = "add `package_size = ...`, or leave it out"
            self.out.report(ROUNDING_WITHOUT_PACKAGE, at=(at / "package_rounding").key(), hint=hint)

    def model_hint(self, model: PriceModel, foreign: list[str]) -> str:
        """What to write instead of a model that does not have these keys."""
        billing = self.billing
        if model is not PriceModel.PREPAID and billing.credits is not None:
            return 'write `model = "prepaid"`, or leave out `credits`'
        if model is PriceModel.PREPAID and billing.credits is not None:
            return f"leave out {_listed(foreign)}: prepaid usage is paid for by the pack"
        other = "usage" if billing.base_fee is None else "combined"
        return f'write `model = "{other}"`'

    def tiers(self, written: list[shape.Tier] | None, unit_amount: Decimal | None, at: Place) -> tuple[Tier, ...]:
        """The tiers of a price or of a rate; `unit_amount` is one without an end."""
        if unit_amount is not None:
            if written is not None:
                hint = "leave out one of them"
                self.out.report(TWO_PRICES, at=(at / "unit_amount").key(), hint=hint)
            amount = self.numbers.amount("unit_amount", unit_amount, at)
            return (Tier(up_to=None, unit_amount=amount, origin=at),)
        self.bounds(written or [], at / "tiers")
        return tuple(self.tier(tier, at / "tiers" / n, n) for n, tier in enumerate(written or ()))

    def tier(self, written: shape.Tier, at: Place, index: int) -> Tier:
        if written.unit_amount is None and written.flat_amount is None:
            hint = "add `unit_amount = ...`; a tier that is free has `unit_amount = 0`"
            self.out.report(TIER_WITHOUT_AMOUNT, at=at, hint=hint, number=index + 1)
        return Tier(
            up_to=None if isinstance(written.up_to, str) else written.up_to,
            unit_amount=self.numbers.amount("unit_amount", written.unit_amount, at),
            flat_amount=self.numbers.fee("flat_amount", written.flat_amount, at),
            origin=at,
        )

    def bounds(self, tiers: list[shape.Tier], at: Place) -> None:
        """Reports bounds that do not rise from zero to infinity."""
        before = Decimal(0)
        for index, tier in enumerate(tiers):
            place, number = at / index / "up_to", index + 1
            if isinstance(tier.up_to, str):
                if number < len(tiers):
                    hint = "put the tier without an end last"
                    self.out.report(TIER_AFTER_INFINITY, at=at / number, hint=hint, number=number + 1, open=number)
                return
            if not self.numbers.fits("up_to", tier.up_to, place, _UNITS):
                return
            if tier.up_to <= before:
                where = f"{before:f}, where tier {index} ends" if index else "0, where usage begins"
                hint = "`up_to` counts all usage of the period"
                if tier.up_to > 0:
                    hint += f"; a tier of {tier.up_to:f} more units ends at {before + tier.up_to:f}"
                self.out.report(TIERS_FALL, at=place, hint=hint, number=number, up_to=f"{tier.up_to:f}", before=where)
            before = tier.up_to
        if tiers:
            hint = 'add a tier with `up_to = "infinity"`'
            self.out.report(LAST_TIER_BOUNDED, at=place, hint=hint, up_to=f"{before:f}")

    def rate(self, written: shape.Rate, at: Place, meter: str) -> Rate:
        if written.tiers is None and written.unit_amount is None:
            hint = "add `unit_amount = ...`"
            self.out.report(NO_USAGE_PRICE, at=at, hint=hint, what="this rate")
        if not written.match:
            hint = "move its price beside `model`, where it is for all usage that no rate matches"
            self.out.report(EMPTY_MATCH, at=at / "match", hint=hint)
        match: list[tuple[str, Scalar]] = []
        for name, value in written.match.items():
            place = at / "match" / name
            if name not in self.dimensions:
                hint = did_you_mean(name, self.dimensions) or f"add `{name}` to `group_by`"
                edits = corrections(place.key(), name, self.dimensions)
                self.out.report(RATE_DIMENSION, at=place.key(), hint=hint, edits=edits, meter=meter, name=name)
            elif isinstance(value, date):  # also an instant
                self.impossible(name, value, "a dimension is never a date", None, place)
            else:
                self.possible(name, value, place)
                match.append((name, value))
        tiers = self.tiers(written.tiers, written.unit_amount, at)
        return Rate(match=tuple(sorted(match, key=lambda pair: pair[0])), tiers=tiers, origin=at)

    def possible(self, name: str, value: str | int | bool | Decimal, at: Place) -> None:
        """Reports a value that the dimension cannot have."""
        variable = self.environment.get(name)
        kinds = _KINDS.get(variable.type) if variable else None
        if variable is None or kinds is None:
            return
        if not isinstance(value, kinds) or isinstance(value, bool) != (bool in kinds):
            self.impossible(name, value, f"it is of type {variable.type}", None, at)
        elif variable.values is not None and value not in variable.values:
            reason = f"its values are {_listed(list(variable.values))}"
            self.impossible(name, value, reason, did_you_mean(str(value), variable.values), at, variable.values)

    def impossible(
        self, name: str, value: object, reason: str, hint: str | None, at: Place, values: Iterable[str] = ()
    ) -> None:
        shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
        edits = corrections(at, value, values, quoted=True) if isinstance(value, str) else ()
        self.out.report(IMPOSSIBLE_MATCH, at=at, hint=hint, edits=edits, value=shown, name=name, reason=reason)

    def reachable(self, rates: tuple[Rate, ...]) -> None:
        """Reports rates whose usage an earlier one matches: one that asks for no more than they do."""
        seen: dict[tuple[str, ...], dict[tuple[object, ...], Rate]] = {}
        for rate in rates:
            values = {name: (isinstance(value, bool), value) for name, value in rate.match}
            for names, earlier in seen.items():
                if all(name in values for name in names) and (
                    first := earlier.get(tuple(values[name] for name in names))
                ):
                    related = [(first.origin, "matches first")] if first.origin else []
                    hint = "put the narrower rate first, or leave one of them out"
                    self.out.report(UNREACHABLE_RATE, at=rate.origin, hint=hint, related=related)
                    break
            if values:
                seen.setdefault(tuple(values), {}).setdefault(tuple(values.values()), rate)

    def complete(self, meter: str, rates: tuple[Rate, ...]) -> None:
        """Reports usage that has no price."""
        if self.billing.tiers is not None or self.billing.unit_amount is not None:
            return
        if not rates:
            hint = "add `unit_amount = ...` or `tiers = [...]`"
            what = f"the price of meter `{meter}`"
            self.out.report(NO_USAGE_PRICE, at=self.at / "model", hint=hint, what=what)
        elif not self.out.has_errors and not self.covered(rates):
            hint = "add `unit_amount = ...` beside `model`, the price of all other usage"
            self.out.report(NO_DEFAULT, at=self.at / "rates", hint=hint, meter=meter)

    def covered(self, rates: tuple[Rate, ...]) -> bool:
        """Whether the rates are known to match all usage: those of closed dimensions have every combination."""
        closed: dict[str, tuple[object, ...]] = {}
        for name in {name for rate in rates for name, _ in rate.match}:
            variable = self.environment.get(name)
            values = (True, False) if variable and variable.type is Type.BOOL else variable and variable.values
            if variable and values and not variable.nullable:
                closed[name] = values
        wanted = [dict(rate.match) for rate in rates]
        wanted = [match for match in wanted if match.keys() <= closed.keys()]
        names = sorted({name for match in wanted for name in match})
        if prod(len(closed[name]) for name in names) * len(wanted) > _MOST_COMPARISONS:
            return False
        for combination in product(*(closed[name] for name in names)):
            usage = dict(zip(names, combination, strict=True))
            if not any(match.items() <= usage.items() for match in wanted):
                return False
        return True

    def credits(self, written: shape.Credits, at: Place) -> Credits:
        numbers = self.numbers
        return Credits(
            pack=numbers.units("pack", written.pack, at, positive=True) or Decimal(1),
            price=numbers.fee("price", written.price, at) or Decimal(0),
            refill_below=numbers.units("refill_below", written.refill_below, at),
            hard=written.hard,
            origin=at,
        )


def _decimals(value: Decimal) -> int:
    """The decimals of a number, zeros at its end not counted."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    for digit in reversed(digits):
        if digit or exponent >= 0:
            break
        exponent += 1
    return max(0, -exponent)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
