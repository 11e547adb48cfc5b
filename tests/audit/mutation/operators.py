"""The mutation operators: each makes the mistakes of one sort that people make, everywhere a schema has a place for it.

An operator says at what it aims. Whether its mutant really lets somebody reach what is not theirs is decided by `matrix.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from catalog import Function, Policy, Schema, Table
from values import Aim, Mutant

from reconciler.pg import ident, literal

Made = Iterator[tuple[str, str]]
"""Where, and the SQL."""
OPERATORS: dict[str, tuple[Aim, Callable[[Schema], Made]]] = {}


def operator(aim: Aim) -> Callable[[Callable[[Schema], Made]], Callable[[Schema], Made]]:
    def register(made: Callable[[Schema], Made]) -> Callable[[Schema], Made]:
        OPERATORS[made.__name__] = (aim, made)
        return made

    return register


def mutants(schema: Schema) -> Iterator[Mutant]:
    for name, (aim, made) in OPERATORS.items():
        seen = set()
        for target, sql in made(schema):
            if sql not in seen:
                seen.add(sql)
                yield Mutant(name, target, sql, aim)


def _guarded(schema: Schema) -> Iterator[Table]:
    """Tables behind row-level security that a role it binds can reach."""
    return (t for t in schema.tables if t.kind in "rp" and t.rls and t.granted)


def _narrows(policy: Policy) -> bool:
    return (policy.using or policy.check) not in ("true", "")


def _tenant(policy: Policy, schema: Schema) -> str:
    """The column the policy holds against the session; empty where it is not a bare column of the table."""
    columns = [name for name, _ in schema.table(policy.table).columns]
    words = re.findall(r"\b\w+\b", policy.using or policy.check)
    return next((word for word in words if word in columns), "")


# Row-level security itself


@operator("behaviour")
def disable_rls(schema: Schema) -> Made:
    for table in _guarded(schema):
        if not _readable(schema, table):
            yield table.name, f"alter table {table.name} disable row level security"


@operator("hygiene")
def drop_force(schema: Schema) -> Made:
    for table in schema.tables:
        if table.forced:
            yield table.name, f"alter table {table.name} no force row level security"


@operator("behaviour")
def table_without_rls(schema: Schema) -> Made:
    """A table made later, with the same keys, to which nobody gave row-level security."""
    for table in _guarded(schema):
        if not table.partition and not _readable(schema, table):
            copy, role = f"{table.name}_export".replace('"', ""), ident(sorted(table.granted)[0])
            keys = "".join(f"; alter table {copy} add {key}" for key in table.references)
            yield (
                table.name,
                f"create table {copy} as table {table.name}{keys}; grant select on {copy} to {role}",
            )


@operator("behaviour")
def open_partition(schema: Schema) -> Made:
    for table in schema.tables:
        if table.partition:
            for role in schema.roles:
                yield (
                    f"{table.name} {role}",
                    f"alter table {table.name} disable row level security; grant select on {table.name} to {ident(role)}",
                )


# Policies


@operator("behaviour")
def using_true(schema: Schema) -> Made:
    for policy in schema.policies:
        if _narrows(policy) and policy.using:
            yield policy.on, f"alter policy {policy.name} on {policy.table} using (true)"


@operator("behaviour")
def check_true(schema: Schema) -> Made:
    for policy in schema.policies:
        if policy.check and _narrows(policy):
            yield policy.on, f"alter policy {policy.name} on {policy.table} with check (true)"


@operator("behaviour")
def all_true(schema: Schema) -> Made:
    for policy in schema.policies:
        if policy.check and policy.using and _narrows(policy):
            yield policy.on, f"alter policy {policy.name} on {policy.table} using (true) with check (true)"


@operator("behaviour")
def missing_check(schema: Schema) -> Made:
    for policy in schema.policies:
        if policy.command == "insert" and policy.check:
            lost = policy.create(check="").replace(f" with check ({policy.check})", "")
            yield policy.on, lost


@operator("behaviour")
def or_widening(schema: Schema) -> Made:
    for policy in schema.policies:
        column = _tenant(policy, schema)
        if _narrows(policy) and column:
            wide = f"or {column} is not null"
            parts = [f"using (({policy.using}) {wide})"] if policy.using else []
            parts += [f"with check (({policy.check}) {wide})"] if policy.check else []
            yield policy.on, f"alter policy {policy.name} on {policy.table} {' '.join(parts)}"


@operator("behaviour")
def or_no_claim(schema: Schema) -> Made:
    """Whoever says nothing is let in: meant for maintenance scripts."""
    for policy in schema.policies:
        source = re.search(
            r"auth\.uid\(\)|app\.me\(\)|app\.tenant\(\)|metering\.org\(\)|private\.current_org_id\(\)",
            policy.using,
        )
        if source:
            yield (
                policy.on,
                f"alter policy {policy.name} on {policy.table} using (({policy.using}) or {source[0]} is null)",
            )


@operator("behaviour")
def wrong_column(schema: Schema) -> Made:
    """The column compared with itself, as when a name means the nearest table."""
    for policy in schema.policies:
        found = re.sub(r"\b(\w+) = (\( SELECT [^()]*\(\)[^()]*\))", r"\1 = \1", policy.using)
        if found != policy.using:
            yield policy.on, f"alter policy {policy.name} on {policy.table} using ({found})"


@operator("behaviour")
def claim_from_user_metadata(schema: Schema) -> Made:
    """What users write into their own profile, taken for what the server says."""
    for policy in schema.policies:
        columns = dict(schema.table(policy.table).columns)
        for column in ("org_id", "workspace_id"):
            if (
                "authenticated" in policy.roles
                and columns.get(column) == "uuid"
                and policy.using
                and policy.command in ("select", "all")
            ):
                forged = f"((auth.jwt() -> 'user_metadata') ->> {literal(column)})::uuid"
                yield (
                    policy.on,
                    f"alter policy {policy.name} on {policy.table} using (({policy.using}) or {column} = {forged})",
                )


@operator("behaviour")
def restrictive_dropped(schema: Schema) -> Made:
    for policy in schema.policies:
        if not policy.permissive:
            yield policy.on, f"drop policy {policy.name} on {policy.table}"


@operator("behaviour")
def restrictive_made_permissive(schema: Schema) -> Made:
    for policy in schema.policies:
        if not policy.permissive:
            yield policy.on, policy.create(permissive=True)


@operator("behaviour")
def restrictive_for_the_wrong_role(schema: Schema) -> Made:
    for policy in schema.policies:
        others = policy.roles.split(", ")
        if not policy.permissive and len(others) > 1:
            for role in others:
                yield f"{policy.on} {role}", f"alter policy {policy.name} on {policy.table} to {role}"


@operator("behaviour")
def debug_policy(schema: Schema) -> Made:
    for table in _guarded(schema):
        for role, privileges in sorted(table.granted.items()):
            if "SELECT" in privileges and not _readable(schema, table):
                yield (
                    f"{table.name} {role}",
                    f"create policy debug on {table.name} for select to {ident(role)} using (true)",
                )


@operator("behaviour")
def policy_for_everybody(schema: Schema) -> Made:
    """A new policy without TO and without a condition that means anything."""
    for table in _guarded(schema):
        if not _readable(schema, table):
            yield table.name, f"create policy everybody on {table.name} using (true)"


def _readable(schema: Schema, table: Table) -> bool:
    """Whether everybody may read it already."""
    found = [p for p in schema.policies if p.table == table.name and p.permissive and p.using == "true"]
    return bool(found) and all(p.permissive for p in schema.policies if p.table == table.name)


@operator("behaviour")
def anonymous_reads(schema: Schema) -> Made:
    if "anon" in schema.roles or "authenticated" in schema.roles:
        for table in _guarded(schema):
            if table.name.startswith("public.") and not _readable(schema, table):
                yield (
                    table.name,
                    f"grant select on {table.name} to anon; create policy for_anon on {table.name} for select to anon using (true)",
                )


@operator("hygiene")
def no_policy_left(schema: Schema) -> Made:
    for table in _guarded(schema):
        own = [p for p in schema.policies if p.table == table.name]
        if own:
            yield table.name, "; ".join(f"drop policy {p.name} on {p.table}" for p in own)


@operator("hygiene")
def unwrapped_call(schema: Schema) -> Made:
    for policy in schema.policies:
        column = _tenant(policy, schema)
        pattern = r"\( SELECT (\w+\.\w+\(\)) AS \w+\)"
        if policy.using and column and re.search(pattern, policy.using):
            bare = re.sub(pattern, r"\1", policy.using)
            yield policy.on, f"alter policy {policy.name} on {policy.table} using ({bare})"


# Grants


@operator("behaviour")
def grant_truncate(schema: Schema) -> Made:
    for table in _guarded(schema):
        if not table.partition and not _readable(schema, table):
            yield table.name, f"grant truncate on {table.name} to {ident(sorted(table.granted)[0])}"


@operator("hygiene")
def grant_references_and_trigger(schema: Schema) -> Made:
    for table in _guarded(schema):
        yield table.name, f"grant references, trigger on {table.name} to {ident(sorted(table.granted)[0])}"


@operator("hygiene")
def grant_to_public(schema: Schema) -> Made:
    for table in _guarded(schema):
        if not table.partition:
            yield table.name, f"grant all on {table.name} to public"


# Functions


def _remade(function: Function, body: str) -> str:
    return function.definition.replace(function.body, body)


@operator("hygiene")
def definer_without_search_path(schema: Schema) -> Made:
    for function in schema.functions:
        if function.definer and function.pinned:
            yield function.name, f"alter function {function.name} reset search_path"


@operator("behaviour")
def invoker_made_definer(schema: Schema) -> Made:
    for function in schema.functions:
        if (
            not function.definer
            and not function.trigger
            and function.callers
            and re.search(r"\bfrom\s|update\s|delete\s", function.body)
        ):
            yield function.name, f"alter function {function.name} security definer"


_CHECKS = (
    re.compile(r"\s+and private\.is_(?:member|admin)\(p_\w+\)"),
    re.compile(r"\s+and access\.of_\w+\([^()]*\)"),
    re.compile(r"\s+and s\.org_id = \(select metering\.org\(\)\)"),
    re.compile(r"  if not (?:private|access)\..*?end if;\n", re.DOTALL),
    re.compile(r"  if not found then.*?end if;\n", re.DOTALL),
    re.compile(r"  if p_org_id is distinct from v_sender then.*?end if;\n", re.DOTALL),
    re.compile(r"\s+and m\.user_id = auth\.uid\(\)"),
)


@operator("behaviour")
def unvalidated_function(schema: Schema) -> Made:
    """The function believes its arguments."""
    for function in schema.functions:
        for number, pattern in enumerate(_CHECKS):
            bare = pattern.sub("", function.body, count=1)
            if (function.definer and not function.trigger and bare != function.body) or (
                number == 5 and bare != function.body
            ):
                yield f"{function.name} #{number}", _remade(function, bare)


@operator("behaviour")
def helper_says_yes(schema: Schema) -> Made:
    for function in schema.functions:
        if function.definer and "returns boolean" in function.definition.lower():
            yield function.name, _remade(function, " select true ")


@operator("behaviour")
def helper_ignores_the_tenant(schema: Schema) -> Made:
    """A column compared with itself in the helper that policies ask."""
    for function in schema.functions:
        found = re.sub(
            r"\b(m\.(?:org_id|workspace_id)) = (?:p_\w+|nullif\([^)]*\)::uuid)", r"\1 = \1", function.body
        )
        if function.definer and found != function.body:
            yield function.name, _remade(function, found)


@operator("behaviour")
def helper_ignores_the_user(schema: Schema) -> Made:
    for function in schema.functions:
        found = re.sub(
            r"m\.user_id = (?:\(select auth\.uid\(\)\)|auth\.uid\(\))", "m.user_id = m.user_id", function.body
        )
        if function.definer and found != function.body:
            yield function.name, _remade(function, found)


@operator("behaviour")
def service_function_for_all(schema: Schema) -> Made:
    for function in schema.functions:
        if function.definer and not function.trigger and not function.callers:
            for role in schema.roles:
                if role != "anon":
                    yield (
                        f"{function.name} {role}",
                        f"grant execute on function {function.name} to {ident(role)}",
                    )


@operator("behaviour")
def dump_function(schema: Schema) -> Made:
    """A definer function that hands out a whole table."""
    for table in _guarded(schema):
        if table.partition or _readable(schema, table):
            continue
        name = f"{table.name.split('.')[0]}.all_{re.sub(r'[^a-z0-9]', '_', table.name.split('.')[1])}"
        role = ident(sorted(table.granted)[0])
        yield (
            table.name,
            (
                f"create function {name}() returns setof {table.name} language sql stable security definer set search_path = '' as"
                f" $$ select * from {table.name} $$; revoke all on function {name}() from public; grant execute on function {name}() to {role}"
            ),
        )


_ODD = ("p", "x", "v1", "_", "")
"""What people call an argument that means a key; "" is none at all."""


def _new_function(table: Table, verb: str, arguments: str, returns: str, body: str) -> str:
    """A definer function about a table for a role that may use that; `$t` in the body is the table."""
    schema, name = table.name.split(".")
    function = f"{schema}.{verb}_{re.sub(r'[^a-z0-9]', '_', name)}({arguments})"
    return (
        f"create function {function} returns {returns} language sql stable security definer set search_path = '' as"
        f" $$ {body.replace('$t', table.name)} $$; revoke all on function {function} from public;"
        f" grant execute on function {function} to {ident(sorted(table.granted)[0])}"
    )


def _keyed(schema: Schema) -> Iterator[tuple[Table, str, str]]:
    """Tables that somebody might look into with a row's key, with its type and the odd name of an argument for it."""
    found = [
        t
        for t in _guarded(schema)
        if not t.partition and not _readable(schema, t) and "id" in dict(t.columns)
    ]
    for number, table in enumerate(found):
        yield table, dict(table.columns)["id"], _ODD[number % len(_ODD)]


