create domain d as text default E'one\n  two\nthree' check (value <> E'four\nfive ''six''\n\nseven $$\n eight');
create table t (v text, w text, "a
b" text);
alter table t add constraint plain check (v <> E'it''s\nnot $body$ \\ one\nline' and v <> 'second
line');
alter table t add constraint "of two
lines" check ("a
b" <> 'x');
