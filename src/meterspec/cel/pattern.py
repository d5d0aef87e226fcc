"""Patterns of `matches`: the part of RE2 that means the same on every engine, read into a tree and written out plainly.

Engines differ in `.` and newlines, in what `\\d` and `\\w` hold, in `$` before a last newline and in case folding. So a
pattern is written out with nothing but explicit sets of characters: `\\d` becomes `[0-9]`, `.` becomes `[^\\n]`.
"""

from __future__ import annotations

import re

from meterspec.cel.examples import filter_spec
from meterspec.cel.lexer import Problem
from meterspec.diagnostics import Rule
from meterspec.records import record

__all__ = ["Anchor", "Characters", "Choice", "Pattern", "Repeat", "Sequence", "matcher", "parse_pattern", "portable"]

BAD_PATTERN = Rule(
    code="MS329",
    slug="pattern-outside-subset",
    title="A pattern cannot mean the same on every engine",
    message="this pattern cannot be used: {reason}",
    why="Patterns are RE2 without what engines read differently: characters, sets `[a-z]`, `.`, `\\d \\w \\s`, groups, "
    "`|`, the repetitions `* + ? {{n,m}}`, `^` and `$`, and `(?i)` at the start.",
    bad=filter_spec(r"model.matches(r'gpt(?!-3)')", model="string"),
    good=filter_spec(r"model.matches('gpt') && !model.matches('gpt-3')", model="string"),
)

LAST = 0x10FFFF
MOST_REPEATS = 255
"""PostgreSQL's limit."""
LARGEST = 1000
"""RE2's limit on what repetitions of repetitions come to."""
DEEPEST = 50

Ranges = tuple[tuple[int, int], ...]
"""Code points, as sorted ranges that do not touch, both ends included."""


