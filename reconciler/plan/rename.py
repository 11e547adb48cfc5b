"""Renames that were declared: the object keeps its rows, its indexes and its rights, and changes only its name.

Schemas first, then types, then what stands in them, then parts; a hint says the names that the wholes have by then. PostgreSQL
leaves the names of constraints, indexes and sequences as they are when their table is renamed; where the declaration expects
names made from the new one, they follow. Promises to do nothing once the old name is gone, and to refuse when both names exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.declare import Rename
from reconciler.errors import Stalled
from reconciler.model import Change, ObjectId, Snapshot, Statement
from reconciler.plan.names import Names, inner, last, routine
from reconciler.plan.rename_shapes import PARTS, ROUTINES, SHAPES, TYPES, renamed


@dataclass(frozen=True, slots=True)
class Renames:
    """The statements that rename, those that rename back, what was renamed by a hint, and everything that is called differently
    for it (before → after)."""

    up: tuple[Statement, ...] = ()
    down: tuple[Statement, ...] = ()
    changes: tuple[Change, ...] = ()
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Step:
    old: ObjectId
    new: ObjectId
    chained: bool = False


def renames(hints: Iterable[Rename], before: Snapshot, after: Snapshot) -> Renames:
    """What has to be renamed in `before` on the way to `after`, which is what the declarations alone ask for.

    Raises Stalled when a hint cannot be followed: both names are there, the old one is declared for something else, names go
    round in a circle, or the part it names is not declared.
    """
    hints = tuple(hints)
    if not hints:
        return Renames()
    names = Names(before)
    wanted = {id: id for id in (*after.facts, *inner(after))}
    known = [found for hint in hints if (found := _declared(hint, wanted)) is not None]
    steps: list[_Step] = []
    changes: list[Change] = []
    for level in range(4):
        for hint, step in _due([hint for hint in known if _level(hint.new) == level], names, wanted):
            then = names.now[step.old]
            for one in _legs(step, names):
                steps.append(one)
                names.rename(one.old, one.new)
            changes.append(Change("alter", hint.new, ("name",), was=then))
    for one in list(_followers(names, before, after, wanted)):
        steps.append(one)
        names.rename(one.old, one.new)
    up = tuple(_statement(one, back=False) for one in steps)
    down = tuple(_statement(one, back=True) for one in reversed(steps))
    return Renames(up, down, tuple(changes), dict(names.moved()))


def _level(id: ObjectId) -> int:
    if id.kind == "schema":
        return 0
    return 1 if id.kind in TYPES else 3 if id.kind in PARTS else 2


def _declared(hint: Rename, wanted: dict[ObjectId, ObjectId]) -> Rename | None:
    """The hint with its new name as PostgreSQL prints it; None for what is outside of the managed schemas."""
    if hint.new in wanted:
        return hint
    found = routine(wanted, hint.new) if hint.new.kind in ROUTINES else None
    if found is not None:
        return replace(hint, new=found, old=hint.old._replace(part=found.part))
    if hint.new.schema and not any(id.schema == hint.new.schema for id in wanted):
        return None
    noun = hint.new.kind.replace("_", " ")
    raise Stalled(
        f"{noun} {hint.new} is said to be renamed from {hint.old}, but it is not declared",
        hint="the hint must name the object as it is called now",
        sources=(hint.source,),
    )


def _due(
    hints: list[Rename], names: Names, wanted: Mapping[ObjectId, ObjectId]
) -> list[tuple[Rename, _Step]]:
    """The renames that are still to be done, in an order in which each finds its new name free."""
    due = {old: hint for hint in hints if (old := names.found(hint.old)) is not None and old != hint.new}
    _refuse_circles(due)
    while done := [old for old, hint in due.items() if hint.new in names.now and hint.new not in due]:
        for old in done:
            hint = due.pop(old)
            if old not in wanted:
                raise Stalled(
                    f"{hint.new} is declared as renamed from {hint.old}, but both exist",
                    hint="take the renamed_from hint away, or remove one of them by hand",
                    sources=(hint.source,),
                )
    targets = {hint.new for hint in due.values()}
    for old, hint in due.items():
        if old in wanted and old not in targets:
            raise Stalled(
                f"{hint.new} is declared as renamed from {hint.old}, but {hint.old} is declared as well",
                hint="rename in one migration and declare another object of the old name in the next: run twice, the DOWN could not"
                " tell the two apart",
                sources=(hint.source,),
            )
    ordered: list[tuple[Rename, _Step]] = []
    chained = {id for id in targets if id in due}
    while due:
        old = next(old for old, hint in sorted(due.items()) if hint.new not in due)
        hint = due.pop(old)
        ordered.append((hint, _Step(old, hint.new, old in chained or hint.new in chained)))
    return ordered


def _refuse_circles(due: Mapping[ObjectId, Rename]) -> None:
    for start, hint in due.items():
        id, seen = hint.new, [start]
        while id in due and id not in seen:
            seen.append(id)
            id = due[id].new
        if id == start:
            raise Stalled(
                f"{' and '.join(str(one) for one in seen)} take each other's names",
                hint="run twice, that would change them back: give one of them a third name first, in a migration of its own",
                sources=(hint.source,),
            )


def _legs(step: _Step, names: Names) -> Iterator[_Step]:
    """The step, in two when name and schema change."""
    old, new = step.old, step.new
    if old.schema == new.schema or old.kind in PARTS:
        yield step
        return
    if not SHAPES[old.kind].move:
        raise Stalled(
            f"{old.kind.replace('_', ' ')} {old} cannot be moved into the schema {new.schema}",
            hint="an index follows its table"
            if old.kind == "index"
            else "take the schema away from renamed_from",
        )
    if old.name == new.name:
        yield step
        return
    first = old._replace(schema=new.schema)
    if first in names.now:
        first = old._replace(name=new.name)
    yield replace(step, new=first)
    yield replace(step, old=first)


def _statement(one: _Step, *, back: bool) -> Statement:
    old, new = (one.new, one.old) if back else (one.old, one.new)
    reason = f"{old.kind.replace('_', ' ')} {old} is called {_short(old, new)} {'again' if back else 'now'}"
    subject = one.new
    if subject.kind in ("enum_value", "attribute"):
        subject = ObjectId(
            "enum" if subject.kind == "enum_value" else "composite", subject.schema, subject.name
        )
    return Statement(renamed(old, new, chained=one.chained), reason, subject=subject)


def _short(old: ObjectId, new: ObjectId) -> str:
    if old.schema != new.schema:
        return f"{new.schema}.{new.name}"
    return new.part if new.kind in PARTS else new.name


def _followers(
    names: Names, before: Snapshot, after: Snapshot, wanted: Mapping[ObjectId, ObjectId]
) -> Iterator[_Step]:
    """Names made from old names whose counterpart, made from the new ones, is declared, where no hint said otherwise."""
    whole = {then: now for now, then in names.now.items() if not then.part and now.name != then.name}
    columns: dict[ObjectId, dict[str, str]] = {}
    for now, then in names.now.items():
        table = before.facts[then].parent if then.kind == "column" and now.part != then.part else None
        if table is not None:
            columns.setdefault(table, {})[then.part] = now.part
    if not whole and not columns:
        return
    called = {then: now for now, then in names.now.items()}
    owned = {ObjectId("sequence", f.id.schema, f.id.name): f for f in before.by_kind.get("owned_by", ())}
    for fact in sorted(before.facts.values(), key=lambda fact: fact.id):
        id, now = fact.id, called[fact.id]
        home = fact.parent
        if id in owned:
            home = ObjectId("table", owned[id]["schema"], owned[id]["table"])
        if id.kind == "range" and id in whole and fact["multirange"] is not None and now in after.facts:
            yield from _multirange(fact["multirange"], after.facts[now]["multirange"], now)
        if home is None or (home not in whole and home not in columns) or home not in called:
            continue
        its, new = columns.get(home, {}), called[home]
        if id.kind in ("constraint", "domain_constraint") and now.part == id.part and not fact["inherited"]:
            follower = now._replace(part=_follow(id.part, home.name, new.name, its))
        elif id.kind in ("index", "sequence", "statistics") and now.name == id.name:
            follower = now._replace(name=_follow(id.name, home.name, new.name, its))
        elif id.kind == "column" and fact["not_null"] is True and before.major >= 18:
            # Since 18 NOT NULL has a name, made from those of table and column (manual: CREATE TABLE, NOT NULL).
            made = after.facts.get(now)
            was, name = f"{home.name}_{id.part}_not_null"[:63], f"{new.name}_{now.part}_not_null"[:63]
            if was != name and made is not None and made["not_null"] is True:
                constraint = ObjectId("constraint", now.schema, now.name, was)
                yield _Step(constraint, constraint._replace(part=name))
            continue
        else:
            continue
        if follower != now and follower in wanted and follower not in names.now:
            yield _Step(now, follower)


def _multirange(old: str, new: str | None, type_: ObjectId) -> Iterator[_Step]:
    """A range type has a second type, whose name is made from its own."""
    if new is not None and last(old) != last(new):
        yield _Step(type_._replace(name=last(old)), type_._replace(name=last(new)))


def _follow(name: str, old: str, new: str, columns: Mapping[str, str]) -> str:
    """`people_name_key` → `persons_full_name_key`, for the table people → persons and the column name → full_name."""
    if not name.startswith(f"{old}_"):
        return name
    rest = name[len(old) :]
    words = rest.split("_")
    for before, after in sorted(columns.items(), key=lambda pair: -len(pair[0])):
        size = len(before.split("_"))
        for at in range(len(words) - size):
            if words[at : at + size] == before.split("_"):
                words[at : at + size] = [after]
    rest = "_".join(words)
    return f"{new}{rest}"
