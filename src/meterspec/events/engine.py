"""The embedded engine: a connection that spills to disk, says how far it is, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING

from meterspec.diagnostics import Failure, Rule

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["engine", "engine_errors", "installed", "is_full", "on_disk", "quoted", "reason_of", "step"]

NO_ENGINE = Rule(
    code="MS012",
    slug="no-engine",
    title="An engine that is not installed",
    message="the embedded engine, DuckDB, is not installed",
    why="Checking and compiling need no engine, so it is left out of the plain installation.",
)
ENGINE_STOPPED = Rule(
    code="MS708",
    slug="engine-stopped",
    title="The embedded engine could not finish",
    message="the engine could not finish: {reason}",
    why="Nothing is computed by halves: without the end of a computation there is no result of it.",
)

_MEMORY = 8 * 2**30
"""Bytes that the engine keeps in memory at the most. It does not count all it needs: 12 GiB are enough for both."""
_SHARE = 0.6
"""How much of the memory it may take where there is less."""
_FOLDER = "meterspec_folder"
"""The variable of a connection that holds the path of its folder."""
_DISK = "meterspec_disk"
"""The database in that folder."""


@contextmanager
def engine(*, threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """A connection to an empty database; what it needs on disk is removed at the end, however that comes.

    `threads` limits it. Raises `Failure` with MS012 where it is not installed, and MS708 where it cannot finish.
    """
    duckdb = installed()
    try:
        with TemporaryDirectory(prefix="meterspec-") as folder, duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            connection.execute(f"SET memory_limit = '{_memory(connection)}B'; SET temp_directory = {quoted(folder)}")
            connection.execute(f"SET VARIABLE {_FOLDER} = {quoted(folder)}")
            if threads is not None:
                connection.execute(f"SET threads = {threads:d}")
            yield connection
    except RuntimeError as error:  # how the engine says that Ctrl-C was pressed
        if "interrupted" in str(error):
            raise KeyboardInterrupt from None
        raise
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.Error, MemoryError) as error:
        reason = reason_of(error)
        hint = "free some disk space, or let TMPDIR name a folder on a larger disk" if is_full(error) else None
        raise Failure(ENGINE_STOPPED, reason=reason, hint=hint) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "let TMPDIR name a folder that can be written"
        raise Failure(ENGINE_STOPPED, reason=error.strerror or error, hint=hint) from error


def on_disk(connection: DuckDBPyConnection) -> str | None:
    """The name of a database of the connection that is on disk, compressed; None where it has no folder for one."""
    row = connection.execute(f"SELECT getvariable('{_FOLDER}')").fetchone()
    if row is None or row[0] is None:
        return None
    file = Path(row[0]) / "events.duckdb"
    connection.execute(f"ATTACH IF NOT EXISTS {quoted(str(file))} AS {_DISK}")
    return _DISK


@contextmanager
def step(connection: DuckDBPyConnection, words: str) -> Iterator[None]:
    """Shows on a terminal how far the engine is with what is done meanwhile, once that takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    # The engine's own bar goes to standard output, where the results are.
    connection.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = true")
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(connection, words, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(connection: DuckDBPyConnection, words: str, ended: threading.Event) -> None:
    wait, shown = 1.0, False
    while not ended.wait(wait):
        part = max(0, min(100, int(connection.query_progress())))
        bar = "#" * (part // 4)
        sys.stderr.write(f"\r{words} [{bar:<25}] {part:>3} %")
        sys.stderr.flush()
        wait, shown = 0.2, True
    if shown:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def engine_errors() -> type[Exception]:
    """What the engine raises."""
    from duckdb import Error  # noqa: PLC0415 - loaded by now, and not before it is needed

    return Error


def is_full(error: BaseException) -> bool:
    """Whether the engine had no room left, which says nothing of the files that it was reading."""
    words = r"no space left|file too large|max_temp_directory_size|out of memory|offload"
    return re.search(words, str(error), re.IGNORECASE) is not None


def reason_of(error: BaseException) -> str:
    """The first line of what the engine says, without its own prefix, or what it quotes of a failure below it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    quoted_below = re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', lines[0])
    if quoted_below:
        return str(json.loads(quoted_below[1])).rstrip(".:")
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", lines[0]).rstrip(".:")


def quoted(text: str) -> str:
    """A text as a constant of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _memory(connection: DuckDBPyConnection) -> int:
    """How many bytes the engine may take."""
    row = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert row is not None
    number, _, unit = str(row[0]).partition(" ")
    power = {"KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4}.get(unit, 0)
    machine = float(number) * 1024**power / 0.8  # 80 % of the memory is what the engine takes unasked
    return min(_MEMORY, int(machine * _SHARE))


def installed() -> ModuleType:
    """The engine; 100 ms that only a run pays. Raises `Failure` with MS012 where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415
    except ImportError as error:
        raise Failure(NO_ENGINE, hint="install it: `pip install 'meterspec[duckdb]'`") from error
    return duckdb
