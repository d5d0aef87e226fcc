"""Windows of time zones: the changes of every zone's clock, and calendar windows as whole-number arithmetic."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files

import duckdb
import pytest
from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.calendar import grid_of
from meterspec.backends.sql.dialects import DIALECTS
from meterspec.ir import CalendarUnit, CalendarWindow
from meterspec.zones import DAY, Zone, day_of, is_uneven, zone
from tests.reference import moment
from tests.reference.windows import Inputs, named_zone, overlapping

NAMES = (files("tzdata") / "zones").read_text(encoding="utf-8").split()
HOUR = DAY // 24
FIRST, LAST = -62_100_000_000_000_000, 253_370_000_000_000_000
"""Instants in the years 2 and 9998."""


@pytest.mark.parametrize("name", NAMES)
def test_a_clock_is_that_of_the_tz_database(name: str) -> None:
    ours, theirs = zone(name), named_zone(name)
    at = [change.at for change in ours.changes]
    years = range(-120, 68)
    for instant in [*(one + step for one in at for step in (-1, 0)), *(365 * DAY * year for year in years)]:
        number = bisect_right(at, instant)
        offset = moment(instant).astimezone(theirs).utcoffset()
        assert offset == timedelta(microseconds=ours.changes[number - 1].offset if number else ours.first)


ODD = [
    "UTC",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Manila",
    "Africa/Casablanca",
    "Europe/Dublin",
    "America/Nuuk",
    "Africa/Cairo",
    "Asia/Gaza",
    "America/Juneau",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Havana",
    "Asia/Beirut",
    "America/Toronto",
    "Antarctica/Troll",
    "America/Santiago",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Europe/London",
    "America/New_York",
    "Asia/Kolkata",
    "Africa/Monrovia",
    "Pacific/Kwajalein",
    "America/Scoresbysund",
]
"""Zones with midnights that are skipped or come twice, odd offsets, and rules of every kind."""


def instants(draw: random.Random, clock: Zone) -> Iterator[int]:
    """Instants of all times, many of them near changes of the clock, those that its rule makes among them."""
    changes = [change.at for change in clock.changes]
    if clock.rule is not None:
        for year in (2040, 2100, 2399, 2400, 9990):
            changes.append(day_of(year, clock.rule.begins) * DAY + clock.rule.begins.time - clock.rule.standard)
            changes.append(day_of(year, clock.rule.ends) * DAY + clock.rule.ends.time - clock.rule.summer)
    for at in draw.sample(changes, min(len(changes), 40)):
        yield from (at + step for step in (-DAY // 2, -HOUR, -HOUR // 2, -1, 0, 1, HOUR // 2 - 1, HOUR, DAY - 1))
    yield from (draw.randint(FIRST, LAST) for _ in range(60))
    yield from (draw.randint(0, 3_000_000_000_000_000) for _ in range(60))


@pytest.mark.parametrize("name", ODD)
def test_a_window_is_that_of_the_reference(name: str) -> None:
    clock, dialect = zone(name), DIALECTS["duckdb"]
    given = list(instants(random.Random(name), clock))
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE stage_0 AS SELECT unnest(?) AS "at"', [given])
        for unit in CalendarUnit:
            if is_uneven(unit.value, clock):
                continue
            grid = grid_of(dialect, unit, clock)
            steps = [("place", grid.coordinate(b.column("at")))]
            steps += [(f"place_{name}", node) for name, node in grid.number("place")]
            window = b.column("place_window")
            steps += [("begins", grid.begins(window)), ("ends", grid.begins(grid.calendar.plus(window.copy(), 1)))]
            steps += [("start", grid.instant(b.column("begins"))), ("end", grid.instant(b.column("ends")))]
            for number, (step, node) in enumerate(steps):
                select = exp.select(exp.Star(), b.named(node, step)).from_(b.table(f"stage_{number}"))
                connection.execute(f"CREATE OR REPLACE VIEW stage_{number + 1} AS {b.printed(select, 'duckdb')}")
            found = connection.execute(f'SELECT "at", "start", "end" FROM stage_{len(steps)}').fetchall()
            for at, start, end in found:
                (span,) = overlapping(CalendarWindow(unit, name), at, at, None, Inputs(as_of=0))
                assert (start, end) == span, f"{unit} of {name} at {moment(at)}"
