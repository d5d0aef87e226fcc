"""Which findings stand, and at which level: what a project sets, what a comment allows, what a run leaves out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli

from meterspec.diagnostics import Diagnostic, Diagnostics, Severity
from meterspec.formats import NAMES
from meterspec.lint import choose, named
from meterspec.pipeline import compile_program, load
from meterspec.project import Settings, SpecFile, collect
from meterspec.render import order
from tests.conftest import ROOT
from tests.corpus import check_text

SPEC = """
[[families]]
name = "api.call"
schema.bytes = { type = "integer", required = true, min = 0, max = 1000 }

[[meters]]
name = "calls"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", group_by = ["region"] }

[[meters]]
name = "halves"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "SUM", value = "bytes / 2" }
"""
"""A warning of each kind: MS223 for `region`, MS320 for the division."""


def seen(found: list[Diagnostic]) -> str:
    """Codes and levels, in order: `MS223 warning, MS320 error`."""
    return ", ".join(f"{d.code} {d.severity.value}" for d in found)


# Levels ---------------------------------------------------------------------------------------------------------

LEVELS = [
    ("", "MS223 warning, MS320 warning"),
    ('MS223 = "off"', "MS320 warning"),
    ('MS223 = "error"', "MS223 error, MS320 warning"),
    ('MS223 = "hint"', "MS223 hint, MS320 warning"),
    ('MS223 = "warning"', "MS223 warning, MS320 warning"),
    ('undeclared-dimension = "off"', "MS320 warning"),
    ('MS22 = "off"', "MS320 warning"),
    ('MS = "off"', ""),
    ('MS = "error"', "MS223 error, MS320 error"),
    ('MS2 = "off"\nMS223 = "hint"', "MS223 hint, MS320 warning"),
    ('MS223 = "hint"\nMS2 = "off"', "MS223 hint, MS320 warning"),
    ('undeclared-dimension = "hint"\nMS2 = "off"', "MS223 hint, MS320 warning"),
    ('MS3 = "off"\nMS32 = "error"', "MS223 warning, MS320 error"),
    ('MS612 = "error"', "MS223 warning, MS320 warning"),
    ('MS310 = "error"', "MS223 warning, MS320 warning"),
    ('MS223 = "off"\nundeclared-dimension = "off"', "MS320 warning"),
]


@pytest.mark.parametrize(("levels", "expected"), LEVELS, ids=str)
def test_a_project_sets_the_level_of_warnings(levels: str, expected: str) -> None:
    program, found = check_text(f"[lint]\n{levels}\n{SPEC}")
    assert seen(found) == expected
    assert (program is None) == ("error" in expected)


def checked(spec: str, pyproject: str) -> list[Diagnostic]:
    """What is found in a spec that stands below a pyproject.toml."""
    out = Diagnostics()
    lint = tomli.loads(pyproject)["tool"]["meterspec"]["lint"]
    load([SpecFile("meterspec.toml", spec.encode(), Settings("pyproject.toml", pyproject, None, lint))], out)
    return order(out)


IN_BOTH = [
    ('MS223 = "off"', "", "MS320 warning"),
    ('MS223 = "off"', 'MS223 = "error"', "MS223 error, MS320 warning"),
    ('MS2 = "off"', 'MS223 = "error"', "MS223 error, MS320 warning"),
    ('MS223 = "error"', 'MS2 = "off"', "MS223 error, MS320 warning"),
    ('MS223 = "off"', 'undeclared-dimension = "hint"', "MS223 hint, MS320 warning"),
]


@pytest.mark.parametrize(("in_settings", "in_spec", "expected"), IN_BOTH)
def test_the_spec_wins_over_pyproject_and_the_longer_code_over_the_shorter(
    in_settings: str, in_spec: str, expected: str
) -> None:
    assert seen(checked(f"[lint]\n{in_spec}\n{SPEC}", f"[tool.meterspec.lint]\n{in_settings}\n")) == expected


FAULTS_OF_SETTINGS = [
    ('MS999 = "off"', "MS130", (2, 1)),
    ('MS310 = "off"', "MS131", (2, 1)),
    ('MS223 = "of"', "MS123", (2, 9)),
    ("MS223 = 0", "MS122", (2, 9)),
]


@pytest.mark.parametrize(("lint", "code", "at"), FAULTS_OF_SETTINGS)
def test_settings_are_checked_where_they_stand(lint: str, code: str, at: tuple[int, int]) -> None:
    (error,) = [d for d in checked(SPEC, f"[tool.meterspec.lint]\n{lint}\n") if d.severity is Severity.ERROR]
    assert error.at is not None
    span = error.at.span()
    assert (error.code, span.source.name, span.begin.line, span.begin.column) == (code, "pyproject.toml", *at)


def test_levels_of_several_files_are_one_table() -> None:
    out = Diagnostics()
    one, two = SPEC.split("[[meters]]", 1)
    files = [f'[lint]\nMS223 = "off"\n{one}', f'[lint]\nMS223 = "hint"\n[[meters]]{two}']
    load([SpecFile(f"{number}.toml", text.encode()) for number, text in enumerate(files)], out)
    conflict, _ = order(out)
    assert conflict.code == "MS132"
    assert [place.source.name for place, _ in conflict.related] == ["0.toml"]
    assert conflict.at is not None and conflict.at.source.name == "1.toml"


# Comments that allow --------------------------------------------------------------------------------------------

ALLOWS = {
    "at the end of the line": """
        group_by = ["region"] # meterspec: allow MS223 the gateway adds it
    """,
    "by name": """
        group_by = ["region"] # meterspec: allow undeclared-dimension the gateway adds it
    """,
    "with a colon": """
        group_by = ["region"] #meterspec: allow MS223: the gateway adds it
    """,
    "alone on the line above": """
        # meterspec: allow MS223 the gateway adds it
        group_by = ["region"]
    """,
    "above, with other comments and blank lines between": """
        # meterspec: allow MS223 the gateway adds it

        # By zone.
        group_by = ["region"]
    """,
    "inside a list, at the line": """
        group_by = [
          "region", # meterspec: allow MS223 the gateway adds it
        ]
    """,
    "inside a list, above the line": """
        group_by = [
          # meterspec: allow MS223 the gateway adds it
          "region",
        ]
    """,
    "where the entry begins": """
        group_by = [ # meterspec: allow MS223 the gateway adds it

          "region",
        ]
    """,
    "where the entry ends": """
        group_by = [

          "region",
        ] # meterspec: allow MS223 the gateway adds it
    """,
    "for one of two": """
        group_by = [
          "region", # meterspec: allow MS223 the gateway adds it
          "zone", # meterspec: allow MS223 the gateway adds it too
        ]
    """,
}


def meter(body: str) -> str:
    family = '[[families]]\nname = "api.call"\n'
    head = '[[meters]]\nname = "calls"\nsource = { kind = "family", family = "api.call" }\n'
    return f'{family}{head}[meters.aggregate]\nfn = "COUNT"\n{body}'


@pytest.mark.parametrize("body", ALLOWS.values(), ids=ALLOWS)
def test_a_comment_allows_what_stands_there(body: str) -> None:
    program, found = check_text(meter(body))
    assert seen(found) == ""
    assert program is not None


TABLES = """
[[families]] {family}
name = "api.call"

