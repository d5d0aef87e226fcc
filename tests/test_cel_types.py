"""What an expression means: every pair is an expression and its tree, typed, as the checker resolves it."""

from __future__ import annotations

import pytest

from meterspec.cel import Call, Type, walk
from meterspec.cel.functions import OVERLOADS
from tests.cel_cases import checked, tree, written_out

TREES = [
    # comparison
    ("status < 500", "less_int64(status~int, 500~int)~bool"),
    ("status < 500.5", "less_decimal(int64_to_decimal(status~int)~decimal, 500.5~decimal)~bool"),
    ("cost < 500", "less_decimal(cost~decimal, 500.0~decimal)~bool"),
    ("cost >= status", "greater_equals_decimal(cost~decimal, int64_to_decimal(status~int)~decimal)~bool"),
    ("model < 'gpt-5'", "less_string(model~string, 'gpt-5'~string)~bool"),
    ("cached < true", "less_bool(cached~bool, true~bool)~bool"),
    ("started <= ended", "less_equals_timestamp(started~timestamp, ended~timestamp)~bool"),
    (
        "ended - started > duration('1h30m')",
        "greater_duration(subtract_timestamp_timestamp(ended~timestamp, started~timestamp)~duration, "
        "duration('5400s')~duration)~bool",
    ),
    ("status == 200", "equals(status~int, 200~int)~bool"),
    ("status == 200.0", "equals(int64_to_decimal(status~int)~decimal, 200.0~decimal)~bool"),
    ("cost != 1", "not_equals(cost~decimal, 1.0~decimal)~bool"),
    ("'eu' == region", "equals('eu'~string, region~string)~bool"),
    ("latency == 3", "equals(latency~int, 3~int)~bool"),
    ("latency == 3.5", "equals(int64_to_decimal(latency~int)~decimal, 3.5~decimal)~bool"),
    ("plan != 'free'", "not_equals(plan~string, 'free'~string)~bool"),
    ("plan == model", "equals(plan~string, model~string)~bool"),
    ("trial == true", "equals(trial~bool, true~bool)~bool"),
    ("paused == started", "equals(paused~timestamp, started~timestamp)~bool"),
    # arithmetic
    ("status + 1", "add_int64(status~int, 1~int)~int"),
    ("status + 0.5", "add_decimal(int64_to_decimal(status~int)~decimal, 0.5~decimal)~decimal"),
    ("cost * 1e3", "multiply_decimal(cost~decimal, 1000.0~decimal)~decimal"),
    ("cost - tokens", "subtract_decimal(cost~decimal, int64_to_decimal(tokens~int)~decimal)~decimal"),
    ("-cost", "negate_decimal(cost~decimal)~decimal"),
    ("-(status)", "negate_int64(status~int)~int"),
    ("- 5", "-5~int"),
    ("-9223372036854775808", "-9223372036854775808~int"),
    ("status * 60 + tokens", "add_int64(multiply_int64(status~int, 60~int)~int, tokens~int)~int"),
    ("status % 7", "modulo_int64(status~int, 7~int)~int"),
    ("tokens / 3600000.0", "divide_decimal(int64_to_decimal(tokens~int)~decimal, 3600000.0~decimal)~decimal"),
    ("model + '-' + region", "add_string(add_string(model~string, '-'~string)~string, region~string)~string"),
    ("started + duration('15m')", "add_timestamp_duration(started~timestamp, duration('900s')~duration)~timestamp"),
    ("duration('15m') + started", "add_timestamp_duration(started~timestamp, duration('900s')~duration)~timestamp"),
    (
        "started - duration('15m')",
        "subtract_timestamp_duration(started~timestamp, duration('900s')~duration)~timestamp",
    ),
    (
        "ended - started - duration('5s')",
        "subtract_duration_duration(subtract_timestamp_timestamp(ended~timestamp, "
        "started~timestamp)~duration, duration('5s')~duration)~duration",
    ),
    # logic
    (
        "cached && status == 200 || !cached",
        "logical_or(logical_and(cached~bool, equals(status~int, 200~int)~bool)~bool, "
        "logical_not(cached~bool)~bool)~bool",
    ),
    ("cached ? 1 : 2", "conditional(cached~bool, 1~int, 2~int)~int"),
    ("cached ? 1 : cost", "conditional(cached~bool, 1.0~decimal, cost~decimal)~decimal"),
    ("cached ? started : ended", "conditional(cached~bool, started~timestamp, ended~timestamp)~timestamp"),
    # lists
    ("region in ['eu', 'us-east']", "in_list(region~string, ['eu'~string, 'us-east'~string]~list(string))~bool"),
    ("status in [200, 204,]", "in_list(status~int, [200~int, 204~int]~list(int))~bool"),
    (
        "status in [200, 0.5]",
        "in_list(int64_to_decimal(status~int)~decimal, [200.0~decimal, 0.5~decimal]~list(decimal))~bool",
    ),
    ("cost in [1, 2]", "in_list(cost~decimal, [1.0~decimal, 2.0~decimal]~list(decimal))~bool"),
    ("latency in [1, 2]", "in_list(latency~int, [1~int, 2~int]~list(int))~bool"),
    ("model in [plan, 'x']", "in_list(model~string, [plan~string, 'x'~string]~list(string))~bool"),
    # missing
    ("has(plan)", "has(plan~string)~bool"),
    ("plan != null", "has(plan~string)~bool"),
    ("null == plan", "logical_not(has(plan~string)~bool)~bool"),
    ("has(latency) && latency > 3", "logical_and(has(latency~int)~bool, greater_int64(latency~int, 3~int)~bool)~bool"),
    ("has(latency) ? latency : 0", "conditional(has(latency~int)~bool, latency~int, 0~int)~int"),
    # functions
    ("size(model)", "size_string(model~string)~int"),
    ("model.size()", "size_string(model~string)~int"),
    ("model.startsWith('gpt')", "starts_with_string(model~string, 'gpt'~string)~bool"),
    ("model.matches('^gpt-')", "matches_string(model~string, '^gpt-'~string)~bool"),
    ("matches(model, '^gpt-')", "matches_string(model~string, '^gpt-'~string)~bool"),
    ("model.trim().lowerAscii()", "lower_ascii(trim(model~string)~string)~string"),
    ("double(status)", "int64_to_decimal(status~int)~decimal"),
    ("double(cost)", "cost~decimal"),
    ("int(cost)", "decimal_to_int64(cost~decimal)~int"),
    ("int(status)", "status~int"),
    ("string(status)", "int64_to_string(status~int)~string"),
    ("string(cached)", "bool_to_string(cached~bool)~string"),
    ("string(model)", "model~string"),
    ("math.least(status, 1, tokens)", "math_least_int64(status~int, 1~int, tokens~int)~int"),
    (
        "math.least(status, 0.5, tokens)",
        "math_least_decimal(int64_to_decimal(status~int)~decimal, 0.5~decimal, "
        "int64_to_decimal(tokens~int)~decimal)~decimal",
    ),
    ("math.greatest(cost, 1)", "math_greatest_decimal(cost~decimal, 1.0~decimal)~decimal"),
    ("math.abs(status)", "math_abs_int64(status~int)~int"),
    ("math.abs(cost)", "math_abs_decimal(cost~decimal)~decimal"),
    ("math.round(cost)", "math_round_decimal(cost~decimal)~decimal"),
    ("math.ceil(status)", "math_ceil_decimal(int64_to_decimal(status~int)~decimal)~decimal"),
    ("started.getHours()", "timestamp_to_hours(started~timestamp)~int"),
    ("started.getHours('Europe/Berlin')", "timestamp_to_hours_with_tz(started~timestamp, 'Europe/Berlin'~string)~int"),
    ("started.getHours('02:00')", "timestamp_to_hours_with_tz(started~timestamp, '+02:00'~string)~int"),
    ("started.getHours('UTC')", "timestamp_to_hours(started~timestamp)~int"),
    (
        "(ended - started).getSeconds()",
        "duration_to_seconds(subtract_timestamp_timestamp(ended~timestamp, started~timestamp)~duration)~int",
    ),
    # constants
    ("24 * 3600.0", "86400.0~decimal"),
    (
        "timestamp('2026-01-01T01:00:00+01:00') < started",
        "less_timestamp(timestamp('2026-01-01T00:00:00Z')~timestamp, started~timestamp)~bool",
    ),
    (
        "duration('1.5s') < ended - started",
        "less_duration(duration('1.5s')~duration, subtract_timestamp_timestamp(ended~timestamp, "
        "started~timestamp)~duration)~bool",
    ),
    ("int('12') + status", "add_int64(12~int, status~int)~int"),
    ("double('1.5') + status", "add_decimal(1.5~decimal, int64_to_decimal(status~int)~decimal)~decimal"),
    ("tokens * (1 / 4.0)", "multiply_decimal(int64_to_decimal(tokens~int)~decimal, 0.25~decimal)~decimal"),
    (
        "tokens * (1 / 3.0)",
        "multiply_decimal(int64_to_decimal(tokens~int)~decimal, divide_decimal(1.0~decimal, "
        "3.0~decimal)~decimal)~decimal",
    ),
    ("0x1F + status", "add_int64(31~int, status~int)~int"),
    (".5 + status", "add_decimal(0.5~decimal, int64_to_decimal(status~int)~decimal)~decimal"),
    ("'a' + \"b\" + r'\\c' + '''d''' == model", "equals('ab\\\\cd'~string, model~string)~bool"),
]


