"""A plan carried out: request by request, each of which may be the last one for now.

A new object is asked for with an idempotency key of what the program compiles to and of the request, so that two that
apply the same spec at once, or one that never heard the answer, make it once. Stripe answers such a key for a day as it
did at first, also where it failed, or where the object is not what it was: then the next key is tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

from meterspec.diagnostics import Failure
from meterspec.stripe_account.client import REFUSED, Account, Object, Replayed
from meterspec.stripe_account.planning import Plan, Step, Write, resolved

__all__ = ["apply"]

_ATTEMPTS = 20
"""The keys that are tried for one object; each is used up by a failure of Stripe, or by a change made by hand."""


def apply(made: Plan, account: Account) -> Iterator[tuple[Step, Write, str]]:
    """Carries a plan without conflicts out, and gives each request that is done, and the id of its object.

    Raises `Failure` with MS023 or MS024 where a request fails; a plan that is made anew holds what is left to do.
    """
    assert not made.conflicts
    ids: dict[str, dict[str, str]] = {}
    for step in made.steps:
        known = ids.setdefault(step.meter, {})
        for write in step.writes:
            body = resolved(write.body, known)
            if write.creates is None:
                done, _ = account.post(write.path, body)
            else:
                done = _created(made, account, write.path, body)
            if write.creates:
                known[write.creates] = done["id"]
            yield step, write, str(done["id"])


def _created(made: Plan, account: Account, path: str, body: dict[str, object]) -> Object:
    """A new object, or the one that the same request has made before."""
    text = json.dumps([path, body], sort_keys=True)
    request = sha256(text.encode()).hexdigest()
    for attempt in range(1, _ATTEMPTS + 1):
        key = f"meterspec-{made.content}-{request[:32]}-{attempt}"
        try:
            done, replayed = account.post(path, body, key)
        except Replayed:
            continue
        if not replayed or _is_there(account, path, body, done["id"]):
            return done
    reason = f"it was made and undone {_ATTEMPTS} times within a day"
    raise Failure(REFUSED, request=f"POST {path}", reason=reason, hint="wait a day, or change the spec")


def _is_there(account: Account, path: str, body: dict[str, object], id: str) -> bool:
    """Whether an object that was made by an earlier request is still what was asked for."""
    there = account.get(f"{path}/{id}")
    if there is None:
        return False
    switched_on = there.get("active", True) and there.get("status", "active") == "active"
    return bool(switched_on) and there.get("lookup_key") == body.get("lookup_key")
