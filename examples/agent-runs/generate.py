"""Writes the sample log, `events.jsonl` and `events.parquet`: `python generate.py [DIR]`, by default beside itself.

Both hold the same rows in the same order, the order in which they arrived: the finished agent runs of three months, and
among them what a real log holds as well. `finished_runs` and `BOUNDARY` make the runs that count. `arrivals` delivers
them, some late, and adds the rows that must change no result: runs sent twice, a run reported with two contents, rows
that break the schema. README.md counts each kind.

The bytes of the JSON lines and the rows of the Parquet file are the same on every machine. The one source of chance is
`Random(SEED).random()`, the only method whose sequence Python promises to keep; there is no clock, and no function such
as `log` whose last bit is up to the C library.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import duckdb

Record = dict[str, object]
"""One row, as JSON has it."""

SEED = 2026
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


def micros(text: str) -> int:
    """The instant as microseconds since 1970; further digits are cut, as meterspec cuts them."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


MONTHS = [micros(f"2026-{month:02}-01T00:00:00Z") for month in (1, 2, 3, 4)]
"""Where January, February and March 2026 begin, and where March ends."""


@dataclass(frozen=True)
class Customer:
    """Someone whose agents run: how often in each month, how long at most, and where."""

    id: str
    runs: tuple[int, int, int]
    longest_minutes: int
    regions: tuple[str | None, ...]
    """Each as likely as the next; None is a run that names no region."""


CUSTOMERS = [
    Customer("atlas-freight", (320, 350, 390), 840, ("eu-central", "eu-central", "eu-west", "us-east")),
    Customer("meridian-mutual", (260, 400, 270), 660, ("eu-west", "us-east")),
    Customer("borealis-grid", (200, 190, 210), 300, ("eu-central", "eu-central", "eu-west")),
    Customer("kestrel-analytics", (220, 210, 240), 120, ("us-east", "us-east", "us-east", "eu-west", None)),
    Customer("lumen-clinic", (140, 130, 150), 50, (None,)),
    Customer("oriel-studio", (90, 0, 110), 180, ("eu-west", "eu-central")),
    Customer("quill-labs", (0, 0, 240), 90, ("eu-central", "us-east")),
    Customer("tern-robotics", (0, 1, 0), 30, ("eu-central",)),
]

ROUND_MONTH = ("meridian-mutual", 1, 1000 * 3_600_000)
"""This customer's February stops at exactly 1000 hours, the bound of a price tier: customer, month, milliseconds."""

TRACING = "quill-labs"
"""Runs a newer agent that adds a `trace_id`, which the family does not declare."""

GRID = {"eu-central": 344.0, "eu-west": 226.0, "us-east": 379.0, None: 445.0}
"""Typical grams of CO2e a kWh."""

OFFSETS = {"eu-central": 60, "eu-west": 0, "us-east": -300, None: 330}
"""Minutes east of UTC on machines that write local time."""

BOUNDARY = [
    ("atlas-freight", "2026-01-01T00:00:00Z"),
    ("atlas-freight", "2026-01-31T23:59:59.999999Z"),
    ("atlas-freight", "2026-02-01T00:00:00Z"),
    ("borealis-grid", "2026-01-31T23:59:59.9999999Z"),  # rounding instead of cutting makes it February
    ("borealis-grid", "2026-02-01T00:59:59+01:00"),  # January in UTC
    ("kestrel-analytics", "2026-01-31T19:00:00-05:00"),  # the first instant of February
    ("kestrel-analytics", "2026-02-28T23:59:59.999999999Z"),
    ("borealis-grid", "2026-03-01T00:00:00.000000Z"),
    ("borealis-grid", "2026-03-01T00:30:00.250+01:00"),  # February in UTC
    ("atlas-freight", "2026-03-31T23:59:59.999999Z"),
]
"""Runs at the edges of the months."""

CONFLICT = ("kestrel-analytics", "2026-02-28T23:58:40.125Z")
"""A run that was resumed and reported again under its id, two minutes longer: by then it was March."""

