"""What is written for Terraform: every argument is one that the provider has, and Terraform itself takes the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from meterspec.backends import terraform
from meterspec.diagnostics import Diagnostics
from meterspec.ir import Program
from tests.conftest import NO_TERRAFORM, ROOT
from tests.corpus import check_text
from tests.terraform import SCHEMA
from tests.terraform.cli import TERRAFORM, planned, provider, read_by_terraform, validate
from tests.terraform.schema import faults, load
from tests.test_stripe_bodies import specs

needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason="the schema of the provider is not beside the checkout")

SPEC = """
[[families]]
name = "transfer"
schema.gigabytes = { type = "decimal", required = true, unit = "GBy", min = 0, max = 1000 }

[[meters]]
name = "acme.transfer"
kind = "billing"
unit = "GBy"
description = "Outgoing."
source = { kind = "family", family = "transfer" }
aggregate = { fn = "SUM", value = "gigabytes", window = "billing_cycle", group_by = ["customer_id"] }
[meters.billing]
model = "combined"
currency = "EUR"
base_fee = 20
included_units = 100
tiers = [{ up_to = 1000, unit_amount = 0.45 }, { up_to = "infinity", unit_amount = 0.30, flat_amount = 5 }]
"""


def emitted(program: Program) -> str | None:
    """The configuration of a program; None where it has none, or Stripe cannot have it."""
    out = Diagnostics()
    terraform.check(program, out)
    if out.has_errors:
        return None
    return next((artifact.text for artifact in terraform.BACKEND.emit(program)), None)


def configuration(text: str) -> dict[str, Any]:
    program, found = check_text(text)
    assert program is not None, found
    made = emitted(program)
    assert made is not None
    parsed: dict[str, Any] = json.loads(made)
    return parsed


WRITTEN = [(name, text) for name, program in specs() if (text := emitted(program)) is not None]


@needs_schema
@pytest.mark.parametrize(("name", "text"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_every_argument_is_one_that_the_provider_has(name: str, text: str) -> None:
    assert faults(text, load(SCHEMA)) == []


def test_the_file_on_the_page() -> None:
    page = (ROOT / "docs" / "terraform.md").read_text(encoding="utf-8")
    text, expected = re.findall(r"```(?:toml|json)\n([^`]*)```", page)
    program, found = check_text(text)
    assert program is not None and not found
    assert emitted(program) == expected


def test_resources_refer_to_one_another() -> None:
    made = configuration(SPEC)["resource"]
    assert made["stripe_price"]["acme_transfer_usage"] == {
        "billing_scheme": "tiered",
        "currency": "eur",
        "lifecycle": {"create_before_destroy": True},
        "lookup_key": "meterspec:acme.transfer:usage",
        "metadata": {"meterspec_meter": "acme.transfer", "meterspec_price": "usage"},
        "product": "${stripe_product.acme_transfer.id}",
        "recurring": {
            "interval": "month",
            "interval_count": 1,
            "meter": "${stripe_billing_meter.acme_transfer.id}",
            "usage_type": "metered",
        },
        "tiers": [
            {"unit_amount_decimal": "0", "up_to": "100"},
            {"unit_amount_decimal": "45", "up_to": "1000"},
            {"flat_amount_decimal": "500", "unit_amount_decimal": "30", "up_to": "inf"},
        ],
        "tiers_mode": "graduated",
        "transfer_lookup_key": True,
    }
    assert sorted(made["stripe_price"]) == ["acme_transfer_base_fee", "acme_transfer_usage"]


def described(text: str) -> str:
    """The description of the product of a meter that has this one."""
    made = configuration(SPEC.replace('"Outgoing."', json.dumps(text)))
    words: str = made["resource"]["stripe_product"]["acme_transfer"]["description"]
    return words


HOSTILE = [
    '${file("/etc/passwd")}',
    "%{if true}x%{endif}",
    "$${already} $$${twice} %%{x} %%%{y}",
    "100% $ $$ ${ %{ $%{ %${",
    'a "quoted" \\ line\nand another',
]


def test_a_text_of_the_spec_is_no_template() -> None:
    """Terraform evaluates `${...}` and `%{...}` in every text; what a spec says in words has to stay words."""
    assert described(HOSTILE[0]) == '$${file("/etc/passwd")}'


@pytest.mark.skipif(TERRAFORM is None, reason=NO_TERRAFORM)
def test_terraform_reads_the_text_that_the_spec_has(tmp_path: Path) -> None:
    assert read_by_terraform([described(text) for text in HOSTILE], tmp_path) == HOSTILE


def test_a_spec_without_prices_has_no_file() -> None:
    program, _ = check_text(SPEC.replace('kind = "billing"', 'kind = "reporting"').partition("[meters.billing]")[0])
    assert program is not None and emitted(program) is None


# Terraform itself.


def attach(folder: Path, shape: str) -> AbstractContextManager[dict[str, str]]:
    """The environment of a Terraform that knows the stand-in, with nested parts of a shape."""
    if TERRAFORM is None:
        pytest.skip(NO_TERRAFORM)
    if not SCHEMA.exists():
        pytest.skip("the schema of the provider is not beside the checkout")
    return provider(folder, shape)


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with attach(tmp_path_factory.mktemp("tf"), "attributes") as environment:
        yield environment


def found_by_terraform(text: str, folder: Path, attached: dict[str, str]) -> list[str]:
    (folder / "meterspec.tf.json").write_text(text, encoding="utf-8")
    return validate(folder, attached)


@pytest.mark.parametrize("shape", ["attributes", "blocks"])
def test_terraform_takes_every_file(shape: str, tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    with attach(tmp_path, shape) as environment:
        for name, text in WRITTEN:
            folder = tmp_path / str(len(found))
            folder.mkdir()
            found[name] = found_by_terraform(text, folder, environment)
    assert found == {name: [] for name, _ in WRITTEN}


def test_the_plan_for_an_empty_account(tmp_path: Path, attached: dict[str, str]) -> None:
    """Everything is created as it is written, and refers to what is known only once it is there."""
    made = configuration(SPEC)
    (tmp_path / "meterspec.tf.json").write_text(json.dumps(made), encoding="utf-8")
    changes = {each["address"]: each["change"] for each in planned(tmp_path, attached)}
    assert {address: change["actions"] for address, change in changes.items()} == {
        "stripe_billing_meter.acme_transfer": ["create"],
        "stripe_price.acme_transfer_base_fee": ["create"],
        "stripe_price.acme_transfer_usage": ["create"],
        "stripe_product.acme_transfer": ["create"],
    }
    usage = changes["stripe_price.acme_transfer_usage"]
    written = made["resource"]["stripe_price"]["acme_transfer_usage"]
    assert [tier["unit_amount_decimal"] for tier in usage["after"]["tiers"]] == ["0", "45", "30"]
    assert {key: usage["after"][key] for key in ("currency", "lookup_key", "metadata", "tiers_mode")} == {
        key: written[key] for key in ("currency", "lookup_key", "metadata", "tiers_mode")
    }
    assert usage["after_unknown"]["product"] is True and usage["after_unknown"]["recurring"]["meter"] is True


def test_blocks_are_another_shape(tmp_path: Path) -> None:
    """A key that Terraform drops from an attribute without a word, it refuses in a block."""
    made = configuration(SPEC)
    made["resource"]["stripe_price"]["acme_transfer_usage"]["recurring"]["aggregate_usage"] = "sum"
    with attach(tmp_path, "blocks") as environment:
        [fault] = found_by_terraform(json.dumps(made), tmp_path, environment)
    assert 'No argument or block type is named "aggregate_usage"' in fault


SLIPS: list[tuple[Callable[[dict[str, Any]], object], str, str]] = [
    (lambda r: r["stripe_price"]["t"].update(colour="red"), "no attribute colour", "Extraneous JSON object property"),
    (lambda r: r["stripe_price"]["t"].pop("currency"), "currency is required", "Missing required argument"),
    (lambda r: r["stripe_price"]["t"]["tiers"][0].pop("up_to"), "up_to is required", 'attribute "up_to" is required'),
    (
        lambda r: r["stripe_price"]["t"].update(product="${stripe_product.gone.id}"),
        "stripe_product.gone is not declared",
        "Reference to undeclared resource",
    ),
    (
        lambda r: r["stripe_price"]["t"].update(product="${stripe_product.t.key}"),
        "stripe_product has no key",
        "Unsupported attribute",
    ),
    (lambda r: r["stripe_price"]["t"].update(recurring=[1, 2]), "not an object", "Incorrect attribute value type"),
    (lambda r: r.update(stripe_meter=r.pop("stripe_billing_meter")), "no resource stripe_meter", "Invalid resource"),
    (lambda r: r["stripe_product"]["t"].update(description="${nothing.here}"), "a template", "undeclared resource"),
]


@needs_schema
@pytest.mark.parametrize(("slip", "ours", "theirs"), SLIPS, ids=[ours for _, ours, _ in SLIPS])
def test_a_slip_is_seen_by_both(
    slip: Callable[[dict[str, Any]], object], ours: str, theirs: str, tmp_path: Path, attached: dict[str, str]
) -> None:
    made = configuration(SPEC.replace("acme.transfer", "t"))
    resources = made["resource"]
    resources["stripe_price"]["t"] = resources["stripe_price"].pop("t_usage")
    slip(resources)
    text = json.dumps(made)
    assert any(ours in fault for fault in faults(text, load(SCHEMA)))
    assert any(theirs in fault for fault in found_by_terraform(text, tmp_path, attached))


@needs_schema
@pytest.mark.parametrize(
    ("slip", "ours"),
    [
        (lambda price: price.update(id="mine"), "id cannot be set"),
        (lambda price: price["recurring"].update(aggregate_usage="sum"), ".recurring: no attribute aggregate_usage"),
        (lambda price: price["recurring"].update(usage_type="counted"), "'counted' is none of licensed, metered"),
        (lambda price: price["tiers"][0].update(up_to=100), "100 is no String"),
        (lambda price: price["metadata"].update(a=1), "1 is no String"),
    ],
)
def test_what_terraform_lets_pass_is_seen_here(slip: Callable[[dict[str, Any]], object], ours: str) -> None:
    made = deepcopy(configuration(SPEC))
    slip(made["resource"]["stripe_price"]["acme_transfer_usage"])
    assert any(ours in fault for fault in faults(json.dumps(made), load(SCHEMA)))
