"""Random specs on random nasty event files: `run` gives what the reference evaluator gives, row by row."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterspec.diagnostics import Diagnostics
from meterspec.events import find
from meterspec.run import run
from tests.corpus import check_text
from tests.random_specs import FAMILY, LONG_WINDOWS, WINDOWS, cycles, event, spec
from tests.reference import json_rows, quality, quantities, read
from tests.shrinking import Case, shown, shrunk

Range = tuple[datetime, datetime] | None


def difference(case: Case, between: Range, fill: bool, folder: Path) -> tuple[str, str] | None:
    """What differs between `run` and the reference, and how; None where nothing does, or the case does not compile."""
    program, _ = check_text(case.text)
    if program is None:
        return None
    path = folder / "events.jsonl"
    lines = [json.dumps(one) for one in case.events]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    family = program.family("test.event")
    expected = read(family, json_rows(lines))
    out = Diagnostics()
    try:
        done = run(program, find(program, [str(path)]), out, cycles=list(case.cycles), fill=fill, between=between)
    except Exception as error:
        return type(error).__name__, str(error)
    if list(out):
        return "findings", "\n".join(one.message for one in out)
    (counted,) = quality([expected])
    if (own := {name: getattr(done.quality[0], name) for name in counted}) != counted:
        return "quality", f"run has {own}\nthe reference {counted}"
    if done.as_of is None:
        return "as of", "run has none"
    for one in program.meters:
        of = {family.name: expected.events}
        wanted = quantities(program, one, of, as_of=done.as_of, cycles=list(case.cycles), range=between, fill=fill)
        found = [
            (r.window_start, r.window_end, tuple(v for _, v in r.group), r.quantity, r.events)
            for r in done.results
            if r.meter == one.name
        ]
        if found != [tuple(row) for row in wanted]:
            return one.name, f"run has {found}\nthe reference {[tuple(row) for row in wanted]}"
    return None


@pytest.mark.parametrize("seed", range(80))
def test_every_row_is_that_of_the_reference(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    fill = draw.random() < 0.3
    made = spec(draw, 8, LONG_WINDOWS if fill else WINDOWS)
    events = [event(draw) for _ in range(120)]
    events += draw.sample(events, 15)
    own_cycles = cycles(draw)
    start = datetime(2026, draw.randint(1, 2), draw.randint(1, 28), tzinfo=UTC)
    between = (start, start + timedelta(days=draw.randint(1, 60))) if draw.random() < 0.2 else None
    case = Case(FAMILY, made.meters, tuple(events), tuple(own_cycles))
    first = difference(case, between, fill, tmp_path)
    if first is None:
        return
    where = first[0]

    def differs(smaller: Case) -> bool:
        found = difference(smaller, between, fill, tmp_path)
        return bool(smaller.events) and found is not None and found[0] == where

    small = shrunk(case, differs, 300)
    again = difference(small, between, fill, tmp_path)
    assert again is not None
    options = f"fill: {fill}, range: {between and [one.isoformat() for one in between]}"
    pytest.fail(f"seed {seed}, {again[0]}: {again[1]}\n{shown(small)}\n--- {options}", pytrace=False)
