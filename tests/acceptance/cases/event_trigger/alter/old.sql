create schema app;
create function app.watch() returns event_trigger language plpgsql as 'begin end';
create function app.guard() returns event_trigger language plpgsql as 'begin end';

create event trigger state on ddl_command_end execute function app.watch();
create event trigger tags on ddl_command_end when tag in ('CREATE TABLE') execute function app.watch();
create event trigger replaced on ddl_command_start execute function app.watch();
comment on event trigger replaced is 'kept';
