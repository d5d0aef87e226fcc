"""JSON Schema: of the spec language, for editors, and of a family's events, for those who send them.

pydantic describes the dataclasses of the shape. What is done here is to give it their constraints and the words under
each key, and to make one flat document of what it says: no references, no null, every table closed.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, assert_never, cast, get_args, get_origin, get_type_hints

from meterspec.ir import Family, Field, FieldType
from meterspec.spec.shape import Document, Length, Matching, Range

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["document_schema", "event_schema", "validator"]

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors of TOML know."""

Schema = dict[str, Any]


def document_schema() -> Schema:
    """The JSON Schema of one file of a spec: it takes what `read_document` takes."""
    described = validator().json_schema()
    flat = _flat(described, described.pop("$defs"))
    return {"$schema": _DRAFT, "$id": "urn:meterspec:spec:1", "title": "meterspec", **flat}


@cache
def validator() -> TypeAdapter[Any]:
    """pydantic's strict validator of the shape: what `read_document` does, done by another."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - 150 ms that only a schema pays

    return TypeAdapter(_described(Document))


# The shape, as pydantic knows it --------------------------------------------------------------------------------


@cache
def _described(cls: type) -> type:
    """A dataclass of the shape whose types are pydantic's and whose keys have their descriptions."""
    from pydantic import ConfigDict  # noqa: PLC0415
    from pydantic import Field as Described  # noqa: PLC0415

    hints, words = get_type_hints(cls, include_extras=True), _words(cls)
    keys: list[tuple[str, Any, Any]] = []
    for key in fields(cls):
        kind: Any = Annotated[_type(hints[key.name]), Described(description=words[key.name])]
        if key.default_factory is not MISSING:
            keys.append((key.name, kind, field(default_factory=key.default_factory)))
        else:
            keys.append((key.name, kind, field(default=key.default)))
    made = make_dataclass(cls.__name__, keys, kw_only=True)
    made.__doc__ = cls.__doc__
    made.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return made


