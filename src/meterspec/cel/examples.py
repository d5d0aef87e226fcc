"""The smallest specs around one expression: what a rule about expressions shows as bad and as good."""

from __future__ import annotations

__all__ = ["filter_spec", "value_spec"]


def filter_spec(expression: str, /, **fields: str) -> str:
    """A meter that counts the events an expression selects. A field is given as its type, with `?` where it is
    optional, and with more keys after the type: `level="string, values = ['low', 'high']"`."""
    return f"""\
{family(fields)}
[[meters]]
name = "calls"
filter = {quoted(expression)}
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "COUNT" }}
"""


def value_spec(expression: str, /, **fields: str) -> str:
    """A meter that adds up an expression; fields are given as for `filter_spec`."""
    return f"""\
{family(fields)}
[[meters]]
name = "calls"
source = {{ kind = "family", family = "api.call" }}
aggregate = {{ fn = "SUM", value = {quoted(expression)} }}
"""


def family(fields: dict[str, str]) -> str:
    lines = ["[[families]]", 'name = "api.call"']
    for name, words in fields.items():
        kind, comma, rest = words.partition(",")
        required = "" if kind.endswith("?") else ", required = true"
        lines.append(f'schema.{name} = {{ type = "{kind.removesuffix("?")}"{required}{comma}{rest} }}')
    return "\n".join(lines) + "\n"


def quoted(expression: str) -> str:
    """A TOML string of the expression, without escapes."""
    if '"' not in expression and "\\" not in expression:
        return f'"{expression}"'
    return f"'''{expression}'''"
