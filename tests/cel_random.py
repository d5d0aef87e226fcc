"""Random expressions: mostly well typed, sometimes not, and with a slip of the finger where asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from meterspec.cel import Environment, Type
from meterspec.cel.evaluate import Value

SCALARS = (Type.BOOL, Type.INT, Type.DECIMAL, Type.STRING, Type.TIMESTAMP, Type.DURATION)
SLIPS = [
    *"()[]{},.:?+-*/%!<>=&`@\\é\x00\n",
    *("&&", "||", "==", "!=", ">=", "in", "'a'", '"b"', "1", "2.5", "0x", "1u", "b'x'", "'un", "//"),
    *("true", "null", ".x", "has(", "size(", "if"),
]


class Expressions:
    """Draws expressions over the fields of an environment."""

    def __init__(self, random: Random, env: Environment, slips: float = 0.05) -> None:
        self.random = random
        self.env = env
        self.slips = slips
        """How often an operand is of another type than its operator takes."""

    def draw(self, kind: Type | None = None, depth: int | None = None) -> str:
        """An expression of a type, any if None."""
        kind = kind or self.random.choice(SCALARS)
        depth = self.random.randint(0, 4) if depth is None else depth
        if self.random.random() < self.slips:
            kind = self.random.choice(SCALARS)
        if depth <= 0:
            return self.leaf(kind)
        below = depth - 1

        def some(kind: Type) -> str:
            return self.draw(kind, below)

        forms: list[Callable[[], str]] = [lambda: f"{some(Type.BOOL)} ? {some(kind)} : {some(kind)}"]
        forms += {
            Type.BOOL: self.conditions,
            Type.INT: self.ints,
            Type.DECIMAL: self.decimals,
            Type.STRING: self.strings,
            Type.TIMESTAMP: self.timestamps,
            Type.DURATION: self.durations,
        }[kind](some)
        text = self.random.choice(forms)()
        return f"({text})" if self.random.random() < 0.7 else text

    def leaf(self, kind: Type) -> str:
        names = [name for name, field in self.env.items() if field.type is kind]
        if names and self.random.random() < 0.6:
            return self.random.choice(names)
        return self.literal(kind)

    def literal(self, kind: Type) -> str:
        pick = self.random.choice
        match kind:
            case Type.BOOL:
                return pick(("true", "false"))
            case Type.INT:
                return pick((str(self.random.randint(-5, 600)), "0x1F", "0"))
            case Type.DECIMAL:
                return pick(("0.5", "2.0", "1e3", ".25", "3.5e-2", "-1.5", "0.0"))
            case Type.STRING:
                return pick(("'a'", '"b"', r"r'\d'", "'''x'''", "''", r"'\u00e9'", "'eu'"))
            case Type.TIMESTAMP:
                return f"timestamp('2026-01-0{self.random.randint(1, 9)}T00:00:00Z')"
            case _:
                return f"duration('{self.random.randint(-9, 99)}s')"

    def conditions(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        pick = self.random.choice
        kind = pick(SCALARS)
        optional = [field for field in self.env.values() if field.nullable]
        forms: list[Callable[[], str]] = [
            lambda: f"{some(kind)} {pick(('<', '<=', '>', '>=', '==', '!='))} {some(kind)}",
            lambda: f"{some(kind)} {pick(('<', '<=', '>', '>=', '==', '!='))} {some(kind)}",
            lambda: f"{some(Type.BOOL)} {pick(('&&', '||'))} {some(Type.BOOL)}",
            lambda: f"!({some(Type.BOOL)})",
            lambda: f"{some(kind)} in [{', '.join(some(kind) for _ in range(self.random.randint(0, 3)))}]",
            lambda: f"{some(Type.STRING)}.{pick(('startsWith', 'endsWith', 'contains'))}({some(Type.STRING)})",
            lambda: f"{some(Type.STRING)}.matches('^[a-z]+')",
        ]
        if optional:
            field = pick(optional)
            forms += [lambda: f"has({field.name}) {pick(('&&', '||'))} {some(Type.BOOL)}"] * 2
            forms.append(lambda: f"!has({field.name}) || {self.leaf(field.type)} != {field.name}")
        return forms

    def ints(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        pick = self.random.choice
        return [
            *[lambda: f"{some(Type.INT)} {pick('+-*/%')} {some(Type.INT)}"] * 3,
            lambda: f"-({some(Type.INT)})",
            lambda: f"math.{pick(('least', 'greatest'))}({some(Type.INT)}, {some(Type.INT)})",
            lambda: f"math.abs({some(Type.INT)})",
            lambda: f"size({some(Type.STRING)})",
            lambda: f"({some(Type.TIMESTAMP)}).{pick(('getFullYear', 'getHours', 'getDayOfWeek'))}()",
            lambda: f"({some(Type.TIMESTAMP)}).getMinutes('-05:30')",
            lambda: f"int({some(Type.DECIMAL)})",
            lambda: f"({some(Type.DURATION)}).{pick(('getHours', 'getSeconds', 'getMilliseconds'))}()",
        ]

    def decimals(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        pick = self.random.choice
        mixed = (Type.DECIMAL, Type.DECIMAL, Type.INT)
        return [
            *[lambda: f"{some(Type.DECIMAL)} {pick('+-*/')} {some(pick(mixed))}"] * 3,
            lambda: f"-({some(Type.DECIMAL)})",
            lambda: f"math.{pick(('least', 'greatest'))}({some(Type.DECIMAL)}, {some(pick(mixed))})",
            lambda: f"math.{pick(('ceil', 'floor', 'round', 'abs'))}({some(pick(mixed))})",
            lambda: f"double({some(Type.INT)})",
        ]

    def strings(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        pick = self.random.choice
        return [
            lambda: f"{some(Type.STRING)} + {some(Type.STRING)}",
            lambda: f"({some(Type.STRING)}).{pick(('lowerAscii', 'upperAscii', 'trim'))}()",
            lambda: f"string({some(pick((Type.INT, Type.BOOL)))})",
        ]

    def timestamps(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        return [
            lambda: f"{some(Type.TIMESTAMP)} {self.random.choice('+-')} {some(Type.DURATION)}",
            lambda: f"{some(Type.DURATION)} + {some(Type.TIMESTAMP)}",
        ]

    def durations(self, some: Callable[[Type], str]) -> list[Callable[[], str]]:
        return [
            lambda: f"{some(Type.TIMESTAMP)} - {some(Type.TIMESTAMP)}",
            lambda: f"{some(Type.DURATION)} {self.random.choice('+-')} {some(Type.DURATION)}",
        ]

    def slip(self, text: str) -> str:
        """The same text with a character lost, repeated, or something else between."""
        for _ in range(self.random.randint(1, 2)):
            at, what = self.random.randint(0, len(text)), self.random.random()
            if what < 0.4:
                text = text[:at] + text[at + 1 :]
            elif what < 0.8:
                text = text[:at] + self.random.choice(SLIPS) + text[at:]
            else:
                text = text[:at] + text[at : at + self.random.randint(1, 4)] + text[at:]
        return text


def event(random: Random, env: Environment) -> dict[str, Value | Decimal]:
    """A valid event: every field keeps its type, bounds and set, and optional ones are sometimes missing."""
    values: dict[str, Value | Decimal] = {}
    for name, field in env.items():
        if field.nullable and random.random() < 0.4:
            continue
        low = -1000 if field.low is None else int(field.low)
        high = 1000 if field.high is None else int(field.high)
        match field.type:
            case Type.BOOL:
                values[name] = random.random() < 0.5
            case Type.INT:
                values[name] = random.choice((low, high, random.randint(low, high), max(low, 0)))
            case Type.DECIMAL:
                values[name] = Decimal(random.randint(low * 10**field.scale, high * 10**field.scale)) / 10**field.scale
            case Type.STRING:
                values[name] = random.choice(field.values or ("", "a", "b", "eu", "é", "gpt-4o", " x "))
            case Type.DURATION:
                values[name] = random.choice((0, 1, -1_500_000, 5_400_250_000))
            case _:
                values[name] = random.choice(INSTANTS)
    return values


INSTANTS = [
    int(datetime(*day, tzinfo=UTC).timestamp()) * 1_000_000 + extra
    for day, extra in (((2026, 1, 1), 0), ((2024, 2, 29), 1), ((1969, 12, 31), 999_999), ((2026, 3, 29), 500_000))
]
