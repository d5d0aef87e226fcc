"""The Stripe backend: what a price needs at Stripe as the bodies of requests, and the usage that Stripe is sent as SQL.

`limits` says what Stripe cannot keep or would not take, at the line of the spec that asks for it; `bodies` writes the
rest, a file a meter; `usage` writes the views of the meter events, on those of the SQL target. `docs/stripe.md` shows
all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from meterspec.backends.base import Artifact, Backend
from meterspec.backends.stripe.bodies import (
    DIGEST,
    FEATURE_ID,
    METER_ID,
    OWNER,
    ROLE,
    Body,
    Usage,
    content_hash,
    document,
)
from meterspec.backends.stripe.limits import NO_EXPORT, SUPPORTS, check, subjects, support_table
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Meter, PriceModel, Program

__all__ = [
    "BACKEND",
    "DIGEST",
    "FEATURE_ID",
    "METER_ID",
    "OWNER",
    "ROLE",
    "SUPPORTS",
    "Body",
    "Usage",
    "check",
    "check_export",
    "content_hash",
    "document",
    "emit",
    "emit_export",
    "subjects",
    "support_table",
]


def emit(program: Program, usage: Usage = Usage.EVENT) -> Iterator[Artifact]:
    """`stripe/<sql_name>.json` for every billing meter that has a price."""
    for meter in subjects(program):
        text = json.dumps(document(meter, usage), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        yield Artifact(PurePosixPath("stripe", f"{meter.sql_name}.json"), text)


BACKEND = Backend(name="stripe", supports=SUPPORTS, emit=emit)


def check_export(program: Program, dialect: str, out: Diagnostics) -> None:
    """Reports what a dialect cannot express of the usage export: MS600, MS601 for a name, or MS626 for all of it."""
    from meterspec.backends import sql  # noqa: PLC0415 - only where usage is exported
    from meterspec.backends.stripe.usage import view_name  # noqa: PLC0415

    meters = _exported(program)
    if not sql.DIALECTS[dialect].has_decimals:
        for meter in meters:
            at, hint = (
                meter.origin and meter.origin / "name",
                "add a dialect that it can be exported from, such as duckdb",
            )
            out.report(NO_EXPORT, at=at, hint=hint, meter=meter.name, target=f"sql/{dialect}")
        return
    sql.check(program, meters, dialect, out)
    if not out.has_errors:
        for meter in meters:
            sql.check_name(view_name(meter), f"meter `{meter.name}`", meter.origin, dialect, out)


def emit_export(program: Program, dialects: Sequence[str], usage: Usage = Usage.EVENT) -> Iterator[Artifact]:
    """`stripe/usage_export/<dialect>.sql`, where a meter has usage to send and the engine has decimals and a hash."""
    from meterspec.backends.sql import DIALECTS  # noqa: PLC0415
    from meterspec.backends.stripe.usage import export  # noqa: PLC0415

    meters = _exported(program)
    for dialect in dialects if meters else ():
        if DIALECTS[dialect].has_decimals:
            yield export(program, meters, dialect, usage)


def _exported(program: Program) -> tuple[Meter, ...]:
    return tuple(m for m in subjects(program) if m.price is not None and m.price.model is not PriceModel.FLAT)
