"""SQLite 3.39 and later: 64-bit integers that become doubles where they overflow, no decimals, no instants.

Whole numbers are used where they are proved to fit 64 bits; a total that may not is added up in two limbs, and handed
on as text. What would need more is refused. Decimals are text, instants are whole microseconds since 1970-01-01 UTC,
booleans are 0 and 1. A column may hold a value of any type there, so the type of every raw value is looked at, and a
text with U+0000, which `LENGTH` and `SUBSTR` take for its end, is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects.base import NARROW, STANDARD_FUNCTIONS, Dialect, Division, TooLargeError
from meterspec.cel.tree import Call
from meterspec.ir import Field, FieldType, Rounding

__all__ = ["SQLite"]

_LIMB = 10**9
_UPPER_CASE, _LOWER_CASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_FIRST_INSTANT, _LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: what is given in nanoseconds by mistake is beyond them."""
_SINCE_YEAR_0 = 62_167_219_200_000_000
"""Microseconds from the year 0 to 1970: with them added, no instant is below zero."""
_STORED = {
    FieldType.STRING: ("text",),
    FieldType.INTEGER: ("integer",),
    FieldType.DECIMAL: ("text",),
    FieldType.FLOAT: ("real", "integer"),
    FieldType.BOOLEAN: ("integer",),
    FieldType.TIMESTAMP: ("integer",),
}
"""How SQLite stores the values of each kind."""

_HIGHER, _MORE_LOW, _CARRIED, _LEFT, _BELOW, _SIZE, _SIGNED = (
    f"meterspec_{name}" for name in ("higher", "more_low", "carried", "left", "below", "size", "signed")
)
_HIGH, _LOW, _BY, _UPPER, _REST, _LOWER, _MORE, _LAST, _WHOLE, _PART = (
    f"meterspec_{name}" for name in ("high", "low", "by", "upper", "rest", "lower", "more", "last", "whole", "part")
)
"""The steps of a division."""


