create function f(a int, b text default 'x') returns text language sql immutable strict parallel safe cost 7 as $$ select a || b $$;
comment on function f is 'joins';
