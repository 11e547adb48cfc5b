"""The page of a real database: what differs side by side, the plan with its rehearsal, the history, what is kept, and a pause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from urllib.request import urlopen

from reconciler.engine import suspending, telling
from reconciler.engine.applying import apply
from reconciler.engine.cycle import observed
from reconciler.engine.document import plan_document
from reconciler.engine.planning import propose
from reconciler.settings import Listen
from reconciler.web import Published, serving

from .conftest import Project

NAME = '"<b>Größe & Co</b>"'
DECLARED = f"""
create table {NAME} (id int primary key, line text);
alter table {NAME} enable row level security;
create policy readers on {NAME} for select using (id > 7);
create function total() returns int language sql as $$
select 1
$$;
"""


def test_everything_is_there(project: Callable[..., Project]) -> None:
    p = project(f"create table {NAME} (id int primary key, old text);")
    apply(p.database)
    p.sql(f"insert into {NAME} values (1, 'x')")
    p.declare(DECLARED)
    apply(p.database, allow={"DELETES_DATA"})
    p.sql(f"drop policy readers on {NAME}; alter function total() rename to totals; create table stray ()")
    p.sql("create function total() returns int language sql as $$\nselect 2\n$$")
    suspending.suspend(p.database, "<i>stop</i>", who="http 192.0.2.1")

    found = observed(p.database)
    made = propose(p.database)
    facts = {**found.status.facts, **telling.facts(p.database, found.seen), "plan": plan_document(made.plan, made.rehearsal)}  # fmt: skip
    status = replace(found.status, facts=json.loads(json.dumps(facts)))
    with serving(Listen("127.0.0.1", 0), lambda: Published((status,))) as server:
        with urlopen(f"{server.url}databases/test") as answer:
            text = answer.read().decode()
        with urlopen(f"{server.url}metrics") as answer:
            metrics = answer.read().decode()

    assert "<b>" not in text and "<i>" not in text
    assert '<tr class="changed"><td><code>select 2</code></td><td><code>select 1</code></td></tr>' in text
    for shown in (
        "&lt;b&gt;Größe &amp; Co&lt;/b&gt;",
        "http 192.0.2.1",
        "&lt;i&gt;stop&lt;/i&gt;",
        "(id &gt; 7)",
        'Rehearsal <span class="badge is-0">passed</span>',
        "<li>up once more: done</li>",
        "create policy",
        "AccessExclusiveLock on",
        "Kept of what was dropped",
        ".old</code>",
        "applied</td>",
        "stray",
    ):
        assert shown in text, shown
    for line in (
        'reconciler_condition{database="test",status="True",type="Suspended"} 1.0',
        'reconciler_drift_objects{change="create",database="test",kind="policy"} 1.0',
        'reconciler_quarantine_objects{database="test"} 1.0',
    ):
        assert line in metrics, line
    assert "stray" not in metrics and "Größe" not in metrics
