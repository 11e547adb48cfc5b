insert into m select n % 5, n, 'c' || n, 'n' from generate_series(0, 199) as n
