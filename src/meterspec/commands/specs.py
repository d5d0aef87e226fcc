"""The commands that read a spec or mend it: `validate` and `fmt`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec import lint
from meterspec.commands.shared import (
    BAD_ARGUMENT,
    FINDINGS,
    Exit,
    counted,
    day_argument,
    one_of,
    palette_of,
    repository,
    write_diagnostics,
)
from meterspec.diagnostics import Diagnostic, Diagnostics, Failure, Severity
from meterspec.pipeline import load
from meterspec.project import STDIN, SpecFile, collect
from meterspec.render import order, printable, summary

if TYPE_CHECKING:
    from meterspec.revision import Revision

__all__ = ["fmt", "validate"]

_FORMAT = "METERSPEC_OUTPUT_FORMAT"
"""The environment variable that says how `validate` prints what it found."""

_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The one in which GitHub names the file for what a step has to say on the page of the run."""


def validate(
    paths: Sequence[str],
    format: str | None = None,
    strict: bool = False,
    quiet: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fix: bool = False,
    diff: bool = False,
    profile: str = lint.DEFAULT,
    as_of: str | None = None,
) -> None:
    """Prints every diagnostic of a spec; `METERSPEC_OUTPUT_FORMAT` says how, where no format is given.

    With `fix` what can be repaired is, and the rest is printed; with `diff` the repairs are shown instead.
    """
    format = format or _format_of_environment()
    _rule_names("--select", select)
    _rule_names("--ignore", ignore)
    files = collect(paths)

    def chosen(found: Iterable[Diagnostic]) -> list[Diagnostic]:
        return lint.choose(order(found), strict=strict, profile=profile, select=select, ignore=ignore)

    if fix or diff:
        found = _fix(files, chosen, day_argument(as_of), diff=diff, quiet=quiet)
    else:
        out = Diagnostics()
        load(files, out, as_of=day_argument(as_of))
        found = chosen(out)
    is_text = fix and not diff and any(file.name == STDIN for file in files)
    stream = sys.stderr if is_text else sys.stdout
    if format in {"full", "concise"}:
        write_diagnostics(found, stream, format)
    else:
        from meterspec.formats import DOCUMENTS  # noqa: PLC0415

        stream.write(DOCUMENTS[format](found, repository()))
        if format == "github" and (page := os.environ.get(_STEP_SUMMARY)):
            _add_step_summary(Path(page), found, len(files))
    if not quiet:
        sys.stderr.write(f"{len(files)} file{'s' if len(files) != 1 else ''}: {summary(found)}\n")
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        raise Exit(FINDINGS)


def _add_step_summary(page: Path, found: Sequence[Diagnostic], files: int) -> None:
    """Adds the findings to the summary of the step that GitHub runs; Failure (MS011) where it cannot."""
    from meterspec.artifacts import CANNOT_WRITE  # noqa: PLC0415
    from meterspec.formats import step_summary  # noqa: PLC0415

    try:
        with page.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(step_summary(found, files, repository()))
    except OSError as error:
        raise Failure(CANNOT_WRITE, path=page, reason=error.strerror or error) from error


def _fix(
    files: Sequence[SpecFile],
    chosen: Callable[[Iterable[Diagnostic]], list[Diagnostic]],
    as_of: date | None,
    *,
    diff: bool,
    quiet: bool,
) -> Sequence[Diagnostic]:
    """Repairs what can be, and gives what is found then; with `diff` shows how, and ends the command there."""
    from meterspec.fixing import fix  # noqa: PLC0415

    done = fix(files, chosen, as_of=as_of)
    if diff:
        _write_diffs(list(done.revisions.items()))
    else:
        for file in done.files:
            if file.name in done.revisions or file.name == STDIN:
                _write_spec(file.name, file.data)
    if not quiet:
        each = [f"{counted(count, 'finding')} in {printable(name)}" for name, count in sorted(done.counts.items())]
        words = "to repair" if diff else "repaired"
        sys.stderr.write(f"{words}: {', '.join(each)}\n" if each else "nothing can be repaired\n")
    if diff and done.counts:
        raise Exit(FINDINGS)
    return done.found


def fmt(paths: Sequence[str], check: bool = False, diff: bool = False) -> None:
    """Gives files their canonical layout; with `check` or `diff` only says which have another, or shows it."""
    from meterspec.formatting import layout  # noqa: PLC0415

    files = collect(paths)
    out = Diagnostics()
    laid_out = [(file.name, layout(file.name, file.data, out)) for file in files]
    changed = [(name, revision) for name, revision in laid_out if revision and revision.after != revision.before]
    write_diagnostics(order(out), sys.stderr)
    if diff:
        _write_diffs(changed)
    elif check:
        sys.stdout.write("".join(f"{printable(name)}\n" for name, _ in changed))
    else:
        for name, revision in laid_out:
            if revision and (name == STDIN or revision.after != revision.before):
                _write_spec(name, revision.after.encode())
                sys.stderr.write("" if name == STDIN else f"changed: {printable(name)}\n")
    if check or diff or any(file.name != STDIN for file in files):
        words = "would change" if check or diff else "changed"
        same = sum(revision is not None for _, revision in laid_out) - len(changed)
        sys.stderr.write(f"{counted(len(changed), 'file')} {words}, {same} as before\n")
    if out.has_errors or (changed and (check or diff)):
        raise Exit(FINDINGS)


def _write_diffs(changed: Sequence[tuple[str, Revision]]) -> None:
    palette = palette_of(sys.stdout)
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for name, revision in changed:
        for line in revision.diff(printable(name)).split("\n")[:-1]:
            sys.stdout.write(palette.paint(line, colours[line[0]]) if line[:1] in colours else line)
            sys.stdout.write("\n")


def _write_spec(name: str, data: bytes) -> None:
    """Puts the new text of a spec where the old one came from."""
    if name == STDIN:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    from meterspec.artifacts import write_file  # noqa: PLC0415

    write_file(Path(name), data)


def _format_of_environment() -> str:
    format = os.environ.get(_FORMAT) or "full"
    if format != "full":
        from meterspec.formats import NAMES  # noqa: PLC0415

        one_of(_FORMAT, format, NAMES)
    return format


def _rule_names(argument: str, names: Sequence[str]) -> None:
    """Lets pass what names warnings or hints; an error can be chosen, and stays, but not be ignored."""
    for name in names:
        rules = lint.named(name)
        if not rules:
            reason = ": no rule is called that"
            raise Failure(BAD_ARGUMENT, argument=argument, value=name, reason=reason, hint=lint.nearest(name))
        if argument == "--ignore" and all(rule.severity is Severity.ERROR for rule in rules):
            reason = ": an error cannot be switched off"
            hint = "an error says that the spec has no meaning, or not the one it seems to have: mend what it reports"
            raise Failure(BAD_ARGUMENT, argument=argument, value=name, reason=reason, hint=hint)
