"""Fixtures that announce their own diagnostics, in comments.

`key = value  # error: MS201 "did you mean"` expects that finding, with those words in its message or its help, on that
line. A comment alone on its line speaks for the next one; `error(+2)` reaches further down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from meterspec.diagnostics import Diagnostic, Diagnostics
from meterspec.ir import Program
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.render import order
from meterspec.spec.spans import comments

_ANNOUNCED = re.compile(r"#\s*(error|warning|hint|change)(\(\+(\d+)\))?:\s*(M[SD]\d{3})\s*(.*)")
_FRAGMENT = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Announced:
    """A finding that a fixture expects."""

    line: int
    severity: str
    code: str
    fragments: tuple[str, ...]


def announced(text: str) -> list[Announced]:
    """What the comments of a document expect."""
    lines = text.splitlines()
    found = []
    for number, column, comment in comments(text):
        match = _ANNOUNCED.fullmatch(comment.strip())
        if match is None:
            continue
        alone = not lines[number - 1][: column - 1].strip()
        line = number + alone + int(match[3] or 0)
        found.append(Announced(line, match[1], match[4], tuple(_FRAGMENT.findall(match[5]))))
    return found


def check_text(text: str, name: str = "meterspec.toml") -> tuple[Program | None, list[Diagnostic]]:
    """A document through all phases: its program, if it has one, and what was found, in the order it stands."""
    out = Diagnostics()
    program = load([SpecFile(name, text.encode())], out)
    return program, order(out)


def check_file(path: Path) -> tuple[Program | None, list[Diagnostic]]:
    """A file, or all files of a folder, through all phases."""
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    out = Diagnostics()
    program = load([SpecFile(file.name, file.read_bytes()) for file in files], out)
    return program, order(out)
