"""Two sign-ups of one company at once: no schedule at any level comes to what no order of them can; each of five ways to break it is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from labscene import SCHEMA, Scene

from reconciler.lab.explore import Limits, follow
from reconciler.lab.material import begins
from reconciler.lab.race import Kind, explored, track
from reconciler.lab.values import LEVELS, Actor, Isolation, Race
from reconciler.pg import connect, literal

ALL = Limits(schedules=2000, preemptions=30)
HEADERS = """set local "request.headers" to '{"x-webhook-secret": "s3cret"}'"""
TWICE = 20


def signs_up(scene: Scene, name: str, ein: str = "") -> Actor:
    """A member asks for the company."""
    sql = f"select public.resolve_company({scene.org}, {literal(name)}, {literal(ein) if ein else 'null'})"
    return Actor(name, (sql,), begins(scene.identity("member of A")))


def sends(scene: Scene, external: str, name: str, ein: str = "") -> Actor:
    """The webhook delivers a submission."""
    payload = literal(json.dumps({"legal_name": name} | ({"ein": ein} if ein else {})))
    sql = f"select * from public.intake_submission({scene.org}, {literal(external)}, {payload})"
    return Actor(external, (sql,), (*begins(scene.identity("service_role")), HEADERS))


def pairs(scene: Scene) -> Mapping[str, tuple[Actor, Actor]]:
    return {
        "one name, two spellings": (signs_up(scene, "Acme LLC"), signs_up(scene, "acme, llc")),
        "one EIN, two names": (
            signs_up(scene, "Acme LLC", "12-3456789"),
            signs_up(scene, "Acme Holding", "123456789"),
        ),
        "one name, with EIN and without": (
            signs_up(scene, "Acme LLC", "123456789"),
            signs_up(scene, "Acme LLC"),
        ),
        "one name, two EINs": (
            signs_up(scene, "Acme LLC", "123456789"),
            signs_up(scene, "Acme LLC", "987654321"),
        ),
        "two submissions of one company": (
            sends(scene, "e1", "Acme LLC", "123456789"),
            sends(scene, "e2", "Acme LLC", "123456789"),
        ),
        "one submission twice": (sends(scene, "e1", "Acme LLC"), sends(scene, "e1", "Acme LLC")),
        "a submission and a member": (
            sends(scene, "e1", "Acme LLC", "123456789"),
            signs_up(scene, "Acme LLC"),
        ),
    }


NAMES = (
    "one name, two spellings",
    "one EIN, two names",
    "one name, with EIN and without",
    "one name, two EINs",
    "two submissions of one company",
    "one submission twice",
    "a submission and a member",
)
LONG = ("two submissions of one company", "one submission twice", "a submission and a member")


def invariants(scene: Scene) -> dict[str, str]:
    return {f"{d.trigger} {one.name}": one.query for d in scene.subject.designs for one in d.invariants}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.races) if name in LONG else name for name in NAMES]
)
def test_no_schedule_of_two_sign_ups_is_an_anomaly(scene: Scene, name: str, level: Isolation) -> None:
    assert tuple(pairs(scene)) == NAMES
    with scene.subject.shadow.copy(scene.world.both) as database:
        found = explored(database, Race(name, pairs(scene)[name], level, invariants(scene)), limits=ALL)
    assert found.left == 0 and len(found.judged) >= 14
    assert {judged.kind for judged in found.judged} <= {"serial", "retry"}, found.worst
    assert found.count("serial") >= 2  # at least one after another, both ways
    if level == "read committed":
        assert found.count("retry") == 0


def function(name: str, *changes: tuple[str, str]) -> str:
    """A declared function with changes, each of which must apply."""
    text = (SCHEMA / "functions" / f"{name}.sql").read_text().split("revoke all")[0]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.replace("create function", "create or replace function", 1)


COUNTER = """
alter table public.organisations add column companies integer not null default 0;
create function private.count_companies() returns trigger language plpgsql security definer set search_path = '' as $$
declare v integer;
begin
  {body}
  return null;
end $$;
create trigger count_companies after insert on public.companies for each row execute function private.count_companies();
"""
MERGE = """
create table public.mergers (org_id uuid not null, kept uuid not null, gone uuid not null);
grant insert on public.mergers to service_role;
create function private.merge() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.companies set updated_at = now() where id = new.kept;
  update public.companies set updated_at = now() where id = new.gone;
  return new;
