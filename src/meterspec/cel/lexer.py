"""Text to tokens, and the literals in them to values: the words of CEL, in time linear in the text."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from meterspec.cel.examples import filter_spec
from meterspec.diagnostics import Rule

__all__ = [
    "MAX_DIGITS",
    "MAX_INT",
    "MIN_INT",
    "Problem",
    "Token",
    "fits_decimal",
    "number",
    "short",
    "string",
    "tokens",
]

UNTERMINATED_STRING = Rule(
    code="MS301",
    slug="unterminated-string",
    title="A string in an expression is never closed",
    message="the string that begins here is never closed",
    why="A string ends with the quote it began with, on the same line. Text over several lines stands between "
    "three quotes.",
    bad=filter_spec("status == 'ok", status="string"),
    good=filter_spec("status == 'ok'", status="string"),
)
BAD_ESCAPE = Rule(
    code="MS302",
    slug="bad-escape",
    title="A string in an expression has an escape that means nothing",
    message="`{escape}` is not an escape of a CEL string",
    why=r"A backslash begins one of \a \b \f \n \r \t \v \\ \? \' \" \` \xHH \uHHHH \UHHHHHHHH or three octal digits. "
    "TOML reads its own escapes first, so an expression with backslashes is best written between '''.",
    bad=filter_spec(r"path == 'a\q'", path="string"),
    good=filter_spec(r"path == 'a\\q'", path="string"),
)
NUMBER_RANGE = Rule(
    code="MS305",
    slug="number-out-of-range",
    title="A number in an expression is out of range",
    message="`{number}` is out of range: {limit}",
    why="An int has 64 bits, up to 9223372036854775807, and a decimal 38 digits before and after the point together, "
    "as on every engine; a constant beyond that could not be computed with.",
    bad=filter_spec("tokens < 9223372036854775808", tokens="integer"),
    good=filter_spec("tokens < 9223372036854775807", tokens="integer"),
)
NULL_CHARACTER = Rule(
    code="MS307",
    slug="null-character",
    title="A string in an expression holds the character NUL",
    message="the string holds the character NUL (U+0000)",
    why="PostgreSQL and others cannot store U+0000 in a text, so a comparison with it could not mean the same "
    "everywhere.",
    bad=filter_spec(r"path == 'a\x00'", path="string"),
    good=filter_spec("path == 'a'", path="string"),
)

MIN_INT, MAX_INT = -(2**63), 2**63 - 1
MAX_DIGITS = 38
"""Digits of a decimal, before and after the point together."""

Token = tuple[str, int, int]
"""The characters of a token, and where they start and end. The last token of a text is empty."""


class Problem(Exception):  # noqa: N818 - a finding on its way to the caller, who reports it
    """The text cannot be read any further; carries the one finding that says why."""

    def __init__(self, rule: Rule, start: int, end: int, hint: str | None = None, **facts: object) -> None:
        super().__init__(rule.slug)
        self.rule, self.start, self.end, self.hint, self.facts = rule, start, end, hint, facts


# Every repetition is possessive: no text can make the engine go back, so none takes more than linear time.
STRING = r"""
    [bB]?(?:'''(?:[^'\\]++|\\[\s\S]|'(?!''))*+'''|\"\"\"(?:[^"\\]++|\\[\s\S]|"(?!""))*+\"\"\"
           |'(?!'')(?:[^'\\\r\n]++|\\.)*+'|"(?!"")(?:[^"\\\r\n]++|\\.)*+")
    |[bB]?[rR](?:'''(?:[^']++|'(?!''))*+'''|\"\"\"(?:[^"]++|"(?!""))*+\"\"\"
                |'(?!'')[^'\r\n]*+'|"(?!"")[^"\r\n]*+")"""
TOKEN = re.compile(
    rf"""[ \t\r\n\f]*+(
    [A-Za-z_][A-Za-z0-9_]*+(?!['"])           # a name; a quote after it makes it the prefix of a string
    |[-+*%?:,()\[\]{{}}]|[=!<>]=?|&&?|\|\|?|\.(?![0-9])|/(?!/)
    |0[xX][0-9A-Za-z_]*+                      # what looks like a number; `number` decides
    |\.?[0-9](?:[eE][-+]|[0-9A-Za-z_]|\.(?![A-Za-z_]))*+
    |{STRING}
    |[bB]?[rR]?['"][\s\S]*+                   # a string that is never closed takes the rest of the text
    |//.*+|`[^`\r\n]*+`
    |[A-Za-z_][A-Za-z0-9_]*+|[\s\S]           # anything else; the parser says what is wrong with it
    )""",
    re.VERBOSE,
)
CLOSED = re.compile(STRING, re.VERBOSE)
DECIMAL = re.compile(r"(?:[0-9]+\.[0-9]+|[0-9]+(?=[eE])|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))"
)
SIMPLE = dict(zip("abfnrtv\\'\"`?", "\a\b\f\n\r\t\v\\'\"`?", strict=True))
BLANK = " \t\r\n\f"


