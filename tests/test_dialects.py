"""What each method of a dialect promises, executed on its engine: every digit, every null, every code point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DIALECTS, NARROW, WIDE, Dialect, TooLargeError
from meterspec.cel.functions import WHITESPACE
from meterspec.cel.pattern import matcher, portable
from meterspec.cel.tree import Call, FieldRef, Literal
from meterspec.cel.types import Type
from meterspec.ir import Field, FieldType
from tests.engines import Engine, Row, Value

LARGEST = WIDE
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def dialect(engine: Engine) -> Dialect:
    return DIALECTS[engine.name]


def text(node: exp.Expr, dialect: Dialect) -> str:
    return node.sql(dialect=dialect.printer)


def rows_of(
    engine: Engine, dialect: Dialect, columns: Mapping[str, str], rows: Sequence[Row], *nodes: exp.Expr
) -> list[Row]:
    """What nodes over the columns of a table give for each of its rows, in order."""
    engine.reset()
    engine.load("t", {"n": dialect.narrow, **columns}, [(n, *row) for n, row in enumerate(rows)])
    named = [b.named(node, f"value_{at}") for at, node in enumerate(nodes)]
    select = exp.select(b.column("n"), *named).from_(b.table("t")).order_by(b.column("n"))
    return [row[1:] for row in engine.query(text(select, dialect))]


def as_in(engine: Engine, found: Sequence[Row], expected: Sequence[Row]) -> list[Row]:
    """Rows with each value of the kind that is expected in its place, where the engine has no type for it."""
    return [
        tuple(engine.read(type(other), value) for value, other in zip(row, others, strict=True))
        for row, others in zip(found, expected, strict=True)
    ]


# Whole numbers ------------------------------------------------------------------------------------------------------

NARROWS = [0, 1, 2, 6, 7, 999_999, 10**6, 2**31, 2**53 + 1, 10**18, NARROW]
WIDES = [*NARROWS, NARROW + 1, 2**64, 10**31 + 7, 10**32, 3 * 10**32 + 1, 10**37, 10**38 // 7, LARGEST - 1, LARGEST]


@pytest.mark.parametrize("wide", [False, True])
def test_division_truncates(engine: Engine, dialect: Dialect, wide: bool) -> None:
    numbers, magnitude = ([n for n in WIDES if n <= dialect.widest], WIDE) if wide else (NARROWS, NARROW)
    kind = dialect.broad if wide else dialect.narrow
    pairs: list[Row] = [(one, two) for one in numbers for two in numbers]
    pairs += [(5, None), (None, 5), (5, 0)]
    x, y = b.column("x"), exp.Nullif(this=b.column("y"), expression=b.number(0))
    nodes = dialect.quotient(x, y, magnitude), dialect.remainder(x.copy(), y.copy(), magnitude)
    found = rows_of(engine, dialect, {"x": kind, "y": kind}, pairs, *nodes)
    assert found == [
        divmod(one, two) if isinstance(one, int) and isinstance(two, int) and two else (None, None)
        for one, two in pairs
    ]


def test_arithmetic_on_what_division_gives_does_not_overflow(engine: Engine, dialect: Dialect) -> None:
    x, y = b.column("x"), b.column("y")
    large = 10**37 if dialect.widest == WIDE else 10**17
    big = dialect.wide(dialect.constant(large))
    nodes = [b.multiply(divide(x, y, WIDE), big) for divide in (dialect.quotient, dialect.remainder)]
    found = rows_of(engine, dialect, {"x": dialect.broad, "y": dialect.broad}, [(5, 2), (8, 9)], *nodes)
    assert found == [(2 * large, large), (0, 8 * large)]


@pytest.mark.parametrize("value", [0, 1, -1, 2**31, -(2**31) - 1, NARROW, -NARROW, NARROW + 1, LARGEST, -LARGEST])
def test_constants_are_exact(engine: Engine, dialect: Dialect, value: int) -> None:
    if abs(value) > dialect.widest:
        with pytest.raises(TooLargeError):
            dialect.integer(dialect.constant(value), abs(value))
        return
    select = exp.select(b.named(dialect.integer(dialect.constant(value), abs(value)), "x"))
    assert engine.query(text(select, dialect)) == [(value,)]


def test_sums_are_exact(engine: Engine, dialect: Dialect) -> None:
    if dialect.widest < WIDE:
        return  # a total that is not narrow is of limbs there, and only its quantity a number
    columns = {"g": dialect.narrow, "x": dialect.narrow, "y": dialect.broad}
    rows: list[Row] = [(1, NARROW, LARGEST // 2), (1, NARROW, LARGEST // 2), (1, None, None), (1, -5, 1)]
    rows += [(2, None, None), (3, -NARROW, -LARGEST), (3, -NARROW, None)]
    engine.load("t", columns, rows)
    x, y = b.column("x"), b.column("y")
    totals = [b.named(dialect.total(node, WIDE), name) for node, name in ((x, "wide"), (y, "widest"))]
    small = b.named(dialect.total(b.binary(exp.Mod, x.copy(), dialect.integer(b.number(7), 7)), NARROW), "small")
    select = exp.select(b.column("g"), *totals, small).from_(b.table("t")).group_by(b.column("g"))
    found = engine.query(text(select.order_by(b.column("g")), dialect))
    rest = math.fmod(-NARROW, 7)
    assert found == [
        (1, 2 * NARROW - 5, 2 * (LARGEST // 2) + 1, 2 * (NARROW % 7) - 5),
        (2, None, None, None),
        (3, -2 * NARROW, -LARGEST, 2 * -(NARROW % 7)),
    ], rest
    none = exp.select(*(total.copy() for total in totals)).from_(b.table("t")).where(exp.false())
    assert engine.query(text(none, dialect)) == [(None, None)]


def test_signs_and_extremes(engine: Engine, dialect: Dialect) -> None:
    columns = {"x": dialect.narrow, "y": dialect.broad}
    most = dialect.widest
    rows: list[Row] = [(5, -most), (-NARROW, most), (0, 0)]
    x, y = b.column("x"), b.column("y")
    nodes = [dialect.absolute(x, NARROW), dialect.absolute(y), dialect.negate(x), dialect.negate(y)]
    nodes += [dialect.least([dialect.wide(x), y]), dialect.greatest([dialect.wide(x), y])]
    # An engine may give a magnitude another type than its sign allows for.
    nodes.append(b.case([(b.binary(exp.LT, x, b.number(0)), dialect.negate(dialect.absolute(x, NARROW)))], x))
    assert rows_of(engine, dialect, columns, rows, *nodes) == [
        (abs(one), abs(two), -one, -two, min(one, two), max(one, two), one)
        for one, two in rows
        if isinstance(one, int) and isinstance(two, int)
    ]


# Numbers of events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0, 1, 6, 12, 18])
def test_a_whole_number_becomes_a_decimal(engine: Engine, dialect: Dialect, scale: int) -> None:
    wholes: list[Row] = [(sign * whole,) for whole in WIDES if whole <= dialect.widest for sign in (1, -1)]
    found = rows_of(engine, dialect, {"x": dialect.broad}, [*wholes, (None,)], dialect.decimal(b.column("x"), scale))
    expected: list[Row] = [*((Decimal(f"{whole}e-{scale}"),) for (whole,) in wholes), (None,)]
    assert as_in(engine, found, expected) == expected
    if not dialect.has_decimals:
        assert {len(str(text).partition(".")[2]) for (text,) in found if text is not None} == {scale}


@pytest.mark.parametrize("scale", [0, 4, 9])
def test_a_narrow_number_becomes_a_decimal(engine: Engine, dialect: Dialect, scale: int) -> None:
    wholes: list[Row] = [(0,), (-1,), (10**18 - 1,), (2**53,), (None,)]
    found = rows_of(engine, dialect, {"x": dialect.narrow}, wholes, dialect.decimal(b.column("x"), scale, 18))
    expected: list[Row] = [(None if whole is None else Decimal(f"{whole}e-{scale}"),) for (whole,) in wholes]
    assert as_in(engine, found, expected) == expected


@pytest.mark.parametrize(
    ("precision", "scale"),
    [(9, 3), (18, 0), (18, 9), (18, 18), (19, 9), (30, 15), (38, 0), (38, 9), (38, 12), (38, 18)],
)
def test_a_decimal_becomes_a_whole_number(engine: Engine, dialect: Dialect, precision: int, scale: int) -> None:
    if 10**precision - 1 > dialect.widest:
        with pytest.raises(TooLargeError):
            dialect.unscaled(b.column("x"), precision, scale)
        return
    largest = 10**precision - 1
    wholes = [0, 1, -1, 5, 10**scale, 10**scale - 1, largest, -largest, largest // 3]
    rows: list[Row] = [*((Decimal(f"{w}e-{scale}"),) for w in wholes if abs(w) <= largest), (None,)]
    columns = {"x": dialect.column_type(Field(name="x", type=FieldType.DECIMAL, precision=precision, scale=scale))}
    found = rows_of(engine, dialect, columns, rows, dialect.unscaled(b.column("x"), precision, scale))
    assert found == [*((w,) for w in wholes if abs(w) <= largest), (None,)]
    if precision > 18:
        few: list[Row] = [(Decimal(f"{w}e-{scale}"),) for w in (0, -7, 10**17 + 1)]
        narrow = rows_of(engine, dialect, columns, few, dialect.unscaled(b.column("x"), 18, scale))
        assert narrow == [(0,), (-7,), (10**17 + 1,)]


DOUBLES = [
    *(0.0, -0.0, 0.1, 0.3, -0.5, 0.5, 1.5, 2.5, -2.5, 0.00005, -0.00005, 2.67495, 1e-7, 5e-324, 123456.789, -99.995),
    *(
        2.0**53 - 1,
        2.0**53,
        2.0**53 - 0.5,
        9007199254.740991,
        9007199254.740992,
        -9007199254.740992,
        4503599627370497.5,
    ),
    *(1e15, 1e16, -1e16, 1e300, -1e308, 1.7976931348623157e308, math.inf, -math.inf, math.nan),
]


@pytest.mark.parametrize("scale", [0, 4, 6, 15])
def test_a_double_is_read_by_the_rule(engine: Engine, dialect: Dialect, scale: int) -> None:
    x = b.column("x")
    value, beyond = dialect.reads_double(x, scale)
    # A caller asks whether it is a number first: what is said of one that is not does not count.
    reason = b.case([(b.not_(dialect.is_number(x.copy())), b.text("no")), (beyond, b.text("far"))])
    doubles = [double for double in DOUBLES if engine.held(double) is not None]
    rows: list[Row] = [*((double,) for double in doubles), (None,)]
    found = rows_of(engine, dialect, {"x": dialect.types[FieldType.FLOAT]}, rows, value, reason)
    expected: list[Row] = []
    for double in doubles:
        if not math.isfinite(double):
            expected.append((None, "no"))
        elif abs(double) >= 1e16 or abs(double * 10.0**scale) >= 2.0**53:
            expected.append((None, "far"))
        else:
            expected.append((math.floor(double * 10.0**scale + 0.5), None))
    assert found == [*expected, (None, None)]


# Instants -----------------------------------------------------------------------------------------------------------

INSTANTS = [
    *(EPOCH, EPOCH - timedelta(microseconds=1), EPOCH + timedelta(microseconds=1)),
    *(datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC), datetime(2255, 6, 5, 23, 47, 34, 740_993, UTC)),
    *(datetime(2299, 12, 31, 23, 59, 59, 999_999, UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
    *(datetime(1900, 1, 1, 0, 0, 0, 1, UTC), datetime(1969, 7, 20, 20, 17, 40, 500_000, UTC)),
]


def test_instants_are_whole_microseconds(engine: Engine, dialect: Dialect) -> None:
    micros = [(instant - EPOCH) // timedelta(microseconds=1) for instant in INSTANTS]
    columns = {"x": dialect.types[FieldType.TIMESTAMP], "y": dialect.narrow}
    rows: list[Row] = [*zip(INSTANTS, micros, strict=True), (None, None)]
    found = rows_of(engine, dialect, columns, rows, dialect.instant(b.column("y")), dialect.micros(b.column("x")))
    assert as_in(engine, found, rows) == rows


# Rows ---------------------------------------------------------------------------------------------------------------


def test_the_last_and_first_value_skip_nulls_and_break_ties_by_code_point(engine: Engine, dialect: Dialect) -> None:
    kinds = {FieldType.STRING: ("g", "id"), FieldType.INTEGER: ("v", "at")}
    columns = {name: dialect.types[kind] for kind, names in kinds.items() for name in names}
    rows: list[Row] = [
        *(("a", "e1", 10, 1), ("a", "e3", 30, 2), ("a", "e2", 20, 2), ("a", "e9", None, 3), ("a", "e0", None, 0)),
        *(("b", "Z", 1, 5), ("b", "a", 2, 5), ("b", "é", 3, 5), ("b", "\uffff", 4, 5), ("b", "😀", 5, 5)),
        ("c", "x", None, 1),
    ]
    engine.load("t", columns, rows)
    keys = [b.column("at"), dialect.by_code_point(b.column("id"))]
    nodes = [b.named(dialect.last(b.column("v"), keys), "last"), b.named(dialect.first(b.column("v"), keys), "first")]
    select = exp.select(b.column("g"), *nodes).from_(b.table("t")).group_by(b.column("g")).order_by(b.column("g"))
    assert engine.query(text(select, dialect)) == [("a", 30, 10), ("b", 5, 1), ("c", None, None)]


def test_one_row_of_each_key_is_kept_and_nulls_come_last(engine: Engine, dialect: Dialect) -> None:
    columns = {"id": dialect.types[FieldType.STRING], "x": dialect.narrow, "s": dialect.types[FieldType.STRING]}
    rows: list[Row] = [("a", None, "x"), ("a", 2, None), ("a", 2, "é"), ("a", 2, "z"), ("b", 1, "Z"), ("b", 1, "a")]
    rows += [("c", None, None), ("c", None, "q"), ("d", -1, "w")]
    engine.load("t", columns, rows)
    selected = exp.select(b.column("id"), b.column("x"), b.column("s")).from_(b.table("t"))
    order = [b.column("x"), dialect.by_code_point(b.column("s"))]
    kept = dialect.keep_first(selected, ["id", "x", "s"], "id", order)
    assert sorted(engine.query(text(kept, dialect)), key=str) == [
        *(("a", 2, "z"), ("b", 1, "Z"), ("c", None, "q"), ("d", -1, "w"))
    ]


def test_the_next_value_of_a_partition(engine: Engine, dialect: Dialect) -> None:
    engine.load("t", {"g": dialect.narrow, "x": dialect.narrow}, [(1, 5), (1, 7), (1, 6), (2, 9), (None, 3), (None, 4)])
    following = dialect.following(b.column("x"), [b.column("g")], [b.column("x")])
    select = exp.select(b.column("x"), b.named(following, "next")).from_(b.table("t")).order_by(b.column("x"))
    assert engine.query(text(select, dialect)) == [(3, 4), (4, None), (5, 6), (6, 7), (7, None), (9, None)]


def test_a_row_is_repeated_for_each_number(engine: Engine, dialect: Dialect) -> None:
    engine.load("t", {"id": dialect.narrow, "low": dialect.narrow, "high": dialect.narrow}, [(1, -2, 1), (2, 7, 7)])
    rows = exp.select(b.column("id")).from_(b.table("t"))
    repeated = dialect.repeated(rows, b.column("low"), b.column("high"), "k")
    select = exp.select(b.column("id"), b.column("k")).from_(repeated.subquery(b.identifier("q")))
    found = engine.query(text(select.order_by(b.column("id"), b.column("k")), dialect))
    assert found == [(1, -2), (1, -1), (1, 0), (1, 1), (2, 7)]


def test_two_nulls_are_the_same(engine: Engine, dialect: Dialect) -> None:
    string, boolean = dialect.types[FieldType.STRING], dialect.types[FieldType.BOOLEAN]
    rows: list[Row] = [(None, None, True), ("", None, None), ("a", "a", False), ("a", "A", False), (None, "x", None)]
    x, y = b.column("x"), b.column("y")
    nodes = [
        b.case([(node, b.text("yes")), (b.not_(node.copy()), b.text("no"))])
        for node in (
            dialect.same(x, y),
            dialect.same(x, y, negated=True),
            dialect.same(b.column("b"), exp.true()),
        )
    ]
    found = rows_of(engine, dialect, {"x": string, "y": string, "b": boolean}, rows, *nodes)
    assert found == [
        tuple("yes" if truth else "no" for truth in (one == two, one != two, three is True)) for one, two, three in rows
    ]


# Texts --------------------------------------------------------------------------------------------------------------

TEXTS = [
    *("", "a", "A", "b", "Z", "ab", "abc", "é", "e\u0301", "ß", "😀", "\uffff", "a%b", "a_b", "%", "_", "\\", "'", '"'),
    *("a\nb", "a\n", "\n", "x.y", "x+y", "(x)", "[x]", "^x$", "<x>", "{x}", "a b", "gpt-4", "Ünïcode ☃", "K", "ſ"),
]


def test_texts_compare_and_sort_by_code_point(engine: Engine, dialect: Dialect) -> None:
    columns = {"x": dialect.types[FieldType.STRING], "y": dialect.types[FieldType.STRING]}
    rows: list[Row] = [(one, two) for one in TEXTS for two in TEXTS]
    x, y = dialect.by_code_point(b.column("x")), dialect.by_code_point(b.column("y"))
    kinds = [exp.LT, exp.LTE, exp.EQ]
    nodes = [b.case([(b.binary(kind, x, y), b.number(1))], b.number(0)) for kind in kinds]
    found = rows_of(engine, dialect, columns, rows, *nodes)
    assert found == [
        (int(one < two), int(one <= two), int(one == two))
        for one, two in rows
        if isinstance(one, str) and isinstance(two, str)
    ]
    engine.reset()
    engine.load("t", {"x": columns["x"]}, [(one,) for one in TEXTS])
    order = dialect.ordered_last([dialect.by_code_point(b.column("x"))])
    select = exp.select(b.column("x")).from_(b.table("t")).order_by(*order)
    assert engine.query(text(select, dialect)) == [(one,) for one in sorted(TEXTS)]


def test_texts_within_texts(engine: Engine, dialect: Dialect) -> None:
    columns = {"x": dialect.types[FieldType.STRING], "y": dialect.types[FieldType.STRING]}
    pairs = [(one, two) for one in TEXTS for two in TEXTS]
    x, y = b.column("x"), b.column("y")
    tests = [dialect.contains(x, y), dialect.starts_with(x, y), dialect.ends_with(x, y)]
    nodes = [b.case([(test, b.number(1))], b.number(0)) for test in tests]
    assert rows_of(engine, dialect, columns, list(pairs), *nodes) == [
        (int(two in one), int(one.startswith(two)), int(one.endswith(two))) for one, two in pairs
    ]
    assert rows_of(engine, dialect, columns, [(None, "a")], *tests) == [(None, None, None)]


@pytest.mark.parametrize("part", ["", "%", "_", "\\", "'", "\n", "é", "😀", "a_b"])
def test_a_constant_within_texts(engine: Engine, dialect: Dialect, part: str) -> None:
    x = b.column("x")
    tests = [
        dialect.contains(x, b.text(part)),
        dialect.starts_with(x, b.text(part)),
        dialect.ends_with(x, b.text(part)),
    ]
    nodes = [b.case([(test, b.number(1))], b.number(0)) for test in tests]
    found = rows_of(engine, dialect, {"x": dialect.types[FieldType.STRING]}, [(one,) for one in TEXTS], *nodes)
    assert found == [(int(part in one), int(one.startswith(part)), int(one.endswith(part))) for one in TEXTS]


def test_what_a_text_becomes(engine: Engine, dialect: Dialect) -> None:
    padded = [f"{WHITESPACE}{inner}{WHITESPACE}" for inner in ("", "a b", "é", "😀\u2003x", "Â", "à")]
    texts = [*TEXTS, *padded, *WHITESPACE, "x" + WHITESPACE, WHITESPACE + "x", "ÄÖabcXYZ"]
    x = b.column("x")
    lower = dialect.translate(x, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
    joined = b.binary(exp.DPipe, x, b.text("\\'é"))
    rows: list[Row] = [*((one,) for one in texts), (None,)]
    nodes = [dialect.size(x), dialect.trim(x, WHITESPACE), lower, joined]
    found = rows_of(engine, dialect, {"x": dialect.types[FieldType.STRING]}, rows, *nodes)
    ascii_lower = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
    expected: list[Row] = [(len(one), one.strip(WHITESPACE), one.translate(ascii_lower), one + "\\'é") for one in texts]
    assert found == [*expected, (None, None, None, None)]


PATTERNS = [
    *(
        "a",
        "^a",
        "b$",
        "^$",
        "^a$",
        ".",
        "^.$",
        "^..$",
        "a.b",
        "(?s)a.b",
        "[ab]",
        "[^a]",
        "[^\\n]",
        "\\d",
        "\\w+",
        "\\s",
    ),
    *("\\S", "\\W", "a|b", "^(a|b)$", "^(?:a|)b", "a{1}", "[a-c]{2,3}", "x?y", "(ab)+c", "(?i)A", "(?i)k", "(?i)s"),
    *(
        r"\.",
        r"\+",
        r"\(",
        r"\[",
        r"\^",
        r"\$",
        r"\\",
        r"<",
        r"\<",
        r"[<>]",
        r"\{",
        r"[\]\[]",
        r"[\\^-]",
        r"[&~#-]",
        "'",
    ),
    *(
        '"',
        "%",
        "_",
        "[à-ÿ]",
        "^[é-😀]$",
        "😀",
        "☃$",
        "[^a-z]$",
        "gpt-[0-9]",
        "[[:alpha:]]",
        "[[:punct:]]",
        r"\x41",
        r"\x{e9}",
    ),
    *(r"[\x00-\x1f]", r"\t|\n", "/", "`", "~", "@", "!", "=", ",", ";", ":", " ", "#", "&&", "--", "$a", "a^"),
]


def test_a_pattern_matches_what_it_matches_everywhere(engine: Engine, dialect: Dialect) -> None:
    texts = [
        *TEXTS,
        "&&",
        "--",
        "#",
        "~",
        "@",
        "!",
        "=",
        ",",
        ";",
        ":",
        "/",
        "`",
        "-",
        "\t",
        "\x01",
        "x y",
        "A1",
        "]",
        "[",
    ]
    matches = Call("matches_string", (FieldRef("x", Type.STRING), Literal("a", Type.STRING)), Type.BOOL)
    if dialect.lacks(matches):
        return  # `lacks` refuses what calls it
    columns = {"x": dialect.types[FieldType.STRING]}
    nodes = [
        b.case([(dialect.matches(b.column("x"), portable(pattern, dialect.end_of_text)), b.number(1))], b.number(0))
        for pattern in PATTERNS
    ]
    found = rows_of(engine, dialect, columns, [(one,) for one in texts], *nodes)
    wrong = [
        (pattern, one, value)
        for one, row in zip(texts, found, strict=True)
        for pattern, value in zip(PATTERNS, row, strict=True)
        if value != int(matcher(pattern).search(one) is not None)
    ]
    assert not wrong
    assert rows_of(engine, dialect, columns, [(None,)], dialect.matches(b.column("x"), "a")) == [(None,)]


def test_whole_numbers_as_text(engine: Engine, dialect: Dialect) -> None:
    columns = {"x": dialect.narrow, "y": dialect.broad}
    most = dialect.widest
    rows: list[Row] = [(0, 0), (-5, -most), (NARROW, most), (10**15, most // 10), (None, None)]
    found = rows_of(engine, dialect, columns, rows, *(dialect.to_text(b.column(name)) for name in ("x", "y")))
    assert found == [tuple(None if value is None else str(value) for value in row) for row in rows]


# Names and values ---------------------------------------------------------------------------------------------------


def test_the_longest_names_are_told_apart(engine: Engine, dialect: Dialect) -> None:
    names = ["n" * (dialect.longest_name - 1) + end for end in "ab"]
    columns = {name: f"c{name[1:]}" for name in names}  # one with the name of its relation would mean the whole row
    for at, name in enumerate(names):
        engine.execute(text(_view(name, exp.select(b.named(b.number(at), columns[name]))), dialect))
    for at, name in enumerate(names):
        assert engine.query(text(exp.select(b.column(columns[name])).from_(b.table(name)), dialect)) == [(at,)]


def _view(name: str, select: exp.Select) -> exp.Create:
    return exp.Create(this=b.table(name), kind="VIEW", expression=select)


def test_every_kind_of_field_keeps_its_values(engine: Engine, dialect: Dialect) -> None:
    values: dict[FieldType, list[Value]] = {
        FieldType.STRING: ["", "é"],
        FieldType.INTEGER: [NARROW, -NARROW],
        FieldType.FLOAT: [0.1, -1e300],
        FieldType.BOOLEAN: [True, False],
        FieldType.TIMESTAMP: [INSTANTS[1], INSTANTS[3]],
    }
    columns = {kind.name: dialect.types[kind] for kind in values}
    columns["DECIMAL"] = dialect.column_type(Field(name="x", type=FieldType.DECIMAL, precision=38, scale=9))
    decimals: list[Value] = [Decimal("12345678901234567890123456789.123456789"), Decimal("-0.000000001")]
    rows: list[Row] = [*zip(*values.values(), decimals, strict=True), (None,) * 6]
    engine.load("t", {"n": dialect.narrow, **columns}, [(n, *row) for n, row in enumerate(rows)])
    select = exp.select(*map(b.column, columns)).from_(b.table("t")).order_by(b.column("n"))
    assert as_in(engine, engine.query(text(select, dialect)), rows) == rows
