"""The command `compile`: every artefact of a spec, or how a folder differs from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.shared import FINDINGS, Exit, one_of, program_of, stop_on_errors, write_diagnostics
from meterspec.pipeline import ON_REQUEST, TARGETS, compile_program
from meterspec.project import SpecFile, collect
from meterspec.render import order, printable

if TYPE_CHECKING:
    from meterspec.ir import Program

__all__ = ["compile_"]


def compile_(
    paths: Sequence[str],
    folder: str,
    targets: Sequence[str],
    dialects: Sequence[str],
    check: bool,
    rollup: str | None = None,
    stripe_usage: str = "event",
    base: str | None = None,
) -> None:
    """Writes every artefact of a spec, or with `check` says how the folder differs from them.

    `base` is the spec before, or a folder of its artefacts: the plan of how to ship what changed is written as well.
    """
    from meterspec.artifacts import compare, write  # noqa: PLC0415
    from meterspec.backends.sql import DIALECTS  # noqa: PLC0415
    from meterspec.ir import CalendarUnit  # noqa: PLC0415

    for target in targets:
        one_of("--target", target, (*TARGETS, *ON_REQUEST))
    for dialect in dialects:
        one_of("--dialect", dialect, tuple(DIALECTS))
    grain = CalendarUnit(rollup) if rollup is not None else None
    files = collect(paths)
    program, out = program_of(files)
    before = None if base is None else _before(base)
    artifacts = compile_program(
        program,
        files,
        out,
        targets=targets,
        dialects=dialects,
        grain=grain,
        stripe_usage=stripe_usage,
        base=before,
    )
    stop_on_errors(out)
    write_diagnostics(order(out), sys.stderr)
    if not check:
        write(artifacts, Path(folder))
        files_words = "1 file" if len(artifacts) == 1 else f"{len(artifacts)} files"
        sys.stderr.write(f"{files_words} in {printable(folder)}\n")
        return
    drift = compare(artifacts, Path(folder))
    for words, changed in (("stale", drift.stale), ("missing", drift.missing), ("orphan", drift.orphan)):
        for path in changed:
            sys.stdout.write(f"{words}: {printable(path)}\n")
    if drift:
        sys.stderr.write(f"{printable(folder)} is not what the spec compiles to: run `meterspec compile` again\n")
        raise Exit(FINDINGS)
    sys.stderr.write(f"{printable(folder)} is up to date\n")


def _before(base: str) -> tuple[Program, list[SpecFile]]:
    """The program before and its files: of a folder of artefacts, else of a path of a spec."""
    if (Path(base) / "manifest.json").is_file():
        from meterspec.baseline import deployed  # noqa: PLC0415

        files = deployed(Path(base))
    else:
        files = collect([base])
    return program_of(files)[0], files
