"""The event files that a command line names, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from glob import glob
from pathlib import Path

from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.ir import Family, Program

__all__ = ["NO_SUCH_FAMILY", "EventFiles", "Format", "find", "format_of", "listed"]

NO_FILE = Rule(
    code="MS700",
    slug="no-event-file",
    title="A path of events that names no file",
    message="there is no event file `{path}`",
    why="A mistyped path must not read as a period without usage.",
)
WHICH_FAMILY = Rule(
    code="MS703",
    slug="which-family",
    title="Events without a family, where the spec declares several",
    message="`{path}` could be events of any of {families}",
    why="With one family a path says enough; with several each file has to name the one its rows are of.",
)
NO_SUCH_FAMILY = Rule(
    code="MS704",
    slug="no-such-family",
    title="Events of a family that the spec does not declare",
    message="the spec declares no family `{family}`",
    why="Events are read by the schema of their family.",
)
UNKNOWN_FORMAT = Rule(
    code="MS706",
    slug="unknown-event-format",
    title="An event file whose name does not say what it is",
    message="`{path}` is not a known kind of event file",
    why="The ending of the name says how the file is read; guessing from its content would sometimes be wrong.",
)


class Format(StrEnum):
    """How the rows of a file are written."""

    PARQUET = "parquet"
    JSON = "json"
    CSV = "csv"


_ENDINGS = {
    ".parquet": Format.PARQUET,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".json": Format.JSON,
    ".csv": Format.CSV,
}
_PACKED = {".gz", ".zst"}


@dataclass(frozen=True, slots=True)
class EventFiles:
    """Files with the events of one family."""

    family: Family
    paths: tuple[Path, ...]
    unnamed: frozenset[Path] = frozenset()
    """Those given without the family's name: a CloudEvent in one of them has to have it as its `type`."""


def find(program: Program, arguments: Sequence[str]) -> list[EventFiles]:
    """The files that `--events` arguments name: `PATH` or `FAMILY=PATH`, where a path may be a pattern.

    Raises `Failure` with MS700, MS703, MS704 or MS706.
    """
    found: dict[str, list[Path]] = {}
    named: set[Path] = set()
    names = [family.name for family in program.families]
    for argument in arguments:
        name, _, path = argument.partition("=")
        if not path or (name not in names and Path(argument).exists()):
            name, path = "", argument
        elif name not in names:
            raise Failure(NO_SUCH_FAMILY, hint=did_you_mean(name, names) or listed(names), family=name)
        if not name and len(names) != 1:
            raise Failure(WHICH_FAMILY, hint=f"write `{names[0]}={path}`", path=path, families=listed(names))
        files = _expand(path)
        found.setdefault(name or names[0], []).extend(files)
        named.update(files if name else ())
    return [
        EventFiles(program.family(name), tuple(dict.fromkeys(paths)), frozenset(paths) - named)
        for name, paths in found.items()
    ]


def format_of(path: Path) -> Format:
    """How a file is written, by the ending of its name; raises `Failure` with MS706."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in _PACKED
    if packed:
        suffixes.pop()
    kind = _ENDINGS.get(suffixes[-1]) if suffixes else None
    if kind is None or (packed and kind is Format.PARQUET):
        endings = ", ".join(_ENDINGS)
        hint = f"name it with one of {endings}; .gz and .zst may follow those of text"
        raise Failure(UNKNOWN_FORMAT, path=path, hint=hint)
    return kind


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _expand(path: str) -> list[Path]:
    """The files a path or pattern names, sorted."""
    found = [Path(path)] if Path(path).is_file() else sorted(Path(p) for p in glob(path, recursive=True))  # noqa: PTH207 - a pattern may be absolute
    files = [p for p in found if p.is_file()]
    if not files:
        hint = "it is a folder: write a pattern such as `events/*.parquet`" if Path(path).is_dir() else None
        raise Failure(NO_FILE, path=path, hint=hint)
    for file in files:
        format_of(file)
    return files
