"""Publications of logical replication (manual: CREATE PUBLICATION).

Which tables and schemas one publishes are facts of their own (`publication_table`, `publication_schema`), so that a table
comes and goes without the publication being made anew under its subscribers.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal

EVENTS = ("insert", "update", "delete", "truncate")
GENERATED = {"s": "stored"}


def read(scope: Scope, major: int) -> str:
    flags = ", ".join(f"case when p.pub{event} then '{event}' end" for event in EVENTS)
    later = {"generated": "nullif(p.pubgencols, 'n')"} if major >= 18 else {}
    return r.select(
        "pg_publication",
        "p.oid",
        name="p.pubname",
        attributes=r.attributes(
            **r.common("pg_publication", "p", "pub"),
            all_tables="nullif(p.puballtables, false)",
            publish=f"pg_catalog.concat_ws(', ', {flags})",
            via_root="nullif(p.pubviaroot, false)",
            **later,
        ),
        source=f"pg_catalog.pg_publication as p where {r.outside(scope)} and {r.no_member('pg_publication', 'p.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"publication {ident(fact.id.name)}"


def _options(fact: Fact, other: Fact | None = None) -> list[str]:
    """The options; with `other` only those that differ from it, else those that differ from a new publication's."""
    before = other.attributes if other else {"publish": ", ".join(EVENTS)}
    found = []
    if fact["publish"] != before.get("publish"):
        found.append(f"publish = {literal(fact['publish'])}")
    if fact["via_root"] != before.get("via_root"):
        found.append(f"publish_via_partition_root = {str(bool(fact['via_root'])).lower()}")
    if fact["generated"] != before.get("generated"):
        found.append(f"publish_generated_columns = {GENERATED.get(fact['generated'], 'none')}")
    return found


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    everything = " for all tables" if fact["all_tables"] else ""
    options = f" with ({', '.join(_options(fact))})" if _options(fact) else ""
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_publication where pubname = {literal(fact.id.name)})",
        f"create {_noun(fact)}{everything}{options}",
    )
    return [w.say(sql, f"new publication {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop publication if exists {ident(fact.id.name)}"
    return [w.say(sql, f"publication {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if old["all_tables"] != new["all_tables"]:
        return None
    found = []
    if changed := _options(new, old):
        words = ", ".join(changed)
        found.append(w.say(f"alter {_noun(new)} set ({words})", f"{new.id}: {words}", new.id))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("publication", read, create, drop, alter)
