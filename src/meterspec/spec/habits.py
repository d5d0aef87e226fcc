"""What people write from habit, and what it is here: words for the hints of the reader, once something is refused."""

from __future__ import annotations

import re

from meterspec.spec import shape

__all__ = ["CHOICES", "CHOICE_NOTES", "EXAMPLES", "HOMES", "KEYS", "NOTES", "repaired_name"]

_AMOUNT = dict.fromkeys(("price", "unit_price", "amount", "rate", "cost", "per_unit"), "unit_amount")
_FEE = dict.fromkeys(("fee", "flat_fee", "fixed_fee"), "base_fee")

KEYS: dict[type, dict[str, str]] = {
    shape.Document: {"version": "meterspec", "event": "families", "events": "families"},
    shape.Family: dict.fromkeys(("fields", "properties", "columns", "attributes"), "schema")
    | {"id_field": "event_id_field"},
    shape.FamilyField: {
        **dict.fromkeys(("enum", "choices", "allowed", "one_of"), "values"),
        **dict.fromkeys(("pii", "sensitive"), "personal"),
        "decimals": "scale",
        "digits": "precision",
    },
    shape.Meter: {
        **dict.fromkeys(("where", "condition"), "filter"),
        **dict.fromkeys(("price", "pricing", "entitlement", "entitlements"), "billing"),
        "type": "kind",
        "decimals": "precision",
        "examples": "tests",
    },
    shape.Source: {"type": "kind", "num": "numerator", "den": "denominator"},
    shape.Aggregate: {
        **dict.fromkeys(("function", "func", "type", "kind", "op", "method", "aggregation"), "fn"),
        **dict.fromkeys(("field", "property", "column", "expression", "expr", "of"), "value"),
        **dict.fromkeys(("dimensions", "by", "partition_by"), "group_by"),
        **dict.fromkeys(("period", "interval"), "window"),
    },
    shape.Billing: _AMOUNT
    | _FEE
    | dict.fromkeys(("free_units", "free", "included"), "included_units")
    | {"type": "model", "mode": "tier_mode", "period": "interval", "cap": "limit", "soft_limit": "brim_at"},
    shape.Tier: _AMOUNT
    | dict.fromkeys(_FEE, "flat_amount")
    | dict.fromkeys(("to", "until", "max", "last_unit"), "up_to"),
    shape.Rate: _AMOUNT | dict.fromkeys(("when", "where", "filter"), "match"),
    shape.ShortMeter: {"type": "kind", "cap": "limit", "soft_limit": "brim_at"},
    shape.Example: dict.fromkeys(("expected", "output", "rows"), "expect") | {"input": "events"},
    shape.WindowTable: dict.fromkeys(("length", "size"), "duration") | {"tz": "timezone", "type": "kind"},
    shape.Compliance: {
        **dict.fromkeys(("regimes", "frameworks"), "regulatory_regimes"),
        "zones": "jurisdiction",
        "regions": "storage",
    },
    shape.Sink: dict.fromkeys(("country", "zone", "location"), "region"),
    shape.Reporting: {
        **dict.fromkeys(("regimes", "frameworks"), "regulatory_regimes"),
        **dict.fromkeys(("datapoint", "xbrl", "xbrl_concept", "concept"), "disclosure"),
        "zones": "jurisdiction",
        "scope": "ghg_scope",
        "method": "ghg_method",
    },
}
"""Keys that other languages have, and the key of each table that says the same."""

_OPTIONAL = "leave it out: a field is optional unless it has `required = true`"
NOTES: dict[type, dict[str, str]] = {
    shape.FamilyField: {
        **dict.fromkeys(("optional", "nullable", "null"), _OPTIONAL),
        "default": "leave it out: an expression says what happens without the field, as in `has(x) ? x : 0`",
    },
    shape.Billing: {"hooks": "write `on_brim`, `on_low` and `on_dry` beside `limit`"},
    shape.Tier: {"from": "leave it out: a tier begins where the one before it ends"},
}
"""Keys that have no counterpart, and why."""

