"""Rules about views: with whose rights they read, what they show of protected tables, and what can be written through them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach, texts
from reconciler.audit.rules.catalog import Catalog, Relation
from reconciler.audit.rules.conditions import asking, asks, reads
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.subqueries import binds
from reconciler.audit.rules.tree import walk
from reconciler.model import Finding


def _is_somebodys(subject: Subject, table: Relation) -> bool:
    """Whether a table holds rows that not everybody may see: it is protected, or known to belong to tenants or users."""
    owned = subject.owned(table)
    return table.rls or (owned is not None and owned.ownership not in ("global", "unknown"))


def _shown(subject: Subject, view: Relation, seen: frozenset[int] = frozenset()) -> tuple[Relation, ...]:
    """The tables of somebody that a view shows past their policies: it reads them as its owner, whom none binds, or in a
    materialized view."""
    catalog = subject.catalog
    found: dict[int, Relation] = {}
    for oid in reads(view.query) if view.query is not None else ():
        inner = catalog.relations.get(oid)
        if inner is None or oid in seen:
            continue
        if inner.letter == "m" or (inner.letter == "v" and not inner.invoker):
            found |= {table.oid: table for table in _shown(subject, inner, seen | {view.oid})}
        elif inner.letter == "v":
            inside = _behind(catalog, inner, seen | {view.oid})
            found |= {
                t.oid: t for t in inside if _is_somebodys(subject, t) and not binds(catalog, view.owner, t)
            }
        elif _is_somebodys(subject, inner) and (view.letter == "m" or not binds(catalog, view.owner, inner)):
            found[oid] = inner
    return tuple(sorted(found.values(), key=lambda r: r.id))


def _behind(catalog: Catalog, view: Relation, seen: frozenset[int]) -> Iterator[Relation]:
    for oid in reads(view.query) if view.query is not None else ():
        inner = catalog.relations.get(oid)
        if inner is not None and oid not in seen:
            yield inner
            yield from _behind(catalog, inner, seen | {oid})


def _is_filtered(catalog: Catalog, view: Relation) -> bool:
    """Whether a condition of the view's own asks who is there."""
    everything = walk(view.query) if view.query is not None else ()
    quals = (q for node, _ in everything if node.kind == "FROMEXPR" for q in node.nodes("quals"))
    return any(asks(catalog, tree) for tree in quals)


def _listed(relations: tuple[Relation, ...]) -> str:
    return ", ".join(str(relation.id) for relation in relations)


