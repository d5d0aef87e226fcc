"""Patterns: written out, they mean what RE2 takes them to mean."""

from __future__ import annotations

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meterspec.cel.lexer import Problem
from meterspec.cel.pattern import matcher, parse_pattern, portable


@pytest.mark.parametrize(
    ("pattern", "written_out"),
    [
        ("^gpt-[0-9]+$", r"^gpt\-[0-9]+$"),
        ("a.b", r"a[^\n]b"),
        ("(?s)a.b", r"a(?:[^\n]|\n)b"),
        (r"\d+\.\w", r"[0-9]+\.[0-9A-Z_a-z]"),
        (r"\S", r"[^" + "\t" + r"-\n" + "\f-\r ]"),
        (r"[\d_]", "[0-9_]"),
        (r"[^\D]", "[0-9]"),
        ("[[:alpha:]-]", r"[\-A-Za-z]"),
        ("[]a]", r"[\]a]"),
        ("[^]a]", r"[^\]a]"),
        ("(?i)ab1", "[Aa][Bb]1"),
        ("(?i)[a-c]", "[A-Ca-c]"),
        ("(?i)ks", "[Kk\u212a][Ss\u017f]"),
        ("(?i)[^a]", "[^Aa]"),
        (r"(?i)\w", "[0-9A-Z_a-z\u017f\u212a]"),
        (r"(?i)\W", "[^0-9A-Z_a-z\u017f\u212a]"),
        ("(?i)[[:^lower:]1]", "[^A-Za-z\u017f\u212a]"),
        (r"\x41\x{1F600}", "A\U0001f600"),
        (r"\Aa\z", "^a$"),
        ("(a|b)c|d", "(?:a|b)c|d"),
        ("(?:ab)+?", "(?:ab)+"),
        ("a{2}b{2,}c{0,3}", "a{2}b{2,}c{0,3}"),
        ("a{", r"a\{"),
        ("a]", r"a\]"),
        ("a|", "a|"),
        ("", ""),
        ("é😀", "é😀"),
    ],
)
def test_a_pattern_is_written_out_with_nothing_but_sets(pattern: str, written_out: str) -> None:
    assert portable(pattern) == written_out


def test_the_end_is_written_as_an_engine_has_it() -> None:
    assert portable("a$", end=r"\z") == r"a\z"


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?P<n>a)", "(?<n>a)", "(?>a)", "(?i:a)", "(?m)^a", "a(?i)", "(?#a)"),
        *(r"\1", r"\0", r"\b", r"\B", r"\pL", r"\p{Greek}", r"\C", r"\Qa\E", r"\Z", r"\h", r"\y", r"\é", "\\"),
        *("*a", "+", "?", "a**", "a++", "a*+", "a{2}{3}", "^*", "$+", "{2}", "a{,3}", "a{3,2}", "a{256}"),
        *("(", ")", "(a", "a)", "[", "[a", "[]", "[z-a]", r"[a-\d]", r"[\b]", "[[:foo:]]", r"[^\x00-\x{10FFFF}]"),
        *("(?i)é", "(?i)[à-ü]", "((a{100}){100}){100}", r"\x4", r"\x{110000}", "(" * 60 + "a" + ")" * 60),
    ],
)
def test_what_engines_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_pattern(pattern)
    assert caught.value.rule.code == "MS329"
    assert 0 <= caught.value.start < caught.value.end <= len(pattern)


PIECES = [
    *"ab0-_.é \n",
    *(r"\d", r"\w", r"\W", r"\.", r"\n", "[a-c]", "[^a]", r"[\d.]", "[[:upper:]]", "^", "$", "|", "(", ")", "(?:"),
    *(r"\s", "*", "+", "?", "*?", "{2}", "{1,3}", "]", "{", "(?i)", "(?s)", "K", "ſ"),
]
TEXTS = st.text(alphabet="aAbB01kK\u212as\u017f-_. é\n]{[", max_size=12)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.lists(TEXTS, min_size=3, max_size=6))
def test_a_pattern_finds_what_re2_finds(pattern: str, texts: list[str]) -> None:
    try:
        ours = matcher(pattern)
    except Problem:
        assume(False)
    theirs = re2.compile(pattern)
    again = re2.compile(portable(pattern))
    for text in texts:
        expected = theirs.search(text) is not None
        assert (ours.search(text) is not None) is expected
        assert (again.search(text) is not None) is expected
