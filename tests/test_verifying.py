"""Builds and runs are what they say they are, and each way to tamper with one is named."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from base64 import b64decode
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from meterspec.__main__ import main
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "carbon-report"
EVENTS = EXAMPLE / "events.jsonl"
LONG = ROOT / "fixtures" / "specs" / "valid" / "published_long.toml"


@dataclass(frozen=True)
class Done:
    """What a command line came to."""

    returncode: int
    stdout: str
    stderr: str


def meterspec(*arguments: str | Path, cwd: Path = ROOT) -> Done:
    """Runs a command line in this process, where starting one for each would be most of the time."""
    out, err = StringIO(), StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), mock.patch.dict(os.environ, NO_COLOR="1"):
        with mock.patch.object(sys, "argv", ["meterspec", *map(str, arguments)]), pytest.raises(SystemExit) as end:
            main()
        gc.enable()
    code = end.value.code
    return Done(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def key_pair(folder: Path, name: str, seed: int) -> tuple[Path, Path]:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    paths = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    paths[0].write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    paths[1].write_bytes(public)
    return paths


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return key_pair(tmp_path_factory.mktemp("keys"), "ours", 7)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, keys: tuple[Path, Path]) -> Path:
    folder = tmp_path_factory.mktemp("made")
    done = meterspec("compile", EXAMPLE, "--out", folder / "build", "--sign", keys[0])
    assert done.returncode == 0, done.stderr
    return folder / "build"


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    """A signed build of one's own."""
    return Path(shutil.copytree(made, tmp_path / "build"))


def relist(folder: Path, name: str) -> None:
    """Makes the manifest of a folder fit a file that was changed."""
    path = folder / "manifest.json"
    facts = json.loads(path.read_text())
    for one in facts["files"]:
        if one["path"] == name:
            one["sha256"] = sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


# Builds ---------------------------------------------------------------------------------------------------------


def test_a_build_is_verified(build: Path, keys: tuple[Path, Path]) -> None:
    done = meterspec("verify", build, "--key", keys[1])
    assert done.returncode == 0, done.stderr
    assert "the inputs compile to the same, byte for byte" in done.stdout
    assert "signed by key " in done.stdout


def test_a_signature_that_is_not_looked_at_is_said(build: Path) -> None:
    done = meterspec("verify", build)
    assert done.returncode == 0
    assert "it was not looked at" in done.stderr


def test_the_same_build_twice_is_the_same_bytes_and_so_is_its_signature(
    build: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    again = tmp_path / "again"
    meterspec("compile", "meterspec.toml", "--out", again, "--sign", keys[0], cwd=EXAMPLE)
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (build, again))
    assert one == two


def test_a_signed_build_is_up_to_date_without_the_key(build: Path) -> None:
    assert meterspec("compile", EXAMPLE, "--out", build, "--check").returncode == 0
    assert meterspec("compile", EXAMPLE, "--out", build).returncode == 0
    assert not (build / "compliance" / "statement.dsse.json").exists()


def tampered(build: Path) -> None:
    (build / "sql/duckdb/meters.sql").write_text("SELECT 1;\n")


def tampered_with_its_manifest(build: Path) -> None:
    tampered(build)
    relist(build, "sql/duckdb/meters.sql")


def input_changed_with_its_manifest(build: Path) -> None:
    path = build / "sources.json"
    path.write_text(path.read_text().replace("0.45", "0.40"))
    relist(build, "sources.json")


def gone(build: Path) -> None:
    (build / "compliance/report.html").unlink()


def dangling(build: Path) -> None:
    gone(build)
    (build / "compliance" / "report.html").symlink_to(build / "nowhere")


def linked(build: Path) -> None:
    path = build / "compliance" / "report.html"
    path.rename(build.parent / "report.html")
    path.symlink_to(build.parent / "report.html")


def a_linked_folder(build: Path) -> None:
    other = build.parent / "other"
    other.mkdir()
    (other / "meters.sql").write_text("SELECT 1")
    (build / "linked").symlink_to(other, target_is_directory=True)


def added(build: Path) -> None:
    (build / "sql/duckdb/extra.sql").write_text("DROP TABLE x;\n")


