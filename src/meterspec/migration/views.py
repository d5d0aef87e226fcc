"""From the views of one compilation to those of another: what to create again, what to drop, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlglot import Token, TokenType, tokenize

from meterspec.backends.base import Artifact
from meterspec.backends.sql import DIALECTS
from meterspec.templates import render

__all__ = ["Move", "View", "move", "script", "views"]


@dataclass(frozen=True, slots=True)
class View:
    """A view as an artefact creates it."""

    name: str
    relation: str
    """The name as the statement has it, quoted and qualified."""
    file: PurePosixPath
    statement: str
    """With no semicolon."""
    mentions: frozenset[str]
    """Every name in the statement: those of the views it reads are among them."""


@dataclass(frozen=True, slots=True)
class Move:
    """What takes a warehouse from one compilation to another."""

    replace: tuple[View, ...]
    """To be created, or created again because they, or a view below them, changed; in this order."""
    drop: tuple[View, ...]
    """To be dropped after that, in this order; none of the others reads them."""
    stale: tuple[View, ...]
    """All views of `replace` and `drop` that are there before, dependents first: what an engine that keeps a view as it
    is drops before it creates any."""

    def __bool__(self) -> bool:
        return bool(self.replace or self.drop)


def views(artifacts: Sequence[Artifact], dialect: str) -> dict[str, View]:
    """The views that the files of a dialect create, in the order in which they do."""
    found: dict[str, View] = {}
    folder = PurePosixPath("sql", dialect)
    for artifact in artifacts:
        if artifact.path.parent == folder and artifact.path.name != "inputs.sql":
            found |= {view.name: view for view in _created(artifact, dialect)}
    return found


def _created(artifact: Artifact, dialect: str) -> Iterator[View]:
    """The views of a script; the engine's own tokens say where a statement ends and what in it is a name."""
    statement: list[Token] = []
    for token in tokenize(artifact.text, read=DIALECTS[dialect].printer):
        if token.token_type is not TokenType.SEMICOLON:
            statement.append(token)
            continue
        kinds = [one.token_type for one in statement[:5]]
        if kinds[:1] == [TokenType.CREATE] and TokenType.VIEW in kinds:
            first = kinds.index(TokenType.VIEW) + 1
            last = next(n for n, one in enumerate(statement) if n > first and one.token_type is TokenType.ALIAS)
            relation = artifact.text[statement[first].start : statement[last - 1].end + 1]
            names = frozenset(one.text for one in statement if one.token_type in {TokenType.VAR, TokenType.IDENTIFIER})
            text = artifact.text[statement[0].start : token.start].rstrip()
            yield View(statement[last - 1].text, relation, artifact.path, text, names)
        statement = []


def move(before: Mapping[str, View], after: Mapping[str, View]) -> Move:
    """What is to be done, the fewest views; a view that reads one that is created again is created again as well."""
    again: dict[str, View] = {}
    for name, view in after.items():  # a view stands below those that it reads
        old = before.get(name)
        if old is None or old.statement != view.statement or again.keys() & view.mentions:
            again[name] = view
    stale = [view for name, view in before.items() if name in again or name not in after]
    gone = [view for name, view in before.items() if name not in after]
    return Move(tuple(again.values()), tuple(gone[::-1]), tuple(stale[::-1]))


def script(taken: Move, dialect: str) -> str:
    """The statements of a move. PostgreSQL keeps the columns of a view and SQLite replaces none: there views are
    dropped first, in one transaction with all that follows."""
    create = [{"words": f"From {view.file.name}.", "sql": view.statement} for view in taken.replace]
    title = "From the views of the spec before to those of this one; grants on a view that is dropped go with it."
    if dialect == "postgres" or not DIALECTS[dialect].replaces_views:
        begin, commit = {"words": "All or nothing.", "sql": "BEGIN"}, {"words": "Done.", "sql": "COMMIT"}
        if create:
            words = (
                f"Nothing reads the raw tables here: the place to change the type of a column.\n-- {create[0]['words']}"
            )
            create[0] = create[0] | {"words": words}
        statements = [begin, *map(_dropped, taken.stale), *create, commit]
    else:
        statements = create + list(map(_dropped, taken.drop))
    return render("sql/script.sql.j2", title=title, statements=statements)


def _dropped(view: View) -> dict[str, str]:
    return {"words": f"From {view.file.name}.", "sql": f"DROP VIEW IF EXISTS {view.relation}"}
