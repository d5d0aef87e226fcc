"""Findings as other programs read them: one function a format, each gives one complete document, also of no finding.

Text for people is in `render`. Paths in these documents are relative to `root`, the top of the repository, with forward
slashes; what is not below it keeps its name. Lines and columns are counted from 1, columns in code points, and an end
is the column behind it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from meterspec import __version__
from meterspec.diagnostics import Diagnostic, Rule, Severity
from meterspec.project import STDIN
from meterspec.render import Palette, as_json, diagnostics_json, full, printable, summary
from meterspec.source import Place, Span

__all__ = [
    "ANNOTATIONS",
    "DOCUMENTS",
    "NAMES",
    "annotation",
    "fenced",
    "github",
    "gitlab",
    "junit",
    "sarif",
    "step_summary",
]


def json(found: Sequence[Diagnostic], root: PurePath) -> str:
    """The JSON of the command line's contract; files are named as the command was given them."""
    return as_json(diagnostics_json(found))


# GitHub ---------------------------------------------------------------------------------------------------------

ANNOTATIONS = 10
"""Annotations of one kind that GitHub keeps of a step; it drops the others without a word."""
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "notice"}


def github(found: Sequence[Diagnostic], root: PurePath) -> str:
    """The findings as text for the log, then as workflow commands that annotate the lines of a pull request.

    The text quotes the spec, so it stands where the runner obeys no commands: between `stop-commands` and a word that
    nobody can have written into it.
    """
    if not found:
        return ""
    lines = fenced("\n".join(full(diagnostic, Palette()) for diagnostic in found))
    for severity, command in _COMMANDS.items():
        kind = [diagnostic for diagnostic in found if diagnostic.severity is severity]
        for diagnostic in kind[:ANNOTATIONS]:
            title = f"{diagnostic.code} {diagnostic.rule.slug}"
            lines.append(annotation(command, diagnostic.at, title, _words(diagnostic), root))
        if len(kind) > ANNOTATIONS:
            more = len(kind) - ANNOTATIONS
            words = f"{more} more {severity.value}{'s' if more > 1 else ''}"
            lines.append(f"{words} above: a step has {ANNOTATIONS} annotations")
    return "\n".join(lines) + "\n"


def fenced(text: str) -> list[str]:
    """Lines for the log in which the runner obeys no commands."""
    word = _digest(text)
    return [f"::stop-commands::{word}", text.rstrip("\n"), f"::{word}::"]


def annotation(command: str, at: Place | None, title: str, words: str, root: PurePath) -> str:
    """The workflow command that annotates a place; `command` is `error`, `warning` or `notice`."""
    properties: dict[str, object] = {}
    if at is not None:
        span = at.span()
        begin, finish = span.begin, span.finish
        properties = {"file": _path(span, root), "line": begin.line}
        if begin.line == finish.line:  # GitHub takes columns only within one line
            properties |= {"col": begin.column, "endColumn": finish.column}
        else:
            properties["endLine"] = finish.line
    properties["title"] = title
    written = ",".join(f"{name}={str(value).translate(_IN_PROPERTY)}" for name, value in properties.items())
    return f"::{command} {written}::{words.translate(_IN_MESSAGE)}"


_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = {**_IN_MESSAGE, **str.maketrans({":": "%3A", ",": "%2C"})}


_MOST_ROWS = 200
"""Findings that a summary lists: a step has 1 MiB for all of its summaries."""
_SYMBOL = re.compile(r"([\\*_<>\[\]~])")


def step_summary(found: Sequence[Diagnostic], files: int, root: PurePath) -> str:
    """The findings as a table in Markdown, for the page of a run at GitHub."""
    lines = [f"### meterspec: {summary(found)} in {files} file{'s' if files != 1 else ''}", ""]
    if found:
        lines += ["| | where | finding |", "| --- | --- | --- |"]
    for diagnostic in found[:_MOST_ROWS]:
        where = ""
        if diagnostic.at is not None:
            span = diagnostic.at.span()
            where = f"`{_path(span, root)}:{span.begin.line}`"
        cells = (f"{diagnostic.severity.value} {diagnostic.code}", _markdown(where), _markdown(_words(diagnostic)))
        lines.append(f"| {' | '.join(cells)} |")
    if len(found) > _MOST_ROWS:
        lines += ["", f"{len(found) - _MOST_ROWS} more are in the log."]
    return "\n".join([*lines, ""])