def _of_tenant(schema: Schema) -> Iterator[tuple[Table, str, str]]:
    """Tables with the tenant's column, and its type."""
    for table in _guarded(schema):
        for column in ("org_id", "workspace_id", "tenant_id"):
            if column in dict(table.columns) and not table.partition and not _readable(schema, table):
                yield table, column, dict(table.columns)[column]


@operator("behaviour")
def odd_argument(schema: Schema) -> Made:
    """A row's text for whoever knows its key, by an argument whose name says nothing."""
    for table, type_, name in _keyed(schema):
        texts = table.text_columns()
        if texts:
            body = f"select t.{ident(texts[0])} from $t as t where t.id = {name or '$1'}"
            yield f"{table.name} {name}", _new_function(table, "text", f"{name} {type_}", "text", body)


@operator("behaviour")
def answers_json(schema: Schema) -> Made:
    for table, type_, name in _keyed(schema):
        body = f"select pg_catalog.to_jsonb(t) from $t as t where t.id = {name or '$1'}"
        yield f"{table.name} one", _new_function(table, "json", f"{name} {type_}", "jsonb", body)
    for table, column, type_ in _of_tenant(schema):
        body = f"select coalesce(pg_catalog.jsonb_agg(t order by t), '[]') from $t as t where t.{column} = v"
        yield f"{table.name} all", _new_function(table, "jsons", f"v {type_}", "jsonb", body)


