"""Every fixture says what is wrong with it, and the compiler agrees: that, there, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from meterspec.catalogue import rules
from meterspec.diagnostics import Diagnostic, Diagnostics
from meterspec.pipeline import compile_program
from meterspec.render import Palette, full, order
from tests.conftest import FIXTURES
from tests.corpus import announced, check_file

VALID = sorted((FIXTURES / "valid").rglob("*.toml"))
INVALID = sorted((FIXTURES / "invalid").rglob("*.toml"))
TARGETS = FIXTURES / "invalid" / "targets"

WITHOUT_A_FIXTURE = {
    "MS100": "it is about bytes that are no text, and a fixture is one",
    "MS102": "it is about a file of many megabytes",
    "MS440": "it is about a quantity that is priced, not about the spec",
    "MS441": "it is about a quantity that is priced, not about the spec",
    "MS442": "it is about usage that is priced, not about the spec",
    "MS443": "it is about quantities that are added, not about the spec",
    **dict.fromkeys(("MS590", "MS591"), "it is about the file of an organisation"),
    **dict.fromkeys(("MS592", "MS593", "MS594", "MS595", "MS596", "MS597"), "it is about the file of an organisation"),
    **dict.fromkeys((f"MS{number}" for number in range(660, 669)), "it is about what was compiled or computed"),
}
"""Rules that no text of a spec can break, and why."""


def name_of(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


def findings(path: Path) -> list[Diagnostic]:
    """What is found in a fixture; in one about targets, also by compiling it to every target.

    One about a dialect of SQL lies in a folder of its name.
    """
    program, found = check_file(path)
    if program is None or TARGETS not in path.parents:
        return found
    out = Diagnostics()
    dialect = path.parent.name if path.parent != TARGETS else "duckdb"
    compile_program(program, [], out, dialects=(dialect,))
    return order([*found, *out])


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_fixture_gives_what_it_announces_and_nothing_else(path: Path) -> None:
    expected = announced(path.read_text(encoding="utf-8"))
    found = findings(path)
    seen = [(d.at.span().begin.line if d.at else 0, d.severity.value, d.code) for d in found]
    assert seen == [(e.line, e.severity, e.code) for e in expected]
    for diagnostic, wanted in zip(found, expected, strict=True):
        said = f"{diagnostic.message} {diagnostic.hint or ''}"
        assert all(fragment in said for fragment in wanted.fragments), said


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_fixture_says_why_it_matters_and_what_it_expects(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# (?!error|warning|hint|meterspec:)\S", text)
    assert announced(text)


def test_every_rule_has_a_fixture_or_a_reason_to_have_none() -> None:
    shown = {expected.code for path in INVALID for expected in announced(path.read_text(encoding="utf-8"))}
    wanted = {rule.code for rule in rules() if re.match("MS[1-6]", rule.code)}
    assert sorted(wanted - shown) == sorted(WITHOUT_A_FIXTURE)


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_fixture_has_a_program(path: Path) -> None:
    program, _ = check_file(path)
    assert program is not None
    assert program.meters


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=name_of)
def test_what_a_user_reads(path: Path, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(full(diagnostic, Palette()) for diagnostic in findings(path)) == snapshot
