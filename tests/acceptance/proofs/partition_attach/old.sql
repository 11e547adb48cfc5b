create table events (at date not null, what text) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_2026 (at date not null, what text);
insert into events values ('2025-05-05', 'kept');
