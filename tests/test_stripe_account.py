"""`plan` and `apply` on an account: what is there becomes what the spec says, wherever it breaks off on the way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from meterspec.backends.stripe import Usage
from meterspec.commands import stripe as commands
from meterspec.commands.shared import Exit
from meterspec.diagnostics import Failure
from meterspec.ir import Program
from meterspec.render import Palette, full
from meterspec.stripe_account import Account, Action, Plan, apply, connect, plan
from meterspec.stripe_account.client import BASE_VARIABLE, KEY_VARIABLE
from tests.conftest import ROOT
from tests.corpus import check_text
from tests.stripe_server import Drop, StripeServer

CALLS = """
families = [{ name = "api.call", schema.ms = { type = "integer", required = true, min = 0, max = 1000 } }]

[[meters]]
name = "calls"
kind = "billing"
description = "Calls."
source = { kind = "family", family = "api.call" }
aggregate = { fn = "COUNT", window = "billing_cycle", group_by = ["customer_id"] }

[meters.billing]
model = "combined"
currency = "EUR"
base_fee = 20
included_units = 100
tiers = [{ up_to = 1000, unit_amount = 0.45 }, { up_to = "infinity", unit_amount = 0.30, flat_amount = 5 }]
limit = 5000
brim_at = 4000
"""
TIME = """
[[meters]]
name = "time"
kind = "billing"
source = { kind = "family", family = "api.call" }
aggregate = { fn = "SUM", value = "ms", window = "billing_cycle", group_by = ["customer_id"] }
billing = { model = "prepaid", currency = "EUR", credits = { pack = 1000, price = 90 } }
"""
SPEC = CALLS + TIME
OTHER = (
    SPEC.replace("0.45", "0.50")
    .replace('"Calls."', '"All calls."')
    .replace("base_fee = 20", "base_fee = 25")
    .replace("limit = 5000", "limit = 6000")
    .replace("brim_at = 4000", "brim_at = 4500")
)
LESS = (
    SPEC.replace('model = "combined"', 'model = "usage"')
    .replace("base_fee = 20\n", "")
    .replace("brim_at = 4000\n", "")
    .replace("price = 90", "price = 91")
)
NOTHING = 'families = [{ name = "api.call" }]'
Object = dict[str, Any]


def program(text: str) -> Program:
    found, diagnostics = check_text(text)
    assert found is not None, diagnostics
    return found


@pytest.fixture
def account(stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account of the server, as a command finds it, but without a client that tries again by itself."""
    monkeypatch.setenv(KEY_VARIABLE, stripe_server.secret)
    monkeypatch.setenv(BASE_VARIABLE, stripe_server.url)
    return connect(live=False, retries=0)


def actions(made: Plan) -> dict[str, list[str]]:
    """The names of the objects by what becomes of them, those that stay left out."""
    found: dict[str, list[str]] = {}
    for step in made.steps:
        if step.action is not Action.KEEP:
            found.setdefault(step.action.value, []).append(f"{step.kind} {step.name}")
    return found


def bring(account: Account, text: str) -> list[str]:
    """Applies a spec and gives what was asked for, once nothing is left to do."""
    done = [write.path for _, write, _ in apply(plan(program(text), account), account)]
    assert plan(program(text), account).writes == 0
    return done


def sellable(server: StripeServer) -> Object:
    """What a customer can be sold, and what usage is counted by: all that is switched on, without its ids."""

    def without_ids(price: Object) -> Object:
        meters = server.account.all("billing.meter")
        recurring = price["recurring"] and {
            **price["recurring"],
            "meter": price["recurring"]["meter"] and meters[price["recurring"]["meter"]]["event_name"],
        }
        return {key: value for key, value in {**price, "recurring": recurring}.items() if key not in {"id", "created"}}

    def ordered(kind: str, switch: Callable[[Object], bool], *keys: str) -> list[Object]:
        found = [each for each in server.account.all(kind).values() if switch(each)]
        return sorted(({key: each[key] for key in keys} for each in found), key=json.dumps)

    prices = [without_ids(each) for each in server.account.all("price").values() if each["active"]]
    return {
        "meters": ordered("billing.meter", lambda each: each["status"] == "active", "event_name", "display_name"),
        "products": ordered("product", lambda each: each["active"], "id", "name", "description", "metadata"),
        "prices": sorted(prices, key=lambda price: str(price["lookup_key"])),
        "features": ordered("entitlements.feature", lambda each: each["active"], "lookup_key", "metadata"),
        "attached": len(server.account.all("product_feature")),
        "alerts": sorted(
            each["usage_threshold"]["gte"]
            for each in server.account.all("billing.alert").values()
            if each["status"] == "active"
        ),
    }


