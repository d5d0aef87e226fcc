"""DataFusion, in the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.engines.base import Engine, Row, Value

if TYPE_CHECKING:
    from datafusion import SessionContext

__all__ = ["DataFusion"]


class DataFusion(Engine):
    name = "datafusion"
    printer = "postgres"

    @classmethod
    def missing(cls) -> str | None:
        return None if find_spec("datafusion") else "datafusion of the dependency group `engines`"

    def start(self) -> None:
        self.reset()

    def stop(self) -> None:
        del self._context

    def reset(self) -> None:
        from datafusion import SessionConfig, SessionContext

        config = SessionConfig().with_target_partitions(2).set("datafusion.execution.time_zone", "+00:00")
        self._context: SessionContext = SessionContext(config)

    def execute(self, statement: str) -> None:
        self._context.sql(statement).collect()

    def query(self, sql: str) -> list[Row]:
        columns = [column.to_pylist() for column in self._context.sql(sql).to_arrow_table().columns]
        return [tuple(_value(value) for value in row) for row in zip(*columns, strict=True)]

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        import pyarrow as pa

        schema = self._context.sql(f"SELECT * FROM {self.quoted(table)}").schema()
        arrays = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        self._context.register_record_batches("meterspec_rows", [[pa.record_batch(arrays, schema=schema)]])
        self.execute(f"INSERT INTO {self.quoted(table)} SELECT * FROM meterspec_rows")
        self._context.deregister_table("meterspec_rows")


def _value(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
