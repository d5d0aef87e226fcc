"""SQL views of a program: `families.sql`, `meters.sql` on those, and `inputs.sql`, what the user supplies.

`dialects` says what differs between engines, `build` makes nodes, `expressions` lowers typed expressions, `families`
and `meters` put the views together, and this module prints them. sqlglot only prints what was decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from sqlglot import exp

from meterspec.backends.base import UNSUPPORTED, Artifact, Backend, unsupported
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import DIALECTS, WIDE, Dialect, TooLargeError
from meterspec.backends.sql.expressions import Lowering
from meterspec.backends.sql.families import events_views, family_views
from meterspec.backends.sql.invoices import INVOICE_LINES, INVOICES, check_prices, invoice_views, parts
from meterspec.backends.sql.meters import PER, meter_view, whole_quantity
from meterspec.backends.sql.scans import (
    AS_OF,
    CYCLES,
    Between,
    Scan,
    Scanner,
    Stages,
    needs_as_of,
    needs_cycles,
    parts_of,
    periods_view,
    rollup_view,
    scan_view,
    scans,
)
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.ir import CalendarUnit, Family, FieldType, Meter, Program
from meterspec.source import Place
from meterspec.templates import render

LONG_NAME = Rule(
    code="MS601",
    slug="name-too-long-for-target",
    title="A name that is longer than an engine keeps",
    message="the name `{name}` of {what} is longer than the {most} bytes that {target} keeps",
    why="Such an engine cuts names off without a word, and two names could become one.",
)

__all__ = [
    "AS_OF",
    "CYCLES",
    "DIALECTS",
    "INVOICES",
    "INVOICE_LINES",
    "PER",
    "Between",
    "Dialect",
    "Lowering",
    "Scan",
    "Scanner",
    "Stages",
    "View",
    "backend",
    "check",
    "check_name",
    "check_prices",
    "events_views",
    "family_views",
    "meter_view",
    "needs_as_of",
    "needs_cycles",
    "parts",
    "parts_of",
    "periods_view",
    "scan_view",
    "scans",
    "script",
    "supplied",
    "whole_quantity",
]


def backend(dialect: str, grain: CalendarUnit | None = None) -> Backend:
    """The backend of one dialect; KeyError where there is none of that name.

    With a `grain`, an hour or a day, meters that can be are added up from rollups by it.
    """
    chosen = DIALECTS[dialect]
    return Backend(
        name=f"sql/{dialect}",
        supports=chosen.supports,
        emit=lambda program: _emit(program, chosen, grain),
        lacks=chosen.lacks,
    )


def check(program: Program, meters: Sequence[Meter], dialect: str, out: Diagnostics) -> None:
    """Reports what a dialect cannot express of the meters and their families: MS600, or MS601 for a name."""
    known = len(out)
    unsupported(backend(dialect), meters, out)
    if DIALECTS[dialect].widest < WIDE and len(out) == known:
        _check_widths(program, meters, DIALECTS[dialect], out)
    families = {family.name: family for meter in meters for family in program.families_of(meter)}
    named = [(f"family `{one.name}`", one.origin, (one.checked, one.rejects, *one.raw)) for one in families.values()]
    named += [(f"meter `{meter.name}`", meter.origin, (meter.sql_name,)) for meter in meters]
    for what, at, names in named:
        check_name(max(names, key=lambda one: len(one.encode())), what, at, dialect, out)


def check_name(name: str, what: str, at: Place | None, dialect: str, out: Diagnostics) -> None:
    """Reports MS601 for a name that is too long for the engine; `at` is the place of what has the name."""
    longest = DIALECTS[dialect].longest_name
    if len(name.encode()) > longest:
        place = at and at / "name"
        out.report(LONG_NAME, at=place, what=what, target=f"sql/{dialect}", name=name, most=longest)


def _check_widths(program: Program, meters: Sequence[Meter], dialect: Dialect, out: Diagnostics) -> None:
    """Reports MS600 for what may need whole numbers wider than those of the dialect.

    Compiling it is what finds out, so what passes here compiles.
    """
    wide = set()
    for family in program.families:
        for field in family.fields:
            if field.type is FieldType.DECIMAL and 10**field.precision - 1 > dialect.widest:
                wide.add(family.name)
                feature, user = f"a decimal of {field.precision} digits", f"`{field.name}` of family `{family.name}`"
                out.report(UNSUPPORTED, at=field.origin, target=f"sql/{dialect.name}", feature=feature, user=user)
    hint = "give its fields a closer `min` and `max`, or its family fewer `max_events`"
    for meter in meters:
        at = meter.origin
        if at is not None and meter.aggregate is not None:
            at = at / "aggregate" / ("fn" if meter.aggregate.value is None else "value")
        if any(family.name in wide for family in program.families_of(meter)):
            continue
        try:
            passes = scans(program, parts_of(program, [meter]))
            for scan in passes:
                scan_view(program, scan, dialect)
            meter_view(program, meter, passes, dialect)
        except TooLargeError as error:
            user = f"meter `{meter.name}`"
            out.report(UNSUPPORTED, at=at, hint=hint, target=f"sql/{dialect.name}", feature=error, user=user)


def _emit(program: Program, dialect: Dialect, grain: CalendarUnit | None) -> Iterator[Artifact]:
    folder = PurePosixPath("sql") / dialect.name
    yield Artifact(folder / "inputs.sql", _inputs(program, dialect))
    families = [view for family in program.families for view in family_views(family, dialect)]
    yield Artifact(folder / "families.sql", script("Events: typed, checked, each id once.", families, dialect))
    billed = _billed(program, dialect)
    rated = [part.meter for meter in billed for part in parts(program, meter)]
    passes = scans(program, [*program.meters, *rated], grain=grain)
    if grain is not None:
        rollups = [rollup_view(program, scan, dialect) for scan in passes if scan.grain is not None]
        words = (
            f"Totals by {grain.value} in UTC: views, or tables of the same names and columns that you keep up to date."
        )
        yield Artifact(folder / "rollups.sql", script(words, rollups, dialect))
    views = [scan_view(program, scan, dialect) for scan in passes]
    views += [meter_view(program, meter, passes, dialect) for meter in program.meters]
    title = "Quantities: one view a meter, on one scan of the events for each window and set of dimensions."
    yield Artifact(folder / "meters.sql", script(title, views, dialect))
    if billed:
        views = [meter_view(program, meter, passes, dialect) for meter in rated]
        views += invoice_views(program, billed, dialect)
        words = "Invoices: the lines of every customer and period, and what they come to, on the views of meters."
        yield Artifact(folder / "invoices.sql", script(words, views, dialect))


def _billed(program: Program, dialect: Dialect) -> list[Meter]:
    """The meters that have invoices: amounts are decimals, so there are none where there is no type of decimals."""
    return [meter for meter in program.meters if meter.price is not None and dialect.has_decimals]


def script(title: str, views: Sequence[View], dialect: Dialect, tables: Sequence[dict[str, str]] = ()) -> str:
    """A script that creates tables, each as `supplied` gives it, and then views."""
    statements = list(tables)
    for view in views:
        select = dialect.adapted(view.select)
        name = b.table(dialect.relation((view.name,)))
        create = exp.Create(this=name, kind="VIEW", replace=dialect.replaces_views, expression=select)
        statement = _statement(view.comment, create, dialect)
        if not dialect.replaces_views:
            statement["sql"] = f"DROP VIEW IF EXISTS {b.printed(name, dialect.printer)};\n{statement['sql']}"
        statements.append(statement)
    return render("sql/script.sql.j2", title=title, statements=statements)


def _statement(words: str, create: exp.Create, dialect: Dialect, options: str = "") -> dict[str, str]:
    sql = b.printed(create, dialect.printer, pretty=True, owned=True)
    if len(sql.encode()) > dialect.longest_statement:
        sql = b.printed(create, dialect.printer)
    return {"words": one_line(words), "sql": f"{sql}\n{options}" if options else sql}


def one_line(text: str) -> str:
    """A text for a comment of SQL: whatever it holds, no part of it leaves the line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _inputs(program: Program, dialect: Dialect) -> str:
    """The DDL of the relations that the user supplies."""
    tables = [
        (family.raw, _raw_columns(family, dialect), f"The raw rows of `{family.name}`.") for family in program.families
    ]
    instant = dialect.types[FieldType.TIMESTAMP]
    billed = bool(_billed(program, dialect))
    if billed or any(needs_cycles(meter) for meter in program.meters):
        columns = [
            ("customer_id", dialect.types[FieldType.STRING]),
            ("cycle_start", instant),
            ("cycle_end", instant),
        ]
        words = "The customers' billing cycles, half-open; a customer without any has calendar periods in UTC."
        tables.append(((CYCLES,), columns, words))
    if billed or any(needs_as_of(meter) for meter in program.meters):
        words = "One row: the instant that rolling and lifetime windows end at, and that billing periods are due by."
        tables.append(((AS_OF,), [("as_of", instant)], words))
    statements = [supplied(name, columns, words, dialect) for name, columns, words in tables]
    title = f"What you supply: create these tables, or views of the same names and columns. {dialect.types_in_words}"
    return render("sql/script.sql.j2", title=title.rstrip(), statements=statements)


def supplied(name: tuple[str, ...], columns: Sequence[tuple[str, str]], words: str, dialect: Dialect) -> dict[str, str]:
    """The statement that creates a relation which the user fills: columns, each a name and a type, and what it is."""
    definitions = [exp.ColumnDef(this=b.identifier(column), kind=b.data_type(kind)) for column, kind in columns]
    schema = exp.Schema(this=b.table(dialect.relation(name)), expressions=definitions)
    create = exp.Create(this=schema, kind="TABLE", exists=True)
    return _statement(words, create, dialect, dialect.table_options)


def _raw_columns(family: Family, dialect: Dialect) -> list[tuple[str, str]]:
    return [(field.name, dialect.column_type(field)) for field in family.fields]
