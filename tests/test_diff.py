"""What a change means: every difference is found, once, and judged by the table."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec import ir
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal
from meterspec.cel.types import Type
from meterspec.diagnostics import Diagnostics
from meterspec.diff import RULES, UNKNOWN, Area, ChangeRule, Impact, Kind, Verdict, as_json, diff
from meterspec.diff.changes import _HOLD_SCALARS
from meterspec.pipeline import load, with_registries
from meterspec.pricing import price_usage
from meterspec.project import SpecFile, collect
from meterspec.source import Place
from tests.conftest import FIXTURES

RULE = {rule.code: rule for rule in (*RULES, UNKNOWN)}


# A program with something in every field -------------------------------------------------------------------------


def call(overload: str, *args: Expr, type: Type = Type.BOOL) -> Call:
    return Call(overload, args, type)


STATUS = FieldRef("status", Type.STRING)
BYTES = FieldRef("bytes", Type.INT)
OK = call("equals", STATUS, Literal("ok", Type.STRING))
BIG = call("greater_int64", BYTES, Literal(10, Type.INT))
ONE_OF = call("in_list", STATUS, ListOf((Literal("ok", Type.STRING), Literal("late", Type.STRING)), Type.LIST_STRING))
OTHER_WAY_ROUND = call(
    "in_list", STATUS, ListOf((Literal("late", Type.STRING), Literal("ok", Type.STRING)), Type.LIST_STRING)
)

CALLS = ir.Family(
    name="api.call",
    sql_name="api_call",
    description="A request.",
    event_id="event_id",
    event_time="event_time",
    customer="customer_id",
    ingest_time="received_at",
    table=("raw", "calls"),
    max_events=1000,
    fields=(
        ir.Field(name="event_id", type=ir.FieldType.STRING, required=True),
        ir.Field(name="event_time", type=ir.FieldType.TIMESTAMP, required=True),
        ir.Field(name="received_at", type=ir.FieldType.TIMESTAMP),
        ir.Field(name="customer_id", type=ir.FieldType.STRING, required=True, personal=True),
        ir.Field(name="status", type=ir.FieldType.STRING, values=("ok", "late", "failed"), description="How it went."),
        ir.Field(
            name="bytes", type=ir.FieldType.INTEGER, required=True, unit="By", minimum=Decimal(0), maximum=Decimal(99)
        ),
        ir.Field(
            name="cost",
            type=ir.FieldType.DECIMAL,
            precision=18,
            scale=9,
            statements=(ir.Statement(name="factor.source", value="IEA"),),
        ),
        ir.Field(name="heat", type=ir.FieldType.FLOAT, scale=6),
    ),
    compliance=ir.Compliance(
        jurisdiction=("eu", "eu_restricted"),
        audit_retention_years=7,
        risk_class="limited",
        storage=("DE", "FR"),
        statements=(ir.Statement(name="event_log", value="immutable"), ir.Statement(name="hot_months", value=3)),
    ),
)
JOBS = ir.Family(
    name="job.run",
    sql_name="job_run",
    event_id="event_id",
    event_time="event_time",
    customer=None,
    fields=(
        ir.Field(name="event_id", type=ir.FieldType.STRING, required=True),
        ir.Field(name="event_time", type=ir.FieldType.TIMESTAMP, required=True),
        ir.Field(name="bytes", type=ir.FieldType.INTEGER),
    ),
)
TIERS = (
    ir.Tier(up_to=Decimal(1000), unit_amount=Decimal("0.45")),
    ir.Tier(up_to=None, unit_amount=Decimal("0.30"), flat_amount=Decimal(5)),
)
PRICE = ir.Price(
    model=ir.PriceModel.COMBINED,
    currency="EUR",
    base_fee=Decimal(20),
    included_units=Decimal(100),
    tiers=TIERS,
    minimum_amount=Decimal(1),
    maximum_amount=Decimal(900),
    rates=(
        ir.Rate(match=(("status", "late"),), tiers=(ir.Tier(up_to=None, unit_amount=Decimal("0.10")),)),
        ir.Rate(match=(("status", "failed"),), tiers=TIERS),
    ),
    credits=ir.Credits(pack=Decimal(1000), price=Decimal(90), refill_below=Decimal(50)),
)
TRAFFIC = ir.Meter(
    name="traffic",
    sql_name="traffic",
    kind=ir.MeterKind.BILLING,
    description="What customers send.",
    source=ir.FamilySource(("api.call",)),
    filter=call("logical_and", OK, BIG),
    aggregate=ir.Aggregate(
        function=ir.Function.SUM,
        value=call("multiply_int64", BYTES, Literal(8, Type.INT), type=Type.INT),
        per=ir.CalendarUnit.HOUR,
    ),
    window=ir.BillingCycle(),
    group_by=("customer_id", "status"),
    unit="kB",
    price=PRICE,
    entitlement=ir.Entitlement(
        limit=Decimal(5000), brim_at=Decimal(4000), hooks=ir.Hooks(on_brim="a", on_low="b", on_dry="c")
    ),
    compliance=ir.Compliance(audit_retention_years=10, regulatory_regimes=("csrd", "dora")),
    examples=(
        ir.Example(
            name="one call",
            events=((("event_id", "e1"), ("bytes", 7)),),
            expect=(ir.ExpectedRow(group=(("customer_id", "c1"),), quantity=Decimal(0)),),
            as_of=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    ),
)
HITS = ir.Meter(
    name="hits",
    sql_name="hits",
    source=ir.FamilySource(("api.call", "job.run")),
    aggregate=ir.Aggregate(function=ir.Function.COUNT),
    window=ir.CalendarWindow(ir.CalendarUnit.DAY, "Europe/Berlin"),
)
SHARE = ir.Meter(
    name="share",
    sql_name="share",
    source=ir.RatioSource("traffic", "hits"),
    aggregate=None,
    window=ir.Rolling(seconds=2_592_000, every=ir.CalendarUnit.DAY),
)
SAMPLE = ir.Program(
    families=(CALLS, JOBS),
    meters=(TRAFFIC, HITS, SHARE),
    sinks=(ir.Sink(name="stripe", region="IE", transfer="adequacy", receives=("hits", "traffic")),),
    statements=(ir.Statement(name="as_of", value="2026-06-30"),),
    regimes=(
        ir.Regime(
            name="csrd",
            title="CSRD",
            legal_reference="Dir. 2022/2464",
            applies_to=("billing", "reporting"),
            requires=("event_log", "ghg_scope"),
            hot_months=3,
            terms=(
                ir.Term(
                    name="event_log",
                    months=60,
                    clock="period_end",
                    covers="events",
                    kinds=("billing", "reporting"),
                    verified=True,
                    reference="Art. 1",
                ),
            ),
        ),
    ),
    zones=(ir.Zone(name="eu", members=("DE", "FR"), source="a treaty"),),
    leaves=(
        ir.Leave(
            name="traffic",
            rule="MS510",
            regime="csrd",
            approver="J. Doe",
            legal_basis="AO 148",
            approved_on=date(2026, 1, 10),
            expires_on=date(2027, 1, 10),
            months=72,
        ),
    ),
)


def with_meter(**fields: Any) -> ir.Program:
    return replace(SAMPLE, meters=(replace(TRAFFIC, **fields), *SAMPLE.meters[1:]))


def with_price(**fields: Any) -> ir.Program:
    return with_meter(price=replace(PRICE, **fields))


def with_family(**fields: Any) -> ir.Program:
    return replace(SAMPLE, families=(replace(CALLS, **fields), *SAMPLE.families[1:]))


def with_field(name: str, /, **fields: Any) -> ir.Program:
    return with_family(fields=tuple(replace(f, **fields) if f.name == name else f for f in CALLS.fields))


def tiers(*steps: tuple[int | None, str]) -> tuple[ir.Tier, ...]:
    return tuple(ir.Tier(up_to=None if up_to is None else Decimal(up_to), unit_amount=Decimal(p)) for up_to, p in steps)


# What is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "code", "path", "values", "message"),
    [
        pytest.param(
            with_price(tiers=(replace(TIERS[0], unit_amount=Decimal("0.50")), TIERS[1])),
            "MD301",
            "billing.tiers[0].unit_amount",
            ("0.45", "0.50"),
            "tier 1 of `traffic` costs 0.50 instead of 0.45 per unit",
            id="a price keeps the zeros it was written with",
        ),
        pytest.param(
            with_price(rates=(PRICE.rates[0], replace(PRICE.rates[1], tiers=tiers((1000, "0.45"), (None, "0.30"))))),
            "MD304",
            "billing.rates[1].tiers[1].flat_amount",
            ("5", None),
            'entering tier 2 of the rate for { status = "failed" } of `traffic` costs nothing instead of 5',
            id="a rate is told by what it matches",
        ),
        pytest.param(
            with_price(tiers=(*tiers((500, "0.50")), *TIERS)),
            "MD317",
            "billing.tiers[0]",
            (None, "up to 500: 0.50 per unit"),
            "tier 1 of `traffic` is new (up to 500: 0.50 per unit), and some usage costs more",
            id="a tier that comes in front moves no other tier",
        ),
        pytest.param(
            with_price(tiers=TIERS[1:]),
            "MD319",
            "billing.tiers[0]",
            ("up to 1000: 0.45 per unit", None),
            "tier 1 of `traffic` is gone (up to 1000: 0.45 per unit), and some usage costs more",
            id="a tier that is gone has the position it had",
        ),
        pytest.param(
            with_price(maximum_amount=None),
            "MD311",
            "billing.maximum_amount",
            ("900", None),
            "the usage of meter `traffic` in a month is billed up to any amount, was 900 EUR",
            id="no maximum is the greatest",
        ),
        pytest.param(
            with_meter(filter=BIG),
            "MD225",
            "filter",
            ("status == 'ok' && bytes > 10", "bytes > 10"),
            "meter `traffic` counts events where bytes > 10, was status == 'ok' && bytes > 10",
            id="expressions are shown as CEL",
        ),
        pytest.param(
            with_meter(window=ir.Tumbling(900)),
            "MD233",
            "aggregate.window",
            ("billing_cycle", "15m"),
            "the windows of meter `traffic` are 15m, were billing_cycle",
            id="a window is one thing",
        ),
        pytest.param(
            with_meter(entitlement=replace(TRAFFIC.entitlement, limit=None)),
            "MD402",
            "billing.limit",
            ("5000", None),
            "the hard cap of meter `traffic` is none, was 5000",
            id="no cap is the highest",
        ),
        pytest.param(
            with_field("bytes", type=ir.FieldType.DECIMAL, precision=18, scale=2),
            "MD126",
            "schema.bytes.type",
            ("integer", "decimal(18, 2)"),
            "field `bytes` of `api.call` is decimal(18, 2) instead of integer",
            id="digits are part of the type where both change",
        ),
        pytest.param(
            with_family(table=None),
            "MD105",
            "table",
            ("raw.calls", None),
            "the rows of family `api.call` come from the table named after it, were in raw.calls",
            id="a default is said in words",
        ),
        pytest.param(
            with_meter(compliance=replace(TRAFFIC.compliance, audit_retention_years=7)),
            "MD501",
            "compliance.audit_retention_years",
            ("10", "7"),
            "meter `traffic` has an audit retention of 7 years, was 10",
            id="compliance of a meter",
        ),
        pytest.param(
            with_meter(
                examples=(replace(TRAFFIC.examples[0], expect=(ir.ExpectedRow(group=(), quantity=Decimal(0)),)),)
            ),
            "MD212",
            "tests[0].expect[0].group",
            ('{ customer_id = "c1" }', "none"),
            '`group` of row 1 of test `one call` of `traffic` is none, was { customer_id = "c1" }',
            id="a test is told by its name",
        ),
    ],
)
def test_one_change_is_said_in_the_words_of_the_spec(
    after: ir.Program, code: str, path: str, values: tuple[str | None, str | None], message: str
) -> None:
    [verdict] = diff(SAMPLE, after)
    assert (verdict.code, verdict.path, (verdict.before, verdict.after)) == (code, path, values)
    assert verdict.message == message


def test_a_diff_as_json_is_the_document_of_the_command() -> None:
    after = with_price(tiers=(replace(TIERS[0], unit_amount=Decimal("0.50")), TIERS[1]))
    assert as_json(diff(SAMPLE, after)) == {
        "changes": [
            {
                "code": "MD301",
                "name": "tier-price-raised",
                "impact": "breaking",
                "affects": "invoices",
                "subject": "traffic",
                "path": "billing.tiers[0].unit_amount",
                "before": "0.45",
                "after": "0.50",
                "message": "tier 1 of `traffic` costs 0.50 instead of 0.45 per unit",
            }
        ],
        "summary": {"breaking": 1, "review": 0, "safe": 0},
        "money": [],
    }
    assert as_json([]) == {"changes": [], "summary": {"breaking": 0, "review": 0, "safe": 0}, "money": []}


def test_breaking_changes_come_first_then_the_order_of_the_spec() -> None:
    before = replace(SAMPLE, meters=(*SAMPLE.meters, replace(HITS, name="old", sql_name="old")))
    calls = replace(CALLS, description="A call.", max_events=5)
    traffic = replace(
        TRAFFIC,
        precision=2,
        description=None,
        price=replace(PRICE, base_fee=Decimal(1), tiers=tiers((10, "9"), (None, "9"))),
    )
    after = replace(SAMPLE, families=(JOBS, calls), meters=(SHARE, traffic, replace(HITS, unit="1")))
    assert [(v.impact.value, v.subject, v.path) for v in diff(before, after)] == [
        ("breaking", "traffic", "billing.tiers[0].unit_amount"),
        ("breaking", "traffic", "billing.tiers[0].up_to"),
        ("breaking", "traffic", "billing.tiers[1].unit_amount"),
        ("breaking", "traffic", "precision"),
        ("breaking", "old", ""),
        ("review", "api.call", "max_events"),
        ("review", "traffic", "billing.base_fee"),
        ("review", "traffic", "billing.tiers[1].flat_amount"),
        ("review", "hits", "unit"),
        ("safe", "api.call", "description"),
        ("safe", "traffic", "description"),
    ]


def test_a_quantity_shows_in_invoices_or_in_reports() -> None:
    [billed] = diff(SAMPLE, with_meter(precision=1))
    [reported] = diff(SAMPLE, replace(SAMPLE, meters=(TRAFFIC, replace(HITS, precision=1), SHARE)))
    [unbilled] = [v for v in diff(SAMPLE, with_meter(kind=ir.MeterKind.REPORTING)) if v.path == "kind"]
    assert (billed.affects, reported.affects, unbilled.affects) == (Area.INVOICES, Area.REPORTS, Area.INVOICES)


def test_a_change_that_no_rule_knows_waits_for_a_person() -> None:
    after = with_family(compliance=replace(CALLS.compliance, risk_class="of tomorrow"))
    [verdict] = diff(SAMPLE, after)
    assert (verdict.code, verdict.impact) == ("MD000", Impact.REVIEW)
    assert verdict.message == "family `api.call`: `risk_class` is of tomorrow, was limited"


# What is not a change --------------------------------------------------------------------------------------------

A, B, C = (FieldRef(name, Type.BOOL) for name in "abc")
X, Y = FieldRef("x", Type.INT), FieldRef("y", Type.INT)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(call("logical_and", A, B), call("logical_and", B, A), id="order of &&"),
        pytest.param(
            call("logical_or", call("logical_or", A, B), C),
            call("logical_or", C, call("logical_or", B, A)),
            id="nesting",
        ),
        pytest.param(call("logical_and", A, A), A, id="repetition"),
        pytest.param(call("equals", X, Y), call("equals", Y, X), id="order of =="),
        pytest.param(call("not_equals", X, Y), call("not_equals", Y, X), id="order of !="),
        pytest.param(call("greater_int64", X, Y), call("less_int64", Y, X), id="> turned round"),
        pytest.param(call("greater_equals_int64", X, Y), call("less_equals_int64", Y, X), id=">= turned round"),
        pytest.param(ONE_OF, OTHER_WAY_ROUND, id="order of a list"),
    ],
)
def test_an_equivalent_rewrite_of_an_expression_is_no_change(left: Expr, right: Expr) -> None:
    assert diff(with_meter(filter=left), with_meter(filter=right)) == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(call("logical_and", A, B), call("logical_or", A, B), id="&& is not ||"),
        pytest.param(
            call("logical_or", A, call("logical_and", B, C)),
            call("logical_and", call("logical_or", A, B), C),
            id="precedence",
        ),
        pytest.param(call("less_int64", X, Y), call("less_int64", Y, X), id="order of <"),
        pytest.param(call("greater_int64", X, Y), call("less_equals_int64", Y, X), id="> is not >="),
        pytest.param(
            call("equals", X, call("subtract_int64", X, Y, type=Type.INT)),
            call("equals", X, call("subtract_int64", Y, X, type=Type.INT)),
            id="order of -",
        ),
        pytest.param(
            call("equals", call("add_string", STATUS, Literal("x", Type.STRING), type=Type.STRING), STATUS),
            call("equals", call("add_string", Literal("x", Type.STRING), STATUS, type=Type.STRING), STATUS),
            id="texts are not added in any order",
        ),
        pytest.param(
            call("equals", A, Literal(True, Type.BOOL)), call("equals", A, Literal(False, Type.BOOL)), id="a constant"
        ),
    ],
)
def test_another_expression_is_one_change(left: Expr, right: Expr) -> None:
    [verdict] = diff(with_meter(filter=left), with_meter(filter=right))
    assert verdict.code == "MD225"


def test_an_expression_over_a_field_of_another_type_is_for_review() -> None:
    halved = call("divide_int64", BYTES, Literal(2, Type.INT), type=Type.INT)
    exact = call(
        "divide_decimal", FieldRef("bytes", Type.DECIMAL), Literal(Decimal(2), Type.DECIMAL), type=Type.DECIMAL
    )
    before = replace(TRAFFIC, aggregate=replace(TRAFFIC.aggregate, value=halved))  # type: ignore[type-var]
    after = replace(TRAFFIC, aggregate=replace(TRAFFIC.aggregate, value=exact))  # type: ignore[type-var]
    [verdict] = diff(ir.Program(meters=(before,)), ir.Program(meters=(after,)))
    assert verdict.code == "MD231"
    assert (verdict.before, verdict.after) == ("bytes / 2 // bytes is int", "bytes / 2.0 // bytes is decimal")


def test_the_order_of_what_has_no_order_is_no_change() -> None:
    calls = replace(
        CALLS,
        fields=(*CALLS.fields[:4], replace(CALLS.fields[4], values=("failed", "late", "ok")), *CALLS.fields[5:]),
        compliance=replace(CALLS.compliance, jurisdiction=("eu_restricted", "eu")),
    )
    traffic = replace(TRAFFIC, compliance=replace(TRAFFIC.compliance, regulatory_regimes=("dora", "csrd")))
    hits = replace(HITS, source=ir.FamilySource(("job.run", "api.call")))
    assert diff(SAMPLE, replace(SAMPLE, families=(JOBS, calls), meters=(SHARE, hits, traffic))) == []


@pytest.mark.parametrize(
    ("after", "code"),
    [
        pytest.param(
            with_family(fields=(*CALLS.fields[:4], *CALLS.fields[4:][::-1])), "MD143", id="fields decide conflicts"
        ),
        pytest.param(with_meter(group_by=("status", "customer_id")), "MD237", id="columns of a view"),
        pytest.param(with_price(rates=PRICE.rates[::-1]), "MD333", id="rates that exclude each other"),
    ],
)
def test_the_order_of_what_has_an_order_is_a_change(after: ir.Program, code: str) -> None:
    [verdict] = diff(SAMPLE, after)
    assert verdict.code == code


def test_rates_that_overlap_change_places() -> None:
    late, anyone = PRICE.rates[0], ir.Rate(match=(("customer_id", "c1"),), tiers=TIERS)
    [verdict] = diff(with_price(rates=(late, anyone)), with_price(rates=(anyone, late)))
    assert (verdict.code, verdict.impact) == ("MD332", Impact.BREAKING)


def test_fields_that_hold_any_scalar_are_not_compared_by_equality_alone() -> None:
    holds = {(owner, name): holds_scalars(typing.get_type_hints(owner)[name]) for owner, name in ir_fields()}
    assert {field for field, does in holds.items() if does} == _HOLD_SCALARS


def holds_scalars(hint: Any) -> bool:
    inner = typing.get_args(hint)
    if bool in inner and int in inner:
        return True
    if dataclasses.is_dataclass(hint) and hint.__module__ == ir.__name__:
        return any(map(holds_scalars, typing.get_type_hints(hint).values()))
    return any(map(holds_scalars, inner)) if Place not in inner else False


def test_true_is_not_1() -> None:
    one, true = (ir.Rate(match=(("status", value),), tiers=TIERS) for value in (1, True))
    assert one == true
    assert {v.code for v in diff(with_price(rates=(one,)), with_price(rates=(true,)))} == {"MD330", "MD331"}


def test_another_role_speaks_for_the_fields_that_follow_it() -> None:
    fields = tuple(replace(f, name="request_id") if f.name == "event_id" else f for f in CALLS.fields)
    [verdict] = diff(SAMPLE, with_family(event_id="request_id", fields=fields))
    assert verdict.code == "MD110"


def test_what_is_said_of_the_field_that_a_role_goes_to_is_compared() -> None:
    """Else a customer that was personal data no longer would be, in silence."""

    def renamed_to(name: str, **said: Any) -> ir.Program:
        fields = tuple(replace(f, name=name, **said) if f.name == "customer_id" else f for f in CALLS.fields)
        follow = tuple(name if one == "customer_id" else one for one in TRAFFIC.group_by)
        return replace(
            with_family(customer=name, fields=fields), meters=(replace(TRAFFIC, group_by=follow), *SAMPLE.meters[1:])
        )

    assert [v.code for v in diff(SAMPLE, renamed_to("account_id"))] == ["MD112"]
    withdrawn = renamed_to("account_id", personal=None)
    assert [(v.code, v.path) for v in diff(SAMPLE, withdrawn)] == [
        ("MD112", "customer_field"),
        ("MD512", "schema.account_id.personal"),
    ]
    assert_mirror(SAMPLE, withdrawn)


# Renames ---------------------------------------------------------------------------------------------------------


def test_a_rename_is_one_change_and_what_refers_to_it_follows() -> None:
    after = replace(
        SAMPLE,
        families=(replace(CALLS, name="api.request", sql_name="api_request"), JOBS),
        meters=(
            replace(TRAFFIC, name="bytes", sql_name="bytes", source=ir.FamilySource(("api.request",))),
            replace(HITS, source=ir.FamilySource(("api.request", "job.run"))),
            replace(SHARE, name="ratio", sql_name="ratio", source=ir.RatioSource("bytes", "hits")),
        ),
    )
    assert [(v.code, v.before, v.after, v.path) for v in diff(SAMPLE, after)] == [
        ("MD102", "api.call", "api.request", "name"),
        ("MD204", "traffic", "bytes", "name"),
        ("MD204", "share", "ratio", "name"),
    ]


def test_a_rename_with_another_description_is_still_a_rename() -> None:
    after = with_meter(name="bytes", sql_name="bytes", description="All of it.")
    share = replace(SHARE, source=ir.RatioSource("bytes", "hits"))
    found = diff(SAMPLE, replace(after, meters=(*after.meters[:2], share)))
    assert [v.code for v in found] == ["MD204", "MD206"]


def test_a_rename_that_could_be_two_is_no_rename() -> None:
    twins = tuple(replace(HITS, name=name, sql_name=name) for name in ("a", "b"))
    [gone, first, second] = diff(
        ir.Program(families=(CALLS, JOBS), meters=(HITS,)), ir.Program(families=(CALLS, JOBS), meters=twins)
    )
    assert [(v.code, v.subject) for v in (gone, first, second)] == [("MD201", "hits"), ("MD200", "a"), ("MD200", "b")]


def test_a_new_name_and_a_new_meaning_is_no_rename() -> None:
    after = replace(SAMPLE, meters=(TRAFFIC, replace(HITS, name="h", sql_name="h", precision=1), SHARE))
    assert [v.code for v in diff(SAMPLE, after)] == ["MD201", "MD200"]


def renamed_field(old: str, new: str, **fields: Any) -> ir.Program:
    """The sample with another name for a field, in its family and wherever a meter of the family names it."""

    def named(name: str) -> str:
        return new if name == old else name

    family = replace(CALLS, fields=tuple(replace(f, name=named(f.name)) for f in CALLS.fields))

    def follow(expr: Any) -> Any:
        match expr:
            case FieldRef(name):
                return replace(expr, name=named(name))
            case Call(args=args):
                return replace(expr, args=tuple(map(follow, args)))
            case _:
                return expr

    rates = tuple(replace(r, match=tuple((named(name), value) for name, value in r.match)) for r in PRICE.rates)
    assert TRAFFIC.aggregate is not None
    traffic = replace(
        TRAFFIC,
        filter=follow(TRAFFIC.filter),
        aggregate=replace(TRAFFIC.aggregate, value=follow(TRAFFIC.aggregate.value)),
        group_by=tuple(map(named, TRAFFIC.group_by)),
        price=replace(PRICE, rates=rates),
        **fields,
    )
    return replace(SAMPLE, families=(family, JOBS), meters=(traffic, *SAMPLE.meters[1:]))


@pytest.mark.parametrize("name", ["status", "heat"], ids=["named everywhere", "named nowhere"])
def test_what_names_a_renamed_field_follows_it(name: str) -> None:
    [verdict] = diff(SAMPLE, renamed_field(name, "renamed"))
    assert (verdict.code, verdict.before, verdict.after) == ("MD144", name, "renamed")
    assert verdict.message == f"field `{name}` of `api.call` is now called `renamed`; the rest of it is the same"
    assert_mirror(SAMPLE, renamed_field(name, "renamed"))


def test_a_field_is_renamed_and_a_filter_says_something_else() -> None:
    after = renamed_field("status", "state")
    [traffic, *others] = after.meters
    assert isinstance(traffic.filter, Call)
    narrower = replace(after, meters=(replace(traffic, filter=traffic.filter.args[0]), *others))
    found = {verdict.code: verdict for verdict in diff(SAMPLE, narrower)}
    assert found.keys() == {"MD144", "MD225"}
    assert (found["MD225"].before, found["MD225"].after) == ("status == 'ok' && bytes > 10", "state == 'ok'")


def test_a_field_elsewhere_or_with_another_meaning_is_no_rename() -> None:
    moved = (*CALLS.fields[:4], *CALLS.fields[5:], replace(CALLS.fields[7], name="new"))
    assert "MD144" not in {v.code for v in diff(SAMPLE, with_family(fields=moved))}
    assert "MD144" not in {v.code for v in diff(SAMPLE, with_field("heat", name="new", scale=2))}


def test_a_name_that_is_still_used_is_not_given_up() -> None:
    after = with_field("status", name="state")
    assert {v.code for v in diff(SAMPLE, after)} == {"MD120", "MD121"}


# Tiers -----------------------------------------------------------------------------------------------------------

amounts = st.sampled_from([None, "0", "1", "2", "5"])


@st.composite
def tier_lists(draw: st.DrawFn) -> tuple[ir.Tier, ...]:
    steps: list[int | None] = [*sorted(draw(st.sets(st.integers(1, 30), max_size=3))), None]
    drawn = [(up_to, draw(amounts), draw(amounts)) for up_to in steps]
    return tuple(
        ir.Tier(
            up_to=None if up_to is None else Decimal(up_to),
            unit_amount=Decimal(unit or 0),
            flat_amount=None if flat is None else Decimal(flat),
        )
        for up_to, unit, flat in drawn
    )


@given(tier_lists(), tier_lists(), st.sampled_from(ir.TierMode), st.sampled_from([0, 7]))
@settings(deadline=None)
def test_tiers_are_dearer_or_cheaper_as_the_pricing_engine_finds(
    before: tuple[ir.Tier, ...], after: tuple[ir.Tier, ...], mode: ir.TierMode, included: int
) -> None:
    price = ir.Price(
        model=ir.PriceModel.USAGE, currency="EUR", tier_mode=mode, included_units=Decimal(included), tiers=before
    )
    new = replace(price, tiers=after)
    # Amounts are whole and quantities have two decimals, so no line is rounded. Between two bounds costs are straight,
    # so what begins just above a bound and ends at the next decides; far out, the slope of the last tier does.
    ends = {Decimal(0), Decimal(included), *(tier.up_to for tier in (*before, *after) if tier.up_to is not None)}
    quantities = [*ends, *(end + Decimal("0.01") for end in ends), max(ends) + 1000]
    steps = [price_usage(new, quantity).amount - price_usage(price, quantity).amount for quantity in quantities]
    expected = "dearer" if max(steps) > 0 else "cheaper" if min(steps) < 0 else "restated"
    found = diff(with_meter(price=price), with_meter(price=new))
    shapes = {verdict.name.rpartition("-")[2] for verdict in found if verdict.name.startswith(("tier-", "tiers-"))}
    assert shapes - {"raised", "lowered"} <= {expected}


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        pytest.param(tiers((9, "1"), (None, "2")), tiers((8, "1"), (None, "2")), "MD315", id="dear units come sooner"),
        pytest.param(tiers((9, "1"), (None, "2")), tiers((10, "1"), (None, "2")), "MD316", id="dear units come later"),
        pytest.param(tiers((9, "2"), (None, "1")), tiers((10, "2"), (None, "1")), "MD315", id="cheap units come later"),
        pytest.param(tiers((9, "1"), (None, "1")), tiers((10, "1"), (None, "1")), "MD321", id="no difference"),
        pytest.param(
            (*tiers((10, "5")), ir.Tier(up_to=None, flat_amount=Decimal(2))),
            (*tiers((9, "5")), ir.Tier(up_to=None, flat_amount=Decimal(2))),
            "MD315",
            id="a fee comes sooner, and for a moment outweighs the cheaper units",
        ),
        pytest.param(tiers((None, "1")), tiers((9, "1"), (None, "1")), "MD321", id="a split"),
        pytest.param(tiers((None, "1")), tiers((9, "2"), (None, "1")), "MD317", id="a dear start"),
        pytest.param(tiers((None, "1")), tiers((9, "0"), (None, "1")), "MD318", id="a free start"),
    ],
)
def test_a_tier_is_judged_by_what_usage_costs(
    before: tuple[ir.Tier, ...], after: tuple[ir.Tier, ...], code: str
) -> None:
    price = ir.Price(model=ir.PriceModel.USAGE, currency="EUR")
    [verdict] = diff(with_meter(price=replace(price, tiers=before)), with_meter(price=replace(price, tiers=after)))
    assert verdict.code == code
    [mirror] = diff(with_meter(price=replace(price, tiers=after)), with_meter(price=replace(price, tiers=before)))
    assert mirror.code in (verdict.rule.mirror or (code,))


# Every leaf ------------------------------------------------------------------------------------------------------


def leaves(value: Any, hint: Any) -> Iterator[Any]:
    """Copies of a value, each with one leaf of it changed to something else of its type."""
    options = typing.get_args(hint) if typing.get_origin(hint) in {typing.Union, types.UnionType} else (hint,)
    if value is None:
        yield sample(next(option for option in options if option is not type(None)))
        return
    if type(None) in options:
        yield None
    match value:
        case bool():
            yield not value
        case Enum():
            members: list[Any] = list(type(value))
            yield members[(members.index(value) + 1) % len(members)]
        case int() | Decimal():
            yield value + 1
        case str():
            yield value + "x"
        case datetime():
            yield value + timedelta(seconds=1)
        case date():
            yield value + timedelta(days=1)
        case tuple():
            inner = typing.get_args(next(option for option in options if typing.get_origin(option) is tuple))
            for number, item in enumerate(value):
                of = inner[0] if inner[-1] is ... else inner[number]
                yield from ((*value[:number], new, *value[number + 1 :]) for new in leaves(item, of))
                if inner[-1] is ...:
                    yield (*value[:number], *value[number + 1 :])
        case Call(overload, args):
            yield replace(value, overload=OTHER_OVERLOAD[overload])
            for number, arg in enumerate(args):
                yield from (
                    replace(value, args=(*args[:number], new, *args[number + 1 :])) for new in leaves(arg, Expr)
                )
        case _:
            hints = typing.get_type_hints(type(value))
            for field in dataclasses.fields(value):
                if field.compare and hints[field.name] is not Type:
                    own = getattr(value, field.name)
                    yield from (replace(value, **{field.name: new}) for new in leaves(own, hints[field.name]))


def sample(hint: Any) -> Any:
    """Some value of a type."""
    if typing.get_origin(hint) is tuple:
        return tuple(sample(inner) for inner in typing.get_args(hint) if inner is not ...)
    if hint in SAMPLES:
        return SAMPLES[hint]
    return next(iter(hint)) if isinstance(hint, type) and issubclass(hint, Enum) else SAMPLES[str]


SAMPLES: dict[Any, Any] = {
    str: "x",
    int: 1,
    bool: True,
    Decimal: Decimal(1),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    Literal: Literal(True, Type.BOOL),
    ir.Price: PRICE,
    ir.Credits: PRICE.credits,
    ir.Aggregate: HITS.aggregate,
}

OTHER_OVERLOAD = {
    one: other
    for pair in [("logical_and", "logical_or"), ("greater_int64", "less_int64"), ("multiply_int64", "add_int64")]
    for one, other in (pair, pair[::-1])
} | {"equals": "not_equals", "not_equals": "equals", "in_list": "equals"}


def names_of_the_registry(program: ir.Program) -> list[str]:
    return [*(regime.name for regime in program.regimes), *(zone.name for zone in program.zones)]


EDITS = [
    edit
    for edit in leaves(SAMPLE, ir.Program)
    if names_of_the_registry(edit) == names_of_the_registry(SAMPLE)  # another name is said where it is named
]


def test_the_sample_has_something_in_every_field() -> None:
    """Else an edit of every leaf would not be an edit of every field."""
    seen: set[tuple[type, str]] = set()

    def look(value: object) -> None:
        if isinstance(value, tuple):
            for item in value:
                look(item)
        elif dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                seen.add((type(value), field.name))
                look(getattr(value, field.name))

    look(SAMPLE)
    missing = {(owner, name) for owner, name in ir_fields() if (owner, name) not in seen}
    assert {owner for owner, _ in missing} <= {ir.Tumbling}, missing


def test_every_edit_of_a_leaf_is_found_and_judged() -> None:
    assert len(EDITS) > 250
    for after in EDITS:
        found = diff(SAMPLE, after)
        assert found, f"an edit was not found: {after}"
        for verdict in found:
            assert verdict.code != "MD000" or verdict.path == "compliance.risk_class", verdict
            assert verdict.before != verdict.after, verdict
            assert "{" not in verdict.message.replace("{ ", ""), verdict.message
        json.dumps(as_json(found))


def test_every_edit_of_a_leaf_mirrors() -> None:
    for after in EDITS:
        assert_mirror(SAMPLE, after)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4), st.lists(st.integers(0, 10_000), max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_two_programs_mirror_and_none_differs_from_itself(left: list[int], right: list[int]) -> None:
    before, after = edited(left), edited(right)
    assert diff(before, before) == []
    assert_mirror(before, after)
    assert as_json(diff(before, after)) == as_json(diff(before, after))


def edited(numbers: list[int]) -> ir.Program:
    """The sample after several edits, each of which leaves a program that a spec could give."""
    program = SAMPLE
    for number in numbers:
        edits = list(leaves(program, ir.Program))
        renamed = following(program, edits[number % len(edits)])
        program = renamed if sound(renamed) else program
    return program


def following(before: ir.Program, after: ir.Program) -> ir.Program:
    """What refers to a family or meter by a name that was edited follows it."""
    names = {
        old: new
        for olds, news in (
            ([f.name for f in before.families], [f.name for f in after.families]),
            ([m.name for m in before.meters], [m.name for m in after.meters]),
        )
        for old, new in zip(olds, news, strict=False)
        if len(olds) == len(news)
    }

    def follow(source: ir.Source) -> ir.Source:
        match source:
            case ir.FamilySource(families):
                return ir.FamilySource(tuple(names.get(name, name) for name in families))
            case ir.RatioSource(top, bottom):
                return ir.RatioSource(names.get(top, top), names.get(bottom, bottom))

    return replace(after, meters=tuple(replace(meter, source=follow(meter.source)) for meter in after.meters))


def sound(program: ir.Program) -> bool:
    """Whether names are unique and every reference has its target."""
    families, meters = [f.name for f in program.families], [m.name for m in program.meters]
    targets = {*families, *meters}
    parts = [name for meter in program.meters for name in dataclasses.astuple(meter.source)]
    named = {name for part in parts for name in (part if isinstance(part, tuple) else (part,))}
    return len(set(families)) == len(families) and len(set(meters)) == len(meters) and named <= targets


def assert_mirror(before: ir.Program, after: ir.Program) -> None:
    """What one direction adds, the other removes; where one says raised, the other says lowered."""
    there, back = diff(before, after), diff(after, before)
    turned = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CHANGED: Kind.CHANGED}
    left = sorted((v.change.owner.__name__, v.change.field, v.change.kind, str(v.before), str(v.after)) for v in there)
    right = sorted(
        (v.change.owner.__name__, v.change.field, turned[v.change.kind], str(v.after), str(v.before)) for v in back
    )
    assert left == right
    names = {v.code for v in back}
    for verdict in there:
        assert names & {*(verdict.rule.mirror or (verdict.code,))}, f"{verdict.message} has no mirror in {names}"


# The table -------------------------------------------------------------------------------------------------------


def ir_fields() -> set[tuple[type, str]]:
    """Every field that counts of every dataclass of the IR."""
    kinds = [value for value in vars(ir).values() if isinstance(value, type) and value.__module__ == ir.__name__]
    return {
        (kind, field.name)
        for kind in kinds
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.compare
    }


WHOLE = "its window or source is judged as one thing"
PARTS = "what it holds is judged field by field"
NOT_JUDGED: dict[tuple[type, str], str] = {
    **{field: WHOLE for field in ir_fields() if field[0] in typing.get_args(ir.Window) + typing.get_args(ir.Source)},
    (ir.Statement, "name"): "statements are matched by it: another name is one gone and one new",
    (ir.Sink, "name"): "sinks are matched by it: another name is one gone and one new",
    (ir.Program, "regimes"): "which ones are named is said of the families and meters that name them",
    (ir.Program, "zones"): "which ones are named is said of the families and meters that name them",
    (ir.Regime, "name"): "regimes are matched by it",
    (ir.Zone, "name"): "zones are matched by it",
    (ir.Term, "name"): "terms are matched by it: another name is one gone and one new",
    (ir.Leave, "name"): "leaves are matched by it, the rule and the regime: another one is one gone and one new",
    (ir.Leave, "rule"): "as its name",
    (ir.Leave, "regime"): "as its name",
    (ir.Rate, "match"): "rates are matched by it: another match is a rate gone and a rate new",
    (ir.Family, "compliance"): PARTS,
    (ir.Meter, "compliance"): PARTS,
    (ir.Meter, "entitlement"): PARTS,
    (ir.Entitlement, "hooks"): PARTS,
}


def test_every_field_of_the_ir_is_judged_or_says_why_not() -> None:
    judged = {(where.owner, where.field) for rule in RULES for where in rule.applies}
    assert judged <= ir_fields(), "a rule for a field that is not there"
    assert ir_fields() - judged == set(NOT_JUDGED)


def test_codes_and_names_are_unique_and_well_formed() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.slug for rule in RULES}) == len(RULES)
    for rule in (*RULES, UNKNOWN):
        assert re.fullmatch(r"MD[0-5]\d\d", rule.code)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.slug)
        assert rule.why.endswith(".")
        assert not rule.title.endswith(".")


DIRECTIONS = [("raised", "lowered"), ("added", "removed"), ("dearer", "cheaper"), ("up", "down")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_has_its_mirror(rule: ChangeRule) -> None:
    """A rule with a direction has a rule for the other one; the rest say the same of the opposite change."""
    for code in rule.mirror:
        assert rule.code in RULE[code].mirror, f"{code} does not mirror back"
        assert not {a.owner for a in rule.applies}.isdisjoint(a.owner for a in RULE[code].applies)
    for one, other in (*DIRECTIONS, *((b, a) for a, b in DIRECTIONS)):
        if rule.slug.endswith(f"-{one}"):
            assert any(RULE[code].slug.endswith(f"-{other}") for code in rule.mirror)


def test_a_mirror_is_not_harsher_by_accident() -> None:
    """Of two opposite changes at most one is safe, and where neither is breaking, the reason is known."""
    calm = {"MD113", "MD238", "MD239", "MD403", "MD404", "MD128", "MD127", "MD106", "MD107", "MD210", "MD211"}
    for rule in RULES:
        for code in rule.mirror:
            impacts = {rule.impact, RULE[code].impact}
            assert Impact.BREAKING in impacts or {rule.code, code} <= calm, f"{rule.code} and {code}"


# The examples of the rules ---------------------------------------------------------------------------------------

NO_SPEC_CAN_SAY_IT = {
    "MD113": "a family always has a customer field today",
    "MD114": "a family always has a customer field today",
    "MD205": "the view of a meter is named after the meter",
}
BED = {
    "families": 'name = "api.call"',
    "families.schema": (
        'bytes = { type = "integer", required = true, min = 0, max = 1_000 }\nstatus = { type = "string" }'
    ),
    "families.compliance": "",
    "meters": (
        'name = "traffic"\nkind = "billing"\nfilter = "bytes > 0"\nsource = { kind = "family", family = "api.call" }'
    ),
    "meters.aggregate": (
        'fn = "SUM"\nvalue = "bytes / 1000.0"\nwindow = "billing_cycle"\ngroup_by = ["customer_id", "status"]'
    ),
    "meters.billing": 'model = "usage"\ncurrency = "EUR"\nunit_amount = 0.10',
    "meters.compliance": "",
    "reports": (
        'name = "calls"\nkind = "reporting"\nsource = { kind = "family", family = "api.call" }\n'
        'aggregate = { fn = "COUNT", group_by = ["customer_id"] }'
    ),
}
"""The spec around an example: the tables that it may change, each with what it needs."""


def spec(table: str, lines: str, other: str) -> str:
    """The spec with the lines of an example in one of its tables; a price that names its model is a whole table."""

    def body(name: str) -> str:
        if name != table:
            return BED[name]
        if "model =" in lines:
            return lines
        written = tomli.loads(lines) | tomli.loads(other)
        taken = {*written, "unit_amount"} if "tiers" in written else {*written}
        return "\n".join([*(line for line in BED[name].splitlines() if line.partition(" =")[0] not in taken), lines])

    parts = ['[[families]]\nname = "api.retry"']
    for name in BED:
        header = {"families": "[[families]]", "meters": "[[meters]]", "reports": "[[meters]]"}.get(name, f"[{name}]")
        parts.append(f"{header}\n{body(name)}")
    return "\n".join([*parts, lines if table == "document" else ""])


def program(text: str) -> ir.Program:
    return checked([SpecFile("meterspec.toml", text.encode())])


BOUND = """
[[families]]
name = "api.call"
compliance.jurisdiction = ["house_zone"]
[[meters]]
name = "traffic"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT" }
compliance.regulatory_regimes = ["house_policy"]
[compliance]
as_of = 2026-06-30
"""
OWN = {
    "house_policy": '[[regimes]]\nid = "house_policy"\ntitle = "T"\nlegal_reference = "R"\n',
    "house_zone": '[[zones]]\nid = "house_zone"\nmembers = ["DE"]\n',
}


def under(lines: str) -> tuple[ir.Program, list[SpecFile]]:
    """A spec that names a regime and a zone of the organisation, whose file has these lines."""
    own = "\n".join([lines, *(entry for name, entry in OWN.items() if name not in lines)])
    files = [SpecFile("meterspec.toml", BOUND.encode(), None, ("meterspec.regimes.toml", own.encode()))]
    return checked(files), files


def checked(files: list[SpecFile]) -> ir.Program:
    out = Diagnostics()
    found = load(files, out)
    assert found is not None, [f"{d.code} {d.message}" for d in out]
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_example_of_a_rule_is_judged_by_it(rule: ChangeRule) -> None:
    if rule.code in NO_SPEC_CAN_SAY_IT:
        assert rule.example is None
        return
    assert rule.example is not None
    table, before, after = rule.example
    if table == "registry":
        old, new = with_registries(under(before), under(after))
    else:
        old, new = program(spec(table, before, after)), program(spec(table, after, before))
    assert rule.code in {verdict.code for verdict in diff(old, new)}
    assert {verdict.code for verdict in diff(new, old)} & {*(rule.mirror or (rule.code,))}


# Histories -------------------------------------------------------------------------------------------------------

HISTORIES = sorted(folder for folder in (FIXTURES / "diff").iterdir() if folder.is_dir())
MARK = re.compile(
    r"(?P<code>MD\d{3})(?: (?P<area>invoices|reports|obligations|artefacts|events))?"
    r"(?: (?P<path>[a-z][^\s\"]*:[^\s\"]*))?(?: \"(?P<text>[^\"]*)\")?"
)


def side(folder: Path, name: str) -> list[SpecFile]:
    """`before.toml`, or the files of the folder `before`."""
    whole = folder / f"{name}.toml"
    return collect([str(whole if whole.exists() else folder / name)])


def announced(files: list[SpecFile]) -> Iterator[tuple[str, int, re.Match[str]]]:
    """The changes that comments announce: `# change: MD301 invoices subject:path "part of the message"`.

    A comment alone on its line speaks for the next one.
    """
    texts = {file.name: file.data for file in files}
    texts |= dict(file.organisation for file in files if file.organisation is not None)
    for name, data in texts.items():
        for number, line in enumerate(data.decode().splitlines(), start=1):
            start, found, marks = line.partition("# change: ")
            if found:
                yield from ((name, number + (not start.strip()), mark) for mark in MARK.finditer(marks))


def stands_at(verdict: Verdict) -> tuple[str, int]:
    """The line a change is shown on: where it is now, or where it was if it is gone."""
    place = verdict.before_place if verdict.change.kind is Kind.REMOVED else verdict.after_place
    assert place is not None, verdict
    span = place.span()
    return span.source.name, span.begin.line


@pytest.mark.parametrize("folder", HISTORIES, ids=lambda folder: folder.name)
def test_a_history_announces_its_changes(folder: Path) -> None:
    before, after = side(folder, "before"), side(folder, "after")
    programs = with_registries((checked(before), before), (checked(after), after))
    found = {(*stands_at(verdict), verdict.code): verdict for verdict in diff(*programs)}
    marks = {(name, line, mark["code"]): mark for name, line, mark in announced([*before, *after])}
    assert sorted(found) == sorted(marks), "\n".join(f"{key} {found[key].message}" for key in sorted(found))
    for key, mark in marks.items():
        verdict = found[key]
        assert (mark["text"] or "") in verdict.message
        assert mark["area"] in {None, verdict.affects.value}
        assert mark["path"] in {None, f"{verdict.subject}:{verdict.path}"}


def test_histories_that_say_nothing_are_among_them() -> None:
    silent = [folder.name for folder in HISTORIES if folder.name.endswith("says_nothing")]
    assert len(silent) >= 3
    assert len(HISTORIES) >= 20


# Places ----------------------------------------------------------------------------------------------------------


def test_a_program_without_places_has_changes_without_places() -> None:
    [verdict] = diff(SAMPLE, with_meter(precision=1))
    assert verdict.before_place is verdict.after_place is None


def test_a_change_points_at_both_versions() -> None:
    texts = ["limit = 5", "brim_at = 3\nlimit = 4"]
    old, new = (program(f'[meter.tokens]\nkind = "counter"\n{text}\n') for text in texts)
    verdict = diff(old, new)[0]
    places: list[Place | None] = [verdict.before_place, verdict.after_place]
    assert [place and (place.span().begin.line, place.span().text) for place in places] == [(3, "5"), (4, "4")]
    assert (verdict.subject, verdict.path) == ("tokens", "limit")
