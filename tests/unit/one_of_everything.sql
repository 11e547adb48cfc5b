-- One object of every kind there is. Statements are separated by lines that hold nothing but `--`.
-- `{role}` is a role of the test's own. `-- since N` begins what older majors do not know.
create schema app
--
create type app.mood as enum ('calm')
--
create domain app.positive as integer check (value > 0)
--
create type app.pair as (x integer, y text)
--
create type app.span as range (subtype = double precision, subtype_diff = float8mi)
--
create sequence app.numbers
--
create function app.same(integer) returns integer language sql immutable as 'select $1'
--
create procedure app.nothing() language sql as 'select 1'
--
create aggregate app.total(integer) (sfunc = int4pl, stype = integer)
--
create table app.items (
    id integer generated always as identity primary key, name text default 'x', twice integer generated always as (2) stored,
    serial serial, constraint positive check (serial > 0)
)
--
create table app.orders (id integer primary key, item integer references app.items) partition by range (id)
--
create table app.orders_1 partition of app.orders for values from (1) to (10)
--
create table app.child (more text) inherits (app.items)
--
create unlogged table app.large (body text, primary key (body))
--
create index on app.orders (item)
--
create statistics app.together on name, serial from app.items
--
create view app.seen as select * from app.items
--
alter view app.seen alter column name set default 'y'
--
create materialized view app.kept as select * from app.items
--
create function app.stamp() returns trigger language plpgsql as 'begin return new; end'
--
create trigger stamp before insert on app.items for each row execute function app.stamp()
--
create trigger stamp after insert on app.orders for each row execute function app.stamp()
--
create constraint trigger late after insert on app.items for each row execute function app.stamp()
--
create rule quiet as on delete to app.items do instead nothing
--
alter table app.items enable row level security
--
create policy everyone on app.items using (true)
--
create publication chosen for table app.items
--
create publication everything for all tables
--
create function app.watch() returns event_trigger language plpgsql as 'begin end'
--
create event trigger watch on ddl_command_end when tag in ('CREATE CAST') execute function app.watch()
--
create foreign data wrapper far options (host 'h')
--
create server far foreign data wrapper far options (host 'h', password 'hidden')
--
create user mapping for public server far options ("user" 'u', password 'hidden')
--
create foreign table app.far (id integer options (name 'ID') default 3) server far options (token 'hidden')
--
create cast (app.mood as app.pair) with inout
--
create function app.equal(app.pair, app.pair) returns boolean language sql as 'select true'
--
create operator app.=== (leftarg = app.pair, rightarg = app.pair, function = app.equal, commutator = operator(app.===))
--
create operator family app.ways using btree
--
alter operator family app.ways using btree add operator 3 app.=== (app.pair, app.pair)
--
create operator class app.hashed for type app.pair using hash as operator 1 app.===
--
create collation app.bytes (provider = libc, locale = 'C')
--
create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8
--
create text search parser app.words (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)
--
create text search template app.simple (init = dsimple_init, lexize = dsimple_lexize)
--
create text search dictionary app.plain (template = app.simple)
--
create text search configuration app.own (parser = app.words)
--
alter text search configuration app.own add mapping for word with app.plain
--
create language mine handler plpgsql_call_handler
--
create function app.through(internal) returns internal language internal immutable strict as 'textin'
--
create transform for app.pair language mine (from sql with function app.through(internal))
--
create access method stored type table handler heap_tableam_handler
--
create subscription fed connection 'host=h password=hidden' publication p with (connect = false, slot_name = none)
--
alter default privileges in schema app grant select on tables to {role}
--
alter default privileges revoke execute on functions from public
--
revoke execute on function pg_catalog.pg_sleep(double precision) from public
--
grant pg_monitor to {role}
--
select lo_create(0)
--
-- since 15
create publication of_schema for tables in schema app
--
-- since 18
create table app.rooms (id integer, at int4range, note text not null, unique (id, note), bigger integer generated always as (id + 1) virtual)
