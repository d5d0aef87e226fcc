"""A revised text, and the diff that says how: as `git apply` reads it, with no line in it that did not change."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.revision import Replacement, Revision


def revised(text: str, *rounds: list[tuple[int, int, str]]) -> Revision:
    revision = Revision(text)
    for replacements in rounds:
        revision.apply(Replacement(*each) for each in replacements)
    return revision


NUMBERS = "".join(f"{number}\n" for number in range(1, 21))


@pytest.mark.parametrize(
    ("revision", "diff"),
    [
        (revised("a\n"), ""),
        (revised("a\n", []), ""),
        (revised("a\n", [(0, 1, "a")]), ""),
        (revised("a\nb\nc\n", [(2, 3, "B")]), "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"),
        (revised("a\nb\nc\n", [(2, 3, "x")], [(2, 3, "b")]), ""),
        (revised("a\nb\nc\n", [(2, 4, "")]), "@@ -1,3 +1,2 @@\n a\n-b\n c\n"),
        (revised("a\nc\n", [(2, 2, "b\n")]), "@@ -1,2 +1,3 @@\n a\n+b\n c\n"),
        (revised("a\n", [(2, 2, "b\n")]), "@@ -1 +1,2 @@\n a\n+b\n"),
        (revised("", [(0, 0, "a\n")]), "@@ -0,0 +1 @@\n+a\n"),
        (revised("a\n", [(0, 2, "")]), "@@ -1 +0,0 @@\n-a\n"),
        (revised("a", [(1, 1, "\n")]), "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
        (revised("a\r\nb\r\n", [(1, 2, "")]), "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\r\n"),
        (revised("a\u2028b\nc\n", [(4, 5, "d")]), "@@ -1,2 +1,2 @@\n a\u2028b\n-c\n+d\n"),
        (
            revised(NUMBERS, [(0, 1, "one")], [(50, 52, "20, the last")]),
            "@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n@@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20, the last\n",
        ),
        (
            revised(NUMBERS, [(0, 1, "one"), (14, 15, "8 or so")]),
            "@@ -1,11 +1,11 @@\n-1\n+one\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+8 or so\n 9\n 10\n 11\n",
        ),
    ],
)
def test_a_diff(revision: Revision, diff: str) -> None:
    assert revision.diff("spec.toml") == (f"--- spec.toml\n+++ spec.toml\n{diff}" if diff else "")


texts = st.text("ab\n", max_size=40)


@st.composite
def revisions(draw: st.DrawFn) -> Revision:
    """A text after one to three rounds of replacements."""
    revision = Revision(draw(texts))
    for _ in range(draw(st.integers(1, 3))):
        ends = sorted(draw(st.lists(st.integers(0, len(revision.after)), max_size=8)))
        pairs = zip(ends[::2], ends[1::2], strict=False)
        revision.apply([Replacement(start, end, draw(st.text("ab\n", max_size=4))) for start, end in pairs])
    return revision


@given(revisions())
@settings(max_examples=500, deadline=None)
def test_what_a_diff_describes_is_what_happened(revision: Revision) -> None:
    assert patched(revision.before, revision.diff("spec.toml")) == revision.after


def test_git_applies_a_diff(tmp_path: Path) -> None:
    revision = revised(NUMBERS + "the end", [(0, 1, "one"), (14, 16, ""), (58, 58, "\n")], [(10, 10, "4a\n")])
    (tmp_path / "spec.toml").write_bytes(revision.before.encode())
    diff = revision.diff("spec.toml")
    subprocess.run(["git", "apply", "-p0", "-"], cwd=tmp_path, input=diff.encode(), check=True)
    assert (tmp_path / "spec.toml").read_bytes().decode() == revision.after


def patched(text: str, diff: str) -> str:
    """A text after a diff; every line that the diff shows has to be there."""
    before, after, at = re.findall(r"[^\n]*\n|[^\n]+", text), "", 0
    for start, count, body in re.findall(r"^@@ -(\d+)(,0)?[^\n]*@@\n((?:[ +\\-][^\n]*\n)*)", diff, re.MULTILINE):
        first = int(start) - (not count)
        after += "".join(before[at:first])
        at = first
        for sign, words, endless in re.findall(r"^([ +-])([^\n]*)\n(\\[^\n]*\n)?", body, re.MULTILINE):
            line = words if endless else f"{words}\n"
            if sign in " -":
                assert before[at] == line
                at += 1
            if sign in " +":
                after += line
    return after + "".join(before[at:])