class SQLite(Dialect):
    name = "sqlite"
    printer = "sqlite"
    functions = STANDARD_FUNCTIONS | frozenset(
        {
            *("CHAR", "HEX", "INSTR", "JSON_EACH", "LOWER", "LTRIM", "PRINTF", "REPLACE", "RTRIM", "TRIM"),
            *("TYPEOF", "UPPER", "ZEROBLOB"),
        }
    )
    narrow = "INTEGER"
    broad = "INTEGER"
    widest = NARROW
    types: ClassVar = {
        FieldType.STRING: "TEXT",
        FieldType.INTEGER: "INTEGER",
        FieldType.DECIMAL: "TEXT",
        FieldType.FLOAT: "REAL",
        FieldType.BOOLEAN: "INTEGER",
        FieldType.TIMESTAMP: "INTEGER",
    }
    types_in_words = (
        "Instants are whole microseconds since 1970-01-01 UTC, decimals are plain text, booleans are 0 and 1."
    )
    has_decimals = False
    replaces_views = False
    is_shallow = True
    longest_name = 1000
    table_options = "STRICT"

    def relation(self, name: tuple[str, ...]) -> tuple[str, ...]:
        # What is before a dot there is another file, which a view cannot read.
        return (".".join(name),)

    def adapted(self, query: exp.Query) -> exp.Query:
        """Tables by the one name that `relation` gives them."""
        adapted = query.copy()
        for table in adapted.find_all(exp.Table):
            if table.db:
                parts = tuple(part.name for part in table.parts)
                table.replace(b.table(self.relation(parts), table.alias or None))
        return adapted

    def lacks(self, call: Call) -> str | None:
        return "a regular expression" if call.overload == "matches_string" else None

    def materializes(self, query: exp.Query) -> bool:
        # The columns of a subquery are otherwise computed wherever they are named.
        return isinstance(query, exp.Select) and any(
            isinstance(node, exp.Alias) and not isinstance(node.this, exp.Column | exp.Literal | exp.Null)
            for node in query.selects
        )

    # Types ------------------------------------------------------------------------------------------------------

    def decimal_type(self, precision: int, scale: int) -> str:
        return "TEXT"

    def wrong_type(self, field: Field, node: exp.Expr) -> exp.Expr | None:
        kinds = [*_STORED[field.type], "null"]
        wrong = [b.not_(exp.In(this=b.call("TYPEOF", node), expressions=[b.text(kind) for kind in kinds]))]
        match field.type:
            case FieldType.STRING:
                wrong.append(b.binary(exp.GT, b.call("INSTR", node.copy(), b.call("CHAR", b.number(0))), b.number(0)))
            case FieldType.BOOLEAN:
                wrong.append(b.not_(exp.In(this=node.copy(), expressions=[b.number(0), b.number(1)])))
            case FieldType.TIMESTAMP:
                wrong.append(b.binary(exp.LT, node.copy(), b.number(_FIRST_INSTANT)))
                wrong.append(b.binary(exp.GT, node.copy(), b.number(_LAST_INSTANT)))
        return b.any_of(wrong)

    def reads_decimal(
        self, node: exp.Expr, precision: int, scale: int
    ) -> tuple[exp.Expr, exp.Expr, exp.Expr, exp.Expr]:
        nul = b.call("INSTR", node.copy(), b.call("CHAR", b.number(0)))
        plain = b.all_of(
            [
                b.any_of([_glob(node, "[0-9]*"), _glob(node, "-[0-9]*")]),
                _glob(node, "*[0-9]"),
                b.not_(_glob(node, "*.*.*")),
                b.not_(_glob(b.call("SUBSTR", node.copy(), b.number(2)), "*[^0-9.]*")),
                b.binary(exp.EQ, nul, b.number(0)),
            ]
        )
        before, after = _at_point(node)
        digits = b.call("LENGTH", b.call("LTRIM", before, b.text("-0")))
        decimals = b.call("LENGTH", b.call("RTRIM", after, b.text("0")))
        beyond = b.binary(exp.GT, digits, b.number(precision - scale))
        return _whole(node, scale), b.not_(plain), beyond, b.binary(exp.GT, decimals, b.number(scale))

    # Whole numbers ----------------------------------------------------------------------------------------------

    def integer(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude > NARROW:
            raise TooLargeError("whole numbers of more than 64 bits")
        return node

    def wide(self, node: exp.Expr) -> exp.Expr:
        return node

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr, magnitude: int) -> exp.Expr:
        # Of two integers `/` truncates; `typed` has it printed as it is.
        return exp.Div(this=b.wrapped(dividend), expression=b.wrapped(divisor), typed=True)

    def total(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        if magnitude <= NARROW:
            return exp.Sum(this=node)
        return _limbs(self._div(node, b.number(_LIMB)), self._mod(node, b.number(_LIMB)), magnitude)

    def merged(self, node: exp.Expr, magnitude: int) -> exp.Expr:
        return exp.Sum(this=node) if magnitude <= NARROW else _limbs(*_limbs_of(node), magnitude)

    def _div(self, one: exp.Expr, two: exp.Expr) -> exp.Expr:
        return self.quotient(one.copy(), two.copy(), NARROW)

    def _mod(self, one: exp.Expr, two: exp.Expr) -> exp.Expr:
        return self.remainder(one.copy(), two.copy(), NARROW)

    # Numbers of events ------------------------------------------------------------------------------------------

    def decimal(self, whole: exp.Expr, scale: int, precision: int = 38) -> exp.Expr:
        if scale == 0:
            return b.cast(whole, "TEXT")
        size, step = b.call("ABS", whole), b.number(10**scale)
        parts = self.quotient(size, step, NARROW), self.remainder(size.copy(), step.copy(), NARROW)
        return _signed(
            b.binary(exp.LT, whole.copy(), b.number(0)),
            b.not_null(whole.copy()),
            b.call("PRINTF", b.text(f"%d.%0{scale}d"), *parts),
        )

    def unscaled(self, node: exp.Expr, precision: int, scale: int) -> exp.Expr:
        # A family's own field may have fewer digits after the point than the variable of several families.
        return self.integer(_whole(node, scale), 10**precision - 1)

    def rounded(self, division: Division, precision: int, rounding: Rounding) -> exp.Expr:
        factor, divisor, padding = division.factor, division.divisor, 0
        if divisor == 1 and division.by is None:
            # What is exact needs no more digits than it has: the others are zeros.
            while padding < precision and factor % 10 == 0:
                factor, padding = factor // 10, padding + 1
            if division.most <= NARROW and division.most * factor <= NARROW:
                exact = self.decimal(b.multiply_by(division.total, factor), precision - padding)
                return _padded(exact, padding, point=padding == precision)
        scale = precision - padding
        if division.most_by * divisor * max(_LIMB, 2 * factor) > NARROW:
            raise TooLargeError("a total that is divided by more than nine digits")
        if (division.most * factor // divisor + 1) // _LIMB > NARROW or _LIMB * factor > NARROW // 2:
            raise TooLargeError("a quantity of more than 27 digits")
        by = b.number(divisor) if division.by is None else b.multiply_by(division.by, divisor)
        # Long division with the limbs of the total as its digits; each step is a subquery, so that it is written once.
        steps = self._magnitude(division, by)
        high, low, by, rest, lower, more = map(b.column, (_HIGH, _LOW, _BY, _REST, _LOWER, _MORE))
        left = b.add(b.multiply(self._mod(high, by), b.number(_LIMB)), low)
        steps = _then(steps, (self._div(high, by), _UPPER), (left, _REST))
        multiplied = b.multiply_by(self._mod(rest, by), factor)
        steps = _then(steps, (b.multiply_by(self._div(rest, by), factor), _LOWER), (multiplied, _MORE))
        quotient = b.add(lower, self._div(more, by))
        rounded = self._away(quotient, self._mod(more, by), by, rounding)
        steps = _then(steps, (rounded, _LAST))
        upper = b.add(b.multiply_by(b.column(_UPPER), factor), self._div(b.column(_LAST), b.number(_LIMB)))
        steps = _then(steps, (upper, _WHOLE), (self._mod(b.column(_LAST), b.number(_LIMB)), _PART))
        whole, part, zero = b.column(_WHOLE), b.column(_PART), b.number(0)
        known = b.binary(exp.GTE, part, zero)
        minus = None
        if division.may_be_negative:
            some = b.any_of([b.binary(exp.GT, whole, zero), b.binary(exp.GT, part.copy(), zero)])
            minus = b.all_of([b.column(_BELOW), some])
        text = _padded(_signed(minus, known, self._shown(whole.copy(), part.copy(), scale)), padding, point=scale == 0)
        return exp.Subquery(this=exp.select(text).from_(steps.subquery(b.identifier("meterspec_step"))))

    def _magnitude(self, division: Division, by: exp.Expr) -> exp.Select:
        """The first steps of a division: a total without its sign as two limbs, and whether it is below zero."""
        total, zero, limb = division.total, b.number(0), b.number(_LIMB)
        if division.most <= NARROW:
            size = b.call("ABS", total) if division.may_be_negative else total
            below = b.binary(exp.LT, total.copy(), zero)
            limbs = (b.named(self._div(size, limb), _HIGH), b.named(self._mod(size, limb), _LOW))
            return exp.select(*limbs, b.named(by, _BY), b.named(below, _BELOW))
        # The limbs of a sum have the signs of their own sums, and more than their digits.
        high, low = _limbs_of(total)
        steps = exp.select(b.named(high, _HIGHER), b.named(low, _MORE_LOW), b.named(by, _BY))
        high, low = b.column(_HIGHER), b.column(_MORE_LOW)
        steps = _then(steps, (b.add(high, self._div(low, limb)), _CARRIED), (self._mod(low, limb), _LEFT))
        high, low = b.column(_CARRIED), b.column(_LEFT)
        zero_below = b.all_of([b.binary(exp.EQ, high.copy(), zero), b.binary(exp.LT, low, zero)])
        steps = _then(steps, (b.any_of([b.binary(exp.LT, high, zero), zero_below]), _BELOW))
        signed = b.case([(b.column(_BELOW), b.negate(low.copy()))], low.copy())
        steps = _then(steps, (b.call("ABS", high.copy()), _SIZE), (signed, _SIGNED))
        size, signed = b.column(_SIZE), b.column(_SIGNED)
        borrows = b.binary(exp.LT, signed, zero)
        high = b.case([(borrows, b.binary(exp.Sub, size, b.number(1)))], size.copy())
        low = b.case([(borrows.copy(), b.add(signed.copy(), limb))], signed.copy())
        return _then(steps, (high, _HIGH), (low, _LOW))

    def _away(self, quotient: exp.Expr, rest: exp.Expr, by: exp.Expr, rounding: Rounding) -> exp.Expr:
        """A quotient rounded by the rest that it left."""
        twice = b.multiply(b.number(2), rest)
        match rounding:
            case Rounding.DOWN:
                return quotient
            case Rounding.UP:
                away = b.binary(exp.GT, rest, b.number(0))
            case Rounding.HALF_UP:
                away = b.binary(exp.GTE, twice, by.copy())
            case Rounding.HALF_EVEN:
                odd = b.binary(exp.EQ, self._mod(quotient, b.number(2)), b.number(1))
                tie = b.all_of([b.binary(exp.EQ, twice, by.copy()), odd])
                away = b.any_of([b.binary(exp.GT, twice.copy(), by.copy()), tie])
        return b.add(quotient, b.case([(away, b.number(1))], b.number(0)))

    def _shown(self, whole: exp.Expr, part: exp.Expr, scale: int) -> exp.Expr:
        """`(whole * 10^9 + part) / 10^scale` as a text."""

        def form(text: str, *numbers: exp.Expr) -> exp.Expr:
            return b.call("PRINTF", b.text(text), *numbers)

        if scale >= 9:
            step = b.number(10 ** (scale - 9))
            if scale == 9:
                return form("%d.%09d", whole, part)
            return form(f"%d.%0{scale - 9}d%09d", self._div(whole, step), self._mod(whole, step), part)
        step = b.number(10**scale)
        numbers = [self._div(part, step), self._mod(part, step)] if scale else [part]
        ending = f".%0{scale}d" if scale else ""
        longer = form(f"%d%0{9 - scale}d{ending}", whole, *numbers)
        return b.case([(b.binary(exp.GT, whole.copy(), b.number(0)), longer)], form(f"%d{ending}", *numbers))

    def reads_double(self, node: exp.Expr, scale: int) -> tuple[exp.Expr, exp.Expr]:
        # FLOOR is not part of every SQLite; CAST cuts decimals off.
        product = b.multiply(node, self.double(f"1e{scale}"))
        moved = b.add(product, self.double("0.5"))
        cut = b.cast(moved, self.narrow)
        above = b.case([(b.binary(exp.GT, cut, moved.copy()), b.number(1))], b.number(0))
        size, limit = b.call("ABS", product.copy()), self.double(f"{2**53}")
        value = b.case([(b.binary(exp.LT, size, limit), b.binary(exp.Sub, cut.copy(), above))])
        return value, b.binary(exp.GTE, size.copy(), limit.copy())

    def double(self, text: str) -> exp.Expr:
        return exp.Literal.number(text if "." in text or "e" in text else f"{text}.0")

    def is_number(self, node: exp.Expr) -> exp.Expr:
        # A literal beyond the doubles is infinite. NaN is stored as null.
        return b.binary(exp.LT, b.call("ABS", node), self.double("9e999"))

    # Instants ---------------------------------------------------------------------------------------------------

    def micros(self, node: exp.Expr) -> exp.Expr:
        return node

    def instant(self, micros: exp.Expr) -> exp.Expr:
        return micros

    # Aggregates -------------------------------------------------------------------------------------------------

    def last(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._value_of(exp.Max(this=_key(value, keys)))

    def first(self, value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
        return self._value_of(exp.Min(this=_key(value, keys)))

    def _value_of(self, key: exp.Expr) -> exp.Expr:
        """The value at the end of a key."""
        start = b.add(b.call("INSTR", key, b.text("=")), b.number(1))
        return b.cast(b.call("SUBSTR", key.copy(), start), self.narrow)

    def repeated(self, rows: exp.Select, low: exp.Expr, high: exp.Expr, name: str) -> exp.Select:
        # GENERATE_SERIES is an extension. `[0,0,0]` has a row for each item, and their places as keys.
        more = b.binary(exp.Sub, high, low)
        zeros = b.call("REPLACE", b.call("HEX", b.call("ZEROBLOB", more)), b.text("00"), b.text(",0"))
        items = b.binary(exp.DPipe, b.binary(exp.DPipe, b.text("[0"), zeros), b.text("]"))
        numbers = exp.Table(
            this=b.call("JSON_EACH", items), alias=exp.TableAlias(this=b.identifier("meterspec_numbers"))
        )
        source = rows.args["from_"].this.alias_or_name
        own = [node.copy() for node in rows.selects]
        for at, node in enumerate(own):
            # What JSON_EACH gives has columns of its own, `id` among them.
            if isinstance(node, exp.Star):
                own[at] = exp.Column(this=node, table=b.identifier(source))
            for column in node.find_all(exp.Column):
                column.set("table", b.identifier(source))
        number = b.named(b.add(low.copy(), b.column("key", "meterspec_numbers")), name)
        return rows.select(*own, number, append=False, copy=False).join(numbers, join_type="cross", copy=False)

    # Values -----------------------------------------------------------------------------------------------------

    def least(self, nodes: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("MIN", *nodes) if len(nodes) > 1 else nodes[0]

    def greatest(self, nodes: Sequence[exp.Expr]) -> exp.Expr:
        return b.call("MAX", *nodes) if len(nodes) > 1 else nodes[0]

    # Texts ------------------------------------------------------------------------------------------------------

    def contains(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        return b.binary(exp.GT, b.call("INSTR", node, part), b.number(0))

    def starts_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        start = b.call("SUBSTR", node, b.number(1), b.call("LENGTH", part))
        return b.binary(exp.EQ, start, part.copy())

    def ends_with(self, node: exp.Expr, part: exp.Expr) -> exp.Expr:
        # Where the part is longer, what is compared with it is not longer than the text.
        more = b.binary(exp.Sub, b.call("LENGTH", node), b.call("LENGTH", part))
        ending = b.call("SUBSTR", node.copy(), b.add(more, b.number(1)))
        return b.binary(exp.EQ, ending, part.copy())

    def matches(self, node: exp.Expr, pattern: str) -> exp.Expr:
        raise NotImplementedError("`lacks` refuses it")

    def translate(self, node: exp.Expr, old: str, new: str) -> exp.Expr:
        # Both know the case of ASCII alone, unless an extension took their place; 26 calls in one another are too deep
        # for its parser.
        return b.call({_UPPER_CASE: "LOWER", _LOWER_CASE: "UPPER"}[old], node)

    def trim(self, node: exp.Expr, characters: str) -> exp.Expr:
        return b.call("TRIM", node, b.text(characters))

    def sha256(self, node: exp.Expr) -> exp.Expr:
        raise NotImplementedError("SQLite has no hash function, and no usage export is written for it")


def _then(steps: exp.Select, *columns: tuple[exp.Expr, str]) -> exp.Select:
    """A further step of a calculation: columns computed from those of the steps before."""
    named = (b.named(node, name) for node, name in columns)
    return exp.select(exp.Star(), *named).from_(steps.subquery(b.identifier("meterspec_step")))


def _signed(negative: exp.Expr | None, known: exp.Expr, size: exp.Expr) -> exp.Expr:
    """A text with a minus where a condition holds; null where nothing is known, which PRINTF has no word for."""
    branches = [(negative, b.text("-"))] if negative is not None else []
    return b.binary(exp.DPipe, b.case([*branches, (known, b.text(""))]), size)


def _padded(text: exp.Expr, zeros: int, *, point: bool) -> exp.Expr:
    """A decimal with so many zeros more, after the point that it may still need."""
    return b.binary(exp.DPipe, text, b.text(("." if point else "") + "0" * zeros)) if zeros else text


def _glob(node: exp.Expr, pattern: str) -> exp.Expr:
    return exp.Glob(this=node.copy(), expression=b.text(pattern))


def _at_point(decimal: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """What the text of a decimal has before its point, if there is one, and after it."""
    point = b.call("INSTR", b.binary(exp.DPipe, decimal.copy(), b.text(".")), b.text("."))
    before = b.call("SUBSTR", decimal.copy(), b.number(1), b.binary(exp.Sub, point, b.number(1)))
    return before, b.call("SUBSTR", decimal.copy(), b.add(point.copy(), b.number(1)))


def _whole(decimal: exp.Expr, scale: int) -> exp.Expr:
    """The text of a decimal times 10^scale; it has no more digits after its point, zeros not counted."""
    before, after = _at_point(decimal)
    if scale == 0:
        return b.cast(before, "INTEGER")
    padded = b.call("SUBSTR", b.binary(exp.DPipe, after, b.text("0" * scale)), b.number(1), b.number(scale))
    return b.cast(b.binary(exp.DPipe, before, padded), "INTEGER")


def _limbs(high: exp.Expr, low: exp.Expr, magnitude: int) -> exp.Expr:
    """The sum of `high * 10^9 + low` as a text, `high:low`; null where there is nothing to add up."""
    if magnitude // _LIMB > NARROW:
        raise TooLargeError("a total of more than 27 digits")
    joined = b.binary(exp.DPipe, exp.Sum(this=high), b.text(":"))
    return b.binary(exp.DPipe, joined, exp.Sum(this=low))


def _limbs_of(total: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Both sums out of such a text; CAST reads what comes before the colon."""
    start = b.add(b.call("INSTR", total.copy(), b.text(":")), b.number(1))
    return b.cast(total.copy(), "INTEGER"), b.cast(b.call("SUBSTR", total.copy(), start), "INTEGER")


def _key(value: exp.Expr, keys: Sequence[exp.Expr]) -> exp.Expr:
    """The keys of a row, its time, its id and what else, as one text of the same order, and the value; null without it.

    In hexadecimal, what follows an id is not taken for more of it: a space comes before every digit.
    """
    time, event_id, *others = keys
    moment = b.add(time.copy(), b.number(_SINCE_YEAR_0))
    text = b.call("PRINTF", b.text("%019d"), moment)
    text = b.binary(exp.DPipe, text, b.call("HEX", event_id.copy()))
    for other in others:
        text = b.binary(exp.DPipe, text, b.call("PRINTF", b.text(" %06d"), other.copy()))
    return b.binary(exp.DPipe, b.binary(exp.DPipe, text, b.text(" =")), value.copy())
