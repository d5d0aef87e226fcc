"""A provider that has a schema and nothing behind it: what `terraform validate` and `plan` need to know of Stripe's.

It speaks Terraform's plugin protocol 6 over gRPC (tfplugin6.proto, whose few messages are written here by hand) on a
unix socket, and is pointed at by `TF_REATTACH_PROVIDERS`, so that nothing is installed. It runs in a process of its
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
_NIL, _UNKNOWN = b"\xc0", b"\xd4\x00\x00"
"""Nothing, and what is not known yet, in the MessagePack that Terraform speaks."""
_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
"""Heads of MessagePack: how many bytes follow; or how wide the number is that says so, and how many more there are."""
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


def planned(request: bytes, schema: dict[str, Attributes]) -> bytes:
    """`PlanResourceChange.Response`: what was proposed, less what is only written; what Stripe will say is unknown."""
    asked = _fields(request)
    attributes, proposed = schema[asked[1].decode()], _fields(asked[3])[1]
    out, at = proposed[:1], 1
    assert proposed[0] & 0xF0 == 0x80 or proposed[0] == 0xDE, "a map of MessagePack"
    if proposed[0] == 0xDE:
        out, at = proposed[:3], 3
    while at < len(proposed):
        end = _end(proposed, at)
        name, value = proposed[at:end], proposed[end : (after := _end(proposed, end))]
        told = attributes[name[1 if name[0] < 0xD9 else 2 :].decode()]
        if told.get("writeonly"):
            value = _NIL
        out += name + (_UNKNOWN if value == _NIL and told.get("computed") else value)
        at = after
    return _field(1, _field(1, out))


def _fields(message: bytes) -> dict[int, bytes]:
    """The fields of a message that holds nothing but texts, bytes and messages."""
    found, at = {}, 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        size, at = _read_varint(message, at)
        found[tag >> 3] = message[at : at + size]
        at += size
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _end(data: bytes, at: int) -> int:
    """Where a value of MessagePack ends; https://github.com/msgpack/msgpack/blob/master/spec.md."""
    head, at = data[at], at + 1
    if head < 0x80 or head >= 0xE0 or head in {0xC0, 0xC2, 0xC3}:
        return at
    if 0xA0 <= head < 0xC0:
        return at + (head & 0x1F)
    if head in _FIXED:
        return at + _FIXED[head]
    if head in _SIZED:
        width, more = _SIZED[head]
        return at + width + more + int.from_bytes(data[at : at + width])
    if head < 0xA0:
        count = (head & 0x0F) * (2 if head < 0x90 else 1)
    else:
        width = 2 if head in {0xDC, 0xDE} else 4
        count = int.from_bytes(data[at : at + width]) * (2 if head >= 0xDE else 1)
        at += width
    for _ in range(count):
        at = _end(data, at)
    return at


def serve(schema: Path, socket: Path, blocks: bool) -> None:
    """Answers on the socket until the process is ended."""
    known, attributes = provider_schema(schema, blocks), load(schema)
    answers: dict[str, Callable[[bytes], bytes]] = {
        "GetProviderSchema": lambda _: known,
        "PlanResourceChange": lambda request: planned(request, attributes),
        **dict.fromkeys(
            ("ConfigureProvider", "StopProvider", "ValidateProviderConfig", "ValidateResourceConfig"), lambda _: b""
        ),
    }

    def answering(answer: Callable[[bytes], bytes]) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        return lambda request, _context: answer(request)

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
