"""The phases in order: the one module that knows the others. Values in, values out; no disk, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from meterspec import lint
from meterspec.check import check
from meterspec.diagnostics import Diagnostics
from meterspec.ir import UNBOUND, CalendarUnit, Program
from meterspec.project import SpecFile
from meterspec.source import Part, Path, Source
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from meterspec.spec.shape import Document
from meterspec.spec.spans import locate

if TYPE_CHECKING:
    from meterspec.assessment import Assessment
    from meterspec.backends.base import Artifact
    from meterspec.backends.compliance import Build

__all__ = ["ON_REQUEST", "TARGETS", "assess", "compile_program", "load", "with_registries"]

TARGETS = ("sql", "stripe", "compliance")
"""The targets that are compiled where none is named."""
ON_REQUEST = ("terraform",)
"""Targets that are compiled only where they are named. The manifest is always written."""


def load(files: Sequence[SpecFile], out: Diagnostics, *, as_of: date | None = None) -> Program | None:
    """The program of a project's files; None where an error was reported.

    The pipeline stops between phases that failed, never inside one: all files are read before any is given up.
    Obligations are judged on the day `as_of`, or the one that the project states.
    """
    documents, settings = _documents(files, out), _settings(files, out)
    if out.has_errors:
        return None
    program = check(documents, out)
    if not out.has_errors:
        assess(program, files, out, as_of=as_of)
    whole = not out.has_errors
    policy = lint.policy(settings, documents, out)
    out.found = policy.judge(out.found)
    if whole:  # an error hides findings, so what allows them is unused only where there is none
        out.extend(policy.unused())
    return None if out.has_errors else program


def assess(
    program: Program, files: Sequence[SpecFile], out: Diagnostics, *, as_of: date | None = None, always: bool = False
) -> Assessment | None:
    """A program judged by the registry and what the organisation adds to it.

    None where that file is broken, or unless `always`, where the program states nothing to judge. What was compared is
    written down with `always` alone; a check only reports what it finds.
    """
    tables = [*(family.compliance for family in program.families), *(meter.compliance for meter in program.meters)]
    said = program.sinks or program.statements or any(table != UNBOUND for table in tables)
    fields = (field for family in program.families for field in family.fields)
    if not always and not said and not any(field.personal or field.statements for field in fields):
        return None
    from meterspec.check.compliance import assess as judge  # noqa: PLC0415 - the rules and the registry
    from meterspec.regimes import registry  # noqa: PLC0415

    _check_organisation(files, out)
    known = registry(_organisation(files), out)
    return None if out.has_errors else judge(program, known, as_of, out, noted=always)


def with_registries(
    before: tuple[Program, Sequence[SpecFile]], after: tuple[Program, Sequence[SpecFile]]
) -> tuple[Program, Program]:
    """Two programs to be compared, with what the registry asks of what each names, where the organisation's files
    differ. What a broken file says counts for nothing: `load` reported it, unless the program states nothing."""
    own = [_organisation(files) for _, files in (before, after)]
    if (own[0] and own[0][1]) == (own[1] and own[1][1]):
        return before[0], after[0]
    from meterspec.check.compliance.registered import registered  # noqa: PLC0415 - the registry
    from meterspec.regimes import registry  # noqa: PLC0415

    known = [registry(file, Diagnostics()) for file in own]
    return registered(before[0], known[0]), registered(after[0], known[1])


def _organisation(files: Sequence[SpecFile]) -> tuple[str, bytes] | None:
    """What the organisation adds to the registry: all files of a spec have the same, or there is a finding."""
    return next((file.organisation for file in files if file.organisation is not None), None)


def _check_organisation(files: Sequence[SpecFile], out: Diagnostics) -> None:
    """Reports MS596 where files of one spec are not judged by the same file of the organisation."""
    for file in files[1:]:
        first = files[0]
        texts = [one.organisation and one.organisation[1] for one in (first, file)]
        if texts[0] != texts[1]:
            from meterspec.regimes import TWO_ORGANISATIONS  # noqa: PLC0415

            nearest = [one.organisation[0] if one.organisation else None for one in (first, file)]
            first_by, other_by = (f"`{name}`" if name else "no such file" for name in nearest)
            out.report(
                TWO_ORGANISATIONS,
                at=None,
                hint="keep one `meterspec.regimes.toml`, in a folder that is above all files of the spec",
                first=first.name,
                first_by=first_by,
                other=file.name,
                other_by=other_by,
            )
            return


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
    as_of: date | None = None,
    sign: Callable[[bytes], str] | None = None,
) -> list[Artifact]:
    """Every artefact of a program, the manifest last; reports MS6xx for what a target cannot express, and then
    gives none. With a `grain` the SQL has rollups by it; `stripe_usage` is how Stripe is sent usage, by `event` or
    `day`; with a `base`, a program and its files, there is the plan of how to ship what changed since. What `sign`
    makes of the statement about all artefacts is one more of them."""
    from meterspec.backends import manifest, stripe  # noqa: PLC0415 - backends are imported when asked for
    from meterspec.backends.base import Artifact  # noqa: PLC0415

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
    artifacts.append(manifest.sources(inputs, _organisation(files)))
    plan = []
    if base is not None:
        from meterspec.migration.plan import Base, emit  # noqa: PLC0415

        before, written = base
        known = Diagnostics()  # what a target cannot express was never deployed to it
        others = [target for target in targets if target != "compliance"]
        made = compile_program(
            before, written, known, targets=others, dialects=dialects, grain=grain, stripe_usage=stripe_usage
        )
        was, is_now = with_registries(base, (program, files))
        old = Base(was, [file.data for file in written], made)
        plan = list(emit(old, is_now, artifacts, dialects if "sql" in targets else ()))
    signed = []
    if "compliance" in targets:
        from meterspec.backends.compliance import SIGNATURE, Build  # noqa: PLC0415

        rollup = grain.value if grain is not None else None
        build = Build(tuple(targets), tuple(dialects), rollup, stripe_usage, as_of)
        artifacts += _compliance(program, files, build, artifacts)
        if sign is not None:
            signed = [Artifact(SIGNATURE, sign(artifacts[-1].text.encode()))]
    # A plan cannot be compiled again without its base, so the statement is not about it. The signature is no part of
    # what the manifest lists: who has no key can still say what a spec compiles to.
    artifacts += plan
    return [*artifacts, *signed, manifest.emit(program, inputs, artifacts)]


def _compliance(
    program: Program, files: Sequence[SpecFile], build: Build, artifacts: Sequence[Artifact]
) -> list[Artifact]:
    """What is below `compliance/`, over all other artefacts; what it finds, `load` has reported."""
    from meterspec.backends.compliance import Input, emit  # noqa: PLC0415

    judged = assess(program, files, Diagnostics(), as_of=build.as_of, always=True)
    assert judged is not None
    own = _organisation(files)
    inputs = [Input(file.name, file.data) for file in files] + ([Input(*own, "registry")] if own else [])
    return list(emit(program, judged, inputs, build, artifacts))
