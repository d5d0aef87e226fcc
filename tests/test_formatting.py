"""The canonical layout: the examples of the documentation, and that nothing is lost or changes its meaning, ever."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.specs import write
from meterspec.diagnostics import Diagnostics
from meterspec.formatting import layout
from meterspec.spec.spans import comments
from tests.conftest import FIXTURES, ROOT
from tests.corpus import check_text
from tests.test_cli import meterspec
from tests.test_layers import HEAVY, modules_after
from tests.test_spec_spans import Writer, tables

PAGE = (ROOT / "docs" / "formatting.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"### ([^\n]*)\n[^`]*?(?:`[^`\n]*`[^`]*?)*```toml\n(.*?)```\n\nbecomes\n\n```toml\n(.*?)```", PAGE, re.DOTALL
)
SPECS = sorted([*(FIXTURES / "valid").rglob("*.toml"), *(ROOT / "examples").rglob("meterspec.toml")])


def formatted(text: str | bytes) -> str:
    """A text in its canonical layout."""
    out = Diagnostics()
    revision = layout("meterspec.toml", text if isinstance(text, bytes) else text.encode(), out)
    assert revision is not None, [diagnostic.message for diagnostic in out]
    return revision.after


def meaning(text: str) -> str:
    """Every key in its order, and every value as it is spelled."""
    return repr(tomli.loads(text.removeprefix("\ufeff"), parse_float=lambda written: written))


def remarks(text: str) -> list[str]:
    """Every comment in its order."""
    return [comment.rstrip(" \t") for _, _, comment in comments(text)]


# What it looks like ---------------------------------------------------------------------------------------------


def test_the_page_has_an_example_of_every_rule() -> None:
    assert len(EXAMPLES) == PAGE.count("\n### ") == PAGE.count("\nbecomes\n") == PAGE.count("```toml") / 2


@pytest.mark.parametrize(("before", "after"), [pytest.param(*pair, id=name) for name, *pair in EXAMPLES])
def test_an_example_of_the_page(before: str, after: str) -> None:
    assert formatted(before) == after
    assert formatted(after) == after


LAYOUTS = [
    ("", ""),
    ("\n \t\n", ""),
    ("# alone", "# alone\n"),
    ("\ufeffa = 1\n", "a = 1\n"),
    ("\ufeff# one\n\n\n[a]", "# one\n\n[a]\n"),
    ("a = 1\r\n# two\r\n\r\n\r\n[b] # three \r\n", "a = 1\n# two\n\n[b] # three\n"),
    ("a = 1 # one", "a = 1 # one\n"),
    ("a = 1\n# commented = 2\n[b]\n", "a = 1\n\n# commented = 2\n[b]\n"),
    ("a = 1\n# commented = 2\n\n[b]\n", "a = 1\n# commented = 2\n\n[b]\n"),
    ("a = 1\n\n# one\n# two\n[b]\n", "a = 1\n\n# one\n# two\n[b]\n"),
    ("[a]\n[a.b]\n", "[a]\n\n[a.b]\n"),
    ("[a]\n\n\n# of what follows\n\n[b]\n", "[a]\n\n# of what follows\n\n[b]\n"),
    ("[a]\n\n# of its entry\nx = 1\n", "[a]\n# of its entry\nx = 1\n"),
    ("[[ a ]]\n", "[[a]]\n"),
    ("[ 'a b' . \"c\" ]\n", '["a b".c]\n'),
    ("a = 1\n\n\n\nb = 2\n", "a = 1\n\nb = 2\n"),
    ("x = 'a\tb'\n", 'x = "a\tb"\n'),
    ("x = ''\n'' = ''\n", 'x = ""\n"" = ""\n'),
    ("x = '''a'''\n", "x = '''a'''\n"),
    ('x = """\r\na\r\n"""\n', 'x = """\na\n"""\n'),
    ("x = '''\r\na\r\n'''\n", "x = '''\na\n'''\n"),
    ('"\\u0061" = 1\n\'"\' = 2\n', '"\\u0061" = 1\n\'"\' = 2\n'),
    ("x = [ ]\ny = { }\nz = [\n\n]\n", "x = []\ny = {}\nz = []\n"),
    ("x = [\n\n  # none yet\n\n]\n", "x = [\n  # none yet\n]\n"),
    ("x = { # none yet\n}\n", "x = { # none yet\n}\n"),
    ("x = [1,]\n", "x = [\n  1,\n]\n"),
    ("x = { a = 1, }\n", "x = { a = 1 }\n"),
    ("x = {\n  a = 1, }\n", "x = {\n  a = 1,\n}\n"),
    ("x = [[1,2],[3,],[]]\n", "x = [\n  [1, 2],\n  [\n    3,\n  ],\n  [],\n]\n"),
    ("x = { a = [1,2], b = [3,] }\n", "x = { a = [1, 2], b = [\n  3,\n] }\n"),
    ("x = [1 # one\n # two\n , # three\n 2 # four\n]\n", "x = [\n  1, # one\n  # two\n  # three\n  2, # four\n]\n"),
    ("x = [1\n,\n2]\n", "x = [1, 2]\n"),
    ("x = [\n1,\n\n\n2,\n\n]\n", "x = [\n  1,\n\n  2,\n]\n"),
    ("x = [\n1\n\n,2,\n]\n", "x = [\n  1,\n\n  2,\n]\n"),
    ('x = ["""a\nb"""]\n', 'x = [\n  """a\nb""",\n]\n'),
    ("x = [ # a, b\n1]\n", "x = [ # a, b\n  1,\n]\n"),
    ("x = [1, # a,\n]\n", "x = [\n  1, # a,\n]\n"),
    ('x = ["# meterspec:",1]\n', 'x = ["# meterspec:", 1]\n'),
    ("  x=[ 1,  # meterspec: y\r\n 2 ]\n", "x = [ 1,  # meterspec: y\n 2 ]\n"),
    ("a=+1_000\nb=0x_ff\n".replace("0x_", "0x"), "a = +1_000\nb = 0xff\n"),
    ("a=1979-05-27 07:32:00Z\nb=1E6\nc=.5\n".replace("=.5", "=0.50"), "a = 1979-05-27 07:32:00Z\nb = 1E6\nc = 0.50\n"),
]


@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_a_layout(before: str, after: str) -> None:
    assert formatted(before) == after
    assert formatted(after) == after


@pytest.mark.parametrize("spare", [0, 1])
def test_an_array_is_on_one_line_up_to_the_hundredth_column(spare: int) -> None:
    line = f'x = ["{"a" * 45}", "{"b" * (43 + spare)}"]'
    assert len(line) == 100 + spare
    assert formatted(line).count("\n") == (4 if spare else 1)


@pytest.mark.parametrize("spare", [0, 1])
def test_the_comma_behind_an_element_counts(spare: int) -> None:
    line = f'  ["{"a" * 45}", "{"b" * (44 + spare)}"],'
    assert len(line) == 100 + spare
    assert formatted(f"x = [\n{line}\n]\n").count("\n") == (6 if spare else 3)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_specs_of_the_repository_are_canonical(path: Path) -> None:
    text = path.read_bytes()
    assert formatted(text).encode() == text


# What it never does ---------------------------------------------------------------------------------------------


@given(tables, st.data())
@settings(max_examples=300, deadline=None)
def test_any_document_keeps_its_values_and_comments(table: dict[str, object], data: st.DataObject) -> None:
    text = Writer(data).document(table)
    after = formatted(text)
    assert meaning(after) == meaning(text)
    assert remarks(after) == remarks(text)
    assert formatted(after) == after


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.toml")), ids=lambda path: str(path.relative_to(FIXTURES)))
def test_a_fixture_keeps_its_meaning_and_its_findings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    out = Diagnostics()
    if layout(path.name, text.encode(), out) is None:
        assert all(diagnostic.code < "MS120" for diagnostic in out)
        return
    after = formatted(text)
    (program, found), (same, others) = check_text(text), check_text(after)
    assert same == program
    assert [(d.code, d.message) for d in others] == [(d.code, d.message) for d in found]


@given(st.one_of(st.text(), st.text("a=.\"'[]{}#,\\ \n\r\t\x001", max_size=40)))
@settings(max_examples=300, deadline=None)
def test_any_text_is_laid_out_or_reported(text: str) -> None:
    lay_out_or_report(text)


@given(st.sampled_from(SPECS), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_spec_is_laid_out_or_reported(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.text("a1=.,\"'[]{}#\\ \n", max_size=3)) + text[end:]
    lay_out_or_report(text)


def lay_out_or_report(text: str) -> None:
    out = Diagnostics()
    revision = layout("meterspec.toml", text.encode(errors="surrogatepass"), out)
    if revision is None:
        assert len(out) > 0
        assert all(diagnostic.code < "MS120" for diagnostic in out)
        return
    assert meaning(revision.after) == meaning(text)
    assert remarks(revision.after) == remarks(text)
    assert formatted(revision.after) == revision.after


def test_a_large_spec_is_laid_out_in_time_that_grows_with_it(tmp_path: Path) -> None:
    def seconds(data: bytes) -> float:
        began = perf_counter()
        layout("meterspec.toml", data, Diagnostics())
        return perf_counter() - began

    small, large = (write(tmp_path / f"{meters}.toml", meters).read_bytes() for meters in (200, 2000))
    assert min(seconds(large) for _ in range(2)) < 30 * min(seconds(small) for _ in range(3))


# The command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A canonical spec, one that is not, and a file that is not TOML."""
    (tmp_path / "canonical.toml").write_text("a = 1\n", encoding="utf-8")
    (tmp_path / "other.toml").write_text("a=1\r\n[b]", encoding="utf-8", newline="")
    (tmp_path / "broken.toml").write_text("a = \n", encoding="utf-8")
    return tmp_path


