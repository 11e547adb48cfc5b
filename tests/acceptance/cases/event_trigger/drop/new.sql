create schema app;
create function app.watch() returns event_trigger language plpgsql as 'begin end';
create function app.guard() returns event_trigger language plpgsql as 'begin end';
