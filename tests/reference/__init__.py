"""The language a second time, slow and plain: what the engines' answers are compared with.

It is written from the language's description, not from the compiler: of `meterspec` it imports the meaning of a spec
(`ir`) and the typed expression tree, nothing that evaluates or prints one. In order of flow:

- `values`: what an event holds; instants, months, rounding
- `reading`: rows to events, rejects and duplicates
- `expressions`: the value of an expression for one event
- `windows`: which windows an instant lies in
- `aggregates`: events to quantities
"""

from .aggregates import Quantity, quantities
from .expressions import EvaluationError, UnknownOverloadError, evaluate
from .reading import Read, Reject, Row, json_rows, quality, read
from .values import Event, Value, micros, moment

__all__ = [
    "EvaluationError",
    "Event",
    "Quantity",
    "Read",
    "Reject",
    "Row",
    "UnknownOverloadError",
    "Value",
    "evaluate",
    "json_rows",
    "micros",
    "moment",
    "quality",
    "quantities",
    "read",
]
