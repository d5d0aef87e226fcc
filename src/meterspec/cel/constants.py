"""Texts that stand for something: instants, lengths of time, zones and numbers, as constants of an expression."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

from meterspec.cel.examples import filter_spec, value_spec
from meterspec.cel.lexer import MAX_INT, MIN_INT, Problem, fits_decimal, short
from meterspec.diagnostics import Rule, did_you_mean

__all__ = [
    "LONGEST",
    "decimal_constant",
    "duration_constant",
    "duration_text",
    "in_years",
    "int_constant",
    "timestamp_constant",
    "timestamp_text",
    "zone_constant",
    "zone_names",
]

BAD_TIMESTAMP = Rule(
    code="MS330",
    slug="bad-timestamp",
    title="A constant timestamp cannot be read",
    message="'{text}' is not a timestamp: {reason}",
    why="timestamp() takes RFC 3339: a date, `T`, a time, and `Z` or an offset. Instants are kept to the microsecond.",
    bad=filter_spec("seen > timestamp('2026-01-01')", seen="timestamp"),
    good=filter_spec("seen > timestamp('2026-01-01T00:00:00Z')", seen="timestamp"),
)
BAD_DURATION = Rule(
    code="MS331",
    slug="bad-duration",
    title="A constant duration cannot be read",
    message="'{text}' is not a duration: {reason}",
    why="duration() takes numbers with the units h, m, s, ms or us, such as `1h30m`. CEL has no days, since a day is "
    "not always 24 hours.",
    bad=filter_spec("event_time - seen > duration('1d')", seen="timestamp"),
    good=filter_spec("event_time - seen > duration('24h')", seen="timestamp"),
)
BAD_ZONE = Rule(
    code="MS332",
    slug="bad-zone",
    title="A time zone is not known",
    message="'{text}' is not a time zone",
    why="The parts of an instant are taken in UTC, in an IANA zone such as `Europe/Berlin`, or at a fixed offset such "
    "as `-05:00`.",
    bad=filter_spec("event_time.getHours('Europe/Berlim') < 6"),
    good=filter_spec("event_time.getHours('Europe/Berlin') < 6"),
)
BAD_NUMBER = Rule(
    code="MS333",
    slug="bad-number-text",
    title="A constant text is not a number",
    message="'{text}' is not {what}",
    why="int() takes the decimal digits of a whole number that fits 64 bits, double() a plain decimal number.",
    bad=value_spec("tokens * int('1k')", tokens="integer"),
    good=value_spec("tokens * int('1000')", tokens="integer"),
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Texts, compiled where one is met: few specs have any.
INSTANT = r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[-+][0-9]{2}:[0-9]{2})"
LENGTH = r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:h|ms|us|µs|μs|ns|m|s))+"
PIECE = r"([0-9.]+)([a-zµμ]+)"
OFFSET = r"[-+]?(?:0[0-9]|1[0-4]):[0-5][0-9]"
MICROSECONDS = {
    "h": Decimal(3_600_000_000),
    "m": Decimal(60_000_000),
    "s": Decimal(1_000_000),
    "ms": Decimal(1000),
    "us": Decimal(1),
    "µs": Decimal(1),
    "μs": Decimal(1),
    "ns": Decimal("0.001"),
}
LONGEST = 315_576_000_000 * 1_000_000
"""Ten thousand years, the longest duration of CEL."""
NO_ZONE = "Factory"
"""What the tz database calls the zone of a machine that nobody has set up."""


def timestamp_constant(text: str, start: int, end: int) -> int:
    """The microseconds since 1970 of an instant in RFC 3339. Raises Problem (MS330) for anything else."""
    match = re.fullmatch(INSTANT, text)
    if match is None:
        reason, hint = "RFC 3339 is a date, `T`, a time, and `Z` or an offset", "write it like `2026-01-31T00:00:00Z`"
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            exists = _is_date(text)
            reason = "it has no time of day" if exists else "there is no such date"
            hint = f"write `{text}T00:00:00Z`" if exists else "write it like `2026-01-31T00:00:00Z`"
        elif re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?", text):
            reason, hint = "it has no zone", f"write `{text}Z` for UTC"
        raise Problem(BAD_TIMESTAMP, start, end, hint, text=short(text), reason=reason)
    date, time, fraction, offset = match.groups()
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6:
        hint = f"write at most 6 decimals: `{date}T{time}.{digits[:6]}{offset}`"
        raise Problem(BAD_TIMESTAMP, start, end, hint, text=short(text), reason="it is finer than a microsecond")
    try:
        instant = datetime.fromisoformat(f"{date}T{time}.{digits:0<6}{offset.upper().replace('Z', '+00:00')}")
    except ValueError:
        raise Problem(BAD_TIMESTAMP, start, end, text=short(text), reason="there is no such date or time") from None
    microseconds = (instant - EPOCH) // MICROSECOND
    if not in_years(microseconds):
        raise Problem(
            BAD_TIMESTAMP, start, end, text=short(text), reason="in UTC it lies outside the years 0001 to 9999"
        )
    return microseconds


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def in_years(microseconds: int) -> bool:
    """Whether an instant lies in the years 0001 to 9999."""
    return -62_135_596_800_000_000 <= microseconds < 253_402_300_800_000_000


def timestamp_text(microseconds: int) -> str:
    """An instant as timestamp_constant reads it."""
    instant = EPOCH + microseconds * MICROSECOND
    return instant.isoformat().removesuffix("+00:00") + "Z"


def duration_constant(text: str, start: int, end: int) -> int:
    """The microseconds of a length of time such as `1h30m`. Raises Problem (MS331) for anything else."""
    if text in ("0", "+0", "-0"):
        return 0
    if len(text) > 100 or not re.fullmatch(LENGTH, text):
        hint = "write it like `90s`, `15m` or `1h30m`"
        days = re.fullmatch(r"([0-9]{1,6})\s*d(?:ays?)?", text)
        if days:
            hint = f"write `{int(days[1]) * 24}h`"
        elif re.fullmatch(r"[0-9]{1,12}", text):
            hint = f"write `{text}s` for seconds"
        raise Problem(BAD_DURATION, start, end, hint, text=short(text), reason="it takes numbers with h, m, s, ms, us")
    total = sum((Decimal(number) * MICROSECONDS[unit] for number, unit in re.findall(PIECE, text)), Decimal(0))
    if total != int(total):
        raise Problem(BAD_DURATION, start, end, text=short(text), reason="it is finer than a microsecond")
    if total > LONGEST:
        raise Problem(BAD_DURATION, start, end, text=short(text), reason="it is longer than 10,000 years")
    return -int(total) if text[0] == "-" else int(total)


def duration_text(microseconds: int) -> str:
    """A length of time as duration_constant reads it, in seconds."""
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    decimals = f".{rest:06}".rstrip("0") if rest else ""
    return f"{'-' if microseconds < 0 else ''}{seconds}{decimals}s"


@cache
def zone_names() -> frozenset[str]:
    """The zones of the tz database that comes with the package; that of the system may be of another year."""
    from importlib.resources import files  # noqa: PLC0415 - 30 ms, only where a zone is named

    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {NO_ZONE}


def zone_constant(text: str, start: int, end: int) -> str | None:
    """A zone as backends get it: an IANA name or an offset with its sign; None for UTC. Raises Problem (MS332)."""
    if re.fullmatch(OFFSET, text):
        signed = text if text[0] in "+-" else f"+{text}"
        return None if signed[1:] == "00:00" else signed
    if text in ("UTC", "Etc/UTC", "Z"):
        return None
    if text in zone_names():
        return text
    raise Problem(BAD_ZONE, start, end, zone_hint(text), text=short(text))


def zone_hint(text: str) -> str:
    if re.fullmatch(r"[-+]?[0-9]{1,2}(?::?[0-9]{2})?", text):
        return "write an offset like `-05:00`, at most 14 hours"
    zones = sorted(zone_names()) if len(text) <= 100 else []
    town = text.rpartition("/")[2].replace(" ", "_").lower()
    near = [name for name in zones if name.rpartition("/")[2].lower() == town and "/" in name]
    hint = f"did you mean `{near[0]}`?" if near else did_you_mean(text, zones) if "/" in text else None
    return hint or "write an IANA name like `Europe/Berlin`, or an offset like `-05:00`"


def int_constant(text: str, start: int, end: int) -> int:
    """The whole number a text holds. Raises Problem (MS333) for anything else."""
    if re.fullmatch(r"[-+]?[0-9]{1,30}", text) and MIN_INT <= int(text) <= MAX_INT:
        return int(text)
    raise Problem(
        BAD_NUMBER,
        start,
        end,
        "write the number itself, without quotes",
        text=short(text),
        what="a whole number of 64 bits",
    )


def decimal_constant(text: str, start: int, end: int) -> Decimal:
    """The decimal number a text holds. Raises Problem (MS333) for anything else."""
    if len(text) <= 100 and re.fullmatch(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?", text):
        value = Decimal(text)
        if fits_decimal(value):
            return value if value else Decimal(0)
    raise Problem(
        BAD_NUMBER,
        start,
        end,
        "write the number itself, without quotes",
        text=short(text),
        what="a decimal number of at most 38 digits",
    )
