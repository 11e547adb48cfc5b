"""What somebody asks a running reconciler for from elsewhere: a pass, a pause and its end, consent to a pending migration.

Promises that an unknown database or version is told apart from a refusal (None), that the declarations get no more trust than the
configuration gives them to a program, and that after each the loop looks again. Whoever asks was let in by somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from reconciler import migrate
from reconciler.engine import approving, looking, suspending
from reconciler.engine.listening import tell
from reconciler.errors import ReconcilerError, Stalled
from reconciler.migrate import Approval
from reconciler.model import Json
from reconciler.pg import connect
from reconciler.run.trouble import in_family
from reconciler.settings import Database

Answer = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Requests:
    """`databases` gives those that are configured now; `wake` asks the loop for a pass over the one of that name, and may be called in
    any thread. `leads` says whether this process may change it, None where nobody needs to lead. `who` is who asks, as the history shall
    name them."""

    databases: Callable[[], tuple[Database, ...]]
    wake: Callable[[str], None]
    leads: Callable[[str], bool | None] = lambda name: None

    def reconcile(self, database: str) -> Answer | None:
        """Asks for a pass, and does not wait for it. A pause stays in force."""
        found = self._find(database)
        if found is None:
            return None
        self.wake(found.name)
        if self.leads(found.name) is False:
            # Best effort: whoever leads looks at its interval anyway.
            with suppress(ReconcilerError, psycopg.Error), connect(found.target(), connect_timeout=2) as live:
                tell(live)
        return {"asked": True}

    def suspend(self, database: str, reason: str, who: str) -> Answer | None:
        """Raises Stalled without the right to write it down, Waiting when the target is not there."""
        found = self._find(database)
        if found is None:
            return None
        with _told():
            pause = suspending.suspend(found, reason, who=who)
        self.wake(found.name)
        return {"suspension": suspending.fact(pause)}

    def resume(self, database: str, who: str) -> Answer | None:
        """Raises as `suspend`."""
        found = self._find(database)
        if found is None:
            return None
        with _told():
            was = suspending.resume(found, who=who)
        self.wake(found.name)
        return {"suspension": None, "was": suspending.fact(was)}

    def approve(self, database: str, version: str, who: str, *, checksum: str = "") -> Answer | None:
        """Consents to the hazards of one pending file, after rehearsing it; with `checksum` only if that is the file's. Raises Stalled when
        the file is another one or the rehearsal fails, Waiting when the target or the shadow is not there."""
        found = self._find(database)
        if found is None:
            return None
        with _told():
            if all(one.version != version for one in looking.pending(found)):
                if self.leads(found.name) is False:
                    raise Stalled(
                        f"no migration {version} is pending in the folder of this process, and another one leads",
                        hint=f"ask {_leader(found)}, or give both the same migrations_dir",
                    )
                return None
            what = approving.approvable(found, version, trust=found.trust or "untrusted")
            if checksum not in ("", what.migration.checksum):
                raise Stalled(
                    f"{what.migration.filename} has the checksum {what.migration.checksum}, not {checksum}",
                    hint="it was edited since: look at it again, then approve what it is now",
                )
            given = approving.approve(found, what, who=who) if what.hazards else None
        self.wake(found.name)
        return {
            "version": version,
            "hazards": [{"code": str(one.code), "consequence": one.consequence} for one in what.hazards],
            "approval": _as_json(given) if given else None,
        }

    def _find(self, name: str) -> Database | None:
        return next((one for one in self.databases() if one.name == name), None)


def _leader(database: Database) -> str:
    with connect(database.target()) as live:
        return migrate.leader(live) or "the one that leads"


def _as_json(given: Approval) -> Answer:
    return {
        "codes": list(given.codes), "who": given.who, "at": given.at, "checksum": given.checksum, "holds": True,
    }  # fmt: skip


@contextmanager
def _told() -> Iterator[None]:
    """A right that is missing or a server that is going down is no fault of this program."""
    try:
        yield
    except psycopg.Error as error:
        found = in_family(error)
        if found is None:
            raise
        raise found from error
