"""Fills the shape from a parsed document: every key known, every value of its type, nothing converted."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from meterspec.diagnostics import Diagnostics, Edit, Rule, corrections, did_you_mean
from meterspec.source import Path, Place, Source
from meterspec.spec.shape import Document, Length, Matching, Meter, Range, ShortMeter

__all__ = ["read_document", "read_table"]

UNKNOWN_KEY = Rule(
    code="MS120",
    slug="unknown-key",
    title="A key the language does not know",
    message="{table} has no key `{key}`",
    why="A misspelt key that was ignored would change what is billed without a word, so every key has to be known.",
    bad="""
        [[families]]
        name = "api.call"
        descripton = "One call."
    """,
    good="""
        [[families]]
        name = "api.call"
        description = "One call."
    """,
)
MISSING_KEY = Rule(
    code="MS121",
    slug="missing-key",
    title="A key that has to be there is missing",
    message="{table} has no `{key}`",
    why="Without it the rest of the table has no meaning, and a default would be a guess.",
    bad="""
        [[families]]
        description = "One call."
    """,
    good="""
        [[families]]
        name = "api.call"
        description = "One call."
    """,
)
WRONG_TYPE = Rule(
    code="MS122",
    slug="wrong-type",
    title="A value of another type than its key takes",
    message="`{key}` takes {wanted}, not {found}",
    why="Values are taken exactly as written: a text that looks like a number is a text.",
    bad="""
        [[families]]
        name = "api.call"
        max_events = "1000"
    """,
    good="""
        [[families]]
        name = "api.call"
        max_events = 1000
    """,
)
NOT_A_CHOICE = Rule(
    code="MS123",
    slug="not-a-choice",
    title="A value outside the few that its key takes",
    message="`{key}` cannot be `{value}`",
    why="The key chooses between a few meanings; any other word has none.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = "int" }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "integer" }
    """,
)
OUT_OF_RANGE = Rule(
    code="MS124",
    slug="out-of-range",
    title="A number outside the range of its key",
    message="`{key}` is {value}; it goes from {low} to {high}",
    why="The range is what every target can keep exactly.",
    bad="""
        [[families]]
        name = "api.call"
        max_events = 0
    """,
    good="""
        [[families]]
        name = "api.call"
        max_events = 1000
    """,
)
BAD_NAME = Rule(
    code="MS125",
    slug="bad-name",
    title="A name that names cannot have",
    message="`{value}` cannot be a name here: {wanted}",
    why="Names become SQL names, file names and keys in other systems, so they keep to what all of these take.",
    bad="""
        [[families]]
        name = "API call"
    """,
    good="""
        [[families]]
        name = "api.call"
    """,
)
TOO_SHORT = Rule(
    code="MS126",
    slug="empty-value",
    title="An empty text or list where something has to stand",
    message="`{key}` is empty",
    why="An empty value says nothing; where nothing is meant, leave the key out.",
    bad="""
        [[families]]
        name = "api.call"
        schema.status = { type = "string", values = [] }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.status = { type = "string", values = ["ok", "failed"] }
    """,
)


class _Wrong(Exception):  # noqa: N818 - never leaves this module: it carries "nothing was read" past the callers
    """What stands here was reported; there is no value."""


class _Context:
    """Where the document is from and where findings go."""

    __slots__ = ("astray", "out", "source")

    def __init__(self, source: Source, out: Diagnostics, astray: Set[str] = frozenset()) -> None:
        self.source = source
        self.out = out
        self.astray = astray
        """Keys of the document that it does not have: a table further down that lacks one of them is not blamed too."""

    def report(
        self, rule: Rule, path: Path, *, hint: str | None = None, edits: tuple[Edit, ...] = (), **facts: Any
    ) -> None:
        self.out.report(rule, at=Place(self.source, path), hint=hint, related=(), edits=edits, **facts)


_Reader = Callable[[object, Path, _Context], object]
_Shape = TypeVar("_Shape")


def read_document(source: Source, values: dict[str, object], out: Diagnostics) -> Document | None:
    """The shape of one file, or None where something was reported (MS120 to MS126)."""
    return read_table(Document, source, values, out)


