"""A provider that has a schema and nothing behind it: what `terraform validate` needs to know of `stripe/stripe`.

It speaks Terraform's plugin protocol 6 over gRPC (tfplugin6.proto, of which four messages are written here by hand) on
a unix socket, and is pointed at by `TF_REATTACH_PROVIDERS`, so that nothing is installed. It runs in a process of its
own: `python -m tests.terraform.provider SCHEMA SOCKET attributes`. With `blocks` in the place of `attributes` the
nested parts of resources are blocks, as they are in some versions of the provider.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from tests.terraform.schema import Attributes, load

_TYPES = {
    "String": "string",
    "Bool": "bool",
    "Int64": "number",
    "Float64": "number",
    "Map": ["map", "string"],
    "List": ["list", "string"],
}
"""The types of attributes in the words of the protocol."""
_LIST = 2
_NESTING = {"SingleNested": 1, "ListNested": _LIST}


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


def _block(attributes: Attributes, blocks: bool) -> bytes:
    """`Schema.Block`; 3 is a nested block, of which there may be several."""
    said = b""
    for name, attribute in attributes.items():
        if blocks and "nested" in attribute:
            said += _field(3, _field(1, name) + _field(2, _block(attribute["nested"], blocks)) + _field(3, _LIST))
        else:
            said += _field(2, _attribute(name, attribute))
    return said


def _schema(attributes: Attributes, blocks: bool = False) -> bytes:
    """`Schema`, whose block holds the attributes."""
    return _field(2, _block(attributes, blocks))


def provider_schema(path: Path, blocks: bool) -> bytes:
    """`GetProviderSchema.Response`: the provider's own arguments, and those of every resource."""
    key = {"kind": "String", "optional": True}
    resources = (_field(1, kind) + _field(2, _schema(each, blocks)) for kind, each in load(path).items())
    return _field(1, _schema({"api_key": key})) + b"".join(_field(2, each) for each in resources)


def serve(schema: Path, socket: Path, blocks: bool) -> None:
    """Answers on the socket until the process is ended."""
    answers = {
        "GetProviderSchema": provider_schema(schema, blocks),
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
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "blocks")
