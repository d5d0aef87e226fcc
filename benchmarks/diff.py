"""`python -m benchmarks.diff`: two specs over the same events in one diff, beside running and pricing each by hand.

The specs are those of `benchmarks.meters` with three billing meters; the one after has a higher price, another filter
and one meter more. By hand is what a person would do with the commands at hand: `invoice` and `run` of each spec, and a
comparison of what they print. Both give the same differences, or the figures are not printed. `--gate` exits with 1
where the diff takes longer than by hand.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.meters import SPEC, generate
from meterspec.diagnostics import Diagnostics
from meterspec.diff import diff, renamed
from meterspec.invoicing import invoice
from meterspec.ir import Program
from meterspec.money import compare
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.run import run
from meterspec.store import find

__all__ = ["main"]

METERS = """
[[meters]]
name = "tokens"
kind = "billing"
filter = "status == 'ok'"
source = { kind = "family", family = "llm.call" }
aggregate = { fn = "SUM", value = "tokens_in + tokens_out", window = "billing_cycle", group_by = ["customer_id"] }
[meters.billing]
model = "usage"
currency = "USD"
included_units = 100000
tiers = [{ up_to = 10_000_000, unit_amount = 0.000002 }, { up_to = "infinity", unit_amount = 0.0000015 }]

[[meters]]
name = "hours"
kind = "billing"
source = { kind = "family", family = "llm.call" }
aggregate = { fn = "SUM", value = "duration_ms / 3600000.0", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "combined", currency = "USD", base_fee = 20, unit_amount = 0.45 }

[[meters]]
name = "calls"
source = { kind = "family", family = "llm.call" }
aggregate = { fn = "COUNT", window = "month", group_by = ["customer_id"] }

[[meters]]
name = "slow"
filter = "duration_ms > 60000"
source = { kind = "family", family = "llm.call" }
aggregate = { fn = "COUNT", window = "month", group_by = ["customer_id"] }
"""
BEFORE = SPEC + METERS
AFTER = BEFORE.replace("0.000002 ", "0.0000025 ").replace("> 60000", "> 45000").replace("= 0.45", "= 0.40")

Amounts = dict[tuple[object, ...], Decimal]


def program(text: str) -> Program:
    out = Diagnostics()
    made = load([SpecFile("benchmark.toml", text.encode())], out)
    assert made is not None, list(out)
    return made


def by_diff(before: Program, after: Program, events: Sequence[str]) -> Amounts:
    """What differs, as the diff finds it."""
    out = Diagnostics()
    money = compare(before, after, events, out, renamed=renamed(diff(before, after)), dimensions={})
    assert not out.has_errors
    found: Amounts = {(one.customer, one.start): one.difference for one in money.invoices if one.difference}
    for numbers in money.numbers:
        for one in numbers.moved:
            found[numbers.meter, *one.window, one.group] = (one.after or Decimal(0)) - (one.before or Decimal(0))
    return found


def by_hand(before: Program, after: Program, events: Sequence[str]) -> Amounts:
    """What differs, found with a run and the invoices of each spec."""
    sides: list[Amounts] = []
    for spec in (before, after):
        out = Diagnostics()
        reported = [meter.name for meter in spec.meters if meter.price is None]
        found: Amounts = {
            (one.customer, one.start): one.amount for one in invoice(spec, find(spec, events), out).invoices
        }
        for one in run(spec, find(spec, events), out, meters=reported).results:
            found[one.meter, one.window_start, one.window_end, one.group] = one.quantity or Decimal(0)
        sides.append(found)
    keys = dict.fromkeys([*sides[0], *sides[1]])
    moved = {key: sides[1].get(key, Decimal(0)) - sides[0].get(key, Decimal(0)) for key in keys}
    return {key: amount for key, amount in moved.items() if amount}


def timed(work: Callable[[], Amounts]) -> tuple[float, Amounts]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--gate", action="store_true")
    options = parser.parse_args(arguments)
    before, after = program(BEFORE), program(AFTER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        generate(path, options.events)
        best = {"diff": float("inf"), "by hand": float("inf")}
        for _ in range(options.turns):
            answers = []
            for name, work in (("diff", by_diff), ("by hand", by_hand)):
                seconds, found = timed(partial(work, before, after, [str(path)]))
                best[name] = min(best[name], seconds)
                answers.append(found)
            if answers[0] != answers[1]:
                sys.stderr.write("the diff and the work by hand find other differences\n")
                return 2
    ratio = best["diff"] / best["by hand"]
    sys.stdout.write(
        f"{options.events} events, {len(answers[0])} differences: diff {best['diff']:.2f} s, "
        f"by hand {best['by hand']:.2f} s, ratio {ratio:.2f}\n"
    )
    return 1 if options.gate and ratio > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
