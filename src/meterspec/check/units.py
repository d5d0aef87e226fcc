"""Units: whether the value of a meter is in the unit the meter declares, down to the constant it is scaled by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum, auto
from fractions import Fraction

from meterspec.cel import Call, Expr, FieldRef, ListOf, Literal, Type, evaluate, show, walk
from meterspec.diagnostics import Diagnostics, Edit, Rule, Severity
from meterspec.ir import Aggregate, CalendarUnit, Family, Field, Function, Meter
from meterspec.records import record
from meterspec.source import Place
from meterspec.units import CALENDAR, CO2E, MASS, TIME, BadUnit, Unit, parse, sizes, suggested

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
    message="{message}, but a month or a year has no constant length",
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
    message="meter `{meter}` is in `{unit}`, so its value in `{found}` {needed}; {scaled}",
    why="The constants of a value have to lead from the units of its fields to the unit of the meter, exactly. A "
    "factor that is no conversion, such as an overhead of 1.2, belongs in a field of its own, with its source.",
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
_UNWEIGHTED = frozenset({Fraction(1)})


@record(frozen=True, slots=True)
class _Measure:
    """A number with a unit."""

    unit: Unit
    """What the fields' units give, as they are declared."""
    home: Fraction
    """The size of the unit that conversions brought it to, in base units."""
    weights: frozenset[Fraction] = _UNWEIGHTED
    """The constants beside conversions, one for each term of a sum; none where they cannot be told."""
    declared: bool = True
    """False where no field has a unit, as in `(ended - started).getSeconds()`."""

    def times(self, other: _Measure) -> _Measure:
        alone = len(self.weights) == 1 or len(other.weights) == 1
        weights = frozenset(one * two for one in self.weights for two in other.weights) if alone else frozenset()
        return _Measure(self.unit * other.unit, self.home * other.home, weights, self.declared or other.declared)

    def inverse(self) -> _Measure:
        return _Measure(self.unit**-1, 1 / self.home, frozenset(1 / w for w in self.weights), self.declared)

    def scaled(self, above: int, below: int) -> _Measure:
        """The measure times a constant, which is a conversion where it leads to a unit that there is."""
        above, below = abs(above), abs(below)
        # In whole numbers up to here: the operators of Fraction would be a third of what checking units takes.
        size = Fraction(self.home.numerator * below, self.home.denominator * above)
        if size in sizes(self.unit.dimension):
            return _Measure(self.unit, size, self.weights, self.declared)
        constant = Fraction(above, below)
        weights = frozenset([constant] if self.weights is _UNWEIGHTED else [w * constant for w in self.weights])
        return _Measure(self.unit, self.home, weights, self.declared)


@record(frozen=True, slots=True)
class _Plain:
    """A number that takes any unit: a constant, or what no unit can be given to, such as the size of a text."""

    constant: int | Decimal | Fraction | None = None


_PLAIN = _Plain()


class _Other(Enum):
    UNITLESS = auto()
    """A number made of fields without a unit."""
    UNKNOWN = auto()
    """Something wrong was reported here, or in the unit of a field."""


_Kind = _Measure | _Plain | _Other
_OfField = Unit | _Other

_LOGIC = {"logical_and", "logical_or", "logical_not"}
_GETTERS = {
    "duration_to_hours": "h",
    "duration_to_minutes": "min",
    "duration_to_seconds": "s",
    "duration_to_milliseconds": "ms",
}
_PER = {CalendarUnit.MINUTE: "min", CalendarUnit.HOUR: "h", CalendarUnit.DAY: "d", CalendarUnit.WEEK: "wk"}
_MULTIPLY = {"multiply_int64", "multiply_decimal"}
_DIVIDE = {"divide_int64", "divide_decimal"}
_KEEP = {
    *("negate_int64", "negate_decimal", "int64_to_decimal", "decimal_to_int64", "math_abs_int64", "math_abs_decimal"),
    *("math_ceil_decimal", "math_floor_decimal", "math_round_decimal"),
}
_COMPARED = ("less", "less_equals", "greater", "greater_equals", "math_least", "math_greatest")
_VERBS = {"add": "added", "subtract": "subtracted", "modulo": "divided", **dict.fromkeys(_COMPARED, "compared")}
_TOGETHER = {f"{name}_{kind}": verb for name, verb in _VERBS.items() for kind in ("int64", "decimal")}
"""Overloads whose operands have to be in one unit, and what the operands are in them."""
_TOGETHER |= {"equals": "compared", "not_equals": "compared", "in_list": "compared", "conditional": "alternatives"}

