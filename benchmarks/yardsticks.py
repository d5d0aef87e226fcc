"""Programs to compare with, each run as `python -m benchmarks.yardsticks NAME ...`: what others need for the same."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from pathlib import Path

import tomli

from benchmarks.specs import expressions

__all__ = ["YARDSTICKS"]

Check = Callable[[str, str], object]
"""Reads the filter and the value of a meter."""


def cel_expr_python() -> Check:
    """cel-cpp, as Google's wheel brings it to Python: parses and checks."""
    from cel_expr_python import cel  # type: ignore[import-untyped]  # noqa: PLC0415

    texts = {"status": cel.Type.STRING, "region": cel.Type.STRING}
    # CEL itself divides no int by a double: where a filter sees ints, a value sees doubles.
    ints = cel.NewEnv(variables={"duration_ms": cel.Type.INT, "queued_ms": cel.Type.INT, **texts})
    doubles = cel.NewEnv(variables={"duration_ms": cel.Type.DOUBLE, "queued_ms": cel.Type.DOUBLE, **texts})
    return lambda kept, value: (ints.compile(kept), doubles.compile(value))


def cel_python() -> Check:
    """celpy, in Python: parses; it has no checker."""
    from celpy.celparser import CELParser  # noqa: PLC0415

    parser = CELParser()
    return lambda kept, value: (parser.parse(kept), parser.parse(value))


def meterspec() -> Check:
    """Ours: parses, checks, and proves that nothing is missing, zero or always the same."""
    from meterspec import cel  # noqa: PLC0415
    from meterspec.diagnostics import Diagnostics  # noqa: PLC0415
    from meterspec.source import Place, Source  # noqa: PLC0415

    numbers = {"duration_ms": Decimal(86_400_000), "queued_ms": Decimal(10_000_000)}
    environment = {
        **{name: cel.Variable(name, cel.Type.INT, low=Decimal(0), high=high) for name, high in numbers.items()},
        "status": cel.Variable("status", cel.Type.STRING, values=("ok", "failed", "cancelled")),
        "region": cel.Variable("region", cel.Type.STRING, nullable=True),
    }
    at, out = Place(Source("", "")), Diagnostics()

    def check(kept: str, value: str) -> None:
        condition = cel.check(kept, environment, at, out, want=(cel.Type.BOOL,))
        number = cel.check(value, environment, at, out, want=(cel.Type.INT, cel.Type.DECIMAL))
        assert condition and number and not out.found

    return check


def parse_and_check(prepare: Callable[[], Check], count: int) -> None:
    """Prints the processor seconds that so many expressions take, the imports and the first two not counted."""
    pairs = list(islice(expressions(count // 2 + 1), 1, None))
    check = prepare()
    check(*next(expressions(1)))
    begin = time.process_time()
    for kept, value in pairs:
        check(kept, value)
    sys.stdout.write(f"{time.process_time() - begin}\n")


def read(file: str, check: Check | None = None) -> None:
    """Reads a spec with tomli, and where there is a check, every filter and value of its meters."""
    document = tomli.loads(Path(file).read_text(encoding="utf-8"), parse_float=Decimal)
    for meter in document["meters"] if check else ():
        assert check
        check(meter["filter"], meter["aggregate"]["value"])


YARDSTICKS: dict[str, Callable[[str], None]] = {
    "tomli": read,
    "tomli+cel-expr-python": lambda file: read(file, cel_expr_python()),
    "cel-expr-python": lambda count: parse_and_check(cel_expr_python, int(count)),
    "cel-python": lambda count: parse_and_check(cel_python, int(count)),
    "meterspec": lambda count: parse_and_check(meterspec, int(count)),
}

if __name__ == "__main__":
    gc.disable()  # as meterspec does for itself: nobody pays for collecting cycles
    YARDSTICKS[sys.argv[1]](sys.argv[2])
