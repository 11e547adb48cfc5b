"""What is read in the text of a function: tables, errors, handlers, NEW; and what cannot be read says so."""

from __future__ import annotations

import pytest

from reconciler.shadow.bodies.body import body
from reconciler.shadow.bodies.steps import Unreadable, lexed
from reconciler.shadow.bodies.touched import touched


def did(sql: str) -> list[tuple[str, str]]:
    return [(touch.verb, ".".join(part for part in touch.table if part)) for touch in touched(lexed(sql))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("insert into a.t (x, y) select 1, 2 from u, v join w on true", "insert a.t, select u, select v, select w"),
        ("update only t as x set a = 1 from u where u.a is distinct from x.a", "update t, select u"),
        ("select a from t where b is not distinct from c for update of t", "select t"),
        ("delete from t using u where t.a = u.a", "delete t, select u"),
        ("merge into t using u on t.a = u.a when matched then update set a = 1 when not matched then insert values (1)", "merge t, select u"),
        ("insert into t values (1) on conflict (a) do update set b = 2", "insert t, update t"),
        ("select extract(year from x), substring(y from 2), trim(both from z) from t", "select t"),
        ("with u as materialized (delete from t returning *), v (a) as (select 1) insert into w select * from u, v", "delete t, insert w"),
        ("truncate table t, s.u cascade", "truncate t, truncate s.u"),
        ("refresh materialized view concurrently s.v", "refresh s.v"),
        ("select * from f(1) as g, lateral (select 1 from t) as h, u", "select t, select u"),
        ("select (select max(a) from t) from u order by (select 1 from v)", "select t, select u, select v"),
        ('select 1 from "Odd Name"."From"', "select Odd Name.From"),
        ("select * from a left join b using (id), c where d in (select e from f)", "select a, select b, select c, select f"),
    ],
)  # fmt: skip
def test_tables_of_a_statement(sql: str, expected: str) -> None:
    assert ", ".join(" ".join(one) for one in sorted(did(sql))) == ", ".join(sorted(expected.split(", ")))


def test_columns_that_an_update_sets() -> None:
    (touch,) = touched(
        lexed("update t set a = case when x then (select 1) end, (b, c) = (1, 2), d[1] = f(e, g) where h = 1")
    )
    assert touch.columns == ("a", "b", "c", "d")


PLPGSQL = """
<<outer>>
declare
  v_row public.t%rowtype;
  v_case text := case when true then 'begin' else 'end; insert into nowhere' end;  -- insert into comment
begin
  if new.x is distinct from old.x and exists (select 1 from u) then
    insert into public.log (a) values ($q$ update hidden $q$);
  elsif case new.y when 1 then true else false end then
    for v_row in select * from t where t.y = new.y loop
      while v_row.x > 0 loop
        update t set x = x - 1 where t.id = v_row.id returning * into v_row;
        exit outer when not found;
      end loop;
    end loop;
  else
    case new.z when 1, 2 then perform public.told(new.id); else null; end case;
  end if;
  begin
    execute 'refresh materialized view m';
    execute format('delete from %I', tg_table_name) using new.id;
    new.a := 1; new.b = 2;
    select 1, 2 into strict new.c, v_case from w;
  exception
    when unique_violation or sqlstate '23514' then
      raise;
    when others then
      raise notice 'went wrong: %', sqlerrm;
  end;
  perform pg_notify('channel', new.payload ->> 'tenant');
  raise exception using message = 'no ' || tg_table_name, hint = 'Do not.';
  return new;
end outer
"""


def test_a_plpgsql_body() -> None:
    found = body("plpgsql", PLPGSQL)
    assert not found.unreadable
    assert [(use.touch.verb, use.touch.table.name, use.dynamic) for use in found.uses] == [
        ("select", "u", False),
        ("insert", "log", False),
        ("select", "t", False),
        ("update", "t", False),
        ("select", "w", False),
        ("refresh", "m", True),
    ]
    assert [step.line for step in found.dynamic] == [20, 21]
    assert found.assigned == ("a", "b", "c")
    assert {"x", "y", "z", "id", "payload"} <= found.mentioned
    assert found.keys == ("tenant",)
    assert found.notifies
    assert [(handler.conditions, handler.raises) for handler in found.handlers] == [
        (("unique_violation", "sqlstate", "23514"), True),
        (("others",), False),
    ]
    assert [(raised.level, raised.again, raised.options) for raised in found.raised] == [
        ("exception", True, frozenset()),
        ("notice", False, frozenset()),
        ("exception", False, frozenset({"message", "hint"})),
    ]
    (inserted,) = [use for use in found.uses if use.touch.verb == "insert"]
    assert {"old", "new"} <= {token.word for frame in inserted.step.within for token in frame.words}


def test_an_empty_handler_is_one() -> None:
    found = body("plpgsql", "begin null; exception when others then end;")
    assert [(handler.catches_all, handler.raises) for handler in found.handlers] == [(True, False)]


@pytest.mark.parametrize("language", ["c", "plpython3u"])
def test_other_languages_are_not_read(language: str) -> None:
    assert language in body(language, "begin end").unreadable


@pytest.mark.parametrize(
    "text",
    ["begin if x then end;", "begin 'open", "select 1", "begin end; begin end;", "begin loop null; end"],
)
def test_what_is_no_plpgsql_says_so(text: str) -> None:
    assert body("plpgsql", text).unreadable


def test_what_never_ends_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        lexed("select $q$ 1")
