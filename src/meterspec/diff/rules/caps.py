"""MD4xx: caps on usage, and the hooks that run at them."""

from __future__ import annotations

from meterspec.diff.rules.conditions import ENDLESS, added, lowered, raised, removed, replaced, to
from meterspec.diff.rules.rule import Area, ChangeRule, Impact, Shown, on
from meterspec.ir import Credits, Entitlement, Hooks

__all__ = ["RULES"]

_PREPAID = 'model = "prepaid"\ncurrency = "EUR"\n'

RULES = (
    ChangeRule("MD401", "limit-lowered", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD402",),
               title="The hard cap goes down",
               message="the hard cap of meter `{subject}` is {after}, was {before}",
               why="Customers are cut off at usage that they were allowed until now.",
               applies=on(Entitlement, "limit", lowered(ENDLESS)),
               example=Shown("meters.billing", "limit = 1000", "limit = 500")),
    ChangeRule("MD402", "limit-raised", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD401",),
               title="The hard cap goes up",
               message="the hard cap of meter `{subject}` is {after}, was {before}",
               why="Customers may use, and be invoiced for, more than until now.",
               applies=on(Entitlement, "limit", raised(ENDLESS))),
    ChangeRule("MD403", "brim-lowered", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD404",),
               title="The soft cap goes down",
               message="the soft cap of meter `{subject}` is {after}, was {before}",
               why="Customers spill earlier; nobody is cut off, but what runs at the brim runs sooner.",
               applies=on(Entitlement, "brim_at", lowered(ENDLESS)),
               example=Shown("meters.billing", "brim_at = 800", "brim_at = 500")),
    ChangeRule("MD404", "brim-raised", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD403",),
               title="The soft cap goes up",
               message="the soft cap of meter `{subject}` is {after}, was {before}",
               why="Customers spill later, so a warning that they rely on comes later.",
               applies=on(Entitlement, "brim_at", raised(ENDLESS))),
    ChangeRule("MD405", "hook-added", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD406",),
               title="A hook is new",
               message="`{key}` of meter `{subject}` runs `{after}`; nothing ran",
               why="The application has to know the hook.",
               applies=on(Hooks, "on_brim", added) + on(Hooks, "on_low", added) + on(Hooks, "on_dry", added),
               example=Shown("meters.billing", "brim_at = 9", 'brim_at = 9\non_brim = "alert.team"')),
    ChangeRule("MD406", "hook-removed", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD405",),
               title="A hook is gone",
               message="`{key}` of meter `{subject}` runs nothing; it ran `{before}`",
               why="Whoever was told at this level is no longer told.",
               applies=on(Hooks, "on_brim", removed) + on(Hooks, "on_low", removed) + on(Hooks, "on_dry", removed)),
    ChangeRule("MD407", "hook-changed", Impact.REVIEW, Area.OBLIGATIONS,
               title="Another hook runs",
               message="`{key}` of meter `{subject}` runs `{after}` instead of `{before}`",
               why="The application has to know the hook, and whoever was told may no longer be.",
               applies=on(Hooks, "on_brim", replaced) + on(Hooks, "on_low", replaced) + on(Hooks, "on_dry", replaced),
               example=Shown("meters.billing",
                             'brim_at = 9\non_brim = "alert.team"',
                             'brim_at = 9\non_brim = "alert.sales"')),
    ChangeRule("MD408", "cut-off-added", Impact.BREAKING, Area.OBLIGATIONS, mirror=("MD409",),
               title="Usage is cut off when credits run out",
               message="usage of meter `{subject}` is cut off when credits run out",
               why="Customers who went below zero until now are stopped.",
               applies=on(Credits, "hard", to(True)),
               example=Shown("meters.billing",
                             _PREPAID + 'credits = { pack = 10, price = 9 }',
                             _PREPAID + 'credits = { pack = 10, price = 9, hard = true }')),
    ChangeRule("MD409", "cut-off-removed", Impact.REVIEW, Area.OBLIGATIONS, mirror=("MD408",),
               title="Usage goes on when credits run out",
               message="usage of meter `{subject}` is no longer cut off when credits run out",
               why="Customers may use more than they paid for.",
               applies=on(Credits, "hard", to(False))),
)  # fmt: skip
