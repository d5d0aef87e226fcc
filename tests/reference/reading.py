"""From rows to events: what is accepted, what is rejected and why, and which of several rows with one id counts."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

from meterspec import ir

from .values import MICROSECOND, Event, Value, micros

__all__ = ["Read", "Reject", "Row", "json_rows", "quality", "read"]

Row = dict[str, object]
"""A row as JSON gives it, its numbers exact: `int`, and `Decimal` for every other; or as Parquet gives it."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that breaks the schema, and the first reason."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """What became of the rows of one family: every row is an event, a duplicate or a reject."""

    family: str
    events: tuple[Event, ...]
    """By (event time, event id)."""
    rejects: tuple[Reject, ...]
    duplicates: int
    """Rows that are not the one that counts for their id, conflicting ones included."""
    conflicts: tuple[str, ...]
    """Ids that came with more than one content."""


class _RowError(Exception):
    """The reason a value is refused."""


def json_rows(lines: Iterable[str]) -> list[Row]:
    """The rows of JSON lines, numbers exact; no line has a key twice."""
    return [json.loads(line, parse_float=Decimal, object_pairs_hook=_unique) for line in lines if line.strip()]


def _unique(pairs: list[tuple[str, object]]) -> Row:
    row = dict(pairs)
    assert len(row) == len(pairs), pairs
    return row


def read(family: ir.Family, rows: Iterable[Row]) -> Read:
    """Rejects first, then removes duplicates."""
    rejects: list[Reject] = []
    by_id: dict[str, list[Event]] = {}
    for row in rows:
        try:
            event = _event(family, row)
        except _RowError as reason:
            rejects.append(Reject(row, str(reason)))
        else:
            by_id.setdefault(event.id, []).append(event)
    winners = [min(same, key=lambda event: _rank(family, event)) for same in by_id.values()]
    return Read(
        family=family.name,
        events=tuple(sorted(winners, key=lambda event: (event.time, event.id))),
        rejects=tuple(rejects),
        duplicates=sum(len(same) - 1 for same in by_id.values()),
        conflicts=tuple(sorted(id_ for id_, same in by_id.items() if len({_content(family, e) for e in same}) > 1)),
    )


def quality(reads: Iterable[Read]) -> list[dict[str, object]]:
    """The counts of each family, as `run --format json` has them; `read` = accepted + duplicates + rejected."""
    return [
        {
            "family": each.family,
            "read": len(each.events) + each.duplicates + len(each.rejects),
            "accepted": len(each.events),
            "duplicates": each.duplicates,
            "conflicts": len(each.conflicts),
            "rejected": len(each.rejects),
            "reasons": dict(sorted(Counter(reject.reason for reject in each.rejects).items())),
        }
        for each in reads
    ]


# -- duplicates


def _content(family: ir.Family, event: Event) -> tuple[Value, ...]:
    """What two rows of one id agree on where one is only a repeat: all but when they arrived."""
    return tuple(event.values[field.name] for field in family.fields if field.name != family.ingest_time)


def _rank(family: ir.Family, event: Event) -> tuple[object, ...]:
    """The least of the rows with one id counts: earliest arrival, earliest event time, smallest row."""
    arrival = event.values[family.ingest_time] if family.ingest_time else None
    row = (event.values[field.name] for field in family.fields)
    return (_nulls_last(arrival), event.time, *map(_nulls_last, row))


def _nulls_last(value: Value) -> tuple[bool, Value]:
    return (value is None, value if value is not None else 0)


# -- one row


def _event(family: ir.Family, row: Row) -> Event:
    """The first field that cannot be read, in the order of the family's fields, decides."""
    values = {field.name: _field(field, row.get(field.name)) for field in family.fields}
    id_, time = values[family.event_id], values[family.event_time]
    customer = values[family.customer] if family.customer else None
    assert isinstance(id_, str)
    assert isinstance(time, int)
    assert customer is None or isinstance(customer, str)
    return Event(family.name, id_, time, customer, values)