_ONE_CALENDAR = "keep to months on both sides, or count days in the events"
_CARBON = "mass and CO2 equivalent are two things: write `gCO2e`, `kgCO2e` or `tCO2e` wherever CO2 equivalent is meant"


def read(text: str | None, at: Place, out: Diagnostics) -> Unit | None:
    """The unit that stands at a place; reports MS360 where it is none."""
    if text is None:
        return None
    try:
        return parse(text)
    except BadUnit as bad:
        fault = f": {bad.fault}" if bad.fault else ""
        edits = [Edit(at.within(0, len(text)), bad.instead)] if bad.instead else []
        out.report(BAD_UNIT, at=at.within(bad.start, bad.end), hint=bad.hint, edits=edits, text=text, fault=fault)
        return None


def check_field(field: Field, at: Place, out: Diagnostics) -> None:
    """Reports MS360 to MS362 about the unit of a number field: as it is declared, and as its name has it."""
    unit, named = read(field.unit, at / "unit", out), suggested(field.name)
    if named is None:
        return
    if field.unit is None:
        edits = [Edit(at / "unit", f'"{named}"', adds=True)]
        out.report(UNIT_IN_NAME, at=at.key(), hint=f'add `unit = "{named}"`', edits=edits, field=field.name, unit=named)
    elif unit is not None and unit.dimension == parse(named).dimension and unit != parse(named):
        out.report(UNIT_AGAINST_NAME, at=at / "unit", field=field.name, unit=field.unit, named=named)


def check(
    meter: str,
    unit: str | None,
    kept: Expr | None,
    aggregate: Aggregate | None,
    families: Sequence[Family],
    at: Place,
    out: Diagnostics,
) -> None:
    """Reports MS360 and MS363 to MS369 about a meter over families: its filter, its value and its unit."""
    declared = read(unit, at / "unit", out)
    value = aggregate.value if aggregate else None
    fields = _Fields(families, at, out)
    if kept is not None:
        _Walk(fields, at / "filter", out).kind(kept)
    if aggregate is None or value is None:
        return
    place = at / "aggregate" / "value"
    kind = _Walk(fields, place, out).kind(value)
    if aggregate.function is Function.UNIQUE:
        return
    unitless = [name for name in _numbers(value) if fields[name] is _Other.UNITLESS] if declared is not None else []
    if isinstance(kind, _Measure):
        if aggregate.per in _PER:
            kind = _product(kind, _measured(parse(_PER[aggregate.per])))
        assert isinstance(kind, _Measure)
        if declared is not None and not _reaches(declared, kind, meter, place, at / "unit", out, value, unitless):
            return
        powers = [power for _, power in kind.unit.dimension]
        if aggregate.function is Function.SUM and powers and min(powers) < 0 < max(powers):
            hint = "write `AVG`, or a `ratio` of two meters that add up its parts"
            if (TIME, -1) in kind.unit.dimension:
                hint = "write `TIME_WEIGHTED`, with the time that it is `per`, or `AVG`"
            out.report(SUMMED_RATE, at=at / "aggregate" / "fn", hint=hint, meter=meter, unit=kind.unit)
        return
    if declared is None or not declared.dimension or not declared.measures:
        return
    if kind is _Other.UNITLESS and not any(suggested(name) for name in unitless):
        hint = f"give {_listed(unitless)} a `unit`"
        out.report(UNCHECKED_UNIT, at=at / "unit", hint=hint, meter=meter, unit=unit)


def check_ratio(meter: str, unit: str | None, above: Meter, below: Meter, at: Place, out: Diagnostics) -> None:
    """Reports MS360 and MS365 to MS367 about a ratio, which is in the unit of one meter by that of the other."""
    declared = read(unit, at / "unit", out)
    one, two = _of_text(above.unit), _of_text(below.unit)
    if declared is not None and isinstance(one, Unit) and isinstance(two, Unit):
        _reaches(declared, _measured(one / two), meter, at / "source", at / "unit", out)


