"""Meters: what they read, what they keep, how they count and by what they group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from meterspec import cel
from meterspec.cel.tree import Expr
from meterspec.cel.types import Environment, Type
from meterspec.check import overflow, units
from meterspec.check.names import sql_name
from meterspec.check.prices import entitlement, price
from meterspec.check.tightening import compliance, scalar, tightens
from meterspec.check.windows import DEFAULT, window
from meterspec.diagnostics import Diagnostics, Rule, Severity, corrections, did_you_mean
from meterspec.ir import (
    Aggregate,
    BillingCycle,
    CalendarUnit,
    CalendarWindow,
    Entitlement,
    Example,
    ExpectedRow,
    Family,
    FamilySource,
    FieldType,
    Function,
    Lifetime,
    Meter,
    MeterKind,
    RatioSource,
    Rolling,
    Rounding,
    Source,
    Tumbling,
    Window,
    variables,
)
from meterspec.source import Place
from meterspec.spec import shape

__all__ = ["dimensions", "family_names", "meter", "ratio", "short_meter"]

UNKNOWN_FAMILY = Rule(
    code="MS201",
    slug="unknown-family",
    title="A meter reads a family that the spec does not declare",
    message="meter `{meter}` reads family `{family}`, which is not declared",
    why="A declared family gives its fields types; without them the filter and the value cannot be checked.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.cal" }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
SOURCE_KEY = Rule(
    code="MS220",
    slug="source-key",
    title="A key that this kind of source lacks, or needs",
    message="a source of kind `{kind}` {fault}",
    why="A family is named by `family`, several by `families`, a ratio by `numerator` and `denominator`.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", families = ["api.call"] }
        aggregate = { fn = "COUNT" }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "families", families = ["api.call"] }
        aggregate = { fn = "COUNT" }
    """,
)
AGGREGATE_KEY = Rule(
    code="MS221",
    slug="aggregate-key",
    title="A key that this aggregate lacks, or needs",
    message="{fn} {fault}",
    why="COUNT counts events and needs no value; every other aggregate works on one; only TIME_WEIGHTED has a `per`.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "SUM" }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
MISSING_AGGREGATE = Rule(
    code="MS222",
    slug="missing-aggregate",
    title="A meter that does not say how it counts",
    message="meter `{meter}` has no `aggregate`",
    why="Only a ratio can do without: it takes its windows and groups from its two meters.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
    """,
)
UNDECLARED_DIMENSION = Rule(
    code="MS223",
    slug="undeclared-dimension",
    title="A group_by names a field that the family does not declare",
    message="`{field}` is not declared in family `{family}`; it is taken as an optional text",
    why="A field that is declared is checked: its type, whether it has to be there, and the values it can have.",
    severity=Severity.WARNING,
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["region"] }
    """,
    good="""
        families = [{ name = "api.call", schema.region = { type = "string" } }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["region"] }
    """,
)
BAD_DIMENSION = Rule(
    code="MS224",
    slug="bad-dimension",
    title="A group_by names a field that has a value of its own in almost every event",
    message="meter `{meter}` cannot group by `{field}`, {why_not}",
    why="Grouping by the id or an instant gives one group an event: a copy of the log, not a meter.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["event_id"] }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
    """,
)
BILLING_CUSTOMER = Rule(
    code="MS225",
    slug="billing-groups-by-customer",
    title="A billing meter that does not group by the customer first",
    message="billing meter `{meter}` has to group by the customer, `{customer}`, first",
    why="An invoice has one customer; usage that is not theirs alone cannot be on it.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)
BILLING_TABLE = Rule(
    code="MS226",
    slug="billing-table",
    title="A price on a reporting meter, or a billing meter without one",
    message="{kind} meter `{meter}` {fault}",
    why="`kind` says whether a number is invoiced, and only an invoiced number has a price.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "reporting"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)
FAMILIES_DIFFER = Rule(
    code="MS227",
    slug="families-differ",
    title="A field that the families of a meter do not share",
    message="`{field}` is {first} in family `{family}` and {second} in `{other}`",
    why="A meter over several families reads one field of each event, so it has to be there, with one type, in all.",
    bad="""
        families = [
          { name = "api.call", schema.size = { type = "integer" } },
          { name = "api.upload", schema.size = { type = "string" } },
        ]
        [[meters]]
        name = "calls"
        source = { kind = "families", families = ["api.call", "api.upload"] }
        aggregate = { fn = "COUNT", group_by = ["size"] }
    """,
    good="""
        families = [
          { name = "api.call", schema.size = { type = "integer" } },
          { name = "api.upload", schema.size = { type = "integer" } },
        ]
        [[meters]]
        name = "calls"
        source = { kind = "families", families = ["api.call", "api.upload"] }
        aggregate = { fn = "COUNT", group_by = ["size"] }
    """,
)
RATIO_PARTS = Rule(
    code="MS228",
    slug="ratio-parts",
    title="A ratio of meters that have no ratio",
    message="{message}",
    why="A ratio is taken group by group and window by window, so both meters have to have the same of each.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "day" }
        [[meters]]
        name = "calls-a-month"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "month" }
        [[meters]]
        name = "share"
        source = { kind = "ratio", numerator = "calls", denominator = "calls-a-month" }
    """,
    good="""
        families = [{ name = "api.call", schema.status = { type = "integer", required = true } }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "day" }
        [[meters]]
        name = "failed-calls"
        filter = "status >= 500"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "day" }
        [[meters]]
        name = "share"
        source = { kind = "ratio", numerator = "failed-calls", denominator = "calls" }
    """,
)
REPEATED_DIMENSION = Rule(
    code="MS229",
    slug="repeated-dimension",
    title="A name that a list of the meter has twice",
    message="`{name}` stands twice in `{key}` of meter `{meter}`",
    why="Grouping twice by one field, or reading one family twice, changes nothing or counts double.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id", "customer_id"] }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", group_by = ["customer_id"] }
    """,
)
BILLING_WINDOW = Rule(
    code="MS234",
    slug="billing-window",
    title="A billing meter whose window is not the period of its price",
    message="billing meter `{meter}` is invoiced by the {interval}, and its window is something else",
    why="An invoice covers one period and has one quantity of each meter; nothing says how several would be added.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "day", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        kind = "billing"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
        billing = { model = "usage", currency = "EUR", unit_amount = 0.01 }
    """,
)
EXAMPLE_KEY = Rule(
    code="MS240",
    slug="example-key",
    title="An example that expects what its meter does not give",
    message="the example expects `{key}`, which meter `{meter}` does not give",
    why="A row of a meter has its groups, `window_start`, `window_end`, `quantity` and `events`; nothing else can be "
    "compared.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        tests = [{ name = "nothing", events = [], expect = [{ quantiy = 0 }] }]
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        tests = [{ name = "nothing", events = [], expect = [{ quantity = 0 }] }]
    """,
)
EXAMPLE_VALUE = Rule(
    code="MS241",
    slug="example-value",
    title="An example that expects a value of another type than its meter gives",
    message="`{key}` of an expected row takes {wanted}",
    why="A quantity is compared as a number and a window by its instants; a text equals neither, however it reads.",
    bad="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        tests = [{ name = "nothing", events = [], expect = [{ quantity = "0" }] }]
    """,
    good="""
        families = [{ name = "api.call" }]
        [[meters]]
        name = "calls"
        source = { kind = "family", family = "api.call" }
        aggregate = { fn = "COUNT" }
        tests = [{ name = "nothing", events = [], expect = [{ quantity = 0 }] }]
    """,
)

