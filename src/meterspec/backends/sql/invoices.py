"""Invoices as views: the price of a meter applied to its quantities, line by line, with whole numbers alone.

A price becomes a small relation of constants, one row for every line that an invoice may have. Each customer and period
is put beside all of them, and those that apply stay. `pricing` is the same in Python; `docs/pricing.md` has the rules.

All numbers are whole, in the scales of `_Scales`; `_bounds` knows the greatest of every step, so that none needs more
than 38 digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from sqlglot import exp

from meterspec import exact
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import NARROW, WIDE, Dialect
from meterspec.backends.sql.expressions import Lowering
from meterspec.backends.sql.meters import PER
from meterspec.backends.sql.scans import Stages, periods_view
from meterspec.cel.tree import Call, Expr, FieldRef, Literal
from meterspec.cel.types import Type, Variable
from meterspec.currencies import digits
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import (
    ADDITIVE,
    FieldType,
    Function,
    Meter,
    Price,
    PriceModel,
    Program,
    Rounding,
    Scalar,
    Tier,
    TierMode,
    variables,
)

__all__ = ["INVOICES", "INVOICE_LINES", "Part", "check_prices", "invoice_views", "parts"]

INVOICE_LINES = "meterspec_invoice_lines"
"""The view of the priced lines of every invoice."""
INVOICES = "meterspec_invoices"
"""The view of what every invoice comes to."""

TOO_LARGE = Rule(
    code="MS650",
    slug="amount-too-large-for-engines",
    title="A price whose amounts engines may not be able to keep",
    message="{what} of meter `{meter}` may need {digits} digits; engines keep 38",
    why="An invoice is computed in whole numbers of 38 digits, on every engine. A price whose amounts are proved to "
    "fit them cannot fail on any usage.",
)
RATIO_GROUPS = Rule(
    code="MS651",
    slug="ratio-by-groups",
    title="A price for a ratio of several groups of one customer",
    message="meter `{meter}` is a ratio by {groups}, and a price needs one ratio for each customer",
    why="The ratio of several groups is not the sum of theirs, so what all of them are billed for is no number yet.",
)

_LONGEST = 9999 * 366 * 86_400 * 10**6
"""Microseconds of the longest window."""
_PERIODS = 10_000
"""How many periods a prepaid balance can be carried through: monthly, that is 800 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is billed at one rate: a meter of the quantities, all of them or those of the rate alone."""

    meter: Meter
    rate: int | None
    """The number of the rate, None for all that no rate matches."""


def parts(program: Program, meter: Meter) -> tuple[Part, ...]:
    """The meters whose quantities are billed where those of a billing meter's groups do not add; else none.

    AVG, MIN, MAX, FIRST, LAST and UNIQUE of several groups come from the events of all of them: for each rate there is
    a meter of the events that it matches, by customer alone.
    """
    assert meter.price is not None
    if meter.aggregate is None or meter.aggregate.function in ADDITIVE or len(meter.group_by) == 1:
        return ()
    environment = variables(program.families_of(meter))
    found, earlier = [], list[Expr]()
    for number, rate in enumerate(meter.price.rates):
        matches = _all([_equals(environment[name], value) for name, value in rate.match])
        found.append(_part(meter, number, [*map(_not, earlier), matches]))
        earlier.append(matches)
    return (*found, _part(meter, None, [*map(_not, earlier)]))


def _part(meter: Meter, rate: int | None, conditions: list[Expr]) -> Part:
    kept = [*([meter.filter] if meter.filter is not None else []), *conditions]
    what = f"rate {rate + 1}" if rate is not None else "all rates" if not conditions else "no rate"
    own = replace(
        meter,
        name=f"{meter.name} at {what}",  # no name of a spec has a space
        sql_name=f"meterspec_part_{_digest((meter.name, rate))}",
        description=f"What meter `{meter.name}` bills a customer for at {what}.",
        filter=_all(kept) if kept else None,
        group_by=meter.group_by[:1],
    )
    return Part(meter=own, rate=rate)


def _all(conditions: Sequence[Expr]) -> Expr:
    first, *others = conditions
    for other in others:
        first = Call("logical_and", (first, other), Type.BOOL)
    return first


def _not(condition: Expr) -> Expr:
    return Call("logical_not", (condition,), Type.BOOL)


def _equals(variable: Variable, value: Scalar) -> Expr:
    """That a dimension has a value; a missing one has none."""
    assert isinstance(value, str | int | Decimal)
    kind = Type.INT if isinstance(value, int) and not isinstance(value, bool) else variable.type
    if isinstance(value, Decimal):
        kind = Type.DECIMAL
    return Call("equals", (FieldRef(variable.name, variable.type), Literal(value, kind)), Type.BOOL)


# What fits ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scales:
    """The decimals of the whole numbers that the invoice lines of a meter are computed in."""

    units: int
    """Of quantities, of packages, and of what they are compared with."""
    price: int
    """Of amounts of a unit, and of fees."""
    minor: int
    """Of amounts: those of the currency."""

    @property
    def step(self) -> int:
        """What a quantity times the amount of a unit is divided by."""
        return _power(self.units + self.price - self.minor)


def _power(decimals: int) -> int:
    power: int = 10**decimals
    return power


def _scales(meter: Meter, price: Price) -> _Scales:
    units = [price.included_units, *(tier.up_to for tier in _tiers(price) if tier.up_to is not None)]
    units += [price.package_size] if price.package_size is not None else []
    amounts = [amount for tier in _tiers(price) for amount in (tier.unit_amount, tier.flat_amount) if amount]
    amounts += [fee for fee in (price.base_fee, price.minimum_amount, price.maximum_amount) if fee]
    if price.credits is not None:
        units += [price.credits.pack, price.credits.refill_below or Decimal(0)]
        amounts.append(price.credits.price)
    minor = digits(price.currency)
    return _Scales(max(meter.precision, *map(_decimals, units)), max([minor, *map(_decimals, amounts)]), minor)


def _decimals(value: Decimal) -> int:
    """The decimals of a number, zeros at its end not counted."""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _tiers(price: Price) -> list[Tier]:
    """The tiers of a price and of its rates."""
    return [*price.tiers, *(tier for rate in price.rates for tier in rate.tiers)]


def _whole(value: Decimal | None, scale: int) -> int:
    """A number as a whole number of 10^-scale; 0 for none."""
    number = Fraction(value or 0) * _power(scale)
    assert number.denominator == 1
    return number.numerator


def _most(program: Program, meter: Meter) -> int:
    """The greatest quantity of a customer in a period, as a whole number of 10^-precision; at most what is kept."""
    if meter.aggregate is None:
        return WIDE
    families = program.families_of(meter)
    events = max(family.max_events for family in families)
    function, value = meter.aggregate.function, meter.aggregate.value
    quantity = Fraction(events)
    if function not in {Function.COUNT, Function.UNIQUE}:
        assert value is not None
        number = exact.scaled(value, variables(families))
        quantity = abs(number.ratio) * number.whole.bounds.magnitude
        if function is Function.SUM:
            quantity *= events
        elif meter.aggregate.per is not None:
            quantity *= Fraction(_LONGEST, PER[meter.aggregate.per])
    # The quantity of each group is rounded, which may add one to it.
    return min(WIDE, int(quantity * 10**meter.precision) + 1 + (events if function in ADDITIVE else 0))


@dataclass(frozen=True, slots=True)
class _Columns:
    """The decimals of the columns that the lines of all meters share."""

    quantity: int
    unit_amount: int
    amount: int


def _shared(meters: Sequence[Meter]) -> _Columns:
    scales = [_scales(meter, meter.price) for meter in meters if meter.price is not None]
    return _Columns(*(max(each) for each in zip(*((one.units, one.price, one.minor) for one in scales), strict=True)))


def _bounds(program: Program, meter: Meter, columns: _Columns) -> Iterator[tuple[str, int]]:
    """The greatest number of every step from a quantity to the columns of the views, in words."""
    price = meter.price
    assert price is not None
    scales = _scales(meter, price)
    count = _most(program, meter) * 10 ** (scales.units - meter.precision)
    yield "the quantity", count * 10 ** (columns.quantity - scales.units)
    if price.package_size is not None:
        size = _whole(price.package_size, scales.units)
        yield "the quantity", count + size
        count = (count // size + 1) * 10**scales.units
        yield "the number of packages", count * 10 ** (columns.quantity - scales.units)
    total = 0
    for tier in _tiers(price):
        unit = _whole(tier.unit_amount, scales.price)
        yield "the amount of a tier", 2 * min(count, scales.step) * unit + scales.step
        total += count * unit // scales.step + 1 + _whole(tier.flat_amount, scales.price)
    if price.credits is not None:
        pack = _whole(price.credits.pack, scales.units)
        drawn = count * _PERIODS + _whole(price.credits.refill_below, scales.units) + pack
        yield "what is drawn from packs", drawn
        packs = (drawn // pack + 1) * 10**scales.units
        yield "the number of packs", packs * 10 ** (columns.quantity - scales.units)
        unit = _whole(price.credits.price, scales.price)
        yield "the amount of packs", 2 * min(packs, scales.step) * unit + scales.step
        total += packs * unit // scales.step + 1
    total += sum(_whole(fee, scales.price) for fee in (price.base_fee, price.minimum_amount, price.maximum_amount))
    if price.maximum_amount is not None:
        # What usage comes to above it is the amount of the one unit of a line.
        yield "the amount", 2 * total * 10 ** (columns.unit_amount - scales.minor)
    yield "the amount", total * 10 ** (columns.amount - scales.minor)


def check_prices(program: Program, meters: Sequence[Meter], out: Diagnostics) -> None:
    """Reports MS650 for a price whose amounts may not fit 38 digits, and MS651 for one of a ratio by several groups."""
    billed = [meter for meter in meters if meter.price is not None]
    columns = _shared(billed) if billed else _Columns(0, 0, 0)
    for meter in billed:
        at = meter.origin and meter.origin / "billing"
        customers = {family.customer for family in program.families_of(meter)}
        if meter.aggregate is None and (len(meter.group_by) != 1 or meter.group_by[0] not in customers):
            groups = " and ".join(f"`{name}`" for name in meter.group_by) or "nothing"
            hint = "let its two meters group by the customer alone"
            out.report(RATIO_GROUPS, at=at, hint=hint, meter=meter.name, groups=groups)
            continue
        for what, most in _bounds(program, meter, columns):
            if most > WIDE:
                hint = "narrow the `min` and `max` of the fields that it is made of, or lower `precision`"
                out.report(TOO_LARGE, at=at, hint=hint, what=what, meter=meter.name, digits=len(str(most)))
                break


# Views ----------------------------------------------------------------------------------------------------------


def invoice_views(program: Program, meters: Sequence[Meter], dialect: Dialect) -> Iterator[View]:
    """The views of invoices, over those of meters and of `parts`: periods, lines by meter, all lines, totals."""
    billed = [meter for meter in meters if meter.price is not None]
    if not billed:
        return
    columns = _shared(billed)
    periods = {meter.name: periods_view(program, meter, dialect) for meter in billed}
    yield from {view.name: view for view in periods.values()}.values()
    lines = []
    for meter in billed:
        select = _Lines(program, meter, dialect, columns).select(periods[meter.name].name)
        view = View(f"meterspec_lines_{_digest(meter.name)}", select, f"The invoice lines of meter `{meter.name}`.")
        lines.append(view.name)
        yield view
    every = [exp.select(*map(b.column, _LINE_COLUMNS)).from_(b.table(name)) for name in lines]
    yield View(INVOICE_LINES, _union(every), "The lines of every invoice; a line with a finding has no amount.")
    yield View(INVOICES, _totals(), "What every invoice comes to: null where one of its lines has no amount.")


_KEYS = ("customer_id", "period_start", "period_end")
_LINE_COLUMNS = (
    *_KEYS,
    *("currency", "meter", "line", "kind", "rate", "from", "to", "quantity", "unit_amount", "amount", "finding"),
)


def _totals() -> exp.Select:
    keys = [*_KEYS, "currency"]
    amount = b.column("amount")
    priced = b.binary(exp.EQ, b.count_all(), exp.Count(this=amount))
    total = b.case([(priced, exp.Sum(this=amount.copy()))])
    select = exp.select(*map(b.column, keys), b.named(b.count_all(), "lines"), b.named(total, "amount"))
    return select.from_(b.table(INVOICE_LINES)).group_by(*map(b.column, keys))


def _digest(key: object) -> str:
    """A name that stays while other meters come and go."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:10]


