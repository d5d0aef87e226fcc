"""Every path of a document is found where it is written, in whatever style, down to the decoded character."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from time import process_time
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.source import Part, Path, Place, Source
from meterspec.spec.spans import Entry, Header, Slip, comments, locate, members, statements

KEY, VALUE = Part.KEY, Part.VALUE


def expect(document: str, path: Path, part: Part = VALUE, inside: tuple[int, int] | None = None) -> None:
    """The place is what stands between ⟦ and ⟧ in the document."""
    start = document.index("⟦")
    end = document.index("⟧") - 1
    text = document.replace("⟦", "").replace("⟧", "")
    found = locate(text, path, part, inside)
    assert text[found[0] : found[1]] == text[start:end]
    assert found == (start, end)


# Values


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (("name",), 'name = ⟦"x"⟧'),
        (("name",), 'a = 1\nname=⟦1_000⟧ # "no"\nb = 2'),
        (("a", "b"), "a.c = 1\na . b = ⟦2⟧"),
        (("a b", "'"), """"a b"."'" = ⟦true⟧"""),
        (("é\n",), '"\\u00e9\\n" = ⟦1⟧'),
        (("",), "'' = ⟦1⟧"),
        (("at",), "at = ⟦2026-01-05 10:00:00Z⟧ # a blank inside"),
        (("day",), "day = ⟦2026-01-05⟧ "),
        (("table", "x"), "x = 1\n[table]\nx = ⟦2⟧\n[other]\nx = 3"),
        (("table", "in", "x"), "[table]\nx = 1\n[table.in]\nx = ⟦2⟧"),
        (("table", "in", "x"), "[ table . 'in' ]\nx = ⟦2⟧"),
        (("table", "x"), "[table.in]\nx = 1\n[table]\nx = ⟦2⟧"),
        (("meters", 1, "x"), "[[meters]]\nx = 1\n[[meters]]\nx = ⟦2⟧\n[[meters]]\nx = 3"),
        (("meters", 1, "in", "x"), "[[meters]]\n[meters.in]\nx = 1\n[[meters]]\n[meters.in]\nx = ⟦2⟧"),
        (("meters", 0, "in", "x"), "[[meters]]\n[[others]]\n[meters.in]\nx = ⟦1⟧"),
        (("a", 1, "b", 0, "x"), "[[a]]\n[[a.b]]\nx=1\n[[a]]\n[[a.b]]\nx=⟦2⟧\n[[a.b]]\nx=3"),
        (("a", 1, "b", 1, "c", "x"), "[[a]]\n[[a]]\n[[a.b]]\n[[a.b]]\n[a.b.c]\nx = ⟦1⟧"),
        (("tiers", 1, "up_to"), "tiers = [ # [\n  { up_to = 1 }, # }\n  { up_to = ⟦2⟧ },\n]"),
        (("tiers", 1), "tiers = [{ up_to = 1 }, ⟦{ up_to = 2 }⟧]"),
        (("tiers",), "tiers = ⟦[\n  [],\n  [[1]],\n]⟧"),
        (("x", 1, 0), "x = [[1], [⟦2⟧]]"),
        (("a", "b", "c"), "a = { d.c = 1, b.c = ⟦2⟧ }"),
        (("a", "b"), "a = {\n  # b = 0\n  c = 1,\n  b = ⟦2⟧, # last\n}"),
        (("b",), 'a = """\nb = 1\n[b]\n\\""" b = 2"""\nb = ⟦3⟧'),
        (("b",), "a = '''\nb = 1\n[b]\n'''''\nb = ⟦3⟧"),
        (("x",), "a = [\n[1]\n]\nx = ⟦2⟧"),
        (("x",), 'a = "[x]" # """\nx = ⟦2⟧\r\n'),
        (("x", "y"), 'a = ["""]\n[x]\n"""]\r\n[x]\r\ny = ⟦2⟧\r\n'),
    ],
)
def test_a_value_is_found(path: Path, document: str) -> None:
    expect(document, path)


def test_a_large_array_is_read_once_and_every_element_of_it_found() -> None:
    text = "x = [" + ",\n".join(f"{{ n = {number} }}" for number in range(2000)) + "]"
    for number in (0, 1000, 1999):
        start, end = locate(text, ("x", number, "n"), VALUE, None)
        assert text[start:end] == str(number)


