"""From two snapshots to statements, by the kinds alone.

What differs becomes operations (drop, alter, create). Parts are written with their whole where PostgreSQL allows, and apart
where two objects need each other. What needs another is dropped before it and created after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.catalog.compare import compare
from reconciler.catalog.kinds import KINDS, RANK, Context, Unplannable
from reconciler.catalog.kinds.retyping import TYPES, VALUES
from reconciler.model import Change, Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.plan.faithful import faithful
from reconciler.plan.fate import Fates, decide
from reconciler.plan.leaving import unless_gone
from reconciler.plan.operation import Edge, Operation, Verb, side_of
from reconciler.plan.order import arranged, cycles
from reconciler.plan.pointing import detached_first
from reconciler.plan.precedence import Name, hard, operations, soft, stands_inside
from reconciler.plan.taken import bearers, unless_taken, unless_there
from reconciler.plan.unfilled import refusing

_ROUTINE = ("create or replace function", "create or replace procedure")


def complete(context: Context, changes: tuple[Change, ...] | None = None) -> tuple[Statement, ...]:
    """The statements that lead from `context.before` to `context.after`, in an order PostgreSQL accepts.

    Running them again, on the state they led to, changes nothing. Raises Unplannable when a difference cannot be turned into
    SQL.
    """
    changes = compare(context.before, context.after) if changes is None else changes
    fates = decide(context, changes)
    wholes, order = _arranged(context, fates)
    parts: dict[Operation, list[Fact]] = defaultdict(list)
    for operation, whole in wholes.items():
        if operation != whole and operation.verb == "create":
            parts[whole].append(context.after.facts[operation.id])
    taken = bearers(context.after) if fates.dropped else frozenset()
    had = bearers(context.before) if fates.renewed else frozenset()
    found: list[Statement] = []
    last: list[Statement] = []
    held = _held(context, fates)
    for operation in order:
        carry = fates.carried.get(operation.id)
        if operation.verb == "aside" and carry is not None:
            found.append(carry.aside)
        elif operation.verb == "back" and carry is not None:
            found.append(carry.back)
        elif operation.verb == "drop":
            (last if operation.id in held else found).extend(_dropped(operation, context, fates, taken, had))
        elif operation.verb == "alter":
            found += fates.altered[operation.id].statements
        else:
            written = tuple(sorted(parts[operation], key=_part_order))
            found += KINDS[operation.id.kind].create(context.after.facts[operation.id], context, written)
    found += [
        statement
        for operation in order
        if operation.verb == "alter"
        for statement in fates.altered[operation.id].late
    ]
    found += [*fates.late, *last]
    return _bodies_unchecked(
        [refusing(faithful(statement)) for statement in unless_gone(found, fates.dropped)]
    )


def _held(context: Context, fates: Fates) -> set[ObjectId]:
    """What goes, but not before the old form of a type that is made of it, which goes last (`retyping.remade`)."""
    found: set[ObjectId] = set()
    todo = [id for id, alteration in fates.altered.items() if alteration.late and id.kind in TYPES]
    while todo:
        needs = context.before.edges.get(todo.pop(), frozenset()) & fates.dropped
        todo += needs - found
        found |= needs
    return found


def _arranged(context: Context, fates: Fates) -> tuple[dict[Operation, Operation], list[Operation]]:
    """(each operation → the one it is written with, the order of those). Takes wholes apart until no circle is left."""
    everything = operations(fates)
    known = set(everything)
    taken_along = list(_taken_along(context, fates))
    apart = {
        Operation("create", id) for id in fates.renewed if context.after.facts[id].parent not in fates.renewed
    }
    apart |= detached_first(context, known)
    waived: set[Edge] = set()
    while True:
        wholes = {operation: _whole(operation, context, known, apart) for operation in everything}
        edges = [
            (a, b)
            for a, b in (*hard(context, known, wholes), *taken_along)
            if a in known and b in known and (a, b) not in waived
        ]
        heads = [operation for operation in everything if wholes[operation] == operation]
        first = _joined(edges, wholes)
        circles = cycles(heads, first)
        if not circles:
            break
        split = _split(circles, edges, wholes, context) - apart
        if not split:
            more = {edge for edge in edges if _may_wait(*edge) and _in_one(edge, circles)}
            if more:
                waived |= more
                continue
            names = ", ".join(f"{o.verb} {o.id.kind} {o.id}" for o in sorted(circles[0])[:6])
            raise Unplannable(f"these need each other in a circle: {names}")
        apart |= split
    hints = _joined(((a, b) for a, b in soft(context, known) if a in known and b in known), wholes)
    both = {node: first.get(node, set()) | hints.get(node, set()) for node in {*first, *hints}}
    circle = {node: number for number, nodes in enumerate(cycles(heads, both)) for node in nodes}
    for node, wished in hints.items():
        inside = {n for n in wished if node in circle and circle.get(n) == circle[node]}
        first.setdefault(node, set()).update(wished - inside)
    order, _ = arranged(heads, first, lambda operation: _preference(operation, context, fates))
    return wholes, order


def _may_wait(later: Operation, earlier: Operation) -> bool:
    """Whether what moves off a type may do so after that was made anew: meanwhile it holds the old one (`retyping.remade`)."""
    off = (earlier.verb == "alter" and earlier.id.kind == "column") or (
        earlier.verb == "drop" and earlier.id.kind in VALUES
    )
    return off and later.verb == "alter" and later.id.kind in ("domain", "composite", "enum")


def _in_one(edge: Edge, circles: list[list[Operation]]) -> bool:
    return any(edge[0] in circle and edge[1] in circle for circle in circles)


def _taken_along(context: Context, fates: Fates) -> Iterator[Edge]:
    """What stands on a column that is changed together with its type has to be gone by then, as on the type itself."""
    sides: tuple[tuple[Snapshot, Verb], ...] = ((context.before, "drop"), (context.after, "create"))
    for id, alteration in fates.altered.items():
        for side, verb in sides:
            users = {user for along in alteration.through for user in side.dependents.get(along, frozenset())}
            for user in users - alteration.through - {id}:
                if user in side.facts and alteration.displaces(side.facts[user]):
                    one, other = Operation("alter", id), Operation(verb, user)
                    yield (one, other) if verb == "drop" else (other, one)


def _whole(
    operation: Operation, context: Context, everything: set[Operation], apart: set[Operation]
) -> Operation:
    """The operation that takes this one along: a part goes, or is written, with its whole."""
    while operation.verb in ("drop", "create") and operation not in apart:
        parent = side_of(operation, context).facts[operation.id].parent
        if parent is None or (operation.verb == "create" and not stands_inside(operation, context)):
            break
        above = Operation(operation.verb, parent)
        if above not in everything:
            break
        operation = above
    return operation


def _joined(edges: Iterable[Edge], wholes: dict[Operation, Operation]) -> dict[Operation, set[Operation]]:
    """For each whole, the wholes that must come before it."""
    found: dict[Operation, set[Operation]] = {}
    for later, earlier in edges:
        a, b = wholes[later], wholes[earlier]
        if a != b:
            found.setdefault(a, set()).add(b)
    return found


def _split(
    circles: list[list[Operation]], edges: list[Edge], wholes: dict[Operation, Operation], context: Context
) -> set[Operation]:
    """The parts to take out of their wholes: of those that close a circle, foreign keys if that may be enough."""
    circle = {node: number for number, nodes in enumerate(circles) for node in nodes}
    found: set[Operation] = set()
    for later, earlier in edges:
        a, b = wholes[later], wholes[earlier]
        if a == b or a not in circle or circle[a] != circle.get(b):
            continue
        # The one that needs the other: it comes later when created, earlier when dropped.
        user = earlier if earlier.verb == "drop" else later
        if wholes[user] != user and user.id.kind != "column":
            found.add(user)
    keys = {o for o in found if o.id.kind == "constraint" and side_of(o, context).facts[o.id]["type"] == "f"}
    return keys or found


def _preference(operation: Operation, context: Context, fates: Fates) -> tuple[int, int, ObjectId]:
    """Drops first, from the outside in; but what holds rows goes last, when everything has been read from it. What must
    be committed by itself goes before everything."""
    kind = KINDS[operation.id.kind]
    if operation.verb == "drop":
        late = kind.drop_late and operation.id in fates.dropped
        return (2 if late else 0, -RANK[kind.name], operation.id)
    if operation.verb == "alter" and not all(s.transactional for s in fates.altered[operation.id].statements):
        return (-1, RANK[kind.name], operation.id)
    if operation.verb == "aside":
        return (0, 0, operation.id)
    fact = context.after.facts[operation.id]
    # Columns and constraints in the order in which a person wrote them.
    place = ObjectId(fact.id.kind, fact.id.schema, fact.id.name, f"{fact.position:05d}{fact.id.part}")
    return (1, RANK[kind.name], place)


def _dropped(
    operation: Operation, context: Context, fates: Fates, taken: frozenset[Name], had: frozenset[Name]
) -> list[Statement]:
    id = operation.id
    if id in fates.carried:
        return []
    fact = side_of(operation, context).facts[id]
    found = [unless_there(s, fates.lasting.get(id, ())) for s in KINDS[id.kind].drop(fact, context)]
    if id in fates.renewed:
        aside = [
            replace(s, reason=f"{id.kind} {id}: out of the way, should this run again", hazards=())
            for s in found
        ]
        # The first time another object may still bear its name.
        return unless_taken(aside, fact, had)
    if id in fates.replaced:
        return [replace(s, reason=f"{id.kind} {id}: made anew below", hazards=_lasting(s)) for s in found]
    return unless_taken(found, fact, taken)


def _lasting(statement: Statement) -> tuple[Hazard, ...]:
    """Of the hazards of a drop, those that creating the object again does not undo."""
    return tuple(h for h in statement.hazards if h.code is HazardCode.DELETES_DATA)


def _part_order(fact: Fact) -> tuple[int, int, int, ObjectId]:
    """Columns as declared; then constraints: primary key, unique, others by name."""
    first = "pux".find(fact["type"]) if fact.id.kind == "constraint" and fact["type"] in "pux" else 9
    return (RANK[fact.id.kind], fact.position, first, fact.id)


def _bodies_unchecked(statements: list[Statement]) -> tuple[Statement, ...]:
    """Function bodies are strings to PostgreSQL: it records no dependencies of theirs, and checks them against what is there
    now. They are written in an order of ours, so the check is put off, as pg_dump does: once per transaction."""
    off = Statement(
        "set local check_function_bodies = off", "a function may use what is created after it", "catalog"
    )
    found: list[Statement] = []
    begin = 0
    for statement in statements:
        found.append(statement)
        if not statement.transactional:
            begin = len(found)
        elif statement.sql.startswith(_ROUTINE) and off not in found[begin:]:
            found.insert(begin, off)
    return tuple(found)
