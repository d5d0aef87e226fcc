"""A new project: a commented spec, sample events, a CI job and a pre-commit entry, that pass as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meterspec import __version__
from meterspec.artifacts import CANNOT_WRITE
from meterspec.diagnostics import Failure, Rule
from meterspec.templates import render

__all__ = ["write_starter"]

ALREADY_THERE = Rule(
    code="MS013",
    slug="already-there",
    title="A new project where there is one",
    message="`{path}` is already there",
    why="A new project replaces no file: nothing was written.",
)

_FILES = {
    "meterspec.toml": "meterspec.toml",
    "events.jsonl": "events.jsonl",
    ".github/workflows/meterspec.yml": "workflow.yml",
}
_HOOKS = ".pre-commit-config.yaml"


def write_starter(folder: Path) -> tuple[list[str], str | None]:
    """Writes a project into a folder, all or nothing: the paths that it wrote below the folder.

    Where the folder has a pre-commit configuration already, that one is left alone, and the entry for it is the second
    value. Raises `Failure` with MS011 or MS013.
    """
    files = {path: render(f"init/{name}.j2", version=__version__) for path, name in _FILES.items()}
    entry = render("init/pre-commit-hooks.yaml.j2") if (folder / _HOOKS).exists() else None
    if entry is None:
        files[_HOOKS] = render("init/pre-commit-config.yaml.j2")
    for path in files:
        if (folder / path).exists():
            raise Failure(ALREADY_THERE, path=folder / path, hint="name another folder: `meterspec init DIR`")
    _create(folder, files)
    return list(files), entry


def _create(folder: Path, files: Mapping[str, str]) -> None:
    """Creates files that are not there yet; on any failure, what it made is gone again."""
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            for parent in reversed(path.parents):
                if not parent.exists():
                    parent.mkdir()
                    made.append(parent)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise Failure(CANNOT_WRITE, path=error.filename or folder, reason=error.strerror or error) from error
        raise
