"""What a hosting platform adds to PostgreSQL: its roles, its schemas, and SQL that stands in for them.

Knows the platforms by name. Promises values only: it connects to nothing and runs nothing.
"""

from __future__ import annotations

from importlib import resources
from typing import Final, Literal

Platform = Literal["postgres", "supabase"]

_ROLES: Final[dict[Platform, tuple[str, ...]]] = {
    "postgres": (),
    "supabase": ("anon", "authenticated", "authenticator", "service_role"),
}

_API_ROLES: Final[dict[Platform, frozenset[str]]] = {
    "postgres": frozenset(),
    "supabase": frozenset({"anon", "authenticated"}),
}

_MANAGED_SCHEMAS: Final[dict[Platform, frozenset[str]]] = {
    "postgres": frozenset(),
    "supabase": frozenset(
        {
            "_analytics",
            "_realtime",
            "_supavisor",
            "auth",
            "cron",
            "dbdev",
            "etl",
            "extensions",
            "graphql",
            "graphql_public",
            "net",
            "pgbouncer",
            "pgmq",
            "pgsodium",
            "pgsodium_masks",
            "pgtle",
            "realtime",
            "storage",
            "supabase_functions",
            "supabase_migrations",
            "vault",
        }
    ),
}


def prelude(platform: Platform, *, owner: str | None = None) -> str:
    """SQL that makes a plain server look like `platform` to a schema written for it; empty for PostgreSQL.

    One script without transaction commands, for a superuser, harmless when it runs again or on several
    databases at once. `owner` is the role that will create the declared objects: what the platform grants to
    its users' own role goes to it. Without `owner` that is the role which runs the script. No role it creates
    can log in.
    """
    if platform == "postgres":
        return ""
    script = resources.files(__name__).joinpath(f"{platform}.sql").read_text(encoding="utf-8")
    return script.replace("${owner}", "current_user" if owner is None else _quoted(owner))


def roles(platform: Platform) -> tuple[str, ...]:
    """The roles that the platform provides and that are no part of anyone's declarations, in order."""
    return _ROLES[platform]


def api_roles(platform: Platform) -> frozenset[str]:
    """Those of them that nobody logs in as: what they do comes from the platform's API, as reads, writes of rows and calls of functions."""
    return _API_ROLES[platform]


def managed_schemas(platform: Platform) -> frozenset[str]:
    """The schemas that the platform itself owns: never compared, never planned, never dropped."""
    return _MANAGED_SCHEMAS[platform]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
