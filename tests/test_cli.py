"""The command line as its users meet it: a process, its output, its exit code, and what it leaves on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.in_process import meterspec as in_process

PUBLISHED = str(FIXTURES / "valid" / "published_long.toml")
SAMPLE = ROOT / "examples" / "agent-runs"
EVENTS = str(SAMPLE / "events.jsonl")
METER = "agent-hours-billing"


def meterspec(*arguments: str, cwd: Path | None = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process of its own, without colour."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "meterspec", *arguments],
        cwd=cwd or ROOT,
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with things that go wrong."""
    (tmp_path / "broken.toml").write_text('[[families]]\nname = "api.call\n', encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("agent runs", encoding="utf-8")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "other.jsonl").write_text('{"event_id": "e1", "path": "/v1"}\n', encoding="utf-8")
    (tmp_path / "misspelt.toml").write_text(
        Path(PUBLISHED).read_text(encoding="utf-8").replace("duration_ms / ", "duratin_ms / "), encoding="utf-8"
    )
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("years of work", encoding="utf-8")
    return tmp_path


CANNOT = [
    (["validate", "nowhere.toml"], 2, "MS001"),
    (["validate", "empty"], 2, "MS002"),
    (["validate"], 2, "MS002"),
    (["validate", "broken.toml"], 1, "MS1"),
    (["validate", "misspelt.toml"], 1, "did you mean `duration_ms`?"),
    (["compile", "misspelt.toml", "--out", "build"], 1, "did you mean `duration_ms`?"),
    (["compile", PUBLISHED, "--out", "foreign"], 2, "MS010"),
    (["compile", PUBLISHED, "--out", "notes.txt"], 2, "MS011"),
    (["compile", PUBLISHED, "--out", "build", "--dialect", "duckbd"], 2, "did you mean `duckdb`?"),
    (["compile", PUBLISHED, "--out", "build", "--target", "sqlite"], 2, "MS005"),
    (["run", PUBLISHED, "--events", "nowhere.jsonl"], 2, "MS700"),
    (["run", PUBLISHED, "--events", "empty"], 2, "MS700"),
    (["run", PUBLISHED, "--events", "damaged.parquet"], 2, "MS701"),
    (["run", PUBLISHED, "--events", "other.jsonl"], 2, "MS702"),
    (["run", PUBLISHED, "--events", "notes.txt"], 2, "MS706"),
    (["run", PUBLISHED, "--events", f"acme.platform.agent-rum={EVENTS}"], 2, "did you mean `acme.platform.agent-run`?"),
    (["run", PUBLISHED, "--events", EVENTS, "--as-of", "tomorrow"], 2, "MS005"),
    (["run", PUBLISHED, "--events", EVENTS, "--from", "2026-02-01", "--to", "2026-01-01"], 2, "MS005"),
    (["run", PUBLISHED, "--events", EVENTS, "--dsn", "postgresql://user@host/database"], 2, "MS005"),
    (["run", PUBLISHED], 2, "MS019"),
    (["run", PUBLISHED, "--events", EVENTS, "--meter", "agent-hours"], 2, "MS006"),
    (["run", PUBLISHED, "--events", EVENTS, "other.jsonl"], 2, "put the pattern in quotes"),
    (["price", PUBLISHED, METER, "many"], 2, "MS005"),
    (["price", PUBLISHED, METER, "0.0000000000001"], 1, "0.0000000000001 is not a quantity"),
    (["invoice", PUBLISHED, "--events", EVENTS, "--out", "invoices.csv"], 2, "invoices are no csv"),
    (["price", PUBLISHED, METER, "-1"], 1, "MS440"),
    (["price", PUBLISHED, METER, "1", "--fromat", "json"], 2, "--fromat"),
    (["price", PUBLISHED, "agent-carbon-attribution", "1"], 2, "MS007"),
    (["price", PUBLISHED], 2, ""),
    (["diff", PUBLISHED, "nowhere.toml"], 2, "MS001"),
    (["diff", PUBLISHED, "misspelt.toml"], 1, "did you mean `duration_ms`?"),
    (["explain", "MS999"], 2, "MS009"),
    (["frobnicate"], 2, "frobnicate"),
    (["validate", "--frobnicate"], 2, "--frobnicate"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), CANNOT, ids=lambda value: str(value)[:60])
