"""The sessions and tables on the pages about obligations are what the commands print and the registry holds.

A block marked `session: PROJECT` is run line by line in a folder of its own that holds the files of the project, one
session after another on each page. `python -m tests.test_docs_sessions` writes outputs and tables anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from meterspec.regimes import Registry
from meterspec.spec import shape
from tests.conftest import FIXTURES, ROOT

PAGES = ("compliance", "reporting")
PROJECTS = {
    "carbon-report": {
        "meterspec.toml": ROOT / "examples" / "carbon-report" / "meterspec.toml",
        "events.jsonl": ROOT / "examples" / "carbon-report" / "events.jsonl",
    },
    "published": {"meterspec.toml": FIXTURES / "valid" / "published_long.toml"},
}
_SESSION = re.compile(r"(<!-- session: ([\w-]+) -->\n```console\n)(.*?)(```)", re.DOTALL)
_PART = re.compile(r"(<!-- part: ([\w-]+) (\S+) (\w+) -->\n```markdown\n)(.*?)(```)", re.DOTALL)
_TABLE = re.compile(r"(<!-- (keys|regimes|elements) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def page(name: str) -> Path:
    return ROOT / "docs" / f"{name}.md"


class Folder:
    """A folder with the files of a project, in which commands are run as on a page."""

    def __init__(self, project: str) -> None:
        self.path = Path(tempfile.mkdtemp())
        for name, file in PROJECTS[project].items():
            shutil.copy(file, self.path / name)

    def run(self, command: str) -> str:
        line = re.sub(r"^meterspec\b", f"{sys.executable} -m meterspec", command)
        done = subprocess.run(
            ["bash", "-c", f"{line} 2>&1"],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src")},
        )
        return "" if command.startswith("openssl") else done.stdout


def session(project: str, text: str) -> tuple[str, Folder]:
    """A session as it goes now: its commands, each with what it prints."""
    folder = Folder(project)
    lines = [line for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{folder.run(line[2:])}" for line in lines), folder


def remade(text: str) -> str:
    """A page with every output and table made anew."""
    last: list[Folder] = []

    def again(match: re.Match[str]) -> str:
        said, folder = session(match[2], match[3])
        last.append(folder)
        return f"{match[1]}{said}{match[4]}"

    def part(match: re.Match[str]) -> str:
        whole = (last[-1].path / match[3]).read_text()
        section = re.search(rf"^## {match[4]}\n\n(.*?)(?=^## |\Z)", whole, re.DOTALL | re.MULTILINE)
        assert section is not None
        return f"{match[1]}{section[1].strip()}\n{match[6]}"

    try:
        text = _PART.sub(part, _SESSION.sub(again, text))
    finally:
        for folder in last:
            shutil.rmtree(folder.path)
    return _TABLE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[4]}", text)


# Tables ---------------------------------------------------------------------------------------------------------

_WORDS = re.compile(r'"""(.*?)"""', re.DOTALL)


def keys() -> str:
    """Every key of the two tables, with the words of the language for it."""
    source = Path(shape.__file__).read_text()

    def rows(kind: type, owner: str) -> list[str]:
        body = source.partition(f"class {kind.__name__}:\n")[2].partition("\n\n\n")[0]
        found = re.findall(r'^    (\w+): .*?\n    """(.*?)"""', body, re.MULTILINE | re.DOTALL)
        words = {name: " ".join(text.split()) for name, text in found}
        return [f"| `{each.name}` | {owner} | {words[each.name]} |" for each in fields(kind)]

    listed = [*rows(shape.Compliance, "family"), *rows(shape.Reporting, "meter"), *rows(shape.Sink, "`[sinks.NAME]`")]
    return "\n".join(["| key | of | |", "| --- | --- | --- |", *listed]) + "\n"


def regimes() -> str:
    registry = Registry()
    rows = ["| regime | what it is | keeps events for at least | verified |", "| --- | --- | --- | --- |"]
    for name in registry.names():
        regime = registry.regime(name)
        assert regime is not None
        kept = [
            f"{one.min_months} months from `{one.clock}`{'' if one.verified else ' (unverified)'}"
            for one in regime.retention
            if one.covers == "events"
        ]
        words = {"entity_defined": "what the entity states", "member_state": "what the member state sets"}
        none = words.get(regime.retention_basis, "-")
        rows.append(f"| `{name}` | {regime.title} | {'; '.join(kept) or none} | {'yes' if regime.verified else 'no'} |")
    return "\n".join(rows) + "\n"


def elements() -> str:
    known = Registry().datapoints()
    return "".join(f"| `{name}` | {point.unit} |\n" for name, (_, point) in known.items())


TABLES = {"keys": keys, "regimes": regimes, "elements": elements}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_commands_print(name: str) -> None:
    text = page(name).read_text()
    assert text == remade(text), "run `python -m tests.test_docs_sessions`, and read what changed"


@pytest.mark.parametrize("name", PAGES)
def test_a_link_to_a_section_leads_to_one(name: str) -> None:
    for target, section in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page(name).read_text()):
        text = (ROOT / "docs" / (target or f"{name}.md")).read_text()
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert section in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, section


if __name__ == "__main__":
    for each in PAGES:
        page(each).write_text(remade(page(each).read_text()))
