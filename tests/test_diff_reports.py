"""A diff as it is read: a comment, annotations, a page; and whatever a spec says is text in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import tomli

from meterspec.markup import escaped
from meterspec.reports.markdown import MARKER, MOST
from tests.in_process import Done, meterspec

SPEC = """\
[[families]]
name = "api.call"
schema.status = { type = "string" }

[[meters]]
name = "calls"
kind = "billing"
description = "Calls."
filter = "status == 'ok'"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "usage", currency = "EUR", unit_amount = 0.45 }
"""
HOSTILE = [
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "**bold** _em_ `code` ~~gone~~ [a](https://evil.example) ![i](//x)",
    "@octocat #1 https://evil.example www.evil.example a@b.example",
    "| a | b |",
    "--> <!-- meterspec diff -->",
    "/close",
    "::error file=x::y",
    "\\u001b[31mred\\u202e",
    "&lt;b&gt; $x^2$ {{ 7*7 }} {% raw %}",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def diff(folder: Path, text: str, *arguments: str) -> Done:
    (folder / "new.toml").write_text(text, encoding="utf-8")
    return meterspec("diff", "old.toml", "new.toml", *arguments)


def dearer() -> str:
    return SPEC.replace("0.45", "0.50").replace("Calls.", "All calls.")


# Markdown -------------------------------------------------------------------------------------------------------


def test_a_comment_is_short_first_and_folds_the_rest(folder: Path) -> None:
    done = diff(folder, dearer(), "--format", "markdown")
    lines = done.stdout.splitlines()
    assert lines[:2] == [MARKER, "### meterspec: 1 breaking, 1 safe"]
    head, _, folded = done.stdout.partition("<details>")
    assert "MD301" in head
    assert "MD206" not in head
    assert "MD206" in folded
    assert done.stdout.count("<details>") == done.stdout.count("</details>")


def test_a_comment_of_nothing_is_nothing(folder: Path) -> None:
    done = diff(folder, f"# a comment\n{SPEC}", "--format", "markdown")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_comment_is_never_longer_than_github_takes(folder: Path) -> None:
    meters = "".join(
        f'[[meters]]\nname = "m{number}"\ndescription = "{"*" * 3000}"\nfilter = "status == \'{"*" * 3000}\'"\n'
        'source = { kind = "family", family = "api.call" }\naggregate = { fn = "COUNT" }\n'
        for number in range(300)
    )
    (folder / "old.toml").write_text(SPEC + meters, encoding="utf-8")
    done = diff(folder, SPEC + meters.replace("'*", "'-").replace('"**', '"* '), "--format", "markdown")
    assert len(done.stdout) <= MOST
    assert "300 breaking" in done.stdout
    tables = re.findall(r"and (\d+) more", done.stdout)
    assert 250 < int(tables[0]) < 300, "the first table has some rows, and says how many it has not"
    assert done.stdout.count("<details>") == done.stdout.count("</details>")


def test_a_comment_about_thousands_of_customers_says_how_many_it_leaves_out(folder: Path) -> None:
    """Their names are as long and as full of markup as they like."""
    names = [f"{number} {'|*é😀' * 60}" for number in range(2000)]
    meters = "".join(
        f'[[meters]]\nname = "m{number}"\nsource = {{ kind = "family", family = "api.call" }}\n'
        'aggregate = { fn = "COUNT", group_by = ["customer_id"] }\n'
        for number in range(5)
    )
    (folder / "old.toml").write_text(SPEC + meters, encoding="utf-8")
    changed = dearer() + meters.replace("aggregate", "filter = \"status != 'ok'\"\naggregate")
    done = diff(folder, changed, "--events", events_of(folder, *names), "--format", "markdown")
    assert len(done.stdout) <= MOST
    assert "2000 customers pay more" in done.stdout
    _, _, invoices = done.stdout.partition("Invoices in EUR")
    invoices, _, _ = invoices.partition("</details>")
    [left_out] = re.findall(r"and (\d+) more", invoices)
    assert 0 < len(re.findall(r"\n\| \d+ &#124;", invoices)) == 2000 - int(left_out)
    assert "There is more than a comment holds" in done.stdout
    assert done.stdout.count("<details>") == done.stdout.count("</details>")


def test_a_comment_lists_no_more_families_than_it_can_hold(folder: Path) -> None:
    def families(most: int) -> str:
        return "".join(
            f'[[families]]\nname = "{"f" * 80}{n}"\nschema.size = {{ type = "integer", max = {most} }}\n'
            f'[[meters]]\nname = "m{n}"\nsource = {{ kind = "family", family = "{"f" * 80}{n}" }}\n'
            'aggregate = { fn = "COUNT" }\n'
            for n in range(60)
        )

    event = '{"event_id": "e", "event_time": "2026-01-02T00:00:00Z", "customer_id": "c", "size": 7}\n'
    (folder / "events.jsonl").write_text(event, encoding="utf-8")
    (folder / "old.toml").write_text(families(9), encoding="utf-8")
    events = [word for n in range(60) for word in ("--events", f"{'f' * 80}{n}=events.jsonl")]
    done = diff(folder, families(5), *events, "--format", "markdown")
    assert done.stdout.count("are rejected, were 0") == 50, done.stderr
    assert "\nand 10 more\n" in done.stdout
    assert len(done.stdout) <= MOST


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_spec_says_is_text_in_a_comment(text: str, folder: Path) -> None:
    literal = json.dumps(json.loads(f'"{text}"')).replace("'", "\\u0027")
    spec = SPEC.replace("status == 'ok'", "status == 'X'").replace("X", "PLACE")
    written = spec.replace("\"status == 'PLACE'\"", f"\"status == '{literal[1:-1]}'\"")
    done = diff(folder, written, "--format", "markdown")
    assert done.returncode == 0, done.stderr
    cell = next(line for line in done.stdout.splitlines() if "MD225" in line)
    assert cell.count("|") == 3
    plain = re.sub(r"</?code>|<span></span>|&nbsp;|\*\*breaking\*\*", "", cell)
    assert not re.search(r"[<>*`\[\]@#$\\~]|https:|www\.|&(?!#\d+;)", re.sub(r"&#\d+;", "", plain)), plain
    assert "\x1b" not in done.stdout
    assert not any(line.lstrip().startswith("/") for line in done.stdout.splitlines())
    assert done.stdout.count(MARKER) == 1


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("tier 1 of `calls` costs 0.50", "tier 1 of <code>calls</code> costs 0.50"),
        ("snake_case stays, _this_ not", "snake_case stays, &#95;this&#95; not"),
        ("`a|b`", "<code>a&#124;b</code>"),
        ("@all", "&#64;<span></span>all"),
        ("`@all`", "<code>&#64;all</code>"),
        ("a: b, http://c", "a: b, http&#58;//c"),
        ("größer als früher", "größer als früher"),
    ],
)
def test_a_text_in_markdown(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


# GitHub ---------------------------------------------------------------------------------------------------------


def test_changes_stand_on_their_lines(folder: Path) -> None:
    done = diff(folder, dearer(), "--format", "github")
    annotations = [line for line in done.stdout.splitlines() if re.match(r"::(error|warning|notice) ", line)]
    assert annotations == [
        "::error file=new.toml,line=12,col=62,endColumn=66,title=MD301 tier-price-raised::"
        "tier 1 of `calls` costs 0.50 instead of 0.45 per unit",
        "::notice file=new.toml,line=8,col=15,endColumn=27,title=MD206 meter-description-changed::"
        "meter `calls` is described in other words",
    ]


def test_what_a_spec_says_is_no_workflow_command(folder: Path) -> None:
    spec = SPEC.replace("== 'ok'", "== 'a\\\\n::error file=x::y%0A'")
    done = diff(folder, spec, "--format", "github")
    lines = done.stdout.splitlines()
    word = lines[0].removeprefix("::stop-commands::")
    end = lines.index(f"::{word}::")
    assert all(line.startswith(("::error file=new.toml", "::warning file=new.toml")) for line in lines[end + 1 :])
    assert not any(line.startswith("::error file=x") for line in lines)


def test_more_annotations_than_github_keeps_are_counted(folder: Path) -> None:
    meters = "".join(
        f'[[meters]]\nname = "m{number}"\nsource = {{ kind = "family", family = "api.call" }}\n'
        'aggregate = { fn = "COUNT" }\n'
        for number in range(13)
    )
    (folder / "old.toml").write_text(SPEC + meters, encoding="utf-8")
    done = diff(folder, SPEC, "--format", "github")
    assert done.stdout.count("::error ") == 10
    assert "3 more errors above" in done.stdout


def test_nothing_is_said_in_words(folder: Path) -> None:
    assert diff(folder, SPEC, "--format", "github").stdout == "no change of meaning\n"


# The page -------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "br", "rect", "line"}:
            self.open.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "rect":
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def events_of(folder: Path, *customers: str) -> str:
    path = folder / "events.jsonl"
    rows = [
        {"event_id": f"e{number}", "event_time": "2026-01-02T00:00:00Z", "customer_id": name, "status": "ok"}
        for number, name in enumerate(customers)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_the_page_stands_alone_and_shows_every_text_as_text(folder: Path) -> None:
    customers = [json.loads(f'"{text}"') for text in HOSTILE]
    arguments = ["--events", events_of(folder, *customers, customers[0]), "--out", "page.html"]
    done = diff(folder, dearer(), *arguments)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = (folder / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.links == []
    assert not {"script", "img", "link", "iframe", "b"} & set(page.tags)
    assert "default-src 'none'" in text
    assert "url(" not in text and "@import" not in text
    shown = "".join(page.texts)
    assert "<script>alert(1)</script>" in shown
    assert "\x1b" not in text
    assert "10 customers pay more" in shown
    assert page.tags.count("svg") == 4


def test_a_page_of_nothing_says_so(folder: Path) -> None:
    done = diff(folder, SPEC, "--format", "html")
    assert "no change of meaning" in "".join(Page(done.stdout).texts)


# Approvals ------------------------------------------------------------------------------------------------------

APPROVED = """\
[[approvals]]
rule = "MD301"
change = "calls:billing.tiers[0].unit_amount"
before = "0.45"
after = "0.50"
reason = "Announced on 1 May."
until = 2026-06-30
"""


def approved(folder: Path, text: str, *arguments: str, spec: str | None = None) -> Done:
    (folder / "meterspec.approvals.toml").write_text(text, encoding="utf-8")
    return diff(folder, spec or dearer(), "--fail-on", "breaking", *arguments)


def test_a_breaking_change_is_made_on_purpose(folder: Path) -> None:
    assert diff(folder, dearer(), "--fail-on", "breaking").returncode == 1
    done = approved(folder, APPROVED, "--today", "2026-06-30")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        "approved[MD301] tier 1 of `calls` costs 0.50 instead of 0.45 per unit (until 2026-06-30: Announced on 1 May.)"
    )
    assert done.stdout.splitlines()[-1] == "1 safe, 1 approved"
    document = json.loads(approved(folder, APPROVED, "--today", "2026-06-30", "--format", "json").stdout)
    assert document["changes"][0]["approved"] == {"reason": "Announced on 1 May.", "until": "2026-06-30"}


def test_the_day_after_it_counts_again(folder: Path) -> None:
    done = approved(folder, APPROVED, "--today", "2026-07-01")
    assert done.returncode == 1
    assert "warning[MS047]" in done.stderr
    assert "ended on 2026-06-30, before 2026-07-01" in done.stderr
    assert "meterspec.approvals.toml:1" in done.stderr


def test_it_is_for_one_change_and_no_other(folder: Path) -> None:
    done = approved(folder, APPROVED, "--today", "2026-05-01", spec=SPEC.replace("0.45", "0.60"))
    assert done.returncode == 1
    assert "warning[MS046]" in done.stderr
    assert 'the change there is by MD301, from "0.45" to "0.60"' in done.stderr


def test_no_clock_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    done = approved(folder, APPROVED)
    assert (done.returncode, done.stdout) == (2, "")
    assert "write `--today 2026-05-01`" in done.stderr


def test_approvals_to_fill_in_are_printed(folder: Path) -> None:
    done = diff(folder, dearer(), "--format", "approvals", "--fail-on", "breaking")
    assert done.returncode == 1
    with pytest.raises(tomli.TOMLDecodeError):  # the day is left to a person
        tomli.loads(done.stdout)
    filled = done.stdout.replace("until = #", "until = 2026-12-31 #").replace('reason = ""', 'reason = "Meant."')
    assert approved(folder, filled, "--today", "2026-01-01").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "words", "line"),
    [
        ("rule =", "rules =", "did you mean `rule`?", 2),
        ('"MD301"', '"MD3O1"', "`meterspec diff` prints the code of each change", 2),
        ('"MD301"', "301", "`rule` is no text", 2),
        ('"Announced on 1 May."', '" "', "`reason` is empty", 6),
        ("until = 2026-06-30\n", "", "an approval needs `until`", 1),
        ("2026-06-30", "2026-06-30T00:00:00Z", "`until` is no date", 7),
        ("[[approvals]]", "[[approval]]", "did you mean `approvals`?", 1),
        ("[[approvals]]", "[approvals]", "`approvals` is no list of tables", 1),
        ("[[approvals]]", "[[approvals]", "write `[[approvals]]`", 1),
    ],
)
def test_a_mistake_in_an_approval_is_found_at_its_line(old: str, new: str, words: str, line: int, folder: Path) -> None:
    done = approved(folder, APPROVED.replace(old, new), "--today", "2026-05-01")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert f"meterspec.approvals.toml:{line}:" in done.stderr


def test_a_named_file_of_approvals_must_be_there(folder: Path) -> None:
    done = diff(folder, dearer(), "--approvals", "nowhere.toml")
    assert (done.returncode, "MS003" in done.stderr) == (2, True)


def test_approvals_beside_specs_in_a_folder_are_no_spec(folder: Path) -> None:
    (folder / "specs").mkdir()
    (folder / "specs" / "calls.toml").write_text(dearer(), encoding="utf-8")
    (folder / "specs" / "meterspec.approvals.toml").write_text(APPROVED, encoding="utf-8")
    done = meterspec("diff", "old.toml", "specs", "--fail-on", "breaking", "--today", "2026-05-01")
    assert (done.returncode, done.stderr) == (0, "")
    assert meterspec("validate", "specs").returncode == 0


def test_a_project_of_several_folders_has_approvals_beside_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And beside the settings that name them; a file further up may be about another spec, and counts for none."""
    family, meter = dearer().split("[[meters]]")
    texts = {
        "pyproject.toml": '[tool.meterspec]\npaths = ["families", "meters/calls.toml"]\n',
        "families/calls.toml": family.replace("api.call", 'api.call"\ndescription = "A call.', 1),
        "meters/calls.toml": f"[[meters]]{meter}",
    }
    project = folder / "project"
    for name, text in texts.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    price, *words = APPROVED, "MD206", "MD104"
    told = [
        price.replace("MD301", code).replace("calls:billing.tiers[0].unit_amount", change)
        for code, change in zip(words, ("calls:description", "api.call:description"), strict=True)
    ]
    told[0] = told[0].replace("0.45", "Calls.").replace("0.50", "All calls.")
    told[1] = told[1].replace('before = "0.45"\n', "").replace("0.50", "A call.")
    monkeypatch.chdir(project)
    command = ["diff", "../old.toml", "--fail-on", "safe", "--today", "2026-05-01"]
    (project / "meters" / "meterspec.approvals.toml").write_text(price, encoding="utf-8")
    (project / "families" / "meterspec.approvals.toml").write_text(told[0], encoding="utf-8")
    (folder / "meterspec.approvals.toml").write_text(told[1], encoding="utf-8")
    done = meterspec(*command)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 safe, 2 approved"), done.stderr
    (project / "meterspec.approvals.toml").write_text(told[1], encoding="utf-8")
    assert meterspec(*command).returncode == 0
    (project / "meterspec.approvals.toml").write_text(told[1].replace("until =", "till ="), encoding="utf-8")
    done = meterspec(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "meterspec.approvals.toml:6" in done.stderr
