"""Turns the Azure LLM inference traces into events: `python convert.py FILE.csv... [--out events.jsonl]`.

A trace has a time and two numbers of tokens in each row, and neither an id nor a customer. The id is made of the file's
name and the row's number, the customer of the row's number alone, so the same files give the same events every time.
Times and numbers pass as they stand; whether they are any good is for meterspec to say.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

HEADER = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
CUSTOMERS = 5 * ["north"] + 3 * ["east"] + ["south", "west"]
"""Row by row in turn: of ten requests, north sends five, east three, south and west one each."""


def workload_of(trace: Path) -> str:
    """The last word of the file's name: `code` of `AzureLLMInferenceTrace_code.csv`."""
    return trace.stem.rpartition("_")[2]


def events(trace: Path) -> Iterator[dict[str, str | int]]:
    """The events of one trace. ValueError where the file is not one."""
    workload = workload_of(trace)
    with trace.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text)
        header = next(rows, [])
        if header != HEADER:
            raise ValueError(f"{trace} begins with `{','.join(header)}`, a trace begins with `{','.join(HEADER)}`")
        for number, row in enumerate(filter(None, rows), start=1):
            if len(row) != len(HEADER):
                raise ValueError(f"row {number} of {trace} has {len(row)} cells, a trace has {len(HEADER)}")
            time, context, generated = row
            yield {
                "request_id": f"{workload}-{number}",
                "requested_at": time,
                "customer_id": CUSTOMERS[(number - 1) % len(CUSTOMERS)],
                "workload": workload,
                "context_tokens": count(context),
                "generated_tokens": count(generated),
            }


def count(cell: str) -> int | str:
    """A whole number as a number; anything else as the text it is, for meterspec to reject."""
    return int(cell) if cell.isdecimal() else cell


def main() -> None:
    parser = argparse.ArgumentParser(description="Turns Azure LLM inference traces into events.")
    parser.add_argument("traces", nargs="+", type=Path, metavar="FILE.csv")
    parser.add_argument("--out", type=Path, default=Path("events.jsonl"), help="where the events go: %(default)s")
    arguments = parser.parse_args()
    if len({workload_of(trace) for trace in arguments.traces}) < len(arguments.traces):
        parser.error("two files end in the same word, and would give different requests the same ids")
    try:
        lines = [json.dumps(event) + "\n" for trace in arguments.traces for event in events(trace)]
        arguments.out.write_text("".join(lines), encoding="utf-8", newline="\n")
    except (OSError, ValueError) as problem:
        parser.exit(2, f"{parser.prog}: {problem}\n")


if __name__ == "__main__":
    main()
