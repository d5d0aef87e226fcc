"""How long evidence is kept: what the spec says, what the regimes ask for, and from when either is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meterspec.assessment import Period
from meterspec.check.compliance.judging import Judge
from meterspec.diagnostics import Rule, Severity
from meterspec.ir import Compliance, Family, Meter, MeterKind, stated
from meterspec.regimes import CLOCKS, Regime, Retention

__all__ = ["check_retention"]

BELOW_REGIME = Rule(
    code="MS510",
    slug="retention-below-regime",
    title="Evidence that is kept for less time than a regime asks for",
    message="meter `{meter}` keeps its events for {declared} months, and `{regime}` asks for {wanted}: {reference}",
    why="The number rests on its events: once they are gone, nobody can show how it came about. A period that the "
    "registry did not read in a law, but derived from one, gives a warning.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 5
        compliance.retention_from = "period_end"
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 10
        compliance.retention_from = "period_end"
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
OTHER_STATE = Rule(
    code="MS513",
    slug="other-member-state",
    title="The law of one country on events that are under the law of another",
    message="family `{family}` is under the law of {state}, and `{regime}` is that of {wanted}",
    why="Periods and the place of storage differ from country to country.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.member_state = "DE"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
EARLY_CLOCK = Rule(
    code="MS514",
    slug="early-clock",
    title="A period that is long enough, and counted from too early",
    message="meter `{meter}` counts its {declared} months from `{clock}`, and `{regime}` counts {wanted} from "
    "`{wanted_clock}`",
    why="Years that begin at the end of the calendar year end up to twelve months later: eight years from the event "
    "are too short by as much.",
    severity=Severity.WARNING,
    bad="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 10
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 11
        compliance.member_state = "FR"
        compliance.event_log = "immutable"
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        compliance.regulatory_regimes = ["fr_commerce"]
    """,
)
DELETED_EARLY = Rule(
    code="MS515",
    slug="deleted-too-early",
    title="Storage that deletes events before they may be",
    message="the storage of family `{family}` deletes events after {deleted} months, and they are needed for {needed}: "
    "{source}",
    why="What is promised in the evidence has to be there when somebody asks for it.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 7
        compliance.deleted_after_years = 2
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.audit_retention_years = 7
        compliance.deleted_after_years = 8
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
HOT_WINDOW = Rule(
    code="MS516",
    slug="hot-window-too-short",
    title="Too few months of the log that can be read at once",
    message="family `{family}` has its newest {months} months at hand, and `{regime}` asks for {wanted}",
    why="PCI DSS 4.0.1, requirement 10.5.1: twelve months of history, of which the newest three are immediately "
    "available for analysis.",
    bad="""
        [[families]]
        name = "card.payment"
        compliance.event_log = "immutable"
        compliance.hot_months = 1
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
NO_ACCOUNTING = Rule(
    code="MS517",
    slug="no-accounting-regime",
    title="An invoiced meter under regimes, none of which is a law of accounting",
    message="meter `{meter}` is invoiced in {currency}, and none of its regimes is about accounts",
    why="The evidence of an invoice usually falls under a law of accounting or tax: Dir. 2006/112/EC Art. 244 to 247 "
    "leaves the period to each country.",
    severity=Severity.HINT,
    bad="""
        [[families]]
        name = "card.payment"
        compliance.event_log = "immutable"
        compliance.hot_months = 3
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss"]
    """,
    good="""
        [[families]]
        name = "card.payment"
        compliance.event_log = "immutable"
        compliance.hot_months = 3
        [[meters]]
        name = "payments"
        kind = "billing"
        source = { kind = "family", family = "card.payment" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
        compliance.regulatory_regimes = ["pci_dss", "uk_accounting"]
    """,
)


def check_retention(judge: Judge) -> None:
    """Reports MS510 and MS513 to MS517, and works out the periods of every meter and family."""
    for family, meters in judge.families:
        _check_state(judge, family, meters)
        _check_hot(judge, family, meters)
        clock, is_used = _clock_of(family), judge.noted or _is_limited(family)
        asked = [_asked(judge, family, meter, clock) for meter in meters]
        if not is_used:
            continue
        periods = [_period(judge, family, meter, sources) for meter, sources in zip(meters, asked, strict=True)]
        of_family = _of_family(judge, family, [period for period in periods if period is not None])
        if of_family is not None:
            _check_deletion(judge, family, of_family)
    for meter in judge.program.meters:
        _check_accounting(judge, meter)
    for regime in judge.done.regimes.values():
        for each in regime.retention:
            if each.covers != "events":
                judge.keeps(
                    Period(
                        subject="project",
                        evidence=each.evidence,
                        months=each.min_months,
                        clock=each.clock,
                        won_by=f"regime {regime.id}",
                        reference=each.reference,
                        verified=each.verified,
                        sources=((f"regime {regime.id}", each.min_months),),
                    )
                )


def _declared(family: Family, meter: Meter) -> tuple[int, str, Compliance] | None:
    """The months that a meter's events are kept by the spec, and who says so."""
    of_family, of_meter = family.compliance.audit_retention_years, meter.compliance.audit_retention_years
    if of_meter is not None and (of_family is None or of_meter > of_family):
        return of_meter * 12, f"meter {meter.name}", meter.compliance
    return None if of_family is None else (of_family * 12, f"family {family.name}", family.compliance)


def _clock_of(family: Family) -> str:
    return str(family.compliance.stated("retention_from") or CLOCKS[0])


def _is_limited(family: Family) -> bool:
    """Whether something is deleted or erased, so that how long it has to be kept is asked for."""
    ends = (stated(field.statements, "erase_after_months") for field in family.fields if field.statements)
    return family.compliance.stated("deleted_after_years") is not None or any(end is not None for end in ends)


_Asks = tuple[int, str, str, str | None, bool]
"""Months, their clock, who asks for them, where that is read, and whether it was verified."""


def _asked(judge: Judge, family: Family, meter: Meter, clock: str) -> list[_Asks]:
    """Who asks for how long of a meter's events, once each regime has been compared with what the spec says."""
    declared = _declared(family, meter)
    sources: list[_Asks] = []
    if declared is not None:
        sources.append((declared[0], clock, declared[1], None, True))
    for regime in judge.regimes_of(meter):
        for each in regime.retention:
            if each.covers != "events" or meter.kind.value not in each.kinds:
                continue
            waived = None if declared is None else _compare(judge, meter, declared, clock, regime, each)
            if waived is None:
                sources.append((each.min_months, each.clock, f"regime {regime.id}", each.reference, each.verified))
            else:
                sources.append((waived, each.clock, "override", each.reference, True))
    return sources


def _period(judge: Judge, family: Family, meter: Meter, sources: Sequence[_Asks]) -> Period | None:
    if not sources:
        return None
    months, counted, won_by, reference, verified = max(sources, key=lambda one: (one[0], CLOCKS.index(one[1])))
    period = Period(
        subject=meter.name,
        evidence=f"events of {family.name}",
        months=months,
        clock=counted,
        won_by=won_by,
        reference=reference,
        verified=verified,
        sources=tuple((who, asked) for asked, _, who, _, _ in sources),
        legal_hold=family.compliance.stated("legal_hold") == "true",
    )
    judge.keeps(period)
    return period


def _compare(
    judge: Judge,
    meter: Meter,
    declared: tuple[int, str, Compliance],
    clock: str,
    regime: Regime,
    each: Retention,
) -> int | None:
    """Reports MS510 or MS514; gives the months of an override where one counts."""
    months, who, own = declared
    is_late = CLOCKS.index(each.clock) > CLOCKS.index(clock) and months < each.min_months + 12
    if months >= each.min_months and not is_late and not judge.noted:
        return None
    at = own.origin and own.origin / "audit_retention_years"
    unverified = None if each.verified else f"this period of `{regime.id}` was derived, not read in a law"
    compared: dict[str, Any] = {
        "kept": f"{months} months from {clock} ({who})",
        "asked": f"{each.min_months} months from {each.clock} ({each.reference})",
    }
    if months < each.min_months:
        waiver = judge.waiver(BELOW_REGIME, meter.name, [regime])
        lowered = waiver.min_months if waiver is not None else None
        if lowered is not None:
            compared["override"] = f"{lowered} months"
        years = -(-each.min_months // 12)
        given = judge.fails(
            BELOW_REGIME,
            meter.name,
            at=at,
            hint=f"write `audit_retention_years = {years}`",
            regimes=[regime],
            unverified=unverified,
            waivable=lowered is None or months >= lowered,
            compared=compared,
            meter=meter.name,
            declared=months,
            regime=regime.id,
            wanted=each.min_months,
            reference=each.reference,
        )
        return months if given is not None else None
    judge.passes(BELOW_REGIME, meter.name, [regime], **compared)
    if is_late:
        judge.fails(
            EARLY_CLOCK,
            meter.name,
            at=at,
            hint=f'state `retention_from = "{each.clock}"`, or keep them for a year more',
            regimes=[regime],
            unverified=unverified,
            compared=compared,
            meter=meter.name,
            declared=months,
            clock=clock,
            regime=regime.id,
            wanted=each.min_months,
            wanted_clock=each.clock,
        )
    else:
        judge.passes(EARLY_CLOCK, meter.name, [regime], **compared)
    return None


def _of_family(judge: Judge, family: Family, periods: Sequence[Period]) -> Period | None:
    """The period of a family's events: the longest that the family states, or any of its meters needs."""
    years, clock = family.compliance.audit_retention_years, _clock_of(family)
    sources = [(period.months, period.clock, f"meter {period.subject}", period.reference) for period in periods]
    if years is not None:
        sources.append((years * 12, clock, f"family {family.name}", None))
    if not sources:
        return None
    months, counted, won_by, reference = max(sources, key=lambda one: (one[0], CLOCKS.index(one[1])))
    ceilings = [
        statement.value
        for field in family.fields
        for statement in field.statements
        if statement.name == "erase_after_months"
    ]
    period = Period(
        subject=family.name,
        evidence="events",
        months=months,
        clock=counted,
        won_by=won_by,
        reference=reference,
        verified=all(each.verified for each in periods if each.months == months),
        sources=tuple((who, asked) for asked, _, who, _ in sources),
        ceiling_months=min((value for value in ceilings if isinstance(value, int)), default=None),
        legal_hold=family.compliance.stated("legal_hold") == "true",
    )
    judge.keeps(period)
    return period


def _check_deletion(judge: Judge, family: Family, period: Period) -> None:
    years = family.compliance.stated("deleted_after_years")
    if not isinstance(years, int):
        return
    late = CLOCKS.index(period.clock) > 0
    needed = period.months + (12 if late else 0)
    compared: dict[str, Any] = {"deleted": f"{years * 12} months", "needed": f"{needed} months ({period.won_by})"}
    if years * 12 >= needed:
        judge.passes(DELETED_EARLY, family.name, **compared)
        return
    at = family.compliance.origin
    source = period.won_by + (f", counted from `{period.clock}`, up to a year after the event" if late else "")
    judge.fails(
        DELETED_EARLY,
        family.name,
        at=at and at / "deleted_after_years",
        hint=f"delete them after {-(-needed // 12)} years or later",
        unverified=None if period.verified else "the period was derived, not read in a law",
        compared=compared,
        family=family.name,
        deleted=years * 12,
        needed=needed,
        source=source,
    )


def _check_state(judge: Judge, family: Family, meters: Sequence[Meter]) -> None:
    state = family.compliance.stated("member_state")
    for regime in judge.regimes_of_family(family, meters):
        if regime.member_state is None or state is None:
            continue
        if regime.member_state == state:
            judge.passes(OTHER_STATE, family.name, [regime], member_state=state)
            continue
        at = family.compliance.origin
        judge.fails(
            OTHER_STATE,
            family.name,
            at=at and at / "member_state",
            regimes=[regime],
            compared={"member_state": state, "regime": regime.member_state},
            family=family.name,
            state=state,
            regime=regime.id,
            wanted=regime.member_state,
        )


def _check_hot(judge: Judge, family: Family, meters: Sequence[Meter]) -> None:
    months = family.compliance.stated("hot_months")
    for regime in judge.regimes_of_family(family, meters):
        if regime.hot_months is None or not isinstance(months, int):
            continue
        compared: dict[str, Any] = {"hot_months": months, "asked": regime.hot_months}
        if months >= regime.hot_months:
            judge.passes(HOT_WINDOW, family.name, [regime], **compared)
            continue
        at = family.compliance.origin
        judge.fails(
            HOT_WINDOW,
            family.name,
            at=at and at / "hot_months",
            regimes=[regime],
            compared=compared,
            family=family.name,
            months=months,
            regime=regime.id,
            wanted=regime.hot_months,
        )


def _check_accounting(judge: Judge, meter: Meter) -> None:
    regimes = judge.regimes_of(meter)
    if meter.kind is not MeterKind.BILLING or meter.price is None or not regimes:
        return
    accounting = [regime for regime in regimes if regime.accounting]
    if accounting:
        judge.passes(NO_ACCOUNTING, meter.name, accounting, currency=meter.price.currency)
        return
    at = meter.compliance.origin
    judge.fails(
        NO_ACCOUNTING,
        meter.name,
        at=at and at / "regulatory_regimes",
        hint="add the one of your country, such as `de_hgb_ao`, `fr_commerce`, `uk_accounting` or `sox`",
        compared={"currency": meter.price.currency},
        meter=meter.name,
        currency=meter.price.currency,
    )
