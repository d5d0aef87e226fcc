"""What can hold of a change: the conditions that the rules are made of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from meterspec.diff import words
from meterspec.diff.changes import Change, Kind
from meterspec.diff.rules.rule import Test
from meterspec.ir import CalendarWindow, Compliance, FamilySource, Field, FieldType, Meter, Price, Rolling

ENDLESS = Decimal("Infinity")
_ZERO = Decimal(0)


def raised(absent: Decimal = _ZERO) -> Test:
    """To a greater number; `absent` is what no number stands for."""
    return lambda change: _number(change.after, absent) > _number(change.before, absent)


def lowered(absent: Decimal = _ZERO) -> Test:
    """To a smaller number."""
    return lambda change: _number(change.after, absent) < _number(change.before, absent)


def equal(absent: Decimal = _ZERO) -> Test:
    """To a number that means the same: from none to zero."""
    return lambda change: _number(change.after, absent) == _number(change.before, absent)


def up(*order: object) -> Test:
    """To a value that comes later in this order."""
    return lambda c: c.before in order and c.after in order and order.index(c.after) > order.index(c.before)


def down(*order: object) -> Test:
    """To a value that comes earlier in this order."""
    return lambda c: c.before in order and c.after in order and order.index(c.after) < order.index(c.before)


def to(value: object) -> Test:
    return lambda change: change.after is value


def was(value: object) -> Test:
    return lambda change: change.before is value


def added(change: Change) -> bool:
    return change.kind is Kind.ADDED


def removed(change: Change) -> bool:
    return change.kind is Kind.REMOVED


def replaced(change: Change) -> bool:
    return change.kind is Kind.CHANGED


def a_value(change: Change) -> bool:
    """One value of a closed set, not the set itself."""
    return isinstance(change.after if change.before is None else change.before, str)


def the_set(change: Change) -> bool:
    return not a_value(change)


def reordered(change: Change) -> bool:
    """A list of the same things in another order."""
    return isinstance(change.before, tuple) and isinstance(change.after, tuple)


def required_field(change: Change) -> bool:
    field = change.after or change.before
    return isinstance(field, Field) and field.required


def optional_field(change: Change) -> bool:
    return not required_field(change)


def float_field(change: Change) -> bool:
    field = change.new(Field)
    return field is not None and field.type is FieldType.FLOAT


def priced(change: Change) -> bool:
    meter = change.after or change.before
    return isinstance(meter, Meter) and meter.price is not None


def unpriced(change: Change) -> bool:
    return not priced(change)


def retyped(change: Change) -> bool:
    """Expressions that read the same and differ in the types of their fields."""
    return words.reads_the_same(change.before, change.after)


def more_families(change: Change) -> bool:
    match change.before, change.after:
        case FamilySource(before), FamilySource(after):
            return set(before) < set(after)
    return False


def fewer_families(change: Change) -> bool:
    match change.before, change.after:
        case FamilySource(before), FamilySource(after):
            return set(before) > set(after)
    return False


def more_names(change: Change) -> bool:
    """A list of names with all that it had, and more."""
    assert isinstance(change.before, tuple)
    assert isinstance(change.after, tuple)
    return set(change.before) < set(change.after)


def fewer_names(change: Change) -> bool:
    """A list of names with less than it had, and nothing else."""
    assert isinstance(change.before, tuple)
    assert isinstance(change.after, tuple)
    return set(change.before) > set(change.after)


def other_zone(change: Change) -> bool:
    """The same window in another time zone."""
    match change.before, change.after:
        case (CalendarWindow() | Rolling()) as before, (CalendarWindow() | Rolling()) as after:
            return replace(before, timezone=after.timezone) == after
    return False


def first_zone(change: Change) -> bool:
    """No jurisdiction was named before."""
    before = change.old(Compliance)
    return before is not None and not before.jurisdiction


def last_zone(change: Change) -> bool:
    """No jurisdiction is named any more."""
    after = change.new(Compliance)
    return after is not None and not after.jurisdiction


def other_currency(change: Change) -> bool:
    before, after = change.old(Price), change.new(Price)
    return before is not None and after is not None and before.currency != after.currency


def other_period(change: Change) -> bool:
    """What counts for a period counts for another one."""
    before, after = change.old(Price), change.new(Price)
    return before is not None and after is not None and before.interval != after.interval


def other_basis(change: Change) -> bool:
    """Amounts that cannot be compared: in another currency, or for packages of another size."""
    before, after = change.old(Price), change.new(Price)
    return other_currency(change) or (
        before is not None and after is not None and before.package_size != after.package_size
    )


def overlapping(change: Change) -> bool:
    """Rates that swapped places although some usage matches both."""
    assert isinstance(change.before, tuple)
    assert isinstance(change.after, tuple)
    was_at = {frozenset(rate.match): number for number, rate in enumerate(change.before)}
    stayed = [dict(rate.match) for rate in change.after if frozenset(rate.match) in was_at]
    places = [was_at[frozenset(match.items())] for match in stayed]
    return any(
        places[first] > places[second]
        and all(stayed[first][key] == stayed[second][key] for key in stayed[first].keys() & stayed[second].keys())
        for second in range(len(stayed))
        for first in range(second)
    )


def _number(value: object, absent: Decimal) -> Decimal:
    if value is None:
        return absent
    assert isinstance(value, Decimal | int)
    return Decimal(value)