def test_what_cannot_be_done_is_one_clear_error(folder: Path, arguments: list[str], code: int, words: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = meterspec(*arguments, cwd=folder)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert words in said
    assert "Traceback" not in said and 'File "' not in said
    assert len([line for line in said.splitlines() if line.startswith("error")]) <= 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["price", PUBLISHED, METER, "--", "{}"], "write digits, and a point before decimals: 1000, 12.5"),
        (["explain", METER, PUBLISHED, "--limit={}"], "is not a whole number"),
        (["run", PUBLISHED, "--events", EVENTS, "--threads={}"], "is not a whole number"),
        (["run", PUBLISHED, "--events", EVENTS, "--max-rejects={}"], "100, 0.5%"),
        (["run", PUBLISHED, "--events", EVENTS, "--max-rejects={}%"], "100, 0.5%"),
    ],
)
def test_a_number_is_digits_and_a_point(arguments: list[str], said: str) -> None:
    """As in an event; Python reads much more as a number, so that a typing error would be a quantity."""
    for text in ["1_000", "1e3", "\u0661\u0662", "+5", ".5", "5.", " 5", "5\n", "nan", "inf", "0x10", ""]:
        done = in_process(*(argument.format(text) for argument in arguments))
        assert (done.returncode, done.stdout) == (2, ""), text
        assert said in " ".join(done.stderr.split())


def test_validate_as_json_is_one_document_also_with_nothing_to_report() -> None:
    done = meterspec("validate", "-", "--format", "json", text='families = [{ name = "api.call" }]\n')
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"diagnostics": [], "summary": {"errors": 0, "warnings": 0}}


def test_validate_as_json_has_the_place_of_a_finding(folder: Path) -> None:
    done = meterspec("validate", "misspelt.toml", "--format", "json", cwd=folder)
    (error,) = [d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"]
    assert (error["file"], error["line"], error["column"]) == ("misspelt.toml", 36, 10)
    assert error["help"] == "did you mean `duration_ms`?"
    assert error["end_column"] - error["column"] == len("duratin_ms")


def test_warnings_fail_only_when_strict() -> None:
    assert meterspec("validate", PUBLISHED).returncode == 0
    assert meterspec("validate", PUBLISHED, "--strict").returncode == 1


def test_a_project_is_found_upward(tmp_path: Path) -> None:
    (tmp_path / "meterspec.toml").write_text(Path(PUBLISHED).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "src" / "deep").mkdir(parents=True)
    assert meterspec("validate", cwd=tmp_path / "src" / "deep").returncode == 0


def test_settings_in_pyproject_name_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.meterspec]\npaths = ["specs"]\n', encoding="utf-8")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "calls.toml").write_text('families = [{ name = "api.call" }]\n', encoding="utf-8")
    (tmp_path / "specs" / "meters.toml").write_text(
        '[[meters]]\nname = "calls"\nsource = { kind = "family", family = "api.call" }\naggregate = { fn = "COUNT" }\n',
        encoding="utf-8",
    )
    done = meterspec("validate", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "2 files: no findings\n")


def test_compile_writes_the_same_bytes_from_anywhere(tmp_path: Path) -> None:
    outputs: list[dict[str, bytes]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(len(outputs) + 1)}
        command = [sys.executable, "-m", "meterspec", "compile", PUBLISHED, "--out", "build"]
        subprocess.run(command, cwd=tmp_path / name, env=environment, check=True, capture_output=True)
        build = tmp_path / name / "build"
        outputs.append({str(f.relative_to(build)): f.read_bytes() for f in build.rglob("*") if f.is_file()})
    assert outputs[0] == outputs[1]
    assert "manifest.json" in outputs[0]


