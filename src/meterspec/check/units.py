"""Units: whether the value of a meter is in the unit the meter declares, down to the constant it is scaled by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, auto
from fractions import Fraction

from meterspec.cel import Call, Expr, FieldRef, ListOf, Literal, Type, evaluate, show, walk
from meterspec.diagnostics import Diagnostics, Edit, Rule, Severity
from meterspec.ir import Aggregate, CalendarUnit, Family, Field, Function, Meter
from meterspec.source import Place
from meterspec.units import CALENDAR, CO2E, MASS, TIME, BadUnit, Dimension, Unit, parse, sizes, suggested

__all__ = ["check", "check_field", "check_ratio", "read"]

BAD_UNIT = Rule(
    code="MS360",
    slug="bad-unit",
    title="A text that is no unit",
    message="`{text}` is not a unit{fault}",
    why="Units are written as in UCUM, capitals included: `.` multiplies, `/` divides, a number at the end is an "
    "exponent. A word that is not in the table of units counts something: `tokens`, `GB/user`.",
    bad="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", unit = "KWH" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", unit = "kWh" }
    """,
)
UNIT_IN_NAME = Rule(
    code="MS361",
    slug="unit-in-name",
    title="A field whose name says its unit, and whose declaration does not",
    message="the name of `{field}` says `{unit}`, and nothing else does",
    why="A unit in a name is read by people; one in `unit` is checked: a value that forgets a factor of 1000, or adds "
    "two units, is an error then.",
    severity=Severity.HINT,
    bad="""
        [[families]]
        name = "machine.run"
        schema.duration_ms = { type = "integer" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.duration_ms = { type = "integer", unit = "ms" }
    """,
)
UNIT_AGAINST_NAME = Rule(
    code="MS362",
    slug="unit-against-name",
    title="A field whose name and whose declaration say different units",
    message="`{field}` is declared in `{unit}`, and its name says `{named}`",
    why="Whoever sends the event reads the name, and the meter trusts the declaration; one of them is wrong.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "machine.run"
        schema.duration_ms = { type = "integer", unit = "s" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.duration_ms = { type = "integer", unit = "ms" }
    """,
)
FAMILIES_UNITS_DIFFER = Rule(
    code="MS363",
    slug="families-units-differ",
    title="A field that the families of a meter have in different units",
    message="`{field}` {first} in family `{family}`, and {second} in `{other}`",
    why="A meter over several families puts one field of all their events into one number, so its unit has to be one.",
    bad="""
        families = [
          { name = "job.run", schema.took = { type = "integer", required = true, unit = "ms" } },
          { name = "job.retry", schema.took = { type = "integer", required = true, unit = "s" } },
        ]
        [[meters]]
        name = "job-time"
        source = { kind = "families", families = ["job.run", "job.retry"] }
        aggregate = { fn = "SUM", value = "took" }
    """,
    good="""
        families = [
          { name = "job.run", schema.took = { type = "integer", required = true, unit = "ms" } },
          { name = "job.retry", schema.took = { type = "integer", required = true, unit = "ms" } },
        ]
        [[meters]]
        name = "job-time"
        source = { kind = "families", families = ["job.run", "job.retry"] }
        aggregate = { fn = "SUM", value = "took" }
    """,
)
MIXED_UNITS = Rule(
    code="MS364",
    slug="mixed-units",
    title="An addition or a comparison of numbers in different units",
    message="{left} and {right}, but the two are {verb}",
    why="One number cannot be in two units. A constant that leads from one unit to another converts: `paper / 1000.0` "
    "is in kg where `paper` is in g. Any other constant is a weight: `input + 3.0 * output` adds tokens.",
    bad="""
        [[families]]
        name = "office.order"
        schema.paper = { type = "integer", required = true, unit = "g" }
        schema.board = { type = "integer", required = true, unit = "kg" }
        [[meters]]
        name = "material"
        unit = "kg"
        source = { kind = "family", family = "office.order" }
        aggregate = { fn = "SUM", value = "paper + board" }
    """,
    good="""
        [[families]]
        name = "office.order"
        schema.paper = { type = "integer", required = true, unit = "g" }
        schema.board = { type = "integer", required = true, unit = "kg" }
        [[meters]]
        name = "material"
        unit = "kg"
        source = { kind = "family", family = "office.order" }
        aggregate = { fn = "SUM", value = "paper / 1000.0 + board" }
    """,
)
CALENDAR_LENGTH = Rule(
    code="MS365",
    slug="calendar-length",
    title="A month or a year that is converted to a length of time",
    message="{message}, and a month or a year has no constant length",
    why="A month has 28 to 31 days, and a year is 365, 365.25 or 365.2425 of them, depending on whom you ask. A number "
    "that rests on one of these cannot be compared with a number that rests on another.",
    bad="""
        [[families]]
        name = "lease"
        schema.term = { type = "integer", required = true, unit = "month" }
        [[meters]]
        name = "leased"
        unit = "d"
        source = { kind = "family", family = "lease" }
        aggregate = { fn = "SUM", value = "term * 30" }
    """,
    good="""
        [[families]]
        name = "lease"
        schema.term = { type = "integer", required = true, unit = "month" }
        [[meters]]
        name = "leased"
        unit = "month"
        source = { kind = "family", family = "lease" }
        aggregate = { fn = "SUM", value = "term" }
    """,
)
WRONG_DIMENSION = Rule(
    code="MS366",
    slug="wrong-dimension",
    title="A meter in a unit that measures something else than its value",
    message="meter `{meter}` is in {unit}, and its value is in {found}",
    why="The unit of a value follows from the units of its fields: watts times hours are watt-hours, whatever the "
    "meter is called. A field without a unit, and a constant, are plain numbers.",
    bad="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", required = true, unit = "J" }
        [[meters]]
        name = "carbon"
        unit = "kgCO2e"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "energy / 3600000.0" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", required = true, unit = "J" }
        [[meters]]
        name = "energy"
        unit = "kWh"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "energy / 3600000.0" }
    """,
)
WRONG_FACTOR = Rule(
    code="MS367",
    slug="wrong-factor",
    title="A value that is scaled by another factor than its unit needs",
    message="meter `{meter}` is in `{unit}`, so its value in `{found}` {needed}; it {scaled}",
    why="The constants of a value have to lead from the units of its fields to the unit of the meter, exactly. A "
    "factor that is no conversion, such as an overhead of 1.2, belongs into a field of its own, with its source.",
    bad="""
        [[families]]
        name = "machine.run"
        schema.carbon = { type = "float", required = true, unit = "gCO2e" }
        [[meters]]
        name = "carbon"
        unit = "kgCO2e"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "carbon / 100.0" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.carbon = { type = "float", required = true, unit = "gCO2e" }
        [[meters]]
        name = "carbon"
        unit = "kgCO2e"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "carbon / 1000.0" }
    """,
)
SUMMED_RATE = Rule(
    code="MS368",
    slug="summed-rate",
    title="A rate or an intensity that is added up",
    message="meter `{meter}` adds up `{unit}`, and a rate of two events is not the sum of their rates",
    why="Two hours at 300 g/kWh are not 600 g/kWh. Sum what is above the line and what is below it, and divide then.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "machine.run"
        schema.intensity = { type = "float", required = true, unit = "gCO2e/kWh" }
        [[meters]]
        name = "intensity"
        unit = "gCO2e/kWh"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "intensity" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.intensity = { type = "float", required = true, unit = "gCO2e/kWh" }
        [[meters]]
        name = "intensity"
        unit = "gCO2e/kWh"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "AVG", value = "intensity" }
    """,
)
UNCHECKED_UNIT = Rule(
    code="MS369",
    slug="unchecked-unit",
    title="A meter with a unit over fields that have none",
    message="nothing checks that the value of meter `{meter}` is in `{unit}`: none of its fields has a unit",
    why="The unit of a meter is compared with what follows from the units of its fields. Without them it is a label.",
    severity=Severity.HINT,
    bad="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", required = true }
        [[meters]]
        name = "energy"
        unit = "kWh"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "energy / 3600000.0" }
    """,
    good="""
        [[families]]
        name = "machine.run"
        schema.energy = { type = "float", required = true, unit = "J" }
        [[meters]]
        name = "energy"
        unit = "kWh"
        source = { kind = "family", family = "machine.run" }
        aggregate = { fn = "SUM", value = "energy / 3600000.0" }
    """,
)

