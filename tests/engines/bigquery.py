"""BigQuery: the reference implementation of its SQL, GoogleSQL, as WebAssembly in the process.

It evaluates queries and knows no statements, so tables are held here, and views become named parts of a query.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

from sqlglot import tokenize
from sqlglot.tokenizer_core import Token, TokenType

from tests.engines.base import Engine, Row, Value

__all__ = ["BigQuery"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    "BIGNUMERIC": "TYPE_BIGNUMERIC",
    "BOOL": "TYPE_BOOL",
    "FLOAT64": "TYPE_DOUBLE",
    "INT64": "TYPE_INT64",
    "NUMERIC": "TYPE_NUMERIC",
    "STRING": "TYPE_STRING",
    "TIMESTAMP": "TYPE_TIMESTAMP",
}
_DATASET = "`meterspec`."
"""What is without a dataset here is in that one."""
_SCALES = {"numeric_value": 9, "bignumeric_value": 38}
"""Of the types of decimals: a value is a whole number of 10^-scale, its least significant byte first."""


class BigQuery(Engine):
    name = "bigquery"
    printer = "bigquery"

    @classmethod
    def missing(cls) -> str | None:
        return None if find_spec("zetasql") else "zetasql of the dependency group `engines`"

    def start(self) -> None:
        import wasmtime
        from zetasql.core import wasm_client
        from zetasql.types import LanguageOptions, ProductMode, ZetaSQLBuiltinFunctionOptions
        from zetasql.wasi import get_wasm_path
        from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2

        class Cached(wasmtime.Config):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.cache = True  # compiling takes half a minute; the result is kept in the user's cache folder

        class Client(wasm_client.WasmClient):  # type: ignore[misc]
            # As they come, these two copy byte by byte.
            def write_bytes(self, ptr: int, data: bytes) -> None:
                ctypes.memmove(ctypes.addressof(self.memory.data_ptr().contents) + ptr, data, len(data))

            def read_bytes(self, ptr: int, size: int) -> bytes:
                return ctypes.string_at(ctypes.addressof(self.memory.data_ptr().contents) + ptr, size)

        wasm_client.Config = Cached
        self._client = Client(get_wasm_path())
        self._messages: Any = local_service_pb2
        language = LanguageOptions.maximum_features()
        language.product_mode = ProductMode.PRODUCT_EXTERNAL
        self._language = language.to_proto()
        self._functions = ZetaSQLBuiltinFunctionOptions(language_options=language).to_proto()
        self._catalog: int | None = None
        self.reset()

    def stop(self) -> None:
        del self._client

    def reset(self) -> None:
        self._tables: dict[str, tuple[Mapping[str, str], Sequence[Row]]] = {}
        self._views: dict[str, str] = {}
        self._forget_catalog()

    def execute(self, statement: str) -> None:
        statement = statement.replace(_DATASET, "")
        tokens = tokenize(statement, read=self.printer)
        words = [token.text.upper() for token in tokens]
        at = next(i for i, word in enumerate(words) if word in {"VIEW", "TABLE", "SCHEMA"})
        name, rest = _name(tokens[at + 1 + 3 * (words[at + 1] == "IF") :])
        if words[0] != "CREATE":
            raise NotImplementedError(statement)
        if words[at] == "VIEW":
            # Later views may read this one, and it may be replaced: order is that of the last definition.
            self._views.pop(name, None)
            start = next(token for token in rest if token.token_type is TokenType.ALIAS)
            self._views[name] = statement[start.end + 1 :].strip()
        elif words[at] == "TABLE" and name not in self._tables:
            self._tables[name] = (_columns(rest), [])
            self._forget_catalog()

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        self._tables[table] = (columns, rows)
        self._forget_catalog()

    def query(self, sql: str) -> list[Row]:
        sql = sql.replace(_DATASET, "")
        if views := self._views_of(sql):
            named = ", ".join(f"{self.quoted(name)} AS (\n{text}\n)" for name, text in views.items())
            sql = f"WITH {named}\n({sql})"
        for path in self._tables:
            if "." in path:  # only tables without a schema can have rows here
                _, _, last = path.rpartition(".")
                sql = sql.replace(self.quoted(path), f"`{path}` AS {self.quoted(last)}")
        request = self._messages.EvaluateQueryRequest(sql=sql, registered_catalog_id=self._registered())
        request.options.language_options.CopyFrom(self._language)
        request.options.default_timezone = "UTC"
        response = self._call("EvaluateQuery", request, self._messages.EvaluateQueryResponse)
        return [tuple(_read(cell) for cell in row.cell) for row in response.content.table_data.row]

    def _call(self, what: str, request: Any, kind: Any) -> Any:
        return self._client.call_grpc_func(f"ZetaSqlLocalService_{what}", request, kind)

    def _views_of(self, sql: str) -> dict[str, str]:
        """The views that a query reads, directly or not, in the order of their definition."""
        found, unread = dict[str, str](), [sql]
        while unread:
            text = unread.pop()
            for name, view in self._views.items():
                if name not in found and self.quoted(name) in text:
                    found[name] = view
                    unread.append(view)
        return {name: view for name, view in self._views.items() if name in found}

    def _forget_catalog(self) -> None:
        if self._catalog is not None:
            from google.protobuf.empty_pb2 import Empty

            self._call("UnregisterCatalog", self._messages.UnregisterRequest(registered_id=self._catalog), Empty)
        self._catalog = None

    def _registered(self) -> int:
        """The catalogue of all tables with their rows."""
        if self._catalog is None:
            request = self._messages.RegisterCatalogRequest()
            request.simple_catalog.name = "meterspec"
            request.simple_catalog.builtin_function_options.CopyFrom(self._functions)
            for path, (columns, rows) in self._tables.items():
                table = request.simple_catalog.table.add(name=path)
                fields = []
                for column, kind in columns.items():
                    base = kind.partition("(")[0]
                    table.column.add(name=column, is_writable_column=True).type.type_kind = _type_kind(base)
                    fields.append(base)
                data = request.table_content[path].table_data
                data.SetInParent()  # a table of no rows has contents too
                for row in rows:
                    cells = data.row.add().cell
                    for base, value in zip(fields, row, strict=True):
                        _write(cells.add(), base, value)
            self._catalog = self._call("RegisterCatalog", request, self._messages.RegisterResponse).registered_id
        return self._catalog


def _name(tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The name that tokens begin with, and the tokens after it."""
    parts = [tokens[0].text]
    at = 1
    while at < len(tokens) and tokens[at].token_type is TokenType.DOT:
        parts.append(tokens[at + 1].text)
        at += 2
    return ".".join(parts), tokens[at:]


