"""The function table: its examples run, and nothing in it is without meaning."""

from __future__ import annotations

import pytest

from meterspec.cel import OVERLOADS, Overload, Type, show
from meterspec.cel.evaluate import evaluate
from meterspec.cel.functions import FUNCTIONS, RESOLVE, SCALARS, Style
from tests.cel_cases import checked, tree

EXAMPLES = [(overload, example) for overload in OVERLOADS for example in overload.examples]


@pytest.mark.parametrize(("overload", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_an_example_gives_what_it_says(overload: Overload, example: str) -> None:
    expression, _, result = example.partition(" // ")
    expected = tree(result)
    assert evaluate(tree(expression), {}) == evaluate(expected, {})
    assert tree(expression).type is expected.type


def test_every_overload_but_has_shows_an_example() -> None:
    assert [overload.id for overload in OVERLOADS if not overload.examples] == ["has"]


@pytest.mark.parametrize("overload", OVERLOADS, ids=[overload.id for overload in OVERLOADS])
def test_an_overload_reads_as_documentation(overload: Overload) -> None:
    assert overload.doc.endswith(".")
    assert overload.function in overload.signature or overload.function == "?:"
    assert overload.signature.endswith(f" -> {overload.result}")


def test_a_method_is_called_on_its_first_argument() -> None:
    assert FUNCTIONS["startsWith"][0].style is Style.METHOD
    assert FUNCTIONS["startsWith"][0].params == (Type.STRING, Type.STRING)
    assert FUNCTIONS["math.least"][0].variadic


@pytest.mark.parametrize(
    ("function", "kinds", "overload", "widens"),
    [
        ("+", (Type.INT, Type.INT), "add_int64", False),
        ("+", (Type.INT, Type.DECIMAL), "add_decimal", True),
        ("+", (Type.DECIMAL, Type.DECIMAL), "add_decimal", False),
        ("-", (Type.INT,), "negate_int64", False),
        ("<", (Type.DECIMAL, Type.INT), "less_decimal", True),
        ("==", (Type.INT, Type.DECIMAL), "equals", True),
        ("math.abs", (Type.INT,), "math_abs_int64", False),
        ("math.round", (Type.INT,), "math_round_decimal", True),
    ],
)
def test_an_exact_signature_wins_over_widening(
    function: str, kinds: tuple[Type, ...], overload: str, widens: bool
) -> None:
    found, widened = RESOLVE[(function, *kinds)]
    assert (found.id, widened) == (overload, widens)


@pytest.mark.parametrize("kind", SCALARS)
def test_equality_takes_two_of_any_scalar_type(kind: Type) -> None:
    assert RESOLVE[("==", kind, kind)][0].id == "equals"
    assert RESOLVE[("in", kind, Type(f"list({kind})"))][0].id == "in_list"
    assert RESOLVE[("?:", Type.BOOL, kind, kind)][0].id == "conditional"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("2 + 3 * 4", "14"),
        ("1 / 4.0", "0.25"),
        ("7 % -2", "1"),
        ("-7 % 2", "-1"),
        ("0.1 + 0.2 - 0.3", "0.0"),
        ("'a' + 'b'", "'ab'"),
        ("int(2.9)", "2"),
        ("string(1 < 2)", "'true'"),
        ("timestamp('2026-01-31T23:30:00-01:00')", "timestamp('2026-02-01T00:30:00Z')"),
        ("timestamp('2026-01-01T00:00:00Z') + duration('36h')", "timestamp('2026-01-02T12:00:00Z')"),
        ("duration('-1.5s')", "duration('-1.5s')"),
        ("duration('1h') - duration('1m')", "duration('3540s')"),
        ("timestamp('2024-03-10T06:59:00Z').getHours('America/New_York')", "1"),
        ("timestamp('2024-03-10T07:00:00Z').getHours('America/New_York')", "3"),
        ("timestamp('2026-02-01T12:00:00Z').getDayOfWeek()", "0"),
        ("timestamp('2026-01-01T00:00:05.123456Z').getMilliseconds()", "123"),
        ("duration('-1.5s').getMilliseconds()", "-500"),
        ("duration('-90m').getHours()", "-1"),
        ("math.round(-2.5)", "-3.0"),
        ("size('🤦🏼‍♂️')", "5"),
        ("'\\u00a0eu\\u2003'.trim()", "'eu'"),
        ("true ? 1 : 2.5", "1.0"),
    ],
)
def test_constants_are_folded(text: str, folded: str) -> None:
    assert show(tree(text)) == folded


@pytest.mark.parametrize("text", ["1 / 3.0", "'a'.matches('a')", "tokens + 1"])
def test_what_has_no_exact_constant_is_left(text: str) -> None:
    assert "(" in repr(tree(text))
    assert not show(tree(text)).replace(".", "").isdecimal()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s') > started", "MS305"),
        ("timestamp('0001-01-01T00:00:00Z').getHours('-05:00')", "MS305"),
        ("duration('80000000h') + duration('80000000h') > ended - started", "MS305"),
        ("9223372036854775807 * 2", "MS305"),
        ("9999999999999999999.0 * 9999999999999999999.5 * 10", "MS305"),
        ("timestamp('2026-01-01T00:00:00.1234567Z') < started", "MS330"),
        ("timestamp('0001-01-01T00:00:00+00:01') < started", "MS330"),
        ("started.getHours('localtime')", "MS332"),
        ("started.getHours('../etc/passwd')", "MS332"),
        ("started.getHours('Europe')", "MS332"),
        ("started.getHours('+15:00')", "MS332"),
        ("started.getHours('')", "MS332"),
    ],
)
def test_a_constant_that_cannot_be_held_is_refused(text: str, code: str) -> None:
    accepted, found = checked(text)
    assert accepted is None
    assert [diagnostic.code for diagnostic in found] == [code]
