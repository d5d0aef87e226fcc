"""What a change of a spec means.

`changes` finds every difference of two programs, `rules` is the table that says what each one means, `words` puts
values into words, and `judge` brings them together: `diff(before, after)` gives verdicts, `as_json` their document.
"""

from meterspec.diff.changes import Change, Kind, renamed_dimensions
from meterspec.diff.judge import Verdict, as_json, diff, renamed
from meterspec.diff.rules import RULES, UNKNOWN, Area, ChangeRule, Impact, Shown

__all__ = [
    "RULES",
    "UNKNOWN",
    "Area",
    "Change",
    "ChangeRule",
    "Impact",
    "Kind",
    "Shown",
    "Verdict",
    "as_json",
    "diff",
    "renamed",
    "renamed_dimensions",
]
