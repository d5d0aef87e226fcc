"""Verifying: a build compiled again from the inputs it keeps, and a run computed again from its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path, PurePath
from typing import Any

from meterspec import __version__
from meterspec.backends.base import Artifact
from meterspec.backends.compliance import MANIFEST, SIGNATURE, STATEMENT, as_text
from meterspec.backends.manifest import SOURCES
from meterspec.backends.sql import DIALECTS
from meterspec.backends.stripe import Usage
from meterspec.diagnostics import Diagnostics, Failure, Rule, Severity
from meterspec.ir import CalendarUnit
from meterspec.pipeline import ON_REQUEST, TARGETS, compile_program, load
from meterspec.project import SpecFile

__all__ = ["Verified", "verify"]

NOTHING_TO_VERIFY = Rule(
    code="MS050",
    slug="nothing-to-verify",
    title="A folder that is no build and no evidence of a run",
    message="`{folder}` {fault}",
    why="A build is what `compile --out` writes with the target `compliance`, evidence is what `run --evidence` "
    "writes; both say in `manifest.json` what they are.",
)
OTHER_COMPILER = Rule(
    code="MS051",
    slug="other-compiler",
    title="A build of another version of the compiler",
    message="`{folder}` was made by meterspec {theirs}, and this is {ours}",
    why="Two versions may write the same SQL in two ways, so only the version that made a build can say whether it is "
    "what its inputs compile to.",
)
CHANGED_FILE = Rule(
    code="MS660",
    slug="changed-file",
    title="A file that is not what it was when it was made",
    message="`{path}` has the sha256 {found}, and the manifest says {wanted}",
    why="Somebody changed it afterwards, or the manifest; either way it proves nothing any more.",
)
MISSING_FILE = Rule(
    code="MS661",
    slug="missing-file",
    title="A file that the manifest names and that is gone",
    message="`{path}` is gone",
    why="What is not there can be neither compared nor replayed.",
)
FOREIGN_FILE = Rule(
    code="MS662",
    slug="foreign-file",
    title="A file that the manifest does not name",
    message="`{path}` is in the folder, and the manifest does not name it",
    why="It would look like a part of what was compiled.",
)
NOT_COMPILED = Rule(
    code="MS663",
    slug="not-what-it-compiles-to",
    title="A file that its inputs do not compile to",
    message="`{path}` is not what the inputs of the build compile to",
    why="Its digest fits the manifest, so both were changed together, or made by other means than the compiler.",
)
UNSIGNED = Rule(
    code="MS664",
    slug="unsigned",
    title="No signature, where one is to be verified",
    message="`{path}` is not there: nothing is signed",
    why="Without it, nobody answers for a build, or for the evidence of a run.",
)
OTHER_SIGNATURE = Rule(
    code="MS665",
    slug="signature-of-another",
    title="A signature that is not by the key, or not of these files",
    message="{fault}",
    why="The signature is over a statement, and the statement names every file by its digest.",
)
CHANGED_NUMBER = Rule(
    code="MS666",
    slug="changed-number",
    title="A number that a replay does not give",
    message="meter `{meter}`, {window}{group}: the evidence has {found}, and the replay gives {wanted}",
    why="The same events under the same spec give the same number. One of the three is not what it was.",
)
CHANGED_RUN = Rule(
    code="MS667",
    slug="changed-run",
    title="Evidence of a run that its replay does not give",
    message="`{what}`: the evidence has {found}, and the replay gives {wanted}",
    why="The manifest of a run is compared byte for byte with that of its replay.",
)
CHANGED_EVENTS = Rule(
    code="MS668",
    slug="changed-events",
    title="Events that are not what they were when they were counted",
    message="the event file `{path}` {fault}",
    why="A number can be shown to come from its events only while they are the same.",
)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified, in words for people."""

    kind: str
    """`build` or `run`."""
    files: int
    signed_by: str | None = None
    """The key whose signature was verified; None where none was."""
    has_signature: bool = False
    numbers: int = 0
    plan: int = 0
    """Files of a plan from another spec, which cannot be compiled again without it."""


