"""Text and environment to a typed tree: every operator resolved to one overload, missing values, zero divisors and
constant conditions found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from meterspec.cel.bounds import NO_FACTS, Facts, Interval, Memo, bounds, facts, outcome, present, unwidened
from meterspec.cel.constants import (
    LONGEST,
    decimal_constant,
    duration_constant,
    in_years,
    int_constant,
    timestamp_constant,
    timestamp_text,
    zone_constant,
)
from meterspec.cel.evaluate import as_decimal, fold
from meterspec.cel.examples import filter_spec, value_spec
from meterspec.cel.functions import FUNCTIONS, LIST_OF, RESOLVE, Overload, Style
from meterspec.cel.lexer import MAX_DIGITS, MAX_INT, MIN_INT, NUMBER_RANGE, Problem, fits_decimal, short
from meterspec.cel.parser import Node, parse
from meterspec.cel.profile import DYNAMIC, MACROS, TYPE_NAMES, about, refusal, unknown_function
from meterspec.cel.tree import Call, Expr, FieldRef, ListOf, Literal, walk
from meterspec.cel.types import Environment, Type
from meterspec.diagnostics import Diagnostics, Edit, Rule, Severity, corrections, did_you_mean
from meterspec.source import Place

__all__ = ["GUARDED", "Checked", "check"]

UNKNOWN_FIELD = Rule(
    code="MS310",
    slug="unknown-field",
    title="An expression names a field that is not declared",
    message="there is no field `{name}`",
    why="A declared field gives the expression its type; a name that no event holds would give nothing, silently.",
    bad=filter_spec("statsu == 200", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
NO_OVERLOAD = Rule(
    code="MS312",
    slug="no-matching-overload",
    title="An operator or function does not take these types",
    message="`{function}` does not take {types}",
    why="Types never change silently, but for an int beside a decimal, which loses nothing.",
    bad=filter_spec("status == '200'", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
WRONG_RESULT = Rule(
    code="MS313",
    slug="wrong-result-type",
    title="An expression gives another type than its place needs",
    message="this gives {got}, and {wanted} is needed here",
    why="A filter says yes or no to an event; a value is what the event contributes.",
    bad=filter_spec("status", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
WRONG_ARGUMENTS = Rule(
    code="MS314",
    slug="wrong-number-of-arguments",
    title="A function gets too many or too few arguments",
    message="`{function}` takes {wanted}, not {got}",
    why="A function that gets something else than it needs would have to guess.",
    bad=value_spec("math.abs(change, 2)", change="integer"),
    good=value_spec("math.abs(change)", change="integer"),
)
MIXED_LIST = Rule(
    code="MS315",
    slug="mixed-list",
    title="A list holds values of different types",
    message="the list holds {first} and {other}",
    why="A value can equal only values of its own type, so one of them could never be found.",
    bad=filter_spec("status in [200, '404']", status="integer"),
    good=filter_spec("status in [200, 404]", status="integer"),
)
OUTSIDE_SET = Rule(
    code="MS316",
    slug="value-outside-set",
    title="A field is compared with a text it can never hold",
    message="`{field}` is never '{value}'",
    why="The field's `values` are all it can hold: an event with another is rejected. So the comparison is a slip.",
    bad=filter_spec("status == 'fialed'", status="string, values = ['ok', 'failed']"),
    good=filter_spec("status == 'failed'", status="string, values = ['ok', 'failed']"),
)
MISSING_VALUE = Rule(
    code="MS317",
    slug="missing-value-not-handled",
    title="An expression does not say what happens when a field is missing",
    message="`{name}` is optional, and this does not say what happens without it",
    why="An event may lack the field. `==`, `!=` and `in` know an answer then; anything else has none, so the "
    "expression has to say which events it means.",
    bad=filter_spec("latency > 100", latency="integer?"),
    good=filter_spec("has(latency) && latency > 100", latency="integer?"),
)
POSSIBLE_ZERO = Rule(
    code="MS318",
    slug="possible-division-by-zero",
    title="A divisor can be zero",
    message="`{divisor}` can be 0 here",
    why="A division by zero stops one engine and gives nothing on another. A spec that compiles cannot fail on a valid "
    "event, so the divisor is tested first, or its bounds leave zero out.",
    bad=value_spec("cost / double(calls)", cost="decimal", calls="integer, min = 0"),
    good=value_spec("calls != 0 ? cost / double(calls) : 0.0", cost="decimal", calls="integer, min = 0"),
)
ZERO_DIVISOR = Rule(
    code="MS319",
    slug="division-by-zero",
    title="A divisor is zero",
    message="`{divisor}` is 0: nothing can be divided by it",
    why="There is no number that a division by zero gives.",
    bad=value_spec("tokens / 0.0", tokens="integer"),
    good=value_spec("tokens / 1000.0", tokens="integer"),
)
INTEGER_DIVISION = Rule(
    code="MS320",
    slug="integer-division",
    title="A division of ints drops the fraction",
    message="an int divided by an int drops the fraction: {example}",
    why="CEL cuts `7 / 2` to 3, for each event, before anything is added up. A decimal keeps the fraction.",
    bad=value_spec("duration_ms / 3600000", duration_ms="integer, unit = 'ms'"),
    good=value_spec("duration_ms / 3600000.0", duration_ms="integer, unit = 'ms'"),
    severity=Severity.WARNING,
)
CONSTANT_CONDITION = Rule(
    code="MS321",
    slug="constant-condition",
    title="A condition is the same for every event",
    message="`{text}` is always {value}",
    why="A condition that no event can change selects all events or none. That is seldom meant.",
    bad=filter_spec("tokens >= 0", tokens="integer, min = 0"),
    good=filter_spec("tokens > 0", tokens="integer, min = 0"),
    severity=Severity.WARNING,
)
CONSTANT_VALUE = Rule(
    code="MS322",
    slug="constant-value",
    title="A value is the same for every event",
    message="every event gives {value}",
    why="A constant measures nothing but the number of events, which `COUNT` says plainly.",
    bad=value_spec("1", tokens="integer"),
    good=value_spec("tokens", tokens="integer"),
    severity=Severity.WARNING,
)
HAS_ARGUMENT = Rule(
    code="MS323",
    slug="has-takes-a-field",
    title="The function has() is asked about something that is not a field",
    message="has() takes the name of a field, not `{text}`",
    why="has() says whether the event holds a field.",
    bad=filter_spec("has(latency + 1)", latency="integer?"),
    good=filter_spec("has(latency)", latency="integer?"),
)
BRANCHES_DIFFER = Rule(
    code="MS324",
    slug="branches-differ",
    title="The branches of a conditional have different types",
    message="one branch gives {first} and the other {other}",
    why="An expression has one type, whichever way its conditions fall.",
    bad=value_spec("status == 200 ? 1 : '0'", status="integer"),
    good=value_spec("status == 200 ? 1 : 0", status="integer"),
)
LIST_VALUE = Rule(
    code="MS325",
    slug="list-outside-in",
    title="A list stands anywhere but after `in`",
    message="a list can only stand after `in`",
    why="Fields hold single values; the one thing to do with a list of constants is to look a value up in it.",
    bad=filter_spec("status == [200, 204]", status="integer"),
    good=filter_spec("status in [200, 204]", status="integer"),
)
NOT_A_LIST = Rule(
    code="MS326",
    slug="in-needs-a-list",
    title="The operator `in` has no list on its right",
    message="`in` takes a list on its right, not {got}",
    why="`in` looks a value up in a list that the expression spells out.",
    bad=filter_spec("'eu' in region", region="string"),
    good=filter_spec("region.contains('eu')", region="string"),
)
EVENT_TEXT = Rule(
    code="MS327",
    slug="conversion-of-event-text",
    title="Text from an event is converted",
    message="`{function}` of a text takes a constant only: the text of an event could fail to convert",
    why="A spec that compiles cannot fail on a valid event. Declare the field with the type it holds; then an event "
    "that does not keep to it is rejected, counted and kept.",
    bad=value_spec("int(amount)", amount="string"),
    good=value_spec("amount", amount="integer"),
)
NOT_PORTABLE = Rule(
    code="MS328",
    slug="no-portable-conversion",
    title="A conversion differs between engines",
    message="`{function}` does not take {types}: {reason}",
    why="The same spec gives the same number on every engine; a conversion that engines do differently cannot.",
    bad=filter_spec("string(cost) == '1.5'", cost="decimal"),
    good=filter_spec("cost == 1.5", cost="decimal"),
)
NOT_CONSTANT = Rule(
    code="MS334",
    slug="argument-not-constant",
    title="A pattern or a zone is not a constant",
    message="{what} has to be a constant text",
    why="A pattern and a zone are read when the spec is compiled, so that a bad one is found then and not by an event.",
    bad=filter_spec("model.matches(pattern)", model="string", pattern="string"),
    good=filter_spec("model.matches('^gpt-')", model="string"),
)
PART_OF_DURATION = Rule(
    code="MS335",
    slug="milliseconds-of-a-duration",
    title="The milliseconds of a duration are taken without its seconds",
    message="getMilliseconds() of a duration leaves out its whole seconds: 90.25 s gives 250",
    why="In CEL it is the part beyond the whole seconds, not the length in milliseconds. As a quantity it is seldom "
    "meant.",
    bad=value_spec("(event_time - started).getMilliseconds()", started="timestamp"),
    good=value_spec(
        "(event_time - started).getSeconds() * 1000 + (event_time - started).getMilliseconds()", started="timestamp"
    ),
    severity=Severity.WARNING,
)
NULL_VALUE = Rule(
    code="MS351",
    slug="null-is-no-value",
    title="Null is used as a value",
    message="`null` can only be compared with a field, by `==` or `!=`",
    why="A missing value has no number and no text. has() tells whether there is one.",
    bad=value_spec("tokens + null", tokens="integer"),
    good=value_spec("tokens", tokens="integer"),
)

GUARDED = frozenset({MISSING_VALUE, POSSIBLE_ZERO})
"""Rules about what a condition around an expression, or the filter of its meter, can rule out."""

BOOL, INT, DECIMAL, STRING, NULL, UNKNOWN = Type.BOOL, Type.INT, Type.DECIMAL, Type.STRING, Type.NULL, Type.UNKNOWN
TIMESTAMP, DURATION = Type.TIMESTAMP, Type.DURATION
Range = tuple[int, int]
NO_FIELDS: frozenset[str] = frozenset()

WORDS = {
    BOOL: "a bool",
    INT: "an int",
    DECIMAL: "a decimal",
    STRING: "a string",
    TIMESTAMP: "a timestamp",
    DURATION: "a duration",
    NULL: "null",
}
IDENTITY = {"int": INT, "double": DECIMAL, "string": STRING, "timestamp": TIMESTAMP, "duration": DURATION}
CONSTANTS: dict[str, Callable[[str, int, int], int | Decimal]] = {
    "int": int_constant,
    "double": decimal_constant,
    "timestamp": timestamp_constant,
    "duration": duration_constant,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression that compiles."""

    expr: Expr
    present: frozenset[str]
    """The optional fields that an event must have wherever this condition is true; empty for anything but a bool."""


