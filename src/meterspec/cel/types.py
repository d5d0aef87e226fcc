"""The types an expression can have, and the variables it can name."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from meterspec.records import record

__all__ = ["Environment", "Type", "Variable"]


class Type(StrEnum):
    """A static type. Every expression has exactly one; there is no `dyn`.

    `DECIMAL` is what CEL calls `double`, but exact. `NULL` is the type of the literal `null` alone: whether a
    variable may be missing is a property of the variable, which the checker follows, not of its type.
    """

    BOOL = "bool"
    INT = "int"
    DECIMAL = "decimal"
    STRING = "string"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    NULL = "null"
    LIST_BOOL = "list(bool)"
    LIST_INT = "list(int)"
    LIST_DECIMAL = "list(decimal)"
    LIST_STRING = "list(string)"
    LIST_TIMESTAMP = "list(timestamp)"
    LIST_DURATION = "list(duration)"
    LIST_NULL = "list(null)"
    """The empty list."""
    UNKNOWN = "unknown"
    """Something wrong was reported here; every later check lets it pass."""


@record(frozen=True, slots=True)
class Variable:
    """A field of an event, as an expression sees it."""

    name: str
    type: Type
    nullable: bool = False
    """True where an event may lack it."""
    values: tuple[str, ...] | None = None
    """The closed set of texts it can hold."""
    low: Decimal | None = None
    """The least number it can hold, included."""
    high: Decimal | None = None
    """The greatest number it can hold, included."""
    scale: int = 0
    """Decimals of a DECIMAL variable: its value is a whole number of 10^-scale."""


Environment = dict[str, Variable]
"""The variables an expression may name, by name."""
