"""The JSON Schemas: the editors' one takes what the reader takes, and a family's one what a run accepts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import MISSING, asdict, fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from textwrap import dedent
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from meterspec.catalogue import rules
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.events import find
from meterspec.ir import Family, Field, FieldType, Program
from meterspec.run import Reject, run
from meterspec.schema import document_schema, event_schema, validator
from meterspec.source import Source
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from meterspec.spec.shape import Document, Length, Matching, Range
from tests.conftest import FIXTURES
from tests.corpus import announced
from tests.test_cli import meterspec
from tests.test_corpus import INVALID, VALID, name_of
from tests.test_rules import code_of

LANGUAGE = document_schema()
EDITOR = Draft7Validator(LANGUAGE)
SHAPE_RULES = [rule for rule in rules() if rule.code.startswith("MS12") and rule.bad]
OTHER_RULES = [rule for rule in rules() if rule.code[:3] in {"MS2", "MS3", "MS4", "MS5"} and rule.bad]


def values(text: str) -> dict[str, object]:
    """A TOML document as the reader meets it."""
    parsed = toml.read("meterspec.toml", dedent(text).encode(), Diagnostics())
    assert parsed is not None
    return parsed[1]


def as_json(value: object) -> Any:
    """A TOML document as an editor hands it to a schema."""
    match value:
        case dict():
            return {key: as_json(item) for key, item in value.items()}
        case list():
            return [as_json(item) for item in value]
        case Decimal():
            return float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return value


def refusals(text: str) -> list[str]:
    return [error.message for error in EDITOR.iter_errors(as_json(values(text)))]


# The language


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_fixture_is_valid_in_an_editor(path: Path) -> None:
    assert refusals(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_editor_refuses_the_fixtures_that_break_the_shape_and_only_those(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    codes = {finding.code for finding in announced(text) if finding.severity == "error"}
    if not any(code < "MS120" for code in codes):
        assert bool(refusals(text)) == any(code < "MS130" for code in codes)


@pytest.mark.parametrize("rule", SHAPE_RULES, ids=code_of)
def test_an_editor_refuses_what_a_rule_of_the_shape_refuses(rule: Rule) -> None:
    assert len(refusals(rule.bad)) == 1
    assert refusals(rule.good) == []


@pytest.mark.parametrize("rule", OTHER_RULES, ids=code_of)
def test_an_editor_leaves_the_meaning_to_the_compiler(rule: Rule) -> None:
    assert refusals(rule.bad) == []


def tables(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a table inside a schema."""
    if isinstance(node, dict):
        if "properties" in node or "patternProperties" in node:
            yield node
        for inner in node.values():
            yield from tables(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from tables(inner)


def test_every_key_is_described_and_every_table_closed() -> None:
    found = list(tables(LANGUAGE))
    assert len(found) >= 20
    for table in found:
        assert table["additionalProperties"] is False
        assert all(key.get("description") for key in table.get("properties", {}).values()), table["properties"]


def test_the_schema_is_flat() -> None:
    Draft7Validator.check_schema(LANGUAGE)
    text = json.dumps(LANGUAGE)
    assert LANGUAGE["$schema"] == "http://json-schema.org/draft-07/schema#"
    for keyword in ("$ref", "$defs", "definitions", "oneOf", "null"):
        assert f'"{keyword}"' not in text
    assert text.count('"title"') == 1


@pytest.mark.parametrize(
    ("path", "keywords"),
    [
        ("families[].name", {"type": "string", "maxLength": 100, "pattern": "^([a-z][a-z0-9]*([._-][a-z0-9]+)*)$"}),
        ("families[].max_events", {"type": "integer", "minimum": 1, "maximum": 10**15, "default": 10**9}),
        ("meters[].kind", {"enum": ["billing", "reporting"], "default": "reporting"}),
        ("meters[].aggregate.window", {"type": ["string", "object"], "minLength": 1}),
        ("meters[].aggregate.window.timezone", {"type": "string"}),
        ("meters[].billing.tiers", {"type": "array", "minItems": 1}),
        ("meters[].billing.tiers[].unit_amount", {"type": "number"}),
        ("meters[].billing.tiers[].up_to", {"anyOf": [{"type": "number"}, {"const": "infinity", "type": "string"}]}),
    ],
)
def test_a_key_has_its_type_and_limits(path: str, keywords: dict[str, object]) -> None:
    node = LANGUAGE
    for step in path.replace("[]", ".[]").split("."):
        node = node["items"] if step == "[]" else node["properties"][step]
    assert {key: node.get(key) for key in keywords} == keywords


def test_the_words_of_a_key_win_over_those_of_its_table() -> None:
    meter = LANGUAGE["properties"]["meters"]["items"]["properties"]
    assert (
        meter["compliance"]["description"]
        == "What tightens the family's obligations, and what the number is reported as."
    )
    assert LANGUAGE["properties"]["meters"]["items"]["description"] == "How events become a quantity."


MISTAKES = """
    meterspec = 2
    [[families]]
    name = "API call"
    max_events = 0
    schema.status = { type = "int" }
    [[meters]]
    name = "calls"
    source = { kind = "family", family = "api.call" }
    [meters.aggregate]
    fn = "COUNT"
    window = { kind = "calender", unit = "month" }
    [meters.billing]
    model = "usage"
    currency = "EUR"
    tiers = [{ up_to = "infinite", unit_amount = "1" }]
    [[meters.tests]]
    name = "dates are no text"
    as_of = 2026-01-05
    events = [{ at = 2026-01-05T10:00:00Z, on = 2026-01-05, until = 2026-01-05T10:00:00, text = "2026-01-05", n = 1.5 }]
    expect = []
"""


@pytest.fixture(params=["taplo", "tombi"])
def linter(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], list[str]]:
    """What the two programs behind editors say about a document that names the schema in its first line."""
    (tmp_path / "meterspec.schema.json").write_text(json.dumps(LANGUAGE), encoding="utf-8")
    (tmp_path / "tombi.toml").write_text("schema.catalog.paths = []\n", encoding="utf-8")
    arguments = {"taplo": ["lint"], "tombi": ["lint", "--offline"]}[request.param]

    def lint(text: str) -> list[str]:
        (tmp_path / "meterspec.toml").write_text("#:schema ./meterspec.schema.json\n" + text, encoding="utf-8")
        command = [str(Path(sys.executable).with_name(request.param)), *arguments, "meterspec.toml"]
        environment = {**os.environ, "NO_COLOR": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        errors = re.findall(r"^ *error: (.*)$", said, re.MULTILINE | re.IGNORECASE)
        assert bool(done.returncode) == bool(errors), said
        return errors

    return lint


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_editors_accept_a_valid_fixture_by_the_schema(linter: Callable[[str], list[str]], path: Path) -> None:
    assert linter(path.read_text(encoding="utf-8")) == []


def test_editors_say_one_thing_a_mistake(linter: Callable[[str], list[str]]) -> None:
    assert len(linter(dedent(MISTAKES))) == 7


# The reader and pydantic, on documents made from the shape


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of the shape."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return within(args[0], args[1])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is list:
        return st.lists(of(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=2)
    if origin in {Union, UnionType}:
        return st.one_of(*[of(member) for member in args if member is not NoneType])
    if is_dataclass(kind):
        return table(kind)
    return st.sampled_from(PLAIN[kind])


PLAIN: dict[Any, list[Any]] = {
    str: ["ok", "status == 'ok'", "é", ""],
    int: [0, 7, -(2**63)],
    bool: [True, False],
    Decimal: [0, 100, Decimal("0.45"), Decimal(-1)],
    datetime: [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5)],  # noqa: DTZ001 - TOML has both
    date: [date(2026, 1, 5)],
}
JUNK = [
    *(True, 0, 1, -1, 39, 10**16, Decimal("0.5"), Decimal(1), "", "x", "1", "api.call", "API", "x\n", "a" * 101),
    *("month", "infinity", "COUNT", [], {}, [1], ["x"], [""], {"kind": "lifetime"}, {"a": 1}, time(10)),
    *(date(2026, 1, 5), datetime(2026, 1, 5, tzinfo=UTC)),
]


def within(kind: Any, limit: object) -> st.SearchStrategy[Any]:
    match limit:
        case Range(low, high):
            return st.sampled_from([low, high])
        case Length(least) if kind is str:
            return st.sampled_from(["x" * least, "month"])
        case Length(least):
            return st.lists(of(get_args(kind)[0]), min_size=least, max_size=2)
        case Matching(_, _, longest):
            return st.sampled_from(["api", "status", "a" * longest])
        case _:
            raise TypeError(limit)


def table(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Tables of a dataclass of the shape: its required keys and some others."""
    hints = get_type_hints(cls, include_extras=True)
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    return st.fixed_dictionaries(
        {name: of(hints[name]) for name in required},
        optional={f.name: of(hints[f.name]) for f in fields(cls) if f.name not in required},
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of the shape, with up to two mistakes: another value, a key too few, a key too many."""
    document = draw(table(Document))
    for _ in range(draw(st.integers(0, 2))):
        places = list(places_in(document))
        if not places:
            continue
        container, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 3)):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict):
                container["extra"] = 1
            case _:
                container[key] = deepcopy(draw(st.sampled_from(JUNK)))
    return document


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every table and array of a document, with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places_in(inner)


