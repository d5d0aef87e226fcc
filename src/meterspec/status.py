"""Where customers stand: what they used of the meters that have a cap, what is left, and which hooks are due.

The rules stand in words in `docs/pricing.md`. A cap is of the period that is open at the as-of instant, or of the
window that ends there. Prepaid units are those that the invoices bill: packs, drawn down oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from enum import StrEnum

from meterspec.diagnostics import Diagnostics
from meterspec.events import Anchor, Cycle, EventFiles
from meterspec.ir import ADDITIVE, Function, Lifetime, Meter, Program, Rolling
from meterspec.pricing import LineKind, Unpriceable, price_usage
from meterspec.render import day
from meterspec.run import Result, Run, run
from meterspec.store import SealedEvents

__all__ = ["Grant", "Level", "Standing", "capped", "standings"]

_ZERO = Decimal(0)
_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation, Overflow])
"""Raises rather than lose a digit."""


class Level(StrEnum):
    """What a customer may expect of a meter."""

    ON_TAP = "on_tap"
    SPILL = "spill"
    """The soft cap is reached."""
    DRY = "dry"
    """The hard cap is reached, or the prepaid units are used up."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Prepaid units of the packs that a period bought."""

    period_start: datetime
    units: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one customer stands with one meter."""

    customer: str | None
    meter: Meter
    period: tuple[datetime | None, datetime] | None
    """The period that is open; it begins with None where it is ever, and is None where nothing was used in it."""
    used: Decimal
    """What was used in the period, rounded as the meter says; nothing used is 0."""
    grants: tuple[Grant, ...] | None = None
    """The packs bought so far, the oldest first; None for a meter that is not prepaid."""
    low: bool = False
    """Whether the prepaid units fell below the level at which a pack is bought, in this period."""

    @property
    def credits(self) -> Decimal | None:
        """The prepaid units that are left."""
        return None if self.grants is None else _sum(grant.left for grant in self.grants)

    @property
    def remaining(self) -> Decimal | None:
        """What may be used until the customer is dry, never below zero; None where nothing says."""
        limit = self.meter.entitlement.limit
        bounds = [self.credits, None if limit is None else max(_EXACT.subtract(limit, self.used), _ZERO)]
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def status(self) -> Level:
        if self.remaining == 0:
            return Level.DRY
        brim = self.meter.entitlement.brim_at
        return Level.SPILL if brim is not None and self.used >= brim else Level.ON_TAP

    @property
    def hooks(self) -> tuple[str, ...]:
        """The names of the hooks whose level is reached: at the soft cap, of low credits, at the end."""
        hooks, brim = self.meter.entitlement.hooks, self.meter.entitlement.brim_at
        reached = [
            (hooks.on_brim, brim is not None and self.used >= brim),
            (hooks.on_low, self.low),
            (hooks.on_dry, self.status is Level.DRY),
        ]
        return tuple(name for name, is_reached in reached if name is not None and is_reached)


def capped(program: Program) -> tuple[Meter, ...]:
    """The meters that have a cap or credits."""
    return tuple(
        meter
        for meter in program.meters
        if meter.entitlement.limit is not None
        or meter.entitlement.brim_at is not None
        or (meter.price is not None and meter.price.credits is not None)
    )


def standings(
    program: Program,
    events: Sequence[EventFiles | SealedEvents],
    out: Diagnostics,
    *,
    as_of: datetime | None = None,
    cycles: Sequence[Cycle] | Anchor = (),
    threads: int | None = None,
) -> tuple[list[Standing], Run]:
    """Where every customer who ever used a capped meter stands just before the as-of instant, and the run behind it.

    Without `as_of` that is just after the newest event; with it, later events count nowhere. A customer's usage is
    computed from all his events, by whatever else the meter groups. Reports MS600 for a meter that the embedded engine
    cannot compute, and MS440 to MS443 for prepaid usage without a price; raises `Failure` as `run` does.
    """
    meters = capped(program)
    whole = Program(families=program.families, meters=tuple(_by_customer(meter) for meter in program.meters))
    names = [meter.name for meter in meters]
    done = run(whole, events, out, meters=names, as_of=as_of, cycles=cycles, threads=threads, until=as_of)
    if done.as_of is None:
        return [], done
    added = [meter for meter in meters if _adds_groups(meter)]
    grouped = done
    if added:  # a price adds up what is shown, group by group
        names = [meter.name for meter in added]
        grouped = run(program, events, out, meters=names, as_of=done.as_of, cycles=cycles, threads=threads, until=as_of)
    found = [
        standing
        for meter in meters
        for standing in _Meter(meter, done, grouped if meter in added else done, done.as_of, out).standings()
    ]
    return sorted(found, key=lambda one: (one.customer is None, one.customer or "")), done


def _adds_groups(meter: Meter) -> bool:
    """Whether the credits of a customer are drawn by the sum of what several groups are shown with."""
    prepaid = meter.price is not None and meter.price.credits is not None
    return prepaid and len(meter.group_by) > 1 and meter.aggregate is not None and meter.aggregate.function in ADDITIVE


def _by_customer(meter: Meter) -> Meter:
    """The meter for each customer as a whole, and for the one window that ends at the as-of instant."""
    window = replace(meter.window, every=None) if isinstance(meter.window, Rolling) else meter.window
    return replace(meter, group_by=meter.group_by[:1], window=window)


@dataclass
class _Meter:
    """The standings of one meter."""

    meter: Meter
    done: Run
    grouped: Run
    """What its credits are drawn by."""
    as_of: datetime
    out: Diagnostics

    def standings(self) -> Iterator[Standing]:
        bought = self._by_customer(self.grouped)
        for customer, results in self._by_customer(self.done).items():
            now = next((result for result in results if self._is_open(result)), None)
            grants, low = self._grants(bought.get(customer, []))
            yield Standing(
                customer=customer,
                meter=self.meter,
                period=None if now is None else (now.window_start, now.window_end),
                used=_ZERO if now is None or now.quantity is None else now.quantity,
                grants=grants,
                low=low,
            )

    def _by_customer(self, done: Run) -> dict[str | None, list[Result]]:
        """The meter's rows of a run, by customer."""
        found: dict[str | None, list[Result]] = {}
        for result in done.results:
            if result.meter == self.meter.name:
                customer = result.group[0][1]
                assert customer is None or isinstance(customer, str)
                found.setdefault(customer, []).append(result)
        return found

    def _is_open(self, result: Result) -> bool:
        """Whether a window holds the as-of instant; of those that end there, whether it is the newest."""
        aggregate = self.meter.aggregate
        is_held = aggregate is not None and aggregate.function is Function.TIME_WEIGHTED
        if result.window_start is None or is_held or isinstance(self.meter.window, Rolling | Lifetime):
            return result.window_end == self.as_of
        return result.window_start <= self.as_of < result.window_end

    def _grants(self, results: Sequence[Result]) -> tuple[tuple[Grant, ...] | None, bool]:
        """The packs that a customer's periods bought, drawn down oldest first, and whether this one ran low."""
        price = self.meter.price
        if price is None or price.credits is None:
            return None, False
        periods: dict[datetime, list[Result]] = {}
        for result in results:
            assert result.window_start is not None, "a billing meter has periods"
            periods.setdefault(result.window_start, []).append(result)
        balance, bought, low = _ZERO, list[tuple[datetime, Decimal]](), False
        for start, groups in sorted(periods.items()):
            used = _sum(result.quantity or _ZERO for result in groups)
            try:
                bill = price_usage(price, used, balance=balance)
            except Unpriceable as refusal:
                who = str(groups[0].group[0][1])
                hint = f"`{who}` used it in the period from {day(start)}, and no balance is known since"
                self.out.report(refusal.rule, at=price.origin, hint=hint, **refusal.facts)  # type: ignore[arg-type]
                return None, False
            packs = _sum(line.quantity for line in bill.lines if line.kind is LineKind.CREDIT)
            if packs:
                bought.append((start, _EXACT.multiply(packs, price.credits.pack)))
            low = bool(packs) and price.credits.refill_below is not None and self._is_open(groups[0])
            assert bill.balance is not None
            balance = bill.balance
        drawn = _EXACT.subtract(_sum(units for _, units in bought), balance)
        grants = []
        for start, units in bought:
            taken = min(units, drawn)
            drawn = _EXACT.subtract(drawn, taken)
            grants.append(Grant(start, units, _EXACT.subtract(units, taken)))
        return tuple(grants), low


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    with localcontext(_EXACT):
        return sum(numbers, _ZERO)
