create domain public.below_of_two as text;
create domain public.upper_of_two as varchar(10);
