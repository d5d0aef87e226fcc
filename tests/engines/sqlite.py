"""SQLite, the library that comes with Python."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.engines.base import Engine, Row, Value

__all__ = ["SQLite"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SQLite(Engine):
    name = "sqlite"
    printer = "sqlite"

    @classmethod
    def missing(cls) -> str | None:
        at_least = (3, 39)
        return None if sqlite3.sqlite_version_info >= at_least else "SQLite 3.39 or later in Python"

    def start(self) -> None:
        self.reset()

    def stop(self) -> None:
        self._connection.close()

    def reset(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def script(self, sql: str) -> None:
        self._connection.executescript(sql)

    def query(self, sql: str) -> list[Row]:
        return self._connection.execute(sql).fetchall()

    def load(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        # What is before a dot would be another file.
        definitions = ", ".join(f"{self.quoted(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE TABLE {self.quoted(table)} ({definitions}) STRICT")
        if rows:
            self.insert(table, columns, rows)

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        kept = [[_stored(value) for value in row] for row in rows]
        self._connection.executemany(f"INSERT INTO {self.quoted(table)} VALUES ({marks})", kept)

    def table_options(self) -> str:
        return " STRICT"

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def held(self, value: Value) -> Value:
        return None if isinstance(value, float) and math.isnan(value) else value

    def read(self, kind: type, value: Value) -> Value:
        match value:
            case int() if kind is datetime:
                return _EPOCH + timedelta(microseconds=value)
            case int() if kind is bool:
                return bool(value)
            case str() if kind is Decimal:
                return Decimal(value)
            case _:
                return value


def _stored(value: Value) -> Value:
    match value:
        case datetime():
            return (value - _EPOCH) // timedelta(microseconds=1)
        case Decimal():
            return f"{value:f}"
        case _:
            return value
