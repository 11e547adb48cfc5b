create language mine handler plpgsql_call_handler;
create function public.f() returns integer language mine as 'begin return 1; end';
