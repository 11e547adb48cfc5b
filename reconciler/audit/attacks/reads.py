"""Reading everything: SELECT and COPY of every column that the identity may read."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks
from reconciler.pg import ident


def query(target: Target) -> str:
    """A query for the rows of the target, in the columns that may be read."""
    return f"select {columns(target)} from {target.sql}"


def columns(target: Target) -> str:
    names = target.rights.select or [column.name for column in target.relation.columns]
    return ", ".join(ident(name) for name in names)


def lines(inner: str) -> str:
    """Each row as one text: what is compared and searched."""
    return f"select (x.*)::text from ({inner}) as x"


def attacks(target: Target) -> Attacks:
    plain = yield Attack(
        target.id,
        "SELECT",
        "reads every row",
        lines(query(target)),
        "ATK001",
        compared=True,
        reads=True,
        oracle="ATK020",
    )
    if plain.leaked or plain.denied or not target.scene.rows(target.base, "B"):
        return
    if not plain.rows and plain.trouble is None and not target.rights.ruled("SELECT"):
        for setup in dict.fromkeys(tuple(_now(target, keys=keys)) for keys in (False, True)):
            if not setup:
                continue
            now = yield Attack(
                target.id,
                "SELECT",
                "reads every row, when all times are now",
                lines(query(target)),
                "ATK001",
                setup,
                compared=True,
                reads=True,
                oracle="ATK020",
            )
            if now.leaked:
                return
            if now.rows:
                break
    copied = f"{target.sql} ({columns(target)})" if target.relation.kind == "r" else f"({query(target)})"
    yield Attack(
        target.id,
        "SELECT",
        "copies every row out",
        f"copy {copied} to stdout",
        "ATK001",
        compared=bool(plain.rows),
        reads=True,
        query=lines(query(target)),
    )


def _now(target: Target, *, keys: bool) -> Iterator[str]:
    """All times beneath are now, with `keys` those in keys as well: what a condition on the clock hides may come into view."""
    for table in target.scene.beneath(target.relation):
        if table.oid in target.scene.authority or table.above:
            continue
        # a little apart, so that keys stay unique, and counted within the tenant, so that both worlds agree
        times = [
            f"{ident(c.name)} = pg_catalog.now() - y.n * interval '{'1 day' if c.type == 'date' else '1 minute'}'"
            for c in table.columns
            if c.type.startswith(("timestamp", "date"))
            and not c.generated
            and (keys or c.name not in table.primary)
        ]
        owner = target.scene.owner_of(table).owner or "null"
        numbered = (
            f"select x.tableoid, x.ctid, pg_catalog.row_number() over (partition by {owner} order by (x.*)::text) - 1 as n"
            f" from {table.sql} as x"
        )
        if times:
            yield (
                f"update {table.sql} as x set {', '.join(times)} from ({numbered}) as y"
                " where y.tableoid = x.tableoid and y.ctid = x.ctid"
            )
