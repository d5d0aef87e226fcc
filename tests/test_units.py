"""Units: what a text means, what a value is in, and pint as the second opinion on every factor."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pint import UnitRegistry

from meterspec import units
from meterspec.currencies import DIGITS
from meterspec.units import ONE, BadUnit, Unit, parse, sizes, suggested
from tests.conftest import ROOT
from tests.corpus import check_text

SYMBOLS = sorted(units._symbols())


def instead_of(text: str) -> BadUnit:
    with pytest.raises(BadUnit) as caught:
        parse(text)
    return caught.value


# The page -------------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "units.md").read_text(encoding="utf-8")


def table(head: str) -> list[list[str]]:
    """The rows of the table of the page with this head, each a list of cells."""
    body = PAGE.split(f"| {head} |\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in body.splitlines()[1:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def rows(head: str) -> list[Any]:
    return [pytest.param(*row, id=row[0]) for row in table(head)]


@pytest.mark.parametrize(("texts", "is_", "measures"), rows("text | is | measures"))
def test_the_units_of_the_page(texts: str, is_: str, measures: str) -> None:
    dimensions = {parse(text).dimension for text in quoted(texts)}
    if measures:
        assert {parse(text).measures for text in quoted(texts)} == {measures}
        assert len(dimensions) == 1
    for equation in is_.split(", ") if is_ else ():
        match = re.fullmatch(r"`(.+)` = ([0-9/]+) `(.+)`", equation)
        assert match is not None, equation
        one, factor, other = parse(match[1]), Fraction(match[2]), parse(match[3])
        assert (one.factor, one.dimension) == (factor * other.factor, other.dimension), equation


@pytest.mark.parametrize(("text", "meant"), rows("text | instead"))
def test_what_the_page_refuses(text: str, meant: str) -> None:
    bad = instead_of(text.strip("`"))
    assert quoted(bad.hint)[: len(quoted(meant))] == quoted(meant)


FIELDS = {
    "grams": "g",
    "kilos": "kg",
    "carbon": "gCO2e",
    "energy": "J",
    "took": "ms",
    "limit": "s",
    "term": "month",
    "input": "tokens",
    "output": "tokens",
    "calls": "requests",
    "watts": "W",
    "plain": None,
}


def spec(value: str, unit: str, fields: dict[str, str | None]) -> str:
    """A meter that takes the greatest of a value over fields in these units."""
    schema = "\n".join(
        f'schema.{name} = {{ type = "integer", required = true, min = 1, max = 100_000'
        + (f', unit = "{text}" }}' if text else " }")
        for name, text in fields.items()
    )
    return f"""
