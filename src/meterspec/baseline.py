"""What a spec is compared with: its files as a commit has them, or those that artefacts were compiled from.

git is only read, through `rev-parse`, `merge-base`, `ls-tree`, `cat-file` and `for-each-ref`. No checkout, index or ref
is touched, and nothing depends on whether the working tree is clean.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath

from meterspec.diagnostics import Failure, Rule, did_you_mean
from meterspec.project import NO_SPEC, NO_SUCH_FILE, SpecFile, collect, is_spec, organisation_of

__all__ = ["Commit", "at_revision", "commit_of", "deployed", "head_date", "other_registry"]

NO_GIT = Rule(
    code="MS040",
    slug="git-failed",
    title="No answer from git",
    message="git cannot be asked for {what}: {reason}",
    why="What git does not say must not read as a spec without changes.",
)
UNKNOWN_REVISION = Rule(
    code="MS041",
    slug="unknown-revision",
    title="A revision that git does not know",
    message="`{revision}` is no revision here: {reason}",
    why="A mistyped branch must not read as a spec without changes.",
)
NO_REPOSITORY = Rule(
    code="MS042",
    slug="no-repository",
    title="A revision, where there is no git repository",
    message="`{folder}` is in no working tree of git",
    why="`--against` reads the spec out of the history that the spec stands in.",
)
NO_COMMON_COMMIT = Rule(
    code="MS043",
    slug="no-common-commit",
    title="A revision that has no commit in common with this one",
    message="`{revision}` and HEAD have no commit in common, as far as this clone goes back",
    why="What others changed since the two parted is no change of yours, so the commit where they parted is compared.",
)
UNUSABLE_ARTEFACTS = Rule(
    code="MS044",
    slug="unusable-artefacts",
    title="Artefacts that do not say what they were compiled from",
    message="`{folder}` cannot be compared with: {reason}",
    why="A manifest names every file by its digest; a folder that differs from it is not what was compiled.",
)

_MORE = "fetch more of the history: `fetch-depth: 0` in GitHub Actions, `GIT_DEPTH: 0` in GitLab"
_LINK = "120000"
"""The mode of a symbolic link."""


@dataclass(frozen=True)
class Commit:
    """The files of one commit; it takes the place of the disk for `project.collect`."""

    top: Path
    """The folder that the working tree is in."""
    id: str

    @property
    def short(self) -> str:
        """The id as people see it."""
        return self.id[:12]

    def is_file(self, path: Path) -> bool:
        return self._kind(path) == "blob"

    def is_folder(self, path: Path) -> bool:
        return self._kind(path) == "tree"

    def exists(self, path: Path) -> bool:
        return self._kind(path) is not None

    def names(self, folder: Path) -> Sequence[str]:
        return list(self._entries(self._inside(folder)))

    def read(self, path: Path) -> bytes:
        inside = self._inside(path)
        mode, kind, blob = self._entries(inside.parent).get(inside.name, ("", "", ""))
        if mode == _LINK:
            raise OSError(0, "it is a symbolic link in this commit", str(path))
        if kind != "blob":
            raise FileNotFoundError(2, "no such file in this commit", str(path))
        return self._texts(inside.parent).get(blob) or _git(self.top, "cat-file", "blob", blob, what=f"`{inside}`")

    def full(self, path: Path) -> Path:
        return self.top / self._inside(path)

    def shown(self, path: Path) -> str:
        """`1f0c2d3e4a5b:specs/meterspec.toml`, as git writes it."""
        try:
            return f"{self.short}:{self._inside(path)}"
        except FileNotFoundError:
            return str(path)

    def specs_named(self, names: Sequence[str]) -> list[str]:
        """The paths of all files of the commit that are a spec by their name, or have one of these names."""
        listed = _git(self.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.id, what="its files")
        paths = [PurePosixPath(os.fsdecode(path)) for path in listed.split(b"\0") if path]
        return [str(path) for path in paths if is_spec(path.name) or path.name in names]

    @cached_property
    def _folders(self) -> dict[PurePosixPath, dict[str, tuple[str, str, str]]]:
        return {}

    @cached_property
    def _blobs(self) -> dict[PurePosixPath, dict[str, bytes]]:
        return {}

    def _inside(self, path: Path) -> PurePosixPath:
        """The path below the top; raises FileNotFoundError for one that is not below it."""
        full = Path(os.path.normpath(Path.cwd() / path))
        for known in (full, full.resolve()):
            if known.is_relative_to(self.top):
                return PurePosixPath(*known.relative_to(self.top).parts)
        raise FileNotFoundError(2, "not in this repository", str(path))

    def _kind(self, path: Path) -> str | None:
        """`blob`, `tree`, or None for what is not there; a symbolic link or a submodule is neither."""
        try:
            inside = self._inside(path)
        except FileNotFoundError:
            return None
        if inside == PurePosixPath():
            return "tree"
        mode, kind, _ = self._entries(inside.parent).get(inside.name, ("", None, ""))
        return "link" if mode == _LINK else kind

    def _entries(self, folder: PurePosixPath) -> dict[str, tuple[str, str, str]]:
        """Mode, kind and object of each name in a folder; nothing for a folder that is not there."""
        if folder not in self._folders:
            tree = f"{self.id}^{{tree}}" if folder == PurePosixPath() else f"{self.id}:{folder}"
            there = (
                folder == PurePosixPath() or self._entries(folder.parent).get(folder.name, ("", "", ""))[1] == "tree"
            )
            listed = _git(self.top, "ls-tree", "-z", tree, what=f"`{folder}`") if there else b""
            entries = (entry.split(b"\t", 1) for entry in listed.split(b"\0") if entry)
            self._folders[folder] = {
                os.fsdecode(name): (facts[0], facts[1], facts[2])
                for head, name in entries
                for facts in [head.decode().split()]
            }
        return self._folders[folder]

    def _texts(self, folder: PurePosixPath) -> dict[str, bytes]:
        """The TOML files of a folder by their objects, all read at once."""
        if folder not in self._blobs:
            wanted = [
                blob
                for name, (_, kind, blob) in self._entries(folder).items()
                if kind == "blob" and name.endswith(".toml")
            ]
            given = "".join(f"{blob}\n" for blob in wanted).encode()
            answer = _git(self.top, "cat-file", "--batch", what=f"the files of `{folder}`", given=given)
            self._blobs[folder] = texts = {}
            at = 0
            while at < len(answer):  # "<object> blob <size>", a line break, the bytes, a line break
                end = answer.index(b"\n", at)
                blob, _, size = answer[at:end].decode().split()
                texts[blob] = answer[end + 1 : end + 1 + int(size)]
                at = end + 2 + int(size)
        return self._blobs[folder]


def commit_of(path: str | None, revision: str, *, exact: bool = False) -> Commit:
    """The commit to compare with: where HEAD and a revision parted, or with `exact` the revision itself.

    `path` is a file or folder of the repository, None for the folder that the command runs in. Raises `Failure` with
    MS040 to MS043.
    """
    folder = _folder(path)
    if not revision or revision.startswith("-") or not revision.isprintable():
        raise Failure(UNKNOWN_REVISION, revision=revision, reason="it is not the name of a commit, branch or tag")
    top = Path(os.fsdecode(_top(folder)))
    done = _asked(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if done.returncode:
        raise Failure(
            UNKNOWN_REVISION,
            revision=revision,
            reason="git finds no commit of that name",
            hint=_nearest(top, revision),
        )
    commit = done.stdout.decode().strip()
    if exact:
        return Commit(top, commit)
    parted = _asked(top, "merge-base", commit, "HEAD")
    if parted.returncode or not parted.stdout.strip():
        raise Failure(
            NO_COMMON_COMMIT, revision=revision, hint=f"{_MORE}; or compare with the commit itself: `--exact`"
        )
    return Commit(top, parted.stdout.decode().split()[0])


def at_revision(commit: Commit, paths: Sequence[str], head: Sequence[SpecFile]) -> list[SpecFile]:
    """The files of the spec as a commit has it; none where it has no spec at all, so that all of `head` is new.

    A spec that stands elsewhere in the commit is not looked for: what has moved would look like new. A file of the
    organisation that is outside of the repository has no history: it is the same for both. Raises `Failure` with MS001
    to MS004.
    """
    try:
        files = collect(paths, commit)
        outside = organisation_of(commit.top.parent)
        return [file if file.organisation else replace(file, organisation=outside) for file in files]
    except Failure as failure:
        if failure.diagnostic.rule not in {NO_SPEC, NO_SUCH_FILE}:
            raise
        elsewhere = commit.specs_named([PurePosixPath(file.name).name for file in head])
        if not elsewhere:
            return []
        others = "" if len(elsewhere) == 1 else f" and {len(elsewhere) - 1} more"
        hint = (
            f"this commit has `{elsewhere[0]}`{others}: where the spec has moved, write both paths, the old one first"
        )
        place = failure.diagnostic.message.partition("`")[2].rpartition("`")[0] or commit.short
        raise Failure(NO_SPEC, path=place, hint=hint) from failure


def head_date(path: str | None) -> date | None:
    """The day, in UTC, of the commit that is checked out; None outside of a repository, and before its first commit."""
    try:
        top = Path(os.fsdecode(_top(_folder(path))))
    except Failure:
        return None
    done = _asked(top, "cat-file", "commit", "HEAD")
    if done.returncode:
        return None
    header = done.stdout.partition(b"\n\n")[0]
    committer = next(line for line in header.splitlines() if line.startswith(b"committer "))
    return datetime.fromtimestamp(int(committer.split()[-2]), tz=UTC).date()


def deployed(folder: Path) -> list[SpecFile]:
    """The files that the artefacts in a folder were compiled from; raises `Failure` with MS044.

    Every file of the folder has to be the one that its manifest names.
    """
    import json  # noqa: PLC0415 - not for `validate`
    from hashlib import sha256  # noqa: PLC0415

    def unusable(reason: str, hint: str | None = None) -> Failure:
        return Failure(UNUSABLE_ARTEFACTS, folder=folder, reason=reason, hint=hint)

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise unusable(f"`{name}`: {error.strerror or error}") from error

    again = "compile what is deployed with this version of meterspec, from the commit that it was made of"
    try:
        manifest = json.loads(read("manifest.json"))
        digests = {str(file["path"]): str(file["sha256"]) for file in manifest["files"]}
        inputs = [str(entry["sha256"]) for entry in manifest["inputs"]]
    except (ValueError, KeyError, TypeError):
        raise unusable("its `manifest.json` is not one that `meterspec compile` writes") from None
    for name, digest in digests.items():
        if not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts:
            if sha256(read(name)).hexdigest() != digest:
                raise unusable(f"`{name}` is not the file that was compiled", "compile it again, or restore the file")
        else:
            raise unusable(f"its manifest names `{name}`, which is outside of it")
    if "sources.json" not in digests:
        raise unusable("it has no `sources.json`", again)
    try:
        kept = json.loads(read("sources.json"))
        files = [(str(file["name"]), str(file["text"]).encode()) for file in kept["files"]]
        own = kept.get("registry")
        organisation = None if own is None else (f"{folder}:{own['name']}", str(own["text"]).encode())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise unusable("its `sources.json` is not one that `meterspec compile` writes") from None
    if [sha256(data).hexdigest() for _, data in files] != inputs:
        raise unusable("its sources are not the files that the manifest names as inputs")
    return [SpecFile(f"{folder}:{name}", data, None, organisation) for name, data in files]


def other_registry(folder: Path) -> list[str]:
    """The files of the package's registry that artefacts were judged by in another version.

    To be asked of a folder that `deployed` found whole; raises `Failure` with MS044.
    """
    import json  # noqa: PLC0415 - not for `validate`

    from meterspec.regimes import digests  # noqa: PLC0415

    try:
        manifest = json.loads((folder / "compliance" / "manifest.json").read_bytes())
        was = dict(manifest["compiler"]["registry"]["files"])
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        reason = "its `compliance/manifest.json` is not one that `meterspec compile` writes"
        raise Failure(UNUSABLE_ARTEFACTS, folder=folder, reason=reason) from None
    is_now = digests([Path(name).stem for name in was])
    return sorted(name for name in was if is_now.get(name) != was[name])


def _folder(path: str | None) -> Path:
    """The nearest folder on disk around a path."""
    full = Path.cwd() if path is None else Path(os.path.normpath(Path.cwd() / path))
    return next(folder for folder in (full, *full.parents) if folder.is_dir())


def _top(folder: Path) -> bytes:
    done = _asked(folder, "rev-parse", "--show-toplevel")
    if done.returncode:
        said = _said(done)
        if "not a git repository" in said or "must be run in a work tree" in said:
            raise Failure(NO_REPOSITORY, folder=folder, hint="compare two paths: `meterspec diff OLD NEW`")
        raise Failure(NO_GIT, what="the repository", reason=said)
    return done.stdout.rstrip(b"\n")


def _nearest(top: Path, revision: str) -> str | None:
    done = _asked(top, "for-each-ref", "--format=%(refname:short)")
    names = [os.fsdecode(name) for name in done.stdout.splitlines()]
    remote = [name for name in names if name.partition("/")[2] == revision]
    if remote:
        return f"there is `{remote[0]}`"
    if _asked(top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        return f"this clone is shallow and may lack it; {_MORE}"
    return did_you_mean(revision, names)


def _git(folder: Path, *arguments: str, what: str, given: bytes | None = None) -> bytes:
    done = _asked(folder, *arguments, given=given)
    if done.returncode:
        raise Failure(NO_GIT, what=what, reason=_said(done))
    return done.stdout


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"it ended with {done.returncode}"


def _asked(folder: Path, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """One question to git, with no shell between; raises `Failure` with MS040 where git cannot be run."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if "GIT_WORK_TREE" not in environment:
        # A hook is given the repository alone, and git then takes any folder for the top; the folder says which it is.
        environment.pop("GIT_DIR", None)
    command = ["git", "--no-pager", "-C", str(folder), *arguments]
    source: dict[str, object] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    try:
        return subprocess.run(command, capture_output=True, check=False, env=environment, **source)  # type: ignore[call-overload,no-any-return]  # noqa: S603
    except OSError as error:
        hint = "install git, or compare two paths: `meterspec diff OLD NEW`"
        raise Failure(NO_GIT, what="the spec", reason=error.strerror or error, hint=hint) from error
