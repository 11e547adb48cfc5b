create unlogged table a (id integer primary key);
create unlogged table c (id integer primary key);
create unlogged table d (id integer primary key, c integer references c);
