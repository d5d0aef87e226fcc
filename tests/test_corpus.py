"""Every fixture says what is wrong with it, and the compiler agrees: that, there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from meterspec.render import Palette, full
from tests.conftest import FIXTURES
from tests.corpus import announced, check_file

VALID = sorted((FIXTURES / "valid").rglob("*.toml"))
INVALID = sorted((FIXTURES / "invalid").rglob("*.toml"))


def name_of(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_fixture_gives_what_it_announces_and_nothing_else(path: Path) -> None:
    expected = announced(path.read_text(encoding="utf-8"))
    _, found = check_file(path)
    seen = [(d.at.span().begin.line if d.at else 0, d.severity.value, d.code) for d in found]
    assert seen == [(e.line, e.severity, e.code) for e in expected]
    for diagnostic, wanted in zip(found, expected, strict=True):
        said = f"{diagnostic.message} {diagnostic.hint or ''}"
        assert all(fragment in said for fragment in wanted.fragments), said


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_fixture_announces_something(path: Path) -> None:
    assert announced(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_fixture_has_a_program(path: Path) -> None:
    program, _ = check_file(path)
    assert program is not None
    assert program.meters


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=name_of)
def test_what_a_user_reads(path: Path, snapshot: SnapshotAssertion) -> None:
    _, found = check_file(path)
    assert "\n".join(full(diagnostic, Palette()) for diagnostic in found) == snapshot
