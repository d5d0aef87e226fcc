"""An in-toto Statement v1 with SLSA provenance v1: every artefact by its digest, and what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from meterspec.backends.base import Artifact

__all__ = ["statement"]

Document = dict[str, Any]


def statement(facts: Document, artifacts: Sequence[Artifact]) -> Document:
    """The statement over artefacts; it holds no instant, so the same build has the same one."""
    compiler = facts["compiler"]
    registry = [
        {"name": f"registry/{name}", "digest": {"sha256": digest}}
        for name, digest in sorted(compiler["registry"]["files"].items())
    ]
    inputs = [{"name": f"{one['role']}/{one['path']}", "digest": {"sha256": one["sha256"]}} for one in facts["inputs"]]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": str(artifact.path), "digest": {"sha256": sha256(artifact.text.encode()).hexdigest()}}
            for artifact in sorted(artifacts, key=lambda artifact: artifact.path)
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:meterspec:compile:1",
                "externalParameters": facts["build"],
                "resolvedDependencies": [*inputs, *registry],
            },
            "runDetails": {
                "builder": {"id": "urn:meterspec:compiler", "version": {"meterspec": compiler["version"]}},
            },
        },
    }