{above}
[[meters]] {meter}
name = "calls"
source = {{ kind = "family", family = "api.call" }}
[meters.aggregate] {aggregate}
fn = "COUNT"
group_by = ["region"]

[[meters]] {next}
name = "zones"
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "COUNT", group_by = ["zone"] }}
"""
ALLOW = "# meterspec: allow MS223 the gateway adds it"
HEADERS = [
    ("above", ["MS223 `zone`"]),
    ("meter", ["MS223 `zone`"]),
    ("aggregate", ["MS223 `zone`"]),
    ("next", ["MS223 `region`"]),
    ("family", ["MS136 `MS223`", "MS223 `region`", "MS223 `zone`"]),
]


@pytest.mark.parametrize(("where", "expected"), HEADERS)
def test_at_a_header_it_speaks_for_the_table_and_those_below_it(where: str, expected: list[str]) -> None:
    nothing = dict.fromkeys(("family", "above", "meter", "aggregate", "next"), "")
    _, found = check_text(TABLES.format(**{**nothing, where: ALLOW}))
    assert [f"{d.code} {''.join(re.findall('`[^`.]+`', d.message))}" for d in found] == expected


def test_it_reaches_into_a_multi_line_expression_and_not_out_of_it() -> None:
    spec = """
        [[families]]
        name = "api.call"
        schema.bytes = { type = "integer", required = true, min = 0, max = 1000 }
        [[meters]]
        name = "halves"
        source = { kind = "family", family = "api.call" }
        [meters.aggregate]
        fn = "SUM"
        value = '''
          bytes
            / 2
        ''' # meterspec: allow MS320 whole halves are sold
        group_by = ["region"]
    """
    assert seen(check_text(spec)[1]) == "MS223 warning"


NOT_ALLOWED = {
    "another rule": ('group_by = ["region"] # meterspec: allow MS320 it', "MS223 warning, MS136 warning"),
    "another line": (
        '# meterspec: allow MS223 it\nwindow = "day"\ngroup_by = ["region"]',
        "MS136 warning, MS223 warning",
    ),
    "the line before": (
        'window = "day" # meterspec: allow MS223 it\ngroup_by = ["region"]',
        "MS136 warning, MS223 warning",
    ),
    "in a string": (
        'group_by = ["region"]\n[[families]]\nname = "b"\ndescription = "# meterspec: allow MS223 it"',
        "MS223 warning",
    ),
    "twice for one": (
        '# meterspec: allow MS223 it\ngroup_by = ["region"] # meterspec: allow MS223 it again',
        "",
    ),
    "another word": ('group_by = ["region"] # meterspec: allows MS223 it', "MS223 warning"),
    "in a sentence": ('group_by = ["region"] # see meterspec: allow MS223 it', "MS223 warning"),
}


@pytest.mark.parametrize(("body", "expected"), NOT_ALLOWED.values(), ids=NOT_ALLOWED)
def test_a_comment_allows_nothing_else(body: str, expected: str) -> None:
    assert seen(check_text(meter(body))[1]) == expected


def test_an_allow_is_not_called_unused_where_an_error_hides_what_it_allows() -> None:
    text = meter(f'group_by = ["region"] {ALLOW}').replace('family = "api.call"', 'family = "api.cal"')
    assert seen(check_text(text)[1]) == "MS201 error"


def test_an_allow_of_a_finding_that_is_off_is_not_called_unused() -> None:
    assert seen(check_text('[lint]\nMS223 = "off"\n' + meter(f'group_by = ["region"] {ALLOW}'))[1]) == ""


def test_a_warning_that_was_raised_to_an_error_can_be_allowed_with_a_reason() -> None:
    text = '[lint]\nMS223 = "error"\n' + meter('group_by = ["region"]')
    assert seen(check_text(text)[1]) == "MS223 error"
    assert seen(check_text(text + f" {ALLOW}")[1]) == ""


def test_findings_about_comments_have_levels_too() -> None:
    for level, expected in (("off", ""), ("error", "MS136 error"), ("hint", "MS136 hint")):
        assert seen(check_text(f'[lint]\nunused-allow = "{level}"\n{meter(ALLOW)}')[1]) == expected


REPAIRS = [
    (f"a = 1 {ALLOW}\nb = 2\n", "a = 1\nb = 2\n"),
    (f"a = 1\n  {ALLOW}\nb = 2\n", "a = 1\nb = 2\n"),
    (f"a = 1\r\n{ALLOW}\r\nb = 2\r\n", "a = 1\r\nb = 2\r\n"),
    (f"a = 1\n{ALLOW}", "a = 1\n"),
]


@pytest.mark.parametrize(("body", "expected"), REPAIRS)
def test_the_repair_of_an_unused_allow_removes_the_comment_and_no_more(body: str, expected: str) -> None:
    head = 'families = [{ name = "api.call" }]\n[meter.x]\nkind = "counter"\n'
    entries = {"a = 1": "precision = 1", "b = 2": 'unit = "h"'}
    for short, written in entries.items():
        body, expected = body.replace(short, written), expected.replace(short, written)
    _, found = check_text(head + body)
    (unused,) = found
    assert unused.code == "MS136"
    text = head + body
    for edit in unused.edits:
        span = edit.at.span()
        text = text[: span.start] + edit.text + text[span.end :]
    assert text == head + expected
    assert check_text(text)[1] == []


def test_a_file_without_such_comments_is_not_searched_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is what costs; a text that does not hold the words is left alone."""

    def refuse(_: str) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr("meterspec.lint.comments", refuse)
    assert seen(check_text(SPEC)[1]) == "MS223 warning, MS320 warning"
    with pytest.raises(AssertionError, match="searched"):
        check_text(f"{SPEC}{ALLOW}\n")


