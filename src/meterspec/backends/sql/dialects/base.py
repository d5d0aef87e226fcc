"""What a dialect has to say of its engine: types, exact whole-number arithmetic, instants, texts, aggregates.

Every method takes and gives sqlglot nodes. Inside views, instants are whole microseconds since 1970-01-01 UTC and
numbers are whole numbers of 10^-scale, so that all arithmetic is the same `+ - * div mod` everywhere. The methods that
are written out here hold for engines that follow the SQL standard in them; a dialect overrides what differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects import Dialect as SqlglotDialect

from meterspec.backends.base import Feature
from meterspec.backends.sql import build as b
from meterspec.cel.tree import Call
from meterspec.ir import Field, FieldType, Rounding

__all__ = ["NARROW", "STANDARD_FUNCTIONS", "WIDE", "Dialect", "Division", "TooLargeError", "is_long_step"]

NARROW = 2**63 - 1
"""The greatest whole number of a 64-bit integer."""
WIDE = 10**38 - 1
"""The greatest whole number that any step of a view reaches: the checker refuses what could need more digits."""
STANDARD_FUNCTIONS = frozenset(
    {
        *("ABS", "CAST", "COALESCE", "COUNT", "FLOOR", "GREATEST", "LEAD", "LEAST", "LENGTH", "MAX", "MIN"),
        *("NULLIF", "REPLACE", "ROW_NUMBER", "SUBSTR", "SUM", "TRANSLATE"),
    }
)
"""The functions that views call by the same name on most engines."""
_LONG = 40
"""The nodes of an expression that is too long to stand for a column wherever it is named."""


class TooLargeError(Exception):
    """What an engine has no exact numbers for, in words; raised only where `Dialect.widest` is less than `WIDE`."""


@dataclass(frozen=True, slots=True)
class Division:
    """A quantity before it is rounded, as a whole number of its last decimal: `factor * total / (divisor * by)`."""

    total: exp.Expr
    most: int
    """The greatest magnitude of the total."""
    by: exp.Expr | None
    most_by: int
    """The greatest number that `by` can be; 1 where there is none."""
    factor: int
    divisor: int
    may_be_negative: bool


class Dialect(ABC):
    """One engine's SQL."""

    name: ClassVar[str]
    """What users call it, and the folder of its artefacts."""
    printer: ClassVar[str]
    """The dialect of sqlglot that prints it."""
    functions: ClassVar[frozenset[str]]
    """The functions that its views may call, in capitals; a test reads every statement for others."""
    narrow: ClassVar[str] = "BIGINT"
    """The type of 64-bit whole numbers."""
    broad: ClassVar[str]
    """The type that holds whole numbers up to `WIDE`."""
    widest: ClassVar[int] = WIDE
    """The greatest whole number that is exact there; a meter that may need a greater one is refused."""
    types: ClassVar[Mapping[FieldType, str]]
    """The type of a raw column of each kind; DECIMAL stands for `DECIMAL(precision, scale)`."""
    types_in_words: ClassVar[str] = ""
    """What has to be known of values that the types do not say, as a sentence in `inputs.sql`."""
    supports: ClassVar[frozenset[Feature]] = frozenset(Feature) - {Feature.UNEVEN_CLOCK}
    end_of_text: ClassVar[str] = "$"
    """What its regular expressions write for the end of a text, and only there."""
    overflow_fails: ClassVar[bool] = False
    """Whether a product of doubles that is beyond their range is an error, and not infinite."""
    executed: ClassVar[bool] = True
    """Whether the tests execute what is compiled for it; if not, it rests on the engine's documentation."""
    has_decimals: ClassVar[bool] = True
    """Whether it has a type of exact decimals. If not, they are text, with as many digits after the point as their
    scale has, and nothing is written that computes with quantities: no invoices, and no usage export."""
    replaces_views: ClassVar[bool] = True
    """Whether it knows CREATE OR REPLACE VIEW; if not, a view is dropped first."""
    is_shallow: ClassVar[bool] = False
    """Whether its parser takes only a few dozen expressions in one another."""
    longest_name: ClassVar[int] = 128
    """The most bytes that a name may have."""
    longest_statement: ClassVar[int] = 10**9
    """The most bytes of a statement that the engine takes; one that would have more is printed without layout."""
    table_options: ClassVar[str] = ""
    """What follows the columns where a table is created."""

    def relation(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """The name of a table or a view that is created, in up to three parts."""
        return name

    def adapted(self, query: exp.Query) -> exp.Query:
        """The query of a view, with what the engine needs said that others take for granted."""
        return query

    def lacks(self, call: Call) -> str | None:
        """What of a call of the expression language the engine cannot keep the meaning of, in words; None if all."""
        return None

    # Types ------------------------------------------------------------------------------------------------------

    def column_type(self, field: Field) -> str:
        """The type of a field's column in the raw table."""
        if field.type is FieldType.DECIMAL:
            return self.decimal_type(field.precision, field.scale)
        return self.types[field.type]

    def decimal_type(self, precision: int, scale: int) -> str:
        """The type of decimals of that many digits, and digits after the point."""
        return f"DECIMAL({precision}, {scale})"

    def wrong_type(self, field: Field, node: exp.Expr) -> exp.Expr | None:
        """Whether a raw value is not one of its field's type; None where the type of the column sees to that."""
        return None

    # Whole numbers ----------------------------------------------------------------------------------------------

    def constant(self, value: int) -> exp.Expr:
        """A whole constant: what does not fit 64 bits is cast from text, since literals become doubles elsewhere."""
        return b.number(value) if abs(value) <= NARROW else b.cast(b.text(str(value)), self.broad)

    def integer(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        """A whole number in the narrowest type that holds numbers of that magnitude."""
        return b.cast(node, self.narrow if magnitude <= NARROW else self.broad)

    def wide(self, node: exp.Expr) -> exp.Expr:
        """A whole number in the widest type."""
        return b.cast(node, self.broad)

    def wide_constant(self, value: int) -> exp.Expr:
        """A whole constant of the widest type, or one that is as good beside numbers of that type."""
        return self.wide(self.constant(value))

    @abstractmethod
    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        """Whole-number division of numbers that are not negative; null where the divisor is.

        `magnitude` bounds both; from `NARROW` on they are of the wide type, else of the narrow one.
        """

    def remainder(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        """What `quotient` leaves."""
        return b.binary(exp.Mod, dividend, divisor)

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        """The sum of whole numbers, none counted for null; `magnitude` bounds every partial sum."""
        return exp.Sum(this=node)

    def merged(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        """The sum of totals, none counted for null."""
        return self.total(node, magnitude)

    def rounded(self, division: Division, precision: int, rounding: Rounding) -> exp.Expr | None:
        """A quantity of so many decimals by arithmetic of its own; None where that of the wide type will do."""
        return None

    # Numbers of events ------------------------------------------------------------------------------------------

    @abstractmethod
    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        """A whole number of the wide type times 10^-scale, as a decimal of that many digits; exact."""

    @abstractmethod
    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        """A decimal column times 10^scale, as a whole number: exact, also at 38 digits.

        `precision` is how many digits the values have; up to 18 the result is of the narrow type, else the wide one.
        """

    def reads_decimal(
        self, node: exp.Expr, precision: int, scale: int
    ) -> tuple[exp.Expr, exp.Expr, exp.Expr, exp.Expr]:
        """A plain text as a decimal times 10^scale, where there is no type of decimals.

        After that whether it is no plain decimal, whether it has too many digits before the point, and whether it has
        too many after it, zeros at its ends not counted; what comes after a condition that holds does not count.
        """
        raise NotImplementedError

    def reads_double(self, node: exp.Expr, scale: int) -> tuple[exp.Expr, exp.Expr]:
        """floor(x * 10^scale + 0.5) in IEEE double arithmetic as a narrow whole number, and whether it is out of range.

        A number is out of range from |x| * 10^scale = 2^53 on; the whole number is null there, as it is for NaN.
        """
        product = b.multiply(node, self.double(f"1e{scale}"))
        if self.overflow_fails:
            # From here on it is out of range at any scale.
            product = b.case([(b.binary(exp.LT, b.call("ABS", node.copy()), self.double("1e16")), product)])
        size, limit = b.call("ABS", product), self.double(f"{2**53}")
        rounded = b.call("FLOOR", b.add(product.copy(), self.double("0.5")))
        value = b.case([(b.binary(exp.LT, size, limit), self.narrowed(rounded))])
        beyond = b.binary(exp.GTE, size.copy(), limit.copy())
        if self.overflow_fails:
            beyond = b.any_of([b.binary(exp.GTE, b.call("ABS", node.copy()), self.double("1e16")), beyond])
        return value, beyond

    def narrowed(self, node: exp.Expr) -> exp.Expr:
        """A double without decimals, of up to 2^53, as a whole number of the narrow type."""
        return b.cast(node, self.narrow)

    def double(self, text: str) -> exp.Expr:
        """A constant of type double."""
        return b.cast(b.text(text), self.types[FieldType.FLOAT])

    @abstractmethod
    def is_number(self, node: exp.Expr) -> exp.Expr:
        """Whether a double is neither infinite nor NaN."""

    # Instants ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def micros(self, node: exp.Expr) -> exp.Expr:
        """An instant as microseconds since 1970-01-01 UTC, of the narrow type."""

    @abstractmethod
    def instant(self, micros: exp.Expr) -> exp.Expr:
        """Microseconds since 1970-01-01 UTC as an instant."""

    def month(self, micros: exp.Expr) -> exp.Expr | None:
        """The month, from the January of the year 0, of microseconds since 1970-01-01, by the engine's own dates.

        None where that is not faster than the whole-number arithmetic of `calendar`, which gives the same.
        """
        return None

    # Aggregates -------------------------------------------------------------------------------------------------

    def distinct(self, node: exp.Expr) -> exp.Expr:
        """How many different values there are, nulls not counted."""
        return exp.Count(this=exp.Distinct(expressions=[node]))

    @abstractmethod
    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        """The value of the row whose keys are greatest, of those rows that have a value."""

    @abstractmethod
    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        """The value of the row whose keys are least, of those rows that have a value."""

    def keep_first(self, rows: exp.Select, columns: Sequence[str], key: str, order: Sequence[exp.Expr]) -> exp.Select:
        """The columns of the row that comes first of those with one key; nulls come last."""
        rank = b.named(self.rank(self.ordered_last(order), b.column(key)), "meterspec_rank")
        ranked = rows.select(rank, append=True, copy=False).subquery(b.identifier("ranked"))
        chosen = exp.select(*(b.column(name) for name in columns)).from_(ranked)
        return chosen.where(b.binary(exp.EQ, b.column("meterspec_rank"), b.number(1)))

    def rank(self, order: Sequence[exp.Expr], *partition: exp.Expr) -> exp.Expr:
        """The number of a row within its partition, from 1."""
        return exp.Window(this=exp.RowNumber(), partition_by=list(partition), order=exp.Order(expressions=list(order)))

    def ordered(self, nodes: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Keys of an ordering that are never null."""
        first = SqlglotDialect.get_or_raise(self.printer).NULL_ORDERING == "nulls_are_small"
        return [exp.Ordered(this=node, desc=False, nulls_first=first) for node in nodes]

    def ordered_last(self, nodes: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Keys of an ordering in which nulls come last."""
        return [exp.Ordered(this=node, desc=False, nulls_first=False) for node in nodes]

    def following(self, node: exp.Expr, partition: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Expr:
        """The value of the next row of the partition; null for its last."""
        lead = b.call("LEAD", node)
        ordering = exp.Order(expressions=self.ordered_last(order))
        return exp.Window(this=lead, partition_by=list(partition), order=ordering)

    @abstractmethod
    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        """Each row of a select once for every whole number from `low` to `high`, as a further column.

        `low` is never above `high`; both are of the narrow type and name columns of what the rows are selected from.
        """

    def computed_once(self, query: exp.Query) -> exp.Query:
        """A query whose columns a later stage names many times, each computed only once.

        An optimizer that puts expressions in the place of the columns makes a view grow exponentially.
        """
        return query

    def materializes(self, query: exp.Query) -> bool:
        """Whether a stage has to be marked as one that is computed before those that name it."""
        return False

    # Values -----------------------------------------------------------------------------------------------------

    def same(self, left: exp.Expr, right: exp.Expr, *, negated: bool = False) -> exp.Expr:
        """Whether two values are equal, two nulls among them; never null."""
        return b.binary(exp.NullSafeNEQ if negated else exp.NullSafeEQ, left, right)

    def negate(self, node: exp.Expr) -> exp.Expr:
        """A number with the other sign."""
        return b.negate(node)

    def absolute(self, node: exp.Expr, magnitude: int = WIDE) -> exp.Expr:
        """A number of up to that magnitude without its sign."""
        return b.call("ABS", node)

    def least(self, nodes: Sequence[exp.Expr]) -> exp.Expr:
        """The least of values that are not null."""
        return b.call("LEAST", *nodes)

    def greatest(self, nodes: Sequence[exp.Expr]) -> exp.Expr:
        """The greatest of values that are not null."""
        return b.call("GREATEST", *nodes)

    # Texts ------------------------------------------------------------------------------------------------------

    def by_code_point(self, node: exp.Expr) -> exp.Expr:
        """A text that is compared and ordered by code point."""
        return node

    def size(self, node: exp.Expr) -> exp.Expr:
        """The number of code points of a text."""
        return b.call("LENGTH", node)

    @abstractmethod
    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr: ...

    @abstractmethod
    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr: ...

    @abstractmethod
    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr: ...

    @abstractmethod
    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        """Whether an RE2 pattern is found anywhere in a text."""

    def translate(self, node: exp.Expr, old: str, new: str) -> exp.Expr:
        """Each character of `old` replaced by the one at its place in `new`."""
        return b.call("TRANSLATE", node, b.text(old), b.text(new))

    @abstractmethod
    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        """A text without those characters at its ends."""

    def to_text(self, node: exp.Expr) -> exp.Expr:
        """A whole number as text."""
        return b.cast(node, self.types[FieldType.STRING])

    @abstractmethod
    def sha256(self, node: exp.Expr) -> exp.Expr:
        """The SHA-256 of a text in UTF-8, as 64 hexadecimal digits in lower case."""


def is_long_step(column: exp.Alias) -> bool:
    """Whether a column of a stage, one that later stages compute with, is long to compute, and of the row alone."""
    nodes = list(column.this.walk())
    of_the_row = not any(isinstance(node, exp.AggFunc | exp.Window) for node in nodes)
    return column.alias.startswith("meterspec_") and len(nodes) > _LONG and of_the_row