_NUMBERS = (Type.INT, Type.DECIMAL)
_UNIQUE = (Type.STRING, Type.INT, Type.BOOL)


_COLUMNS = {"window_start", "window_end", "quantity", "events"}


_SOURCE_KEYS = {"family": ("family",), "families": ("families",), "ratio": ("numerator", "denominator")}
"""The keys of each kind of source."""


def family_names(written: shape.Source) -> tuple[str, ...]:
    """The families a source names, whether they exist or not."""
    if written.kind == "family" and written.family is not None:
        return (written.family,)
    return tuple(written.families or ()) if written.kind == "families" else ()


def is_customer_misspelt(name: str, customer: str) -> bool:
    """Whether a dimension is the customer under a shorter name or in other letters: `customer`, `customerId`."""
    one, two = name.replace("_", "").lower(), customer.replace("_", "").lower()
    return name != customer and one in {two, two.removesuffix("id")}


def dimensions(written: shape.Meter) -> tuple[str, ...]:
    """The fields a meter groups by, as written."""
    return tuple(written.aggregate.group_by or ()) if written.aggregate else ()


def meter(
    written: shape.Meter,
    at: Place,
    families: Mapping[str, Family],
    environments: dict[tuple[str, ...], Environment],
    later: list[Callable[[], None]],
    out: Diagnostics,
) -> Meter | None:
    """The meaning of a `[[meters]]` table over families; None where something keeps it from having one.

    `environments` keeps what expressions over a set of families can name: most meters share theirs with others. What
    goes to `later` is to be done after all meters: a phase at a time is faster than a meter at a time, by a fifth, for
    a processor that has to remember less of it.
    """
    source = _source(written, at / "source", families, out)
    if not isinstance(source, FamilySource):
        return None
    members = tuple(families[name] for name in source.families)
    if written.aggregate is None:
        out.report(MISSING_AGGREGATE, at=at, hint='add `aggregate = { fn = "COUNT" }`', meter=written.name)
        return None
    groups = _group_by(written, at / "aggregate" / "group_by", members, out)
    environment = environments.get(source.families)
    if environment is None:
        environment = environments[source.families] = variables(members)
    _check_shared(environment, members, groups, at, out)
    kept = None
    if written.filter is not None:
        checked = cel.check(written.filter, environment, at / "filter", out, want=(Type.BOOL,))
        kept = checked.expr if checked else None
    if kept is not None:
        later.append(partial(overflow.check_comparisons, kept, environment, at / "filter", out))
    found = Diagnostics()
    aggregate = _aggregate(written.aggregate, at / "aggregate", environment, kept, found)
    unread = kept is None and written.filter is not None  # what it would have proved of the value is not missed as well
    out.extend(d for d in found if not (unread and d.rule in cel.GUARDED))
    if aggregate is not None and aggregate.value is not None:
        most = _budget(members)
        place, value = at / "aggregate" / "value", aggregate.value
        later.append(partial(overflow.check, aggregate, environment, written.precision, most, place, out))
        later.append(partial(overflow.check_comparisons, value, environment, place, out))
    later.append(partial(units.check, written.name, written.unit, kept, aggregate, members, at, out))
    return _meter(written, at, source, members, kept, aggregate, groups, environment, out)


