"""Grants on what PostgreSQL or an extension brought, where they are no longer as they were brought.

Such an object is no fact itself, but who may use it is the user's decision, and pg_dump prints it. What was brought stands in
pg_init_privs (manual, chapter 53.30); what ALTER DEFAULT PRIVILEGES added while an extension was created counts as brought
too, since it depends on who created the extension and when. Named by the words after GRANT … ON.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def _brought(
    scope: Scope, sub: int, catalog: str, prefix: str, letter: str, on: str, target: str, *, rows: str = "true",
    schema: str = "", default: str = "",
) -> str:  # fmt: skip
    """Objects of one catalog whose access list is not the one they came with. `sub` keeps the catalogs apart, `default`
    is the letter of ALTER DEFAULT PRIVILEGES. 11 is pg_catalog's OID, everywhere."""
    acl, owner = f"o.{prefix}acl", f"o.{prefix}owner"
    built_in = f"pg_catalog.acldefault({letter!r}, {owner})"
    usual = built_in
    if default:
        entry = (
            f"(select d.defaclacl from pg_catalog.pg_default_acl as d where d.defaclrole = {owner}"
            f" and d.defaclobjtype = {default!r} and d.defaclnamespace = "
        )
        usual = f"coalesce({entry}0), {built_in}) || coalesce({entry}{f'o.{schema}' if schema else 'null'}), '{{}}')"
    space = f" join pg_catalog.pg_namespace as n on n.oid = o.{schema}" if schema else ""
    member = r.in_scope(scope) if schema else r.outside(scope)
    # pg_dump passes over information_schema, and so does this.
    builtin = f"o.{schema} = 11" if schema else "o.oid = 11" if catalog == "pg_namespace" else "o.oid < 16384"
    return (
        f"select {sub} as sub, o.oid, {target} as target, {on!r} as class, null as relation, null as name,"
        f" {owner} as owner, coalesce({acl}, {built_in}) as acl, coalesce(p.initprivs, {built_in}) as initial,"
        f" case when m.refobjid is not null then {usual} else coalesce(p.initprivs, {built_in}) end as usual, m.refobjid as extension from pg_catalog.{catalog} as o{space}"
        " left join pg_catalog.pg_init_privs as p on p.classoid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass and p.objoid = o.oid and p.objsubid = 0 left join"
        f" pg_catalog.pg_depend as m on m.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass and m.objid = o.oid"
        f" and m.deptype = 'e' where {acl} is not null and {acl} is distinct from p.initprivs and {rows} and case when m.refobjid is not null"
        f" then {member} else o.oid < 16384 and {builtin} and {r.outside(scope)} end"
    )


def _columns(scope: Scope) -> str:
    return (
        "select 100 + a.attnum, c.oid, 'column ' || c.oid::pg_catalog.regclass || '.' ||"
        " pg_catalog.quote_ident(a.attname), 'column', c.oid::pg_catalog.regclass::text, a.attname::text, c.relowner,"
        " a.attacl, p.initprivs, p.initprivs, m.refobjid"
        " from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace left join pg_catalog.pg_init_privs as p on p.classoid"
        " = 'pg_catalog.pg_class'::pg_catalog.regclass and p.objoid = c.oid and p.objsubid = a.attnum left join"
        " pg_catalog.pg_depend as m on m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and m.objid = c.oid and"
        " m.deptype = 'e' where a.attacl is not null and a.attacl is distinct from p.initprivs and not a.attisdropped and case when m.refobjid"
        f" is not null then {r.in_scope(scope)} else c.oid < 16384 and n.oid = 11 and {r.outside(scope)} end"
    )


def read(scope: Scope, major: int) -> str:
    relation = "o.oid::pg_catalog.regclass"
    found = " union all ".join(
        [
            _brought(scope, 1, "pg_class", "rel", "r", "table", f"'table ' || {relation}", schema="relnamespace",
                     rows="o.relkind in ('r', 'v', 'm', 'f', 'p')", default="r"),
            _brought(scope, 1, "pg_class", "rel", "s", "sequence", f"'sequence ' || {relation}",
                     schema="relnamespace", rows="o.relkind = 'S'", default="S"),
            _brought(scope, 2, "pg_proc", "pro", "f", "function", "'routine ' || o.oid::pg_catalog.regprocedure",
                     schema="pronamespace", default="f"),
            _brought(scope, 3, "pg_type", "typ", "T", "type", "'type ' || o.oid::pg_catalog.regtype",
                     schema="typnamespace", default="T"),
            _brought(scope, 4, "pg_namespace", "nsp", "n", "schema",
                     "'schema ' || pg_catalog.quote_ident(o.nspname)", default="n"),
            _brought(scope, 5, "pg_language", "lan", "l", "language",
                     "'language ' || pg_catalog.quote_ident(o.lanname)"),
            _brought(scope, 6, "pg_foreign_data_wrapper", "fdw", "F", "foreign data wrapper",
                     "'foreign data wrapper ' || pg_catalog.quote_ident(o.fdwname)"),
            _brought(scope, 7, "pg_foreign_server", "srv", "S", "foreign server",
                     "'foreign server ' || pg_catalog.quote_ident(o.srvname)"),
            _columns(scope),
        ]
    )  # fmt: skip
    acl, initial, usual = (r.expanded(f"y.{column}", "y.owner") for column in ("acl", "initial", "usual"))
    return r.select(
        "pg_init_privs",
        "y.oid",
        sub="y.sub",
        name="y.target",
        parent=("pg_extension", "y.extension", "0"),
        attributes=r.attributes(
            on="y.class",
            relation="y.relation",
            column="y.name",
            owner=r.owner("y.owner"),
            acl=f"nullif({acl}, '{{}}')",
            initial=f"nullif({initial}, '{{}}')",
        ),
        # OFFSET keeps PostgreSQL from planning the three lists anew for each of the catalogs.
        source=f"({found} offset 0) as y where {acl} <> {initial} and {acl} <> {usual}",
    )


def _target(fact: Fact) -> str:
    return f"table {fact['relation']}" if fact["on"] == "column" else fact.id.name


def _written(fact: Fact, key: str) -> w.Acl:
    """The access list; for a column with its name after each privilege: `select (a)`."""
    acl: w.Acl = fact[key] or {}
    if fact["on"] != "column":
        return acl
    column = f" ({ident(fact['column'])})"
    return {
        who: [p.rstrip("*") + column + ("*" if p.endswith("*") else "") for p in privileges]
        for who, privileges in acl.items()
    }


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    have, want, target = _written(fact, "initial"), _written(fact, "acl"), _target(fact)
    strangers = None if fact["on"] == "column" else w.default_grantees(context, w.LETTERS.get(fact["on"], ""))
    if strangers is None:
        return w.granted(fact, have, want, target)
    # An extension created by this plan may have been met by default privileges: start from nothing.
    everyone = sorted({*strangers, *have, *want} - {""}, key=lambda who: (who != "public", who))
    who = ", ".join(["public" if name == "public" else ident(name) for name in [*everyone, fact["owner"]]])
    reset = w.say(f"revoke all on {target} from {who}", f"{fact.id.name}: only what is declared", fact.id)
    return [reset, *w.granted(fact, {}, want, target, fresh=True)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return w.granted(fact, _written(fact, "acl"), _written(fact, "initial"), _target(fact))


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(tuple(w.granted(new, _written(old, "acl"), _written(new, "acl"), _target(new))))


KIND = Kind("builtin_privilege", read, create, drop, alter)
