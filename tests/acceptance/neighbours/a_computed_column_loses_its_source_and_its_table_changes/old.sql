create table t (s text, a text generated always as (lower(s)) stored);