def ratio(
    written: shape.Meter,
    at: Place,
    families: Mapping[str, Family],
    meters: Mapping[str, Meter],
    ratios: Set[str],
    unusable: Set[str],
    out: Diagnostics,
) -> Meter | None:
    """The meaning of a `[[meters]]` table whose source is a ratio.

    `meters` are those over families, `ratios` the names of those that are not, and about the `unusable` something was
    reported already.
    """
    source = _source(written, at / "source", {}, out)
    if not isinstance(source, RatioSource):
        return None
    if written.aggregate is not None:
        hint = "leave it out: a ratio has the windows and groups of its two meters"
        out.report(AGGREGATE_KEY, at=(at / "aggregate").key(), hint=hint, fn="a ratio", fault="has no `aggregate`")
    if written.filter is not None:
        hint = "filter its two meters instead"
        out.report(AGGREGATE_KEY, at=(at / "filter").key(), hint=hint, fn="a ratio", fault="has no `filter`")
    parts = []
    for role, name in (("numerator", source.numerator), ("denominator", source.denominator)):
        if name in meters:
            parts.append(meters[name])
        elif name not in unusable or name in ratios:
            what = "a ratio itself; write it in terms of meters over events" if name in ratios else "not a meter here"
            message = f"the {role} `{name}` is {what}"
            edits = () if name in ratios else corrections(at / "source" / role, name, meters, quoted=True)
            out.report(
                RATIO_PARTS, at=at / "source" / role, hint=did_you_mean(name, meters), edits=edits, message=message
            )
    if len(parts) < 2:
        return None
    above, below = parts
    if above.window != below.window or above.group_by != below.group_by:
        what, key = ("windows", "window") if above.window != below.window else ("groups", "group_by")
        message = f"`{above.name}` and `{below.name}` have different {what}"
        out.report(RATIO_PARTS, at=at / "source", hint=f"give both the same `{key}`", message=message)
        return None
    units.check_ratio(written.name, written.unit, above, below, at, out)
    sides = []
    for part in parts:
        assert isinstance(part.source, FamilySource)
        members = tuple(families[name] for name in part.source.families)
        sides.append((part, variables(members), _budget(members)))
    overflow.check_ratio(written.name, written.precision, sides, at / "source", out)
    return _meter(written, at, source, (), None, None, above.group_by, {}, out, like=above)


