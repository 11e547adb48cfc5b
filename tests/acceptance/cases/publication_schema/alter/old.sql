create schema app;
create schema gone;
create publication p for tables in schema app, gone;
