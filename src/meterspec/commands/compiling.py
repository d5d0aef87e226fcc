"""The command `compile`: every artefact of a spec, or how a folder differs from them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.commands.shared import (
    BAD_ARGUMENT,
    FINDINGS,
    Exit,
    day_argument,
    one_of,
    program_of,
    stop_on_errors,
    write_diagnostics,
)
from meterspec.diagnostics import Failure
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
    as_of: str | None = None,
    key: str | None = None,
) -> None:
    """Writes every artefact of a spec, or with `check` says how the folder differs from them.

    `base` is the spec before, or a folder of its artefacts: the plan of how to ship what changed is written as well.
    Obligations are judged on the day `as_of`; with a `key`, the statement about all artefacts is signed.
    """
    import gc  # noqa: PLC0415

    from meterspec.artifacts import compare, write  # noqa: PLC0415
    from meterspec.backends.compliance import SIGNATURE  # noqa: PLC0415
    from meterspec.backends.sql import DIALECTS  # noqa: PLC0415
    from meterspec.ir import CalendarUnit  # noqa: PLC0415

    for target in targets:
        one_of("--target", target, (*TARGETS, *ON_REQUEST))
    for dialect in dialects:
        one_of("--dialect", dialect, tuple(DIALECTS))
    grain = CalendarUnit(rollup) if rollup is not None else None
    files, day = collect(paths), day_argument(as_of)
    sign = _signer(key, targets)
    program, out = program_of(files, day)
    before = None if base is None else _before(base)
    # Trees of SQL are cycles, a megabyte of them for each meter: what is printed has to go.
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
    artifacts = compile_program(
        program,
        files,
        out,
        targets=targets,
        dialects=dialects,
        grain=grain,
        stripe_usage=stripe_usage,
        base=before,
        as_of=day,
        sign=sign,
    )
    stop_on_errors(out)
    write_diagnostics(order(out), sys.stderr)
    if not check:
        write(artifacts, Path(folder))
        files_words = "1 file" if len(artifacts) == 1 else f"{len(artifacts)} files"
        sys.stderr.write(f"{files_words} in {printable(folder)}\n")
        return
    drift = compare(artifacts, Path(folder), besides=() if sign else (str(SIGNATURE),))
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


def _signer(key: str | None, targets: Sequence[str]) -> Callable[[bytes], str] | None:
    """What signs the statement with the key of a file."""
    if key is None:
        return None
    if "compliance" not in targets:
        hint = "leave `--target` out, or add `compliance` to it"
        reason = " without the target `compliance`, whose statement is signed"
        raise Failure(BAD_ARGUMENT, argument="--sign", value=key, reason=reason, hint=hint)
    from meterspec.attestation import signer  # noqa: PLC0415

    return signer(Path(key))