def _budget(families: Sequence[Family]) -> int:
    """The most events that a result over these families is made of."""
    return max(family.max_events for family in families)


def short_meter(name: str, written: shape.ShortMeter, at: Place, family: Family, out: Diagnostics) -> Meter:
    """The meter that a `[meter.NAME]` table declares: a counter is the SUM of `qty`, a gauge its LAST value."""
    function = Function.SUM if written.kind == "counter" else Function.LAST
    units.read(written.unit, at / "unit", out)
    value = cel.check("qty", variables((family,)), at, Diagnostics(), want=_NUMBERS)
    assert value is not None
    return Meter(
        name=name,
        sql_name=sql_name(name),
        kind=MeterKind.REPORTING,
        description=written.description,
        source=FamilySource((name,)),
        aggregate=Aggregate(function=function, value=value.expr, origin=at),
        window=window(written.window, at / "window", out) or DEFAULT,
        group_by=("customer_id",),
        unit=written.unit,
        precision=written.precision,
        entitlement=entitlement(written, at, out),
        origin=at,
    )


def _meter(
    written: shape.Meter,
    at: Place,
    source: Source,
    members: tuple[Family, ...],
    kept: Expr | None,
    aggregate: Aggregate | None,
    groups: tuple[str, ...],
    environment: Environment,
    out: Diagnostics,
    like: Meter | None = None,
) -> Meter | None:
    """What both kinds of long-form meter share; None where the window was reported: no ratio blames it again."""
    own = compliance(written.compliance, at / "compliance")
    tightens(written.name, own, members, out)
    billing = written.billing
    if billing is not None and written.kind == "reporting":
        hint = 'write `kind = "billing"`, or leave the table out'
        fault = "has a `billing` table"
        out.report(BILLING_TABLE, at=at / "billing", hint=hint, kind="reporting", meter=written.name, fault=fault)
    elif billing is None and written.kind == "billing":
        hint = 'add a `[meters.billing]` table, or write `kind = "reporting"`'
        fault = "has no `billing` table"
        out.report(BILLING_TABLE, at=at / "kind", hint=hint, kind="billing", meter=written.name, fault=fault)
    where = at / "billing"
    if like is not None:
        stretch: Window | None = like.window
    else:
        stretch = window(written.aggregate.window if written.aggregate else None, at / "aggregate" / "window", out)
    if billing is not None and written.kind == "billing" and stretch is not None and not _fits_price(stretch, billing):
        interval = billing.interval
        hint = f'write `window = "billing_cycle"`, or `window = "{interval}"`'
        place = at / "aggregate" / "window" if written.aggregate and written.aggregate.window else at / "billing"
        out.report(BILLING_WINDOW, at=place, hint=hint, meter=written.name, interval=interval)
    whole = Meter(
        name=written.name,
        sql_name=sql_name(written.name),
        kind=MeterKind(written.kind),
        description=written.description,
        source=source,
        filter=kept,
        aggregate=aggregate,
        window=stretch or DEFAULT,
        group_by=groups,
        unit=written.unit,
        precision=written.precision,
        rounding=Rounding(written.rounding),
        price=price(billing, where, out, meter=written.name, dimensions=groups, environment=environment)
        if billing
        else None,
        entitlement=entitlement(billing, where, out) if billing else Entitlement(),
        compliance=own,
        examples=tuple(
            _example(test, at / "tests" / n, written.name, groups, out) for n, test in enumerate(written.tests)
        ),
        origin=at,
    )
    return whole if stretch is not None else None


def _fits_price(stretch: Window, billing: shape.Billing) -> bool:
    """Whether a window is one period of a price."""
    match stretch:
        case BillingCycle():
            return True
        case CalendarWindow(unit):
            return unit.value == billing.interval
        case Tumbling() | Rolling() | Lifetime():
            return False