def check(
    text: str,
    env: Environment,
    at: Place,
    out: Diagnostics,
    *,
    want: tuple[Type, ...] = (),
    present: frozenset[str] = NO_FIELDS,
    given: Expr | None = None,
    optional: bool = False,
) -> Checked | None:
    """The typed tree of an expression, or None where an error was reported (MS300 to MS399).

    `at` is where the text stands. `want` are the types its place takes; empty takes any. `present` are optional
    fields that every event has which the expression meets, and `given` is a condition that is true of every such event:
    the filter, for a value. `optional` lets the whole expression be a field that may be missing, as for UNIQUE.
    """
    checker = Checker(text, env, at, out, present)
    try:
        root = parse(text)
    except Problem as problem:
        checker.report(problem.rule, problem.start, problem.end, problem.hint, **problem.facts)
        return None
    if given is not None:
        checker.guards.append((given, True))
    expr = checker.whole(root, want, optional)
    if checker.failed:
        return None
    if expr.type is BOOL and checker.loose:
        return Checked(expr, checker.present_in(expr, True) | present)
    return Checked(expr, present if expr.type is BOOL else NO_FIELDS)


class Checker:
    """The state of checking one expression."""

    __slots__ = ("at", "env", "failed", "guards", "known", "loose", "memo", "out", "parts", "present", "root", "text")

    def __init__(self, text: str, env: Environment, at: Place, out: Diagnostics, present: frozenset[str]) -> None:
        self.text = text
        self.env = env
        self.at = at
        self.out = out
        self.present = present
        self.guards: list[tuple[Expr, bool]] = []
        """The conditions around the node that is being checked, and whether each is true there."""
        self.memo: Memo = {}
        self.known: dict[tuple[int, bool], frozenset[str]] = {}
        """The fields that each of them proves present, by the keys of `memo`."""
        self.loose: set[int] = set()
        """Where optional fields start that may be missing; an operator that minds looks its operands up here."""
        self.parts: list[tuple[Node, Call]] = []
        """Where milliseconds of durations are taken."""
        self.failed = False
        self.root: Node

    # Reporting.

    def report(self, rule: Rule, start: int, end: int, hint: str | None = None, **found: Any) -> None:
        self.failed = self.failed or rule.severity is Severity.ERROR
        self.out.report(rule, at=self.at.within(start, end), hint=hint, **found)

    def refuse(self, node: Node, rule: Rule, start: int, end: int, hint: str | None = None, **found: Any) -> Expr:
        """Reports an error, and gives the node that silences what would follow from it."""
        self.report(rule, start, end, hint, **found)
        return unknown(node)

    def found(self, node: Node, problem: Problem) -> Expr:
        return self.refuse(node, problem.rule, problem.start, problem.end, problem.hint, **problem.facts)

    def quote(self, node: Node) -> str:
        """The characters of a node, for a message or a hint."""
        return short(self.text[node.start : node.end])

    def grouped(self, node: Node) -> str:
        """The same as an operand of something that binds tightly."""
        text = self.quote(node)
        if node.kind not in LOOSE:
            return text
        within = node.anchor if node.kind == "unary" else node.args[0].start
        return text if node.start < within else f"({text})"

    def nested(self, node: Node, instead: str) -> str:
        """What to write instead of a node, in parentheses unless the node is the whole expression."""
        return instead if (node.start, node.end) == (self.root.start, self.root.end) else f"({instead})"

    # The whole expression.

    def whole(self, root: Node, want: tuple[Type, ...], optional: bool) -> Expr:
        self.root = root
        expr = CHECK[root.kind](self, root)
        if expr.type is UNKNOWN:
            return expr
        if expr.type is NULL:
            return self.refuse(root, NULL_VALUE, root.start, root.end)
        fits = not want or expr.type in want or (expr.type is INT and DECIMAL in want)
        if type(expr) is FieldRef and expr.at[0] in self.loose and not optional and fits:
            return self.missing(root, root, expr, expr.type)
        if not fits:
            return self.wrong_result(root, expr, want)
        if want and expr.type not in want:
            expr = widened(expr)
        if type(expr) is Literal:
            if expr.type is not BOOL:
                self.report(
                    CONSTANT_VALUE, root.start, root.end, "count the events with `COUNT`", value=self.quote(root)
                )
            else:
                self.constant_operand(root)
        if self.parts:
            self.milliseconds(expr)
        return expr

    def milliseconds(self, expr: Expr) -> None:
        """Warns of the milliseconds of a duration whose seconds are taken nowhere."""
        seconds = {node.args[0] for node in walk(expr) if type(node) is Call and node.overload == "duration_to_seconds"}
        for node, call in self.parts:
            if call.args[0] not in seconds:
                text = self.quote(node.args[0])
                hint = f"the whole length is `{text}.getSeconds() * 1000 + {text}.getMilliseconds()`"
                self.report(PART_OF_DURATION, *self.anchor(node), hint)

    def wrong_result(self, root: Node, expr: Expr, want: tuple[Type, ...]) -> Expr:
        hint = None
        if want == (BOOL,):
            wanted = "a condition (a bool)"
            if expr.type in (INT, DECIMAL):
                hint = f"compare it: `{self.grouped(root)} != 0`"
            elif expr.type is STRING:
                hint = f"compare it: `{self.grouped(root)} != ''`"
        else:
            numbers = set(want) == {INT, DECIMAL}
            words = [named(kind) for kind in want]
            wanted = "a number" if numbers else f"{', '.join(words[:-1])} or {words[-1]}"
            if expr.type is BOOL and INT in want:
                hint = f"write `{self.grouped(root)} ? 1 : 0`"
            elif expr.type is DURATION and INT in want:
                hint = f"write `{self.grouped(root)}.getSeconds()`"
            elif expr.type is STRING and numbers:
                hint = "`UNIQUE` counts different texts; a field that holds numbers is declared so"
            elif expr.type is DECIMAL:
                hint = "decimals are seldom equal: take a whole number, such as `int(x)`, or an id"
        return self.refuse(root, WRONG_RESULT, root.start, root.end, hint, got=named(expr.type), wanted=wanted)

    # Names and literals.

    def name(self, node: Node) -> Expr:
        name = node.value
        assert isinstance(name, str)
        variable = self.env.get(name)
        start = node.anchor
        if variable is None:
            return self.unknown_name(node, name)
        if variable.nullable and not self.proved(name):
            self.loose.add(start)
        return FieldRef(name, variable.type, (start, start + len(name)))

    def beside(self, node: Node, text: Expr) -> Expr:
        """An operand beside another, where a name that is no field may be a text without its quotes."""
        if node.kind == "name" and text.type is STRING and node.value not in self.env:
            return self.unknown_name(node, str(node.value), bare_text=True)
        return CHECK[node.kind](self, node)

    def unknown_name(self, node: Node, name: str, bare_text: bool = False) -> Expr:
        start, end = node.anchor, node.anchor + len(name)
        if name in TYPE_NAMES:
            return self.refuse(node, DYNAMIC, start, end, "leave it out", name=name)
        literal = {"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null"}.get(name.lower())
        if literal:
            hint: str | None = f"write `{literal}`"
            edits = self.corrections(start, end, [literal])
        else:
            hint = did_you_mean(name, self.env) if len(name) > 2 else None
            edits = () if bare_text else self.corrections(start, end, self.env)
            if bare_text:
                hint = (
                    f"{hint.removesuffix('?')}, or the text `'{name}'`?" if hint else f"write `'{name}'` for the text"
                )
            if hint is None and self.env:
                names = [f"`{known}`" for known in self.env]
                rest = f" and {len(names) - 8} more" if len(names) > 8 else ""
                hint = f"the fields are {', '.join(names[:8])}{rest}"
        return self.refuse(node, UNKNOWN_FIELD, start, end, hint, edits=edits, name=name)

    def corrections(self, start: int, end: int, known: Iterable[str]) -> tuple[Edit, ...]:
        """The repair of what is written there, where it is certain to be a known name."""
        return corrections(self.at.within(start, end), self.text[start:end], known)

    def literal(self, node: Node) -> Expr:
        value = node.value
        return Literal(value, LITERALS[node.kind], (node.start, node.end))

    def refused(self, node: Node) -> Expr:
        rule, start, end, hint, found = refusal(node, self.text, set(self.env))
        return self.refuse(node, rule, start, end, hint, **found)

    def list_value(self, node: Node) -> Expr:
        return self.refuse(node, LIST_VALUE, node.start, node.end, "write `field in [...]`")

    # Missing values.

    def proved(self, name: str) -> bool:
        """Whether every event that gets here has this optional field."""
        return name in self.present or any(name in self.present_in(guard, truth) for guard, truth in self.guards)

    def present_in(self, guard: Expr, truth: bool) -> frozenset[str]:
        key = id(guard), truth
        if key not in self.known:
            self.known[key] = present(facts(guard, truth, self.memo), self.env)
        return self.known[key]

    def lacking(self, node: Node, args: tuple[Expr, ...], result: Type | str) -> Expr | None:
        """Reports the first operand that is an optional field which may be missing."""
        for arg in args:
            if type(arg) is FieldRef and arg.at[0] in self.loose:
                return self.missing(node, node, arg, Type(result))
        return None

    def missing(self, node: Node, around: Node, field: FieldRef, result: Type) -> Expr:
        """Reports a field that may be missing; `around` is what cannot do without it, and `result` its type."""
        name, text = field.name, self.quote(around)
        self.present |= {name}  # said once
        if field.type is BOOL and result is BOOL:
            hint = f"write `{name} == true`, or test it first: `has({name}) && ...`"
        elif result is BOOL:
            hint = f"write `has({name}) && {text}`"
        elif result in ZEROS:
            hint = f"write `{self.nested(around, f'has({name}) ? {text} : {ZEROS[result]}')}`"
        else:
            hint = f"test it first: `has({name}) && ...`, or `has({name}) ? ... : ...`"
        return self.refuse(node, MISSING_VALUE, *field.at, hint, name=name)

    # Operators.

    def logic(self, node: Node) -> Expr:
        symbol = node.value
        assert isinstance(symbol, str)
        first, second = node.args
        left = CHECK[first.kind](self, first)
        self.guards.append((left, symbol == "&&"))
        right = CHECK[second.kind](self, second)
        self.guards.pop()
        if left.type is not BOOL or right.type is not BOOL:
            if left.type is UNKNOWN or right.type is UNKNOWN:
                return unknown(node)
            return self.not_a_condition(node, symbol, (first, second), (left, right))
        if self.loose:
            lack = self.lacking(node, (left, right), BOOL)
            if lack is not None:
                return lack
        self.constant_operand(first)
        self.constant_operand(second)
        overload = "logical_and" if symbol == "&&" else "logical_or"
        return self.call(node, overload, (left, right), BOOL, (node.anchor, node.anchor + 2))

    def not_a_condition(self, node: Node, symbol: str, nodes: tuple[Node, ...], args: tuple[Expr, ...]) -> Expr:
        """Reports an operand of `&& || ! ?:` that is no bool."""
        for operand, arg in zip(nodes, args, strict=True):
            if arg.type is not BOOL:
                text = self.grouped(operand)
                hints = {
                    INT: f"write `{text} != 0`",
                    DECIMAL: f"write `{text} != 0.0`",
                    STRING: f"write `{text} != ''`",
                }
                anchor = node.anchor, node.anchor + len(symbol)
                first = nodes[0]
                if (
                    symbol == "||"
                    and args[0].type in ZEROS
                    and args[1].type is not BOOL
                    and first.kind == "name"
                    and first.value in self.env
                ):
                    name, other = self.quote(first), self.quote(nodes[1])
                    hints[args[0].type] = f"write `has({name}) ? {name} : {other}`, or compare it"
                types = named(arg.type)
                return self.refuse(node, NO_OVERLOAD, *anchor, hints.get(arg.type), function=symbol, types=types)
        raise AssertionError(symbol)

    def constant_operand(self, node: Node) -> None:
        """Warns of `true` or `false` written out where a condition is decided by it."""
        if node.kind == "bool":
            text = self.quote(node)
            self.report(CONSTANT_CONDITION, node.start, node.end, "leave it out", text=text, value=text)

    def unary(self, node: Node) -> Expr:
        symbol = node.value
        assert isinstance(symbol, str)
        inner = CHECK[node.args[0].kind](self, node.args[0])
        kind = inner.type
        if kind is UNKNOWN:
            return unknown(node)
        if symbol == "!":
            if kind is not BOOL:
                return self.not_a_condition(node, symbol, node.args, (inner,))
            self.constant_operand(node.args[0])
        elif kind is not INT and kind is not DECIMAL:
            return self.no_overload(node, symbol, (inner,), node.args)
        if self.loose:
            lack = self.lacking(node, (inner,), kind)
            if lack is not None:
                return lack
        overload = "logical_not" if symbol == "!" else "negate_int64" if kind is INT else "negate_decimal"
        return self.call(node, overload, (inner,), kind, (node.anchor, node.anchor + 1))

    def binary(self, node: Node) -> Expr:
        symbol = node.value
        assert isinstance(symbol, str)
        first, second = node.args
        left = CHECK[first.kind](self, first)
        right = CHECK[second.kind](self, second)
        resolved = RESOLVE.get((symbol, left.type, right.type))
        if resolved is None:
            if left.type is UNKNOWN or right.type is UNKNOWN:
                return unknown(node)
            return self.no_overload(node, symbol, (left, right), (first, second))
        overload, widens = resolved
        if self.loose:
            lack = self.lacking(node, (left, right), overload.result)
            if lack is not None:
                return lack
        if widens:
            left, right = widened(left), widened(right)
        anchor = node.anchor, node.anchor + len(symbol)
        args = (left, right)
        if symbol in {"/", "%"}:
            unsafe = self.divisor(node, left, right)
            if unsafe is not None:
                return unsafe
            if overload.id == "divide_int64":
                self.integer_division(node, left, right)
        elif overload.id == "add_duration_timestamp":
            return self.call(node, "add_timestamp_duration", (right, left), TIMESTAMP, anchor)
        call = self.call(node, overload.id, args, overload.result, anchor)
        if overload.result is BOOL and type(call) is Call:
            self.comparison(node, call)
        return call

    def equality(self, node: Node) -> Expr:
        symbol = node.value
        assert isinstance(symbol, str)
        first, second = node.args
        left = CHECK[first.kind](self, first)
        if second.kind == "list":
            text = f"{self.quote(first)} in {self.quote(second)}"
            hint = f"write `{text}`" if symbol == "==" else f"write `!({text})`"
            return self.refuse(node, LIST_VALUE, second.start, second.end, hint)
        right = self.beside(second, left)
        resolved = RESOLVE.get((symbol, left.type, right.type))
        if resolved is None:
            if left.type is UNKNOWN or right.type is UNKNOWN:
                return unknown(node)
            if left.type is NULL or right.type is NULL:
                return self.against_null(node, left, right)
            return self.no_overload(node, symbol, (left, right), (first, second))
        overload, widens = resolved
        if widens:
            left, right = widened(left), widened(right)
        if left.type is STRING:
            if type(left) is FieldRef and type(right) is Literal:
                if not self.in_set(left, right):
                    return unknown(node)
            elif type(right) is FieldRef and type(left) is Literal and not self.in_set(right, left):
                return unknown(node)
        call = self.call(node, overload.id, (left, right), BOOL, (node.anchor, node.anchor + 2))
        if type(call) is Call:
            self.comparison(node, call)
        return call

    def against_null(self, node: Node, left: Expr, right: Expr) -> Expr:
        """`field == null` is `!has(field)`, and `field != null` is `has(field)`."""
        field = left if right.type is NULL else right
        if field.type is NULL or type(field) is not FieldRef:
            other = node.args[1] if right is field else node.args[0]
            if field.type is NULL:
                return self.refuse(node, NULL_VALUE, node.start, node.end)
            hint = f"`{self.quote(other)}` always has a value: leave the comparison out"
            return self.refuse(node, NULL_VALUE, node.start, node.end, hint)
        anchor = node.anchor, node.anchor + 2
        at = node.start, node.end
        there = Call("has", (field,), BOOL, at, anchor)
        if not self.env[field.name].nullable:
            self.always(node, node.value == "!=", f"`{field.name}` is required: every event has it")
        return there if node.value == "!=" else Call("logical_not", (there,), BOOL, at, anchor)

    def membership(self, node: Node) -> Expr:
        first, second = node.args
        item = CHECK[first.kind](self, first)
        anchor = node.anchor, node.anchor + 2
        if second.kind != "list":
            right = CHECK[second.kind](self, second)
            if item.type is UNKNOWN or right.type is UNKNOWN:
                return unknown(node)
            hint = f"write `{self.quote(first)} == {self.quote(second)}`"
            if item.type is STRING and right.type is STRING:
                hint = f"write `{self.quote(second)}.contains({self.quote(first)})`"
            return self.refuse(node, NOT_A_LIST, *anchor, hint, got=named(right.type))
        found = []
        for one in second.args:  # a loop costs no frame, and expressions are deep
            found.append(self.beside(one, item))  # noqa: PERF401
        items = tuple(found)
        if item.type is UNKNOWN or any(one.type is UNKNOWN for one in items):
            return unknown(node)
        kinds = {one.type for one in items}
        if item.type is NULL or NULL in kinds:
            where = first if item.type is NULL else second.args[[one.type for one in items].index(NULL)]
            text = self.quote(first)
            instead = f"write `{text} == null || {text} in [...]`" if item.type is not NULL else None
            return self.refuse(node, NULL_VALUE, where.start, where.end, instead)
        if len(kinds) > 1 and kinds != {INT, DECIMAL}:
            alike = (INT, DECIMAL) if items[0].type in (INT, DECIMAL) else (items[0].type,)
            position = next(i for i, one in enumerate(items) if one.type not in alike)
            other = second.args[position]
            types = {"first": named(items[0].type), "other": named(items[position].type)}
            return self.refuse(node, MIXED_LIST, other.start, other.end, "write values of one type", **types)
        kinds.add(item.type)
        if kinds == {INT, DECIMAL}:
            item, items = widened(item), tuple(widened(one) for one in items)
        elif len(kinds) > 1:
            return self.no_overload(node, "in", (item, ListOf(items, LIST_OF[items[0].type])), (first, second))
        if type(item) is FieldRef and item.type is STRING:
            checked = [self.in_set(item, one) for one in items if type(one) is Literal]
            if not all(checked):
                return unknown(node)
        kind = LIST_OF[item.type] if items else Type.LIST_NULL
        elements = ListOf(items, kind, (second.start, second.end))
        call = Call("in_list", (item, elements), BOOL, (node.start, node.end), anchor)
        if not items:
            self.always(node, False, "name at least one value")
        elif type(item) is Literal and all(type(one) is Literal for one in items):
            found_in = any(one.value == item.value for one in items if type(one) is Literal)
            self.always(node, found_in, "no field is in it")
        return call

    def in_set(self, field: FieldRef, literal: Literal) -> bool:
        """Whether a closed set of texts holds a constant; reports MS316 where not."""
        values = self.env[field.name].values
        if values is None or literal.value in values:
            return True
        value = str(literal.value)
        near = did_you_mean(value, values)
        if near is not None:
            near = near.replace("`", "'")
        hint = near or f"it is one of {', '.join(repr(one) for one in values[:8])}{' ...' if len(values) > 8 else ''}"
        start, end = literal.at[0] + 1, literal.at[1] - 1  # between the quotes
        plain = self.text[start:end] == value
        edits = self.corrections(start, end, [one for one in values if not set(one) & set("'\"\\")]) if plain else ()
        self.report(OUTSIDE_SET, *literal.at, hint, edits=edits, field=field.name, value=short(value))
        return False

    def conditional(self, node: Node) -> Expr:
        first, second, third = node.args
        condition = CHECK[first.kind](self, first)
        self.guards.append((condition, True))
        then = CHECK[second.kind](self, second)
        self.guards[-1] = (condition, False)
        otherwise = CHECK[third.kind](self, third)
        self.guards.pop()
        if condition.type is not BOOL and condition.type is not UNKNOWN:
            return self.not_a_condition(node, "?", (first,), (condition,))
        if UNKNOWN in (condition.type, then.type, otherwise.type):
            return unknown(node)
        if then.type is NULL or otherwise.type is NULL:
            branch = second if then.type is NULL else third
            hint = "leave such events out with the meter's `filter`, or give a value for them"
            return self.refuse(node, NULL_VALUE, branch.start, branch.end, hint)
        resolved = RESOLVE.get(("?:", BOOL, then.type, otherwise.type))
        if resolved is None:
            types = {"first": named(then.type), "other": named(otherwise.type)}
            return self.refuse(node, BRANCHES_DIFFER, node.anchor, node.anchor + 1, **types)
        if self.loose:
            for arg, around in ((condition, first), (then, second), (otherwise, third)):
                if type(arg) is FieldRef and arg.at[0] in self.loose:
                    return self.missing(node, around, arg, arg.type)
        if resolved[1]:
            then, otherwise = widened(then), widened(otherwise)
        self.constant_operand(first)
        args = (condition, then, otherwise)
        return self.call(node, "conditional", args, then.type, (node.anchor, node.anchor + 1))

    def divisor(self, node: Node, left: Expr, right: Expr) -> Expr | None:
        """Reports a divisor that is zero, or can be."""
        second = node.args[1]
        if type(right) is Literal:
            if right.value:
                return None
            return self.refuse(node, ZERO_DIVISOR, second.start, second.end, divisor=self.quote(second))
        between = bounds(right, self.env, self.facts())
        if between.excludes_zero:
            return None
        if between.low == 0 == between.high:
            return self.refuse(node, ZERO_DIVISOR, second.start, second.end, divisor=self.quote(second))
        text, divisor = self.quote(node), self.quote(second)
        zero = "0.0" if DECIMAL in (left.type, right.type) else "0"
        hint = f"write `{self.nested(node, f'{divisor} != 0 ? {text} : {zero}')}`"
        if type(unwidened(right)) is FieldRef:
            hint += f", or give `{divisor}` a `min` above 0"
        return self.refuse(node, POSSIBLE_ZERO, second.start, second.end, hint, divisor=divisor)

    def facts(self) -> Facts:
        """What the conditions around the node that is being checked say."""
        known = NO_FACTS
        for guard, truth in self.guards:
            known |= facts(guard, truth, self.memo)
        return known

    def integer_division(self, node: Node, left: Expr, right: Expr) -> None:
        first, second = node.args
        symbol = node.anchor, node.anchor + 1
        edits: tuple[Edit, ...]
        if type(right) is Literal and type(right.value) is int:
            if type(left) is Literal and type(left.value) is int and left.value % right.value == 0:
                return
            exact = f"{right.value}.0"
            edits = (Edit(self.at.within(second.start, second.end), exact),)
            hint = f"write `{self.quote(first)} / {exact}`"
            example = f"{abs(right.value) - 1} / {abs(right.value)} is 0" if abs(right.value) > 1 else "7 / 2 is 3"
        else:
            example = "7 / 2 is 3"
            hint = f"write `double({self.quote(first)}) / {self.quote(second)}`"
            around = ((first.start, "double("), (first.end, ")"))
            edits = tuple(Edit(self.at.within(at, at), text) for at, text in around)
        place = self.at.within(*symbol)
        self.out.report(INTEGER_DIVISION, at=place, hint=hint, edits=edits, example=example)

    # Conditions that never change.

    def comparison(self, node: Node, call: Call) -> None:
        """Warns of a comparison whose outcome is the same for every event."""
        left, right = call.args
        if type(left) is Literal or type(right) is Literal:
            field, literal = (right, left) if type(left) is Literal else (left, right)
            if type(field) is FieldRef and not self.at_edge(field, literal):
                return
            always = outcome(call, self.env)
            if always is not None:
                self.always(node, always, between(bounds(field, self.env), short(self.text[slice(*field.at)])))
        elif left == right:
            self.always(node, call.overload == "equals" or "_equals_" in call.overload, "both sides are the same")

    def at_edge(self, field: FieldRef, literal: Expr) -> bool:
        """Whether a constant lies at or beyond a bound of a field; most lie between, and need no closer look."""
        variable = self.env[field.name]
        low, high = variable.low, variable.high
        if low is None and high is None:
            return False
        value = literal.value if type(literal) is Literal else None
        if not isinstance(value, int | Decimal):
            return False
        return (low is not None and value <= low) or (high is not None and value >= high)

    def always(self, node: Node, value: bool, hint: str | None = None) -> None:
        text = "true" if value else "false"
        self.report(CONSTANT_CONDITION, node.start, node.end, hint, text=self.quote(node), value=text)

    # Calls.

    def call(self, node: Node, overload: str, args: tuple[Expr, ...], result: Type | str, anchor: Range) -> Expr:
        """A call; a constant where its arguments are."""
        kind = result if type(result) is Type else Type(result)
        for arg in args:
            if type(arg) is not Literal:
                return Call(overload, args, kind, (node.start, node.end), anchor)
        return self.constant(node, overload, args, kind, anchor)

    def constant(self, node: Node, overload: str, args: tuple[Expr, ...], result: Type, anchor: Range) -> Expr:
        at = node.start, node.end
        literals = tuple(arg for arg in args if type(arg) is Literal)
        try:
            folded = fold(overload, literals, result)
        except OverflowError:  # an instant that its zone moves out of the calendar
            return self.refuse(node, NUMBER_RANGE, *anchor, number=self.quote(node), limit=LIMITS[TIMESTAMP])
        if folded is None:
            return Call(overload, args, result, at, anchor)
        value = folded.value
        if not representable(value, result):
            hint = "write one of them as a decimal, with `.0`" if result is INT and len(args) == 2 else None
            return self.refuse(node, NUMBER_RANGE, *anchor, hint, number=self.quote(node), limit=LIMITS[result])
        if result is BOOL and node.kind not in ("logic", "unary", "conditional"):
            self.always(node, bool(value), "no field is in it")
        return Literal(value, result, at)

    def function(self, node: Node) -> Expr:
        name = node.value
        assert isinstance(name, str)
        if name == "has":
            return self.has(node)
        if name in IDENTITY:
            return self.conversion(node, name)
        overloads = FUNCTIONS.get(name)
        if overloads is None:
            return self.no_function(node, name)
        if overloads[0].style is Style.METHOD:
            if len(node.args) == 0:
                return self.refuse(
                    node,
                    WRONG_ARGUMENTS,
                    *self.anchor(node),
                    f"write `text.{name}(...)`",
                    function=name,
                    wanted="what it is called on",
                    got="nothing",
                )
            inner = ", ".join(self.quote(one) for one in node.args[1:])
            hint = f"write `{self.quote(node.args[0])}.{name}({inner})`"
            rule, start, end, _, found = unknown_function(name, *self.anchor(node))
            return self.refuse(node, rule, start, end, hint, **found)
        return self.resolve(node, name, node.args)

    def method(self, node: Node) -> Expr:
        name = node.value
        assert isinstance(name, str)
        target = node.args[0]
        if target.kind == "absolute":
            return self.refused(target)
        if target.kind == "name" and target.value not in self.env:
            qualified = f"{target.value}.{name}"
            if qualified in FUNCTIONS:
                node.anchor, node.value = target.anchor, qualified
                return self.resolve(node, qualified, node.args[1:])
            if name not in MACROS and (target.value == "math" or name not in FUNCTIONS):
                return self.no_function(node, qualified, target.anchor)
        overloads = FUNCTIONS.get(name)
        if overloads is None or overloads[0].style not in (Style.METHOD, Style.EITHER):
            return self.no_function(node, name)
        return self.resolve(node, name, node.args)

    def anchor(self, node: Node) -> Range:
        """The name of the function that a node calls."""
        return node.anchor, node.anchor + len(str(node.value))

    def no_function(self, node: Node, name: str, start: int | None = None) -> Expr:
        begin, end = self.anchor(node)
        rule, begin, end, hint, found = unknown_function(name, begin if start is None else start, end)
        if node.kind == "method" and (name in IDENTITY or name == "has"):
            hint = f"write `{name}(...)`"
        elif node.kind == "method" and hint is not None:
            hint = about(hint, self.quote(node.args[0]))
        meant = FUNCTIONS if hint and hint.startswith("did you mean") else ()
        return self.refuse(node, rule, begin, end, hint, edits=self.corrections(begin, end, meant), **found)

    def resolve(self, node: Node, name: str, nodes: tuple[Node, ...]) -> Expr:
        """A call of a function that exists: its arguments, the overload they choose, and what only it demands."""
        found = []
        for one in nodes:  # a loop costs no frame, and expressions are deep
            found.append(CHECK[one.kind](self, one))  # noqa: PERF401
        args = tuple(found)
        kinds = [arg.type for arg in args]
        if UNKNOWN in kinds:
            return unknown(node)
        overloads = FUNCTIONS[name]
        if overloads[0].variadic and len(args) > 2:
            kinds = [DECIMAL if DECIMAL in kinds else INT] * 2 if set(kinds) <= {INT, DECIMAL} else kinds[:2]
            if {arg.type for arg in args} - {INT, DECIMAL}:
                return self.no_overload(node, name, args, nodes)
        resolved = RESOLVE.get((name, *kinds))
        if resolved is None:
            return self.no_overload(node, name, args, nodes)
        overload, widens = resolved
        if self.loose:
            lack = self.lacking(node, args, overload.result)
            if lack is not None:
                return lack
        if widens or (overload.variadic and DECIMAL in kinds):
            args = tuple(widened(arg) for arg in args)
        anchor = self.anchor(node)
        if overload.id == "matches_string":
            return self.pattern(node, nodes, args, anchor)
        if overload.id.endswith("_with_tz"):
            return self.zoned(node, overload, args, nodes[1], anchor)
        call = self.call(node, overload.id, args, overload.result, anchor)
        if overload.id == "duration_to_milliseconds" and type(call) is Call:
            self.parts.append((node, call))
        return call

    def pattern(self, node: Node, nodes: tuple[Node, ...], args: tuple[Expr, ...], anchor: Range) -> Expr:
        pattern = args[1]
        if type(pattern) is not Literal:
            hint = "write the pattern out: `'^gpt-'`"
            return self.refuse(node, NOT_CONSTANT, nodes[1].start, nodes[1].end, hint, what="a pattern")
        from meterspec.cel.pattern import parse_pattern  # noqa: PLC0415 - only where a pattern is

        value, (start, end) = str(pattern.value), pattern.at
        try:
            parse_pattern(value)
        except Problem as problem:
            offset = self.text.find(value, start, end)
            if offset >= 0:  # written without escapes, so that its characters can be pointed at
                start, end = offset + problem.start, offset + problem.end
            return self.refuse(node, problem.rule, start, end, problem.hint, **problem.facts)
        return Call("matches_string", args, BOOL, (node.start, node.end), anchor)

    def zoned(self, node: Node, overload: Overload, args: tuple[Expr, ...], zone: Node, anchor: Range) -> Expr:
        constant = args[1]
        if type(constant) is not Literal:
            hint = "write the zone out: `'Europe/Berlin'`"
            return self.refuse(node, NOT_CONSTANT, zone.start, zone.end, hint, what="a zone")
        try:
            name = zone_constant(str(constant.value), zone.start, zone.end)
        except Problem as problem:
            return self.found(node, problem)
        if name is None:
            return self.call(node, overload.id.removesuffix("_with_tz"), args[:1], INT, anchor)
        return self.call(node, overload.id, (args[0], Literal(name, STRING, constant.at)), INT, anchor)

    def has(self, node: Node) -> Expr:
        anchor = self.anchor(node)
        if len(node.args) != 1:
            return self.arguments(node, "has", len(node.args), "one field")
        field = node.args[0]
        if field.kind != "name":
            hint = "name a field: `has(region)`"
            if field.kind == "select" and field.value in self.env:
                hint = f"write `has({field.value})`: fields are named directly"
            return self.refuse(node, HAS_ARGUMENT, field.start, field.end, hint, text=self.quote(field))
        name = str(field.value)
        variable = self.env.get(name)
        if variable is None:
            return self.unknown_name(field, name)
        if not variable.nullable:
            self.always(node, True, f"`{name}` is required: every event has it")
        elif not self.loose:
            self.loose.add(-1)  # so that `present` is worked out
        reference = FieldRef(name, variable.type, (field.anchor, field.anchor + len(name)))
        return Call("has", (reference,), BOOL, (node.start, node.end), anchor)

    def conversion(self, node: Node, name: str) -> Expr:
        """int() double() string() timestamp() duration()."""
        if len(node.args) != 1:
            return self.arguments(node, name, len(node.args), "one argument")
        inner = node.args[0]
        arg = CHECK[inner.kind](self, inner)
        kind = arg.type
        anchor = self.anchor(node)
        if kind is UNKNOWN:
            return unknown(node)
        if kind is IDENTITY[name]:
            return arg
        if kind is NULL:
            return self.refuse(node, NULL_VALUE, inner.start, inner.end)
        if kind is STRING and name in CONSTANTS:
            if type(arg) is not Literal:
                words = {"int": "integer", "double": "decimal", "timestamp": "timestamp"}
                field, declared = self.quote(inner), words.get(name)
                hint = f'declare `{field}` with `type = "{declared}"`' if type(arg) is FieldRef and declared else None
                return self.refuse(node, EVENT_TEXT, inner.start, inner.end, hint, function=f"{name}()")
            try:
                value = CONSTANTS[name](str(arg.value), inner.start, inner.end)
            except Problem as problem:
                return self.found(node, problem)
            return Literal(value, IDENTITY[name], (node.start, node.end))
        resolved = RESOLVE.get((name, kind))
        if resolved is None:
            return self.no_conversion(node, name, arg, inner)
        if self.loose:
            lack = self.lacking(node, (arg,), resolved[0].result)
            if lack is not None:
                return lack
        return self.call(node, resolved[0].id, (arg,), resolved[0].result, anchor)

    def no_conversion(self, node: Node, name: str, arg: Expr, inner: Node) -> Expr:
        text = self.quote(inner)
        reasons = {
            ("string", DECIMAL): ("engines write decimals differently", "compare the number itself"),
            ("string", TIMESTAMP): ("engines write instants differently", "compare the timestamp itself"),
            ("string", DURATION): ("engines write lengths of time differently", "compare the duration itself"),
            ("int", TIMESTAMP): (
                "a number of seconds or of milliseconds?",
                f"write `({text} - timestamp('1970-01-01T00:00:00Z')).getSeconds()`",
            ),
            ("int", DURATION): ("seconds, minutes or hours?", f"write `{text}.getSeconds()`"),
            ("int", BOOL): ("CEL has no such conversion", f"write `{text} ? 1 : 0`"),
            ("double", BOOL): ("CEL has no such conversion", f"write `{text} ? 1.0 : 0.0`"),
            ("double", TIMESTAMP): ("CEL has no such conversion", None),
            ("double", DURATION): ("seconds, minutes or hours?", f"write `double({text}.getSeconds())`"),
            ("timestamp", INT): ("seconds or milliseconds?", "declare the field as a timestamp"),
            ("timestamp", DECIMAL): ("seconds or milliseconds?", "declare the field as a timestamp"),
            ("duration", INT): ("seconds or milliseconds?", "write a constant such as `duration('5s')`"),
            ("duration", DECIMAL): ("seconds or milliseconds?", "write a constant such as `duration('5s')`"),
        }
        reason, hint = reasons.get((name, arg.type), ("CEL has no such conversion", None))
        if name == "timestamp" and type(arg) is Literal and type(arg.value) is int and in_years(arg.value * 1_000_000):
            hint = f"write `timestamp('{timestamp_text(arg.value * 1_000_000)}')` for seconds since 1970"
        types = named(arg.type)
        return self.refuse(
            node, NOT_PORTABLE, *self.anchor(node), hint, function=f"{name}()", types=types, reason=reason
        )

    def arguments(self, node: Node, name: str, got: int, wanted: str) -> Expr:
        overloads = [] if name in IDENTITY or name == "has" else list(FUNCTIONS.get(name, ()))
        hint = self.signatures((), overloads)
        start, end = self.anchor(node)
        return self.refuse(node, WRONG_ARGUMENTS, start, end, hint, function=name, wanted=wanted, got=got or "none")

    def no_overload(self, node: Node, name: str, args: tuple[Expr, ...], nodes: tuple[Node, ...]) -> Expr:
        """Reports that no overload takes these arguments: too many, too few, null, or other types."""
        overloads = [
            one for one in FUNCTIONS.get(name, ()) if one.style is not Style.OPERATOR or len(one.params) == len(args)
        ]
        member = node.kind == "method" and "." not in name
        if not any(len(one.params) == len(args) or (one.variadic and len(args) >= 2) for one in overloads):
            counts = sorted({len(one.params) - member for one in overloads})
            wanted = " or ".join(
                "no arguments" if n == 0 else "one argument" if n == 1 else f"{n} arguments" for n in counts
            )
            if overloads[0].variadic:
                wanted = "two or more numbers"
            return self.arguments(node, name, len(args) - member, wanted)
        for arg, inner in zip(args, nodes, strict=True):
            if arg.type is NULL:
                return self.refuse(node, NULL_VALUE, inner.start, inner.end)
        symbol = "?" if name == "?:" else name
        types = " and ".join(named(arg.type) for arg in args)
        if len(args) == 2 and args[0].type is args[1].type:
            types = named(args[0].type).replace("an ", "two ").replace("a ", "two ") + "s"
        hint = self.advice(node, name, args, nodes) or self.signatures(args, overloads)
        start, end = self.anchor(node)
        return self.refuse(node, NO_OVERLOAD, start, end, hint, function=symbol, types=types)

    def signatures(self, args: tuple[Expr, ...], overloads: list[Overload]) -> str | None:
        """The forms a function has, where they are few enough to read."""
        if not overloads or overloads[0].style is Style.OPERATOR:
            return None
        fitting = [one for one in overloads if args and one.params[0] is args[0].type]
        return "it is " + " or ".join(f"`{one.signature}`" for one in fitting or overloads)

    def advice(self, node: Node, name: str, args: tuple[Expr, ...], nodes: tuple[Node, ...]) -> str | None:
        """What to write instead, where the two sides of an operator tell."""
        if len(args) != 2 or node.kind in ("call", "method"):
            return None
        (left, right), (first, second) = args, nodes
        if left.type is STRING and right.type is not STRING:
            left, right, first, second = right, left, second, first
        kinds = left.type, right.type
        text = self.quote(second)
        if name == "in":
            return f"`{self.quote(nodes[0])}` is {named(args[0].type)}: the list has to hold {args[0].type}s"
        if right.type is STRING and type(right) is Literal:
            value = str(right.value)
            if left.type in (INT, DECIMAL) and value.strip().lstrip("-").replace(".", "", 1).isdecimal():
                return f"`{self.quote(first)}` is {named(left.type)}: write `{value.strip()}` without quotes"
            if left.type is BOOL and value.lower() in ("true", "false"):
                return f"`{self.quote(first)}` is a bool: write `{value.lower()}` without quotes"
            if left.type is TIMESTAMP:
                instant = f"{value}T00:00:00Z" if len(value) == 10 and value[4:8:3] == "--" else value
                return f"write `timestamp('{instant}')`"
            if left.type is DURATION:
                return f"write `duration({text})`"
        if name == "+" and right.type is STRING and left.type in (INT, BOOL):
            return f"write `string({self.quote(first)})`"
        if name in COMPARISONS and right.type is STRING and type(left) is Literal and left.type in (INT, DECIMAL, BOOL):
            return f"`{text}` is a string: write `'{self.quote(first)}'`"
        if DURATION in kinds and (INT in kinds or DECIMAL in kinds):
            span = first if left.type is DURATION else second
            if name in COMPARISONS or name in ("+", "-"):
                return f"write `duration('5s')`, or take the seconds: `{self.grouped(span)}.getSeconds()`"
            return f"take the seconds: `{self.grouped(span)}.getSeconds()`"
        if TIMESTAMP in kinds and (INT in kinds or DECIMAL in kinds):
            return (
                "write `duration('5s')` for a length of time"
                if name in ("+", "-")
                else "write `timestamp('2026-01-31T00:00:00Z')`"
            )
        if name == "%" and DECIMAL in kinds:
            return "`%` takes ints; cut a decimal with `int(x)`"
        if name in COMPARISONS and BOOL in kinds and (INT in kinds or DECIMAL in kinds):
            return "compare a bool with `true` or `false`"
        return None


