"""Rules about roles and what is granted beforehand: who passes by row-level security, who may create, what new tables give away."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach
from reconciler.audit.rules.catalog import COMMANDS, PUBLIC, Catalog, Function, Relation, Role
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident
from reconciler.platforms import roles as platform_roles

_CLASSES = {"r": "tables", "S": "sequences", "f": "functions", "n": "schemas"}


def _defaults(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    nobody = reach.anonymous(catalog.platform)
    brought = frozenset(platform_roles(catalog.platform))
    for entry in catalog.defaults:
        if entry.on not in ("r", "S") or (entry.schema and entry.schema not in catalog.ours):
            continue
        held = reach.granted(entry.grants, *COMMANDS, "truncate", "usage")
        held = {to: p for to, p in held.items() if not reach.is_unbound(catalog, to)}
        # What the platform grants on its own in public is no decision of anybody here.
        if catalog.platform == "supabase" and entry.schema == "public":
            held = {to: p for to, p in held.items() if to not in brought}
        if held:
            where = f" in schema {entry.schema}" if entry.schema else ""
            yield DEFAULTS.finding(
                ObjectId("default_privilege", "", f"{entry.owner}/{entry.schema}/{entry.on}"),
                f"On new {_CLASSES[entry.on]} of {entry.owner}{where}, {reach.words(held)} from the start.",
                remedy=f"alter default privileges for role {ident(entry.owner)}"
                f"{f' in schema {ident(entry.schema)}' if entry.schema else ''}"
                f" revoke all on {_CLASSES[entry.on]} from {names.roles(tuple(held))};",
                severity="warning" if nobody & set(held) else "info",
            )


DEFAULTS = Rule(
    id="GRANT004",
    title="Tables that do not exist yet are granted already",
    severity="warning",
    condition="Default privileges grant new tables or sequences to a role that row-level security binds. It is a warning for PUBLIC"
    " and anonymous callers, an information for others. What Supabase itself sets in public does not count.",
    consequence="Whoever creates a table and forgets row-level security has published it with the same statement.",
    remedy="alter default privileges … revoke …, and grant on each table what it needs.",
    references=("pgrls SEC044",),
    check=_defaults,
)


def _concerned(catalog: Catalog) -> frozenset[str]:
    """The roles that own or were granted something that is looked at: a server has others, of other databases."""
    found: set[str] = set()
    everything: list[Relation | Function] = [*catalog.relations.values(), *catalog.functions.values()]
    for one in everything:
        if one.id.schema in catalog.ours:
            found |= {one.owner, *(grant.to for grant in one.grants)}
    return frozenset(found)


def _bypassing(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    concerned = _concerned(catalog)
    brought = frozenset(platform_roles(catalog.platform))
    for role in catalog.roles.values():
        if role.superuser or not role.login or role.name in brought:
            continue
        ways = sorted(_ways(catalog, role) - brought)
        if ways and (concerned & {role.name, *role.becomes, *role.inherits}):
            how = "has BYPASSRLS" if role.bypasses else f"can become {', '.join(ways)}"
            yield BYPASSING.finding(
                ObjectId("role", "", role.name),
                f"{role.name} logs in and {how}: no policy binds it.",
                remedy=f"alter role {ident(role.name)} nobypassrls;"
                if role.bypasses
                else f"revoke {names.roles(tuple(ways))} from {ident(role.name)};",
            )


def _ways(catalog: Catalog, role: Role) -> frozenset[str]:
    if role.bypasses:
        return frozenset({role.name})
    return frozenset(name for name in role.becomes if reach.is_unbound(catalog, name))


BYPASSING = Rule(
    id="GRANT006",
    title="A role that logs in passes by row-level security",
    severity="warning",
    condition="A role that logs in and is concerned with this database has BYPASSRLS, or can SET ROLE to one that has, or to a superuser. The"
    " platform's own roles do not count.",
    consequence="An application that connects as it has no isolation at all, while every policy reads as if it had.",
    remedy="Take the attribute or the membership away; keep them for backups and migrations, on roles that no application uses.",
    references=("pgrls SEC016", "pgrls SEC029"),
    check=_bypassing,
)


def _creating(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    acting = frozenset({PUBLIC, *platform_roles(catalog.platform)})
    for schema in sorted(catalog.schemas.values(), key=lambda s: s.name):
        held = reach.granted(schema.grants, "create") if schema.name in catalog.ours else {}
        who = tuple(role for role in held if not reach.is_unbound(catalog, role))
        if who:
            yield CREATING.finding(
                ObjectId("schema", "", schema.name),
                f"{', '.join(map(reach.shown, who))} may create objects in schema {schema.name}.",
                remedy=f"revoke create on schema {ident(schema.name)} from {names.roles(who)};",
                severity="warning" if acting & set(who) else "info",
            )


CREATING = Rule(
    id="GRANT007",
    title="Others may create in a schema of the application",
    severity="warning",
    condition="PUBLIC, or a role of the platform's API, holds CREATE on a schema (before PostgreSQL 15 PUBLIC did on public); as an"
    " information, another role does.",
    consequence="Who creates there takes the names that others look up: a function with better fitting arguments, a table in front of another.",
    remedy="revoke create on schema … from …",
    references=("manual: Usage Patterns",),
    check=_creating,
)


RULES = (DEFAULTS, BYPASSING, CREATING)
