"""The command line: arguments and help. What a command does is in `commands`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from meterspec import __version__
from meterspec.commands.shared import guarded
from meterspec.pipeline import TARGETS

__all__ = ["app"]

app = typer.Typer(
    name="meterspec",
    help="The compiler for usage metering: one typed file becomes exact SQL, Stripe configuration and evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ValidateFormat(StrEnum):
    FULL = "full"
    CONCISE = "concise"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"
    JUNIT = "junit"


class TableFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class InvoiceFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    HTML = "html"


class ResultFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class Engine(StrEnum):
    DUCKDB = "duckdb"
    POSTGRES = "postgres"
    CLICKHOUSE = "clickhouse"
    SPARK = "spark"


class Grain(StrEnum):
    HOUR = "hour"
    DAY = "day"


class StripeUsage(StrEnum):
    EVENT = "event"
    DAY = "day"


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class DiffFormat(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    GITHUB = "github"
    HTML = "html"
    APPROVALS = "approvals"


class Profile(StrEnum):
    DEFAULT = "default"
    STRICT = "strict"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Impact(StrEnum):
    BREAKING = "breaking"
    REVIEW = "review"
    SAFE = "safe"


def _count(given: str | int) -> int:
    """A whole number in digits alone, where Python would take `1_000` too; a default is one already."""
    text = str(given)
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"'{text}' is not a whole number")
    return int(text)


def _threads(text: str) -> int:
    if (threads := _count(text)) < 1:
        raise typer.BadParameter("1 thread is the least")
    return threads


Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATH]...", help="Files, folders or `-`; the project around this folder where absent."),
]
Events = Annotated[
    list[str],
    typer.Option("--events", metavar="FILES", help="Parquet, JSON lines, CSV or a store; a pattern, or FAMILY=FILES."),
]
From = Annotated[str | None, typer.Option("--from", metavar="INSTANT", help="Windows that begin here or later.")]
To = Annotated[str | None, typer.Option("--to", metavar="INSTANT", help="Windows that begin before this.")]

AsOfDay = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="The day whose rules obligations are judged by; the spec can state it."
    ),
]
Cycles = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The customers' billing cycles: customer_id, cycle_start, cycle_end."),
]
CycleAnchor = Annotated[
    str | None, typer.Option("--cycle-anchor", metavar="DATE", help="Count every customer's cycles from this day.")
]


Threads = Annotated[
    int | None,
    typer.Option(parser=_threads, metavar="N", help="The most threads to use; changes no result."),
]
Usage = Annotated[
    StripeUsage,
    typer.Option("--stripe-usage", help="What Stripe is sent: each event, or a day's total that a later one replaces."),
]
Live = Annotated[bool, typer.Option("--live", help="The key in STRIPE_API_KEY is that of a live account.")]


def _examples(*lines: str) -> str:
    return "Examples:\n\n" + "\n\n".join(f"    {line}" for line in lines)


def _split(lists: list[str] | None) -> list[str]:
    return [name.strip() for names in lists or [] for name in names.split(",")]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"meterspec {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The compiler for usage metering: one typed file becomes exact SQL, Stripe configuration and evidence."""


@app.command(
    epilog=_examples("meterspec validate --fix", "meterspec validate specs/ --strict --ignore MS223 --format sarif")
)
def validate(
    paths: Paths = None,
    format: Annotated[
        ValidateFormat | None,
        typer.Option(help="How findings are printed; without it, what METERSPEC_OUTPUT_FORMAT says, or full."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors; hints stay hints.")] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Only these warnings and hints: MS223, MS32 or a name, by commas."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Not these warnings and hints. Errors cannot be ignored."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can only be meant one way.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; exit 1 and show what --fix would do.")] = False,
    profile: Annotated[
        Profile, typer.Option(help="With strict, gaps in what is stated about obligations are errors.")
    ] = Profile.DEFAULT,
    as_of: AsOfDay = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Findings only, no summary.")] = False,
) -> None:
    """Print every diagnostic of a spec."""
    from meterspec.commands import specs  # noqa: PLC0415

    chosen = format.value if format else None
    rules = _split(select), _split(ignore)
    guarded(specs.validate, paths or [], chosen, strict, quiet, *rules, fix, diff, profile.value, as_of)


@app.command(epilog=_examples("meterspec fmt", "meterspec fmt specs/ --check --diff"))
def fmt(
    paths: Paths = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 and name what would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; exit 1 and show what would change.")] = False,
) -> None:
    """Give specs their canonical layout; comments and values stay."""
    from meterspec.commands import specs  # noqa: PLC0415

    guarded(specs.fmt, paths or [], check, diff)


