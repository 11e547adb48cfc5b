create foreign data wrapper options_of options (kept '1', changed 'two', "New One" 'it''s');
create foreign data wrapper checked validator postgresql_fdw_validator;
create foreign data wrapper freed;
grant usage on foreign data wrapper freed to public;
