create table "Quo""te. 'd" ("Id" bigserial primary key, "sel ect" bigint default 3, "B" int);
create index "In dex" on "Quo""te. 'd" ("sel ect", "B");
create view "View" as select "sel ect" as "x y" from "Quo""te. 'd";
create type "Ty pe" as enum ('B', 'c''s');
create table "T2" ("C" "Ty pe");