# A plan


def test_an_empty_account_gets_everything_once(account: Account, stripe_server: StripeServer) -> None:
    made = plan(program(SPEC), account)
    assert actions(made) == {
        "create": [
            "meter calls",
            "product meterspec_calls",
            "price meterspec:calls:usage",
            "price meterspec:calls:base-fee",
            "feature meterspec:calls",
            "product feature meterspec:calls",
            "alert meterspec:calls:brim",
            "meter time",
            "product meterspec_time",
            "price meterspec:time:usage",
            "price meterspec:time:pack",
        ]
    }
    assert stripe_server.writes == []
    assert len(bring(account, SPEC)) == 11
    assert bring(account, SPEC) == []
    keys = [request.key for request in stripe_server.writes]
    assert len(set(keys)) == 11
    assert all(key and key.startswith(f"meterspec-{made.content}-") and len(key) <= 255 for key in keys)


def test_the_plan_on_the_page_is_what_is_printed(
    account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "stripe.md").read_text(encoding="utf-8")
    text, shown = (
        re.findall(r"```toml\n([^`]*)```", page)[0],
        re.findall(r"<!-- plan -->\n```text\n([^`]*)```", page)[0],
    )
    spec = tmp_path / "meterspec.toml"
    spec.write_text(text, encoding="utf-8")
    commands.plan([str(spec)], "event", live=False, check=False, format="text")
    assert capsys.readouterr().out == shown


def test_amounts_are_never_changed_another_price_takes_over(account: Account, stripe_server: StripeServer) -> None:
    bring(account, SPEC)
    before = {price["lookup_key"]: price["id"] for price in stripe_server.account.all("price").values()}
    made = plan(program(OTHER), account)
    assert actions(made) == {
        "change": ["product meterspec_calls", "feature meterspec:calls"],
        "replace": [
            "price meterspec:calls:usage",
            "price meterspec:calls:base-fee",
            "alert meterspec:calls:brim",
        ],
        "archive": [
            f"price {before['meterspec:calls:usage']}",
            f"price {before['meterspec:calls:base-fee']}",
            "alert meterspec:calls:brim",
        ],
    }
    usage = next(step for step in made.steps if step.name == "meterspec:calls:usage")
    assert [(each.path, each.before, each.after) for each in usage.changes] == [("tiers[1].unit_amount", "45", "50")]
    assert not any(step.drifted for step in made.steps)
    bring(account, OTHER)
    old = stripe_server.account.all("price")[before["meterspec:calls:usage"]]
    assert (old["active"], old["lookup_key"]) == (False, None)


def test_there_and_back_within_a_day(account: Account, stripe_server: StripeServer) -> None:
    """Stripe answers an idempotency key for a day as it did at first, so a price made once would not be made again."""
    bring(account, SPEC)
    first = sellable(stripe_server)
    bring(account, OTHER)
    second = sellable(stripe_server)
    for _ in range(2):
        bring(account, SPEC)
        assert sellable(stripe_server) == first
        bring(account, OTHER)
        assert sellable(stripe_server) == second
    assert len(stripe_server.account.all("price")) == 6, "the old prices are sold again, none is made twice"


def test_an_object_undone_by_hand_is_made_again_within_a_day(account: Account, stripe_server: StripeServer) -> None:
    bring(account, SPEC)
    account.post("/v1/entitlements/features/feat_000001", {"active": False})
    made = plan(program(SPEC), account)
    assert actions(made) == {"create": ["feature meterspec:calls", "product feature meterspec:calls"]}
    bring(account, SPEC)
    active = [each["active"] for each in stripe_server.account.all("entitlements.feature").values()]
    assert active == [False, True]


@pytest.mark.parametrize(
    ("default", "end", "heir"),
    [
        ("price_000001", OTHER, "meterspec:calls:usage"),
        ("price_000002", OTHER, "meterspec:calls:base-fee"),
        ("price_000002", LESS, "meterspec:calls:usage"),
    ],
    ids=["usage replaced", "base fee replaced", "base fee gone"],
)
def test_a_default_price_passes_on_before_it_is_archived(
    account: Account, stripe_server: StripeServer, default: str, end: str, heir: str
) -> None:
    """Stripe archives none; somebody may have made it the default in the dashboard."""
    bring(account, SPEC)
    account.post("/v1/products/meterspec_calls", {"default_price": default})
    made = plan(program(end), account)
    (step,) = [step for step in made.steps if step.id == default and step.action is Action.ARCHIVE]
    assert [(each.path, each.before, each.after) for each in step.changes] == [
        ("default price of the product", default, heir)
    ]
    bring(account, end)
    prices = stripe_server.account.all("price")
    held = prices[stripe_server.account.all("product")["meterspec_calls"]["default_price"]]
    assert (held["lookup_key"], held["active"], prices[default]["active"]) == (heir, True, False)


