"""Repairs: the edits that findings carry, applied to the text of a spec; comments and layout stay as they are.

An edit names a place and what is to stand there. `replacements` says which characters of the text that is, in the
escapes of the string they stand in; `fix` applies what fits together, checks the result, and goes on with what is found
then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import pairwise

import tomli

from meterspec.diagnostics import Diagnostic, Diagnostics, Edit, Severity
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.revision import Replacement, Revision
from meterspec.source import Part, Path, Source
from meterspec.spec.spans import Entry, Header, Piece, locate, members, statements

__all__ = ["Fixed", "fix", "replacements"]

_BOM = b"\xef\xbb\xbf"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ROUNDS = 10
_TRIALS = 40
"""How often a project is checked to tell the repairs that do harm from the others."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A project after its repairs."""

    files: Sequence[SpecFile]
    revisions: Mapping[str, Revision]
    """The texts that changed, by the names of their files; without a byte order mark."""
    found: Sequence[Diagnostic]
    """What is found now."""
    counts: Mapping[str, int]
    """How many findings were repaired, by the names of the files they were in."""


_Choice = Callable[[Iterable[Diagnostic]], Sequence[Diagnostic]]
_Finding = tuple[str, str, Path, str]
"""What stays of a finding when other parts of the text change: code, file, path and message."""


@dataclass(frozen=True, slots=True)
class _Fix:
    """All edits of one finding, as replacements in one file."""

    diagnostic: Diagnostic
    file: str
    replacements: tuple[Replacement, ...]

    @property
    def start(self) -> int:
        return self.replacements[0].start

    @property
    def end(self) -> int:
        return self.replacements[-1].end


def fix(files: Sequence[SpecFile], chosen: _Choice, *, as_of: date | None = None) -> Fixed:
    """Applies the edits of the findings that are chosen, until none is left that helps.

    `as_of` is the day that obligations are judged by, where it is not the one that the files state.

    The repair of an error may bring to light what the error hid. That of a warning or a hint is left out where an error
    would come of it, so a spec that compiles still does.
    """
    found_in = partial(_check, chosen=chosen, as_of=as_of)
    revisions: dict[str, Revision] = {}
    counts: Counter[str] = Counter()
    refused: set[_Finding] = set()
    found = found_in(files)
    for _ in range(_ROUNDS):
        fixes = [each for each in _compatible(files, found) if _finding(each.diagnostic) not in refused]
        before = {file.name: file for file in files}
        good = [each for each in fixes if each.diagnostic.rule.severity is Severity.ERROR]
        if good:
            files = _applied(files, good)
            found = found_in(files)
        else:
            good, files, found = _harmless(files, found, fixes, found_in)
            refused |= {_finding(each.diagnostic) for each in fixes} - {_finding(each.diagnostic) for each in good}
        if not good:
            break
        for name in dict.fromkeys(each.file for each in good):
            revisions.setdefault(name, Revision(_text(before[name]))).apply(_in_order(good, name))
        counts.update(each.file for each in good)
    return Fixed(files, revisions, found, counts)


def _check(files: Sequence[SpecFile], chosen: _Choice, as_of: date | None) -> Sequence[Diagnostic]:
    out = Diagnostics()
    load(files, out, as_of=as_of)
    return chosen(out)


def _finding(diagnostic: Diagnostic) -> _Finding:
    at = diagnostic.at
    return diagnostic.code, at.source.name if at else "", at.path if at else (), diagnostic.message


def _errors(found: Iterable[Diagnostic]) -> set[_Finding]:
    return {_finding(diagnostic) for diagnostic in found if diagnostic.rule.severity is Severity.ERROR}


