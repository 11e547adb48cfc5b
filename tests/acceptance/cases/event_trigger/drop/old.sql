create schema app;
create function app.watch() returns event_trigger language plpgsql as 'begin end';
create function app.guard() returns event_trigger language plpgsql as 'begin end';


create event trigger watch on ddl_command_end when tag in ('CREATE TABLE', 'ALTER TABLE') execute function app.watch();
create event trigger "Guard" on sql_drop execute function app.guard();
alter event trigger "Guard" disable;
comment on event trigger watch is 'notes what happens';
