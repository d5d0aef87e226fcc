"""What `validate` prints, where, and how it ends, by options, settings and environment."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from xml.etree import ElementTree

import pytest

from meterspec.__main__ import main
from meterspec.formats import NAMES

WARNS = """\
[[families]]
name = "api.call"

[[meters]]
name = "calls"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", group_by = ["region"] }
"""
"""MS223, a warning."""
CLEAN = WARNS.replace('"region"', '"customer_id"')
FAILS = WARNS.replace('family = "api.call"', 'family = "api.cal"')
"""MS201, an error."""
HINTS = f'[lint]\nMS223 = "hint"\n{WARNS}'
RAISED = f'[lint]\nMS223 = "error"\n{WARNS}'


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def meterspec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs the command line from its arguments to its exit code, in this process."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str, text: str = "", cwd: Path | None = None, **environment: str) -> Done:
        with monkeypatch.context() as changed:
            changed.setattr(sys, "argv", ["meterspec", *arguments])
            changed.setattr(sys, "stdin", TextIOWrapper(BytesIO(text.encode())))
            changed.chdir(cwd or Path.cwd())
            for name, value in environment.items():
                changed.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                main()
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Done(end.value.code, printed.out, printed.err)

    yield run
    gc.enable()


ENDS = [
    (CLEAN, [], 0),
    (CLEAN, ["--strict"], 0),
    (WARNS, [], 0),
    (WARNS, ["--strict"], 1),
    (WARNS, ["--strict", "--ignore", "MS223"], 0),
    (WARNS, ["--strict", "--ignore", "MS320,undeclared-dimension"], 0),
    (WARNS, ["--strict", "--ignore", "MS320", "--ignore", "MS22"], 0),
    (WARNS, ["--strict", "--select", "MS320"], 0),
    (WARNS, ["--strict", "--select", "MS320, MS223"], 1),
    (HINTS, [], 0),
    (HINTS, ["--strict"], 0),
    (RAISED, [], 1),
    (FAILS, [], 1),
    (FAILS, ["--ignore", "MS", "--select", "MS320"], 1),
    (WARNS, ["--ignore", "MS201"], 2),
    (WARNS, ["--ignore", "MS30"], 2),
    (WARNS, ["--ignore", "unknown-family"], 2),
    (WARNS, ["--ignore", "MS999"], 2),
    (WARNS, ["--select", "MS9"], 2),
    (WARNS, ["--select", ""], 2),
    (WARNS, ["--format", "xml"], 2),
]


@pytest.mark.parametrize(("spec", "options", "code"), ENDS, ids=lambda value: str(value)[-40:])
@pytest.mark.parametrize("format", ["full", "sarif"])
def test_how_it_ends(meterspec: Command, spec: str, options: list[str], code: int, format: str) -> None:
    done = meterspec("validate", "-", "--format", format, *options, text=spec)
    assert done.returncode == code, done.stderr
    assert (done.stdout == "") == (code == 2 or (format == "full" and done.stderr == "1 file: no findings\n"))
    assert "Traceback" not in done.stderr


REFUSALS = [
    (["--ignore", "MS201"], "error[MS005]: --ignore cannot be `MS201`: an error cannot be switched off"),
    (["--ignore", "undeclared-dimensions"], "did you mean `undeclared-dimension`?"),
    (["--select", "ms223"], "did you mean `MS223`?"),
    (["--select", "MS999"], "error[MS005]: --select cannot be `MS999`: no rule is called that"),
]


@pytest.mark.parametrize(("options", "words"), REFUSALS)
def test_what_cannot_be_chosen_is_said(meterspec: Command, options: list[str], words: str) -> None:
    assert words in meterspec("validate", "-", *options, text=WARNS).stderr


def test_strict_shows_warnings_as_the_errors_they_are(meterspec: Command) -> None:
    done = meterspec("validate", "-", "--strict", "--format", "json", text=WARNS)
    document = json.loads(done.stdout)
    assert [d["severity"] for d in document["diagnostics"]] == ["error"]
    assert document["summary"] == {"errors": 1, "warnings": 0}


@pytest.mark.parametrize("format", NAMES)
@pytest.mark.parametrize("spec", [CLEAN, WARNS, FAILS], ids=["clean", "warns", "fails"])
def test_standard_output_is_the_document_and_standard_error_the_summary(
    meterspec: Command, format: str, spec: str
) -> None:
    loud = meterspec("validate", "-", "--format", format, text=spec)
    quiet = meterspec("validate", "-", "--format", format, "-q", text=spec)
    assert loud.stdout == quiet.stdout
    assert (quiet.stderr, loud.returncode) == ("", quiet.returncode)
    assert loud.stderr.startswith("1 file: ")
    match format:
        case "json" | "gitlab" | "sarif":
            json.loads(loud.stdout)
        case "junit":
            ElementTree.fromstring(loud.stdout)
        case _:
            assert bool(loud.stdout) == (spec is not CLEAN)


@pytest.mark.parametrize(
    ("variable", "options", "begins"),
    [
        ("concise", [], "<stdin>:7:41: warning[MS223]"),
        ("json", [], "{"),
        ("json", ["--format", "concise"], "<stdin>:7:41: warning[MS223]"),
        ("", [], "warning[MS223]"),
    ],
)
def test_the_environment_sets_the_default_format(
    meterspec: Command, variable: str, options: list[str], begins: str
) -> None:
    done = meterspec("validate", "-", *options, text=WARNS, METERSPEC_OUTPUT_FORMAT=variable)
    assert done.stdout.startswith(begins)


def test_the_environment_counts_also_without_any_option(meterspec: Command, tmp_path: Path) -> None:
    (tmp_path / "meterspec.toml").write_text(WARNS, encoding="utf-8")
    done = meterspec("validate", cwd=tmp_path, METERSPEC_OUTPUT_FORMAT="concise")
    assert done.stdout.startswith("meterspec.toml:7:41: warning[MS223]")
    done = meterspec("validate", cwd=tmp_path, METERSPEC_OUTPUT_FORMAT="sarf")
    assert (done.returncode, done.stdout) == (2, "")
    assert "METERSPEC_OUTPUT_FORMAT cannot be `sarf`" in done.stderr
    assert "did you mean `sarif`?" in done.stderr


@pytest.mark.parametrize("format", ["full", "junit"])
def test_output_is_utf8_whatever_the_terminal_speaks(tmp_path: Path, format: str) -> None:
    (tmp_path / "zähler.toml").write_text(FAILS.replace("api.cal", "größe"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "meterspec", "validate", ".", "--format", format],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "größe" in done.stdout.decode("utf-8")


# At GitHub ------------------------------------------------------------------------------------------------------


def test_github_gets_a_summary_of_every_step(meterspec: Command, tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    for spec in (WARNS, CLEAN):
        meterspec("validate", "-", "--format", "github", text=spec, GITHUB_STEP_SUMMARY=str(page))
    hint = 'add `[families.schema.region]` with `type = "string"`'
    assert page.read_text(encoding="utf-8") == (
        "### meterspec: 1 warning in 1 file\n\n"
        "| | where | finding |\n| --- | --- | --- |\n"
        "| warning MS223 | `<stdin>:7` | `region` is not declared in family `api.call`; it is taken as an "
        f"optional text ({hint}) |\n"
        "### meterspec: no findings in 1 file\n\n"
    )


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=str)
def test_other_formats_have_no_summary(meterspec: Command, tmp_path: Path, options: list[str]) -> None:
    meterspec("validate", "-", *options, text=WARNS, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_that_cannot_be_written_is_said(meterspec: Command, tmp_path: Path) -> None:
    done = meterspec("validate", "-", "--format", "github", text=CLEAN, GITHUB_STEP_SUMMARY=str(tmp_path))
    assert done.returncode == 2
    assert "MS011" in done.stderr


# Settings -------------------------------------------------------------------------------------------------------


def project(folder: Path, settings: str, spec: str = WARNS) -> Path:
    (folder / "specs").mkdir()
    (folder / "specs" / "a.toml").write_text(spec, encoding="utf-8")
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    return folder


@pytest.mark.parametrize("paths", [[], ["specs"], ["specs/a.toml"]], ids=str)
def test_levels_in_pyproject_count_however_the_spec_is_named(
    meterspec: Command, tmp_path: Path, paths: list[str]
) -> None:
    project(tmp_path, '[tool.meterspec]\npaths = ["specs"]\n[tool.meterspec.lint]\nMS223 = "error"\n')
    done = meterspec("validate", *paths, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "1 file: 1 error\n")


@pytest.mark.parametrize("command", [["compile", "specs", "--out", "build"], ["explain", "calls", "specs"]])
def test_a_warning_that_is_raised_to_an_error_stops_every_command(
    meterspec: Command, tmp_path: Path, command: list[str]
) -> None:
    project(tmp_path, '[tool.meterspec]\nlint = { MS223 = "error" }\n')
    done = meterspec(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert "error[MS223]" in done.stderr
    assert not (tmp_path / "build").exists()


BAD_SETTINGS = [
    ("[tool.meterspec]\nlnt.MS223 = 'off'\n", 2, "did you mean `lint`?"),
    ("[tool]\nmeterspec = 1\n", 2, "is no table"),
    ("[tool.meterspec]\npaths = 'specs'\n", 2, "no array of texts"),
    ("[tool.meterspec\n", 2, "MS003"),
    ("[tool.meterspec]\nlint = 1\n", 1, "MS122"),
    ("[tool.meterspec.lint]\nMS310 = 'off'\n", 1, "pyproject.toml:2:1"),
]


@pytest.mark.parametrize(("settings", "code", "words"), BAD_SETTINGS)
def test_settings_that_cannot_be_used_are_said(
    meterspec: Command, tmp_path: Path, settings: str, code: int, words: str
) -> None:
    done = meterspec("validate", "specs", cwd=project(tmp_path, settings))
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


OF_OTHERS = ["", "[project]\nname = 'meterspec-demo'\n", "[tool.other]\nx = 1\n", "not TOML at all"]


@pytest.mark.parametrize("settings", OF_OTHERS)
def test_a_pyproject_that_says_nothing_to_us_is_left_alone(meterspec: Command, tmp_path: Path, settings: str) -> None:
    assert meterspec("validate", "specs", cwd=project(tmp_path, settings, CLEAN)).returncode == 0


def test_compile_shows_what_a_target_warns_of(meterspec: Command, tmp_path: Path) -> None:
    spec = """
        [[families]]
        name = "api.call"
        [[meters]]
        name = "calls"
        kind = "billing"
        unit = "{api calls a day}"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.1 }
    """
    done = meterspec("compile", "-", "--out", str(tmp_path / "build"), text=spec)
    assert done.returncode == 0
    assert "warning[MS612]" in done.stderr
    done = meterspec("compile", "-", "--out", str(tmp_path / "build"), text=f'[lint]\nMS612 = "off"\n{spec}')
    assert "MS612" not in done.stderr
