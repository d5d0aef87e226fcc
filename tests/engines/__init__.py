"""The engines that compiled SQL is executed on, each behind one small class with the same methods.

`base` says what they have in common; there is a module an engine. Nothing here knows what meterspec compiles.
"""

from __future__ import annotations

from tests.engines.base import Engine, Row, Value
from tests.engines.bigquery import BigQuery
from tests.engines.clickhouse import ClickHouse
from tests.engines.datafusion import DataFusion
from tests.engines.duckdb import DuckDB
from tests.engines.postgres import Postgres
from tests.engines.spark import Spark
from tests.engines.sqlite import SQLite

__all__ = ["ENGINES", "Engine", "Row", "Value"]

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (DuckDB, SQLite, Postgres, ClickHouse, Spark, DataFusion, BigQuery)
}
"""Every engine by the name of its dialect."""
