create table public.visits (country text, area text);
create statistics public.areas on country, area from public.visits;
