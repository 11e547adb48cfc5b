create table public.visits (country text, city text, area text);
create statistics public.places on country, city from public.visits;
create statistics public.target on country, area from public.visits;
