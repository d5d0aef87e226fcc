"""The sample log of agent runs: its README counts what is in it, and the generator makes both files again, alike."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from tests.conftest import ROOT, SHARED

SAMPLE = ROOT / "examples" / "agent-runs"
Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000


class Event(NamedTuple):
    """An accepted row as the family declares it: the fields a winner is chosen by, in their order."""

    agent_run_id: str
    completed_at: int
    customer_id: str
    duration_ms: int
    energy_joules: int
    grid_intensity_g_per_kwh: int
    carbon_g: int
    region: str | None


class Rejected(NamedTuple):
    field: str
    why: str


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def instant(value: object) -> int | None:
    """Microseconds since 1970: Parquet holds them, JSON spells them."""
    if isinstance(value, int):
        return value
    try:
        return (datetime.fromisoformat(str(value)) - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def number(value: object) -> int | None:
    """A float field is read once, to millionths."""
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) * 1e6 >= 2**53:
        return None
    return math.floor(value * 1e6 + 0.5)


REQUIRED: dict[str, Callable[[object], str | int | None]] = {
    "agent_run_id": text,
    "completed_at": instant,
    "customer_id": text,
    "duration_ms": whole,
    "energy_joules": number,
    "grid_intensity_g_per_kwh": number,
    "carbon_g": number,
}


def read(row: Row) -> Event | Rejected:
    """The event a row holds, by the rules of the language, written a second time and plainly."""
    values: Row = {"region": row.get("region")}
    for name, convert in REQUIRED.items():
        if row.get(name) is None:
            return Rejected(name, "missing")
        values[name] = convert(row[name])
        if values[name] is None:
            return Rejected(name, "unreadable")
    return Event(**values)


def events_of(rows: Iterable[Row]) -> dict[str, Event]:
    """The runs that count, by id: of two contents, the least, which is the one with the earlier event time."""
    winners: dict[str, Event] = {}
    for row in rows:
        match read(row):
            case Event() as event:
                winners[event.agent_run_id] = min(event, winners.get(event.agent_run_id, event))
            case Rejected():
                pass
    return winners


@cache
def json_rows(path: Path = SAMPLE / "events.jsonl") -> list[Row]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@cache
def parquet_rows(path: Path = SAMPLE / "events.parquet") -> list[Row]:
    with duckdb.connect() as db:
        rows = db.read_parquet(str(path)).select("* REPLACE (epoch_us(completed_at) AS completed_at)")
        return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the README, without its head."""
    section = (SAMPLE / "README.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, SAMPLE / "generate.py", folder], check=True)
    return folder


def test_the_generator_writes_the_same_json_lines(regenerated: Path) -> None:
    assert (regenerated / "events.jsonl").read_bytes() == (SAMPLE / "events.jsonl").read_bytes()


def test_the_generator_writes_the_same_parquet_rows(regenerated: Path) -> None:
    # By their text, for a NaN does not equal itself.
    assert list(map(repr, parquet_rows(regenerated / "events.parquet"))) == list(map(repr, parquet_rows()))


def test_both_files_hold_the_same_rows_and_reject_the_same_fields() -> None:
    def reading(row: Row) -> Event | str:
        """What a row is read as; a rejected one by the field to blame, for Parquet knows no unreadable instant."""
        match read(row):
            case Event() as event:
                return event
            case Rejected(field, _):
                return field

    assert list(map(reading, json_rows())) == list(map(reading, parquet_rows()))


def test_the_readme_counts_what_is_read() -> None:
    readings = [read(row) for row in json_rows()]
    contents = defaultdict(set)
    for event in readings:
        if isinstance(event, Event):
            contents[event.agent_run_id].add(event)
    rejected = sum(isinstance(reading, Rejected) for reading in readings)
    assert {name: int(count) for name, count in table("What is read")} == {
        "read": len(readings),
        "accepted": len(contents),
        "duplicates": len(readings) - rejected - len(contents),
        "rejected": rejected,
        "ids in conflict": sum(len(each) > 1 for each in contents.values()),
    }


def month(at: int) -> str:
    return (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m")


def planted(rows: Iterable[Row]) -> dict[str, int]:
    """Counts every irregularity that a row which is not rejected can have."""
    count: Counter[str] = Counter()
    firsts: dict[str, tuple[Row, Event]] = {}
    contents: defaultdict[str, set[Event]] = defaultdict(set)
    repeated: set[str] = set()
    rejected: set[str] = set()
    newest = 0
    edges = [instant(f"2026-{number:02}-01T00:00:00Z") or 0 for number in (1, 2, 3, 4)]
    for row in rows:
        event = read(row)
        if isinstance(event, Rejected):
            rejected.add(row.get("agent_run_id") or "")
            continue
        id_, at, spelled = event.agent_run_id, event.completed_at, row["completed_at"]
        behind = newest - at > DAY
        if id_ not in firsts:
            firsts[id_] = row, event
            count["late rows"] += behind
            count["late rows of an earlier month"] += behind and month(at) < month(newest)
            count["ids rejected once and accepted later"] += id_ in rejected
        elif event in contents[id_]:
            repeated.add(id_)
            count["rows sent again"] += 1
            count["rows sent again more than a day later"] += behind
            count["rows sent again with the instant spelled differently"] += spelled != firsts[id_][0]["completed_at"]
            count["rows sent again with a `trace_id` of their own"] += row.get("trace_id") != firsts[id_][0].get(
                "trace_id"
            )
        contents[id_].add(event)
        newest = max(newest, at)
        count["rows with an offset from UTC"] += not spelled.endswith("Z")
        count["rows dated in another month than in UTC"] += spelled[:7] != month(at)
        count["rows with more than six fractional digits"] += bool(re.search(r"\.\d{7}", spelled))
        count["rows within a second of a month's edge"] += any(abs(at - edge) <= 1_000_000 for edge in edges)
        count["rows where `region` is null"] += "region" in row and row["region"] is None
        count["rows without `region`"] += "region" not in row
        count["rows with `trace_id`"] += "trace_id" in row
    count["ids sent again"] = len(repeated)
    count["ids with two contents"] = sum(len(each) == 2 for each in contents.values())
    return dict(count)


def test_the_readme_counts_what_is_planted() -> None:
    assert {name: int(count) for name, count, _ in table("What is planted")} == planted(json_rows())


def test_the_readme_counts_what_is_rejected() -> None:
    def in_json(row: Row, field: str) -> str:
        return f"`{json.dumps(row[field])}`" if field in row else "absent"

    def in_parquet(row: Row, field: str) -> str:
        value = row[field]
        return "`NULL`" if value is None else "`NaN`" if math.isnan(value) else f"`{value}`"

    found = Counter(
        (f"`{reading.field}`", in_json(row, reading.field), in_parquet(typed, reading.field))
        for row, typed in zip(json_rows(), parquet_rows(), strict=True)
        if isinstance(reading := read(row), Rejected)
    )
    assert {(field, plain, typed): int(rows) for field, plain, typed, rows in table("What is rejected")} == found


def test_the_earlier_report_wins_the_conflict_although_it_arrived_second() -> None:
    reports: defaultdict[str, list[Event]] = defaultdict(list)
    for row in json_rows():
        event = read(row)
        if isinstance(event, Event) and event not in reports[event.agent_run_id]:
            reports[event.agent_run_id].append(event)
    [(second, first)] = [each for each in reports.values() if len(each) > 1]
    assert (month(first.completed_at), month(second.completed_at)) == ("2026-02", "2026-03")
    assert events_of(json_rows())[first.agent_run_id] == first


def hours(rows: Iterable[Row]) -> dict[tuple[str, str], Decimal]:
    """Agent hours by customer and month, rounded once to six decimals."""
    total: Counter[tuple[str, str]] = Counter()
    for event in events_of(rows).values():
        total[event.customer_id, month(event.completed_at)] += event.duration_ms
    return {key: (Decimal(ms) / 3_600_000).quantize(Decimal("0.000001"), ROUND_HALF_UP) for key, ms in total.items()}


@pytest.mark.parametrize("rows", [json_rows, parquet_rows])
def test_the_readme_says_the_hours(rows: Callable[[], list[Row]]) -> None:
    said = {
        (customer, f"2026-{number:02}"): Decimal(cell)
        for customer, *months, _ in table("Agent hours")
        for number, cell in enumerate(months, start=1)
        if cell
    }
    assert said == hours(rows())


def test_customers_reach_every_price_tier_and_stop_on_a_bound() -> None:
    by_month = hours(json_rows())
    assert min(by_month["atlas-freight", f"2026-{number:02}"] for number in (1, 2, 3)) > 1000
    assert max(by_month["lumen-clinic", f"2026-{number:02}"] for number in (1, 2, 3)) < 100
    assert by_month["meridian-mutual", "2026-02"] == 1000
    assert [key for key in by_month if key[0] == "quill-labs"] == [("quill-labs", "2026-03")]
    assert sum(event.customer_id == "tern-robotics" for event in events_of(json_rows()).values()) == 1


def test_the_files_stay_small_enough_to_ship() -> None:
    assert (SAMPLE / "events.jsonl").stat().st_size < 1_200_000
    assert (SAMPLE / "events.parquet").stat().st_size < 200_000


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published documents are not beside the checkout")
def test_the_spec_is_the_published_one() -> None:
    published = SHARED / "examples" / "published_long.toml"
    assert (SAMPLE / "meterspec.toml").read_bytes() == published.read_bytes()