def unsigned(build: Path) -> None:
    (build / "compliance/statement.dsse.json").unlink()


def signature_of_other_files(build: Path) -> None:
    path = build / "compliance/statement.json"
    path.write_text(path.read_text().replace("meters.sql", "others.sql"))
    relist(build, "compliance/statement.json")


def broken_signature(build: Path) -> None:
    (build / "compliance/statement.dsse.json").write_text('{"payload": 1}')


BROKEN: list[tuple[Callable[[Path], None], str, str]] = [
    (tampered, "MS660", "`sql/duckdb/meters.sql` has the sha256"),
    (tampered_with_its_manifest, "MS663", "`sql/duckdb/meters.sql` is not what"),
    (input_changed_with_its_manifest, "MS663", "`stripe/agent_hours_billing.json` is not what"),
    (gone, "MS661", "`compliance/report.html` is gone"),
    (dangling, "MS661", "`compliance/report.html` is gone"),
    (linked, "MS661", "there is a link in its place"),
    (a_linked_folder, "MS662", "`linked` is in the folder"),
    (added, "MS662", "`sql/duckdb/extra.sql` is in the folder"),
    (unsigned, "MS664", "`compliance/statement.dsse.json` is not there"),
    (signature_of_other_files, "MS665", "is not `compliance/statement.json`"),
    (broken_signature, "MS665", "is not signed by the key"),
]


@pytest.mark.parametrize(("tamper", "code", "words"), BROKEN, ids=[tamper.__name__ for tamper, _, _ in BROKEN])
def test_a_build_that_was_tampered_with(
    build: Path, keys: tuple[Path, Path], tamper: Callable[[Path], None], code: str, words: str
) -> None:
    tamper(build)
    done = meterspec("verify", build, "--key", keys[1])
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr
    assert words in done.stderr


def test_a_signature_by_another_key(build: Path, tmp_path: Path) -> None:
    other = key_pair(tmp_path, "theirs", 9)[1]
    done = meterspec("verify", build, "--key", other)
    assert done.returncode == 1
    assert "error[MS665]" in done.stderr and "theirs.pub.pem" in done.stderr
    tampered_with_its_manifest(build)
    said = meterspec("verify", build, "--key", other).stderr
    assert "error[MS665]" in said and "error[MS663]" in said


def test_findings_as_json(build: Path) -> None:
    gone(build)
    done = meterspec("verify", build, "--format", "json")
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert (facts["kind"], facts["verified"]) == ("build", False)
    assert [one["code"] for one in facts["findings"]] == ["MS661"]