ABSENT = object()
BROKEN: list[Record] = [
    {"duration_ms": ABSENT},
    {"duration_ms": ABSENT},
    {"duration_ms": None},
    {"duration_ms": "n/a"},
    {"duration_ms": 81250.5},
    {"energy_joules": 2**64 / 1e9},  # a nanojoule counter that ran over; a double has no room for its six decimals
    {"carbon_g": "NaN"},
    {"carbon_g": "NaN"},
    {"customer_id": ABSENT},
    {"customer_id": None},
    {"completed_at": "2026-02-30T09:15:00Z"},
    {"completed_at": "01.03.2026 14:05"},
    {"agent_run_id": ABSENT},
    {"agent_run_id": None},
]
"""What is wrong with each row that breaks the schema; one more is sent broken and then again in order."""


def below(rng: Random, bound: int) -> int:
    """A whole number from 0 up to the bound, which is not included."""
    return int(rng.random() * bound)


def spell(rng: Random, at: int, region: str | None) -> str:
    """An instant as the agents write it: mostly UTC with milliseconds, sometimes finer, sometimes in local time."""
    digits = (3, 3, 3, 3, 3, 3, 0, 6, 7, 9)[below(rng, 10)]
    fraction = f"{at % SECOND:06}{below(rng, 1000):03}"[:digits]
    offset = OFFSETS[region] if rng.random() < 0.1 else 0
    local = EPOCH + timedelta(seconds=at // SECOND, minutes=offset)
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}" if offset else "Z"
    return local.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if digits else "") + zone


def measure(rng: Random, customer: str, region: str | None, completed_at: str, duration_ms: int) -> Record:
    """One run: the meter's own readings, and the carbon that follows from them."""
    energy = round((40 + 260 * rng.random()) * duration_ms / 1000, 1)
    intensity = round(GRID[region] * (0.7 + 0.6 * rng.random()), 1)
    row: Record = {
        "agent_run_id": f"run_{below(rng, 2**32):08x}{below(rng, 2**32):08x}",
        "completed_at": completed_at,
        "customer_id": customer,
        "region": region,
        "duration_ms": duration_ms,
        "energy_joules": energy,
        "grid_intensity_g_per_kwh": intensity,
        "carbon_g": round(energy / 3.6e6 * intensity, 4),
    }
    if region is None and rng.random() < 0.5:
        del row["region"]  # half of the runs without a region say null, half say nothing
    if customer == TRACING:
        row["trace_id"] = trace(rng)
    return row


def trace(rng: Random) -> str:
    """An id in the manner of a W3C trace id."""
    return "".join(f"{below(rng, 2**32):08x}" for _ in range(4))


def duration(rng: Random, customer: Customer) -> int:
    """Milliseconds: many short runs, few long ones, two seconds at least."""
    share = rng.random()
    return 2_000 + int(customer.longest_minutes * 60_000 * share * share)


