"""Putting operations in an order that PostgreSQL accepts.

Knows nothing of kinds: it is given nodes, edges ("this one first") and preferences, and returns an order, or the cycle that
forbids one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

Node = TypeVar("Node", bound=Hashable)


def arranged(
    nodes: Iterable[Node], first: Mapping[Node, set[Node]], preference: Callable[[Node], Any]
) -> tuple[list[Node], list[Node]]:
    """(order, rest): each node after all of `first[node]`; among those that are free, the smallest preference.

    `rest` is what no order can be found for: the nodes on a cycle and all behind it; empty when there is none.
    """
    everything = list(nodes)
    known = set(everything)
    waiting = {node: {n for n in first.get(node, ()) if n in known and n != node} for node in everything}
    followers: dict[Node, list[Node]] = {}
    for node, needs in waiting.items():
        for need in needs:
            followers.setdefault(need, []).append(node)
    count = {node: len(needs) for node, needs in waiting.items()}
    serial = {node: position for position, node in enumerate(everything)}
    heap = [(preference(node), serial[node], node) for node in everything if not count[node]]
    heapq.heapify(heap)
    order = []
    while heap:
        node = heapq.heappop(heap)[2]
        order.append(node)
        for follower in followers.get(node, ()):
            count[follower] -= 1
            if not count[follower]:
                heapq.heappush(heap, (preference(follower), serial[follower], follower))
    done = set(order)
    return order, [node for node in everything if node not in done]


def cycles(nodes: Iterable[Node], first: Mapping[Node, set[Node]]) -> list[list[Node]]:
    """The strongly connected components of more than one node (Tarjan 1972, without recursion)."""
    nodes = list(nodes)
    known = set(nodes)
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    found = []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter([n for n in first.get(root, ()) if n in known]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter([n for n in first.get(successor, ()) if n in known])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    if len(component) > 1:
                        found.append(component)
    return found
