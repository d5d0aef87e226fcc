"""The registry is what its sources say, an organisation only tightens it, and obligations are judged by both."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import tomli

from meterspec.assessment import Ask, Assessment, Period, Status
from meterspec.backends.compliance.manifest import earliest
from meterspec.check import check
from meterspec.check.compliance import carbon, rules
from meterspec.check.compliance.overlap import Overlap, overlap
from meterspec.diagnostics import Diagnostic, Diagnostics, Severity
from meterspec.ir import Program
from meterspec.lint import STRICT, choose
from meterspec.pipeline import assess, load
from meterspec.project import SpecFile, collect
from meterspec.regimes import AS_OF, CLOCKS, Registry
from meterspec.spec import toml
from meterspec.spec.reader import read_document
from meterspec.units import parse
from tests.conftest import FIXTURES, ROOT, SHARED

PUBLISHED = FIXTURES / "valid" / "published_long.toml"
CORRECTED = ROOT / "examples" / "carbon-report" / "meterspec.toml"
PROSE = SHARED / "compliance" / "regimes.toml"


def judged(text: str, own: str | None = None, as_of: date | None = None) -> tuple[Assessment | None, list[Diagnostic]]:
    """A spec and a file of an organisation: how it was judged, and what was found."""
    out = Diagnostics()
    organisation = ("meterspec.regimes.toml", own.encode()) if own is not None else None
    files = [SpecFile("meterspec.toml", text.encode(), None, organisation)]
    program = load(files, out, as_of=as_of)
    done = None if program is None else assess(program, files, Diagnostics(), as_of=as_of, always=True)
    return done, out.found


def codes(found: list[Diagnostic], severity: Severity | None = None) -> list[str]:
    return sorted(one.code for one in found if severity in {None, one.severity})


# The registry ---------------------------------------------------------------------------------------------------

REGISTRY = Registry()
NAMES = REGISTRY.names()


@pytest.mark.parametrize("name", NAMES)
def test_a_regime_says_what_it_is_and_where_that_was_read(name: str) -> None:
    regime = REGISTRY.regime(name)
    assert regime is not None and regime.id == name
    assert regime.title and regime.legal_reference and regime.source and regime.applies_to
    assert all(parse(unit) for unit in [*regime.units, *(point.unit for point in regime.disclosures)])
    assert all(period.clock in CLOCKS and period.reference for period in regime.retention)
    assert len({period.evidence for period in regime.retention}) == len(regime.retention)
    assert regime.applies_from is None or regime.in_force


def test_the_numbers_are_those_that_were_researched() -> None:
    if not PROSE.exists():
        pytest.skip("the researched registry is not beside the checkout")
    for written in tomli.loads(PROSE.read_text())["regimes"]:
        regime = REGISTRY.regime(written["id"])
        assert regime is not None
        found = {one.evidence: (one.min_months, one.clock, one.verified) for one in regime.retention}
        for one in written.get("retention", []):
            assert found[one["class"]] == (one["min_months"], one["clock"], one["verified"])
        if "retention_min_months" in written and not written.get("retention"):
            assert {months for months, _, _ in found.values()} == {written["retention_min_months"]}
            assert {verified for _, _, verified in found.values()} == {written["retention_verified"]}
        assert {point.concept for point in regime.disclosures} == {*written.get("xbrl_concepts", [])}
        assert (regime.verified, regime.applies_to) == (written["verified"], written["applies_to"])


def test_the_zones_hold_countries() -> None:
    eu, restricted = REGISTRY.zone("eu"), REGISTRY.zone("eu_restricted")
    assert eu is not None and restricted is not None
    assert len(eu.members) == 27 and eu.members == restricted.members and restricted.restricted
    assert REGISTRY.zone("de") is not None and REGISTRY.zone("nowhere") is None


# The published example ------------------------------------------------------------------------------------------


def test_the_published_example_has_gaps_and_no_error() -> None:
    _, found = judged(PUBLISHED.read_text())
    assert codes(found, Severity.ERROR) == []
    gaps = {"MS514", "MS522", "MS531", "MS540", "MS541", "MS544", "MS545", "MS546", "MS560", "MS570"}
    assert {code for code in codes(found, Severity.WARNING) if code.startswith("MS5")} == gaps
    assert {code for code in codes(found, Severity.HINT) if code.startswith("MS5")} == {"MS506", "MS517"}


def test_the_strict_profile_makes_gaps_errors_but_not_what_nobody_has_verified() -> None:
    _, found = judged(PUBLISHED.read_text())
    strict = choose(found, profile=STRICT)
    assert codes(strict, Severity.ERROR) == ["MS522", "MS531", "MS540", "MS541", "MS544", "MS545", "MS546", "MS570"]
    assert {"MS514", "MS560"} <= {*codes(strict, Severity.WARNING)}
    assert {"MS514", "MS560"} <= {*codes(choose(found, strict=True), Severity.WARNING)}


def test_the_corrected_twin_passes_strict() -> None:
    _, found = judged(CORRECTED.read_text())
    assert codes(choose(found, profile=STRICT)) == ["MS506"]
    assert CORRECTED.read_bytes() == (FIXTURES / "valid" / "published_corrected.toml").read_bytes()


def test_what_passed_is_written_down_with_the_values_that_were_compared() -> None:
    done, _ = judged(PUBLISHED.read_text())
    assert done is not None
    [kept] = [
        one
        for one in done.controls
        if one.rule.code == "MS510" and one.regimes == ("csrd",) and one.subject == "agent-carbon-attribution"
    ]
    assert kept.status is Status.PASS
    assert dict(kept.compared)["kept"] == "120 months from event_time (meter agent-carbon-attribution)"
    assert dict(kept.compared)["asked"].startswith("120 months from calendar_year_end")


EXAMPLES = [dedent(text) for rule in rules() for text in (rule.bad, rule.good) if text]


@pytest.mark.parametrize("text", [PUBLISHED.read_text(), CORRECTED.read_text(), *EXAMPLES])
def test_a_check_that_writes_nothing_down_finds_the_same(text: str) -> None:
    files, known = [SpecFile("meterspec.toml", text.encode())], Diagnostics()
    brief, whole = Diagnostics(), Diagnostics()
    parsed = toml.read("meterspec.toml", text.encode(), known)
    document = parsed and read_document(*parsed, known)
    assert parsed and document
    program = check([(parsed[0], document)], known)
    assess(program, files, brief)
    assess(program, files, whole, always=True)
    assert brief.found == whole.found


@pytest.mark.parametrize(
    ("field", "reads"),
    [("customer_id", True), ("customerId", True), ("userEmail", True), ("ip4_address", True), ("shipping", False)],
)
def test_names_that_read_as_those_of_persons(field: str, reads: bool) -> None:
    _, found = judged(f"""
        [[families]]
        name = "api.call"
        schema.{field} = {{ type = "string" }}
        [[meters]]
        name = "calls"
        source = {{ kind = "family", family = "api.call" }}
        aggregate = {{ fn = "COUNT", group_by = ["{field}"] }}
        compliance.regulatory_regimes = ["uk_accounting"]
    """)
    assert ("MS531" in codes(found)) is reads


# Places ---------------------------------------------------------------------------------------------------------

SINK = """
sinks.stripe = {{ region = "{region}"{transfer} }}
[[families]]
name = "api.call"
compliance.jurisdiction = {zones}
[[meters]]
name = "calls"
kind = "billing"
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "COUNT", group_by = ["customer_id"] }}
billing = {{ model = "usage", currency = "EUR", unit_amount = 0.01 }}
"""
PLACES = [
    ('["eu"]', "IE", "", None),
    ('["eu"]', "US", "", "it is not in `eu`, and no `transfer`"),
    ('["eu"]', "US", "standard_clauses", None),
    ('["eu", "us"]', "US", "", None),
    ('["eu_restricted"]', "US", "standard_clauses", "`eu_restricted` lets nothing out of it"),
    ('["eu", "eu_restricted"]', "US", "", "`eu_restricted` lets nothing out of it, and it is not in `eu`"),
    ('["eu", "eu_restricted"]', "GB", "adequacy", "`eu_restricted` lets nothing out of it"),
    ('["eu_restricted", "us"]', "US", "", "`eu_restricted` lets nothing out of it, though `us` permits it"),
    ('["uk"]', "GB", "", None),
    ('["de"]', "FR", "", "it is not in `de`, and no `transfer`"),
]


@pytest.mark.parametrize(("zones", "region", "transfer", "fault"), PLACES)
def test_a_sink_and_the_zones(zones: str, region: str, transfer: str, fault: str | None) -> None:
    written = f', transfer = "{transfer}"' if transfer else ""
    _, found = judged(SINK.format(zones=zones, region=region, transfer=written))
    assert codes(found) == ([] if fault is None else ["MS520"])
    assert fault is None or (found[0].severity is Severity.ERROR and fault in found[0].message)


def test_a_zone_from_memory_gives_a_warning_that_says_so() -> None:
    _, [found] = judged(SINK.format(zones='["eea"]', region="US", transfer=""))
    assert (found.code, found.severity, found.firm) == ("MS520", Severity.WARNING, False)
    assert "the members of `eea` are unverified in the registry" in (found.hint or "")


# Retention ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("months", "clock", "event", "wanted"),
    [
        (84, "event_time", date(2026, 3, 1), date(2033, 3, 1)),
        (96, "calendar_year_end", date(2026, 1, 1), date(2035, 1, 1)),
        (96, "calendar_year_end", date(2026, 12, 31), date(2035, 1, 1)),
        (1, "event_time", date(2026, 1, 31), date(2026, 2, 28)),
        (1, "event_time", date(2028, 1, 31), date(2028, 2, 29)),
        (12, "event_time", date(2028, 2, 29), date(2029, 2, 28)),
        (10, "event_time", date(2026, 3, 15), date(2027, 1, 15)),
    ],
)
def test_the_first_day_on_which_an_event_may_go(months: int, clock: str, event: date, wanted: date) -> None:
    period = Period(subject="f", evidence="events", asked=(Ask(source="family f", months=months, clock=clock),))
    assert earliest(period, event) == wanted


@pytest.mark.parametrize(
    ("event", "wanted"), [(date(2026, 1, 1), date(2035, 1, 1)), (date(2026, 12, 31), date(2035, 4, 30))]
)
def test_the_last_of_all_days_that_are_asked_for_counts(event: date, wanted: date) -> None:
    asked = (
        Ask(source="family f", months=100, clock="event_time"),
        Ask(source="r", months=96, clock="calendar_year_end"),
    )
    assert earliest(Period(subject="f", evidence="events", asked=asked), event) == wanted


@pytest.mark.parametrize(
    ("regime", "years", "hint"),
    [
        ("de_hgb_ao", 8, "keep them for 9 years"),
        ("de_hgb_ao", 9, None),
        ("sox", 8, "keep them for 9 years"),
        ("sox", 9, None),
        ("hipaa", 20, 'state `retention_from = "last_effective"`'),
    ],
)
def test_years_from_the_event_are_enough_where_they_reach_as_far(regime: str, years: int, hint: str | None) -> None:
    """A year ends within twelve months of an event, its audit within two years, and nobody knows of an effect."""
    _, found = judged(BOOKS.replace('retention_from = "calendar_year_end"', "").format(years=years, regime=regime))
    hints = [one.hint or "" for one in found if one.code == "MS514"]
    assert [hint in one for one in hints] == [True] if hint else hints == []


def test_a_derived_period_softens_neither_the_law_nor_what_the_spec_says() -> None:
    person = """
        [[families]]
        name = "api.call"
        schema.mail = {{ type = "string", personal = true, erase_after_months = 24 }}
        {years}
        [[meters]]
        name = "calls"
        source = {{ kind = "family", family = "api.call" }}
        aggregate = {{ fn = "COUNT", window = "year" }}
        compliance.regulatory_regimes = ["csrd"]
    """
    for years, severity in (("", Severity.WARNING), ("compliance.audit_retention_years = 11", Severity.ERROR)):
        _, found = judged(person.format(years=years))
        assert [(one.code, one.severity) for one in found if one.code == "MS533"] == [("MS533", severity)]


# Counted twice --------------------------------------------------------------------------------------------------

REGIONS = """
[[families]]
name = "server.hour"
schema.region = { type = "string", required = true }
schema.kind = { type = "string", required = true, values = ["web", "batch"] }
schema.carbon = { type = "float", required = true, unit = "gCO2e", factor = { source = "IEA", version = "v1" } }
"""
CARBON = """
[[meters]]
name = "m{number}"
unit = "gCO2e"
filter = "{filter}"
source = {{ kind = "family", family = "server.hour" }}
aggregate = {{ fn = "SUM", value = "carbon", window = "year" }}
compliance = {{ regulatory_regimes = ["vsme", "ghg_protocol"], ghg_scope = 1 }}
"""


def counted_twice(filters: list[str]) -> list[str]:
    """What is said of meters of one box that have these filters."""
    text = REGIONS + "".join(CARBON.format(number=number, filter=each) for number, each in enumerate(filters))
    return [one.message for one in judged(text)[1] if one.code in {"MS547", "MS548"}]


@pytest.mark.parametrize(
    ("filters", "pairs"),
    [
        ([f"region == 'r{number}'" for number in range(100)], []),
        ([*(f"region == 'r{number}'" for number in range(100)), "region in ['r7', 'x']"], [(7, 100)]),
        ([*(f"region == 'r{number}'" for number in range(3)), "kind == 'web'"], [(0, 3)]),
        (["kind == 'web'", "region == 'a'", "region == 'b'"], [(0, 1), (0, 2)]),
        (["region == 'a' || region == 'b'", "region == 'c'", "region == 'b' && kind == 'web'"], [(0, 2)]),
        (["kind == 'web' && region == 'a'", "kind == 'web' && region == 'b'", "kind == 'batch'"], []),
    ],
)
def test_each_meter_is_named_with_the_first_that_counts_its_events(
    filters: list[str], pairs: list[tuple[int, int]]
) -> None:
    said = "meters `m{}` and `m{}` both count scope 1 of family `server.hour`, and some events pass both filters"
    assert counted_twice(filters) == [said.format(*pair) for pair in pairs]


@pytest.mark.parametrize("filter_", ["region == 'r{}'", "region.startsWith('r{}')", "carbon > 0.0 && kind != 'x{}'"])
def test_the_cost_of_comparing_meters_grows_with_their_number(filter_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counting(*given: Any) -> tuple[Overlap, str]:
        nonlocal compared
        compared += 1
        return overlap(*given)

    monkeypatch.setattr(carbon, "overlap", counting)
    counted_twice([filter_.replace("{}", str(number)) for number in range(200)])
    assert compared <= 2 * 2 * 64 * 200  # judged twice, under two regimes; there are 19,900 pairs


def test_meters_that_are_too_many_to_compare_are_said_to_be_undecided() -> None:
    said = counted_twice([f"carbon > {number}.0 && carbon < {number}.5" for number in range(70)])
    assert len(said) == 5 and all("more than 64 filters would have to be compared" in one for one in said)


def test_meters_are_compared_in_every_family_they_share() -> None:
    """A value that one family has, and another does not."""
    first = REGIONS.replace('type = "string", required = true }', 'type = "string", required = true, values = ["a"] }')
    other = REGIONS.replace("server.hour", "other.hour")
    meters = "".join(CARBON.format(number=n, filter=each) for n, each in enumerate(["region != 'a'", "region == 'b'"]))
    meters = meters.replace(
        'kind = "family", family = "server.hour"', 'kind = "families", families = ["server.hour", "other.hour"]'
    )
    found = [one.message for one in judged(first + other + meters)[1]]
    assert [one for one in found if "both count scope 1 of family `other.hour`" in one], found


# The file of an organisation ------------------------------------------------------------------------------------

BOOKS = """
[[families]]
name = "api.call"
[families.compliance]
audit_retention_years = {years}
retention_from = "calendar_year_end"
member_state = "DE"
event_log = "immutable"
corrections = "append"
[[meters]]
name = "calls"
kind = "billing"
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "COUNT", group_by = ["customer_id"] }}
billing = {{ model = "usage", currency = "EUR", unit_amount = 0.01 }}
compliance.regulatory_regimes = ["{regime}"]
"""
OWN = """
[[regimes]]
id = "acme_policy"
title = "Records policy of ACME"
legal_reference = "Board resolution 12/2026"
[[regimes.retention]]
evidence = "event_log"
covers = "events"
min_months = 144
clock = "event_time"
reference = "section 3"
"""
LONGER = """
[[regimes]]
id = "de_hgb_ao"
[[regimes.retention]]
evidence = "voucher_invoice"
covers = "events"
min_months = 120
clock = "calendar_year_end"
reference = "ACME"
"""


def test_an_organisation_adds_a_regime_of_its_own() -> None:
    _, found = judged(BOOKS.format(years=12, regime="acme_policy"), OWN)
    assert codes(found) == ["MS517"]
    _, found = judged(BOOKS.format(years=10, regime="acme_policy"), OWN)
    assert codes(found, Severity.ERROR) == ["MS510"]
    assert "`acme_policy` asks for 144: section 3" in next(d.message for d in found if d.code == "MS510")


def test_an_organisation_tightens_a_regime() -> None:
    assert judged(BOOKS.format(years=8, regime="de_hgb_ao"))[1] == []
    _, [found] = judged(BOOKS.format(years=8, regime="de_hgb_ao"), LONGER)
    assert (found.code, found.severity) == ("MS510", Severity.ERROR)
    assert "keeps its events for 96 months, and `de_hgb_ao` asks for 120: ACME" in found.message


LOOSER = [
    (
        LONGER.replace("120", "60"),
        "MS590",
        "`de_hgb_ao` keeps `voucher_invoice` for 60 months, and the registry for 96",
    ),
    (
        LONGER.replace('"calendar_year_end"', '"event_time"'),
        "MS590",
        "counts the months of `voucher_invoice` from `event_time`, and the registry from `calendar_year_end`",
    ),
    (LONGER.replace('"events"', '"letters"'), "MS590", "`voucher_invoice` cover `letters`, and the registry `events`"),
    (LONGER + 'kinds = ["reporting"]\n', "MS590", "`voucher_invoice` without billing meters"),
    (LONGER + "verified = false\n", "MS590", "`voucher_invoice` as unverified"),
    (LONGER + LONGER, "MS597", "two regimes `de_hgb_ao`"),
    ('[[zones]]\nid = "ours"\nmembers = ["DE"]\n' * 2, "MS597", "two zones `ours`"),
    ('[[zones]]\nid = "de"\nmembers = ["DE", "US"]\n', "MS590", "zone `de` has US"),
    ('[[regimes]]\nid = "pci_dss"\nhot_months = 1\n', "MS590", "`hot_months` at 1, and the registry at 3"),
    ('[[regimes]]\nid = "dora"\ntitle = "X"\n', "MS590", "`dora` has a `title` of its own"),
    ('[[zones]]\nid = "eu"\nmembers = ["DE", "US"]\n', "MS590", "zone `eu` has US"),
    ('[[zones]]\nid = "eu_restricted"\nmembers = ["DE"]\n', "MS590", "`eu_restricted` is not restricted"),
    ('[[regimes]]\nid = "doar"\n', "MS591", "there is no regime `doar` to tighten"),
    ('[[regimes]]\nid = "dora"\nretention_years = 5\n', "MS120", "has no key `retention_years`"),
    ("[[overrides]]\nrule = 'MS510'\n", "MS121", "has no `subject`"),
    ("[[regimes]\n", "MS1", ""),
]


@pytest.mark.parametrize(("own", "code", "words"), LOOSER, ids=[words or "TOML" for _, _, words in LOOSER])
def test_nothing_in_it_loosens_the_registry(own: str, code: str, words: str) -> None:
    program, found = judged(BOOKS.format(years=10, regime="de_hgb_ao"), own)
    assert program is None
    assert any(one.code.startswith(code) and words in one.message for one in found), [d.message for d in found]
    assert all(one.at is not None and one.at.source.name == "meterspec.regimes.toml" for one in found)


OVERRIDE = """
[[overrides]]
rule = "{rule}"
subject = "{subject}"
regime = "de_hgb_ao"
min_months = {months}
approver = "J. Doe, general counsel"
legal_basis = "AO 148, relief of 2026-01-10"
approved_on = 2026-01-10
expires_on = 2027-01-10
"""
DAY = date(2026, 6, 30)


def overridden(
    day: date | None = DAY, rule: str = "MS510", subject: str = "calls", months: int = 60, years: int = 5
) -> tuple[Assessment | None, list[Diagnostic]]:
    own = OVERRIDE.format(rule=rule, subject=subject, months=months)
    return judged(BOOKS.format(years=years, regime="de_hgb_ao"), own, day)


def test_an_override_waives_a_rule_and_is_written_down() -> None:
    done, found = overridden()
    assert found == [] and done is not None
    [waived] = [one for one in done.controls if one.status is Status.WAIVED]
    assert waived.rule.code == "MS510" and waived.waiver is not None
    assert waived.waiver.approver == "J. Doe, general counsel"
    [period] = [one for one in done.periods if one.subject == "calls"]
    assert ("override", 60) in {(ask.source, ask.months) for ask in period.asked}


OVERRIDES = [
    ({"rule": "retention-below-regime"}, []),
    ({"day": date(2027, 1, 10)}, ["MS510", "MS593"]),
    ({"day": date(2026, 1, 9)}, ["MS510", "MS593"]),
    ({"day": None}, ["MS594"]),
    ({"months": 72}, ["MS510"]),
    ({"subject": "other"}, ["MS510", "MS595"]),
    ({"rule": "MS501"}, ["MS510", "MS592"]),
    ({"years": 8}, ["MS595"]),
]


@pytest.mark.parametrize(("change", "wanted"), OVERRIDES, ids=[str(change) for change, _ in OVERRIDES])
def test_an_override_counts_for_its_rule_its_subject_and_its_days(change: dict[str, object], wanted: list[str]) -> None:
    _, found = overridden(**change)  # type: ignore[arg-type]
    assert codes(found) == wanted


def test_an_override_that_expired_is_named_with_its_day() -> None:
    _, found = overridden(day=date(2027, 3, 1))
    [expired] = [one for one in found if one.code == "MS593"]
    assert "approved by J. Doe, general counsel, expired on 2027-01-10, and this is judged by 2027-03-01" in (
        expired.message
    )
    assert expired.at is not None and expired.at.span().text == "2027-01-10"


def test_the_nearest_file_of_an_organisation_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "meterspec.toml").write_text(BOOKS.format(years=10, regime="acme_policy"))
    (tmp_path / "meterspec.regimes.toml").write_text(OWN)
    monkeypatch.chdir(specs)
    for paths in ([], ["meterspec.toml"], ["."], [str(specs)]):
        out = Diagnostics()
        load(collect(paths), out)
        assert codes(out.found, Severity.ERROR) == ["MS510"]
    (specs / "meterspec.regimes.toml").write_text(OWN.replace("144", "120"))
    out = Diagnostics()
    load(collect([]), out)
    assert codes(out.found, Severity.ERROR) == []


def test_files_of_one_spec_are_judged_by_one_file_of_the_organisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = BOOKS.format(years=12, regime="acme_policy")
    family, meter = books.split("[[meters]]")
    for name, text in (("a", family), ("b", "[[meters]]" + meter)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meterspec.toml").write_text(text)
        (tmp_path / name / "meterspec.regimes.toml").write_text(OWN)
    monkeypatch.chdir(tmp_path)

    def found() -> list[str]:
        out = Diagnostics()
        load(collect(["a", "b"]), out)
        return [f"{one.code}: {one.message}" for one in out.found if one.severity is Severity.ERROR]

    assert found() == []  # two copies say the same
    (tmp_path / "b" / "meterspec.regimes.toml").write_text(OWN.replace("144", "240"))
    words = "MS596: the file of the organisation that is nearest to `a/meterspec.toml` is `a/meterspec.regimes.toml`"
    assert found() == [f"{words}, and to `b/meterspec.toml` `b/meterspec.regimes.toml`"]
    (tmp_path / "b" / "meterspec.regimes.toml").unlink()
    assert found() == [f"{words}, and to `b/meterspec.toml` no such file"]


# The command line -----------------------------------------------------------------------------------------------


def validate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meterspec", "validate", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_the_profile_decides_the_exit_code() -> None:
    assert validate(PUBLISHED).returncode == 0
    assert validate(PUBLISHED, "--profile", "strict").returncode == 1
    assert validate(CORRECTED, "--profile", "strict").returncode == 0


def test_the_day_can_be_given() -> None:
    done = validate(PUBLISHED, "--as-of", "2028-01-01", "--format", "concise", "--profile", "strict")
    assert "MS506" not in done.stdout and re.search(r"error\[MS560\]", done.stdout)
    assert validate(PUBLISHED, "--as-of", "soon").returncode == 2


def test_the_day_of_the_registry_is_not_in_the_future_of_its_sources() -> None:
    if not PROSE.exists():
        pytest.skip("the researched registry is not beside the checkout")
    assert AS_OF.isoformat().startswith(tomli.loads(PROSE.read_text())["meta"]["as_of"])


# Changes --------------------------------------------------------------------------------------------------------


def test_what_a_project_is_bound_to_is_in_the_plan_of_a_change() -> None:
    from meterspec.diff import diff  # noqa: PLC0415
    from meterspec.migration.steps import Action, steps  # noqa: PLC0415

    def program(text: str) -> Program:
        out = Diagnostics()
        found = load([SpecFile("meterspec.toml", text.encode())], out)
        assert found is not None, codes(out.found)
        return found

    text = CORRECTED.read_text()
    before = program(text)
    after = program(
        text.replace('region = "IE"', 'region = "NL"')
        .replace("as_of = 2026-06-30", "as_of = 2026-12-31")
        .replace('version = "2025", method = "location"', 'version = "2026", method = "location"')
        .replace('clock_source = "ptbtime1.ptb.de"\n', "")
    )
    found = steps(before, after, diff(before, after))
    assert {(step.action, step.subject) for step in found} == {
        (Action.OBLIGATIONS, "stripe"),
        (Action.OBLIGATIONS, "as_of"),
        (Action.OBLIGATIONS, "acme.platform.agent-run"),
    }
    assert {code for step in found for code in step.because} == {"MD541", "MD542", "MD547"}


def test_artefacts_keep_what_the_organisation_adds_for_the_next_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from meterspec.artifacts import write  # noqa: PLC0415
    from meterspec.baseline import deployed  # noqa: PLC0415
    from meterspec.pipeline import compile_program  # noqa: PLC0415

    (tmp_path / "meterspec.toml").write_text(BOOKS.format(years=12, regime="acme_policy"))
    (tmp_path / "meterspec.regimes.toml").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    out = Diagnostics()
    files = collect([])
    program = load(files, out)
    assert program is not None
    write(compile_program(program, files, out), tmp_path / "build")
    again = Diagnostics()
    assert load(deployed(tmp_path / "build"), again) == program
    assert codes(again.found, Severity.ERROR) == []


def test_repairs_are_made_by_the_rules_of_the_day_that_is_given(tmp_path: Path) -> None:
    spec = tmp_path / "meterspec.toml"
    spec.write_text(PUBLISHED.read_text())
    done = validate(spec, "--as-of", "2028-01-01", "--fix", "--format", "concise")
    assert "MS506" not in done.stdout and 'unit = "ms"' in spec.read_text()
