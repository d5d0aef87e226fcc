"""Two specs over the same events: what the diff says is what running and pricing each of them by itself gives."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from meterspec import money
from meterspec.diagnostics import Diagnostics, Failure
from meterspec.diff import diff, renamed, renamed_dimensions
from meterspec.events import Anchor
from meterspec.events import find as find_files
from meterspec.invoicing import invoice
from meterspec.ir import Program
from meterspec.money import Money, compare, customers, totals
from meterspec.pipeline import load
from meterspec.project import SpecFile
from meterspec.run import run
from meterspec.store import find, seal
from tests.in_process import meterspec

SPEC = """
[[families]]
name = "api.call"
schema.status = { type = "string", required = true }
schema.bytes = { type = "integer", required = true, min = 0, max = 1_000_000 }
schema.region = { type = "string" }

[[families]]
name = "job.run"
schema.seconds = { type = "integer", required = true, min = 0, max = 86_400 }

[[meters]]
name = "traffic"
kind = "billing"
filter = "status == 'ok'"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "SUM", value = "bytes / 1000.0", window = "billing_cycle", group_by = ["customer_id"] }
[meters.billing]
model = "combined"
currency = "EUR"
base_fee = 5
included_units = 500
tiers = [{ up_to = 2000, unit_amount = 0.013 }, { up_to = "infinity", unit_amount = 0.0075 }]

[[meters]]
name = "job-hours"
kind = "billing"
source = { kind = "family", family = "job.run" }
aggregate = { fn = "SUM", value = "seconds / 3600.0", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "usage", currency = "EUR", unit_amount = 1.25 }

[[meters]]
name = "calls"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "month", group_by = ["customer_id", "region"] }

[[meters]]
name = "failures"
filter = "status != 'ok'"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "month", group_by = ["customer_id", "region"] }

[[meters]]
name = "failure-rate"
source = { kind = "ratio", numerator = "failures", denominator = "calls" }

