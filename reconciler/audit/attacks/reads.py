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
    return f"select x::text from ({inner}) as x"


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
        now = yield Attack(
            target.id,
            "SELECT",
            "reads every row, when all times are now",
            lines(query(target)),
            "ATK001",
            tuple(_now(target)),
            compared=True,
            reads=True,
            oracle="ATK020",
        )
        if now.leaked:
            return
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


def _now(target: Target) -> Iterator[str]:
    """All times beneath are now: what a condition on the clock hides may come into view."""
    for table in target.scene.beneath(target.relation):
        times = [
            f"{ident(c.name)} = pg_catalog.now()"
            for c in table.columns
            if c.type.startswith(("timestamp", "date")) and not c.generated and c.name not in table.primary
        ]
        if times and table.oid not in target.scene.authority and not table.above and table.kind == "r":
            yield f"update {table.sql} set {', '.join(times)}"