def unknown(node: Node) -> Expr:
    return Literal(None, UNKNOWN, (node.start, node.end))


def between(interval: Interval, text: str) -> str | None:
    """The bounds of a number, for a hint; those of 64 bits go without saying."""
    low = None if interval.low in (None, MIN_INT) else as_decimal(Fraction(interval.low))
    high = None if interval.high in (None, MAX_INT) else as_decimal(Fraction(interval.high))
    if low is None or high is None:
        bound = f"at least {low:f}" if low is not None else f"at most {high:f}" if high is not None else None
        return f"`{text}` is {bound}" if bound else None
    return f"`{text}` lies between {low:f} and {high:f}"


def widened(expr: Expr) -> Expr:
    """An int as the same decimal; a decimal as it is."""
    if expr.type is not INT:
        return expr
    if type(expr) is Literal:
        assert type(expr.value) is int
        return Literal(Decimal(expr.value), DECIMAL, expr.at)
    return Call("int64_to_decimal", (expr,), DECIMAL, expr.at, expr.at)


def representable(value: object, kind: Type) -> bool:
    """Whether a constant can be held."""
    match kind, value:
        case Type.INT, int(number):
            return MIN_INT <= number <= MAX_INT
        case _, Decimal() as number:
            return fits_decimal(number)
        case Type.TIMESTAMP, int(instant):
            return in_years(instant)
        case Type.DURATION, int(length):
            return abs(length) <= LONGEST
        case _:
            return True


