"""A type made anew under the columns that use it: what ALTER TYPE and ALTER DOMAIN cannot do in place.

The old type steps aside under another name, the new one is made, each column is carried over by an expression, and the old
one is dropped: one block, that does nothing when the type is new already. Promises that no row is lost without an error;
never decides whether it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import printed
from reconciler.catalog.kinds.kind import Alteration, Context, Unplannable
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident

TYPES = frozenset({"domain", "composite", "range", "table", "enum"})
VALUES = frozenset({"domain", "composite", "range"})
"""Of these, the ones whose values are made of other values, in columns elsewhere."""
ROUTINES = frozenset({"function", "procedure"})
_PARSED = re.compile(r"^ *(?:BEGIN ATOMIC|RETURN )", re.M)
_ATTACHED = frozenset(
    {"constraint", "index", "default", "column", "owned_by", "replica_identity", "clustered"}
)
"""What stays on a column whose type changes, unless it names the type itself."""


def remade(
    old: Fact,
    new: Fact,
    context: Context,
    noun: str,
    made: str,
    outdated: str,
    carried: Callable[[Fact], str],
    dress: list[Statement],
    *hazards: Hazard,
    by_text: bool = False,
) -> Alteration:
    """`made` is the CREATE of the new type, `outdated` the condition that the old one is still there, `carried` the USING
    expression for a column. `by_text` is for a type that cannot step aside (a range leaves its constructors behind): its
    columns hold text meanwhile."""
    columns = _columns(old, context)
    name, aside = w.name(new.id), new.id.name[:50] + "__replaced"
    moves = [
        f"alter {_table(c, ' if exists')} alter column {ident(c.id.part)} type {context.after.facts[c.id]['type']}"
        # A foreign table has no rows to carry over, and takes no USING (manual: ALTER FOREIGN TABLE); it may be gone
        # meanwhile, to be made anew itself.
        + ("" if _is_foreign(c) else f" using {carried(c)}")
        for c in columns
    ]
    moves += _attributes(old, context)
    first, last = (
        [f"alter {noun} {name} rename to {ident(aside)}"],
        [f"drop {noun} {ident(new.id.schema, aside)}"],
    )
    if by_text:
        first = [_as_text(c) for c in columns] + [f"drop {noun} {name}"]
        last = []
    # What moves off the old type may have to wait for the new one: meanwhile it holds the old one.
    late: tuple[Statement, ...] = ()
    if last and _leaving(old.id, context):
        gone = f"drop {noun} if exists {ident(new.id.schema, aside)}"
        late, last = (w.say(gone, f"{new.id}: what it was, when nothing is made of it any more", new.id),), []
    sql = w.guarded_in_full(outdated, *first, made, *moves, *last)
    found = list(hazards)
    if columns:
        tables = ", ".join(sorted({w.name(c.id) for c in columns}))
        found.append(Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {tables} under an exclusive lock."))
    statement = w.say(sql, f"{new.id}: made anew under its columns", new.id, *found)
    through = frozenset(c.id for c in columns) | _following(old, context) | _composites(old, context)
    direct = _users(old.id, context)

    def displaced(fact: Fact) -> bool:
        # An access method for ranges need not know text.
        return _in_the_way(fact, direct, through) or (by_text and fact.id.kind == "index")

    return Alteration((statement, *dress), displaced, through, rebuilds=True, late=late)


def _as_text(column: Fact) -> str:
    name, table = ident(column.id.part), _table(column, " if exists")
    if column["type"].endswith("[]"):
        return f"alter {table} alter column {name} type text[] using ({printed(name)})::text[]"
    return f"alter {table} alter column {name} type text using {printed(name)}"


def _in_the_way(fact: Fact, direct: frozenset[ObjectId], through: frozenset[ObjectId]) -> bool:
    if fact.id in through or fact.id.kind in TYPES:
        return False
    if fact.id not in direct and not holds_on(fact):
        return False
    if fact.id in direct or fact.id.kind not in _ATTACHED:
        return True
    return (fact.id.kind == "constraint" and fact["type"] in "cfx") or bool(fact["generated"])


def holds_on(fact: Fact) -> bool:
    """Whether PostgreSQL knows what this object speaks of: of a routine with its body as a string it knows the arguments."""
    return fact.id.kind not in ROUTINES or _PARSED.search(str(fact["definition"])) is not None


def within(side: Snapshot, type_: ObjectId) -> frozenset[ObjectId]:
    """The types that are made of this one, however far away."""
    found: set[ObjectId] = set()
    todo = [type_]
    while todo:
        new = {user for user in side.dependents.get(todo.pop(), ()) if user.kind in VALUES} - found
        found |= new
        todo += new
    return frozenset(found)


def _leaving(type_: ObjectId, context: Context) -> bool:
    """Whether a column of this type changes to another one, or a type that is made of it goes."""
    for user in context.before.dependents.get(type_, frozenset()):
        if user.kind in VALUES and user not in context.after.facts:
            return True
        moved = user in context.after.facts and type_ not in context.after.edges.get(user, frozenset())
        if user.kind == "column" and moved:
            return True
    return False


def _users(id: ObjectId, context: Context) -> frozenset[ObjectId]:
    return frozenset(u for side in (context.before, context.after) for u in side.dependents.get(id, ()))


def _table(column: Fact, if_foreign: str) -> str:
    foreign = _is_foreign(column)
    return f"{'foreign ' if foreign else ''}table{if_foreign if foreign else ''} {w.name(column.id)}"


def _is_foreign(column: Fact) -> bool:
    return column.parent is not None and column.parent.kind == "foreign_table"


def _columns(old: Fact, context: Context) -> list[Fact]:
    """The columns of this type, or of arrays of it, that keep it. A partition's follow their parent's."""
    found = []
    for user in sorted(context.before.dependents.get(old.id, ())):
        if user.kind != "column" or old.id not in context.after.edges.get(user, ()):
            continue
        column = context.before.facts[user]
        if column["type"] != context.after.facts[user]["type"]:
            raise Unplannable(f"{user} changes its type while {old.id.kind} {old.id} does: do one first")
        if not column["generated"] and not follows(column, old.id, context):
            found.append(column)
    return found


def follows(column: Fact, type_: ObjectId, context: Context) -> bool:
    """Whether the column changes with that of a parent, which goes on having this type."""
    above = (column.id._replace(schema=t.schema, name=t.name) for t in w.parents(column.id, context.before))
    sides = (context.before, context.after)
    return bool(column["inherited"]) and any(
        all(type_ in side.edges.get(id, frozenset()) for side in sides) for id in above
    )


def _following(old: Fact, context: Context) -> frozenset[ObjectId]:
    """The columns of children and partitions that change with their parent's."""
    users = context.before.dependents.get(old.id, frozenset())
    columns = (
        context.before.facts[u]
        for u in users
        if u.kind == "column" and old.id in context.after.edges.get(u, ())
    )
    return frozenset(c.id for c in columns if follows(c, old.id, context) and not c["generated"])


