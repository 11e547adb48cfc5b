"""Every rule has its words and its example; its example, bad, triggers it and what it names, and, good, does not.

The examples run in one database that looks like a Supabase project without its default privileges, each in a transaction
that is rolled back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from reconciler.audit import rules
from reconciler.audit.report.remedy import mechanical
from reconciler.audit.rules import examples, reference
from reconciler.catalog.scope import Scope
from reconciler.embedded import Server
from reconciler.model import Finding, ObjectId
from reconciler.pg import connect, ident
from reconciler.platforms import managed_schemas, prelude
from reconciler.shadow.tenants import tenancy

STATIC = sorted(id for id, rule in rules.RULES.items() if rule.check is not None)
SCOPE = Scope(hidden=managed_schemas("supabase"))


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[psycopg.Connection]:
    name = f"rules_{os.getpid()}"
    with connect(server.url) as admin:
        admin.execute(f"create database {ident(name)} template template0")
        try:
            with connect(server.url.with_database(name)) as session:
                session.execute(prelude("supabase"))
                # What the platform grants on every new object would stand in every example.
                for on in ("tables", "sequences", "functions"):
                    session.execute(
                        f"alter default privileges in schema public revoke all on {on} from anon, authenticated, service_role"
                    )
                session.execute("revoke create on schema public from public")
                yield session
        finally:
            admin.execute(f"drop database if exists {ident(name)} with (force)")


def findings(session: psycopg.Connection) -> tuple[Finding, ...]:
    whose = tenancy.read(session, tenant_column="org_id", declared={})
    return rules.check(session, whose, platform="supabase", schemas=SCOPE)


@contextmanager
def loaded(session: psycopg.Connection, sql: str) -> Iterator[tuple[Finding, ...]]:
    """What the rules say about it, while it is there."""
    with session.transaction(force_rollback=True):
        # Which extensions there are depends on who built the server.
        known = session.execute("select 1 from pg_available_extensions where name = 'vector'").fetchone()
        session.execute(sql if known else sql.replace("extension vector", "extension citext"))
        yield findings(session)


def by_rule(found: tuple[Finding, ...]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for finding in found:
        said.setdefault(finding.rule, []).append(finding.says)
    return said


@pytest.mark.parametrize("id", STATIC)
def test_the_bad_example_triggers_the_rule_and_its_remedy_cures(id: str, shared: psycopg.Connection) -> None:
    example = examples.example(id)
    assert example is not None, f"tests/audit/cases/{id}/ lacks bad.sql or good.sql"
    with loaded(shared, example.bad) as found:
        said = by_rule(found)
        assert set(said) == {id, *example.also}, said
        for finding in (one for one in found if one.rule == id and mechanical(one)):
            with shared.transaction(force_rollback=True):
                shared.execute(mechanical(finding))
                assert finding.key not in {one.key for one in findings(shared)}, finding.remedy


@pytest.mark.parametrize("id", STATIC)
def test_the_good_example_does_not_trigger_it(id: str, shared: psycopg.Connection) -> None:
    example = examples.example(id)
    assert example is not None, f"tests/audit/cases/{id}/ lacks bad.sql or good.sql"
    with loaded(shared, example.good) as found:
        said = by_rule(found)
        assert id not in said, said


@pytest.mark.parametrize("id", sorted(rules.RULES))
def test_a_rule_answers_every_question(id: str) -> None:
    rule = rules.RULES[id]
    assert rule.id == id
    assert re.fullmatch(r"[A-Z]{2,5}[0-9]{3}", id)
    for words in (rule.title, rule.condition, rule.consequence, rule.remedy):
        assert len(words) > 15, words
    assert rule.condition.endswith(".")
    assert rule.consequence.endswith(".")
    assert rule.check is None or rule.severity in ("warning", "info"), "only an attack makes an error"
    assert not mechanical(Finding(id, rule.severity, ObjectId("table", "", "t"), "", remedy=rule.remedy)), (
        "words, not SQL"
    )
    assert all(
        re.fullmatch(r"splinter \d{4}|pgrls [A-Z]+\d{3}|manual: .+", reference)
        for reference in rule.references
    )


def test_every_example_is_that_of_a_rule() -> None:
    assert {place.name for place in examples.folder().iterdir()} <= set(rules.RULES)


def test_the_reference_is_current() -> None:
    assert {reference.family(id) for id in rules.RULES} <= set(reference.FAMILIES)
    current = reference.FILE.read_text(encoding="utf-8") == reference.markdown(rules.RULES)
    assert current, "write it anew: python -m reconciler.audit.rules.reference"
