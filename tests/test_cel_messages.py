"""What a person reads who made a mistake: the expression, the characters blamed, what is wrong and what to write."""

from __future__ import annotations

import re

import pytest

from meterspec.cel import Type
from meterspec.diagnostics import Severity
from tests.cel_cases import checked

MISTAKES = r"""

// names

statsu == 200
^^^^^^ MS310 there is no field `statsu`
  = did you mean `status`?

event.status == 200
^^^^^^^^^^^^ MS348 `event.status` selects a field of something that has no fields
  = write `status`: fields are named directly

started.hour == 3
^^^^^^^^^^^^ MS348 `started.hour` selects a field of something that has no fields
  = write `started.getHours()`

region == eu
          ^^ MS310 there is no field `eu`
  = write `'eu'` for the text

region in [eu]
           ^^ MS310 there is no field `eu`
  = write `'eu'` for the text

lat > 3
^^^ MS310 there is no field `lat`
  = did you mean `latency`?

cached == TRUE
          ^^^^ MS310 there is no field `TRUE`
  = write `true`

// types

status < '500'
       ^ MS312 `<` does not take an int and a string
  = `status` is an int: write `500` without quotes

cached == 'true'
       ^^ MS312 `==` does not take a bool and a string
  = `cached` is a bool: write `true` without quotes

plan == 5
     ^^ MS312 `==` does not take a string and an int
  = `plan` is a string: write `'5'`

started > '2026-01-01T00:00:00Z'
        ^ MS312 `>` does not take a timestamp and a string
  = write `timestamp('2026-01-01T00:00:00Z')`

ended - started > 90
                ^ MS312 `>` does not take a duration and an int
  = write `duration('5s')`, or take the seconds: `(ended - started).getSeconds()`

(ended - started) / 60
                  ^ MS312 `/` does not take a duration and an int
  = take the seconds: `(ended - started).getSeconds()`

started + 5
        ^ MS312 `+` does not take a timestamp and an int
  = write `duration('5s')` for a length of time

model + status
      ^ MS312 `+` does not take a string and an int
  = write `string(status)`

cost % 2
     ^ MS312 `%` does not take a decimal and an int
  = `%` takes ints; cut a decimal with `int(x)`

cost % 2.5
     ^ MS312 `%` does not take two decimals
  = `%` takes ints; cut a decimal with `int(x)`

-model
^ MS312 `-` does not take a string

status && cached
       ^^ MS312 `&&` does not take an int
  = write `status != 0`

model || cached
      ^^ MS312 `||` does not take a string
  = write `model != ''`

!status
^ MS312 `!` does not take an int
  = write `status != 0`

status ? 1 : 0
       ^ MS312 `?` does not take an int
  = write `status != 0`

cached ? 1 : 'a'
       ^ MS324 one branch gives an int and the other a string

cached == 1
       ^^ MS312 `==` does not take a bool and an int
  = compare a bool with `true` or `false`

size(status)
^^^^ MS312 `size` does not take an int
  = it is `size(string) -> int`

started.getHours(5)
        ^^^^^^^^ MS312 `getHours` does not take a timestamp and an int
  = it is `timestamp.getHours() -> int` or `timestamp.getHours(string) -> int`

math.abs(model)
^^^^^^^^ MS312 `math.abs` does not take a string
  = it is `math.abs(int) -> int` or `math.abs(decimal) -> decimal`

math.least(status, model)
^^^^^^^^^^ MS312 `math.least` does not take an int and a string
  = it is `math.least(int, int, ...) -> int`

// arguments

math.abs(status, 1)
^^^^^^^^ MS314 `math.abs` takes one argument, not 2
  = it is `math.abs(int) -> int` or `math.abs(decimal) -> decimal`

model.contains()
      ^^^^^^^^ MS314 `contains` takes one argument, not none
  = it is `string.contains(string) -> bool`

math.least(status)
^^^^^^^^^^ MS314 `math.least` takes two or more numbers, not 1
  = it is `math.least(int, int, ...) -> int` or `math.least(decimal, decimal, ...) -> decimal`

has()
^^^ MS314 `has` takes one field, not none

int()
^^^ MS314 `int` takes one argument, not none

// sets and lists

region == 'us-esat'
          ^^^^^^^^^ MS316 `region` is never 'us-esat'
  = did you mean 'us-east'?

region != 'asia'
          ^^^^^^ MS316 `region` is never 'asia'
  = it is one of 'eu', 'us-east', 'us-west'

region in ['eu', 'us_west']
                 ^^^^^^^^^ MS316 `region` is never 'us_west'
  = did you mean 'us-west'?

'us-est' == region
^^^^^^^^ MS316 `region` is never 'us-est'
  = did you mean 'us-west'?

status in [200, '404']
                ^^^^^ MS315 the list holds an int and a string
  = write values of one type

status in [200, 0.5, null]
                     ^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`
  = write `status == null || status in [...]`

status in ['a']
       ^^ MS312 `in` does not take an int and a list of strings
  = `status` is an int: the list has to hold ints

'eu' in region
     ^^ MS326 `in` takes a list on its right, not a string
  = write `region.contains('eu')`

status in tokens
       ^^ MS326 `in` takes a list on its right, not an int
  = write `status == tokens`

status == [200]
          ^^^^^ MS325 a list can only stand after `in`
  = write `status in [200]`

// missing values

latency > 100
^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `has(latency) && latency > 100`

latency + 1 > 100
^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `(has(latency) ? latency + 1 : 0)`

latency > 1 || latency < 9
^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `has(latency) && latency > 1`

plan.startsWith('pro')
^^^^ MS317 `plan` is optional, and this does not say what happens without it
  = write `has(plan) && plan.startsWith('pro')`

trial
^^^^^ MS317 `trial` is optional, and this does not say what happens without it
  = write `trial == true`, or test it first: `has(trial) && ...`

trial && cached
^^^^^ MS317 `trial` is optional, and this does not say what happens without it
  = write `trial == true`, or test it first: `has(trial) && ...`

!trial
 ^^^^^ MS317 `trial` is optional, and this does not say what happens without it
  = write `trial == true`, or test it first: `has(trial) && ...`

cached ? latency : 0
         ^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `(has(latency) ? latency : 0)`

-latency
 ^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `has(latency) ? -latency : 0`

plan == null && plan.size() > 2
                ^^^^ MS317 `plan` is optional, and this does not say what happens without it
  = write `(has(plan) ? plan.size() : 0)`

null
^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`

status + null
         ^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`

cached ? null : 1
         ^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`
  = leave such events out with the meter's `filter`, or give a value for them

(status + 1) == null
^^^^^^^^^^^^^^^^^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`
  = `(status + 1)` always has a value: leave the comparison out

null == null
^^^^^^^^^^^^ MS351 `null` can only be compared with a field, by `==` or `!=`

// division

cost / tokens
       ^^^^^^ MS318 `tokens` can be 0 here
  = write `tokens != 0 ? cost / tokens : 0.0`, or give `tokens` a `min` above 0

cost / (seats - 1)
       ^^^^^^^^^^^ MS318 `(seats - 1)` can be 0 here
  = write `(seats - 1) != 0 ? cost / (seats - 1) : 0.0`

cost / latency
       ^^^^^^^ MS317 `latency` is optional, and this does not say what happens without it
  = write `has(latency) ? cost / latency : 0.0`

status % tokens
         ^^^^^^ MS318 `tokens` can be 0 here
  = write `tokens != 0 ? status % tokens : 0`, or give `tokens` a `min` above 0

cost / 0
       ^ MS319 `0` is 0: nothing can be divided by it

cost / (2 - 2)
       ^^^^^^^ MS319 `(2 - 2)` is 0: nothing can be divided by it

tokens / 1000
       ^ MS320 an int divided by an int drops the fraction: 999 / 1000 is 0
  = write `tokens / 1000.0`

tokens / -1000
       ^ MS320 an int divided by an int drops the fraction: 999 / 1000 is 0
  = write `tokens / -1000.0`

tokens / seats
       ^ MS320 an int divided by an int drops the fraction: 7 / 2 is 3
  = write `double(tokens) / seats`

7 / 2
  ^ MS320 an int divided by an int drops the fraction: 1 / 2 is 0
  = write `7 / 2.0`
^^^^^ MS322 every event gives 7 / 2
  = count the events with `COUNT`

// constants

tokens >= 0
^^^^^^^^^^^ MS321 `tokens >= 0` is always true
  = `tokens` is at least 0

tokens < 0
^^^^^^^^^^ MS321 `tokens < 0` is always false
  = `tokens` is at least 0

tokens == -1
^^^^^^^^^^^^ MS321 `tokens == -1` is always false
  = `tokens` is at least 0

seats != 501
^^^^^^^^^^^^ MS321 `seats != 501` is always true
  = `seats` lies between 1 and 500

seats <= 500.0
^^^^^^^^^^^^^^ MS321 `seats <= 500.0` is always true
  = `seats` lies between 1 and 500

1 < 2
^^^^^ MS321 `1 < 2` is always true
  = no field is in it

cached == cached
^^^^^^^^^^^^^^^^ MS321 `cached == cached` is always true
  = both sides are the same

change < change
^^^^^^^^^^^^^^^ MS321 `change < change` is always false
  = both sides are the same

true && cached
^^^^ MS321 `true` is always true
  = leave it out

cached || false
          ^^^^^ MS321 `false` is always false
  = leave it out

true
^^^^ MS321 `true` is always true
  = leave it out

!false
 ^^^^^ MS321 `false` is always false
  = leave it out

has(status)
^^^^^^^^^^^ MS321 `has(status)` is always true
  = `status` is required: every event has it

status == null
^^^^^^^^^^^^^^ MS321 `status == null` is always false
  = `status` is required: every event has it

status != null
^^^^^^^^^^^^^^ MS321 `status != null` is always true
  = `status` is required: every event has it

model in []
^^^^^^^^^^^ MS321 `model in []` is always false
  = name at least one value

size(model) >= 0
^^^^^^^^^^^^^^^^ MS321 `size(model) >= 0` is always true
  = `size(model)` is at least 0

started.getHours() < 24
^^^^^^^^^^^^^^^^^^^^^^^ MS321 `started.getHours() < 24` is always true
  = `started.getHours()` lies between 0 and 23

size(region) > 1
^^^^^^^^^^^^^^^^ MS321 `size(region) > 1` is always true
  = `size(region)` lies between 2 and 7

5
^ MS322 every event gives 5
  = count the events with `COUNT`

2 * 3.5
^^^^^^^ MS322 every event gives 2 * 3.5
  = count the events with `COUNT`

'eu'
^^^^ MS322 every event gives 'eu'
  = count the events with `COUNT`

// conversions

int(model)
    ^^^^^ MS327 `int()` of a text takes a constant only: the text of an event could fail to convert
  = declare `model` with `type = "integer"`

timestamp(model)
          ^^^^^ MS327 `timestamp()` of a text takes a constant only: the text of an event could fail to convert
  = declare `model` with `type = "timestamp"`

string(cost)
^^^^^^ MS328 `string()` does not take a decimal: engines write decimals differently
  = compare the number itself

string(started)
^^^^^^ MS328 `string()` does not take a timestamp: engines write instants differently
  = compare the timestamp itself

int(started)
^^^ MS328 `int()` does not take a timestamp: a number of seconds or of milliseconds?
  = write `(started - timestamp('1970-01-01T00:00:00Z')).getSeconds()`

timestamp(1700000000)
^^^^^^^^^ MS328 `timestamp()` does not take an int: seconds or milliseconds?
  = write `timestamp('2023-11-14T22:13:20Z')` for seconds since 1970

duration(5)
^^^^^^^^ MS328 `duration()` does not take an int: seconds or milliseconds?
  = write a constant such as `duration('5s')`

int('1k')
    ^^^^ MS333 '1k' is not a whole number of 64 bits
  = write the number itself, without quotes

double('1,5')
       ^^^^^ MS333 '1,5' is not a decimal number of at most 38 digits
  = write the number itself, without quotes

timestamp('2026-01-01')
          ^^^^^^^^^^^^ MS330 '2026-01-01' is not a timestamp: it has no time of day
  = write `2026-01-01T00:00:00Z`

timestamp('2026-01-01T00:00:00')
          ^^^^^^^^^^^^^^^^^^^^^ MS330 '2026-01-01T00:00:00' is not a timestamp: it has no zone
  = write `2026-01-01T00:00:00Z` for UTC

timestamp('2026-02-30T00:00:00Z')
          ^^^^^^^^^^^^^^^^^^^^^^ MS330 '2026-02-30T00:00:00Z' is not a timestamp: there is no such date or time

timestamp('yesterday')
          ^^^^^^^^^^^ MS330 'yesterday' is not a timestamp: RFC 3339 is a date, `T`, a time, and `Z` or an offset
  = write it like `2026-01-31T00:00:00Z`

duration('1d')
         ^^^^ MS331 '1d' is not a duration: it takes numbers with h, m, s, ms, us
  = write `24h`

duration('90')
         ^^^^ MS331 '90' is not a duration: it takes numbers with h, m, s, ms, us
  = write `90s` for seconds

duration('1ns')
         ^^^^^ MS331 '1ns' is not a duration: it is finer than a microsecond

started.getHours('Europe/Berlim')
                 ^^^^^^^^^^^^^^^ MS332 'Europe/Berlim' is not a time zone
  = did you mean `Europe/Berlin`?

started.getHours('CEST')
                 ^^^^^^ MS332 'CEST' is not a time zone
  = write an IANA name like `Europe/Berlin`, or an offset like `-05:00`

started.getHours('+5')
                 ^^^^ MS332 '+5' is not a time zone
  = write an offset like `-05:00`, at most 14 hours

started.getHours(model)
                 ^^^^^ MS334 a zone has to be a constant text
  = write the zone out: `'Europe/Berlin'`

// patterns

model.matches(region)
              ^^^^^^ MS334 a pattern has to be a constant text
  = write the pattern out: `'^gpt-'`

model.matches('(?=gpt)')
               ^^^ MS329 this pattern cannot be used: look-ahead is not in RE2
  = test for the other text in a condition of its own: `x.matches('a') && !x.matches('b')`

model.matches('gpt(?!-3)')
                  ^^^ MS329 this pattern cannot be used: look-ahead is not in RE2
  = test for the other text in a condition of its own: `x.matches('a') && !x.matches('b')`

model.matches('\\bgpt')
                ^^ MS329 this pattern cannot be used: engines disagree on where a word ends
  = spell the neighbours out: `(^|[^a-z])word([^a-z]|$)`

model.matches('(a')
               ^ MS329 this pattern cannot be used: a `(` is never closed
  = add a `)`, or write `\(` for the character

model.matches('a**')
                ^^ MS329 this pattern cannot be used: a repetition is repeated
  = put the first in `(...)`

model.matches('[z-a]')
                ^^^ MS329 this pattern cannot be used: the range `z-a` is the wrong way round

model.matches('(?P<name>a)')
               ^^^ MS329 this pattern cannot be used: named groups differ between engines
  = write `(...)`

model.matches('a{300}')
                ^^^^^ MS329 this pattern cannot be used: at most 255 repetitions are allowed

model.matches('\\p{Lu}')
                ^^ MS329 this pattern cannot be used: engines hold different versions of Unicode
  = write the characters out: `[A-Za-zÀ-ÿ]`

// outside the profile

lower(model)
^^^^^ MS311 there is no function `lower`
  = write `text.lowerAscii()`

model.substring(0, 2)
      ^^^^^^^^^ MS349 `substring` is not in the profile: a text without the characters it asks for would make it fail
  = use `startsWith`, `endsWith` or `matches`

now() > started
^^^ MS349 `now` is not in the profile: an expression that reads the clock gives another number tomorrow
  = compare with a field of the event

coalesce(latency, 0)
^^^^^^^^ MS311 there is no function `coalesce`
  = write `has(x) ? x : 0`

startsWith(model, 'gpt')
^^^^^^^^^^ MS311 there is no function `startsWith`
  = write `model.startsWith('gpt')`

model.string()
      ^^^^^^ MS311 there is no function `string`
  = write `string(...)`

model[0]
     ^^^ MS342 indexing with `[...]` is not in the profile
  = for the first characters of a text, `model.startsWith('...')`

{'a': 1}
^^^^^^^^ MS340 maps are not in the profile
  = compare the field with a constant

Status{code: 1}
^^^^^^^^^^^^^^^ MS341 messages are not in the profile: `Status{...}`
  = compare a field with a constant

b'eu' == region
^^^^^ MS344 bytes are not in the profile
  = write `'eu'`

status == 5u
          ^^ MS345 unsigned numbers are not in the profile: `5u`
  = write `5`

event.?region
^^^^^^^^^^^^^ MS346 optional values (`.?`, `[?...]`) are not in the profile
  = write `has(field) && ...` or `has(field) ? field : ...`

dyn(status)
^^^ MS347 `dyn()` is not in the profile: every expression has one type that is known before any event
  = leave it out

['eu'].exists(r, r == region)
       ^^^^^^ MS343 `exists` goes through a list, which is not in the profile
  = write `field in [...]`

.status
^^^^^^^ MS352 names that begin with a point are not in the profile: `.status`
  = take the point out

bool(model)
^^^^ MS349 `bool` is not in the profile: a text that is neither true nor false would make it fail
  = compare instead: `flag == 'true'`

cel.bind(x, 1, x)
^^^^^^^^ MS349 `cel.bind` is not in the profile: an expression has no variables of its own
  = write the expression out

math.trunc(cost)
^^^^^^^^^^ MS349 `math.trunc` is not in the profile: `int(x)` is the same
  = write `int(x)`

// syntax

status = 200
       ^ MS300 `=` is not expected here
  = write `==` to compare

status === 200
       ^^^ MS300 `===` is not an operator
  = write `==`

status <> 200
       ^^ MS300 `<>` is not expected here
  = write `!=`

status =< 200
       ^^ MS300 `=<` is not expected here
  = write `<=`

status == 200 and cached
              ^^^ MS300 `and` is not expected here
  = write `&&`

cached OR trial
       ^^ MS300 `OR` is not expected here
  = write `||`

not cached
^^^ MS300 `not` is not expected here
  = write `!`

status not in [1]
       ^^^ MS300 `not` is not expected here
  = write `!(field in [...])`

plan is null
     ^^ MS300 `is` is not expected here
  = write `!has(field)` where a field is missing, `has(field)` where it is there

status ** 2
       ^^ MS300 `**` is not expected here
  = CEL has no powers: write `x * x`

latency ?? 0
        ^^ MS300 `??` is not expected here
  = write `has(field) ? field : 0`

status in (200, 204)
              ^ MS300 `,` is not expected in `(...)`
  = a list stands in `[...]`

status == 200)
             ^ MS300 `)` closes nothing
  = take it out

(status == 200
^ MS300 `(` is never closed
  = add a `)`

status in [200
          ^ MS300 `[` is never closed
  = add a `]`

status ==
       ^^ MS300 nothing stands after `==`

cached ? 1
       ^ MS300 `?` has no `:` after it
  = write `condition ? a : b`

cached ? 1 : cached ? 2
                    ^ MS300 `?` has no `:` after it
  = write `condition ? a : b`

cached ? cached ? 1 : 2 : 3
                ^ MS300 a second `?` stands before the `:` of the first
  = put the inner one in parentheses

status 200
       ^^^ MS300 `200` is not expected here
  = an operator is missing before it

status == 1_000
          ^^^^^ MS300 `1_000` is not a number
  = write `1000`: CEL has no separators in numbers

cost * 1.
       ^^ MS300 `1.` is not a number
  = write `1.0`

status == 200;
             ^ MS300 `;` is not expected here
  = an expression is one formula: take out the `;`

0 < status < 9
           ^ MS306 comparisons cannot be chained: `0 < status < 9`
  = write `0 < status && status < 9`

status == 200 == cached
              ^^ MS306 comparisons cannot be chained: `status == 200 == cached`
  = write `(status == 200) == cached`, or join two comparisons with `&&`

if(cached, 1, 0)
^^ MS304 `if` is a reserved word of CEL and cannot be a name
  = write `condition ? a : b`

package == 'box'
^^^^^^^ MS304 `package` is a reserved word of CEL and cannot be a name
  = a field of this name cannot be used in an expression: give it another

model == 'gpt
         ^ MS301 the string that begins here is never closed
  = close it with `'`

model == '''gpt'
         ^^^ MS301 the string that begins here is never closed
  = close it with `'''`

model == 'a\q'
           ^^ MS302 `\q` is not an escape of a CEL string
  = write `\\q` for a backslash, or begin the string with `r`

model == 'a\x00'
         ^^^^^^^ MS307 the string holds the character NUL (U+0000)
  = take it out

model == '\ud800'
          ^^^^^^ MS302 `\ud800` is not an escape of a CEL string

9223372036854775808
^^^^^^^^^^^^^^^^^^^ MS305 `9223372036854775808` is out of range: an int has 64 bits
  = write `9223372036854775808.0` for a decimal

1e400 > cost
^^^^^ MS305 `1e400` is out of range: a decimal has at most 38 digits

9223372036854775807 + 1
                    ^ MS305 `9223372036854775807 + 1` is out of range: an int has 64 bits
  = write one of them as a decimal, with `.0`

status # 1
       ^ MS300 `#` is not expected here
  = a comment begins with `//`

"""

