"""Rules about what a policy looks up elsewhere: in tables that others can write, in itself, without asking who is there."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach, texts
from reconciler.audit.rules.catalog import PUBLIC, Catalog, Policy, Relation
from reconciler.audit.rules.conditions import asks, called, reads
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.tree import Node, walk
from reconciler.model import Finding


def _trees(policy: Policy) -> tuple[Node, ...]:
    return tuple(condition.tree for _, condition in policy.conditions)


def _read(catalog: Catalog, policy: Policy) -> tuple[Relation, ...]:
    """The tables that the subqueries of a policy read, without its own."""
    oids = {oid for tree in _trees(policy) for oid in reads(tree)} - {policy.table}
    found = (catalog.relations[oid] for oid in oids if oid in catalog.relations)
    return tuple(sorted((r for r in found if r.letter in "rp"), key=lambda r: r.id))


def _roles_of(catalog: Catalog, table: Relation, policy: Policy) -> tuple[str, ...]:
    """Who meets a policy: the roles it names; where it names none, all who may do its commands."""
    if PUBLIC in policy.roles:
        return tuple(reach.holders(catalog, table, *policy.commands))
    return policy.roles


def _planted(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        for other in _read(catalog, policy):
            writers = {} if other.rls else reach.holders(catalog, other, "insert", "update")
            if writers:
                yield PLANTED.finding(
                    policy.id,
                    f"Policy {policy.name} on {table.id} believes {other.id}, which has no row-level security: {reach.words(writers)}.",
                    remedy=f"alter table {names.on(other)} enable row level security;\n-- and a policy that lets nobody add themselves",
                    detail=f"{other.id}",
                )


PLANTED = Rule(
    id="POL020",
    title="A policy believes a table that its callers can write",
    severity="warning",
    condition="A policy looks something up in a table without row-level security on which a role that it binds holds INSERT or UPDATE.",
    consequence="Who can write there (a membership, a role) lets themselves in.",
    remedy="Protect that table too, with policies under which nobody adds or promotes themselves; or revoke the privileges.",
    references=("pgrls SEC025",),
    check=_planted,
)


def binds(catalog: Catalog, role: str, table: Relation) -> bool:
    """Whether row-level security of the table is asked for the role."""
    if not table.rls or reach.is_unbound(catalog, role):
        return False
    return table.forced or table.owner not in reach.acting(catalog, role)


def _loops(catalog: Catalog, table: Relation, policy: Policy) -> str:
    """By which way the condition of a policy asks for its own table again, under policies; empty when it does not."""
    for role in _roles_of(catalog, table, policy):
        way = _way_back(catalog, table, policy, role, frozenset())
        if way:
            return way
    return ""


def _way_back(catalog: Catalog, goal: Relation, policy: Policy, role: str, seen: frozenset[int]) -> str:
    for oid in sorted(oid for tree in _trees(policy) for oid in reads(tree)):
        way = _through(catalog, goal, oid, role, seen)
        if way:
            return way
    for tree in _trees(policy):
        for function in called(catalog, tree):
            acts_as = function.owner if function.definer else role
            if (
                function.id.schema != "pg_catalog"
                and binds(catalog, acts_as, goal)
                and goal in texts.tables(catalog, function)
            ):
                return f"function {function.id}, which reads {goal.id} as {reach.shown(acts_as)}"
    return ""


def _through(catalog: Catalog, goal: Relation, oid: int, role: str, seen: frozenset[int]) -> str:
    relation = catalog.relations.get(oid)
    if relation is None or oid in seen:
        return ""
    if oid == goal.oid:
        return f"{goal.id} itself" if binds(catalog, role, goal) else ""
    way = ""
    if relation.query is not None and relation.letter == "v":
        reader = role if relation.invoker else relation.owner
        ways = (
            _through(catalog, goal, inner, reader, seen | {oid}) for inner in sorted(reads(relation.query))
        )
        way = next((found for found in ways if found), "")
    elif binds(catalog, role, relation):
        acting = reach.acting(catalog, role)
        for policy in catalog.policies_of(relation):
            if "select" in policy.commands and acting & set(policy.roles):
                way = way or _way_back(catalog, goal, policy, role, seen | {oid})
    return f"{relation.id}, then {way}" if way else ""


def _recursive(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        way = _loops(catalog, table, policy) if table.rls else ""
        if way:
            yield RECURSIVE.finding(
                policy.id, f"Policy {policy.name} on {table.id} asks for its own table again, by {way}."
            )


RECURSIVE = Rule(
    id="POL021",
    title="A policy asks itself without end",
    severity="warning",
    condition="The condition of a policy reads its own table, directly, by the policies of another one, or by a function that"
    " row-level security binds.",
    consequence="Every query of the table fails: infinite recursion detected in policy (42P17), or, by a function, stack depth limit"
    " exceeded (54001).",
    remedy="Ask by a SECURITY DEFINER function with a pinned search_path whose owner the policies of that table do not bind.",
    references=("manual: CREATE POLICY",),
    check=_recursive,
)


def _sublinks(tree: Node) -> Iterator[Node]:
    for node, _ in walk(tree):
        if node.kind == "SUBLINK":
            yield node


def _refers_out(query: Node) -> bool:
    """Whether a subquery mentions a column of what is around it."""
    return any(
        node.kind == "VAR" and node.number("varlevelsup") >= depth for node, depth in walk(query) if depth > 0
    )


def _the_same_for_all(catalog: Catalog, sublink: Node) -> tuple[Relation, ...]:
    """The tables of a subquery that depends neither on the row nor on the caller; empty when it does."""
    query = sublink.nodes("subselect")[0]
    tables = [catalog.relations[oid] for oid in sorted(reads(query)) if oid in catalog.relations]
    if (
        not tables
        or asks(catalog, query)
        or _refers_out(query)
        or any(r.rls or r.letter not in "rp" for r in tables)
    ):
        return ()
    return tuple(tables)


def _unasked(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        for tree in _trees(policy):
            found = [tables for sublink in _sublinks(tree) if (tables := _the_same_for_all(catalog, sublink))]
            if found:
                listed = ", ".join(str(relation.id) for relation in found[0])
                yield UNASKED.finding(
                    policy.id,
                    f"Policy {policy.name} on {table.id} looks into {listed} without a word on the row or the caller: the answer is"
                    " the same for everybody.",
                )
                break


UNASKED = Rule(
    id="POL022",
    title="A policy looks something up that is the same for everybody",
    severity="warning",
    condition="A subquery of a policy mentions neither a column of the row nor the caller, and reads only tables that show everybody"
    " the same.",
    consequence="“There is an administrator” is asked where “the caller is an administrator” was meant: as soon as there is one, everybody"
    " passes.",
    remedy="Tie the subquery to the caller: … where user_id = (select auth.uid()) and role = 'admin'.",
    references=("pgrls SEC036",),
    check=_unasked,
)


def _denied(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        lacking: dict[str, list[str]] = {}
        for role in policy.roles:
            if role == PUBLIC or role not in catalog.roles or reach.is_unbound(catalog, role):
                continue
            if not reach.may(catalog, role, table, *policy.commands):
                continue
            lacking.setdefault(role, []).extend(
                f"select on {other.id}"
                for other in _read(catalog, policy)
                if not reach.may(catalog, role, other, "select")
            )
            for function in {f.oid: f for tree in _trees(policy) for f in called(catalog, tree)}.values():
                granted = {grant.to for grant in function.grants if grant.privilege == "execute"}
                if not (granted | {function.owner}) & reach.acting(catalog, role):
                    lacking[role].append(f"execute on {function.id}")
        for role, what in sorted(lacking.items()):
            if what:
                yield DENIED.finding(
                    policy.id,
                    f"Policy {policy.name} on {table.id} needs what {role} may not do: {', '.join(sorted(what))}.",
                    detail=role,
                )


DENIED = Rule(
    id="POL023",
    title="A policy needs a privilege that its role has not",
    severity="warning",
    condition="A policy reads a table or calls a function, and a role that it names and that may use its own table has no"
    " privilege for that.",
    consequence="Policies are evaluated with the caller's privileges. Every query of that role on the table fails with permission denied.",
    remedy="Grant it; or look it up in a SECURITY DEFINER function that answers this one question and that the role may execute.",
    references=("manual: Row Security Policies",),
    check=_denied,
)

RULES = (PLANTED, RECURSIVE, UNASKED, DENIED)
