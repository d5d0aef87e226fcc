"""`seal` as its users meet it, and what the other commands make of a store."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.test_cli import meterspec

GATEWAY = ROOT / "docs" / "examples" / "gateway"
RUNS = ROOT / "examples" / "agent-runs"
PUBLISHED = str(FIXTURES / "valid" / "published_long.toml")
LATE = [
    {"event_id": "e1", "event_time": "2026-01-05T10:00:00Z", "customer_id": "acme", "status": 200, "region": "eu"},
    {"event_id": "e5", "event_time": "2026-01-31T23:00:00Z", "customer_id": "acme", "status": 200, "bytes": 5},
    {"event_id": "e9", "event_time": "2026-01-10T09:00:00Z", "customer_id": "birch", "status": 200, "bytes": 1},
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the page about sealing."""
    for path in GATEWAY.iterdir():
        shutil.copy(path, tmp_path)
    late = [LATE[0] | {"bytes": 1500000000}, *LATE[1:]]
    (tmp_path / "late.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in late), encoding="utf-8")
    return tmp_path


def test_the_session_on_the_page_is_what_happens(project: Path) -> None:
    page = (ROOT / "docs" / "seal.md").read_text(encoding="utf-8")
    (session,) = re.findall(r"<!-- session -->\n```console\n(.*?)```", page, re.DOTALL)
    for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, printed = step.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "meterspec"
        done = meterspec(*arguments, cwd=project)
        assert (done.stderr + done.stdout).strip("\n") == printed.strip("\n"), command


@pytest.mark.parametrize("events", ["events.jsonl", "events.parquet"])
@pytest.mark.parametrize("command", ["run", "invoice"])
def test_a_store_answers_to_the_byte_as_its_files_do(events: str, command: str, tmp_path: Path) -> None:
    path, store, rejects = RUNS / events, tmp_path / "sealed", tmp_path / "rejects.jsonl"
    assert meterspec("seal", str(path), "--into", str(store), "--spec", str(RUNS)).returncode == 0
    options = ["--rejects", str(rejects)] if command == "run" else []
    answers = []
    for source in (path, store):
        done = meterspec(command, str(RUNS), "--events", str(source), "--format", "json", *options)
        answers.append((done.returncode, done.stdout, done.stderr, rejects.read_bytes() if options else b""))
    assert answers[0] == answers[1]
    assert answers[0][0] == 0


def test_counts_as_a_document(project: Path) -> None:
    meterspec("seal", "events.jsonl", "--into", "sealed", cwd=project)
    done = meterspec("seal", "late.jsonl", "events.jsonl", "--into", "sealed", "--format", "json", cwd=project)
    assert json.loads(done.stdout) == {
        "store": "sealed",
        "families": [
            {
                "family": "api.call",
                "sealed": ["late.jsonl"],
                "sealed_before": ["events.jsonl"],
                "superseded": 1,
                "batch": {"read": 3, "accepted": 1, "duplicates": 2, "conflicts": 1, "rejected": 0, "reasons": {}},
                "store": {
                    "read": 13,
                    "accepted": 7,
                    "duplicates": 4,
                    "conflicts": 2,
                    "rejected": 2,
                    "reasons": {"missing bytes": 1, "region not one of its values": 1},
                },
            }
        ],
    }


CANNOT = [
    (["seal", "events.jsonl"], "--into"),
    (["seal", "--into", "sealed"], "FILES"),
    (["seal", "nowhere.jsonl", "--into", "sealed"], "MS700"),
    (["seal", "events.jsonl", "--into", "."], "MS750"),
    (["seal", "events.jsonl", "--into", "late.jsonl"], "MS011"),
    (["seal", "events.jsonl", "--into", "sealed", "--spec", PUBLISHED], "MS702"),
    (["seal", "events.jsonl", "--into", "sealed", "--spec", "nowhere.toml"], "MS001"),
    (["run", "--events", "sealed"], "MS700"),
]


@pytest.mark.parametrize(("arguments", "words"), CANNOT, ids=[" ".join(arguments[:4]) for arguments, _ in CANNOT])
def test_what_cannot_be_done_is_said_and_leaves_no_numbers(arguments: list[str], words: str, project: Path) -> None:
    done = meterspec(*arguments, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(project.rglob("*.parquet")) == []


def test_without_the_engine_sealing_says_what_to_install(project: Path) -> None:
    program = (
        "import sys\nsys.modules['duckdb'] = None\n"
        "sys.argv = ['meterspec', 'seal', 'events.jsonl', '--into', 'sealed']\n"
        "from meterspec.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "MS012" in done.stderr
    assert not (project / "sealed").exists()