BLAME = re.compile(r"( *)(\^+) (MS\d{3}) (.*)")
Finding = tuple[int, int, str, str, str | None]
"""First and last character, code, message, hint."""


def mistakes() -> list[tuple[str, list[Finding]]]:
    """Every expression of the text above, and its findings."""
    found: list[tuple[str, list[Finding]]] = []
    for line in MISTAKES.splitlines():
        blame = BLAME.fullmatch(line)
        if blame:
            begin = len(blame[1])
            found[-1][1].append((begin, begin + len(blame[2]), blame[3], blame[4], None))
        elif line.startswith("  = "):
            *finding, _ = found[-1][1].pop()
            found[-1][1].append((*finding, line.removeprefix("  = ")))  # type: ignore[arg-type]
        elif line and not line.startswith("//"):
            found.append((line, []))
    return found


@pytest.mark.parametrize(("text", "expected"), mistakes(), ids=[text for text, _ in mistakes()])
def test_a_mistake_is_blamed_where_it_stands_and_says_what_to_write(text: str, expected: list[Finding]) -> None:
    accepted, found = checked(text)
    assert [(*(d.at.inside or ()), d.code, d.message, d.hint) for d in found if d.at] == expected
    assert (accepted is None) is any(d.severity is Severity.ERROR for d in found)


