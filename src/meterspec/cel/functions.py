"""The operators and functions of the profile: one row an overload, with its signature, a sentence and examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from meterspec.cel.types import Type

__all__ = [
    "FUNCTIONS",
    "LIST_OF",
    "OVERLOADS",
    "RESOLVE",
    "SCALARS",
    "WHITESPACE",
    "Overload",
    "Style",
    "overloads_of",
    "signature",
]

BOOL, INT, DECIMAL, STRING = Type.BOOL, Type.INT, Type.DECIMAL, Type.STRING
TIMESTAMP, DURATION = Type.TIMESTAMP, Type.DURATION
SCALARS = (BOOL, INT, DECIMAL, STRING, TIMESTAMP, DURATION)
LIST_OF = {
    BOOL: Type.LIST_BOOL,
    INT: Type.LIST_INT,
    DECIMAL: Type.LIST_DECIMAL,
    STRING: Type.LIST_STRING,
    TIMESTAMP: Type.LIST_TIMESTAMP,
    DURATION: Type.LIST_DURATION,
    Type.NULL: Type.LIST_NULL,
}
A, LIST_A = "A", "list(A)"
"""Any scalar type, the same one wherever it stands in a signature."""
WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What `trim` takes off: the characters with the Unicode property White_Space."""


class Style(StrEnum):
    """How an overload is written."""

    OPERATOR = "operator"
    FUNCTION = "function"
    METHOD = "method"
    EITHER = "either"
    """As a function, or as a method of its first argument."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One meaning of an operator or function: backends dispatch on `id`."""

    id: str
    function: str
    """As it is written: `+`, `size`, `math.least`."""
    params: tuple[Type | str, ...]
    """`A` stands for any scalar type, the same one throughout."""
    result: Type | str
    doc: str
    examples: tuple[str, ...]
    """Expressions and what they give: `size('eu') // 2`."""
    style: Style = Style.FUNCTION
    variadic: bool = False
    """Takes any further arguments of the type of the last."""


def operator(
    id: str, function: str, params: tuple[Type | str, ...], result: Type | str, doc: str, *examples: str
) -> Overload:  # noqa: A002, E501 - reads as a row
    return Overload(id, function, params, result, doc, examples, Style.OPERATOR)


def method(id: str, function: str, params: tuple[Type, ...], result: Type, doc: str, *examples: str) -> Overload:  # noqa: A002
    return Overload(id, function, params, result, doc, examples, Style.METHOD)


def orderings() -> Iterator[Overload]:
    """`<`, `<=`, `>` and `>=` of every scalar type."""
    words = {
        "<": ("less", "less than"),
        "<=": ("less_equals", "at most"),
        ">": ("greater", "greater than"),
        ">=": ("greater_equals", "at least"),
    }
    kinds: tuple[tuple[str, Type, str, str, str], ...] = (
        ("int64", INT, "as numbers", "1", "2"),
        ("decimal", DECIMAL, "as exact numbers; an int widens", "1.5", "2"),
        ("string", STRING, "by code point", "'B'", "'b'"),
        ("bool", BOOL, "false before true", "false", "true"),
        (
            "timestamp",
            TIMESTAMP,
            "as instants",
            "timestamp('2026-01-01T00:00:00Z')",
            "timestamp('2026-01-01T00:00:01Z')",
        ),
        ("duration", DURATION, "as lengths of time", "duration('59m')", "duration('1h')"),
    )
    for symbol, (name, words_) in words.items():
        for suffix, kind, how, low, high in kinds:
            holds = "true" if "<" in symbol else "false"
            yield operator(
                f"{name}_{suffix}",
                symbol,
                (kind, kind),
                BOOL,
                f"Whether the left is {words_} the right, {how}.",
                f"{low} {symbol} {high} // {holds}",
            )


