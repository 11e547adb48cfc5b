"""Rules about functions: whose rights they have, who may call them, where they look names up, what they promise to the planner."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach, texts
from reconciler.audit.rules.catalog import PUBLIC, Catalog, Function
from reconciler.audit.rules.conditions import asking
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding

_FIRED = frozenset({"trigger", "event_trigger"})
"""What functions return that nobody can call."""


def _pinned(catalog: Catalog, function: Function) -> str:
    if function.language not in ("sql", "plpgsql"):
        return ""
    return f"alter {names.routine(function)} set search_path = {texts.pinned(catalog, function)};"


def _unpinned(subject: Subject) -> Iterator[Finding]:
    for function in subject.catalog.own_functions():
        if function.definer and function.search_path is None:
            yield UNPINNED.finding(
                function.id,
                f"{function.id} runs as {function.owner} and looks names up where its caller says.",
                remedy=_pinned(subject.catalog, function),
            )


UNPINNED = Rule(
    id="FUN001",
    title="A function with its owner's rights looks names up where its caller says",
    severity="warning",
    condition="A SECURITY DEFINER function has no search_path of its own.",
    consequence="Its caller chooses the search_path, makes a table, function or operator of a name that the body uses, and has"
    " it run with the owner's rights.",
    remedy="alter function … set search_path = '', and write the schema before every name in the body.",
    references=("splinter 0011", "pgrls SEC015", "manual: Writing SECURITY DEFINER Functions Safely"),
    check=_unpinned,
)


def _mutable(subject: Subject) -> Iterator[Finding]:
    for function in subject.catalog.own_functions():
        plain = function.language not in ("c", "internal") and function.id.kind != "aggregate"
        if plain and not function.definer and function.search_path is None and not function.resolved:
            yield MUTABLE.finding(
                function.id,
                f"What the names in {function.id} mean depends on who calls it.",
                remedy=_pinned(subject.catalog, function),
            )


MUTABLE = Rule(
    id="FUN002",
    title="What a function's names mean depends on its caller",
    severity="info",
    condition="A function without SECURITY DEFINER, whose body is text, has no search_path of its own.",
    consequence="Called from a policy, a trigger, a SECURITY DEFINER function or a dump that is restored, it meets other search paths than"
    " the one it was written for: it fails, or finds another table.",
    remedy="alter function … set search_path = '', or write the body as RETURN or BEGIN ATOMIC, whose names are resolved once.",
    references=("splinter 0011",),
    check=_mutable,
)


def _unsafe_path(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for function in catalog.own_functions():
        path = _path(function.search_path) if function.definer and function.search_path is not None else []
        if not path:
            continue
        open_to = {schema: _creators(catalog, function, schema) for schema in path}
        creatable = {schema: who for schema, who in open_to.items() if who}
        if creatable:
            listed = "; ".join(
                f"{', '.join(map(reach.shown, who))} may create in {schema}"
                for schema, who in creatable.items()
            )
            yield UNSAFE_PATH.finding(
                function.id,
                f"{function.id} runs as {function.owner} and looks names up where others create: {listed}.",
            )
        elif path[-1] != "pg_temp":
            yield UNSAFE_PATH.finding(
                function.id,
                f"{function.id} runs as {function.owner}; its search_path ({function.search_path}) does not end with pg_temp, so that"
                " temporary tables come first.",
                remedy=f"alter {names.routine(function)} set search_path = {function.search_path}, pg_temp;",
                severity="info",
            )


def _path(text: str) -> list[str]:
    return [word.strip().strip('"') for word in text.split(",") if word.strip().strip('"')]


def _creators(catalog: Catalog, function: Function, schema: str) -> tuple[str, ...]:
    found = catalog.schemas.get(schema)
    if schema == "$user":
        return (PUBLIC,)
    held = reach.granted(found.grants, "create") if found is not None else {}
    return tuple(role for role in held if not reach.is_unbound(catalog, role) and role != function.owner)


UNSAFE_PATH = Rule(
    id="FUN003",
    title="A function with its owner's rights looks names up where others create",
    severity="warning",
    condition="The search_path of a SECURITY DEFINER function holds a schema in which somebody else may create; or, as an"
    " information, it is not empty and does not end with pg_temp.",
    consequence="Who can create there shadows what the body means by an unqualified name. Temporary tables come before all schemas"
    " unless pg_temp is named last.",
    remedy="Set search_path = '' and write the schema before every name; or name only schemas of trust, and pg_temp last.",
    references=("pgrls SEC015", "manual: Writing SECURITY DEFINER Functions Safely"),
    check=_unsafe_path,
)


def _definers(subject: Subject) -> Iterator[tuple[Function, tuple[str, ...]]]:
    """The functions with their owner's rights that others can call, and who can."""
    for function in subject.catalog.own_functions():
        if function.definer and function.returns not in _FIRED:
            who = reach.callers(subject.catalog, function)
            if who:
                yield function, who


