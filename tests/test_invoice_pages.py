"""Invoices on the command line: pages that hold one invoice and nothing else, files, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.in_process import meterspec

SPEC = """\
[[families]]
name = "api.call"
schema.n = { type = "integer", required = true, min = 0, max = 1000 }
schema.region = { type = "string" }
[[meters]]
name = "calls"
description = "What <b>calls</b> & others cost."
kind = "billing"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "SUM", value = "n", window = "billing_cycle", group_by = ["customer_id", "region"] }
[meters.billing]
model = "combined"
currency = "EUR"
base_fee = 20
tiers = [{ up_to = 100, unit_amount = 0.5 }, { up_to = "infinity", unit_amount = 0.25 }]
"""
NASTY = "<script>alert(1)</script>\"'&amp; ../../etc/passwd\u202e\x1b[31m"
"""A customer who would be a tag, an attribute, an entity, a path, and a command of a terminal."""


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    (tmp_path / "meterspec.toml").write_text(SPEC, encoding="utf-8")
    rows = [
        {"event_id": "1", "event_time": "2026-01-05T00:00:00Z", "customer_id": NASTY, "n": 150, "region": "<i>eu</i>"},
        {"event_id": "2", "event_time": "2026-01-06T00:00:00Z", "customer_id": NASTY, "n": 50},
        {"event_id": "3", "event_time": "2026-02-06T00:00:00Z", "customer_id": "birch", "n": 5},
    ]
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return ["invoice", str(tmp_path / "meterspec.toml"), "--events", str(tmp_path / "events.jsonl")]


class Page(HTMLParser):
    """The tags and attributes of a page, and the texts of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        self._in_cell = tag in {"td", "th"}

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def test_a_page_holds_an_invoice_and_the_usage_behind_it(project: list[str], tmp_path: Path) -> None:
    done = meterspec(*project, "--customer", NASTY, "--to", "2026-02-01", "--out", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [row for row in page.rows if row[0] != "Line" and row[0] != "region"] == [
        ["usage", "0 to 100", "100", "0.5", "50.00"],
        ["usage", "above 100", "100", "0.25", "25.00"],
        ["base fee", "", "", "", "20.00"],
        ["Total", "200", "", "95.00"],
        ["<i>eu</i>", "150", "1"],
        ["-", "50", "1"],
    ]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;amp; ../../etc/passwd\\u202e\\x1b[31m" in text


def test_a_page_needs_nothing_and_runs_nothing(project: list[str]) -> None:
    done = meterspec(*project, "--customer", NASTY, "--to", "2026-02-01", "--format", "html")
    page = Page(done.stdout)
    assert not {"script", "link", "img", "iframe", "object", "form", "base", "a", "i", "b"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in {"src", "href", "style"} or name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", done.stdout)
    assert "default-src 'none'" in done.stdout


def test_each_invoice_has_a_page_in_a_folder(project: list[str], tmp_path: Path) -> None:
    done = meterspec(*project, "--format", "html", "--out", str(tmp_path / "pages"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 invoices in" in done.stderr
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html"))
    assert [name.rpartition("_")[0] for name in names] == [
        "pages/2026-01-01_script-alert-1-script-amp-etc-passwd-31m_EUR",
        "pages/2026-02-01_birch_EUR",
        "pages/2026-02-01_script-alert-1-script-amp-etc-passwd-31m_EUR",
    ]
    before = {path: path.read_bytes() for path in (tmp_path / "pages").iterdir()}
    assert meterspec(*project, "--format", "html", "--out", str(tmp_path / "pages")).returncode == 0
    assert {path: path.read_bytes() for path in (tmp_path / "pages").iterdir()} == before


def test_a_page_is_for_one_invoice(project: list[str], tmp_path: Path) -> None:
    for out in ([], ["--out", str(tmp_path / "all.html")]):
        done = meterspec(*project, "--format", "html", *out)
        assert (done.returncode, done.stdout) == (2, "")
        assert "MS030" in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_the_name_of_a_file_says_its_format(project: list[str], tmp_path: Path) -> None:
    assert meterspec(*project, "--out", str(tmp_path / "all.json")).returncode == 0
    written = (tmp_path / "all.json").read_text(encoding="utf-8")
    assert written == meterspec(*project, "--format", "json").stdout
    assert [one["amount"] for one in json.loads(written)["invoices"]] == ["95.00", "20.00", "22.50"]
    assert meterspec(*project, "--out", str(tmp_path / "all.txt")).returncode == 0
    assert (tmp_path / "all.txt").read_text(encoding="utf-8") == meterspec(*project).stdout


def test_a_terminal_is_commanded_by_nobody(project: list[str]) -> None:
    printed = meterspec(*project).stdout
    assert "\x1b" not in printed
    assert "\u202e" not in printed


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page in")
def test_a_browser_shows_it_as_text(project: list[str], tmp_path: Path) -> None:
    assert CHROMIUM is not None
    assert meterspec(*project, "--customer", "birch", "--out", str(tmp_path / "page.html")).returncode == 0
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    page = (tmp_path / "page.html").as_uri()
    shown = subprocess.run([*command, "--dump-dom", page], capture_output=True, text=True, check=True, timeout=60)
    assert "22.50 EUR" in shown.stdout
    assert "What &lt;b&gt;calls&lt;/b&gt; &amp; others cost." in shown.stdout


def test_a_mistyped_customer_is_not_silence(project: list[str]) -> None:
    done = meterspec(*project, "--customer", "brich")
    assert (done.returncode, done.stdout) == (0, "no invoices\n")
    assert "customer brich owes nothing here: did you mean `birch`?" in done.stderr
