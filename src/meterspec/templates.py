"""Templates: words and loops around what a backend has built; no decision and no quoting is made in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render"]


def render(name: str, **facts: object) -> str:
    """A template filled in; a fact it names and is not given is an error."""
    return _environment().get_template(name).render(**facts)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - 50 ms, only to emit

    return Environment(
        loader=FileSystemLoader(_folder()),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"], default_for_string=False),  # the others are SQL and prose
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _folder() -> Path:
    """The folder in the installed package, or that of the checkout an editable install points into."""
    package = Path(__file__).resolve().parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent.parent / "templates"
