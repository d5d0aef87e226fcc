"""Snowflake: NUMBER(38, 0) keeps 38 digits, `/` has room for 32 of them and 6 decimals, and overflow is an error.

Nothing is executed on it in the tests: it rests on Snowflake's documentation. A regular expression is refused, since
the documentation does not say enough about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import STANDARD_FUNCTIONS
from meterspec.backends.sql.dialects.decimals import DecimalDialect, constant_of
from meterspec.cel.tree import Call
from meterspec.ir import FieldType

__all__ = ["Snowflake"]

_MILLION = 10**6
_SINCE_YEAR_0 = 62_167_219_200_000_000
"""Microseconds from the year 0 to 1970: with them added, no instant is below zero."""


class Snowflake(DecimalDialect):
    name = "snowflake"
    printer = "snowflake"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("ARRAY_GENERATE_RANGE", "CONTAINS", "DATE_PART", "ENDSWITH", "FLATTEN", "HEX_ENCODE", "LPAD"),
            *("MAX_BY", "MIN_BY", "SHA2", "STARTSWITH", "TO_TIMESTAMP_TZ", "TO_VARCHAR", "TRIM"),
        }
    )
    narrow = "NUMBER(38, 0)"
    broad = "NUMBER(38, 0)"
    quotient_digits = 32
    types: ClassVar = {
        FieldType.STRING: "VARCHAR",
        FieldType.INTEGER: "NUMBER(19, 0)",
        FieldType.DECIMAL: "NUMBER",
        FieldType.FLOAT: "DOUBLE",
        FieldType.BOOLEAN: "BOOLEAN",
        FieldType.TIMESTAMP: "TIMESTAMP_TZ(6)",
    }
    executed = False
    longest_name = 255

    def lacks(self, call: Call) -> str | None:
        return "a regular expression" if call.overload == "matches_string" else None

    def decimal_type(self, precision: int, scale: int) -> str:
        return f"NUMBER({precision}, {scale})"

    def narrow_quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        # Rounded to 6 decimals, a quotient by at most a million does not reach the next whole number. Greater constants
        # are most often so many million microseconds.
        value = constant_of(divisor)
        if value is None:
            return self.even_quotient(dividend, divisor)
        if value > _MILLION and value % _MILLION == 0:
            million = self.narrow_quotient(dividend, b.number(_MILLION))
            return self.narrow_quotient(million, b.number(value // _MILLION))
        if value > _MILLION:
            return self.even_quotient(dividend, divisor)
        return b.call("FLOOR", exp.Div(this=b.wrapped(dividend), expression=b.wrapped(divisor), typed=True))

    def is_number(self, node: exp.Expr) -> exp.Expr:
        # NaN is greater than everything else.
        return b.binary(exp.LT, b.call("ABS", node), self.double("inf"))

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return b.call("DATE_PART", b.text("EPOCH_MICROSECOND"), node)

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return b.cast(b.call("TO_TIMESTAMP_TZ", micros, b.number(6)), self.types[FieldType.TIMESTAMP])

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("MAX_BY", value, _key(value, keys))

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("MIN_BY", value, _key(value, keys))

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        numbers = b.call("ARRAY_GENERATE_RANGE", low, b.add(high, b.number(1)))
        flat = exp.Explode(this=exp.Kwarg(this=exp.Var(this="INPUT"), expression=numbers))
        columns = [exp.Identifier(this=one) for one in ("SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS")]
        alias = exp.TableAlias(this=b.identifier("numbers"), columns=columns)
        source = rows.args["from_"].this.alias_or_name
        value = b.named(b.cast(exp.Column(this=columns[4].copy(), table=b.identifier("numbers")), self.narrow), name)
        every = exp.Column(this=exp.Star(), table=b.identifier(source))
        return rows.select(every, value, append=False, copy=False).join(exp.Lateral(this=flat, alias=alias), copy=False)

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("CONTAINS", node, part)

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("STARTSWITH", node, part)

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.call("ENDSWITH", node, part)

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        raise NotImplementedError("`lacks` refuses it")

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("TRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        return b.call("SHA2", node, b.number(256))


def _key(value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
    """The keys of a row, its time, its id and what else, as one text of the same order; null without a value.

    MAX_BY compares by one value, and leaves out rows in which it is null.
    """
    time, event_id, *others = keys
    text = _digits(b.add(time, b.number(_SINCE_YEAR_0)))
    # In hexadecimal, what follows an id is not taken for more of it: a space comes before every digit.
    parts = [b.call("HEX_ENCODE", event_id), *map(_digits, others)]
    for part in parts:
        text = b.binary(exp.DPipe, b.binary(exp.DPipe, text, b.text(" ")), part)
    return b.case([(b.not_null(value.copy()), text)])


def _digits(node: exp.Expr) -> exp.Expr:
    """A whole number that is not negative as a text, in the order of the numbers."""
    return b.call("LPAD", b.call("TO_VARCHAR", node), b.number(18), b.text("0"))
