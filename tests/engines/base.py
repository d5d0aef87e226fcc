"""What a test may ask of every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlglot import exp, tokenize
from sqlglot.tokenizer_core import TokenType

__all__ = ["Engine", "Row", "Value"]

Value = str | int | Decimal | float | bool | datetime | None
"""What a column holds; an instant has the zone UTC."""
Row = tuple[Value, ...]


class Engine(ABC):
    """One session of an engine, which executes the SQL of one dialect.

    `start` is called once, before anything else; it is what takes time, so a process starts an engine only once and
    calls `reset` between cases.
    """

    name: ClassVar[str]
    """The dialect that it executes, as users call it."""
    printer: ClassVar[str]
    """The dialect of sqlglot that knows its quotation marks."""
    schema: ClassVar[str] = "SCHEMA"
    """Its word for what holds tables."""

    @property
    def dsn(self) -> str:
        """How a client of its own reaches the session, where there is one."""
        return ""

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """What has to be installed for it, in words; None where all is there."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def reset(self) -> None:
        """Forgets every table and view."""

    @abstractmethod
    def execute(self, statement: str) -> None:
        """Executes one statement."""

    @abstractmethod
    def query(self, sql: str) -> list[Row]:
        """The rows of a query."""

    @abstractmethod
    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Fills a table that was just created with those columns."""

    def held(self, value: Value) -> Value:
        """What a table holds where a value was put into it."""
        return value

    def read(self, kind: type, value: Value) -> Value:
        """A value of a result, of that kind where the engine has no type for it."""
        return value

    def script(self, sql: str) -> None:
        """Executes statements in order."""
        for statement in self.statements(sql):
            self.execute(statement)

    def load(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Creates a table and fills it: `columns` gives the SQL type of each column by its name.

        A dot in the name of the table separates it from its schema, which is created where it is absent.
        """
        schema, _, _ = table.rpartition(".")
        if schema:
            self.execute(f"CREATE {self.schema} IF NOT EXISTS {self.quoted(schema)}")
        definitions = ", ".join(f"{self.quoted(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE TABLE {self.quoted(table)} ({definitions}){self.table_options()}")
        if rows:
            self.insert(table, columns, rows)

    def table_options(self) -> str:
        """What follows the columns where a table is created."""
        return ""

    def quoted(self, name: str) -> str:
        """A name, or several separated by dots, as identifiers."""
        parts = (exp.Identifier(this=part, quoted=True).sql(dialect=self.printer) for part in name.split("."))
        return ".".join(parts)

    def statements(self, sql: str) -> Iterator[str]:
        """The statements of a script, by the quoting rules of the dialect."""
        start = 0
        for token in tokenize(sql, read=self.printer):
            if token.token_type is TokenType.SEMICOLON:
                yield sql[start : token.start].strip()
                start = token.end + 1
        if any(line.strip() and not line.lstrip().startswith("--") for line in sql[start:].splitlines()):
            yield sql[start:].strip()
