"""A provider that has a schema and nothing behind it: what `terraform validate` needs to know of `stripe/stripe`.

It speaks Terraform's plugin protocol 6 over gRPC (tfplugin6.proto, of which four messages are written here by hand) on
a unix socket, and is pointed at by `TF_REATTACH_PROVIDERS`, so that nothing is installed. It runs in a process of its
own: `python -m tests.terraform.provider SCHEMA SOCKET`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from tests.terraform.schema import load

_TYPES = {
    "String": "string",
    "Bool": "bool",
    "Int64": "number",
    "Float64": "number",
    "Map": ["map", "string"],
    "List": ["list", "string"],
}
"""The types of attributes in the words of the protocol."""
_NESTING = {"SingleNested": 1, "ListNested": 2}


def _field(number: int, value: bytes | str | bool | int) -> bytes:
    """A field of a protobuf message: a length and as many bytes, or a number."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(int(value)) if value else b""
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _attribute(name: str, attribute: dict[str, Any]) -> bytes:
    """`Schema.Attribute`; 10 is its nested type, 11 that it is only written."""
    if "nested" in attribute:
        members = b"".join(_field(1, _attribute(*each)) for each in attribute["nested"].items())
        shape = _field(10, members + _field(3, _NESTING[attribute["kind"]]))
    else:
        shape = _field(2, json.dumps(_TYPES[attribute["kind"]]))
    flags = enumerate(("required", "optional", "computed"), start=4)
    said = b"".join(_field(number, bool(attribute.get(flag))) for number, flag in flags)
    return _field(1, name) + shape + said + _field(11, bool(attribute.get("writeonly")))


def _schema(attributes: Iterable[tuple[str, dict[str, Any]]]) -> bytes:
    """`Schema`, whose block holds the attributes."""
    return _field(2, b"".join(_field(2, _attribute(*each)) for each in attributes))


def provider_schema(path: Path) -> bytes:
    """`GetProviderSchema.Response`: the provider's own arguments, and those of every resource."""
    key = {"kind": "String", "optional": True}
    resources = (_field(1, kind) + _field(2, _schema(each.items())) for kind, each in load(path).items())
    return _field(1, _schema([("api_key", key)])) + b"".join(_field(2, each) for each in resources)


def serve(schema: Path, socket: Path) -> None:
    """Answers on the socket until the process is ended."""
    answers = {
        "GetProviderSchema": provider_schema(schema),
        "ValidateProviderConfig": b"",
        "ValidateResourceConfig": b"",
        "StopProvider": b"",
    }

    def answering(answer: bytes) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        return lambda _request, _context: answer

    handlers = {name: grpc.unary_unary_rpc_method_handler(answering(each)) for name, each in answers.items()}
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin6.Provider", handlers),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