@operator("behaviour")
def asked_by_json(schema: Schema) -> Made:
    """The key stands in a document, and so does the answer."""
    for table, type_, _ in _keyed(schema):
        texts = table.text_columns()
        if texts:
            said = f"pg_catalog.json_build_object('said', t.{ident(texts[0])})"
            body = f"select {said} from $t as t where t.id = (d ->> 'which')::{type_}"
            yield table.name, _new_function(table, "ask", "d json", "json", body)


@operator("behaviour")
def answers_rows(schema: Schema) -> Made:
    for table, column, type_ in _of_tenant(schema):
        whole = f"select t.* from $t as t where t.{column} = v1"
        yield f"{table.name} setof", _new_function(table, "rows", f"v1 {type_}", f"setof {table.name}", whole)
        texts = table.text_columns()
        if texts:
            some = f"select t.{ident(texts[0])}, pg_catalog.count(*) from $t as t where t.{column} = x group by 1 order by 1"
            arguments, returns = f"x {type_}", "table (said text, many bigint)"
            yield f"{table.name} table", _new_function(table, "counted", arguments, returns, some)


@operator("behaviour")
def answers_a_count(schema: Schema) -> Made:
    """How many rows another tenant has."""
    for table, column, type_ in _of_tenant(schema):
        body = f"select pg_catalog.count(*) from $t as t where t.{column} = x"
        yield table.name, _new_function(table, "count", f"x {type_}", "bigint", body)


