"""Time zones as data: every change of a zone's clock, from the tz database that is installed with the package.

Engines ship tz databases of different years and disagree about dozens of zones, so none of them is ever asked.
The files are those of RFC 9636 (TZif); after the last change they list, the rule in their last line holds for ever.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files

__all__ = ["DAY", "Change", "Day", "Rule", "Zone", "day_of", "first_of_month", "is_uneven", "tz_version", "zone"]

SECOND = 1_000_000
DAY = 86_400 * SECOND
"""Microseconds of a day."""


@dataclass(frozen=True, slots=True)
class Change:
    """An instant at which a zone's clock is set: microseconds since 1970 UTC, and how far it is ahead of UTC after."""

    at: int
    offset: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day of every year and a time on it: `week` of `weekday` (0 is Sunday) in `month`; the week 5 is the last."""

    month: int
    week: int
    weekday: int
    time: int
    """Microseconds after the midnight that begins the day; may be negative, or more than a day."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The clock is set twice a year: to `summer` on the day `begins`, and back to `standard` on the day `ends`."""

    standard: int
    summer: int
    begins: Day
    """Its time is that of the standard clock."""
    ends: Day
    """Its time is that of the summer clock."""


@dataclass(frozen=True, slots=True)
class Zone:
    """The clock of a time zone, as microseconds ahead of UTC."""

    name: str
    first: int
    """The offset before the first change."""
    changes: tuple[Change, ...]
    rule: Rule | None
    """What holds after the last change that is listed; None is a clock that is not set any more."""
    rule_year: int
    """The year, in UTC, from which the rule takes the place of listed changes."""


_LISTED_UNTIL = 2038
"""Changes are listed before this year at least; most files do, and what they leave to their rule is added."""


_LENGTHS = {"minute": 60 * SECOND, "hour": 3600 * SECOND}


def is_uneven(unit: str, zone: Zone) -> bool:
    """Whether a zone's clock goes on being set by, or at, a part of a minute or an hour: its windows of that unit
    then begin anew each time, and cannot be counted by arithmetic alone."""
    length, rule = _LENGTHS.get(unit), zone.rule
    if length is None or rule is None:
        return False
    return any(step % length for step in (rule.begins.time, rule.ends.time, rule.summer - rule.standard))


def tz_version() -> str:
    """The version of the tz database's package, such as `2026.6`."""
    return version("tzdata")


@cache
def zone(name: str) -> Zone:
    """The zone of an IANA name, or of an offset such as `+05:30`; KeyError where there is none."""
    fixed = re.fullmatch(r"([+-]?)([0-9]{2}):([0-9]{2})", name)
    if fixed:
        sign, hours, minutes = fixed.groups()
        offset = (int(hours) * 3600 + int(minutes) * 60) * SECOND
        return Zone(name, -offset if sign == "-" else offset, (), None, _LISTED_UNTIL)
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name):
        raise KeyError(name)
    try:
        data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    except OSError as error:
        raise KeyError(name) from error
    return _read(name, data)


def _read(name: str, data: bytes) -> Zone:
    """A zone from the second, 64-bit block of its file."""
    counts = struct.unpack(">6L", data[20:44])
    utc_marks, standard_marks, leaps, changes, kinds, letters = counts
    start = 44 + changes * 5 + kinds * 6 + letters + leaps * 8 + standard_marks + utc_marks
    utc_marks, standard_marks, leaps, changes, kinds, letters = struct.unpack(">6L", data[start + 20 : start + 44])
    body = start + 44
    times = struct.unpack(f">{changes}q", data[body : body + 8 * changes])
    indices = data[body + 8 * changes : body + 9 * changes]
    table = body + 9 * changes
    offsets = [struct.unpack_from(">l", data, table + 6 * number)[0] * SECOND for number in range(kinds)]
    footer = data[data[:-1].rindex(b"\n") + 1 : -1].decode("ascii")
    rule, last = _footer(footer)
    listed = [Change(at * SECOND, offsets[index]) for at, index in zip(times, indices, strict=True)]
    rule_year = _LISTED_UNTIL
    if rule is not None:
        after = listed[-1].at if listed else -(2**63)
        while first_of_month(rule_year, 1) * DAY <= after:
            rule_year += 1
        listed += _until(rule, after, rule_year)
    elif last is not None and listed and listed[-1].offset != last:
        raise ValueError(f"the rule of {name} is not what its last change leads to")
    return Zone(name, offsets[0], tuple(_real_changes(offsets[0], listed)), rule, rule_year)


def _real_changes(offset: int, changes: list[Change]) -> Iterator[Change]:
    """The changes after which the clock is another; many only rename the zone's time."""
    for change in changes:
        if change.offset != offset:
            yield change
            offset = change.offset


_NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)"
_CLOCK = r"[+-]?[0-9]{1,3}(?::[0-9]{2}){0,2}"
_DAY_RULE = rf"M([0-9]+)\.([0-9])\.([0-9])(?:/({_CLOCK}))?"
_FOOTER = re.compile(rf"{_NAME}({_CLOCK})(?:{_NAME}({_CLOCK})?,{_DAY_RULE},{_DAY_RULE})?")


def _footer(text: str) -> tuple[Rule | None, int | None]:
    """The rule of a file's last line, or else the one offset it names; ValueError for a form that no zone has."""
    found = _FOOTER.fullmatch(text)
    if found is None:
        raise ValueError(f"a time zone rule of an unknown form: {text}")
    standard = -_clock(found[1])
    if found[3] is None:
        return None, standard
    summer = -_clock(found[2]) if found[2] else standard + 3600 * SECOND
    begins, ends = (
        Day(int(found[n]), int(found[n + 1]), int(found[n + 2]), _clock(found[n + 3] or "2")) for n in (3, 7)
    )
    return Rule(standard, summer, begins, ends), None


def _clock(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    return sign * sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)) * SECOND


def _until(rule: Rule, after: int, year_after: int) -> Iterator[Change]:
    """The changes that a rule makes after an instant and before a year."""
    first_year = 1970 if after < 0 else 1970 + after // (366 * DAY)
    for year in range(first_year, year_after):
        both = [
            Change(day_of(year, rule.begins) * DAY + rule.begins.time - rule.standard, rule.summer),
            Change(day_of(year, rule.ends) * DAY + rule.ends.time - rule.summer, rule.standard),
        ]
        for change in sorted(both, key=lambda one: one.at):
            if change.at > after:
                yield change


def day_of(year: int, day: Day) -> int:
    """The days from 1970-01-01 to the day of a rule in a year."""
    if day.week == 5:
        last = first_of_month(year, day.month + 1) - 1
        return last - (last + 4 - day.weekday) % 7
    first = first_of_month(year, day.month)
    return first + (day.weekday - first - 4) % 7 + 7 * (day.week - 1)


def first_of_month(year: int, month: int) -> int:
    """The days from 1970-01-01 to the first of a month, which is counted from 1 and may be beyond 12."""
    months = 12 * year + month - 3
    years, months = divmod(months, 12)
    return 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 - 719_468
