"""A YAML file as declarations: its SQL, and what SQL has no words for (renames, fills, designs, places).

Promises one error that names every fault of the file. Never touches a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.declare import names, render
from reconciler.declare.format import SINGLE, Document, Procedure
from reconciler.declare.format_table import Table, Trigger
from reconciler.declare.gathered import Gathered, declared_twice
from reconciler.declare.node import Node, together, validated
from reconciler.declare.sql_file import one_statement, read_statements
from reconciler.declare.tree import Items, Map, Text, Tree, documents
from reconciler.declare.values import DeclaredFile, DeclaredStatement, Invariant, Rename, TriggerDesign
from reconciler.errors import Usage
from reconciler.model import ObjectId


def read_yaml(text: str, file: str) -> Gathered:
    """Everything that one YAML file declares. Raises `Usage`."""
    faults: list[Usage] = []
    found = Gathered()
    statements: list[DeclaredStatement] = []
    for tree in documents(text, file):
        try:
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
        schema, name = names.qualified(key, here)
        _table(schema, name, table, found)
    groups: tuple[tuple[str, Mapping[str, Node]], ...] = (
        ("enum", document.enums),
        ("domain", document.domains),
        ("composite", document.types),
        ("sequence", document.sequences),
        ("view", document.views),
        ("materialized_view", document.materialized_views),
    )
    for kind, group in groups:
        for key, node in group.items():
            found.owned[ObjectId(kind, *names.qualified(key, here))] = node.source()
    for key, domain in document.domains.items():
        schema, name = names.qualified(key, here)
        for check in domain.checks:
            found.places[ObjectId("domain_constraint", schema, name, check)] = domain.source("checks", check)
    for key, view in document.views.items():
        schema, name = names.qualified(key, here)
        found.designs.extend(_designs(schema, name, view.triggers))
        _parts("trigger", schema, name, view.triggers, found)
    for key, rollup in document.materialized_views.items():
        _relations("index", names.qualified(key, here)[0], rollup.indexes, found)
    both: tuple[tuple[str, Mapping[str, Procedure]], ...] = (
        ("function", document.functions),
        ("procedure", document.procedures),
    )
    for kind, routines in both:
        for key, routine in routines.items():
            name, arguments = names.signature(key)
            schema, name = names.qualified(name, here)
            found.places[ObjectId(kind, schema, name, names.types(arguments))] = routine.source()
    for name, declared in document.schemas.items():
        found.places[ObjectId("schema", "", name)] = declared.source()
    for name, extension in document.extensions.items():
        found.places[ObjectId("extension", "", name)] = extension.source()


def _table(schema: str, name: str, table: Table, found: Gathered) -> None:
    it = ObjectId("table", schema, name)
    found.owned[it] = table.source()
    if table.renamed_from:
        old = ObjectId("table", *names.qualified(table.renamed_from, schema))
        found.renames.append(Rename("table", old, it, table.source("renamed_from")))
    for column_name, column in table.columns.items():
        id = ObjectId("column", schema, name, column_name)
        found.places[id] = column.source()
        if column.renamed_from:
            old = ObjectId("column", schema, name, column.renamed_from)
            found.renames.append(Rename("column", old, id, column.source("renamed_from")))
        if column.fill is not None:
            found.fills[id] = column.fill
        if column.down is not None:
            found.downs[id] = column.down
    _parts("policy", schema, name, table.policies, found)
    _parts("trigger", schema, name, table.triggers, found)
    _parts("constraint", schema, name, table.checks, found)
    _parts("constraint", schema, name, table.exclusions, found)
    for key in (table.primary_key, *table.unique, *table.foreign_keys):
        if key is not None and key.name:
            found.places[ObjectId("constraint", schema, name, key.name)] = key.source()
    for rule in table.rules:
        found.places[ObjectId("rule", schema, name, rule)] = table.source("rules", rule)
    _relations("index", schema, table.indexes, found)
    _relations("statistics", schema, table.statistics, found)
    found.designs.extend(_designs(schema, name, table.triggers))


def _parts(kind: str, schema: str, table: str, parts: Mapping[str, Node], found: Gathered) -> None:
    for part, node in parts.items():
        found.places[ObjectId(kind, schema, table, part)] = node.source()


def _relations(kind: str, schema: str, relations: Mapping[str, Node], found: Gathered) -> None:
    for name, node in relations.items():
        found.places[ObjectId(kind, schema, name)] = node.source()


def _designs(schema: str, table: str, triggers: dict[str, Trigger]) -> Iterator[TriggerDesign]:
    for name, trigger in triggers.items():
        yield TriggerDesign(
            ObjectId("trigger", schema, table, name),
            tuple(Invariant(key, query) for key, query in trigger.invariants.items()),
            trigger.on_error,
            trigger.concurrency or "",
            trigger.tenancy or "",
            trigger.source(),
        )
