"""Reads the TOML of a spec: exact values, or findings that say what is not TOML, where, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum, auto
from typing import Any

import tomli

from meterspec.diagnostics import Diagnostics, Edit, Rule
from meterspec.source import Path, Place, Source
from meterspec.spec.spans import DEEPEST, Entry, Fault, Header, Piece, Slip, locate, members, statements

__all__ = ["read"]

LARGEST_FILE = 32 * 2**20
"""In bytes; ten thousand meters take about five million."""

MOST_DIGITS = 60
"""Of a decimal in plain notation."""

NOT_UTF8 = Rule(
    code="MS100",
    slug="not-utf8",
    title="A file that is not UTF-8 text",
    message="the file is not UTF-8: {what}",
    why="A guess at the encoding could change the names and amounts in it without a word.",
)
CONTROL_CHARACTER = Rule(
    code="MS101",
    slug="control-character",
    title="A control character in the text",
    message="the control character {character} cannot stand in a spec",
    why="It cannot be seen, so two specs that look alike could mean different things.",
)
FILE_TOO_LARGE = Rule(
    code="MS102",
    slug="file-too-large",
    title="A file far larger than any spec",
    message="the file has {size:,} bytes; a spec has at most {limit:,}",
    why="So large a file is an event log or a build product given by mistake. A project may have any number of files.",
)
UNEXPECTED_TEXT = Rule(
    code="MS103",
    slug="unexpected-text",
    title="A line that is no entry, no header and no comment",
    message="{found} cannot stand here",
    why="A spec is TOML: lines like `key = value`, headers like `[table]`, and comments that begin with `#`.",
    bad="""
        // One call.
        [[families]]
        name = "api.call"
    """,
    good="""
        # One call.
        [[families]]
        name = "api.call"
    """,
)
UNCLOSED_TEXT = Rule(
    code="MS104",
    slug="unclosed-text",
    title="A text without its closing quote",
    message="the text that begins here is not closed",
    why="A text in `\"` or `'` ends on the line it begins on, so a forgotten quote cannot swallow what follows.",
    bad="""
        [[families]]
        name = "api.call
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
UNCLOSED_BRACKET = Rule(
    code="MS105",
    slug="unclosed-bracket",
    title="A bracket without its counterpart",
    message="the `{bracket}` here is not closed",
    why="Headers, arrays and inline tables end where their closing bracket stands.",
    bad="""
        [[families]
        name = "api.call"
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
MISSING_EQUALS = Rule(
    code="MS106",
    slug="missing-equals",
    title="A key without `=`",
    message="{found} follows the key `{key}`, where `=` has to stand",
    why="An entry is a key, `=` and a value.",
    bad="""
        [[families]]
        name: "api.call"
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
MISSING_VALUE = Rule(
    code="MS107",
    slug="no-value",
    title="Nothing where a value has to stand",
    message="a value is missing {where}",
    why="TOML has no empty value: what is not known is left out with its key.",
    bad="""
        [[families]]
        name = "api.call"
        description =
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
INVALID_VALUE = Rule(
    code="MS108",
    slug="invalid-value",
    title="A word that is no value",
    message="`{value}` is not a value",
    why="A value is a text in quotes, a number, `true` or `false`, a date, an array or a table.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = integer }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "integer" }
    """,
)
INVALID_ESCAPE = Rule(
    code="MS109",
    slug="invalid-escape",
    title="A backslash that escapes nothing",
    message="`{escape}` is not an escape",
    why="In double quotes a backslash gives the next character another meaning, and only a few are defined.",
    bad=r"""
        [[families]]
        name = "api.call"
        description = "Status \d"
    """,
    good=r"""
        [[families]]
        name = "api.call"
        description = 'Status \d'
    """,
)
EXTRA_TEXT = Rule(
    code="MS110",
    slug="extra-text",
    title="More on a line after it is complete",
    message="{found} cannot follow {what} on the same line",
    why="Every entry and every header has a line of its own; only a comment may follow.",
    bad="""
        [[families]]
        name = "api.call";
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
MISSING_COMMA = Rule(
    code="MS111",
    slug="missing-comma",
    title="Two elements without a comma between them",
    message="{found} stands where `,` or `{close}` has to",
    why="Commas separate the elements of arrays and inline tables.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = "integer" required = true }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "integer", required = true }
    """,
)
DEFINED_TWICE = Rule(
    code="MS112",
    slug="defined-twice",
    title="A key or table that is there already",
    message="`{name}` is defined twice",
    why="One of the two would be ignored, and nobody could see which.",
    bad="""
        [[families]]
        name = "api.call"
        name = "api.answer"
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
TABLE_OR_ARRAY = Rule(
    code="MS113",
    slug="table-or-array",
    title="One name for a table and for an array of tables",
    message="`{name}` is {first} above and {second} here",
    why="`[name]` is one table; `[[name]]` adds an element to an array of them. A name means one of the two.",
    bad="""
        [[families]]
        name = "api.call"

        [families]
        name = "api.answer"
    """,
    good="""
        [[families]]
        name = "api.call"

        [[families]]
        name = "api.answer"
    """,
)
VALUE_EXTENDED = Rule(
    code="MS114",
    slug="value-extended",
    title="Keys added to something that has its value",
    message="`{name}` has its value already, and nothing can be added to it",
    why="A value, also an array or a table in brackets, is complete where it stands.",
    bad="""
        [[families]]
        name = "api.call"
        schema = { status = { type = "integer" } }
        schema.region = { type = "string" }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "integer" }
        schema.region = { type = "string" }
    """,
)
NOT_FINITE = Rule(
    code="MS115",
    slug="not-finite",
    title="A number that is not finite",
    message="`{number}` is not a number to count with",
    why="Amounts and quantities are exact, and neither infinity nor `nan` has an exact value.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = "float", max = inf }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "float" }
    """,
)
WHOLE_NUMBER_TOO_LARGE = Rule(
    code="MS116",
    slug="whole-number-too-large",
    title="A whole number that does not fit 64 bits",
    message="`{number}` does not fit 64 bits",
    why="Whole numbers go from -9223372036854775808 to 9223372036854775807 in TOML and in every database.",
    bad="""
        [[families]]
        name = "api.call"
        max_events = 10_000_000_000_000_000_000
    """,
    good="""
        [[families]]
        name = "api.call"
        max_events = 10_000_000_000
    """,
)
DECIMAL_TOO_LONG = Rule(
    code="MS117",
    slug="decimal-too-long",
    title="A decimal of more than 60 digits",
    message="`{number}` needs more than {limit} digits when written out",
    why="Decimals are kept digit by digit; no amount, bound or quantity needs so many.",
    bad="""
        [[families]]
        name = "api.call"
        schema.bytes = { type = "decimal", max = 1e300 }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.bytes = { type = "decimal", max = 1e6 }
    """,
)
NESTED_TOO_DEEP = Rule(
    code="MS118",
    slug="nested-too-deep",
    title="Tables and arrays nested far deeper than any spec",
    message="more than {limit} tables and arrays are nested in each other here",
    why="No part of a spec is nested deeper than ten, so this is generated by mistake or made to do harm.",
)


