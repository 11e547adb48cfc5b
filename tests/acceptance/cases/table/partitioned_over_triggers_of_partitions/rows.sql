insert into crossings select n, (array['north', 'south'])[1 + n % 2], 'note ' || n from generate_series(1, 9) as n;
