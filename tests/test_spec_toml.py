"""A spec's values are read exactly; what is not TOML is said in our words, at its line and column, with a way out."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time
from decimal import Decimal
from textwrap import dedent
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.diagnostics import Diagnostic, Diagnostics, Rule
from meterspec.source import Position, Source
from meterspec.spec import toml
from meterspec.spec.toml import read
from tests.conftest import SHARED

RULES = [value for value in vars(toml).values() if isinstance(value, Rule)]


def findings(document: str | bytes) -> list[Diagnostic]:
    """What is reported; a document is read if and only if that is nothing."""
    out = Diagnostics()
    result = read("meterspec.toml", document if isinstance(document, bytes) else document.encode(), out)
    assert (result is None) == (len(out) > 0)
    return list(out)


def values(document: str) -> dict[str, Any]:
    result = read("meterspec.toml", document.encode(), Diagnostics())
    assert result is not None
    return result[1]


# What is read


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0.30", Decimal("0.30")),
        ("0.1234567890123456789012345678901234567890", Decimal("0.1234567890123456789012345678901234567890")),
        ("-1_000.50", Decimal("-1000.50")),
        ("1e6", Decimal("1E+6")),
        ("1.5E-3", Decimal("0.0015")),
        ("-0.0", Decimal("-0.0")),
        ("1_000_000", 1_000_000),
        ("0xFF", 255),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0x7FFF_FFFF_FFFF_FFFF", 2**63 - 1),
        ("1e0_0_0_5", Decimal("1E+5")),
        ("1e59", Decimal("1E+59")),
        ("1e-59", Decimal("1E-59")),
        ("0." + "1" * 59, Decimal("0." + "1" * 59)),
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05", date(2026, 1, 5)),
        ("10:00", time(10)),
        ("true", True),
        ('"a\\u00e9\\n"', "aé\n"),
        ("{ a = 1,\n b = [2,\n], # TOML 1.1\n}", {"a": 1, "b": [2]}),
    ],
)
def test_a_value_is_read_exactly_as_written(written: str, value: object) -> None:
    found = values(f"x = {written}")["x"]
    assert found == value
    assert repr(found) == repr(value)


def test_the_text_is_kept_as_it_stands_but_for_a_byte_order_mark() -> None:
    result = read("meterspec.toml", b'\xef\xbb\xbfx = """a\r\nb"""\r\n', Diagnostics())
    assert result is not None
    source, found = result
    assert source.name == "meterspec.toml"
    assert source.text == 'x = """a\r\nb"""\r\n'
    assert found == {"x": "a\nb"}


@pytest.mark.parametrize("name", ["published_long.toml", "published_short.toml"])
def test_the_published_examples_are_read(name: str) -> None:
    path = SHARED / "examples" / name
    if not path.exists():
        pytest.skip("the published examples are not beside the checkout")
    assert findings(path.read_bytes()) == []


# What is refused: the place stands between ⟦ and ⟧

MISTAKES = [
    # A text without quotes
    ("MS108", "type = ⟦integer⟧", "`integer` is not a value", 'a text stands in quotes: `"integer"`'),
    ("MS108", "type = ⟦integer⟧; required = true", "`integer` is not a value", '`"integer"`'),
    ("MS108", "filter = ⟦status == 'ok' && x < 5⟧ # why", "`status == 'ok' && x < 5`", "`\"status == 'ok' && x < 5\"`"),
    ("MS108", 'filter = ⟦plan == "eu"⟧', "is not a value", "`'plan == \"eu\"'`"),
    ("MS108", "filter = ⟦a == \"x\" || a == 'y'⟧", "is not a value", "`\"a == \\\"x\\\" || a == 'y'\"`"),
    ("MS108", "x = { unit = ⟦h⟧, n = 1 }", "`h` is not a value", '`"h"`'),
    ("MS108", "x = [⟦a⟧, b]", "`a` is not a value", '`"a"`'),
    ("MS108", "window = ⟦30d⟧", "`30d` is not a value", '`"30d"`'),
    ("MS110", "price = 5 ⟦EUR⟧", "`EUR` cannot follow a value on the same line", '`"5 EUR"`'),
    ("MS108", "a = ⟦“x”⟧", "`“x”` is not a value", 'write straight quotes: `"`'),
    # Words of other languages
    ("MS108", "a = ⟦True⟧", "`True` is not a value", "write `true`"),
    ("MS108", "a = ⟦yes⟧", "`yes` is not a value", "write `true` or `false`"),
    ("MS108", "a = ⟦null⟧", "`null` is not a value", "leave the key out"),
    ("MS106", "name⟦:⟧ x", "`:` follows the key `name`, where `=` has to stand", "write `name = ...`"),
    ("MS106", 'x = { "a"⟦:⟧ 1 }', '`:` follows the key `"a"`', 'write `"a" = ...`'),
    ("MS106", "- ⟦name:⟧ x", "follows the key `-`", "TOML has no lists with `-`"),
    ("MS103", "⟦{⟧", "`{` cannot stand here", "TOML, not JSON"),
    ("MS103", "⟦//⟧ one", "`//` cannot stand here", "a comment begins with `#`"),
    ("MS110", "a = 1 ⟦//⟧ one", "`//` cannot follow a value", "a comment begins with `#`"),
    ("MS108", "a =⟦=⟧ 1", "`=` is not a value", "one `=`"),
    ("MS108", "a = ⟦(1⟧, 2)", "`(1` is not a value", "an array stands in `[` and `]`"),
    # Numbers and dates
    ("MS108", "a = ⟦.5⟧", "`.5` is not a value", "write `0.5`"),
    ("MS108", "a = ⟦-5.⟧", "`-5.` is not a value", "write `-5.0`"),
    ("MS108", "a = ⟦007⟧", "`007` is not a value", "write `7`"),
    ("MS108", "a = ⟦1__0⟧", "`1__0` is not a value", "an underscore stands between two digits"),
    ("MS108", "a = ⟦1.000.000⟧", "`1.000.000` is not a value", "write `1_000_000`"),
    ("MS108", "a = ⟦15%⟧", "`15%` is not a value", "without `%`"),
    ("MS108", "a = ⟦€5⟧", "`€5` is not a value", "without its currency"),
    ("MS110", "a = 0⟦,⟧45", "`,` cannot follow a value", "decimals have a point: `0.45`"),
    ("MS108", "a = ⟦2026-02-30⟧", "`2026-02-30` is not a value", "there is no day 2026-02-30"),
    ("MS108", "a = ⟦2026-13-01⟧", "`2026-13-01` is not a value", "there is no day 2026-13-01"),
    ("MS108", "a = ⟦2026-1-5⟧", "`2026-1-5` is not a value", "a date is written `2026-01-31`"),
    ("MS108", "a = ⟦2026-01-05T25:00⟧", "is not a value", "an instant is written `2026-01-31T12:00:00Z`"),
    # Quotes
    ("MS104", 'name = ⟦"abc⟧\nx = 1', "the text that begins here is not closed", 'write `"` where it ends'),
    ("MS104", "name = ⟦'abc # x⟧\r\nx = 1", "the text that begins here is not closed", "between `'''`"),
    ("MS104", 'a = 1\nb = ⟦"""abc\nd = 1⟧', "the text that begins here is not closed", 'write `"""` where it ends'),
    ("MS110", "f = 'it'⟦s⟧ ok'", "`s` cannot follow a value", "a text with `'` in it stands in double quotes"),
    ("MS110", 'a = "say "⟦hi⟧" now"', "`hi` cannot follow a value", 'a `"` inside a text is written `\\"`'),
    ("MS110", 'a = """\nx\n[y]\nz = """⟦ok⟧"""', "`ok` cannot follow", 'is a `"""` missing further up?'),
    ("MS109", 'a = "⟦\\d⟧+"', "`\\d` is not an escape", "write `\\\\` for a backslash"),
    ("MS109", 'a = "⟦\\u12⟧"', "`\\u12` is not an escape", "`\\u` takes 4 hexadecimal digits"),
    ("MS109", 'a = "⟦\\ud800⟧"', "`\\ud800` is not an escape", "Unicode has no such character"),
    ("MS109", 'a = """\n  ⟦\\q⟧"""', "`\\q` is not an escape", "single quotes"),
    # Keys and lines
    ("MS106", 'name ⟦"⟧x"', '`"` follows the key `name`, where `=` has to stand', 'write `name = "x"`'),
    ("MS106", "name⟦⟧\nx = 1", "the end of the line follows the key `name`", "write `name = ...`"),
    ("MS106", "name⟦⟧", "the end of the file follows the key `name`", "write `name = ...`"),
    ("MS106", 'first ⟦name⟧ = "x"', "`name` follows the key `first`", '`"first name" = ...`'),
    ("MS106", "na⟦ïve⟧ = 1", "`ïve` follows the key `na`", '`"naïve" = ...`'),
    ("MS103", "⟦é⟧ = 1", "`é` cannot stand here", '`"é" = ...`'),
    ("MS103", "⟦=⟧ 5", "`=` cannot stand here", "a key has to stand before `=`"),
    ("MS103", "a. ⟦=⟧ 1", "`=` cannot stand here", "a dotted key goes on after its `.`"),
    ("MS103", "a = { ⟦,⟧ }", "`,` cannot stand here", "remove it"),
    ("MS103", "a = [1]\n⟦]⟧", "`]` cannot stand here", "no bracket is open here"),
    ("MS103", "⟦\u00a0a⟧ = 1", "the invisible U+00A0 (no-break space) cannot stand here", "remove it"),
    ("MS108", "a = ⟦1\u00a0⟧", "`1\\u00A0` is not a value", "remove the invisible U+00A0"),
    ("MS107", "a =⟦⟧\nb = 1", "a value is missing after `a =`", "write one, or leave the key out"),
    ("MS107", "a = ⟦#⟧ none", "a value is missing after `a =`", "write one, or leave the key out"),
    ("MS107", "x = { 'b c' = ⟦}⟧", "a value is missing after `'b c' =`", "write one, or leave the key out"),
    ("MS107", "a = [1,⟦,⟧ 2]", "a value is missing before `,`", "write one, or leave the comma out"),
    ("MS110", 'type = "integer"⟦;⟧ required = true', "`;` cannot follow a value", "every entry on a line of its own"),
    ("MS110", 'type = "integer"⟦;⟧', "`;` cannot follow a value", "without `;`"),
    ("MS110", "a = 1⟦,⟧ # x", "`,` cannot follow a value", "without `,`"),
    ("MS110", "a = 1 ⟦b⟧ = 2", "`b` cannot follow a value", "write it on the next line"),
    ("MS110", "[a] ⟦b⟧ = 1", "`b` cannot follow a header", "write it on the next line"),
    # Headers
    ("MS105", "⟦[[meters]⟧", "the `[[` here is not closed", "write `[[meters]]`"),
    ("MS105", "⟦[meters.source⟧\nkind = 1", "the `[` here is not closed", "write `[meters.source]`"),
    ("MS105", "⟦[my table⟧]", "the `[` here is not closed", '`["my table"]`'),
    ("MS110", "[meters]⟦]⟧", "`]` cannot follow a header", "write `[[meters]]`"),
    ("MS106", "meters⟦]⟧]", "`]` follows the key `meters`", "write `[[meters]]`"),
    ("MS103", "[⟦]⟧", "`]` cannot stand here", "a header names a table"),
    # Brackets
    ("MS105", "x = ⟦[⟧1, 2", "the `[` here is not closed", "write `]` after the last element"),
    ("MS105", "x = ⟦[⟧1, 2\ny = 3", "the `[` here is not closed", "write `]` after the last element"),
    ("MS105", "x = ⟦[⟧\n  1,\n\n[meters.y]\nz = 1", "the `[` here is not closed", "write `]`"),
    ("MS105", "x = ⟦[⟧\n  { a = 1 }\n[[meters]]", "the `[` here is not closed", "write `]`"),
    ("MS105", "x = ⟦{⟧ a = 1,\n  b = 2\ny = 3\n\n[z]\nk = {}", "the `{` here is not closed", "after the last entry"),
    ("MS105", "x = ⟦{⟧ a = 1,\n\n[z]", "the `{` here is not closed", "write `}`"),
    ("MS111", "x = { a = 1 ⟦b⟧ = 2 }", "`b` stands where `,` or `}` has to", "write `,` before `b`"),
    ("MS111", "x = { a = 1\n⟦b⟧ = 2 }\n\n[z]", "`b` stands where `,` or `}` has to", "write `,` before `b`"),
    ("MS111", "x = [\n  [1]\n  ⟦[⟧2]\n]", "`[` stands where `,` or `]` has to", "write `,` before `[`"),
    ("MS111", "x = [1⟦;⟧ 2]", "`;` stands where `,` or `]` has to", "write `,` instead of `;`"),
    ("MS111", "x = { a = [1, 2 ⟦}⟧", "`}` stands where `,` or `]` has to", "write `]`"),
    ("MS107", "x = [1, ⟦}⟧", "a value is missing before `}`", "an array is closed with `]`"),
    ("MS103", "x = [{ a = 1, ⟦]⟧", "`]` cannot stand here", "an inline table is closed with `}`"),
    # Names that are taken
    ("MS112", "a = 1\n⟦a⟧ = 2", "`a` is defined twice", "keep one of them"),
    ("MS112", "x = { a = 1, ⟦a⟧ = 2 }", "`a` is defined twice", "keep one of them"),
    ("MS112", "a.b = 1\na.⟦b⟧ = 2", "`a.b` is defined twice", "keep one of them"),
    ("MS112", "[a]\n[b]\n[⟦a⟧]\nx = 1", "`a` is defined twice", "each begins with `[[a]]`"),
    ("MS112", "[[m]]\n[m.s]\nx = 1\n[m.⟦s⟧]\nx = 1", "`m.s` is defined twice", "element of `m` begins with `[[m]]`"),
    ("MS112", "a.b = 1\n[⟦a⟧]", "`a` is defined twice", "write it all in one place"),
    ("MS112", "[a.b.c]\n[a]\nb.x = 1\n[a.⟦b⟧]", "`a.b` is defined twice", "write it all in one place"),
    ("MS112", "[a.b]\n[a]\n⟦b⟧.c = 1", "`b` is defined twice", "write all of it under its header"),
    ("MS113", "[meters]\n[[⟦meters⟧]]", "`meters` is one table above and an array of tables here", "in both places"),
    ("MS113", "[[meters]]\n[⟦meters⟧]", "`meters` is an array of tables above and one table here", "in both places"),
    ("MS113", "[m.s]\n[[⟦m⟧]]", "`m` is one table above", "`[[m]]` has to stand before the tables of its element"),
    ("MS113", "[[a.b]]\n[a]\n⟦b⟧.c = 1", "`b` is an array of tables above", "under the header of its element"),
    ("MS114", "m = []\n[[⟦m⟧]]", "`m` has its value already, and nothing can be added to it", "in one place"),
    ("MS114", "m = {}\n⟦m⟧.x = 1", "`m` has its value already", "in one place"),
    ("MS114", "m = 1\n[⟦m⟧.x]", "`m` has its value already", "in one place"),
    # Numbers that cannot be counted with
    ("MS115", "a = ⟦nan⟧", "`nan` is not a number to count with", "leave the key out"),
    ("MS115", "t = [{ up_to = ⟦inf⟧ }]", "`inf` is not a number to count with", '`"infinity"`, in quotes'),
    ("MS115", "[[a]]\n[a.b]\nc.d = [1, ⟦-inf⟧]", "`-inf` is not a number to count with", "a finite number"),
    ("MS116", "a = ⟦9223372036854775808⟧", "`9223372036854775808` does not fit 64 bits", "in quotes"),
    ("MS116", "a = ⟦-9223372036854775809⟧", "does not fit 64 bits", "in quotes"),
    ("MS116", "a = ⟦0xFFFF_FFFF_FFFF_FFFF⟧", "`0xFFFF_FFFF_FFFF_FFFF` does not fit 64 bits", "in quotes"),
    ("MS116", f"a = ⟦{'9' * 1000}⟧", f"`{'9' * 50}...` does not fit 64 bits", "in quotes"),
    ("MS116", f"a = [\n⟦{'9' * 100_000}⟧]", f"`{'9' * 50}...` does not fit 64 bits", "in quotes"),
    ("MS117", "a = ⟦1e60⟧", "`1e60` needs more than 60 digits when written out", "round it"),
    ("MS117", "a = ⟦1.0e-60⟧", "needs more than 60 digits", "round it"),
    ("MS117", "a = ⟦1e999999999⟧", "`1e999999999` needs more than 60 digits", "round it"),
    ("MS117", f"a = ⟦1e{'9' * 100_000}⟧", "needs more than 60 digits", "round it"),
    ("MS117", f"a = ⟦{'1' * 10_000}.5⟧", f"`{'1' * 50}...` needs more than 60 digits", "round it"),
    # Control characters
    ("MS101", 'a = "x⟦\x07⟧"', "the control character U+0007 cannot stand in a spec", "`\\u0007`"),
    ("MS101", "a = 1⟦\r⟧b = 2", "the control character U+000D", "end lines with LF or with CR LF"),
    ("MS101", "a = 1 # x⟦\x01⟧", "the control character U+0001", "remove it"),
    ("MS101", "⟦\x00⟧a = 1", "the control character U+0000", "UTF-16"),
    # Depth
    ("MS118", f"a = {'[' * 64}⟦[⟧{']' * 65}", "more than 64 tables and arrays are nested", ""),
    ("MS118", f"a = {'{b=' * 64}⟦{{⟧", "more than 64 tables and arrays are nested", ""),
    ("MS118", f"a = {'[' * 64}⟦[⟧{'[' * 100_000}", "more than 64 tables and arrays are nested", ""),
    ("MS118", f"⟦{'.'.join('a' * 65)}⟧.a = 1", "more than 64 tables and arrays are nested", ""),
    ("MS118", f"⟦[{'.'.join('a' * 65)}]⟧", "more than 64 tables and arrays are nested", ""),
    ("MS118", f"[{'.'.join('a' * 40)}]\n⟦{'.'.join('b' * 40)}⟧ = 1", "more than 64 tables and arrays", ""),
]  # fmt: skip