# Targets --------------------------------------------------------------------------------------------------------

TOO_LONG = """
[[families]]
name = "api.call"
[[meters]]
name = "calls"
kind = "billing"
unit = "{api calls a day}" # HERE
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "usage", currency = "EUR", unit_amount = 0.1 }
"""
OF_TARGETS = [
    ("", "", "MS612 warning"),
    ('[lint]\nMS612 = "off"\n', "", ""),
    ('[lint]\nMS6 = "error"\n', "", "MS612 error"),
    ("", "meterspec: allow MS612 nobody reads the label", ""),
]


@pytest.mark.parametrize(("head", "comment", "expected"), OF_TARGETS)
def test_findings_about_targets_are_judged_when_a_target_is_compiled(head: str, comment: str, expected: str) -> None:
    file = SpecFile("meterspec.toml", (head + TOO_LONG.replace("HERE", comment)).encode())
    out = Diagnostics()
    program = load([file], out)
    assert program is not None
    assert seen(order(out)) == ""
    made = compile_program(program, [file], out, targets=["stripe"])
    assert seen(order(out)) == expected
    assert bool(made) == ("error" not in expected)


# One run --------------------------------------------------------------------------------------------------------

FOUND = f'[lint]\nMS322 = "error"\nMS321 = "hint"\n{SPEC}'
FOUND = FOUND.replace('fn = "COUNT"', 'fn = "SUM", value = "1"').replace('"halves"', '"halves"\nfilter = "true"')
RUNS: list[tuple[dict[str, Any], str]] = [
    ({}, "MS322 error, MS223 warning, MS321 hint, MS320 warning"),
    ({"strict": True}, "MS322 error, MS223 error, MS321 hint, MS320 error"),
    ({"ignore": ["MS223"]}, "MS322 error, MS321 hint, MS320 warning"),
    ({"ignore": ["MS32"]}, "MS223 warning"),
    ({"ignore": ["undeclared-dimension", "MS32"]}, ""),
    ({"select": ["MS223"]}, "MS322 error, MS223 warning"),
    ({"select": ["MS32"], "ignore": ["MS320"]}, "MS322 error, MS321 hint"),
    ({"select": ["MS32"], "strict": True}, "MS322 error, MS321 hint, MS320 error"),
]