def test_what_others_set_at_a_price_passes_on(account: Account, stripe_server: StripeServer) -> None:
    """How it is taxed above all: a price that says nothing of that cannot be invoiced where taxes are computed."""
    bring(account, SPEC)
    theirs = {"tax_behavior": "exclusive", "nickname": "Calls", "metadata": {"ledger": "4711"}}
    account.post("/v1/prices/price_000001", theirs)
    for text in (OTHER, SPEC):  # a new one, and the first again
        bring(account, text)
        held = next(
            each
            for each in stripe_server.account.all("price").values()
            if each["lookup_key"] == "meterspec:calls:usage"
        )
        assert held["active"] and held["metadata"]["meterspec_meter"] == "calls"
        assert (held["tax_behavior"], held["nickname"], held["metadata"]["ledger"]) == ("exclusive", "Calls", "4711")


def test_a_part_of_a_price_that_is_gone_is_archived(account: Account) -> None:
    bring(account, SPEC)
    flat = SPEC.replace('model = "combined"', 'model = "usage"').replace("base_fee = 20\n", "")
    assert actions(plan(program(flat), account)) == {"archive": ["price price_000002"]}
    bring(account, flat)


def test_a_meter_that_is_gone_stays_and_is_named(account: Account, stripe_server: StripeServer) -> None:
    bring(account, SPEC)
    made = plan(program(CALLS), account)
    assert actions(made) == {"orphan": ["product meterspec_time"]}
    assert ("meter", "mtr_000002") in made.foreign
    assert made.writes == 0


# Drift


def by_hand(account: Account) -> None:
    """What somebody may do in the dashboard."""
    account.post("/v1/billing/meters/mtr_000001", {"display_name": "Renamed"})
    account.post("/v1/billing/meters/mtr_000002/deactivate", {})
    account.post("/v1/products/meterspec_calls", {"name": "Renamed", "metadata": {"team": "growth"}})
    account.post("/v1/products/meterspec_time", {"active": False})
    account.post("/v1/prices/price_000001", {"active": False})
    account.post("/v1/prices/price_000002", {"lookup_key": "elsewhere"})
    account.post("/v1/entitlements/features/feat_000001", {"metadata": {"meterspec_limit": "9"}})
    account.post("/v1/billing/alerts/alrt_000001/deactivate", {})


def test_drift_is_told_from_a_change_of_the_spec_and_undone(account: Account, stripe_server: StripeServer) -> None:
    bring(account, SPEC)
    wanted = sellable(stripe_server)
    by_hand(account)
    made = plan(program(SPEC), account)
    assert actions(made) == {
        "change": [
            "meter calls",
            "product meterspec_calls",
            "price meterspec:calls:usage",
            "feature meterspec:calls",
            "meter time",
            "product meterspec_time",
        ],
        "restore": ["price meterspec:calls:base-fee", "alert meterspec:calls:brim"],
    }
    assert all(step.drifted for step in made.steps if step.action is not Action.KEEP)
    bring(account, SPEC)
    assert stripe_server.account.all("product")["meterspec_calls"]["metadata"]["team"] == "growth"
    stripe_server.account.all("product")["meterspec_calls"]["metadata"].pop("team")
    assert sellable(stripe_server) == wanted


@pytest.mark.parametrize("role", ["base-fee", "renamed"])
def test_a_price_is_known_by_its_lookup_key(account: Account, stripe_server: StripeServer, role: str) -> None:
    """Anyone may edit metadata, so what it says about a price that holds a key of ours is drift and nothing else."""
    bring(account, SPEC)
    wanted = sellable(stripe_server)
    prices = stripe_server.account.all("price").values()
    (usage,) = (price for price in prices if price["lookup_key"] == "meterspec:calls:usage")
    account.post(f"/v1/prices/{usage['id']}", {"metadata": {"meterspec_price": role}})
    made = plan(program(SPEC), account)
    assert actions(made) == {"change": ["price meterspec:calls:usage"]}
    bring(account, SPEC)
    assert sellable(stripe_server) == wanted


