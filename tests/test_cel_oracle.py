"""The same random expressions, right and wrong, to Google's checker: what either accepts, the other accepts alike."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from meterspec.cel import Expr, Type, Variable, evaluate, show, walk
from meterspec.cel.evaluate import Value
from meterspec.diagnostics import Severity
from tests.cel_cases import FIELDS, checked
from tests.cel_random import Expressions, event

NAMES = {"double": "decimal", "google.protobuf.timestamp": "timestamp", "google.protobuf.duration": "duration"}
STRICTER = {
    "MS305": "a constant beyond 64 bits or 38 digits",
    "MS306": "a comparison of the answer of a comparison",
    "MS307": "the character NUL in a string",
    "MS315": "a list of several types",
    "MS318": "a divisor that can be zero",
    "MS319": "a divisor that is zero",
    "MS327": "a conversion of event text",
    "MS328": "a conversion that engines do differently",
    "MS329": "a pattern, before it is run",
    "MS330": "a constant timestamp, before it is run",
    "MS331": "a constant duration, before it is run",
    "MS332": "a zone, before it is run",
    "MS333": "a number in a text, before it is run",
    "MS344": "bytes",
    "MS345": "unsigned numbers",
    "MS347": "names of types",
    "MS349": "functions that are not in the profile",
    "MS352": "names that begin with a point",
    "MS351": "null as a value",
}
"""What Google's checker accepts and this one refuses, and why."""

DYNAMIC = re.compile(r"math\.(least|greatest)\(")
"""Of an int and a decimal these are of no type in particular there, and everything takes that."""

# It has no has() of a plain name, and no closed sets; what is about those is tested elsewhere.
EVENT = {name: replace(field, nullable=False, values=None) for name, field in FIELDS.items()}
EVENT["pause"] = Variable("pause", Type.DURATION)


def ask(texts: list[str], events: list[dict[str, Value | str] | None]) -> list[tuple[str | None, Value | float]]:
    """The type Google's checker gives each text, None for one it refuses, and its value for its event."""
    question = {
        "fields": {name: field.type.value for name, field in EVENT.items()},
        "texts": texts,
        "events": events,
    }
    oracle = Path(__file__).parent / "cel_oracle.py"
    answer = subprocess.run(
        [sys.executable, str(oracle)], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    return [(name and NAMES.get(name.lower(), name.lower()), value) for name, value in json.loads(answer.stdout)]


@pytest.mark.parametrize("seed", range(3))
def test_both_checkers_accept_the_same_expressions_with_the_same_types(seed: int) -> None:
    expressions = Expressions(Random(seed), EVENT, slips=0.07)
    texts = [expressions.draw() for _ in range(600)]
    texts += [expressions.slip(text) for text in texts]
    texts = [text for text in texts if "null" not in text]
    ours = [checked(text, EVENT) for text in texts]
    # With its widenings written out, what is accepted here is CEL as it stands.
    strict = [
        show(result.expr, widenings=True) if result else text for text, (result, _) in zip(texts, ours, strict=True)
    ]
    types = [name for name, _ in ask(strict, [None] * len(strict))]
    agreed = {True: 0, False: 0}
    for text, (result, found), name in zip(strict, ours, types, strict=True):
        agreed[result is not None] += 1
        if result is not None:
            assert name == result.expr.type, text
        elif name is not None and not DYNAMIC.search(text):
            codes = {diagnostic.code for diagnostic in found if diagnostic.severity is Severity.ERROR}
            assert codes & STRICTER.keys(), (text, [diagnostic.message for diagnostic in found])
    assert min(agreed.values()) > 200


@pytest.mark.parametrize("seed", range(3))
def test_both_give_the_same_value(seed: int) -> None:
    random = Random(seed)
    # Decimals are exact here and binary there, so that only whole numbers, texts and times can be held together.
    fields = {name: field for name, field in EVENT.items() if field.type is not Type.DECIMAL}
    texts: list[str] = []
    trees: list[Expr] = []
    events: list[dict[str, Value | Decimal]] = []
    while len(texts) < 400:
        text = Expressions(random, fields, slips=0).draw()
        result, _ = checked(text, EVENT)
        if result is not None and not any(node.type is Type.DECIMAL for node in walk(result.expr)):
            texts.append(text)
            trees.append(result.expr)
            events.append(event(random, fields))
    answers = ask(texts, [dict(row) for row in events])  # type: ignore[arg-type]
    compared = 0
    for text, expr, row, (_, value) in zip(texts, trees, events, answers, strict=True):
        if value is not None:  # an instant beyond the calendar has none there
            compared += 1
            assert evaluate(expr, row) == value, (text, row)
    assert compared > 350
