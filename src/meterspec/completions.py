"""Shell completion as static scripts, made from the tree of commands: a key press starts no interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from meterspec.templates import render

if TYPE_CHECKING:
    from typer.core import TyperGroup

__all__ = ["script"]


@dataclass(frozen=True, slots=True)
class _Parameter:
    """An option, or an argument without names: what may follow it, and in which words it is offered."""

    names: tuple[str, ...]
    words: str
    value: str | None
    """What people call its value; None where it takes none."""
    choices: tuple[str, ...]
    """The few words the value can be; a path may be anything else."""
    repeats: bool

    @property
    def zsh(self) -> list[str]:
        """Its specifications for `_arguments`."""
        words = "".join(f"\\{c}" if c in "[]:\\" else c for c in self.words)
        action = f"({' '.join(self.choices)})" if self.choices else "_files"
        value = "" if self.value is None else f":{self.value.lower()}:{action}"
        times = "*" if self.repeats else ""
        return [
            quote(f"{times}{name}{'=' if value and name.startswith('--') else ''}[{words}]{value}")
            for name in self.names
        ]

    @property
    def fish(self) -> str:
        """Its part of a `complete` command."""
        names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in self.names]
        value = [] if self.value is None else [f"-x -a {_fish(' '.join(self.choices))}"] if self.choices else ["-r"]
        return " ".join([*names, *value, f"-d {_fish(self.words)}"])


@dataclass(frozen=True, slots=True)
class _Command:
    """A command, or the program itself."""

    name: str
    words: str
    options: tuple[_Parameter, ...]
    choices: tuple[str, ...]
    """What its first argument can be, where that is one of a few words."""

    @property
    def flags(self) -> str:
        """Every name of its options."""
        return " ".join(name for option in self.options for name in option.names)

    @property
    def zsh(self) -> str:
        """Its entry for `_describe`."""
        return quote(f"{self.name}:{self.words}")

    @property
    def fish(self) -> str:
        return f"-a {self.name} -d {_fish(self.words)}"


_HELP = _Parameter(("--help", "-h"), "Show this message and exit.", None, (), repeats=False)


def script(shell: str, program: TyperGroup) -> str:
    """The completion script of a shell: bash, zsh or fish."""
    commands = [_command(name, command) for name, command in program.commands.items() if not command.hidden]
    return render(f"completions/{shell}.j2", commands=commands, program=_command("meterspec", program))


def _command(name: str, command: Any) -> _Command:
    parameters = [(_parameter(p), p.param_type_name == "argument") for p in command.params]
    arguments = [parameter for parameter, is_argument in parameters if is_argument]
    return _Command(
        name=name,
        words=command.get_short_help_str(200),
        options=(*(parameter for parameter, is_argument in parameters if not is_argument), _HELP),
        choices=arguments[0].choices if arguments else (),
    )


def _parameter(parameter: Any) -> _Parameter:
    flag = getattr(parameter, "is_flag", False)
    return _Parameter(
        names=tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len, reverse=True)),
        words=parameter.help or "",
        value=None if flag else parameter.metavar or parameter.name,
        choices=tuple(getattr(parameter.type, "choices", None) or ()),
        repeats=bool(getattr(parameter, "multiple", False)),
    )


def _fish(text: str) -> str:
    """A text in quotes as fish reads them: a backslash escapes there, as it does not in other shells."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
