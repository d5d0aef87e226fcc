"""Fills the shape from a parsed document: every key known, every value of its type, nothing converted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, cast, get_args, get_origin, get_type_hints

from meterspec.diagnostics import Diagnostics, Edit, Rule, did_you_mean
from meterspec.source import Path, Place, Source
from meterspec.spec.shape import Document, Length, Matching, Range

__all__ = ["read_document"]

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

    __slots__ = ("out", "source")

    def __init__(self, source: Source, out: Diagnostics) -> None:
        self.source = source
        self.out = out

    def report(self, rule: Rule, path: Path, *, hint: str | None = None, **facts: str | int) -> None:
        self.out.report(rule, at=Place(self.source, path), hint=hint, related=(), edits=(), **facts)


_Reader = Callable[[object, Path, _Context], object]


def read_document(source: Source, values: dict[str, object], out: Diagnostics) -> Document | None:
    """The shape of one file, or None where something was reported (MS120 to MS126)."""
    try:
        return cast(Document, _reader(Document)(values, (), _Context(source, out)))
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
        for key, item in value.items():
            reader = self.readers.get(key)
            if reader is None:
                self.unknown(key, path, context)
                failed = True
                continue
            try:
                read[key] = reader(item, (*path, key), context)
            except _Wrong:
                failed = True
        for key in self.required:
            if key not in value:
                context.report(MISSING_KEY, path, table=_table_words(path, value), key=key, hint=f"add `{key} = ...`")
                failed = True
        if failed:
            raise _Wrong
        return self.cls(**read)

    def unknown(self, key: str, path: Path, context: _Context) -> None:
        at = Place(context.source, (*path, key)).key()
        hint = did_you_mean(key, self.readers)
        edits = [Edit(at, hint.split("`")[1])] if hint else []
        context.out.report(
            UNKNOWN_KEY,
            at=at,
            hint=hint or f"the keys here are {_names(self.readers)}",
            edits=edits,
            table=_table_words(path, None),
            key=key,
        )


def _ranged(inner: _Reader, limit: Range) -> _Reader:
    def read(value: object, path: Path, context: _Context) -> object:
        number = inner(value, path, context)
        assert isinstance(number, int)
        if not limit.low <= number <= limit.high:
            context.report(OUT_OF_RANGE, path, key=_key(path), value=number, low=limit.low, high=limit.high)
            raise _Wrong
        return number

    return read


def _long_enough(inner: _Reader, limit: Length) -> _Reader:
    def read(value: object, path: Path, context: _Context) -> object:
        whole = inner(value, path, context)
        assert isinstance(whole, str | list)
        if len(whole) < limit.least:
            context.report(TOO_SHORT, path, key=_key(path))
            raise _Wrong
        return whole

    return read


def _matching(inner: _Reader, limit: Matching) -> _Reader:
    fits = re.compile(limit.pattern).fullmatch

    def read(value: object, path: Path, context: _Context) -> object:
        name = inner(value, path, context)
        assert isinstance(name, str)
        if len(name) > limit.longest or not fits(name):
            wanted = limit.words if len(name) <= limit.longest else f"at most {limit.longest} characters"
            shown = name if len(name) <= 40 else name[:40] + "..."
            context.report(BAD_NAME, path, value=shown, wanted=wanted)
            raise _Wrong
        return name

    return read


_CONSTRAINED: dict[type, Callable[[_Reader, Any], _Reader]] = {
    Range: _ranged,
    Length: _long_enough,
    Matching: _matching,
}


def _choice(choices: tuple[object, ...], value: object, path: Path, context: _Context) -> object:
    if isinstance(value, type(choices[0])) and value in choices and isinstance(value, bool) is False:
        return value
    if not isinstance(value, str):
        _wrong_type(_either(choices), value, path, context)
    hint = did_you_mean(value, [c for c in choices if isinstance(c, str)]) or f"write {_either(choices)}"
    context.report(NOT_A_CHOICE, path, key=_key(path), value=value, hint=hint)
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
    if failed:
        raise _Wrong
    return read


def _dict(key_type: object, inner: _Reader, value: object, path: Path, context: _Context) -> object:
    if not isinstance(value, dict):
        _wrong_type("a table", value, path, context)
    limit = get_args(key_type)[1] if get_origin(key_type) is Annotated else None
    read: dict[str, object] = {}
    failed = False
    for key, item in value.items():
        if isinstance(limit, Matching) and not (len(key) <= limit.longest and re.fullmatch(limit.pattern, key)):
            at = Place(context.source, (*path, key)).key()
            context.out.report(BAD_NAME, at=at, value=key[:40], wanted=limit.words)
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
            return _reader(literals[0])(value, path, context)
        for kind, bare in zip(others, scalars, strict=True):
            if _fits(value, bare):
                return _reader(kind)(value, path, context)
        words = [_WORDS[kind] for kind in scalars] + [_either(get_args(kind)) for kind in literals]
        _wrong_type(" or ".join(words + ["a table"] * bool(tables)), value, path, context)

    return read


def _scalar(kind: type, value: object, path: Path, context: _Context) -> object:
    if not _fits(value, kind):
        _wrong_type(_WORDS[kind], value, path, context)
    return Decimal(cast(int, value)) if kind is Decimal else value


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
    hint = None
    if isinstance(value, str) and wanted in {"a whole number", "a number", "true or false"}:
        hint = "write it without quotes"
    elif wanted == "a text":
        hint = "write it in quotes"
    context.report(WRONG_TYPE, path, key=_key(path), wanted=wanted, found=found, hint=hint)
    raise _Wrong


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
    return " or ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices)


def _names(keys: dict[str, _Reader]) -> str:
    return ", ".join(f"`{key}`" for key in keys)