def run(rng: Random, customer: Customer, month: int, duration_ms: int) -> Record:
    """A run that ends at some time of the month, rather by day than by night."""
    region = customer.regions[below(rng, len(customer.regions))]
    day = below(rng, (MONTHS[month + 1] - MONTHS[month]) // DAY)
    at = MONTHS[month] + day * DAY + int((rng.random() + rng.random()) / 2 * DAY)
    return measure(rng, customer.id, region, spell(rng, at, region), duration_ms)


def finished_runs(rng: Random) -> list[Record]:
    """The runs of every customer and month."""
    runs = []
    for customer in CUSTOMERS:
        for month, count in enumerate(customer.runs):
            left = ROUND_MONTH[2] if (customer.id, month) == ROUND_MONTH[:2] else sys.maxsize
            for _ in range(count):
                milliseconds = min(duration(rng, customer), left)
                left -= milliseconds
                if milliseconds:
                    runs.append(run(rng, customer, month, milliseconds))
    return runs


def draw(rng: Random, pool: dict[object, Record], count: int, before: str) -> list[Record]:
    """Takes runs that finished before a day out of the pool, so that no run is irregular in two ways."""
    eligible = [run_id for run_id, row in pool.items() if micros(str(row["completed_at"])) < micros(before)]
    return [pool.pop(eligible.pop(below(rng, len(eligible)))) for _ in range(count)]


def arrivals(rng: Random) -> list[Record]:
    """The whole log in the order of arrival."""
    log: list[tuple[int, Record]] = []

    def deliver(row: Record, after: int) -> None:
        """Sends a row that long after its run ended."""
        log.append((micros(str(row["completed_at"])) + after, row))

    def soon() -> int:
        """The usual delay: up to a minute and a half."""
        return below(rng, 90 * SECOND)

    runs = finished_runs(rng)
    pool = {row["agent_run_id"]: row for row in runs if row["customer_id"] != "tern-robotics"}
    late = draw(rng, pool, 25, before="2026-03-20T00:00:00Z")
    replayed = draw(rng, pool, 22, before="2026-02-15T00:00:00Z")
    retried = draw(rng, pool, 38, before="2026-03-31T00:00:00Z")
    repaired = draw(rng, pool, 1, before="2026-03-31T00:00:00Z")[0]

    late_ids = {row["agent_run_id"] for row in late}
    for row in runs:
        deliver(row, 2 * DAY + below(rng, 9 * DAY) if row["agent_run_id"] in late_ids else soon())
    for customer, completed_at in BOUNDARY:
        region = "us-east" if customer == "kestrel-analytics" else "eu-central"
        deliver(measure(rng, customer, region, completed_at, 60_000 + below(rng, 7_200_000)), soon())

    # A retry follows within minutes. Every other one carries a trace id that the first report did not; two come twice.
    for number, row in enumerate(retried):
        again = row if number % 2 else {**row, "trace_id": trace(rng)}
        deliver(again, 2 * MINUTE + soon())
        if number < 2:
            deliver(again, 5 * MINUTE + soon())
    # A replay from a gateway's buffer comes weeks later; the gateway writes instants in UTC with microseconds.
    for row in replayed:
        instant = EPOCH + timedelta(microseconds=micros(str(row["completed_at"])))
        again = {**row, "completed_at": instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        deliver(again, 5 * DAY + below(rng, 35 * DAY))

    # The report of the resumed run overtakes the first one: the first row of the id is not the one that counts.
    customer, completed_at = CONFLICT
    first = measure(rng, customer, "us-east", completed_at, 1_500_000)
    resumed = measure(rng, customer, "us-east", "2026-03-01T00:00:40.125Z", 1_620_000)
    deliver({**resumed, "agent_run_id": first["agent_run_id"]}, 5 * SECOND)
    deliver(first, 6 * MINUTE)

    for number, changes in enumerate(BROKEN):
        customer_of = CUSTOMERS[number % 5]
        row = run(rng, customer_of, number % 3, duration(rng, customer_of))
        arrived = micros(str(row["completed_at"])) + soon()
        changed = {**row, **changes}
        log.append((arrived, {key: value for key, value in changed.items() if value is not ABSENT}))
    deliver({**repaired, "duration_ms": "n/a"}, 0)

    return [row for _, row in sorted(log, key=lambda arrival: arrival[0])]


def instant_or_none(value: object) -> datetime | None:
    """A text as an instant; None where it is not one."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def write_parquet(rows: list[Record], path: Path) -> None:
    """The same rows in typed columns. What a column cannot hold is NULL there, but the text "NaN" is a NaN."""
    whole = [value if isinstance(value, int) else None for value in (row.get("duration_ms") for row in rows)]
    columns: dict[str, tuple[str, list[object]]] = {
        "agent_run_id": ("VARCHAR", [row.get("agent_run_id") for row in rows]),
        "completed_at": ("TIMESTAMPTZ", [instant_or_none(row.get("completed_at")) for row in rows]),
        "customer_id": ("VARCHAR", [row.get("customer_id") for row in rows]),
        "region": ("VARCHAR", [row.get("region") for row in rows]),
        "duration_ms": ("BIGINT", list(whole)),
        "energy_joules": ("DOUBLE", [row["energy_joules"] for row in rows]),
        "grid_intensity_g_per_kwh": ("DOUBLE", [row["grid_intensity_g_per_kwh"] for row in rows]),
        "carbon_g": ("DOUBLE", [float(str(row["carbon_g"])) for row in rows]),
        "trace_id": ("VARCHAR", [row.get("trace_id") for row in rows]),
    }
    select = ", ".join(f"unnest(${name}::{type_}[]) AS {name}" for name, (type_, _) in columns.items())
    values = {name: cells for name, (_, cells) in columns.items()}
    with duckdb.connect() as db:
        db.sql(f"SELECT {select}", params=values).write_parquet(str(path), compression="zstd")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    rows = arrivals(Random(SEED))  # noqa: S311 - the same log every time is the point
    lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in rows]
    (folder / "events.jsonl").write_bytes("".join(lines).encode())
    write_parquet(rows, folder / "events.parquet")


if __name__ == "__main__":
    main()
