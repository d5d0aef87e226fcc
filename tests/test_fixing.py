"""Repairs: what is certain is put right in the text itself, and nothing else about the text changes.

In the specs below ⟦duratin_ms|duration_ms⟧ is what is written, and what it becomes.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from textwrap import dedent

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from meterspec.catalogue import rules
from meterspec.diagnostics import Diagnostic, Edit, Rule, Severity, certainly, did_you_mean
from meterspec.fixing import Fixed, fix, replacements
from meterspec.formats import sarif
from meterspec.lint import choose
from meterspec.project import SpecFile
from meterspec.render import order
from meterspec.revision import Revision
from meterspec.source import Place, Source
from meterspec.spec.spans import comments, locate
from tests.conftest import FIXTURES, ROOT
from tests.corpus import check_text
from tests.test_cli import meterspec
from tests.test_spec_spans import Writer

PAGE = (ROOT / "docs" / "fixing.md").read_text(encoding="utf-8")


def repaired(*files: tuple[str, str], ignore: tuple[str, ...] = ()) -> Fixed:
    return fix(
        [SpecFile(name, text.encode()) for name, text in files], lambda found: choose(order(found), ignore=ignore)
    )


def text_of(done: Fixed) -> str:
    (file,) = done.files
    return file.data.decode()


def sides(marked: str) -> tuple[str, str]:
    """A marked text before and after."""
    return tuple(re.sub(r"⟦([^|]*)\|([^⟧]*)⟧", rf"\{side}", marked) for side in (1, 2))  # type: ignore[return-value]


FAMILY = """\
[[families]]
name = "api.call"
schema.duration_ms = { type = "integer", required = true, unit = "ms", min = 0, max = 86_400_000 }
schema.queued_ms = { type = "integer", required = true, unit = "ms", min = 1, max = 86_400_000 }
schema.status = { type = "string", required = true, values = ["finished", "cancelled"] }
schema.region = { type = "string", required = true, values = ["eu-central", "us-east"] }
"""


def meter(name: str = "calls", more: str = "", **parts: str) -> str:
    """A meter: `parts` are keys and their values in TOML, `more` stands below."""
    written = {"source": '{ kind = "family", family = "api.call" }', "aggregate": '{ fn = "COUNT" }', **parts}
    return f'\n[[meters]]\nname = "{name}"\n' + "".join(f"{key} = {text}\n" for key, text in written.items()) + more


def filtered(text: str) -> str:
    return FAMILY + meter(filter=text)


def valued(text: str, **parts: str) -> str:
    return FAMILY + meter(aggregate=f'{{ fn = "SUM", value = {text} }}', **parts)


def priced(price: str) -> str:
    return FAMILY + meter(
        kind='"billing"',
        aggregate='{ fn = "COUNT", window = "billing_cycle", group_by = ["customer_id", "region"] }',
        billing=price,
    )


REPAIRS = {
    "key": "[[families]]\nname = 'a'\n⟦descripton|description⟧ = 'x' # so\n",
    "key in quotes": "[[families]]\nname = 'a'\n  ⟦\"max-events\"|max_events⟧ = 5\n",
    "key of an inline table": "families = [{ name = 'a', ⟦discription|description⟧ = 'x' }]\n",
    "key of a table": "[[families]]\nname = 'a'\n\n[families.⟦shema|schema⟧.x]\ntype = 'string'\n",
    "key of a table that several headers name": "[[families]]\nname = 'a'\n[families.⟦shema|schema⟧.x]\n"
    "type = 'string'\n[families.⟦shema|schema⟧.y]\ntype = 'string'\n",
    "key of a table in dotted keys": "[[families]]\nname = 'a'\n⟦shema|schema⟧.x.type = 'string'\n"
    "⟦shema|schema⟧.y.type = 'string'\n",
    "choice": FAMILY + meter(aggregate='{ fn = ⟦"count"|"COUNT"⟧ }'),
    "family": FAMILY + meter(source='{ kind = "family", family = ⟦\'api.cal\'|"api.call"⟧ }'),
    "family of several": FAMILY + meter(source='{ kind = "families", families = [⟦"apicall"|"api.call"⟧] }'),
    "part of a ratio": FAMILY
    + meter()
    + meter("queued")
    + '\n[[meters]]\nname = "r"\nsource = { kind = "ratio", numerator = ⟦"qeued"|"queued"⟧, denominator = "calls" }\n',
    "dimension": FAMILY + meter(aggregate='{ fn = "COUNT", group_by = [⟦"regon"|"region"⟧] }'),
    "window": FAMILY + meter(aggregate='{ fn = "COUNT", window = ⟦"Month"|"month"⟧ }'),
    "zone": FAMILY
    + meter(
        aggregate='{ fn = "COUNT", window = { kind = "calendar", unit = "day", timezone = '
        '⟦"Europe/Berln"|"Europe/Berlin"⟧ } }'
    ),
    "column of a test": FAMILY
    + meter(more="[[meters.tests]]\nname = 'n'\nevents = []\nexpect = [{ ⟦quantty|quantity⟧ = 0 }]\n"),
    "currency": priced('{ model = "usage", currency = ⟦"eur"|"EUR"⟧, unit_amount = 1 }'),
    "dimension of a rate": priced(
        '{ model = "usage", currency = "EUR", unit_amount = 1, '
        'rates = [{ match = { ⟦regoin|region⟧ = "us-east" }, unit_amount = 2 }] }'
    ),
    "value of a rate": priced(
        '{ model = "usage", currency = "EUR", unit_amount = 1, '
        'rates = [{ match = { region = ⟦"us-eats"|"us-east"⟧ }, unit_amount = 2 }] }'
    ),
    "level of a rule": '[lint]\n⟦undeclared-dimensoin|undeclared-dimension⟧ = "off"\n',
    "comment that allows a rule": FAMILY
    + meter(
        aggregate='{ fn = "COUNT", group_by = ["x"] } # meterspec: allow '
        "⟦undeclared-dimensoin|undeclared-dimension⟧ the gateway adds it"
    ),
    "comment that allows nothing": f"⟦# meterspec: allow MS223 the gateway adds it\n|⟧{FAMILY}",
    "comment that allows nothing behind an entry": 'families = [{ name = "a" }]⟦ # meterspec: allow MS223 it is so|⟧\n',
    # Expressions
    "field": filtered('"⟦duratin_ms|duration_ms⟧ > 5"'),
    "field in camel case": filtered('"⟦durationMs|duration_ms⟧ > 5"'),
    "two fields": filtered('"⟦duratin_ms|duration_ms⟧ > ⟦queed_ms|queued_ms⟧"'),
    "constant": filtered("\"(status == 'finished') == ⟦False|false⟧\""),
    "value of a closed set": filtered("\"status == '⟦finshed|finished⟧'\""),
    "value in a list": filtered("\"status in ['finished', '⟦canceled|cancelled⟧'] && duration_ms > 1\""),
    "method": filtered("\"status.⟦startwith|startsWith⟧('f')\""),
    "function": filtered('"math.⟦grestest|greatest⟧(duration_ms, queued_ms) > 1"'),
    "expression in single quotes": filtered("'status == \"⟦finshed|finished⟧\" && ⟦duratin_ms|duration_ms⟧ > 1'"),
    "expression with escapes": filtered(
        r'"\u0073tatus == \"⟦finshed|finished⟧\" \t&& ⟦dur\u0061tin_ms|duration_ms⟧ > 1"'
    ),
    "expression that begins with an escape": filtered(r'"⟦\u0064uratin_ms|duration_ms⟧ > 1"'),
    "expression over lines": filtered('"""\n  duration_ms > 1\n  && ⟦queed_ms|queued_ms⟧ > 2\n"""'),
    "expression over continued lines": filtered('"""duration_ms > 1 \\\n   && ⟦queed_ms|queued_ms⟧ > 2"""'),
    "expression over lines in single quotes": filtered(
        "'''\nstatus == '⟦finshed|finished⟧' && 1 < ⟦queed_ms|queued_ms⟧'''"
    ),
    "expression with line ends of Windows": filtered('"""\r\nduration_ms > 1\r\n&& ⟦queed_ms|queued_ms⟧ > 2\r\n"""'),
    # Whole numbers divided
    "division by a constant": valued('"duration_ms / ⟦1000|1000.0⟧"'),
    "division of a field": valued('"⟦|double(⟧duration_ms⟦|)⟧ / queued_ms"'),
    "division of a sum": valued('"⟦|double(⟧(duration_ms + queued_ms)⟦|)⟧ / queued_ms"'),
    "division of a product": valued('"1 + ⟦|double(⟧duration_ms * 3⟦|)⟧ / queued_ms"'),
    "division of a quotient": valued('"duration_ms / ⟦10|10.0⟧ / queued_ms"'),
    # Units
    "unit of another spelling": 'families = [{ name = "a", schema.x = { type = "float", unit = "⟦KWH|kWh⟧" } }]\n',
    "unit of an inline table": 'families = [{ name = "a", schema.took_ms = { type = "integer"⟦|, unit = "ms"⟧ } }]\n',
    "unit of a table": "[[families]]\nname = 'a'\n\n[families.schema.took_ms] # how long\n  type = 'integer' # whole"
    "⟦|\n  unit = \"ms\"⟧\n\n[families.schema.x]\ntype = 'string'\n",
    "unit of the last table": "[[families]]\nname = 'a'\n[families.schema.took_ms]\ntype = 'integer'⟦|\nunit = \"ms\"⟧",
    "unit in dotted keys": "[[families]]\nname = 'a'\nschema . took_ms . type = 'integer'\n"
    "schema.took_ms.required = true⟦|\nschema.took_ms.unit = \"ms\"⟧\nschema.x.type = 'string'\n",
    "unit with line ends of Windows": "[[families]]\r\nname = 'a'\r\n[families.schema.took_ms]\r\ntype = 'integer'"
    '⟦|\r\nunit = "ms"⟧\r\n',
    "units of all fields": "[[families]]\nname = 'a'\nschema.a_ms = { type = 'integer'⟦|, unit = \"ms\"⟧ }\n"
    "schema.b_s = { type = 'integer'⟦|, unit = \"s\"⟧ }\n",
    # Other languages' spelling
    "true with a capital": "families = [{ name = 'a', schema.x = { type = 'string', required = ⟦True|true⟧ } }]\n",
    "number without a zero": "[[families]]\nname = 'a'\n"
    "schema.x = { type = 'float', min = ⟦-5.|-5.0⟧, max = ⟦.5|0.5⟧ }\n",
    "number in groups": "[[families]]\nname = 'a'\nmax_events = ⟦1.000.000|1_000_000⟧\n",
    "colon": "[[families]]\nname⟦:| =⟧ 'a' # so\ndescription ⟦:|=⟧ 'x'\n",
    "semicolon at the end": "[[families]]\nname = 'a'⟦;|⟧ # so\ndescription = 'x'⟦,|⟧\n",
    "semicolon between entries": "[[families]]\nname = 'a'\n[families.schema.x]\n"
    "  type = 'integer'⟦; |\n  ⟧required = ⟦True|true⟧⟦;|⟧\n",
    # One after another
    "field of a misspelt family": FAMILY
    + meter(source='{ kind = "family", family = ⟦\'api.cal\'|"api.call"⟧ }', filter='"⟦duratin_ms|duration_ms⟧ > 5"'),
    "what a misspelt key hides": FAMILY + meter(**{"⟦filtr|filter⟧": '"⟦duratin_ms|duration_ms⟧ > 5"'}),
}


@pytest.mark.parametrize("marked", REPAIRS.values(), ids=REPAIRS.keys())
def test_a_repair(marked: str) -> None:
    before, after = sides(marked)
    done = repaired(("meterspec.toml", before))
    assert text_of(done) == after
    assert done.counts["meterspec.toml"] > 0
    assert [d.message for d in done.found if d.edits] == []


def test_the_page_lists_what_is_repaired() -> None:
    """Every rule that offers an edit for one of the specs here, and no other."""
    texts = [sides(marked)[0] for marked in REPAIRS.values()] + [dedent(rule.bad) for rule in rules() if rule.bad]
    offered = {diagnostic.code for text in texts for diagnostic in check_text(text)[1] if diagnostic.edits}
    assert set(re.findall(r"^\| (MS\d+) \|", PAGE, re.MULTILINE)) == offered


LEFT = {
    "a name that could be two": FAMILY.replace("queued", "shipped").replace("duration", "skipped")
    + meter(filter='"sipped_ms > 1"'),
    "a name that differs by its unit": FAMILY + meter(filter='"duration_s > 1"'),
    "a name that differs by its number": 'families = [{ name = "a.v1" }]\n'
    + meter(source='{ kind = "family", family = "a.v2" }'),
    "a name too short to tell": FAMILY + meter(aggregate='{ fn = "SUN", value = "duration_ms" }'),
    "a key that is there already": "[[families]]\nname = 'a'\ndescription = 'x'\ndescripton = 'y'\n",
    "a key that is misspelt twice": "[[families]]\nname = 'a'\ndescripton = 'x'\ndiscription = 'y'\n",
    "a text or a field": FAMILY + meter(filter='"status == finshed"'),
    "another language's word": FAMILY + meter(aggregate='{ fn = "mean", value = "duration_ms" }'),
    "a number that may be a name": "[[families]]\nname = 'a'\nmax_events = 007\n",
    "a list of another language": "[[families]]\nname: a\n",
    "a decimal comma": "[[families]]\nname = 'a'\nmax_events = 1,5\n",
    "what is not TOML": 'families = [{ name = "a", descripton = "x" ]\n',
    # What would bring an error with it
    "a unit that another unit contradicts": "families = [{ name = 'a', schema.took_ms = { type = 'integer', "
    "required = true } }]\n"
    + meter(
        source='{ kind = "family", family = "a" }', aggregate='{ fn = "SUM", value = "took_ms / 1000.0" }', unit='"h"'
    ),
    "a division that has to stay whole": filtered('"duration_ms / 1000 % 60 == 0"'),
    "a dimension that is there already": FAMILY + meter(aggregate='{ fn = "COUNT", group_by = ["region", "regon"] }'),
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT.keys())
def test_what_is_not_certain_or_would_do_harm_is_left(text: str) -> None:
    _, found = check_text(text)
    assert found, "there is something to repair"
    done = repaired(("meterspec.toml", text))
    assert text_of(done) == text
    assert not done.revisions
    assert not done.counts
    assert [(d.code, d.message) for d in done.found] == [(d.code, d.message) for d in found]


def test_a_repair_that_does_harm_stands_in_the_way_of_no_other() -> None:
    fine = [meter(f"m{n}", filter=f'"duration_ms / ⟦{n}|{n}.0⟧ > 5"') for n in range(2, 12)]
    marked = "".join([FAMILY, *fine[:6], meter("whole", filter='"duration_ms / 7 % 2 == 1"'), *fine[6:]])
    before, after = sides(marked)
    done = repaired(("meterspec.toml", before))
    assert text_of(done) == after
    assert [d.code for d in done.found] == ["MS320"]


def test_only_what_is_chosen_is_repaired() -> None:
    text = 'families = [{ name = "a", schema.took_ms = { type = "integer" } }]\n'
    assert text_of(repaired(("meterspec.toml", text), ignore=("MS361",))) == text


def test_files_of_a_project_are_repaired_together() -> None:
    families, meters = FAMILY, meter(filter='"durtion_ms > 1"')
    done = repaired(("families.toml", families), ("meters.toml", meters))
    assert [file.data.decode() for file in done.files] == [families, meters.replace("durtion", "duration")]
    assert (list(done.revisions), done.counts) == (["meters.toml"], {"meters.toml": 1})


def test_a_byte_order_mark_stays() -> None:
    (text,) = [file.data for file in repaired(("a.toml", "\ufeff[[families]]\nname = 'a'\ndescripton = 'x'\n")).files]
    assert text.decode() == "\ufeff[[families]]\nname = 'a'\ndescription = 'x'\n"


# Names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("duratin_ms", ["duration_ms", "queued_ms"], "duration_ms"),
        ("druation_ms", ["duration_ms"], "duration_ms"),
        ("durationms", ["duration_ms"], "duration_ms"),
        ("Duration-MS", ["duration_ms"], "duration_ms"),
        ("sum", ["SUM", "MIN"], "SUM"),
        ("durtin_ms", ["duration_ms"], None),
        ("duration_s", ["duration_ms"], None),
        ("carbon_t", ["carbon_g"], None),
        ("price_v2", ["price_v1"], None),
        ("v11_price", ["v1_1_price"], None),
        ("region_us", ["region_eu"], None),
        ("us_east", ["us_west"], None),
        ("sun", ["SUM"], None),
        ("reqest", ["request", "request"], "request"),
        ("requests", ["request", "requestz"], None),
        ("größe", ["grösse"], None),
        ("große", ["größe"], "größe"),
        ("", ["a"], None),
        ("name", [], None),
    ],
)
def test_a_name_is_certain_or_not(name: str, known: list[str], meant: str | None) -> None:
    assert certainly(name, known) == meant
    if meant is not None:
        assert did_you_mean(name, known) == f"did you mean `{meant}`?"


# Strings --------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.text(max_size=4), st.data())
@settings(max_examples=400, deadline=None)
def test_characters_are_replaced_in_whatever_string_they_stand_in(text: str, new: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    document = f"x = {Writer(data).string(text)} # a comment\n"
    source = Source("meterspec.toml", document, locate)
    (made,) = replacements([Edit(Place(source, ("x",)).within(first, last), new)])
    assert made is not None
    revision = Revision(document)
    revision.apply(made)
    assert tomli.loads(revision.after) == {"x": text[:first] + new + text[last:]}
    assert revision.after.endswith(" # a comment\n")


def test_a_repair_is_part_of_a_sarif_log_as_it_would_be_made() -> None:
    _, found = check_text("[[families]]\nname = 'a'\nschema.took_ms.type = 'integer'\n")
    (result,) = json.loads(sarif(found, PurePath()))["runs"][0]["results"]
    (replacement,) = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"] == {"text": '\nschema.took_ms.unit = "ms"'}
    assert replacement["deletedRegion"] == {"startLine": 3, "startColumn": 32, "endLine": 3, "endColumn": 32}


@pytest.mark.parametrize(
    ("written", "new", "after"),
    [
        ('"abcd"', "x", '"axd"'),
        ('"abcd"', '"\\', r'"a\"\\d"'),
        (r'"\u0061\u0062\u0063d"', "x", r'"\u0061xd"'),
        ("'abcd'", '"\\', "'a\"\\d'"),
        ("'abcd'", "'", '"a\'d"'),
        ("""'ab\\"'""", "'", r'''"a'\""'''),
        ("'''abcd'''", "'", "'''a'd'''"),
        ("'''abcd'''", "'''", '"""\na\'\'\'d"""'),
        ('"""\n\\\n  abcd"""', "\n x", '"""\n\\\n  a\\U0000000A xd"""'),
    ],
)
def test_a_string_stays_of_its_kind_where_it_can(written: str, new: str, after: str) -> None:
    source = Source("meterspec.toml", f"x = {written}", locate)
    (made,) = replacements([Edit(Place(source, ("x",)).within(1, 3), new)])
    assert made is not None
    revision = Revision(source.text)
    revision.apply(made)
    assert revision.after == f"x = {after}"


