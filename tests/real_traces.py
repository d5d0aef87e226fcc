"""The Azure LLM inference traces as events, converted by the script that users run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import ROOT, SHARED

__all__ = ["LLM_SPEC", "TRACES", "convert", "llm_events", "needs_traces"]

LLM_SPEC = ROOT / "examples" / "llm-inference" / "meterspec.toml"
TRACES = SHARED / "data" / "azure-llm-inference-2023"

needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the Azure traces are not beside the checkout")


def convert(traces: Iterable[Path], out: Path) -> subprocess.CompletedProcess[str]:
    """Runs the example's `convert.py` as a user would."""
    script = LLM_SPEC.with_name("convert.py")
    return subprocess.run(
        [sys.executable, script, *traces, "--out", out], capture_output=True, encoding="utf-8", check=False
    )


def llm_events(folder: Path) -> Path:
    """The 28,185 requests of both traces as events of the family `llm.inference`, in a file in the folder."""
    out = folder / "events.jsonl"
    convert(sorted(TRACES.glob("*.csv")), out).check_returncode()
    return out