def _markdown(text: str) -> str:
    """A text for a cell: what stands between backticks is code, and nothing in the rest is markup."""
    parts = printable(text).split("`")
    parts[::2] = [_SYMBOL.sub(r"\\\1", part) for part in parts[::2]]
    return "`".join(parts).replace("|", "\\|")


# GitLab ---------------------------------------------------------------------------------------------------------

_GITLAB = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.HINT: "info"}


def gitlab(found: Sequence[Diagnostic], root: PurePath) -> str:
    """A code quality report."""
    entries = []
    for diagnostic, fingerprint in zip(found, _fingerprints(found, root), strict=True):
        location: dict[str, object] = {"path": ".", "lines": {"begin": 1}}  # GitLab drops what stands nowhere
        if diagnostic.at is not None:
            span = diagnostic.at.span()
            lines = {"begin": span.begin.line, "end": span.finish.line}
            location = {"path": _path(span, root), "lines": lines}
        entries.append(
            {
                "check_name": diagnostic.code,
                "description": _words(diagnostic),
                "fingerprint": fingerprint,
                "location": location,
                "severity": _GITLAB[diagnostic.severity],
            }
        )
    return as_json(entries)


# SARIF ----------------------------------------------------------------------------------------------------------

_SARIF = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "note"}
_ROOT = "%SRCROOT%"


def sarif(found: Sequence[Diagnostic], root: PurePath) -> str:
    """A log of SARIF 2.1.0 with one run."""
    rules = sorted({diagnostic.rule.code: diagnostic.rule for diagnostic in found}.values(), key=lambda rule: rule.code)
    numbers = {rule.code: number for number, rule in enumerate(rules)}
    results = [
        _result(diagnostic, numbers[diagnostic.code], fingerprint, root) | fixes
        for diagnostic, fingerprint, fixes in zip(found, _fingerprints(found, root), _fixes(found, root), strict=True)
    ]
    driver = {"name": "meterspec", "version": __version__, "rules": [_sarif_rule(rule) for rule in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return as_json({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]})


def _sarif_rule(rule: Rule) -> dict[str, object]:
    from meterspec.catalogue import markdown, page  # noqa: PLC0415

    return {
        "id": rule.code,
        "name": rule.slug,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": page(rule), "markdown": markdown(rule)},
        "defaultConfiguration": {"level": _SARIF[rule.severity]},
    }


def _result(diagnostic: Diagnostic, number: int, fingerprint: str, root: PurePath) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": number,
        "level": _SARIF[diagnostic.severity],
        "message": {"text": _words(diagnostic)},
        "locations": [],
        "partialFingerprints": {"meterspec/v1": fingerprint},
    }
    if diagnostic.at is not None:
        result["locations"] = [{"physicalLocation": _physical(diagnostic.at.span(), root)}]
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": id, "physicalLocation": _physical(place.span(), root), "message": {"text": words}}
            for id, (place, words) in enumerate(diagnostic.related, start=1)
        ]
    return result


def _fixes(found: Sequence[Diagnostic], root: PurePath) -> Iterator[dict[str, object]]:
    """For each finding what its `fixes` are, if it has any that can be made."""
    from meterspec.fixing import replacements  # noqa: PLC0415

    made = iter(replacements([edit for diagnostic in found for edit in diagnostic.edits]))
    for diagnostic in found:
        changes: dict[str, tuple[dict[str, object], list[object]]] = {}
        parts = [(edit.at.source, next(made)) for edit in diagnostic.edits]
        for source, part in parts:
            for start, end, text in part or ():
                span = Span(source, start, end)
                _, listed = changes.setdefault(source.name, (_artifact(span, root), []))
                listed.append({"deletedRegion": _region(span), "insertedContent": {"text": text}})
        if not parts or any(part is None for _, part in parts):
            yield {}
            continue
        written = [{"artifactLocation": artifact, "replacements": each} for artifact, each in changes.values()]
        yield {"fixes": [{"description": {"text": diagnostic.hint or "mend it"}, "artifactChanges": written}]}


