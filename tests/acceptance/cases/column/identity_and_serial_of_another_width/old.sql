create table numbered (id int generated always as identity primary key, v text);
