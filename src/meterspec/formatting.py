"""The canonical layout of a spec: blanks, line breaks, commas and quotes are replaced, and nothing that has a meaning.

The layout is found statement by statement on the text itself. Comments and values are carried over as they are
written, in the order they are written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from meterspec.diagnostics import Diagnostics
from meterspec.revision import Replacement, Revision
from meterspec.spec import toml
from meterspec.spec.spans import Entry, Header, Piece, comments, members, statements

__all__ = ["WIDTH", "layout"]

WIDTH = 100
"""The longest line, in characters, that an array is written on; comments are not counted."""

_INDENT = 2
_MARK = "meterspec:"
_SPEAKS = re.compile(rf"#+[ \t]*{_MARK}")
"""A comment that begins so speaks for a line: what shares the line stays together."""
_CLOSING = {"[": "]", "{": "}"}
_COMMENT = re.compile(r"#[^\n]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ENDLESS = 1 << 62


def layout(name: str, data: bytes, out: Diagnostics) -> Revision | None:
    """The text of a file, revised to its canonical layout; None where something was reported (MS100 to MS118)."""
    if toml.read(name, data, out) is None:
        return None
    revision = Revision(data.decode())
    revision.apply(_replacements(revision.before))
    return revision


def _replacements(text: str) -> Iterator[Replacement]:
    """What to replace in a text, which is TOML, so that it has the canonical layout."""
    at = int(text.startswith("\ufeff"))
    yield from _replacement(text, 0, at, "")
    before: Header | Entry | None = None
    for statement in statements(text, [], at):
        start = statement.pieces[0].start if isinstance(statement, Entry) else statement.start
        yield from _replacement(text, at, start, _between(text[at:start], before, statement))
        name = ".".join([_key(text, piece) for piece in statement.pieces])
        if isinstance(statement, Header):
            yield from _replacement(text, start, statement.end, f"[[{name}]]" if statement.many else f"[{name}]")
        else:
            yield from _replacement(text, start, statement.start, f"{name} = ")
            room = WIDTH - len(name) - 3
            yield from _replacement(text, statement.start, statement.end, _value(text, statement, room))
        before, at = statement, statement.end
    yield from _replacement(text, at, len(text), _between(text[at:], before, None))


def _replacement(text: str, start: int, end: int, wanted: str) -> Iterator[Replacement]:
    if text[start:end] != wanted:
        yield Replacement(start, end, wanted)


# Between statements ---------------------------------------------------------------------------------------------


def _between(gap: str, before: Header | Entry | None, after: Header | Entry | None) -> str:
    """What stands between two statements: comments, and the empty lines that belong there."""
    if before is None:
        gap = f"\n{gap}"
    elif after is not None and gap == ("\n\n" if isinstance(after, Header) else "\n"):
        return gap
    behind, lines = _remarks(gap)
    if before is None or (isinstance(before, Header) and isinstance(after, Entry)):
        _drop_empty(lines, 0)
    if after is None:
        _drop_empty(lines, -1)
    elif before is not None and isinstance(after, Header):
        # Comments right above a header are about what it begins: the empty line stands above them.
        above = len(lines)
        while above and lines[above - 1]:
            above -= 1
        if above == 0:
            lines.insert(0, "")
    below = "".join([f"{line}\n" for line in lines])
    return below if before is None else f" {behind}\n{below}" if behind else f"\n{below}"


def _remarks(gap: str) -> tuple[str, list[str]]:
    """The comment that ends the line, and the lines below it: comments, and empty ones, never two in a row.

    Commas are left out, and so are the blanks in front of what follows.
    """
    behind, *below = gap.split("\n")
    found: list[str] = []
    for number, line in enumerate(below, 1):
        remark = _remark(line)
        if remark or (number < len(below) and "," not in line and found[-1:] != [""]):
            found.append(remark)
    return _remark(behind), found


def _remark(line: str) -> str:
    return line.lstrip(" \t,").rstrip(" \t\r")


def _drop_empty(lines: list[str], where: int) -> None:
    if lines and not lines[where]:
        del lines[where]


# Keys and values ------------------------------------------------------------------------------------------------


def _key(text: str, piece: Piece) -> str:
    """A key as it is written, without quotes where it needs none."""
    written = text[piece.start : piece.end]
    if written == piece.name:
        return written
    return piece.name if written[1:-1] == piece.name and _BARE.fullmatch(piece.name) else _scalar(written)


def _scalar(written: str) -> str:
    """A value that holds no others: as it is written, but for single quotes where double ones mean the same."""
    if written[0] == "'" and written[:3] != "'''" and '"' not in written and "\\" not in written:
        return f'"{written[1:-1]}"'
    return written.replace("\r\n", "\n")


def _value(text: str, value: Entry, room: int) -> str:
    """The value of an entry, laid out behind a key that leaves so much room."""
    written = text[value.start : value.end]
    if written[0] not in "[{":
        return _scalar(written)
    if _MARK in written and any(_SPEAKS.match(comment) for _, _, comment in comments(written)):
        return written.replace("\r\n", "\n")
    parts: list[str] = []
    _write(_node(text, value), parts, 0, room)
    return "".join(parts)


@dataclass(slots=True)
class _Node:
    """A value, and how it can be written."""

    key: str
    """With its `=`; empty in an array."""
    text: str
    """All of a value that holds no others; the opening bracket of one that does."""
    width: int | None
    """On one line; None where it takes several."""
    members: list[_Node] = field(default_factory=list)
    remarks: list[tuple[str, list[str]]] = field(default_factory=list)
    """What stands between the brackets and the members."""
    over_lines: bool = False
    """Whether it is written on several lines, apart from its members."""


def _node(text: str, value: Entry) -> _Node:
    key = f"{'.'.join([_key(text, piece) for piece in value.pieces])} = " if value.pieces else ""
    opening = text[value.start]
    if opening not in "[{":
        scalar = _scalar(text[value.start : value.end])
        return _Node(key, scalar, None if "\n" in scalar else len(scalar))
    found = members(text, value.start)
    gaps, at = [], value.start + 1
    for member in found:
        gaps.append(text[at : member.pieces[0].start if member.pieces else member.start])
        at = member.end
    gaps.append(text[at : value.end - 1])
    node = _Node(key, opening, None, [_node(text, member) for member in found])
    node.remarks = [_remarks(gap) for gap in gaps]
    node.over_lines = any("\n" in gap for gap in gaps)
    commented = any("#" in gap for gap in gaps)
    kept_open = bool(found) and "," in _COMMENT.sub("", gaps[-1]) and (opening == "[" or node.over_lines)
    widths = [member.width for member in node.members]
    if not commented and not kept_open and None not in widths:
        keys = sum(len(member.key) for member in node.members)
        blanks = 2 if opening == "{" and found else 0
        node.width = 2 + blanks + keys + sum(filter(None, widths)) + 2 * max(len(found) - 1, 0)
    return node


def _write(node: _Node, parts: list[str], indent: int, room: int) -> None:
    """Adds the parts of a value on a line with an indent. An inline table stays on its line, however long: TOML 1.0
    has no other."""
    if node.text not in _CLOSING:
        parts.append(node.text)
    elif (node.width is not None and node.width <= room) or (node.text == "{" and not node.over_lines):
        blank = " " if node.text == "{" and node.members else ""
        parts.append(f"{node.text}{blank}")
        for number, member in enumerate(node.members):
            parts.append(f"{', ' if number else ''}{member.key}")
            _write(member, parts, indent, _ENDLESS)
        parts.append(f"{blank}{_CLOSING[node.text]}")
    else:
        _write_over_lines(node, parts, indent)


def _write_over_lines(node: _Node, parts: list[str], indent: int) -> None:
    """Adds the parts of a value with every member on a line of its own, and a comma behind each."""
    inner = indent + _INDENT
    blanks = " " * inner
    _drop_empty(node.remarks[0][1], 0)
    _drop_empty(node.remarks[-1][1], -1)
    parts.append(node.text)
    for member, (behind, lines) in zip([None, *node.members], node.remarks, strict=True):
        if member is not None:
            parts.append(f"{blanks}{member.key}")
            _write(member, parts, inner, WIDTH - inner - len(member.key) - 1)
            parts.append(",")
        parts.append(f" {behind}\n" if behind else "\n")
        parts += [f"{blanks}{line}\n" if line else "\n" for line in lines]
    parts.append(f"{' ' * indent}{_CLOSING[node.text]}")