def _reaches(
    unit: Unit,
    kind: _Measure,
    meter: str,
    at: Place,
    declaration: Place,
    out: Diagnostics,
    value: Expr | None = None,
    unitless: Sequence[str] = (),
) -> bool:
    """Whether a number is in the unit of its meter; reports MS365 to MS367 where it is not."""
    related = [(declaration, "the unit of the meter")]
    found, needed = kind.unit, kind.unit.factor / unit.factor
    if found.dimension == unit.dimension:
        scales = sorted(found.factor / kind.home * weight for weight in kind.weights)
        if needed in scales or not scales:
            return True
        scaled = "it is not scaled" if scales == [1] else f"it is {_scaling(scales[0])}"
        if len(scales) > 1:
            scaled = f"its terms are multiplied by {' and '.join(map(_number, scales[:4]))}"
        out.report(
            WRONG_FACTOR,
            at=at,
            hint=_correction(kind, unit, value),
            related=related,
            meter=meter,
            unit=unit,
            found=found,
            needed="must not be scaled" if needed == 1 else f"has to be {_scaling(needed)}",
            scaled=scaled,
        )
    elif _same_but(CALENDAR, TIME, found, unit):
        message = f"meter `{meter}` is in `{unit}` and its value in `{_home(kind)}`"
        out.report(CALENDAR_LENGTH, at=at, hint=_ONE_CALENDAR, related=related, message=message)
    else:
        named, hint = _named(kind), None
        if _same_but(CO2E, MASS, found, unit):
            hint = _CARBON
        elif unitless:
            hint = f"{_listed(unitless)} counts as a plain number here; give it its `unit`"
        elif named:
            hint = f'write `unit = "{named}"`'
        words = [f"`{each}` ({each.measures})" if each.measures else f"`{each}`" for each in (unit, found)]
        out.report(WRONG_DIMENSION, at=at, hint=hint, related=related, meter=meter, unit=words[0], found=words[1])
    return False


def _correction(kind: _Measure, unit: Unit, value: Expr | None) -> str | None:
    """A hint for a number in another size of a unit."""
    alone = len(kind.weights) == 1
    (weight,) = kind.weights if alone else (Fraction(1),)
    if kind.home == unit.factor and not alone:
        return f"none of them is in `{unit}`: leave one term without a constant, or the meter without a `unit`"
    if kind.home == unit.factor:
        return f"a factor of {_number(weight)} converts nothing: give it a field of its own, or the meter no `unit`"
    hints = []
    if value is not None and (corrected := _times(value, kind.home / unit.factor / weight)):
        hints.append(f"write `{_text(corrected)}`")
    if weight == 1 and (named := _named(kind)):
        hints.append(f'`unit = "{named}"`' if hints else f'write `unit = "{named}"`')
    return ", or ".join(hints) or None


def _times(value: Expr, factor: Fraction) -> Expr | None:
    """A value times a factor, which goes into the constant that the value ends in, where it ends in one; None where
    no decimal holds it."""
    match value:
        case Call(overload, (other, Literal(int() | Decimal() as old))) if overload in _MULTIPLY | _DIVIDE:
            constant = _decimal(Fraction(old) * factor if overload in _MULTIPLY else Fraction(old) / factor)
            if constant is not None:
                return other if constant == 1 else _by(overload, other, constant)
    divisor, multiplier = _decimal(1 / factor), _decimal(factor)
    if factor < 1 and divisor is not None:
        return _by("divide_decimal", value, divisor)
    return None if multiplier is None else _by("multiply_decimal", value, multiplier)


def _of_text(text: str | None) -> _OfField:
    """The unit of a text that was read, and reported where it is none, somewhere else."""
    if text is None:
        return _Other.UNITLESS
    try:
        return parse(text)
    except BadUnit:
        return _Other.UNKNOWN


class _Fields(dict[str, _Kind]):
    """What is known of the number fields of a meter, each found when it is met; reports MS363 where families do not
    agree about one."""

    def __init__(self, families: Sequence[Family], at: Place, out: Diagnostics) -> None:
        super().__init__()
        self.families, self.at, self.out = families, at, out

    def __missing__(self, name: str) -> _Kind:
        first, *others = self.families
        one = first.field(name)
        found = _of_text(one.unit)
        for other in others:
            two = other.field(name)
            unit = _of_text(two.unit)
            if unit == found or _Other.UNKNOWN in {unit, found}:
                continue
            self.out.report(
                FAMILIES_UNITS_DIFFER,
                at=self.at / "source" / "families",
                related=[(field.origin / "unit", "") for field in (one, two) if field.origin],
                field=name,
                first=_is_in(one.unit),
                family=first.name,
                second=_is_in(two.unit),
                other=other.name,
            )
            found = _Other.UNKNOWN
            break
        self[name] = kind = _measured(found) if isinstance(found, Unit) else found
        return kind


