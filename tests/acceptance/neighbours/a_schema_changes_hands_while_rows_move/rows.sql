insert into app.t values (1, 'low'), (2, null);