def _words(cls: type) -> dict[str, str]:
    """The text below each attribute of a class."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        attribute.target.id: inspect.cleandoc(below.value.value)
        for attribute, below in pairwise(definition.body)
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def _type(kind: Any) -> Any:
    """A type of the shape in pydantic's terms, strict: TOML has no null, and writes a decimal also without a point."""
    from pydantic import Strict, WithJsonSchema  # noqa: PLC0415

    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[_type(args[0]), _constraint(args[1])]
    if origin is list:
        return list[_type(args[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[_type(args[0]), _type(args[1])]  # type: ignore[misc]
    if origin in {Union, UnionType}:
        return reduce(or_, [_type(member) for member in args if member is not NoneType])
    if is_dataclass(kind):
        return _described(cast(type, kind))
    if kind is Decimal:
        return Annotated[Annotated[int, Strict()] | Annotated[Decimal, Strict()], WithJsonSchema({"type": "number"})]
    if kind in _FORMATS:
        schema = {"anyOf": [{"type": "string", "format": name} for name in _FORMATS[kind]]}
        return Annotated[kind, Strict(), WithJsonSchema(schema)]
    return Annotated[kind, Strict()] if kind in {str, int, bool} else kind


_FORMATS = {datetime: ("date-time", "date-time-local"), date: ("date",)}
"""What editors call the dates and times of TOML, which JSON has only as text."""


def _constraint(marker: object) -> Any:
    from pydantic import Field as Constraint  # noqa: PLC0415

    match marker:
        case Range(low, high):
            return Constraint(ge=low, le=high)
        case Length(least):
            return Constraint(min_length=least)
        case Matching(pattern, _, longest):
            return Constraint(pattern=f"^({pattern})$", max_length=longest)
        case _:
            raise TypeError(marker)


# What pydantic says, flat ---------------------------------------------------------------------------------------


def _flat(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """A schema with every reference followed, and every choice that the type of the value decides made one table."""
    node = {key: value for key, value in node.items() if key != "title" and (key, value) != ("default", None)}
    if "$ref" in node:
        target = definitions[node.pop("$ref").rpartition("/")[2]]
        return {**_flat(target, definitions), **node}
    for key in ("properties", "patternProperties"):
        if key in node:
            node[key] = {name: _flat(inner, definitions) for name, inner in node[key].items()}
            node["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = _flat(node[key], definitions)
    if "anyOf" in node:
        members = [inner for m in node.pop("anyOf") for flat in [_flat(m, definitions)] for inner in _members(flat)]
        alike = any(keyword in member for member in members for keyword in ("const", "enum", "format"))
        return {**({"anyOf": members} if alike else _merged(members)), **node}
    return node


def _members(node: Schema) -> list[Schema]:
    """The schemas that a choice is between."""
    return node["anyOf"] if set(node) == {"anyOf"} else [node]


def _merged(members: list[Schema]) -> Schema:
    """One schema for members of different types: every other keyword says something about one type only."""
    types = dict.fromkeys(member["type"] for member in members)
    merged: Schema = {key: value for member in members for key, value in member.items()}
    return {**merged, "type": list(types) if len(types) > 1 else next(iter(types))}


# Events ---------------------------------------------------------------------------------------------------------

_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$"


def event_schema(family: Family) -> Schema:
    """The JSON Schema of one event of a family, as JSON lines hold it.

    It takes what a run accepts, but for a float that only its rounding brings within `min` and `max`. It cannot refuse
    all that a run rejects: JSON Schema has no bounds for a number that is written as text.
    """
    schema: Schema = {
        "$schema": _DRAFT,
        "$id": f"urn:meterspec:event:{family.name}",
        "title": family.name,
        "type": "object",
        "properties": {field.name: _value(family, field) for field in family.fields},
        "required": [field.name for field in family.fields if field.required],
    }
    return schema | ({"description": family.description} if family.description else {})


def _value(family: Family, field: Field) -> Schema:
    """The schema of one field's value; where it may be missing it may be null."""
    schema = _written(field.type)
    if field.values is not None:
        schema["enum"] = list(field.values)
    if not field.required:
        schema["type"] = [*schema["type"], "null"]
        schema |= {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    if field.minimum is not None:
        schema["minimum"] = _json_number(field.minimum, ROUND_FLOOR)
    if field.maximum is not None:
        schema["maximum"] = _json_number(field.maximum, ROUND_CEILING)
    roles = {
        family.event_id: "Identifies the event: repeats count once",
        family.event_time: "When it happened",
        family.customer: "The customer",
        family.ingest_time: "When it arrived",
    }
    unit = f"In {field.unit}" if field.unit else None
    personal = "Personal data" if field.personal else None
    words = [word.rstrip(".") for word in (roles.get(field.name), field.description, unit, personal) if word]
    return schema | ({"description": f"{'. '.join(words)}."} if words else {})


def _written(kind: FieldType) -> Schema:
    """How a value of a type may be written: a number also as plain decimal text."""
    match kind:
        case FieldType.STRING:
            return {"type": ["string"]}
        case FieldType.BOOLEAN:
            return {"type": ["boolean"]}
        case FieldType.TIMESTAMP:
            return {"type": ["string"], "pattern": _INSTANT}
        case FieldType.INTEGER:
            return {"type": ["integer", "string"], "pattern": r"^-?[0-9]+(\.0+)?$"}
        case FieldType.DECIMAL | FieldType.FLOAT:
            return {"type": ["number", "string"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
        case _:
            assert_never(kind)


_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$"


def _json_number(bound: Decimal, rounding: str) -> int | float:
    """A bound as JSON writes numbers: as it is, or where a double has too few digits, the next whole number out."""
    if bound == bound.to_integral_value():
        return int(bound)
    near = float(bound)
    return near if Decimal(repr(near)) == bound else int(bound.to_integral_value(rounding))
