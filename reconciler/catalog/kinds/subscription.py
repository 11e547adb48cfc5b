"""Subscriptions of logical replication (manual: CREATE SUBSCRIPTION).

Two things are not compared. The connection string may hold a password and is shown to superusers only: it is read where
the scope says so and nothing in it looks secret, else a new subscription says `${SUBSCRIPTION_NAME_CONNECTION}`. Whether it is enabled is a state of
operation, like the slot on the other server: a new one is made with `connect = false`, hence disabled and without a slot,
and a person creates the slot and enables it. Dropping one leaves its slot on the publisher, since a slot cannot be
dropped inside a transaction: the hazard says so.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.foreign_options import HIDDEN_VALUE
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal
from reconciler.run.placeholders import STANDIN

SECRET_CONNECTION = (
    f"(s.subconninfo ~* 'pass|key|token|secret|credential' or s.subconninfo ~ {literal(HIDDEN_VALUE)}"
    f" or s.subconninfo = {literal(STANDIN)})"
)
"""Whether a connection string looks as if something in it were not for everybody, or is no real one (SQL)."""

STREAMING = " ".join(
    f"when {spelled!r} then {word!r}"
    for spelled, word in (("f", "off"), ("false", "off"), ("t", "on"), ("true", "on"), ("p", "parallel"))
)


def read(scope: Scope, major: int) -> str:
    """Columns that everybody may read, and where asked the connection; of this database's own subscriptions."""
    later = {}
    if scope.connections:
        later["connection"] = f"case when not {SECRET_CONNECTION} then s.subconninfo end"
    if major >= 15:
        later["two_phase"] = "case when s.subtwophasestate <> 'd' then true end"
        later["disable_on_error"] = "nullif(s.subdisableonerr, false)"
    if major >= 16:
        later["password_required"] = "nullif(s.subpasswordrequired, true)"  # noqa: S105
        later["run_as_owner"] = "nullif(s.subrunasowner, false)"
        later["origin"] = "nullif(s.suborigin, 'any')"
    if major >= 17:
        later["failover"] = "nullif(s.subfailover, false)"
    usual = "parallel" if major >= 18 else "off"
    # A boolean until 15, a letter since 16.
    streaming = f"nullif(case s.substream::text {STREAMING} end, {usual!r})"
    return r.select(
        "pg_subscription",
        "s.oid",
        name="s.subname",
        attributes=r.attributes(
            **r.common("pg_subscription", "s", "sub"),
            publications="(select pg_catalog.jsonb_agg(p order by p) from pg_catalog.unnest(s.subpublications) as p)",
            slot="s.subslotname",
            synchronous_commit="nullif(s.subsynccommit, 'off')",
            binary="nullif(s.subbinary, false)",
            streaming=streaming,
            **later,
        ),
        source=f"pg_catalog.pg_subscription as s where s.subdbid = {r.HERE} and {r.outside(scope)}",
    )


def _noun(fact: Fact) -> str:
    return f"subscription {ident(fact.id.name)}"


def _settings(fact: Fact, context: Context) -> dict[str, str]:
    """Every option with its value, as SQL."""
    major = context.major
    usual = "parallel" if major >= 18 else "off"
    found = {
        "slot_name": literal(fact["slot"]) if fact["slot"] else "none",
        "synchronous_commit": literal(fact["synchronous_commit"] or "off"),
        "binary": _word(fact["binary"]),
        "streaming": fact["streaming"] or usual,
    }
    if major >= 15:
        found["two_phase"] = _word(fact["two_phase"])
        found["disable_on_error"] = _word(fact["disable_on_error"])
    if major >= 16:
        found["password_required"] = _word(fact["password_required"] is not False)
        found["run_as_owner"] = _word(fact["run_as_owner"])
        found["origin"] = fact["origin"] or "any"
    if major >= 17:
        found["failover"] = _word(fact["failover"])
    return found


def _word(value: bool | None) -> str:
    return str(bool(value)).lower()


def _publications(fact: Fact) -> str:
    return ", ".join(ident(publication) for publication in fact["publications"])


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    options = ", ".join(f"{key} = {value}" for key, value in _settings(fact, context).items())
    sql = w.guarded(
        f"not {_there(fact)}",
        f"create {_noun(fact)} connection {_connection(fact)} publication {_publications(fact)}"
        f" with (connect = false, {options})",
    )
    made = w.say(sql, f"new subscription {fact.id}: disabled until a person has made its slot", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact))]


def _connection(fact: Fact) -> str:
    place = re.sub(r"[^A-Za-z0-9]+", "_", f"subscription_{fact.id.name}_connection").upper()
    return literal(fact["connection"] or "${" + place + "}")


def _there(fact: Fact) -> str:
    return (
        f"exists (select from pg_catalog.pg_subscription as s where s.subname = {literal(fact.id.name)} and s.subdbid ="
        f" {r.HERE})"
    )


def drop(fact: Fact, context: Context) -> list[Statement]:
    hazards = []
    if fact["slot"]:
        left = f"Replication slot {fact['slot']} stays on the publisher and keeps its log until a person drops it."
        hazards.append(Hazard(HazardCode.IRREVERSIBLE, left))
    sql = w.guarded(
        _there(fact),
        f"alter {_noun(fact)} disable",
        f"alter {_noun(fact)} set (slot_name = none)",
        f"drop {_noun(fact)}",
    )
    return [w.say(sql, f"subscription {fact.id}: no longer declared", fact.id, *hazards)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    before, after = _settings(old, context), _settings(new, context)
    changed = {key: value for key, value in after.items() if before[key] != value}
    if "two_phase" in changed:  # changes only with a slot at hand, outside a transaction
        return None
    found = []
    if old["connection"] != new["connection"]:
        sql = f"alter {_noun(new)} connection {_connection(new)}"
        found.append(w.say(sql, f"{new.id}: connection", new.id))
    if old["publications"] != new["publications"]:
        sql = f"alter {_noun(new)} set publication {_publications(new)} with (refresh = false)"
        found.append(w.say(sql, f"{new.id}: publications", new.id))
    if changed:
        words = ", ".join(f"{key} = {value}" for key, value in changed.items())
        found.append(w.say(f"alter {_noun(new)} set ({words})", f"{new.id}: {words}", new.id))
    return Alteration((*found, *w.redressed(old, new, context, _noun(new))))


KIND = Kind("subscription", read, create, drop, alter)
