"""Draws the picture of the terminal in the README from what the commands really print.

python -m tests.terminal_picture > docs/terminal.svg
"""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO

from rich.console import Console
from rich.text import Text

from tests.conftest import ROOT

EVENTS = "examples/agent-runs/events.parquet"
COMMANDS = [
    ("validate docs/misspelt.toml", 10),
    (f"run examples/agent-runs --events {EVENTS} --from 2026-03-01", 34),
    (f"invoice examples/agent-runs --events {EVENTS} --customer atlas-freight --from 2026-03-01", 10),
]
"""The command lines, and how many lines of each output are shown."""


def picture() -> str:
    """The picture as SVG."""
    console = Console(record=True, width=124, file=StringIO(), force_terminal=True)
    for command, lines in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "meterspec", *command.split()],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "FORCE_COLOR": "1"},
        )
        console.print(Text.assemble(("$ ", "bold green"), f"meterspec {command}"))
        printed = done.stdout.rstrip("\n").splitlines()
        console.print(Text.from_ansi("\n".join(printed[:lines])))
        if len(printed) > lines:
            console.print(Text("...", "dim"))
        console.print()
    return console.export_svg(title="meterspec", unique_id="meterspec")


if __name__ == "__main__":
    sys.stdout.write(picture())
