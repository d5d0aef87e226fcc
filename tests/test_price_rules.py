"""Prices and caps in a spec: each mistake gives one finding, at its place, with what to write instead."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meterspec.cel.types import Type, Variable
from meterspec.check import prices
from meterspec.diagnostics import Diagnostic, Diagnostics, Rule, Severity
from meterspec.ir import CalendarUnit, Entitlement, Hooks, Price, PriceModel, Rate, Tier
from meterspec.source import Place
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from meterspec.spec.shape import Document

RULES = [rule for rule in vars(prices).values() if isinstance(rule, Rule)]
TYPES = {"string": Type.STRING, "integer": Type.INT, "boolean": Type.BOOL}


def check(text: str) -> tuple[list[Price | None], list[Entitlement], list[Diagnostic]]:
    """The prices and entitlements of a spec, and what is found wrong with them."""
    out = Diagnostics()
    read = toml.read("meterspec.toml", text.encode(), out)
    assert read is not None, [each.message for each in out]
    source, values = read
    document = read_document(source, values, out)
    assert document is not None, [each.message for each in out]
    meanings, caps = [], []
    for number, meter in enumerate(document.meters):
        at = Place(source, ("meters", number, "billing"))
        if meter.billing is not None and meter.aggregate is not None:
            groups = tuple(meter.aggregate.group_by or ())
            variables = environment(document)
            meanings.append(
                prices.price(meter.billing, at, out, meter=meter.name, dimensions=groups, environment=variables)
            )
            caps.append(prices.entitlement(meter.billing, at, out))
    for name, short in document.meter.items():
        caps.append(prices.entitlement(short, Place(source, ("meter", name)), out))
    return meanings, caps, list(out)


def environment(document: Document) -> dict[str, Variable]:
    fields = {
        name: Variable(
            name=name,
            type=TYPES[field.type],
            nullable=not field.required,
            values=tuple(field.values) if field.values else None,
        )
        for family in document.families
        for name, field in family.schema.items()
    }
    return {"customer_id": Variable(name="customer_id", type=Type.STRING), **fields}


def billing(*lines: str, groups: str = "", schema: str = "") -> str:
    """A spec with one price."""
    return "\n".join(
        [
            f'families = [{{ name = "api.call"{schema} }}]',
            "[[meters]]",
            'name = "calls"',
            'kind = "billing"',
            'source = { kind = "family", family = "api.call" }',
            f'aggregate = {{ fn = "COUNT", group_by = ["customer_id"{groups}] }}',
            "[meters.billing]",
            *lines,
        ]
    )


def usage(*lines: str, groups: str = "", schema: str = "") -> str:
    return billing('model = "usage"', 'currency = "EUR"', *lines, groups=groups, schema=schema)


def by_region(*lines: str, required: bool = True) -> str:
    kind = f'type = "string", required = {str(required).lower()}, values = ["eu", "us"]'
    schema = f", schema.region = {{ {kind} }}, schema.size = {{ type = 'integer' }}"
    return usage(*lines, groups=', "region", "size"', schema=schema)


def price(text: str) -> Price:
    meanings, _, found = check(text)
    assert not [each.message for each in found]
    assert meanings[0] is not None
    return meanings[0]


def codes(found: list[Diagnostic]) -> list[str]:
    return [each.code for each in found]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_bad_spec_of_a_rule_has_this_finding_alone(rule: Rule) -> None:
    meanings, _, found = check(rule.bad)
    assert codes(found) == [rule.code]
    assert all((meaning is None) == (rule.severity is Severity.ERROR) for meaning in meanings if rule.code < "MS430")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_good_spec_of_a_rule_has_no_finding(rule: Rule) -> None:
    assert codes(check(rule.good)[2]) == []


TIERS = (
    "tiers = [{{ up_to = {}, unit_amount = 1 }}, {{ up_to = {}, unit_amount = 1 }}, {{ up_to = {}, unit_amount = 1 }}]"
)
INFINITY = '"infinity"'


@pytest.mark.parametrize(
    ("text", "code", "where", "message", "hint"),
    [
        (
            billing('model = "usage"', 'currency = "eur"', "unit_amount = 1"),
            "MS400",
            '"eur"',
            "`eur` is not a currency",
            'write "EUR"',
        ),
        (
            billing('model = "usage"', 'currency = "EURO"', "unit_amount = 1"),
            "MS400",
            '"EURO"',
            "`EURO` is not a currency",
            "did you mean `EUR`?",
        ),
        (
            billing('model = "usage"', 'currency = "HRK"', "unit_amount = 1"),
            "MS400",
            '"HRK"',
            "`HRK` is not a currency",
            'it was withdrawn; write "EUR"',
        ),
        (
            billing('model = "usage"', 'currency = "XAU"', "unit_amount = 1"),
            "MS400",
            '"XAU"',
            "`XAU` is not a currency",
            "it has no minor unit that an amount could be rounded to",
        ),
        (
            billing('model = "usage"', 'currency = "money"', "unit_amount = 1"),
            "MS400",
            '"money"',
            "`money` is not a currency",
            'write a code of ISO 4217, such as "EUR"',
        ),
        (
            usage(TIERS.format(1000, 500, INFINITY)),
            "MS401",
            "500",
            "tier 2 ends at 500, not above 1000, where tier 1 ends",
            "`up_to` counts all usage of the period; a tier of 500 more units ends at 1500",
        ),
        (
            usage(TIERS.format(1000, 1000, INFINITY)),
            "MS401",
            "1000",
            "tier 2 ends at 1000, not above 1000, where tier 1 ends",
            "`up_to` counts all usage of the period; a tier of 1000 more units ends at 2000",
        ),
        (
            usage(TIERS.format(0, 1000, INFINITY)),
            "MS401",
            "0",
            "tier 1 ends at 0, not above 0, where usage begins",
            "`up_to` counts all usage of the period",
        ),
        (
            usage(TIERS.format(-5, 1000, INFINITY)),
            "MS401",
            "-5",
            "tier 1 ends at -5, not above 0, where usage begins",
            "`up_to` counts all usage of the period",
        ),
        (
            usage(TIERS.format(INFINITY, INFINITY, INFINITY)),
            "MS402",
            '{ up_to = "infinity", unit_amount = 1 }',
            "no usage reaches tier 2: tier 1 has no end",
            "put the tier without an end last",
        ),
        (
            usage(TIERS.format(1, 2, 3)),
            "MS403",
            "3",
            "the last tier ends at 3, so usage above it has no price",
            'add a tier with `up_to = "infinity"`',
        ),
        (
            usage('tiers = [{ up_to = "infinity", flat_amount = -1 }]'),
            "MS405",
            "-1",
            "`flat_amount` is -1; it cannot be negative",
            "write 0 or more",
        ),
        (
            usage("unit_amount = 1", "included_units = -1"),
            "MS405",
            "-1",
            "`included_units` is -1; it cannot be negative",
            "write 0 or more",
        ),
        (
            billing('model = "prepaid"', 'currency = "EUR"', "credits = { pack = -1, price = 90 }"),
            "MS406",
            "-1",
            "`pack` is -1; it has to be above zero",
            "write how many units it holds",
        ),
        (
            billing('model = "prepaid"', 'currency = "EUR"', "credits = { pack = 1, price = 90, refill_below = -1 }"),
            "MS405",
            "-1",
            "`refill_below` is -1; it cannot be negative",
            "write 0 or more",
        ),
        (
            billing('model = "flat"', 'currency = "EUR"', "base_fee = 1", "unit_amount = 1", "included_units = 1"),
            "MS409",
            "included_units",
            "a price of model `flat` takes no `included_units` and `unit_amount`",
            'write `model = "combined"`',
        ),
        (
            billing('model = "flat"', 'currency = "EUR"', "unit_amount = 1"),
            "MS409",
            "unit_amount",
            "a price of model `flat` takes no `unit_amount`",
            'write `model = "usage"`',
        ),
        (
            usage("unit_amount = 1", "credits = { pack = 1, price = 90 }"),
            "MS409",
            "credits",
            "a price of model `usage` takes no `credits`",
            'write `model = "prepaid"`, or leave out `credits`',
        ),
        (
            billing('model = "prepaid"', 'currency = "EUR"', "unit_amount = 1", "credits = { pack = 1, price = 90 }"),
            "MS409",
            "unit_amount",
            "a price of model `prepaid` takes no `unit_amount`",
            "leave out `unit_amount`: prepaid usage is paid for by the pack",
        ),
        (
            billing('model = "prepaid"', 'currency = "EUR"'),
            "MS410",
            "[meters.billing]",
            "a price of model `prepaid` needs `credits`",
            "add `credits = { pack = 1000, price = 90 }`: the units of a pack and what it costs",
        ),
        (
            usage("unit_amount = 1000000000000000"),
            "MS413",
            "1000000000000000",
            "`unit_amount` has 16 digits before the point; there are at most 15",
            None,
        ),
        (
            usage("unit_amount = 1", "included_units = 0.0000000000001"),
            "MS413",
            "0.0000000000001",
            "`included_units` has 13 decimals; there are at most 12",
            None,
        ),
        (
            billing('model = "flat"', 'currency = "JPY"', "base_fee = 100.5"),
            "MS414",
            "100.5",
            "`base_fee` is 100.5, but JPY has no decimals; it is billed as 101",
            "write 101",
        ),
        (
            by_region("unit_amount = 1", 'rates = [{ match = { regoin = "eu" }, unit_amount = 1 }]'),
            "MS420",
            "regoin",
            "meter `calls` does not group by `regoin`, so no rate can match it",
            "did you mean `region`?",
        ),
        (
            by_region("unit_amount = 1", 'rates = [{ match = { region = "EU" }, unit_amount = 1 }]'),
            "MS422",
            '"EU"',
            'no event has "EU" as its `region`: its values are `eu` and `us`',
            "did you mean `eu`?",
        ),
        (
            by_region("unit_amount = 1", 'rates = [{ match = { size = "1" }, unit_amount = 1 }]'),
            "MS422",
            '"1"',
            'no event has "1" as its `size`: it is of type int',
            None,
        ),
        (
            by_region("unit_amount = 1", "rates = [{ match = { size = true }, unit_amount = 1 }]"),
            "MS422",
            "true",
            "no event has true as its `size`: it is of type int",
            None,
        ),
        (
            by_region("unit_amount = 1", "rates = [{ match = { region = 2026-01-01 }, unit_amount = 1 }]"),
            "MS422",
            "2026-01-01",
            "no event has 2026-01-01 as its `region`: a dimension is never a date",
            None,
        ),
        (
            by_region("unit_amount = 1", 'rates = [{ match = { region = "eu" } }]'),
            "MS408",
            '{ match = { region = "eu" } }',
            "this rate has neither `tiers` nor `unit_amount`",
            "add `unit_amount = ...`",
        ),
        (
            '[meter.tokens]\nkind = "counter"\non_dry = "alert.team"',
            "MS431",
            "on_dry",
            "`on_dry` never runs: there is no `limit`",
            "add `limit`, the hard cap",
        ),
        (
            usage("unit_amount = 1", 'on_low = "alert.team"'),
            "MS431",
            "on_low",
            "`on_low` never runs: there is no `refill_below`",
            "add `refill_below` to the credits, or use `on_brim`",
        ),
    ],
)
def test_a_finding_says_what_where_and_what_to_write(
    text: str, code: str, where: str, message: str, hint: str | None
) -> None:
    (found,) = check(text)[2]
    assert found.at is not None
    assert (found.code, found.at.span().text, found.message, found.hint) == (code, where, message, hint)


def test_a_currency_in_small_letters_is_repaired() -> None:
    (found,) = check(billing('model = "usage"', 'currency = "eur"', "unit_amount = 1"))[2]
    (edit,) = found.edits
    assert (edit.at.span().text, edit.text) == ('"eur"', '"EUR"')


def test_a_currency_that_is_only_guessed_is_not_repaired() -> None:
    (found,) = check(billing('model = "usage"', 'currency = "EURO"', "unit_amount = 1"))[2]
    assert found.edits == ()


def test_several_mistakes_are_all_found() -> None:
    text = billing(
        'model = "usage"',
        'currency = "EURO"',
        "tiers = [{ up_to = 10 }, { up_to = 5, unit_amount = -1 }]",
        "package_size = 0",
    )
    assert sorted(codes(check(text)[2])) == ["MS400", "MS401", "MS403", "MS404", "MS405", "MS406"]


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ('[{ match = { region = "eu" }, unit_amount = 1 }, { match = { region = "us" }, unit_amount = 1 }]', []),
        ('[{ match = { region = "eu" }, unit_amount = 1 }]', ["MS423"]),
        ('[{ match = { region = "eu", size = 1 }, unit_amount = 1 }]', ["MS423"]),
        (
            '[{ match = { size = 1 }, unit_amount = 1 }, { match = { region = "eu" }, unit_amount = 1 }'
            ', { match = { region = "us" }, unit_amount = 1 }]',
            [],  # the regions alone cover everything
        ),
    ],
)
def test_rates_need_no_default_where_they_are_known_to_cover_all_usage(rates: str, found: list[str]) -> None:
    assert codes(check(by_region(f"rates = {rates}"))[2]) == found


def test_usage_that_may_lack_the_dimension_is_not_covered() -> None:
    rates = '[{ match = { region = "eu" }, unit_amount = 1 }, { match = { region = "us" }, unit_amount = 1 }]'
    assert codes(check(by_region(f"rates = {rates}", required=False))[2]) == ["MS423"]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ('region = "eu"', 'region = "eu"', ["MS421"]),
        ('region = "eu"', 'region = "us"', []),
        ('region = "eu"', 'size = 1, region = "eu"', ["MS421"]),
        ('size = 1, region = "eu"', 'region = "eu"', []),
        ('region = "eu", size = 1', 'size = 1, region = "eu"', ["MS421"]),
        ("size = 1", "size = 1.0", ["MS421"]),
    ],
)
def test_a_rate_is_unreachable_where_an_earlier_one_asks_for_no_more(first: str, second: str, found: list[str]) -> None:
    rates = f"[{{ match = {{ {first} }}, unit_amount = 1 }}, {{ match = {{ {second} }}, unit_amount = 1 }}]"
    assert codes(check(by_region("unit_amount = 1", f"rates = {rates}"))[2]) == found


def test_the_price_of_the_published_example() -> None:
    meanings, _, found = check(
        billing(
            'model = "combined"',
            'currency = "EUR"',
            "included_units = 100",
            "tiers = [",
            "  { up_to = 1000, unit_amount = 0.45 },",
            '  { up_to = "infinity", unit_amount = 0.30 },',
            "]",
        )
    )
    assert codes(found) == ["MS415"]
    assert meanings == [
        Price(
            model=PriceModel.COMBINED,
            currency="EUR",
            interval=CalendarUnit.MONTH,
            included_units=Decimal(100),
            tiers=(
                Tier(up_to=Decimal(1000), unit_amount=Decimal("0.45")),
                Tier(up_to=None, unit_amount=Decimal("0.30")),
            ),
        )
    ]


def test_the_shorthand_means_one_tier_without_an_end() -> None:
    short, long = usage("unit_amount = 0.5"), usage('tiers = [{ up_to = "infinity", unit_amount = 0.50 }]')
    assert price(short) == price(long)


def test_the_order_of_the_keys_of_a_match_means_nothing() -> None:
    one = by_region("unit_amount = 1", 'rates = [{ match = { region = "eu", size = 1 }, unit_amount = 1 }]')
    two = by_region("unit_amount = 1", 'rates = [{ match = { size = 1, region = "eu" }, unit_amount = 1 }]')
    tier = Tier(up_to=None, unit_amount=Decimal(1))
    assert price(one) == price(two)
    assert price(one).rates == (Rate(match=(("region", "eu"), ("size", 1)), tiers=(tier,)),)


def test_caps_and_hooks() -> None:
    text = '[meter.tokens]\nkind = "counter"\nlimit = 10\nbrim_at = 8.5\non_brim = "warn"\non_dry = "stop"'
    assert check(text)[1] == [
        Entitlement(limit=Decimal(10), brim_at=Decimal("8.5"), hooks=Hooks(on_brim="warn", on_dry="stop"))
    ]


def test_a_prepaid_price_can_run_dry_and_low() -> None:
    text = billing(
        'model = "prepaid"',
        'currency = "EUR"',
        "credits = { pack = 1000, price = 90, refill_below = 50 }",
        'on_low = "refill"',
        'on_dry = "stop"',
    )
    assert codes(check(text)[2]) == []
