"""The action, the GitLab job and the hooks: their scripts run here, with the network's part played by a recorder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jq
import pytest
import yaml

from tests.conftest import ROOT
from tests.test_diff_sources import DEARER, SPEC, commit, git

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / "templates" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))
RECORDER = """\
#!{python}
import json, os, sys
body = [open(part.partition("@")[2]).read() for part in sys.argv if part.startswith(("body=@", "body@"))]
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([*sys.argv[1:], *body]) + "\\n")
if os.environ.get("REFUSED"):
    sys.exit(1)
if not any(word in sys.argv for word in ("PATCH", "POST", "PUT", "DELETE")):
    sys.stdout.write(os.environ["KNOWN"])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone with a branch on which the price is higher, and a `meterspec`, a `gh` and a `curl` on its path."""
    origin, project, tools = tmp_path / "origin", tmp_path / "project", tmp_path / "meterspec" / "bin"
    origin.mkdir()
    tools.mkdir(parents=True)
    git("init", "--quiet", cwd=origin)
    commit(origin, {"meterspec.toml": SPEC})
    git("clone", "--quiet", str(origin), str(project), cwd=tmp_path)
    commit(project, {"meterspec.toml": DEARER})
    (tools / "meterspec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m meterspec "$@"\n', encoding="utf-8")
    for name in ("gh", "curl"):
        (tools / name).write_text(RECORDER.format(python=sys.executable), encoding="utf-8")
    (tools / "pip").write_text("#!/bin/sh\n", encoding="utf-8")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return project


def shell(project: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    folder = project.parent
    environment = {
        **os.environ,
        "PATH": f"{folder / 'meterspec' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "NO_COLOR": "1",
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_BASE_REF": "main",
        "GITHUB_REPOSITORY": "acme/metering",
        "CALLS": str(folder / "calls"),
        "KNOWN": "",
        **variables,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def calls(project: Path) -> list[list[str]]:
    path = project.parent / "calls"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


# GitHub ---------------------------------------------------------------------------------------------------------

STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}


def test_no_script_of_the_action_has_an_expression_in_it() -> None:
    """What a pull request says reaches a script through the environment, where it is never code."""
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(ACTION["inputs"])


def compare(project: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    given = {"SPEC": "", "AGAINST": "", "EVENTS": "", "FAIL_ON": "breaking", **inputs}
    return shell(project, STEPS["Compare"]["run"], **given)


def test_the_action_annotates_reports_and_leaves_the_verdict_to_its_end(project: Path) -> None:
    done = compare(project)
    assert done.returncode == 0, done.stderr
    assert "::error file=meterspec.toml,line=9" in done.stdout
    output = dict(line.split("=", 1) for line in (project.parent / "output").read_text(encoding="utf-8").splitlines())
    assert output["code"] == "1"
    assert json.loads(Path(output["document"]).read_text(encoding="utf-8"))["summary"]["breaking"] == 1
    assert "<!doctype html>" in Path(output["report"]).read_text(encoding="utf-8")
    assert "MD301" in (project.parent / "summary").read_text(encoding="utf-8")
    assert shell(project, STEPS["Check"]["run"], CODE=output["code"]).returncode == 1


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"FAIL_ON": ""}, "0"),
        ({"SPEC": "meterspec.toml"}, "1"),
        ({"AGAINST": "HEAD"}, "0"),
        ({"AGAINST": "nowhere"}, "2"),
        ({"SPEC": "--help"}, "2"),
        ({"AGAINST": "$(touch owned)", "SPEC": "; touch owned"}, "2"),
        ({"EVENTS": "nowhere.jsonl\n"}, "2"),
    ],
)
def test_the_inputs_of_the_action_are_arguments_and_never_code(
    inputs: dict[str, str], code: str, project: Path
) -> None:
    done = compare(project, **inputs)
    assert done.returncode == 0
    assert f"code={code}\n" in (project.parent / "output").read_text(encoding="utf-8")
    assert not (project / "owned").exists()


def test_a_clone_without_the_base_is_a_failure_that_says_so(project: Path) -> None:
    """Not one without changes; and what a step before it reported is not reported again."""
    assert compare(project).returncode == 0
    assert (project.parent / "meterspec-diff.md").exists()
    clone = project.parent / "shallow"
    git("init", "--quiet", str(clone), cwd=project)
    git("fetch", "--quiet", "--depth=1", project.as_uri(), "HEAD", cwd=clone)
    git("checkout", "--quiet", "FETCH_HEAD", cwd=clone)
    (clone.parent / "summary").unlink()
    done = compare(clone)
    assert (done.returncode, done.stdout) == (0, "")
    assert "MS041" in done.stderr
    assert "fetch-depth: 0" in done.stderr
    assert "code=2\n" in (project.parent / "output").read_text(encoding="utf-8")
    assert not list(project.parent.glob("meterspec-diff.*"))
    assert not (project.parent / "summary").exists()


def test_a_checkout_of_the_merge_says_what_the_branch_changed(project: Path) -> None:
    """That is what a job has on a pull request; what others changed since the two parted is none of it."""
    origin = project.parent / "origin"
    commit(origin, {"other.meterspec.toml": '[[families]]\nname = "new.one"\n'})
    git("fetch", "--quiet", cwd=project)
    git("checkout", "--quiet", "--detach", "origin/main", cwd=project)
    git("merge", "--quiet", "--no-edit", "main", cwd=project)
    compare(project)
    document = json.loads((project.parent / "meterspec-diff.json").read_text(encoding="utf-8"))
    assert [change["code"] for change in document["changes"]] == ["MD301"]


@pytest.mark.parametrize(
    ("known", "text", "expected"),
    [
        ("", "<!-- meterspec diff -->\nMD301", "POST"),
        ("17\n18", "<!-- meterspec diff -->\nMD301", "PATCH"),
        ("17", "", "DELETE"),
        ("", "", None),
    ],
)
def test_the_comment_is_kept_up_to_date(known: str, text: str, expected: str | None, project: Path) -> None:
    (project.parent / "meterspec-diff.md").write_text(text, encoding="utf-8")
    done = shell(project, STEPS["Comment"]["run"], KNOWN=known, NUMBER="7")
    assert done.returncode == 0, done.stderr
    who, first, *others = calls(project)
    assert who == ["api", "user", "--jq", ".login"]
    assert first[:3] == ["api", "--paginate", "repos/acme/metering/issues/7/comments"]
    assert [call[call.index("--method") + 1] for call in others] == ([expected] if expected else [])
    if expected in {"PATCH", "POST"}:
        assert others[0][-1] == text
    if known and expected:
        assert "repos/acme/metering/issues/comments/17" in others[0]


def test_the_comment_of_an_earlier_run_is_found_by_its_author_and_its_first_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot wrote it, or whoever the token is of; what others write is left alone."""
    (project.parent / "meterspec-diff.md").write_text("", encoding="utf-8")
    shell(project, STEPS["Comment"]["run"], KNOWN="ana", NUMBER="7")
    [listing] = [call for call in calls(project) if "--paginate" in call]
    marked = "<!-- meterspec diff -->\nMD301"
    comments = [
        {"id": 1, "user": {"type": "User", "login": "eve"}, "body": marked},
        {"id": 2, "user": {"type": "User", "login": "ana"}, "body": marked},
        {"id": 3, "user": {"type": "Bot", "login": "github-actions[bot]"}, "body": marked},
        {"id": 4, "user": {"type": "Bot", "login": "github-actions[bot]"}, "body": f"> {marked}"},
    ]
    query = listing[listing.index("--jq") + 1]
    monkeypatch.setenv("LOGIN", "ana")
    assert jq.compile(query).input_value(comments).all() == [2, 3]


