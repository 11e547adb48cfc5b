"""Rules about keys: do they keep the rows of one tenant from pointing at, deleting, or telling about another's?

They need to know whose each table is, and are silent where nobody could tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import reach
from reconciler.audit.rules.catalog import ForeignKey, Index, Relation
from reconciler.audit.rules.names import on
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident
from reconciler.shadow.tenants.tokens import mentions

_OF_TENANTS = frozenset({"tenant", "via", "membership"})
_ACTIONS = {"c": "cascade", "n": "set null", "d": "set default"}


def _crossing(subject: Subject) -> Iterator[tuple[Relation, Relation, ForeignKey]]:
    """The foreign keys from a table of tenants to another one that do not carry the tenant along."""
    catalog = subject.catalog
    for key in catalog.foreign_keys:
        child, parent = catalog.relations.get(key.table), catalog.relations.get(key.target)
        if child is None or parent is None or child.id.schema not in catalog.ours or child.member:
            continue
        below, above = subject.owned(child), subject.owned(parent)
        if (
            below is None
            or above is None
            or below.ownership not in _OF_TENANTS
            or above.ownership not in _OF_TENANTS
        ):
            continue
        if set(key.columns) >= set(below.columns) and below.ownership == "via":
            continue  # the key is what says whose the row is
        pairs = zip(key.columns, key.target_columns, strict=True)
        if not any(column in below.columns and target in above.columns for column, target in pairs):
            yield child, parent, key


def _acts(key: ForeignKey) -> str:
    found = [
        f"on {event} {_ACTIONS[letter]}"
        for event, letter in (("delete", key.on_delete), ("update", key.on_update))
        if letter in _ACTIONS
    ]
    return " ".join(found)


def _points(subject: Subject) -> Iterator[Finding]:
    for child, parent, key in _crossing(subject):
        if not _acts(key):
            yield POINTS.finding(
                key.id,
                f"Foreign key {key.id.part} lets a row of {child.id} point at a row of {parent.id} of another tenant.",
            )


POINTS = Rule(
    id="STO001",
    title="A foreign key does not keep to its tenant",
    severity="warning",
    condition="A foreign key between two tables of tenants does not contain, on both sides, the column that says whose the row is.",
    consequence="PostgreSQL checks a foreign key past all policies. One's own row may point at another tenant's, and whether the insert"
    " succeeds tells whether that key exists. What follows the pointer (a trigger, a view, a function) is in the wrong tenant then.",
    remedy="Let the key carry the tenant: unique (org_id, id) on the parent, foreign key (org_id, parent_id) references parent"
    " (org_id, id) on the child.",
    references=("pgrls SEC047", "manual: Row Security Policies"),
    check=_points,
)


def _cascades(subject: Subject) -> Iterator[Finding]:
    for child, parent, key in _crossing(subject):
        if _acts(key):
            yield CASCADES.finding(
                key.id,
                f"What is deleted or changed in {parent.id} reaches rows of {child.id} of other tenants: {key.id.part} {_acts(key)}.",
            )


CASCADES = Rule(
    id="STO002",
    title="A cascade can reach another tenant's rows",
    severity="warning",
    condition="A foreign key between two tables of tenants has ON DELETE or ON UPDATE with CASCADE, SET NULL or SET DEFAULT and does not"
    " contain, on both sides, the column that says whose the row is.",
    consequence="A cascade asks no policy. Once a row of another tenant points here, deleting one's own row deletes theirs.",
    remedy="Let the key carry the tenant: foreign key (org_id, parent_id) references parent (org_id, id) on delete cascade.",
    references=("pgrls SEC047", "manual: Row Security Policies"),
    check=_cascades,
)


def _is_made_up(table: Relation, index: Index) -> bool:
    """Whether the values of a key come from the database: nobody chooses them, so nobody learns by choosing."""
    columns = [next((c for c in table.columns if c.name == name), None) for name in index.columns]
    return all(
        c is not None
        and (
            c.type == "uuid"
            or c.identity == "a"
            or (index.primary and (c.identity or "nextval(" in c.default))
        )
        for c in columns
    )


def _tells(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for index in catalog.indexes:
        table = catalog.relations.get(index.table)
        if table is None or table.id.schema not in catalog.ours or table.member or table.letter not in "rp":
            continue
        deciding = subject.deciding(table)
        if not (index.unique or index.exclusion) or not deciding or deciding & set(index.columns):
            continue
        if any(mentions(text, name) for name in deciding for text in index.expressions):
            continue  # calculated from it: (tenant::text), as exclusion constraints want it
        # What a narrower key makes unique already, this one tells nothing about.
        if any(
            o.unique and not o.partial and set(o.columns) < set(index.columns)
            for o in catalog.indexes_of(table)
        ):
            continue
        chosen = not subject.is_shared(table) and not _is_made_up(table, index)
        held = reach.holders(catalog, table, "insert", "update")
        if chosen and (held or not index.primary):
            columns = ", ".join(name or "an expression" for name in index.columns)
            tells = (
                "a refused value tells that another has it"
                if held
                else "two of them cannot have the same value"
            )
            yield TELLS.finding(
                index.id,
                f"{index.id.part or index.id.name} on {table.id} ({columns}) is unique across all tenants: {tells}.",
                severity="warning" if held else "info",
            )


TELLS = Rule(
    id="STO003",
    title="A unique key tells what other tenants have",
    severity="warning",
    condition="A unique or exclusion constraint on a table of tenants or users does not contain the column that says whose the row is, and"
    " its values are chosen by those who write. It is an information where no role that row-level security binds may write.",
    consequence="“Duplicate key” for an e-mail address, a name or a number says that a tenant whom one cannot see has it; and two tenants"
    " cannot have the same.",
    remedy="Put the tenant first: unique (org_id, email). Where it must be unique for all, take it by a function that answers the same"
    " in both cases.",
    references=("pgrls SEC035", "manual: Row Security Policies"),
    check=_tells,
)


def _nullable(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        owned = subject.owned(table)
        if owned is None or owned.ownership not in ("tenant", "via", "user", "membership") or table.partition:
            continue
        columns = [c.name for c in table.columns if c.name in owned.columns]
        nullable = [c.name for c in table.columns if c.name in owned.columns and c.nullable]
        if nullable and len(nullable) == len(columns):
            listed = ", ".join(nullable)
            yield NULLABLE.finding(
                ObjectId("column", table.id.schema, table.id.name, nullable[0]),
                f"A row of {table.id} may have no owner: {listed} may be NULL.",
                remedy=f"alter table {on(table)} "
                + ", ".join(f"alter column {ident(name)} set not null" for name in nullable)
                + ";",
            )


NULLABLE = Rule(
    id="STO004",
    title="The column that says whose a row is may be NULL",
    severity="info",
    condition="The column that names the tenant or user of a row is not declared NOT NULL.",
    consequence="A row without an owner is seen by nobody under =, and by everybody as soon as one policy says or is null. A unique key"
    " over it does not hold for NULL.",
    remedy="alter table … alter column … set not null, after giving each row its owner.",
    references=("pgrls SEC030",),
    check=_nullable,
)

RULES = (POINTS, CASCADES, TELLS, NULLABLE)
