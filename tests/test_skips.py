"""A test that CI could run, and that is skipped there, fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_TERRAFORM, ROOT


@pytest.mark.parametrize(
    ("reason", "wanted", "code"),
    [
        ("spark needs Java", "all", 1),
        ("spark needs Java", "", 0),
        ("the traces are not beside the checkout", "all", 0),
        (NO_TERRAFORM, "all", 0),
    ],
)
@pytest.mark.parametrize(
    "way", ["@pytest.mark.skipif(True, reason={0!r})\ndef test_it(): pass", "def test_it(): pytest.skip({0!r})"]
)
def test_a_skip_fails_where_it_has_to_run(way: str, reason: str, wanted: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\n{way.format(reason)}\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-n",
        "0",
        f"--rootdir={tmp_path}",
        str(tmp_path),
    ]
    environment |= {"METERSPEC_ENGINES": wanted, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("has to run here" in done.stdout) is (code == 1)
