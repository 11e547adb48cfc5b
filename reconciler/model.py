"""The words of this program: immutable values, no I/O. Read this file first.

A *fact* is what PostgreSQL itself says about one object, in text, without OIDs. A *snapshot* is all facts of a
database. Two snapshots compared give *changes*; changes become the *statements* of a *plan*; a *rehearsal* says
what happened when the plan ran on a shadow copy; a *migration* is a rehearsed plan with a version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, NamedTuple

Json = Any
"""A value as `json.loads` returns it."""

Verb = Literal["create", "alter", "drop"]
Form = Literal["plain", "quarantine"]
"""Drops destroy, or keep what they drop."""
Source = Literal["migra", "catalog", "hand"]
"""Who wrote a statement: migra's draft, our own kinds, or a person."""
Severity = Literal["error", "warning", "info"]
Verdict = Literal["isolated", "leak", "bypass", "shared", "undecided"]

_BARE = re.compile(r"[a-z_][a-z0-9_$]*\Z")


def quoted(name: str) -> str:
    """A name as a person would write it in SQL: bare where that is unambiguous, quoted elsewhere.

    For display and keys. SQL that runs is quoted by PostgreSQL's own rules (`reconciler.pg.ident`), which also
    know the reserved words.
    """
    return name if _BARE.match(name) else '"' + name.replace('"', '""') + '"'


class ObjectId(NamedTuple):
    """The identity of an object: never an OID, the same on every server.

    A named tuple, because a large database has hundreds of thousands of them and everything looks them up and sorts them.

    `kind` is the name of a module in `catalog/kinds`. `schema` is empty for what lives outside schemas (roles,
    casts, …). `name` is the object's own name, or for a part (column, constraint, trigger, policy, rule …) the
    name of its table; then `part` names the part. For routines and operators `part` holds the argument types:
    `(integer, text)`.
    """

    kind: str
    schema: str
    name: str
    part: str = ""

    def __str__(self) -> str:
        base = f"{quoted(self.schema)}.{quoted(self.name)}" if self.schema else quoted(self.name)
        if not self.part:
            return base
        return base + self.part if self.part.startswith("(") else f"{base}.{quoted(self.part)}"


@dataclass(frozen=True, slots=True)
class Fact:
    """What PostgreSQL says about one object.

    `attributes` compare equal if and only if the objects are equal. `parent` is the object this one is a part of
    and disappears with. `position` orders columns; it is a note, never a difference. `digest` is the md5 of the
    attributes as the server prints them.
    """

    id: ObjectId
    attributes: Mapping[str, Json]
    digest: str
    parent: ObjectId | None = None
    position: int = 0

    def __getitem__(self, key: str) -> Json:
        return self.attributes.get(key)


