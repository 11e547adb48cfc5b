"""The same statement as everybody who may run it: the trigger must do the same for each, or say that it cannot.

What row-level security hides from the caller is not written, and no error tells (silent starvation): a trigger that updates a table as
its caller changes no row there.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lab.material import NOBODY
from reconciler.lab.trials.bench import Bench, Firing, Tried


def as_each_identity(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """Compared with a superuser, whom nothing binds, table by table."""
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    with bench.undone(firing.given):
        free = bench.run(NOBODY, firing.sql, firing.trigger)
    if free.failed or not free.rows:
        return
    able = 0
    for identity in bench.material.identities(relation):
        if identity is NOBODY:
            continue
        with bench.undone(firing.given):
            came = bench.run(identity, firing.sql, firing.trigger)
        if came.failed or not came.rows:
            continue  # refused as a whole: nothing is lost
        able += 1
        for table in free.written:
            if came.wrote(table) < free.wrote(table) and table != firing.trigger.table:
                says = (
                    f"as {identity.name} {came.wrote(table)} rows of {table} are written, as a superuser {free.wrote(table)},"
                    " and no error says so: row-level security hides them from the trigger"
                )
                name = f"{firing.event}: as {identity.name}"
                yield Tried(firing.trigger, name, "failed", says, (firing.sql,), "starvation")
                break
        else:
            yield Tried(
                firing.trigger,
                f"{firing.event}: as {identity.name}",
                "passed",
                "as for a superuser",
                (firing.sql,),
            )
