"""How to ship a change: what people have to do, and the statements that take a warehouse from one spec to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meterspec.backends.base import Artifact
from meterspec.diagnostics import Diagnostics
from meterspec.diff import diff
from meterspec.ir import CalendarUnit, Meter, Program
from meterspec.migration import Action, steps
from meterspec.migration.views import move, script, views
from meterspec.pipeline import compile_program, load
from meterspec.project import SpecFile, collect
from tests.conftest import FIXTURES, ROOT
from tests.engines.base import Engine, Row
from tests.test_diff import EDITS, SAMPLE

GATEWAY, NEXT = (ROOT / "docs" / "examples" / name for name in ("gateway", "gateway-next"))
HISTORIES = sorted(folder for folder in (FIXTURES / "diff").iterdir() if folder.is_dir())


def program(files: list[SpecFile]) -> Program:
    out = Diagnostics()
    found = load(files, out)
    assert found is not None, list(out)
    return found


def side(folder: Path, name: str) -> list[SpecFile]:
    whole = folder / f"{name}.toml"
    return collect([str(whole if whole.exists() else folder / name)])


def compiled(
    files: list[SpecFile],
    dialect: str = "duckdb",
    grain: CalendarUnit | None = None,
    base: list[SpecFile] | None = None,
) -> list[Artifact]:
    out = Diagnostics()
    before = None if base is None else (program(base), base)
    made = compile_program(program(files), files, out, targets=["sql"], dialects=[dialect], grain=grain, base=before)
    assert not out.has_errors, list(out)
    return made


def text_of(artifacts: list[Artifact], path: str) -> str:
    return next(artifact.text for artifact in artifacts if str(artifact.path) == path)


def sql_of(artifacts: list[Artifact], *names: str) -> Iterator[str]:
    for name in names:
        for artifact in artifacts:
            if artifact.path.name == f"{name}.sql" and artifact.path.parts[0] == "sql":
                yield artifact.text


# The warehouse --------------------------------------------------------------------------------------------------

VIEWS = {
    "duckdb": "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal",
    "postgres": "SELECT viewname, definition FROM pg_views WHERE schemaname !~ '^(pg_|information_schema$)'",
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'view'",
}
COLUMNS = """
    SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema !~ '^(pg_|information_schema$)'
