"""The command `diff`: what the changes between two specs mean, and what they do to money."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.shared import (
    BAD_ARGUMENT,
    FINDINGS,
    MISSING_ARGUMENT,
    Exit,
    counted,
    instant_argument,
    palette_of,
    program_of,
    repository,
    stop_on_errors,
    window_argument,
    write_diagnostics,
)
from meterspec.diagnostics import Diagnostics, Failure
from meterspec.ir import Program
from meterspec.pipeline import with_registries
from meterspec.project import SpecFile, collect
from meterspec.render import Palette, as_json, instant, order, printable

if TYPE_CHECKING:
    from meterspec.approvals import Approval
    from meterspec.diff import Verdict
    from meterspec.money import Money
    from meterspec.reports import Comparison

__all__ = ["Base", "Usage", "diff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where the spec before is: in a path, at a revision, or in a folder of artefacts."""

    revision: str | None = None
    exact: bool = False
    artefacts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The events that both specs are run on, as they are given on the command line."""

    events: Sequence[str] = ()
    cycles: tuple[str | None, str | None] = (None, None)
    begins: tuple[str | None, str | None] = (None, None)
    as_of: str | None = None


def diff(
    paths: Sequence[str],
    base: Base,
    usage: Usage,
    format: str | None,
    fail_on: str | None,
    approvals: str | None,
    today: str | None,
    output: str | None,
    also: Sequence[str],
) -> None:
    """Says what changes between two specs mean, and with events what they do to each invoice and number."""
    from meterspec.diff import diff as find_changes  # noqa: PLC0415
    from meterspec.migration import steps  # noqa: PLC0415
    from meterspec.reports import Comparison, Reported  # noqa: PLC0415

    for path in also:
        if Path(path).suffix.lower() not in _ENDINGS:
            hint = f"its ending says what is written: {', '.join(_ENDINGS)}"
            raise Failure(BAD_ARGUMENT, argument="--report", value=path, reason="", hint=hint)
    if not usage.events:
        _refuse_without_events(usage)
    called, before_files, after_files = _sides(paths, base)
    if before_files is None or _read(before_files) == _read(after_files):
        after, _ = program_of(after_files)
        before = after if before_files is not None else Program()
    else:
        before, _ = program_of(before_files)
        after, _ = program_of(after_files)
        before, after = with_registries((before, before_files), (after, after_files))
    verdicts = find_changes(before, after)
    out = Diagnostics()
    approved = _approved(verdicts, approvals, today, after_files, out)
    stop_on_errors(out)
    write_diagnostics(order(out), sys.stderr)
    comparison = Comparison(
        base=called,
        changes=tuple(map(Reported, verdicts, approved)),
        steps=steps(before, after, verdicts),
        money=_money(before, after, verdicts, usage) if usage.events else None,
    )
    ranks = ["safe", "review", "breaking"]
    least = ranks.index(fail_on or "safe")
    worse = [change for change in comparison.open() if ranks.index(change.impact.value) >= least]
    if format == "approvals":
        from meterspec.approvals import written  # noqa: PLC0415

        _put("\n".join(written(change.verdict) for change in worse), comparison, output)
    else:
        _write(comparison, format, output)
    for path in also:
        _write(comparison, None, path)
    stopped = worse if fail_on is not None else []
    if stopped:
        word = "change is" if len(stopped) == 1 else "changes are"
        sys.stderr.write(
            f"{len(stopped)} {word} `{fail_on}` or worse and not approved; `--format approvals` prints approvals to "
            "fill in\n"
        )
        raise Exit(FINDINGS)


def _read(files: Sequence[SpecFile]) -> list[tuple[bytes, bytes | None]]:
    """All that a program is made of."""
    return [(file.data, file.organisation and file.organisation[1]) for file in files]


def _refuse_without_events(usage: Usage) -> None:
    """Options that say how events are counted do nothing without any; raises `Failure` with MS005."""
    values = (*usage.begins, usage.as_of, *usage.cycles)
    for name, value in zip(("--from", "--to", "--as-of", "--cycles", "--cycle-anchor"), values, strict=True):
        if value is not None:
            raise Failure(BAD_ARGUMENT, argument=name, value=value, reason=" without `--events`")


def _sides(paths: Sequence[str], base: Base) -> tuple[str, list[SpecFile] | None, list[SpecFile]]:
    """What the spec before is called, its files, and those of the spec after; None where a commit has no spec."""
    if base.revision is not None and base.artefacts is not None:
        raise Failure(BAD_ARGUMENT, argument="--against-artefacts", value=base.artefacts, reason=" beside `--against`")
    if base.revision is not None:
        from meterspec.baseline import at_revision, commit_of  # noqa: PLC0415

        head = collect(paths[-1:])
        commit = commit_of(paths[-1] if paths else None, base.revision, exact=base.exact)
        files = at_revision(commit, paths[:1], head)
        if not files:
            sys.stderr.write(f"{commit.short} has no spec: all of it is new\n")
        return f"{commit.short} ({printable(base.revision)})", files or None, head
    if base.exact:
        raise Failure(BAD_ARGUMENT, argument="--exact", value="true", reason=" without `--against`")
    if base.artefacts is not None:
        from meterspec.baseline import deployed, other_registry  # noqa: PLC0415

        if len(paths) > 1:
            raise Failure(BAD_ARGUMENT, argument="BASE", value=paths[0], reason=" beside `--against-artefacts`")
        files = deployed(Path(base.artefacts))
        if others := other_registry(Path(base.artefacts)):
            sys.stderr.write(
                f"{printable(base.artefacts)} was judged by a registry of another version, and both sides are compared "
                f"by that of this one: {printable(', '.join(others))}\n"
            )
        return base.artefacts, files, collect(paths)
    if [*paths] == ["-", "-"]:
        raise Failure(BAD_ARGUMENT, argument="HEAD", value="-", reason=": standard input is read once, for BASE")
    if not paths:
        hint = "write the path of the spec before, or where it is: `--against main`, `--against-artefacts build`"
        raise Failure(MISSING_ARGUMENT, argument="BASE", reason="there is nothing to compare with", hint=hint)
    return paths[0], collect(paths[:1]), collect(paths[1:])


def _approved(
    verdicts: Sequence[Verdict], path: str | None, today: str | None, head: Sequence[SpecFile], out: Diagnostics
) -> Sequence[Approval | None]:
    """The approval of each change; the files beside the spec are read where none is named."""
    from meterspec.approvals import apply, read  # noqa: PLC0415
    from meterspec.baseline import head_date  # noqa: PLC0415
    from meterspec.project import UNREADABLE_FILE  # noqa: PLC0415

    day = _day_argument(today)
    found: list[Approval] = []
    for file in _approval_files(head) if path is None else [Path(path)]:
        try:
            found += read(str(file), file.read_bytes(), out)
        except FileNotFoundError as error:
            if path is not None:
                raise Failure(UNREADABLE_FILE, path=file, reason=error.strerror) from error
            continue
        except OSError as error:
            raise Failure(UNREADABLE_FILE, path=file, reason=error.strerror or error) from error
        if day is None:
            day = head_date(str(file))
    if out.has_errors or not found:
        return [None] * len(verdicts)
    if day is None:
        named = found[0].origin.source.name
        hint = "write `--today 2026-05-01`; inside of a repository it is the day of the commit that is checked out"
        reason = f"the approvals of {named} hold until a day, and there is no commit to take today from"
        raise Failure(MISSING_ARGUMENT, argument="--today", reason=reason, hint=hint)
    return apply(found, verdicts, day, out)


def _approval_files(head: Sequence[SpecFile]) -> list[Path]:
    """Where approvals can be: beside each file of a spec, and beside the `pyproject.toml` whose `paths` name it.

    Not in the folders above: they may hold other specs, whose meters may have the same names.
    """
    from meterspec.approvals import NAME  # noqa: PLC0415

    folders: dict[Path, Path] = {}
    for file in head:
        folder = Path(file.name).parent
        around = [folder]
        if file.settings is not None and file.settings.paths is not None:
            top = Path(file.settings.name).parent
            named = [(top / path).resolve() for path in file.settings.paths]
            around += [top] if any(path in named for path in (folder.resolve(), Path(file.name).resolve())) else []
        for one in around:
            folders.setdefault(one.resolve(), one)
    return [folder / NAME for folder in folders.values()]


def _day_argument(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        hint = "write a date: 2026-05-01"
        raise Failure(BAD_ARGUMENT, argument="--today", value=text, reason="", hint=hint) from None


def _money(before: Program, after: Program, verdicts: Sequence[Verdict], usage: Usage) -> Money:
    """Both specs on the same events."""
    from meterspec.commands.counting import cycles_argument  # noqa: PLC0415
    from meterspec.diff import renamed, renamed_dimensions  # noqa: PLC0415
    from meterspec.events import OTHER_FAMILY  # noqa: PLC0415
    from meterspec.money import compare  # noqa: PLC0415

    out = Diagnostics()
    start, end = window_argument(("--from", "--to"), usage.begins)
    try:
        money = compare(
            before,
            after,
            usage.events,
            out,
            renamed=renamed(verdicts),
            dimensions=renamed_dimensions(before, after),
            as_of=instant_argument("--as-of", usage.as_of),
            begins=(start, end),
            cycles=cycles_argument(usage.cycles),
        )
    except Failure as failure:
        if failure.diagnostic.rule is OTHER_FAMILY:  # a field that one of the two asks for is in no row at all
            hint = "one of the two specs wants it of every event: give events that have it, or leave `--events` out"
            failure.diagnostic = replace(failure.diagnostic, hint=hint)
        raise
    stop_on_errors(out)
    if usage.as_of is None and money.as_of is not None:
        sys.stderr.write(f"as of {instant(money.as_of)}, just after the newest event\n")
    return money


_ENDINGS = {".md": "markdown", ".html": "html", ".json": "json", ".txt": "text"}


def _write(comparison: Comparison, format: str | None, output: str | None) -> None:
    """Writes a comparison to a file, complete or not at all, or to standard output."""
    match format or _ENDINGS.get(Path(output or "").suffix.lower()):
        case "json":
            from meterspec.reports.document import as_document  # noqa: PLC0415

            text = as_json(as_document(comparison))
        case "markdown":
            from meterspec.reports.markdown import as_markdown  # noqa: PLC0415

            text = as_markdown(comparison)
        case "github":
            from meterspec.reports.github import as_github  # noqa: PLC0415

            text = as_github(comparison, repository())
        case "html":
            from meterspec.reports.page import as_page  # noqa: PLC0415

            text = as_page(comparison)
        case _:
            from meterspec.reports.text import as_text  # noqa: PLC0415

            text = as_text(comparison, palette_of(sys.stdout) if output is None else Palette())
    _put(text, comparison, output)


def _put(text: str, comparison: Comparison, output: str | None) -> None:
    """Writes a text to a file, complete or not at all, or to standard output."""
    if output is None:
        sys.stdout.write(text)
        return
    from meterspec.artifacts import write_file  # noqa: PLC0415

    write_file(Path(output), text.encode())
    sys.stderr.write(f"{counted(len(comparison.changes), 'change')} in {printable(output)}\n")
