"""Windows: the stretch of time that one quantity covers, from the few ways to write one."""

from __future__ import annotations

import re

from meterspec.cel.constants import zone_names
from meterspec.diagnostics import Diagnostics, Rule, corrections, did_you_mean
from meterspec.ir import (
    BillingCycle,
    CalendarUnit,
    CalendarWindow,
    Lifetime,
    Rolling,
    Tumbling,
    Window,
)
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["DEFAULT", "window"]

BAD_WINDOW = Rule(
    code="MS230",
    slug="bad-window",
    title="A text that names no window",
    message="`{text}` is not a window",
    why="A window is the customer's cycle, a calendar unit or a fixed length; anything else would be a guess.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "monthly" }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "month" }
    """,
)
WINDOW_KEY = Rule(
    code="MS231",
    slug="window-key",
    title="A key that this kind of window lacks, or needs",
    message="a {kind} window {fault}",
    why="Each kind of window is said in its own keys; one that has no effect would mislead the reader.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "tumbling", unit = "month" } }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "calendar", unit = "month" } }
    """,
)
BAD_DURATION = Rule(
    code="MS232",
    slug="bad-window-length",
    title="A text that is no duration",
    message="`{text}` is not a duration{reason}",
    why="Seconds to weeks have a fixed length; months and years go by the calendar.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "rolling", duration = "30" } }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "rolling", duration = "30d" } }
    """,
)
UNKNOWN_ZONE = Rule(
    code="MS233",
    slug="unknown-time-zone",
    title="A time zone that does not exist",
    message="there is no time zone `{zone}`",
    why="Local days and months begin where the zone's rules say; an unknown zone has none.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "calendar", unit = "month", timezone = "Europe/Berlim" } }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = { kind = "calendar", unit = "month", timezone = "Europe/Berlin" } }
    """,
)

DEFAULT = CalendarWindow(CalendarUnit.MONTH)

