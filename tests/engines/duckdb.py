"""DuckDB, in the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import duckdb

from tests.engines.base import Engine, Row, Value

__all__ = ["DuckDB"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DuckDB(Engine):
    name = "duckdb"
    printer = "duckdb"

    @classmethod
    def missing(cls) -> str | None:
        return None  # `meterspec run` computes on it, so no set-up of the tests is without it

    def start(self) -> None:
        self.reset()

    def stop(self) -> None:
        self._connection.close()

    def reset(self) -> None:
        self._connection = duckdb.connect(config={"threads": 2})
        self._connection.execute("SET TimeZone = 'UTC'")

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def script(self, sql: str) -> None:
        self.execute(sql)

    def query(self, sql: str) -> list[Row]:
        found = self._connection.sql(sql)
        moments = {at for at, kind in enumerate(found.types) if kind == "TIMESTAMP WITH TIME ZONE"}
        # Read as instants, they would need a further package.
        columns = (f"epoch_us(#{at + 1})" if at in moments else f"#{at + 1}" for at in range(len(found.types)))
        rows = found.project(", ".join(columns)).fetchall()
        return [tuple(_instant(value) if at in moments else value for at, value in enumerate(row)) for row in rows]

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {self.quoted(table)} VALUES ({marks})", [list(row) for row in rows])


def _instant(micros: int | None) -> Value:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
