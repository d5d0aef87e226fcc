"""Texts of specs and events reach the engine as values: none of them becomes SQL, and none of them changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterspec.cel.printer import show
from meterspec.cel.tree import Call, FieldRef, Literal
from meterspec.cel.types import Type
from meterspec.diagnostics import Diagnostics
from meterspec.events import find
from meterspec.run import run
from tests.corpus import check_text

TEXTS = [
    *("it's", '"', "'", "''", "\\", "\\'", "x\\' OR 1=1 -- ", "'; DROP TABLE text_event; --", "a\nb", "a\tb", "\r\n"),
    *("%", "_", "50%_", "{}", "{{ x }}", "${x}", "$1", "?", ":name", "/* */", "--", "é", "😀", "\u202e", "\ufeff"),
    *("NULL", "null", "TRUE", " ", " padded ", "\\x41", "\\u0041", "e'\\n'", "0x1F", "日本語", "🤦🏼‍♂️"),
]
SPEC = """\
[[families]]
name = "text.event"
schema.s = {{ type = "string", required = true }}

[[meters]]
name = "equal"
filter = {equal}
source = {{ kind = "family", family = "text.event" }}
aggregate = {{ fn = "COUNT", window = {{ kind = "lifetime" }}, group_by = ["s"] }}

[[meters]]
name = "contained"
filter = {contained}
source = {{ kind = "family", family = "text.event" }}
aggregate = {{ fn = "COUNT", window = {{ kind = "lifetime" }}, group_by = ["s"] }}

[[meters]]
name = "listed"
filter = {listed}
source = {{ kind = "family", family = "text.event" }}
aggregate = {{ fn = "COUNT", window = {{ kind = "lifetime" }}, group_by = ["s"] }}
"""


def toml_text(value: str) -> str:
    """A text as a TOML string; JSON's escapes but one are TOML's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def cel_text(value: str) -> str:
    """A text as a CEL literal."""
    equals = Call("equals", (FieldRef("s", Type.STRING), Literal(value, Type.STRING)), Type.BOOL)
    return show(equals).removeprefix("s == ")


@pytest.mark.parametrize("value", TEXTS, ids=ascii)
def test_a_text_is_a_value(value: str, tmp_path: Path) -> None:
    literal = cel_text(value)
    text = SPEC.format(
        equal=toml_text(f"s == {literal}"),
        contained=toml_text(f"s.contains({literal}) && s.startsWith({literal}) && s.endsWith({literal})"),
        listed=toml_text(f"s in [{literal}, 'other than all']"),
    )
    program, found = check_text(text)
    assert program is not None, [d.message for d in found]
    path = tmp_path / "events.jsonl"
    path.write_text(
        "".join(
            json.dumps({"event_id": str(n), "event_time": "2026-01-05T10:00:00Z", "s": other}) + "\n"
            for n, other in enumerate(TEXTS)
        ),
        encoding="utf-8",
    )
    done = run(program, find(program, [str(path)]), Diagnostics())
    by_meter = {name: [dict(r.group)["s"] for r in done.results if r.meter == name] for name in ("equal", "listed")}
    assert by_meter == {"equal": [value], "listed": [value]}
    contained = {dict(r.group)["s"] for r in done.results if r.meter == "contained"}
    assert contained == {t for t in TEXTS if t.startswith(value) and t.endswith(value)}
    assert done.quality[0].accepted == len(TEXTS)


def test_names_from_a_spec_are_quoted(tmp_path: Path) -> None:
    """Fields and views whose names are words of SQL."""
    text = """\
        [[families]]
        name = "select"
        event_id_field = "order"
        event_time_field = "group"
        customer_field = "where"
        table = 'odd."name; --'
        schema.from = { type = "integer", required = true }
        schema.Table = { type = "string" }
        [[meters]]
        name = "union"
        filter = "from > 0"
        source = { kind = "family", family = "select" }
        aggregate = { fn = "SUM", value = "from", window = { kind = "lifetime" }, group_by = ["where", "Table"] }
    """
    program, found = check_text(text)
    assert program is not None, [d.message for d in found]
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"order": "1", "group": "2026-01-05T10:00:00Z", "where": "c", "from": 5, "Table": "t"}\n', encoding="utf-8"
    )
    (result,) = run(program, find(program, [str(path)]), Diagnostics()).results
    assert (str(result.quantity), result.group) == ("5.000000", (("where", "c"), ("Table", "t")))