[[meters]]
name = "ever"
source = { kind = "family", family = "job.run" }
aggregate = { fn = "COUNT", window = { kind = "lifetime" } }
"""


def program(text: str) -> Program:
    out = Diagnostics()
    found = load([SpecFile("meterspec.toml", text.encode())], out)
    assert found is not None, [diagnostic.message for diagnostic in out]
    return found


def edited(*changes: tuple[str, str]) -> str:
    text = SPEC
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three months of 40 customers, with repeats, rejected rows, and customers without one kind of event."""
    folder, draw = tmp_path_factory.mktemp("events"), random.Random(7)
    calls, jobs = [], []
    for number in range(1200):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(90 * 86_400))
        row = {
            "event_id": f"c{draw.randrange(1150)}",
            "event_time": at.isoformat(),
            "customer_id": f"k{draw.randrange(40):02}",
            "status": draw.choice(["ok", "ok", "ok", "late", "failed"]),
            "bytes": draw.choice([draw.randrange(1_000_000), draw.randrange(2_000_000), None]),
        }
        calls.append(row | ({"region": draw.choice(["eu", "us"])} if draw.random() < 0.8 else {}))
        if number % 3 == 0:
            customer = f"k{draw.randrange(30):02}"
            jobs.append(
                {
                    "event_id": f"j{number}",
                    "event_time": at.isoformat(),
                    "customer_id": customer,
                    "seconds": draw.randrange(9000),
                }
            )
    paths = []
    for name, rows in (("api.call", calls), ("job.run", jobs)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        paths.append(f"{name}={path}")
    return paths


def compared(before: str, after: str, arguments: list[str], **options: object) -> Money:
    out = Diagnostics()
    old, new = program(before), program(after)
    names = {"renamed": renamed(diff(old, new)), "dimensions": renamed_dimensions(old, new)}
    found = compare(old, new, arguments, out, **names, **options)  # type: ignore[arg-type]
    assert not out.has_errors, [diagnostic.message for diagnostic in out]
    return found


Key = tuple[str, datetime | None, datetime, str]
Number = tuple[str, datetime | None, datetime, object]


@cache
def by_hand(
    text: str, arguments: tuple[str, ...], chosen: str
) -> tuple[dict[Key, Decimal], dict[Number, Decimal | None]]:
    """The invoices and the numbers of one spec, by the commands' own parts, one spec at a time."""
    spec, out, options = program(text), Diagnostics(), {"as_of": AS_OF, **OPTIONS[chosen]}
    names = {family.name for family in spec.families}
    given = find(spec, [one for one in arguments if one.partition("=")[0] in names])
    done = run(spec, given, out, **options)  # type: ignore[arg-type]
    made = invoice(spec, given, out, **options)  # type: ignore[arg-type]
    assert not out.has_errors
    numbers: dict[Number, Decimal | None] = {
        (one.meter, one.window_start, one.window_end, one.group): one.quantity for one in done.results
    }
    return {(one.customer, one.start, one.end, one.currency): one.amount for one in made.invoices}, numbers


BY_REGION = 'window = "month", group_by = ["customer_id", "region"]'
EVER = SPEC[SPEC.rindex("[[meters]]") :]
JOB_PRICE = 'billing = { model = "usage", currency = "EUR", unit_amount = 1.25 }'
JOB_KIND = 'name = "job-hours"\nkind = "billing"'
CHANGES: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "a price": [("0.013", "0.0175")],
    "a base fee": [("base_fee = 5", "base_fee = 0")],
    "a filter": [("status == 'ok'", "status != 'failed'")],
    "a precision": [('name = "job-hours"', 'name = "job-hours"\nprecision = 0')],
    "a currency": [(JOB_PRICE, JOB_PRICE.replace("EUR", "JPY"))],
    "a window": [(BY_REGION, BY_REGION.replace("month", "week"))],
    "a schema that rejects more": [("max = 1_000_000", "max = 500_000")],
    "a schema that rejects less": [("max = 1_000_000", "max = 5_000_000")],
    "a field that is required": [('region = { type = "string" }', 'region = { type = "string", required = true }')],
    "a meter that is gone": [(EVER, "")],
    "a price that is gone": [(JOB_PRICE, ""), (JOB_KIND, 'name = "job-hours"')],
    "other groups": [(BY_REGION, 'window = "month", group_by = ["customer_id"]')],
    "an interval": [('currency = "EUR"\nbase_fee', 'currency = "EUR"\ninterval = "quarter"\nbase_fee')],
}
AS_OF = datetime(2026, 4, 2, tzinfo=UTC)
OPTIONS: dict[str, dict[str, object]] = {
    "all": {},
    "from": {"begins": (datetime(2026, 2, 1, tzinfo=UTC), None)},
    "anchor": {"cycles": Anchor(datetime(2026, 1, 31, tzinfo=UTC))},
}


@pytest.mark.parametrize("chosen", OPTIONS)
@pytest.mark.parametrize("name", CHANGES)
def test_both_sides_are_what_each_spec_gives_by_itself(name: str, chosen: str, events: list[str]) -> None:
    after = edited(*CHANGES[name])
    found = compared(SPEC, after, events, as_of=AS_OF, **OPTIONS[chosen])
    left, right = (by_hand(text, tuple(events), chosen) for text in (SPEC, after))
    keyed = {(one.customer, one.start, one.end, one.currency): one for one in found.invoices}
    assert {key: one.before for key, one in keyed.items() if one.before is not None} == left[0]
    assert {key: one.after for key, one in keyed.items() if one.after is not None} == right[0]
    for one in found.invoices:
        assert one.difference == (one.after or 0) - (one.before or 0)
    moved = {
        (one.meter, *number.window, number.group): (number.before, number.after)
        for one in found.numbers
        for number in one.moved
    }
    billed = {meter.name for meter in program(SPEC).meters if meter.price is not None}
    billed &= {meter.name for meter in program(after).meters if meter.price is not None}
    numbers = {key: (left[1].get(key), right[1].get(key)) for key in left[1].keys() | right[1].keys()}
    assert moved == {key: two for key, two in numbers.items() if two[0] != two[1] and key[0] not in billed}


