"""Findings as other programs read them: each format is one valid document, also of nothing, and says the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from meterspec import __version__
from meterspec.cli import ValidateFormat
from meterspec.diagnostics import Diagnostic, Diagnostics, Edit, Rule, Severity
from meterspec.formats import DOCUMENTS, NAMES, github, gitlab, junit, sarif, step_summary
from meterspec.render import as_json, order
from meterspec.source import Place, Source
from meterspec.spec.spans import locate
from tests.corpus import check_text
from tests.in_process import meterspec

HERE = PurePosixPath("/home/ana/specs")
TEXT = '''\
# Zählwerk
[[meters]]
name = "läufe"
filter = """
  status == "größe" &&
  region != '𝄞'
"""

[[meters]]
name = "stunden"
unit = "h"
'''
SOURCE = Source("zähler/ä b.toml", TEXT, locate)
AT = Place(SOURCE)

ERROR = Rule(code="MS900", slug="an-error", title="An error", message="{what}", why="It is wrong.", bad="a = 1\n")
WARNING = Rule(
    code="MS910",
    slug="a-warning",
    title="A warning",
    message="{what}",
    why="It may be wrong.",
    severity=Severity.WARNING,
)
HINT = Rule(code="MS920", slug="a-hint", title="A hint", message="{what}", why="It is odd.", severity=Severity.HINT)


def findings() -> list[Diagnostic]:
    """One of each kind: without a place, in a multi-line string, over several lines, with a repair, with others."""
    out = Diagnostics()
    expression = AT / "meters" / 0 / "filter"
    out.report(ERROR, at=None, what="the project has no name")
    out.report(
        ERROR, at=expression.within(12, 19), hint="write 'groß', or 50%", what="'größe' is new: no, it is\r\nold"
    )
    out.report(WARNING, at=expression, what="the condition is long")
    out.report(
        WARNING,
        at=AT / "meters" / 0 / "name",
        what="`läufe` is near `stunden`",
        related=[(AT / "meters" / 1 / "name", "the other one")],
        edits=[Edit(AT / "meters" / 0 / "name", '"runs"'), Edit(AT / "meters" / 1 / "unit", '"min"')],
    )
    out.report(HINT, at=expression.within(36, 37), hint="spell it out", what="a text of one character")
    return order(out)


def many(rule: Rule, count: int) -> list[Diagnostic]:
    out = Diagnostics()
    for number in range(count):
        out.report(rule, at=AT / "meters" / 1 / "unit", what=f"finding {number}")
    return list(out)


class Golden(SingleFileSnapshotExtension):
    file_extension = "txt"
    _write_mode = WriteMode.TEXT


SUFFIXES = {"json": "json", "github": "txt", "gitlab": "json", "sarif": "sarif", "junit": "xml"}
GOLDEN = {name: type(name, (Golden,), {"file_extension": suffix}) for name, suffix in SUFFIXES.items()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden(name: str, snapshot: SnapshotAssertion) -> None:
    written = DOCUMENTS[name](findings(), HERE).replace(f'"{__version__}"', '"VERSION"')
    assert written == snapshot(extension_class=GOLDEN[name])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden_of_nothing(name: str, snapshot: SnapshotAssertion) -> None:
    written = DOCUMENTS[name]([], HERE).replace(f'"{__version__}"', '"VERSION"')
    assert written == snapshot(extension_class=GOLDEN[name])


def test_a_summary_is_a_table_in_markdown() -> None:
    rule = Rule(code="MS900", slug="an-error", title="An error", message="{what}", why="It is wrong.")
    out = Diagnostics()
    out.report(rule, at=AT / "meters" / 1 / "unit", what="`a|b` is <new> *or*\nnot `x_y < 1`")
    assert step_summary(list(out), 2, HERE) == (
        "### meterspec: 1 error in 2 files\n\n"
        "| | where | finding |\n| --- | --- | --- |\n"
        r"| error MS900 | `zähler/ä b.toml:11` | `a\|b` is \<new\> \*or\*\\nnot `x_y < 1` |" + "\n"
    )
    assert step_summary(many(rule, 201), 1, HERE).endswith("|\n\n1 more are in the log.\n")


def test_the_command_line_offers_every_format() -> None:
    assert tuple(name.value for name in ValidateFormat) == NAMES


# Where ----------------------------------------------------------------------------------------------------------

PATHS = [
    ("meterspec.toml", "meterspec.toml"),
    ("./specs/a.toml", "specs/a.toml"),
    ("../a.toml", "../a.toml"),
    ("/home/ana/specs/eu/a.toml", "eu/a.toml"),
    ("/srv/a.toml", "/srv/a.toml"),
]


def a_finding_in(name: str) -> list[Diagnostic]:
    out = Diagnostics()
    out.report(ERROR, at=Place(Source(name, "a = 1\n", locate)) / "a", what="no")
    return list(out)


@pytest.mark.parametrize(("name", "shown"), PATHS)
def test_paths_below_the_root_are_relative_to_it(name: str, shown: str) -> None:
    found = a_finding_in(name)
    assert f"::error file={shown},line=1,col=5,endColumn=6," in github(found, HERE)
    assert json.loads(gitlab(found, HERE))[0]["location"]["path"] == shown
    assert ElementTree.fromstring(junit(found, HERE))[0].attrib["name"] == shown
    artifact = json.loads(sarif(found, HERE))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    if shown.startswith("/"):
        assert artifact["artifactLocation"] == {"uri": f"file://{shown}"}
    else:
        assert artifact["artifactLocation"] == {"uri": shown, "uriBaseId": "%SRCROOT%"}


@pytest.mark.parametrize(
    ("top", "variables", "shown"),
    [
        (".git", {}, "billing/specs/a.toml"),
        ("billing/.git", {"GITHUB_WORKSPACE": "."}, "specs/a.toml"),
        (None, {"GITHUB_WORKSPACE": "."}, "billing/specs/a.toml"),
        (None, {"CI_PROJECT_DIR": "."}, "billing/specs/a.toml"),
        (None, {"GITHUB_WORKSPACE": "elsewhere"}, "specs/a.toml"),
    ],
    ids=["a repository", "a checkout in a folder", "an archive", "an archive at GitLab", "another job"],
)
@pytest.mark.parametrize("name", ["specs/a.toml", "../billing/specs/a.toml", "{}/billing/specs/a.toml"])
def test_paths_are_those_of_the_repository(
    name: str, top: str | None, variables: dict[str, str], shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the command runs in a folder of it; a job with `working-directory` is one."""
    specs = tmp_path / "billing" / "specs"
    specs.mkdir(parents=True)
    (specs / "a.toml").write_text("meterspec = 7\n", encoding="utf-8")
    if top is not None:
        (tmp_path / top).mkdir()
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    for variable, folder in variables.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.chdir(tmp_path / "billing")
    done = meterspec("validate", name.format(tmp_path), "--format", "github")
    assert f"::error file={shown},line=1," in done.stdout


