"""The walk-through of one pull request: a repository is made as its page tells, and every command on it is run there.

`python -m tests.test_docs_pull_request` writes the outputs anew, to be read before they are committed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.test_diff_sources import git

PAGE = ROOT / "docs" / "pull-requests.md"
EXAMPLES = ROOT / "docs" / "examples"
_FILE = re.compile(r"<!-- write: ([^\n]+?) -->\n```\w+\n(.*?)```", re.DOTALL)
_PRINTED = re.compile(r"(<!-- (?:run|show): ([^\n]+?) -->\n```\w*\n)(.*?)(```)", re.DOTALL)
_STEP = re.compile(r"<!-- (write|run|show): [^\n]+? -->")


@contextmanager
def repository() -> Iterator[Path]:
    """The repository of the page: the gateway on `main`, compiled, and its next version on the branch `next`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git("init", "--quiet", cwd=folder)
        for branch, example in (("main", "gateway"), ("next", "gateway-next")):
            if branch != "main":
                git("checkout", "--quiet", "-b", branch, cwd=folder)
            (folder / "meterspec.toml").write_bytes((EXAMPLES / example / "meterspec.toml").read_bytes())
            (folder / ".gitignore").write_text("build/\n", encoding="utf-8")
            (folder / "events.jsonl").write_bytes((EXAMPLES / "gateway" / "events.jsonl").read_bytes())
            git("add", "--all", cwd=folder)
            git("commit", "--quiet", "--message", branch, cwd=folder)
            if branch == "main":
                run("meterspec compile --out build", folder)
        yield folder


def run(command: str, folder: Path) -> str:
    """What a command prints, and what it says on standard error, as a terminal shows both; its exit code if not 0."""
    program, *arguments = shlex.split(command)
    assert program == "meterspec"
    done = subprocess.run(
        [sys.executable, "-m", "meterspec", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src")},
    )
    code = f"exit code {done.returncode}\n" if done.returncode else ""
    return done.stdout + done.stderr + code


def told() -> Iterator[tuple[str, str]]:
    """Each command of the page and what it prints, in the order of the page, files written between them."""
    text = PAGE.read_text(encoding="utf-8")
    with repository() as folder:
        for step in _STEP.finditer(text):
            if step[1] == "write":
                found = _FILE.match(text, step.start())
                assert found is not None
                (folder / found[1]).write_text(found[2], encoding="utf-8")
            else:
                shown = _PRINTED.match(text, step.start())
                assert shown is not None
                is_file = step[1] == "show"
                yield shown[3], (folder / shown[2]).read_text(encoding="utf-8") if is_file else run(shown[2], folder)


def test_every_output_of_the_walk_through_is_what_the_command_prints() -> None:
    steps = list(told())
    assert len(steps) >= 6
    for shown, printed in steps:
        assert shown.strip("\n") == printed.strip("\n")


def write_page() -> None:
    printed = iter([text for _, text in told()])
    page = PAGE.read_text(encoding="utf-8")
    page = _PRINTED.sub(lambda shown: f"{shown[1]}{next(printed).strip(chr(10))}\n{shown[4]}", page)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write_page()
