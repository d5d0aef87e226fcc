"""The typed tree: what the checker gives and every later phase reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from decimal import Decimal

from meterspec.cel.types import Type
from meterspec.records import record

__all__ = ["Call", "Expr", "FieldRef", "ListOf", "Literal", "walk"]


@record(frozen=True, slots=True)
class Literal:
    """A constant. A timestamp is microseconds since 1970-01-01 UTC, a duration is microseconds."""

    value: bool | int | Decimal | str | None
    type: Type
    at: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)
    """The characters of the expression's text it came from: start, and end not included."""


@record(frozen=True, slots=True)
class FieldRef:
    """A field of the event."""

    name: str
    type: Type
    at: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)


@record(frozen=True, slots=True)
class ListOf:
    """A list literal; only ever the right side of `in`."""

    items: tuple[Expr, ...]
    type: Type
    at: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)


@record(frozen=True, slots=True)
class Call:
    """An operator or function, resolved to one overload: every backend dispatches on `overload`, never on a symbol."""

    overload: str
    args: tuple[Expr, ...]
    type: Type
    at: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)
    """The whole expression; `anchor` is where a complaint about the operator points."""
    anchor: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)


Expr = Literal | FieldRef | ListOf | Call


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node, parents before children, left to right; no recursion, so depth costs nothing."""
    todo: list[Expr] = [expr]
    while todo:
        node = todo.pop()
        yield node
        match node:
            case Call():
                todo += node.args[::-1]
            case ListOf():
                todo += node.items[::-1]
            case Literal() | FieldRef():
                pass
