"""The real `terraform`, pointed at the stand-in of the provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.terraform import SCHEMA

TERRAFORM = shutil.which("terraform")


@contextmanager
def provider(folder: Path, shape: str) -> Iterator[dict[str, str]]:
    """The stand-in, with its socket in the folder: the environment in which Terraform finds it.

    `shape` is that of nested parts, `attributes` or `blocks`.
    """
    socket = folder / "provider.sock"
    command = [sys.executable, "-m", "tests.terraform.provider", str(SCHEMA), str(socket), shape]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            where = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": process.pid,
                "Test": True,
                "Addr": {"Network": "unix", "String": str(socket)},
            }
            attach = json.dumps({"registry.terraform.io/stripe/stripe": where})
            yield {**os.environ, "TF_REATTACH_PROVIDERS": attach, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        finally:
            process.terminate()


def _run(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    assert TERRAFORM is not None
    command = [TERRAFORM, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def validate(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What Terraform finds wrong with the configuration of a folder."""
    started = _run(folder, environment, "init", "-backend=false", "-input=false", "-no-color")
    if started.returncode:
        return [started.stderr]
    answer: dict[str, Any] = json.loads(_run(folder, environment, "validate", "-json").stdout)
    return [f"{each['summary']}: {each['detail']}" for each in answer["diagnostics"]]


def planned(folder: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What Terraform would change in an empty account, from the configuration of a folder, in the order of its plan."""
    for step in (
        ("init", "-backend=false", "-input=false", "-no-color"),
        ("plan", "-input=false", "-no-color", "-out=plan"),
    ):
        done = _run(folder, environment, *step)
        assert done.returncode == 0, done.stderr
    changes: list[dict[str, Any]] = json.loads(_run(folder, environment, "show", "-json", "plan").stdout)[
        "resource_changes"
    ]
    return changes


def read_by_terraform(texts: list[str], folder: Path) -> list[str]:
    """What Terraform makes of texts in its JSON syntax; nothing but the texts is involved."""
    outputs = {f"t{i}": {"value": text} for i, text in enumerate(texts)}
    (folder / "texts.tf.json").write_text(json.dumps({"output": outputs}), encoding="utf-8")
    applied = _run(folder, os.environ, "apply", "-auto-approve", "-input=false", "-no-color")
    assert applied.returncode == 0, applied.stderr
    found = json.loads(_run(folder, os.environ, "output", "-json").stdout)
    return [found[name]["value"] for name in outputs]