def test_names_by_commas_are_names_one_by_one(tmp_path: Path) -> None:
    wanted = ["compile", PUBLISHED, "--check", "--out", str(tmp_path)]
    assert meterspec(*wanted[:2], *wanted[3:], "--target", "sql,stripe", "--dialect", "duckdb,spark").returncode == 0
    one_by_one = ("--target", "sql", "--target", "stripe", "--dialect", "duckdb", "--dialect", "spark")
    assert "up to date" in meterspec(*wanted, *one_by_one).stderr


def test_compile_check_names_what_is_stale_missing_and_left_over(tmp_path: Path) -> None:
    build = tmp_path / "build"
    assert meterspec("compile", PUBLISHED, "--out", str(build)).returncode == 0
    assert meterspec("compile", PUBLISHED, "--out", str(build), "--check").returncode == 0
    (build / "sql" / "duckdb" / "meters.sql").write_text("-- edited by hand\n", encoding="utf-8")
    (build / "sql" / "duckdb" / "families.sql").unlink()
    (build / "old.sql").write_text("-- left over\n", encoding="utf-8")
    done = meterspec("compile", PUBLISHED, "--out", str(build), "--check")
    assert done.returncode == 1
    assert done.stdout == "stale: sql/duckdb/meters.sql\nmissing: sql/duckdb/families.sql\norphan: old.sql\n"


def test_compile_again_replaces_what_it_wrote_and_touches_nothing_that_is_right(tmp_path: Path) -> None:
    build = tmp_path / "build"
    assert meterspec("compile", PUBLISHED, "--out", str(build)).returncode == 0
    manifest = build / "manifest.json"
    written = manifest.stat().st_mtime_ns
    assert meterspec("compile", PUBLISHED, "--out", str(build)).returncode == 0
    assert manifest.stat().st_mtime_ns == written
    (build / "sql" / "duckdb" / "meters.sql").unlink()
    assert meterspec("compile", PUBLISHED, "--out", str(build)).returncode == 0
    assert meterspec("compile", PUBLISHED, "--out", str(build), "--check").returncode == 0
    assert not [path for path in tmp_path.iterdir() if path != build]


def test_the_manifest_has_the_digest_of_every_file(tmp_path: Path) -> None:
    from hashlib import sha256  # noqa: PLC0415

    build = tmp_path / "build"
    assert meterspec("compile", PUBLISHED, "--out", str(build)).returncode == 0
    manifest = json.loads((build / "manifest.json").read_text(encoding="utf-8"))
    there = {str(f.relative_to(build)) for f in build.rglob("*") if f.is_file()} - {"manifest.json"}
    assert {entry["path"] for entry in manifest["files"]} == there
    for entry in manifest["files"]:
        assert entry["sha256"] == sha256((build / entry["path"]).read_bytes()).hexdigest()
    (spec,) = manifest["inputs"]
    assert spec["sha256"] == sha256(Path(PUBLISHED).read_bytes()).hexdigest()


def test_run_as_json_follows_the_contract() -> None:
    done = meterspec("run", PUBLISHED, "--events", EVENTS, "--meter", METER, "--from", "2026-02-01", "--format", "json")
    document = json.loads(done.stdout)
    assert document["as_of"] == "2026-04-01T00:00:00Z"
    assert {
        "meter": METER,
        "window_start": "2026-02-01T00:00:00Z",
        "window_end": "2026-03-01T00:00:00Z",
        "group": {"customer_id": "meridian-mutual"},
        "quantity": "1000",
        "unit": None,
        "events": 245,
    } in document["results"]
    assert not [r for r in document["results"] if r["window_start"] < "2026-02"]
    (quality,) = document["quality"]
    assert quality["read"] == quality["accepted"] + quality["duplicates"] + quality["rejected"] == 4055


