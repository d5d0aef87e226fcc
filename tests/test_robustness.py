"""No input crashes the front end: whatever the bytes, there is a program or there are findings that can be shown."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.diagnostics import Diagnostics
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.render import Palette, as_json, concise, diagnostics_json, full, order
from tests.conftest import FIXTURES, ROOT

SPECS = [*sorted((FIXTURES / "valid").rglob("*.toml")), *sorted(ROOT.glob("examples/*/meterspec.toml"))]
PIECES = [
    *(
        "[",
        "]",
        "[[",
        "{",
        "}",
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        "\\u0000",
        "#",
        "=",
        ",",
        ".",
        "\n",
        "\r",
        "\t",
        " ",
        "\x00",
    ),
    *("-", "0", "1e999", "-1e-999", "nan", "inf", "9" * 400, "0x", "true", "2026-01-05T10:00:00Z", "\ufeff", "é", "😀"),
    *("\u202e", "has(", "((((((((((", "? :", "&& ||", "/ 0", "[[meters]]", "[meters]", "[families.schema.x]", "name"),
    *("value", "window", "tiers", "up_to", "infinity", "group_by", "meterspec_", "event_id", "duration_ms", "null"),
]


def shown(data: bytes) -> str:
    """Everything a user could see of what a file gives."""
    out = Diagnostics()
    program = load([SpecFile("meterspec.toml", data)], out)
    found = order(out)
    assert (program is None) == out.has_errors
    printed = "".join(full(d, Palette()) + concise(d) for d in found)
    json.loads(as_json(diagnostics_json(found)))
    assert all(c.isprintable() or c == "\n" for c in printed)
    return printed


def damaged(draw: random.Random, text: str) -> str:
    """A text with a few random edits."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice([0, 0, 1, 1, 2, 10, 80]))
        match draw.randrange(6):
            case 0:
                text = text[:start] + text[end:]
            case 1 | 2:
                text = text[:start] + draw.choice(PIECES) + text[end:]
            case 3:
                text = text[:start]
            case 4:
                text = text[:end] + text[start:]
            case _:
                other = draw.randrange(len(text) + 1)
                text = text[:start] + text[other : other + draw.randint(0, 60)] + text[end:]
        if not text:
            break
    return text


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.parent.name}-{spec.stem}")
def test_random_edits_of_a_valid_spec(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    for seed in range(150):
        draw = random.Random(f"{spec.name} {seed}")
        shown(damaged(draw, text).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=300))
def test_bytes(data: bytes) -> None:
    shown(data)


@given(st.text(max_size=300))
def test_text(text: str) -> None:
    shown(text.encode("utf-8", "replace"))


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_pieces_of_the_language(pieces: list[str]) -> None:
    shown("".join(pieces).encode())


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES, "a", "b", "+", "*", "%", "<", "==", "in", "(", ")", "x.y", "f("]), max_size=60)
)
def test_any_expression(pieces: list[str]) -> None:
    text = "".join(pieces).replace("'''", "").replace("\r", "").replace("\x00", "").replace("\ufeff", "")
    head = '[[families]]\nname = "a"\nschema.n = { type = "integer", required = true }\n[[meters]]\nname = "m"\n'
    body = 'source = { kind = "family", family = "a" }\naggregate = { fn = "SUM", value = "n" }\n'
    shown(f"{head}{body}filter = '''\n{text}'''\n".encode())


HOSTILE = {
    "deep parentheses": "filter = '" + "(" * 5000 + "n" + ")" * 5000 + "'",
    "deep negation": "filter = '" + "!" * 4000 + "true'",
    "deep ternary": "filter = '" + "true ? " * 800 + "true" + " : false" * 800 + "'",
    "long chain": "filter = '" + " && ".join(["n > 1"] * 600) + "'",
    "long list": "filter = 'n in [" + ", ".join(map(str, range(3000))) + "]'",
    "open string of escapes": "filter = 'name == \"" + "\\n" * 1500,
    "long number": "filter = 'n > " + "9" * 4000 + "'",
    "deep array": "x = " + "[" * 20000,
    "deep inline table": "x = " + "{a=" * 20000,
    "long dotted key": "x" + ".x" * 20000 + " = 1",
    "many tables": "[[meters]]\n" * 3000,
    "wide integer": "x = " + "9" * 100000,
    "wide decimal": "x = 1e9999999999",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_spec_is_refused(text: str) -> None:
    head = '[[families]]\nname = "a"\nschema.n = { type = "integer", required = true }\n[[meters]]\nname = "m"\n'
    body = 'source = { kind = "family", family = "a" }\naggregate = { fn = "COUNT" }\n'
    assert shown(f"{head}{body}{text}\n".encode())
