"""Event files: read exactly as written, checked against their family, each event once, and what came of every row.

`files` finds what the command line names, `engine` is the embedded engine they are read on, `lines` and `columns` read
the formats, `values` says how a field is read from each of them, and `log` puts the rows of a family together and finds
its repeats. `cycles` are the billing cycles that come with the events.
"""

from __future__ import annotations

from meterspec.events.cycles import Anchor, Cycle, define_cycles, outside_cycles, read_cycles
from meterspec.events.engine import engine, installed, step
from meterspec.events.files import NO_SUCH_FAMILY, WHICH_FAMILY, EventFiles, find
from meterspec.events.log import Ignored, Quality, Reject, load, rejects, settle
from meterspec.events.sources import OTHER_FAMILY, ROW, UNREADABLE

__all__ = [
    "NO_SUCH_FAMILY",
    "OTHER_FAMILY",
    "ROW",
    "UNREADABLE",
    "WHICH_FAMILY",
    "Anchor",
    "Cycle",
    "EventFiles",
    "Ignored",
    "Quality",
    "Reject",
    "define_cycles",
    "engine",
    "find",
    "installed",
    "load",
    "outside_cycles",
    "read_cycles",
    "rejects",
    "settle",
    "step",
]
