insert into logs (at, line) select now()::date, 'line ' || n from generate_series(1, 9) as n;
