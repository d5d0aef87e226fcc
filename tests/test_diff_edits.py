"""An edit of any value of a valid spec is reported, or refused: nothing that is written changes in silence."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterspec.check import check
from meterspec.diagnostics import Diagnostics
from meterspec.diff import diff
from meterspec.ir import Program
from meterspec.source import Source
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from tests.conftest import FIXTURES, ROOT

SPECS = [
    FIXTURES / "valid" / "published_long.toml",
    FIXTURES / "valid" / "published_short.toml",
    ROOT / "examples" / "llm-inference" / "meterspec.toml",
    ROOT / "docs" / "examples" / "gateway" / "meterspec.toml",
    *sorted((FIXTURES / "diff").glob("*/after.toml")),
]
ALSO = {
    "eu": "us",
    "EUR": "USD",
    "USD": "EUR",
    "month": "quarter",
    "day": "hour",
    "graduated": "volume",
    "volume": "graduated",
    "billing_cycle": "month",
    "SUM": "MAX",
    "COUNT": "SUM",
    "up": "down",
    "counter": "gauge",
    "gauge": "counter",
    "billing": "reporting",
    "string": "integer",
    "integer": "decimal",
}
SILENT = {("meterspec",)}
"""What means nothing but itself: the version of the language."""


def program(source: Source, values: dict[str, Any]) -> Program | None:
    out = Diagnostics()
    document = read_document(source, values, out)
    found = check([(source, document)], out) if document is not None and not out.has_errors else None
    return None if out.has_errors else found


Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value that is no table and no list, with the way to it."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
        case list():
            for number, inner in enumerate(value):
                yield from leaves(inner, (*path, number))
        case _:
            yield path, value


def others(value: Any) -> Iterator[Any]:
    """Some other values of the type."""
    match value:
        case bool():
            yield not value
        case int() | Decimal():
            yield from (value + 1, value - 1, value * 2)
        case str():
            yield from (ALSO.get(value, f"{value}x"), value.replace("'", "'x", 1), f"{value} + 1")
        case date():
            yield value + timedelta(days=1)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.parent.name}-{spec.stem}")
def test_an_edit_of_a_value_is_reported_or_refused(spec: Path) -> None:
    out = Diagnostics()
    parsed = toml.read(spec.name, spec.read_bytes(), out)
    assert parsed is not None
    source, values = parsed
    before = program(source, values)
    assert before is not None
    silent, found = [], 0
    for path, value in leaves(values):
        for other in others(value):
            if other == value:
                continue
            edited = copy.deepcopy(values)
            where: Any = edited
            for key in path[:-1]:
                where = where[key]
            where[path[-1]] = other
            after = program(source, edited)
            if after is None:
                continue
            found += 1
            if not diff(before, after) and path not in SILENT:
                silent.append((path, value, other))
            assert bool(diff(after, before)) == bool(diff(before, after))
    assert silent == []
    assert found >= 3