"""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VIEWS])
def warehouse(request: pytest.FixtureRequest, start_engine: Callable[[str], Engine]) -> Engine:
    return start_engine(request.param)


def defined(warehouse: Engine) -> dict[str, str]:
    return {str(name): str(text) for name, text in warehouse.query(VIEWS[warehouse.name])}


def created(warehouse: Engine, artifacts: list[Artifact]) -> None:
    for text in sql_of(artifacts, "inputs", "families", "rollups", "meters", "invoices"):
        warehouse.script(text)


def change_raw_tables(warehouse: Engine, artifacts: list[Artifact], wanted: list[Row]) -> None:
    """What a person does before the script: PostgreSQL keeps a table that views read, and takes new columns alone."""
    if warehouse.name == "postgres":
        for text in sql_of(artifacts, "inputs"):
            warehouse.script(text)
        there = warehouse.query(COLUMNS)
        for schema, table, column, kind in wanted:
            if (schema, table, column, kind) not in there:
                name = warehouse.quoted(f"{schema}.{table}")
                warehouse.execute(f"ALTER TABLE {name} ADD COLUMN {warehouse.quoted(str(column))} {kind}")
        return
    for text in sql_of(artifacts, "inputs"):
        tables = "duckdb_tables()" if warehouse.name == "duckdb" else "sqlite_master WHERE type = 'table'"
        name = "table_name" if warehouse.name == "duckdb" else "name"
        for (table,) in warehouse.query(f"SELECT {name} FROM {tables}"):
            warehouse.execute(f'DROP TABLE "{table}"')
        warehouse.script(text)


@pytest.mark.parametrize("grain", [None, CalendarUnit.DAY], ids=["views", "rollups"])
@pytest.mark.parametrize("folder", HISTORIES, ids=lambda folder: folder.name)
def test_the_script_leaves_what_compiling_anew_would(
    folder: Path, grain: CalendarUnit | None, warehouse: Engine
) -> None:
    before, after = side(folder, "before"), side(folder, "after")
    made = compiled(after, warehouse.name, grain, base=before)
    created(warehouse, made)
    fresh = defined(warehouse)
    columns = warehouse.query(COLUMNS) if warehouse.name == "postgres" else []
    warehouse.reset()
    created(warehouse, compiled(before, warehouse.name, grain))
    change_raw_tables(warehouse, made, columns)
    for artifact in made:
        if str(artifact.path) == f"migration/{warehouse.name}.sql":
            warehouse.script(artifact.text)
    assert defined(warehouse) == fresh
    for name in fresh:
        warehouse.query(f'SELECT * FROM "{name}" LIMIT 0')


def test_a_column_of_another_type_is_changed_inside_of_the_script(start_engine: Callable[[str], Engine]) -> None:
    """PostgreSQL refuses it as long as a view reads the column; the script says where none does."""
    [spec] = collect([str(GATEWAY)])
    status = b"[families.schema.status]\ntype = "
    wider = SpecFile(spec.name, spec.data.replace(status + b'"integer"', status + b'"decimal"'))
    assert wider.data != spec.data
    warehouse = start_engine("postgres")
    created(warehouse, compiled([spec], "postgres"))
    text = text_of(compiled([wider], "postgres", base=[spec]), "migration/postgres.sql")
    alter = 'ALTER TABLE raw_api_call ALTER COLUMN "status" TYPE NUMERIC;'
    with pytest.raises(Exception, match="used by a view"):
        warehouse.script(alter)
    before, place, rest = text.partition("-- Nothing reads the raw tables here")
    assert place
    warehouse.script(f"{before}{alter}\n{place}{rest}")
    assert len(defined(warehouse)) == len(views(compiled([wider], "postgres"), "postgres"))


def test_a_view_that_reads_a_changed_one_is_created_again_after_it() -> None:
    old, new = (views(compiled(collect([str(folder)])), "duckdb") for folder in (GATEWAY, NEXT))
    taken = move(old, new)
    order = [view.name for view in taken.replace]
    assert order.index("api_call_checked") < order.index("api_call") < order.index("traffic")
    assert [view.name for view in taken.stale] == [name for name in reversed(old) if name in set(order)]
    for number, view in enumerate(taken.replace):
        assert not {later.name for later in taken.replace[number + 1 :]} & view.mentions


def test_a_change_of_price_alone_moves_no_view_of_a_quantity() -> None:
    [spec] = collect([str(GATEWAY)])
    dearer = SpecFile(spec.name, spec.data.replace(b"unit_amount = 0.45", b"unit_amount = 0.50"))
    assert dearer.data != spec.data
    old, new = (
        {name: view for name, view in views(compiled([one]), "duckdb").items() if view.file.name != "invoices.sql"}
        for one in (spec, dearer)
    )
    assert not move(old, new)


def test_postgresql_drops_dependents_first_and_all_or_nothing() -> None:
    old, new = (views(compiled(collect([str(folder)]), "postgres"), "postgres") for folder in (GATEWAY, NEXT))
    lines = [
        line
        for line in script(move(old, new), "postgres").splitlines()
        if line.startswith(("BEG", "DROP", "CRE", "COM"))
    ]
    assert (lines[0], lines[-1]) == ("BEGIN;", "COMMIT;")
    drops = [line.partition('"')[2].rstrip('";') for line in lines if line.startswith("DROP")]
    assert drops.index("traffic") < drops.index("api_call") < drops.index("api_call_checked")
    kinds = [line.partition(" ")[0] for line in lines[1:-1]]
    assert kinds == sorted(kinds, reverse=True), "every DROP comes before every CREATE"


def test_a_text_with_semicolons_and_keywords_ends_no_statement() -> None:
    spec = """