@pytest.mark.parametrize("entry", ["k{} = 1", "k.k{} = 1", "k{}.k = 1"])
def test_the_entries_of_a_large_table_are_found_in_time_that_grows_with_it(entry: str) -> None:
    def seconds(count: int) -> float:
        lines = [entry.format(number) for number in range(count)]
        text = "[table]\n" + "\n".join(lines)
        begin = process_time()
        for line in lines:
            start, end = locate(text, ("table", *line.split(" ")[0].split(".")), KEY, None)
            assert text[start:end] == line.split(" ")[0].split(".")[-1]
        return process_time() - begin

    assert min(seconds(8000) for _ in range(2)) < 30 * min(seconds(1000) for _ in range(3))


# Keys


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (("name",), '⟦name⟧ = "x"'),
        (("a b",), '⟦"a b"⟧ = 1'),
        (("a", "b"), "a.⟦b⟧ = 1"),
        (("a",), "⟦a⟧.b = 1"),
        (("a", "b"), "[a]\n⟦b⟧.c = 1\nb.d = 2"),
        (("meters",), "[[⟦meters⟧]]\n[[meters]]"),
        (("meters", 1), "[[meters]]\n[[⟦meters⟧]]"),
        (("meters", 1, "billing"), "[[meters]]\n[meters.billing]\n[[meters]]\n[meters.⟦billing⟧]"),
        (("meters", 0, "billing"), "[[meters]]\n[meters.⟦billing⟧.credits]"),
        (("table",), "[table.in]\n[ ⟦table⟧ ]"),
        (("x", "y"), "x = { z = 1, ⟦y⟧ = 2 }"),
        (("x", 1), "x = [1, ⟦2⟧]"),
    ],
)
def test_a_key_is_the_piece_that_names_it(path: Path, document: str) -> None:
    expect(document, path, KEY)


# Tables


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (("meters", 1), "[[meters]]\nx = 1\n  ⟦[[meters]]⟧ # two\nx = 2"),
        (("meters",), "⟦[[meters]]⟧\n[[meters]]"),
        (("meters", 0, "billing"), "[[meters]]\n⟦[meters.billing]⟧\nx = 1"),
        (("a", "b"), "⟦[a.b.c]⟧\n[a.b.d]"),
        (("a",), "[a.b]\n⟦[a]⟧"),
        (("schema", "status"), '⟦schema.status.type⟧ = "string"\nschema.status.unit = "s"'),
        (("schema",), 'x = 1\n⟦schema.status.type⟧ = "string"'),
        (("fruit", "apple"), "[fruit]\n⟦apple.color⟧ = 1\n[fruit.apple.texture]"),
        (("fruit", "apple", "texture"), "[fruit]\napple.color = 1\n⟦[fruit.apple.texture]⟧"),
        (("x",), "x = ⟦{ a = 1 }⟧"),
    ],
)
def test_a_table_is_its_header_or_the_first_key_that_mentions_it(path: Path, document: str) -> None:
    expect(document, path)


@pytest.mark.parametrize("part", [KEY, VALUE])
@pytest.mark.parametrize(
    ("path", "document"),
    [
        (("meters", 0, "name"), "a = 1\n⟦[[meters]]⟧\nkind = 1\n[meters.source]\nname = 1"),
        (("meters", 0, "source", "family"), "[[meters]]\n⟦[meters.source]⟧\n[[meters]]\nfamily = 1"),
        (("meters", 0, "source", "family"), "[[meters]]\nsource = ⟦{ kind = 1 }⟧"),
        (("meters", 0, "source", "family"), "[[meters]]\n⟦source.kind⟧ = 1"),
        (("meters", 7, "name"), "⟦[[meters]]⟧\nname = 1"),
        (("x", 2), "x = ⟦[1, 2]⟧"),
        (("x", -1), "x = ⟦[1, 2]⟧"),
        (("x", "y", "z"), "x = ⟦1⟧"),
        (("x", 0, "y"), "x = ⟦'abc'⟧"),
        (("nowhere",), "⟦⟧x = 1\n[y]"),
        ((), "⟦⟧x = 1"),
    ],
)
def test_what_is_absent_gives_the_nearest_thing_around_it(path: Path, document: str, part: Part) -> None:
    expect(document, path, part)


# Characters


