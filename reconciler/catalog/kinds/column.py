"""Columns of tables and foreign tables (manual: CREATE TABLE, ALTER TABLE … ALTER COLUMN).

A default is a fact of its own (`default`); generated expressions and identity options belong to the column. Column
order is a note, never a difference.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import foreign_options, identity, not_null, sequence
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import lossy, using
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.kinds.partition import tree
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident, literal

STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
COMPRESSION = {"p": "pglz", "l": "lz4"}
PINNED = frozenset(
    {
        "view",
        "materialized_view",
        "policy",
        "rule",
        "trigger",
        "function",
        "procedure",
        "publication_table",
    }
)
"""Kinds whose definition PostgreSQL holds on to while a column's type changes (manual: ALTER TABLE, Notes)."""


def read(scope: Scope, major: int) -> str:
    not_null, given, constraints = "nullif(a.attnotnull, false)", "null::boolean", ""
    if major >= 18:
        # Since 18 NOT NULL is a constraint with a name and options of its own, at most one a column; the ordinary one stays
        # `true`.
        not_null = (
            "case when k.oid is null then case when a.attnotnull then 'true'::jsonb end when k.convalidated and not"
            " k.connoinherit and k.conname = pg_catalog.left(c.relname || '_' || a.attname || '_not_null', 63) then"
            " 'true'::jsonb else pg_catalog.jsonb_build_object('name', k.conname, 'def',"
            " pg_catalog.pg_get_constraintdef(k.oid)) end"
        )
        given = "case when not k.conislocal then true end"
        constraints = (
            " left join pg_catalog.pg_constraint as k on k.conrelid = a.attrelid and k.contype = 'n' and"
            " k.conkey[1] = a.attnum"
        )
    return r.select(
        "pg_class",
        "a.attrelid",
        sub="a.attnum",
        schema="n.nspname",
        name="c.relname",
        part="a.attname",
        parent=("pg_class", "c.oid", "0"),
        position="a.attnum",
        attributes=r.attributes(
            type="pg_catalog.format_type(a.atttypid, a.atttypmod)",
            not_null=not_null,
            not_null_given=given,
            collation="case when a.attcollation <> t.typcollation then (select pg_catalog.quote_ident(on_.nspname) || '.' ||"
            " pg_catalog.quote_ident(o.collname) from pg_catalog.pg_collation as o join"
            " pg_catalog.pg_namespace as on_ on on_.oid = o.collnamespace where o.oid = a.attcollation) end",
            generated="nullif(a.attgenerated, '')",
            expression="case when a.attgenerated <> '' then (select pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
            " from pg_catalog.pg_attrdef as d where d.adrelid = a.attrelid and d.adnum = a.attnum) end",
            identity=identity.reading(
                sequence.OPTIONS + " || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('always',"
                " a.attidentity = 'a', 'sequence', nullif(q.relname, pg_catalog.left(c.relname || '_' || a.attname ||"
                " '_seq', 63))))"
            ),
            identity_acl=identity.reading(r.acl("q.relacl", "s", "q.relowner")),
            identity_comment=identity.reading(r.comment("pg_class", "q.oid")),
            storage="case when a.attstorage <> t.typstorage then a.attstorage end",
            compression="nullif(a.attcompression, '')",
            statistics="nullif(a.attstattarget, -1)",
            options="case when a.attoptions is not null then (select pg_catalog.jsonb_agg(o order by o) from"
            " pg_catalog.unnest(a.attoptions) as o) end",
            fdw_options="case when a.attfdwoptions is not null then "
            + foreign_options.reading(
                "a.attfdwoptions", "'foreign_table'", "n.nspname", "c.relname", "a.attname"
            )
            + " end",
            inherited="case when not a.attislocal then true end",
            acl=r.column_acl("a.attacl", "c.relowner"),
            comment="d.description",
            labels=r.labels("pg_class", "c.oid", "a.attnum"),
        ),
        source="pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace join pg_catalog.pg_type as t on t.oid = a.atttypid"
        " left join pg_catalog.pg_description as d on d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objoid ="
        f" a.attrelid and d.objsubid = a.attnum{constraints} where c.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped and {r.in_scope(scope)}"
        f" and {r.no_member('pg_class', 'c.oid')}",
    )


