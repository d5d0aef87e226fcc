"""Draws the picture of the terminal in the README from what the commands really print.

python -m tests.terminal_picture > docs/terminal.svg
"""

from __future__ import annotations

import os
import subprocess
import sys

from rich.console import Console
from rich.text import Text

from tests.conftest import ROOT

COMMANDS = [
    ("meterspec validate misspelt.toml", ["validate", "docs/misspelt.toml"], 10),
    (
        "meterspec run examples/agent-runs --events examples/agent-runs/events.parquet --from 2026-03-01",
        ["run", "examples/agent-runs", "--events", "examples/agent-runs/events.parquet", "--from", "2026-03-01"],
        36,
    ),
    (
        "meterspec invoice examples/agent-runs --events examples/agent-runs/events.parquet --customer atlas-freight",
        [
            *("invoice", "examples/agent-runs", "--events", "examples/agent-runs/events.parquet"),
            *("--customer", "atlas-freight", "--from", "2026-03-01"),
        ],
        10,
    ),
]


def picture() -> str:
    """The picture as SVG."""
    console = Console(record=True, width=112, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115
    for shown, arguments, lines in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "meterspec", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "FORCE_COLOR": "1"},
        )
        console.print(Text.assemble(("$ ", "bold green"), shown))
        printed = done.stdout.rstrip("\n").splitlines()
        console.print(Text.from_ansi("\n".join(printed[:lines])))
        if len(printed) > lines:
            console.print(Text("...", "dim"))
        console.print()
    return console.export_svg(title="meterspec", unique_id="meterspec")


if __name__ == "__main__":
    sys.stdout.write(picture())