def _numbers(expr: Expr) -> list[str]:
    """The number fields that an expression names, in the order they stand in."""
    return list(dict.fromkeys(n.name for n in walk(expr) if isinstance(n, FieldRef) and n.type in _NUMBERS))


@record(frozen=True, slots=True)
class _Walk:
    """Follows an expression from its fields up."""

    fields: _Fields
    at: Place
    out: Diagnostics

    def kind(self, expr: Expr) -> _Kind:
        """What is known of an expression; reports MS364 and MS365 where operands do not go together."""
        match expr:
            case Call():
                return self.call(expr)
            case FieldRef() if expr.type in _NUMBERS:
                return self.fields[expr.name]
            case Literal() if expr.type in _NUMBERS:
                assert isinstance(expr.value, int | Decimal)
                return _Plain(expr.value)
            case Literal() | FieldRef() | ListOf():
                return _PLAIN

    def call(self, call: Call) -> _Kind:
        name, operands = call.overload, call.args
        if name == "conditional":
            self.kind(operands[0])
            operands = operands[1:]
        elif name in _LOGIC:
            for operand in operands:
                self.kind(operand)
            return _PLAIN
        elif name == "in_list":
            item, listed = operands
            assert isinstance(listed, ListOf)
            operands = (item, *listed.items)
        kinds = [self.kind(operand) for operand in operands]
        if isinstance(kinds[0], _Plain) and call.type in _NUMBERS and self.constant(call, kinds):
            constant = evaluate(call, {})  # what the checker could not fold, as `1 / 3.0`
            return _Plain(constant if isinstance(constant, int | Fraction) else None)
        if name not in _TOGETHER:
            if name in _MULTIPLY:
                return _product(*kinds)
            if name in _DIVIDE:
                return _quotient(*kinds)
            if name in _KEEP:
                return kinds[0]
            if name in _GETTERS:
                return _measured(parse(_GETTERS[name]), declared=False)
            return _PLAIN
        last, together = operands[0], kinds[0]
        for operand, kind in zip(operands[1:], kinds[1:], strict=True):
            common = _common(together, kind)
            if common is None:
                self.apart(call, (last, together), (operand, kind))
                return _Other.UNKNOWN
            if common is not together:
                last, together = operand, common
        return together if call.type in _NUMBERS else _PLAIN

    def constant(self, call: Call, kinds: Sequence[_Kind]) -> bool:
        """Whether a call is made of constants alone."""
        known = all(isinstance(kind, _Plain) and kind.constant is not None for kind in kinds)
        return known and not any(isinstance(node, FieldRef) for node in walk(call))

    def apart(self, call: Call, left: tuple[Expr, _Kind], right: tuple[Expr, _Kind]) -> None:
        """Reports operands that are not in one unit."""
        at, verb = self.at.within(*call.anchor), _TOGETHER[call.overload]
        one, two = (f"`{_text(e)}` {_is_in(_home(k) if isinstance(k, _Measure) else None)}" for e, k in (left, right))
        hint = None
        match left, right:
            case (small, _Measure() as less), (large, _Measure() as more):
                if _same_but(CALENDAR, TIME, less.unit, more.unit):
                    self.out.report(CALENDAR_LENGTH, at=at, hint=_ONE_CALENDAR, message=f"{one} and {two}")
                    return
                if _same_but(CO2E, MASS, less.unit, more.unit):
                    hint = _CARBON
                elif less.unit.dimension == more.unit.dimension:
                    if less.home > more.home:
                        small, less, large, more = large, more, small, less
                    factor = _decimal(more.home / less.home)
                    if factor is not None:
                        text = _text(_by("divide_decimal", small, factor))
                        hint = f"`{text}` is in `{_home(more)}`"
            case (expr, _Other()), (_, _Measure() as measure):
                hint = self.give(expr, measure)
            case (_, _Measure() as measure), (expr, _Other()):
                hint = self.give(expr, measure)
        self.out.report(MIXED_UNITS, at=at, hint=hint, left=one, right=two, verb=verb)

    def give(self, expr: Expr, measure: _Measure) -> str:
        names = [name for name in _numbers(expr) if self.fields[name] is _Other.UNITLESS]
        return f'give {_listed(names)} its `unit`, such as "{measure.unit}"'


def _measured(unit: Unit, *, declared: bool = True) -> _Measure:
    return _Measure(unit, unit.factor, declared=declared)


