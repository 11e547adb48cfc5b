"""A YAML document as SQL statements, tables before what may read them, parts and grants last.

The order is only a kind guess: the loader finds the real one. Promises that each statement names its YAML line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.declare import names, render_table
from reconciler.declare.format import Document, Function, MaterializedView, Procedure, View
from reconciler.declare.format_table import Words
from reconciler.declare.node import Node
from reconciler.declare.render_table import comment, one, options, role
from reconciler.declare.script import Script
from reconciler.declare.values import DeclaredStatement
from reconciler.pg import dollar, ident, literal

Statements = Iterator[DeclaredStatement]


def document(declared: Document) -> Statements:
    """Everything of one document."""
    here = declared.in_schema
    if here != "public":
        yield one(declared, f"set search_path = {ident(here)}, public", "schema")
    for name, schema in declared.schemas.items():
        yield one(schema, f"create schema if not exists {ident(name)}")
        yield from _common(schema, "schema", ident(name), schema.grants, schema.revokes)
    for name, extension in declared.extensions.items():
        within = f" schema {ident(extension.in_schema)}" if extension.in_schema else ""
        version = f" version {literal(extension.version)}" if extension.version else ""
        yield one(extension, f"create extension if not exists {ident(name)}{within}{version} cascade")
    yield from _types(declared, here)
    yield from _sequences(declared, here)
    tables = [(*names.qualified(name, here), table) for name, table in declared.tables.items()]
    for schema_name, name, table in tables:
        yield from render_table.table(schema_name, name, table)
    for key, function in declared.functions.items():
        yield from _routine("function", here, key, function)
    for key, procedure in declared.procedures.items():
        yield from _routine("procedure", here, key, procedure)
    for name, view in declared.views.items():
        yield from _view(*names.qualified(name, here), view)
    for name, rollup in declared.materialized_views.items():
        yield from _materialized(*names.qualified(name, here), rollup)
    for schema_name, name, table in tables:
        yield from render_table.parts(schema_name, name, table)
        it = ident(schema_name, name)
        yield from _common(table, "table", it, table.grants, table.revokes)
    yield from _owned_sequences(declared, here)
    for word, lines in (("grant", declared.grants), ("revoke", declared.revokes)):
        for number, text in enumerate(lines):
            yield (
                Script(declared.source(f"{word}s", number))
                .add(f"{word} ")
                .quote(text, declared.value_line(f"{word}s", number))
                .statement()
            )
    for number, text in enumerate(declared.default_privileges):
        script = Script(declared.source("default_privileges", number)).add("alter default privileges ")
        yield script.quote(text, declared.value_line("default_privileges", number)).statement()


def _common(
    node: Node, kind: str, it: str, grants: Mapping[str, Words], revokes: Mapping[str, Words]
) -> Statements:
    """Owner, comment, grants and revokes: the same words for every kind."""
    owner = getattr(node, "owner", None)
    if owner is not None:
        yield one(node, f"alter {kind} {it} owner to {role(owner)}", "owner")
    if getattr(node, "comment", None) is not None:
        yield comment(node, f"{kind} {it}")
    on = {"materialized view": "table", "view": "table", "domain": "domain"}.get(kind, kind)
    for key, words, found in (("revokes", ("revoke", "from"), revokes), ("grants", ("grant", "to"), grants)):
        for who, rights in found.items():
            what = ", ".join(rights)
            script = Script(node.source(key, who)).add(f"{words[0]} ").quote(what, node.value_line(key, who))
            yield script.add(f" on {on} {it} {words[1]} {role(who)}").statement()


def _types(declared: Document, here: str) -> Statements:
    for key, enum in declared.enums.items():
        it = ident(*names.qualified(key, here))
        yield one(enum, f"create type {it} as enum ({', '.join(literal(one.value) for one in enum.values)})")
        yield from _common(enum, "type", it, enum.grants, enum.revokes)
    for key, composite in declared.types.items():
        it = ident(*names.qualified(key, here))
        script = Script(composite.source()).add(f"create type {it} as (")
        for number, (name, attribute) in enumerate(composite.attributes.items()):
            script.add(f"{',' if number else ''}\n  {ident(name)} ", attribute.line())
            script.quote(attribute.type, attribute.value_line("type"))
        yield script.add(")").statement()
        yield from _common(composite, "type", it, composite.grants, composite.revokes)
    for key, domain in declared.domains.items():
        it = ident(*names.qualified(key, here))
        script = (
            Script(domain.source())
            .add(f"create domain {it} as ")
            .quote(domain.type, domain.value_line("type"))
        )
        if domain.collation:
            script.add(f" collate {domain.collation}")
        if domain.default is not None:
            script.add(" default ").quote(domain.default, domain.value_line("default"))
        script.add("" if domain.nullable else " not null")
        for name, check in domain.checks.items():
            script.add(f"\n  constraint {ident(name)} check (", check.line())
            script.quote(check.condition, check.value_line("condition")).add(")")
        yield script.statement()
        yield from _common(domain, "domain", it, domain.grants, domain.revokes)


def _sequences(declared: Document, here: str) -> Statements:
    for key, found in declared.sequences.items():
        it = ident(*names.qualified(key, here))
        words = [f"create sequence {it} as {found.type} increment by {found.increment}"]
        words += [f"minvalue {found.min}"] if found.min is not None else []
        words += [f"maxvalue {found.max}"] if found.max is not None else []
        words += [f"start with {found.start}"] if found.start is not None else []
        words += [f"cache {found.cache}", "cycle" if found.cycle else "no cycle"]
        yield one(found, " ".join(words))
        yield from _common(found, "sequence", it, found.grants, found.revokes)


def _owned_sequences(declared: Document, here: str) -> Statements:
    for key, found in declared.sequences.items():
        if found.owned_by:
            it = ident(*names.qualified(key, here))
            *relation, column = names.parts(found.owned_by)
            table = names.qualified(".".join(ident(part) for part in relation), here)
            yield one(found, f"alter sequence {it} owned by {ident(*table, column)}", "owned_by")


def _routine(kind: str, here: str, key: str, found: Procedure) -> Statements:
    name, arguments = names.signature(key)
    it = ident(*names.qualified(name, here))
    script = Script(found.source()).add(f"create or replace {kind} {it}({arguments})")
    if isinstance(found, Function):
        if found.returns is not None:
            script.add(" returns ").quote(found.returns, found.value_line("returns"))
        script.add(_function_words(found))
    script.add(f"\nlanguage {found.language} security {found.security}")
    for setting, value in found.set.items():
        script.add(f" set {setting} = {value}", found.line("set", setting))
    if found.language == "sql" and found.body.lstrip().lower().startswith(("begin atomic", "return ")):
        script.add("\n").quote(found.body, found.value_line("body"))
    else:
        line = found.value_line("body")
        body = f"\n{found.body.rstrip()}\n" if "\n" in found.body.strip() else found.body.strip()
        script.add("\nas ", line).quote(dollar(body), line - body.startswith("\n"))
    yield script.statement()
    yield from _common(found, kind, f"{it}({names.without_defaults(arguments)})", found.grants, found.revokes)


def _function_words(found: Function) -> str:
    words: list[str] = [] if found.volatility == "volatile" else [found.volatility]
    words += [word for word in ("strict", "leakproof", "window") if getattr(found, word)]
    words += [f"parallel {found.parallel}"] if found.parallel != "unsafe" else []
    words += [
        f"{word} {value}"
        for word in ("cost", "rows", "support")
        if (value := getattr(found, word)) is not None
    ]
    return "\n" + " ".join(words) if words else ""


def _view(schema: str, name: str, found: View) -> Statements:
    it = ident(schema, name)
    settings = {key: "true" for key in ("security_barrier", "security_invoker") if getattr(found, key)}
    settings |= {"check_option": found.check_option} if found.check_option else {}
    script = Script(found.source()).add(f"create view {it}")
    script.add(f" ({render_table.columns(found.columns)})" if found.columns else "")
    script.add(f" with ({options(settings)})" if settings else "")
    yield script.add(" as\n").quote(found.query.rstrip().rstrip(";"), found.value_line("query")).statement()
    for column, default in found.defaults.items():
        place = found.source("defaults", column)
        script = Script(place).add(f"alter view {it} alter column {ident(column)} set default ")
        yield script.quote(default, found.value_line("defaults", column)).statement()
    for trigger_name, trigger in found.triggers.items():
        yield from render_table.triggers(it, trigger_name, trigger)
    yield from render_table.rules(found.rules)
    yield from _column_comments(it, found, found.column_comments)
    yield from _common(found, "view", it, found.grants, found.revokes)


def _materialized(schema: str, name: str, found: MaterializedView) -> Statements:
    it = ident(schema, name)
    script = Script(found.source()).add(f"create materialized view {it}")
    script.add(f" ({render_table.columns(found.columns)})" if found.columns else "")
    script.add(f" with ({options(found.options)})" if found.options else "")
    yield script.add(" as\n").quote(found.query.rstrip().rstrip(";"), found.value_line("query")).statement()
    yield from render_table.indexes(schema, it, found.indexes)
    yield from _column_comments(it, found, found.column_comments)
    yield from _common(found, "materialized view", it, found.grants, found.revokes)


def _column_comments(it: str, node: Node, comments: Mapping[str, str]) -> Statements:
    for column, text in comments.items():
        sql = f"comment on column {it}.{ident(column)} is {literal(text)}"
        yield one(node, sql, "column_comments", column)
