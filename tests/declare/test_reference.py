"""The reference document is right: its examples load, cover every key, and mean what pg_dump says they mean."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.scope import Scope
from reconciler.declare import Declarations, json_schema, read, read_sql, roles_named
from reconciler.embedded import Server, available
from reconciler.pg import Url, connect, ident
from reconciler.shadow.materialise import load

REFERENCE = Path(__file__).parents[2] / "schema" / "README.md"


@pytest.fixture
def examples(tmp_path: Path) -> Declarations:
    """Every example of the document as a file of its own, each on the lines it has there."""
    text = REFERENCE.read_text()
    for number, block in enumerate(re.finditer(r"^```(yaml|sql)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
        above = "\n" * text[: block.start(2)].count("\n")
        (tmp_path / f"{number:02}.{block[1]}").write_text(above + block[2])
    return read(tmp_path)


@pytest.fixture
def roles(server: Server, examples: Declarations) -> Iterator[None]:
    with connect(server.url) as admin:
        there = {row[0] for row in admin.execute("select rolname from pg_catalog.pg_roles").fetchall()}
        names = [ident(role) for role in sorted(roles_named(examples.files) - there)]
        for name in names:
            admin.execute(f"create role {name}".encode())
        yield
        for name in names:
            admin.execute(f"drop role {name}".encode())


def dump(server: Server, url: Url) -> str:
    """The schema as pg_dump prints it, without the marks that change with every dump. The newest reads all servers."""
    programs = [found.bin / "pg_dump" for found in available() if found.major >= server.major]
    programs = [program for program in programs if program.exists()]
    if not programs:
        pytest.skip(f"no pg_dump that reads PostgreSQL {server.major}")
    found = subprocess.run(
        [programs[-1], "--schema-only", "--dbname", url.database],
        env={**url.environment(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line for line in found.stdout.splitlines() if not line.startswith(("\\", "--")))


@pytest.mark.majors
@pytest.mark.usefixtures("roles")
def test_the_examples_load_and_a_dump_of_them_loads_to_the_same(
    server: Server, database: Callable[..., Url], examples: Declarations
) -> None:
    if server.major < 15:
        pytest.skip("the examples use NULLS NOT DISTINCT and security_invoker, which came with PostgreSQL 15")
    first, second = database(), database()
    with connect(first) as session:
        load(session, examples.files)
    written = dump(server, first)
    with connect(second) as session:
        load(session, [read_sql(written, "dump.sql")])
    assert dump(server, second) == written
    for database_url in (first, second):
        with connect(database_url) as session:
            session.execute(
                f"drop owned by {', '.join(ident(r) for r in sorted(roles_named(examples.files)))} cascade".encode()
            )


@pytest.mark.usefixtures("roles")
def test_the_names_of_files_decide_nothing(
    server: Server, database: Callable[..., Url], examples: Declarations
) -> None:
    if server.major < 15:
        pytest.skip("the examples need PostgreSQL 15")
    fingerprints = set()
    for seed in range(3):
        names = [f"{number:02}" for number in range(len(examples.files))]
        random.Random(seed).shuffle(names)
        renamed = [replace(file, path=name) for file, name in zip(examples.files, names, strict=True)]
        with connect(database()) as session:
            load(session, renamed)
            fingerprints.add(snapshot.read(session, Scope()).fingerprint)
            session.execute(
                f"drop owned by {', '.join(ident(r) for r in sorted(roles_named(renamed)))} cascade".encode()
            )
    assert len(fingerprints) == 1


def test_the_hints_of_the_examples_are_read(examples: Declarations) -> None:
    renames = {(rename.kind, str(rename.old), str(rename.new)) for rename in examples.renames}
    assert renames >= {
        ("column", "public.invoices.amount", "public.invoices.cents"),
        ("table", "public.clients", "public.customers"),
        ("column", "public.customers.name", "public.customers.full_name"),
        ("enum_value", "public.customer_state.lost", "public.customer_state.gone"),
        ("schema", "books", "ledger"),
        ("function", "ledger.twice(integer)", "ledger.double(integer)"),
    }
    renamable = {"schema", "enum", "enum_value", "attribute", "domain_constraint", "table", "column", "constraint", "index",
                 "statistics", "rule", "function"}  # fmt: skip
    assert {kind for kind, _, _ in renames} == renamable
    assert {str(column) for column in examples.fills} == {
        "public.invoices.cents",
        "public.invoices.due_on",
        "public.customers.country",
    }
    designs = {design.trigger.part: design for design in examples.designs if design.invariants}
    assert {name: design.on_error for name, design in designs.items()} == {
        "payments_audit": "raise",
        "customers_stamp": "raise",
    }
    assert designs["customers_stamp"].invariants[0].query.endswith("where full_name <> trim(full_name)")


def test_every_key_has_an_example() -> None:
    text = REFERENCE.read_text()
    keys: set[str] = set()

    def collect(node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            collect(value)
        if isinstance(node, dict):
            keys.update(node.get("properties", {}))

    collect(json_schema())
    assert [key for key in sorted(keys) if not re.search(rf"(?<![\w.]){key}:|`{key}`", text)] == []