def _field(field: ir.Field, raw: object) -> Value:
    """A value of a field: missing, then its type, then whether the type holds it, then the bounds of the spec."""
    if raw is None:
        if field.required:
            raise _RowError(f"missing {field.name}")
        return None
    match field.type:
        case ir.FieldType.STRING:
            value: Value = _string(field, raw)
        case ir.FieldType.BOOLEAN:
            value = _boolean(field, raw)
        case ir.FieldType.TIMESTAMP:
            value = _timestamp(field, raw)
        case ir.FieldType.INTEGER:
            value = _integer(field, _number(field, raw))
        case ir.FieldType.DECIMAL:
            value = _decimal(field, _number(field, raw))
        case ir.FieldType.FLOAT:
            value = _float(field, raw)
    if isinstance(value, int | Fraction):
        if field.minimum is not None and value < Fraction(field.minimum):
            raise _RowError(f"{field.name} below {field.minimum:f}")
        if field.maximum is not None and value > Fraction(field.maximum):
            raise _RowError(f"{field.name} above {field.maximum:f}")
    if field.values is not None and value not in field.values:
        raise _RowError(f"{field.name} not one of its values")
    return value


def _wrong_type(field: ir.Field) -> _RowError:
    article = "an" if field.type is ir.FieldType.INTEGER else "a"
    return _RowError(f"{field.name} is not {article} {field.type.value}")


def _out_of_range(field: ir.Field) -> _RowError:
    return _RowError(f"{field.name} out of range")


def _string(field: ir.Field, raw: object) -> str:
    if not isinstance(raw, str) or re.search(r"[\ud800-\udfff]", raw):  # half a surrogate pair is no character
        raise _wrong_type(field)
    return raw


def _boolean(field: ir.Field, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise _wrong_type(field)
    return raw


_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)


def _timestamp(field: ir.Field, raw: object) -> int:
    """A date and a time of day, digits beyond the microsecond cut, with an offset or in UTC."""
    if isinstance(raw, datetime):
        return micros(raw)
    parts = _INSTANT.fullmatch(raw) if isinstance(raw, str) else None
    if parts is None:
        raise _wrong_type(field)
    *date_and_time, fraction, _, sign, hours, minutes = parts.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if int(minutes or 0) > 59 or offset >= timedelta(hours=24):
        raise _wrong_type(field)
    try:
        zone = timezone(-offset if sign == "-" else offset)
        year, month, day, hour, minute, second = map(int, date_and_time)
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        at = local + int((fraction or "")[:6].ljust(6, "0")) * MICROSECOND
        at.astimezone(UTC)  # a year that is one in its own zone only is refused too
    except (ValueError, OverflowError):
        raise _wrong_type(field) from None
    return micros(at)


# -- numbers

_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def _number(field: ir.Field, raw: object) -> Decimal:
    """A finite JSON number, or the same as plain text; a double stands for its shortest decimal text."""
    if isinstance(raw, str) and _PLAIN.fullmatch(raw):
        return Decimal(raw)
    if isinstance(raw, float) and math.isfinite(raw):
        return Decimal(repr(raw))
    if isinstance(raw, int) and not isinstance(raw, bool):
        return Decimal(raw)
    if isinstance(raw, Decimal) and raw.is_finite():
        return raw
    raise _wrong_type(field)


def _digits(number: Decimal) -> tuple[int, int]:
    """Digits before and after the point; zeros that do not change the value are none."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return 0, 0
    exponent += len(significant) - len(significant.rstrip("0"))
    significant = significant.rstrip("0")
    return max(0, len(significant) + exponent), max(0, -exponent)


def _integer(field: ir.Field, number: Decimal) -> int:
    """A whole number of 64 bits, however it is written: 5, 5.0 and 5e0 are one."""
    before, after = _digits(number)
    if after > 0:
        raise _wrong_type(field)
    if before > 19 or not -(2**63) <= number < 2**63:
        raise _out_of_range(field)
    return int(number)


def _decimal(field: ir.Field, number: Decimal) -> Fraction:
    before, after = _digits(number)
    if before > field.precision - field.scale:
        raise _out_of_range(field)
    if after > field.scale:
        raise _RowError(f"{field.name} has more than {field.scale} decimals")
    return Fraction(number)


def _float(field: ir.Field, raw: object) -> Fraction:
    """floor(x * 10^scale + 0.5) in double arithmetic, as a whole number of 10^-scale."""
    double = raw if isinstance(raw, float) else _nearest_double(_number(field, raw))
    if math.isnan(double) or (math.isinf(double) and isinstance(raw, float)):
        raise _wrong_type(field)
    scaled = double * float(10**field.scale)
    if not abs(scaled) < 2.0**53:
        raise _out_of_range(field)
    return Fraction(math.floor(scaled + 0.5), 10**field.scale)


def _nearest_double(number: Decimal) -> float:
    """What IEEE 754 reads the number as; infinite where it is too large for a double."""
    return float(str(number))
