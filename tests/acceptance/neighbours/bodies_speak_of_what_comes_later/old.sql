create table events (code int);