@settings(max_examples=300, deadline=None)
@given(documents())
@example({"families": [{"name": "api.call\n"}]})
@example({"meters": [{"name": "m", "source": {"kind": "ratio"}, "billing": {"tiers": [{"up_to": []}]}}]})
@example({"families": [{"name": "api.call", "schema": {"a": {"type": "string", "min": True}}}]})
@example(
    {"meters": [{"name": "m", "source": {"kind": "family"}, "tests": [{"name": "t", "events": [{"a": time(1)}]}]}]}
)
def test_the_reader_and_pydantic_take_the_same_documents(document: dict[str, Any]) -> None:
    """Two that know nothing of each other read the same dataclasses; what an editor refuses, both refuse."""
    version = document.get("meterspec", 1)
    assume(version != 1 or type(version) is int)  # pydantic takes anything that equals a literal: true is 1
    out = Diagnostics()
    read = read_document(Source("meterspec.toml", ""), document, out)
    assert (read is None) == bool(list(out))
    try:
        validated = validator().validate_python(document)
    except ValidationError as error:
        assert read is None, error
        return
    assert read is not None, list(out)
    assert asdict(read) == asdict(validated)
    assert list(EDITOR.iter_errors(as_json(document))) == []


# Events

FAMILY = Family(
    name="sensor.reading",
    sql_name="sensor_reading",
    event_id="id",
    event_time="at",
    customer="who",
    fields=(
        Field(name="id", type=FieldType.STRING, required=True),
        Field(name="at", type=FieldType.TIMESTAMP, required=True),
        Field(name="who", type=FieldType.STRING),
        Field(name="count", type=FieldType.INTEGER, minimum=Decimal(0), maximum=Decimal(10), unit="1"),
        Field(name="level", type=FieldType.FLOAT, scale=6, minimum=Decimal("0.5"), maximum=Decimal(10)),
        Field(name="euros", type=FieldType.DECIMAL, precision=18, scale=2, description="What it cost"),
        Field(name="state", type=FieldType.STRING, values=("on", "off"), personal=True),
        Field(name="loud", type=FieldType.BOOLEAN),
        Field(name="seen", type=FieldType.TIMESTAMP),
    ),
)
ROWS = [
    # field, its value as JSON, whether a run accepts it, whether the schema does
    *[("count", text, True, True) for text in ("0", "10", "3.0", "1e1", '"7"', '"7.0"', "null")],
    *[("count", text, False, False) for text in ("-1", "11", "1.5", "true", '""', '"1.5"', '"1e1"', "[1]", "{}")],
    *[("count", text, False, True) for text in ('"11"', '"-1"')],  # no bounds for a number in a text
    *[("level", text, True, True) for text in ("0.5", "10", "1e0", '"9.5"', "null")],
    *[("level", text, False, False) for text in ("0.4", "10.1", '"1e1"', '"NaN"', "true")],
    *[("euros", text, True, True) for text in ("1.25", "-0.5", '"100.25"', "7", "1.250")],
    *[("euros", text, False, False) for text in ('"1,25"', '"+1"', "false", '"Infinity"')],
    *[("euros", text, False, True) for text in ("1.255", "1e30")],  # JSON Schema does not count digits
    *[("state", text, True, True) for text in ('"on"', "null")],
    *[("state", text, False, False) for text in ('"On"', "1", '""')],
    *[("loud", text, True, True) for text in ("true", "false", "null")],
    *[("loud", text, False, False) for text in ('"true"', "1")],
    *[
        ("seen", f'"2026-01-05T10:00:00{rest}"', True, True)
        for rest in ("Z", "", ".123456789Z", "+02:00", "-0330", "z")
    ],
    *[("seen", text, True, True) for text in ('"2026-01-05 10:00:00"', "null")],
    *[("seen", text, False, False) for text in ('"2026-01-05"', '"yesterday"', "1767607200", '"2026-01-05T10:00Z"')],
    ("seen", '"2026-02-30T10:00:00Z"', False, True),
    *[("who", text, True, True) for text in ('"c1"', '""', "null")],
    *[("who", text, False, False) for text in ("5", "true")],
    ("at", "null", False, False),
    ("at", '"2026-01-05T10:00:00Z"', True, True),
    ("unknown", "5", True, True),
]