# The columns of a row of the price. No field can have a name that begins as these do.
_LINE, _WHAT, _RATE = "meterspec_line", "meterspec_what", "meterspec_rate"
_OVER, _LOW, _HIGH, _UNIT = "meterspec_over", "meterspec_low", "meterspec_high", "meterspec_unit"
_CONSTANTS = (_LINE, _WHAT, _RATE, _OVER, _LOW, _HIGH, _UNIT)
# What is computed beside them.
_UNITS, _LOWEST, _FINDING = "meterspec_units", "meterspec_lowest", "meterspec_finding"
_BEFORE, _FREE = "meterspec_before", "meterspec_free"
_COUNT, _BEGIN, _SIZE, _AMOUNT = "meterspec_count", "meterspec_begin", "meterspec_size", "meterspec_amount"
_USAGE, _APART, _NUMBER, _PACKS = "meterspec_usage", "meterspec_apart", "meterspec_number", "meterspec_packs"
_DUE, _UNMATCHED = 0, -1
"""In the column of the rate: a row of a period that is due, and one of usage that has no price."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line that an invoice may have; its numbers are whole, in the scales of its price."""

    what: str
    rate: int | None = None
    over: int | None = None
    """What is counted has to be above it."""
    low: int | None = None
    high: int | None = None
    """Where the tier begins and ends; None is without an end."""
    unit: int = 0


