"""From shape to meaning: names resolved, expressions typed, money in exact decimals.

`names` keeps names unique, `families` gives fields their types and bounds, `windows` reads the ways to write a
window, `prices` and `tightening` the tables of prices and obligations, `overflow` proves that numbers fit, and `meters`
puts a meter together. What is wrong is reported, and the rest goes on: a missing family silences what depends on it.
`compliance` judges the whole program by the registry of regimes, where it states something to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meterspec.cel.types import Environment
from meterspec.check import families as _families
from meterspec.check import meters as _meters
from meterspec.check.names import Names, sql_name
from meterspec.check.tightening import statements
from meterspec.diagnostics import Diagnostics, Rule, Severity, corrections, did_you_mean
from meterspec.ir import Family, Meter, Program, Sink, Statement
from meterspec.source import Place, Source
from meterspec.spec.shape import Document
from meterspec.spec.shape import Meter as WrittenMeter

__all__ = ["check"]

NOTHING_DECLARED = Rule(
    code="MS203",
    slug="nothing-declared",
    title="A spec without a family or a meter",
    message="there is nothing to meter: the spec declares no family and no meter",
    why="It passes every check because there is nothing to check. A spec that is empty is most often the wrong file.",
    severity=Severity.WARNING,
    bad="""
        meterspec = 1
    """,
    good="""
        meterspec = 1
        [meter.tokens]
        kind = "counter"
    """,
)


@dataclass(frozen=True, slots=True)
class _Written:
    """A long-form meter and where it stands."""

    meter: WrittenMeter
    at: Place


def check(files: Sequence[tuple[Source, Document]], out: Diagnostics) -> Program:
    """The meaning of all files of a project together; reports MS2xx to MS5xx.

    What has no meaning is left out of the program, so it is only whole where no error was reported.
    """
    if files and not any(document.families or document.meters or document.meter for _, document in files):
        hint = "declare what happens under `[[families]]` and what is counted under `[[meters]]`"
        out.report(NOTHING_DECLARED, at=Place(files[0][0], ("meterspec",)), hint=hint)
    names = Names(out)
    families = _declared_families(files, names, out)
    long_form = [
        _Written(meter, Place(source, ("meters", number)))
        for source, document in files
        for number, meter in enumerate(document.meters)
    ]
    _give_meters_their_fields(long_form, families, out)
    environments: dict[tuple[str, ...], Environment] = {}
    over_families: dict[str, Meter] = {}
    later: list[Callable[[], None]] = []
    meters: dict[str, Meter | None] = {}
    for written in long_form:
        name = written.meter.name
        if not names.take("meter", name, written.at, (sql_name(name),)):
            continue
        meters[name] = None
        if written.meter.source.kind != "ratio":
            meter = _meters.meter(written.meter, written.at, families, environments, later, out)
            if meter is not None:
                meters[name] = over_families[name] = meter
    for task in later:
        task()
    for source, document in files:
        for name, short in document.meter.items():
            at = Place(source, ("meter", name))
            family = families[name]
            if family.origin != at or not names.take("meter", name, at, (sql_name(name),)):
                continue  # another family has the name, which was reported
            meters[name] = over_families[name] = _meters.short_meter(name, short, at, family, out)
    ratios = {written.meter.name for written in long_form if written.meter.source.kind == "ratio"}
    unusable = meters.keys() - over_families.keys()
    for written in long_form:
        name = written.meter.name
        if name in ratios and meters[name] is None:
            meters[name] = _meters.ratio(written.meter, written.at, families, over_families, ratios, unusable, out)
    return Program(
        families=tuple(families.values()),
        meters=tuple(meter for meter in meters.values() if meter is not None),
        sinks=_sinks(files, names),
        statements=_statements(files, names),
    )


def _statements(files: Sequence[tuple[Source, Document]], names: Names) -> tuple[Statement, ...]:
    """What the files state about the whole project; one file does."""
    found: tuple[Statement, ...] = ()
    for source, document in files:
        at = Place(source, ("compliance",))
        if document.compliance is not None and names.take("table", "compliance", at, ()):
            found = statements(document.compliance, at)
    return found


def _sinks(files: Sequence[tuple[Source, Document]], names: Names) -> tuple[Sink, ...]:
    """The sinks of all files."""
    found = []
    for source, document in files:
        for name, sink in document.sinks.items():
            at = Place(source, ("sinks", name))
            if names.take("sink", name, at, ()):
                receives = tuple(sink.receives or ())
                found.append(Sink(name=name, region=sink.region, transfer=sink.transfer, receives=receives, origin=at))
    return tuple(found)


def _declared_families(files: Sequence[tuple[Source, Document]], names: Names, out: Diagnostics) -> dict[str, Family]:
    """The families of all files, those of short-form meters among them, in the order they stand in."""
    families: dict[str, Family] = {}
    for source, document in files:
        for number, written in enumerate(document.families):
            at = Place(source, ("families", number))
            family = _families.family(written, at, out)
            if names.take("family", written.name, at, _relations(family)):
                families[written.name] = family
        for name, short in document.meter.items():
            at = Place(source, ("meter", name))
            family = _families.short_family(name, short, at, out)
            if names.take("family", name, at, _relations(family)):
                families[name] = family
    return families


def _relations(family: Family) -> tuple[str, ...]:
    """The SQL names that a family's views take."""
    return (family.sql_name, family.checked, family.rejects, *(family.raw if len(family.raw) == 1 else ()))


def _give_meters_their_fields(meters: Sequence[_Written], families: dict[str, Family], out: Diagnostics) -> None:
    """Completes families by what meters need of them: a customer that is required, dimensions that nobody declared."""
    for written in meters:
        for name in _meters.family_names(written.meter.source):
            if name not in families:
                continue
            if written.meter.kind == "billing":
                families[name] = _families.require_customer(families[name])
            for number, dimension in enumerate(_meters.dimensions(written.meter)):
                if any(field.name == dimension for field in families[name].fields):
                    continue
                at = written.at / "aggregate" / "group_by" / number
                customer = families[name].customer or ""
                alone = written.meter.kind == "billing" and len(_meters.family_names(written.meter.source)) == 1
                if alone and number == 0 and _meters.is_customer_misspelt(dimension, customer):
                    families[name] = _families.add_dimension(families[name], dimension, at)
                    continue  # the meter has to group by the customer, and is told so
                out.report(
                    _meters.UNDECLARED_DIMENSION,
                    at=at,
                    hint=did_you_mean(dimension, [field.name for field in families[name].fields])
                    or f'add `[families.schema.{dimension}]` with `type = "string"`',
                    edits=corrections(at, dimension, [field.name for field in families[name].fields], quoted=True),
                    field=dimension,
                    family=name,
                )
                families[name] = _families.add_dimension(families[name], dimension, at)
