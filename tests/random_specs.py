"""Random specs and random nasty events, for comparing what engines compute with the reference evaluator."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meterspec.backends.sql import check
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from tests.corpus import check_text

FAMILY = """\
[[families]]
name = "test.event"
event_id_field = "id"
event_time_field = "at"
schema.n = { type = "integer", required = true, min = -1000000, max = 1000000 }
schema.m = { type = "integer", required = true, min = 1, max = 5000 }
schema.d = { type = "decimal", required = true, precision = 9, scale = 3 }
schema.f = { type = "float", required = true, scale = 4, min = -1000, max = 1000 }
schema.o = { type = "integer", min = -9, max = 9 }
schema.s = { type = "string", required = true, values = ["ok", "failed", "Ünïcode ☃"] }
schema.t = { type = "string" }
schema.b = { type = "boolean", required = true }
schema.w = { type = "timestamp", required = true }
"""
FUNCTIONS = ["COUNT", "SUM", "SUM", "AVG", "MIN", "MAX", "FIRST", "LAST", "UNIQUE"]
NUMBERS = ["n", "m", "d", "f", "1", "7", "-3", "0.5", "2.25", "1000.0", "3600000.0", "(has(o) ? o : 0)", "size(s)"]
CONDITIONS = [
    *("s == 'ok'", "s != 'failed'", "t == 'x'", "t != 'x'", "!(t == 'x')", "t == null", "o != null", "b", "!b"),
    *("s in ['ok', 'Ünïcode ☃']", "t in ['x', 'y']", "!(t in ['x'])", "has(o) && o > 3", "!has(o) || o % 2 == 0"),
    *("s.startsWith('o')", "s.contains('ï')", "s.endsWith('ed')", "s.matches('^f.*d$')", "size(s) > 5", "s < 'ok'"),
    *("has(t) && t.upperAscii() == 'X'", "at.getHours() < 12", "at.getDayOfWeek() == 0", "at.getMonth() > 0"),
    *("w - at > duration('1h')", "at + duration('90m') < w", "at > timestamp('2026-02-01T00:00:00Z')", "o == n"),
    *("at.getHours('Europe/Berlin') < 8", "at.getDate('Asia/Kathmandu') > 15", "w.getDayOfWeek('+05:30') == 1"),
    *("at.getMonth('America/St_Johns') == 1", "at.getDayOfYear('Pacific/Auckland') > 60"),
    *("at.getMilliseconds() > 500", "at.getDayOfYear() < 40", "at.getDate() == 31", "w.getFullYear() > 2025"),
]
WINDOWS = [
    *('"billing_cycle"', '"minute"', '"hour"', '"day"', '"week"', '"month"', '"quarter"', '"year"', '"15m"', '"6h"'),
    *('"7d"', '{ kind = "rolling", duration = "30d" }', '{ kind = "rolling", duration = "2 months" }'),
    '{ kind = "lifetime" }',
    '{ kind = "calendar", unit = "day", timezone = "Europe/Berlin" }',
    '{ kind = "calendar", unit = "month", timezone = "America/New_York" }',
    '{ kind = "calendar", unit = "hour", timezone = "Asia/Kolkata" }',
    '{ kind = "calendar", unit = "week", timezone = "Pacific/Auckland" }',
    '{ kind = "calendar", unit = "hour", timezone = "Europe/London" }',
    '{ kind = "rolling", duration = "1 month", timezone = "America/Sao_Paulo" }',
    '{ kind = "rolling", duration = "3d", every = "day" }',
    '{ kind = "rolling", duration = "36h", every = "week", timezone = "Europe/Berlin" }',
    '{ kind = "rolling", duration = "2 months", every = "month", timezone = "Australia/Sydney" }',
]
LONG_WINDOWS = [window for window in WINDOWS if not any(word in window for word in ("minute", "hour", "15m", "6h"))]
"""Windows of which a few months have not too many: a value that is held is in all of them."""


@dataclass(frozen=True)
class Spec:
    """A random spec that the checker accepts: `FAMILY`, and meters."""

    meters: tuple[str, ...]
    program: Program

    @property
    def text(self) -> str:
        return "\n".join([FAMILY, *self.meters])


def value(draw: random.Random, depth: int = 3) -> str:
    """A number expression."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(NUMBERS)
    left, right = value(draw, depth - 1), value(draw, depth - 1)
    match draw.randrange(12):
        case 0 | 1 | 2:
            return f"({left} {draw.choice('+-')} {right})"
        case 3 | 4:
            return f"({left} * {right})"
        case 5:
            return f"({left} / {draw.choice(['3.0', '7.0', '3600000.0', '0.25', '-1000.0', '1e6'])})"
        case 6:
            return f"({left} / m)"
        case 7:
            return f"(n {draw.choice(['/', '%'])} m)"
        case 8:
            return f"math.{draw.choice(['least', 'greatest'])}({left}, {right})"
        case 9:
            return f"math.{draw.choice(['abs', 'ceil', 'floor', 'round'])}({left})"
        case 10:
            return f"({condition(draw)} ? {left} : {right})"
        case _:
            return f"-({left})"