def test_a_spec_beside_itself_differs_in_nothing(events: list[str]) -> None:
    found = compared(SPEC, SPEC, events)
    assert found.invoices
    assert all(one.before == one.after and one.difference == 0 for one in found.invoices)
    assert all(one.moved == () and one.same > 0 for one in found.numbers)
    assert [rows.before == rows.after for rows in found.rows] == [True, True]
    [total] = totals(customers(found.invoices))
    assert (total.more, total.less, total.new, total.gone) == (0, 0, 0, 0)
    assert total.difference == 0
    assert total.same == len({one.customer for one in found.invoices})


@pytest.mark.parametrize("name", CHANGES)
def test_the_money_of_an_unchanged_meter_is_zero(name: str, events: list[str]) -> None:
    before, after = program(SPEC), program(edited(*CHANGES[name]))
    touched = {verdict.subject for verdict in diff(before, after)}
    families = {meter.name for meter in after.meters for one in after.families_of(meter) if one.name in touched}
    found = compared(SPEC, edited(*CHANGES[name]), events)
    for one in found.invoices:
        for part in one.meters:
            assert part.meter in touched | families or part.before == part.after


def test_dimensions_in_another_order_move_no_number(events: list[str]) -> None:
    found = compared(SPEC, edited((BY_REGION, 'window = "month", group_by = ["region", "customer_id"]')), events)
    assert {one.meter: one.moved for one in found.numbers} == dict.fromkeys(
        ["calls", "failures", "failure-rate", "ever"], ()
    )


def test_where_both_agree_the_events_are_read_once(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Program] = []

    def counted(spec: Program, *arguments: object, **options: object) -> object:
        runs.append(spec)
        return run(spec, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(money, "run", counted)
    compared(
        SPEC, edited(("0.013", "0.0175"), ("filter = \"status == 'ok'\"", "filter = \"status != 'failed'\"")), events
    )
    [joint] = runs
    assert len(joint.meters) == 7, "all six, and the one that counts otherwise"


def test_totals_say_who_pays_more(events: list[str]) -> None:
    found = compared(SPEC, edited(("0.013", "0.026"), ("included_units = 500", "included_units = 800")), events)
    [total] = totals(customers(found.invoices))
    each = customers(found.invoices)
    assert total.more == sum((one.after or 0) > (one.before or 0) for one in each) > 0
    assert total.less == sum((one.after or 0) < (one.before or 0) for one in each) > 0
    assert total.more + total.less + total.same + total.new + total.gone == len(each)
    assert total.before == sum(one.before or 0 for one in found.invoices)
    assert [abs(one.difference) for one in each] == sorted((abs(one.difference) for one in each), reverse=True)


def test_a_currency_is_no_discount(events: list[str]) -> None:
    [eur, jpy] = totals(customers(compared(SPEC, edited(*CHANGES["a currency"]), events).invoices))
    assert (jpy.currency, jpy.more, jpy.less) == ("JPY", 0, 0)
    assert jpy.before == 0
    assert jpy.new > 0
    assert eur.less > 0


def test_renames_are_followed(events: list[str]) -> None:
    after = edited(
        ('name = "calls"', 'name = "requests"'),
        ('denominator = "calls"', 'denominator = "requests"'),
        ('"job.run"', '"work.run"'),
    )
    found = compared(SPEC, after, events)
    assert all(one.moved == () for one in found.numbers)
    assert {one.meter for one in found.numbers} == {"requests", "failures", "failure-rate", "ever"}
    assert all(one.difference == 0 for one in found.invoices)
    assert {rows.family for rows in found.rows} == {"api.call", "work.run"}
    assert all(rows.before is not None and rows.after is not None for rows in found.rows)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("region", "area", [("MD144", "api.call")]),
        ("customer_id", "account_id", [("MD112", "api.call"), ("MD112", "job.run")]),
    ],
)
def test_a_field_with_another_name_is_the_same_dimension(
    old: str, new: str, changes: list[tuple[str, str]], tmp_path: Path
) -> None:
    """A ratio is split by it as well. Only what differs under the two names is a difference."""
    before = SPEC.replace("[[families]]", '[[families]]\ncustomer_field = "customer_id"')
    after = before.replace(old, new)
    assert [(one.code, one.subject) for one in diff(program(before), program(after))] == changes
    path = tmp_path / "calls.jsonl"
    rows = [
        {"event_id": f"e{n}", "event_time": "2026-01-02T00:00:00Z", "status": "ok", "bytes": 5}
        | dict.fromkeys(("customer_id", "account_id"), f"k{n % 3}")
        | dict.fromkeys(("region", "area"), "eu")
        for n in range(9)
    ]
    rows[0][new] = "other"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    found = {one.meter: one for one in compared(before, after, [f"api.call={path}"]).numbers}
    calls = sorted((str(dict(one.group)[new]), one.before, one.after) for one in found["calls"].moved)
    k0 = "eu" if old == "region" else "k0"
    assert calls == [(k0, Decimal(3), Decimal(2)), ("other", None, Decimal(1))]
    assert found["calls"].same == 2
    assert found["failure-rate"].same == 3


