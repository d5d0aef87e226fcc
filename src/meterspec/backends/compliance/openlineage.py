"""OpenLineage: for each meter a design-time JobEvent with the lineage of every column, from the typed tree.

The names follow the specification of OpenLineage 2-0-2 and its facets `columnLineage` 1-2-0 and `schema` 1-1-1. What
touches a number itself is DIRECT; what only decides which events count, and where, is INDIRECT.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meterspec import __version__
from meterspec.cel.printer import show
from meterspec.cel.tree import Call, Expr, FieldRef, walk
from meterspec.ir import Family, FamilySource, Function, Meter, Program, RatioSource

__all__ = ["job_events"]

NAMESPACE = "meterspec"
PRODUCER = f"urn:meterspec:{__version__}"
_SPEC = "https://openlineage.io/spec"
Document = dict[str, Any]

_SHOWS_ONE = {Function.MIN, Function.MAX, Function.FIRST, Function.LAST}
"""Aggregates that give back the value of one event: nothing is masked by them."""


def job_events(program: Program, facts: Document) -> Iterator[Document]:
    """One event a meter, dated by the day the manifest is judged by."""
    for meter in program.meters:
        yield {
            "eventTime": f"{facts['as_of']['day']}T00:00:00Z",
            "producer": PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/JobEvent",
            "job": {"namespace": NAMESPACE, "name": meter.name, "facets": {}},
            "inputs": [_dataset(name, {}) for name in _inputs(program, meter)],
            "outputs": [
                _dataset(
                    meter.sql_name,
                    {
                        "schema": _facet("1-1-1/SchemaDatasetFacet", fields=_schema(program, meter)),
                        "columnLineage": _facet("1-2-0/ColumnLineageDatasetFacet", fields=_columns(program, meter)),
                    },
                )
            ],
        }


def _facet(name: str, **content: object) -> Document:
    kind = name.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{name}.json#/$defs/{kind}", **content}


def _dataset(name: str, facets: Document) -> Document:
    return {"namespace": NAMESPACE, "name": name, "facets": facets}


def _inputs(program: Program, meter: Meter) -> list[str]:
    match meter.source:
        case FamilySource(names):
            return [".".join(program.family(name).raw) for name in names]
        case RatioSource(numerator, denominator):
            return [program.meter(name).sql_name for name in (numerator, denominator)]


def _schema(program: Program, meter: Meter) -> list[Document]:
    family = program.families_of(meter)[0]
    groups = [{"name": name, "type": family.field(name).type.value} for name in meter.group_by]
    instants = [{"name": name, "type": "timestamp"} for name in ("window_start", "window_end")]
    return [*instants, *groups, {"name": "quantity", "type": "decimal"}, {"name": "events", "type": "integer"}]


def _columns(program: Program, meter: Meter) -> Document:
    """Every column of the meter's view, with the fields it comes from."""
    match meter.source:
        case RatioSource(numerator, denominator):
            parts = [program.meter(name).sql_name for name in (numerator, denominator)]
            words = f"the ratio of {numerator} to {denominator}"
            columns = {
                "quantity": [_field(part, "quantity", _step("DIRECT", "TRANSFORMATION", words)) for part in parts],
                "events": [_field(part, "events", _step("DIRECT", "TRANSFORMATION", words)) for part in parts],
            }
            for name in ("window_start", "window_end", *meter.group_by):
                columns[name] = [_field(part, name, _step("DIRECT", "IDENTITY", "")) for part in parts]
            return {name: {"inputFields": fields} for name, fields in columns.items()}
        case FamilySource(names):
            merged: dict[str, list[Document]] = {}
            for name in names:
                for column, fields in _of_family(program.family(name), meter).items():
                    merged.setdefault(column, []).extend(fields)
            return {name: {"inputFields": fields} for name, fields in merged.items()}


def _of_family(family: Family, meter: Meter) -> dict[str, list[Document]]:
    raw = ".".join(family.raw)
    assert meter.aggregate is not None
    function, value = meter.aggregate.function, meter.aggregate.value
    hides = function not in _SHOWS_ONE
    steps: dict[str, list[Document]] = {}
    if value is None:
        words = "each event counts once"
        steps[family.event_id] = [_step("DIRECT", "AGGREGATION", words, masking=True)]
    else:
        decides = _conditions(value)
        for name in _names(value):
            words = f"{function.value}({show(value)})"
            direct = _step("DIRECT", "AGGREGATION", words, masking=hides)
            steps[name] = [direct] if name not in decides or name in _outside(value) else []
            if name in decides:
                steps[name].append(_step("INDIRECT", "CONDITIONAL", words))
    if meter.filter is not None:
        for name in _names(meter.filter):
            steps.setdefault(name, []).append(_step("INDIRECT", "FILTER", show(meter.filter)))
    for name in meter.group_by:
        steps.setdefault(name, []).append(_step("INDIRECT", "GROUP_BY", ""))
    steps.setdefault(family.event_time, []).append(_step("INDIRECT", "WINDOW", type(meter.window).__name__))
    columns = {"quantity": [_field(raw, name, *each) for name, each in steps.items()]}
    columns["events"] = [
        _field(raw, family.event_id, _step("DIRECT", "AGGREGATION", "each event counts once", masking=True))
    ]
    for bound in ("window_start", "window_end"):
        columns[bound] = [_field(raw, family.event_time, _step("DIRECT", "TRANSFORMATION", "the window it is in"))]
    for name in meter.group_by:
        columns[name] = [_field(raw, name, _step("DIRECT", "IDENTITY", ""))]
    return columns


def _names(expr: Expr) -> list[str]:
    return list(dict.fromkeys(node.name for node in walk(expr) if isinstance(node, FieldRef)))


def _conditions(expr: Expr) -> set[str]:
    """The fields that decide which branch of an expression counts."""
    found = [node.args[0] for node in walk(expr) if isinstance(node, Call) and node.overload == "conditional"]
    return {name for condition in found for name in _names(condition)}


def _outside(expr: Expr) -> set[str]:
    """The fields that are named outside of every condition."""
    match expr:
        case FieldRef(name):
            return {name}
        case Call("conditional", (_, then, otherwise)):
            return _outside(then) | _outside(otherwise)
        case Call(_, args):
            return set[str]().union(*map(_outside, args))
        case _:
            return set()


def _step(kind: str, subtype: str, description: str, *, masking: bool = False) -> Document:
    return {"type": kind, "subtype": subtype, "description": description, "masking": masking}


def _field(dataset: str, name: str, *steps: Document) -> Document:
    return {"namespace": NAMESPACE, "name": dataset, "field": name, "transformations": list(steps)}
