"""Calendars as whole-number arithmetic: windows are counted, and their bounds computed, without an engine's own dates.

A `Grid` cuts time into windows without gaps and numbers them. The days are those of the proleptic Gregorian calendar,
counted from 0000-03-01: years that begin in March have their leap day at the end, so no table of months is needed. The
clock of a time zone becomes a piecewise function, a tree of comparisons with the instants at which it is set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import NARROW, Dialect
from meterspec.ir import CalendarUnit
from meterspec.zones import DAY, Day, Rule, Zone, first_of_month

__all__ = ["Calendar", "Fixed", "Grid", "grid_of"]

_EPOCH_DAY = 719_468
"""The days from 0000-03-01 to 1970-01-01."""
_LENGTHS = {CalendarUnit.MINUTE: 60_000_000, CalendarUnit.HOUR: 3_600_000_000}
_MONTHS = {CalendarUnit.MONTH: 1, CalendarUnit.QUARTER: 3, CalendarUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The arithmetic of days, months and zones in one dialect. Whole numbers are of the narrow type."""

    dialect: Dialect

    def div(self, node: exp.Expr, divisor: int) -> exp.Expr:
        """The quotient of a number that is not negative."""
        return node if divisor == 1 else self.dialect.quotient(node, b.number(divisor), NARROW)

    def mod(self, node: exp.Expr, divisor: int) -> exp.Expr:
        """The remainder of a number that is not negative."""
        return self.dialect.remainder(node, b.number(divisor), NARROW)

    def plus(self, node: exp.Expr, number: int) -> exp.Expr:
        if number == 0:
            return node
        return b.binary(exp.Add if number > 0 else exp.Sub, node, b.number(abs(number)))

    def day(self, micros: exp.Expr, ahead: int = 0) -> exp.Expr:
        """The day, from 0000-03-01, that an instant is in by a clock that is so far ahead of UTC."""
        return self.div(self.plus(micros, _EPOCH_DAY * DAY + ahead), DAY)

    def time_of_day(self, micros: exp.Expr) -> exp.Expr:
        """Microseconds since midnight."""
        return self.mod(self.plus(micros, _EPOCH_DAY * DAY), DAY)

    # A day becomes a month in steps, each on those before: the century that it is in, the day of the century, the year
    # of the century. Years and centuries begin with March.

    def century(self, day: exp.Expr) -> exp.Expr:
        return self.div(self.plus(b.multiply(b.number(4), day), 3), 146_097)

    def day_of_century(self, day: exp.Expr, century: exp.Expr) -> exp.Expr:
        return b.binary(exp.Sub, day, self.div(b.multiply(b.number(146_097), century), 4))

    def year_of_century(self, day_of_century: exp.Expr) -> exp.Expr:
        return self.div(self.plus(b.multiply(b.number(4), day_of_century), 3), 1461)

    def day_of_year(self, day_of_century: exp.Expr, year_of_century: exp.Expr) -> exp.Expr:
        return b.binary(exp.Sub, day_of_century, self.div(b.multiply(b.number(1461), year_of_century), 4))

    def month_of(self, century: exp.Expr, day_of_century: exp.Expr, year_of_century: exp.Expr) -> exp.Expr:
        """The month of a day, from the January of the year 0."""
        years = b.add(b.multiply(b.number(100), century), year_of_century)
        months = self._march_month(self.day_of_year(day_of_century, year_of_century.copy()))
        return self.plus(b.add(b.multiply(b.number(12), years), months), 2)

    def _parts(self, day: exp.Expr) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
        """The century, the day of the century and the year of the century, all in terms of the day."""
        century = self.century(day)
        rest = self.day_of_century(day.copy(), century.copy())
        return century, rest, self.year_of_century(rest.copy())

    def march_year(self, day: exp.Expr) -> exp.Expr:
        """The year that a day is in, where years begin with March."""
        century, _, year = self._parts(day)
        return b.add(b.multiply(b.number(100), century), year)

    def _day_of_march_year(self, day: exp.Expr) -> exp.Expr:
        _, rest, year = self._parts(day)
        return self.day_of_year(rest, year)

    def _march_month(self, day_of_year: exp.Expr) -> exp.Expr:
        return self.div(self.plus(b.multiply(b.number(5), day_of_year), 2), 153)

    def month(self, day: exp.Expr) -> exp.Expr:
        """The month that a day is in, from the January of the year 0."""
        return self.month_of(*self._parts(day))

    def first_of_month(self, month: exp.Expr) -> exp.Expr:
        """The first day of a month that is counted from the January of the year 0."""
        march = self.plus(month, -2)
        days = self.div(self.plus(b.multiply(b.number(153), self.mod(march, 12)), 2), 5)
        return b.add(self._first_of_march_year(self.div(march.copy(), 12)), days)

    def _first_of_march_year(self, year: exp.Expr) -> exp.Expr:
        leap = b.add(b.multiply(b.number(365), year), self.div(year.copy(), 4))
        return b.add(b.binary(exp.Sub, leap, self.div(year.copy(), 100)), self.div(year.copy(), 400))

    def part(self, what: str, day: exp.Expr) -> exp.Expr:
        """What a getter of a timestamp gives of a day: months, days and weekdays count from 0, Sunday is 0."""
        match what:
            case "year":
                return self.div(self.month(day), 12)
            case "month":
                return self.mod(self.month(day), 12)
            case "day_of_month" | "day_of_month_1_based":
                since = self._day_of_march_year(day)
                months = self._march_month(since.copy())
                of_month = b.binary(exp.Sub, since, self.div(self.plus(b.multiply(b.number(153), months), 2), 5))
                return self.plus(of_month, 1) if what.endswith("1_based") else of_month
            case "day_of_year":
                january = self._first_of_march_year(self.plus(self.div(self.month(day), 12), -1))
                return b.binary(exp.Sub, day.copy(), self.plus(january, 306))
            case "day_of_week":
                return self.mod(self.plus(day, 3), 7)
            case _:
                raise KeyError(what)

    def months_before(self, micros: exp.Expr, months: int) -> exp.Expr:
        """The clock so many months earlier at the same time of day, clamped to the month's end."""
        day = self.day(micros)
        target = self.plus(self.month(day), -months)
        first, following = self.first_of_month(target), self.first_of_month(self.plus(target.copy(), 1))
        last = self.plus(b.binary(exp.Sub, following, first.copy()), -1)
        of_month = self.dialect.least([self.part("day_of_month", day.copy()), last])
        midnight = b.multiply(self.plus(b.add(first, of_month), -_EPOCH_DAY), b.number(DAY))
        return b.add(midnight, self.time_of_day(micros.copy()))

    # Zones ------------------------------------------------------------------------------------------------------

    def offset(self, micros: exp.Expr, zone: Zone, *, whole_days: bool = False) -> exp.Expr:
        """How far a zone's clock is ahead of UTC at an instant, in microseconds.

        With `whole_days` a clock that is set back over midnight stays on the new day: the old offset holds until the
        new clock reaches that midnight again.
        """
        pieces: list[tuple[int | None, exp.Expr]] = [(None, b.number(zone.first))]
        before = zone.first
        for change in zone.changes:
            at = change.at
            again = (at + before - 1) // DAY * DAY  # the midnight that has begun by the old clock
            if whole_days and at + change.offset < again:
                at = again - change.offset
            pieces.append((at, b.number(change.offset)))
            before = change.offset
        if zone.rule is not None:
            pieces.append((first_instant(zone.rule_year), self._ruled(micros, zone.rule, local=False)))
        return self.piecewise(micros, pieces)

    def from_local(self, local: exp.Expr, zone: Zone) -> exp.Expr:
        """The instant at which a zone's clock shows a date and time, given as microseconds as if it were UTC.

        Of two such instants it is the first. A midnight that the clock skips is the instant at which it is skipped;
        another time that it skips is counted with the offset before.
        """
        pieces: list[tuple[int | None, exp.Expr]] = [(None, self.plus(local, -zone.first))]
        before = zone.first
        for change in zone.changes:
            midnight = (change.at + before) // DAY * DAY + DAY
            if midnight < change.at + change.offset:
                pieces.append((midnight, b.number(change.at)))
                pieces.append((midnight + 1, self.plus(local.copy(), -before)))
            pieces.append((change.at + max(before, change.offset), self.plus(local.copy(), -change.offset)))
            before = change.offset
        if zone.rule is not None:
            ahead = self._ruled(local, zone.rule, local=True)
            pieces.append((first_instant(zone.rule_year), b.binary(exp.Sub, local.copy(), ahead)))
        return self.piecewise(local, pieces)

    def piecewise(self, at: exp.Expr, pieces: Sequence[tuple[int | None, exp.Expr]]) -> exp.Expr:
        """The last piece that begins by `at`; the first has no beginning, the others ascend.

        It is found by halving, or from the last one back where an engine takes no such depth.
        """
        (_, first), *others = pieces
        if not others:
            return first.copy()
        if self.dialect.is_shallow:
            found = [(b.binary(exp.GTE, at.copy(), b.number(begin or 0)), node.copy()) for begin, node in others]
            return b.case(reversed(found), first.copy())
        middle = len(pieces) // 2
        bound = pieces[middle][0]
        assert bound is not None
        below = b.binary(exp.LT, at.copy(), b.number(bound))
        return b.case([(below, self.piecewise(at, pieces[:middle]))], self.piecewise(at, pieces[middle:]))

    def _ruled(self, at: exp.Expr, rule: Rule, *, local: bool) -> exp.Expr:
        """The offset by the rule that a zone follows for ever, at an instant or by what the local clock shows."""
        longer = rule.summer - rule.standard
        begins = rule.begins.time + (max(0, longer) if local else -rule.standard)
        ends = rule.ends.time + (max(0, -longer) if local else -rule.summer)
        year = self.march_year(self.day(at))
        starts, stops = (
            b.binary(exp.GTE, at.copy(), self.plus(b.multiply(self._day_of_rule(year, day), b.number(DAY)), time))
            for day, time in ((rule.begins, begins), (rule.ends, ends))
        )
        if rule.begins.month < rule.ends.month:
            summer = b.all_of([starts, b.not_(stops)])
        else:
            summer = b.any_of([starts, b.not_(stops)])
        return b.case([(summer, b.number(rule.summer))], b.number(rule.standard))

    def _day_of_rule(self, year: exp.Expr, day: Day) -> exp.Expr:
        """The days from 1970-01-01 to the day of a rule, in a year that begins with March."""
        assert 3 <= day.month <= 11
        first = self._first_of_march_year(year.copy())
        if day.week == 5:
            last = self.plus(first, (153 * (day.month - 2) + 2) // 5 - 1)
            found = b.binary(exp.Sub, last, self.mod(self.plus(last.copy(), 10 - day.weekday), 7))
        else:
            begin = self.plus(first, (153 * (day.month - 3) + 2) // 5)
            wait = b.binary(exp.Sub, b.number(day.weekday + 11), self.mod(begin.copy(), 7))
            found = self.plus(b.add(begin, self.mod(wait, 7)), 7 * (day.week - 1))
        return self.plus(found, -_EPOCH_DAY)


def first_instant(year: int) -> int:
    """The first instant of a year in UTC."""
    return first_of_month(year, 1) * DAY


class Grid(ABC):
    """Windows without gaps, numbered in the order of time.

    An instant becomes a `coordinate`, the coordinate a window's number; a number becomes what the window `begins` with,
    and that an `instant`. Each step may name its argument often, so the views make a column of it first.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.calendar = Calendar(dialect)

    @abstractmethod
    def coordinate(self, micros: exp.Expr) -> exp.Expr: ...

    def number(self, coordinate: str) -> list[tuple[str, exp.Expr]]:
        """The steps from a coordinate, a column, to the number of its window, which is the last of these columns."""
        return [("window", b.column(coordinate))]

    @abstractmethod
    def begins(self, number: exp.Expr) -> exp.Expr: ...

    def instant(self, begins: exp.Expr) -> exp.Expr:
        return begins


class Fixed(Grid):
    """Windows of a fixed length, aligned to the Unix epoch."""

    def __init__(self, dialect: Dialect, length: int) -> None:
        super().__init__(dialect)
        self._length = length
        self._before = -(-(_EPOCH_DAY * DAY) // length) * length

    def coordinate(self, micros: exp.Expr) -> exp.Expr:
        return self.calendar.div(self.calendar.plus(micros, self._before), self._length)

    def begins(self, number: exp.Expr) -> exp.Expr:
        return self.calendar.plus(b.multiply(number, b.number(self._length)), -self._before)


class Days(Grid):
    """Days, weeks, months, quarters or years of a zone's calendar."""

    def __init__(self, dialect: Dialect, unit: CalendarUnit, zone: Zone) -> None:
        super().__init__(dialect)
        self._unit = unit
        self._zone = zone
        self._is_set = bool(zone.changes)

    def coordinate(self, micros: exp.Expr) -> exp.Expr:
        """The day; for months by the engine's own dates the time that the clock shows."""
        calendar, ahead = self.calendar, self._zone.first
        if self._is_set:
            micros, ahead = b.add(micros, calendar.offset(micros.copy(), self._zone, whole_days=True)), 0
        return calendar.day(micros, ahead) if self._month("") is None else calendar.plus(micros, ahead)

    def _month(self, coordinate: str) -> exp.Expr | None:
        return self.calendar.dialect.month(b.column(coordinate)) if self._unit in _MONTHS else None

    def number(self, coordinate: str) -> list[tuple[str, exp.Expr]]:
        calendar, day = self.calendar, b.column(coordinate)
        match self._unit:
            case CalendarUnit.DAY:
                return [("window", day)]
            case CalendarUnit.WEEK:
                return [("window", calendar.div(calendar.plus(day, 2), 7))]
            case unit if (month := self._month(coordinate)) is not None:
                return [("window", calendar.div(month, _MONTHS[unit]))]
            case unit:
                century, rest, year = (b.column(f"{coordinate}_{name}") for name in ("century", "rest", "year"))
                months = calendar.div(calendar.month_of(century, rest, year), _MONTHS[unit])
                return [
                    ("century", calendar.century(day)),
                    ("rest", calendar.day_of_century(day.copy(), century)),
                    ("year", calendar.year_of_century(rest)),
                    ("window", months),
                ]

    def begins(self, number: exp.Expr) -> exp.Expr:
        calendar = self.calendar
        match self._unit:
            case CalendarUnit.DAY:
                day = number
            case CalendarUnit.WEEK:
                day = calendar.plus(b.multiply(number, b.number(7)), -2)
            case unit:
                day = calendar.first_of_month(b.multiply_by(number, _MONTHS[unit]))
        return b.multiply(calendar.plus(day, -_EPOCH_DAY), b.number(DAY))

    def instant(self, begins: exp.Expr) -> exp.Expr:
        if not self._is_set:
            return self.calendar.plus(begins, -self._zone.first)
        return self.calendar.from_local(begins, self._zone)


class LocalClock(Grid):
    """Full hours or minutes of a zone's clock; a new window begins wherever the clock is set off the full hour.

    Where the clock is set by full hours and on the hour, these are the hours of UTC, moved by one constant.
    """

    def __init__(self, dialect: Dialect, length: int, zone: Zone) -> None:
        super().__init__(dialect)
        self._length = length
        self._pieces = list(_counted(length, zone))

    def coordinate(self, micros: exp.Expr) -> exp.Expr:
        ahead = self.calendar.piecewise(micros, [(at, b.number(shift)) for at, _, shift in self._pieces])
        return self.calendar.div(b.add(micros.copy(), ahead), self._length)

    def instant(self, begins: exp.Expr) -> exp.Expr:
        pieces: list[tuple[int | None, exp.Expr]] = []
        for at, number, shift in self._pieces:
            linear = self.calendar.plus(b.multiply(begins.copy(), b.number(self._length)), -shift)
            if at is not None and number is not None and number * self._length - shift != at:
                pieces += [(number, b.number(at)), (number + 1, linear)]
            else:
                pieces.append((number, linear))
        return self.calendar.piecewise(begins, pieces)

    def begins(self, number: exp.Expr) -> exp.Expr:
        return number


def _counted(length: int, zone: Zone) -> Iterator[tuple[int | None, int | None, int]]:
    """Stretches of time, each with its first instant, the number of its first window, and the shift by which
    (instant + shift) // length is the number of a window."""
    shift = -(-(_EPOCH_DAY * DAY + DAY) // length) * length + zone.first
    yield None, None, shift
    for change in zone.changes:
        number = (change.at - 1 + shift) // length + 1
        following = number * length + (change.at + change.offset) % length - change.at
        if following != shift:
            shift = following
            yield change.at, number, shift


def grid_of(dialect: Dialect, unit: CalendarUnit, zone: Zone) -> Grid:
    """The windows of a unit of the calendar, in a zone."""
    if unit not in _LENGTHS:
        return Days(dialect, unit, zone)
    if not zone.changes and zone.first % _LENGTHS[unit] == 0:
        return Fixed(dialect, _LENGTHS[unit])
    return LocalClock(dialect, _LENGTHS[unit], zone)