def _harmless(
    files: Sequence[SpecFile],
    found: Sequence[Diagnostic],
    fixes: Sequence[_Fix],
    found_in: Callable[[Sequence[SpecFile]], Sequence[Diagnostic]],
) -> tuple[list[_Fix], Sequence[SpecFile], Sequence[Diagnostic]]:
    """The fixes that bring no error with them, and the project after them."""
    good: list[_Fix] = []
    after, found_then = files, found
    todo = [list(fixes)] if fixes else []
    for _ in range(_TRIALS):
        if not todo:
            break
        some = todo.pop(0)
        tried = _applied(files, good + some)
        found_there = found_in(tried)
        if _errors(found_there) <= _errors(found):
            good += some
            after, found_then = tried, found_there
        elif len(some) > 1:
            todo[:0] = [some[: len(some) // 2], some[len(some) // 2 :]]
    return good, after, found_then


def _compatible(files: Sequence[SpecFile], found: Iterable[Diagnostic]) -> list[_Fix]:
    """The fixes of findings that can be applied together, the inner one where one stands in another."""
    names = {file.name for file in files}
    offered = [each for each in found if each.edits and {edit.at.source.name for edit in each.edits} <= names]
    resolved = iter(replacements([edit for each in offered for edit in each.edits]))
    fixes = []
    for diagnostic in offered:
        parts = [next(resolved) for _ in diagnostic.edits]
        sources = {edit.at.source.name for edit in diagnostic.edits}
        if None not in parts and len(sources) == 1:
            made = sorted(replacement for part in parts if part for replacement in part)
            if made and all(one.end <= other.start for one, other in pairwise(made)):
                fixes.append(_Fix(diagnostic, sources.pop(), tuple(made)))
    compatible: list[_Fix] = []
    taken: dict[str, int] = {}
    for each in sorted(fixes, key=lambda each: (each.end, -each.start)):
        if each.start > taken.get(each.file, -1):
            compatible.append(each)
            taken[each.file] = each.end
    return compatible


def _applied(files: Sequence[SpecFile], fixes: Sequence[_Fix]) -> list[SpecFile]:
    changed = {each.file for each in fixes}
    return [_revised(file, _in_order(fixes, file.name)) if file.name in changed else file for file in files]


def _in_order(fixes: Iterable[_Fix], file: str) -> list[Replacement]:
    return sorted(replacement for each in fixes if each.file == file for replacement in each.replacements)


def _revised(file: SpecFile, made: Iterable[Replacement]) -> SpecFile:
    revision = Revision(_text(file))
    revision.apply(made)
    mark = _BOM if file.data.startswith(_BOM) else b""
    return replace(file, data=mark + revision.after.encode())


def _text(file: SpecFile) -> str:
    """The text of a file as its findings know it."""
    return file.data.decode("utf-8-sig")


# From edits to characters ---------------------------------------------------------------------------------------


def replacements(edits: Sequence[Edit]) -> list[tuple[Replacement, ...] | None]:
    """The characters that each edit replaces in the text of its source.

    None for an edit that cannot be made: what it is about is not written there, a key of the new name is there
    already or wanted twice, or the source is no spec.
    """
    renamed = Counter((edit.at.source.name, _renamed(edit)) for edit in edits if edit.at.part is Part.KEY)
    wanted: dict[Source, set[Path]] = {}
    for edit in edits:
        wanted.setdefault(edit.at.source, set()).update((edit.at.path, _renamed(edit)))
    outlines = {source: _Outline(source.text, paths) for source, paths in wanted.items()}
    return [
        None
        if edit.at.source.locate is not locate or renamed[edit.at.source.name, _renamed(edit)] > 1
        else _replacements(edit, outlines[edit.at.source])
        for edit in edits
    ]


def _renamed(edit: Edit) -> Path:
    """The path that a key has after its edit."""
    return (*edit.at.path[:-1], edit.text) if edit.at.part is Part.KEY and not edit.adds else edit.at.path


def _replacements(edit: Edit, outline: _Outline) -> tuple[Replacement, ...] | None:
    at, text = edit.at, outline.text
    if not at.path:
        return (Replacement(*at.inside, edit.text),) if at.inside else None
    if edit.adds:
        return outline.addition(at.path, edit.text)
    if at.part is Part.KEY:
        if outline.keys[_renamed(edit)] or not _BARE.fullmatch(edit.text):
            return None
        return tuple(Replacement(piece.start, piece.end, edit.text) for piece in outline.keys[at.path]) or None
    value = outline.values.get(at.path)
    if value is None:
        return None
    if at.inside is None:
        return (Replacement(value.start, value.end, edit.text),)
    if text[value.start] not in "\"'":
        return None
    span = at.span()
    end = span.start if at.inside[0] == at.inside[1] else span.end
    return (_in_string(text, value, at.inside, Replacement(span.start, end, edit.text)),)


def _in_string(text: str, value: Entry, inside: tuple[int, int], wanted: Replacement) -> Replacement:
    """Replaces characters of a string, in the escapes that it takes; writes the string anew where these characters
    cannot stand there, such as a `'` between single quotes."""
    written = text[value.start : value.end]
    old = _read(written)
    assert old is not None
    new = old[: inside[0]] + wanted.text + old[inside[1] :]
    put = wanted.text if written[0] == "'" else _escaped(wanted.text)
    before, after = text[value.start : wanted.start], text[wanted.end : value.end]
    if _read(before + put + after) == new:
        return wanted._replace(text=put)
    if written[:3] in {'"""', "'''"} and len(written) >= 6:
        lines = "\n".join(map(_escaped, new.split("\n")))
        return Replacement(value.start, value.end, f'"""\n{lines}"""')
    return Replacement(value.start, value.end, f'"{_escaped(new)}"')


def _read(written: str) -> str | None:
    """The text that a string of TOML stands for; None where it is no string."""
    try:
        value = tomli.loads(f"_ = {written}").get("_")
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _escaped(text: str) -> str:
    """A text as it stands between double quotes."""
    return "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08X}" for c in text)


class _Outline:
    """Where some paths are written in a text, and where their tables go on."""

    def __init__(self, text: str, wanted: Iterable[Path]) -> None:
        self.text = text
        self.keys: dict[Path, list[Piece]] = {path: [] for path in wanted}
        """All places that name a path."""
        self.values: dict[Path, Entry] = {}
        self._around = {path[:depth] for path in self.keys for depth in range(len(path))}
        self._last: dict[Path, tuple[Header | Entry, bool]] = {}
        """The last entry of a table, or its header; and whether the table is an inline one."""
        self._counts: dict[Path, int] = {}
        table: Path = ()
        for statement in statements(text, []):
            if isinstance(statement, Header):
                table = self._open(statement)
            else:
                self._enter(statement, table, inline=False)

    def addition(self, path: Path, value: str) -> tuple[Replacement, ...] | None:
        """Adds an entry to the table it belongs to, behind what is there; None where there is no such table."""
        last, inline = self._last.get(path[:-1], (None, False))
        if last is None or self.keys[path]:
            return None
        text, new = self.text, f"{path[-1]} = {value}"
        if isinstance(last, Entry):
            new = text[last.pieces[0].start : last.pieces[-1].start] + new
        if inline:
            return (Replacement(last.end, last.end, f", {new}"),)
        start = last.start if isinstance(last, Header) else last.pieces[0].start
        end = text.find("\n", last.end)
        at = len(text) if end < 0 else end - (text[end - 1] == "\r")
        indent = text[text.rfind("\n", 0, start) + 1 : start]
        return (Replacement(at, at, f"{text[at:end] if end >= 0 else ''}\n{indent}{new}"),)

    def _name(self, path: Path, piece: Piece) -> None:
        if path in self.keys:
            self.keys[path].append(piece)

    def _open(self, header: Header) -> Path:
        """The path of the table that a header begins."""
        path: Path = ()
        for piece in header.pieces[:-1]:
            path = (*path, piece.name)
            self._name(path, piece)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, header.pieces[-1].name)
        self._name(path, header.pieces[-1])
        if header.many:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
        if path in self._around:
            self._last[path] = header, False
        return path

    def _enter(self, entry: Entry, table: Path, *, inline: bool) -> None:
        path = table
        for piece in entry.pieces:
            table, path = path, (*path, piece.name)
            self._name(path, piece)
        if table in self._around:
            self._last[table] = entry, inline
        self._value(entry, path)

    def _value(self, entry: Entry, path: Path) -> None:
        if path in self.keys:
            self.values[path] = entry
        if path in self._around and self.text[entry.start] in "[{":
            for number, member in enumerate(members(self.text, entry.start)):
                if member.pieces:
                    self._enter(member, path, inline=True)
                else:
                    self._value(member, (*path, number))
