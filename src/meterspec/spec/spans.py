"""Finds where the entries of a TOML document stand in its text, and the first thing that is not TOML.

Values come from `toml.py`. This scanner runs only once something is to be reported: the headers of a text are found
once and kept, then the one block that holds the path is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from meterspec.source import Part, Path

__all__ = ["DEEPEST", "Entry", "Fault", "Header", "Piece", "Slip", "comments", "locate", "members", "statements"]

DEEPEST = 64
"""How many tables and arrays may stand in each other. No spec needs ten."""

_CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
_CONTROL_CHARACTER = re.compile(rf"(?!\r?\n)[{_CONTROL}]")
_HEX = "[0-9A-Fa-f]"
_SCALAR_VALUE_4 = f"(?![dD][89a-fA-F]){_HEX}{{4}}"
_ESCAPE = (
    rf'\\(?:[btnfre"\\]|x{_HEX}{{2}}|u{_SCALAR_VALUE_4}'
    rf"|U(?:0000{_SCALAR_VALUE_4}|000[1-9A-Fa-f]{_HEX}{{4}}|0010{_HEX}{{4}}))"
)
_INSIDE = {
    delimiter: re.compile(pattern)
    for delimiter, pattern in {
        '"': rf'[^"\\{_CONTROL}]*(?:{_ESCAPE}[^"\\{_CONTROL}]*)*',
        "'": rf"[^'{_CONTROL}]*",
        '"""': rf'[^"\\{_CONTROL}]*(?:(?:\r?\n|{_ESCAPE}|\\[ \t]*\r?\n|"(?!""))[^"\\{_CONTROL}]*)*',
        "'''": rf"[^'{_CONTROL}]*(?:(?:\r?\n|'(?!''))[^'{_CONTROL}]*)*",
    }.items()
}
"""What may stand between the delimiters of a string; it stops at the closing delimiter, or at what is wrong."""
_NO_ESCAPE = re.compile(rf"\\(?:x{_HEX}{{0,2}}|u{_HEX}{{0,4}}|U{_HEX}{{0,8}}|[^\r\n])?")
"""A backslash with what may have been meant as its escape."""
_QUOTES_AT_END = {'"': re.compile('"{0,2}'), "'": re.compile("'{0,2}")}
"""A multi-line string may end in quotes of its own, right before the closing ones."""

