create domain public.below_of_two as text;
create domain public.upper_of_two as public.below_of_two;
create type public.pair_of_two as (x public.upper_of_two);