@pytest.mark.parametrize(("code", "marked", "message", "hint"), MISTAKES, ids=[repr(row[1])[:60] for row in MISTAKES])
def test_a_mistake_is_named_where_it_stands(code: str, marked: str, message: str, hint: str) -> None:
    start, end = marked.index("⟦"), marked.index("⟧") - 1
    text = marked.replace("⟦", "").replace("⟧", "")
    (found,) = findings(text)
    assert found.code == code
    assert message in found.message
    assert hint in (found.hint or "")
    assert found.at is not None
    span = found.at.span()
    assert (span.start, span.end) == (start, end)
    assert span.begin.line == text.count("\n", 0, start) + 1
    assert span.begin.column == start - text.rfind("\n", 0, start)


@pytest.mark.parametrize(
    ("document", "related"),
    [
        ("a = 1\nb = 2\na = 3", (1, "a", "first here")),
        ("x = 1\n[[m]]\n[m.s]\n[m.s]", (3, "[m.s]", "first here")),
        ("x = [\n1,\ny = 2", (3, "y = 2", "before this line")),
        ("x = [1\n 2]", (1, "[", "the `[` it belongs to")),
        ('x = """\na"""b"""', (1, 'x = """', "it begins here")),
    ],
)
def test_a_mistake_shows_the_other_place_it_depends_on(document: str, related: tuple[int, str, str]) -> None:
    (found,) = findings(document)
    ((place, words),) = found.related
    assert (place.span().begin.line, place.span().text, words) == related


