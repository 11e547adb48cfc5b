"""Which hazards a person has to allow, and who did: on the command line, by an approval of the file, or in the configuration.

Promises that what was allowed is known with its giver before anything runs, so that the history can say so. Asks nobody.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.errors import Stalled
from reconciler.migrate import Approval
from reconciler.model import Consent, Hazard, HazardCode, Migration

RULES: Final[Mapping[HazardCode, str]] = {
    HazardCode.DELETES_DATA: "asked",
    HazardCode.LOSSY_CAST: "asked",
    HazardCode.WEAKENS_ISOLATION: "asked",
    HazardCode.REVOKES_ACCESS: "asked",
    HazardCode.IRREVERSIBLE: "asked",
    HazardCode.ADDS_FINDING: "asked",
    HazardCode.REWRITES_TABLE: "told",
    HazardCode.SCANS_UNDER_LOCK: "told",
    HazardCode.BLOCKS_WRITES: "told",
    HazardCode.DEPENDS_ON_DATA: "told",
    HazardCode.NOT_TRANSACTIONAL: "told",
}
"""What is `asked` a person has to allow. What is `told` costs time, or makes the statement fail and changes nothing."""

NEEDS_CONSENT: Final = frozenset(code for code, rule in RULES.items() if rule == "asked")
SENTENCES: Final[Mapping[str, str]] = {
    "asked": "A person has to allow it: --allow {code}, reconciler approve VERSION, or allow: in the configuration.",
    "told": "It is told, and needs no consent.",
}


def rule_of(code: str) -> str:
    """The rule of a hazard in one sentence."""
    return SENTENCES[RULES[HazardCode(code)]].replace("{code}", code)


@dataclass(frozen=True, slots=True)
class Given:
    """What is allowed. `typed` are codes of the command line (or "all"), `configured` those of the configuration, `approvals` those
    of single files; `who` types."""

    typed: frozenset[str] = frozenset()
    configured: frozenset[str] = frozenset()
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    who: str = ""

    def approval(self, migration: Migration, *, down: bool = False) -> Approval | None:
        """The approval of this very file; it is for the UP."""
        found = None if down else self.approvals.get(migration.version)
        return found if found is not None and found.codes and found.checksum == migration.checksum else None

    def codes(self, migration: Migration, *, down: bool = False) -> frozenset[str]:
        """Everything that is allowed for this migration; may hold "all"."""
        found = self.approval(migration, down=down)
        return self.typed | self.configured | frozenset(found.codes if found else ())

    def consents(
        self, migration: Migration, hazards: Iterable[Hazard], *, down: bool = False
    ) -> tuple[Consent, ...]:
        """Who allowed each hazard that needs it: who typed it comes before an approval, and that before the configuration."""
        approval = self.approval(migration, down=down)
        found = []
        for code in sorted({hazard.code for hazard in hazards if hazard.code in NEEDS_CONSENT}):
            if {code, "all"} & self.typed:
                found.append(Consent(code, "--allow", self.who))
            elif approval is not None and code in approval.codes:
                found.append(Consent(code, "approve", approval.who, approval.at))
            elif {code, "all"} & self.configured:
                found.append(Consent(code, "configuration", self.who))
        return tuple(found)


def refuse_hazards(
    ones: Iterable[tuple[Migration, Iterable[Hazard]]],
    given: Given,
    *,
    filed: bool = True,
    down: bool = False,
) -> None:
    """Raises Stalled for every hazard that nobody allowed. `filed` says that the migrations are files that can be approved."""
    refused: dict[Hazard, Migration] = {}
    void: list[str] = []
    for migration, hazards in ones:
        missing = _missing(hazards, given.codes(migration, down=down))
        refused |= dict.fromkeys(missing, migration)
        old = given.approvals.get(migration.version)
        if missing and old is not None and old.codes and not down and old.checksum != migration.checksum:
            void.append(
                f"{migration.filename} was edited after {old.who} approved it at {old.at}: the approval is void"
            )
    if not refused:
        return
    codes = ",".join(sorted({hazard.code for hazard in refused}))
    lines = "".join(f"\n  {line}" for line in (*void, *(f"{h.code}: {h.consequence}" for h in refused)))
    versions = sorted({migration.version for migration in refused.values()})
    approve = f", or reconciler approve {versions[0]}" if filed and not down else ""
    raise Stalled(
        f"this needs a person's consent:{lines}",
        hint=f"when that is what you want: --allow {codes}{approve}   (reconciler explain {next(iter(refused)).code})",
    )


def unallowed(hazards: Iterable[Hazard], allowed: Collection[str]) -> bool:
    """Whether something of this needs a consent that is not there."""
    return bool(_missing(hazards, allowed))


def _missing(hazards: Iterable[Hazard], allowed: Collection[str]) -> list[Hazard]:
    if "all" in allowed:
        return []
    return [h for h in dict.fromkeys(hazards) if h.code in NEEDS_CONSENT and h.code not in allowed]


def client() -> str:
    """Who runs this program, at which machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