def _source(written: shape.Meter, at: Place, families: Mapping[str, Family], out: Diagnostics) -> Source | None:
    source = written.source
    wanted = _SOURCE_KEYS[source.kind]
    written_keys = [
        key for key in ("family", "families", "numerator", "denominator") if getattr(source, key) is not None
    ]
    extra = [key for key in written_keys if key not in wanted]
    lacking = [key for key in wanted if key not in written_keys]
    if extra:
        others = [kind for kind, keys in _SOURCE_KEYS.items() if set(written_keys) <= set(keys)]
        hint = f'write `kind = "{others[0]}"`' if others else "its keys are " + " and ".join(f"`{k}`" for k in wanted)
        at_key = (at / extra[0]).key()
        out.report(SOURCE_KEY, at=at_key, hint=hint, kind=source.kind, fault=f"has no `{extra[0]}`")
    elif lacking:
        example = f"{lacking[0]} = {'[...]' if lacking[0] == 'families' else chr(34) + '...' + chr(34)}"
        out.report(SOURCE_KEY, at=at, hint=f"add `{example}`", kind=source.kind, fault=f"needs `{lacking[0]}`")
    whole = not extra and not lacking
    if not whole:
        return None
    if source.kind == "ratio":
        assert source.numerator is not None and source.denominator is not None
        return RatioSource(source.numerator, source.denominator)
    names = family_names(source)
    for number, name in enumerate(names):
        place = at / "family" if source.kind == "family" else at / "families" / number
        if name not in families:
            names_there = ", ".join(f"`{known}`" for known in list(families)[:8])
            declared = f"the families are {names_there}" if families else "declare it under `[[families]]`"
            hint = did_you_mean(name, families) or declared
            edits = corrections(place, name, families, quoted=True)
            out.report(UNKNOWN_FAMILY, at=place, hint=hint, edits=edits, meter=written.name, family=name)
            whole = False
        elif name in names[:number]:
            out.report(REPEATED_DIMENSION, at=place, name=name, key="families", meter=written.name)
            whole = False
    return FamilySource(names) if whole else None


def _group_by(written: shape.Meter, at: Place, members: tuple[Family, ...], out: Diagnostics) -> tuple[str, ...]:
    groups = dimensions(written)
    kept: list[str] = []
    for number, name in enumerate(groups):
        place = at / number
        if name in kept:
            out.report(REPEATED_DIMENSION, at=place, name=name, key="group_by", meter=written.name)
            continue
        reasons = [why for family in members if (why := _not_a_dimension(family, name))]
        if reasons:
            out.report(BAD_DIMENSION, at=place, meter=written.name, field=name, why_not=reasons[0])
            continue
        kept.append(name)
    customers = {family.customer for family in members}
    if written.kind == "billing" and (not kept or kept[0] not in customers):
        customer = members[0].customer or "customer_id"
        rest = [name for name in kept if name != customer and not is_customer_misspelt(name, customer)]
        listed = ", ".join(f'"{name}"' for name in [customer, *rest])
        hint = f"write `group_by = [{listed}]`"
        place = at if groups else at.parent()
        out.report(BILLING_CUSTOMER, at=place, hint=hint, meter=written.name, customer=customer)
    return tuple(kept)


def _not_a_dimension(family: Family, name: str) -> str | None:
    if name == family.event_id:
        return "the id of the event"
    if name.lower() in _COLUMNS:
        return "a column that every meter has"
    kind = next((f.type for f in family.fields if f.name == name), None)
    return "an instant" if kind is FieldType.TIMESTAMP else None


def _check_shared(
    environment: Environment, members: tuple[Family, ...], groups: tuple[str, ...], at: Place, out: Diagnostics
) -> None:
    """Reports a group field that the families do not share."""
    for number, name in enumerate(groups):
        if name in environment:
            continue
        first, *others = members
        types = {f.name: {i.name: i.type.value for i in f.fields} for f in members}
        for other in others:
            one, two = types[first.name].get(name, "absent"), types[other.name].get(name, "absent")
            if one != two:
                out.report(
                    FAMILIES_DIFFER,
                    at=at / "aggregate" / "group_by" / number,
                    field=name,
                    first=one,
                    family=first.name,
                    second=two,
                    other=other.name,
                )
                break