def condition(draw: random.Random, depth: int = 2) -> str:
    """A condition."""
    if depth == 0 or draw.random() < 0.4:
        if draw.random() < 0.3:
            return f"{value(draw, 1)} {draw.choice(['<', '<=', '>', '>=', '==', '!='])} {value(draw, 1)}"
        return f"({draw.choice(CONDITIONS)})"
    left, right = condition(draw, depth - 1), condition(draw, depth - 1)
    return draw.choice([f"({left} && {right})", f"({left} || {right})", f"!({left})"])


def meter(draw: random.Random, number: int, windows: list[str]) -> str:
    function = draw.choice([*FUNCTIONS, "TIME_WEIGHTED"])
    held = function == "TIME_WEIGHTED"
    measured = draw.choice(["t", "s", "n", "b", "o", "s + 'x'"]) if function == "UNIQUE" else value(draw)
    window = draw.choice(LONG_WINDOWS if held else windows)
    by_customer = [["customer_id"], ["customer_id", "t"]]
    groups = draw.choice(
        by_customer if held and "billing" in window else [*by_customer, ["s", "b"], ["t", "o"], ["d"], []]
    )
    lines = [
        "[[meters]]",
        f'name = "m{number}"',
        f"precision = {draw.choice([0, 2, 6, 12])}",
        f'rounding = "{draw.choice(["half_up", "half_even", "up", "down"])}"',
        'source = { kind = "family", family = "test.event" }',
        f'aggregate.fn = "{function}"',
        f"aggregate.window = {window}",
        f"aggregate.group_by = {json.dumps(groups)}",
    ]
    if draw.random() < 0.7:
        lines.append(f"filter = '''{condition(draw)}'''")
    if function != "COUNT":
        lines.append(f"aggregate.value = '''{measured}'''")
    if held:
        lines.append(f'aggregate.per = "{draw.choice(["minute", "hour", "day", "week"])}"')
    return "\n".join(lines) + "\n"


def ratio(draw: random.Random, number: int, program: Program) -> str:
    """A ratio of two meters of the program with the same windows and groups, or of one with itself."""
    pairs = [
        (one.name, two.name)
        for one in program.meters
        for two in program.meters
        if one.aggregate
        and two.aggregate
        and (one.window, one.group_by) == (two.window, two.group_by)
        and {one.aggregate.function.value, two.aggregate.function.value}
        <= {"COUNT", "SUM", "AVG", "MAX", "TIME_WEIGHTED"}
    ]
    above, below = draw.choice(pairs)
    return "\n".join(
        [
            "[[meters]]",
            f'name = "m{number}"',
            f"precision = {draw.choice([0, 2, 6])}",
            f'rounding = "{draw.choice(["half_up", "half_even", "up", "down"])}"',
            f'source = {{ kind = "ratio", numerator = "{above}", denominator = "{below}" }}\n',
        ]
    )


