create trusted language mine handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator;
create language bare handler plpgsql_call_handler;
comment on language mine is 'plpgsql by another name';
revoke usage on language mine from public;
create function public.f() returns integer language mine as 'begin return 1; end';
