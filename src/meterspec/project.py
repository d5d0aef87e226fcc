"""Projects: the files that make up a spec, and how they are found on disk, or wherever else files are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Protocol

from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.records import record

__all__ = [
    "NAME",
    "NO_SPEC",
    "NO_SUCH_FILE",
    "STDIN",
    "Files",
    "Settings",
    "SpecFile",
    "collect",
    "is_spec",
    "organisation_of",
]

NO_SUCH_FILE = Rule(
    code="MS001",
    slug="no-such-file",
    title="A path that does not exist",
    message="there is no file or folder `{path}`",
    why="A mistyped path must not read as a spec without findings.",
)
NO_SPEC = Rule(
    code="MS002",
    slug="no-spec",
    title="No spec where one was looked for",
    message="there is no spec in `{path}`",
    why="A project is a `meterspec.toml`, files named `*.meterspec.toml` beside it, or a folder of TOML files.",
)
UNREADABLE_FILE = Rule(
    code="MS003",
    slug="unreadable-file",
    title="A file that cannot be read",
    message="`{path}` cannot be read: {reason}",
    why="What cannot be read cannot be checked.",
)
BAD_SETTINGS = Rule(
    code="MS004",
    slug="bad-settings",
    title="Settings in pyproject.toml that cannot be used",
    message="`{path}` {fault}",
    why="`[tool.meterspec]` has two keys: `paths`, an array with the files and folders of the project, and `lint`, the "
    "levels of warnings and hints.",
)

NAME = "meterspec.toml"
STDIN = "<stdin>"
"""The name of what was read from standard input."""
_KEYS = ("paths", "lint")
ORGANISATION = "meterspec.regimes.toml"
"""What an organisation adds to the registry of regimes; the nearest one at or above a spec counts."""
_BESIDE = ("pyproject.toml", "meterspec.approvals.toml", ORGANISATION)
"""TOML files beside a spec that are none of it."""


class Files(Protocol):
    """Where files are: on disk, or in a commit. A relative path is below the folder that the command runs in."""

    def is_file(self, path: Path) -> bool: ...
    def is_folder(self, path: Path) -> bool: ...
    def exists(self, path: Path) -> bool: ...

    def names(self, folder: Path) -> Sequence[str]:
        """The names in a folder; raises OSError."""

    def read(self, path: Path) -> bytes:
        """The bytes of a file; raises OSError."""

    def full(self, path: Path) -> Path:
        """The one absolute path of a file that may be named in several ways."""

    def shown(self, path: Path) -> str:
        """The name that people see."""


class _Disk:
    """The files on disk."""

    def is_file(self, path: Path) -> bool:
        return path.is_file()

    def is_folder(self, path: Path) -> bool:
        return path.is_dir()

    def exists(self, path: Path) -> bool:
        return path.exists()

    def names(self, folder: Path) -> Sequence[str]:
        return [entry.name for entry in folder.iterdir()]

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def full(self, path: Path) -> Path:
        return path.resolve()

    def shown(self, path: Path) -> str:
        return str(path)


_DISK = _Disk()


@record(frozen=True, slots=True)
class Settings:
    """What `[tool.meterspec]` of a pyproject.toml says: the name people see, the text, and the values as they are."""

    name: str
    text: str
    paths: list[str] | None
    """The files and folders of the project, relative to the folder of the pyproject.toml."""
    lint: object
    """The table `lint`, unchecked; None where there is none."""


@record(frozen=True, slots=True)
class SpecFile:
    """A file of a project: the name people see, its bytes, and what the folders around it say."""

    name: str
    data: bytes
    settings: Settings | None = field(default=None, compare=False, repr=False)
    organisation: tuple[str, bytes] | None = field(default=None, compare=False, repr=False)
    """The file of the organisation that adds to the registry of regimes: its name and bytes."""


def is_spec(name: str) -> bool:
    """Whether a file of this name is a spec wherever it is found: `meterspec.toml`, `*.meterspec.toml`."""
    return name == NAME or name.endswith(f".{NAME}")


def collect(paths: Sequence[str], where: Files = _DISK) -> list[SpecFile]:
    """The files that paths name: files, folders or `-`; without any, those of the project around this folder.

    Raises `Failure` with MS001 to MS004.
    """
    if not paths:
        return _around(Path.cwd(), where)
    settings_of = cache(lambda folder: _settings_of(folder, where))
    own_of = cache(lambda folder: organisation_of(folder, where))
    files: dict[str, SpecFile] = {}
    for path in paths:
        if path == "-":
            here = Path.cwd()
            files["-"] = SpecFile(STDIN, sys.stdin.buffer.read(), settings_of(here), own_of(here))
            continue
        for file in _files(Path(path), where):
            full = where.full(file)
            beside = settings_of(full.parent), own_of(full.parent)
            files.setdefault(str(full), _read(file, *beside, where))
    return list(files.values())


def _around(folder: Path, where: Files) -> list[SpecFile]:
    """The project of a folder: the nearest spec, or the nearest settings that name one, upward."""
    for parent in [folder, *folder.parents]:
        if where.is_file(parent / NAME):
            settings = _settings_of(parent, where)
            own = organisation_of(parent, where)
            return [_read(_shown(file), settings, own, where) for file in _files(parent, where)]
        settings = _settings_in(parent, where)
        if settings is not None and settings.paths is not None:
            found = [file for path in settings.paths for file in _files(parent / path, where)]
            return [_read(_shown(file), settings, organisation_of(file.parent, where), where) for file in found]
    hint = "nor in a folder above it; write the path of a spec, or `meterspec init` for a new one"
    raise Failure(NO_SPEC, path=folder, hint=hint)


def _shown(path: Path) -> Path:
    """A path relative to this folder, where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _settings_of(folder: Path, where: Files) -> Settings | None:
    """The nearest settings of an absolute folder, upward."""
    return next(filter(None, (_settings_in(parent, where) for parent in [folder, *folder.parents])), None)


