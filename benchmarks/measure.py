"""Commands as cold processes: how long each takes and how much memory, as the operating system counts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryFile

__all__ = ["BIN", "ROOT", "Broken", "Command", "Ratio", "Sample", "Samples", "environment", "in_turn", "ratio"]

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


class Broken(Exception):  # noqa: N818 - the caller says what that means
    """A command that does not do its work has no speed."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, where, and what is done before each run."""

    words: Sequence[str | Path]
    folder: Path = ROOT
    before: Callable[[], object] = bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a command and of what it started in turn."""

    cpu: float
    """Seconds of processor time, its own and the system's for it."""
    wall: float
    """Seconds on the clock."""
    peak: float
    """MB of memory at the most; never less than this process has itself."""
    printed: str


@dataclass(frozen=True, slots=True)
class Samples:
    """The runs of one command; its figures are medians."""

    runs: Sequence[Sample]

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)

    @property
    def wall(self) -> float:
        return median(run.wall for run in self.runs)

    @property
    def peak(self) -> float:
        return median(run.peak for run in self.runs)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of two commands: the median over the turns, and the quartiles that say how much it wavered."""

    middle: float
    low: float
    high: float


def environment(folder: Path) -> dict[str, str]:
    """The environment of every command: nothing phones home, and Python keeps its bytecode, in `folder`.

    An installed package has its bytecode; a checkout may have none, or an old one. A folder of its own gives all of
    them the same: the first run, which is not counted, fills it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    quiet = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "0", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
    return {**kept, **quiet, "PYTHONPYCACHEPREFIX": str(folder)}


def in_turn(commands: Mapping[str, Command], turns: int, env: Mapping[str, str]) -> dict[str, Samples]:
    """Runs commands A B C, A B C, ..., so that a machine that slows down slows all of them; one turn is not counted.

    Raises Broken for a command that fails.
    """
    runs: dict[str, list[Sample]] = {name: [] for name in commands}
    for turn in range(turns + 1):
        for name, command in commands.items():
            sample = _run(command, env)
            if turn:
                runs[name].append(sample)
    return {name: Samples(samples) for name, samples in runs.items()}


def ratio(above: Samples, below: Samples, figure: Callable[[Sample], float] = lambda run: run.cpu) -> Ratio:
    """How many times as much one command takes as another, turn by turn."""
    pairs = [figure(one) / figure(two) for one, two in zip(above.runs, below.runs, strict=True)]
    low, _, high = quantiles(pairs, n=4, method="inclusive") if len(pairs) > 1 else pairs * 3
    return Ratio(median(pairs), low, high)


def _run(command: Command, env: Mapping[str, str]) -> Sample:
    command.before()
    with TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command.words],
            cwd=command.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode:
        words = " ".join(map(str, command.words))
        raise Broken(f"`{words}` ended with {process.returncode}:\n{printed[-2000:]}")
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Sample(used.ru_utime + used.ru_stime, wall, peak, printed)