def read_table(shape: type[_Shape], source: Source, values: dict[str, object], out: Diagnostics) -> _Shape | None:
    """A file of another shape: one of the dataclasses whose fields say what may be written. Reports MS120 to MS126."""
    try:
        table = _table(shape)
        astray = values.keys() - table.readers.keys()
        return cast(_Shape, table.read(values, (), _Context(source, out, astray)))
    except _Wrong:
        return None


@cache
def _reader(kind: object) -> _Reader:
    """The reader of one type of the shape."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _CONSTRAINED[type(args[1])](_reader(args[0]), args[1])
    if origin is Literal:
        return partial(_choice, args)
    if origin is list:
        return partial(_list, _reader(args[0]))
    if origin is dict:
        return partial(_dict, args[0], _reader(args[1]))
    if origin in {Union, UnionType}:
        return _union(tuple(a for a in args if a is not NoneType))
    if is_dataclass(kind):
        return _Table(cast(type, kind)).read
    return partial(_scalar, cast(type, kind))


class _Table:
    """Reads one table into one dataclass."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        hints = get_type_hints(cls, include_extras=True)
        self.readers = {f.name: _reader(hints[f.name]) for f in fields(cls)}
        self.required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]

    def read(self, value: object, path: Path, context: _Context) -> object:
        if not isinstance(value, dict):
            _wrong_type("a table", value, path, context)
        read: dict[str, object] = {}
        failed = False
        missing = [key for key in self.required if key not in value]
        for key, item in value.items():
            reader = self.readers.get(key)
            if reader is None:
                meant = self.unknown(key, item, missing, path, context)
                missing = [name for name in missing if name != meant]
                failed = True
                continue
            try:
                read[key] = reader(item, (*path, key), context)
            except _Wrong:
                failed = True
        for key in missing:
            failed = True
            if key not in context.astray:
                hint = _what_to_add(key, self.readers[key])
                context.report(MISSING_KEY, path, table=_table_words(path, value), key=key, hint=hint)
        if failed:
            raise _Wrong
        return self.cls(**read)

    def unknown(self, key: str, value: object, missing: list[str], path: Path, context: _Context) -> str | None:
        """Reports a key that the table does not have; gives the key of the table that was meant, where that is known.

        So a key that has to be there, and stands there under another name, is not missed as well.
        """
        at = Place(context.source, (*path, key)).key()
        meant, hint = self.instead_of(key, value, missing, path)
        if "cent" in key.rpartition("_")[2] and meant is not None:
            hint = f"did you mean `{meant}`? Amounts are in major units: 45 cents are 0.45"
        near = did_you_mean(key, self.readers)
        edits = corrections(at, key, self.readers) if near and near == hint else ()
        context.out.report(
            UNKNOWN_KEY,
            at=at,
            hint=hint or f"the keys here are {_names(self.readers)}",
            edits=edits,
            table=_table_words(path, None),
            key=key,
        )
        return meant

    def instead_of(self, key: str, value: object, missing: list[str], path: Path) -> tuple[str | None, str | None]:
        """The key of the table that an unknown one stands for, and what to write."""
        from meterspec.spec import habits  # noqa: PLC0415 - only once something is wrong

        note = habits.NOTES.get(self.cls, {}).get(key)
        if note is not None:
            return None, note
        familiar = habits.KEYS.get(self.cls, {}).get(key.lower())
        if familiar is not None:
            return familiar, f"did you mean `{familiar}`?"
        if path and key in _table(Document).readers and isinstance(value, list):
            return None, f"write `[[{key}]]`"
        for home, header in habits.HOMES.items():
            table = _table(home)
            if home is self.cls or key not in table.readers or not _takes(table.readers[key], value):
                continue
            if self.cls is ShortMeter:
                inside = "" if home is Meter else f", with `{key}` under `{header}`"
                return None, f"only the long form has it: write the meter under `[[meters]]`{inside}"
            parent = header.strip("[]").split(".")[-1]
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return parent, f"write `[[{header.strip('[]')}.{key}]]`"
            if isinstance(value, dict) and header.startswith("["):
                below = [key, *list(value)[: key == "schema"]]
                return parent, f"write `[{'.'.join([header.strip('[]'), *below])}]`"
            return parent, f"it belongs {'under' if header.startswith('[') else 'in'} `{header}`"
        near = did_you_mean(key, self.readers)
        if near is not None:
            return near.split("`")[1], near
        for name, reader in self.readers.items():
            if isinstance(reader, partial) and reader.func is _dict and _takes(reader.args[1], value):
                return name, f"did you mean `{name}.{key}`?"
        fitting = [name for name in missing if _takes(self.readers[name], value)]
        return (fitting[0], f"did you mean `{fitting[0]}`?") if fitting else (None, None)