def test_a_file_name_that_is_no_text_is_shown() -> None:
    found = a_finding_in(os.fsdecode(b"\xff.toml"))
    artifact = json.loads(sarif(found, HERE))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert artifact["artifactLocation"]["uri"] == "%FF.toml"
    assert ElementTree.fromstring(junit(found, HERE))[0].attrib["name"] == r"\udcff.toml"


# GitHub ---------------------------------------------------------------------------------------------------------


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands that a runner obeys, read as it reads them."""
    found = []
    stop = None
    for line in text.splitlines():
        match = re.fullmatch(r"::([\w-]+)(?: ([^:]*))?::(.*)", line.lstrip())
        if match is None:
            continue
        if stop is not None:
            stop = None if match[1] == stop else stop
        elif match[1] == "stop-commands":
            stop = match[3]
        else:
            pairs = (pair.split("=", 1) for pair in (match[2] or "").split(",") if pair)
            found.append((match[1], {name: decoded(value) for name, value in pairs}, decoded(match[3])))
    assert stop is None
    return found


def decoded(text: str) -> str:
    for code, character in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_github_annotates_each_finding_once() -> None:
    seen = commands(github(findings(), HERE))
    assert [(kind, properties["title"], properties.get("line")) for kind, properties, _ in seen] == [
        ("error", "MS900 an-error", None),
        ("error", "MS900 an-error", "5"),
        ("warning", "MS910 a-warning", "3"),
        ("warning", "MS910 a-warning", "4"),
        ("notice", "MS920 a-hint", "6"),
    ]
    assert seen[1] == (
        "error",
        {"file": "zähler/ä b.toml", "line": "5", "col": "13", "endColumn": "20", "title": "MS900 an-error"},
        r"'größe' is new: no, it is\r\nold (write 'groß', or 50%)",
    )


def test_github_takes_columns_only_within_one_line() -> None:
    (long,) = [properties for _, properties, said in commands(github(findings(), HERE)) if "long" in said]
    assert long == {"file": "zähler/ä b.toml", "line": "4", "endLine": "7", "title": "MS910 a-warning"}


@pytest.mark.parametrize("name", ["a,b.toml", "a:b.toml", "50%.toml", "a%0Ab.toml"])
def test_github_reads_back_odd_file_names(name: str) -> None:
    assert commands(github(a_finding_in(name), HERE))[0][1]["file"] == name


def test_github_has_ten_annotations_of_a_kind_and_says_so() -> None:
    found = many(ERROR, 12) + many(WARNING, 11) + many(HINT, 10)
    text = github(found, HERE)
    kinds = [kind for kind, _, _ in commands(text)]
    assert [kinds.count(kind) for kind in ("error", "warning", "notice")] == [10, 10, 10]
    assert "2 more errors above: a step has 10 annotations\n" in text
    assert "1 more warning above" in text
    assert all(f": finding {number}\n" in text for number in range(12))


@pytest.mark.parametrize("attack", ["::add-mask::x", "##[add-mask]x", "::error::x", "::stop-commands::x"])
def test_github_obeys_nothing_that_stands_in_a_spec(attack: str) -> None:
    text = f'a = """\n{attack}\n"""\n'
    out = Diagnostics()
    out.report(ERROR, at=(Place(Source("a.toml", text, locate)) / "a").within(0, len(attack)), what=f"no\n{attack}")
    printed = github(list(out), HERE)
    ((kind, properties, _),) = commands(printed)
    assert (kind, properties["line"]) == ("error", "2")
    stop = re.findall(r"^::stop-commands::(\w+)$", printed, re.MULTILINE)
    assert len(stop) == 1
    assert attack not in printed.partition(f"\n::{stop[0]}::\n")[2].replace(f"\\n{attack}", "")


# SARIF ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sarif_schema(tmp_path_factory: pytest.TempPathFactory) -> Draft4Validator:
    """The JSON Schema of SARIF 2.1.0 (OASIS), as an npm package ships it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which fetches the official SARIF schema, is not on this machine")
    folder = tmp_path_factory.mktemp("sarif")
    package = "@microsoft/jest-sarif@1.0.0-beta.0"
    subprocess.run([npm, "pack", "--silent", package], cwd=folder, check=True, capture_output=True, timeout=120)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        schema = files.extractfile("package/lib/schemas/sarif-2.1.0-rtm.5.json")
        assert schema is not None
        return Draft4Validator(json.load(schema))


