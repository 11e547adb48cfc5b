"""The functions that only roles beyond row-level security may call, and the calls to make: one tenant's key beside another one's row.

Knows the catalog, the texts and the rows of a world. Promises that a function is given what its arguments' names mean, and a secret that the world's rows
accept where its text asks for one. Runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.audit.arguments import CONFIDENTIAL, Meaning, meaning
from reconciler.audit.triggers.stage import Stage
from reconciler.audit.triggers.wiring import Routine
from reconciler.model import ObjectId
from reconciler.pg import ident, literal
from reconciler.shadow.tenants.values import Identity, Side

SECRET = "reconciler_secret_of_"  # noqa: S105 (known to nobody but a scratch database)
_FRESH = "reconciler-1"


@dataclass(frozen=True, slots=True)
class Served:
    """A function with the meaning of each argument it must be given. `settings` are those that its text asks for a secret, with the key in them.
    `variadic`: its last argument is an array that stands for any number of them."""

    id: ObjectId
    routine: Routine
    types: tuple[str, ...]
    names: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    settings: tuple[tuple[str, str], ...]
    variadic: bool = False

    @property
    def pairs(self) -> tuple[int, ...]:
        """The arguments that say whose something is."""
        return tuple(i for i, one in enumerate(self.meanings) if one.kind in ("tenant", "key"))

    @property
    def secret(self) -> bool:
        return bool(self.settings) or any(one.kind == "secret" for one in self.meanings)


@dataclass(frozen=True, slots=True)
class Call:
    """`sides` says of each argument whose it is (None: nobody's); `setup` makes the secrets known."""

    identity: Identity
    sql: str
    sides: tuple[Side | None, ...]
    setup: tuple[str, ...] = ()
    values: tuple[str | None, ...] = ()


_CALLABLE = """
select p.oid::bigint,
  array(select pg_catalog.format_type(t.oid, null) from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality as t (oid, i) order by t.i),
  case when p.proargmodes is null then coalesce(p.proargnames, '{}'::text[]) else
    array(select p.proargnames[m.i] from pg_catalog.unnest(p.proargmodes) with ordinality as m (mode, i) where m.mode in ('i', 'b', 'v') order by m.i) end,
  p.provariadic <> 0
from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where p.prokind in ('f', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'e')
  and pg_catalog.has_function_privilege(%(role)s, p.oid, 'execute') and pg_catalog.has_schema_privilege(%(role)s, n.oid, 'usage')
  and not pg_catalog.pg_has_role(%(role)s, p.proowner, 'member')
  and not exists (select from pg_catalog.unnest(%(ordinary)s::text[]) as o (name)
    where pg_catalog.has_function_privilege(o.name, p.oid, 'execute') and pg_catalog.has_schema_privilege(o.name, n.oid, 'usage'))
order by n.nspname, p.proname, p.oid
"""


def served_by(stage: Stage, identity: Identity) -> tuple[Served, ...]:
    """What this identity may call, not as the owner, and nobody may whom row-level security binds."""
    ordinary = sorted({one.role for one in stage.world.identities if not one.bypasses})
    found = []
    for oid, types, names, variadic in stage.connection.execute(
        _CALLABLE, {"role": identity.role, "ordinary": ordinary}
    ).fetchall():
        id = stage.functions[oid]
        routine = stage.wiring.routines[id]
        texts = stage.wiring.bodies(routine)
        keys = tuple(dict.fromkeys(key for one in texts for key in one.text.keys))
        source = "\n".join(one.text.source for one in texts)
        known = [*names, *[""] * len(types)]
        meanings = tuple(
            meaning(stage.world, stage.catalogue, source, keys, known[i], type_)
            for i, type_ in enumerate(types)
        )
        asked = dict.fromkeys(
            name for one in texts for name in one.text.settings if name not in identity.settings
        )
        settings = tuple((name, next((k for k in keys if CONFIDENTIAL.search(k)), "")) for name in asked)
        held = tuple(one for one in settings if one[1] or CONFIDENTIAL.search(one[0]))
        called = tuple(known[: len(types)])
        found.append(Served(id, routine, tuple(types), called, meanings, held, variadic))
    return tuple(found)


def controls(stage: Stage, served: Served, identity: Identity) -> Iterator[Call]:
    """Calls with A's keys alone: the values of its rows, then new ones; with the secrets stored in each way that is tried."""
    sides: tuple[Side | None, ...] = tuple("A" for _ in served.meanings)
    for setup in _keyrings(stage, served) if served.secret else [()]:
        for number in (0, 1, -1):
            yield call(served, identity, sides, number, setup)


def call(
    served: Served, identity: Identity, sides: Sequence[Side | None], number: int, setup: Sequence[str]
) -> Call:
    """With the values of these sides; `number` says of which of their rows, -1 that data is to be new."""
    values = [_value(one, side or "A", number) for one, side in zip(served.meanings, sides, strict=True)]
    constants = [_constant(value, type_) for value, type_ in zip(values, served.types, strict=True)]
    if served.variadic:
        constants[-1] = f"variadic {constants[-1]}"
    given, name = ", ".join(constants), ident(served.id.schema, served.id.name)
    sql = (
        f"call {name}({given})"
        if served.id.kind == "procedure"
        else f"select x::text from {name}({given}) as x"
    )
    settings = dict(identity.settings)
    for setting, key in served.settings:
        settings[setting] = json.dumps({key: f"{SECRET}A"}) if key else f"{SECRET}A"
    return Call(replace(identity, settings=settings), sql, tuple(sides), tuple(setup), tuple(values))


def _constant(value: str | None, type_: str) -> str:
    """The value as the type has it: alone in an array where that is one."""
    if value is None:
        return f"null::{type_}"
    return f"array[{literal(value)}]::{type_}" if type_.endswith("[]") else f"{literal(value)}::{type_}"


def _value(one: Meaning, side: Side, number: int) -> str | None:
    if one.kind == "secret":
        return f"{SECRET}A"  # who holds B's secret may act for B
    if one.kind == "data" and number < 0 and one.column and not (one.of(side) or "").isdecimal():
        held = one.of(side) or ""
        return _FRESH if not re.fullmatch(r"[0-9a-f-]{36}|\d{4}-\d\d-\d\d.*|[tf]", held) else held
    return one.of(side, max(number, 0))


def _keyrings(stage: Stage, served: Served) -> list[tuple[str, ...]]:
    """Ways to store secrets that we know where the function looks them up: as they are, or as a digest."""
    found: list[tuple[str, ...]] = []
    for effect in stage.wiring.effects(served.routine):
        owned = stage.world.tenancy.tables.get(effect.table)
        if effect.table.kind != "table" or effect.use.writes or owned is None or not owned.owner:
            continue
        relation = stage.relation(effect.table)
        for column in relation.columns:
            if not CONFIDENTIAL.search(f"{column.name} {relation.name}") or not column.type.startswith(
                ("text", "bytea", "character")
            ):
                continue
            digest = "pg_catalog.sha256(pg_catalog.convert_to({0}, 'UTF8'))"
            ways = (digest,) if column.type == "bytea" else ("{0}", f"pg_catalog.encode({digest}, 'hex')")
            for way in ways:
                setup = tuple(
                    f"update {relation.sql} as x set {ident(column.name)} = {way.format(literal(SECRET + side))} where x.ctid ="
                    f" (select x.ctid from {relation.sql} as x where {owned.owner} = {literal(stage.world.keys[side])} order by x.ctid limit 1)"
                    for side in ("A", "B")
                )
                found.append(setup)
    return list(dict.fromkeys(found)) or [()]
