"""Every statement that is compiled, read back: it groups as it was meant, and calls only what its dialect lists.

sqlglot prints a tree without asking whether the text still means it, so the compiler sets its parentheses itself. Here
each tree is printed a second time with every operand in parentheses, and both texts have to be the same tree again.
Reading a text takes some milliseconds, which is why tests do it and `compile` does not.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise

import pytest
import sqlglot
from sqlglot import exp, tokenize
from sqlglot.tokenizer_core import TokenType

from meterspec.backends import sql, stripe
from meterspec.backends.sql import DIALECTS, backend
from meterspec.backends.sql import build as b
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from tests.conftest import FIXTURES
from tests.corpus import check_file
from tests.random_specs import spec

VALID = sorted((FIXTURES / "valid").iterdir())


def programs(dialect: str) -> list[tuple[str, Program]]:
    """Every valid fixture, and a random spec."""
    found = [(path.name, program) for path in VALID if (program := check_file(path)[0]) is not None]
    assert len(found) == len(VALID)
    return [*found, ("a random spec", spec(random.Random(101), 4, refused_by=dialect).program)]


@cache
def compiled(dialect: str) -> tuple[tuple[str, exp.Expr], ...]:
    """Every statement of the programs that the dialect takes, each once, with the name of where it is from."""
    found: dict[str, tuple[str, exp.Expr]] = {}
    taken = 0
    for name, program in programs(dialect):
        out = Diagnostics()
        sql.check(program, program.meters, dialect, out)
        sql.check_prices(program, program.meters, out)
        if out.has_errors:
            continue
        taken += 1
        for node in printed_by(program, dialect):
            found.setdefault(b.printed(node, DIALECTS[dialect].printer), (name, node))
    assert taken >= 3
    return tuple(found.values())


def printed_by(program: Program, dialect: str) -> list[exp.Create]:
    """The trees of all statements of a program, as they are handed to be printed."""
    nodes: list[exp.Create] = []
    printed = b.printed

    def kept(node: exp.Expr, printer: str, *, pretty: bool = False, owned: bool = False) -> str:
        if isinstance(node, exp.Create):
            nodes.append(node.copy())
        return printed(node, printer, pretty=pretty, owned=owned)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b, "printed", kept)
        list(backend(dialect).emit(program))
        out = Diagnostics()
        stripe.check(program, out)
        if not out.has_errors:
            list(stripe.emit_export(program, (dialect,)))
    return nodes


OPERATORS = (exp.Binary, exp.Unary, exp.Is, exp.In, exp.Between)
NO_OPERATORS = (exp.Dot, exp.Paren, exp.PropertyEQ, exp.Kwarg, exp.Collate, exp.Escape)


def in_parentheses(node: exp.Expr) -> exp.Expr:
    """A copy in which each operator that is an operand stands in parentheses of its own."""
    copied = node.copy()
    for one in reversed(list(copied.walk())):
        is_word = isinstance(one.parent, exp.Is)  # of `IS NOT NULL`
        is_operator = isinstance(one, OPERATORS) and not isinstance(one, NO_OPERATORS) and not is_word
        if is_operator and isinstance(one.parent, OPERATORS) and not isinstance(one.parent, exp.Paren | exp.Kwarg):
            one.replace(exp.Paren(this=one.copy()))
    return copied


def read_back(text: str, printer: str) -> exp.Expr:
    """The tree of a text, without its parentheses."""
    (found,) = sqlglot.parse(text, dialect=printer)
    assert isinstance(found, exp.Create), text
    for one in reversed(list(found.find_all(exp.Paren))):
        one.replace(one.this)
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_groups_as_it_was_meant(dialect: str) -> None:
    printer = DIALECTS[dialect].printer
    for name, node in compiled(dialect):
        text = b.printed(node, printer)
        assert read_back(text, printer) == read_back(b.printed(in_parentheses(node), printer), printer), (name, text)


def test_a_tree_that_is_printed_without_its_parentheses_is_found() -> None:
    one, two, three = (b.column(name) for name in "xyz")
    bare = exp.Mul(this=exp.Add(this=one, expression=two), expression=three)
    meant = b.multiply(b.add(one.copy(), two.copy()), three.copy())
    for node, same in ((bare, False), (meant, True)):
        create = exp.Create(this=b.table("v"), kind="VIEW", expression=exp.select(node))
        texts = (b.printed(create, "duckdb"), b.printed(in_parentheses(create), "duckdb"))
        assert (read_back(texts[0], "duckdb") == read_back(texts[1], "duckdb")) is same, texts


WORDS = {
    *("ALL", "AND", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CROSS", "ELSE", "EXISTS", "FILTER", "FROM", "GLOB", "IN"),
    *(
        "IS",
        "JOIN",
        "LEFT",
        "MATERIALIZED",
        "NOT",
        "ON",
        "OR",
        "OVER",
        "SELECT",
        "THEN",
        "UNION",
        "VIEW",
        "WHEN",
        "WHERE",
    ),
}
"""What may stand before a parenthesis and is no function, or is one that every dialect may call."""
TYPES = {"BIGNUMERIC", "DATETIME64", "DECIMAL", "NULLABLE", "NUMBER", "NUMERIC", "TIMESTAMP", "TIMESTAMP_TZ"}


def called(text: str, printer: str) -> set[str]:
    """The names that a text calls as functions, in capitals."""
    quoted = {TokenType.STRING, TokenType.IDENTIFIER, TokenType.RAW_STRING}
    return {
        token.text.upper()
        for token, after in pairwise(tokenize(text, read=printer))
        if after.token_type is TokenType.L_PAREN and token.token_type not in quoted and token.text[0].isalpha()
    } - WORDS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_calls_only_what_its_dialect_lists(dialect: str) -> None:
    chosen = DIALECTS[dialect]
    found = {name for _, node in compiled(dialect) for name in called(b.printed(node, chosen.printer), chosen.printer)}
    assert found - TYPES <= chosen.functions


def test_a_function_that_no_dialect_lists_is_found() -> None:
    text = "CREATE VIEW v AS SELECT load_extension('x'), a IN (1), (b) AND (c)"
    assert called(text, "sqlite") == {"LOAD_EXTENSION"}
    assert not called(text, "sqlite") & DIALECTS["sqlite"].functions