def test_a_family_that_is_new_has_events_of_its_own(events: list[str], tmp_path: Path) -> None:
    extra = """
[[families]]
name = "mail.sent"
[[meters]]
name = "mails"
source = { kind = "family", family = "mail.sent" }
aggregate = { fn = "COUNT" }
"""
    path = tmp_path / "mails.jsonl"
    path.write_text(
        '{"event_id": "m1", "event_time": "2026-01-01T00:00:00Z", "customer_id": "k01"}\n', encoding="utf-8"
    )
    arguments = [*events, f"mail.sent={path}"]
    [added] = [one for one in compared(SPEC, SPEC + extra, arguments).numbers if one.moved]
    assert (added.meter, added.moved[0].before, added.moved[0].after) == ("mails", None, Decimal(1))
    [gone] = [one for one in compared(SPEC + extra, SPEC, arguments).numbers if one.moved]
    assert (gone.meter, gone.moved[0].before, gone.moved[0].after) == ("mails", Decimal(1), None)
    assert compared(SPEC, SPEC + extra, events).skipped == ("mails",)


def test_what_one_side_lacks_the_events_of_is_no_difference(events: list[str], tmp_path: Path) -> None:
    """A meter that goes to a family whose events were not given would look as if nobody paid for it any more."""
    hours = SPEC[SPEC.index('name = "job-hours"') : SPEC.index('[[meters]]\nname = "calls"')]
    moved = SPEC.replace(hours, hours.replace('"job.run"', '"task.run"'))
    moved += (
        '[[families]]\nname = "task.run"\nschema.seconds = { type = "integer", required = true, max = 9, min = 0 }\n'
    )
    for before, after in ((SPEC, moved), (moved, SPEC)):
        found = compared(before, after, events)
        assert found.skipped == ("job-hours",)
        assert {one.meter for invoice in found.invoices for one in invoice.meters} == {"traffic"}
        assert all(one.difference == 0 for one in found.invoices)
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "new.toml").write_text(moved, encoding="utf-8")
    command = ["diff", str(tmp_path / "old.toml"), str(tmp_path / "new.toml"), *with_events(events[:1])]
    for form in ("text", "markdown", "html"):
        done = meterspec(*command, "--format", form)
        words = done.stdout.replace("<code>", "`").replace("</code>", "`")
        assert "not computed, because no events of their families were given: " in words, done.stderr
        assert "job-hours" in words
        assert not [line for line in words.splitlines() if "number is the same" in line and "ever" in line.split()]


