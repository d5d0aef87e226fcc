"""Expressions: the meterspec profile of the Common Expression Language.

A text goes through `lexer` (tokens), `parser` (syntax) and `check` (types, missing values, zero divisors), and comes
out as the typed tree of `tree`, whose calls name rows of the table in `functions`. `profile` says what CEL has and this
has not, `constants` and `pattern` read what stands in texts, `bounds` knows what can be known before any event,
`evaluate` is what an expression means for one event, and `printer` writes a tree as text again.
"""

from meterspec.cel.bounds import Interval, bounds
from meterspec.cel.check import GUARDED, Checked, check
from meterspec.cel.evaluate import evaluate
from meterspec.cel.functions import OVERLOADS, Overload
from meterspec.cel.printer import show
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Environment, Type, Variable

__all__ = [
    "GUARDED",
    "OVERLOADS",
    "Call",
    "Checked",
    "Environment",
    "Expr",
    "FieldRef",
    "Interval",
    "ListOf",
    "Literal",
    "Overload",
    "Type",
    "Variable",
    "bounds",
    "check",
    "evaluate",
    "show",
    "walk",
]
