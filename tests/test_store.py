"""A store gives what the event files give that were sealed into it, in whatever batches and order they came."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from meterspec.diagnostics import Diagnostics, Failure
from meterspec.events import EventFiles, Ignored, load
from meterspec.events import find as find_files
from meterspec.ir import Program
from meterspec.run import run
from meterspec.store import SealedEvents, define, find, held, manifest, merging, seal, sealing
from meterspec.store.manifest import is_store
from meterspec.store.sealing import Sealed
from tests.conftest import ROOT
from tests.corpus import check_text

SPEC = """\
[[families]]
name = "shop.order"
event_id_field = "id"
event_time_field = "at"
ingest_time_field = "seen"
schema.n = { type = "integer", required = true, min = -1000, max = 1000 }
schema.d = { type = "decimal", precision = 38, scale = 3, min = -1000, max = 1000 }
schema.f = { type = "float", scale = 4, min = -1000, max = 1000 }
schema.s = { type = "string", values = ["ok", "failed", "Ünïcode ☃"] }
schema.b = { type = "boolean" }
schema.w = { type = "timestamp" }

[[families]]
name = "shop.visit"
schema.filename = { type = "string" }
schema.file_row_number = { type = "integer" }

[[meters]]
name = "orders"
source = { kind = "family", family = "shop.order" }
aggregate = { fn = "COUNT", window = "day", group_by = ["customer_id", "s"] }
[[meters]]
name = "sum"
source = { kind = "family", family = "shop.order" }
aggregate = { fn = "SUM", value = "n * 2", window = "month", group_by = ["customer_id"] }
[[meters]]
name = "latest"
filter = "has(d) && has(f)"
source = { kind = "family", family = "shop.order" }
aggregate = { fn = "LAST", value = "d + f", window = { kind = "lifetime" }, group_by = ["b"] }
[[meters]]
name = "late"
filter = "has(seen) && seen - at > duration('1h')"
source = { kind = "family", family = "shop.order" }
aggregate = { fn = "COUNT", window = { kind = "rolling", duration = "30d" }, group_by = [] }
[[meters]]
name = "visits"
source = { kind = "family", family = "shop.visit" }
aggregate = { fn = "UNIQUE", value = "filename", window = "week", group_by = ["file_row_number"] }
"""
ORDERS, VISITS = "shop.order", "shop.visit"


def program_of(text: str) -> Program:
    program, found = check_text(text)
    assert program is not None, found
    return program


PROGRAM = program_of(SPEC)


def answer(program: Program, *events: str | Path) -> str:
    """All that `run` says: every quantity with its digits, what came of the rows, and the rejected ones."""
    out = Diagnostics()
    done = run(program, find(program, [str(argument) for argument in events]), out)
    assert not out.has_errors
    return repr(done)


def seal_all(program: Program, store: Path, *events: str | Path) -> list[Sealed]:
    return seal(find_files(program, [str(argument) for argument in events]), store)


def instant(draw: random.Random) -> str:
    month = draw.choice(["2026-01", "2026-01", "2026-02", "2025-12", "1969-12", "9998-07"])
    return f"{month}-{draw.randint(1, 28):02}T{draw.randint(0, 23):02}:00:00.{draw.randint(0, 2):06}Z"


def order(draw: random.Random) -> str:
    """An event of few ids and few values: repeats, conflicts and late rows are common."""
    row: dict[str, object] = {
        "id": f"é-{draw.randint(0, 25)}",
        "at": instant(draw) if draw.random() < 0.3 else "2026-01-31T23:59:59.999999Z",
        "customer_id": draw.choice(["c1", "c2", None]),
        "n": draw.choice([1, 2]),
        "s": draw.choice([None, "ok", "failed", "Ünïcode ☃"]) if draw.random() < 0.3 else "ok",
        "seen": draw.choice([None, instant(draw), "2026-02-01T00:00:00Z", "2026-02-01T01:00:00+01:00"]),
    }
    if draw.random() < 0.2:
        row |= {"d": draw.choice(["0.5", "-999.999", None]), "f": draw.choice([0.1, 2.67495, None])}
        row |= {"b": draw.choice([True, None]), "w": instant(draw)}
    if draw.random() < 0.1:
        row[draw.choice(list(row))] = draw.choice([None, "NaN", 1e300, "", []])
    if draw.random() < 0.05:
        row[draw.choice(["extra", "other"])] = 1
    return json.dumps(row)


def visit(draw: random.Random) -> str:
    row = {
        "event_id": str(draw.randint(0, 9)),
        "event_time": instant(draw),
        "filename": draw.choice(["a", "b", None]),
        "file_row_number": draw.choice([0, 1, 2]),
    }
    return json.dumps(row)


WHOLE: dict[str, dict[str, object]] = {
    ORDERS: {"id": "é-0", "at": "2026-01-05T00:00:00Z", "n": 1, "customer_id": "c1"},
    VISITS: {"event_id": "0", "event_time": "2026-01-05T00:00:00Z"},
}
"""An event of each family with all that it requires."""


def files(folder: Path, draw: random.Random, name: str, make: Callable[[random.Random], str]) -> list[str]:
    """Some files of random events, a few lines of which stand in several of them."""
    folder.mkdir(exist_ok=True)
    sent: list[str] = []
    paths = []
    for number in range(draw.randint(1, 3)):
        lines = [make(draw) for _ in range(draw.choice([0, 1, 5, 40]))] + [draw.choice(sent) for _ in sent[:5]]
        sent += lines
        path = folder / f"{name}-{number}.jsonl"
        own = WHOLE[name] | {"other": draw.random()}
        path.write_text("".join(f"{line}\n" for line in [*lines, json.dumps(own)]), encoding="utf-8")
        paths.append(f"{name}={path}")
    return paths


@pytest.fixture(params=["large files", "small files"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as shipped, and once with everything that large stores do done to small ones."""
    if request.param == "small files":
        monkeypatch.setattr(merging, "_SEVERAL", 2)
        monkeypatch.setattr(sealing, "_MOST_BYTES", 1)
        monkeypatch.setattr(sealing, "_MOST_MONTHS", 2)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("seed", range(4))
