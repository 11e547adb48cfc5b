create schema "Odd Schema";
create table "Odd Schema"."select" (
  "Group" bigint primary key, "a.b" text not null default 'back\slash', "quo""te" text default 'it''s', "Straße" int
);
comment on column "Odd Schema"."select"."Straße" is $$a 'comment' with $ and \ in it$$;
create view "Odd Schema"."View" as select "Group" as "where" from "Odd Schema"."select";
create policy "Öffentlich" on "Odd Schema"."select" using (true);
