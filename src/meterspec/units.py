"""Units: texts such as `kWh`, `g/kWh` or `tokens`, what they measure, and the exact factors between them.

A unit is a factor times powers of base dimensions: `kWh` is 3600000 times the base unit of energy, `W` is energy by
time. Energy and CO2 equivalent are dimensions of their own, a month is no length of time, and every word that is not
in the table counts something: `tokens` and `requests` never add.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from fractions import Fraction
from functools import cache, lru_cache
from itertools import product
from math import prod

from meterspec.records import record

__all__ = [
    "CALENDAR",
    "CO2E",
    "ENERGY",
    "MASS",
    "ONE",
    "TIME",
    "BadUnit",
    "Dimension",
    "Unit",
    "parse",
    "sizes",
    "suggested",
]

Dimension = tuple[tuple[str, int], ...]
"""Base dimensions with their exponents, sorted, no exponent 0; empty for a plain number. What is counted is a dimension
in braces, `{token}`, so that no word of a user's meets one of those below."""

TIME, CALENDAR, ENERGY, MASS, CO2E = "time", "calendar months", "energy", "mass", "CO2 equivalent"
DATA, LENGTH, TEMPERATURE, CURRENT = "data", "length", "temperature", "current"


@record(frozen=True, slots=True)
class Unit:
    """A unit of measure. Two that are equal mean the same, however they are written."""

    factor: Fraction
    """How many base units of its dimension it is."""
    dimension: Dimension
    powers: Dimension = field(compare=False)
    """The symbols it is written with, and their exponents."""

    def __mul__(self, other: Unit) -> Unit:
        dimension = tuple(sorted(_merged(self.dimension, other.dimension)))
        return Unit(self.factor * other.factor, dimension, tuple(_merged(self.powers, other.powers)))

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: int) -> Unit:
        dimension = tuple((name, power * exponent) for name, power in self.dimension if exponent)
        powers = tuple((symbol, power * exponent) for symbol, power in self.powers if exponent)
        return Unit(self.factor**exponent, dimension, powers)

    def __str__(self) -> str:
        """A text that `parse` reads as this unit."""
        above = [f"{symbol}{power if power > 1 else ''}" for symbol, power in self.powers if power > 0]
        below = [f"{symbol}{-power if power < -1 else ''}" for symbol, power in self.powers if power < 0]
        text = ".".join(above) or "1"
        if not below:
            return text
        return f"{text}/({'.'.join(below)})" if len(below) > 1 else f"{text}/{below[0]}"

    @property
    def measures(self) -> str | None:
        """What it measures, in words: `energy`, `CO2 equivalent per energy`; None where it counts something."""
        if any(name.startswith("{") for name, _ in self.dimension):
            return None
        words = {name: name if abs(power) == 1 else f"{name}^{abs(power)}" for name, power in self.dimension}
        above = " times ".join(words[name] for name, power in self.dimension if power > 0)
        below = [f"per {words[name]}" for name, power in self.dimension if power < 0]
        return " ".join(filter(None, [above, *below])) or "a plain number"


ONE = Unit(Fraction(1), (), ())
"""The unit of a plain number."""


def _merged(left: Dimension, right: Dimension) -> Iterator[tuple[str, int]]:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + power
    return ((name, power) for name, power in powers.items() if power)


class BadUnit(ValueError):  # noqa: N818 - it is the text that is bad
    """Why a text is no unit, what to write instead, and the characters it is about."""

    def __init__(self, fault: str, start: int, end: int, hint: str, instead: str | None = None) -> None:
        super().__init__(fault)
        self.fault, self.start, self.end, self.hint = fault, start, end, hint
        self.instead = instead
        """The whole text as it was meant, where there is one way to mean it."""


