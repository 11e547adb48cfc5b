"""Pieces of SQL that the kinds' queries share: who owns it, who may use it, what is said about it.

Every piece is a scalar expression without OIDs in its value, the same on every server. Sources: PostgreSQL manual, chapter 53
"System Catalogs", and section 9.27.2 for aclexplode() and acldefault().
The pieces use the aliases d, e, i, l, w and x inside: a query that hands them its own columns calls its tables otherwise.
"""

from __future__ import annotations

from reconciler.catalog.scope import OUR_TRIGGERS, OURS, Scope
from reconciler.pg import literal

COLUMNS = (
    "classid, objid, subid, schema, name, part, parent_class, parent_oid, parent_sub, position, attributes"
)
"""What every kind's query returns, in this order; `attributes` is a JSON object as text, always the same for the same object."""


def acl(column: str, kind: str, owner: str) -> str:
    """An access list as {grantee: [privilege, …]}; null when it is what a new object has by itself.

    The owner's key is '' (so that a new owner is one difference, not two) and PUBLIC's is 'public', a name no role can
    have. A trailing * marks the grant option. `kind` is acldefault()'s letter.
    """
    default = f"pg_catalog.acldefault({kind!r}, {owner})"
    return f"case when {column} is not null then nullif({expanded(column, owner)}, {expanded(default, owner)}) end"


def column_acl(column: str, owner: str) -> str:
    """The same for columns, which have no access list of their own until somebody grants on one."""
    return f"case when {column} is not null then nullif({expanded(column, owner)}, '{{}}') end"


def expanded(acl: str, owner: str) -> str:
    return (
        "(select coalesce(pg_catalog.jsonb_object_agg(w.who, w.privileges), '{}') from (select x.who,"
        " pg_catalog.jsonb_agg(x.privilege order by x.privilege) as privileges from (select"
        f" case when e.grantee = {owner} then '' when e.grantee = 0 then 'public'"
        " else pg_catalog.pg_get_userbyid(e.grantee) end as who,"
        " e.privilege_type || case when pg_catalog.bool_or(e.is_grantable) then '*' else '' end as privilege"
        f" from pg_catalog.aclexplode({acl}) as e group by e.grantee, e.privilege_type) as x group by x.who) as w)"
    )


def comment(catalog: str, oid: str, sub: str = "0") -> str:
    return (
        "(select d.description from pg_catalog.pg_description as d where d.classoid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass and d.objoid = {oid} and d.objsubid = {sub})"
    )


def labels(catalog: str, oid: str, sub: str = "0") -> str:
    """Security labels as {provider: label}; null when there are none. Whether there is any at all is asked once a query."""
    return (
        "case when (select exists (select from pg_catalog.pg_seclabel)) then (select"
        " pg_catalog.jsonb_object_agg(l.provider, l.label) from pg_catalog.pg_seclabel as l where l.classoid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass and l.objoid = {oid} and l.objsubid = {sub}) end"
    )


def extensions(catalog: str, oid: str) -> str:
    """The extensions it was tied to by ALTER … DEPENDS ON EXTENSION, with which it goes; null when there are none."""
    return (
        "case when (select exists (select from pg_catalog.pg_depend as u where u.refclassid ="
        " 'pg_catalog.pg_extension'::pg_catalog.regclass and u.deptype = 'x')) then"
        " (select pg_catalog.jsonb_agg(x.extname order by x.extname) from pg_catalog.pg_depend as tie join"
        " pg_catalog.pg_extension as x on x.oid = tie.refobjid where tie.deptype = 'x' and tie.classid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass and tie.objid = {oid} and tie.refclassid ="
        " 'pg_catalog.pg_extension'::pg_catalog.regclass) end"
    )


def owner(column: str) -> str:
    return f"pg_catalog.pg_get_userbyid({column})"


