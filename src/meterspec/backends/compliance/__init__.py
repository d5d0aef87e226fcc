"""The compliance backend: from a reported number back to the fields, the law and the bytes.

`manifest` is what everything else is made of; `pages` shows it to people, in Markdown and HTML. `openlineage` and
`oscal` say the same in the words of other tools, and `statement` names every artefact by its digest, for a signature.
Nothing here claims more than was compared: which rules, on which values, and what was not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from meterspec.assessment import Assessment
from meterspec.backends.base import Artifact
from meterspec.backends.compliance.manifest import Build, Input, document
from meterspec.backends.compliance.openlineage import job_events
from meterspec.backends.compliance.oscal import assessment_results, component_definition
from meterspec.backends.compliance.pages import html, markdown
from meterspec.backends.compliance.statement import provenance, statement
from meterspec.ir import Program

__all__ = ["FOLDER", "MANIFEST", "SIGNATURE", "STATEMENT", "Build", "Input", "as_text", "emit", "provenance", "schema"]

FOLDER = PurePosixPath("compliance")
MANIFEST = FOLDER / "manifest.json"
STATEMENT = FOLDER / "statement.json"
SIGNATURE = FOLDER / "statement.dsse.json"
"""The signed statement: a DSSE envelope, written where a key is given."""


def emit(
    program: Program, judged: Assessment, inputs: Sequence[Input], build: Build, artifacts: Sequence[Artifact]
) -> Iterator[Artifact]:
    """Everything below `compliance/`, over the artefacts that were made before."""
    facts = document(program, judged, inputs, build, artifacts)
    made = [
        Artifact(MANIFEST, as_text(facts)),
        Artifact(FOLDER / "report.md", markdown(facts)),
        Artifact(FOLDER / "report.html", html(facts)),
        Artifact(FOLDER / "openlineage.ndjson", "".join(map(_line, job_events(program, facts)))),
        Artifact(FOLDER / "oscal-component-definition.json", as_text(component_definition(facts))),
        Artifact(FOLDER / "oscal-assessment-results.json", as_text(assessment_results(facts))),
    ]
    yield from made
    yield Artifact(STATEMENT, as_text(statement(facts, [*artifacts, *made])))


def schema() -> str:
    """The JSON Schema of the manifest, in the edition of 2020-12."""
    from pathlib import Path  # noqa: PLC0415

    return (Path(__file__).parent / "manifest.schema.json").read_text(encoding="utf-8")


def as_text(document: object) -> str:
    """A document as it is written: sorted, indented, the same on every machine."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _line(document: object) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"
