"""A spec and its events on which two computations differ, made small: fewer meters, events and fields, shorter texts.

What remains still differs, and nothing that was tried could be left out of it. Both are printed as files to paste.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from meterspec.backends.base import expressions
from meterspec.cel.printer import show
from meterspec.cel.tree import Expr, walk
from meterspec.cel.types import Type
from tests.corpus import check_text

__all__ = ["Case", "shown", "shrunk"]

_NUMBERS = {Type.INT, Type.DECIMAL}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Case:
    """What a difference was found on."""

    family: str
    """The lines of the family, a field each."""
    meters: tuple[str, ...]
    events: tuple[dict[str, object], ...]
    cycles: tuple[tuple[str, datetime, datetime], ...] = ()
    as_of: datetime | None = None

    @property
    def text(self) -> str:
        return self.family + "\n" + "\n".join(self.meters)


def shown(case: Case) -> str:
    """The spec and the events as two files, and what they were computed with."""
    lines = [json.dumps(event, default=_json, ensure_ascii=False) for event in case.events]
    cycles = [f"{who},{start.isoformat()},{end.isoformat()}" for who, start, end in case.cycles]
    parts = [("meterspec.toml", case.text.strip()), ("events.jsonl", "\n".join(lines))]
    parts += [("cycles.csv", "\n".join(["customer_id,cycle_start,cycle_end", *cycles]))] if cycles else []
    parts += [("as of", case.as_of.isoformat())] if case.as_of is not None else []
    return "\n".join(f"--- {name}\n{text}" for name, text in parts)


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class _OutOfTriesError(Exception):
    """The number of tries is used up."""


def shrunk(case: Case, differs: Callable[[Case], bool], tries: int = 400) -> Case:
    """A case that differs as well and is smaller, after so many tries at the most."""
    shrinker = _Shrinker(case, differs, tries)
    try:
        while shrinker.smaller():
            pass
    except _OutOfTriesError:
        pass
    return shrinker.case


class _Shrinker:
    def __init__(self, case: Case, differs: Callable[[Case], bool], tries: int) -> None:
        self.case = case
        self._differs = differs
        self._left = tries
        self._tried: set[str] = set()

    def smaller(self) -> bool:
        """Goes through everything once; whether something became smaller."""
        before = self.case
        self._fewer(self.case.meters, lambda meters: replace(self.case, meters=meters))
        self._fewer(self.case.events, lambda events: replace(self.case, events=events))
        self._fewer(self.case.cycles, lambda cycles: replace(self.case, cycles=cycles))
        for number in range(len(self.case.meters)):
            self._simpler_meter(number)
        self._fewer_fields()
        self._simpler_events()
        return self.case != before

    def _take(self, candidate: Case) -> bool:
        """Whether a case differs too; if so, it is the one to go on with."""
        key = shown(candidate)
        if candidate == self.case or key in self._tried:
            return False
        if self._left == 0:
            raise _OutOfTriesError
        self._tried.add(key)
        self._left -= 1
        if not self._differs(candidate):
            return False
        self.case = candidate
        return True

    def _fewer(self, items: Sequence[_T], without: Callable[[tuple[_T, ...]], Case]) -> None:
        """Leaves parts of a list out, by halves first and one by one at last."""
        kept, size = list(items), max(1, len(items) // 2)
        while kept:
            at = 0
            while at < len(kept):
                rest = kept[:at] + kept[at + size :]
                if self._take(without(tuple(rest))):
                    kept = rest
                else:
                    at += size
            if size == 1:
                return
            size = max(1, size // 2)

    def _simpler_meter(self, number: int) -> None:
        """Leaves lines of a meter out, and puts parts of its expressions in their place."""
        simpler = True
        while simpler:
            simpler = any(
                self._take(replace(self.case, meters=_put(self.case.meters, number, text)))
                for text in self._simpler_texts(number)
            )

    def _simpler_texts(self, number: int) -> Iterator[str]:
        text = self.case.meters[number]
        for key in ("filter", "precision", "rounding", "aggregate.window"):
            yield re.sub(rf"(?m)^{re.escape(key)} = .*\n", "", text)
        for line in ("precision = 0", 'aggregate.window = { kind = "lifetime" }', "aggregate.group_by = []"):
            yield _with_line(text, line)
        program, _ = check_text(self.case.text)
        if program is None:
            return
        (meter,) = [one for one in program.meters if f'name = "{one.name}"' in text]
        for expr, _ in expressions(meter):
            key = "filter" if expr is meter.filter else "aggregate.value"
            for part in _parts(expr):
                yield _with_line(text, f"{key} = '''{part}'''")

    def _fewer_fields(self) -> None:
        for line in self.case.family.splitlines():
            name = re.match(r"schema\.(\w+) = ", line)
            if name is not None:
                events = tuple({k: v for k, v in event.items() if k != name[1]} for event in self.case.events)
                self._take(replace(self.case, family=self.case.family.replace(line + "\n", ""), events=events))

    def _simpler_events(self) -> None:
        for number in range(len(self.case.events)):
            for name in list(self.case.events[number]):
                event = self.case.events[number]
                for value in _simpler(event[name]):
                    if self._take(replace(self.case, events=_put(self.case.events, number, {**event, name: value}))):
                        break


def _put(items: tuple[_T, ...], at: int, item: _T) -> tuple[_T, ...]:
    return (*items[:at], item, *items[at + 1 :])


def _with_line(text: str, line: str) -> str:
    """A document with a line in the place of the one of the same key."""
    key, _, _ = line.partition(" = ")
    return re.sub(rf"(?m)^{re.escape(key)} = .*$", lambda _: line, text)


def _parts(expr: Expr) -> list[str]:
    """What may stand in the place of an expression: a part of it of a like type, the shortest first."""
    kinds = _NUMBERS if expr.type in _NUMBERS else {expr.type}
    texts = {show(node) for node in walk(expr) if node is not expr and node.type in kinds}
    return sorted((text for text in texts if len(text) < len(show(expr))), key=lambda text: (len(text), text))


def _simpler(value: object) -> Iterator[object]:
    yield None
    match value:
        case bool():
            yield False
        case int():
            yield from (0, 1)
        case float():
            yield from (0.0, 1.0)
        case Decimal():
            yield from (Decimal(0), Decimal(1))
        case datetime():
            yield datetime(2026, 1, 15, tzinfo=UTC)