def test_a_fork_that_may_not_write_has_the_summary(project: Path) -> None:
    (project.parent / "meterspec-diff.md").write_text("<!-- meterspec diff -->\n", encoding="utf-8")
    done = shell(project, STEPS["Comment"]["run"], REFUSED="1", NUMBER="7")
    assert (done.returncode, "::notice::" in done.stdout) == (0, True)


# GitLab ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "known", "expected"),
    [
        ("", "[]", None),
        ("secret", "[]", "POST"),
        ("secret", '[{"id": 3, "body": "hello"}, {"id": 5, "body": "<!-- meterspec diff -->"}]', "PUT"),
    ],
)
def test_the_job_of_gitlab_writes_a_note_and_fails(token: str, known: str, expected: str | None, project: Path) -> None:
    job = GITLAB["meterspec-diff"]
    variables = {
        **{name: str(value) for name, value in job["variables"].items()},
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git("rev-parse", "origin/main", cwd=project),
        "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_PROJECT_ID": "9",
        "CI_MERGE_REQUEST_IID": "7",
        "METERSPEC_TOKEN": token,
        "KNOWN": known,
    }
    done = shell(project, "\n".join(job["script"]), **variables)
    assert done.returncode == 1, done.stderr
    assert "breaking[MD301]" in done.stdout
    made = calls(project)
    assert [call[call.index("--request") + 1] for call in made if "--request" in call] == (
        [expected] if expected else []
    )
    if expected:
        assert made[-1][-1].startswith("<!-- meterspec diff -->")
    assert all((project / path).exists() for path in job["artifacts"]["paths"])


def test_an_equal_spec_lets_the_job_of_gitlab_pass(project: Path) -> None:
    (project / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    job = GITLAB["meterspec-diff"]
    variables = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": git("rev-parse", "origin/main", cwd=project), **job["variables"]}
    done = shell(project, "\n".join(job["script"]), **variables)
    assert done.returncode == 0, done.stderr


def test_a_job_of_gitlab_on_the_merged_result_compares_with_what_is_merged_into(project: Path) -> None:
    parted = git("rev-parse", "origin/main", cwd=project)
    commit(project.parent / "origin", {"other.meterspec.toml": '[[families]]\nname = "new.one"\n'})
    git("fetch", "--quiet", cwd=project)
    git("checkout", "--quiet", "--detach", "origin/main", cwd=project)
    git("merge", "--quiet", "--no-edit", "main", cwd=project)
    job = GITLAB["meterspec-diff"]
    target = git("rev-parse", "origin/main", cwd=project)
    bases = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": parted, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": target}
    shell(project, "\n".join(job["script"]), **{**job["variables"], **bases})
    document = json.loads((project / "meterspec-diff.json").read_text(encoding="utf-8"))
    assert [change["code"] for change in document["changes"]] == ["MD301"]


# Hooks ----------------------------------------------------------------------------------------------------------


def test_the_hooks_are_commands_of_this_version(tmp_path: Path) -> None:
    (tmp_path / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["meterspec-validate", "meterspec-fmt", "meterspec-compile"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}

    def entry(hook: dict[str, Any], *arguments: str) -> int:
        program, *words = hook["entry"].split()
        assert program == "meterspec"
        command = [sys.executable, "-m", "meterspec", *words, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode

    assert [entry(hook) for hook in hooks] == [0, 0, 1], "nothing was compiled yet"
    command = [sys.executable, "-m", "meterspec", "compile", "--out", "build"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert entry(hooks[2], "--out", "build") == 0
