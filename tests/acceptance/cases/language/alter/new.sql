create trusted language mine handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator;
grant usage on language mine to pg_monitor;
comment on language mine is 'trusted now';
create function public.f() returns integer language mine as 'begin return 1; end';
