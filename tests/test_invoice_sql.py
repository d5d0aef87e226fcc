"""Invoices as SQL: on every engine, the lines and totals that the pricing engine computes."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterspec.backends.sql import AS_OF, CYCLES, DIALECTS, INVOICE_LINES, INVOICES, backend, check_prices
from meterspec.diagnostics import Diagnostics
from meterspec.ir import FieldType, Function, Meter, Program, Scalar
from meterspec.pricing import Bill, Unpriceable, price_groups
from tests.engines import Engine, Row
from tests.random_prices import priced, quantity

Period = tuple[str, datetime, datetime]
Used = dict[Period, list[tuple[dict[str, Scalar], Decimal]]]

MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 6)]
SPECS = {"duckdb": 12, "postgres": 8, "clickhouse": 6, "datafusion": 6, "bigquery": 2, "spark": 2}
"""How many specs of six prices each engine computes."""
REGIONS, SIZES = ["eu", "é'", "us", "", None], [1, -3, 7, None]
COLUMNS = (
    *("customer_id", "period_start", "period_end", "currency", "meter", "line", "kind", "rate"),
    *("from", "to", "quantity", "unit_amount", "amount", "finding"),
)


def fits(program: Program) -> bool:
    """Whether every price is accepted for SQL."""
    out = Diagnostics()
    check_prices(program, program.meters, out)
    return not out.has_errors


def used(draw: random.Random, meter: Meter) -> Used:
    """Random quantities of a meter by customer, period and group; negative ones now and then."""
    found: Used = defaultdict(list)
    seen = set()
    for _ in range(40):
        month = draw.randrange(4)
        customer = draw.choice(["c1", "c2", "ü", "gone"])
        period = (customer, MONTHS[month], MONTHS[month + 1])
        values: dict[str, Scalar] = {"customer_id": customer}
        if len(meter.group_by) > 1:
            spot = draw.choice([True, False, None])
            values |= {"region": draw.choice(REGIONS), "size": draw.choice(SIZES), "spot": spot}
        if (period, tuple(values.values())) in seen:
            continue
        seen.add((period, tuple(values.values())))
        amount = quantity(draw, meter, 10**14)
        if amount is not None and draw.random() < 0.02:
            amount = -amount
        found[period].append((values, Decimal(0) if amount is None else amount))
    return found


def expected(meter: Meter, usage: Used, due: Iterable[Period]) -> dict[Period, Bill | str]:
    """The bill of every customer and period, or the code of what is wrong with its usage, by the pricing engine."""
    assert meter.price is not None
    bills: dict[Period, Bill | str] = {}
    carried: dict[str, Decimal | str] = {}
    for period in sorted({*usage, *due}):
        balance = carried.get(period[0], Decimal(0))
        try:
            if isinstance(balance, str):
                bills[period] = balance
                continue
            bill = price_groups(meter.price, usage.get(period, []), Function.SUM, balance=balance)
            bills[period] = bill
            if bill.balance is not None:
                carried[period[0]] = bill.balance
        except Unpriceable as refusal:
            bills[period] = refusal.rule.code
            if meter.price.credits is not None:
                carried[period[0]] = refusal.rule.code
    return bills


def rows_of(meter: Meter, bills: dict[Period, Bill | str]) -> list[tuple[object, ...]]:
    """Lines as the view has them, without their numbers."""
    assert meter.price is not None
    rates = {rate.match: number for number, rate in enumerate(meter.price.rates, 1)}
    rows: list[tuple[object, ...]] = []
    for period, bill in bills.items():
        head = (*period, meter.price.currency, meter.name)
        if isinstance(bill, str):
            rows.append((*head, "usage", None, None, None, None, None, None, bill))
            continue
        for line in bill.lines:
            numbers = (line.start, line.end, line.quantity, line.unit_amount, line.amount)
            rows.append((*head, line.kind.value, rates.get(line.match), *numbers, None))
    return rows


def key(row: tuple[object, ...]) -> list[str]:
    return [f"{value.normalize():f}" if isinstance(value, Decimal) else str(value) for value in row]


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.xdist_group(name))
        for name, specs in SPECS.items()
        for seed in range(specs)
    ],
)
def test_every_line_is_that_of_the_pricing_engine(name: str, seed: int, start_engine: Callable[[str], Engine]) -> None:
    draw, engine = random.Random(seed), start_engine(name)
    made = priced(draw, 6)
    while not fits(made.program):
        made = priced(draw, 6)
    dialect = DIALECTS[engine.name]
    texts = {artifact.path.name: artifact.text for artifact in backend(engine.name).emit(made.program)}
    for script in ("inputs.sql", "families.sql"):
        engine.script(texts[script])
    string, instant = dialect.types[FieldType.STRING], dialect.types[FieldType.TIMESTAMP]
    listed = [(who, MONTHS[n], MONTHS[n + 1]) for who in ("c1", "idle") for n in range(4)]
    engine.insert(CYCLES, {"customer_id": string, "cycle_start": instant, "cycle_end": instant}, [*listed])
    engine.insert(AS_OF, {"as_of": instant}, [(MONTHS[2] + timedelta(microseconds=1),)])
    due = [period for period in listed if period[1] <= MONTHS[2]]
    wanted: list[tuple[object, ...]] = []
    totals: dict[tuple[object, ...], Decimal | None] = {}
    for meter in made.program.meters:
        usage = used(draw, meter)
        decimal = dialect.decimal_type(38, meter.precision)
        decimal = f"Nullable({decimal})" if engine.name == "clickhouse" else decimal
        kinds = {"region": string, "size": dialect.narrow, "spot": dialect.types[FieldType.BOOLEAN]}
        columns = {"window_start": instant, "window_end": instant, "customer_id": string, **kinds, "quantity": decimal}
        columns = {one: kind for one, kind in columns.items() if one not in kinds or one in meter.group_by}
        rows: list[Row] = [
            (*period[1:], *(values[name] for name in meter.group_by), amount)
            for period, groups in usage.items()
            for values, amount in groups
        ]
        engine.load(meter.sql_name, columns, rows)
        bills = expected(meter, usage, due)
        wanted += rows_of(meter, bills)
        for period, bill in bills.items():
            assert meter.price is not None
            total = (*period, meter.price.currency)
            before = totals.get(total, Decimal(0))
            totals[total] = None if before is None or isinstance(bill, str) else before + bill.amount
    engine.script(texts["invoices.sql"])
    selected = ", ".join(engine.quoted(name) for name in COLUMNS)
    found = engine.query(f"SELECT {selected} FROM {engine.quoted(INVOICE_LINES)}")
    in_order = sorted(found, key=lambda row: (*map(str, row[:5]), row[5]))
    assert sorted(key((*row[:5], *row[6:])) for row in found) == sorted(map(key, wanted)), f"{seed}\n{made.text}"
    lines = [(*row[:5], *row[6:]) for row in in_order]
    wanted.sort(key=lambda row: [str(value) for value in row[:5]])
    assert [key(row) for row in lines] == [key(row) for row in wanted], "in another order"
    selected = ", ".join(engine.quoted(name) for name in ("customer_id", "period_start", "period_end", "currency"))
    sums = engine.query(f"SELECT {selected}, {engine.quoted('amount')} FROM {engine.quoted(INVOICES)}")
    assert sorted(map(key, sums)) == sorted(
        key((*total, amount)) for total, amount in totals.items() if has(wanted, total)
    )


def has(lines: list[tuple[object, ...]], total: tuple[object, ...]) -> bool:
    """Whether an invoice has a line at all."""
    return any(line[:4] == total for line in lines)
