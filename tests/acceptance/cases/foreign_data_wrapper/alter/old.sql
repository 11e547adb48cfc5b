create foreign data wrapper options_of options (kept '1', changed '2', gone '3');
create foreign data wrapper checked;
create foreign data wrapper freed validator postgresql_fdw_validator;
