"""The YAML of a file: which top-level keys exist, and every kind of object that is not part of a table.

Never renders SQL; `render` does. What has no key here is written as SQL, in a `.sql` file or under `sql:`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from reconciler.declare.format_table import Index, Rule, Table, Trigger, Words
from reconciler.declare.names import ColumnName, Name, Signature
from reconciler.declare.node import Node, Sql
from reconciler.declare.renamable import Part, Whole


class Schema(Part):
    """A schema."""

    may_be_empty: ClassVar[bool] = True
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges: `{authenticated: usage}`.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class Extension(Node):
    """An extension."""

    may_be_empty: ClassVar[bool] = True
    in_schema: str | None = Field(None, alias="schema", description="The schema its objects go to.")
    version: str | None = Field(None, description="The version; the newest available when left out.")


class EnumValue(Part):
    """A value of an enum. Short form: the value."""

    short: ClassVar[str | None] = "value"
    value: str = Field(description="The value.")


class Enum(Whole):
    """An enum. Short form: the list of its values, in order."""

    short_items: ClassVar[str | None] = "values"
    values: list[EnumValue] = Field(
        description="The values, in order; `{value: paid, renamed_from: settled}`."
    )
    becomes: dict[str, str] = Field(
        {}, description="Removed value → the value that rows get which hold it (UP)."
    )
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class DomainCheck(Part):
    """A check of a domain. Short form: its condition."""

    short: ClassVar[str | None] = "condition"
    condition: Sql = Field(description="The condition on VALUE.")


class Domain(Whole):
    """A domain. Short form: the type and what `create domain` allows after it."""

    short: ClassVar[str | None] = "type"
    type: str = Field(description="The type underneath.")
    nullable: bool = Field(True, description="false makes it NOT NULL.")
    default: Sql | None = Field(None, description="The default, a SQL expression.")
    collation: str | None = Field(None, description="The collation, as SQL writes it.")
    checks: dict[str, DomainCheck] = Field({}, description="Name → condition on VALUE.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class Attribute(Part):
    """An attribute of a composite type. Short form: its type."""

    short: ClassVar[str | None] = "type"
    type: str = Field(description="The type.")


class Composite(Whole):
    """A composite type."""

    attributes: dict[str, Attribute] = Field(description="Name → type, in order.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class Sequence(Whole):
    """A sequence of its own; those of identity and serial columns come with the column."""

    may_be_empty: ClassVar[bool] = True
    type: Literal["smallint", "integer", "bigint"] = Field("bigint", description="The type of its values.")
    start: int | None = Field(None, description="The first value.")
    increment: int = Field(1, description="The step.")
    min: int | None = Field(None, description="The smallest value.")
    max: int | None = Field(None, description="The largest value.")
    cache: int = Field(1, description="How many values a session takes at once.")
    cycle: bool = Field(False, description="Starts again after the last value.")
    owned_by: ColumnName | None = Field(None, description="The column it disappears with: `invoices.number`.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class Procedure(Whole):
    """A procedure. Its key is its name with its arguments: `close_month(p_org uuid, p_month date)`."""

    language: str = Field("plpgsql", description="The language of the body.")
    body: str = Field(description="The body; `begin atomic … end` and `return …` stand for themselves.")
    security: Literal["invoker", "definer"] = Field("invoker", description="Whose rights it runs with.")
    set: dict[str, Sql] = Field({}, description="Settings while it runs: `{search_path: \"''\"}`.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges: `{authenticated: execute}`.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away: `{public: execute}`.")


class Function(Procedure):
    """A function. Its key is its name with its arguments: `is_member(p_org uuid)`."""

    returns: str | None = Field(None, description="The result: `uuid`, `setof companies`, `table (id uuid)`.")
    volatility: Literal["volatile", "stable", "immutable"] = Field("volatile", description="What it may see.")
    strict: bool = Field(False, description="Returns NULL at once when an argument is NULL.")
    leakproof: bool = Field(False, description="Tells nothing about its arguments (needs a superuser).")
    window: bool = Field(False, description="A window function.")
    parallel: Literal["unsafe", "restricted", "safe"] = Field("unsafe", description="In parallel queries.")
    cost: Sql | None = Field(None, description="The planner's cost of one call.")
    rows: Sql | None = Field(None, description="How many rows the planner expects.")
    support: str | None = Field(None, description="The planner's support function.")


class View(Whole):
    """A view. Short form: its query."""

    short: ClassVar[str | None] = "query"
    query: str = Field(description="The SELECT.")
    columns: list[str] = Field([], description="Column names, where the query does not give them.")
    security_invoker: bool = Field(
        False, description="Runs with the reader's rights, so that RLS applies (15+)."
    )
    security_barrier: bool = Field(False, description="The reader's functions see only rows that pass.")
    check_option: Literal["local", "cascaded"] | None = Field(None, description="Writes must stay visible.")
    defaults: dict[str, Sql] = Field({}, description="Column → default for inserts through the view.")
    triggers: dict[str, Trigger] = Field({}, description="INSTEAD OF triggers.")
    rules: dict[str, Rule] = Field({}, description="Rules: name → what follows `create rule NAME as`.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    column_comments: dict[str, str] = Field({}, description="Column → comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges: `{authenticated: select}`.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class MaterializedView(Whole):
    """A materialized view. Short form: its query."""

    short: ClassVar[str | None] = "query"
    query: str = Field(description="The SELECT.")
    columns: list[str] = Field([], description="Column names, where the query does not give them.")
    indexes: dict[str, Index] = Field({}, description="Indexes; a unique one allows REFRESH CONCURRENTLY.")
    options: dict[str, Sql] = Field({}, description="Storage parameters.")
    owner: str | None = Field(None, description="The owner.")
    comment: str | None = Field(None, description="The comment.")
    column_comments: dict[str, str] = Field({}, description="Column → comment.")
    grants: dict[str, Words] = Field({}, description="Role → privileges: `{authenticated: select}`.")
    revokes: dict[str, Words] = Field({}, description="Role → privileges taken away again.")


class Document(Node):
    """A YAML document: any number of objects of any kind, in any order."""

    in_schema: str = Field(
        "public", alias="schema", description="The schema of names that do not say theirs."
    )
    schemas: dict[str, Schema] = Field({}, description="Schemas: name → owner, grants, comment.")
    extensions: dict[str, Extension] = Field({}, description="Extensions: name → schema, version.")
    enums: dict[Name, Enum] = Field({}, description="Enums: name → values.")
    domains: dict[Name, Domain] = Field({}, description="Domains: name → type, checks.")
    types: dict[Name, Composite] = Field({}, description="Composite types: name → attributes.")
    sequences: dict[Name, Sequence] = Field({}, description="Sequences: name → options.")
    tables: dict[Name, Table] = Field({}, description="Tables: name → columns, keys, policies, triggers …")
    functions: dict[Signature, Function] = Field(
        {}, description="Functions: `name(arguments)` → returns, body …"
    )
    procedures: dict[Signature, Procedure] = Field({}, description="Procedures: `name(arguments)` → body …")
    views: dict[Name, View] = Field({}, description="Views: name → query.")
    materialized_views: dict[Name, MaterializedView] = Field(
        {}, description="Materialized views: name → query."
    )
    grants: list[str] = Field([], description="`usage on schema billing to authenticated`, one GRANT each.")
    revokes: list[str] = Field([], description="`all on schema public from public`, one REVOKE each.")
    default_privileges: list[str] = Field(
        [],
        description="`in schema public grant select on tables to authenticated`, one ALTER DEFAULT PRIVILEGES each.",
    )
    sql: str | None = Field(None, description="Anything else, as SQL statements.")


class OneTable(Table):
    """A document that is one table: `table: companies` and the table's keys beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    table: Name = Field(description="The table's name.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


class OneFunction(Function):
    """A document that is one function: `function: name(arguments)` and its keys beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    function: Signature = Field(description="Name and arguments.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


class OneProcedure(Procedure):
    """A document that is one procedure: `procedure: name(arguments)` and its keys beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    procedure: Signature = Field(description="Name and arguments.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


class OneView(View):
    """A document that is one view: `view: name` and its keys beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    view: Name = Field(description="The view's name.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


class OneMaterializedView(MaterializedView):
    """A document that is one materialized view: `materialized_view: name` and its keys beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    materialized_view: Name = Field(description="The materialized view's name.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


class OneEnum(Enum):
    """A document that is one enum: `enum: name` and its values beside it."""

    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    may_be_empty: ClassVar[bool] = False
    enum: Name = Field(description="The enum's name.")
    in_schema: str = Field("public", alias="schema", description="Its schema.")


SINGLE: dict[str, type[Node]] = {
    "table": OneTable,
    "function": OneFunction,
    "procedure": OneProcedure,
    "view": OneView,
    "materialized_view": OneMaterializedView,
    "enum": OneEnum,
}
"""The key that makes a document the declaration of one object."""
