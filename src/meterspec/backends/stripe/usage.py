"""The usage export: a view for every meter, whose rows are the meter events that Stripe is to be sent.

What Stripe makes of the rows is the quantity that meterspec bills, to the last decimal. Where Stripe adds up, the rows
add up to it: a value that is no decimal of the meter's precision is what an event, or a day, adds to the rounded total
of the period so far. Where the last value counts, a row is the quantity of a period up to the as-of instant, and no two
rows of a customer have one timestamp: which of them would count is written nowhere.

A row that Stripe would not take, or would put into another period, stays in the view and says why: `reject_reason`.
The limits are those of Stripe's reference of meter events, and the digits those of its change log of 2026-04-22.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePosixPath

from sqlglot import exp

from meterspec import exact
from meterspec.backends.base import Artifact
from meterspec.backends.sql import (
    AS_OF,
    DIALECTS,
    Dialect,
    Scanner,
    Stages,
    View,
    scans,
    script,
    supplied,
    whole_quantity,
)
from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import WIDE
from meterspec.backends.stripe.bodies import CUSTOMER_KEY, Usage, formula
from meterspec.ir import BillingCycle, FieldType, Function, Meter, Program
from meterspec.zones import DAY

__all__ = ["CUSTOMERS", "SENT", "export", "usage_view", "view_name"]

CUSTOMERS = "stripe_customers"
"""The relation that says who a customer is at Stripe; the user fills it."""
SENT = "stripe_sent"
"""The relation of the identifiers that were sent; whoever sends fills it. Stripe knows them for no more than a day."""

_SECOND = 1_000_000
_OLDEST = 35 * DAY
_DIGITS = 15
_HOUR = 3600 * _SECOND
_SLOWER = 73
"""How much slower timestamps run than as-of instants, from an hour before the end of a period on: so the instants of
three days after it have theirs within it. That is the longest that an invoice can be kept open
(https://docs.stripe.com/billing/subscriptions/usage-based/configure-grace-period)."""
_TIME, _ID, _RANK, _LAST = "meterspec_time", "meterspec_id", "meterspec_family", "meterspec_last"
_START, _END, _DAY = "meterspec_start", "meterspec_end", "meterspec_day"
_RUNNING, _VALUE, _SIZE, _ONES, _REST = (f"meterspec_{name}" for name in ("running", "value", "size", "ones", "rest"))
_SLOW, _TOLD = "meterspec_slow", "meterspec_told"
_WHO, _KEY, _DECIMALS = "meterspec_who", "meterspec_key", "meterspec_decimals"
_KNOWN, _AT_STRIPE, _OTHER = "meterspec_known", "meterspec_at_stripe", "meterspec_other"
_SHARED = "meterspec_shared"
_IDENTIFIER, _SENT = "meterspec_identifier", "meterspec_sent"


def view_name(meter: Meter) -> str:
    """The name of a meter's view; no family and no meter can have one that begins so."""
    return f"meterspec_stripe_{meter.sql_name}"


def export(program: Program, meters: tuple[Meter, ...], dialect: str, usage: Usage) -> Artifact:
    """`stripe/usage_export/<dialect>.sql`: the relations that it reads besides the SQL target's, and the views."""
    chosen = DIALECTS[dialect]
    text, instant = chosen.types[FieldType.STRING], chosen.types[FieldType.TIMESTAMP]
    tables = [
        supplied((CUSTOMERS,), [("customer_id", text), (CUSTOMER_KEY, text)], "Who a customer is at Stripe.", chosen),
        supplied((SENT,), [("identifier", text)], "The identifiers of all rows that were sent.", chosen),
        supplied((AS_OF,), [("as_of", instant)], "One row: the instant that the export ends at.", chosen),
    ]
    views = [usage_view(program, meter, chosen, usage) for meter in meters]
    title = "Usage for Stripe: a view a meter, on those of the SQL target. Send the rows without a reject_reason."
    return Artifact(PurePosixPath("stripe", "usage_export", f"{dialect}.sql"), script(title, views, chosen, tables))


def usage_view(program: Program, meter: Meter, dialect: Dialect, usage: Usage) -> View:
    """The view of the meter events of a meter."""
    if formula(meter, usage) == "last":
        select, words = _Running(meter, dialect).select(), "its quantity in each period, for the formula `last`"
    elif usage is Usage.DAY:
        select, words = _Added(program, meter, dialect).by_day(), "what each day adds, for pre-aggregation by the day"
    else:
        select, words = _Added(program, meter, dialect).by_event(), "what each event adds"
    return View(view_name(meter), select, f"Usage of `{meter.name}`: {words}.")


class _Rows(Stages):
    """The last stages, which all views have in common: a value as text, and what keeps a row from being sent."""

    def _sent(self, source: str, meter: Meter, key: exp.Expr, faults: list[tuple[exp.Expr, str]]) -> exp.Select:
        """The rows of a stage that has a time, a customer, the bounds of the period, and a value: a whole number of
        10^-precision. `key` tells a row from all others of the meter, and is hashed together with its name.
        """
        step = 10**meter.precision
        dialect = self.dialect
        sized = self._more("sized", source, b.named(dialect.absolute(b.column(_VALUE)), _SIZE))
        ones = dialect.quotient(b.column(_SIZE), dialect.wide_constant(step), WIDE)
        rest = dialect.remainder(b.column(_SIZE), dialect.wide_constant(step), WIDE)
        if step == 1:
            ones, rest = b.column(_SIZE), dialect.wide_constant(0)
        split = self._more("split", sized, b.named(ones, _ONES), b.named(rest, _REST))
        shown = self._more("shown", split, b.named(self._decimals(meter.precision), _DECIMALS))
        name = b.text(f"meterspec:{meter.name}:")
        known = self._known(shown, b.named(key, _KEY))
        identified = self._more(
            "identified", known, b.named(dialect.sha256(_joined(name, b.column(_KEY))), _IDENTIFIER)
        )
        compared = self._compared(identified)
        sign = b.case([(b.binary(exp.LT, b.column(_VALUE), dialect.wide_constant(0)), b.text("-"))], b.text(""))
        point = b.case([(b.binary(exp.EQ, b.column(_DECIMALS), b.text("")), b.text(""))], b.text("."))
        value = _joined(sign, dialect.to_text(b.column(_ONES)), point, b.column(_DECIMALS))
        select = exp.select(
            b.named(b.column(_IDENTIFIER), "identifier"),
            b.named(b.text(meter.name), "event_name"),
            b.named(self.calendar.div(b.column(_TIME), _SECOND), "timestamp"),
            b.named(b.column(_AT_STRIPE), CUSTOMER_KEY),
            b.named(value, "value"),
            b.named(b.column(_WHO), "customer_id"),
            b.named(b.case((when, b.text(words)) for when, words in [*self._faults(), *faults]), "reject_reason"),
        )
        return self._finished(select.from_(b.table(compared)))

    def _decimals(self, precision: int) -> exp.Expr:
        """The digits after the point of the rest, without zeros at their end."""
        if precision == 0:
            return b.text("")
        dialect = self.dialect
        led = b.add(dialect.integer(b.column(_REST), 10**precision), b.number(10**precision))
        return b.call("SUBSTR", dialect.trim(dialect.to_text(led), "0"), b.number(2))

    def _known(self, source: str, *columns: exp.Expr) -> str:
        """A stage with who the customer is at Stripe."""
        names = exp.select(
            b.named(b.column("customer_id"), _KNOWN),
            b.named(exp.Min(this=b.column(CUSTOMER_KEY)), _AT_STRIPE),
            b.named(exp.Max(this=b.column(CUSTOMER_KEY)), _OTHER),
        )
        names = names.from_(b.table(CUSTOMERS)).where(exp.NEQ(this=b.column(CUSTOMER_KEY), expression=b.text("")))
        named = self._stage("names", names.group_by(b.column("customer_id")))
        holders = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[b.column(_AT_STRIPE)])
        holding = [*map(b.column, (_KNOWN, _AT_STRIPE, _OTHER)), b.named(holders, _SHARED)]
        held = exp.select(*holding).from_(b.table(named)).subquery(b.identifier(CUSTOMERS))
        same = b.binary(exp.EQ, b.column(_WHO, source), b.column(_KNOWN, CUSTOMERS))
        select = exp.select(
            exp.Column(this=exp.Star(), table=b.identifier(source)),
            *(b.column(name, CUSTOMERS) for name in (_AT_STRIPE, _OTHER, _SHARED)),
            *columns,
        )
        join = exp.Join(this=held, side="LEFT", on=same)
        return self._stage("known", select.from_(b.table(source)).join(join, copy=False))

    def _compared(self, source: str) -> str:
        """A stage with the identifier of each row among those that were sent, null where it was not."""
        sent = exp.select(b.named(b.column("identifier"), _SENT)).distinct().from_(b.table(SENT))
        same = b.binary(exp.EQ, b.column(_IDENTIFIER, source), b.column(_SENT, SENT))
        join = exp.Join(this=sent.subquery(b.identifier(SENT)), side="LEFT", on=same)
        select = exp.select(exp.Column(this=exp.Star(), table=b.identifier(source)), b.column(_SENT, SENT))
        return self._stage("compared", select.from_(b.table(source)).join(join, copy=False))

    def _faults(self) -> list[tuple[exp.Expr, str]]:
        """Why Stripe would not take a row."""
        digits = b.add(self.dialect.size(self.dialect.to_text(b.column(_ONES))), self.dialect.size(b.column(_DECIMALS)))
        oldest = self.calendar.plus(b.column(_LAST), -_OLDEST)
        return [
            (b.not_null(b.column(_SENT)), "sent before"),
            (b.is_null(b.column(_AT_STRIPE)), f"customer not in {CUSTOMERS}"),
            (exp.NEQ(this=b.column(_AT_STRIPE), expression=b.column(_OTHER)), f"customer twice in {CUSTOMERS}"),
            (b.binary(exp.GT, b.column(_SHARED), b.number(1)), f"id of another customer too in {CUSTOMERS}"),
            (b.binary(exp.LTE, b.column(_TIME), oldest), "older than 35 days"),
            (b.binary(exp.GT, digits, b.number(_DIGITS)), f"more than {_DIGITS} digits"),
        ]

    def _key(self, what: str, numbers: Sequence[str]) -> exp.Expr:
        """What tells a row of a customer from all others; the customer comes last, since it may be any text."""
        texts = [b.text(f"{what}:")]
        for name in numbers:
            texts += [self.dialect.to_text(b.column(name)), b.text(":")]
        return _joined(*texts, b.column(_WHO))

    def _off(self, node: exp.Expr, length: int) -> exp.Expr:
        """Whether an instant is not at a full second or day."""
        return exp.NEQ(this=self.calendar.mod(self.calendar.plus(node, _LONG_AGO), length), expression=b.number(0))