@pytest.mark.parametrize(
    ("inside", "document"),
    [
        ((2, 5), 'x = "a ⟦bcd⟧ e"'),
        ((0, 1), 'x = "⟦a⟧"'),
        ((1, 2), r'x = "a⟦\n⟧b"'),
        ((1, 2), r'x = "é⟦\u00e9⟧b"'),
        ((1, 2), r'x = "a⟦\U0001F600⟧b"'),
        ((1, 3), r'x = "a⟦\"b⟧c"'),
        ((2, 3), r'x = "\\\\⟦\x41⟧"'),
        ((0, 2), r"x = '⟦\n⟧'"),
        ((0, 3), 'x = """\n⟦abc⟧"""'),
        ((0, 3), 'x = """\r\n⟦abc⟧"""'),
        ((1, 4), 'x = """a⟦\r\nbc⟧"""'),
        ((1, 2), 'x = """\n\n⟦a⟧"""'),
        ((1, 3), 'x = """a\\\n   ⟦bc⟧"""'),
        ((0, 2), 'x = """⟦a\\  \r\n\r\n   b⟧c"""'),
        ((0, 1), 'x = """⟦a⟧\\\n   bc"""'),
        ((1, 3), 'x = """a⟦""⟧"""'),
        ((0, 2), 'x = """⟦""⟧a"""'),
        ((2, 4), "x = '''a\\⟦\nb⟧'''"),
        ((1, 2), "x = '''a⟦'⟧'''"),
        ((1, 1), 'x = "a⟦⟧bc"'),
        ((1, 1), r'x = "a⟦⟧\nb"'),
        ((3, 3), 'x = "abc⟦"⟧'),
        ((0, 0), 'x = "⟦"⟧'),
        ((3, 3), "x = 'abc⟦'⟧"),
        ((3, 3), 'x = """abc⟦"""⟧'),
        ((4, 4), "x = '''abc'⟦'''⟧"),
        ((1, 9), 'x = "a⟦bc⟧"'),
        ((9, 9), 'x = "abc⟦"⟧'),
        ((0, 1), "x = ⟦12⟧"),
    ],
)
def test_a_range_of_decoded_characters_is_found_in_what_was_written(inside: tuple[int, int], document: str) -> None:
    expect(document, ("x",), VALUE, inside)


def test_a_place_in_the_document_itself_is_a_range_of_its_text() -> None:
    source = Source("meterspec.toml", "# a comment\nx = 1\n", locate)
    span = Place(source, inside=(2, 11)).span()
    assert span.text == "a comment"
    assert (span.begin.line, span.begin.column) == (1, 3)


# Comments


def test_comments_are_those_outside_strings() -> None:
    text = (
        "# one\n"
        'a = "# no" # two\r\n'
        "b = '# no' #three\n"
        'c = """\n# no \\""" # no\n""" # four\n'
        "d = '''\n# no\n'''' # five # still five\n"
        "[e] # six 'quoted\n"
        "f = [ # seven\n]\n"
        '"# no" = 1'
    )
    assert list(comments(text)) == [
        (1, 1, "# one"),
        (2, 12, "# two"),
        (3, 12, "#three"),
        (6, 5, "# four"),
        (9, 6, "# five # still five"),
        (10, 5, "# six 'quoted"),
        (11, 7, "# seven"),
    ]


def test_comments_are_found_below_a_string_that_is_not_closed() -> None:
    assert list(comments("a = \"x # no\nb = 'y # no\nc = it's # no\n# yes\n")) == [(4, 1, "# yes")]


# Broken text


def test_statements_go_on_after_what_is_not_toml() -> None:
    slips: list[Slip] = []
    text = "a = 1\nb = \nc 3\n[d\n[e]\nf = [1,\n2\n"
    found = list(statements(text, slips))
    assert [".".join(piece.name for piece in each.pieces) for each in found] == ["a", "e"]
    assert [(slip.fault.name, text[slip.start : slip.end]) for slip in slips] == [
        ("NO_VALUE", ""),
        ("EQUALS", "3"),
        ("HEADER", ""),
        ("BRACKET", "["),
        ("EQUALS", ""),
    ]


def test_members_of_a_broken_array_are_those_before_the_break() -> None:
    text = "[1, 'two', three"
    assert [text[each.start : each.end] for each in members(text, 0)] == ["1", "'two'"]


# Any document in any style


scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))])),
    st.text("ab\"'\\\n\t #[]{}=é😀\x00\x7f", max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
names = st.one_of(st.sampled_from(["a", "b", "c", "1"]), st.text("a.\"'\\\né #]", max_size=4))
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=3),
        st.lists(st.dictionaries(names, inner, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=12,
)
tables = st.dictionaries(names, values, max_size=5)


@dataclass
class Writer:
    """Writes a document, each part in a style that is drawn."""

    data: st.DataObject
    lines: list[str] = field(default_factory=list)

    def choose(self, *styles: str) -> str:
        return self.data.draw(st.sampled_from(styles))

    def document(self, table: dict[str, Any]) -> str:
        self.table(table, ())
        return "\n".join(self.lines).replace("\n", self.choose("\n", "\r\n"))

    def table(self, table: dict[str, Any], path: tuple[str, ...], brackets: str = "") -> None:
        """The entries of a table, then the tables in it that get headers; under `[table]` also the other way round."""
        below = {
            name: value
            for name, value in table.items()
            if (isinstance(value, dict) or is_array_of_tables(value)) and self.choose("header", "entry") == "header"
        }
        late = brackets == "[" and bool(below) and self.choose("early", "late") == "late"
        if late:
            self.tables(below, path)
        implied = brackets == "[" and bool(table) and len(below) == len(table) and self.choose("", "implied") != ""
        if brackets and not implied:
            self.line(f"{brackets}{self.blank()}{self.dotted(path)}{self.blank()}{']' * len(brackets)}")
        for name, value in table.items():
            if name not in below:
                self.entry((name,), value)
        if not late:
            self.tables(below, path)

    def tables(self, tables: dict[str, Any], path: tuple[str, ...]) -> None:
        for name, value in tables.items():
            if isinstance(value, dict):
                self.table(value, (*path, name), "[")
            else:
                for element in value:
                    self.table(element, (*path, name), "[[")

    def entry(self, names: tuple[str, ...], value: Any) -> None:
        if isinstance(value, dict) and value and self.choose("dotted", "inline") == "dotted":
            for name, inner in value.items():
                self.entry((*names, name), inner)
        else:
            self.line(f"{self.dotted(names)}{self.blank()}={self.blank()}{self.value(value)}")

    def line(self, text: str) -> None:
        after = self.choose("", "", " # a comment: \"' [x] {", "\n", "\n# ''' \"\"\"\n")
        self.lines.append(self.blank() + text + after)

    def blank(self) -> str:
        return self.choose("", " ", "\t ")

    def gap(self) -> str:
        return self.choose("", " ", "\n", ' # ]}"\n\t', "\n\n")

    def dotted(self, names: tuple[str, ...]) -> str:
        return f"{self.blank()}.{self.blank()}".join(self.key(name) for name in names)

    def key(self, name: str) -> str:
        styles = ["basic"]
        if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
            styles.append("bare")
        if is_printable(name) and "'" not in name:
            styles.append("literal")
        style = self.choose(*styles)
        return name if style == "bare" else f"'{name}'" if style == "literal" else f'"{self.escaped(name)}"'

    def value(self, value: Any) -> str:
        match value:
            case bool():
                return str(value).lower()
            case str():
                return self.string(value)
            case list():
                return self.members("[", [self.value(each) for each in value], "]")
            case dict():
                entry = "{}{}={}{}".format
                blank = self.blank
                inner = [entry(self.key(name), blank(), blank(), self.value(each)) for name, each in value.items()]
                return self.members("{", inner, "}")
            case datetime() | date() | time():
                return str(value.isoformat())
        return str(value)

    def members(self, opening: str, members: list[str], closing: str) -> str:
        inner = ",".join(f"{self.gap()}{member}{self.gap()}" for member in members)
        return f"{opening}{inner}{self.choose('', ',') if members else ''}{self.gap()}{closing}"

    def string(self, text: str) -> str:
        styles = ["basic", "long basic"]
        if is_printable(text) and "'" not in text:
            styles.append("literal")
        if is_printable(text.replace("\n", "")) and "'''" not in text:
            styles.append("long literal")
        style = self.choose(*styles)
        if style == "basic":
            return f'"{self.escaped(text)}"'
        if style == "literal":
            return f"'{text}'"
        first = "\n" if text.startswith("\n") else self.choose("", "\n")
        if style == "long literal":
            return f"'''{first}{text}'''"
        return f'"""{first}{self.long(text)}"""'

    def long(self, text: str) -> str:
        """The inside of a multi-line basic string: some line breaks and quotes as they are, some lines continued."""
        out = ""
        continued = False
        for c in text:
            raw = (c in " \t\n" and not continued) or (c == '"' and not out.endswith('""'))
            out += c if raw and self.choose("raw", "") == "raw" else self.escaped(c, blanks=not continued)
            after = self.choose("", "", "", "\\\n", "\\ \n \t\n  ")
            continued = after != "" or (continued and c in " \t\n" and raw)
            out += after
        return out

    def escaped(self, text: str, *, blanks: bool = True) -> str:
        out = ""
        for c in text:
            if c in SHORT and self.choose("short", "code") == "short":
                out += "\\" + SHORT[c]
            elif c in '"\\' or not is_printable(c) or (c in " \t" and not blanks) or self.choose("", "", "x") == "x":
                code = ord(c)
                out += f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08x}"
            else:
                out += c
        return out


