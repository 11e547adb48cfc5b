create table whole (id int, note text) partition by list (id);
create table part_a (id int, note text);
create table part_b (id int, note text);
create index part_b_note_idx on part_b (note desc);
create index whole_note on whole (note, id);