# One mistake, one finding


def test_mistakes_in_lines_of_their_own_are_all_reported() -> None:
    found = findings('a = b\nc = "\\q"\nd =\ne = 1;\nf = 1\nf = 2\n')
    assert [(each.code, each.at.span().begin.line) for each in found if each.at] == [
        ("MS108", 1),
        ("MS109", 2),
        ("MS107", 3),
        ("MS110", 4),
        ("MS112", 6),
    ]


@pytest.mark.parametrize(
    "document",
    [
        '[[meters]\nname = "a"\n[[meters]\nname = "b"\n',
        "x = [1\ny = 2\ny = 2\n",
        'description = """\nsome words\nand more\n',
        "[a]\nx = 1\n[a]\nx = 1\n",
        "some words\nthat are not\na spec\n",
    ],
)
def test_what_follows_from_a_mistake_is_not_reported(document: str) -> None:
    assert len(findings(document)) == 1


def test_every_number_that_cannot_be_used_is_reported() -> None:
    found = findings("a = inf\n[b]\nc = [1, 99999999999999999999, 1e99]\n")
    assert [each.code for each in found] == ["MS115", "MS116", "MS117"]


def test_a_text_of_nothing_but_mistakes_is_not_reported_in_full() -> None:
    assert len(findings("a = b\n" * 1000)) == 20