def _composites(old: Fact, context: Context) -> frozenset[ObjectId]:
    """The composite types that go on having an attribute of this type."""
    return frozenset(
        user
        for user in context.before.dependents.get(old.id, frozenset())
        if user.kind == "composite" and old.id in context.after.edges.get(user, frozenset())
    )


def _attributes(old: Fact, context: Context) -> list[str]:
    """Composite types with an attribute of this type, as long as no table is made of them; other types are refused."""
    found = []
    for user in sorted(context.before.dependents.get(old.id, ())):
        if user.kind not in TYPES or old.id not in context.after.edges.get(user, ()):
            continue
        above = sorted(u for u in context.before.dependents.get(user, ()) if u.kind in TYPES | {"column"})
        if user.kind != "composite" or above:
            what = f"{above[0].kind} {above[0]} through {user}" if above else f"{user.kind} {user}"
            raise Unplannable(f"{old.id.kind} {old.id} would have to be made anew, and {what} is made of it")
        old_members, new_members = (
            {m["name"]: m["type"] for m in side.facts[user]["members"] or ()}
            for side in (context.before, context.after)
        )
        own = {w.name(old.id), w.name(old.id) + "[]"}
        for member, type_ in old_members.items():
            if type_ in own and new_members.get(member) == type_:
                found.append(f"alter type {w.name(user)} alter attribute {ident(member)} type {type_}")
    return found
