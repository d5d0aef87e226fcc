"""Imports point one way, and the commands that run everywhere stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT

PACKAGE = ROOT / "src" / "meterspec"

MAY_IMPORT = {
    "records": set[str](),
    "source": set[str](),
    "diagnostics": {"source"},
    "spec": {"records", "source", "diagnostics"},
    "cel": {"records", "source", "diagnostics"},
    "currencies": set[str](),
    "units": set[str](),
    "ir": {"records", "source", "cel"},
    "exact": {"cel"},
    "regimes": {"records", "source", "diagnostics", "spec"},
    "assessment": {"diagnostics", "regimes"},
    "check": {
        *("records", "source", "diagnostics", "spec", "cel", "ir", "exact", "currencies", "units"),
        *("regimes", "assessment"),
    },
    "pricing": {"diagnostics", "ir", "currencies"},
    "templates": set[str](),
    "zones": set[str](),
    "backends": {
        "source",
        "diagnostics",
        "cel",
        "ir",
        "exact",
        "currencies",
        "templates",
        "zones",
        "units",
        "regimes",
        "assessment",
    },
    "diff": {"source", "cel", "ir"},
    "project": {"diagnostics"},
    "baseline": {"diagnostics", "regimes", "project"},
    "lint": {"source", "diagnostics", "spec", "catalogue"},
    "pipeline": {
        *("source", "diagnostics", "spec", "regimes", "assessment", "check", "ir", "backends", "project", "lint"),
        "migration",
    },
    "artifacts": {"diagnostics", "backends"},
    "revision": set[str](),
    "formatting": {"diagnostics", "spec", "revision"},
    "fixing": {"source", "diagnostics", "spec", "project", "pipeline", "revision"},
    "events": {"diagnostics", "ir", "backends"},
    "store": {"diagnostics", "ir", "backends", "events", "artifacts"},
    "run": {"diagnostics", "ir", "backends", "events", "store"},
    "approvals": {"source", "diagnostics", "spec", "diff"},
    "migration": {"ir", "diff", "backends", "templates", "markup"},
    "markup": {"render"},
    "reports": {
        *("source", "ir", "diff", "events", "money", "approvals", "migration", "markup", "render", "formats"),
        "templates",
    },
    "money": {"diagnostics", "ir", "backends", "events", "store", "run", "pricing", "invoicing"},
    "servers": {"diagnostics", "ir", "backends", "events", "run"},
    "stripe_account": {"diagnostics", "ir", "backends"},
    "invoicing": {"diagnostics", "ir", "backends", "events", "pricing", "render", "run", "store"},
    "tracing": {
        *("diagnostics", "cel", "ir", "exact", "backends", "events", "invoicing", "pricing", "render", "run", "store"),
    },
    "statements": {"ir", "invoicing", "pricing", "render", "templates", "tracing"},
    "status": {"diagnostics", "ir", "events", "store", "run", "pricing", "render"},
    "attestation": {"diagnostics"},
    "evidence": {
        *("diagnostics", "ir", "units", "regimes", "templates", "backends", "project", "pipeline"),
        *("events", "store", "run", "render"),
    },
    "verifying": {"diagnostics", "ir", "backends", "project", "pipeline", "attestation", "evidence"},
    "results": {"diagnostics", "ir", "events", "render", "run"},
    "schema": {"spec", "ir"},
    "examples": {"diagnostics", "ir", "backends", "events", "run"},
    "completions": {"templates"},
    "starter": {"diagnostics", "artifacts", "templates"},
    "render": {"source", "diagnostics"},
    "catalogue": {"diagnostics", "ir", "backends"},
    "formats": {"source", "diagnostics", "project", "render", "catalogue", "fixing"},
    "commands": {
        *("attestation", "evidence", "verifying"),
        *("diagnostics", "ir", "pipeline", "project", "render", "artifacts", "backends"),
        *("events", "store", "run", "servers", "results", "pricing", "invoicing", "statements", "tracing", "diff"),
        *("schema", "examples", "completions", "starter", "revision", "formatting", "fixing", "stripe_account"),
        *("baseline", "approvals", "money", "migration", "reports", "catalogue", "lint", "formats", "status"),
    },
    "cli": {"commands", "pipeline"},
    "__main__": {"commands", "cli"},
}
"""What each room of the house may see besides itself and `records`; docs/architecture.md draws it."""


def room(module: str) -> str:
    """The first name below the package: `meterspec.cel.tree` is in the room `cel`."""
    return module.split(".")[1] if "." in module else ""


def imports(file: Path) -> set[str]:
    """The rooms that a file imports from."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("meterspec."):
                rooms.add(room(module))
            case ast.ImportFrom(module="meterspec"):
                rooms |= {alias.name for alias in node.names if (PACKAGE / alias.name).exists()}
                rooms |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()}
            case ast.Import():
                rooms |= {room(alias.name) for alias in node.names if alias.name.startswith("meterspec.")}
    return rooms


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_one_way(file: Path) -> None:
    inside = file.relative_to(PACKAGE)
    own = inside.parts[0].removesuffix(".py")
    if own == "__init__":
        assert not imports(file)
        return
    assert imports(file) - {own, "records"} <= MAY_IMPORT[own], f"{inside} sees more than it may"


def test_no_circle_among_the_rooms() -> None:
    seen: set[str] = set()
    rooms = dict(MAY_IMPORT)
    while rooms:
        ready = [name for name, needs in rooms.items() if needs <= seen]
        assert ready, f"a circle among {sorted(rooms)}"
        seen.update(ready)
        for name in ready:
            del rooms[name]


HEAVY = {
    *("sqlglot", "jinja2", "duckdb", "pydantic", "typer", "click", "rich", "tomlkit", "celpy"),
    *("asyncio", "difflib", "hashlib", "importlib.resources", "json", "pkgutil", "xml", "zoneinfo"),
    *("meterspec.backends", "meterspec.catalogue", "meterspec.cli", "meterspec.formats"),
    *("meterspec.regimes", "meterspec.assessment", "meterspec.check.compliance"),
}


def modules_after(*arguments: str) -> set[str]:
    """The modules that a command line has imported when it ends."""
    program = (
        "import sys\n"
        f"sys.argv = ['meterspec', *{arguments!r}]\n"
        "from meterspec.__main__ import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('MODULES', *sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_validate_of_a_clean_spec_loads_no_backend_and_no_option_parser() -> None:
    loaded = modules_after("validate", str(FIXTURES / "valid" / "published_short.toml"))
    assert not HEAVY & loaded


def test_a_diff_without_events_loads_no_backend_and_no_engine() -> None:
    specs = [str(ROOT / "docs" / "examples" / name) for name in ("gateway", "gateway-next")]
    loaded = modules_after("diff", *specs)
    assert not {"sqlglot", "jinja2", "duckdb", "pydantic", "meterspec.backends", "meterspec.money"} & loaded


def test_version_loads_nothing_of_ours() -> None:
    loaded = modules_after("--version")
    assert {name for name in loaded if name.startswith("meterspec.")} <= {"meterspec.__main__"}


def test_without_the_engine_everything_but_running_works() -> None:
    program = (
        "import sys\n"
        "sys.modules['duckdb'] = None\n"
        f"sys.argv = ['meterspec', 'run', {str(FIXTURES / 'valid' / 'published_long.toml')!r}, "
        f"'--events', {str(ROOT / 'examples' / 'agent-runs' / 'events.jsonl')!r}]\n"
        "from meterspec.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "MS012" in done.stderr and "pip install 'meterspec[duckdb]'" in done.stderr
