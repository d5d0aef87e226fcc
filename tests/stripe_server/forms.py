"""Bracketed form encoding, `tiers[0][up_to]=inf`, as nested dictionaries of texts."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from tests.stripe_server.errors import invalid

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def decode(text: str) -> dict[str, Any]:
    """A form body or query as nested dictionaries; the members of an array have their positions as keys."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict"):
        found = _NAME.fullmatch(name)
        if found is None:
            raise invalid(f"Invalid parameter name: {name}", name)
        *path, last = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        node = tree
        for step in path:
            below = node.setdefault(step or str(len(node)), {})
            if not isinstance(below, dict):
                raise invalid("Invalid hash", name)
            node = below
        if last in node:
            raise invalid(f"The parameter {name} was given twice.", name)
        node[last or str(len(node))] = value
    return tree