def common(catalog: str, row: str, prefix: str, kind: str = "") -> dict[str, str]:
    """The attributes that most kinds have: owner, comment, labels, and with acldefault()'s letter `kind` the access list.

    `row` is the alias of the catalog's row, `prefix` what its columns begin with (`rel` for `relowner` and `relacl`).
    """
    own, oid = f"{row}.{prefix}owner", f"{row}.oid"
    found = {"owner": owner(own), "comment": comment(catalog, oid), "labels": labels(catalog, oid)}
    return {**found, "acl": acl(f"{row}.{prefix}acl", kind, own)} if kind else found


def not_ours(trigger: str) -> str:
    """The condition that a row of pg_trigger is not a trigger of an apply that is under way, or was interrupted."""
    return (
        f"not ({trigger}.tgname ~ {literal(OUR_TRIGGERS)} and {trigger}.tgfoid in (select x.oid from pg_catalog.pg_proc as x join"
        " pg_catalog.pg_namespace as w on w.oid = x.pronamespace where w.nspname in"
        f" ({', '.join(map(literal, sorted(OURS)))})))"
    )


def no_member(catalog: str, oid: str) -> str:
    """True for objects that no extension brought along: a member belongs to its extension's version, not to us.

    NOT IN, because PostgreSQL then gathers the members once, instead of asking for each object.
    """
    return (
        f"{oid} not in (select e.objid from pg_catalog.pg_depend as e where e.refclassid ="
        " 'pg_catalog.pg_extension'::pg_catalog.regclass and e.deptype = 'e' and e.classid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass)"
    )


def attributes(**pairs: str) -> str:
    """A JSON object, as text, without its nulls: an absent attribute is the default.

    Text put together costs PostgreSQL a fifth of what a jsonb costs that is built, stripped and printed.
    """
    inner = ", ".join(f"'\"{key}\": ' || pg_catalog.to_json({value})::text" for key, value in pairs.items())
    return f"'{{' || pg_catalog.concat_ws(', ', {inner}) || '}}'"


def select(
    catalog: str,
    oid: str,
    *,
    name: str,
    attributes: str,
    source: str,
    schema: str = "''",
    part: str = "''",
    sub: str = "0",
    parent: tuple[str, str, str] | None = None,
    position: str = "0",
) -> str:
    """The query of a kind. `parent` is (catalog, oid, subid) of the object this one is a part of."""
    if parent:
        parent_class = f"'pg_catalog.{parent[0]}'::pg_catalog.regclass::pg_catalog.oid"
        parent_oid, parent_sub = parent[1], parent[2]
    else:
        parent_class, parent_oid, parent_sub = "null::pg_catalog.oid", "null::pg_catalog.oid", "0"
    return (
        f"select 'pg_catalog.{catalog}'::pg_catalog.regclass::pg_catalog.oid as classid, {oid} as objid,"
        f" {sub}::int as subid, ({schema})::text as schema, ({name})::text as name, ({part})::text as part,"
        f" {parent_class} as parent_class, {parent_oid} as parent_oid, {parent_sub}::int as parent_sub,"
        f" {position}::int as position, {attributes} as attributes from {source}"
    )


def in_scope(scope: Scope, namespace: str = "n") -> str:
    return scope.sql(f"{namespace}.nspname")


def in_scope_or_lent(scope: Scope, also: str = "true") -> str:
    """The same, or put on a table that is lent, where `also` holds."""
    return f"({in_scope(scope)} or {scope.lends('n.nspname')} and {also})"


HERE = "(select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())"
"""The OID of this database: subscriptions and some settings are kept for the whole server."""


def outside(scope: Scope) -> str:
    """The condition for objects that live in no schema."""
    return "true" if scope.outside else "false"


def no_part(catalog: str, oid: str) -> str:
    """True for objects that PostgreSQL did not make as an internal part of another one (pg_depend's deptype `i`)."""
    return (
        "not exists (select from pg_catalog.pg_depend as i where i.classid ="
        f" 'pg_catalog.{catalog}'::pg_catalog.regclass and i.objid = {oid} and i.deptype = 'i')"
    )


def cluster(scope: Scope) -> str:
    """The condition for what belongs to the whole server."""
    return "true" if scope.cluster else "false"
