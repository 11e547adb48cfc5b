create type k as enum ('a', 'b');
create type pair as (k k, ks k[]);
