"""Finds every difference of two programs and judges none of them.

The walk goes over the fields of the IR's dataclasses, so a field that is new in the IR is compared from its first day.
What it has to be told stands in the tables below: what is one thing, and what goes by another word in a spec. `forms`
says when two values mean the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
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
    Leave,
    Lifetime,
    Meter,
    Price,
    Program,
    Rate,
    RatioSource,
    Regime,
    Rolling,
    Source,
    Statement,
    Term,
    Tier,
    Tumbling,
    Zone,
)
from meterspec.source import Path, Place

__all__ = ["Change", "Kind", "Step", "find", "renamed_dimensions"]

_EXPRESSIONS = (Literal, FieldRef, ListOf, Call)
_WHOLE = (*_EXPRESSIONS, FamilySource, RatioSource, BillingCycle, CalendarWindow, Tumbling, Rolling, Lifetime)
"""Reported as one thing: half of a window or of an expression says nothing."""

_WHOLE_FIELDS = {(Family, "table"), (Zone, "members")}
"""Tuples that are one thing, not a list of things: the parts of a name, and the countries of a zone."""

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

_NAMED_HERE = {(Program, "regimes"), (Program, "zones")}
"""What stands for a name in a family or meter: that one side alone names it is said there."""

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
    (Regime, "terms"): ("retention",),
    (Term, "name"): ("evidence",),
    (Term, "months"): ("min_months",),
    (Leave, "name"): ("subject",),
    (Leave, "months"): ("min_months",),
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


def renamed_dimensions(before: Program, after: Program) -> dict[str, dict[str, str]]:
    """The new names of renamed fields by their old ones, for each meter that is split by some, by its name before."""
    finder = _Finder(before, after)
    named = {meter.name: finder.followed_in(meter) for meter in before.meters}
    return {
        meter.name: {name: names[name] for name in meter.group_by if name in names}
        for meter in before.meters
        if not (names := named[meter.name]).keys().isdisjoint(meter.group_by)
    }


_Found = tuple[tuple[Step, ...], object, object]


class _Finder:
    """One comparison; it knows which families, meters and fields were renamed."""

    def __init__(self, before: Program, after: Program) -> None:
        self._families: dict[str, str] = {}
        self._meters: dict[str, str] = {}
        self._fields: dict[str, str] = {}
        """The fields that were renamed, of the family or meter that is compared."""
        self._families = self._renamed(before.families, after.families)
        self._meters = self._renamed(before.meters, after.meters)
        while more := self._renamed(before.meters, after.meters, ratios=True):
            self._meters |= more  # a ratio is only recognised once the meters it names are
        self._sources = {meter.name: meter.source for meter in before.meters}
        self._fields_of, self._roles_of = self._renamed_fields(before, after)
        """The fields that were renamed, by the name that their family has before; those that a role went along with
        are apart, since the change of the role says it."""

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
        elif form(self._in_new_names(owner, name, old)) != form(new):
            yield (Step(before, after, name),), old, new

    def _members(
        self, before: object, after: object, name: str, old: tuple[str, ...], new: tuple[str, ...]
    ) -> Iterator[_Found]:
        """The differences of two lists of texts."""
        known = [self._fields.get(text, text) if name == "group_by" else text for text in old]
        gone = [text for text, now in zip(old, known, strict=True) if now not in new]
        added = [text for text in new if text not in known]
        for text in gone:
            yield (Step(before, after, name),), text, None
        for text in added:
            yield (Step(before, after, name),), None, text
        if tuple(known) != new and not gone and not added and (type(before), name) not in UNORDERED:
            yield (Step(before, after, name),), old, new

    def _items(
        self, before: object, after: object, name: str, old: tuple[object, ...], new: tuple[object, ...]
    ) -> Iterator[_Found]:
        """The differences of two lists of objects, matched by what tells them apart, else by position."""
        if isinstance(before, Program):
            yield from self._subjects(before, after, name, old, new)
            return
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
        for one, other in _heirs(before, after):
            if one in was_at and other in now_at and one not in now_at and other not in was_at:
                step = Step(before, after, name, new[now_at[other]], (was_at[one], now_at[other]))
                for route, was, now in self.objects(old[was_at[one]], new[now_at[other]]):
                    if route[0].field != "name":  # the change of the role says it
                        yield (step, *route), was, now
        if (type(before), name) not in UNORDERED:
            fixed = _role_names(before) | _role_names(after)  # roles come first whatever the spec's order is
            left = [key for key in old_keys if key in now_at and key not in fixed]
            right = [key for key in new_keys if key in was_at and key not in fixed]
            if left != right:
                yield (Step(before, after, name),), old, new

    def _subjects(
        self, before: Program, after: object, name: str, old: tuple[object, ...], new: tuple[object, ...]
    ) -> Iterator[_Found]:
        """The differences of the families or of the meters of two programs."""
        old_keys, new_keys = self._item_keys(old, new)
        was_at = {key: number for number, key in enumerate(old_keys)}
        for number, key in enumerate(new_keys):
            position = was_at.pop(key, None)
            step = Step(before, after, name, new[number], (position, number))
            if position is None:
                if (Program, name) not in _NAMED_HERE:
                    yield (step,), None, new[number]
                continue
            self._fields = self.followed_in(old[position])
            for route, was, now in self.objects(old[position], new[number]):
                yield (step, *route), was, now
        self._fields = {}
        for position in was_at.values() if (Program, name) not in _NAMED_HERE else ():
            yield (Step(before, after, name, old[position], (position, None)),), old[position], None

    def followed_in(self, subject: object) -> dict[str, str]:
        """The fields that were renamed in a family, or in every family of a meter."""
        match subject:
            case Family(name=name):
                return self._fields_of.get(name, {})
            case Meter(source=source):
                families = self._families_of(source)
                each = [{**self._fields_of.get(name, {}), **self._roles_of.get(name, {})}.items() for name in families]
                return dict(set.intersection(*map(set, each))) if each else {}
            case _:
                return {}

    def _families_of(self, source: Source) -> tuple[str, ...]:
        """The families of a meter before; a ratio counts those of both its meters."""
        match source:
            case FamilySource(families):
                return families
            case RatioSource(numerator, denominator):
                parts = (self._sources[name] for name in (numerator, denominator) if name in self._sources)
                return tuple(name for part in parts for name in self._families_of(part))

    def _item_keys(self, old: tuple[object, ...], new: tuple[object, ...]) -> tuple[list[Hashable], list[Hashable]]:
        """What tells the items of two lists apart: a name, a match, a bound; else the position."""
        if len(old) == len(new) and all(isinstance(item, Tier) for item in (*old, *new)):
            return [*range(len(old))], [*range(len(new))]  # as many tiers as before: a bound moved
        both = (
            [self._key(self._in_new_names(Price, "rates", item), self._new_name(item)) for item in old],
            [self._key(item) for item in new],
        )
        if any(None in keys or len(set(keys)) < len(keys) for keys in both):
            return [*range(len(old))], [*range(len(new))]
        return both

    def _key(self, item: object, name: str | None = None) -> Hashable:
        match item:
            case Rate(match=match):
                return frozenset(map(form, match))
            case Tier(up_to=bound):
                return ("up to", bound)
            case Leave(name=subject, rule=rule, regime=regime):
                return (subject, rule, regime)
            case _:
                return name or getattr(item, "name", None)

    def _new_name(self, item: object) -> str | None:
        match item:
            case Family(name=name):
                return self._families.get(name)
            case Meter(name=name):
                return self._meters.get(name)
            case Field(name=name):
                return self._fields.get(name)
            case _:
                return None

    def _in_new_names(self, owner: type, field: str, value: object) -> object:
        """A value of the program before, in the names that the program after uses."""
        match value:
            case FamilySource(names):
                return FamilySource(tuple(self._families.get(name, name) for name in names))
            case RatioSource(numerator, denominator):
                return RatioSource(self._meters.get(numerator, numerator), self._meters.get(denominator, denominator))
            case Literal() | FieldRef() | ListOf() | Call() if self._fields:
                return _with_names(value, self._fields)
            case Rate(match=match):
                return replace(value, match=self._in_new_names(Rate, "match", match))  # type: ignore[arg-type]
            case tuple() if (owner, field) == (Rate, "match"):
                return tuple((self._fields.get(name, name), scalar) for name, scalar in value)
            case _:
                return value

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
            same = thing
            if isinstance(thing, Meter):
                source = self._in_new_names(Meter, "source", thing.source)
                same = replace(thing, source=source)  # type: ignore[arg-type]
            meant[form(same, without=_NAMING)][0].append(thing.name)
        for thing in fresh:
            meant[form(thing, without=_NAMING)][1].append(thing.name)
        return {left[0]: right[0] for left, right in meant.values() if len(left) == len(right) == 1}

    def _renamed_fields(
        self, before: Program, after: Program
    ) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """New names of fields by old ones, for each family by its name before; then those that have a role.

        A field is renamed where one that is gone and one that is new mean the same and stand in the same place, or have
        the same role, and no meter names the one where the other is.
        """
        found: dict[str, dict[str, str]] = {}
        found_roles: dict[str, dict[str, str]] = {}
        now = {family.name: family for family in after.families}
        for old in before.families:
            new = now.get(self._families.get(old.name, old.name))
            if new is None or old.fields == new.fields:
                continue
            was, is_now = ({field.name for field in family.fields} for family in (old, new))
            pairs = {
                one.name: other.name
                for one, other in zip(_declared(old), _declared(new), strict=False)
                if one.name not in is_now and other.name not in was and form(one, _NAMING) == form(other, _NAMING)
            }
            roles = {
                one: other
                for one, other in ((getattr(old, role), getattr(new, role)) for role in _ROLES)
                if one is not None and other is not None and one not in is_now and other not in was
            }
            if pairs or roles:
                used, uses = _named(before, old.name), _named(after, new.name)
                for into, given in ((found, pairs), (found_roles, roles)):
                    kept = {one: other for one, other in given.items() if one not in uses and other not in used}
                    into.update({old.name: kept} if kept else {})
        return found, found_roles


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
    return (*keys, name if field in {(Family, "fields"), (Regime, "terms")} and name is not None else position)


def _is_short(subject: object) -> bool:
    origin = getattr(subject, "origin", None)
    return origin is not None and origin.path[:1] == ("meter",)


def _declared(family: Family) -> list[Field]:
    """The fields that are no role, in their order."""
    return [field for field in family.fields if field.name not in _role_names(family)]


def _named(program: Program, family: str) -> set[str]:
    """The fields that meters of a family name."""
    names: set[str] = set()
    for meter in program.meters:
        if isinstance(meter.source, FamilySource) and family in meter.source.families:
            value = meter.aggregate.value if meter.aggregate is not None else None
            nodes = [node for expr in (meter.filter, value) if expr is not None for node in walk(expr)]
            names |= {node.name for node in nodes if isinstance(node, FieldRef)}
            names |= {*meter.group_by}
            rates = meter.price.rates if meter.price is not None else ()
            names |= {name for rate in rates for name, _ in rate.match}
    return names


def _with_names(expr: Expr, names: Mapping[str, str]) -> Expr:
    """An expression with other names of fields."""
    match expr:
        case FieldRef(name):
            return replace(expr, name=names.get(name, name))
        case Call(args=args):
            return replace(expr, args=tuple(_with_names(arg, names) for arg in args))
        case ListOf(items):
            return replace(expr, items=tuple(_with_names(item, names) for item in items))
        case Literal():
            return expr


def _role_names(owner: object) -> set[Hashable]:
    return {getattr(owner, role) for role in _ROLES} if isinstance(owner, Family) else set()


def _heirs(before: object, after: object) -> Iterator[tuple[str, str]]:
    """The fields that a role goes from and to; what else is said of them is compared."""
    if isinstance(before, Family) and isinstance(after, Family):
        for role in _ROLES:
            old, new = getattr(before, role), getattr(after, role)
            if old is not None and new is not None and old != new:
                yield old, new


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
