# ruff: noqa: S608 - every name is quoted, every value is a literal of ours or bound
"""Sealing a batch: its rows checked, its repeats found in it and in the store, its files written, then the manifest.

Files are written under names that no file has, and are part of the store once the manifest names them. What a crash
leaves behind is therefore in no number, and the next batch removes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.backends.sql.families import REJECT_REASON
from meterspec.diagnostics import Failure
from meterspec.events import ROW, UNREADABLE, EventFiles, engine, load
from meterspec.events.engine import engine_errors, reason_of
from meterspec.ir import Family
from meterspec.store.manifest import (
    MANIFEST,
    OTHER_SCHEMA,
    Counts,
    DataFile,
    Holding,
    Kind,
    Manifest,
    Schema,
    digest,
    is_data_file,
    locked,
    read,
    unread,
    verified,
    write,
)
from meterspec.store.merging import merged
from meterspec.store.tables import (
    DEAD_FILE,
    DEAD_ROW,
    HASH,
    define_superseded,
    fields_of,
    files_in,
    id_hash,
    live,
    quoted,
    rows_at,
    stored_fields,
    superseded_name,
)
from meterspec.store.writing import write_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Sealed", "seal"]

_MOST_MONTHS = 36
"""Months of one batch that get a file each; the rows of a batch that spans more are kept together."""
_MOST_BYTES = 256 * 2**20
"""Bytes of event files that are sealed at a time, where there are several: what the engine holds in memory."""
_PLACE = "place in id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What sealing a batch did for one family."""

    family: str
    new: tuple[str, ...]
    """The files that were sealed."""
    known: tuple[str, ...]
    """The files that had been sealed before."""
    before: Counts
    after: Counts
    superseded: int
    """Sealed rows that a row of the batch took the place of: it is of the same event, and came first."""

    @property
    def batch(self) -> Counts:
        """What came of the rows of the batch alone."""
        return self.after - self.before


def seal(events: Sequence[EventFiles], folder: Path, *, threads: int | None = None) -> list[Sealed]:
    """Appends event files to the store in a folder, all of them or none; a file that was sealed before changes nothing.

    Raises `Failure` with MS011, MS012, MS701, MS702, MS705, MS708 or MS750 to MS754.
    """
    with locked(folder) as manifest:
        holdings = {name: verified(folder, holding) for name, holding in manifest.families.items()}
        _remove_strays(folder)
        done = []
        try:
            for batch in events:
                holding = _holding(batch.family, holdings, folder)
                new, sealed = _seal_family(batch, holding, folder, threads)
                if sealed.new:
                    holdings[batch.family.name] = new
                done.append(sealed)
            if Manifest(holdings) != manifest:
                write(folder, Manifest(holdings))
        except (Failure, KeyboardInterrupt):
            _remove_strays(folder)
            raise
        _remove_strays(folder)
        return done


def _holding(family: Family, holdings: dict[str, Holding], folder: Path) -> Holding:
    """What a store has of a family, under its schema of now; raises `Failure` with MS752."""
    now = Schema.of(family)
    holding = holdings.get(family.name)
    if holding is None:
        return Holding(folder=family.sql_name, schemas=(now,))
    difference = holding.schemas[-1].difference(now, holding.ignored)
    if difference:
        hint = "seal the original event files into a new folder"
        raise Failure(OTHER_SCHEMA, hint=hint, folder=folder, family=family.name, difference=difference)
    return holding if holding.schemas[-1] == now else replace(holding, schemas=(*holding.schemas, now))


def _remove_strays(folder: Path) -> None:
    """Removes the files that the manifest on the disk does not name, unless somebody may still be reading them."""
    with suppress(OSError), unread(folder) as nobody:
        if not nobody:
            return
        named = read(folder).paths
        for name in os.listdir(folder):  # noqa: PTH208 - names only
            if name.startswith(f"{MANIFEST}."):
                (folder / name).unlink(missing_ok=True)
        for path in folder.rglob("*.parquet"):
            if is_data_file(path) and path.relative_to(folder).as_posix() not in named:
                path.unlink(missing_ok=True)


def _seal_family(batch: EventFiles, holding: Holding, folder: Path, threads: int | None) -> tuple[Holding, Sealed]:
    inputs = dict(holding.inputs)
    new: list[Path] = []
    known: list[Path] = []
    stamps = {path: _stamp(path) for path in batch.paths}
    for path in batch.paths:
        key = _input_digest(path)
        (known if key in inputs else new).append(path)
        inputs.setdefault(key, path.name)
    before, superseded = holding.counts, 0
    for group in _groups(new, stamps):
        with engine(threads=threads) as connection:
            holding, count = _Batch(connection, replace(batch, paths=group), holding, folder).seal()
        for path in group:
            if _stamp(path) != stamps[path]:
                raise Failure(UNREADABLE, path=path, reason="it changed while it was read", hint="seal it again")
        superseded += count
    if new:
        holding = replace(merged(batch.family, holding, folder, threads), inputs=inputs)
    sealed = Sealed(
        family=batch.family.name,
        new=tuple(str(path) for path in new),
        known=tuple(str(path) for path in known),
        before=before,
        after=holding.counts,
        superseded=superseded,
    )
    return holding, sealed