[[families]]
name = "call"
schema.s = { type = "string" }
[[meters]]
name = "m"
filter = '''s == '; -- CREATE VIEW x AS ' '''
source = { kind = "family", family = "call" }
aggregate = { fn = "COUNT" }
"""
    for dialect in ("duckdb", "postgres", "clickhouse", "spark", "bigquery", "snowflake", "trino", "datafusion"):
        made = compiled([SpecFile("meterspec.toml", spec.encode())], dialect)
        found = views(made, dialect)
        assert {"call", "call_checked", "call_rejects", "m"} <= found.keys()
        assert "x" not in found
        whole = "".join(artifact.text for artifact in made if artifact.path.suffix == ".sql")
        assert all(view.statement in whole for view in found.values())


# The plan -------------------------------------------------------------------------------------------------------


def test_the_plan_stands_beside_the_artefacts_and_is_the_same_every_time() -> None:
    before, after = collect([str(GATEWAY)]), collect([str(NEXT)])
    one, other = compiled(after, base=before), compiled(after, base=before)
    assert one == other
    plan = json.loads(text_of(one, "migration/plan.json"))
    assert plan["summary"] == {"breaking": 2, "review": 2, "safe": 2}
    assert plan["views"]["duckdb"]["replace"][-1] == "meterspec_invoices"
    listed = {entry["path"] for entry in json.loads(text_of(one, "manifest.json"))["files"]}
    assert {"migration/plan.json", "migration/plan.md", "migration/duckdb.sql", "sources.json"} <= listed
    assert str(ROOT) not in "".join(artifact.text for artifact in one)


def test_from_itself_there_is_nothing_to_be_done() -> None:
    spec = collect([str(GATEWAY)])
    made = compiled(spec, base=spec)
    assert "There is nothing to be done." in text_of(made, "migration/plan.md")
    assert not any(str(artifact.path) == "migration/duckdb.sql" for artifact in made)


def test_a_rollup_that_changed_is_to_be_filled_anew() -> None:
    [spec] = collect([str(GATEWAY)])
    texts = {
        "finer": spec.data.replace(b"1000000000.0", b"1000000.0").replace(b'"GB"', b'"MB"'),
        "filtered": spec.data.replace(b'unit = "GB"', b'unit = "GB"\nfilter = "status < 400"'),
    }
    rebuilt = {}
    for name, text in texts.items():
        made = compiled([SpecFile(spec.name, text)], grain=CalendarUnit.DAY, base=[spec])
        rebuilt[name] = json.loads(text_of(made, "migration/plan.json"))["views"]["duckdb"]["rebuild"]
    assert rebuilt["finer"] == []  # it holds totals of bytes, and what divides them comes after
    assert len(rebuilt["filtered"]) == 1


# What people have to do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "unit_amount = 0.45",
            "unit_amount = 0.50",
            {(Action.VIEWS, "calls"), (Action.NEW_PRICE, "calls"), (Action.CYCLE, "calls")},
        ),
        ('filter = "status < 500"', 'filter = "status < 400"', {(Action.VIEWS, "calls"), (Action.CYCLE, "calls")}),
        ('unit = "GB"', 'unit = "GB"\nprecision = 3', {(Action.VIEWS, "traffic"), (Action.RESTATE, "traffic")}),
        (
            "[families.schema.region]\n",
            "[families.schema.region]\nrequired = true\n",
            {
                (Action.PRODUCERS, "api.call"),
                (Action.VIEWS, "api.call"),
                (Action.STORE, "api.call"),
                (Action.CYCLE, "calls"),
                (Action.RESTATE, "traffic"),
            },
        ),
        ("Data sent out, by day.", "Data sent.", set()),
        ("Calls that did not fail on our side.", "Calls.", {(Action.PRODUCT, "calls")}),
        (
            'name = "traffic"',
            'name = "egress"',
            {(Action.VIEWS, "egress"), (Action.READERS, "egress")},
        ),
        (
            "region",
            "area",
            {
                *((action, "api.call") for action in (Action.PRODUCERS, Action.RAW_TABLE, Action.VIEWS, Action.STORE)),
                *((Action.READERS, name) for name in ("api.call", "traffic")),
                (Action.CYCLE, "calls"),
                (Action.RESTATE, "traffic"),
            },
        ),
    ],
)
def test_a_change_asks_for_what_has_to_follow(old: str, new: str, expected: set[tuple[Action, str]]) -> None:
    [spec] = collect([str(GATEWAY)])
    text = spec.data.decode()
    assert text.count(old) == (2 if old == "region" else 1)
    before, after = program([spec]), program([SpecFile(spec.name, text.replace(old, new).encode())])
    todo = steps(before, after, diff(before, after))
    assert {(step.action, step.subject) for step in todo} == expected
    assert [step.action for step in todo] == sorted((step.action for step in todo), key=list(Action).index)


def test_a_role_that_another_field_has_needs_its_column() -> None:
    [spec] = collect([str(GATEWAY)])
    text = spec.data.decode().replace("customer_id", "account_id")
    text = text.replace('name = "api.call"\n', 'name = "api.call"\ncustomer_field = "account_id"\n', 1)
    before, after = program([spec]), program([SpecFile(spec.name, text.encode())])
    verdicts = diff(before, after)
    assert [verdict.code for verdict in verdicts] == ["MD112"]
    asked = {(step.action, step.subject) for step in steps(before, after, verdicts)}
    assert {(Action.RAW_TABLE, "api.call"), (Action.READERS, "calls"), (Action.READERS, "traffic")} <= asked


def test_a_meter_with_another_name_is_restated_as_any_other() -> None:
    [spec] = collect([str(GATEWAY)])
    text = spec.data.decode().replace('name = "traffic"', 'name = "egress"').replace("10_000_000_000", "5_000_000_000")
    before, after = program([spec]), program([SpecFile(spec.name, text.encode())])
    asked = {(step.action, step.subject) for step in steps(before, after, diff(before, after))}
    assert (Action.RESTATE, "egress") in asked


def test_steps_are_found_in_one_look_at_the_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 40
    families = "".join(
        f'[[families]]\nname = "f{n}"\nschema.v = {{ type = "integer", max = LIMIT }}\n' for n in range(count)
    )
    meters = "".join(
        f'[[meters]]\nname = "m{n}"\nsource = {{ kind = "family", family = "f{n}" }}\naggregate = {{ fn = "COUNT" }}\n'
        for n in range(count)
    )
    before, after = (
        program([SpecFile("a.toml", (families + meters).replace("LIMIT", limit).encode())]) for limit in ("9", "8")
    )
    verdicts, looks = diff(before, after), 0
    plain = Program.families_of

    def counted(self: Program, meter: Meter) -> object:
        nonlocal looks
        looks += 1
        return plain(self, meter)

    monkeypatch.setattr(Program, "families_of", counted)
    assert sum(step.action is Action.RESTATE for step in steps(before, after, verdicts)) == count
    assert looks == count


@pytest.mark.parametrize("folder", HISTORIES, ids=lambda folder: folder.name)
def test_where_views_move_for_a_change_the_steps_say_so(folder: Path) -> None:
    """Whoever ships by what the comment says has the invoices of the new price, too."""
    before, after = side(folder, "before"), side(folder, "after")
    old, new = program(before), program(after)
    verdicts = diff(old, new)
    moved = move(views(compiled(before), "duckdb"), views(compiled(after), "duckdb"))
    if verdicts and moved.replace:
        assert Action.VIEWS in {step.action for step in steps(old, new, verdicts)}


def test_every_edit_of_a_leaf_has_its_steps() -> None:
    """Whatever a program may hold, also what is about the whole project."""
    for after in EDITS:
        verdicts = diff(SAMPLE, after)
        asked = {code for step in steps(SAMPLE, after, verdicts) for code in step.because}
        breaking = {verdict.code for verdict in verdicts if verdict.impact == "breaking"}
        assert breaking <= asked, [verdict.message for verdict in verdicts]


@pytest.mark.parametrize("folder", HISTORIES, ids=lambda folder: folder.name)
def test_every_change_of_a_history_that_breaks_something_asks_for_a_step(folder: Path) -> None:
    before, after = program(side(folder, "before")), program(side(folder, "after"))
    verdicts = diff(before, after)
    asked = {code for step in steps(before, after, verdicts) for code in step.because}
    assert {verdict.code for verdict in verdicts if verdict.impact == "breaking"} <= asked