@operator("behaviour")
def answers_figures(schema: Schema) -> Made:
    """The same within a document, beside what is always the same."""
    for table, column, type_ in _of_tenant(schema):
        said = "pg_catalog.jsonb_build_object('ok', true, 'many', pg_catalog.count(*))"
        body = f"select {said} from $t as t where t.{column} = x"
        yield table.name, _new_function(table, "figures", f"x {type_}", "jsonb", body)


@operator("oracle")
def answers_yes_or_no(schema: Schema) -> Made:
    """Whether a row is there, whosever it is: in a boolean, or in a word that stands for it."""
    for number, (table, type_, name) in enumerate(_keyed(schema)):
        where = f"from $t as t where t.id = {name or '$1'}"
        if number % 2:
            body, returns = f"select 'yes' {where}", "text"
        else:
            body, returns = f"select exists (select {where})", "boolean"
        yield f"{table.name} {returns}", _new_function(table, "knows", f"{name} {type_}", returns, body)


@operator("hygiene")
def volatile_helper(schema: Schema) -> Made:
    for function in schema.functions:
        used = any(function.name.split("(")[0] + "(" in (p.using + p.check) for p in schema.policies)
        if function.volatility == "s" and used:
            yield function.name, f"alter function {function.name} volatile"


@operator("hygiene")
def leakproof_helper(schema: Schema) -> Made:
    for function in schema.functions:
        if function.callers and not function.trigger:
            yield function.name, f"alter function {function.name} leakproof"


