"""What CEL has and the profile has not: each thing refused by name, with the reason and what to write instead."""

from __future__ import annotations

from meterspec.cel.examples import filter_spec, value_spec
from meterspec.cel.functions import FUNCTIONS
from meterspec.cel.lexer import short
from meterspec.cel.parser import Node
from meterspec.diagnostics import Rule, did_you_mean

__all__ = ["MACROS", "TYPE_NAMES", "about", "refusal", "unknown_function"]

UNKNOWN_FUNCTION = Rule(
    code="MS311",
    slug="unknown-function",
    title="An expression calls a function that does not exist",
    message="there is no function `{function}`",
    why="An expression calls the functions of CEL that every engine can compute alike; the documentation lists them.",
    bad=value_spec("math.absolute(change)", change="integer"),
    good=value_spec("math.abs(change)", change="integer"),
)
MAPS = Rule(
    code="MS340",
    slug="no-maps",
    title="An expression builds a map",
    message="maps are not in the profile",
    why="An event is flat: its fields hold single values, and a map has no place to go to.",
    bad=filter_spec("status == {'ok': 1}", status="string"),
    good=filter_spec("status == 'ok'", status="string"),
)
MESSAGES = Rule(
    code="MS341",
    slug="no-messages",
    title="An expression builds a message",
    message="messages are not in the profile: `{name}{{...}}`",
    why="Messages belong to Protocol Buffers. An expression here reads the fields of one event.",
    bad=filter_spec("status == Status{code: 1}", status="string"),
    good=filter_spec("status == 'ok'", status="string"),
)
INDEXING = Rule(
    code="MS342",
    slug="no-indexing",
    title="An expression takes an element by its index",
    message="indexing with `[...]` is not in the profile",
    why="Fields hold single values, so there is nothing to index; and an index can be out of range on a valid event.",
    bad=filter_spec("region[0] == 'e'", region="string"),
    good=filter_spec("region.startsWith('e')", region="string"),
)
COMPREHENSIONS = Rule(
    code="MS343",
    slug="no-comprehensions",
    title="An expression goes through a list",
    message="`{function}` goes through a list, which is not in the profile",
    why="Fields hold single values. A choice of constants is written with `in`.",
    bad=filter_spec("['eu', 'us'].exists(r, r == region)", region="string"),
    good=filter_spec("region in ['eu', 'us']", region="string"),
)
BYTES = Rule(
    code="MS344",
    slug="no-bytes",
    title="An expression has a bytes literal",
    message="bytes are not in the profile",
    why="No field of an event holds bytes; text is a string.",
    bad=filter_spec("region == b'eu'", region="string"),
    good=filter_spec("region == 'eu'", region="string"),
)
UNSIGNED = Rule(
    code="MS345",
    slug="no-unsigned",
    title="An expression has an unsigned number",
    message="unsigned numbers are not in the profile: `{number}`",
    why="Whole numbers are of one type, int; a field that cannot be negative has `min = 0`.",
    bad=filter_spec("tokens > 5u", tokens="integer"),
    good=filter_spec("tokens > 5", tokens="integer"),
)
OPTIONALS = Rule(
    code="MS346",
    slug="no-optional-syntax",
    title="An expression uses CEL's optional values",
    message="optional values (`.?`, `[?...]`) are not in the profile",
    why="A field that an event may lack is tested with has(): that reads the same in every implementation of CEL.",
    bad=filter_spec("event.?region == 'eu'", region="string?"),
    good=filter_spec("has(region) && region == 'eu'", region="string?"),
)
DYNAMIC = Rule(
    code="MS347",
    slug="no-dynamic-types",
    title="An expression asks for a type, or gives one up",
    message="`{name}` is not in the profile: every expression has one type that is known before any event",
    why="With types known in advance, an expression that compiles cannot fail on a valid event.",
    bad=filter_spec("dyn(status) == 200", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
NESTED_FIELD = Rule(
    code="MS348",
    slug="nested-field",
    title="An expression selects a field of a field",
    message="`{text}` selects a field of something that has no fields",
    why="An event is flat: its fields are named directly.",
    bad=filter_spec("event.status == 200", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
NOT_IN_PROFILE = Rule(
    code="MS349",
    slug="function-not-in-profile",
    title="An expression calls a function of CEL that the profile has not",
    message="`{function}` is not in the profile: {reason}",
    why="A function is in the profile where every engine gives the same result and no valid event can make it fail.",
    bad=filter_spec("bool(flag)", flag="string"),
    good=filter_spec("flag == 'true'", flag="string"),
)
ABSOLUTE_NAME = Rule(
    code="MS352",
    slug="no-absolute-names",
    title="A name begins with a point",
    message="names that begin with a point are not in the profile: `.{name}`",
    why="There is one space of names, the fields of the event.",
    bad=filter_spec(".status == 200", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)

MACROS = frozenset(
    ("all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry")
)
TYPE_NAMES = frozenset(("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type", "dyn"))
CHARACTERS = "a text without the characters it asks for would make it fail"
NOT_HERE: dict[str, tuple[str, str | None]] = {
    "bool": ("a text that is neither true nor false would make it fail", "compare instead: `flag == 'true'`"),
    "uint": ("whole numbers are of one type, int", "leave it out"),
    "bytes": ("no field holds bytes", None),
    "substring": (CHARACTERS, "use `startsWith`, `endsWith` or `matches`"),
    "charAt": (CHARACTERS, "use `startsWith`, `endsWith` or `matches`"),
    "indexOf": ("positions in a text differ between engines", "use `contains`"),
    "lastIndexOf": ("positions in a text differ between engines", "use `contains`"),
    "replace": ("engines replace differently", "compare with `in` or `matches`"),
    "split": ("it gives a list", "use `startsWith`, `contains` or `matches`"),
    "join": ("it takes a list", "join texts with `+`"),
    "reverse": ("engines take characters apart differently", None),
    "format": ("engines format differently", "join texts with `+`"),
    "quote": ("engines quote differently", None),
    "strings.quote": ("engines quote differently", None),
    "math.trunc": ("`int(x)` is the same", "write `int(x)`"),
    "math.sign": ("a condition is the same", "write `x > 0 ? 1 : x < 0 ? -1 : 0`"),
    "math.isNaN": ("there are no such numbers here: an event with one is rejected", "leave it out"),
    "math.isInf": ("there are no such numbers here: an event with one is rejected", "leave it out"),
    "math.isFinite": ("every number here is finite", "leave it out"),
    "math.sqrt": ("its result is rarely exact", None),
    "now": ("an expression that reads the clock gives another number tomorrow", "compare with a field of the event"),
    "cel.bind": ("an expression has no variables of its own", "write the expression out"),
}
NAMESPACES = {
    "sets": "it works on lists",
    "lists": "it works on lists",
    "base64": "no field holds bytes",
    "json": "an event is flat",
    "regex": "engines treat groups differently",
    "optional": "a field that an event may lack is tested with has()",
    "cel": "an expression has no variables of its own",
    "proto": "there are no messages",
    "net": "no field holds addresses",
    "ip": "no field holds addresses",
    "cidr": "no field holds addresses",
}
FAMILIAR = {
    "lower": "write `text.lowerAscii()`",
    "upper": "write `text.upperAscii()`",
    "tolowercase": "write `text.lowerAscii()`",
    "touppercase": "write `text.upperAscii()`",
    "len": "write `size(text)`",
    "length": "write `size(text)`",
    "count": "counting is the meter's `fn`",
    "sum": "adding up is the meter's `fn`",
    "abs": "write `math.abs(x)`",
    "ceil": "write `math.ceil(x)`",
    "ceiling": "write `math.ceil(x)`",
    "floor": "write `math.floor(x)`",
    "round": "write `math.round(x)`; the meter's `precision` rounds the quantity",
    "trunc": "write `int(x)`",
    "min": "write `math.least(a, b)`",
    "max": "write `math.greatest(a, b)`",
    "least": "write `math.least(a, b)`",
    "greatest": "write `math.greatest(a, b)`",
    "math.min": "write `math.least(a, b)`",
    "math.max": "write `math.greatest(a, b)`",
    "coalesce": "write `has(x) ? x : 0`",
    "ifnull": "write `has(x) ? x : 0`",
    "nvl": "write `has(x) ? x : 0`",
    "isnull": "write `!has(x)`",
    "exists": "write `has(field)`",
    "defined": "write `has(field)`",
    "iif": "write `condition ? a : b`",
    "float": "write `double(x)`",
    "decimal": "write `double(x)`: it gives a decimal",
    "integer": "write `int(x)`",
    "str": "write `string(x)`",
    "date": "write `timestamp('2026-01-31T00:00:00Z')`",
    "datetime": "write `timestamp('2026-01-31T00:00:00Z')`",
    "interval": "write `duration('1h')`",
    "mod": "write `a % b`",
    "pow": "CEL has no powers: write `x * x`",
    "like": "write `text.contains('...')` or `text.matches('...')`",
    "regexp": "write `text.matches('...')`",
    "year": "write `time.getFullYear()`",
    "month": "write `time.getMonth()`: January is 0",
    "day": "write `time.getDate()`",
    "hour": "write `time.getHours()`",
    "minute": "write `time.getMinutes()`",
    "getyear": "write `time.getFullYear()`",
    "getday": "write `time.getDayOfWeek()`: Sunday is 0",
    "if": "write `condition ? a : b`",
    "case": "write `condition ? a : b`",
    "tostring": "write `string(x)`",
    "toint": "write `int(x)`",
    "strip": "write `text.trim()`",
    "includes": "write `text.contains('...')`",
    "second": "write `time.getSeconds()`",
    "seconds": "write `time.getSeconds()`",
    "hours": "write `time.getHours()`",
    "minutes": "write `time.getMinutes()`",
    "weekday": "write `time.getDayOfWeek()`: Sunday is 0",
}
"""What people write from habit, and what it is in CEL."""

Refusal = tuple[Rule, int, int, str | None, dict[str, str]]
"""A finding: the rule, the characters it is about, a hint, and the facts of its message."""


def refusal(node: Node, text: str, known: frozenset[str] | set[str]) -> Refusal:
    """Why a kind of syntax is not in the profile. `known` are the fields that could be meant."""
    start, end = node.start, node.end
    match node.kind:
        case "map":
            return MAPS, start, end, "compare the field with a constant", {}
        case "message":
            name = text[node.args[0].start : node.args[0].end]
            return MESSAGES, start, end, "compare a field with a constant", {"name": name}
        case "index":
            inner = text[node.args[0].start : node.args[0].end]
            hint = f"for the first characters of a text, `{inner}.startsWith('...')`"
            return INDEXING, node.anchor, end, hint, {}
        case "bytes":
            return BYTES, start, end, f"write `{text[start:end].strip('() ')[1:]}`", {}
        case "uint":
            number = text[start:end].strip("() ")
            return UNSIGNED, start, end, f"write `{number[:-1]}`", {"number": number}
        case "optional":
            return OPTIONALS, start, end, "write `has(field) && ...` or `has(field) ? field : ...`", {}
        case "absolute":
            return ABSOLUTE_NAME, start, end, "take the point out", {"name": str(node.value)}
        case _:
            hint = (
                f"write `{node.value}`: fields are named directly" if node.value in known else "name a field directly"
            )
            return NESTED_FIELD, start, end, selection_hint(node, text, known), {"text": short(text[start:end])}


def selection_hint(node: Node, text: str, known: frozenset[str] | set[str]) -> str:
    name, target = str(node.value), node.args[0]
    if name in known:
        return f"write `{name}`: fields are named directly"
    if name in FUNCTIONS:
        return f"write `{short(text[target.start : target.end])}.{name}()`"
    hint = FAMILIAR.get(name.lower(), "name a field directly")
    return about(hint, short(text[target.start : target.end]))


def about(hint: str, target: str) -> str:
    """A hint with what a method is called on in place of `text` and `time`."""
    return hint.replace("`text.", f"`{target}.").replace("`time.", f"`{target}.").replace("(text)", f"({target})")


def unknown_function(name: str, start: int, end: int) -> Refusal:
    """Why a function cannot be called: CEL has it and the profile has not, or nobody has it."""
    if name in MACROS:
        return COMPREHENSIONS, start, end, "write `field in [...]`", {"function": name}
    if name in ("dyn", "type"):
        return DYNAMIC, start, end, "leave it out", {"name": f"{name}()"}
    if name in NOT_HERE:
        reason, hint = NOT_HERE[name]
        return NOT_IN_PROFILE, start, end, hint, {"function": name, "reason": reason}
    namespace, point, _ = name.partition(".")
    if point and namespace in NAMESPACES:
        return NOT_IN_PROFILE, start, end, None, {"function": name, "reason": NAMESPACES[namespace]}
    functions = [known for known in FUNCTIONS if known[0].isalpha()] + ["has", "timestamp", "duration"]
    hint = FAMILIAR.get(name.lower()) or did_you_mean(name, functions)
    return UNKNOWN_FUNCTION, start, end, hint, {"function": name}
