"""JSON Schema: of the spec language, for editors, and of a family's events, for those who send them.

pydantic describes the dataclasses of the shape. What is done here is to give it their constraints and the words under
each key, and to make one flat document of what it says: no references, no null, every table closed.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, assert_never, cast, get_args, get_origin, get_type_hints

from meterspec.events import INSTANT
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
        kind = Annotated[_type(hints[key.name]), Described(description=words[key.name])]
        if key.default_factory is not MISSING:
            keys.append((key.name, kind, field(default_factory=key.default_factory)))
        else:
            keys.append((key.name, kind, field(default=key.default)))
    made = make_dataclass(cls.__name__, keys, kw_only=True)
    made.__doc__ = cls.__doc__
    made.__pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[attr-defined]
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
    """A type of the shape in pydantic's terms; TOML has no null, and writes a decimal also without a point."""
    from pydantic import WithJsonSchema  # noqa: PLC0415

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
        return Annotated[int | Decimal, WithJsonSchema({"type": "number"})]
    if kind in {datetime, date}:
        return Annotated[kind, WithJsonSchema({"type": "string"})]
    return kind


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
        members = [_flat(member, definitions) for member in node["anyOf"]]
        if not any("const" in member or "enum" in member for member in members):
            del node["anyOf"]
            return {**_merged(members), **node}
        node["anyOf"] = members
    return node


def _merged(members: list[Schema]) -> Schema:
    """One schema for members of different types: every other keyword says something about one type only."""
    types = dict.fromkeys(member["type"] for member in members)
    merged: Schema = {key: value for member in members for key, value in member.items()}
    return {**merged, "type": list(types) if len(types) > 1 else next(iter(types))}


# Events ---------------------------------------------------------------------------------------------------------


def event_schema(family: Family) -> Schema:
    """The JSON Schema of one event of a family: it takes every event that a run accepts.

    It may take an event that a run rejects: JSON Schema has no bounds for a number written as text.
    """
    schema: Schema = {
        "$schema": _DRAFT,
        "$id": f"urn:meterspec:event:{family.name}",
        "title": family.name,
        "type": "object",
        "properties": {field.name: _field_schema(family, field) for field in family.fields},
        "required": [field.name for field in family.fields if field.required],
    }
    return schema | ({"description": family.description} if family.description else {})