@operator("hygiene")
def definer_for_public(schema: Schema) -> Made:
    for function in schema.functions:
        if function.definer and not function.trigger:
            yield function.name, f"grant execute on function {function.name} to public"


# Views


@operator("behaviour")
def owner_rights_view(schema: Schema) -> Made:
    for view in schema.tables:
        if view.kind == "v" and "security_invoker=true" in view.options:
            yield view.name, f"alter view {view.name} reset (security_invoker)"


@operator("behaviour")
def new_view(schema: Schema) -> Made:
    for table in _guarded(schema):
        if not table.partition and not _readable(schema, table):
            name, role = f"{table.name}_list".replace('"', ""), ident(sorted(table.granted)[0])
            yield (
                table.name,
                f"create view {name} as select * from {table.name}; grant select on {name} to {role}",
            )


@operator("behaviour")
def materialized(schema: Schema) -> Made:
    for table in _guarded(schema):
        if not table.partition and not _readable(schema, table):
            name, role = f"{table.name}_cached".replace('"', ""), ident(sorted(table.granted)[0])
            yield (
                table.name,
                f"create materialized view {name} as select * from {table.name}; grant select on {name} to {role}",
            )


@operator("behaviour")
def opened_materialized(schema: Schema) -> Made:
    for view in schema.tables:
        if view.kind == "m":
            for role in schema.roles:
                grants = f"grant usage on schema {view.name.split('.')[0]} to {ident(role)}"
                yield f"{view.name} {role}", f"{grants}; grant select on {view.name} to {ident(role)}"