_DIGITS = "[0-9](?:_?[0-9])*"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_SCALAR = re.compile(
    rf"""
    (?: true | false | {_TIME}
      | (?P<date> [0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]) )
        (?: [Tt\ ] {_TIME} (?: [Zz] | [+-](?:[01][0-9]|2[0-3]):[0-5][0-9] )? )?
      | 0x{_HEX}(?:_?{_HEX})* | 0o[0-7](?:_?[0-7])* | 0b[01](?:_?[01])*
      | [+-]? (?: inf | nan | (?: 0 | [1-9](?:_?[0-9])* ) (?: \.{_DIGITS} )? (?: [eE][+-]?{_DIGITS} )? )
    ) (?= [ \t\r\n,;\]}}\#] | \Z )
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[^ \t\r\n,;\[\]{}#\"'=]+|[^ \t\r\n]|")
"""What stands where something else should: a word, else one character; nothing at the end of a line."""

_BLANK = re.compile(r"[ \t]*")
_SPACE = rf"[ \t\n]*(?:(?:\r\n|\#[^{_CONTROL}]*)[ \t\n]*)*"
_GAP = re.compile(_SPACE)
"""Blanks, line breaks and comments."""
_REST = re.compile(rf"[ \t]*(?:\#[^{_CONTROL}]*)?")
_REST_OF_LINE = re.compile(rf"{_REST.pattern}(?:\r?\n{_SPACE}|\Z)")
"""What may follow on the line of an entry or a header, and all up to the next one."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_KEY = re.compile(r"([A-Za-z0-9_-]+)[ \t]*=[ \t]*")
_DOT = re.compile(r"[ \t]*\.[ \t]*")


class Fault(Enum):
    """What can be wrong with a text that should be TOML."""

    CONTROL = auto()
    """A control character."""
    STRING = auto()
    """A string that is not closed; the slip is all of it."""
    ESCAPE = auto()
    """A backslash with something behind it that is no escape."""
    BRACKET = auto()
    """An array or an inline table that the text's end leaves open; the slip is the bracket."""
    COMMA = auto()
    """Something other than a comma or the closing bracket behind an element."""
    VALUE = auto()
    """A word that is no value."""
    NO_VALUE = auto()
    """Nothing where a value should stand."""
    EQUALS = auto()
    """Something other than `=` behind a key."""
    KEY = auto()
    """Something that no key begins with."""
    HEADER = auto()
    """A header without its closing brackets; the slip is what stands in their place."""
    EXTRA = auto()
    """Something behind a complete entry or header on its line."""
    DEEP = auto()
    """More than `DEEPEST` things in each other."""


class Slip(Exception):  # noqa: N818 - what it carries is a finding about a text
    """Characters that TOML does not allow where they stand."""

    def __init__(self, fault: Fault, start: int, end: int, *, since: int = 0, within: int | None = None) -> None:
        super().__init__(fault, start, end)
        self.fault = fault
        self.start = start
        self.end = end
        self.since = since
        """Where the key, header or entry begins that EQUALS, HEADER or EXTRA come after."""
        self.around = [] if within is None else [within]
        """Where the brackets, and the multi-line string, around it begin, the innermost first."""


class Piece(NamedTuple):
    """One part of a dotted key: its name, and where it is written."""

    name: str
    start: int
    end: int


class Entry(NamedTuple):
    """A key and where its value stands; an element of an array has no pieces."""

    pieces: tuple[Piece, ...]
    start: int
    end: int


class Header(NamedTuple):
    """`[name]`, or `[[name]]` where `many`; start and end include the brackets."""

    pieces: tuple[Piece, ...]
    start: int
    end: int
    many: bool


def statements(text: str, slips: list[Slip], at: int = 0, stop: int | None = None) -> Iterator[Header | Entry]:
    """The headers and entries that begin in a part of a text; what is not TOML is added to `slips`, and skipped."""
    stop = len(text) if stop is None else stop
    at = _after(_GAP, text, at)
    while at < stop:
        try:
            found = _header(text, at) if text[at] == "[" else _entry(text, at)
            yield found
            rest = _REST_OF_LINE.match(text, found.end)
            if rest is None:
                raise _unexpected(Fault.EXTRA, text, _after(_REST, text, found.end), since=at)
            at = rest.end()
        except Slip as slip:
            slips.append(slip)
            at = _after(_GAP, text, _next_line(text, max(at, slip.start)))


def members(text: str, at: int) -> list[Entry]:
    """The elements of the array, or the entries of the inline table, that begins at an offset; none of other values.

    Where the text breaks in the middle, the members before that.
    """
    found: list[Entry] = []
    with suppress(Slip):
        if text.startswith("[", at):
            _array(text, at, 0, found)
        elif text.startswith("{", at):
            _inline_table(text, at, 0, found)
    return found


def comments(text: str) -> Iterator[tuple[int, int, str]]:
    """Every comment outside strings: its line and column, counted from 1, and its text from the `#` on."""
    line, line_start, counted = 1, 0, 0
    for found in _STRING_OR_COMMENT.finditer(text):
        if text[found.start()] != "#":
            continue
        passed = text.count("\n", counted, found.start())
        if passed:
            line += passed
            line_start = text.rindex("\n", counted, found.start()) + 1
        counted = found.start()
        yield line, found.start() - line_start + 1, found.group().removesuffix("\r")


_STRING_OR_COMMENT = re.compile(
    r'''"""[^"\\]*(?:(?:\\(?:[\s\S]|\Z)|"(?!""))[^"\\]*)*(?:"{3,5}|\Z)'''
    r"""|'''[^']*(?:'(?!'')[^']*)*(?:'{3,5}|\Z)"""
    r"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|'[^'\n]*'?|\#[^\n]*"""
)
"""Also of a text that is not TOML: an unclosed string ends with its line."""


def locate(text: str, path: Path, part: Part, inside: tuple[int, int] | None) -> tuple[int, int]:
    """The offsets of what stands at a path.

    A KEY is the last piece of the key or header that names it. A VALUE is the value; for a table with a header the
    header, for one that only dotted keys mention the first of these keys. `inside` narrows a string to a range of
    its decoded characters; an empty range at their end is the closing quote. The document itself, the empty path, is
    a text too, and `inside` a range of it. A path that is absent gives the nearest enclosing thing that is written
    down.
    """
    if not path:
        return inside or (0, 0)
    found = _index(text).find(path)
    if found.depth < len(path):
        return found.value
    if part is Part.KEY:
        return found.key
    if inside is not None and text.startswith(('"', "'"), found.value[0]):
        return _characters(text, *found.value, *inside)
    return found.value


class _Found(NamedTuple):
    """How much of a path is written down, and where."""

    depth: int
    key: tuple[int, int]
    value: tuple[int, int]


class _Index:
    """The headers of one text, and the entries of its large parts once they were read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.headers: list[tuple[int, int]] = []
        """Where every header begins and ends."""
        self.opened: dict[Path, int] = {}
        """The header of a table, and of an element of an array of tables, by number."""
        self.mentioned: dict[Path, int] = {}
        """The first header that names a table or an array of tables on its way."""
        self.tables: dict[int, dict[Path, Entry]] = {}
        self.arrays: dict[int, list[Entry]] = {}
        self._read_headers()

    def _read_headers(self) -> None:
        text, at = self.text, 0
        counts: dict[Path, int] = {}
        while at < len(text):
            at = _after(_PLAIN_LINES, text, at)
            plain = _PLAIN_HEADER.match(text, at)
            if plain:
                at = plain.end()
                self._add(plain[3].split("."), plain[2] is not None, plain.start(1), at, counts)
            elif (at := _after(_GAP, text, at)) < len(text):
                try:
                    if text[at] != "[":
                        at = _entry(text, at).end
                        continue
                    header = _header(text, at)
                    at = header.end
                    self._add([piece.name for piece in header.pieces], header.many, header.start, at, counts)
                except Slip as slip:
                    at = _next_line(text, max(at, slip.start))

    def _add(self, names: list[str], many: bool, start: int, end: int, counts: dict[Path, int]) -> None:
        if len(names) > DEEPEST + 1:
            return
        number = len(self.headers)
        self.headers.append((start, end))
        path: Path = ()
        for name in names[:-1]:
            path = (*path, name)
            if path in counts:
                path = (*path, counts[path] - 1)
        parent, path = path, (*path, names[-1])
        if many:
            parent = path
            counts[path] = counts.get(path, 0) + 1
            path = (*path, counts[path] - 1)
        self.opened.setdefault(path, number)
        while parent and parent not in self.mentioned:
            self.mentioned[parent] = number
            parent = parent[:-1]

    def find(self, path: Path) -> _Found:
        """The deepest part of a path that is written down."""
        found = _Found(0, (0, 0), (0, 0))
        body = (0, self.headers[0][0] if self.headers else len(self.text))
        for depth in range(len(path), 0, -1):
            number = self.opened.get(path[:depth])
            if number is not None:
                found = self._of_header(number, path[:depth])
                after = self.headers[number + 1][0] if number + 1 < len(self.headers) else len(self.text)
                body = (self.headers[number][1], after)
                break
        table = found.depth
        found = self._descend(body, path, found)
        for depth in range(len(path), max(table, found.depth - 1), -1):
            number = self.mentioned.get(path[:depth])
            if number is not None:
                mention = self._of_header(number, path[:depth])
                return mention if depth > found.depth else min(mention, found, key=lambda each: each.key)
        return found

    def _of_header(self, number: int, path: Path) -> _Found:
        start, end = self.headers[number]
        header = _header(self.text, start)
        piece = header.pieces[sum(isinstance(step, str) for step in path) - 1]
        return _Found(len(path), (piece.start, piece.end), (start, end))

    def _descend(self, body: tuple[int, int], path: Path, found: _Found) -> _Found:
        """Follows a path from a table's body into values; `found` is the table."""
        table = self._table(*body)
        while True:
            base, inner = found.depth, None
            for depth in range(len(path), base, -1):
                entry = table.get(path[base:depth])
                if entry is None:
                    continue
                piece, last = entry.pieces[depth - base - 1], entry.pieces[-1]
                value = (entry.pieces[0].start, last.end)
                if piece is last:
                    inner, value = entry, (entry.start, entry.end)
                found = _Found(depth, (piece.start, piece.end), value)
                break
            while inner is not None and self.text[inner.start] == "[" and found.depth < len(path):
                elements = self._elements(inner)
                step = path[found.depth]
                if not isinstance(step, int) or not 0 <= step < len(elements):
                    return found
                inner = elements[step]
                found = _Found(found.depth + 1, (inner.start, inner.end), (inner.start, inner.end))
            if inner is None or self.text[inner.start] != "{" or found.depth == len(path):
                return found
            table = self._table(inner.start, inner.end, inline=True)

    # Small parts are read again sooner than kept; large ones must not be read for every lookup.

    def _table(self, start: int, end: int, *, inline: bool = False) -> dict[Path, Entry]:
        """The first entry of every name, and of every beginning of a dotted one, in a part of the text."""
        if start in self.tables:
            return self.tables[start]
        entries = members(self.text, start) if inline else statements(self.text, [], start, end)
        found: dict[Path, Entry] = {}
        for entry in entries:
            if isinstance(entry, Header):
                continue
            names: Path = ()
            for piece in entry.pieces:
                names = (*names, piece.name)
                found.setdefault(names, entry)
        if end - start > _LARGE:
            self.tables[start] = found
        return found

    def _elements(self, array: Entry) -> list[Entry]:
        if array.start in self.arrays:
            return self.arrays[array.start]
        found = members(self.text, array.start)
        if array.end - array.start > _LARGE:
            self.arrays[array.start] = found
        return found


_LARGE = 4096
"""Characters of a part whose entries are kept."""


@lru_cache(maxsize=8)
def _index(text: str) -> _Index:
    return _Index(text)


_SHORT_STRING = r"""(?:"(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"|'(?!'')[^'\n]*')"""
_FLAT = r"""[^"'\[\]{}\#]*"""
_FLAT_ARRAY = rf"\[{_FLAT}(?:{_SHORT_STRING}{_FLAT})*\]"
_FLAT_TABLE = rf"\{{{_FLAT}(?:(?:{_SHORT_STRING}|{_FLAT_ARRAY}){_FLAT})*\}}"
_ARRAY_OF_FLAT = rf"\[{_FLAT}(?:(?:{_SHORT_STRING}|{_FLAT_ARRAY}|{_FLAT_TABLE}){_FLAT})*\]"
_PLAIN_LINES = re.compile(
    rf"""(?:[ \t]*(?:
        (?:[A-Za-z0-9_-]+|{_SHORT_STRING})(?:[ \t]*\.[ \t]*(?:[A-Za-z0-9_-]+|{_SHORT_STRING}))*[ \t]*=[ \t]*
        (?:(?:{_SHORT_STRING}|{_ARRAY_OF_FLAT}|{_FLAT_TABLE})[ \t]*|[^\r\n"'\[\]{{}}\#]*)
    )?(?:\#[^\r\n]*)?\r?\n){{0,200}}""",
    re.VERBOSE,
)
"""Whole statements with their lines, up to a header or anything unusual: most of a document in one go."""
_PLAIN_HEADER = re.compile(r"[ \t]*(\[(\[)?)[ \t]*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)[ \t]*\](?(2)\])")


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that may be empty ends."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _next_line(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _unexpected(fault: Fault, text: str, at: int, *, since: int = 0, within: int | None = None) -> Slip:
    """The slip of the word that stands at an offset; a control character is one wherever it stands."""
    if _CONTROL_CHARACTER.match(text, at):
        return Slip(Fault.CONTROL, at, at + 1, within=within)
    return Slip(fault, at, _after(_WORD, text, at), since=since, within=within)


def _header(text: str, at: int) -> Header:
    many = text.startswith("[[", at)
    pieces = _pieces(text, _after(_BLANK, text, at + 1 + many))
    close = _after(_BLANK, text, pieces[-1].end)
    if not text.startswith("]]" if many else "]", close):
        raise _unexpected(Fault.HEADER, text, close, since=at)
    return Header(pieces, at, close + 1 + many, many)


def _entry(text: str, at: int, depth: int = 0) -> Entry:
    plain = _PLAIN_KEY.match(text, at)
    if plain:
        start = plain.end()
        return Entry((Piece(plain[1], at, plain.end(1)),), start, _value(text, start, depth))
    pieces = _pieces(text, at)
    equals = _after(_BLANK, text, pieces[-1].end)
    if not text.startswith("=", equals):
        raise _unexpected(Fault.EQUALS, text, equals, since=at)
    start = _after(_BLANK, text, equals + 1)
    return Entry(pieces, start, _value(text, start, depth))


def _pieces(text: str, at: int) -> tuple[Piece, ...]:
    """The parts of a dotted key."""
    pieces = [_piece(text, at)]
    while dot := _DOT.match(text, pieces[-1].end):
        if len(pieces) > DEEPEST:
            raise Slip(Fault.DEEP, at, pieces[-1].end)
        pieces.append(_piece(text, dot.end()))
    return tuple(pieces)


def _piece(text: str, at: int) -> Piece:
    bare = _BARE.match(text, at)
    if bare:
        return Piece(bare.group(), at, bare.end())
    if text.startswith(('"', "'"), at):
        end = _string(text, at, text[at])
        return Piece(_decoded(text, at, end), at, end)
    raise _unexpected(Fault.KEY, text, at)


def _value(text: str, at: int, depth: int) -> int:
    """Where the value that begins at an offset ends."""
    first = text[at : at + 1]
    if first and first in "\"'":
        return _string(text, at, first * 3 if text.startswith(first * 3, at) else first)
    if first == "[":
        return _array(text, at, depth)
    if first == "{":
        return _inline_table(text, at, depth)
    scalar = _SCALAR.match(text, at)
    if scalar is None:
        raise _unexpected(Fault.NO_VALUE if first in ("", "\r", "\n", "#", ",", "]", "}") else Fault.VALUE, text, at)
    if scalar["date"]:
        try:
            date.fromisoformat(scalar["date"])
        except ValueError:
            raise Slip(Fault.VALUE, at, scalar.end()) from None
    return scalar.end()


def _array(text: str, at: int, depth: int, found: list[Entry] | None = None) -> int:
    if depth == DEEPEST:
        raise Slip(Fault.DEEP, at, at + 1)
    here = _after(_GAP, text, at + 1)
    try:
        while not text.startswith("]", here):
            if here == len(text):
                raise Slip(Fault.BRACKET, at, at + 1)
            end = _value(text, here, depth + 1)
            if found is not None:
                found.append(Entry((), here, end))
            here = _separator(text, end, "]")
    except Slip as slip:
        slip.around.append(at)
        raise
    return here + 1


def _inline_table(text: str, at: int, depth: int, found: list[Entry] | None = None) -> int:
    if depth == DEEPEST:
        raise Slip(Fault.DEEP, at, at + 1)
    here = _after(_GAP, text, at + 1)
    try:
        while not text.startswith("}", here):
            if here == len(text):
                raise Slip(Fault.BRACKET, at, at + 1)
            entry = _entry(text, here, depth + 1)
            if found is not None:
                found.append(entry)
            here = _separator(text, entry.end, "}")
    except Slip as slip:
        slip.around.append(at)
        raise
    return here + 1


def _separator(text: str, end: int, close: str) -> int:
    """Where the next element or the closing bracket stands."""
    here = _after(_GAP, text, end)
    if text.startswith(",", here):
        return _after(_GAP, text, here + 1)
    if here < len(text) and text[here] != close:
        raise _unexpected(Fault.COMMA, text, here)
    return here


def _string(text: str, at: int, delimiter: str) -> int:
    """Where a string that begins at an offset ends."""
    stop = _after(_INSIDE[delimiter], text, at + len(delimiter))
    long = len(delimiter) == 3
    if text.startswith(delimiter, stop):
        end = stop + len(delimiter)
        return _after(_QUOTES_AT_END[delimiter[0]], text, end) if long else end
    within = at if long else None
    if text.startswith("\\", stop):
        raise Slip(Fault.ESCAPE, stop, _after(_NO_ESCAPE, text, stop), within=within)
    if stop == len(text) or text.startswith(("\n", "\r\n"), stop):
        raise Slip(Fault.STRING, at, stop, within=within)
    raise _unexpected(Fault.CONTROL, text, stop, within=within)


_DECODED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_RUN = re.compile(r"\\(?:x..|u....|U........|[ \t]*\r?\n[ \t\r\n]*|[\s\S])|\r\n|[^\\\r]+|\r")
"""One escape, one line break, or characters that stand for themselves."""
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
"""A backslash that ends its line stands for nothing, nor do the blanks that follow."""
_LITERAL_RUN = re.compile(r"\r\n|[^\r]+|\r")


def _decoded(text: str, start: int, end: int) -> str:
    """The text of a one-line string."""
    inner = text[start + 1 : end - 1]
    if text[start] == "'" or "\\" not in inner:
        return inner
    return re.sub(r"\\(?:x(..)|u(....)|U(........)|(.))", _unescaped, inner)


def _unescaped(escape: re.Match[str]) -> str:
    return _DECODED[escape[4]] if escape[4] else chr(int(escape[1] or escape[2] or escape[3], 16))


def _characters(text: str, start: int, end: int, first: int, last: int) -> tuple[int, int]:
    """The offsets of a range of the decoded characters of the string that stands from `start` to `end`."""
    quote = text[start]
    long = end - start >= 6 and text.startswith(quote * 3, start)
    close = end - (3 if long else 1)
    inner = start + (3 if long else 1)
    if long and text.startswith(("\n", "\r\n"), inner):
        inner = text.index("\n", inner) + 1
    begin = finish = None
    passed = 0
    for run in (_RUN if quote == '"' else _LITERAL_RUN).finditer(text, inner, close):
        plain = run.group()[0] not in "\\\r" or (quote == "'" and run.group() != "\r\n")
        size = len(run.group()) if plain else 0 if long and _CONTINUED.match(run.group()) else 1
        if begin is None and first < passed + size:
            begin = run.start() + (first - passed if plain else 0)
        if begin is not None and last <= passed + size:
            finish = run.start() + last - passed if plain else run.end()
            break
        passed += size
    if begin is None:
        return close, end
    if last <= first:
        return begin, begin
    return begin, close if finish is None else finish
