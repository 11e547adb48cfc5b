create table p (id int, at date, extra text not null default 'x' check (extra <> ''), constraint k unique (id, at)) partition by range (at);
create table p1 partition of p default;
