"""Personal data in numbers: what groups by it, what returns it, and how long it may stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from meterspec.assessment import Period
from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import Family, Field, Function, Meter, MeterKind, stated

__all__ = ["check_personal"]

GROUPED = Rule(
    code="MS530",
    slug="grouped-by-personal-data",
    title="A reported number for each person",
    message="meter `{meter}` is reported under {regimes} and groups by `{field}`, which is personal data",
    why="A total for a regulator becomes a record of persons: GDPR Art. 5(1)(c) asks for no more data than the purpose "
    "needs. Group by what the disclosure asks for, or by a pseudonym whose table is kept apart.",
    bad="""
        [[families]]
        name = "api.call"
        schema.mail = { type = "string", personal = true }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["mail"] }
        compliance.regulatory_regimes = ["uk_accounting"]
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.region = { type = "string" }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["region"] }
        compliance.regulatory_regimes = ["uk_accounting"]
    """,
)
UNCLASSIFIED = Rule(
    code="MS531",
    slug="personal-or-not",
    title="A reported number by a field that reads like personal data, and nobody says whether it is",
    message="meter `{meter}` groups by `{field}`, and whether that is personal data is not stated",
    why="GDPR Art. 30 wants to know. A customer can be a company or a person; only its owner knows which.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        compliance.regulatory_regimes = ["eu_taxonomy"]
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.customer_id = { type = "string", personal = false }
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        compliance.regulatory_regimes = ["eu_taxonomy"]
    """,
)
RAW_VALUE = Rule(
    code="MS532",
    slug="raw-personal-value",
    title="An aggregate that gives back one person's value",
    message="{fn} of `{field}` in meter `{meter}` is the value of one person",
    why="MIN, MAX, FIRST and LAST pick one event and show what it holds; nothing is summed up, though it is called an "
    "aggregate.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "payroll.run"
        schema.salary = { type = "decimal", required = true, personal = true }
        [[meters]]
        name = "highest"
        source = { kind = "family", family = "payroll.run" }
        aggregate = { fn = "MAX", value = "salary" }
    """,
    good="""
        [[families]]
        name = "payroll.run"
        schema.salary = { type = "decimal", required = true, personal = true }
        [[meters]]
        name = "average"
        source = { kind = "family", family = "payroll.run" }
        aggregate = { fn = "AVG", value = "salary" }
    """,
)
BEYOND_PURPOSE = Rule(
    code="MS533",
    slug="kept-beyond-purpose",
    title="Personal data that has to go before its events may",
    message="`{field}` of family `{family}` may be kept for {ceiling} months, and its events have to be for {floor}",
    why="Floor and ceiling meet in one row: GDPR Art. 5(1)(e) and 17(3)(b). They can both be kept where the field can "
    "be taken out of the row alone: `erasure` says how.",
    bad="""
        [[families]]
        name = "api.call"
        schema.mail = { type = "string", personal = true, erase_after_months = 24 }
        compliance.audit_retention_years = 10
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.mail = { type = "string", personal = true, erase_after_months = 24 }
        compliance.audit_retention_years = 10
        compliance.erasure = "crypto_shred"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
ERASED_DIMENSION = Rule(
    code="MS534",
    slug="erased-dimension",
    title="An invoiced number that changes once a person is erased",
    message='meter `{meter}` groups by `{field}`, which `erasure = "{erasure}"` takes out of the events',
    why="After the erasure a replay gives another number than the invoice, or puts it under nobody. A pseudonym that "
    "stays, with a table that is erased, keeps the sum.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        schema.customer_id = { type = "string", personal = true }
        compliance.erasure = "tombstone"
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        [[families]]
        name = "api.call"
        schema.customer_id = { type = "string", personal = true }
        compliance.erasure = "pseudonym_map"
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)
CARD_NUMBER = Rule(
    code="MS535",
    slug="card-data-in-events",
    title="A field that by its name holds the data of a card",
    message="`{field}` of family `{family}` reads like the data of a card, and `pci_dss` forbids it in a log",
    why="PCI DSS 4.0.1, requirement 3.3: sensitive authentication data is not stored after authorisation; 3.5: the "
    "number of a card is unreadable wherever it is kept.",
    bad="""
        [[families]]
        name = "card.payment"
        schema.card_number = { type = "string" }
        compliance.event_log = "immutable"
        compliance.hot_months = 3
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss", "asc606"]
    """,
    good="""
        [[families]]
        name = "card.payment"
        schema.card_token = { type = "string" }
        compliance.event_log = "immutable"
        compliance.hot_months = 3
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss", "asc606"]
    """,
)

_PERSONAL = {
    *("customer", "user", "person", "employee", "driver", "patient", "subject", "email", "mail", "name", "phone"),
    *("msisdn", "ip", "address", "iban", "birthday", "birthdate", "username", "firstname", "lastname"),
}
_CARD = re.compile(r"(^|_)(pan|cvv2?|cvc2?|cav2|cid2|card_?(number|no|pan)|track_?[12]|pin_?block)($|_)", re.IGNORECASE)
_ONE_VALUE = {Function.MIN, Function.MAX, Function.FIRST, Function.LAST}
_ERASES = {"tombstone", "crypto_shred", "external_store"}


def check_personal(judge: Judge) -> None:
    """Reports MS530 to MS535."""
    floors = {period.subject: period for period in judge.done.periods if period.evidence == "events"}
    for family, meters in judge.families:
        _check_ceilings(judge, family, floors.get(family.name))
        fields = {field.name: field for field in family.fields}
        erasure = family.compliance.stated("erasure")
        for meter in meters:
            _check_groups(judge, meter, fields, erasure)
            _check_value(judge, meter, fields)
        _check_cards(judge, family, meters)


def _check_groups(judge: Judge, meter: Meter, fields: dict[str, Field], erasure: str | int | None) -> None:
    regimes = judge.regimes_of(meter)
    for number, name in enumerate(meter.group_by):
        field = fields[name]
        if not judge.noted and not field.personal and (field.personal is False or not _reads_personal(name)):
            continue
        at = meter.origin and meter.origin / "aggregate" / "group_by" / number
        compared: dict[str, Any] = {
            "field": name,
            "personal": {True: "yes", False: "no", None: "not stated"}[field.personal],
        }
        if meter.kind is MeterKind.REPORTING and regimes:
            if field.personal:
                facts: dict[str, Any] = {"meter": meter.name, "field": name}
                judge.fails(GROUPED, meter.name, at=at, regimes=regimes, compared=compared, **facts)
            else:
                judge.passes(GROUPED, meter.name, regimes, **compared)
            if field.personal is None and _reads_personal(name):
                hint = f"write `personal = true` or `personal = false` in `[families.schema.{name}]`"
                facts = {"meter": meter.name, "field": name}
                judge.fails(UNCLASSIFIED, meter.name, at=at, hint=hint, compared=compared, **facts)
            else:
                judge.passes(UNCLASSIFIED, meter.name, **compared)
        if meter.kind is MeterKind.BILLING and field.personal and erasure is not None:
            compared["erasure"] = str(erasure)
            if erasure in _ERASES:
                facts = {"meter": meter.name, "field": name, "erasure": str(erasure)}
                judge.fails(ERASED_DIMENSION, meter.name, at=at, compared=compared, **facts)
            else:
                judge.passes(ERASED_DIMENSION, meter.name, **compared)


@cache
def _reads_personal(name: str) -> bool:
    words = re.split(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])", name)
    return not _PERSONAL.isdisjoint(word.lower() for word in words)


