"""`python -m benchmarks.seal`: how long sealing a batch of a million events takes, beside what reading it takes.

A store is filled with `--events` events, a million at a time. Then a batch is sealed into it again and again, each time
into the store as it was, in turn with a process that only reads and checks the batch. One row in a hundred of the batch
repeats an event of the store, and one in a thousand contradicts one: of the last million events, as retries do, or of
any. `--gate` exits with 1 where a ratio is beyond its limit; `--markdown` prints the table of docs/seal.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import BIN, Broken, Command, Samples, environment, in_turn, ratio
from benchmarks.validate import FIGURES, Printer, figures, machine
from meterspec.diagnostics import Diagnostics
from meterspec.events import engine, find, load
from meterspec.ir import Program
from meterspec.pipeline import load as load_spec
from meterspec.project import collect
from meterspec.store import seal
from meterspec.store.manifest import MANIFEST, read

__all__ = ["main"]

METERSPEC = BIN / "meterspec"
LIMIT = 3.0
"""How many times as long as reading a batch sealing it may take."""
BATCH = 1_000_000
SPEC = """\
[[families]]
name = "agent.run"
ingest_time_field = "received_at"
schema.status = { type = "string", required = true, values = ["ok", "failed"] }
schema.duration_ms = { type = "integer", required = true, min = 0, max = 86400001 }
schema.tokens_in = { type = "integer", required = true, min = 0, max = 1000000 }
schema.tokens_out = { type = "integer", required = true, min = 0, max = 1000000 }
schema.cost = { type = "decimal", required = true, precision = 18, scale = 6, min = 0, max = 1000 }
schema.region = { type = "string" }
schema.model = { type = "string" }

[[meters]]
name = "duration"
source = { kind = "family", family = "agent.run" }
aggregate = { fn = "SUM", value = "duration_ms", window = "month", group_by = ["customer_id"] }
"""
ROW = """\
SELECT concat_ws('-', id[1:8], id[9:12], id[13:16], id[17:20], id[21:32]) AS event_id,
    make_timestamp(1767225600000000 + i * 77760) AT TIME ZONE 'UTC' AS event_time,
    'customer-' || hash(i) % 10000 AS customer_id,
    make_timestamp(1767225600000000 + i * 77760 + 5000000 + late) AT TIME ZONE 'UTC' AS received_at,
    CASE WHEN hash(i + 1) % 20 = 0 THEN 'failed' ELSE 'ok' END AS status,
    (hash(i + 2) % 86400000)::BIGINT + late % 2 AS duration_ms,
    hash(i + 3) % 100000 AS tokens_in,
    hash(i + 4) % 100000 AS tokens_out,
    (hash(i + 5) % 1000000 / 1000)::DECIMAL(18, 6) AS cost,
    'region-' || hash(i + 6) % 20 AS region,
    'model-' || hash(i + 7) % 30 AS model
FROM (SELECT md5('event ' || i) AS id, i, late FROM ({numbers}))
"""
"""Event number i; one that arrives an odd number of microseconds late says something else."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seal", description=__doc__)
    parser.add_argument("--events", type=int, default=10 * BATCH, help="events of the store; whole millions")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a ratio is beyond its limit")
    parser.add_argument("--markdown", action="store_true", help="print the table as markdown")
    parser.add_argument("--read", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="meterspec-benchmarks-") as name:
        folder = Path(name)
        spec = folder / "meterspec.toml"
        spec.write_text(SPEC, encoding="utf-8")
        if options.read:
            read_batch(spec, options.read)
            return 0
        begin = time.perf_counter()
        elsewhere(fill, spec, options.events)
        took = time.perf_counter() - begin
        try:
            rows = measure(folder, options.events, options.turns)
        except Broken as reason:
            sys.stderr.write(f"{reason}\n")
            return 2
        size = sum(path.stat().st_size for path in (folder / "store").rglob("*.parquet")) / 2**20
    show = Printer(options.markdown)
    show.line(machine())
    show.line(f"a store of {options.events:,} events, {size:,.0f} MB, filled in {took:.0f} s")
    show.table(["", "times reading it", "quartiles", "limit", *FIGURES, ""], rows)
    return int(options.gate and any(row[-1] for row in rows))


