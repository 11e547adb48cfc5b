create function f(a int, b text default 'y') returns text language plpgsql volatile set search_path = '' as $$ begin return a; end $$;
