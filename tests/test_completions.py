"""The completion scripts, in the shells they are for: what TAB offers, without a Python started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from meterspec.cli import app
from meterspec.completions import script
from tests.test_cli import meterspec

PROGRAM = get_command(app)
COMMANDS = list(PROGRAM.commands)  # type: ignore[attr-defined]

TYPED = [
    # what is typed, some of what is offered, some of what is not
    ("meterspec ", ["validate", "compile", "--version"], ["--format"]),
    ("meterspec val", ["validate"], ["compile"]),
    ("meterspec --v", ["--version"], ["validate"]),
    ("meterspec validate --", ["--format", "--strict", "--help"], ["--events", "json"]),
    ("meterspec validate --str", ["--strict"], ["--format"]),
    ("meterspec validate --format ", ["json", "sarif", "github"], ["--strict", "table"]),
    ("meterspec validate specs --format s", ["sarif"], ["json"]),
    ("meterspec validate --format=s", ["sarif"], ["json"]),
    ("meterspec run --events e.jsonl --format ", ["json", "table"], ["sarif"]),
    ("meterspec compile --out build --ch", ["--check"], ["--out"]),
    ("meterspec completions ", ["bash", "fish", "zsh"], ["--help", "meterspec.toml"]),
    ("meterspec validate ", ["meterspec.toml"], ["json", "validate"]),
    ("meterspec validate met", ["meterspec.toml"], []),
    ("meterspec run --events ", ["meterspec.toml"], ["json"]),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec and the scripts, where a Python that is started leaves a trace."""
    (tmp_path / "meterspec.toml").write_text("", encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("meterspec", "python", "python3"):
        (programs / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    return tmp_path


def shell(name: str, text: str, folder: Path) -> list[str]:
    """The lines that a shell prints when it has read our script and then a text."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    (folder / "completion").write_text(script(name, PROGRAM), encoding="utf-8")  # type: ignore[arg-type]
    environment = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}
    done = subprocess.run(
        [found, "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not (folder / "started").exists()
    return done.stdout.splitlines()


BASH = r"""
source completion
line=$1
words=(LINE)
COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
_meterspec
if [[ ${#COMPREPLY[@]} == 0 ]]; then compgen -f -- "${COMP_WORDS[COMP_CWORD]}"; fi
printf '%s\n' "${COMPREPLY[@]}"
"""
"""Completes as bash would: it hands over the words, and offers file names where no word comes back."""


@pytest.mark.parametrize(("typed", "offered", "not_offered"), TYPED)
def test_bash(folder: Path, typed: str, offered: list[str], not_offered: list[str]) -> None:
    words = [f"'{word}'" for word in typed.replace("=", " = ").split(" ")]  # bash splits words at `=` too
    found = shell("bash", BASH.replace("LINE", " ".join(words)), folder)
    assert set(offered) <= set(found)
    assert not set(not_offered) & set(found)


@pytest.mark.parametrize(("typed", "offered", "not_offered"), TYPED)
def test_fish(folder: Path, typed: str, offered: list[str], not_offered: list[str]) -> None:
    lines = shell("fish", f"source completion; complete -C '{typed}'", folder)
    found = {line.partition("\t")[0].rpartition("=")[2] for line in lines}
    dashes = typed.rpartition(" ")[2].startswith("-")  # fish offers options once a dash is typed
    assert {word for word in offered if dashes or not word.startswith("-")} <= found
    assert not set(not_offered) & found


def test_zsh_reads_its_script(folder: Path) -> None:
    assert shell("zsh", "autoload -Uz compinit; compinit -u; source completion; echo $_comps[meterspec]", folder) == [
        "_meterspec"
    ]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command_and_option(name: str) -> None:
    text = meterspec("completions", name).stdout
    assert text == script(name, PROGRAM)  # type: ignore[arg-type]
    for command in COMMANDS:
        assert f"{command}" in text
        for parameter in PROGRAM.commands[command].params:  # type: ignore[attr-defined]
            for option in parameter.opts if parameter.param_type_name == "option" else []:
                assert (f"-l {option[2:]}" if name == "fish" else option) in text


def test_words_with_quotes_and_brackets_stay_words() -> None:
    """Help is data: none of it is run."""
    import typer  # noqa: PLC0415

    app = typer.Typer(add_completion=False)

    @app.callback()
    def main() -> None:
        """A program."""

    @app.command(help="It's `true` $(touch started); [x] 'y' \"z\" \\")
    def go(at: str = typer.Option("", help="Not [this]: it's `false` $(touch started)")) -> None:
        """Unused."""

    for name in ("bash", "zsh", "fish"):
        program = shutil.which(name)
        if program is not None:
            text = script(name, get_command(app))  # type: ignore[arg-type]
            before = "compdef() { :; }\n" if name == "zsh" else ""
            done = subprocess.run([program, "-c", before + text], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), name
    assert not Path("started").exists()
