"""The comments at the top of a migration file. Promises that reading gives back what was written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.errors import Stalled
from reconciler.migrate.remarks import escaped, unescaped
from reconciler.model import HazardCode, Migration

_TITLE = "-- reconciler migration "
_PAIR = re.compile(r"-- (?P<key>[a-z][a-z0-9_ ]*): ?(?P<value>.*)\Z")
_OWN = ("checksum", "before", "after")


def header_lines(migration: Migration) -> list[str]:
    """Version, checksum, fingerprints, then the migration's own pairs in their order."""
    pairs = [("checksum", migration.checksum), ("before", migration.before), ("after", migration.after)]
    lines = [f"{_TITLE}{migration.version} {migration.slug}"]
    for key, value in [*(pair for pair in pairs if pair[1]), *migration.header]:
        line = f"-- {key}: {escaped(value)}"
        if not _PAIR.match(line):
            raise Stalled(f"“{key}” cannot be a key in the header of a migration")
        lines.append(line)
    if any(key in _OWN for key, _ in migration.header):
        raise Stalled("the header of a migration names its checksum or a fingerprint twice")
    return lines


def read_header(comments: Sequence[str]) -> tuple[str, str, tuple[tuple[str, str], ...], str]:
    """Fingerprint before, fingerprint after, the other pairs, and the checksum that was written.

    Comments of a file that we did not write are nothing to us, whatever they look like.
    """
    if not comments or not comments[0].startswith(_TITLE):
        return "", "", (), ""
    found = [match for match in map(_PAIR.match, comments[1:]) if match]
    pairs = [(match["key"], unescaped(match["value"])) for match in found]
    own = dict(pair for pair in pairs if pair[0] in _OWN)
    rest = tuple(pair for pair in pairs if pair[0] not in _OWN)
    return own.get("before", ""), own.get("after", ""), rest, own.get("checksum", "")


def why_irreversible(migration: Migration) -> str | None:
    """What the migration says about why it cannot be undone; None when it says nothing of the kind."""
    hazards = [hazard for statement in migration.up for hazard in statement.hazards]
    return next((h.consequence for h in hazards if h.code == HazardCode.IRREVERSIBLE), None)
