"""Which findings stand, and how much each matters: levels that a project sets, and comments that allow one finding.

Errors are outside of all this. An error says that the spec has no meaning, or not the one it seems to have; only
warnings and hints can be set to another level, allowed where they stand, or left out of a run.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import chain

from meterspec.diagnostics import Diagnostic, Diagnostics, Edit, Rule, Severity, corrections, did_you_mean
from meterspec.source import Place, Source
from meterspec.spec.shape import Document, Level
from meterspec.spec.spans import Entry, Header, comments, statements

__all__ = ["DEFAULT", "STRICT", "Policy", "choose", "named", "nearest", "policy"]

UNKNOWN_RULE = Rule(
    code="MS130",
    slug="level-of-unknown-rule",
    title="A level for a rule that does not exist",
    message="no rule is called `{name}`",
    why="A misspelt code would leave the rule that was meant at the level it had, without a word.",
    bad="""
        [lint]
        MS999 = "off"
        [meter.tokens]
        kind = "counter"
    """,
    good="""
        [lint]
        MS223 = "off"
        [meter.tokens]
        kind = "counter"
    """,
)
LOWERED_ERROR = Rule(
    code="MS131",
    slug="level-of-an-error",
    title="A lower level for an error",
    message="`{name}` cannot be set to `{level}`: {what}",
    why="An error says that the spec has no meaning, or not the one it seems to have. Numbers that were computed all "
    "the same could not be trusted, so errors cannot be switched off. Warnings and hints take any level.",
    bad="""
        [lint]
        MS310 = "off"
        [meter.tokens]
        kind = "counter"
    """,
    good="""
        [lint]
        MS320 = "off"
        [meter.tokens]
        kind = "counter"
    """,
)
TWO_LEVELS = Rule(
    code="MS132",
    slug="two-levels",
    title="A rule that is set to two levels",
    message="`{name}` is set to `{level}` here, and to `{other}` in another place",
    why="The `[lint]` tables of all files of a project are one table, and nothing in it says which of the two counts.",
    bad="""
        [lint]
        MS223 = "off"
        undeclared-dimension = "error"
        [meter.tokens]
        kind = "counter"
    """,
    good="""
        [lint]
        MS223 = "error"
        [meter.tokens]
        kind = "counter"
    """,
)
NO_REASON = Rule(
    code="MS133",
    slug="allow-without-reason",
    title="A finding that is allowed without a reason",
    message="`{name}` is allowed without a reason",
    why="The comment is there for the next reader, who has to know whether the reason still holds.",
    bad="""
        [[families]]
        name = "api.call"

        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["region"] } # meterspec: allow MS223
    """,
    good="""
        [[families]]
        name = "api.call"

        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["region"] } # meterspec: allow MS223 the gateway adds it to every call
    """,
)
UNKNOWN_ALLOW = Rule(
    code="MS134",
    slug="allow-of-unknown-rule",
    title="A comment that allows what no rule reports",
    message="{what}",
    why="The comment does nothing. It names one rule, by its code or its name, and then gives the reason.",
    bad="""
        # meterspec: allow MS999 the gateway adds the region
        [[families]]
        name = "api.call"
    """,
    good="""
        # The gateway adds the region.
        [[families]]
        name = "api.call"
    """,
    severity=Severity.WARNING,
)
ALLOWED_ERROR = Rule(
    code="MS135",
    slug="allow-of-an-error",
    title="A comment that allows an error",
    message="`{name}` is an error and cannot be allowed",
    why="An error says that the spec has no meaning, or not the one it seems to have; no reason makes it right.",
    bad="""
        # meterspec: allow MS310 the field is new
        [[families]]
        name = "api.call"
    """,
    good="""
        # The field is new.
        [[families]]
        name = "api.call"
    """,
    severity=Severity.WARNING,
)
UNUSED_ALLOW = Rule(
    code="MS136",
    slug="unused-allow",
    title="A comment that allows what is not there",
    message="nothing is reported as `{name}` here",
    why="What it allowed is mended or has moved. Left alone, the comment would hide the next finding of its kind.",
    bad="""
        # meterspec: allow MS223 the gateway adds the region
        [[families]]
        name = "api.call"
    """,
    good="""
        # The gateway adds the region.
        [[families]]
        name = "api.call"
    """,
    severity=Severity.WARNING,
)

_EXAMPLES = "a code such as `MS223`, or a name such as `undeclared-dimension`"
DEFAULT, STRICT = "default", "strict"
"""How gaps in what is stated about obligations are taken: as warnings, or as errors."""
_OF_OBLIGATIONS = "MS5"
_OF_TARGETS = "MS6"
"""Rules that speak only once a target is compiled: what allows them cannot be called unused before that."""


class Policy:
    """What a project says about findings: levels by code, and comments that allow one."""

    def __init__(self, levels: Mapping[str, Level], allows: Iterable[_Allow]) -> None:
        self._levels = levels
        self._allows: dict[tuple[str, str], dict[int, list[_Allow]]] = {}
        """By code and file, then by line."""
        for allow in allows:
            by_line = self._allows.setdefault((allow.code, allow.at.source.name), {})
            by_line.setdefault(allow.line, []).append(allow)

    def judge(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings that stand, each at the level that the project gives it."""
        return self._levelled(diagnostic for diagnostic in found if not self._allowed(diagnostic))

    def unused(self) -> list[Diagnostic]:
        """A finding (MS136) for every comment that has allowed nothing yet of what was judged."""
        out = Diagnostics()
        for (code, _), by_line in self._allows.items():
            for allow in chain.from_iterable(by_line.values()):
                if not allow.used and not code.startswith(_OF_TARGETS):
                    edits = [Edit(allow.whole, "")]
                    out.report(UNUSED_ALLOW, at=allow.at, hint="remove the comment", edits=edits, name=allow.name)
        return self._levelled(out)

    def _allowed(self, diagnostic: Diagnostic) -> bool:
        at = diagnostic.at
        by_line = self._allows.get((diagnostic.code, at.source.name)) if at is not None else None
        if at is None or by_line is None:
            return False
        span = at.span()
        covering = by_line.get(span.begin.line)
        if covering is None:
            lines = next(iter(by_line.values()))[0].layout.lines_around(span.start)
            covering = [allow for line in lines for allow in by_line.get(line, ())]
        for allow in covering:
            allow.used = True
        return bool(covering)

    def _levelled(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        levelled = []
        for diagnostic in found:
            level = self._level(diagnostic.rule)
            if level is None:
                levelled.append(diagnostic)
            elif level != "off":
                levelled.append(replace(diagnostic, severity=Severity(level)))
        return levelled

    def _level(self, rule: Rule) -> Level | None:
        """What the longest beginning of a rule's code is set to; None where nothing is, and for an error."""
        if rule.severity is Severity.ERROR:
            return None
        beginnings = (rule.code[:length] for length in range(len(rule.code), 1, -1))
        return next((self._levels[code] for code in beginnings if code in self._levels), None)


def policy(
    settings: Sequence[tuple[Source, Document]], documents: Sequence[tuple[Source, Document]], out: Diagnostics
) -> Policy:
    """What the settings and the files of a project say about findings; reports MS130 to MS135.

    Settings are defaults: the files of the project win over them, and a longer beginning of a code over a shorter one.
    """
    levels = _levels(settings, out)
    levels.update(_levels(documents, out))
    return Policy(levels, [allow for source, _ in documents for allow in _allows(source, out)])


def choose(
    found: Iterable[Diagnostic],
    *,
    strict: bool = False,
    profile: str = DEFAULT,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
) -> list[Diagnostic]:
    """Narrows warnings and hints down to those that `select` names, without those that `ignore` names; with `strict`
    warnings become errors, with the profile `strict` those about obligations do. Errors stay, and so does a warning
    that is not firm."""
    chosen = []
    for diagnostic in found:
        if diagnostic.rule.severity is not Severity.ERROR and _is_among(diagnostic.rule, ignore):
            continue
        if diagnostic.severity is not Severity.ERROR and select and not _is_among(diagnostic.rule, select):
            continue
        obliged = profile == STRICT and diagnostic.code.startswith(_OF_OBLIGATIONS)
        raised = (strict or obliged) and diagnostic.severity is Severity.WARNING and diagnostic.firm
        chosen.append(replace(diagnostic, severity=Severity.ERROR) if raised else diagnostic)
    return chosen


# Names of rules -------------------------------------------------------------------------------------------------

_CODE = re.compile(r"MS[0-9]*", re.IGNORECASE)


@cache
def named(name: str) -> tuple[Rule, ...]:
    """The rules that a code, a beginning of codes such as `MS32`, or the name of a rule stands for."""
    from meterspec.catalogue import loaded, rules  # noqa: PLC0415 - only for a project that names rules

    # What checks a spec is in memory by now; the rest of the compiler is read only for a name that is not found there.
    found = tuple(rule for rule in loaded() if _is_among(rule, (name,)))
    if any(rule.severity is not Severity.ERROR for rule in found):
        return found
    return tuple(rule for rule in rules() if _is_among(rule, (name,)))


def nearest(name: str) -> str:
    """What to write instead of a name that no rule has."""
    from meterspec.catalogue import rules  # noqa: PLC0415

    known = [rule for rule in rules() if rule.severity is not Severity.ERROR]
    # Codes that look alike have nothing else in common, so only the case of one is put right.
    codes = [rule.code for rule in known if rule.code == name.upper()]
    slugs = [] if _CODE.fullmatch(name) else [rule.slug for rule in known]
    return did_you_mean(name, codes or slugs) or f"write {_EXAMPLES}; `meterspec explain` shows each"


def _is_among(rule: Rule, names: Collection[str]) -> bool:
    return any(name == rule.slug or (name.startswith("MS") and rule.code.startswith(name)) for name in names)


def _is_fixed(rules: Sequence[Rule]) -> bool:
    return all(rule.severity is Severity.ERROR for rule in rules)


# Levels ---------------------------------------------------------------------------------------------------------


def _levels(documents: Sequence[tuple[Source, Document]], out: Diagnostics) -> dict[str, Level]:
    """The levels that documents set together, by code or beginning of codes."""
    levels: dict[str, Level] = {}
    places: dict[str, Place] = {}
    for source, document in documents:
        for name, level in document.lint.items():
            at = Place(source, ("lint", name))
            rules = named(name)
            if not rules:
                hint = nearest(name)
                out.report(UNKNOWN_RULE, at=at.key(), hint=hint, edits=_correction(at.key(), name, hint), name=name)
                continue
            if level != "error" and _is_fixed(rules):
                what = "it is an error" if len(rules) == 1 else "all rules it stands for are errors"
                hint = f"an error cannot be switched off; mend what it reports, and remove `{name}` here"
                out.report(LOWERED_ERROR, at=at.key(), hint=hint, name=name, level=level, what=what)
                continue
            code = rules[0].code if name == rules[0].slug else name
            if levels.setdefault(code, level) != level:
                related = [(places[code], f"`{levels[code]}` here")]
                out.report(TWO_LEVELS, at=at, related=related, name=name, level=level, other=levels[code])
            places.setdefault(code, at)
    return levels


def _correction(at: Place, name: str, hint: str) -> tuple[Edit, ...]:
    """The repair of a misspelt name."""
    return corrections(at, name, [hint.split("`")[1]]) if hint.startswith("did you mean") else ()


# Comments -------------------------------------------------------------------------------------------------------

_MARK = "meterspec:"
_ALLOW = re.compile(r"#+[ \t]*meterspec:[ \t]*allow\b[ \t]*([^\s:,]*)[\s:,-]*(.*)", re.DOTALL)


@dataclass(slots=True)
class _Allow:
    """A comment that allows one rule, and what it speaks for."""

    name: str
    code: str
    at: Place
    whole: Place
    """The comment with the blanks before it; all of the line where nothing else stands on it."""
    line: int
    """The line it speaks for: its own, or the next with something else than a comment."""
    layout: _Layout
    used: bool = False


class _Layout:
    """What stands where in a document; read only once a finding is not on the very line that a comment speaks for."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def lines_around(self, offset: int) -> list[int]:
        """The lines at which a comment speaks for an offset: those where its entry begins and ends, and those of the
        headers of the tables it is in."""
        statements, tables = self._statements
        number = bisect_right(statements, offset, key=_start) - 1
        if number < 0:
            return []
        statement, table = statements[number], tables[number]
        lines = [self._line(_start(statement)), self._line(statement.end)]
        while table is not None:
            lines.append(self._line(statements[table].start))
            table = tables[table]
        return lines

    @cached_property
    def _statements(self) -> tuple[list[Header | Entry], list[int | None]]:
        """The statements in order, and for each the number of the header whose table it is in."""
        found: list[Header | Entry] = []
        tables: list[int | None] = []
        within: list[tuple[int, Header]] = []
        for number, statement in enumerate(statements(self._source.text, [])):
            if isinstance(statement, Header):
                while within and not _is_below(statement, within[-1][1]):
                    within.pop()
            found.append(statement)
            tables.append(within[-1][0] if within else None)
            if isinstance(statement, Header):
                within.append((number, statement))
        return found, tables

    def _line(self, offset: int) -> int:
        return self._source.position(offset).line


def _start(statement: Header | Entry) -> int:
    return statement.start if isinstance(statement, Header) else statement.pieces[0].start


def _is_below(header: Header, above: Header) -> bool:
    """Whether a header's table stands in the table of another."""
    names = [[piece.name for piece in each.pieces] for each in (header, above)]
    return len(names[0]) > len(names[1]) and names[0][: len(names[1])] == names[1]


def _allows(source: Source, out: Diagnostics) -> Iterator[_Allow]:
    """The comments of a document that allow a rule which exists; reports MS133 to MS135."""
    text = source.text
    if _MARK not in text:
        return
    layout = _Layout(source)
    written = list(comments(text))
    alone = {line for line, column, _ in written if not source.line(line)[: column - 1].strip()}
    for line, column, comment in written:
        match = _ALLOW.fullmatch(comment)
        if match is None:
            continue
        start = source.line_starts[line - 1] + column - 1
        name, reason = match[1], match[2]
        at = Place(source, (), inside=(start, start + len(comment)))
        name_at = Place(source, (), inside=(start + match.start(1), start + match.end(1)))
        rules = [rule for rule in named(name) if name in {rule.code, rule.slug}] if name else []
        if not rules:
            what = f"no rule is called `{name}`" if name else "the comment does not say what it allows"
            hint = nearest(name) if name else f"write {_EXAMPLES}, and the reason"
            edits = _correction(name_at, name, hint)
            out.report(UNKNOWN_ALLOW, at=name_at if name else at, hint=hint, edits=edits, what=what)
            continue
        if _is_fixed(rules):
            out.report(ALLOWED_ERROR, at=at, hint="mend what is reported, and remove the comment", name=name)
            continue
        if not reason.strip():
            hint = f"say why: `# meterspec: allow {name} ...`"
            out.report(NO_REASON, at=at, hint=hint, name=name)
        yield _Allow(
            name=name,
            code=rules[0].code,
            at=at,
            whole=_whole(at, line in alone),
            line=_next_line(source, line, alone) if line in alone else line,
            layout=layout,
        )


def _next_line(source: Source, line: int, alone: Collection[int]) -> int:
    """The next line with something else than a comment."""
    while line < len(source.line_starts) and (line in alone or not source.line(line).strip()):
        line += 1
    return line


def _whole(comment: Place, is_alone: bool) -> Place:
    """What to remove with a comment: all of its line, or the blanks before it."""
    text = comment.source.text
    start, end = comment.inside or (0, 0)
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    if is_alone:
        end = text.find("\n", end) + 1 or len(text)
    return Place(comment.source, (), inside=(start, end))
