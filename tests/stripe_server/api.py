"""The API schema: which URLs there are, what each of them takes, and what it answers.

Parameters arrive as texts. Each becomes a value of the type that the schema gives it, or is refused in Stripe's words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.stripe_server.errors import ApiError, empty, invalid, required, unknown_parameters, unknown_url

Schema = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_CURRENCIES = frozenset(
    re.findall(
        r"\w+",
        """
        aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf
        clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr
        ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur
        mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr
        sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg
        xof xpf yer zar zmw
        """,
    )
)
"""Stripe's presentment currencies; https://docs.stripe.com/currencies."""


@dataclass(frozen=True)
class Operation:
    """A method on a URL, and the schema of what it takes."""

    method: str
    template: str
    schema: Schema
    json_body: bool


class Api:
    """The paths and schemas of an OpenAPI description."""

    def __init__(self, path: Path) -> None:
        self._spec: Schema = json.loads(path.read_text(encoding="utf-8"))
        self._urls = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)), template) for template in self._spec["paths"]
        ]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        """The operation that a request names, and the parts of its URL.

        Of `/v1/prices/search` and `/v1/prices/{price}` the one with fewer holes is meant.
        """
        found = [(url.fullmatch(path), template) for url, template in self._urls]
        matches = sorted((len(m.groupdict()), template, m) for m, template in found if m is not None)
        for _, template, match in matches:
            if method.lower() in self._spec["paths"][template]:
                return self._operation(method, template), match.groupdict()
        raise unknown_url(method, path)

    @cache  # noqa: B019  (one API for the life of the tests)
    def _operation(self, method: str, template: str) -> Operation:
        op = self._spec["paths"][template][method.lower()]
        bodies = op.get("requestBody", {}).get("content", {})
        if bodies:
            [(kind, content)] = bodies.items()
            return Operation(method, template, content["schema"], kind != FORM)
        query = [p for p in op.get("parameters", []) if p["in"] == "query"]
        schema = {
            "type": "object",
            "properties": {p["name"]: p["schema"] for p in query},
            "required": [p["name"] for p in query if p.get("required")],
            "additionalProperties": False,
        }
        return Operation(method, template, schema, False)

    def body_schema(self, template: str) -> Schema:
        """The JSON Schema of the body that a POST to a URL takes."""
        return self._operation("POST", template).schema

    @cache  # noqa: B019
    def response(self, object: str) -> Draft202012Validator:
        """What holds an answer against the schema of its object."""
        schema = _strict(self._spec["components"]["schemas"][object])
        if object == "billing.credit_grant":  # the cut flattens the amount; the SDK has it in the shape of the request
            schema["properties"]["amount"] = self.body_schema("/v1/billing/credit_grants")["properties"]["amount"]
        return Draft202012Validator(schema)


@cache
def load(path: Path) -> Api:
    """The API that a file describes, read once."""
    return Api(path)


def _strict(schema: Any) -> Any:
    """A response schema of OpenAPI 3.0 as JSON Schema: `nullable` said with types, and no member it does not name."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {
        key: {name: _strict(below) for name, below in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
        if key not in {"nullable", "x-openEnum", "description"}
    }
    if out.get("type") == "object" and "properties" in out:
        out["additionalProperties"] = False
    return {"anyOf": [{"type": "null"}, out]} if schema.get("nullable") else out


def read(schema: Schema, value: Any, name: str = "") -> Any:
    """A parameter as the schema types it; `name` is how the request wrote it, `tiers[0][up_to]`."""
    if "anyOf" in schema:
        return _any(schema["anyOf"], value, name)
    if value == "" and "" not in schema.get("enum", ()) and name:
        raise empty(name)
    match schema.get("type"):
        case "object":
            return _object(schema, value, name)
        case "array":
            return _array(schema, value, name)
        case "integer":
            if not isinstance(value, str) or re.fullmatch(r"-?\d{1,19}", value) is None or abs(int(value)) >= 2**63:
                raise invalid(f"Invalid integer: {_shown(value)}", name, "parameter_invalid_integer")
            return int(value)
        case "boolean":
            if value not in {"true", "false"}:
                raise invalid(f"Invalid boolean: {_shown(value)}", name)
            return value == "true"
        case "number":
            if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
                raise invalid(f"Invalid number: {_shown(value)}", name)
            return float(value)
        case _:
            return _string(schema, value, name)


def _string(schema: Schema, value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {_shown(value)}", name, "parameter_invalid_string")
    if "enum" in schema and value not in schema["enum"]:
        *others, last = schema["enum"]
        choice = f"one of {', '.join(others)}, or {last}" if len(others) > 1 else " or ".join([*others, last])
        raise invalid(f"Invalid {name}: must be {choice}", name)
    if len(value) > schema.get("maxLength", len(value)):
        raise invalid(
            f"Invalid string: {value[:5]}...{value[-5:]}; must be at most {schema['maxLength']} characters", name
        )
    match schema.get("format"):
        case "decimal":
            if _DECIMAL.fullmatch(value) is None:
                raise invalid(f"Invalid decimal: {value}", name)
            if len(value.partition(".")[2]) > 12:
                raise invalid(f"Invalid decimal: {value}; must contain at maximum 12 decimal places.", name)
        case "currency":
            if value not in _CURRENCIES:
                raise invalid(
                    f"Invalid currency: {value}. Stripe currently supports these currencies: usd, eur, ...", name
                )
    return value


def _object(schema: Schema, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid("Invalid object", name)
    known = schema.get("properties", {})
    free = schema.get("additionalProperties", True)
    if free is False and (extra := [_below(name, key) for key in value if key not in known]):
        raise unknown_parameters(extra)
    for key in schema.get("required", ()):
        if key not in value:
            raise required(_below(name, key))
    return {
        key: read(known[key], item, _below(name, key)) if key in known else _free(free, item, _below(name, key))
        for key, item in value.items()
    }


def _free(schema: Any, value: Any, name: str) -> Any:
    """A member of a map such as `metadata`, whose texts may be empty: that removes the key."""
    if schema == {"type": "string"} and value == "":
        return ""
    return read(schema, value, name)


def _array(schema: Schema, value: Any, name: str) -> list[Any]:
    if not isinstance(value, dict) or set(value) != {str(i) for i in range(len(value))}:
        raise invalid("Invalid array", name)
    return [read(schema["items"], value[str(i)], f"{name}[{i}]") for i in range(len(value))]


def _any(choices: list[Schema], value: Any, name: str) -> Any:
    """The first alternative that takes the value; where none does, the refusal of the last, which is the usual one."""
    refusal: ApiError | None = None
    for choice in choices:
        try:
            return read(choice, value, name)
        except ApiError as error:
            refusal = error
    assert refusal is not None
    raise refusal


def _below(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
