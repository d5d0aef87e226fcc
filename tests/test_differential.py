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
from tests.random_specs import LONG_WINDOWS, WINDOWS, cycles, event, spec
from tests.reference import json_rows, quality, quantities, read


@pytest.mark.parametrize("seed", range(80))
def test_every_row_is_that_of_the_reference(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    fill = draw.random() < 0.3
    made = spec(draw, 8, LONG_WINDOWS if fill else WINDOWS)
    lines = [json.dumps(event(draw)) for _ in range(120)]
    lines += draw.sample(lines, 15)
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    family = made.program.family("test.event")
    expected = read(family, json_rows(lines))
    own_cycles = cycles(draw)
    start = datetime(2026, draw.randint(1, 2), draw.randint(1, 28), tzinfo=UTC)
    between = (start, start + timedelta(days=draw.randint(1, 60))) if draw.random() < 0.2 else None
    out = Diagnostics()
    files = find(made.program, [str(path)])
    done = run(made.program, files, out, cycles=own_cycles, fill=fill, between=between)
    assert not list(out)
    (counted,) = quality([expected])
    assert {name: getattr(done.quality[0], name) for name in counted} == counted
    assert done.as_of is not None
    for one in made.program.meters:
        wanted = quantities(
            made.program,
            one,
            {family.name: expected.events},
            as_of=done.as_of,
            cycles=own_cycles,
            range=between,
            fill=fill,
        )
        found = [
            (r.window_start, r.window_end, tuple(v for _, v in r.group), r.quantity, r.events)
            for r in done.results
            if r.meter == one.name
        ]
        assert found == [tuple(row) for row in wanted], f"seed {seed}, {one.name}\n{made.text}"
