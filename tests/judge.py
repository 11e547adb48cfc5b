"""An independent judge of two databases: what pg_dump prints of them.

Knows pg_dump's output and nothing of this program's snapshot, so that a thing our kinds forget to read still shows.
Promises that two databases judged equal differ at most in the order of statements, of grants and of columns. It never
forgives anything else.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

from reconciler.embedded import available
from reconciler.pg import Url

_ENTRY = re.compile(
    r"^--\n-- (?:Data for )?Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*?); Owner: ",
    re.M,
)
_SETTING = re.compile(r"^SET (default_table_access_method|default_tablespace) = (.*);\n", re.M)
_STORED = {
    "TABLE": ("default_tablespace", "default_table_access_method"),
    "MATERIALIZED VIEW": ("default_tablespace", "default_table_access_method"),
    "INDEX": ("default_tablespace",),
    "CONSTRAINT": ("default_tablespace",),
}
_VIEW_OPTIONS = re.compile(r"(?<=^CREATE VIEW )(.*) WITH \((.*)\) AS$", re.M)
_BODIES = ("FUNCTION", "PROCEDURE", "AGGREGATE", "VIEW", "RULE", "EVENT TRIGGER", "TRIGGER")


def dump(url: Url, *more: str) -> frozenset[str]:
    """Every statement pg_dump writes for the database, normalised. `more` are further options of pg_dump."""
    newest = available()[-1]
    command: Sequence[str] = (
        str(newest.program("pg_dump")), "--schema-only", *more, "-h", url.host, "-p", str(url.port),
        "-U", url.user, "-d", url.database,
    )  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **url.environment()}
    )
    if done.returncode:
        raise AssertionError(f"pg_dump failed: {done.stderr}")
    return normalised(done.stdout)


def normalised(text: str) -> frozenset[str]:
    """The dump as a set of entries: without comments, with lines sorted where their order means nothing."""
    found = set()
    starts = [*_ENTRY.finditer(text)]
    settings: dict[str, str] = {}
    for number, entry in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        body = text[entry.end() : following.start() if following else len(text)]
        body = body[body.index("\n--\n") + 4 :]
        # A setting printed between two entries belongs to what follows it.
        own = {name: settings.get(name, "''") for name in _STORED.get(entry["type"], ())}
        settings.update(_SETTING.findall(body))
        body = _SETTING.sub("", body)
        if following is None:
            body = body.split("\n--\n-- PostgreSQL database dump complete", 1)[0]
        marked = "".join(f"-- {name} = {value}\n" for name, value in sorted(own.items()) if value != "''")
        found.add(
            f"-- {entry['type']} {entry['schema']} {entry['name']}\n{marked}{_sorted(entry['type'], body)}"
        )
    return frozenset(found)


def _sorted(kind: str, body: str) -> str:
    if kind in _BODIES:
        return _VIEW_OPTIONS.sub(_view_options_sorted, body.strip())
    statements = re.split(r";\n", body.strip() + "\n")
    return "\n".join(
        sorted(_columns_sorted(statement.strip()) for statement in statements if statement.strip())
    )


def _view_options_sorted(found: re.Match[str]) -> str:
    return f"{found[1]} WITH ({', '.join(sorted(found[2].split(', ')))}) AS"


def _columns_sorted(statement: str) -> str:
    statistics = re.fullmatch(r"(CREATE STATISTICS .* ON )(.*)( FROM .*)", statement)
    if statistics:  # printed in the order in which the columns lie in the table
        return f"{statistics[1]}{', '.join(sorted(statistics[2].split(', ')))}{statistics[3]}"
    if not re.match(r"CREATE (UNLOGGED |FOREIGN )?TABLE ", statement):
        return statement
    lines = [_options_sorted(line.rstrip(",")) for line in statement.splitlines()]
    return "\n".join([lines[0], *sorted(lines[1:])])


def _options_sorted(line: str) -> str:
    """`WITH (b='2', a='1')`: in the order in which they were once set."""
    options = re.fullmatch(r"WITH \((.*)\)", line)
    return "WITH (" + ", ".join(sorted(options[1].split(", "))) + ")" if options else line


def difference(got: frozenset[str], wanted: frozenset[str]) -> str:
    """What one dump has and the other lacks, for a failing test. Empty when they are equal."""
    return "".join(
        f"\n{title}:\n{entry}" for title, entries in (("extra", got - wanted), ("missing", wanted - got))
        for entry in sorted(entries)
    )  # fmt: skip
