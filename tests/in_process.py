"""The command line in this process: what a command prints, and its exit code, without starting Python each time."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from meterspec.__main__ import main

__all__ = ["Done", "meterspec"]


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def meterspec(*arguments: str) -> Done:
    """Runs a command in the current folder, without colour."""
    out, err = StringIO(), StringIO()
    code: object = 0
    with (
        patch.object(sys, "argv", ["meterspec", *arguments]),
        patch.dict(os.environ, {"NO_COLOR": "1", "COLUMNS": "100"}),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            gc.enable()
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())
