"""What every form of a report says in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from meterspec.diff.words import text
from meterspec.render import instant, plain, short
from meterspec.reports.comparison import Comparison, Reported, counts, moved_first, percent

if TYPE_CHECKING:
    from meterspec.money import Customer, Numbers, Rows, Total

__all__ = [
    "amount",
    "customer_row",
    "moment",
    "number_table",
    "numbers_words",
    "remarks",
    "signed",
    "summary",
    "total_words",
]

NOTHING = "no change of meaning"


def summary(changes: Sequence[Reported]) -> str:
    """How many changes there are of each kind: "2 breaking, 1 safe"."""
    return ", ".join(f"{count} {word}" for word, count in counts(changes) if count) or NOTHING


def amount(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def signed(value: Decimal | None) -> str:
    """A difference with its sign; a zero has none."""
    return "" if value is None else f"{value:+f}" if value else plain(value.copy_abs())


def _signed_short(value: Decimal | None) -> str:
    return "" if value is None else short(value) if value <= 0 else f"+{short(value)}"


def moment(at: datetime | None) -> str:
    """An instant as short as it can be said."""
    return "ever" if at is None else instant(at).removesuffix("T00:00:00Z")


def total_words(total: Total) -> str:
    """How many customers pay more, less, the same: "2 customers pay more, 1 the same"."""
    said: list[str] = []
    for count, words in (
        (total.more, "more"),
        (total.less, "less"),
        (total.same, "the same"),
        (total.new, "for the first time"),
        (total.gone, "nothing any more"),
    ):
        if count and not said:
            said.append(f"{count} customer{'s pay' if count > 1 else ' pays'} {words}")
        elif count:
            said.append(f"{count} {words}")
    return ", ".join(said)


def customer_row(one: Customer) -> list[str]:
    """The cells of a customer: who, before, after, difference, percent."""
    change = percent(one.before, one.after)
    return [one.name, amount(one.before), amount(one.after), signed(one.difference), change]


def numbers_words(numbers: Numbers) -> str:
    """How many numbers of a meter differ: "1 of 6 numbers differs, 2 are new"."""
    new = sum(number.before is None for number in numbers.moved)
    gone = sum(number.after is None for number in numbers.moved)
    moved = len(numbers.moved) - new - gone
    count = moved + numbers.same
    said = [f"{moved} of {count} number{'s' if count > 1 else ''} differ{'s' if moved == 1 else ''}"] if count else []
    for number, words in ((new, "new"), (gone, "gone")):
        if number:
            noun = "" if said else f" number{'s' if number > 1 else ''}"
            said.append(f"{number}{noun} {'are' if number > 1 else 'is'} {words}")
    return ", ".join(said)


def number_table(numbers: Numbers, most: int) -> tuple[list[str], list[list[str]]]:
    """The header and rows of the numbers of a meter that differ, those by most first."""
    names = list(dict.fromkeys(name for number in numbers.moved for name, _ in number.group))
    rows = []
    for number in moved_first(numbers.moved)[:most]:
        group = dict(number.group)
        cells = [text(group[name]) if name in group else "" for name in names]
        values = ["" if value is None else short(value) for value in (number.before, number.after)]
        cells += [*values, _signed_short(number.difference)]
        rows.append([moment(number.window[0]), moment(number.window[1]), *cells, percent(number.before, number.after)])
    return ["from", "to", *names, "before", "after", "difference", "%"], rows


def remarks(comparison: Comparison) -> list[str]:
    """What belongs to the amounts and numbers: a sentence for each family of which other rows are accepted, or other
    ones count once, and one for the meters that were not computed."""
    money = comparison.money
    if money is None:
        return []
    said = [_rows_words(rows) for rows in money.rows if _differ(rows)]
    if money.skipped:
        names = ", ".join(f"`{name}`" for name in money.skipped)
        said.append(f"not computed, because no events of their families were given: {names}")
    return said


def _differ(rows: Rows) -> bool:
    one, other = rows.before, rows.after
    if one is None or other is None:
        return False
    return (one.accepted, one.duplicates, one.rejected) != (other.accepted, other.duplicates, other.rejected)


def _rows_words(rows: Rows) -> str:
    one, other = rows.before, rows.after
    assert one is not None
    assert other is not None
    reasons = sorted(other.reasons.items(), key=lambda item: (-item[1], item[0]))[:3]
    because = f" ({', '.join(f'{count} {reason}' for reason, count in reasons)})" if reasons else ""
    return (
        f"of {other.read} rows of `{rows.family}`, {other.accepted} count, were {one.accepted}; "
        f"{other.rejected} are rejected, were {one.rejected}{because}"
    )
