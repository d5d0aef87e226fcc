"""Values of the IR in a few words, as a change shows them: before, after and in messages."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal

from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
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
    Lifetime,
    Meter,
    Price,
    Rate,
    RatioSource,
    Rolling,
    Tier,
    Tumbling,
)

__all__ = ["field_type", "is_expression", "text", "with_types"]

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
        case Family(name=name) | Meter(name=name) | Example(name=name):
            return name
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
        case Rolling(seconds, months, every):
            length = _length(seconds) if seconds is not None else f"{months} month{'' if months == 1 else 's'}"
            return f"rolling {length}" + (f" every {every.value}" if every else "")
        case Lifetime():
            return "lifetime"
        case FamilySource(families):
            return ", ".join(families)
        case RatioSource(numerator, denominator):
            return f"{numerator} / {denominator}"
        case Aggregate(function=function, value=operand):
            return f"{function.value}({'' if operand is None else _cel(operand)})"
        case Tier(up_to=bound, unit_amount=unit, flat_amount=flat):
            amounts = [f"{unit:f} per unit"] * (unit is not None) + [f"{flat or 0:f} flat"] * (flat is not None)
            return f"{'without end' if bound is None else f'up to {bound:f}'}: {', '.join(amounts)}"
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


def is_expression(value: object) -> bool:
    return isinstance(value, Literal | FieldRef | ListOf | Call)


def with_types(expr: Expr) -> str:
    """An expression and, as a CEL comment, what its fields hold: `a / b // a is int, b is int`."""
    types = {node.name: node.type for node in walk(expr) if isinstance(node, FieldRef)}
    return f"{_cel(expr)} // {', '.join(f'{name} is {types[name].value}' for name in sorted(types))}"


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
