"""Pages of a list, newest first, and the members of an object that come only when asked for."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.stripe_server.account import Account, Object, Params
from tests.stripe_server.errors import invalid, missing, only_one, refused

SEARCH_LAG = 60
"""Seconds until a write shows in a search: "up to a minute behind", https://docs.stripe.com/search."""

_CLAUSE = re.compile(r"(?:(?P<field>\w+)|metadata\[(?P<k>'[^']*'|\"[^\"]*\")\])\s*:\s*(?P<value>'[^']*'|\"[^\"]*\")")


def page(objects: Iterable[Object], params: Params, url: str) -> Object:
    """A page of objects that come newest first.

    Raises:
        ApiError: The limit is not within 1 to 100, or a cursor names nothing.
    """
    found, limit = list(objects), _limit(params)
    if "starting_after" in params and "ending_before" in params:
        raise only_one(["ending_before", "starting_after"])
    ids = [each["id"] for each in found]
    if "starting_after" in params:
        rest = found[_position(ids, params["starting_after"], "starting_after") + 1 :]
        data, more = rest[:limit], len(rest) > limit
    elif "ending_before" in params:
        rest = found[: _position(ids, params["ending_before"], "ending_before")]
        data, more = rest[-limit:], len(rest) > limit
    else:
        data, more = found[:limit], len(found) > limit
    return {"object": "list", "url": url, "has_more": more, "data": data}


def _limit(params: Params) -> int:
    limit: int = params.get("limit", 10)
    for within, bound in ((limit >= 1, "greater than or equal to 1"), (limit <= 100, "less than or equal to 100")):
        if not within:
            message = f"This value must be {bound} (it currently is '{limit}')."
            raise invalid(message, "limit", "parameter_invalid_integer")
    return limit


def _position(ids: list[str], id: str, param: str) -> int:
    if id not in ids:
        raise missing("object", id, param)
    return ids.index(id)


def created(params: Params) -> Callable[[Object], bool]:
    """Whether an object was created within the bounds of the filter `created`."""
    bounds = params.get("created", {})
    if isinstance(bounds, int):
        return lambda each: bool(each["created"] == bounds)
    tests = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
    return lambda each: all(tests[name](each["created"], bound) for name, bound in bounds.items())


def search(account: Account, objects: Iterable[Object], params: Params, url: str) -> Object:
    """What a search finds: clauses joined by AND, of objects that were written a while ago."""
    clauses = re.split(r"\s+AND\s+", params["query"].strip())
    wanted = []
    for clause in clauses:
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise refused(f"We were unable to parse your search query: {clause}", "query")
        wanted.append((found["field"], found["k"] and found["k"][1:-1], found["value"][1:-1]))

    def matches(each: Object) -> bool:
        texts = [each["metadata"].get(key) if key else _text(each.get(field)) for field, key, _ in wanted]
        return texts == [value for *_, value in wanted]

    limit = _limit(params)
    hits = [each for each in objects if each["created"] + SEARCH_LAG <= account.now and matches(each)]
    return {
        "object": "search_result",
        "url": url,
        "has_more": len(hits) > limit,
        "next_page": None,
        "data": hits[:limit],
    }


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


EXPANDABLE: dict[str, dict[str, str | None]] = {
    "price": {"product": "product", "tiers": None, "currency_options": None},
    "product": {"default_price": "price"},
    "billing.credit_grant": {"customer": "customer"},
    "billing.alert": {"usage_threshold.meter": "billing.meter"},
}
"""The members that `expand` may name, by object: the kind that an id becomes, or None where they are only hidden."""


def shown(account: Account, answer: Object, params: Params) -> Object:
    """An answer as it is sent: what was not asked for left out, ids that were asked for replaced by their objects."""
    asked = params.get("expand", [])
    if answer["object"] in {"list", "search_result"}:
        for path in asked:
            if not path.startswith("data."):
                raise _not_expandable(path)
        inner = [path.removeprefix("data.") for path in asked]
        return {**answer, "data": [_one(account, each, inner) for each in answer["data"]]}
    return _one(account, answer, asked)


def _one(account: Account, each: Object, asked: list[str]) -> Object:
    known = EXPANDABLE.get(each["object"], {})
    out = {key: value for key, value in each.items() if known.get(key, "") is not None or key in asked}
    for path in asked:
        if path not in known:
            raise _not_expandable(path)
        kind = known[path]
        if kind is not None:
            *above, last = path.split(".")
            node = out
            for step in above:
                node[step] = dict(node[step])
                node = node[step]
            if node[last] is not None:
                node[last] = _one(account, account.get(kind, node[last]), [])
    return out


def _not_expandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", "expand")
