"""Random prices as text of a spec, and random quantities that lie where prices change."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from meterspec.ir import Meter, Program, Tier
from tests.corpus import check_text

FAMILY = """\
[[families]]
name = "test.use"
schema.n = {{ type = "integer", required = true, min = {low}, max = {high} }}
schema.region = {{ type = "string" }}
schema.size = {{ type = "integer" }}
schema.spot = {{ type = "boolean" }}
"""
CURRENCIES = ["EUR", "USD", "JPY", "KWD", "CLF", "UGX"]
AMOUNTS = ["0", "0.01", "0.45", "0.005", "1", "2.5", "0.3333", "12.345678", "0.000000000000001", "999.99"]
FEES = ["0", "5", "19.99", "0.005", "100", "7.501"]
UNITS = ["1", "10", "12.5", "100", "1000", "0.5", "33.333333"]


@dataclass(frozen=True)
class Priced:
    """Billing meters that the checker accepts, each with a price of its own."""

    text: str
    program: Program


def tiers(draw: random.Random) -> str:
    """Tiers with bounds that rise."""
    if draw.random() < 0.3:
        return f"unit_amount = {draw.choice(AMOUNTS)}"
    bounds = sorted({Decimal(draw.choice(UNITS)) * draw.choice([1, 2, 7]) for _ in range(draw.randint(0, 3))})
    steps = []
    for bound in [*(f"{bound:f}" for bound in bounds), '"infinity"']:
        keys = draw.choice([["unit"], ["unit", "flat"], ["flat"]])
        amounts = [f"{key}_amount = {draw.choice(AMOUNTS if key == 'unit' else FEES)}" for key in keys]
        steps.append(f"{{ up_to = {bound}, {', '.join(amounts)} }}")
    return f"tiers = [{', '.join(steps)}]"


def billing(draw: random.Random, *, rated: bool) -> str:
    """The lines of a `billing` table."""
    model = draw.choice(["usage", "usage", "combined", "combined", "combined", "flat", "prepaid"])
    lines = ["[meters.billing]", f'model = "{model}"', f'currency = "{draw.choice(CURRENCIES)}"']
    if model in {"flat", "combined"}:
        lines.append(f"base_fee = {draw.choice(FEES)}")
    if model == "prepaid":
        refill = draw.choice(["", f", refill_below = {draw.choice(UNITS)}"])
        lines.append(f"credits = {{ pack = {draw.choice(UNITS)}, price = {draw.choice(FEES)}{refill} }}")
    if model in {"usage", "combined"}:
        if draw.random() < 0.5:
            lines.append(f"included_units = {draw.choice(UNITS)}")
        if draw.random() < 0.3:
            lines.append(f"package_size = {draw.choice(UNITS)}")
            lines.append(f'package_rounding = "{draw.choice(["up", "down"])}"')
        if draw.random() < 0.4:
            lines.append('tier_mode = "volume"')
        low, high = sorted([Decimal(draw.choice(FEES)), Decimal(draw.choice(FEES)) * 10])
        lines += [f"minimum_amount = {low}"] if draw.random() < 0.3 else []
        lines += [f"maximum_amount = {high}"] if draw.random() < 0.3 else []
        if not rated or draw.random() < 0.7:
            lines.append(tiers(draw))
        matches = ['region = "eu"', 'region = "é\'"', 'region = "eu", size = 1', "spot = true", "size = -3"]
        for match in draw.sample(matches, draw.randint(1, 3)) if rated else []:
            lines += ["[[meters.billing.rates]]", f"match = {{ {match} }}", tiers(draw)]
    return "\n".join(lines)


def priced(draw: random.Random, meters: int, low: int = -(10**9), high: int = 10**9) -> Priced:
    """A random spec of sums, each with a price."""
    family = FAMILY.format(low=low, high=high)
    accepted: list[str] = []
    while len(accepted) < meters:
        rated = draw.random() < 0.5
        groups = '["customer_id", "region", "size", "spot"]' if rated else '["customer_id"]'
        candidate = "\n".join(
            [
                "[[meters]]",
                f'name = "m{len(accepted)}"',
                'kind = "billing"',
                f"precision = {draw.choice([0, 2, 6, 9])}",
                'source = { kind = "family", family = "test.use" }',
                f'aggregate = {{ fn = "SUM", value = "n / 1000.0", window = "billing_cycle", group_by = {groups} }}',
                billing(draw, rated=rated),
                "",
            ]
        )
        if check_text(family + candidate)[0] is not None:
            accepted.append(candidate)
    text = family + "\n".join(accepted)
    program, found = check_text(text)
    assert program is not None, found
    return Priced(text, program)


def edges(meter: Meter) -> list[Decimal]:
    """Where the price of a meter changes: bounds, included units, packages."""
    price = meter.price
    assert price is not None
    every: list[Tier] = [*price.tiers, *(tier for rate in price.rates for tier in rate.tiers)]
    size = price.package_size or Decimal(1)
    found = [Decimal(0), price.included_units, size, price.included_units + size]
    found += [tier.up_to * size for tier in every if tier.up_to is not None]
    found += [tier.up_to * size + price.included_units for tier in every if tier.up_to is not None]
    if price.credits is not None:
        found += [price.credits.pack, price.credits.pack - (price.credits.refill_below or 0)]
    return found


def quantity(draw: random.Random, meter: Meter, most: int) -> Decimal | None:
    """A quantity of a meter: on an edge of its price, one step beside it, anything, much, or none."""
    step = Decimal(1).scaleb(-meter.precision)
    match draw.randrange(8):
        case 0 | 1 | 2:
            found = draw.choice(edges(meter)) + draw.choice([-1, 0, 0, 1]) * step
        case 3:
            found = Decimal(draw.randint(0, most))
        case 4:
            return None if draw.random() < 0.5 else Decimal(0)
        case _:
            found = Decimal(draw.randint(0, 3_000_000)) / 1000
    return found.quantize(step)