# What belongs to others


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (
            "/v1/billing/meters",
            {"event_name": "calls", "display_name": "x", "default_aggregation": {"formula": "sum"}},
            "the account has a billing meter of this name whose formula is sum, and one cannot be changed",
        ),
        (
            "/v1/products",
            {"id": "meterspec_calls", "name": "x"},
            "the account has a product of this id that was not made from this meter",
        ),
        (
            "/v1/prices",
            {"currency": "eur", "unit_amount": 1, "lookup_key": "meterspec:calls:usage", "product_data": {"name": "x"}},
            "the price price_000001 has this lookup key, and was not made from this meter",
        ),
        (
            "/v1/entitlements/features",
            {"lookup_key": "meterspec:calls", "name": "x"},
            "the account has a feature of this lookup key that was not made from this meter",
        ),
    ],
)
def test_what_others_made_is_a_conflict_and_stays(
    account: Account, stripe_server: StripeServer, path: str, body: Object, reason: str
) -> None:
    account.post(path, body)
    made = plan(program(SPEC), account)
    (conflict,) = made.conflicts
    assert (conflict.reason, conflict.meter) == (reason, "calls")
    assert conflict.hint
    assert len(stripe_server.writes) == 1


def test_what_is_no_business_of_the_spec_is_counted_and_stays(account: Account) -> None:
    account.post("/v1/products", {"id": "other", "name": "x"})
    account.post(
        "/v1/billing/meters", {"event_name": "o", "display_name": "x", "default_aggregation": {"formula": "sum"}}
    )
    made = plan(program(SPEC), account)
    assert made.foreign == (("meter", "mtr_000001"), ("product", "other"))
    assert set(actions(made)) == {"create"}


def test_a_billing_meter_keeps_how_usage_is_sent(account: Account) -> None:
    bring(account, SPEC)
    made = plan(program(SPEC), account, Usage.DAY)
    assert [(step.name, step.changes[0].path) for step in made.conflicts] == [
        ("calls", "formula"),
        ("time", "event_time_window"),
    ]
    assert all("`--stripe-usage event`, which it was made for" in str(step.hint) for step in made.conflicts)


# Breaking off

FAULTS: list[int | Drop] = [Drop.BEFORE, Drop.AFTER, 500, 429]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(
    ("begin", "end", "writes"),
    [(NOTHING, SPEC, 11), (SPEC, OTHER, 9), (SPEC, LESS, 8)],
    ids=["create", "change", "take away"],
)
def test_broken_off_anywhere_the_same_command_completes(
    account: Account, stripe_server: StripeServer, begin: str, end: str, writes: int, fault: int | Drop
) -> None:
    """Every request fails once, before it was carried out or after: the account is then as if none had."""
    bring(account, begin)
    make_default(account, stripe_server)
    before, saved = deepcopy(stripe_server.account), dict(stripe_server._saved)
    asked = len(stripe_server.requests)
    done = bring(account, end)
    requests = stripe_server.requests[asked:]
    assert len(done) == len([each for each in requests if each.method == "POST"]) == writes
    wanted, made = sellable(stripe_server), stock(stripe_server)
    last = max(n for n, each in enumerate(requests, 1) if each.method == "POST")  # then it is read once more
    for number, request in enumerate(requests[:last], 1):
        if request.method == "GET" and fault in {Drop.AFTER, 429}:
            continue  # to a reader, as any other failure
        stripe_server.account, stripe_server._saved = deepcopy(before), dict(saved)
        stripe_server.fail_request(number, fault)
        with pytest.raises(Failure) as failure:
            bring(account, end)
        assert failure.value.diagnostic.code == ("MS024" if isinstance(fault, int) else "MS023")
        bring(account, end)
        assert sellable(stripe_server) == wanted
        assert stock(stripe_server) == made, f"{request.method} {request.path} failed, and something was made twice"


def make_default(account: Account, server: StripeServer) -> None:
    """Somebody makes the newest price of each product what is sold of it by default."""
    for price in list(server.account.all("price").values()):
        account.post(f"/v1/products/{price['product']}", {"default_price": price["id"]})


def stock(server: StripeServer) -> dict[str, int]:
    """How many objects of each kind there are, archived ones included."""
    return {kind: len(there) for kind, there in server.account.objects.items() if there}