def organisation_of(folder: Path, where: Files = _DISK) -> tuple[str, bytes] | None:
    """The nearest file of an organisation at or above an absolute folder: the name people see, and its bytes."""
    for parent in [folder, *folder.parents]:
        path = parent / ORGANISATION
        name = where.shown(_shown(path))
        try:
            return name, where.read(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise Failure(UNREADABLE_FILE, path=name, reason=error.strerror or error) from error
    return None


def _settings_in(folder: Path, where: Files) -> Settings | None:
    """What the pyproject.toml of a folder says about the project; None where it has no such table."""
    path = folder / "pyproject.toml"
    name = where.shown(_shown(path))
    try:
        data = where.read(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failure(UNREADABLE_FILE, path=name, reason=error.strerror or error) from error
    if b"meterspec" not in data:
        return None
    import tomli  # noqa: PLC0415 - only where a pyproject.toml speaks of us

    try:
        text = data.decode()
        tool = tomli.loads(text).get("tool", {})
    except (ValueError, RecursionError) as error:
        raise Failure(UNREADABLE_FILE, path=name, reason=error) from error
    table = tool.get("meterspec") if isinstance(tool, dict) else None
    if table is None:
        return None

    def bad(fault: str, hint: str) -> Failure:
        return Failure(BAD_SETTINGS, path=name, fault=fault, hint=hint)

    if not isinstance(table, dict):
        raise bad(
            "has a `tool.meterspec` that is no table", 'write `[tool.meterspec]`, and `paths = ["specs"]` below it'
        )
    for key in table:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"the keys here are {', '.join(f'`{known}`' for known in _KEYS)}"
            raise bad(f"has no use for `tool.meterspec.{key}`", hint)
    paths = table.get("paths")
    if paths is not None and not (isinstance(paths, list) and all(isinstance(entry, str) for entry in paths)):
        raise bad("has a `paths` that is no array of texts", 'write `paths = ["meterspec.toml"]`')
    return Settings(name, text, paths, table.get("lint"))


def _files(path: Path, where: Files) -> list[Path]:
    if where.is_folder(path):
        try:
            names = sorted(where.names(path))
        except OSError as error:
            raise Failure(UNREADABLE_FILE, path=where.shown(path), reason=error.strerror or error) from error
        main = [NAME] if NAME in names and where.is_file(path / NAME) else []
        found = main + [name for name in names if is_spec(name) and name != NAME]
        if not main:
            found = [name for name in names if name.endswith(".toml") and name not in _BESIDE]
        if not found:
            hint = f"a project has a `{NAME}`, or TOML files in a folder of their own"
            raise Failure(NO_SPEC, path=where.shown(path), hint=hint)
        return [path / name for name in found]
    if not where.exists(path):
        raise Failure(NO_SUCH_FILE, path=where.shown(path))
    return [path]


_EVENTS = {".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".gz", ".zst"}


def _read(path: Path, settings: Settings | None, organisation: tuple[str, bytes] | None, where: Files) -> SpecFile:
    name = where.shown(path)
    if path.suffix in _EVENTS:
        hint = "it is an event file: write `--events` before each, or put the pattern in quotes"
        raise Failure(NO_SPEC, path=name, hint=hint)
    try:
        return SpecFile(name, where.read(path), settings, organisation)
    except OSError as error:
        raise Failure(UNREADABLE_FILE, path=name, reason=error.strerror or error) from error