_SMALL, _LARGE, _BINARY = "n u m ", "k M G T P E ", "Ki Mi Gi Ti Pi Ei "
_TABLE: tuple[tuple[str, str, Fraction | int, dict[str, int], str], ...] = (
    ("s", "second", 1, {TIME: 1}, _SMALL),
    ("min", "minute", 60, {TIME: 1}, ""),
    ("h", "hour", 3600, {TIME: 1}, ""),
    ("d", "day", 86_400, {TIME: 1}, ""),
    ("wk", "week", 604_800, {TIME: 1}, ""),
    ("Hz", "", 1, {TIME: -1}, "k M G"),
    ("mo", "month", 1, {CALENDAR: 1}, ""),
    ("quarter", "quarter", 3, {CALENDAR: 1}, ""),
    ("a", "year", 12, {CALENDAR: 1}, ""),
    ("bit", "bit", 1, {DATA: 1}, _LARGE + _BINARY),
    ("B", "byte", 8, {DATA: 1}, _LARGE + _BINARY),
    ("By", "", 8, {DATA: 1}, _LARGE + _BINARY),
    ("J", "joule", 1, {ENERGY: 1}, _SMALL + _LARGE),
    ("Wh", "", 3600, {ENERGY: 1}, "m " + _LARGE),
    ("W", "watt", 1, {ENERGY: 1, TIME: -1}, _SMALL + _LARGE),
    ("g", "gram", 1, {MASS: 1}, _SMALL + "k"),
    ("t", "tonne", 10**6, {MASS: 1}, "k M G"),
    ("gCO2e", "", 1, {CO2E: 1}, _SMALL + "k"),
    ("tCO2e", "", 10**6, {CO2E: 1}, "k M G"),
    ("m", "metre", 1, {LENGTH: 1}, _SMALL + "c k"),
    ("m", "meter", 1, {LENGTH: 1}, _SMALL + "c k"),
    ("L", "litre", Fraction(1, 1000), {LENGTH: 3}, "u m"),
    ("l", "liter", Fraction(1, 1000), {LENGTH: 3}, "u m"),
    ("K", "kelvin", 1, {TEMPERATURE: 1}, "m"),
    ("A", "ampere", 1, {CURRENT: 1}, "u m k"),
    ("V", "volt", 1, {ENERGY: 1, TIME: -1, CURRENT: -1}, "u m k"),
    ("%", "percent", Fraction(1, 100), {}, ""),
    ("ppm", "", Fraction(1, 10**6), {}, ""),
)
"""Symbol, English name, size in base units, what it measures, and the prefixes it takes."""

_PREFIXES = {
    "n": ("nano", Fraction(1, 10**9)),
    "u": ("micro", Fraction(1, 10**6)),
    "m": ("milli", Fraction(1, 10**3)),
    "c": ("centi", Fraction(1, 10**2)),
    "": ("", Fraction(1)),
    "k": ("kilo", Fraction(10**3)),
    "M": ("mega", Fraction(10**6)),
    "G": ("giga", Fraction(10**9)),
    "T": ("tera", Fraction(10**12)),
    "P": ("peta", Fraction(10**15)),
    "E": ("exa", Fraction(10**18)),
    "Ki": ("kibi", Fraction(2**10)),
    "Mi": ("mebi", Fraction(2**20)),
    "Gi": ("gibi", Fraction(2**30)),
    "Ti": ("tebi", Fraction(2**40)),
    "Pi": ("pebi", Fraction(2**50)),
    "Ei": ("exbi", Fraction(2**60)),
}
_COUNTED = {
    *("token", "character", "char", "message", "request", "call", "query", "invocation", "operation", "event", "job"),
    *("step", "session", "row", "record", "sample", "point", "page", "image", "credit", "unit"),
}
"""What is counted in thousands often enough that `k`, `M` and `G` are prefixes of it; elsewhere `kudos` begins so."""

_MISTAKEN = {
    **dict.fromkeys(("sec", "secs"), "s"),
    **dict.fromkeys(("msec", "msecs", "millis"), "ms"),
    **dict.fromkeys(("usec", "usecs", "micros"), "us"),
    **dict.fromkeys(("hr", "hrs"), "h"),
    **dict.fromkeys(("yr", "yrs"), "year"),
    **dict.fromkeys(("ton", "tons"), "t"),
    **dict.fromkeys(("kilo", "kilos"), "kg"),
    **dict.fromkeys(("kph", "kmh"), "km/h"),
    **{f"{prefix.lower()}bps": f"{prefix}bit/s" for prefix in ("", "k", "M", "G", "T")},
    "pct": "%",
    "kwhr": "kWh",
}
"""Words that would count something, were they not meant as a unit of the table."""


