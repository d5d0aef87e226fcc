"""SQL views of a program: `families.sql`, `meters.sql` on those, and `inputs.sql`, what the user supplies.

`dialects` says what differs between engines, `build` makes nodes, `expressions` lowers typed expressions, `families`
and `meters` put the views together, and this module prints them. sqlglot only prints what was decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from sqlglot import exp

from meterspec.backends.base import Artifact, Backend
from meterspec.backends.sql import build as b
from meterspec.backends.sql.build import View
from meterspec.backends.sql.dialects import DIALECTS, Dialect
from meterspec.backends.sql.families import events_views, family_views
from meterspec.backends.sql.meters import AS_OF, CYCLES, meter_view
from meterspec.ir import BillingCycle, Family, FieldType, Lifetime, Meter, Program, Rolling
from meterspec.templates import render

__all__ = ["DIALECTS", "Dialect", "View", "backend", "events_views", "meter_view", "needs_as_of", "needs_cycles"]


def backend(dialect: str) -> Backend:
    """The backend of one dialect; KeyError where there is none of that name."""
    chosen = DIALECTS[dialect]
    return Backend(name=f"sql/{dialect}", supports=chosen.supports, emit=lambda program: _emit(program, chosen))


def needs_cycles(meter: Meter) -> bool:
    """Whether a meter's view reads the relation of billing cycles."""
    return isinstance(meter.window, BillingCycle)


def needs_as_of(meter: Meter) -> bool:
    """Whether a meter's view ends at the as-of instant."""
    return isinstance(meter.window, Rolling | Lifetime)


def _emit(program: Program, dialect: Dialect) -> Iterator[Artifact]:
    folder = PurePosixPath("sql") / dialect.name
    yield Artifact(folder / "inputs.sql", _inputs(program, dialect))
    families = [view for family in program.families for view in family_views(family, dialect)]
    yield Artifact(folder / "families.sql", _script("Events: typed, checked, each id once.", families, dialect))
    meters = [meter_view(program, meter, dialect) for meter in program.meters]
    yield Artifact(folder / "meters.sql", _script("Quantities: one view a meter.", meters, dialect))


def _script(title: str, views: list[View], dialect: Dialect) -> str:
    statements = []
    for view in views:
        create = exp.Create(this=b.table(view.name), kind="VIEW", replace=True, expression=view.select)
        statements.append(_statement(view.comment, create, dialect))
    return render("sql/script.sql.j2", title=title, statements=statements)


def _statement(words: str, create: exp.Create, dialect: Dialect) -> dict[str, str]:
    return {"words": one_line(words), "sql": create.sql(dialect=dialect.name, pretty=True)}


def one_line(text: str) -> str:
    """A text for a comment of SQL: whatever it holds, no part of it leaves the line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _inputs(program: Program, dialect: Dialect) -> str:
    """The DDL of the relations that the user supplies."""
    tables = [
        (family.raw, _raw_columns(family, dialect), f"The raw rows of `{family.name}`.") for family in program.families
    ]
    instant = dialect.column_type_of(FieldType.TIMESTAMP)
    if any(needs_cycles(meter) for meter in program.meters):
        columns = [
            ("customer_id", dialect.column_type_of(FieldType.STRING)),
            ("cycle_start", instant),
            ("cycle_end", instant),
        ]
        words = "The customers' billing cycles, half-open; a customer without any has calendar periods in UTC."
        tables.append(((CYCLES,), columns, words))
    if any(needs_as_of(meter) for meter in program.meters):
        tables.append(
            ((AS_OF,), [("as_of", instant)], "One row: the instant that rolling and lifetime windows end at.")
        )
    statements = []
    for name, columns, words in tables:
        definitions = [exp.ColumnDef(this=b.identifier(column), kind=b.data_type(kind)) for column, kind in columns]
        create = exp.Create(this=exp.Schema(this=b.table(name), expressions=definitions), kind="TABLE", exists=True)
        statements.append(_statement(words, create, dialect))
    title = "What you supply: create these tables, or views of the same names and columns."
    return render("sql/script.sql.j2", title=title, statements=statements)


def _raw_columns(family: Family, dialect: Dialect) -> list[tuple[str, str]]:
    return [(field.name, dialect.column_type(field)) for field in family.fields]
