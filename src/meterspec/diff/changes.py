"""Finds every difference of two programs and judges none of them.

The walk goes over the fields of the IR's dataclasses, so a field that is new in the IR is compared from its first day.
What it has to be told stands in the tables below: what is one thing, and what goes by another word in a spec. `forms`
says when two values mean the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from meterspec.cel.tree import Call, FieldRef, ListOf, Literal
from meterspec.diff.forms import UNORDERED, compared, form
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarWindow,
    Compliance,
    Entitlement,
    Example,
    ExpectedRow,
    Family,
    FamilySource,
    Field,
    Lifetime,
    Meter,
    Price,
    Program,
    Rate,
    RatioSource,
    Rolling,
    Source,
    Statement,
    Tier,
    Tumbling,
)
from meterspec.source import Path, Place

__all__ = ["Change", "Kind", "Step", "find"]

_EXPRESSIONS = (Literal, FieldRef, ListOf, Call)
_WHOLE = (*_EXPRESSIONS, FamilySource, RatioSource, BillingCycle, CalendarWindow, Tumbling, Rolling, Lifetime)
"""Reported as one thing: half of a window or of an expression says nothing."""

_WHOLE_FIELDS = {(Family, "table")}
"""Tuples that are one name, not a list of names."""

_HOLD_SCALARS = {
    (Program, "meters"),
    (Meter, "price"),
    (Meter, "examples"),
    (Price, "rates"),
    (Rate, "match"),
    (Example, "events"),
    (Example, "expect"),
    (ExpectedRow, "group"),
}
"""Where `==` is not enough to be the same, because `true` equals 1."""

_PART_OF = {
    (Family, "sql_name"): "name",
    (Meter, "sql_name"): "name",
    (Field, "precision"): "type",
    (Field, "scale"): "type",
}
"""Fields that follow another one: where that one differs too, its change speaks for both."""

_ROLES = ("event_id", "event_time", "customer", "ingest_time")

_KEYS: dict[tuple[type, str], tuple[str, ...]] = {
    (Family, "sql_name"): ("name",),
    (Family, "event_id"): ("event_id_field",),
    (Family, "event_time"): ("event_time_field",),
    (Family, "customer"): ("customer_field",),
    (Family, "ingest_time"): ("ingest_time_field",),
    (Family, "fields"): ("schema",),
    (Field, "minimum"): ("min",),
    (Field, "maximum"): ("max",),
    (Meter, "sql_name"): ("name",),
    (Meter, "window"): ("aggregate", "window"),
    (Meter, "group_by"): ("aggregate", "group_by"),
    (Meter, "price"): ("billing",),
    (Meter, "entitlement"): ("billing",),
    (Meter, "examples"): ("tests",),
    (Aggregate, "function"): ("fn",),
    (Entitlement, "hooks"): (),
    (Compliance, "statements"): (),
    (Field, "statements"): (),
    (Statement, "value"): (),
}
"""The keys of a spec for the fields of the IR that are named otherwise."""

_SHORT_KEYS: dict[tuple[type, str], tuple[str, ...]] = {
    (Family, "event_id"): ("dedupe_on",),
    (Family, "fields"): (),
    (Meter, "window"): ("window",),
    (Meter, "aggregate"): (),
    (Meter, "entitlement"): (),
    (Aggregate, "function"): ("kind",),
}
"""The same in the short form, `[meter.NAME]`."""


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Step:
    """One field on the way from a program to what differs."""

    before: object
    """The object that has the field, in the program before; None where that program lacks it."""
    after: object
    field: str
    item: object = None
    """Which item of a list the way goes through: as it is after, or as it was before where it is gone."""
    at: tuple[int | None, int | None] = (None, None)
    """The item's positions before and after."""

    @property
    def owner(self) -> type:
        """The class that has the field."""
        return type(self.before if self.after is None else self.after)


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the way to it and the two values. An item that is new or gone has one value, the other is None.

    A list of which only the order changed is given whole, as two tuples.
    """

    route: tuple[Step, ...]
    before: object
    after: object

    @property
    def kind(self) -> Kind:
        if self.before is None:
            return Kind.ADDED
        return Kind.REMOVED if self.after is None else Kind.CHANGED

    @property
    def owner(self) -> type:
        """The class of the IR whose field differs."""
        return self.route[-1].owner

    @property
    def field(self) -> str:
        """The field of the IR that differs."""
        return self.route[-1].field

    @property
    def subject(self) -> str:
        """The name of the family or meter, as it is after; "project" for anything else."""
        return getattr(self.route[0].item, "name", "project")

    @property
    def keys(self) -> Path:
        """The way from the subject in the words of the spec; an item that is gone has the position it had."""
        short = _is_short(self.route[0].item)
        keys: list[str | int] = []
        for step in self.route[1:]:
            keys += _keys(step, short, step.at[0] if step.at[1] is None else step.at[1])
        return tuple(keys)

    @property
    def path(self) -> str:
        """The same as text, `billing.tiers[0].unit_amount`; empty for the subject itself."""
        return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.keys).removeprefix(".")

    @property
    def before_place(self) -> Place | None:
        """Where it stands in the spec before, or the nearest thing around it; None where nothing is."""
        return self._place(0)

    @property
    def after_place(self) -> Place | None:
        """Where it stands in the spec after, or the nearest thing around it; None where nothing is."""
        return self._place(1)

    def old(self, kind: type[_T]) -> _T | None:
        """The nearest object of a class around what differs, as it was before."""
        return next((step.before for step in reversed(self.route) if isinstance(step.before, kind)), None)

    def new(self, kind: type[_T]) -> _T | None:
        """The nearest object of a class around what differs, as it is after."""
        return next((step.after for step in reversed(self.route) if isinstance(step.after, kind)), None)

    def _place(self, side: int) -> Place | None:
        place: Place | None = None
        for step in self.route:
            owner = (step.before, step.after)[side]
            if owner is None:
                return place
            place = getattr(owner, "origin", None) or place
            if place is not None:
                for key in _keys(step, place.path[:1] == ("meter",), step.at[side]):
                    place = place / key
        return getattr((self.before, self.after)[side], "origin", None) or place


def find(before: Program, after: Program) -> list[Change]:
    """Every difference of two programs, in the order of their fields. What means the same is no difference."""
    return [Change(*found) for found in _Finder(before, after).objects(before, after)]


_Found = tuple[tuple[Step, ...], object, object]


class _Finder:
    """One comparison; it knows which families and meters were renamed."""

    def __init__(self, before: Program, after: Program) -> None:
        self._families: dict[str, str] = {}
        self._meters: dict[str, str] = {}
        self._families = self._renamed(before.families, after.families)
        self._meters = self._renamed(before.meters, after.meters)
        while more := self._renamed(before.meters, after.meters, ratios=True):
            self._meters |= more  # a ratio is only recognised once the meters it names are

    def objects(self, before: object, after: object) -> Iterator[_Found]:
        """The differences of two objects of one class."""
        for name in compared(type(before)):
            old, new = getattr(before, name), getattr(after, name)
            if old is new or (old == new and (type(before), name) not in _HOLD_SCALARS):
                continue
            lead = _PART_OF.get((type(before), name))
            if lead is None or getattr(before, lead) == getattr(after, lead):
                yield from self._field(before, after, name, old, new)

    def _field(self, before: object, after: object, name: str, old: Any, new: Any) -> Iterator[_Found]:
        owner = type(before)
        if isinstance(old, tuple) and isinstance(new, tuple) and (owner, name) not in _WHOLE_FIELDS:
            items = (*old, *new)
            if all(isinstance(item, str) for item in items):
                yield from self._members(before, after, name, old, new)
                return
            if all(is_dataclass(item) and not isinstance(item, _WHOLE) for item in items):
                yield from self._items(before, after, name, old, new)
                return
        if type(old) is type(new) and is_dataclass(old) and not isinstance(old, _WHOLE):
            for route, was, now in self.objects(old, new):
                yield (Step(before, after, name), *route), was, now
        else:
            same = self._in_new_names(old) if isinstance(old, FamilySource | RatioSource) else old
            if form(same) != form(new):
                yield (Step(before, after, name),), old, new

    def _members(
        self, before: object, after: object, name: str, old: tuple[str, ...], new: tuple[str, ...]
    ) -> Iterator[_Found]:
        """The differences of two lists of texts."""
        gone = [text for text in old if text not in new]
        added = [text for text in new if text not in old]
        for text in gone:
            yield (Step(before, after, name),), text, None
        for text in added:
            yield (Step(before, after, name),), None, text
        if old != new and not gone and not added and (type(before), name) not in UNORDERED:
            yield (Step(before, after, name),), old, new

    def _items(
        self, before: object, after: object, name: str, old: tuple[object, ...], new: tuple[object, ...]
    ) -> Iterator[_Found]:
        """The differences of two lists of objects, matched by what tells them apart, else by position."""
        old_keys, new_keys = self._item_keys(old, new)
        was_at = {key: number for number, key in enumerate(old_keys)}
        now_at = {key: number for number, key in enumerate(new_keys)}
        follow = _followers(before, after) if isinstance(before, Family) and isinstance(after, Family) else set()
        for number, key in enumerate(new_keys):
            item, position = new[number], was_at.get(key)
            step = Step(before, after, name, item, (position, number))
            if position is None:
                if ("after", key) not in follow:
                    yield (step,), None, item
            else:
                for route, was, now in self.objects(old[position], item):
                    yield (step, *route), was, now
        for number, key in enumerate(old_keys):
            if key not in now_at and ("before", key) not in follow:
                yield (Step(before, after, name, old[number], (number, None)),), old[number], None
        if (type(before), name) not in UNORDERED:
            fixed = _role_names(before) | _role_names(after)  # roles come first whatever the spec's order is
            left = [key for key in old_keys if key in now_at and key not in fixed]
            right = [key for key in new_keys if key in was_at and key not in fixed]
            if left != right:
                yield (Step(before, after, name),), old, new

    def _item_keys(self, old: tuple[object, ...], new: tuple[object, ...]) -> tuple[list[Hashable], list[Hashable]]:
        """What tells the items of two lists apart: a name, a match, a bound; else the position."""
        if len(old) == len(new) and all(isinstance(item, Tier) for item in (*old, *new)):
            return [*range(len(old))], [*range(len(new))]  # as many tiers as before: a bound moved
        both = [self._key(item, self._new_name(item)) for item in old], [self._key(item) for item in new]
        if any(None in keys or len(set(keys)) < len(keys) for keys in both):
            return [*range(len(old))], [*range(len(new))]
        return both

    def _key(self, item: object, name: str | None = None) -> Hashable:
        match item:
            case Rate(match=match):
                return frozenset(form(pair) for pair in match)
            case Tier(up_to=bound):
                return ("up to", bound)
            case _:
                return name or getattr(item, "name", None)

    def _new_name(self, item: object) -> str | None:
        match item:
            case Family(name=name):
                return self._families.get(name)
            case Meter(name=name):
                return self._meters.get(name)
            case _:
                return None

    def _in_new_names(self, source: Source) -> Source:
        """A source of the program before, in the names that the program after uses."""
        match source:
            case FamilySource(names):
                return FamilySource(tuple(self._families.get(name, name) for name in names))
            case RatioSource(numerator, denominator):
                return RatioSource(self._meters.get(numerator, numerator), self._meters.get(denominator, denominator))

    def _renamed(
        self, old: tuple[Family | Meter, ...], new: tuple[Family | Meter, ...], *, ratios: bool = False
    ) -> dict[str, str]:
        """New names by old ones: what is gone and what is new, where exactly one of each means the same."""
        was = {thing.name for thing in old} | set(self._meters.values())
        now = {thing.name for thing in new} | self._meters.keys()
        gone = [thing for thing in old if thing.name not in now]
        fresh = [thing for thing in new if thing.name not in was]
        if ratios:
            gone = [thing for thing in gone if isinstance(thing, Meter) and isinstance(thing.source, RatioSource)]
            fresh = [thing for thing in fresh if isinstance(thing, Meter) and isinstance(thing.source, RatioSource)]
        if not gone or not fresh:
            return {}
        meant: dict[Hashable, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for thing in gone:
            same = replace(thing, source=self._in_new_names(thing.source)) if isinstance(thing, Meter) else thing
            meant[form(same, without=_NAMING)][0].append(thing.name)
        for thing in fresh:
            meant[form(thing, without=_NAMING)][1].append(thing.name)
        return {left[0]: right[0] for left, right in meant.values() if len(left) == len(right) == 1}


_NAMING = frozenset({"name", "sql_name", "description"})


def _keys(step: Step, short: bool, position: int | None) -> Iterable[str | int]:
    """The keys of a spec for one step; `position` is the item's, None where the list is meant or lacks it."""
    field = (step.owner, step.field)
    if step.owner is Program:
        return ()
    if short and field in _SHORT_KEYS:
        return _SHORT_KEYS[field]
    keys = _KEYS.get(field, (step.field,))
    if position is None:
        return keys
    name = getattr(step.item, "name", None)
    if isinstance(step.item, Statement):
        return (*keys, *step.item.name.split("."))
    return (*keys, name if field == (Family, "fields") and name is not None else position)


def _is_short(subject: object) -> bool:
    origin = getattr(subject, "origin", None)
    return origin is not None and origin.path[:1] == ("meter",)


def _role_names(owner: object) -> set[Hashable]:
    return {getattr(owner, role) for role in _ROLES} if isinstance(owner, Family) else set()


def _followers(before: Family, after: Family) -> set[tuple[str, Hashable]]:
    """Fields that come or go only because a role went to another field: the change of the role says it."""
    found = set[tuple[str, Hashable]]()
    for role in _ROLES:
        old, new = getattr(before, role), getattr(after, role)
        if old != new:
            found.add(("before", old))
            demanding = role == "ingest_time" and any(field.name == new and field.required for field in after.fields)
            if not demanding:
                found.add(("after", new))
    return found
