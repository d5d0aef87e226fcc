"""The plan beside the artefacts: `migration/plan.json`, the same for people, and a script for each dialect of SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from meterspec.backends.base import Artifact
from meterspec.diff import Impact, as_json, diff
from meterspec.ir import Program
from meterspec.markup import escaped
from meterspec.migration.steps import Step, steps
from meterspec.migration.views import Move, move, script, views

__all__ = ["FOLDER", "Base", "emit"]

FOLDER = PurePosixPath("migration")
_ELSEWHERE = ("sql", "migration")
"""Folders whose files the plan does not list: the views of one are listed by name, the other is the plan."""
_ALWAYS = ("manifest.json", "sources.json")
"""Files that every change changes."""


@dataclass(frozen=True, slots=True)
class Base:
    """The spec before: its program, the files it is made of, and what it compiles to."""

    program: Program
    files: Sequence[bytes]
    artifacts: Sequence[Artifact]


def emit(base: Base, program: Program, artifacts: Sequence[Artifact], dialects: Sequence[str]) -> Iterator[Artifact]:
    """The plan from a spec to the program that artefacts were made of; of equal ones it says that there is nothing."""
    verdicts = diff(base.program, program)
    todo = steps(base.program, program, verdicts)
    moves = {dialect: move(views(base.artifacts, dialect), views(artifacts, dialect)) for dialect in dialects}
    files = _files(base.artifacts, artifacts)
    changes = as_json(verdicts)
    document = {
        "format": 1,
        "from": [sha256(data).hexdigest() for data in base.files],
        "changes": changes["changes"],
        "summary": changes["summary"],
        "steps": [
            {"action": step.action.value, "because": list(step.because), "subject": step.subject, "words": step.words}
            for step in todo
        ],
        "views": {
            dialect: {
                "drop": [view.name for view in taken.drop],
                "rebuild": _rollups(taken),
                "replace": [view.name for view in taken.replace],
            }
            for dialect, taken in moves.items()
        },
        "files": files,
    }
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    yield Artifact(FOLDER / "plan.json", text)
    yield Artifact(FOLDER / "plan.md", _page(todo, moves, files, changes["summary"]))
    for dialect, taken in moves.items():
        if taken:
            yield Artifact(FOLDER / f"{dialect}.sql", script(taken, dialect))


def _rollups(taken: Move) -> list[str]:
    """The rollups among the views to be replaced: a table that stands for one is to be filled anew."""
    return [view.name for view in taken.replace if view.file.name == "rollups.sql"]


def _files(before: Sequence[Artifact], after: Sequence[Artifact]) -> dict[str, list[str]]:
    """The other artefacts that are new, changed or gone."""
    old, new = (
        {
            str(one.path): one.text
            for one in side
            if one.path.parts[0] not in _ELSEWHERE and str(one.path) not in _ALWAYS
        }
        for side in (before, after)
    )
    return {
        "added": sorted(new.keys() - old.keys()),
        "changed": sorted(path for path in new.keys() & old.keys() if new[path] != old[path]),
        "removed": sorted(old.keys() - new.keys()),
    }


def _page(todo: Sequence[Step], moves: dict[str, Move], files: dict[str, list[str]], summary: dict[str, int]) -> str:
    counts = ", ".join(f"{summary[impact.value]} {impact.value}" for impact in Impact if summary[impact.value])
    lines = ["# How to ship it", "", f"Changes: {counts or 'none'}.", ""]
    lines += [f"{number}. {escaped(step.words)} ({', '.join(step.because)})" for number, step in enumerate(todo, 1)]
    if not todo:
        lines.append("There is nothing to be done." if not any(moves.values()) else "People have nothing to do.")
    for taken, dialects in _alike(moves):
        scripts = ", ".join(f"`{FOLDER / dialect}.sql`" for dialect in dialects)
        lines += ["", "## Views", "", f"In this order, as in {scripts}:", ""]
        lines += [f"- replace `{view.name}`" for view in taken.replace]
        lines += [f"- drop `{view.name}`" for view in taken.drop]
        rollups = _rollups(taken)
        if rollups:
            names = ", ".join(f"`{name}`" for name in rollups)
            lines += ["", f"A table that stands for one of these rollups is to be filled anew: {names}."]
    named = [(word, path) for word in ("added", "changed", "removed") for path in files[word]]
    if named:
        lines += ["", "## Files", "", *(f"- {word}: `{path}`" for word, path in named)]
    return "\n".join(lines) + "\n"


def _alike(moves: dict[str, Move]) -> list[tuple[Move, list[str]]]:
    """Moves that are the same but for the dialect, together."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Move, list[str]]] = {}
    for dialect, taken in moves.items():
        names = tuple(view.name for view in taken.replace), tuple(view.name for view in taken.drop)
        if taken:
            found.setdefault(names, (taken, []))[1].append(dialect)
    return list(found.values())
