"""Each hazard is said of the statement that brings it, and not of its harmless opposite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.catalog import snapshot
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.engine.diff import diff
from reconciler.model import HazardCode
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete

SAFE = """
create function watch() returns trigger language plpgsql as 'begin return new; end';
create function f() returns int language sql set search_path = '' as 'select 1';
create table secured (a int, b text);
alter table secured enable row level security;
alter table secured force row level security;
create policy own on secured using (a = 1);
create policy never on secured as restrictive using (a > 0);
create policy narrow on secured as restrictive for select to public using (a > 0);
create trigger guard before insert on secured for each row execute function watch();
create trigger watcher before insert on secured for each row execute function watch();
create view v with (security_barrier) as select a from secured;
grant select on secured to public;
create table kept (a bigint, n int, long varchar(50), e int);
create sequence s;
create table lost (a int);
create type k as enum ('a', 'b');
create domain d as int;
"""
RISKY = """
create function watch() returns trigger language plpgsql as 'begin return new; end';
create function f() returns int language sql security definer as 'select 1';
create table secured (a int, b text);
create policy own on secured using (a = 2);
create policy narrow on secured as permissive for select to public using (a > 0);
create trigger guard before insert on secured for each row execute function watch();
alter table secured disable trigger guard;
create view v as select a from secured;
create table kept (a int, n int not null, long varchar(10), check (e > 0), e int unique);
create type k as enum ('a');
create domain d as int check (value > 0);
"""
H = HazardCode


def said(before: Url, after: Url) -> dict[str, set[HazardCode]]:
    with connect(before) as one, connect(after) as other:
        old, new = snapshot.read(one), snapshot.read(other)
    found: dict[str, set[HazardCode]] = {}
    for statement in complete(Context(old, new, "postgres")):
        if statement.subject is not None:
            words = f"{statement.subject.kind} {statement.subject}".replace("public.", "")
            found.setdefault(words, set()).update(hazard.code for hazard in statement.hazards)
    return found


def test_what_a_person_must_know(database: Callable[..., Url]) -> None:
    safe, risky = database(), database()
    for url, text in ((safe, SAFE), (risky, RISKY)):
        with connect(url) as session:
            session.execute(text.encode())
    down = said(safe, risky)
    assert {
        words: codes for words, codes in down.items() if words.startswith(("table", "policy", "trigger", "view", "fun"))
    } == {
        "table secured": {H.WEAKENS_ISOLATION, H.REVOKES_ACCESS},
        "table lost": {H.DELETES_DATA},
        "policy secured.own": {H.WEAKENS_ISOLATION},
        "policy secured.never": {H.WEAKENS_ISOLATION},
        "policy secured.narrow": {H.WEAKENS_ISOLATION},
        "trigger secured.guard": {H.WEAKENS_ISOLATION},
        "trigger secured.watcher": {H.WEAKENS_ISOLATION},
        "view v": {H.WEAKENS_ISOLATION},
        "function f()": {H.WEAKENS_ISOLATION},
    }  # fmt: skip
    assert down["sequence s"] == {H.DELETES_DATA}
    assert down["enum k"] == {H.DEPENDS_ON_DATA}
    assert down["domain_constraint d.d_check"] == {H.DEPENDS_ON_DATA}
    assert down["column kept.a"] == {H.LOSSY_CAST, H.REWRITES_TABLE}
    assert down["column kept.long"] == {H.LOSSY_CAST, H.REWRITES_TABLE}
    assert down["column kept.n"] == {H.DEPENDS_ON_DATA, H.SCANS_UNDER_LOCK}
    assert down["constraint kept.kept_e_check"] == {H.DEPENDS_ON_DATA, H.SCANS_UNDER_LOCK}
    up = said(risky, safe)
    assert not any(H.DELETES_DATA in codes or H.REVOKES_ACCESS in codes for codes in up.values())
    for words in ("table secured", "trigger secured.guard", "view v", "function f()", "policy secured.never"):
        assert H.WEAKENS_ISOLATION not in up[words], words
    assert up["column kept.a"] == {H.REWRITES_TABLE}


def test_what_a_new_object_finds_in_old_rows(server: Server, tmp_path: Path) -> None:
    """A new table has no rows to fail on; a new materialized view, and a default partition beside a new one, have."""
    old = "create table t (a int) partition by list (a); create table rest partition of t default;"
    new = (
        f"{old} create table one partition of t for values in (1); create materialized view m as select a from t;"
        " create unique index m_a on m (a); create table k (a int unique);"
    )
    for name, text in (("old", old), ("new", new)):
        (tmp_path / f"{name}.sql").write_text(text)
    plan = diff(str(tmp_path / "old.sql"), str(tmp_path / "new.sql"), where=server.url, use_migra=False).plan
    doubtful = {
        f"{s.subject.kind} {s.subject}"
        for s in plan.up
        if s.subject is not None and any(hazard.code is H.DEPENDS_ON_DATA for hazard in s.hazards)
    }
    assert doubtful == {"index public.m_a", "partition public.one"}
