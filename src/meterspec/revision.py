"""A text that is revised: replacements applied in rounds, and what they changed as a unified diff."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

__all__ = ["Replacement", "Revision"]

_CONTEXT = 3
"""Unchanged lines that a diff shows around what changed."""


class Replacement(NamedTuple):
    """The characters from `start` up to `end` become `text`."""

    start: int
    end: int
    text: str


class Revision:
    """A text, and what has become of it."""

    def __init__(self, text: str) -> None:
        self.before = text
        self.after = text
        self._rounds: list[tuple[str, list[Replacement]]] = []

    def apply(self, replacements: Iterable[Replacement]) -> None:
        """Replaces parts of the text as it is by now. They are in order and do not overlap."""
        made = list(replacements)
        self._rounds.append((self.after, made))
        self.after = _replaced(self.after, 0, len(self.after), made)

    def diff(self, name: str) -> str:
        """What changed, as `patch` and `git apply` read it; empty where nothing did.

        The lines that changed are known from the replacements, so the cost is that of reading the text.
        """
        before, after = _lines(self.before), _lines(self.after)
        hunks = [_hunk(before, after, changes) for changes in _grouped(self._changes(before, after))]
        return f"--- {name}\n+++ {name}\n{''.join(hunks)}" if hunks else ""

    def _changes(self, before: list[str], after: list[str]) -> Iterator[_Change]:
        """The lines that went and the lines that came, in order."""
        came_from: list[int | None] = list(range(len(before)))
        for text, replacements in self._rounds:
            came_from = _followed(came_from, text, replacements)
        old = new = 0
        for number, origin in enumerate([*came_from, len(before)]):
            if origin is None:
                continue
            if before[old:origin] != after[new:number]:
                yield _Change(old, origin, new, number)
            old, new = origin + 1, number + 1


class _Change(NamedTuple):
    """Lines before, and the lines in their place after; the ends are not included."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def _lines(text: str) -> list[str]:
    """The lines of a text with their ends; unlike `splitlines`, only a line feed ends one."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [lines[-1]] * bool(lines[-1])


def _replaced(text: str, start: int, end: int, replacements: Sequence[Replacement]) -> str:
    """A part of a text after the replacements in it."""
    parts = []
    for replacement in replacements:
        parts += [text[start : replacement.start], replacement.text]
        start = replacement.end
    parts.append(text[start:end])
    return "".join(parts)


def _followed(came_from: list[int | None], text: str, replacements: list[Replacement]) -> list[int | None]:
    """Where the lines of a text come from once parts of it are replaced; None for a line that is new."""
    lines = _lines(text)
    starts = [0, *accumulate(map(len, lines))]
    last = len(lines) if text.endswith("\n") or not lines else len(lines) - 1

    def line_of(offset: int) -> int:
        return min(bisect_right(starts, offset) - 1, last)

    followed: list[int | None] = []
    at = number = 0
    while number < len(replacements):
        begin, first = number, line_of(replacements[number].start)
        final = first
        while number < len(replacements) and line_of(replacements[number].start) <= final:
            final = max(final, line_of(replacements[number].end))
            number += 1
        stop = starts[min(final + 1, len(lines))]
        old = lines[first : final + 1]
        new = _lines(_replaced(text, starts[first], stop, replacements[begin:number]))
        same = next((n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
        head = min(len(old), len(new)) if same is None else same
        tail = 0
        while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        followed += came_from[at : first + head]
        followed += [None] * (len(new) - head - tail)
        at = first + len(old) - tail
    return followed + came_from[at:]


def _grouped(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Changes whose surroundings meet, together."""
    group: list[_Change] = []
    for change in changes:
        if group and change.old_start - group[-1].old_end > 2 * _CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(before: list[str], after: list[str], changes: list[_Change]) -> str:
    start = max(changes[0].old_start - _CONTEXT, 0)
    end = min(changes[-1].old_end + _CONTEXT, len(before))
    lines, at, grown = [], start, 0
    for change in changes:
        lines += [f" {line}" for line in before[at : change.old_start]]
        lines += [f"-{line}" for line in before[change.old_start : change.old_end]]
        lines += [f"+{line}" for line in after[change.new_start : change.new_end]]
        at = change.old_end
        grown += change.new_end - change.new_start - (change.old_end - change.old_start)
    lines += [f" {line}" for line in before[at:end]]
    new_start = changes[0].new_start - (changes[0].old_start - start)
    old_range, new_range = _range(start, end - start), _range(new_start, end - start + grown)
    body = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return f"@@ -{old_range} +{new_range} @@\n{body}"


def _range(start: int, count: int) -> str:
    """Lines as a diff names them: counted from 1, or after which line where there are none."""
    return f"{start + bool(count)},{count}" if count != 1 else f"{start + 1}"
