"""Which of two lists of tiers costs more, exactly and for every quantity."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from meterspec.diff.changes import Change
from meterspec.ir import Price, Rate, Tier, TierMode

__all__ = ["cheaper", "dearer"]


def dearer(change: Change) -> bool:
    """Some usage costs more by the tiers after the change than by those before."""
    return any(step > 0 for step in _movement(change))


def cheaper(change: Change) -> bool:
    """Some usage costs less by the tiers after the change, and none more."""
    movement = _movement(change)
    return any(step < 0 for step in movement) and not any(step > 0 for step in movement)


def _movement(change: Change) -> tuple[Fraction, ...]:
    before, after = change.old(Price), change.new(Price)
    assert before is not None
    assert after is not None
    old = (change.old(Rate) or before).tiers
    new = (change.new(Rate) or after).tiers
    included = Fraction(0) if after.package_size else Fraction(min(before.included_units, after.included_units))
    return _steps(old, before.tier_mode, new, after.tier_mode, included)


@lru_cache(maxsize=16)  # every tier of a price asks for the same
def _steps(
    old: tuple[Tier, ...], old_mode: TierMode, new: tuple[Tier, ...], new_mode: TierMode, included: Fraction
) -> tuple[Fraction, ...]:
    """How costs move where they move most: every other quantity's movement lies between two of these.

    Both costs are straight lines between two bounds, so the ends of each stretch and the slope of the last decide.
    """

    def moved(quantity: Fraction) -> Fraction:
        return _cost(new, new_mode, included, quantity) - _cost(old, old_mode, included, quantity)

    bounds = {Fraction(tier.up_to) for tier in (*old, *new) if tier.up_to is not None}
    points = sorted({Fraction(0), included, *bounds})
    steps = []
    for low, high in pairwise([*points, points[-1] + 1]):
        end, middle = moved(high), moved((low + high) / 2)
        steps += [2 * middle - end, end]
    return (*steps, end - middle)


def _cost(tiers: tuple[Tier, ...], mode: TierMode, included: Fraction, quantity: Fraction) -> Fraction:
    """What a quantity costs by these tiers, before rounding."""
    total, low = Fraction(0), Fraction(0)
    for tier in tiers:
        high = quantity if tier.up_to is None else min(quantity, Fraction(tier.up_to))
        unit, flat = Fraction(tier.unit_amount or 0), Fraction(tier.flat_amount or 0)
        if mode is TierMode.VOLUME:
            if high == quantity:
                return unit * max(Fraction(0), quantity - included) + flat
        elif quantity > low:
            total += unit * max(Fraction(0), high - max(low, included)) + flat
            low = high
    return total
