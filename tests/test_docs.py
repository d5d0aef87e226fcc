"""What the documentation shows is what happens: its commands are run, its outputs compared, its links followed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.terminal_picture import picture

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_OUTPUT = re.compile(r"<!-- output: (.+?) -->\n```text\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def outputs() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        for command, printed in _OUTPUT.findall(page.read_text(encoding="utf-8")):
            yield page.name, command, printed


@pytest.mark.parametrize(("page", "command", "printed"), list(outputs()), ids=lambda value: value[:50])
def test_an_output_on_a_page_is_what_the_command_prints(page: str, command: str, printed: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "meterspec"
    done = subprocess.run(
        [sys.executable, "-m", "meterspec", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.stdout.strip("\n") == printed.strip("\n"), page


def test_the_picture_of_the_terminal_is_what_the_commands_print() -> None:
    assert (ROOT / "docs" / "terminal.svg").read_text(encoding="utf-8") == picture()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    gone = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert gone == []


def command_of_readme(name: str) -> str:
    """The command under a mark of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n```console\n\$ (.+?)\n```", text)
    assert found is not None
    return found[1]


def test_the_main_job_of_the_readme_works_in_a_fresh_clone(tmp_path: Path) -> None:
    """In a copy of what git holds, with nothing of this environment but Python on the path."""
    clone = tmp_path / "meterspec"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL", "PYTHON", "UV_"))}
    python = tmp_path / "bin"
    python.mkdir()
    (python / "python3").symlink_to(Path(sys.executable).resolve())
    path = f"{python}:{clean['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command_of_readme("main-job")],
        cwd=clone,
        env={**clean, "PATH": path, "HOME": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "agent-carbon-attribution" in done.stdout
    assert "515.38" in done.stdout
    assert (clone / "build" / "manifest.json").is_file()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == ""


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "command_of_readme main-job" in script
    assert "command_of_readme tests" in script
    assert "-m pytest" in command_of_readme("tests")
