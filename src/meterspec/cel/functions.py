"""The operators and functions of the profile: one row an overload, with its signature, a sentence and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from meterspec.cel.types import Type
from meterspec.records import record

__all__ = ["FUNCTIONS", "GETTERS", "LIST_OF", "OVERLOADS", "RESOLVE", "SCALARS", "WHITESPACE", "Overload", "Style"]

SCALARS = (Type.BOOL, Type.INT, Type.DECIMAL, Type.STRING, Type.TIMESTAMP, Type.DURATION)
LIST_OF = {scalar: Type(f"list({scalar})") for scalar in (*SCALARS, Type.NULL)}
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


@record(frozen=True, slots=True)
class Overload:
    """One meaning of an operator or function: backends dispatch on `id`."""

    id: str
    signature: str
    """As it is written: `int + int -> int`, `string.startsWith(string) -> bool`. `A` stands for any scalar type, the
    same one throughout; `...` for more arguments of the last type."""
    doc: str
    examples: tuple[str, ...]
    """Expressions and what they give: `size('eu') // 2`."""
    function: str
    """The operator or name alone: `+`, `startsWith`, `math.least`."""
    params: tuple[Type | str, ...]
    result: Type | str
    style: Style
    variadic: bool


SIGNATURE = re.compile(
    r"(?:(?P<target>bool|int|decimal|string|timestamp|duration)\.)?(?P<name>[\w.]+)\((?P<args>.*)\)"
    r"|(?P<left>\S+) (?P<infix>\S+) (?P<right>\S+)"
    r"|(?P<condition>\S+) \? (?P<then>\S+) : (?P<otherwise>\S+)"
    r"|(?P<prefix>\W)(?P<operand>\w+)"
)


def row(id: str, signature: str, doc: str, *examples: str) -> Overload:
    """An overload as the table writes it."""
    form, _, result = signature.rpartition(" -> ")
    match = SIGNATURE.fullmatch(form)
    assert match is not None, signature
    style, variadic = Style.OPERATOR, False
    if match["name"]:
        function = match["name"]
        params = [word for word in (match["target"], *match["args"].split(", ")) if word]
        style = Style.METHOD if match["target"] else Style.EITHER if function in ("size", "matches") else Style.FUNCTION
        variadic = params[-1] == "..."
        params = params[: len(params) - variadic]
    elif match["infix"]:
        function, params = match["infix"], [match["left"], match["right"]]
    elif match["prefix"]:
        function, params = match["prefix"], [match["operand"]]
    else:
        function, params = "?:", [match["condition"], match["then"], match["otherwise"]]
    types = tuple(word if word in (A, LIST_A) else Type(word) for word in params)
    return Overload(
        id, signature, doc, examples, function, types, result if result == A else Type(result), style, variadic
    )


def orderings() -> Iterator[Overload]:
    """`<`, `<=`, `>` and `>=` of every scalar type."""
    relations = (
        ("<", "less", "less than"),
        ("<=", "less_equals", "at most"),
        (">", "greater", "greater than"),
        (">=", "greater_equals", "at least"),
    )
    kinds = (
        ("int", "int64", "as numbers", "1", "2"),
        ("decimal", "decimal", "as exact numbers; an int widens", "1.5", "2"),
        ("string", "string", "by code point", "'B'", "'b'"),
        ("bool", "bool", "false before true", "false", "true"),
        (
            "timestamp",
            "timestamp",
            "as instants",
            "timestamp('2026-01-01T00:00:00Z')",
            "timestamp('2026-01-01T01:00:01+01:00')",
        ),
        ("duration", "duration", "as lengths of time", "duration('59m')", "duration('1h')"),
    )
    for symbol, name, words in relations:
        for kind, suffix, how, low, high in kinds:
            example = f"{low} {symbol} {high} // {'true' if '<' in symbol else 'false'}"
            doc = f"Whether the left is {words} the right, {how}."
            yield row(f"{name}_{suffix}", f"{kind} {symbol} {kind} -> bool", doc, example)


GETTERS = (
    ("getFullYear", "year", "The year", "2026", "2026"),
    ("getMonth", "month", "The month, where January is 0", "1", "1"),
    ("getDate", "day_of_month_1_based", "The day of the month, where the first is 1", "28", "27"),
    ("getDayOfMonth", "day_of_month", "The day of the month, where the first is 0", "27", "26"),
    ("getDayOfWeek", "day_of_week", "The day of the week, where Sunday is 0", "6", "5"),
    ("getDayOfYear", "day_of_year", "The day of the year, where the first is 0", "58", "57"),
    ("getHours", "hours", "The hour, 0 to 23", "3", "22"),
    ("getMinutes", "minutes", "The minute of the hour, 0 to 59", "4", "4"),
    ("getSeconds", "seconds", "The second of the minute, 0 to 59", "5", "5"),
    ("getMilliseconds", "milliseconds", "The millisecond of the second, 0 to 999", "678", "678"),
)
"""The parts of an instant: function, part, sentence, and what the examples give in UTC and at -05:00."""


def getters() -> Iterator[Overload]:
    """The parts of an instant, in UTC and in a zone, and those of a length of time."""
    instant = "timestamp('2026-02-28T03:04:05.678Z')"
    for function, part, doc, utc, offset in GETTERS:
        example = f"{instant}.{function}() // {utc}"
        yield row(f"timestamp_to_{part}", f"timestamp.{function}() -> int", f"{doc}; in UTC.", example)
        zoned = f"{doc}; in a constant zone, an IANA name or an offset."
        example = f"{instant}.{function}('-05:00') // {offset}"
        yield row(f"timestamp_to_{part}_with_tz", f"timestamp.{function}(string) -> int", zoned, example)
    for function, unit, doc, result in (
        ("getHours", "hours", "The whole hours of the length, cut toward zero.", "1"),
        ("getMinutes", "minutes", "The whole minutes of the length, cut toward zero.", "90"),
        ("getSeconds", "seconds", "The whole seconds of the length, cut toward zero.", "5400"),
        ("getMilliseconds", "milliseconds", "The milliseconds beyond the whole seconds, -999 to 999.", "250"),
    ):
        example = f"duration('1h30m0.25s').{function}() // {result}"
        yield row(f"duration_to_{unit}", f"duration.{function}() -> int", doc, example)


NEW_YEAR = "timestamp('2026-01-01T00:00:00Z')"
OVERLOADS: tuple[Overload, ...] = (
    # Arithmetic.
    row("add_int64", "int + int -> int", "The sum.", "1 + 2 // 3"),
    row("add_decimal", "decimal + decimal -> decimal", "The exact sum; an int widens.", "0.1 + 0.2 // 0.3"),
    row("subtract_int64", "int - int -> int", "The difference.", "1 - 2 // -1"),
    row("subtract_decimal", "decimal - decimal -> decimal", "The exact difference; an int widens.", "1 - 0.1 // 0.9"),
    row("multiply_int64", "int * int -> int", "The product.", "24 * 3600 // 86400"),
    row("multiply_decimal", "decimal * decimal -> decimal", "The exact product; an int widens.", "3 * 0.1 // 0.3"),
    row(
        "divide_int64",
        "int / int -> int",
        "The quotient, cut toward zero; draws a warning.",
        "7 / 2 // 3",
        "-7 / 2 // -3",
    ),
    row(
        "divide_decimal",
        "decimal / decimal -> decimal",
        "The quotient: exact by a constant, else at 18 decimals, halves away from zero; an int widens.",
        "5400000 / 3600000.0 // 1.5",
    ),
    row("modulo_int64", "int % int -> int", "The remainder, with the sign of the left.", "7 % 2 // 1", "-7 % 2 // -1"),
    row("negate_int64", "-int -> int", "The number with the other sign.", "-(1 + 2) // -3"),
    row("negate_decimal", "-decimal -> decimal", "The number with the other sign.", "-(1.5 + 1) // -2.5"),
    row("add_string", "string + string -> string", "One text after the other.", "'eu' + '-1' // 'eu-1'"),
    row(
        "add_timestamp_duration",
        "timestamp + duration -> timestamp",
        "The instant so much later.",
        f"{NEW_YEAR} + duration('90m') // timestamp('2026-01-01T01:30:00Z')",
    ),
    row(
        "add_duration_timestamp",
        "duration + timestamp -> timestamp",
        "The instant so much later; a tree holds `add_timestamp_duration` for it.",
        f"duration('90m') + {NEW_YEAR} // timestamp('2026-01-01T01:30:00Z')",
    ),
    row(
        "add_duration_duration",
        "duration + duration -> duration",
        "Both lengths together.",
        "duration('1h') + duration('30m') // duration('90m')",
    ),
    row(
        "subtract_timestamp_timestamp",
        "timestamp - timestamp -> duration",
        "The time from the right instant to the left.",
        f"timestamp('2026-01-02T00:00:00Z') - {NEW_YEAR} // duration('24h')",
    ),
    row(
        "subtract_timestamp_duration",
        "timestamp - duration -> timestamp",
        "The instant so much earlier.",
        f"{NEW_YEAR} - duration('1s') // timestamp('2025-12-31T23:59:59Z')",
    ),
    row(
        "subtract_duration_duration",
        "duration - duration -> duration",
        "The difference of two lengths.",
        "duration('1h') - duration('90m') // duration('-30m')",
    ),
    # Comparison and logic.
    *orderings(),
    row(
        "equals",
        "A == A -> bool",
        "Whether both are the same; a missing value equals only a missing value.",
        "1 == 1.0 // true",
        "'a' == 'A' // false",
    ),
    row("not_equals", "A != A -> bool", "The opposite of `==`.", "'a' != 'A' // true"),
    row("in_list", "A in list(A) -> bool", "Whether the left equals one of a list.", "2 in [1, 2.0] // true"),
    row("logical_and", "bool && bool -> bool", "Whether both hold.", "true && false // false"),
    row("logical_or", "bool || bool -> bool", "Whether at least one holds.", "true || false // true"),
    row("logical_not", "!bool -> bool", "The opposite.", "!false // true"),
    row(
        "conditional",
        "bool ? A : A -> A",
        "The second where the first holds, else the third.",
        "1 < 2 ? 'a' : 'b' // 'a'",
    ),
    row("has", "has(A) -> bool", "Whether the event has the field; `field != null` means the same."),
    # Text.
    row(
        "size_string",
        "size(string) -> int",
        "The number of code points.",
        "size('eu') // 2",
        "'\u00e9\U0001f600'.size() // 2",
    ),
    row(
        "starts_with_string",
        "string.startsWith(string) -> bool",
        "Whether a text begins with another.",
        "'eu-1'.startsWith('eu') // true",
    ),
    row(
        "ends_with_string",
        "string.endsWith(string) -> bool",
        "Whether a text ends with another.",
        "'eu-1'.endsWith('-1') // true",
    ),
    row(
        "contains_string",
        "string.contains(string) -> bool",
        "Whether a text has another in it.",
        "'eu-1'.contains('u-') // true",
    ),
    row(
        "matches_string",
        "matches(string, string) -> bool",
        "Whether a constant pattern is found anywhere in a text.",
        "'gpt-4o'.matches('^gpt-[0-9]+') // true",
        "'abc'.matches('^b') // false",
    ),
    row(
        "lower_ascii",
        "string.lowerAscii() -> string",
        "The text with A to Z in lower case.",
        "'ÄBC'.lowerAscii() // 'Äbc'",
    ),
    row(
        "upper_ascii",
        "string.upperAscii() -> string",
        "The text with a to z in upper case.",
        "'äbc'.upperAscii() // 'äBC'",
    ),
    row("trim", "string.trim() -> string", "The text without white space at either end.", r"' eu\n'.trim() // 'eu'"),
    # Conversions.
    row("int64_to_decimal", "double(int) -> decimal", "The same number as a decimal.", "double(7) / 2 // 3.5"),
    row(
        "decimal_to_int64",
        "int(decimal) -> int",
        "The whole part: cut toward zero.",
        "int(1.9) // 1",
        "int(-1.9) // -1",
    ),
    row("int64_to_string", "string(int) -> string", "Its decimal digits.", "string(-12) // '-12'"),
    row("bool_to_string", "string(bool) -> string", "`true` or `false`.", "string(1 < 2) // 'true'"),
    # Time.
    *getters(),
    # Mathematics.
    row("math_least_int64", "math.least(int, int, ...) -> int", "The least of all.", "math.least(3, 1, 2) // 1"),
    row(
        "math_least_decimal",
        "math.least(decimal, decimal, ...) -> decimal",
        "The least of all; an int widens.",
        "math.least(1, 0.5) // 0.5",
    ),
    row(
        "math_greatest_int64",
        "math.greatest(int, int, ...) -> int",
        "The greatest of all.",
        "math.greatest(3, 1, 2) // 3",
    ),
    row(
        "math_greatest_decimal",
        "math.greatest(decimal, decimal, ...) -> decimal",
        "The greatest of all; an int widens.",
        "math.greatest(1, 0.5) // 1.0",
    ),
    row("math_abs_int64", "math.abs(int) -> int", "The number without its sign.", "math.abs(-3) // 3"),
    row("math_abs_decimal", "math.abs(decimal) -> decimal", "The number without its sign.", "math.abs(-1.5) // 1.5"),
    row(
        "math_ceil_decimal",
        "math.ceil(decimal) -> decimal",
        "The least whole number that is not below it.",
        "math.ceil(1.2) // 2.0",
        "math.ceil(-1.2) // -1.0",
    ),
    row(
        "math_floor_decimal",
        "math.floor(decimal) -> decimal",
        "The greatest whole number that is not above it.",
        "math.floor(1.8) // 1.0",
        "math.floor(-1.2) // -2.0",
    ),
    row(
        "math_round_decimal",
        "math.round(decimal) -> decimal",
        "The nearest whole number; halves go away from zero.",
        "math.round(2.5) // 3.0",
        "math.round(-2.5) // -3.0",
    ),
)

FUNCTIONS: dict[str, tuple[Overload, ...]] = {}
"""The overloads of every operator and function, by the operator or name alone."""
for _overload in OVERLOADS:
    FUNCTIONS[_overload.function] = (*FUNCTIONS.get(_overload.function, ()), _overload)


def resolutions() -> dict[tuple[str, ...], tuple[Overload, bool]]:
    """Exact signatures first, then those that an int reaches by widening."""
    found: dict[tuple[str, ...], tuple[Overload, bool]] = {}
    for overload in OVERLOADS:
        for scalar in SCALARS if A in overload.params else SCALARS[:1]:
            types = [scalar if p == A else LIST_OF[scalar] if p == LIST_A else p for p in overload.params]
            found[(overload.function, *types)] = overload, False
    for (function, *kinds), (overload, _) in list(found.items()):
        wide = [i for i, kind in enumerate(kinds) if kind is Type.DECIMAL]
        for chosen in range(1, 2 ** len(wide)):
            narrow = list(kinds)
            for bit, i in enumerate(wide):
                if chosen >> bit & 1:
                    narrow[i] = Type.INT
            found.setdefault((function, *narrow), (overload, True))
    return found


RESOLVE = resolutions()
"""Function and argument types to the overload, and whether an int among the arguments widens to decimal."""