_NUMBERS = {Type.INT, Type.DECIMAL}


@dataclass(frozen=True, slots=True)
class _Measure:
    """A number with a unit."""

    unit: Unit
    """What the fields' units give, as they are declared."""
    home: Fraction
    """The size of the unit that conversions brought it to, in base units."""
    weights: frozenset[Fraction] = frozenset({Fraction(1)})
    """The constants beside conversions, one for each term of a sum; none where they cannot be told."""
    declared: bool = True
    """False where no field has a unit, as in `(ended - started).getSeconds()`."""

    def times(self, other: _Measure) -> _Measure:
        alone = len(self.weights) == 1 or len(other.weights) == 1
        weights = frozenset(one * two for one in self.weights for two in other.weights) if alone else frozenset()
        return _Measure(self.unit * other.unit, self.home * other.home, weights, self.declared or other.declared)

    def inverse(self) -> _Measure:
        return _Measure(self.unit**-1, 1 / self.home, frozenset(1 / w for w in self.weights), self.declared)

    def scaled(self, constant: Fraction) -> _Measure:
        """The measure times a constant, which is a conversion where it leads to a unit that there is."""
        size = self.home / abs(constant)
        if size in sizes(self.unit.dimension):
            return replace(self, home=size)
        return replace(self, weights=frozenset(w * abs(constant) for w in self.weights))

    @property
    def scales(self) -> list[Fraction]:
        """What its terms are multiplied by, from the fields' units on."""
        return sorted(self.unit.factor / self.home * weight for weight in self.weights)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A number that takes any unit: a constant, or what no unit can be given to, such as the size of a text."""

    constant: Fraction | None = None


class _Other(Enum):
    UNITLESS = auto()
    """A number made of fields without a unit."""
    UNKNOWN = auto()
    """Something wrong was reported here, or in the unit of a field."""


_Kind = _Measure | _Plain | _Other
_OfField = Unit | _Other

_GETTERS = {
    "duration_to_hours": parse("h"),
    "duration_to_minutes": parse("min"),
    "duration_to_seconds": parse("s"),
    "duration_to_milliseconds": parse("ms"),
}
_PER = {
    CalendarUnit.MINUTE: parse("min"),
    CalendarUnit.HOUR: parse("h"),
    CalendarUnit.DAY: parse("d"),
    CalendarUnit.WEEK: parse("wk"),
}
