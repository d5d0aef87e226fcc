"""What a store holds, as its manifest says: live files, sealed inputs, counts, and the schemas they were read by."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from meterspec.artifacts import CANNOT_WRITE
from meterspec.diagnostics import Failure, Rule
from meterspec.ir import Family

__all__ = [
    "Counts",
    "DataFile",
    "Holding",
    "Kind",
    "Manifest",
    "Schema",
    "digest",
    "held",
    "is_data_file",
    "is_store",
    "locked",
    "read",
    "token",
    "write",
]

NO_STORE = Rule(
    code="MS750",
    slug="not-a-store",
    title="A folder with files of somebody else where a store of events should be",
    message="`{folder}` holds `{file}`, and is no store of events",
    why="A store removes the files in its folder that it no longer needs, so it shares the folder with nobody.",
)
NEWER_STORE = Rule(
    code="MS751",
    slug="newer-store",
    title="A store that a newer meterspec wrote",
    message="the store `{folder}` has format {found}, and this meterspec knows formats up to {known}",
    why="A newer format may say things that an older reader would pass over, and its numbers would be wrong.",
)
OTHER_SCHEMA = Rule(
    code="MS752",
    slug="sealed-with-another-schema",
    title="A store whose events were read by another schema of their family",
    message="`{folder}` holds events of family `{family}` that were read by another schema: {difference}",
    why="The schema decides which rows are rejected, how values are read and which row of a conflict wins. Rows that "
    "were decided by one schema cannot be counted by another. A new optional field is no difference, as long as no "
    "sealed event has it.",
)
DAMAGED = Rule(
    code="MS753",
    slug="damaged-store",
    title="A store with a file that is missing or not as it was written",
    message="the store `{folder}` is damaged: {reason}",
    why="A number computed on a part of the events would look like any other.",
)
LOCKED = Rule(
    code="MS754",
    slug="store-in-use",
    title="A store that another process is sealing events into",
    message="another process is sealing events into `{folder}`",
    why="Two at once would each count events that the other has.",
)

FORMAT = 1
"""The version of the format that is written here; older ones are read."""
MANIFEST = "meterspec-store.json"
"""The one file of a store that changes; everything else in it is written once, and removed."""
_LOCK, _READERS = "lock", "readers"


class Kind(StrEnum):
    """What the rows of a data file are."""

    EVENTS = "events"
    """The event that stands for its id, and the hash of the id."""
    REJECTS = "rejects"
    CONFLICTS = "conflicts"
    """Ids with rows of different content."""
    SUPERSEDED = "superseded"
    """Rows of event files that another row has taken the place of, by file and row number."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What of a family decides how its rows are read, rejected and ranked."""

    event_id: str
    event_time: str
    ingest_time: str | None
    fields: tuple[dict[str, object], ...]

    @classmethod
    def of(cls, family: Family) -> Schema:
        fields: tuple[dict[str, object], ...] = tuple(
            {
                "name": one.name,
                "type": one.type.value,
                "required": one.required,
                "min": _plain(one.minimum),
                "max": _plain(one.maximum),
                "values": None if one.values is None else sorted(one.values),
                "precision": one.precision,
                "scale": one.scale,
            }
            for one in family.fields
        )
        return cls(family.event_id, family.event_time, family.ingest_time, fields)

    @property
    def names(self) -> list[str]:
        return [str(one["name"]) for one in self.fields]

    def difference(self, later: Schema, unread: Sequence[str]) -> str | None:
        """The first reason why rows read by this schema cannot stand for a later one; None where they can.

        `unread` are the keys that the rows had and this schema did not declare.
        """
        for role in ("event_id", "event_time", "ingest_time"):
            before, after = getattr(self, role), getattr(later, role)
            if before != after:
                return f"`{role}_field` was {_quoted(before)} and is {_quoted(after)}"
        then, now = {str(one["name"]): one for one in self.fields}, {str(one["name"]): one for one in later.fields}
        for name, one in then.items():
            if name not in now:
                return f"field `{name}` is gone"
            for key, before in one.items():
                if before != now[name][key]:
                    return f"`{key}` of field `{name}` was {_said(before)} and is {_said(now[name][key])}"
        for name, one in now.items():
            if name not in then and one["required"]:
                return f"required field `{name}` is new"
            if name not in then and name in unread:
                return f"field `{name}` is new, and sealed events have it"
        if [name for name in now if name in then] != list(then):
            return "the fields are in another order"
        return None


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _quoted(name: str | None) -> str:
    return f"`{name}`" if name else "not named"


