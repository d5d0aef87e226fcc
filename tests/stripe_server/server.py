"""The HTTP side: keys, idempotency, what a test breaks on purpose, and a log of what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.conftest import SHARED
from tests.stripe_server import catalog, credits, meters
from tests.stripe_server.account import ENDPOINTS, Account, Object, Params
from tests.stripe_server.api import Operation, load, read
from tests.stripe_server.errors import (
    ApiError,
    forbidden,
    idempotency_conflict,
    idempotency_endpoint,
    invalid,
    unauthorized,
    unavailable,
    unknown_url,
)
from tests.stripe_server.forms import decode
from tests.stripe_server.invoices import Invoice, Line, finalize, preview
from tests.stripe_server.lists import shown

DATA = SHARED / "stripe" / "openapi-billing-subset.json"
"""The API schema; a test that starts a server is skipped where it is absent."""

RULES = (catalog, credits, meters)
"""The modules that declare the endpoints."""

KEY_LIFE = 86400
"""Seconds for which an idempotency key is kept; https://docs.stripe.com/api/idempotent_requests."""


class Drop(Enum):
    """A connection that breaks, before the request was carried out or after."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Fault:
    """What becomes of the `left`-th request from now on, counted from 1, or of the `left`-th POST or DELETE.

    Either an HTTP status, without anything having been done, or a dropped connection. It happens once.
    """

    left: int
    what: int | Drop
    reads: bool = False
    """Whether those that only read count too."""


@dataclass(frozen=True)
class Request:
    """A request as the server saw it, with the status that it answered; 0 where it dropped the connection."""

    method: str
    path: str
    params: Params
    key: str | None
    status: int
    replayed: bool = False


@dataclass(frozen=True)
class _Saved:
    """The answer that an idempotency key stands for."""

    method: str
    path: str
    params: Params
    at: int
    status: int
    body: Object


@dataclass
class StripeServer:
    """A Stripe account on a loopback port, while its `with` block lasts.

    `now` is the account's clock, in seconds since the Unix epoch; it stands still until a test sets `account.now`.
    """

    now: int
    secret: str = "sk_test_0123456789abcdefMETER"
    read_only: str = "rk_test_0123456789abcdefREADS"
    account: Account = field(init=False)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: Exception | None = None
    """A mistake of the server itself, which its `with` block raises at its end."""
    _saved: dict[str, _Saved] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.account = Account(self.now)
        self._api = load(DATA)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        if self.broken is not None:
            raise self.broken

    def fail(self, write: int, what: int | Drop) -> None:
        """Lets the `write`-th write from now on fail: a status, or a dropped connection."""
        self.faults.append(Fault(write, what))

    def fail_request(self, request: int, what: int | Drop) -> None:
        """Lets the `request`-th request from now on fail, whether it reads or writes."""
        self.faults.append(Fault(request, what, reads=True))

    def forget(self) -> None:
        """Forgets what was asked, what is to fail, and every idempotency key; a test gives it another account."""
        self.requests.clear()
        self.faults.clear()
        self._saved.clear()

    @property
    def writes(self) -> list[Request]:
        """The requests that could have changed something."""
        return [each for each in self.requests if each.method != "GET"]

    def preview(self, customer: str, prices: Sequence[str], start: int, end: int) -> list[Line]:
        """What the customer would be billed for [start, end) on a subscription to the prices."""
        return preview(self.account, customer, prices, start, end)

    def finalize(self, customer: str, prices: Sequence[str], start: int, end: int) -> Invoice:
        """The invoice of the customer for [start, end), final now: it draws on the credit that the customer has."""
        return finalize(self.account, customer, prices, start, end)

    def add_customer(self, name: str) -> str:
        """A customer without a request, and its id."""
        made: str = credits.create_customer(self.account, {}, {"name": name})["id"]
        return made

    def usage(self, meter: str, customer: str, start: int, end: int) -> Fraction:
        """What the meter took of the customer in [start, end), exactly."""
        return meters.usage(self.account, self.account.get("billing.meter", meter), customer, start, end)

    # The way of a request.

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: str
    ) -> tuple[int, dict[str, str], Object] | None:
        """Status, headers and body of the answer, or None where the connection is to be dropped."""
        with self._lock:
            url = urlsplit(target)
            key = headers.get("idempotency-key") if method == "POST" else None
            params: Params = {}
            extra: dict[str, str] = {}
            status: int | None
            try:
                self._authorize(method, headers)
                operation, ids = self._api.find(method, url.path)
                self._media(operation, headers)
                given = _json(body) if operation.json_body else decode(body if method == "POST" else url.query)
                replay = self._replay(method, url.path, given, key)
                fault = self._fault(method)
                params = given
                if replay is not None:
                    status, out, extra = replay.status, replay.body, {"Idempotent-Replayed": "true"}
                elif fault is Drop.BEFORE:
                    status, out = None, {}
                else:
                    status, out = self._carry_out(operation, ids, given, url.path, key, fault)
                    if fault is Drop.AFTER:
                        status = None
            except ApiError as error:
                status, out = error.status, error.body()
            if status is not None and 400 <= status < 500 and status not in {409, 429}:
                extra["Stripe-Should-Retry"] = "false"
            self.requests.append(
                Request(method, url.path, params, key, status or 0, "Idempotent-Replayed" in extra),
            )
            return None if status is None else (status, extra, out)

    def _authorize(self, method: str, headers: dict[str, str]) -> None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key not in {self.secret, self.read_only}:
            raise unauthorized(key)
        if key == self.read_only and method != "GET":
            raise forbidden(key)

    def _media(self, operation: Operation, headers: dict[str, str]) -> None:
        wanted = "application/json" if operation.json_body else "application/x-www-form-urlencoded"
        if operation.method == "POST" and headers.get("content-type", wanted).partition(";")[0] != wanted:
            raise invalid(f"Invalid request (check that your Content-Type is {wanted}).")

    def _replay(self, method: str, path: str, params: Params, key: str | None) -> _Saved | None:
        """The answer that was given to this key before."""
        if key is None:
            return None
        if len(key) > 255:
            raise invalid("Idempotency keys are at most 255 characters long.")
        saved = self._saved.get(key)
        if saved is None or self.account.now - saved.at >= KEY_LIFE:
            return None
        if (saved.method, saved.path) != (method, path):
            raise idempotency_endpoint(key, path, saved.path)
        if saved.params != params:
            raise idempotency_conflict(key)
        return saved

    def _fault(self, method: str) -> int | Drop | None:
        counted = [fault for fault in self.faults if fault.reads or method != "GET"]
        for fault in counted:
            fault.left -= 1
        due = next((fault for fault in counted if fault.left == 0), None)
        if due is None:
            return None
        self.faults.remove(due)
        return due.what

    def _carry_out(
        self,
        operation: Operation,
        ids: dict[str, str],
        given: Params,
        path: str,
        key: str | None,
        fault: int | Drop | None,
    ) -> tuple[int, Object]:
        """Does what a request asks for, and keeps the answer for its idempotency key.

        Stripe keeps the first answer, a failure of its own included, once the endpoint has begun: not what broke a rule
        of the parameters, and not a refusal to begin.
        """
        try:
            if isinstance(fault, int):
                raise unavailable(fault)
            params = read(operation.schema, given)
            do = ENDPOINTS.get((operation.method, operation.template))
            if do is None:
                raise unknown_url(operation.method, path)
            made = do(self.account, ids, params)
            out = deepcopy(shown(self.account, made, params))
            self._check(out)
            status = 200
        except ApiError as error:
            if not error.begun:
                raise
            status, out = error.status, error.body()
        if key is not None:
            self._saved[key] = _Saved(operation.method, path, given, self.account.now, status, out)
        return status, out

    def _check(self, answer: Object) -> None:
        """An answer is what the API schema says of its object."""
        for each in answer["data"] if answer["object"] in {"list", "search_result"} else [answer]:
            if each["object"] != "customer" and not each["object"].startswith("v2.") and not each.get("deleted"):
                self._api.response(each["object"]).validate(each)

    def body_schema(self, template: str) -> dict[str, Any]:
        """The JSON Schema of the body that a POST to a URL takes."""
        return self._api.body_schema(template)


def _json(body: str) -> Params:
    """A JSON body with its arrays as a form has them."""

    def arrays(value: Any) -> Any:
        if isinstance(value, list):
            return {str(i): arrays(each) for i, each in enumerate(value)}
        return {key: arrays(each) for key, each in value.items()} if isinstance(value, dict) else value

    try:
        parsed = json.loads(body or "{}")
    except json.JSONDecodeError as error:
        raise invalid(f"Invalid JSON: {error.msg}.") from error
    if not isinstance(parsed, dict):
        raise invalid("Invalid object")
    done: Params = arrays(parsed)
    return done


def _handler(server: StripeServer) -> type[BaseHTTPRequestHandler]:
    """The handler of a server's connections."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one segment: two cost a delayed acknowledgement of 40 ms

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                answered = server.answer(self.command, self.path, headers, body)
            except Exception as error:
                server.broken, answered = error, None
            if answered is None:
                self.close_connection = True
                self.connection.close()
                return
            status, extra, out = answered
            data = json.dumps(out).encode()
            self.send_response(status)
            sent = {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                "Request-Id": "req_test",
                **extra,
            }
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """The server keeps a log of its own."""

    return Handler
