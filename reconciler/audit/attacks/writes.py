"""The three commands that write, upon rows of the other tenant: INSERT, UPDATE, DELETE, none of which needs to read.

Each first finds out, with a row of A's own, in which form the identity can do it at all, and then does the same to B's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import product

from reconciler.audit.attacks.arena import arena, inner_circle, taken_away
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attack, Attacks, Outcome
from reconciler.pg import ident


def inserts(target: Target) -> Attacks:
    if not target.possible("INSERT"):
        yield Attack(target.id, "INSERT", "inserts a row", target.insertion((), {}), "ATK002")
        return
    columns = all_columns = target.writable(target.rights.insert)
    for row, some in product(target.own(), (all_columns, target.needed(all_columns))):
        control = yield Attack(
            target.id,
            "INSERT",
            "puts a row of A back",
            target.insertion(some, row.values),
            "ATK002",
            (taken_away(target.base, [row]),),
            own=True,
        )
        if control.reached or control.denied:
            columns = some
            break
    for row in target.foreign():
        for how, values in target.swapped(row):
            done = yield Attack(
                target.id,
                "INSERT",
                f"inserts a row of tenant B{how}",
                target.insertion(columns, values),
                "ATK002",
                target.room_for(row, values),
                aside=bool(how),
            )
            if done.leaked or done.denied:
                return


def updates(target: Target) -> Attacks:
    if not target.possible("UPDATE"):
        name = ident(target.relation.columns[0].name) if target.relation.columns else "x"
        yield Attack(
            target.id, "UPDATE", "changes every row", f"update {target.sql} set {name} = default", "ATK003"
        )
        return
    columns = target.changeable() or target.resettable()
    chosen = yield from _changed(target, columns)
    for row in target.foreign():
        for setup in target.arenas([row]) if columns else []:
            # where the attacker's own row stays, beside B's, it stays unique with its own value
            of = next(iter(target.mine()), row) if target.consulted else row
            done = yield Attack(
                target.id,
                "UPDATE",
                "changes rows of tenant B without a WHERE",
                f"update {target.sql} set {target.assignments([chosen or columns[0]], of.values)}",
                "ATK003",
                setup,
            )
            if done.leaked or done.denied:
                return


def _changed(target: Target, columns: Sequence[str]) -> Generator[Attack, Outcome, str]:
    """The first of these columns that the identity can change in a row of A's; empty for none."""
    # who may change nobody else may still change what they are themselves
    for row in [*target.own()[: 1 if target.authority else 2], *(target.mine() if target.authority else ())]:
        for column in columns[:MOST_COLUMNS]:
            control = yield Attack(
                target.id,
                "UPDATE",
                "changes a row of A",
                f"update {target.sql} set {target.assignments([column], row.values)}"
                + (_where(target, row.values) if target.authority else ""),
                "ATK003",
                arena(target.scene, target.base, [row], own=True, stays=True),
                own=True,
            )
            if control.reached:
                return column
            if control.denied:
                return ""
            if control.trouble is None or control.refused:
                break
    return ""


def deletes(target: Target) -> Attacks:
    if not target.possible("DELETE"):
        yield Attack(target.id, "DELETE", "deletes every row", f"delete from {target.sql}", "ATK004")
        return
    for row in target.own()[:2]:
        control = yield Attack(
            target.id,
            "DELETE",
            "deletes a row of A",
            f"delete from {target.sql}",
            "ATK004",
            arena(target.scene, target.base, [row], own=True),
            own=True,
        )
        if control.reached or control.denied:
            break
    rows = target.foreign()
    for some in [rows, *([row] for row in rows)] if rows else []:
        outcomes = []
        for setup in target.arenas(some, going=True):
            done = yield Attack(
                target.id,
                "DELETE",
                "deletes rows of tenant B without a WHERE",
                f"delete from {target.sql}",
                "ATK004",
                setup,
            )
            if done.leaked or done.denied:
                return
            outcomes.append(done)
        if all(done.trouble is None for done in outcomes):
            return


def truncates(target: Target) -> Attacks:
    if target.relation.kind not in ("r", "p"):
        return
    done = yield Attack(target.id, "TRUNCATE", "empties the table", f"truncate {target.sql}", "ATK005")
    if done.code == "0A000":
        yield Attack(
            target.id,
            "TRUNCATE",
            "empties the table and all that refer to it",
            f"truncate {target.sql} cascade",
            "ATK005",
        )


def moves(target: Target) -> Attacks:
    """Rows across the border by UPDATE: one of A's given to B, one of B's taken over, where the columns that decide may be written."""
    if not target.possible("UPDATE"):
        return
    may = target.changeable()
    deciding = [name for name in may if target.beneath(name) in target.deciding]
    if not deciding:
        return
    mine, theirs = target.own(), target.foreign()
    if not mine or not theirs:
        return
    own, foreign = mine[0], theirs[0]
    where = _where(target, own.values)
    if not target.authority or where:
        for how, values in target.swapped(foreign):
            for columns in (may, deciding):
                done = yield Attack(
                    target.id,
                    "UPDATE",
                    f"makes a row of A one of tenant B{how}",
                    f"update {target.sql} set {target.assignments(columns, values)}{where if target.authority else ''}",
                    "ATK006",
                    (
                        *arena(target.scene, target.base, [own], own=True),
                        taken_away(target.base, [foreign]),
                    ),
                    aside=True,
                )
                if done.leaked or done.denied:
                    return
                if done.refused:
                    break
    for row in target.mine() if target.authority else []:
        # without WHERE, as the row is the attacker's own: a WHERE would ask the policies for SELECT about the new row as well
        goal = [name for name in deciding if target.beneath(name) not in target.naming_people()]
        if goal:
            done = yield Attack(
                target.id,
                "UPDATE",
                "makes the attacker's own row one of tenant B",
                f"update {target.sql} set {target.assignments(goal, foreign.values)}",
                "ATK006",
                inner_circle(target.scene, target.base, [], [row], unbound=False),
                aside=True,
            )
            if done.leaked or done.denied:
                return
    keys = {name for key in target.base.keys for name in key.columns}
    taken = list(dict.fromkeys([*deciding, *(name for name in may if target.beneath(name) in keys)]))
    setup = arena(target.scene, target.base, [foreign])
    for columns in [deciding] if target.authority or taken == deciding else [taken, deciding]:
        done = yield Attack(
            target.id,
            "UPDATE",
            "takes a row of tenant B over",
            f"update {target.sql} set {target.assignments(columns, own.values)}",
            "ATK006",
            setup,
            aside=True,
        )
        if done.leaked or done.trouble is None:
            return


MOST_COLUMNS = 3


def _where(target: Target, values: object) -> str:
    """The row by its key, if the identity may read that."""
    key = {
        name: target.beneath(name)
        for name in target.rights.select
        if target.beneath(name) in target.base.primary
    }
    if not key or set(key.values()) != set(target.base.primary) or not isinstance(values, dict):
        return ""
    return " where " + " and ".join(f"{ident(name)} = {target.values([name], values)}" for name in key)