def test_a_store_answers_as_the_files_do_that_were_sealed_into_it(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    paths = files(tmp_path, draw, ORDERS, order) + files(tmp_path, draw, VISITS, visit)
    expected = answer(PROGRAM, *paths)
    waiting = paths + draw.sample(paths, draw.randint(0, len(paths)))
    draw.shuffle(waiting)
    store = tmp_path / "store"
    while waiting:
        batch = [waiting.pop() for _ in range(min(len(waiting), draw.randint(1, 4)))]
        seal_all(PROGRAM, store, *batch)
    assert answer(PROGRAM, store) == expected


@pytest.mark.parametrize("seed", range(2))
def test_ids_with_one_hash_are_told_apart(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash only finds candidates: where all ids share one, nothing changes."""
    monkeypatch.setattr(sealing, "id_hash", lambda _: "7::UBIGINT")
    draw = random.Random(seed)
    paths = files(tmp_path, draw, ORDERS, order)
    for path in paths:
        seal_all(PROGRAM, tmp_path / "store", path)
    assert answer(PROGRAM, tmp_path / "store") == answer(PROGRAM, *paths)


def written(folder: Path, name: str, *events: dict[str, object]) -> str:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    return f"{ORDERS}={path}"


def an_order(**values: object) -> dict[str, object]:
    return WHOLE[ORDERS] | values


SECOND = [
    # a row of the same event that comes later; the counts of both rows; which `n` stands
    ("an identical repeat", an_order(), (1, 1, 0), 1),
    ("the same content, arrived later", an_order(seen="2026-01-07T00:00:00Z"), (1, 1, 0), 1),
    ("the same content, arrived first", an_order(seen="2026-01-05T00:00:00Z"), (1, 1, 0), 1),
    ("other content, arrived later", an_order(n=2, seen="2026-01-07T00:00:00Z"), (1, 1, 1), 1),
    ("other content, arrived first", an_order(n=2, seen="2026-01-05T00:00:00Z"), (1, 1, 1), 2),
    ("other content, arrived at once, happened first", an_order(n=2, at="2026-01-04T00:00:00Z"), (1, 1, 1), 2),
    ("other content, arrived at once, smaller", an_order(n=0), (1, 1, 1), 0),
    ("other content, arrived at once, larger", an_order(n=2), (1, 1, 1), 1),
    ("content where there was none", an_order(d="0.5"), (1, 1, 1), 1),
    ("a row that is rejected", an_order(n=None), (1, 0, 0), 1),
    ("another event", an_order(id="É-0"), (2, 0, 0), 1),
]


@pytest.mark.parametrize(("second", "counts", "n"), [row[1:] for row in SECOND], ids=[row[0] for row in SECOND])
def test_a_row_of_a_sealed_event_follows_the_rule_of_conflicts(
    second: dict[str, object], counts: tuple[int, int, int], n: int, tmp_path: Path
) -> None:
    first = an_order(seen="2026-01-06T00:00:00Z")
    second = {"seen": "2026-01-06T00:00:00Z"} | second
    paths = [written(tmp_path, "first", first), written(tmp_path, "second", second)]
    store = tmp_path / "store"
    seal_all(PROGRAM, store, paths[0])
    (sealed,) = seal_all(PROGRAM, store, paths[1])
    assert (sealed.after.accepted, sealed.after.duplicates, sealed.after.conflicts) == counts
    assert answer(PROGRAM, store) == answer(PROGRAM, *paths)
    with duckdb.connect() as connection:
        define(connection, SealedEvents(PROGRAM.family(ORDERS), store))
        assert connection.execute("SELECT n FROM shop_order WHERE id = 'é-0'").fetchall() == [(n,)]


def test_an_id_is_one_conflict_however_often_it_is_sealed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    paths = [written(tmp_path, str(n), an_order(n=n)) for n in (3, 2, 3, 1, 2)]
    for path in paths:
        seal_all(PROGRAM, store, path)
    assert answer(PROGRAM, store) == answer(PROGRAM, *paths)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder: its bytes, and when it was written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_batch_that_was_sealed_before_changes_nothing(tmp_path: Path) -> None:
    paths = files(tmp_path, random.Random(1), ORDERS, order)
    store = tmp_path / "store"
    seal_all(PROGRAM, store, *paths)
    before = contents(store)
    copy = of(paths[0]).rename(tmp_path / "under-another-name.jsonl")
    (sealed,) = seal_all(PROGRAM, store, f"{ORDERS}={copy}", *paths[1:])
    assert contents(store) == before
    assert sealed.new == () and len(sealed.known) == len(paths)
    assert sealed.batch.read == 0


# Crashes --------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The end of a process, as far as a test can have it."""


def crashes_after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which ends the process instead of its call of that number."""
    left = [calls]

    def step(*arguments: Any, **options: Any) -> Any:
        if not left[0]:
            raise Crash
        left[0] -= 1
        return real(*arguments, **options)

    return step


STEPS = [
    *[(sealing, "write_rows", calls) for calls in range(4)],
    *[(merging, "write_rows", calls) for calls in range(2)],
    (manifest, "sync", 0),
    (os, "fsync", 1),
    (os, "replace", 0),
    (sealing, "write", 0),
]


@pytest.mark.parametrize(("module", "name", "calls"), STEPS, ids=[f"{name}-{calls}" for _, name, calls in STEPS])
def test_a_crash_before_the_manifest_changes_no_number(
    module: ModuleType, name: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_SEVERAL", 2)
    first = written(tmp_path, "first", an_order(), an_order(id="2"), an_order(id="3", n=None))
    second = written(tmp_path, "second", an_order(n=0), an_order(id="3"), an_order(id="4", n="x"))
    store = tmp_path / "store"
    seal_all(PROGRAM, store, first)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, crashes_after(calls, getattr(module, name)))
        with pytest.raises(Crash):
            seal_all(PROGRAM, store, second)
    assert answer(PROGRAM, store) in {answer(PROGRAM, first), answer(PROGRAM, first, second)}
    seal_all(PROGRAM, store, second)
    assert answer(PROGRAM, store) == answer(PROGRAM, first, second)
    assert {path.relative_to(store).as_posix() for path in store.rglob("*.parquet")} == manifest.read(store).paths


def of(argument: str) -> Path:
    """The path of a `FAMILY=PATH` argument."""
    return Path(argument.partition("=")[2])


SEALS = """
import sys
from pathlib import Path
from meterspec.events import find
from meterspec.store import seal
from tests.test_store import PROGRAM
print("ready", flush=True)
for path in sys.argv[2:]:
    seal(find(PROGRAM, [path]), Path(sys.argv[1]))
"""


def test_kill_at_any_time_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    draw = random.Random()
    paths = [path for number in range(3) for path in files(tmp_path / str(number), draw, ORDERS, order)]
    store = tmp_path / "store"
    for _ in range(3):
        command = [sys.executable, "-c", SEALS, str(store), *paths]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(draw.uniform(0, 0.8))
            process.kill()
        if is_store(store):
            holdings = manifest.read(store).families.values()
            sealed = [path for path in paths for one in holdings if manifest.digest(of(path)) in one.inputs]
            assert not sealed or answer(PROGRAM, store) == answer(PROGRAM, *sealed)
    seal_all(PROGRAM, store, *paths)
    assert answer(PROGRAM, store) == answer(PROGRAM, *paths)


def test_files_that_somebody_reads_stay_until_nobody_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_SEVERAL", 2)
    store = tmp_path / "store"
    paths = [written(tmp_path, str(n), an_order(id=str(n))) for n in range(4)]
    seal_all(PROGRAM, store, paths[0])
    sealed = SealedEvents(PROGRAM.family(ORDERS), store)
    with held([sealed]), duckdb.connect() as connection:
        define(connection, sealed)
        seal_all(PROGRAM, store, paths[1])
        seal_all(PROGRAM, store, paths[2])
        assert connection.execute("SELECT count(*) FROM shop_order").fetchone() == (1,)
    seal_all(PROGRAM, store, paths[3])
    assert {path.relative_to(store).as_posix() for path in store.rglob("*.parquet")} == manifest.read(store).paths


# What is refused ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a few orders, one of them rejected."""
    seal_all(PROGRAM, tmp_path / "store", written(tmp_path, "first", an_order(), an_order(id="é-1", n=None, extra=1)))
    return tmp_path / "store"


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(Failure) as failure:
        action()
    return f"{failure.value.diagnostic.code} {failure.value.diagnostic.message} {failure.value.diagnostic.hint or ''}"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("*/events/*/*.parquet", Path.unlink, "is missing"),
    ("*/events/*/*.parquet", lambda path: os.truncate(path, 100), "has 100 bytes, and was written with"),
    ("*/events/*/*.parquet", flip, "does not hold what was written to it"),
    ("*/rejects/*.parquet", flip, "does not hold what was written to it"),
    (manifest.MANIFEST, lambda path: os.truncate(path, 100), "cannot be read"),
    (manifest.MANIFEST, lambda path: path.write_text("[]"), "cannot be read"),
    (
        manifest.MANIFEST,
        lambda path: path.write_text(path.read_text().replace('"accepted": 1', '"accepted": 2')),
        "is not",
    ),
]


@pytest.mark.parametrize(("pattern", "damage", "words"), DAMAGES)
def test_a_damaged_store_gives_no_number(
    pattern: str, damage: Callable[[Path], object], words: str, store: Path, tmp_path: Path
) -> None:
    (path,) = store.glob(pattern)
    damage(path)
    before = contents(store)
    new = written(tmp_path, "second", an_order(id="2"))
    for action in (lambda: answer(PROGRAM, store), lambda: seal_all(PROGRAM, store, new)):
        said = refusal(action)
        assert said.startswith("MS753") and words in said
    assert contents(store) == before


def test_a_copy_of_a_store_is_a_store(store: Path, tmp_path: Path) -> None:
    expected = answer(PROGRAM, store)
    copy = Path(shutil.copytree(store, tmp_path / "we[i]rd * copy's", copy_function=shutil.copyfile))
    assert answer(PROGRAM, copy) == expected
    paths = [written(tmp_path, "second", an_order(n=0)), f"{ORDERS}={tmp_path / 'first.jsonl'}"]
    seal_all(PROGRAM, copy, *paths)
    assert answer(PROGRAM, copy) == answer(PROGRAM, *paths)


def test_the_folder_one_stands_in_may_be_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [written(tmp_path, str(n), an_order(n=n), an_order(id=str(n))) for n in (3, 1, 2)]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in paths:
        seal_all(PROGRAM, Path(), path)
    assert answer(PROGRAM, ".") == answer(PROGRAM, tmp_path / "here") == answer(PROGRAM, *paths)


def test_a_file_of_somebody_else_stays_in_the_folder(store: Path, tmp_path: Path) -> None:
    (store / "shop_order" / "mine.parquet").write_bytes(b"years of work")
    seal_all(PROGRAM, store, written(tmp_path, "second", an_order(id="2")))
    assert (store / "shop_order" / "mine.parquet").read_bytes() == b"years of work"


def test_a_store_of_a_newer_format_is_left_alone(store: Path, tmp_path: Path) -> None:
    path = store / manifest.MANIFEST
    path.write_text(path.read_text(encoding="utf-8").replace('"format": 1', '"format": 2'), encoding="utf-8")
    before = contents(store)
    new = written(tmp_path, "second", an_order(id="2"))
    for action in (lambda: answer(PROGRAM, store), lambda: seal_all(PROGRAM, store, new)):
        assert refusal(action).startswith(f"MS751 the store `{store}` has format 2")
    assert contents(store) == before


def test_two_processes_do_not_seal_at_once(store: Path, tmp_path: Path) -> None:
    new = written(tmp_path, "second", an_order(id="2"))
    with manifest.locked(store):
        assert refusal(lambda: seal_all(PROGRAM, store, new)).startswith("MS754")
        answer(PROGRAM, store)
    seal_all(PROGRAM, store, new)


CHANGES = [
    # what is written in the spec, what is written instead, what the refusal says
    (
        "min = -1000, max = 1000 }\nschema.d",
        "min = -1000, max = 2000 }\nschema.d",
        '`max` of field `n` was "1000" and is "2000"',
    ),
    ('schema.b = { type = "boolean" }\n', "", "field `b` is gone"),
    (
        'schema.b = { type = "boolean" }',
        'schema.b = { type = "string" }',
        '`type` of field `b` was "boolean" and is "string"',
    ),
    ('schema.b = { type = "boolean" }', 'schema.b = { type = "boolean", required = true }', "`required` of field `b`"),
    ('"failed", "Ünïcode ☃"]', '"failed"]', "`values` of field `s`"),
    ("scale = 4", "scale = 5", "`scale` of field `f` was 4 and is 5"),
    ('ingest_time_field = "seen"', "schema.seen.type = 'timestamp'", "`ingest_time_field` was `seen` and is not named"),
    (
        'schema.b = { type = "boolean" }',
        'schema.b = { type = "boolean" }\nschema.new = { type = "string", required = true }',
        "required field `new` is new",
    ),
    (
        'schema.b = { type = "boolean" }',
        'schema.b = { type = "boolean" }\nschema.extra = { type = "integer" }',
        "`extra` is new, and sealed events have it",
    ),
]


@pytest.mark.parametrize(("before", "after", "words"), CHANGES, ids=[words for _, _, words in CHANGES])
def test_rows_that_another_schema_decided_are_not_counted(
    before: str, after: str, words: str, store: Path, tmp_path: Path
) -> None:
    assert before in SPEC
    families = SPEC.partition("[[meters]]")[0]
    changed = program_of(families.replace(before, after, 1))
    new = written(tmp_path, "second", an_order(id="2"))
    for action in (lambda: answer(changed, store), lambda: seal_all(changed, store, new)):
        said = refusal(action)
        assert said.startswith("MS752") and words in said


def test_a_schema_may_grow_by_a_field_that_no_sealed_event_has(store: Path, tmp_path: Path) -> None:
    grown = program_of(
        SPEC.replace("schema.s = {", 'description = "Orders."\nschema.new = { type = "float" }\nschema.s = {', 1)
    )
    first = f"{ORDERS}={tmp_path / 'first.jsonl'}"
    assert answer(grown, store) == answer(grown, first)
    seal_all(grown, store, first)
    answer(PROGRAM, store)
    second = written(tmp_path, "second", an_order(id="2", new=0.5), an_order(id="é-0", new=0.5), an_order(new="x"))
    seal_all(grown, store, second)
    assert answer(grown, store) == answer(grown, first, second)
    assert "field `new` is gone" in refusal(lambda: answer(PROGRAM, store))


def test_a_folder_of_somebody_else_does_not_become_a_store(tmp_path: Path) -> None:
    new = written(tmp_path, "first", an_order())
    assert refusal(lambda: seal_all(PROGRAM, tmp_path, new)).startswith(f"MS750 `{tmp_path}` holds `first.jsonl`")
    assert refusal(lambda: seal_all(PROGRAM, tmp_path / "first.jsonl", new)).startswith("MS011")
    assert [path.name for path in tmp_path.iterdir()] == ["first.jsonl"]


def test_a_batch_with_a_file_that_cannot_be_read_is_sealed_in_no_part(store: Path, tmp_path: Path) -> None:
    before = contents(store)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    new = written(tmp_path, "second", an_order(id="2"))
    assert refusal(lambda: seal_all(PROGRAM, store, new, f"{ORDERS}={tmp_path}/broken.parquet")).startswith("MS701")
    assert contents(store) == before


def test_a_file_that_is_written_to_meanwhile_is_not_sealed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = written(tmp_path, "second", an_order(id="2"))

    def slowly(connection: duckdb.DuckDBPyConnection, events: EventFiles) -> Ignored:
        ignored = load(connection, events)
        with events.paths[0].open("a", encoding="utf-8") as file:
            file.write("{}\n")
        return ignored

    before = contents(store)
    monkeypatch.setattr(sealing, "load", slowly)
    assert "it changed while it was read" in refusal(lambda: seal_all(PROGRAM, store, new))
    assert contents(store) == before


def test_which_events_a_store_gives(store: Path, tmp_path: Path) -> None:
    new = written(tmp_path, "second", an_order(id="2"))
    (visits,) = files(tmp_path, random.Random(0), VISITS, visit)[:1]
    assert answer(PROGRAM, f"{ORDERS}={store}") == answer(PROGRAM, store)
    assert "sealed into it: `meterspec" not in answer(PROGRAM, visits, store)
    assert refusal(lambda: answer(PROGRAM, store, new)).startswith(f"MS755 events of family `{ORDERS}`")
    assert refusal(lambda: answer(PROGRAM, f"{VISITS}={store}")).startswith("MS756")
    assert refusal(lambda: answer(PROGRAM, f"shop.orders={store}")).startswith("MS704")
    assert refusal(lambda: answer(PROGRAM, f"{ORDERS}={tmp_path}")).startswith("MS700")
