"""What the tests of expressions share: an event with a field of every kind, and trees written out."""

from __future__ import annotations

from decimal import Decimal

from meterspec.cel import Call, Checked, Environment, Expr, FieldRef, ListOf, Literal, Type, Variable, check, show
from meterspec.diagnostics import Diagnostic, Diagnostics
from meterspec.source import Place, Source

FIELDS: Environment = {
    field.name: field
    for field in (
        Variable("status", Type.INT),
        Variable("tokens", Type.INT, low=Decimal(0)),
        Variable("seats", Type.INT, low=Decimal(1), high=Decimal(500)),
        Variable("change", Type.DECIMAL, scale=2),
        Variable("cost", Type.DECIMAL, scale=9, low=Decimal(0)),
        Variable("latency", Type.INT, nullable=True),
        Variable("discount", Type.DECIMAL, scale=2, nullable=True),
        Variable("model", Type.STRING),
        Variable("region", Type.STRING, values=("eu", "us-east", "us-west")),
        Variable("plan", Type.STRING, nullable=True),
        Variable("trial", Type.BOOL, nullable=True),
        Variable("cached", Type.BOOL),
        Variable("started", Type.TIMESTAMP),
        Variable("ended", Type.TIMESTAMP),
        Variable("paused", Type.TIMESTAMP, nullable=True),
    )
}


def checked(text: str, env: Environment = FIELDS, **options: object) -> tuple[Checked | None, list[Diagnostic]]:
    """What the checker makes of an expression, and what it says."""
    out = Diagnostics()
    result = check(text, env, Place(Source("expression", text)), out, **options)  # type: ignore[arg-type]
    return result, list(out)


def tree(text: str, env: Environment = FIELDS) -> Expr:
    """The typed tree of an expression that compiles."""
    result, found = checked(text, env)
    assert result is not None, [diagnostic.message for diagnostic in found]
    return result.expr


def written_out(expr: Expr) -> str:
    """A tree with the type of every node: `less_int64(status~int, 500~int)~bool`."""
    match expr:
        case Literal():
            return f"{show(expr)}~{expr.type}"
        case FieldRef(name):
            return f"{name}~{expr.type}"
        case ListOf(items):
            return f"[{', '.join(map(written_out, items))}]~{expr.type}"
        case Call(overload, args):
            return f"{overload}({', '.join(map(written_out, args))})~{expr.type}"
