"""Verifying: a build compiled again from the inputs it keeps, and a run computed again from its events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from meterspec import __version__
from meterspec.backends.base import Artifact
from meterspec.backends.compliance import MANIFEST, SIGNATURE, STATEMENT, as_text
from meterspec.backends.manifest import SOURCES
from meterspec.backends.sql import DIALECTS
from meterspec.backends.stripe import Usage
from meterspec.diagnostics import Diagnostics, Failure, Rule
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
    title="A build without a signature, where one is to be verified",
    message="`{path}` is not there: the build is not signed",
    why="Without it, nobody answers for the build.",
)
OTHER_SIGNATURE = Rule(
    code="MS665",
    slug="signature-of-another",
    title="A signature that is not by the key, or not of these files",
    message="{fault}",
    why="The signature is over the statement, and the statement names every artefact by its digest.",
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
    message="`{what}` of the evidence is not what the replay gives",
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
    facts = _read(folder / "manifest.json", folder)
    is_run = str(facts.get("schema", "")).startswith("meterspec/run-manifest@")
    _check_shape(facts, _RUN if is_run else {}, "manifest.json", folder)
    return _verify_run(folder, facts, out) if is_run else _verify_build(folder, facts, out, key)


_FILE = {"path": str, "sha256": str}
_NUMBER = {"meter": str, "window_start": (str, type(None)), "window_end": str, "group": dict}
_NUMBER |= {"quantity": (str, type(None)), "unit": (str, type(None)), "events": int, "disclosure": (dict, type(None))}
_TEXT = (str, type(None))
_RUN = {
    "numbers": [_NUMBER],
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


def _check_shape(found: object, wanted: Any, where: str, folder: Path) -> None:
    """Raises `Failure` with MS050 where a document lacks what it has to have, or has it otherwise."""
    match wanted:
        case dict() if isinstance(found, dict):
            for key, inner in wanted.items():
                if key not in found:
                    raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{where}` without `{key}`")
                _check_shape(found[key], inner, f"{where}: {key}", folder)
        case [inner] if isinstance(found, list):
            for one in found:
                _check_shape(one, inner, where, folder)
        case dict() | [_]:
            raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{where}` that is none")
        case _ if not isinstance(found, wanted):
            raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{where}` that is none")


def _read(path: Path, folder: Path) -> Document:
    try:
        facts = json.loads(path.read_bytes())
        files = {str(one["path"]): str(one["sha256"]) for one in facts["files"]}
        version = str(facts["compiler"]["version"])
    except FileNotFoundError as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has no `{path.relative_to(folder)}`") from error
    except OSError as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fault = f"has a `{path.relative_to(folder)}` that is none"
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=fault) from error
    if version != __version__:
        hint = f"pip install meterspec=={version}"
        raise Failure(OTHER_COMPILER, folder=folder, theirs=version, ours=__version__, hint=hint)
    return {**facts, "files": files}


def _check_files(folder: Path, files: dict[str, str], out: Diagnostics, besides: set[str]) -> None:
    """Reports MS660 to MS662 about the files of a folder."""
    found_there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    there = {path.relative_to(folder).as_posix() for path in found_there}
    for name, wanted in sorted(files.items()):
        if name not in there or not (folder / name).is_file():
            out.report(MISSING_FILE, at=None, path=name)
        elif (found := sha256((folder / name).read_bytes()).hexdigest()) != wanted:
            out.report(CHANGED_FILE, at=None, path=name, found=found, wanted=wanted)
    for name in sorted(there - files.keys() - besides):
        out.report(FOREIGN_FILE, at=None, hint="move it out of the folder", path=name)


# Builds ---------------------------------------------------------------------------------------------------------


def _verify_build(folder: Path, facts: Document, out: Diagnostics, key: Path | None) -> Verified:
    files: dict[str, str] = facts["files"]
    if str(MANIFEST) not in files:
        fault = "was compiled without the target `compliance`, and keeps no inputs to compile again"
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=fault)
    _check_files(folder, files, out, {"manifest.json", str(SIGNATURE)})
    signature = folder / SIGNATURE
    signed_by = None
    if key is not None:
        from meterspec.attestation import public_key  # noqa: PLC0415

        known = public_key(key)
        if _check_signature(folder, known, key, out):
            signed_by = str(known.keyid)
    if not out.has_errors:
        _compile_again(folder, files, out)
    plan = sum(name.startswith(_PLAN) for name in files)
    return Verified(
        kind="build", files=len(files) - plan, signed_by=signed_by, has_signature=signature.exists(), plan=plan
    )


def _check_signature(folder: Path, known: Any, key: Path, out: Diagnostics) -> bool:
    from meterspec.attestation import payload  # noqa: PLC0415

    envelope, statement = folder / SIGNATURE, folder / STATEMENT
    if not envelope.is_file():
        out.report(UNSIGNED, at=None, hint="sign it: `meterspec compile --sign KEY`", path=str(SIGNATURE))
        return False
    signed = payload(envelope.read_bytes(), known)
    if signed is None:
        fault = f"`{SIGNATURE}` is not signed by the key of `{key}`"
        out.report(OTHER_SIGNATURE, at=None, hint="it is another key, or it was changed", fault=fault)
        return False
    if not statement.is_file() or signed != statement.read_bytes():
        out.report(OTHER_SIGNATURE, at=None, fault=f"what is signed in `{SIGNATURE}` is not `{STATEMENT}`")
        return False
    return True


def _compile_again(folder: Path, files: dict[str, str], out: Diagnostics) -> None:
    """Reports MS663 for every file that the kept inputs do not compile to."""
    try:
        facts = json.loads((folder / MANIFEST).read_bytes())
    except (ValueError, RecursionError) as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{MANIFEST}` that is none") from error
    _check_shape(facts, _BUILD, str(MANIFEST), folder)
    specs, build = _specs(folder), facts["build"]
    try:
        day = None if build["as_of"] is None else date.fromisoformat(build["as_of"])
        grain = None if build["rollup"] is None else CalendarUnit(build["rollup"])
        Usage(build["stripe_usage"])
        unknown = {*build["targets"]} - {*TARGETS, *ON_REQUEST} or {*build["dialects"]} - {*DIALECTS}
    except ValueError as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{MANIFEST}` that is none") from error
    if unknown:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"was compiled to `{min(unknown)}`, which there is not")
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
    for name in sorted({*files, "manifest.json"} | texts.keys()):
        path = folder / name
        if name.startswith(_PLAN):
            continue
        there = path.read_bytes() if path.is_file() else None
        if name == "manifest.json" and there is not None:
            there = _without_plan(there)
        if texts.get(name) != there:
            out.report(NOT_COMPILED, at=None, path=name)


_PLAN = "migration/"
"""The plan from another spec, which is not in the build: its digests are compared, and nothing more can be."""


def _without_plan(manifest: bytes) -> bytes:
    """The bytes of a manifest as they are without a plan; those of one that has none, as they are."""
    facts = json.loads(manifest)
    kept = [one for one in facts["files"] if not str(one["path"]).startswith(_PLAN)]
    return manifest if kept == facts["files"] else as_text({**facts, "files": kept}).encode()


def _specs(folder: Path) -> list[SpecFile]:
    """The files of a spec as a folder keeps them; raises `Failure` with MS050."""
    try:
        kept = json.loads((folder / SOURCES).read_bytes())
        own = kept.get("registry")
        organisation = None if own is None else (str(own["name"]), str(own["text"]).encode())
        return [SpecFile(str(one["name"]), str(one["text"]).encode(), None, organisation) for one in kept["files"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault=f"has a `{SOURCES}` that is none") from error


# Runs -----------------------------------------------------------------------------------------------------------


def _verify_run(folder: Path, facts: Document, out: Diagnostics) -> Verified:
    files: dict[str, str] = facts["files"]
    _check_files(folder, files, out, {"manifest.json"})
    counted = _check_events(folder, facts, out)
    if not out.has_errors:
        _compute_again(folder, facts, out)
    return Verified(kind="run", files=len(files) + counted, numbers=len(facts["numbers"]))


def _check_events(folder: Path, facts: Document, out: Diagnostics) -> int:
    """Reports MS668 for every event file, or file of cycles, that is gone or another one; gives how many there are."""
    listed = [file for one in facts["events"] for file in one["files"]]
    if facts["options"]["cycles"] is not None:
        _check_shape(facts["options"]["cycles"], _FILE, "manifest.json: cycles", folder)
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

    specs = _specs(folder)
    found = Diagnostics()
    program = load(specs, found)
    if program is None:
        out.report(CHANGED_RUN, at=None, hint=found.found[0].message, what="inputs")
        return
    try:
        done, events, options = evidence.computed_again(program, facts, folder)
    except (KeyError, ValueError) as error:  # a family that is not in the spec, an instant that is none
        raise Failure(NOTHING_TO_VERIFY, folder=folder, fault="has options or families that its spec lacks") from error
    *_, manifest = evidence.collected(program, specs, events, options, done, folder)
    again = json.loads(manifest.text)
    if manifest.text.encode() == (folder / "manifest.json").read_bytes():
        return
    _report_numbers(facts["numbers"], again["numbers"], out)
    for key in sorted({*again} | {*facts}):
        if key not in {"numbers", "files"} and again.get(key) != facts.get(key):
            out.report(CHANGED_RUN, at=None, what=key)
    if not out.has_errors:
        out.report(CHANGED_RUN, at=None, what="manifest.json")


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