HOMES: dict[type, str] = {
    shape.Family: "[[families]]",
    shape.Meter: "[[meters]]",
    shape.Aggregate: "[meters.aggregate]",
    shape.Source: "[meters.source]",
    shape.Billing: "[meters.billing]",
    shape.FamilyField: "[families.schema.NAME]",
    shape.Compliance: "[families.compliance]",
    shape.WindowTable: 'window = { kind = "calendar", ... }',
    shape.Credits: "[meters.billing.credits]",
}
"""Where the keys of each table are written, in the order they are looked for."""

CHOICES: dict[str, dict[str, str]] = {
    "fn": {
        **dict.fromkeys(("mean", "average"), "AVG"),
        **dict.fromkeys(("count_distinct", "distinct", "count_unique", "unique_count", "cardinality"), "UNIQUE"),
        **dict.fromkeys(("total", "add"), "SUM"),
        "latest": "LAST",
        "earliest": "FIRST",
        "integral": "TIME_WEIGHTED",
        "weighted_sum": "TIME_WEIGHTED",
    },
    "type": {
        **dict.fromkeys(("number", "numeric", "money"), "decimal"),
        **dict.fromkeys(("text", "str", "uuid", "enum", "varchar"), "string"),
        **dict.fromkeys(("datetime", "date", "instant", "timestamptz"), "timestamp"),
        **dict.fromkeys(("double", "real"), "float"),
        **dict.fromkeys(("long", "bigint", "number(0)"), "integer"),
    },
    "model": {
        **dict.fromkeys(("tiered", "per_unit", "metered", "graduated", "volume", "package"), "usage"),
        **dict.fromkeys(("subscription", "fixed", "recurring"), "flat"),
        **dict.fromkeys(("hybrid", "mixed"), "combined"),
        "credits": "prepaid",
    },
    "up_to": dict.fromkeys(("inf", "unlimited", "max", "none", "null", "", "*", "∞"), "infinity"),
    "rounding": {
        **dict.fromkeys(("floor", "truncate", "trunc"), "down"),
        **dict.fromkeys(("ceil", "ceiling"), "up"),
        **dict.fromkeys(("bankers", "banker", "even"), "half_even"),
    },
    "interval": {"annual": "year", "annually": "year"},
    "kind": {
        **dict.fromkeys(("sum", "count", "delta", "cumulative"), "counter"),
        **dict.fromkeys(("last", "level"), "gauge"),
        **dict.fromkeys(("fixed", "hopping"), "tumbling"),
        **dict.fromkeys(("sliding", "trailing"), "rolling"),
        **dict.fromkeys(("forever", "all_time", "total"), "lifetime"),
        **dict.fromkeys(("invoice", "priced"), "billing"),
        **dict.fromkeys(("event", "events"), "family"),
    },
}
"""Values that other languages have, by key, in lower case."""

CHOICE_NOTES: dict[tuple[str, str], str] = {
    ("model", mode): f'write "usage", and `tier_mode = "{mode}"` beside the tiers' for mode in ("graduated", "volume")
}
"""Values that say more than one thing, and how it is written."""

EXAMPLES: dict[str, str] = {
    "name": 'name = "..."',
    "currency": 'currency = "EUR"',
    "source": '[meters.source]` with `kind = "family"',
    "up_to": 'up_to = "infinity"',
    "match": 'match = { region = "eu" }',
    "expect": "expect = [{ quantity = 1 }]",
    "events": "events = []",
}
"""How keys that have to be there are written; those with a few choices show the choices."""


def repaired_name(name: str, pattern: str) -> str | None:
    """The nearest name that a pattern takes, or None."""
    for text, joint in ((name.lower(), "-"), (name, "_")):
        repaired = re.sub(r"[^A-Za-z0-9._-]+" if joint == "-" else r"[^A-Za-z0-9]+", joint, text).strip("._-")
        if name.isascii() and re.fullmatch(pattern, repaired):
            return repaired
    return None