def states(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_fmt_writes_only_what_changes(folder: Path) -> None:
    before = states(folder)
    done = meterspec("fmt", "canonical.toml", "other.toml", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "changed: other.toml\n1 file changed, 1 as before\n"
    after = states(folder)
    assert after.pop("other.toml")[0] == b"a = 1\n\n[b]\n"
    assert {name: before[name] for name in after} == after


def test_fmt_leaves_what_is_not_toml_and_goes_on(folder: Path) -> None:
    before = states(folder)
    done = meterspec("fmt", ".", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error[MS107]: a value is missing after `a =`\n --> broken.toml:1:5\n")
    assert done.stderr.endswith("changed: other.toml\n1 file changed, 1 as before\n")
    assert states(folder)["broken.toml"] == before["broken.toml"]


def test_check_names_what_would_change(folder: Path) -> None:
    before = states(folder)
    done = meterspec("fmt", "--check", "canonical.toml", "other.toml", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (1, "other.toml\n", "1 file would change, 1 as before\n")
    assert meterspec("fmt", "--check", "canonical.toml", cwd=folder).returncode == 0
    assert states(folder) == before


def test_diff_shows_what_would_change(folder: Path) -> None:
    before = states(folder)
    done = subprocess.run(
        [sys.executable, "-m", "meterspec", "fmt", "--diff", "other.toml"], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == (
        b"--- other.toml\n+++ other.toml\n@@ -1,2 +1,3 @@\n"
        b"-a=1\r\n-[b]\n\\ No newline at end of file\n+a = 1\n+\n+[b]\n"
    )
    assert states(folder) == before


def test_standard_input_is_laid_out_to_standard_output() -> None:
    done = meterspec("fmt", "-", text="a=1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a = 1\n", "")
    done = meterspec("fmt", "-", text="a=")
    assert (done.returncode, done.stdout) == (1, "")
    assert "MS107" in done.stderr
    assert meterspec("fmt", "--check", "-", text="a=1").stdout == "<stdin>\n"


def test_a_file_keeps_its_mode_and_a_link_stays_one(folder: Path) -> None:
    (folder / "other.toml").chmod(0o640)
    (folder / "link.toml").symlink_to("other.toml")
    assert meterspec("fmt", "link.toml", cwd=folder).returncode == 0
    assert (folder / "link.toml").is_symlink()
    assert (folder / "other.toml").stat().st_mode & 0o777 == 0o640
    assert (folder / "other.toml").read_bytes() == b"a = 1\n\n[b]\n"


def test_fmt_of_a_canonical_spec_loads_nothing_heavy() -> None:
    assert not HEAVY & modules_after("fmt", str(FIXTURES / "valid" / "published_short.toml"))
