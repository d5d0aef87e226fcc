"""Artefacts on disk: written all or not at all, and compared with what a spec compiles to."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from meterspec.diagnostics import Failure, Rule

if TYPE_CHECKING:
    from meterspec.backends.base import Artifact

__all__ = ["Drift", "compare", "write", "write_file", "writing"]

_SIGNATURES = ("compliance/statement.dsse.json", "statement.dsse.json")
"""The compiler's own files that no manifest lists, of a build and of a run: they are there where a key was given."""

FOREIGN_FILES = Rule(
    code="MS010",
    slug="foreign-files",
    title="An output folder that holds files of somebody else",
    message="`{folder}` holds `{file}`, which the compiler did not write",
    why="The output folder is replaced as a whole; a file of yours in it would be lost.",
)
CANNOT_WRITE = Rule(
    code="MS011",
    slug="cannot-write",
    title="A path that cannot be written",
    message="`{path}` cannot be written: {reason}",
    why="Nothing was written: an output is complete or absent.",
)


@dataclass(frozen=True, slots=True)
class Drift:
    """How a folder differs from what the spec compiles to: paths below it."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]
    orphan: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.orphan)


def compare(artifacts: Sequence[Artifact], folder: Path, besides: Collection[str] = ()) -> Drift:
    """What is missing, stale or left over in a folder; files `besides` may be there."""
    wanted = {str(artifact.path): artifact.text.encode() for artifact in artifacts}
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    return Drift(
        missing=tuple(sorted(wanted.keys() - there)),
        stale=tuple(sorted(path for path in wanted.keys() & there if (folder / path).read_bytes() != wanted[path])),
        orphan=tuple(sorted(there - wanted.keys() - {*besides})),
    )


def write(artifacts: Sequence[Artifact], folder: Path) -> None:
    """Makes a folder hold these artefacts and nothing else; raises `Failure` with MS010 or MS011.

    The new folder is complete before it takes the place of the old one.
    """
    try:
        if folder.is_dir():
            drift = compare(artifacts, folder)
            if not drift:
                return
            written = _written(folder)
            foreign = [path for path in drift.orphan if path not in written]
            if foreign or (drift.stale and not written):
                hint = "name an empty folder, or move the file out of it"
                raise Failure(FOREIGN_FILES, folder=folder, file=(foreign or drift.stale)[0], hint=hint)
        elif folder.exists():
            raise Failure(CANNOT_WRITE, path=folder, reason="it is a file")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            made, old = Path(name) / "new", Path(name) / "old"
            for artifact in artifacts:
                path = made / artifact.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(artifact.text.encode())
            if folder.exists():
                folder.rename(old)
            try:
                made.rename(folder)
            except BaseException:
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise Failure(CANNOT_WRITE, path=folder, reason=error.strerror or error) from error


def write_file(path: Path, data: bytes) -> None:
    """Makes a file hold these bytes, complete or not at all; raises `Failure` with MS011."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its place once it is complete; raises `Failure` with MS011.

    A file that is there keeps its mode, and a link to one stays a link.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Failure(CANNOT_WRITE, path=path, reason=error.strerror or error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _written(folder: Path) -> set[str]:
    """The files that a folder's manifest says the compiler wrote."""
    manifest = folder / "manifest.json"
    try:
        files = json.loads(manifest.read_bytes())["files"]
        return {"manifest.json", *_SIGNATURES, *(str(file["path"]) for file in files)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
