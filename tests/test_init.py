"""A new project passes as it is written, and writing one harms nothing that was there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from meterspec import __version__, starter
from meterspec.diagnostics import Failure
from tests.test_cli import meterspec

FILES = {"meterspec.toml", "events.jsonl", ".github/workflows/meterspec.yml", ".pre-commit-config.yaml"}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "new" / "metering"
    assert meterspec("init", str(folder)).returncode == 0
    return folder


def test_it_writes_a_spec_events_a_job_and_hooks(project: Path) -> None:
    assert tree(project).keys() == FILES


def test_the_spec_has_no_findings(project: Path) -> None:
    done = meterspec("validate", "--strict", cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 file: no findings\n")


def test_its_examples_pass(project: Path) -> None:
    done = meterspec("test", cwd=project)
    assert (done.returncode, done.stderr) == (0, "3 tests: 3 passed, 0 failed\n")


def test_its_events_are_computed_and_invoiced(project: Path) -> None:
    document = json.loads(meterspec("run", "--events", "events.jsonl", "--format", "json", cwd=project).stdout)
    assert document["quality"][0]["rejected"] == 0
    assert document["quality"][0]["duplicates"] == 1
    hours = [r["quantity"] for r in document["results"] if r["meter"] == "compute-hours"]
    assert hours == ["13.5", "14", "12", "2"]
    invoices = json.loads(meterspec("invoice", "--events", "events.jsonl", "--format", "json", cwd=project).stdout)
    assert [invoice["amount"] for invoice in invoices["invoices"]] == ["1.58", "0.90", "1.80", "0.00"]


def test_it_compiles(project: Path, tmp_path: Path) -> None:
    assert meterspec("compile", "--out", str(tmp_path / "build"), cwd=project).returncode == 0


def test_every_step_of_the_job_passes(project: Path) -> None:
    job = (project / ".github/workflows/meterspec.yml").read_text(encoding="utf-8")
    steps = re.findall(r"^ +- run: (.*)$", job, re.MULTILINE)
    assert steps[0] == f"pip install 'meterspec[duckdb]=={__version__}'"
    assert len(steps) > 2
    for step in steps[1:]:
        program, *arguments = shlex.split(step)
        assert program == "meterspec"
        done = meterspec(*arguments, cwd=project)
        assert done.returncode == 0, done.stdout + done.stderr


def git(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True)


def test_the_job_stops_a_breaking_change_on_a_pull_request(project: Path, tmp_path: Path) -> None:
    for name, data in tree(project).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    job = (tmp_path / ".github/workflows/meterspec.yml").read_text(encoding="utf-8")
    assert "fetch-depth: 0" in job
    assert "BASE: origin/${{ github.base_ref }}" in job
    [step] = re.findall(r"^ +run: (.*)$", job, re.MULTILINE)
    _, *arguments = shlex.split(step.replace("$BASE", "origin/main"))
    git("init", cwd=tmp_path)
    git("add", "--all", cwd=tmp_path)
    git("commit", "--message", "a", cwd=tmp_path)
    git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=tmp_path)
    done = meterspec(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no change of meaning\n", "")
    spec = tmp_path / "meterspec.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("unit_amount = 0.45", "unit_amount = 0.50", 1), "utf-8")
    done = meterspec(*arguments, cwd=tmp_path)
    assert (done.returncode, "::error file=meterspec.toml,line=" in done.stdout) == (1, True)


def test_the_hooks_pass_and_find_a_mistake(project: Path, tmp_path: Path) -> None:
    for name, data in tree(project).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    git("init", cwd=tmp_path)
    git("add", "--all", cwd=tmp_path)
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / ".git" / "pre-commit"),
    }

    def hooks() -> subprocess.CompletedProcess[str]:
        command = [str(programs / "pre-commit"), "run", "--all-files", "--color", "never"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = hooks()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"\.+Passed$", done.stdout, re.MULTILINE)) == 2
    assert "[WARNING]" not in done.stderr
    spec = tmp_path / "meterspec.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("status == 'ok'", "statsu == 'ok'"), encoding="utf-8")
    done = hooks()
    assert done.returncode == 1
    assert "did you mean `status`?" in done.stdout


@pytest.mark.parametrize("name", sorted(FILES - {".pre-commit-config.yaml"}))
def test_it_overwrites_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("years of work", encoding="utf-8")
    before = tree(tmp_path)
    done = meterspec("init", cwd=tmp_path)
    assert done.returncode == 2
    assert "MS013" in done.stderr and name in done.stderr
    assert tree(tmp_path) == before


def test_an_entry_for_hooks_that_are_there_is_printed(tmp_path: Path) -> None:
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n", encoding="utf-8")
    done = meterspec("init", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "  - repo: local"
    assert "add this below its `repos:`" in done.stderr
    assert tree(tmp_path).keys() == FILES
    assert (tmp_path / ".pre-commit-config.yaml").read_text(encoding="utf-8") == "repos: []\n"


def test_a_failure_halfway_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands where the job's folder has to be: what was written before it is gone again."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".github").write_text("not a folder", encoding="utf-8")
    before = tree(tmp_path)
    done = meterspec("init", "here", cwd=tmp_path)
    assert done.returncode == 2
    assert "MS011" in done.stderr and ".github" in done.stderr
    assert tree(tmp_path) == before
    monkeypatch.setattr(starter, "_FILES", {**starter._FILES, "a" * 300: "events.jsonl"})
    with pytest.raises(Failure, match="cannot be written"):
        starter.write_starter(tmp_path / "deep" / "new")
    assert not (tmp_path / "deep").exists()


def test_a_folder_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("", encoding="utf-8")
    done = meterspec("init", "notes", cwd=tmp_path)
    assert done.returncode == 2
    assert "MS011" in done.stderr
    assert "Traceback" not in done.stderr