def line(number: int, field: str, text: str) -> str:
    other = {"id": f'"{number}"', "at": '"2026-01-05T10:00:00Z"'}
    return "{" + ", ".join(f'"{key}": {value}' for key, value in {**other, field: text}.items()) + "}"


@pytest.fixture(scope="module")
def rejected(tmp_path_factory: pytest.TempPathFactory) -> set[int]:
    """The rows that a run rejects."""
    path = tmp_path_factory.mktemp("events") / "e.jsonl"
    path.write_text("\n".join(line(n, field, text) for n, (field, text, _, _) in enumerate(ROWS)), encoding="utf-8")
    program = Program(families=(FAMILY,))
    rejects: list[Reject] = []
    run(program, find(program, [str(path)]), Diagnostics(), rejects=rejects.append)
    return {int(json.loads(reject.row)["id"]) for reject in rejects}


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: f"{ROWS[n][0]}={ROWS[n][1]}")
def test_an_event_that_a_run_accepts_is_valid(number: int, rejected: set[int]) -> None:
    field, text, accepted, valid = ROWS[number]
    assert (number not in rejected) == accepted
    assert Draft7Validator(event_schema(FAMILY)).is_valid(json.loads(line(number, field, text))) == valid
    assert valid or not accepted


def test_the_schema_of_events_says_what_the_fields_are() -> None:
    schema = event_schema(FAMILY)
    Draft7Validator.check_schema(schema)
    assert schema["required"] == ["id", "at"]
    assert schema["properties"]["id"] == {
        "type": ["string"],
        "description": "Identifies the event: repeats count once.",
    }
    assert schema["properties"]["level"] == {
        "type": ["number", "string", "null"],
        "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
        "minimum": 0.5,
        "maximum": 10,
    }
    assert schema["properties"]["euros"]["description"] == "What it cost."
    assert schema["properties"]["state"]["enum"] == ["on", "off", None]
    assert schema["properties"]["state"]["description"] == "Personal data."


