"""JSON lines, plain events and CloudEvents: parsed once into a table, numbers digit by digit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from meterspec.backends.sql import build as b
from meterspec.backends.sql.dialects import DuckDB
from meterspec.backends.sql.families import REJECT_REASON, checked
from meterspec.diagnostics import Failure
from meterspec.events.engine import quoted
from meterspec.events.files import EventFiles
from meterspec.events.sources import (
    ROW,
    UNREADABLE,
    Source,
    add_broken,
    create_rows,
    of_table,
    same_family,
    texts,
    undeclared,
)
from meterspec.events.values import of_json, value
from meterspec.ir import Field, FieldType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["read_lines"]

# No field can have a name with a space.
_LINE, _FILE, _KEYS = "the line", "the file", "other keys"
_OBJECT, _TWICE, _TYPE, _DATA = "is an object", "has a key twice", "type of the event", "kind of the data"

_ENVELOPE = (
    *("specversion", "id", "source", "type", "subject", "time"),
    *("datacontenttype", "dataschema", "data", "data_base64"),
)
"""The attributes that CloudEvents 1.0 has by itself."""


def read_lines(connection: DuckDBPyConnection, events: EventFiles, paths: Sequence[Path], number: int) -> Source:
    """The rows of JSON lines files of a family; `number` is that of the first of them.

    Raises `Failure` with MS701 or MS702.
    """
    family = events.family
    name = f"{family.sql_name}_{number}"
    connection.execute(_MACROS)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW meterspec_texts_{name} AS {_texts(events, paths, name)}")
    table = create_rows(connection, paths, name, _judged(events, paths, f"meterspec_texts_{name}"))
    add_broken(connection, table, name, paths, _FILE)
    relation = table.sql(dialect="duckdb")
    _check(connection, events, paths, relation)
    keys = connection.execute(f'SELECT DISTINCT unnest("{_KEYS}") FROM {relation}').fetchall()
    return Source(of_table(table, family, number, _FILE), undeclared(family, [key for (key,) in keys]))


# Steps ----------------------------------------------------------------------------------------------------------


def _texts(events: EventFiles, paths: Sequence[Path], name: str) -> str:
    """Of each line, in SQL: the text and the kind of every field, and what else decides over its row."""
    fields = events.family.fields
    declared = _list(field.name for field in fields)
    lines = texts(
        paths,
        [_LINE],
        name,
        delim=quoted("\x01\x02\x03\x04"),  # which no line of JSON has
        quote="''",
        escape="''",
        strict_mode="false",  # where lines end in different ways
    )
    space = r"' \t\r'"
    wanted = _list([*(f'$."{field.name}"' for field in fields), "$.specversion", "$.type"])
    is_cloud = (
        "false"
        if any(field.name == "specversion" for field in fields)
        else (f"texts[{len(fields) + 1}] IS NOT NULL AND texts[{len(fields) + 2}] IS NOT NULL")
    )
    steps = {
        "lines": f"""
            SELECT "{_LINE}", file_index AS "{_FILE}",
                json_valid("{_LINE}") AND starts_with(ltrim("{_LINE}", {space}), '{{') AS "{_OBJECT}"
            FROM {lines} WHERE ltrim("{_LINE}", {space}) <> ''""",
        "events": f"""
            SELECT *, CASE WHEN "{_OBJECT}" THEN json_extract_string("{_LINE}", {wanted}) END AS texts,
                CASE WHEN "{_OBJECT}" THEN json_type("{_LINE}", {wanted}) END AS kinds,
                CASE WHEN "{_OBJECT}" THEN json_keys("{_LINE}") END AS keys
            FROM lines""",
        "marked": f"""
            SELECT *, coalesce({is_cloud}, false) AS is_cloud, {_repeated("keys")} AS repeated FROM events""",
        **_cloud_events(events),
        "exact": f"SELECT *, {_exact(events)} AS exact FROM whole",
    }
    columns = [
        f'kinds[{number}] AS "{field.name} kind", {_text(events, field, number)} AS "{field.name} text"'
        for number, field in enumerate(fields, start=1)
    ]
    others = f'list_filter(keys, lambda key: NOT list_contains({declared}, key)) AS "{_KEYS}"'
    common = f'"{_LINE}", "{_FILE}", "{_OBJECT}", "{_TYPE}", "{_DATA}", "{_TWICE}", {others}'
    ctes = ", ".join(f"{step} AS ({query})" for step, query in steps.items())
    return f"WITH {ctes} SELECT {common}, {', '.join(columns)} FROM exact"


def _cloud_events(events: EventFiles) -> dict[str, str]:
    """The steps that put the fields of a CloudEvent where those of a plain event are.

    They are those of its data; the id, the time and the subject stand for the event id, the event time and the
    customer, where the data has none.
    """
    family = events.family
    count = len(family.fields)
    outside = {family.event_id: count + 1, family.event_time: count + 2, family.customer: count + 3}
    wanted = _list([*(f'$.data."{field.name}"' for field in family.fields), "$.id", "$.time", "$.subject", "$.data"])

    def merged(column: str) -> str:
        parts = []
        for number, field in enumerate(family.fields, start=1):
            other = outside.get(field.name)
            inside = f"cloud_{column}[{number}]"
            if other is None:
                parts.append(inside)
            else:
                missing = f"coalesce(cloud_kinds[{number}], 'NULL') = 'NULL'"
                parts.append(f"CASE WHEN {missing} THEN cloud_{column}[{other}] ELSE {inside} END")
        return f"CASE WHEN is_cloud THEN [{', '.join(parts)}] ELSE {column} END AS {column}"

    extensions = f"list_filter(keys, lambda key: NOT list_contains({_list(_ENVELOPE)}, key))"
    inner = f"""json_keys("{_LINE}", '$.data')"""
    keys = f"CASE WHEN is_cloud THEN list_concat({extensions}, {inner}) ELSE keys END AS keys"
    twice = f'repeated OR CASE WHEN is_cloud THEN {_repeated(inner)} ELSE false END AS "{_TWICE}"'
    return {
        "cloud": f"""
            SELECT *, CASE WHEN is_cloud THEN json_extract_string("{_LINE}", {wanted}) END AS cloud_texts,
                CASE WHEN is_cloud THEN json_type("{_LINE}", {wanted}) END AS cloud_kinds
            FROM marked""",
        "whole": f"""
            SELECT "{_LINE}", "{_FILE}", "{_OBJECT}", is_cloud, {merged("texts")}, {merged("kinds")}, {keys},
                CASE WHEN is_cloud THEN texts[{count + 2}] END AS "{_TYPE}", cloud_kinds[{count + 4}] AS "{_DATA}",
                {twice}
            FROM cloud""",
    }


def _repeated(keys: str) -> str:
    """Whether a list of keys has one twice: readers differ in which value they take (RFC 8259, section 4)."""
    return f"coalesce(len({keys}) <> list_unique({keys}), false)"


def _exact_fields(events: EventFiles) -> list[Field]:
    """The fields whose digits all count; a float is the double that the engine reads."""
    return [field for field in events.family.fields if field.type in {FieldType.INTEGER, FieldType.DECIMAL}]


def _exact(events: EventFiles) -> str:
    """The numbers of a line as they are written, where one may have more digits than a double gives back."""
    fields = _exact_fields(events)
    names = [field.name for field in events.family.fields]
    if not fields:
        return "NULL"
    long = " OR ".join(
        f"(kinds[{names.index(field.name) + 1}] = 'DOUBLE' AND (contains(\"{_LINE}\", '\\u')"
        f""" OR regexp_matches("{_LINE}", '"{field.name}"\\s*:\\s*-?([0-9.]{{17}}|[0-9.]+[eE])')))"""
        for field in fields
    )
    plain, cloud = (_list(f'{path}."{field.name}"' for field in fields) for path in ("$", "$.data"))
    digits = f'meterspec_numbers_as_texts("{_LINE}")'
    inside, outside = (f"json_extract_string({digits}, {paths})" for paths in (cloud, plain))
    return f"CASE WHEN {long} THEN CASE WHEN is_cloud THEN {inside} ELSE {outside} END END"


def _text(events: EventFiles, field: Field, number: int) -> str:
    """The text of a field; that of a number is written out without an exponent."""
    text = f"texts[{number}]"
    if field.type not in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.FLOAT}:
        return text
    exact = _exact_fields(events)
    if field in exact:
        text = f"coalesce(exact[{exact.index(field) + 1}], {text})"
    return f"CASE WHEN kinds[{number}] = 'DOUBLE' THEN meterspec_plain({text}) ELSE texts[{number}] END"


def _judged(events: EventFiles, paths: Sequence[Path], view: str) -> exp.Select:
    """The rows as the table keeps them: typed, why they are rejected, and then as they were read."""
    family = events.family
    fields = family.fields
    values = [b.named(value(field, b.column(f"{field.name} text")), f"{field.name} value") for field in fields]
    read = exp.select(exp.Star(), *values).from_(b.table(view)).subquery(b.identifier("rows"))
    readings = [
        of_json(field, *(b.column(f"{field.name} {part}") for part in ("text", "kind", "value"))) for field in fields
    ]
    data = b.all_of([b.not_null(b.column(_DATA)), b.not_(_among(b.column(_DATA), ["OBJECT", "NULL"]))])
    faults = [
        (b.not_(b.column(_OBJECT)), "not a JSON object"),
        (data, "data is not a JSON object"),
        (b.column(_TWICE), "a key stands in it twice"),
    ]
    unnamed = [number for number, path in enumerate(paths) if path in events.unnamed]
    if unnamed:
        other = b.binary(exp.NEQ, b.column(_TYPE), b.text(family.name))
        here = exp.In(this=b.column(_FILE), expressions=[b.number(number) for number in unnamed])
        faults.append((b.all_of([other, here]), f"type is not {family.name}"))
    rows = checked(readings, exp.select().from_(read), DuckDB(), (_LINE, _FILE, _KEYS), faults)
    kept = b.case([(b.not_null(b.column(REJECT_REASON)), b.column(_LINE))])
    columns = [b.column(name) for name in (*(field.name for field in fields), REJECT_REASON, _FILE, _KEYS)]
    return exp.select(*columns, b.named(kept, ROW)).from_(rows.subquery(b.identifier("judged")))


def _among(node: exp.Expr, texts: Iterable[str]) -> exp.Expr:
    return exp.In(this=node, expressions=[b.text(text) for text in texts])


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(quoted, texts)) + "]"


# Files that are none of the family --------------------------------------------------------------------------------


def _check(connection: DuckDBPyConnection, events: EventFiles, paths: Sequence[Path], table: str) -> None:
    """Raises `Failure` with MS701 or MS702 for a file without an event that is not what it should be."""
    family = events.family
    without = connection.execute(
        f'SELECT "{_FILE}" FROM {table} GROUP BY ALL HAVING count(*) = count({REJECT_REASON}) ORDER BY ALL'
    ).fetchall()
    for (file,) in without:
        rows = f'(SELECT {ROW} AS line FROM {table} WHERE "{_FILE}" = {file} AND json_valid({ROW}))'
        found = connection.execute(f"SELECT DISTINCT unnest(json_keys(line)) FROM {rows}").fetchall()
        keys = {str(key) for (key,) in found}
        if "specversion" in keys and "specversion" not in {field.name for field in family.fields}:
            found = connection.execute(f"SELECT DISTINCT unnest(json_keys(line, '$.data')) FROM {rows}").fetchall()
            keys |= {str(key) for (key,) in found} | {family.event_id, family.event_time, str(family.customer)}
        if not keys:
            _check_document(connection, paths[file], f'SELECT {ROW} FROM {table} WHERE "{_FILE}" = {file}')
        same_family(family, keys, paths[file])


def _check_document(connection: DuckDBPyConnection, path: Path, rows: str) -> None:
    """Raises `Failure` with MS701 for a file that is one document of JSON over several lines, or a list in one."""
    several = f"SELECT count(*) FROM ({rows}) AS rows(line) WHERE trim(line) = '{{' OR starts_with(trim(line), '[')"
    if connection.execute(several).fetchone() != (0,):
        hint = f"write an object in each line: `jq -c '.[]' {path.name} > events.jsonl` splits a list"
        raise Failure(
            UNREADABLE, path=path, reason="its lines are parts of one JSON document, not an event each", hint=hint
        )


# Numbers --------------------------------------------------------------------------------------------------------

_MACROS = r"""
CREATE OR REPLACE TEMP MACRO meterspec_numbers_as_texts(line) AS
    -- Whatever is a string is kept, and what is a number outside of one is put between marks that JSON cannot hold.
    replace(replace(replace(regexp_replace(line,
        '("(?:[^"\\]|\\.)*")|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)',
        '\1' || chr(2) || '\2' || chr(3), 'g'), chr(2) || chr(3), ''), chr(2), '"'), chr(3), '"');
