create table given (id bigserial);
alter table given owner to pg_database_owner;
create table kept (id serial);
alter sequence kept_id_seq owned by none;
alter sequence kept_id_seq owner to pg_monitor;
