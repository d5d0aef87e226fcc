"""Names: unique across a project, and the SQL names that derive from them."""

from __future__ import annotations

from meterspec.diagnostics import Diagnostics, Rule
from meterspec.source import Place

__all__ = ["Names", "sql_name"]

DUPLICATE_NAME = Rule(
    code="MS200",
    slug="duplicate-name",
    title="Two families or two meters with one name",
    message="another {what} is named `{name}`",
    why="Everything downstream refers to a family or a meter by its name, so a name has one owner in a project.",
    bad="""
        [[families]]
        name = "api.call"
        [[families]]
        name = "api.call"
    """,
    good="""
        [[families]]
        name = "api.call"
        [[families]]
        name = "api.error"
    """,
)
SQL_NAME_CLASH = Rule(
    code="MS202",
    slug="sql-name-clash",
    title="Two names that become one SQL name",
    message="`{name}` and {other} both need the SQL name `{sql_name}`",
    why="Views are named after families and meters with `.` and `-` written as `_`; two views cannot share a name.",
    bad="""
        [[families]]
        name = "api.call"
        [[families]]
        name = "api-call"
    """,
    good="""
        [[families]]
        name = "api.call"
        [[families]]
        name = "api.request"
    """,
)

_SUPPLIED = {
    "billing_cycles": "the relation of billing cycles",
    "meterspec_as_of": "the relation of the as-of instant",
    "stripe_customers": "the relation of customers at Stripe",
    "stripe_sent": "the relation of what Stripe was sent",
}


def sql_name(name: str) -> str:
    """The SQL name of a family or meter: `acme.platform.agent-run` gives `acme_platform_agent_run`."""
    return name.replace(".", "_").replace("-", "_")


class Names:
    """The names taken so far, and who took them."""

    def __init__(self, out: Diagnostics) -> None:
        self._out = out
        self._owners: dict[tuple[str, str], Place] = {}
        self._relations: dict[str, tuple[str, Place | None]] = {
            relation: (words, None) for relation, words in _SUPPLIED.items()
        }

    def take(self, what: str, name: str, at: Place, relations: tuple[str, ...]) -> bool:
        """Takes a name of a family or meter and the SQL relations it needs; False where the name has an owner."""
        first = self._owners.setdefault((what, name), at)
        if first is not at:
            hint = f"give one of them another name; `[meter.{name}]` declares a {what} too"
            related = [(first / "name", "the first one")]
            self._out.report(
                DUPLICATE_NAME,
                at=at / "name",
                hint=hint if at.path[0] == "meter" and what == "family" else "give one of them another name",
                related=related,
                what=what,
                name=name,
            )
            return False
        for relation in relations:
            # The compiler names its own views so, some of them by what they hold and some by a digest.
            own = ("a view of the compiler", None) if relation.startswith("meterspec_") else (f"{what} `{name}`", at)
            other, place = self._relations.setdefault(relation, own)
            if place is not at:
                self._out.report(
                    SQL_NAME_CLASH,
                    at=at / "name",
                    hint="give one of them another name",
                    related=[(place / "name", "takes it first")] if place else [],
                    name=name,
                    other=other,
                    sql_name=relation,
                )
                break
        return True
