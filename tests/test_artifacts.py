"""Every artefact of every example is a golden file: what a change does to them is part of the change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from meterspec.backends.base import Artifact
from meterspec.diagnostics import Diagnostics
from meterspec.pipeline import TARGETS, compile_program, load
from meterspec.project import SpecFile
from tests.conftest import FIXTURES, ROOT

SPECS = [
    FIXTURES / "valid" / "published_long.toml",
    FIXTURES / "valid" / "published_short.toml",
    ROOT / "examples" / "llm-inference" / "meterspec.toml",
]


REPORT = ROOT / "examples" / "carbon-report" / "meterspec.toml"
"""The one whose evidence is a golden file; that of the others would only repeat their digests."""


def artifacts(spec: Path, targets: tuple[str, ...] = ("sql", "stripe")) -> list[Artifact]:
    out = Diagnostics()
    files = [SpecFile(spec.name, spec.read_bytes())]
    program = load(files, out)
    assert program is not None
    made = compile_program(program, files, out, targets=targets)
    assert not out.has_errors, list(out)
    return made


def name_of(spec: Path) -> str:
    return spec.parent.name if spec.stem == "meterspec" else spec.stem


def cases() -> Iterator[tuple[str, Artifact]]:
    for spec in SPECS:
        for artifact in artifacts(spec):
            yield f"{name_of(spec)}-{str(artifact.path).replace('/', '-')}", artifact
    for artifact in artifacts(REPORT, TARGETS):
        if artifact.path.parent.name == "compliance":
            yield f"{name_of(REPORT)}-{str(artifact.path).replace('/', '-')}", artifact


CASES = list(cases())


class Sql(SingleFileSnapshotExtension):
    file_extension = "sql"
    _write_mode = WriteMode.TEXT


class Json(Sql):
    file_extension = "json"


class Lines(Sql):
    file_extension = "ndjson"


class Markdown(Sql):
    file_extension = "md"


class Html(Sql):
    file_extension = "html"


class Toml(Sql):
    file_extension = "toml"


KINDS = {kind.file_extension: kind for kind in (Sql, Json, Lines, Markdown, Html, Toml)}


@pytest.mark.parametrize(
    ("name", "artifact"), CASES, ids=[name.removesuffix(".sql").removesuffix(".json") for name, _ in CASES]
)
def test_golden(name: str, artifact: Artifact, snapshot: SnapshotAssertion) -> None:
    assert artifact.text == snapshot(extension_class=KINDS[name.rpartition(".")[2]])


@pytest.mark.parametrize(("name", "artifact"), [case for case in CASES if case[0].endswith(".json")])
def test_json_is_json_with_sorted_keys(name: str, artifact: Artifact) -> None:
    document = json.loads(artifact.text)
    assert artifact.text == json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


FUNCTIONS = {
    *("ABS", "ARG_MAX", "ARG_MIN", "COALESCE", "CONTAINS", "DATE_PART", "DATE_TRUNC", "ENDS_WITH", "EPOCH_US"),
    *("FLOOR", "GREATEST", "ISFINITE", "LEAST", "LENGTH", "MAKE_TIMESTAMP", "REGEXP_MATCHES", "ROW", "STARTS_WITH"),
    *("SHA256", "SUBSTR", "TRANSLATE", "TRIM", "TRUNC"),
}
"""Every function by its own name that a view may call; a name from a spec can never become one."""


@pytest.mark.parametrize(("name", "artifact"), [case for case in CASES if case[0].endswith(".sql")])
def test_sql_reads_back_as_it_was_meant(name: str, artifact: Artifact) -> None:
    """Parsing the text and printing it again changes nothing, and it calls nothing but what is allowed."""
    for statement in sqlglot.parse(artifact.text, dialect="duckdb"):
        if statement is None:
            continue
        for call in statement.find_all(exp.Anonymous):
            assert call.name.upper() in FUNCTIONS
        again = sqlglot.parse_one(statement.sql(dialect="duckdb"), dialect="duckdb")
        assert again == statement


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_the_engine_takes_every_script(spec: Path) -> None:
    texts = {artifact.path.name: artifact.text for artifact in artifacts(spec, ("sql",))}
    with duckdb.connect() as connection:
        for name in ("inputs.sql", "families.sql", "meters.sql"):
            connection.execute(texts[name])
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert views
        for (view,) in views:
            assert connection.execute(f'SELECT * FROM "{view}"').fetchall() == []