def read(name: str, data: bytes, out: Diagnostics) -> tuple[Source, dict[str, object]] | None:
    """The text of a file and its values, or None where something was reported (MS100 to MS118).

    Numbers with a point or an exponent are `Decimal` exactly as written, dates and times are those of `datetime`.
    The text is without a byte order mark, and otherwise as it stands in the file.
    """
    if len(data) > LARGEST_FILE:
        at = Place(Source(name, ""))
        out.report(FILE_TOO_LARGE, at=at, size=len(data), limit=LARGEST_FILE, hint="split it into several files")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _report_encoding(name, error, out)
        return None
    source = Source(name, text, locate)
    unusual = b"0" * _FEWEST_DIGITS in data.translate(_DIGITS)

    def decimal(written: str) -> Decimal:
        nonlocal unusual
        value = _decimal(written)
        unusual = unusual or not value.is_finite()
        return value

    before = len(out)
    try:
        values: dict[str, object] = tomli.loads(text, parse_float=decimal)
    except (ValueError, RecursionError) as error:
        _report_slips(source, out)
        if len(out) == before:
            _report_at_error(source, error, out)
        return None
    deep = _is_deep(values)
    if deep:
        _report_slips(source, out)
    if unusual or (deep and len(out) == before):
        _report_values(source, values, out)
    return None if len(out) > before else (source, values)


# Text


def _report_encoding(name: str, error: UnicodeDecodeError, out: Diagnostics) -> None:
    data = error.object
    readable = data[: error.start].decode()
    source = Source(name, readable + data[error.start :].decode(errors="replace"))
    at = Place(source, inside=(len(readable), len(readable) + 1))
    byte = data[error.start : error.start + 1]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        out.report(NOT_UTF8, at=at, what="it begins like UTF-16", hint="save it as UTF-8")
    elif error.reason == "unexpected end of data":
        out.report(NOT_UTF8, at=at, what="it ends in the middle of a character", hint="is the file complete?")
    else:
        legacy = byte.decode("cp1252", errors="ignore")
        hint = f"save it as UTF-8; in Windows-1252 this byte is `{legacy}`" if legacy else "save it as UTF-8"
        out.report(NOT_UTF8, at=at, what=f"no character begins with byte 0x{byte.hex().upper()} here", hint=hint)