SHORT = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", "\x1b": "e", '"': '"', "\\": "\\"}


def is_printable(text: str) -> bool:
    """Whether TOML takes the text as it is, on one line."""
    return all(c == "\t" or (c >= " " and c != "\x7f") for c in text)


def is_array_of_tables(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(each, dict) for each in value)


def everything_in(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """Every value of a document with its path, tables and arrays too."""
    found: list[tuple[Path, Any]] = [(path, value)] if path else []
    if isinstance(value, dict):
        return found + [each for name, inner in value.items() for each in everything_in(inner, (*path, name))]
    if isinstance(value, list):
        return found + [each for number, inner in enumerate(value) for each in everything_in(inner, (*path, number))]
    return found


def parsed(written: str) -> Any:
    return tomli.loads(f"x = {written}", parse_float=Decimal)["x"]


@settings(max_examples=100, deadline=None)
@given(table=tables, data=st.data())
def test_every_value_and_key_of_any_document_is_found(table: dict[str, Any], data: st.DataObject) -> None:
    text = Writer(data).document(table)
    assert tomli.loads(text, parse_float=Decimal) == table
    found = list(statements(text, []))
    headers = {each.start for each in found if isinstance(each, Header)}
    keys = {each.pieces[0].start for each in found if isinstance(each, Entry)}
    for path, value in everything_in(table):
        start, end = locate(text, path, VALUE, None)
        written = text[start:end]
        names = [step for step in path if isinstance(step, str)]
        if start in headers:
            assert isinstance(value, dict | list)
            assert first_names(tomli.loads(written), len(names)) == names
        elif start in keys:
            assert isinstance(value, dict)
        else:
            assert parsed(written) == value
            assert type(parsed(written)) is type(value)
        start, end = locate(text, path, KEY, None)
        if isinstance(path[-1], str):
            assert tomli.loads(f"{text[start:end]} = 1") == {path[-1]: 1}


def first_names(table: Any, count: int) -> list[str]:
    """The names a header gives, from the outermost."""
    names: list[str] = []
    while len(names) < count:
        table = table[0] if isinstance(table, list) else table
        ((name, table),) = table.items()
        names.append(name)
    return names


@settings(max_examples=100, deadline=None)
@given(value=st.text("ab\"'\\\n\t é😀\x00", max_size=8), data=st.data())
def test_every_range_of_characters_decodes_to_them(value: str, data: st.DataObject) -> None:
    text = Writer(data).document({"before": 1, "x": value, "after": 1})
    whole = locate(text, ("x",), VALUE, None)
    quote = text[whole[0]]
    for first in range(len(value) + 1):
        for last in range(first, len(value) + 1):
            start, end = locate(text, ("x",), VALUE, (first, last))
            if first == last == len(value):
                assert end == whole[1]
                assert text[start:end] in {quote, quote * 3}
            else:
                assert parsed(f"{quote * 3}|{text[start:end]}|{quote * 3}") == f"|{value[first:last]}|"


@settings(max_examples=50, deadline=None)
@given(table=tables, data=st.data())
def test_a_document_has_no_slips_and_its_statements_are_found_in_order(
    table: dict[str, Any], data: st.DataObject
) -> None:
    text = Writer(data).document(table)
    slips: list[Slip] = []
    found = list(statements(text, slips))
    assert slips == []
    for each in found:
        tomli.loads(text[: each.end], parse_float=Decimal)
    assert [each.end for each in found] == sorted(each.end for each in found)


PIECES = [
    "[",
    "[[",
    "]",
    "]]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "'''",
    "=",
    ".",
    ",",
    "#",
    " ",
    "\\",
    "\\u00e9",
    "\r",
    "\x00",
]
PIECES += [
    "\n",
    "\r\n",
    "a",
    "b",
    "1",
    "-1.5e3",
    "true",
    "2026-02-30",
    "inf",
    "é",
    "[a]\n",
    "[[a]]\n",
    "a=1\n",
    "b = [",
]


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(),
    path=st.lists(st.sampled_from(["a", "b", "1", 0, 1]), min_size=1, max_size=4).map(tuple),
    part=st.sampled_from(Part),
    inside=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_any_text_has_some_place_for_any_path(
    text: str, path: Path, part: Part, inside: tuple[int, int] | None
) -> None:
    start, end = locate(text, path, part, inside)
    assert 0 <= start <= end <= len(text)
    lines = text.split("\n")
    for line, column, comment in comments(text):
        assert lines[line - 1][column - 1 :].removesuffix("\r") == comment
        assert comment.startswith("#")
