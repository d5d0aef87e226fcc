"""Findings and numbers as people and programs read them: text with carets, JSON, tables. Nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from meterspec.diagnostics import Diagnostic, Severity
from meterspec.source import Place, Span

__all__ = [
    "Palette",
    "as_json",
    "concise",
    "day",
    "diagnostics_json",
    "full",
    "instant",
    "plain",
    "printable",
    "short",
    "summary",
    "table",
]


@dataclass(frozen=True, slots=True)
class Palette:
    """The escape sequences of a terminal, or nothing of the kind."""

    colour: bool = False

    def paint(self, text: str, *styles: str) -> str:
        codes = {"bold": "1", "red": "31", "yellow": "33", "blue": "34", "cyan": "36", "green": "32", "dim": "2"}
        if not self.colour:
            return text
        return f"\x1b[{';'.join(codes[style] for style in styles)}m{text}\x1b[0m"


_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.HINT: "cyan"}


def printable(text: str) -> str:
    """The text with every character that could command a terminal, or hide, written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(number: Decimal) -> str:
    """A decimal without an exponent, as it is: `12.50` stays `12.50`."""
    return f"{number:f}"


def short(number: Decimal) -> str:
    """A decimal without zeros at its end: 12.500000 is 12.5."""
    text = plain(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(moment: datetime) -> str:
    """An instant in UTC as RFC 3339 has it, with a fraction only where there is one."""
    return moment.isoformat().replace("+00:00", "Z")


def day(moment: datetime | None) -> str:
    """An instant as short as it can be said."""
    return "ever" if moment is None else instant(moment).removesuffix("T00:00:00Z")


_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
"""Characters that command a terminal, turn the direction of a line, or take no space."""


def as_json(document: object) -> str:
    """A document as JSON: keys sorted, a line break at the end; what could command a terminal, or hide, is escaped."""
    import json  # noqa: PLC0415 - not for text

    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if text.isascii() and "\x7f" not in text:
        return text
    # Only texts hold such characters, and JSON has an escape for each.
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings in the order they stand in the files; those without a place come first."""
    placed = [(_spot(d), d) for d in found]
    return [d for _, d in sorted(placed, key=lambda pair: pair[0])]


def _spot(diagnostic: Diagnostic) -> tuple[str, int, str]:
    if diagnostic.at is None:
        return "", 0, diagnostic.code
    span = diagnostic.at.span()
    return span.source.name, span.start, diagnostic.code


def full(diagnostic: Diagnostic, palette: Palette) -> str:
    """A finding with its line of the file, a caret below it, and what to type instead."""
    colour = _COLOURS[diagnostic.severity]
    head = palette.paint(f"{diagnostic.severity.value}[{diagnostic.code}]", "bold", colour)
    lines = [f"{head}{palette.paint(':', 'bold')} {palette.paint(printable(diagnostic.message), 'bold')}"]
    if diagnostic.at is not None:
        lines += _excerpt(diagnostic.at.span(), "", palette, colour)
    for place, words in diagnostic.related:
        lines += _excerpt(place.span(), words, palette, "blue")
    if diagnostic.hint:
        lines.append(f"  {palette.paint('=', 'blue')} {palette.paint('help', 'bold')}: {printable(diagnostic.hint)}")
    return "\n".join(lines) + "\n"


def _excerpt(span: Span, words: str, palette: Palette, colour: str) -> list[str]:
    begin, finish = span.begin, span.finish
    gutter = str(begin.line)
    margin = " " * len(gutter)
    text = span.source.line(begin.line)
    end = finish.column - 1 if finish.line == begin.line else len(text)
    before, marked = text[: begin.column - 1], text[begin.column - 1 : end]
    carets = "^" * max(1, _width(marked))
    label = f" {words}" if words else ""
    bar = palette.paint("|", "blue")
    return [
        f"{margin}{palette.paint('-->', 'blue')} {printable(span.source.name)}:{begin.line}:{begin.column}",
        f"{margin} {bar}",
        f"{palette.paint(gutter, 'blue')} {bar} {_clean(text)}",
        f"{margin} {bar} {' ' * _width(before)}{palette.paint(carets + label, 'bold', colour)}",
    ]


def _clean(text: str) -> str:
    """A line of a file as a terminal may show it, every character as wide as `_width` says."""
    return "".join(c if c.isprintable() else " " for c in text)


def _width(text: str) -> int:
    """The columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - only for a line that needs it

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def concise(diagnostic: Diagnostic) -> str:
    """A finding on one line."""
    where = ""
    if diagnostic.at is not None:
        begin = diagnostic.at.span().begin
        where = f"{printable(diagnostic.at.source.name)}:{begin.line}:{begin.column}: "
    hint = f" ({printable(diagnostic.hint)})" if diagnostic.hint else ""
    return f"{where}{diagnostic.severity.value}[{diagnostic.code}] {printable(diagnostic.message)}{hint}\n"


def diagnostics_json(found: Sequence[Diagnostic]) -> dict[str, object]:
    """Findings as the contract of `validate --format json` has them."""
    return {
        "diagnostics": [_entry(diagnostic) for diagnostic in found],
        "summary": {
            "errors": sum(d.severity is Severity.ERROR for d in found),
            "warnings": sum(d.severity is Severity.WARNING for d in found),
        },
    }


def _entry(diagnostic: Diagnostic) -> dict[str, object]:
    entry: dict[str, object] = {
        "code": diagnostic.code,
        "name": diagnostic.rule.slug,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "help": diagnostic.hint,
        **_location(diagnostic.at),
    }
    return entry


def _location(at: Place | None) -> dict[str, object]:
    if at is None:
        return {"file": None, "line": None, "column": None, "end_line": None, "end_column": None}
    span = at.span()
    return {
        "file": span.source.name,
        "line": span.begin.line,
        "column": span.begin.column,
        "end_line": span.finish.line,
        "end_column": span.finish.column,
    }


def summary(found: Sequence[Diagnostic]) -> str:
    """How many findings of each severity, in words."""
    counts = [(severity, sum(d.severity is severity for d in found)) for severity in Severity]
    words = [f"{count} {severity.value}{'s' if count != 1 else ''}" for severity, count in counts if count]
    return ", ".join(words) or "no findings"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int], palette: Palette) -> str:
    """Aligned columns; those numbered in `right` are numbers."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[n]) for row in [list(headers), *cells]) for n in range(len(headers))]

    def line(row: Sequence[str], *styles: str) -> str:
        padded = []
        for number, cell in enumerate(row):
            space = " " * (widths[number] - _width(cell))
            padded.append(space + cell if number in right else cell + space)
        text = "  ".join(padded).rstrip()
        return palette.paint(text, *styles) if styles else text

    rule = palette.paint("  ".join(("─" if palette.colour else "-") * width for width in widths), "dim")
    return "\n".join([line(headers, "bold"), rule, *(line(row) for row in cells)]) + "\n"
