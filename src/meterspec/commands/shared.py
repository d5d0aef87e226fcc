"""What every command shares: its end and exit code, its arguments, and words that several print."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from io import RawIOBase, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from meterspec.diagnostics import Diagnostic, Diagnostics, Failure, Rule, Severity, did_you_mean
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.render import Palette, concise, day, full, order, plain, summary

if TYPE_CHECKING:
    from meterspec.ir import Meter, Program, Scalar

__all__ = [
    "BAD_ARGUMENT",
    "CLEAN",
    "FAILED",
    "FINDINGS",
    "MISSING_ARGUMENT",
    "NO_SUCH_METER",
    "Exit",
    "counted",
    "day",
    "day_argument",
    "guarded",
    "instant_argument",
    "meter_of",
    "number",
    "one_of",
    "palette_of",
    "program_of",
    "repository",
    "scalar_json",
    "scalar_text",
    "stop_on_errors",
    "window_argument",
    "write_diagnostics",
]

BAD_ARGUMENT = Rule(
    code="MS005",
    slug="bad-argument",
    title="An argument of a command that cannot be used",
    message="{argument} cannot be `{value}`{reason}",
    why="The command cannot guess what was meant.",
)

MISSING_ARGUMENT = Rule(
    code="MS019",
    slug="missing-argument",
    title="An argument that a command cannot do without",
    message="{argument} is missing: {reason}",
    why="The command cannot guess what was meant.",
)

NO_SUCH_METER = Rule(
    code="MS006",
    slug="no-such-meter",
    title="A meter that the spec does not declare",
    message="the spec declares no meter `{meter}`",
    why="A command works on one program, and this meter is not in it.",
)

CLEAN, FINDINGS, FAILED = 0, 1, 2


class Exit(Exception):  # noqa: N818 - the end of a command, not an error of it
    """Ends a command with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def guarded(command: Callable[..., None], *arguments: object, **options: object) -> NoReturn:
    """Runs a command to its exit code; what keeps it from its job is one diagnostic and exit code 2."""
    # Half the time of a large project would go into collecting cycles that a short-lived process never has.
    import gc  # noqa: PLC0415

    gc.disable()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a job that is cancelled leaves as little behind as Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper):  # documents are UTF-8 wherever they go, and a name of odd bytes is shown
        if isinstance(sys.stdout.buffer, RawIOBase):  # PYTHONUNBUFFERED: what one write does not take would be lost
            sys.stdout = open(sys.stdout.fileno(), "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = _code_of(command, *arguments, **options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CLEAN
    except OSError as error:  # a full disk below standard output
        from meterspec.artifacts import CANNOT_WRITE  # noqa: PLC0415

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        unwritten = Failure(CANNOT_WRITE, path="standard output", reason=error.strerror or error)
        sys.stderr.write(full(unwritten.diagnostic, palette_of(sys.stderr)))
        code = FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was written\n")
        code = 130
    sys.exit(code)


def _code_of(command: Callable[..., None], *arguments: object, **options: object) -> int:
    try:
        command(*arguments, **options)
    except Exit as end:
        return end.code
    except Failure as failure:
        sys.stderr.write(full(failure.diagnostic, palette_of(sys.stderr)))
        return FAILED
    return CLEAN


def program_of(files: Sequence[SpecFile], as_of: date | None = None) -> tuple[Program, Diagnostics]:
    """The program of a spec; its errors end the command, its warnings are for `validate`."""
    out = Diagnostics()
    program = load(files, out, as_of=as_of)
    stop_on_errors(out)
    assert program is not None
    return program, Diagnostics()


def stop_on_errors(out: Diagnostics) -> None:
    errors = [diagnostic for diagnostic in order(out) if diagnostic.severity is Severity.ERROR]
    if errors:
        write_diagnostics(errors, sys.stderr)
        sys.stderr.write(f"{summary(errors)}\n")
        raise Exit(FINDINGS)


def write_diagnostics(found: Sequence[Diagnostic], stream: TextIO, format: str = "full") -> None:
    palette = palette_of(stream)
    for diagnostic in found:
        stream.write(concise(diagnostic) if format == "concise" else full(diagnostic, palette) + "\n")


def palette_of(stream: TextIO) -> Palette:
    """Colour on a terminal, unless `NO_COLOR` says no; anywhere, where `FORCE_COLOR` says so."""
    if os.environ.get("NO_COLOR"):
        return Palette()
    if os.environ.get("FORCE_COLOR"):
        return Palette(colour=True)
    return Palette(colour=stream.isatty() and os.environ.get("TERM") != "dumb")


def one_of(argument: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        hint = did_you_mean(value, known) or f"write one of {', '.join(known)}"
        raise Failure(BAD_ARGUMENT, argument=argument, value=value, reason="", hint=hint)


def meter_of(program: Program, name: str) -> Meter:
    try:
        return program.meter(name)
    except KeyError:
        names = [meter.name for meter in program.meters]
        hint = did_you_mean(name, names) or f"its meters are {', '.join(names)}"
        raise Failure(NO_SUCH_METER, meter=name, hint=hint) from None


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def number(text: str) -> Decimal | None:
    """A number as an event may have it as text: digits, and a point before decimals; None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def instant_argument(argument: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        hint = "write a date, or a date and a time: 2026-02-01, 2026-02-01T00:00:00Z"
        raise Failure(BAD_ARGUMENT, argument=argument, value=text, reason="", hint=hint) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def window_argument(
    arguments: tuple[str, str], texts: tuple[str | None, str | None]
) -> tuple[datetime | None, datetime | None]:
    """Where a window begins and ends, as two arguments say; a window that ends before it begins has nothing in it."""
    start, end = (instant_argument(name, text) for name, text in zip(arguments, texts, strict=True))
    if start is not None and end is not None and end <= start:
        hint = "write the earlier instant first; the later one is not part of the window"
        reason = f": it is not after `{texts[0]}`"
        raise Failure(BAD_ARGUMENT, argument=arguments[1], value=texts[1], reason=reason, hint=hint)
    return start, end


def day_argument(text: str | None) -> date | None:
    """The day of `--as-of`, that obligations are judged by."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        hint = "write a date: 2026-06-30"
        raise Failure(BAD_ARGUMENT, argument="--as-of", value=text, reason="", hint=hint) from None


def repository() -> Path:
    """The top of the repository that the command runs in, which the services behind CI take paths from.

    A checkout without `.git`, as of an archive, is where the service says; anywhere else it is the folder itself.
    """
    here = Path.cwd()
    tops = [folder for folder in (here, *here.parents) if (folder / ".git").exists()]
    named = [Path(os.environ[name]).resolve() for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR") if name in os.environ]
    return next((folder for folder in (*tops, *named) if here.is_relative_to(folder)), here)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def scalar_json(value: Scalar) -> object:
    return plain(value) if isinstance(value, Decimal) else value


def scalar_text(value: Scalar) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)
