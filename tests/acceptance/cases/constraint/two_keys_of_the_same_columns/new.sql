create table plain (id int);
create table keyed (id int, note text, primary key (id));
alter table keyed add constraint once unique (id);
alter table keyed add constraint again unique (id) include (note);
alter table keyed add constraint later unique (id) deferrable;
create table pointing (k int references keyed);
create table excluded (id int, exclude using btree (id with =));
alter table excluded add constraint twice exclude using btree (id with =);
alter table excluded add constraint late exclude using btree (id with =) deferrable;