# Bytes


@pytest.mark.parametrize(
    ("data", "line", "column", "message", "hint"),
    [
        (
            b'a = 1\nb = "caf\xe9"\n',
            2,
            9,
            "no character begins with byte 0xE9 here",
            "in Windows-1252 this byte is `é`",
        ),
        (b"\xef\xbb\xbfa = '\xc3\xa9\x81'", 1, 7, "no character begins with byte 0x81 here", "save it as UTF-8"),
        (b'a = "\xe2\x82', 1, 6, "it ends in the middle of a character", "is the file complete?"),
        (b"\xff\xfea\x00=\x001\x00", 1, 1, "it begins like UTF-16", "save it as UTF-8"),
    ],
)
def test_bytes_that_are_not_utf8_are_located(data: bytes, line: int, column: int, message: str, hint: str) -> None:
    (found,) = findings(data)
    assert found.code == "MS100"
    assert message in found.message
    assert hint in (found.hint or "")
    assert found.at is not None
    assert (found.at.span().begin.line, found.at.span().begin.column) == (line, column)


def test_a_file_larger_than_any_spec_is_refused_unread() -> None:
    (found,) = findings(b"#" * (32 * 2**20 + 1))
    assert (found.code, found.message) == ("MS102", "the file has 33,554,433 bytes; a spec has at most 33,554,432")


