"""How to ship a change: what to do, in which order, so that nothing reads what is not there yet.

`steps` makes of changes what people have to do; `views` makes of two programs the statements that take a warehouse from
one to the other; `plan` writes both beside the artefacts.
"""

from __future__ import annotations

from meterspec.migration.steps import Action, Step, steps

__all__ = ["Action", "Step", "steps"]
