"""The specification's own cases, and the table of operators: what is in the profile has CEL's types and values."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from meterspec.cel import Environment, Type, Variable, evaluate
from meterspec.cel.evaluate import Value
from tests.cel_cases import checked
from tests.conftest import SHARED

CASES, OPERATORS = SHARED / "cel" / "conformance.json", SHARED / "cel" / "operator_types.json"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the specification's cases are not beside the checkout")

TYPES = {
    "int": Type.INT,
    "double": Type.DECIMAL,
    "string": Type.STRING,
    "bool": Type.BOOL,
    "timestamp": Type.TIMESTAMP,
    "duration": Type.DURATION,
}
OUTSIDE = {
    "MS300": "names between backticks",
    "MS305": "numbers beyond 64 bits or 38 digits, instants beyond the calendar",
    "MS307": "the character NUL",
    "MS310": "a variable of a type that no field has",
    "MS315": "lists of several types",
    "MS319": "a constant zero as divisor, which CEL finds while running",
    "MS323": "has() of anything but a field",
    "MS325": "lists as values",
    "MS326": "lists as values",
    "MS328": "conversions that engines do differently",
    "MS330": "instants finer than a microsecond",
    "MS331": "durations finer than a microsecond, or beyond ten thousand years",
    "MS340": "maps",
    "MS342": "indexing",
    "MS343": "comprehensions",
    "MS348": "fields of fields",
    "MS349": "bool()",
    "MS351": "null as a value",
}
"""Why a case that CEL accepts may be refused."""
INEXACT = {"double_big_precision"}
"""Cases that show how a double loses digits; a decimal does not."""


def cases() -> list[dict[str, Any]]:
    if not CASES.exists():
        return []
    return [case for case in json.loads(CASES.read_text(encoding="utf-8")) if case["core"]]


def environment(case: dict[str, Any]) -> Environment:
    return {
        variable["name"]: Variable(variable["name"], TYPES[variable["type"]])
        for variable in case["type_env"]
        if variable["type"] in TYPES
    }


def value(tagged: dict[str, Any]) -> Value:
    """A value of a case; numbers are texts there."""
    match tagged["t"]:
        case "int":
            return int(tagged["v"])
        case "double":
            return Fraction(Decimal(tagged["v"]))
        case "duration":
            return int(Decimal(tagged["v"].removesuffix("s")) * 1_000_000)
        case "bool" | "string":
            held: Value = tagged["v"]
            return held
        case _:
            raise ValueError(tagged["t"])


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['file']}-{case['section']}-{case['name']}")
def test_a_case_of_the_specification(case: dict[str, Any]) -> None:
    observed = case["observed"]["cel_expr_python_0_1_3"].get("type")
    result, found = checked(case["expr"], environment(case), optional=True)
    if result is None:
        assert observed is None or found[-1].code in OUTSIDE, [d.message for d in found]
        return
    assert observed is None or TYPES[observed] is result.expr.type
    expected = case["expected"].get("value")
    if expected is None:
        return
    if case["name"] in INEXACT or not all(held["t"] in TYPES for held in case["bindings"].values()):
        return
    given = evaluate(result.expr, {name: value(held) for name, held in case["bindings"].items()})
    if expected["t"] == "double":
        assert isinstance(given, Fraction)
        assert float(given) == float(expected["v"])
    else:
        assert given == value(expected)


def test_most_cases_without_maps_and_lists_are_in_the_profile() -> None:
    accepted = [case for case in cases() if checked(case["expr"], environment(case), optional=True)[0]]
    assert len(accepted) >= 390


WRITTEN = {
    "_in_": None,
    "_[_]": None,
    "[_, _]": None,
    "bool ? _ : _": "cond ? {0} : {1}",
    "type(_)": None,
    "dyn(_)": None,
    "uint(_)": None,
    "bytes(_)": None,
    "bool(_)": None,
    "_.k": None,
    "has(_.k)": None,
    "_.matches(_)": None,
    "_.getHours(_)": None,
}
"""How a row of the table is written where it is not plain; None where it is about lists, types or constants."""
WIDENS = {("int", "double"), ("double", "int")}
ARITHMETIC = {"_+_", "_-_", "_*_", "_/_", "bool ? _ : _"}
COMPARISONS = {"_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"}
ZERO, ONE = {"int": "0", "double": "0.0"}, {"int": "1", "double": "1.0"}
FROM_TEXT = {"int(_)", "double(_)", "timestamp(_)", "duration(_)"}
DIFFERS = {
    ("string(_)", "double"),
    ("string(_)", "timestamp"),
    ("string(_)", "duration"),
    ("int(_)", "timestamp"),
    ("int(_)", "duration"),
    ("timestamp(_)", "int"),
    ("duration(_)", "int"),
}
"""Conversions that CEL has and the profile refuses."""


def operators() -> list[tuple[str, tuple[str, ...], str | None]]:
    """Every operator of the table with every combination of our types, and the type it gives there."""
    if not OPERATORS.exists():
        return []
    rows: list[tuple[str, tuple[str, ...], str | None]] = []
    for operator, table in json.loads(OPERATORS.read_text(encoding="utf-8"))["table"].items():
        if WRITTEN.get(operator, operator) is None:
            continue
        arity = next(iter(table)).count(";") + 1
        for left in TYPES:
            for right in TYPES if arity == 2 else ("",):
                kinds = tuple(kind for kind in (left, right) if kind)
                rows.append((operator, kinds, table.get(" ; ".join(kinds))))
    return rows


@pytest.mark.parametrize(("operator", "kinds", "expected"), operators(), ids=lambda value: str(value).replace("'", ""))
def test_an_operator_takes_what_it_takes_in_cel(operator: str, kinds: tuple[str, ...], expected: str | None) -> None:
    fields = {name: Variable(name, TYPES[kind]) for name, kind in zip("xy", kinds, strict=False)}
    fields["cond"] = Variable("cond", Type.BOOL)
    form = WRITTEN.get(operator) or operator.replace("_", "{0}", 1).replace("_", "{1}")
    text = form.format("x", "y")
    if operator in ("_/_", "_%_"):  # a divisor has to be tested
        text = f"y == y && y > {ZERO.get(kinds[1], 'y')} ? {text} : {text.replace('y', ONE.get(kinds[1], 'y'))}"
    result, found = checked(text, fields)
    if expected is None and kinds in WIDENS and operator in ARITHMETIC | COMPARISONS:
        expected = "bool" if operator in COMPARISONS else "double"
    if (operator in FROM_TEXT and kinds == ("string",)) or (operator, *kinds) in DIFFERS:
        assert expected is not None
        assert found[-1].code in ("MS327", "MS328")
    elif expected is None:
        assert result is None
    else:
        assert result is not None, [diagnostic.message for diagnostic in found]
        assert result.expr.type is TYPES[expected]