def password(folder: Path) -> Path:
    key = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
    path = folder / "password.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["verify", "examples"], "MS050", "has no `manifest.json`"),
        (["verify", "no-such-folder"], "MS050", "has no `manifest.json`"),
        (["compile", EXAMPLE, "--sign", "no-such.pem"], "MS052", "cannot be read"),
        (["compile", EXAMPLE, "--sign", "pyproject.toml"], "MS052", "no private key in PEM"),
        (["compile", EXAMPLE, "--sign", "PASSWORD"], "MS052", "has a password"),
        (["compile", EXAMPLE, "--sign", "PUBLIC"], "MS052", "no private key in PEM"),
        (["compile", EXAMPLE, "--sign", "PRIVATE", "--target", "sql"], "MS005", "without the target `compliance`"),
        (["compile", EXAMPLE, "--as-of", "tomorrow"], "MS005", "write a date"),
        (["verify", "BUILD", "--key", "PRIVATE"], "MS052", "give the public one"),
        (["run", EXAMPLE, "--events", EVENTS, "--sign", "PRIVATE"], "MS005", "name its folder with `--evidence`"),
        (["run", EXAMPLE, "--engine", "postgres", "--sign", "PRIVATE"], "MS005", "with `--engine postgres`"),
    ],
)
def test_what_keeps_a_command_from_its_job(
    arguments: list[Any], code: str, words: str, build: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    named: dict[str, Any] = {"PASSWORD": password(tmp_path), "PRIVATE": keys[0], "PUBLIC": keys[1], "BUILD": build}
    out: list[str | Path] = ["--out", tmp_path / "out"] if arguments[0] == "compile" else []
    words_given: list[str | Path] = [named.get(str(one), one) for one in arguments]
    done = meterspec(*words_given, *out)
    assert done.returncode == 2
    assert f"error[{code}]" in done.stderr and words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_build_of_another_version_is_left_to_it(build: Path) -> None:
    path = build / "manifest.json"
    facts = json.loads(path.read_text())
    facts["compiler"]["version"] = "0.0.1"
    path.write_text(json.dumps(facts))
    done = meterspec("verify", build)
    assert done.returncode == 2
    assert "MS051" in done.stderr and "pip install meterspec==0.0.1" in done.stderr


def test_a_build_without_evidence_cannot_be_verified(tmp_path: Path) -> None:
    meterspec("compile", EXAMPLE, "--out", tmp_path / "sql", "--target", "sql")
    done = meterspec("verify", tmp_path / "sql")
    assert done.returncode == 2 and "without the target `compliance`" in done.stderr


def test_every_option_of_a_build_is_compiled_again(tmp_path: Path) -> None:
    options = ["--target", "sql,compliance", "--dialect", "duckdb,postgres", "--rollup", "day", "--as-of", "2026-01-01"]
    assert meterspec("compile", LONG, "--out", tmp_path / "build", *options).returncode == 0
    assert meterspec("verify", tmp_path / "build").returncode == 0


def test_a_plan_is_compared_by_its_digests_and_said_not_to_be_compiled_again(tmp_path: Path) -> None:
    made = meterspec("compile", EXAMPLE, "--from", LONG, "--out", tmp_path / "build")
    assert made.returncode == 0, made.stderr
    done = meterspec("verify", tmp_path / "build")
    assert done.returncode == 0, done.stderr
    assert "of a plan from another spec" in done.stderr
    next((tmp_path / "build" / "migration").rglob("*.*")).write_text("x")
    assert "MS660" in meterspec("verify", tmp_path / "build").stderr


def spoiled(path: Path, *route: str | int, value: object = None) -> None:
    """Puts a value into a manifest, or takes one out."""
    facts = json.loads(path.read_text())
    *way, last = route
    inner = facts
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


@pytest.mark.parametrize(
    ("route", "value", "words"),
    [
        (["build"], None, "without `build`"),
        (["build", "targets"], "sql", "whose `build, targets` is a text, and not a list"),
        (["build", "targets"], ["dbt"], "whose `build, targets` is `dbt`, which there is not"),
        (["build", "dialects"], [1], "whose `build, dialects` is a whole number, and not a text"),
        (["build", "as_of"], "soon", "whose `build, as_of` is `soon`, which is no day"),
        (["build", "rollup"], "fortnight", "whose `build, rollup` is `fortnight`, which there is not"),
        (["build", "stripe_usage"], "sometimes", "is `sometimes`, which there is not"),
    ],
    ids=str,
)
def test_a_manifest_of_a_build_that_is_none(build: Path, route: list[str], value: object, words: str) -> None:
    spoiled(build / "compliance/manifest.json", *route, value=value)
    relist(build, "compliance/manifest.json")
    done = meterspec("verify", build)
    assert done.returncode == 1, done.stderr
    assert "error[MS663]: `compliance/manifest.json` is not what" in done.stderr and words in done.stderr, done.stderr


def test_a_spec_that_a_build_keeps_and_that_is_none(build: Path) -> None:
    (build / "sources.json").write_text('{"files": [{"name": "a.toml"}]}')
    relist(build, "sources.json")
    done = meterspec("verify", build)
    assert done.returncode == 1 and "`sources.json` is not what" in done.stderr
    assert "it is a file without `files, text`" in done.stderr


# Runs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with evidence of a run in it, that can be moved as a whole."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("meterspec.toml", "events.jsonl"):
        shutil.copy(EXAMPLE / name, folder / name)
    done = meterspec("run", "--events", "events.jsonl", "--evidence", "evidence", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def moved(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project, tmp_path / "moved"))


def test_a_run_is_replayed(moved: Path) -> None:
    done = meterspec("verify", "evidence", cwd=moved)
    assert done.returncode == 0, done.stderr
    assert "14 numbers: the replay gives the same, byte for byte" in done.stdout


def event_changed(folder: Path) -> None:
    path = folder / "events.jsonl"
    path.write_text(path.read_text().replace("5400000,", "5400001,"))


def events_gone(folder: Path) -> None:
    (folder / "events.jsonl").unlink()


def spec_changed(folder: Path) -> None:
    path = folder / "evidence/sources.json"
    path.write_text(path.read_text().replace("3600000000.0", "3600001000.0"))


def number_changed(folder: Path) -> None:
    path = folder / "evidence/manifest.json"
    path.write_text(path.read_text().replace('"quantity": "0.913437529"', '"quantity": "0.5"'))


def disclosed_value_changed(folder: Path) -> None:
    path = folder / "evidence/manifest.json"
    path.write_text(path.read_text().replace('"value": "0.000913437529"', '"value": "0.0001"'))


def number_dropped(folder: Path) -> None:
    path = folder / "evidence/manifest.json"
    facts = json.loads(path.read_text())
    del facts["numbers"][0]
    path.write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def rejects_hidden(folder: Path) -> None:
    path = folder / "evidence/manifest.json"
    path.write_text(path.read_text().replace('"rejected": 1', '"rejected": 0'))


def report_changed(folder: Path) -> None:
    path = folder / "evidence/report.md"
    path.write_text(path.read_text().replace("0.913437529", "0.5"))


def digest_changed(folder: Path) -> None:
    path = folder / "evidence/manifest.json"
    facts = json.loads(path.read_text())
    number = next(n for n, one in enumerate(facts["artefacts"]) if one["path"] == "sql/duckdb/meters.sql")
    spoiled(path, "artefacts", number, "sha256", value="0" * 64)


def family_renamed(folder: Path) -> None:
    spoiled(folder / "evidence/manifest.json", "events", 0, "family", value="other")


def range_changed(folder: Path) -> None:
    spoiled(folder / "evidence/manifest.json", "options", "range", value="soon")


def report_changed_with_its_manifest(folder: Path) -> None:
    report_changed(folder)
    relist(folder / "evidence", "report.md")


def spec_broken_with_its_manifest(folder: Path) -> None:
    (folder / "evidence/sources.json").write_text("{")
    relist(folder / "evidence", "sources.json")


def spec_wrong_with_its_manifest(folder: Path) -> None:
    spec_changed(folder)
    relist(folder / "evidence", "sources.json")


CHANGED: list[tuple[Callable[[Path], None], str, str]] = [
    (event_changed, "MS668", "`../events.jsonl` has the sha256"),
    (events_gone, "MS668", "`../events.jsonl` is gone"),
    (spec_changed, "MS660", "`sources.json` has the sha256"),
    (number_changed, "MS666", "region eu-central: the evidence has 0.5, and the replay gives 0.913437529"),
    (disclosed_value_changed, "MS666", "the evidence has 0.0001 as its disclosure"),
    (number_dropped, "MS666", "the evidence has no such number"),
    (
        rejects_hidden,
        "MS667",
        "`quality, acme.platform.agent-run, rejected`: the evidence has 0, and the replay gives 1",
    ),
    (digest_changed, "MS667", "`artefacts, sql/duckdb/meters.sql, sha256`: the evidence has 0"),
    (family_renamed, "MS667", "`events, family`: the evidence has `other`, and the replay gives no such family"),
    (range_changed, "MS667", "`options, range`: the evidence has `soon`, and the replay gives no such instant"),
    (report_changed_with_its_manifest, "MS667", "`files, report.md`: the evidence has"),
    (spec_broken_with_its_manifest, "MS667", "`sources.json`: the evidence has a file that is not JSON"),
    (spec_wrong_with_its_manifest, "MS667", "has a spec with an error (meter `agent-carbon-location` is in"),
    (report_changed, "MS660", "`report.md` has the sha256"),
]


@pytest.mark.parametrize(("tamper", "code", "words"), CHANGED, ids=[tamper.__name__ for tamper, _, _ in CHANGED])
def test_evidence_that_was_tampered_with(moved: Path, tamper: Callable[[Path], None], code: str, words: str) -> None:
    tamper(moved)
    done = meterspec("verify", "evidence", cwd=moved)
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize(
    ("route", "value", "words"),
    [
        (["files"], None, "without `files`"),
        (["numbers"], None, "without `numbers`"),
        (["inputs"], 7, "whose `inputs` is a whole number, and not a list"),
        (["numbers", 0, "group"], "all", "whose `numbers, group` is a text, and not a table"),
        (["events"], {}, "whose `events` is a table, and not a list"),
        (["events", 0, "files", 0, "named"], "yes", "whose `events, files, named` is a text, and not a truth value"),
        (["options", "meters"], None, "without `options, meters`"),
        (["options", "cycles"], {"path": 1}, "whose `options, cycles, path` is a whole number, and not a text"),
        (["compiler"], {}, "without `compiler, version`"),
    ],
    ids=str,
)
def test_a_manifest_of_a_run_that_is_none(
    moved: Path, keys: tuple[Path, Path], route: list[str | int], value: object, words: str
) -> None:
    spoiled(moved / "evidence/manifest.json", *route, value=value)
    done = meterspec("verify", "evidence", "--key", keys[1], cwd=moved)
    assert done.returncode == 2
    assert "error[MS050]: `evidence` has a `manifest.json` " in done.stderr and words in done.stderr, done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000], ids=["empty", "half", "a list", "deep"])
