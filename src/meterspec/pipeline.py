"""The phases in order: the one module that knows the others. Values in, values out; no disk, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterspec.check import check
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from meterspec.project import SpecFile
from meterspec.spec import toml
from meterspec.spec.reader import read_document

if TYPE_CHECKING:
    from meterspec.backends.base import Artifact

__all__ = ["TARGETS", "compile_program", "load"]

TARGETS = ("sql", "stripe")
"""What `compile --target` can name; the manifest is always written."""


def load(files: Sequence[SpecFile], out: Diagnostics) -> Program | None:
    """The program of a project's files; None where an error was reported.

    The pipeline stops between phases that failed, never inside one: all files are read before any is given up.
    """
    documents = []
    for file in files:
        parsed = toml.read(file.name, file.data, out)
        if parsed is None:
            continue
        source, values = parsed
        document = read_document(source, values, out)
        if document is not None:
            documents.append((source, document))
    if out.has_errors:
        return None
    program = check(documents, out)
    return None if out.has_errors else program


def compile_program(
    program: Program,
    files: Sequence[SpecFile],
    out: Diagnostics,
    *,
    targets: Sequence[str] = TARGETS,
    dialects: Sequence[str] = ("duckdb",),
) -> list[Artifact]:
    """Every artefact of a program, the manifest last; reports MS6xx for what a target cannot express, and then
    gives none."""
    from meterspec.backends import manifest, stripe  # noqa: PLC0415 - backends are imported when asked for
    from meterspec.backends.base import unsupported  # noqa: PLC0415

    artifacts: list[Artifact] = []
    if "sql" in targets:
        from meterspec.backends import sql  # noqa: PLC0415

        for dialect in dialects:
            backend = sql.backend(dialect)
            unsupported(backend, program.meters, out)
            if not out.has_errors:
                artifacts += backend.emit(program)
    if "stripe" in targets:
        stripe.check(program, out)
        if not out.has_errors:
            artifacts += stripe.BACKEND.emit(program)
    if out.has_errors:
        return []
    return [*artifacts, manifest.emit(program, [(file.name, file.data) for file in files], artifacts)]