[[families]]
name = "machine.run"
{schema}
schema.ended = {{ type = "timestamp", required = true }}
[[meters]]
name = "measured"
unit = "{unit}"
source = {{ kind = "family", family = "machine.run" }}
aggregate = {{ fn = "MAX", value = "{value}" }}
"""


@pytest.mark.parametrize(("value", "unit", "code"), rows("value | unit of the meter | finding"))
def test_the_values_of_the_page(value: str, unit: str, code: str) -> None:
    _, found = check_text(spec(value.strip("`"), unit.strip("`"), FIELDS))
    assert ", ".join(diagnostic.code for diagnostic in found) == code


def test_a_choice_between_constants_is_no_constant() -> None:
    _, found = check_text(spec("energy / 3600000.0 * (plain > 5 ? 1.2 : 1.0)", "kWh", FIELDS))
    assert not found


def test_a_constant_without_an_end_is_exact() -> None:
    _, found = check_text(spec("took * (1.0 / 3.0) * 0.003", "s", FIELDS))
    assert not found


LARGER = {"g": "kg", "kg": "t", "gCO2e": "kgCO2e", "J": "kJ", "ms": "s", "tokens": "ktokens", "W": "kW"}
"""Units, and those 1000 times as large."""
ELSEWHERE = [
    pytest.param(name, *row, id=f"{name} in {row[0]}")
    for row in table("value | unit of the meter | finding")
    for name, unit in FIELDS.items()
    if unit in LARGER and name in row[0]
]


@pytest.mark.parametrize(("name", "value", "unit", "code"), ELSEWHERE)
def test_a_field_in_a_larger_unit_that_is_converted_changes_nothing(
    name: str, value: str, unit: str, code: str
) -> None:
    fields = {**FIELDS, name: LARGER[FIELDS[name] or ""]}
    converted = re.sub(rf"\b{name}\b", f"({name} * 1000.0)", value.strip("`"))
    _, found = check_text(spec(converted, unit.strip("`"), fields))
    assert ", ".join(diagnostic.code for diagnostic in found) == code


def test_the_example_of_the_page_is_clean() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    text = example.replace("required = true", "required = true\nmin = 0\nmax = 1_000_000")
    program, found = check_text(text)
    assert program is not None and not found


# What a text means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("W.h", "Wh"),
        ("seconds", "s"),
        ("kilowatts", "kW"),
        ("µs", "us"),
        ("μs", "us"),
        ("1/s", "s-1"),
        ("/s", "s-1"),
        ("g/kW/h", "g/kWh"),
        ("g/(kW.h)", "g/kWh"),
        ("J/(kg/(m2/s))", "J.m2.kg-1.s-1"),
        ("m+2", "m2"),
        ("m.m", "m2"),
        ("kWh/kWh", "1"),
        ("Queries", "query"),
        ("boxes", "box"),
        ("caches", "cache"),
        ("responses", "response"),
        ("{GB}", "{gb}"),
        ("{tokens}/s", "token/s"),
        ("krequests", "kREQUEST"),
    ],
)
def test_two_texts_for_one_unit(text: str, same: str) -> None:
    assert parse(text) == parse(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mJ", "MJ"),
        ("g", "gCO2e"),
        ("d", "month"),
        ("tokens", "requests"),
        ("EUR", "USD"),
        ("B", "bit"),
        ("kB", "KiB"),
        ("status", "stat"),
        ("1", "%"),
        ("J.s", "J/s"),
        ("kudos", "udos"),
    ],
)
def test_two_texts_for_two_units(one: str, other: str) -> None:
    assert parse(one) != parse(other)


def test_every_currency_is_a_unit_of_its_own() -> None:
    found = {parse(code).dimension for code in DIGITS}
    assert len(found) == len(DIGITS)
    assert not found & {unit.dimension for unit in units._symbols().values()}


def test_what_is_counted_in_thousands_is_one_word() -> None:
    assert {units._singular(word) for word in units._COUNTED} == units._COUNTED
    assert {units._singular(f"{word}s".replace("ys", "ies")) for word in units._COUNTED} == units._COUNTED


def test_names_stand_for_symbols_and_count_nothing() -> None:
    assert not units._names().keys() & (units._symbols().keys() - {"bit", "quarter"})
    assert all(parse(name) == parse(symbol) for name, symbol in units._names().items())


def test_no_word_is_both_refused_and_read() -> None:
    for word in units._MISTAKEN:
        assert instead_of(word).instead == units._MISTAKEN[word]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("duration_ms", "ms"),
        ("durationMs", "ms"),
        ("energy_joules", "J"),
        ("used_gb", "GB"),
        ("used_gib", "GiB"),
        ("size_bytes", "B"),
        ("used_mwh", "MWh"),
        ("used_kWh", "kWh"),
        ("usedKWh", "kWh"),
        ("usedWh", "Wh"),
        ("totalkWh", None),
        ("kWh", None),
        ("carbon_g", "gCO2e"),
        ("scope2_kg_co2e", "kgCO2e"),
        ("total_tco2e", "tCO2e"),
        ("paper_kg", "kg"),
        ("emissions_t", "tCO2e"),
        ("boxes_t", None),
        ("grid_intensity_g_per_kwh", "gCO2e/kWh"),
        ("consumption_g_per_kwh", "g/kWh"),
        ("bytes_per_second", "B/s"),
        ("calls_per_second", None),
        ("cpu_pct", "%"),
        ("cost_eur", "EUR"),
        ("ms", None),
        ("bytes", None),
        ("co2", None),
        ("_", None),
        ("start_hour", None),
        ("latency_min", None),
        ("power_mw", None),
        ("items", None),
    ],
)
def test_what_the_name_of_a_field_says(name: str, unit: str | None) -> None:
    assert suggested(name) == unit
    assert unit is None or parse(unit)


# Properties -------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from([*SYMBOLS, "tokens", "requests", "EUR", "{seats}", "seconds", "kilobytes", "ktokens"])


@st.composite
def texts(draw: st.DrawFn, depth: int = 2) -> str:
    """The text of a unit: symbols with exponents, joined so that no `.` comes after a `/`."""
    parts = draw(st.lists(st.tuples(WORDS, st.integers(-3, 3)), min_size=1, max_size=3))
    above = ".".join(f"{word}{power if power not in {0, 1} else ''}" for word, power in parts)
    if depth and draw(st.booleans()):
        return f"{above}/({draw(texts(depth - 1))})"
    return above


@given(texts().filter(lambda text: len(text) <= 80))
def test_a_unit_is_read_as_it_is_written(text: str) -> None:
    unit = parse(text)
    assume(all(abs(power) <= 9 for _, power in unit.powers))
    assert parse(str(unit)) == unit
    assert str(parse(str(unit))) == str(unit)


def short_texts() -> st.SearchStrategy[str]:
    """Two of them, in brackets, are no longer than a unit may be."""
    return texts(depth=1).filter(lambda text: len(text) <= 45)


@given(short_texts(), short_texts())
def test_products_and_quotients_undo_each_other(one: str, other: str) -> None:
    a, b = parse(one), parse(other)
    assert a * b == b * a
    assert a * b / b == a
    assert a / a == ONE
    assert (a * b) ** -2 == a**-2 / b**2
    assert parse(f"({one}).({other})") == a * b
    assert parse(f"({one})/({other})") == a / b


@given(st.text(alphabet="kKgGmMsShBbWCO2eµ./()-^* {}%_1€°", max_size=12) | st.text(max_size=20))
def test_any_other_text_is_refused_at_its_place(text: str) -> None:
    try:
        unit = parse(text)
    except BadUnit as bad:
        assert 0 <= bad.start <= bad.end <= len(text)
        assert bad.hint
        assert bad.instead is None or parse(bad.instead)
    else:
        assert isinstance(unit, Unit)


# The oracle -------------------------------------------------------------------------------------------------------

PINT_NAMES = {
    "s": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "wk": "week",
    "Hz": "hertz",
    "mo": "month",
    "quarter": "3 month",
    "a": "year",
    "bit": "datum",
    "B": "8 datum",
    "By": "8 datum",
    "J": "joule",
    "Wh": "watt_hour",
    "W": "watt",
    "g": "gram",
    "t": "metric_ton",
    "gCO2e": "gram",
    "tCO2e": "metric_ton",
    "m": "meter",
    "L": "liter",
    "l": "liter",
    "K": "kelvin",
    "A": "ampere",
    "V": "volt",
    "%": "percent",
    "ppm": "ppm",
}
"""The symbols of the table without a prefix, as pint has them; to it, CO2 equivalent is mass."""


@cache
def registry() -> UnitRegistry[Any]:
    found: UnitRegistry[Any] = UnitRegistry(non_int_type=Fraction)
    found.define("datum = [data]")  # a bit is a plain number to pint
    return found


@cache
def in_pint(symbol: str) -> Any:
    """A symbol of the table as a quantity of pint, which gets the prefix as a name: `kt` is a knot to it."""
    if symbol == "1":
        return registry().Quantity(Fraction(1))
    for base, name in sorted(PINT_NAMES.items(), key=lambda pair: -len(pair[0])):
        prefix = symbol.removesuffix(base)
        if prefix != symbol and prefix in units._PREFIXES:
            factor, _, unit = name.rpartition(" ")
            return registry().Quantity(Fraction(factor or 1), units._PREFIXES[prefix][0] + unit)
    raise KeyError(symbol)


def ratio(one: Any, other: Any) -> Fraction:
    """How many of the other a quantity is; raises where they do not measure the same."""
    return Fraction((one / other).to("dimensionless").magnitude)


def test_pint_knows_every_symbol() -> None:
    assert {symbol for symbol, *_ in units._TABLE} == PINT_NAMES.keys()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_pint_agrees_about_every_symbol(symbol: str) -> None:
    unit = parse(symbol)
    for size, other in sizes(unit.dimension).items():
        if other in units._symbols():
            assert ratio(in_pint(symbol), in_pint(other)) == unit.factor / size


PAIRS = [(a, b) for a, b in product(SYMBOLS, SYMBOLS) if parse(a).dimension == parse(b).dimension]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(PAIRS), st.sampled_from([-2, -1, 1, 2])), min_size=1, max_size=3))
def test_pint_agrees_about_products(parts: list[tuple[tuple[str, str], int]]) -> None:
    ours, theirs = [ONE, ONE], [registry().Quantity(Fraction(1)), registry().Quantity(Fraction(1))]
    for pair, power in parts:
        for side, symbol in enumerate(pair):
            ours[side] = ours[side] * parse(symbol) ** power
            theirs[side] = theirs[side] * in_pint(symbol) ** power
    assert ours[0].dimension == ours[1].dimension
    assert ours[0].factor / ours[1].factor == ratio(theirs[0], theirs[1])


ROUND = [1, 8, 10, 24, 60, 100, 1000, 1024, 3600, 86_400, 10**6, 3_600_000, 10**9]
"""Constants that a spec might scale by, most of them wrong for any one pair."""
PLAIN = [
    "s",
    "ms",
    "min",
    "h",
    "d",
    "B",
    "kB",
    "MiB",
    "bit",
    "J",
    "kWh",
    "W",
    "kW",
    "g",
    "kg",
    "t",
    "m",
    "km",
    "%",
    "1",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_value_is_accepted_where_pint_says_that_it_is_in_the_unit(data: st.DataObject) -> None:
    """A product of two fields times a constant, against pint's magnitude of the same product."""
    one, two = data.draw(st.sampled_from(PLAIN)), data.draw(st.sampled_from(PLAIN))
    sign, name = data.draw(st.sampled_from(["*", "/"])), data.draw(st.sampled_from(PLAIN))
    other = data.draw(st.sampled_from(PLAIN))
    unit = data.draw(st.sampled_from([one, name, f"{one}.{two}" if sign == "*" else f"{one}/{two}", f"{name}/{other}"]))
    theirs = in_pint(one) * in_pint(two) if sign == "*" else in_pint(one) / in_pint(two)
    (above, *below) = unit.replace(".", "/").split("/")
    target = registry().Quantity(Fraction(1)) if above == "1" else in_pint(above)
    for symbol in below:
        target = target * in_pint(symbol) if "." in unit else target / in_pint(symbol)
    needed = ratio(theirs, target) if theirs.dimensionality == target.dimensionality else None
    constants = [Fraction(n) for n in ROUND] + [Fraction(1, n) for n in ROUND]
    scale = data.draw(st.sampled_from([*constants, needed]) if needed else st.sampled_from(constants))
    value = f"double(one) {sign} two"
    if scale.numerator != 1:
        value += f" * {scale.numerator}.0"
    if scale.denominator != 1:
        value += f" / {scale.denominator}.0"
    _, found = check_text(spec(value, unit, {"one": one, "two": two}))
    codes = [diagnostic.code for diagnostic in found]
    if needed is None:
        assert codes == ["MS366"], (value, unit)
    elif scale == needed:
        assert codes == [], (value, unit)
    else:
        assert codes == ["MS367"], (value, unit)
