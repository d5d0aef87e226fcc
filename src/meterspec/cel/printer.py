"""A typed tree as CEL text in one normal form, with the fewest parentheses; reading it gives the same tree."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from meterspec.cel.constants import duration_text, timestamp_text
from meterspec.cel.functions import OVERLOADS, Style
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Type

__all__ = ["show"]

BY_ID = {overload.id: overload for overload in OVERLOADS}
TERNARY, OR, AND, COMPARE, ADD, MULTIPLY, UNARY, MEMBER = range(1, 9)
POWER = {"||": OR, "&&": AND, "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "%": MULTIPLY}
WIDENING = frozenset(("math_ceil_decimal", "math_floor_decimal", "math_round_decimal"))
"""Functions that have no int of their own, so that one widens by itself."""
ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def show(expr: Expr, *, widenings: bool = False) -> str:
    """The expression as CEL text. A widening that its place brings about again is not written, unless `widenings` are
    asked for: then the text means the same to any implementation of CEL, but for decimals that are doubles there."""
    return Printer(widenings).written(expr)[0]


class Printer:
    """How one text is written."""

    __slots__ = ("widenings",)

    def __init__(self, widenings: bool) -> None:
        self.widenings = widenings

    def written(self, expr: Expr) -> tuple[str, int]:
        """The text of an expression, and how tightly its outermost operator binds."""
        match expr:
            case Literal():
                return constant(expr), MEMBER
            case FieldRef(name):
                return name, MEMBER
            case ListOf(items):
                return f"[{self.listed(items)}]", MEMBER
            case Call("conditional", (condition, *branches)):
                then, otherwise = self.narrowed(tuple(branches))
                parts = self.within(condition, OR), self.within(then, OR), self.within(otherwise, TERNARY)
                return f"{parts[0]} ? {parts[1]} : {parts[2]}", TERNARY
            case Call("in_list", (item, ListOf(items))):
                item, *rest = self.narrowed((item, *items))
                return f"{self.within(item, ADD)} in [{self.listed(rest)}]", COMPARE
            case Call(name, args):
                overload = BY_ID[name]
        if overload.style is Style.OPERATOR:
            symbol = overload.function
            if len(args) == 1:
                return f"{symbol}{self.within(args[0], UNARY)}", UNARY
            left, right = self.narrowed(args)
            power = POWER.get(symbol, COMPARE)
            # Comparisons do not chain, so one on the left takes parentheses as well.
            lowest = power + 1 if power == COMPARE else power
            return f"{self.within(left, lowest)} {symbol} {self.within(right, power + 1)}", power
        if overload.style in (Style.METHOD, Style.EITHER):
            return f"{self.within(args[0], MEMBER)}.{overload.function}({self.listed(args[1:])})", MEMBER
        if overload.variadic:
            args = self.narrowed(args)
        elif overload.id in WIDENING and not self.widenings:
            args = tuple(map(bare, args))
        return f"{overload.function}({self.listed(args)})", MEMBER

    def within(self, expr: Expr, power: int) -> str:
        """The text of an operand, in parentheses where it binds less tightly than `power`."""
        text, own = self.written(expr)
        return text if own >= power else f"({text})"

    def listed(self, items: Iterable[Expr]) -> str:
        return ", ".join([self.written(item)[0] for item in items])

    def narrowed(self, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Operands without the widenings that another one, a decimal anyway, brings about again."""
        if self.widenings or args[0].type is not Type.DECIMAL:
            return args
        if all(bare(arg) is not arg for arg in args):  # one has to stay
            return args[0], *map(bare, args[1:])
        return tuple(map(bare, args))


def bare(expr: Expr) -> Expr:
    """What a widening widens."""
    match expr:
        case Call("int64_to_decimal", (inner,)):
            return inner
        case _:
            return expr


def constant(literal: Literal) -> str:
    match literal.type, literal.value:
        case Type.TIMESTAMP, int(value):
            return f"timestamp('{timestamp_text(value)}')"
        case Type.DURATION, int(value):
            return f"duration('{duration_text(value)}')"
        case _, bool(value):
            return "true" if value else "false"
        case _, Decimal() as value:
            text = format(value, "f")
            return text if "." in text else f"{text}.0"
        case _, str(value):
            return "'" + "".join(map(escaped, value)) + "'"
        case _, None:
            return "null"
        case _, value:
            return str(value)


def escaped(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    return character if character.isprintable() or character == " " else f"\\U{ord(character):08x}"
