"""Each rule is one object; its two examples are its tests, and its code is nobody else's."""

from __future__ import annotations

import re
from collections import Counter
from textwrap import dedent

import pytest

from meterspec.catalogue import by_code, page, rules, rules_page
from meterspec.diagnostics import Diagnostic, Diagnostics, Rule
from meterspec.ir import Program
from meterspec.pipeline import compile_program
from meterspec.render import order
from tests.conftest import ROOT
from tests.corpus import check_text

IN_A_SPEC = [rule for rule in rules() if rule.bad]
OUTSIDE = re.compile(r"MS(0|6|7|44|59)|MS10[012]|MS118|MD")
"""Rules about files, bytes, targets, events, usage, changes and the organisation: no text of one spec breaks them."""


def code_of(rule: Rule) -> str:
    return f"{rule.code}-{rule.slug}"


def compiled(rule: Rule, text: str) -> tuple[Program | None, list[Diagnostic]]:
    """A spec through all phases; where the rule is about targets, to every target."""
    program, found = check_text(dedent(text))
    if program is None or not rule.code.startswith("MS6"):
        return program, found
    out = Diagnostics()
    compile_program(program, [], out)
    return program, found + order(out)


@pytest.mark.parametrize("rule", IN_A_SPEC, ids=code_of)
def test_the_bad_example_gives_exactly_this_finding(rule: Rule) -> None:
    _, found = compiled(rule, rule.bad)
    assert [(d.code, d.severity) for d in found] == [(rule.code, rule.severity)]


@pytest.mark.parametrize("rule", IN_A_SPEC, ids=code_of)
def test_the_good_example_gives_nothing(rule: Rule) -> None:
    program, found = compiled(rule, rule.good)
    assert [d.code for d in found] == []
    assert program is not None


@pytest.mark.parametrize("rule", IN_A_SPEC, ids=code_of)
def test_a_finding_stands_somewhere(rule: Rule) -> None:
    _, found = compiled(rule, rule.bad)
    assert all(diagnostic.at is not None for diagnostic in found)


def test_a_rule_without_examples_is_not_about_a_spec() -> None:
    assert [rule.code for rule in rules() if not rule.bad and not OUTSIDE.match(rule.code)] == []


def test_codes_and_slugs_are_not_shared() -> None:
    for names in (Counter(rule.code for rule in rules()), Counter(rule.slug for rule in rules())):
        assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("rule", rules(), ids=code_of)
def test_a_rule_reads_as_documentation(rule: Rule) -> None:
    assert re.fullmatch(r"M[SD]\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.slug)
    assert rule.title[0].isupper() and not rule.title.endswith(".")
    assert not rule.message[0].isupper() and not rule.message.endswith(".")
    assert rule.why.endswith(".")
    assert rule.code in page(rule)
    assert by_code(rule.code.lower()) is rule is by_code(rule.slug)


def test_the_page_of_rules_is_made_of_the_rules() -> None:
    committed = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert committed == rules_page(), "run `python -m meterspec.catalogue > docs/rules.md`"