def _physical(span: Span, root: PurePath) -> dict[str, object]:
    return {"artifactLocation": _artifact(span, root), "region": _region(span)}


def _region(span: Span) -> dict[str, object]:
    begin, finish = span.begin, span.finish
    region = {"startLine": begin.line, "startColumn": begin.column}
    return {**region, "endLine": finish.line, "endColumn": finish.column}


def _artifact(span: Span, root: PurePath) -> dict[str, object]:
    from urllib.parse import quote  # noqa: PLC0415

    path = _path(span, root)
    if PurePath(path).is_absolute():
        return {"uri": PurePath(path).as_uri()}
    return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": _ROOT}


# JUnit ----------------------------------------------------------------------------------------------------------


def junit(found: Sequence[Diagnostic], root: PurePath) -> str:
    """A test report: a suite for each file and a case for each finding; it fails exactly where the command does.

    JUnit knows no warnings, so these pass, and say what they have to say as their output.
    """
    from xml.etree import ElementTree  # noqa: PLC0415

    suites: dict[str, list[Diagnostic]] = {}
    for diagnostic in found:
        name = "meterspec" if diagnostic.at is None else _path(diagnostic.at.span(), root)
        suites.setdefault(name, []).append(diagnostic)
    failures = sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
    report = ElementTree.Element("testsuites", name="meterspec", tests=str(len(found) or 1), failures=str(failures))
    for name, members in suites.items():
        failures = sum(diagnostic.severity is Severity.ERROR for diagnostic in members)
        suite = ElementTree.SubElement(
            report, "testsuite", name=printable(name), tests=str(len(members)), failures=str(failures)
        )
        for diagnostic in members:
            case = ElementTree.SubElement(
                suite, "testcase", name=f"{diagnostic.code} {diagnostic.rule.slug}", classname=printable(name)
            )
            if diagnostic.at is not None:
                case.attrib |= {"file": printable(name), "line": str(diagnostic.at.span().begin.line)}
            if diagnostic.severity is Severity.ERROR:
                said = ElementTree.SubElement(case, "failure", message=_words(diagnostic))
            else:
                said = ElementTree.SubElement(case, "system-out")
            said.text = full(diagnostic, Palette())
    if not found:
        suite = ElementTree.SubElement(report, "testsuite", name="meterspec", tests="1", failures="0")
        ElementTree.SubElement(suite, "testcase", name="validate", classname="meterspec")
    ElementTree.indent(report)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(report, encoding="unicode")}\n'


# Shared ---------------------------------------------------------------------------------------------------------


def _words(diagnostic: Diagnostic) -> str:
    """The message and what to type, on one line."""
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return printable(f"{diagnostic.message}{hint}")


def _path(span: Span, root: PurePath) -> str:
    name = span.source.name
    full = PurePath(os.path.normpath(Path.cwd() / name))  # a name is relative to the folder that the command runs in
    return (full.relative_to(root) if full.is_relative_to(root) and name != STDIN else PurePath(name)).as_posix()


def _fingerprints(found: Sequence[Diagnostic], root: PurePath) -> list[str]:
    """What tells findings apart from one commit to the next: not their lines, nor how many tables stand before them.

    Findings that are alike in all else are told apart by their order.
    """
    seen: dict[str, int] = {}
    prints = []
    for diagnostic in found:
        parts = [diagnostic.code, diagnostic.message]
        if diagnostic.at is not None:
            span = diagnostic.at.span()
            keys = [step for step in diagnostic.at.path if isinstance(step, str)]
            parts += [_path(span, root), ".".join(keys), span.text]
        alike = _digest("\0".join(parts))
        seen[alike] = seen.get(alike, 0) + 1
        prints.append(_digest(f"{alike} {seen[alike]}"))
    return prints


def _digest(text: str) -> str:
    from hashlib import sha256  # noqa: PLC0415

    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


DOCUMENTS: Mapping[str, Callable[[Sequence[Diagnostic], PurePath], str]] = {
    "json": json,
    "github": github,
    "gitlab": gitlab,
    "sarif": sarif,
    "junit": junit,
}
"""What `validate --format` can name besides the two texts for people."""
NAMES = ("full", "concise", *DOCUMENTS)
