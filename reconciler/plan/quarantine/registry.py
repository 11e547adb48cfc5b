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
UNFINISHED_COPY, UNFINISHED_NOTES = "unfinished_copy", "unfinished_notes"
"""The kinds of what an apply makes for a large table while others write: the copy, and what is noted of what they write."""

LOOKS = f"pg_catalog.to_regclass('{SCHEMA}.kept') is not null"
"""The condition under which a statement looks into the quarantine that can do without one."""

_ALLOWED = "case when pg_catalog.current_setting('server_version_num')::integer < 160000 then 'member' else 'usage, set' end"


def _trusted(owner: str) -> str:
    """Whether this role may be under the power of that one: itself, a superuser, or a role it belongs to. A superuser belongs to every
    role, so that only superusers count there; and before PostgreSQL 16 a role could make others its members, unasked."""
    return (
        "exists (select from pg_catalog.pg_roles as o join pg_catalog.pg_roles as me on me.rolname = current_user"
        f" where o.oid = {owner} and (o.oid = me.oid or o.rolsuper or not me.rolsuper and pg_catalog.pg_has_role(me.oid, o.oid, {_ALLOWED})"
        " and not exists (select from pg_catalog.pg_auth_members as m where m.roleid = o.oid and m.grantor = o.oid)))"
    )


_FOREIGN = (
    f"exists (select from pg_catalog.pg_namespace as n where n.nspname = '{SCHEMA}' and not {_trusted('n.nspowner')})"
    " or exists (select from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
    f" where n.nspname = '{SCHEMA}' and c.relname = 'kept' and not {_trusted('c.relowner')})"
)
_FOREIGN_REFUSED = (
    f"if {_FOREIGN} then raise exception 'schema {SCHEMA} or what is in it belongs to a role that % does not belong to, and"
    " could act in its name', pg_catalog.quote_ident(current_user) using errcode = 'insufficient_privilege',"
    " hint = 'look at what is there; then run this as its owner, or have its owner changed'; end if"
)
_BLIND_REFUSED = f"""declare
  looker pg_catalog.pg_roles;
begin
  -- Whoever may not look would find nothing, and leave empty what was kept.
  select r.* into looker
    from pg_catalog.pg_namespace as n
    join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = 'kept'
    join pg_catalog.pg_roles as r on r.oid = case when pg_catalog.has_schema_privilege(n.oid, 'usage') then c.relowner else n.nspowner end
   where n.nspname = '{SCHEMA}'
     and (not pg_catalog.has_schema_privilege(n.oid, 'usage') or not pg_catalog.has_table_privilege(c.oid, 'select'));
  if found then
    raise exception 'only % may look into schema {SCHEMA}, where dropped data is kept: % would find nothing there',
      pg_catalog.quote_ident(looker.rolname), pg_catalog.quote_ident(current_user)
      using errcode = 'insufficient_privilege', hint = pg_catalog.format('run this as %I', looker.rolname)
        || case when looker.rolsuper or pg_catalog.pg_has_role(looker.oid, 'member') then ''
                else pg_catalog.format(', or let %I look: grant %I to %I;', current_user, looker.rolname, current_user) end;
  end if;
end"""
REFUSED = f"{_FOREIGN_REFUSED};\n{_BLIND_REFUSED}"
"""The PL/pgSQL statements that stand before anything of the quarantine is called or written to: where there is none they do nothing."""

_MADE = f"""do $$
declare
  given record;
  foreign_part text;
begin
  -- An administrator may have made it for this role. What somebody else made, or may change, would run with the rights of this role.
  if exists (select from pg_catalog.pg_namespace where nspname = '{SCHEMA}') then
    {REFUSED};
    select pg_catalog.format('%s has %s on it', case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end,
             a.privilege_type)
      into foreign_part
      from pg_catalog.pg_namespace as n
     cross join lateral pg_catalog.aclexplode(n.nspacl) as a
      left join pg_catalog.pg_roles as r on r.oid = a.grantee
     where n.nspname = '{SCHEMA}'
       and (a.grantee = 0 or not pg_catalog.pg_has_role(a.grantee, n.nspowner, 'member') and not {_trusted("a.grantee")})
     order by 1 limit 1;
    if foreign_part is null then
      select pg_catalog.format('table kept has %s %I', f.what, f.name)
        into foreign_part
        from (select 'trigger' as what, t.tgname as name, t.tgrelid as home from pg_catalog.pg_trigger as t where not t.tgisinternal
              union all select 'rule', r.rulename, r.ev_class from pg_catalog.pg_rewrite as r) as f
        join pg_catalog.pg_class as c on c.oid = f.home and c.relname = 'kept'
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace and n.nspname = '{SCHEMA}'
       order by f.what, f.name limit 1;
    end if;
    if foreign_part is null and {LOOKS} then
      select pg_catalog.format('routine %s belongs to %I', p.oid::pg_catalog.regprocedure, pg_catalog.pg_get_userbyid(p.proowner))
        into foreign_part
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = '{SCHEMA}'
       where not {_trusted("p.proowner")}
         and not exists (select from {SCHEMA}.kept as k where k.kept_as = p.proname)
         and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                          and d.objid = p.oid and d.deptype = 'i')
       order by p.oid limit 1;
    end if;
    if foreign_part is not null then
      raise exception 'schema {SCHEMA} is not for its owner alone: %', foreign_part
        using errcode = 'insufficient_privilege', hint = 'take that away, or let its owner do so, and run this again';
    end if;
    return;
  end if;
  -- Default privileges of the database may grant a new schema to others (manual, ALTER DEFAULT PRIVILEGES): that is taken back.
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
values; or what is not finished of that. `kept_as` is its name here; `names` says what went along (name here → name before). `rows` is PostgreSQL's estimate, null when it
has none. `held` is the reason for which it must not be purged; null means that it may."""


_CALLABLE = (
    f"exists (select from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace where n.nspname = '{SCHEMA}'"
    " and pg_catalog.has_schema_privilege(n.oid, 'usage') and p.proname = '"
)


def if_kept(routine: str, *commands: str) -> str:
    """A DO block of commands that call this routine, and do nothing where nothing was ever kept: then nobody has made it."""
    body = ";\n".join(commands)
    return w.block(REFUSED, f"if {_CALLABLE}{routine}') then\n{body};\nend if")


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
