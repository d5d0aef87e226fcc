"""The Stripe backend: billing meters, products and prices as the bodies of the requests that create them.

`limits` says what Stripe cannot keep or would not take, at the line of the spec that asks for it; `bodies` writes the
rest, a file a meter. `docs/stripe.md` shows both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from meterspec.backends.base import Artifact, Backend
from meterspec.backends.stripe.bodies import document
from meterspec.backends.stripe.limits import SUPPORTS, check, subjects
from meterspec.ir import Program

__all__ = ["BACKEND", "check", "subjects"]


def emit(program: Program) -> Iterator[Artifact]:
    """`stripe/<sql_name>.json` for every billing meter that has a price."""
    for meter in subjects(program):
        text = json.dumps(document(meter), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        yield Artifact(PurePosixPath("stripe", f"{meter.sql_name}.json"), text)


BACKEND = Backend(name="stripe", supports=SUPPORTS, emit=emit)
