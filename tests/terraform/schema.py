"""A `.tf.json` text held against the schema of the provider, nested attributes and references included.

Terraform drops keys that it does not know inside nested attributes without a word, so this is the stricter check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Attributes = dict[str, dict[str, Any]]

META = {"count", "depends_on", "for_each", "lifecycle", "provider"}
"""Arguments of Terraform's own, which every resource takes."""

_REFERENCE = re.compile(r"\$\{(\w+)\.(\w+)\.(\w+)\}")
_TEMPLATE = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_KINDS: dict[str, type | tuple[type, ...]] = {"String": str, "Bool": bool, "Int64": int, "Float64": (int, float)}


def load(path: Path) -> dict[str, Attributes]:
    """The attributes of each resource type."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {kind: resource["attributes"] for kind, resource in data["resources"].items()}


def faults(text: str, schema: dict[str, Attributes]) -> list[str]:
    """What is wrong with a configuration, a sentence each."""
    resources = json.loads(text)["resource"]
    found = []
    for kind, named in resources.items():
        if kind not in schema:
            found.append(f"no resource {kind}")
            continue
        for name, body in named.items():
            plain = {key: value for key, value in body.items() if key not in META}
            found += [f"{kind}.{name}{fault}" for fault in _object(plain, schema[kind], resources, schema)]
    return found


def _object(body: Any, attributes: Attributes, resources: Any, schema: dict[str, Attributes]) -> Iterator[str]:
    if not isinstance(body, dict):
        yield ": not an object"
        return
    for key in sorted(attributes):
        if attributes[key].get("required") and key not in body:
            yield f": {key} is required"
    for key, value in body.items():
        if key not in attributes:
            yield f": no attribute {key}"
        elif not attributes[key].get("required") and not attributes[key].get("optional"):
            yield f": {key} cannot be set"
        else:
            yield from (f".{key}{fault}" for fault in _value(value, attributes[key], resources, schema))


def _value(value: Any, attribute: dict[str, Any], resources: Any, schema: dict[str, Attributes]) -> Iterator[str]:
    if isinstance(value, str) and (reference := _REFERENCE.fullmatch(value)):
        kind, name, key = reference.groups()
        if name not in resources.get(kind, {}):
            yield f": {kind}.{name} is not declared"
        elif key not in schema[kind]:
            yield f": {kind} has no {key}"
        return
    if isinstance(value, str) and _TEMPLATE.search(value):
        yield ": a template"
    match attribute["kind"]:
        case "SingleNested":
            yield from _object(value, attribute["nested"], resources, schema)
        case "ListNested":
            for i, each in enumerate(value):
                yield from (f"[{i}]{fault}" for fault in _object(each, attribute["nested"], resources, schema))
        case "Map":
            for key, each in value.items():
                yield from (f"[{key}]{fault}" for fault in _value(each, {"kind": "String"}, resources, schema))
        case "List":
            for i, each in enumerate(value):
                yield from (f"[{i}]{fault}" for fault in _value(each, {"kind": "String"}, resources, schema))
        case kind:
            if not isinstance(value, _KINDS[kind]) or (kind != "Bool" and isinstance(value, bool)):
                yield f": {value!r} is no {kind}"
            elif value not in attribute.get("one_of", [value]):
                yield f": {value!r} is none of {', '.join(attribute['one_of'])}"
