"""A table's YAML model as SQL: the table, then its parts, each statement with the line it came from.

Promises one SQL statement per object, names always quoted, the author's SQL passed on unchanged. Foreign keys are
statements of their own, so that tables can be created in any order. Never decides anything about a live database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.declare.format_table import (
    Column,
    Deferrable,
    Index,
    Policy,
    PrimaryKey,
    Rule,
    Table,
    Trigger,
)
from reconciler.declare.node import Node
from reconciler.declare.script import Script
from reconciler.declare.values import DeclaredStatement
from reconciler.pg import ident, literal


def table(schema: str, name: str, declared: Table) -> Iterator[DeclaredStatement]:
    """`create table` with everything that can stand inside it."""
    it = ident(schema, name)
    script = Script(declared.source()).add(f"create {'unlogged ' if declared.unlogged else ''}table {it}")
    if declared.partition is not None:
        script.add(" partition of ").quote(declared.partition.of, declared.partition.value_line("of"))
        checks = any(not check.not_valid for check in declared.checks.values())
        if declared.primary_key or declared.unique or checks or declared.exclusions:
            script.add(" (")
            _table_constraints(script, declared, "")
            script.add("\n)")
        script.add("\n").quote(declared.partition.bounds, declared.partition.value_line("bounds"))
    else:
        script.add(" (")
        comma = ""
        for column_name, column in declared.columns.items():
            script.add(f"{comma}\n  ", column.line())
            _column(script, column_name, column)
            comma = ","
        comma = _table_constraints(script, declared, comma)
        script.add("\n)" if comma else ")")
    if declared.inherits:
        script.add(f"\ninherits ({', '.join(declared.inherits)})", declared.line("inherits"))
    if declared.partition_by:
        script.add("\npartition by ").quote(declared.partition_by, declared.value_line("partition_by"))
    if declared.options:
        script.add(f"\nwith ({options(declared.options)})", declared.line("options"))
    yield script.statement()


def _column(script: Script, name: str, column: Column) -> None:
    line = column.value_line("type")
    script.add(ident(name) + " ").quote(column.type, line)
    if column.compression:
        script.add(f" compression {column.compression}")
    if column.collation:
        script.add(" collate ").quote(column.collation, column.value_line("collation"))
    if column.default is not None:
        script.add(" default ").quote(column.default, column.value_line("default"))
    if column.generated is not None:
        script.add(" generated always as (").quote(column.generated, column.value_line("generated"))
        script.add(") virtual" if column.virtual else ") stored")
    if column.identity:
        sequence = f" ({column.identity_options})" if column.identity_options else ""
        script.add(f" generated {column.identity} as identity{sequence}")
    if not column.nullable:
        script.add(" not null")
    if column.primary_key:
        script.add(" primary key")
    if column.unique:
        script.add(" unique")
    if column.check is not None:
        script.add(" check (").quote(column.check, column.value_line("check")).add(")")


def _table_constraints(script: Script, declared: Table, comma: str) -> str:
    keys = [("primary key", declared.primary_key)] if declared.primary_key else []
    for kind, key in [*keys, *(("unique", unique) for unique in declared.unique)]:
        script.add(f"{comma}\n  {_key(kind, key)}", key.line())
        comma = ","
    for name, check in declared.checks.items():
        if check.not_valid:
            continue
        script.add(f"{comma}\n  constraint {ident(name)} check (", check.line())
        script.quote(check.condition, check.value_line("condition"))
        script.add(")" + (" no inherit" if check.no_inherit else ""))
        comma = ","
    for name, exclusion in declared.exclusions.items():
        script.add(
            f"{comma}\n  constraint {ident(name)} exclude using {ident(exclusion.method)} (", exclusion.line()
        )
        script.quote(exclusion.elements, exclusion.value_line("elements")).add(")")
        if exclusion.where is not None:
            script.add(" where (").quote(exclusion.where, exclusion.value_line("where")).add(")")
        script.add(_deferrable(exclusion.deferrable))
        comma = ","
    return comma


def _key(kind: str, key: PrimaryKey) -> str:
    name = f"constraint {ident(key.name)} " if key.name else ""
    nulls = " nulls not distinct" if getattr(key, "nulls_not_distinct", False) else ""
    include = f" include ({columns(key.include)})" if key.include else ""
    return f"{name}{kind}{nulls} ({columns(key.columns)}){include}{_deferrable(key.deferrable)}"


def _deferrable(when: Deferrable) -> str:
    return "" if when == "no" else f" deferrable {when}"


def columns(found: list[str]) -> str:
    return ", ".join(ident(column) for column in found)


def options(found: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in found.items())


def parts(schema: str, name: str, declared: Table) -> Iterator[DeclaredStatement]:
    """Everything of a table that is a statement of its own, in the order a person would write it."""
    it = ident(schema, name)
    yield from _column_settings(it, declared)
    yield from _late_constraints(it, declared)
    for index_name, index in declared.indexes.items():
        yield from _index(schema, it, index_name, index, set(declared.columns))
    yield from _foreign_keys(it, declared)
    yield from _statistics(schema, it, declared)
    if declared.replica_identity:
        identity = declared.replica_identity
        what = (
            identity
            if identity.lower() in ("full", "nothing", "default")
            else f"using index {ident(identity)}"
        )
        yield one(declared, f"alter table {it} replica identity {what}", "replica_identity")
    if declared.rls != "disabled":
        yield one(declared, f"alter table {it} enable row level security", "rls")
    if declared.rls == "forced":
        yield one(declared, f"alter table {it} force row level security", "rls")
    for policy_name, policy in declared.policies.items():
        yield from _policy(it, policy_name, policy)
    for trigger_name, trigger in declared.triggers.items():
        yield from triggers(it, trigger_name, trigger)
    yield from rules(declared.rules)


def _column_settings(it: str, declared: Table) -> Iterator[DeclaredStatement]:
    for name, column in declared.columns.items():
        alter = f"alter table {it} alter column {ident(name)} set"
        if column.storage:
            yield one(column, f"{alter} storage {column.storage}", "storage")
        if column.statistics is not None:
            yield one(column, f"{alter} statistics {column.statistics}", "statistics")
        if column.comment is not None:
            yield comment(column, f"column {it}.{ident(name)}")


def _late_constraints(it: str, declared: Table) -> Iterator[DeclaredStatement]:
    for name, check in declared.checks.items():
        if check.not_valid:
            script = Script(check.source()).add(f"alter table {it} add constraint {ident(name)} check (")
            script.quote(check.condition, check.value_line("condition"))
            yield script.add(f"){' no inherit' if check.no_inherit else ''} not valid").statement()
        if check.comment is not None:
            yield comment(check, f"constraint {ident(name)} on {it}")
    for name, exclusion in declared.exclusions.items():
        if exclusion.comment is not None:
            yield comment(exclusion, f"constraint {ident(name)} on {it}")
    for key in [*([declared.primary_key] if declared.primary_key else []), *declared.unique]:
        if key.comment is not None and key.name:
            yield comment(key, f"constraint {ident(key.name)} on {it}")


def _index(schema: str, it: str, name: str, index: Index, known: set[str]) -> Iterator[DeclaredStatement]:
    script = Script(index.source()).add(
        f"create {'unique ' if index.unique else ''}index {ident(name)} on {it}"
    )
    script.add(f" using {ident(index.method)} (")
    for number, column in enumerate(index.columns):
        script.add(", " if number else "")
        script.quote(ident(column) if column in known else column, index.value_line("columns", number))
    script.add(")")
    if index.include:
        script.add(f" include ({columns(index.include)})")
    if index.nulls_not_distinct:
        script.add(" nulls not distinct")
    if index.options:
        script.add(f" with ({options(index.options)})")
    if index.where is not None:
        script.add("\nwhere ").quote(index.where, index.value_line("where"))
    yield script.statement()
    if index.comment is not None:
        yield comment(index, f"index {ident(schema, name)}")


def indexes(schema: str, it: str, found: Mapping[str, Index]) -> Iterator[DeclaredStatement]:
    """The indexes of a relation whose columns are not declared one by one: names stand as the author wrote them."""
    for name, index in found.items():
        yield from _index(schema, it, name, index, set())


def _foreign_keys(it: str, declared: Table) -> Iterator[DeclaredStatement]:
    for name, column in declared.columns.items():
        to = column.references
        if to is None:
            continue
        constraint = f"constraint {ident(to.name)} " if to.name else ""
        script = Script(column.source("references")).add(
            f"alter table {it} add {constraint}foreign key ({ident(name)})"
        )
        script.add(" references ").quote(to.to, to.value_line("to"))
        yield script.add(" not valid" if to.not_valid else "").statement()
    for key in declared.foreign_keys:
        constraint = f"constraint {ident(key.name)} " if key.name else ""
        script = Script(key.source()).add(
            f"alter table {it} add {constraint}foreign key ({columns(key.columns)})"
        )
        script.add(" references ").quote(key.references, key.value_line("references"))
        script.add(f" match {key.match}" if key.match != "simple" else "")
        script.add(f" on delete {key.on_delete} on update {key.on_update}{_deferrable(key.deferrable)}")
        yield script.add(" not valid" if key.not_valid else "").statement()
        if key.comment is not None and key.name:
            yield comment(key, f"constraint {ident(key.name)} on {it}")


def _statistics(schema: str, it: str, declared: Table) -> Iterator[DeclaredStatement]:
    for name, found in declared.statistics.items():
        kinds = f" ({', '.join(found.kinds)})" if found.kinds else ""
        of = ", ".join(ident(c) if c in declared.columns else c for c in found.columns)
        yield one(found, f"create statistics {ident(schema, name)}{kinds} on {of} from {it}")
        if found.comment is not None:
            yield comment(found, f"statistics {ident(schema, name)}")


def _policy(it: str, name: str, policy: Policy) -> Iterator[DeclaredStatement]:
    script = Script(policy.source()).add(f"create policy {ident(name)} on {it}")
    script.add(f" as {policy.as_} for {policy.for_} to {', '.join(role(r) for r in policy.to)}")
    if policy.using is not None:
        script.add("\nusing (").quote(policy.using, policy.value_line("using")).add(")")
    if policy.with_check is not None:
        script.add("\nwith check (").quote(policy.with_check, policy.value_line("with_check")).add(")")
    yield script.statement()
    if policy.comment is not None:
        yield comment(policy, f"policy {ident(name)} on {it}")


def triggers(it: str, name: str, trigger: Trigger) -> Iterator[DeclaredStatement]:
    """One trigger of a table or view."""
    events = " or ".join(trigger.events)
    script = Script(trigger.source()).add(
        f"create {'constraint ' if trigger.constraint else ''}trigger {ident(name)}"
    )
    script.add(f"\n{trigger.timing} {events} on {it}", trigger.line("events"))
    script.add(_deferrable(trigger.deferrable))
    if trigger.old_table or trigger.new_table:
        old = f" old table as {ident(trigger.old_table)}" if trigger.old_table else ""
        new = f" new table as {ident(trigger.new_table)}" if trigger.new_table else ""
        script.add(f" referencing{old}{new}")
    script.add(f"\nfor each {trigger.for_each}")
    if trigger.when is not None:
        script.add("\nwhen (").quote(trigger.when, trigger.value_line("when")).add(")")
    call = trigger.function if "(" in trigger.function else trigger.function + "()"
    script.add("\nexecute function ").quote(call, trigger.value_line("function"))
    yield script.statement()
    if trigger.enabled != "origin":
        how = {"replica": "enable replica", "always": "enable always", "disabled": "disable"}[trigger.enabled]
        yield one(trigger, f"alter table {it} {how} trigger {ident(name)}", "enabled")
    if trigger.comment is not None:
        yield comment(trigger, f"trigger {ident(name)} on {it}")


def rules(found: Mapping[str, Rule]) -> Iterator[DeclaredStatement]:
    """`create rule NAME as` and what the author wrote after it, which names the table."""
    for name, rule in found.items():
        script = Script(rule.source()).add(f"create rule {ident(name)} as ")
        yield script.quote(rule.does, rule.value_line("does")).statement()


def role(name: str) -> str:
    """A role in SQL; the words that are not names stay bare."""
    return name if name.lower() in ("public", "current_user", "session_user", "current_role") else ident(name)


def one(node: Node, sql: str, *keys: str) -> DeclaredStatement:
    """A statement of our own making, placed at a key of `node`."""
    return Script(node.source(*keys)).add(sql).statement()


def comment(node: Node, on: str) -> DeclaredStatement:
    """`comment on …` with the node's comment."""
    text: str = getattr(node, "comment", "")
    return one(node, f"comment on {on} is {literal(text)}", "comment")
