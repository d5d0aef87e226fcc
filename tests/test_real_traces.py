"""Real traces become events: nothing is lost, nothing is altered, and what is made up is the same every time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import tomli

from meterspec.diagnostics import Diagnostics
from meterspec.events import find
from meterspec.run import run
from tests.conftest import ROOT
from tests.corpus import check_file
from tests.real_traces import LLM_SPEC, TRACES, convert, llm_events, needs_traces
from tests.reference import json_rows, quantities, read

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def test_a_row_becomes_an_event_with_its_time_as_it_stands(tmp_path: Path) -> None:
    trace = tmp_path / "AzureLLMInferenceTrace_code.csv"
    trace.write_text(HEADER + "2023-11-16 18:17:03.9799600,4808,10\n", encoding="utf-8")
    convert([trace], tmp_path / "events.jsonl").check_returncode()
    assert json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8")) == {
        "request_id": "code-1",
        "requested_at": "2023-11-16 18:17:03.9799600",
        "customer_id": "north",
        "workload": "code",
        "context_tokens": 4808,
        "generated_tokens": 10,
    }


def test_a_bad_number_passes_as_it_stands_for_meterspec_to_reject(tmp_path: Path) -> None:
    trace = tmp_path / "conv.csv"
    trace.write_text(HEADER + "2023-11-16 18:17:03.9799600,n/a,-1\n", encoding="utf-8")
    convert([trace], tmp_path / "events.jsonl").check_returncode()
    event = json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8"))
    assert (event["context_tokens"], event["generated_tokens"]) == ("n/a", "-1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "begins with ``, a trace begins with `TIMESTAMP,ContextTokens,GeneratedTokens`"),
        ("time,tokens\n1,2\n", "begins with `time,tokens`"),
        (HEADER + "2023-11-16 18:17:03.9799600,4808\n", "row 1 of {trace} has 2 cells, a trace has 3"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_trace_is_named(tmp_path: Path, content: str | None, says: str) -> None:
    trace = tmp_path / "trace.csv"
    if content is not None:
        trace.write_text(content, encoding="utf-8")
    ended = convert([trace], tmp_path / "events.jsonl")
    assert ended.returncode == 2
    assert says.format(trace=trace) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "events.jsonl").exists()


def test_two_files_of_one_name_would_share_ids(tmp_path: Path) -> None:
    ended = convert([tmp_path / "monday_code.csv", tmp_path / "tuesday_code.csv"], tmp_path / "events.jsonl")
    assert ended.returncode == 2
    assert "different requests the same ids" in ended.stderr


@needs_traces
def test_the_traces_lose_no_request(tmp_path: Path) -> None:
    rows = [line for trace in sorted(TRACES.glob("*.csv")) for line in trace.read_text("utf-8").split()[1:]]
    events = [json.loads(line) for line in llm_events(tmp_path).read_text("utf-8").splitlines()]
    assert len({event["request_id"] for event in events}) == len(events) == 28_185
    # `split` parts a row at the blank between its date and its time.
    assert [f"{e['requested_at']},{e['context_tokens']},{e['generated_tokens']}" for e in events] == [
        f"{date} {rest}" for date, rest in zip(rows[::2], rows[1::2], strict=True)
    ]


@needs_traces
def test_every_request_is_within_the_bounds_of_the_spec(tmp_path: Path) -> None:
    fields = tomli.loads(LLM_SPEC.read_text("utf-8"))["families"][0]["schema"]
    for line in llm_events(tmp_path).read_text("utf-8").splitlines():
        event = json.loads(line)
        assert event["workload"] in fields["workload"]["values"]
        for name in ("context_tokens", "generated_tokens"):
            assert fields[name]["min"] <= event[name] <= fields[name]["max"]


@needs_traces
def test_the_readme_says_what_each_customer_used(tmp_path: Path) -> None:
    requests: Counter[str] = Counter()
    tokens: Counter[tuple[str, str]] = Counter()
    for line in llm_events(tmp_path).read_text("utf-8").splitlines():
        event = json.loads(line)
        requests[event["customer_id"]] += 1
        tokens[event["customer_id"], "input"] += event["context_tokens"]
        tokens[event["customer_id"], "output"] += event["generated_tokens"]
    used = [
        f"| {customer} | {count} | {Decimal(tokens[customer, 'input']) / 1000:.3f} "
        f"| {Decimal(tokens[customer, 'output']) / 1000:.3f} |"
        for customer, count in requests.most_common()
    ]
    readme = LLM_SPEC.with_name("README.md").read_text("utf-8")
    assert readme.rstrip().splitlines()[-len(used) :] == used


@needs_traces
def test_every_number_of_the_traces_is_that_of_the_reference(tmp_path: Path) -> None:
    program, _ = check_file(LLM_SPEC)
    assert program is not None
    events = llm_events(tmp_path)
    (family,) = program.families
    out = Diagnostics()
    done = run(program, find(program, [str(events)]), out)
    assert not list(out)
    assert done.as_of is not None
    read_events = {family.name: read(family, json_rows(events.read_text("utf-8").splitlines())).events}
    for meter in program.meters:
        expected = quantities(program, meter, read_events, as_of=done.as_of)
        found = [
            (r.window_start, r.window_end, tuple(v for _, v in r.group), r.quantity, r.events)
            for r in done.results
            if r.meter == meter.name
        ]
        assert found == [(r.window_start, r.window_end, r.group, r.quantity, r.events) for r in expected]


@needs_traces
def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "real-traces.md").read_text("utf-8")
    shown = re.findall(r"<!-- traces: (.+?) -->\n```text\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    events = llm_events(tmp_path)
    for command, printed in shown:
        name, *options = command.split()
        arguments = [sys.executable, "-m", "meterspec", name, str(LLM_SPEC), "--events", str(events), *options]
        done = subprocess.run(arguments, capture_output=True, encoding="utf-8", check=False)
        assert done.stdout.strip("\n") == printed.strip("\n"), done.stderr
