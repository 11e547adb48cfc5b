"""One database with its declarations, its shadow and both states: what every use case about a target starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler import declare, migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import Scope
from reconciler.declare import Declarations
from reconciler.engine.copy import copied, replicate_roles, settings_of
from reconciler.engine.desired import Desired, Trust, desired, scope_of
from reconciler.model import Applied, Fact, ObjectId, Snapshot
from reconciler.pg import Url, connect
from reconciler.settings import Database
from reconciler.shadow.scratch import Shadow, shadow

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """`live` and `wanted` are the target and the declarations in `scope`; in `wanted` undeclared objects that we may not
    drop stand as they are on the target, and `extra` names them. `role` is who applies.
    """

    database: Database
    url: Url
    declarations: Declarations
    shadow: Shadow
    scope: Scope
    live: Snapshot
    wanted: Snapshot
    wanted_database: Url
    extra: tuple[ObjectId, ...]
    role: str
    history: tuple[Applied, ...] = ()
    owned: dict[ObjectId, str] = field(default_factory=dict)

    def copy_of_live(self) -> Url:
        """The live schema in a scratch database."""
        with connect(self.url) as connection:
            return copied(connection, self.url, self.live, self.shadow, self.scope)


@contextmanager
def opened(database: Database, *, trust: Trust, told: Told = lambda stage: None) -> Iterator[Work]:
    """Reads the target and materialises the declarations. Changes nothing on the target.

    Raises Usage for declarations that cannot be read, Stalled for those PostgreSQL rejects, Waiting when the target or the
    shadow is not there.
    """
    declarations = declare.read(database.schema_dir, exclude=database.migrations)
    url = database.target()
    told("read the database")
    with connect(url) as live:
        role = live.execute("select current_user::text").fetchone()
        history, owned = migrate.read(live), migrate.owned(live)
        scope = scope_of(database, declarations, owned)
        whole = catalog.read(live)
        state = catalog.read(live, scope)
        settings = settings_of(live)
        major = live.info.server_version // 10000
        told("start the shadow")
        with shadow(database.shadow, major=major, target=url, settings=settings) as server:
            replicate_roles(live, server)
            told("load the declarations")
            goal: Desired = desired(
                declarations, state, whole, shadow=server, scope=scope, role=str(role[0]) if role else "",
                trust=trust, owned=owned,
            )  # fmt: skip
            wanted, extra = with_extra(state, goal.snapshot, owned, prune=database.prune)
            yield Work(
                database, url, declarations, server, scope, state, wanted, goal.database, extra,
                str(role[0]) if role else "", history, owned,
            )  # fmt: skip


def with_extra(
    live: Snapshot, wanted: Snapshot, owned: dict[ObjectId, str], *, prune: bool
) -> tuple[Snapshot, tuple[ObjectId, ...]]:
    """`wanted` plus the undeclared objects that stay, with their parts; and the names of those objects.

    An undeclared object is dropped only when we created or adopted it, or when pruning was asked for. Parts of declared
    objects (columns, policies, triggers …) belong to the declaration and are never extra.
    """
    extra = [
        id for id, fact in live.facts.items()
        if fact.parent is None and id not in wanted.facts and id not in owned and not prune
    ]  # fmt: skip
    kept: dict[ObjectId, Fact] = {}
    todo = list(extra)
    while todo:
        id = todo.pop()
        kept[id] = live.facts[id]
        todo += [part.id for part in live.children.get(id, ())]
    merged = catalog.merged(wanted, kept, {id: live.edges.get(id, frozenset()) for id in kept})
    return merged, tuple(sorted(extra))