def named(kind: Type) -> str:
    """A type with its article, for a message."""
    if kind in WORDS:
        return WORDS[kind]
    element = kind.removeprefix("list(").removesuffix(")")
    return "an empty list" if element == "null" else f"a list of {element}s"


LIMITS = {
    INT: "an int has 64 bits",
    DECIMAL: f"a decimal has at most {MAX_DIGITS} digits",
    TIMESTAMP: "an instant lies in the years 0001 to 9999",
    DURATION: "a duration is at most 10,000 years long",
}
LOOSE = frozenset(("unary", "logic", "equality", "in", "binary", "conditional"))
ORDERINGS = frozenset(("<", "<=", ">", ">="))
COMPARISONS = ORDERINGS | {"==", "!=", "in"}
ZEROS = {INT: "0", DECIMAL: "0.0", STRING: "''"}
LITERALS = {"bool": BOOL, "int": INT, "decimal": DECIMAL, "string": STRING, "null": NULL}
CHECK: dict[str, Callable[[Checker, Node], Expr]] = {
    "name": Checker.name,
    "unary": Checker.unary,
    "logic": Checker.logic,
    "equality": Checker.equality,
    "in": Checker.membership,
    "binary": Checker.binary,
    "conditional": Checker.conditional,
    "call": Checker.function,
    "method": Checker.method,
    "list": Checker.list_value,
    **dict.fromkeys(LITERALS, Checker.literal),
    **dict.fromkeys(("map", "message", "index", "bytes", "uint", "optional", "absolute", "select"), Checker.refused),
}
