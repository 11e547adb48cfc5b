"""What the triggers of a schema cost: each of them on a copy of its own, one after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from reconciler.catalog.scope import Scope
from reconciler.declare import TriggerDesign
from reconciler.engine.subject import Subject
from reconciler.engine.work import Told
from reconciler.errors import Usage
from reconciler.lab import overhead
from reconciler.model import ObjectId
from reconciler.pg import connect
from reconciler.settings.fields import closest


def benched(
    subject: Subject,
    *,
    only: Collection[str] = (),
    budget: overhead.Budget | None = None,
    seconds: float = 25.0,
    told: Told = lambda stage: None,
    done: Callable[[overhead.Cost], None] = lambda cost: None,
) -> Iterator[overhead.Cost]:
    """One cost for each trigger and event, in the order of their names. `only` are names of triggers (`trigger`, `table.trigger` or with the
    schema), `budget` beats what their authors say. Raises Usage for a name that is none.
    """
    with connect(subject.start) as session:
        found = [one for one in overhead.subjects(session) if _ours(one, subject.scope)]
    wanted = _chosen(found, only)
    said = {design.trigger: design for design in subject.designs}
    for number, one in enumerate(wanted, start=1):
        head = f"{number} of {len(wanted)}: {one.trigger} on {one.event}"

        def stage(what: str, head: str = head) -> None:
            told(f"{head}: {what}")

        cost = overhead.measured(
            subject.shadow,
            subject.start,
            one,
            budget=budget or _declared(said.get(one.trigger)),
            seconds=seconds,
            told=stage,
        )
        done(cost)
        yield cost


def _ours(one: overhead.Subject, scope: Scope) -> bool:
    """A trigger of a table in scope, or one that runs a function in scope on a table of the platform."""
    schema = one.trigger.schema
    return schema in scope or (schema in scope.lent and one.routine[0] in scope)


def _chosen(found: list[overhead.Subject], only: Collection[str]) -> list[overhead.Subject]:
    if not only:
        return found
    names = {one.trigger: _names(one.trigger) for one in found}
    for name in only:
        if not any(name in known for known in names.values()):
            every = tuple(sorted({known for several in names.values() for known in several}))
            raise Usage(
                f"there is no trigger {name}{closest(name, every)}",
                hint="write trigger, table.trigger or schema.table.trigger",
            )
    return [one for one in found if names[one.trigger] & set(only)]


def _names(id: ObjectId) -> set[str]:
    return {id.part, f"{id.name}.{id.part}", f"{id.schema}.{id.name}.{id.part}", str(id)}


def _declared(design: TriggerDesign | None) -> overhead.Budget:
    usual = overhead.Budget()
    if design is None:
        return usual
    said = design.budget
    return overhead.Budget(
        usual.single if said.single is None else said.single, usual.bulk if said.bulk is None else said.bulk
    )