@record(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    ranges: Ranges


@record(frozen=True, slots=True)
class Anchor:
    """The start or the end of the whole text."""

    end: bool


@record(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    items: tuple[Pattern, ...]


@record(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple[Pattern, ...]


@record(frozen=True, slots=True)
class Repeat:
    """A number of times; None means without end. How greedily makes no difference to whether there is a match."""

    item: Pattern
    low: int
    high: int | None


Pattern = Characters | Anchor | Sequence | Choice | Repeat


def merged(ranges: list[tuple[int, int]]) -> Ranges:
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = out[-1][0], max(out[-1][1], high)
        else:
            out.append((low, high))
    return tuple(out)


def inverse(ranges: Ranges) -> Ranges:
    out, at = [], 0
    for low, high in ranges:
        if at < low:
            out.append((at, low - 1))
        at = high + 1
    if at <= LAST:
        out.append((at, LAST))
    return tuple(out)


def spelled(text: str) -> Ranges:
    """The ranges of a set such as `a-z0-9_`."""
    return merged([(ord(low), ord(high or low)) for low, high in re.findall(r"(?s)(.)(?:-(.))?", text)])


DIGIT, WORD, SPACE = spelled("0-9"), spelled("0-9A-Z_a-z"), spelled("\t\n\f\r ")
SETS = {"d": DIGIT, "w": WORD, "s": SPACE, "D": inverse(DIGIT), "W": inverse(WORD), "S": inverse(SPACE)}
NAMED = {
    "alnum": spelled("0-9A-Za-z"),
    "alpha": spelled("A-Za-z"),
    "ascii": spelled("\x00-\x7f"),
    "blank": spelled("\t "),
    "cntrl": spelled("\x00-\x1f\x7f"),
    "digit": DIGIT,
    "graph": spelled("!-~"),
    "lower": spelled("a-z"),
    "print": spelled(" -~"),
    "punct": merged([(33, 47), (58, 64), (91, 96), (123, 126)]),
    "space": spelled("\t-\r "),
    "upper": spelled("A-Z"),
    "word": WORD,
    "xdigit": spelled("0-9A-Fa-f"),
}
SIMPLE = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
ANY, ANY_BUT_NEWLINE = ((0, LAST),), inverse(((10, 10),))
FOLDED = {ord("k"): 0x212A, ord("K"): 0x212A, ord("s"): 0x17F, ord("S"): 0x17F}
"""The two characters beyond ASCII that RE2 takes for ASCII letters where case does not matter."""
GROUPS = {
    "?=": "look-ahead is not in RE2",
    "?!": "look-ahead is not in RE2",
    "?<=": "look-behind is not in RE2",
    "?<!": "look-behind is not in RE2",
    "?P": "named groups differ between engines",
    "?<": "named groups differ between engines",
    "?'": "named groups differ between engines",
    "?>": "atomic groups are not in RE2",
    "?#": "comments are not in RE2",
    "?(": "conditions are not in RE2",
    "?|": "branch resets are not in RE2",
}
ESCAPES = {
    "b": "engines disagree on where a word ends",
    "B": "engines disagree on where a word ends",
    "p": "engines hold different versions of Unicode",
    "P": "engines hold different versions of Unicode",
    "C": "engines take bytes apart differently",
    "Q": "quoting with `\\Q` differs between engines",
    "E": "quoting with `\\Q` differs between engines",
    "G": "`\\G` is not in RE2",
    "Z": "`\\Z` is not in RE2",
    "K": "`\\K` is not in RE2",
    "R": "`\\R` is not in RE2",
    "X": "`\\X` is not in RE2",
    "h": "`\\h` is not in RE2",
    "N": "`\\N` is not in RE2",
    "k": "back-references are not in RE2",
    "g": "back-references are not in RE2",
}
HINTS = {
    "look-ahead": "test for the other text in a condition of its own: `x.matches('a') && !x.matches('b')`",
    "look-behind": "test for the other text in a condition of its own: `x.matches('a') && !x.matches('b')`",
    "named groups": "write `(...)`",
    "atomic groups": "write `(...)`",
    "engines disagree on where": "spell the neighbours out: `(^|[^a-z])word([^a-z]|$)`",
    "engines hold different": "write the characters out: `[A-Za-zÀ-ÿ]`",
    "back-references": "spell the text out",
}


def parse_pattern(text: str) -> Pattern:
    """The tree of a pattern. Raises Problem (MS329) with offsets into the pattern."""
    reader = Reader(text)
    reader.flags()
    pattern = reader.choice(0)
    if reader.at < len(text):
        raise reader.problem("a `)` closes no group", reader.at, reader.at + 1, "write `\\)` for the character")
    return pattern


def portable(text: str, end: str = "$") -> str:
    """A checked pattern in the form that means the same on every engine. `end` is how the engine writes the end of the
    text: `\\z` where its `$` also matches before a last newline."""
    return render(parse_pattern(text), end)


def matcher(text: str) -> re.Pattern[str]:
    """A checked pattern for Python; `search` says whether a text matches."""
    return re.compile(portable(text, r"\Z"))


class Reader:
    """Where the reading of one pattern stands."""

    __slots__ = ("at", "dot", "fold", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fold = False
        self.dot = ANY_BUT_NEWLINE

    def problem(self, reason: str, start: int, end: int, hint: str | None = None) -> Problem:
        if hint is None:
            hint = next((words for begin, words in HINTS.items() if reason.startswith(begin)), None)
        return Problem(BAD_PATTERN, start, max(end, start), hint, reason=reason)

    def flags(self) -> None:
        match = re.match(r"\(\?([is]+)\)", self.text)
        if match:
            self.at = match.end()
            self.fold = "i" in match[1]
            if "s" in match[1]:
                self.dot = ANY

    def choice(self, depth: int) -> Pattern:
        if depth > DEEPEST:
            raise self.problem("its groups stand too deep inside each other", self.at, self.at + 1)
        options = [self.sequence(depth)]
        while self.text.startswith("|", self.at):
            self.at += 1
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self, depth: int) -> Pattern:
        items: list[Pattern] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            start = self.at
            items.append(self.repeated(self.atom(depth), start))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def atom(self, depth: int) -> Pattern:
        start, character = self.at, self.text[self.at]
        self.at += 1
        match character:
            case "(":
                return self.group(start, depth)
            case "[":
                return Characters(self.set(start))
            case ".":
                return Characters(self.dot)
            case "^" | "$":
                return Anchor(character == "$")
            case "\\":
                return self.escape(start)
            case "*" | "+" | "?":
                raise self.problem(
                    f"nothing stands before `{character}` to repeat", start, self.at, f"write `\\{character}`"
                )
            case "{" if re.compile(r"[0-9]*,?[0-9]*\}").match(self.text, self.at):
                raise self.problem("nothing stands before `{` to repeat", start, self.at, "write `\\{`")
            case _:
                return Characters(self.folded(((ord(character), ord(character)),), start))

    def group(self, start: int, depth: int) -> Pattern:
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.text.startswith("?", self.at):
            for opening in sorted(GROUPS, key=len, reverse=True):
                if self.text.startswith(opening, self.at):
                    raise self.problem(GROUPS[opening], start, self.at + len(opening))
            raise self.problem("flags can only be `(?i)` and `(?s)` at its very start", start, self.at + 1)
        inner = self.choice(depth + 1)
        if self.at >= len(self.text):
            raise self.problem("a `(` is never closed", start, start + 1, "add a `)`, or write `\\(` for the character")
        self.at += 1
        return inner

    def repeated(self, item: Pattern, start: int) -> Pattern:
        """An item with the repetition that follows it."""
        begin = self.at
        bounds = self.repetition()
        if bounds is None:
            return item
        low, high = bounds
        if isinstance(item, Anchor):
            raise self.problem("`^` and `$` cannot be repeated", start, self.at)
        if max(low, high or 0) > MOST_REPEATS:
            raise self.problem(f"at most {MOST_REPEATS} repetitions are allowed", begin, self.at)
        if high is not None and high < low:
            raise self.problem("the repetition ends before it begins", begin, self.at, f"write `{{{high},{low}}}`")
        if weight(item) * max(low, high or 0) > LARGEST:
            raise self.problem("its repetitions come to too much", begin, self.at)
        if self.text.startswith("?", self.at):
            self.at += 1  # how greedily it repeats does not change whether there is a match
        following = self.at
        if self.text.startswith("+", self.at):
            raise self.problem("possessive repetitions are not in RE2", begin, self.at + 1, "take the second sign out")
        if self.repetition() is not None:
            raise self.problem(
                "a repetition is repeated", begin, max(self.at, following + 1), "put the first in `(...)`"
            )
        return Repeat(item, low, high)

    def repetition(self) -> tuple[int, int | None] | None:
        """The bounds of a repetition that stands here, which is read; None where there is none."""
        match = re.compile(r"[*+?]|\{([0-9]{0,9})(,?)([0-9]{0,9})\}").match(self.text, self.at)
        if match is None:
            return None
        if match[0] in ("*", "+", "?"):
            self.at = match.end()
            return int(match[0] == "+"), 1 if match[0] == "?" else None
        if not match[1]:
            raise self.problem(
                f"`{match[0]}` has no lower bound", match.start(), match.end(), f"write `{{0{match[2]}{match[3]}}}`"
            )
        self.at = match.end()
        low = int(match[1])
        return low, low if not match[2] else int(match[3]) if match[3] else None

    def escape(self, start: int) -> Pattern:
        character = self.text[self.at : self.at + 1]
        if character in ("A", "z"):
            self.at += 1
            return Anchor(character == "z")
        return Characters(self.escaped(start))

    def escaped(self, start: int) -> Ranges:
        """The characters of an escape, whose backslash has been read."""
        character = self.text[self.at : self.at + 1]
        self.at += 1
        if not character:
            raise self.problem("it ends with a backslash", start, start + 1, "write `\\\\` for the character")
        if character in SETS:
            return self.known(SETS[character.lower()], negated=character.isupper())
        if character in ESCAPES:
            raise self.problem(ESCAPES[character], start, self.at)
        if character in SIMPLE:
            code = ord(SIMPLE[character])
        elif character == "x":
            match = re.compile(r"([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\}").match(self.text, self.at)
            if match is None or int(match[1] or match[2], 16) > LAST:
                raise self.problem("`\\x` takes two hexadecimal digits, or more in `{...}`", start, self.at)
            self.at = match.end()
            code = int(match[1] or match[2], 16)
        elif character.isdecimal():
            reason = "octal escapes differ between engines" if character == "0" else "back-references are not in RE2"
            raise self.problem(reason, start, self.at)
        elif character.isascii() and not character.isalnum() and character.isprintable():
            code = ord(character)
        else:
            raise self.problem(f"`\\{character}` means nothing", start, self.at, f"write `{character}`")
        return self.folded(((code, code),), start)

    def set(self, start: int) -> Ranges:
        """The characters of `[...]`, whose bracket has been read."""
        negated = self.text.startswith("^", self.at)
        self.at += negated
        found: list[tuple[int, int]] = []
        first = True
        while True:
            if self.at >= len(self.text):
                raise self.problem(
                    "a `[` is never closed", start, start + 1, "add a `]`, or write `\\[` for the character"
                )
            if self.text[self.at] == "]" and not first:
                self.at += 1
                break
            first = False
            found.extend(self.member())
        ranges = merged(found)
        if negated:
            ranges = inverse(ranges)
        if not ranges:
            raise self.problem("this set holds no character", start, self.at)
        return ranges

    def member(self) -> Ranges:
        """One character, range or class inside `[...]`."""
        start = self.at
        named = re.compile(r"\[:(\^?)([a-z]*):\]").match(self.text, self.at)
        if named:
            self.at = named.end()
            if named[2] not in NAMED:
                raise self.problem(f"there is no class `{named[0]}`", start, self.at)
            return self.known(NAMED[named[2]], negated=bool(named[1]))
        low = self.single()
        if low is None:
            return self.escaped(start)
        if not self.text.startswith("-", self.at) or self.text[self.at + 1 : self.at + 2] in ("", "]"):
            return self.folded(((low, low),), start)
        self.at += 1
        begin = self.at
        high = self.single()
        if high is None:
            raise self.problem("a range ends with a class", start, begin + 2, "write `\\-` for the character")
        if high < low:
            raise self.problem(f"the range `{self.text[start : self.at]}` is the wrong way round", start, self.at)
        return self.folded(((low, high),), start)

    def known(self, ranges: Ranges, *, negated: bool) -> Ranges:
        """The characters of a class; where case does not matter, the other case is added before it is negated."""
        folded = self.folded(ranges, self.at)
        return inverse(folded) if negated else folded

    def single(self) -> int | None:
        """One character inside `[...]`; None, with its backslash read, where a class such as `\\d` stands."""
        start, character = self.at, self.text[self.at]
        self.at += 1
        if character != "\\":
            return ord(character)
        if self.text[self.at : self.at + 1] in SETS:
            return None
        fold, self.fold = self.fold, False
        ranges = self.escaped(start)
        self.fold = fold
        return ranges[0][0]

    def folded(self, ranges: Ranges, start: int) -> Ranges:
        """The characters with the other case of each, where case does not matter."""
        if not self.fold:
            return ranges
        out = list(ranges)
        for low, high in ranges:
            if high > 127 and (low, high) != (128, LAST) and high != LAST:
                raise self.problem(
                    "`(?i)` beyond ASCII differs between engines", start, self.at, "spell both cases out"
                )
            for code in range(max(low, 65), min(high, 122) + 1):
                if chr(code).isalpha():
                    out.append((code ^ 32, code ^ 32))
                    if code in FOLDED:
                        out.append((FOLDED[code], FOLDED[code]))
        return merged(out)


def weight(pattern: Pattern) -> int:
    """How many characters a pattern comes to, its repetitions written out."""
    match pattern:
        case Sequence(items) | Choice(items):
            return sum(map(weight, items))
        case Repeat(item, low, high):
            return weight(item) * max(low, high or 0, 1)
        case _:
            return 1


def render(pattern: Pattern, end: str) -> str:
    match pattern:
        case Characters(ranges):
            return characters(ranges)
        case Anchor(at_end):
            return end if at_end else "^"
        case Sequence(items):
            return "".join(
                f"(?:{render(item, end)})" if isinstance(item, Choice) else render(item, end) for item in items
            )
        case Choice(options):
            return "|".join(render(option, end) for option in options)
        case Repeat(item, low, high):
            inner = render(item, end)
            if not isinstance(item, Characters):
                inner = f"(?:{inner})"
            match low, high:
                case 0, None:
                    return f"{inner}*"
                case 1, None:
                    return f"{inner}+"
                case 0, 1:
                    return f"{inner}?"
                case _ if low == high:
                    return f"{inner}{{{low}}}"
                case _:
                    return f"{inner}{{{low},{'' if high is None else high}}}"


def characters(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return character(ranges[0][0])
    if ranges == ANY:
        return "(?:[^\\n]|\\n)"
    sign = ""
    if ranges[-1][1] == LAST:
        sign, ranges = "^", inverse(ranges)
    parts = []
    for low, high in ranges:
        parts.append(character(low) if low == high else f"{character(low)}-{character(high)}")
    return f"[{sign}{''.join(parts)}]"


def character(code: int) -> str:
    """A character as every engine reads it, in a set and outside."""
    text = chr(code)
    if text == "\n":
        return "\\n"
    return f"\\{text}" if text.isascii() and text.isprintable() and not text.isalnum() and text not in " _" else text