def definition(
    fact: Fact, default: str | None, context: Context, *, typed: bool = False, named: bool = False
) -> str:
    """The column as it stands inside CREATE TABLE or after ADD COLUMN. `typed` is for a table made of a type, `named` for
    one where the names of NOT NULL constraints have to be said."""
    words = [ident(fact.id.part), "with options" if typed else fact["type"]]
    if fact["fdw_options"]:
        words.append(foreign_options.clause(fact["fdw_options"]).strip())
    if fact["compression"]:
        words.append(f"compression {COMPRESSION[fact['compression']]}")
    if fact["collation"] and not typed:
        words.append(f"collate {fact['collation']}")
    if fact["generated"]:
        mode = "stored" if fact["generated"] == "s" else "virtual"
        words.append(f"generated always as ({fact['expression']}) {mode}")
    elif fact["identity"]:
        words.append(identity.clause(fact))
    elif default is not None:
        words.append(f"default {default}")
    if fact["not_null"] and not not_null.said_later(fact):
        words.append(not_null.clause(fact, context, named=named))
    return "" if typed and len(words) == 2 else " ".join(words)


def dressed(fact: Fact, context: Context) -> list[Statement]:
    """What cannot be said inside CREATE TABLE on every supported major."""
    found = []
    only = _alter(fact, " only" if w.has_children(fact.id, context) else "")
    alter = f"{only} alter column {ident(fact.id.part)}"
    if fact["storage"]:
        found.append(w.say(f"{alter} set storage {STORAGE[fact['storage']]}", f"{fact.id}: storage", fact.id))
    if fact["statistics"] is not None:
        found.append(
            w.say(f"{alter} set statistics {fact['statistics']}", f"{fact.id}: statistics target", fact.id)
        )
    found += w.changed_options(None, fact["options"], alter, fact)
    if not_null.said_later(fact):
        found.append(w.say(not_null.added(fact), f"{fact.id}: must have a value from now on", fact.id))
    for privileges in [fact["acl"]] if fact["acl"] else []:
        found += granted(fact, {}, privileges, context)
    if fact["comment"] is not None:
        found.append(w.commented(fact, _noun(fact)))
    if fact["identity"]:
        found += identity.dressed(_counter(fact, context), context)
    return found + w.labelled(None, fact, _noun(fact))


def _counter(fact: Fact, context: Context) -> Fact:
    """The sequence behind an identity column, with what PostgreSQL lets it have of its own."""
    own = {
        "owner": _table_owner(fact, context),
        "acl": fact["identity_acl"],
        "comment": fact["identity_comment"],
    }
    return Fact(ObjectId("sequence", fact.id.schema, identity.counter(fact)), own, "")


def _table_owner(fact: Fact, context: Context) -> str:
    for side in (context.after, context.before):
        if fact.parent is not None and fact.parent in side.facts:
            return str(side.facts[fact.parent]["owner"])
    return ""


def _noun(fact: Fact) -> str:
    return f"column {ident(fact.id.schema, fact.id.name, fact.id.part)}"


def _alter(fact: Fact, guard: str = "") -> str:
    return f"alter {'foreign ' if _is_foreign(fact) else ''}table{guard} {w.name(fact.id)}"


def _still_inherits(fact: Fact, context: Context) -> bool:
    """Whether it goes with the column of a parent: the table keeps its parents."""
    there = all(
        side.facts.get(fact.parent) if fact.parent else None for side in (context.before, context.after)
    )
    return there and w.keeps_parents(fact.id, context)


def _is_foreign(fact: Fact) -> bool:
    return fact.parent is not None and fact.parent.kind == "foreign_table"


def granted(fact: Fact, have: w.Acl, want: w.Acl, context: Context) -> list[Statement]:
    """GRANT on a column names the column after each privilege: `select (a), update (a)`."""
    owner = _table_owner(fact, context)
    whole = Fact(fact.id, {**fact.attributes, "owner": owner}, fact.digest, fact.parent)
    column = ident(fact.id.part)
    named = [
        {
            who: [p.rstrip("*") + f" ({column})" + ("*" if p.endswith("*") else "") for p in privileges]
            for who, privileges in acl.items()
        }
        for acl in (have, want)
    ]
    return w.granted(whole, named[0], named[1], f"table {w.name(fact.id)}")


