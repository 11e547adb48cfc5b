create recursive view r (n) as select 1 union all select n + 1 from r where n < 5;
create view v as select n from r;