@cache
def _symbols() -> dict[str, Unit]:
    """Every symbol of the table with every prefix it takes."""
    found: dict[str, Unit] = {}
    for symbol, _, size, dimension, prefixes in _TABLE:
        for prefix in ("", *prefixes.split()):
            text = prefix + symbol
            factor = _PREFIXES[prefix][1] * size
            found[text] = Unit(factor, tuple(sorted(dimension.items())), ((text, 1),))
    return found


@cache
def _names() -> dict[str, str]:
    """English names, singular and plural, and the symbols they stand for."""
    found = {}
    for symbol, name, _, _, prefixes in _TABLE:
        for prefix in ("", *prefixes.split()) if name else ():
            found[_PREFIXES[prefix][0] + name] = found[f"{_PREFIXES[prefix][0]}{name}s"] = prefix + symbol
    return found


@cache
def sizes(dimension: Dimension) -> dict[Fraction, str]:
    """The sizes of all units of a dimension, each with a symbol, which is empty where it would be a product."""
    found: dict[Fraction, str] = {}
    for symbol, unit in _symbols().items():
        if unit.dimension == dimension:
            found.setdefault(unit.factor, symbol)
    match dimension:
        case ((name, 1),):
            if name.startswith("{"):
                word = name[1:-1]
                plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
                prefixes = ("", "k", "M", "G") if word in _COUNTED else ("",)
                found.update({_PREFIXES[prefix][1]: prefix + plural for prefix in prefixes})
        case (_,) | (_, _):
            bases = [[size**power for size in sizes(((name, 1),))] for name, power in dimension]
            for combination in product(*bases):
                found.setdefault(prod(combination, start=Fraction(1)), "")
    return found


_LIKE = "write it like `kWh`, `g/kWh` or `GB.h`; for thousands of tokens, `ktokens`"


@lru_cache(maxsize=1024)
def parse(text: str) -> Unit:
    """The unit a text names; raises BadUnit where it names none."""
    if len(text) > 100:
        raise BadUnit("it is longer than 100 characters", 0, len(text), _LIKE)
    return _Reader(text).read()


