"""The command `diff`: what the changes between two specs mean."""

from __future__ import annotations

import sys

from meterspec.commands.shared import FINDINGS, Exit, palette_of, program_of
from meterspec.project import collect
from meterspec.render import as_json, printable

__all__ = ["diff"]


def diff(base: str, head: str, format: str, fail_on: str | None) -> None:
    """Says what changes between two specs mean."""
    from meterspec.diff import as_json as changes_json  # noqa: PLC0415
    from meterspec.diff import diff as find_changes  # noqa: PLC0415

    before, _ = program_of(collect([base]))
    after, _ = program_of(collect([head]))
    found = find_changes(before, after)
    if format == "json":
        sys.stdout.write(as_json(changes_json(found)))
    else:
        palette = palette_of(sys.stdout)
        colours = {"breaking": "red", "review": "yellow", "safe": "green"}
        for change in found:
            impact = palette.paint(f"{change.impact.value}[{change.code}]", "bold", colours[change.impact.value])
            sys.stdout.write(f"{impact} {printable(change.message)}\n")
        counts = [(word, sum(change.impact.value == word for change in found)) for word in colours]
        words = ", ".join(f"{count} {word}" for word, count in counts if count)
        sys.stdout.write(f"{words or 'no change of meaning'}\n")
    ranks = ["safe", "review", "breaking"]
    if fail_on is not None and any(ranks.index(c.impact.value) >= ranks.index(fail_on) for c in found):
        raise Exit(FINDINGS)