def _said(value: object) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What came of all sealed rows of a family."""

    read: int = 0
    accepted: int = 0
    conflicts: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        return sum(self.reasons.values())

    @property
    def duplicates(self) -> int:
        return self.read - self.accepted - self.rejected

    def __add__(self, other: Counts) -> Counts:
        reasons = dict(self.reasons)
        for reason, count in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
        return Counts(
            read=self.read + other.read,
            accepted=self.accepted + other.accepted,
            conflicts=self.conflicts + other.conflicts,
            reasons=dict(sorted(reasons.items())),
        )

    def __sub__(self, other: Counts) -> Counts:
        reasons = {reason: count - other.reasons.get(reason, 0) for reason, count in self.reasons.items()}
        return Counts(
            read=self.read - other.read,
            accepted=self.accepted - other.accepted,
            conflicts=self.conflicts - other.conflicts,
            reasons={reason: count for reason, count in reasons.items() if count},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A Parquet file of the store, as it was when it was written."""

    path: str
    """Below the folder of the store."""
    kind: str
    rows: int
    superseded: int = 0
    """Its rows that no longer count."""
    schema: int = 0
    """Which of the family's schemas its columns are of."""
    size: int
    """Bytes."""
    sha256: str
    written: int
    """Its time of modification in nanoseconds: a file that still has it is not hashed again."""

    @property
    def partition(self) -> str:
        """The folder that the file is in, below those of its family and its kind."""
        return "/".join(self.path.split("/")[2:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a store has of one family."""

    folder: str
    schemas: tuple[Schema, ...]
    """Every one that a file was written by; the last is the one in force."""
    counts: Counts = field(default_factory=Counts)
    ignored: tuple[str, ...] = ()
    """The keys in sealed files that the family did not declare."""
    inputs: dict[str, str] = field(default_factory=dict)
    """The names of the sealed files, by the SHA-256 of their bytes."""
    files: tuple[DataFile, ...] = ()

    def of(self, kind: str) -> list[DataFile]:
        return [file for file in self.files if file.kind == kind]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a store holds, family by family."""

    families: dict[str, Holding]

    @property
    def paths(self) -> set[str]:
        return {file.path for holding in self.families.values() for file in holding.files}


def is_store(path: Path) -> bool:
    """Whether a path is the folder of a store."""
    try:
        return (path / MANIFEST).exists()
    except OSError:  # a name that is too long, a folder that is not ours to look into
        return False


def read(folder: Path) -> Manifest:
    """The manifest of a store; raises `Failure` with MS751 or MS753."""
    try:
        text = json.loads((folder / MANIFEST).read_bytes())
        version = text["format"]
        if isinstance(version, int) and version > FORMAT:
            hint = "run it with the meterspec that wrote it, or a newer one"
            raise Failure(NEWER_STORE, hint=hint, folder=folder, found=version, known=FORMAT)
        if text["sha256"] == _digest_of(text["families"]):
            return Manifest({name: _holding(entry) for name, entry in text["families"].items()})
        reason = f"`{MANIFEST}` is not as it was written"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        reason = f"`{MANIFEST}` cannot be read"
    raise Failure(DAMAGED, hint=_RESTORE, folder=folder, reason=reason)


def _digest_of(families: dict[str, Any]) -> str:
    return sha256(json.dumps(families, sort_keys=True).encode()).hexdigest()


_RESTORE = "restore the folder from a copy, or seal the original event files into a new one"


def _holding(entry: Any) -> Holding:
    schemas = (Schema(**{**one, "fields": tuple(one["fields"])}) for one in entry["schemas"])
    return Holding(
        folder=entry["folder"],
        schemas=tuple(schemas),
        counts=Counts(**entry["counts"]),
        ignored=tuple(entry["ignored"]),
        inputs=dict(entry["inputs"]),
        files=tuple(DataFile(**one) for one in entry["files"]),
    )


def write(folder: Path, manifest: Manifest) -> None:
    """Makes this the manifest of a store, whatever happens: until the rename the old one stands.

    Raises `Failure` with MS011.
    """
    families = {name: asdict(holding) for name, holding in sorted(manifest.families.items())}
    text = json.dumps({"format": FORMAT, "sha256": _digest_of(families), "families": families}, indent=1) + "\n"
    new = folder / f"{MANIFEST}.{token()}"
    try:
        with new.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / MANIFEST)
        sync(folder)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Failure(CANNOT_WRITE, path=folder / MANIFEST, reason=error.strerror or error) from error


def token() -> str:
    """A name that no file has."""
    return secrets.token_hex(8)


def is_data_file(path: Path) -> bool:
    """Whether a file has a name as data files have it."""
    return re.fullmatch(r"[0-9a-f]{16}\.parquet", path.name) is not None


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def verified(folder: Path, holding: Holding) -> Holding:
    """The holding, once all its files are there and are what was written; raises `Failure` with MS753.

    Hashing everything would take longer than most answers, so a file is hashed only where its time of modification is
    not the one it was written at, as after a copy; the holding that is given back has the new times.
    """
    files = []
    for file in holding.files:
        path = folder / file.path
        try:
            found = path.stat()
            if found.st_size != file.size:
                reason = f"`{file.path}` has {found.st_size} bytes, and was written with {file.size}"
            elif found.st_mtime_ns != file.written and digest(path) != file.sha256:
                reason = f"`{file.path}` does not hold what was written to it"
            else:
                files.append(file if found.st_mtime_ns == file.written else replace(file, written=found.st_mtime_ns))
                continue
        except FileNotFoundError:
            reason = f"`{file.path}` is missing"
        except OSError as error:
            reason = f"`{file.path}` cannot be read: {error.strerror or error}"
        raise Failure(DAMAGED, hint=_RESTORE, folder=folder, reason=reason)
    return replace(holding, files=tuple(files))


# Locks ----------------------------------------------------------------------------------------------------------


@contextmanager
def locked(folder: Path) -> Iterator[Manifest]:
    """Holds a store against other sealing processes, and makes it where there is none.

    Raises `Failure` with MS011, MS750, MS751, MS753 or MS754.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(name for name in os.listdir(folder) if not _is_ours(name))  # noqa: PTH208 - names only
        if strangers and not is_store(folder):
            raise Failure(NO_STORE, hint="name a new or empty folder", folder=folder, file=strangers[0])
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise Failure(CANNOT_WRITE, path=folder, reason=error.strerror or error) from error
    try:
        if not _lock(handle, shared=False):
            hint = "wait until it has ended; nothing of this batch was sealed"
            raise Failure(LOCKED, hint=hint, folder=folder)
        if not is_store(folder):
            write(folder, Manifest({}))
        yield read(folder)
    finally:
        os.close(handle)


def _is_ours(name: str) -> bool:
    return name in {_LOCK, _READERS} or name.startswith(f"{MANIFEST}.")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps the files of a store where they are while it is read."""
    try:
        handle = os.open(folder / _READERS, os.O_RDONLY)
    except OSError:  # no batch was sealed yet, or the folder is not ours to lock
        yield
        return
    try:
        _lock(handle, shared=True)
        yield
    finally:
        os.close(handle)


@contextmanager
def unread(folder: Path) -> Iterator[bool]:
    """Whether nobody reads the store, and then nobody begins to."""
    handle = os.open(folder / _READERS, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _lock(handle, shared=False)
    finally:
        os.close(handle)


def _lock(handle: int, *, shared: bool) -> bool:
    """Takes a lock that ends with the process: waits for a shared one, and says of the other whether it is taken."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