def _owner_rights(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for view in catalog.relations_of("v"):
        held = reach.holders(catalog, view, "select")
        shown = _shown(subject, view) if held and not view.invoker else ()
        if not shown:
            continue
        filtered = _is_filtered(catalog, view)
        protection = (
            "its own condition is the whole protection" if filtered else "it shows the rows of everybody"
        )
        remedy = (
            f"alter view {names.on(view)} set (security_invoker = true);"
            if catalog.major >= 15 and not filtered
            else ""
        )
        yield OWNER_RIGHTS.finding(
            view.id,
            f"View {view.id} reads {_listed(shown)} with the rights of its owner, {view.owner}; {protection}. {reach.words(held)}.",
            remedy=remedy,
            severity="info" if filtered else "warning",
        )


OWNER_RIGHTS = Rule(
    id="VIEW001",
    title="A view reads protected tables with its owner's rights",
    severity="warning",
    condition="A view without security_invoker reads tables that belong to tenants, its owner is not bound by their policies, and"
    " others may select from it. It is an information where the view's own condition asks who is there.",
    consequence="The policies of the tables are not asked for the reader: the view shows what its owner may see.",
    remedy="alter view … set (security_invoker = true), from PostgreSQL 15 on. Before, or where readers shall not read the tables"
    " themselves: a condition on the caller in the view, and security_barrier.",
    references=("splinter 0010", "pgrls VIEW001", "manual: CREATE VIEW"),
    check=_owner_rights,
)


def _no_barrier(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for view in catalog.relations_of("v"):
        if view.invoker or view.barrier or not reach.holders(catalog, view, "select"):
            continue
        shown = _shown(subject, view) if _is_filtered(catalog, view) else ()
        if shown:
            yield NO_BARRIER.finding(
                view.id,
                f"The condition of view {view.id} keeps tenants apart, and the reader's own conditions may be asked before it.",
                remedy=f"alter view {names.on(view)} set (security_barrier = true);",
            )


NO_BARRIER = Rule(
    id="VIEW002",
    title="A view that keeps tenants apart is no security barrier",
    severity="warning",
    condition="A view reads with its owner's rights, its condition asks who is there, and it is not a security_barrier. A view"
    " with security_invoker needs none: policies are a barrier by themselves.",
    consequence="PostgreSQL may evaluate a cheap condition of the reader first, on rows of others. A function that raises or prints what"
    " it is given, or a cast that fails, tells them.",
    remedy="alter view … set (security_barrier = true).",
    references=("pgrls VIEW002", "manual: Rules and Privileges"),
    check=_no_barrier,
)


def _materialized(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for view in catalog.relations_of("m"):
        held = reach.holders(catalog, view, "select")
        shown = _shown(subject, view) if held else ()
        if shown:
            yield MATERIALIZED.finding(
                view.id,
                f"Materialized view {view.id} holds rows of {_listed(shown)}, and no policy can protect it: {reach.words(held)}.",
                remedy=f"revoke all on {names.on(view)} from {names.roles(tuple(held))};",
            )


MATERIALIZED = Rule(
    id="VIEW003",
    title="A materialized view shows what policies hide",
    severity="warning",
    condition="A materialized view was made of tables that belong to tenants, and a role that row-level security binds may select"
    " from it.",
    consequence="It holds what its owner saw when it was refreshed: the rows of all tenants, for every reader.",
    remedy="Revoke it, and let a view with a condition on the caller and security_barrier show each their own.",
    references=("splinter 0016", "pgrls VIEW003", "pgrls SEC054"),
    check=_materialized,
)


_CALLED = re.compile(r":(?:funcid|opfuncid) (\d+)")


def _by_function(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    definers = {f.oid: f for f in catalog.functions.values() if f.definer and f.oid not in asking(catalog)}
    for view in catalog.relations_of("v") if definers else ():
        if not reach.holders(catalog, view, "select"):
            continue
        for function in (
            definers[int(oid)] for oid in set(_CALLED.findall(view.stored)) if int(oid) in definers
        ):
            named = (t for t in texts.tables(catalog, function) if _is_somebodys(subject, t))
            tables = tuple(t for t in named if not binds(catalog, function.owner, t))
            if tables:
                yield BY_FUNCTION.finding(
                    view.id,
                    f"View {view.id} calls {function.id}, which reads {_listed(tables)} as {function.owner} and does not ask who is there.",
                    detail=str(function.id),
                )


BY_FUNCTION = Rule(
    id="VIEW004",
    title="A view calls a function that reads past the policies",
    severity="warning",
    condition="A view calls a SECURITY DEFINER function whose text reads tables that belong to tenants and does not look at the"
    " session, and others may select from the view.",
    consequence="security_invoker on the view does not help: inside the function the rights are its owner's.",
    remedy="Make the function SECURITY INVOKER, or let it compare with the caller.",
    references=("pgrls VIEW004",),
    check=_by_function,
)


def _users(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for view in catalog.relations_of("v", "m"):
        held = reach.holders(catalog, view, "select")
        if not held or view.invoker:
            continue
        inside = {relation.id for relation in _behind(catalog, view, frozenset())}
        if any((id.schema, id.name) == ("auth", "users") for id in inside):
            yield USERS.finding(view.id, f"{view.id} shows rows of auth.users: {reach.words(held)}.")


USERS = Rule(
    id="VIEW005",
    title="A view shows the users of the platform",
    severity="warning",
    condition="On Supabase, a view with its owner's rights or a materialized view reads auth.users, and others may select from it.",
    consequence="E-mail addresses, telephone numbers and tokens of all users are a request away.",
    remedy="Keep what may be shown in a table of profiles with policies of its own, filled by a trigger.",
    references=("splinter 0002", "pgrls SEC052"),
    check=_users,
)


def _writable(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for view in catalog.relations_of("v"):
        written = [command for command in ("insert", "update", "delete") if command in view.updatable]
        held = reach.holders(catalog, view, *written)
        shown = _shown(subject, view) if held and not view.invoker else ()
        checked = any(option.startswith("check_option=") for option in view.options)
        if shown and not (_is_filtered(catalog, view) and checked):
            yield WRITABLE.finding(
                view.id,
                f"Through view {view.id}, {_listed(shown)} can be written with the rights of {view.owner}: {reach.words(held)}.",
                remedy=f"revoke insert, update, delete on {names.on(view)} from {names.roles(tuple(held))};",
            )


WRITABLE = Rule(
    id="VIEW006",
    title="A view lets tables be written past their policies",
    severity="warning",
    condition="A view with its owner's rights can be written like a table, stands on tables that belong to tenants, and others hold INSERT,"
    " UPDATE or DELETE on it; and it lacks a condition on the caller, or the check option that makes new rows meet it.",
    consequence="What is written through it is checked as its owner: rows of other tenants are changed, or new ones given to them.",
    remedy="Revoke the privileges, or set security_invoker; with a condition on the caller, `with check option`.",
    references=("manual: CREATE VIEW",),
    check=_writable,
)

RULES = (OWNER_RIGHTS, NO_BARRIER, MATERIALIZED, BY_FUNCTION, USERS, WRITABLE)
