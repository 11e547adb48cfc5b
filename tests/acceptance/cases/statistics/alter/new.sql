create table public.visits (country text, city text, area text);
create statistics public.places on country, city, area from public.visits;
create statistics public.target on country, area from public.visits;
alter statistics public.target set statistics 100;
comment on statistics public.target is 'finer';
