"""OPTIONS (…) of foreign-data wrappers, servers, user mappings, foreign tables and their columns.

An option that looks secret never leaves the server: the query itself puts `${NAME}` in its place, and NAME is made of the
object's own name and the option's (`${USER_MAPPING_ERP_APP_PASSWORD}`), so that the same object has the same placeholder
everywhere. Therefore a secret's *value* is not compared, only that it is there; and where one is written, the placeholder
is what the statement says, to be filled in from the environment when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal

HIDDEN = (
    "pass|pwd|secret|token|credential|keytab|api_?key|(^|_)key(_|$)|ssl_?key|(conn|connection)_?(str|string|info)$"
    "|^dsn$|service_account"
)
"""Names of options that hold something secret, or a place where it lies (regular expression, case-insensitive)."""

HIDDEN_VALUE = "://[^/?#@]*:[^/?#@]*@"
"""An URL with a password in it, whatever the option is called."""


def reading(options: str, *names: str) -> str:
    """{option: value} of a text[] column, secrets replaced; `names` are SQL expressions that name the object."""
    words = " || '_' || ".join([*names, "o.option_name"])
    placeholder = (
        f"'${{' || pg_catalog.upper(pg_catalog.regexp_replace({words}, '[^A-Za-z0-9]+', '_', 'g')) || '}}'"
    )
    return (
        f"(select pg_catalog.jsonb_object_agg(o.option_name, case when o.option_name ~* {literal(HIDDEN)} or"
        f" o.option_value ~ {literal(HIDDEN_VALUE)} then {placeholder} else o.option_value end)"
        f" from pg_catalog.pg_options_to_table({options}) as o)"
    )


def clause(options: Mapping[str, str] | None) -> str:
    """` options (host 'db1', …)`, or nothing."""
    if not options:
        return ""
    return (
        f" options ({', '.join(f'{ident(key)} {literal(value)}' for key, value in sorted(options.items()))})"
    )


def changed(
    old: Mapping[str, str] | None, new: Mapping[str, str] | None, alter: str, current: str, fact: Fact
) -> list[Statement]:
    """`alter … options (add, set, drop)`. `current` is SQL for the text[] that is there when the statement runs: adding
    an option twice, or dropping an absent one, would be an error."""
    before, after = old or {}, new or {}
    found = []
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        there = f"exists (select from pg_catalog.pg_options_to_table({current}) where option_name = {literal(key)})"
        reason = f"{fact.id}: option {key}"
        if key not in after:
            sql = w.guarded(there, f"{alter} options (drop {ident(key)})")
        elif key not in before:
            sql = w.guarded(f"not {there}", f"{alter} options (add {ident(key)} {literal(after[key])})")
        else:
            sql = f"{alter} options (set {ident(key)} {literal(after[key])})"
        found.append(w.say(sql, reason, fact.id))
    return found
