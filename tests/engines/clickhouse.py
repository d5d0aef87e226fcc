"""ClickHouse, in the process: chdb is its core as a library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.engines.base import Engine, Row, Value

if TYPE_CHECKING:
    from chdb.session import Session

__all__ = ["ClickHouse"]

_SETTINGS = {
    # A number of JSON would be a double for whoever reads it.
    "output_format_json_quote_64bit_integers": 1,
    "output_format_json_quote_decimals": 1,
    "output_format_json_quote_denormals": 1,
    "date_time_output_format": "'iso'",
    "date_time_input_format": "'best_effort'",
    "max_threads": 2,
}


class ClickHouse(Engine):
    name = "clickhouse"
    printer = "clickhouse"
    schema = "DATABASE"

    @classmethod
    def missing(cls) -> str | None:
        return None if find_spec("chdb") else "chdb of the dependency group `engines`"

    def start(self) -> None:
        from chdb.session import Session

        self._session: Session = Session()
        self._schemas = {"meterspec"}
        self.execute("SET " + ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items()))

    @property
    def dsn(self) -> str:
        return f"chdb://{self._session._path}"

    def stop(self) -> None:
        self._session.close()

    def reset(self) -> None:
        for (name,) in self.query("SELECT name FROM system.databases WHERE engine = 'Atomic' AND name <> 'default'"):
            self.execute(f"DROP DATABASE {self.quoted(str(name))} SYNC")
        self.execute("CREATE DATABASE meterspec")
        self.execute("USE meterspec")

    def table_options(self) -> str:
        return " ENGINE = Memory"

    def execute(self, statement: str) -> None:
        self._session.query(statement)

    def query(self, sql: str) -> list[Row]:
        lines = str(self._session.query(sql, "JSONCompactEachRowWithNamesAndTypes")).rstrip("\n").split("\n")
        _, types, *rows = (json.loads(line) for line in lines)
        readers = [_reader(kind) for kind in types]
        return [
            tuple(None if value is None else read(value) for read, value in zip(readers, row, strict=True))
            for row in rows
        ]

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        lines = "\n".join(json.dumps([_written(value) for value in row]) for row in rows)
        self.execute(f"INSERT INTO {self.quoted(table)} FORMAT JSONCompactEachRow\n{lines}")


def _written(value: Value) -> object:
    match value:
        case bool() | None | str():
            return value
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
        case _:
            return str(value)


def _reader(kind: str) -> Callable[[str], Value]:
    """What reads a value of a type as it stands in JSON."""
    kind = kind.removeprefix("LowCardinality(").removeprefix("Nullable(").rstrip(")")
    base, _, _ = kind.partition("(")
    if base.startswith(("Int", "UInt")):
        return int
    if base.startswith("Decimal"):
        return Decimal
    if base.startswith("Float"):
        return float
    if base == "DateTime64":
        return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
    if base in {"String", "Bool", "Nothing"}:
        return lambda value: value
    raise TypeError(f"no reader for the type {kind}")
