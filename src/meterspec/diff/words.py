"""Values of the IR in a few words, as a change shows them: before, after and in messages."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal

from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Type
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarWindow,
    Credits,
    Example,
    Family,
    FamilySource,
    Field,
    FieldType,
    Leave,
    Lifetime,
    Meter,
    Price,
    Rate,
    RatioSource,
    Rolling,
    Sink,
    Statement,
    Term,
    Tier,
    Tumbling,
)

__all__ = ["field_type", "reads_the_same", "text", "with_types"]

_EXPRESSIONS = (Literal, FieldRef, ListOf, Call)
_LENGTHS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def text(value: object) -> str:
    """A value in the words of a spec; decimals in plain notation, expressions as CEL, objects by what names them."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat() if value.tzinfo is None else _utc(value)
        case Literal() | FieldRef() | ListOf() | Call():
            return _cel(value)
        case Family(name=name) | Meter(name=name) | Example(name=name) | Sink(name=name):
            return name
        case Statement(name=name, value=said):
            return f"{name} = {said}"
        case Term(name=name, months=months, clock=clock):
            return f"{name} for {months} months from {clock}"
        case Leave(rule=rule, regime=regime, expires_on=expires, months=months):
            least = "" if months is None else f" to {months} months"
            return f"{rule}{f' of {regime}' if regime else ''}{least} until {expires}"
        case Field():
            return field_type(value)
        case BillingCycle():
            return "billing_cycle"
        case CalendarWindow(unit, "UTC"):
            return unit.value
        case CalendarWindow(unit, zone):
            return f"{unit.value} in {zone}"
        case Tumbling(seconds):
            return _length(seconds)
        case Rolling(seconds, months, every, zone):
            fixed = "" if seconds is None else f" {_length(seconds)}"
            calendar = "" if months is None else f" {months} month{'' if months == 1 else 's'}"
            series = f" every {every.value}" if every else ""
            return f"rolling{fixed}{calendar}{series}" + (f" in {zone}" if zone != "UTC" else "")
        case Lifetime():
            return "lifetime"
        case FamilySource(families):
            return ", ".join(families)
        case RatioSource(numerator, denominator):
            return f"{numerator} / {denominator}"
        case Aggregate(function=function, value=operand):
            return f"{function.value}({'' if operand is None else _cel(operand)})"
        case Tier(up_to=bound, unit_amount=unit, flat_amount=flat):
            amounts = ((unit, "per unit"), (flat, "flat"))
            named = ", ".join(f"{amount:f} {words}" for amount, words in amounts if amount is not None)
            return f"{'without end' if bound is None else f'up to {bound:f}'}: {named or 'free'}"
        case Rate(match=match):
            return text(match)
        case Price(model=model, currency=currency):
            return f"{model.value} in {currency}"
        case Credits(pack=pack, price=price):
            return f"{pack:f} for {price:f}"
        case tuple():
            return _several(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = (f"{field.name} {text(getattr(value, field.name))}" for field in fields(value) if field.compare)
            return ", ".join(parts)
        case _:
            return str(value)


def field_type(field: Field) -> str:
    """The type of a field with what belongs to it: `decimal(18, 9)`."""
    match field.type:
        case FieldType.DECIMAL:
            return f"decimal({field.precision}, {field.scale})"
        case FieldType.FLOAT:
            return f"float({field.scale})"
        case _:
            return field.type.value


def reads_the_same(before: object, after: object) -> bool:
    """Whether two expressions differ only because fields that they name changed their types."""
    if not isinstance(before, _EXPRESSIONS) or not isinstance(after, _EXPRESSIONS):
        return False
    return _types(before) != _types(after) and _untyped(before) == _untyped(after)


def with_types(expr: object) -> str:
    """An expression and, as a CEL comment, what its fields hold: `a / b // a is int, b is int`."""
    assert isinstance(expr, _EXPRESSIONS)
    return f"{_cel(expr)} // {', '.join(f'{name} is {kind.value}' for name, kind in sorted(_types(expr).items()))}"


def _types(expr: Expr) -> dict[str, Type]:
    return {node.name: node.type for node in walk(expr) if isinstance(node, FieldRef)}


def _untyped(expr: Expr) -> Hashable:
    """An expression as it is written: symbols instead of overloads, and nothing that the checker put between."""
    from meterspec.cel.functions import OVERLOADS  # noqa: PLC0415 - only for changed expressions

    functions = {overload.id: overload.function for overload in OVERLOADS}
    todo: list[Expr] = [expr]
    form: list[Hashable] = []
    while todo:
        match todo.pop():
            case Literal(value):
                form.append((isinstance(value, bool), value))
            case FieldRef(name):
                form.append(name)
            case ListOf(items):
                form.append(("list", len(items)))
                todo += items
            case Call("int64_to_decimal", (inner,)):
                todo.append(inner)
            case Call(overload, args):
                form.append((functions.get(overload, overload), len(args)))
                todo += args
    return tuple(form)


def _cel(expr: Expr) -> str:
    from meterspec.cel.printer import show  # noqa: PLC0415 - only a changed expression is printed

    return show(expr)


def _several(values: tuple[object, ...]) -> str:
    pairs = [item for item in values if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)]
    if pairs and len(pairs) == len(values):
        return f"{{ {', '.join(f'{key} = {_quoted(item)}' for key, item in pairs)} }}"
    return ", ".join(getattr(item, "name", None) or text(item) for item in values) or "none"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else text(value)


def _length(seconds: int) -> str:
    return next(f"{seconds // size}{letter}" for letter, size in _LENGTHS if seconds % size == 0)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
