"""Projects on disk: the files that make up a spec, and how they are found."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meterspec.diagnostics import Failure, Rule

__all__ = ["SpecFile", "collect"]

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
    why="`[tool.meterspec]` names the files of the project: `paths`, an array of texts.",
)

NAME = "meterspec.toml"


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A file of a project: the name people see, and its bytes."""

    name: str
    data: bytes


def collect(paths: Sequence[str]) -> list[SpecFile]:
    """The files that paths name: files, folders or `-`; without any, those of the project around this folder.

    Raises `Failure` with MS001 to MS004.
    """
    if not paths:
        return [_read(path) for path in _around(Path.cwd())]
    files: dict[str, SpecFile] = {}
    for path in paths:
        if path == "-":
            files["-"] = SpecFile("<stdin>", sys.stdin.buffer.read())
            continue
        for file in _files(Path(path)):
            files.setdefault(str(file.resolve()), _read(file))
    return list(files.values())


def _around(folder: Path) -> list[Path]:
    """The project of a folder: the nearest spec, or the nearest settings that name one, upward."""
    for parent in [folder, *folder.parents]:
        if (parent / NAME).is_file():
            return [_shown(file) for file in _files(parent)]
        settings = parent / "pyproject.toml"
        named = _named_in(settings) if settings.is_file() else None
        if named is not None:
            return [_shown(file) for path in named for file in _files(parent / path)]
    hint = "write the path of a spec, or `meterspec init` for a new one"
    raise Failure(NO_SPEC, path=f"{folder} or above", hint=hint)


def _shown(path: Path) -> Path:
    """A path relative to this folder, where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _named_in(settings: Path) -> list[str] | None:
    """The paths that `[tool.meterspec]` names; None where there is no such table."""
    import tomli  # noqa: PLC0415 - only where there is a pyproject.toml

    try:
        document = tomli.loads(settings.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(UNREADABLE_FILE, path=settings, reason=error) from error
    tool = document.get("tool", {}).get("meterspec")
    if tool is None:
        return None
    paths = tool.get("paths", [NAME]) if isinstance(tool, dict) else None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        hint = 'write `paths = ["meterspec.toml"]`'
        raise Failure(BAD_SETTINGS, path=settings, fault="has a `paths` that is no array of texts", hint=hint)
    return paths


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


def _read(path: Path) -> SpecFile:
    if path.suffix in _EVENTS:
        hint = "it is an event file: write `--events` before each, or put the pattern in quotes"
        raise Failure(NO_SPEC, path=path, hint=hint)
    try:
        return SpecFile(str(path), path.read_bytes())
    except OSError as error:
        raise Failure(UNREADABLE_FILE, path=path, reason=error.strerror or error) from error
