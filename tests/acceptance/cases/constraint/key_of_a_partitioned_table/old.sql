create table m (id int, at int, code text, note text) partition by range (at);
create table m_1 partition of m for values from (0) to (100);
create table m_2 partition of m for values from (100) to (200) partition by list (id);
create table m_2a partition of m_2 for values in (1, 2);
create table m_2b partition of m_2 default;
create table "S p" (id int not null, at int not null) partition by range (at);
create table "S p1" partition of "S p" for values from (0) to (100);
