"""The evidence of a run: what was computed from which files, under which spec, and every number, to be replayed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from typing import Any

from meterspec import __version__
from meterspec.backends.base import Artifact
from meterspec.backends.compliance import as_text, provenance
from meterspec.backends.manifest import sources
from meterspec.diagnostics import Diagnostics
from meterspec.events import Anchor, Cycle, EventFiles, read_cycles
from meterspec.ir import Meter, Program, Scalar
from meterspec.project import SpecFile
from meterspec.regimes import Registry
from meterspec.render import instant, plain, short
from meterspec.run import Result, Run
from meterspec.store import SealedEvents
from meterspec.templates import render
from meterspec.units import parse

__all__ = ["SCHEMA", "SIGNATURE", "Options", "collected", "computed_again", "files_of", "statement", "unusable"]

SCHEMA = "meterspec/run-manifest@1"
SIGNATURE = PurePosixPath("statement.dsse.json")
"""The signed statement about the files of the evidence: a DSSE envelope, written where a key is given."""
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for, as texts."""

    meters: tuple[str, ...] = ()
    as_of: str | None = None
    start: str | None = None
    end: str | None = None
    range: str | None = None
    fill: bool = False
    cycles: str | None = None
    """The file of billing cycles; in the evidence, relative to its folder."""
    cycle_anchor: str | None = None


def document(
    program: Program,
    files: Sequence[SpecFile],
    own: tuple[str, bytes] | None,
    events: Sequence[EventFiles | SealedEvents],
    options: Options,
    done: Run,
    compiled: Sequence[Artifact],
    folder: Path,
) -> Document:
    """Everything about a run but its own files; paths of events are relative to the folder of the evidence."""
    given = [(file.name, file.data, "spec") for file in files] + ([(*own, "registry")] if own else [])
    return {
        "schema": SCHEMA,
        "compiler": {"name": "meterspec", "version": __version__},
        "inputs": [
            {"path": Path(name).name, "role": role, "bytes": len(data), "sha256": sha256(data).hexdigest()}
            for name, data, role in given
        ],
        "artefacts": [
            {"path": str(one.path), "sha256": sha256(one.text.encode()).hexdigest()}
            for one in sorted(compiled, key=lambda one: one.path)
        ],
        "options": {
            **asdict(options),
            "meters": list(options.meters),
            "cycles": _file(Path(options.cycles), folder) if options.cycles else None,
        },
        "events": [
            {
                "family": one.family.name,
                "store": _relative(one.folder, folder) if isinstance(one, SealedEvents) else None,
                "files": [
                    {**_file(path, folder), "named": isinstance(one, SealedEvents) or path not in one.unnamed}
                    for path in files_of(one)
                ],
            }
            for one in events
        ],
        "as_of": instant(done.as_of) if done.as_of else None,
        "quality": [
            {
                "family": one.family,
                "read": one.read,
                "accepted": one.accepted,
                "duplicates": one.duplicates,
                "conflicts": one.conflicts,
                "rejected": one.rejected,
                "reasons": one.reasons,
            }
            for one in done.quality
        ],
        "not_computed": done.skipped,
        "numbers": [_number(program.meter(result.meter), result) for result in done.results],
    }


def collected(
    program: Program,
    files: Sequence[SpecFile],
    events: Sequence[EventFiles | SealedEvents],
    options: Options,
    done: Run,
    folder: Path,
    sign: Callable[[bytes], str] | None = None,
) -> list[Artifact]:
    """The files of the evidence of a run, for a folder, the manifest last; what the spec compiles to is named by its
    digests, where it does: what is priced in a way that SQL cannot be is computed all the same. What `sign` makes of
    the statement about them is one more of them."""
    from meterspec.pipeline import compile_program  # noqa: PLC0415

    compiled = compile_program(program, files, Diagnostics(), targets=["sql", "compliance"])
    own = next((file.organisation for file in files if file.organisation is not None), None)
    facts = document(program, files, own, events, options, done, compiled, folder)
    *kept, manifest = package(facts, sources([(file.name, file.data) for file in files], own))
    signed = [Artifact(SIGNATURE, sign(statement(manifest.text.encode()).encode()))] if sign is not None else []
    return [*kept, *signed, manifest]


def statement(manifest: bytes) -> str:
    """What is signed: an in-toto Statement about the manifest of a run and the files that it names, made of the spec
    and the events."""
    facts = json.loads(manifest)
    made = {"manifest.json": sha256(manifest).hexdigest()} | {one["path"]: one["sha256"] for one in facts["files"]}
    read = [(f"{one['role']}/{one['path']}", one["sha256"]) for one in facts["inputs"]]
    read += [(f"events/{file['path']}", file["sha256"]) for one in facts["events"] for file in one["files"]]
    made_of = [{"name": name, "digest": {"sha256": digest}} for name, digest in read]
    return as_text(provenance("run", dict(sorted(made.items())), facts["options"], made_of, __version__))


def package(facts: Document, kept: Artifact) -> list[Artifact]:
    """The files of the evidence: the spec, a report for people, and the manifest, last, over both."""
    report = render("compliance/run.md.j2", facts=facts, code=_code)
    files = [kept, Artifact(PurePosixPath("report.md"), report)]
    facts["files"] = [
        {"path": str(one.path), "sha256": sha256(one.text.encode()).hexdigest()}
        for one in sorted(files, key=lambda one: one.path)
    ]
    return [*files, Artifact(PurePosixPath("manifest.json"), as_text(facts))]


