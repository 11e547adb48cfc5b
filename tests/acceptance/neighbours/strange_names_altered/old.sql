create table "Quo""te. 'd" ("Id" serial primary key, "sel ect" int, "b" int);
create index "In dex" on "Quo""te. 'd" ("sel ect");
create view "View" as select "sel ect" as "x y" from "Quo""te. 'd";
create type "Ty pe" as enum ('A', 'B');
create table "T2" ("C" "Ty pe");
