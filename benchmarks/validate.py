"""`python -m benchmarks.validate`: how long `validate` takes, as ratios to what a user would run instead.

Every figure is the median of cold processes, run in turn with what they are compared with. `--peers` adds other tools,
which are installed into the cache folder of the user; `--gate` exits with 1 where a ratio is beyond its limit;
`--markdown` prints the tables of docs/speed.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import BIN, ROOT, Broken, Command, Sample, Samples, environment, in_turn, ratio
from benchmarks.peers import PEERS, Absent
from benchmarks.specs import write

__all__ = ["main"]

METERSPEC = BIN / "meterspec"
EXAMPLE = ROOT / "fixtures" / "specs" / "valid" / "published_long.toml"
YARDSTICK = (sys.executable, "-m", "benchmarks.yardsticks")
EXPRESSIONS = 10_000
MOST_MEMORY = 200
"""MB that `validate` of 10,000 meters may take."""

PASS, LIBRARIES = "python -c pass", 'python -c "import typer, pydantic"'
VERSION, HELP, ONE = "meterspec --version", "meterspec --help", "meterspec validate, published example"
SMALL, LARGE = "meterspec validate, 1,000 meters", "meterspec validate, 10,000 meters"
READ, READ_AND_CHECK = "tomli, the same 10,000", "tomli and cel-expr-python, the same 10,000"
OURS, GOOGLES, PYTHONS = "meterspec", "cel-expr-python", "cel-python, which only parses"


@dataclass(frozen=True, slots=True)
class Gate:
    """A ratio of processor time; beyond its limit it fails. An aim is a hope, and fails nothing."""

    above: str
    below: str
    limit: float | None = None
    aim: float | None = None


GATES = [
    Gate(VERSION, PASS, limit=2),
    Gate(ONE, LIBRARIES, limit=1.5),
    Gate(ONE, PASS, aim=5),
    Gate(LARGE, READ_AND_CHECK, limit=2.5),
    Gate(LARGE, SMALL, limit=12),
    Gate(OURS, GOOGLES, limit=0.8),
    Gate(OURS, PYTHONS),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validate", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure other tools too; installs them on first use")
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a ratio is beyond its limit")
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="meterspec-benchmarks-") as folder:
        env = environment(Path(folder) / "bytecode")
        try:
            found = {**start_up(env), **documents(env, Path(folder))}
            checked = expressions(env)
        except Broken as reason:
            sys.stderr.write(f"{reason}\n")
            return 2
        peers = other_tools(env, Path(folder)) if options.peers else []
    rows = [*map(judged(found | checked), GATES), memory(found[LARGE])]
    show = Printer(options.markdown)
    show.line(machine())
    show.table(["processor time", "ratio", "quartiles", "limit", ""], rows)
    show.table(["whole process", *FIGURES], [[name, *figures(one)] for name, one in found.items()])
    inside = [[name, figures(one)[0]] for name, one in checked.items()]
    show.table([f"parse and check {EXPRESSIONS:,} distinct expressions, in process", FIGURES[0]], inside)
    if peers:
        show.table(["tool", "items", *FIGURES, "meterspec, wall ms", "times as long"], peers)
    return int(options.gate and any(row[-1] for row in rows))


def start_up(env: Mapping[str, str]) -> dict[str, Samples]:
    commands: dict[str, Sequence[str | Path]] = {
        PASS: [sys.executable, "-c", "pass"],
        LIBRARIES: [sys.executable, "-c", "import typer, pydantic"],
        VERSION: [METERSPEC, "--version"],
        HELP: [METERSPEC, "--help"],
        ONE: [METERSPEC, "validate", EXAMPLE],
    }
    return in_turn({name: Command(words) for name, words in commands.items()}, 15, env)


def documents(env: Mapping[str, str], folder: Path) -> dict[str, Samples]:
    small, large = (write(folder / f"{meters}.toml", meters) for meters in (1_000, 10_000))
    commands: dict[str, Sequence[str | Path]] = {
        SMALL: [METERSPEC, "validate", small],
        LARGE: [METERSPEC, "validate", large],
        READ: [*YARDSTICK, "tomli", large],
        READ_AND_CHECK: [*YARDSTICK, "tomli+cel-expr-python", large],
    }
    return in_turn({name: Command(words) for name, words in commands.items()}, 7, env)


def expressions(env: Mapping[str, str]) -> dict[str, Samples]:
    """The time that a process measures itself, without its start."""
    yardsticks = {OURS: "meterspec", GOOGLES: "cel-expr-python", PYTHONS: "cel-python"}
    commands = {name: Command([*YARDSTICK, word, str(EXPRESSIONS)]) for name, word in yardsticks.items()}

    def inner(run: Sample) -> Sample:
        return replace(run, cpu=float(run.printed))

    return {name: Samples([inner(run) for run in one.runs]) for name, one in in_turn(commands, 7, env).items()}


def other_tools(env: Mapping[str, str], folder: Path) -> list[list[str]]:
    """A row for every tool and size, or for why there is none."""
    rows = []
    for number, peer in enumerate(PEERS):
        try:
            program = peer.installed()
            words = subprocess.run([program, *peer.version], env=env, capture_output=True, text=True, check=True).stdout
            name = " ".join([peer.name, *re.findall(r"\d+\.\d+\.\d+", words)[:1]])
            for items in (100, 1_000, 10_000):
                if items > peer.most:
                    break
                place = folder / f"{number}-{items}"
                place.mkdir()
                ours = Command([METERSPEC, "validate", write(place / "meterspec.toml", items)])
                pair = in_turn({OURS: ours, name: peer.prepare(program, place, items, env)}, 3, env)
                times = ratio(pair[name], pair[OURS], lambda run: run.wall).middle
                rows.append([name, f"{items:,}", *figures(pair[name]), figures(pair[OURS])[1], f"{times:.1f}"])
        except (Absent, Broken, OSError, subprocess.CalledProcessError) as reason:
            rows.append([f"{peer.name}: {str(reason).splitlines()[0]}", *[""] * 6])
    return rows


def judged(found: Mapping[str, Samples]) -> Callable[[Gate], list[str]]:
    def row(gate: Gate) -> list[str]:
        times = ratio(found[gate.above], found[gate.below])
        limit = f"at most {gate.limit:g}" if gate.limit else f"aim {gate.aim:g}" if gate.aim else ""
        missed = gate.limit is not None and times.middle > gate.limit
        spread = f"{times.low:.2f} to {times.high:.2f}"
        return [f"{gate.above} / {gate.below}", f"{times.middle:.2f}", spread, limit, "MISSED" if missed else ""]

    return row


def memory(large: Samples) -> list[str]:
    missed = "MISSED" if large.peak > MOST_MEMORY else ""
    return ["peak memory, 10,000 meters", f"{large.peak:.0f} MB", "", f"at most {MOST_MEMORY} MB", missed]


FIGURES = ("processor ms", "wall ms", "peak MB")


def figures(one: Samples) -> list[str]:
    return [f"{one.cpu * 1000:.0f}", f"{one.wall * 1000:.0f}", f"{one.peak:.0f}"]


def machine() -> str:
    packages = ("meterspec", "tomli", "cel-expr-python", "cel-python", "typer", "pydantic")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{load}"
    return f"{datetime.now(UTC):%Y-%m-%d}; {system}; Python {platform.python_version()}, {versions}"


class Printer:
    """Prints tables, for a terminal or for a page."""

    def __init__(self, markdown: bool) -> None:
        self.markdown = markdown

    def line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column to the left, the others to the right; a last column that is empty is left out."""
        whole = [list(row) for row in [head, *rows]]
        if not any(row[-1] for row in whole):
            whole = [row[:-1] for row in whole]
        widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
        lines = [
            [cell.rjust(w) if n else cell.ljust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))]
            for row in whole
        ]
        if self.markdown:
            rule = ["-" * width if not n else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
            text = [f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]]]
        else:
            text = ["  ".join(line).rstrip() for line in [lines[0], ["-" * width for width in widths], *lines[1:]]]
        sys.stdout.write("\n" + "\n".join(text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