def fingerprint_of(kinds: Mapping[str, str]) -> str:
    """One value for a database from one for each kind that has objects: the sha256 of its lines, sorted and joined by
    newlines, each with the lengths and texts of schema, name and part, and the digest. The server can make those, too."""
    return _sha256("\n".join(f"{kind}:{kinds[kind]}" for kind in sorted(kinds)))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Attributes(Mapping[str, Json]):
    """A JSON object as the server printed it, read when somebody looks: most objects of a large database nobody looks at."""

    __slots__ = ("_found", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[str, Json] | None = None

    def _read(self) -> dict[str, Json]:
        if self._found is None:
            self._found = json.loads(self.text)
        return self._found or {}

    def __getitem__(self, key: str) -> Json:
        return self._read()[key]

    def get(self, key: str, default: Json = None) -> Json:
        if self._found is None and f'"{key}"' not in self.text:
            return default
        return self._read().get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment: identity → digest for everything, attributes for what was asked for.

    `edges[x]` is the set of objects that x needs in order to exist (from `pg_depend`). `unmodelled` names objects
    of kinds that we cannot compare: a plan over them is refused, never silently narrowed. `major` is the server's
    major version.
    """

    digests: Mapping[ObjectId, str]
    facts: Mapping[ObjectId, Fact]
    edges: Mapping[ObjectId, frozenset[ObjectId]]
    unmodelled: tuple[str, ...] = ()
    major: int = 0

    @cached_property
    def fingerprint(self) -> str:
        """One value for the whole database: equal fingerprints mean no difference in anything we model."""
        lines: dict[str, list[str]] = {}
        for id, digest in self.digests.items():
            schema, name, part = id.schema, id.name, id.part
            line = f"{len(schema)}:{schema}{len(name)}:{name}{len(part)}:{part}{digest}"
            lines.setdefault(id.kind, []).append(line)
        return fingerprint_of({kind: _sha256("\n".join(sorted(found))) for kind, found in lines.items()})

    def marked(self, fingerprint: str) -> Snapshot:
        """This snapshot with the fingerprint of one whose objects nobody needs to read again."""
        self.__dict__["fingerprint"] = fingerprint
        return self

    @cached_property
    def children(self) -> Mapping[ObjectId, tuple[Fact, ...]]:
        """The parts of each object, in declared order."""
        found: dict[ObjectId, list[Fact]] = {}
        for fact in self.facts.values():
            if fact.parent is not None:
                found.setdefault(fact.parent, []).append(fact)
        return {
            parent: tuple(sorted(parts, key=lambda f: (f.position, f.id))) for parent, parts in found.items()
        }

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Fact, ...]]:
        """The facts of each kind that has any, in no particular order."""
        found: dict[str, list[Fact]] = {}
        for fact in self.facts.values():
            found.setdefault(fact.id.kind, []).append(fact)
        return {kind: tuple(facts) for kind, facts in found.items()}

    @cached_property
    def dependents(self) -> Mapping[ObjectId, frozenset[ObjectId]]:
        """The edges read backwards: who needs x."""
        found: dict[ObjectId, set[ObjectId]] = {}
        for id, needs in self.edges.items():
            for need in needs:
                found.setdefault(need, set()).add(id)
        return {id: frozenset(users) for id, users in found.items()}


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One object that differs. `attributes` names what differs of an altered one; `was` is what a renamed one was called."""

    verb: Verb
    id: ObjectId
    attributes: tuple[str, ...] = ()
    was: ObjectId | None = None

    @property
    def says(self) -> str:
        """How it stands to what is declared; `verb` is what a plan would do about it, and the opposite of what somebody did."""
        meaning = f"is still called {self.was}" if self.was is not None else MEANINGS[self.verb]
        return f"{self.id.kind.replace('_', ' ')} {self.id} {meaning}"


MEANINGS: Mapping[str, str] = {"create": "is missing", "alter": "differs", "drop": "is not declared"}


class HazardCode(StrEnum):
    """What a person must know before a statement runs. Each is explained by `reconciler explain CODE`."""

    DELETES_DATA = "DELETES_DATA"
    LOSSY_CAST = "LOSSY_CAST"
    WEAKENS_ISOLATION = "WEAKENS_ISOLATION"
    REVOKES_ACCESS = "REVOKES_ACCESS"
    REWRITES_TABLE = "REWRITES_TABLE"
    SCANS_UNDER_LOCK = "SCANS_UNDER_LOCK"
    BLOCKS_WRITES = "BLOCKS_WRITES"
    DEPENDS_ON_DATA = "DEPENDS_ON_DATA"
    NOT_TRANSACTIONAL = "NOT_TRANSACTIONAL"
    IRREVERSIBLE = "IRREVERSIBLE"
    ADDS_FINDING = "ADDS_FINDING"


@dataclass(frozen=True, slots=True, order=True)
class Hazard:
    """A code and its consequence for this very object, in one sentence."""

    code: HazardCode
    consequence: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement of a migration.

    `sql` has no trailing semicolon and can run twice. `reason` is the one-line comment written above it.
    `transactional` is false for what PostgreSQL refuses inside a transaction block, or must commit before the next
    statement may use it. `lock_timeout` and `statement_timeout` are in PostgreSQL's notation ("2s"); empty means
    the migration's own. `apart` says that the transactional statements before this one are committed before it begins.
    """

    sql: str
    reason: str
    source: Source = "catalog"
    transactional: bool = True
    lock_timeout: str = ""
    hazards: tuple[Hazard, ...] = ()
    subject: ObjectId | None = None
    statement_timeout: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """How large a table or materialized view is on the target, without its indexes: an estimate of PostgreSQL's."""

    rows: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """From how many rows a table counts as busy: `online_rows` gives its changes the online form, `guarded_rows` asks more of
    the plan."""

    online_rows: int = 100_000
    guarded_rows: int = 1_000_000


COMMANDS: Mapping[str, str] = {
    "SELECT": "AccessShareLock",
    "INSERT": "RowExclusiveLock",
    "UPDATE": "RowExclusiveLock",
    "DELETE": "RowExclusiveLock",
    "FK INSERT": "RowShareLock",
    "VACUUM": "ShareUpdateExclusiveLock",
}
"""What the everyday commands ask for on a table (manual, "Explicit Locking"). FK INSERT is an insert into a table that
references this one: it looks the key up here FOR KEY SHARE."""

CONFLICTS: Mapping[str, frozenset[str]] = {
    "AccessShareLock": frozenset({"AccessExclusiveLock"}),
    "RowShareLock": frozenset({"ExclusiveLock", "AccessExclusiveLock"}),
    "RowExclusiveLock": frozenset(
        {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
    ),
    "ShareUpdateExclusiveLock": frozenset(
        {"ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
    ),
}  # fmt: skip
"""The rows of the manual's table of conflicting lock modes that the commands above need: asked for → held by another."""


@dataclass(frozen=True, slots=True)
class LockTaken:
    """The strongest lock one statement took on one relation, as `pg_locks` showed it."""

    relation: str
    mode: str

    @property
    def blocks(self) -> tuple[str, ...]:
        """Which commands on that relation wait until the transaction ends, in the order of COMMANDS."""
        return tuple(command for command, asked in COMMANDS.items() if self.mode in CONFLICTS[asked])


@dataclass(frozen=True, slots=True)
class Band:
    """Between how many seconds something is expected to take."""

    low: float
    high: float

    def __add__(self, other: Band) -> Band:
        return Band(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one statement did in the rehearsal. `seconds` is wall-clock on the shadow's row counts.

    `on_live` is how long it is expected to take on the target's row counts, on a machine like the shadow's; None when it was not
    timed at several scales.
    """

    locks: tuple[LockTaken, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    seconds: float = 0.0
    on_live: Band | None = None


def together(measured: Iterable[Measured]) -> Band | None:
    """The band of all of them, one after another; None when one has none, or there are none."""
    bands = [one.on_live for one in measured]
    known = [band for band in bands if band is not None]
    return sum(known, Band(0.0, 0.0)) if known and len(known) == len(bands) else None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Up, up again, down, down again, up once more on a shadow copy, and what was equal afterwards.

    A stage is None when it was not reached. `rows_kept` is None when there was no row to watch. `residue` lists,
    in sentences, every difference from what was expected. `unseeded` names tables that could not be given rows,
    with the reason: about those the rehearsal says nothing. `unweighed` says why times were not taken at several scales, or which
    tables had fewer rows then than they should.
    """

    scope: Literal["full", "slice"] = "full"
    up: bool | None = None
    up_again: bool | None = None
    down: bool | None = None
    down_again: bool | None = None
    reup: bool | None = None
    rows_kept: bool | None = None
    residue: tuple[str, ...] = ()
    seeded: tuple[str, ...] = ()
    unseeded: tuple[str, ...] = ()
    measured_up: tuple[Measured, ...] = ()
    measured_down: tuple[Measured, ...] = ()
    unweighed: tuple[str, ...] = ()
    seconds: float = 0.0

    @classmethod
    def of_nothing(cls) -> Rehearsal:
        """The rehearsal of a plan without statements."""
        return cls(up=True, up_again=True, down=True, down_again=True, reup=True)

    @property
    def passed(self) -> bool:
        """Every stage ran and ended where it had to. Rows lost by an announced DELETES_DATA do not fail it."""
        stages = (self.up, self.up_again, self.down, self.down_again, self.reup)
        return all(stage is True for stage in stages) and not self.residue


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`old`, which goes, and `new`, which comes, look like one object that was renamed.

    `hint` is what to write in the declaration to make it so, `place` where (`file:line`; empty when that is not known).
    """

    old: ObjectId
    new: ObjectId
    hint: str = ""
    place: str = ""

    def __str__(self) -> str:
        kind = self.new.kind.replace("_", " ")
        keeps = "its rows" if self.new.kind in ("table", "column", "enum_value", "schema") else "it"
        at = f" at {self.place}" if self.place else ""
        return f"{kind} {self.new} looks like {self.old} renamed; to keep {keeps} declare{at}: {self.hint}"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to get from one state to another and back. `before` and `after` are snapshot fingerprints.

    `form` is "plain" (drops destroy) or "quarantine" (drops keep the rows). `drafted_by` says whose draft was
    used: "migra" when it stood, "catalog" when it was set aside, with `set_aside` saying why.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    up: tuple[Statement, ...]
    down: tuple[Statement, ...]
    form: Form = "plain"
    set_aside: str = ""
    unmodelled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """The hazards of UP, each once, in order of first appearance."""
        return tuple(dict.fromkeys(hazard for statement in self.up for hazard in statement.hazards))

    @property
    def share_of_migra(self) -> float:
        """Which part of the UP statements migra wrote, 0 to 1."""
        return sum(s.source == "migra" for s in self.up) / len(self.up) if self.up else 0.0


@dataclass(frozen=True, slots=True)
class Migration:
    """A plan with a version. `checksum` is over everything that runs, so that an edited file is recognised.

    `version` is `YYYYMMDDHHMMSS` in UTC; `slug` is lower-case words joined by `_`. `header` holds the remaining
    header comments of the file as ordered pairs (fingerprints, hazards, locks, tool versions).
    """

    version: str
    slug: str
    up: tuple[Statement, ...]
    down: tuple[Statement, ...]
    before: str = ""
    after: str = ""
    header: tuple[tuple[str, str], ...] = field(default=())

    @property
    def checksum(self) -> str:
        """sha256 over both scripts and their transaction boundaries."""
        total = hashlib.sha256()
        for direction, statements in (("up", self.up), ("down", self.down)):
            for s in statements:
                timeouts = f"{s.lock_timeout}\0{s.statement_timeout}" + ("\0apart" if s.apart else "")
                total.update(f"{direction}\0{s.transactional}\0{timeouts}\0{s.sql}\0".encode())
        return total.hexdigest()

    @property
    def filename(self) -> str:
        return f"{self.version}_{self.slug}.sql"


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded, resumable part of an apply: statements that take effect together, or one that stands alone."""

    number: int
    statements: tuple[Statement, ...]

    @property
    def transactional(self) -> bool:
        return all(statement.transactional for statement in self.statements)


@dataclass(frozen=True, slots=True)
class Consent:
    """That a hazard was allowed: `how` is "--allow", "approve" or "configuration", `who` a person at a machine with the database
    role, `at` when an approval was given (ISO 8601 in UTC)."""

    code: str
    how: str
    who: str
    at: str = ""

    def __str__(self) -> str:
        at = f", {self.at}" if self.at else ""
        return f"{self.code} allowed by {self.how} ({self.who}{at})"


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of the history. `finished_at` is empty while steps are outstanding; times are ISO 8601 in UTC.

    `before` and `after` are the fingerprints the migration was made for; `tool` is the version of this program; `consents` say
    which hazards were allowed, and by whom.
    """

    version: str
    slug: str
    checksum: str
    direction: Literal["up", "down"]
    applied_by: str
    started_at: str
    finished_at: str
    seconds: float
    steps_done: int
    steps: int
    up_sql: str
    down_sql: str
    before: str = ""
    after: str = ""
    tool: str = ""
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that a migration dropped and that is kept in `reconciler_quarantine` as `kept_as`.

    `id` is what it was; several columns of one table may share what they are kept in. `rows` is an estimate, None when there is
    none; `bytes` is with indexes. `held` is the reason why it must not be purged; empty when it may. `number` orders by age.
    What an interrupted apply has copied of something that is still there is here too, as `unfinished`.
    """

    id: ObjectId
    kept_as: str
    kept_at: str
    kept_by: str
    rows: int | None = None
    bytes: int = 0
    held: str = ""
    number: int = 0

    @property
    def unfinished(self) -> bool:
        return self.id.kind.startswith("unfinished_")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What an audit has to say about one object.

    `rule` is explained by `reconciler explain RULE`. `says` is one sentence about this very object, `evidence` what shows it (for an
    error: the attack), `remedy` what to do, in SQL where it is mechanical. `detail` tells several findings of a rule at one
    object apart (a command, a role). An error was shown by an attack that ran; everything else is a warning or an information.
    """

    rule: str
    severity: Severity
    subject: ObjectId
    says: str
    evidence: str = ""
    remedy: str = ""
    detail: str = ""

    @property
    def key(self) -> str:
        """The same for the same finding in every run: what an exemption names."""
        base = f"{self.rule} {self.subject.kind} {self.subject}"
        return f"{base} {self.detail}" if self.detail else base


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What attacks of one identity with one command upon one object came to.

    `isolated`: the attack ran, and was refused or neither showed nor changed a row of the other tenant, while the identity could have done
    the same with its own rows, or is refused altogether. `leak`: `script` shows it in psql. `bypass`: row-level security does not bind this
    role, so nothing was to be expected. `shared`: the object holds nobody's rows. `undecided`: `reason` says why; never counts as
    isolated.
    """

    object: ObjectId
    command: str
    identity: str
    verdict: Verdict
    reason: str
    attack: str = ""
    script: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """A Kubernetes-style condition: `status` is True, False or Unknown; `reason` is one CamelCase word."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    sentence: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known about one database at one moment; what pages, metrics and `status` show."""

    database: str
    observed_at: str
    conditions: tuple[Condition, ...] = ()
    drift: tuple[Change, ...] = ()
    extra: tuple[ObjectId, ...] = ()
    pending: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