_KINDS = {
    "finding": "usage",
    "included": "usage",
    "tier": "usage",
    "flat": "flat_fee",
    "drawn": "usage",
    "credit": "credit",
    "minimum": "minimum",
    "maximum": "maximum",
    "fee": "base_fee",
}
"""The kind of line that each row of a price makes."""


class _Lines(Stages):
    """The view of the lines of one meter."""

    def __init__(self, program: Program, meter: Meter, dialect: Dialect, columns: _Columns) -> None:
        super().__init__(dialect)
        assert meter.price is not None
        self.program = program
        self.meter = meter
        self.price = meter.price
        self.columns = columns
        self.scales = _scales(meter, meter.price)
        self.parts = parts(program, meter)
        self.magnitude = max(NARROW + 1, *(most for _, most in _bounds(program, meter, columns)))
        """The greatest number of any step, for a division of wide numbers."""
        self.rates = list(enumerate((rate.tiers for rate in self.price.rates), 1))
        """The tiers of each rate by its number from 1, the default last."""
        self.default = len(self.price.rates) + 1
        if self.price.tiers or not self.price.rates:
            self.rates.append((self.default, self.price.tiers))

    def select(self, periods: str) -> exp.Select:
        quantities = self._quantities(self._stage("usage", _union([*self._used(), self._due(periods)])))
        prepaid = self.price.model is PriceModel.PREPAID
        if prepaid:
            quantities = self._drawn(quantities)
        rows = list(self._rows())
        price = self._stage("price", _union([self._constants(n, row) for n, row in enumerate(rows, 1)]))
        beside = self._beside(quantities, price, (_COUNT, _PACKS) if prepaid else ())
        if any(row.what == "tier" for row in rows):
            beside = self._begun(self._counted(beside))
        present = {row.what for row in rows}
        priced = self._priced(self._applying(beside, present), present)
        if present & {"minimum", "maximum"}:
            priced = self._clamped(priced)
        return self._finished(self._lines(priced, present))

    # Quantities -------------------------------------------------------------------------------------------------

    def _used(self) -> Iterator[exp.Select]:
        """The quantities of the meter's groups, each with the number of its rate."""
        priced = {number for number, _ in self.rates}
        if self.parts:
            for part in self.parts:
                number = self.default if part.rate is None else part.rate + 1
                yield self._usage(part.meter, b.number(number if number in priced else _UNMATCHED))
            return
        environment = variables(self.program.families_of(self.meter))
        lowering = Lowering(environment, self.dialect)
        branches = []
        for number, rate in enumerate(self.price.rates, 1):
            matches = _all([_equals(environment[name], value) for name, value in rate.match])
            branches.append((lowering.condition(matches), b.number(number)))
        default = b.number(self.default if self.default in priced else _UNMATCHED)
        yield self._usage(self.meter, b.case(branches, default) if branches else default)

    def _usage(self, meter: Meter, rate: exp.Expr) -> exp.Select:
        whole = self.dialect.wide(self.dialect.unscaled(b.column("quantity"), 38, meter.precision))
        units = b.call("COALESCE", whole, self._wide(0))
        units = self._times(units, 10 ** (self.scales.units - meter.precision))
        return exp.select(
            b.named(b.column(meter.group_by[0]), "customer_id"),
            b.named(b.column("window_start"), "period_start"),
            b.named(b.column("window_end"), "period_end"),
            b.named(b.cast(rate, self.dialect.narrow), _RATE),
            b.named(units, _UNITS),
        ).from_(b.table(meter.sql_name))

    def _due(self, periods: str) -> exp.Select:
        """The periods that are owed for, without usage."""
        rate = b.named(b.cast(b.number(_DUE), self.dialect.narrow), _RATE)
        units = b.named(self.dialect.wide(exp.Null()), _UNITS)
        return exp.select(*map(b.column, _KEYS), rate, units).from_(b.table(periods))

    def _quantities(self, usage: str) -> str:
        """A stage with one row a customer and period: the units at each rate, null for none, and what is wrong."""
        sums = [b.named(self._at_rate(number), self._units_at(number)) for number, _ in self.rates]
        lowest = b.named(exp.Min(this=b.column(_RATE)), _LOWEST)
        select = exp.select(*map(b.column, _KEYS), lowest, *sums).from_(b.table(usage))
        source = self._stage("quantities", select.group_by(*map(b.column, _KEYS)))
        wrong = [(b.binary(exp.EQ, b.column(_LOWEST), b.number(_UNMATCHED)), b.text("MS442"))]
        for number, _ in self.rates:
            wrong.append((b.binary(exp.LT, b.column(self._units_at(number)), b.number(0)), b.text("MS440")))
        finding = b.case(wrong, b.cast(exp.Null(), self.dialect.types[FieldType.STRING]))
        return self._more("found", source, b.named(finding, _FINDING))

    def _units_at(self, number: int) -> str:
        return f"{_UNITS}_{number}"

    def _at_rate(self, number: int) -> exp.Expr:
        """The units at a rate; where there is no usage at all, the default is priced at nothing used."""
        rate = b.column(_RATE)
        own = b.case([(b.binary(exp.EQ, rate, b.number(number)), b.column(_UNITS))])
        total = self.dialect.total(own, self.magnitude)
        if number != self.default:
            return total
        some = b.case([(b.binary(exp.NEQ, rate.copy(), b.number(_DUE)), b.number(1))])
        return b.case([(b.binary(exp.EQ, exp.Count(this=some), b.number(0)), self._wide(0))], total)

    def _drawn(self, quantities: str) -> str:
        """A stage with the units drawn from packs in each period, and the packs bought for them.

        All that were bought up to a period hold what was drawn up to it and what has to be left, and no pack more.
        """
        assert self.price.credits is not None
        pack = _whole(self.price.credits.pack, self.scales.units)
        left = _whole(self.price.credits.refill_below, self.scales.units) + pack - 1
        order = [b.column(name) for name in ("period_start", "period_end")]

        def so_far(aggregate: exp.Expr) -> exp.Expr:
            spec = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
            ordered = exp.Order(expressions=[node.copy() for node in order])
            return exp.Window(this=aggregate, partition_by=[b.column("customer_id")], order=ordered, spec=spec)

        drawn = self._units_at(self.default)
        keys = [b.column(name) for name in _KEYS]
        # What follows a period without a price is not known either.
        select = exp.select(
            *keys,
            b.named(so_far(exp.Min(this=b.column(_FINDING))), _FINDING),
            b.named(b.column(drawn), _COUNT),
            b.named(so_far(self.dialect.total(b.column(drawn), self.magnitude)), _USAGE),
            b.named(self.dialect.rank(order, b.column("customer_id")), _NUMBER),
        ).from_(b.table(quantities))
        source = self._stage("drawn", select)

        def bought(through: exp.Expr) -> exp.Expr:
            positive = self.dialect.greatest([b.add(through, self._wide(left)), self._wide(0)])
            return self._div(positive, pack)

        before = b.binary(exp.Sub, b.column(_USAGE), b.column(_COUNT))
        first = b.binary(exp.EQ, b.column(_NUMBER), b.number(1))
        earlier = b.case([(first, self._wide(0))], bought(before))
        packs = self._times(b.binary(exp.Sub, bought(b.column(_USAGE)), earlier), 10**self.scales.units)
        return self._more("bought", source, b.named(packs, _PACKS))

    # The price as a relation ------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[_Row]:
        """Every line that an invoice may have, in the order of an invoice."""
        price, scale = self.price, self.scales.price
        match price.model:
            case PriceModel.FLAT:
                pass
            case PriceModel.PREPAID:
                assert price.credits is not None
                yield _Row("drawn", low=0)
                yield _Row("credit", unit=_whole(price.credits.price, scale))
            case PriceModel.USAGE | PriceModel.COMBINED:
                for number, tiers in self.rates:
                    if price.included_units:
                        yield _Row("included", number, low=0)
                    yield from self._tier_rows(number, tiers)
                for what, amount in (("minimum", price.minimum_amount), ("maximum", price.maximum_amount)):
                    if amount is not None:
                        yield _Row(what, unit=_whole(amount, scale))
            case _:
                assert_never(price.model)
        if price.base_fee or price.model is PriceModel.FLAT:
            yield _Row("fee", unit=_whole(price.base_fee, scale))
        yield _Row("finding")

    def _tier_rows(self, number: int, tiers: Sequence[Tier]) -> Iterator[_Row]:
        low = 0
        for index, tier in enumerate(tiers):
            high = None if tier.up_to is None else _whole(tier.up_to, self.scales.units)
            # Nothing used is in the first tier, and a bound is in the tier that it ends.
            over = low if index else -1
            yield _Row("tier", number, over, low, high, _whole(tier.unit_amount, self.scales.price))
            if tier.flat_amount:
                yield _Row("flat", number, over, low, high, _whole(tier.flat_amount, self.scales.price))
            low = high or 0

    def _constants(self, line: int, row: _Row) -> exp.Select:
        narrow = self.dialect.narrow
        rate = exp.Null() if row.rate is None else b.number(row.rate)
        bounds = zip((_OVER, _LOW, _HIGH), (row.over, row.low, row.high), strict=True)
        return exp.select(
            b.named(b.cast(b.number(line), narrow), _LINE),
            b.named(b.text(row.what), _WHAT),
            b.named(b.cast(rate, narrow), _RATE),
            *(b.named(self._wide(n) if n is not None else self.dialect.wide(exp.Null()), name) for name, n in bounds),
            b.named(self._wide(row.unit), _UNIT),
        )

    def _beside(self, quantities: str, price: str, extra: Sequence[str]) -> str:
        """A stage of every customer and period beside every row of the price, with the units at the row's rate."""
        columns = [b.column(name, quantities) for name in (*_KEYS, _FINDING, *extra)]
        columns += [b.column(name, price) for name in _CONSTANTS]
        rate = b.column(_RATE, price)
        of_rate, before, so_far = [], [], self._wide(0)
        for number, _ in self.rates if not extra else []:
            units = b.column(self._units_at(number), quantities)
            is_rate = b.binary(exp.EQ, rate.copy(), b.number(number))
            of_rate.append((is_rate, units))
            before.append((is_rate.copy(), so_far))
            so_far = b.add(so_far.copy(), b.call("COALESCE", units.copy(), self._wide(0)))
        if of_rate:
            columns.append(b.named(b.case(of_rate), _UNITS))
        if of_rate and self.price.included_units:
            columns.append(b.named(b.case(before), _BEFORE))
        select = exp.select(*columns).from_(b.table(quantities))
        return self._stage("beside", select.join(b.table(price), join_type="cross", copy=False))

    # Lines ------------------------------------------------------------------------------------------------------

    def _counted(self, source: str) -> str:
        """A stage with the units that are free, and what the tiers count: all units, or packages of the others."""
        units, zero = b.column(_UNITS), self._wide(0)
        if self.price.included_units:
            # The rates before have taken what they used.
            included = self._wide(_whole(self.price.included_units, self.scales.units))
            left = self.dialect.greatest([b.binary(exp.Sub, included, b.column(_BEFORE)), zero])
            free: exp.Expr = b.case([(b.not_null(units), self.dialect.least([units.copy(), left]))])
        else:
            free = self.dialect.wide(zero)
        source = self._more("included", source, b.named(free, _FREE))
        if self.price.package_size is None:
            return self._more("counted", source, b.named(units.copy(), _COUNT))
        size = _whole(self.price.package_size, self.scales.units)
        rest = b.binary(exp.Sub, units.copy(), b.column(_FREE))
        if self.price.package_rounding is Rounding.UP and size > 1:
            rest = b.add(rest, self._wide(size - 1))
        packages = self._times(self._div(rest, size), 10**self.scales.units)
        return self._more("counted", source, b.named(packages, _COUNT))

    def _begun(self, source: str) -> str:
        """A stage with where the units of a tier begin: above those that are free, which packages are without."""
        begin: exp.Expr = b.column(_LOW)
        if self.price.tier_mode is TierMode.GRADUATED and self.price.package_size is None and self.price.included_units:
            above = self.dialect.greatest([begin, b.column(_FREE)])
            begin = b.case([(b.binary(exp.EQ, b.column(_WHAT), b.text("tier")), above)], begin.copy())
        return self._more("begun", source, b.named(begin, _BEGIN))

    def _applying(self, source: str, present: Set[str]) -> str:
        """A stage of the rows that are lines of the invoice, with how many units they are for, or 1."""
        count, free = b.column(_COUNT), b.column(_FREE)
        entered = [b.binary(exp.GT, count, b.column(_OVER))]
        if self.price.tier_mode is TierMode.VOLUME:
            high = b.column(_HIGH)
            entered.append(b.any_of([b.is_null(high), b.binary(exp.LTE, count.copy(), high.copy())]))
            in_tier = count.copy() if self.price.package_size else b.binary(exp.Sub, count.copy(), free)
        else:
            end = self.dialect.least([count.copy(), b.call("COALESCE", b.column(_HIGH), count.copy())])
            in_tier = b.binary(exp.Sub, end, b.column(_BEGIN))
        some = b.binary(exp.GT, b.column(_SIZE), b.number(0))
        sizes: dict[str, exp.Expr] = {
            "tier": in_tier,
            "included": free.copy(),
            "drawn": count.copy(),
            "credit": b.column(_PACKS),
        }
        needed = {"tier": [*entered, some], "flat": entered, "included": [some], "drawn": [some], "credit": [some]}
        cases = [(self._is(what), size) for what, size in sizes.items() if what in present]
        one = self._wide(10**self.scales.units)
        source = self._more("sized", source, b.named(b.case(cases, one) if cases else self.dialect.wide(one), _SIZE))
        sure = b.is_null(b.column(_FINDING))
        applies = [b.all_of([self._is("finding"), b.not_null(b.column(_FINDING))])]
        for what in [name for name in _KINDS if name in present and name != "finding"]:
            conditions = [node.copy() for node in needed.get(what, [])]
            applies.append(b.all_of([self._is(what), sure.copy(), *conditions]))
        return self._only("applying", source, b.any_of(applies))

    def _is(self, *what: str) -> exp.Expr:
        """Whether a row is for one of these lines."""
        if len(what) == 1:
            return b.binary(exp.EQ, b.column(_WHAT), b.text(what[0]))
        return exp.In(this=b.column(_WHAT), expressions=[b.text(one) for one in what])

    def _priced(self, source: str, present: Set[str]) -> str:
        """A stage with what each line comes to: its units times the amount of one, rounded once."""
        size, unit, step = b.column(_SIZE), b.column(_UNIT), self.scales.step
        if step == 1:
            amount: exp.Expr = b.multiply(size, unit)
        else:
            whole = b.multiply(self._div(size, step), unit)
            rest = b.multiply(b.multiply(self._mod(size.copy(), step), unit.copy()), self._wide(2))
            amount = b.add(whole, self._div(b.add(rest, self._wide(step)), 2 * step))
        later = [what for what in ("finding", "minimum", "maximum") if what in present]
        amount = b.case([(self._is(*later), self.dialect.wide(exp.Null()))], amount)
        return self._more("priced", source, b.named(amount, _AMOUNT))

    def _clamped(self, source: str) -> str:
        """A stage in which the lines that lift usage to the minimum, or lower it to the maximum, have their amounts."""
        of_usage = b.case([(b.not_(self._is("fee")), b.column(_AMOUNT))])
        total = exp.Window(this=self.dialect.total(of_usage, self.magnitude), partition_by=[*map(b.column, _KEYS)])
        source = self._more("summed", source, b.named(total, _USAGE))
        step = 10 ** (self.scales.price - self.scales.minor)
        usage = self._times(b.call("COALESCE", b.column(_USAGE), self._wide(0)), step)
        below = b.binary(exp.Sub, b.column(_UNIT), usage)
        above = b.binary(exp.Sub, usage.copy(), b.column(_UNIT))
        apart = b.case([(self._is("minimum"), below), (self._is("maximum"), above)])
        source = self._more("compared", source, b.named(apart, _APART))
        # Less than half of the minor unit comes to nothing, and is no line.
        least = self._wide((step + 1) // 2)
        kept = [b.not_(self._is("minimum", "maximum")), b.binary(exp.GTE, b.column(_APART), least)]
        return self._only("clamped", source, b.any_of(kept))

    def _lines(self, source: str, present: Set[str]) -> exp.Select:
        """The rows of the view, with decimals for whole numbers."""
        units, price, minor = self.scales.units, self.scales.price, self.scales.minor
        columns, dialect = self.columns, self.dialect
        amount, unit = b.column(_AMOUNT), b.column(_UNIT)
        if present & {"minimum", "maximum"}:
            step = 10 ** (price - minor)
            apart = b.column(_APART)
            rounded = self._div(b.add(apart, self._wide(step // 2)), step)
            lowered = self._is("maximum"), self._is("minimum")
            amount = b.case([(lowered[0], dialect.negate(rounded)), (lowered[1], rounded.copy())], amount)
            unit = b.case([(lowered[0].copy(), dialect.negate(apart.copy())), (lowered[1].copy(), apart.copy())], unit)
        finding = self._is("finding")
        none = dialect.wide(exp.Null())
        unit = b.case([(finding, none)], unit)
        begin = b.column(_BEGIN if "tier" in present else _LOW)
        end: exp.Expr = b.column(_HIGH)
        if "included" in present:
            included = self._wide(_whole(self.price.included_units, units))
            left = b.binary(exp.Sub, included, b.column(_BEFORE))
            end = b.case([(self._is("included"), left)], end)
        size = b.case([(finding.copy(), none.copy())], b.column(_SIZE))

        def shown(node: exp.Expr, scale: int, common: int) -> exp.Expr:
            return dialect.decimal(self._times(dialect.wide(node), 10 ** (common - scale)), common)

        kinds = [(self._is(what), b.text(kind)) for what, kind in _KINDS.items() if what in present and what != kind]
        rate = exp.Null() if len(self.rates) <= 1 and not self.price.rates else b.column(_RATE)
        values = {
            **{name: b.column(name) for name in _KEYS},
            "currency": b.text(self.price.currency),
            "meter": b.text(self.meter.name),
            "line": b.column(_LINE),
            "kind": b.case(kinds, b.column(_WHAT)),
            "rate": b.call("NULLIF", b.cast(rate, dialect.narrow), b.number(self.default)),
            "from": shown(begin, units, columns.quantity),
            "to": shown(end, units, columns.quantity),
            "quantity": shown(size, units, columns.quantity),
            "unit_amount": shown(unit, price, columns.unit_amount),
            "amount": shown(amount, minor, columns.amount),
            "finding": b.column(_FINDING),
        }
        assert tuple(values) == _LINE_COLUMNS
        return exp.select(*(b.named(node, name) for name, node in values.items())).from_(b.table(source))

    # Whole numbers ----------------------------------------------------------------------------------------------

    def _wide(self, value: int) -> exp.Expr:
        return self.dialect.wide_constant(value)

    def _times(self, node: exp.Expr, factor: int) -> exp.Expr:
        return node if factor == 1 else b.multiply(node, self._wide(factor))

    def _div(self, node: exp.Expr, divisor: int) -> exp.Expr:
        """A quotient of a number that is not negative."""
        return node if divisor == 1 else self.dialect.quotient(node, self._wide(divisor), self.magnitude)

    def _mod(self, node: exp.Expr, divisor: int) -> exp.Expr:
        return self.dialect.remainder(node, self._wide(divisor), self.magnitude)


def _union(selects: Sequence[exp.Select]) -> exp.Query:
    """All rows of at least one select."""
    found: exp.Query = selects[0]
    for other in selects[1:]:
        found = exp.Union(this=found, expression=other, distinct=False)
    return found
