"""The manifest for people: one page in Markdown and one in HTML that needs nothing but itself.

A text of a spec never becomes markup: the templates of HTML escape it, in Markdown it stands in code.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from meterspec.templates import render

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["code", "html", "markdown"]

Document = dict[str, Any]


def markdown(facts: Document) -> str:
    """`report.md`."""
    return render("compliance/report.md.j2", facts=facts, code=code, counts=_counts(facts), short=_short)


def html(facts: Document) -> str:
    """`report.html`: no script, no style sheet and no picture from anywhere else."""
    return render(
        "compliance/report.html.j2", facts=facts, text=_visible, prose=_prose, counts=_counts(facts), short=_short
    )


def _counts(facts: Document) -> dict[str, int]:
    """How often rules came out in each way."""
    found = Counter(entry["status"] for entry in facts["controls"])
    return {status: found[status] for status in ("fail", "waived", "pass", "not_applicable")}


def _visible(value: object) -> str:
    """A value as text, with what cannot be seen written out."""
    text = "-" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def _prose(value: object) -> Markup:
    """A message in HTML: what stands between backticks is code."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - with the templates

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(_visible(value)))))  # noqa: S704 - escaped


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
