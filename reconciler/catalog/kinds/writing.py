"""Pieces of SQL that the kinds' statements share: guards, owners, comments, grants.

Promises that what it writes can run twice. Never decides the order of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.catalog.kinds.kind import Context
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import dollar, ident, indented, literal

COMMON = frozenset({"owner", "acl", "comment", "labels"})
"""Attributes that every kind has and that are written the same way everywhere."""

Acl = Mapping[str, list[str]]

ALL_ON: Mapping[str, str] = {
    "table": "DELETE INSERT REFERENCES SELECT TRIGGER TRUNCATE UPDATE",
    "sequence": "SELECT UPDATE USAGE",
    "function": "EXECUTE",
    "type": "USAGE",
    "schema": "CREATE USAGE",
    "language": "USAGE",
    "foreign data wrapper": "USAGE",
    "foreign server": "USAGE",
    "large object": "SELECT UPDATE",
}
"""What the owner has by default, by class of object (manual, table 5.2)."""

PUBLIC_ON = {"function": "EXECUTE", "type": "USAGE", "language": "USAGE"}
LETTERS = {"table": "r", "sequence": "S", "function": "f", "type": "T", "schema": "n"}


def say(
    sql: str, reason: str, subject: ObjectId | None = None, *hazards: Hazard, transactional: bool = True
) -> Statement:
    return Statement(sql, reason, "catalog", transactional, hazards=hazards, subject=subject)


def hazard(code: HazardCode, consequence: str) -> Hazard:
    return Hazard(code, consequence)


def name(id: ObjectId) -> str:
    """The qualified name as SQL: of the object itself, or of the table when the id is that of a part."""
    return ident(id.schema, id.name) if id.schema else ident(id.name)


def routine(id: ObjectId) -> str:
    """A name with its argument types; PostgreSQL rendered the types, so they are quoted already."""
    return name(id) + id.part


def guarded(condition: str, *statements: str) -> str:
    """A DO block that runs the statements only when the condition holds: for what has no IF [NOT] EXISTS."""
    body = ";\n".join(indented(statement, "    ") for statement in statements)
    return "do " + dollar(f"\nbegin\n  if {condition} then\n{body};\n  end if;\nend\n")


def block(*statements: str) -> str:
    """A DO block of these statements."""
    body = ";\n".join(indented(statement, "  ") for statement in statements)
    return "do " + dollar(f"\nbegin\n{body};\nend\n")


def guarded_in_full(condition: str, *statements: str) -> str:
    """The same for a condition over what PostgreSQL prints, which is asked with every name in full: what `format_type` and
    `regtype` print depends on the search_path of whoever runs this."""
    body = ";\n".join(indented(statement, "    ") for statement in statements)
    return "do " + dollar(
        "\ndeclare\n  path text := pg_catalog.current_setting('search_path');\n  needed boolean;\nbegin\n"
        "  perform pg_catalog.set_config('search_path', '', true);\n"
        f"  needed := {condition};\n"
        "  perform pg_catalog.set_config('search_path', path, true);\n"
        f"  if needed then\n{body};\n  end if;\nend\n"
    )


def either(condition: str, yes: str, no: str) -> str:
    """A DO block that chooses between two statements by what the database holds now."""
    body = f"  if {condition} then\n{indented(yes, '    ')};\n  else\n{indented(no, '    ')};\n  end if;"
    return "do " + dollar(f"\nbegin\n{body}\nend\n")


def becomes_partition(fact: Fact, context: Context) -> bool:
    """Whether its table is new, or exists, and will be attached, to another parent than it may have now, when it has the
    same columns and checks as that parent."""
    table = context.after.facts.get(fact.parent) if fact.parent else None
    return table is not None and bool(table["partition"]) and not keeps_parents(fact.id, context)


def keeps_parents(part: ObjectId, context: Context) -> bool:
    """Whether the table of this column is a child or a partition of the same tables before and after."""
    return set(parents(part, context.before)) == set(parents(part, context.after))


def has_children(part: ObjectId, context: Context) -> bool:
    """Whether the table of this column has children or partitions, now or afterwards."""
    table = (part.schema, part.name)
    return any(
        user.kind in ("table", "foreign_table", "partition") and (user.schema, user.name) != table
        for side in (context.before, context.after)
        for user in side.dependents.get(ObjectId("table", *table), ())
    )


def parents(part: ObjectId, side: Snapshot) -> list[ObjectId]:
    """The tables that the table of this column is a child or a partition of."""
    none: frozenset[ObjectId] = frozenset()
    own = [ObjectId(kind, part.schema, part.name) for kind in ("table", "partition")]
    return [
        need for id in own for need in side.edges.get(id, none) if need.kind == "table" and need != own[0]
    ]


def inherits(child: ObjectId, parent: str) -> str:
    """The condition that a table is a child or a partition of another, whose name PostgreSQL has rendered."""
    return (
        f"exists (select from pg_catalog.pg_inherits where inhrelid = pg_catalog.to_regclass({literal(name(child))})"
        f" and inhparent = pg_catalog.to_regclass({literal(parent)}))"
    )


def missing(register: str, reference: str) -> str:
    """The condition that nothing answers to that name: `missing("to_regtype", "public.mood")`."""
    return f"pg_catalog.{register}({literal(reference)}) is null"


def default_acl(on: str, major: int) -> dict[str, list[str]]:
    """What a new object of this class grants by itself. '' is its owner."""
    own = ALL_ON[on].split()
    if on == "table" and major >= 17:
        own = sorted([*own, "MAINTAIN"])
    found = {"": own}
    if on in PUBLIC_ON:
        found["public"] = [PUBLIC_ON[on]]
    return found


def dressed(fact: Fact, context: Context, noun: str, on: str = "", target: str = "") -> list[Statement]:
    """What follows the CREATE of an object: its owner, grants, comment and labels.

    `noun` is how COMMENT ON and ALTER call it ("table public.t"), `on` its class in GRANT (empty: none), `target` the
    words after GRANT … ON when they differ from `noun`.
    """
    found = owned(fact, context, noun)
    if on:
        found += granted_afresh(fact, context, on, target or noun)
    if fact["comment"] is not None:
        found.append(commented(fact, noun))
    found += labelled(None, fact, noun)
    return found


def redressed(
    old: Fact, new: Fact, context: Context, noun: str, on: str = "", target: str = ""
) -> list[Statement]:
    """The differences in owner, grants, comment and labels of an object that stays."""
    found = []
    if new["owner"] and old["owner"] != new["owner"]:
        found.append(_owned(new, noun))
    if on and old["acl"] != new["acl"]:
        default = default_acl(on, context.major)
        have, want = (fact["acl"] if fact["acl"] is not None else default for fact in (old, new))
        have = handed_over(have, old["owner"], new["owner"])
        found += granted(new, have, want, target or noun)
    if old["comment"] != new["comment"]:
        found.append(commented(new, noun))
    return found + labelled(old, new, noun)


def handed_over(acl: Acl, old: str, new: str) -> Acl:
    """An access list after ALTER … OWNER TO: what the new owner was granted becomes one with what the old one had."""
    if old == new or new not in acl:
        return acl
    both = _options(acl.get("", ()))
    for privilege, option in _options(acl[new]).items():
        both[privilege] = both.get(privilege, False) or option
    merged = sorted(privilege + ("*" if option else "") for privilege, option in both.items())
    return {who: list(privileges) for who, privileges in acl.items() if who != new} | {"": merged}


def commented(fact: Fact, noun: str) -> Statement:
    text = fact["comment"]
    value = "null" if text is None else literal(text)
    verb = "comment taken off" if text is None else "comment"
    return say(f"comment on {noun} is {value}", f"{fact.id}: {verb}", fact.id)


def labelled(old: Fact | None, new: Fact, noun: str) -> list[Statement]:
    before = (old["labels"] if old else None) or {}
    after = new["labels"] or {}
    return [
        say(
            f"security label for {ident(provider)} on {noun} is"
            f" {literal(after[provider]) if provider in after else 'null'}",
            f"{new.id}: security label",
            new.id,
        )
        for provider in sorted({*before, *after})
        if before.get(provider) != after.get(provider)
    ]


def tied(old: Fact | None, new: Fact, noun: str) -> list[Statement]:
    """ALTER … DEPENDS ON EXTENSION."""
    before, after = (set((fact["extensions"] if fact else None) or ()) for fact in (old, new))
    return [
        say(
            f"alter {noun} {'no ' if name in before else ''}depends on extension {ident(name)}",
            f"{new.id}: {'stays without' if name in before else 'goes with'} extension {name}",
            new.id,
        )
        for name in sorted(before ^ after)
    ]


def owned(fact: Fact, context: Context, noun: str) -> list[Statement]:
    """The owner of a new object, unless it is whoever makes it."""
    return [_owned(fact, noun)] if fact["owner"] and fact["owner"] != context.applier else []


def _owned(fact: Fact, noun: str) -> Statement:
    return say(
        f"alter {noun} owner to {ident(fact['owner'])}", f"{fact.id}: belongs to {fact['owner']}", fact.id
    )


def granted_afresh(fact: Fact, context: Context, on: str, target: str) -> list[Statement]:
    """Grants of a new object. Where default privileges are at work, start from nothing: what they would add depends on
    who runs this and when."""
    default = default_acl(on, context.major)
    want = fact["acl"] if fact["acl"] is not None else default
    strangers = default_grantees(context, LETTERS.get(on, ""))
    if strangers is None:
        return granted(fact, default, want, target, fresh=True)
    everyone = [*sorted({*strangers, *default} - {""}), ""]
    who = ", ".join(_grantee(grantee, fact) for grantee in everyone)
    reset = say(
        f"revoke all on {target} from {who}",
        f"{fact.id}: only what is declared, whatever the defaults",
        fact.id,
    )
    return [reset, *granted(fact, {}, want, target, fresh=True)]


def default_grantees(context: Context, letter: str) -> frozenset[str] | None:
    """Whom ALTER DEFAULT PRIVILEGES could have granted something on such an object; None when there are none."""
    found: set[str] = set()
    hit = False
    for side in (context.before, context.after):
        for fact in side.by_kind.get("default_privilege", ()):
            if fact["on"] == letter:
                hit = True
                found.update(who for who in fact["acl"] or {} if who)
    return frozenset(found) if hit else None


def granted(fact: Fact, have: Acl, want: Acl, target: str, *, fresh: bool = False) -> list[Statement]:
    """The GRANTs and REVOKEs that lead from one access list to another, revokes first."""
    found: list[Statement] = []
    for who in sorted({*have, *want}, key=lambda w: (w != "", w)):
        before, after = _options(have.get(who, ())), _options(want.get(who, ()))
        role = _grantee(who, fact)
        gone = sorted(p for p in before if p not in after)
        demoted = sorted(p for p in before if before[p] and after.get(p) is False)
        if gone:
            hazards = () if fresh else (_revokes(role, gone, fact),)
            words = _privileges(gone)
            found.append(
                say(
                    f"revoke {words} on {target} from {role}",
                    f"{fact.id}: {role} loses {words}",
                    fact.id,
                    *hazards,
                )
            )
        if demoted:
            words = _privileges(demoted)
            found.append(
                say(
                    f"revoke grant option for {words} on {target} from {role}",
                    f"{fact.id}: {role} may no longer grant {words}",
                    fact.id,
                )
            )
        for option, suffix in ((False, ""), (True, " with grant option")):
            added = sorted(
                p for p, o in after.items() if o is option and (p not in before or (o and not before[p]))
            )
            if added:
                words = _privileges(added)
                found.append(
                    say(
                        f"grant {words} on {target} to {role}{suffix}",
                        f"{fact.id}: {role} may {words}",
                        fact.id,
                    )
                )
    return found


def _revokes(role: str, privileges: Iterable[str], fact: Fact) -> Hazard:
    words = _privileges(privileges)
    return Hazard(HazardCode.REVOKES_ACCESS, f"{role} can no longer {words} on {fact.id}.")


def _options(privileges: Iterable[str]) -> dict[str, bool]:
    return {p.rstrip("*"): p.endswith("*") for p in privileges}


def _privileges(names: Iterable[str]) -> str:
    """`SELECT`, or with its column `SELECT ("Mixed Case")`, as words of GRANT: the column keeps its case."""
    parts = (n.partition(" ") for n in names)
    return ", ".join(privilege.lower() + space + column for privilege, space, column in parts)


def _grantee(who: str, fact: Fact) -> str:
    if who == "public":
        return "public"
    return ident(who or fact["owner"])


def options(pairs: Iterable[str]) -> str:
    """`["fillfactor=70"]` as SQL: `fillfactor = '70'`."""
    return ", ".join(f"{key} = {literal(value)}" for key, value in (pair.split("=", 1) for pair in pairs))


def changed_options(
    old: Iterable[str] | None, new: Iterable[str] | None, alter: str, fact: Fact
) -> list[Statement]:
    """`set (…)` and `reset (…)` of storage parameters or view options."""
    before, after = (dict(pair.split("=", 1) for pair in pairs or ()) for pairs in (old, new))
    put = [f"{key}={value}" for key, value in after.items() if before.get(key) != value]
    gone = sorted(set(before) - set(after))
    found = []
    if put:
        found.append(say(f"{alter} set ({options(put)})", f"{fact.id}: options", fact.id))
    if gone:
        found.append(
            say(f"{alter} reset ({', '.join(gone)})", f"{fact.id}: options back to default", fact.id)
        )
    return found
