"""BigQuery: BIGNUMERIC keeps 38 digits before the point and 38 after it, DIV and MOD are exact on it.

The tests run the reference implementation of its SQL, GoogleSQL (zetasql 0.1.5), not BigQuery itself. Overflow is an
error there. The instants of a TIMESTAMP are those of the years 1 to 9999: a window that ends later is an error. Tables
of no dataset, and all views, are in the dataset `meterspec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, STANDARD_FUNCTIONS, Dialect
from meterspec.ir import FieldType

__all__ = ["BigQuery"]

_DATASET = "meterspec"


class BigQuery(Dialect):
    name = "bigquery"
    printer = "bigquery"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARRAY_AGG", "DIV", "ENDS_WITH", "GENERATE_ARRAY", "IS_INF", "IS_NAN", "MOD", "REGEXP_CONTAINS"),
            *("SAFE_OFFSET", "SHA256", "STARTS_WITH", "STRPOS", "TIMESTAMP_MICROS", "TO_HEX", "TRIM"),
            *("UNIX_MICROS", "UNNEST"),
        }
    )
    narrow = "INT64"
    broad = "BIGNUMERIC"
    types: ClassVar = {
        FieldType.STRING: "STRING",
        FieldType.INTEGER: "INT64",
        FieldType.DECIMAL: "BIGNUMERIC",
        FieldType.FLOAT: "FLOAT64",
        FieldType.BOOLEAN: "BOOL",
        FieldType.TIMESTAMP: "TIMESTAMP",
    }
    overflow_fails = True
    longest_name = 300
    longest_statement = 262_144

    def relation(self, name: tuple[str, ...]) -> tuple[str, ...]:
        return name if len(name) > 1 else (_DATASET, *name)

    def adapted(self, query: exp.Query) -> exp.Query:
        """Tables with their dataset, for which a view has no default, and columns with the name of their relation.

        In `SELECT t FROM t` the first `t` is the whole row, but `t.t` is the column.
        """
        adapted = b.qualified(query)
        with_ = adapted.args.get("with_")
        known: set[str] = set()
        for named in with_.expressions if with_ else []:
            self._place(named.this, known)
            known.add(named.alias)
        self._place(adapted, known)
        return adapted

    def _place(self, query: exp.Expr, known: set[str]) -> None:
        """Gives the tables of a query their dataset, all but those that the view itself defines."""
        for table in query.walk(prune=lambda node: isinstance(node, exp.With)):
            if isinstance(table, exp.Table) and not table.db and table.name not in known:
                table.set("db", b.identifier(_DATASET))

    def decimal_type(self, precision: int, scale: int) -> str:
        kind = "NUMERIC" if scale <= 9 and precision - scale <= 29 else "BIGNUMERIC"
        return f"{kind}({precision}, {scale})"

    # Whole numbers ----------------------------------------------------------------------------------------------

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        return b.call("DIV", dividend, divisor)

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=node if magnitude <= NARROW else self.wide(node))

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        if scale == 0:
            return self.wide(whole)
        return b.multiply(whole, self.wide(b.text(f"0.{'1'.rjust(scale, '0')}")))

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        whole = b.multiply(self.wide(node), self.wide(self.constant(10**scale)))
        return b.cast(whole, self.narrow) if precision <= 18 else whole

    def is_number(self, node: exp.Expr) -> exp.Expr:
        return b.not_(b.any_of([b.call("IS_INF", node), b.call("IS_NAN", node.copy())]))

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.call("UNIX_MICROS", node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return b.call("TIMESTAMP_MICROS", micros)

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _newest(value, [exp.Ordered(this=key, desc=True, nulls_first=False) for key in keys])

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return _newest(value, [exp.Ordered(this=key, desc=False, nulls_first=True) for key in keys])

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        numbers = exp.Unnest(
            expressions=[b.call("GENERATE_ARRAY", low, high)],
            alias=exp.TableAlias(columns=[b.identifier(name)]),
        )
        if not rows.is_star:  # which has the numbers among all columns
            rows = rows.select(b.column(name), append=True, copy=False)
        return rows.join(numbers, join_type="cross", copy=False)

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.GT, b.call("STRPOS", node, part), b.number(0))

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTS_WITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDS_WITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        return b.call("REGEXP_CONTAINS", node, b.text(pattern))

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("TRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("TO_HEX", b.call("SHA256", node))


def _newest(value: exp.Expr, order: Sequence[exp.Expr]) -> exp.Expr:
    """The first value that is not null in an order."""
    ordered = exp.Order(this=exp.IgnoreNulls(this=value), expressions=list(order))
    values = b.call("ARRAY_AGG", exp.Limit(this=ordered, expression=b.number(1)))
    return exp.Bracket(this=values, expressions=[b.call("SAFE_OFFSET", b.number(0))])