GETTERS = (
    ("getFullYear", "year", "The year.", "2026", "2026"),
    ("getMonth", "month", "The month, January is 0.", "1", "1"),
    ("getDate", "day_of_month_1_based", "The day of the month, the first is 1.", "28", "27"),
    ("getDayOfMonth", "day_of_month", "The day of the month, the first is 0.", "27", "26"),
    ("getDayOfWeek", "day_of_week", "The day of the week, Sunday is 0.", "6", "5"),
    ("getDayOfYear", "day_of_year", "The day of the year, the first is 0.", "58", "57"),
    ("getHours", "hours", "The hour, 0 to 23.", "3", "22"),
    ("getMinutes", "minutes", "The minute of the hour, 0 to 59.", "4", "4"),
    ("getSeconds", "seconds", "The second of the minute, 0 to 59.", "5", "5"),
    ("getMilliseconds", "milliseconds", "The millisecond of the second, 0 to 999.", "678", "678"),
)


def getters() -> Iterator[Overload]:
    """The parts of an instant and of a length of time."""
    instant = "timestamp('2026-02-28T03:04:05.678Z')"
    for function, part, doc, utc, offset in GETTERS:
        yield method(
            f"timestamp_to_{part}",
            function,
            (TIMESTAMP,),
            INT,
            f"{doc[:-1]}, in UTC.",
            f"{instant}.{function}() // {utc}",
        )
        yield method(
            f"timestamp_to_{part}_with_tz",
            function,
            (TIMESTAMP, STRING),
            INT,
            f"{doc[:-1]}, in a constant zone: an IANA name or an offset.",
            f"{instant}.{function}('-05:00') // {offset}",
        )
    for function, unit, doc, example in (
        ("getHours", "hours", "The whole hours of the length, toward zero.", "1"),
        ("getMinutes", "minutes", "The whole minutes of the length, toward zero.", "90"),
        ("getSeconds", "seconds", "The whole seconds of the length, toward zero.", "5400"),
        ("getMilliseconds", "milliseconds", "The milliseconds beyond the whole seconds, -999 to 999.", "250"),
    ):
        yield method(
            f"duration_to_{unit}", function, (DURATION,), INT, doc, f"duration('1h30m0.25s').{function}() // {example}"
        )


