"""Which functions speak of which objects, as far as their text shows.

PostgreSQL keeps most function bodies as strings and records no dependency for what they use; but a materialized view,
a check over existing rows or an index expression runs them while it is being made. Promises hints, never truths: a word in
a body that looks like a name is one. So the planner heeds them only where they close no circle.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from reconciler.model import ObjectId, Snapshot

_WORD = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
SPEAKERS = frozenset({"function", "procedure", "aggregate"})
NAMED = SPEAKERS | {
    "table", "foreign_table", "view", "materialized_view", "sequence", "enum", "domain", "composite", "range"
}  # fmt: skip


def mentions(side: Snapshot, subjects: Collection[ObjectId]) -> Mapping[ObjectId, frozenset[ObjectId]]:
    """For each function of `side`, those of `subjects` whose names occur in its body. One pass over all bodies."""
    by_name: dict[str, list[ObjectId]] = {}
    for subject in subjects:
        if subject.kind in NAMED:
            by_name.setdefault(subject.name, []).append(subject)
    if not by_name:
        return {}
    found = {}
    for id, fact in side.facts.items():
        if id.kind not in SPEAKERS or fact["language"] in ("c", "internal"):
            continue
        named = {
            subject
            for word in words(str(fact["definition"] or "")) & by_name.keys()
            for subject in by_name[word]
        } - {id}
        if named:
            found[id] = frozenset(named)
    return found


def words(text: str) -> set[str]:
    """Everything in a body or an expression that may be a name."""
    return {_folded(word) for word in _WORD.findall(text)}


def _folded(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