def _check_value(judge: Judge, meter: Meter, fields: dict[str, Field]) -> None:
    aggregate = meter.aggregate
    if aggregate is None or aggregate.function not in _ONE_VALUE:
        return
    named = [name for name, _ in judge.fields_of(meter)]
    personal = [name for name in named if name in fields and fields[name].personal]
    compared: dict[str, Any] = {"fn": aggregate.function.value, "fields": " ".join(named)}
    if not personal:
        judge.passes(RAW_VALUE, meter.name, **compared)
        return
    judge.fails(
        RAW_VALUE,
        meter.name,
        at=meter.origin and meter.origin / "aggregate" / "fn",
        hint="`AVG`, `SUM` and `COUNT` are made of many events",
        compared=compared,
        fn=aggregate.function.value,
        field=personal[0],
        meter=meter.name,
    )


def _check_ceilings(judge: Judge, family: Family, floor: Period | None) -> None:
    erasure = family.compliance.stated("erasure")
    for field in family.fields:
        ceiling = stated(field.statements, "erase_after_months")
        if not isinstance(ceiling, int) or floor is None:
            continue
        broken = [one for one in floor.asked if one.months > ceiling]
        firm = [one for one in broken if one.loose is None]
        first = max(firm or floor.asked, key=lambda one: one.months)
        compared: dict[str, Any] = {
            "field": field.name,
            "ceiling": ceiling,
            "floor": f"{first.months} ({first.source})",
            "erasure": erasure,
        }
        if not broken or erasure is not None:
            judge.passes(BEYOND_PURPOSE, family.name, **compared)
            continue
        judge.fails(
            BEYOND_PURPOSE,
            family.name,
            at=field.origin and field.origin / "erase_after_months",
            hint='state `compliance.erasure`: "pseudonym_map" or "crypto_shred" take a person out and leave the event',
            unverified=first.loose,
            compared=compared,
            field=field.name,
            family=family.name,
            ceiling=ceiling,
            floor=first.months,
        )


def _check_cards(judge: Judge, family: Family, meters: Sequence[Meter]) -> None:
    regimes = [regime for regime in judge.regimes_of_family(family, meters) if regime.id == "pci_dss"]
    if not regimes:
        return
    found = [field for field in family.fields if _CARD.search(field.name)]
    for field in found:
        judge.fails(
            CARD_NUMBER,
            family.name,
            at=field.origin,
            hint="keep a token of the payment provider instead",
            regimes=regimes,
            compared={"field": field.name},
            field=field.name,
            family=family.name,
        )
    if not found:
        judge.passes(CARD_NUMBER, family.name, regimes, fields=len(family.fields))
