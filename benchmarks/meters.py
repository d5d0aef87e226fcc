"""Ten meters over millions of events: the compiled views beside hand-written SQL, polars, ClickHouse and a ledger.

    python -m benchmarks.meters --events 10000000

All compute the same ten exact numbers for each customer and month, and the answers are compared. Ratios are those of
one run, so that a busy machine slows all alike; the least of several turns counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from sqlglot import exp

from meterspec.backends import sql
from meterspec.backends.sql import build as b
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from meterspec.pipeline import load
from meterspec.project import SpecFile

SPEC = """
[[families]]
name = "llm.call"
schema.model = { type = "string", required = true }
schema.status = { type = "string", required = true, values = ["ok", "failed"] }
schema.tokens_in = { type = "integer", required = true, min = 0, max = 1000000 }
schema.tokens_out = { type = "integer", required = true, min = 0, max = 1000000 }
schema.duration_ms = { type = "integer", required = true, min = 0, max = 86400000 }
"""
METERS = {
    "calls": ("COUNT", None, None),
    "failed": ("COUNT", None, "status = 'failed'"),
    "hours": ("SUM", "duration_ms / 3600000.0", None),
    "hours-ok": ("SUM", "duration_ms / 3600000.0", "status = 'ok'"),
    "tokens": ("SUM", "tokens_in + tokens_out", None),
    "tokens-out-ok": ("SUM", "tokens_out", "status = 'ok'"),
    "weighted": ("SUM", "0.003 * tokens_in + 0.015 * tokens_out", None),
    "slow": ("COUNT", None, "duration_ms > 60000"),
    "longest": ("MAX", "duration_ms", None),
    "kilotokens-slow": ("SUM", "tokens_in / 1000.0", "duration_ms > 60000"),
}
"""The meters: function, value, filter in SQL."""


def program() -> Program:
    text = SPEC
    for name, (function, value, condition) in METERS.items():
        text += f'[[meters]]\nname = "{name}"\nsource = {{ kind = "family", family = "llm.call" }}\n'
        text += "" if condition is None else f'filter = "{condition.replace(" = ", " == ")}"\n'
        text += "" if value is None else f'aggregate.value = "{value}"\n'
        text += f'aggregate.fn = "{function}"\naggregate.window = "month"\naggregate.group_by = ["customer_id"]\n'
    out = Diagnostics()
    made = load([SpecFile("benchmark.toml", text.encode())], out)
    assert made is not None, list(out)
    return made


def generate(path: Path, events: int) -> None:
    """Events of three months, 10,000 customers of very different size, a few models."""
    duckdb.sql(
        f"""
        COPY (
            SELECT
                'e' || i AS event_id,
                make_timestamp(1767225600000000 + i * (7776000000000 // {events})) AT TIME ZONE 'UTC' AS event_time,
                'c' || CAST(floor(10000 * pow((hash(i) % 1000003) / 1000003.0, 3)) AS INTEGER) AS customer_id,
                'model-' || (hash(i, 1) % 30) AS model,
                CASE WHEN hash(i, 2) % 50 = 0 THEN 'failed' ELSE 'ok' END AS status,
                CAST(hash(i, 3) % 20000 AS BIGINT) AS tokens_in,
                CAST(hash(i, 4) % 4000 AS BIGINT) AS tokens_out,
                CAST(hash(i, 5) % 90000 AS BIGINT) AS duration_ms
            FROM range({events}) AS t(i)
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
        """
    )


Answer = dict[str, tuple[int, Decimal, int]]
"""For each meter its rows, and the sums of their quantities and events: two that agree in these counted the same."""


def compiled(path: Path, made: Program, threads: int) -> Callable[[], Answer]:
    """The scan and the views on it, as `run` uses them on events without repeats."""
    dialect, (family,) = sql.DIALECTS["duckdb"], made.families

    def compute() -> Answer:
        with duckdb.connect() as connection:
            connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
            fields = ", ".join(f'"{field.name}"' for field in family.fields)
            connection.execute(f"CREATE VIEW {family.sql_name} AS SELECT {fields} FROM read_parquet('{path}')")
            passes = sql.scans(made, made.meters)
            for scan in passes:
                select = b.printed(sql.scan_view(made, scan, dialect).select, "duckdb")
                connection.execute(f"CREATE TABLE {scan.name} AS {select}")
            found: Answer = {}
            for meter in made.meters:
                select = b.printed(sql.meter_view(made, meter, passes, dialect).select, "duckdb")
                row = connection.execute(f"SELECT COUNT(*), SUM(quantity), SUM(events) FROM ({select})").fetchone()
                assert row is not None
                found[meter.name] = (int(row[0]), Decimal(row[1]), int(row[2]))
            return found

    return compute


HAND_WRITTEN = {
    "calls": "COUNT(*)",
    "hours": "SUM(duration_ms)",
    "tokens": "SUM(tokens_in + tokens_out)",
    "weighted": "SUM(3 * tokens_in + 15 * tokens_out)",
    "longest": "MAX(duration_ms)",
    "failed": "COUNT(*) FILTER (WHERE status = 'failed')",
    "hours-ok": "SUM(duration_ms) FILTER (WHERE status = 'ok')",
    "tokens-out-ok": "SUM(tokens_out) FILTER (WHERE status = 'ok')",
    "slow": "COUNT(*) FILTER (WHERE duration_ms > 60000)",
    "kilotokens-slow": "SUM(tokens_in) FILTER (WHERE duration_ms > 60000)",
    "ok": "COUNT(*) FILTER (WHERE status = 'ok')",
}
EVENTS = {"failed": "failed", "hours-ok": "ok", "tokens-out-ok": "ok", "slow": "slow", "kilotokens-slow": "slow"}
"""The column that counts the events of a meter, where it does not count all calls."""
SCALES = {"hours": 3_600_000, "hours-ok": 3_600_000, "weighted": 1000, "kilotokens-slow": 1000}
"""What a total is divided by, once, half up to six decimals."""


def rounded(name: str) -> str:
    """The exact quantity of a hand-written total, by whole numbers, as a careful engineer would write it."""
    scale = SCALES.get(name, 1)
    total = f'CAST("{name}" AS HUGEINT)'
    whole = f"({total} * 1000000 * 2 + {scale}) // ({2 * scale})"
    return f"CAST({whole} AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6))"


UTC = "make_timestamp(epoch_us(event_time))"
YEARS_AND_MONTHS = f"year({UTC}), month({UTC})"
"""The month of an event as someone writes it who has measured: the fastest that holds for any event."""
TRUNCATED = "date_trunc('month', event_time)"
"""As anyone would write it. On a time with a zone DuckDB asks a calendar of its own, which takes longer."""
KNOWN_MONTHS = (
    "CASE WHEN event_time < TIMESTAMPTZ '2026-02-01' THEN 1 WHEN event_time < TIMESTAMPTZ '2026-03-01' THEN 2 "
    "WHEN event_time < TIMESTAMPTZ '2026-04-01' THEN 3 END"
)
"""By comparison with constants, for these events alone: an event of April is in no month."""
HAND_WRITTEN_WAYS = {
    "hand-written SQL, one pass": YEARS_AND_MONTHS,
    "the same, by date_trunc": TRUNCATED,
    "the same, for three months only": KNOWN_MONTHS,
}


def hand_written(
    path: Path, threads: int, *, month: str = YEARS_AND_MONTHS, fused: bool = True
) -> Callable[[], Answer]:
    groups = f"{month}, customer_id"

    def compute() -> Answer:
        with duckdb.connect() as connection:
            connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
            batches = [list(METERS)] if fused else [[name] for name in METERS]
            found: Answer = {}
            for number, batch in enumerate(batches):
                names = dict.fromkeys([*batch, *(EVENTS.get(name, "calls") for name in batch)])
                columns = ", ".join(f'{HAND_WRITTEN[name]} AS "{name}"' for name in names)
                connection.execute(
                    f"CREATE TABLE t{number} AS SELECT {columns} FROM read_parquet('{path}') GROUP BY {groups}"
                )
                for name in batch:
                    events = EVENTS.get(name, "calls")
                    totals = f'COUNT(*), SUM({rounded(name)}), SUM("{events}")'
                    query = f'SELECT {totals} FROM t{number} WHERE "{events}" > 0'
                    row = connection.execute(query).fetchone()
                    assert row is not None
                    found[name] = (int(row[0]), Decimal(row[1]), int(row[2]))
            return found

    return compute


def polars_fused(path: Path) -> Callable[[], Answer]:
    import polars as pl  # noqa: PLC0415 - a peer, which may be absent

    ok, failed, slow = pl.col("status") == "ok", pl.col("status") == "failed", pl.col("duration_ms") > 60_000
    totals = [
        pl.len().alias("calls"),
        pl.col("duration_ms").sum().alias("hours"),
        (pl.col("tokens_in") + pl.col("tokens_out")).sum().alias("tokens"),
        (3 * pl.col("tokens_in") + 15 * pl.col("tokens_out")).sum().alias("weighted"),
        pl.col("duration_ms").max().alias("longest"),
        failed.sum().alias("failed"),
        ok.sum().alias("ok"),
        pl.col("duration_ms").filter(ok).sum().alias("hours-ok"),
        pl.col("tokens_out").filter(ok).sum().alias("tokens-out-ok"),
        slow.sum().alias("slow"),
        pl.col("tokens_in").filter(slow).sum().alias("kilotokens-slow"),
    ]

    def compute() -> Answer:
        month = pl.col("event_time").dt.truncate("1mo").alias("month")
        pl.scan_parquet(path).group_by(month, "customer_id").agg(totals).collect()
        return {}

    return compute


def clickhouse_fused(path: Path) -> Callable[[], Answer]:
    import chdb  # noqa: PLC0415 - a peer, which may be absent

    columns = ", ".join(f'{text} AS "{name}"' for name, text in HAND_WRITTEN.items())
    query = (
        f"SELECT {columns} FROM file('{path}', Parquet) GROUP BY toStartOfMonth(event_time), customer_id FORMAT Null"
    )

    def compute() -> Answer:
        chdb.query(query)
        return {}

    return compute


def compiled_scan(path: Path, made: Program, engine: str, source: str) -> str:
    """The compiled scan for another engine, on a file."""
    dialect, (family,) = sql.DIALECTS[engine], made.families
    (scan,) = sql.scans(made, made.meters)
    fields = exp.select(*(b.column(field.name) for field in family.fields)).from_(b.table("events_file"))
    view = sql.scan_view(made, scan, dialect)
    select = exp.select(exp.Star()).from_(b.table(view.name))
    for name, query in ((family.sql_name, fields), (view.name, view.select)):
        select = select.with_(b.identifier(name), as_=query)
    text = b.printed(dialect.adapted(select), dialect.printer)
    table = b.printed(b.table("events_file"), dialect.printer)
    return text.replace(f"FROM {table}", f"FROM {source.format(path=path)} AS {table}")


def clickhouse_compiled(path: Path, made: Program) -> Callable[[], Answer]:
    import chdb  # noqa: PLC0415 - a peer, which may be absent

    query = compiled_scan(path, made, "clickhouse", "file('{path}', 'Parquet')") + " FORMAT Null"

    def compute() -> Answer:
        chdb.query(query)
        return {}

    return compute


def spark_ways(path: Path, made: Program, threads: int) -> dict[str, Callable[[], Answer]]:
    """SQL by hand and the compiled scan on Spark, in one session that has started."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - a peer, which may be absent

    builder = SparkSession.builder.master(f"local[{threads}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "4g")
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    columns = ", ".join(f"{text} AS `{name}`" for name, text in HAND_WRITTEN.items())
    by_hand = f"SELECT {columns} FROM parquet.`{path}` GROUP BY date_trunc('month', event_time), customer_id"
    compiled = compiled_scan(path, made, "spark", "parquet.`{path}`")

    def running(query: str) -> Callable[[], Answer]:
        def compute() -> Answer:
            session.sql(query).write.format("noop").mode("overwrite").save()
            return {}

        return compute

    return {"Spark, one pass": running(by_hand), "meterspec on Spark": running(compiled)}


def ledger(events: int) -> float:
    """Events a second of the ledger pattern: one database call an event, committed each time."""
    with TemporaryDirectory() as folder, sqlite3.connect(f"{folder}/ledger.db", isolation_level=None) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE ledger (event_id TEXT PRIMARY KEY, customer TEXT, amount INTEGER)")
        started = time.perf_counter()
        for number in range(events):
            row = (f"e{number}", f"c{number % 1000}", number)
            connection.execute("INSERT INTO ledger VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
        return events / (time.perf_counter() - started)


def least(ways: dict[str, Callable[[], Answer]], turns: int) -> dict[str, tuple[float, Answer]]:
    """The least seconds of each way and its answer. They take turns: a machine that slows down slows all of them."""
    found: dict[str, tuple[float, Answer]] = {}
    for _ in range(turns):
        for name, compute in ways.items():
            started = time.perf_counter()
            answer = compute()
            seconds = time.perf_counter() - started
            found[name] = (min(seconds, found.get(name, (seconds, answer))[0]), answer)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--spark", action="store_true", help="Spark as well, in this process")
    options = parser.parse_args(arguments)
    made = program()
    with TemporaryDirectory(prefix="meterspec-benchmarks-") as folder:
        path = Path(folder) / "events.parquet"
        generate(path, options.events)
        ways: dict[str, Callable[[], Answer]] = {
            **{name: hand_written(path, options.threads, month=month) for name, month in HAND_WRITTEN_WAYS.items()},
            "meterspec": compiled(path, made, options.threads),
            "hand-written SQL, ten queries": hand_written(path, options.threads, fused=False),
        }
        peers: dict[str, Callable[[], Callable[[], Answer]]] = {
            "polars, one pass": lambda: polars_fused(path),
            "ClickHouse, one pass": lambda: clickhouse_fused(path),
            "meterspec on ClickHouse": lambda: clickhouse_compiled(path, made),
        }
        for name, peer in peers.items():
            try:
                ways[name] = peer()
            except ImportError as error:
                sys.stderr.write(f"{name} is left out: {error}\n")
        if options.spark:
            ways |= spark_ways(path, made, options.threads)
        found = least(ways, options.turns)
    answers = [answer for _, answer in found.values() if answer]
    if any(answer != answers[0] for answer in answers):
        sys.stderr.write("the answers differ\n")
        return 2
    base = min(seconds for name, (seconds, _) in found.items() if name in HAND_WRITTEN_WAYS)
    for name, (seconds, _) in found.items():
        sys.stdout.write(f"{name:32} {seconds:8.2f} s {seconds / base:8.2f} x\n")
    rate = ledger(20_000)
    sys.stdout.write(
        f"{'a ledger, one call an event':32} {options.events / rate:8.0f} s, at {rate:,.0f} events a second\n"
    )
    return 0 if found["meterspec"][0] <= 1.1 * base else 1


if __name__ == "__main__":
    sys.exit(main())
