create schema app;

create function app.add(numeric, numeric) returns numeric language sql immutable as 'select coalesce($1, 0) + coalesce($2, 0)';
create function app.sub(numeric, numeric) returns numeric language sql immutable as 'select $1 - coalesce($2, 0)';
create function app.done(numeric) returns text language sql immutable as 'select $1::text';
create aggregate app.total(numeric) (
    sfunc = app.add, stype = numeric, sspace = 64, finalfunc = app.done, combinefunc = app.add, initcond = '0',
    msfunc = app.add, minvfunc = app.sub, mstype = numeric, mfinalfunc = app.done, minitcond = '0', parallel = safe
);
comment on aggregate app.total(numeric) is 'a sum, as text';
create aggregate app.rows_seen(*) (sfunc = int8inc, stype = bigint, initcond = '0');
create aggregate app.least_of(integer) (sfunc = int4smaller, stype = integer, sortop = <);
revoke execute on function app.least_of(integer) from public;
grant execute on function app.least_of(integer) to pg_monitor;
create aggregate app.middle(double precision order by anyelement) (
    sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra
);
create aggregate app.place(variadic "any" order by variadic "any") (
    sfunc = ordered_set_transition_multi, stype = internal, finalfunc = rank_final, finalfunc_extra, hypothetical
);
create view app.summary as select app.total(n) as total from (values (1.5), (2)) as v(n);