def verify(folder: Path, out: Diagnostics, key: Path | None = None) -> Verified:
    """Compares every digest of a build or of a run's evidence, and makes it again from what it keeps.

    Reports MS660 to MS668; raises `Failure` with MS050 to MS053.
    """
    try:
        facts = _read(folder / "manifest.json")
        _check_shape(facts, {"files": [_FILE], "compiler": {"version": str}})
        version = facts["compiler"]["version"]
        if version != __version__:
            hint = f"pip install meterspec=={version}"
            raise Failure(OTHER_COMPILER, folder=folder, theirs=version, ours=__version__, hint=hint)
        is_run = str(facts.get("schema", "")).startswith("meterspec/run-manifest@")
        _check_shape(facts, _RUN if is_run else {})
        if is_run and facts["options"]["cycles"] is not None:
            _check_shape(facts["options"]["cycles"], _FILE, ("options", "cycles"))
    except FileNotFoundError as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault="has no `manifest.json`") from error
    except OSError as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"cannot be read: {error.strerror or error}") from error
    except _Unusable as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `manifest.json` {error}") from error
    facts["files"] = {one["path"]: one["sha256"] for one in facts["files"]}
    known = None
    if key is not None:
        from meterspec.attestation import public_key  # noqa: PLC0415

        known = public_key(key)
    return (_verify_run if is_run else _verify_build)(folder, facts, out, known, key)


_FILE = {"path": str, "sha256": str}
_NUMBER = {"meter": str, "window_start": (str, type(None)), "window_end": str, "group": dict}
_NUMBER |= {"quantity": (str, type(None)), "unit": (str, type(None)), "events": int, "disclosure": (dict, type(None))}
_TEXT = (str, type(None))
_RUN = {
    "numbers": [_NUMBER],
    "inputs": [{**_FILE, "role": str}],
    "events": [{"family": str, "store": _TEXT, "files": [{**_FILE, "named": bool}]}],
    "options": {
        "meters": [str],
        "fill": bool,
        "cycles": (dict, type(None)),
        **dict.fromkeys(("as_of", "start", "end", "range", "cycle_anchor"), _TEXT),
    },
}
_BUILD = {"build": {"targets": [str], "dialects": [str], "rollup": _TEXT, "stripe_usage": str, "as_of": _TEXT}}
"""What the manifests have to hold to be compared: anybody can have written them."""


class _Unusable(Exception):  # noqa: N818 - never leaves this module
    """A document cannot be compared; the words say why, after the name of its file."""


_KINDS = {dict: "a table", list: "a list", str: "a text", bool: "a truth value", int: "a whole number"}


def _check_shape(found: object, wanted: Any, where: tuple[str, ...] = ()) -> None:
    """Raises `_Unusable` where a document lacks what it has to have, or has it otherwise."""
    kinds = type(wanted) if isinstance(wanted, dict | list) else wanted
    if not isinstance(found, kinds):
        kind = _KINDS.get(type(found), "nothing" if found is None else "a number")
        expected = " or ".join(
            _KINDS[one] for one in (kinds if isinstance(kinds, tuple) else (kinds,)) if one in _KINDS
        )
        raise _Unusable(f"whose `{', '.join(where)}` is {kind}, and not {expected}" if where else "that is no table")
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key, inner in wanted.items():
            if key not in found:
                raise _Unusable(f"without `{', '.join((*where, key))}`")
            _check_shape(found[key], inner, (*where, key))
    elif isinstance(found, list) and isinstance(wanted, list):
        for one in found:
            _check_shape(one, wanted[0], where)


def _read(path: Path) -> Document:
    """What a file of JSON holds; raises `OSError`, or `_Unusable` where it is none."""
    try:
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _Unusable("that is not JSON") from error
    _check_shape(facts, {})
    return dict(facts)


