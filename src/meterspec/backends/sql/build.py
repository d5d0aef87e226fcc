"""Small builders over sqlglot nodes: sqlglot prints what it is given, so parentheses and widths are decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce

from sqlglot import ErrorLevel, exp
from sqlglot.dialects import Dialect as SqlglotDialect
from sqlglot.generator import Generator

__all__ = [
    "View",
    "add",
    "all_of",
    "any_of",
    "binary",
    "call",
    "case",
    "cast",
    "column",
    "count_all",
    "data_type",
    "identifier",
    "is_null",
    "multiply",
    "multiply_by",
    "named",
    "negate",
    "not_",
    "not_null",
    "number",
    "printed",
    "qualified",
    "table",
    "text",
]


@dataclass(frozen=True, slots=True)
class View:
    """A relation that the compiler defines."""

    name: str
    select: exp.Query
    comment: str


_BINDING: list[tuple[tuple[type[exp.Expr], ...], int]] = [
    ((exp.Or,), 1),
    ((exp.And,), 2),
    ((exp.Not,), 3),
    ((exp.Predicate, exp.Is, exp.In, exp.Between), 4),
    ((exp.Add, exp.Sub, exp.DPipe), 5),
    ((exp.Mul,), 6),
    ((exp.Binary, exp.Neg), 0),
]
"""How tightly an operator holds its operands; those on which engines disagree, such as `//` and `%`, are 0."""
_TIGHT = 9


def _binding(node: exp.Expr) -> int:
    # sqlglot counts AND and OR among its functions, so operators have to be looked for first.
    return next((level for kinds, level in _BINDING if isinstance(node, kinds)), _TIGHT)


def wrapped(node: exp.Expr, level: int = _TIGHT) -> exp.Expr:
    """The node in parentheses, unless it binds at least as tightly as `level`."""
    return node if _binding(node) >= level else exp.Paren(this=node)


def binary(kind: type[exp.Binary], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Two operands of an operator; of several in a row, the left ones are taken together."""
    level = next(level for kinds, level in _BINDING if issubclass(kind, kinds))
    if level == 0:
        return kind(this=wrapped(left), expression=wrapped(right))
    chained = level if kind in {exp.Add, exp.Sub, exp.Mul} else level + 1
    return kind(this=wrapped(left, chained), expression=wrapped(right, level + 1))


def printed(node: exp.Expr, printer: str, *, pretty: bool = False, owned: bool = False) -> str:
    """The text of a node in a dialect of sqlglot; what is short stays on its line.

    sqlglot rewrites what a dialect has no words for. An `owned` node, of which no part is in another one, is rewritten
    itself, and prints the same afterwards; copying it before would take a quarter of the time of `compile`. Raises
    `UnsupportedError` where it would leave something out, of which sqlglot by itself makes no more than a note.
    """
    generator = _printer(printer)(
        dialect=printer, pretty=pretty, max_text_width=_WIDTH, unsupported_level=ErrorLevel.RAISE
    )
    return generator.generate(node, copy=not owned)


_WIDTH = 100


@cache
def _printer(name: str) -> type[Generator]:
    """The generator of a dialect that breaks only those parentheses that would be too long for one line."""
    own = SqlglotDialect.get_or_raise(name).generator_class

    def paren_sql(self: Generator, node: exp.Paren) -> str:
        inside = self.sql(node, "this")
        if "\n" not in inside and len(inside) <= _WIDTH:
            return f"({inside})"
        return f"({self.seg(self.indent(inside), sep='')}{self.seg(')', sep='')}"  # as its own does, but printed once

    return type("Printer", (own,), {"paren_sql": paren_sql})


def add(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return binary(exp.Add, left, right)


def multiply(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return binary(exp.Mul, left, right)


def multiply_by(node: exp.Expr, factor: int) -> exp.Expr:
    """The node times a whole constant."""
    return node if factor == 1 else multiply(node, number(factor))


def negate(node: exp.Expr) -> exp.Expr:
    return exp.Neg(this=wrapped(node))


def not_(node: exp.Expr) -> exp.Expr:
    return exp.Not(this=wrapped(node, 4))


def is_null(node: exp.Expr) -> exp.Expr:
    return exp.Is(this=wrapped(node, 5), expression=exp.Null())


def not_null(node: exp.Expr) -> exp.Expr:
    return exp.Is(this=wrapped(node, 5), expression=exp.Not(this=exp.Null()))


def all_of(nodes: Iterable[exp.Expr]) -> exp.Expr:
    """All of at least one condition."""
    return reduce(lambda left, right: exp.And(this=wrapped(left, 2), expression=wrapped(right, 3)), nodes)


def any_of(nodes: Iterable[exp.Expr]) -> exp.Expr:
    """Any of at least one condition."""
    return reduce(lambda left, right: exp.Or(this=wrapped(left, 1), expression=wrapped(right, 2)), nodes)


def number(value: int) -> exp.Expr:
    literal = exp.Literal.number(str(abs(value)))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def column(name: str, relation: str | None = None) -> exp.Expr:
    return exp.Column(this=identifier(name), table=identifier(relation) if relation else None)


def table(parts: tuple[str, ...] | str, alias: str | None = None) -> exp.Table:
    """A relation by its name in up to three parts."""
    *outer, last = (parts,) if isinstance(parts, str) else parts
    names = dict(zip(("db", "catalog"), map(identifier, reversed(outer)), strict=False))
    return exp.Table(this=identifier(last), alias=exp.TableAlias(this=identifier(alias)) if alias else None, **names)


def named(node: exp.Expr, name: str) -> exp.Expr:
    """The node as a column of a result; a column of that name already stays as it is."""
    if isinstance(node, exp.Column) and node.name == name:
        return exp.Column(this=identifier(name), table=node.args.get("table"))
    return exp.Alias(this=node, alias=identifier(name))


def data_type(kind: str) -> exp.DataType:
    """A type by the name that the engine has for it; nothing translates it."""
    return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=kind, nullable=False)


def cast(node: exp.Expr, kind: str) -> exp.Expr:
    return exp.Cast(this=node, to=data_type(kind))


def call(name: str, *args: exp.Expr) -> exp.Expr:
    """A function by the exact name the dialect knows it by."""
    return exp.Anonymous(this=name, expressions=list(args))


def count_all() -> exp.Expr:
    return exp.Count(this=exp.Star())


def case(branches: Iterable[tuple[exp.Expr, exp.Expr]], otherwise: exp.Expr | None = None) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=when, true=then) for when, then in branches], default=otherwise)


def qualified(query: exp.Query) -> exp.Query:
    """A copy in which the columns of a select that reads one relation have the name of that relation."""
    found = query.copy()
    for select in found.find_all(exp.Select):
        source = select.args.get("from_")
        if source is None or select.args.get("joins"):
            continue
        relation = identifier(source.this.alias_or_name)
        for node in select.walk(prune=lambda node: isinstance(node, exp.From | exp.With)):
            if isinstance(node, exp.Column) and not node.table:
                node.set("table", relation.copy())
    return found
