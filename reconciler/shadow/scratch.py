"""Scratch databases: where they live, how they are named, and how leftovers of a killed process are found.

Every scratch database is called `reconciler_scratch_<token>_<number>`. As long as its process lives it holds a session
advisory lock on the token, so a leftover is one whose lock can be taken. Never touches a database of another name.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler import embedded
from reconciler.embedded import Binaries
from reconciler.errors import Stalled
from reconciler.pg import Url, connect, ident, literal
from reconciler.shadow import foreign, subscriptions

PREFIX = "reconciler_scratch_"
_LOCK_CLASS = 0x7265636F
"""First key of the advisory locks ("reco" in ASCII), so that they meet nobody else's."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A server to experiment on. `url` may create databases there; `own` says that we started it and may do anything.

    `settings` and `rights` are given to every scratch database, so that it behaves like the target: settings by name, and who beside
    its owner may do what in the database itself, as role and privilege ("public" is everybody).
    """

    url: Url
    major: int
    own: bool
    token: str
    admin: psycopg.Connection[TupleRow]
    programs: Binaries | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    rights: list[tuple[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def create(self, *, template: Url | None = None, owner: str = "") -> Url:
        """A new scratch database: empty, or a copy of another scratch database nobody is connected to."""
        name = f"{PREFIX}{self.token}_{next(self.numbers)}"
        source = ident(template.database) if template else "template0"
        # Copying files is the faster way on a server that need not survive a crash (manual: CREATE DATABASE, STRATEGY).
        strategy = " strategy file_copy" if self.own and self.major >= 15 else ""
        if (
            template and not owner
        ):  # a copy belongs to whom the original belongs to: rights on the database are its owner's
            row = self.admin.execute(
                "select pg_catalog.pg_get_userbyid(d.datdba) from pg_catalog.pg_database as d where d.datname = %s",
                (template.database,),
            ).fetchone()
            owner = str(row[0]) if row else ""
        belongs = f" owner {ident(owner)}" if owner else ""
        self.admin.execute(f"create database {ident(name)}{belongs} template {source}{strategy}")
        # A process that is frozen in a transaction must not keep others from a server that they share.
        limits = {} if self.own else {"idle_in_transaction_session_timeout": "1min"}
        for key, value in {**limits, **self.settings}.items():
            self.admin.execute(f"alter database {ident(name)} set {ident(key)} to {literal(value)}")
        if self.rights:  # those of a template are not copied either
            self.admin.execute(f"revoke create, temporary on database {ident(name)} from public")
        for role, privilege in self.rights:
            to = role if role == "public" else ident(role)
            self.admin.execute(f"grant {privilege} on database {ident(name)} to {to}")
        made = self.url.with_database(name)
        if template:
            subscriptions.copied(self.admin, template, made)
            foreign.cut_off(made)
        return made

    def drop(self, database: Url) -> None:
        if not database.database.startswith(PREFIX):
            raise ValueError(f"{database.database} is no scratch database")
        _drop(self.admin, self.url, database.database)

    @contextmanager
    def copy(self, template: Url, *, owner: str = "") -> Iterator[Url]:
        """A copy that is dropped when the block ends."""
        made = self.create(template=template, owner=owner)
        try:
            yield made
        finally:
            self.drop(made)


@contextmanager
def shadow(
    where: str | Url,
    *,
    major: int | None = None,
    target: Url | None = None,
    settings: Mapping[str, str] | None = None,
    server_settings: Mapping[str, str] | None = None,
) -> Iterator[Shadow]:
    """The server that `where` names: "auto" or "embedded" (one of our own), "target", or a URL.

    `major` is the target's major version; a shadow of another one would plan other SQL and is refused. Everything made on it
    is gone when the block ends.
    """
    if where in ("auto", "embedded"):
        with (
            embedded.scratch(
                major, settings={"wal_level": "logical", "max_wal_senders": "4", **(server_settings or {})}
            ) as server,
            _open(server.url, server.major, True, server.binaries, settings or {}) as found,
        ):
            yield found
        return
    if where == "target":
        if target is None:
            raise Stalled("shadow: target needs a target database", hint="give --url, or a URL as --shadow")
        url = target
    else:
        url = where if isinstance(where, Url) else Url.parse(where)
    with connect(url) as probe:
        found_major = probe.info.server_version // 10000
    if major is not None and found_major != major:
        raise Stalled(
            f"the shadow at {url.redacted} is PostgreSQL {found_major}, the target is {major}",
            hint=f"give a shadow of major {major}, or --shadow embedded",
        )
    with _open(url, found_major, False, None, settings or {}) as found:
        yield found


@contextmanager
def _open(
    url: Url, major: int, own: bool, programs: Binaries | None, settings: Mapping[str, str]
) -> Iterator[Shadow]:
    token = secrets.token_hex(4)
    with connect(url) as admin:
        if not own:
            sweep(admin, url)
        admin.execute("select pg_catalog.pg_advisory_lock(%s, %s)", (_LOCK_CLASS, _key(token)))
        made = Shadow(url, major, own, token, admin, programs, dict(settings))
        try:
            yield made
        finally:
            if not own:
                _remove(admin, url, f"{PREFIX}{token}_")


def sweep(admin: psycopg.Connection[TupleRow], url: Url) -> tuple[str, ...]:
    """Drops scratch databases whose process is gone; returns their names."""
    gone = []
    rows = admin.execute(
        "select d.datname from pg_catalog.pg_database as d where pg_catalog.starts_with(d.datname, %s) order by 1",
        (PREFIX,),
    ).fetchall()
    for token in sorted({row[0].removeprefix(PREFIX).split("_")[0] for row in rows}):
        keys = (_LOCK_CLASS, _key(token))
        free = admin.execute("select pg_catalog.pg_try_advisory_lock(%s, %s)", keys).fetchone()
        if free and free[0]:
            gone += _remove(admin, url, f"{PREFIX}{token}_")
            admin.execute("select pg_catalog.pg_advisory_unlock(%s, %s)", keys)
    return tuple(gone)


def _remove(admin: psycopg.Connection[TupleRow], url: Url, prefix: str) -> list[str]:
    rows = admin.execute(
        "select d.datname from pg_catalog.pg_database as d where pg_catalog.starts_with(d.datname, %s) order by 1",
        (prefix,),
    ).fetchall()
    for row in rows:
        _drop(admin, url, row[0])
    return [row[0] for row in rows]


def _drop(admin: psycopg.Connection[TupleRow], url: Url, database: str) -> None:
    sql = f"drop database if exists {ident(database)} with (force)"
    try:
        admin.execute(sql)
    except psycopg.errors.ObjectInUse:
        subscriptions.removed(url.with_database(database))
        admin.execute(sql)


def _key(token: str) -> int:
    """A token as the second key of an advisory lock, a signed 32-bit integer."""
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:4], "big", signed=True)