def test_every_mistake_has_a_finding() -> None:
    assert [text for text, expected in mistakes() if not expected] == []


NUMBER, CONDITION = (Type.INT, Type.DECIMAL), (Type.BOOL,)


@pytest.mark.parametrize(
    ("text", "want", "message", "hint"),
    [
        (
            "status",
            CONDITION,
            "this gives an int, and a condition (a bool) is needed here",
            "compare it: `status != 0`",
        ),
        (
            "status + 1",
            CONDITION,
            "this gives an int, and a condition (a bool) is needed here",
            "compare it: `(status + 1) != 0`",
        ),
        (
            "model",
            CONDITION,
            "this gives a string, and a condition (a bool) is needed here",
            "compare it: `model != ''`",
        ),
        ("cached", NUMBER, "this gives a bool, and a number is needed here", "write `cached ? 1 : 0`"),
        (
            "ended - started",
            NUMBER,
            "this gives a duration, and a number is needed here",
            "write `(ended - started).getSeconds()`",
        ),
        (
            "model",
            NUMBER,
            "this gives a string, and a number is needed here",
            "`UNIQUE` counts different texts; a field that holds numbers is declared so",
        ),
        (
            "cost",
            (Type.STRING, Type.INT, Type.BOOL),
            "this gives a decimal, and a string, an int or a bool is needed here",
            "decimals are seldom equal: take a whole number, such as `int(x)`, or an id",
        ),
    ],
)
def test_a_result_of_the_wrong_type_says_how_to_get_the_right_one(
    text: str, want: tuple[Type, ...], message: str, hint: str | None
) -> None:
    accepted, found = checked(text, want=want)
    assert accepted is None
    assert [(d.code, d.message, d.hint) for d in found] == [("MS313", message, hint)]


def test_the_repair_of_an_integer_division_replaces_the_divisor() -> None:
    _, found = checked("tokens / 1000")
    (edit,) = found[0].edits
    assert (edit.at.inside, edit.text) == ((9, 13), "1000.0")
