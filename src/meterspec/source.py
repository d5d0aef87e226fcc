"""Where things stand: texts, spans in them, and places that become spans only when something is reported."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

__all__ = ["Part", "Path", "Place", "Position", "Source", "Span"]

Path = tuple[str | int, ...]
"""A route into a document: `("meters", 0, "aggregate", "value")`."""


class Part(Enum):
    """Which piece of an entry a place means."""

    KEY = auto()
    """The key as the author wrote it; for a table or an array of tables, the name in its header."""
    VALUE = auto()
    """The value; for a table that has a header, the header."""


_VALUE = Part.VALUE


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A line and a column, both counted from 1; a column counts code points."""

    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """One text and the name people know it by."""

    name: str
    text: str
    locate: Callable[[str, Path, Part, tuple[int, int] | None], tuple[int, int]] | None = field(
        default=None, compare=False, repr=False
    )
    """Gives the offsets of a path in the text; None where the text has no structure to walk."""

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset of the first character of every line."""
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> Position:
        """The line and column of an offset; the end of the text is a position too."""
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line counted from 1, without its line break."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] - 1 if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].removesuffix("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters in a source, the end not included."""

    source: Source
    start: int
    end: int

    @property
    def begin(self) -> Position:
        return self.source.position(self.start)

    @property
    def finish(self) -> Position:
        return self.source.position(self.end)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]


class Place(NamedTuple):
    """A route to something in a source; it costs next to nothing until `span` is asked for.

    `inside` is a range of characters of the decoded text that stands there, such as the operator of a CEL
    expression inside its TOML string.
    """

    source: Source
    path: Path = ()
    part: Part = Part.VALUE
    inside: tuple[int, int] | None = None

    def __truediv__(self, step: str | int) -> Place:
        # What `Place(...)` does, without the two calls around it: a large spec takes this step half a million times.
        return tuple.__new__(Place, (self.source, (*self.path, step), _VALUE, None))

    def parent(self) -> Place:
        """The table or array this entry is in."""
        return Place(self.source, self.path[:-1])

    def key(self) -> Place:
        """The key of this entry rather than its value."""
        return Place(self.source, self.path, Part.KEY)

    def within(self, start: int, end: int) -> Place:
        """A range of characters of the text that stands here."""
        return Place(self.source, self.path, Part.VALUE, (start, end))

    def span(self) -> Span:
        """The characters meant. A path that is absent gives the nearest enclosing thing that is written down."""
        if self.source.locate is None:
            start, end = self.inside or (0, 0)
            return Span(self.source, start, end)
        start, end = self.source.locate(self.source.text, self.path, self.part, self.inside)
        return Span(self.source, start, end)
