create type mood as enum ('sad', 'it''s "fine"');
create table t (m mood default 'it''s "fine"', check (m <> 'sad'));