_PIECE = (
    r"(?P<word>(?:[A-Za-zµμ][A-Za-zµμ_]*)?[Cc][Oo]2[A-Za-z]*|[A-Za-zµμ][A-Za-zµμ_]*|%)"
    r"|(?P<count>\{[^{}]+\})|(?P<number>[-+]?[0-9]+)|(?P<mark>[./()])"
)


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            match = re.compile(_PIECE).match(text, at)
            if match is None:
                what = "a space" if text[at].isspace() else f"`{text[at]}`"
                raise self.refused(f"{what} cannot stand in it", at, at + 1)
            self.tokens.append((str(match.lastgroup), match[0], at))
            at = match.end()
        self.next = 0

    def read(self) -> Unit:
        unit = self.term()
        if self.next < len(self.tokens):
            raise self.unexpected()
        return unit

    def term(self) -> Unit:
        """Units joined by `.` and `/`, up to a closing bracket or the end."""
        unit, divided = ONE, self.mark("/")
        while True:
            part = self.part()
            unit = unit / part if divided else unit * part
            if self.mark("/"):
                divided = True
            elif divided and self.peek() == ("mark", "."):
                raise self.ambiguous()
            elif not self.mark("."):
                return unit

    def part(self) -> Unit:
        """One unit with its exponent, or a term in brackets."""
        if self.mark("("):
            inner = self.term()
            if not self.mark(")"):
                raise self.unexpected()
            return inner
        kind, text = self.peek()
        if kind not in {"word", "count", "number"}:
            raise self.unexpected()
        start = self.tokens[self.next][2]
        self.next += 1
        if kind == "number":
            if text != "1":
                raise self.refused(f"`{text}` is a number, and its only one is `1`", start, start + len(text))
            return ONE
        unit = _counting(text, text[1:-1]) if kind == "count" else self.word(text, start)
        kind, digits = self.peek()
        if kind != "number":
            return unit
        at = self.tokens[self.next][2]
        self.next += 1
        if not 1 <= abs(int(digits)) <= 9:
            raise self.refused(f"the exponent `{digits}` is not one of 1 to 9 or -1 to -9", at, at + len(digits))
        return unit ** int(digits)

    def word(self, word: str, start: int) -> Unit:
        """A unit of the table, or something counted."""
        plain = word.replace("µ", "u").replace("μ", "u")
        symbol = _names().get(plain, plain)
        if symbol in _symbols():
            unit = _symbols()[symbol]
            return Unit(unit.factor, unit.dimension, ((word, 1),))
        prefix, rest = word[:1], word[1:]
        if prefix in {"k", "M", "G"} and _singular(rest) in _COUNTED:
            return Unit(_PREFIXES[prefix][1], ((f"{{{_singular(rest)}}}", 1),), ((word, 1),))
        end, fault = start + len(word), "" if word == self.text else f"there is no unit `{word}`"
        if near := _near(plain):
            hint = f"did you mean {' or '.join(f'`{each}`' for each in near)}?"
            instead = _read(f"{self.text[:start]}{near[0]}{self.text[end:]}") if len(near) == 1 else None
            raise BadUnit(fault, start, end, hint, instead)
        if "_per_" in word or "co2" in word.lower() or not word.isascii():
            raise self.refused(fault, start, end)
        return _counting(word, word)

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.next][:2] if self.next < len(self.tokens) else ("end", "")

    def mark(self, mark: str) -> bool:
        """Steps over a mark, if it stands here."""
        found = self.peek() == ("mark", mark)
        self.next += found
        return found

    def unexpected(self) -> BadUnit:
        if self.next == len(self.tokens):
            fault = "it ends where a unit should follow" if self.tokens else "it is empty"
            if self.tokens and self.tokens[-1][0] != "mark":
                fault = "a bracket is not closed"
            return self.refused(fault, max(0, len(self.text) - 1), len(self.text))
        _, text, start = self.tokens[self.next]
        return self.refused(f"`{text}` cannot stand here", start, start + len(text))

    def ambiguous(self) -> BadUnit:
        """A `.` after a `/`: UCUM divides by the next unit alone, people read the rest as one divisor."""
        at = self.tokens[self.next][2]
        above, slash, below = self.text.partition("/")
        hint = "put all it is divided by in brackets"
        if above and slash and not {"(", ")", "/"} & set(above + below):
            first, _, rest = below.partition(".")
            hint = f"write `{above}/({below})` to divide by all of it, or `{above}.{rest}/{first}`"
        return BadUnit("a `.` after a `/` can be read in two ways", at, at + 1, hint)

    def refused(self, fault: str, start: int, end: int) -> BadUnit:
        repaired = _repaired(self.text)
        return BadUnit(fault, start, end, f"write `{repaired}`" if repaired else _LIKE, repaired)


def _counting(text: str, thing: str) -> Unit:
    return Unit(Fraction(1), ((f"{{{_singular(thing)}}}", 1),), ((text, 1),))


def _singular(word: str) -> str:
    """One form for the singular and the plural of a word, in lower case; it need not be a word itself."""
    word = word.lower()
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ie"):
        return f"{word[:-2]}y"
    return word[:-1] if word.endswith(("che", "she", "xe", "se", "ze")) else word


@cache
def _folded() -> dict[str, list[str]]:
    """The symbols and names of the table by their text in lower case; `kb` may mean bits as well."""
    found: dict[str, list[str]] = {}
    for text in (*_symbols(), *_names()):
        found.setdefault(text.lower(), []).append(text)
    for prefix in ("", *_LARGE.split(), *_BINARY.split()):
        found.setdefault(f"{prefix}b".lower(), []).append(f"{prefix}bit")
    return found


