"""MD55x and MD56x: what the registry asks of what a spec names, where an organisation's file of it changed."""

from __future__ import annotations

from meterspec.diff.rules.conditions import (
    added,
    fewer_names,
    lowered,
    more_names,
    raised,
    removed,
    to,
    was,
)
from meterspec.diff.rules.rule import Area, ChangeRule, Impact, Shown, on
from meterspec.ir import Leave, Program, Regime, Term, Zone

__all__ = ["RULES"]

_REGIME = """# meterspec.regimes.toml
[[regimes]]
id = "house_policy"
title = "Records policy"
legal_reference = "Resolution 12"
"""
_PERIOD = f"""{_REGIME}[[regimes.retention]]
evidence = "event_log"
covers = "events"
min_months = 24
clock = "period_end"
reference = "section 3"
"""
_ZONE = """# meterspec.regimes.toml
[[zones]]
id = "house_zone"
members = ["DE", "FR"]
"""
_LEAVE = """# meterspec.regimes.toml
[[overrides]]
rule = "MS511"
subject = "traffic"
approver = "J. Doe, general counsel"
legal_basis = "relief of 2026-01-10"
approved_on = 2026-01-10
expires_on = 2027-01-10
"""

RULES = (
    ChangeRule("MD550", "requirement-added", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD551",),
               title="A regime of the organisation asks for more",
               message="{where} asks for `{after}` as well; it binds {bound}",
               why="What it binds has to state that, and be so.",
               applies=on(Regime, "requires", added),
               example=Shown("registry", _REGIME, f'{_REGIME}requires = ["event_log"]')),
    ChangeRule("MD551", "requirement-removed", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD550",),
               title="A regime of the organisation asks for less",
               message="{where} no longer asks for `{before}`; it binds {bound}",
               why="What nobody asks for is not looked for any more.",
               applies=on(Regime, "requires", removed)),
    ChangeRule("MD552", "regime-period-added", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD553",),
               title="A regime of the organisation asks for one more class of evidence",
               message="regime `{subject}` asks for {after} as well; it binds {bound}",
               why="Storage and deletion jobs have to follow.",
               applies=on(Regime, "terms", added),
               example=Shown("registry", _REGIME, _PERIOD)),
    ChangeRule("MD553", "regime-period-removed", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD552",),
               title="A regime of the organisation asks for one class of evidence less",
               message="regime `{subject}` no longer asks for {before}; it binds {bound}",
               why="What an auditor may ask for can be gone; what was promised for past events still holds.",
               applies=on(Regime, "terms", removed)),
    ChangeRule("MD554", "regime-period-raised", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD555",),
               title="A regime of the organisation asks for more months",
               message="{where}: `{key}` is {after}, was {before}; it binds {bound}",
               why="Storage and deletion jobs have to follow, and personal data is kept longer.",
               applies=on(Term, "months", raised()) + on(Regime, "hot_months", raised()),
               example=Shown("registry", _PERIOD, _PERIOD.replace("24", "36"))),
    ChangeRule("MD555", "regime-period-lowered", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD554",),
               title="A regime of the organisation asks for fewer months",
               message="{where}: `{key}` is {after}, was {before}; it binds {bound}",
               why="What an auditor may ask for can be gone; what was promised for past events still holds.",
               applies=on(Term, "months", lowered()) + on(Regime, "hot_months", lowered())),
    ChangeRule("MD556", "regime-period-changed", Impact.BREAKING, Area.OBLIGATIONS,
               title="A regime of the organisation counts months otherwise, or of other evidence",
               message="{where}: `{key}` is {after}, was {before}; it binds {bound}",
               why="As many months from an earlier day, or of other evidence, end earlier for what was kept.",
               applies=on(Term, "clock") + on(Term, "covers"),
               example=Shown("registry", _PERIOD, _PERIOD.replace("period_end", "calendar_year_end"))),
    ChangeRule("MD557", "regime-kind-added", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD558",),
               title="A regime of the organisation is about more meters",
               message="{where} is about {after} meters as well; it binds {bound}",
               why="Numbers that it left alone are bound by it.",
               applies=on(Regime, "applies_to", added) + on(Term, "kinds", added),
               example=Shown("registry", f'{_REGIME}applies_to = ["reporting"]', _REGIME)),
    ChangeRule("MD558", "regime-kind-removed", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD557",),
               title="A regime of the organisation is about fewer meters",
               message="{where} is no longer about {before} meters; it binds {bound}",
               why="Numbers that it bound are left alone.",
               applies=on(Regime, "applies_to", removed) + on(Term, "kinds", removed)),
    ChangeRule("MD559", "registry-restated", Impact.REVIEW, Area.OBLIGATIONS,
               title="The organisation says otherwise where a regime or zone stands",
               message="{where}: `{key}` is {after}, was {before}; it binds {bound}",
               why="Evidence quotes it; and what nobody verified is a warning at most.",
               applies=on(Regime, "title") + on(Regime, "legal_reference") + on(Term, "reference")
               + on(Term, "verified") + on(Zone, "verified") + on(Zone, "source"),
               example=Shown("registry", _REGIME, _REGIME.replace("12", "14"))),
    ChangeRule("MD560", "zone-country-added", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD561",),
               title="A zone of the organisation has more countries",
               message="{where} has {more} as well; it binds {bound}",
               why="Events may be kept where customers were told they would not be.",
               applies=on(Zone, "members", more_names),
               example=Shown("registry", _ZONE, _ZONE.replace('"FR"', '"FR", "IE"'))),
    ChangeRule("MD561", "zone-country-removed", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD560",),
               title="A zone of the organisation has fewer countries",
               message="{where} no longer has {fewer}; it binds {bound}",
               why="Where the events are kept today may not be where they may be kept.",
               applies=on(Zone, "members", fewer_names)),
    ChangeRule("MD568", "zone-moved", Impact.BREAKING, Area.OBLIGATIONS,
               title="A zone of the organisation has other countries",
               message="{where} has {more} instead of {fewer}; it binds {bound}",
               why="Events may be kept where customers were told they would not be, and not where they are.",
               applies=on(Zone, "members"),
               example=Shown("registry", _ZONE, _ZONE.replace('"FR"', '"IE"'))),
    ChangeRule("MD562", "zone-restricted", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD563",),
               title="Nothing may leave a zone of the organisation any more",
               message="nothing may leave {where}; it binds {bound}",
               why="What another zone of the same list permits no longer counts.",
               applies=on(Zone, "restricted", to(True)),
               example=Shown("registry", _ZONE, f"{_ZONE}restricted = true")),
    ChangeRule("MD563", "zone-opened", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD562",),
               title="A zone of the organisation may be left",
               message="what another zone permits may leave {where}; it binds {bound}",
               why="Customers were told that nothing leaves it.",
               applies=on(Zone, "restricted", was(True))),
    ChangeRule("MD564", "leave-given", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD565",),
               title="There is leave to break a rule",
               message="`{subject}` has leave to break {after}",
               why="It is bound to less than it was; `validate` says so no more.",
               applies=on(Program, "leaves", added),
               example=Shown("registry", "# meterspec.regimes.toml", _LEAVE)),
    ChangeRule("MD565", "leave-withdrawn", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD564",),
               title="There is no leave to break a rule any more",
               message="`{subject}` no longer has leave to break {before}",
               why="What it was spared has to be met.",
               applies=on(Program, "leaves", removed)),
    ChangeRule("MD566", "leave-changed", Impact.BREAKING, Area.OBLIGATIONS,
               title="Leave to break a rule is for another time, or of another period",
               message="{where}: `{key}` is {after}, was {before}",
               why="Who gave it answers for each day of it.",
               applies=on(Leave, "approved_on") + on(Leave, "expires_on") + on(Leave, "months"),
               example=Shown("registry", _LEAVE, _LEAVE.replace("2027-01-10", "2028-01-10"))),
    ChangeRule("MD567", "leave-restated", Impact.REVIEW, Area.OBLIGATIONS,
               title="Leave to break a rule is given by another person, or rests on something else",
               message="{where}: `{key}` is {after}, was {before}",
               why="The evidence names who answers for it, and on what basis.",
               applies=on(Leave, "approver") + on(Leave, "legal_basis"),
               example=Shown("registry", _LEAVE, _LEAVE.replace("J. Doe", "M. Roe"))),
)  # fmt: skip