def test_a_store_is_read_by_both_where_they_agree(events: list[str], tmp_path: Path) -> None:
    spec = program(SPEC)
    seal(find_files(spec, events), tmp_path / "sealed")
    dearer = edited(("0.013", "0.0175"))
    assert compared(SPEC, dearer, [str(tmp_path / "sealed")]).invoices == compared(SPEC, dearer, events).invoices
    with pytest.raises(Failure) as refused:
        compared(edited(("max = 1_000_000", "max = 500_000")), SPEC, [str(tmp_path / "sealed")])
    assert refused.value.diagnostic.code == "MS048"


def test_usage_without_a_price_is_a_finding_at_its_line(events: list[str], tmp_path: Path) -> None:
    rates = 'rates = [{ match = { customer_id = "k01" }, unit_amount = 1 }]'
    rated = edited((JOB_PRICE, JOB_PRICE.replace("unit_amount = 1.25", rates)))
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "new.toml").write_text(rated, encoding="utf-8")
    done = meterspec("diff", str(tmp_path / "old.toml"), str(tmp_path / "new.toml"), *with_events(events))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("MS442") == 1
    assert "new.toml" in done.stderr


def test_what_is_rejected_from_now_on_is_said(events: list[str], tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "new.toml").write_text(edited(*CHANGES["a schema that rejects more"]), encoding="utf-8")
    done = meterspec("diff", str(tmp_path / "old.toml"), str(tmp_path / "new.toml"), *with_events(events))
    assert done.returncode == 0
    [calls, _] = compared(SPEC, edited(*CHANGES["a schema that rejects more"]), events).rows
    assert calls.before is not None
    assert calls.after is not None
    assert calls.after.rejected > calls.before.rejected
    assert done.stdout.splitlines()[-1].startswith(
        f"of {calls.after.read} rows of `api.call`, {calls.after.accepted} count, were {calls.before.accepted}; "
        f"{calls.after.rejected} are rejected, were {calls.before.rejected} ("
    )


def test_a_field_that_no_event_has_yet_is_a_clear_refusal(events: list[str], tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    tenant = 'schema.tenant = { type = "string", required = true }'
    (tmp_path / "new.toml").write_text(edited(("schema.region", f"{tenant}\nschema.region")), encoding="utf-8")
    done = meterspec("diff", str(tmp_path / "old.toml"), str(tmp_path / "new.toml"), *with_events(events))
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has no `tenant`" in done.stderr
    assert "one of the two specs wants it of every event" in done.stderr


def with_events(events: list[str]) -> Iterator[str]:
    for argument in events:
        yield from ("--events", argument)


def test_the_document_is_complete_and_stable(events: list[str], tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "new.toml").write_text(edited(("0.013", "0.0175")), encoding="utf-8")
    arguments = [
        "diff",
        str(tmp_path / "old.toml"),
        str(tmp_path / "new.toml"),
        *with_events(events),
        "--format",
        "json",
    ]
    one, other = meterspec(*arguments), meterspec(*arguments)
    assert (one.returncode, one.stdout) == (0, other.stdout)
    document = json.loads(one.stdout)
    for entry in document["money"]:
        assert Decimal(entry["after"]) - Decimal(entry["before"]) == Decimal(entry["difference"])
        assert sum(Decimal(part["after"]) for part in entry["meters"]) == Decimal(entry["after"])
    [total] = document["totals"]
    assert sum(Decimal(entry["difference"]) for entry in document["money"]) == Decimal(total["difference"])
    assert sum(total["customers"].values()) == len({entry["customer_id"] for entry in document["money"]})
    assert {one["meter"] for one in document["numbers"]} == {"calls", "failures", "failure-rate", "ever"}
