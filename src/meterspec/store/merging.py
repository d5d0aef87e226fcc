# ruff: noqa: S608 - every name is quoted
"""Merging small files, so that a store of many batches is as quick to read as one of few.

Files of a partition are merged once there are several of about one size, so a row is written again only a few times,
however many batches follow. Files of many rows stay as they are, unless many of their rows no longer count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from meterspec.backends.sql.families import REJECT_REASON
from meterspec.events import ROW, engine
from meterspec.ir import Family
from meterspec.store.manifest import DataFile, Holding, Kind
from meterspec.store.tables import (
    DEAD_FILE,
    HASH,
    define_superseded,
    files_in,
    live,
    quoted,
    rejects,
    stored_fields,
    superseded_name,
    text,
)
from meterspec.store.writing import write_rows

__all__ = ["merged"]

_SEVERAL = 8
"""Files of about one size that are merged, and how much larger the next size is."""
_LARGE = 1_000_000
"""Rows of a file that is not merged with others."""
_MOST_SUPERSEDED = 4
"""A file is written anew once more than one row in this many no longer counts."""


def merged(family: Family, holding: Holding, folder: Path, threads: int | None) -> Holding:
    """The holding with small files merged, as new files on the disk; raises `Failure` with MS011 or MS708."""
    while groups := list(_groups(holding)):
        with engine(threads=threads) as connection:
            define_superseded(connection, family, holding, folder)
            new: list[DataFile] = []
            for kind, partition, files in groups:
                query = _rows(kind, family, replace(holding, files=tuple(files)), folder)
                new += write_rows(connection, query, kind, holding, folder, partition)
            gone = {file.path for _, _, files in groups for file in files}
            kept = [file for file in holding.files if file.path not in gone]
            if any(file.superseded for file in holding.files if file.path in gone):
                kept = [file for file in kept if file.kind != Kind.SUPERSEDED]
                names = ", ".join(text(file.path) for file in kept if file.superseded)
                rows = f"FROM {quoted(superseded_name(family))} WHERE {quoted(DEAD_FILE)} IN ({names or 'NULL'})"
                new += write_rows(connection, rows, Kind.SUPERSEDED, holding, folder)
        holding = replace(holding, files=(*kept, *new))
    return holding


def _groups(holding: Holding) -> Iterator[tuple[Kind, str, list[DataFile]]]:
    """Files that become one, with the partition they are in."""

    def alike(file: DataFile) -> tuple[str, str, int]:
        return file.kind, file.partition, _size(file.rows)

    small = [file for file in holding.files if file.kind != Kind.SUPERSEDED and file.rows < _LARGE]
    taken = set[str]()
    for (kind, partition, _), alikes in groupby(sorted(small, key=alike), key=alike):
        group = list(alikes)
        if len(group) >= _SEVERAL:
            taken.update(file.path for file in group)
            yield Kind(kind), partition, group
    for file in holding.of(Kind.EVENTS):
        if file.superseded * _MOST_SUPERSEDED > file.rows and file.path not in taken:
            yield Kind.EVENTS, file.partition, [file]


def _size(rows: int) -> int:
    """The size of a file: each is `_SEVERAL` times the one before."""
    size = 0
    while rows >= _SEVERAL:
        rows, size = rows // _SEVERAL, size + 1
    return size


def _rows(kind: Kind, family: Family, holding: Holding, folder: Path) -> str:
    """What the files of a holding have, as one file has it."""
    if kind is Kind.EVENTS:
        return f"SELECT {stored_fields(family)}, {quoted(HASH)} FROM ({live(family, holding, folder, places=True)})"
    if kind is Kind.REJECTS:
        reason = f"{quoted(REJECT_REASON)}, {quoted(ROW)}"
        return f"SELECT {stored_fields(family)}, {reason} FROM ({rejects(family, holding, folder)})"
    return f"FROM {files_in(folder, holding.files)}"