def _check_files(folder: Path, files: dict[str, str], out: Diagnostics, besides: set[str]) -> None:
    """Reports MS660 to MS662 about the files of a folder."""
    found_there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    there = {path.relative_to(folder).as_posix() for path in found_there}
    for name, wanted in sorted(files.items()):
        if name in there and (folder / name).is_symlink():
            hint = "there is a link in its place, and what that leads to can change"
            out.report(MISSING_FILE, at=None, hint=hint, path=name)
        elif name not in there or not (folder / name).is_file():
            out.report(MISSING_FILE, at=None, path=name)
        elif (found := sha256((folder / name).read_bytes()).hexdigest()) != wanted:
            out.report(CHANGED_FILE, at=None, path=name, found=found, wanted=wanted)
    for name in sorted(there - files.keys() - besides):
        out.report(FOREIGN_FILE, at=None, hint="move it out of the folder", path=name)


# Builds ---------------------------------------------------------------------------------------------------------


def _verify_build(folder: Path, facts: Document, out: Diagnostics, known: Any, key: Path | None) -> Verified:
    files: dict[str, str] = facts["files"]
    if str(MANIFEST) not in files:
        fault = "was compiled without the target `compliance`, and keeps no inputs to compile again"
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=fault)
    _check_files(folder, files, out, {"manifest.json", str(SIGNATURE)})
    is_whole, signed_by = not out.has_errors, None
    if key is not None:
        statement = folder / STATEMENT
        wanted = statement.read_bytes() if statement.is_file() else None
        signed_by = _check_signature(folder, SIGNATURE, known, key, wanted, f"`{STATEMENT}`", out)
    if is_whole:
        _compile_again(folder, files, out)
    plan = sum(name.startswith(_PLAN) for name in files)
    has_signature = (folder / SIGNATURE).exists()
    return Verified(kind="build", files=len(files) - plan, signed_by=signed_by, has_signature=has_signature, plan=plan)


def _check_signature(
    folder: Path, name: PurePath, known: Any, key: Path, wanted: bytes | None, of: str, out: Diagnostics
) -> str | None:
    """The key that a statement is signed by; reports MS664 or MS665 where it is not, or is another one."""
    from meterspec.attestation import payload  # noqa: PLC0415

    envelope = folder / name
    if not envelope.is_file():
        out.report(UNSIGNED, at=None, hint="sign it: `compile` and `run --evidence` take `--sign KEY`", path=str(name))
        return None
    signed = payload(envelope.read_bytes(), known)
    if signed is None:
        fault = f"`{name}` is not signed by the key of `{key}`"
        out.report(OTHER_SIGNATURE, at=None, hint="it is another key, or it was changed", fault=fault)
    elif signed != wanted:
        out.report(OTHER_SIGNATURE, at=None, fault=f"what is signed in `{name}` is not {of}")
    else:
        return str(known.keyid)
    return None


def _compile_again(folder: Path, files: dict[str, str], out: Diagnostics) -> None:
    """Reports MS663 for every file that the kept inputs do not compile to."""
    name = MANIFEST
    try:
        build = _build(folder)
        name = SOURCES
        specs = _specs(folder)
    except (OSError, _Unusable) as error:
        out.report(NOT_COMPILED, at=None, hint=f"it is a file {error}", path=str(name))
        return
    day = None if build["as_of"] is None else date.fromisoformat(build["as_of"])
    grain = None if build["rollup"] is None else CalendarUnit(build["rollup"])
    found = Diagnostics()
    program = load(specs, found, as_of=day)
    made: list[Artifact] = []
    if program is not None:
        made = compile_program(
            program,
            specs,
            found,
            targets=build["targets"],
            dialects=build["dialects"],
            grain=grain,
            stripe_usage=build["stripe_usage"],
            as_of=day,
        )
    texts = {str(one.path): one.text.encode() for one in made}
    for file in sorted({*files, "manifest.json"} | texts.keys()):
        path = folder / file
        if file.startswith(_PLAN):
            continue
        there = path.read_bytes() if path.is_file() else None
        if file == "manifest.json" and there is not None:
            there = _without_plan(there)
        if texts.get(file) != there:
            out.report(NOT_COMPILED, at=None, path=file)