def _groups(paths: Sequence[Path], stamps: Mapping[Path, _Stamp]) -> list[tuple[Path, ...]]:
    """The files in groups that are sealed at a time."""
    groups: list[tuple[Path, ...]] = []
    room = 0
    for path in paths:
        size = stamps[path].size
        if not groups or size > room:
            groups.append(())
            room = _MOST_BYTES
        groups[-1] += (path,)
        room -= size
    return groups


class _Batch:
    """Some files of one family on their way into the store."""

    def __init__(self, connection: DuckDBPyConnection, events: EventFiles, holding: Holding, folder: Path) -> None:
        self.connection = connection
        self.events = events
        self.family = events.family
        self.holding = holding
        self.folder = folder

    def seal(self) -> tuple[Holding, int]:
        """The holding with the batch in it, its files on the disk, and how many sealed rows it superseded."""
        ignored = load(self.connection, self.events)
        self._stage()
        return self._append(ignored.keys)

    def _append(self, ignored: Sequence[str]) -> tuple[Holding, int]:
        counts = self._counts()
        self._find_contested()
        files = self._write_events()
        files += self._write(
            Kind.REJECTS, f"SELECT {stored_fields(self.family)}, {_OF_REJECTS} FROM batch WHERE {_REJECTED}"
        )
        fresh = self._new_conflicts()
        files += fresh
        new = sum(file.rows for file in files if file.kind == Kind.EVENTS)
        old, superseded = self._supersede()
        counts = replace(counts, accepted=new - superseded, conflicts=sum(file.rows for file in fresh))
        holding = replace(
            self.holding,
            counts=self.holding.counts + counts,
            ignored=tuple(sorted({*self.holding.ignored, *ignored})),
            files=(*old, *files),
        )
        return holding, superseded

    # Steps ------------------------------------------------------------------------------------------------------

    def _stage(self) -> None:
        """The checked rows of the batch, read once, each with the hash of its id."""
        columns = f"{fields_of(self.family)}, {quoted(REJECT_REASON)}, {quoted(ROW)}"
        query = (
            f"CREATE TEMP TABLE batch AS SELECT {columns}, {id_hash(self.family)} AS {quoted(HASH)} "
            f"FROM {quoted(self.family.checked)}"
        )
        try:
            self.connection.execute(query)
        except engine_errors() as error:
            names = ", ".join(str(path) for path in self.events.paths)
            raise Failure(UNREADABLE, path=names, reason=reason_of(error)) from error

    def _counts(self) -> Counts:
        rows = self.connection.execute(f"SELECT {quoted(REJECT_REASON)}, count(*) FROM batch GROUP BY 1").fetchall()
        by_reason = {reason: int(count) for reason, count in rows}
        read = sum(by_reason.values())
        by_reason.pop(None, None)
        return Counts(read=read, reasons=dict(sorted(by_reason.items())))

    def _find_contested(self) -> None:
        """Ranks all rows whose id may be that of another row, in the batch or in the store.

        Hashes find the candidates, and the ids themselves decide.
        """
        run = self.connection.execute
        key, file, row = quoted(HASH), quoted(DEAD_FILE), quoted(DEAD_ROW)
        fields = fields_of(self.family)
        run(f"CREATE TEMP TABLE hashes AS SELECT {key} FROM batch WHERE {_VALID}")
        define_superseded(self.connection, self.family, self.holding, self.folder)
        sealed = live(self.family, self.holding, self.folder, places=True)
        run(
            f"CREATE TEMP TABLE places AS SELECT {file}, {row} FROM ({sealed}) "
            f"WHERE {key} IN (SELECT {key} FROM hashes)"
        )
        files = {name for (name,) in run(f"SELECT DISTINCT {file} FROM places").fetchall()}
        known = rows_at(self.family, self.holding, self.folder, "places", files)
        run(f"CREATE TEMP TABLE known AS SELECT {fields}, {key}, {file}, {row} FROM ({known})")
        run(
            f"CREATE TEMP TABLE contested AS SELECT {fields}, {key}, NULL::VARCHAR AS {file}, NULL::BIGINT AS {row} "
            f"FROM batch WHERE {_VALID} AND {key} IN "
            f"(SELECT {key} FROM known UNION SELECT {key} FROM hashes GROUP BY {key} HAVING count(*) > 1) "
            f"UNION ALL FROM known"
        )
        order = ", ".join(f"{quoted(name)} NULLS LAST" for name in self._order())
        # Of rows that are the same in every field the sealed one stays.
        run(
            f"CREATE TEMP TABLE ranked AS SELECT *, row_number() OVER (PARTITION BY {quoted(self.family.event_id)} "
            f"ORDER BY {order}, {file} NULLS LAST) AS {quoted(_PLACE)} FROM contested"
        )

    def _order(self) -> list[str]:
        """What decides between rows of one id, the first first."""
        family = self.family
        first = [family.ingest_time] if family.ingest_time else []
        first.append(family.event_time)
        rest = [one.name for one in family.fields if one.name not in {family.event_id, *first}]
        return [*first, *rest]

    def _write_events(self) -> list[DataFile]:
        """Writes the events that are new, or take the place of a sealed row, a file for each month they happened in."""
        key = quoted(HASH)
        time = f"make_timestamp(epoch_us({quoted(self.family.event_time)}))"
        month = f"(year({time}) * 12 + month({time}) - 1)"
        found = self.connection.execute(f"SELECT DISTINCT {month} FROM batch WHERE {_VALID} ORDER BY 1").fetchall()
        parts = {f"{number // 12:04}-{number % 12 + 1:02}": f" AND {month} = {number}" for (number,) in found}
        if len(parts) > _MOST_MONTHS:
            parts = {"several-months": ""}
        files = []
        for name, condition in parts.items():
            rows = (
                f"SELECT {stored_fields(self.family)}, {key} FROM ranked "
                f"WHERE {quoted(DEAD_FILE)} IS NULL AND {quoted(_PLACE)} = 1{condition} "
                f"UNION ALL SELECT {stored_fields(self.family)}, {key} FROM batch "
                f"WHERE {_VALID} AND {key} NOT IN (SELECT {key} FROM contested){condition}"
            )
            files += self._write(Kind.EVENTS, rows, name)
        return files

    def _new_conflicts(self) -> list[DataFile]:
        """Writes the ids whose rows differ in more than when they arrived, and did not before."""
        family = self.family
        id_ = quoted(family.event_id)
        content = ", ".join(
            quoted(f.name) for f in family.fields if f.name not in {family.event_id, family.ingest_time}
        )
        before = self.holding.of(Kind.CONFLICTS)
        other = f" AND {id_} NOT IN (SELECT {id_} FROM {files_in(self.folder, before)})" if before else ""
        rows = (
            f"SELECT {id_} FROM contested GROUP BY {id_} "
            f"HAVING count(*) > 1 AND count(DISTINCT row({content})) > 1{other}"
        )
        return self._write(Kind.CONFLICTS, rows)

    def _supersede(self) -> tuple[list[DataFile], int]:
        """The files of before with their superseded rows counted, and how many rows this batch superseded."""
        file, row = quoted(DEAD_FILE), quoted(DEAD_ROW)
        lost = f"FROM ranked WHERE {file} IS NOT NULL AND {quoted(_PLACE)} > 1"
        counted = self.connection.execute(f"SELECT {file}, count(*) {lost} GROUP BY {file}").fetchall()
        by_file = {str(name): int(count) for name, count in counted}
        if not by_file:
            return list(self.holding.files), 0
        files = [
            replace(one, superseded=one.superseded + by_file.get(one.path, 0))
            for one in self.holding.files
            if one.kind != Kind.SUPERSEDED
        ]
        all_ = f"SELECT {file}, {row} {lost} UNION ALL FROM {quoted(superseded_name(self.family))}"
        return [*files, *self._write(Kind.SUPERSEDED, all_)], sum(by_file.values())

    def _write(self, kind: Kind, query: str, partition: str = "") -> list[DataFile]:
        return write_rows(self.connection, query, kind, self.holding, self.folder, partition)


_VALID = f"{quoted(REJECT_REASON)} IS NULL"
_OF_REJECTS = f"{quoted(REJECT_REASON)}, {quoted(ROW)}"
_REJECTED = f"{quoted(REJECT_REASON)} IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes when a file is written to."""

    size: int
    modified: int


def _stamp(path: Path) -> _Stamp:
    try:
        stat = path.stat()
    except OSError as error:
        raise Failure(UNREADABLE, path=path, reason=error.strerror or error) from error
    return _Stamp(stat.st_size, stat.st_mtime_ns)


def _input_digest(path: Path) -> str:
    try:
        return digest(path)
    except OSError as error:
        raise Failure(UNREADABLE, path=path, reason=error.strerror or error) from error