def tokens(text: str) -> list[Token]:
    """The tokens of a text, comments left out, with an empty one at the end. Raises Problem for an open string."""
    found = [(match[1], match.start(1), match.end()) for match in TOKEN.finditer(text.rstrip(BLANK))]
    if found:
        last, start, end = found[-1]
        opening = last.lstrip("bBrR")
        if opening.startswith(("'", '"')) and not CLOSED.match(last):
            quote = opening[:3] if opening.startswith(("'''", '"""')) else opening[:1]
            begin = end - len(opening)
            raise Problem(UNTERMINATED_STRING, start, begin + len(quote), f"close it with `{quote}`")
    if "//" in text:
        found = [token for token in found if not token[0].startswith("//")]
    found.append(("", len(text), len(text)))
    return found


def fits_decimal(value: Decimal) -> bool:
    """Whether a value needs at most 38 digits, before and after the point together."""
    if not value:
        return True
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    count = len(digits)
    while exponent < 0 and digits[count - 1] == 0:
        count, exponent = count - 1, exponent + 1
    return max(count + max(exponent, 0), -exponent) <= MAX_DIGITS


def number(token: Token, minus: int | None = None) -> int | Decimal | None:
    """The value of a number, negated where `minus` is the offset of a minus sign; None where it is not a number.

    Raises Problem (MS305) for one that is out of range.
    """
    text, start, end = token
    if minus is not None:
        start = minus
    if text.isdecimal():
        whole = int(text) if len(text) < 40 else MAX_INT + 2
    elif text[:2] in ("0x", "0X"):
        try:
            whole = int(text[2:].replace("_", "?"), 16)
        except ValueError:
            return None
    elif DECIMAL.fullmatch(text):
        return decimal(text, start, end, minus)
    else:
        return None
    if minus is not None:
        whole = -whole
    if not MIN_INT <= whole <= MAX_INT:
        hint = f"write `{text}.0` for a decimal" if text.isdecimal() and len(text) <= MAX_DIGITS else None
        limit = "an int has 64 bits"
        raise Problem(NUMBER_RANGE, start, end, hint, number=short(text), limit=limit)
    return whole


def decimal(text: str, start: int, end: int, minus: int | None) -> Decimal:
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent of 20 digits
        exact = None
    if exact is None or not fits_decimal(exact):
        limit = f"a decimal has at most {MAX_DIGITS} digits"
        raise Problem(NUMBER_RANGE, start, end, number=short(text), limit=limit)
    return exact.copy_negate() if minus is not None and exact else exact


def short(text: str) -> str:
    """A text for a message: on one line, at most 60 characters, and all of them visible."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)
    return text if len(text) <= 60 else text[:57] + "..."


def string(token: Token) -> str:
    """The text that a string stands for. Raises Problem for an escape that means nothing, and for NUL."""
    text, start, end = token
    prefix = 0
    while text[prefix] not in "'\"":
        prefix += 1
    quotes = prefix + (3 if text.startswith(("'''", '"""'), prefix) else 1)
    body = text[quotes : prefix - quotes]
    if "\\" in body and (prefix == 0 or text[prefix - 1] not in "rR"):
        body = ESCAPE.sub(lambda match: unescape(match, start + quotes), body)
    if "\0" in body:
        raise Problem(NULL_CHARACTER, start, end, "take it out")
    return body


def unescape(match: re.Match[str], offset: int) -> str:
    """The character of one escape; `offset` is where the text it stands in begins."""
    simple, hexadecimal, small, large, octal, bad = match.groups()
    if simple is not None:
        return SIMPLE[simple]
    code = -1
    if bad is None:
        code = int(octal, 8) if octal is not None else int(hexadecimal or small or large, 16)
    if 0 <= code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
        return chr(code)
    visible = bad if bad and bad.isprintable() else ""
    hint = None if bad is None else f"write `\\\\{visible}` for a backslash, or begin the string with `r`"
    escape = match.group() if match.group().isprintable() else f"\\ before U+{ord(bad or ' '):04X}"
    raise Problem(BAD_ESCAPE, offset + match.start(), offset + match.end(), hint, escape=escape)
