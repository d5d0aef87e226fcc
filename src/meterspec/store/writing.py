"""Rows that become a data file: written, and waited for until the disk has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.artifacts import CANNOT_WRITE
from meterspec.diagnostics import Failure
from meterspec.events.engine import engine_errors, reason_of
from meterspec.store.manifest import DataFile, Holding, Kind, digest, sync, token
from meterspec.store.tables import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["write_rows"]

_PARQUET = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1"


def write_rows(
    connection: DuckDBPyConnection, query: str, kind: Kind, holding: Holding, folder: Path, partition: str = ""
) -> list[DataFile]:
    """The file with the rows of a query, once it is on the disk; none where there are no rows.

    Raises `Failure` with MS011.
    """
    path = folder / holding.folder / kind.value / partition / f"{token()}.parquet"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = connection.execute(f"COPY ({query}) TO {text(str(path))} ({_PARQUET})").fetchone()
        assert written is not None
        rows = int(written[0])
        if not rows:
            path.unlink()
            return []
        return [_on_disk(path, kind, rows, holding, folder)]
    except (engine_errors(), OSError) as error:
        raise Failure(CANNOT_WRITE, path=path, reason=reason_of(error)) from error


def _on_disk(path: Path, kind: Kind, rows: int, holding: Holding, folder: Path) -> DataFile:
    """A file that was just written, once the disk has it, and the names of the folders it is in."""
    sync(path)
    below = path.relative_to(folder)
    for parent in below.parents:
        sync(folder / parent)
    stat = path.stat()
    return DataFile(
        path=below.as_posix(),
        kind=kind,
        rows=rows,
        schema=len(holding.schemas) - 1,
        size=stat.st_size,
        sha256=digest(path),
        written=stat.st_mtime_ns,
    )
