"""What an account holds, the endpoints that change it, and the helpers that every endpoint needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.stripe_server.errors import missing, refused

Object = dict[str, Any]
Params = dict[str, Any]
Endpoint = Callable[["Account", dict[str, str], Params], Object]

ENDPOINTS: dict[tuple[str, str], Endpoint] = {}
"""What each method and URL of the API schema does; the modules of the rules fill it."""


@dataclass(frozen=True)
class MeterEvent:
    """A meter event as it was received; `value` is 1 where the meter only counts."""

    event_name: str
    customer: str
    value: Fraction
    timestamp: int
    identifier: str
    received: int


@dataclass
class Account:
    """The objects of one Stripe account, newest last, at an instant that the test sets.

    `now` is in seconds since the Unix epoch. It never moves by itself.
    """

    now: int
    livemode: bool = False
    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    events: list[MeterEvent] = field(default_factory=list)
    spent: dict[str, int] = field(default_factory=dict)
    """What invoices have drawn of each credit grant, in minor units, by its id."""

    def all(self, kind: str) -> dict[str, Object]:
        """The objects of a kind (`price`, `billing.meter`) by id, oldest first."""
        return self.objects.setdefault(kind, {})

    def get(self, kind: str, id: str, param: str = "id") -> Object:
        """The object of an id.

        Raises:
            ApiError: There is none; the URL or `param` named it.
        """
        found = self.all(kind).get(id)
        if found is None:
            raise missing(kind.rpartition(".")[2], id, param)
        return found

    def add(self, kind: str, prefix: str, fields: Mapping[str, Any], *, id: str | None = None) -> Object:
        """Puts a new object in the account: ids count up, so that a test's output is the same on every run."""
        there = self.all(kind)
        made = {"id": id or f"{prefix}_{len(there) + 1:06d}", "object": kind, "livemode": self.livemode, **fields}
        there[made["id"]] = made
        return made


def endpoint(method: str, template: str) -> Callable[[Endpoint], Endpoint]:
    """Declares what a method on a URL of the API schema does."""

    def declare(function: Endpoint) -> Endpoint:
        ENDPOINTS[method, template] = function
        return function

    return declare


def metadata(old: Mapping[str, str], new: Mapping[str, str] | str | None) -> dict[str, str]:
    """The metadata after an update: keys are merged, an empty value removes its key, an empty text removes all.

    https://docs.stripe.com/metadata: 50 keys of 40 characters, values of 500.
    """
    if new is None:
        return dict(old)
    if isinstance(new, str):
        return {}
    for key, value in new.items():
        if len(key) > 40:
            raise refused(f"Invalid key: {key} must be a string under 40 characters", "metadata")
        if len(value) > 500:
            raise refused(f"Invalid val: {value} must be a string under 500 characters", "metadata")
        if "[" in key or "]" in key:
            raise refused(f"Metadata keys cannot contain square brackets: {key}", "metadata")
    merged = {key: value for key, value in {**old, **new}.items() if value != ""}
    if len(merged) > 50:
        raise refused("You can have up to 50 metadata keys.", "metadata")
    return merged


def newest_first(objects: Mapping[str, Object]) -> Iterator[Object]:
    """Stripe lists what was created last first."""
    return reversed(list(objects.values()))
