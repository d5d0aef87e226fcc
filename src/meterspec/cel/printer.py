"""A typed tree as CEL text in one normal form, with the fewest parentheses; reading it gives the same tree."""

from __future__ import annotations

from decimal import Decimal

from meterspec.cel.constants import duration_text, timestamp_text
from meterspec.cel.functions import OVERLOADS, Overload, Style
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Type

__all__ = ["show"]

BY_ID = {overload.id: overload for overload in OVERLOADS}
TERNARY, OR, AND, COMPARE, ADD, MULTIPLY, UNARY, MEMBER = range(1, 9)
POWER = {"||": OR, "&&": AND, "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "%": MULTIPLY}
ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def show(expr: Expr) -> str:
    """The expression as CEL text. A widening that its place brings about again is not written."""
    return written(expr)[0]


def written(expr: Expr) -> tuple[str, int]:
    """The text of an expression, and how tightly its outermost operator binds."""
    match expr:
        case Literal():
            return constant(expr), MEMBER
        case FieldRef(name):
            return name, MEMBER
        case ListOf(items):
            return f"[{', '.join(show(item) for item in items)}]", MEMBER
        case Call("conditional", (condition, then, otherwise)):
            then, otherwise = narrowed((then, otherwise))
            return f"{within(condition, OR)} ? {within(then, OR)} : {within(otherwise, TERNARY)}", TERNARY
        case Call("in_list", (item, ListOf(items))):
            if items:
                item, *rest = narrowed((item, *items))
                items = tuple(rest)
            return f"{within(item, ADD)} in [{', '.join(show(one) for one in items)}]", COMPARE
        case Call(name, args):
            return called(BY_ID[name], args)


def called(overload: Overload, args: tuple[Expr, ...]) -> tuple[str, int]:
    if overload.style is Style.OPERATOR:
        if len(args) == 1:
            return f"{overload.function}{within(args[0], UNARY)}", UNARY
        left, right = narrowed(args)
        power = POWER.get(overload.function, COMPARE)
        # Comparisons do not chain, so the left one takes parentheses as well.
        lowest = power + 1 if power == COMPARE else power
        return f"{within(left, lowest)} {overload.function} {within(right, power + 1)}", power
    if overload.variadic:
        args = narrowed(args)
    if overload.style in (Style.METHOD, Style.EITHER):
        return f"{within(args[0], MEMBER)}.{overload.function}({', '.join(map(show, args[1:]))})", MEMBER
    if overload.function in ("math.ceil", "math.floor", "math.round"):
        args = tuple(bare(arg) for arg in args)
    return f"{overload.function}({', '.join(map(show, args))})", MEMBER


def within(expr: Expr, power: int) -> str:
    """The text of an operand, in parentheses where it binds less tightly than `power`."""
    text, own = written(expr)
    return text if own >= power else f"({text})"


def bare(expr: Expr) -> Expr:
    """What a widening widens."""
    match expr:
        case Call("int64_to_decimal", (inner,)):
            return inner
        case _:
            return expr


def narrowed(args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Operands without the widenings that another, a decimal anyway, brings about again."""
    if all(bare(arg) is not arg or arg.type is not Type.DECIMAL for arg in args):
        return args
    return tuple(bare(arg) for arg in args)


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
