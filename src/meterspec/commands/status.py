"""The command `status`: where customers stand with the meters that have a cap."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterspec.commands.counting import cycles_argument, say_losses
from meterspec.commands.shared import day, instant_argument, palette_of, program_of, stop_on_errors
from meterspec.diagnostics import Failure, Rule
from meterspec.project import collect
from meterspec.render import Palette, as_json, instant, printable, short, table

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from meterspec.status import Standing

__all__ = ["status"]

NO_CAP = Rule(
    code="MS027",
    slug="no-cap",
    title="A spec without a cap where it is asked who is near one",
    message="no meter of the spec has a `limit`, a `brim_at` or credits",
    why="Where nothing is capped, every customer is on tap.",
)


def status(
    paths: Sequence[str],
    events: Sequence[str],
    customer: str | None,
    as_of: str | None,
    cycles: tuple[str | None, str | None],
    format: str,
    threads: int | None,
) -> None:
    """Prints what customers used of the meters that have a cap, what is left, and which hooks are due."""
    from meterspec.status import capped, standings  # noqa: PLC0415
    from meterspec.store import find  # noqa: PLC0415

    program, out = program_of(collect(paths))
    if not capped(program):
        raise Failure(NO_CAP, hint="give one: `limit` is the hard cap, `brim_at` the soft one")
    moment = instant_argument("--as-of", as_of)
    found, done = standings(
        program, find(program, events), out, as_of=moment, cycles=cycles_argument(cycles), threads=threads
    )
    stop_on_errors(out)
    for name in done.skipped:
        sys.stderr.write(f"meter {name} is not computed: no events of its family were given\n")
    if moment is None and done.as_of is not None:
        sys.stderr.write(f"as of {instant(done.as_of)}, just after the newest event\n")
    say_losses(done)
    chosen = [one for one in found if customer is None or one.customer == customer]
    if customer is not None and not chosen:
        sys.stderr.write(f"customer {printable(customer)} has used nothing that is capped\n")
    if format == "json":
        sys.stdout.write(as_json(_status_json(chosen, done.as_of)))
    else:
        sys.stdout.write(_status_text(chosen, palette_of(sys.stdout)))


def _status_json(found: Sequence[Standing], as_of: datetime | None) -> dict[str, object]:
    return {"as_of": instant(as_of) if as_of else None, "status": [_standing_json(one) for one in found]}


def _standing_json(one: Standing) -> dict[str, object]:
    start, end = one.period or (None, None)
    grants = None
    if one.grants is not None:
        grants = [
            {"period_start": instant(grant.period_start), "units": short(grant.units), "left": short(grant.left)}
            for grant in one.grants
        ]
    return {
        "customer_id": one.customer,
        "meter": one.meter.name,
        "unit": one.meter.unit,
        "period_start": None if start is None else instant(start),
        "period_end": None if end is None else instant(end),
        "used": short(one.used),
        "limit": _number(one.meter.entitlement.limit),
        "brim_at": _number(one.meter.entitlement.brim_at),
        "credits": _number(one.credits),
        "grants": grants,
        "remaining": _number(one.remaining),
        "status": one.status.value,
        "hooks": list(one.hooks),
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else short(value)


_COLOURS = {"on_tap": "green", "spill": "yellow", "dry": "red"}


def _status_text(found: Sequence[Standing], palette: Palette) -> str:
    headers = ["customer", "meter", "from", "used", "limit", "brim", "credits", "remaining", "status", "hooks"]
    rows = []
    for one in found:
        caps = one.meter.entitlement
        numbers = (one.used, caps.limit, caps.brim_at, one.credits, one.remaining)
        begins = "-" if one.period is None else day(one.period[0])
        cells = ["-" if value is None else short(value) for value in numbers]
        head = ["-" if one.customer is None else one.customer, one.meter.name, begins]
        rows.append([*head, *cells, one.status.value, ", ".join(one.hooks)])
    return table(headers, rows, frozenset(range(3, 8)), palette)
