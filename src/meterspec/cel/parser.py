"""Tokens to a light untyped tree, by operator precedence. All of CEL's syntax is read; the checker says what of it
the profile has not."""

from __future__ import annotations

from decimal import Decimal

from meterspec.cel.examples import filter_spec
from meterspec.cel.lexer import Problem, Token, number, short, string, tokens
from meterspec.diagnostics import Rule

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_LEVELS", "MAX_NODES", "Node", "parse"]

SYNTAX = Rule(
    code="MS300",
    slug="expression-syntax",
    title="An expression is not CEL",
    message="{problem}",
    why="Filters and values are written in CEL, the Common Expression Language: `status == 'ok' && tokens > 100`.",
    bad=filter_spec("status = 200", status="integer"),
    good=filter_spec("status == 200", status="integer"),
)
TOO_LARGE = Rule(
    code="MS303",
    slug="expression-too-large",
    title="An expression is too large",
    message="the expression is too large: {limit}",
    why="An expression that a person can check fits these limits, and every engine can run it. A long chain of `||` "
    "over one field is an `in` with a list.",
    bad=filter_spec("(" * 251 + "status == 200" + ")" * 251, status="integer"),
    good=filter_spec("(status == 200)", status="integer"),
)
RESERVED_WORD = Rule(
    code="MS304",
    slug="reserved-word",
    title="An expression uses a reserved word as a name",
    message="`{word}` is a reserved word of CEL and cannot be a name",
    why="CEL keeps some words for itself, so that an expression means the same in every implementation.",
    bad=filter_spec("package == 'box'", parcel="string"),
    good=filter_spec("parcel == 'box'", parcel="string"),
)
CHAINED_COMPARISON = Rule(
    code="MS306",
    slug="chained-comparison",
    title="Comparisons are chained",
    message="comparisons cannot be chained: `{text}`",
    why="`0 < x < 9` compares the answer of `0 < x` with 9. Two comparisons joined by `&&` say what is meant.",
    bad=filter_spec("100 < status < 500", status="integer"),
    good=filter_spec("100 < status && status < 500", status="integer"),
)

MAX_LENGTH = 4096
"""Characters of an expression."""
MAX_DEPTH = 250
"""How deep brackets and the operators between them stand inside each other; a call or a list counts twice."""
MAX_LEVELS = 125
"""Levels of the tree: every phase can walk one of this height by recursion, and compare it."""
MAX_NODES = 2000

RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
POWER = {
    "?": 1,
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
KIND = {"&&": "logic", "||": "logic", "==": "equality", "!=": "equality", "in": "in"}
COMPARISON = 4
SUFFIXES = frozenset(".[{")
DIGITS = frozenset("0123456789")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
QUOTES = frozenset("'\"")
WORDS: dict[str, tuple[str, bool | None]] = {"true": ("bool", True), "false": ("bool", False), "null": ("null", None)}
INSTEAD = {
    "=": "write `==` to compare",
    "&": "write `&&`",
    "|": "write `||`",
    "<>": "write `!=`",
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "is": "write `!has(field)` where a field is missing, `has(field)` where it is there",
    "in": "write `in`, in lower case, and the list in `[...]`",
    "=~": "write `field.matches('...')`",
    "~": "write `field.matches('...')`",
    ",": "an expression gives one value",
    "$": "a field is named directly, without `$`",
    "@": "a field is named directly, without `@`",
    "between": "write `low <= x && x <= high`",
    "like": "write `x.startsWith('...')`, `x.contains('...')` or `x.matches('...')`",
    "mod": "write `%`",
    "div": "write `/`",
    "then": "write `condition ? a : b`",
    "^": "CEL has no powers: write `x * x`",
    "**": "CEL has no powers: write `x * x`",
    "=>": "write `>=`",
    "=<": "write `<=`",
    "??": "write `has(field) ? field : 0`",
    "?:": "write `has(field) ? field : 0`",
    "#": "a comment begins with `//`",
    ";": "an expression is one formula: take out the `;`",
}
"""What people write from habit, and what it is in CEL."""
CURLY = frozenset("“”„«»‘’‚`´")


class Node:
    """A piece of syntax. `start` and `end` are its characters; `anchor` is where its operator or name begins.

    | kind | value | args |
    | --- | --- | --- |
    | bool int decimal string null bytes uint | the value | |
    | name | the name | |
    | unary | `!` or `-` | the operand |
    | logic equality in binary | the operator | left and right |
    | conditional | `?` | condition and both branches |
    | call | the function | the arguments |
    | method | the function | what it is called on, and the arguments |
    | select | the field | what it is selected from |
    | list index map message optional absolute quoted | | whatever they hold |
    """

    __slots__ = ("anchor", "args", "end", "kind", "start", "value")

    def __init__(
        self,
        kind: str,
        value: str | int | bool | Decimal | None,
        start: int,
        end: int,
        anchor: int,
        args: tuple[Node, ...] = (),
    ) -> None:
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end
        self.anchor = anchor
        self.args = args


def parse(text: str) -> Node:
    """The syntax tree of an expression. Raises Problem with the first thing that is wrong with it."""
    if len(text) > MAX_LENGTH:
        limit = f"{len(text)} characters, and at most {MAX_LENGTH} are read"
        raise Problem(TOO_LARGE, 0, len(text), limit=limit)
    parser = Parser(text)
    root = parser.expression(0, 1)
    symbol, start, end = parser.tokens[parser.at]
    if symbol in (")", "]", "}"):
        raise Problem(SYNTAX, start, end, "take it out", problem=f"`{symbol}` closes nothing")
    if symbol:
        raise parser.unexpected()
    if len(parser.tokens) > MAX_LEVELS:
        measure(root)
    return root


def measure(root: Node) -> None:
    """Raises Problem for a tree with too many nodes, or too deep."""
    count, level, depth = 0, [root], 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > MAX_NODES:
            raise Problem(TOO_LARGE, root.start, root.end, limit=f"it has more than {MAX_NODES} operands and operators")
        if depth > MAX_LEVELS:
            raise deep(level[0].start, level[0].end)
        level = [child for node in level for child in node.args]


def deep(start: int, end: int) -> Problem:
    hint = "a list is shorter than a chain of comparisons: `field in ['a', 'b']`"
    return Problem(TOO_LARGE, start, end, hint, limit="operators and brackets stand too deep inside each other")


class Parser:
    """Where the reading of one text stands."""

    __slots__ = ("at", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = tokens(text)
        self.at = 0

    def expression(self, power: int, depth: int) -> Node:
        """An expression whose operators bind more tightly than `power`."""
        left = self.operand(depth)
        compared = False
        while True:
            symbol, start, end = self.tokens[self.at]
            strength = POWER.get(symbol, 0)
            if strength <= power:
                return left
            if symbol == "?":
                left = self.conditional(left, depth)
                continue
            if strength == COMPARISON:
                if compared:
                    raise self.chained(left, start, end)
                compared = True
            else:
                compared = False
            self.at += 1
            right = self.expression(strength, depth + 1)
            left = Node(KIND.get(symbol, "binary"), symbol, left.start, right.end, start, (left, right))

    def conditional(self, condition: Node, depth: int) -> Node:
        """`condition ? then : otherwise`, from the question mark on."""
        _, anchor, after = self.tokens[self.at]
        self.at += 1
        then = self.expression(1, depth + 1)
        symbol, start, end = self.tokens[self.at]
        if symbol == "?":
            hint = "put the inner one in parentheses"
            raise Problem(SYNTAX, start, end, hint, problem="a second `?` stands before the `:` of the first")
        if symbol != ":":
            if symbol:
                raise self.unexpected()
            hint = "write `condition ? a : b`"
            raise Problem(SYNTAX, anchor, after, hint, problem="`?` has no `:` after it")
        self.at += 1
        otherwise = self.expression(0, depth + 1)
        return Node("conditional", "?", condition.start, otherwise.end, anchor, (condition, then, otherwise))

    def operand(self, depth: int) -> Node:
        """A literal, a name, a call or something in brackets, with the selections and calls that follow it."""
        token = symbol, start, end = self.tokens[self.at]
        if depth > MAX_DEPTH:
            raise deep(start, end)
        self.at += 1
        first = symbol[:1]
        if first in LETTERS:
            if symbol[-1] in QUOTES:
                node = text_node(token)
            elif self.tokens[self.at][0] == "(":
                if symbol in RESERVED or symbol in WORDS or symbol == "in":
                    raise reserved(token)
                args, end = self.items(")", depth)
                node = Node("call", symbol, start, end, start, args)
            elif symbol in WORDS:
                kind, value = WORDS[symbol]
                node = Node(kind, value, start, end, start)
            elif symbol in RESERVED or symbol == "in":
                raise reserved(token)
            else:
                node = Node("name", symbol, start, end, start)
        elif first in DIGITS:
            node = number_node(token)
        elif first in QUOTES:
            node = text_node(token)
        elif symbol == "(":
            node = self.expression(0, depth + 1)
            # The brackets belong to what a complaint underlines and to what a hint repeats.
            node.start, node.end = start, self.close(")")
        elif symbol in {"-", "!"}:
            following = self.tokens[self.at]
            if symbol == "-" and (following[0][:1] in DIGITS or (following[0][:1] == "." and len(following[0]) > 1)):
                self.at += 1
                node = number_node(following, start)
            else:
                operand = self.operand(depth + 1)
                return Node("unary", symbol, start, operand.end, start, (operand,))
        elif symbol == "[":
            self.at -= 1
            args, end = self.items("]", depth)
            node = Node("list", None, start, end, start, args)
        elif symbol == "{":
            self.at -= 1
            args, end = self.items("}", depth)
            node = Node("map", None, start, end, start, args)
        elif symbol == ".":
            token = self.name()
            node = Node("absolute", token[0], start, token[2], token[1])
        elif first == ".":
            node = number_node(token)
        else:
            self.at -= 1
            raise self.unexpected()
        if self.tokens[self.at][0] in SUFFIXES:
            return self.suffixes(node, depth)
        return node

    def suffixes(self, node: Node, depth: int) -> Node:
        """What follows an operand: `.field`, `.method(...)`, `[index]`, `{...}` after the name of a message."""
        while True:
            symbol, start, _ = self.tokens[self.at]
            if symbol == ".":
                self.at += 1
                if self.tokens[self.at][0] == "?":
                    self.at += 1
                    name, _, end = self.name()
                    node = Node("optional", name, node.start, end, start, (node,))
                    continue
                name, anchor, end = self.name()
                if self.tokens[self.at][0] == "(":
                    args, end = self.items(")", depth)
                    node = Node("method", name, node.start, end, anchor, (node, *args))
                else:
                    node = Node("select", name, node.start, end, anchor, (node,))
            elif symbol == "[":
                args, end = self.items("]", depth, "index")
                node = Node("index", None, node.start, end, start, (node, *args))
            elif symbol == "{" and node.kind in {"name", "select", "absolute"}:
                args, end = self.items("}", depth)
                node = Node("message", None, node.start, end, start, (node, *args))
            else:
                return node

    def items(self, closing: str, depth: int, what: str = "") -> tuple[tuple[Node, ...], int]:
        """What stands between brackets, from the opening one on, and where the closing one ends."""
        opening, start, after = self.tokens[self.at]
        self.at += 1
        found: list[Node] = []
        while self.tokens[self.at][0] != closing:
            optional = self.tokens[self.at]
            if optional[0] == "?" and opening != "(":
                self.at += 1
            node = self.expression(0, depth + 2)
            if closing == "}":
                self.expect(":", "a `:` and a value")
                found.append(node)
                node = self.expression(0, depth + 2)
            if optional[0] == "?":
                node = Node("optional", None, optional[1], node.end, optional[1], (node,))
            found.append(node)
            if self.tokens[self.at][0] != ",":
                break
            if what:
                raise self.unexpected()
            self.at += 1
            if closing == ")" and self.tokens[self.at][0] == ")":
                raise self.unexpected()
        if what and not found:
            raise self.unexpected()
        return tuple(found), self.close(closing, (start, after))

    def name(self) -> Token:
        """The name after a point."""
        token = self.tokens[self.at]
        if token[0][:1] == "`" and len(token[0]) > 2:
            self.at += 1
            return token
        if token[0][:1] not in LETTERS or token[0][-1] in QUOTES:
            raise self.unexpected("a name")
        if token[0] in WORDS or token[0] == "in":
            raise reserved(token)
        self.at += 1
        return token

    def expect(self, symbol: str, words: str) -> None:
        if self.tokens[self.at][0] != symbol:
            raise self.unexpected(words)
        self.at += 1

    def close(self, closing: str, opening: tuple[int, int] | None = None) -> int:
        """Where the closing bracket ends that has to stand here."""
        symbol, _, end = self.tokens[self.at]
        if symbol == closing:
            self.at += 1
            return end
        if not symbol:
            start, after = opening or self.unclosed()
            problem = f"`{self.text[start:after]}` is never closed"
            raise Problem(SYNTAX, start, after, f"add a `{closing}`", problem=problem)
        if symbol == "," and opening is None:
            _, start, end = self.tokens[self.at]
            raise Problem(SYNTAX, start, end, "a list stands in `[...]`", problem="`,` is not expected in `(...)`")
        raise self.unexpected()

    def unclosed(self) -> tuple[int, int]:
        """The innermost round bracket that is still open."""
        open_at: list[tuple[int, int]] = []
        for symbol, start, end in self.tokens:
            if symbol in {"(", "[", "{"}:
                open_at.append((start, end))
            elif symbol in {")", "]", "}"} and open_at:
                open_at.pop()
        return open_at[-1]

    def chained(self, left: Node, start: int, end: int) -> Problem:
        """What is wrong with a comparison after a comparison."""
        symbol = self.tokens[self.at][0]
        self.at += 1
        right = self.expression(COMPARISON, 1)
        middle = left.args[1]
        first, second, third = (self.text[node.start : node.end] for node in (left, middle, right))
        hint = f"write `{short(first)} && {short(second)} {symbol} {short(third)}`"
        if symbol in {"==", "!="} or left.value in {"==", "!="}:
            hint = f"write `({short(first)}) {symbol} {short(third)}`, or join two comparisons with `&&`"
        return Problem(CHAINED_COMPARISON, start, end, hint, text=short(self.text[left.start : right.end]))

    def unexpected(self, wanted: str = "") -> Problem:
        """What is wrong with the token that stands here."""
        symbol, start, end = self.tokens[self.at]
        before, before_start, before_end = self.tokens[self.at - 1] if self.at else ("", 0, 0)
        if not symbol:
            if not before:
                return Problem(SYNTAX, 0, end, problem="the expression is empty")
            hint = f"write {wanted}" if wanted else None
            if before == "%":
                hint = "`%` is the remainder of a division; 5 percent of a number is `0.05 * number`"
            return Problem(SYNTAX, before_start, before_end, hint, problem=f"nothing stands after `{short(before)}`")
        following, following_start, following_end = self.tokens[self.at + 1]
        if symbol + following in INSTEAD and end == following_start:
            symbol, end = symbol + following, following_end
        elif before + symbol in INSTEAD and before_end == start:
            symbol, start = before + symbol, before_start
        if symbol in CURLY:
            hint = "write straight quotes: `'`"
            return Problem(SYNTAX, start, end, hint, problem=f"`{symbol}` is not expected here")
        if symbol == "," and before[-1:].isdecimal() and following[:1].isdecimal() and end == following_start:
            problem, hint = (
                f"`{before},{following}` is not a number",
                "a number has no separators, and its decimals a `.`",
            )
            return Problem(SYNTAX, before_start, following_end, hint, problem=problem)
        if symbol == "=" and before in {"==", "!=", "<", ">", "="} and before_end == start:
            problem, hint = f"`{before}=` is not an operator", f"write `{before.rstrip('=') or '='}=`"
            return Problem(SYNTAX, before_start, end, hint, problem=problem)
        if before.lower() == "not":
            symbol, start, end = before, before_start, before_end
        hint = INSTEAD.get(symbol.lower())
        if symbol.lower() == "not" and self.tokens[self.at + (symbol is not before)][0] == "in":
            hint = "write `!(field in [...])`"
        if hint is None and wanted:
            hint = f"{wanted} is expected here"
        if hint is None and (symbol[0] in LETTERS or symbol[0] in DIGITS or symbol[0] in QUOTES):
            hint = "an operator is missing before it"
        if len(symbol) == 1 and not symbol.isprintable():
            return Problem(SYNTAX, start, end, problem=f"the character U+{ord(symbol):04X} is not expected here")
        return Problem(SYNTAX, start, end, hint, problem=f"`{short(symbol)}` is not expected here")


def text_node(token: Token) -> Node:
    """A string, or bytes."""
    kind = "bytes" if token[0][0] in "bB" else "string"
    return Node(kind, string(token), token[1], token[2], token[1])


def number_node(token: Token, minus: int | None = None) -> Node:
    """A number; `minus` is the offset of the sign before it."""
    text, start, end = token
    begin = start if minus is None else minus
    if text[-1] in "uU" and text[:-1].isdecimal():
        return Node("uint", text, begin, end, begin)
    value = number(token, minus)
    if value is None:
        raise not_a_number(text, start, end)
    return Node("int" if isinstance(value, int) else "decimal", value, begin, end, begin)


def not_a_number(text: str, start: int, end: int) -> Problem:
    """What is wrong with something that begins like a number."""
    hint = None
    plain = text.replace("_", "")
    if "_" in text and plain.replace(".", "", 1).isdecimal():
        hint = f"write `{plain}`: CEL has no separators in numbers"
    elif text.endswith(".") and text[:-1].isdecimal():
        hint = f"write `{text}0`"
    elif text[-1] in "fFdDlL" and text[:-1].replace(".", "", 1).isdecimal():
        hint = f"write `{text[:-1]}`"
    elif text[-1] in "kKM" and text[:-1].isdecimal():
        hint = f"write `{text[:-1]}{'000000' if text[-1] == 'M' else '000'}`"
    return Problem(SYNTAX, start, end, hint, problem=f"`{short(text)}` is not a number")


def reserved(token: Token) -> Problem:
    symbol, start, end = token
    hints = {"if": "write `condition ? a : b`", "in": "write `field in ['a', 'b']`"}
    hint = hints.get(symbol, "a field of this name cannot be used in an expression: give it another")
    return Problem(RESERVED_WORD, start, end, hint, word=symbol)