_VOLATILE = re.compile(r"\b(nextval|random|gen_random_uuid|uuid_generate_v\w+|clock_timestamp|timeofday)\(")
"""Functions that give each row a value of its own, so that a new column with them rewrites the table."""


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    if fact["inherited"] and (_still_inherits(fact, context) or not w.becomes_partition(fact, context)):
        return dressed(fact, context)
    default = next((p["expression"] for p in parts if p.id.kind == "default"), None)
    fill = context.fills.get(fact.id)
    table, column = _alter(fact), ident(fact.id.part)
    late = fill is not None and bool(fact["not_null"])
    bare = Fact(fact.id, {**fact.attributes, "not_null": None}, "") if late else fact
    # Rows that exist already would have the default as soon as it is said.
    line = definition(bare, default if fill is None else None, context)
    hazards = []
    if (
        (fact["not_null"] or _of_full_domain(fact, context))
        and (default is None or re.match(r"\(*NULL\b", default))
        and not late
        and not not_null.said_later(fact)
        and not fact["generated"]
        and not fact["identity"]
    ):
        hazards.append(
            Hazard(
                HazardCode.DEPENDS_ON_DATA,
                f"Fails when {fact.id.schema}.{fact.id.name} has rows: nothing fills it.",
            )
        )
    if fact["generated"] == "s" or fact["identity"] or (default and _VOLATILE.search(default)):
        hazards.append(
            Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {w.name(fact.id)} under an exclusive lock.")
        )
    sql = f"{table} add column if not exists {line}"
    if w.becomes_partition(fact, context):
        # Once it is attached, not even IF NOT EXISTS lets a column be added to it.
        condition = (
            "not exists (select from pg_catalog.pg_attribute where attrelid ="
            f" {literal(w.name(fact.id))}::pg_catalog.regclass and attname = {literal(fact.id.part)})"
        )
        sql = w.guarded(condition, sql)
    found = [w.say(sql, f"new column {fact.id}", fact.id, *hazards)]
    if fill is not None:
        found.append(
            w.say(
                f"update {w.name(fact.id)} set {column} = {fill} where {column} is null",
                f"{fact.id}: rows that exist already get their declared value",
                fact.id,
            )
        )
    if fill is not None and default is not None:
        found.append(
            w.say(f"{table} alter column {column} set default {default}", f"{fact.id}: new rows", fact.id)
        )
    if late:
        found.append(w.say(not_null.put(fact, context), f"{fact.id}: every row has one now", fact.id))
    return found + dressed(fact, context)


def _of_full_domain(fact: Fact, context: Context) -> bool:
    """Whether its type is a domain that has to have a value and gives none by itself."""
    domains = [
        context.after.facts[need]
        for need in context.after.edges.get(fact.id, frozenset())
        if need.kind == "domain" and not fact["type"].endswith("[]")
    ]
    return any(domain["not_null"] and domain["default"] is None for domain in domains)


