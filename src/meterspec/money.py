"""What a change does to money: two programs over the same events, each invoice and each reported number under both.

Where both read a family alike, its events are read once, and a meter that both compute alike is computed once: its
numbers cannot differ. What one of them reads or computes otherwise is computed for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal, Inexact, localcontext
from operator import attrgetter

from meterspec.backends.sql import check_prices, parts
from meterspec.diagnostics import Diagnostics, Failure, Rule
from meterspec.events import Anchor, Cycle, EventFiles, Quality
from meterspec.invoicing import charges_of
from meterspec.ir import (
    CalendarUnit,
    Compliance,
    Entitlement,
    Family,
    Meter,
    MeterKind,
    Program,
    RatioSource,
    Scalar,
    Source,
)
from meterspec.pricing import Unpriceable
from meterspec.run import Result, Run, run
from meterspec.store import SealedEvents, find

__all__ = [
    "Customer",
    "Invoice",
    "MeterAmount",
    "Money",
    "Number",
    "Numbers",
    "Rows",
    "Total",
    "compare",
    "customers",
    "totals",
]

CHANGED_STORE = Rule(
    code="MS048",
    slug="changed-family-of-a-store",
    title="A store whose family the change reads otherwise",
    message="the store `{folder}` holds family `{family}` as one spec reads it, and the change reads it otherwise",
    why="A store keeps events as they were checked and deduplicated once, so only one of the two specs can read it.",
)

_ZERO = Decimal(0)
_EXACT = Context(prec=200, traps=[Inexact])
"""Raises rather than lose a digit."""

Window = tuple[datetime | None, datetime]
Group = tuple[tuple[str, Scalar], ...]
Bounds = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class MeterAmount:
    """What one meter adds to an invoice; None where the spec before or after has no such line."""

    meter: str
    """As it is called after, or was before where it is gone."""
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What one customer owes for one period in one currency, under both specs; None is no invoice."""

    customer: str
    start: datetime
    end: datetime
    currency: str
    before: Decimal | None
    after: Decimal | None
    meters: tuple[MeterAmount, ...]

    @property
    def difference(self) -> Decimal:
        return _difference(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Customer:
    """All invoices of one customer in one currency, under both specs; None is no invoice."""

    name: str
    currency: str
    before: Decimal | None
    after: Decimal | None

    @property
    def difference(self) -> Decimal:
        return _difference(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All invoices in one currency, and how many customers pay more; each customer is in one of the five counts."""

    currency: str
    before: Decimal
    after: Decimal
    more: int = 0
    less: int = 0
    same: int = 0
    new: int = 0
    """Customers who had no invoice in this currency before."""
    gone: int = 0
    """Customers who have none any more."""

    @property
    def difference(self) -> Decimal:
        return _difference(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One reported number under both specs; None where there is none."""

    window: Window
    group: Group
    before: Decimal | None
    after: Decimal | None

    @property
    def difference(self) -> Decimal | None:
        if self.before is None or self.after is None:
            return None
        return _difference(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of one meter that is not priced."""

    meter: str
    unit: str | None
    same: int
    """How many are the same under both specs."""
    moved: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """What came of the rows of a family under both specs; None where a spec does not read it."""

    family: str
    before: Quality | None
    after: Quality | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What both specs make of the same events."""

    as_of: datetime | None
    """The instant that rolling and lifetime windows end at, and up to which periods are due; None without an event."""
    invoices: tuple[Invoice, ...]
    """By customer, period and currency."""
    numbers: tuple[Numbers, ...]
    """By meter, as the spec after has them; then those that are gone."""
    rows: tuple[Rows, ...]
    skipped: tuple[str, ...]
    """Meters that were not computed because no events of their family were given."""


_NOTHING = Money(as_of=None, invoices=(), numbers=(), rows=(), skipped=())


def compare(
    before: Program,
    after: Program,
    events: Sequence[str],
    out: Diagnostics,
    *,
    renamed: Mapping[str, str],
    dimensions: Mapping[str, Mapping[str, str]],
    as_of: datetime | None = None,
    begins: tuple[datetime | None, datetime | None] = (None, None),
    cycles: Sequence[Cycle] | Anchor = (),
    threads: int | None = None,
) -> Money:
    """Computes and prices both programs on the files and stores that `--events` arguments name.

    `renamed` has the new names of families and meters by their old ones, `dimensions` those of fields that a meter is
    split by, for each meter by its name before. Reports what `run` and `invoice` report, and
    raises `Failure` as they do, and with MS048.
    """
    pairs = _pairs(before, after, renamed)
    alike = {name for name in _names(before) if _reads_alike(before, after, name)}
    sides = _Sides(before, after, pairs, alike)
    after_events, before_events = _events(before, after, events, renamed, sides)

    if not all(_can_be_priced(program, out) for program in (before, after)):
        return _NOTHING

    def compute(moment: datetime | None) -> tuple[Run, Run | None]:
        # What a prepaid balance is depends on all periods before, so every period is computed.
        options = {"as_of": moment, "cycles": cycles, "threads": threads, "invoices": True}
        first = run(sides.joint, after_events, out, **options)  # type: ignore[arg-type]
        if not sides.apart or out.has_errors:
            return first, None
        return first, run(before, before_events, out, meters=sides.apart, **options)  # type: ignore[arg-type]

    first, second = compute(as_of)
    if second is not None and as_of is None:
        ends = {done.as_of for done in (first, second) if done.as_of is not None}
        if len(ends) > 1:  # both are to end at one instant: after the newest event that either accepts
            first, second = compute(max(ends))
    if out.has_errors:
        return _NOTHING
    results = _results(first, second)
    pairs = [pair for pair in pairs if not sides.lacks_events(pair, first, second)]
    skipped = dict.fromkeys(sides.public(name) for done in (first, second) if done for name in done.skipped)
    with localcontext(_EXACT):
        return Money(
            as_of=first.as_of,
            invoices=_invoices(before, pairs, sides, results, (first, second), begins, out),
            numbers=tuple(_numbers(pairs, sides, results, begins, dimensions)),
            rows=_rows(first, second, alike, renamed),
            skipped=tuple(skipped),
        )


def _can_be_priced(program: Program, out: Diagnostics) -> bool:
    """Whether the amounts of a program are proved to fit; reports MS65x."""
    check_prices(program, [meter for meter in program.meters if meter.price is not None], out)
    return not out.has_errors


def customers(invoices: Iterable[Invoice]) -> list[Customer]:
    """What each customer owes in each currency over all periods; who moves most comes first, by currency."""
    found: dict[tuple[str, str], list[Decimal | None]] = {}
    with localcontext(_EXACT):
        for invoice in invoices:
            of = found.setdefault((invoice.currency, invoice.customer), [None, None])
            for side, amount in enumerate((invoice.before, invoice.after)):
                if amount is not None:
                    of[side] = amount if (known := of[side]) is None else known + amount
        each = [Customer(customer, currency, *sides) for (currency, customer), sides in found.items()]
        return sorted(each, key=lambda one: (one.currency, -abs(one.difference), one.name))


def totals(customers: Iterable[Customer]) -> list[Total]:
    """The totals of each currency, in alphabetical order."""
    by_currency: dict[str, list[Customer]] = {}
    for customer in customers:
        by_currency.setdefault(customer.currency, []).append(customer)
    with localcontext(_EXACT):
        return [_total(currency, members) for currency, members in sorted(by_currency.items())]


def _total(currency: str, members: Sequence[Customer]) -> Total:
    counts = dict.fromkeys(("more", "less", "same", "new", "gone"), 0)
    for one in members:
        if one.before is None:
            counts["new"] += 1
        elif one.after is None:
            counts["gone"] += 1
        else:
            counts["same" if one.before == one.after else "more" if one.after > one.before else "less"] += 1
    before, after = (sum((getattr(one, side) or _ZERO for one in members), _ZERO) for side in ("before", "after"))
    return Total(currency=currency, before=before, after=after, **counts)


def _difference(before: Decimal | None, after: Decimal | None) -> Decimal:
    with localcontext(_EXACT):
        return (after or _ZERO) - (before or _ZERO)


# What is computed -----------------------------------------------------------------------------------------------

Pair = tuple[Meter | None, Meter | None]


def _pairs(before: Program, after: Program, renamed: Mapping[str, str]) -> list[Pair]:
    """Each meter as it is before and after, in the order of the program after; then those that are gone."""
    was = {renamed.get(meter.name, meter.name): meter for meter in before.meters}
    pairs: list[Pair] = [(was.pop(meter.name, None), meter) for meter in after.meters]
    return pairs + [(meter, None) for meter in was.values()]


def _names(program: Program) -> list[str]:
    return [family.name for family in program.families]


def _reads_alike(before: Program, after: Program, name: str) -> bool:
    """Whether both programs have a family of this name, and accept and keep the same events of it."""
    return name in _names(after) and _reading(before.family(name)) == _reading(after.family(name))


def _reading(family: Family) -> Family:
    """A family without what no event depends on."""
    fields = tuple(replace(one, description=None, personal=None, unit=None) for one in family.fields)
    return replace(family, description=None, table=None, compliance=Compliance(), fields=fields)


def _computing(meter: Meter) -> tuple[Meter, CalendarUnit | None]:
    """What the quantity of a meter depends on: also how long the price says a cycle is where nobody supplies it."""
    computed = replace(
        meter,
        name="",
        sql_name="",
        kind=MeterKind.REPORTING,
        description=None,
        unit=None,
        price=None,
        entitlement=Entitlement(),
        compliance=Compliance(),
        examples=(),
    )
    return computed, None if meter.price is None else meter.price.interval


def _billed_alike(before: Program, old: Meter, new: Meter) -> bool:
    """Whether what a run with invoices gives for a meter after will do for the same meter before."""
    if old.price is None or old.price == new.price:
        return True
    return new.price is not None and not parts(before, old)  # parts are made for the rates of a price


class _Sides:
    """Which program computes what: `joint` has all meters after, and those before that read no other events.

    A meter of the program before has a name in it that no spec can have. `apart` names those that only the program
    before can compute.
    """

    def __init__(self, before: Program, after: Program, pairs: Sequence[Pair], alike: set[str]) -> None:
        self.apart: list[str] = []
        self._computed_as: dict[str, str] = {}
        """By the name before: what the results are called in the joint run."""
        old = {meter.name: meter for meter, _ in pairs if meter is not None}
        together: list[Meter] = []
        twins = {meter.name: other for meter, other in pairs if meter is not None and other is not None}

        def place(meter: Meter) -> str | None:
            """The name of a meter before in the joint program; None where it has to be computed apart."""
            if meter.name in self._computed_as:
                return self._computed_as[meter.name]
            if any(family.name not in alike for family in before.families_of(meter)):
                return None
            source: Source = meter.source
            if isinstance(source, RatioSource):
                parts = [place(old[name]) for name in (source.numerator, source.denominator)]
                source = RatioSource(str(parts[0]), str(parts[1]))
            twin = twins.get(meter.name)
            moved = replace(meter, source=source)
            if twin is not None and _computing(moved) == _computing(twin) and _billed_alike(before, meter, twin):
                name = twin.name
            else:
                name = f"before/{meter.name}"
                together.append(replace(moved, name=name, sql_name=f"meterspec_before_{len(together)}"))
            self._computed_as[meter.name] = name
            return name

        for meter in before.meters:
            if place(meter) is None:
                self.apart.append(meter.name)
        self.joint = replace(after, meters=(*after.meters, *together))

    def before(self, meter: Meter) -> tuple[bool, str]:
        """Where the results of a meter before are: whether apart, and their name."""
        return (True, meter.name) if meter.name not in self._computed_as else (False, self._computed_as[meter.name])

    def alike(self, pair: Pair) -> bool:
        """Whether both meters of a pair are one computation."""
        old, new = pair
        return old is not None and new is not None and self.before(old) == (False, new.name)

    def lacks_events(self, pair: Pair, first: Run, second: Run | None) -> bool:
        """Whether one side of a pair was not computed: what the other one gives is then no difference."""
        old, new = pair
        apart, name = (False, "") if old is None else self.before(old)
        run_before = second if apart else first
        return (new is not None and new.name in first.skipped) or (
            run_before is not None and name in run_before.skipped
        )

    @staticmethod
    def public(name: str) -> str:
        return name.removeprefix("before/")


def _events(
    before: Program, after: Program, arguments: Sequence[str], renamed: Mapping[str, str], sides: _Sides
) -> tuple[list[EventFiles | SealedEvents], list[EventFiles | SealedEvents]]:
    """The events for the joint program, and those for what is computed apart."""
    back = {new: old for old, new in renamed.items()}
    joint = find(after, _named_for(after, before, arguments, renamed))
    needed = {family.name for name in sides.apart for family in before.families_of(before.meter(name))}
    if not needed:
        return joint, []
    own = [one for one in find(before, _named_for(before, after, arguments, back)) if one.family.name in needed]
    for one in own:
        new = renamed.get(one.family.name, one.family.name)
        if isinstance(one, SealedEvents) and (
            new != one.family.name or not _reads_alike(before, after, one.family.name)
        ):
            hint = "give both the event files that were sealed into it"
            raise Failure(CHANGED_STORE, hint=hint, folder=one.folder, family=one.family.name)
    return joint, own


def _named_for(program: Program, other: Program, arguments: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The `--events` arguments as one program takes them: families by its names, without those of the other alone."""
    known = set(_names(program))
    taken = []
    for argument in arguments:
        name, separator, path = argument.partition("=")
        own = names.get(name, name)
        if separator and name not in known and own in known:
            taken.append(f"{own}={path}")
        elif not separator or own in known or name not in _names(other):
            taken.append(argument)
    return taken


def _results(first: Run, second: Run | None) -> dict[tuple[bool, str], list[Result]]:
    """Results by whether they were computed apart, and by their meter."""
    results: dict[tuple[bool, str], list[Result]] = {}
    for apart, done in ((False, first), (True, second)):
        for result in done.results if done is not None else ():
            results.setdefault((apart, result.meter), []).append(result)
    return results


# Invoices -------------------------------------------------------------------------------------------------------


Period = tuple[str, datetime, datetime]


def _invoices(
    before: Program,
    pairs: Sequence[Pair],
    sides: _Sides,
    results: Mapping[tuple[bool, str], list[Result]],
    runs: tuple[Run, Run | None],
    begins: Bounds,
    out: Diagnostics,
) -> tuple[Invoice, ...]:
    found: dict[tuple[str, datetime, datetime, str], dict[str, list[Decimal | None]]] = {}
    of_run: tuple[dict[str, list[Result]], dict[str, list[Result]]] = {}, {}
    for (apart, name), given in results.items():
        of_run[apart][name] = given
    for pair in pairs:
        old, new = pair
        meter = new or old
        assert meter is not None
        same = sides.alike(pair) and old is not None and new is not None and old.price == new.price
        for side, one in enumerate(pair):
            if one is None or one.price is None or (same and side == 0):
                continue
            apart, name = sides.before(one) if side == 0 else (False, one.name)
            done = runs[1] if apart else runs[0]
            assert done is not None
            program = before if apart else sides.joint
            for period, amount in _amounts(
                program, replace(one, name=name), of_run[apart], done.due.get(name, []), out
            ):
                if _chosen(period[1], begins):
                    lines = found.setdefault((*period, one.price.currency), {}).setdefault(meter.name, [None, None])
                    lines[side] = amount
                    if same:
                        lines[0] = amount
    invoices = [
        Invoice(
            customer=customer,
            start=start,
            end=end,
            currency=currency,
            before=_sum(amounts[0] for amounts in meters.values()),
            after=_sum(amounts[1] for amounts in meters.values()),
            meters=tuple(MeterAmount(name, amounts[0], amounts[1]) for name, amounts in meters.items()),
        )
        for (customer, start, end, currency), meters in found.items()
    ]
    return tuple(sorted(invoices, key=attrgetter("customer", "start", "end", "currency")))


def _amounts(
    program: Program, meter: Meter, results: Mapping[str, list[Result]], due: Iterable[Period], out: Diagnostics
) -> Iterator[tuple[Period, Decimal]]:
    """What each customer owes for each period of a billing meter; reports why usage has no price, each reason once."""
    assert meter.price is not None
    refused: set[str] = set()
    for period, charge in charges_of(program, meter, defaultdict(list, results), due).items():
        if isinstance(charge, Unpriceable):
            if charge.rule.code not in refused:
                refused.add(charge.rule.code)
                out.report(charge.rule, at=meter.price.origin, hint=charge.hint, **charge.facts)  # type: ignore[arg-type]
        elif charge.bill.lines:
            yield period, charge.bill.amount


def _chosen(start: datetime | None, begins: Bounds) -> bool:
    """Whether a window begins within bounds; one that never began does not, where there are any."""
    first, last = begins
    if start is None:
        return first is None and last is None
    return (first is None or start >= first) and (last is None or start < last)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known[1:], known[0]) if known else None


# Reported numbers -----------------------------------------------------------------------------------------------


def _numbers(
    pairs: Sequence[Pair],
    sides: _Sides,
    results: Mapping[tuple[bool, str], list[Result]],
    begins: Bounds,
    dimensions: Mapping[str, Mapping[str, str]],
) -> Iterator[Numbers]:
    """The numbers of every meter that is not priced before, or is not after."""

    def of(key: tuple[bool, str]) -> list[Result]:
        return [result for result in results.get(key, []) if _chosen(result.window_start, begins)]

    for pair in pairs:
        old, new = pair
        meter = new or old
        assert meter is not None
        if not any(one is not None and one.price is None for one in pair):
            continue
        left = of(sides.before(old)) if old is not None else []
        right = of((False, new.name)) if new is not None else []
        if sides.alike(pair):
            yield Numbers(meter=meter.name, unit=meter.unit, same=len(right), moved=())
            continue
        numbers: dict[tuple[Window, Group], list[Decimal | None]] = {}
        # The names and the order of dimensions are those of columns: the same values are the same group.
        names = dimensions.get(old.name, {}) if old is not None else {}
        order = {name: number for number, (name, _) in enumerate(right[0].group if right else ())}
        for side, found in ((1, right), (0, left)):
            for result in found:
                group = result.group
                if side == 0 and names:
                    group = tuple((names.get(name, name), value) for name, value in group)
                if side == 0 and [name for name, _ in group] != [*order]:
                    group = tuple(sorted(group, key=lambda pair: order.get(pair[0], len(order))))
                key = ((result.window_start, result.window_end), group)
                numbers.setdefault(key, [None, None])[side] = result.quantity
        moved = [
            Number(window=window, group=group, before=values[0], after=values[1])
            for (window, group), values in numbers.items()
            if values[0] != values[1]
        ]
        yield Numbers(meter=meter.name, unit=meter.unit, same=len(numbers) - len(moved), moved=tuple(moved))


def _rows(first: Run, second: Run | None, alike: set[str], renamed: Mapping[str, str]) -> tuple[Rows, ...]:
    """What came of the rows of each family, under the name that it has after."""
    after = {quality.family: quality for quality in first.quality}
    apart = second.quality if second is not None else []
    before = {renamed.get(quality.family, quality.family): quality for quality in apart}
    before |= {name: after[name] for name in alike & after.keys()}
    return tuple(Rows(name, before.get(name), after.get(name)) for name in dict.fromkeys([*after, *before]))
