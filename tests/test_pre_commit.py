"""The hooks of this repository, run by pre-commit in another one, from an environment that it builds itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.test_init import git

NO_NETWORK = re.compile(
    r"connection broken by '(NewConnectionError|NameResolutionError)|Temporary failure in name resol"
)

CONFIGURATION = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: meterspec-fmt
      - id: meterspec-validate
"""


def as_committed(folder: Path) -> str:
    """A repository with the files of this checkout as they are now; its commit."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and name.startswith(
            ("src/", "templates/", "pyproject", "README", "LICENSE", ".pre-")
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git("init", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--message", "As it is.", cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder).stdout.strip()


def test_the_hooks_lay_out_and_check_the_spec_of_a_repository(tmp_path: Path) -> None:
    repository, project = tmp_path / "meterspec", tmp_path / "project"
    repository.mkdir()
    project.mkdir()
    configuration = CONFIGURATION.format(repository=repository, revision=as_committed(repository))
    (project / ".pre-commit-config.yaml").write_text(configuration, encoding="utf-8")
    spec = project / "meterspec.toml"
    published = (FIXTURES / "valid" / "published_long.toml").read_text(encoding="utf-8")
    spec.write_text(
        published.replace("duration_ms / ", "duratin_ms / ").replace('fn = "SUM"', 'fn="SUM"'), encoding="utf-8"
    )
    git("init", cwd=project)
    git("add", "--all", cwd=project)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL", "PYTHON", "GIT_"))}
    environment = {**clean, "PRE_COMMIT_HOME": str(tmp_path / "environments"), "PIP_RETRIES": "2"}

    def hooks() -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("pre-commit"))
        command = [program, "run", "--all-files", "--color", "never"]
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)

    done = hooks()
    said = done.stdout + done.stderr
    if done.returncode == 3 and NO_NETWORK.search(said):
        pytest.skip("pre-commit cannot build an environment without a network")
    assert done.returncode == 1, said
    assert re.search(r"^meterspec fmt\.+Failed\n.*files were modified by this hook", said, re.MULTILINE | re.DOTALL)
    assert re.search(r"^meterspec validate\.+Failed$", said, re.MULTILINE)
    assert "did you mean `duration_ms`?" in said
    spec.write_text(spec.read_text(encoding="utf-8").replace("duratin_ms / ", "duration_ms / "), encoding="utf-8")
    assert 'fn = "SUM"' in spec.read_text(encoding="utf-8")
    done = hooks()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"\.+Passed$", done.stdout, re.MULTILINE)) == 2
