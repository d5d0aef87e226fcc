"""The manifest for people: one page in Markdown and one in HTML that needs nothing but itself.

A text of a spec never becomes markup: in HTML it is escaped, in Markdown it stands in code.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import Any

from meterspec.templates import render

__all__ = ["code", "html", "markdown"]

Document = dict[str, Any]


def markdown(facts: Document) -> str:
    """`report.md`."""
    return render("compliance/report.md.j2", facts=facts, code=code, counts=_counts(facts), short=_short)


def html(facts: Document) -> str:
    """`report.html`: no script, no style sheet and no picture from anywhere else."""
    return render(
        "compliance/report.html.j2", facts=facts, text=_text, prose=_prose, counts=_counts(facts), short=_short
    )


def _counts(facts: Document) -> dict[str, int]:
    """How often rules came out in each way."""
    found = Counter(entry["status"] for entry in facts["controls"])
    return {status: found[status] for status in ("fail", "waived", "pass", "not_applicable")}


def _visible(value: object) -> str:
    """A value as text, with what cannot be seen written out."""
    text = "-" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def _text(value: object) -> str:
    return escape(_visible(value))


def _prose(value: object) -> str:
    """A message in HTML: what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", _text(value))


def code(value: object) -> str:
    """A value as code that also stands in a table: between more backticks than it has in a row."""
    text = _visible(value).replace("|", "\\|")
    if text in {"", "-"}:
        return text
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _short(digest: str) -> str:
    return digest[:12]
