create sequence public.invoice_numbers;
grant usage, update on sequence public.invoice_numbers to authenticated;
