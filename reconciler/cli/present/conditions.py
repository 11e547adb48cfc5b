"""The status of a database as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from reconciler.cli.present.quarantined import size
from reconciler.engine.document import changes, identities
from reconciler.engine.looking import as_wished
from reconciler.model import Status


def status_document(status: Status, code: int) -> dict[str, Any]:
    """One database. `ok` says that every condition is as wished."""
    return {
        "database": status.database,
        "ok": code == 0,
        "observed_at": status.observed_at,
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "sentence": condition.sentence,
                "since": condition.since,
                "as_wished": as_wished(condition),
            }
            for condition in status.conditions
        ],
        "drift": changes(status.drift),
        "extra": identities(status.extra),
        "pending": list(status.pending),
        "facts": dict(status.facts),
    }


def status_lines(status: Status) -> Iterator[Text]:
    """The database's name, then one line per condition, those that are not as wished first."""
    yield Text(status.database, style="bold").append(f"  {status.observed_at}", style="dim")
    for condition in sorted(status.conditions, key=as_wished):
        well = as_wished(condition)
        line = Text("  ✓ " if well else "  ✗ ", style="green" if well else "bold red")
        line.append(f"{condition.type:<14}", style="bold" if not well else "")
        line.append(f"{condition.status:<8}")
        sentence = condition.sentence.replace("\n", "\n      ")
        yield line.append(sentence, style="dim" if well else "")
    source = status.facts.get("source")
    if source and source.get("commit"):
        yield Text(
            f"  {'declared by':<16}commit {source['commit'][:8]} of {source['branch']}, {source['url']}"
        )
    kept = status.facts.get("quarantine") or ()
    begun = [one for one in kept if one["kind"] == "unfinished_copy"]
    if kept:
        total = size(int(status.facts.get("quarantine_bytes") or 0))
        dropped = [one for one in kept if not one["kind"].startswith("unfinished_")]
        since = f", the oldest since {dropped[0]['kept_at']}" if dropped else ""
        line = Text(f"  {'kept':<16}{len(dropped)} dropped objects, {total}{since}")
        yield line.append("  (reconciler purge --list)", style="dim")
    if begun:
        line = Text(
            f"  {'begun':<16}{', '.join(one['id'] for one in begun)}: being copied since {begun[0]['kept_at']}"
        )
        yield line.append("  (reconciler apply goes on, reconciler rollback takes it back)", style="dim")
