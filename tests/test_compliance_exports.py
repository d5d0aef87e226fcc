"""What `compile` says about obligations is what each format's own project takes, and a broken twin is refused."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from jsonschema import Draft202012Validator
from openlineage.client.generated.base import InputDataset, Job, JobEvent, OutputDataset
from openlineage.client.generated.column_lineage_dataset import (
    ColumnLineageDatasetFacet,
    Fields,
    InputField,
    Transformation,
)
from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.component import ComponentDefinition

from meterspec.backends.compliance import schema
from meterspec.diagnostics import Diagnostics
from meterspec.pipeline import compile_program, load
from meterspec.project import SpecFile
from tests.conftest import FIXTURES, ROOT

Document = dict[str, Any]
REPORT = ROOT / "examples" / "carbon-report" / "meterspec.toml"
SPECS = [REPORT, *sorted((FIXTURES / "valid").glob("*.toml"))]


def compiled(text: str, name: str = "meterspec.toml") -> dict[str, str]:
    out = Diagnostics()
    files = [SpecFile(name, text.encode())]
    program = load(files, out)
    assert program is not None, [d.message for d in out]
    made = compile_program(program, files, out, targets=["sql", "compliance"])
    assert not out.has_errors
    return {str(artifact.path): artifact.text for artifact in made}


BUILDS = {spec.stem: compiled(spec.read_text()) for spec in SPECS}
BUILD = BUILDS["meterspec"]
MANIFEST: Document = json.loads(BUILD["compliance/manifest.json"])
builds = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


# The manifest ---------------------------------------------------------------------------------------------------

SCHEMA = Draft202012Validator(json.loads(schema()))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema()))


@builds
def test_a_manifest_keeps_its_schema(build: dict[str, str]) -> None:
    SCHEMA.validate(json.loads(build["compliance/manifest.json"]))


def dropped(facts: Document) -> None:
    del facts["limitations"]


def digest_cut(facts: Document) -> None:
    facts["artefacts"][0]["sha256"] = "abc"


def status_invented(facts: Document) -> None:
    facts["controls"][0]["status"] = "compliant"


def key_added(facts: Document) -> None:
    facts["certified"] = True


def day_with_a_time(facts: Document) -> None:
    facts["as_of"]["day"] = "2026-06-30T00:00:00Z"


@pytest.mark.parametrize("spoil", [dropped, digest_cut, status_invented, key_added, day_with_a_time])
def test_a_broken_manifest_is_refused(spoil: Callable[[Document], None]) -> None:
    facts = copy.deepcopy(MANIFEST)
    spoil(facts)
    assert not SCHEMA.is_valid(facts)


@builds
def test_every_rule_has_an_outcome(build: dict[str, str]) -> None:
    from meterspec.check.compliance import rules  # noqa: PLC0415

    controls = json.loads(build["compliance/manifest.json"])["controls"]
    assert {one["rule"] for one in controls} == {rule.code for rule in rules()}
    for one in controls:
        assert (one["message"] is None) == (one["status"] in {"pass", "not_applicable"})


def test_a_number_leads_from_its_fields_to_the_bytes_and_to_the_datapoint() -> None:
    number = next(one for one in MANIFEST["numbers"] if one["id"] == "agent-carbon-location")
    fields = {one["name"]: one for one in number["inputs"]}
    assert fields["grid_intensity_g_per_kwh"]["factor"]["version"] == "2025"
    assert fields["energy_joules"]["unit"] == "J"
    assert number["expression"] == "energy_joules * grid_intensity_g_per_kwh / 3600000000.0"
    [view] = number["views"]
    assert view["sha256"] == sha256(BUILD[view["file"]].encode()).hexdigest()
    assert f'"{view["view"]}"' in BUILD[view["file"]] or view["view"] in BUILD[view["file"]]
    assert number["disclosure"] == {
        "concept": "esrs:GrossLocationBasedScope2GreenhouseGasEmissions",
        "regime": "csrd",
        "standard": "esrs-set1-2023-12-22",
        "datapoint": "E1-6",
        "unit": "tCO2e",
        "times": "1/1000",
    }


def test_the_retention_that_won_says_who_asked_for_it() -> None:
    schedule = {one["subject"]: one for one in MANIFEST["retention_schedule"] if one["evidence"] == "events"}
    kept = schedule["acme.platform.agent-run"]
    assert (kept["months"], kept["clock"]) == (120, "calendar_year_end")
    assert kept["delete_not_before"] == "2037-01-01"
    assert kept["won_by"] == "family acme.platform.agent-run"
    assert {"source": "regime csrd", "months": 120, "clock": "calendar_year_end"} in kept["sources"]


@builds
def test_nothing_is_called_compliant(build: dict[str, str]) -> None:
    for path, text in build.items():
        if path.startswith("compliance/"):
            assert not re.search(r"\b(compliant|certified|conformant)\b", text, re.IGNORECASE), path


@builds
def test_no_instant_comes_from_a_clock(build: dict[str, str]) -> None:
    facts = json.loads(build["compliance/manifest.json"])
    allowed = facts["as_of"]["day"]
    for path in ("compliance/openlineage.ndjson", "compliance/oscal-assessment-results.json"):
        instants = re.findall(r"\d{4}-\d{2}-\d{2}T[0-9:.]+", build[path])
        assert set(instants) <= {f"{allowed}T00:00:00"}


# in-toto --------------------------------------------------------------------------------------------------------


def read_statement(facts: Document) -> None:
    """What the reference implementation makes of a statement, and the digests it does not look at."""
    message = json_format.ParseDict(facts, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    for subject in facts["subject"]:
        if not re.fullmatch("[0-9a-f]{64}", subject["digest"]["sha256"]):
            raise ValueError(subject["name"])


@builds
def test_a_statement_names_every_artefact_by_its_digest(build: dict[str, str]) -> None:
    facts = json.loads(build["compliance/statement.json"])
    read_statement(facts)
    subjects = {one["name"]: one["digest"]["sha256"] for one in facts["subject"]}
    others = {path: text for path, text in build.items() if path not in {"manifest.json", "compliance/statement.json"}}
    assert subjects == {path: sha256(text.encode()).hexdigest() for path, text in others.items()}
    assert set(facts["predicate"]) == {"buildDefinition", "runDetails"}


def no_subject(facts: Document) -> None:
    facts["subject"] = []


def no_digest(facts: Document) -> None:
    facts["subject"][0]["digest"] = {}


def another_type(facts: Document) -> None:
    facts["_type"] = "https://in-toto.io/Statement/v9"


def unknown_key(facts: Document) -> None:
    facts["when"] = "now"


def malformed_digest(facts: Document) -> None:
    facts["subject"][0]["digest"]["sha256"] = "xyz"


@pytest.mark.parametrize("spoil", [no_subject, no_digest, another_type, unknown_key, malformed_digest])
def test_a_broken_statement_is_refused(spoil: Callable[[Document], None]) -> None:
    facts = json.loads(BUILD["compliance/statement.json"])
    spoil(facts)
    with pytest.raises((ValueError, json_format.ParseError, KeyError)):
        read_statement(facts)


# OpenLineage ----------------------------------------------------------------------------------------------------

_KINDS = {"DIRECT": {"IDENTITY", "TRANSFORMATION", "AGGREGATION"}}
_KINDS["INDIRECT"] = {"JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"}


def read_event(facts: Document) -> JobEvent:
    """An event in the classes of the client library, which know every key and refuse any other."""
    given = copy.deepcopy(facts)
    given.pop("schemaURL")
    outputs = []
    for output in given.pop("outputs"):
        facets = output.pop("facets")
        lineage, columns = facets.pop("columnLineage"), facets.pop("schema")
        assert not facets
        for facet in (lineage, columns):
            assert facet.pop("_producer") == given["producer"] and facet.pop("_schemaURL").startswith("https://")
        fields = {}
        for name, one in lineage.pop("fields").items():
            inputs = []
            for field in one.pop("inputFields"):
                steps = [Transformation(**step) for step in field.pop("transformations")]
                for step in steps:
                    if step.subtype not in _KINDS[step.type]:
                        raise ValueError(step.subtype)
                inputs.append(InputField(**field, transformations=steps))
            fields[name] = Fields(inputFields=inputs, **one)
        made = {
            "columnLineage": ColumnLineageDatasetFacet(fields=fields, **lineage),
            "schema": SchemaDatasetFacet(fields=[SchemaDatasetFacetFields(**one) for one in columns.pop("fields")]),
        }
        outputs.append(OutputDataset(**output, facets=made))
    inputs_of = [InputDataset(**one) for one in given.pop("inputs")]
    return JobEvent(job=Job(**given.pop("job")), inputs=inputs_of, outputs=outputs, **given)


@builds
def test_lineage_is_read_by_the_client_of_its_project(build: dict[str, str]) -> None:
    lines = build["compliance/openlineage.ndjson"].splitlines()
    events = [read_event(json.loads(line)) for line in lines]
    assert [event.job.name for event in events] == [
        one["id"] for one in json.loads(build["compliance/manifest.json"])["numbers"]
    ]


def event() -> Document:
    return dict(json.loads(BUILD["compliance/openlineage.ndjson"].splitlines()[0]))


def no_namespace(facts: Document) -> None:
    del facts["job"]["namespace"]


def no_instant(facts: Document) -> None:
    facts["eventTime"] = "yesterday"


def unknown_step(facts: Document) -> None:
    fields = facts["outputs"][0]["facets"]["columnLineage"]["fields"]
    fields["quantity"]["inputFields"][0]["transformations"][0]["type"] = "MAYBE"


def misspelt_key(facts: Document) -> None:
    facts["outputs"][0]["facets"]["columnLineage"]["fields"]["quantity"]["inputField"] = []


@pytest.mark.parametrize("spoil", [no_namespace, no_instant, unknown_step, misspelt_key])
def test_a_broken_event_is_refused(spoil: Callable[[Document], None]) -> None:
    facts = event()
    read_event(facts)
    spoil(facts)
    with pytest.raises((TypeError, ValueError, KeyError)):
        read_event(facts)


LINEAGE = """
[[families]]
name = "job"
schema.status = { type = "string", required = true }
schema.took = { type = "integer", required = true, min = 0, max = 1_000 }
schema.size = { type = "integer", required = true, min = 0, max = 1_000 }
[[meters]]
name = "work"
filter = "status == 'ok'"
source = { kind = "family", family = "job" }
aggregate = { fn = "SUM", value = "took > 10 ? size : 0", group_by = ["status"] }
[[meters]]
name = "longest"
source = { kind = "family", family = "job" }
aggregate = { fn = "MAX", value = "took", group_by = ["status"] }
[[meters]]
name = "share"
source = { kind = "ratio", numerator = "work", denominator = "longest" }
"""


def steps_of(meter: str, column: str) -> dict[str, list[tuple[str, str, bool]]]:
    """The steps from each field to a column: kind, subtype, and whether they mask the value."""
    for line in compiled(LINEAGE)["compliance/openlineage.ndjson"].splitlines():
        facts = json.loads(line)
        if facts["job"]["name"] == meter:
            fields = facts["outputs"][0]["facets"]["columnLineage"]["fields"][column]["inputFields"]
            return {
                f"{one['name']}.{one['field']}": [
                    (step["type"], step["subtype"], step["masking"]) for step in one["transformations"]
                ]
                for one in fields
            }
    raise KeyError(meter)


def test_transformations_come_from_the_typed_tree() -> None:
    assert steps_of("work", "quantity") == {
        "raw_job.took": [("INDIRECT", "CONDITIONAL", False)],
        "raw_job.size": [("DIRECT", "AGGREGATION", True)],
        "raw_job.status": [("INDIRECT", "FILTER", False), ("INDIRECT", "GROUP_BY", False)],
        "raw_job.event_time": [("INDIRECT", "WINDOW", False)],
    }
    assert steps_of("work", "status") == {"raw_job.status": [("DIRECT", "IDENTITY", False)]}


def test_the_greatest_value_is_not_masked_though_it_is_aggregated() -> None:
    assert steps_of("longest", "quantity")["raw_job.took"] == [("DIRECT", "AGGREGATION", False)]


def test_a_ratio_comes_from_the_views_of_its_meters() -> None:
    assert set(steps_of("share", "quantity")) == {"work.quantity", "longest.quantity"}


# OSCAL ----------------------------------------------------------------------------------------------------------


@builds
def test_oscal_is_read_by_trestle(build: dict[str, str]) -> None:
    definition = json.loads(build["compliance/oscal-component-definition.json"])["component-definition"]
    results = json.loads(build["compliance/oscal-assessment-results.json"])["assessment-results"]
    ComponentDefinition(**definition)
    read = AssessmentResults(**results)
    controls = json.loads(build["compliance/manifest.json"])["controls"]
    judged = [one for one in controls if one["status"] != "not_applicable"]
    assert len(read.results[0].findings or []) == len(judged)
    states = [finding["target"]["status"]["state"] for finding in results["results"][0].get("findings", [])]
    assert states.count("satisfied") == sum(one["status"] == "pass" for one in judged)


def clock_uuid(facts: Document) -> None:
    facts["uuid"] = "c232ab00-9414-11ec-b3c8-9f6bdeced846"


def unknown_word(facts: Document) -> None:
    facts["compliant"] = True


def bad_token(facts: Document) -> None:
    facts["results"][0]["findings"][0]["target"]["target-id"] = "no token"


def bad_state(facts: Document) -> None:
    facts["results"][0]["findings"][0]["target"]["status"]["state"] = "fine"


def no_start(facts: Document) -> None:
    del facts["results"][0]["start"]


@pytest.mark.parametrize("spoil", [clock_uuid, unknown_word, bad_token, bad_state, no_start])
def test_broken_results_are_refused(spoil: Callable[[Document], None]) -> None:
    facts = json.loads(BUILD["compliance/oscal-assessment-results.json"])["assessment-results"]
    AssessmentResults(**facts)
    spoil(facts)
    with pytest.raises(ValueError):
        AssessmentResults(**facts)


# Pages ----------------------------------------------------------------------------------------------------------

HOSTILE = """
[[families]]
name = "api.call"
description = "</table><script>alert(1)</script>"
schema.host = { type = "string", description = "x" }
compliance = { purpose = "<img src=x onerror=alert(1)>|`a``b`\\u202e", jurisdiction = ["eu"], storage = ["DE"] }
[[meters]]
name = "calls"
unit = "{<b>|x</b>}"
filter = "host != '</code><script>|`` `'"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT" }
"""


class Tags(HTMLParser):
    """The tags of a page, and where anything is fetched from."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "data", "action"}]


def test_texts_of_a_spec_never_become_markup() -> None:
    build = compiled(HOSTILE)
    page = Tags()
    page.feed(build["compliance/report.html"])
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "ul", "li", "b", "div", "br"}
    assert page.tags <= known | {"table", "tr", "th", "td", "code"}
    assert page.fetched == []
    assert "&lt;script&gt;" in build["compliance/report.html"] and "&amp;lt;" not in build["compliance/report.html"]
    markdown = build["compliance/report.md"]
    assert "\u202e" not in markdown + build["compliance/report.html"]
    for line in markdown.splitlines():
        if "<script>" in line or "<b>" in line:
            outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
            assert "<" not in outside, line


def test_names_in_a_message_are_code_on_the_page() -> None:
    page = BUILDS["published_long"]["compliance/report.html"]
    assert "meter <code>agent-carbon-attribution</code> is under <code>csrd</code>" in page


@builds
def test_rows_of_a_table_in_markdown_have_as_many_cells_as_its_head(build: dict[str, str]) -> None:
    width = None
    for line in build["compliance/report.md"].splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = len(re.split(r"(?<!\\)\|", line)) - 2
        assert width in {None, cells}, line
        width = cells