@pytest.mark.parametrize("found", [findings(), [], many(WARNING, 3)], ids=["each kind", "nothing", "alike"])
def test_sarif_is_valid_by_its_schema(found: list[Diagnostic], sarif_schema: Draft4Validator) -> None:
    assert [error.message for error in sarif_schema.iter_errors(json.loads(sarif(found, HERE)))] == []


def test_the_schema_is_one_that_can_fail(sarif_schema: Draft4Validator) -> None:
    log = json.loads(sarif(findings(), HERE))
    log["runs"][0]["results"][0]["level"] = "hint"
    assert [error.message for error in sarif_schema.iter_errors(log)] != []


def test_sarif_names_the_rules_it_uses() -> None:
    (run,) = json.loads(sarif(findings(), HERE))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["MS900", "MS910", "MS920"]
    assert all(result["ruleId"] == rules[result["ruleIndex"]]["id"] for result in run["results"])
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in rules)


def cut(text: str, region: dict[str, int]) -> tuple[int, int]:
    """The offsets of a region, counted as SARIF says: lines and code points from 1, the end not included."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    begin = starts[region["startLine"] - 1] + region["startColumn"] - 1
    return begin, starts[region["endLine"] - 1] + region["endColumn"] - 1


def repaired(text: str, result: dict[str, Any]) -> str:
    """The text with the first fix of a result."""
    (change,) = result["fixes"][0]["artifactChanges"]
    for replacement in sorted(change["replacements"], key=lambda r: cut(text, r["deletedRegion"]), reverse=True):
        begin, end = cut(text, replacement["deletedRegion"])
        text = text[:begin] + replacement["insertedContent"]["text"] + text[end:]
    return text


def test_a_sarif_fix_does_what_it_says() -> None:
    results = json.loads(sarif(findings(), HERE))["runs"][0]["results"]
    (result,) = [result for result in results if "fixes" in result]
    assert repaired(TEXT, result) == TEXT.replace('"läufe"', '"runs"').replace('"h"', '"min"')


def test_a_sarif_region_is_what_is_marked() -> None:
    results = json.loads(sarif(findings(), HERE))["runs"][0]["results"]
    regions = [result["locations"][0]["physicalLocation"] for result in results if result["locations"]]
    marked = [TEXT[slice(*cut(TEXT, place["region"]))] for place in regions]
    assert marked == ['"läufe"', TEXT[TEXT.index('"""') : TEXT.index("\n\n[[meters]]")], '"größe"', "𝄞"]
    assert all(unquote(place["artifactLocation"]["uri"]) == SOURCE.name for place in regions)


