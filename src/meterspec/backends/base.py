"""The contract of a backend: what it can express, and the artefacts it makes of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from meterspec.cel.tree import Call, Expr, walk
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import (
    BillingCycle,
    CalendarWindow,
    FamilySource,
    Function,
    Lifetime,
    Meter,
    Program,
    RatioSource,
    Rolling,
    Tumbling,
)
from meterspec.source import Place
from meterspec.zones import is_uneven, zone

__all__ = ["UNSUPPORTED", "Artifact", "Backend", "Feature", "expressions", "needs", "unsupported"]

UNSUPPORTED = Rule(
    code="MS600",
    slug="unsupported-by-target",
    title="A target that cannot keep the meaning of a construct",
    message="{target} cannot express {feature}, which {user} uses",
    why="A target that cannot keep the meaning refuses by name; it never approximates.",
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that the compiler writes: its path below the output folder, and its text."""

    path: PurePosixPath
    text: str


class Feature(StrEnum):
    """What a meter may need of a target, in words that a message can use."""

    COUNT = "COUNT"
    SUM = "SUM"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    LAST = "LAST"
    FIRST = "FIRST"
    UNIQUE = "UNIQUE"
    TIME_WEIGHTED = "TIME_WEIGHTED"
    RATIO = "a ratio of meters"
    SEVERAL_FAMILIES = "a meter over several families"
    BILLING_CYCLE = "billing cycles"
    CALENDAR = "calendar windows"
    TIME_ZONE = "windows in a time zone"
    TUMBLING = "windows of a fixed length"
    ROLLING = "a rolling window"
    ROLLING_SERIES = "a series of rolling windows"
    LIFETIME = "a lifetime window"
    LOCAL_TIME = "a getter of a timestamp in a time zone"
    UNEVEN_CLOCK = "windows by the hour in a zone whose clock is set by half an hour"


def needs(meter: Meter) -> Iterator[tuple[Feature, Place | None]]:
    """Every feature a meter needs, with the place that asks for it."""
    at = meter.origin
    match meter.source:
        case RatioSource():
            yield Feature.RATIO, at and at / "source"
            return
        case FamilySource(families) if len(families) > 1:
            yield Feature.SEVERAL_FAMILIES, at and at / "source" / "families"
    for expr, place in expressions(meter):
        if any(isinstance(n, Call) and n.overload.endswith("_with_tz") for n in walk(expr)):
            yield Feature.LOCAL_TIME, place
    if meter.aggregate is not None:
        yield Feature[Function(meter.aggregate.function).name], at and at / "aggregate" / "fn"
    window = at and at / "aggregate" / "window"
    match meter.window:
        case BillingCycle():
            yield Feature.BILLING_CYCLE, window
        case CalendarWindow(timezone="UTC"):
            yield Feature.CALENDAR, window
        case CalendarWindow(unit, timezone):
            yield Feature.TIME_ZONE, window
            if is_uneven(unit.value, zone(timezone)):
                yield Feature.UNEVEN_CLOCK, window
        case Tumbling():
            yield Feature.TUMBLING, window
        case Rolling(every=every, timezone=timezone):
            yield Feature.ROLLING if every is None else Feature.ROLLING_SERIES, window
            if timezone != "UTC":
                yield Feature.TIME_ZONE, window
                if every is not None and is_uneven(every.value, zone(timezone)):
                    yield Feature.UNEVEN_CLOCK, window
        case Lifetime():
            yield Feature.LIFETIME, window


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A target: `emit` may be called on a program for which `unsupported` reports nothing."""

    name: str
    supports: frozenset[Feature]
    emit: Callable[[Program], Iterator[Artifact]]
    lacks: Callable[[Call], str | None] = lambda _: None
    """What of a call of the expression language it cannot keep the meaning of, in words."""


def unsupported(backend: Backend, meters: Sequence[Meter], out: Diagnostics) -> None:
    """Reports MS600 at each place of the meters that asks for something the backend cannot express."""
    for meter in meters:
        for feature, at in needs(meter):
            if feature not in backend.supports:
                out.report(UNSUPPORTED, at=at, target=backend.name, feature=feature.value, user=f"meter `{meter.name}`")
        for expr, at in expressions(meter):
            calls = (node for node in walk(expr) if isinstance(node, Call))
            for words in dict.fromkeys(filter(None, map(backend.lacks, calls))):
                out.report(UNSUPPORTED, at=at, target=backend.name, feature=words, user=f"meter `{meter.name}`")


def expressions(meter: Meter) -> Iterator[tuple[Expr, Place | None]]:
    """The filter and the value of a meter, each with its place."""
    at = meter.origin
    value = meter.aggregate.value if meter.aggregate is not None else None
    for expr, place in ((meter.filter, at and at / "filter"), (value, at and at / "aggregate" / "value")):
        if expr is not None:
            yield expr, place
