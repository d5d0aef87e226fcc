"""The canonical layout of a spec: blanks, line breaks, commas and quotes are replaced, and nothing that has a meaning.

The layout is found statement by statement on the text itself. Comments and values are carried over as they are
written, in the order they are written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from meterspec.diagnostics import Diagnostics
from meterspec.revision import Replacement, Revision
from meterspec.spec import toml
from meterspec.spec.spans import Entry, Header, Piece, comments, members, statements

__all__ = ["WIDTH", "layout"]

WIDTH = 100
"""The longest line, in characters, that an array is written on; comments are not counted."""

_INDENT = 2
_MARK = "meterspec:"
"""A comment that begins so speaks for a line: what shares the line stays together."""
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
    if gap == "\n" and isinstance(after, Entry):
        return gap
    behind, lines = _remarks(gap if before else f"\n{gap}")
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
    return f" {behind}\n{below}" if behind else f"\n{below}" if before else below


def _remarks(gap: str) -> tuple[str, list[str]]:
    """The comment that ends the line, and the lines below it: comments, and empty ones, never two in a row.

    Commas are left out, and what stands on the line of whatever follows.
    """
    lines = gap.split("\n")
    found: list[str] = []
    for line in lines[1:]:
        remark = line.lstrip(" \t,").rstrip(" \t\r")
        if remark or ("," not in line and found[-1:] != [""]):
            found.append(remark)
    if not lines[-1].lstrip(" \t,") and "," not in lines[-1] and len(lines) > 1:
        _drop_empty(found, -1)
    return lines[0].lstrip(" \t,").rstrip(" \t\r"), found


def _drop_empty(lines: list[str], where: int) -> None:
    if lines and not lines[where]:
        del lines[where]