@app.command("compile", epilog=_examples("meterspec compile --out build", "meterspec compile --out build --check"))
def compile_(
    paths: Paths = None,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="The folder that will hold the artefacts.")
    ] = "build",
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMES", help="By commas: sql, stripe, compliance (as without it), terraform."),
    ] = None,
    dialect: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="SQL dialects, by commas; duckdb without it.")
    ] = None,
    rollup: Annotated[
        Grain | None, typer.Option(help="Add meters up from totals by the hour or day, where that is the same number.")
    ] = None,
    stripe_usage: Usage = StripeUsage.EVENT,
    base: Annotated[
        str | None,
        typer.Option("--from", metavar="BASE", help="Write the plan from this spec, or compiled folder, too."),
    ] = None,
    as_of: AsOfDay = None,
    sign: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sign the statement about all artefacts: an Ed25519 key in PEM.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where DIR is out of date.")] = False,
) -> None:
    """Write every artefact, all or none."""
    from meterspec.commands import compiling  # noqa: PLC0415

    targets = ",".join(target).split(",") if target else list(TARGETS)
    dialects = ",".join(dialect or ["duckdb"]).split(",")
    grain = rollup.value if rollup is not None else None
    options = (check, grain, stripe_usage.value, base, as_of, sign)
    guarded(compiling.compile_, paths or [], out, targets, dialects, *options)


@app.command(epilog=_examples("meterspec plan", "meterspec plan specs/ --check --format json"))
def plan(
    paths: Paths = None,
    stripe_usage: Usage = StripeUsage.EVENT,
    live: Live = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where the account is not what the spec says.")] = False,
    format: Annotated[PlanFormat, typer.Option(help="How the plan is printed.")] = PlanFormat.TEXT,
) -> None:
    """Show what a Stripe account lacks of what the spec says; the key is in STRIPE_API_KEY."""
    from meterspec.commands import stripe  # noqa: PLC0415

    guarded(stripe.plan, paths or [], stripe_usage.value, live, check, format.value)


@app.command(epilog=_examples("meterspec apply", "meterspec apply --yes"))
def apply(
    paths: Paths = None,
    stripe_usage: Usage = StripeUsage.EVENT,
    live: Live = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this the plan is shown.")] = False,
    format: Annotated[PlanFormat, typer.Option(help="How the plan is printed.")] = PlanFormat.TEXT,
) -> None:
    """Make a Stripe account hold what the spec says; nothing is ever deleted. The key is in STRIPE_API_KEY."""
    from meterspec.commands import stripe  # noqa: PLC0415

    guarded(stripe.apply, paths or [], stripe_usage.value, live, yes, format.value)


@app.command(
    epilog=_examples(
        "meterspec run --events events.parquet",
        "meterspec run --events 'events/*.jsonl' --from 2026-01-01 --to 2026-02-01 --format json",
    )
)
def run(
    paths: Paths = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--events", metavar="FILES", help="Parquet, JSON lines, CSV or a store; a pattern, or FAMILY=FILES."
        ),
    ] = None,
    meter: Annotated[list[str] | None, typer.Option(help="Compute this meter; may be repeated.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="INSTANT", help="Where rolling and lifetime windows end; after the newest event."
        ),
    ] = None,
    start: From = None,
    end: To = None,
    between: Annotated[
        str | None,
        typer.Option("--range", metavar="FROM/TO", help="Compute each meter over this window instead of its own."),
    ] = None,
    fill: Annotated[bool, typer.Option("--fill", help="List windows in which a group has no event as well.")] = False,
    cycles: Cycles = None,
    cycle_anchor: CycleAnchor = None,
    format: Annotated[
        ResultFormat | None, typer.Option(help="How results are written; without it, as --out is named, or a table.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write results to this file, complete or not at all.")
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="What computes: the embedded engine, or one that has the raw tables.")
    ] = Engine.DUCKDB,
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", "--master", metavar="URL", help="Where the engine is; METERSPEC_DSN where absent."),
    ] = None,
    rejects: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write rejected rows with their reasons, as JSON lines.")
    ] = None,
    max_rejects: Annotated[
        str | None,
        typer.Option("--max-rejects", metavar="N|P%", help="Exit with 1 where a family has more rejected rows."),
    ] = None,
    threads: Threads = None,
    evidence: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write what was computed from what, for `meterspec verify`.")
    ] = None,
    sign: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sign the evidence with a private Ed25519 key in PEM.")
    ] = None,
) -> None:
    """Compute every meter on event files, or where the events are."""
    from meterspec.commands import counting  # noqa: PLC0415

    windows = (as_of, (start, end), between, fill)
    written = (format.value if format else None, (cycles, cycle_anchor), out, rejects, max_rejects, threads)
    options = (*written, evidence, sign)
    if engine is not Engine.DUCKDB:
        guarded(counting.run_on, paths or [], engine.value, dsn, events or [], meter or [], *windows, *options)
    guarded(counting.run, paths or [], dsn, events or [], meter or [], *windows, *options)


