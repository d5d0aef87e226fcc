"""Writing data files: an engine for a step of sealing, and rows that become a file on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.artifacts import CANNOT_WRITE
from meterspec.diagnostics import Failure
from meterspec.store.manifest import SPILL, DataFile, Holding, Kind, digest, sync, token
from meterspec.store.tables import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["engine", "write_rows"]

_PARQUET = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1"


@contextmanager
def engine(folder: Path, threads: int | None) -> Iterator[DuckDBPyConnection]:
    """An engine that spills into the store; raises `Failure` with MS011 for what it cannot do."""
    import duckdb  # noqa: PLC0415 - 100 ms that only a run pays

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        connection.execute(f"SET temp_directory = {text(str(folder / SPILL))}")
        if threads is not None:
            connection.execute(f"SET threads = {threads:d}")
        try:
            yield connection
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except (duckdb.Error, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise Failure(CANNOT_WRITE, path=folder, reason=reason) from error


def write_rows(
    connection: DuckDBPyConnection, query: str, kind: Kind, holding: Holding, folder: Path, partition: str = ""
) -> list[DataFile]:
    """The file with the rows of a query, once it is on the disk; none where there are no rows."""
    path = folder / holding.folder / kind.value / partition / f"{token()}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = connection.execute(f"COPY ({query}) TO {text(str(path))} ({_PARQUET})").fetchone()
    assert written is not None
    rows = int(written[0])
    if not rows:
        path.unlink()
        return []
    sync(path)
    below = path.relative_to(folder)
    for parent in below.parents:
        sync(folder / parent)
    stat = path.stat()
    file = DataFile(
        path=below.as_posix(),
        kind=kind,
        rows=rows,
        schema=len(holding.schemas) - 1,
        size=stat.st_size,
        sha256=digest(path),
        written=stat.st_mtime_ns,
    )
    return [file]
