"""`python -m benchmarks.dedupe`: a meter over events of which some are repeated, beside SQL that an expert would write.

One row in a hundred repeats another event, and one in ten of those contradicts it. The hand-written SQL is the quickest
exact form that is known for one pass over a file: it groups the hashes of all ids, and ranks only the rows whose hash
occurs more than once. It checks nothing; `meterspec run` also checks every row against its schema, and counts what it
finds. Both print the same total. `--gate` exits with 1 where a ratio or the memory is beyond its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.measure import BIN, Broken, Command, environment, in_turn, ratio
from benchmarks.validate import FIGURES, Printer, figures, machine

__all__ = ["main"]

LIMIT = 1.1
"""How many times as long as the hand-written form a run may take."""
MEMORY = 12 * 2**30 / 1e6
"""MB that a run may take at the most, however many events there are."""
SPEC = """\
[[families]]
name = "agent.run"
ingest_time_field = "received_at"
schema.status = { type = "string", required = true, values = ["ok", "failed"] }
schema.duration_ms = { type = "integer", required = true, min = 0, max = 86400000 }

[[meters]]
name = "duration"
filter = "status == 'ok'"
source = { kind = "family", family = "agent.run" }
aggregate = { fn = "SUM", value = "duration_ms", window = "month", group_by = ["customer_id"] }
"""
ROWS = """\
SELECT 'run-' || lpad(i::VARCHAR, 12, '0') AS event_id,
    make_timestamp(1767225600000000 + i * {step}) AT TIME ZONE 'UTC' AS event_time,
    make_timestamp(1767225600000000 + i * {step} + 5000000 + late) AT TIME ZONE 'UTC' AS received_at,
    'customer-' || hash(i) % 10000 AS customer_id,
    CASE WHEN hash(i, 1) % 50 = 0 THEN 'failed' ELSE 'ok' END AS status,
    CAST(hash(i, 2) % 86000000 AS BIGINT) + late % 2 AS duration_ms
FROM (
    SELECT CASE WHEN n % 100 = 99 THEN CAST(hash(n) % n AS BIGINT) ELSE n END AS i,
        CASE WHEN n % 100 = 99 THEN 1000000 + CAST(n % 1000 = 999 AS INTEGER) ELSE 0 END AS late
    FROM range({events}) AS t(n)
)
"""
"""Row number n; one that arrives late is a repeat, and by an odd number of microseconds it says something else."""
BY_HAND = """\
CREATE TEMP TABLE repeated AS
    SELECT hash(event_id) AS id_hash FROM read_parquet('{path}') GROUP BY id_hash HAVING count(*) > 1;
CREATE TEMP TABLE losers AS
    SELECT * EXCLUDE place FROM (
        SELECT *, row_number() OVER (
            PARTITION BY event_id ORDER BY received_at, event_time, customer_id, status, duration_ms
        ) AS place
        FROM read_parquet('{path}') WHERE hash(event_id) IN (SELECT id_hash FROM repeated)
    ) WHERE place > 1;
CREATE TEMP TABLE totals AS
    SELECT date_trunc('month', event_time) AS month, customer_id, sum(duration_ms * sign) AS total FROM (
        SELECT event_time, customer_id, status, duration_ms, 1 AS sign FROM read_parquet('{path}')
        UNION ALL SELECT event_time, customer_id, status, duration_ms, -1 FROM losers
    ) WHERE status = 'ok' GROUP BY 1, 2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dedupe", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a limit is passed")
    parser.add_argument("--markdown", action="store_true", help="print the table as markdown")
    parser.add_argument("--by-hand", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.by_hand:
        sys.stdout.write(f"{by_hand(options.by_hand)}\n")
        return 0
    with TemporaryDirectory(prefix="meterspec-benchmarks-") as name:
        folder = Path(name)
        spec, path = folder / "meterspec.toml", folder / "events.parquet"
        spec.write_text(SPEC, encoding="utf-8")
        generate(path, options.events)
        run: list[str | Path] = [
            BIN / "meterspec",
            "run",
            spec,
            "--events",
            path,
            "--format",
            "json",
            "--out",
            folder / "results.json",
        ]
        commands = {
            "hand-written SQL, its repeats taken back": Command(
                [sys.executable, "-m", "benchmarks.dedupe", "--by-hand", path]
            ),
            "meterspec run": Command([*run, "--threads", "2"]),
        }
        try:
            found = in_turn(commands, options.turns, environment(folder / "bytecode"))
        except Broken as reason:
            sys.stderr.write(f"{reason}\n")
            return 2
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]
    hand, ours = found.values()
    total = sum(Decimal(result["quantity"]) for result in results)
    if Decimal(hand.runs[0].printed) != total:
        sys.stderr.write(f"the totals differ: {hand.runs[0].printed} and {total}\n")
        return 2
    times = ratio(ours, hand, lambda one: one.wall)
    missed = " MISSED" if times.middle > LIMIT else ""
    over = " MISSED" if max(one.peak for one in ours.runs) > MEMORY else ""
    show = Printer(options.markdown)
    show.line(machine())
    show.line(f"{options.events:,} rows, one in a hundred a repeat")
    show.table(["", *FIGURES], [[words, *figures(samples)] for words, samples in found.items()])
    show.line(f"{times.middle:.2f} times as long ({times.low:.2f} to {times.high:.2f}), at most {LIMIT:g}{missed}")
    show.line(f"at most {MEMORY:,.0f} MB{over}")
    return int(options.gate and bool(missed or over))


def generate(path: Path, events: int) -> None:
    """Writes rows of three months, in the order in which they arrived."""
    with duckdb.connect() as connection:
        rows = ROWS.format(events=events, step=7_776_000_000_000 // events)
        connection.execute(f"SET TimeZone = 'UTC'; COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def by_hand(path: str) -> Decimal:
    """The sum of all totals of the hand-written SQL."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
        connection.execute(BY_HAND.format(path=path))
        row = connection.execute("SELECT sum(total) FROM totals").fetchone()
        assert row is not None
        return Decimal(row[0])


if __name__ == "__main__":
    sys.exit(main())
