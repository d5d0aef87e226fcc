"""What a dialect refuses since its engine would take it to mean something else: MS600, in words and at its place."""

from __future__ import annotations

import pytest

from meterspec.backends.base import UNSUPPORTED
from meterspec.backends.sql import check
from meterspec.diagnostics import Diagnostics
from tests.corpus import check_text

SPEC = """\
[[families]]
name = "api.call"
schema.model = {{ type = "string", required = true }}
[[meters]]
name = "calls"
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "COUNT" }}
filter = '''{}'''
"""
REFUSED = [
    ("spark", "model.matches('^(ab|c)*$')", "a pattern that repeats a group more than 16 times"),
    ("spark", "model.matches('x|(y(z-){17})')", "a pattern that repeats a group more than 16 times"),
    ("snowflake", "model.matches('^gpt')", "a regular expression"),
]
TAKEN = [
    ("spark", "model.matches('^(ab|c){0,16}$')"),
    ("spark", "model.matches('(?s)^gpt-[0-9]+.*$')"),
    ("trino", "model.matches('^(ab|c)*$')"),
    ("datafusion", "model.matches('^(ab|c)*$')"),
    ("snowflake", "model.startsWith('gpt')"),
]


def found(dialect: str, condition: str) -> Diagnostics:
    program, _ = check_text(SPEC.format(condition))
    assert program is not None
    out = Diagnostics()
    check(program, program.meters, dialect, out)
    return out


@pytest.mark.parametrize(("dialect", "condition", "words"), REFUSED)
def test_a_pattern_that_an_engine_reads_differently_is_refused(dialect: str, condition: str, words: str) -> None:
    (finding,) = found(dialect, condition)
    assert finding.rule is UNSUPPORTED
    assert words in finding.message


@pytest.mark.parametrize(("dialect", "condition"), TAKEN)
def test_what_an_engine_reads_as_meant_is_taken(dialect: str, condition: str) -> None:
    assert not list(found(dialect, condition))
