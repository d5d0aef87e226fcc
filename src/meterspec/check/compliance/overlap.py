"""Whether an event can pass two filters: decided by the values that each leaves to every field, where it can be.

A pair of filters is brought into alternatives, each of which is a set of conditions. An alternative is impossible
where some field has no value left; it is possible where every condition is about one field alone and each has one
left, since an event may then hold them all. Otherwise nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from meterspec.cel import Call, Environment, Expr, FieldRef, ListOf, Literal, Type, Variable, show

__all__ = ["Overlap", "constants", "overlap"]


class Overlap(Enum):
    """What is known of the events that pass two filters."""

    DISJOINT = "disjoint"
    SHARED = "shared"
    UNDECIDED = "undecided"


_MOST = 256
"""The most alternatives that are looked at."""

_Atom = tuple[Expr, bool]
_Number = Fraction


class _TooMany(Exception):  # noqa: N818 - never leaves this module
    """There are more alternatives than are looked at."""


def overlap(first: Expr | None, second: Expr | None, environment: Environment) -> tuple[Overlap, str]:
    """Whether an event can pass both filters, and where that is undecided, the condition that kept it from being."""
    try:
        alternatives = [[]] if first is None else _alternatives(first, True)
        if second is not None:
            alternatives = _joined(alternatives, _alternatives(second, True))
    except _TooMany:
        return Overlap.UNDECIDED, f"the filters have more than {_MOST} alternatives"
    undecided = None
    for conditions in alternatives:
        possible, unclear = _possible(conditions, environment)
        if possible:
            if unclear is None:
                return Overlap.SHARED, ""
            undecided = undecided or unclear
    return (Overlap.DISJOINT, "") if undecided is None else (Overlap.UNDECIDED, f"`{show(undecided)}`")


def constants(filter_: Expr | None) -> dict[str, frozenset[object]]:
    """The fields that a filter leaves some constants alone, with those: an event that passes holds one of them.

    Two filters that leave one field no constant in common pass no event together.
    """
    try:
        alternatives = [] if filter_ is None else _alternatives(filter_, True)
    except _TooMany:
        return {}
    left: list[dict[str, frozenset[object]]] = []
    for conditions in alternatives:
        only: dict[str, frozenset[object]] = {}
        for name, symbol, values in filter(None, (_read(expr, truth) for expr, truth in conditions)):
            if symbol == "in":
                only[name] = only[name] & values if name in only else values
        left.append(only)
    named = [name for name in left[0] if all(name in only for only in left)] if left else []
    return {name: frozenset().union(*(only[name] for only in left)) for name in named}


def _alternatives(expr: Expr, truth: bool) -> list[list[_Atom]]:
    """The ways in which a condition is true, or false: for each, the conditions that then hold or do not."""
    match expr:
        case Literal(bool(value)):
            return [[]] if value is truth else []
        case Call("logical_not", (inner,)):
            return _alternatives(inner, not truth)
        case Call("logical_and" | "logical_or" as join, (left, right)):
            one, two = _alternatives(left, truth), _alternatives(right, truth)
            return _joined(one, two) if (join == "logical_and") is truth else _limited([*one, *two])
        case Call("conditional", (condition, then, otherwise)):
            yes = _joined(_alternatives(condition, True), _alternatives(then, truth))
            no = _joined(_alternatives(condition, False), _alternatives(otherwise, truth))
            return _limited([*yes, *no])
        case _:
            return [[(expr, truth)]]


def _joined(one: list[list[_Atom]], two: list[list[_Atom]]) -> list[list[_Atom]]:
    if len(one) * len(two) > _MOST:
        raise _TooMany
    return [[*left, *right] for left in one for right in two]


def _limited(alternatives: list[list[_Atom]]) -> list[list[_Atom]]:
    if len(alternatives) > _MOST:
        raise _TooMany
    return alternatives


@dataclass(slots=True)
class _Left:
    """The values that conditions leave to one field."""

    variable: Variable
    missing: bool
    """Whether it may be missing."""
    only: frozenset[object] | None = None
    """The values it has to be one of."""
    without: frozenset[object] = frozenset()
    low: _Number | None = None
    high: _Number | None = None
    low_open: bool = False
    high_open: bool = False

    def narrow(self, symbol: str, values: frozenset[object]) -> None:
        """Takes away what a comparison with constants excludes; a missing value differs from every constant."""
        if symbol == "in":
            self.missing = self.missing and None in values
            values = values - {None}
            self.only = values if self.only is None else self.only & values
        elif symbol == "not in":
            self.missing = self.missing and None not in values
            self.without |= values - {None}
        else:
            self.missing = False  # an order is only compared where the field is there
            (bound,) = values
            assert isinstance(bound, Fraction)
            if symbol in {"<", "<="}:
                if self.high is None or (bound, symbol == "<=") < (self.high, not self.high_open):
                    self.high, self.high_open = bound, symbol == "<"
            elif self.low is None or (-bound, symbol == ">=") < (-self.low, not self.low_open):
                self.low, self.low_open = bound, symbol == ">"

    def possible(self) -> bool:
        """Whether any value is left."""
        if self.missing:
            return True
        candidates = self.only
        if candidates is None and self.variable.values is not None:
            candidates = frozenset(self.variable.values)
        if candidates is None and self.variable.type is Type.BOOL:
            candidates = frozenset((True, False))
        if candidates is not None:
            return any(self._fits(value) for value in candidates - self.without)
        if self.variable.type not in {Type.INT, Type.DECIMAL}:
            return True  # there are more texts and instants than any list of them
        return self._some_number()

    def _fits(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Fraction):
            return self.variable.values is None or value in self.variable.values
        low, high = self._bounds()
        above = low is None or value > low or (value == low and not (self.low_open and low == self.low))
        below = high is None or value < high or (value == high and not (self.high_open and high == self.high))
        return above and below and (value / self._step).denominator == 1

    def _bounds(self) -> tuple[_Number | None, _Number | None]:
        """The bounds of the schema and of the conditions together."""
        declared_low = None if self.variable.low is None else Fraction(self.variable.low)
        declared_high = None if self.variable.high is None else Fraction(self.variable.high)
        lows = [bound for bound in (declared_low, self.low) if bound is not None]
        highs = [bound for bound in (declared_high, self.high) if bound is not None]
        return max(lows, default=None), min(highs, default=None)

    @property
    def _step(self) -> _Number:
        """Every value is a whole number of these."""
        return Fraction(1, 10**self.variable.scale) if self.variable.type is Type.DECIMAL else Fraction(1)

    def _some_number(self) -> bool:
        low, high = self._bounds()
        if low is None or high is None:
            return True
        first = -((-low) // self._step)
        if self.low_open and low == self.low and first * self._step == low:
            first += 1
        last = high // self._step
        if self.high_open and high == self.high and last * self._step == high:
            last -= 1
        if last - first >= len(self.without):
            return first <= last
        return any(Fraction(number) * self._step not in self.without for number in range(int(first), int(last) + 1))


def _possible(conditions: list[_Atom], environment: Environment) -> tuple[bool, Expr | None]:
    """Whether conditions can hold together, and one that is not about a field and constants alone."""
    left: dict[str, _Left] = {}
    known: dict[Expr, bool] = {}
    unclear = None
    for expr, truth in conditions:
        if known.setdefault(expr, truth) is not truth:
            return False, None
        read = _read(expr, truth)
        if read is None:
            unclear = unclear or expr
            continue
        name, symbol, values = read
        variable = environment[name]
        field = left.setdefault(name, _Left(variable, missing=variable.nullable))
        if symbol == "has":
            field.missing = False
        elif symbol == "lacks":
            field.only = frozenset()
        else:
            field.narrow(symbol, values)
    return all(field.possible() for field in left.values()), unclear


_ORDER = {"less": "<", "less_equals": "<=", "greater": ">", "greater_equals": ">="}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _read(expr: Expr, truth: bool) -> tuple[str, str, frozenset[object]] | None:
    """A condition about one field and constants: the field, how it is compared, and with what."""
    match expr:
        case FieldRef(name, Type.BOOL):
            return name, "in", frozenset((truth,))
        case Call("has", (FieldRef(name),)):
            return name, "has" if truth else "lacks", frozenset()
        case Call("equals" | "not_equals" as relation, (one, two)):
            for field, other in ((_field(one), two), (_field(two), one)):
                if field is not None and isinstance(other := _bare(other), Literal):
                    equal = (relation == "equals") is truth
                    return field, "in" if equal else "not in", frozenset((_constant(other),))
        case Call("in_list", (item, ListOf(items))):
            field = _field(item)
            constants = [each for each in map(_bare, items) if isinstance(each, Literal)]
            if field is not None and len(constants) == len(items):
                return field, "in" if truth else "not in", frozenset(map(_constant, constants))
        case Call(overload, (one, two)) if overload.rpartition("_")[0] in _ORDER:
            symbol, kind = _ORDER[overload.rpartition("_")[0]], overload.rpartition("_")[2]
            if kind not in {"int64", "decimal"}:
                return None
            one, two = _bare(one), _bare(two)
            if isinstance(one, Literal):
                symbol, one, two = _FLIPPED[symbol], two, one
            if isinstance(one, FieldRef) and isinstance(two, Literal):
                return one.name, symbol if truth else _OPPOSITE[symbol], frozenset((_constant(two),))
    return None


def _bare(expr: Expr) -> Expr:
    """An expression without the widening of a whole number."""
    match expr:
        case Call("int64_to_decimal", (inner,)):
            return inner
        case _:
            return expr


def _field(expr: Expr) -> str | None:
    bare = _bare(expr)
    return bare.name if isinstance(bare, FieldRef) else None


def _constant(literal: Literal) -> object:
    """A constant as it is compared: numbers as fractions, so that 1 and 1.0 are one."""
    value = literal.value
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return Fraction(value) if isinstance(value, int | Decimal) else value