_CALENDAR = {unit.value: unit for unit in CalendarUnit}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIT_WORDS = {
    **_SECONDS,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_UNITS = {
    **{word: word[0] for word in _UNIT_WORDS},
    **{word: word for word in _MONTHS},
    "sec": "s",
    "min": "m",
    "hr": "h",
}
"""What people call a unit, and what it is called here."""
_COUNT = "([1-9][0-9]{0,8})"  # texts, compiled where one is met: few specs need them
_PART = f"{_COUNT} ?([a-z]+)"
_PARTS = f"{_PART}(?: ?{_PART})*"
_ISO = "p(?:Ny)?(?:Nm)?(?:Nw)?(?:Nd)?(?:t(?:Nh)?(?:Nm)?(?:Ns)?)?".replace("N", _COUNT)
_ISO_UNITS = ("year", "month", "w", "d", "h", "m", "s")
_LONGEST = 200 * 366 * 86_400
"""Two hundred years in seconds: longer is a slip, and keeps instants within what every engine can hold."""

_KEYS = {
    "billing_cycle": set[str](),
    "calendar": {"unit", "timezone"},
    "tumbling": {"duration_seconds", "duration"},
    "rolling": {"duration_seconds", "duration", "every", "timezone"},
    "lifetime": set[str](),
}


def window(written: str | shape.WindowTable | None, at: Place, out: Diagnostics) -> Window | None:
    """The meaning of a `window`; None where one of MS230 to MS232 was reported."""
    if written is None:
        return DEFAULT
    if isinstance(written, str):
        return _word(written, at, out)
    return _table(written, at, out)


def _word(text: str, at: Place, out: Diagnostics) -> Window | None:
    if text == "billing_cycle":
        return BillingCycle()
    if text in _CALENDAR:
        return CalendarWindow(_CALENDAR[text])
    fixed = re.fullmatch(r"([1-9][0-9]*)([smhdw])", text, re.ASCII)
    if fixed:
        return Tumbling(_bounded(int(fixed[1]) * _SECONDS[fixed[2]], text, at, out))
    edits = corrections(at, text, ["billing_cycle", *CalendarUnit], quoted=True)
    out.report(BAD_WINDOW, at=at, hint=_instead_of(text), edits=edits, text=text)
    return None


def _instead_of(text: str) -> str:
    """What to write instead of a text that names no window."""
    word = text.lower().strip()
    if word in {"lifetime", "forever", "all_time", "all-time", "all time", "total", "none"}:
        return 'write `window = { kind = "lifetime" }`'
    if word.startswith(("rolling", "trailing", "last ", "sliding")):
        return 'write `window = { kind = "rolling", duration = "30d" }`'
    if word in {"calendar", "tumbling"}:
        example = 'unit = "month"' if word == "calendar" else 'duration = "1d"'
        return f'write `window = {{ kind = "{word}", {example} }}`'
    length, unit = _meant(word)
    if unit in _MONTHS:
        calendar = f'write "{unit}" for the calendar {unit}; ' if length == f"1 {unit}" else ""
        return f'{calendar}a trailing stretch is `{{ kind = "rolling", duration = "{length}" }}`'
    if length:
        return f'write "{length}"'
    near = did_you_mean(text, ["billing_cycle", *CalendarUnit])
    if near is not None and not re.search("[0-9]", text):
        return near.replace("`", '"')
    return 'write "billing_cycle", a calendar unit such as "month", or a length such as "15m"'


def _meant(text: str) -> tuple[str, str]:
    """The length that a text in lower case was meant to say, and its unit; both empty where it says none.

    Several parts become one number of their smallest unit: `1h30m` and `pt1h30m` are `90m`, `p30d` is `30d`.
    """
    iso = re.fullmatch(_ISO, text)
    parts = [(count, unit) for count, unit in zip(iso.groups(), _ISO_UNITS, strict=True) if count] if iso else []
    if not iso and re.fullmatch(_PARTS, text):
        parts = re.findall(_PART, text)
    units = [_UNITS.get(unit) or _UNITS.get(unit.removesuffix("s") if len(unit) > 2 else "", "") for _, unit in parts]
    for sizes in (_SECONDS, _MONTHS):
        if units and sizes.keys() >= set(units):
            smallest = min(units, key=sizes.__getitem__)
            total = sum(int(count) * sizes[unit] for (count, _), unit in zip(parts, units, strict=True))
            count = total // sizes[smallest]
            plural = "s" if count > 1 else ""
            return (f"{count}{smallest}" if sizes is _SECONDS else f"{count} {smallest}{plural}"), smallest
    return "", ""


def _table(written: shape.WindowTable, at: Place, out: Diagnostics) -> Window | None:
    kind = written.kind
    fits = True
    keys_in_order = ("unit", "timezone", "duration_seconds", "duration", "every")
    written_keys = {key for key in keys_in_order if getattr(written, key) is not None}
    for key in keys_in_order:
        if key in written_keys and key not in _KEYS[kind]:
            keys = " and ".join(f"`{k}`" for k in sorted(_KEYS[kind]))
            hint = f"its keys are {keys}" if keys else "it has no keys but `kind`"
            others = [other for other, fitting in _KEYS.items() if written_keys <= fitting]
            if others:
                hint = f'leave it out, or write `kind = "{others[0]}"`'
            out.report(WINDOW_KEY, at=(at / key).key(), hint=hint, kind=kind, fault=f"has no `{key}`")
            fits = False
    if not fits:
        return None
    match kind:
        case "billing_cycle":
            return BillingCycle()
        case "lifetime":
            return Lifetime()
        case "calendar":
            if written.unit is None:
                out.report(WINDOW_KEY, at=at, hint='add `unit = "month"`', kind=kind, fault="needs a `unit`")
                return None
            return CalendarWindow(CalendarUnit(written.unit), _zone(written.timezone, at / "timezone", out))
        case "tumbling":
            seconds, months = _length(written, at, out)
            if months is not None:
                hint = 'write { kind = "calendar", unit = "month" } for calendar months'
                reason = " of fixed length: months differ"
                out.report(BAD_DURATION, at=at / "duration", hint=hint, text=written.duration or "", reason=reason)
                return None
            return Tumbling(seconds) if seconds is not None else None
        case "rolling":
            seconds, months = _length(written, at, out)
            every = CalendarUnit(written.every) if written.every else None
            zone = _zone(written.timezone, at / "timezone", out)
            rolling = Rolling(seconds=seconds, months=months, every=every, timezone=zone)
            return rolling if seconds or months else None


def _length(written: shape.WindowTable, at: Place, out: Diagnostics) -> tuple[int | None, int | None]:
    """The length in seconds or in months; (None, None) where something was reported."""
    if written.duration is not None and written.duration_seconds is not None:
        fault = "has one length: `duration` or `duration_seconds`"
        out.report(WINDOW_KEY, at=(at / "duration").key(), hint="leave out one of them", kind=written.kind, fault=fault)
        return None, None
    if written.duration_seconds is not None:
        return _bounded(written.duration_seconds, str(written.duration_seconds), at / "duration_seconds", out), None
    if written.duration is None:
        out.report(WINDOW_KEY, at=at, hint='add `duration = "30d"`', kind=written.kind, fault="needs a length")
        return None, None
    text = written.duration
    parts = re.fullmatch(r"([1-9][0-9]*) ?([a-z]+)", text, re.ASCII)
    word = parts[2].removesuffix("s") if parts and len(parts[2]) > 1 else (parts[2] if parts else "")
    if parts and word in _MONTHS:
        months = int(parts[1]) * _MONTHS[word]
        if months <= 2400:
            return None, months
        out.report(BAD_DURATION, at=at / "duration", hint=_EVER, text=text, reason=_TOO_LONG)
    elif parts and word in _UNIT_WORDS:
        return _bounded(int(parts[1]) * _UNIT_WORDS[word], text, at / "duration", out), None
    else:
        meant, _ = _meant(text.lower().strip())
        forms = 'a number and a unit: "90s", "15m", "6h", "30d", "2w", "2 months", "1 year"'
        hint = f'write "{meant}"' if meant else f"write {forms}"
        out.report(BAD_DURATION, at=at / "duration", hint=hint, text=text, reason="")
    return None, None


_TOO_LONG, _EVER = ": it is longer than 200 years", 'a window that never ends is { kind = "lifetime" }'


def _bounded(seconds: int, text: str, at: Place, out: Diagnostics) -> int:
    if seconds > _LONGEST:
        out.report(BAD_DURATION, at=at, hint=_EVER, text=text, reason=_TOO_LONG)
        return 1
    return seconds


def _zone(name: str | None, at: Place, out: Diagnostics) -> str:
    if name is None or name == "UTC":
        return "UTC"
    known = zone_names()
    if name not in known:
        hint = did_you_mean(name, known) or 'write an IANA name such as "Europe/Berlin"'
        out.report(UNKNOWN_ZONE, at=at, hint=hint, edits=corrections(at, name, known, quoted=True), zone=name)
        return "UTC"
    return name
