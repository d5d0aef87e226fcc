"""How long evidence is kept: what the spec says, what the regimes ask for, and from when either is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from meterspec.assessment import Ask, Period
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
DELETED_ON_HOLD = Rule(
    code="MS574",
    slug="deleted-on-legal-hold",
    title="A legal hold on events that storage deletes",
    message="family `{family}` is on legal hold, and its storage deletes events after {years} years",
    why="A hold beats every date: what a court or an authority has asked for must not go, however old it is.",
    bad="""
        [[families]]
        name = "api.call"
        compliance.legal_hold = true
        compliance.deleted_after_years = 20
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        [[families]]
        name = "api.call"
        compliance.legal_hold = true
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
    """Reports MS510, MS513 to MS517 and MS574, and works out the periods of every meter and family."""
    for family, meters in judge.families:
        _check_state(judge, family, meters)
        _check_hot(judge, family, meters)
        _check_hold(judge, family)
        clock = _clock_of(family)
        asked = {meter.name: _asked(judge, family, meter, clock) for meter in meters}
        if not judge.noted and not _is_limited(family):
            continue
        for name, sources in asked.items():
            if sources:
                evidence, is_held = f"events of {family.name}", _is_held(family)
                judge.keeps(Period(subject=name, evidence=evidence, asked=tuple(sources), legal_hold=is_held))
        of_family = _of_family(judge, family, chain.from_iterable(asked.values()))
        if of_family is not None:
            _check_deletion(judge, family, of_family)
    for meter in judge.program.meters:
        _check_accounting(judge, meter)
    for regime in judge.done.regimes.values():
        for each in regime.retention:
            if each.covers != "events":
                ask = Ask(
                    source=f"regime {regime.id}",
                    months=each.min_months,
                    clock=each.clock,
                    reference=each.reference,
                    verified=each.verified,
                )
                judge.keeps(Period(subject="project", evidence=each.evidence, asked=(ask,)))


def _declared(family: Family, meter: Meter) -> tuple[int, str, Compliance] | None:
    """The months that a meter's events are kept by the spec, and who says so."""
    of_family, of_meter = family.compliance.audit_retention_years, meter.compliance.audit_retention_years
    if of_meter is not None and (of_family is None or of_meter > of_family):
        return of_meter * 12, f"meter {meter.name}", meter.compliance
    return None if of_family is None else (of_family * 12, f"family {family.name}", family.compliance)


def _clock_of(family: Family) -> str:
    return str(family.compliance.stated("retention_from") or CLOCKS[0])


_LATER = {"period_end": 12, "calendar_year_end": 12, "publication": 24, "audit_conclusion": 24}
"""The most months after an event that a clock starts: reports and audits follow in the year after theirs. How long
something stays on the market or in effect, nobody knows."""


def _is_limited(family: Family) -> bool:
    """Whether something is deleted or erased, so that how long it has to be kept is asked for."""
    ends = (stated(field.statements, "erase_after_months") for field in family.fields if field.statements)
    return family.compliance.stated("deleted_after_years") is not None or any(end is not None for end in ends)


def _asked(judge: Judge, family: Family, meter: Meter, clock: str) -> list[Ask]:
    """Who asks for how long of a meter's events, once each regime has been compared with what the spec says."""
    declared = _declared(family, meter)
    asked: list[Ask] = []
    if declared is not None:
        asked.append(Ask(source=declared[1], months=declared[0], clock=clock))
    for regime in judge.regimes_of(meter):
        for each in regime.retention:
            if each.covers != "events" or meter.kind.value not in each.kinds:
                continue
            waived = None if declared is None else _compare(judge, meter, declared, clock, regime, each)
            asked.append(
                Ask(
                    source=f"regime {regime.id}" if waived is None else "override",
                    months=each.min_months if waived is None else waived,
                    clock=each.clock,
                    reference=each.reference,
                    verified=waived is not None or each.verified,
                    loose=None if waived is not None else judge.loose(regime) or _derived(regime, each),
                )
            )
    return asked


def _derived(regime: Regime, each: Retention) -> str | None:
    return None if each.verified else f"this period of `{regime.id}` was derived, not read in a law"


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
    more = _LATER.get(each.clock, months) - _LATER.get(clock, 0)
    is_late = CLOCKS.index(each.clock) > CLOCKS.index(clock) and months < each.min_months + more
    if months >= each.min_months and not is_late and not judge.noted:
        return None
    at = own.origin and own.origin / "audit_retention_years"
    unverified = _derived(regime, each)
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
        enough = f", or keep them for {-(-(each.min_months + more) // 12)} years"
        judge.fails(
            EARLY_CLOCK,
            meter.name,
            at=at,
            hint=f'state `retention_from = "{each.clock}"`' + (enough if each.clock in _LATER else ""),
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


def _of_family(judge: Judge, family: Family, asked: Iterable[Ask]) -> Period | None:
    """The period of a family's events: what the family states, and what is asked for of any of its meters."""
    years = family.compliance.audit_retention_years
    own = [Ask(source=f"family {family.name}", months=years * 12, clock=_clock_of(family))] if years is not None else []
    together = tuple(dict.fromkeys([*own, *asked]))
    if not together:
        return None
    ceilings = [stated(field.statements, "erase_after_months") for field in family.fields]
    period = Period(
        subject=family.name,
        evidence="events",
        asked=together,
        ceiling_months=min((value for value in ceilings if isinstance(value, int)), default=None),
        legal_hold=_is_held(family),
    )
    judge.keeps(period)
    return period


def _is_held(family: Family) -> bool:
    return family.compliance.stated("legal_hold") == "true"


def _check_hold(judge: Judge, family: Family) -> None:
    years = family.compliance.stated("deleted_after_years")
    if not _is_held(family):
        return
    compared: dict[str, Any] = {"legal_hold": "true", "deleted_after_years": years}
    if years is None:
        judge.passes(DELETED_ON_HOLD, family.name, **compared)
        return
    judge.fails(
        DELETED_ON_HOLD,
        family.name,
        at=family.compliance.origin and family.compliance.origin / "deleted_after_years",
        hint="stop the deletion and take the line out, until the hold ends",
        compared=compared,
        family=family.name,
        years=years,
    )


def _check_deletion(judge: Judge, family: Family, period: Period) -> None:
    """Reports MS515: of what binds first, and else of what nobody has verified."""
    years = family.compliance.stated("deleted_after_years")
    if not isinstance(years, int) or period.legal_hold:
        return
    longest = period.won
    broken = [one for one in period.asked if one.reach > years * 12]
    firm = max((one for one in broken if one.loose is None), key=lambda one: one.reach, default=None)
    first = firm or longest
    compared: dict[str, Any] = {"deleted": f"{years * 12} months", "needed": f"{first.reach} months ({first.source})"}
    if not broken:
        judge.passes(DELETED_EARLY, family.name, **compared)
        return
    at = family.compliance.origin
    hint = f"delete them after {-(-first.reach // 12)} years or later"
    if longest.reach > first.reach:
        hint += f"; {longest.source} asks for {-(-longest.reach // 12)}, but {longest.loose}"
    later = f", counted from `{first.clock}`, a year after the event or more" if first.reach > first.months else ""
    judge.fails(
        DELETED_EARLY,
        family.name,
        at=at and at / "deleted_after_years",
        hint=hint,
        unverified=first.loose,
        compared=compared,
        family=family.name,
        deleted=years * 12,
        needed=first.reach,
        source=first.source + later,
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
