"""A scenario, once read: values, with the place of each transaction. Never runs anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.declare import format_scenario
from reconciler.declare.format_scenario import Acting, Common, Level, OneScenario, Scenarios
from reconciler.declare.node import suggestion, together
from reconciler.declare.tree import Real
from reconciler.errors import Source, Usage

JWT = "request.jwt.claims"


@dataclass(frozen=True, slots=True)
class Who:
    """An actor: `role` is empty for the superuser, `settings` are set for the transaction."""

    name: str
    role: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What runs in one transaction and what is to come of it. `rows` are texts as PostgreSQL prints them (None is NULL), None: whatever
    comes; `error` is the SQLSTATE it must fail with."""

    who: Who
    statements: tuple[str, ...]
    source: Source
    rows: tuple[tuple[str | None, ...], ...] | None = None
    error: str = ""
    message: str = ""
    adds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`steps` run one after another, `race` at once; one of them is empty."""

    name: str
    source: Source
    given: str = ""
    steps: tuple[Transaction, ...] = ()
    race: tuple[Transaction, ...] = ()
    levels: tuple[Level, ...] = ()
    invariants: Mapping[str, str] = field(default_factory=dict)


def read(node: OneScenario | Scenarios) -> tuple[Scenario, ...]:
    """Raises Usage that names every fault."""
    if isinstance(node, OneScenario):
        return (_scenario(node.scenario, node.source("scenario"), node, node),)
    faults: list[Usage] = []
    found = []
    for name, one in node.scenarios.items():
        try:
            found.append(_scenario(name, node.source("scenarios", name), one, node))
        except Usage as fault:
            faults.append(fault)
    if faults:
        raise together(faults)
    return tuple(found)


def _scenario(name: str, source: Source, node: format_scenario.Scenario, common: Common) -> Scenario:
    """`common` is what it shares with others; where nothing is shared, itself."""
    faults: list[Usage] = []
    who = {key: _who(key, acting) for key, acting in {**common.actors, **node.actors}.items()}
    steps, race = (tuple(_transactions(node, key, who, faults)) for key in ("steps", "race"))
    if faults:
        raise together(faults)
    invariants = {
        key: query.strip().rstrip(";") for key, query in {**common.invariants, **node.invariants}.items()
    }
    given = "\n".join(dict.fromkeys(script for script in (common.given, node.given) if script))
    return Scenario(name, source, given, steps, race, tuple(node.levels or common.levels), invariants)


def _transactions(
    node: format_scenario.Scenario, key: str, who: Mapping[str, Who], faults: list[Usage]
) -> Iterator[Transaction]:
    turns = node.steps if key == "steps" else node.race
    for number, turn in enumerate(turns):
        where = node.source(key, number)
        if turn.actor is not None and turn.actor not in who:
            said = f"no actor is called {turn.actor}{suggestion(turn.actor, who)}"
            faults.append(Usage(said, sources=(turn.source("as"),)))
            continue
        if key == "race" and (turn.rows is not None or turn.error or turn.message or turn.adds):
            said = "what comes of a race is compared with the same transactions one after another"
            faults.append(Usage(said, hint="state what must hold under invariants", sources=(where,)))
        yield Transaction(
            who[turn.actor] if turn.actor else Who("the superuser"),
            tuple(sql.strip().rstrip(";") for sql in turn.run.statements),
            where,
            None if turn.rows is None else tuple(tuple(_text(v) for v in row) for row in turn.rows),
            turn.error or "",
            turn.message or "",
            turn.adds,
        )


def _who(name: str, acting: Acting) -> Who:
    claims = {JWT: json.dumps(_plain(acting.claims))} if acting.claims else {}
    return Who(name, acting.role, {**claims, **acting.settings})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return float(value.text) if isinstance(value, Real) else value


def _text(value: Any) -> str | None:
    """As PostgreSQL prints it: true is t."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dict | list):
        return json.dumps(_plain(value))
    return value.text if isinstance(value, Real) else str(value)