# Numbers and nesting

_FEWEST_DIGITS = 16
"""A whole number beyond 64 bits has at least so many, in the base that needs the fewest."""
_DIGITS = bytes(ord("0") if chr(byte) in "0123456789abcdefABCDEF_" else ord(" ") for byte in range(256))
_READABLE_DIGITS = 600
"""Python refuses to read whole numbers of more, 640 at the least: its limit is a setting."""
_REFUSED = Decimal("NaN")
_EXPONENT = re.compile(r"[eE][+-]?([0-9_]+)")


def _decimal(written: str) -> Decimal:
    """A number with a point or an exponent, NaN where it is not finite or its plain notation is too long."""
    exponent = _EXPONENT.search(written)
    if exponent and len(exponent[1].replace("_", "").lstrip("0")) > 3:
        return _REFUSED
    value = Decimal(written)
    if len(written) <= MOST_DIGITS and not exponent:
        return value
    _, digits, power = value.as_tuple()
    if not isinstance(power, int):
        return _REFUSED
    length = len(digits) + power if power > 0 else max(len(digits), 1 - power)
    return value if length <= MOST_DIGITS else _REFUSED


def _is_deep(values: dict[str, object]) -> bool:
    """Whether more than `DEEPEST` tables and arrays are nested in each other."""
    level: list[object] = [values]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _report_values(source: Source, values: dict[str, object], out: Diagnostics) -> None:
    """Reports the numbers that cannot be used, and the first thing that is nested too deep."""
    deep = False
    for path, value in _leaves(values):
        if isinstance(value, dict | list):
            if len(path) > DEEPEST and not deep:
                out.report(NESTED_TOO_DEEP, at=Place(source, path), limit=DEEPEST)
                deep = True
        elif isinstance(value, Decimal) and not value.is_finite():
            at = Place(source, path)
            written = at.span().text
            if "n" in written:
                hint = "write a finite number, or leave the key out"
                if path[-1] == "up_to" and "inf" in written:
                    hint = 'write `"infinity"`, in quotes, for a tier without an end'
                out.report(NOT_FINITE, at=at, number=written, hint=hint)
            else:
                _report_decimal(at, written, out)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            at = Place(source, path)
            _report_whole(at, at.span().text, out)


def _report_whole(at: Place, written: str, out: Diagnostics) -> None:
    hint = "a name or an id of digits is a text, in quotes; a larger bound is left out"
    out.report(WHOLE_NUMBER_TOO_LARGE, at=at, number=_short(written), hint=hint)


def _report_decimal(at: Place, written: str, out: Diagnostics) -> None:
    out.report(DECIMAL_TOO_LONG, at=at, number=_short(written), limit=MOST_DIGITS, hint="round it where it is written")