def _table(cls: type) -> _Table:
    return cast(_Table, cast(Any, _reader(cls)).__self__)


def _takes(reader: _Reader, value: object) -> bool:
    """Whether a value has the type that a reader wants, be it wrong otherwise."""
    out, tried = Diagnostics(), ("tried",)
    try:
        reader(value, tried, _Context(Source("", ""), out))
    except _Wrong:
        return not any(d.rule is WRONG_TYPE and d.at is not None and d.at.path == tried for d in out)
    return True


def _what_to_add(key: str, reader: _Reader) -> str:
    """How a missing key is written."""
    from meterspec.spec import habits  # noqa: PLC0415

    if isinstance(reader, partial) and reader.func is _choice:
        first, *others = reader.args[0]
        return f'add `{key} = "{first}"`; it can also be {_either(tuple(others))}'
    return f"add `{habits.EXAMPLES.get(key, f'{key} = ...')}`"


def _ranged(inner: _Reader, limit: Range) -> _Reader:
    def read(value: object, path: Path, context: _Context) -> object:
        number = inner(value, path, context)
        assert isinstance(number, int)
        if not limit.low <= number <= limit.high:
            hint = f"write {limit.low} or more" if number < limit.low else f"write {limit.high} or less"
            context.report(OUT_OF_RANGE, path, hint=hint, key=_key(path), value=number, low=limit.low, high=limit.high)
            raise _Wrong
        return number

    return read


def _long_enough(inner: _Reader, limit: Length) -> _Reader:
    def read(value: object, path: Path, context: _Context) -> object:
        whole = inner(value, path, context)
        assert isinstance(whole, str | list)
        if len(whole) < limit.least:
            context.report(TOO_SHORT, path, key=_key(path), hint=f"fill it in, or leave `{_key(path)}` out")
            raise _Wrong
        return whole

    return read


def _matching(inner: _Reader, limit: Matching) -> _Reader:
    fits = re.compile(limit.pattern).fullmatch

    def read(value: object, path: Path, context: _Context) -> object:
        name = inner(value, path, context)
        assert isinstance(name, str)
        if not name:
            context.report(TOO_SHORT, path, key=_key(path))
            raise _Wrong
        if len(name) > limit.longest or not fits(name):
            _bad_name(name, limit, Place(context.source, path), context)
            raise _Wrong
        return name

    return read


def _bad_name(name: str, limit: Matching, at: Place, context: _Context) -> None:
    from meterspec.spec import habits  # noqa: PLC0415

    wanted = limit.words if len(name) <= limit.longest else f"at most {limit.longest} characters"
    shown = name if len(name) <= 40 else name[:40] + "..."
    repaired = habits.repaired_name(name, limit.pattern) if len(name) <= limit.longest else None
    context.out.report(BAD_NAME, at=at, hint=f"write `{repaired}`" if repaired else None, value=shown, wanted=wanted)


_CONSTRAINED: dict[type, Callable[[_Reader, Any], _Reader]] = {
    Range: _ranged,
    Length: _long_enough,
    Matching: _matching,
}