CREATE OR REPLACE TEMP MACRO meterspec_plain(number) AS
    -- Digits times a power of ten; beyond 60 digits either way, any number stands for all.
    CASE WHEN regexp_full_match(number, '-?[0-9.]+[eE][+-]?[0-9]+') THEN list_transform(list_transform([{
        'sign': CASE WHEN starts_with(number, '-') THEN '-' ELSE '' END,
        'whole': regexp_extract(number, '^-?([0-9]*)', 1),
        'all': replace(regexp_extract(number, '^-?([0-9.]*)', 1), '.', ''),
        'power': coalesce(try_cast(regexp_extract(number, '[eE][+]?(-?[0-9]{1,9})$', 1) AS BIGINT),
            CASE WHEN contains(number, 'e-') OR contains(number, 'E-') THEN -1000000000 ELSE 1000000000 END)
    }], lambda n: {
        'sign': n.sign,
        'digits': ltrim(n.all, '0'),
        'point': length(n.whole) + n.power - (length(n.all) - length(ltrim(n.all, '0')))
    }), lambda n: n.sign || CASE
        WHEN n.digits = '' THEN '0'
        WHEN n.point > 60 THEN '1' || repeat('0', 60)
        WHEN n.point < -60 THEN '0.' || repeat('0', 60) || '1'
        WHEN n.point <= 0 THEN '0.' || repeat('0', -n.point) || n.digits
        WHEN n.point >= length(n.digits) THEN n.digits || repeat('0', n.point - length(n.digits))
        ELSE left(n.digits, n.point) || '.' || substr(n.digits, n.point + 1)
    END)[1] ELSE number END;
"""