def files_of(events: EventFiles | SealedEvents) -> Iterator[Path]:
    """The files that events are read from."""
    if isinstance(events, SealedEvents):
        yield from sorted(path for path in events.folder.rglob("*") if path.is_file())
    else:
        yield from events.paths


def _file(path: Path, folder: Path) -> Document:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return {"path": _relative(path, folder), "bytes": path.stat().st_size, "sha256": digest}


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _number(meter: Meter, result: Result) -> Document:
    return {
        "meter": result.meter,
        "window_start": instant(result.window_start) if result.window_start else None,
        "window_end": instant(result.window_end),
        "group": {name: _scalar(value) for name, value in result.group},
        "quantity": None if result.quantity is None else short(result.quantity),
        "unit": result.unit,
        "events": result.events,
        "disclosure": _disclosed(meter, result.quantity),
    }


def _scalar(value: Scalar) -> object:
    if isinstance(value, datetime):
        return instant(value)
    return plain(value) if isinstance(value, Decimal) else value


_DECIMALS = 12
"""Decimals of a disclosed value that has no end, such as a third."""


def _disclosed(meter: Meter, quantity: Decimal | None) -> Document | None:
    """A quantity in the unit of the datapoint it is reported as: exact, or said to be rounded."""
    concept = meter.compliance.stated("disclosure")
    found = Registry().datapoints().get(concept) if isinstance(concept, str) else None
    if found is None or meter.unit is None or quantity is None:
        return None
    point = found[1]
    factor = parse(meter.unit).factor / parse(point.unit).factor
    value = Fraction(quantity) * factor
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    with localcontext(prec=100):
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
        if rest != 1:
            decimal = decimal.quantize(Decimal(1).scaleb(-_DECIMALS), ROUND_HALF_UP)
        text = short(decimal)
    return {"concept": concept, "unit": point.unit, "value": text, "exact": rest == 1, "times": str(factor)}


def _code(value: object) -> str:
    from meterspec.backends.compliance.pages import code  # noqa: PLC0415

    return code(value)


# Replay ---------------------------------------------------------------------------------------------------------


def unusable(program: Program, facts: Document) -> Iterator[tuple[str, str, str]]:
    """What of a manifest cannot be computed again: where it stands, what stands there, and what does not."""
    wanted = facts["options"]
    for name in dict.fromkeys(one["family"] for one in facts["events"]):
        if name not in {family.name for family in program.families}:
            yield "events, family", name, "no such family"
    for name in wanted["meters"]:
        if name not in {meter.name for meter in program.meters}:
            yield "options, meters", name, "no such meter"
    for key in ("as_of", "start", "end", "range", "cycle_anchor"):
        text = wanted[key]
        if text is None:
            continue
        moments = text.split("/") if key == "range" else [text]
        try:
            list(map(_moment, moments))
        except ValueError:
            moments = []
        if len(moments) != (2 if key == "range" else 1):
            yield f"options, {key}", text, "no such instant"


def computed_again(
    program: Program, facts: Document, folder: Path
) -> tuple[Run, list[EventFiles | SealedEvents], Options]:
    """The run of a manifest, computed again from its events as they are now."""
    from meterspec.run import run  # noqa: PLC0415

    wanted = facts["options"]
    cycles_file = wanted["cycles"]
    options = Options(
        meters=tuple(wanted["meters"]),
        as_of=wanted["as_of"],
        start=wanted["start"],
        end=wanted["end"],
        range=wanted["range"],
        fill=wanted["fill"],
        cycles=str(folder / cycles_file["path"]) if cycles_file else None,
        cycle_anchor=wanted["cycle_anchor"],
    )
    events = [_events(program, one, folder) for one in facts["events"]]
    cycles: Sequence[Cycle] | Anchor = ()
    if options.cycles is not None:
        cycles = read_cycles(Path(options.cycles))
    elif options.cycle_anchor is not None:
        cycles = Anchor(_moment(options.cycle_anchor))
    bounds = [None if text is None else _moment(text) for text in (options.start, options.end)]
    window = None
    if options.range is not None:
        first, last = map(_moment, options.range.split("/"))
        window = first, last
    done = run(
        program,
        events,
        Diagnostics(),
        meters=options.meters,
        as_of=None if options.as_of is None else _moment(options.as_of),
        begins=(bounds[0], bounds[1]),
        between=window,
        cycles=cycles,
        fill=options.fill,
    )
    return done, events, options


def _moment(text: str) -> datetime:
    """An instant as the command line reads it: in UTC where it has no offset."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _events(program: Program, one: Document, folder: Path) -> EventFiles | SealedEvents:
    family = program.family(one["family"])
    if one["store"] is not None:
        return SealedEvents(family, (folder / one["store"]).resolve())
    paths = tuple((folder / file["path"]).resolve() for file in one["files"])
    unnamed = frozenset(path for path, file in zip(paths, one["files"], strict=True) if not file["named"])
    return EventFiles(family, paths, unnamed)