LONG = "\u202e\u200b" + "x" * 1_000_000


LONG_DOCUMENTS = [
    f"a = {LONG}",
    f"a {LONG} = 1",
    f"a{LONG} = 1",
    f"{LONG} = 1",
    f"[a {LONG}",
    f"'{LONG}'\na",
    f"['{LONG}']]",
    f"['{LONG}'",
    f"a = 1 {LONG}",
    f"a = '{LONG}' x",
    f"a = ['{LONG}',,]",
    f"'{LONG}' =",
    f"['{LONG}']\n['{LONG}']",
    f"[[a]]\n[a.'{LONG}']\n[a.'{LONG}']",
    f"a = [\n1\n[{'x' * 1_000_000}\n",
    f"a = {'1' * 1_000_000} ,5",
    f"a = [\n{'x' * 1_000_000} y",
    f"a = '{LONG}",
]


@pytest.mark.parametrize("document", LONG_DOCUMENTS, ids=lambda document: repr(document)[:30])
def test_messages_are_short_and_quote_nothing_that_a_terminal_would_obey(document: str) -> None:
    for found in findings(document):
        for words in (found.message, found.hint or ""):
            assert len(words) < 300
            assert words.isprintable()


# Rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_example_of_a_rule_breaks_only_that_rule(rule: Rule) -> None:
    if rule.bad:
        assert [each.code for each in findings(dedent(rule.bad))] == [rule.code]
    assert findings(dedent(rule.good)) == []