def program_in(spec: Path) -> Program:
    program = load_spec(collect([str(spec)]), Diagnostics())
    assert program is not None
    return program


def read_batch(spec: Path, path: str) -> None:
    """Reads the rows of a file, checks them, and holds them."""
    (events,) = find(program_in(spec), [path])
    with engine() as connection:
        load(connection, events)
        connection.execute(f"CREATE TABLE held AS FROM {events.family.checked}")


def elsewhere(work: Callable[..., object], *arguments: object) -> None:
    """Does work in a process of its own: what this one takes, those that are measured would seem to take."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()


def fill(spec: Path, events: int) -> None:
    """Makes a store of that many events beside a spec, with the batches as they would come."""
    folder, program = spec.parent, program_in(spec)
    for first in range(0, events, BATCH):
        numbers = f"SELECT i, 0 AS late FROM range({first}, {first + BATCH}) t(i)"
        path = batch(folder / "batch.parquet", numbers)
        seal(find(program, [str(path)]), folder / "store")


def batch(path: Path, numbers: str) -> Path:
    """A file of the events of these numbers."""
    import duckdb  # noqa: PLC0415

    kind = "FORMAT json" if path.suffix == ".jsonl" else "FORMAT parquet, COMPRESSION zstd"
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; COPY ({ROW.format(numbers=numbers)}) TO '{path}' ({kind})")
    return path


def measure(folder: Path, events: int, turns: int) -> list[list[str]]:
    """A row for every kind of batch, and for reading the store."""
    store = folder / "store"
    saved = (store / MANIFEST).read_bytes()

    def restore() -> None:
        (store / MANIFEST).write_bytes(saved)
        for path in store.rglob("*.parquet"):
            if path.relative_to(store).as_posix() not in named:
                path.unlink()

    named = read(store).paths
    env = environment(folder / "bytecode")
    spec = folder / "meterspec.toml"
    rows = []
    for words, suffix, oldest in [
        ("JSON lines, repeats of the last million", "jsonl", events - BATCH),
        ("Parquet, repeats of the last million", "parquet", events - BATCH),
        ("Parquet, repeats of any event", "parquet", 0),
    ]:
        old = f"{oldest} + (hash(i) % {events - oldest})::BIGINT"
        numbers = (
            f"SELECT CASE WHEN i % 100 < 1 THEN {old} ELSE i END AS i, (i % 1000 < 1)::BIGINT AS late "
            f"FROM range({events}, {events + BATCH}) t(i)"
        )
        path = folder / f"batch.{suffix}"
        elsewhere(batch, path, numbers)
        commands = {
            "read": Command([sys.executable, "-m", "benchmarks.seal", "--read", path]),
            "seal": Command([METERSPEC, "seal", path, "--into", store, "--spec", spec], before=restore),
        }
        found = in_turn(commands, turns, env)
        rows += [[f"reading: {words}", "", "", "", *figures(found["read"]), ""], judged(words, found)]
        path.unlink()
    run = Command([METERSPEC, "run", spec, "--events", store, "--meter", "duration"], before=restore)
    one = in_turn({"run": run}, turns, env)["run"]
    return [*rows, ["running a meter on the store", "", "", "", *figures(one), ""]]


def judged(words: str, found: dict[str, Samples]) -> list[str]:
    """How sealing compares with reading, in processor time."""
    times = ratio(found["seal"], found["read"])
    spread = f"{times.low:.2f} to {times.high:.2f}"
    missed = "MISSED" if times.middle > LIMIT else ""
    return [f"sealing: {words}", f"{times.middle:.2f}", spread, f"at most {LIMIT:g}", *figures(found["seal"]), missed]


if __name__ == "__main__":
    sys.exit(main())