def _for_anonymous(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    nobody = reach.anonymous(catalog.platform)
    for function in catalog.own_functions():
        held = tuple(sorted(nobody & set(reach.granted(function.grants, "execute"))))
        if not function.definer or function.returns in _FIRED or not held:
            continue
        reached = nobody & set(reach.callers(catalog, function))
        behind = (
            ""
            if reached
            else f"; that nobody of them may use schema {function.id.schema} is all that is between"
        )
        yield FOR_ANONYMOUS.finding(
            function.id,
            f"{', '.join(map(reach.shown, held))} may execute {function.id}, which runs as {function.owner}"
            f"{_power(catalog, function)}{behind}.",
            remedy=f"revoke execute on {names.routine(function)} from {names.roles(held)};",
            severity="warning" if reached else "info",
        )


def _power(catalog: Catalog, function: Function) -> str:
    return ", whom no policy binds" if reach.is_unbound(catalog, function.owner) else ""


FOR_ANONYMOUS = Rule(
    id="FUN004",
    title="Anybody may call a function that has its owner's rights",
    severity="warning",
    condition="PUBLIC, or the role of anonymous callers, may execute a SECURITY DEFINER function. PUBLIC may from the start: a new function"
    " grants it. It is an information where it may not use the function's schema.",
    consequence="Whoever reaches the database, or its API, acts by it as the owner, past every policy that does not bind the owner.",
    remedy="revoke execute on function … from public, anon; and grant it to whom it is for.",
    references=("splinter 0028", "pgrls SEC042", "pgrls SEC014"),
    check=_for_anonymous,
)


def _for_users(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    nobody = reach.anonymous(catalog.platform)
    for function, who in _definers(subject):
        if nobody & set(who):
            continue
        asks = function.oid in asking(catalog)
        says = "and looks at the session" if asks else "and does not look at who calls"
        yield FOR_USERS.finding(
            function.id,
            f"{', '.join(map(reach.shown, who))} may call {function.id}, which runs as {function.owner}"
            f"{_power(catalog, function)} {says}.",
            severity="info" if asks else "warning",
        )


FOR_USERS = Rule(
    id="FUN005",
    title="Users may call a function that has its owner's rights",
    severity="warning",
    condition="A role that row-level security binds may execute a SECURITY DEFINER function in a schema that it may use. It is an"
    " information where the function, or one that it calls, looks at the claims of the caller.",
    consequence="What the function does with its arguments it does for every tenant's rows; only its own text keeps them apart.",
    remedy="Make it SECURITY INVOKER where policies would do; else compare its arguments with the caller's claims before anything else.",
    references=("splinter 0029", "pgrls SEC014"),
    check=_for_users,
)


def _leakproof(subject: Subject) -> Iterator[Finding]:
    for function in subject.catalog.own_functions():
        if function.leakproof:
            yield LEAKPROOF.finding(
                function.id,
                f"{function.id} is marked LEAKPROOF: it is evaluated before policies, on rows that they hide.",
                remedy=f"alter {names.routine(function)} not leakproof;",
            )


LEAKPROOF = Rule(
    id="FUN006",
    title="A function is marked LEAKPROOF",
    severity="warning",
    condition="A function of users has the attribute LEAKPROOF.",
    consequence="The planner may call it on rows before policies and security barriers have spoken. If it raises, prints, or takes longer for"
    " some values, it tells what is in them.",
    remedy="alter function … not leakproof, unless somebody has shown that neither result, error nor time depends on more than the"
    " result says.",
    references=("pgrls SEC017", "manual: CREATE FUNCTION"),
    check=_leakproof,
)


def _immutable(subject: Subject) -> Iterator[Finding]:
    for function in subject.catalog.own_functions():
        if function.volatility == "i" and function.oid in asking(subject.catalog):
            yield IMMUTABLE.finding(
                function.id,
                f"{function.id} is declared IMMUTABLE and looks at the session.",
                remedy=f"alter {names.routine(function)} stable;",
            )


IMMUTABLE = Rule(
    id="FUN007",
    title="A function that looks at the session is declared IMMUTABLE",
    severity="warning",
    condition="A function declared IMMUTABLE, or one that it calls, reads a setting, a claim or the current role.",
    consequence="Its value is put into the plan as a constant. A prepared statement or a cached plan then goes on with the tenant for whom"
    " it was planned.",
    remedy="Declare it STABLE.",
    references=("pgrls SEC046", "manual: Function Volatility Categories"),
    check=_immutable,
)

_EXECUTE = re.compile(r"\bexecute\s+(?!function\b|procedure\b|on\b)([^;]*)", re.IGNORECASE)
_QUOTED = re.compile(r"\bquote_(ident|literal|nullable)\s*\(", re.IGNORECASE)


def _dynamic(subject: Subject) -> Iterator[Finding]:
    for function in subject.catalog.own_functions():
        if not function.definer or function.language != "plpgsql":
            continue
        for statement in _EXECUTE.findall(texts.plain(function.body)):
            joined = "||" in statement and not _QUOTED.search(statement)
            formatted = re.match(r"(pg_catalog\.)?format\s*\(", statement, re.IGNORECASE) and re.search(
                r"%(\d+\$)?s", statement
            )
            if joined or formatted:
                yield DYNAMIC.finding(
                    function.id,
                    f"{function.id} runs as {function.owner} and executes text that it puts together unquoted.",
                    evidence=f"execute {' '.join(statement.split())}",
                )
                break


DYNAMIC = Rule(
    id="FUN008",
    title="A function with its owner's rights executes text put together unquoted",
    severity="warning",
    condition="The body of a SECURITY DEFINER function in PL/pgSQL has EXECUTE with || and no quote_ident, quote_literal or quote_nullable, or"
    " with a format() that has %s.",
    consequence="What a caller puts into an argument becomes SQL that runs with the owner's rights.",
    remedy="Pass values by USING, and names by format('… %I …', name).",
    references=("manual: Executing Dynamic Commands",),
    check=_dynamic,
)

RULES = (UNPINNED, MUTABLE, UNSAFE_PATH, FOR_ANONYMOUS, FOR_USERS, LEAKPROOF, IMMUTABLE, DYNAMIC)