end $$;
create trigger merge before insert on public.mergers for each row execute function private.merge();
"""
LAST_ADMIN = """
create function private.keep_an_admin() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if old.role = 'admin' then
    perform from public.members where org_id = old.org_id and role = 'admin' and user_id <> old.user_id{lock};
    if not found then
      raise exception 'an organisation needs an administrator' using errcode = '23514';
    end if;
  end if;
  return old;
end $$;
create trigger keep_an_admin before delete on public.members for each row execute function private.keep_an_admin();
update public.members set role = 'admin' where ctid in (select ctid from public.members where org_id = {org} order by user_id limit 2);
update public.members set role = 'member' where org_id = {org} and ctid not in (
  select ctid from public.members where org_id = {org} order by role = 'admin' desc, user_id limit 2);
"""


@dataclass(frozen=True)
class Fault:
    """SQL that breaks ClearScrub, what is then found at `level`, and between whom (by default two sign-ups of a name)."""

    breaks: str
    kind: Kind
    level: Isolation = "read committed"
    pair: str = "one name, two spellings"
    statements: tuple[str, str] | None = None
    says: str = ""


FAULTS = {
    "no unique index": Fault(
        "alter table public.companies drop constraint companies_org_id_normalised_name_key;"
        "alter table public.companies drop constraint companies_org_id_ein_key;",
        "anomaly",
    ),
    "select, then insert": Fault(
        function("resolve_company", ("      on conflict do nothing\n", "")), "failure", says="23505"
    ),
    "locks in another order": Fault(
        MERGE,
        "deadlock",
        statements=(
            "insert into public.mergers select c.org_id, min(c.id::text)::uuid, max(c.id::text)::uuid from public.companies as c where c.org_id = {org} group by 1",
            "insert into public.mergers select c.org_id, max(c.id::text)::uuid, min(c.id::text)::uuid from public.companies as c where c.org_id = {org} group by 1",
        ),
        says="waits for a row of public.companies",
    ),
    "FOR UPDATE is missing": Fault(
        LAST_ADMIN.replace("{lock}", ""),
        "anomaly",
        statements=(
            "delete from public.members where org_id = {org} and user_id = (select user_id from public.members where org_id = {org} and role = 'admin' order by 1 limit 1)",
            "delete from public.members where org_id = {org} and user_id = (select user_id from public.members where org_id = {org} and role = 'admin' order by 1 desc limit 1)",
        ),
    ),
    "a lost update": Fault(
        COUNTER.format(
            body="select companies into v from public.organisations where org_id = new.org_id;"
            " update public.organisations set companies = v + 1 where org_id = new.org_id;"
        ),
        "anomaly",
        pair="two companies",
    ),
}


AGAIN = ("FOR UPDATE is missing",)
"""What takes long, or is found in another schema, too."""


def race(scene: Scene, fault: Fault) -> Race:
    if fault.statements is not None:
        first = begins(scene.identity("service_role"))
        actors = tuple(
            Actor(f"session {n}", (sql.replace("{org}", scene.org),), first)
            for n, sql in enumerate(fault.statements, start=1)
        )
    elif fault.pair == "two companies":
        actors = (signs_up(scene, "Acme LLC"), signs_up(scene, "Bolt LLC"))
    else:
        actors = pairs(scene)[fault.pair]
    return Race("broken", actors, fault.level, invariants(scene))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.races) if n in AGAIN else n for n in FAULTS]
)
def test_a_broken_form_is_found_and_replays(scene: Scene, name: str) -> None:
    fault = FAULTS[name]
    wanted = race(scene, fault)
    with scene.subject.shadow.copy(scene.world.both) as broken:
        with connect(broken) as session:
            session.execute(fault.breaks.replace("{org}", scene.org))
        with scene.subject.shadow.copy(broken) as database:
            found = explored(database, wanted, enough=lambda judged: judged.kind == fault.kind)
        assert found.worst.kind == fault.kind, found.worst
        assert fault.says in found.worst.says
        again = []
        with scene.subject.shadow.copy(broken) as database, track(database, wanted) as on:
            for _ in range(TWICE):
                judged = on.judge(on.play(follow([int(digit) - 1 for digit in found.worst.ran.name])))
                again.append((judged.kind, judged.ran.steps))
    assert again == [(fault.kind, found.worst.ran.steps)] * TWICE
