create table people (
  id int primary key, first text not null, last text not null,
  full_name text,
  sort_key text generated always as (lower(last) || ', ' || lower(first)) stored
);
create index by_sort_key on people (sort_key);
