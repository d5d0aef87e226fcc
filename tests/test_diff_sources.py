"""Where the spec before comes from: a commit, whatever the working tree looks like, or artefacts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from meterspec.baseline import Commit, at_revision, commit_of, deployed, head_date
from meterspec.diagnostics import Failure
from meterspec.project import collect
from tests.in_process import meterspec

SPEC = """\
[[families]]
name = "api.call"

[[meters]]
name = "calls"
kind = "billing"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "usage", currency = "EUR", unit_amount = 0.45 }
"""
DEARER = SPEC.replace("0.45", "0.50")
ANOTHER = """
[[meters]]
name = "others"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT" }
"""


def git(*arguments: str, cwd: Path) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    when = {"GIT_AUTHOR_DATE": "2026-03-01T23:30:00-0500", "GIT_COMMITTER_DATE": "2026-03-01T23:30:00-0500"}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=True, env={**os.environ, **who, **when, **quiet}
    )
    return done.stdout.strip()


def commit(repository: Path, files: dict[str, str], message: str = "change") -> str:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text, encoding="utf-8")
    git("add", "--all", cwd=repository)
    git("commit", "--quiet", "--allow-empty", "--message", message, cwd=repository)
    return git("rev-parse", "HEAD", cwd=repository)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a spec on `main`, and a branch on which the price is higher."""
    git("init", "--quiet", cwd=tmp_path)
    commit(tmp_path, {"meterspec.toml": SPEC})
    git("checkout", "--quiet", "-b", "dearer", cwd=tmp_path)
    commit(tmp_path, {"meterspec.toml": DEARER})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codes(*arguments: str) -> list[str]:
    done = meterspec("diff", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return [change["code"] for change in json.loads(done.stdout)["changes"]]


# git ------------------------------------------------------------------------------------------------------------


def test_the_base_is_where_the_branches_parted(repository: Path) -> None:
    git("checkout", "--quiet", "main", cwd=repository)
    commit(repository, {"meterspec.toml": SPEC + ANOTHER})
    git("checkout", "--quiet", "dearer", cwd=repository)
    assert codes("--against", "main") == ["MD301"]
    assert codes("--against", "main", "--exact") == ["MD301", "MD201"]


def test_what_is_not_committed_counts_and_nothing_is_touched(repository: Path) -> None:
    (repository / "meterspec.toml").write_text(DEARER + ANOTHER, encoding="utf-8")
    (repository / "stray.txt").write_text("new", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()}
    assert codes("--against", "main") == ["MD301", "MD200"]
    assert codes("--against", "HEAD", "--exact") == ["MD200"]
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("place", [".", "below"], ids=["at the top", "in a folder"])
def test_the_project_around_is_found_in_the_commit_as_on_disk(
    place: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / place)
    assert codes("--against", "main") == ["MD301"]
    annotated = meterspec("diff", "--against", "main", "--format", "github").stdout
    assert "\n::error file=meterspec.toml,line=9," in annotated


def test_a_project_of_several_files_is_read_as_a_whole(repository: Path) -> None:
    git("checkout", "--quiet", "-b", "split", "main", cwd=repository)
    families, meters = SPEC.split("\n\n", 1)
    git("rm", "--quiet", "meterspec.toml", cwd=repository)
    settings = '[tool.meterspec]\npaths = ["specs"]\n'
    commit(
        repository, {"pyproject.toml": settings, "specs/families.toml": families, "specs/meters.toml": meters + ANOTHER}
    )
    (repository / "specs" / "meters.toml").write_text(meters, encoding="utf-8")
    assert codes("--against", "HEAD") == ["MD201"]
    assert codes("--against", "main", "meterspec.toml", "specs") == []


def test_settings_of_the_commit_count_for_the_commit(repository: Path) -> None:
    """A project that moved by its settings is found on both sides."""
    commit(repository, {"pyproject.toml": '[tool.meterspec]\npaths = ["old"]\n', "old/calls.toml": SPEC})
    (repository / "meterspec.toml").unlink()
    first = commit(repository, {})
    git("mv", "old", "new", cwd=repository)
    commit(repository, {"pyproject.toml": '[tool.meterspec]\npaths = ["new"]\n', "new/calls.toml": DEARER})
    assert codes("--against", first) == ["MD301"]


def test_what_moved_is_not_taken_for_new(repository: Path) -> None:
    git("mv", "meterspec.toml", "specs.meterspec.toml", cwd=repository)
    commit(repository, {})
    done = meterspec("diff", "--against", "main", "specs.meterspec.toml")
    assert done.returncode == 2
    assert "this commit has `meterspec.toml`" in done.stderr
    assert codes("--against", "main", "meterspec.toml", "specs.meterspec.toml") == ["MD301"]


def test_a_first_spec_is_new_as_a_whole(repository: Path) -> None:
    git("checkout", "--quiet", "--orphan", "empty", cwd=repository)
    git("rm", "--quiet", "-rf", ".", cwd=repository)
    root = commit(repository, {"README": "nothing"})
    commit(repository, {"meterspec.toml": SPEC})
    done = meterspec("diff", "--against", root)
    assert done.returncode == 0
    assert f"{root[:12]} has no spec: all of it is new" in done.stderr
    assert done.stdout.splitlines()[-1] == "1 review, 1 safe"


def test_a_spec_with_odd_names_is_read(repository: Path) -> None:
    folder = "spécs with\ttabs"
    base = commit(repository, {f"{folder}/näme.toml": SPEC})
    (repository / folder / "näme.toml").write_text(DEARER, encoding="utf-8")
    assert codes("--against", base, folder) == ["MD301"]


def test_a_broken_base_says_which_commit(repository: Path) -> None:
    base = commit(repository, {"meterspec.toml": SPEC.replace("COUNT", "COUNTS")})
    (repository / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    done = meterspec("diff", "--against", base)
    assert done.returncode == 1
    assert f"{base[:12]}:meterspec.toml:8" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--against=--output=x"], "MS041", "is no revision here"),
        (["--against=-p"], "MS041", "it is not the name of a commit, branch or tag"),
        (["--against="], "MS041", "is no revision here"),
        (["--against", "mian"], "MS041", "did you mean `main`?"),
        (["--against", "main:meterspec.toml"], "MS041", "git finds no commit of that name"),
        (["--against", "main", "--against-artefacts", "build"], "MS005", "beside `--against`"),
        (["--exact"], "MS005", "without `--against`"),
        (["-", "-"], "MS005", "standard input is read once"),
        (["meterspec.toml", "--from", "2026-01-01"], "MS005", "--from cannot be `2026-01-01` without `--events`"),
        (["meterspec.toml", "--cycles", "none.csv"], "MS005", "--cycles cannot be `none.csv` without `--events`"),
        ([], "MS019", "there is nothing to compare with"),
    ],
)
def test_a_base_that_cannot_be_read_is_a_failure(arguments: list[str], code: str, words: str, repository: Path) -> None:
    done = meterspec("diff", *arguments)
    assert done.returncode == 2
    assert code in done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_a_branch_of_the_remote_alone_is_offered(repository: Path) -> None:
    git("update-ref", "refs/remotes/origin/release", "main", cwd=repository)
    done = meterspec("diff", "--against", "release")
    assert (done.returncode, "there is `origin/release`" in done.stderr) == (2, True)