def _leaves(values: dict[str, object]) -> Iterator[tuple[Path, object]]:
    """Every value that holds no others, and every table and array too deep to be looked into."""
    todo: list[tuple[Path, object]] = [((), values)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict) and value and len(path) <= DEEPEST:
            todo.extend(((*path, key), inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list) and value and len(path) <= DEEPEST:
            todo.extend(((*path, number), value[number]) for number in range(len(value) - 1, -1, -1))
        else:
            yield path, value


# What is not TOML

_LINE_IS_CLEAR = {Fault.VALUE, Fault.NO_VALUE, Fault.EXTRA, Fault.ESCAPE}
"""After these the next line is read as usual; after others it may mean anything, so they end the search."""
_MOST_SLIPS = 20


def _report_slips(source: Source, out: Diagnostics) -> None:
    """Reports what is not TOML, in the order of the text, as far as one mistake does not follow from another."""
    found = Diagnostics()
    slips: list[Slip] = []
    tables = _Tables(source, found)
    for statement in statements(source.text, slips):
        if slips and not _goes_on(slips):
            break
        tables.add(statement)
    for number, slip in enumerate(slips, 1):
        _report_slip(source, slip, found)
        if not _goes_on(slips[:number]):
            break
    out.extend(sorted(found, key=lambda each: (each.at and each.at.inside) or (0, 0)))


def _goes_on(slips: list[Slip]) -> bool:
    last = slips[-1]
    return last.fault in _LINE_IS_CLEAR and not last.around and len(slips) < _MOST_SLIPS


def _report_at_error(source: Source, error: Exception, out: Diagnostics) -> None:
    """Reports where tomli stopped, should it ever be stricter than the scanner."""
    starts = source.line_starts
    line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
    start = min(starts[min(line, len(starts)) - 1] + column - 1, len(source.text))
    out.report(
        UNEXPECTED_TEXT, at=Place(source, inside=(start, start + 1)), found=_found(source.text, start, start + 1)
    )


def _report_slip(source: Source, slip: Slip, out: Diagnostics) -> None:
    text, start, end = source.text, slip.start, slip.end
    at = Place(source, inside=(start, end))
    found = _found(text, start, end)
    opening = _left_open(text, slip)
    if opening is not None:
        _report_bracket(source, opening, out, before=slip)
        return
    match slip.fault:
        case Fault.CONTROL:
            _report_control(at, text[start], out)
        case Fault.STRING:
            quote = text[start] * 3 if slip.around else text[start]
            more = "" if slip.around else f"; a text of several lines stands between `{text[start] * 3}`"
            out.report(UNCLOSED_TEXT, at=at, hint=f"write `{quote}` where it ends{more}")
        case Fault.ESCAPE:
            out.report(INVALID_ESCAPE, at=at, escape=text[start:end], hint=_escape_hint(text[start:end]))
        case Fault.BRACKET:
            _report_bracket(source, start, out)
        case Fault.COMMA:
            _report_comma(source, slip, found, out)
        case Fault.VALUE:
            word = text[start:end]
            hint = _value_hint(word)
            if hint is None:
                word = _phrase(text, slip)
                is_entry = bool(slip.around) and re.match(r"[A-Za-z0-9_-]+[ \t]*=(?![=~])", word)
                hint = (
                    "a table stands in `{` and `}`"
                    if is_entry
                    else f"a text stands in quotes: `{_quoted(_short(word))}`"
                )
                at = Place(source, inside=(start, start + len(word)))
            out.report(INVALID_VALUE, at=at, value=_short(word), hint=hint, edits=_repair(source, slip))
        case Fault.NO_VALUE:
            before = text[text.rfind("\n", 0, start) + 1 : start].rstrip(" \t")
            if before.endswith("="):
                where, hint = f"after `{_short(_last_key(before[:-1]))} =`", "write one, or leave the key out"
            elif found == "`}`":
                where, hint = f"before {found}", "an array is closed with `]`"
            else:
                where, hint = f"before {found}", "write one, or leave the comma out"
            out.report(MISSING_VALUE, at=at, where=where, hint=hint)
        case Fault.EQUALS:
            key = _short(text[slip.since : start].rstrip(" \t"))
            hint = _equals_hint(text, key, slip)
            out.report(MISSING_EQUALS, at=at, found=found, key=key, hint=hint, edits=_repair(source, slip))
        case Fault.KEY:
            out.report(UNEXPECTED_TEXT, at=at, found=found, hint=_key_hint(text, slip))
        case Fault.HEADER:
            _report_header(source, slip, out)
        case Fault.EXTRA:
            header = text[slip.since] == "["
            what = "a header" if header else "a value"
            first_line = slip.since + len(_rest_of_line(text, slip.since))
            related = [(Place(source, inside=(slip.since, first_line)), "it begins here")] if first_line < start else []
            hint, edits = _extra_hint(text, slip, header), _repair(source, slip)
            out.report(EXTRA_TEXT, at=at, found=found, what=what, hint=hint, related=related, edits=edits)
        case Fault.DEEP:
            out.report(NESTED_TOO_DEEP, at=at, limit=DEEPEST)


def _repair(source: Source, slip: Slip) -> tuple[Edit, ...]:
    """What is meant instead of a slip, where it can be only one thing."""
    text, start, end = source.text, slip.start, slip.end
    rest = _rest_of_line(text, start)
    new: str | None = None
    if slip.fault is Fault.VALUE and _SPELLED.fullmatch(text, start, end):
        hint = _value_hint(text[start:end])
        new = hint.split("`")[1] if hint else None
    elif slip.fault is Fault.EQUALS and _COLON.match(rest):
        end = start + 1
        new = "=" if text[start - 1] in " \t" else " ="
    elif slip.fault is Fault.EXTRA and rest[:1] in {",", ";"} and text[slip.since] != "[":
        another = _ANOTHER_ENTRY.match(rest)
        end = start + (another.end() if another else 1)
        line = text[text.rfind("\n", 0, slip.since) + 1 : slip.since]
        new = f"\n{line}" if another and not line.strip() else None
        if not rest[1:].partition("#")[0].strip():
            new = ""
    return () if new is None else (Edit(Place(source, inside=(start, end)), new),)


_SPELLED = re.compile(r"(?i:true|false)|[+-]?(?:\.[0-9]+|[0-9]+\.|[0-9]{1,3}(?:[.'’][0-9]{3}){2,})")
"""Values of other languages that are spelled in another way here."""
_COLON = re.compile(r""":[ \t]*(?:["'\[{0-9+-]|(?:true|false)\b)""")
_ANOTHER_ENTRY = re.compile(r"[,;][ \t]*(?=[A-Za-z0-9_-]+[ \t]*=)")


def _last_key(line: str) -> str:
    """The key that a line ends with."""
    line = line.rstrip(" \t")
    if line.endswith(('"', "'")):
        return line[line.rfind(line[-1], 0, -1) :]
    return re.split("[ \t,{]", line)[-1]


def _report_control(at: Place, character: str, out: Diagnostics) -> None:
    hint = f"remove it; in a text in double quotes it can be written `\\u{ord(character):04X}`"
    if character == "\r":
        hint = "end lines with LF or with CR LF, not with CR alone"
    elif character == "\0":
        hint = "save the file as UTF-8 text; UTF-16 and binary files have such characters"
    out.report(CONTROL_CHARACTER, at=at, character=f"U+{ord(character):04X}", hint=hint)


def _report_bracket(source: Source, start: int, out: Diagnostics, *, before: Slip | None = None) -> None:
    bracket = source.text[start]
    at = Place(source, inside=(start, start + 1))
    hint = f"write `{_CLOSING[bracket]}` after the last {'element' if bracket == '[' else 'entry'}"
    related = []
    if before:
        line = source.text.rfind("\n", 0, before.start) + 1
        related = [(Place(source, inside=(line, line + len(_rest_of_line(source.text, line)))), "before this line")]
    out.report(UNCLOSED_BRACKET, at=at, bracket=bracket, hint=hint, related=related)


def _report_comma(source: Source, slip: Slip, found: str, out: Diagnostics) -> None:
    text, opening = source.text, slip.around[0]
    close = _CLOSING[text[opening]]
    hint = f"separate elements with `,`, close with `{close}`"
    if text[slip.start] == ";":
        hint = "write `,` instead of `;`"
    elif text[slip.start] in "]}":
        hint = f"write `{close}`"
    elif text[slip.start] not in "=:.":
        hint = f"write `,` before {found}"
    related = [(Place(source, inside=(opening, opening + 1)), f"the `{text[opening]}` it belongs to")]
    at = Place(source, inside=(slip.start, slip.end))
    out.report(MISSING_COMMA, at=at, found=found, close=close, hint=hint, related=related)


def _left_open(text: str, slip: Slip) -> int | None:
    """The bracket that was meant to be closed before the line of a slip: the line reads like a statement."""
    line = text.rfind("\n", 0, slip.start) + 1
    opening = next((bracket for bracket in slip.around if bracket < line), None)
    if opening is None or slip.fault not in {Fault.COMMA, Fault.VALUE, Fault.KEY}:
        return None
    if _HEADER_LINE.match(text, line):
        return opening
    entry = _ENTRY_LINE.match(text, line)
    if entry is None or entry.start(1) != slip.start:
        return None
    if text[opening] == "{":
        paragraph = _PARAGRAPH.match(text, line)
        rest = paragraph.group() if paragraph else ""
        return None if rest.count("}") > rest.count("{") else opening
    return opening


def _report_header(source: Source, slip: Slip, out: Diagnostics) -> None:
    text = source.text
    bracket = "[[" if text.startswith("[[", slip.since) else "["
    name = _short(text[slip.since : slip.start].strip("[ \t"))
    hint = f"write `{bracket}{name}{']' * len(bracket)}`"
    if slip.start < slip.end and text[slip.start] not in "]#=":
        above, point, last = _short(text[slip.since : slip.end].strip("[ \t")).rpartition(".")
        name = above + point + _quoted(last)
        hint = f"a name with other characters stands in quotes: `{bracket}{name}{']' * len(bracket)}`"
    out.report(UNCLOSED_BRACKET, at=Place(source, inside=(slip.since, slip.end)), bracket=bracket, hint=hint)


_CLOSING = {"[": "]", "{": "}"}
_HEADER_LINE = re.compile(
    r"[ \t]*\[\[?[ \t]*(?!(?:true|false|inf|nan)\b)[A-Za-z_][^\[\]\r\n,]*\]\]?[ \t]*(?:[#\r\n]|\Z)"
)
_ENTRY_LINE = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"[^"\r\n]*"|'[^'\r\n]*')[ \t]*(?:\.[^=\r\n]*)?=""")
_PARAGRAPH = re.compile(r"[^\n]*(?:\n(?![ \t]*(?:\r?\n|\[))[^\n]*)*")
"""Lines up to an empty one or a header."""
_STRAIGHT = dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’‚`´", "'")


def _found(text: str, start: int, end: int) -> str:
    """What stands at a place, as a message names it."""
    if start >= len(text):
        return "the end of the file"
    if text[start] in "\r\n":
        return "the end of the line"
    if text[start] == "#":
        return "the comment"
    if not text[start].isprintable():
        return _invisible(text[start])
    return f"`{_short(text[start : max(end, start + 1)])}`"


def _rest_of_line(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[at : end if end >= 0 else len(text)].rstrip()


def _invisible(character: str) -> str:
    from unicodedata import name  # noqa: PLC0415 - only for characters that cannot be seen

    return f"the invisible U+{ord(character):04X} ({name(character, 'unnamed').lower()})"


def _short(text: str) -> str:
    """A text as messages quote it: in one piece, and without characters that a terminal would obey."""
    text = text if len(text) <= 60 else f"{text[:50]}..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in text)


def _quoted(text: str) -> str:
    """A text as TOML, in the quotes that need the fewest escapes."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _phrase(text: str, slip: Slip) -> str:
    """All of what was written where a value should stand: `status == 'ok'` rather than `status`."""
    ends = r"[^\r\n#;]*" if not slip.around else r"[^\r\n#;,\]}]*"
    phrase = re.compile(ends).match(text, slip.start)
    written = phrase.group().rstrip(" \t") if phrase else ""
    return written or text[slip.start : slip.end]


_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])")
_DATE_LIKE = re.compile(
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}|[0-9]{1,2}:[0-9]"
)


def _value_hint(word: str) -> str | None:
    """What to type instead of a word that is no value; None where it looks like a text."""
    for character in word:
        if not character.isprintable():
            return f"remove {_invisible(character)}"
    lower = word.lower()
    if lower in {"true", "false"}:
        return f"write `{lower}`"
    if lower in {"null", "none", "nil", "undefined", "~"}:
        return "TOML has no empty value: leave the key out"
    if lower in {"yes", "no", "on", "off"}:
        return f'write `true` or `false`; as a text, `"{word}"`'
    if word[0] in _STRAIGHT:
        return f"write straight quotes: `{_STRAIGHT[word[0]]}`"
    if word[0] == "=":
        return "a value is set with one `=`"
    if word[0] == "(":
        return "an array stands in `[` and `]`"
    if day := _DATE.match(word):
        return _date_hint(day)
    if _DATE_LIKE.match(word):
        return "a date is written `2026-01-31`, an instant `2026-01-31T12:00:00Z`"
    return _number_hint(word)


def _date_hint(day: re.Match[str]) -> str:
    try:
        date.fromisoformat(day.group())
    except ValueError:
        return f"there is no day {day.group()}"
    return "an instant is written `2026-01-31T12:00:00Z`"


def _number_hint(word: str) -> str | None:
    sign, bare = (word[0], word[1:]) if word[0] in "+-" else ("", word)
    sign = sign.replace("+", "")
    if re.fullmatch(r"\.[0-9_]+", bare):
        return f"write `{sign}0{bare}`"
    if re.fullmatch(r"[0-9_]+\.", bare):
        return f"write `{sign}{bare}0`"
    if re.fullmatch(r"[0-9]{1,3}([.'’][0-9]{3}){2,}", bare):
        return f"write `{sign}{re.sub('[^0-9]', '_', bare)}`"
    if re.fullmatch(r"[0-9]*_[0-9_]*", bare):
        return "an underscore stands between two digits"
    if re.fullmatch(r"0[0-9_]+(\.[0-9]+)?", bare):
        return f"write `{sign}{bare.lstrip('0_') or '0'}`" if "." not in bare else "a number has no leading zeros"
    if re.fullmatch(r"[0-9._]+%", bare):
        return "a number is written without `%`"
    if re.fullmatch(r"[€$£¥][0-9._]+|[0-9._]+[€$£¥]", bare):
        return "an amount is written without its currency"
    return None


def _escape_hint(escape: str) -> str:
    digits = {"x": 2, "u": 4, "U": 8}.get(escape[1:2])
    if digits is None:
        return "write `\\\\` for a backslash, or put the text in single quotes, where it means nothing special"
    if len(escape) < 2 + digits:
        return f"`\\{escape[1]}` takes {digits} hexadecimal digits"
    return "Unicode has no such character"


def _equals_hint(text: str, key: str, slip: Slip) -> str:
    found = text[slip.start : slip.end]
    line = _rest_of_line(text, slip.start)
    adjoining = text[slip.start - 1] not in " \t"
    if key.startswith("-"):
        return "TOML has no lists with `-`: an array stands in `[` and `]`"
    if found[:1] == ":" or not found:
        return f"write `{key} = ...`"
    if found[0] == "]":
        return f"write `[[{key}]]`" if line.startswith("]]") else f"write `[{key}]`"
    if adjoining and not found[0].isascii():
        return _key_in_quotes(key + found)
    if re.match(r"[^\"'=#]+=", line):
        name = text[slip.since : slip.start] + line.partition("=")[0].rstrip(" \t")
        return _key_in_quotes(name)
    return f"write `{key} = {_short(line.strip())}`" if found[0] in "\"'[{" else f"write `{key} = ...`"


def _key_in_quotes(key: str) -> str:
    return f"a key with other characters than A-Z a-z 0-9 _ - stands in quotes: `{_quoted(_short(key))} = ...`"


def _key_hint(text: str, slip: Slip) -> str:
    found = text[slip.start : slip.end]
    before = text[text.rfind("\n", 0, slip.start) + 1 : slip.start].strip(" \t")
    if before.startswith("["):
        return "a header names a table: `[meters.source]`"
    if before.endswith("."):
        return "a dotted key goes on after its `.`"
    if not found or not found[0].isprintable():
        return "remove it"
    if found.startswith(("//", "/*", ";", "%")):
        return "a comment begins with `#`"
    if found[0] == "=":
        return "a key has to stand before `=`"
    if found[0] in "]}":
        return "an inline table is closed with `}`" if slip.around else "no bracket is open here: remove it"
    if found[0] == "{" and not slip.around:
        return "a spec is TOML, not JSON: entries are lines like `key = value`"
    if found[0] == "," and slip.around:
        return "remove it"
    if found[0] in _STRAIGHT:
        return f"write straight quotes: `{_STRAIGHT[found[0]]}`"
    if found[0].isalpha():
        return _key_in_quotes(found)
    return "an entry is a line like `key = value`"


