create schema "Odd Schema";
create table "Odd Schema"."select" ("Group" int primary key, "a.b" text, "quo""te" text default 'it''s');
insert into "Odd Schema"."select" values (1, 'x', 'y');
