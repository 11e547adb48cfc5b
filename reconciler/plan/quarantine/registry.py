"""The schema `reconciler_quarantine`: what it holds, who may look, and the routines that move things in and out.

Promises statements that can run in any migration, first or again, and that nobody but the owner of the schema may use it. The
access lists of what is kept stay as they were, so that it comes back exactly; that the schema is closed is what denies access.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.catalog.kinds import writing as w
from reconciler.model import Statement
from reconciler.plan.quarantine.routines import ROUTINES, WAYS_BACK
from reconciler.plan.quarantine.row_routines import ROW_ROUTINES

SCHEMA = "reconciler_quarantine"

_MADE = f"""do $$
declare
  given record;
begin
  -- An administrator may have made it, with its grants: then it stays as it is. Default privileges of the database may grant
  -- a new schema to others (manual, ALTER DEFAULT PRIVILEGES): that is taken back.
  if exists (select from pg_catalog.pg_namespace where nspname = '{SCHEMA}') then
    return;
  end if;
  create schema {SCHEMA};
  comment on schema {SCHEMA} is 'What migrations dropped, until it is purged. Kept by reconciler.';
  for given in
    select distinct case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end as grantee
      from pg_catalog.pg_namespace as n
     cross join lateral pg_catalog.aclexplode(n.nspacl) as a
      left join pg_catalog.pg_roles as r on r.oid = a.grantee
     where n.nspname = '{SCHEMA}' and a.grantee <> n.nspowner
     order by 1
  loop
    execute pg_catalog.format('revoke all on schema {SCHEMA} from %s', given.grantee);
  end loop;
end
$$"""

_KEPT = f"""create table if not exists {SCHEMA}.kept (
  id       bigint generated always as identity primary key,
  tag      text not null,
  kind     text not null,
  schema   text not null,
  name     text not null,
  part     text not null default '',
  kept_as  text not null,
  names    jsonb not null default '{{}}',
  rows     bigint,
  kept_at  timestamptz not null default pg_catalog.now(),
  kept_by  text not null default session_user,
  held     text
)"""
"""`tag` is the plan's, for this object. `kind`, `schema`, `name`, `part` are what was dropped: a table, sequence, column, or
values. `kept_as` is its name here; `names` says what went along (name here → name before). `rows` is PostgreSQL's estimate, null when it
has none. `held` is the reason for which it must not be purged; null means that it may."""


LOOKS = f"pg_catalog.to_regclass('{SCHEMA}.kept') is not null"
"""The condition under which a statement looks into the quarantine that can do without one."""


_CALLABLE = (
    f"exists (select from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace where n.nspname = '{SCHEMA}'"
    " and pg_catalog.has_schema_privilege(n.oid, 'usage') and p.proname = '"
)


def if_kept(routine: str, *commands: str) -> str:
    """A DO block of commands that call this routine, and do nothing where nothing was ever kept: then nobody has made it."""
    return w.guarded(f"{_CALLABLE}{routine}')", *commands)


def gives_back(statement: Statement) -> bool:
    """Whether it does something only where something is kept."""
    return statement.source == "catalog" and (LOOKS in statement.sql or _CALLABLE in statement.sql)


def awake(statements: Iterable[Statement], tags: Iterable[str]) -> tuple[Statement, ...]:
    """The statements without those that would give back what is not kept; `tags` are the ones in the registry."""
    known = tuple(tags)
    return tuple(s for s in statements if not gives_back(s) or any(tag in s.sql for tag in known))


def prelude(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """What these statements need to be there first; nothing when none of them speaks of the quarantine."""
    text = "\n".join(
        statement.sql
        for statement in statements
        if LOOKS not in statement.sql and _CALLABLE not in statement.sql
    )
    if f"{SCHEMA}." not in text:
        return ()
    known = {**ROUTINES, **ROW_ROUTINES}
    wanted: dict[str, str] = {}
    todo = [name for name in known if f"{SCHEMA}.{name}(" in text]
    if any(name in ROW_ROUTINES for name in todo):
        # What gives the values back may be a migration that brings none along.
        todo = [*(name for name in todo if name not in ROW_ROUTINES), *ROW_ROUTINES]
    while todo:
        name = todo.pop()
        wanted[name] = known[name]
        todo += [n for n in WAYS_BACK.get(name, ()) if n not in wanted]
        todo += [n for n in known if n not in wanted and f"{SCHEMA}.{n}(" in known[name]]
    return (
        Statement(_MADE, "where dropped data is kept: nobody but its owner may look"),
        Statement(_KEPT, "what is kept there, and what it was called"),
        *(Statement(wanted[name], f"how it gets there and back: {name}") for name in known if name in wanted),
    )
