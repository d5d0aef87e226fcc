"""The commands that print a page or write a starting point: `explain`, `schema`, `completions` and `init`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.shared import BAD_ARGUMENT, meter_of, program_of
from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.project import collect
from meterspec.render import as_json, printable

if TYPE_CHECKING:
    from typer.core import TyperGroup

__all__ = ["completions", "explain", "init", "schema"]

NO_SUCH_RULE = Rule(
    code="MS009",
    slug="no-such-rule",
    title="A code that no rule has",
    message="there is no rule `{code}`",
    why="Codes are never reused, so one that is gone is of another version.",
)


def explain(subject: str, paths: Sequence[str]) -> None:
    """Prints the page of a rule, or how a meter's number comes about."""
    from meterspec.catalogue import by_code, page  # noqa: PLC0415

    rule = by_code(subject)
    if rule is not None:
        sys.stdout.write(page(rule))
        return
    from meterspec.diff.pages import by_code as change_by_code  # noqa: PLC0415
    from meterspec.diff.pages import page as change_page  # noqa: PLC0415

    change = change_by_code(subject)
    if change is not None:
        sys.stdout.write(change_page(change))
        return
    if re.fullmatch(r"M[SD][0-9]+", subject, re.IGNORECASE):
        raise Failure(NO_SUCH_RULE, code=subject, hint="`meterspec validate` prints the codes of what it finds")
    from meterspec.catalogue import meter_page  # noqa: PLC0415

    program, _ = program_of(collect(paths))
    lines = meter_page(program, meter_of(program, subject)).split("\n")
    sys.stdout.write("\n".join(map(printable, lines)))


def schema(paths: Sequence[str], family: str | None) -> None:
    """Prints the JSON Schema of the language, or of the events of a family."""
    from meterspec.schema import document_schema, event_schema  # noqa: PLC0415

    if family is None:
        if paths:
            reason = ": the schema of the language depends on no spec"
            hint = "with `--family NAME`, it is the schema of that family's events"
            raise Failure(BAD_ARGUMENT, argument="PATH", value=paths[0], reason=reason, hint=hint)
        sys.stdout.write(as_json(document_schema()))
        return
    program, _ = program_of(collect(paths))
    try:
        chosen = program.family(family)
    except KeyError:
        from meterspec.events import NO_SUCH_FAMILY  # noqa: PLC0415

        names = [known.name for known in program.families]
        hint = did_you_mean(family, names) or f"its families are {', '.join(names)}"
        raise Failure(NO_SUCH_FAMILY, family=family, hint=hint) from None
    sys.stdout.write(as_json(event_schema(chosen)))


def completions(shell: str, program: TyperGroup) -> None:
    """Prints the completion script of a shell."""
    from meterspec.completions import script  # noqa: PLC0415

    sys.stdout.write(script(shell, program))


def init(folder: str) -> None:
    """Writes a new project: a commented spec, sample events, a CI job and a pre-commit entry."""
    from meterspec.starter import write_starter  # noqa: PLC0415

    written, entry = write_starter(Path(folder))
    for path in written:
        sys.stderr.write(f"wrote {printable(str(Path(folder) / path))}\n")
    if entry is not None:
        sys.stderr.write("there is a .pre-commit-config.yaml already; add this below its `repos:`\n")
        sys.stdout.write(entry)
    where = "" if Path(folder) == Path() else f"cd {printable(folder)} && "
    sys.stderr.write(f"next: {where}meterspec validate && meterspec test && meterspec run --events events.jsonl\n")
