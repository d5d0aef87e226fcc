"""The command `verify`: a build, or the evidence of a run, made again and compared."""

from __future__ import annotations

import sys
from pathlib import Path

from meterspec.commands.shared import FINDINGS, Exit, counted, palette_of, stop_on_errors
from meterspec.diagnostics import Diagnostics
from meterspec.render import as_json, printable

__all__ = ["verify"]


def verify(folder: str, key: str | None, format: str) -> None:
    """Says whether a folder is what it says it is; what is not is a finding."""
    from meterspec.verifying import verify as compare  # noqa: PLC0415

    out = Diagnostics()
    done = compare(Path(folder), out, None if key is None else Path(key))
    if format == "json":
        document = {
            "kind": done.kind,
            "verified": not out.has_errors,
            "files": done.files,
            "numbers": done.numbers,
            "signed_by": done.signed_by,
            "findings": [{"code": one.code, "message": one.message} for one in out],
        }
        sys.stdout.write(as_json(document))
        if out.has_errors:
            raise Exit(FINDINGS)
        return
    stop_on_errors(out)
    green = palette_of(sys.stdout)
    what = counted(done.files, "file")
    if done.kind == "run":
        words = f"{what} and {counted(done.numbers, 'number')}: the replay gives the same, byte for byte"
    else:
        words = f"{what}: the inputs compile to the same, byte for byte"
    sys.stdout.write(f"{green.paint('verified', 'bold', 'green')}: {printable(folder)}: {words}\n")
    if done.plan:
        words = f"{counted(done.plan, 'file')} of a plan from another spec: as listed, and not compiled again"
        sys.stderr.write(f"{words}\n")
    if done.signed_by is not None:
        sys.stdout.write(f"signed by key {done.signed_by}\n")
    elif done.has_signature:
        sys.stderr.write("there is a signature, and it was not looked at: `--key PUB` names the key it should be by\n")
