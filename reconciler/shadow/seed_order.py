"""In which order tables are filled: those that others point to first, and a place to begin in every circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.shadow.seed_tables import Table, Tables


def with_targets(tables: Tables, wanted: Iterable[int]) -> set[int]:
    """The tables and everything that their foreign keys lead to."""
    found: set[int] = set()
    todo = list(wanted)
    while todo:
        oid = todo.pop()
        if oid not in found and oid in tables.tables:
            found.add(oid)
            todo += _targets(tables, tables.tables[oid])
    return found


def ordered(tables: Tables, wanted: Iterable[int]) -> list[int]:
    """The tables that hold rows of their own, targets first; in a circle, those that can do without their target first."""
    nodes = {
        oid: [t for t in _targets(tables, tables.tables[oid]) if t != oid]
        for oid in sorted(wanted, key=lambda oid: (tables.tables[oid].schema, tables.tables[oid].name))
        if not tables.tables[oid].partitioned
    }
    nodes = {oid: [t for t in targets if t in nodes] for oid, targets in nodes.items()}
    order: list[int] = []
    for circle in _circles(nodes):
        left = sorted(circle, key=lambda oid: (tables.tables[oid].schema, tables.tables[oid].name))
        while left:
            needs = [len(_needed(tables, tables.tables[oid]) & (set(left) - {oid})) for oid in left]
            order.append(left.pop(needs.index(min(needs))))
    return order


def _targets(tables: Tables, table: Table) -> list[int]:
    found: list[int] = []
    for key in table.keys:
        target = tables.tables.get(key.target)
        if target is not None:
            found += target.leaves if target.partitioned else (target.oid,)
    return list(dict.fromkeys(found))


def _needed(tables: Tables, table: Table) -> set[int]:
    """The targets of keys that cannot be NULL."""
    found: set[int] = set()
    for key in table.keys:
        target = tables.tables.get(key.target)
        nullable = [not table.column(name).not_null for name in key.columns]
        if target is not None and not (all(nullable) if key.full else any(nullable)):
            found |= {target.oid, *target.leaves}
    return found


def _circles(nodes: Mapping[int, list[int]]) -> Iterator[list[int]]:
    """Tarjan's strongly connected components, without recursion: a component comes after all that it points to."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for start in nodes:
        if start in index:
            continue
        path: list[tuple[int, Iterator[int]]] = []
        entering: int | None = start
        while path or entering is not None:
            if entering is not None:
                index[entering] = low[entering] = len(index)
                stack.append(entering)
                on_stack.add(entering)
                path.append((entering, iter(nodes[entering])))
                entering = None
            node, targets = path[-1]
            for target in targets:
                if target not in index:
                    entering = target
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            if entering is not None:
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == index[node]:
                circle: list[int] = []
                while not circle or circle[-1] != node:
                    circle.append(stack.pop())
                on_stack -= set(circle)
                yield circle