# Any spec -------------------------------------------------------------------------------------------------------


def errors(found: Iterable[Diagnostic]) -> list[str]:
    return [diagnostic.code for diagnostic in found if diagnostic.rule.severity is Severity.ERROR]


def repair(text: str) -> Fixed:
    """The repair of a spec, which holds what every repair has to."""
    done = repaired(("meterspec.toml", text))
    _, before = check_text(text)
    _, after = check_text(text_of(done))
    assert [(d.code, d.message) for d in after] == [(d.code, d.message) for d in done.found]
    assert errors(before) or not errors(after)
    assert any(code < "MS120" for code in errors(before)) or not any(code < "MS120" for code in errors(after))
    if done.counts:
        assert Counter((d.code, d.message) for d in before if d.edits) - Counter((d.code, d.message) for d in after)
    again = repaired(("meterspec.toml", text_of(done)))
    assert text_of(again) == text_of(done)
    return done


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.bad], ids=lambda rule: f"{rule.code}-{rule.slug}")
def test_the_bad_example_of_a_rule_is_repaired_where_the_finding_says_so(rule: Rule) -> None:
    text = dedent(rule.bad)
    _, found = check_text(text)
    done = repair(text)
    if any(diagnostic.edits for diagnostic in found):
        assert [d.code for d in done.found] == []
        assert done.counts == {"meterspec.toml": len(found)}
    else:
        assert text_of(done) == text


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.toml")), ids=lambda path: str(path.relative_to(FIXTURES)))
def test_a_fixture_has_fewer_findings_and_all_its_comments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    done = repair(text)
    kept = [comment for _, _, comment in comments(text_of(done))]
    gone = Counter(comment for _, _, comment in comments(text)) - Counter(kept)
    assert all("meterspec:" in comment for comment in gone)
    assert all(rule.code in {"MS134", "MS136"} or not gone for rule in {d.rule for d in check_text(text)[1]} if gone)


