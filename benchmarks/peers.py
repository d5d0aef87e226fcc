"""Other tools on comparable documents: the same number of items, each with a condition and an expression of its own.

Each tool lives in a virtual environment that is made here, in the cache folder of the user, and never in ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BIN, ROOT, Command
from benchmarks.specs import expressions, write

__all__ = ["PEERS", "Absent", "Peer"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meterspec-benchmarks"


class Absent(Exception):  # noqa: N818 - a peer that cannot be had is no error
    """Why a tool is not in the table."""


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    installed: Callable[[], Path]
    """Where the program is, installed if need be; raises Absent."""
    version: tuple[str, ...]
    """The arguments that print the version."""
    prepare: Callable[[Path, Path, int, Mapping[str, str]], Command]
    """Writes so many items into a folder, and gives the command that checks them."""
    most: int
    """The most items that it can be measured with in a minute."""


FIELD = re.compile("status|duration_ms|queued_ms")


def wheel(program: str, *packages: str) -> Path:
    """A program from the package index, in an environment of its own."""
    home = CACHE / f"{program}-{sys.version_info.major}.{sys.version_info.minor}"
    path = home / BIN.name / program
    if path.exists():
        return path
    try:
        subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True)
        subprocess.run([home / BIN.name / "python", "-m", "pip", "install", *packages], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(home, ignore_errors=True)
        raise Absent(f"{program} cannot be installed: {error}") from error
    return path


def on_path(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise Absent(f"{program} is not installed")
    return Path(found)


def check_jsonschema(program: Path, folder: Path, items: int, env: Mapping[str, str]) -> Command:
    """Our own document, against our own JSON Schema: the shape of a spec, but not what it means."""
    write(folder / "meterspec.toml", items)
    # The schema is made in a process of its own: what pydantic needs for it would count as memory of all that follow.
    make = "import json; from meterspec.schema import document_schema; print(json.dumps(document_schema()))"
    schema = subprocess.run([sys.executable, "-c", make], cwd=ROOT, env=env, check=True, capture_output=True).stdout
    (folder / "schema.json").write_bytes(schema)
    return Command([program, "--schemafile", "schema.json", "meterspec.toml"], folder)


def dbt(program: Path, folder: Path, items: int, env: Mapping[str, str]) -> Command:
    """Semantic models and metrics; a model with ten measures for every ten metrics."""
    models = folder / "models"
    models.mkdir()
    (folder / "dbt_project.yml").write_text("name: bench\nversion: '1.0.0'\nprofile: bench\nmodel-paths: [models]\n")
    (folder / "profiles.yml").write_text("bench: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n")
    (models / "days.sql").write_text("select current_date as day\n")
    parts = [DBT_DAYS]
    metrics = []
    for n, (kept, value) in enumerate(expressions(items)):
        family = n // 10
        if n % 10 == 0:
            (models / f"service_{family}.sql").write_text(DBT_SQL)
            parts.append(DBT_MODEL.format(family=family))
        parts.append(f"      - {{name: measure_{n}, agg: sum, expr: '{value}'}}\n")
        condition = kept.replace("==", "=").replace("&&", "and").replace("'", "''")
        condition = FIELD.sub(rf"{{{{ Dimension(''run_{family}__\g<0>'') }}}}", condition)
        metrics.append(DBT_METRIC.format(n=n, family=family, condition=condition))
    (models / "semantic.yml").write_text("".join([*parts, "metrics:\n", *metrics]))
    return Command([program, "parse", "--no-partial-parse", "--profiles-dir", "."], folder)


DBT_SQL = """\
select 'r' as run_id, 'c' as customer_id, 'ok' as status, 'eu' as region, 1 as duration_ms, 1 as queued_ms,
    current_timestamp as finished_at
"""
DBT_DAYS = """\
version: 2
models:
  - name: days
    time_spine: {standard_granularity_column: day}
    columns: [{name: day, granularity: day}]
semantic_models:
"""
DBT_MODEL = """\
  - name: service_{family}
    model: ref('service_{family}')
    defaults: {{agg_time_dimension: finished_at}}
    entities: [{{name: run_{family}, type: primary, expr: run_id}}]
    dimensions:
      - {{name: finished_at, type: time, type_params: {{time_granularity: day}}}}
      - {{name: status, type: categorical}}
      - {{name: region, type: categorical}}
      - {{name: duration_ms, type: categorical}}
      - {{name: queued_ms, type: categorical}}
    measures:
"""
DBT_METRIC = """\
  - name: meter_{n}
    label: meter {n}
    description: Measures something of service {family}.
    type: simple
    type_params: {{measure: measure_{n}}}
    filter: '{condition}'
"""


def terraform(program: Path, folder: Path, items: int, env: Mapping[str, str]) -> Command:
    """Built-in resources with a precondition and a value, so that no provider has to be fetched."""
    with (folder / "main.tf").open("w") as file:
        file.write(TERRAFORM_FIELDS)
        for n, (kept, value) in enumerate(expressions(items)):
            if n % 10 == 0:
                file.write(TERRAFORM_FAMILY.format(family=n // 10))
            condition, number = (FIELD.sub(r"var.\g<0>", text) for text in (kept.replace("'", '"'), value))
            file.write(TERRAFORM_METER.format(n=n, family=n // 10, condition=condition, value=number))
    subprocess.run([program, "init", "-backend=false"], cwd=folder, env=env, check=True, capture_output=True)
    return Command([program, "validate"], folder)


TERRAFORM_FIELDS = """\
variable "duration_ms" {
  type = number
}
variable "queued_ms" {
  type = number
}
variable "status" {
  type = string
}
"""
TERRAFORM_FAMILY = """\
resource "terraform_data" "service_{family}" {{
  input = {{ name = "service.n{family}", event_id_field = "run_id", event_time_field = "finished_at" }}
}}
"""
TERRAFORM_METER = """\
resource "terraform_data" "meter_{n}" {{
  input = {{
    name        = "meter-{n}"
    description = "Measures something of service {family}."
    family      = terraform_data.service_{family}.input.name
    value       = {value}
    group_by    = ["customer_id", "region"]
  }}
  lifecycle {{
    precondition {{
      condition     = {condition}
      error_message = "Not kept."
    }}
  }}
}}
"""

PEERS = [
    Peer(
        "check-jsonschema",
        lambda: wheel("check-jsonschema", "check-jsonschema"),
        ("--version",),
        check_jsonschema,
        10_000,
    ),
    Peer("terraform validate", lambda: on_path("terraform"), ("version",), terraform, 10_000),
    Peer("dbt parse", lambda: wheel("dbt", "dbt-core>=1.11,<1.12", "dbt-duckdb"), ("--version",), dbt, 1_000),
]