def _extra_hint(text: str, slip: Slip, header: bool) -> str:
    found = text[slip.start : slip.end]
    written = text[text.rfind("\n", 0, slip.start) + 1 : slip.start]
    line = _rest_of_line(text, slip.start)
    if found[0] == "]" and header:
        return f"write `[[{_short(text[slip.since : slip.start].strip('[] '))}]]`"
    if header:
        return "write it on the next line"
    whole = written[len(written.rstrip("0123456789")) :]
    if found[0] == "," and whole and (digits := re.match(r",([0-9]+)", line)):
        return f"decimals have a point: `{_short(whole)}.{_short(digits[1])}`"
    if found[0] in ",;" and not line[1:].partition("#")[0].strip():
        return f"remove it: entries end with the line, without `{found[0]}`"
    if found[0] in ",;":
        return f"write every entry on a line of its own, without `{found[0]}`"
    if found.startswith("//"):
        return "a comment begins with `#`"
    before = written.rstrip(" \t")
    if before.endswith(('"""', "'''")):
        return f"the text ends before it; is a `{before[-3:]}` missing further up?"
    if before.endswith("'"):
        return "a text with `'` in it stands in double quotes"
    if before.endswith('"'):
        return 'a `"` inside a text is written `\\"`, or the text stands in single quotes'
    if re.match(r"""[A-Za-z0-9_."' -]+=""", line):
        return "write it on the next line"
    value = re.sub(r"^.*?=[ \t]*", "", written) + line.partition("#")[0].rstrip()
    return f"a text stands in quotes: `{_quoted(_short(value))}`"


