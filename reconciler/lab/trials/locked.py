"""While somebody else holds the rows that the trigger writes: it waits and then fails as a whole, it does not pass them over."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lab.trials.bench import Bench, Firing, Tried
from reconciler.pg import connect, ident

_PATIENCE = "150ms"


def beside_a_lock(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """Each table it changes rows of. What is only appended to waits for nobody."""
    for table in firing.others:
        touched = firing.came.touched[table]
        if not touched.updated and not touched.deleted:
            continue
        # What stands there only since this transaction brought it there nobody else can hold.
        if any(one.startswith(f"update {ident(table.schema, table.name)} ") for one in firing.given):
            continue
        name = f"{firing.event}: rows of {table} are locked"
        with (
            connect(bench.url, application_name="reconciler lab") as other,
            other.transaction(force_rollback=True),
        ):
            other.execute(f"select from {ident(table.schema, table.name)} for update".encode())
            with bench.undone(firing.given):
                bench.connection.execute(f"set local lock_timeout to '{_PATIENCE}'")
                came = bench.run(firing.identity, firing.sql, firing.trigger)
        if came.failed:
            said = "the whole statement waits, and fails when it may wait no longer"
            yield Tried(firing.trigger, name, "passed", f"{said} [{came.sqlstate}]", (firing.sql,))
        elif came.wrote(table) < firing.came.wrote(table):
            says = f"it passes over rows of {table} that somebody else holds, without an error: {came.wrote(table)} written instead of {firing.came.wrote(table)}"
            yield Tried(firing.trigger, name, "failed", says, (firing.sql,), "starvation")
        else:
            yield Tried(
                firing.trigger, name, "passed", "it writes no row that was there before", (firing.sql,)
            )
