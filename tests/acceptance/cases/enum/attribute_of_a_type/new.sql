create type k as enum ('b');
create type pair as (k k, ks k[]);
