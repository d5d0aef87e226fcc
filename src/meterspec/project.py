"""Projects on disk: the files that make up a spec, and how they are found."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from meterspec.diagnostics import Failure, Rule, did_you_mean

__all__ = ["STDIN", "Settings", "SpecFile", "collect"]

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


@dataclass(frozen=True, slots=True)
class Settings:
    """What `[tool.meterspec]` of a pyproject.toml says: the name people see, the text, and the values as they are."""

    name: str
    text: str
    paths: list[str] | None
    """The files and folders of the project, relative to the folder of the pyproject.toml."""
    lint: object
    """The table `lint`, unchecked; None where there is none."""


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A file of a project: the name people see, its bytes, and the settings of the folder it is in."""

    name: str
    data: bytes
    settings: Settings | None = field(default=None, compare=False, repr=False)


def collect(paths: Sequence[str]) -> list[SpecFile]:
    """The files that paths name: files, folders or `-`; without any, those of the project around this folder.

    Raises `Failure` with MS001 to MS004.
    """
    if not paths:
        return _around(Path.cwd())
    settings_of = cache(_settings_of)
    files: dict[str, SpecFile] = {}
    for path in paths:
        if path == "-":
            files["-"] = SpecFile(STDIN, sys.stdin.buffer.read(), settings_of(Path.cwd()))
            continue
        for file in _files(Path(path)):
            full = file.resolve()
            files.setdefault(str(full), _read(file, settings_of(full.parent)))
    return list(files.values())


def _around(folder: Path) -> list[SpecFile]:
    """The project of a folder: the nearest spec, or the nearest settings that name one, upward."""
    for parent in [folder, *folder.parents]:
        if (parent / NAME).is_file():
            settings = _settings_of(parent)
            return [_read(_shown(file), settings) for file in _files(parent)]
        settings = _settings_in(parent)
        if settings is not None and settings.paths is not None:
            return [_read(_shown(file), settings) for path in settings.paths for file in _files(parent / path)]
    hint = "write the path of a spec, or `meterspec init` for a new one"
    raise Failure(NO_SPEC, path=f"{folder} or above", hint=hint)


def _shown(path: Path) -> Path:
    """A path relative to this folder, where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _settings_of(folder: Path) -> Settings | None:
    """The nearest settings of an absolute folder, upward."""
    return next(filter(None, map(_settings_in, [folder, *folder.parents])), None)


def _settings_in(folder: Path) -> Settings | None:
    """What the pyproject.toml of a folder says about the project; None where it has no such table."""
    path = folder / "pyproject.toml"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failure(UNREADABLE_FILE, path=_shown(path), reason=error.strerror or error) from error
    if b"meterspec" not in data:
        return None
    import tomli  # noqa: PLC0415 - only where a pyproject.toml speaks of us

    try:
        text = data.decode()
        tool = tomli.loads(text).get("tool", {})
    except (ValueError, RecursionError) as error:
        raise Failure(UNREADABLE_FILE, path=_shown(path), reason=error) from error
    table = tool.get("meterspec") if isinstance(tool, dict) else None
    if table is None:
        return None

    def bad(fault: str, hint: str) -> Failure:
        return Failure(BAD_SETTINGS, path=_shown(path), fault=fault, hint=hint)

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
    return Settings(str(_shown(path)), text, paths, table.get("lint"))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        main = [path / NAME] if (path / NAME).is_file() else []
        found = main + sorted(path.glob(f"*.{NAME}"))
        if not main:
            found = sorted(file for file in path.glob("*.toml") if file.name != "pyproject.toml")
        if not found:
            raise Failure(NO_SPEC, path=path, hint=f"a project has a `{NAME}`, or TOML files in a folder of their own")
        return found
    if not path.exists():
        raise Failure(NO_SUCH_FILE, path=path)
    return [path]


_EVENTS = {".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".gz", ".zst"}


def _read(path: Path, settings: Settings | None) -> SpecFile:
    if path.suffix in _EVENTS:
        hint = "it is an event file: write `--events` before each, or put the pattern in quotes"
        raise Failure(NO_SPEC, path=path, hint=hint)
    try:
        return SpecFile(str(path), path.read_bytes(), settings)
    except OSError as error:
        raise Failure(UNREADABLE_FILE, path=path, reason=error.strerror or error) from error
