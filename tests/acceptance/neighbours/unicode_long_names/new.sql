create type üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü as enum ('b');
create table ööööööööööööööööööööööööööööööö (ä üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü, id serial, ö int generated always as identity);
