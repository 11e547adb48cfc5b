insert into used values (1, '[1,5)', array['[1,2)', '[3,4)']::span[], 'x'), (2, '[7,9)', null, 'y');