OVERLOADS: tuple[Overload, ...] = (
    # Arithmetic.
    operator("add_int64", "+", (INT, INT), INT, "The sum.", "1 + 2 // 3"),
    operator("add_decimal", "+", (DECIMAL, DECIMAL), DECIMAL, "The exact sum; an int widens.", "0.1 + 0.2 // 0.3", "1 + 0.5 // 1.5"),
    operator("subtract_int64", "-", (INT, INT), INT, "The difference.", "1 - 2 // -1"),
    operator("subtract_decimal", "-", (DECIMAL, DECIMAL), DECIMAL, "The exact difference.", "0.3 - 0.1 // 0.2"),
    operator("multiply_int64", "*", (INT, INT), INT, "The product.", "24 * 3600 // 86400"),
    operator("multiply_decimal", "*", (DECIMAL, DECIMAL), DECIMAL, "The exact product.", "3 * 0.1 // 0.3"),
    operator(
        "divide_int64", "/", (INT, INT), INT, "The quotient, cut toward zero; draws a warning.", "7 / 2 // 3", "-7 / 2 // -3"
    ),
    operator(
        "divide_decimal",
        "/",
        (DECIMAL, DECIMAL),
        DECIMAL,
        "The quotient: exact by a constant, else at 18 decimals, half up.",
        "5400000 / 3600000.0 // 1.5",
    ),
    operator(
        "modulo_int64", "%", (INT, INT), INT, "The remainder, with the sign of the left.", "7 % 2 // 1", "-7 % 2 // -1"
    ),
    operator("negate_int64", "-", (INT,), INT, "The number below zero.", "-(1 + 2) // -3"),
    operator("negate_decimal", "-", (DECIMAL,), DECIMAL, "The number below zero.", "-(1.5 + 1) // -2.5"),
    operator("add_string", "+", (STRING, STRING), STRING, "Both texts, one after the other.", "'eu' + '-1' // 'eu-1'"),
    operator(
        "add_timestamp_duration",
        "+",
        (TIMESTAMP, DURATION),
        TIMESTAMP,
        "The instant so much later.",
        "timestamp('2026-01-01T00:00:00Z') + duration('90m') // timestamp('2026-01-01T01:30:00Z')",
    ),
    operator(
        "add_duration_timestamp",
        "+",
        (DURATION, TIMESTAMP),
        TIMESTAMP,
        "The instant so much later.",
        "duration('90m') + timestamp('2026-01-01T00:00:00Z') // timestamp('2026-01-01T01:30:00Z')",
    ),
    operator(
        "add_duration_duration",
        "+",
        (DURATION, DURATION),
        DURATION,
        "Both lengths together.",
        "duration('1h') + duration('30m') // duration('90m')",
    ),
    operator(
        "subtract_timestamp_timestamp",
        "-",
        (TIMESTAMP, TIMESTAMP),
        DURATION,
        "The time from the right instant to the left.",
        "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') // duration('24h')",
    ),
    operator(
        "subtract_timestamp_duration",
        "-",
        (TIMESTAMP, DURATION),
        TIMESTAMP,
        "The instant so much earlier.",
        "timestamp('2026-01-01T00:00:00Z') - duration('1s') // timestamp('2025-12-31T23:59:59Z')",
    ),
    operator(
        "subtract_duration_duration",
        "-",
        (DURATION, DURATION),
        DURATION,
        "The difference of two lengths.",
        "duration('1h') - duration('90m') // duration('-30m')",
    ),
    # Comparison and logic.
    *orderings(),
    operator(
        "equals",
        "==",
        (A, A),
        BOOL,
        "Whether both are the same; a missing value equals only a missing value.",
        "1 == 1.0 // true",
        "'a' == 'A' // false",
    ),
    operator("not_equals", "!=", (A, A), BOOL, "The opposite of `==`.", "'a' != 'A' // true"),
    operator(
        "in_list",
        "in",
        (A, LIST_A),
        BOOL,
        "Whether the left equals one of a list.",
        "2 in [1, 2.0] // true",
        "'a' in [] // false",
    ),
    operator("logical_and", "&&", (BOOL, BOOL), BOOL, "Whether both hold.", "true && false // false"),
    operator("logical_or", "||", (BOOL, BOOL), BOOL, "Whether at least one holds.", "true || false // true"),
    operator("logical_not", "!", (BOOL,), BOOL, "The opposite.", "!false // true"),
    operator("conditional", "?:", (BOOL, A, A), A, "The second where the first holds, else the third.", "1 < 2 ? 'a' : 'b' // 'a'"),
    Overload("has", "has", (A,), BOOL, "Whether the event has the field.", ()),
    # Text.
    Overload("size_string", "size", (STRING,), INT, "The number of code points.", ("size('eu') // 2", "'é😀'.size() // 2"), Style.EITHER),
    method("starts_with_string", "startsWith", (STRING, STRING), BOOL, "Whether a text begins with another.", "'eu-1'.startsWith('eu') // true"),
    method("ends_with_string", "endsWith", (STRING, STRING), BOOL, "Whether a text ends with another.", "'eu-1'.endsWith('-1') // true"),
    method("contains_string", "contains", (STRING, STRING), BOOL, "Whether a text has another in it.", "'eu-1'.contains('u-') // true"),
    Overload(
        "matches_string",
        "matches",
        (STRING, STRING),
        BOOL,
        "Whether a constant pattern is found anywhere in a text.",
        ("'gpt-4o'.matches('^gpt-[0-9]+') // true", "'abc'.matches('b') // true"),
        Style.EITHER,
    ),
    method("lower_ascii", "lowerAscii", (STRING,), STRING, "The text with A to Z in lower case.", "'ÄBC'.lowerAscii() // 'Äbc'"),
    method("upper_ascii", "upperAscii", (STRING,), STRING, "The text with a to z in upper case.", "'äbc'.upperAscii() // 'äBC'"),
    method("trim", "trim", (STRING,), STRING, "The text without white space at either end.", "' eu\\n'.trim() // 'eu'"),
    # Conversions.
    Overload("int64_to_decimal", "double", (INT,), DECIMAL, "The same number as a decimal.", ("double(7) / 2 // 3.5",)),
    Overload("decimal_to_int64", "int", (DECIMAL,), INT, "The whole part: cut toward zero.", ("int(1.9) // 1", "int(-1.9) // -1")),
    Overload("int64_to_string", "string", (INT,), STRING, "Its decimal digits.", ("string(-12) // '-12'",)),
    Overload("bool_to_string", "string", (BOOL,), STRING, "`true` or `false`.", ("string(1 < 2) // 'true'",)),
    # Time.
    *getters(),
    # Mathematics.
    Overload("math_least_int64", "math.least", (INT, INT), INT, "The least of two or more.", ("math.least(3, 1, 2) // 1",), variadic=True),
    Overload("math_least_decimal", "math.least", (DECIMAL, DECIMAL), DECIMAL, "The least of two or more.", ("math.least(1, 0.5) // 0.5",), variadic=True),
    Overload("math_greatest_int64", "math.greatest", (INT, INT), INT, "The greatest of two or more.", ("math.greatest(3, 1, 2) // 3",), variadic=True),
    Overload("math_greatest_decimal", "math.greatest", (DECIMAL, DECIMAL), DECIMAL, "The greatest of two or more.", ("math.greatest(1, 0.5) // 1.0",), variadic=True),
    Overload("math_abs_int64", "math.abs", (INT,), INT, "The number without its sign.", ("math.abs(-3) // 3",)),
    Overload("math_abs_decimal", "math.abs", (DECIMAL,), DECIMAL, "The number without its sign.", ("math.abs(-1.5) // 1.5",)),
    Overload("math_ceil_decimal", "math.ceil", (DECIMAL,), DECIMAL, "The least whole number that is not below it.", ("math.ceil(1.2) // 2.0", "math.ceil(-1.2) // -1.0")),
    Overload("math_floor_decimal", "math.floor", (DECIMAL,), DECIMAL, "The greatest whole number that is not above it.", ("math.floor(1.8) // 1.0", "math.floor(-1.2) // -2.0")),
    Overload("math_round_decimal", "math.round", (DECIMAL,), DECIMAL, "The nearest whole number; halves go away from zero.", ("math.round(2.5) // 3.0", "math.round(-2.5) // -3.0")),
)  # fmt: skip