def test_the_as_of_instant_is_said_where_a_number_depends_on_it() -> None:
    assert "just after the newest event" in meterspec("run", PUBLISHED, "--events", EVENTS).stderr
    assert "newest event" not in meterspec("run", PUBLISHED, "--events", EVENTS, "--meter", METER).stderr


def test_rejected_rows_are_kept_with_their_reasons(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    meterspec("run", PUBLISHED, "--events", EVENTS, "--rejects", str(rejects))
    rows = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 15
    assert {"duration_ms is not an integer", "missing customer_id"} <= {row["reason"] for row in rows}
    assert all(json.loads(row["row"]) for row in rows)


@pytest.mark.parametrize("name", ["results.csv", "results.parquet"])
def test_rejected_rows_are_said_where_results_have_no_place_for_them(tmp_path: Path, name: str) -> None:
    first, second, *_ = (SAMPLE / "events.jsonl").read_text(encoding="utf-8").splitlines()
    broken = json.dumps(json.loads(second) | {"completed_at": "yesterday"})
    (tmp_path / "events.jsonl").write_text(f"{first}\n{broken}\n", encoding="utf-8")
    done = meterspec("run", PUBLISHED, "--events", "events.jsonl", "--out", name, cwd=tmp_path)
    assert done.returncode == 0
    assert "1 of 2 rows rejected, in no number: completed_at is not a timestamp (1)" in done.stderr


def test_the_price_of_1500_hours_is_the_one_the_language_works_out() -> None:
    done = meterspec("price", PUBLISHED, METER, "1500", "--format", "json")
    document = json.loads(done.stdout)
    assert document["amount"] == "555.00"
    assert [line["amount"] for line in document["lines"]] == ["0.00", "405.00", "150.00"]


RATES = """
[[families]]
name = "api.call"
schema = { live = { type = "boolean" }, tier = { type = "integer" } }

[[meters]]
name = "calls"
kind = "billing"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id", "live", "tier"] }

[meters.billing]
model = "usage"
currency = "EUR"
unit_amount = 1
rates = [{ match = { live = false }, unit_amount = 2 }]
"""


@pytest.mark.parametrize(
    ("match", "said"),
    [
        (["live"], "it has no `=` and value"),
        (["live=yes"], "`live` is boolean"),
        (["tier=one"], "`tier` is integer"),
        (["tier=1_0"], "`tier` is integer"),
        (["tier=1.5"], "`tier` is integer"),
        (["live=true", "live=false"], "`live` is given twice"),
    ],
)
def test_a_dimension_that_was_not_understood_is_not_guessed(folder: Path, match: list[str], said: str) -> None:
    spec = folder / "rates.toml"
    spec.write_text(RATES, encoding="utf-8")
    given = [text for each in match for text in ("--match", each)]
    done = meterspec("price", str(spec), "calls", "5", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--match cannot be `{match[-1]}`: {said}" in done.stderr
    priced = meterspec("price", str(spec), "calls", "5", "--match", "live=false", "--match", "tier=2")
    assert "(live false)" in priced.stdout


def test_a_customer_who_owes_nothing_is_taken_for_nobody_else() -> None:
    options = ["--events", EVENTS, "--format", "json", "--customer"]
    misspelt = in_process("invoice", PUBLISHED, *options, "atlas-freigt")
    assert "owes nothing here: did you mean `atlas-freight`?" in misspelt.stderr
    early = in_process("invoice", PUBLISHED, *options, "atlas-freight", "--to", "2020-01-01")
    assert "customer atlas-freight owes nothing here\n" in early.stderr
    assert json.loads(early.stdout) == {"invoices": []}


@pytest.mark.parametrize(
    "command",
    [["invoice", PUBLISHED], ["explain", METER, PUBLISHED, "--customer", "atlas-freight"]],
    ids=lambda c: c[0],
)
def test_rows_that_are_billed_to_nobody_are_said(command: list[str]) -> None:
    """`run` has a table of them; beside an invoice a line says it, where no program reads it."""
    said = in_process(*command, "--events", EVENTS).stderr
    assert "15 of 4055 rows rejected, in no number: duration_ms is not an integer (3)" in said
    assert "1 event id with rows of different content, of which one counts" in said


def test_invoices_add_up() -> None:
    done = meterspec("invoice", PUBLISHED, "--events", EVENTS, "--customer", "atlas-freight", "--format", "json")
    invoices = json.loads(done.stdout)["invoices"]
    assert [invoice["amount"] for invoice in invoices] == ["515.38", "565.88", "627.85"]
    assert {invoice["customer_id"] for invoice in invoices} == {"atlas-freight"}


def test_explain_a_rule_by_code_and_by_name() -> None:
    assert meterspec("explain", "MS201").stdout == meterspec("explain", "unknown-family").stdout
    assert "which is not declared" not in meterspec("explain", "MS201").stdout
    assert "Reported:" in meterspec("explain", "MS201").stdout


def test_explain_a_change() -> None:
    said = meterspec("explain", "MD301").stdout
    assert said == meterspec("explain", "tier-price-raised").stdout
    assert "Before:" in said and "After:" in said and "MD302" in said


def test_diff_says_what_a_change_means(tmp_path: Path) -> None:
    dearer = tmp_path / "meterspec.toml"
    dearer.write_text(Path(PUBLISHED).read_text(encoding="utf-8").replace("0.45", "0.50"), encoding="utf-8")
    done = meterspec("diff", PUBLISHED, str(dearer), "--format", "json", "--fail-on", "breaking")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    (change,) = document["changes"]
    assert {key: change[key] for key in ("code", "impact", "affects", "subject", "path", "before", "after")} == {
        "code": "MD301",
        "impact": "breaking",
        "affects": "invoices",
        "subject": METER,
        "path": "billing.tiers[0].unit_amount",
        "before": "0.45",
        "after": "0.50",
    }
    assert document["summary"] == {"breaking": 1, "review": 0, "safe": 0}
    assert meterspec("diff", str(dearer), PUBLISHED, "--fail-on", "breaking").returncode == 0


def test_diff_is_silent_on_comments_and_layout(tmp_path: Path) -> None:
    same = tmp_path / "meterspec.toml"
    text = Path(PUBLISHED).read_text(encoding="utf-8")
    same.write_text("# A comment.\n" + text.replace("0.30", "0.300").replace(" = ", "  =  "), encoding="utf-8")
    done = meterspec("diff", PUBLISHED, str(same), "--format", "json", "--fail-on", "safe")
    assert (done.returncode, json.loads(done.stdout)["changes"]) == (0, [])


def test_what_explain_shows_of_a_spec_commands_no_terminal(tmp_path: Path) -> None:
    name = f'name = "{METER}"\n'
    text = Path(PUBLISHED).read_text()
    assert text.count(name) == 1
    (tmp_path / "meterspec.toml").write_text(text.replace(name, name + 'description = "a\\u001b[31m\\nb"\n'))
    said = meterspec("explain", METER, str(tmp_path)).stdout
    assert said.startswith(f"{METER}: a\\x1b[31m b\n")


def test_explain_a_meter_from_field_to_view() -> None:
    said = meterspec("explain", METER, PUBLISHED).stdout
    for word in (
        "duration_ms (integer)",
        "duration_ms / 3600000.0",
        "SUM",
        "billing_cycle",
        "agent_hours_billing.quantity",
    ):
        assert word in said


def test_the_sample_reads_well(snapshot: object) -> None:
    run = meterspec("run", PUBLISHED, "--events", EVENTS)
    invoice = meterspec("invoice", PUBLISHED, "--events", EVENTS)
    assert f"{run.stdout}\n{run.stderr}\n{invoice.stdout}" == snapshot


def test_every_command_has_help_with_two_examples() -> None:
    new = ("test", "init", "fmt", "schema", "completions")
    for command in ("validate", "compile", "run", "invoice", "price", "diff", "explain", *new):
        done = meterspec(command, "--help")
        assert done.returncode == 0
        assert done.stdout.count(f"meterspec {command}") >= 3, done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m meterspec run {PUBLISHED} --events {EVENTS} --format json | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema", "validate --format json broken.toml"])
def test_output_that_does_not_fit_on_the_disk_is_no_success(folder: Path, command: str, unbuffered: str) -> None:
    """The first write takes a part and says so; unless it is asked for the rest, the rest is lost without a word."""
    (folder / "broken.toml").write_text("a = \n" * 9, encoding="utf-8")
    limited = ["bash", "-c", f'ulimit -f 1; exec "{sys.executable}" -m meterspec {command}']
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with (folder / "out").open("wb") as file:
        done = subprocess.run(limited, cwd=folder, stdout=file, stderr=subprocess.PIPE, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == b"error[MS011]: `standard output` cannot be written: File too large"
    assert b"Traceback" not in done.stderr


def test_a_disk_without_room_for_what_the_engine_keeps_is_said_with_the_way_out() -> None:
    on_disk = "from meterspec.events import sources; sources._LARGE = 0; from meterspec.cli import app; app()"
    limited = f'ulimit -f 8; exec "{sys.executable}" -c "{on_disk}" run {PUBLISHED} --events {EVENTS}'
    done = subprocess.run(["bash", "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    first, hint = done.stderr.splitlines()
    assert first.startswith("error[MS708]: the engine could not finish: ")
    assert hint == "  = help: free some disk space, or let TMPDIR name a folder on a larger disk"


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_command_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path, asked: signal.Signals) -> None:
    """The engine has its folder by then, and the rejected rows a file without a name yet."""
    temporary, kept = tmp_path / "temporary", tmp_path / "kept"
    temporary.mkdir()
    kept.mkdir()
    events = tmp_path / "events.jsonl"
    events.write_text((SAMPLE / "events.jsonl").read_text(encoding="utf-8") * 100, encoding="utf-8")
    command = [sys.executable, "-m", "meterspec", "run", PUBLISHED, "--events", str(events)]
    command += ["--rejects", str(kept / "rejects.jsonl"), "--out", str(kept / "results.json")]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as process:
        while not any(temporary.iterdir()):
            assert process.poll() is None, "it ended too early"
            time.sleep(0.01)
        process.send_signal(asked)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "interrupted: nothing was written\n")
    assert [*temporary.iterdir(), *kept.iterdir()] == []


def test_an_event_of_the_far_future_is_named(tmp_path: Path) -> None:
    event = json.loads(Path(EVENTS).read_text(encoding="utf-8").splitlines()[0])
    events = tmp_path / "e.jsonl"
    events.write_text(json.dumps({**event, "completed_at": "9999-12-31T23:59:59Z"}) + "\n", encoding="utf-8")
    done = meterspec("run", PUBLISHED, "--events", str(events))
    assert done.returncode == 2
    assert "MS707" in done.stderr and "Traceback" not in done.stderr


def test_text_of_an_event_never_commands_the_terminal(tmp_path: Path) -> None:
    event = {
        "agent_run_id": "r1",
        "completed_at": "2026-01-05T10:00:00Z",
        "customer_id": "\u001b[31mred\u202e\u0007",
        "duration_ms": 3_600_000,
        "energy_joules": 1,
        "grid_intensity_g_per_kwh": 1,
        "carbon_g": 1,
    }
    events = tmp_path / "e.jsonl"
    events.write_text(json.dumps(event) + "\n", encoding="utf-8")
    for command in ("run", "invoice"):
        said = meterspec(command, PUBLISHED, "--events", str(events)).stdout
        assert "\\x1b[31mred\\u202e\\x07" in said
        assert "\x1b" not in said and "\u202e" not in said
