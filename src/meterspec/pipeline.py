"""The phases in order: the one module that knows the others. Values in, values out; no disk, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterspec import lint
from meterspec.check import check
from meterspec.diagnostics import Diagnostics
from meterspec.ir import CalendarUnit, Program
from meterspec.project import SpecFile
from meterspec.source import Part, Path, Source
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from meterspec.spec.shape import Document
from meterspec.spec.spans import locate

if TYPE_CHECKING:
    from meterspec.backends.base import Artifact

__all__ = ["ON_REQUEST", "TARGETS", "compile_program", "load"]

TARGETS = ("sql", "stripe")
"""The targets that are compiled where none is named."""
ON_REQUEST = ("terraform",)
"""Targets that are compiled only where they are named. The manifest is always written."""


def load(files: Sequence[SpecFile], out: Diagnostics) -> Program | None:
    """The program of a project's files; None where an error was reported.

    The pipeline stops between phases that failed, never inside one: all files are read before any is given up.
    """
    documents, settings = _documents(files, out), _settings(files, out)
    if out.has_errors:
        return None
    program = check(documents, out)
    whole = not out.has_errors
    policy = lint.policy(settings, documents, out)
    out.found = policy.judge(out.found)
    if whole:  # an error hides findings, so what allows them is unused only where there is none
        out.extend(policy.unused())
    return None if out.has_errors else program


def _documents(files: Sequence[SpecFile], out: Diagnostics) -> list[tuple[Source, Document]]:
    """The shapes of the files that have one."""
    documents = []
    for file in files:
        parsed = toml.read(file.name, file.data, out)
        if parsed is None:
            continue
        source, values = parsed
        document = read_document(source, values, out)
        if document is not None:
            documents.append((source, document))
    return documents


def _settings(files: Sequence[SpecFile], out: Diagnostics) -> list[tuple[Source, Document]]:
    """What the pyproject.toml of each file sets, read as if `[tool.meterspec]` were a document."""
    found = {file.settings.name: file.settings for file in files if file.settings is not None}
    documents = []
    for settings in found.values():
        if settings.lint is not None:
            source = Source(settings.name, settings.text, _locate_settings)
            document = read_document(source, {"lint": settings.lint}, out)
            if document is not None:
                documents.append((source, document))
    return documents


def _locate_settings(text: str, path: Path, part: Part, inside: tuple[int, int] | None) -> tuple[int, int]:
    return locate(text, ("tool", "meterspec", *path), part, inside)


def compile_program(
    program: Program,
    files: Sequence[SpecFile],
    out: Diagnostics,
    *,
    targets: Sequence[str] = TARGETS,
    dialects: Sequence[str] = ("duckdb",),
    grain: CalendarUnit | None = None,
    stripe_usage: str = "event",
    base: tuple[Program, Sequence[SpecFile]] | None = None,
) -> list[Artifact]:
    """Every artefact of a program, the manifest last; reports MS6xx for what a target cannot express, and then
    gives none. With a `grain` the SQL has rollups by it; `stripe_usage` is how Stripe is sent usage, by `event` or
    `day`; with a `base`, a program and its files, there is the plan of how to ship what changed since."""
    from meterspec.backends import manifest, stripe  # noqa: PLC0415 - backends are imported when asked for

    artifacts: list[Artifact] = []
    if "sql" in targets:
        from meterspec.backends import sql  # noqa: PLC0415

        sql.check_prices(program, program.meters, out)
        for dialect in dialects:
            sql.check(program, program.meters, dialect, out)
            if not out.has_errors:
                artifacts += sql.backend(dialect, grain).emit(program)
    if "stripe" in targets:
        stripe.check(program, out)
        if not out.has_errors:
            usage = stripe.Usage(stripe_usage)
            artifacts += stripe.emit(program, usage)
            for dialect in dialects:
                stripe.check_export(program, dialect, out)
            if not out.has_errors:
                artifacts += stripe.emit_export(program, dialects, usage)
    if "terraform" in targets:
        from meterspec.backends import terraform  # noqa: PLC0415

        if "stripe" not in targets:
            terraform.check(program, out)
        if not out.has_errors:
            artifacts += terraform.emit(program, stripe.Usage(stripe_usage))
    if out.found:
        known = Diagnostics()  # `load` has reported what is wrong with them
        policy = lint.policy(_settings(files, known), _documents(files, known), known)
        out.found = policy.judge(out.found)
    if out.has_errors:
        return []
    inputs = [(file.name, file.data) for file in files]
    artifacts.append(manifest.sources(inputs))
    if base is not None:
        from meterspec.migration.plan import Base, emit  # noqa: PLC0415

        before, written = base
        known = Diagnostics()  # what a target cannot express was never deployed to it
        made = compile_program(
            before, written, known, targets=targets, dialects=dialects, grain=grain, stripe_usage=stripe_usage
        )
        old = Base(before, [file.data for file in written], made)
        artifacts += list(emit(old, program, artifacts, dialects if "sql" in targets else ()))
    return [*artifacts, manifest.emit(program, inputs, artifacts)]
