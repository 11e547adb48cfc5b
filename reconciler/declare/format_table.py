"""The YAML of a table and of everything that belongs to it: the models that say which keys exist.

Every field's description is published in the JSON Schema. Never renders SQL; `render_table` does.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from reconciler.declare.node import Node, Sql
from reconciler.declare.renamable import Named, Part, Whole
from reconciler.declare.values import OnError

Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
Deferrable = Literal["no", "initially immediate", "initially deferred"]


def _as_list(value: Any) -> Any:
    """One word is a list of one."""
    return [value] if isinstance(value, str) else value


Words = Annotated[
    list[str], BeforeValidator(_as_list, json_schema_input_type=list[str] | str), Field(min_length=1)
]
"""One or several words of SQL: privileges, roles, events."""


class ForeignColumn(Named):
    """What a column refers to. Short form: `orgs (id) on delete cascade`."""

    short: ClassVar[str | None] = "to"
    to: str = Field(
        description="The table and column, then what PostgreSQL allows after them: `orgs (id) on delete cascade`."
    )
    not_valid: bool = Field(False, description="Only new rows are checked (NOT VALID).")


class Column(Part):
    """A column. Short form: its type and anything `create table` allows after it: `text not null default ''`."""

    short: ClassVar[str | None] = "type"
    type: str = Field(
        description="The type as SQL writes it; anything `create table` allows after it may follow."
    )
    nullable: bool = Field(True, description="false makes the column NOT NULL.")
    default: Sql | None = Field(
        None, description="The default as a SQL expression: `now()`, `0`, `'draft'` (with its SQL quotes)."
    )
    generated: str | None = Field(None, description="The expression of a generated column.")
    virtual: bool = Field(
        False, description="The generated column is computed when read (PostgreSQL 18 and newer)."
    )
    identity: Literal["always", "by default"] | None = Field(None, description="An identity column.")
    identity_options: str | None = Field(
        None, description="Sequence options of the identity: `start with 1000 increment by 10`."
    )
    primary_key: bool = Field(False, description="This column alone is the primary key.")
    unique: bool = Field(False, description="No two rows share a value.")
    references: ForeignColumn | None = Field(
        None, description="A foreign key of this column: `orgs (id) on delete cascade`."
    )
    check: Sql | None = Field(None, description="A condition every row meets.")
    collation: str | None = Field(None, description='The collation, as SQL writes it: `"C"`.')
    storage: Literal["plain", "external", "extended", "main"] | None = Field(
        None, description="How long values are stored."
    )
    compression: Literal["pglz", "lz4", "default"] | None = Field(
        None, description="How long values are compressed."
    )
    statistics: int | None = Field(None, description="The statistics target of ANALYZE.")
    comment: str | None = Field(None, description="The comment.")
    fill: Sql | None = Field(
        None, description="SQL expression that fills the column for rows that exist already (UP)."
    )
    down: Sql | None = Field(
        None,
        description="SQL expression that gives the column its value back when the migration is undone (DOWN).",
    )


class PrimaryKey(Named):
    """The primary key. Short form: its column, or the list of its columns."""

    short_items: ClassVar[str | None] = "columns"
    one_item: ClassVar[bool] = True
    columns: list[str] = Field(min_length=1, description="The columns, in order.")
    include: list[str] = Field([], description="Columns stored in the index beside the key.")
    deferrable: Deferrable = Field("no", description="When the key is checked.")
    comment: str | None = Field(None, description="The comment.")


class Unique(PrimaryKey):
    """A unique constraint. Short form: the list of its columns."""

    one_item: ClassVar[bool] = (
        False  # `unique: [a, b]` would be read as one key of two columns by every person
    )

    nulls_not_distinct: bool = Field(False, description="Two NULLs count as equal (PostgreSQL 15 and newer).")


class ForeignKey(Named):
    """A foreign key over one or several columns."""

    columns: list[str] = Field(min_length=1, description="The columns of this table.")
    references: str = Field(description="The other table and its columns: `accounts (org_id, id)`.")
    match: Literal["simple", "full"] = Field("simple", description="FULL refuses keys that are NULL in part.")
    on_delete: str = Field(
        "no action",
        description="What happens to a row when its target is deleted: `cascade`, `set null (account_id)` …",
    )
    on_update: Action = Field("no action", description="What happens to a row when its target's key changes.")
    deferrable: Deferrable = Field("no", description="When the key is checked.")
    not_valid: bool = Field(False, description="Only new rows are checked (NOT VALID).")
    comment: str | None = Field(None, description="The comment.")


class Check(Part):
    """A check constraint. Short form: its condition."""

    short: ClassVar[str | None] = "condition"
    condition: Sql = Field(description="The condition every row meets.")
    no_inherit: bool = Field(False, description="Not passed on to child tables.")
    not_valid: bool = Field(False, description="Only new rows are checked (NOT VALID).")
    comment: str | None = Field(None, description="The comment.")


class Exclusion(Part):
    """An exclusion constraint. Short form: its elements, `room with =, during with &&`."""

    short: ClassVar[str | None] = "elements"
    elements: str = Field(description="The elements and operators: `room with =, during with &&`.")
    method: str = Field("gist", description="The index method.")
    where: str | None = Field(None, description="Only rows that meet this condition.")
    deferrable: Deferrable = Field("no", description="When the constraint is checked.")
    comment: str | None = Field(None, description="The comment.")


class Index(Whole):
    """An index. Short form: its column, or the list of its columns or expressions."""

    short_items: ClassVar[str | None] = "columns"
    one_item: ClassVar[bool] = True
    columns: list[str] = Field(
        min_length=1, description="Columns or expressions: `name`, `lower(name) desc`, `(a + b)`."
    )
    unique: bool = Field(False, description="A unique index.")
    method: str = Field("btree", description="The index method: btree, gin, gist, brin, hash, spgist.")
    where: str | None = Field(None, description="A partial index: only rows that meet this condition.")
    include: list[str] = Field([], description="Columns stored beside the key.")
    nulls_not_distinct: bool = Field(False, description="Two NULLs count as equal (PostgreSQL 15 and newer).")
    options: dict[str, Sql] = Field({}, description="Storage parameters: `{fillfactor: 70}`.")
    comment: str | None = Field(None, description="The comment.")


class Policy(Part):
    """A row-level-security policy."""

    for_: Literal["all", "select", "insert", "update", "delete"] = Field(
        "all", alias="for", description="The command."
    )
    to: Words = Field(["public"], description="The roles, one or a list.")
    as_: Literal["permissive", "restrictive"] = Field(
        "permissive", alias="as", description="Permissive policies are joined by OR, restrictive ones by AND."
    )
    using: Sql | None = Field(None, description="Which existing rows are visible: a condition.")
    with_check: Sql | None = Field(None, description="Which new rows are allowed: a condition.")
    comment: str | None = Field(None, description="The comment.")


class Trigger(Part):
    """A trigger, with the four answers of its author: invariants, failure, concurrency, tenancy."""

    timing: Literal["before", "after", "instead of"] = Field(
        description="BEFORE to validate or transform, AFTER to write to other tables."
    )
    events: Words = Field(description="insert, update, `update of name, ein`, delete, truncate.")
    for_each: Literal["row", "statement"] = Field("row", description="Once per row, or once per statement.")
    when: Sql | None = Field(
        None, description="Only when this condition holds: `old.name is distinct from new.name`."
    )
    function: str = Field(description="The function and its arguments: `log_change()`, `guard('name')`.")
    old_table: str | None = Field(None, description="Name of the transition table of old rows.")
    new_table: str | None = Field(None, description="Name of the transition table of new rows.")
    constraint: bool = Field(False, description="A constraint trigger (AFTER, FOR EACH ROW).")
    deferrable: Deferrable = Field("no", description="When a constraint trigger fires.")
    enabled: Literal["origin", "replica", "always", "disabled"] = Field(
        "origin", description="In which replication role it fires."
    )
    invariants: dict[str, str] = Field(
        {}, description="What it protects: name → a query that must return no row."
    )
    on_error: OnError | None = Field(
        None,
        description="When it fails: raise (the statement fails), queue (kept for later), log (recorded).",
    )
    concurrency: str | None = Field(
        None, description="What happens when two transactions fire it at once, in a sentence."
    )
    tenancy: str | None = Field(
        None, description="How it meets row-level security and the tenant column, in a sentence."
    )
    budget: dict[Literal["single", "bulk"], str] = Field(
        {}, description="By how much it may slow a statement down: {single: 10%, bulk: 50%}."
    )
    comment: str | None = Field(None, description="The comment.")


class Statistics(Whole):
    """Extended statistics. Short form: the list of columns."""

    short_items: ClassVar[str | None] = "columns"
    columns: list[str] = Field(min_length=1, description="Columns or expressions.")
    kinds: list[Literal["ndistinct", "dependencies", "mcv"]] = Field(
        [], description="Which statistics; all when left out."
    )
    comment: str | None = Field(None, description="The comment.")


class Rule(Part):
    """A rule. Short form: what follows `create rule NAME as`."""

    short: ClassVar[str | None] = "does"
    does: str = Field(description="What follows `create rule NAME as`: `on delete to t do instead nothing`.")


class Partition(Node):
    """How this table is a partition of another."""

    of: str = Field(description="The partitioned table.")
    bounds: str = Field(
        description="Its share: `for values from ('2026-01-01') to ('2027-01-01')`, `default`."
    )


class Table(Whole):
    """A table and its parts. What is not named here does not belong to it: extra parts are drift."""

    may_be_empty: ClassVar[bool] = True
    columns: dict[str, Column] = Field({}, description="The columns in order: name → type, or name → keys.")
    primary_key: PrimaryKey | None = Field(None, description="The primary key: `[org_id, id]`.")
    unique: list[Unique] = Field([], description="Unique constraints: `[[org_id, name]]`.")
    foreign_keys: list[ForeignKey] = Field(
        [], description="Foreign keys over several columns, or with options."
    )
    checks: dict[str, Check] = Field({}, description="Check constraints: name → condition.")
    exclusions: dict[str, Exclusion] = Field({}, description="Exclusion constraints: name → elements.")
    indexes: dict[str, Index] = Field({}, description="Indexes: name → columns.")
    rls: Literal["disabled", "enabled", "forced"] = Field(
        "disabled", description="Row-level security; forced binds the owner too."
    )
    policies: dict[str, Policy] = Field({}, description="Policies: name → for, to, using, with_check.")
    triggers: dict[str, Trigger] = Field(
        {}, description="Triggers: name → timing, events, function, invariants …"
    )
    statistics: dict[str, Statistics] = Field({}, description="Extended statistics: name → columns.")
    rules: dict[str, Rule] = Field({}, description="Rules: name → what follows `create rule NAME as`.")
    grants: dict[str, Words] = Field(
        {}, description="Role → privileges: `{authenticated: [select, update (name)]}`."
    )
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")
    owner: str | None = Field(None, description="The owner.")
    unlogged: bool = Field(False, description="Fast, and empty after a crash.")
    inherits: list[str] = Field([], description="Parent tables.")
    partition_by: str | None = Field(None, description="`range (created_at)`, `list (region)`, `hash (id)`.")
    partition: Partition | None = Field(None, description="This table is a partition.")
    options: dict[str, Sql] = Field({}, description="Storage parameters: `{fillfactor: 70}`.")
    replica_identity: str | None = Field(
        None, description="`full`, `nothing`, or the name of a unique index."
    )
    comment: str | None = Field(None, description="The comment.")
    down: dict[str, Sql] = Field(
        {},
        description="What removed columns get in new rows when the migration is undone: name → SQL expression.",
    )

    @model_validator(mode="after")
    def _partitions_have_their_parents_columns(self) -> Table:
        if self.partition is not None and (self.columns or self.inherits):
            raise ValueError("a partition has the columns of its parent and declares none of its own")
        return self
