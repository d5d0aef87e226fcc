"""A comparison as a comment on a pull request or merge request: short first, details folded, nothing to say nothing.

What a spec or an event says is text in it, never markup, and no line begins with a text from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meterspec.diff import Impact
from meterspec.markup import escaped
from meterspec.reports.comparison import Comparison, Movement, Reported, movements
from meterspec.reports.words import (
    amount,
    customer_row,
    number_table,
    numbers_words,
    remarks,
    signed,
    summary,
    total_words,
)

__all__ = ["MARKER", "MOST", "as_markdown"]

MARKER = "<!-- meterspec diff -->"
"""The first line: what the comment of an earlier run is found by."""
MOST = 65_000
"""The most characters of a comment; GitHub takes 65,536."""
_ROWS = 50
"""The most rows of a table."""
_TABLE = 20_000
"""The most characters of a table."""
_CUT = "<sub>There is more than a comment holds: <code>meterspec diff</code> prints all of it.</sub>"


def as_markdown(comparison: Comparison) -> str:
    """The comment; an empty text where nothing means anything else."""
    if not comparison.changes:
        return ""
    moved = movements(comparison.money.invoices) if comparison.money is not None else []
    parts = [MARKER, f"### meterspec: {summary(comparison.changes)}\n"]
    parts += [f"{_movement_words(movement)}\n" for movement in moved]
    loud = [c for c in comparison.changes if c.impact is not Impact.SAFE and c.approval is None]
    quiet = [c for c in comparison.changes if c.impact is Impact.SAFE or c.approval is not None]
    page = _Page("\n".join(parts))
    page.add(_listed([f"- {escaped(line)}" for line in remarks(comparison)]))
    page.add(_changes(loud))
    page.add(_folded("How to ship it", _steps(comparison)))
    for movement in moved:
        page.add(_folded(f"Invoices in {movement.total.currency}", _movers(movement)))
    for numbers in comparison.money.numbers if comparison.money is not None else ():
        if numbers.moved:
            header, rows = number_table(numbers, _ROWS)
            title = f"<code>{escaped(numbers.meter)}</code>: {numbers_words(numbers)}"
            right = range(len(header) - 4, len(header))
            page.add(_folded(title, _table(header, rows, right, len(numbers.moved))))
    page.add(_folded("Safe and approved changes", _changes(quiet)))
    page.add([f"<sub>Compared with {escaped(comparison.base)}.</sub>"])
    return page.text


class _Page:
    """Parts one below the other, as long as they fit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._full = False

    def add(self, lines: Sequence[str]) -> None:
        if not lines or self._full:
            return
        part = "\n".join(lines) + "\n"
        if len(self.text) + len(part) < MOST - 200:
            self.text += f"\n{part}"
        else:
            self._full = True
            self.text += f"\n{_CUT}\n"


def _changes(changes: Sequence[Reported]) -> list[str]:
    rows = [[_impact(change), escaped(change.verdict.message) + _why(change)] for change in changes[:_ROWS]]
    return _table(["", "change"], rows, (), len(changes), raw=True)


def _impact(change: Reported) -> str:
    word = "approved" if change.approval is not None else change.impact.value
    return f"{f'**{word}**' if word == 'breaking' else word}&nbsp;{change.verdict.code}"


def _why(change: Reported) -> str:
    if change.approval is None:
        return ""
    return f"<br>until {change.approval.until}: {escaped(change.approval.reason)}"


def _movement_words(movement: Movement) -> str:
    total = movement.total
    sums = f"{total.currency} {amount(total.before)} → {amount(total.after)} (**{signed(total.difference)}**)"
    return f"{sums}: {total_words(total)}."


def _movers(movement: Movement) -> list[str]:
    rows = [customer_row(one) for one in movement.movers[:_ROWS]]
    return _table(["customer", "before", "after", "difference", "%"], rows, (1, 2, 3, 4), len(movement.movers))


def _steps(comparison: Comparison) -> list[str]:
    steps = enumerate(comparison.steps, 1)
    return _listed([f"{number}. {escaped(step.words)} ({', '.join(step.because)})" for number, step in steps])


def _listed(lines: Sequence[str]) -> list[str]:
    """The first of the lines of a list."""
    more = len(lines) - _ROWS
    return [*lines[:_ROWS], f"\nand {more} more"] if more > 0 else [*lines]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    """Lines that are shown when their title is clicked."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"] if lines else []


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int], count: int, *, raw: bool = False
) -> list[str]:
    """A table of the first rows of `count`; `raw` cells are Markdown already."""
    if not rows:
        return []
    numeric = set(right)
    rule = ["---:" if number in numeric else "---" for number in range(len(header))]
    cells = [list(header) if raw else list(map(escaped, header)), rule]
    cells += [list(row) if raw else list(map(escaped, row)) for row in rows]
    lines, size = [], 0
    for row in cells:
        line = f"| {' | '.join(row)} |"
        size += len(line)
        if size > _TABLE:
            break
        lines.append(line)
    more = count - len(lines) + 2
    return [*lines, "", f"and {more} more"] if more else lines
