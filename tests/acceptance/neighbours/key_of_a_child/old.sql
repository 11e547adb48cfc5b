create table base (id uuid primary key, name text not null);
create table other (id uuid primary key, name text);
