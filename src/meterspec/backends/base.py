"""The contract of a backend: what it can express, and the artefacts it makes of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from meterspec.cel.tree import Call, walk
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

__all__ = ["UNSUPPORTED", "Artifact", "Backend", "Feature", "needs", "unsupported"]

UNSUPPORTED = Rule(
    code="MS600",
    slug="unsupported-by-target",
    title="A target that cannot keep the meaning of a construct",
    message="{target} cannot express {feature}, which meter `{meter}` uses",
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


def needs(meter: Meter) -> Iterator[tuple[Feature, Place | None]]:
    """Every feature a meter needs, with the place that asks for it."""
    at = meter.origin
    match meter.source:
        case RatioSource():
            yield Feature.RATIO, at and at / "source"
            return
        case FamilySource(families) if len(families) > 1:
            yield Feature.SEVERAL_FAMILIES, at and at / "source" / "families"
    value = meter.aggregate.value if meter.aggregate is not None else None
    for expr, place in ((meter.filter, at and at / "filter"), (value, at and at / "aggregate" / "value")):
        if expr is not None and any(isinstance(n, Call) and n.overload.endswith("_with_tz") for n in walk(expr)):
            yield Feature.LOCAL_TIME, place
    if meter.aggregate is not None:
        yield Feature[Function(meter.aggregate.function).name], at and at / "aggregate" / "fn"
    window = at and at / "aggregate" / "window"
    match meter.window:
        case BillingCycle():
            yield Feature.BILLING_CYCLE, window
        case CalendarWindow(timezone="UTC"):
            yield Feature.CALENDAR, window
        case CalendarWindow():
            yield Feature.TIME_ZONE, window
        case Tumbling():
            yield Feature.TUMBLING, window
        case Rolling(every=every, timezone=zone):
            yield Feature.ROLLING if every is None else Feature.ROLLING_SERIES, window
            if zone != "UTC":
                yield Feature.TIME_ZONE, window
        case Lifetime():
            yield Feature.LIFETIME, window


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A target: `emit` may be called on a program for which `unsupported` reports nothing."""

    name: str
    supports: frozenset[Feature]
    emit: Callable[[Program], Iterator[Artifact]]


def unsupported(backend: Backend, meters: tuple[Meter, ...], out: Diagnostics) -> None:
    """Reports MS600 at each place of the meters that asks for a feature the backend lacks."""
    for meter in meters:
        for feature, at in needs(meter):
            if feature not in backend.supports:
                out.report(UNSUPPORTED, at=at, target=backend.name, feature=feature.value, meter=meter.name)
