"""Foreign servers (manual: CREATE SERVER). Their options may hold secrets: see `foreign_options`."""

from __future__ import annotations

from reconciler.catalog.kinds import foreign_options
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_foreign_server",
        "s.oid",
        name="s.srvname",
        attributes=r.attributes(
            owner=r.owner("s.srvowner"),
            acl=r.acl("s.srvacl", "S", "s.srvowner"),
            comment=r.comment("pg_foreign_server", "s.oid"),
            wrapper="(select f.fdwname from pg_catalog.pg_foreign_data_wrapper as f where f.oid = s.srvfdw)",
            type="s.srvtype",
            version="s.srvversion",
            options=foreign_options.reading("s.srvoptions", "'server'", "s.srvname"),
        ),
        source=f"pg_catalog.pg_foreign_server as s where {r.outside(scope)} and {r.no_member('pg_foreign_server', 's.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"server {ident(fact.id.name)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    words = [f"create server if not exists {ident(fact.id.name)}"]
    words += [f"{key} {literal(fact[key])}" for key in ("type", "version") if fact[key] is not None]
    words.append(f"foreign data wrapper {ident(fact['wrapper'])}")
    sql = " ".join(words) + foreign_options.clause(fact["options"])
    made = w.say(sql, f"new server {fact.id}", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact), "foreign server", f"foreign {_noun(fact)}")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop server if exists {ident(fact.id.name)}"
    return [w.say(sql, f"server {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["type"] != new["type"] or old["wrapper"] != new["wrapper"]:
        return None
    found = []
    if old["version"] != new["version"]:
        if new["version"] is None:  # a version can be changed in place, but not taken away
            return None
        words = f"version {literal(new['version'])}"
        found.append(w.say(f"alter {_noun(new)} {words}", f"{new.id}: {words}", new.id))
    current = f"(select srvoptions from pg_catalog.pg_foreign_server where srvname = {literal(new.id.name)})"
    found += foreign_options.changed(old["options"], new["options"], f"alter {_noun(new)}", current, new)
    dress = w.redressed(old, new, context, _noun(new), "foreign server", f"foreign {_noun(new)}")
    return Alteration((*found, *dress))


KIND = Kind("server", read, create, drop, alter)
