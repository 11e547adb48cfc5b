create schema app;
create schema made;
create publication p for tables in schema app, made;