def _aggregate(
    written: shape.Aggregate, at: Place, environment: Environment, kept: Expr | None, out: Diagnostics
) -> Aggregate | None:
    function = Function(written.fn)
    value = None
    if function is Function.COUNT and written.value is not None:
        hint = "leave it out; SUM adds values up, UNIQUE counts different ones, and `filter` picks the events"
        out.report(AGGREGATE_KEY, at=(at / "value").key(), hint=hint, fn="COUNT", fault="takes no `value`")
    elif function is not Function.COUNT and written.value is None:
        what = "what is counted" if function is Function.UNIQUE else "the number each event contributes"
        hint = f'add `value = "..."`, {what}'
        out.report(AGGREGATE_KEY, at=at / "fn", hint=hint, fn=function.value, fault="needs a `value`")
        return None
    elif written.value is not None:
        want = _UNIQUE if function is Function.UNIQUE else _NUMBERS
        # A missing value is not counted by UNIQUE, so there it needs no guard.
        distinct = function is Function.UNIQUE
        checked = cel.check(written.value, environment, at / "value", out, want=want, given=kept, optional=distinct)
        if checked is None:
            return None
        value = checked.expr
    if function is Function.TIME_WEIGHTED and written.per is None:
        hint = 'add `per = "hour"`: the quantity is in value-units times this'
        out.report(AGGREGATE_KEY, at=at / "fn", hint=hint, fn=function.value, fault="needs a `per`")
    elif function is not Function.TIME_WEIGHTED and written.per is not None:
        hint = "leave it out; only TIME_WEIGHTED adds up values over time"
        out.report(AGGREGATE_KEY, at=(at / "per").key(), hint=hint, fn=function.value, fault="takes no `per`")
    elif written.per is not None and CalendarUnit(written.per) not in overflow.PER:
        hint = 'write "minute", "hour", "day" or "week"'
        fault = f"cannot be per {written.per}: its length differs"
        out.report(AGGREGATE_KEY, at=at / "per", hint=hint, fn=function.value, fault=fault)
    per = CalendarUnit(written.per) if written.per else None
    return Aggregate(function=function, value=value, per=per, origin=at)


_EXPECTED: dict[str, tuple[tuple[type, ...], str]] = {
    "quantity": ((int, Decimal), "a number"),
    "events": ((int,), "a whole number"),
    "window_start": ((date,), "a date, with a time or without"),
    "window_end": ((date,), "a date, with a time or without"),
}
"""What the columns of a row that are no groups hold; a date with a time is a date too."""


def _example(written: shape.Example, at: Place, meter: str, groups: tuple[str, ...], out: Diagnostics) -> Example:
    known = (*groups, "window_start", "window_end", "quantity", "events")
    expected = []
    for number, row in enumerate(written.expect):
        place = at / "expect" / number
        for key in row:
            if key not in known:
                hint = did_you_mean(key, known) or "a row has " + ", ".join(f"`{name}`" for name in known)
                edits = corrections((place / key).key(), key, known)
                out.report(EXAMPLE_KEY, at=(place / key).key(), hint=hint, edits=edits, key=key, meter=meter)
            elif key not in groups and (isinstance(row[key], bool) or not isinstance(row[key], _EXPECTED[key][0])):
                quotes = "write it without quotes" if isinstance(row[key], str) else None
                out.report(EXAMPLE_VALUE, at=place / key, hint=quotes, key=key, wanted=_EXPECTED[key][1])
        quantity = row.get("quantity")
        group = tuple((key, scalar(value)) for key, value in row.items() if key != "quantity")
        number_or_none = Decimal(quantity) if isinstance(quantity, int | Decimal) else None
        expected.append(ExpectedRow(group=group, quantity=number_or_none, origin=place))
    events = tuple(tuple((key, scalar(value)) for key, value in event.items()) for event in written.events)
    as_of = scalar(written.as_of) if written.as_of is not None else None
    return Example(
        name=written.name,
        events=events,
        expect=tuple(expected),
        as_of=as_of if isinstance(as_of, datetime) else None,
        origin=at,
    )