def _product(left: _Kind, right: _Kind) -> _Kind:
    match left, right:
        case (_Other.UNKNOWN, _) | (_, _Other.UNKNOWN):
            return _Other.UNKNOWN
        case (_Plain(constant), _Measure() as measure) | (_Measure() as measure, _Plain(constant)):
            if constant is None:
                return measure
            return measure.scaled(*constant.as_integer_ratio()) if constant else _Other.UNKNOWN
        case _Measure() as one, _Measure() as two:
            return one.times(two)
        case (_Measure() as measure, _) | (_, _Measure() as measure):
            return measure if measure.declared else _Other.UNITLESS
        case _Plain(), _Plain():
            return _PLAIN
        case _:
            return _Other.UNITLESS


def _quotient(left: _Kind, right: _Kind) -> _Kind:
    match right:
        case _Plain(constant) if constant is not None:
            if not constant:
                return _Other.UNKNOWN
            above, below = constant.as_integer_ratio()
            return left.scaled(below, above) if isinstance(left, _Measure) else _product(left, _PLAIN)
        case _Measure():
            return _product(left, right.inverse())
        case _:
            return _product(left, right)


def _common(left: _Kind, right: _Kind) -> _Kind | None:
    """What two numbers are together, in a sum, a comparison or a choice; None where they are in different units."""
    if isinstance(left, _Plain):
        return _PLAIN if isinstance(right, _Plain) else right
    if isinstance(right, _Plain):
        return left
    match left, right:
        case (_Other.UNKNOWN, _) | (_, _Other.UNKNOWN):
            return _Other.UNKNOWN
        case _Measure() as one, _Measure() as two:
            if one.unit.dimension != two.unit.dimension:
                return None
            known, weights = one.weights and two.weights, two.weights
            if one.home != two.home:
                weights = frozenset(one.home * weight / two.home for weight in weights)
                if known and not weights & one.weights:
                    return None
            weights = one.weights | weights if known else frozenset()
            return _Measure(one.unit, one.home, weights, one.declared or two.declared)
        case (_Measure() as measure, _) | (_, _Measure() as measure):
            if not measure.declared:
                return _Other.UNITLESS
            return measure if measure.unit.dimension == () and measure.home == 1 else None
        case _:
            return _Other.UNITLESS


def _same_but(one: str, other: str, left: Unit, right: Unit) -> bool:
    """Whether two units would measure the same, were two base dimensions one."""

    def merged(unit: Unit) -> dict[str, int]:
        powers: dict[str, int] = {}
        for name, power in unit.dimension:
            both = other if name == one else name
            powers[both] = powers.get(both, 0) + power
        return {name: power for name, power in powers.items() if power}

    return left.dimension != right.dimension and merged(left) == merged(right)


def _is_in(unit: str | None) -> str:
    return f"is in `{unit}`" if unit else "has no unit"


def _named(kind: _Measure) -> str | None:
    """The unit that conversions brought a number to, as a person would write it; None where nobody would."""
    if kind.home == kind.unit.factor:
        return str(kind.unit) if len(kind.unit.powers) <= max(1, len(kind.unit.dimension)) else None
    return sizes(kind.unit.dimension).get(kind.home) or None


def _home(kind: _Measure) -> str:
    """The same for a message."""
    named = _named(kind)
    if named is None and kind.home != kind.unit.factor:
        return f"{_number(kind.home / kind.unit.factor)} {kind.unit}"
    return named or str(kind.unit)


def _scaling(factor: Fraction) -> str:
    if factor < 1 and _decimal(1 / factor) is not None:
        return f"divided by {_number(1 / factor)}"
    return f"multiplied by {_number(factor)}"


def _number(value: Fraction) -> str:
    exact = _decimal(value)
    return str(value) if exact is None else f"{exact:f}"


def _decimal(value: Fraction | int) -> Decimal | None:
    """The same number with at most 18 decimals; None where it has more."""
    for places in range(19):
        whole = Fraction(value) * 10**places
        if whole.denominator == 1:
            return Decimal(f"{whole.numerator}E-{places}")
    return None


def _by(overload: str, expr: Expr, constant: Decimal) -> Expr:
    return Call(overload, (expr, Literal(constant, Type.DECIMAL)), Type.DECIMAL)


def _text(expr: Expr) -> str:
    """An expression for a message, cut where it is long."""
    match expr:
        case Call("int64_to_decimal", (inner,)):  # whoever wrote `2 * paper` wrote no `double()`
            expr = inner
    text = show(expr)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