def test_a_manifest_that_is_no_document(moved: Path, text: str) -> None:
    (moved / "evidence/manifest.json").write_text(text)
    done = meterspec("verify", "evidence", cwd=moved)
    assert done.returncode == 2
    words = "that is no table" if text == "[]" else "that is not JSON"
    assert f"`evidence` has a `manifest.json` {words}" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def signed_project(project: Path, keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(project, tmp_path_factory.mktemp("signed") / "project"))
    done = meterspec("run", "--events", "events.jsonl", "--evidence", "evidence", "--sign", keys[0], cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def signed(signed_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed_project, tmp_path / "signed"))


def test_the_evidence_of_a_run_is_signed_as_a_build_is(signed: Path, keys: tuple[Path, Path]) -> None:
    done = meterspec("verify", "evidence", "--key", keys[1], cwd=signed)
    assert done.returncode == 0, done.stderr
    assert "signed by key" in done.stdout
    done = meterspec("verify", "evidence", cwd=signed)
    assert done.returncode == 0 and "it was not looked at" in done.stderr
    before = (signed / "evidence/statement.dsse.json").read_bytes()
    again = ["run", "--events", "events.jsonl", "--evidence", "evidence"]
    assert meterspec(*again, cwd=signed).returncode == 0
    assert not (signed / "evidence/statement.dsse.json").exists()
    assert meterspec(*again, "--sign", keys[0], cwd=signed).returncode == 0
    assert (signed / "evidence/statement.dsse.json").read_bytes() == before


