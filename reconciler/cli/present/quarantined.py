"""What is kept of what was dropped, as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from reconciler.cli.screen import Screen
from reconciler.engine.custody import several
from reconciler.engine.erasing import Erased
from reconciler.engine.purging import Purged
from reconciler.model import Quarantined
from reconciler.settings import Database


def document(one: Quarantined) -> dict[str, Any]:
    return {
        "kind": one.id.kind,
        "id": str(one.id),
        "kept_as": one.kept_as,
        "kept_at": one.kept_at,
        "kept_by": one.kept_by,
        "rows": one.rows,
        "bytes": one.bytes,
        "held": one.held or None,
    }


def lines(kept: Iterable[Quarantined]) -> Iterator[Text]:
    """One line each: what it was, since when, how large, whether it is held."""
    for one in kept:
        line = Text(f"  {one.id.kind.replace('_', ' ')} {one.id}", style="bold")
        about = "" if one.rows is None else f" · about {several(one.rows)}"
        line.append(f"  since {one.kept_at}{about} · {size(one.bytes)} · as {one.kept_as}", style="dim")
        if one.held:
            line.append(f"  held: {one.held}", style="yellow")
        yield line


def size(count: int) -> str:
    """Bytes as a person reads them."""
    number = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def shown(screen: Screen, database: Database, kept: tuple[Quarantined, ...]) -> None:
    if screen.is_json:
        screen.document({"database": database.name, "kept": [document(one) for one in kept]})
        return
    screen.say_all(lines(kept))
    if not kept:
        screen.say("Nothing is kept.")


def purged(screen: Screen, database: Database, found: Purged) -> None:
    if screen.is_json:
        left = [{**document(one), "reason": reason} for one, reason in found.left]
        gone = [document(one) for one in found.gone]
        screen.document({"database": database.name, "purged": gone, "left": left})
        return
    screen.say_all(lines(found.gone))
    screen.say(f"Destroyed: {len(found.gone)}." if found.gone else "Nothing was due.")
    for one, reason in found.left:
        screen.note(f"{one.id.kind} {one.id} stays: {reason}", style="yellow")


def erased(screen: Screen, database: Database, found: tuple[Erased, ...]) -> None:
    if screen.is_json:
        told = [{**document(one.kept), "erased": one.rows, "reason": one.reason or None} for one in found]
        screen.document({"database": database.name, "erased": told})
        return
    for one in found:
        if one.rows is not None:
            screen.say(f"{one.kept.id.kind} {one.kept.id}: {several(one.rows)} deleted")
    for one in found:
        if one.rows is None:
            screen.note(f"{one.kept.id.kind} {one.kept.id} was not asked: {one.reason}", style="yellow")
    if not found:
        screen.say("Nothing is kept.")
