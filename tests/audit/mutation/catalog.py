"""What the operators need to know of a schema, asked of PostgreSQL's own views. A reading of its own: it shares nothing with the audit."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from reconciler.pg import ident

PLATFORM = ("auth", "extensions", "realtime", "storage")
"""Schemas of Supabase: nobody declares what is in them, so nothing in them is broken or looked at."""
_NOT_OURS = ", ".join(f"'{name}'" for name in ("information_schema", *PLATFORM))
SCHEMAS = f"n.nspname !~ '^pg_' and n.nspname not in ({_NOT_OURS})"


@dataclass(frozen=True, slots=True)
class Policy:
    table: str
    name: str
    permissive: bool
    roles: str
    command: str
    using: str
    check: str

    @property
    def on(self) -> str:
        return f"{self.name} on {self.table}"

    def create(
        self, *, using: str = "", check: str = "", permissive: bool | None = None, roles: str = ""
    ) -> str:
        """The statements that make it anew, with these instead of its own."""
        kind = "permissive" if (self.permissive if permissive is None else permissive) else "restrictive"
        using, check = using or self.using, check or self.check
        parts = [
            f"create policy {self.name} on {self.table} as {kind} for {self.command} to {roles or self.roles}"
        ]
        parts += [f"using ({using})"] if using else []
        parts += [f"with check ({check})"] if check else []
        return f"drop policy {self.name} on {self.table}; {' '.join(parts)};"


@dataclass(frozen=True, slots=True)
class Table:
    """`granted` are the roles, without the owner's and the unbound, that may do something; `columns` in order, with their types;
    `references` are its foreign keys as PostgreSQL prints them."""

    name: str
    kind: str
    rls: bool
    forced: bool
    partition: bool
    columns: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    references: tuple[str, ...]
    granted: dict[str, tuple[str, ...]]

    def text_columns(self) -> list[str]:
        return [name for name, type in self.columns if type == "text"]


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    definition: str
    body: str
    definer: bool
    pinned: bool
    volatility: str
    trigger: bool
    language: str
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    tables: tuple[Table, ...]
    policies: tuple[Policy, ...]
    functions: tuple[Function, ...]
    roles: tuple[str, ...]
    keys: tuple[tuple[str, str, str], ...]
    """Foreign keys of two columns and more: table, name, definition."""
    uniques: tuple[tuple[str, str, str], ...]
    indexes: tuple[tuple[str, str, str], ...]
    """Table, index, its first column, where no other index begins with it."""
    triggers: tuple[tuple[str, str, str], ...]
    """Table, name, function."""

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


def read(session: psycopg.Connection) -> Schema:
    session.execute("set search_path = ''")

    def asked(sql: str) -> list[tuple]:
        return session.execute(sql).fetchall()

    roles = [
        r for (r,) in asked(
            "select distinct r.rolname::text from pg_policy as p cross join unnest(p.polroles) as u(oid) join pg_roles as r on r.oid = u.oid"
            " where not r.rolbypassrls and not r.rolsuper order by 1"
        )
    ]  # fmt: skip
    tables = []
    for schema, name, kind, rls, forced, partition, options, references, oid in asked(
        "select n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, coalesce(c.reloptions, '{}'),"
        " array(select pg_get_constraintdef(f.oid) from pg_constraint as f where f.conrelid = c.oid and f.contype = 'f' and f.conparentid = 0"
        " order by f.conname), c.oid from pg_class as c"
        f" join pg_namespace as n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm') and {SCHEMAS} order by 1, 2"
    ):
        columns = session.execute(
            "select a.attname::text, format_type(a.atttypid, a.atttypmod) from pg_attribute as a where a.attrelid = %s and a.attnum > 0"
            " and not a.attisdropped order by a.attnum", (oid,),
        ).fetchall()  # fmt: skip
        granted: dict[str, list[str]] = {}
        for role in roles:
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                may = session.execute(
                    "select has_table_privilege(%s, %s::oid, %s)", (role, oid, privilege)
                ).fetchone()
                if may and may[0]:
                    granted.setdefault(role, []).append(privilege)
        tables.append(
            Table(
                ident(schema, name),
                kind,
                rls,
                forced,
                partition,
                tuple(columns),
                tuple(options),
                tuple(references),
                {role: tuple(found) for role, found in granted.items()},
            )
        )
    policies = tuple(
        Policy(
            ident(schema, table),
            ident(name),
            permissive == "PERMISSIVE",
            ", ".join(to if to == "public" else ident(to) for to in roles_),
            command.lower(),
            using or "",
            check or "",
        )
        for schema, table, name, permissive, roles_, command, using, check in asked(
            "select schemaname, tablename, policyname, permissive, roles::text[], cmd, qual, with_check from pg_policies as p"
            f" where schemaname not in ({_NOT_OURS}) order by 1, 2, 3"
        )
    )
    functions = tuple(
        Function(
            str(signature), definition, body, definer, bool(config) and any(c.startswith("search_path") for c in config), volatility, returns == "trigger", language,
            tuple(role for role in roles if session.execute("select has_function_privilege(%s, %s::oid, 'execute')", (role, oid)).fetchone()[0]),  # type: ignore[index]
        )
        for oid, signature, definition, body, definer, config, volatility, returns, language in asked(
            "select p.oid, p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.prosrc, p.prosecdef, p.proconfig, p.provolatile::text, p.prorettype::regtype::text, l.lanname::text"
            f" from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace join pg_language as l on l.oid = p.prolang where p.prokind = 'f' and {SCHEMAS} order by 2"
        )
    )  # fmt: skip
    keys = asked(
        "select c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid) from pg_constraint as c join pg_class as r on r.oid = c.conrelid"
        f" join pg_namespace as n on n.oid = r.relnamespace where c.contype = 'f' and cardinality(c.conkey) > 1 and c.conparentid = 0 and {SCHEMAS} order by 1, 2"
    )
    uniques = asked(
        "select c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid) from pg_constraint as c join pg_class as r on r.oid = c.conrelid"
        f" join pg_namespace as n on n.oid = r.relnamespace where c.contype = 'u' and cardinality(c.conkey) > 1 and {SCHEMAS}"
        " and not exists (select from pg_constraint as f where f.contype = 'f' and f.conindid = c.conindid) order by 1, 2"
    )
    indexes = asked(
        "select i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname::text from pg_index as i join pg_class as r on r.oid = i.indrelid"
        " join pg_attribute as a on a.attrelid = r.oid and a.attnum = i.indkey[0]"
        f" join pg_namespace as n on n.oid = r.relnamespace where not i.indisunique and r.relkind = 'r' and {SCHEMAS} and not exists (select from"
        " pg_index as o where o.indrelid = i.indrelid and o.indexrelid <> i.indexrelid and o.indkey[0] = i.indkey[0]) order by 1, 2"
    )
    triggers = asked(
        "select t.tgrelid::regclass::text, quote_ident(t.tgname), t.tgfoid::regproc::text from pg_trigger as t join pg_class as r on r.oid = t.tgrelid"
        f" join pg_namespace as n on n.oid = r.relnamespace where not t.tgisinternal and t.tgparentid = 0 and {SCHEMAS} order by 1, 2"
    )
    return Schema(
        tuple(tables),
        policies,
        functions,
        tuple(roles),
        tuple(keys),
        tuple(uniques),
        tuple(indexes),
        tuple(triggers),
    )
