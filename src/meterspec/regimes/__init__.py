"""The registry of regimes: laws, standards and policies as data, with their sources, and what an organisation adds.

A file of `data/` is a regime; one is read when a spec names it, so that a spec without compliance pays nothing.
An organisation's `meterspec.regimes.toml` adds regimes and zones, or tightens those there are. Nothing in it loosens
anything but an override, which names who approved it, on what basis, and for how long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TypeVar

from meterspec.diagnostics import Diagnostics, Rule
from meterspec.records import record
from meterspec.regimes.shape import Datapoint, Organisation, Override, OwnRegime, Regime, Retention, Zone, Zones
from meterspec.source import Place, Source
from meterspec.spec import toml
from meterspec.spec.reader import read_table

__all__ = [
    "AS_OF",
    "CLOCKS",
    "FILE",
    "OVERRIDES",
    "TWO_ORGANISATIONS",
    "Datapoint",
    "Override",
    "Regime",
    "Registry",
    "Retention",
    "Zone",
    "digests",
    "registry",
]

LOOSENED_REGISTRY = Rule(
    code="MS590",
    slug="loosened-registry",
    title="A file of the organisation that asks for less than the registry",
    message="{what}, and the registry {wanted}",
    why="A regime is tightened, or left as it is. What an organisation may do less of, it does by an override that "
    "names who approved it, the legal basis, and the days it counts.",
)
INCOMPLETE_REGIME = Rule(
    code="MS591",
    slug="incomplete-regime",
    title="A regime of the organisation's own that does not say what it is",
    message="there is no regime `{regime}` to tighten, and as one of your own it has no `{key}`",
    why="A misspelt name would be a regime that asks for nothing. One of your own has a `title` and a "
    "`legal_reference`, for whoever reads the evidence.",
)
NAMED_TWICE = Rule(
    code="MS597",
    slug="named-twice-in-registry",
    title="A regime or zone that a file of the organisation has twice",
    message="there are two {kind}s `{id}` in the file of the organisation",
    why="One of them would count and the other be passed over.",
)
TWO_ORGANISATIONS = Rule(
    code="MS596",
    slug="two-organisations",
    title="Files of one spec, each below another file of the organisation",
    message="the file of the organisation that is nearest to `{first}` is {first_by}, and to `{other}` {other_by}",
    why="One spec is judged by one registry. Were the first file to count, what the other one asks for would be passed "
    "over, and leave given to one folder would count for another.",
)

AS_OF = date(2026, 7, 31)
"""The day the data of the package is of: nothing in it is newer."""
FILE = "meterspec.regimes.toml"
"""The file of an organisation; the nearest one at or above the spec counts."""
CLOCKS = (
    "event_time",
    "period_end",
    "calendar_year_end",
    "publication",
    "audit_conclusion",
    "placed_on_market",
    "last_effective",
)
"""What periods are counted from, the earliest first as far as they can be compared."""
OVERRIDES = "overrides"
_DATA = Path(__file__).resolve().parent / "data"
_T = TypeVar("_T")


@record(frozen=True, slots=True)
class Registry:
    """The regimes and zones that a project is judged by."""

    own: Organisation | None = None
    """What the organisation adds."""
    source: Source | None = None
    """The file that says so."""

    def names(self) -> list[str]:
        """Every regime, by its name in a spec."""
        own = [regime.id for regime in self.own.regimes] if self.own else []
        return sorted({*_packaged_names(), *own})

    def regime(self, name: str) -> Regime | None:
        """A regime with all that is asked for by it; None where there is none of that name."""
        base = packaged(name)
        own = [regime for regime in self.own.regimes if regime.id == name] if self.own else []
        for each in own:
            base = _tightened(base, each) if base is not None else _of_own(each)
        return base

    def zone_names(self) -> list[str]:
        """Every zone by its name, without those that are one country."""
        return sorted({zone.id for zone in (*_packaged_zones(), *(self.own.zones if self.own else ()))})

    def zone(self, name: str) -> Zone | None:
        """The zone of a name; two letters are a country. None where there is none."""
        own = next((zone for zone in self.own.zones if zone.id == name), None) if self.own else None
        found = own or next((zone for zone in _packaged_zones() if zone.id == name), None)
        if found is None and len(name) == 2 and name.isascii() and name.isalpha() and name.islower():
            return Zone(id=name, members=[name.upper()], source="ISO 3166-1")
        return found

    def datapoints(self) -> dict[str, tuple[Regime, Datapoint]]:
        """Every datapoint that a taxonomy has, by its element."""
        return _packaged_datapoints()

    @property
    def overrides(self) -> list[tuple[Override, Place]]:
        """The overrides, each with its place."""
        if self.own is None or self.source is None:
            return []
        return [(one, Place(self.source, (OVERRIDES, number))) for number, one in enumerate(self.own.overrides)]


def registry(file: tuple[str, bytes] | None, out: Diagnostics) -> Registry:
    """The registry with what a file of the organisation adds, its name and bytes.

    Reports MS1xx for what such a file cannot say, MS590 where it asks for less, MS591 for a regime that is none,
    MS597 for one that is there twice.
    """
    if file is None:
        return Registry()
    parsed = toml.read(*file, out)
    own = None if parsed is None else read_table(Organisation, *parsed, out)
    if parsed is None or own is None:
        return Registry()
    source = parsed[0]
    for kind, ids in (("regimes", [one.id for one in own.regimes]), ("zones", [one.id for one in own.zones])):
        first: dict[str, int] = {}
        for number, name in enumerate(ids):
            if first.setdefault(name, number) != number:
                earlier = Place(source, (kind, first[name], "id"))
                out.report(
                    NAMED_TWICE,
                    at=Place(source, (kind, number, "id")),
                    hint=f"write all of it in one `[[{kind}]]`",
                    related=[(earlier, "the first of them")],
                    kind=kind.removesuffix("s"),
                    id=name,
                )
    for number, regime in enumerate(own.regimes):
        at = Place(source, ("regimes", number))
        base = packaged(regime.id)
        if base is None:
            _report_incomplete(regime, at, out)
        else:
            _report_looser(base, regime, at, out)
    for number, zone in enumerate(own.zones):
        known = Registry().zone(zone.id)
        more = sorted({*zone.members} - {*known.members}) if known else []
        if known and (more or (known.restricted and not zone.restricted)):
            what = f"zone `{zone.id}` has {', '.join(more)}" if more else f"zone `{zone.id}` is not restricted"
            wanted = "does not count it as a part" if more else "has it restricted"
            at = Place(source, ("zones", number))
            out.report(LOOSENED_REGISTRY, at=at, hint="give the zone a name of its own", what=what, wanted=wanted)
    return Registry(own, source)


def _report_incomplete(regime: OwnRegime, at: Place, out: Diagnostics) -> None:
    from meterspec.diagnostics import did_you_mean  # noqa: PLC0415

    lacking = [key for key in ("title", "legal_reference") if getattr(regime, key) is None]
    if lacking:
        hint = did_you_mean(regime.id, _packaged_names()) or f"add `{lacking[0]}`"
        out.report(INCOMPLETE_REGIME, at=at / "id", hint=hint, regime=regime.id, key=lacking[0])


def _report_looser(base: Regime, own: OwnRegime, at: Place, out: Diagnostics) -> None:
    hint = f"write it as one of `[[{OVERRIDES}]]`, with `approver` and `legal_basis`"
    for number, period in enumerate(own.retention):
        for known in base.retention:
            if known.evidence != period.evidence:
                continue
            for key, what, wanted in _less(known, period):
                out.report(
                    LOOSENED_REGISTRY,
                    at=(at / "retention" / number / key).key(),
                    hint=hint,
                    what=f"`{own.id}` {what}",
                    wanted=f"{wanted} ({known.reference})",
                )
    if own.hot_months is not None and base.hot_months is not None and own.hot_months < base.hot_months:
        what, wanted = f"`{own.id}` has `hot_months` at {own.hot_months}", f"at {base.hot_months}"
        out.report(LOOSENED_REGISTRY, at=at / "hot_months", hint=hint, what=what, wanted=wanted)
    for key in ("title", "legal_reference", "applies_to"):
        if getattr(own, key) is not None:
            what, wanted = f"`{own.id}` has a `{key}` of its own", "has one already"
            hint_key = "leave it out, or give the regime a name of its own"
            out.report(LOOSENED_REGISTRY, at=(at / key).key(), hint=hint_key, what=what, wanted=wanted)


def _less(known: Retention, own: Retention) -> Iterator[tuple[str, str, str]]:
    """What a period asks for less of than the one it stands for: the key, and both in words."""
    name = f"`{known.evidence}`"
    if own.min_months < known.min_months:
        yield "min_months", f"keeps {name} for {own.min_months} months", f"for {known.min_months}"
    if CLOCKS.index(own.clock) < CLOCKS.index(known.clock):
        yield "clock", f"counts the months of {name} from `{own.clock}`", f"from `{known.clock}`"
    if own.covers != known.covers:
        yield "covers", f"has {name} cover `{own.covers}`", f"`{known.covers}`"
    if lacking := [kind for kind in known.kinds if kind not in own.kinds]:
        yield "kinds", f"has {name} without {lacking[0]} meters", "with them"
    if known.verified and not own.verified:
        yield "verified", f"has {name} as unverified", "as verified"


def _tightened(base: Regime, own: OwnRegime) -> Regime:
    longer = {period.evidence: period for period in own.retention}
    kept = [longer.pop(period.evidence, period) for period in base.retention]
    return replace(
        base,
        requires=list(dict.fromkeys([*base.requires, *own.requires])),
        annual=base.annual or own.annual,
        hot_months=max(filter(None, (own.hot_months, base.hot_months)), default=None),
        retention=[*kept, *longer.values()],
    )


def _of_own(own: OwnRegime) -> Regime:
    return Regime(
        id=own.id,
        title=own.title or own.id,
        legal_reference=own.legal_reference or own.id,
        applies_to=own.applies_to or ["billing", "reporting"],
        requires=own.requires,
        annual=own.annual,
        hot_months=own.hot_months,
        retention=own.retention,
    )


# The data of the package ----------------------------------------------------------------------------------------


@cache
def packaged(name: str) -> Regime | None:
    """A regime as the package has it; None where there is none of that name."""
    if name not in _packaged_names():
        return None
    return _read(Regime, f"{name}.toml", {"id": name})


@cache
def _packaged_zones() -> tuple[Zone, ...]:
    return tuple(_read(Zones, "zones.toml", {}).zones)


@cache
def _packaged_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in _DATA.glob("*.toml") if file.stem != "zones"))


@cache
def _packaged_datapoints() -> dict[str, tuple[Regime, Datapoint]]:
    regimes = [regime for name in _packaged_names() if (regime := packaged(name)) is not None]
    return {point.concept: (regime, point) for regime in regimes for point in regime.disclosures}


def _read(shape: type[_T], name: str, given: dict[str, object]) -> _T:
    out = Diagnostics()
    parsed = toml.read(name, (_DATA / name).read_bytes(), out)
    found = None if parsed is None else read_table(shape, parsed[0], given | parsed[1], out)
    if found is None:
        raise ValueError(f"{name}: {[finding.message for finding in out]}")
    return found


def digests(names: Sequence[str]) -> dict[str, str]:
    """The sha256 of the data of regimes and of the zones, by file."""
    from hashlib import sha256  # noqa: PLC0415 - only to compile

    files = [*sorted(name for name in names if name in _packaged_names()), "zones"]
    return {f"{name}.toml": sha256((_DATA / f"{name}.toml").read_bytes()).hexdigest() for name in files}