def _choice(choices: tuple[object, ...], value: object, path: Path, context: _Context) -> object:
    if isinstance(value, type(choices[0])) and value in choices and isinstance(value, bool) is False:
        return value
    if type(value) is int and type(choices[0]) is int:
        context.report(NOT_A_CHOICE, path, key=_key(path), value=value, hint=f"write {_either(choices)}")
        raise _Wrong
    if not isinstance(value, str) or not isinstance(choices[0], str):
        _wrong_type(_either(choices), value, path, context)
    from meterspec.spec import habits  # noqa: PLC0415

    words = [choice for choice in choices if isinstance(choice, str)]
    familiar = habits.CHOICES.get(_key(path), {}).get(value.lower())
    hint = habits.CHOICE_NOTES.get((_key(path), value)) or (f'write "{familiar}"' if familiar in words else None)
    edits: tuple[Edit, ...] = ()
    if hint is None and (near := did_you_mean(value, words)):
        hint = near.replace("`", '"')
        edits = corrections(Place(context.source, path), value, words, quoted=True)
    context.report(
        NOT_A_CHOICE, path, key=_key(path), value=value, hint=hint or f"write {_either(choices)}", edits=edits
    )
    raise _Wrong


def _list(inner: _Reader, value: object, path: Path, context: _Context) -> object:
    if not isinstance(value, list):
        _wrong_type("an array", value, path, context)
    read: list[object] = []
    failed = False
    for number, item in enumerate(value):
        try:
            read.append(inner(item, (*path, number), context))
        except _Wrong:
            failed = True
            last = context.out.found[-1:]
            if any(d.rule is WRONG_TYPE and d.at is not None and d.at.path == (*path, number) for d in last):
                break  # those after it are of the same type
    if failed:
        raise _Wrong
    return read


def _dict(key_type: object, inner: _Reader, value: object, path: Path, context: _Context) -> object:
    if not isinstance(value, dict):
        _wrong_type("a table", value, path, context)
    if path == ("meter",) and not all(isinstance(item, dict | list) for item in value.values()):
        hint = "write `[meter.NAME]` for the short form, or `[[meters]]` for the long one"
        context.report(
            WRONG_TYPE, path, key="meter", wanted="a table for each meter", found="the keys of one", hint=hint
        )
        raise _Wrong
    limit = get_args(key_type)[1] if get_origin(key_type) is Annotated else None
    read: dict[str, object] = {}
    failed = False
    for key, item in value.items():
        if isinstance(limit, Matching) and not (len(key) <= limit.longest and re.fullmatch(limit.pattern, key)):
            _bad_name(key, limit, Place(context.source, (*path, key)).key(), context)
            failed = True
            continue
        try:
            read[key] = inner(item, (*path, key), context)
        except _Wrong:
            failed = True
    if failed:
        raise _Wrong
    return read


def _union(kinds: tuple[object, ...]) -> _Reader:
    """A union of the shape: each member takes values that no other takes, so the value's own type chooses."""
    if len(kinds) == 1:
        return _reader(kinds[0])
    tables = [kind for kind in kinds if is_dataclass(kind)]
    plain = [kind for kind in kinds if kind not in tables]
    literals = [kind for kind in plain if get_origin(kind) is Literal]
    others = [kind for kind in plain if kind not in literals]
    scalars = tuple(_bare(kind) for kind in others)

    def read(value: object, path: Path, context: _Context) -> object:
        if isinstance(value, dict) and tables:
            return _reader(cast(type, tables[0]))(value, path, context)
        if isinstance(value, str) and literals and str not in scalars:
            if re.fullmatch("[0-9_.]+", value):
                _wrong_type(_WORDS[scalars[0]], value, path, context)
            return _reader(literals[0])(value, path, context)
        for kind, bare in zip(others, scalars, strict=True):
            if _fits(value, bare):
                return _reader(kind)(value, path, context)
        words = [_WORDS[kind] for kind in scalars] + [_either(get_args(kind)) for kind in literals]
        if {str, int, bool, Decimal} <= set(scalars):
            words = ["a single value"]
        _wrong_type(" or ".join(words + ["a table"] * bool(tables)), value, path, context)

    return read


def _scalar(kind: type, value: object, path: Path, context: _Context) -> object:
    if not _fits(value, kind):
        _wrong_type(_WORDS[kind], value, path, context)
    if isinstance(value, datetime) and value.tzinfo is not None and not _FIRST <= value <= _LAST:
        hint, written = "write it with the offset `Z`", value.isoformat()
        context.report(OUT_OF_RANGE, path, hint=hint, key=_key(path), value=written, low=_FIRST_WORDS, high=_LAST_WORDS)
        raise _Wrong
    return Decimal(cast(int, value)) if kind is Decimal else value


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_FIRST_WORDS, _LAST_WORDS = "year 1", "year 9999, in UTC"


