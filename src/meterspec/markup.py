"""Texts from outside as text in Markdown: never markup, a link or a mention, at GitHub and GitLab too."""

from __future__ import annotations

import re

from meterspec.render import printable

__all__ = ["escaped"]

_LONGEST = 400
"""The most characters of a text in one place."""
_ACTIVE = re.compile(r"[^\w .,;?=%'\"+()!/:-]|(?<!\w)_|_(?!\w)|:(?=\S)|(?<=[Ww]{3})\.")
"""What could be markup or a link; other scripts are letters."""


def escaped(text: str) -> str:
    """A text, at most its first 400 characters: what stands between backticks in it is code.

    It is to stand behind something on its line: at the beginning of one it could be a list, or a command at GitLab.
    """
    text = printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
    parts = [_ACTIVE.sub(_reference, part) for part in text.split("`")]
    # A mention is looked for after references were read, but not inside of code or across elements.
    parts[::2] = [part.replace("&#64;", "&#64;<span></span>") for part in parts[::2]]
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    return "".join(parts)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};" if match[0].isascii() else match[0]
