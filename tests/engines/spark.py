"""Spark: one session in a Java machine of its own; its tables are Parquet files."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engines.base import Engine, Row, Value

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Spark"]

_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.log.level": "OFF",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class Spark(Engine):
    name = "spark"
    printer = "spark"

    @classmethod
    def missing(cls) -> str | None:
        if find_spec("pyspark") is None:
            return "pyspark of the dependency group `engines`"
        return None if "JAVA_HOME" in os.environ or shutil.which("java") else "Java, 17 or later"

    def start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="meterspec-spark-"))
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        logging.getLogger("SQLQueryContextLogger").disabled = True  # it prints what is raised as well
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas, which is there for another engine
            from pyspark.sql import SparkSession

            builder = SparkSession.builder.master("local[2]")
            for name, value in (_SETTINGS | {"spark.sql.warehouse.dir": str(self._folder)}).items():
                builder = builder.config(name, value)
            self._session: SparkSession = builder.getOrCreate()

    def stop(self) -> None:
        self._session.stop()
        shutil.rmtree(self._folder)

    def reset(self) -> None:
        self.execute("USE default")
        for (name,) in self.query("SHOW SCHEMAS"):
            if name != "default":
                self.execute(f"DROP SCHEMA {self.quoted(str(name))} CASCADE")
        self.execute("CREATE SCHEMA meterspec")
        self.execute("USE meterspec")

    def table_options(self) -> str:
        return " USING parquet"

    def execute(self, statement: str) -> None:
        self._session.sql(statement)

    def query(self, sql: str) -> list[Row]:
        columns = [column.to_pylist() for column in self._session.sql(sql).toArrow().columns]
        return [tuple(_value(value) for value in row) for row in zip(*columns, strict=True)]

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        import pyarrow as pa
        from pyarrow import parquet
        from pyspark.sql.pandas.types import to_arrow_schema

        schema = to_arrow_schema(self._session.table(self.quoted(table)).schema, timezone="UTC")
        arrays = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        ((location,),) = [
            row[1:2] for row in self.query(f"DESCRIBE EXTENDED {self.quoted(table)}") if row[0] == "Location"
        ]
        folder = Path(str(location).removeprefix("file:"))
        folder.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), folder / "rows.parquet")
        self.execute(f"REFRESH TABLE {self.quoted(table)}")


def _value(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
