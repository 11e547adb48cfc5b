"""Loading declarations into a real database: any order, honest errors, nothing that leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import psycopg
import pytest

from reconciler.declare import DeclaredFile, read, read_sql
from reconciler.embedded import Server
from reconciler.errors import Stalled, Waiting
from reconciler.pg import Url, connect
from reconciler.shadow.materialise import load

Connection = psycopg.Connection


def files(**texts: str) -> list[DeclaredFile]:
    return [read_sql(text, f"{name}.sql") for name, text in texts.items()]


def rows(connection: Connection, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(sql.encode()).fetchall()]


def refused(connection: Connection, *declared: DeclaredFile, role: str | None = None) -> Stalled:
    with pytest.raises(Stalled) as error:
        load(connection, declared, role=role)
    return error.value


@pytest.fixture
def declarer(server: Server, database: Callable[..., Url]) -> Iterator[Url]:
    """A superuser's session's database that belongs to the ordinary role `declarer`."""
    url = database()
    with connect(url) as admin:
        admin.execute("create role declarer login password 'x'")
        admin.execute(f"alter database {url.database} owner to declarer".encode())
        admin.execute("alter schema public owner to declarer")
    yield url
    with connect(url) as admin:
        admin.execute("drop owned by declarer cascade")
        admin.execute(f"alter database {url.database} owner to current_user".encode())
        admin.execute("drop role declarer")


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Connection]:
    """One database for tests that leave nothing behind."""
    name = "test_shared_by_load"
    with connect(server.url) as admin:
        admin.execute(f"create database {name}".encode())
        with connect(server.url.with_database(name)) as session:
            yield session
        admin.execute(f"drop database {name}".encode())


CIRCLE = {
    "table_a": "create table a (id int primary key, kind mood not null); alter table a add foreign key (id) references b (id);",
    "table_b": "create table b (id int primary key default next_id()); alter table b add foreign key (id) references a (id);",
    "types": "create type mood as enum ('sad'); create view v as select * from a join b using (id);",
    "code": "create function next_id() returns int language sql as 'select max(id) + 1 from a';",
}


@pytest.mark.parametrize("order", list(permutations(range(4)))[::3])
def test_files_load_in_any_order(connection: Connection, order: tuple[int, ...]) -> None:
    names = [f"{position}_{list(CIRCLE)[number]}" for position, number in enumerate(order)]
    load(connection, files(**{name: CIRCLE[name[2:]] for name in names}))
    assert rows(connection, "select count(*) from pg_constraint where contype = 'f'") == [(2,)]
    assert rows(connection, "select * from v") == []


@pytest.mark.parametrize(
    ("needs", "makes"),
    [
        ("create view v as select a from t;", "create table t (a int);"),
        ("create table u (a int references t (a));", "create table t (a int); alter table t add primary key (a);"),
        ("create view v as select a, b from t group by a;", "create table t (a int, b int); alter table t add primary key (a);"),
        ("create table u (a mood);", "create type mood as enum ('x');"),
        ("create table u (a int default f());", "create function f() returns int language sql as 'select 1';"),
        ("create table s.u (a int);", "create schema s;"),
        ("create view v as select b from t;", "create table t (a int); alter table t add column b int;"),
        ("create table u partition of t for values in (1);", "create table t (a int) partition by list (a);"),
        ("create table u (a int) inherits (t);", "create table t (b int);"),
        ("alter table t cluster on i;", "create table t (a int); create index i on t (a);"),
        ("create trigger g before insert on t for each row execute function f();", "create table t (a int); create function f() returns trigger language plpgsql as 'begin return new; end';"),
        ("comment on constraint c on t is 'x';", "create table t (a int constraint c check (a > 0));"),
        ("create view v as select 1 <+> 2 as a;", "create operator <+> (leftarg = int, rightarg = int, function = int4pl);"),
        ("create view v as select '1'::d as a;", "create domain d as text;"),
        ("create table u (a text collate c);", "create collation c (locale = 'C');"),
        ("alter table t replica identity using index i;", "create table t (a int not null); create unique index i on t (a);"),
        ("create publication p for table t;", "create table t (a int);"),
        ("create aggregate g (int) (sfunc = f, stype = int);", "create function f(int, int) returns int language sql as 'select $1';"),
        ("create view v as select 'x'::mood::int as a;", "create type mood as enum ('x'); create function f(mood) returns int language sql as 'select 1'; create cast (mood as int) with function f(mood);"),
        ("create rule r as on insert to t do also insert into u values (1);", "create table t (a int); create table u (a int);"),
        ("create index i on m (a);", "create materialized view m as select 1 as a;"),
        ("create statistics s on a, b from t;", "create table t (a int, b int);"),
        ("create policy p on t using (f());", "create table t (a int); create function f() returns bool language sql as 'select true';"),
        ("alter sequence q owned by t.a;", "create table t (a int); create sequence q;"),
        ("do $$ begin perform 'x'::regtype; end $$;", "create type x as (a int);"),
        ("create function f() returns setof t language sql as 'select * from t';", "create table t (a int);"),
        ("create function f() returns int begin atomic select a from t; end;", "create table t (a int);"),
        ("create procedure p() language plpgsql as $$ declare r t%rowtype; begin end $$;", "create table t (a int);"),
        ("insert into t values (1); insert into u values (1);", "create table t (a int); create table u (a int);"),
        ("create event trigger e on ddl_command_end execute function f();", "create function f() returns event_trigger language plpgsql as 'begin end';"),
        ("create index i on t using gin (a my_ops);", "create table t (a int[]); create operator class my_ops for type int[] using gin as operator 1 &&(anyarray, anyarray), function 1 btint4cmp(int, int), function 2 ginarrayextract(anyarray, internal, internal), function 3 ginqueryarrayextract(anyarray, internal, smallint, internal, internal, internal, internal), function 4 ginarrayconsistent(internal, smallint, anyarray, int, internal, internal, internal, internal), storage int;"),
    ],
)  # fmt: skip
def test_what_is_missing_is_waited_for(shared: Connection, needs: str, makes: str) -> None:
    with shared.transaction(force_rollback=True):
        load(shared, files(a=needs, b=makes))


def test_a_value_added_to_an_enum_is_committed_before_it_is_used(connection: Connection) -> None:
    makes = "create type mood as enum ('x'); alter type mood add value 'y';"
    load(connection, files(a="create table u (a mood default 'y');", b=makes))


def test_statements_overtake_one_that_waits_for_a_later_one(connection: Connection) -> None:
    load(connection, files(a="create view v as select * from t; create table t (a int);"))


def test_functions_that_call_each_other(connection: Connection) -> None:
    mutual = "create function {0}(n int) returns bool language sql as 'select case when n = 0 then {2} else {1}(n - 1) end';"
    load(connection, files(a=mutual.format("even", "odd", "true"), b=mutual.format("odd", "even", "false")))
    assert rows(connection, "select even(10), odd(10)") == [(True, False)]


def test_a_body_that_was_accepted_unread_is_read_in_the_end(connection: Connection) -> None:
    wrong = "create function f() returns int language sql as $$\n  select 1;\n  select nowhere()\n$$;"
    said = str(refused(connection, *files(a=wrong)))
    assert said.startswith("a.sql:3: function nowhere() does not exist")


@pytest.mark.majors
def test_every_failing_statement_is_named_with_its_line(
    server: Server, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "a.sql").write_text(
        "create table t (a int);\n\ncreate view v as\nselect a,\n  nonsense from t;\nselct 1;\n"
    )
    (tmp_path / "b.yaml").write_text(
        "views:\n  w:\n    query: |\n      select 1 as a,\n        b from nowhere\n"
    )
    (tmp_path / "c.sql").write_text(
        "do $$\nbegin\n  perform 1;\n  raise exception 'no' using detail = 'd', hint = 'h';\nend $$;"
    )
    (tmp_path / "d.sql").write_text(
        "create view on_v as select * from v;\ncreate view on_on_v as select * from on_v;"
    )
    error = refused(connection, *read(tmp_path).files)
    assert str(error).replace(str(tmp_path), "") == (
        '/a.sql:5: column "nonsense" does not exist\n'
        '/a.sql:6: syntax error at or near "selct"\n'
        '/b.yaml:5: relation "nowhere" does not exist\n'
        "/c.sql:4: no\n    d\n    PostgreSQL suggests: h\n"
        "  also: /d.sql:1\n  also: /d.sql:2"
    )
    assert rows(connection, "select count(*) from pg_class where relname = 't'") == [(0,)]


def test_positions_count_characters_not_bytes(connection: Connection) -> None:
    said = str(refused(connection, *files(a="select 'äöü€𝄞',\n'é' as \"ü\",\nnonsense;")))
    assert said.startswith("a.sql:3: ")


def test_what_is_declared_twice_is_named_with_both_places(connection: Connection) -> None:
    error = refused(connection, *files(a="\ncreate table t (a int);", b="\n\ncreate table t (a int);"))
    assert str(error).startswith('b.sql:3: relation "t" already exists\n  also: a.sql:2')


def test_settings_hold_in_their_file_and_nowhere_else(connection: Connection) -> None:
    connection.execute("set search_path = public")
    load(
        connection,
        files(
            a="set search_path = s; set check_function_bodies = off; create view v as select * from t; create table u (a int);",
            b="create function wrong() returns int language plpgsql as 'begin end'; create table w (a int);",
            d="set search_path = s; reset all; create table x (a int);",
            c="create schema s; select pg_catalog.set_config('search_path', '', false); create table s.t (a int);",
        ),
    )
    found = rows(
        connection,
        "select relname, relnamespace::regnamespace::text from pg_class where relkind in ('r', 'v') and relnamespace::regnamespace::text in ('s', 'public') order by 1",
    )
    assert found == [("t", "s"), ("u", "s"), ("v", "s"), ("w", "public"), ("x", "public")]
    assert rows(connection, "show search_path") == [("public",)]
    assert rows(connection, "show statement_timeout") == [("0",)]


def test_a_script_may_act_as_another_role_until_its_end(connection: Connection) -> None:
    connection.execute("create role acting; grant create on schema public to acting")
    try:
        load(
            connection,
            files(
                a="set role acting; create table a (a int references z); reset role; create table b (a int);",
                z="create table z (a int primary key); grant references on z to acting;",
            ),
        )
        owners = rows(
            connection,
            "select relname, relowner = 'acting'::regrole from pg_class where relkind = 'r' and relname in ('a', 'b', 'z') order by 1",
        )
        assert owners == [("a", True), ("b", False), ("z", False)]
        said = str(refused(connection, *files(a="\nset role acting;"), role="acting"))
        assert said.startswith("a.sql:2: SET ROLE is refused")
    finally:
        connection.execute("drop owned by acting cascade; drop role acting")


def test_a_setting_that_the_server_does_not_have_is_named(connection: Connection) -> None:
    said = str(refused(connection, *files(a="select 1;\nset no_such_setting = 1;")))
    assert said.startswith("a.sql:2: unrecognized configuration parameter")


def test_a_dump_cannot_switch_off_the_time_limit(connection: Connection) -> None:
    declared = files(a="set statement_timeout = 0;\nset transaction_timeout = 0;\n\nselect pg_sleep(30);")
    with pytest.raises(Stalled, match=r"a.sql:4: canceling statement due to statement timeout"):
        load(connection, declared, statement_timeout="100ms")


def test_concurrently_is_loaded_plainly(connection: Connection) -> None:
    sql = "create table t (a int); create index concurrently i on t (a); drop index concurrently i; reindex table concurrently t;"
    load(
        connection,
        files(a=sql + "create materialized view m as select 1; refresh materialized view concurrently m;"),
    )


def test_what_cannot_run_in_a_transaction_is_refused_with_its_line(connection: Connection) -> None:
    said = str(refused(connection, *files(a="\nreindex schema public;")))
    assert said.startswith("a.sql:2: REINDEX SCHEMA cannot run inside a transaction block")
    assert "leave this statement out" in said


def test_copied_rows_and_rows_that_wait_for_each_other(connection: Connection) -> None:
    load(
        connection,
        files(
            a="copy child (id, parent) from stdin;\n1\t7\n2\t\\N\n\\.\nselect setval('q', 5);",
            b="create table parent (id int primary key); create table child (id int, parent int references parent); create sequence q;",
            c="insert into parent values (7);",
        ),
    )
    assert rows(connection, "select id, parent from child order by id") == [(1, 7), (2, None)]


def test_all_tables_means_the_tables_of_all_files(connection: Connection) -> None:
    load(
        connection,
        files(
            a="alter default privileges grant insert on tables to public; create table own (a int);",
            b="grant select on all tables in schema public to public;",
            c="create table t (a int); create view v as select * from late;",
            d="create table late (a int);",
        ),
    )
    public = rows(
        connection,
        "select c.relname, string_agg(a.privilege_type, ' ' order by a.privilege_type) from pg_class as c,"
        " aclexplode(c.relacl) as a where a.grantee = 0 and c.relnamespace = 'public'::regnamespace group by 1 order by 1",
    )
    assert public == [("late", "SELECT"), ("own", "INSERT SELECT"), ("t", "SELECT"), ("v", "SELECT")]


def test_a_missing_extension_is_named_with_what_to_do(connection: Connection) -> None:
    said = str(refused(connection, *files(a="create extension if not exists no_such_thing;")))
    assert "no_such_thing" in said
    assert "install it there" in said


def test_a_missing_role_says_where_roles_come_from(connection: Connection) -> None:
    said = str(refused(connection, *files(a="create table t (a int);\ngrant select on t to nobody_here;")))
    assert said.startswith('a.sql:2: role "nobody_here" does not exist')
    assert "platform: supabase" in said


def test_a_role_that_another_database_made_already_is_no_error(connection: Connection) -> None:
    try:
        load(connection, files(a="create role made_twice;"))
        load(connection, files(a="create role made_twice; create table t (a int);"))
        assert rows(connection, "select count(*) from pg_class where relname = 't'") == [(1,)]
    finally:
        connection.execute("drop role made_twice")


def test_untrusted_declarations_have_only_the_rights_of_their_login(declarer: Url) -> None:
    sql = "create table t (a int);\ncreate cast (bigint as timestamp) without function;"
    with connect(declarer.with_options(user="declarer", password="x")) as session:
        said = str(refused(session, *files(a=sql)))
    assert said.startswith("a.sql:2: ")
    assert "casts need a superuser" in said
    assert "trust: reviewed" in said


def test_reviewed_declarations_may_use_the_closed_list_and_nothing_else(declarer: Url) -> None:
    sql = """
        create table t (a int);
        create cast (bigint as timestamp) without function;
        create function f() returns event_trigger language plpgsql as 'begin end';
        create event trigger e on ddl_command_end execute function f();
        alter event trigger e disable;
        create function sure() returns int language sql leakproof as 'select 1';
        create table u (a int);
    """
    with connect(declarer) as session:
        load(session, files(a=sql), role="declarer")
        owners = (
            "select relowner::regrole::text from pg_class where relname in ('t', 'u') union"
            " select evtowner::regrole::text from pg_event_trigger union"
            " select proowner::regrole::text from pg_proc where proname in ('f', 'sure')"
        )
        assert rows(session, owners) == [("declarer",)]
        assert rows(session, "select rolsuper from pg_roles where rolname = 'declarer'") == [(False,)]
        assert rows(session, "select current_user = session_user") == [(True,)]
        said = str(refused(session, *files(a="\nselect * from pg_catalog.pg_authid;"), role="declarer"))
        assert said.startswith("a.sql:2: permission denied")


def test_an_open_transaction_is_only_added_to(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        load(connection, files(a="create table t (a int);"))
        assert rows(connection, "select count(*) from pg_class where relname = 't'") == [(1,)]
    assert rows(connection, "select count(*) from pg_class where relname = 't'") == [(0,)]


def test_a_server_that_ends_the_session_is_waited_for(connection: Connection) -> None:
    with pytest.raises(Waiting, match=r"a.sql:2"):
        load(connection, files(a="select 1;\nselect pg_terminate_backend(pg_backend_pid());"))


def test_thousands_of_statements_are_committed_in_between(connection: Connection) -> None:
    many = "".join(f"create sequence s{n};" for n in range(1_200))
    load(
        connection, files(a="set search_path = x; create schema x;" + many, b="create table x.late (a int);")
    )
    assert rows(
        connection, "select count(*) from pg_class where relkind = 'S' and relnamespace = 'x'::regnamespace"
    ) == [(1_200,)]
