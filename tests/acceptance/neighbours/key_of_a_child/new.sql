create table base (id uuid primary key, name text not null);
create table own_key (constraint own_key_pkey primary key (id)) inherits (base);
create table late_key () inherits (base);
alter table late_key add primary key (id);
create table two (id uuid not null, extra int, primary key (id)) inherits (base);
create table other (id uuid primary key, name text);