WORDS = re.compile(r"[a-zA-Z][a-zA-Z_]{4,}")
SOUND = (FIXTURES / "valid" / "published_long.toml").read_text(encoding="utf-8")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_spec_with_slips_is_repaired_or_left(data: st.DataObject) -> None:
    text = SOUND
    for _ in range(data.draw(st.integers(1, 3))):
        word = data.draw(st.sampled_from(list(WORDS.finditer(text))))
        at = data.draw(st.integers(word.start(), word.end() - 2))
        slip = data.draw(st.sampled_from([text[at + 1] + text[at], text[at], text[at : at + 2] + "e"]))
        text = text[:at] + slip + text[at + 2 :]
    repair(text)


# The command ----------------------------------------------------------------------------------------------------

SLIPS = f"# calls\n{FAMILY}" + meter(filter='"duratin_ms / 1000.0 > 5 && sttus == 1"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "meterspec.toml").write_text(SLIPS, encoding="utf-8")
    return tmp_path


def test_fix_writes_the_repairs_and_prints_what_is_left(folder: Path) -> None:
    done = meterspec("validate", "--fix", "--format", "concise", cwd=folder)
    assert done.stdout == (
        "meterspec.toml:13:46: error[MS312] `==` does not take a string and an int "
        "(`status` is a string: write `'1'`)\n"
    )
    assert done.stderr == "repaired: 2 findings in meterspec.toml\n1 file: 1 error\n"
    assert done.returncode == 1
    text = SLIPS.replace("duratin_ms", "duration_ms").replace("sttus", "status")
    assert (folder / "meterspec.toml").read_text(encoding="utf-8") == text


def test_fix_of_what_is_sound_touches_nothing(folder: Path) -> None:
    (folder / "meterspec.toml").write_text(FAMILY, encoding="utf-8")
    before = (folder / "meterspec.toml").stat().st_mtime_ns
    done = meterspec("validate", "--fix", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing can be repaired\n1 file: no findings\n")
    assert (folder / "meterspec.toml").stat().st_mtime_ns == before


def test_diff_shows_the_repairs_and_writes_nothing(folder: Path) -> None:
    done = meterspec("validate", "--diff", cwd=folder)
    assert done.stderr == "to repair: 2 findings in meterspec.toml\n"
    assert done.returncode == 1
    assert (folder / "meterspec.toml").read_text(encoding="utf-8") == SLIPS
    assert '\n-filter = "duratin_ms' in done.stdout
    assert '\n+filter = "duration_ms' in done.stdout
    subprocess.run(["git", "apply", "-p0", "-"], cwd=folder, input=done.stdout.encode(), check=True)
    assert meterspec("validate", "--diff", cwd=folder).stderr.startswith("nothing can be repaired\n")


def test_diff_with_nothing_to_repair_prints_what_is_found() -> None:
    text = FAMILY + meter(filter='"status == 1"')
    done = meterspec("validate", "-", "--fix", "--diff", "--format", "json", text=text)
    assert [each["code"] for each in json.loads(done.stdout)["diagnostics"]] == ["MS312"]
    assert done.returncode == 1


def test_standard_input_is_repaired_to_standard_output() -> None:
    done = meterspec("validate", "-", "--fix", text=SLIPS)
    assert done.stdout == SLIPS.replace("duratin_ms", "duration_ms").replace("sttus", "status")
    assert "MS312" in done.stderr
    assert done.returncode == 1
