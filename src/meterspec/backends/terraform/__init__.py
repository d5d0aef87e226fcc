"""The Terraform backend: the objects of the Stripe backend as resources of Stripe's own provider.

What Stripe cannot keep is found by the checks of the Stripe backend; `resources` turns its bodies into resources that
refer to one another. `docs/terraform.md` shows the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from meterspec.backends.base import Artifact, Backend
from meterspec.backends.stripe import SUPPORTS, Usage, check, subjects
from meterspec.backends.terraform.resources import configuration
from meterspec.ir import Program

__all__ = ["BACKEND", "check", "emit"]


def emit(program: Program, usage: Usage = Usage.EVENT) -> Iterator[Artifact]:
    """`terraform/meterspec.tf.json`, where a billing meter has a price."""
    meters = subjects(program)
    if meters:
        text = json.dumps(configuration(meters, usage), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        yield Artifact(PurePosixPath("terraform", "meterspec.tf.json"), text)


BACKEND = Backend(name="terraform", supports=SUPPORTS, emit=emit)
