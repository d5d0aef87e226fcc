"""Reading a store: which families of a program it has, and their relations on an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.diagnostics import Failure, Rule
from meterspec.events import NO_SUCH_FAMILY, EventFiles
from meterspec.events import find as find_files
from meterspec.ir import Family, Program
from meterspec.store import manifest
from meterspec.store.manifest import OTHER_SCHEMA, Counts, Schema, is_store
from meterspec.store.tables import define_superseded, live, quoted, rejects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["SealedEvents", "define", "find", "held"]

TWICE = Rule(
    code="MS755",
    slug="events-beside-a-store",
    title="Events of a family both from a store and from elsewhere",
    message="events of family `{family}` are given by the store `{folder}` and by `{other}`",
    why="A store has each event once. What is beside it may have them again, and only sealing finds that out.",
)
NOT_IN_STORE = Rule(
    code="MS756",
    slug="family-not-in-store",
    title="A store without events of the families that are asked for",
    message="the store `{folder}` has no events of {families}",
    why="A mistyped folder must not read as a period without usage.",
)


@dataclass(frozen=True, slots=True)
class SealedEvents:
    """The events of one family in a store."""

    family: Family
    folder: Path


def find(program: Program, arguments: Sequence[str]) -> list[EventFiles | SealedEvents]:
    """What `--events` arguments name: event files, and stores of all their families or, as `FAMILY=DIR`, of one.

    Raises `Failure` with MS700, MS703, MS704, MS706, MS751, MS753, MS755 or MS756.
    """
    files, sealed = [], dict[str, SealedEvents]()
    for argument in arguments:
        name, _, path = argument.partition("=")
        if is_store(Path(argument)):
            name, path = "", argument
        elif not (path and is_store(Path(path))):
            files.append(argument)
            continue
        for events in _in_store(program, Path(path).absolute(), name or None):
            _once(events, sealed.get(events.family.name))
            sealed[events.family.name] = events
    found = find_files(program, files) if files else []
    for one in found:
        if one.family.name in sealed:
            _once(sealed[one.family.name], one)
    order = [family.name for family in program.families]
    return sorted([*found, *sealed.values()], key=lambda one: order.index(one.family.name))


def _in_store(program: Program, folder: Path, name: str | None) -> list[SealedEvents]:
    """The families of a program, or the one named, that a store has."""
    known = [family for family in program.families if name in {None, family.name}]
    if not known:
        raise Failure(NO_SUCH_FAMILY, family=name)
    there = manifest.read(folder).families
    found = [SealedEvents(family, folder) for family in known if family.name in there]
    if not found:
        names = ", ".join(f"`{family.name}`" for family in known)
        hint = f"it has events of {', '.join(f'`{one}`' for one in there)}" if there else "nothing was sealed into it"
        raise Failure(NOT_IN_STORE, hint=hint, folder=folder, families=names)
    return found


def _once(events: SealedEvents, other: EventFiles | SealedEvents | None) -> None:
    if other is None or other == events:
        return
    path = other.folder if isinstance(other, SealedEvents) else other.paths[0]
    hint = f"seal them first: `meterspec seal {path} --into {events.folder}`" if isinstance(other, EventFiles) else None
    raise Failure(TWICE, hint=hint, family=events.family.name, folder=events.folder, other=path)


@contextmanager
def held(events: Sequence[EventFiles | SealedEvents]) -> Iterator[None]:
    """Keeps the stores among the events as they are while they are read."""
    with ExitStack() as stack:
        for folder in {one.folder for one in events if isinstance(one, SealedEvents)}:
            stack.enter_context(manifest.held(folder))
        yield


def define(connection: DuckDBPyConnection, events: SealedEvents) -> tuple[Counts, tuple[str, ...]]:
    """Defines the views of a family's events and of its rejected rows, and gives what came of all its rows.

    The views have the names and columns of the compiled ones, and no view below them: the events are those of the
    files, less the rows that were superseded. The second value is the keys that the family does not declare. Raises
    `Failure` with MS751, MS752 or MS753.
    """
    family, folder = events.family, events.folder
    holding = manifest.verified(folder, manifest.read(folder).families[family.name])
    difference = holding.schemas[-1].difference(Schema.of(family), holding.ignored)
    if difference:
        hint = "run the spec that it was sealed with, or seal the original event files into a new folder"
        raise Failure(OTHER_SCHEMA, hint=hint, folder=folder, family=family.name, difference=difference)
    define_superseded(connection, family, holding, folder)
    connection.execute(f"CREATE VIEW {quoted(family.sql_name)} AS {live(family, holding, folder)}")
    connection.execute(f"CREATE VIEW {quoted(family.rejects)} AS {rejects(family, holding, folder)}")
    return holding.counts, holding.ignored
