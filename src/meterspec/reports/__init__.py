"""A comparison of two specs as people and programs read it.

`comparison` is what there is to say; `text` says it on a terminal, `markdown` in a comment on a pull request, `github`
on the lines of one, `page` as a page with charts, and `document` to other programs.
"""

from __future__ import annotations

from meterspec.reports.comparison import Comparison, Movement, Reported, movements

__all__ = ["Comparison", "Movement", "Reported", "movements"]
