create schema shop;
grant usage, create on schema shop to authenticated;
