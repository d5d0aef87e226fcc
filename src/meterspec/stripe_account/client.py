"""The client of an account: the official SDK as a carrier of JSON, and its errors as findings without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meterspec.diagnostics import Failure, Rule

if TYPE_CHECKING:
    from stripe import StripeClient, StripeError

__all__ = ["BASE_VARIABLE", "KEY_VARIABLE", "Account", "Object", "Replayed", "connect"]

NO_SDK = Rule(
    code="MS020",
    slug="no-stripe-sdk",
    title="Stripe's library, which is not installed",
    message="the official library of Stripe is not installed",
    why="Only `plan` and `apply` talk to Stripe, so its library is left out of the plain installation.",
)
NO_KEY = Rule(
    code="MS021",
    slug="no-stripe-key",
    title="A Stripe account without a key to it",
    message="{variable} is not set",
    why="The key of an account is taken from the environment alone: an argument would stay in the history of the "
    "shell, and a file might be committed.",
)
BAD_KEY = Rule(
    code="MS022",
    slug="bad-stripe-key",
    title="A key that is not for what is asked",
    message="{variable} holds {what}",
    why="What a key is for stands at its beginning. A change to a live account is one that customers pay for, so it is "
    "made only where `--live` says that it is meant.",
)
UNREACHABLE = Rule(
    code="MS023",
    slug="stripe-unreachable",
    title="Stripe does not answer",
    message="no answer from Stripe: {reason}",
    why="What the account holds is not known, or not what became of the last request. The same command completes what "
    "was begun.",
)
REFUSED = Rule(
    code="MS024",
    slug="refused-by-stripe",
    title="A request that Stripe refuses",
    message="`{request}` was refused by Stripe: {reason}",
    why="What was done before stays done, and the same command goes on from there.",
)
BAD_BASE = Rule(
    code="MS025",
    slug="bad-stripe-address",
    title="An address of Stripe that a key must not be sent to",
    message="{variable} is `{base}`",
    why="A key opens the account to whoever receives it, so it is sent encrypted, or to this machine.",
)

KEY_VARIABLE = "STRIPE_API_KEY"
BASE_VARIABLE = "STRIPE_API_BASE"
"""Another address than Stripe's own, such as that of a mock server."""

Object = dict[str, Any]
"""An object of the API, as its JSON has it."""

_KEYS = re.compile(r"\b(?:sk|rk|pk)_(?:test|live)_[^\s'\"]*")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_RETRIES = 2


class Replayed(Exception):  # noqa: N818 - what it says is that nothing happened
    """The answer of an earlier request with the same idempotency key, which was a failure."""


class Account:
    """A Stripe account: objects are read and written by the paths of the API, version 1.

    Every method raises `Failure`, with MS023 where Stripe does not answer and MS024 where it refuses.
    """

    def __init__(self, client: StripeClient, key: str, *, live: bool) -> None:
        self._client = client
        self._key = key
        self.live = live

    def all(self, path: str, **params: object) -> Iterator[Object]:
        """Every object of a list, page by page."""
        after: dict[str, object] = {}
        while True:
            page = self._request("get", path, {"limit": 100, **params, **after})[0]
            found = page.get("data")
            if not isinstance(found, list) or not all(map(_is_object, found)):
                raise Failure(UNREACHABLE, reason=_NOT_STRIPE, hint=_OTHER_ADDRESS)
            yield from found
            if not page.get("has_more") or not found:
                return
            after = {"starting_after": found[-1]["id"]}

    def get(self, path: str) -> Object | None:
        """An object; None where there is none, or none any more."""
        try:
            found = self._request("get", path, {})[0]
        except Failure as failure:
            if getattr(failure.__cause__, "http_status", None) == 404:
                return None
            raise
        return None if found.get("deleted") else found

    def post(self, path: str, body: Mapping[str, object], key: str | None = None) -> tuple[Object, bool]:
        """Writes, and gives the object that came of it, and whether that is an earlier answer to the same key.

        Raises `Replayed` where the earlier answer was a failure: Stripe keeps one for a day, so only another key can
        have the request carried out.
        """
        options = {} if key is None else {"idempotency_key": key}
        return self._request("post", path, {**body, **options})

    def _request(self, method: str, path: str, params: Mapping[str, object]) -> tuple[Object, bool]:
        import stripe  # noqa: PLC0415 - there is a client, so it is loaded

        try:
            answer = self._client.raw_request(method, path, **params)
        except stripe.APIConnectionError as error:
            raise Failure(UNREACHABLE, reason=_network(self._reason(error)), hint=_AGAIN) from error
        except stripe.StripeError as error:
            if method == "post" and _is_replayed(error.headers or {}):
                raise Replayed from error
            request = f"{method.upper()} {path}"
            raise Failure(REFUSED, request=request, reason=self._reason(error), hint=_hint(error)) from error
        except (AttributeError, TypeError, ValueError) as error:  # the SDK takes it for granted that Stripe answers
            raise Failure(UNREACHABLE, reason=_NOT_STRIPE, hint=_OTHER_ADDRESS) from error
        if not _is_object(answer.data):
            raise Failure(UNREACHABLE, reason=_NOT_STRIPE, hint=_OTHER_ADDRESS)
        return answer.data, _is_replayed(answer.headers)

    def _reason(self, error: StripeError) -> str:
        """What Stripe says, on one line, without any key."""
        said = str(error.user_message or "") or str(error) or type(error).__name__
        text = " ".join(said.split())
        return _KEYS.sub("(a key)", text.replace(self._key, "(the key)"))[:1000]