# Fingerprints ---------------------------------------------------------------------------------------------------

SPEC = """
[[families]]
name = "api.call"

[[meters]]
name = "calls"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", group_by = ["region"] }

[[meters]]
name = "more"
source = { kind = "family", family = "api.cal" }
aggregate = { fn = "COUNT" }
"""
FIRST = """
[[meters]]
name = "first"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT" }
"""


def fingerprints(found: Sequence[Diagnostic]) -> list[str]:
    by_sarif = [
        result["partialFingerprints"]["meterspec/v1"] for result in json.loads(sarif(found, HERE))["runs"][0]["results"]
    ]
    assert by_sarif == [entry["fingerprint"] for entry in json.loads(gitlab(found, HERE))]
    return by_sarif


def test_a_fingerprint_stays_when_lines_and_tables_come_before_it() -> None:
    _, before = check_text(SPEC)
    _, after = check_text(f"# A comment.\n{FIRST}{SPEC}")
    assert [d.code for d in before] == ["MS223", "MS201"]
    assert fingerprints(before) == fingerprints(after)


@pytest.mark.parametrize(
    ("old", "new"), [('"region"', '"zone"'), ('"more"', '"most"'), ('api.cal"', 'api.col"')], ids=str
)
def test_a_fingerprint_changes_with_what_is_said(old: str, new: str) -> None:
    _, before = check_text(SPEC)
    _, after = check_text(SPEC.replace(old, new))
    assert len(set(fingerprints(before)) & set(fingerprints(after))) == 1


def test_findings_that_are_alike_have_fingerprints_of_their_own() -> None:
    found = [many(WARNING, 1)[0]] * 3
    assert len(set(fingerprints(found))) == 3
    assert fingerprints(found[:2]) == fingerprints(found)[:2]


# JUnit and GitLab -----------------------------------------------------------------------------------------------


def test_junit_fails_where_the_command_fails() -> None:
    report = ElementTree.fromstring(junit(findings(), HERE))
    assert (report.attrib["tests"], report.attrib["failures"]) == ("5", "2")
    assert len(report.findall(".//failure")) == 2
    assert {case.attrib["name"] for case in report.findall(".//testcase[system-out]")} == {
        "MS910 a-warning",
        "MS920 a-hint",
    }


def test_junit_of_nothing_is_a_case_that_passes() -> None:
    (suite,) = ElementTree.fromstring(junit([], HERE))
    (case,) = suite
    assert (suite.attrib["tests"], list(case)) == ("1", [])


@pytest.mark.parametrize("character", ["\0", "\x1b", "\ufffe", "\u202e", "\ud800"])
def test_no_character_breaks_a_document(character: str) -> None:
    out = Diagnostics()
    out.report(ERROR, at=AT / "meters" / 0 / "name", hint=character, what=f"a{character}b")
    for name, write in DOCUMENTS.items():
        written = write(list(out), HERE).encode("utf-8", "backslashreplace")
        if name == "junit":
            ElementTree.fromstring(written)
        elif name == "github":
            assert len(commands(written.decode())) == 1
        else:
            json.loads(written)


def test_gitlab_has_what_it_asks_for() -> None:
    entries = json.loads(gitlab(findings(), HERE))
    for entry in entries:
        assert set(entry) == {"check_name", "description", "fingerprint", "location", "severity"}
        assert set(entry["location"]) == {"path", "lines"}
    assert [entry["severity"] for entry in entries] == ["critical", "minor", "minor", "critical", "info"]
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


@pytest.mark.parametrize("text", ["\x1b[31m", "\x9b31m", "\x7f", "\u202eabc", "\u200b", "\u2028", "\U000e0041", "é 😀"])
def test_json_shows_no_character_that_commands_a_terminal(text: str) -> None:
    printed = as_json({text: [text]})
    assert json.loads(printed) == {text: [text]}
    assert all(c.isprintable() or c == "\n" for c in printed)