@app.command(
    epilog=_examples(
        "meterspec invoice --events events.parquet --cycles cycles.csv",
        "meterspec invoice --events events.parquet --customer acme --from 2026-01-01 --out acme.html",
    )
)
def invoice(
    events: Events,
    paths: Paths = None,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="This customer only.")] = None,
    start: From = None,
    end: To = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="INSTANT", help="Periods that began by then are due; after the newest event."),
    ] = None,
    cycles: Cycles = None,
    cycle_anchor: CycleAnchor = None,
    format: Annotated[
        InvoiceFormat | None,
        typer.Option(help="How invoices are written; without it, as --out is named, or a table."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="PATH", help="A file, or for pages of HTML a folder.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Price what customers used, by period; what is due without usage as well."""
    from meterspec.commands import billing  # noqa: PLC0415

    windows = ((start, end), as_of, (cycles, cycle_anchor))
    chosen = format.value if format else None
    guarded(billing.invoice, paths or [], events, customer, *windows, chosen, out, threads)


@app.command(
    epilog=_examples(
        "meterspec status --events events.parquet",
        "meterspec status --events events.parquet --customer acme --format json",
    )
)
def status(
    events: Events,
    paths: Paths = None,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="This customer only.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="Only events before this; after the newest event.")
    ] = None,
    cycles: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The customers' billing cycles: customer_id, cycle_start, cycle_end."),
    ] = None,
    cycle_anchor: Annotated[
        str | None, typer.Option("--cycle-anchor", metavar="DATE", help="Count every customer's cycles from this day.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How the status is printed.")] = TableFormat.TABLE,
    threads: Threads = None,
) -> None:
    """Show what customers used of what is capped, what is left, and which hooks are due."""
    from meterspec.commands import status as command  # noqa: PLC0415

    guarded(command.status, paths or [], events, customer, as_of, (cycles, cycle_anchor), format.value, threads)


@app.command(
    epilog=_examples(
        "meterspec seal events.jsonl --into sealed",
        "meterspec seal 'events/*.parquet' --into sealed --spec specs/ --format json",
    )
)
def seal(
    events: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="Parquet, JSON lines or CSV; a pattern, or FAMILY=FILES."),
    ],
    into: Annotated[str, typer.Option("--into", metavar="DIR", help="The store; it is made where there is none.")],
    spec: Annotated[
        list[str] | None,
        typer.Option("--spec", metavar="PATH", help="The spec; the project around this folder where absent."),
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How counts are printed.")] = TableFormat.TABLE,
    threads: Threads = None,
) -> None:
    """Append event files to a store where each event is once; `--events DIR` reads it."""
    from meterspec.commands import counting  # noqa: PLC0415

    guarded(counting.seal, events, into, spec or [], format.value, threads)


@app.command(
    context_settings={"ignore_unknown_options": True},  # a negative quantity begins like an option
    epilog=_examples(
        "meterspec price agent-hours 1500", "meterspec price meterspec.toml agent-hours 1500 --format json"
    ),
)
def price(
    arguments: Annotated[list[str], typer.Argument(metavar="[PATH] METER QUANTITY")],
    match: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A dimension of the usage; picks a rate.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How the lines are printed.")] = TableFormat.TABLE,
) -> None:
    """Price a quantity of one meter, line by line."""
    from meterspec.commands import billing  # noqa: PLC0415

    if len(arguments) < 2:
        raise typer.BadParameter("write a meter and a quantity: `meterspec price METER QUANTITY`")
    unknown = next((a for a in arguments if a.startswith("-") and not a[1:2].isdigit() and a != "-"), None)
    if unknown is not None:
        raise typer.BadParameter(f"there is no option `{unknown}`")
    guarded(billing.price, arguments, match or [], format.value)


