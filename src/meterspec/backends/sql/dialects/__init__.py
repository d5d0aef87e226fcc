"""The engines that views are written for, one module an engine."""

from __future__ import annotations

from meterspec.backends.sql.dialects.base import NARROW, WIDE, Dialect, Division, TooLargeError
from meterspec.backends.sql.dialects.bigquery import BigQuery
from meterspec.backends.sql.dialects.clickhouse import ClickHouse
from meterspec.backends.sql.dialects.datafusion import DataFusion
from meterspec.backends.sql.dialects.duckdb import DuckDB
from meterspec.backends.sql.dialects.postgres import Postgres
from meterspec.backends.sql.dialects.snowflake import Snowflake
from meterspec.backends.sql.dialects.spark import Spark
from meterspec.backends.sql.dialects.sqlite import SQLite
from meterspec.backends.sql.dialects.trino import Trino

__all__ = [
    "DIALECTS",
    "NARROW",
    "WIDE",
    "BigQuery",
    "ClickHouse",
    "DataFusion",
    "Dialect",
    "Division",
    "DuckDB",
    "Postgres",
    "SQLite",
    "Snowflake",
    "Spark",
    "TooLargeError",
    "Trino",
]

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        DuckDB(),
        Postgres(),
        ClickHouse(),
        BigQuery(),
        Spark(),
        DataFusion(),
        SQLite(),
        Trino(),
        Snowflake(),
    )
}
"""Every dialect by its name."""