def drop(fact: Fact, context: Context) -> list[Statement]:
    if fact["inherited"] and _still_inherits(fact, context):
        return []
    hazards = []
    if not fact["generated"]:
        hazards.append(Hazard(HazardCode.DELETES_DATA, f"The values of column {fact.id} are deleted."))
    table = _alter(fact) if fact.id in context.before.digests else _alter(fact, " if exists")
    sql = f"{table} drop column if exists {ident(fact.id.part)}"
    return [w.say(sql, f"column {fact.id}: no longer declared", fact.id, *hazards)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if (old["generated"], old["expression"]) != (new["generated"], new["expression"]) and not _frees(
        old, new
    ):
        return _recomputed(old, new, context)
    column = ident(new.id.part)
    action = f"{_alter(new)} alter column {column}"
    # Children have these for themselves.
    alone = f"{_alter(new, ' only' if w.has_children(new.id, context) else '')} alter column {column}"
    found: list[Statement] = []
    pinned = False
    inherited = bool(new["inherited"]) and not w.becomes_partition(new, context)
    table = context.after.facts.get(new.parent) if new.parent else None
    if new["inherited"] and not old["inherited"] and not (table and table["partition"]):
        raise Unplannable(
            f"column {new.id} would have to be only inherited, which PostgreSQL does to new columns only"
        )
    if _frees(old, new):
        found.append(
            w.say(
                f"{action} drop expression if exists", f"{new.id}: keeps its values, computed no more", new.id
            )
        )
    if old["identity"] and not new["identity"]:
        found.append(w.say(f"{action} drop identity if exists", f"{new.id}: no identity", new.id))
    numbered = identity.changed(old, new) if new["identity"] and old["identity"] != new["identity"] else []
    if identity.narrows(old, new):
        # The identity's bounds have to fit into the new type before the column gets it.
        found += numbered
        numbered = []
    if (old["type"], old["collation"]) != (new["type"], new["collation"]):
        # An inherited one changes with its parent's, and what holds on to it is in the way all the same.
        pinned = True
        if not inherited:
            _refuse_in_key(new.id, context)
            found.append(_retyped(old, new, context))
    # A table that leaves its parents is apart when it has left.
    detached = not_null.apart(old, new, context) and _still_inherits(new, context)
    if detached and not (table and table["partition"]):
        raise Unplannable(
            f"the NOT NULL of {new.id} has another name, and PostgreSQL renames no inherited constraint"
            if old["not_null_given"] or not new["not_null_given"]
            else f"the NOT NULL of {new.id} would have to be its parent's alone, which it never becomes again"
        )
    comes_along = not_null.follows(old, new) and _still_inherits(new, context) and not detached
    if old["not_null"] != new["not_null"] and not comes_along:
        found += not_null.changed(old, new, context)
    if old["not_null_given"] and not new["not_null_given"]:
        found += not_null.kept(new, context)
    found += numbered
    if new["identity"]:
        counter = _counter(new, context)
        if old["identity"]:
            found += identity.redressed(_counter(old, context), counter, context)
        else:
            found += identity.dressed(counter, context)
    # With another type it is stored as that type wants, until it is told otherwise again (`forgotten`).
    if old["storage"] != new["storage"] and not pinned:
        storage = STORAGE[new["storage"]] if new["storage"] else "default"
        if storage == "default" and context.major < 16:
            storage = STORAGE[type_storage(new["type"])]
        found.append(w.say(f"{alone} set storage {storage}", f"{new.id}: storage", new.id))
    if old["compression"] != new["compression"] and not pinned:
        method = COMPRESSION.get(new["compression"], "default")
        found.append(w.say(f"{action} set compression {method}", f"{new.id}: compression", new.id))
    if old["statistics"] != new["statistics"]:
        target = -1 if new["statistics"] is None else new["statistics"]
        found.append(w.say(f"{alone} set statistics {target}", f"{new.id}: statistics target", new.id))
    found += w.changed_options(old["options"], new["options"], alone, new)
    found += foreign_options.changed(
        old["fdw_options"], new["fdw_options"], action, _current_fdw_options(new), new
    )
    if old["acl"] != new["acl"]:
        found += granted(new, old["acl"] or {}, new["acl"] or {}, context)
    found += w.redressed(old, new, context, _noun(new))
    if (
        detached
    ):  # only a table of its own can give the constraint another name: it is attached again after that
        whole = context.before.facts.get(ObjectId("partition", new.id.schema, new.id.name))
        above = context.before.edges.get(whole.id, frozenset()) if whole else frozenset()
        return Alteration(
            tuple(found), lambda fact: fact is whole or (pinned and _is_pinned(fact)), above, pinned
        )
    return Alteration(tuple(found), displaces=_is_pinned if pinned else lambda fact: False, rebuilds=pinned)


def _current_fdw_options(fact: Fact) -> str:
    return (
        f"(select attfdwoptions from pg_catalog.pg_attribute where attrelid = {literal(w.name(fact.id))}"
        f"::pg_catalog.regclass and attname = {literal(fact.id.part)})"
    )


def _is_pinned(fact: Fact) -> bool:
    if fact.id.kind == "column":
        return bool(fact["generated"])
    if fact.id.kind in ("index", "constraint"):
        return False
    return fact.id.kind in PINNED


def _frees(old: Fact, new: Fact) -> bool:
    """A stored generated column can become an ordinary one in place; nothing else about generation can change."""
    return old["generated"] == "s" and not new["generated"]


def _recomputed(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if context.major >= 17 and old["generated"] == new["generated"] and old["type"] == new["type"]:
        rest = Fact(old.id, {**old.attributes, "expression": new["expression"]}, "", old.parent)
        further = alter(rest, new, context)
        if further is not None:
            sql = f"{_alter(new)} alter column {ident(new.id.part)} set expression as ({new['expression']})"
            slow = Hazard(HazardCode.REWRITES_TABLE, f"Rewrites {w.name(new.id)} under an exclusive lock.")
            first = w.say(sql, f"{new.id}: computed differently", new.id, slow)
            return Alteration((first, *further.statements), further.displaces, rebuilds=True)
    return None


def _refuse_in_key(column: ObjectId, context: Context) -> None:
    """PostgreSQL changes no type of a column that rows are distributed by (manual: ALTER TABLE, SET DATA TYPE)."""
    word = re.compile(rf'(?<![\w"]){re.escape(ident(column.part))}(?![\w"])')
    for table in tree(context.before, ObjectId("table", column.schema, column.name)):
        fact = context.before.facts.get(table)
        if fact is not None and fact["partition_by"] and word.search(fact["partition_by"]):
            raise Unplannable(
                f"the type of column {column} would have to change, but {table} is partitioned by it: make a table with the"
                " other type, move the rows and give it the name"
            )


def _retyped(old: Fact, new: Fact, context: Context) -> Statement:
    column = ident(new.id.part)
    collate = f" collate {new['collation']}" if new["collation"] else ""
    cast, direct = using(column, old["type"], new["type"])
    # What computes a generated column gives the new type by itself, and a foreign table has no rows to convert: USING is
    # not for these (manual: ALTER TABLE, ALTER FOREIGN TABLE).
    plain = bool(new["generated"]) or _is_foreign(new)
    how = "" if plain else f" using {cast}"
    change = f"alter column {column} type {new['type']}{collate}{how}"
    had, has = (_default(side, new) for side in (context.before, context.after))
    if had is not None:
        # An old default may have no cast to the new type; it is set again, from the declaration, in the same statement.
        put = f", alter column {column} set default {has}" if has is not None else ""
        change = f"alter column {column} drop default, {change}{put}"
    sql = f"{_alter(new)} {change}"
    # The second time an identity has taken the place of the default, and has none to be dropped; and once a partition is
    # attached, it has its parent's type and none may be given to it.
    once = (had is not None and bool(new["identity"])) or w.becomes_partition(new, context)
    # Children would lose their compression.
    once = once or (old["type"] != new["type"] and w.has_children(new.id, context))
    if (not direct and not plain) or once:
        wanted = (
            f"{literal(new['collation'])}::pg_catalog.regcollation"
            if new["collation"]
            else "(select typcollation from pg_catalog.pg_type where oid = atttypid)"
        )
        other = f"pg_catalog.format_type(atttypid, atttypmod) <> {literal(new['type'])}"
        if old["collation"] != new["collation"]:
            other = f"{other} or attcollation <> {wanted}"
        outdated = (
            f"(select {other} from pg_catalog.pg_attribute where attrelid ="
            f" {literal(w.name(new.id))}::pg_catalog.regclass and attname = {literal(new.id.part)})"
        )
        sql = w.guarded_in_full(outdated, sql)
    hazards = [Hazard(HazardCode.REWRITES_TABLE, f"May rewrite {w.name(new.id)} under an exclusive lock.")]
    if lossy(old["type"], new["type"]):
        hazards.append(
            Hazard(
                HazardCode.LOSSY_CAST,
                f"{new.id}: {old['type']} → {new['type']} can fail or lose part of a value.",
            )
        )
    return w.say(sql, f"{new.id}: {old['type']} → {new['type']}", new.id, *hazards)


def _default(side: Snapshot, column: Fact) -> str | None:
    for part in side.children.get(column.id, ()):
        if part.id.kind == "default":
            return str(part["expression"])
    return None


def type_storage(type_: str) -> str:
    """The storage a type starts with, for majors below 16 that cannot be asked for the default: toastable types are
    extended, but numeric and the network types are main."""
    base = type_.split("(")[0]
    return "m" if base in ("numeric", "inet", "cidr") else "x"


def forgotten(fact: Fact, context: Context) -> list[Statement]:
    """How it is stored and compressed: a column of another type starts with that type's ways."""
    column, found = ident(fact.id.part), []
    if fact["storage"]:
        only = _alter(fact, " only" if w.has_children(fact.id, context) else "")
        sql = f"{only} alter column {column} set storage {STORAGE[fact['storage']]}"
        found.append(w.say(sql, f"{fact.id}: storage", fact.id))
    if fact["compression"]:
        sql = f"{_alter(fact)} alter column {column} set compression {COMPRESSION[fact['compression']]}"
        found.append(w.say(sql, f"{fact.id}: compression", fact.id))
    return found


KIND = Kind(
    "column", read, create, drop, alter,
    inline=True, replaceable=False, drop_late=True, forgotten=forgotten,
)  # fmt: skip