@pytest.mark.parametrize(
    ("bound", "low", "high"),
    [("0.1", 0.1, 0.1), ("9223372036854775807", 2**63 - 1, 2**63 - 1), ("-0.123456789012345678", -1, 0)],
)
def test_a_bound_is_exact_or_wider(bound: str, low: float, high: float) -> None:
    number = Field(
        name="x", type=FieldType.DECIMAL, precision=38, scale=18, minimum=Decimal(bound), maximum=Decimal(bound)
    )
    properties = event_schema(
        Family(name="f", sql_name="f", event_id="id", event_time="at", customer=None, fields=(number,))
    )
    assert properties["properties"]["x"]["minimum"] == low
    assert properties["properties"]["x"]["maximum"] == high


# The command


def test_the_command_prints_the_schema_of_the_language_or_of_a_family() -> None:
    assert json.loads(meterspec("schema").stdout) == LANGUAGE
    published = str(FIXTURES / "valid" / "published_long.toml")
    done = meterspec("schema", "--family", "acme.platform.agent-run", published)
    assert json.loads(done.stdout)["$id"] == "urn:meterspec:event:acme.platform.agent-run"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--family", "acme.platform.agent-rum", "{}"], "did you mean `acme.platform.agent-run`?"),
        (["{}"], "with `--family NAME`"),
    ],
)
def test_the_command_says_what_it_cannot_do(arguments: list[str], words: str) -> None:
    published = str(FIXTURES / "valid" / "published_long.toml")
    done = meterspec("schema", *(argument.format(published) for argument in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