# Names that are taken


class _Kind(Enum):
    VALUE = auto()
    """A value; also an array, or an inline table, which nothing can be added to."""
    DOTTED = auto()
    """A table that dotted keys make."""
    PASSED = auto()
    """A table that so far only the headers of tables in it name."""
    OPENED = auto()
    """A table with a header of its own."""
    ARRAY = auto()
    """An array of tables; its keys are those of the last element."""


class _Node:
    """A name that is taken, and where it was first written."""

    __slots__ = ("at", "keys", "kind")

    def __init__(self, kind: _Kind, at: tuple[int, int]) -> None:
        self.kind = kind
        self.at = at
        self.keys: dict[str, _Node] = {}


class _Tables:
    """The names a document has taken so far; reports those it takes twice, and numbers that cannot even be read."""

    def __init__(self, source: Source, out: Diagnostics) -> None:
        self.source = source
        self.out = out
        self.root = _Node(_Kind.OPENED, (0, 0))
        self.table = self.root

    def add(self, statement: Header | Entry) -> None:
        if isinstance(statement, Entry):
            self._put(self.table, statement)
        else:
            # The entries below a header that clashes go to a table of their own: they are not to clash as well.
            self.table = self._open(statement) or _Node(_Kind.OPENED, (statement.start, statement.end))

    def _open(self, header: Header) -> _Node | None:
        """The table a header begins; None where its name is taken."""
        at = (header.start, header.end)
        parent, array = self.root, 0
        for depth, piece in enumerate(header.pieces[:-1], 1):
            parent = parent.keys.setdefault(piece.name, _Node(_Kind.PASSED, at))
            if parent.kind is _Kind.VALUE:
                self._clash(VALUE_EXTENDED, header.pieces[:depth], parent, "write it all in one place")
                return None
            if parent.kind is _Kind.ARRAY:
                array = depth
        last = header.pieces[-1].name
        taken = parent.keys.get(last)
        if taken is None:
            taken = parent.keys[last] = _Node(_Kind.ARRAY if header.many else _Kind.OPENED, at)
        elif header.many and taken.kind is _Kind.ARRAY:
            taken.keys = {}
        elif not header.many and taken.kind is _Kind.PASSED:
            taken.kind, taken.at = _Kind.OPENED, at
        else:
            self._taken(header, taken, _short(_name(header.pieces[:array])))
            return None
        return taken

    def _taken(self, header: Header, taken: _Node, array: str) -> None:
        name = _short(_name(header.pieces))
        if taken.kind is _Kind.VALUE:
            self._clash(VALUE_EXTENDED, header.pieces, taken, "write it all in one place")
        elif header.many or taken.kind is _Kind.ARRAY:
            words = ("one table", "an array of tables")
            first, second = words if header.many else words[::-1]
            hint = f"write `[[{name}]]` in both places"
            if taken.kind is _Kind.PASSED:
                hint = f"`[[{name}]]` has to stand before the tables of its element"
            self._clash(TABLE_OR_ARRAY, header.pieces, taken, hint, first=first, second=second)
        elif taken.kind is _Kind.DOTTED:
            self._clash(DEFINED_TWICE, header.pieces, taken, "write it all in one place")
        elif array:
            hint = f"keep one of them; another element of `{array}` begins with `[[{array}]]`"
            self._clash(DEFINED_TWICE, header.pieces, taken, hint)
        else:
            hint = f"keep one of them; where there are several, each begins with `[[{name}]]`"
            self._clash(DEFINED_TWICE, header.pieces, taken, hint)

    def _put(self, table: _Node, entry: Entry) -> None:
        """Takes the names of an entry, and those inside its value."""
        for depth, piece in enumerate(entry.pieces[:-1], 1):
            table = table.keys.setdefault(piece.name, _Node(_Kind.DOTTED, (piece.start, piece.end)))
            pieces = entry.pieces[:depth]
            match table.kind:
                case _Kind.VALUE:
                    return self._clash(VALUE_EXTENDED, pieces, table, "write it all in one place")
                case _Kind.OPENED:
                    return self._clash(DEFINED_TWICE, pieces, table, "write all of it under its header")
                case _Kind.ARRAY:
                    first, second = "an array of tables", "one table"
                    hint = "write it under the header of its element"
                    return self._clash(TABLE_OR_ARRAY, pieces, table, hint, first=first, second=second)
                case _Kind.PASSED:
                    table.kind = _Kind.DOTTED
                case _Kind.DOTTED:
                    pass
        last = entry.pieces[-1]
        taken = table.keys.get(last.name)
        if taken is None:
            table.keys[last.name] = _Node(_Kind.VALUE, (last.start, last.end))
        else:
            self._clash(DEFINED_TWICE, entry.pieces, taken, "keep one of them")
        return self._look_inside(entry)

    def _look_inside(self, value: Entry) -> None:
        if self.source.text[value.start] not in "[{":
            if value.end - value.start > _READABLE_DIGITS:
                self._look_at_number(value)
            return
        table = _Node(_Kind.DOTTED, (value.start, value.end))
        for member in members(self.source.text, value.start):
            if member.pieces:
                self._put(table, member)
            else:
                self._look_inside(member)

    def _look_at_number(self, value: Entry) -> None:
        written = self.source.text[value.start : value.end]
        if re.fullmatch("[+-]?[0-9_]+", written):
            _report_whole(Place(self.source, inside=(value.start, value.end)), written, self.out)

    def _clash(self, rule: Rule, pieces: tuple[Piece, ...], taken: _Node, hint: str, **facts: Any) -> None:
        self.out.report(
            rule,
            at=Place(self.source, inside=(pieces[-1].start, pieces[-1].end)),
            hint=hint,
            related=[(Place(self.source, inside=taken.at), "first here")],
            edits=(),
            name=_short(_name(pieces)),
            **facts,
        )


def _name(pieces: tuple[Piece, ...]) -> str:
    return ".".join(piece.name for piece in pieces)
