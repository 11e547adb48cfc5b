"""How each kind of object is renamed: one row per kind, with the condition that there is something to rename.

None of PostgreSQL's RENAMEs has an IF EXISTS for what it renames, so each is guarded by a look into the catalogs. Knows SQL and
nothing about plans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId
from reconciler.pg import ident, literal


@dataclass(frozen=True, slots=True)
class Shape:
    """Three templates. `there` is the condition that the object exists; `move` is empty where it cannot change its schema.

    {path} is the qualified name, with the argument types of a routine; {on} the name of the whole a part belongs to; {part} and
    {new} are names. In upper case the same as texts: {PATH}, {ON}, {NAME}, {SCHEMA}, {PART}, {NEW}.
    {ROUTINE} looks a routine up.
    """

    there: str
    rename: str
    move: str = ""


def _by_register(register: str, noun: str) -> Shape:
    return Shape(
        f"pg_catalog.{register}({{PATH}}) is not null",
        f"alter {noun} {{path}} rename to {{new}}",
        f"alter {noun} {{path}} set schema {{new}}",
    )


def _relation(noun: str, kinds: str) -> Shape:
    """Of this kind: a view may have taken the old name of a table."""
    there = (
        "exists (select from pg_catalog.pg_class where oid = pg_catalog.to_regclass({PATH}) and relkind in "
    )
    return replace(_by_register("to_regclass", noun), there=f"{there}{kinds})")


def _routine(noun: str) -> Shape:
    return replace(_by_register("to_regprocedure", noun), there="{ROUTINE} is not null")


def _by_catalog(catalog: str, prefix: str, noun: str, *, outside: bool = False) -> Shape:
    """An object that has no type like regclass; `outside` of schemas."""
    schema = "" if outside else f" and {prefix}namespace = pg_catalog.to_regnamespace({{SCHEMA}})"
    return Shape(
        f"exists (select from pg_catalog.{catalog} where {prefix}name = {{NAME}}{schema})",
        f"alter {noun} {{path}} rename to {{new}}",
        "" if outside else f"alter {noun} {{path}} set schema {{new}}",
    )


def _by_method(catalog: str, prefix: str, noun: str) -> Shape:
    """What belongs to an access method, which stands in the place of a part."""
    return Shape(
        f"exists (select from pg_catalog.{catalog} as o join pg_catalog.pg_am as m on m.oid = o.{prefix}method where"
        f" o.{prefix}name = {{NAME}} and o.{prefix}namespace = pg_catalog.to_regnamespace({{SCHEMA}}) and"
        " m.amname = {PART})",
        f"alter {noun} {{path}} using {{part}} rename to {{new}}",
        f"alter {noun} {{path}} using {{part}} set schema {{new}}",
    )


def _part(catalog: str, whole: str, name: str, rename: str, register: str = "to_regclass") -> Shape:
    return Shape(
        f"exists (select from pg_catalog.{catalog} where {whole} = pg_catalog.{register}({{ON}}) and {name} = {{PART}})",
        rename,
    )


_ON_TABLE = "alter {noun} {{part}} on {{on}} rename to {{new}}"

SHAPES: dict[str, Shape] = {
    "schema": _by_catalog("pg_namespace", "nsp", "schema", outside=True),
    "publication": _by_catalog("pg_publication", "pub", "publication", outside=True),
    "subscription": _by_catalog("pg_subscription", "sub", "subscription", outside=True),
    "event_trigger": _by_catalog("pg_event_trigger", "evt", "event trigger", outside=True),
    "foreign_data_wrapper": _by_catalog("pg_foreign_data_wrapper", "fdw", "foreign data wrapper", outside=True),
    "server": _by_catalog("pg_foreign_server", "srv", "server", outside=True),
    "language": _by_catalog("pg_language", "lan", "language", outside=True),
    "enum": _by_register("to_regtype", "type"),
    "composite": _by_register("to_regtype", "type"),
    "range": _by_register("to_regtype", "type"),
    "domain": _by_register("to_regtype", "domain"),
    "collation": _by_catalog("pg_collation", "coll", "collation"),
    "table": _relation("table", "('r', 'p')"),
    "foreign_table": _relation("foreign table", "('f')"),
    "view": _relation("view", "('v')"),
    "materialized_view": _relation("materialized view", "('m')"),
    "sequence": _relation("sequence", "('S')"),
    "index": Shape("pg_catalog.to_regclass({PATH}) is not null", "alter index {path} rename to {new}"),
    "function": _routine("function"),
    "procedure": _routine("procedure"),
    "aggregate": _routine("aggregate"),
    "statistics": _by_catalog("pg_statistic_ext", "stx", "statistics"),
    "conversion": _by_catalog("pg_conversion", "con", "conversion"),
    "text_search_parser": _by_catalog("pg_ts_parser", "prs", "text search parser"),
    "text_search_template": _by_catalog("pg_ts_template", "tmpl", "text search template"),
    "text_search_dictionary": _by_catalog("pg_ts_dict", "dict", "text search dictionary"),
    "text_search_configuration": _by_catalog("pg_ts_config", "cfg", "text search configuration"),
    "operator_class": _by_method("pg_opclass", "opc", "operator class"),
    "operator_family": _by_method("pg_opfamily", "opf", "operator family"),
    "column": _part("pg_attribute", "not attisdropped and attrelid", "attname",
                    "alter table {on} rename column {part} to {new}"),
    "constraint": _part("pg_constraint", "conrelid", "conname", "alter table {on} rename constraint {part} to {new}"),
    "trigger": _part("pg_trigger", "tgrelid", "tgname", _ON_TABLE.format(noun="trigger")),
    "policy": _part("pg_policy", "polrelid", "polname", _ON_TABLE.format(noun="policy")),
    "rule": _part("pg_rewrite", "ev_class", "rulename", _ON_TABLE.format(noun="rule")),
    "domain_constraint": _part("pg_constraint", "contypid", "conname",
                               "alter domain {on} rename constraint {part} to {new}", "to_regtype"),
    "enum_value": _part("pg_enum", "enumtypid", "enumlabel", "alter type {on} rename value {PART} to {NEW}", "to_regtype"),
    "attribute": _part("pg_attribute", "not attisdropped and attrelid", "attname",
                       "alter type {on} rename attribute {part} to {new}"),
}  # fmt: skip
"""What can be renamed. `enum_value` and `attribute` (of a composite type) are parts without facts of their own."""

PARTS = frozenset(
    {"column", "constraint", "trigger", "policy", "rule", "domain_constraint", "enum_value", "attribute"}
)
TYPES = frozenset({"enum", "composite", "range", "domain"})
ROUTINES = frozenset({"function", "procedure", "aggregate"})


def there(id: ObjectId) -> str:
    """The condition that the object exists."""
    return _filled(SHAPES[id.kind].there, id, "")


def renamed(old: ObjectId, new: ObjectId, *, chained: bool = False) -> str:
    """One statement that renames or moves `old`, and does nothing when it is gone.

    In a chain (a becomes b, b becomes c) the old name is there again afterwards: then nothing is done either when the new name
    exists.
    """
    shape = SHAPES[old.kind]
    if old.schema != new.schema:
        sql = _filled(shape.move, old, new.schema)
    else:
        sql = _filled(shape.rename, old, new.part if old.kind in PARTS else new.name)
    condition = there(old) + (f" and not {there(new)}" if chained else "")
    return w.guarded(condition, sql)


def _filled(template: str, id: ObjectId, new: str) -> str:
    on = ident(id.schema, id.name)
    arguments = id.part if id.kind in ROUTINES else ""
    # An aggregate without arguments is called with a star (manual: ALTER AGGREGATE).
    written = "(*)" if id.kind == "aggregate" and arguments == "()" else arguments
    values = {
        "path": on + written, "PATH": literal(on + arguments), "on": on, "ON": literal(on), "NAME": literal(id.name),
        "SCHEMA": literal(ident(id.schema)) if id.schema else "", "part": ident(id.part) if id.part else "",
        "ROUTINE": _registered(on, arguments), "PART": literal(id.part), "new": ident(new) if new else "", "NEW": literal(new),
    }  # fmt: skip
    return template.format(**values)


def _registered(name: str, arguments: str) -> str:
    """The routine, or NULL. Up to 15, to_regprocedure fails for an argument type that does not exist."""
    found = f"pg_catalog.to_regprocedure({literal(name + arguments)})"
    types = [one.strip() for one in re.findall(r'(?:"(?:[^"]|"")*"|[^",])+', arguments[1:-1])]
    doubtful = [f"pg_catalog.to_regtype({literal(one)}) is not null" for one in types if "." in one]
    return f"(case when {' and '.join(doubtful)} then {found} end)" if doubtful else found