def is_refused(program: Program, dialect: str | None) -> bool:
    """Whether a dialect cannot keep the meaning of a program."""
    out = Diagnostics()
    if dialect is not None:
        check(program, program.meters, dialect, out)
    return bool(out)


def spec(draw: random.Random, meters: int, windows: list[str] = WINDOWS, refused_by: str | None = None) -> Spec:
    """A random spec: of many random meters those that the checker takes; it refuses what may overflow, and more.

    With a dialect, those that it refuses are left out as well.
    """
    accepted: list[str] = []
    while len(accepted) < meters:
        candidate = meter(draw, len(accepted), windows)
        program, _ = check_text(FAMILY + candidate)
        if program is not None and not is_refused(program, refused_by):
            accepted.append(candidate)
    program, _ = check_text("\n".join([FAMILY, *accepted]))
    assert program is not None
    one_more = ratio(draw, len(accepted), program)
    with_ratio, _ = check_text("\n".join([FAMILY, *accepted, one_more]))
    if with_ratio is None or is_refused(with_ratio, refused_by):
        return Spec(tuple(accepted), program)
    return Spec((*accepted, one_more), with_ratio)


def instant(draw: random.Random) -> str:
    """An instant of early 2026; often right at the edge of a window."""
    edge = datetime(2026, draw.randint(1, 3), 1, draw.choice([0, 0, 6, 12]), tzinfo=UTC)
    spread = draw.choice([0, 1, -1, 500_000, 86_400_000_000, 3_600_000_000 * 24 * 29])
    at = edge + timedelta(microseconds=draw.choice([0, 1, -1, draw.randint(0, abs(spread) + 1)]) + spread)
    return at.isoformat().replace("+00:00", "Z")


def sound(draw: random.Random, ids: int = 60) -> dict[str, object]:
    """An event that keeps to the schema, with one of so many ids."""
    return {
        "id": f"e{draw.randint(0, ids)}",
        "at": instant(draw),
        "customer_id": draw.choice(["c1", "c2", "é", None]),
        "n": draw.choice([0, 1, -1, 1_000_000, -1_000_000, draw.randint(-1000, 1000)]),
        "m": draw.choice([1, 2, 3, 7, 5000]),
        "d": draw.choice(["0.000", "-2.5", "999999.999", "-999999.999", f"{draw.randint(-5000, 5000) / 8:.3f}"]),
        "f": draw.choice([0, -0.00005, 0.00005, 2.67495, -1000, 1000, draw.uniform(-10, 10)]),
        "o": draw.choice([None, -9, 0, 3, 4, 9]),
        "s": draw.choice(["ok", "failed", "Ünïcode ☃"]),
        "t": draw.choice([None, "x", "y", "", "X"]),
        "b": draw.random() < 0.5,
        "w": instant(draw),
    }


def event(draw: random.Random) -> dict[str, object]:
    """An event that mostly keeps to the schema."""
    row = sound(draw)
    if draw.random() < 0.05:
        row[draw.choice(list(row))] = draw.choice([None, "NaN", 1e300, "", True])
    return row


CUSTOMERS = ["c1", "c2", "é"]


def cycles(draw: random.Random) -> list[tuple[str, datetime, datetime]]:
    """Billing cycles of some customers, not always without a gap."""
    found = []
    for customer in draw.sample(CUSTOMERS, draw.randint(0, 2)):
        start = datetime(2026, 1, draw.randint(1, 28), draw.choice([0, 7]), tzinfo=UTC)
        for days in draw.choice([[28, 31, 30], [7, 7], [59]]):
            end = start + timedelta(days=days)
            if draw.random() < 0.9:
                found.append((customer, start, end))
            start = end
    return found