def _near(word: str) -> list[str]:
    """The units that a word which is none was meant to be."""
    small = word.lower()
    if small in {"co2", "co2e", "co2eq"}:
        return ["gCO2e", "kgCO2e", "tCO2e"]
    if small in _MISTAKEN:
        return [_MISTAKEN[small]]
    if small in _folded():
        return _folded()[small]
    if len(word) > 2 and word.endswith("s") and small[:-1] in _folded():
        found = _folded()[small[:-1]]
        return [*found, *(f"{symbol}.s" for symbol in found if f"{symbol}s" == word and symbol[-1] == "B")]
    for at in range(1, len(word)):
        first, second = _symbols().get(word[:at]), word[at:]
        if first and second in {"s", "h", "d"} and {DATA, CURRENT, ENERGY} & {name for name, _ in first.dimension}:
            return [f"{word[:at]}.{second}"]
    other = small[:1] if small[:1] == "k" else small[:1].upper()
    return [other + word[1:]] if other in {"k", "M", "G"} and _singular(word[1:]) in _COUNTED else []


def _repaired(text: str) -> str | None:
    """The text as units are written here; None where that is none either."""
    fixed = (
        text.strip()
        .translate(str.maketrans("²³·×⋅", "23..."))
        .replace("€", "EUR")
        .replace("$", "USD")
        .replace("°C", "K")
    )
    for pattern, replacement in (
        (r"[-_ ]*CO2[-_ ]?(eq?)?(?![A-Za-z])", "CO2e"),
        (r"\s+per\s+|_per_|\s*/\s*", "/"),
        (r"\s*(\^|\*\*)\s*", ""),
        (r"\s*\*\s*|-(?=[A-Za-z])|\s+", "."),
    ):
        fixed = re.sub(pattern, replacement, fixed, flags=re.IGNORECASE)
    return None if fixed == text else _read(fixed)


def _read(text: str) -> str | None:
    """The text, where it is a unit."""
    try:
        parse(text)
    except BadUnit:
        return None
    return text


_CARBON = {"carbon", "co2", "co2e", "co2eq", "ghg", "emission", "emissions", "footprint", "intensity"}
_ENDINGS = {
    **{symbol.lower(): symbol for symbol in ("ns", "us", "ms", "s", "J", "kJ", "Wh", "kWh", "MWh", "GWh", "kW")},
    **{
        symbol.lower(): symbol
        for symbol in ("kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "kbit", "Mbit", "Gbit")
    },
    **{symbol.lower(): symbol for symbol in ("mg", "g", "kg", "gCO2e", "kgCO2e", "tCO2e", "EUR", "USD")},
    "secs": "s",
    "millis": "ms",
    "micros": "us",
    "nanos": "ns",
    "pct": "%",
    "percent": "%",
}
"""Ends of names that stand for a unit, beside English plurals. Not among them: ends with other meanings, as in
`latency_min` and `image_h`, and `mw` and `mj`, which are a milli or a mega."""


@lru_cache(maxsize=1024)
def suggested(name: str) -> str | None:
    """The unit that the name of a field ends in: `ms` for `duration_ms`; None where it ends in none, or in one of two,
    as `totalkWh` does."""
    capital = re.search(r"[A-Za-z0-9]([a-z][A-Z][a-z]*)_*\Z", name)
    if capital and capital[1] in _symbols():
        return None
    parts = name.strip("_").split("_")
    spaced = [part if part in _symbols() else re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", part) for part in parts]
    words = "_".join(spaced).lower().split("_")
    carbon = not _CARBON.isdisjoint(words)
    if words[-1] in {"co2", "co2e", "co2eq"}:
        words.pop()
    if len(words) > 2 and words[-2] == "per":
        above = _ending(words[-3], carbon=carbon)
        below = _ending(words[-1], carbon=False) or _ending(f"{words[-1]}s", carbon=False)
        return f"{above}/{below}" if above and below else None
    return _ending(words[-1], carbon=carbon) if len(words) > 1 else None


def _ending(word: str, *, carbon: bool) -> str | None:
    """The symbol that a word at the end of a name stands for."""
    symbol = _names().get(word) if word.endswith("s") else None
    symbol = symbol or _ENDINGS.get(word) or ("t" if carbon and word == "t" else None)
    mass = symbol in _symbols() and _symbols()[symbol].dimension == ((MASS, 1),)
    return f"{symbol}CO2e" if mass and carbon else symbol
