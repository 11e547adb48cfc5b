create type p as (a int, b text);
