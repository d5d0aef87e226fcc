"""Documents for the benchmarks: any number of meters in the full form, every expression another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["expressions", "write"]

_FAMILY = """
[[families]]
name = "service.n{n}"
event_id_field = "run_id"
event_time_field = "finished_at"

[families.schema.duration_ms]
type = "integer"
required = true
unit = "ms"
min = 0
max = 86400000

[families.schema.queued_ms]
type = "integer"
required = true
unit = "ms"
min = 0
max = 10000000

[families.schema.status]
type = "string"
required = true
values = ["ok", "failed", "cancelled"]

[families.schema.customer_id]
type = "string"
required = true
personal = false

[families.schema.region]
type = "string"

[families.compliance]
jurisdiction = ["eu"]
storage = ["DE"]
event_log = "immutable"
audit_retention_years = 7
retention_from = "calendar_year_end"
"""

_METER = """
[[meters]]
name = "meter-{n}"
kind = "{kind}"
description = "Measures something of service {family}."
filter = "{filter}"

[meters.source]
kind = "family"
family = "service.n{family}"

[meters.aggregate]
fn = "SUM"
value = "{value}"
group_by = ["customer_id", "region"]
{rest}"""

_BILLED = """\
window = "billing_cycle"

[meters.billing]
model = "usage"
currency = "EUR"
included_units = {included}
tiers = [
  {{ up_to = {bound}, unit_amount = 0.45 }},
  {{ up_to = "infinity", unit_amount = 0.30 }},
]
"""

_REPORTED = """\
[meters.aggregate.window]
kind = "rolling"
duration_seconds = 2592000

[meters.compliance]
regulatory_regimes = ["csrd"]
audit_retention_years = 10
"""


def expressions(count: int) -> Iterator[tuple[str, str]]:
    """Filters and values, no two alike."""
    for n in range(count):
        kept = f"status == 'ok' && duration_ms > {n} && queued_ms < {n + 100000}"
        value = f"duration_ms / {3600001 + n}.0 + queued_ms * 0.{n:05}7"
        yield kept, value


def write(path: Path, meters: int) -> Path:
    """Writes a spec with a family for every ten meters."""
    with path.open("w", encoding="utf-8") as file:  # piece by piece: who measures memory has to need little of it
        file.writelines(_document(meters))
    return path


def _document(meters: int) -> Iterator[str]:
    yield '[sinks.stripe]\nregion = "IE"\n'
    for n, (kept, value) in enumerate(expressions(meters)):
        if n % 10 == 0:
            yield _FAMILY.format(n=n // 10)
        billed = n % 2 == 0
        rest = _BILLED.format(included=n, bound=n + 1000) if billed else _REPORTED
        kind = "billing" if billed else "reporting"
        yield _METER.format(n=n, kind=kind, family=n // 10, filter=kept, value=value, rest=rest)
