"""`manifest.json`: what was compiled from what, and how each number comes about; `sources.json`, the files of the spec.

It is made last, over all other artefacts, so that it can hold their digests.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from hashlib import sha256
from pathlib import PurePath, PurePosixPath

from meterspec import __version__
from meterspec.backends.base import Artifact
from meterspec.cel.printer import show
from meterspec.cel.tree import Expr, FieldRef, walk
from meterspec.ir import Family, FamilySource, Meter, Program, RatioSource, Window

__all__ = ["FORMAT", "PATH", "SOURCES", "emit", "lineage", "sources", "window_document"]

FORMAT = 1
"""The version of the manifest's own layout."""
PATH = PurePosixPath("manifest.json")
SOURCES = PurePosixPath("sources.json")


def sources(files: Sequence[tuple[str, bytes]], registry: tuple[str, bytes] | None = None) -> Artifact:
    """The files of a spec, each a name and its bytes, as they were compiled: what `diff` compares artefacts by, and
    `verify` compiles again. `registry` is what the organisation adds to the registry of regimes."""
    listed = [_source(name, data) for name, data in files]
    document: dict[str, object] = {"files": listed, "format": FORMAT}
    if registry is not None:
        document["registry"] = _source(*registry)
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    return Artifact(SOURCES, text + "\n")


def _source(name: str, data: bytes) -> dict[str, str]:
    return {"name": PurePath(name).name, "text": data.decode()}


def emit(program: Program, files: Sequence[tuple[str, bytes]], artifacts: Sequence[Artifact]) -> Artifact:
    """The manifest of artefacts compiled from files, each a name and its bytes."""
    document = {
        "compiler": {"name": "meterspec", "version": __version__},
        "format": FORMAT,
        "inputs": [
            {"bytes": len(data), "path": PurePath(name).name, "sha256": sha256(data).hexdigest()}
            for name, data in files
        ],
        "files": [
            {"path": str(artifact.path), "sha256": sha256(artifact.text.encode()).hexdigest()}
            for artifact in sorted(artifacts, key=lambda artifact: artifact.path)
        ],
        "families": [_family(family) for family in program.families],
        "meters": [lineage(program, meter, artifacts) for meter in program.meters],
    }
    return Artifact(PATH, json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def lineage(program: Program, meter: Meter, artifacts: Sequence[Artifact] = ()) -> dict[str, object]:
    """How a meter's number comes about: fields, expressions, aggregate, window, and the views that hold it."""
    document: dict[str, object] = {
        "name": meter.name,
        "kind": meter.kind.value,
        "unit": meter.unit,
        "precision": meter.precision,
        "rounding": meter.rounding.value,
        "window": window_document(meter.window),
        "group_by": list(meter.group_by),
        "fields": _fields(program, meter),
        "views": [
            {"column": "quantity", "file": str(artifact.path), "view": meter.sql_name}
            for artifact in artifacts
            if artifact.path.name == "meters.sql"
        ],
    }
    match meter.source:
        case FamilySource(families):
            document["families"] = list(families)
        case RatioSource(numerator, denominator):
            document["ratio"] = {"numerator": numerator, "denominator": denominator}
    if meter.filter is not None:
        document["filter"] = show(meter.filter)
    if meter.aggregate is not None:
        document["aggregate"] = meter.aggregate.function.value
        document["value"] = show(meter.aggregate.value) if meter.aggregate.value is not None else None
    return document


def window_document(window: Window) -> dict[str, object]:
    """A window as its kind and its own facts."""
    kinds = {"BillingCycle": "billing_cycle", "CalendarWindow": "calendar"}
    name = type(window).__name__
    facts = {field.name: getattr(window, field.name) for field in fields(window)}
    shown = {
        key: value.value if isinstance(value, Enum) else value for key, value in facts.items() if value is not None
    }
    return {"kind": kinds.get(name, name.lower()), **shown}


def _family(family: Family) -> dict[str, object]:
    return {
        "name": family.name,
        "event_id": family.event_id,
        "event_time": family.event_time,
        "raw": ".".join(family.raw),
        "view": family.sql_name,
        "jurisdiction": list(family.compliance.jurisdiction),
        "audit_retention_years": family.compliance.audit_retention_years,
    }


def _fields(program: Program, meter: Meter) -> list[dict[str, object]]:
    """The fields a meter's number depends on, with their types and units."""
    used = set(meter.group_by) | _named(meter.filter) | _named(meter.aggregate.value if meter.aggregate else None)
    if isinstance(meter.source, RatioSource):
        return []
    return [
        {"family": family.name, "name": field.name, "type": field.type.value, "unit": field.unit}
        for family in program.families_of(meter)
        for field in family.fields
        if field.name in used or field.name in {family.event_id, family.event_time}
    ]


def _named(expr: Expr | None) -> set[str]:
    return {node.name for node in walk(expr) if isinstance(node, FieldRef)} if expr is not None else set()
