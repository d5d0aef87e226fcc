"""The pages for users say what is so: their specs are compiled, their commands run, their tables generated.

A mark in a comment says what the block below it is:

- `spec`: a whole spec; comments in it announce what the compiler and the SQL target report, as in a fixture
- `file: PATH`: the text of a file below docs/
- `json: COMMAND`, `stderr: COMMAND`, `rejects: COMMAND`: what a command prints (its tables are in `test_docs`)
- `step`: statements of a session on DuckDB; a table right below a SELECT is what it gives
- `generated: NAME` to `end`: what a module prints

`python -m tests.test_docs_examples` writes outputs and generated parts anew.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterspec.backends.stripe import support_table
from meterspec.cel.pages import functions_page
from meterspec.diagnostics import Diagnostics
from meterspec.diff.pages import rules_table
from meterspec.examples import check_examples
from meterspec.pipeline import compile_program, load
from meterspec.project import SpecFile
from meterspec.render import order
from tests.conftest import ROOT
from tests.corpus import announced

DOCS = ROOT / "docs"
NAMES = ("language", "expressions", "running", "compile", "diff", "stripe")
PAGES = {name: DOCS / f"{name}.md" for name in NAMES}
GENERATED = {"functions": functions_page, "changes": rules_table, "stripe": support_table}

_SPEC = re.compile(r"<!-- spec -->\n```toml\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"<!-- file: ([^\n]+?) -->\n```\w+\n(.*?)```", re.DOTALL)
_PRINTED = re.compile(r"<!-- (json|stderr|rejects|output): ([^\n]+?) -->\n```(?:json|text)\n(.*?)```", re.DOTALL)
_EXIT = re.compile(r"^\| `(meterspec [^`]+)` \| ([012]) \|", re.MULTILINE)
_STEP = re.compile(r"<!-- step -->\n```sql\n(.*?)```\n(?:\n((?:\|[^\n]*\n)+))?", re.DOTALL)
_GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n\n)(.*?)(<!-- end -->)", re.DOTALL)


def text_of(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def found_on_pages(pattern: re.Pattern[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for page in PAGES:
        for match in pattern.finditer(text_of(page)):
            yield page, tuple(group or "" for group in match.groups())


def run(command: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "meterspec"
    return subprocess.run(
        [sys.executable, "-m", "meterspec", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


def printed_by(kind: str, command: str) -> str:
    if kind != "rejects":
        done = run(command)
        return done.stderr if kind == "stderr" else done.stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rejects.jsonl"
        run(f"{command} --rejects {path}")
        return path.read_text(encoding="utf-8")


# Specs ----------------------------------------------------------------------------------------------------------

SPECS = [(page, text) for page, (text,) in found_on_pages(_SPEC)]


@pytest.mark.parametrize(("page", "text"), SPECS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(SPECS)])
def test_a_spec_on_a_page_gives_what_it_announces_and_nothing_else(page: str, text: str) -> None:
    out = Diagnostics()
    files = [SpecFile("meterspec.toml", text.encode())]
    program = load(files, out)
    if program is not None:
        compile_program(program, files, out, targets=["sql"])
    found, expected = order(out), announced(text)
    seen = [(d.at.span().begin.line if d.at else 0, d.severity.value, d.code) for d in found]
    assert seen == [(e.line, e.severity, e.code) for e in expected], page
    for diagnostic, wanted in zip(found, expected, strict=True):
        said = f"{diagnostic.message} {diagnostic.hint or ''}"
        assert all(fragment in said for fragment in wanted.fragments), said
    if program is not None and not out.has_errors:
        assert all(outcome.passed for outcome in check_examples(program, out))


@pytest.mark.parametrize("page", NAMES)
def test_every_piece_of_toml_is_a_whole_spec_or_a_file(page: str) -> None:
    text = text_of(page)
    assert text.count("```toml") == len(_SPEC.findall(text)) + len(re.findall(r"<!-- file: [^\n]+ -->\n```toml", text))


# Files, outputs, exit codes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "shown"), list(found_on_pages(_FILE)))
def test_a_file_on_a_page_is_that_file(page: str, shown: tuple[str, str]) -> None:
    path, text = shown
    assert (DOCS / path).read_text(encoding="utf-8") == text, page


PRINTED = [(page, shown) for page, shown in found_on_pages(_PRINTED) if shown[0] != "output"]


@pytest.mark.parametrize(("page", "shown"), PRINTED, ids=[f"{page}-{shown[0]}" for page, shown in PRINTED])
def test_what_a_page_shows_is_what_the_command_prints(page: str, shown: tuple[str, str, str]) -> None:
    kind, command, text = shown
    assert printed_by(kind, command).strip("\n") == text.strip("\n"), page


EXITS = list(found_on_pages(_EXIT))


@pytest.mark.parametrize(("page", "row"), EXITS, ids=[row[0] for _, row in EXITS])
def test_a_command_exits_with_what_the_page_says(page: str, row: tuple[str, str]) -> None:
    command, code = row
    assert run(command).returncode == int(code), page


# A session on DuckDB --------------------------------------------------------------------------------------------


def test_the_steps_on_a_warehouse_give_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb  # noqa: PLC0415

    assert run(f"meterspec compile docs/examples/gateway --out {tmp_path / 'build'}").returncode == 0
    monkeypatch.chdir(ROOT)
    shown = 0
    with duckdb.connect() as connection:
        for statements, table in _STEP.findall(text_of("compile")):
            script = re.sub(r"\.read (\S+)", lambda m: (tmp_path / m[1]).read_text(encoding="utf-8"), statements)
            if not script.startswith("SELECT"):
                connection.execute(script)
                continue
            columns, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
            query = script.strip().removesuffix(";")
            # As texts: an instant in Python needs a package for time zones.
            cursor = connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({query})")
            assert [name for name, *_ in cursor.description or ()] == columns
            assert [list(row) for row in cursor.fetchall()] == rows
            shown += 1
    assert shown == 5


# Generated parts, the index, and links --------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "part"), list(found_on_pages(_GENERATED)), ids=list(GENERATED))
def test_a_generated_part_is_up_to_date(page: str, part: tuple[str, ...]) -> None:
    _, name, text, _ = part
    assert text == GENERATED[name]() + "\n", (
        f"run `python -m tests.test_docs_examples`, and read what changed in {page}"
    )


def test_the_index_names_every_page_once() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in DOCS.glob("*.md") if path.name != "README.md"]
    assert {name: index.count(f"]({name})") for name in pages} == dict.fromkeys(pages, 1)


@pytest.mark.parametrize("page", NAMES)
def test_a_link_to_a_section_leads_to_one(page: str) -> None:
    for target, section in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text_of(page)):
        text = (DOCS / (target or f"{page}.md")).read_text(encoding="utf-8")
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert section in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, section


def write_pages() -> None:
    """Writes outputs, files and generated parts anew, to be read before they are committed."""

    def output(match: re.Match[str]) -> str:
        head, _, _ = match[0].partition("```")
        fence = match[0][len(head) :].partition("\n")[0]
        printed = printed_by(match[1], match[2]).strip("\n")
        return f"{head}{fence}\n{printed}\n```"

    def file(match: re.Match[str]) -> str:
        return match[0].replace(match[2], (DOCS / match[1]).read_text(encoding="utf-8"))

    for path in PAGES.values():
        text = path.read_text(encoding="utf-8")
        text = _GENERATED.sub(lambda match: f"{match[1]}{GENERATED[match[2]]()}\n{match[4]}", text)
        path.write_text(_FILE.sub(file, _PRINTED.sub(output, text)), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