@pytest.mark.parametrize(("options", "expected"), RUNS, ids=lambda value: str(value)[:50])
def test_a_run_narrows_down_warnings_and_hints(options: dict[str, Any], expected: str) -> None:
    _, found = check_text(FOUND)
    assert seen(choose(found, **options)) == expected


def test_no_choice_drops_an_error() -> None:
    _, found = check_text(SPEC.replace('family = "api.call"', 'family = "api.cal"', 1))
    assert seen(choose(found, select=["MS223"], ignore=["MS"])) == "MS201 error"


RULE_NAMES = [
    ("MS223", {"MS223"}),
    ("undeclared-dimension", {"MS223"}),
    ("MS12", {f"MS12{digit}" for digit in range(7)}),
    ("MS999", set[str]()),
    ("ms223", set[str]()),
    ("undeclared", set[str]()),
    ("", set[str]()),
    ("M", set[str]()),
]


@pytest.mark.parametrize(("name", "codes"), RULE_NAMES)
def test_names_of_rules(name: str, codes: set[str]) -> None:
    assert {rule.code for rule in named(name)} == codes


# Where settings come from ---------------------------------------------------------------------------------------


def test_settings_are_those_of_the_folder_of_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, level in (("eu", "off"), ("us", "error")):
        (tmp_path / folder / "specs").mkdir(parents=True)
        (tmp_path / folder / "specs" / "meterspec.toml").write_text(SPEC, encoding="utf-8")
        text = f'[tool.meterspec]\nlint.MS223 = "{level}"\n'
        (tmp_path / folder / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "us")
    for path, expected in (("specs", "MS223 error, MS320 warning"), ("../eu/specs", "MS320 warning")):
        out = Diagnostics()
        load(collect([path]), out)
        assert seen(order(out)) == expected


# The page -------------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
IN_SPEC, IN_PYPROJECT, ALLOWED = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_what_the_page_shows_is_without_findings() -> None:
    assert seen(check_text(f'{IN_SPEC}[meter.tokens]\nkind = "counter"\n')[1]) == ""
    assert seen(check_text(ALLOWED)[1]) == ""
    assert seen(check_text(ALLOWED.replace("# meterspec", "#"))[1]) == "MS223 warning"
    assert seen(checked(SPEC, IN_PYPROJECT)) == "MS223 error, MS320 warning"


def test_the_page_names_every_format_and_every_rule_of_these() -> None:
    named_there = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert tuple(named_there) == NAMES
    assert set(re.findall(r"--format (\w+)", PAGE)) <= {*NAMES}
    assert set(re.findall(r"MS13\d", PAGE)) <= {rule.code for rule in named("MS13")}
