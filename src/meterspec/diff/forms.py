"""Forms: two values of the IR have equal ones where they mean the same, however they are written.

Order counts only where it means something, and expressions are brought to one of several ways to say a thing. What is
equal here is equal on every event; what is not may still be, and is then shown as a change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import fields, is_dataclass

from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.ir import Compliance, FamilySource, Field, Meter, Program, Regime, Sink, Term

__all__ = ["UNORDERED", "compared", "form"]

UNORDERED = {
    (Program, "families"),
    (Program, "meters"),
    (Field, "values"),
    (Compliance, "jurisdiction"),
    (Compliance, "regulatory_regimes"),
    (Compliance, "storage"),
    (Compliance, "statements"),
    (Field, "statements"),
    (Program, "sinks"),
    (Program, "statements"),
    (Program, "regimes"),
    (Program, "zones"),
    (Program, "leaves"),
    (Regime, "applies_to"),
    (Regime, "requires"),
    (Regime, "terms"),
    (Term, "kinds"),
    (Sink, "receives"),
    (Meter, "examples"),
    (FamilySource, "families"),
}
"""Tuples whose order means nothing. Everywhere else it counts: the fields of a family decide which of two conflicting
events wins, and the first rate that matches is the one that applies."""

_AND, _OR = "logical_and", "logical_or"
_DUAL = {_AND: _OR, _OR: _AND, "equals": "not_equals", "not_equals": "equals"}
"""What the opposite of one becomes. An expression that checks cannot fail on any event, so that neither order nor
nesting nor repetition of operands matters, without CEL's rules for errors; and two values always compare."""
_SYMMETRIC = {
    "equals",
    "not_equals",
    "add_duration_duration",
    "math_least_int64",
    "math_least_decimal",
    "math_greatest_int64",
    "math_greatest_decimal",
}
"""Overloads of two operands whose order does not matter."""
_CHAINS = {"add_int64", "add_decimal", "multiply_int64", "multiply_decimal"}
"""Overloads whose order and nesting do not matter: their arithmetic is exact."""


def form(value: object, without: frozenset[str] = frozenset()) -> Hashable:
    """Equal for two values that mean the same; `without` names fields that do not count."""
    match value:
        case bool():
            return ("bool", value)
        case tuple():
            return tuple(form(item) for item in value)
        case Literal() | FieldRef() | ListOf() | Call():
            return _expression(value)
        case _ if is_dataclass(value):
            found: list[Hashable] = [type(value).__name__]
            for name in compared(type(value)):
                if name in without:
                    continue
                part = getattr(value, name)
                if (type(value), name) in UNORDERED and isinstance(part, tuple):
                    found.append(frozenset(map(form, part)))
                else:
                    found.append(form(part))
            return tuple(found)
        case Hashable():
            return value
        case _:
            raise TypeError(type(value))  # the IR holds nothing that can change


def _expression(expr: Expr, negated: bool = False) -> Hashable:
    """The form of an expression, or with `negated` of its opposite: `!(a && b)` has that of `!a || !b`."""
    match expr:
        case Literal(bool() as value):
            return ("constant", value != negated)
        case Literal(value, kind):
            return ("constant", kind, value)
        case FieldRef(name, kind):
            return _opposite(("field", name, kind), negated)
        case ListOf(items, kind):
            return ("list", kind, frozenset(map(_expression, items)))
        case Call("logical_not", (inner,)):
            return _expression(inner, not negated)
        case Call("logical_and" | "logical_or" as overload, args):
            return _joined(_DUAL[overload] if negated else overload, (_expression(arg, negated) for arg in args))
        case Call("in_list", (item, ListOf(items))):  # `x in ['a', 'b']` is `x == 'a' || x == 'b'`
            equal = "not_equals" if negated else "equals"
            each = ((equal, _counted(map(_expression, (item, other)))) for other in items)
            return _joined(_AND if negated else _OR, each)
        case Call("equals" | "not_equals" as overload, args):
            return (_DUAL[overload] if negated else overload, _counted(map(_expression, args)))
        case Call(overload, (left, right)) if overload.startswith(("less_", "greater_")):
            return _ordered(overload, _expression(left), _expression(right), negated)
        case Call(overload, args, kind) if overload in _CHAINS:
            return (overload, kind, _counted(map(_expression, _chain(expr, overload))))
        case Call(overload, args, kind):
            forms = tuple(map(_expression, args))
            return _opposite((overload, kind, _counted(forms) if overload in _SYMMETRIC else forms), negated)


def _opposite(of: Hashable, negated: bool) -> Hashable:
    return ("logical_not", of) if negated else of


def _joined(overload: str, operands: Iterable[Hashable]) -> Hashable:
    """A chain of `&&` or of `||` without repeats, and without what is always true in one or false in the other."""
    neutral, decisive = ("constant", overload == _AND), ("constant", overload == _OR)
    kept: set[Hashable] = set()
    for operand in operands:
        match operand:
            case (own, frozenset() as inner) if own == overload:
                kept |= inner
            case _ if operand == decisive:
                return decisive
            case _ if operand != neutral:
                kept.add(operand)
    if not kept:
        return neutral
    return next(iter(kept)) if len(kept) == 1 else (overload, frozenset(kept))


def _ordered(overload: str, left: Hashable, right: Hashable, negated: bool) -> Hashable:
    """A comparison as `<` or `<=`: `a > b` is `b < a`, and `!(a < b)` is `b <= a`."""
    word, _, kind = overload.partition("_")
    equal = kind.startswith("equals_")
    kind = kind.removeprefix("equals_")
    if (word == "greater") != negated:
        left, right = right, left
    return ("less_equals" if equal != negated else "less", kind, left, right)


def _chain(expr: Expr, overload: str) -> Iterable[Expr]:
    """The operands of a chain of one operator, however it is nested."""
    todo, found = [expr], []
    while todo:
        match todo.pop():
            case Call(own, args) if own == overload:
                todo += args[::-1]
            case other:
                found.append(other)
    return found


def _counted(forms: Iterable[Hashable]) -> Hashable:
    """Operands whose order does not matter, each with how often it is there."""
    return frozenset(Counter(forms).items())


_FIELDS: dict[type, tuple[str, ...]] = {}


def compared(kind: type) -> tuple[str, ...]:
    """The fields of a class that count for equality."""
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(field.name for field in fields(kind) if field.compare)
    return names
