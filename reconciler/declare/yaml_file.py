"""A YAML file as declarations: its SQL, and what SQL has no words for (renames, fills, designs, places).

Promises one error that names every fault of the file. Never touches a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.declare import names, render, scenario
from reconciler.declare.budget import budget
from reconciler.declare.format import SINGLE, Document, Procedure
from reconciler.declare.format_scenario import OneScenario, Scenarios
from reconciler.declare.format_table import Table, Trigger
from reconciler.declare.gathered import Gathered, declared_twice
from reconciler.declare.node import together, validated
from reconciler.declare.renamable import Part, Whole
from reconciler.declare.sql_file import one_statement, read_statements
from reconciler.declare.tree import Items, Map, Text, Tree, documents
from reconciler.declare.values import DeclaredFile, DeclaredStatement, Invariant, Rename, TriggerDesign
from reconciler.errors import Usage
from reconciler.model import ObjectId

_SCENARIOS = ("scenario", "scenarios")
"""The keys of a document that declares nothing, and says what is to be tried."""


def read_yaml(text: str, file: str) -> Gathered:
    """Everything that one YAML file declares. Raises `Usage`."""
    faults: list[Usage] = []
    found = Gathered()
    statements: list[DeclaredStatement] = []
    for tree in documents(text, file):
        try:
            if isinstance(tree.value, Map) and not tree.value.keys().isdisjoint(_SCENARIOS):
                several = "scenarios" in tree.value
                node = validated(Scenarios, tree) if several else validated(OneScenario, tree)
                found.scenarios += scenario.read(node)
                continue
            document = _document(tree)
            statements += [one_statement(statement) for statement in render.document(document)]
            if document.sql:
                sql = read_statements(document.sql, file, document.value_line("sql"), document.in_schema)
                found.add(sql)
                statements += sql.file.statements
            one = Gathered()
            _annotations(document, one)
            faults += declared_twice(found, one)
            found.add(one)
        except Usage as fault:
            faults.append(fault)
    if faults:
        raise together(faults)
    found.file = DeclaredFile(file, tuple(statements))
    return found


def _document(tree: Tree) -> Document:
    """The document; one that is a single object becomes a document with that object."""
    if not isinstance(tree.value, Map):
        raise Usage("a declaration is a mapping: tables:, functions:, views: …", sources=(tree.source(()),))
    single = next((key for key in SINGLE if key in tree.value), None)
    if single is None:
        return validated(Document, tree)
    validated(SINGLE[single], tree)  # for its errors, which then name the keys as the author wrote them
    name = tree.value.pop(single)
    schema = tree.value.pop("schema", "public")
    plural = {"enum": "enums", "materialized_view": "materialized_views"}.get(single, f"{single}s")
    return validated(Document, _moved(tree, plural, str(name), schema))


def _moved(tree: Tree, plural: str, name: str, schema: str) -> Tree:
    """The same tree with everything one level deeper: `{plural: {name: everything}}`."""
    base = (plural, name)
    moved = Tree(tree.file)
    moved.keys = {(): tree.line(())} | {(*base, *path): line for path, line in tree.keys.items()}
    moved.values = {(): tree.line(())} | {(*base, *path): line for path, line in tree.values.items()}
    moved.keys[base] = tree.line((plural.removesuffix("s"),))
    _rebase(tree.value, moved, base)
    moved.value = {plural: {name: tree.value}, "schema": schema}
    return moved


def _rebase(value: object, tree: Tree, base: tuple[str, ...]) -> None:
    if isinstance(value, Map | Items | Text):
        value.path, value.tree = (*base, *value.path), tree
    inside = value.values() if isinstance(value, Map) else value if isinstance(value, Items) else ()
    for item in inside:
        _rebase(item, tree, base)


def _annotations(document: Document, found: Gathered) -> None:
    here = document.in_schema
    for key, table in document.tables.items():
        _table(*names.qualified(key, here), table, found)
    groups: tuple[tuple[str, Mapping[str, Whole]], ...] = (
        ("enum", document.enums),
        ("domain", document.domains),
        ("composite", document.types),
        ("sequence", document.sequences),
        ("view", document.views),
        ("materialized_view", document.materialized_views),
    )
    for kind, group in groups:
        for key, node in group.items():
            id = ObjectId(kind, *names.qualified(key, here))
            found.owned[id] = node.source()
            _whole_renamed(id, node, found)
    for key, enum in document.enums.items():
        kept = {value.value for value in enum.values}
        for gone, value in enum.becomes.items():
            if gone in kept or value not in kept:
                why = "which is still a value" if gone in kept else f"and {value} is not a value"
                raise Usage(
                    f"{gone} becomes {value}, {why} of {key}",
                    hint="becomes maps a value that is removed to one that stays",
                    sources=(enum.source("becomes"),),
                )
            found.fills[ObjectId("enum_value", *names.qualified(key, here), gone)] = value
        for each in enum.values:
            _part_renamed(ObjectId("enum_value", *names.qualified(key, here), each.value), each, found)
    for key, composite in document.types.items():
        for name, attribute in composite.attributes.items():
            _part_renamed(ObjectId("attribute", *names.qualified(key, here), name), attribute, found)
    for key, domain in document.domains.items():
        _parts("domain_constraint", *names.qualified(key, here), domain.checks, found)
    for key, view in document.views.items():
        schema, name = names.qualified(key, here)
        found.designs.extend(_designs(schema, name, view.triggers))
        _parts("trigger", schema, name, view.triggers, found)
        _parts("rule", schema, name, view.rules, found)
    for key, rollup in document.materialized_views.items():
        _relations("index", names.qualified(key, here)[0], rollup.indexes, found)
    both: tuple[tuple[str, Mapping[str, Procedure]], ...] = (
        ("function", document.functions),
        ("procedure", document.procedures),
    )
    for kind, routines in both:
        for key, routine in routines.items():
            name, arguments = names.signature(key)
            id = ObjectId(kind, *names.qualified(name, here), names.types(arguments))
            found.places[id] = routine.source()
            _whole_renamed(id, routine, found)
    for name, declared in document.schemas.items():
        id = ObjectId("schema", "", name)
        found.places[id] = declared.source()
        if declared.renamed_from:
            old = ObjectId("schema", "", declared.renamed_from)
            found.renames.append(Rename("schema", old, id, declared.source("renamed_from")))
    for name, extension in document.extensions.items():
        found.places[ObjectId("extension", "", name)] = extension.source()


def _table(schema: str, name: str, table: Table, found: Gathered) -> None:
    it = ObjectId("table", schema, name)
    found.owned[it] = table.source()
    _whole_renamed(it, table, found)
    _parts("column", schema, name, table.columns, found)
    for column_name, column in table.columns.items():
        id = ObjectId("column", schema, name, column_name)
        if column.fill is not None:
            found.fills[id] = column.fill
        if column.down is not None:
            found.downs[id] = column.down
    for column_name, value in table.down.items():
        found.downs[ObjectId("column", schema, name, column_name)] = value
    _parts("policy", schema, name, table.policies, found)
    _parts("trigger", schema, name, table.triggers, found)
    _parts("rule", schema, name, table.rules, found)
    _parts("constraint", schema, name, table.checks, found)
    _parts("constraint", schema, name, table.exclusions, found)
    keys = [
        table.primary_key,
        *table.unique,
        *table.foreign_keys,
        *(c.references for c in table.columns.values()),
    ]
    _parts("constraint", schema, name, {key.name: key for key in keys if key is not None and key.name}, found)
    _relations("index", schema, table.indexes, found)
    _relations("statistics", schema, table.statistics, found)
    found.designs.extend(_designs(schema, name, table.triggers))


def _parts(kind: str, schema: str, table: str, parts: Mapping[str, Part], found: Gathered) -> None:
    for part, node in parts.items():
        id = ObjectId(kind, schema, table, part)
        found.places[id] = node.source()
        _part_renamed(id, node, found)


def _relations(kind: str, schema: str, relations: Mapping[str, Whole], found: Gathered) -> None:
    for name, node in relations.items():
        id = ObjectId(kind, schema, name)
        found.places[id] = node.source()
        _whole_renamed(id, node, found)


def _part_renamed(id: ObjectId, node: Part, found: Gathered) -> None:
    if node.renamed_from:
        old = ObjectId(id.kind, id.schema, id.name, node.renamed_from)
        found.renames.append(Rename(id.kind, old, id, node.source("renamed_from")))


def _whole_renamed(id: ObjectId, node: Whole, found: Gathered) -> None:
    if node.renamed_from:
        old = ObjectId(id.kind, *names.qualified(node.renamed_from, id.schema), id.part)
        found.renames.append(Rename(id.kind, old, id, node.source("renamed_from")))


def _designs(schema: str, table: str, triggers: dict[str, Trigger]) -> Iterator[TriggerDesign]:
    for name, trigger in triggers.items():
        yield TriggerDesign(
            ObjectId("trigger", schema, table, name),
            tuple(Invariant(key, query) for key, query in trigger.invariants.items()),
            trigger.on_error,
            trigger.concurrency or "",
            trigger.tenancy or "",
            trigger.source(),
            budget({str(size): share for size, share in trigger.budget.items()}, trigger.source()),
        )
