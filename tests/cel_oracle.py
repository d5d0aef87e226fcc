"""Asks Google's CEL about expressions, in a process of its own.

Standard input is `{"fields": {name: type}, "texts": [...], "events": [...]}`, standard output a pair for each text: its
type, null where it is refused, and its value for its event, null where it has none. Times are in microseconds.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext.ext_math import ExtMath  # type: ignore[import-untyped]
from cel_expr_python.ext.ext_strings import ExtStrings  # type: ignore[import-untyped]

TYPES = {
    "int": cel.Type.INT,
    "decimal": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "bool": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
    "duration": cel.Type.DURATION,
}
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def bound(kind: str, value: object) -> object:
    """A value of an event as the library takes it."""
    match kind, value:
        case "timestamp", int(microseconds):
            return EPOCH + microseconds * MICROSECOND
        case "duration", int(microseconds):
            return microseconds * MICROSECOND
        case "decimal", str(digits):
            return float(digits)
        case _:
            return value


def given(value: object) -> object:
    """A value that the library gives, for JSON."""
    match value:
        case datetime():
            return (value - EPOCH) // MICROSECOND
        case timedelta():
            return value // MICROSECOND
        case bool() | int() | float() | str():
            return value
        case _:
            return None


def main() -> None:
    asked = json.load(sys.stdin)
    kinds: dict[str, str] = asked["fields"]
    env = cel.NewEnv(
        variables={name: TYPES[kind] for name, kind in kinds.items()}, extensions=[ExtMath(), ExtStrings()]
    )
    found: list[tuple[str | None, object]] = []
    for text, event in zip(asked["texts"], asked["events"], strict=True):
        try:
            expression = env.compile(text)
        except RuntimeError:
            found.append((None, None))
            continue
        value = None
        if event is not None:
            try:
                value = given(expression.eval(data={name: bound(kinds[name], v) for name, v in event.items()}).value())
            except RuntimeError:
                value = None
        found.append((expression.return_type().name(), value))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
