create table numbered (id bigserial primary key, v text);
