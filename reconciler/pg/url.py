"""Where a database is: a `postgresql://` URL or a `key=value` string, parsed by libpq, shown without
secrets.

Promises that no message, repr or log line holds a password: texts that libpq refuses are never quoted back,
and texts that libpq accepts although a password was plainly cut in two (an unescaped `@` or `/`) are
refused here. Never connects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from reconciler.errors import Usage
from reconciler.pg.secret import MASK, Secret

_SECRET_OPTIONS = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
_ESCAPE_HINT = (
    "write special characters of a password as %XX in a URL: @ is %40, / is %2F, : is %3A, % is %25"
)


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """One database. `options` are libpq's parameters without the secret ones, in alphabetical order.

    What is not written in the text comes from where libpq would take it: the environment (`PGHOST`, `PGUSER`,
    …), then its defaults; a password also from `.pgpass`.
    """

    options: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, Secret], ...] = ()

    @classmethod
    def parse(cls, text: str | Secret) -> Url:
        """Reads a URL or a `key=value` string. `Usage` when it is neither, without quoting it."""
        raw = text.reveal() if isinstance(text, Secret) else text
        raw = raw.strip()
        if not raw:
            raise Usage("the database URL is empty", hint="write postgresql://user@host:5432/database")
        is_url = raw.startswith(("postgresql://", "postgres://"))
        if not is_url and "://" in raw:
            raise Usage(
                "a database URL begins with postgresql://", hint="write postgresql://user@host:5432/database"
            )
        try:
            found = conninfo_to_dict(raw)
        except psycopg.ProgrammingError:
            unread = "the database URL cannot be read (it is not shown: it may hold a password)"
            raise Usage(unread, hint=_ESCAPE_HINT) from None
        options = {key: str(value) for key, value in found.items() if value is not None}
        if is_url:
            _refuse_split_password(raw, options.get("host", ""))
        if "://" in options.get("dbname", ""):
            raise Usage("the database name is itself a URL", hint="give the URL alone, not as dbname=…")
        ports = [port for port in options.get("port", "").split(",") if port]
        if not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
            raise Usage("the port in the database URL is not a number from 1 to 65535", hint=_ESCAPE_HINT)
        return cls.of(options)

    @classmethod
    def of(cls, options: Mapping[str, str | Secret]) -> Url:
        """From libpq's parameters by name; the secret ones are recognised by their name or type."""
        plain: list[tuple[str, str]] = []
        secrets: list[tuple[str, Secret]] = []
        for key, value in sorted(options.items()):
            if isinstance(value, Secret):
                secrets.append((key, value))
            elif key in _SECRET_OPTIONS:
                secrets.append((key, Secret(value)))
            else:
                plain.append((key, value))
        return cls(tuple(plain), tuple(secrets))

    def get(self, option: str) -> str:
        """A parameter as libpq will use it (text, environment, default), "" when unset; never a secret one."""
        written = dict(self.options).get(option)
        return _defaults().get(option, "") if written is None else written

    @property
    def user(self) -> str:
        return self.get("user")

    @property
    def host(self) -> str:
        """A name, an address, a socket folder, or several joined by commas."""
        return self.get("host") or self.get("hostaddr")

    @property
    def port(self) -> int:
        """The (first) port."""
        return int(self.get("port").split(",")[0] or 5432)

    @property
    def database(self) -> str:
        return self.get("dbname") or self.user

    @property
    def password(self) -> Secret | None:
        """The password written in the text; None when libpq is to look in PGPASSWORD or `.pgpass`."""
        return dict(self.secrets).get("password")

    @property
    def redacted(self) -> str:
        """For people: who, where, which database. The password is `***`; further options are left out."""
        return self._render(MASK if self.password else "")

    def with_database(self, name: str) -> Url:
        """The same server and login, another database."""
        return self.with_options(dbname=name)

    def with_options(self, **options: str | Secret) -> Url:
        """The same place with some libpq parameters replaced."""
        return Url.of({**dict(self.options), **dict(self.secrets), **options})

    def reveal(self) -> str:
        """The whole `key=value` string with the password, for libpq alone. Never print it or pass it in
        argv.
        """
        return make_conninfo("", **dict(self.options), **{key: value.reveal() for key, value in self.secrets})

    def environment(self) -> dict[str, str]:
        """libpq's environment variables for a child program (psql, pg_dump): secrets stay out of `ps`.

        Parameters without a variable of their own (keepalives …) are left out.
        """
        names = {o.keyword.decode(): o.envvar.decode() for o in pq.Conninfo.get_defaults() if o.envvar}
        values = dict(self.options) | {key: value.reveal() for key, value in self.secrets}
        values.setdefault("dbname", self.database)
        return {names[key]: value for key, value in values.items() if key in names}

    def _render(self, password: str) -> str:
        user = quote(self.user, safe="") + (f":{password}" if password else "")
        hosts = self.host.split(",")
        ports = self.get("port").split(",")
        if len(ports) == 1:
            ports *= len(hosts)
        places = ",".join(
            _bracketed(host) + (f":{port}" if port else "") for host, port in zip(hosts, ports, strict=False)
        )
        where = f"postgresql://{user}@{places}/{quote(self.database, safe='')}"
        service = dict(self.options).get("service")
        return f"{where}?service={quote(service, safe='')}" if service else where

    def __str__(self) -> str:
        return self.redacted

    def __repr__(self) -> str:
        return f"Url({self.redacted!r})"


def _bracketed(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    return quote(host, safe="")


def _refuse_split_password(raw: str, host: str) -> None:
    """libpq ends the login at the first `@` or `/`: the rest of such a password would become host or
    database.
    """
    login, at, place = raw.split("://", 1)[1].split("?", 1)[0].partition("@")
    if (at and ("/" in login or "@" in place)) or "@" in host[1:]:
        raise Usage("the database URL has an @ or / in its password that is not escaped", hint=_ESCAPE_HINT)


def _defaults() -> dict[str, str]:
    """libpq's view of the environment and its compiled-in defaults, without anything secret."""
    return {
        o.keyword.decode(): o.val.decode()
        for o in pq.Conninfo.get_defaults()
        if o.val is not None and o.keyword.decode() not in _SECRET_OPTIONS
    }