@app.command(
    epilog=_examples(
        "meterspec diff old.toml new.toml --fail-on breaking",
        "meterspec diff --against main --events 'events/*.parquet' --format markdown",
    )
)
def diff(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BASE] [HEAD]", help="Two specs; HEAD is the project around this folder where absent."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Take BASE from git: where HEAD and this branch, tag or commit parted."),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Take BASE from REV itself.")] = False,
    artefacts: Annotated[
        str | None, typer.Option("--against-artefacts", metavar="DIR", help="Take BASE from what was compiled to DIR.")
    ] = None,
    events: Annotated[
        list[str] | None,
        typer.Option("--events", metavar="FILES", help="Run both specs on these events; invoices and numbers of both."),
    ] = None,
    start: From = None,
    end: To = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="Where rolling and lifetime windows end.")
    ] = None,
    cycles: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The customers' billing cycles: customer_id, cycle_start, cycle_end."),
    ] = None,
    cycle_anchor: Annotated[
        str | None, typer.Option("--cycle-anchor", metavar="DATE", help="Count every customer's cycles from this day.")
    ] = None,
    format: Annotated[
        DiffFormat | None, typer.Option(help="How changes are printed; without it, as --out is named, or text.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write to this file, complete or not at all.")
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Write this as well, as it is named: .md, .html, .json, .txt."),
    ] = None,
    fail_on: Annotated[
        Impact | None, typer.Option("--fail-on", help="Exit 1 on a change of this impact or worse.")
    ] = None,
    approvals: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Changes made on purpose; meterspec.approvals.toml beside the spec."),
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day that approvals are judged on; that of the commit checked out."),
    ] = None,
) -> None:
    """Say what the changes between two specs mean."""
    from meterspec.commands import changes  # noqa: PLC0415

    if len(paths or []) > 2:
        raise typer.BadParameter("a diff is of two specs: `meterspec diff BASE HEAD`")
    base = changes.Base(revision=against, exact=exact, artefacts=artefacts)
    usage = changes.Usage(events=events or [], cycles=(cycles, cycle_anchor), begins=(start, end), as_of=as_of)
    options = (
        format.value if format else None,
        fail_on.value if fail_on else None,
        approvals,
        today,
        out,
        report or [],
    )
    guarded(changes.diff, paths or [], base, usage, *options)


@app.command(epilog=_examples("meterspec verify build", "meterspec verify build --key pub.pem --format json"))
def verify(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="What `compile --out` or `run --evidence` wrote.")],
    key: Annotated[
        str | None, typer.Option(metavar="PUB", help="The public key that it has to be signed by, in PEM.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How the outcome is printed.")] = TableFormat.TABLE,
) -> None:
    """Make a build or a run again from what it keeps, and compare."""
    from meterspec.commands import verifying  # noqa: PLC0415

    guarded(verifying.verify, folder, key, format.value)


@app.command(
    epilog=_examples(
        "meterspec explain MS201",
        "meterspec explain agent-hours --customer acme --period 2026-01-01 --events events.parquet",
    )
)
def explain(
    subject: Annotated[str, typer.Argument(metavar="CODE|METER")],
    paths: Paths = None,
    customer: Annotated[
        str | None, typer.Option(metavar="ID", help="List the events behind this customer's number.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(metavar="START[/END]", help="Of the period that begins here; the last one where absent."),
    ] = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--events", metavar="FILES", help="Parquet, JSON lines, CSV or a store; a pattern, or FAMILY=FILES."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(parser=_count, metavar="N", help="The most events to list.")] = 50,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="Where windows end; after the newest event.")
    ] = None,
    cycles: Cycles = None,
    cycle_anchor: CycleAnchor = None,
    format: Annotated[TableFormat, typer.Option(help="How the events are printed.")] = TableFormat.TABLE,
) -> None:
    """Explain a diagnostic, how a meter's number comes about, or which events one number is made of."""
    if customer is None and period is None and not events:
        from meterspec.commands import pages  # noqa: PLC0415

        guarded(pages.explain, subject, paths or [])
    from meterspec.commands import billing  # noqa: PLC0415

    options = (limit, as_of, (cycles, cycle_anchor), format.value)
    guarded(billing.trace, subject, paths or [], events or [], customer, period, *options)


@app.command(epilog=_examples("meterspec test", "meterspec test specs/ --format json"))
def test(
    paths: Paths = None,
    format: Annotated[TableFormat, typer.Option(help="How outcomes are printed.")] = TableFormat.TABLE,
) -> None:
    """Run the examples inside the spec."""
    from meterspec.commands import examples  # noqa: PLC0415

    guarded(examples.test, paths or [], format.value)


@app.command(epilog=_examples("meterspec init", "meterspec init metering"))
def init(
    folder: Annotated[str, typer.Argument(metavar="[DIR]", help="The folder; it may exist.")] = ".",
) -> None:
    """Write a starter spec, sample events, a CI job and a pre-commit entry."""
    from meterspec.commands import pages  # noqa: PLC0415

    guarded(pages.init, folder)


@app.command(
    epilog=_examples(
        "meterspec schema > meterspec.schema.json", "meterspec schema --family acme.platform.agent-run meterspec.toml"
    )
)
def schema(
    paths: Paths = None,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="The events of this family instead.")] = None,
) -> None:
    """Print the JSON Schema of the spec language, or of a family's events."""
    from meterspec.commands import pages  # noqa: PLC0415

    guarded(pages.schema, paths or [], family)


@app.command(
    epilog=_examples(
        "meterspec completions bash > ~/.local/share/bash-completion/completions/meterspec",
        "meterspec completions fish > ~/.config/fish/completions/meterspec.fish",
    )
)
def completions(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the completion script of a shell."""
    from meterspec.commands import pages  # noqa: PLC0415

    program = typer.main.get_command(app)
    guarded(pages.completions, shell.value, program)
