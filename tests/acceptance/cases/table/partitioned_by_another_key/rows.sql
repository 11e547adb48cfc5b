insert into readings select n, (array['north', 'south', 'west', 'east'])[1 + n % 4], date '2024-12-28' + n, n / 3.0 from generate_series(1, 12) as n;
insert into corrections select id, region, at from readings where id < 4;