_PLAN = "migration/"
"""The plan from another spec, which is not in the build: its digests are compared, and nothing more can be."""


def _without_plan(manifest: bytes) -> bytes:
    """The bytes of a manifest as they are without a plan; those of one that has none, as they are."""
    facts = json.loads(manifest)
    kept = [one for one in facts["files"] if not str(one["path"]).startswith(_PLAN)]
    return manifest if kept == facts["files"] else as_text({**facts, "files": kept}).encode()


def _build(folder: Path) -> Document:
    """What the compiler was asked for; raises `_Unusable` where it cannot be asked for that."""
    facts = _read(folder / MANIFEST)
    _check_shape(facts, _BUILD)
    build: Document = facts["build"]
    known = {
        "targets": (*TARGETS, *ON_REQUEST),
        "dialects": tuple(DIALECTS),
        "rollup": (None, *CalendarUnit),
        "stripe_usage": tuple(Usage),
    }
    for key, values in known.items():
        for one in build[key] if isinstance(build[key], list) else [build[key]]:
            if one not in values:
                raise _Unusable(f"whose `build, {key}` is `{one}`, which there is not")
    try:
        date.fromisoformat(build["as_of"] or "2026-01-01")
    except ValueError as error:
        raise _Unusable(f"whose `build, as_of` is `{build['as_of']}`, which is no day") from error
    return build


def _specs(folder: Path) -> list[SpecFile]:
    """The files of a spec as a folder keeps them; raises `_Unusable` where they are none."""
    kept = _read(folder / SOURCES)
    text = {"name": str, "text": str}
    _check_shape(kept, {"files": [text]} | ({"registry": text} if kept.get("registry") is not None else {}))
    own = kept.get("registry")
    organisation = None if own is None else (own["name"], own["text"].encode())
    return [SpecFile(one["name"], one["text"].encode(), None, organisation) for one in kept["files"]]


# Runs -----------------------------------------------------------------------------------------------------------


def _verify_run(folder: Path, facts: Document, out: Diagnostics, known: Any, key: Path | None) -> Verified:
    from meterspec import evidence  # noqa: PLC0415

    files: dict[str, str] = facts["files"]
    _check_files(folder, files, out, {"manifest.json", str(evidence.SIGNATURE)})
    counted = _check_events(folder, facts, out)
    is_whole, signed_by = not out.has_errors, None
    if key is not None:
        wanted = evidence.statement((folder / "manifest.json").read_bytes()).encode()
        signed_by = _check_signature(folder, evidence.SIGNATURE, known, key, wanted, "this `manifest.json`", out)
    if is_whole:
        replayed = Diagnostics()
        _compute_again(folder, facts, replayed)
        out.extend(replayed)
    return Verified(
        kind="run",
        files=len(files) + counted,
        signed_by=signed_by,
        has_signature=(folder / evidence.SIGNATURE).exists(),
        numbers=len(facts["numbers"]),
    )


def _check_events(folder: Path, facts: Document, out: Diagnostics) -> int:
    """Reports MS668 for every event file, or file of cycles, that is gone or another one; gives how many there are."""
    listed = [file for one in facts["events"] for file in one["files"]]
    if facts["options"]["cycles"] is not None:
        listed.append(facts["options"]["cycles"])
    for file in listed:
        path = folder / file["path"]
        if not path.is_file():
            out.report(CHANGED_EVENTS, at=None, path=file["path"], fault="is gone")
            continue
        with path.open("rb") as opened:
            found = file_digest(opened, "sha256").hexdigest()
        if found != file["sha256"]:
            fault = f"has the sha256 {found}, and had {file['sha256']} when it was counted"
            out.report(CHANGED_EVENTS, at=None, path=file["path"], fault=fault)
    return len(listed)


