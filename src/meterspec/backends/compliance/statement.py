"""An in-toto Statement v1 with SLSA provenance v1: every artefact by its digest, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from meterspec.backends.base import Artifact

__all__ = ["provenance", "statement"]

Document = dict[str, Any]


def statement(facts: Document, artifacts: Sequence[Artifact]) -> Document:
    """The statement over artefacts; it holds no instant, so the same build has the same one."""
    compiler = facts["compiler"]
    registry = [
        {"name": f"registry/{name}", "digest": {"sha256": digest}}
        for name, digest in sorted(compiler["registry"]["files"].items())
    ]
    inputs = [{"name": f"{one['role']}/{one['path']}", "digest": {"sha256": one["sha256"]}} for one in facts["inputs"]]
    made = {str(one.path): sha256(one.text.encode()).hexdigest() for one in sorted(artifacts, key=lambda one: one.path)}
    return provenance("compile", made, facts["build"], [*inputs, *registry], compiler["version"])


def provenance(
    command: str, made: Mapping[str, str], parameters: Document, dependencies: Sequence[Document], version: str
) -> Document:
    """What a command made, each file by its sha256, of what, and how it was asked."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in made.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"urn:meterspec:{command}:1",
                "externalParameters": parameters,
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": "urn:meterspec:compiler", "version": {"meterspec": version}}},
        },
    }
