"""The log of a sweep, one JSON object a line, and its summary."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


def entries(path: Path) -> list[Entry]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


OUTCOMES = (
    "before",
    "step",
    "in a statement that can run twice",
    "after",
    "unknown",
    "run again at once",
    "done",
)


def summary(known: Sequence[Entry]) -> str:
    """The log as a table: what was done, to how many migrations, and where the database was found."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    migrations: dict[str, set[str]] = defaultdict(set)
    for entry in known:
        for number, (fault, met) in enumerate(zip(entry["faults"], entry["met"], strict=False)):
            if not met:
                table["(came too late)"]["faults"] += 1
                continue
            kind = fault["kind"]
            table[kind]["faults"] += 1
            table[kind][fault["moment"]] += 1
            migrations[kind].add(entry["change"])
            if number < len(entry["found"]):
                table[kind][entry["found"][number]] += 1
    columns = ("migrations", "faults", "boundary", "during", "any", *OUTCOMES)
    width = max(map(len, table), default=0)
    lines = ["fault".ljust(width) + " | " + " | ".join(columns)]
    for kind in sorted(table):
        row = {**table[kind], "migrations": len(migrations[kind])}
        lines.append(
            kind.ljust(width) + " | " + " | ".join(str(row.get(c, 0)).rjust(len(c)) for c in columns)
        )
    met = sum(sum(entry["met"]) for entry in known)
    breaches = Counter(breach.split(":")[0] for entry in known for breach in entry["breaches"])
    seconds = sorted(entry["seconds"] for entry in known) or [0.0]
    names = {entry["change"] for entry in known if any(entry["met"])}
    wanted = ("lost row", "unknown state", "double apply", "two appliers", "left over", "does not continue")
    counted = ", ".join(
        f"{sum(n for k, n in breaches.items() if k.startswith(each))} × {each}" for each in wanted
    )
    acknowledged = Counter[tuple[str, str]]()
    for entry in known:
        acknowledged[entry["change"], entry["route"]] = max(
            acknowledged[entry["change"], entry["route"]], entry["acknowledged"]
        )
    return "\n".join([
        *lines,
        f"{met} faults in {len(known)} disturbed runs of {len(names)} migrations (by psql: {sum(e['route'] == 'psql' for e in known)} runs);"
        f" {sum(acknowledged.values())} acknowledged writes beside them",
        f"breaches of law 6: {counted}",
        f"seconds a disturbed run, with its judgement: mean {sum(seconds) / len(seconds):.2f}, median {seconds[len(seconds) // 2]}, most {seconds[-1]}",
    ])  # fmt: skip
