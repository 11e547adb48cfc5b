create table public.visits (country text, city text, area varchar(10));
create statistics public.places on country, city from public.visits;
create statistics public.areas on country, area from public.visits;
