"""Orders and circles: what comes first comes first, what is free goes by preference, circles are found whole."""

from __future__ import annotations

import random

from reconciler.plan.order import arranged, cycles


def by_name(node: str) -> str:
    return node


def test_free_nodes_go_by_preference() -> None:
    assert arranged("cab", {}, by_name) == (["a", "b", "c"], [])


def test_each_comes_after_what_it_waits_for() -> None:
    first = {"a": {"c"}, "c": {"b"}}
    assert arranged("abcd", first, by_name) == (["b", "c", "a", "d"], [])


def test_what_is_not_there_is_not_waited_for() -> None:
    assert arranged("a", {"a": {"elsewhere", "a"}}, by_name) == (["a"], [])


def test_a_circle_and_what_is_behind_it_are_the_rest() -> None:
    first = {"b": {"c"}, "c": {"b"}, "d": {"c"}}
    assert arranged("abcd", first, by_name) == (["a"], ["b", "c", "d"])


def test_circles_are_found_apart_from_each_other() -> None:
    first = {"a": {"b"}, "b": {"a"}, "c": {"a", "d"}, "d": {"e"}, "e": {"c"}, "f": {"a"}}
    assert sorted(sorted(circle) for circle in cycles("abcdef", first)) == [["a", "b"], ["c", "d", "e"]]


def test_no_circle_in_an_order() -> None:
    assert cycles("abc", {"a": {"b", "c"}, "b": {"c"}}) == []


def test_a_long_chain_needs_no_recursion() -> None:
    nodes = list(range(20_000))
    first = {node: {node - 1} for node in nodes[1:]}
    assert arranged(reversed(nodes), first, lambda node: -node) == (nodes, [])
    assert cycles(nodes, first) == []
    first[0] = {nodes[-1]}
    assert [len(circle) for circle in cycles(nodes, first)] == [20_000]


def test_any_graph_without_circles_is_put_in_order() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        nodes = list(range(30))
        ranks = nodes[:]
        chance.shuffle(ranks)
        first: dict[int, set[int]] = {}
        for _ in range(80):
            a, b = chance.sample(nodes, 2)
            later, earlier = (a, b) if ranks[a] > ranks[b] else (b, a)
            first.setdefault(later, set()).add(earlier)
        order, rest = arranged(nodes, first, lambda node: node)
        assert not rest and sorted(order) == nodes
        place = {node: number for number, node in enumerate(order)}
        assert all(place[earlier] < place[later] for later, needs in first.items() for earlier in needs)
