"""The difference of two snapshots: created, altered, dropped. No knowledge of any kind."""

from __future__ import annotations

from reconciler.model import Change, Fact, Snapshot


def compare(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """What leads from `before` to `after`, in the order of identities. `compare(x, x)` is empty.

    An altered object names the attributes that differ where both sides hold them; digests alone decide that it differs.
    """
    found = []
    for id in sorted({id for id, _ in before.digests.items() ^ after.digests.items()}):
        old, new = before.digests.get(id), after.digests.get(id)
        if old is None:
            found.append(Change("create", id))
        elif new is None:
            found.append(Change("drop", id))
        else:
            found.append(Change("alter", id, differing(before.facts.get(id), after.facts.get(id))))
    return tuple(found)


def differing(old: Fact | None, new: Fact | None) -> tuple[str, ...]:
    """The names of the attributes that differ, sorted; empty when a side was not fetched."""
    if old is None or new is None:
        return ()
    keys = {*old.attributes, *new.attributes}
    return tuple(sorted(key for key in keys if old.attributes.get(key) != new.attributes.get(key)))


def residue(got: Snapshot, wanted: Snapshot) -> tuple[str, ...]:
    """The same difference in sentences, for people: what is not as wanted in `got`."""
    sentences = []
    for change in compare(got, wanted):
        if change.verb == "create":
            sentences.append(f"{change.id.kind} {change.id} is missing")
        elif change.verb == "drop":
            sentences.append(f"{change.id.kind} {change.id} should not exist")
        else:
            old, new = got.facts.get(change.id), wanted.facts.get(change.id)
            details = [
                f"{key} is {old[key]!r}, wanted {new[key]!r}" for key in change.attributes if old and new
            ] or ["differs"]
            sentences.append(f"{change.id.kind} {change.id}: {'; '.join(details)}")
    return tuple(sentences)
