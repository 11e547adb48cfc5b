"""Thirty faults of triggers, each a change of the text of shop.sql, as a person would make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SHOP = (Path(__file__).parent / "shop.sql").read_text()


@dataclass(frozen=True)
class Fault:
    """`changes` are (old, new) texts; `table` is where to look: the triggers and races of this table are tried."""

    name: str
    changes: tuple[tuple[str, str], ...]
    table: str = "public.orders"

    @property
    def schema(self) -> str:
        text = SHOP
        for old, new in self.changes:
            assert text.count(old) >= 1, (self.name, old)
            text = text.replace(old, new, 1)
        return text


def fault(name: str, *changes: tuple[str, str], table: str = "public.orders") -> Fault:
    return Fault(name, changes, table)


RESERVE = "update public.items as i set reserved = i.reserved + new.quantity\n  where i.tenant_id = new.tenant_id and i.id = new.item_id;"
CONFLICT = "on conflict (tenant_id, name) do nothing returning id into new.customer_id;"
NOT_KNOWN = "raise exception 'orders: item % is not known', new.item_id using errcode = '23503', hint = 'Order an item of your own.';"
SUMMED = "on conflict (tenant_id) do update set orders = t.orders + excluded.orders, quantity = t.quantity + excluded.quantity;"
LOGGED = "insert into public.log (tenant_id, operation, new_values) select n.tenant_id, tg_op, to_jsonb(n) from new_rows as n;"
TOTALS = (
    "insert into public.totals as t (tenant_id, orders, quantity)\n"
    "  select n.tenant_id, count(*), sum(n.quantity) from new_rows as n group by n.tenant_id order by n.tenant_id\n  "
    + SUMMED
)
TIDY_RETURN = "new.reference := lower(btrim(new.reference));\n  return new;"
TOUCH = "new.updated_at := clock_timestamp();\n  return new;"
DEFINER = "returns trigger language plpgsql security definer set search_path = '' as $$\nbegin\n  update public.items as i set reserved = i.reserved + new"
INVOKER = "returns trigger language plpgsql as $$\nbegin\n  update public.items as i set reserved = i.reserved + new"

FAULTS = (
    # errors that nobody hears of
    fault(
        "errors of the log are swallowed", (LOGGED, f"begin {LOGGED} exception when others then null; end;")
    ),
    fault(
        "errors of the totals become a notice",
        (TOTALS, f"begin {TOTALS} exception when others then raise notice 'totals'; end;"),
    ),
    fault(
        "errors of the reservation are swallowed",
        (RESERVE, f"begin {RESERVE} exception when others then raise warning 'reserve'; end;"),
    ),
    fault(
        "a bad row is dropped instead of refused",
        (
            TIDY_RETURN,
            "if new.quantity is null or new.customer is null then return null; end if;\n  " + TIDY_RETURN,
        ),
    ),
    fault(
        "a key that is there drops the row",
        (
            TIDY_RETURN,
            "if exists (select from public.orders as o where o.tenant_id = new.tenant_id and o.reference = lower(btrim(new.reference)) and o.id <> new.id) then return null; end if;\n  "
            + TIDY_RETURN,
        ),
    ),
    fault(
        "RETURN NULL before the row",
        (TIDY_RETURN, "new.reference := lower(btrim(new.reference));\n  return null;"),
    ),
    fault("no RETURN", (TOUCH, "new.updated_at := clock_timestamp();")),
    # tenants
    fault(
        "the tenant is missing where stock is reserved",
        (
            RESERVE,
            "update public.items as i set reserved = i.reserved + new.quantity where i.sku is not null;",
        ),
    ),
    fault(
        "the log has the tenant of somebody",
        (
            LOGGED,
            "insert into public.log (tenant_id, operation, new_values) select (select t.id from public.tenants as t order by t.id = n.tenant_id limit 1), tg_op, to_jsonb(n) from new_rows as n;",
        ),
    ),
    fault(
        "the log has no tenant",
        (
            LOGGED,
            "insert into public.log (tenant_id, operation, new_values) select '00000000-0000-0000-0000-000000000000', tg_op, to_jsonb(n) from new_rows as n;",
        ),
    ),
    fault(
        "totals of all tenants are changed",
        (TOTALS, TOTALS + "\n  update public.totals set quantity = quantity + 0;"),
    ),
    # starvation
    fault(
        "the reservation runs as its caller",
        (DEFINER, INVOKER),
        (
            "grant select on public.tenants, public.items,",
            "grant update on public.items to shop_member;\ngrant select on public.tenants, public.items,",
        ),
        (NOT_KNOWN, "null;"),
    ),
    fault(
        "the release runs as its caller",
        (
            "create function app.release() returns trigger language plpgsql security definer set search_path = ''",
            "create function app.release() returns trigger language plpgsql",
        ),
        (
            "grant select on public.tenants, public.items, public.totals to shop_member;",
            "grant select, update on public.tenants, public.items, public.totals to shop_member;",
        ),
    ),
    fault(
        "locked items are passed over",
        (
            RESERVE,
            "update public.items as i set reserved = i.reserved + new.quantity where i.id = (select x.id from public.items as x where x.tenant_id = new.tenant_id and x.id = new.item_id for update skip locked);",
        ),
        (NOT_KNOWN, "null;"),
    ),
    # recursion
    fault(
        "an update that updates its own row",
        (TOUCH, "update public.orders set note = note where id = new.id;\n  " + TOUCH),
    ),
    fault(
        "two triggers that wake each other",
        (
            "-- 7.",
            "create function app.ping() returns trigger language plpgsql security definer set search_path = '' as $$ begin update public.orders set note = coalesce(note, '') || '.' where id = new.id; return null; end $$;\ncreate trigger z_ping after update on public.orders for each row execute function app.ping();\n-- 7.",
        ),
    ),
    # timing
    fault(
        "reserved before the row is stored",
        ("create trigger d_reserve after insert", "create trigger d_reserve before insert"),
        (
            "hint = 'Order an item of your own.';\n  end if;\n  return null;",
            "hint = 'Order an item of your own.';\n  end if;\n  return new;",
        ),
    ),
    fault(
        "tidied after the row is stored",
        (
            "create trigger a_tidy before insert or update of reference on",
            "create trigger a_tidy after insert or update of reference on",
        ),
    ),
    fault(
        "only the first row is summed up",
        (
            "select n.tenant_id, count(*), sum(n.quantity) from new_rows as n group by n.tenant_id order by n.tenant_id",
            "select n.tenant_id, 1, n.quantity from (select * from new_rows limit 1) as n",
        ),
    ),
    fault(
        "only one row is logged",
        (LOGGED, LOGGED.replace("from new_rows as n;", "from new_rows as n limit 1;")),
    ),
    fault(
        "deferred, of a row that is gone",
        (
            "-- 7.",
            "create function app.late() returns trigger language plpgsql security definer set search_path = '' as $$ begin insert into public.customers (tenant_id, name) values (new.tenant_id, new.reference || ' late') on conflict do nothing; return null; end $$;\ncreate constraint trigger z_late after insert on public.orders deferrable initially deferred for each row execute function app.late();\n-- 7.",
        ),
    ),
    # made-up rows, and more than once
    fault(
        "a dummy customer for everybody",
        (
            "insert into public.customers (tenant_id, name) values (new.tenant_id, new.customer)",
            "insert into public.customers (tenant_id, name) values (new.tenant_id, 'unknown')",
        ),
        (
            "c.tenant_id = new.tenant_id and c.name = new.customer for key share;\n    end if;",
            "c.tenant_id = new.tenant_id and c.name = 'unknown';\n    end if;",
        ),
    ),
    fault(
        "counted again when it is sent again",
        (
            "-- 3.",
            "create function app.count_them() returns trigger language plpgsql security definer set search_path = '' as $$ begin update public.customers set orders = orders + 1 where tenant_id = new.tenant_id and name = new.customer; return new; end $$;\ncreate trigger b_x_count before insert on public.orders for each row execute function app.count_them();\n-- 3.",
        ),
    ),
    # races
    fault(
        "customers without a unique key",
        (
            "  orders integer not null default 0,\n  unique (tenant_id, name)",
            "  orders integer not null default 0",
        ),
        (CONFLICT, "returning id into new.customer_id;"),
    ),
    fault("select, then insert", (CONFLICT, "returning id into new.customer_id;")),
    fault(
        "a lost update of what is reserved",
        (
            RESERVE,
            "declare v integer; begin select i.reserved into v from public.items as i where i.id = new.item_id; update public.items as i set reserved = v + new.quantity where i.tenant_id = new.tenant_id and i.id = new.item_id; end;",
        ),
        (
            "if not found then\n    raise exception 'orders: item",
            "if false then\n    raise exception 'orders: item",
        ),
    ),
    fault(
        "a lost update of the totals",
        (
            TOTALS,
            "if exists (select from public.totals as t join new_rows as n on n.tenant_id = t.tenant_id) then update public.totals as t set orders = (select count(*) from public.orders as o where o.tenant_id = t.tenant_id), quantity = (select sum(o.quantity) from public.orders as o where o.tenant_id = t.tenant_id) where t.tenant_id in (select n.tenant_id from new_rows as n); end if;",
        ),
    ),
    fault(
        "locks in another order",
        (
            RESERVE,
            RESERVE
            + "\n  update public.items as i set stock = i.stock where i.tenant_id = new.tenant_id and i.id <> new.item_id;",
        ),
    ),
    fault(
        "checked without a lock",
        (
            "-- 7.",
            "create function app.one_open() returns trigger language plpgsql security definer set search_path = '' as $$ begin if (select count(*) from public.orders as o where o.tenant_id = new.tenant_id and o.customer = new.customer) >= 1 then raise exception 'orders: % has an open order', new.customer using errcode = '23514'; end if; return new; end $$;\ncreate trigger b_y_one_open before insert on public.orders for each row execute function app.one_open();\n-- 7.",
        ),
    ),
    fault(
        "counted from what is visible",
        (
            "-- 7.",
            "create function app.recount() returns trigger language plpgsql security definer set search_path = '' as $$ begin update public.customers as c set orders = (select count(*) from public.orders as o where o.tenant_id = c.tenant_id and o.customer = c.name) where c.tenant_id = new.tenant_id and c.name = new.customer; return null; end $$;\ncreate trigger z_recount after insert on public.orders for each row execute function app.recount();\n-- 7.",
        ),
    ),
)