_LONG_AGO = 1_000_000 * DAY
"""What makes every instant positive, in full days."""


def _joined(*texts: exp.Expr) -> exp.Expr:
    first, *others = texts
    for text in others:
        first = b.binary(exp.DPipe, first, text)
    return first


class _Running(_Rows):
    """The quantity of every period of a meter, up to the as-of instant, on the meter's own view."""

    def __init__(self, meter: Meter, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.meter = meter

    def select(self) -> exp.Select:
        meter, dialect = self.meter, self.dialect
        whole = b.call(
            "COALESCE",
            dialect.wide(dialect.unscaled(b.column("quantity"), 38, meter.precision)),
            dialect.wide_constant(0),
        )
        customer, *others = meter.group_by
        windows = exp.select(
            b.named(dialect.micros(b.column("window_start")), _START),
            b.named(dialect.micros(b.column("window_end")), _END),
            b.named(b.column(customer), _WHO),
            b.named(whole, _VALUE),
        )
        source = self._stage("windows", windows.from_(b.table(meter.sql_name)))
        if others:
            keys = [_START, _END, _WHO]
            added = exp.select(*map(b.column, keys), b.named(dialect.total(b.column(_VALUE), WIDE), _VALUE))
            source = self._stage("customers", added.from_(b.table(source)).group_by(*map(b.column, keys)))
        timed = self._timed(self._before_as_of(source, newest=True, at=_START))
        key = self._key("period", [_START, _TOLD])
        negative = b.binary(exp.LT, b.column(_VALUE), dialect.wide_constant(0))
        off = (self._off(b.column(_START), _SECOND), "period not at a full second")
        return self._sent(timed, meter, key, [(negative, "a negative quantity"), off])

    def _timed(self, source: str) -> str:
        """A stage with the time of each row, and the second of it, which tells the row from all others of the period.

        It is within the period, and the later the as-of instant, the later it is: for instants that are a second apart,
        or 73 from the last hour of the period on.
        """
        calendar, dialect = self.calendar, self.dialect
        slow = dialect.greatest([b.column(_START), calendar.plus(b.column(_END), -_HOUR)])
        slowed = self._more("slowed", source, b.named(slow, _SLOW))
        beyond = dialect.greatest([b.binary(exp.Sub, b.column(_LAST), b.column(_SLOW)), b.number(0)])
        ahead = b.add(b.column(_SLOW), calendar.div(beyond, _SLOWER))
        before = calendar.plus(dialect.least([b.column(_LAST), ahead, b.column(_END)]), -1)
        timed = self._more("timed", slowed, b.named(dialect.greatest([b.column(_START), before]), _TIME))
        return self._more("told", timed, b.named(calendar.div(b.column(_TIME), _SECOND), _TOLD))


class _Added(Scanner, _Rows):
    """What each event, or each day, adds to the quantity of its period."""

    def __init__(self, program: Program, meter: Meter, dialect: Dialect) -> None:
        (scan,) = scans(program, (meter,))
        super().__init__(program, scan, dialect, fill=False, ordered=True)
        self.meter = meter
        assert meter.aggregate is not None
        self.signed = False
        self.ratio = Fraction(1)
        self.column = scan.events(meter)
        if meter.aggregate.function is Function.SUM:
            assert meter.aggregate.value is not None
            number = exact.scaled(meter.aggregate.value, self.environment)
            self.ratio, self.signed = number.ratio, number.whole.bounds.low < 0
            self.column = scan.total(meter)
        self.is_exact = exact.rounding(self.ratio, meter.precision)[1] == 1
        self.customer = scan.group_by[0]

    def by_event(self) -> exp.Select:
        source = self._due()
        source = self._more("valued", *self._added(source, b.column(self.column), self._order()))
        source = self._more("sent", source, b.named(b.column(self.customer), _WHO))
        family = [b.column(_RANK)] if len(self.families) > 1 else [b.number(0)]
        key = _joined(b.text("event:"), *map(self.dialect.to_text, family), b.text(":"), b.column(_ID))
        return self._sent(
            source, self.meter, key, [(self._off(b.column(_START), _SECOND), "period not at a full second")]
        )

    def by_day(self) -> exp.Select:
        dialect = self.dialect
        dayed = self._more("dayed", self._due(), b.named(self.calendar.day(b.column(_TIME)), _DAY))
        keys = [_START, _END, _LAST, _DAY, *self.groups]
        total = dialect.total(b.column(self.column), WIDE)
        days = exp.select(*map(b.column, keys), b.named(total, _RUNNING), b.named(exp.Max(this=b.column(_TIME)), _TIME))
        source = self._stage("days", days.from_(b.table(dayed)).group_by(*map(b.column, keys)))
        source = self._more("valued", *self._added(source, b.column(_RUNNING), [b.column(_DAY)]))
        keys = [_START, _END, _LAST, _DAY]
        added = exp.select(
            *map(b.column, keys),
            b.named(b.column(self.customer), _WHO),
            b.named(dialect.total(b.column(_VALUE), WIDE), _VALUE),
            b.named(exp.Max(this=b.column(_TIME)), _TIME),
        )
        source = self._stage("customers", added.from_(b.table(source)).group_by(*map(b.column, [*keys, self.customer])))
        key = self._key("day", [_DAY, _LAST, _VALUE])
        off = b.any_of([self._off(b.column(_START), DAY), self._off(b.column(_END), DAY)])
        return self._sent(source, self.meter, key, [(off, "period not at midnight UTC")])

    def _due(self) -> str:
        """A stage of the events that the meter keeps, before the as-of instant, each with the bounds of its period."""
        placed, _ = self._placed(self._all_located())
        if not isinstance(self.scan.window, BillingCycle):
            placed = self._bounds_of(placed, self._grid())
        return self._before_as_of(self._only("kept", placed, b.not_null(b.column(self.column))), newest=True)

    def _added(self, source: str, total: exp.Expr, order: Sequence[exp.Expr]) -> tuple[str, exp.Expr]:
        """A stage, and a column on it: what a row adds to the rounded quantity of its period and group."""
        dialect = self.dialect
        if self.is_exact:
            return source, b.named(self._whole(dialect.wide(total)), _VALUE)
        so_far = exp.Window(
            this=dialect.total(total, WIDE),
            partition_by=[b.column(_START), *map(b.column, self.groups)],
            order=exp.Order(expressions=dialect.ordered(order)),
        )
        running = self._more("so_far", source, b.named(dialect.wide(so_far), "meterspec_so_far"))
        wide = dialect.wide(total.copy())
        before = self._more(
            "before_it", running, b.named(b.binary(exp.Sub, b.column("meterspec_so_far"), wide), "meterspec_before_it")
        )
        after, ahead = (self._whole(b.column(name)) for name in ("meterspec_so_far", "meterspec_before_it"))
        return before, b.named(b.binary(exp.Sub, after, ahead), _VALUE)

    def _whole(self, total: exp.Expr) -> exp.Expr:
        return whole_quantity(self.meter, self.ratio, total, self.dialect, signed=self.signed)
