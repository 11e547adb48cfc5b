"""One database with its declarations, its shadow and both states: what every use case about a target starts from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reconciler import declare, migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import Scope
from reconciler.declare import Rename
from reconciler.engine import cache, defaults, leftovers, unmoved
from reconciler.engine.copy import copied, lend, replicate_roles, settings_of
from reconciler.engine.declared import Said, said
from reconciler.engine.desired import Desired, Trust, depends_on, desired, scope_of, with_what_is_there
from reconciler.engine.sizes import sizes
from reconciler.errors import Waiting
from reconciler.model import Applied, Fact, ObjectId, Size, Snapshot
from reconciler.pg import Url, connect
from reconciler.run import reading
from reconciler.settings import Database
from reconciler.shadow.scratch import Shadow, shadow

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """`live` and `asked` are the target and the declarations in `scope`; in `wanted` undeclared objects that we may not
    drop stand beside what is asked for, as they are on the target, and `extra` names them. `whole` is the target without
    limits. `declared` gives the declarations as a scratch database, loaded when it is first asked for. `role` is who applies.
    """

    database: Database
    url: Url
    declarations: Said
    shadow: Shadow
    scope: Scope
    live: Snapshot
    whole: Snapshot
    asked: Snapshot
    wanted: Snapshot
    declared: Callable[[], Url]
    extra: tuple[ObjectId, ...]
    role: str
    history: tuple[Applied, ...] = ()
    owned: dict[ObjectId, str] = field(default_factory=dict)
    sizes: Mapping[ObjectId, Size] = field(default_factory=dict)

    def copy_of_live(self) -> Url:
        """The live schema in a scratch database."""
        with connect(self.url) as connection:
            return copied(connection, self.url, self.live, self.shadow, self.scope)


@dataclass(frozen=True, slots=True)
class Look:
    """The target as it is, its declarations, and, when they were materialised before, the state they ask for.

    `name` is what the declared state depends on; `moment` names the target as it was; `left` are invalid indexes, which count as
    not there.
    """

    database: Database
    url: Url
    declarations: Said
    scope: Scope
    live: Snapshot
    whole: Snapshot
    role: str
    settings: dict[str, str]
    history: tuple[Applied, ...]
    owned: dict[ObjectId, str]
    name: str
    moment: str = ""
    asked: Snapshot | None = None
    wanted: Snapshot | None = None
    extra: tuple[ObjectId, ...] = ()
    left: tuple[Fact, ...] = ()


@catalog.uncollected()
def looked(database: Database, *, trust: Trust, told: Told = lambda stage: None) -> Look:
    """Reads files and target; starts nothing and changes nothing.

    Raises Usage for declarations that cannot be read, Waiting or Stalled when the target cannot be.
    """
    declarations = said(database)
    url = database.target()
    told("read the database")
    with reading(url) as live:
        row = live.execute("select current_user::text").fetchone()
        role = str(row[0]) if row else ""
        history, owned = migrate.read(live), migrate.owned(live)
        scope = scope_of(database, declarations, owned)
        whole, moment = unmoved.snapshot(live)
        whole, left = leftovers.without(whole)
        state = catalog.within(whole, scope)
        settings = settings_of(live)
    typed = defaults.typed(whole, owned, database.platform)
    name = cache.key(
        trust,
        settings,
        str(database.shadow),
        depends_on(declarations, state, whole, scope, role, owned, typed),
    )
    look = Look(
        database,
        url,
        declarations,
        scope,
        state,
        whole,
        role,
        settings,
        history,
        owned,
        name,
        moment,
        left=tuple(fact for fact in left if fact.id.schema in scope),
    )
    saved = cache.load("desired", name)
    if saved is None:
        return look
    found, untouched = cache.unpacked(saved)
    asked = with_what_is_there(found, untouched, state)
    wanted, extra = with_extra(state, asked, owned, prune=database.prune, renames=declarations.renames)
    return replace(look, asked=asked, wanted=wanted, extra=extra)


def remember(look: Look, wanted: Snapshot, extra: tuple[ObjectId, ...], trust: Trust) -> unmoved.Settled:
    """Keeps for later that this look found no difference."""
    strange = tuple(sorted({*look.live.unmodelled, *wanted.unmodelled}))
    found = unmoved.Settled(look.live, wanted, extra, strange)
    content = look.declarations.content
    if content and not look.left:  # what is left behind is named again each time
        unmoved.remember(look.database, trust, content, look.moment, look.owned, found)
    return found


@contextmanager
def opened(look: Look, *, trust: Trust, told: Told = lambda stage: None) -> Iterator[Work]:
    """Starts the shadow and, unless their state is known, materialises the declarations on it. Changes nothing on the target.

    Raises Stalled for declarations PostgreSQL rejects, Waiting when the shadow is not there.
    """
    database = look.database
    told("start the shadow")
    with shadow(database.shadow, major=look.live.major, target=look.url, settings=look.settings) as server:
        with connect(look.url) as live:
            replicate_roles(live, server)
            lend(live, server, look.scope, look.role)
            large = sizes(live, look.scope)

        @functools.cache
        def goal() -> Desired:
            told("load the declarations")
            declarations = declare.read(database.schema_dir, exclude=database.migrations)
            if declarations.digest != look.declarations.digest:
                raise Waiting(
                    "the declarations changed while they were read", hint="run the same command again"
                )
            return desired(
                declarations, look.live, look.whole, shadow=server, scope=look.scope, role=look.role, trust=trust,
                owned=look.owned, typed=defaults.typed(look.whole, look.owned, database.platform),
            )  # fmt: skip

        asked, wanted, extra = look.asked, look.wanted, look.extra
        if asked is None or wanted is None:
            cache.save("desired", look.name, cache.packed(goal().snapshot, goal().untouched))
            asked = with_what_is_there(goal().snapshot, goal().untouched, look.live)
            wanted, extra = with_extra(
                look.live, asked, look.owned, prune=database.prune, renames=look.declarations.renames
            )
        yield Work(
            database, look.url, look.declarations, server, look.scope, look.live, look.whole, asked, wanted,
            lambda: goal().database, extra, look.role, look.history, look.owned, large,
        )  # fmt: skip


def with_extra(
    live: Snapshot,
    wanted: Snapshot,
    owned: dict[ObjectId, str],
    *,
    prune: bool,
    renames: Iterable[Rename] = (),
) -> tuple[Snapshot, tuple[ObjectId, ...]]:
    """`wanted` plus the undeclared objects that stay, with their parts; and the names of those objects.

    An undeclared object is dropped only when we created or adopted it, or when pruning was asked for. Parts of declared
    objects (columns, policies, triggers …) belong to the declaration and are never extra, nor is what the declaration gives
    another name, with what is in it. What stands on a table of the platform is a part of nothing declared.
    """
    moved = {r.old for r in renames if r.new in wanted.facts}
    schemas = {id.name for id in moved if id.kind == "schema"}
    for fact in live.by_kind.get("owned_by", ()):
        table = ObjectId("table", fact["schema"], fact["table"])
        column = ObjectId("column", fact["schema"], fact["table"], fact["column"])
        # What a column owns goes with it.
        if table in moved or (table in wanted.facts and column not in wanted.facts):
            moved.add(ObjectId("sequence", fact.id.schema, fact.id.name))
    extra = [
        id for id, fact in live.facts.items()
        if (fact.parent is None or fact.parent not in live.facts) and id not in wanted.facts and id not in owned and id not in moved
        and id.schema not in schemas and not prune
    ]  # fmt: skip
    kept: dict[ObjectId, Fact] = {}
    todo = list(extra)
    while todo:
        id = todo.pop()
        kept[id] = live.facts[id]
        todo += [part.id for part in live.children.get(id, ())]
    for id in [
        id for id in kept if id.kind == "publication_table"
    ]:  # it goes with its table, not with its publication
        if any(
            need.kind == "table" and need not in wanted.facts and need not in kept
            for need in live.edges.get(id, ())
        ):
            del kept[id]
    merged = catalog.merged(wanted, kept, {id: live.edges.get(id, frozenset()) for id in kept})
    return merged, tuple(sorted(extra))
