"""OSCAL 1.2.1: the rules as a component definition, and how they came out as assessment results.

Identifiers are UUIDs of version 5, made of what they name, so that the same build has the same ones.
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

__all__ = ["assessment_results", "component_definition"]

VERSION = "1.2.1"
Document = dict[str, Any]
_SOURCE = "urn:meterspec:rules"


def component_definition(facts: Document) -> Document:
    """What the compiler checks, a control a rule."""
    seed = _seed(facts)
    rules = list({entry["rule"]: entry for entry in facts["controls"]}.values())
    return {
        "component-definition": {
            "uuid": _uuid(seed, "component-definition"),
            "metadata": _metadata(facts, "Rules about obligations that a meterspec was checked by"),
            "components": [
                {
                    "uuid": _uuid(seed, "component"),
                    "type": "software",
                    "title": "meterspec",
                    "description": "A compiler for usage metering. It compares what a spec states with what the "
                    "regimes it names ask for.",
                    "control-implementations": [
                        {
                            "uuid": _uuid(seed, "implementation"),
                            "source": _SOURCE,
                            "description": "Each rule is compared at compile time; whether a statement is true is not.",
                            "implemented-requirements": [
                                {
                                    "uuid": _uuid(seed, "requirement", rule["rule"]),
                                    "control-id": rule["rule"].lower(),
                                    "description": rule["title"],
                                }
                                for rule in rules
                            ],
                        }
                    ],
                }
            ],
        }
    }


_STATES = {"pass": "satisfied", "fail": "not-satisfied", "waived": "not-satisfied"}


def assessment_results(facts: Document) -> Document:
    """How each rule came out, with the values that were compared."""
    seed = _seed(facts)
    judged = [entry for entry in facts["controls"] if entry["status"] in _STATES]
    numbered = [(entry, f"{number}") for number, entry in enumerate(judged)]
    result: Document = {
        "uuid": _uuid(seed, "result"),
        "title": "Obligations compared at compile time",
        "description": " ".join(facts["limitations"]),
        "start": _instant(facts),
        "reviewed-controls": {"control-selections": [_selection(facts, judged)]},
    }
    if judged:
        result["observations"] = [
            {
                "uuid": _uuid(seed, "observation", number),
                "title": f"{entry['rule']} {entry['subject']}",
                "description": _description(entry),
                "methods": ["TEST-AUTOMATED"],
                "collected": _instant(facts),
            }
            for entry, number in numbered
        ]
        result["findings"] = [
            {
                "uuid": _uuid(seed, "finding", number),
                "title": f"{entry['rule']} {entry['subject']}: {entry['status']}",
                "description": entry["message"] or entry["title"],
                "target": {
                    "type": "objective-id",
                    "target-id": entry["rule"].lower(),
                    "status": {"state": _STATES[entry["status"]], "reason": entry["status"]},
                },
                "related-observations": [{"observation-uuid": _uuid(seed, "observation", number)}],
            }
            for entry, number in numbered
        ]
    return {
        "assessment-results": {
            "uuid": _uuid(seed, "assessment-results"),
            "metadata": _metadata(facts, "How the rules about obligations came out"),
            "import-ap": {"href": "manifest.json"},
            "results": [result],
        }
    }


def _selection(facts: Document, judged: list[Document]) -> Document:
    codes = dict.fromkeys(entry["rule"].lower() for entry in judged)
    return {"include-controls": [{"control-id": code} for code in codes]} if codes else {"include-all": {}}


def _description(entry: Document) -> str:
    values = ", ".join(f"{key}: {value}" for key, value in entry["compared"].items())
    return f"{entry['status']}; compared {values}" if values else str(entry["status"])


def _metadata(facts: Document, title: str) -> Document:
    return {
        "title": title,
        "last-modified": _instant(facts),
        "version": facts["compiler"]["version"],
        "oscal-version": VERSION,
    }


def _instant(facts: Document) -> str:
    return f"{facts['as_of']['day']}T00:00:00Z"


def _seed(facts: Document) -> str:
    return "/".join([facts["as_of"]["day"], *(one["sha256"] for one in facts["inputs"])])


def _uuid(seed: str, *names: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(["urn:meterspec", seed, *names])))
