"""What the loader must know about a declared statement, told from its leading words: one small table each.

Promises nothing about meaning; PostgreSQL decides that. Never runs anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FLAGS = re.IGNORECASE | re.DOTALL
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'

_SETTING = re.compile(
    rf"set\s+(?:session\s+|local\s+)?(?P<name>time\s+zone|xml\s+option|{_NAME}(?:\.{_NAME})?)\s*(?P<rest>.*)",
    _FLAGS,
)
_RESET = re.compile(rf"reset\s+(?P<name>{_NAME}(?:\.{_NAME})?)\s*\Z", _FLAGS)
_SET_CONFIG = re.compile(
    r"select\s+(?:pg_catalog\s*\.\s*)?set_config\s*\(\s*'(?P<name>[\w.]+)'\s*,\s*(?P<value>'(?:[^']|'')*')\s*,\s*"
    r"(?:true|false)\s*\)\s*\Z",
    _FLAGS,
)
_OURS = frozenset(
    [
        "statement_timeout",
        "lock_timeout",
        "transaction_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "client_encoding",
    ]
)
"""Settings a dump brings along that are the loader's own business."""

_OTHER_NAMES = {
    "time zone": "timezone",
    "xml option": "xmloption",
    "schema": "search_path",
    "names": "client_encoding",
}
_WHOLE_SCHEMA = re.compile(
    r"(?:grant|revoke)\b.*?\bon\s+all\s+(?:tables|sequences|functions|procedures|routines)\s+in\s+schema\b"
    r"|alter\s+default\s+privileges\b",
    _FLAGS,
)
_SKIPPABLE = re.compile(
    r"(?:create|alter|comment|grant|revoke|security\s+label)\b(?!.*?\bif\s+exists\b)", _FLAGS
)
_ROUTINE = re.compile(r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+(?P<name>[^(]+)\(", _FLAGS)
_ROWS = re.compile(r"(?:insert|update|delete|merge|copy|truncate|with)\b", _FLAGS)
_ROLE = re.compile(r"create\s+(?:role|user|group)\s+(?!mapping\b)", _FLAGS)
_CONCURRENTLY = re.compile(r"\A(?:create|drop|reindex|refresh|alter)\b.*?\b(concurrently)\b", _FLAGS)

_SUPERUSER: tuple[tuple[str, str], ...] = (
    (r"(?:create|alter|drop)\s+event\s+trigger\b", "event triggers"),
    (r"(?:create|alter|drop)\s+cast\b", "casts"),
    (r"create\s+(?:or\s+replace\s+)?function\b.*\bleakproof\b", "LEAKPROOF functions"),
    (r"alter\s+(?:function|routine)\b.*\bleakproof\b", "LEAKPROOF functions"),
    (r"create\s+(?:or\s+replace\s+)?function\b.*\blanguage\s+'?(?:internal|c)\b", "functions in C"),
    (r"(?:create|alter|drop)\s+operator\s+(?:class|family)\b", "operator classes"),
    (r"(?:create|alter|drop)\s+(?:publication|subscription)\b", "publications for all tables, subscriptions"),
    (
        r"(?:create|alter|drop)\s+(?:foreign\s+data\s+wrapper|server|user\s+mapping)\b",
        "foreign-data wrappers",
    ),
    (r"(?:create|drop)\s+foreign\s+table\b|import\s+foreign\s+schema\b", "foreign tables"),
    (r"(?:create|alter|drop)\s+text\s+search\s+(?:template|parser)\b", "text-search templates and parsers"),
    (r"create\s+type\s+[^(]+\(\s*(?:input|internallength)\b", "base types"),
    (r"create\s+(?:or\s+replace\s+)?(?:trusted\s+)?(?:procedural\s+)?language\b", "languages"),
    (r"create\s+(?:or\s+replace\s+)?(?:transform|access\s+method)\b", "transforms and access methods"),
    (r"create\s+extension\b|alter\s+extension\b|comment\s+on\s+extension\b", "extensions"),
    (r"alter\s+\w.*\bowner\s+to\b", "other roles' ownership"),
    (r"create\s+schema\b.*\bauthorization\b", "other roles' ownership"),
    (r"alter\s+default\s+privileges\s+for\b", "other roles' default privileges"),
    (r"(?:create|alter|drop)\s+(?:role|user|group)\b|comment\s+on\s+role\b", "roles"),
    (r"(?:grant|revoke)\b(?!.*\bon\b)", "role memberships"),
    (r"security\s+label\b", "security labels"),
)
_MADE = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:unlogged\s+|materialized\s+|foreign\s+|recursive\s+)?"
    r"(?:table|view|function|procedure|aggregate|type|domain|schema|sequence|extension|server|collation)\s+"
    rf"(?:if\s+not\s+exists\s+)?(?:{_NAME}\s*\.\s*)?(?P<name>{_NAME})",
    _FLAGS,
)
_CLOSED_LIST = tuple((re.compile(pattern, _FLAGS), what) for pattern, what in _SUPERUSER)


@dataclass(frozen=True, slots=True)
class Setting:
    """A session setting as it is applied: `name`, and the SQL that sets it until the transaction ends.

    The name `all` stands for `reset all`: everything that was set above it is forgotten.
    """

    name: str
    sql: str


def setting(sql: str) -> Setting | None:
    """The setting that this statement makes; an empty name means one that the loader keeps for itself."""
    config = _SET_CONFIG.match(sql)
    if config is not None:
        name = config["name"].lower()
        local = f"select pg_catalog.set_config('{name}', {config['value']}, true)"
        return Setting("" if name in _OURS else name, local)
    reset = _RESET.match(sql)
    if reset is not None:
        name = reset["name"].lower()
        if name == "role":
            return Setting(name, "set local role none")
        if name == "all":
            return Setting(name, "")
        return Setting("" if name in _OURS else name, f"set local {name} to default")
    found = _SETTING.match(sql)
    if found is None:
        return None
    name = " ".join(found["name"].lower().split())
    if name in ("constraints", "transaction"):
        return None
    known = _OTHER_NAMES.get(name, name)
    return Setting("" if known in _OURS else known, f"set local {name} {found['rest']}")


def of_a_whole_schema(sql: str) -> bool:
    """Its effect depends on what exists at the moment it runs: `grant … on all tables`, default privileges."""
    return _WHOLE_SCHEMA.match(sql) is not None


def may_run_early(sql: str) -> bool:
    """Either fails or does the same, whatever runs before it: so it may overtake a statement that waits."""
    return _SKIPPABLE.match(sql) is not None and not of_a_whole_schema(sql)


def routine(sql: str) -> str:
    """The name of the function or procedure that this creates, as it is written; empty for everything else."""
    found = _ROUTINE.match(sql)
    return found["name"].strip() if found else ""


def made(sql: str) -> str:
    """The bare name, in lower case, of what this statement creates; empty when that is not seen."""
    found = _MADE.match(sql)
    return found["name"].strip('"').lower() if found else ""


def changes_rows(sql: str) -> bool:
    return _ROWS.match(sql) is not None


def creates_role(sql: str) -> bool:
    return _ROLE.match(sql) is not None


def needs_superuser(sql: str) -> str:
    """What a superuser is needed for, when this statement is on the closed list; else empty."""
    return next((what for pattern, what in _CLOSED_LIST if pattern.match(sql)), "")


def plain(sql: str) -> str:
    """The form that runs inside a transaction: CONCURRENTLY is blanked out, every offset stays what it was."""
    found = _CONCURRENTLY.match(sql)
    if found is None or re.search(r"['\"$]", sql[: found.start(1)]):
        return sql
    return sql[: found.start(1)] + " " * len("concurrently") + sql[found.end(1) :]