def _bare(kind: object) -> type:
    """The Python type under the annotations."""
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else cast(type, kind)


def _fits(value: object, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is Decimal:
        return isinstance(value, int | Decimal)
    if kind is date:
        return type(value) is date
    return isinstance(value, kind)


_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    Decimal: "a number",
    bool: "true or false",
    datetime: "a date with a time",
    date: "a date",
    dict: "a table",
    list: "an array",
}


def _wrong_type(wanted: str, value: object, path: Path, context: _Context) -> NoReturn:
    found = _WORDS.get(type(value), "a time")
    if wanted == "a whole number" and isinstance(value, Decimal):
        found = "a decimal"
    hint = _right_type(wanted, value, Place(context.source, path), path)
    context.report(WRONG_TYPE, path, key=_key(path), wanted=wanted, found=found, hint=hint)
    raise _Wrong


def _right_type(wanted: str, value: object, at: Place, path: Path) -> str | None:
    """What to write instead of a value of another type."""
    key, written = _key(path), at.span().text
    header = written.strip("[] \t") if written.startswith("[") and isinstance(path[-1], str) else None
    match wanted, value:
        case _, int() | Decimal() if key == "window":
            return f'write `"{value}s"` for a length in seconds'
        case "a whole number", Decimal() if value == value.to_integral_value():
            return f"write `{value:.0f}`"
        case "a whole number" | "a number" | "true or false" | "1", str():
            return "write it without quotes"
        case "a text", int() | Decimal() if key == "values":
            return "a closed set holds texts; the numbers that a field takes have a `min` and a `max`"
        case "a text", [str() as text]:
            return f'write `"{text}"`, without brackets'
        case "a text", int() | Decimal() | date():
            return f'write it in quotes: `"{written}"`'
        case "a single value", list() if len(path) > 1 and path[-2] == "match":
            return "write a rate for each value"
        case "an array", dict():
            return f"write `[[{header}]]`" if header and "{" not in written else f"write it in brackets: `[{written}]`"
        case "an array", str() | int() | Decimal():
            return f"write it in brackets: `[{written}]`"
        case "a table", list() if key in {"schema", "meter"}:
            what = {"schema": "families.schema", "meter": "meter"}[key]
            return f"write a table for each: `[{what}.NAME]`"
        case "a table", list() if header and written.startswith("[["):
            return f"write `[{header}]`"
        case "a table", str() if key == "aggregate":
            return f"write `{{ fn = {written} }}`"
        case "a table", str() if key == "source":
            return f'write `{{ kind = "family", family = {written} }}`'
        case "a table", str() if len(path) > 1 and path[-2] == "schema":
            return f"write `{{ type = {written} }}`"
        case _:
            return None


def _key(path: Path) -> str:
    """The name of the entry at a path: the last key of it."""
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "the document")


_TABLES = {
    "families": "a family",
    "meters": "a meter",
    "meter": "a meter",
    "tiers": "a tier",
    "rates": "a rate",
    "tests": "a test",
    "schema": "a field",
}


def _table_words(path: Path, value: object) -> str:
    """What people call the table at a path."""
    if not path:
        return "the document"
    if isinstance(path[-1], int):
        words = _TABLES.get(str(path[-2]), f"`{path[-2]}`")
    elif len(path) > 1 and path[-2] in {"meter", "schema"}:
        words = f"{_TABLES[str(path[-2])].removeprefix('a ')} `{path[-1]}`"
    else:
        words = f"`{path[-1]}`"
    name = value.get("name") if isinstance(value, dict) else None
    return f"{words.removeprefix('a ')} `{name}`" if isinstance(name, str) else words


def _either(choices: tuple[object, ...]) -> str:
    words = [f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _names(keys: dict[str, _Reader]) -> str:
    return ", ".join(f"`{key}`" for key in keys)