def test_every_rule_is_tried_here() -> None:
    codes = {row[0] for row in MISTAKES} | {"MS100", "MS102"}
    assert codes == {rule.code for rule in RULES}


def test_the_deepest_document_that_is_read_can_be_located() -> None:
    key, brackets = ".".join("a" * 65), "[" * 64 + "inf" + "]" * 64
    (found,) = findings(f"{key} = 1\nb = {brackets}\n")
    assert found.at is not None
    assert found.at.span().text == "inf"
    (found,) = findings(f"{key} = inf\n")
    assert found.at is not None
    assert found.at.span().text == "inf"


def test_what_only_the_parser_refuses_is_reported_where_it_stopped() -> None:
    source, out = Source("meterspec.toml", "a = 1\r\nb = 2\r\n"), Diagnostics()
    toml._report_at_error(source, tomli.TOMLDecodeError("a new restriction", "a = 1\nb = 2\n", 10), out)
    (found,) = out
    assert found.message == "`2` cannot stand here"
    assert found.at is not None
    assert found.at.span().begin == Position(2, 5)


# Any text

DOCUMENT = (
    r'''
a.b = 1
a."c.d" = """x
y\
   z"""
'e' = '''.strip()
    + r"""'''
q'' z''''
f = [1, 2.5e3, 0x1F, [true, { x.y = "\u00e9", z = 1979-05-27 07:32:00Z }, {}], # c "
 ]
g = { a = 1,
 b.c = 2, b.d = [],
}
[t.u]
k = 07:32
[t]
v.w = 1
v.x.y = -0.5
[t.v.q]
[[r]]
[[r.s]]
[r.s.t]
m = +1_0
[[r.s]]
[[r]]
s = {a.b=1, c={}}
"""
)
PIECES = ["[", "[[", "]", "]]", "{", "}", '"', "'", '"""', "'''", "=", ".", ",", "#", " ", "\t", "\\", "\\u00e9", "\r"]
PIECES += [
    "\n",
    "\r\n",
    "\x00",
    "é",
    ";",
    ":",
    "a",
    "t",
    "v",
    "r",
    "0",
    "1",
    "_",
    "-",
    "e",
    "inf",
    "true",
    "2026-02-30",
]
PIECES += ["[t]\n", "[[r]]\n", "[r.s]\n", "[t.v]\n", "[t.v.q.z]\n", "a.b.c = 1\n", "v = 1\n", "r.s = 1\n", ""]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The document with a few pieces replaced by others, perhaps with its lines in another order, perhaps cut off."""
    text = DOCUMENT
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[start + draw(st.sampled_from([0, 0, 1, 2, 20])) :]
    if draw(st.booleans()):
        lines = text.splitlines(keepends=True)
        random.Random(draw(st.integers(0, 1000))).shuffle(lines)
        text = "".join(lines)
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(mutated(), mutated(), st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_a_text_is_read_or_every_finding_helps(text: str) -> None:
    out = Diagnostics()
    result = read("meterspec.toml", text.encode(), out)
    try:
        expected = tomli.loads(text.removeprefix("\ufeff"), parse_float=Decimal)
    except tomli.TOMLDecodeError:
        assert result is None
    else:
        assert result is None or result[1] == expected
    assert (result is None) == (len(out) > 0)
    for found in out:
        assert found.at is not None
        assert found.at.span().begin <= found.at.span().finish
        # The one finding without a hint says no more than that tomli stopped: the scanner has to know better.
        assert found.hint or found.code == "MS118"
        assert f"{found.message}{found.hint}".isprintable()


@settings(max_examples=200, deadline=None)
@given(text=mutated())
def test_nothing_is_found_in_toml_but_the_mistake_below_it(text: str) -> None:
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    assert [each.code for each in findings(f"{text}\n= 1\n")] == ["MS103"]


@settings(max_examples=100, deadline=None)
@given(data=st.binary())
def test_any_bytes_are_read_or_reported(data: bytes) -> None:
    findings(data)