def test_two_that_apply_at_once_make_everything_once(account: Account, stripe_server: StripeServer) -> None:
    made = plan(program(SPEC), account)
    for _ in range(2):
        assert len(list(apply(made, account))) == 11
    assert (
        sum(len(found) for kind, found in stripe_server.account.objects.items() if kind != "product_feature_of") == 11
    )


# Keys


@pytest.mark.parametrize(
    ("key", "live", "code"),
    [
        ("", False, "MS021"),
        ("pk_test_abc", False, "MS022"),
        ("sk_live_abc", False, "MS022"),
        ("sk_test_abc", True, "MS022"),
        ("sk_test_a b", False, "MS022"),
        ("sk_test_\u00e9", False, "MS022"),
    ],
)
def test_a_key_is_for_what_is_asked(monkeypatch: pytest.MonkeyPatch, key: str, live: bool, code: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(Failure) as failure:
        connect(live=live)
    diagnostic = failure.value.diagnostic
    assert diagnostic.code == code
    assert diagnostic.hint
    assert not key or key not in f"{diagnostic.message} {diagnostic.hint}"


@pytest.mark.parametrize(
    ("key", "base", "code"),
    [
        ("sk_test_abc", "http://stripe.example", "MS025"),
        ("sk_test_abc", "ftp://127.0.0.1", "MS025"),
        ("sk_test_abc", "127.0.0.1:80", "MS025"),
        ("sk_test_abc", "sk_test_abc", "MS025"),
        ("sk_live_abc", "https://stripe.example", "MS025"),
    ],
)
def test_a_key_goes_to_stripe_or_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, key: str, base: str, code: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    monkeypatch.setenv(BASE_VARIABLE, base)
    with pytest.raises(Failure) as failure:
        connect(live=key.startswith("sk_live"))
    assert failure.value.diagnostic.code == code
    assert key not in failure.value.diagnostic.message


@pytest.mark.parametrize("key", ["sk_test_ofSomebodyElse", "rk_test_0123456789abcdefREADS"])
def test_a_refusal_of_a_key_does_not_show_it(
    stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    monkeypatch.setenv(BASE_VARIABLE, stripe_server.url)
    with pytest.raises(Failure) as failure:
        bring(connect(live=False, retries=0), SPEC)
    diagnostic = failure.value.diagnostic
    assert diagnostic.code == "MS024"
    assert diagnostic.hint
    assert "_test_" not in f"{diagnostic.message} {diagnostic.hint}"


def test_no_answer_is_said_in_a_word(stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, stripe_server.secret)
    monkeypatch.setenv(BASE_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(Failure) as failure:
        plan(program(SPEC), connect(live=False, retries=0))
    assert failure.value.diagnostic.message == "no answer from Stripe: connection refused"


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that gives everyone the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"{}", "does not speak Stripe's API"),
        (200, b"null", "does not speak Stripe's API"),
        (200, b"[]", "does not speak Stripe's API"),
        (200, b"\xff", "does not speak Stripe's API"),
        (200, b"<html>", "Invalid response body from API: <html>"),
        (200, b'{"object": "list", "data": [{}], "has_more": false}', "does not speak Stripe's API"),
        (200, b'{"object": "list", "data": [], "has_more": true}', ""),
        (400, b'{"error": "no"}', "does not speak Stripe's API"),
        (400, b'{"error": {"message": {"a": 1}}}', "was refused by Stripe"),
        (400, b'{"error": {"message": "not with sk_test_abc"}}', "was refused by Stripe: not with (the key)"),
        (400, b'{"error": {"message": "not with rk_live_other\\u001b[2J"}}', "not with (a key)"),
    ],
)
def test_an_answer_that_is_not_stripes_is_said(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, said: str
) -> None:
    """A proxy, or another service at the address."""
    monkeypatch.setenv(KEY_VARIABLE, "sk_test_abc")
    with answering(status, body) as base:
        monkeypatch.setenv(BASE_VARIABLE, base)
        account = connect(live=False, retries=0)
        if not said:
            assert list(account.all("/v1/billing/meters")) == []
            return
        with pytest.raises(Failure) as failure:
            plan(program(SPEC), account)
    shown = full(failure.value.diagnostic, Palette())
    assert said in shown
    assert "sk_test" not in shown and "\x1b" not in shown


