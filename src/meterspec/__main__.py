"""The entry of the command line: answers what needs no imports, and hands the rest to `cli`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command line; exits with 0, 1 or 2."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from meterspec import __version__  # noqa: PLC0415

        sys.stdout.write(f"meterspec {__version__}\n")
        return
    if arguments[:1] in (["validate"], ["fmt"]) and not any(argument.startswith("-") for argument in arguments[1:]):
        from meterspec.commands import specs  # noqa: PLC0415 - pre-commit runs these: no option parser
        from meterspec.commands.shared import guarded  # noqa: PLC0415

        guarded(specs.fmt if arguments[0] == "fmt" else specs.validate, arguments[1:])
    from meterspec.cli import app  # noqa: PLC0415

    app()


if __name__ == "__main__":
    main()