def _compute_again(folder: Path, facts: Document, out: Diagnostics) -> None:
    """Reports MS666 for every number that the replay does not give, and MS667 for anything else."""
    from meterspec import evidence  # noqa: PLC0415

    try:
        specs = _specs(folder)
    except (OSError, _Unusable) as error:
        out.report(CHANGED_RUN, at=None, what=str(SOURCES), found=f"a file {error}", wanted="the spec")
        return
    found = Diagnostics()
    program = load(specs, found)
    if program is None:
        errors = [one for one in found if one.severity is Severity.ERROR]
        fault = f"a spec with an error ({errors[0].message})"
        out.report(CHANGED_RUN, at=None, what=str(SOURCES), found=fault, wanted="no number of it")
        return
    for what, text, wanted in evidence.unusable(program, facts):
        out.report(CHANGED_RUN, at=None, what=what, found=f"`{text}`", wanted=wanted)
    if out.has_errors:
        return
    done, events, options = evidence.computed_again(program, facts, folder)
    *_, manifest = evidence.collected(program, specs, events, options, done, folder)
    if manifest.text.encode() == (folder / "manifest.json").read_bytes():
        return
    again = json.loads(manifest.text)
    again["files"] = {one["path"]: one["sha256"] for one in again["files"]}
    _report_numbers(facts["numbers"], again["numbers"], out)
    had, gives = ({name: one[name] for name in one if name not in {"numbers", "files"}} for one in (facts, again))
    differing = list(_differences(had, gives, ()))
    if not differing and not out.has_errors:  # the report has the same numbers, and would be named for each of them
        differing = list(_differences(facts["files"], again["files"], ("files",)))
    for route, one, two in differing:
        out.report(CHANGED_RUN, at=None, what=", ".join(route), found=_shown(one), wanted=_shown(two))
    if not out.has_errors:
        out.report(CHANGED_RUN, at=None, what="manifest.json", found="other white space", wanted="the same facts")


def _differences(
    had: object, gives: object, route: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """What differs between two documents, by the keys that lead there; items of lists go by their names."""
    one, two = _by_name(had), _by_name(gives)
    if one is None or two is None:
        if had != gives:
            yield route, had, gives
        return
    for name in sorted(one.keys() | two.keys()):
        yield from _differences(one.get(name), two.get(name), (*route, name))


def _by_name(value: Any) -> Document | None:
    """A table, or a list of tables that have a name each, by their names; None for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    named = {str(one.get("path") or one.get("family")): one for one in value}
    return named if len(named) == len(value) else None


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 100


def _report_numbers(had: list[Document], gives: list[Document], out: Diagnostics) -> None:
    def key(number: Document) -> str:
        return json.dumps([number[name] for name in ("meter", "window_start", "window_end", "group")], sort_keys=True)

    before, after = {key(one): one for one in had}, {key(one): one for one in gives}
    for name in sorted(before.keys() | after.keys()):
        one, two = before.get(name), after.get(name)
        if one == two:
            continue
        shown = one or two
        assert shown is not None
        group = "".join(f", {field} {value}" for field, value in shown["group"].items())
        differing = next(
            (k for k in ("quantity", "events", "unit", "disclosure") if one and two and one[k] != two[k]), "quantity"
        )
        out.report(
            CHANGED_NUMBER,
            at=None,
            meter=shown["meter"],
            window=f"{shown['window_start'] or 'ever'} to {shown['window_end']}",
            group=group,
            found=_words(one, differing),
            wanted=_words(two, differing),
        )


def _words(number: Document | None, key: str) -> str:
    if number is None:
        return "no such number"
    value = number[key]
    if isinstance(value, dict):
        value = value.get("value")
    return f"{value}" if key == "quantity" else f"{value} as its {key}"