def test_what_is_signed_is_a_statement_about_the_evidence(signed: Path) -> None:
    envelope = json.loads((signed / "evidence/statement.dsse.json").read_bytes())
    facts = json.loads(b64decode(envelope["payload"]))
    statement = Statement.copy_from_pb(json_format.ParseDict(facts, statement_pb2.Statement()))
    statement.validate()
    assert [one.name for one in statement.pb.subject] == ["manifest.json", "report.md", "sources.json"]
    for one in statement.pb.subject:
        assert one.digest["sha256"] == sha256((signed / "evidence" / one.name).read_bytes()).hexdigest()
    read = statement.pb.predicate["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in read] == ["spec/meterspec.toml", "events/../events.jsonl"]


@pytest.mark.parametrize(
    ("tamper", "code", "words"),
    [
        (number_changed, "MS665", "what is signed in `statement.dsse.json` is not this `manifest.json`"),
        (number_changed, "MS666", "region eu-central: the evidence has 0.5, and the replay gives 0.913437529"),
        (event_changed, "MS668", "`../events.jsonl` has the sha256"),
        (report_changed_with_its_manifest, "MS665", "is not this `manifest.json`"),
        (lambda folder: (folder / "evidence/statement.dsse.json").unlink(), "MS664", "nothing is signed"),
        (
            lambda folder: (folder / "evidence/statement.dsse.json").write_text("{}"),
            "MS665",
            "is not signed by the key",
        ),
    ],
)
def test_signed_evidence_that_was_tampered_with(
    signed: Path, keys: tuple[Path, Path], tamper: Callable[[Path], None], code: str, words: str
) -> None:
    tamper(signed)
    done = meterspec("verify", "evidence", "--key", keys[1], cwd=signed)
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr and words in done.stderr


def test_evidence_signed_by_another_key(signed: Path, tmp_path: Path) -> None:
    done = meterspec("verify", "evidence", "--key", key_pair(tmp_path, "theirs", 9)[1], cwd=signed)
    assert done.returncode == 1 and "error[MS665]" in done.stderr and "theirs.pub.pem" in done.stderr


OPTIONS = [
    ["--meter", "agent-energy", "--fill"],
    ["--from", "2026-02-01", "--to", "2026-03-01"],
    ["--range", "2026-01-15/2026-03-15T12:00:00Z"],
    ["--cycle-anchor", "2026-01-10", "--as-of", "2026-06-01"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=[options[0] for options in OPTIONS])
def test_every_option_of_a_run_is_replayed(moved: Path, options: list[str]) -> None:
    done = meterspec("run", "--events", "events.jsonl", "--evidence", "other", *options, cwd=moved)
    assert done.returncode == 0, done.stderr
    done = meterspec("verify", "other", cwd=moved)
    assert done.returncode == 0, done.stderr


def test_cycles_and_a_store_are_part_of_the_evidence(moved: Path) -> None:
    (moved / "cycles.csv").write_text("customer_id,cycle_start,cycle_end\natlas-freight,2026-01-10,2026-02-10\n")
    assert meterspec("seal", "events.jsonl", "--into", "sealed", cwd=moved).returncode == 0
    done = meterspec(
        "run", "--events", "sealed", "--cycles", "cycles.csv", "--evidence", "other", "--as-of", "2026-06-01", cwd=moved
    )
    assert done.returncode == 0, done.stderr
    done = meterspec("verify", "other", cwd=moved)
    assert done.returncode == 0, done.stderr
    (moved / "cycles.csv").write_text("customer_id,cycle_start,cycle_end\natlas-freight,2026-01-11,2026-02-10\n")
    assert "`../cycles.csv` has the sha256" in meterspec("verify", "other", cwd=moved).stderr


def test_what_sql_cannot_price_can_be_replayed_as_well(moved: Path) -> None:
    spec = moved / "meterspec.toml"
    text = (ROOT / "fixtures/specs/invalid/targets/a_price_for_ratios_that_do_not_add.toml").read_text()
    spec.write_text(text)
    row = {"event_id": "e1", "event_time": "2026-01-05T10:00:00Z", "customer_id": "c1", "region": "eu", "failed": True}
    (moved / "events.jsonl").write_text(json.dumps(row) + "\n")
    done = meterspec("run", "--events", "events.jsonl", "--evidence", "other", cwd=moved)
    assert done.returncode == 0, done.stderr
    assert meterspec("verify", "other", cwd=moved).returncode == 0


def test_evidence_is_not_written_over_files_of_others(moved: Path) -> None:
    (moved / "mine").mkdir()
    (moved / "mine" / "notes.txt").write_text("mine")
    done = meterspec("run", "--events", "events.jsonl", "--evidence", "mine", cwd=moved)
    assert done.returncode == 2 and "MS010" in done.stderr


def test_the_report_of_a_run_says_why_rows_were_rejected(moved: Path) -> None:
    report = (moved / "evidence/report.md").read_text()
    assert "| `acme.platform.agent-run` | 9 | 7 | 1 | 0 | 1 | `energy_joules is not a float` 1 |" in report


def test_the_evidence_of_a_run_holds_what_was_disclosed_exactly(moved: Path) -> None:
    facts = json.loads((moved / "evidence/manifest.json").read_text())
    disclosed = [one for one in facts["numbers"] if one["disclosure"]]
    assert {one["disclosure"]["unit"] for one in disclosed} == {"MWh", "tCO2e"}
    for one in disclosed:
        assert one["disclosure"]["times"] == "1/1000" and one["disclosure"]["exact"]
