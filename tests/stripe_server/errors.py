"""Refusals of the server: Stripe's shape, and Stripe's words where they are known.

The words of the first group were seen in Stripe's answers (documentation, SDK issue trackers). Those of the second are
ours: Stripe is known to refuse, in words that nobody quoted.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal: HTTP status, Stripe's error type and code, the message, and the parameter to blame."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        begun: bool = True,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.type, self.code, self.param = message, status, type, code, param
        self.begun = begun
        """Whether the endpoint had begun, so that Stripe keeps the answer for the idempotency key."""

    def body(self) -> dict[str, Any]:
        fields = {"type": self.type, "code": self.code, "message": self.message, "param": self.param}
        return {"error": {key: value for key, value in fields.items() if value is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request whose parameters were refused before anything was done."""
    return ApiError(message, param=param, code=code, begun=False)


# Stripe's words.


def unauthorized(key: str) -> ApiError:
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    else:
        message = f"Invalid API Key provided: {key[:8]}{'*' * max(len(key) - 12, 0)}{key[8:][-4:]}"
    return ApiError(message, status=401, begun=False)


def forbidden(key: str) -> ApiError:
    hidden = f"{key[:8]}{'*' * max(len(key) - 12, 0)}{key[8:][-4:]}"
    message = f"The provided key '{hidden}' does not have the required permissions for this endpoint."
    return ApiError(message, status=403, begun=False)


def unknown_url(method: str, path: str) -> ApiError:
    return ApiError(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
        begun=False,
    )


def missing(kind: str, id: str, param: str = "id") -> ApiError:
    """404 for the object of the URL, 400 for one that a parameter names."""
    status = 404 if param == "id" else 400
    return ApiError(f"No such {kind}: '{id}'", status=status, code="resource_missing", param=param)


def unknown_parameters(names: list[str]) -> ApiError:
    plural = "s" if len(names) > 1 else ""
    return invalid(f"Received unknown parameter{plural}: {', '.join(names)}", names[0], "parameter_unknown")


def required(name: str) -> ApiError:
    return invalid(f"Missing required param: {name}.", name, "parameter_missing")


def empty(name: str) -> ApiError:
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however "
        f"'{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value.",
        name,
        "parameter_invalid_empty",
    )


def only_one(names: list[str], param: str | None = None) -> ApiError:
    return ApiError(f"You may only specify one of these parameters: {', '.join(names)}.", param=param or names[0])


def idempotency_conflict(key: str) -> ApiError:
    return ApiError(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
        type="idempotency_error",
        begun=False,
    )


def idempotency_endpoint(key: str, path: str, first: str) -> ApiError:
    return ApiError(
        f"Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}' vs "
        f"'{first}'). Try using a key other than '{key}' if you meant to execute a different request.",
        type="idempotency_error",
        begun=False,
    )


def too_many_requests() -> ApiError:
    return ApiError(
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
        status=429,
        code="rate_limit",
        begun=False,
    )


def too_old(earliest: int) -> ApiError:
    return ApiError(
        "The event timestamp cannot be more than 35 days in past. "
        f"Expected a timestamp greater than or equal to {earliest}.",
        code="timestamp_too_far_in_past",
        param="timestamp",
    )


def event_exists(identifier: str) -> ApiError:
    return ApiError(f"An event already exists with identifier {identifier}.", param="identifier")


def lookup_key_taken(price: str) -> ApiError:
    return ApiError(f"A price (`{price}`) already uses that lookup key.", param="lookup_key")


def tier_without_amount() -> ApiError:
    return ApiError("An entry in the tiers array is missing an amount.", param="tiers")


def product_has_prices() -> ApiError:
    return ApiError("This product cannot be deleted because it has one or more user-created prices.", param="id")


def unavailable(status: int) -> ApiError:
    """What a failure on Stripe's side looks like."""
    if status == 429:
        return too_many_requests()
    return ApiError("An unknown error occurred", status=status, type="api_error")


# Our words.


def too_new(latest: int) -> ApiError:
    return ApiError(
        "The event timestamp cannot be more than 5 minutes in the future. "
        f"Expected a timestamp less than or equal to {latest}.",
        code="timestamp_in_future",
        param="timestamp",
    )


def event_name_taken(name: str, meter: str, status: str) -> ApiError:
    return ApiError(f"The event name '{name}' belongs to the {status} meter '{meter}'.", param="event_name")


def refused(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A cross-field rule that the request breaks."""
    return ApiError(message, param=param, code=code)
