"""What Stripe cannot express, and what it would not take: found before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from meterspec.backends.base import UNSUPPORTED, Feature, needs
from meterspec.backends.stripe.bodies import (
    DESCRIPTION,
    FEATURE_TEXT,
    LARGEST,
    UNIT_LABEL,
    alert_at,
    billed,
    feature_key,
    minor_units,
    pack_unit_amount,
    steps,
    unit_tiers,
)
from meterspec.currencies import stripe_digits, stripe_step
from meterspec.diagnostics import Diagnostics, Rule, Severity
from meterspec.ir import (
    CalendarWindow,
    Credits,
    Function,
    Meter,
    MeterKind,
    Price,
    PriceModel,
    Program,
    TierMode,
)
from meterspec.source import Place

__all__ = ["NO_EXPORT", "SUPPORTS", "check", "subjects", "support_table"]


def _spec(*billing: str, meter: str = "", name: str = "calls") -> str:
    """A billing meter with these lines in its price."""
    return "\n".join(
        [
            'families = [{ name = "api.call" }]',
            "[[meters]]",
            f'name = "{name}"',
            'kind = "billing"',
            *([meter] if meter else []),
            'source = { kind = "family", family = "api.call" }',
            'aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }',
            "[meters.billing]",
            *billing,
        ]
    )


NOT_AT_STRIPE = Rule(
    code="MS610",
    slug="not-at-stripe",
    title="A part of a price that Stripe does not have",
    message="the price of meter `{meter}` has {construct}, and Stripe does not",
    why="A price that Stripe cannot keep would bill other amounts there than here. It is refused by name, never "
    "approximated.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", "minimum_amount = 20"),
    good=_spec('model = "combined"', 'currency = "EUR"', "unit_amount = 0.1", "base_fee = 20", "included_units = 200"),
)
TOO_FINE = Rule(
    code="MS611",
    slug="too-fine-for-stripe",
    title="An amount with more decimals than Stripe keeps",
    message="`unit_amount` is {amount} in the minor unit of {currency}: {count} decimals, and Stripe keeps 12",
    why="Stripe takes the amount of a unit in minor units (cents) with at most 12 decimals. A rounded amount would "
    "bill something else.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.000000000000001"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.00000000000001"),
)
TOO_LONG = Rule(
    code="MS612",
    slug="too-long-for-stripe",
    title="A text that is longer than Stripe takes, and left out",
    message="`{key}` has {count} characters; Stripe takes {most}, so it is left out there",
    why="The label of a unit and the description of a product are words on an invoice. A text cut short could mean "
    "something else, so Stripe gets none.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", meter='unit = "{api calls a day}"'),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", meter='unit = "{call}"'),
    severity=Severity.WARNING,
)
UNKNOWN_TO_STRIPE = Rule(
    code="MS613",
    slug="currency-unknown-to-stripe",
    title="A currency whose amounts Stripe is not known to take",
    message="it is not known that Stripe takes {currency}, or in which unit",
    why="Stripe charges in some currencies alone, and an amount in the wrong unit is wrong by a factor of ten or more, "
    "so none is guessed.",
    bad=_spec('model = "usage"', 'currency = "CLF"', "unit_amount = 1"),
    good=_spec('model = "usage"', 'currency = "CLP"', "unit_amount = 1"),
)
STEP = Rule(
    code="MS614",
    slug="step-of-stripe",
    title="An amount between those that Stripe takes in a currency",
    message="{what}, and Stripe takes {currency} in multiples of {step}",
    why="For a few currencies Stripe's amounts have digits that must be zero (ISK, UGX, and the last one of BHD, JOD, "
    "KWD, OMR and TND), or lack the minor unit (MGA). Whole quantities times such multiples are billed alike on both "
    "sides; anything else is rounded differently.",
    bad=_spec('model = "usage"', 'currency = "ISK"', "unit_amount = 0.5"),
    good=_spec('model = "usage"', 'currency = "ISK"', "unit_amount = 1"),
)
MANY_TIERS = Rule(
    code="MS615",
    slug="many-tiers-for-stripe",
    title="More tiers than are known to work",
    message="the price of meter `{meter}` has {count} tiers at Stripe, and up to 100 are known to work",
    why="Stripe documents no limit of its tiers; up to 100 are known to be in use.",
    severity=Severity.WARNING,
)
CALENDAR = Rule(
    code="MS616",
    slug="calendar-at-stripe",
    title="Calendar periods, which Stripe's subscriptions have only where they are anchored",
    message="meter `{meter}` counts by the calendar {unit}, and Stripe from the day that a subscription starts",
    why="Stripe sums usage over the period of the subscription. That is the calendar's only where every subscription "
    "has its `billing_cycle_anchor` at the period's start, at midnight UTC.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "month", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.1 }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.1 }
    """,
    severity=Severity.WARNING,
)
LARGE = Rule(
    code="MS617",
    slug="large-for-stripe",
    title="An amount of more digits than a payment at Stripe has",
    message="`{key}` is {amount} in the minor unit of {currency}; a payment at Stripe has at most {most} digits",
    why="An invoice beyond it cannot be paid by card in one payment.",
    bad=_spec('model = "flat"', 'currency = "EUR"', "base_fee = 1_000_000"),
    good=_spec('model = "flat"', 'currency = "EUR"', "base_fee = 999_999.99"),
    severity=Severity.WARNING,
)
THOUSANDTHS = Rule(
    code="MS669",
    slug="thousandths-at-stripe",
    title="A currency that is sent to Stripe in thousandths, which its page no longer says",
    message="amounts in {currency} are sent to Stripe in thousandths, as its page of currencies had it until 2025",
    why="Stripe described currencies of three decimals there, and the page says nothing of them now. Where Stripe took "
    "the amounts for hundredths, every one would be ten times too large.",
    bad=_spec('model = "usage"', 'currency = "KWD"', "unit_amount = 1"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 1"),
    severity=Severity.WARNING,
)


def _loads(function: str) -> str:
    """A billing meter of the load of machines."""
    return f"""
        [[families]]
        name = "gpu.lease"
        schema.load = {{ type = "integer", required = true, min = 0, max = 100 }}
        [[meters]]
        name = "load"
        kind = "billing"
        source = {{ kind = "family", family = "gpu.lease" }}
        aggregate = {{ fn = "{function}", value = "load", window = "billing_cycle", group_by = ["customer_id"] }}
        billing = {{ model = "usage", currency = "EUR", unit_amount = 0.5 }}
    """


RUNNING = Rule(
    code="MS620",
    slug="running-value-at-stripe",
    title="A function that Stripe does not have, sent as a running value",
    message="{feature} has no formula at Stripe: meter `{meter}` is billed by the last value that is sent",
    why="Stripe counts, adds up, or takes the last value of the period. Any other quantity is computed here and sent "
    "as it stands, so it is exact once it has been sent after the last event of the period, and before the invoice is "
    "final. Usage that is sent less often is billed as of the last time.",
    bad=_loads("MAX"),
    good=_loads("SUM"),
    severity=Severity.WARNING,
)
ALERT_ONCE = Rule(
    code="MS621",
    slug="alert-once-at-stripe",
    title="A soft cap, which Stripe alerts of once",
    message="`brim_at` of meter `{meter}` is reached anew in every period, and Stripe alerts of it once a customer",
    why="An alert at Stripe goes off the first time that usage reaches it, and is then spent. `meterspec status` tells "
    "who is above the soft cap in each period.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", "brim_at = 1000"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1"),
    severity=Severity.WARNING,
)
NO_ALERT = Rule(
    code="MS622",
    slug="no-alert-at-stripe",
    title="A soft cap that Stripe cannot alert at",
    message="`brim_at = {level}` of meter `{meter}` has no alert at Stripe: {reason}",
    why="An alert at Stripe has a whole number above zero, of what a billing meter has counted. One that is rounded "
    "would go off at another level, so none is made; `meterspec status` keeps to the exact one.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", "brim_at = 0.5"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1"),
    severity=Severity.WARNING,
)
LIMIT = Rule(
    code="MS623",
    slug="limit-at-stripe",
    title="A hard cap, which Stripe knows but does not keep",
    message="the `limit` of meter `{meter}` stops nothing at Stripe: the application has to",
    why="The limit becomes a feature of the product, which says who is entitled and how far, in its metadata. Usage "
    "that is sent is billed, whether it is beyond the limit or not.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", "limit = 1000"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1"),
    severity=Severity.WARNING,
)
CREDITS = Rule(
    code="MS624",
    slug="credits-at-stripe",
    title="Prepaid units, which are money at Stripe",
    message="the packs of meter `{meter}` are credits of money at Stripe: {amount} {currency} for each, {unit} a unit",
    why="Stripe draws credits down when an invoice becomes final, each invoice rounded to the minor unit. It buys no "
    "pack where credits are low, and stops nothing where they are used up: usage beyond them is invoiced by the unit. "
    "The application sells packs, at the price with the key `pack`, and grants the credits.",
    bad=_spec('model = "prepaid"', 'currency = "EUR"', "credits = { pack = 1000, price = 90 }"),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.09"),
    severity=Severity.WARNING,
)
LONG_FEATURE = Rule(
    code="MS625",
    slug="name-too-long-for-a-feature",
    title="A name that is longer than that of a feature at Stripe can be",
    message="the feature of meter `{meter}` would have a key of {count} characters; Stripe takes {most}",
    why="The limit of a meter becomes a feature at Stripe, and the name of the meter is in its key.",
    bad=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1", "limit = 1000", name="a" + "-call" * 16),
    good=_spec('model = "usage"', 'currency = "EUR"', "unit_amount = 0.1"),
)

NO_EXPORT = Rule(
    code="MS626",
    slug="no-usage-export",
    title="An engine that usage cannot be exported from to Stripe",
    message="usage of meter `{meter}` is not exported to Stripe from {target}, which has no hash function",
    why="What is sent is told apart by a hash, and its value is a decimal; a script without them would not run.",
    severity=Severity.WARNING,
)

SUPPORTS = frozenset(
    {
        *(Feature[function.name] for function in Function),
        Feature.RATIO,
        Feature.SEVERAL_FAMILIES,
        Feature.BILLING_CYCLE,
        Feature.CALENDAR,
        Feature.LOCAL_TIME,
    }
)
"""A filter and a value are computed before usage is sent, so Stripe needs to know neither."""
_FORMULAS = frozenset({Feature.COUNT, Feature.SUM, Feature.LAST})
"""The functions that Stripe has; the others are sent as running values."""
_ADDED_UP = frozenset({Function.COUNT, Function.SUM, Function.TIME_WEIGHTED})
"""The functions whose groups make up the quantity of a customer."""

_LONGEST_NAME = FEATURE_TEXT - len("meterspec:")
_DECIMALS = 12
_KNOWN_TIERS = 100
_PAYMENT_DIGITS = {"IDR": 12, "INR": 9}
_MANY_PAYMENT_DIGITS = 8
_ELSEWHERE = "invoice this meter from the SQL target, `--target sql`"


def subjects(program: Program) -> tuple[Meter, ...]:
    """The meters that Stripe is about: those that are billed and have a price."""
    return tuple(m for m in program.meters if m.kind is MeterKind.BILLING and m.price is not None)


def support_table() -> str:
    """What Stripe is known to keep of a meter, in Markdown."""

    def kept(feature: Feature) -> str:
        is_function = feature is Feature.RATIO or feature.value in Function.__members__
        if feature not in SUPPORTS:
            return "refused, MS600"
        if feature is Feature.CALENDAR:
            return "yes, where subscriptions are anchored at the start of the period, MS616"
        if not is_function:
            return "yes"
        return "yes, by a formula" if feature in _FORMULAS else "as a running value that is sent, MS620"

    rows = [f"| {feature.value} | {kept(feature)} |" for feature in Feature]
    return "\n".join(["| a meter with | is kept at Stripe |", "| --- | --- |", *rows]) + "\n"


def check(program: Program, out: Diagnostics) -> None:
    """Reports all that Stripe cannot keep, MS600 for meters, MS610 to MS625 and MS669 for prices: what to write."""
    for meter in subjects(program):
        assert meter.price is not None
        if meter.price.model is not PriceModel.FLAT:
            _check_meter(meter, out)
        _check_texts(meter, out)
        _check_caps(meter, meter.price, out)
        expressible = True
        for construct, at, hint in _foreign(meter.price):
            out.report(NOT_AT_STRIPE, at=at, hint=hint, construct=construct, meter=meter.name)
            expressible = False
        if stripe_digits(meter.price.currency) is None:
            at = meter.price.origin and meter.price.origin / "currency"
            out.report(UNKNOWN_TO_STRIPE, at=at, hint=_ELSEWHERE, currency=meter.price.currency)
            continue
        if stripe_digits(meter.price.currency) == 3:
            at = meter.price.origin and meter.price.origin / "currency"
            hint = "look at the amount of one price in the dashboard before anybody is billed"
            out.report(THOUSANDTHS, at=at, hint=hint, currency=meter.price.currency)
        if expressible:
            _Amounts(meter, meter.price, out).check()


def _check_meter(meter: Meter, out: Diagnostics) -> None:
    """What of the meter itself has to fit: its function, its windows, its groups."""
    for feature, at in needs(meter):
        if feature not in SUPPORTS:
            hint = 'write `window = "billing_cycle"`' if feature is Feature.TIME_ZONE else _ELSEWHERE
            out.report(
                UNSUPPORTED, at=at, hint=hint, target="stripe", feature=feature.value, user=f"meter `{meter.name}`"
            )
        elif (feature is Feature.RATIO or feature.value in Function.__members__) and feature not in _FORMULAS:
            hint = "send its usage until the period has ended: `stripe/usage_export`"
            out.report(RUNNING, at=at, hint=hint, feature=feature.value, meter=meter.name)
    at = meter.origin and meter.origin / "aggregate"
    if isinstance(meter.window, CalendarWindow) and meter.window.timezone == "UTC":
        hint = 'write `window = "billing_cycle"`, or anchor every subscription'
        unit = meter.window.unit.value
        out.report(CALENDAR, at=at and at / "window", hint=hint, meter=meter.name, unit=unit)
    function = meter.aggregate.function if meter.aggregate is not None else None
    if function not in _ADDED_UP and len(meter.group_by) > 1:
        hint, place = "group by the customer alone", at and at / "group_by"
        words = f"{'a ratio' if function is None else function.value} by more than the customer"
        out.report(UNSUPPORTED, at=place, hint=hint, target="stripe", feature=words, user=f"meter `{meter.name}`")


def _check_caps(meter: Meter, price: Price, out: Diagnostics) -> None:
    """What of the caps Stripe keeps only in part."""
    caps, at = meter.entitlement, meter.entitlement.origin
    if caps.brim_at is not None:
        place, hint = at and at / "brim_at", "ask `meterspec status` in each period"
        if alert_at(meter) is not None:
            out.report(ALERT_ONCE, at=place, hint=hint, meter=meter.name)
        else:
            reason = f"it is not a whole number from 1 to {LARGEST}"
            if price.model is PriceModel.FLAT:
                reason = "a flat price has no billing meter"
            level = f"{caps.brim_at:f}"
            out.report(NO_ALERT, at=place, hint=hint, meter=meter.name, level=level, reason=reason)
    if caps.limit is not None:
        count = len(feature_key(meter))
        if count > FEATURE_TEXT:
            place, hint = meter.origin and meter.origin / "name", f"write a name of at most {_LONGEST_NAME} characters"
            out.report(LONG_FEATURE, at=place, hint=hint, meter=meter.name, count=count, most=FEATURE_TEXT)
            return
        hint = "ask `meterspec status`, or the feature's `meterspec_limit`, before more is used"
        out.report(LIMIT, at=at and at / "limit", hint=hint, meter=meter.name)


def _check_texts(meter: Meter, out: Diagnostics) -> None:
    for key, text, most in (("unit", meter.unit, UNIT_LABEL), ("description", meter.description, DESCRIPTION)):
        if text is not None and len(text) > most:
            at = meter.origin and meter.origin / key
            out.report(TOO_LONG, at=at, hint=f"write at most {most}", key=key, count=len(text), most=most)


def _foreign(price: Price) -> Iterator[tuple[str, Place | None, str]]:
    """The parts of a price that Stripe does not have: in words, their place, and what to write instead."""
    at = price.origin
    if price.credits is not None:
        yield from _foreign_credits(price)
    if price.rates:
        hint = "write a meter for each rate, with a `filter` such as `region == 'eu'` and a price of its own"
        yield "rates by dimension", at and at / "rates", hint
    if price.minimum_amount is not None:
        hint = 'write `model = "combined"` with a `base_fee` and the `included_units` that it pays for'
        yield "a minimum amount", at and at / "minimum_amount", hint
    if price.maximum_amount is not None:
        hint = "end the tiers with one of `unit_amount = 0`"
        yield "a maximum amount", at and at / "maximum_amount", hint
    if price.package_size is not None:
        yield from _foreign_packages(price)
        return
    if price.included_units and price.tier_mode is TierMode.VOLUME and len(price.tiers) > 1:
        hint = 'leave them out, or write `tier_mode = "graduated"`'
        yield "included units beside volume tiers", at and at / "included_units", hint
    yield from _foreign_number("a bound", price.included_units, at and at / "included_units")
    for tier in price.tiers:
        if tier.up_to is not None:
            yield from _foreign_number("a bound", tier.up_to, tier.origin and tier.origin / "up_to")


def _foreign_credits(price: Price) -> Iterator[tuple[str, Place | None, str]]:
    """Packs are credits of money, so each unit has a price, and a pack one that can be granted."""
    assert price.credits is not None
    at = price.credits.origin
    decimals = stripe_digits(price.currency)
    amount = pack_unit_amount(price)
    if not price.credits.price:
        yield "packs that cost nothing", at and at / "price", "write `included_units`, which are free in every period"
    elif decimals is not None and (amount is None or len(minor_units(amount, price.currency).partition(".")[2]) > 12):
        hint = "write a price that the units of a pack divide into at most 12 decimals of the minor unit"
        yield "packs whose units have no exact price", at and at / "price", hint


def _foreign_packages(price: Price) -> Iterator[tuple[str, Place | None, str]]:
    at = price.origin
    assert price.package_size is not None
    yield from _foreign_number("a package", price.package_size, at and at / "package_size")
    if len(price.tiers) > 1 or any(tier.flat_amount for tier in price.tiers):
        hint = "write one `unit_amount`, or leave out `package_size`"
        yield "packages beside tiers", at and at / "package_size", hint
    elif price.included_units:
        hint = "leave out `included_units` or `package_size`"
        yield "packages beside included units", at and at / "included_units", hint


class _Amounts:
    """Checks the amounts of a price that Stripe can express otherwise."""

    def __init__(self, meter: Meter, price: Price, out: Diagnostics) -> None:
        self.meter = meter
        self.price = price
        self.out = out
        self.step = stripe_step(price.currency)

    def check(self) -> None:
        price = self.price
        if price.base_fee:
            self.fee("base_fee", price.base_fee, price.origin)
        if price.credits is not None:
            self.credits(price.credits)
        for tier in price.tiers:
            if tier.unit_amount:
                self.unit_amount(tier.unit_amount, tier.origin)
            if tier.flat_amount:
                self.fee("flat_amount", tier.flat_amount, tier.origin)
        count = sum(1 for _ in steps(price))
        if count > _KNOWN_TIERS:
            at = price.origin and price.origin / "tiers"
            hint = f"write at most {_KNOWN_TIERS} tiers, or {_ELSEWHERE}"
            self.out.report(MANY_TIERS, at=at, hint=hint, meter=self.meter.name, count=count)
        if self.step is not None and unit_tiers(price) and not self.whole_units():
            hint = "write `precision = 0`"
            self.between(f"meter `{self.meter.name}` counts parts of a unit", self.meter.origin, "precision", hint)

    def credits(self, credits_: Credits) -> None:
        """Reports what packs are at Stripe, where their amounts are some that it takes."""
        self.fee("price", credits_.price, credits_.origin)
        amount = pack_unit_amount(self.price)
        assert amount is not None
        if self.step is not None and amount % self.step:
            hint = "write a `pack` whose units cost a multiple of the step"
            self.between(f"a unit of a pack costs {amount:f}", credits_.origin, "price", hint)
        self.out.report(
            CREDITS,
            at=credits_.origin,
            hint="sell packs and grant their credits from your application, by the body `credit_grant`",
            meter=self.meter.name,
            amount=f"{billed(credits_.price, self.price.currency):f}",
            currency=self.price.currency,
            unit=f"{amount:f}",
        )

    def unit_amount(self, amount: Decimal, at: Place | None) -> None:
        currency = self.price.currency
        minor = minor_units(amount, currency)
        count = len(minor.partition(".")[2])
        if count > _DECIMALS:
            place, hint = at and at / "unit_amount", "price a package of units with `package_size`"
            self.out.report(TOO_FINE, at=place, hint=hint, amount=minor, currency=currency, count=count)
        else:
            self.multiple("unit_amount", amount, at)
            self.payable("unit_amount", amount, at)

    def fee(self, key: str, amount: Decimal, at: Place | None) -> None:
        amount = billed(amount, self.price.currency)
        self.multiple(key, amount, at)
        self.payable(key, amount, at)

    def payable(self, key: str, amount: Decimal, at: Place | None) -> None:
        """Reports an amount that alone is more than one payment can be."""
        currency = self.price.currency
        most = _PAYMENT_DIGITS.get(currency, _MANY_PAYMENT_DIGITS)
        minor = minor_units(amount, currency)
        if len(minor.partition(".")[0]) > most:
            place, hint = at and at / key, "have the invoice paid in several payments, or write a smaller amount"
            self.out.report(LARGE, at=place, hint=hint, key=key, amount=minor, currency=currency, most=most)

    def multiple(self, key: str, amount: Decimal, at: Place | None) -> None:
        """Reports an amount that is no multiple of the currency's step at Stripe."""
        if self.step is not None and amount % self.step:
            below = amount // self.step * self.step
            nearest = [f"{each:f}" for each in (below, below + self.step) if each]
            self.between(f"`{key}` is {amount:f}", at, key, f"write {' or '.join(nearest)}")

    def between(self, what: str, at: Place | None, key: str, hint: str) -> None:
        place = at and at / key
        self.out.report(STEP, at=place, hint=hint, what=what, currency=self.price.currency, step=self.step)

    def whole_units(self) -> bool:
        """Whether the quantity that is multiplied is always a whole number."""
        aggregate = self.meter.aggregate
        counted = aggregate is not None and aggregate.function is Function.COUNT
        return counted or self.meter.precision == 0 or self.price.package_size is not None


def _foreign_number(what: str, number: Decimal, at: Place | None) -> Iterator[tuple[str, Place | None, str]]:
    """A number of units that is none for Stripe, which takes whole ones alone."""
    if number != number.to_integral_value():
        yield f"a fraction of a unit as {what}", at, "write a whole number, or count in a smaller unit"
    elif number > LARGEST:
        yield f"{what} of more than {LARGEST} units", at, "write a smaller number, or count in a larger unit"
