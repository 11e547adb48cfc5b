create table whole (id int, note text) partition by list (id);
create table part_a partition of whole for values in (1);
create table part_b partition of whole for values in (2);
create index whole_note on whole (note);