def test_a_shallow_clone_says_that_it_is_one(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path_factory.mktemp("shallow")
    git("clone", "--quiet", "--depth=1", "--branch=dearer", repository.as_uri(), str(clone), cwd=repository)
    monkeypatch.chdir(clone)
    for revision in ("origin/main", "HEAD~1"):
        done = meterspec("diff", "--against", revision)
        assert (done.returncode, "MS041" in done.stderr, "fetch-depth: 0" in done.stderr) == (2, True, True)


def test_a_hook_of_a_linked_worktree_finds_the_spec(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git gives a hook there GIT_DIR, and with it alone takes the folder it is asked in for the top."""
    commit(repository, {"billing/meterspec.toml": DEARER, "meterspec.toml": SPEC})
    linked = tmp_path_factory.mktemp("linked") / "tree"
    git("worktree", "add", "--quiet", "-b", "other", str(linked), cwd=repository)
    (linked / "billing" / "meterspec.toml").write_text(DEARER.replace("0.50", "0.60"), encoding="utf-8")
    monkeypatch.setenv("GIT_DIR", git("rev-parse", "--absolute-git-dir", cwd=linked))
    monkeypatch.chdir(linked / "billing")
    done = meterspec("diff", "--against", "dearer", "--format", "json")
    assert [change["before"] for change in json.loads(done.stdout)["changes"]] == ["0.50"], done.stderr


def test_histories_without_a_common_commit(repository: Path) -> None:
    git("checkout", "--quiet", "--orphan", "alone", cwd=repository)
    commit(repository, {"meterspec.toml": DEARER})
    done = meterspec("diff", "--against", "main")
    assert (done.returncode, "MS043" in done.stderr, "fetch-depth: 0" in done.stderr) == (2, True, True)
    assert codes("--against", "main", "--exact") == ["MD301"]


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = meterspec("diff", "--against", "main")
    assert (done.returncode, "MS042" in done.stderr) == (2, True)
    assert head_date(None) is None


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository / "nothing"))
    with pytest.raises(Failure, match="git cannot be asked"):
        commit_of(None, "main")


def test_a_link_in_a_commit_is_said_to_be_one(repository: Path) -> None:
    (repository / "linked.toml").symlink_to("meterspec.toml")
    base = commit(repository, {})
    with pytest.raises(Failure, match="symbolic link in this commit"):
        collect(["linked.toml"], Commit(repository.resolve(), base))


def test_the_day_of_the_commit_is_that_in_utc(repository: Path) -> None:
    day = head_date(None)
    assert day is not None
    assert day.isoformat() == "2026-03-02"


def test_git_is_asked_a_handful_of_times_however_many_files(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, {f"specs/{number}.toml": f'[[families]]\nname = "f{number}"\n' for number in range(30)})
    asked: list[list[str]] = []
    plain: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run

    def count(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return plain(command, **options)

    monkeypatch.setattr(subprocess, "run", count)
    head = collect(["specs"])
    assert len(at_revision(commit_of("specs", "HEAD"), ["specs"], head)) == 30
    assert len(asked) <= 8
    assert {command[4] for command in asked} <= {"rev-parse", "merge-base", "ls-tree", "cat-file"}


# The organisation -----------------------------------------------------------------------------------------------

BOUND = f"""{SPEC}
[meters.compliance]
regulatory_regimes = ["house"]
[compliance]
as_of = 2026-06-30
"""
HOUSE = """\
[[regimes]]
id = "house"
title = "Records policy"
legal_reference = "Resolution 12"

[[regimes.retention]]
evidence = "event_log"
covers = "events"
min_months = 36
clock = "period_end"
reference = "section 3"
"""
LOOSER = HOUSE.replace("36", "24")


@pytest.fixture
def bound(repository: Path) -> Path:
    commit(repository, {"specs/meterspec.toml": BOUND, "meterspec.regimes.toml": HOUSE})
    assert codes("--against", "HEAD", "specs") == []
    (repository / "meterspec.regimes.toml").write_text(LOOSER, encoding="utf-8")
    return repository


def test_a_change_of_the_organisation_alone_is_a_change(bound: Path) -> None:
    done = meterspec("diff", "--against", "HEAD", "specs", "--format", "json")
    [change] = json.loads(done.stdout)["changes"]
    assert (change["code"], change["subject"], change["path"]) == ("MD555", "house", "retention.event_log.min_months")
    assert (change["file"], change["line"]) == ("meterspec.regimes.toml", 9)
    assert change["message"].endswith("is 24, was 36; it binds `calls`")


def test_two_paths_are_each_under_the_file_that_is_nearest(bound: Path) -> None:
    old = {"old/specs/meterspec.toml": BOUND, "old/meterspec.regimes.toml": HOUSE}
    commit(bound, old)
    assert codes("old/specs", "specs") == ["MD555"]
    assert codes("specs", "old/specs") == ["MD554"]
    (bound / "specs" / "meterspec.toml").write_text(BOUND.replace("0.45", "0.50"), encoding="utf-8")
    assert codes("old/specs", "specs") == ["MD301", "MD555"]


def test_artefacts_remember_the_organisation(bound: Path) -> None:
    (bound / "meterspec.regimes.toml").write_text(HOUSE, encoding="utf-8")
    assert meterspec("compile", "specs", "--out", "build").returncode == 0
    assert codes("--against-artefacts", "build", "specs") == []
    (bound / "meterspec.regimes.toml").write_text(LOOSER, encoding="utf-8")
    assert codes("--against-artefacts", "build", "specs") == ["MD555"]
    assert meterspec("compile", "specs", "--from", "build", "--out", "next").returncode == 0
    plan = json.loads((bound / "next" / "migration" / "plan.json").read_text(encoding="utf-8"))
    assert [change["code"] for change in plan["changes"]] == ["MD555"]
    assert [(step["action"], step["subject"]) for step in plan["steps"]] == [("obligations", "house")]


def replaced(build: Path, name: str, text: str) -> None:
    """Another text for a file of a build, which the manifest says is the one."""
    (build / name).write_text(text, encoding="utf-8")
    listing = json.loads((build / "manifest.json").read_text(encoding="utf-8"))
    for file in listing["files"]:
        if file["path"] == name:
            file["sha256"] = sha256(text.encode()).hexdigest()
    (build / "manifest.json").write_text(json.dumps(listing), encoding="utf-8")


def test_artefacts_of_another_version_of_the_registry_say_so(bound: Path) -> None:
    """What they were judged by is recorded as digests alone, so it cannot be compared."""
    assert meterspec("compile", "specs", "--out", "build").returncode == 0
    quiet = meterspec("diff", "--against-artefacts", "build", "specs")
    assert "registry of another version" not in quiet.stderr
    manifest = json.loads((bound / "build" / "compliance" / "manifest.json").read_text(encoding="utf-8"))
    manifest["compiler"]["registry"]["files"]["zones.toml"] = "0" * 64
    replaced(bound / "build", "compliance/manifest.json", json.dumps(manifest))
    done = meterspec("diff", "--against-artefacts", "build", "specs")
    assert (done.returncode, "registry of another version" in done.stderr, "zones.toml" in done.stderr) == (
        0,
        True,
        True,
    )


def test_a_broken_file_of_the_organisation_is_no_file_without_changes(bound: Path) -> None:
    commit(bound, {"meterspec.regimes.toml": HOUSE + "min_months ="})
    (bound / "meterspec.regimes.toml").write_text(HOUSE, encoding="utf-8")
    done = meterspec("diff", "--against", "HEAD", "specs")
    assert (done.returncode, done.stdout) == (1, "")
    assert ":meterspec.regimes.toml:" in done.stderr


def test_an_organisation_outside_of_the_repository_has_no_history(
    bound: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    git("clone", "--quiet", str(bound), "project", cwd=outside)
    git("rm", "--quiet", "meterspec.regimes.toml", cwd=outside / "project")
    commit(outside / "project", {"README": "It moved."})
    (outside / "meterspec.regimes.toml").write_text(HOUSE, encoding="utf-8")
    monkeypatch.chdir(outside / "project")
    assert codes("--against", "HEAD", "specs") == []


def test_what_binds_nothing_of_the_spec_is_no_change(bound: Path) -> None:
    more = HOUSE.replace('"house"', '"other"') + '[[zones]]\nid = "home"\nmembers = ["DE"]\n'
    (bound / "meterspec.regimes.toml").write_text(f"# a comment\n{HOUSE}{more}", encoding="utf-8")
    assert codes("--against", "HEAD", "specs") == []


# Artefacts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meterspec.toml").write_bytes(("\ufeff" + SPEC).replace("\n", "\r\n").encode())
    assert meterspec("compile", "--out", "build").returncode == 0
    return tmp_path / "build"


def test_artefacts_hold_the_bytes_they_were_compiled_from(build: Path) -> None:
    [file] = deployed(build)
    assert file.data == (build.parent / "meterspec.toml").read_bytes()
    assert codes("--against-artefacts", "build") == []
    (build.parent / "meterspec.toml").write_text(DEARER, encoding="utf-8")
    assert codes("--against-artefacts", "build", "meterspec.toml") == ["MD301"]


def edited(build: Path, name: str, change: Callable[[str], str]) -> None:
    path = build / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda build: (build / "sources.json").unlink(), "No such file"),
        (lambda build: (build / "manifest.json").unlink(), "No such file"),
        (lambda build: edited(build, "manifest.json", lambda text: "[]"), "not one that `meterspec compile` writes"),
        (lambda build: edited(build, "manifest.json", lambda text: "{"), "not one that `meterspec compile` writes"),
        (lambda build: replaced(build, "compliance/manifest.json", "{}"), "`compliance/manifest.json` is not one that"),
        (lambda build: replaced(build, "compliance/manifest.json", "["), "`compliance/manifest.json` is not one that"),
        (
            lambda build: edited(build, "sql/duckdb/meters.sql", lambda text: text + "\n"),
            "`sql/duckdb/meters.sql` is not the file that was compiled",
        ),
        (
            lambda build: edited(build, "sources.json", lambda text: text.replace("0.45", "0.40")),
            "`sources.json` is not the file that was compiled",
        ),
        (
            lambda build: edited(build, "manifest.json", lambda text: text.replace("stripe/calls", "../../etc/passwd")),
            "which is outside of it",
        ),
    ],
)
def test_artefacts_that_somebody_changed_are_no_base(spoil: Callable[[Path], object], words: str, build: Path) -> None:
    spoil(build)
    done = meterspec("diff", "--against-artefacts", "build")
    assert done.returncode == 2
    assert "MS044" in done.stderr
    assert words in done.stderr.replace("\n", " ")


def test_artefacts_of_an_earlier_version_say_what_to_do(build: Path) -> None:
    manifest = json.loads((build / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"] = [file for file in manifest["files"] if file["path"] != "sources.json"]
    (build / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = meterspec("diff", "--against-artefacts", "build")
    assert (done.returncode, "it has no `sources.json`" in done.stderr) == (2, True)
    assert "compile what is deployed with this version" in done.stderr