def _columns(tokens: Sequence[Token]) -> dict[str, str]:
    """Name and type of the columns of a table: a name and a word each, in parentheses."""
    columns, depth, fresh = dict[str, str](), 0, True
    for token, after in pairwise(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 1 and fresh:
            columns[token.text] = after.text.upper()
            fresh = False
        elif depth == 1 and token.token_type is TokenType.COMMA:
            fresh = True
    return columns


def _type_kind(base: str) -> int:
    from zetasql.types import TypeKind

    return int(TypeKind[_KINDS[base]])


def _write(cell: Any, base: str, value: Value) -> None:
    """A value of a type as a message; that of null is empty."""
    match base, value:
        case _, None:
            pass
        case "NUMERIC" | "BIGNUMERIC", int() | Decimal():
            field = f"{base.lower()}_value"
            sign, digits, exponent = Decimal(value).as_tuple()
            assert isinstance(exponent, int) and exponent >= -_SCALES[field]
            whole = int("".join(map(str, digits))) * 10 ** (exponent + _SCALES[field]) * (-1 if sign else 1)
            setattr(cell, field, whole.to_bytes(whole.bit_length() // 8 + 1, "little", signed=True))
        case "TIMESTAMP", datetime():
            since = value - _EPOCH
            cell.timestamp_value.seconds = since // timedelta(seconds=1)
            cell.timestamp_value.nanos = (since % timedelta(seconds=1)).microseconds * 1000
        case "INT64", int():
            cell.int64_value = value
        case "FLOAT64", int() | float():
            cell.double_value = value
        case "BOOL", bool():
            cell.bool_value = value
        case "STRING", str():
            cell.string_value = value
        case _:
            raise TypeError(f"{value!r} is not a {base}")


def _read(cell: Any) -> Value:
    field = cell.WhichOneof("value")
    if field is None:
        return None
    value = getattr(cell, field)
    if field == "timestamp_value":
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    if field in _SCALES:
        whole = int.from_bytes(value, "little", signed=True)
        digits = tuple(map(int, str(abs(whole))))
        return Decimal((int(whole < 0), digits, -_SCALES[field]))
    if not isinstance(value, str | int | float | bool):
        raise TypeError(f"no reader for a {field}")
    return value