def _network(text: str) -> str:
    """What of the SDK's words about a connection is the cause; all of them where no cause is known."""
    cause = re.search(r"\[Errno -?\d+\] ([A-Za-z ,]+)|(timed out)|(certificate verify failed)", text)
    return next(filter(None, cause.groups())).lower() if cause is not None else text


_NOT_STRIPE = "what answers does not speak Stripe's API"
_OTHER_ADDRESS = f"check {BASE_VARIABLE}, and whether a proxy stands between"
_AGAIN = "run the same command again: it goes on from where this one ended"


def _is_object(found: object) -> bool:
    """Whether this is an object of the API, each of which says what it is."""
    return isinstance(found, dict) and isinstance(found.get("object"), str)


def _is_replayed(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "idempotent-replayed" and value == "true" for name, value in headers.items())


def _hint(error: StripeError) -> str | None:
    match error.http_status:
        case 401:
            return f"set {KEY_VARIABLE} to a key of the account, from its dashboard"
        case 403:
            return "give the key the permission to write products, prices, billing meters and entitlements"
        case status if status is not None and (status >= 500 or status in {409, 429}):
            return _AGAIN
        case _:
            return None


def connect(*, live: bool, retries: int = _RETRIES) -> Account:
    """The account whose key is in the environment.

    Raises `Failure`: MS020 without the SDK, MS021 without a key, MS022 for a key that is of the other mode than `live`
    says or no secret one, MS025 for an address that no key may be sent to.
    """
    try:
        import stripe  # noqa: PLC0415 - a second, that only a command pays which needs it
    except ImportError as error:
        raise Failure(NO_SDK, hint="install it: `pip install 'meterspec[stripe]'`") from error
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        hint = "set it to a secret key of the account, such as one that begins with sk_test_"
        raise Failure(NO_KEY, variable=KEY_VARIABLE, hint=hint)
    prefixes = {"sk_test_": False, "rk_test_": False, "sk_live_": True, "rk_live_": True}
    mode = next((is_live for prefix, is_live in prefixes.items() if key.startswith(prefix)), None)
    if mode is None or not key.isascii() or not key.isprintable() or " " in key:
        hint = "use a key that begins with sk_test_ or rk_test_"
        raise Failure(BAD_KEY, variable=KEY_VARIABLE, what="no secret key of Stripe", hint=hint)
    if mode and not live:
        hint = "add `--live`, or use a key of a test account"
        raise Failure(BAD_KEY, variable=KEY_VARIABLE, what="the key of a live account", hint=hint)
    if live and not mode:
        hint = "leave out `--live`, or use the key of the live account"
        raise Failure(BAD_KEY, variable=KEY_VARIABLE, what="the key of a test account", hint=hint)
    base = os.environ.get(BASE_VARIABLE) or stripe.DEFAULT_API_BASE
    if base != stripe.DEFAULT_API_BASE:
        _check_base(base, live=mode)
    client = stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=retries)
    return Account(client, key, live=mode)


def _check_base(base: str, *, live: bool) -> None:
    parts = urlsplit(base)
    here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if live or not (here or (parts.scheme == "https" and parts.hostname)):
        hint = (
            "leave it out for a live account"
            if live
            else "write one that begins with https://, or with http://127.0.0.1"
        )
        raise Failure(BAD_BASE, variable=BASE_VARIABLE, base=_KEYS.sub("(a key)", base), hint=hint)