FUNCTIONS: dict[str, tuple[Overload, ...]] = {}
"""The overloads of every operator and function, by the name it is written with."""
for _overload in OVERLOADS:
    FUNCTIONS[_overload.function] = (*FUNCTIONS.get(_overload.function, ()), _overload)

RESOLVE: dict[tuple[str, *tuple[Type, ...]], tuple[Overload, bool]] = {}
"""Function and argument types to the overload, and whether an int among the arguments widens to decimal."""


def overloads_of(function: str) -> tuple[Overload, ...]:
    """The overloads of an operator or function; empty where there is none."""
    return FUNCTIONS.get(function, ())


def signature(overload: Overload) -> str:
    """For people: `size(string) -> int`, `string.startsWith(string) -> bool`, `int + int -> int`."""
    names = [str(param) for param in overload.params]
    result = f" -> {overload.result}"
    if overload.style is Style.OPERATOR:
        if overload.function == "?:":
            return f"{names[0]} ? {names[1]} : {names[2]}{result}"
        if len(names) == 1:
            return f"{overload.function}{names[0]}{result}"
        return f"{names[0]} {overload.function} {names[1]}{result}"
    if overload.style is Style.METHOD:
        return f"{names[0]}.{overload.function}({', '.join(names[1:])}){result}"
    return f"{overload.function}({', '.join(names)}{', ...' if overload.variadic else ''}){result}"


def _index() -> None:
    """Fills RESOLVE: exact signatures first, then those an int reaches by widening."""
    for overload in OVERLOADS:
        generic = A in overload.params
        for scalar in SCALARS if generic else (None,):
            types = tuple(
                scalar if p == A and scalar else LIST_OF[scalar] if p == LIST_A and scalar else Type(p)
                for p in overload.params
            )
            RESOLVE[(overload.function, *types)] = overload, False
    for (function, *types), (overload, _) in list(RESOLVE.items()):
        wide = [i for i, kind in enumerate(types) if kind is DECIMAL]
        for chosen in range(1, 2 ** len(wide)):
            narrow = list(types)
            for bit, i in enumerate(wide):
                if chosen >> bit & 1:
                    narrow[i] = INT
            RESOLVE.setdefault((function, *narrow), (overload, True))


_index()