def test_a_log_of_the_library_has_no_key(stripe_server: StripeServer, spec: str) -> None:
    """Not where `STRIPE_LOG` asks it to say all it does; and nobody can see it in the list of processes."""
    environment = {**os.environ, KEY_VARIABLE: stripe_server.secret, BASE_VARIABLE: stripe_server.url}
    command = [sys.executable, "-m", "meterspec", "apply", spec, "--yes"]
    done = subprocess.run(
        command, env={**environment, "STRIPE_LOG": "debug"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "Post details" in done.stderr
    assert stripe_server.secret not in done.stdout + done.stderr


# The commands


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "meterspec.toml"
    path.write_text(SPEC, encoding="utf-8")
    return str(path)


def ended(command: Callable[[], None]) -> int:
    try:
        command()
    except Exit as end:
        return end.code
    return 0


def test_nothing_is_done_that_was_not_asked_for(
    account: Account, stripe_server: StripeServer, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.apply([spec], "event", live=False, yes=False, format="text")
    printed = capsys.readouterr()
    assert stripe_server.writes == []
    assert printed.out.endswith("11 to create\n")
    assert printed.err.endswith("nothing was changed; add `--yes` to apply this\n")
    assert ended(lambda: commands.plan([spec], "event", live=False, check=True, format="text")) == 1
    commands.apply([spec], "event", live=False, yes=True, format="text")
    assert "11 requests done" in capsys.readouterr().err
    assert ended(lambda: commands.plan([spec], "event", live=False, check=True, format="text")) == 0
    assert capsys.readouterr().out == "Stripe account, test mode\n11 as the spec says\n"


def test_a_plan_is_one_document(
    account: Account, stripe_server: StripeServer, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.apply([spec], "event", live=False, yes=True, format="json")
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {
        **dict.fromkeys(["archive", "change", "conflict", "drifted", "foreign", "keep", "orphan", "replace"], 0),
        "create": 11,
        "restore": 0,
    }
    assert document["done"][0] == {
        "request": "POST /v1/billing/meters",
        "kind": "meter",
        "name": "calls",
        "id": "mtr_000001",
    }
    assert len(document["content"]) == 64
    assert stripe_server.secret not in json.dumps(document)


def test_what_was_done_before_a_failure_is_one_document_too(
    account: Account, stripe_server: StripeServer, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stripe_server.fail(3, 403)
    with pytest.raises(Failure):
        commands.apply([spec], "event", live=False, yes=True, format="json")
    assert [each["kind"] for each in json.loads(capsys.readouterr().out)["done"]] == ["meter", "product"]
    commands.apply([spec], "event", live=False, yes=True, format="json")
    assert len(json.loads(capsys.readouterr().out)["done"]) == 9


def test_a_conflict_is_in_the_document_of_apply(
    account: Account, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account.post("/v1/products", {"id": "meterspec_calls", "name": "x"})
    assert ended(lambda: commands.apply([spec], "event", live=False, yes=True, format="json")) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["summary"]["conflict"], document["done"]) == (1, [])


def test_a_conflict_is_a_finding_at_the_name_of_the_meter(
    account: Account, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account.post("/v1/products", {"id": "meterspec_calls", "name": "x"})
    assert ended(lambda: commands.apply([spec], "event", live=False, yes=True, format="text")) == 1
    printed = capsys.readouterr()
    assert "! conflict product meterspec_calls\n" in printed.out
    assert "error[MS026]" in printed.err and "meterspec.toml:5:8" in printed.err


def test_what_stripe_says_cannot_command_the_terminal(
    account: Account, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(account, SPEC)
    account.post("/v1/products/meterspec_calls", {"name": "\x1b]0;owned\x07\u202e"})
    commands.plan([spec], "event", live=False, check=False, format="text")
    assert "name: \\x1b]0;owned\\x07\\u202e -> calls\n" in capsys.readouterr().out


def test_an_interruption_says_what_was_done(
    account: Account, spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Account.post
    paths: list[str] = []

    def post(self: Account, path: str, *rest: Any) -> tuple[Object, bool]:
        paths.append(path)
        if len(paths) == 3:
            raise KeyboardInterrupt
        return real(self, path, *rest)

    monkeypatch.setattr(Account, "post", post)
    assert ended(lambda: commands.apply([spec], "event", live=False, yes=True, format="text")) == 130
    assert "interrupted after 2 of 11 requests: the same command goes on from there\n" in capsys.readouterr().err


def test_without_the_library_a_plan_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stripe", None)
    with pytest.raises(Failure) as failure:
        connect(live=False)
    assert failure.value.diagnostic.code == "MS020"
    assert failure.value.diagnostic.hint == "install it: `pip install 'meterspec[stripe]'`"