@operator("hygiene")
def barrier_dropped(schema: Schema) -> Made:
    for view in schema.tables:
        if view.kind == "v" and "security_barrier=true" in view.options:
            yield view.name, f"alter view {view.name} reset (security_barrier)"


# Keys, triggers


@operator("hygiene")
def key_without_tenant(schema: Schema) -> Made:
    """A foreign key that lost the tenant: rows may point to those of others."""
    for table, name, definition in schema.keys:
        found = re.match(
            r"FOREIGN KEY \((\w+), (\w+)\) REFERENCES ([\w.\"]+)\((\w+), (\w+)\)(.*)", definition
        )
        if found and not re.search(r"readings|invoices", table):
            _, column, other, _, key, rest = found.groups()
            yield (
                f"{name} on {table}",
                (
                    f"alter table {table} drop constraint {name}; alter table {other} add unique ({key});"
                    f" alter table {table} add foreign key ({column}) references {other} ({key}){rest}"
                ),
            )


@operator("hygiene")
def unique_without_tenant(schema: Schema) -> Made:
    """A unique key across tenants says whether another one has a value."""
    for table, name, definition in schema.uniques:
        found = re.match(r"UNIQUE \((\w+), (\w+)\)\Z", definition)
        if found:
            yield (
                f"{name} on {table}",
                f"alter table {table} drop constraint {name}; alter table {table} add unique ({found[2]})",
            )


@operator("hygiene")
def index_dropped(schema: Schema) -> Made:
    """The index by which a policy finds its rows."""
    for table, index, column in schema.indexes:
        if any(p.table == table and re.search(rf"\b{column} = \(", p.using) for p in schema.policies):
            yield f"{index} on {table}", f"drop index {index}"


@operator("behaviour")
def trigger_without_tenant(schema: Schema) -> Made:
    """A definer trigger that finds rows by what they are called, whosever they are."""
    for table in _guarded(schema):
        texts = table.text_columns()
        privileges = {p for found in table.granted.values() for p in found}
        if table.kind != "r" or len(texts) < 1 or "INSERT" not in privileges or table.partition:
            continue
        schema_, name = table.name.split(".")
        function, column = f"{schema_}.spread_{re.sub(r'[^a-z0-9]', '_', name)}", ident(texts[0])
        other = ident(texts[-1])
        yield (
            table.name,
            (
                f"create function {function}() returns trigger language plpgsql security definer set search_path = '' as $$ begin"
                f" update {table.name} as x set {other} = new.{other} where x.{column} = new.{column} and pg_catalog.pg_trigger_depth() < 2;"
                f" return null; end $$; create trigger spread after insert on {table.name} for each row execute function {function}()"
            ),
        )


@operator("behaviour")
def join_without_tenant(schema: Schema) -> Made:
    """The tenant lost from a join within a function that runs with its owner's rights."""
    for function in schema.functions:
        for pattern in (
            r"r\.org_id = w\.org_id and ",
            r"t\.org_id = p_org and ",
            r"m\.org_id = p_org and ",
            r" and theirs\.user_id = p_user",
        ):
            found = re.sub(pattern, "", function.body)
            if found != function.body and function.definer:
                yield f"{function.name} {pattern[:12]}", _remade(function, found)


@operator("hygiene")
def swallowed(schema: Schema) -> Made:
    """Whatever a trigger raises, nobody hears of it."""
    for function in schema.functions:
        if function.trigger and function.language == "plpgsql":
            body = re.sub(
                r"\nend\s*\Z",
                "\nexception when others then return null;\nend\n",
                function.body.rstrip() + "\n".rstrip(),
            )
            if body != function.body:
                yield function.name, _remade(function, body)


@operator("hygiene")
def trigger_as_invoker(schema: Schema) -> Made:
    for function in schema.functions:
        if function.trigger and function.definer and re.search(r"\b(insert|update|delete)\b", function.body):
            yield function.name, f"alter function {function.name} security invoker"