@pytest.mark.parametrize(("text", "expected"), TREES)
def test_every_operator_resolves_to_one_overload(text: str, expected: str) -> None:
    assert written_out(tree(text)) == expected


@pytest.mark.parametrize(
    ("text", "want", "result"),
    [
        ("status", (Type.INT, Type.DECIMAL), Type.INT),
        ("status", (Type.DECIMAL,), Type.DECIMAL),
        ("cost", (Type.INT, Type.DECIMAL), Type.DECIMAL),
        ("cached", (Type.BOOL,), Type.BOOL),
        ("model", (), Type.STRING),
    ],
)
def test_an_int_widens_where_only_a_decimal_will_do(text: str, want: tuple[Type, ...], result: Type) -> None:
    accepted, found = checked(text, want=want)
    assert accepted is not None
    assert not found
    assert accepted.expr.type is result


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("status + 1", {"add_int64": ((0, 10), (7, 8))}),
        ("(status + 1) * 2", {"multiply_int64": ((0, 16), (13, 14)), "add_int64": ((0, 12), (8, 9))}),
        ("model.size() > 3", {"greater_int64": ((0, 16), (13, 14)), "size_string": ((0, 12), (6, 10))}),
        ("math.abs(change) > 3", {"math_abs_decimal": ((0, 16), (0, 8))}),
        ("cached ? 1 : 2", {"conditional": ((0, 14), (7, 8))}),
    ],
)
def test_a_node_knows_its_characters_and_those_of_its_operator(
    text: str, positions: dict[str, tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    found = {node.overload: (node.at, node.anchor) for node in walk(tree(text)) if isinstance(node, Call)}
    assert found | positions == found


def test_positions_are_no_part_of_equality() -> None:
    assert tree("status+1") == tree("  status  +  1")
    assert hash(tree("status+1")) == hash(tree("  status  +  1"))
    assert tree("status + 1") != tree("status + 2")


def test_every_overload_has_an_id_of_its_own() -> None:
    assert len({overload.id for overload in OVERLOADS}) == len(OVERLOADS)
