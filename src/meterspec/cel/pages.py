"""The table of operators and functions as it stands in docs/expressions.md.

`python -m meterspec.cel.pages` prints it.
"""

from __future__ import annotations

import sys

from meterspec.cel.functions import OVERLOADS, Overload, Style

__all__ = ["functions_page"]

_SECTIONS = ("Arithmetic", "Comparison and logic", "Text", "Conversions", "Time", "Mathematics")


def functions_page() -> str:
    """Every overload in Markdown: a section a subject, a row an overload, with its examples."""
    parts = []
    for section in _SECTIONS:
        rows = [_row(overload) for overload in OVERLOADS if _section(overload) == section]
        head = ["| form | gives | example |", "| --- | --- | --- |"]
        parts.append("\n".join([f"### {section}\n", *head, *rows]) + "\n")
    return "\n".join(parts)


def _section(overload: Overload) -> str:
    """The subject of an overload, by what its function is called."""
    name = overload.function
    if overload.style is Style.OPERATOR or name == "has":
        numeric = {"+", "-", "*", "/", "%"}
        return "Arithmetic" if name in numeric else "Comparison and logic"
    if name.startswith("math."):
        return "Mathematics"
    if name.startswith("get"):
        return "Time"
    return "Conversions" if name in {"double", "int", "string"} else "Text"


def _row(overload: Overload) -> str:
    form, _, result = overload.signature.rpartition(" -> ")
    shown = [_code(form)]
    if overload.style is Style.EITHER:
        first, _, rest = form.partition("(")[2].removesuffix(")").partition(", ")
        shown.append(_code(f"{first}.{overload.function}({rest})"))
    examples = "<br>".join(_code(example) for example in overload.examples)
    return f"| {' or '.join(shown)} | {_code(result)}: {_sentence(overload)} | {examples} |"


def _sentence(overload: Overload) -> str:
    """What an overload gives, without what only a backend has to know."""
    return overload.doc.partition("; a tree holds ")[0].removesuffix(".") + "."


def _code(text: str) -> str:
    """Text as code in a cell of a table."""
    return f"`{text.replace('|', chr(92) + '|')}`"


if __name__ == "__main__":
    sys.stdout.write(functions_page())
