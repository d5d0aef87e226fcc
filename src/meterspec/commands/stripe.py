"""The commands `plan` and `apply`: what an account at Stripe lacks of what the spec says, and how it gets it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meterspec.commands.shared import FINDINGS, Exit, counted, palette_of, program_of, stop_on_errors, write_diagnostics
from meterspec.diagnostics import Diagnostics, Rule
from meterspec.project import collect
from meterspec.render import Palette, as_json, order, printable

if TYPE_CHECKING:
    from meterspec.ir import Program
    from meterspec.stripe_account import Account, Plan, Step

__all__ = ["apply", "plan"]

CONFLICT = Rule(
    code="MS026",
    slug="stripe-conflict",
    title="An object of the account that is in the way of the spec",
    message="the {kind} `{name}` of meter `{meter}` cannot be made: {reason}",
    why="What others made is never changed, and some of what Stripe keeps can never be. Nothing is applied before that "
    "is decided.",
)

_INTERRUPTED = 130
_SIGNS = {
    "create": ("+", "green"),
    "change": ("~", "yellow"),
    "replace": ("±", "yellow"),
    "restore": ("~", "yellow"),
    "archive": ("-", "red"),
    "conflict": ("!", "red"),
    "orphan": ("?", "cyan"),
}


def plan(paths: Sequence[str], usage: str, live: bool, check: bool, format: str) -> None:
    """Shows what `apply` would do to the account; with `check` exits with 1 where that is something."""
    program, account, made = _planned(paths, usage, live)
    if format == "json":
        sys.stdout.write(as_json(_plan_json(made, account)))
    else:
        sys.stdout.write(_plan_text(made, account, palette_of(sys.stdout)))
    _stop_on_conflicts(program, made)
    if check and made.writes:
        raise Exit(FINDINGS)


def apply(paths: Sequence[str], usage: str, live: bool, yes: bool, format: str) -> None:
    """Makes the account hold what the spec says; without `yes` shows what that takes, and does nothing.

    As JSON it prints what was done also where it had to end before everything was.
    """
    from meterspec.stripe_account import apply as carry_out  # noqa: PLC0415

    program, account, made = _planned(paths, usage, live)
    text = format != "json"
    if text:
        sys.stdout.write(_plan_text(made, account, palette_of(sys.stdout)))
    done: list[dict[str, str]] = []
    try:
        _stop_on_conflicts(program, made)
        for step, write, id in carry_out(made, account) if yes else ():
            done.append({"request": f"POST {write.path}", "kind": step.kind, "name": step.name, "id": id})
            sys.stderr.write(f"{len(done)} of {made.writes}: {step.action.value} {step.kind} {printable(step.name)}\n")
    except KeyboardInterrupt:
        words = f"interrupted after {len(done)} of {made.writes} requests: the same command goes on from there"
        sys.stderr.write(f"{words}\n")
        raise Exit(_INTERRUPTED) from None
    finally:
        if not text:
            sys.stdout.write(as_json({**_plan_json(made, account), "done": done}))
    if yes:
        sys.stderr.write(f"{counted(len(done), 'request')} done: the account holds what the spec says\n")
    elif made.writes:
        sys.stderr.write("nothing was changed; add `--yes` to apply this\n")


def _planned(paths: Sequence[str], usage: str, live: bool) -> tuple[Program, Account, Plan]:
    """The program, the account, and what lies between; what Stripe cannot keep is said, or ends the command."""
    from meterspec.backends import stripe  # noqa: PLC0415
    from meterspec.stripe_account import connect  # noqa: PLC0415
    from meterspec.stripe_account import plan as compare  # noqa: PLC0415

    program, out = program_of(collect(paths))
    stripe.check(program, out)
    stop_on_errors(out)
    write_diagnostics(order(out), sys.stderr, "concise")
    account = connect(live=live)
    return program, account, compare(program, account, stripe.Usage(usage))


def _stop_on_conflicts(program: Program, made: Plan) -> None:
    out = Diagnostics()
    for step in made.conflicts:
        at = program.meter(step.meter).origin
        out.report(
            CONFLICT,
            at=at and at / "name",
            hint=step.hint,
            kind=step.kind,
            name=step.name,
            meter=step.meter,
            reason=step.reason,
        )
    stop_on_errors(out)


def _plan_json(made: Plan, account: Account) -> dict[str, object]:
    return {
        "account": {"live": account.live},
        "content": made.content,
        "steps": [_step_json(step) for step in made.steps],
        "foreign": [{"kind": kind, "id": id} for kind, id in made.foreign],
        "summary": _summary(made),
    }


def _step_json(step: Step) -> dict[str, object]:
    return {
        "action": step.action.value,
        "kind": step.kind,
        "name": step.name,
        "meter": step.meter,
        "id": step.id,
        "drifted": step.drifted,
        "changes": [{"path": each.path, "before": each.before, "after": each.after} for each in step.changes],
        "requests": [{"path": write.path, "body": write.body} for write in step.writes],
        "reason": step.reason,
    }


def _summary(made: Plan) -> dict[str, int]:
    """How many objects each thing becomes of."""
    actions = ("create", "change", "replace", "restore", "archive", "keep", "conflict", "orphan")
    counts = {action: sum(step.action.value == action for step in made.steps) for action in actions}
    return {**counts, "drifted": sum(step.drifted for step in made.steps), "foreign": len(made.foreign)}


def _plan_text(made: Plan, account: Account, palette: Palette) -> str:
    mode = palette.paint("live", "bold", "red") if account.live else "test"
    lines = [f"Stripe account, {mode} mode"]
    for step in made.steps:
        if step.action.value != "keep":
            lines += _step_lines(step, palette)
    counts = _summary(made)
    words = [
        f"{count} to {action}"
        for action, count in counts.items()
        if count and action in {"create", "change", "replace", "restore", "archive"}
    ]
    words += [f"{counts['keep']} as the spec says"] if counts["keep"] else []
    words += [f"{counts['conflict']} in conflict"] if counts["conflict"] else []
    words += [f"{counts['orphan']} no longer in the spec"] if counts["orphan"] else []
    words += [f"{counts['foreign']} of others"] if counts["foreign"] else []
    lines.append(", ".join(words) or "the spec has no price for Stripe")
    if any(step.kind == "price" and step.action.value == "archive" for step in made.steps):
        lines.append("subscriptions stay on an archived price until their items are moved to the new one")
    if counts["drifted"]:
        lines.append(f"drift: {counts['drifted']} changed in the account, not in the spec")
    return "\n".join(lines) + "\n"


def _step_lines(step: Step, palette: Palette) -> list[str]:
    sign, colour = _SIGNS[step.action.value]
    of = f" ({printable(step.id)})" if step.id is not None and step.id != step.name else ""
    drifted = ", drifted" if step.drifted else ""
    head = palette.paint(f"{sign} {step.action.value}", "bold", colour)
    lines = [f"{head} {step.kind} {printable(step.name)}{of}{drifted}"]
    for change in step.changes:
        before, after = ("nothing" if value is None else printable(value) for value in (change.before, change.after))
        lines.append(f"    {printable(change.path)}: {before} -> {after}")
    return lines
