"""The official SDK, connected to the server of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import stripe

if TYPE_CHECKING:
    from tests.stripe_server.server import StripeServer


def connect(server: StripeServer, key: str | None = None) -> stripe.StripeClient:
    """A client that never repeats a request by itself, with the server's secret key or another one."""
    return stripe.StripeClient(
        key or server.secret,
        base_addresses={"api": server.url, "meter_events": server.url},
        max_network_retries=0,
    )


def post(client: stripe.StripeClient, path: str, params: dict[str, Any], key: str | None = None) -> Any:
    """A POST whose parameters the SDK encodes and sends as they are; `key` is for idempotency."""
    options: stripe.RequestOptions = {} if key is None else {"idempotency_key": key}
    return client.raw_request("post", path, **params, **options).data
